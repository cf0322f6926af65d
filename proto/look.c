/*
 * look.c - looking at a replica: counts, history, standing values, verification.  Changes nothing.
 */
#include "common/base.h"

#include "proto/engine.h"

#include "common/ident.h"

/* Cells whose correction is still to be stated; not those that wait for somebody to bring back what we lost. */
static int count_uncorrected(struct replica *r, struct replica_counts *ret)
{
	struct cert_row *awaited = NULL;
	struct cell *cells;
	struct arena a;
	size_t n = 0, of = 0;
	arena_init(&a, 0);
	int rc = home_awaited(r, &a, &awaited, &of);
	rc = rc ? rc : store_cells_dirty(r->st, &a, &cells, &n);
	for (size_t i = 0; i < n && !rc && !ret->unstated; i++) {
		bool comes;
		rc = home_awaits(r, cells[i].scope, awaited, of, &comes);
		ret->unstated = !rc && !comes;
	}
	ret->awaited = (int64_t)of;
	arena_done(&a);
	return rc ? engine_fail(r, rc) : 0;
}

int replica_counts(struct replica *r, struct replica_counts *ret)
{
	struct cert parent;
	struct peer peer = {0};
	uint8_t rolling[ROLLING_BYTES], origin[16];
	int64_t bytes, head, unsealed_own = 0;
	bool known = false;
	unsigned lanes = (1u << LANES) - 1;
	memset(ret, 0, sizeof(*ret));
	int rc = store_tail_size(r->st, &ret->tail, &bytes);
	if (!rc && replica_parent(r, &parent)) {
		origin_of(parent.origin_key, origin);
		lanes = parent.lanes & r->cert.lanes;
		rc = store_peer_get(r->st, origin, &peer, &known);
	}
	rc = rc ? rc : store_journal_own(r->st, peer.acked, lanes, &unsealed_own);
	rc = rc ? rc : store_journal_head(r->st, &head, rolling);
	rc = rc ? rc : store_refused_count(r->st, /* mine_only= */ true, &ret->refused);
	rc = rc ? rc : store_refused_count(r->st, /* mine_only= */ false, &ret->refused_children);
	rc = rc ? rc : store_parked_count(r->st, &ret->parked);
	rc = rc ? rc : store_waiting_count(r->st, &ret->waiting);
	if (!rc && !replica_is_hub(r)) rc = store_waiting_own(r->st, &ret->unadmitted);
	rc = rc ? rc : store_candidates_count(r->st, &ret->conflicts);
	rc = rc ? rc : store_journal_gaps(r->st, &ret->gaps);
	if (rc) return engine_fail(r, rc);
	ret->waiting -= ret->unadmitted;
	bool has_parent = replica_parent(r, &parent);
	int64_t open = 0;
	rc = store_tail_records(r->st, &open);
	if (rc) return engine_fail(r, rc);
	ret->unsent = open + (has_parent || !r->has_cert ? unsealed_own : 0);
	ret->merged = r->s.merged;
	ret->received = has_parent ? r->s.sealed - unsealed_own - r->s.merged : 0;
	if (ret->received < 0) ret->received = 0;
	if (replica_is_hub(r)) ret->merged = r->s.sealed - (has_parent ? unsealed_own : 0);
	if (replica_is_hub(r)) ret->received = 0;
	ret->unapplied = head - r->s.applied;
	ret->refused_children -= ret->refused;
	if (engine_custodian(r)) rc = count_uncorrected(r, ret);
	if (rc) return rc;
	ret->alarms = r->s.alarms;
	ret->journal = head;
	ret->runs = r->s.runs;
	ret->restored = r->s.restored;
	return replica_repair_counts(r, &ret->differing, &ret->mended);
}

int replica_place_known(struct replica *r, bool *ret)
{
	uint8_t top[16], id[16];
	struct cert_row *row;
	struct scope scope;
	struct arena a;
	uint32_t at = r->own_scope, above = 0;
	int rc = 0;
	*ret = false;
	if (!r->has_cert) return 0;
	memcpy(id, r->cert.id, 16);
	memcpy(top, r->cert.unit, 16);
	arena_init(&a, 0);
	for (unsigned depth = 0; depth < CERT_CHAIN_MAX; depth++) {
		rc = store_cert_by_id(r->st, id, &a, &row);
		if (rc || !row || row->role == CERT_ROOT) break;
		memcpy(top, row->unit, 16);
		memcpy(id, row->issuer, 16);
	}
	arena_done(&a);
	rc = rc ? rc : store_scope_ord(r->st, top, false, &above);
	for (unsigned depth = 0; !rc && at && at != above && depth < 12; depth++) {
		rc = store_scope_get(r->st, at, &scope);
		at = rc ? 0 : scope.parent;
	}
	*ret = !rc && above && at == above;
	return rc ? engine_fail(r, rc) : 0;
}

/* ---- history */

static int history_state(const struct known_op *o)
{
	if (!o->recv) return HISTORY_TAIL;
	if (o->hub_authored) return HISTORY_OWN;
	if (o->verdict == VERDICT_ACCEPTED) return HISTORY_ADMITTED;
	return o->verdict == VERDICT_REFUSED ? HISTORY_REFUSED : HISTORY_WAITS;
}

static int item_order(const void *x, const void *y)
{
	const struct history_item *a = x, *b = y;
	if (a->op->stamp != b->op->stamp) return a->op->stamp < b->op->stamp ? -1 : 1;
	if (a->run != b->run) return a->run < b->run ? -1 : 1;
	return (int)a->lane - (int)b->lane;
}

/* The scopes that this row may lie in: that of the row as it stands; else all (a refused row stands nowhere). */
static int row_scopes(struct replica *r, const uint8_t row[16], struct arena *a, uint32_t **ret,
                      size_t *ret_count)
{
	uint16_t tables[TABLES_MAX];
	size_t n;
	int rc = store_row_tables(r->st, row, tables, &n);
	for (size_t i = 0; i < n && !rc; i++)
		for (unsigned lane = 0; lane < LANE_RESERVED && !rc; lane++) {
			struct row *found;
			uint8_t ids[1][16];
			memcpy(ids[0], row, 16);
			rc = store_rows_get(r->st, tables[i], lane, (const uint8_t(*)[16])ids, 1, a,
			                    &found);
			if (rc || !found) continue;
			*ret = arena_take(a, sizeof(uint32_t));
			(*ret)[0] = found->scope;
			*ret_count = 1;
			return 0;
		}
	struct scope *scopes;
	rc = rc ? rc : store_scopes(r->st, a, &scopes, ret_count);
	if (rc) return rc;
	*ret = arena_take(a, sizeof(uint32_t) * (*ret_count + 1));
	for (size_t i = 0; i < *ret_count; i++) (*ret)[i] = scopes[i].ord;
	return 0;
}

int replica_history(struct replica *r, const uint8_t row[16], struct arena *a,
                    struct history_item **ret, size_t *ret_count)
{
	uint32_t *scopes = NULL;
	size_t scopes_count = 0, count = 0;
	struct history_item *items = NULL;
	int rc = row_scopes(r, row, a, &scopes, &scopes_count);
	for (size_t s = 0; s < scopes_count && !rc; s++)
		for (unsigned lane = 0; lane < LANE_RESERVED && !rc; lane++) {
			struct known_op *ops;
			size_t n;
			rc = admit_ops_of_row(r, lane, row, scopes[s], a, &ops, &n);
			if (rc || !n) continue;
			struct history_item *more = ARENA_ARRAY(a, struct history_item, count + n);
			if (count) memcpy(more, items, count * sizeof(*more));
			items = more;
			for (size_t i = 0; i < n; i++) {
				struct history_item *h = &items[count++];
				*h = (struct history_item){.lane = lane,
				                           .run = ops[i].run,
				                           .recv = ops[i].recv,
				                           .state = history_state(&ops[i]),
				                           .op = ops[i].op};
				memcpy(h->origin, ops[i].origin, 16);
				memcpy(h->author, ops[i].changeset->author, 8);
			}
		}
	if (!rc && count) qsort(items, count, sizeof(*items), item_order);
	*ret = items;
	*ret_count = count;
	return rc ? engine_fail(r, rc) : 0;
}

/* ---- standing values */

static int origin_of_run(struct replica *r, uint64_t run, uint8_t ret[16])
{
	struct run_info info;
	uint32_t ord;
	int rc = store_run_ord(r->st, run, &ord);
	if (rc || !ord) return rc;
	rc = store_run_get(r->st, ord, &info);
	if (!rc) memcpy(ret, info.origin, 16);
	return rc;
}

int replica_standing(struct replica *r, uint16_t table, const uint8_t row[16], unsigned lane,
                     unsigned slot, struct arena *a, struct standing **ret, size_t *ret_count)
{
	struct lane_state *l = ARENA_ARRAY(a, struct lane_state, 1);
	*ret_count = 0;
	int rc = lane_load(r, table, lane, row, l);
	if (rc || !l->exists) return rc;
	*ret = ARENA_ARRAY(a, struct standing, l->candidates_count + 1);
	const struct clock_mark *m = clock_shown(&l->clock, slot);
	struct standing *s = &(*ret)[(*ret_count)++];
	*s = (struct standing){.run = m ? m->run : id_run(row),
	                       .stamp = m ? m->stamp : id_stamp(row),
	                       .value = value_copy(a, l->v[slot])};
	rc = origin_of_run(r, s->run, s->origin);
	for (size_t i = 0; i < l->candidates_count && !rc; i++) {
		const struct candidate *c = &l->candidates[i];
		struct run_info info;
		if (c->slot != slot || c->kind == CANDIDATE_EDIT_OF_DELETED) continue;
		rc = store_run_get(r->st, c->run, &info);
		s = &(*ret)[(*ret_count)++];
		*s = (struct standing){
		        .run = info.run, .stamp = c->stamp, .value = value_copy(a, c->value)};
		memcpy(s->origin, info.origin, 16);
	}
	return rc ? engine_fail(r, rc) : 0;
}
