/*
 * damage.h - rows, clocks, candidates, sums and journal bodies changed behind the engine's back, through a second raw
 * connection to the same database, and what must come of it: found and mended, or named; and never spread.
 *
 * Damage is done between two turns of the daemon.  The world goes on with it: damaged rows are edited, merged into, judged
 * by.  When the world heals every device is audited, as a person would do it; at rest an audit that
 * changes nothing finds nothing, and rows are what the oracle says.
 */
#ifndef TESTS_SIM_DAMAGE_H
#define TESTS_SIM_DAMAGE_H

#include "tests/sim/device.h"

enum damage_kind {
	DAMAGE_VALUE,     /* a value of a row */
	DAMAGE_CLOCK,     /* a byte of its clock, or a clock where there was none */
	DAMAGE_GONE,      /* the row is not there */
	DAMAGE_GHOST,     /* a row that nobody wrote */
	DAMAGE_RISEN,     /* a deleted row lives, a living one is dead */
	DAMAGE_CANDIDATE, /* a value that stands beside the shown one is not there */
	DAMAGE_STATE,     /* the state hash of a scope and lane */
	DAMAGE_FIGURE,    /* a cell of figures */
	DAMAGE_BODY,      /* a byte of a segment's body in the journal */
	DAMAGE_KINDS
};

/* Draws from its own streams: the worlds of other faults stay what they are. */
int64_t damage_config(uint64_t seed);
void damage_init(struct world *w);
/* One stroke of a random kind at a random device, if there is something to damage. */
void damage_strike(struct world *w, unsigned n); /* n: of the stroke */
/* One of this kind; false: nothing of the kind is there.  ret_id: NULL, or filled with the id of the row or the first bytes of the
 * entry's hash (16). */
bool damage_do(struct device *d, enum damage_kind kind, struct random *rnd, uint8_t *ret_id);
/* Runs SQL on a connection of its own; false: it failed or changed nothing. */
bool damage_sql(struct device *d, const char *sql);
/* The audit that a person asks for; *ret: what it found. */
void damage_audit(struct world *w, struct device *d, struct audit *ret);
/* Is it damaged, or one that it speaks with?  What it claims then is not held against it. */
bool damage_near(const struct device *d);
/* All devices that are up. */
void damage_audit_all(struct world *w);
/* What an audit that changes nothing finds at a device at rest: nothing. */
void damage_check_sound(struct world *w, struct device *d);

#endif
