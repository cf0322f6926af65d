/*
 * heads.h - at rest: what a hub above a device's parent says that came to it is what its journal holds of the device.
 */
#ifndef TESTS_SIM_HEADS_H
#define TESTS_SIM_HEADS_H

#include "tests/sim/world.h"

void heads_check(struct world *w);

#endif
