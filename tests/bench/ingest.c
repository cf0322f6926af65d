/*
 * ingest.c - a county hub takes in participation rows of 40 sites: append (checked, durable, to be
 * acknowledged) and apply (judged, merged, figures, state hash, admission; durable), against the same rows
 * by single-row prepared inserts in one transaction.
 *
 *     ingest [pairs]   ingest_ratio_10k, ingest_ratio_1k, ingest_cpu_ratio_*, ingest_rows_per_s, ack_ratio
 *     ingest profile   only the hub's side, for perf
 */
#include "common/base.h"

#include "tests/bench/bench.h"

enum { SITES = 40, SEGMENT = 1000, GROUP = 30 /* segments of one piece of work */ };

struct times {
	int64_t wall, cpu;
};

static struct times now(void)
{
	return (struct times){bench_wall_ns(), bench_cpu_ns()};
}

static void add_since(struct times *t, struct times from)
{
	t->wall += bench_wall_ns() - from.wall;
	t->cpu += bench_cpu_ns() - from.cpu;
}

struct work {
	struct machine *hub;
	struct plain *plain;
	struct batch *batches;
	size_t group; /* segments in a commit */
	struct times append, apply, insert;
};

static void work_hub(struct work *w)
{
	for (size_t i = 0; i < GROUP; i += w->group) {
		struct times t = now();

		hub_append(w->hub, w->batches + i, w->group);
		add_since(&w->append, t);
		t = now();
		hub_apply(w->hub);
		add_since(&w->apply, t);
	}
}

static void work_plain(struct work *w)
{
	struct times t = now();

	for (size_t i = 0; i < GROUP; i += w->group)
		plain_insert(w->plain, w->batches + i, w->group);
	add_since(&w->insert, t);
}

struct figures {
	struct pairs wall, cpu, ack;
	double rows_per_s, plain_per_s;
};

static void figures_pair(struct figures *f, const struct work *w)
{
	double hub = (double)(w->append.wall + w->apply.wall), plain = (double)w->insert.wall;

	pairs_add(&f->wall, plain / hub);
	pairs_add(&f->cpu, (double)w->insert.cpu / (double)(w->append.cpu + w->apply.cpu));
	pairs_add(&f->ack, plain / (double)w->append.wall);
	f->rows_per_s += GROUP * SEGMENT * 1e9 / hub;
	f->plain_per_s += GROUP * SEGMENT * 1e9 / plain;
}

static void batches_make(struct sites *s, struct arena *a, struct batch *ret)
{
	for (size_t i = 0; i < GROUP; i++) sites_batch(s, SEGMENT, a, &ret[i]);
}

static void batches_done(struct batch *b)
{
	for (size_t i = 0; i < GROUP; i++) batch_done(&b[i]);
}

static void check_all_merged(struct machine *hub, int64_t rows)
{
	struct replica_counts c;

	machine_begin(hub);
	bench_must(replica_counts(hub->r, &c), replica_error(hub->r), "counts");
	machine_commit(hub);
	int64_t refused = 0;
	bench_must(store_refused_count(hub->st, false, &refused), NULL, "counts");
	/* Its own admission is the one entry behind the apply position. */
	if (c.parked || c.waiting || c.unapplied > 1 || c.conflicts || refused) {
		fprintf(stderr, "ingest: %" PRId64 " parked, %" PRId64 " refused\n", c.parked,
		        refused);
		bench_must(1, NULL, "not all of it was merged");
	}
	fprintf(stderr, "ingest: %" PRId64 " rows merged\n", rows);
}

int main(int argc, char **argv)
{
	static struct machine hub;
	static struct sites sites;
	static struct plain plain;
	static const uint8_t unit[16] = {9};
	struct batch batches[GROUP];
	struct figures f[2] = {0};
	struct arena a;
	bool profile = argc > 1 && !strcmp(argv[1], "profile");
	int pairs = profile ? (argc > 2 ? 5 : 0) : bench_size(9, 1);

	machine_open(&hub, "hub", NULL, unit);
	sites_open(&sites, &hub, SITES, 7);
	plain_open(&plain, "plain");
	arena_init(&a, 0);
	for (int i = -1; i < pairs * 2; i++) { /* the first piece warms both up */
		int which = i < 0 ? 0 : i % 2;
		struct work w = {
		        .hub = &hub, .plain = &plain, .batches = batches, .group = which ? 1 : 10};

		batches_make(&sites, &a, batches);
		if (i / 2 % 2 && !profile) work_plain(&w);
		work_hub(&w);
		if (!(i / 2 % 2) && !profile) work_plain(&w);
		if (i >= 0 && !profile) figures_pair(&f[which], &w);
		batches_done(batches);
		arena_reset(&a);
	}
	check_all_merged(&hub, (int64_t)(pairs * 2 + 1) * GROUP * SEGMENT);
	if (!profile) {
		pairs_print(&f[0].wall, "ingest_ratio_10k");
		pairs_print(&f[1].wall, "ingest_ratio_1k");
		pairs_print(&f[0].cpu, "ingest_cpu_ratio_10k");
		pairs_print(&f[1].cpu, "ingest_cpu_ratio_1k");
		bench_value("ingest_rows_per_s", f[0].rows_per_s / pairs, "rows/s");
		bench_value("ingest_plain_rows_per_s", f[0].plain_per_s / pairs, "rows/s");
		pairs_print(&f[0].ack, "ack_ratio");
		pairs_print(&f[1].ack, "ack_ratio_1k");
	}
	arena_done(&a);
	sites_close(&sites);
	machine_close(&hub);
	plain_close(&plain);
	return 0;
}
