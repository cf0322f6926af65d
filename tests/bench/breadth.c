/*
 * breadth.c - how costs grow with how many a hub has below it: of children 10 to 10,000, forty of which send (all, if there are
 * fewer), the rest enrolled and silent; and of devices at each of forty sites 1 to 16, all of which send.  Each time a new
 * county hub, and the rate over the last 100,000 of 200,000 rows.
 */
#include "common/base.h"

#include "tests/bench/bench.h"

enum { SITES = 40, SEGMENT = 1000, GROUP = 10, ROWS = 200000, SMALL_ROWS = 20000 };

static void say(const char *axis, const char *what, size_t at, double value, const char *unit)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_%s_%zu", axis, what, at);
	bench_value(name, value, unit);
}

static void point(const char *axis, size_t at, size_t silent, size_t sites_count, size_t devices)
{
	static const uint8_t unit[16] = {9};
	int groups = bench_size(ROWS, SMALL_ROWS) / GROUP / SEGMENT;
	struct machine hub, node;
	struct sites sites;
	struct arena a;
	int64_t late_ns = 0, from;
	double journal = 0;
	char name[32];

	snprintf(name, sizeof(name), "%s%zu", axis, at);
	machine_open(&hub, name, NULL, unit);
	sites_open_devices(&sites, &hub, sites_count, devices, 7);
	from = bench_wall_ns();
	sites_in_tree(&sites, &hub, silent, 5);
	if (silent > 1)
		say(axis, "enrol_ms", at, (double)(bench_wall_ns() - from) / 1e6 / (double)silent,
		    "ms");
	snprintf(name, sizeof(name), "%s%zu_node", axis, at);
	costs_node_open(&node, name, &hub);
	arena_init(&a, 0);
	for (int i = 0; i < groups; i++) {
		struct batch b[GROUP];

		for (size_t k = 0; k < GROUP; k++) sites_batch(&sites, SEGMENT, &a, &b[k]);
		from = bench_wall_ns();
		hub_append(&hub, b, GROUP);
		hub_apply(&hub);
		if (i >= groups / 2) late_ns += bench_wall_ns() - from;
		for (size_t k = 0; k < GROUP; k++) {
			journal += (double)(b[k].head.len + b[k].body.len);
			batch_done(&b[k]);
		}
		arena_reset(&a);
	}
	struct costs c = costs_now(&node, &hub);
	int timed = (groups - groups / 2) * GROUP * SEGMENT;
	say(axis, "rows_per_s", at, timed * 1e9 / (double)late_ns, "rows/s");
	say(axis, "journal_bytes_row", at, journal / groups / GROUP / SEGMENT, "B/row");
	say(axis, "noop_bytes", at, c.noop_bytes, "B");
	say(axis, "noop_ms", at, c.noop_ms, "ms");
	say(axis, "coverage_ms", at, c.coverage_ms, "ms");
	arena_done(&a);
	sites_close(&sites);
	machine_close(&node);
	machine_close(&hub);
}

int main(void)
{
	static const size_t children[] = {10, 100, 1000, 10000}, devices[] = {1, 2, 4, 8, 16};
	size_t most = (size_t)bench_size(10000, 100);

	for (size_t i = 0; i < ARRAY_COUNT(children) && children[i] <= most; i++) {
		size_t busy = children[i] < SITES ? children[i] / 2 : SITES;

		point("children", children[i], children[i] - busy, busy, 1);
	}
	for (size_t i = 0; i < ARRAY_COUNT(devices) && devices[i] <= most / 50; i++)
		point("devices", devices[i], 0, SITES, devices[i]);
	return 0;
}
