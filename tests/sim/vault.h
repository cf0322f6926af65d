/*
 * vault.h - what may happen to a disk: backups and restores, copies, swaps, images of a running machine
 * resumed, and segments that come by another way.
 *
 * A backup is a whole, consistent copy of a device's database, in memory, three generations of each device;
 * with it lies what a machine image would hold besides: witness, boot, clocks, the state of its random
 * numbers.  Keys are never restored: they are the machine's.
 *
 * Which changes a device's people were promised and may still expect is decided here, at the moment of each
 * restore: a change that lay on no disk left in the world is forgotten; any other has to be there at rest.
 */
#ifndef TESTS_SIM_VAULT_H
#define TESTS_SIM_VAULT_H

#include "tests/sim/check.h"
#include "tests/sim/workload.h"

enum { VAULT_GENERATIONS = 3 };
struct vault;

/* Draws its part of the configuration, from a stream of its own. */
void vault_config(uint64_t seed, struct config *c);
struct vault *vault_new(struct world *w, struct chest *chest, struct workload *load);
void vault_free(struct vault *v); /* accepts NULL */
/* Plans what the configuration asks for between two times. */
void vault_plan(struct vault *v, int64_t from_ms, int64_t until_ms);
void vault_event(struct vault *v, const struct event *e); /* AT_VAULT */

/* ---- by hand; the machines are running afterwards */
void vault_keep(struct vault *v, struct device *d); /* a backup; the oldest of three goes */
/* generation 0: the newest.  All are down before the first comes back; false: one has no such backup.
 * witness: that of the machine is still there, and stale. */
bool vault_restore(struct vault *v, struct device *const *devices, size_t count, size_t generation,
                   bool witness);
/* Another machine with a copy of the whole disk, keys included.  A hub's children go to both in turns. */
struct device *vault_clone(struct vault *v, struct device *like);
/* Database and keys of each go into the other's machine; found: each finds the other's witness there. */
void vault_swap(struct vault *v, struct device *a, struct device *b, bool found);
/* The whole running machine as it is; later it goes on from there.  shown: its wall clock is set right,
 * which gives it away; else it goes on too. */
void vault_image(struct vault *v, struct device *d);
bool vault_resume(struct vault *v, struct device *d, bool shown);
bool vault_seal(struct device *d); /* what waits; false: nothing */
/* The newest segment sealed here that a hub above has not is appended there, from nobody; it has not the one before it either.
 * false: there is none. */
bool vault_carry(struct vault *v, struct device *d, struct device *hub);

/* ---- hooks */
/* To which of the copies of its parent does a child go this time? */
struct device *vault_parent(struct world *w, struct device *child);
/* Of each hub that was copied one survives, and the journal of the other is handed in to it. */
void vault_heal(struct world *w);
/* Does a restored hub wait for a person's word? */
bool vault_waits(struct world *w);
/* Was a hub copied in this world? */
bool vault_hubs_copied(const struct world *w);
/* The other machine with this hub's keys; NULL: none. */
struct device *vault_copy(struct world *w, const struct device *hub);
/* A machine wrote under this run: no other may have. */
void vault_wrote(struct world *w, struct device *d, uint64_t run);
/* Are rows to be made in the writer's own scope now?  What a resumed image names twice stands in one scope; two have a test of
 * their own. */
bool vault_at_home(const struct world *w);
/* May one name stand for two changes in this world? */
bool vault_blind(const struct world *w);

#endif
