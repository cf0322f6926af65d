/*
 * again.h - what a replica keeps by adding up, counted again from nothing: state hashes from the operations,
 * edits that a deletion did not know of, and what each device states in its figures from what it wrote.
 *
 * Replicas that all make the same mistake agree with each other; these are held against the specification.
 */
#ifndef TESTS_SIM_AGAIN_H
#define TESTS_SIM_AGAIN_H

#include "tests/sim/check.h"

/* ---- of a view, at any time at which all is applied */
/* State hashes of all scopes, by proto/README.md "Clocks and merge", without joining anything. */
void again_states(struct world *w, const struct view *v);
/* The list of edits that deletions did not know of. */
void again_deleted(struct world *w, const struct view *v);

/* What stands or falls together has one verdict. */
void again_whole(struct world *w, const struct view *v);
/* What a hub shows as numbers, by hub/summary.h: sums and whether they are settled. */
void again_summary(struct world *w, const struct view *v);

/* ---- figures: what a device has to state by its own edits, as it held the rows */
struct again_cell {
	uint8_t unit[16]; /* zeros: before it joined */
	int64_t month;
	unsigned kind;
	int64_t amount;
};
/* The rows that these writes name, with sign -1 before the transaction and 1 behind it, whatever became of it. */
void again_count(struct device *d, const struct write *writes, size_t count, int64_t sign);
void again_figures(struct world *w, const struct view *v); /* at rest */

#endif
