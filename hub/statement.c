/*
 * statement.c - see statement.h.
 */
#include "common/base.h"

#include "hub/statement.h"

#include "common/calendar.h"
#include "common/codes.h"
#include "common/ident.h"
#include "common/rows.h"

enum { PAGE = 1000, YEAR_MIN = 1900, YEAR_MAX = 2199 };

static const char *const metrics[STATEMENT_METRICS] = {"activities", "participations", "minutes",
                                                       "households"};

const char *statement_metric_name(unsigned metric)
{
	return metric < STATEMENT_METRICS ? metrics[metric] : NULL;
}

int64_t statement_quarter(const char *text)
{
	int64_t year = 0;

	for (size_t i = 0; i < 4; i++) {
		if (text[i] < '0' || text[i] > '9') return 0;
		year = year * 10 + (text[i] - '0');
	}
	if ((text[4] != 'Q' && text[4] != 'q') || text[5] < '1' || text[5] > '4' || text[6] ||
	    year < YEAR_MIN || year > YEAR_MAX)
		return 0;
	return year * 10 + (text[5] - '0');
}

int64_t statement_quarter_of(int64_t ms)
{
	int64_t month = month_of_ms(ms);

	return month / 100 * 10 + (month % 100 + 2) / 3;
}

void statement_init(struct statement *s, int64_t quarter)
{
	*s = (struct statement){.quarter = quarter};
	for (size_t i = 0; i < codes_act.count && s->services < STATEMENT_SERVICES_MAX; i++)
		if (codes_act.codes[i].tier >= 3) s->service[s->services++] = &codes_act.codes[i];
}

/* ---- counting */

struct counting {
	struct statement *s;
	const struct table *t;
};

static void add(struct statement *s, size_t service, unsigned metric, int64_t n)
{
	s->cell[service][metric].value += n;
	s->cell[s->services][metric].value += n;
}

/* Which of the closed kinds; s->services: none of them. */
static size_t service_of(const struct statement *s, struct value act)
{
	size_t i = 0;

	if (act.type != VALUE_TEXT) return s->services;
	while (i < s->services &&
	       !span_equal(act.s, span_of(s->service[i]->code, strlen(s->service[i]->code))))
		i++;
	return i;
}

static int count_activity(void *ctx, const struct row_view *v)
{
	struct counting *c = ctx;
	struct statement *s = c->s;
	struct value at = row_value(c->t, v, "closed_start"),
	             served = row_value(c->t, v, "closed_households");
	size_t i = service_of(s, row_value(c->t, v, "act_closed"));

	if (i == s->services || at.type != VALUE_INT || statement_quarter_of(at.i) != s->quarter)
		return 0;
	add(s, i, STATEMENT_ACTIVITIES, 1);
	if (served.type == VALUE_INT) add(s, i, STATEMENT_HOUSEHOLDS, served.i);
	return 0;
}

static int count_participation(void *ctx, const struct row_view *v)
{
	struct counting *c = ctx;
	struct statement *s = c->s;
	struct value in = row_value(c->t, v, "in"), hstat = row_value(c->t, v, "hstat"),
	             minutes = row_value(c->t, v, "minutes");
	/* A reversal is a row of its own, which repeats what it takes back. */
	int64_t sign = row_value(c->t, v, "reverses").type == VALUE_BYTES ? -1 : 1;
	size_t i = service_of(s, row_value(c->t, v, "act"));

	if (i == s->services || in.type != VALUE_INT || statement_quarter_of(in.i) != s->quarter ||
	    hstat.type != VALUE_TEXT || !span_equal(hstat.s, span_of("2", 1)))
		return 0;
	add(s, i, STATEMENT_PARTICIPATIONS, sign);
	if (minutes.type == VALUE_INT) add(s, i, STATEMENT_MINUTES, sign * minutes.i);
	return 0;
}

/* The same rows and moments as the closed figures count (proto/figure.c), by kind besides. */
int statement_count(struct store *st, int64_t quarter, struct statement *ret)
{
	struct counting c = {.s = ret, .t = schema_table(&schema_current, TABLE_ACTIVITY)};
	int rc;

	statement_init(ret, quarter);
	rc = rows_each(st, c.t, 0, count_activity, &c);
	c.t = schema_table(&schema_current, TABLE_PARTICIPATION);
	return rc ? rc : rows_each(st, c.t, 0, count_participation, &c);
}

/* ---- what was stated */

static struct statement_cell *cell_named(struct statement *s, struct value service,
                                         struct value metric)
{
	size_t i;

	if (metric.type != VALUE_TEXT) return NULL;
	i = service_of(s, service);
	if (service.type != VALUE_NULL && i == s->services) return NULL; /* of a newer list */
	for (unsigned m = 0; m < STATEMENT_METRICS; m++)
		if (span_equal(metric.s, span_of(metrics[m], strlen(metrics[m]))))
			return &s->cell[i][m];
	return NULL;
}

int statement_stated(struct store *st, uint32_t scope, int64_t quarter, struct statement *ret)
{
	const struct table *t = schema_table(&schema_current, TABLE_STATEMENT);
	struct row_where where = {table_field_named(t, "quarter"), value_int(quarter)};
	struct row_view *rows;
	struct arena a;
	size_t n = 0;
	int rc;

	statement_init(ret, quarter);
	arena_init(&a, 0);
	rc = store_rows_view(st, t, &where, 1, scope, /* all= */ false, NULL, PAGE, &a, &rows, &n);
	for (size_t i = 0; i < n && !rc; i++) {
		const struct value *v = rows[i].values;
		struct value value = v[table_field_named(t, "value") - t->fields];
		struct statement_cell *c =
		        cell_named(ret, v[table_field_named(t, "service") - t->fields],
		                   v[table_field_named(t, "metric") - t->fields]);

		if (!c) continue;
		*c = (struct statement_cell){.stated = true, .hidden = value.type != VALUE_INT};
		if (!c->hidden) c->value = value.i;
	}
	arena_done(&a);
	return rc;
}

/* ---- hiding */

/*
 * With the small ones at least one that is not small is hidden, the smallest there is, and all that equal it.  So the hidden
 * ones could stand in any order and everything else would look the same; and since they are not all equal, no sum of some of
 * them can be told.  (Small ones alone can: two whose sum is 8 are both 4.)
 */
void statement_mask(const int64_t *values, size_t n, bool *ret_hidden, bool *ret_sum_hidden)
{
	bool any = false;
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < n; i++) {
		ret_hidden[i] = values[i] < STATEMENT_LEAST;
		any |= ret_hidden[i];
		if (!ret_hidden[i] && values[i] < least) least = values[i];
	}
	for (size_t i = 0; any && i < n; i++) ret_hidden[i] |= values[i] == least;
	*ret_sum_hidden = any && least == INT64_MAX; /* there is nothing to hide them behind */
}

static void mask_metric(struct statement *s, unsigned metric)
{
	int64_t values[STATEMENT_SERVICES_MAX];
	bool hidden[STATEMENT_SERVICES_MAX], sum_hidden;

	for (size_t i = 0; i < s->services; i++) values[i] = s->cell[i][metric].value;
	statement_mask(values, s->services, hidden, &sum_hidden);
	for (size_t i = 0; i < s->services; i++) s->cell[i][metric].hidden = hidden[i];
	s->cell[s->services][metric].hidden = sum_hidden;
}

/* The small difference to what everybody has read already would be the small number. */
static void keep(struct statement_cell *c, const struct statement_cell *before)
{
	int64_t by = c->value - before->value;

	if (before->stated && !before->hidden && !c->hidden && by > -STATEMENT_LEAST &&
	    by < STATEMENT_LEAST)
		c->value = before->value;
}

void statement_hide(struct statement *s, const struct statement *before)
{
	for (unsigned m = 0; m < STATEMENT_METRICS; m++)
		if (m != STATEMENT_MINUTES) mask_metric(s, m);
	/* Minutes of few are as good as their number. */
	for (size_t i = 0; i <= s->services; i++)
		s->cell[i][STATEMENT_MINUTES].hidden = s->cell[i][STATEMENT_PARTICIPATIONS].hidden;
	for (size_t i = 0; before && i <= s->services; i++)
		for (unsigned m = 0; m < STATEMENT_METRICS; m++)
			keep(&s->cell[i][m], &before->cell[i][m]);
}

void statement_row_id(const uint8_t unit[16], int64_t quarter, const char *service,
                      const char *metric, uint8_t ret[16])
{
	uint8_t q[8];

	for (size_t i = 0; i < 8; i++) q[i] = (uint8_t)((uint64_t)quarter >> (8 * i));
	struct span parts[] = {{unit, 16},
	                       {q, 8},
	                       span_of(service, strlen(service)),
	                       span_of(metric, strlen(metric))};
	id_derive("statement", parts, ARRAY_COUNT(parts), ret);
}
