/*
 * sealed.h - worlds in which restricted cases are sealed: the province certifies officers, sites close records to them, a county
 * re-wraps to one who came later.  At rest every replica that may carry an envelope has it whole, its officers open it and
 * nobody else does, and no byte of what was sealed is in any database.
 */
#ifndef TESTS_SIM_SEALED_H
#define TESTS_SIM_SEALED_H

#include "tests/sim/device.h"

int64_t sealed_config(const struct config *c); /* how many events; from a stream of its own */
void sealed_plan(struct world *w, int64_t from_ms, int64_t until_ms);
/* AT_SEALED: the n-th thing that an officer does. */
void sealed_event(struct world *w, unsigned n);
void sealed_check_rest(struct world *w);
void sealed_end(struct world *w);

#endif
