/*
 * engine.h - the inside of a replica, shared by the files of this room only.
 */
#ifndef PROTO_ENGINE_H
#define PROTO_ENGINE_H

#include "proto/clock.h"
#include "proto/figure.h"
#include "proto/message.h"
#include "proto/replica.h"

/* What the engine itself must remember between transactions; one meta value, read at begin, written at commit. */
struct engine_state {
	uint64_t run, last_stamp, seals, admissions;
	uint8_t nonce[8], tag[16];
	uint32_t run_ord;
	int64_t applied; /* journal position applied up to */
	int64_t sealed;  /* own changesets sealed, ever */
	int64_t merged;  /* own changesets whose segment has an admission (hubs: sealed) */
	int64_t alarms;  /* things above the ceiling that were offered to us */
	int64_t runs;    /* own runs drawn */
	bool restored;
	uint32_t feeds; /* counts changes of feeds, by whichever process; 0 before it was kept */
};

/*
 * Segments opened when they were appended, for the apply that usually follows: unpacking them once spares a tenth of it.
 * By hash, so that nothing else has to be right about them.  Hubs only; the oldest goes.
 */
enum { OPENED_MAX = 16, OPENED_BYTES_MAX = 2 * 1024 * 1024 };
struct opened_segment {
	uint8_t hash[32];
	struct arena arena;
	struct changeset *cs; /* NULL: none */
};

enum { OWN_CERTS_MAX = 32 };

struct replica {
	struct store *st;
	const struct env *env;
	const struct identity *id;
	const struct judge *judge;
	size_t piece_bytes; /* PIECE_BYTES_MAX, or less */
	bool hold;
	int64_t cert_life_ms;
	struct error err;
	struct engine_state s;
	uint8_t journal_id[16];
	struct cert cert;
	uint8_t own_certs
	        [OWN_CERTS_MAX]
	        [16]; /* ids of the first and the newest certificates that we have had, newest last */
	size_t own_certs_count;
	bool has_cert, stale;
	uint32_t own_scope;
	const uint8_t *signer;  /* replica_sign_as */
	bool trail;             /* trail.h */
	struct seen *seen;      /* heads of trails that came in this transaction */
	struct arena tx;        /* memory of one transaction */
	struct arena scratch;   /* memory of one entry or call within it */
	struct buf clock;       /* of the row that is being written */
	uint32_t met_changed;   /* counts new runs of peers: copies.h */
	uint32_t homecomings;   /* home.c */
	uint32_t wants_changed; /* counts damaged entries and gaps found: sessions ask for them */
	uint32_t
	        feeds_changed; /* counts changes of feeds seen here: sessions look at theirs again */
	uint32_t feeds_known;  /* s.feeds as we last saw it */
	bool parked_any;       /* is anything parked?  spares a look per operation */
	struct admitting *admitting;   /* verdicts of this apply, not yet journaled */
	struct opened_segment *opened; /* OPENED_MAX; NULL: none yet */
	size_t opened_next;
	struct heads_due { /* devices of which more came than was stated: heads.c */
		uint8_t (*list)[16];
		size_t count, room;
		int64_t next_ms,
		        looked_ms; /* when the first of them is due; when all were looked at */
		bool looked;
	} heads;
	struct named_rows { /* sorted by id: privacy.c */
		struct named_row_of {
			uint8_t id[16];
			uint32_t scope;
		} * rows;
		size_t count, room;
		bool known; /* read in this transaction, and nothing of it changed since */
	} frozen, erased;
	struct erasing
	        *erasing; /* merged in this transaction: carried out before it is committed */
	struct hurt_row { /* a row that could not be read or merged: rebuilt at the next begin */
		bool set;
		uint16_t table;
		unsigned lane;
		uint8_t id[16];
	} hurt;
	struct { /* rows that repair brought back: what waits for them is tried when it is done */
		uint8_t (*ids)[16];
		size_t count;
	} mended;
};

/* ---- merge.c: one row in one lane, loaded, changed, saved */
struct lane_state {
	const struct table *table; /* NULL: unknown to this build */
	uint16_t number;
	unsigned lane;
	uint8_t id[16];
	uint32_t scope;
	bool exists;
	struct value v[SLOTS_MAX]; /* shown values by slot; v[0] alive */
	struct clock clock;
	struct candidate *candidates; /* standing values that are not shown */
	size_t candidates_count;
	/* as loaded, for differences */
	bool existed;
	struct value v_before[SLOTS_MAX];
	uint8_t hash_before[STATE_BYTES];
	size_t candidates_before;
};
int lane_load(struct replica *r, uint16_t table, unsigned lane, const uint8_t id[16],
              struct lane_state *l);
/* Merges an operation; scope: used where the row comes into being.  *ret_applied false: the row has no insert here. */
int lane_merge(struct replica *r, struct lane_state *l, const struct op *op, uint64_t run,
               uint32_t scope, bool *ret_applied);
/*
 * An update of fields that this build knows and no figure counts, in one pass, without the row being read first: done if it
 * is a living row of its own scope, of which no value stands in these fields that its author did not know.  *ret_done
 * false: nothing was done, it may be any of the other cases; lane_load and lane_merge know all of them.
 */
int lane_edit(struct replica *r, unsigned lane, const struct op *op, uint64_t run, uint32_t scope,
              bool *ret_done);
/* Does a value stand here under the very name of this change that is not its value?  Then the name stands for two changes. */
int lane_differs(struct replica *r, const struct lane_state *l, const struct op *op, uint64_t run,
                 bool *ret);
/* Writes row, clock, candidates, state hash, cells of truth and stated figures. */
int lane_save(struct replica *r, struct lane_state *l, uint64_t touched);
/* Is the change already in this row (merged, or covered by a later one of its run)? */
bool lane_knows(const struct lane_state *l, const struct op *op, uint64_t run);
/* A row kept in the generic table, as a state that can be saved into its own table: nothing of hashes, candidates or
 * clocks changes, so nothing of them is written. */
int lane_adopt(struct replica *r, uint16_t table, unsigned lane, const struct row *row,
               struct lane_state *l);
int lane_save_adopted(struct replica *r, struct lane_state *l);
/* The state of a row that a scan gave; without candidates.  -ERR_DATABASE_DAMAGED: its clock or its extra values do not read. */
int lane_of_row(struct replica *r, uint16_t table, unsigned lane, const struct row *row,
                struct lane_state *l);
/* Puts this state in the place of whatever stands there, read or not: row, clock, candidates.  Sums of the scope (state
 * hash, cells) are not touched: who replaces counts them anew. */
int lane_put(struct replica *r, struct lane_state *l);
/* The figure that a row of table `figure` states: its cell and amount; kind 0: none. */
struct cell lane_stated(const struct lane_state *l);
/* What lane_save does beside the row for a row that only its creation speaks of. */
int lane_created(struct replica *r, const struct table *t, unsigned lane, const struct row *row);
/* Would the row pass these bounds if the operation were merged: marks of its clock that hold one of the written slots, bytes
 * of its values, the standing ones included; or ROW_MARKS_ALL marks in all? */
enum { ROW_MARKS_MAX = 240, ROW_MARKS_ALL = 2048, ROW_BYTES_MAX = 256 * 1024 };
bool lane_outgrown(const struct lane_state *l, const struct op *op, uint64_t run, size_t marks_max,
                   size_t bytes_max);
/* Takes the lane of the row away, with all that was derived from it. */
int lane_drop(struct replica *r, struct lane_state *l);
uint64_t op_written(const struct op *op);           /* slots, with alive for an insert */
bool op_creates(const struct op *op, uint64_t run); /* is the insert the row's own creation? */
size_t lane_cells(const struct lane_state *l,
                  struct figure_cell *ret); /* differences the change makes; 2 * FIGURE_CELLS_MAX */

/* ---- replica.c */
#define RUN_NOBODY UINT64_C(1) /* what came out of a file is from this run, which nobody has */
void engine_alarm(struct replica *r, const char *what); /* counted, told */
int engine_fail(struct replica *r, int rc); /* takes over the store's error; returns rc */
bool engine_peers_fault(int rc); /* of replica_append: the entry is at fault, not the store */
int engine_new_run(struct replica *r, const char *why); /* from here on */
uint64_t engine_stamp(struct replica *r);               /* the next stamp of this run */
bool engine_custodian(const struct replica *r);         /* hub that may hold the county lane */
int engine_scope_id(struct replica *r, uint32_t ord, uint8_t ret[16]);
int engine_cert_of(struct replica *r, const uint8_t origin[16], struct cert *ret, bool *ret_known);
int engine_org_changed(struct replica *r,
                       const uint8_t unit[16]); /* an org_unit row was merged: parents, feeds */
int engine_feeds(struct replica *r);            /* recomputes feeds of all scopes */
void engine_feed_changed(struct replica *r);
/* Up from a certificate to who issued it, step by step: by the id that it names, or, where a certificate of that id is not
 * known here, by the key (in our own chain).  `at` becomes NULL at the end of what is known. */
struct climb {
	const struct cert *from; /* borrowed */
	struct cert_row *at;     /* NULL at first; in r->scratch */
};
int engine_climb(struct replica *r, struct climb *c);
int engine_rival(struct replica *r, const uint8_t origin[16],
                 bool *ret);             /* was its certificate turned away here? */
int engine_went_back(struct replica *r); /* another run, kept as meta `back` */

/* ---- revoke.c */
/* Makes a revocation of our own and takes it in. */
int engine_say_revoked(struct replica *r, const uint8_t origin[16], const uint8_t *heads,
                       size_t heads_count, const char *reason);
int engine_take_revocation(struct replica *r, struct span head, uint32_t from, bool *ret_new);
int engine_cert_came(struct replica *r, const struct cert *c); /* is its device revoked? */
/* Was the author revoked, and is this segment none of what its parent had judged before? */
int engine_revoked(struct replica *r, const struct cert *author, const uint8_t segment[32],
                   bool *ret);
int engine_take_cert(struct replica *r, struct span body, uint32_t from, bool *ret_new);

/* ---- upgrade.c */
int engine_upgrade(struct replica *r); /* once for each change of the schema of this build */

/* ---- append.c */
/* The scope that an entry of this device names; 0: unknown, and it has named as many as it may (an alarm). */
int engine_scope_named(struct replica *r, const uint8_t scope[16], const uint8_t by[16],
                       uint32_t *ret);
int segment_here(struct replica *r, const uint8_t hash[32], bool *ret); /* whole, or as a hole */
struct changeset *
opened_find(struct replica *r,
            const uint8_t hash[32]); /* NULL: not kept; good until the next append */
void opened_done(struct replica *r);
void opened_forget(struct replica *r);

/* ---- write.c */
/* first: of a person's transaction */
int engine_commit_ops(struct replica *r, struct changeset *c, uint32_t scope, unsigned lane,
                      bool first);
int engine_write_system(struct replica *r, const struct table *t, const uint8_t row[16],
                        uint32_t scope, unsigned lane, const struct field_value *values,
                        size_t count);

/* ---- admit.c */
enum record_verdict { VERDICT_WAITS, VERDICT_ACCEPTED, VERDICT_REFUSED };
struct words { /* what all known admissions say of one segment */
	struct admission_item *items;
	int64_t *at_ms;
	uint8_t (*hubs)[16];
	size_t count, room;
	bool damaged; /* some word does not read: nothing is to be concluded from the others */
};
/* Only the words of hubs that may speak of this author, in the scope of his segment. */
int words_load(struct replica *r, const uint8_t segment[32], const struct cert *author,
               uint32_t scope, struct arena *a, struct words *ret);
/* Did this device issue the certificate, or stand above in the chain who did? */
int engine_stands_above(struct replica *r, const uint8_t hub[16], const struct cert *below,
                        bool *ret);
/* Does a hub speak of a scope that is not its own?  What is above us came down to us and is not ours to doubt; a hub below us
 * has the benefit where the place of the scope is not known yet; any other speaks of its own unit and what lies below. */
int engine_outside_hub(struct replica *r, const struct cert *hub, uint32_t scope, bool *ret);
enum record_verdict words_verdict(const struct words *w, uint32_t ordinal,
                                  const struct verdict **ret_said, const uint8_t **ret_hub);
/* Has a hub judged any of these operations, and so had all parts of their transaction? */
bool words_judged(const struct words *w, uint32_t first, size_t count);
int admit_annul(struct replica *r, uint16_t table, unsigned lane, const uint8_t row[16],
                uint32_t scope);
/* The name of a change in this row stands for two changes: merges the row again, with the one of higher rank; the others are
 * parked, with an alarm.  After admit_flush: what was accepted must be found in the journal. */
int admit_twice(struct replica *r, uint16_t table, unsigned lane, const uint8_t row[16],
                uint32_t scope);
int admit_say(struct replica *r, uint32_t scope, unsigned lane, const struct admission_item *item);
/* The item as it can be said, in the memory of the transaction: one that lists more than an admission holds names every
 * record of the segment, ops in all. */
struct admission_item admit_list(struct replica *r, const struct admission_item *item, size_t ops);
int admit_flush(struct replica *r); /* journals the verdicts collected in this apply */
/* Does a change stand: is it accepted through any of the segments that hold it, or the replica's own and refused by nobody, and of
 * all such that have its name the one of the highest rank? */
enum footing {
	FALLS,
	STANDS,
	GIVES_WAY /* to another of its name */
};
/* All operations on a row known here, in one scope, with what is known of each; by journal position, then tail. */
struct known_op {
	const struct op *op;
	const struct changeset *changeset; /* without its operations */
	uint64_t run;
	int64_t recv; /* 0: tail */
	uint32_t ordinal,
	        first; /* of the operation in its segment; of the first one of its changeset */
	uint8_t origin[16];
	bool merged, hub_authored;
	enum record_verdict verdict;
	enum footing footing;
};
/* Which rows: those named (sorted, no two the same), or those of one part of all. */
struct row_choice {
	const uint8_t (*ids)[16];
	size_t count;
	unsigned part, parts; /* ids NULL: rows that fall into this part of so many */
};
bool row_chosen(const struct row_choice *c, const uint8_t row[16]);
/* ret_unread: entries of this scope and lane whose bytes are damaged, so that operations may be missing. */
int admit_ops_of_rows(struct replica *r, unsigned lane, uint32_t scope, const struct row_choice *c,
                      struct arena *a, struct known_op **ret, size_t *ret_count,
                      size_t *ret_unread);
int admit_ops_of_row(struct replica *r, unsigned lane, const uint8_t row[16], uint32_t scope,
                     struct arena *a, struct known_op **ret, size_t *ret_count);

/* ---- apply.c: what waited for a row that stands again; a segment whose bytes are whole again */
int engine_wake(struct replica *r, const uint8_t id[16]);
int engine_retake(struct replica *r, int64_t recv);

/* ---- heads.c: what came of each device, said back to it */
/* An entry of the open lane of this device was entered, or sealed here. */
int heads_note(struct replica *r, const uint8_t origin[16], unsigned lane, uint64_t seal);
int heads_count(
        struct replica *
                r); /* all that the journal has, once, for databases from before there were heads */
int heads_state(struct replica *r); /* writes what is due */
void heads_forget(
        struct replica *r); /* a transaction was rolled back: what was stated in it was not */
void heads_done(struct replica *r);

/* ---- privacy.c */
void privacy_changed(struct replica *r, uint16_t table); /* a row of this table was written */
void privacy_forget(struct replica *r); /* a transaction begins, or was rolled back */
void privacy_done(struct replica *r);

/* ---- erase.c */
/* Is it a segment, whole or with a body that was restated?  Then what it says can be read (entry_segment). */
bool entry_is_segment(const struct entry *e);
int entry_segment(const struct entry *e, struct segment *ret, struct error *err);
bool hole_sound(const struct entry *e); /* a segment in its restated form: does it fit itself? */
/* An erasure was merged: in the row's own values by slot. */
void erase_seen(struct replica *r, uint16_t table, uint32_t scope, const struct value *v);
int engine_erase(struct replica *r); /* carries out what was seen; before the commit */
/* If a segment that has come says what is erased: the hole that takes its place, in b; *ret_cut false: it may stay. */
int erase_arriving(struct replica *r, const struct segment *s, struct span head, uint32_t scope,
                   struct buf *b, uint8_t ret_hash[32], bool *ret_cut);
int erase_entry(struct replica *r, int64_t recv); /* one of the journal, whose bytes came again */
/* The segment that a hole restates, if it can be read and says no more than one may. */
int hole_segment(const struct hole *h, struct arena *a, struct segment *ret, struct error *err);

/* ---- aside.c */
/* A changeset of the tail does not read: it is kept aside and named. */
int aside_put(struct replica *r, const struct tail_item *item);
int aside_count(struct replica *r, uint32_t scope, unsigned lane, size_t *ret);

/* ---- repair.c */
bool entry_sound(const struct entry *e); /* do the bytes fit the hash under which it is kept? */
/* Its bytes came again and stand in its place. */
int repair_entry_mended(struct replica *r, const struct entry *e);
/* Names an entry whose bytes are damaged. */
int repair_entry_damaged(struct replica *r, const struct entry *e);
int repair_tail_damaged(struct replica *r, const struct tail_item *item);
/* Rebuilds these rows of one scope and lane from the own journal, where they are not what it says; *ret_mended: how many
 * were not.  tables: of each, or 0 where not known. */
int repair_rows(struct replica *r, uint32_t scope, unsigned lane, const struct named_row *rows,
                size_t count, size_t *ret_mended);
/* Names a row that cannot be made what the journal says while an entry of its scope and lane does not read: rebuilt when that
 * is whole again. */
int repair_row_later(struct replica *r, uint32_t scope, unsigned lane, uint16_t table,
                     const uint8_t id[16]);
/* State hash and cells of a scope, counted anew from its rows; *ret_off: how many were not what they should be. */
int repair_sums(struct replica *r, uint32_t scope, size_t *ret_off);
/* The same without a word, where nothing is wrong: what counts here has changed. */
int repair_recount(struct replica *r, uint32_t scope);
/* A row that still differs from the parent's though both hold to their journals; all such are settled by agreement. */
int repair_differs(struct replica *r, const uint8_t scope[16], unsigned lane,
                   const struct named_row *row);
int repair_agreed(struct replica *r);
int repair_hurt(struct replica *r); /* the row that could not be read or merged */
/* Bytes that a peer sent again for an entry whose own are damaged, or that is not here; *ret_new: something came of it. */
int repair_entry(struct replica *r, unsigned kind, struct span head, struct span body,
                 uint32_t from, bool *ret_new);

/* ---- feed.c */
int engine_hold(struct replica *r,
                const uint8_t origin[16]); /* it was restored, or two of it are alive */
/* Runs a certificate out soon, by this clock? */
bool engine_cert_due(const struct cert *c, int64_t now_ms);

struct feed {
	struct feed_filter filter;
	uint8_t id[8];
};
/* What goes to this peer (child of ours, or our parent). */
int feed_for(struct replica *r, const struct cert *peer, uint32_t peer_run_ord, struct feed *ret);
bool feed_admits(const struct feed *f, const struct entry *e);

/* ---- home.c: whose work is here in whole (custodians) */
/* A segment of this author arrived, and perhaps not all: away, if it is a child. */
int home_left(struct replica *r, const struct cert *child);
/* It says that it has sent all. */
int home_came(struct replica *r, const uint8_t child[16]);
/* Devices of this hub that are away and waited for, but for the revoked ones. */
int home_awaited(struct replica *r, struct arena *a, struct cert_row **ret, size_t *ret_count);
/* In a transaction that writes: who is away since a time to come, for our clock was set back, is away since now. */
int home_clock(struct replica *r, const struct cert_row *awaited, size_t count);
/* Is a device that writes in this scope among them? */
int home_awaits(struct replica *r, uint32_t scope, const struct cert_row *awaited, size_t count,
                bool *ret);

/* ---- owed.c: positions that this peer's cursor passed over, since the entry was damaged; the last OWED_MAX of them */
enum { OWED_MAX = 64 };
int owed_list(struct replica *r, const struct cert *peer, int64_t ret[OWED_MAX], size_t *ret_count);
int owed_note(struct replica *r, const struct cert *peer, int64_t recv);
int owed_settled(struct replica *r, const struct cert *peer, const int64_t *sent, size_t count);

bool replica_is_parent_of(const struct replica *r, const struct cert *peer);

#endif
