/*
 * held.h - worlds in which hubs keep the county lane back from restored and copied children until a person releases them.
 *
 * In a world with config.held somebody looks so many times at who waits, and releases some; when the world is healed all are
 * released, round by round.  Held (rule `held`): of a session through which a site waited nothing of a closed lane arrives from
 * its parent.  What the others' rules ask (everything acknowledged comes home, all agree) is asked as ever, after the release.
 */
#ifndef TESTS_SIM_HELD_H
#define TESTS_SIM_HELD_H

#include "tests/sim/device.h"

int64_t held_config(const struct config *c);
void held_plan(struct world *w, int64_t from_ms, int64_t until_ms);
void held_event(struct world *w, unsigned n);
/* When nothing else happens any more, before each round of calls: true if somebody waited.  A release covers all copies that are
 * known then; of those that are not each is found, held and released once. */
bool held_release_all(struct world *w);
/* Does one wait still, held again since? */
bool held_any(const struct world *w);
/* A session of this link begins, or has ended at the child. */
void held_session(struct conn *c, bool begins);

#endif
