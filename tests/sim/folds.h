/*
 * folds.h - coverage from what is kept by place is coverage from the rows (a header of its own: the units of hub/tree.h and
 * those of the world have one name).
 */
#ifndef TESTS_SIM_FOLDS_H
#define TESTS_SIM_FOLDS_H

#include "common/store.h"

/* NULL: they agree, at every level above communities; else what differs, in the arena. */
const char *folds_differ(struct store *st, struct arena *a);

#endif
