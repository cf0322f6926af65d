/*
 * merge.c - an operation into a row: the one place where values replace values (architecture section 4).
 *
 * Commutative, associative, idempotent: the outcome is a function of the set of operations merged.  The
 * shown value of a field stands in the row, the other standing values in the candidate table; names of
 * all of them are the live bits of the clock.
 */
#include "common/base.h"

#include "proto/engine.h"
#include "proto/trail.h"

#include "common/ident.h"
#include "common/pack.h"

/* More than a row can need within lane_outgrown's bounds. */
enum { CLOCK_BYTES_MAX = 512 * 1024, EXTRA_BYTES_MAX = 5 * 1024 * 1024 };

uint64_t op_written(const struct op *op)
{
	return op->kind == OP_INSERT ? op->slots | 1 : op->slots;
}

bool op_creates(const struct op *op, uint64_t run)
{
	return op->kind == OP_INSERT && id_is_created(op->row) && id_run(op->row) == run &&
	       id_stamp(op->row) == op->stamp;
}

static bool is_dead(struct value alive)
{
	return alive.type != VALUE_INT || alive.i != 1;
}

/* Fields that this build does not know live in `extra`: msgpack map slot -> value. */
static int extra_load(struct span extra, struct value *v, size_t known)
{
	if (!extra.len) return 0;
	struct reader rd;
	reader_init(&rd, extra);
	uint32_t pairs = reader_map(&rd);
	for (uint32_t i = 0; i < pairs && !rd.bad; i++) {
		uint64_t slot = reader_uint(&rd, SLOTS_MAX - 1);
		struct value x = value_read(&rd);
		/* Since an upgrade the field may be known: its column is empty and the extra value counts. */
		if (!rd.bad && (slot >= known || v[slot].type == VALUE_NULL)) v[slot] = x;
	}
	return reader_done(&rd) ? 0 : -ERR_DATABASE_DAMAGED;
}

static bool slot_known(const struct lane_state *l, unsigned slot)
{
	return slot == 0 || (l->table && table_slot(l->table, l->lane, slot));
}

static void extra_save(const struct lane_state *l, struct buf *out)
{
	size_t count = 0;
	for (unsigned s = 1; s < SLOTS_MAX; s++)
		count += l->v[s].type != VALUE_NULL && !slot_known(l, s);
	if (!count) return;
	pack_map(out, count);
	for (unsigned s = 1; s < SLOTS_MAX; s++) {
		if (l->v[s].type == VALUE_NULL || slot_known(l, s)) continue;
		pack_uint(out, s);
		value_pack(out, l->v[s]);
	}
}

/* A row that cannot be read or merged is noted; the next transaction begins with rebuilding it. */
static int hurt(struct replica *r, const struct lane_state *l, int rc)
{
	if (rc != -ERR_DATABASE_DAMAGED) return engine_fail(r, rc);
	r->hurt = (struct hurt_row){.set = true, .table = l->number, .lane = l->lane};
	memcpy(r->hurt.id, l->id, 16);
	return error_set(&r->err, ERR_DATABASE_DAMAGED, "",
	                 "a row of table %u does not read, or lacks a value that stands",
	                 (unsigned)l->number);
}

int lane_of_row(struct replica *r, uint16_t table, unsigned lane, const struct row *row,
                struct lane_state *l)
{
	memset(l, 0, sizeof(*l));
	l->table = schema_table(store_schema(r->st), table);
	l->number = table;
	l->lane = lane;
	memcpy(l->id, row->id, 16);
	l->exists = l->existed = true;
	l->scope = row->scope;
	size_t slots = store_slots(r->st, table, lane);
	for (size_t s = 0; s < slots; s++) l->v[s] = row->v[s];
	int rc = extra_load(row->extra, l->v, slots);
	return rc ? rc : clock_load(r->st, row->id, row->clock, 4, &r->scratch, &l->clock);
}

int lane_load(struct replica *r, uint16_t table, unsigned lane, const uint8_t id[16],
              struct lane_state *l)
{
	memset(l, 0, sizeof(*l));
	l->table = schema_table(store_schema(r->st), table);
	l->number = table;
	l->lane = lane;
	memcpy(l->id, id, 16);
	struct row *row = NULL;
	uint8_t ids[1][16];
	memcpy(ids[0], id, 16);
	int rc =
	        store_rows_get(r->st, table, lane, (const uint8_t(*)[16])ids, 1, &r->scratch, &row);
	if (rc || !row) return rc ? engine_fail(r, rc) : 0;
	rc = lane_of_row(r, table, lane, row, l);
	if (rc) return hurt(r, l, rc);
	memcpy(l->v_before, l->v, sizeof(l->v));
	clock_hash(table, lane, id, &l->clock, l->hash_before);
	/* More than one live mark in some slot, or a tombstone that is content, may have candidates. */
	uint64_t once = 0, twice = 0;
	for (size_t i = 0; i < l->clock.count; i++) {
		twice |= once & l->clock.marks[i].live;
		once |= l->clock.marks[i].live;
	}
	if (twice || is_dead(l->v[0])) {
		rc = store_candidates_get(r->st, table, id, lane, &r->scratch, &l->candidates,
		                          &l->candidates_count);
		l->candidates_before = l->candidates_count;
	}
	return rc ? engine_fail(r, rc) : 0;
}

bool lane_knows(const struct lane_state *l, const struct op *op, uint64_t run)
{
	if (!l->exists) return false;
	if (op_creates(op, run)) return true;
	return clock_covers(&l->clock, run, op->stamp, op_written(op));
}

static size_t bytes_of(struct value v)
{
	return v.type == VALUE_TEXT || v.type == VALUE_BYTES ? v.s.len : 8;
}

bool lane_outgrown(const struct lane_state *l, const struct op *op, uint64_t run, size_t marks_max,
                   size_t bytes_max)
{
	uint64_t written = op_written(op);
	size_t marks = op->groups_count + 1, bytes = 0;
	for (size_t i = 0; i < l->clock.count; i++)
		marks += (l->clock.marks[i].slots & written) && l->clock.marks[i].run != run;
	/* Groups that name what is known add nothing; only near the bound is it worth a closer look. */
	for (size_t k = 0; marks > marks_max && k < op->groups_count; k++) {
		bool known = false;
		for (size_t i = 0; i < l->clock.count && !known; i++)
			known = l->clock.marks[i].run == op->groups[k].run &&
			        (l->clock.marks[i].slots & op->groups[k].slots & written);
		marks -= known;
	}
	for (size_t s = 0; s < SLOTS_MAX; s++) bytes += bytes_of(l->v[s]);
	for (size_t i = 0; i < l->candidates_count; i++) bytes += bytes_of(l->candidates[i].value);
	for (size_t i = 0; i < op->values_count; i++) bytes += bytes_of(op->values[i].value);
	return marks > marks_max || bytes > bytes_max ||
	       l->clock.count + op->groups_count + 1 > ROW_MARKS_ALL * (marks_max / ROW_MARKS_MAX);
}

/* A standing value and its name. */
struct stander {
	uint64_t run, stamp;
	struct value value;
};

static int candidate_run(struct replica *r, const struct candidate *c, uint64_t *ret_run)
{
	struct run_info info;
	int rc = store_run_get(r->st, c->run, &info);
	*ret_run = rc ? 0 : info.run;
	return rc;
}

static struct value op_value(const struct op *op, unsigned slot)
{
	if (slot == 0 && op->kind == OP_INSERT && !(op->slots & 1)) return value_int(1);
	for (size_t i = 0; i < op->values_count; i++)
		if (op->values[i].slot == slot) return op->values[i].value;
	return value_null();
}

/* In a set an element stays as long as one who put it in stands: alive wins over rank. */
static bool alive_wins(const struct lane_state *l, unsigned slot)
{
	return slot == 0 && l->table && l->table->kind == TABLE_SET;
}

/* Values that may still stand in a slot after the join: those before, and the operation's own. */
static int gather(struct replica *r, const struct lane_state *l, unsigned slot,
                  struct stander **ret, size_t *ret_count)
{
	struct stander *s = ARENA_ARRAY(&r->scratch, struct stander, l->candidates_count + 2);
	const struct clock_mark *shown = clock_shown(&l->clock, slot);
	size_t n = 0;
	for (size_t i = 0; i < l->candidates_count; i++) {
		const struct candidate *c = &l->candidates[i];
		if (c->slot != slot || c->kind == CANDIDATE_EDIT_OF_DELETED) continue;
		uint64_t run;
		int rc = candidate_run(r, c, &run);
		if (rc) return engine_fail(r, rc);
		s[n++] = (struct stander){run, c->stamp, c->value};
	}
	/* The row's value has the name that no candidate has. */
	for (size_t i = 0; alive_wins(l, slot) && i < l->clock.count; i++) {
		const struct clock_mark *m = &l->clock.marks[i];
		bool other = !(m->live >> slot & 1);
		for (size_t k = 0; k < n; k++)
			other |= s[k].run == m->run && s[k].stamp == m->stamp;
		if (!other) shown = m;
	}
	if (shown) s[n++] = (struct stander){shown->run, shown->stamp, l->v[slot]};
	*ret = s;
	*ret_count = n;
	return 0;
}

static struct value shown_value(const struct stander *s, size_t n, const struct clock_mark *shown)
{
	for (size_t k = 0; k < n; k++)
		if (s[k].run == shown->run && s[k].stamp == shown->stamp) return s[k].value;
	return value_null();
}

int lane_differs(struct replica *r, const struct lane_state *l, const struct op *op, uint64_t run,
                 bool *ret)
{
	*ret = false;
	if (!l->exists) return 0;
	uint64_t marked = 1; /* alive says nothing of a creation */
	for (size_t i = 0; i < l->clock.count; i++) marked |= l->clock.marks[i].slots;
	if (op_creates(op, run)) {
		for (unsigned slot = 1; slot < SLOTS_MAX && !*ret; slot++)
			*ret = !(marked >> slot & 1) &&
			       !value_equal(l->v[slot], op_value(op, slot));
		return 0;
	}
	for (size_t i = 0; i < l->clock.count && !*ret; i++) {
		const struct clock_mark *m = &l->clock.marks[i];
		uint64_t standing = m->live & op_written(op);
		if (m->run != run || m->stamp < op->stamp) continue;
		/* What its run wrote later is here, and it is not: its name may have been another's that is covered by now. */
		if (m->stamp > op->stamp) {
			*ret = !clock_covers(&l->clock, run, op->stamp, op_written(op));
			continue;
		}
		/* It would be known in all its slots and in no others.  (Or else somebody's word of it came before it.) */
		*ret = (m->slots & ~op_written(op)) ||
		       !clock_covers(&l->clock, run, op->stamp, op_written(op));
		for (unsigned slot = 0; slot < SLOTS_MAX && !*ret; slot++) {
			struct stander *s;
			size_t n;
			if (!(standing >> slot & 1)) continue;
			int rc = gather(r, l, slot, &s, &n);
			if (rc) return rc;
			for (size_t k = 0; k < n; k++)
				*ret |= s[k].run == run && s[k].stamp == op->stamp &&
				        !value_equal(s[k].value, op_value(op, slot));
		}
	}
	return 0;
}

/* The slot's values after the join: the shown one into the row, the others onto the new list. */
static int settle(struct replica *r, struct lane_state *l, unsigned slot, const struct stander *s,
                  size_t n, struct candidate *list, size_t *count)
{
	const struct clock_mark *shown = clock_shown(&l->clock, slot);
	for (size_t i = 0; alive_wins(l, slot) && i < l->clock.count;
	     i++) { /* of those, the highest rank */
		const struct clock_mark *m = &l->clock.marks[i];
		for (size_t k = 0; k < n && (m->live >> slot & 1); k++)
			if (s[k].run == m->run && s[k].stamp == m->stamp && !is_dead(s[k].value) &&
			    (is_dead(shown_value(s, n, shown)) || m->stamp > shown->stamp ||
			     (m->stamp == shown->stamp && m->run > shown->run)))
				shown = m;
	}
	l->v[slot] = slot == 0 ? value_int(0) : value_null();
	for (size_t i = 0; i < l->clock.count; i++) {
		const struct clock_mark *m = &l->clock.marks[i];
		if (!(m->live >> slot & 1)) continue;
		const struct stander *own = NULL;
		for (size_t k = 0; k < n; k++)
			if (s[k].run == m->run && s[k].stamp == m->stamp) own = &s[k];
		if (!own) return hurt(r, l, -ERR_DATABASE_DAMAGED);
		if (m == shown) {
			l->v[slot] = own->value;
			continue;
		}
		struct candidate *c = &list[(*count)++];
		*c = (struct candidate){.table = l->number,
		                        .lane = (uint8_t)l->lane,
		                        .slot = (uint8_t)slot,
		                        .scope = l->scope,
		                        .stamp = m->stamp,
		                        .value = own->value};
		memcpy(c->row, l->id, 16);
		int rc = store_run_ord(r->st, m->run, &c->run);
		if (rc) return engine_fail(r, rc);
	}
	for (size_t i = 0; i < *count;
	     i++) /* equal values are nobody's conflict, though both names stand */
		if (list[i].slot == slot && list[i].kind == CANDIDATE_VALUE &&
		    value_equal(list[i].value, l->v[slot]))
			list[i].kind = CANDIDATE_SAME;
	return 0;
}

/* Edits that a deletion did not know of: the tombstone's value lists what its author had seen. */
static int deleted_edits(struct replica *r, struct lane_state *l, struct candidate *list,
                         size_t *count)
{
	if (!is_dead(l->v[0])) return 0;
	/* A plain 0: its author had seen the row as created. */
	static const uint8_t nothing[] = {0x90};
	struct reader rd;
	reader_init(&rd, l->v[0].type == VALUE_BYTES ? l->v[0].s : span_of(nothing, 1));
	uint32_t groups = reader_array(&rd);
	struct clock_group *seen = ARENA_ARRAY(&r->scratch, struct clock_group, groups + 1);
	for (uint32_t i = 0; i < groups && !rd.bad; i++) {
		reader_expect_array(&rd, 3);
		seen[i].run = reader_uint(&rd, RUN_MASK);
		seen[i].stamp = reader_uint(&rd, STAMP_MAX);
		seen[i].slots = reader_uint(&rd, UINT64_MAX);
	}
	if (!reader_done(&rd))
		return 0; /* said by a peer in a form we do not read: the deletion stands all the same */
	uint64_t marked = 0;
	for (size_t i = 0; i < l->clock.count; i++) {
		const struct clock_mark *m = &l->clock.marks[i];
		uint64_t unseen = m->live & ~UINT64_C(1) & ~marked;
		for (uint32_t k = 0; k < groups; k++)
			if (seen[k].run == m->run && seen[k].stamp >= m->stamp)
				unseen &= ~seen[k].slots;
		for (unsigned slot = 1; slot < SLOTS_MAX; slot++) {
			if (!(unseen >> slot & 1)) continue;
			struct candidate *c = &list[(*count)++];
			*c = (struct candidate){.table = l->number,
			                        .lane = (uint8_t)l->lane,
			                        .slot = (uint8_t)slot,
			                        .kind = CANDIDATE_EDIT_OF_DELETED,
			                        .scope = l->scope,
			                        .stamp = m->stamp,
			                        .value = l->v[slot]};
			memcpy(c->row, l->id, 16);
			int rc = store_run_ord(r->st, m->run, &c->run);
			if (rc) return engine_fail(r, rc);
			marked |= UINT64_C(1) << slot;
		}
	}
	return 0;
}

static int create(struct lane_state *l, const struct op *op, uint32_t scope)
{
	l->exists = true;
	l->scope = scope;
	l->v[0] = value_int(1);
	for (size_t i = 0; i < op->values_count; i++)
		l->v[op->values[i].slot] = op->values[i].value;
	return 0;
}

int lane_merge(struct replica *r, struct lane_state *l, const struct op *op, uint64_t run,
               uint32_t scope, bool *ret_applied)
{
	*ret_applied = true;
	if (!l->exists && op->kind != OP_INSERT) {
		*ret_applied = false;
		return 0;
	}
	if (op_creates(op, run)) {
		if (!l->exists) return create(l, op, scope);
		/* The lane may have come into being by an insert of another name: the creation stands where
		 * nothing else is mentioned. */
		return 0;
	}
	if (!l->exists) {
		l->exists = true;
		l->scope = scope;
	}
	uint64_t written = op_written(op);
	struct stander **s = ARENA_ARRAY(&r->scratch, struct stander *, SLOTS_MAX);
	size_t n[SLOTS_MAX] = {0};
	for (unsigned slot = 0; slot < SLOTS_MAX; slot++) {
		if (!(written >> slot & 1)) continue;
		int rc = gather(r, l, slot, &s[slot], &n[slot]);
		if (rc) return rc;
		s[slot][n[slot]++] = (struct stander){run, op->stamp, op_value(op, slot)};
	}
	clock_join(&l->clock, &r->scratch, run, op->stamp, written, op->groups, op->groups_count);
	size_t room =
	        l->candidates_count + l->clock.count * (size_t)__builtin_popcountll(written) + 1;
	struct candidate *list = ARENA_ARRAY(&r->scratch, struct candidate, room);
	size_t count = 0;
	for (size_t i = 0; i < l->candidates_count; i++)
		if (!(written >> l->candidates[i].slot & 1) &&
		    l->candidates[i].kind != CANDIDATE_EDIT_OF_DELETED)
			list[count++] = l->candidates[i];
	for (unsigned slot = 0; slot < SLOTS_MAX; slot++) {
		int rc = written >> slot & 1 ? settle(r, l, slot, s[slot], n[slot], list, &count)
		                             : 0;
		if (rc) return rc;
	}
	if (is_dead(l->v[0])) { /* at most one edit a slot more */
		struct candidate *more =
		        ARENA_ARRAY(&r->scratch, struct candidate, count + SLOTS_MAX);
		memcpy(more, list, count * sizeof(*list));
		list = more;
	}
	int rc = deleted_edits(r, l, list, &count);
	for (size_t i = l->candidates_count; i < count; i++)
		env_trace(r->env, "merge: %s, table %u",
		          list[i].kind == CANDIDATE_EDIT_OF_DELETED ? "edit of deleted"
		                                                    : "conflict",
		          (unsigned)l->number);
	l->candidates = list;
	l->candidates_count = count;
	return rc;
}

/* Differences of cells that a change of this row makes. */
static size_t cell_differences(const struct lane_state *l, bool before, bool after,
                               struct figure_cell *ret)
{
	struct figure_cell was[FIGURE_CELLS_MAX], is[FIGURE_CELLS_MAX];
	size_t w = before && l->existed ? figure_cells(l->table, l->lane, l->v_before, was) : 0;
	size_t i = after && l->exists ? figure_cells(l->table, l->lane, l->v, is) : 0;
	size_t n = 0;
	for (size_t k = 0; k < w; k++) {
		ret[n] = was[k];
		ret[n++].amount = -was[k].amount;
	}
	for (size_t k = 0; k < i; k++) ret[n++] = is[k];
	return n;
}

size_t lane_cells(const struct lane_state *l, struct figure_cell *ret)
{
	return l->table ? cell_differences(l, true, true, ret) : 0;
}

static int64_t stated_of(const struct lane_state *l, const struct value *v, bool there,
                         int64_t *ret_month, unsigned *ret_kind)
{
	const char *const names[2][3] = {{"month", "kind", "value"},
	                                 {"closed_month", "closed_kind", "closed_value"}};
	struct value x[3];
	for (size_t i = 0; i < 3; i++) {
		const struct field *f =
		        table_field_named(l->table, names[l->lane == LANE_COUNTY][i]);
		x[i] = f ? v[field_slot(f)] : value_null();
	}
	*ret_month = x[0].type == VALUE_INT ? x[0].i : 0;
	*ret_kind = x[1].type == VALUE_TEXT ? figure_kind_named(x[1].s) : 0;
	return there && x[2].type == VALUE_INT ? x[2].i : 0;
}

struct cell lane_stated(const struct lane_state *l)
{
	struct cell c = {.scope = l->scope};
	if (l->table && l->number == TABLE_FIGURE && l->lane <= LANE_COUNTY)
		c.stated = stated_of(l, l->v, l->exists, &c.month, &c.kind);
	return c;
}

/* Cells of truth at the custodian, and of stated figures wherever they are merged. */
static int save_cells(struct replica *r, const struct lane_state *l)
{
	if (!l->table || !replica_is_hub(r)) return 0;
	struct cell cells[2 * FIGURE_CELLS_MAX];
	size_t n = 0;
	if (l->number == TABLE_FIGURE && l->lane <= LANE_COUNTY) {
		struct cell c = {.scope = l->scope};
		int64_t was = stated_of(l, l->v_before, l->existed, &c.month, &c.kind);
		c.stated = stated_of(l, l->v, l->exists, &c.month, &c.kind) - was;
		if (!l->exists) stated_of(l, l->v_before, true, &c.month, &c.kind);
		if (c.kind && c.stated) cells[n++] = c;
	} else if (l->number == TABLE_CORRECTION && l->lane <= LANE_COUNTY && engine_custodian(r)) {
		/* Stated before this disk went back, it may show in the place of what is stated now: to be looked at. */
		struct cell c = {.scope = l->scope};
		(void)stated_of(l, l->v, l->exists, &c.month, &c.kind);
		if (c.kind) cells[n++] = c;
	} else if (engine_custodian(r)) {
		struct figure_cell d[2 * FIGURE_CELLS_MAX];
		size_t m = lane_cells(l, d);
		for (size_t i = 0; i < m; i++)
			cells[n++] = (struct cell){.scope = l->scope,
			                           .month = d[i].month,
			                           .kind = d[i].kind,
			                           .truth = d[i].amount};
	}
	return n ? store_cells_add(r->st, cells, n) : 0;
}

static int save_candidates(struct replica *r, struct lane_state *l)
{
	if (!l->candidates_count && !l->candidates_before) return 0;
	return store_candidates_set(r->st, l->number, l->id, l->lane, l->candidates,
	                            l->candidates_count);
}

static int save_state(struct replica *r, const struct lane_state *l)
{
	uint8_t delta[STATE_BYTES] = {0}, now[STATE_BYTES];
	if (l->exists) {
		clock_hash(l->number, l->lane, l->id, &l->clock, now);
		state_add(delta, now);
	}
	if (l->existed) state_subtract(delta, l->hash_before);
	static const uint8_t zero[STATE_BYTES];
	return memcmp(delta, zero, STATE_BYTES) ? store_state_add(r->st, l->scope, l->lane, delta)
	                                        : 0;
}

/* ---- edits that meet no other */

/* A row grows past its bound by at most EDIT_BYTES_MAX a slot before lane_outgrown looks at it. */
enum { EDIT_MARKS_MAX = 16, EDIT_BYTES_MAX = 256 };

struct edit {
	struct row_join join;
	struct replica *r;
	const struct op *op;
	uint64_t run;
	unsigned lane;
	uint8_t delta[STATE_BYTES]; /* of the state hash */
};

/* Whatever is not plainly an edit that replaces values known to its author is left: two values that stand in a slot,
 * before or after, or a change that is known already, by its name at least. */
static bool edit_join(struct row_join *j, struct span was, struct span *ret)
{
	struct edit *e = (struct edit *)j;
	struct replica *r = e->r;
	const struct op *op = e->op;
	struct clock c;
	uint8_t hash[STATE_BYTES];
	uint64_t live = 0, twice = 0;
	if (clock_load(r->st, op->row, was, op->groups_count + 1, &r->scratch, &c)) return false;
	if (c.count > EDIT_MARKS_MAX) return false;
	for (size_t i = 0; i < c.count; i++) {
		if (c.marks[i].run == e->run && c.marks[i].stamp >= op->stamp) return false;
		twice |= live & c.marks[i].live;
		live |= c.marks[i].live;
	}
	if (twice & op->slots) return false;
	clock_hash(op->table, e->lane, op->row, &c, hash);
	if (clock_join(&c, &r->scratch, e->run, op->stamp, op->slots, op->groups,
	               op->groups_count) != op->slots)
		return false;
	for (size_t i = 0; i < c.count; i++) {
		const struct clock_mark *m = &c.marks[i];
		bool own = m->run == e->run && m->stamp == op->stamp;
		if ((m->live & op->slots) != (own ? op->slots : 0)) return false;
	}
	clock_hash(op->table, e->lane, op->row, &c, e->delta);
	state_subtract(e->delta, hash);
	buf_reset(&r->clock);
	if (clock_store(r->st, op->row, &c, &r->clock) || r->clock.full) return false;
	*ret = buf_span(&r->clock);
	return true;
}

int lane_edit(struct replica *r, unsigned lane, const struct op *op, uint64_t run, uint32_t scope,
              bool *ret_done)
{
	struct edit e = {.join = {edit_join}, .r = r, .op = op, .run = run, .lane = lane};
	struct value v[SLOTS_MAX];
	struct row row = {.scope = scope, .v = v};
	size_t bytes = 0;
	*ret_done = false;
	assert(op->kind == OP_UPDATE);
	for (size_t i = 0; i < op->values_count; i++) {
		const struct field_value *f = &op->values[i];
		bytes += bytes_of(f->value);
		v[f->slot] = f->value;
	}
	if ((op->slots & 1 && is_dead(v[0])) || bytes > EDIT_BYTES_MAX ||
	    op->groups_count > EDIT_MARKS_MAX)
		return 0;
	memcpy(row.id, op->row, 16);
	const struct arena_mark memory = arena_mark(&r->scratch);
	privacy_changed(r, op->table);
	int rc = store_row_join(r->st, op->table, lane, &row, op->slots, &e.join, ret_done);
	if (!rc && *ret_done) rc = store_state_add(r->st, scope, lane, e.delta);
	arena_rewind(&r->scratch, &memory);
	return rc ? engine_fail(r, rc) : 0;
}

int lane_save(struct replica *r, struct lane_state *l, uint64_t touched)
{
	struct buf clock, extra;
	privacy_changed(r, l->number);
	buf_init(&clock, CLOCK_BYTES_MAX);
	buf_init(&extra, EXTRA_BYTES_MAX);
	int rc = clock_store(r->st, l->id, &l->clock, &clock);
	extra_save(l, &extra);
	struct row row = {
	        .scope = l->scope, .v = l->v, .clock = buf_span(&clock), .extra = buf_span(&extra)};
	memcpy(row.id, l->id, 16);
	if (!rc && (clock.full || extra.full))
		rc = error_set(&r->err, ERR_LIMIT, "", "a row of table %u has outgrown its clock",
		               (unsigned)l->number);
	if (!rc && !l->existed) {
		bool fresh;
		rc = store_rows_insert(r->st, l->number, l->lane, &row, 1, &fresh);
	} else if (!rc) {
		rc = store_rows_update(r->st, l->number, l->lane, &row, &touched, 1);
	}
	rc = rc ? rc : save_candidates(r, l);
	rc = rc ? rc : save_state(r, l);
	rc = rc ? rc : save_cells(r, l);
	if (!rc && l->number == TABLE_ORG_UNIT) rc = engine_org_changed(r, l->id);
	if (!rc && l->number == TABLE_TRAIL && !l->existed) rc = trail_seen(r, l->id);
	if (!rc) erase_seen(r, l->number, l->scope, l->v);
	buf_done(&clock);
	buf_done(&extra);
	return rc ? engine_fail(r, rc) : 0;
}

int lane_put(struct replica *r, struct lane_state *l)
{
	struct buf clock, extra;
	bool fresh;
	privacy_changed(r, l->number);
	int rc = store_candidates_set(r->st, l->number, l->id, l->lane, NULL, 0);
	rc = rc ? rc : store_row_drop(r->st, l->number, l->lane, l->id);
	if (rc || !l->exists) return rc ? engine_fail(r, rc) : 0;
	buf_init(&clock, 64 * 1024);
	buf_init(&extra, 4 * 1024 * 1024);
	rc = clock_store(r->st, l->id, &l->clock, &clock);
	extra_save(l, &extra);
	struct row row = {
	        .scope = l->scope, .v = l->v, .clock = buf_span(&clock), .extra = buf_span(&extra)};
	memcpy(row.id, l->id, 16);
	rc = rc ? rc : store_rows_insert(r->st, l->number, l->lane, &row, 1, &fresh);
	if (!rc && l->candidates_count)
		rc = store_candidates_set(r->st, l->number, l->id, l->lane, l->candidates,
		                          l->candidates_count);
	if (!rc && l->number == TABLE_ORG_UNIT) rc = engine_org_changed(r, l->id);
	if (!rc) erase_seen(r, l->number, l->scope, l->v);
	/* What it says may be of a time before the last correction, which did not see it. */
	if (!rc && l->number == TABLE_CORRECTION) rc = save_cells(r, l);
	buf_done(&clock);
	buf_done(&extra);
	return rc ? engine_fail(r, rc) : 0;
}

int lane_adopt(struct replica *r, uint16_t table, unsigned lane, const struct row *row,
               struct lane_state *l)
{
	memset(l, 0, sizeof(*l));
	l->table = schema_table(store_schema(r->st), table);
	l->number = table;
	l->lane = lane;
	l->exists = true;
	l->scope = row->scope;
	memcpy(l->id, row->id, 16);
	l->v[0] = row->v[0];
	int rc = extra_load(row->extra, l->v, /* known= */ 1);
	return rc ? rc : clock_load(r->st, row->id, row->clock, 1, &r->scratch, &l->clock);
}

int lane_save_adopted(struct replica *r, struct lane_state *l)
{
	struct buf clock, extra;
	bool fresh;
	buf_init(&clock, CLOCK_BYTES_MAX);
	buf_init(&extra, EXTRA_BYTES_MAX);
	int rc = clock_store(r->st, l->id, &l->clock, &clock);
	extra_save(l, &extra);
	struct row row = {
	        .scope = l->scope, .v = l->v, .clock = buf_span(&clock), .extra = buf_span(&extra)};
	memcpy(row.id, l->id, 16);
	rc = rc ? rc : store_rows_insert(r->st, l->number, l->lane, &row, 1, &fresh);
	rc = rc ? rc : save_cells(r, l);
	if (!rc) erase_seen(r, l->number, l->scope, l->v);
	buf_done(&clock);
	buf_done(&extra);
	return rc ? engine_fail(r, rc) : 0;
}

int lane_created(struct replica *r, const struct table *t, unsigned lane, const struct row *row)
{
	struct clock none = {0};
	uint8_t hash[STATE_BYTES];
	struct figure_cell d[FIGURE_CELLS_MAX];
	struct cell cells[FIGURE_CELLS_MAX];
	size_t n = engine_custodian(r) ? figure_cells(t, lane, row->v, d) : 0;
	assert(t->number != TABLE_ORG_UNIT && t->number != TABLE_FIGURE);
	privacy_changed(r, t->number);
	erase_seen(r, t->number, row->scope, row->v);
	clock_hash(t->number, lane, row->id, &none, hash);
	int rc = store_state_add(r->st, row->scope, lane, hash);
	for (size_t i = 0; i < n; i++)
		cells[i] = (struct cell){.scope = row->scope,
		                         .month = d[i].month,
		                         .kind = d[i].kind,
		                         .truth = d[i].amount};
	rc = rc || !n ? rc : store_cells_add(r->st, cells, n);
	return rc ? engine_fail(r, rc) : 0;
}

int lane_drop(struct replica *r, struct lane_state *l)
{
	if (!l->exists) return 0;
	privacy_changed(r, l->number);
	l->exists = false;
	l->candidates_count = 0;
	int rc = save_state(r, l);
	rc = rc ? rc : save_cells(r, l);
	rc = rc ? rc : store_candidates_set(r->st, l->number, l->id, l->lane, NULL, 0);
	rc = rc ? rc : store_row_drop(r->st, l->number, l->lane, l->id);
	return rc ? engine_fail(r, rc) : 0;
}
