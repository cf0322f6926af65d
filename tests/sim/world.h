/*
 * world.h - the simulated world: virtual time and its queue of events, the organisation tree, the
 * devices, one stream of randomness per subsystem, the trace and the first failure.
 *
 * What happens in it is spread over link (connections), device (one machine and its daemon), workload
 * (what people write) and check (what must hold); sim puts them together.  Nothing here knows them.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "common/crypt.h"
#include "proto/cert.h"
#include "tests/sim/coverage.h"
#include "tests/sim/random.h"
#include "tests/sim/schedule.h"
#include "tests/sim/things.h"

enum { WORLD_DEVICES_MAX = 64, WORLD_UNITS_MAX = 64, CONNS_MAX = 65536 };

/* Everything that varies from seed to seed, as plain integers, so that shrinking can walk over them.  Rates are
 * in thousandths.  0 takes the fault away. */
struct config {
	uint64_t seed;
	int64_t tiers; /* 1: one hub alone; 2: county and nodes; 3: province, counties, nodes */
	int64_t counties, sites, devices; /* counties; sites per county; devices per site */
	int64_t writes;                   /* local transactions in all */
	int64_t calm;                     /* sites call so many times more seldom; 0: once */
	int64_t hours;                    /* virtual length of the safety phase */
	int64_t real; /* share of writes that go to the real tables, the others to the small ones */
	int64_t latency_ms, rate_bytes; /* of links; bytes per ms, 0: no limit */
	int64_t cut, half_open, stale, stall,
	        loss; /* of connections: cut at a byte; stay half open; leave frames to the next one; hold one direction */
	int64_t offline; /* share of the time without any link */
	int64_t crash,
	        fault;  /* of transactions: machine killed at a storage call; disk full once */
	int64_t reboot; /* of restarts: a reboot (new run) */
	int64_t skew;   /* of devices: a wrong clock, up to ten years */
	int64_t refuse, hold; /* of writes that lock rows; that refer to other rows */
	int64_t command;      /* share of writes made by a second program on the same database */
	int64_t late;         /* share of nodes that join late */
	int64_t stay;         /* share of sessions that stay open */
	int64_t window;       /* credit window, bytes; 0: the engine's */
	int64_t mixed;        /* share of devices with the newer schema */
	int64_t malice;       /* strikes of an attacker; odd: he has a county hub (by hand only) */
	int64_t damage; /* strokes behind the engine's back; below 0: what they lead to is borne, nobody audits */
	int64_t crowd;   /* 1: everybody is at the same few rows */
	int64_t piece;   /* bytes of a changeset, above which it goes in parts; 0: the engine's */
	int64_t twin;    /* share of writes that somebody else makes too, in the same millisecond */
	int64_t without; /* kinds of work that people do not do: WITHOUT_x (weather.h) */
	int64_t clock;   /* of devices: a clock that is wrong in some way, again and again */
	int64_t upgrade,
	        speak;       /* of devices: upgraded in the middle; protocols of several ranges */
	int64_t slow;        /* a hub is busy with a turn for so many ms */
	int64_t pause, deaf; /* of connections: minutes of silence amid data; half open for ever */
	int64_t whole;       /* of transactions: stand or fall together */
	int64_t load;        /* backlogs of large records, for each site */
	int64_t quota; /* hubs take little of each child a day, the less the smaller; 0: no limit */
	/* Storage: on a disk of faultfs.h at all; of deaths: power cuts; of transactions: dies at a call of the file system,
	 * an error of one; times that a disk is full for a while; of deaths: the file is checked. */
	int64_t disk, power, die, eio, full, audit;
	int64_t sealed;   /* things that officers do with restricted cases; 0: there are none */
	int64_t trails;   /* things that people do which are noted; 0: nobody keeps a trail */
	int64_t life;     /* of certificates, minutes; 0: for ever */
	int64_t erasures; /* rows that a county erases */
	int64_t closed;   /* 1: what is private lies closed on the disks */
	int64_t restore;  /* restores from a backup, each of one machine or of two at once */
	int64_t clone;    /* disks copied whole: both machines go on */
	int64_t swap;     /* pairs of machines that swap their disks */
	int64_t resume;   /* images of a running machine resumed later */
	int64_t held; /* times that somebody looks at who waits to be released; 0: hubs hold nobody */
	int64_t late_segment; /* segments that come to a hub by another way, before the ones before them */
};

struct unit {
	uint8_t id[16];
	int parent; /* index; -1 none */
	int64_t level;
};

enum event_kind {
	AT_TURN = 1,
	AT_FRAME,
	AT_SENT,
	AT_BROKEN,
	AT_CONNECT,
	AT_WRITE,
	AT_START,
	AT_JOIN,
	AT_FAULT,
	AT_RELEASE,
	AT_DAMAGE,
	AT_MALICE,
	AT_WEATHER,
	AT_DISK,
	AT_TRAIL,
	AT_SEALED,
	AT_VAULT, /* backups, restores, copies: vault.h; what: in `conn` */
	AT_ERASE,
	AT_LET_GO /* held.h */
};
struct event {
	int64_t at_ms;
	uint64_t seq;
	enum event_kind kind;
	unsigned device, conn, side;
};

struct counts {
	uint64_t writes, rejected, sessions, closed, crashes, reboots, cuts, stalls, frames, data,
	        bytes, commands, disk_full, restores, refusals, holds, joins, conflicts, parks,
	        runs, rows, skipped, copies;
};

struct device;
struct conn;
struct vault;
struct malice;
struct sealed;
struct world {
	struct config config;
	struct malice *malice; /* the attacker; NULL: none */
	struct sealed *sealed; /* sealed.h; NULL: none */
	struct things things, things_next;
	int64_t now_ms, start_ms;
	int64_t hour; /* now, and what happened in it so far */
	uint64_t hour_events;
	struct random net, work, crash, topology, clock_; /* one stream each */
	struct random damage;
	struct event *queue; /* binary heap by (at_ms, seq) */
	size_t queue_count, queue_room;
	uint64_t seq;
	uint64_t keys_given; /* closed.c */

	struct unit units[WORLD_UNITS_MAX];
	size_t units_count;
	struct device *devices[WORLD_DEVICES_MAX];
	size_t devices_count;
	struct conn *conns[CONNS_MAX];
	size_t conns_count;
	bool healed;         /* no more faults, no more writes */
	bool rests;          /* and nothing moves any more */
	struct vault *vault; /* backups and copies of disks; NULL: none in this world */

	uint8_t root_public[32], root_secret[64], root_fingerprint[32];
	struct cert root;
	struct buf root_bytes;

	const struct schedule *only; /* NULL: whatever is drawn happens; else of that only these */
	struct schedule *happened;   /* NULL: not noted */
	struct hash trace;
	bool trace_print, story; /* the raw trace; sentences */
	struct counts counts;
	struct coverage coverage;
	char failure[512]; /* "": none; the first one stays */
	char failed_rule[48];
};

void world_init(struct world *w, const struct config *config);
void world_done(struct world *w); /* not devices and connections: sim_done does */
void world_at(struct world *w, int64_t at_ms, enum event_kind kind, unsigned device, unsigned conn,
              unsigned side);
bool world_next(struct world *w, struct event *ret); /* the earliest; moves the time; false: none */
/* Into the trace hash, and to stderr when printing. */
void world_trace(struct world *w, const char *format, ...) PRINTF_LIKE(2, 3);
/* A sentence of the story: who did what.  Printed when it is told, never part of the trace. */
void world_tell(const struct world *w, const char *format, ...) PRINTF_LIKE(2, 3);
void world_trace_bytes(struct world *w, struct span s);
/* Notes the first violation of a rule (a short name, the facts). */
void world_fail(struct world *w, const char *rule, const char *format, ...) PRINTF_LIKE(3, 4);
int world_unit_add(struct world *w, int parent, int64_t level);
/* Is `unit` in the subtree of `top` (or top itself)?  Indexes. */
bool world_under(const struct world *w, int unit, int top);
int world_unit_find(const struct world *w, const uint8_t id[16]); /* -1: none */

#endif
