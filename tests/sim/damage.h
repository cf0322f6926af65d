/*
 * damage.h - rows, clocks, candidates, sums and journal bodies changed behind the engine's back, through a second raw
 * connection to the same database, and what must come of it: found and mended, or named; and never spread.
 */
#ifndef TESTS_SIM_DAMAGE_H
#define TESTS_SIM_DAMAGE_H

#include "tests/sim/device.h"

/* What an audit that changes nothing finds at a device at rest: nothing. */
void damage_check_sound(struct world *w, struct device *d);

#endif
