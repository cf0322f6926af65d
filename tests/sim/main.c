/*
 * main.c - sim --seeds N --seed S [--trace] [--shrink] [--twice] [name=value ...]
 *
 * Runs N worlds from seed S on.  A world that breaks a rule is printed with its seed, its configuration
 * (name=value arguments that repeat it, shrunk on request) and the rule; the exit code is then 1.
 */
#include "common/base.h"

#include "common/ident.h"
#include "tests/sim/sim.h"

static uint64_t arg_seed = 1, arg_seeds = 1;
static bool arg_trace, arg_shrink, arg_twice;
static char **arg_settings;
static int arg_settings_count;

static int parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
			arg_seeds = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			arg_seed = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--trace") == 0)
			arg_trace = true;
		else if (strcmp(argv[i], "--shrink") == 0)
			arg_shrink = true;
		else if (strcmp(argv[i], "--twice") == 0)
			arg_twice = true;
		else if (strchr(argv[i], '=') != NULL) {
			arg_settings = &argv[i];
			arg_settings_count = argc - i;
			return 0;
		} else {
			(void)fprintf(stderr, "usage: sim [--seeds N] [--seed S] [--trace] "
			                      "[--shrink] [--twice] [name=value ...]\n");
			return -1;
		}
	}
	return 0;
}

static bool settle_config(struct config *c)
{
	for (int i = 0; i < arg_settings_count; i++) {
		char name[32];
		const char *equals = strchr(arg_settings[i], '=');

		if (equals == NULL || (size_t)(equals - arg_settings[i]) >= sizeof(name))
			return false;
		memcpy(name, arg_settings[i], (size_t)(equals - arg_settings[i]));
		name[equals - arg_settings[i]] = '\0';
		if (!sim_config_set(c, name, strtoll(equals + 1, NULL, 10))) {
			(void)fprintf(stderr, "sim: no setting is called %s\n", name);
			return false;
		}
	}
	return true;
}

static void add(struct counts *sum, const struct counts *x)
{
	uint64_t *to = (uint64_t *)(void *)sum;
	const uint64_t *from = (const uint64_t *)(const void *)x;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++) to[i] += from[i];
}

static void report(const struct config *c, const struct sim_result *r)
{
	struct config small;

	(void)printf("seed %" PRIu64 " breaks %s: %s\n  ", c->seed, r->rule, r->failure);
	sim_config_print(c, stdout);
	if (!arg_shrink) return;
	sim_shrink(c, r->rule, &small);
	(void)printf("  shrunk: ");
	sim_config_print(&small, stdout);
}

int main(int argc, char **argv)
{
	struct counts sum = {0};
	struct sim_result r = {0}, again;
	uint64_t failed = 0;
	char text[33];

	if (parse(argc, argv) < 0 || crypt_init() < 0) return EXIT_USAGE;
	for (uint64_t seed = arg_seed; seed < arg_seed + arg_seeds; seed++) {
		struct config c;

		sim_config(seed, &c);
		if (!settle_config(&c)) return EXIT_USAGE;
		sim_run(&c, arg_trace, &r);
		add(&sum, &r.counts);
		if (arg_twice) {
			sim_run(&c, /* trace= */ false, &again);
			if (memcmp(again.trace, r.trace, 16) != 0) {
				(void)printf("seed %" PRIu64 ": two runs, two traces\n", seed);
				failed++;
			}
		}
		if (r.failed) {
			failed++;
			report(&c, &r);
			(void)fflush(stdout);
		}
	}
	hex_text(r.trace, 16, text);
	if (arg_seeds == 1) (void)printf("trace %s\n", text);
	(void)printf(
	        "%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " failed: %" PRIu64
	        " writes (%" PRIu64 " rejected, %" PRIu64 " by command), %" PRIu64
	        " sessions, %" PRIu64 " cuts, %" PRIu64 " stalls, %" PRIu64 " crashes, %" PRIu64
	        " reboots, %" PRIu64 " full disks, %" PRIu64 " frames, %" PRIu64 " data, %" PRIu64
	        " bytes, %" PRIu64 " rows compared, %" PRIu64 " conflicts, %" PRIu64
	        " refusals, %" PRIu64 " holds, %" PRIu64 " parked, %" PRIu64 " runs\n",
	        arg_seeds, arg_seed, failed, sum.writes, sum.rejected, sum.commands, sum.sessions,
	        sum.cuts, sum.stalls, sum.crashes, sum.reboots, sum.disk_full, sum.frames, sum.data,
	        sum.bytes, sum.rows, sum.conflicts, sum.refusals, sum.holds, sum.parks, sum.runs);
	return failed > 0 ? EXIT_UNEXPECTED : EXIT_DONE;
}
