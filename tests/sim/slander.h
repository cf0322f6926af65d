/*
 * slander.h - a hub says that a child's figures are wrong only while it holds both halves of
 * what that child counted; and it does not say so without end.
 */
#ifndef TESTS_SIM_SLANDER_H
#define TESTS_SIM_SLANDER_H

#include "tests/sim/world.h"

/* Before a hub states its corrections, and after it did: of what stands in its tail since. */
int64_t slander_mark(struct device *hub);
void slander_check(struct device *hub, int64_t mark);

#endif
