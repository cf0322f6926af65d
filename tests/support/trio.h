/*
 * trio.h - three tiers in one process: a province, a county hub with the real judge, three devices at two
 * sites, each with a database in memory, on one clock that the test moves; and links between them that a
 * test can look into.
 *
 * The devices are joined by real certificates below one root, and the org tree (province, two
 * counties, two sites at the first) has reached the county; the devices at the sites have never synced.  What goes wrong while the
 * world is built or moved ends the program: it is the test's fault, not what is tested.  Nothing here
 * knows cmocka.
 */
#ifndef TESTS_SUPPORT_TRIO_H
#define TESTS_SUPPORT_TRIO_H

#include "hub/judge.h"
#include "proto/replica.h"
#include "proto/session.h"
#include "tests/support/changes.h"

enum trio_unit {
	UNIT_PROVINCE,
	UNIT_COUNTY,
	UNIT_SITE,
	UNIT_OTHER,
	UNIT_AWAY /* a county of its own */,
	TRIO_UNITS
};
enum { TRIO_DEVICES_MAX = 8, TRIO_LINKS_MAX = 128 };

struct trio;

struct trio_device {
	struct trio *t;
	const char *name;
	struct trio_device *parent;
	enum trio_unit unit;
	int64_t skew_ms; /* of its wall clock */
	struct identity identity;
	struct cert cert;
	struct buf cert_bytes;
	struct store *store;
	struct replica *r;
	const struct schema *schema; /* of its program: what trio_lax changes */
	char backup[128];            /* path of the last trio_backup; "" none */

	/* trio.c's own */
	struct env env;
	struct dice dice;
	struct witness witness;
	bool witness_known, apply_due;
	uint8_t boot[16];
	struct store *keeper; /* keeps a database in memory while the device is off */
	struct judging judging;
	struct judge judge;
	char path[128];
	unsigned flags, backups;
};

/* Who sends: TRIO_UP is also the child's side of a link, TRIO_DOWN the parent's. */
enum trio_way { TRIO_UP, TRIO_DOWN };
enum trio_fate { TRIO_PASS, TRIO_DROP, TRIO_TWICE, TRIO_CUT /* the connection ends instead */ };

struct trio_link {
	struct trio *t;
	struct trio_device *ends[2];
	struct session_config config[2]; /* may be changed before the first run */
	struct session *sessions[2];     /* NULL: not begun, or ended */
	/* Asked for every frame when it arrives; may change it.  NULL: all pass. */
	enum trio_fate (*look)(struct trio_link *l, enum trio_way way, struct buf *frame);
	void *ctx;
	bool begun, closed[2], alone[2]; /* alone: the other side went without a word */
	int codes[2];                    /* with which each side closed */
	int rcs[2]; /* error of the engine itself, which ended the session; 0: none */
	size_t frames[2], bytes[2], data[2]; /* that arrived, by way */
	struct buf trace;                    /* a line for each frame that arrived: "up HELLO" */
	struct session_progress last[2];     /* when the session ended */
	struct trio_queue {
		struct trio_frame *first, *last;
	} queues[2][2]; /* by way and priority */
	int64_t due_ms[2];
};

struct trio {
	int64_t now_ms;
	struct dice dice;
	uint8_t root_public[32], root_secret[64], root_fingerprint[32];
	uint8_t spare_public[32], spare_secret[64]; /* the spare that the root names */
	struct cert root;
	struct buf root_bytes;
	uint8_t units[TRIO_UNITS][16];
	struct trio_device *province, *county, *site, *second /* at the same site */, *other;
	struct trio_device *devices[TRIO_DEVICES_MAX];
	size_t devices_count;
	struct trio_link *links[TRIO_LINKS_MAX];
	size_t links_count;
	struct arena a;    /* of what is read for the test */
	char dir[64];      /* of backups */
	struct schema lax; /* trio_lax */
	const struct table *lax_tables[TABLES_MAX];
	struct table lax_activity;
	struct field lax_fields[SLOTS_MAX];
	struct table lax_sealed;
	struct field lax_sealed_fields[4];
};

struct trio *trio_new(void);
void trio_free(struct trio *t); /* and all its devices and links; removes the backups */

/* ---- devices */
/* One more, neither certified nor joined. */
struct trio_device *trio_device_new(struct trio *t, const char *name, struct trio_device *parent,
                                    enum trio_unit unit);
/* A certificate of its parent (of the root, without one), not enrolled anywhere. */
void trio_certify(struct trio_device *d, uint8_t role, enum level level, uint8_t lanes);
int trio_enrol(struct trio_device *d); /* at its parent; 0 or -ERR_x */
int trio_join(struct trio_device *d);
void trio_restart(struct trio_device *d); /* after a reboot: a new run */
void trio_backup(struct trio_device *d);
/* Another machine with the same keys and a copy of the disk as it is now. */
struct trio_device *trio_copy(struct trio_device *like, const char *name);
void trio_restore(struct trio_device *d); /* what it was at the last trio_backup */
/* A program whose rules are laxer than its hub's: activity.hh_served has no upper bound, and
 * case_record.sealed takes any bytes. */
void trio_lax(struct trio_device *d);
/* Enters into its own journal, as if it were its own; a peer gets it in the next session. */
void trio_plant(struct trio_device *d, unsigned kind, unsigned lane, const uint8_t scope[16],
                struct span head, struct span body);

/* ---- writing and reading */
struct field_write trio_said(const char *table, const char *field, struct value v);
const struct table *trio_table(const char *name);
int trio_write(struct trio_device *d, struct write *w, size_t count, bool whole);
int trio_insert(struct trio_device *d, const char *table, const struct field_write *f, size_t count,
                uint8_t ret[16]);
int trio_change(struct trio_device *d, const char *table, const uint8_t row[16], const char *field,
                struct value v);
int trio_delete(struct trio_device *d, const char *table,
                const uint8_t row[16]); /* once: reverses */
/* Records that pass every check; the activity is finished and served three households. */
void trio_activity(struct trio_device *d, const char *title, uint8_t ret[16]);
void trio_volunteer(struct trio_device *d, const char *name, uint8_t ret[16]);
void trio_participation(struct trio_device *d, const uint8_t volunteer[16], int64_t minutes,
                        uint8_t ret[16]);
void trio_seal(struct trio_device *d);
bool trio_has(struct trio_device *d, const char *table, const uint8_t row[16]); /* alive */
/* Null where there is no row; lives as long as the trio. */
struct value trio_value(struct trio_device *d, const char *table, const uint8_t row[16],
                        const char *field);
bool trio_shows(struct trio_device *d, const char *table, const uint8_t row[16], const char *field,
                const char *text);
struct replica_counts trio_counts(struct trio_device *d);
/* What the device shows of an open kind, over all months: sum of F and of K, of one unit. */
int64_t trio_figure(struct trio_device *d, enum trio_unit unit, const char *kind);
size_t trio_parked(struct trio_device *d, struct held **ret);
size_t trio_refused(struct trio_device *d, struct held **ret);

/* ---- links */
/* To its parent; begins with the first run.  Freed with the trio. */
struct trio_link *trio_link(struct trio_device *child);
/* Until nothing happens any more on any link: frames, applying, timers (the clock jumps to them while a session waits for
 * its peer).  Steps are transactions of their own, one frame each. */
void trio_run(struct trio *t);
/* At most `frames` frames, and no timers. */
void trio_run_frames(struct trio *t, size_t frames);
void trio_inject(struct trio_link *l, enum trio_way way, struct span frame);
void trio_pump(struct trio_device
                       *d); /* something was written: EVENT_PUMP to its sessions, sealed before */
void trio_end(struct trio_link *l); /* the child's side: EVENT_END */
void trio_cut(struct trio_link *l);
/* One session to its end; both codes 0. */
bool trio_sync(struct trio_device *child);
/* Everyone with everyone until nothing is left to say; true if every session ended well and all agree. */
bool trio_settle(struct trio *t);
/* The same digests at child and parent, nothing unapplied. */
bool trio_agrees(struct trio_device *child);
unsigned trio_frame_type(struct span frame); /* enum message_type; 0: none */

#endif
