/*
 * growth.c - how costs grow with what is there: the county hub of `ingest` filled with rows, at marks on the way the rate of
 * taking in, the journal's bytes, a session with nothing to do and coverage; the plain table beside it to a million.
 *
 *     growth          five million rows
 *     growth ROWS     so many; scale_ratio from five million on
 *
 * tests/bench/chart makes the chart of its lines and those of `breadth`.
 */
#include "common/base.h"

#include "tests/bench/bench.h"

enum {
	SITES = 40,
	SEGMENT = 1000,
	GROUP = 10,
	WINDOW = 10, /* groups that a rate is taken over */
	PLAIN_ROWS = 1000000
};

static const int64_t marks[] = {10000, 30000, 100000, 200000, 500000, 1000000, 2000000, 5000000};

struct growing {
	struct machine hub, node;
	struct plain plain;
	struct sites sites;
	struct arena a;
	double hub_ns[WINDOW], plain_ns[WINDOW]; /* of the last groups */
	int64_t groups;
	double journal; /* bytes so far */
};

static double rate(const double *ns, int64_t groups)
{
	size_t n = groups < WINDOW ? (size_t)groups : WINDOW;
	double sum = 0;

	for (size_t i = 0; i < n; i++) sum += ns[i];
	return (double)n * GROUP * SEGMENT * 1e9 / sum;
}

static void group(struct growing *g)
{
	struct batch b[GROUP];
	size_t at = (size_t)g->groups % WINDOW;
	bool hub_first = g->groups % 2 == 0, plain = g->groups * GROUP * SEGMENT < PLAIN_ROWS;

	for (size_t i = 0; i < GROUP; i++) sites_batch(&g->sites, SEGMENT, &g->a, &b[i]);
	for (int side = 0; side < 2; side++) {
		int64_t from = bench_wall_ns();

		if ((side == 0) == hub_first) {
			hub_append(&g->hub, b, GROUP);
			hub_apply(&g->hub);
			g->hub_ns[at] = (double)(bench_wall_ns() - from);
		} else if (plain) {
			plain_insert(&g->plain, b, GROUP);
			g->plain_ns[at] = (double)(bench_wall_ns() - from);
		}
	}
	for (size_t i = 0; i < GROUP; i++) {
		g->journal += (double)(b[i].head.len + b[i].body.len);
		batch_done(&b[i]);
	}
	arena_reset(&g->a);
	g->groups++;
}

static void say(const char *what, int64_t rows, double value, const char *unit)
{
	char name[64];

	snprintf(name, sizeof(name), "growth_%s_%" PRId64, what, rows);
	bench_value(name, value, unit);
}

int main(int argc, char **argv)
{
	static struct growing g;
	static const uint8_t unit[16] = {9};
	int64_t rows = argc > 1 ? strtoll(argv[1], NULL, 10) : bench_size(5000000, 30000);
	double early = 0, plain_early = 0;

	machine_open(&g.hub, "hub", NULL, unit);
	sites_open(&g.sites, &g.hub, SITES, 7);
	sites_in_tree(&g.sites, &g.hub, 0, 5);
	costs_node_open(&g.node, "node", &g.hub);
	plain_open(&g.plain, "plain");
	arena_init(&g.a, 0);
	for (size_t i = 0; i < ARRAY_COUNT(marks) && marks[i] <= rows; i++) {
		while (g.groups * GROUP * SEGMENT < marks[i]) group(&g);
		double hub = rate(g.hub_ns, g.groups), plain = rate(g.plain_ns, g.groups);
		struct costs c = costs_now(&g.node, &g.hub);

		say("rows_per_s", marks[i], hub, "rows/s");
		if (marks[i] <= PLAIN_ROWS) say("plain_rows_per_s", marks[i], plain, "rows/s");
		say("journal_bytes_row", marks[i], g.journal / (double)marks[i], "B/row");
		say("noop_bytes", marks[i], c.noop_bytes, "B");
		say("noop_ms", marks[i], c.noop_ms, "ms");
		say("coverage_ms", marks[i], c.coverage_ms, "ms");
		if (marks[i] == 200000) {
			early = hub;
			plain_early = plain;
		} else if (marks[i] == 1000000) {
			bench_value("scale_ratio_1m", hub / early, "ratio");
			bench_value("scale_plain_ratio_1m", plain / plain_early, "ratio");
		} else if (marks[i] == 5000000) {
			bench_value("scale_ratio", hub / early, "ratio");
		}
	}
	arena_done(&g.a);
	sites_close(&g.sites);
	machine_close(&g.node);
	machine_close(&g.hub);
	plain_close(&g.plain);
	return 0;
}
