/*
 * small.h - small scope, all of it: two sites and a hub, three operations, every interleaving with sessions, cut
 * sessions, applying and reboots up to a bound; and three operations by up to three runs at one replica, in all
 * orders, batches and repetitions.
 *
 * A bug of replication that takes many devices and changes nearly always has a small brother.  Random worlds meet him
 * by chance; here there is no chance.  The world forks (fork(2)) at each choice, so that a beginning is played once.
 */
#ifndef TESTS_SIM_SMALL_H
#define TESTS_SIM_SMALL_H

#include "tests/sim/sim.h"

enum small_kind {
	SMALL_INSERT, /* of a row whose id is derived: two may insert the same */
	SMALL_EDIT,
	SMALL_EDIT_OTHER, /* another field */
	SMALL_DELETE,
	SMALL_RESTORE,
	SMALL_REFUSED, /* an edit that the hub refuses */
	SMALL_KINDS
};
enum small_place { SMALL_A, SMALL_B, SMALL_HUB };
enum small_sync {
	SMALL_SYNC_A, /* a session to its end, both sides apply */
	SMALL_SYNC_B,
	SMALL_TAKE_A, /* a session in which nobody applies what came */
	SMALL_TAKE_B,
	SMALL_CUT_A, /* cut after the greeting */
	SMALL_CUT_B,
	SMALL_CUT_A_LATE, /* cut amid the entries */
	SMALL_CUT_B_LATE,
	SMALL_APPLY, /* the hub applies */
	SMALL_BOOT_A,
	SMALL_BOOT_B,
	SMALL_BOOT_HUB,
	SMALL_SYNCS
};

/* Every script of three kinds and places, in every interleaving with `steps` others. */
struct small_bound {
	const enum small_kind *kinds;
	size_t kinds_count;
	const enum small_place (*places)[3];
	size_t places_count;
	const enum small_sync *syncs;
	size_t syncs_count;
	unsigned steps;
};
extern const struct small_bound small_reduced, small_full;

struct small_result {
	uint64_t schedules, failed;
	char first[1200]; /* of the failures: the schedule and what broke */
};
/* Part `part` of `parts` of the scripts, so that several processes share the work. */
void small_interleavings(const struct small_bound *b, unsigned part, unsigned parts,
                         struct small_result *ret);

/* full: all kinds and repetitions; else fewer of both. */
void small_merges(bool full, unsigned part, unsigned parts, struct small_result *ret);

#endif
