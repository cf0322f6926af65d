/*
 * test_sim.c - two hundred simulated worlds, and the promise that a seed can be repeated.
 * SIM_SEED and SIM_SEEDS choose others; `make sim SEED=n` shows one.
 * suite-timeout: 280
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base.h"

#include "tests/sim/sim.h"

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void sim(void **state)
{
	uint64_t first = number("SIM_SEED", 1), count = number("SIM_SEEDS", 200);
	struct counts sum = {0};
	unsigned failed = 0;

	(void)state;
	for (uint64_t seed = first; seed < first + count; seed++) {
		struct config c;
		struct sim_result r;

		sim_config(seed, &c);
		sim_run(&c, /* trace= */ false, &r);
		sum.sessions += r.counts.sessions;
		sum.crashes += r.counts.crashes;
		sum.cuts += r.counts.cuts;
		sum.rows += r.counts.rows;
		sum.conflicts += r.counts.conflicts;
		sum.refusals += r.counts.refusals;
		sum.holds += r.counts.holds;
		if (!r.failed) continue;
		failed++;
		print_message("seed %" PRIu64 " breaks %s: %s\n", seed, r.rule, r.failure);
	}
	print_message("%" PRIu64 " sessions, %" PRIu64 " crashes, %" PRIu64 " cuts, %" PRIu64
	              " rows compared, %" PRIu64 " conflicts, %" PRIu64 " refusals, %" PRIu64
	              " holds\n",
	              sum.sessions, sum.crashes, sum.cuts, sum.rows, sum.conflicts, sum.refusals,
	              sum.holds);
	assert_int_equal(failed, 0);
	if (count < 100) return;
	/* The worlds are worth something only if these things happen in them. */
	assert_true(sum.crashes > 100 && sum.cuts > 100 && sum.rows > 5000);
	assert_true(sum.conflicts > 20 && sum.refusals > 20 && sum.holds > 3);
}

static void one_seed_one_trace(void **state)
{
	(void)state;
	for (uint64_t seed = 3; seed < 200; seed += 24) {
		struct config c;
		struct sim_result first, second;

		sim_config(seed, &c);
		sim_run(&c, /* trace= */ false, &first);
		sim_run(&c, /* trace= */ false, &second);
		assert_memory_equal(first.trace, second.trace, sizeof(first.trace));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(sim),
	        cmocka_unit_test(one_seed_one_trace),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
