/*
 * quota.h - hubs that take little of each child, until the world heals: what is not taken must come home afterwards.
 */
#ifndef TESTS_SIM_QUOTA_H
#define TESTS_SIM_QUOTA_H

#include "proto/quota.h"
#include "tests/sim/world.h"

int64_t quota_config(uint64_t seed); /* 0: no quotas; else how small they are */
struct quota quota_of_world(const struct world *w);

#endif
