/*
 * test_coverage.c - coverage from what is kept by place (store_fold.sql) is coverage from the rows: random figures and
 * corrections, units that move, change their level and go, devices that come, are revoked and move, in any order.
 */
#include <setjmp.h>
#include <stdarg.h>

#include "common/base.h"

#include <cmocka.h>

#include "common/store_sqlite.h"
#include "hub/coverage.h"
#include "proto/figure.h"
#include "tests/support/scratch.h"

enum { UNITS = 24, DEVICES = 30, ROUNDS = 60, STEPS = 40 };

static struct store *st;
static struct error err;
static char directory[64], path[96];
static uint64_t dice;

#define OK(CALL) assert_int_equal((CALL), 0)

static unsigned below(unsigned n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)(dice >> 20) % n;
}

static void open_new(void)
{
	scratch_make("/tmp", "coverage", directory, sizeof(directory));
	snprintf(path, sizeof(path), "%s/db", directory);
	OK(store_open(path, &schema_current, STORE_CREATE, &st, &err));
}

static void close_and_remove(void)
{
	store_close(st);
	st = NULL;
	OK(scratch_remove(directory));
}

static void id_of(unsigned kind, unsigned n, uint8_t ret[16])
{
	memset(ret, 0, 16);
	ret[0] = 1;
	ret[1] = (uint8_t)kind;
	ret[15] = (uint8_t)n;
	ret[14] = (uint8_t)(n >> 8);
}

/* Written as a merge does: insert, or all slots of the row that is there; alive last. */
static void put(uint16_t table, const uint8_t id[16], uint32_t scope, struct value *v)
{
	struct row row = {.scope = scope, .v = v}, *got = NULL;
	uint8_t ids[1][16];
	uint64_t mask = UINT64_MAX;
	struct arena a;
	bool fresh;

	arena_init(&a, 0);
	memcpy(row.id, id, 16);
	memcpy(ids[0], id, 16);
	OK(store_rows_get(st, table, LANE_OPEN, (const uint8_t(*)[16])ids, 1, &a, &got));
	if (got)
		OK(store_rows_update(st, table, LANE_OPEN, &row, &mask, 1));
	else
		OK(store_rows_insert(st, table, LANE_OPEN, &row, 1, &fresh));
	arena_done(&a);
}

static struct value bytes_of(const uint8_t id[16])
{
	return value_bytes(id, 16);
}

static uint32_t scope_of(unsigned unit)
{
	uint8_t id[16];
	uint32_t ord;

	id_of(1, unit, id);
	OK(store_scope_ord(st, id, true, &ord));
	return ord;
}

/* Mostly a tree; now and then whatever comes. */
static void unit_step(void)
{
	struct value v[SLOTS_MAX] = {0};
	unsigned n = below(UNITS), up = below(UNITS);
	uint8_t id[16], parent[16];
	char code[13];

	id_of(1, n, id);
	id_of(1, below(8) ? up % 6 : up, parent);
	snprintf(code, sizeof(code), "35%010u", n);
	v[0] = value_int(below(12) != 0);
	v[1] = value_text(code);
	v[2] = value_int(n < 2 ? LEVEL_COUNTY : n < 6 ? LEVEL_TOWNSHIP : LEVEL_COMMUNITY);
	if (below(10) == 0) v[2] = value_int(1 + below(LEVEL_COMMUNITY));
	v[3] = value_text("测试");
	if (below(12)) v[5] = bytes_of(parent);
	if (below(15) == 0)
		OK(store_row_drop(st, TABLE_ORG_UNIT, LANE_OPEN, id));
	else
		put(TABLE_ORG_UNIT, id, 1, v);
}

static void device_step(void)
{
	struct value v[SLOTS_MAX] = {0};
	unsigned n = below(DEVICES);
	uint8_t id[16], unit[16];

	id_of(2, n, id);
	id_of(1, below(UNITS), unit);
	v[0] = value_int(below(8) != 0);
	v[1] = bytes_of(id);
	if (below(10)) v[3] = bytes_of(unit);
	if (below(4) == 0) v[6] = value_int(20000);
	put(TABLE_DEVICE, id, 1, v);
}

static int64_t month_drawn(void)
{
	return 202411 + (int64_t)below(2) * 90 + below(2);
}

static int64_t amount_drawn(void)
{
	unsigned n = below(40);

	return n == 0 ? INT64_MAX / 2 : n == 1 ? -(INT64_C(1) << 41) : (int64_t)below(9) - 2;
}

static int64_t stated[UNITS][FIGURE_KINDS][4];

static int64_t *stated_at(unsigned unit, unsigned kind, int64_t month)
{
	return &stated[unit][kind][(month >= 202500) * 2 + month % 2];
}

static void figure_step(void)
{
	struct value v[SLOTS_MAX] = {0};
	unsigned unit = below(UNITS), kind = 1 + below(FIGURE_HOUSEHOLDS);
	int64_t month = month_drawn(), said = amount_drawn(), *was = stated_at(unit, kind, month);
	struct cell c = {.month = month, .kind = kind, .stated = said - *was, .truth = 1};
	uint8_t id[16], org[16];

	id_of(1, unit, org);
	figure_row_id(org, org, month, kind, id);
	c.scope = scope_of(unit);
	v[0] = value_int(1);
	v[1] = bytes_of(org);
	v[2] = value_int(month);
	v[3] = value_text(figure_name(kind));
	v[4] = value_int(said);
	put(TABLE_FIGURE, id, c.scope, v);
	OK(store_cells_add(st, &c, 1));
	*was = said;
}

static void correction_step(void)
{
	static const char *const causes[] = {"refused", "lost", "concurrent"};
	struct value v[SLOTS_MAX] = {0};
	unsigned unit = below(UNITS), kind = 1 + below(FIGURE_HOUSEHOLDS);
	int64_t month = month_drawn();
	const char *cause = causes[below(3)];
	uint8_t id[16], org[16];

	id_of(1, unit, org);
	correction_row_id(org, month, kind, cause, id);
	v[0] = value_int(below(10) != 0);
	v[1] = value_int(month);
	v[2] = value_text(figure_name(kind));
	v[3] = value_text(cause);
	v[4] = value_int(amount_drawn());
	v[5] = value_int(below(3) ? *stated_at(unit, kind, month) : amount_drawn());
	if (below(10) == 0)
		OK(store_row_drop(st, TABLE_CORRECTION, LANE_OPEN, id));
	else
		put(TABLE_CORRECTION, id, scope_of(unit), v);
}

static void compare(int64_t from, int64_t to, unsigned level)
{
	struct tree all = {0}, top = {0};
	struct summary sum = {0}, kept = {0};
	struct coverage_item *x = NULL, *y = NULL;
	struct fold *folds = NULL;
	size_t n = 0, count = 0, again = 0;
	struct arena a;

	arena_init(&a, 0);
	OK(tree_load(st, &a, &all));
	OK(summary_load(st, &a, &sum));
	for (size_t i = 0; i < sum.count; i++)
		if (sum.cells[i].kind <= FIGURE_MINUTES) sum.cells[kept.count++] = sum.cells[i];
	sum.count = kept.count;
	OK(store_folds(st, from, to, &a, &folds, &n));
	OK(tree_load_places(st, folds, n, &a, &top));
	OK(coverage_make(&all, &sum, level, from, to, &a, &x, &count));
	OK(coverage_make_folded(&top, folds, n, level, &a, &y, &again));
	assert_int_equal(again, count);
	for (size_t i = 0; i < count; i++) {
		assert_memory_equal(all.units[x[i].unit].id, top.units[y[i].unit].id, 16);
		assert_int_equal(y[i].sites, x[i].sites);
		assert_int_equal(y[i].with_node, x[i].with_node);
		assert_int_equal(y[i].active, x[i].active);
		assert_int_equal(y[i].volunteers, x[i].volunteers);
		assert_int_equal(y[i].activities, x[i].activities);
		assert_int_equal(y[i].participations, x[i].participations);
		assert_int_equal(y[i].minutes, x[i].minutes);
		assert_int_equal(y[i].settled, x[i].settled);
	}
	arena_done(&a);
}

static void compare_all(void)
{
	int64_t off = 0;

	OK(store_folds_check(st, &off));
	assert_int_equal(off, 0);
	for (unsigned level = LEVEL_COUNTY; level < LEVEL_COMMUNITY; level++) {
		compare(202411, 202502, level);
		compare(202411, 202411, level);
		compare(202412, 202501, level);
		compare(202501, 202501, level);
		compare(0, 999912, level);
	}
}

static void step_drawn(void)
{
	switch (below(8)) {
	case 0:
		unit_step();
		break;
	case 1:
		device_step();
		break;
	case 2:
	case 3:
		correction_step();
		break;
	default:
		figure_step();
		break;
	}
}

static void folds_are_the_rows(void **state)
{
	(void)state;
	dice = 88172645463325252;
	for (unsigned world = 0; world < 3; world++) {
		memset(stated, 0, sizeof(stated));
		open_new();
		for (unsigned round = 0; round < ROUNDS; round++) {
			int64_t before[UNITS][FIGURE_KINDS][4];
			bool undone = below(6) == 0;
			memcpy(before, stated, sizeof(stated));
			OK(store_begin(st));
			for (unsigned i = below(STEPS); i-- > 0;) step_drawn();
			if (round % 3 == 0) compare_all(); /* inside the transaction as well */
			if (undone) {
				store_rollback(st);
				memcpy(stated, before, sizeof(stated));
			} else {
				OK(store_commit(st));
			}
			compare_all();
		}
		close_and_remove();
	}
}

static void run_behind(const char *sql)
{
	sqlite3 *db = NULL;

	OK(sqlite3_open(path, &db));
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	OK(sqlite3_close(db));
}

/* What a hand or a disk did is found, and made anew. */
static void damage_is_found(void **state)
{
	static const char *const hurts[] = {
	        "UPDATE fold SET minutes = minutes + 1",
	        "INSERT INTO fold VALUES(9999, 202501, 1, 0, 0, 0, 0, 0)",
	        "DELETE FROM fold",
	        "UPDATE busy SET months = months - 1",
	        "DELETE FROM busy",
	        "UPDATE leaning SET n = n + 1",
	        "DELETE FROM leaning",
	        "UPDATE scope SET devices = devices + 1",
	        "UPDATE scope SET site = 1 - site",
	};

	(void)state;
	dice = 362436069;
	memset(stated, 0, sizeof(stated));
	open_new();
	OK(store_begin(st));
	for (unsigned i = 0; i < 600; i++) step_drawn();
	OK(store_commit(st));
	for (size_t i = 0; i < ARRAY_COUNT(hurts); i++) {
		int64_t off = 0;
		run_behind(hurts[i]);
		OK(store_folds_check(st, &off));
		assert_true(off > 0);
		OK(store_begin(st));
		OK(store_folds_rebuild(st));
		OK(store_commit(st));
		compare_all();
	}
	close_and_remove();
}

/* A file from before the sums were kept: as an older program left it, rows and cells and none of them. */
static void older_files_are_summed_once(void **state)
{
	(void)state;
	dice = 521288629;
	memset(stated, 0, sizeof(stated));
	open_new();
	OK(store_begin(st));
	for (unsigned i = 0; i < 600; i++) step_drawn();
	OK(store_commit(st));
	store_close(st);
	{
		static const char list[] = "SELECT 'DROP ' || type || ' ' || name FROM "
		                           "sqlite_schema WHERE type = 'trigger' AND "
		                           "sql NOT LIKE '%tally%' UNION ALL SELECT 'DROP VIEW ' "
		                           "|| name FROM sqlite_schema "
		                           "WHERE type = 'view'";
		char drops[64][80];
		size_t n = 0;
		sqlite3 *db = NULL;
		sqlite3_stmt *s = NULL;
		OK(sqlite3_open(path, &db));
		OK(sqlite3_prepare_v2(db, list, -1, &s, NULL));
		while (sqlite3_step(s) == SQLITE_ROW)
			snprintf(drops[n++], sizeof(drops[0]), "%s",
			         (const char *)sqlite3_column_text(s, 0));
		sqlite3_finalize(s);
		OK(sqlite3_close(db));
		assert_true(n > 10);
		for (size_t i = 0; i < n; i++) run_behind(drops[i]);
	}
	run_behind("DROP TABLE fold");
	run_behind("DROP TABLE busy");
	run_behind("DROP TABLE leaning");
	run_behind("DROP INDEX scope_fold");
	run_behind("ALTER TABLE scope DROP COLUMN fold");
	run_behind("ALTER TABLE scope DROP COLUMN site");
	run_behind("ALTER TABLE scope DROP COLUMN devices");
	run_behind("DELETE FROM cell WHERE stated = 0 AND truth = 0");
	run_behind("ALTER TABLE cell DROP COLUMN corrected");
	run_behind("ALTER TABLE cell DROP COLUMN unsettled");
	run_behind("PRAGMA user_version = 2");
	OK(store_open(path, &schema_current, 0, &st, &err));
	compare_all();
	OK(store_begin(st));
	for (unsigned i = 0; i < 300; i++) step_drawn();
	OK(store_commit(st));
	compare_all();
	close_and_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(folds_are_the_rows),
	        cmocka_unit_test(damage_is_found),
	        cmocka_unit_test(older_files_are_summed_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
