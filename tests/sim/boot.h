/*
 * boot.h - at rest a machine boots anew, and its hub with it: new runs, the same journals.  Cursors go on under the
 * new runs, so that nothing is sent again but what the peer's old run had sent and no cursor has passed yet.
 */
#ifndef TESTS_SIM_BOOT_H
#define TESTS_SIM_BOOT_H

#include "tests/sim/sim.h"

/* What each side of each link may send in the next session. */
struct boot {
	int64_t up[WORLD_DEVICES_MAX], down[WORLD_DEVICES_MAX]; /* entries, by child */
	size_t conns;
	uint64_t
	        heads; /* statements of what came, so far: a clock that a boot changed may make it due */
};
void boot_begin(struct sim *s, struct boot *ret); /* restarts the machines */
/* After a round of sessions. */
void boot_check(struct sim *s, const struct boot *b);

#endif
