/*
 * world.c - what a peer with a valid key may say, to a replica that lives: a county hub, its province and a
 * site, in memory, made once.  Every input is one transaction that is rolled back, so that inputs do not meet.
 *
 * Hashes and signatures would hide the inside of an entry from a fuzzer, so they are put right here: the
 * bytes given are what stands below the signature, and the device that may sign it signs.  The promise held
 * is that nothing a peer says is an error of the replica: a record parks, an entry becomes a hole, a session
 * ends, and the transaction can be committed.
 */
#include "common/base.h"

#include "tests/fuzz/fuzz.h"

#include "common/ident.h"
#include "node/command.h"
#include "proto/clock.h"
#include "tests/support/trio.h"

enum { ARENA_MAX = 64 * 1024 * 1024, FRAMES_MAX = 64, CLOCK_MEMORY_FACTOR = 32 };

static struct {
	struct trio *t;
	uint8_t segments[8][32]; /* hashes of the site's, in the county's journal */
	size_t segments_count;
	uint8_t rows[3][16]; /* activity, volunteer, participation */
} world;

static void segments_find(struct trio_device *d)
{
	must(store_begin_read(d->store) == 0);
	for (int64_t at = 1; world.segments_count < ARRAY_COUNT(world.segments); at++) {
		struct entry *e = NULL;

		must(store_journal_get(d->store, at, &world.t->a, &e) == 0);
		if (!e) break;
		if (e->kind == ENTRY_SEGMENT &&
		    !memcmp(e->origin, world.t->site->identity.origin, 16))
			memcpy(world.segments[world.segments_count++], e->hash, 32);
	}
	store_rollback(d->store);
	must(world.segments_count > 0);
}

static void world_free(void)
{
	trio_free(world.t);
}

static struct trio *world_get(void)
{
	struct trio *t = world.t;

	if (t) return t;
	t = world.t = trio_new();
	trio_activity(t->site, "邻里节", world.rows[0]);
	trio_volunteer(t->site, "林秀英", world.rows[1]);
	must(trio_settle(t));
	trio_participation(t->site, world.rows[1], 60, world.rows[2]);
	must(trio_change(t->site, "activity", world.rows[0], "hh_served", value_int(4)) == 0);
	must(trio_delete(t->site, "volunteer", world.rows[1]) == 0);
	must(trio_settle(t));
	segments_find(t->county);
	must(atexit(world_free) == 0);
	return t;
}

/* ---- one entry of a peer, signed */
static void take_in(struct trio_device *d, unsigned kind, struct span head, struct span body)
{
	bool is_new, more = true;
	int rc;

	must(replica_begin(d->r) == 0);
	rc = replica_append(d->r, kind, head, body, 0, &is_new);
	must(rc == 0 || rc == -ERR_SIGNATURE || rc == -ERR_UNKNOWN_ORIGIN || rc == -ERR_VERSION ||
	     rc == -ERR_CERT_BAD || rc == -ERR_PROTOCOL || rc == -ERR_CEILING);
	for (int i = 0; !rc && more && i < 100; i++) must(replica_apply(d->r, 10000, &more) == 0);
	if (!rc && replica_is_hub(d->r)) must(replica_correct(d->r) == 0);
	replica_rollback(d->r);
}

static const uint8_t *unit_of(const struct trio *t, uint8_t selector)
{
	static const enum trio_unit units[4] = {UNIT_SITE, UNIT_COUNTY, UNIT_OTHER, UNIT_PROVINCE};

	return t->units[units[selector >> 2 & 3]];
}

/* Rows that are there, by a name of one byte: the fuzzer cannot guess an id. */
static void known_row(uint8_t row[16])
{
	static const uint8_t zero[15];

	if (!memcmp(row + 1, zero, 15) && row[0] < 4)
		memcpy(row, row[0] < 3 ? world.rows[row[0]] : world.t->units[UNIT_SITE], 16);
}

/* lane, scope and author in one byte, count of changesets in two, plain body */
static void say_segment(struct trio *t, const uint8_t *p, size_t len)
{
	static const uint8_t nonce[8] = {'f', 'u', 'z', 'z', 'r', 'u', 'n', 1};
	struct segment_head h = {.seal = 90, .k = 1, .n = 1, .nonces_count = 1};
	struct trio_device *author;
	struct buf head, body;
	struct changeset *cs;
	uint8_t hash[32];
	struct arena a;
	uint64_t run;
	size_t count;

	if (len < 3) return;
	author = p[0] & 16 ? t->county : t->site;
	count = (size_t)p[1] | (size_t)p[2] << 8;
	run = run_of(author->identity.origin, nonce);
	h.lane = p[0] & 3;
	memcpy(h.scope, unit_of(t, p[0]), 16);
	memcpy(h.origin, author->identity.origin, 16);
	memcpy(h.nonces[0], nonce, 8);
	arena_init(&a, ARENA_MAX);
	buf_init(&head, HEAD_BYTES_MAX);
	buf_init(&body, BODY_SQUEEZED_MAX);
	if (body_decode(span_of(p + 3, len - 3), 1, count, &run, 1, &a, &cs, NULL) == 0) {
		h.count = (uint32_t)count;
		for (size_t i = 0; i < count; i++)
			for (size_t k = 0; k < cs[i].ops_count; k++)
				known_row(((struct op *)(uintptr_t)cs[i].ops)[k].row);
		if (segment_make(&h, cs, &run, author->identity.sign_secret, &head, &body, hash,
		                 NULL) == 0) {
			take_in(t->county, ENTRY_SEGMENT, buf_span(&head), buf_span(&body));
			take_in(t->province, ENTRY_SEGMENT, buf_span(&head), buf_span(&body));
		}
	}
	buf_done(&head);
	buf_done(&body);
	arena_done(&a);
}

/* An admission without its signature: the county's, of segments that the site has. */
static void say_admission(struct trio *t, const uint8_t *p, size_t len)
{
	uint8_t hash[32], sign[64];
	struct admission m;
	struct arena a;
	struct buf in, out;

	arena_init(&a, ARENA_MAX);
	buf_init(&in, ADMISSION_BYTES_MAX);
	buf_init(&out, 2 * ADMISSION_BYTES_MAX);
	buf_add(&in, p, len);
	memset(sign, 0, sizeof(sign));
	buf_add(&in, sign, 64);
	if (!in.full && admission_open(buf_span(&in), &a, &m, hash, sign, NULL) == 0) {
		memcpy(m.hub, t->county->identity.origin, 16);
		memcpy(m.scope, unit_of(t, m.scope[0]), 16);
		for (size_t i = 0; i < m.items_count; i++)
			if (m.items[i].segment[1] == 0)
				memcpy(m.items[i].segment,
				       world.segments[m.items[i].segment[0] % world.segments_count],
				       32);
		if (admission_make(&m, t->county->identity.sign_secret, &out, hash, NULL) == 0) {
			take_in(t->site, ENTRY_ADMISSION, buf_span(&out), span_of(NULL, 0));
			take_in(t->province, ENTRY_ADMISSION, buf_span(&out), span_of(NULL, 0));
			take_in(t->second, ENTRY_ADMISSION, buf_span(&out), span_of(NULL, 0));
		}
	}
	arena_done(&a);
	buf_done(&in);
	buf_done(&out);
}

/* A hole without its signature; the header inside is signed by the site. */
static void say_hole(struct trio *t, const uint8_t *p, size_t len)
{
	uint8_t hash[32], sign[64] = {0};
	struct buf in, out, head;
	struct hole h;

	buf_init(&in, MESSAGE_BYTES_MAX);
	buf_init(&out, MESSAGE_BYTES_MAX);
	buf_init(&head, HEAD_BYTES_MAX);
	buf_add(&in, p, len);
	buf_add(&in, sign, 64);
	if (!in.full && hole_open(buf_span(&in), &h, hash, sign, NULL) == 0) {
		memcpy(h.segment.origin, t->site->identity.origin, 16);
		memcpy(h.segment.scope, unit_of(t, h.segment.scope[0]), 16);
		segment_head_pack(&h.segment, &head);
		segment_hash(buf_span(&head), hash);
		sign_make(span_of(hash, 32), t->site->identity.sign_secret, sign);
		buf_add(&head, sign, 64);
		h.head = buf_span(&head);
		memcpy(h.remover, t->county->identity.origin, 16);
		if (hole_make(&h, t->county->identity.sign_secret, &out, hash, NULL) == 0) {
			take_in(t->province, ENTRY_HOLE, buf_span(&out), span_of(NULL, 0));
			take_in(t->site, ENTRY_HOLE, buf_span(&out), span_of(NULL, 0));
		}
	}
	buf_done(&in);
	buf_done(&out);
	buf_done(&head);
}

/* A certificate without its signature, issued by the county. */
static void say_cert(struct trio *t, const uint8_t *p, size_t len)
{
	uint8_t sign[64] = {0};
	struct buf in, out;
	struct cert c;

	buf_init(&in, CERT_BYTES_MAX);
	buf_init(&out, CERT_BYTES_MAX);
	buf_add(&in, p, len);
	buf_add(&in, sign, 64);
	if (!in.full && cert_open(buf_span(&in), &c, NULL) == 0 && c.role != CERT_ROOT) {
		memcpy(c.issuer, t->county->cert.id, 16);
		memcpy(c.unit, unit_of(t, c.unit[0]), 16);
		if (!c.origin_key[1])
			memcpy(c.origin_key, t->site->identity.sign_public, 32); /* anew */
		if (cert_make(&c, t->county->identity.sign_secret, &out, NULL) == 0) {
			take_in(t->province, ENTRY_CERT, buf_span(&out), span_of(NULL, 0));
			take_in(t->site, ENTRY_CERT, buf_span(&out), span_of(NULL, 0));
		}
	}
	buf_done(&in);
	buf_done(&out);
}

/* Kind of entry in one byte, then what its function says; of other kinds the bytes as they are. */
int fuzz_peer(const uint8_t *p, size_t len)
{
	struct trio *t = world_get();

	if (!len) return 0;
	switch (p[0]) {
	case ENTRY_SEGMENT:
		say_segment(t, p + 1, len - 1);
		break;
	case ENTRY_ADMISSION:
		say_admission(t, p + 1, len - 1);
		break;
	case ENTRY_HOLE:
		say_hole(t, p + 1, len - 1);
		break;
	case ENTRY_CERT:
		say_cert(t, p + 1, len - 1);
		break;
	default:
		take_in(t->county, p[0], span_of(p + 1, len - 1), span_of(NULL, 0));
	}
	return 0;
}

/* ---- messages to a session of the county, each behind its length u16: HELLO said, session and number put right */
struct speaking {
	struct session *s;
	struct short_form in, out;
	uint32_t number;
};

static void say(struct speaking *w, struct span frame)
{
	struct session_actions actions = {0};
	struct session_event e = {.kind = EVENT_FRAME, .now_ms = 6000, .frame = frame};

	must(session_step(w->s, &e, &actions) == 0);
	session_actions_done(&actions);
}

static void say_hello(struct speaking *w, const struct trio *t)
{
	struct message m = {.type = MSG_HELLO,
	                    .hello = {.protocol_min = 1,
	                              .protocol_max = 1,
	                              .run = 12345,
	                              .schema_version = 1,
	                              .filter = {1},
	                              .clock_ms = 1740000000000,
	                              .nonce = 77}};
	struct buf b;

	memcpy(m.hello.cert, t->site->cert.id, 8);
	buf_init(&b, MESSAGE_BYTES_MAX);
	message_pack(&m, NULL, &b);
	say(w, buf_span(&b));
	buf_done(&b);
}

static void put_right(struct speaking *w, struct message *m)
{
	uint64_t *sessions[] = {[MSG_REFUSE] = &m->refuse.session, [MSG_DATA] = &m->data.session,
	                        [MSG_ACK] = &m->ack.session,       [MSG_PLACE] = &m->place.session,
	                        [MSG_MARKS] = &m->marks.session,   [MSG_ASK] = &m->ask.session,
	                        [MSG_STATE] = &m->state.session,   [MSG_BYE] = &m->bye.session,
	                        [MSG_CERT] = &m->cert.session,     [MSG_RENEW] = &m->renew.session};

	if (m->type < ARRAY_COUNT(sessions) && sessions[m->type]) *sessions[m->type] = 77;
	if (m->type == MSG_DATA) m->data.number = ++w->number;
	if (m->type == MSG_PLACE) m->place.number = ++w->number;
}

/* The site's name and signature on a header; false: no header. */
static bool sign_again(const struct trio *t, struct msg_data *d, struct buf *head)
{
	struct segment s;
	uint8_t hash[32], sign[64];

	if (segment_open(d->head, d->body, &s, NULL) != 0) return false;
	memcpy(s.head.origin, t->site->identity.origin, 16);
	memcpy(s.head.scope, unit_of(t, s.head.scope[0]), 16);
	hash_of(d->body, s.head.body_hash, 32);
	segment_head_pack(&s.head, head);
	segment_hash(buf_span(head), hash);
	sign_make(span_of(hash, 32), t->site->identity.sign_secret, sign);
	buf_add(head, sign, 64);
	d->head = buf_span(head);
	return true;
}

static void say_message(struct speaking *w, const struct trio *t, struct span in)
{
	struct message m;
	struct buf b, head;
	struct arena a;

	arena_init(&a, ARENA_MAX);
	buf_init(&b, 2 * MESSAGE_BYTES_MAX);
	buf_init(&head, HEAD_BYTES_MAX);
	if (message_read(in, &w->in, &a, &m, NULL) != 0) {
		say(w, in);
	} else {
		put_right(w, &m);
		if (m.type == MSG_DATA && m.data.kind == ENTRY_SEGMENT && m.data.pos & 1)
			(void)sign_again(t, &m.data, &head);
		message_pack(&m, &w->out, &b);
		if (!b.full) say(w, buf_span(&b));
	}
	arena_done(&a);
	buf_done(&b);
	buf_done(&head);
}

int fuzz_session(const uint8_t *p, size_t len)
{
	struct trio *t = world_get();
	struct session_config config = {.parent = true, .peer = t->site->cert, .stay = true};
	struct speaking w = {0};
	struct cut c = cut_of(span_of(p, len));
	bool more = true;

	must(replica_begin(t->county->r) == 0);
	w.s = session_new(t->county->r, &config);
	if (len < 3 || p[2] != 0x9c) say_hello(&w, t); /* else it says its own */
	for (int i = 0; i < FRAMES_MAX && cut_left(&c); i++) {
		size_t n = cut_u16(&c);
		const uint8_t *m = cut_take(&c, n);

		if (!m) break;
		say_message(&w, t, span_of(m, n));
	}
	for (int i = 0; more && i < 100; i++) must(replica_apply(t->county->r, 10000, &more) == 0);
	session_free(w.s);
	short_form_done(&w.in);
	short_form_done(&w.out);
	replica_rollback(t->county->r);
	return 0;
}

/* ---- a stored clock, as in a damaged database: id of the row, bytes */
int fuzz_clock(const uint8_t *p, size_t len)
{
	struct trio *t = world_get();
	struct clock clock;
	struct arena a;
	uint8_t hash[16];

	if (len < 16) return 0;
	arena_init(&a, ARENA_MAX);
	must(store_begin_read(t->county->store) == 0);
	if (clock_load(t->county->store, p, span_of(p + 16, len - 16), 4, &a, &clock) == 0) {
		clock_hash(TABLE_ACTIVITY, LANE_OPEN, p, &clock, hash);
		(void)clock_covers(&clock, 1, 2, 3);
		for (unsigned slot = 0; slot < SLOTS_MAX; slot++) (void)clock_shown(&clock, slot);
	}
	must_take(&a, CLOCK_MEMORY_FACTOR, len, 4096);
	store_rollback(t->county->store);
	arena_done(&a);
	return 0;
}

/* ---- record --json -: lines, in one transaction that a last line, which is none, ends */
static struct {
	size_t bytes, most;
} heap;

static void *heap_take(size_t bytes)
{
	size_t *p = malloc(sizeof(max_align_t) + bytes);

	if (!p) abort();
	*p = bytes;
	heap.bytes += bytes;
	if (heap.bytes > heap.most) heap.most = heap.bytes;
	return (uint8_t *)p + sizeof(max_align_t);
}

static void heap_give(void *p)
{
	if (!p) return;
	size_t *block = (size_t *)(void *)((uint8_t *)p - sizeof(max_align_t));
	heap.bytes -= *block;
	free(block);
}

int fuzz_json(const uint8_t *p, size_t len)
{
	struct trio *t = world_get();
	struct call *c = mem_alloc(sizeof(*c));
	size_t done, failed, before;
	json_t *items;
	struct buf in;
	FILE *f;

	buf_init(&in, 4 * RECORD_LINE_MAX);
	buf_add(&in, p, len);
	buf_text(&in, "\n{}\n");
	f = in.full ? NULL : fmemopen(in.p, in.len, "r");
	json_set_alloc_funcs(heap_take, heap_give);
	c->replica = t->site->r;
	c->store = t->site->store;
	c->json = true;
	arena_init(&c->arena, ARENA_MAX);
	items = json_array();
	before = heap.most = heap.bytes;
	if (f) {
		must(record_lines(c, f, /* atomic= */ true, items, &done, &failed) != 0);
		must(done == 0 && failed == 1);
		must(heap.most - before <= RECORD_MEMORY_FACTOR * in.len + 16 * 1024);
		fclose(f);
	}
	json_decref(items);
	must(heap.bytes == 0);
	json_set_alloc_funcs(malloc, free);
	arena_done(&c->arena);
	buf_done(&in);
	free(c);
	return 0;
}
