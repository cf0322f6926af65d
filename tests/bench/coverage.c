/*
 * coverage.c - `coverage --by township` at a province: 17,498 communities in 1,100 townships, 12 months of four figures each,
 * one cell in fifty corrected, three communities in four with a device.  From the open database to the items: the units, the
 * numbers, the roll-up; without the start of the process and without printing.  Beside it the same counted the long way.
 */
#include "common/base.h"

#include "tests/bench/bench.h"

#include "common/ident.h"
#include "hub/coverage.h"
#include "proto/figure.h"

enum { COUNTIES = 85, TOWNSHIPS = 1100, COMMUNITIES = 17498, MONTHS = 12, TIMES = 9 };

static struct machine hub;

static void unit_id(uint64_t n, uint8_t ret[16])
{
	id_make((UINT64_C(1700000000000) + n) << 12, 77, ret);
}

static void put(uint16_t table, uint32_t scope, const uint8_t id[16], struct value *v)
{
	struct row row = {.scope = scope, .v = v};
	bool fresh;

	memcpy(row.id, id, 16);
	v[0] = value_int(1);
	bench_must(store_rows_insert(hub.st, table, LANE_OPEN, &row, 1, &fresh), NULL, "insert");
}

static void put_unit(uint64_t n, unsigned level, uint64_t parent, uint32_t *ret_scope)
{
	struct value v[SLOTS_MAX] = {0};
	uint8_t id[16], above[16];
	char code[13];

	unit_id(n, id);
	unit_id(parent, above);
	snprintf(code, sizeof(code), "35%010" PRIu64, n);
	bench_must(store_scope_ord(hub.st, id, true, ret_scope), NULL, "scope");
	v[1] = value_text(code);
	v[2] = value_int(level);
	v[3] = value_text("测试村妇女之家");
	if (n != parent) v[5] = value_bytes(above, 16);
	put(TABLE_ORG_UNIT, *ret_scope, id, v);
}

/* One device of a community states its four figures of a month; the county corrects some. */
static void put_figures(uint64_t n, uint32_t scope, int64_t month, struct dice *d)
{
	for (unsigned kind = FIGURE_VOLUNTEERS; kind <= FIGURE_MINUTES; kind++) {
		int64_t said = 1 + (int64_t)dice_below(d, kind == FIGURE_MINUTES ? 9000 : 60);
		struct cell c = {.scope = scope, .month = month, .kind = kind, .stated = said};
		struct value v[SLOTS_MAX] = {0};
		uint8_t unit[16], id[16];

		unit_id(n, unit);
		figure_row_id(unit, unit, month, kind, id);
		v[1] = value_bytes(unit, 16);
		v[2] = value_int(month);
		v[3] = value_text(figure_name(kind));
		v[4] = value_int(said);
		put(TABLE_FIGURE, scope, id, v);
		bench_must(store_cells_add(hub.st, &c, 1), NULL, "cell");
		if (dice_below(d, 50)) continue;
		memset(v, 0, sizeof(v));
		correction_row_id(unit, month, kind, "overlap", id);
		v[1] = value_int(month);
		v[2] = value_text(figure_name(kind));
		v[3] = value_text("overlap");
		v[4] = value_int(-1);
		v[5] = value_int(said);
		put(TABLE_CORRECTION, scope, id, v);
	}
}

static void put_device(uint64_t n, uint32_t scope)
{
	struct value v[SLOTS_MAX] = {0};
	uint8_t unit[16], id[16];

	unit_id(n, unit);
	unit_id(n + 1000000, id);
	v[1] = value_bytes(id, 16);
	v[3] = value_bytes(unit, 16);
	put(TABLE_DEVICE, scope, id, v);
}

static void fill(size_t communities)
{
	struct dice d = {.state = 12};
	uint32_t scope;
	uint64_t n = 1;

	machine_begin(&hub);
	put_unit(n++, LEVEL_PROVINCE, 1, &scope);
	for (uint64_t i = 0; i < COUNTIES; i++) put_unit(n++, LEVEL_COUNTY, 1, &scope);
	for (uint64_t i = 0; i < TOWNSHIPS; i++)
		put_unit(n++, LEVEL_TOWNSHIP, 2 + i % COUNTIES, &scope);
	for (uint64_t i = 0; i < communities; i++, n++) {
		put_unit(n, LEVEL_COMMUNITY, 2 + COUNTIES + i % TOWNSHIPS, &scope);
		if (n % 4) put_device(n, scope);
		for (int64_t month = 202501; month < 202501 + MONTHS; month++)
			put_figures(n, scope, month, &d);
		if (i % 500 == 499) {
			machine_commit(&hub);
			machine_begin(&hub);
		}
	}
	machine_commit(&hub);
}

enum way { BY_PLACE, BY_CELLS, BY_ROWS };

static int long_way(enum way way, struct arena *a, struct tree *tree, struct coverage_item **ret,
                    size_t *ret_count)
{
	struct summary sum = {0};
	int rc = tree_load(hub.st, a, tree);

	if (!rc)
		rc = way == BY_ROWS
		             ? summary_load(hub.st, a, &sum)
		             : summary_cells(hub.st, 202501, 202512, FIGURE_MINUTES, a, &sum);
	return rc ? rc
	          : coverage_make(tree, &sum, LEVEL_TOWNSHIP, 202501, 202512, a, ret, ret_count);
}

static int by_place(struct arena *a, struct tree *tree, struct coverage_item **ret,
                    size_t *ret_count, int64_t *ret_folds_ns)
{
	struct fold *folds = NULL;
	size_t n = 0;
	int64_t from = bench_wall_ns();
	int rc = store_folds(hub.st, 202501, 202512, a, &folds, &n);

	*ret_folds_ns = bench_wall_ns() - from;
	rc = rc ? rc : tree_load_places(hub.st, folds, n, a, tree);
	return rc ? rc : coverage_make_folded(tree, folds, n, LEVEL_TOWNSHIP, a, ret, ret_count);
}

/* ret_sum: every number of every item has its share in it. */
static int64_t query(size_t communities, enum way way, int64_t *ret_folds_ns, uint64_t *ret_sum)
{
	struct tree tree = {0};
	struct coverage_item *items = NULL;
	size_t count = 0, sites = 0;
	int64_t from = bench_wall_ns();
	uint64_t h = 0;
	struct arena a;
	int rc;

	arena_init(&a, 0);
	rc = way == BY_PLACE ? by_place(&a, &tree, &items, &count, ret_folds_ns)
	                     : long_way(way, &a, &tree, &items, &count);
	from = bench_wall_ns() - from;
	bench_must(rc, NULL, "coverage");
	for (size_t i = 0; i < count; i++) {
		const struct coverage_item *x = &items[i];
		const int64_t all[] = {x->sites,      x->with_node,      x->active,  x->volunteers,
		                       x->activities, x->participations, x->minutes, x->settled};
		for (size_t k = 0; k < ARRAY_COUNT(all); k++) h = h * 1000003 + (uint64_t)all[k];
		sites += (size_t)x->sites;
	}
	if (count != TOWNSHIPS || sites != communities)
		bench_must(1, NULL, "not all of the province is in it");
	*ret_sum = h;
	arena_done(&a);
	return from;
}

static double median_ms(const int64_t *ns, size_t n)
{
	struct pairs p = {0};

	for (size_t i = 0; i < n; i++) pairs_add(&p, (double)ns[i] / 1e6);
	return pairs_median(&p);
}

int main(void)
{
	static const uint8_t unit[16] = {9};
	size_t communities = (size_t)bench_size(COMMUNITIES, 1100);
	int64_t all[TIMES], folds[TIMES], cells_ns, rows_ns;
	uint64_t sum, again;

	machine_open(&hub, "province", NULL, unit);
	fill(communities);
	rows_ns = query(communities, BY_ROWS, NULL, &again);
	cells_ns = query(communities, BY_CELLS, NULL, &sum);
	if (sum != again) bench_must(1, NULL, "the kept cells say something else");
	for (size_t i = 0; i < TIMES; i++) {
		all[i] = query(communities, BY_PLACE, &folds[i], &sum);
		if (sum != again) bench_must(1, NULL, "the kept sums say something else");
	}
	bench_value("coverage_query_ms", median_ms(all, TIMES), "ms");
	bench_value("coverage_query_sums_ms", median_ms(folds, TIMES), "ms");
	bench_value("coverage_query_cells_ms", (double)cells_ns / 1e6, "ms");
	bench_value("coverage_query_rows_ms", (double)rows_ns / 1e6, "ms");
	machine_close(&hub);
	return 0;
}
