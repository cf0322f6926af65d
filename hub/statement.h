/*
 * statement.h - what a county states openly of the kinds of service that stay in its own lane (A1-A5, B2, B3, C1-C4): per quarter
 * that is over, for the whole county, by kind.
 *
 * Small numbers point at people (domain study 4.6, rule 20): below 5 a cell is hidden, and with it another, so that nobody
 * finds it by subtraction from the total.  What is stated of a quarter a second time differs from the first by
 * nothing or by 5 and more, or else the difference would be the small number.  Months, sites and townships are never stated.
 */
#ifndef HUB_STATEMENT_H
#define HUB_STATEMENT_H

#include "common/schema.h"
#include "common/store.h"

enum { STATEMENT_LEAST = 5, STATEMENT_SERVICES_MAX = 24 };
enum statement_metric {
	STATEMENT_ACTIVITIES,
	STATEMENT_PARTICIPATIONS,
	STATEMENT_MINUTES,
	STATEMENT_HOUSEHOLDS,
	STATEMENT_METRICS
};
struct statement_cell {
	int64_t value;
	bool hidden, stated; /* stated: there is a row of it */
};
struct statement {
	int64_t quarter; /* year * 10 + 1..4 */
	size_t services;
	const struct code *service[STATEMENT_SERVICES_MAX]; /* closed kinds, in the list's order */
	/* By kind; [services]: of all kinds. */
	struct statement_cell cell[STATEMENT_SERVICES_MAX + 1][STATEMENT_METRICS];
};

const char *statement_metric_name(unsigned metric); /* a code of codes_metric */
int64_t statement_quarter(const char *text);        /* "2025Q3"; 0: not that */
int64_t statement_quarter_of(int64_t ms);           /* by the calendar of +08:00 */
void statement_init(struct statement *s, int64_t quarter);

/* Counts the merged rows here; nothing is hidden yet.  0 or the store's error. */
int statement_count(struct store *st, int64_t quarter, struct statement *ret);
/* What a unit stated; cell.stated where it did. */
int statement_stated(struct store *st, uint32_t scope, int64_t quarter, struct statement *ret);
/* Hides what may not be seen, and gives back what was said before where the difference may not be seen.  before: NULL none. */
void statement_hide(struct statement *s, const struct statement *before);
/* Of n cells and their sum: which are hidden, and whether the sum is.  The rule itself, for its test. */
void statement_mask(const int64_t *values, size_t n, bool *ret_hidden, bool *ret_sum_hidden);

void statement_row_id(const uint8_t unit[16], int64_t quarter, const char *service,
                      const char *metric, uint8_t ret[16]);

#endif
