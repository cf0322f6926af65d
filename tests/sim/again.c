/*
 * again.c - see again.h.
 */
#include "common/base.h"

#include "tests/sim/again.h"

#include "common/calendar.h"
#include "common/ident.h"
#include "hub/summary.h"
#include "proto/figure.h"
#include "tests/sim/folds.h"

enum { MARKS_ROOM = 4096 };

/* ---- state hashes */

struct mark_of_slot {
	uint64_t run, stamp;
	unsigned slot;
	bool live;
};

static bool writes_slot(const struct oracle_op *x, unsigned slot)
{
	return ((x->op->slots | (x->op->kind == OP_INSERT)) >> slot & 1) != 0;
}

static bool is_creation(const struct oracle_op *x)
{
	return x->op->kind == OP_INSERT && id_is_created(x->op->row) &&
	       id_run(x->op->row) == x->run && id_stamp(x->op->row) == x->op->stamp;
}

static void account(struct mark_of_slot *m, size_t *count, uint64_t run, uint64_t stamp,
                    unsigned slot)
{
	for (size_t i = 0; i < *count; i++)
		if (m[i].run == run && m[i].slot == slot) {
			if (m[i].stamp < stamp) m[i].stamp = stamp;
			return;
		}
	assert(*count < MARKS_ROOM);
	m[(*count)++] = (struct mark_of_slot){.run = run, .stamp = stamp, .slot = slot};
}

static int compare_marks(const void *a, const void *b)
{
	const struct mark_of_slot *x = a, *y = b;

	if (x->run != y->run) return x->run < y->run ? -1 : 1;
	if (x->stamp != y->stamp) return x->stamp < y->stamp ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* "For these slots, everything that this run wrote up to this stamp is accounted for", slot by slot. */
static size_t marks_of(const struct oracle *o, const struct oracle_row *row, struct mark_of_slot *m)
{
	size_t count = 0;

	for (unsigned slot = 0; slot < SLOTS_MAX; slot++) {
		struct oracle_value standing[ORACLE_STANDING_MAX];
		size_t first = count, n;

		for (size_t i = row->first; i < row->first + row->count; i++) {
			const struct oracle_op *x = &o->ops[i];

			if (is_creation(x) || !writes_slot(x, slot)) continue;
			account(m, &count, x->run, x->op->stamp, slot);
			for (size_t k = 0; k < x->op->groups_count; k++) {
				const struct clock_group *g = &x->op->groups[k];

				if (g->run != x->run && (g->slots >> slot & 1))
					account(m, &count, g->run, g->stamp, slot);
			}
		}
		if (count == first) continue; /* nothing but the creation */
		n = oracle_standing(o, row, slot, standing);
		for (size_t i = first; i < count; i++)
			for (size_t k = 0; k < n; k++)
				m[i].live |= standing[k].run == m[i].run &&
				             standing[k].stamp == m[i].stamp;
	}
	if (count) qsort(m, count, sizeof(*m), compare_marks);
	return count;
}

static void put_u64(struct hash *h, uint64_t v)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < 8; i++) bytes[i] = (uint8_t)(v >> (8 * i));
	hash_add(h, bytes, sizeof(bytes));
}

static void row_hash(const struct oracle *o, const struct oracle_row *row, uint8_t ret[STATE_BYTES])
{
	struct mark_of_slot *m = mem_alloc(MARKS_ROOM * sizeof(*m));
	size_t count = marks_of(o, row, m);
	uint8_t head[3] = {(uint8_t)row->table, (uint8_t)(row->table >> 8), (uint8_t)row->lane};
	struct hash h;

	hash_begin(&h, STATE_BYTES);
	hash_add(&h, head, sizeof(head));
	hash_add(&h, row->id, 16);
	for (size_t i = 0; i < count;) {
		uint64_t slots = 0, live = 0, run = m[i].run, stamp = m[i].stamp;

		for (; i < count && m[i].run == run && m[i].stamp == stamp; i++) {
			slots |= UINT64_C(1) << m[i].slot;
			if (m[i].live) live |= UINT64_C(1) << m[i].slot;
		}
		put_u64(&h, run);
		put_u64(&h, stamp);
		put_u64(&h, slots);
		put_u64(&h, live);
	}
	hash_end(&h, ret, STATE_BYTES);
	free(m);
}

static void add_128(uint8_t sum[STATE_BYTES], const uint8_t x[STATE_BYTES])
{
	unsigned carry = 0;

	for (size_t i = 0; i < STATE_BYTES; i++) {
		carry += (unsigned)sum[i] + x[i];
		sum[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

void again_states(struct world *w, const struct view *v)
{
	struct scope *scopes = NULL;
	struct arena a;
	size_t count = 0;

	arena_init(&a, 0);
	if (store_scopes(v->device->keeper, &a, &scopes, &count) < 0) count = 0;
	for (size_t s = 0; s < count; s++)
		for (unsigned lane = 0; lane < LANE_RESERVED; lane++) {
			uint8_t sum[STATE_BYTES] = {0}, one[STATE_BYTES], kept[STATE_BYTES];

			for (size_t i = 0; i < v->oracle.rows_count; i++) {
				const struct oracle_row *row = &v->oracle.rows[i];

				if (!row->exists || row->lane != lane ||
				    memcmp(row->scope, scopes[s].id, 16) != 0)
					continue;
				row_hash(&v->oracle, row, one);
				add_128(sum, one);
			}
			if (store_state_get(v->device->keeper, scopes[s].ord, lane, kept) == 0 &&
			    memcmp(sum, kept, STATE_BYTES) != 0)
				world_fail(w, "state",
				           "%s: scope %u lane %u: the state hash is not that of "
				           "its changes",
				           v->device->label, scopes[s].ord, lane);
		}
	arena_done(&a);
}

/* ---- edits that a deletion did not know of */

static bool is_dead(struct value alive)
{
	return alive.type != VALUE_INT || alive.i != 1;
}

/* Does the tombstone's own list name this value?  A form that nobody reads lists everything. */
static bool tombstone_knows(struct value tombstone, const struct oracle_value *x, unsigned slot)
{
	struct reader r;
	bool knows = false;

	if (tombstone.type != VALUE_BYTES) return false;
	reader_init(&r, tombstone.s);
	for (uint32_t n = reader_array(&r); n > 0 && !r.bad; n--) {
		uint64_t run, stamp, slots;

		reader_expect_array(&r, 3);
		run = reader_uint(&r, RUN_MASK);
		stamp = reader_uint(&r, STAMP_MAX);
		slots = reader_uint(&r, UINT64_MAX);
		knows |= run == x->run && stamp >= x->stamp && (slots >> slot & 1);
	}
	return knows || !reader_done(&r);
}

static bool stands_unsaid(const struct view *v, const struct oracle_row *row,
                          const struct oracle_value *x)
{
	for (size_t i = row->first; i < row->first + row->count; i++) {
		const struct oracle_op *op = &v->oracle.ops[i];

		if (op->run == x->run && op->op->stamp == x->stamp) return is_creation(op);
	}
	return false;
}

void again_deleted(struct world *w, const struct view *v)
{
	struct candidate *c = NULL;
	size_t count = 0;
	struct arena a;

	arena_init(&a, 0);
	if (store_candidates_list(v->device->keeper, 1u << 20, &a, &c, &count) < 0) count = 0;
	for (size_t i = 0; i < v->oracle.rows_count; i++) {
		const struct oracle_row *row = &v->oracle.rows[i];
		const struct table *t = schema_table(device_schema(v->device), row->table);
		struct value alive = oracle_shown(&v->oracle, row, 0, false);
		char id[ID_TEXT];

		if (!row->exists || !t || t->kind == TABLE_SET || !is_dead(alive)) continue;
		for (unsigned slot = 1; slot < SLOTS_MAX; slot++) {
			struct oracle_value standing[ORACLE_STANDING_MAX];
			size_t n = oracle_standing(&v->oracle, row, slot, standing);
			bool want = false, have = false;

			for (size_t k = 0; k < n; k++)
				want |= !stands_unsaid(v, row, &standing[k]) &&
				        !tombstone_knows(alive, &standing[k], slot);
			for (size_t k = 0; k < count; k++)
				have |= c[k].kind == CANDIDATE_EDIT_OF_DELETED &&
				        c[k].lane == row->lane && c[k].slot == slot &&
				        memcmp(c[k].row, row->id, 16) == 0;
			if (want == have) continue;
			id_text(row->id, id);
			world_fail(w, "deleted",
			           "%s: %s %s lane %u slot %u: an edit that the deletion did not "
			           "know of is %s",
			           v->device->label, t->name, id, row->lane, slot,
			           want ? "not listed" : "listed and is none");
		}
	}
	arena_done(&a);
}

/* ---- changesets that stand or fall together */

void again_whole(struct world *w, const struct view *v)
{
	const struct record *first = NULL;

	for (size_t i = 0; i < v->count; i++) {
		const struct record *r = &v->records[i];

		if (!r->whole) continue;
		first = NULL;
		for (size_t k = 0; k < i && !first; k++)
			if (v->records[k].whole == r->whole) first = &v->records[k];
		if (first && ((first->words ^ r->words) & (WORD_ACCEPTED | WORD_REFUSED)) != 0)
			world_fail(w, "whole",
			           "%s: of one changeset, which stands or falls together, words %u "
			           "and %u",
			           v->device->label, first->words, r->words);
	}
}

/* ---- figures */

static void add(struct again_figures *f, const uint8_t unit[16], int64_t month, unsigned kind,
                int64_t amount)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->cells[i].month == month && f->cells[i].kind == kind &&
		    memcmp(f->cells[i].unit, unit, 16) == 0) {
			f->cells[i].amount += amount;
			return;
		}
	if (f->count == f->room) {
		f->room = f->room ? f->room * 2 : 16;
		f->cells = mem_grow(f->cells, f->room * sizeof(*f->cells));
	}
	f->cells[f->count] = (struct again_cell){.month = month, .kind = kind, .amount = amount};
	memcpy(f->cells[f->count++].unit, unit, 16);
}

/* A row as a device shows it. */
struct shown {
	const struct table *t;
	const struct row_view *v;
	struct again_figures *figures;
	uint8_t unit[16];
	int64_t sign;
};

/* A field's value where its lane has the row, alive. */
static struct value value_of(const struct shown *s, const char *name)
{
	const struct field *f = table_field_named(s->t, name);
	unsigned lane = f ? field_lane(f) : 0;

	if (!f || !(s->v->lanes >> lane & 1) || (s->v->dead >> lane & 1)) return value_null();
	return s->v->values[f - s->t->fields];
}

static bool says(const struct shown *s, const char *name, const char *text)
{
	struct value v = value_of(s, name);

	return v.type == VALUE_TEXT && v.s.len == strlen(text) && !memcmp(v.s.p, text, v.s.len);
}

static int64_t month_of(int64_t ms)
{
	int year, month, day;
	int64_t local = ms + INT64_C(8) * 3600000;

	date_civil(local >= 0 ? local / 86400000 : -((-local + 86399999) / 86400000), &year, &month,
	           &day);
	return year * 100 + month;
}

static void count_in(const struct shown *s, struct value at_ms, unsigned kind, int64_t amount)
{
	if (at_ms.type == VALUE_INT && amount != 0)
		add(s->figures, s->unit, month_of(at_ms.i), kind, s->sign * amount);
}

static void count_activity(const struct shown *s)
{
	struct value open = value_of(s, "start"), closed = value_of(s, "closed_start"),
	             served = value_of(s, "hh_served"), helped = value_of(s, "closed_households");

	if (says(s, "astat", "finished") || says(s, "astat", "hours_confirmed") ||
	    says(s, "astat", "rated") || says(s, "astat", "archived")) {
		count_in(s, open, FIGURE_ACTIVITIES, 1);
		count_in(s, open, FIGURE_HOUSEHOLDS, served.type == VALUE_INT ? served.i : 0);
	}
	count_in(s, closed, FIGURE_ACTIVITIES_CLOSED, 1);
	count_in(s, closed, FIGURE_HOUSEHOLDS_CLOSED, helped.type == VALUE_INT ? helped.i : 0);
}

static void count_participation(const struct shown *s)
{
	static const char *const closed_acts[] = {"A1", "A2", "A3", "A4", "A5", "B2",
	                                          "B3", "C1", "C2", "C3", "C4"};
	struct value in = value_of(s, "in"), minutes = value_of(s, "minutes");
	int64_t one = value_of(s, "reverses").type == VALUE_NULL ? 1 : -1;
	bool closed = false;

	if (!says(s, "hstat", "2")) return;
	for (size_t i = 0; i < ARRAY_COUNT(closed_acts); i++)
		closed |= says(s, "act", closed_acts[i]);
	count_in(s, in, closed ? FIGURE_PARTICIPATIONS_CLOSED : FIGURE_PARTICIPATIONS, one);
	count_in(s, in, closed ? FIGURE_MINUTES_CLOSED : FIGURE_MINUTES,
	         minutes.type == VALUE_INT ? one * minutes.i : 0);
}

void again_count(struct device *d, const struct write *writes, size_t count, int64_t sign)
{
	struct arena a;

	arena_init(&a, 0);
	for (size_t i = 0; i < count; i++) {
		struct shown s = {.t = writes[i].table, .figures = &d->states, .sign = sign};
		struct row_view *v = NULL;
		struct scope scope = {0};
		struct value day;
		bool again = id_is_zero(writes[i].row); /* not made */

		for (size_t k = 0; k < i; k++)
			again |= memcmp(writes[k].row, writes[i].row, 16) == 0;
		if (again || store_row_view(d->keeper, s.t, writes[i].row, &a, &v) < 0 || !v ||
		    store_scope_get(d->keeper, v->scope, &scope) < 0)
			continue;
		s.v = v;
		memcpy(s.unit, scope.id, 16);
		/* Who takes back a record that is entered once writes another, named here afterwards. */
		if (s.t->kind == TABLE_ONCE && writes[i].kind == WRITE_DELETE &&
		    value_of(&s, "reverses").type == VALUE_NULL)
			continue;
		if (s.t->number == TABLE_VOLUNTEER && says(&s, "vstat", "active")) {
			day = value_of(&s, "registered");
			if (day.type == VALUE_INT)
				count_in(&s, value_int(day.i * 86400000), FIGURE_VOLUNTEERS, 1);
		}
		if (s.t->number == TABLE_ACTIVITY) count_activity(&s);
		if (s.t->number == TABLE_PARTICIPATION) count_participation(&s);
	}
	arena_done(&a);
}

/* What was counted before joining belongs to the unit that was joined. */
static void at_home(const struct device *d, struct again_figures *f)
{
	struct again_figures all = {0};

	for (size_t i = 0; i < f->count; i++)
		add(&all,
		    id_is_zero(f->cells[i].unit) ? d->world->units[d->unit].id : f->cells[i].unit,
		    f->cells[i].month, f->cells[i].kind, f->cells[i].amount);
	free(f->cells);
	*f = all;
}

void again_figures(struct world *w, const struct view *v)
{
	struct device *d = v->device;

	/* What it wrote and lost is not known to it; what its copy wrote, it states too; a figure that was damaged is added to. */
	if (d->restored || d->copied || w->config.damage) return;
	at_home(d, &d->states);
	for (size_t i = 0; i < d->states.count; i++) {
		const struct again_cell *c = &d->states.cells[i];
		const struct oracle_row *row;
		unsigned lane = figure_lane(c->kind);
		struct value value = value_null();
		uint8_t id[16];

		figure_row_id(d->identity.origin, c->unit, c->month, c->kind, id);
		row = oracle_find(&v->oracle, id, lane);
		if (row && row->exists) value = oracle_shown(&v->oracle, row, 4, false);
		if ((value.type == VALUE_INT ? value.i : 0) != c->amount)
			world_fail(w, "stated",
			           "%s states %" PRId64 " %s in %" PRId64
			           ", by what it wrote it is "
			           "%" PRId64,
			           d->label, value.type == VALUE_INT ? value.i : 0,
			           figure_name(c->kind), c->month, c->amount);
	}
}

/* ---- what a hub shows */

/* Value and base of a figure or correction row that belongs to the cell. */
static bool belongs(const struct view *v, const struct oracle_row *row, const uint8_t unit[16],
                    const struct summary_cell *c, int64_t *ret_value, int64_t *ret_base)
{
	bool figure = row->table == TABLE_FIGURE;
	const char *name = figure_name(c->kind);
	struct value month, kind, value, base;

	if (!row->exists || (!figure && row->table != TABLE_CORRECTION) ||
	    memcmp(row->scope, unit, 16) != 0)
		return false;
	month = oracle_shown(&v->oracle, row, figure ? 2 : 1, false);
	kind = oracle_shown(&v->oracle, row, figure ? 3 : 2, false);
	value = oracle_shown(&v->oracle, row, 4, false);
	base = oracle_shown(&v->oracle, row, 5, false);
	*ret_value = value.type == VALUE_INT ? value.i : 0;
	*ret_base = base.type == VALUE_INT ? base.i : 0;
	return month.type == VALUE_INT && month.i == c->month && kind.type == VALUE_TEXT &&
	       kind.s.len == strlen(name) && memcmp(kind.s.p, name, kind.s.len) == 0;
}

static void check_cell(struct world *w, const struct view *v, const struct summary_cell *c,
                       const uint8_t unit[16])
{
	int64_t stated = 0, corrected = 0, value, base;
	bool settled = true;

	for (size_t i = 0; i < v->oracle.rows_count; i++)
		if (v->oracle.rows[i].table == TABLE_FIGURE &&
		    belongs(v, &v->oracle.rows[i], unit, c, &value, &base))
			stated += value;
	for (size_t i = 0; i < v->oracle.rows_count; i++)
		if (v->oracle.rows[i].table == TABLE_CORRECTION &&
		    belongs(v, &v->oracle.rows[i], unit, c, &value, &base)) {
			corrected += value;
			settled = settled && (value == 0 || base == stated);
		}
	if (stated != c->stated || corrected != c->corrected || settled != c->settled)
		world_fail(w, "summary",
		           "%s shows %s of %" PRId64 " as %" PRId64 " + %" PRId64
		           "%s, it is %" PRId64 " + %" PRId64 "%s",
		           v->device->label, figure_name(c->kind), c->month, c->stated,
		           c->corrected, c->settled ? "" : " unsettled", stated, corrected,
		           settled ? "" : " unsettled");
}

/* The sums that are kept say the same as the rows; cells of nothing stand in one of them only. */
static void check_kept(struct world *w, const struct view *v, const struct summary *s,
                       struct arena *a)
{
	struct summary kept = {0};
	size_t k = 0;

	if (summary_cells(v->device->keeper, 0, 999912, FIGURE_KINDS, a, &kept) < 0)
		world_fail(w, "summary", "%s: no kept numbers", v->device->label);
	for (size_t i = 0; i < s->count; i++) {
		const struct summary_cell *c = &s->cells[i], *x = &kept.cells[k];
		bool there = k < kept.count && x->scope == c->scope && x->month == c->month &&
		             x->kind == c->kind;

		if (!there && c->stated == 0 && c->corrected == 0 && c->settled) continue;
		if (!there || x->stated != c->stated || x->corrected != c->corrected ||
		    x->settled != c->settled)
			world_fail(w, "summary",
			           "%s keeps another number of %s of %" PRId64 " than its rows say",
			           v->device->label, figure_name(c->kind), c->month);
		k++;
	}
	if (k != kept.count)
		world_fail(w, "summary", "%s keeps numbers that no row says", v->device->label);
}

void again_summary(struct world *w, const struct view *v)
{
	struct summary s = {0};
	struct arena a;

	if (!v->device->hub) return;
	arena_init(&a, 0);
	if (summary_load(v->device->keeper, &a, &s) < 0)
		world_fail(w, "summary", "%s: no numbers", v->device->label);
	for (size_t i = 0; i < s.count; i++) {
		struct scope scope = {0};

		if (store_scope_get(v->device->keeper, s.cells[i].scope, &scope) == 0)
			check_cell(w, v, &s.cells[i], scope.id);
	}
	check_kept(w, v, &s, &a);
	const char *why = folds_differ(v->device->keeper, &a);
	if (why != NULL) world_fail(w, "summary", "%s: %s", v->device->label, why);
	arena_done(&a);
}
