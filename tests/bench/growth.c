/*
 * growth.c - how the cost of taking in grows with what is there: the county hub of `ingest` and the plain table beside it, both
 * filled with the same rows to a million, the rate told at marks on the way; and the chart of it.
 *
 *     growth               a million rows, two minutes; scale_ratio_1m
 *     growth ROWS [SVG]    so many; scale_ratio from five million on; SVG: where the chart is written to
 */
#include "common/base.h"

#include "tests/bench/bench.h"

enum { SITES = 40, SEGMENT = 1000, GROUP = 10, WINDOW = 10 /* groups that a rate is taken over */ };

static const int64_t marks[] = {10000,   30000,   100000,  200000, 500000,
                                1000000, 2000000, 3000000, 5000000};

struct point {
	int64_t rows;
	double hub, plain, journal; /* rows/s; bytes a row */
};

struct growing {
	struct machine hub;
	struct plain plain;
	struct sites sites;
	struct arena a;
	double hub_ns[WINDOW], plain_ns[WINDOW]; /* of the last groups */
	int64_t groups;
	double journal; /* bytes so far */
	struct point points[ARRAY_COUNT(marks)];
	size_t count;
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
	bool plain_first = g->groups % 2;

	for (size_t i = 0; i < GROUP; i++) sites_batch(&g->sites, SEGMENT, &g->a, &b[i]);
	for (int side = 0; side < 2; side++) {
		int64_t from = bench_wall_ns();
		if ((side == 0) == plain_first) {
			plain_insert(&g->plain, b, GROUP);
			g->plain_ns[at] = (double)(bench_wall_ns() - from);
		} else {
			hub_append(&g->hub, b, GROUP);
			hub_apply(&g->hub);
			g->hub_ns[at] = (double)(bench_wall_ns() - from);
		}
	}
	for (size_t i = 0; i < GROUP; i++) {
		g->journal += (double)(b[i].head.len + b[i].body.len);
		batch_done(&b[i]);
	}
	arena_reset(&g->a);
	g->groups++;
}

static void mark(struct growing *g, int64_t rows)
{
	struct point *p = &g->points[g->count++];
	char name[64];

	*p = (struct point){.rows = rows,
	                    .hub = rate(g->hub_ns, g->groups),
	                    .plain = rate(g->plain_ns, g->groups),
	                    .journal = g->journal / (double)rows};
	snprintf(name, sizeof(name), "growth_rows_per_s_%" PRId64, rows);
	bench_value(name, p->hub, "rows/s");
	snprintf(name, sizeof(name), "growth_plain_rows_per_s_%" PRId64, rows);
	bench_value(name, p->plain, "rows/s");
	snprintf(name, sizeof(name), "growth_journal_bytes_row_%" PRId64, rows);
	bench_value(name, p->journal, "B/row");
}

/* ---- the chart: rows on a logarithmic axis, rates and journal each on their own scale from 0 */

enum { LEFT = 70, TOP = 50, WIDE = 560, HIGH = 240 };

/* Steps of a hundredth from 10,000 to v: a logarithm, without libm for one chart. */
static int steps(double v)
{
	double at = 10000;
	int n = 0;

	while (at * 1.01 < v) {
		at *= 1.01;
		n++;
	}
	return n;
}

static double x_of(double rows, double most)
{
	int whole = steps(most);

	return LEFT + (whole > 0 ? (double)steps(rows) / whole : 0) * WIDE;
}

static void line(FILE *f, const struct growing *g, int which, double top, const char *colour)
{
	fprintf(f, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
	for (size_t i = 0; i < g->count; i++) {
		const struct point *p = &g->points[i];
		double v = which == 0 ? p->hub : which == 1 ? p->plain : p->journal;

		fprintf(f, "%.1f,%.1f ",
		        x_of((double)p->rows, (double)g->points[g->count - 1].rows),
		        TOP + HIGH * (1 - v / top));
	}
	fprintf(f, "\"/>\n");
}

static void chart(const struct growing *g, const char *path)
{
	FILE *f = fopen(path, "w");
	double top = 0;

	if (!f) bench_must(1, NULL, path);
	for (size_t i = 0; i < g->count; i++) {
		top = g->points[i].hub > top ? g->points[i].hub : top;
		top = g->points[i].plain > top ? g->points[i].plain : top;
	}
	fprintf(f,
	        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 700 360\" "
	        "font-family=\"sans-serif\" font-size=\"13\">\n"
	        "<rect width=\"700\" height=\"360\" fill=\"#fff\"/>\n"
	        "<text x=\"%d\" y=\"24\" font-size=\"15\">县级接收速度与库中行数 · ingest of a "
	        "county hub "
	        "by rows that are there</text>\n"
	        "<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"#888\"/>\n",
	        LEFT, LEFT, TOP, TOP + HIGH, LEFT + WIDE);
	for (size_t i = 0; i < g->count; i++) {
		double x = x_of((double)g->points[i].rows, (double)g->points[g->count - 1].rows);

		fprintf(f, "<text x=\"%.0f\" y=\"%d\" text-anchor=\"middle\">%" PRId64 "k</text>\n",
		        x, TOP + HIGH + 18, g->points[i].rows / 1000);
	}
	for (int i = 0; i <= 4; i++)
		fprintf(f, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.0fk</text>\n", LEFT - 6,
		        TOP + HIGH - HIGH * i / 4 + 4, top * i / 4000);
	line(f, g, 0, top, "#b3261e");
	line(f, g, 1, top, "#888888");
	line(f, g, 2, 100, "#1f6f8b");
	fprintf(f,
	        "<text x=\"%d\" y=\"%d\"><tspan fill=\"#b3261e\">接收并合并 merged, rows/s</tspan>"
	        "<tspan dx=\"14\" fill=\"#777\">普通插入 plain inserts, rows/s</tspan>"
	        "<tspan dx=\"14\" fill=\"#1f6f8b\">日志 journal, B/row (0-100)</tspan></text>\n"
	        "</svg>\n",
	        LEFT, TOP + HIGH + 48);
	if (fclose(f) != 0) bench_must(1, NULL, path);
}

int main(int argc, char **argv)
{
	static struct growing g;
	static const uint8_t unit[16] = {9};
	int64_t rows = argc > 1 ? strtoll(argv[1], NULL, 10) : bench_size(1000000, 30000);
	const struct point *early = NULL, *last;

	machine_open(&g.hub, "hub", NULL, unit);
	sites_open(&g.sites, &g.hub, SITES, 7);
	plain_open(&g.plain, "plain");
	arena_init(&g.a, 0);
	for (size_t i = 0; i < ARRAY_COUNT(marks) && marks[i] <= rows; i++) {
		while (g.groups * GROUP * SEGMENT < marks[i]) group(&g);
		mark(&g, marks[i]);
	}
	last = &g.points[g.count - 1];
	for (size_t i = 0; i < g.count; i++)
		if (g.points[i].rows == 200000) early = &g.points[i];
	if (early && last->rows >= 1000000) {
		bench_value(last->rows >= 5000000 ? "scale_ratio" : "scale_ratio_1m",
		            last->hub / early->hub, "ratio");
		bench_value(last->rows >= 5000000 ? "scale_plain_ratio" : "scale_plain_ratio_1m",
		            last->plain / early->plain, "ratio");
	}
	if (argc > 2) chart(&g, argv[2]);
	arena_done(&g.a);
	sites_close(&g.sites);
	machine_close(&g.hub);
	plain_close(&g.plain);
	return 0;
}
