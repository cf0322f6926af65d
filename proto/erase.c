/*
 * erase.c - an erasure carried out: rows blanked, bodies of journal and tail restated without what they said, the log emptied.
 *
 * It is a projection: whatever is merged of an erased row, and in whatever order, its erasable fields (privacy.h) are null.  The clocks
 * know as before who wrote what, so that all replicas agree, and ordinals stay, so that admissions speak of the same records.  A
 * segment whose body says something erased becomes a hole in its place, under the segment's own hash: chains, cursors and
 * rolling hashes go on over it, and its restated body is what is read from then on.
 */
#include "common/base.h"

#include "proto/privacy.h"

#include "common/ident.h"
#include "common/squeeze.h"
#include "proto/engine.h"
#include "proto/form.h"

enum { PAGE = 64, RESTATED_HEAD = 4 };

struct erasing {
	struct erasing *next;
	uint32_t scope;
	uint8_t target[16];
};

/* ---- the form */

bool entry_is_segment(const struct entry *e)
{
	/* Beside a hole that stands for a segment lies its own hash; beside others, nothing. */
	return e->kind == ENTRY_SEGMENT || (e->kind == ENTRY_HOLE && e->body.len == 32);
}

static int restated_segment(const struct hole *h, struct segment *ret, struct error *err)
{
	struct cut c = cut_of(h->restated);
	uint32_t plain = cut_u32(&c);

	if (c.bad || !plain || plain > BODY_BYTES_MAX)
		return error_set(err, ERR_PROTOCOL, NULL, "a restated body of %u bytes", plain);
	int rc = segment_open(
	        h->head, span_of(h->restated.p + RESTATED_HEAD, h->restated.len - RESTATED_HEAD),
	        ret, err);
	if (!rc) ret->head.plain_bytes = plain;
	return rc;
}

int entry_segment(const struct entry *e, struct segment *ret, struct error *err)
{
	struct hole h;
	uint8_t hash[32], sign[64];

	if (e->kind == ENTRY_SEGMENT) return segment_open(e->head, e->body, ret, err);
	int rc = hole_open(e->head, &h, hash, sign, err);
	return rc ? rc : restated_segment(&h, ret, err);
}

bool hole_sound(const struct entry *e)
{
	struct hole h;
	struct segment s;
	uint8_t hash[32], sign[64];

	return e->body.len == 32 && !hole_open(e->head, &h, hash, sign, NULL) &&
	       !memcmp(hash, e->body.p, 32) && !memcmp(h.segment_hash, e->hash, 32) &&
	       !restated_segment(&h, &s, NULL);
}

/* Nothing but what the author could have said in this place. */
int hole_segment(const struct hole *h, struct arena *a, struct segment *ret, struct error *err)
{
	struct changeset *cs;
	size_t n;

	if (h->segment.lane != LANE_COUNTY || h->cause != ERR_ERASED)
		return error_set(err, ERR_PROTOCOL, NULL,
		                 "a body restated where nothing is erased");
	int rc = restated_segment(h, ret, err);
	rc = rc ? rc : segment_changesets(ret, a, &cs, &n, err);
	for (size_t i = 0; !rc && i < n; i++) {
		rc = changeset_check_form(&cs[i], err);
		for (size_t k = 0; !rc && k < cs[i].ops_count; k++) {
			const struct op *op = &cs[i].ops[k];
			if (op->kind == OP_INSERT && id_is_created(op->row) &&
			    !op_row_implied(op, cs[i].run))
				rc = error_set(err, ERR_PROTOCOL, NULL, "an id of another run");
		}
	}
	return rc;
}

/* ---- blanking */

static size_t blank_values(struct op *op, struct field_value *v, size_t *count, uint64_t slots)
{
	bool leaves_out = op->kind == OP_INSERT && id_is_created(op->row);
	size_t n = 0, blanked = 0;

	for (size_t i = 0; i < *count; i++) {
		struct field_value x = v[i];

		if ((slots >> x.slot & 1) && x.value.type != VALUE_NULL) {
			x.value = value_null();
			blanked++;
			if (leaves_out) {
				op->slots &= ~(UINT64_C(1) << x.slot);
				continue;
			}
		}
		v[n++] = x;
	}
	*count = n;
	return blanked;
}

/* How many values went. */
static size_t blank_op(struct replica *r, struct op *op, unsigned lane)
{
	uint64_t slots = erasable_slots(schema_table(store_schema(r->st), op->table), lane);
	size_t n = 0;

	if (!slots) return 0;
	if (op->kind != OP_INSERT && op->kind != OP_UPDATE && op->kind != OP_PROPOSAL) {
		n = op->opaque.len != 0;
		op->opaque.len = 0;
		return n;
	}
	n = blank_values(op, op->values, &op->values_count, slots);
	return n + blank_values(op, op->olds, &op->olds_count, slots);
}

static int blank_changesets(struct replica *r, struct changeset *cs, size_t n, uint32_t scope,
                            unsigned lane, size_t *ret_blanked)
{
	int rc = 0;

	*ret_blanked = 0;
	for (size_t i = 0; i < n && !rc; i++)
		for (size_t k = 0; k < cs[i].ops_count && !rc; k++) {
			bool erased;
			rc = replica_erased(r, cs[i].ops[k].row, scope, &erased);
			if (!rc && erased) *ret_blanked += blank_op(r, &cs[i].ops[k], lane);
		}
	return rc;
}

/* ---- bodies of segments */

static int restate(struct replica *r, const struct segment *s, const struct changeset *cs, size_t n,
                   struct span head, struct buf *out, uint8_t ret_hash[32])
{
	struct hole h = {.head = head, .cause = ERR_ERASED, .at_ms = r->env->now_ms(r->env->ctx)};
	uint64_t runs[SEGMENT_NONCES_MAX];
	struct buf plain, restated;
	int rc;

	memcpy(h.remover, r->id->origin, 16);
	segment_runs(&s->head, runs);
	buf_init(&plain, BODY_BYTES_MAX);
	buf_init(&restated, BODY_SQUEEZED_MAX);
	rc = body_encode(cs, n, runs, s->head.nonces_count, &plain, &r->err);
	buf_u32(&restated, (uint32_t)plain.len);
	if (!rc && squeeze(buf_span(&plain), s->head.dictionary, &restated) != 0)
		rc = error_set(&r->err, ERR_LIMIT, NULL, "no room for a restated body");
	h.restated = buf_span(&restated);
	rc = rc ? rc : hole_make(&h, r->id->sign_secret, out, ret_hash, &r->err);
	buf_done(&plain);
	buf_done(&restated);
	return rc;
}

static int cut(struct replica *r, const struct segment *s, struct span head, uint32_t scope,
               struct buf *b, uint8_t ret_hash[32], bool *ret_cut)
{
	struct changeset *cs = NULL;
	struct arena a;
	size_t n = 0, blanked = 0;
	int rc;

	*ret_cut = false;
	arena_init(&a, 0);
	rc = segment_changesets(s, &a, &cs, &n, &r->err);
	rc = rc ? rc : blank_changesets(r, cs, n, scope, s->head.lane, &blanked);
	if (!rc && blanked) {
		rc = restate(r, s, cs, n, head, b, ret_hash);
		*ret_cut = !rc;
		env_trace(r->env, "erased: %zu values of a segment", blanked);
	}
	arena_done(&a);
	return rc;
}

int erase_arriving(struct replica *r, const struct segment *s, struct span head, uint32_t scope,
                   struct buf *b, uint8_t ret_hash[32], bool *ret_cut)
{
	static const uint8_t nobody[16];
	bool any;
	int rc;

	*ret_cut = false;
	if (s->head.lane != LANE_COUNTY) return 0;
	rc = replica_erased(r, nobody, 0, &any); /* reads the list */
	return rc || !r->erased.count ? rc : cut(r, s, head, scope, b, ret_hash, ret_cut);
}

static int cut_entry(struct replica *r, const struct entry *e)
{
	struct segment s = {0};
	struct hole h;
	struct buf b;
	uint8_t hash[32], was[32], sign[64];
	struct span head = e->head;
	bool is_cut = false;
	int rc;

	if (!entry_is_segment(e) || !entry_sound(e)) return 0;
	rc = entry_segment(e, &s, &r->err);
	if (!rc && e->kind == ENTRY_HOLE) {
		rc = hole_open(e->head, &h, was, sign, &r->err);
		head = h.head;
	}
	buf_init(&b, MESSAGE_BYTES_MAX);
	rc = rc ? rc : cut(r, &s, head, e->scope, &b, hash, &is_cut);
	if (!rc && is_cut) {
		rc = store_journal_cut(r->st, e->recv, ENTRY_HOLE, buf_span(&b), span_of(hash, 32));
		rc = rc ? rc : store_scrub(r->st);
	}
	buf_done(&b);
	return rc;
}

int erase_entry(struct replica *r, int64_t recv)
{
	static const uint8_t nobody[16];
	struct entry *e;
	bool any;
	int rc = replica_erased(r, nobody, 0, &any);

	if (rc || !r->erased.count) return rc;
	rc = store_journal_get(r->st, recv, &r->scratch, &e);
	return rc || !e || e->lane != LANE_COUNTY ? rc : cut_entry(r, e);
}

static int cut_journal(struct replica *r, uint32_t scope)
{
	struct arena page;
	int64_t after = 0;
	int rc = 0;

	arena_init(&page, 0);
	for (size_t n = 1; n && !rc;) {
		struct entry *entries;
		rc = store_journal_scope(r->st, scope, LANE_COUNTY, after, PAGE, &page, &entries,
		                         &n);
		for (size_t i = 0; i < n && !rc; i++) {
			after = entries[i].recv;
			rc = cut_entry(r, &entries[i]);
		}
		arena_reset(&page);
	}
	arena_done(&page);
	return rc;
}

/* ---- the tail: what is not sealed yet */

static int restate_tail(struct replica *r)
{
	struct tail_item *items;
	size_t n = 0, changed = 0;
	int64_t last = 0;
	int rc = store_tail_all(r->st, &r->tx, &items, &n);

	for (size_t i = 0; i < n && !rc; i++) {
		struct changeset *c = ARENA_ARRAY(&r->tx, struct changeset, 1);
		struct error none;
		struct buf b;
		size_t blanked;

		last = items[i].id > last ? items[i].id : last;
		if (items[i].lane != LANE_COUNTY ||
		    changeset_read(items[i].changeset, &r->tx, c, &none))
			continue;
		rc = blank_changesets(r, c, 1, items[i].scope, items[i].lane, &blanked);
		if (rc || !blanked) continue;
		buf_init(&b, BODY_BYTES_MAX);
		changeset_pack(c, &b);
		if (b.full) rc = error_set(&r->err, ERR_LIMIT, "", "no room for a changeset");
		items[i].changeset = arena_span(&r->tx, buf_span(&b));
		buf_done(&b);
		changed++;
	}
	if (rc || !changed) return rc;
	/* In their order, under new numbers. */
	rc = store_tail_clear(r->st, last);
	for (size_t i = 0; i < n && !rc; i++) rc = store_tail_add(r->st, &items[i]);
	return rc ? rc : store_scrub(r->st);
}

/* ---- rows */

static int blank_row(struct replica *r, uint16_t table, const struct erasing *x)
{
	struct lane_state *l = ARENA_ARRAY(&r->scratch, struct lane_state, 1);
	int rc = lane_load(r, table, LANE_COUNTY, x->target, l);
	uint64_t slots = erasable_slots(l->table, LANE_COUNTY);
	bool said = false;

	if (rc || !l->exists || l->scope != x->scope) return rc;
	for (unsigned slot = 1; slot < SLOTS_MAX; slot++) {
		if (!(slots >> slot & 1) || l->v[slot].type == VALUE_NULL) continue;
		l->v[slot] = value_null();
		said = true;
	}
	for (size_t i = 0; i < l->candidates_count; i++) {
		struct candidate *c = &l->candidates[i];
		bool empty = c->value.type == VALUE_NULL;
		if (!(slots >> c->slot & 1) || (empty && c->kind != CANDIDATE_VALUE)) continue;
		c->value = value_null();
		if (c->kind == CANDIDATE_VALUE) c->kind = CANDIDATE_SAME; /* both say nothing now */
		said = true;
	}
	if (!said) return 0;
	env_trace(r->env, "erased: a row of table %u", (unsigned)table);
	rc = lane_save(r, l, ~UINT64_C(0));
	return rc ? rc : store_scrub(r->st);
}

static int blank_rows(struct replica *r, const struct erasing *x)
{
	uint16_t tables[TABLES_MAX];
	size_t n = 0;
	int rc = store_row_tables(r->st, x->target, tables, &n);

	for (size_t i = 0; i < n && !rc; i++) rc = blank_row(r, tables[i], x);
	return rc;
}

/* ---- when */

void erase_seen(struct replica *r, uint16_t table, uint32_t scope, const struct value *v)
{
	const struct table *t =
	        table == TABLE_ERASURE ? schema_table(store_schema(r->st), table) : NULL;
	const struct field *f = t ? table_field_named(t, "target") : NULL;
	struct erasing *x;

	if (!f || v[field_slot(f)].type != VALUE_BYTES || v[field_slot(f)].s.len != 16) return;
	x = ARENA_ARRAY(&r->tx, struct erasing, 1);
	x->next = r->erasing;
	x->scope = scope;
	memcpy(x->target, v[field_slot(f)].s.p, 16);
	r->erasing = x;
}

int engine_erase(struct replica *r)
{
	struct erasing *all = r->erasing;
	int rc = 0;

	r->erasing = NULL;
	if (!all) return 0;
	opened_forget(r);
	for (struct erasing *x = all; x && !rc; x = x->next) {
		bool first = true, erased;
		/* One under another id than its own erases nothing. */
		rc = replica_erased(r, x->target, x->scope, &erased);
		if (rc || !erased) continue;
		for (struct erasing *y = all; y != x; y = y->next) first &= y->scope != x->scope;
		if (first) rc = cut_journal(r, x->scope);
		rc = rc ? rc : blank_rows(r, x);
	}
	rc = rc ? rc : restate_tail(r);
	return rc ? engine_fail(r, rc) : 0;
}
