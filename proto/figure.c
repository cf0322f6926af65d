#include "common/base.h"

#include "proto/figure.h"

#include "common/ident.h"
#include "common/validate.h"

static const char *const names[FIGURE_KINDS] = {
        [FIGURE_VOLUNTEERS] = "volunteers",
        [FIGURE_ACTIVITIES] = "activities",
        [FIGURE_PARTICIPATIONS] = "participations",
        [FIGURE_MINUTES] = "minutes",
        [FIGURE_HOUSEHOLDS] = "households",
        [FIGURE_ACTIVITIES_CLOSED] = "activities_closed",
        [FIGURE_PARTICIPATIONS_CLOSED] = "participations_closed",
        [FIGURE_MINUTES_CLOSED] = "minutes_closed",
        [FIGURE_HOUSEHOLDS_CLOSED] = "households_closed",
};

const char *figure_name(unsigned kind)
{
	return kind < FIGURE_KINDS ? names[kind] : NULL;
}

unsigned figure_kind_named(struct span name)
{
	for (unsigned k = 1; k < FIGURE_KINDS; k++)
		if (span_equal(name, span_of(names[k], strlen(names[k])))) return k;
	return 0;
}

unsigned figure_lane(unsigned kind)
{
	return kind >= FIGURE_ACTIVITIES_CLOSED ? LANE_COUNTY : LANE_OPEN;
}

static bool is_text(struct value v, const char *text)
{
	return v.type == VALUE_TEXT && span_equal(v.s, span_of(text, strlen(text)));
}

static struct value named(const struct table *t, unsigned lane, const struct value *v,
                          const char *name)
{
	const struct field *f = table_field_named(t, name);
	return f && field_lane(f) == lane ? v[field_slot(f)] : value_null();
}

static size_t add(struct figure_cell *cells, size_t count, int64_t month, unsigned kind,
                  int64_t amount)
{
	if (month < 190001 || month > 219912 || !amount) return count;
	cells[count] = (struct figure_cell){month, kind, amount};
	return count + 1;
}

/* An activity counts once it has taken place: domain.md 4.4, states from finished on. */
static bool held(struct value astat)
{
	return is_text(astat, "finished") || is_text(astat, "hours_confirmed") ||
	       is_text(astat, "rated") || is_text(astat, "archived");
}

/* Codes of tier T3 up: counted apart. */
static bool closed_code(const struct table *t, struct value act)
{
	const struct field *f = table_field_named(t, "act");
	const struct code *c =
	        f && f->codes && act.type == VALUE_TEXT ? code_find(f->codes, act.s) : NULL;
	return c && c->tier >= 3;
}

static size_t activity_cells(const struct table *t, unsigned lane, const struct value *v,
                             struct figure_cell *ret)
{
	size_t n = 0;
	struct value start = named(t, lane, v, lane == LANE_OPEN ? "start" : "closed_start");
	struct value served =
	        named(t, lane, v, lane == LANE_OPEN ? "hh_served" : "closed_households");
	if (start.type != VALUE_INT || (lane == LANE_OPEN && !held(named(t, lane, v, "astat"))))
		return 0;
	int64_t month = month_of_ms(start.i);
	n = add(ret, n, month, lane == LANE_OPEN ? FIGURE_ACTIVITIES : FIGURE_ACTIVITIES_CLOSED, 1);
	if (served.type == VALUE_INT)
		n = add(ret, n, month,
		        lane == LANE_OPEN ? FIGURE_HOUSEHOLDS : FIGURE_HOUSEHOLDS_CLOSED, served.i);
	return n;
}

size_t figure_cells(const struct table *t, unsigned lane, const struct value *v,
                    struct figure_cell ret[FIGURE_CELLS_MAX])
{
	size_t n = 0;
	if (!v || v[0].type != VALUE_INT || v[0].i != 1) return 0;
	switch (t->number) {
	case TABLE_VOLUNTEER: {
		struct value day = named(t, lane, v, "registered");
		if (day.type == VALUE_INT && is_text(named(t, lane, v, "vstat"), "active"))
			n = add(ret, n, month_of_days(day.i), FIGURE_VOLUNTEERS, 1);
		return n;
	}
	case TABLE_ACTIVITY:
		return lane == LANE_OPEN || lane == LANE_COUNTY ? activity_cells(t, lane, v, ret)
		                                                : 0;
	case TABLE_PARTICIPATION: {
		struct value in = named(t, lane, v, "in"), minutes = named(t, lane, v, "minutes");
		if (in.type != VALUE_INT || !is_text(named(t, lane, v, "hstat"), "2")) return 0;
		bool closed = closed_code(t, named(t, lane, v, "act"));
		/* A reversal is a row of its own, which repeats what it takes back. */
		int64_t sign = named(t, lane, v, "reverses").type == VALUE_BYTES ? -1 : 1;
		n = add(ret, n, month_of_ms(in.i),
		        closed ? FIGURE_PARTICIPATIONS_CLOSED : FIGURE_PARTICIPATIONS, sign);
		if (minutes.type == VALUE_INT)
			n = add(ret, n, month_of_ms(in.i),
			        closed ? FIGURE_MINUTES_CLOSED : FIGURE_MINUTES, sign * minutes.i);
		return n;
	}
	default:
		return 0;
	}
}

void figure_row_id(const uint8_t origin[16], const uint8_t unit[16], int64_t month, unsigned kind,
                   uint8_t ret[16])
{
	uint8_t m[8];
	for (size_t i = 0; i < 8; i++) m[i] = (uint8_t)((uint64_t)month >> (8 * i));
	const char *name = figure_name(kind);
	struct span parts[] = {{origin, 16}, {unit, 16}, {m, 8}, span_of(name, strlen(name))};
	id_derive("figure", parts, ARRAY_COUNT(parts), ret);
}

void correction_row_id(const uint8_t unit[16], int64_t month, unsigned kind, const char *cause,
                       uint8_t ret[16])
{
	uint8_t m[8];
	for (size_t i = 0; i < 8; i++) m[i] = (uint8_t)((uint64_t)month >> (8 * i));
	const char *name = figure_name(kind);
	struct span parts[] = {
	        {unit, 16}, {m, 8}, span_of(name, strlen(name)), span_of(cause, strlen(cause))};
	id_derive("correction", parts, ARRAY_COUNT(parts), ret);
}
