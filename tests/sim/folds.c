/*
 * folds.c - see folds.h.
 */
#include "common/base.h"

#include "tests/sim/folds.h"

#include "hub/coverage.h"
#include "proto/figure.h"

enum { LATEST = 999912 };

struct both {
	struct tree all, top;
	struct summary sum;
	struct fold *folds;
	size_t folds_count;
};

static bool same_item(const struct coverage_item *x, const struct coverage_item *y)
{
	return x->sites == y->sites && x->with_node == y->with_node && x->active == y->active &&
	       x->volunteers == y->volunteers && x->activities == y->activities &&
	       x->participations == y->participations && x->minutes == y->minutes &&
	       x->settled == y->settled;
}

static const char *level_differs(const struct both *b, unsigned level, struct arena *a)
{
	struct coverage_item *x = NULL, *y = NULL;
	size_t count = 0, again = 0;

	if (coverage_make(&b->all, &b->sum, level, 0, LATEST, a, &x, &count) < 0 ||
	    coverage_make_folded(&b->top, b->folds, b->folds_count, level, a, &y, &again) < 0)
		return "no coverage";
	if (count != again) return "coverage by place has another number of units";
	for (size_t i = 0; i < count; i++) {
		if (memcmp(b->all.units[x[i].unit].id, b->top.units[y[i].unit].id, 16) != 0)
			return "coverage by place is of other units";
		if (!same_item(&x[i], &y[i]))
			return "coverage by place says another number than the rows";
	}
	return NULL;
}

const char *folds_differ(struct store *st, struct arena *a)
{
	struct both b = {0};
	const char *why = NULL;
	int64_t off = 0;

	if (!store_folds_kept(st)) return NULL;
	if (store_folds_check(st, &off) < 0 || off != 0)
		return "sums kept for coverage are not those of the cells";
	if (store_folds(st, 0, LATEST, a, &b.folds, &b.folds_count) < 0 ||
	    tree_load(st, a, &b.all) < 0 ||
	    tree_load_places(st, b.folds, b.folds_count, a, &b.top) < 0 ||
	    summary_cells(st, 0, LATEST, FIGURE_MINUTES, a, &b.sum) < 0)
		return "no coverage";
	for (unsigned level = LEVEL_NATION; level < LEVEL_COMMUNITY && why == NULL; level++)
		why = level_differs(&b, level, a);
	return why;
}
