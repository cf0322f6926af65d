/*
 * test_schema.c - the descriptors: sound, complete, and the same as what is made from them.
 * `make check S=schema` compares common/DICTIONARY.md with what the program prints; when the tables have
 * changed on purpose, JINGUO_WRITE_DICTIONARY=1 writes it anew.
 */
#include "common/base.h"

#include <jansson.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/codes.h"
#include "common/schema.h"

enum { TEXT_MAX = 1 << 20 };

static void test_check_passes(void **state)
{
	const char *bad = schema_check(&schema_current);

	(void)state;
	if (bad != NULL) fail_msg("%s", bad);
	assert_int_equal(schema_current.version, SCHEMA_VERSION);
}

/* The numbers are a contract of the wire: written down here a second time. */
static void test_numbers(void **state)
{
	static const struct {
		uint16_t table;
		uint8_t number;
		const char *table_name, *name;
	} contract[] = {
	        {1, 4, "org_unit", "code"},
	        {1, 8, "org_unit", "level"},
	        {1, 12, "org_unit", "name"},
	        {1, 20, "org_unit", "parent"},
	        {2, 4, "site", "name"},
	        {2, 12, "site", "star"},
	        {3, 4, "device", "origin"},
	        {3, 8, "device", "role"},
	        {3, 12, "device", "org"},
	        {4, 4, "volunteer", "volunteer_no"},
	        {4, 8, "volunteer", "star"},
	        {4, 5, "volunteer", "name"},
	        {4, 21, "volunteer", "id_no"},
	        {4, 73, "volunteer", "vstat"},
	        {4, 77, "volunteer", "registered"},
	        {5, 8, "team", "name"},
	        {5, 5, "team", "leader"},
	        {6, 5, "team_member", "team"},
	        {6, 9, "team_member", "volunteer"},
	        {7, 8, "activity", "title"},
	        {7, 12, "activity", "act"},
	        {7, 28, "activity", "start"},
	        {7, 48, "activity", "astat"},
	        {7, 56, "activity", "hh_served"},
	        {7, 5, "activity", "act_closed"},
	        {7, 9, "activity", "closed_start"},
	        {7, 13, "activity", "closed_households"},
	        {8, 5, "participation", "volunteer"},
	        {8, 9, "participation", "activity"},
	        {8, 13, "participation", "act"},
	        {8, 17, "participation", "in"},
	        {8, 21, "participation", "out"},
	        {8, 29, "participation", "minutes"},
	        {8, 37, "participation", "hstat"},
	        {9, 4, "figure", "origin"},
	        {9, 8, "figure", "month"},
	        {9, 12, "figure", "kind"},
	        {9, 16, "figure", "value"},
	        {9, 5, "figure", "closed_origin"},
	        {9, 9, "figure", "closed_month"},
	        {9, 13, "figure", "closed_kind"},
	        {9, 17, "figure", "closed_value"},
	        {10, 4, "correction", "month"},
	        {10, 8, "correction", "kind"},
	        {10, 12, "correction", "cause"},
	        {10, 16, "correction", "value"},
	        {10, 20, "correction", "base"},
	        {10, 24, "correction", "detail"},
	        {10, 5, "correction", "closed_month"},
	        {10, 25, "correction", "closed_detail"},
	        {11, 4, "statement", "quarter"},
	        {11, 8, "statement", "service"},
	        {11, 12, "statement", "metric"},
	        {11, 16, "statement", "value"},
	        {12, 4, "objection", "correction"},
	        {12, 8, "objection", "reason"},
	        {12, 12, "objection", "answer"},
	        {12, 5, "objection", "closed_correction"},
	        {12, 9, "objection", "closed_reason"},
	        {12, 13, "objection", "closed_answer"},
	        {20, 4, "account", "person"},
	        {20, 8, "account", "key"},
	        {20, 12, "account", "roles"},
	        {20, 16, "account", "disabled"},
	        {20, 5, "account", "login"},
	        {20, 9, "account", "name"},
	        {21, 4, "trail_head", "origin"},
	        {21, 8, "trail_head", "seq"},
	        {21, 12, "trail_head", "head"},
	        {21, 16, "trail_head", "by"},
	        {22, 4, "recovery_key", "key"},
	        {23, 4, "person_cert", "person"},
	        {23, 8, "person_cert", "key"},
	        {23, 12, "person_cert", "roles"},
	        {24, 4, "review_step", "of"},
	        {24, 8, "review_step", "verdict"},
	        {24, 12, "review_step", "opinion"},
	        {24, 16, "review_step", "step"},
	        {30, 4, "arrival", "device"},
	        {30, 8, "arrival", "hub"},
	        {30, 12, "arrival", "seal"},
	        {30, 16, "arrival", "parts"},
	        {40, 4, "officer", "cert"},
	        {40, 8, "officer", "officer"},
	        {41, 5, "restricted_case", "case_no"},
	        {41, 9, "restricted_case", "act"},
	        {41, 13, "restricted_case", "risk"},
	        {41, 17, "restricted_case", "next_visit"},
	        {41, 21, "restricted_case", "state"},
	        {42, 6, "case_record", "of"},
	        {42, 10, "case_record", "sealed"},
	        {43, 6, "case_key", "of"},
	        {43, 10, "case_key", "sealed"},
	        {44, 4, "broken_glass", "by"},
	        {44, 8, "broken_glass", "reason"},
	        {44, 12, "broken_glass", "records"},
	        {50, 5, "withdrawal", "person"},
	        {50, 9, "withdrawal", "withdrawn"},
	        {51, 4, "erasure", "target"},
	        {51, 8, "erasure", "cause"},
	};

	(void)state;
	assert_int_equal(schema_current.tables_count, 25);
	for (size_t i = 0; i < ARRAY_COUNT(contract); i++) {
		const struct table *t = schema_table(&schema_current, contract[i].table);
		const struct field *f;

		assert_non_null(t);
		assert_string_equal(t->name, contract[i].table_name);
		assert_ptr_equal(schema_table_named(&schema_current, contract[i].table_name), t);
		f = table_field(t, contract[i].number);
		assert_non_null(f);
		assert_string_equal(f->name, contract[i].name);
		assert_ptr_equal(table_field_named(t, contract[i].name), f);
		assert_ptr_equal(table_slot(t, contract[i].number & 3u, contract[i].number >> 2),
		                 f);
	}
}

static void test_lookups_of_unknown(void **state)
{
	const struct table *t = schema_table(&schema_current, TABLE_VOLUNTEER);

	(void)state;
	assert_null(schema_table(&schema_current, 0));
	assert_null(schema_table(&schema_current, 13));
	assert_null(schema_table(&schema_current, 65535));
	assert_null(schema_table_named(&schema_current, "volunteers"));
	assert_null(table_field(t, 0));
	assert_null(table_field(t, 1));
	assert_null(table_field(t, 255));
	assert_null(table_field_named(t, "id"));
	assert_null(table_slot(t, LANE_OPEN, 0));
	assert_null(table_slot(t, LANE_SEALED, 1));
	assert_null(table_slot(t, 4, 1));
	assert_null(table_slot(t, LANE_COUNTY, 64));
}

static void test_slots(void **state)
{
	const struct table *volunteer = schema_table(&schema_current, TABLE_VOLUNTEER);
	const struct table *member = schema_table(&schema_current, TABLE_TEAM_MEMBER);
	const struct table *activity = schema_table(&schema_current, TABLE_ACTIVITY);
	const struct table *participation = schema_table(&schema_current, TABLE_PARTICIPATION);

	(void)state;
	assert_true(table_slots(volunteer, LANE_OPEN) == 7); /* alive, volunteer_no, star */
	assert_true(table_slots(member, LANE_OPEN) == 0);
	assert_true(table_slots(member, LANE_COUNTY) == 0x7f);
	assert_true(table_slots(participation, LANE_OPEN) == 0);
	assert_true(table_slots(volunteer, LANE_SEALED) == 0);
	assert_true(table_figure_slots(volunteer, LANE_OPEN) == 0);
	assert_true(table_figure_slots(volunteer, LANE_COUNTY) ==
	            (1 | UINT64_C(1) << (73 >> 2) | UINT64_C(1) << (77 >> 2)));
	assert_true(table_figure_slots(activity, LANE_OPEN) ==
	            (1 | 1u << (12 >> 2) | 1u << (28 >> 2) | 1u << (48 >> 2) | 1u << (56 >> 2)));
	assert_true(table_figure_slots(activity, LANE_COUNTY) == (1 | 1u << 1 | 1u << 2 | 1u << 3));
	assert_true(table_figure_slots(participation, LANE_COUNTY) ==
	            (1 | 1u << (13 >> 2) | 1u << (17 >> 2) | 1u << (29 >> 2) | 1u << (37 >> 2)));
	assert_true(table_figure_slots(member, LANE_COUNTY) == 0);
}

/* Written without the helpers of schema.c: the ceiling of each tier, for every field there is. */
static void test_lanes_fit_tiers(void **state)
{
	size_t fields = 0;

	(void)state;
	for (size_t i = 0; i < schema_current.tables_count; i++) {
		const struct table *t = schema_current.tables[i];

		for (size_t j = 0; j < t->fields_count; j++, fields++) {
			unsigned lane = t->fields[j].number % 4;

			if (t->fields[j].tier <= 1)
				assert_int_equal(lane, 0);
			else if (t->fields[j].tier <= 3)
				assert_int_equal(lane, 1);
			else
				assert_int_equal(lane, 2);
		}
	}
	assert_true(fields > 90);
}

static void test_code_tiers(void **state)
{
	static const char *const closed[] = {"A1", "A2", "A3", "A4", "A5", "B2",
	                                     "B3", "C1", "C2", "C3", "C4"};
	static const char *const open[] = {"0", "B1", "D1", "D2", "D3", "D4", "X"};

	(void)state;
	assert_int_equal(codes_act.count, ARRAY_COUNT(closed) + ARRAY_COUNT(open));
	for (size_t i = 0; i < ARRAY_COUNT(closed); i++)
		assert_int_equal(code_find(&codes_act, span_of(closed[i], 2))->tier, 3);
	for (size_t i = 0; i < ARRAY_COUNT(open); i++)
		assert_int_equal(code_find(&codes_act, span_of(open[i], strlen(open[i])))->tier, 1);
	for (size_t i = 0; i < codes_household.count; i++)
		assert_int_equal(codes_household.codes[i].tier, 3);
	assert_null(code_find(&codes_act, span_of("A", 1)));
	assert_null(code_find(&codes_act, span_of("A1 ", 3)));
	assert_null(code_find(&codes_act, span_of("", 0)));
	assert_null(code_find(&codes_act, span_of(NULL, 0)));
}

/* ---- the self-check notices: one good table, and one defect at a time */

static struct schema one_table(struct table *t, const struct table *ret_list[1])
{
	ret_list[0] = t;
	return (struct schema){.version = 1, .tables = ret_list, .tables_count = 1};
}

static const struct field good_fields[] = {
        {.number = 4,
         .type = FIELD_TEXT,
         .name = "name",
         .zh = "名",
         .en = "name",
         .tier = 1,
         .source = "test"},
        {.number = 5,
         .type = FIELD_CODE,
         .name = "kind",
         .zh = "类",
         .en = "kind",
         .tier = 2,
         .codes = &codes_act,
         .source = "test"},
};

static void damage(size_t which, struct table *t, struct field f[2])
{
	switch (which) {
	case 0:
		f[0].tier = 2;
		break; /* personal in the open lane */
	case 1:
		f[1].tier = 1;
		break; /* open in the county lane */
	case 2:
		f[1].tier = 4;
		break;
	case 3:
		f[0].number = 7;
		break; /* reserved lane */
	case 4:
		f[0].number = 0;
		break; /* alive */
	case 5:
		f[1].number = 4, f[1].tier = 1;
		break; /* twice */
	case 6:
		f[1].name = "name";
		break;
	case 7:
		f[0].name = "scope";
		break; /* a column of the engine */
	case 8:
		f[0].name = "alive1";
		break;
	case 9:
		f[0].name = "a\" TEXT); DROP TABLE x; --";
		break;
	case 10:
		f[0].zh = NULL;
		break;
	case 11:
		f[0].en = "";
		break;
	case 12:
		f[0].source = NULL;
		break;
	case 13:
		f[0].codes = &codes_sex;
		break; /* a list on a text */
	case 14:
		f[1].codes = NULL;
		break;
	case 15:
		f[0].type = FIELD_REF;
		break; /* no target */
	case 16:
		f[0].type = FIELD_REF, f[0].ref_table = 9;
		break; /* unknown target */
	case 17:
		f[0].ref_table = 1;
		break; /* a target on a text */
	case 18:
		f[0].merge = MERGE_OWNED;
		break; /* no owner */
	case 19:
		f[0].owner_level = 4;
		break;
	case 20:
		f[0].len_max = VALUE_BYTES_MAX + 1;
		break;
	case 21:
		f[0].min = 1;
		break;
	case 22:
		f[0].rule = "unheard_of";
		break;
	case 23:
		f[0].number = 4, f[0].type = FIELD_CODE, f[0].codes = &codes_household;
		break; /* no open code */
	case 24:
		t->writer_levels = 0;
		break;
	case 25:
		t->writer_levels = 1 << 7;
		break;
	case 26:
		t->source = NULL;
		break;
	case 27:
		t->number = 0;
		break;
	case 28:
		t->fields_count = 0;
		break;
	case 29:
		t->name = "Upper";
		break;
	case 30:
		f[0].type = FIELD_REF, f[0].ref_table = 1, t->fields = f + 0;
		break; /* good: to itself */
	default:
		fail();
	}
}

static void test_check_notices(void **state)
{
	enum { DEFECTS = 30 };

	(void)state;
	for (size_t which = 0; which <= DEFECTS; which++) {
		struct field f[2] = {good_fields[0], good_fields[1]};
		struct table t = {.number = 1,
		                  .kind = TABLE_FIELD,
		                  .name = "thing",
		                  .zh = "物",
		                  .en = "thing",
		                  .fields = f,
		                  .fields_count = 2,
		                  .writer_levels = 1 << 6,
		                  .source = "test"};
		const struct table *list[1];
		struct schema s = one_table(&t, list);
		const char *bad = schema_check(&s);

		if (bad != NULL) fail_msg("before any defect: %s", bad);
		damage(which, &t, f);
		bad = schema_check(&s);
		if (which < DEFECTS && bad == NULL) fail_msg("defect %zu is not noticed", which);
		if (which == DEFECTS && bad != NULL) fail_msg("a reference to itself: %s", bad);
	}
}

/* An open field must not refer to a table that is only in the county lane: it would park for ever. */
static void test_check_notices_short_reach(void **state)
{
	struct field open_field = {.number = 4,
	                           .type = FIELD_REF,
	                           .name = "member",
	                           .zh = "员",
	                           .en = "member",
	                           .tier = 1,
	                           .ref_table = TABLE_TEAM_MEMBER,
	                           .source = "test"};
	struct table t = {.number = 200,
	                  .kind = TABLE_FIELD,
	                  .name = "thing",
	                  .zh = "物",
	                  .en = "thing",
	                  .fields = &open_field,
	                  .fields_count = 1,
	                  .writer_levels = 1 << 6,
	                  .source = "test"};
	const struct table *list[11];
	struct schema s = {.version = 1, .tables = list, .tables_count = 11};

	(void)state;
	for (size_t i = 0; i < 10; i++) list[i] = schema_current.tables[i];
	list[10] = &t;
	assert_non_null(schema_check(&s));
	open_field.number = 5;
	open_field.tier = 2;
	assert_null(schema_check(&s));
	open_field.number = 4;
	open_field.tier = 1;
	open_field.ref_table = TABLE_VOLUNTEER; /* has open fields */
	assert_null(schema_check(&s));
	assert_ptr_equal(schema_table(&s, 200), &t); /* numbers with gaps are found */
}

/* ---- DDL */

static sqlite3 *database_with_tables(void)
{
	sqlite3 *db = NULL;
	char *message = NULL;
	struct buf ddl;

	buf_init(&ddl, TEXT_MAX);
	schema_ddl(&schema_current, &ddl);
	assert_false(ddl.full);
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	if (sqlite3_exec(db, buf_cstr(&ddl), NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s in: %s", message, buf_cstr(&ddl));
	buf_done(&ddl);
	return db;
}

static void expect_columns(sqlite3 *db, const struct table *t)
{
	static const char *const stems[] = {"alive", "clock", "extra"};
	char sql[128], name[16];
	sqlite3_stmt *stmt = NULL;

	(void)snprintf(sql, sizeof sql,
	               "SELECT name, type, \"notnull\", pk FROM pragma_table_info('%s')", t->name);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(stmt, 0), "id");
	assert_int_equal(sqlite3_column_int(stmt, 2), 1);
	assert_int_equal(sqlite3_column_int(stmt, 3), 1);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(stmt, 0), "scope");
	for (size_t i = 0; i < t->fields_count; i++) {
		assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
		assert_string_equal(sqlite3_column_text(stmt, 0), t->fields[i].name);
		assert_int_equal(sqlite3_column_int(stmt, 2), 0);
	}
	for (size_t s = 0; s < 3; s++) {
		for (unsigned lane = 0; lane < 3; lane++) {
			if (table_slots(t, lane) == 0) continue;
			(void)snprintf(name, sizeof name, "%s%u", stems[s], lane);
			assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
			assert_string_equal(sqlite3_column_text(stmt, 0), name);
			assert_string_equal(sqlite3_column_text(stmt, 1), "BLOB");
		}
	}
	assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
	sqlite3_finalize(stmt);
}

static void expect_index(sqlite3 *db, const char *table, const char *last, const char *second)
{
	char sql[160];
	sqlite3_stmt *stmt = NULL;

	(void)snprintf(sql, sizeof sql,
	               "SELECT name FROM pragma_index_info('%s_%s') ORDER BY seqno", table, last);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(stmt, 0), "scope");
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(stmt, 0), second);
	assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
	sqlite3_finalize(stmt);
}

static void test_ddl_opens(void **state)
{
	sqlite3 *db = database_with_tables();

	(void)state;
	for (size_t i = 0; i < schema_current.tables_count; i++) {
		const struct table *t = schema_current.tables[i];

		expect_columns(db, t);
		expect_index(db, t->name, "scope", "id");
		for (size_t j = 0; j < t->fields_count; j++)
			if (t->fields[j].indexed)
				expect_index(db, t->name, t->fields[j].name, t->fields[j].name);
	}
	assert_int_equal(
	        sqlite3_exec(db,
	                     "INSERT INTO participation(id, scope, \"in\", \"out\", alive1) "
	                     "VALUES(x'01', 1, 5, 6, 1)",
	                     NULL, NULL, NULL),
	        SQLITE_OK);
	assert_int_equal(
	        sqlite3_exec(db, "INSERT INTO participation(id, scope, alive0) VALUES(x'02', 1, 1)",
	                     NULL, NULL, NULL),
	        SQLITE_ERROR); /* no open lane there */
	sqlite3_close(db);
}

/* ---- JSON and the data dictionary */

static void test_json(void **state)
{
	struct buf out;
	json_error_t error;
	json_t *root, *tables, *field;

	(void)state;
	buf_init(&out, TEXT_MAX);
	schema_json(&schema_current, &out);
	assert_false(out.full);
	root = json_loadb((const char *)out.p, out.len, JSON_REJECT_DUPLICATES, &error);
	if (root == NULL) fail_msg("line %d column %d: %s", error.line, error.column, error.text);
	tables = json_object_get(root, "tables");
	assert_int_equal(json_array_size(tables), schema_current.tables_count);
	assert_int_equal(json_object_size(json_object_get(root, "codes")), code_lists_count);
	for (size_t i = 0; i < schema_current.tables_count; i++) {
		const struct table *t = schema_current.tables[i];
		json_t *fields = json_object_get(json_array_get(tables, i), "fields");

		assert_int_equal(json_array_size(fields), t->fields_count);
		for (size_t j = 0; j < t->fields_count; j++) {
			field = json_array_get(fields, j);
			assert_string_equal(json_string_value(json_object_get(field, "name")),
			                    t->fields[j].name);
			assert_string_equal(json_string_value(json_object_get(field, "zh")),
			                    t->fields[j].zh);
			assert_int_equal(json_integer_value(json_object_get(field, "number")),
			                 t->fields[j].number);
			if (t->fields[j].codes == NULL) continue;
			assert_non_null(json_object_get(
			        json_object_get(root, "codes"),
			        json_string_value(json_object_get(field, "codes"))));
		}
	}
	json_decref(root);
	buf_done(&out);
}

static void test_dictionary_is_committed(void **state)
{
	static const char path[] = "common/DICTIONARY.md";
	struct buf out;
	char *text;
	size_t len;
	FILE *file;

	(void)state;
	buf_init(&out, TEXT_MAX);
	schema_markdown(&schema_current, &out);
	assert_false(out.full);
	assert_true(out.len > 10000);
	if (getenv("JINGUO_WRITE_DICTIONARY") != NULL) {
		file = fopen(path, "wb");
		assert_non_null(file);
		assert_int_equal(fwrite(out.p, 1, out.len, file), out.len);
		assert_int_equal(fclose(file), 0);
	}
	file = fopen(path, "rb");
	if (file == NULL) fail_msg("%s cannot be read; suites run at the top of the tree", path);
	text = mem_alloc(TEXT_MAX);
	len = fread(text, 1, TEXT_MAX, file);
	(void)fclose(file);
	assert_int_equal(len, out.len);
	assert_memory_equal(text, out.p, len);
	free(text);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_check_passes),
	        cmocka_unit_test(test_numbers),
	        cmocka_unit_test(test_lookups_of_unknown),
	        cmocka_unit_test(test_slots),
	        cmocka_unit_test(test_lanes_fit_tiers),
	        cmocka_unit_test(test_code_tiers),
	        cmocka_unit_test(test_check_notices),
	        cmocka_unit_test(test_check_notices_short_reach),
	        cmocka_unit_test(test_ddl_opens),
	        cmocka_unit_test(test_json),
	        cmocka_unit_test(test_dictionary_is_committed),
	};

	return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
