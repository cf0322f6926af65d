/*
 * store_sqlite.c - opening, transactions, errors, ordinals: the ground of the SQLite backend.
 *
 * The file: WAL and synchronous=FULL (with group commit it costs 0-18 % and an acknowledgement is a
 * promise), secure_delete on (erasure is a duty), checkpoints of 10,000 pages (1.5x, measurements.md
 * section 1), no mutexes (one connection, one thread).  application_id names the program, user_version
 * the format: older files are taken up step by step, newer ones refused.  Tables and columns that the
 * descriptors have and the file lacks are added at open, found by comparing the file with a template
 * made by schema_ddl() in memory, so that nothing is told twice.
 */
#include <unistd.h> /* declares sleep, which base.h poisons */

#include "common/base.h"
#include "common/store_sqlite.h"

#include <fcntl.h>
#include <pthread.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/crypt.h"

static const char sql_text[] =
#include "common/store.sql.h"
        ;

enum {
	APPLICATION_ID = 0x4a475331 /* "JGS1" */,
	/* One sync of a worn card can take many seconds, and who waits here only waits for a commit of
	 * another process: giving up early would call that a failure. */
	BUSY_MS = 30000,
	DDL_BYTES_MAX = 1 << 20,
	REPORT_LINES_MAX = 20,
	PATH_BYTES_MAX = 4096
};

/* steps[i] is the block that takes a file from format i to i+1. */
static const char *const format_steps[] = {"format_1", "format_2", "format_3", "format_4"};
static_assert(ARRAY_COUNT(format_steps) == STORE_FORMAT, "every format has its step");

static const char *const query_names[] = {
#define X(NAME) #NAME,
        STORE_QUERIES(X)
#undef X
};

/* ---- errors */

static int error_code_of(int sqlite_rc)
{
	switch (sqlite_rc & 0xff) {
	case SQLITE_FULL:
		return ERR_DISK_FULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_DATABASE_DAMAGED;
	case SQLITE_NOMEM:
		abort(); /* style: untested ways on are worse than a crash that rolls back */
	default:
		return ERR_STORAGE;
	}
}

/* SQLite says SQLITE_FULL for a write alone; making a file, growing the shared memory, a quota of the user come as others. */
static bool is_full(sqlite3 *db, int sqlite_rc)
{
	int primary = sqlite_rc & 0xff, because;

	if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN) return false;
	if (sqlite_rc == SQLITE_IOERR_FSYNC || sqlite_rc == SQLITE_IOERR_DIR_FSYNC) return false;
	because = sqlite3_system_errno(db);
	return because == ENOSPC || because == EDQUOT;
}

static int store_error_set(struct store *st, int code, const char *what, const char *why)
{
	if (st->in_transaction) st->failed = true;
	return error_set(&st->err, code, "", "%s: %s", what, why);
}

int store_fail(struct store *st, int sqlite_rc, const char *what)
{
	int code = is_full(st->db, sqlite_rc) ? ERR_DISK_FULL : error_code_of(sqlite_rc);

	if (code == ERR_DATABASE_DAMAGED)
		return store_error_set(st, code, what, "the database file is damaged or cut short");
	return store_error_set(st, code, what, sqlite3_errmsg(st->db));
}

int store_fail_arena(struct store *st)
{
	return error_set(&st->err, ERR_LIMIT, "",
	                 "the answer is larger than the memory set aside for it");
}

int store_entered(struct store *st, const char *what)
{
	int rc;

	if (st->in_transaction && st->failed) return -st->err.code;
	if (st->lost)
		return error_set(&st->err, ERR_STORAGE, "",
		                 "whether the last commit holds is not known: the database is to "
		                 "be opened again");
	if (st->fault == NULL) return 0;
	rc = st->fault(st->fault_ctx, what);
	if (rc == 0) return 0;
	(void)store_error_set(st, rc < 0 ? -rc : rc, what, "injected fault");
	return rc;
}

/* ---- binding, stepping, columns */

void bind_int(sqlite3_stmt *s, int i, int64_t v)
{
	int rc = sqlite3_bind_int64(s, i, v);

	assert(rc == SQLITE_OK);
}

void bind_span(sqlite3_stmt *s, int i, const void *p, size_t len)
{
	int rc = sqlite3_bind_blob64(s, i, len > 0 ? p : "", len, SQLITE_STATIC);

	assert(rc == SQLITE_OK);
}

void bind_maybe(sqlite3_stmt *s, int i, struct span v)
{
	int rc;

	if (v.len > 0) {
		bind_span(s, i, v.p, v.len);
		return;
	}
	rc = sqlite3_bind_null(s, i);
	assert(rc == SQLITE_OK);
}

static void bind_text_span(sqlite3_stmt *s, int i, const void *p, size_t len)
{
	int rc = sqlite3_bind_text64(s, i, len > 0 ? p : "", len, SQLITE_STATIC, SQLITE_UTF8);

	assert(rc == SQLITE_OK);
}

void bind_text(sqlite3_stmt *s, int i, const char *text)
{
	bind_text_span(s, i, text, strlen(text));
}

void bind_value(sqlite3_stmt *s, int i, struct value v)
{
	switch ((enum value_type)v.type) {
	case VALUE_NULL:
		bind_maybe(s, i, (struct span){NULL, 0});
		break;
	case VALUE_INT:
		bind_int(s, i, v.i);
		break;
	case VALUE_TEXT:
		bind_text_span(s, i, v.s.p, v.s.len);
		break;
	case VALUE_BYTES:
		bind_span(s, i, v.s.p, v.s.len);
		break;
	}
}

int step(struct store *st, sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW) return 1;
	if (rc == SQLITE_DONE) {
		sqlite3_reset(s);
		return 0;
	}
	rc = store_fail(st, sqlite3_extended_errcode(st->db), "database");
	sqlite3_reset(s);
	return rc;
}

int step_done(struct store *st, sqlite3_stmt *s)
{
	int rc = step(st, s);

	assert(rc <= 0);
	return rc;
}

int step_int(struct store *st, sqlite3_stmt *s, int64_t *ret)
{
	int rc = step(st, s);

	if (rc < 0) return rc;
	*ret = rc == 1 ? col_int(s, 0) : 0;
	sqlite3_reset(s);
	return 0;
}

void col_fixed(sqlite3_stmt *s, int i, uint8_t *ret, size_t len)
{
	const void *p = sqlite3_column_blob(s, i);
	size_t have = (size_t)sqlite3_column_bytes(s, i);

	memset(ret, 0, len);
	if (p != NULL && have > 0) memcpy(ret, p, have < len ? have : len);
}

struct span col_span(sqlite3_stmt *s, int i, struct arena *a)
{
	const void *p = sqlite3_column_blob(s, i);
	size_t len = (size_t)sqlite3_column_bytes(s, i);
	void *copy = p != NULL && len > 0 ? arena_copy(a, p, len) : NULL;

	return copy != NULL ? span_of(copy, len) : (struct span){NULL, 0};
}

struct value col_value(sqlite3_stmt *s, int i, struct arena *a)
{
	switch (sqlite3_column_type(s, i)) {
	case SQLITE_INTEGER:
		return value_int(col_int(s, i));
	case SQLITE_TEXT:
		return (struct value){.type = VALUE_TEXT, .s = col_span(s, i, a)};
	case SQLITE_BLOB:
		return (struct value){.type = VALUE_BYTES, .s = col_span(s, i, a)};
	default:
		return value_null();
	}
}

void *list_add(struct list *l)
{
	void *item;

	if (l->count == l->room) {
		l->room = l->room == 0 ? 16 : l->room * 2;
		l->items = mem_grow(l->items, l->room * l->size);
	}
	item = l->items + l->count++ * l->size;
	memset(item, 0, l->size);
	return item;
}

int list_give(struct store *st, struct list *l, struct arena *a, void *ret, size_t *ret_count)
{
	void *items = l->count > 0 ? arena_copy(a, l->items, l->count * l->size) : NULL;

	free(l->items);
	l->items = NULL;
	if (a->full) return store_fail_arena(st);
	memcpy(ret, &items, sizeof(items));
	*ret_count = l->count;
	return 0;
}

int read_all(struct store *st, sqlite3_stmt *s, size_t size,
             void (*read)(sqlite3_stmt *s, void *item, struct arena *a), struct arena *a, void *ret,
             size_t *ret_count)
{
	struct list l = {.size = size};
	int rc;

	while ((rc = step(st, s)) == 1 && !a->full) read(s, list_add(&l), a);
	sqlite3_reset(s);
	if (rc >= 0) return list_give(st, &l, a, ret, ret_count);
	free(l.items);
	return rc;
}

int read_one(struct store *st, sqlite3_stmt *s, size_t size,
             void (*read)(sqlite3_stmt *s, void *item, struct arena *a), struct arena *a, void *ret)
{
	void *item = NULL;
	int rc = step(st, s);

	if (rc < 0) return rc;
	if (rc == 1) {
		item = arena_take(a, size);
		if (item != NULL) read(s, item, a);
		sqlite3_reset(s);
		if (a->full) return store_fail_arena(st);
	}
	memcpy(ret, &item, sizeof(item));
	return 0;
}

/* ---- statements */

int store_prepare(struct store *st, const char *sql, size_t len, sqlite3_stmt **ret)
{
	int rc = sqlite3_prepare_v3(st->db, sql, (int)len, SQLITE_PREPARE_PERSISTENT, ret, NULL);

	return rc == SQLITE_OK ? 0 : store_fail(st, rc, "cannot prepare a statement");
}

/* Runs statements one after the other; rows are thrown away. */
int store_run(struct store *st, struct span sql)
{
	const char *p = (const char *)sql.p, *end = p + sql.len;

	while (p < end) {
		sqlite3_stmt *s = NULL;
		int rc = sqlite3_prepare_v2(st->db, p, (int)(end - p), &s, &p);

		if (rc == SQLITE_OK && s != NULL)
			while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
			}
		if (rc != SQLITE_OK && rc != SQLITE_DONE)
			rc = store_fail(st, rc, "database");
		else
			rc = 0;
		sqlite3_finalize(s);
		if (rc != 0) return rc;
	}
	return 0;
}

static int run_text(struct store *st, const char *sql)
{
	return store_run(st, span_of(sql, strlen(sql)));
}

static int pragma_int(struct store *st, const char *sql, int64_t *ret)
{
	sqlite3_stmt *s = NULL;
	int rc = store_prepare(st, sql, strlen(sql), &s);

	if (rc == 0) rc = step_int(st, s, ret);
	sqlite3_finalize(s);
	return rc;
}

/* The next block of the text at *p: its name and SQL; false at the end. */
static bool next_block(const char **p, struct span *ret_name, struct span *ret_sql)
{
	static const char mark[] = "-- name: ";
	const char *name = strstr(*p, mark), *line_end, *end;

	if (name == NULL) return false;
	name += sizeof(mark) - 1;
	line_end = strchr(name, '\n');
	assert(line_end != NULL);
	end = strstr(line_end, mark);
	if (end == NULL) end = line_end + strlen(line_end);
	*ret_name = span_of(name, (size_t)(line_end - name));
	*ret_sql = span_of(line_end + 1, (size_t)(end - line_end - 1));
	*p = end;
	return true;
}

static bool is_name(struct span name, const char *text)
{
	return name.len == strlen(text) && strncasecmp((const char *)name.p, text, name.len) == 0;
}

struct span store_block(const char *text, const char *wanted)
{
	const char *p = text;
	struct span name, sql;
	bool found = false;

	while (!found && next_block(&p, &name, &sql)) found = is_name(name, wanted);
	assert(found); /* all that are asked for are named in the program */
	return sql;
}

static int prepare_queries(struct store *st)
{
	static const char version[] = "PRAGMA data_version";
	const char *p = sql_text;
	struct span name, sql;
	int rc = store_prepare(st, version, sizeof(version) - 1, &st->data_version);

	/* The blocks stand in the order of no list: each finds its place by name, once. */
	while (next_block(&p, &name, &sql)) {
		size_t q = 0;

		if (name.len > 7 && memcmp(name.p, "format_", 7) == 0) continue;
		while (q < Q_COUNT && !is_name(name, query_names[q])) q++;
		assert(q < Q_COUNT && st->sql[q].len == 0);
		st->sql[q] = sql;
	}
	for (size_t q = 0; q < Q_COUNT; q++) assert(st->sql[q].len != 0);
	if ((st->flags & STORE_LAZY) != 0) return rc;
	for (size_t q = 0; q < Q_COUNT && rc == 0; q++)
		rc = store_prepare(st, (const char *)st->sql[q].p, st->sql[q].len, &st->queries[q]);
	for (size_t i = 0; i < FEEDS_MAX && rc == 0; i++) rc = store_feed_prepare(st, i);
	return rc;
}

/* The schema has been read at open, so this reads nothing: it fails only by an error in store.sql. */
void store_query_prepare(struct store *st, enum store_query q)
{
	int rc = store_prepare(st, (const char *)st->sql[q].p, st->sql[q].len, &st->queries[q]);

	assert(rc == 0);
}

int store_feed_prepare(struct store *st, size_t i)
{
	const struct span *sql = &st->sql[Q_JOURNAL_FEED];

	return st->feeds[i] != NULL
	               ? 0
	               : store_prepare(st, (const char *)sql->p, sql->len, &st->feeds[i]);
}

/* ---- the file's format and the domain tables */

struct file_kind {
	int64_t application, format, objects;
};

static int read_kind(struct store *st, struct file_kind *ret)
{
	int rc = pragma_int(st, "SELECT count(*) FROM sqlite_schema", &ret->objects);

	if (rc == 0) rc = pragma_int(st, "PRAGMA application_id", &ret->application);
	if (rc == 0) rc = pragma_int(st, "PRAGMA user_version", &ret->format);
	return rc;
}

static bool is_empty(const struct file_kind *k)
{
	return k->application == 0 && k->format == 0 && k->objects == 0;
}

static int check_kind(struct store *st, const struct file_kind *k, size_t format_now)
{
	if (is_empty(k)) {
		if ((st->flags & STORE_CREATE) != 0) return 0;
		return error_set(&st->err, ERR_DATABASE_DAMAGED, "", "the database file is empty");
	}
	if (k->application != APPLICATION_ID)
		return error_set(&st->err, ERR_DATABASE_DAMAGED, "",
		                 "the file is not a Jinguo database");
	if (k->format > (int64_t)format_now)
		return error_set(&st->err, ERR_NEWER_FILE, "",
		                 "the database has format %" PRId64
		                 ", this program knows formats up to %zu: "
		                 "install the newer program",
		                 k->format, format_now);
	if (k->format < 0)
		return error_set(&st->err, ERR_DATABASE_DAMAGED, "", "the database has no format");
	if (k->format < (int64_t)format_now && (st->flags & STORE_READ_ONLY) != 0)
		return error_set(&st->err, ERR_STORAGE, "",
		                 "the database is of an older program and has to be opened for "
		                 "writing once");
	return 0;
}

static int run_steps(struct store *st, int64_t format, const char *const *steps, size_t steps_count)
{
	char mark[64];
	int rc = 0;

	for (size_t i = (size_t)format; i < steps_count && rc == 0; i++)
		rc = i < ARRAY_COUNT(format_steps) && steps[i] == format_steps[i]
		             ? store_run(st, store_block(sql_text, steps[i]))
		             : run_text(st, steps[i]);
	if (rc != 0) return rc;
	(void)snprintf(mark, sizeof(mark), "PRAGMA application_id = %d", (int)APPLICATION_ID);
	rc = run_text(st, mark);
	(void)snprintf(mark, sizeof(mark), "PRAGMA user_version = %zu", steps_count);
	return rc == 0 ? run_text(st, mark) : rc;
}

static bool has_row(sqlite3_stmt *s, const char *first, const char *second)
{
	bool found;

	bind_text(s, 1, first);
	bind_text(s, 2, second);
	found = sqlite3_step(s) == SQLITE_ROW;
	sqlite3_reset(s);
	return found;
}

/* Adds the columns that the template's table has and the file's lacks. */
static int add_columns(struct store *st, sqlite3 *template, const char *table, struct buf *alter)
{
	static const char columns[] = "SELECT name, type FROM pragma_table_info(?1) ORDER BY cid";
	static const char known[] = "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2";
	sqlite3_stmt *want = NULL, *have = NULL;
	int rc = store_prepare(st, known, sizeof(known) - 1, &have);

	if (rc == 0 && sqlite3_prepare_v2(template, columns, -1, &want, NULL) != SQLITE_OK)
		rc = store_error_set(st, ERR_STORAGE, "schema", sqlite3_errmsg(template));
	if (rc == 0) bind_text(want, 1, table);
	while (rc == 0 && sqlite3_step(want) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(want, 0);

		if (has_row(have, table, name)) continue;
		buf_print(alter, "ALTER TABLE \"%s\" ADD COLUMN \"%s\" %s;\n", table, name,
		          (const char *)sqlite3_column_text(want, 1));
	}
	sqlite3_finalize(want);
	sqlite3_finalize(have);
	return rc;
}

/* Collects what the file lacks of the template's tables, columns and indexes, then does it. */
static int add_missing(struct store *st, sqlite3 *template)
{
	static const char objects[] =
	        "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid";
	static const char known[] = "SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2";
	sqlite3_stmt *want = NULL, *have = NULL;
	struct buf todo;
	int rc = store_prepare(st, known, sizeof(known) - 1, &have);

	buf_init(&todo, DDL_BYTES_MAX);
	if (rc == 0 && sqlite3_prepare_v2(template, objects, -1, &want, NULL) != SQLITE_OK)
		rc = store_error_set(st, ERR_STORAGE, "schema", sqlite3_errmsg(template));
	while (rc == 0 && sqlite3_step(want) == SQLITE_ROW) {
		const char *type = (const char *)sqlite3_column_text(want, 0);
		const char *name = (const char *)sqlite3_column_text(want, 1);

		if (!has_row(have, type, name))
			buf_print(&todo, "%s;\n", (const char *)sqlite3_column_text(want, 2));
		else if (strcmp(type, "table") == 0)
			rc = add_columns(st, template, name, &todo);
	}
	sqlite3_finalize(want);
	sqlite3_finalize(have);
	assert(!todo.full);
	if (rc == 0) rc = store_run(st, buf_span(&todo));
	buf_done(&todo);
	return rc;
}

static int bring_domain(struct store *st, struct buf *ddl)
{
	sqlite3 *template = NULL;
	int rc = 0;

	if (sqlite3_open_v2(":memory:", &template,
	                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
	                    NULL) != SQLITE_OK ||
	    sqlite3_exec(template, buf_cstr(ddl), NULL, NULL, NULL) != SQLITE_OK)
		rc = store_error_set(st, ERR_STORAGE, "schema", sqlite3_errmsg(template));
	if (rc == 0) rc = add_missing(st, template);
	sqlite3_close(template);
	return rc;
}

/* The hash of the descriptors' DDL that the file was last brought up to lies in meta: the usual open
 * compares 16 bytes. */
static bool domain_is_current(struct store *st, const uint8_t hash[16])
{
	static const char sql[] = "SELECT value FROM meta WHERE key = 'store_ddl'";
	sqlite3_stmt *s = NULL;
	uint8_t have[16] = {0};

	if (sqlite3_prepare_v2(st->db, sql, -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW)
		col_fixed(s, 0, have, sizeof(have));
	sqlite3_finalize(s);
	return memcmp(have, hash, sizeof(have)) == 0;
}

static int keep_hash(struct store *st, const uint8_t hash[16])
{
	static const char sql[] = "INSERT INTO meta(key, value) VALUES('store_ddl', ?1) "
	                          "ON CONFLICT(key) DO UPDATE SET value = excluded.value";
	sqlite3_stmt *s = NULL;
	int rc = store_prepare(st, sql, sizeof(sql) - 1, &s);

	if (rc == 0) {
		bind_span(s, 1, hash, 16);
		rc = step_done(st, s);
	}
	sqlite3_finalize(s);
	return rc;
}

static int bring_up(struct store *st, const char *const *steps, size_t steps_count, struct buf *ddl,
                    const uint8_t hash[16])
{
	struct file_kind k = {0};
	int rc = run_text(st, "BEGIN IMMEDIATE");

	if (rc != 0) return rc;
	rc = read_kind(st, &k); /* again: another process may have been quicker */
	if (rc == 0) rc = check_kind(st, &k, steps_count);
	if (rc == 0 && k.format < (int64_t)steps_count)
		rc = run_steps(st, k.format, steps, steps_count);
	if (rc == 0) rc = is_empty(&k) ? store_run(st, buf_span(ddl)) : bring_domain(st, ddl);
	if (rc == 0) rc = store_fold_bring(st);
	if (rc == 0) rc = keep_hash(st, hash);
	if (rc == 0) rc = run_text(st, "COMMIT");
	if (rc != 0 && sqlite3_get_autocommit(st->db) == 0)
		sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* ---- open and close */

static pthread_once_t configured = PTHREAD_ONCE_INIT;

/* SQLite rebuilt the index of the log from the log file: whoever had it open last ended without closing it. */
static _Thread_local bool recovered;

static void on_log(void *ctx, int code, const char *text)
{
	(void)ctx;
	(void)text;
	if (code == SQLITE_NOTICE_RECOVER_WAL) recovered = true;
}

static void configure(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_LOG, on_log, NULL);
	/* -8 % instructions for one line; misuse (somebody was first) costs only that. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

void store_configure(void)
{
	(void)pthread_once(&configured, configure);
}

/*
 * A log that was recovered may lie in the page cache alone: after an fsync that failed the kernel takes its pages for
 * written, no later fsync writes them, and what is then committed behind them is lost with them when the power goes.
 * So its bytes are written once more and synced, under the lock that keeps writers of other processes away.
 * Source: Rebello et al., "Can applications recover from fsync failures?", ATC 2020.
 */
static int settle_log(struct store *st)
{
	enum { PIECE = 1 << 16 };
	sqlite3_file *log = NULL;
	sqlite3_int64 size = 0;
	uint8_t *piece;
	int rc = run_text(st, "BEGIN IMMEDIATE"), ret;

	if (rc != 0) return rc;
	piece = mem_alloc(PIECE);
	ret = sqlite3_file_control(st->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
	if (ret == SQLITE_OK && log != NULL && log->pMethods != NULL)
		ret = log->pMethods->xFileSize(log, &size);
	for (sqlite3_int64 at = 0; ret == SQLITE_OK && at < size; at += PIECE) {
		int len = size - at < PIECE ? (int)(size - at) : PIECE;

		ret = log->pMethods->xRead(log, piece, len, at);
		if (ret == SQLITE_OK) ret = log->pMethods->xWrite(log, piece, len, at);
	}
	if (ret == SQLITE_OK && size > 0) ret = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
	free(piece);
	rc = run_text(st, "ROLLBACK");
	if (ret == SQLITE_OK) return rc;
	return error_set(&st->err, error_code_of(ret), "", "the log of the database: %s",
	                 sqlite3_errstr(ret));
}

static int set_pragmas(struct store *st)
{
	static const char always[] = "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; "
	                             "PRAGMA foreign_keys = OFF; "
	                             "PRAGMA temp_store = MEMORY;";
	static const char written[] = "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;";
	const char *mode = (st->flags & STORE_MEMORY_VFS) != 0 ? "PRAGMA journal_mode = MEMORY"
	                                                       : "PRAGMA journal_mode = WAL";
	/* The log grows to so many pages before it is brought over: 40 MB save a hub half of its writing (measurements.md 1), 10 MB are
	 * enough for a village and fit its card. */
	bool small = (st->flags & STORE_SMALL) != 0;
	int rc = run_text(st, always);

	if (rc == 0)
		rc = run_text(
		        st,
		        small ? "PRAGMA cache_size = -4000; PRAGMA wal_autocheckpoint = 2500;"
		              : "PRAGMA cache_size = -16000; PRAGMA wal_autocheckpoint = 10000;");
	if (rc == 0 && (st->flags & STORE_READ_ONLY) != 0)
		return run_text(st, "PRAGMA query_only = ON");
	if (rc == 0) rc = run_text(st, mode);
	return rc == 0 ? run_text(st, written) : rc;
}

/* SQLite would make the file readable by all; its -wal and -shm take over the mode of the file. */
static void create_private(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0) (void)close(fd);
}

static int open_file(struct store *st)
{
	bool memory = (st->flags & STORE_MEMORY_VFS) != 0;
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	char uri[PATH_BYTES_MAX];
	const char *name = st->path, *vfs = NULL;
	char *colon;
	int rc;

	if ((st->flags & STORE_VFS) != 0) {
		(void)snprintf(uri, sizeof(uri), "%s", st->path);
		colon = strchr(uri, ':');
		assert(colon != NULL);
		*colon = '\0';
		vfs = uri;
		name = colon + 1;
	} else if (memory) {
		(void)snprintf(uri, sizeof(uri), "file:/%s?vfs=memdb",
		               st->path[0] == '/' ? st->path + 1 : st->path);
		name = uri;
		flags |= SQLITE_OPEN_URI;
	} else if ((st->flags & STORE_CREATE) != 0) {
		create_private(st->path);
	}
	if ((st->flags & STORE_READ_ONLY) != 0 && !memory)
		flags |= SQLITE_OPEN_READONLY;
	else
		flags |= SQLITE_OPEN_READWRITE |
		         ((st->flags & STORE_CREATE) != 0 || memory ? SQLITE_OPEN_CREATE : 0);
	rc = sqlite3_open_v2(name, &st->db, flags, vfs);
	if ((rc & 0xff) == SQLITE_CANTOPEN && vfs == NULL && access(st->path, F_OK) != 0)
		return error_set(&st->err, ERR_STORAGE, "", "there is no database at %s", st->path);
	if (rc != SQLITE_OK) return store_fail(st, rc, "cannot open the database");
	rc = sqlite3_busy_timeout(st->db, BUSY_MS);
	return rc == SQLITE_OK ? 0 : store_fail(st, rc, "database");
}

static int open_steps(struct store *st, const char *const *steps, size_t steps_count)
{
	struct file_kind k = {0};
	struct buf ddl;
	uint8_t hash[16];
	int rc;

	buf_init(&ddl, DDL_BYTES_MAX);
	schema_ddl(st->schema, &ddl);
	assert(!ddl.full);
	hash_of(buf_span(&ddl), hash, sizeof(hash));
	recovered = false;
	rc = open_file(st);
	if (rc == 0)
		rc = read_kind(
		        st, &k); /* before anything is written into a file that may not be ours */
	if (rc == 0) rc = check_kind(st, &k, steps_count);
	if (rc == 0) rc = set_pragmas(st);
	if (rc == 0 && recovered && (st->flags & STORE_READ_ONLY) == 0) rc = settle_log(st);
	if (rc == 0 && (k.format < (int64_t)steps_count || !domain_is_current(st, hash))) {
		if ((st->flags & STORE_READ_ONLY) == 0)
			rc = bring_up(st, steps, steps_count, &ddl, hash);
	}
	if (rc == 0) rc = prepare_queries(st);
	if (rc == 0) rc = store_rows_functions(st);
	if (rc == 0) rc = store_rows_open(st);
	if (rc == 0) rc = rest_look(st);
	buf_done(&ddl);
	return rc;
}

int store_open_steps(const char *path, const struct schema *schema, unsigned flags,
                     const char *const *steps, size_t steps_count, struct store **ret,
                     struct error *err)
{
	struct store *st;
	int rc;

	assert(path != NULL && schema != NULL);
	store_configure();
	st = mem_alloc(sizeof(*st));
	st->schema = schema;
	st->flags = flags;
	st->path = mem_copy_text(path);
	st->version_seen = -1;
	rc = open_steps(st, steps, steps_count);
	if (rc != 0) {
		if (err != NULL) *err = st->err;
		store_close(st);
		return rc;
	}
	*ret = st;
	return 0;
}

int store_open(const char *path, const struct schema *schema, unsigned flags, struct store **ret,
               struct error *err)
{
	return store_open_steps(path, schema, flags, format_steps, ARRAY_COUNT(format_steps), ret,
	                        err);
}

static void drop_caches(struct store *st);

void store_close(struct store *st)
{
	if (st == NULL) return;
	for (size_t i = 0; i < Q_COUNT; i++) sqlite3_finalize(st->queries[i]);
	for (size_t i = 0; i < FEEDS_MAX; i++) sqlite3_finalize(st->feeds[i]);
	for (size_t i = 0; i < FIXED_COUNT; i++) sqlite3_finalize(st->fixed[i]);
	sqlite3_finalize(st->data_version);
	store_rows_close(st);
	rest_done(st);
	for (size_t i = 0; i < FOLD_COUNT; i++) sqlite3_finalize(st->folds[i]);
	if (st->db != NULL) {
		int rc = sqlite3_close(st->db); /* rolls back */

		assert(rc == SQLITE_OK);
	}
	drop_caches(st);
	free(st->scopes);
	free(st->runs);
	free(st->scope_ords.slots);
	free(st->run_ords.slots);
	free(st->path);
	free(st);
}

const struct error *store_error(const struct store *st)
{
	return &st->err;
}

const struct schema *store_schema(const struct store *st)
{
	return st->schema;
}

void store_set_fault(struct store *st, int (*fault)(void *ctx, const char *what), void *ctx)
{
	st->fault = fault;
	st->fault_ctx = ctx;
}

/* ---- transactions */

static void drop_caches(struct store *st)
{
	if (st->scope_ords.room > 0)
		memset(st->scope_ords.slots, 0,
		       st->scope_ords.room * sizeof(*st->scope_ords.slots));
	if (st->run_ords.room > 0)
		memset(st->run_ords.slots, 0, st->run_ords.room * sizeof(*st->run_ords.slots));
	if (st->scopes_room > 0) memset(st->scopes, 0, st->scopes_room * sizeof(*st->scopes));
	if (st->runs_room > 0) memset(st->runs, 0, st->runs_room * sizeof(*st->runs));
	st->scope_ords.count = st->run_ords.count = 0;
	st->head_known = false;
	memset(st->known, 0, sizeof(st->known));
}

/* Asked for at every transaction, so not made anew at each. */
static int run_fixed(struct store *st, enum fixed which)
{
	static const char *const texts[] = {[FIXED_BEGIN] = "BEGIN IMMEDIATE",
	                                    [FIXED_BEGIN_READ] = "BEGIN",
	                                    [FIXED_COMMIT] = "COMMIT"};
	int rc = 0;

	if (st->fixed[which] == NULL)
		rc = store_prepare(st, texts[which], strlen(texts[which]), &st->fixed[which]);
	return rc != 0 ? rc : step_done(st, st->fixed[which]);
}

/* ---- emptying the log */

static const char scrub_key[] = "scrub";

int store_scrub(struct store *st)
{
	st->scrub = SCRUB_DUE;
	return store_meta_put(st, scrub_key, span_of("1", 1));
}

/* Is it due, since another process, or this one before it ended, could not? */
static int scrub_look(struct store *st)
{
	sqlite3_stmt *s = query(st, Q_META_GET);
	int rc;

	bind_text(s, 1, scrub_key);
	rc = step(st, s);
	if (rc < 0) return rc;
	if (rc == 1) sqlite3_reset(s);
	st->scrub = rc == 1 ? SCRUB_DUE : SCRUB_NONE;
	return 0;
}

static int scrub_unmark(struct store *st)
{
	sqlite3_stmt *s = query(st, Q_META_REMOVE);

	bind_text(s, 1, scrub_key);
	return step_done(st, s);
}

/* Nobody is waited for: a later commit tries again. */
static void scrub_now(struct store *st)
{
	int rc;

	(void)sqlite3_busy_timeout(st->db, 0);
	rc = sqlite3_wal_checkpoint_v2(st->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	(void)sqlite3_busy_timeout(st->db, BUSY_MS);
	if (rc == SQLITE_OK) st->scrub = SCRUB_DONE;
}

static int begin(struct store *st, enum fixed which)
{
	int64_t version = 0;
	int rc;

	assert(!st->in_transaction);
	st->failed = false;
	st->refused = REFUSED_UNKNOWN;
	rc = run_fixed(st, which);
	if (rc != 0) return rc;
	rc = step_int(st, st->data_version, &version); /* also fixes the snapshot of a reader */
	if (rc != 0) {
		sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
		return rc;
	}
	if (version != st->version_seen) {
		drop_caches(st);
		rc = rest_look(st);
		rc = rc != 0 ? rc : scrub_look(st);
		if (rc != 0) {
			sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
			return rc;
		}
	}
	st->version_seen = version;
	st->in_transaction = true;
	return 0;
}

int store_begin(struct store *st)
{
	STORE_ENTER(st);
	return begin(st, FIXED_BEGIN);
}

int store_begin_read(struct store *st)
{
	STORE_ENTER(st);
	return begin(st, FIXED_BEGIN_READ);
}

int store_commit(struct store *st)
{
	bool unmark = st->scrub == SCRUB_DONE;
	int rc;

	STORE_ENTER_WRITE(st);
	assert(st->later.rows_count == 0); /* they are borrowed: whoever lent them settles */
	rc = later_sums(st);
	if (rc == 0 && unmark) rc = scrub_unmark(st);
	if (rc != 0) return rc;
	rc = run_fixed(st, FIXED_COMMIT);
	if (rc == 0) st->in_transaction = false;
	if (rc == 0 && unmark) st->scrub = SCRUB_NONE;
	if (rc == 0 && st->scrub == SCRUB_DUE) scrub_now(st);
	if (rc != 0 && rc != -ERR_DISK_FULL && rc != -ERR_BUSY) st->lost = true;
	return rc;
}

bool store_lost(const struct store *st)
{
	return st->lost;
}

void store_rollback(struct store *st)
{
	if (sqlite3_get_autocommit(st->db) == 0) {
		int rc = sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);

		/* A failed write of the rollback is undone by the next reader of the file. */
		assert(rc == SQLITE_OK || sqlite3_get_autocommit(st->db) != 0);
	}
	st->in_transaction = st->failed = false;
	later_forget(st);
	drop_caches(st);
}

bool store_in_transaction(const struct store *st)
{
	return st->in_transaction;
}

int64_t store_data_version(struct store *st)
{
	int64_t version = 0;

	return step_int(st, st->data_version, &version) == 0 ? version : -1;
}

/* ---- the whole file */

int store_checkpoint(struct store *st)
{
	int rc;

	STORE_ENTER(st);
	assert(!st->in_transaction);
	rc = sqlite3_wal_checkpoint_v2(st->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return rc == SQLITE_OK ? 0 : store_fail(st, rc, "checkpoint");
}

void store_checkpoint_every(struct store *st, int pages)
{
	int rc = sqlite3_wal_autocheckpoint(st->db, pages);

	assert(rc == SQLITE_OK);
}

int store_check(struct store *st, struct buf *ret_report)
{
	static const char sql[] = "PRAGMA integrity_check(20)";
	sqlite3_stmt *s = NULL;
	int rc;

	STORE_ENTER(st);
	rc = store_prepare(st, sql, sizeof(sql) - 1, &s);
	while (rc == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		const char *line = (const char *)sqlite3_column_text(s, 0);

		if (line != NULL && strcmp(line, "ok") != 0) buf_print(ret_report, "%s\n", line);
		rc = 0;
	}
	if (rc == SQLITE_DONE) rc = 0;
	if (rc > 0 && error_code_of(rc) == ERR_DATABASE_DAMAGED) {
		buf_print(ret_report, "%s\n",
		          sqlite3_errmsg(st->db)); /* so damaged that the check ends early */
		rc = 0;
	} else if (rc > 0) {
		rc = store_fail(st, rc, "integrity check");
	}
	sqlite3_finalize(s);
	return rc;
}

static int sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC), rc;

	if (fd < 0) return -1;
	rc = fsync(fd);
	(void)close(fd);
	return rc;
}

static int sync_directory_of(const char *path)
{
	char *dir = mem_copy_text(path), *slash = strrchr(dir, '/');
	int rc;

	if (slash == NULL)
		rc = sync_path(".", O_RDONLY | O_DIRECTORY);
	else {
		slash[slash == dir ? 1 : 0] = 0;
		rc = sync_path(dir, O_RDONLY | O_DIRECTORY);
	}
	free(dir);
	return rc;
}

static int copy_pages(struct store *st, const char *path, struct error *err)
{
	sqlite3 *to = NULL;
	sqlite3_backup *copy;
	int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, "unix"),
	    ret = 0;

	if (rc == SQLITE_OK) {
		copy = sqlite3_backup_init(to, "main", st->db, "main");
		if (copy != NULL) {
			(void)sqlite3_backup_step(copy, -1);
			rc = sqlite3_backup_finish(copy);
		} else {
			rc = sqlite3_errcode(to);
		}
	}
	if (rc != SQLITE_OK)
		ret = error_set(err, error_code_of(rc), "", "backup: %s", sqlite3_errstr(rc));
	sqlite3_close(to);
	return ret;
}

int store_backup(struct store *st, const char *path, struct error *err)
{
	int fd, rc;

	STORE_ENTER(st);
	assert(!st->in_transaction);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(err,
		                 errno == EEXIST   ? ERR_EXISTS
		                 : errno == ENOSPC ? ERR_DISK_FULL
		                                   : ERR_STORAGE,
		                 "", "%s: %s", path,
		                 errno == EEXIST
		                         ? "the file exists already; a backup replaces nothing"
		                         : strerror(errno));
	(void)close(fd);
	rc = copy_pages(st, path, err);
	if (rc == 0 && (sync_path(path, O_RDWR) != 0 || sync_directory_of(path) != 0))
		rc = error_set(err, ERR_STORAGE, "", "%s: %s", path, strerror(errno));
	if (rc != 0) (void)unlink(path);
	return rc;
}

int64_t store_disk_free(const struct store *st)
{
	struct statvfs v;

	if ((st->flags & (STORE_MEMORY_VFS | STORE_VFS)) != 0 || statvfs(st->path, &v) != 0)
		return INT64_MAX;
	return (int64_t)(v.f_bavail * v.f_frsize);
}

/* ---- query plans */

int store_plan_of(struct store *st, const char *name, const char *sql, struct buf *out)
{
	char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
	sqlite3_stmt *s = NULL;
	int rc, row = 0;

	if (explain == NULL) abort();
	rc = store_prepare(st, explain, strlen(explain), &s);
	sqlite3_free(explain);
	while (rc == 0 && (row = step(st, s)) == 1)
		buf_print(out, "%s\t%s\n", name, (const char *)sqlite3_column_text(s, 3));
	sqlite3_finalize(s);
	return rc != 0 ? rc : row;
}

int store_plans(struct store *st, struct buf *out)
{
	int rc = 0;

	STORE_ENTER(st);
	for (size_t q = 0; q < Q_COUNT && rc == 0; q++) {
		char name[64];

		for (size_t i = 0; i < sizeof(name); i++) {
			char c = query_names[q][i];

			/* NOLINTNEXTLINE(bugprone-narrowing-conversions): ASCII */
			name[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
			if (c == 0) break;
		}
		rc = store_plan_of(st, name, sqlite3_sql(query(st, (enum store_query)q)), out);
	}
	return rc == 0 ? store_rows_plans(st, out) : rc;
}

/* ---- meta */

int store_meta_get(struct store *st, const char *key, struct arena *a, struct span *ret)
{
	sqlite3_stmt *s = query(st, Q_META_GET);
	int rc;

	STORE_ENTER(st);
	bind_text(s, 1, key);
	rc = step(st, s);
	if (rc < 0) return rc;
	*ret = rc == 1 ? col_span(s, 0, a) : (struct span){NULL, 0};
	sqlite3_reset(s);
	return a->full ? store_fail_arena(st) : 0;
}

int store_meta_put(struct store *st, const char *key, struct span value)
{
	sqlite3_stmt *s = query(st, Q_META_PUT);

	STORE_ENTER_WRITE(st);
	st->head_known = false; /* the journal's id is where its rolling hash starts */
	bind_text(s, 1, key);
	bind_span(s, 2, value.p, value.len);
	return step_done(st, s);
}

/* ---- secrets */

int store_secret_get(struct store *st, const char *name, struct arena *a, struct span *ret)
{
	sqlite3_stmt *s = query(st, Q_SECRET_GET);
	int rc;

	STORE_ENTER(st);
	bind_text(s, 1, name);
	rc = step(st, s);
	if (rc < 0) return rc;
	*ret = rc == 1 ? col_span(s, 0, a) : (struct span){NULL, 0};
	sqlite3_reset(s);
	return a->full ? store_fail_arena(st) : 0;
}

int store_secret_put(struct store *st, const char *name, struct span value)
{
	sqlite3_stmt *s = query(st, Q_SECRET_PUT);

	STORE_ENTER_WRITE(st);
	bind_text(s, 1, name);
	bind_span(s, 2, value.p, value.len);
	return step_done(st, s);
}

int store_secret_drop(struct store *st, const char *name)
{
	sqlite3_stmt *s = query(st, Q_SECRET_DROP);

	STORE_ENTER_WRITE(st);
	bind_text(s, 1, name);
	return step_done(st, s);
}

static void read_secret(sqlite3_stmt *s, void *item, struct arena *a)
{
	struct secret *x = item;

	x->name = arena_text(a, col_span(s, 0, a));
	x->value = col_span(s, 1, a);
}

int store_secrets(struct store *st, const char *prefix, struct arena *a, struct secret **ret,
                  size_t *ret_count)
{
	sqlite3_stmt *s = query(st, Q_SECRET_LIST);
	char end[64];

	STORE_ENTER(st);
	(void)snprintf(end, sizeof(end), "%s\x7f", prefix);
	bind_text(s, 1, prefix);
	bind_text(s, 2, end);
	return read_all(st, s, sizeof(**ret), read_secret, a, ret, ret_count);
}

/* ---- trail */

int store_trail_last(struct store *st, uint64_t *ret_seq, uint8_t ret_hash[32])
{
	sqlite3_stmt *s = query(st, Q_TRAIL_LAST);
	int rc;

	STORE_ENTER(st);
	*ret_seq = 0;
	memset(ret_hash, 0, 32);
	rc = step(st, s);
	if (rc <= 0) return rc;
	*ret_seq = (uint64_t)col_int(s, 0);
	col_fixed(s, 1, ret_hash, 32);
	sqlite3_reset(s);
	return 0;
}

int store_trail_append(struct store *st, uint64_t seq, struct span record, const uint8_t hash[32])
{
	sqlite3_stmt *s = query(st, Q_TRAIL_ADD);

	STORE_ENTER_WRITE(st);
	bind_int(s, 1, (int64_t)seq);
	bind_span(s, 2, record.p, record.len);
	bind_span(s, 3, hash, 32);
	return step_done(st, s);
}

static void read_trail(sqlite3_stmt *s, void *item, struct arena *a)
{
	struct trail_item *t = item;

	t->seq = (uint64_t)col_int(s, 0);
	t->record = col_span(s, 1, a);
	col_fixed(s, 2, t->hash, sizeof(t->hash));
}

int store_trail_scan(struct store *st, uint64_t after, size_t limit, struct arena *a,
                     struct trail_item **ret, size_t *ret_count)
{
	sqlite3_stmt *s = query(st, Q_TRAIL_SCAN);

	STORE_ENTER(st);
	bind_int(s, 1, (int64_t)after);
	bind_size(s, 2, limit);
	return read_all(st, s, sizeof(**ret), read_trail, a, ret, ret_count);
}

/* ---- ordinals */

static size_t map_start(const struct ord_map *m, const uint8_t key[16])
{
	uint64_t a, b;

	memcpy(&a, key, 8);
	memcpy(&b, key + 8, 8);
	a = (a ^ (b << 32 | b >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(a >> 20) & (m->room - 1);
}

static struct ord_slot *map_slot(const struct ord_map *m, const uint8_t key[16])
{
	size_t i = map_start(m, key);

	while (m->slots[i].ord != 0 && memcmp(m->slots[i].key, key, 16) != 0)
		i = (i + 1) & (m->room - 1);
	return &m->slots[i];
}

static uint32_t map_get(const struct ord_map *m, const uint8_t key[16])
{
	return m->room > 0 ? map_slot(m, key)->ord : 0;
}

static void map_put(struct ord_map *m, const uint8_t key[16], uint32_t ord)
{
	struct ord_slot *slot;

	if (m->count * 2 >= m->room) {
		struct ord_map grown = {.room = m->room > 0 ? m->room * 2 : 256};

		grown.slots = mem_alloc(grown.room * sizeof(*grown.slots));
		for (size_t i = 0; i < m->room; i++)
			if (m->slots[i].ord != 0) *map_slot(&grown, m->slots[i].key) = m->slots[i];
		grown.count = m->count;
		free(m->slots);
		*m = grown;
	}
	slot = map_slot(m, key);
	if (slot->ord == 0) m->count++;
	memcpy(slot->key, key, 16);
	slot->ord = ord;
}

static void *room_for(void *items, size_t *room, uint32_t ord, size_t size)
{
	size_t want = *room > 0 ? *room : 256;

	if (ord <= *room) return items;
	while (want < ord) want *= 2;
	items = mem_grow(items, want * size);
	memset((uint8_t *)items + *room * size, 0, (want - *room) * size);
	*room = want;
	return items;
}

/* Cached facts hold within the transaction that read them. */
static bool may_cache(const struct store *st)
{
	return st->in_transaction;
}

static void cache_scope(struct store *st, const struct scope *sc)
{
	if (!may_cache(st)) return;
	st->scopes = room_for(st->scopes, &st->scopes_room, sc->ord, sizeof(*st->scopes));
	st->scopes[sc->ord - 1] = *sc;
	map_put(&st->scope_ords, sc->id, sc->ord);
}

static void read_scope(sqlite3_stmt *s, void *item, struct arena *a)
{
	struct scope *sc = item;

	(void)a;
	sc->ord = col_u32(s, 0);
	sc->parent = col_u32(s, 1);
	sc->feed = col_u32(s, 2);
	col_fixed(s, 3, sc->id, sizeof(sc->id));
}

/* 0 with ret->ord 0 where there is none. */
static int step_scope(struct store *st, sqlite3_stmt *s, struct scope *ret)
{
	int rc = step(st, s);

	if (rc < 0) return rc;
	*ret = (struct scope){0};
	if (rc == 0) return 0;
	read_scope(s, ret, NULL);
	sqlite3_reset(s);
	cache_scope(st, ret);
	return 0;
}

int store_scope_load(struct store *st, uint32_t ord, struct scope *ret)
{
	sqlite3_stmt *s = query(st, Q_SCOPE_BY_ORD);
	int rc;

	if (may_cache(st) && ord > 0 && ord <= st->scopes_room && st->scopes[ord - 1].ord == ord) {
		*ret = st->scopes[ord - 1];
		return 0;
	}
	bind_int(s, 1, ord);
	rc = step_scope(st, s, ret);
	if (rc == 0 && ret->ord == 0)
		return error_set(&st->err, ERR_STORAGE, "", "no scope %" PRIu32, ord);
	return rc;
}

static int add_scope(struct store *st, const uint8_t id[16], uint32_t *ret_ord)
{
	sqlite3_stmt *s = query(st, Q_SCOPE_ADD);
	struct scope sc = {0};
	int rc;

	assert(st->in_transaction);
	bind_span(s, 1, id, 16);
	rc = step_done(st, s);
	if (rc != 0) return rc;
	sc.ord = sc.feed = (uint32_t)sqlite3_last_insert_rowid(st->db);
	memcpy(sc.id, id, 16);
	s = query(st, Q_SCOPE_SET_FEED);
	bind_int(s, 1, sc.ord);
	bind_int(s, 2, sc.feed);
	rc = step_done(st, s);
	if (rc != 0) return rc;
	cache_scope(st, &sc);
	*ret_ord = sc.ord;
	return 0;
}

int store_scope_ord(struct store *st, const uint8_t id[16], bool create, uint32_t *ret_ord)
{
	sqlite3_stmt *s = query(st, Q_SCOPE_BY_ID);
	struct scope sc;
	uint32_t ord;
	int rc;

	STORE_ENTER(st);
	ord = may_cache(st) ? map_get(&st->scope_ords, id) : 0;
	if (ord != 0) {
		*ret_ord = ord;
		return 0;
	}
	bind_span(s, 1, id, 16);
	rc = step_scope(st, s, &sc);
	if (rc != 0) return rc;
	if (sc.ord == 0 && create) return add_scope(st, id, ret_ord);
	*ret_ord = sc.ord;
	return 0;
}

int store_scope_get(struct store *st, uint32_t ord, struct scope *ret)
{
	STORE_ENTER(st);
	return store_scope_load(st, ord, ret);
}

static int set_scope_int(struct store *st, enum store_query q, uint32_t ord, uint32_t v)
{
	sqlite3_stmt *s = query(st, q);

	bind_int(s, 1, ord);
	bind_int(s, 2, v);
	return step_done(st, s);
}

int store_scope_set_parent(struct store *st, uint32_t ord, uint32_t parent)
{
	struct scope sc;
	int rc;

	STORE_ENTER_WRITE(st);
	rc = store_scope_load(st, ord, &sc);
	if (rc == 0) rc = set_scope_int(st, Q_SCOPE_SET_PARENT, ord, parent);
	if (rc != 0) return rc;
	sc.parent = parent;
	cache_scope(st, &sc);
	return 0;
}

int store_scope_set_feed(struct store *st, uint32_t ord, uint32_t feed)
{
	struct scope sc;
	int rc;

	STORE_ENTER_WRITE(st);
	rc = store_scope_load(st, ord, &sc);
	if (rc != 0 || sc.feed == feed) return rc;
	rc = set_scope_int(st, Q_SCOPE_SET_FEED, ord, feed);
	if (rc == 0) rc = set_scope_int(st, Q_SCOPE_MOVE_JOURNAL, ord, feed);
	if (rc == 0)
		rc = later_sums(st); /* a state hash that is not there yet would get the old feed */
	if (rc == 0) rc = set_scope_int(st, Q_SCOPE_MOVE_STATE, ord, feed);
	if (rc != 0) return rc;
	sc.feed = feed;
	cache_scope(st, &sc);
	return 0;
}

int store_scope_set_id(struct store *st, uint32_t ord, const uint8_t id[16])
{
	sqlite3_stmt *s = query(st, Q_SCOPE_SET_ID);

	STORE_ENTER_WRITE(st);
	bind_int(s, 1, ord);
	bind_span(s, 2, id, 16);
	drop_caches(st); /* the old id's key must go, and this happens once in a device's life */
	return step_done(st, s);
}

int store_scopes(struct store *st, struct arena *a, struct scope **ret, size_t *ret_count)
{
	STORE_ENTER(st);
	return read_all(st, query(st, Q_SCOPE_LIST), sizeof(**ret), read_scope, a, ret, ret_count);
}

static void run_key(uint64_t run, uint8_t ret[16])
{
	memset(ret, 0, 16);
	memcpy(ret, &run, sizeof(run));
}

static void cache_run(struct store *st, const struct run_info *r)
{
	uint8_t key[16];

	if (!may_cache(st)) return;
	st->runs = room_for(st->runs, &st->runs_room, r->ord, sizeof(*st->runs));
	st->runs[r->ord - 1] = *r;
	run_key(r->run, key);
	map_put(&st->run_ords, key, r->ord);
}

static int step_run(struct store *st, sqlite3_stmt *s, struct run_info *ret)
{
	int rc = step(st, s);

	if (rc < 0) return rc;
	*ret = (struct run_info){0};
	if (rc == 0) return 0;
	ret->ord = col_u32(s, 0);
	ret->run = (uint64_t)col_int(s, 1);
	col_fixed(s, 2, ret->origin, sizeof(ret->origin));
	col_fixed(s, 3, ret->nonce, sizeof(ret->nonce));
	sqlite3_reset(s);
	cache_run(st, ret);
	return 0;
}

static int find_run(struct store *st, uint64_t run, uint32_t *ret_ord)
{
	sqlite3_stmt *s = query(st, Q_RUN_BY_RUN);
	struct run_info r;
	uint8_t key[16];
	uint32_t ord;
	int rc;

	run_key(run, key);
	ord = may_cache(st) ? map_get(&st->run_ords, key) : 0;
	if (ord == 0) {
		bind_int(s, 1, (int64_t)run);
		rc = step_run(st, s, &r);
		if (rc != 0) return rc;
		ord = r.ord;
	}
	*ret_ord = ord;
	return 0;
}

int store_run_ord(struct store *st, uint64_t run, uint32_t *ret_ord)
{
	STORE_ENTER(st);
	return find_run(st, run, ret_ord);
}

/* A run that was only mentioned so far gets its origin and nonce when its first segment comes. */
static int name_run(struct store *st, struct run_info *r, const uint8_t origin[16],
                    const uint8_t nonce[8])
{
	static const uint8_t none[16];
	sqlite3_stmt *s = query(st, Q_RUN_NAME);
	struct run_info was;
	int rc = store_run_get(st, r->ord, &was);

	if (rc != 0 || memcmp(was.nonce, none, 8) != 0 ||
	    (memcmp(nonce, none, 8) == 0 && memcmp(was.origin, origin, 16) == 0))
		return rc;
	memcpy(r->origin, origin, sizeof(r->origin));
	memcpy(r->nonce, nonce, sizeof(r->nonce));
	bind_int(s, 1, r->ord);
	bind_span(s, 2, origin, 16);
	bind_span(s, 3, nonce, 8);
	rc = step_done(st, s);
	if (rc == 0) cache_run(st, r);
	return rc;
}

int store_run_add(struct store *st, uint64_t run, const uint8_t origin[16], const uint8_t nonce[8],
                  uint32_t *ret_ord)
{
	sqlite3_stmt *s = query(st, Q_RUN_ADD);
	struct run_info r = {.run = run};
	int rc;

	STORE_ENTER_WRITE(st);
	rc = find_run(st, run, &r.ord);
	if (rc != 0) return rc;
	if (r.ord == 0) {
		bind_int(s, 1, (int64_t)run);
		bind_span(s, 2, origin, 16);
		bind_span(s, 3, nonce, 8);
		rc = step_done(st, s);
		if (rc != 0) return rc;
		r.ord = (uint32_t)sqlite3_last_insert_rowid(st->db);
		memcpy(r.origin, origin, sizeof(r.origin));
		memcpy(r.nonce, nonce, sizeof(r.nonce));
		cache_run(st, &r);
		*ret_ord = r.ord;
		return 0;
	}
	*ret_ord = r.ord;
	return name_run(st, &r, origin, nonce);
}

int store_run_get(struct store *st, uint32_t ord, struct run_info *ret)
{
	sqlite3_stmt *s = query(st, Q_RUN_BY_ORD);
	int rc;

	STORE_ENTER(st);
	if (may_cache(st) && ord > 0 && ord <= st->runs_room && st->runs[ord - 1].ord == ord) {
		*ret = st->runs[ord - 1];
		return 0;
	}
	bind_int(s, 1, ord);
	rc = step_run(st, s, ret);
	if (rc == 0 && ret->ord == 0)
		return error_set(&st->err, ERR_DATABASE_DAMAGED, "", "no run %" PRIu32, ord);
	return rc;
}

int store_run_count(struct store *st, const uint8_t origin[16], int64_t *ret_count)
{
	sqlite3_stmt *s = query(st, Q_RUN_COUNT);

	STORE_ENTER(st);
	bind_span(s, 1, origin, 16);
	return step_int(st, s, ret_count);
}
