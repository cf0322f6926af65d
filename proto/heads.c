/*
 * heads.c - what of a device's open lane came here, said back to it (architecture section 6).
 *
 * An acknowledgement says that the parent holds something; whether the parent passed it on, only who should have got
 * it can say.  So a hub that stands above a device's parent counts the segments of the open lane that came of it, and
 * states the number as a row in the scope of the device's unit, signed as all its work is.  The device holds it
 * against its own count: a hub between them can keep the row back, which makes it old, but cannot change it.
 *
 * Counts, not hashes: every segment is numbered by its chain, so one that is withheld in the middle is a gap at the hub,
 * and one withheld at the end is a count that does not grow.
 */
#include "common/base.h"

#include "proto/engine.h"

#include "common/ident.h"

enum { STATE_EVERY_MS = 24 * 60 * 60 * 1000, NOTE_BYTES = 32, PAST_MAX = 16, PAGE = 64 };
enum { PAST_EVERY_MS = 6 * 60 * 60 * 1000, PAGE_BYTES = 4 * 1024 * 1024 };

/* When something is due: clocks say any time, before 1970 too. */
#define NOW   INT64_MIN
#define NEVER INT64_MAX

/* Kept for each device: what came, and what of that was last stated, when. */
struct note {
	uint64_t seal, parts, said_parts;
	int64_t said_ms;
};

static void note_key(const uint8_t origin[16], char ret[64])
{
	char hex[33];
	hex_text(origin, 16, hex);
	snprintf(ret, 64, "came/%s", hex);
}

static int note_get(struct replica *r, const uint8_t origin[16], struct note *ret)
{
	char key[64];
	struct span m;
	memset(ret, 0, sizeof(*ret));
	note_key(origin, key);
	int rc = store_meta_get(r->st, key, &r->scratch, &m);
	if (rc || m.len != NOTE_BYTES) return rc;
	struct cut c = cut_of(m);
	ret->seal = cut_u64(&c);
	ret->parts = cut_u64(&c);
	ret->said_parts = cut_u64(&c);
	ret->said_ms = (int64_t)cut_u64(&c);
	return 0;
}

static int note_put(struct replica *r, const uint8_t origin[16], const struct note *n)
{
	char key[64];
	struct buf b;
	note_key(origin, key);
	buf_init(&b, NOTE_BYTES);
	buf_u64(&b, n->seal);
	buf_u64(&b, n->parts);
	buf_u64(&b, n->said_parts);
	buf_u64(&b, (uint64_t)n->said_ms);
	int rc = store_meta_put(r->st, key, buf_span(&b));
	buf_done(&b);
	return rc;
}

/* ---- at the device: how many parts it had sealed some days ago */

struct past {
	int64_t at_ms[PAST_MAX];
	uint64_t parts[PAST_MAX];
	size_t count;
};

static int past_get(struct replica *r, struct past *ret)
{
	struct span m;
	memset(ret, 0, sizeof(*ret));
	int rc = store_meta_get(r->st, "came_past", &r->scratch, &m);
	struct cut c = cut_of(m);
	while (!rc && cut_left(&c) >= 16 && ret->count < PAST_MAX) {
		ret->at_ms[ret->count] = (int64_t)cut_u64(&c);
		ret->parts[ret->count++] = cut_u64(&c);
	}
	return rc;
}

static int past_add(struct replica *r, uint64_t parts)
{
	struct past p;
	struct buf b;
	int64_t now = r->env->now_ms(r->env->ctx);
	int rc = past_get(r, &p);
	if (rc) return rc;
	/* A clock that went back begins the list anew. */
	if (p.count && p.at_ms[p.count - 1] > now) p.count = 0;
	if (p.count && now - p.at_ms[p.count - 1] < PAST_EVERY_MS) return 0;
	size_t from = p.count == PAST_MAX ? 1 : 0;
	buf_init(&b, sizeof(p));
	for (size_t i = from; i < p.count; i++) {
		buf_u64(&b, (uint64_t)p.at_ms[i]);
		buf_u64(&b, p.parts[i]);
	}
	buf_u64(&b, (uint64_t)now);
	buf_u64(&b, parts);
	rc = store_meta_put(r->st, "came_past", buf_span(&b));
	buf_done(&b);
	return rc;
}

/* ---- noting */

static void due_add(struct replica *r, const uint8_t origin[16], int64_t at_ms)
{
	struct heads_due *d = &r->heads;
	if (d->count == d->room) {
		d->room = d->room * 2 + 16;
		d->list = mem_grow(d->list, d->room * sizeof(*d->list));
	}
	memcpy(d->list[d->count++], origin, 16);
	if (at_ms < d->next_ms) d->next_ms = at_ms;
}

/* Is it ours to tell this device?  We stand above its parent. */
static int mine_to_tell(struct replica *r, const struct cert *author, bool *ret)
{
	*ret = false;
	if (!replica_is_hub(r) || author->role != CERT_NODE || replica_is_parent_of(r, author))
		return 0;
	return engine_stands_above(r, r->id->origin, author, ret);
}

int heads_note(struct replica *r, const uint8_t origin[16], unsigned lane, uint64_t seal)
{
	struct cert author;
	struct note n;
	bool own = !memcmp(origin, r->id->origin, 16), known = false, tell = false;
	if (lane != LANE_OPEN || (!own && !replica_is_hub(r)) || (own && replica_is_hub(r)))
		return 0;
	int rc = own ? 0 : engine_cert_of(r, origin, &author, &known);
	if (!rc && known) rc = mine_to_tell(r, &author, &tell);
	if (rc || (!own && !tell)) return rc;
	rc = note_get(r, origin, &n);
	if (rc) return rc;
	bool listed = n.parts != n.said_parts;
	n.parts++;
	if (seal > n.seal) n.seal = seal;
	rc = note_put(r, origin, &n);
	if (rc) return rc;
	if (own) return past_add(r, n.parts);
	if (!listed) due_add(r, origin, n.said_ms ? n.said_ms + STATE_EVERY_MS : NOW);
	return 0;
}

int heads_count(struct replica *r)
{
	struct feed_filter open = {.all = true, .lane_mask = 1 << LANE_OPEN};
	int64_t after = 0;
	struct arena page;
	int rc = 0;
	arena_init(&page, 0);
	for (size_t n = 1; n && !rc;) {
		struct entry *e;
		rc = store_journal_scan(r->st, &open, after, PAGE, PAGE_BYTES, &page, &e, &n);
		for (size_t i = 0; i < n && !rc; i++) {
			after = e[i].recv;
			if (e[i].kind == ENTRY_SEGMENT || e[i].kind == ENTRY_HOLE)
				rc = heads_note(r, e[i].origin, e[i].lane, e[i].seal);
		}
		arena_reset(&page);
		arena_reset(&r->scratch);
	}
	arena_done(&page);
	return rc;
}

/* ---- stating */

static void head_row_id(const uint8_t hub[16], const uint8_t device[16], uint8_t ret[16])
{
	struct span parts[] = {{hub, 16}, {device, 16}};
	id_derive("arrival", parts, ARRAY_COUNT(parts), ret);
}

static struct field_value named(const struct table *t, const char *name, struct value v)
{
	const struct field *f = table_field_named(t, name);
	assert(f && field_lane(f) == LANE_OPEN);
	return (struct field_value){(uint8_t)field_slot(f), v};
}

static int state_head(struct replica *r, const struct table *t, const uint8_t origin[16],
                      int64_t now_ms, int64_t *ret_next_ms)
{
	struct cert author;
	struct note n;
	uint8_t row[16];
	uint32_t unit;
	bool known, tell = false;
	*ret_next_ms = NEVER;
	int rc = note_get(r, origin, &n);
	if (rc || n.parts == n.said_parts) return rc;
	rc = engine_cert_of(r, origin, &author, &known);
	if (!rc && known) rc = mine_to_tell(r, &author, &tell);
	rc = rc || !tell ? rc : store_scope_ord(r->st, author.unit, true, &unit);
	if (rc || !tell) return rc;
	/* A clock that went back does not silence us for years. */
	if (n.said_ms && n.said_ms <= now_ms && now_ms - n.said_ms < STATE_EVERY_MS) {
		*ret_next_ms = n.said_ms + STATE_EVERY_MS;
		return 0;
	}
	head_row_id(r->id->origin, origin, row);
	struct field_value values[] = {named(t, "device", value_bytes(origin, 16)),
	                               named(t, "hub", value_bytes(r->id->origin, 16)),
	                               named(t, "seal", value_int((int64_t)n.seal)),
	                               named(t, "parts", value_int((int64_t)n.parts))};
	rc = engine_write_system(r, t, row, unit, LANE_OPEN, values, ARRAY_COUNT(values));
	n.said_parts = n.parts;
	n.said_ms = now_ms > 0 ? now_ms : 1;
	env_trace(r->env, "heads: stated");
	return rc ? rc : note_put(r, origin, &n);
}

/* What is still to be said is listed in memory: after a start, and once a day, all devices are looked at. */
static int due_all(struct replica *r, int64_t now_ms)
{
	struct cert_row *certs;
	size_t n;
	int rc = store_certs(r->st, &r->scratch, &certs, &n);
	if (rc) return rc;
	r->heads.count = 0;
	r->heads.next_ms = NEVER;
	for (size_t i = 0; i < n; i++)
		if (certs[i].role == CERT_NODE) due_add(r, certs[i].origin, NOW);
	r->heads.looked = true;
	r->heads.looked_ms = now_ms;
	return 0;
}

/* A clock that was set back says nothing about when anything is due. */
static bool passed(int64_t at_ms, int64_t now_ms)
{
	return at_ms <= now_ms || (at_ms != NEVER && at_ms - now_ms > STATE_EVERY_MS);
}

int heads_state(struct replica *r)
{
	struct heads_due *d = &r->heads;
	const struct table *t = schema_table(store_schema(r->st), TABLE_ARRIVAL);
	int64_t now = r->env->now_ms(r->env->ctx);
	size_t kept = 0;
	if (!t || !replica_is_hub(r)) return 0;
	bool old = !d->looked || passed(d->looked_ms + STATE_EVERY_MS, now);
	int rc = old ? due_all(r, now) : 0;
	if (rc || !passed(d->next_ms, now)) return rc ? engine_fail(r, rc) : 0;
	d->next_ms = NEVER;
	for (size_t i = 0; i < d->count; i++) {
		int64_t next = NEVER;
		if (!rc) rc = state_head(r, t, d->list[i], now, &next);
		if (next == NEVER) continue;
		if (next < d->next_ms) d->next_ms = next;
		memmove(d->list[kept++], d->list[i], 16);
	}
	d->count = kept;
	if (rc) d->looked = false;
	return rc ? engine_fail(r, rc) : 0;
}

void heads_forget(struct replica *r)
{
	r->heads.looked = false;
}

void heads_done(struct replica *r)
{
	free(r->heads.list);
}

/* ---- looking */

static int head_read(struct replica *r, const struct table *t, const struct cert_row *hub,
                     struct head *ret)
{
	uint8_t row[16];
	struct lane_state *l = ARENA_ARRAY(&r->scratch, struct lane_state, 1);
	head_row_id(hub->origin, r->id->origin, row);
	memcpy(ret->hub, hub->origin, 16);
	memcpy(ret->unit, hub->unit, 16);
	int rc = lane_load(r, TABLE_ARRIVAL, LANE_OPEN, row, l);
	if (rc || !l->exists) return rc;
	unsigned slot = named(t, "parts", value_null()).slot;
	const struct clock_mark *said = clock_shown(&l->clock, slot);
	struct run_info by = {0};
	if (said) rc = store_run_ord(r->st, said->run, &by.ord);
	if (!rc && by.ord) rc = store_run_get(r->st, by.ord, &by);
	/* A hub between us may write what it likes under its own name. */
	if (rc || !by.ord || memcmp(by.origin, hub->origin, 16) != 0) return rc;
	ret->came = l->v[slot].type == VALUE_INT ? l->v[slot].i : 0;
	ret->said = true;
	ret->said_ms = (int64_t)stamp_ms(said->stamp);
	return 0;
}

/* What was sealed so long ago that it should have come: the newest sample of that age. */
static uint64_t sealed_before(const struct past *p, int64_t at_ms)
{
	uint64_t parts = 0;
	for (size_t i = 0; i < p->count && p->at_ms[i] <= at_ms; i++) parts = p->parts[i];
	return parts;
}

int replica_heads(struct replica *r, struct arena *a, struct head **ret, size_t *ret_count)
{
	const struct table *t = schema_table(store_schema(r->st), TABLE_ARRIVAL);
	struct note own;
	struct past past;
	uint8_t id[16];
	*ret = ARENA_ARRAY(a, struct head, CERT_CHAIN_MAX);
	*ret_count = 0;
	if (!t || !r->has_cert || replica_is_hub(r)) return 0;
	int rc = note_get(r, r->id->origin, &own);
	rc = rc ? rc : past_get(r, &past);
	memcpy(id, r->cert.issuer, 16);
	for (unsigned depth = 0; !rc && depth < CERT_CHAIN_MAX; depth++) {
		struct cert_row *row;
		rc = store_cert_by_id(r->st, id, &r->scratch, &row);
		if (rc || !row || row->role != CERT_HUB) break;
		memcpy(id, row->issuer, 16);
		if (!depth) continue; /* the parent acknowledges */
		struct head *h = &(*ret)[(*ret_count)++];
		h->sealed = (int64_t)own.parts;
		rc = head_read(r, t, row, h);
		int64_t old =
		        (int64_t)sealed_before(&past, r->env->now_ms(r->env->ctx) - HEADS_LATE_MS);
		h->late = old > h->came ? old - h->came : 0;
	}
	return rc ? engine_fail(r, rc) : 0;
}
