/*
 * coverage.h - who takes part: the org tree rolled up to counties, townships or communities, with
 * devices and figures.  A community without a device is not covered, and counts as such, never as 0.
 */
#ifndef HUB_COVERAGE_H
#define HUB_COVERAGE_H

#include "hub/summary.h"
#include "hub/tree.h"

struct coverage_item {
	int32_t unit;              /* index in the tree */
	int64_t sites;             /* communities at or below */
	int64_t with_node, active; /* of these: a device not revoked; activities in the period */
	int64_t volunteers, activities, participations, minutes;
	bool settled;
};

/* level: enum level of the items; from, to: months yyyymm, inclusive; volunteers are counted up to `to`.
 * Sorted by division code. */
int coverage_make(const struct tree *t, const struct summary *s, unsigned level, int64_t from,
                  int64_t to, struct arena *a, struct coverage_item **ret, size_t *ret_count);

/* The same of townships and above, from what is kept by place; t: tree_load_places. */
int coverage_make_folded(const struct tree *t, const struct fold *folds, size_t folds_count,
                         unsigned level, struct arena *a, struct coverage_item **ret,
                         size_t *ret_count);

#endif
