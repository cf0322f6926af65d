/*
 * tally.c - counting again, by the rules of architecture section 6 and domain.md 4.4, from the schema's
 * names and nothing of the engine.
 */
#include "common/base.h"

#include "tests/sim/tally.h"

#include "common/ident.h"
#include "common/validate.h"

static struct tally_cell *cell_of(struct tally *t, const uint8_t unit[16], int64_t month,
                                  struct span kind)
{
	struct tally_cell *c;

	for (size_t i = 0; i < t->count; i++) {
		c = &t->cells[i];
		if (c->month == month && memcmp(c->unit, unit, 16) == 0 &&
		    strlen(c->kind) == kind.len && memcmp(c->kind, kind.p, kind.len) == 0)
			return c;
	}
	if (t->count == t->room) {
		t->room = t->room ? t->room * 2 : 32;
		t->cells = mem_grow(t->cells, t->room * sizeof(*t->cells));
	}
	c = &t->cells[t->count++];
	*c = (struct tally_cell){.month = month};
	memcpy(c->unit, unit, 16);
	memcpy(c->kind, kind.p, kind.len < sizeof(c->kind) ? kind.len : sizeof(c->kind) - 1);
	return c;
}

const struct tally_cell *tally_find(const struct tally *t, const struct tally_cell *like)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->cells[i].month == like->month &&
		    memcmp(t->cells[i].unit, like->unit, 16) == 0 &&
		    strcmp(t->cells[i].kind, like->kind) == 0)
			return &t->cells[i];
	return NULL;
}

void tally_done(struct tally *t)
{
	free(t->cells);
	*t = (struct tally){0};
}

static struct value shown(const struct view *v, const struct oracle_row *row, const char *field)
{
	const struct table *t = schema_table(&schema_current, row->table);
	const struct field *f = table_field_named(t, field);

	return f && field_lane(f) == row->lane ? oracle_shown(&v->oracle, row, field_slot(f), false)
	                                       : value_null();
}

static bool is_text(struct value v, const char *text)
{
	return v.type == VALUE_TEXT && v.s.len == strlen(text) && memcmp(v.s.p, text, v.s.len) == 0;
}

static int64_t month_at(int64_t ms)
{
	int year, month, day;
	int64_t local = ms + INT64_C(8) * 3600000;

	date_civil(local >= 0 ? local / 86400000 : -((-local + 86399999) / 86400000), &year, &month,
	           &day);
	return year * 100 + month;
}

static void truth(struct tally *t, const struct oracle_row *row, int64_t ms, const char *kind,
                  bool closed, int64_t amount)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "%s%s", kind, closed ? "_closed" : "");
	if (amount != 0)
		cell_of(t, row->scope, month_at(ms), span_of(name, strlen(name)))->truth += amount;
}

static void count_row(const struct view *v, const struct oracle_row *row, bool closed_too,
                      struct tally *t)
{
	static const char *const closed_acts[] = {"A1", "A2", "A3", "A4", "A5", "B2",
	                                          "B3", "C1", "C2", "C3", "C4"};
	struct value alive = oracle_shown(&v->oracle, row, 0, false);
	struct value at, n;
	bool closed = false;

	if (!row->exists || alive.type != VALUE_INT || alive.i != 1) return;
	if (row->table == TABLE_VOLUNTEER && is_text(shown(v, row, "vstat"), "active")) {
		at = shown(v, row, "registered");
		if (at.type == VALUE_INT) truth(t, row, at.i * 86400000, "volunteers", false, 1);
	}
	if (row->table == TABLE_ACTIVITY) {
		struct value state = shown(v, row, "astat");

		closed = row->lane == LANE_COUNTY;
		at = shown(v, row, closed ? "closed_start" : "start");
		n = shown(v, row, closed ? "closed_households" : "hh_served");
		if (at.type != VALUE_INT || (closed && !closed_too)) return;
		if (!closed && !is_text(state, "finished") && !is_text(state, "hours_confirmed") &&
		    !is_text(state, "rated") && !is_text(state, "archived"))
			return;
		truth(t, row, at.i, "activities", closed, 1);
		if (n.type == VALUE_INT) truth(t, row, at.i, "households", closed, n.i);
	}
	if (row->table == TABLE_PARTICIPATION && is_text(shown(v, row, "hstat"), "2")) {
		struct value act = shown(v, row, "act");

		for (size_t i = 0; i < ARRAY_COUNT(closed_acts); i++)
			closed |= is_text(act, closed_acts[i]);
		at = shown(v, row, "in");
		n = shown(v, row, "minutes");
		if (at.type != VALUE_INT || (closed && !closed_too)) return;
		truth(t, row, at.i, "participations", closed, 1);
		if (n.type == VALUE_INT) truth(t, row, at.i, "minutes", closed, n.i);
	}
}

/* Fields of figure and correction stand in the same slots of both lanes. */
enum { FIGURE_MONTH = 2, FIGURE_KIND = 3, FIGURE_VALUE = 4 };
enum { CORRECTION_MONTH = 1, CORRECTION_KIND = 2, CORRECTION_VALUE = 4, CORRECTION_BASE = 5 };

static void add_stated(const struct view *v, const struct oracle_row *row, struct tally *t)
{
	bool figure = row->table == TABLE_FIGURE;
	struct value month =
	        oracle_shown(&v->oracle, row, figure ? FIGURE_MONTH : CORRECTION_MONTH, false);
	struct value kind =
	        oracle_shown(&v->oracle, row, figure ? FIGURE_KIND : CORRECTION_KIND, false);
	struct value value =
	        oracle_shown(&v->oracle, row, figure ? FIGURE_VALUE : CORRECTION_VALUE, false);
	struct tally_cell *c;

	if (!row->exists || month.type != VALUE_INT || kind.type != VALUE_TEXT ||
	    value.type != VALUE_INT)
		return;
	c = cell_of(t, row->scope, month.i, kind.s);
	if (figure) {
		c->stated += value.i;
	} else {
		c->corrected += value.i;
		c->refers = true;
	}
}

static void check_base(const struct view *v, const struct oracle_row *row, struct tally *t)
{
	struct value month = oracle_shown(&v->oracle, row, CORRECTION_MONTH, false);
	struct value kind = oracle_shown(&v->oracle, row, CORRECTION_KIND, false);
	struct value base = oracle_shown(&v->oracle, row, CORRECTION_BASE, false);
	struct tally_cell *c;

	if (row->table != TABLE_CORRECTION || !row->exists || month.type != VALUE_INT ||
	    kind.type != VALUE_TEXT)
		return;
	c = cell_of(t, row->scope, month.i, kind.s);
	c->unsettled |= base.type != VALUE_INT || base.i != c->stated;
}

void tally_of(const struct view *v, bool closed_too, struct tally *ret)
{
	*ret = (struct tally){0};
	for (size_t i = 0; i < v->oracle.rows_count; i++) {
		const struct oracle_row *row = &v->oracle.rows[i];

		if (row->table == TABLE_FIGURE || row->table == TABLE_CORRECTION) {
			if (row->lane == LANE_OPEN || closed_too) add_stated(v, row, ret);
		} else {
			count_row(v, row, closed_too, ret);
		}
	}
	for (size_t i = 0; i < v->oracle.rows_count; i++)
		if (v->oracle.rows[i].lane == LANE_OPEN || closed_too)
			check_base(v, &v->oracle.rows[i], ret);
}

static bool custodian(const struct device *d)
{
	return d->hub && (d->cert.lanes >> LANE_COUNTY & 1) != 0;
}

static void compare_above(struct world *w, const struct view *above, const struct device *hub,
                          const struct tally *truths)
{
	struct tally t;

	tally_of(above, /* closed_too= */ false, &t);
	for (size_t i = 0; i < truths->count; i++) {
		const struct tally_cell *c = &truths->cells[i], *o = tally_find(&t, c);
		int64_t sum = o ? o->stated + o->corrected : 0;

		if (strstr(c->kind, "_closed") != NULL ||
		    !world_under(w, world_unit_find(w, c->unit), hub->unit))
			continue;
		if (sum != c->truth || (o && o->unsettled))
			world_fail(w, "figures",
			           "%s: %s of %" PRId64 ": sum %" PRId64
			           "%s, the county's truth is %" PRId64,
			           above->device->label, c->kind, c->month, sum,
			           o && o->unsettled ? " (unsettled)" : "", c->truth);
	}
	tally_done(&t);
}

void tally_check(struct world *w, const struct view *v, const struct view *views, size_t n)
{
	struct tally t;

	if (!custodian(v->device)) return;
	tally_of(v, /* closed_too= */ true, &t);
	for (size_t i = 0; i < t.count; i++) {
		const struct tally_cell *c = &t.cells[i];

		if (!world_under(w, world_unit_find(w, c->unit), v->device->unit)) continue;
		if (c->stated + c->corrected != c->truth || c->unsettled)
			world_fail(w, "figures",
			           "%s: %s of %" PRId64 ": F %" PRId64 " + K %" PRId64
			           "%s, truth %" PRId64,
			           v->device->label, c->kind, c->month, c->stated, c->corrected,
			           c->unsettled ? " (unsettled)" : "", c->truth);
	}
	for (size_t i = 0; i < n; i++)
		if (views[i].device->hub && !custodian(views[i].device) &&
		    world_under(w, v->device->unit, views[i].device->unit))
			compare_above(w, &views[i], v->device, &t);
	tally_done(&t);
}
