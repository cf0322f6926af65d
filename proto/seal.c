/*
 * seal.c - closes all open streams of the device in one transaction, figures first.
 *
 * A figure covers all that its device sealed up to and including the same seal number: the differences that
 * wait in `pending` are added to the figure rows as this device holds them, so that after a restore its
 * own later statement is what is added to.
 */
#include "common/base.h"

#include "proto/engine.h"
#include "proto/trail.h"

#include "common/ident.h"
#include "proto/copies.h"

static const struct table *system_table(struct replica *r, uint16_t number)
{
	return schema_table(store_schema(r->st), number);
}

static struct field_value named(const struct table *t, const char *open, const char *closed,
                                unsigned lane, struct value v)
{
	const struct field *f = table_field_named(t, lane == LANE_COUNTY ? closed : open);
	assert(f && field_lane(f) == lane);
	return (struct field_value){(uint8_t)field_slot(f), v};
}

static int state_figure(struct replica *r, const struct pending *p)
{
	const struct table *t = system_table(r, TABLE_FIGURE);
	unsigned lane = figure_lane(p->kind);
	uint8_t unit[16], row[16];
	struct lane_state *l = ARENA_ARRAY(&r->scratch, struct lane_state, 1);
	int rc = engine_scope_id(r, p->scope, unit);
	if (rc) return rc;
	figure_row_id(r->id->origin, unit, p->month, p->kind, row);
	rc = lane_load(r, TABLE_FIGURE, lane, row, l);
	if (rc) return rc;
	struct field_value values[4] = {
	        named(t, "origin", "closed_origin", lane, value_bytes(r->id->origin, 16)),
	        named(t, "month", "closed_month", lane, value_int(p->month)),
	        named(t, "kind", "closed_kind", lane, value_text(figure_name(p->kind))),
	        named(t, "value", "closed_value", lane, value_int(p->delta)),
	};
	struct value was = l->v[values[3].slot];
	if (l->exists && was.type == VALUE_INT) values[3].value.i += was.i;
	return engine_write_system(r, t, row, p->scope, lane, values, ARRAY_COUNT(values));
}

static int state_figures(struct replica *r)
{
	struct pending *p;
	size_t n;
	int rc = store_pending_all(r->st, &r->scratch, &p, &n);
	for (size_t i = 0; i < n && !rc; i++) rc = state_figure(r, &p[i]);
	rc = rc || !n ? rc : store_pending_clear(r->st);
	return rc ? engine_fail(r, rc) : 0;
}

/* One segment in the making. */
struct piece {
	size_t first, count; /* items of the tail */
	uint64_t runs[SEGMENT_NONCES_MAX];
	size_t runs_count;
	size_t bytes, ops, records;
};

static bool same_stream(const struct tail_item *x, const struct tail_item *y)
{
	return x->scope == y->scope && x->lane == y->lane;
}

/* Cuts the tail (sorted by stream) into pieces that fit a segment. */
static size_t cut_pieces(const struct replica *r, const struct tail_item *items,
                         const struct changeset *cs, size_t n, struct piece *pieces)
{
	size_t bytes_max = 2 * r->piece_bytes;
	if (bytes_max > BODY_BYTES_MAX - 8192) bytes_max = BODY_BYTES_MAX - 8192;
	size_t count = 0;
	for (size_t i = 0; i < n; i++) {
		struct piece *p = count ? &pieces[count - 1] : NULL;
		bool known_run = false;
		for (size_t k = 0; p && k < p->runs_count; k++)
			known_run |= p->runs[k] == cs[i].run;
		if (!p || !same_stream(&items[p->first], &items[i]) ||
		    p->count >= SEGMENT_CHANGESETS_MAX ||
		    p->bytes + items[i].changeset.len > bytes_max ||
		    p->ops + cs[i].ops_count > SEGMENT_OPS_MAX ||
		    (!known_run && p->runs_count == SEGMENT_NONCES_MAX)) {
			p = &pieces[count++];
			*p = (struct piece){.first = i};
			known_run = false;
		}
		if (!known_run) p->runs[p->runs_count++] = cs[i].run;
		p->count++;
		p->records += items[i].first;
		p->bytes += items[i].changeset.len;
		p->ops += cs[i].ops_count;
	}
	return count;
}

static int make_segment(struct replica *r, const struct piece *p, const struct tail_item *item,
                        struct changeset *cs, uint16_t k, uint16_t n)
{
	struct segment_head h = {.format = FORMAT_1,
	                         .suite = SUITE_1,
	                         .lane = item->lane,
	                         .seal = r->s.seals,
	                         .k = k,
	                         .n = n};
	struct buf head, body;
	struct entry e = {.kind = ENTRY_SEGMENT,
	                  .lane = item->lane,
	                  .merged = true,
	                  .scope = item->scope,
	                  .count = (uint32_t)p->records,
	                  .seal = r->s.seals};
	int64_t recv;
	buf_init(&head, HEAD_BYTES_MAX + SIGN_BYTES);
	buf_init(&body, BODY_SQUEEZED_MAX);
	memcpy(h.origin, r->id->origin, 16);
	int rc = engine_scope_id(r, item->scope, h.scope);
	rc = rc ? rc : store_stream_get(r->st, item->scope, item->lane, &h.seq_first, h.prev);
	h.count = (uint32_t)p->count;
	h.nonces_count = (uint8_t)p->runs_count;
	for (size_t i = 0; i < p->runs_count && !rc; i++) {
		uint32_t ord;
		struct run_info info;
		rc = store_run_ord(r->st, p->runs[i], &ord);
		rc = rc ? rc : store_run_get(r->st, ord, &info);
		if (!rc) memcpy(h.nonces[i], info.nonce, 8);
	}
	for (size_t i = 0; i < p->count; i++) cs[i].seq = h.seq_first + i;
	rc = rc ? rc
	        : segment_make(&h, cs, p->runs, r->id->sign_secret, &head, &body, e.hash, &r->err);
	if (!rc) {
		memcpy(e.origin, h.origin, 16);
		memcpy(e.prev, h.prev, 32);
		e.seq_first = h.seq_first;
		e.head = buf_span(&head);
		e.body = buf_span(&body);
		rc = store_journal_append(r->st, &e, 1, &recv);
		if (!rc && !replica_is_hub(r)) rc = store_waiting_set(r->st, recv, true);
		rc = rc ? rc : heads_note(r, e.origin, e.lane, e.seal);
		rc = rc ? rc
		        : store_stream_put(r->st, item->scope, item->lane, h.seq_first + p->count,
		                           e.hash);
	}
	buf_done(&head);
	buf_done(&body);
	return rc ? engine_fail(r, rc) : 0;
}

static int seal_tail(struct replica *r, struct tail_item *items, size_t n)
{
	struct changeset *cs = ARENA_ARRAY(&r->scratch, struct changeset, n);
	struct piece *pieces = ARENA_ARRAY(&r->scratch, struct piece, n);
	uint16_t of[LANES] = {0}, k[LANES] = {0};
	int64_t last = 0;
	size_t read = 0;
	int rc = 0;
	for (size_t i = 0; i < n && !rc; i++) {
		struct error why;
		last = items[i].id > last ? items[i].id : last;
		if (changeset_read(items[i].changeset, &r->scratch, &cs[read], &why))
			rc = aside_put(r,
			               &items[i]); /* what came after it is to leave all the same */
		else
			items[read++] = items[i];
	}
	n = read;
	size_t count = rc ? 0 : cut_pieces(r, items, cs, n, pieces);
	for (size_t i = 0; i < count; i++) of[items[pieces[i].first].lane]++;
	if (count) r->s.seals++;
	for (size_t i = 0; i < count && !rc; i++) {
		const struct tail_item *item = &items[pieces[i].first];
		rc = make_segment(r, &pieces[i], item, &cs[pieces[i].first], ++k[item->lane],
		                  of[item->lane]);
	}
	int64_t records = 0;
	for (size_t i = 0; i < n; i++) records += items[i].first;
	r->s.sealed += records;
	if (replica_is_hub(r)) r->s.merged += records; /* a hub's own changes need nobody's word */
	rc = rc ? rc : store_tail_clear(r->st, last);
	return rc ? engine_fail(r, rc) : 0;
}

int replica_seal(struct replica *r, bool *ret_sealed)
{
	struct tail_item *items;
	size_t n = 0;
	if (ret_sealed) *ret_sealed = false;
	if (!r->has_cert) return 0;
	int rc = trail_state(r);
	rc = rc ? rc : state_figures(r);
	rc = rc ? rc : store_tail_all(r->st, &r->scratch, &items, &n);
	if (rc || !n) return rc ? engine_fail(r, rc) : 0;
	if (ret_sealed) *ret_sealed = true;
	return seal_tail(r, items, n);
}

bool replica_seal_due(struct replica *r)
{
	int64_t count = 0, bytes = 0;
	if (store_tail_size(r->st, &count, &bytes)) return false;
	return count >= SEGMENT_CHANGESETS_MAX || bytes >= BODY_BYTES_MAX;
}

/* ---- corrections K (architecture section 6) */

static int state_correction(struct replica *r, const struct cell *c, const char *cause, int64_t k)
{
	const struct table *t = system_table(r, TABLE_CORRECTION);
	unsigned lane = figure_lane(c->kind);
	uint8_t unit[16], row[16];
	struct lane_state *l = ARENA_ARRAY(&r->scratch, struct lane_state, 1);
	int rc = engine_scope_id(r, c->scope, unit);
	if (rc) return rc;
	correction_row_id(unit, c->month, c->kind, cause, row);
	rc = lane_load(r, TABLE_CORRECTION, lane, row, l);
	if (rc || (!l->exists && !k)) return rc;
	struct field_value values[5] = {
	        named(t, "month", "closed_month", lane, value_int(c->month)),
	        named(t, "kind", "closed_kind", lane, value_text(figure_name(c->kind))),
	        named(t, "cause", "closed_cause", lane, value_text(cause)),
	        named(t, "value", "closed_value", lane, value_int(k)),
	        named(t, "base", "closed_base", lane, value_int(c->stated)),
	};
	return engine_write_system(r, t, row, c->scope, lane, values, ARRAY_COUNT(values));
}

/* Where a scope lies in the tree that is known here. */
enum place { PLACE_OURS /* the own unit, or below it */, PLACE_ELSEWHERE, PLACE_UNKNOWN };

static int place_of(struct replica *r, uint32_t scope, enum place *ret)
{
	uint32_t top = scope, up = r->own_scope;
	struct scope s;
	int rc = 0;
	*ret = PLACE_OURS;
	for (unsigned depth = 0; top != r->own_scope && depth < 12; depth++) {
		rc = store_scope_get(r->st, top, &s);
		if (rc || !s.parent) break;
		top = s.parent;
	}
	if (rc || top == r->own_scope) return rc;
	for (unsigned depth = 0; !rc && up && up != top && depth < 12; depth++) {
		rc = store_scope_get(r->st, up, &s);
		up = rc ? 0 : s.parent;
	}
	*ret = up == top ? PLACE_ELSEWHERE : PLACE_UNKNOWN;
	return rc;
}

int replica_correct(struct replica *r)
{
	struct cell *cells;
	struct cert_row *awaited = NULL;
	size_t n, later = 0, awaited_count = 0;
	/* Of two copies each would take what the other states for an old word of its own, and state its own again, for ever:
	 * the one that is named will state what is true (copies.h). */
	if (replica_stopped(r)) return 0;
	int rc = store_cells_dirty(r->st, &r->scratch, &cells, &n);
	if (!rc && n && !engine_custodian(r)) { /* others only sum what is stated */
		rc = store_cells_clean(r->st);
		n = 0;
	}
	if (!rc && n) rc = home_awaited(r, &r->scratch, &awaited, &awaited_count);
	rc = rc ? rc : home_clock(r, awaited, awaited_count);
	for (size_t i = 0; i < n && !rc; i++) {
		const struct cell *c = &cells[i];
		enum place place;
		bool comes = false;
		rc = place_of(r, c->scope, &place);
		if (!rc && place == PLACE_OURS)
			rc = home_awaits(r, c->scope, awaited, awaited_count, &comes);
		/* What the units above us count is theirs to correct; they would hold our word with an alarm. */
		if (!rc && (place == PLACE_UNKNOWN || comes))
			cells[later++] = (struct cell){
			        .scope = c->scope, .month = c->month, .kind = c->kind};
		if (rc || place != PLACE_OURS || comes) continue;
		int64_t missing = c->truth - c->stated, refused = -c->refused;
		rc = state_correction(r, c, "refused", refused);
		/* What is left comes from edits that did not know of each other, or from a device whose figures never
		 * arrived; which of the two, its streams tell. */
		int64_t gaps = 0;
		rc = rc ? rc : store_journal_gaps(r->st, &gaps);
		rc = rc ? rc : state_correction(r, c, "lost", gaps ? missing - refused : 0);
		rc = rc ? rc : state_correction(r, c, "concurrent", gaps ? 0 : missing - refused);
	}
	rc = rc || !n ? rc : store_cells_clean(r->st);
	rc = rc || !later ? rc : store_cells_add(r->st, cells, later);
	rc = rc ? rc : heads_state(r);
	return rc ? engine_fail(r, rc) : 0;
}
