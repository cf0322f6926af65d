/*
 * peers.c - a tool of `make bench-peers`: the rows that a hub takes in, through what one might pick instead.  Usage: peers CLOUDSYNC.SO
 * POWERSYNC.SO.  tests/bench/peers.sh links it with a SQLite that all of them take, of the same flags for all.
 *
 * Each takes what it was sent as a message and makes it durable, 1,000 rows a commit, synchronous=FULL; what it costs the sender is not in it.
 * Ratios are the peer's rate over the plain inserts' of the same rows, in interleaved rounds of one run; ours is peers_jinguo_ratio.
 */
#define SQLITE_ENABLE_SESSION
#define SQLITE_ENABLE_PREUPDATE_HOOK
#include "common/base.h"

#include "tests/bench/bench.h"

#include "common/ident.h"

enum { ROWS = 1000, COLUMNS = 13 };

static void must_sql(sqlite3 *db, int rc, const char *what)
{
	if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW) return;
	fprintf(stderr, "bench: %s: %s\n", what, sqlite3_errmsg(db));
	exit(1);
}

static void run(sqlite3 *db, const char *sql)
{
	must_sql(db, sqlite3_exec(db, sql, NULL, NULL, NULL), sql);
}

/* The plain table with its indexes: the id is text where `text` says so, since sqlite-sync takes no other. */
static sqlite3 *opened(const char *name, bool text)
{
	static const char *const indexes[] = {"c1", "c2", "c3", "c4"};
	sqlite3 *db = NULL;
	char path[300], sql[600];

	(void)snprintf(path, sizeof(path), "%s/%s.db", bench_directory(), name);
	must_sql(db, sqlite3_open(path, &db), path);
	run(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16384");
	(void)snprintf(sql, sizeof(sql),
	               "CREATE TABLE row(id %s PRIMARY KEY NOT NULL, org INTEGER NOT NULL DEFAULT "
	               "0, c1, c2, "
	               "c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13)%s",
	               text ? "TEXT" : "BLOB", text ? "" : " WITHOUT ROWID");
	run(db, sql);
	for (size_t i = 0; i < ARRAY_COUNT(indexes); i++) {
		(void)snprintf(sql, sizeof(sql), "CREATE INDEX i%zu ON row(org, %s)", i,
		               indexes[i]);
		run(db, sql);
	}
	return db;
}

static void bind_value(sqlite3_stmt *s, int i, struct value v)
{
	if (v.type == VALUE_INT)
		sqlite3_bind_int64(s, i, v.i);
	else if (v.type == VALUE_TEXT)
		sqlite3_bind_text(s, i, (const char *)v.s.p, (int)v.s.len, SQLITE_STATIC);
	else
		sqlite3_bind_blob(s, i, v.s.p, (int)v.s.len, SQLITE_STATIC);
}

static void insert(sqlite3 *db, const struct batch *b, bool text)
{
	sqlite3_stmt *s = NULL;

	must_sql(db,
	         sqlite3_prepare_v2(db, "INSERT INTO row VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", -1,
	                            &s, NULL),
	         "insert");
	run(db, "BEGIN");
	for (size_t k = 0; k < b->count; k++) {
		const struct op *op = &b->cs[k].ops[0];
		char hex[33];

		sqlite3_clear_bindings(s);
		hex_text(op->row, 16, hex);
		if (text)
			sqlite3_bind_text(s, 1, hex, 32, SQLITE_STATIC);
		else
			sqlite3_bind_blob(s, 1, op->row, 16, SQLITE_STATIC);
		sqlite3_bind_int(s, 2, (int)b->scope);
		for (size_t v = 0; v < op->values_count; v++)
			bind_value(s, 2 + op->values[v].slot, op->values[v].value);
		must_sql(db, sqlite3_step(s), "insert");
		sqlite3_reset(s);
	}
	run(db, "COMMIT");
	sqlite3_finalize(s);
}

static int64_t rows_of(sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	int64_t n;

	must_sql(db, sqlite3_prepare_v2(db, "SELECT count(*) FROM row", -1, &s, NULL), "count");
	must_sql(db, sqlite3_step(s), "count");
	n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

/* ---- SQLite's session extension */

static int conflict(void *ctx, int what, sqlite3_changeset_iter *it)
{
	(void)ctx;
	(void)what;
	(void)it;
	return SQLITE_CHANGESET_ABORT;
}

static double by_session(sqlite3 *from, sqlite3 *to, const struct batch *b, double *ret_bytes)
{
	sqlite3_session *session = NULL;
	void *bytes = NULL;
	int64_t began;
	int len = 0;

	must_sql(from, sqlite3session_create(from, "main", &session), "session");
	must_sql(from, sqlite3session_attach(session, "row"), "session");
	insert(from, b, false);
	must_sql(from, sqlite3session_changeset(session, &len, &bytes), "changeset");
	sqlite3session_delete(session);
	*ret_bytes += len;
	began = bench_wall_ns();
	must_sql(to, sqlite3changeset_apply(to, len, bytes, NULL, conflict, NULL), "apply");
	began = bench_wall_ns() - began;
	sqlite3_free(bytes);
	return (double)began;
}

/* ---- sqlite-sync */

static sqlite3 *opened_sync(const char *name, const char *library)
{
	sqlite3 *db = opened(name, true);
	char *why = NULL;

	sqlite3_enable_load_extension(db, 1);
	if (sqlite3_load_extension(db, library, NULL, &why)) {
		fprintf(stderr, "bench: %s: %s\n", library, why ? why : "");
		exit(1);
	}
	run(db, "SELECT cloudsync_init('row')");
	return db;
}

static double by_sync(sqlite3 *from, sqlite3 *to, const struct batch *b, double *ret_bytes)
{
	static int64_t version;
	sqlite3_stmt *s = NULL, *apply = NULL;
	int64_t began;

	insert(from, b, true);
	must_sql(from,
	         sqlite3_prepare_v2(
	                 from,
	                 "SELECT cloudsync_payload_encode(tbl, pk, col_name, col_value, "
	                 "col_version, "
	                 "db_version, site_id, cl, seq), max(db_version) FROM cloudsync_changes "
	                 "WHERE db_version > ?",
	                 -1, &s, NULL),
	         "encode");
	sqlite3_bind_int64(s, 1, version);
	must_sql(from, sqlite3_step(s), "encode");
	version = sqlite3_column_int64(s, 1);
	*ret_bytes += sqlite3_column_bytes(s, 0);
	must_sql(to, sqlite3_prepare_v2(to, "SELECT cloudsync_payload_apply(?)", -1, &apply, NULL),
	         "apply");
	sqlite3_bind_blob(apply, 1, sqlite3_column_blob(s, 0), sqlite3_column_bytes(s, 0),
	                  SQLITE_STATIC);
	began = bench_wall_ns();
	run(to, "BEGIN");
	must_sql(to, sqlite3_step(apply), "apply");
	sqlite3_reset(apply);
	run(to, "COMMIT");
	began = bench_wall_ns() - began;
	sqlite3_finalize(apply);
	sqlite3_finalize(s);
	return (double)began;
}

/* ---- PowerSync core: lines of its service's stream, as JSON */

static sqlite3 *opened_powersync(const char *name, const char *library)
{
	sqlite3 *db = NULL;
	char path[300], *why = NULL;
	struct buf sql;

	(void)snprintf(path, sizeof(path), "%s/%s.db", bench_directory(), name);
	must_sql(db, sqlite3_open(path, &db), path);
	run(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16384");
	sqlite3_enable_load_extension(db, 1);
	if (sqlite3_load_extension(db, library, "sqlite3_powersync_init", &why)) {
		fprintf(stderr, "bench: %s: %s\n", library, why ? why : "");
		exit(1);
	}
	buf_init(&sql, 65536);
	buf_text(&sql,
	         "BEGIN; SELECT powersync_init(); SELECT powersync_replace_schema('{\"tables\":["
	         "{\"name\":\"row\",\"columns\":[{\"name\":\"org\",\"type\":\"integer\"}");
	for (int i = 1; i <= COLUMNS; i++)
		buf_print(&sql, ",{\"name\":\"c%d\",\"type\":\"text\"}", i);
	buf_text(&sql, "],\"indexes\":[");
	for (int i = 1; i <= 4; i++)
		buf_print(&sql,
		          "%s{\"name\":\"i%d\",\"columns\":[{\"name\":\"org\",\"ascending\":true,"
		          "\"type\":\"integer\"},{\"name\":\"c%d\",\"ascending\":true,\"type\":"
		          "\"text\"}]}",
		          i > 1 ? "," : "", i, i);
	buf_text(&sql, "]}]}'); SELECT powersync_control('start', '{}'); COMMIT");
	run(db, buf_cstr(&sql));
	buf_done(&sql);
	return db;
}

/* What its service would send of these rows, which stand in `row` of `from` alone. */
static void stream_lines(sqlite3 *from, int64_t before, const struct batch *b, struct buf ret[3])
{
	int64_t after = before + (int64_t)b->count;
	sqlite3_stmt *s = NULL;
	struct buf sql;

	buf_init(&sql, 65536);
	buf_text(&sql,
	         "SELECT json_object('data', json_object('bucket', 'a', 'has_more', json('false'), "
	         "'after', CAST(?1 AS TEXT), 'next_after', CAST(?2 AS TEXT), 'data', "
	         "json_group_array(json_object('op_id', CAST(?1 + rowid AS TEXT), 'op', 'PUT', "
	         "'object_type', 'row', 'object_id', id, 'checksum', 1, 'data', "
	         "'' || json_object('org', org");
	for (int i = 1; i <= COLUMNS; i++)
		buf_print(&sql, ", 'c%d', CASE typeof(c%d) WHEN 'blob' THEN hex(c%d) ELSE c%d END",
		          i, i, i, i);
	buf_text(&sql, "))))) FROM row");
	run(from, "DELETE FROM row");
	insert(from, b, true);
	must_sql(from, sqlite3_prepare_v2(from, buf_cstr(&sql), -1, &s, NULL), "lines");
	sqlite3_bind_int64(s, 1, before);
	sqlite3_bind_int64(s, 2, after);
	must_sql(from, sqlite3_step(s), "lines");
	buf_print(&ret[0],
	          "{\"checkpoint\":{\"last_op_id\":\"%" PRId64
	          "\",\"buckets\":[{\"bucket\":\"a\",\"checksum\":%" PRId64 ",\"count\":%" PRId64
	          ",\"priority\":3}]}}",
	          after, after, after);
	buf_text(&ret[1], (const char *)sqlite3_column_text(s, 0));
	buf_print(&ret[2], "{\"checkpoint_complete\":{\"last_op_id\":\"%" PRId64 "\"}}", after);
	sqlite3_finalize(s);
	buf_done(&sql);
}

static double by_powersync(sqlite3 *from, sqlite3 *to, const struct batch *b, double *ret_bytes)
{
	static int64_t before;
	sqlite3_stmt *control = NULL;
	struct buf lines[3];
	int64_t began;

	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) buf_init(&lines[i], 16 << 20);
	stream_lines(from, before, b, lines);
	before += (int64_t)b->count;
	must_sql(to,
	         sqlite3_prepare_v2(to, "SELECT powersync_control('line_text', ?)", -1, &control,
	                            NULL),
	         "control");
	began = bench_wall_ns();
	run(to, "BEGIN");
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		sqlite3_bind_text(control, 1, buf_cstr(&lines[i]), -1, SQLITE_STATIC);
		must_sql(to, sqlite3_step(control), "control");
		sqlite3_reset(control);
	}
	run(to, "COMMIT");
	began = bench_wall_ns() - began;
	sqlite3_finalize(control);
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		*ret_bytes += (double)lines[i].len;
		buf_done(&lines[i]);
	}
	return (double)began;
}

/* ---- the rounds */

static void print(const char *name, const struct pairs *p, double bytes, int64_t rows)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "peers_%s_ratio", name);
	pairs_print(p, text);
	(void)snprintf(text, sizeof(text), "peers_%s_bytes_row", name);
	bench_value(text, bytes / (double)rows, "B/row");
}

int main(int argc, char **argv)
{
	static struct machine hub;
	static struct sites s;
	static const uint8_t unit[16] = {8};
	int rounds = bench_size(45, 5);
	struct pairs ours = {0}, session = {0}, sync = {0}, powersync = {0};
	double bytes[4] = {0};
	sqlite3 *plain, *a, *b, *c, *d, *service, *e;

	if (argc != 3) bench_must(1, NULL, "usage: peers CLOUDSYNC.SO POWERSYNC.SO");
	machine_open(&hub, "hub", NULL, unit);
	sites_open(&s, &hub, 40, 1234567);
	plain = opened("plain", false);
	a = opened("session-a", false);
	b = opened("session-b", false);
	c = opened_sync("sync-a", argv[1]);
	d = opened_sync("sync-b", argv[1]);
	service = opened("powersync-service", true);
	e = opened_powersync("powersync", argv[2]);
	for (int i = 0; i < rounds; i++) {
		struct batch batch;
		struct arena mem;
		int64_t began;
		double base, took;

		arena_init(&mem, 0);
		sites_batch(&s, ROWS, &mem, &batch);
		began = bench_wall_ns();
		insert(plain, &batch, false);
		base = (double)(bench_wall_ns() - began);
		began = bench_wall_ns();
		hub_append(&hub, &batch, 1);
		hub_apply(&hub);
		took = (double)(bench_wall_ns() - began);
		bytes[0] += (double)(batch.head.len + batch.body.len);
		pairs_add(&ours, base / took);
		pairs_add(&session, base / by_session(a, b, &batch, &bytes[1]));
		pairs_add(&sync, base / by_sync(c, d, &batch, &bytes[2]));
		pairs_add(&powersync, base / by_powersync(service, e, &batch, &bytes[3]));
		batch_done(&batch);
		arena_done(&mem);
	}
	if (rows_of(b) != (int64_t)rounds * ROWS || rows_of(d) != (int64_t)rounds * ROWS ||
	    rows_of(e) != (int64_t)rounds * ROWS)
		bench_must(1, NULL, "not all rows came");
	print("jinguo", &ours, bytes[0], (int64_t)rounds * ROWS);
	print("session_extension", &session, bytes[1], (int64_t)rounds * ROWS);
	print("sqlite_sync", &sync, bytes[2], (int64_t)rounds * ROWS);
	print("powersync", &powersync, bytes[3], (int64_t)rounds * ROWS);
	sqlite3_close(service);
	sqlite3_close(e);
	sqlite3_close(plain);
	sqlite3_close(a);
	sqlite3_close(b);
	run(c, "SELECT cloudsync_terminate()");
	run(d, "SELECT cloudsync_terminate()");
	sqlite3_close(c);
	sqlite3_close(d);
	sites_close(&s);
	machine_close(&hub);
	return 0;
}
