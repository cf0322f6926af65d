/*
 * status.h - the lamp and `complete`, computed in one place for commands, daemon and screens
 * (ux.md section 4): from counters, acknowledgements, admissions and hashes, never from events.
 *
 * status_collect() gathers facts, status_judge() decides and is a pure function of them.
 */
#ifndef NODE_STATUS_H
#define NODE_STATUS_H

#include "node/correction.h"
#include "node/words.h"
#include "proto/copies.h"
#include "proto/quota.h"
#include "proto/replica.h"

/* In the order of the table: the first that holds is shown. */
enum lamp {
	LAMP_DISK_FULL,
	LAMP_REVOKED,
	LAMP_IDENTITY,
	LAMP_REFUSED,
	LAMP_CERT_EXPIRED,
	LAMP_CLOCK,
	LAMP_WRONG_PEER,
	LAMP_VERSION,
	LAMP_DISK_LOW,
	LAMP_CERT_SOON,
	LAMP_UNJOINED,
	LAMP_UNAPPROVED,
	LAMP_REPAIRING,
	LAMP_SENDING,
	LAMP_OFFLINE,
	LAMP_PENDING,
	LAMP_CHECKING,
	LAMP_COMPLETE,
	LAMP_COUNT
};

#define STATUS_DISK_FULL (INT64_C(200) << 20) /* bytes */
#define STATUS_DISK_LOW  (INT64_C(2) << 30)
#define STATUS_CLOCK_MS  (INT64_C(10) * 60 * 1000)
#define STATUS_DAY_MS    (INT64_C(24) * 3600 * 1000)

enum { STATUS_WAITS_MAX = 8, STATUS_HEADS_MAX = CERT_CHAIN_MAX };

/* What is told beside the lamp: each with its sentence and what to do next. */
enum told {
	TOLD_RESTORED,
	TOLD_COPIED,    /* another copy of this device is alive */
	TOLD_STOPPED,   /* the same of a hub: it takes nothing from below */
	TOLD_SET_ASIDE, /* another copy was named */
	TOLD_HELD,      /* restored or copied, and not released by a person at the parent yet */
	TOLD_BELOW_COPIED,
	TOLD_BELOW_HELD,
	TOLD_AWAITED,
	TOLD_CLOCK,
	TOLD_REFUSED,
	TOLD_WAITS_HERE,
	TOLD_WAITS_ABOVE,
	TOLD_NOT_ARRIVED, /* a hub above the parent does not say that it has what was sealed days ago */
	TOLD_QUOTA,       /* no more is taken: at the device why; at the hub, of a child */
	TOLD_OFFENCE,     /* hubs, of a child: it sent what no honest program sends */
	TOLD_COUNT
};
struct status_facts {
	int64_t now_ms, disk_free; /* disk_free: bytes, INT64_MAX unknown */
	struct replica_counts counts;
	bool joined, root; /* root: joined, and nobody above */
	bool hub, revoked, unapproved;
	int64_t not_after_ms; /* of the own certificate */
	bool parent_known;    /* there was a session with the parent */
	struct peer parent;
	bool placed; /* what lies above the own unit is known, up to the topmost hub of the chain */
	bool parent_same; /* its last digest equals ours now */
	int link_code; /* enum error_code of the last try to reach the parent; 0 good or not tried */
	bool sending;  /* a session is open and has something to do */
	struct own_copies copies;
	struct waits {
		int cause; /* enum error_code */
		int64_t count;
	} waits[STATUS_WAITS_MAX]; /* what is parked here, by cause */
	size_t waits_count;
	struct head heads
	        [STATUS_HEADS_MAX]; /* nodes: what the hubs above the parent say that they have */
	size_t heads_count;
	struct corrections corrections; /* nodes: of the own unit's numbers */
	int64_t children_copied;        /* hubs: devices below of which two copies are alive */
	int64_t children_held;          /* hubs: devices below that wait for peers --release */
	int64_t children,
	        children_missing; /* hubs: children's devices, those that do not agree now */
};

struct status {
	struct status_facts facts;
	enum lamp lamp;
	const char *name, *colour; /* never vary with the language */
	unsigned more;             /* other states that hold too */
	bool own_complete;         /* towards the parent */
	bool complete;             /* and, at hubs, all children agree */
};

void status_judge(const struct status_facts *f, struct status *ret);
int status_collect(struct replica *r, struct status_facts *ret);
int status_of(struct replica *r, struct status *ret); /* both */
void status_text(const struct status *s, enum language l,
                 struct buf *out); /* the lamp's sentence */
/* Remembers why the parent was not reached, or 0 when it was: what came last counts, whatever the clock says.  Inside a
 * write transaction. */
enum { STATUS_LINK_BYTES = 12 };
int status_link_put(struct store *st, int code, int64_t now_ms);
int status_link_code(struct store *st, int *ret);
const char *lamp_name(enum lamp lamp);
const char *told_name(enum told t);
/* Those that hold, in order; pure. */
size_t status_told(const struct status_facts *f, enum told ret[TOLD_COUNT]);
void told_text(enum told t, const struct status_facts *f, enum language l, struct buf *out);
const char *told_next(enum told t, enum language l);
/* What a hub says of one child: the same states, of the child. */
struct child_facts {
	struct peer peer;
	struct copies copies;
	int64_t held_ms;         /* since when it waits for peers --release; 0: it does not */
	int64_t parked, refused; /* records of its scopes, here */
	struct offence offence;
	struct quota_use quota;
};
size_t status_told_child(const struct child_facts *f, enum told ret[TOLD_COUNT]);
void told_text_child(enum told t, const struct child_facts *f, enum language l, struct buf *out);
const char *told_next_child(enum told t, enum language l);
int status_child_facts(struct replica *r, const struct cert *child, struct child_facts *ret);
/* Does this child's device agree with us now?  peer: what is stored of it; NULL: never seen. */
int status_child(struct replica *r, const struct cert *child, bool *ret_seen, struct peer *ret_peer,
                 bool *ret_agrees);

#endif
