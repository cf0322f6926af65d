/*
 * play.h - scenes by hand: a small world without faults, single writes at named devices, and sessions
 * until all is said; everything that holds at rest is checked each time.
 */
#ifndef TESTS_SIM_PLAY_H
#define TESTS_SIM_PLAY_H

#include "tests/sim/sim.h"

struct play_field {
	const char *name;
	struct value value;
};

/* tiers, counties, sites per county, devices per site.  Aborts the suite (cmocka-free) by setting the failure. */
struct sim *play_new(uint64_t seed, int64_t tiers, int64_t counties, int64_t sites,
                     int64_t devices);
void play_free(struct sim *s);
/* Writes one row; id: filled by an insert, named by the others.  0 or -ERR_x. */
int play_insert(struct device *d, const char *table, const struct play_field *fields, size_t count,
                uint8_t ret_id[16]);
int play_update(struct device *d, const char *table, const uint8_t id[16],
                const struct play_field *fields, size_t count);
int play_delete(struct device *d, const char *table, const uint8_t id[16]);
/* Sessions of everybody until nothing moves, then all checks; false: see s->world.failure. */
bool play_settle(struct sim *s);
/* The n-th device of a kind: hub or node, in order of making. */
struct device *play_device(struct sim *s, bool hub, size_t n);

#endif
