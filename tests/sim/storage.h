/*
 * storage.h - what a device's database lies on: an in-memory one that never fails (memdb), or a disk of faultfs.h
 * with everything that a cheap disk does; which of the two, the configuration says.
 *
 * On a disk there are three processes: the daemon, now and then a command, and a reader (the keeper) for the checks.
 * A death is a kill, which the page cache survives, or a power cut.  After a power cut the first to open is sometimes
 * cut off again in the middle of recovery.  An error of the disk is answered as node/reactor.c answers it: everything
 * is rolled back, the sessions go, the database is opened again a little later.
 */
#ifndef TESTS_SIM_STORAGE_H
#define TESTS_SIM_STORAGE_H

#include "tests/sim/faultfs.h"
#include "tests/sim/world.h"

struct device;
struct store;

enum storage_who { STORAGE_KEEPER, STORAGE_DAEMON, STORAGE_COMMAND, STORAGE_WHO };
struct storage {
	struct disk *disk; /* NULL: memdb */
	int checkpoint_pages;
	unsigned process[STORAGE_WHO], opened; /* how often */
	uint64_t cuts_seen, hits_seen;
	int64_t sick_until_ms; /* after an error: the daemon waits */
	bool power_lost;       /* the next start is a boot */
	bool struck;           /* in the transaction at hand */
	bool full;             /* there is a quota */
	int64_t quota;         /* < 0: none */
	bool witness_written;  /* in the transaction at hand */
	uint64_t run;          /* of the transaction at hand */
	uint64_t
	        failed_run; /* of a commit that failed after the witness was written; 0: none since the daemon started */
};

/* Draws its part of the configuration, from a stream of its own. */
void storage_config(uint64_t seed, struct config *c);
void storage_init(struct device *d); /* d->path */
void storage_done(struct device *d); /* all stores are closed */
/* As store_open of d->path, with the device's schema; flags: 0 or STORE_CREATE. */
int storage_open(struct device *d, enum storage_who who, unsigned flags, struct store **ret);
/* For another hand on the same database, as a new process. */
void storage_uri(struct device *d, char *ret, size_t room);
/* Disk full for a while: what the configuration asks for between two times, and its events (AT_DISK). */
void storage_plan(struct world *w, int64_t from_ms, int64_t until_ms);
void storage_event(struct world *w, const struct event *e);

/* ---- hooks of device.c */
/* Before a transaction (at: its place in the schedule): something may be going to happen in it. */
void storage_arm(struct device *d, uint64_t at);
void storage_arm_open(struct device *d); /* the same for a process that is about to start */
/* The transaction has begun. */
void storage_begun(struct device *d);
/* Afterwards: did this process, or the machine, end in it? */
bool storage_died(struct device *d, enum storage_who who);
/* The error of a transaction before it is rolled back: may it be?  True: the database is to be opened again. */
bool storage_judge(struct device *d, int rc, const char *what);
/* The machine dies now, if it has not yet: by kill or power cut.  To be called while its stores are open. */
void storage_die(struct device *d);
/* Its stores are closed: the keeper comes back, perhaps after more power cuts. */
void storage_after(struct device *d);
bool storage_sick(const struct device *d);
/* No more faults. */
void storage_heal(struct device *d);
/* Integrity of the file, at rest and after deaths. */
void storage_check(struct device *d);

#endif
