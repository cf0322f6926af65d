/*
 * test_statement.c - what a county states openly of its closed kinds: nobody finds a number below 5 from what is left standing,
 * by whatever he subtracts.
 */
#include <setjmp.h>
#include <stdarg.h>

#include "common/base.h"

#include <cmocka.h>

#include "hub/statement.h"

enum { CELLS_MAX = 4, TOP = 14 };

/* ---- by subtraction: all tables that look the same are gone through */

struct look { /* what a reader sees */
	int cell[CELLS_MAX], sum;
};
struct table_of {
	struct look look;
	int value[CELLS_MAX];
};

static size_t cells;

static struct look look_of(const int64_t *values)
{
	bool hidden[CELLS_MAX], sum_hidden;
	struct look l;
	int64_t sum = 0;

	memset(&l, 0, sizeof(l));
	statement_mask(values, cells, hidden, &sum_hidden);
	for (size_t i = 0; i < cells; i++) {
		sum += values[i];
		assert_true(hidden[i] || values[i] >= STATEMENT_LEAST);
		l.cell[i] = hidden[i] ? -1 : (int)values[i];
	}
	l.sum = sum_hidden ? -1 : (int)sum;
	return l;
}

static int by_look(const void *a, const void *b)
{
	const struct table_of *x = a, *y = b;
	return memcmp(&x->look, &y->look, sizeof(x->look));
}

/* Of every set of hidden cells: is its sum the same in all tables that look like this, and small? */
static void none_is_found(const struct table_of *t, size_t n)
{
	int64_t hidden = t->look.sum;
	unsigned set = 0;

	for (size_t i = 0; i < cells; i++) {
		if (t->look.cell[i] < 0)
			set |= 1U << i;
		else
			hidden -= t->look.cell[i];
	}
	/* Past the top the tables that look the same are not all here. */
	if (!set || (t->look.sum >= 0 && hidden > TOP)) return;
	for (unsigned some = 1; some < 1U << cells; some++) {
		int64_t first = -1;
		bool differs = false;

		if (some & ~set) continue;
		for (size_t k = 0; k < n && !differs; k++) {
			int64_t sum = 0;

			for (size_t i = 0; i < cells; i++)
				if (some >> i & 1) sum += t[k].value[i];
			differs = first >= 0 && sum != first;
			first = sum;
		}
		if (!differs && first > 0 && first < STATEMENT_LEAST)
			fail_msg("the sum %d of the set %u can be found", (int)first, some);
	}
}

static void small_numbers_stay_hidden(void **state)
{
	(void)state;
	for (cells = 1; cells <= CELLS_MAX; cells++) {
		size_t n = 1, from = 0;
		struct table_of *all;

		for (size_t i = 0; i < cells; i++) n *= TOP + 1;
		all = calloc(n, sizeof(*all));
		assert_non_null(all);
		for (size_t k = 0; k < n; k++) {
			int64_t values[CELLS_MAX] = {0};
			size_t left = k;

			for (size_t i = 0; i < cells; i++, left /= TOP + 1) {
				values[i] = (int64_t)(left % (TOP + 1));
				all[k].value[i] = (int)values[i];
			}
			all[k].look = look_of(values);
		}
		qsort(all, n, sizeof(*all), by_look);
		for (size_t k = 1; k <= n; k++) {
			if (k < n && !by_look(&all[k], &all[from])) continue;
			none_is_found(&all[from], k - from);
			from = k;
		}
		free(all);
	}
}

/* ---- one statement after another */

static uint64_t dice = 88172645463325252ULL;

static int64_t below(int64_t n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (int64_t)(dice >> 20) % n;
}

static void a_second_one_gives_no_small_difference(void **state)
{
	struct statement before, now;

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		statement_init(&before, 20253);
		statement_init(&now, 20253);
		for (size_t i = 0; i < now.services; i++)
			for (unsigned m = 0; m < STATEMENT_METRICS; m++) {
				int64_t was = below(20), is = was + below(12) - 3;

				before.cell[i][m].value = was;
				now.cell[i][m].value = is < 0 ? 0 : is;
				before.cell[before.services][m].value += was;
				now.cell[now.services][m].value += now.cell[i][m].value;
			}
		statement_hide(&before, NULL);
		for (size_t i = 0; i <= before.services; i++)
			for (unsigned m = 0; m < STATEMENT_METRICS; m++)
				before.cell[i][m].stated = true;
		statement_hide(&now, &before);
		for (size_t i = 0; i <= now.services; i++)
			for (unsigned m = 0; m < STATEMENT_METRICS; m++) {
				const struct statement_cell *a = &before.cell[i][m],
				                            *b = &now.cell[i][m];
				int64_t by = b->value > a->value ? b->value - a->value
				                                 : a->value - b->value;

				assert_true(a->hidden || b->hidden || !by || by >= STATEMENT_LEAST);
			}
	}
}

static void minutes_are_hidden_with_their_people(void **state)
{
	struct statement s;

	(void)state;
	statement_init(&s, 20253);
	assert_int_equal(s.services, 11);
	for (size_t i = 0; i < s.services; i++) {
		s.cell[i][STATEMENT_PARTICIPATIONS].value = i < 2 ? 4 : 40 + (int64_t)i;
		s.cell[i][STATEMENT_MINUTES].value = 6000;
	}
	statement_hide(&s, NULL);
	for (size_t i = 0; i < s.services; i++)
		assert_int_equal(s.cell[i][STATEMENT_MINUTES].hidden,
		                 i < 3); /* and one beside them */
}

static void quarters_are_those_of_the_calendar(void **state)
{
	(void)state;
	assert_int_equal(statement_quarter("2025Q3"), 20253);
	assert_int_equal(statement_quarter("2025q1"), 20251);
	assert_int_equal(statement_quarter("2025Q5"), 0);
	assert_int_equal(statement_quarter("2025Q"), 0);
	assert_int_equal(statement_quarter("2025Q31"), 0);
	assert_int_equal(statement_quarter("Q3"), 0);
	assert_int_equal(statement_quarter(""), 0);
	/* 2025-09-30T23:59:59.999+08:00, and a millisecond later */
	assert_int_equal(statement_quarter_of(INT64_C(1759247999999)), 20253);
	assert_int_equal(statement_quarter_of(INT64_C(1759248000000)), 20254);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(small_numbers_stay_hidden),
	        cmocka_unit_test(a_second_one_gives_no_small_difference),
	        cmocka_unit_test(minutes_are_hidden_with_their_people),
	        cmocka_unit_test(quarters_are_those_of_the_calendar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
