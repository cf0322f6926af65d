/*
 * test_later.c - writes that wait for company (store_sqlite_later.c): nobody sees that they waited.
 */
#include <setjmp.h>
#include <stdarg.h>

#include "common/base.h"

#include <cmocka.h>

#include "common/ident.h"
#include "common/store.h"

static struct store *st;
static struct error err;

static int set_up(void **state)
{
	(void)state;
	return store_open("later", &schema_current, STORE_CREATE | STORE_MEMORY_VFS, &st, &err);
}

static int tear_down(void **state)
{
	(void)state;
	store_close(st);
	return 0;
}

static struct value values[64][SLOTS_MAX];

static struct row row_numbered(size_t i)
{
	struct row r = {.scope = 1, .v = values[i % 64]};

	memset(values[i % 64], 0, sizeof(values[0]));
	values[i % 64][0] = value_int(1);
	values[i % 64][7] = value_int((int64_t)i);
	id_make((UINT64_C(1700000000000) + i) << 12, 5, r.id);
	return r;
}

static bool there(size_t i)
{
	struct row r = row_numbered(i), *got = NULL;
	uint8_t ids[1][16];
	struct arena a;
	bool found;

	arena_init(&a, 0);
	memcpy(ids[0], r.id, 16);
	assert_int_equal(store_rows_get(st, TABLE_PARTICIPATION, LANE_COUNTY,
	                                (const uint8_t(*)[16])ids, 1, &a, &got),
	                 0);
	found = got != NULL;
	if (found) assert_int_equal(got->v[7].i, (int64_t)i);
	arena_done(&a);
	return found;
}

static void begin(void)
{
	uint32_t ord;
	uint8_t unit[16] = {3};

	assert_int_equal(store_begin(st), 0);
	assert_int_equal(store_scope_ord(st, unit, true, &ord), 0);
}

/* Rows 0..24; some are there already: at the beginning, in the middle and at the end of a ten, or all of it. */
static void fresh_is_told_row_by_row(void **state)
{
	static const uint32_t sets[] = {0,       1,     1u << 4,
	                                1u << 9, 0x3ff, 1u << 3 | 1u << 4 | 1u << 17 | 1u << 24};
	struct row rows[25];
	bool fresh[25], one;

	(void)state;
	for (size_t s = 0; s < ARRAY_COUNT(sets); s++) {
		begin();
		for (size_t i = 0; i < 25; i++) {
			rows[i] = row_numbered(i);
			if (sets[s] >> i & 1)
				assert_int_equal(store_rows_insert(st, TABLE_PARTICIPATION,
				                                   LANE_COUNTY, &rows[i], 1, &one),
				                 0);
		}
		for (size_t i = 0; i < 25; i++)
			assert_int_equal(store_rows_insert_later(st, TABLE_PARTICIPATION,
			                                         LANE_COUNTY, &rows[i], &fresh[i]),
			                 0);
		assert_int_equal(store_rows_settle(st), 0);
		for (size_t i = 0; i < 25; i++) {
			assert_int_equal(fresh[i], !(sets[s] >> i & 1));
			assert_true(there(i));
		}
		store_rollback(st);
	}
}

/* The same row twice in one ten: once fresh. */
static void twice_is_once(void **state)
{
	struct row rows[10];
	bool fresh[10];

	(void)state;
	begin();
	for (size_t i = 0; i < 10; i++) {
		rows[i] = row_numbered(i == 6 ? 2 : i);
		assert_int_equal(store_rows_insert_later(st, TABLE_PARTICIPATION, LANE_COUNTY,
		                                         &rows[i], &fresh[i]),
		                 0);
	}
	assert_int_equal(store_rows_settle(st), 0);
	for (size_t i = 0; i < 10; i++) assert_int_equal(fresh[i], i != 6);
	store_rollback(st);
}

static void readers_find_what_waits(void **state)
{
	struct row r = row_numbered(1);
	bool fresh = false, known = false;
	uint16_t tables[TABLES_MAX];
	size_t count = 0;

	(void)state;
	begin();
	assert_int_equal(store_row_known(st, TABLE_PARTICIPATION, r.id, &known), 0);
	assert_false(known);
	assert_int_equal(store_rows_insert_later(st, TABLE_PARTICIPATION, LANE_COUNTY, &r, &fresh),
	                 0);
	assert_int_equal(store_row_known(st, TABLE_PARTICIPATION, r.id, &known), 0);
	assert_true(known);
	assert_true(fresh);
	assert_int_equal(store_row_tables(st, r.id, tables, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(store_row_drop(st, TABLE_PARTICIPATION, LANE_COUNTY, r.id), 0);
	assert_int_equal(store_row_known(st, TABLE_PARTICIPATION, r.id, &known), 0);
	assert_false(known);
	store_rollback(st);
}

static void rollback_forgets(void **state)
{
	struct row r = row_numbered(1);
	uint8_t one[STATE_BYTES] = {1}, zero[STATE_BYTES] = {0}, got[STATE_BYTES];
	struct cell c = {.scope = 1, .month = 202501, .kind = 1, .truth = 3}, *cells;
	struct arena a;
	size_t n;
	bool fresh, known;

	(void)state;
	arena_init(&a, 0);
	begin();
	assert_int_equal(store_rows_insert_later(st, TABLE_PARTICIPATION, LANE_COUNTY, &r, &fresh),
	                 0);
	assert_int_equal(store_state_add(st, 1, 1, one), 0);
	assert_int_equal(store_cells_add(st, &c, 1), 0);
	store_rollback(st);
	begin();
	assert_int_equal(store_row_known(st, TABLE_PARTICIPATION, r.id, &known), 0);
	assert_false(known);
	assert_int_equal(store_state_get(st, 1, 1, got), 0);
	assert_memory_equal(got, zero, STATE_BYTES);
	assert_int_equal(store_cells_all(st, 0, &a, &cells, &n), 0);
	assert_int_equal(n, 0);
	store_rollback(st);
	arena_done(&a);
}

/* More cells and state hashes than wait at once; sums are right wherever they are read. */
static void sums_are_right(void **state)
{
	uint8_t one[STATE_BYTES] = {1}, got[STATE_BYTES];
	struct cell *cells;
	struct arena a;
	size_t n;

	(void)state;
	arena_init(&a, 0);
	begin();
	for (uint8_t u = 1; u < 100; u++) {
		uint8_t unit[16] = {3, u};
		uint32_t ord;

		assert_int_equal(store_scope_ord(st, unit, true, &ord), 0);
	}
	for (int64_t round = 0; round < 3; round++)
		for (uint32_t scope = 1; scope <= 100; scope++) {
			assert_int_equal(store_state_add(st, scope, 1, one), 0);
			for (int64_t month = 0; month < 12; month++) {
				struct cell c = {.scope = scope,
				                 .month = 202501 + month,
				                 .kind = 2,
				                 .truth = 1,
				                 .stated = month};

				assert_int_equal(store_cells_add(st, &c, 1), 0);
			}
		}
	assert_int_equal(store_commit(st), 0);
	begin();
	assert_int_equal(store_state_get(st, 57, 1, got), 0);
	assert_int_equal(got[0], 3);
	assert_int_equal(store_state_sum_all(st, 2, got), 0);
	assert_int_equal(got[0] | got[1] << 8, 300);
	assert_int_equal(store_cells_all(st, 0, &a, &cells, &n), 0);
	assert_int_equal(n, 1200);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(cells[i].truth, 3);
		assert_int_equal(cells[i].stated, 3 * (cells[i].month - 202501));
		assert_true(cells[i].dirty);
	}
	store_rollback(st);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(fresh_is_told_row_by_row, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(twice_is_once, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(readers_find_what_waits, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(rollback_forgets, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(sums_are_right, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
