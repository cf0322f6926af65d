/*
 * trail.c - see trail.h.
 *
 * A record:
 *   3, u8     `JGT`, format 1
 *   u64, i64  number, time
 *   8         person
 *   u8, u16   verb, outcome
 *   u16, 16   table, id
 *   u8, so many  detail, text of at most 200 bytes
 *   32        hash-32 of the record before
 * Its own hash is that of all these bytes.
 */
#include "common/base.h"

#include "proto/trail.h"

#include "common/crypt.h"
#include "common/ident.h"
#include "common/reader.h"
#include "proto/engine.h"

enum { PAGE = 256 };

void trail_pack(const struct trail_record *t, struct buf *out)
{
	assert(t->detail.len <= TRAIL_DETAIL_MAX);
	buf_add(out, "JGT\1", 4);
	buf_u64(out, t->seq);
	buf_u64(out, (uint64_t)t->at_ms);
	buf_add(out, t->person, sizeof(t->person));
	buf_u8(out, t->verb);
	buf_u16(out, t->outcome);
	buf_u16(out, t->table);
	buf_add(out, t->id, sizeof(t->id));
	buf_u8(out, (uint8_t)t->detail.len);
	buf_add(out, t->detail.p, t->detail.len);
	buf_add(out, t->prev, sizeof(t->prev));
}

static void take(struct cut *c, void *ret, size_t len)
{
	const uint8_t *p = cut_take(c, len);

	if (p) memcpy(ret, p, len);
}

bool trail_parse(struct span s, struct trail_record *ret)
{
	struct trail_record t = {0};
	struct cut c = cut_of(s);
	const uint8_t *magic = cut_take(&c, 4);
	size_t len;

	if (!magic || memcmp(magic, "JGT\1", 4) != 0) return false;
	t.seq = cut_u64(&c);
	t.at_ms = (int64_t)cut_u64(&c);
	take(&c, t.person, sizeof(t.person));
	t.verb = cut_u8(&c);
	t.outcome = cut_u16(&c);
	t.table = cut_u16(&c);
	take(&c, t.id, sizeof(t.id));
	len = cut_u8(&c);
	if (len > TRAIL_DETAIL_MAX) return false;
	t.detail = span_of(cut_take(&c, len), len);
	take(&c, t.prev, sizeof(t.prev));
	if (c.bad || cut_left(&c) || !t.seq || (len && !utf8_valid(t.detail))) return false;
	*ret = t;
	return true;
}

int trail_add(struct replica *r, const struct trail_record *like)
{
	struct trail_record t = *like;
	uint8_t hash[32];
	struct buf b;
	int rc;

	if (!r->trail) return 0;
	rc = store_trail_last(r->st, &t.seq, t.prev);
	if (rc) return engine_fail(r, rc);
	t.seq++;
	t.at_ms = r->env->now_ms(r->env->ctx);
	if (t.detail.len > TRAIL_DETAIL_MAX) t.detail.len = TRAIL_DETAIL_MAX;
	while (t.detail.len && !utf8_valid(t.detail)) t.detail.len--;
	buf_init(&b, TRAIL_BYTES_MAX);
	trail_pack(&t, &b);
	hash_of(buf_span(&b), hash, sizeof(hash));
	rc = store_trail_append(r->st, t.seq, buf_span(&b), hash);
	buf_done(&b);
	return rc ? engine_fail(r, rc) : 0;
}

int trail_list(struct replica *r, uint64_t after, size_t limit, struct arena *a,
               struct trail_record **ret, size_t *ret_count)
{
	struct trail_item *items;
	size_t n, count = 0;
	int rc = store_trail_scan(r->st, after, limit, a, &items, &n);

	if (rc) return engine_fail(r, rc);
	*ret = ARENA_ARRAY(a, struct trail_record, n + 1);
	for (size_t i = 0; i < n; i++) {
		struct trail_record *t = &(*ret)[count++];

		/* One that does not read is shown by its number: verify says what it is. */
		if (!trail_parse(items[i].record, t)) *t = (struct trail_record){0};
		t->seq = items[i].seq;
	}
	*ret_count = count;
	return 0;
}

/* ---- heads */

static const struct table *head_table(const struct replica *r)
{
	return schema_table(store_schema(r->st), TABLE_TRAIL);
}

static void head_row_id(const struct trail_head *h, uint8_t ret[16])
{
	uint8_t seq[8];

	for (size_t i = 0; i < 8; i++) seq[i] = (uint8_t)(h->seq >> 8 * i);
	struct span parts[] = {{h->origin, 16}, {seq, 8}, {h->hash, 32}, {h->by, 16}};
	id_derive("trail", parts, ARRAY_COUNT(parts), ret);
}

static struct field_value named(const struct table *t, const char *name, struct value v)
{
	const struct field *f = table_field_named(t, name);

	assert(f && field_lane(f) == LANE_OPEN);
	return (struct field_value){(uint8_t)field_slot(f), v};
}

static int say_head(struct replica *r, const struct trail_head *h, uint32_t scope)
{
	const struct table *t = head_table(r);
	uint8_t row[16];
	bool known;
	int rc;

	if (!t) return 0; /* a build of an older schema */
	head_row_id(h, row);
	rc = store_row_known(r->st, TABLE_TRAIL, row, &known);
	if (rc || known) return rc ? engine_fail(r, rc) : 0;
	struct field_value values[] = {
	        named(t, "origin", value_bytes(h->origin, 16)),
	        named(t, "seq", value_int((int64_t)h->seq)),
	        named(t, "head", value_bytes(h->hash, 32)),
	        named(t, "by", value_bytes(h->by, 16)),
	};
	return engine_write_system(r, t, row, scope, LANE_OPEN, values, ARRAY_COUNT(values));
}

int trail_state(struct replica *r)
{
	struct trail_head h = {0};
	int rc;

	if (!r->trail) return 0;
	rc = store_trail_last(r->st, &h.seq, h.hash);
	if (rc || !h.seq) return rc ? engine_fail(r, rc) : 0;
	memcpy(h.origin, r->id->origin, 16);
	memcpy(h.by, r->id->origin, 16);
	return say_head(r, &h, r->own_scope);
}

static bool fixed(struct value v, uint8_t *ret, size_t len)
{
	if (v.type != VALUE_BYTES || v.s.len != len) return false;
	memcpy(ret, v.s.p, len);
	return true;
}

/* Values in the order of the table's fields. */
static bool head_of(const struct table *t, const struct value *values, struct trail_head *ret)
{
	struct value seq = values[table_field_named(t, "seq") - t->fields];

	*ret = (struct trail_head){.seq = seq.type == VALUE_INT && seq.i > 0 ? (uint64_t)seq.i : 0};
	return ret->seq &&
	       fixed(values[table_field_named(t, "origin") - t->fields], ret->origin, 16) &&
	       fixed(values[table_field_named(t, "head") - t->fields], ret->hash, 32) &&
	       fixed(values[table_field_named(t, "by") - t->fields], ret->by, 16);
}

/* Rows that came into being in this apply: looked at when it ends, since writing amid of it would disturb it. */
struct seen {
	struct seen *next;
	uint8_t row[16];
};

int trail_seen(struct replica *r, const uint8_t row[16])
{
	struct seen *s;

	if (!r->trail || !replica_is_hub(r)) return 0;
	s = ARENA_ARRAY(&r->tx, struct seen, 1);
	memcpy(s->row, row, 16);
	s->next = r->seen;
	r->seen = s;
	return 0;
}

static int answer(struct replica *r, const uint8_t row[16])
{
	struct trail_head h;
	struct row_view *v;
	struct cert cert;
	bool known = false;
	int rc = store_row_view(r->st, head_table(r), row, &r->tx, &v);

	if (rc || !v || !head_of(head_table(r), v->values, &h)) return rc ? engine_fail(r, rc) : 0;
	if (memcmp(h.by, h.origin, 16) != 0) return 0;
	rc = engine_cert_of(r, h.origin, &cert, &known);
	if (rc || !known || cert.role != CERT_HUB || !replica_is_own(r, cert.issuer) ||
	    !memcmp(h.origin, r->id->origin, 16))
		return rc;
	memcpy(h.by, r->id->origin, 16);
	return say_head(r, &h, v->scope);
}

int trail_countersign(struct replica *r)
{
	int rc = 0;

	for (const struct seen *s = r->seen; s && !rc; s = s->next) rc = answer(r, s->row);
	r->seen = NULL;
	return rc;
}

static int compare_heads(const void *a, const void *b)
{
	const struct trail_head *x = a, *y = b;

	if (x->seq != y->seq) return x->seq < y->seq ? -1 : 1;
	return memcmp(x->hash, y->hash, 32);
}

/* Is the row that this device wrote in a segment that its parent admitted? */
static int is_admitted(struct replica *r, const uint8_t row[16], bool *ret)
{
	struct history_item *items;
	size_t n;
	struct arena a;
	int rc;

	arena_init(&a, 0);
	rc = replica_history(r, row, &a, &items, &n);
	for (size_t i = 0; i < n && !rc; i++) *ret |= items[i].state == HISTORY_ADMITTED;
	arena_done(&a);
	return rc;
}

int trail_heads(struct replica *r, const uint8_t origin[16], struct arena *a,
                struct trail_head **ret, size_t *ret_count)
{
	const struct table *t = head_table(r);
	struct row_where where = {table_field_named(t, "origin"), value_bytes(origin, 16)};
	bool own = !memcmp(origin, r->id->origin, 16);
	struct row_view *rows;
	struct cert parent;
	bool has_parent = replica_parent(r, &parent);
	uint8_t above[16] = {0};
	size_t n, count = 0;
	int rc = store_rows_view(r->st, t, &where, 1, 0, /* all= */ true, NULL, SIZE_MAX >> 1, a,
	                         &rows, &n);

	if (rc) return engine_fail(r, rc);
	if (has_parent) origin_of(parent.origin_key, above);
	*ret = ARENA_ARRAY(a, struct trail_head, n + 1);
	for (size_t i = 0; i < n && !rc; i++) {
		struct trail_head *h = &(*ret)[count];
		bool by_self;

		if (!head_of(t, rows[i].values, h)) continue;
		by_self = !memcmp(h->by, h->origin, 16);
		/* A word of somebody else's than the parent says nothing of our list. */
		if (own && !by_self && !(has_parent && !memcmp(h->by, above, 16))) continue;
		h->signed_above = !by_self;
		if (own && by_self && !replica_is_hub(r))
			rc = is_admitted(r, rows[i].id, &h->signed_above);
		count++;
	}
	if (!rc && count) qsort(*ret, count, sizeof(**ret), compare_heads);
	*ret_count = rc ? 0 : count;
	return rc;
}

/* ---- verify */

static void fault(struct trail_report *x, uint8_t what, uint64_t seq, int64_t at_ms, bool above)
{
	struct trail_fault *f = x->faults_count ? &x->faults[x->faults_count - 1] : NULL;

	if (x->faults_count && x->faults_count <= TRAIL_FAULTS_MAX && f->what == what &&
	    f->seq == seq) {
		f->signed_above |= above; /* two words on one record */
		return;
	}
	if (x->faults_count < TRAIL_FAULTS_MAX)
		x->faults[x->faults_count] = (struct trail_fault){what, seq, at_ms, above};
	x->faults_count++;
}

struct walk {
	struct trail_report *report;
	const struct trail_head *heads;
	size_t heads_count, head; /* the next to be met */
	uint64_t seq;             /* of the record before */
	uint8_t hash[32];         /* of its bytes as they are */
	int64_t at_ms;
};

static void meet_heads(struct walk *w, uint64_t seq, const uint8_t hash[32])
{
	for (; w->head < w->heads_count && w->heads[w->head].seq <= seq; w->head++) {
		const struct trail_head *h = &w->heads[w->head];

		if (h->seq < seq) continue; /* cut: told already */
		if (memcmp(h->hash, hash, 32) != 0)
			fault(w->report, TRAIL_DIFFERS, seq, w->at_ms, h->signed_above);
		else if (h->signed_above)
			w->report->signed_seq = seq;
	}
}

static void meet(struct walk *w, const struct trail_item *item)
{
	struct trail_record t;
	uint8_t hash[32];
	bool follows = item->seq == w->seq + 1;

	hash_of(item->record, hash, sizeof(hash));
	if (!follows) fault(w->report, TRAIL_CUT, w->seq + 1, w->at_ms, false);
	if (!trail_parse(item->record, &t) || t.seq != item->seq ||
	    memcmp(hash, item->hash, 32) != 0)
		fault(w->report, TRAIL_EDITED, item->seq, w->at_ms, false);
	else if (follows && memcmp(t.prev, w->hash, 32) != 0)
		fault(w->report, TRAIL_EDITED, w->seq ? w->seq : item->seq, w->at_ms, false);
	else
		w->at_ms = t.at_ms;
	w->seq = item->seq;
	memcpy(w->hash, hash, 32);
	w->report->records++;
	meet_heads(w, item->seq, hash);
}

int trail_verify(struct replica *r, struct trail_report *ret)
{
	struct walk w = {.report = ret};
	struct trail_head *heads = NULL;
	struct arena kept, page;
	size_t n = 1;
	int rc;

	memset(ret, 0, sizeof(*ret));
	arena_init(&kept, 0);
	arena_init(&page, 0);
	rc = trail_heads(r, r->id->origin, &kept, &heads, &w.heads_count);
	w.heads = heads;
	ret->heads = rc ? 0 : w.heads_count;
	while (!rc && n) {
		struct trail_item *items;

		rc = store_trail_scan(r->st, w.seq, PAGE, &page, &items, &n);
		if (rc) engine_fail(r, rc);
		for (size_t i = 0; i < n && !rc; i++) meet(&w, &items[i]);
		arena_reset(&page);
	}
	for (; w.head < w.heads_count && !rc; w.head++)
		fault(ret, TRAIL_ENDS, heads[w.head].seq, w.at_ms, heads[w.head].signed_above);
	arena_done(&page);
	arena_done(&kept);
	return rc;
}
