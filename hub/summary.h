/*
 * summary.h - the numbers and where they come from (architecture section 6): for every (org unit, month,
 * kind) the sum of the figures F of its authors plus the corrections K of the custodian, per cause.
 *
 * A correction says which sum it corrected (base); where that is not the sum that stands here, the number
 * is unsettled: figures and corrections are not from the same moment yet.
 */
#ifndef HUB_SUMMARY_H
#define HUB_SUMMARY_H

#include "proto/replica.h"

struct tree;

/* A larger number is nobody's work: a correction by it is left out, and the cell is unsettled. */
#define AMOUNT_MAX (INT64_C(1) << FOLD_AMOUNT_BITS)

struct summary_part { /* one F or one K */
	uint32_t scope;
	int64_t month;
	unsigned kind;
	bool correction;
	uint8_t row[16];
	uint8_t origin[16];  /* F: who stated it */
	const char *cause;   /* K */
	int64_t value, base; /* base: K */
};
struct summary_cell {
	uint32_t scope;
	int64_t month;
	unsigned kind; /* enum figure_kind */
	int64_t stated, corrected;
	bool settled;
	const struct summary_part *parts; /* F first */
	size_t parts_count;
};
struct summary {
	struct summary_cell *cells; /* by scope, month, kind */
	size_t count;
	struct summary_part *parts;
	size_t parts_count;
};

int summary_load(struct store *st, struct arena *a, struct summary *ret);
/* The same numbers of the months from..to (of volunteers, of all months up to `to`) and kinds up to kind_max, from the sums
 * that are kept as figures are merged: the parts are corrections only, nothing is said of who stated what. */
int summary_cells(struct store *st, int64_t from, int64_t to, unsigned kind_max, struct arena *a,
                  struct summary *ret);

/* A site below that the numbers may lack. */
enum missing_why { MISSING_NO_NODE, MISSING_NEVER, MISSING_NO_AGREEMENT };
struct missing {
	int32_t unit; /* index in the tree */
	enum missing_why why;
	int64_t last_contact_ms;
};
/* Communities without a device, and direct children's devices that do not agree now. */
int summary_missing(struct replica *r, const struct tree *t, struct arena *a, struct missing **ret,
                    size_t *ret_count);
/* How many those are, from what is kept by place. */
int summary_missing_count(struct replica *r, const struct tree *t, const struct fold *folds,
                          size_t folds_count, struct arena *a, size_t *ret_count);

#endif
