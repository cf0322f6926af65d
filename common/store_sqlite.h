/*
 * store_sqlite.h - inside of the SQLite backend; included by store_sqlite*.c only.
 *
 * A statement is taken with query(), bound, stepped to its end and reset by the same function that
 * took it.  Binding cannot fail but by a programmer's error (asserted).  The first error inside a
 * transaction sticks: every later call gives it again until store_rollback(), so that half a unit of
 * work is never committed, also where SQLite has rolled back by itself (disk full).
 */
#ifndef COMMON_STORE_SQLITE_H
#define COMMON_STORE_SQLITE_H

#include <sqlite3.h>

#include "common/crypt.h"
#include "common/store.h"

/* The named statements of store.sql: META_GET is `-- name: meta_get`. */
/* A list that clang-format moves further with every run. */
/* clang-format off */
#define STORE_QUERIES(X) \
	X(META_GET) X(META_PUT) X(SECRET_GET) X(SECRET_PUT) X(SECRET_DROP) X(SECRET_LIST) X(TRAIL_LAST) X(TRAIL_ADD) X(TRAIL_SCAN) X(TALLY_GET) X(TALLY_ADD) X(SCOPE_BY_ID) X(SCOPE_BY_ORD) \
	X(SCOPE_ADD) X(SCOPE_SET_PARENT) X(SCOPE_SET_FEED) X(SCOPE_MOVE_JOURNAL) \
	X(SCOPE_MOVE_STATE) X(SCOPE_SET_ID) X(SCOPE_LIST) X(RUN_BY_RUN) X(RUN_BY_ORD) \
	X(RUN_ADD) X(RUN_COUNT) X(OTHER_GET) X(OTHER_INSERT) X(OTHER_UPDATE) \
	X(OTHER_UPDATE_ALIVE) X(OTHER_DROP) X(OTHER_SCAN) X(OTHER_SCAN_SCOPE) \
	X(OTHER_TABLES) X(OTHER_NEXT) X(CANDIDATE_FIELDS) X(CANDIDATE_CLEAR) X(CANDIDATE_ADD) \
	X(CANDIDATE_GET) X(CANDIDATE_LIST) X(STATE_GET) X(STATE_PUT) X(STATE_OF_FEED) \
	X(STATE_ALL) X(TAIL_ADD) X(TAIL_ALL) X(TAIL_SIZE) X(TAIL_RECORDS) X(TAIL_CLEAR) \
	X(STREAM_GET) X(STREAM_PUT) X(JOURNAL_ADD) X(JOURNAL_LAST) X(JOURNAL_ROLLING) \
	X(JOURNAL_FIND) X(JOURNAL_GET) X(JOURNAL_WALK) X(JOURNAL_FEED) X(JOURNAL_SCOPE) X(JOURNAL_BYTES) \
	X(JOURNAL_OWN) X(WAITING_OWN) X(JOURNAL_REPLACE) X(META_REMOVE) X(GAP_LIST) X(CANDIDATE_RECOUNT) X(PARKED_OF_FEED) X(REFUSED_OF_FEED) X(RUN_NAME) X(GAP_ADD) \
	X(GAP_CLOSE) X(WORD_ADD) X(WORD_GET) X(WAITING_ADD) X(WAITING_REMOVE) \
	X(PARKED_ADD) X(PARKED_REMOVE) X(PARKED_BY_WAIT) X(PARKED_ON_ROW) X(PARKED_HOLDS_ROW) X(PARKED_TWICE) X(PARKED_DROP) X(PARKED_LIST) \
	X(REFUSED_ADD) X(REFUSED_GET) X(REFUSED_REMOVE) X(REFUSED_LIST) \
	X(REFUSED_LIST_MINE) X(PENDING_GET) X(PENDING_PUT) X(PENDING_ALL) \
	X(PENDING_CLEAR) X(CELL_GET) X(CELL_PUT) X(CELL_DIRTY) X(CELL_CLEAN) X(CELL_ALL) X(CELL_STATED) \
	X(CELL_OF_SCOPE) X(CURSOR_GET) X(CURSOR_CLEAR) X(CURSOR_ADD) X(PEER_GET) \
	X(PEER_PUT) X(PEER_LIST) X(CERT_PUT) X(CERT_REVOKE) X(CERT_BY_ID) \
	X(CERT_BY_ORIGIN) X(CERT_BY_LINK) X(CERT_LIST) X(INVITE_PUT) X(INVITE_GET) \
	X(INVITE_LIST)
/* clang-format on */

enum store_query {
#define X(NAME) Q_##NAME,
	STORE_QUERIES(X)
#undef X
	        Q_COUNT
};

enum {
	FEEDS_MAX = ARRAY_COUNT(((struct feed_filter *)NULL)->feeds),
	ROW_LANES = 3,
	CACHED_MAX = 64
};

/* Of store_fold.sql; made when first used. */
enum fold_query {
	FOLD_CHECK,
	FOLD_SITES,
	FOLD_TOP,
	FOLD_SUMS,
	FOLD_BEFORE,
	FOLD_BUSY_YEAR,
	FOLD_BUSY_YEARS,
	FOLD_COUNT
};
enum fixed { FIXED_BEGIN, FIXED_BEGIN_READ, FIXED_COMMIT, FIXED_COUNT };

/* Of one lane of one table; the last (LATER_ROWS creations) is made when first used. */
enum lane_query {
	LANE_GET,
	LANE_INSERT,
	LANE_DROP,
	LANE_SCAN,
	LANE_SCAN_SCOPE,
	LANE_INSERT_MANY,
	LANE_QUERIES
};
enum table_query { TABLE_HAS, TABLE_DROP_EMPTY, TABLE_QUERIES };

/* The statements of one lane of one table; without fields in this build (slots 0) the generic table
 * serves.  The columns are bound and read in the order of `columns`. */
struct lane_rows {
	uint64_t slots, closed; /* closed: those that lie closed at rest */
	size_t slots_count, columns_count;
	uint8_t columns[SLOTS_MAX]; /* slots, without alive */
	sqlite3_stmt *queries[LANE_QUERIES];
};
struct table_rows {
	const struct table *table;
	struct lane_rows lanes[LANES]; /* the last one (reserved) never has columns */
	sqlite3_stmt *queries[TABLE_QUERIES];
};

/* Statements made on demand: updates by mask and views; the least recently used one goes. */
struct cached {
	sqlite3_stmt *stmt;
	uint64_t used;
	uint64_t what; /* mask, or field numbers of the view's conditions */
	uint16_t table;
	uint8_t kind; /* lane of an update; VIEW + flags */
};

/* Ordinals by key (open addressing); by ordinal they lie in the arrays beside it. */
struct ord_map {
	struct ord_slot {
		uint8_t key[16];
		uint32_t ord; /* 0: free */
	} * slots;
	size_t room, count;
};

/* Writes that wait for company: store_sqlite_later.c. */
enum { LATER_ROWS = 10, LATER_STATES = 64, LATER_CELLS = 1024 };
struct later {
	uint16_t table;
	unsigned lane;
	const struct row *rows[LATER_ROWS]; /* of one lane of one table; borrowed */
	bool *fresh[LATER_ROWS];
	size_t rows_count;
	struct later_state {
		uint32_t scope;
		unsigned lane;
		uint8_t sum[STATE_BYTES];
	} states[LATER_STATES];
	size_t states_count;
	struct cell cells[LATER_CELLS / 2];
	size_t cells_count;
	uint16_t cell_at[LATER_CELLS]; /* by key: index in cells + 1 */
};

/* Rows that are known to be there: references are asked for again and again. */
enum { KNOWN_ROWS = 1024 };
struct known_row {
	uint8_t id[16];
	uint16_t table; /* 0: free */
};

struct store {
	sqlite3 *db;
	const struct schema *schema;
	unsigned flags;
	char *path;
	struct error err;
	bool in_transaction, failed, lost;
	enum { SCRUB_NONE, SCRUB_DUE, SCRUB_DONE } scrub; /* DONE: the mark of it is to go */
	int (*fault)(void *ctx, const char *what);
	void *fault_ctx;
	sqlite3_stmt *queries[Q_COUNT], *feeds[FEEDS_MAX], *data_version;
	struct span sql[Q_COUNT]; /* of store.sql */
	sqlite3_stmt *fixed[FIXED_COUNT];
	sqlite3_stmt *folds[FOLD_COUNT];
	struct table_rows *tables[TABLES_MAX];
	struct cached cached[CACHED_MAX];
	uint64_t cached_tick;
	/* Caches: used and filled only inside a transaction, dropped at rollback and when another
	 * connection has committed. */
	int64_t version_seen;
	struct ord_map scope_ords, run_ords;
	struct scope *scopes; /* [ord-1]; ord 0: not read */
	struct run_info *runs;
	size_t scopes_room, runs_room;
	bool head_known;
	int64_t head_recv;
	uint8_t head_rolling[ROLLING_BYTES];
	enum { REFUSED_UNKNOWN, REFUSED_NONE, REFUSED_SOME } refused; /* in this transaction */
	struct known_row known[KNOWN_ROWS];
	struct later later;
	struct row_join *joining; /* of the statement that runs */
	bool join_left;           /* it left the row as it is */
	struct rest {
		enum { REST_NONE, REST_CLOSED, REST_KEYED } state;
		uint8_t name[16]; /* of the key, as the file says it */
		struct sealer sealer;
		struct arena arena; /* what is closed for one statement */
	} rest;
};

/* First line of every function of the contract.  _WRITE also holds it to a transaction. */
#define STORE_ENTER(ST)                                                                            \
	do {                                                                                       \
		int enter_rc = store_entered((ST), __func__);                                      \
		if (enter_rc != 0) return enter_rc;                                                \
	} while (0)
#define STORE_ENTER_WRITE(ST)                                                                      \
	do {                                                                                       \
		STORE_ENTER(ST);                                                                   \
		assert((ST)->in_transaction);                                                      \
	} while (0)
int store_entered(struct store *st, const char *what);

/* Translates the connection's last error (or the given result code), keeps it in st->err. */
int store_fail(struct store *st, int sqlite_rc, const char *what);
int store_run(struct store *st,
              struct span sql); /* statements one after the other; rows are thrown away */
struct span store_block(const char *text,
                        const char *wanted); /* the SQL behind `-- name: wanted` */
int store_fold_bring(struct store *st); /* what store_fold.sql makes, where it is not there yet */
int store_fail_arena(struct store *st); /* the caller's arena is full */
int store_prepare(struct store *st, const char *sql, size_t len, sqlite3_stmt **ret);
int store_feed_prepare(struct store *st, size_t i); /* st->feeds[i]; made before: nothing */
int store_rows_open(struct store *st);              /* the row statements of every table */
int store_rows_functions(struct store *st);         /* what they call */
void store_rows_close(struct store *st);
int store_rows_plans(struct store *st, struct buf *out);
int store_plan_of(struct store *st, const char *name, const char *sql, struct buf *out);
/* Settings of the whole process; before its first use of SQLite, if that is not store_open. */
void store_configure(void);
/* As store_open, with other steps: steps[i] takes a file from format i to i+1.  For the tests. */
int store_open_steps(const char *path, const struct schema *schema, unsigned flags,
                     const char *const *steps, size_t steps_count, struct store **ret,
                     struct error *err);
int later_row(struct store *st, uint16_t table, unsigned lane, const struct row *row,
              bool *ret_fresh);
int later_rows(struct store *st); /* writes the rows that wait */
int later_state(struct store *st, uint32_t scope, unsigned lane, const uint8_t delta[STATE_BYTES]);
int later_cell(struct store *st, const struct cell *delta);
int later_sums(struct store *st); /* writes the state hashes and cells that wait */
void later_forget(struct store *st);
int store_state_write(struct store *st, uint32_t scope, unsigned lane,
                      const uint8_t delta[STATE_BYTES]);
int store_cell_write(struct store *st, const struct cell *delta);
void store_add_128(uint8_t sum[STATE_BYTES], const uint8_t delta[STATE_BYTES]);
int store_row_insert(struct store *st, uint16_t table, unsigned lane, const struct row *r,
                     bool *ret_fresh);
/* LATER_ROWS rows; *ret_done: how many, from the first, were fresh and are written. */
int store_rows_insert_many(struct store *st, uint16_t table, unsigned lane,
                           const struct row *const *rows, size_t *ret_done);
int store_scope_load(struct store *st, uint32_t ord,
                     struct scope *ret); /* store_scope_get without the hook */

void store_query_prepare(struct store *st, enum store_query q); /* STORE_LAZY: on first use */
static inline sqlite3_stmt *query(struct store *st, enum store_query q)
{
	if (st->queries[q] == NULL) store_query_prepare(st, q);
	assert(!sqlite3_stmt_busy(st->queries[q]));
	return st->queries[q];
}

/* ---- store_sqlite_rest.c: closing and opening.  Closed bytes live until the next rest_begin. */
static inline bool rest_field(const struct field *f)
{
	return f->tier >= 3;
}
/* Length of head and body as they were before they were closed. */
size_t rest_entry_len(const struct store *st, unsigned kind, unsigned lane, size_t head,
                      size_t body);
void rest_begin(struct store *st);
void rest_done(struct store *st);
int rest_look(struct store *st);
int rest_ready(struct store *st); /* -ERR_CLOSED where the file is closed and no key was given */
struct value rest_value(struct store *st, uint16_t table, unsigned lane, unsigned slot,
                        const uint8_t row[16], struct value v);
int rest_value_open(struct store *st, uint16_t table, unsigned lane, unsigned slot,
                    const uint8_t row[16], struct value *v, struct arena *arena);
struct span rest_extra(struct store *st, uint16_t table, unsigned lane, const uint8_t row[16],
                       struct span extra);
int rest_extra_open(struct store *st, uint16_t table, unsigned lane, const uint8_t row[16],
                    struct span *extra, struct arena *arena);
struct value rest_candidate(struct store *st, const struct candidate *c, uint16_t table,
                            const uint8_t row[16], unsigned lane);
int rest_candidates_open(struct store *st, struct candidate *c, size_t count, struct arena *arena);
struct span rest_tail(struct store *st, const struct tail_item *t);
int rest_tail_open(struct store *st, struct tail_item *t, size_t count);
void rest_entry(struct store *st, unsigned kind, unsigned lane, const uint8_t hash[32],
                struct span *head, struct span *body);
int rest_entry_open(struct store *st, struct entry *e);

/* ---- binding */
void bind_int(sqlite3_stmt *s, int i, int64_t v);
void bind_span(sqlite3_stmt *s, int i, const void *p, size_t len); /* a blob, also when empty */
void bind_maybe(sqlite3_stmt *s, int i, struct span v);            /* NULL when empty */
void bind_text(sqlite3_stmt *s, int i, const char *text);
void bind_value(sqlite3_stmt *s, int i, struct value v);
static inline void bind_size(sqlite3_stmt *s, int i, size_t v)
{
	bind_int(s, i, v > (size_t)INT64_MAX ? INT64_MAX : (int64_t)v);
}

/* ---- stepping: 1 a row, 0 the end, below 0 an error; at the end and on error the statement is reset */
int step(struct store *st, sqlite3_stmt *s);
int step_done(struct store *st, sqlite3_stmt *s); /* 0 or error; rows are not expected */
int step_int(struct store *st, sqlite3_stmt *s,
             int64_t *ret); /* the one value of the one row; no row: 0 */

/* ---- reading columns */
static inline int64_t col_int(sqlite3_stmt *s, int i)
{
	return sqlite3_column_int64(s, i);
}
static inline uint32_t col_u32(sqlite3_stmt *s, int i)
{
	return (uint32_t)sqlite3_column_int64(s, i);
}
static inline uint8_t col_u8(sqlite3_stmt *s, int i)
{
	return (uint8_t)sqlite3_column_int64(s, i);
}
void col_fixed(sqlite3_stmt *s, int i, uint8_t *ret,
               size_t len);                                    /* shorter ones are filled with 0 */
struct span col_span(sqlite3_stmt *s, int i, struct arena *a); /* a copy in the arena */
struct value col_value(sqlite3_stmt *s, int i, struct arena *a);

/* ---- a list that grows while a statement is stepped, then goes into the arena */
struct list {
	uint8_t *items;
	size_t size, count, room;
};
void *list_add(struct list *l); /* a zeroed item, good until the next call */
int list_give(struct store *st, struct list *l, struct arena *a, void *ret, size_t *ret_count);
/* Steps s to its end: read(s, item, arena) fills each item of `size` bytes. */
int read_all(struct store *st, sqlite3_stmt *s, size_t size,
             void (*read)(sqlite3_stmt *s, void *item, struct arena *a), struct arena *a, void *ret,
             size_t *ret_count);
/* The first row only; *(void **)ret is NULL if there is none. */
int read_one(struct store *st, sqlite3_stmt *s, size_t size,
             void (*read)(sqlite3_stmt *s, void *item, struct arena *a), struct arena *a,
             void *ret);

#endif
