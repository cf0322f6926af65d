/*
 * slander.h - a hub says that a child's figures are wrong only while it holds both halves of
 * what that child counted; and it does not say so without end.
 */
#ifndef TESTS_SIM_SLANDER_H
#define TESTS_SIM_SLANDER_H

#include "tests/sim/world.h"

/* After a hub stated its corrections, before they are sealed. */
void slander_check(struct device *hub);

#endif
