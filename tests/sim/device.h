/*
 * device.h - one machine: its database, clock, witness and identity, and the daemon that drives the
 * engine on it as node/daemon.c does: frames in batches in one transaction, applying in transactions of
 * its own, seals, corrections at hubs; nothing leaves before its commit.
 *
 * The database lies on what storage.h says; a second connection (the keeper) reads it for the checks and keeps alive
 * what is in memory.  A crash is closing the first connection in the middle of a transaction, or what a disk makes of it.
 */
#ifndef TESTS_SIM_DEVICE_H
#define TESTS_SIM_DEVICE_H

#include "proto/replica.h"
#include "tests/sim/link.h"
#include "tests/sim/storage.h"
#include "tests/sim/world.h"

enum { DEVICE_ENDS_MAX = 256 };

/* One acknowledged operation of a local transaction: (row, lane, run, stamp), as the tail has it. */
struct name {
	uint8_t row[16], scope[16];
	uint16_t table;
	unsigned lane;
	uint64_t run, stamp;
	bool away; /* not on the device's own disk since that was restored: to come home */
};
struct names {
	struct name *p;
	size_t count, room;
};

/* again.h */
struct again_cell;
struct again_figures {
	struct again_cell *cells;
	size_t count, room;
};

struct device_end {
	struct conn *conn;
	unsigned side;
};
/* A wall clock that is not the true one: so much at a moment, and its rate in thousandths. */
struct clock_face {
	bool set;
	int64_t since_ms, wall_ms, rate;
};
struct device {
	struct world *world;
	unsigned number;
	char label[24], path[64];
	struct device *parent; /* NULL: the top */
	int unit;              /* index */
	bool hub, next_schema, joined, alive;
	bool damaged;         /* behind its engine's back, and not audited since */
	size_t storage_calls; /* made, ever */
	bool hostile;         /* in an attacker's hands: nothing is asked of it */
	bool copied;          /* another machine has its keys and goes on */
	bool restored; /* its database is or was an older copy: what it acknowledged may not have come back yet */
	struct identity identity;
	struct cert cert;
	struct buf cert_bytes;

	struct random rnd;
	struct env env;
	int64_t skew_ms, boot_at_ms;
	struct clock_face face;
	unsigned speech;       /* which protocols its build speaks (weather.c) */
	int64_t busy_until_ms; /* a slow hub: no turn before */
	uint8_t boot[16];
	struct witness witness;
	bool witness_known;

	struct storage storage;
	struct store *keeper, *store;
	struct replica *replica; /* NULL: the machine is down */
	struct judge judge;
	struct error err;

	int64_t fault_after; /* storage calls until the next fault; < 0: none armed */
	int fault_code;      /* 0: the machine dies; else this error once */
	bool dying, faulted, working;

	struct device_end ends[DEVICE_ENDS_MAX];
	size_t ends_count;
	struct conn *conn; /* to the parent */
	unsigned calls;    /* made to the parent, those that failed too */
	int64_t worked_ms; /* last transaction, and how many began in that millisecond */
	unsigned worked;
	int64_t turn_at_ms; /* scheduled; 0: none */
	bool apply_due, correct_due;
	int64_t words_hour; /* words about figures that it stated in this hour (slander.h) */
	size_t words;
	int64_t seal_at_ms, offline_until_ms;

	struct names acked;

	uint64_t noted;        /* acknowledged notes of its trail */
	struct people *people; /* people.h: of this child and its parent; NULL: nothing yet */
	bool session_ended;
	struct again_figures states; /* what its figures have to be: again.h */
};

struct device *device_new(struct world *w, struct device *parent, int unit, bool hub,
                          bool next_schema);
void device_free(struct device *d);
/* In an attacker's hands, or below such a hub: what comes to rest there is as he likes. */
bool device_forsaken(const struct device *d);
bool world_hostile(const struct world *w); /* has an attacker any? */
/* Another machine with the same keys and certificate and an empty database; not in the world's list.  Joins by
 * device_adopt, which does not enrol. */
struct device *device_twin(struct device *like, unsigned number);
int device_adopt(struct device *d);
/* The next version of the program on the same database. */
int device_upgrade(struct device *d);
/* Opens database and engine; 0, 1 (died in it, comes again), or the engine's error (noted as a failure). */
int device_start(struct device *d, bool reboot);
/* The machine stops here, in the middle of whatever it did. */
void device_kill(struct device *d);
void device_turn_at(struct world *w, struct device *d, int64_t at_ms);
void device_turn(struct device *d);
void device_disconnected(struct world *w, struct device *d);
void device_connect(struct world *w, struct device *d);
/* Certificate from the parent (or the root), enrolled there, joined here. */
int device_join(struct device *d);
/* One local transaction.  by_command: through a second program on the same database.  0, -ERR_x refused,
 * 1: the machine died.  Acknowledged operations are added to d->acked. */
int device_write(struct device *d, struct write *writes, size_t count, bool whole, bool by_command);
/* Runs work in one transaction: 0; < 0 rolled back; 1 the machine died. */
typedef int device_work(struct device *d, void *ctx);
int device_transaction(struct device *d, const char *what, device_work *work, void *ctx);
void device_arm(struct device *d, int64_t calls, int code);
const struct schema *device_schema(const struct device *d);
/* Local transactions are written, sealed and sessions ended when the world heals. */
void device_end_sessions(struct device *d);
size_t device_sessions(struct device *d); /* alive */

#endif
