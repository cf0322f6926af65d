/*
 * test_bad_input.c - what hostile or broken peers send to a hub, and what it costs them: the session, or the
 * record; never the hub, its other sessions, or the journal of anybody else.
 */
#include <sys/resource.h>

#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/ident.h"
#include "common/pack.h"
#include "common/reader.h"
#include "common/squeeze.h"
#include "tests/support/trio.h"

/* What bad frames may add to the process.  The address sanitiser keeps what was freed for a while. */
#ifdef __SANITIZE_ADDRESS__
enum { MEMORY_KIB_MAX = 320 * 1024 };
#else
enum { MEMORY_KIB_MAX = 24 * 1024 };
#endif

static int set_up(void **state)
{
	struct trio *t = trio_new();

	assert_true(trio_settle(t));
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	trio_free(*state);
	return 0;
}

/* ---- helpers */

static long memory_kib(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_maxrss;
}

/* An innocent session beside the bad one. */
static struct trio_link *innocent(struct trio *t)
{
	struct trio_link *l = trio_link(t->other);

	l->config[TRIO_UP].stay = true;
	trio_run(t);
	assert_non_null(l->sessions[TRIO_UP]);
	return l;
}

static void assert_goes_on(struct trio_link *l)
{
	struct trio *t = l->t;
	uint8_t row[16];

	assert_non_null(l->sessions[TRIO_UP]);
	assert_non_null(l->sessions[TRIO_DOWN]);
	trio_activity(t->other, "邻里节", row);
	trio_pump(t->other);
	trio_run(t);
	assert_true(trio_shows(t->county, "activity", row, "title", "邻里节"));
	assert_int_equal(trio_counts(t->other).received, 0); /* admitted, and it knows */
}

static void assert_refused(const struct trio_link *l, int code)
{
	assert_int_equal(l->rcs[TRIO_UP], 0);
	assert_int_equal(l->rcs[TRIO_DOWN], 0);
	assert_int_equal(l->codes[TRIO_DOWN], code);
	assert_int_equal(l->codes[TRIO_UP], code);
	assert_int_equal(l->last[TRIO_DOWN].refused_code, code);
	assert_int_equal(l->last[TRIO_UP].refused_code, code);
	assert_non_null(strstr(buf_cstr((struct buf *)(uintptr_t)&l->trace), "REFUSE"));
}

/* ---- versions */

static void another_protocol_version_is_refused_by_name(void **state)
{
	struct trio *t = *state;
	struct trio_link *l, *good = innocent(t);

	l = trio_link(t->site); /* a child of a later program */
	l->config[TRIO_UP].protocol_min = l->config[TRIO_UP].protocol_max = PROTOCOL_MAX + 1;
	trio_run(t);
	assert_refused(l, ERR_VERSION);
	assert_string_equal(buf_cstr(&l->trace), "up HELLO\ndown REFUSE\n");
	l = trio_link(t->site); /* a hub of one */
	l->config[TRIO_DOWN].protocol_min = PROTOCOL_MAX + 1;
	l->config[TRIO_DOWN].protocol_max = PROTOCOL_MAX + 2;
	trio_run(t);
	assert_refused(l, ERR_VERSION);
	l = trio_link(t->site); /* what both know is used */
	l->config[TRIO_UP].protocol_min = 1;
	l->config[TRIO_UP].protocol_max = 7;
	trio_run(t);
	assert_int_equal(l->codes[TRIO_UP], 0);
	assert_int_equal(l->codes[TRIO_DOWN], 0);
	assert_goes_on(good);
}

static enum trio_fate version_nine(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	(void)l;
	if (way == TRIO_DOWN && trio_frame_type(buf_span(frame)) == MSG_WELCOME) frame->p[2] = 9;
	return TRIO_PASS;
}

static void a_welcome_of_another_version_is_refused(void **state)
{
	struct trio *t = *state;
	struct trio_link *l = trio_link(t->site);

	l->look = version_nine;
	trio_run(t);
	assert_refused(l, ERR_VERSION);
	assert_string_equal(buf_cstr(&l->trace), "up HELLO\ndown WELCOME\nup REFUSE\n");
}

/* ---- bytes */

struct keep {
	struct buf frames[64];
	size_t count;
};

static enum trio_fate keeping(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	struct keep *k = l->ctx;

	if (way == TRIO_UP && k->count < ARRAY_COUNT(k->frames)) {
		struct buf *b = &k->frames[k->count++];
		buf_init(b, frame->len);
		buf_add(b, frame->p, frame->len);
	}
	return TRIO_PASS;
}

static uint64_t session_of(struct span frame)
{
	struct reader r;
	uint64_t session;

	reader_init(&r, frame);
	reader_array(&r);
	(void)reader_uint(&r, 255);
	session = reader_uint(&r, UINT64_MAX);
	assert_false(r.bad);
	return session;
}

/* An open session of the site that has sent something; *ret_session: its number. */
static struct trio_link *opened(struct trio *t, struct keep *k, uint64_t *ret_session)
{
	struct trio_link *l = trio_link(t->site);
	uint8_t row[16];

	trio_activity(t->site, "清洁家园", row);
	l->config[TRIO_UP].stay = true;
	l->look = keeping;
	l->ctx = k;
	trio_run(t);
	assert_non_null(l->sessions[TRIO_DOWN]);
	for (size_t i = 0; i < k->count; i++)
		if (trio_frame_type(buf_span(&k->frames[i])) == MSG_DATA)
			*ret_session = session_of(buf_span(&k->frames[i]));
	return l;
}

static void keep_done(struct keep *k)
{
	for (size_t i = 0; i < k->count; i++) buf_done(&k->frames[i]);
	k->count = 0;
}

/* Into an open session: it ends with PROTOCOL, nothing was entered. */
static void assert_ends(struct trio *t, struct span (*make)(uint64_t session, struct buf *b))
{
	struct keep k = {0};
	struct trio_link *l;
	struct buf b;
	uint64_t session = 0;
	int64_t journal;

	l = opened(t, &k, &session);
	journal = trio_counts(t->county).journal;
	buf_init(&b, 1 << 20);
	trio_inject(l, TRIO_UP, make(session, &b));
	trio_run(t);
	assert_refused(l, ERR_PROTOCOL);
	assert_int_equal(trio_counts(t->county).journal, journal);
	buf_done(&b);
	keep_done(&k);
}

static struct span four_gib_head(uint64_t session, struct buf *b)
{
	pack_array(b, 8);
	pack_uint(b, MSG_DATA);
	pack_uint(b, session);
	pack_uint(b, 99);
	pack_int(b, 99);
	pack_bytes(b, (const uint8_t[16]){0}, 16);
	pack_uint(b, ENTRY_SEGMENT);
	buf_add(b,
	        "\xc6\xff\xff\xff\xff"
	        "abc",
	        8);
	return buf_span(b);
}

static struct span four_gib_array(uint64_t session, struct buf *b)
{
	pack_array(b, 3);
	pack_uint(b, MSG_MARKS);
	pack_uint(b, session);
	buf_add(b, "\xdd\xff\xff\xff\xff", 5);
	return buf_span(b);
}

static struct span four_gib_message(uint64_t session, struct buf *b)
{
	(void)session;
	buf_add(b, "\xdd\xff\xff\xff\xff\x04", 6);
	return buf_span(b);
}

static struct span ten_thousand_arrays(uint64_t session, struct buf *b)
{
	pack_array(b, 3);
	pack_uint(b, MSG_MARKS);
	pack_uint(b, session);
	for (int i = 0; i < 10000; i++) buf_u8(b, 0x91);
	return buf_span(b);
}

static struct span arrays_alone(uint64_t session, struct buf *b)
{
	(void)session;
	for (int i = 0; i < 10000; i++) buf_u8(b, 0x91);
	return buf_span(b);
}

static struct span unknown_type(uint64_t session, struct buf *b)
{
	pack_array(b, 2);
	pack_uint(b, 42);
	pack_uint(b, session);
	return buf_span(b);
}

static struct span hello_twice(uint64_t session, struct buf *b)
{
	struct message m = {.type = MSG_HELLO};

	m.hello = (struct msg_hello){
	        .protocol_min = 1, .protocol_max = 1, .run = 5, .nonce = session};
	message_pack(&m, NULL, b);
	return buf_span(b);
}

static struct span oversize(uint64_t session, struct buf *b)
{
	pack_array(b, 3);
	pack_uint(b, MSG_CERT);
	pack_uint(b, session);
	buf_u8(b, 0xc6);
	for (int i = 24; i >= 0; i -= 8) buf_u8(b, (uint8_t)(MESSAGE_BYTES_MAX >> i));
	memset(buf_take(b, MESSAGE_BYTES_MAX), 7, MESSAGE_BYTES_MAX);
	return buf_span(b);
}

static struct span nothing(uint64_t session, struct buf *b)
{
	(void)session;
	return buf_span(b);
}

static struct span with_more_behind(uint64_t session, struct buf *b)
{
	struct message m = {.type = MSG_ASK};

	m.ask = (struct msg_ask){.session = session, .what = ASK_MARKS};
	message_pack(&m, NULL, b);
	buf_u8(b, 0xc0);
	return buf_span(b);
}

static void malformed_frames_end_the_session_alone(void **state)
{
	static struct span (*const makes[])(uint64_t, struct buf *) = {
	        four_gib_head, four_gib_array,   four_gib_message, ten_thousand_arrays,
	        arrays_alone,  unknown_type,     hello_twice,      oversize,
	        nothing,       with_more_behind,
	};
	struct trio *t = *state;
	struct trio_link *good = innocent(t);
	long before;

	assert_goes_on(good);
	before = memory_kib();
	for (size_t i = 0; i < ARRAY_COUNT(makes); i++) assert_ends(t, makes[i]);
	assert_true(memory_kib() - before < MEMORY_KIB_MAX);
	assert_goes_on(good);
	assert_true(trio_settle(t));
}

static enum trio_fate cut_short(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	size_t *where = l->ctx; /* type, and how much is left of it, in eighths */

	if (way == TRIO_UP && trio_frame_type(buf_span(frame)) == where[0])
		frame->len = frame->len * where[1] / 8;
	return TRIO_PASS;
}

static void truncated_frames_end_the_session_alone(void **state)
{
	static const unsigned types[] = {MSG_HELLO, MSG_DATA, MSG_ACK, MSG_STATE};
	struct trio *t = *state;
	struct trio_link *good = innocent(t);
	uint8_t row[16];

	for (size_t i = 0; i < ARRAY_COUNT(types); i++)
		for (size_t eighths = 1; eighths < 8; eighths++) {
			size_t where[2] = {types[i], eighths};
			struct trio_link *l;
			trio_activity(t->site, "清洁家园", row);
			trio_activity(t->county, "表彰大会", row);
			trio_seal(t->county);
			l = trio_link(t->site);
			l->look = cut_short;
			l->ctx = where;
			trio_run(t);
			assert_int_equal(l->rcs[TRIO_DOWN], 0);
			/* the first two bytes may still name another type and session: then it was dropped */
			if (l->codes[TRIO_DOWN] != ERR_UNREACHABLE)
				assert_int_equal(l->codes[TRIO_DOWN], ERR_PROTOCOL);
			trio_end(
			        good); /* keeps the table of links short; its clock has jumped as well */
			trio_run(t);
			good = innocent(t);
		}
	assert_goes_on(good);
	trio_end(good);
	trio_run(t);
	assert_true(trio_settle(t));
	assert_int_equal(trio_counts(t->county).gaps, 0);
}

static enum trio_fate garbled(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	struct dice *d = l->ctx;
	uint8_t *p;

	if (way == TRIO_UP && dice_below(d, 3) == 0) {
		frame->len = dice_below(d, frame->len + 1);
		dice_fill(d, frame->p, frame->len);
	} else if (way == TRIO_UP) {
		p = frame->p + dice_below(d, frame->len);
		*p ^= (uint8_t)(1 + dice_below(d, 255));
	}
	return TRIO_PASS;
}

static void random_bytes_harm_nobody_else(void **state)
{
	struct trio *t = *state;
	struct dice d = {.state = 7};
	struct trio_link *good = innocent(t);
	long before;
	size_t ended = 0;
	uint8_t row[16];

	assert_goes_on(good);
	before = memory_kib();
	for (int i = 0; i < 50; i++) {
		struct trio_link *l;
		trio_activity(t->site, "清洁家园", row);
		l = trio_link(t->site);
		l->look = garbled;
		l->ctx = &d;
		trio_run(t);
		assert_int_equal(l->rcs[TRIO_UP], 0);
		assert_int_equal(l->rcs[TRIO_DOWN], 0);
		assert_true(l->closed[TRIO_DOWN]);
		ended += l->codes[TRIO_DOWN] != 0;
		assert_non_null(good->sessions[TRIO_DOWN]);
	}
	assert_true(ended > 20);
	assert_true(memory_kib() - before < MEMORY_KIB_MAX);
	assert_goes_on(good);
	trio_end(good);
	trio_run(t);
	/* what was harmed on the way is sent again, whole */
	assert_true(trio_settle(t));
	assert_int_equal(trio_counts(t->county).gaps, 0);
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "activities"), 50);
}

/* ---- altered entries */

enum alteration { ALTER_BODY, ALTER_HEAD, ALTER_SIGN };
struct alter {
	int what; /* enum alteration */
	size_t done;
};

static enum trio_fate altering(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	struct alter *x = l->ctx;
	struct span head, body;
	struct reader r;
	uint8_t rolling[16];

	if (way != TRIO_UP || trio_frame_type(buf_span(frame)) != MSG_DATA || x->done++)
		return TRIO_PASS;
	reader_init(&r, buf_span(frame));
	reader_array(&r);
	for (int i = 0; i < 4; i++) (void)reader_uint(&r, UINT64_MAX);
	reader_fixed(&r, rolling, 16);
	assert_int_equal(reader_uint(&r, 255), ENTRY_SEGMENT);
	head = reader_bytes(&r, MESSAGE_BYTES_MAX);
	body = reader_bytes(&r, MESSAGE_BYTES_MAX);
	assert_true(reader_done(&r));
	if (x->what == ALTER_BODY) frame->p[body.p + body.len / 2 - frame->p] ^= 1;
	if (x->what == ALTER_HEAD) frame->p[head.p + 1 - frame->p] ^= SEGMENT_SHARED;
	if (x->what == ALTER_SIGN) frame->p[head.p + head.len - 1 - frame->p] ^= 1;
	return TRIO_PASS;
}

static void altered_segments_are_not_journaled_and_end_the_link(void **state)
{
	struct trio *t = *state;
	struct trio_link *good = innocent(t);
	uint8_t row[16];

	for (int what = ALTER_BODY; what <= ALTER_SIGN; what++) {
		struct alter x = {.what = what};
		struct trio_link *l;
		int64_t journal = trio_counts(t->county).journal;

		trio_activity(t->site, "清洁家园", row);
		l = trio_link(t->site);
		l->look = altering;
		l->ctx = &x;
		trio_run(t);
		assert_refused(l, ERR_SIGNATURE);
		assert_int_equal(trio_counts(t->county).journal, journal);
		assert_false(trio_has(t->county, "activity", row));
		assert_true(trio_sync(t->site)); /* as it was signed, it is taken */
		assert_true(trio_shows(t->county, "activity", row, "title", "清洁家园"));
	}
	assert_goes_on(good);
}

/* ---- segments made by hand */

struct piece {
	struct buf head, body;
	uint8_t hash[32];
	uint64_t run;
	uint8_t nonce[8];
};

static void piece_done(struct piece *p)
{
	buf_done(&p->head);
	buf_done(&p->body);
}

static uint64_t piece_run(struct trio_device *d, struct piece *p)
{
	dice_fill(&d->dice, p->nonce, 8);
	p->run = run_of(d->identity.origin, p->nonce);
	return p->run;
}

/* The next of the device's stream in (scope, lane), with these changesets; run: that of piece_run. */
static void piece_make(struct trio_device *d, struct piece *p, const uint8_t scope[16],
                       unsigned lane, struct changeset *cs, size_t count)
{
	struct segment_head h = {.format = FORMAT_1,
	                         .suite = SUITE_1,
	                         .lane = (uint8_t)lane,
	                         .seal = 1000,
	                         .k = 1,
	                         .n = 1,
	                         .nonces_count = 1,
	                         .count = (uint32_t)count};
	struct error err = {0};
	uint64_t seq = 1;
	uint32_t ord;

	assert_int_equal(replica_begin(d->r), 0);
	assert_int_equal(store_scope_ord(d->store, scope, true, &ord), 0);
	assert_int_equal(store_stream_get(d->store, ord, lane, &seq, h.prev), 0);
	memcpy(h.origin, d->identity.origin, 16);
	memcpy(h.scope, scope, 16);
	memcpy(h.nonces[0], p->nonce, 8);
	for (size_t i = 0; i < count; i++) {
		cs[i].seq = seq + i;
		cs[i].run = p->run;
		cs[i].part = cs[i].parts = 1;
		cs[i].schema_version = SCHEMA_VERSION;
		cs[i].codes_version = CODES_VERSION;
	}
	buf_init(&p->head, HEAD_BYTES_MAX + SIGN_BYTES);
	buf_init(&p->body, BODY_SQUEEZED_MAX);
	assert_int_equal(segment_make(&h, cs, &p->run, d->identity.sign_secret, &p->head, &p->body,
	                              p->hash, &err),
	                 0);
	assert_int_equal(store_stream_put(d->store, ord, lane, seq + count, p->hash), 0);
	assert_int_equal(replica_commit(d->r), 0);
}

/* Its header says something else, signed all the same. */
static void piece_again(struct trio_device *d, struct piece *p, uint32_t plain_bytes,
                        struct span body)
{
	struct segment_head h;
	uint8_t sign[64];

	assert_int_equal(segment_head_read(span_of(p->head.p, p->head.len - 64), &h, NULL), 0);
	h.plain_bytes = plain_bytes;
	buf_reset(&p->body);
	buf_add(&p->body, body.p, body.len);
	hash_of(body, h.body_hash, 32);
	buf_reset(&p->head);
	segment_head_pack(&h, &p->head);
	segment_hash(buf_span(&p->head), p->hash);
	sign_make(span_of(p->hash, 32), d->identity.sign_secret, sign);
	buf_add(&p->head, sign, 64);
}

/* An activity's creation in the open lane, under a run. */
struct creation {
	struct op op;
	struct field_value values[4];
	struct changeset cs;
};

static void creation(struct trio *t, struct creation *c, uint64_t run)
{
	static const char *const names[] = {"title", "act", "start", "astat"};
	struct value v[] = {value_text("手工"), value_text("D1"), value_int(t->now_ms - 3600000),
	                    value_text("finished")};

	*c = (struct creation){.op = {.kind = OP_INSERT, .table = TABLE_ACTIVITY}};
	t->now_ms++;
	c->op.stamp = stamp_of_ms(t->now_ms);
	id_make(c->op.stamp, run, c->op.row);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		const struct field *f = trio_said("activity", names[i], value_null()).field;
		c->values[i] = (struct field_value){(uint8_t)field_slot(f), v[i]};
		c->op.slots |= UINT64_C(1) << field_slot(f);
	}
	c->op.values = c->values;
	c->op.values_count = ARRAY_COUNT(names);
	c->cs = (struct changeset){.ops = &c->op, .ops_count = 1};
}

static size_t journal_kinds(struct trio_device *d, unsigned kind, unsigned lanes,
                            struct entry **ret)
{
	struct feed_filter all = {.all = true, .lane_mask = (uint8_t)lanes};
	struct entry *e;
	size_t n, found = 0;

	assert_int_equal(store_journal_scan(d->store, &all, 0, 10000, 1 << 26, &d->t->a, &e, &n),
	                 0);
	for (size_t i = 0; i < n; i++)
		if (!kind || e[i].kind == kind) {
			found++;
			if (ret) *ret = &e[i];
		}
	return found;
}

static void an_id_of_another_run_leaves_a_hole_and_the_chain_goes_on(void **state)
{
	struct trio *t = *state;
	struct trio_link *l, *good = innocent(t);
	struct piece p = {0}, q = {0};
	struct creation c;
	struct entry *e = NULL;
	struct hole h;
	struct error err = {0};
	uint8_t row[16], hash[32], sign[64];

	trio_seal(t->site);
	piece_run(t->site, &p);
	creation(t, &c,
	         run_of(t->other->identity.origin,
	                p.nonce)); /* an id that only the other device may mint */
	piece_make(t->site, &p, t->units[UNIT_SITE], LANE_OPEN, &c.cs, 1);
	trio_plant(t->site, ENTRY_SEGMENT, LANE_OPEN, t->units[UNIT_SITE], buf_span(&p.head),
	           buf_span(&p.body));
	trio_activity(t->site, "清洁家园", row); /* the next in the chain */
	l = trio_link(t->site);
	trio_run(t);
	assert_int_equal(l->codes[TRIO_UP], 0);
	assert_int_equal(l->codes[TRIO_DOWN], 0);
	assert_false(trio_has(t->county, "activity", c.op.row));
	assert_true(trio_shows(t->county, "activity", row, "title", "清洁家园"));
	assert_int_equal(journal_kinds(t->county, ENTRY_HOLE, 1, &e), 1);
	assert_int_equal(hole_open(e->head, &h, hash, sign, &err), 0);
	assert_int_equal(h.cause, ERR_PROTOCOL);
	assert_memory_equal(h.segment_hash, p.hash, 32);
	assert_memory_equal(h.remover, t->county->identity.origin, 16);
	assert_int_equal(trio_counts(t->county).gaps, 0); /* the hole is a link of the chain */
	/* above, too, and where it comes once more */
	assert_true(trio_sync(t->county));
	assert_int_equal(trio_counts(t->province).gaps, 0);
	assert_int_equal(journal_kinds(t->province, ENTRY_HOLE, 1, NULL), 1);
	assert_true(trio_shows(t->province, "activity", row, "title", "清洁家园"));
	assert_int_equal(replica_begin(t->county->r), 0);
	assert_int_equal(store_cursor_put(t->county->store, t->site->identity.origin,
	                                  replica_run(t->site->r), NULL, 0),
	                 0);
	assert_int_equal(replica_commit(t->county->r), 0);
	assert_true(trio_sync(t->site));
	assert_int_equal(journal_kinds(t->county, ENTRY_HOLE, 1, NULL), 1);
	assert_goes_on(good);
	trio_end(good);
	trio_run(t);
	assert_true(trio_settle(t));
	assert_int_equal(trio_counts(t->site).unsent, 0);
	piece_done(&p);
	piece_done(&q);
}

/* A body that says less than it unpacks to, and one that is not what it says. */
static void bodies_that_lie_about_their_size_become_holes(void **state)
{
	struct trio *t = *state;
	struct trio_link *l, *good = innocent(t);
	struct piece p = {0}, q = {0};
	struct creation c;
	struct buf bomb;
	uint8_t *zeros = mem_alloc(16 << 20), row[16];
	long before;

	trio_seal(t->site);
	buf_init(&bomb, BODY_SQUEEZED_MAX);
	assert_int_equal(squeeze(span_of(zeros, 16 << 20), 0, &bomb), 0);
	free(zeros);
	piece_run(t->site, &p);
	creation(t, &c, p.run);
	piece_make(t->site, &p, t->units[UNIT_SITE], LANE_OPEN, &c.cs, 1);
	piece_again(t->site, &p, BODY_BYTES_MAX,
	            buf_span(&bomb)); /* 16 MiB in a few hundred bytes */
	trio_plant(t->site, ENTRY_SEGMENT, LANE_OPEN, t->units[UNIT_SITE], buf_span(&p.head),
	           buf_span(&p.body));
	piece_run(t->site, &q);
	creation(t, &c, q.run);
	piece_make(t->site, &q, t->units[UNIT_SITE], LANE_OPEN, &c.cs, 1);
	trio_plant(t->site, ENTRY_SEGMENT, LANE_OPEN, t->units[UNIT_SITE], buf_span(&q.head),
	           buf_span(&q.body));
	trio_activity(t->site, "清洁家园", row);
	before = memory_kib();
	l = trio_link(t->site);
	trio_run(t);
	assert_int_equal(l->codes[TRIO_UP], 0);
	assert_int_equal(l->codes[TRIO_DOWN], 0);
	assert_true(memory_kib() - before < MEMORY_KIB_MAX);
	assert_int_equal(journal_kinds(t->county, ENTRY_HOLE, 1, NULL), 1);
	assert_true(trio_shows(t->county, "activity", c.op.row, "title", "手工"));
	assert_true(trio_shows(t->county, "activity", row, "title", "清洁家园"));
	assert_goes_on(good);
	buf_done(&bomb);
	piece_done(&p);
	piece_done(&q);
}

/* ---- who may say it */

static void write_for_the_other_site(struct trio *t, uint8_t ret[16])
{
	struct field_write f[] = {
	        trio_said("activity", "title", value_text("越界")),
	        trio_said("activity", "act", value_text("D1")),
	        trio_said("activity", "start", value_int(t->now_ms - 3600000)),
	        trio_said("activity", "astat", value_text("finished")),
	};
	struct write w = {.kind = WRITE_INSERT,
	                  .table = trio_table("activity"),
	                  .fields = f,
	                  .fields_count = ARRAY_COUNT(f)};

	memcpy(w.scope, t->units[UNIT_OTHER], 16); /* signed by the site, for the other site */
	assert_int_equal(trio_write(t->site, &w, 1, false), 0);
	memcpy(ret, w.row, 16);
}

static void rows_of_another_site_are_refused_one_by_one(void **state)
{
	struct trio *t = *state;
	struct held *h;
	uint8_t mine[16], theirs[16], row[16];
	size_t n;

	trio_activity(t->other, "邻里节", theirs);
	assert_true(trio_settle(t));
	write_for_the_other_site(t, row);
	trio_activity(t->site, "清洁家园", mine);
	assert_true(trio_shows(t->site, "activity", row, "title", "越界"));
	assert_true(trio_sync(t->site));
	assert_true(trio_sync(t->county));
	assert_true(trio_sync(t->site));
	assert_true(trio_shows(t->county, "activity", mine, "title", "清洁家园"));
	assert_true(trio_shows(t->province, "activity", mine, "title", "清洁家园"));
	assert_false(trio_has(t->site, "activity", row));
	assert_false(trio_has(t->county, "activity", row));
	assert_false(trio_has(t->province, "activity", row));
	n = trio_refused(t->site, &h);
	assert_true(n >= 1);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(h[i].cause, ERR_NOT_YOURS);
		assert_true(h[i].mine);
	}
	assert_int_equal(trio_refused(t->county, &h), n);
	/* its own statement for that site counts nothing there */
	assert_int_equal(trio_figure(t->county, UNIT_OTHER, "activities"), 1);
	assert_int_equal(trio_figure(t->province, UNIT_OTHER, "activities"), 1);
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "activities"), 1);
}

/* The segments that a device signed for another site go down to that site, which has never heard of the device. */
static void rows_for_another_site_do_not_cut_that_site_off(void **state)
{
	struct trio *t = *state;
	uint8_t row[16], mine[16];

	write_for_the_other_site(t, row);
	assert_true(trio_sync(t->site));
	trio_activity(t->other, "邻里节", mine);
	assert_true(trio_sync(t->other));
	assert_true(trio_shows(t->county, "activity", mine, "title", "邻里节"));
	assert_int_equal(trio_counts(t->other).received, 0);
	assert_false(trio_has(t->other, "activity", row));
	assert_true(trio_agrees(t->other));
	assert_true(trio_settle(t));
}

/* An edit of the other site's row in the name of the own scope. */
static void a_row_of_another_site_is_not_reached_through_the_own_scope(void **state)
{
	struct trio *t = *state;
	struct piece p = {0};
	struct field_value v = {
	        (uint8_t)field_slot(trio_said("activity", "title", value_null()).field),
	        value_text("篡改")};
	struct op op = {.kind = OP_UPDATE,
	                .table = TABLE_ACTIVITY,
	                .values = &v,
	                .values_count = 1,
	                .slots = UINT64_C(1) << v.slot};
	struct changeset cs = {.ops = &op, .ops_count = 1};
	struct held *h;
	uint8_t row[16];

	trio_activity(t->other, "邻里节", row);
	assert_true(trio_settle(t));
	memcpy(op.row, row, 16);
	op.stamp = stamp_of_ms(t->now_ms + 10);
	piece_run(t->site, &p);
	piece_make(t->site, &p, t->units[UNIT_SITE], LANE_OPEN, &cs, 1);
	trio_plant(t->site, ENTRY_SEGMENT, LANE_OPEN, t->units[UNIT_SITE], buf_span(&p.head),
	           buf_span(&p.body));
	assert_true(trio_sync(t->site));
	assert_true(trio_shows(t->county, "activity", row, "title", "邻里节"));
	assert_int_equal(trio_refused(t->county, &h), 1);
	assert_int_equal(h[0].cause, ERR_NOT_YOURS);
	assert_true(trio_settle(t));
	assert_true(trio_shows(t->other, "activity", row, "title", "邻里节"));
	assert_true(trio_shows(t->province, "activity", row, "title", "邻里节"));
	piece_done(&p);
}

static void what_is_above_the_ceiling_is_kept_nowhere(void **state)
{
	struct trio *t = *state;
	struct trio_link *l;
	uint8_t person[16], row[16];
	int64_t alarms = trio_counts(t->province).alarms;

	trio_volunteer(t->site, "林秀英", person);
	trio_activity(t->site, "清洁家园", row);
	assert_true(trio_sync(t->site));
	assert_int_equal(journal_kinds(t->province, 0, 0xe, NULL), 0);
	l = trio_link(t->county);
	l->config[TRIO_UP].peer.lanes =
	        7; /* a county that has lost its sense of where things may go */
	trio_run(t);
	assert_int_equal(l->codes[TRIO_UP], 0);
	assert_int_equal(l->codes[TRIO_DOWN], 0);
	assert_int_equal(journal_kinds(t->province, 0, 0xe, NULL), 0);
	assert_true(trio_counts(t->province).alarms > alarms);
	assert_int_equal(trio_value(t->province, "volunteer", person, "name").type, VALUE_NULL);
	assert_true(trio_shows(t->province, "activity", row, "title", "清洁家园"));
	/* the cursor moved over it: the next session is quiet */
	l = trio_link(t->county);
	trio_run(t);
	assert_int_equal(l->data[TRIO_UP], 0);
	assert_int_equal(l->codes[TRIO_UP], 0);
}

/* A device's certificate has no county lane, but it signs in it: a hole, for the fault is the same everywhere. */
static void a_lane_above_the_authors_own_ceiling_becomes_a_hole(void **state)
{
	struct trio *t = *state;
	struct trio_device *open = trio_device_new(t, "open", t->county, UNIT_SITE);
	struct piece p = {0};
	struct op op = {.kind = OP_INSERT, .table = TABLE_VOLUNTEER};
	struct changeset cs = {.ops = &op, .ops_count = 1};
	struct entry *e = NULL;
	struct hole h;
	uint8_t hash[32], sign[64];

	trio_certify(open, CERT_NODE, LEVEL_COMMUNITY, 1);
	assert_int_equal(trio_enrol(open), 0);
	assert_int_equal(trio_join(open), 0);
	assert_true(trio_sync(open));
	op.stamp = stamp_of_ms(t->now_ms);
	id_make(op.stamp, piece_run(open, &p), op.row);
	piece_make(open, &p, t->units[UNIT_SITE], LANE_COUNTY, &cs, 1);
	/* its own program would not even offer it: a neighbour carries it */
	trio_plant(t->site, ENTRY_SEGMENT, LANE_COUNTY, t->units[UNIT_SITE], buf_span(&p.head),
	           buf_span(&p.body));
	assert_true(trio_sync(t->site));
	assert_false(trio_has(t->county, "volunteer", op.row));
	assert_int_equal(journal_kinds(t->county, ENTRY_HOLE, 2, &e), 1);
	assert_int_equal(hole_open(e->head, &h, hash, sign, NULL), 0);
	assert_int_equal(h.cause, ERR_CEILING);
	piece_done(&p);
}

static void a_segment_of_an_unknown_origin_ends_the_link(void **state)
{
	struct trio *t = *state;
	struct trio_device *stranger = trio_device_new(t, "stranger", t->county, UNIT_SITE);
	struct trio_link *l, *good = innocent(t);
	struct piece p = {0};
	struct creation c;
	int64_t journal;

	trio_certify(stranger, CERT_NODE, LEVEL_COMMUNITY,
	             7); /* never enrolled: the county has not seen it */
	piece_run(stranger, &p);
	creation(t, &c, p.run);
	piece_make(stranger, &p, t->units[UNIT_SITE], LANE_OPEN, &c.cs, 1);
	trio_plant(t->site, ENTRY_SEGMENT, LANE_OPEN, t->units[UNIT_SITE], buf_span(&p.head),
	           buf_span(&p.body));
	journal = trio_counts(t->county).journal;
	l = trio_link(t->site);
	trio_run(t);
	assert_refused(l, ERR_UNKNOWN_ORIGIN);
	assert_int_equal(trio_counts(t->county).journal, journal);
	assert_false(trio_has(t->county, "activity", c.op.row));
	assert_goes_on(good);
	piece_done(&p);
}

/* A certificate (and work under it) that another hub issued, whom nobody here has heard of. */
static void a_certificate_of_another_hub_ends_the_link(void **state)
{
	struct trio *t = *state;
	struct trio_device *hub = trio_device_new(t, "elsewhere", NULL, UNIT_AWAY);
	struct trio_device *theirs = trio_device_new(t, "theirs", hub, UNIT_SITE);
	struct trio_link *l, *good = innocent(t);
	struct piece p = {0};
	struct creation c;
	struct cert_row *row = NULL;
	int64_t journal;

	sign_keypair((const uint8_t[32]){9}, t->root_public,
	             t->root_secret); /* below a root of its own */
	trio_certify(hub, CERT_HUB, LEVEL_COUNTY, 7);
	trio_certify(theirs, CERT_NODE, LEVEL_COMMUNITY, 7);
	piece_run(theirs, &p);
	creation(t, &c, p.run);
	piece_make(theirs, &p, t->units[UNIT_SITE], LANE_OPEN, &c.cs, 1);
	trio_plant(t->site, ENTRY_CERT, LANE_OPEN, t->units[UNIT_SITE],
	           buf_span(&theirs->cert_bytes), span_of(NULL, 0));
	trio_plant(t->site, ENTRY_SEGMENT, LANE_OPEN, t->units[UNIT_SITE], buf_span(&p.head),
	           buf_span(&p.body));
	journal = trio_counts(t->county).journal;
	l = trio_link(t->site);
	trio_run(t);
	assert_refused(l, ERR_UNKNOWN_ORIGIN);
	assert_int_equal(trio_counts(t->county).journal, journal);
	assert_int_equal(
	        store_cert_by_origin(t->county->store, theirs->identity.origin, &t->a, &row), 0);
	assert_null(row);
	assert_false(trio_has(t->county, "activity", c.op.row));
	assert_goes_on(good);
	piece_done(&p);
}

/* The hub is known (the province enrolled it), but it is not ours to judge for: the segment waits for that hub's word. */
static void work_of_a_known_hubs_device_waits_for_that_hub(void **state)
{
	struct trio *t = *state;
	struct trio_device *hub = trio_device_new(t, "elsewhere", t->province, UNIT_AWAY);
	struct trio_device *theirs = trio_device_new(t, "theirs", hub, UNIT_AWAY);
	struct piece p = {0};
	struct creation c;

	trio_certify(hub, CERT_HUB, LEVEL_COUNTY, 7);
	assert_int_equal(trio_enrol(hub), 0);
	trio_certify(theirs, CERT_NODE, LEVEL_COMMUNITY, 7);
	piece_run(theirs, &p);
	creation(t, &c, p.run);
	piece_make(theirs, &p, t->units[UNIT_SITE], LANE_OPEN, &c.cs, 1);
	trio_plant(t->county, ENTRY_CERT, LANE_OPEN, t->units[UNIT_AWAY],
	           buf_span(&theirs->cert_bytes), span_of(NULL, 0));
	trio_plant(t->county, ENTRY_SEGMENT, LANE_OPEN, t->units[UNIT_SITE], buf_span(&p.head),
	           buf_span(&p.body));
	assert_true(trio_sync(t->county));
	assert_false(trio_has(t->province, "activity", c.op.row));
	assert_int_equal(trio_counts(t->province).waiting, 1);
	piece_done(&p);
}

static void admission_of(struct trio_device *by, const uint8_t segment[32], const uint8_t scope[16],
                         struct buf *out)
{
	struct admission_item item = {.mode = ADMIT_ALL_BUT};
	struct admission m = {.lane = LANE_OPEN,
	                      .at_ms = by->t->now_ms,
	                      .number = 777,
	                      .items = &item,
	                      .items_count = 1};
	struct error err = {0};
	uint8_t hash[32];

	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): asserted by the callers */
	memcpy(item.segment, segment, 32);
	memcpy(m.hub, by->identity.origin, 16);
	memcpy(m.scope, scope, 16);
	buf_init(out, ADMISSION_BYTES_MAX);
	assert_int_equal(admission_make(&m, by->identity.sign_secret, out, hash, &err), 0);
}

static void an_admission_by_a_device_that_is_no_hub_ends_the_link(void **state)
{
	struct trio *t = *state;
	struct trio_link *l, *good = innocent(t);
	struct buf word;
	struct held *h;
	struct entry *e = NULL;
	size_t words;
	uint8_t row[16];

	trio_activity(t->site, "清洁家园", row);
	assert_true(trio_sync(t->site));
	trio_lax(t->site);
	assert_int_equal(trio_change(t->site, "activity", row, "hh_served", value_int(2000000)), 0);
	trio_seal(t->site);
	assert_true(journal_kinds(t->site, ENTRY_SEGMENT, 1, &e) > 0);
	assert_true(trio_sync(t->site));
	assert_int_equal(trio_refused(t->county, &h), 1);
	admission_of(t->site, e->hash, t->units[UNIT_SITE], &word); /* "but I accept it" */
	trio_plant(t->site, ENTRY_ADMISSION, LANE_OPEN, t->units[UNIT_SITE], buf_span(&word),
	           span_of(NULL, 0));
	words = journal_kinds(t->county, ENTRY_ADMISSION, 0xf, NULL);
	l = trio_link(t->site);
	trio_run(t);
	assert_refused(l, ERR_SIGNATURE);
	assert_int_equal(journal_kinds(t->county, ENTRY_ADMISSION, 0xf, NULL), words);
	assert_int_equal(trio_value(t->county, "activity", row, "hh_served").i, 3);
	assert_goes_on(good);
	buf_done(&word);
}

/* A hub speaks of the work of a device that it did not issue, and does not stand above. */
static void an_admission_of_anothers_device_changes_nothing(void **state)
{
	struct trio *t = *state;
	struct trio_device *hub = trio_device_new(t, "elsewhere", t->province, UNIT_AWAY);
	struct entry *e = NULL;
	struct buf word;
	struct field_write name = trio_said("team", "name", value_text("红马甲"));
	uint8_t team[16], row[16];

	trio_certify(hub, CERT_HUB, LEVEL_COUNTY, 7);
	assert_int_equal(trio_enrol(hub), 0);
	assert_int_equal(trio_join(hub), 0);
	trio_activity(t->site, "清洁家园", row);
	assert_true(trio_settle(t));
	/* held at the county, since the team has not come: nobody else may let it through */
	assert_int_equal(trio_insert(t->second, "team", &name, 1, team), 0);
	assert_int_equal(trio_change(t->site, "activity", row, "team", value_bytes(team, 16)), 0);
	trio_seal(t->site);
	assert_true(journal_kinds(t->site, ENTRY_SEGMENT, 1, &e) > 0);
	assert_true(trio_sync(t->site));
	assert_true(trio_sync(t->county));
	assert_int_equal(trio_counts(t->county).parked, 1);
	assert_int_equal(trio_value(t->province, "activity", row, "team").type, VALUE_NULL);
	admission_of(hub, e->hash, t->units[UNIT_SITE], &word);
	trio_plant(hub, ENTRY_ADMISSION, LANE_OPEN, t->units[UNIT_SITE], buf_span(&word),
	           span_of(NULL, 0));
	(void)trio_sync(hub);
	assert_int_equal(trio_value(t->province, "activity", row, "team").type, VALUE_NULL);
	/* nor does the word of that hub, which goes down to the county that it speaks of, cut this one off */
	assert_true(trio_sync(t->county));
	assert_int_equal(trio_value(t->county, "activity", row, "team").type, VALUE_NULL);
	assert_true(trio_settle(t));
	assert_memory_equal(trio_value(t->province, "activity", row, "team").s.p, team, 16);
	buf_done(&word);
}

/* ---- certificates */

static void plant_cert(struct trio *t, struct cert *c, const uint8_t secret[64])
{
	struct buf b;
	struct error err = {0};

	buf_init(&b, CERT_BYTES_MAX);
	assert_int_equal(cert_make(c, secret, &b, &err), 0);
	trio_plant(t->site, ENTRY_CERT, LANE_OPEN, t->units[UNIT_SITE], buf_span(&b),
	           span_of(NULL, 0));
	buf_done(&b);
}

static void assert_cert_refused(struct trio *t, struct cert *c, const uint8_t secret[64])
{
	struct trio_link *l;
	int64_t journal = trio_counts(t->county).journal;
	struct cert_row *row = NULL;

	trio_backup(t->site);
	plant_cert(t, c, secret);
	l = trio_link(t->site);
	trio_run(t);
	assert_refused(l, ERR_CERT_BAD);
	assert_int_equal(trio_counts(t->county).journal, journal);
	assert_int_equal(store_cert_by_id(t->county->store, c->id, &t->a, &row), 0);
	assert_null(row);
	trio_restore(t->site); /* takes it out of its journal again */
	assert_true(trio_sync(t->site));
}

static void certificates_issued_wrongly_end_the_link(void **state)
{
	struct trio *t = *state;
	struct trio_link *good = innocent(t);
	struct trio_device *fresh = trio_device_new(t, "fresh", t->county, UNIT_SITE);
	struct cert c;

	trio_certify(fresh, CERT_NODE, LEVEL_COMMUNITY, 7);
	c = fresh->cert; /* by a node, which issues nothing */
	memcpy(c.issuer, t->site->cert.id, 16);
	assert_cert_refused(t, &c, t->site->identity.sign_secret);
	c = fresh->cert; /* in the county's name, with another key */
	assert_cert_refused(t, &c, t->site->identity.sign_secret);
	c = fresh->cert; /* longer than the issuer's own */
	c.not_after_ms = t->county->cert.not_after_ms + 1;
	assert_cert_refused(t, &c, t->county->identity.sign_secret);
	c = fresh->cert; /* before it */
	c.not_before_ms = t->county->cert.not_before_ms - 1;
	assert_cert_refused(t, &c, t->county->identity.sign_secret);
	c = fresh->cert; /* a node of the province that may hold what the province does not */
	memcpy(c.issuer, t->province->cert.id, 16);
	assert_cert_refused(t, &c, t->province->identity.sign_secret);
	assert_goes_on(good);
}

/* "The certificate has expired; recording and sending still work." */
static void with_an_expired_certificate_work_goes_on(void **state)
{
	struct trio *t = *state;
	struct trio_device *old = trio_device_new(t, "old", t->county, UNIT_SITE);
	struct error err = {0};
	uint8_t row[16];

	trio_certify(old, CERT_NODE, LEVEL_COMMUNITY, 7);
	old->cert.not_after_ms = t->now_ms + 1000;
	buf_reset(&old->cert_bytes);
	assert_int_equal(
	        cert_make(&old->cert, t->county->identity.sign_secret, &old->cert_bytes, &err), 0);
	assert_int_equal(trio_enrol(old), 0);
	assert_int_equal(trio_join(old), 0);
	assert_true(trio_sync(old));
	t->now_ms += INT64_C(90) * 86400 * 1000;
	trio_activity(old, "清洁家园", row);
	assert_true(trio_sync(old));
	assert_true(trio_shows(t->county, "activity", row, "title", "清洁家园"));
	assert_true(trio_agrees(old));
}

/* Another device's certificate in HELLO than that of the link's key. */
static void a_hello_with_anothers_certificate_is_refused(void **state)
{
	struct trio *t = *state;
	struct trio_link *l = trio_link(t->site), *good;

	l->config[TRIO_DOWN].peer = t->other->cert;
	trio_run(t);
	assert_refused(l, ERR_CERT_BAD);
	good = innocent(t);
	assert_goes_on(good);
}

/* ---- clocks */

static void a_wrong_clock_spreads_nowhere(void **state)
{
	static const int64_t clocks[] = {5000 /* 1970 */, INT64_C(4070908800000) /* 2099 */};
	struct trio *t = *state;
	struct trio_device *all[] = {t->site, t->second, t->county, t->province};

	for (size_t i = 0; i < ARRAY_COUNT(clocks); i++) {
		const char *shown = clocks[i] < t->now_ms ? "准" : "歪"; /* the later stamp */
		struct peer p;
		uint8_t row[16];
		bool known;

		t->site->skew_ms = clocks[i] - t->now_ms;
		trio_activity(t->site, "清洁家园", row);
		assert_true(trio_settle(t));
		assert_true(trio_shows(t->province, "activity", row, "title", "清洁家园"));
		/* the hub knows by how much, and shows it to people */
		assert_int_equal(
		        store_peer_get(t->county->store, t->site->identity.origin, &p, &known), 0);
		assert_true(known);
		assert_in_range(p.clock_offset_ms - t->site->skew_ms + 1000, 0, 2000);
		/* at once: both stand, the later stamp shows */
		assert_int_equal(trio_change(t->site, "activity", row, "title", value_text("歪")),
		                 0);
		assert_int_equal(trio_change(t->second, "activity", row, "title", value_text("准")),
		                 0);
		assert_true(trio_settle(t));
		for (size_t k = 0; k < ARRAY_COUNT(all); k++) {
			assert_int_equal(trio_counts(all[k]).conflicts, 1);
			assert_true(trio_shows(all[k], "activity", row, "title", shown));
		}
		/* who saw both replaces both, whatever the clocks say */
		assert_int_equal(trio_change(t->second, "activity", row, "title", value_text("定")),
		                 0);
		assert_true(trio_settle(t));
		for (size_t k = 0; k < ARRAY_COUNT(all); k++) {
			assert_int_equal(trio_counts(all[k]).conflicts, 0);
			assert_true(trio_shows(all[k], "activity", row, "title", "定"));
		}
		assert_int_equal(trio_change(t->site, "activity", row, "title", value_text("再定")),
		                 0);
		assert_true(trio_settle(t));
		for (size_t k = 0; k < ARRAY_COUNT(all); k++)
			assert_true(trio_shows(all[k], "activity", row, "title", "再定"));
		/* no one's stamps follow it */
		trio_activity(t->second, "邻里节", row);
		assert_in_range(stamp_ms(id_stamp(row)) - t->now_ms + 1000, 0, 2000);
	}
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(another_protocol_version_is_refused_by_name),
	        TEST(a_welcome_of_another_version_is_refused),
	        TEST(malformed_frames_end_the_session_alone),
	        TEST(truncated_frames_end_the_session_alone),
	        TEST(random_bytes_harm_nobody_else),
	        TEST(altered_segments_are_not_journaled_and_end_the_link),
	        TEST(an_id_of_another_run_leaves_a_hole_and_the_chain_goes_on),
	        TEST(bodies_that_lie_about_their_size_become_holes),
	        TEST(rows_of_another_site_are_refused_one_by_one),
	        TEST(rows_for_another_site_do_not_cut_that_site_off),
	        TEST(a_row_of_another_site_is_not_reached_through_the_own_scope),
	        TEST(what_is_above_the_ceiling_is_kept_nowhere),
	        TEST(a_lane_above_the_authors_own_ceiling_becomes_a_hole),
	        TEST(a_segment_of_an_unknown_origin_ends_the_link),
	        TEST(a_certificate_of_another_hub_ends_the_link),
	        TEST(work_of_a_known_hubs_device_waits_for_that_hub),
	        TEST(an_admission_by_a_device_that_is_no_hub_ends_the_link),
	        TEST(an_admission_of_anothers_device_changes_nothing),
	        TEST(certificates_issued_wrongly_end_the_link),
	        TEST(with_an_expired_certificate_work_goes_on),
	        TEST(a_hello_with_anothers_certificate_is_refused),
	        TEST(a_wrong_clock_spreads_nowhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
