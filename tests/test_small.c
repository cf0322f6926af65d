/*
 * test_small.c - a small scope, exhaustively; `make sim-small` plays a wider one.
 * suite-timeout: 600
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base.h"

#include "tests/sim/small.h"
#include "tests/support/slower.h"

static void report(const struct small_result *r, const char *what)
{
	print_message("%" PRIu64 " %s, %" PRIu64 " failed\n", r->schedules, what, r->failed);
	if (r->first[0]) print_message("%s\n", r->first);
	assert_int_equal(r->failed, 0);
}

static void every_interleaving(void **state)
{
	struct small_result r = {0};

	(void)state;
	small_interleavings(&small_reduced, 0, 7 * SLOWER * SLOWER, &r);
	report(&r, "interleavings");
	assert_true(r.schedules > 350 / (SLOWER * SLOWER));
}

static void every_order_of_three(void **state)
{
	struct small_result r = {0};

	(void)state;
	small_merges(/* full= */ false, 0, 1, &r);
	report(&r, "deliveries");
	assert_true(r.schedules > 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_order_of_three),
	        cmocka_unit_test(every_interleaving),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
