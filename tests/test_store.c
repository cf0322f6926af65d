/*
 * test_store.c - the storage contract (common/store.h), on real files and on the memory file system.
 * Small schemas of its own stand for an older and a newer build; random data is checked against models
 * that know no SQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "common/base.h"

#include "common/crypt.h"
#include "common/rows.h"
#include "common/store.h"
#include "tests/support/scratch.h"

/* Of common/store_sqlite.h: opens with made-up formats. */
int store_open_steps(const char *path, const struct schema *schema, unsigned flags,
                     const char *const *steps, size_t steps_count, struct store **ret,
                     struct error *err);

#define OK(CALL) assert_int_equal((CALL), 0)

/* ---- schemas: number 20 has three lanes, with a hole among the slots of lane 0; 21 has one */

static const struct field thing_fields[] = {
        {.number = 4, .type = FIELD_TEXT, .name = "a"},
        {.number = 8, .type = FIELD_INT, .name = "b", .indexed = true},
        {.number = 16, .type = FIELD_BYTES, .name = "c"},
        {.number = 5, .type = FIELD_TEXT, .tier = 3, .name = "d"},
        {.number = 9, .type = FIELD_INT, .tier = 3, .name = "e"},
        {.number = 6, .type = FIELD_BYTES, .tier = 4, .name = "f"},
        /* the newer build's */
        {.number = 20, .type = FIELD_TEXT, .name = "g", .indexed = true},
};
static const struct field plain_fields[] = {
        {.number = 4, .type = FIELD_TEXT, .name = "order"}, /* a word of SQL */
};
enum { THING = 20, PLAIN = 21, STRANGE = 99 };
static const struct table thing_old = {
        .number = THING, .name = "thing", .fields = thing_fields, .fields_count = 6};
static const struct table thing_new = {
        .number = THING, .name = "thing", .fields = thing_fields, .fields_count = 7};
static const struct table plain = {
        .number = PLAIN, .name = "plain", .fields = plain_fields, .fields_count = 1};
static const struct table *const old_tables[] = {&thing_old};
static const struct table *const new_tables[] = {&thing_new, &plain};
static const struct schema old_schema = {1, old_tables, 1}, new_schema = {1, new_tables, 2};

/* ---- the place */

struct place {
	char dir[64], path[96];
	unsigned flags;
	struct store *st, *keeper;
	struct arena a;
	bool closed; /* at rest */
};

static uint64_t seed = 42;
static uint32_t dice(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % below;
}

static void make_id(uint32_t n, uint8_t ret[16])
{
	memset(ret, 0, 16);
	for (int i = 0; i < 4; i++) ret[i] = (uint8_t)(n >> (24 - 8 * i));
	ret[15] = 0x55;
}

static void make_hash(uint32_t n, uint8_t ret[32])
{
	hash_of(span_of(&n, sizeof(n)), ret, 32);
}

static const uint8_t rest_key[32] = {"a key of thirty-two bytes......"};

static void give_key(struct store *st)
{
	static uint8_t salt[16];

	salt[0]++;
	OK(store_rest(st, rest_key, salt));
}

static void reopen(struct place *p, const struct schema *schema)
{
	struct error err = {0};

	store_close(p->st);
	p->st = NULL;
	if (store_open(p->path, schema, p->flags, &p->st, &err) != 0)
		fail_msg("open: %s", err.detail);
	if (p->closed) give_key(p->st);
}

static int set_up_how(void **state, unsigned flags, bool closed)
{
	struct place *p = calloc(1, sizeof(*p));
	static unsigned number;

	assert_non_null(p);
	OK(crypt_init());
	scratch_make("/tmp", "store", p->dir, sizeof(p->dir));
	p->closed = closed;
	p->flags = flags | STORE_CREATE;
	if ((flags & STORE_MEMORY_VFS) != 0) {
		(void)snprintf(p->path, sizeof(p->path), "store%u", number++);
		OK(store_open(p->path, &new_schema, p->flags, &p->keeper, NULL));
	} else {
		(void)snprintf(p->path, sizeof(p->path), "%s/db", p->dir);
	}
	arena_init(&p->a, 0);
	reopen(p, &new_schema);
	*state = p;
	return 0;
}

static int set_up(void **state, unsigned flags)
{
	return set_up_how(state, flags, false);
}

static int set_up_file(void **state)
{
	return set_up(state, 0);
}

static int set_up_small(void **state)
{
	return set_up(state, STORE_SMALL);
}

static int set_up_closed(void **state)
{
	return set_up_how(state, 0, true);
}

static int set_up_memory(void **state)
{
	return set_up(state, STORE_MEMORY_VFS);
}

static int tear_down(void **state)
{
	static const char *const names[] = {"db",       "db-wal",   "db-shm", "copy",
	                                    "copy-wal", "copy-shm", "cut"};
	struct place *p = *state;

	store_close(p->st);
	store_close(p->keeper);
	arena_done(&p->a);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		char path[160];

		(void)snprintf(path, sizeof(path), "%s/%s", p->dir, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(p->dir), 0);
	free(p);
	return 0;
}

static void begin(struct place *p)
{
	OK(store_begin(p->st));
}

static void commit(struct place *p)
{
	OK(store_commit(p->st));
}

static uint32_t scope_of(struct place *p, uint32_t n)
{
	uint8_t id[16];
	uint32_t ord = 0;

	make_id(n, id);
	OK(store_scope_ord(p->st, id, /* create= */ true, &ord));
	assert_true(ord > 0);
	return ord;
}

/* ---- opening */

static void patch(const char *path, long at, uint8_t byte)
{
	FILE *f = fopen(path, "r+b");

	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	assert_int_equal(fputc(byte, f), byte);
	assert_int_equal(fclose(f), 0);
}

static void newer_file_is_refused(void **state)
{
	struct place *p = *state;
	struct error err = {0};
	struct store *st = NULL;

	store_close(p->st);
	p->st = NULL;
	patch(p->path, 63, STORE_FORMAT + 1); /* the last byte of user_version */
	assert_int_equal(store_open(p->path, &new_schema, STORE_CREATE, &st, &err),
	                 -ERR_NEWER_FILE);
	assert_int_equal(err.code, ERR_NEWER_FILE);
	assert_non_null(strstr(err.detail, "newer"));
	assert_null(st);
	patch(p->path, 63, STORE_FORMAT);
	patch(p->path, 68, 'X'); /* application_id */
	assert_int_equal(store_open(p->path, &new_schema, STORE_CREATE, &st, &err),
	                 -ERR_DATABASE_DAMAGED);
	assert_non_null(strstr(err.detail, "not a Jinguo"));
}

static void damaged_files_are_refused(void **state)
{
	struct place *p = *state;
	struct error err = {0};
	struct store *st = NULL;
	struct stat before, after;
	char missing[128];
	FILE *f;

	store_close(p->st);
	p->st = NULL;
	OK(stat(p->path, &before));
	assert_int_equal(before.st_mode & 0777, 0600);
	OK(truncate(p->path, before.st_size / 2 / 4096 * 4096));
	assert_int_equal(store_open(p->path, &new_schema, STORE_CREATE, &st, &err),
	                 -ERR_DATABASE_DAMAGED);
	assert_true(strlen(err.detail) > 10);
	OK(truncate(p->path, 700));
	assert_int_equal(store_open(p->path, &new_schema, STORE_CREATE, &st, &err),
	                 -ERR_DATABASE_DAMAGED);
	OK(truncate(p->path, 0));
	assert_int_equal(store_open(p->path, &new_schema, 0, &st, &err), -ERR_DATABASE_DAMAGED);
	f = fopen(p->path, "wb");
	assert_non_null(f);
	for (int i = 0; i < 3000; i++) (void)fputs("not a database ", f);
	OK(fclose(f));
	OK(stat(p->path, &before));
	assert_int_equal(store_open(p->path, &new_schema, STORE_CREATE, &st, &err),
	                 -ERR_DATABASE_DAMAGED);
	OK(stat(p->path, &after));
	assert_int_equal(before.st_size, after.st_size);
	(void)snprintf(missing, sizeof(missing), "%s/none", p->dir);
	assert_int_equal(store_open(missing, &new_schema, 0, &st, &err), -ERR_STORAGE);
	assert_non_null(strstr(err.detail, "no database"));
	assert_int_equal(access(missing, F_OK), -1);
	assert_null(st);
}

static struct row make_row(struct place *p, uint32_t n, uint32_t scope, struct value *v)
{
	struct row r = {.scope = scope, .v = v};

	(void)p;
	make_id(n, r.id);
	return r;
}

static void get_one(struct place *p, uint16_t table, unsigned lane, uint32_t n, struct row **ret)
{
	uint8_t id[1][16];

	make_id(n, id[0]);
	OK(store_rows_get(p->st, table, lane, (const uint8_t(*)[16])id, 1, &p->a, ret));
}

static bool insert_one(struct place *p, uint16_t table, unsigned lane, const struct row *r)
{
	bool fresh = false;

	OK(store_rows_insert(p->st, table, lane, r, 1, &fresh));
	return fresh;
}

/* A made-up later program adds a step; what is in the file stays; this program then refuses it. */
static void older_formats_are_taken_up(void **state)
{
	enum { LATER = STORE_FORMAT + 2 };
	/* Those of the formats up to this program's are never run. */
	static const char *const steps[LATER] = {
	        [STORE_FORMAT] = "CREATE TABLE made_up(x); INSERT INTO made_up VALUES(7);",
	        [STORE_FORMAT + 1] =
	                "INSERT INTO meta SELECT 'made', x FROM made_up; DROP TABLE made_up;"};
	struct place *p = *state;
	struct error err = {0};
	struct span s;

	begin(p);
	OK(store_meta_put(p->st, "k", span_of("v", 1)));
	commit(p);
	store_close(p->st);
	p->st = NULL;
	assert_int_equal(
	        store_open_steps(p->path, &new_schema, STORE_READ_ONLY, steps, LATER, &p->st, &err),
	        -ERR_STORAGE);
	OK(store_open_steps(p->path, &new_schema, 0, steps, LATER, &p->st, &err));
	OK(store_meta_get(p->st, "k", &p->a, &s));
	assert_int_equal(s.len, 1);
	OK(store_meta_get(p->st, "made", &p->a, &s));
	assert_int_equal(s.len, 1);
	assert_int_equal(s.p[0], '7');
	store_close(p->st);
	p->st = NULL;
	assert_int_equal(store_open(p->path, &new_schema, 0, &p->st, &err), -ERR_NEWER_FILE);
	/* A step that fails leaves the file as it was. */
	{
		static const char *const bad[LATER + 1] = {
		        [LATER] = "CREATE TABLE half(x); NONSENSE"};

		assert_int_equal(
		        store_open_steps(p->path, &new_schema, 0, bad, LATER + 1, &p->st, &err),
		        -ERR_STORAGE);
		OK(store_open_steps(p->path, &new_schema, 0, steps, LATER, &p->st, &err));
	}
}

/* A file of format 3 with what was refused under it; the notes stay, under their numbers, and are told apart by table from then on. */
static void refused_of_format_3(void **state)
{
	static const char back[] =
	        "CREATE TABLE old(id INTEGER PRIMARY KEY AUTOINCREMENT, recv INTEGER NOT NULL, "
	        "ordinal "
	        "INTEGER NOT NULL, scope INTEGER NOT NULL, run INTEGER NOT NULL, tbl INTEGER NOT "
	        "NULL, "
	        "row BLOB NOT NULL, lane INTEGER NOT NULL, admitted INTEGER NOT NULL, stamp "
	        "INTEGER NOT "
	        "NULL, cause INTEGER NOT NULL, field TEXT NOT NULL, wait BLOB NOT NULL, since_ms "
	        "INTEGER "
	        "NOT NULL, by_hub BLOB NOT NULL, mine INTEGER NOT NULL, UNIQUE(row, lane, run, "
	        "stamp));"
	        "INSERT INTO old SELECT * FROM refused; DROP TABLE refused; ALTER TABLE old RENAME "
	        "TO "
	        "refused; CREATE INDEX refused_mine ON refused(mine, id); CREATE INDEX "
	        "refused_scope ON "
	        "refused(scope); DROP INDEX parked_local; CREATE UNIQUE INDEX parked_local ON "
	        "parked(row, "
	        "lane, run, stamp) WHERE recv = 0; DELETE FROM refused WHERE id = 3; "
	        "PRAGMA user_version = 3";
	struct place *p = *state;
	struct held h = {
	        .scope = 1, .run = 3, .table = 7, .lane = 1, .cause = ERR_GAP, .mine = true};
	struct held *got;
	struct error err = {0};
	sqlite3 *db;
	size_t count;
	int64_t n;

	begin(p);
	for (h.stamp = 1; h.stamp <= 3; h.stamp++) OK(store_refused_add(p->st, &h));
	commit(p);
	store_close(p->st);
	p->st = NULL;
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, back, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE tally SET n = 2 WHERE name LIKE 'refused%'", NULL,
	                              NULL, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	OK(store_open(p->path, &new_schema, 0, &p->st, &err));
	begin(p);
	OK(store_refused_list(p->st, false, 10, &p->a, &got, &count));
	assert_int_equal(count, 2);
	assert_true(got[0].id == 1 && got[1].id == 2 && got[1].stamp == 2 && got[1].table == 7);
	OK(store_refused_count(p->st, true, &n));
	assert_int_equal(n, 2);
	h.stamp = 2;
	h.table = 8; /* of one name, in another table */
	OK(store_refused_add(p->st, &h));
	OK(store_refused_list(p->st, false, 10, &p->a, &got, &count));
	assert_int_equal(count, 3);
	assert_int_equal(got[2].id, 4); /* no number is given twice */
	OK(store_refused_count(p->st, true, &n));
	assert_int_equal(n, 3);
	commit(p);
}

static void older_schema_gets_columns_and_tables(void **state)
{
	struct place *p = *state;
	struct value v[6] = {value_int(1), value_text("one"), value_int(2)}, w[1] = {value_int(1)};
	struct row r, strange, *got, *rows;
	struct error err = {0};
	size_t count;
	uint16_t tables[TABLES_MAX];

	if ((p->flags & STORE_MEMORY_VFS) == 0) { /* a file of its own, made by the older build */
		store_close(p->st);
		p->st = NULL;
		OK(unlink(p->path));
	} else {
		(void)snprintf(p->path, sizeof(p->path), "older");
	}
	store_close(p->keeper);
	p->keeper = NULL;
	reopen(p, &old_schema);
	if ((p->flags & STORE_MEMORY_VFS) != 0)
		OK(store_open(p->path, &old_schema, p->flags, &p->keeper, NULL));
	assert_int_equal(store_slots(p->st, THING, 0), 5);
	assert_int_equal(store_slots(p->st, PLAIN, 0), 1);
	begin(p);
	r = make_row(p, 1, scope_of(p, 1), v);
	strange = make_row(p, 2, r.scope, w);
	strange.extra = span_of("all of it", 9);
	assert_true(insert_one(p, THING, 0, &r));
	assert_true(insert_one(p, PLAIN, 0, &strange));
	commit(p);
	if ((p->flags & STORE_MEMORY_VFS) == 0) {
		store_close(p->st);
		p->st = NULL;
		assert_int_equal(store_open(p->path, &new_schema, STORE_READ_ONLY, &p->st, &err),
		                 -ERR_STORAGE);
	}
	reopen(p, &new_schema);
	assert_int_equal(store_slots(p->st, THING, 0), 6);
	assert_int_equal(store_slots(p->st, PLAIN, 0), 2);
	get_one(p, THING, 0, 1, &got);
	assert_non_null(got);
	assert_true(value_equal(got->v[1], v[1]));
	assert_int_equal(got->v[5].type, VALUE_NULL);
	begin(p);
	got->v[5] = value_text("new");
	OK(store_rows_update(p->st, THING, 0, got, &(uint64_t){1 << 5}, 1));
	commit(p);
	get_one(p, THING, 0, 1, &got);
	assert_true(value_equal(got->v[5], value_text("new")));
	/* What was held for the unknown table waits for the engine. */
	get_one(p, PLAIN, 0, 2, &got);
	assert_null(got);
	OK(store_other_scan(p->st, PLAIN, 0, NULL, 10, &p->a, &rows, &count));
	assert_int_equal(count, 1);
	assert_true(span_equal(rows[0].extra, strange.extra));
	OK(store_row_tables(p->st, strange.id, tables, &count));
	assert_int_equal(count, 1);
	assert_int_equal(tables[0], PLAIN);
	begin(p);
	OK(store_other_drop(p->st, PLAIN, 0, strange.id));
	commit(p);
	OK(store_other_scan(p->st, PLAIN, 0, NULL, 10, &p->a, &rows, &count));
	assert_int_equal(count, 0);
	/* An older build goes on with the newer one's file. */
	reopen(p, &old_schema);
	get_one(p, THING, 0, 1, &got);
	assert_non_null(got);
	reopen(p, &new_schema);
	get_one(p, THING, 0, 1, &got);
	assert_true(value_equal(got->v[5], value_text("new")));
}

/* ---- rows */

static void values_come_back(void **state)
{
	static char utf8[30000];
	struct place *p = *state;
	struct value cases[][3] = {
	        {value_null(), value_null(), value_null()},
	        {value_text(""), value_int(0), value_bytes("", 0)},
	        {value_text("春蕾"), value_int(INT64_MAX), value_bytes("\0\1\0", 3)},
	        {value_text(utf8), value_int(INT64_MIN), value_bytes(utf8, sizeof(utf8))},
	        {value_text("007"), value_int(-1), value_bytes("text?", 5)},
	};
	uint32_t scope;

	for (size_t i = 0; i + 3 < sizeof(utf8); i += 3) memcpy(utf8 + i, "妇", 3);
	utf8[sizeof(utf8) - 1] = 0;
	cases[3][0] = value_text(utf8);
	begin(p);
	scope = scope_of(p, 1);
	for (uint32_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct value v[6] = {value_int(1), cases[i][0], cases[i][1],
		                     value_null(), cases[i][2], value_null()};
		struct row r = make_row(p, i, scope, v), *got;

		r.clock = span_of("clock", i);
		r.extra = span_of("extra", 5 - i);
		assert_true(insert_one(p, THING, 0, &r));
		get_one(p, THING, 0, i, &got);
		assert_non_null(got);
		assert_memory_equal(got->id, r.id, 16);
		assert_int_equal(got->scope, scope);
		for (size_t k = 0; k < 6; k++) assert_true(value_equal(got->v[k], v[k]));
		assert_true(span_equal(got->clock, r.clock));
		assert_true(span_equal(got->extra, r.extra));
	}
	commit(p);
}

struct walk {
	size_t rows, stop_at;
	uint8_t last[16];
};

static int walk_one(void *ctx, const struct row_view *v)
{
	struct walk *w = ctx;

	assert_true(!w->rows || memcmp(v->id, w->last, 16) > 0); /* each once */
	memcpy(w->last, v->id, 16);
	return ++w->rows == w->stop_at ? -ERR_NOT_FOUND : 0;
}

/* More rows than a page of rows_each holds, of two scopes; a page's last row neither left out nor given twice. */
static void every_row_is_walked_once(void **state)
{
	enum { ROWS = 2001, OTHERS = 1000 };
	const struct table *t = schema_table(&new_schema, THING);
	struct place *p = *state;
	struct walk w = {0};

	begin(p);
	uint32_t one = scope_of(p, 1), other = scope_of(p, 2);
	for (uint32_t i = 0; i < ROWS; i++) {
		struct value v[6] = {value_int(1)};
		struct row r = make_row(p, i, i < OTHERS ? other : one, v);

		assert_true(insert_one(p, THING, 0, &r));
	}
	OK(rows_each(p->st, t, 0, walk_one, &w));
	assert_int_equal(w.rows, ROWS);
	w = (struct walk){0};
	OK(rows_each(p->st, t, other, walk_one, &w));
	assert_int_equal(w.rows, OTHERS);
	w = (struct walk){.stop_at = 1500};
	assert_int_equal(rows_each(p->st, t, 0, walk_one, &w), -ERR_NOT_FOUND);
	assert_int_equal(w.rows, 1500);
	commit(p);
}

/* 20 MB are written: the log of an old PC's card does not grow with it. */
static void a_small_log_stays_short(void **state)
{
	static char text[30000];
	struct place *p = *state;
	struct stat log;
	char path[200];

	memset(text, 'x', sizeof(text) - 1);
	for (uint32_t i = 0; i < 700; i++) {
		struct value v[6] = {value_int(1), value_text(text)};

		begin(p);
		struct row r = make_row(p, i, scope_of(p, 1), v);
		assert_true(insert_one(p, THING, 0, &r));
		commit(p);
	}
	(void)snprintf(path, sizeof(path), "%s-wal", p->path);
	OK(stat(path, &log));
	assert_in_range(log.st_size, 1 << 20, 12 << 20);
}

static void lanes_live_apart(void **state)
{
	struct place *p = *state;
	struct value v0[6] = {value_int(1), value_text("a"), value_int(5)},
	             v1[3] = {value_int(1), value_text("d"), value_int(9)};
	struct value v2[2] = {value_bytes("gone", 4), value_bytes("f", 1)};
	struct row r0, r1, r2, *got;
	uint16_t tables[TABLES_MAX];
	size_t count;

	begin(p);
	r1 = make_row(p, 7, scope_of(p, 1), v1);
	r0 = r2 = r1;
	r0.v = v0;
	r2.v = v2;
	assert_true(insert_one(p, THING, 1, &r1));
	get_one(p, THING, 0, 7, &got);
	assert_null(got);
	assert_true(insert_one(p, THING, 0, &r0));
	assert_true(insert_one(p, THING, 2, &r2));
	/* There already: nothing is done. */
	v1[1] = value_text("changed");
	assert_false(insert_one(p, THING, 1, &r1));
	get_one(p, THING, 1, 7, &got);
	assert_true(value_equal(got->v[1], value_text("d")));
	assert_int_equal(got->v[2].i, 9);
	get_one(p, THING, 2, 7, &got);
	assert_true(value_equal(got->v[0], v2[0]));
	/* A mask touches its columns, clock and extra, and no other lane. */
	v1[0] = value_int(0);
	v1[2] = value_int(10);
	r1.clock = span_of("c", 1);
	OK(store_rows_update(p->st, THING, 1, &r1, &(uint64_t){1 << 2}, 1));
	get_one(p, THING, 1, 7, &got);
	assert_int_equal(got->v[0].i, 1);
	assert_true(value_equal(got->v[1], value_text("d")));
	assert_int_equal(got->v[2].i, 10);
	assert_true(span_equal(got->clock, r1.clock));
	get_one(p, THING, 0, 7, &got);
	assert_int_equal(got->v[2].i, 5);
	assert_int_equal(got->clock.len, 0);
	OK(store_rows_update(p->st, THING, 1, &r1, &(uint64_t){1}, 1));
	get_one(p, THING, 1, 7, &got);
	assert_int_equal(got->v[0].i, 0);
	/* Lane by lane it goes, and with the last one the row. */
	OK(store_row_drop(p->st, THING, 1, r1.id));
	get_one(p, THING, 1, 7, &got);
	assert_null(got);
	get_one(p, THING, 0, 7, &got);
	assert_non_null(got);
	OK(store_row_drop(p->st, THING, 0, r1.id));
	OK(store_row_tables(p->st, r1.id, tables, &count));
	assert_int_equal(count, 1);
	OK(store_row_drop(p->st, THING, 2, r1.id));
	OK(store_row_tables(p->st, r1.id, tables, &count));
	assert_int_equal(count, 0);
	/* A lane that came back carries nothing of before. */
	v1[1] = value_null();
	r1.clock = (struct span){NULL, 0};
	assert_true(insert_one(p, THING, 1, &r1));
	get_one(p, THING, 0, 7, &got);
	assert_null(got);
	get_one(p, THING, 1, 7, &got);
	assert_int_equal(got->v[1].type, VALUE_NULL);
	commit(p);
}

/* More masks than cached statements, against a model in an array. */
static void masks_against_a_model(void **state)
{
	struct place *p = *state;
	struct value model[6] = {value_int(1)}, next[6];
	struct row r, *got;

	begin(p);
	r = make_row(p, 1, scope_of(p, 1), model);
	assert_true(insert_one(p, THING, 0, &r));
	for (int round = 0; round < 300; round++) {
		uint64_t mask = dice(64) & 0x37u;

		next[0] = value_int(dice(2));
		next[1] = dice(2) == 0 ? value_null() : value_text("x");
		next[2] = value_int(dice(1000));
		next[4] = value_bytes("12345", dice(6));
		next[5] = value_text(&"yyyy"[dice(4)]);
		r.v = next;
		OK(store_rows_update(p->st, THING, 0, &r, &mask, 1));
		for (unsigned k = 0; k < 6; k++)
			if ((mask >> k & 1) != 0) model[k] = next[k];
		get_one(p, THING, 0, 1, &got);
		for (unsigned k = 0; k < 6; k++) assert_true(value_equal(got->v[k], model[k]));
		arena_reset(&p->a);
	}
	commit(p);
}

struct joining {
	struct row_join join;
	struct span is;
	char was[16];
	unsigned asked;
	bool leave;
};

static bool join_clock(struct row_join *j, struct span clock, struct span *ret)
{
	struct joining *x = (struct joining *)j;

	x->asked++;
	assert_true(clock.len < sizeof(x->was));
	memset(x->was, 0, sizeof(x->was));
	if (clock.len > 0) memcpy(x->was, clock.p, clock.len);
	*ret = x->is;
	return !x->leave;
}

/* What is a living row of that scope without extra values is written in one pass; anything else is left as it is. */
static void rows_are_joined_in_one_pass(void **state)
{
	struct place *p = *state;
	struct value v[6] = {value_int(1), value_text("a"),      value_int(7),
	                     value_null(), value_bytes("12", 2), value_text("")};
	struct value dead[6] = {value_int(0)}, fresh[6] = {value_int(1)};
	struct joining x = {.join = {join_clock}, .is = span_of("one", 3)};
	struct row r, odd, gone, *got;
	bool done = false;

	begin(p);
	r = make_row(p, 1, scope_of(p, 1), v);
	odd = make_row(p, 2, r.scope, v);
	odd.extra = span_of("more", 4);
	gone = make_row(p, 3, r.scope, dead);
	assert_true(insert_one(p, THING, 0, &r));
	assert_true(insert_one(p, THING, 0, &odd));
	assert_true(insert_one(p, THING, 0, &gone));
	v[1] = value_text("b");
	v[2] = value_int(8);
	OK(store_row_join(p->st, THING, 0, &r, 2, &x.join, &done));
	assert_true(done);
	assert_string_equal(x.was, "");
	get_one(p, THING, 0, 1, &got);
	assert_true(value_equal(got->v[1], v[1]));
	assert_int_equal(got->v[2].i, 7);
	assert_true(span_equal(got->clock, x.is));
	x.is = span_of("two", 3);
	OK(store_row_join(p->st, THING, 0, &r, 1 | 4, &x.join, &done));
	assert_true(done);
	assert_string_equal(x.was, "one");
	get_one(p, THING, 0, 1, &got);
	assert_int_equal(got->v[2].i, 8);
	assert_true(span_equal(got->clock, x.is));
	/* The caller leaves it, and the transaction goes on. */
	x.leave = true;
	v[2] = value_int(9);
	OK(store_row_join(p->st, THING, 0, &r, 4, &x.join, &done));
	assert_false(done);
	assert_int_equal(x.asked, 3);
	x.leave = false;
	r.scope = scope_of(p, 2);
	OK(store_row_join(p->st, THING, 0, &r, 4, &x.join, &done));
	assert_false(done);
	OK(store_row_join(p->st, THING, 0, &odd, 4, &x.join, &done));
	assert_false(done);
	gone.v = v;
	OK(store_row_join(p->st, THING, 0, &gone, 4, &x.join, &done));
	assert_false(done);
	r = make_row(p, 4, r.scope, v);
	OK(store_row_join(p->st, THING, 0, &r, 4, &x.join, &done));
	assert_false(done);
	assert_int_equal(x.asked, 3);
	/* A row that waits to be written is written first. */
	struct row later = r;
	later.v = fresh;
	OK(store_rows_insert_later(p->st, THING, 0, &later, &done));
	v[2] = value_int(10);
	OK(store_row_join(p->st, THING, 0, &r, 4, &x.join, &done));
	assert_true(done);
	OK(store_rows_settle(p->st));
	commit(p);
	get_one(p, THING, 0, 1, &got);
	assert_int_equal(got->v[2].i, 8);
	assert_string_equal(x.was, "");
	get_one(p, THING, 0, 2, &got);
	assert_int_equal(got->v[2].i, 7);
	get_one(p, THING, 0, 3, &got);
	assert_int_equal(got->v[0].i, 0);
	assert_int_equal(got->v[2].type, VALUE_NULL);
	get_one(p, THING, 0, 4, &got);
	assert_int_equal(got->v[2].i, 10);
}

static void unknown_tables_and_lanes_are_held(void **state)
{
	static const struct {
		uint16_t table;
		unsigned lane;
	} where[] = {{STRANGE, 0}, {STRANGE, 2}, {PLAIN, 1}, {THING, 3}};
	struct place *p = *state;
	struct value v[1] = {value_int(1)};
	struct row r, *got, *rows;
	size_t count;

	begin(p);
	for (uint32_t i = 0; i < ARRAY_COUNT(where); i++) {
		uint16_t tables[TABLES_MAX];

		assert_int_equal(store_slots(p->st, where[i].table, where[i].lane), 1);
		v[0] = value_int(1);
		r = make_row(p, 100 + i, scope_of(p, i % 2), v);
		r.extra = span_of("fields", 6);
		assert_true(insert_one(p, where[i].table, where[i].lane, &r));
		assert_false(insert_one(p, where[i].table, where[i].lane, &r));
		v[0] = value_bytes("del", 3);
		r.clock = span_of("cl", 2);
		OK(store_rows_update(p->st, where[i].table, where[i].lane, &r, &(uint64_t){2}, 1));
		get_one(p, where[i].table, where[i].lane, 100 + i, &got);
		assert_int_equal(got->v[0].i, 1);
		assert_true(span_equal(got->clock, r.clock));
		OK(store_rows_update(p->st, where[i].table, where[i].lane, &r, &(uint64_t){1}, 1));
		get_one(p, where[i].table, where[i].lane, 100 + i, &got);
		assert_true(value_equal(got->v[0], v[0]));
		assert_true(span_equal(got->extra, r.extra));
		OK(store_row_tables(p->st, r.id, tables, &count));
		assert_int_equal(count, 1);
		assert_int_equal(tables[0], where[i].table);
		OK(store_rows_scan(p->st, where[i].table, where[i].lane, r.scope, NULL, 10, &p->a,
		                   &rows, &count));
		assert_int_equal(count, 1);
		OK(store_rows_scan(p->st, where[i].table, where[i].lane, r.scope + 50, NULL, 10,
		                   &p->a, &rows, &count));
		assert_int_equal(count, 0);
		OK(store_rows_scan(p->st, where[i].table, where[i].lane, 0, r.id, 10, &p->a, &rows,
		                   &count));
		assert_int_equal(count, 0);
		OK(store_row_drop(p->st, where[i].table, where[i].lane, r.id));
		get_one(p, where[i].table, where[i].lane, 100 + i, &got);
		assert_null(got);
	}
	commit(p);
}

enum { MODEL_ROWS = 200 };
struct model_row {
	bool there[2], dead[2];
	uint32_t scope;
	int64_t b;
};

static void check_scan(struct place *p, const struct model_row *m, unsigned lane, uint32_t scope)
{
	uint32_t after = dice(MODEL_ROWS), n = dice(4) == 0 ? 0 : after + 1;
	size_t limit = 1 + dice(40), count, at = 0;
	struct row *rows;
	uint8_t id[16];

	make_id(after, id);
	OK(store_rows_scan(p->st, THING, lane, scope, n == 0 ? NULL : id, limit, &p->a, &rows,
	                   &count));
	for (; n < MODEL_ROWS && at < limit; n++) {
		if (!m[n].there[lane] || (scope != 0 && m[n].scope != scope)) continue;
		make_id(n, id);
		assert_true(at < count);
		assert_memory_equal(rows[at].id, id, 16);
		assert_int_equal(rows[at].scope, m[n].scope);
		at++;
	}
	assert_int_equal(at, count);
}

static void check_view(struct place *p, const struct model_row *m, uint32_t scope, bool all, int b)
{
	struct row_where where = {&thing_fields[1], b < 0 ? value_null() : value_int(b)};
	size_t limit = 1 + dice(40), count, at = 0;
	struct row_view *views;
	uint8_t id[16];

	OK(store_rows_view(p->st, &thing_new, &where, b == -2 ? 0 : 1, scope, all, NULL, limit,
	                   &p->a, &views, &count));
	for (uint32_t n = 0; n < MODEL_ROWS && at < limit; n++) {
		bool null = !m[n].there[0];

		if ((!m[n].there[0] && !m[n].there[1]) || (scope != 0 && m[n].scope != scope))
			continue;
		if (!all && ((m[n].there[0] && m[n].dead[0]) || (m[n].there[1] && m[n].dead[1])))
			continue;
		if ((b >= 0 && (null || m[n].b != b)) || (b == -1 && !null)) continue;
		make_id(n, id);
		assert_true(at < count);
		assert_memory_equal(views[at].id, id, 16);
		assert_int_equal(views[at].lanes,
		                 (m[n].there[0] ? 1 : 0) | (m[n].there[1] ? 2 : 0));
		assert_int_equal(views[at].dead, (m[n].there[0] && m[n].dead[0] ? 1 : 0) |
		                                         (m[n].there[1] && m[n].dead[1] ? 2 : 0));
		assert_true(
		        value_equal(views[at].values[1], null ? value_null() : value_int(m[n].b)));
		assert_true(value_equal(views[at].values[3],
		                        m[n].there[1] ? value_text("d") : value_null()));
		at++;
	}
	assert_int_equal(at, count);
}

static void scans_and_views_against_a_model(void **state)
{
	struct place *p = *state;
	struct model_row model[MODEL_ROWS] = {0};
	struct row_view *view;
	uint8_t id[16];

	begin(p);
	for (uint32_t k = 0; k < MODEL_ROWS; k++) {
		uint32_t n = (k * 77) % MODEL_ROWS; /* not in order of id */
		struct model_row *m = &model[n];

		m->scope = scope_of(p, dice(3));
		m->b = dice(4);
		for (unsigned lane = 0; lane < 2; lane++) {
			struct value v[6] = {value_null(), value_null(), value_null()};
			struct row r = make_row(p, n, m->scope, v);

			m->there[lane] = dice(3) != 0;
			m->dead[lane] = dice(4) == 0;
			if (!m->there[lane]) continue;
			v[0] = !m->dead[lane] ? value_int(1)
			       : dice(2) == 0 ? value_int(0)
			                      : value_bytes("who", 3);
			if (lane == 0)
				v[2] = value_int(m->b);
			else
				v[1] = value_text("d");
			assert_true(insert_one(p, THING, lane, &r));
		}
	}
	commit(p);
	for (int round = 0; round < 300; round++) {
		check_scan(p, model, dice(2), dice(4));
		check_view(p, model, dice(4), dice(2) == 0, (int)dice(7) - 2);
		arena_reset(&p->a);
	}
	for (uint32_t n = 0; n < MODEL_ROWS; n++) {
		make_id(n, id);
		OK(store_row_view(p->st, &thing_new, id, &p->a, &view));
		assert_int_equal(view != NULL, model[n].there[0] || model[n].there[1]);
	}
}

static void arena_bound_is_an_error(void **state)
{
	struct place *p = *state;
	static uint8_t big[20000];
	struct value v[6] = {value_int(1), value_null(), value_null(), value_null(),
	                     value_bytes(big, sizeof(big))};
	struct row r, *got;
	struct arena small;
	uint8_t id[1][16];

	begin(p);
	r = make_row(p, 1, scope_of(p, 1), v);
	assert_true(insert_one(p, THING, 0, &r));
	arena_init(&small, 8000);
	make_id(1, id[0]);
	assert_int_equal(store_rows_get(p->st, THING, 0, (const uint8_t(*)[16])id, 1, &small, &got),
	                 -ERR_LIMIT);
	arena_done(&small);
	get_one(p, THING, 0, 1, &got); /* the transaction lives on */
	assert_non_null(got);
	commit(p);
}

/* ---- ordinals and transactions */

static void ordinals(void **state)
{
	struct place *p = *state;
	uint8_t id[16], other[16], nonce[8] = {1, 2, 3}, nonce2[8] = {9};
	uint32_t a, b, ord;
	struct scope sc, *all;
	struct run_info run;
	int64_t count;
	size_t n;

	begin(p);
	a = scope_of(p, 1);
	b = scope_of(p, 2);
	assert_int_not_equal(a, b);
	assert_int_equal(scope_of(p, 1), a);
	OK(store_scope_get(p->st, b, &sc));
	assert_int_equal(sc.feed, b);
	assert_int_equal(sc.parent, 0);
	OK(store_scope_set_parent(p->st, b, a));
	OK(store_scope_set_feed(p->st, b, a));
	OK(store_scope_get(p->st, b, &sc));
	assert_int_equal(sc.parent, a);
	assert_int_equal(sc.feed, a);
	make_id(99, id);
	OK(store_scope_ord(p->st, id, /* create= */ false, &ord));
	assert_int_equal(ord, 0);
	assert_int_not_equal(store_scope_get(p->st, 77, &sc), 0);
	OK(store_scope_set_id(p->st, a, id));
	OK(store_scope_ord(p->st, id, false, &ord));
	assert_int_equal(ord, a);
	make_id(1, other);
	OK(store_scope_ord(p->st, other, false, &ord));
	assert_int_equal(ord, 0);
	OK(store_run_add(p->st, UINT64_C(0x3fffffffffffffff), id, nonce, &a));
	OK(store_run_add(p->st, 17, id, nonce2, &b));
	assert_int_not_equal(a, b);
	OK(store_run_add(p->st, UINT64_C(0x3fffffffffffffff), id, nonce2, &ord));
	assert_int_equal(ord, a);
	commit(p);
	reopen(p, &new_schema);
	OK(store_scopes(p->st, &p->a, &all, &n));
	assert_int_equal(n, 2);
	assert_int_equal(all[1].ord, 2);
	assert_int_equal(all[1].feed, 1);
	assert_memory_equal(all[0].id, id, 16);
	OK(store_run_get(p->st, a, &run));
	assert_true(run.run == UINT64_C(0x3fffffffffffffff));
	assert_memory_equal(run.nonce, nonce, 8);
	assert_memory_equal(run.origin, id, 16);
	OK(store_run_ord(p->st, 17, &ord));
	assert_int_equal(ord, b);
	OK(store_run_ord(p->st, 18, &ord));
	assert_int_equal(ord, 0);
	OK(store_run_count(p->st, id, &count));
	assert_int_equal(count, 2);
	/* many, so that the maps grow */
	begin(p);
	for (uint32_t i = 0; i < 3000; i++) {
		uint32_t again;

		OK(store_run_add(p->st, 1000 + i, other, nonce, &ord));
		OK(store_run_ord(p->st, 1000 + i, &again));
		assert_int_equal(ord, again);
		assert_int_equal(scope_of(p, 5000 + i), 3 + i);
	}
	for (uint32_t i = 0; i < 3000; i++) assert_int_equal(scope_of(p, 5000 + i), 3 + i);
	commit(p);
}

static struct entry make_entry(uint32_t n, uint32_t scope, uint8_t lane, uint32_t from)
{
	struct entry e = {.kind = 1,
	                  .lane = lane,
	                  .scope = scope,
	                  .from = from,
	                  .seq_first = n,
	                  .count = 3,
	                  .seal = n * 2};

	make_hash(n, e.hash);
	make_hash(n + 1000000, e.prev);
	make_id(n, e.origin);
	return e;
}

static int64_t append(struct place *p, struct entry e)
{
	int64_t recv = -1;

	OK(store_journal_append(p->st, &e, 1, &recv));
	assert_int_equal(recv, e.recv);
	return recv;
}

static void rollback_undoes_caches(void **state)
{
	struct place *p = *state;
	uint8_t before[16], now[16], id[16] = {7};
	int64_t recv;
	uint32_t ord;
	struct scope sc;

	begin(p);
	scope_of(p, 1);
	append(p, make_entry(1, 1, 0, 0));
	commit(p);
	begin(p);
	OK(store_journal_head(p->st, &recv, before));
	assert_int_equal(scope_of(p, 2), 2);
	OK(store_scope_set_feed(p->st, 1, 2));
	OK(store_run_add(p->st, 5, id, id, &ord));
	assert_int_equal(append(p, make_entry(2, 2, 0, 0)), 2);
	store_rollback(p->st);
	assert_false(store_in_transaction(p->st));
	begin(p);
	OK(store_run_ord(p->st, 5, &ord));
	assert_int_equal(ord, 0);
	OK(store_scope_get(p->st, 1, &sc));
	assert_int_equal(sc.feed, 1);
	OK(store_journal_head(p->st, &recv, now));
	assert_int_equal(recv, 1);
	assert_memory_equal(before, now, 16);
	make_id(2, id);
	OK(store_scope_ord(p->st, id, false, &ord));
	assert_int_equal(ord, 0);
	assert_int_equal(scope_of(p, 3), 2);
	assert_int_equal(append(p, make_entry(3, 2, 0, 0)), 2);
	commit(p);
	/* A crash in mid-transaction. */
	begin(p);
	append(p, make_entry(4, 2, 0, 0));
	reopen(p, &new_schema);
	OK(store_journal_head(p->st, &recv, now));
	assert_int_equal(recv, 2);
}

static void another_connection_is_noticed(void **state)
{
	struct place *p = *state;
	struct store *other = NULL;
	struct scope sc;
	int64_t version, recv;
	uint8_t rolling[16];
	struct entry e;

	begin(p);
	scope_of(p, 1);
	scope_of(p, 2);
	OK(store_scope_get(p->st, 1, &sc));
	OK(store_journal_head(p->st, &recv, rolling));
	commit(p);
	version = store_data_version(p->st);
	OK(store_open(p->path, &new_schema, p->flags, &other, NULL));
	assert_int_equal(store_data_version(p->st), version);
	OK(store_begin(other));
	if ((p->flags & STORE_MEMORY_VFS) == 0)
		OK(store_scope_get(p->st, 1, &sc)); /* readers are not held up */
	OK(store_scope_set_feed(other, 1, 2));
	e = make_entry(1, 1, 0, 0);
	OK(store_journal_append(other, &e, 1, &recv));
	OK(store_commit(other));
	assert_int_not_equal(store_data_version(p->st), version);
	begin(p);
	OK(store_scope_get(p->st, 1, &sc));
	assert_int_equal(sc.feed, 2);
	assert_int_equal(append(p, make_entry(2, 1, 0, 0)), 2);
	commit(p);
	store_close(other);
}

static void read_only_readers(void **state)
{
	struct place *p = *state;
	struct store *reader = NULL;
	int64_t recv;
	uint8_t rolling[16];

	begin(p);
	scope_of(p, 1);
	append(p, make_entry(1, 1, 0, 0));
	commit(p);
	OK(store_open(p->path, &new_schema, STORE_READ_ONLY, &reader, NULL));
	OK(store_begin_read(reader));
	begin(p);
	append(p, make_entry(2, 1, 0, 0));
	commit(p);
	OK(store_journal_head(reader, &recv, rolling)); /* its snapshot */
	assert_int_equal(recv, 1);
	OK(store_commit(reader));
	OK(store_begin_read(reader));
	OK(store_journal_head(reader, &recv, rolling));
	assert_int_equal(recv, 2);
	assert_int_not_equal(store_meta_put(reader, "k", span_of("v", 1)), 0);
	store_rollback(reader);
	store_close(reader);
}

static int fail_in(void *ctx, const char *what)
{
	return strcmp(what, ctx) == 0 ? -ERR_DISK_FULL : 0;
}

static void faults_stick(void **state)
{
	static char what[] = "store_tail_add";
	struct place *p = *state;
	struct tail_item item = {.scope = 1, .changeset = {(const uint8_t *)"c", 1}};
	int64_t count, bytes;
	struct span s;

	begin(p);
	OK(store_meta_put(p->st, "k", span_of("v", 1)));
	store_set_fault(p->st, fail_in, what);
	assert_int_equal(store_tail_add(p->st, &item), -ERR_DISK_FULL);
	assert_int_equal(store_error(p->st)->code, ERR_DISK_FULL);
	store_set_fault(p->st, NULL, NULL);
	assert_int_equal(store_tail_add(p->st, &item),
	                 -ERR_DISK_FULL); /* until it is rolled back */
	assert_int_equal(store_commit(p->st), -ERR_DISK_FULL);
	store_rollback(p->st);
	OK(store_meta_get(p->st, "k", &p->a, &s));
	assert_int_equal(s.len, 0);
	begin(p);
	OK(store_tail_add(p->st, &item));
	commit(p);
	OK(store_tail_size(p->st, &count, &bytes));
	assert_int_equal(count, 1);
}

/* ---- journal */

static void rolling_chain(void **state)
{
	struct place *p = *state;
	static const uint8_t id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	uint8_t expect[16], got[16], bytes[48];
	struct buf b;
	struct entry twice[3], *e;
	int64_t recv, recvs[3];

	buf_init(&b, 100);
	buf_text(&b, "jinguo journal");
	for (int i = 0; i < 16; i++) buf_u8(&b, 0);
	hash_of(buf_span(&b), expect, 16);
	begin(p);
	OK(store_journal_head(p->st, &recv, got));
	assert_int_equal(recv, 0);
	assert_memory_equal(got, expect, 16);
	OK(store_meta_put(p->st, "journal_id", span_of(id, 16)));
	buf_reset(&b);
	buf_text(&b, "jinguo journal");
	buf_add(&b, id, 16);
	hash_of(buf_span(&b), expect, 16);
	buf_done(&b);
	OK(store_journal_head(p->st, &recv, got));
	assert_memory_equal(got, expect, 16);
	scope_of(p, 1);
	for (uint32_t i = 1; i <= 20; i++) {
		struct entry one = make_entry(i, 1, 0, 0);

		assert_int_equal(append(p, one), i);
		memcpy(bytes, expect, 16);
		memcpy(bytes + 16, one.hash, 32);
		hash_of(span_of(bytes, 48), expect, 16);
		OK(store_journal_rolling(p->st, i, got));
		assert_memory_equal(got, expect, 16);
	}
	/* Known ones, also within one call, are left out and move nothing. */
	twice[0] = make_entry(7, 1, 0, 0);
	twice[1] = twice[2] = make_entry(21, 1, 2, 4);
	twice[1].head = span_of("head", 4);
	twice[1].body = span_of("body!", 5);
	twice[1].merged = true;
	twice[1].kind = 3;
	OK(store_journal_append(p->st, twice, 3, recvs));
	assert_int_equal(recvs[0], 0);
	assert_int_equal(recvs[1], 21);
	assert_int_equal(recvs[2], 0);
	commit(p);
	reopen(p, &new_schema);
	OK(store_journal_head(p->st, &recv, got));
	assert_int_equal(recv, 21);
	assert_int_equal(store_journal_rolling(p->st, 22, got), 1);
	assert_int_equal(store_journal_rolling(p->st, -1, got), 1);
	OK(store_journal_find(p->st, twice[1].hash, &recv));
	assert_int_equal(recv, 21);
	OK(store_journal_find(p->st, twice[1].prev, &recv));
	assert_int_equal(recv, 0);
	OK(store_journal_get(p->st, 22, &p->a, &e));
	assert_null(e);
	OK(store_journal_get(p->st, 21, &p->a, &e));
	assert_non_null(e);
	assert_true(e->merged && e->kind == 3 && e->lane == 2 && e->scope == 1 && e->feed == 1 &&
	            e->from == 4);
	assert_true(e->seq_first == 21 && e->count == 3 && e->seal == 42 && e->recv == 21);
	assert_memory_equal(e->hash, twice[1].hash, 32);
	assert_memory_equal(e->prev, twice[1].prev, 32);
	assert_memory_equal(e->origin, twice[1].origin, 16);
	assert_true(span_equal(e->head, twice[1].head) && span_equal(e->body, twice[1].body));
}

enum { JOURNAL_MODEL = 400, SCOPES_MODEL = 9 };
struct model_entry {
	uint32_t scope, from;
	uint8_t lane, kind;
	size_t size;
};

static bool admits(const struct feed_filter *f, const struct model_entry *m,
                   const uint32_t *feed_of)
{
	if (f->not_from != 0 && m->from == f->not_from) return false;
	if (f->all) return (f->lane_mask >> m->lane & 1) != 0;
	for (size_t i = 0; i < f->count; i++)
		if (f->feeds[i] == feed_of[m->scope] && (f->lane_masks[i] >> m->lane & 1) != 0)
			return true;
	return false;
}

static void check_feed(struct place *p, const struct model_entry *m, const uint32_t *feed_of)
{
	struct feed_filter f = {.all = dice(3) == 0,
	                        .lane_mask = (uint8_t)dice(8),
	                        .not_from = dice(4),
	                        .count = dice(13)};
	int64_t after = dice(JOURNAL_MODEL + 1);
	size_t limit = 1 + dice(60), bytes_max = dice(3) == 0 ? SIZE_MAX : dice(5000), count,
	       at = 0, bytes = 0;
	struct entry *e;

	for (size_t i = 0; i < f.count; i++) {
		f.feeds[i] = 1 + dice(SCOPES_MODEL); /* the same one may be named twice */
		f.lane_masks[i] = (uint8_t)dice(8);
	}
	OK(store_journal_scan(p->st, &f, after, limit, bytes_max, &p->a, &e, &count));
	for (int64_t n = after + 1; n <= JOURNAL_MODEL && at < limit; n++) {
		if (!admits(&f, &m[n], feed_of)) continue;
		bytes += m[n].size;
		if (at > 0 && bytes > bytes_max) break;
		assert_true(at < count);
		assert_int_equal(e[at].recv, n);
		assert_int_equal(e[at].body.len, m[n].size - 1);
		assert_int_equal(e[at].feed, feed_of[m[n].scope]);
		at++;
	}
	assert_int_equal(at, count);
}

static void check_scope(struct place *p, const struct model_entry *m)
{
	uint32_t scope = 1 + dice(SCOPES_MODEL);
	unsigned lane = dice(3);
	int64_t after = dice(JOURNAL_MODEL);
	size_t limit = 1 + dice(10), count, at = 0;
	struct entry *e;

	OK(store_journal_scope(p->st, scope, lane, after, limit, &p->a, &e, &count));
	for (int64_t n = after + 1; n <= JOURNAL_MODEL && at < limit; n++) {
		if (m[n].scope != scope || m[n].lane != lane || (m[n].kind != 1 && m[n].kind != 3))
			continue;
		assert_true(at < count);
		assert_int_equal(e[at++].recv, n);
	}
	assert_int_equal(at, count);
}

static void feeds_against_a_model(void **state)
{
	static struct model_entry m[JOURNAL_MODEL + 1];
	static uint8_t body[2000];
	struct place *p = *state;
	uint32_t feed_of[SCOPES_MODEL + 1];

	begin(p);
	for (uint32_t i = 1; i <= SCOPES_MODEL; i++) {
		assert_int_equal(scope_of(p, i), i);
		feed_of[i] = 1 + dice(SCOPES_MODEL);
		OK(store_scope_set_feed(p->st, i, feed_of[i]));
	}
	for (uint32_t n = 1; n <= JOURNAL_MODEL; n++) {
		struct entry e;

		m[n] = (struct model_entry){1 + dice(SCOPES_MODEL), dice(4), (uint8_t)dice(3),
		                            (uint8_t)(1 + dice(5)), 1 + dice(sizeof(body))};
		e = make_entry(n, m[n].scope, m[n].lane, m[n].from);
		e.kind = m[n].kind;
		e.head = span_of("h", 1);
		e.body = span_of(body, m[n].size - 1);
		assert_int_equal(append(p, e), n);
	}
	for (int round = 0; round < 400; round++) {
		if (round % 40 == 39) { /* a scope moves with all its entries */
			uint32_t scope = 1 + dice(SCOPES_MODEL);

			feed_of[scope] = 1 + dice(SCOPES_MODEL);
			OK(store_scope_set_feed(p->st, scope, feed_of[scope]));
		}
		check_feed(p, m, feed_of);
		check_scope(p, m);
		arena_reset(&p->a);
	}
	commit(p);
}

/* ---- state, tail, streams */

static void state_hashes_add_up(void **state)
{
	static const uint32_t feed_list[] = {1, 3};
	static const uint8_t masks[] = {1, 6};
	struct place *p = *state;
	unsigned __int128 model[4][3] = {0}, expect, got, d;
	uint32_t feed_of[4] = {1, 1, 3, 3};
	uint8_t sum[16];

	begin(p);
	for (uint32_t i = 0; i < 4; i++) assert_int_equal(scope_of(p, i), i + 1);
	for (uint32_t i = 0; i < 3; i++) OK(store_scope_set_feed(p->st, i + 1, feed_of[i]));
	for (int round = 0; round < 200; round++) {
		uint32_t s = dice(4), lane = dice(3);

		for (size_t i = 0; i < 16; i++)
			((uint8_t *)&d)[i] = (uint8_t)(dice(3) == 0 ? 0xff : dice(256));
		model[s][lane] += d;
		OK(store_state_add(p->st, s + 1, lane, (const uint8_t *)&d));
	}
	OK(store_scope_set_feed(p->st, 4, 3)); /* and its hashes with it */
	for (uint32_t s = 0; s < 4; s++)
		for (unsigned lane = 0; lane < 3; lane++) {
			OK(store_state_get(p->st, s + 1, lane, sum));
			assert_memory_equal(sum, &model[s][lane], 16);
		}
	OK(store_state_get(p->st, 9, 0, sum));
	d = 0;
	assert_memory_equal(sum, &d, 16);
	expect = model[0][0] + model[1][0] + model[2][1] + model[2][2] + model[3][1] + model[3][2];
	OK(store_state_sum(p->st, feed_list, masks, 2, (uint8_t *)&got));
	assert_memory_equal(&got, &expect, 16);
	OK(store_state_sum(p->st, feed_list, masks, 0, sum));
	assert_memory_equal(sum, &d, 16);
	expect = 0;
	for (int s = 0; s < 4; s++) expect += model[s][0] + model[s][2];
	OK(store_state_sum_all(p->st, 5, (uint8_t *)&got));
	assert_memory_equal(&got, &expect, 16);
	commit(p);
}

static void tail_and_streams(void **state)
{
	struct place *p = *state;
	static const struct tail_item items[] = {
	        {.scope = 2, .run = 1, .lane = 0, .changeset = {(const uint8_t *)"aa", 2}},
	        {.scope = 1, .run = 1, .lane = 1, .changeset = {(const uint8_t *)"b", 1}},
	        {.scope = 1, .run = 2, .lane = 0, .changeset = {(const uint8_t *)"ccc", 3}},
	        {.scope = 1, .run = 2, .lane = 1, .changeset = {(const uint8_t *)"", 0}}};
	static const int order[] = {2, 1, 3, 0};
	struct tail_item *all;
	size_t count;
	int64_t n, bytes;
	uint64_t next;
	uint8_t hash[32], zero[32] = {0}, got[32];

	OK(store_tail_size(p->st, &n, &bytes));
	assert_true(n == 0 && bytes == 0);
	begin(p);
	for (size_t i = 0; i < ARRAY_COUNT(items); i++) OK(store_tail_add(p->st, &items[i]));
	OK(store_tail_all(p->st, &p->a, &all, &count));
	assert_int_equal(count, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(all[i].scope, items[order[i]].scope);
		assert_int_equal(all[i].lane, items[order[i]].lane);
		assert_int_equal(all[i].run, items[order[i]].run);
		assert_true(span_equal(all[i].changeset, items[order[i]].changeset));
	}
	OK(store_tail_size(p->st, &n, &bytes));
	assert_true(n == 4 && bytes == 6);
	OK(store_tail_clear(p->st, all[0].id)); /* the third: all but the last */
	OK(store_tail_size(p->st, &n, &bytes));
	assert_true(n == 1 && bytes == 0);
	OK(store_stream_get(p->st, 1, 0, &next, got));
	assert_true(next == 1);
	assert_memory_equal(got, zero, 32);
	make_hash(1, hash);
	OK(store_stream_put(p->st, 1, 0, 5, zero));
	OK(store_stream_put(p->st, 1, 0, 9, hash));
	OK(store_stream_get(p->st, 1, 0, &next, got));
	assert_true(next == 9);
	assert_memory_equal(got, hash, 32);
	OK(store_stream_get(p->st, 1, 1, &next, got));
	assert_true(next == 1);
	commit(p);
}

/* ---- the small tables */

static void candidates(void **state)
{
	struct place *p = *state;
	uint8_t row[16], row2[16];
	struct candidate c[] = {{.slot = 1,
	                         .kind = CANDIDATE_VALUE,
	                         .scope = 2,
	                         .run = 3,
	                         .stamp = 77,
	                         .value = value_text("x")},
	                        {.slot = 1,
	                         .kind = CANDIDATE_VALUE,
	                         .scope = 2,
	                         .run = 4,
	                         .stamp = STATE_BYTES,
	                         .value = value_null()},
	                        {.slot = 63,
	                         .kind = CANDIDATE_EDIT_OF_DELETED,
	                         .scope = 2,
	                         .run = 4,
	                         .stamp = 1,
	                         .value = value_int(-4)}};
	struct candidate *got;
	size_t count;
	int64_t n;

	make_id(1, row);
	make_id(2, row2);
	begin(p);
	OK(store_candidates_set(p->st, 4, row, 0, c, 3));
	OK(store_candidates_set(p->st, 4, row, 1, c, 1));
	OK(store_candidates_count(p->st, &n));
	assert_int_equal(n, 3);
	OK(store_candidates_get(p->st, 4, row, 0, &p->a, &got, &count));
	assert_int_equal(count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(got[i].table == 4 && got[i].lane == 0 && got[i].slot == c[i].slot &&
		            got[i].kind == c[i].kind);
		assert_true(got[i].scope == 2 && got[i].run == c[i].run &&
		            got[i].stamp == c[i].stamp);
		assert_true(value_equal(got[i].value, c[i].value));
		assert_memory_equal(got[i].row, row, 16);
	}
	c[0].scope = 1;
	OK(store_candidates_set(p->st, 4, row2, 0, c, 1));
	OK(store_candidates_list(p->st, 2, &p->a, &got, &count));
	assert_int_equal(count, 2);
	assert_memory_equal(got[0].row, row2, 16);
	OK(store_candidates_set(p->st, 4, row, 0, c, 1));
	OK(store_candidates_count(p->st, &n));
	assert_int_equal(n, 3);
	OK(store_candidates_set(p->st, 4, row, 0, NULL, 0));
	OK(store_candidates_count(p->st, &n));
	assert_int_equal(n, 2);
	OK(store_candidates_get(p->st, 4, row, 0, &p->a, &got, &count));
	assert_int_equal(count, 0);
	commit(p);
}

static void held_equal(const struct held *a, const struct held *b)
{
	assert_true(a->recv == b->recv && a->ordinal == b->ordinal && a->scope == b->scope &&
	            a->run == b->run);
	assert_true(a->table == b->table && a->lane == b->lane && a->admitted == b->admitted &&
	            a->stamp == b->stamp);
	assert_true(a->cause == b->cause && a->since_ms == b->since_ms && a->mine == b->mine);
	assert_memory_equal(a->row, b->row, 16);
	assert_memory_equal(a->wait, b->wait, 16);
	assert_memory_equal(a->by, b->by, 16);
	assert_string_equal(a->field, b->field);
}

static void parked_and_refused(void **state)
{
	struct place *p = *state;
	struct held h = {.recv = 5,
	                 .ordinal = 2,
	                 .scope = 1,
	                 .run = 3,
	                 .table = 8,
	                 .lane = 1,
	                 .admitted = 1,
	                 .stamp = 99,
	                 .cause = ERR_MISSING_REF,
	                 .field = "participation.volunteer",
	                 .since_ms = 1234,
	                 .mine = true},
	            other, *got;
	size_t count;
	int64_t n;
	bool refused, any;

	make_id(1, h.row);
	make_id(2, h.wait);
	make_id(3, h.by);
	other = h;
	begin(p);
	OK(store_parked_add(p->st, &h));
	OK(store_parked_add(p->st, &h));
	OK(store_parked_count(p->st, &n));
	assert_int_equal(n, 1);
	other.ordinal = 3;
	OK(store_parked_add(p->st, &other));
	other.recv = 0; /* local things: known by their change */
	OK(store_parked_add(p->st, &other));
	OK(store_parked_add(p->st, &other));
	other.stamp++;
	OK(store_parked_add(p->st, &other));
	OK(store_parked_count(p->st, &n));
	assert_int_equal(n, 4);
	OK(store_parked_on_row(p->st, h.row, 1, INT64_MAX, 0, &any));
	assert_true(any);
	OK(store_parked_on_row(p->st, h.row, 0, INT64_MAX, 0, &any));
	assert_false(any);
	OK(store_parked_on_row(p->st, h.row, 1, h.recv, h.ordinal, &any));
	assert_true(any); /* the local ones */
	OK(store_parked_by_wait(p->st, h.wait, -1, 0, 9, &p->a, &got, &count));
	assert_int_equal(count, 4);
	assert_int_equal(got[0].recv, 0); /* by place */
	assert_true(got[2].recv == h.recv && got[3].recv == h.recv);
	assert_true(got[2].ordinal < got[3].ordinal);
	OK(store_parked_by_wait(p->st, h.wait, got[2].recv, got[2].ordinal, 9, &p->a, &got,
	                        &count));
	assert_int_equal(count, 1);
	OK(store_parked_by_wait(p->st, h.wait, -1, 0, 3, &p->a, &got, &count));
	assert_int_equal(count, 3);
	OK(store_parked_by_wait(p->st, h.row, -1, 0, 9, &p->a, &got, &count));
	assert_int_equal(count, 0);
	OK(store_parked_list(p->st, 0, 2, &p->a, &got, &count));
	assert_int_equal(count, 2);
	OK(store_parked_list(p->st, got[1].id, 9, &p->a, &got, &count));
	assert_int_equal(count, 2);
	OK(store_parked_remove(p->st, got[0].id));
	OK(store_parked_count(p->st, &n));
	assert_int_equal(n, 3);

	OK(store_refused_add(p->st, &h));
	other = h;
	other.cause = ERR_GAP; /* a later word on the same change */
	OK(store_refused_add(p->st, &other));
	other.stamp = 100;
	other.mine = false;
	OK(store_refused_add(p->st, &other));
	OK(store_refused_count(p->st, false, &n));
	assert_int_equal(n, 2);
	OK(store_refused_count(p->st, true, &n));
	assert_int_equal(n, 1);
	OK(store_refused_list(p->st, false, 10, &p->a, &got, &count));
	assert_int_equal(count, 2);
	held_equal(&got[0], &h);
	OK(store_refused_list(p->st, true, 10, &p->a, &got, &count));
	assert_int_equal(count, 1);
	OK(store_refused_get(p->st, h.table, h.row, 1, 3, 99, &refused));
	assert_true(refused);
	OK(store_refused_get(p->st, h.table, h.row, 1, 3, 98, &refused));
	assert_false(refused);
	OK(store_refused_get(p->st, h.table, h.row, 0, 3, 99, &refused));
	assert_false(refused);
	OK(store_refused_get(p->st, h.table + 1, h.row, 1, 3, 99, &refused));
	assert_false(refused);
	other = h;
	other.table++;
	OK(store_refused_add(p->st, &other)); /* of one name, in another table */
	OK(store_refused_remove(p->st, other.table, h.row, 1, 3, 99));
	OK(store_refused_get(p->st, h.table, h.row, 1, 3, 99, &refused));
	assert_true(refused);
	OK(store_refused_remove(p->st, h.table, h.row, 1, 3, 99));
	OK(store_refused_get(p->st, h.table, h.row, 1, 3, 99, &refused));
	assert_false(refused);
	OK(store_refused_count(p->st, true, &n));
	assert_int_equal(n, 0);
	OK(store_refused_count(p->st, false, &n));
	assert_int_equal(n, 1);
	commit(p);
}

static void counts_of_a_feed(void **state)
{
	struct place *p = *state;
	struct held h = {.recv = 1, .cause = ERR_GAP};
	struct entry e;
	int64_t parked, refused, own;

	begin(p);
	for (uint32_t i = 1; i <= 3; i++) scope_of(p, i);
	OK(store_scope_set_feed(p->st, 2, 1));
	for (uint32_t i = 0; i < 6; i++) {
		h.scope = 1 + i % 3;
		h.ordinal = i;
		h.stamp = i;
		OK(store_parked_add(p->st, &h));
		if (i < 3) OK(store_refused_add(p->st, &h));
		e = make_entry(i, 1, 0, 0); /* of 3 changesets each */
		e.merged = i % 2 == 0;
		append(p, e);
	}
	OK(store_held_counts(p->st, 1, &parked, &refused));
	assert_true(parked == 4 && refused == 2);
	OK(store_held_counts(p->st, 2, &parked, &refused));
	assert_true(parked == 0 && refused == 0);
	OK(store_journal_own(p->st, 0, 0xf, &own));
	assert_int_equal(own, 9);
	OK(store_journal_own(p->st, 3, 0xf, &own));
	assert_int_equal(own, 3);
	/* A transaction that touches two lanes is counted in one of its segments: the other is unsent all the same. */
	OK(store_journal_own(p->st, 3, 2, &own));
	assert_int_equal(own, 0);
	e = make_entry(7, 1, 1, 0);
	e.merged = true;
	e.count = 0;
	append(p, e);
	OK(store_journal_own(p->st, 6, 1, &own));
	assert_int_equal(own, 0);
	OK(store_journal_own(p->st, 6, 2, &own));
	assert_int_equal(own, 1);
	commit(p);
}

static void gaps_words_waiting(void **state)
{
	struct place *p = *state;
	uint8_t a[32], b[32];
	int64_t n, *words;
	size_t count;
	bool closed;

	make_hash(1, a);
	make_hash(2, b);
	begin(p);
	OK(store_gap_add(p->st, a, 5));
	OK(store_gap_add(p->st, a, 5));
	OK(store_gap_add(p->st, a, 6));
	OK(store_gap_add(p->st, b, 7));
	OK(store_journal_gaps(p->st, &n));
	assert_int_equal(n, 3);
	OK(store_gap_close(p->st, a, &closed));
	assert_true(closed);
	OK(store_gap_close(p->st, a, &closed));
	assert_false(closed);
	OK(store_journal_gaps(p->st, &n));
	assert_int_equal(n, 1);
	OK(store_word_add(p->st, a, 9));
	OK(store_word_add(p->st, a, 3));
	OK(store_word_add(p->st, a, 9));
	OK(store_words(p->st, a, &p->a, &words, &count));
	assert_int_equal(count, 2);
	assert_true(words[0] == 3 && words[1] == 9);
	OK(store_words(p->st, b, &p->a, &words, &count));
	assert_int_equal(count, 0);
	OK(store_waiting_set(p->st, 4, true));
	OK(store_waiting_set(p->st, 4, true));
	OK(store_waiting_set(p->st, 5, true));
	OK(store_waiting_set(p->st, 4, false));
	OK(store_waiting_set(p->st, 4, false));
	OK(store_waiting_count(p->st, &n));
	assert_int_equal(n, 1);
	OK(store_waiting_own(p->st, &n)); /* 5 was not sealed here */
	assert_int_equal(n, 0);
	commit(p);
}

static void figures(void **state)
{
	struct place *p = *state;
	struct cell d[] = {{.scope = 1,
	                    .month = 202611,
	                    .kind = 2,
	                    .truth = INT64_MAX,
	                    .stated = 4,
	                    .refused = -1},
	                   {.scope = 1, .month = 202610, .kind = 2, .truth = 1},
	                   {.scope = 2, .month = 202610, .kind = 1, .truth = 7}};
	struct cell *got;
	struct pending *pending;
	size_t count;

	begin(p);
	OK(store_pending_add(p->st, 2, 202611, 1, 5));
	OK(store_pending_add(p->st, 1, 202611, 1, 5));
	OK(store_pending_add(p->st, 1, 202611, 1, -7));
	OK(store_pending_add(p->st, 3, 202611, 1, 7));
	OK(store_pending_add(p->st, 3, 202611, 1, -7));
	OK(store_pending_all(p->st, &p->a, &pending, &count));
	assert_int_equal(count, 2);
	assert_true(pending[0].scope == 1 && pending[0].delta == -2 && pending[0].month == 202611 &&
	            pending[0].kind == 1);
	assert_true(pending[1].scope == 2 && pending[1].delta == 5);
	OK(store_pending_clear(p->st));
	OK(store_pending_all(p->st, &p->a, &pending, &count));
	assert_int_equal(count, 0);
	OK(store_cells_add(p->st, d, 3));
	OK(store_cells_clean(p->st));
	OK(store_cells_dirty(p->st, &p->a, &got, &count));
	assert_int_equal(count, 0);
	d[0].truth = 2; /* past the end and back again: no float in between */
	OK(store_cells_add(p->st, d, 1));
	d[0].truth = -2;
	OK(store_cells_add(p->st, d, 1));
	OK(store_cells_dirty(p->st, &p->a, &got, &count));
	assert_int_equal(count, 1);
	assert_true(got[0].truth == INT64_MAX && got[0].stated == 12 && got[0].refused == -3 &&
	            got[0].dirty);
	OK(store_cells_all(p->st, 1, &p->a, &got, &count));
	assert_int_equal(count, 2);
	assert_true(got[0].month == 202610 && !got[0].dirty);
	OK(store_cells_all(p->st, 0, &p->a, &got, &count));
	assert_int_equal(count, 3);
	commit(p);
}

static void cursors_and_peers(void **state)
{
	struct place *p = *state;
	struct mark marks[] = {{10, {1}, {2}}, {20, {3}, {4}}, {30, {5}, {6}}}, *got;
	struct peer peer = {.run = UINT64_C(0x3fffffffffffffff),
	                    .acked = 1,
	                    .last_contact_ms = 2,
	                    .clock_offset_ms = -3,
	                    .agreed_ms = 4,
	                    .bytes_in = 5,
	                    .bytes_out = 6,
	                    .refused = 7,
	                    .parked = 8,
	                    .unapplied = 9,
	                    .state = {10},
	                    .schema_version = 11,
	                    .protocol = 12,
	                    .restored = true},
	            back, *peers;
	bool known;
	size_t count;

	make_id(1, peer.origin);
	begin(p);
	OK(store_cursor_put(p->st, peer.origin, 1, marks, 3));
	OK(store_cursor_put(p->st, peer.origin, 2, marks + 1, 1));
	OK(store_cursor_put(p->st, peer.origin, 1, marks + 1, 2));
	OK(store_cursor_get(p->st, 1, &p->a, &got, &count));
	assert_int_equal(count, 2);
	assert_memory_equal(got, marks + 1, 2 * sizeof(*marks));
	OK(store_cursor_get(p->st, 3, &p->a, &got, &count));
	assert_int_equal(count, 0);
	OK(store_peer_get(p->st, peer.origin, &back, &known));
	assert_false(known);
	OK(store_peer_put(p->st, &peer));
	peer.acked = 100;
	OK(store_peer_put(p->st, &peer));
	OK(store_peer_get(p->st, peer.origin, &back, &known));
	assert_true(known);
	assert_true(back.run == peer.run && back.acked == 100 && back.last_contact_ms == 2 &&
	            back.clock_offset_ms == -3);
	assert_true(back.agreed_ms == 4 && back.bytes_in == 5 && back.bytes_out == 6 &&
	            back.refused == 7 && back.parked == 8);
	assert_true(back.unapplied == 9 && back.schema_version == 11 && back.protocol == 12 &&
	            back.restored);
	assert_memory_equal(back.state, peer.state, 16);
	OK(store_peers(p->st, &p->a, &peers, &count));
	assert_int_equal(count, 1);
	assert_memory_equal(peers[0].origin, peer.origin, 16);
	commit(p);
}

static void certificates_and_invitations(void **state)
{
	struct place *p = *state;
	struct cert_row c = {.role = 2,
	                     .lanes = 3,
	                     .not_before_ms = 100,
	                     .not_after_ms = 200,
	                     .revoked_ms = 0},
	                *got;
	struct invite i = {.role = 4, .made_ms = 5, .expires_ms = 6}, back, *invites;
	bool known;
	size_t count;

	make_id(1, c.id);
	make_id(2, c.origin);
	make_id(3, c.issuer);
	make_id(4, c.unit);
	make_hash(5, c.link);
	c.body = span_of("signed", 6);
	begin(p);
	OK(store_cert_put(p->st, &c));
	c.role = 9;
	OK(store_cert_put(p->st, &c)); /* known */
	OK(store_cert_by_id(p->st, c.id, &p->a, &got));
	assert_int_equal(got->role, 2);
	assert_true(got->lanes == 3 && got->not_before_ms == 100 && got->not_after_ms == 200 &&
	            got->revoked_ms == 0);
	assert_true(span_equal(got->body, c.body));
	assert_memory_equal(got->link, c.link, 32);
	assert_memory_equal(got->origin, c.origin, 16);
	assert_memory_equal(got->issuer, c.issuer, 16);
	assert_memory_equal(got->unit, c.unit, 16);
	OK(store_cert_revoke(p->st, c.id, 150));
	OK(store_cert_by_id(p->st, c.id, &p->a, &got));
	assert_int_equal(got->revoked_ms, 150);
	make_id(10, c.id);
	c.not_before_ms = 300;
	OK(store_cert_put(p->st, &c));
	make_id(11, c.id);
	c.not_before_ms = 50;
	OK(store_cert_put(p->st, &c));
	OK(store_cert_by_origin(p->st, c.origin, &p->a, &got));
	assert_int_equal(got->not_before_ms, 300);
	OK(store_cert_by_link(p->st, c.link, &p->a, &got));
	assert_int_equal(got->not_before_ms, 300);
	OK(store_cert_by_origin(p->st, c.issuer, &p->a, &got));
	assert_null(got);
	OK(store_certs(p->st, &p->a, &got, &count));
	assert_int_equal(count, 3);
	make_hash(6, i.hash);
	make_id(4, i.unit);
	OK(store_invite_get(p->st, i.hash, &back, &known));
	assert_false(known);
	OK(store_invite_put(p->st, &i));
	i.used_ms = 7;
	make_id(8, i.used_by);
	OK(store_invite_put(p->st, &i));
	OK(store_invite_get(p->st, i.hash, &back, &known));
	assert_true(known && back.role == 4 && back.made_ms == 5 && back.expires_ms == 6 &&
	            back.used_ms == 7);
	assert_memory_equal(back.used_by, i.used_by, 16);
	assert_memory_equal(back.unit, i.unit, 16);
	OK(store_invites(p->st, &p->a, &invites, &count));
	assert_int_equal(count, 1);
	assert_memory_equal(invites[0].hash, i.hash, 32);
	commit(p);
}

static void meta(void **state)
{
	struct place *p = *state;
	struct span s = {(const uint8_t *)"x", 1};

	OK(store_meta_get(p->st, "none", &p->a, &s));
	assert_int_equal(s.len, 0);
	begin(p);
	OK(store_meta_put(p->st, "k", span_of("one", 3)));
	OK(store_meta_put(p->st, "k", span_of("t\0o", 3)));
	OK(store_meta_get(p->st, "k", &p->a, &s));
	assert_true(span_equal(s, span_of("t\0o", 3)));
	commit(p);
}

static void secrets(void **state)
{
	struct place *p = *state;
	struct secret *all;
	struct span s;
	size_t count;

	OK(store_secret_get(p->st, "account:1", &p->a, &s));
	assert_int_equal(s.len, 0);
	begin(p);
	OK(store_secret_put(p->st, "account:2", span_of("two", 3)));
	OK(store_secret_put(p->st, "account:1", span_of("one", 3)));
	OK(store_secret_put(p->st, "account:1", span_of("uno", 3)));
	OK(store_secret_put(p->st, "accounu", span_of("x", 1)));
	OK(store_secret_put(p->st, "session:1", span_of("x", 1)));
	commit(p);
	OK(store_secrets(p->st, "account:", &p->a, &all, &count));
	assert_int_equal(count, 2);
	assert_string_equal(all[0].name, "account:1");
	assert_true(span_equal(all[0].value, span_of("uno", 3)));
	assert_string_equal(all[1].name, "account:2");
	begin(p);
	OK(store_secret_drop(p->st, "account:1"));
	OK(store_secret_drop(p->st, "none"));
	commit(p);
	OK(store_secrets(p->st, "account:", &p->a, &all, &count));
	assert_int_equal(count, 1);
}

static void trail_of_what_was_done(void **state)
{
	static const uint8_t zeros[32], hash[32] = {1, 2, 3};
	struct place *p = *state;
	struct trail_item *items;
	uint8_t got[32];
	uint64_t seq = 9;
	size_t count;

	OK(store_trail_last(p->st, &seq, got));
	assert_int_equal(seq, 0);
	assert_memory_equal(got, zeros, 32);
	begin(p);
	OK(store_trail_append(p->st, 1, span_of("one", 3), zeros));
	OK(store_trail_append(p->st, 2, span_of("two", 3), hash));
	commit(p);
	OK(store_trail_last(p->st, &seq, got));
	assert_int_equal(seq, 2);
	assert_memory_equal(got, hash, 32);
	OK(store_trail_scan(p->st, 0, 1, &p->a, &items, &count));
	assert_int_equal(count, 1);
	assert_true(span_equal(items[0].record, span_of("one", 3)));
	OK(store_trail_scan(p->st, 1, 9, &p->a, &items, &count));
	assert_int_equal(count, 1);
	assert_int_equal(items[0].seq, 2);
	begin(p); /* nothing is written over */
	assert_true(store_trail_append(p->st, 2, span_of("dos", 3), zeros) < 0);
	store_rollback(p->st);
}

/* ---- at rest */

#define CANARY "canary-\xe5\xb7\xbe\xe5\xb8\xbc-7e1f"

static bool file_says(const char *path, const char *word)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes;
	size_t n;
	bool found;

	if (f == NULL) return false;
	bytes = malloc(1 << 24);
	assert_non_null(bytes);
	n = fread(bytes, 1, 1 << 24, f);
	(void)fclose(f);
	found = memmem(bytes, n, word, strlen(word)) != NULL;
	free(bytes);
	return found;
}

/* In the file or its log. */
static bool place_says(const struct place *p, const char *word)
{
	char wal[128];

	(void)snprintf(wal, sizeof(wal), "%s-wal", p->path);
	return file_says(p->path, word) || file_says(wal, word);
}

enum { CANARIES = 7 };

/* One in each thing that lies closed, with a number behind it; one in the open for comparison. */
static void put_canaries(struct place *p, const char *with)
{
	char word[CANARIES][64];
	uint32_t scope;
	struct value v[SLOTS_MAX] = {value_int(1)};
	struct row r = {.v = v};
	struct candidate c = {.table = THING, .lane = LANE_COUNTY, .slot = 1};
	struct entry e[3] = {
	        {.kind = 1, .lane = LANE_COUNTY}, {.kind = 3, .lane = LANE_COUNTY}, {.kind = 1}};
	int64_t recvs[3];
	bool fresh;

	for (int i = 0; i < CANARIES; i++)
		(void)snprintf(word[i], sizeof(word[i]), "%s-%d-%s", CANARY, i, with);
	begin(p);
	scope = scope_of(p, 77);
	make_id((uint32_t)with[0], r.id);
	r.scope = scope;
	v[1] = value_text(word[0]);
	v[2] = value_int(1234567);
	r.extra = span_of(word[1], strlen(word[1]));
	OK(store_rows_insert(p->st, THING, LANE_COUNTY, &r, 1, &fresh));
	assert_true(fresh);
	v[1] = value_text(word[2]);
	OK(store_rows_update(p->st, THING, LANE_COUNTY, &r, &(uint64_t){2}, 1));
	c.scope = scope;
	c.run = 1;
	memcpy(c.row, r.id, 16);
	c.value = value_text(word[3]);
	OK(store_candidates_set(p->st, THING, r.id, LANE_COUNTY, &c, 1));
	OK(store_tail_add(p->st,
	                  &(struct tail_item){.scope = scope,
	                                      .run = 1,
	                                      .lane = LANE_COUNTY,
	                                      .changeset = span_of(word[4], strlen(word[4]))}));
	for (size_t i = 0; i < 3; i++) {
		make_hash((uint32_t)(with[0] * 10 + (int)i), e[i].hash);
		e[i].scope = scope;
		e[i].head = i == 1 ? span_of(word[5], strlen(word[5])) : span_of("head", 4);
		e[i].body = i == 2 ? span_of("open-bird", 9) : span_of(word[6], strlen(word[6]));
	}
	OK(store_journal_append(p->st, e, 3, recvs));
	commit(p);
}

static void look_for_canaries(struct place *p, const char *with)
{
	char word[64];
	uint8_t id[16];
	struct row *r;
	struct candidate *c;
	struct tail_item *t;
	struct entry *e;
	struct row_view *v;
	size_t n;
	int64_t recv = 0;
	uint8_t hash[32];

	make_id((uint32_t)with[0], id);
	OK(store_rows_get(p->st, THING, LANE_COUNTY, (const uint8_t(*)[16])id, 1, &p->a, &r));
	(void)snprintf(word, sizeof(word), "%s-2-%s", CANARY, with);
	assert_true(value_equal(r->v[1], value_text(word)));
	assert_true(value_equal(r->v[2], value_int(1234567)));
	assert_int_equal(r->extra.len, strlen(word));
	struct row_where where[2] = {{&thing_fields[3], value_text(word)},
	                             {&thing_fields[4], value_int(1234567)}};
	OK(store_rows_view(p->st, &thing_new, where, 2, 0, true, NULL, 5, &p->a, &v, &n));
	assert_int_equal(n, 1);
	assert_memory_equal(v[0].id, id, 16);
	where[1].value = value_int(1);
	OK(store_rows_view(p->st, &thing_new, where, 2, 0, true, NULL, 5, &p->a, &v, &n));
	assert_int_equal(n, 0);
	OK(store_candidates_get(p->st, THING, id, LANE_COUNTY, &p->a, &c, &n));
	(void)snprintf(word, sizeof(word), "%s-3-%s", CANARY, with);
	assert_true(n == 1 && value_equal(c[0].value, value_text(word)));
	OK(store_tail_all(p->st, &p->a, &t, &n));
	(void)snprintf(word, sizeof(word), "%s-4-", CANARY);
	for (size_t i = 0; i < n; i++) assert_memory_equal(t[i].changeset.p, word, strlen(word));
	make_hash((uint32_t)(with[0] * 10 + 1), hash);
	OK(store_journal_find(p->st, hash, &recv));
	OK(store_journal_get(p->st, recv, &p->a, &e));
	(void)snprintf(word, sizeof(word), "%s-5-%s", CANARY, with);
	assert_true(span_equal(e->head, span_of(word, strlen(word))));
	(void)snprintf(word, sizeof(word), "%s-6-%s", CANARY, with);
	assert_true(span_equal(e->body, span_of(word, strlen(word))));
}

/* What lay open is closed by the first key, in the file and its log, and comes back; nothing else opens it. */
static void closing_what_lay_open(void **state)
{
	static const uint8_t other_key[32] = {1};
	struct place *p = *state;
	uint8_t salt[16] = {9}, got[32];
	struct tail_item *t;
	struct row *r;
	uint8_t id[16];
	size_t n;

	put_canaries(p, "before");
	assert_true(place_says(p, CANARY));
	assert_false(store_rest_key(p->st, got));
	give_key(p->st);
	assert_true(store_rest_key(p->st, got));
	assert_memory_equal(got, rest_key, 32);
	assert_false(place_says(p, CANARY));
	assert_true(place_says(p, "open-bird")); /* so the search does find what is there */
	look_for_canaries(p, "before");
	put_canaries(p, "after");
	assert_false(place_says(p, CANARY));
	look_for_canaries(p, "after");
	reopen(p, &new_schema);
	assert_true(store_closed(p->st));
	make_id((uint32_t)'a', id);
	assert_int_equal(
	        store_rows_get(p->st, THING, LANE_COUNTY, (const uint8_t(*)[16])id, 1, &p->a, &r),
	        -ERR_CLOSED);
	assert_int_equal(store_tail_all(p->st, &p->a, &t, &n), -ERR_CLOSED);
	begin(p);
	assert_int_equal(
	        store_tail_add(p->st, &(struct tail_item){.lane = 1, .changeset = {id, 4}}),
	        -ERR_CLOSED);
	store_rollback(p->st);
	assert_int_equal(store_rest(p->st, other_key, salt), -ERR_KEYS);
	give_key(p->st);
	look_for_canaries(p, "after");
	assert_false(place_says(p, CANARY));
}

/* A blob of one row in another is not opened there; a byte that is altered neither. */
static void closed_things_stay_in_their_place(void **state)
{
	struct place *p = *state;
	struct buf sql;
	sqlite3 *db = NULL;
	uint8_t id[16];
	struct row *r;

	put_canaries(p, "a");
	put_canaries(p, "b");
	store_close(p->st);
	p->st = NULL;
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	buf_init(&sql, 512);
	buf_text(&sql, "UPDATE thing SET d = (SELECT d FROM thing AS o WHERE o.id < thing.id) "
	               "WHERE d IS NOT "
	               "NULL AND EXISTS (SELECT 1 FROM thing AS o WHERE o.id < thing.id)");
	assert_int_equal(sqlite3_exec(db, buf_cstr(&sql), NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	buf_done(&sql);
	(void)sqlite3_close(db);
	reopen(p, &new_schema);
	make_id((uint32_t)'b', id);
	OK(store_rows_get(p->st, THING, LANE_COUNTY, (const uint8_t(*)[16])id, 1, &p->a, &r));
	assert_int_equal(r->v[1].type,
	                 VALUE_BYTES); /* as it lies there: damage, for who compares */
	assert_null(memmem(r->v[1].s.p, r->v[1].s.len, CANARY, strlen(CANARY)));
}

/* ---- the whole file */

static void backups_and_checks(void **state)
{
	struct place *p = *state;
	struct error err = {0};
	struct buf report;
	struct store *copy = NULL;
	char path[160];
	int64_t recv;
	uint8_t rolling[16];
	FILE *f;

	begin(p);
	scope_of(p, 1);
	for (uint32_t i = 1; i <= 500; i++) append(p, make_entry(i, 1, 0, 0));
	commit(p);
	assert_true(store_disk_free(p->st) > 0);
	(void)snprintf(path, sizeof(path), "%s/copy", p->dir);
	OK(store_backup(p->st, path, &err));
	assert_int_equal(store_backup(p->st, path, &err), -ERR_EXISTS);
	OK(store_open(path, &new_schema, 0, &copy, &err));
	OK(store_journal_head(copy, &recv, rolling));
	assert_int_equal(recv, 500);
	buf_init(&report, 100000);
	OK(store_check(copy, &report));
	assert_int_equal(report.len, 0);
	store_close(copy);
	/* Damage in the journal's pages (the last ones) is found. */
	f = fopen(path, "r+b");
	assert_non_null(f);
	for (long page = 1; page < 10; page++) {
		OK(fseek(f, -page * 4096, SEEK_END));
		for (int i = 0; i < 64; i++) (void)fputc(0xee, f);
	}
	OK(fclose(f));
	OK(store_open(path, &new_schema, 0, &copy, &err));
	OK(store_check(copy, &report));
	assert_true(report.len > 0);
	store_close(copy);
	buf_done(&report);
}

/* Listings that read a whole table because a person asked for the whole table, or that a bound of the
 * design keeps short. */
static const char *const full_listings[] = {
        "scope_list",        /* every scope: the tree for people */
        "peer_list",         /* every peer: the coverage screen */
        "cert_list",         /* for people */
        "invite_list",       /* for people */
        "cell_all",          /* every cell: the report */
        "cell_stated",       /* every cell of a period: coverage */
        "candidate_list",    /* the conflict inbox, in index order and cut by its limit */
        "tail_all",          /* at most 1,000 changesets between two seals */
        "tail_size",         /* the same */
        "tail_records",      /* the same */
        "pending_all",       /* the cells touched between two seals */
        "pending_clear",     /* the same */
        "candidate_recount", /* every candidate: an audit that a person asked for */
        "gap_list",          /* missing segments, cut by its limit */
        "state_all",         /* the digest over all scopes: one row per scope and lane */
        "journal_last",      /* the last row, from the end */
        "trail_last",        /* the same */
        "waiting_own",       /* asked at nodes: the site's segments of which no hub has spoken */
};

static bool is_full_listing(const char *line)
{
	size_t len = strcspn(line, "\t");

	for (size_t i = 0; i < ARRAY_COUNT(full_listings); i++)
		if (strlen(full_listings[i]) == len && strncmp(full_listings[i], line, len) == 0)
			return true;
	return false;
}

static void check_plans(struct store *st)
{
	struct buf plans;
	char *line, *rest = NULL;
	size_t lines = 0, listed = 0;

	buf_init(&plans, 1 << 20);
	OK(store_plans(st, &plans));
	assert_false(plans.full);
	(void)buf_cstr(&plans);
	for (line = strtok_r((char *)plans.p, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		lines++;
		if (strstr(line, "SCAN") == NULL) continue;
		if (!is_full_listing(line)) fail_msg("a table scan: %s", line);
		listed++;
	}
	assert_true(lines > 100);
	assert_true(listed >=
	            ARRAY_COUNT(full_listings) - 2); /* the plans do say SCAN where one is */
	buf_done(&plans);
}

static void plans_use_indexes(void **state)
{
	struct place *p = *state;

	check_plans(p->st);
	/* Ordered and filtered without sorting what grows. */
	{
		struct buf plans;

		buf_init(&plans, 1 << 20);
		OK(store_plans(p->st, &plans));
		assert_non_null(
		        strstr(buf_cstr(&plans),
		               "journal_feed\tSEARCH journal USING COVERING INDEX journal_feed"));
		assert_null(strstr(buf_cstr(&plans), "journal_feed\tUSE TEMP"));
		assert_null(strstr(buf_cstr(&plans), "journal_scope\tUSE TEMP"));
		assert_null(strstr(buf_cstr(&plans), "journal_walk\tUSE TEMP"));
		assert_null(strstr(buf_cstr(&plans), "parked_by_wait\tUSE TEMP"));
		assert_non_null(strstr(buf_cstr(&plans),
		                       "parked_on_row\tSEARCH parked USING COVERING "
		                       "INDEX parked_row"));
		assert_non_null(
		        strstr(buf_cstr(&plans),
		               "row_scan_scope thing.0\tSEARCH thing USING INDEX thing_scope"));
		assert_null(strstr(buf_cstr(&plans), "row_scan_scope thing.0\tUSE TEMP"));
		buf_done(&plans);
	}
}

static void real_schema_opens(void **state)
{
	struct place *p = *state;

	reopen(p, &schema_current); /* beside the small one's tables */
	check_plans(p->st);
}

#define BOTH(TEST)                                                                                 \
	{#TEST " file", TEST, set_up_file, tear_down, NULL},                                       \
	        {#TEST " closed", TEST, set_up_closed, tear_down, NULL},                           \
	{                                                                                          \
#TEST " memory", TEST, set_up_memory, tear_down, NULL                              \
	}
#define ON_FILE(TEST)                                                                              \
	{                                                                                          \
#TEST, TEST, set_up_file, tear_down, NULL                                          \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        ON_FILE(newer_file_is_refused),
	        ON_FILE(damaged_files_are_refused),
	        ON_FILE(older_formats_are_taken_up),
	        ON_FILE(refused_of_format_3),
	        BOTH(older_schema_gets_columns_and_tables),
	        BOTH(values_come_back),
	        BOTH(every_row_is_walked_once),
	        {"a_small_log_stays_short", a_small_log_stays_short, set_up_small, tear_down, NULL},
	        BOTH(lanes_live_apart),
	        BOTH(masks_against_a_model),
	        BOTH(rows_are_joined_in_one_pass),
	        BOTH(unknown_tables_and_lanes_are_held),
	        BOTH(scans_and_views_against_a_model),
	        ON_FILE(arena_bound_is_an_error),
	        BOTH(ordinals),
	        BOTH(rollback_undoes_caches),
	        BOTH(another_connection_is_noticed),
	        ON_FILE(read_only_readers),
	        BOTH(faults_stick),
	        BOTH(rolling_chain),
	        BOTH(feeds_against_a_model),
	        BOTH(state_hashes_add_up),
	        BOTH(tail_and_streams),
	        BOTH(candidates),
	        BOTH(parked_and_refused),
	        BOTH(counts_of_a_feed),
	        BOTH(gaps_words_waiting),
	        BOTH(figures),
	        BOTH(cursors_and_peers),
	        BOTH(certificates_and_invitations),
	        BOTH(meta),
	        ON_FILE(closing_what_lay_open),
	        {"closed_things_stay_in_their_place", closed_things_stay_in_their_place,
	         set_up_closed, tear_down, NULL},
	        BOTH(secrets),
	        BOTH(trail_of_what_was_done),
	        BOTH(backups_and_checks),
	        ON_FILE(plans_use_indexes),
	        ON_FILE(real_schema_opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
