/*
 * erasures.h - worlds in which a county erases what rows say, also rows that it does not have yet; afterwards nobody who heard
 * of it holds a value of them: not in tables, candidates, journal, tail.  All else holds as in any world: replicas agree, figures are
 * what the rows count, nothing else is lost.
 */
#ifndef TESTS_SIM_ERASURES_H
#define TESTS_SIM_ERASURES_H

#include "tests/sim/device.h"

/* How many.  From a stream of its own; none where disks go back, are copied or altered, or somebody means ill: what comes back from
 * bodies that were cut is not what was lost. */
int64_t erasures_config(const struct config *c);
void erasures_plan(struct world *w, int64_t from_ms, int64_t until_ms);
void erasures_event(struct world *w, unsigned n);
void erasures_check_rest(struct world *w);

#endif
