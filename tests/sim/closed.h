/*
 * closed.h - worlds in which what is private lies closed on every disk (common/store.h, "at rest"): all else goes on as it
 * does, and no byte of it is in the files.
 */
#ifndef TESTS_SIM_CLOSED_H
#define TESTS_SIM_CLOSED_H

#include "tests/sim/device.h"

int64_t closed_config(uint64_t seed); /* 1: it is so in this world.  From a stream of its own. */
/* The key for a store that was just opened; 0 or its error. */
int closed_give(struct device *d, struct store *st);
void closed_check_rest(struct world *w);

#endif
