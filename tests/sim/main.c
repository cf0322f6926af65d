/*
 * main.c - sim --seeds N --seed S [--jobs J] [--small N] [--coverage] [--trace] [--raw] [--shrink] [--only FILE]
 *     [--twice] [--first] [name=value ...]; sim --scope N [--jobs J]
 *
 * Runs N worlds from seed S on, in J processes.  A world that breaks a rule is printed with its seed, its
 * configuration (name=value arguments that repeat it, shrunk on request) and the rule; the exit code is then 1.
 * --small N: N of ten worlds are small, for campaigns that want many.  --first ends at the first that fails.
 * --coverage prints what was reached, and something that never was is a failure too.
 * --trace tells the story of a world in sentences, --raw every line of its trace.
 * --shrink makes a failing world small: its numbers, then what happens in it; prints the story of what is left, and its
 * schedule, which --only FILE (with the same settings) plays again.
 * --scope N plays the small scope instead, every N-th script of it (small.h).
 */
#include "common/base.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ident.h"
#include "tests/sim/sim.h"
#include "tests/sim/small.h"

enum { JOBS_MAX = 64 };

static uint64_t arg_seed = 1, arg_seeds = 1, arg_jobs = 1, arg_small, arg_scope;
static bool arg_trace, arg_raw, arg_shrink, arg_twice, arg_coverage, arg_first;
static const struct schedule *arg_only;
static char **arg_settings;
static int arg_settings_count;

static bool read_only(const char *path)
{
	static struct schedule only;
	FILE *f = fopen(path, "r");
	bool well = f != NULL && schedule_read(&only, f);

	if (f != NULL) (void)fclose(f);
	if (!well) (void)fprintf(stderr, "sim: %s is not a schedule\n", path);
	arg_only = &only;
	return well;
}

static int parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
			arg_seeds = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			arg_seed = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc)
			arg_jobs = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--scope") == 0 && i + 1 < argc)
			arg_scope = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--small") == 0 && i + 1 < argc)
			arg_small = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--coverage") == 0)
			arg_coverage = true;
		else if (strcmp(argv[i], "--trace") == 0)
			arg_trace = true;
		else if (strcmp(argv[i], "--raw") == 0)
			arg_raw = true;
		else if (strcmp(argv[i], "--shrink") == 0)
			arg_shrink = true;
		else if (strcmp(argv[i], "--twice") == 0)
			arg_twice = true;
		else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
			if (!read_only(argv[++i])) return -1;
		} else if (strcmp(argv[i], "--first") == 0)
			arg_first = true;
		else if (strchr(argv[i], '=') != NULL) {
			arg_settings = &argv[i];
			arg_settings_count = argc - i;
			return 0;
		} else {
			(void)fprintf(
			        stderr,
			        "usage: sim [--seeds N] [--seed S] [--jobs J] "
			        "[--small N] [--coverage] [--trace] [--raw] [--shrink] [--only "
			        "FILE] "
			        "[--twice] [--first] [name=value ...]; sim --scope N [--jobs J]\n");
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
	struct sim_how how = {.story = true};
	struct schedule only = {0};
	struct sim_result again;
	struct config small;

	(void)printf("seed %" PRIu64 " breaks %s: %s\n  ", c->seed, r->rule, r->failure);
	sim_config_print(c, stdout);
	if (!arg_shrink) return;
	sim_shrink(c, r->rule, &small);
	(void)printf("  shrunk: ");
	sim_config_print(&small, stdout);
	if (!sim_shrink_schedule(&small, r->rule, &only)) return;
	(void)printf("  %zu events are enough:\n", only.count);
	(void)fflush(stdout);
	how.only = &only;
	sim_run_how(&small, &how, &again);
	(void)printf("  schedule: ");
	schedule_print(&only, stdout);
	schedule_done(&only);
}

/* What one process did; in memory that it shares with the one that started it, so that a world which ends its
 * process is known by its seed. */
struct share {
	uint64_t seed; /* at work on; the first not run when done */
	uint64_t failed;
	struct counts counts;
	struct coverage coverage;
	uint8_t trace[16]; /* of the last world */
};

static void run_one(struct share *s)
{
	struct sim_how how = {.trace = arg_raw, .story = arg_trace, .only = arg_only};
	struct sim_result r = {0}, again;
	struct config c;

	sim_config(s->seed, &c);
	if (s->seed % 10 < arg_small) sim_config_small(&c);
	(void)settle_config(&c); /* looked at by main already */
	sim_run_how(&c, &how, &r);
	add(&s->counts, &r.counts);
	coverage_add(&s->coverage, &r.coverage);
	memcpy(s->trace, r.trace, 16);
	if (arg_twice) {
		sim_run(&c, /* trace= */ false, &again);
		if (memcmp(again.trace, r.trace, 16) != 0) {
			(void)printf("seed %" PRIu64 ": two runs, two traces\n", s->seed);
			s->failed++;
		}
	}
	if (r.failed) {
		s->failed++;
		report(&c, &r);
	}
	(void)fflush(stdout);
}

/* --first: has a process found a failure in an earlier world than this? */
static bool is_enough(const struct share *shares, uint64_t seed)
{
	for (uint64_t i = 0; arg_first && i < arg_jobs; i++)
		if (shares[i].failed > 0 && shares[i].seed <= seed) return true;
	return false;
}

/* The small scope, every arg_scope-th script of it, this process's share. */
static int run_scope(void)
{
	int status = 0;
	bool well = true;

	for (uint64_t i = 0; i < arg_jobs; i++) {
		struct small_result r[2] = {0};
		unsigned parts = (unsigned)(arg_jobs * arg_scope);

		(void)fflush(stdout);
		if (fork() != 0) continue;
		small_merges(/* full= */ true, (unsigned)i, parts, &r[0]);
		small_interleavings(&small_full, (unsigned)i, parts, &r[1]);
		(void)printf("%" PRIu64 " deliveries, %" PRIu64 " failed %s\n%" PRIu64
		             " interleavings, %" PRIu64 " failed %s\n",
		             r[0].schedules, r[0].failed, r[0].first, r[1].schedules, r[1].failed,
		             r[1].first);
		(void)fflush(stdout);
		_exit(r[0].failed + r[1].failed > 0);
	}
	while (wait(&status) > 0) well &= status == 0;
	return well ? EXIT_DONE : EXIT_UNEXPECTED;
}

/* Seeds from s->seed on, every arg_jobs-th. */
static void run_share(struct share *shares, struct share *s)
{
	for (; s->seed < arg_seed + arg_seeds; s->seed += arg_jobs) {
		if (is_enough(shares, s->seed)) return;
		run_one(s);
		if (arg_first && s->failed > 0) return;
	}
}

static pid_t start(struct share *shares, struct share *s)
{
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		run_share(shares, s);
		(void)fflush(stdout);
		_exit(0);
	}
	return pid;
}

/* A process that dies names its seed, and another goes on behind it. */
static void run_shares(struct share *shares)
{
	pid_t pids[JOBS_MAX];
	uint64_t left = arg_jobs;

	for (uint64_t i = 0; i < arg_jobs; i++) pids[i] = start(shares, &shares[i]);
	while (left > 0) {
		int status = 0;
		pid_t pid = wait(&status);

		if (pid < 0) return;
		for (uint64_t i = 0; i < arg_jobs; i++) {
			if (pids[i] != pid) continue;
			if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
				left--;
				continue;
			}
			(void)printf("seed %" PRIu64 " ends its process: status %d\n",
			             shares[i].seed, status);
			shares[i].failed++;
			if (arg_first) {
				left--;
				break;
			}
			shares[i].seed += arg_jobs;
			pids[i] = start(shares, &shares[i]);
			break;
		}
	}
}

static bool print_sum(const struct share *sum)
{
	const struct counts *n = &sum->counts;
	unsigned never = arg_coverage ? coverage_print(&sum->coverage, arg_seeds, stdout) : 0;

	(void)printf(
	        "%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " failed: %" PRIu64
	        " writes (%" PRIu64 " rejected, %" PRIu64 " by command), %" PRIu64
	        " sessions, %" PRIu64 " cuts, %" PRIu64 " stalls, %" PRIu64 " crashes, %" PRIu64
	        " reboots, %" PRIu64 " full disks, %" PRIu64 " frames, %" PRIu64 " data, %" PRIu64
	        " bytes, %" PRIu64 " rows compared, %" PRIu64 " conflicts, %" PRIu64
	        " refusals, %" PRIu64 " holds, %" PRIu64 " parked, %" PRIu64 " runs\n",
	        arg_seeds, arg_seed, sum->failed, n->writes, n->rejected, n->commands, n->sessions,
	        n->cuts, n->stalls, n->crashes, n->reboots, n->disk_full, n->frames, n->data,
	        n->bytes, n->rows, n->conflicts, n->refusals, n->holds, n->parks, n->runs);
	if (never > 0) (void)printf("%u events of the table were never reached\n", never);
	return sum->failed == 0 && never == 0;
}

int main(int argc, char **argv)
{
	struct share *shares, sum = {0};
	struct config c;
	char text[33];

	if (parse(argc, argv) < 0 || crypt_init() < 0) return EXIT_USAGE;
	sim_config(arg_seed, &c);
	if (!settle_config(&c)) return EXIT_USAGE;
	if (arg_jobs < 1 || arg_jobs > JOBS_MAX) arg_jobs = 1;
	if (arg_scope > 0) return run_scope();
	if (arg_jobs > arg_seeds) arg_jobs = arg_seeds;
	shares = mmap(NULL, JOBS_MAX * sizeof(*shares), PROT_READ | PROT_WRITE,
	              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shares == MAP_FAILED) return EXIT_UNEXPECTED;
	for (uint64_t i = 0; i < arg_jobs; i++) shares[i].seed = arg_seed + i;
	if (arg_jobs == 1)
		run_share(shares, &shares[0]);
	else
		run_shares(shares);
	for (uint64_t i = 0; i < arg_jobs; i++) {
		sum.failed += shares[i].failed;
		add(&sum.counts, &shares[i].counts);
		for (size_t k = 0; k < REACHED_COUNT; k++) {
			sum.coverage.times[k] += shares[i].coverage.times[k];
			sum.coverage.worlds[k] += shares[i].coverage.worlds[k];
		}
	}
	if (arg_seeds == 1) {
		hex_text(shares[0].trace, 16, text);
		(void)printf("trace %s\n", text);
	}
	return print_sum(&sum) ? EXIT_DONE : EXIT_UNEXPECTED;
}
