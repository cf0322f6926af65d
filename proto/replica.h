/*
 * replica.h - one device's engine over a store, sans-I/O: writing, merging, sealing, journal, admission,
 * applying, figures.  Nodes and hubs are the same; a hub has a judge and children.
 *
 * Every function that changes anything is called between replica_begin and replica_commit; the caller
 * releases frames, acknowledgements and answers to people only after replica_commit returned 0.  After
 * an error: replica_rollback, and drop the sessions that took part.  Memory of results belongs to the
 * arena given.  Engine words: architecture.md section 2.
 */
#ifndef PROTO_REPLICA_H
#define PROTO_REPLICA_H

#include "common/env.h"
#include "common/store.h"
#include "proto/cert.h"
#include "proto/changeset.h"
#include "proto/entry.h"

struct replica;

/* A device's secret keys (files of the data directory; never in the database). */
struct identity {
	uint8_t sign_public[32], sign_secret[64];
	uint8_t link_public[32], link_secret[32];
	uint8_t origin[16];
};
void identity_make(const struct env *env, struct identity *ret);

/*
 * Judgement (architecture section 5): whatever looks at other rows, at authority or at time.  Asked once,
 * by the admitting hub, for every operation of its children's devices, in journal order.
 */
struct judged {
	const struct cert *author; /* certificate of the author's device */
	const struct op *op;
	const struct changeset *changeset; /* that it stands in: author, person's signature */
	uint64_t run;
	unsigned lane;
	uint8_t scope[16];
	const struct row *row; /* the row in that lane as it stands here; NULL: no insert yet */
	/* The row is taken to be there, alive and in this scope, and edits of its table may be waiting to be written; its
	 * values are not read (row->v is NULL).  A judge that needs any of them answers JUDGED_UNREAD and is asked again
	 * with the row as it is. */
	bool unread;
};
enum { JUDGED_UNREAD = 3 };
struct judgement {
	uint8_t accepted; /* 1 accept, 0 refuse, 2 hold until `wait` arrives; JUDGED_UNREAD */
	int code;         /* enum error_code */
	uint8_t field;    /* field number; 0 none */
	uint8_t wait[16]; /* held: id of the row that is missing */
};
struct judge {
	void *ctx;
	int (*op)(void *ctx, struct replica *r, const struct judged *j, struct judgement *ret);
	bool unread; /* op knows of rows that are not read */
};

enum { CERT_LIFE_DAYS = 2 * 365 };
struct replica_config {
	const struct env *env;           /* borrowed */
	const struct identity *identity; /* borrowed */
	const struct judge *judge;       /* hubs; NULL at nodes; borrowed */
	/* Row form of one changeset, of which two fit a segment; what is larger goes in parts.  0: 128 KiB (tests: less) */
	size_t piece_bytes;
	bool trail; /* keep a trail of what is done here (trail.h) and state its head */
	bool hold; /* hubs: what a restored or copied child may get waits for a person (replica_release) */
	int64_t cert_life_ms; /* hubs: of certificates that are issued; 0: CERT_LIFE_DAYS */
};
enum { PIECE_BYTES_MAX = 128 * 1024 };

/* First use of a new database: journal id, the unjoined scope.  Inside a store transaction of its own. */
int replica_create(struct store *st, const struct env *env, const struct identity *id,
                   struct error *err);
int replica_open(struct replica **ret, struct store *st, const struct replica_config *config,
                 struct error *err);
void replica_close(struct replica *r);                      /* not the store */
const struct error *replica_error(const struct replica *r); /* of the last call that failed */

/* A write transaction.  begin compares the witness and draws a new run when database, machine or boot are
 * not what they were; commit writes the witness first. */
NODISCARD int replica_begin(struct replica *r);
NODISCARD int replica_commit(struct replica *r);
void replica_rollback(struct replica *r);
/* Looking at several things that must agree with each other: what is read in between is of one moment, whatever other
 * processes commit.  Writes nothing.  Within a transaction both do nothing; *ret_within is given back to the end. */
NODISCARD int replica_look(struct replica *r, bool *ret_within);
void replica_look_end(struct replica *r, bool within);

/* ---- what it is */
struct store *replica_store(struct replica *r);
const struct env *replica_env(struct replica *r);
const struct identity *replica_identity(const struct replica *r);
const struct cert *replica_cert(const struct replica *r); /* own certificate; NULL: not joined */
uint64_t replica_run(const struct replica *r);            /* 0 before the first begin */
uint32_t replica_own_scope(
        const struct replica *r); /* ordinal of the own org unit (or of the unjoined scope) */
bool replica_is_hub(const struct replica *r);
/* Root of trust and chain: stores the certificates, re-homes what was written before joining.  In a transaction.
 * chain[0] is our own certificate. */
int replica_join(struct replica *r, const struct span *chain, size_t count,
                 const uint8_t root_fingerprint[32]);
/* A hub enrols a device or hub: stores the certificate, journals it for everyone concerned. */
int replica_enrol(struct replica *r, struct span body);
/*
 * A device that this hub does not know shows the certificate that the hub gave it (a hub restored from a backup older than
 * the enrolment): taken up again if we are its issuer, it names the key of the link on which it came, and it is not
 * revoked here.  -ERR_UNKNOWN_ORIGIN, -ERR_CERT_BAD, -ERR_REVOKED: nothing is kept.
 */
int replica_readmit(struct replica *r, struct span body, const uint8_t link_key[32]);
/*
 * A new certificate of our own, with its chain, own first and root last: the same keys and unit, issued by whom the one before was, or by
 * a root that is ours or its spare.  The newest one counts; it travels to whom the one before did.  -ERR_CERT_BAD.
 */
int replica_recertify(struct replica *r, const struct span *chain, size_t count);
/* The devices that we enrolled: the newest certificate of each, by id; our own is none of them. */
int replica_children(struct replica *r, struct arena *a, struct cert_row **ret, size_t *ret_count);
/* A child whose disk was restored or copied gets the open lane only, until a person says that it is where it belongs: a restored
 * disk and a stolen one look alike.  Since when it is held; 0: not. */
int replica_held(struct replica *r, const uint8_t origin[16], int64_t *ret_since_ms);
/* Of a device of which several are known to be alive it releases all of them: they are not held again by each other's work, one
 * more is (copies_released).  -ERR_NOT_FOUND: it is not held. */
int replica_release(struct replica *r, const uint8_t origin[16]);
/* Why this hub gives a child less than its lanes allow, or nothing: enum state_unapplied (message.h); STATE_ALL for all others. */
int replica_withheld(struct replica *r, const struct cert *peer, unsigned *ret);
/* How long a certificate that this hub issues now is good: no longer than its own. */
int64_t replica_cert_end(struct replica *r);
/* The next certificate of a device that we enrolled, if the one that it has runs out within a quarter of its life, or names another
 * address than this (hubs; "": any).  *ret_body: the newest one there is, in the arena. */
int replica_renew(struct replica *r, const uint8_t origin[16], const char *endpoint,
                  struct arena *a, struct span *ret_body);
/* The certificate of ours that issued this one, where it is not the newest; empty: it is, or is not known here. */
int replica_issuer(struct replica *r, struct span body, struct arena *a, struct span *ret);
/* Our newest certificate and those above it, the root's last; fewer where one is missing.  count: 0 before joining. */
int replica_chain(struct replica *r, struct arena *a, struct span ret[CERT_CHAIN_MAX],
                  size_t *ret_count);
/* Is this the id of a certificate that we have, or had?  What it has issued, we have. */
bool replica_is_own(const struct replica *r, const uint8_t cert_id[16]);
/* The newest certificate of our parent (who issued ours); false: none (root). */
bool replica_parent(struct replica *r, struct cert *ret);

/* ---- writing */
/* DELETE of a row of a `once` table writes its reversal: a row whose id is derived from it, so that two people who
 * correct at once write the same row; `row` is then filled with the reversal's id. */
enum write_kind {
	WRITE_INSERT = 1,
	WRITE_UPDATE,
	WRITE_DELETE,
	WRITE_RESTORE /* of a deleted row: alive again */
};
struct field_write {
	const struct field *field;
	struct value value;
};
struct write {
	enum write_kind kind;
	const struct table *table;
	uint8_t row[16]; /* UPDATE, DELETE: the row; INSERT: filled, unless has_id (derived ids) */
	bool has_id;
	uint8_t scope[16]; /* INSERT: org unit; zeros: own */
	const struct field_write *fields;
	size_t fields_count;
	bool proposal; /* filled: an owned field of another level: kept as a proposal */
};
/*
 * One local transaction: checks (validate.h, lanes, owned fields, once tables), merges here, adds to the
 * tail.  All or nothing.  -ERR_x with field and rule in replica_error.  whole: the operations stand or fall
 * together at judgement.
 */
int replica_write(struct replica *r, struct write *writes, size_t count, bool whole,
                  const uint8_t author[8]);
/* From here on what this author writes is signed by the person too (person.h); secret NULL: no more.  Borrowed. */
void replica_sign_as(struct replica *r, const uint8_t *secret);
/* Closes all open streams: figures first.  Nothing to do is fine.  Does nothing before joining. */
int replica_seal(struct replica *r, bool *ret_sealed);
/* Should the tail be sealed by its size (1,000 changesets or 256 KiB)? */
bool replica_seal_due(struct replica *r);

/* ---- taking in */
/* Appends one entry from a peer (static checks; from: its run's ordinal, 0 nobody).  *ret_new false: known.
 * -ERR_SIGNATURE, -ERR_UNKNOWN_ORIGIN: not journaled, the link is to be ended.  A statically bad segment is
 * journaled as a hole; one above the ceiling is counted and kept nowhere. */
int replica_append(struct replica *r, unsigned kind, struct span head, struct span body,
                   uint32_t from, bool *ret_new);
/* Applies journal entries not yet applied, in order, at most about ops_max operations.  *ret_more: there is more. */
int replica_apply(struct replica *r, size_t ops_max, bool *ret_more);
/* Tries parked records again (0: all).  *ret_mended: how many went through. */
int replica_retry(struct replica *r, int64_t parked_id, size_t *ret_mended);
/* The owner's word on a proposal that is parked here: accepted, it becomes the owner's own edit; refused, its author is told. */
int replica_settle(struct replica *r, int64_t parked_id, bool accept, const uint8_t author[8]);
/* Custodian hub: states corrections K wherever they are not what they should be.  Writes rows like replica_write. */
int replica_correct(struct replica *r);

/* Changes whenever a child has sent all: what its hub had not corrected for want of that (replica_correct) is due. */
uint32_t replica_homecomings(const struct replica *r);

/* ---- looking */
struct replica_counts {
	int64_t tail;     /* changesets recorded, not sealed */
	int64_t unsent;   /* own transactions not acknowledged by the parent, tail included */
	int64_t received; /* acknowledged, no admission seen yet */
	int64_t merged;   /* admitted */
	int64_t refused;  /* own records refused and not mended */
	int64_t refused_children; /* hubs: records of their children refused here */
	int64_t unadmitted;       /* own segments that no hub has spoken of, in any lane */
	int64_t parked, waiting, unapplied, conflicts, gaps, alarms;
	bool unstated; /* custodian: corrections are still to be stated */
	int64_t awaited; /* custodian: children of which something is here and perhaps not all (home.c) */
	int64_t journal; /* head position */
	int64_t runs;    /* own runs known */
	int64_t differing,
	        mended; /* things found damaged and not mended yet; and mended (of the list kept) */
	bool restored; /* the parent's cursor on us, or ours on it, was not confirmed and no one has released it */
};
int replica_counts(struct replica *r, struct replica_counts *ret);
/* Is it known here what lies above the own unit, up to the unit of the topmost hub of the own chain?  Before that no one can
 * tell which scopes are shared, nor that two agree. */
int replica_place_known(struct replica *r, bool *ret);
/* Digest of the scopes and lanes shared with the device of `peer` (our parent or a child). */
int replica_digest(struct replica *r, const struct cert *peer, uint8_t ret[16]);

/*
 * What the hubs above our parent say that came to them of what we sealed in the open lane (nodes only; nearest hub first).
 * Their own word: a hub between may keep it back, so that said_ms is old, and cannot change it.
 */
#define HEADS_LATE_MS (INT64_C(3) * 24 * 60 * 60 * 1000)
struct head {
	uint8_t hub[16], unit[16];
	int64_t sealed, came; /* segments */
	int64_t late;    /* of those sealed more than HEADS_LATE_MS ago, how many did not come */
	bool said;       /* false: it never said anything that came to us */
	int64_t said_ms; /* by its clock */
};
int replica_heads(struct replica *r, struct arena *a, struct head **ret, size_t *ret_count);

/* What a peer sent that no honest program sends: a signature that is not its author's (ERR_SIGNATURE), or what nobody here
 * may hold or it may not say (ERR_CEILING); the last one. */
struct offence {
	int64_t count, at_ms;
	int code;
};
int replica_offence(struct replica *r, const uint8_t peer[16], struct offence *ret);

enum {
	HISTORY_ADMITTED = 1,
	HISTORY_REFUSED = 2,
	HISTORY_WAITS = 3,
	HISTORY_TAIL = 4,
	HISTORY_OWN = 5
};
struct history_item {
	unsigned lane;
	uint8_t origin[16], author[8];
	uint64_t run;
	int64_t recv; /* 0: tail */
	int state;    /* HISTORY_x */
	const struct op *op;
};
int replica_history(struct replica *r, const uint8_t row[16], struct arena *a,
                    struct history_item **ret, size_t *ret_count);
/* The operation of a held record; NULL when its body is gone. */
int replica_held_op(struct replica *r, const struct held *h, struct arena *a,
                    const struct op **ret);
/* The names (author, stamp) of the values of one field that stand, shown one first. */
struct standing {
	uint8_t origin[16];
	uint64_t run, stamp;
	struct value value;
};
int replica_standing(struct replica *r, uint16_t table, const uint8_t row[16], unsigned lane,
                     unsigned slot, struct arena *a, struct standing **ret, size_t *ret_count);

/*
 * Repair: what stands in the tables held against the journal, and made right from it (repair.c).  Nothing is ever wiped and
 * loaded again.  The list of what was found is bounded: what is mended goes before what is not.
 */
enum repair_what {
	REPAIR_ROW = 1,    /* a row in one lane: values, clock, candidates, being there */
	REPAIR_STATE = 2,  /* the state hash of a scope and lane */
	REPAIR_FIGURE = 3, /* a cell of figures of a scope */
	REPAIR_ENTRY = 4,  /* the bytes of an entry of the journal */
	REPAIR_DIFFERS =
	        5, /* a row that is what the journal says, and is not so at a peer: one of both lacks something */
	REPAIR_TAIL =
	        6 /* what was recorded here and cannot be sent: it no longer reads; its rows stand */
};
enum repair_outcome {
	REPAIR_OPEN = 0, /* named only: no whole copy was here, nor at a peer so far */
	REPAIR_OWN = 1,  /* made right from the own journal */
	REPAIR_PEER = 2  /* from bytes that a peer sent again */
};
enum { REPAIRS_MAX = 200 };
struct repair {
	int64_t at_ms, recv; /* recv: of an entry */
	uint8_t what, outcome, lane, scope[16],
	        id[16]; /* id: of the row; of an entry the first 16 bytes of its hash */
	uint16_t table;
	int cause; /* enum error_code */
};
int replica_repairs(struct replica *r, struct arena *a, struct repair **ret,
                    size_t *ret_count); /* oldest first */
int replica_repair_counts(struct replica *r, int64_t *ret_open, int64_t *ret_mended);
/*
 * Everything: entries against their hashes, every row and lane against what the journal says, sums against the rows.
 * One piece of work a call, each in a transaction of its own, until finished; zeroed at the start.
 * look: changes nothing, names rows and sums in report (may be called outside a transaction).
 */
struct audit {
	bool look, finished;
	struct buf *report; /* look: a line for each finding; NULL: none */
	int64_t began_ms;
	int64_t done, of;      /* scopes */
	int64_t found, mended; /* things that were not what they should be */
	int64_t entry;         /* entries looked at so far */
	uint32_t scope;        /* the last one done */
	bool entries_done, whole;
	bool piece;                                /* replica_audit_piece's own: */
	unsigned parts[LANE_RESERVED], parts_done; /* of the rows of the scope after that one */
	bool scope_mended;
};
int replica_audit(struct replica *r, struct audit *x);
/* The same by and by, for a program that has nothing else to do: a part of a scope, or some entries, a call, outside of a transaction.  It
 * only reads; a piece in which something is found is done again in a transaction, which mends, and so is the last one. */
int replica_audit_piece(struct replica *r, struct audit *x);
int replica_audited(struct replica *r,
                    int64_t *ret_ms); /* when an audit was last finished; 0: never */

/* Integrity: database, rolling hash, chains, signatures, state hashes recomputed, figures recomputed.  A line of
 * English per finding into report; *ret_findings 0: sound.  *ret_forks: segments that follow one which another of their stream
 * follows: no finding, but a sign that a disk went back or was copied.  progress may be NULL. */
int replica_verify(struct replica *r, struct buf *report, int64_t *ret_findings, int64_t *ret_forks,
                   void (*progress)(void *ctx, int64_t done, int64_t of), void *ctx);

#endif
