/*
 * store.h - the storage contract of the engine, set-oriented; store_sqlite.c is its first backend.
 *
 * Everything that the engine keeps goes through these functions, between store_begin and store_commit:
 * rows, journal, cursors and counters move together or not at all.  Functions that take arrays do one
 * piece of work for all of them, so that another backend can send arrays.  Reads fill arena memory that
 * the caller owns.  Scopes and runs are kept as local ordinals (u32, from 1; 0 is none).
 *
 * Errors: 0 or -ERR_DISK_FULL, -ERR_STORAGE, -ERR_DATABASE_DAMAGED, -ERR_BUSY, with a sentence in the
 * store's own error (store_error).  After a failed call the transaction is to be rolled back.
 * One connection, one thread: readers open their own store with STORE_READ_ONLY.
 */
#ifndef COMMON_STORE_H
#define COMMON_STORE_H

#include "common/schema.h"

enum {
	STORE_READ_ONLY = 1,
	STORE_CREATE = 2,
	STORE_MEMORY_VFS = 4, /* path is a memdb name: simulator */
	STORE_LAZY = 8, /* statements are made when first used: for who opens a store for little */
	STORE_VFS =
	        16, /* path is VFS:PATH, a file of the SQLite VFS of that name: tests of disk faults */
	STORE_SMALL = 32 /* a quarter of page cache and log: for an old PC with one site's rows */
};
enum { STORE_FORMAT = 4 }; /* of the file; a newer one is refused with ERR_NEWER_FILE */
enum { ROLLING_BYTES = 16, STATE_BYTES = 16 };

struct store;

int store_open(const char *path, const struct schema *schema, unsigned flags, struct store **ret,
               struct error *err);
void store_close(struct store *st); /* rolls back an open transaction; accepts NULL */
const struct error *store_error(const struct store *st);
const struct schema *store_schema(const struct store *st);
/* Write transactions take the lock at once (BEGIN IMMEDIATE); waits up to busy_ms (set at open: 5000). */
NODISCARD int store_begin(struct store *st);
NODISCARD int store_begin_read(struct store *st);
NODISCARD int store_commit(struct store *st);
void store_rollback(struct store *st);
/*
 * A commit that failed in the file system (an error of write or sync, not a full disk) may be found done or undone when
 * the database is next opened after a crash.  Until then nothing of it may be released, and this connection is not
 * gone on with: true, and every function but rollback and close gives -ERR_STORAGE.  Closed and opened again, the
 * database is as before that commit.
 */
bool store_lost(const struct store *st);
bool store_in_transaction(const struct store *st);
int64_t store_data_version(struct store *st); /* changes when another connection committed */
/* Moves what it can of the log into the database file; commits do it by themselves every `pages` of log (10,000). */
int store_checkpoint(struct store *st);
void store_checkpoint_every(struct store *st, int pages);
int store_check(struct store *st,
                struct buf *ret_report); /* integrity check; 0 and an empty report if sound */
int store_backup(struct store *st, const char *path,
                 struct error *err); /* a consistent, whole copy; refuses to overwrite */
/*
 * At rest: columns of tier T3 up, and of the closed lanes the bodies of journal and tail, candidates and unknown values, lie closed
 * under a key of the device.  The key is given once, outside of a transaction; salt: 16 random bytes for this connection.
 * The first time it closes what is there; later -ERR_KEYS where it is another.  Without it whatever has to do with closed things
 * gives -ERR_CLOSED.
 */
int store_rest(struct store *st, const uint8_t key[32], const uint8_t salt[16]);
bool store_closed(const struct store *st); /* it is closed, and the key was not given */
bool store_rest_key(const struct store *st, uint8_t ret[32]); /* false: none was given */
/* Free bytes of the file system that holds the database; INT64_MAX if unknown. */
int64_t store_disk_free(const struct store *st);
/* Fault injection: called at the start of every function below; non-zero is returned as its error. */
void store_set_fault(struct store *st, int (*fault)(void *ctx, const char *what), void *ctx);

/* ---- meta: small named values; a missing key gives an empty span */
int store_meta_get(struct store *st, const char *key, struct arena *a, struct span *ret);
int store_meta_put(struct store *st, const char *key, struct span value);

/* ---- secrets of people: small values by name ("account:" and the person), local to this database */
struct secret {
	char *name;
	struct span value;
};
int store_secret_get(struct store *st, const char *name, struct arena *a,
                     struct span *ret); /* empty: none */
int store_secret_put(struct store *st, const char *name, struct span value);
int store_secret_drop(struct store *st, const char *name);
/* All whose name begins with `prefix` (ASCII), by name. */
int store_secrets(struct store *st, const char *prefix, struct arena *a, struct secret **ret,
                  size_t *ret_count);

/* ---- the trail of what was done here (proto/trail.h): opaque records, by number from 1 */
struct trail_item {
	uint64_t seq;
	struct span record;
	uint8_t hash[32];
};
int store_trail_last(struct store *st, uint64_t *ret_seq,
                     uint8_t ret_hash[32]); /* 0, zeros: none */
int store_trail_append(struct store *st, uint64_t seq, struct span record, const uint8_t hash[32]);
int store_trail_scan(struct store *st, uint64_t after, size_t limit, struct arena *a,
                     struct trail_item **ret, size_t *ret_count);

/* ---- scopes: ordinal, id, parent in the org tree, feed (ordinal of the child unit it lies under, or itself) */
struct scope {
	uint32_t ord, parent, feed;
	uint8_t id[16];
};
int store_scope_ord(struct store *st, const uint8_t id[16], bool create,
                    uint32_t *ret_ord); /* 0: unknown; new: feed = itself */
int store_scope_get(struct store *st, uint32_t ord, struct scope *ret);
int store_scope_set_parent(struct store *st, uint32_t ord, uint32_t parent);
/* Also moves the journal entries and state hashes of the scope to the new feed. */
int store_scope_set_feed(struct store *st, uint32_t ord, uint32_t feed);
int store_scope_set_id(struct store *st, uint32_t ord,
                       const uint8_t id[16]); /* the unjoined scope gets its unit */
int store_scopes(struct store *st, struct arena *a, struct scope **ret,
                 size_t *ret_count); /* all, by ordinal */

/* ---- runs */
struct run_info {
	uint32_t ord;
	uint64_t run;
	uint8_t origin[16], nonce[8];
};
int store_run_ord(struct store *st, uint64_t run, uint32_t *ret_ord); /* 0: unknown */
int store_run_add(struct store *st, uint64_t run, const uint8_t origin[16], const uint8_t nonce[8],
                  uint32_t *ret_ord); /* known: its ordinal */
int store_run_get(struct store *st, uint32_t ord, struct run_info *ret);
int store_run_count(struct store *st, const uint8_t origin[16], int64_t *ret_count);

/* ---- rows, one lane of one table at a time */
struct row {
	uint8_t id[16];
	uint32_t scope;
	struct value *v;   /* by slot, v[0] is alive; count: store_slots(table, lane) */
	struct span clock; /* opaque to the store; empty: as created */
	struct span extra; /* opaque: values of fields that this build does not know */
};
/* Highest slot of the lane in this build's schema + 1; 1 for unknown tables (alive only, kept in a
 * generic table with everything else in extra). */
size_t store_slots(const struct store *st, uint16_t table, unsigned lane);
/* ret_rows[i] is NULL where the row has no insert in this lane. */
int store_rows_get(struct store *st, uint16_t table, unsigned lane, const uint8_t (*ids)[16],
                   size_t count, struct arena *a, struct row **ret_rows);
/* Inserts in this lane; ret_fresh[i] false (and nothing done) where the lane is already there. */
int store_rows_insert(struct store *st, uint16_t table, unsigned lane, const struct row *rows,
                      size_t count, bool *ret_fresh);
/*
 * The same for one row that only its creation speaks of (alive 1, no clock, no extra; a lane with fields in this
 * build), not at once: with its like, before anything reads or writes rows of the table.  row, its values and
 * *ret_fresh are borrowed until store_rows_settle, which says of all rows whether they were fresh; to be called before
 * commit.
 */
int store_rows_insert_later(struct store *st, uint16_t table, unsigned lane, const struct row *row,
                            bool *ret_fresh);
int store_rows_settle(struct store *st);
/* Is there a row of this id, in any lane? */
int store_row_known(struct store *st, uint16_t table, const uint8_t id[16], bool *ret_known);
/* Writes the slots of masks[i] (bit 0: alive) and, always, clock and extra.  The rows exist. */
int store_rows_update(struct store *st, uint16_t table, unsigned lane, const struct row *rows,
                      const uint64_t *masks, size_t count);
/*
 * One pass over a row that is there, for edits that meet no other: if the row of row->id has this lane, lies in row->scope,
 * is alive and has no extra values, the slots of mask (known to this build; alive stays what it is) are written, and the
 * clock is what join makes of it.  join may read runs here and nothing else; false: the row stays as it is.
 * *ret_done false: nothing was written.
 */
struct row_join {
	bool (*join)(struct row_join *j, struct span clock, struct span *ret_clock);
};
int store_row_join(struct store *st, uint16_t table, unsigned lane, const struct row *row,
                   uint64_t mask, struct row_join *join, bool *ret_done);
/* Takes the lane away; the row goes when no lane is left. */
int store_row_drop(struct store *st, uint16_t table, unsigned lane, const uint8_t id[16]);
/* Which tables hold this id, in any lane: fills ret_tables (TABLES_MAX entries at most). */
int store_row_tables(struct store *st, const uint8_t id[16], uint16_t *ret_tables,
                     size_t *ret_count);
/* The next table number above `after` under which rows may stand: all of this build, then those of later ones; 0: none. */
int store_table_next(struct store *st, uint16_t after, uint16_t *ret);
/* The generic table, also for tables and lanes that this build knows by now: the engine moves their rows. */
int store_other_scan(struct store *st, uint16_t table, unsigned lane, const uint8_t *after,
                     size_t limit, struct arena *a, struct row **ret_rows, size_t *ret_count);
int store_other_drop(struct store *st, uint16_t table, unsigned lane, const uint8_t id[16]);
/* Scan in id order after `after` (NULL: from the start), at most `limit` rows: of one scope (0: all). */
int store_rows_scan(struct store *st, uint16_t table, unsigned lane, uint32_t scope,
                    const uint8_t *after, size_t limit, struct arena *a, struct row **ret_rows,
                    size_t *ret_count);
/* For people and queries: whole rows over all lanes, values by descriptor order.  Live rows only (alive 1 in
 * every lane that the row has) unless all is set.  where: field == value pairs (all must hold). */
struct row_view {
	uint8_t id[16];
	uint32_t scope;
	uint8_t lanes;        /* bit (1 << lane): the row has its insert in that lane */
	uint8_t dead;         /* bit (1 << lane): deleted in that lane */
	struct value *values; /* fields_count of the table */
};
struct row_where {
	const struct field *field;
	struct value value;
};
int store_rows_view(struct store *st, const struct table *t, const struct row_where *where,
                    size_t where_count, uint32_t scope, bool all, const uint8_t *after,
                    size_t limit, struct arena *a, struct row_view **ret, size_t *ret_count);
int store_row_view(struct store *st, const struct table *t, const uint8_t id[16], struct arena *a,
                   struct row_view **ret); /* NULL: none */

/* ---- candidates: concurrent values beyond the shown one, and edits a deletion did not know of */
enum candidate_kind {
	CANDIDATE_VALUE = 0,
	CANDIDATE_EDIT_OF_DELETED = 1,
	CANDIDATE_SAME =
	        2 /* stands too, but says the same as the shown value: no conflict, not counted */
};
struct candidate {
	uint16_t table;
	uint8_t row[16], lane, slot, kind;
	uint32_t scope, run; /* ordinals */
	uint64_t stamp;
	struct value value;
};
/* Replaces all candidates of (table,row,lane) by the given ones. */
int store_candidates_set(struct store *st, uint16_t table, const uint8_t row[16], unsigned lane,
                         const struct candidate *c, size_t count);
int store_candidates_get(struct store *st, uint16_t table, const uint8_t row[16], unsigned lane,
                         struct arena *a, struct candidate **ret, size_t *ret_count);
int store_candidates_list(struct store *st, size_t limit, struct arena *a, struct candidate **ret,
                          size_t *ret_count);                      /* by scope, row */
int store_candidates_count(struct store *st, int64_t *ret_fields); /* distinct (row, lane, slot) */
/* Counts them anew, all of them; *ret_off: by how much the kept count was wrong. */
int store_candidates_recount(struct store *st, int64_t *ret_off);

/* ---- state hashes: additive, per scope and lane */
int store_state_add(struct store *st, uint32_t scope, unsigned lane,
                    const uint8_t delta[STATE_BYTES]); /* 128-bit little-endian add */
int store_state_get(struct store *st, uint32_t scope, unsigned lane,
                    uint8_t ret[STATE_BYTES]); /* zero if none */
/* Sum over all scopes of the feeds and lanes given (lane_masks[i]: bit (1 << lane)). */
int store_state_sum(struct store *st, const uint32_t *feeds, const uint8_t *lane_masks,
                    size_t count, uint8_t ret[STATE_BYTES]);
int store_state_sum_all(struct store *st, uint8_t lane_mask, uint8_t ret[STATE_BYTES]);

/* ---- tail: committed, not sealed */
struct tail_item {
	int64_t id;
	uint32_t scope, run;
	uint8_t lane;
	bool first; /* the first changeset of a person's transaction: what people count */
	struct span changeset; /* opaque bytes of proto/changeset.h, row form */
};
int store_tail_add(struct store *st, const struct tail_item *item);
int store_tail_all(struct store *st, struct arena *a, struct tail_item **ret,
                   size_t *ret_count); /* by scope, lane, id */
int store_tail_size(struct store *st, int64_t *ret_count, int64_t *ret_bytes);
int store_tail_records(struct store *st, int64_t *ret_count); /* those that are first */
int store_tail_clear(struct store *st, int64_t id_max);       /* all with id <= id_max */

/* ---- own streams */
int store_stream_get(struct store *st, uint32_t scope, unsigned lane, uint64_t *ret_next_seq,
                     uint8_t ret_hash[32]); /* 1, zeros: new */
int store_stream_put(struct store *st, uint32_t scope, unsigned lane, uint64_t next_seq,
                     const uint8_t hash[32]);

/* ---- journal */
struct entry {
	int64_t recv; /* position, from 1 */
	uint8_t kind; /* enum entry_kind of proto/entry.h */
	uint8_t lane;
	bool merged;          /* a segment sealed here: already merged at commit */
	uint32_t scope, feed; /* ordinals; feed is filled by the store from the scope */
	uint32_t from;        /* ordinal of the peer's run it came from; 0: own, by bundle */
	uint8_t origin[16];   /* author */
	uint64_t seq_first;   /* segments and holes; else 0 */
	uint32_t count; /* sealed here: transactions that people made in it; else changesets */
	uint64_t seal;
	uint8_t hash[32], prev[32];
	struct span head, body;
};
/* Assigns recv = last + 1, rolling = BLAKE2b-16(rolling before, hash).  Sets *ret_recv to 0 and does nothing
 * where the hash is known. */
int store_journal_append(struct store *st, struct entry *entries, size_t count, int64_t *ret_recvs);
int store_journal_head(
        struct store *st, int64_t *ret_recv,
        uint8_t ret_rolling[ROLLING_BYTES]); /* 0 and the journal id's hash when empty */
/* Rolling hash after position recv (0: the start); 1 if there is no such position. */
int store_journal_rolling(struct store *st, int64_t recv, uint8_t ret[ROLLING_BYTES]);
int store_journal_find(struct store *st, const uint8_t hash[32],
                       int64_t *ret_recv); /* 0: unknown */
int store_journal_get(struct store *st, int64_t recv, struct arena *a,
                      struct entry **ret); /* NULL: none */
/* The next entries after `after` that the filter admits, by recv; reads by index on (feed, recv). */
struct feed_filter {
	bool all; /* every scope, lanes by lane_mask */
	uint8_t lane_mask;
	uint32_t not_from; /* entries of this run's ordinal are left out; 0: none */
	size_t count;
	uint32_t feeds[12];
	uint8_t lane_masks[12];
};
int store_journal_scan(struct store *st, const struct feed_filter *f, int64_t after, size_t limit,
                       size_t bytes_max, struct arena *a, struct entry **ret, size_t *ret_count);
/* Puts the true bytes in the place of damaged ones: the caller has checked them against the entry's hash. */
int store_journal_mend(struct store *st, int64_t recv, struct span head, struct span body);
/* Another kind of entry in its place, under the same hash: a segment becomes a hole. */
int store_journal_cut(struct store *st, int64_t recv, unsigned kind, struct span head,
                      struct span body);
/*
 * What this transaction takes out is to lie nowhere: freed pages are overwritten in any case (secure_delete), the log is
 * emptied after the commit.  Where a reader holds the log it is tried again after later commits, of this process or
 * another.
 */
int store_scrub(struct store *st);
/* Segments and holes of one scope and lane, by recv. */
int store_journal_scope(struct store *st, uint32_t scope, unsigned lane, int64_t after,
                        size_t limit, struct arena *a, struct entry **ret, size_t *ret_count);
/* Bytes of the bodies of these, squeezed as they lie. */
int store_journal_bytes(struct store *st, uint32_t scope, unsigned lane, int64_t *ret_bytes);
/* The segment of (origin, scope, lane) that ends with sequence seq_first-1, by hash chain: recv of prev; 0: missing. */
int store_journal_gaps(struct store *st,
                       int64_t *ret_count); /* segments whose predecessor is unknown */
int store_gap_add(struct store *st, const uint8_t missing[32], int64_t recv);
int store_gap_close(struct store *st, const uint8_t hash[32],
                    bool *ret_closed); /* false: nobody missed it */
/* Hashes of missing predecessors, at most limit. */
int store_gaps(struct store *st, size_t limit, struct arena *a, uint8_t (**ret)[32],
               size_t *ret_count);

/* ---- admissions: which admission entries speak of a segment */
int store_word_add(struct store *st, const uint8_t segment[32], int64_t admission_recv);
int store_words(struct store *st, const uint8_t segment[32], struct arena *a, int64_t **ret,
                size_t *ret_count);
/* Segments in the journal that wait for a word. */
int store_waiting_set(struct store *st, int64_t recv, bool waits);
int store_waiting_count(struct store *st, int64_t *ret_count);
int store_waiting_own(struct store *st, int64_t *ret_count); /* of these, those sealed here */

/* ---- parked and refused, per record (one operation of one segment) */
struct held {
	int64_t id;
	int64_t recv;     /* the segment's place in the journal; 0 for a local thing */
	uint32_t ordinal; /* of the operation within the segment */
	uint32_t scope, run;
	uint16_t table;
	uint8_t row[16], lane, admitted;
	uint64_t stamp;
	int cause; /* enum error_code */
	char field[48];
	uint8_t wait[16]; /* id that it waits for; zero: nothing */
	int64_t since_ms;
	uint8_t by[16]; /* refused: the hub's origin */
	bool mine;      /* refused: I am its author */
};
int store_parked_add(struct store *st,
                     const struct held *h); /* no-op when (recv, ordinal) is parked */
int store_parked_remove(struct store *st, int64_t id);
/* The records of one segment in a range of ordinals leave the list. */
int store_parked_drop(struct store *st, int64_t recv, uint32_t ordinal, size_t count);
/* What waits for this id, by place (segment's position, ordinal), from behind a place (-1, 0: from the start), at most
 * `limit`. */
int store_parked_by_wait(struct store *st, const uint8_t wait[16], int64_t recv, uint32_t ordinal,
                         size_t limit, struct arena *a, struct held **ret, size_t *ret_count);
/* Does any on this row and lane stand before a place: one that it waits behind? */
int store_parked_on_row(struct store *st, const uint8_t row[16], unsigned lane, int64_t recv,
                        uint32_t ordinal, bool *ret_any);
/* The same, of those only that wait for something else than the row itself: one that waits for the row is nothing that the
 * row's creation could wait for. */
int store_parked_holds_row(struct store *st, const uint8_t row[16], unsigned lane, int64_t recv,
                           uint32_t ordinal, bool *ret_any);
/* How many on this row and lane are parked because their name is taken.  They hold nobody up: the two above pass over them. */
int store_parked_twice(struct store *st, const uint8_t row[16], unsigned lane, int64_t *ret_count);
int store_parked_list(struct store *st, int64_t after_id, size_t limit, struct arena *a,
                      struct held **ret, size_t *ret_count);
int store_parked_count(struct store *st, int64_t *ret_count);
int store_refused_add(
        struct store *st,
        const struct held *h); /* key (table, row, lane, run, stamp): later ones are ignored */
int store_refused_get(struct store *st, uint16_t table, const uint8_t row[16], unsigned lane,
                      uint32_t run, uint64_t stamp, bool *ret_refused);
int store_refused_remove(struct store *st, uint16_t table, const uint8_t row[16], unsigned lane,
                         uint32_t run, uint64_t stamp);
int store_refused_list(struct store *st, bool mine_only, size_t limit, struct arena *a,
                       struct held **ret, size_t *ret_count);
int store_refused_count(struct store *st, bool mine_only, int64_t *ret_count);

/* Parked and refused records of the scopes of one feed: what a child has waiting here. */
int store_held_counts(struct store *st, uint32_t feed, int64_t *ret_parked, int64_t *ret_refused);
/* Transactions in segments sealed here (merged) after a journal position: what the parent has not acknowledged.  0 if none
 * of these segments is of these lanes (a mask): what does not rise is not unsent. */
int store_journal_own(struct store *st, int64_t after, unsigned lanes, int64_t *ret_changesets);

/* ---- figures: what waits for the next seal, and the cells of figures and corrections */
int store_pending_add(struct store *st, uint32_t scope, int64_t month, unsigned kind,
                      int64_t delta);
struct pending {
	uint32_t scope;
	int64_t month;
	unsigned kind;
	int64_t delta;
};
int store_pending_all(struct store *st, struct arena *a, struct pending **ret,
                      size_t *ret_count); /* non-zero ones, by key */
int store_pending_clear(struct store *st);
struct cell {
	uint32_t scope;
	int64_t month;
	unsigned kind;
	int64_t truth, stated,
	        refused; /* T from merged rows; sum of F; what refused records had claimed */
	bool dirty;      /* touched since store_cells_clean */
};
/* Adds to truth, stated and refused of each cell (rows are created), marks them dirty. */
int store_cells_add(struct store *st, const struct cell *deltas, size_t count);
int store_cells_dirty(struct store *st, struct arena *a, struct cell **ret, size_t *ret_count);
int store_cells_clean(struct store *st);
int store_cells_all(struct store *st, uint32_t scope, struct arena *a, struct cell **ret,
                    size_t *ret_count); /* 0: all scopes */
/* Cells of which something is stated, by scope, month, kind: kinds up to kind_max of the months from..to; of the kind
 * `standing` also of all months before. */
struct stated {
	uint32_t scope, month;
	unsigned kind;
	int64_t stated;
};
int store_cells_stated(struct store *st, int64_t from, int64_t to, unsigned kind_max,
                       unsigned standing, struct arena *a, struct stated **ret, size_t *ret_count);

/* ---- what is kept of these for coverage: communities, devices, numbers and corrections by place, which is of a community
 * its parent, of every other unit itself (store_fold.sql).  Kept with the rows, in their transaction. */
struct fold {
	uint32_t place; /* scope */
	uint8_t id[16]; /* its unit */
	uint32_t up;    /* its own place, where it is a community itself; else 0 */
	int64_t sites, with_device,
	        active; /* communities; with a device not revoked; with activities from..to */
	int64_t volunteers, activities, participations,
	        minutes;   /* corrected; volunteers of all months up to `to` */
	int64_t unsettled; /* cells that are, of these */
};
enum { FOLD_AMOUNT_BITS = 40 };          /* a larger amount counts as nothing, and as unsettled */
bool store_folds_kept(struct store *st); /* no: a schema without units, devices or corrections */
int store_folds(struct store *st, int64_t from, int64_t to, struct arena *a, struct fold **ret,
                size_t *ret_count);                        /* by place */
int store_folds_check(struct store *st, int64_t *ret_off); /* rows that are not what the rows say */
int store_folds_rebuild(struct store *st);

/* ---- cursors: my place in a peer's journal, by the peer's run; newest last */
struct mark {
	int64_t pos;
	uint8_t rolling[ROLLING_BYTES], filter[8];
};
int store_cursor_get(struct store *st, uint64_t peer_run, struct arena *a, struct mark **ret,
                     size_t *ret_count);
int store_cursor_put(struct store *st, const uint8_t peer[16], uint64_t peer_run,
                     const struct mark *marks, size_t count); /* replaces all */

/* ---- peers: what is known of each, for sessions and for people */
struct peer {
	uint8_t origin[16];
	uint64_t run;  /* of the last session */
	int64_t acked; /* my journal position up to which it acknowledged */
	int64_t last_contact_ms, clock_offset_ms,
	        agreed_ms; /* agreed: state digests were equal; 0 never */
	int64_t bytes_in, bytes_out, refused, parked, unapplied;
	uint8_t state[STATE_BYTES]; /* its last digest */
	uint32_t schema_version, protocol;
	bool restored; /* its last cursor was not confirmed */
};
int store_peer_get(struct store *st, const uint8_t origin[16], struct peer *ret, bool *ret_known);
int store_peer_put(struct store *st, const struct peer *p);
int store_peers(struct store *st, struct arena *a, struct peer **ret, size_t *ret_count);

/* ---- certificates and invitations */
struct cert_row {
	uint8_t id[16], origin[16], link[32], issuer[16], unit[16];
	uint8_t role, lanes;
	int64_t not_before_ms, not_after_ms, revoked_ms;
	struct span body; /* the signed bytes (proto/cert.h) */
};
int store_cert_put(struct store *st, const struct cert_row *c); /* no-op when known */
int store_cert_revoke(struct store *st, const uint8_t id[16], int64_t revoked_ms);
int store_cert_by_id(struct store *st, const uint8_t id[16], struct arena *a,
                     struct cert_row **ret);
int store_cert_by_origin(struct store *st, const uint8_t origin[16], struct arena *a,
                         struct cert_row **ret); /* newest not_before */
int store_cert_by_link(struct store *st, const uint8_t link[32], struct arena *a,
                       struct cert_row **ret);
int store_certs(struct store *st, struct arena *a, struct cert_row **ret, size_t *ret_count);
struct invite {
	uint8_t hash[32]; /* of the secret */
	uint8_t unit[16], role, used_by[16];
	int64_t made_ms, expires_ms, used_ms;
};
int store_invite_put(struct store *st, const struct invite *i); /* insert or replace by hash */
int store_invite_get(struct store *st, const uint8_t hash[32], struct invite *ret, bool *ret_known);
int store_invites(struct store *st, struct arena *a, struct invite **ret, size_t *ret_count);

/* Every SQL statement with its query plan, a line each ("name<TAB>plan"): for the test that forbids
 * table scans on paths that grow. */
int store_plans(struct store *st, struct buf *out);

#endif
