/*
 * schedule.h - what happens in a world by chance: drawn events, each with a name of its own.
 *
 * An event's randomness is a function of the seed and of its name (kind, device, place) alone, never of what was
 * drawn before it.  So any of them can be left out and all others stay as they were: that is what makes it
 * possible to shrink a failing seed to the few events that it takes, and to print these as sentences.
 *
 *	struct random rnd = world_draw(w, DRAWN_CUT, device, call);
 *	if (random_chance(&rnd, rate) && world_allows(w, DRAWN_CUT, device, call)) ...
 *
 * A place is what stays the same when other events go: the number of a call, of a written transaction, or the time.
 */
#ifndef TESTS_SIM_SCHEDULE_H
#define TESTS_SIM_SCHEDULE_H

#include <stdio.h>

#include "common/base.h"

#include "tests/sim/random.h"

/* clang-format off */
#define DRAWN_KINDS(X) \
	X(WRITE, "write") X(CHANGE, "change") X(WEATHER, "weather") X(OFFLINE, "offline") X(JUMP, "jump") X(KILL, "kill") \
	X(CALL, "call") X(LOSS, "loss") X(CUT, "cut") X(STALL, "stall") X(STALE, "stale") \
	X(HALF_OPEN, "half-open") X(CRASH, "crash") X(DISK, "disk") X(CRASH_AFTER, "crash-after") \
	X(REBOOT, "reboot") X(SKEW, "skew") X(CHECK, "check") X(COMMAND, "command") \
	X(UPGRADE, "upgrade") X(CLOCK, "clock") X(NO_BATTERY, "no-battery") X(LOAD, "load") X(PAUSE, "pause") \
	/* randomness without an event: nothing of it can be left out */ \
	X(WAIT, "wait") X(LINE, "line") X(WORK, "work") X(SETUP, "setup") \
	X(DAMAGE, "damage") \
	/* new ones at the end, or the draws of all others would change */ \
	X(TWIN, "twin") X(DIES, "dies") X(EIO, "eio") X(FULL, "full") X(PLATTER, "platter") X(TRAIL, "trail") X(SEALED, "sealed") X(ERASURE, "erasure") \
	X(RELEASE, "release")
/* clang-format on */

enum drawn {
#define X(NAME, WORD) DRAWN_##NAME,
	DRAWN_KINDS(X)
#undef X
	        DRAWN_COUNT
};
struct drawn_event {
	enum drawn kind;
	unsigned device; /* number; of the top where no device is meant */
	uint64_t at;     /* call, transaction, millisecond */
};
struct schedule {
	struct drawn_event *p;
	size_t count, room;
};
struct world;

struct random world_draw(const struct world *w, enum drawn kind, unsigned device, uint64_t at);
/* May the event happen?  If so it is noted as having happened. */
bool world_allows(struct world *w, enum drawn kind, unsigned device, uint64_t at);

void schedule_add(struct schedule *s, const struct drawn_event *e);
void schedule_sort(struct schedule *s); /* before schedule_has */
bool schedule_has(const struct schedule *s, const struct drawn_event *e);
void schedule_done(struct schedule *s);
/* One line: `kind.device.at` for each.  Reads the same from a text; false: not that. */
void schedule_print(const struct schedule *s, FILE *f);
bool schedule_read(struct schedule *s, FILE *f);

#endif
