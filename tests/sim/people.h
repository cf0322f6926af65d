/*
 * people.h - what people are told is true: where status says `complete`, the databases say so too.
 *
 * The engine compares digests that peers told each other; here both databases are read, and the shared scopes are those of
 * the world's tree, not of anybody's feeds.  After each commit it is noted what a database holds of each neighbour's
 * scopes; a claim of agreement must name a state that the other side truly had at the time that the claim states or
 * later, and that this side has now.
 */
#ifndef TESTS_SIM_PEOPLE_H
#define TESTS_SIM_PEOPLE_H

#include "tests/sim/check.h"

/* Of one child and its parent, kept by the child. */
struct people_seen { /* what a side held of the shared scopes, from then on */
	int64_t at_ms;
	uint8_t state[STATE_BYTES];
};
struct people_met { /* a contact as this database keeps it, and when in the world its session began */
	uint8_t by[16];
	int64_t contact_ms, opened_ms;
};
struct people {
	struct people_seen *seen[2]; /* by enum link side: SIDE_CHILD, SIDE_PARENT */
	size_t count[2], room[2];
	struct people_met *met;
	size_t met_count, met_room;
};
void people_done(struct people *p);

/* After a commit of this device. */
void people_note(struct device *d);
/* The claims of a device against the databases. */
void people_check(struct world *w, struct chest *c, struct device *d);
/* Of all whose session has ended since the last time. */
void people_check_ended(struct world *w, struct chest *c);
void people_check_all(struct world *w, struct chest *c);
/* And at rest the claim is made, wherever nothing is refused or parked. */
void people_check_rest(struct world *w, struct chest *c);

#endif
