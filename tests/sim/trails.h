/*
 * trails.h - worlds whose devices keep a trail of what is done (proto/trail.h): people read and do things now and then;
 * at rest every trail is whole and its head is signed above; then somebody edits one behind the engine's back, and is told
 * where.
 */
#ifndef TESTS_SIM_TRAILS_H
#define TESTS_SIM_TRAILS_H

#include "tests/sim/device.h"

/* How many things are noted in the world; 0: nobody keeps a trail.  From a stream of its own. */
int64_t trails_config(uint64_t seed);
void trails_plan(struct world *w, int64_t from_ms, int64_t until_ms);
/* AT_TRAIL: the n-th thing that somebody does. */
void trails_event(struct world *w, unsigned n);
void trails_check_rest(struct world *w);
/* The last thing in the world: one trail is altered, and `trail_verify` says where. */
void trails_strike(struct world *w);

#endif
