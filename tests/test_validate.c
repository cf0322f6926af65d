/*
 * test_validate.c - a person's words, and what is refused.  Vectors: GB 11643 (the number of the
 * standard's own kind of example and altered digits), GB 32100 (published codes of companies).
 */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/schema.h"
#include "common/validate.h"

enum { VALUES_MAX = 64 };

/* 2024-05-15T12:00:00+08:00 */
static const int64_t now_ms = INT64_C(1715745600000);

static struct span text_span(const char *text)
{
	return span_of(text, strlen(text));
}

/* ---- calendar */

static void test_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t days;
	} good[] = {{"1970-01-01", 0},      {"1969-12-31", -1},     {"2000-02-29", 11016},
	            {"2024-02-29", 19782},  {"1900-03-01", -25508}, {"0001-01-01", -719162},
	            {"9999-12-31", 2932896}};
	static const char *const bad[] = {"",           "2023-02-29",  "1900-02-29",
	                                  "2024-13-01", "2024-00-10",  "2024-01-00",
	                                  "2024-04-31", "2024-1-1",    "2024/01/01",
	                                  "24-01-01",   "2024-01-01 ", "2024-01-011",
	                                  "0000-01-01", "-001-01-01",  "２０２４-01-01"};
	int64_t days;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		assert_true(date_parse(good[i].text, &days));
		assert_true(days == good[i].days);
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		days = 12345;
		if (date_parse(bad[i], &days)) fail_msg("%s is taken for a date", bad[i]);
		assert_true(days == 12345);
	}
	for (days = -800000; days < 3000000; days += 997) {
		int y, m, d;

		date_civil(days, &y, &m, &d);
		assert_true(date_days(y, m, d) == days);
	}
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {{"1970-01-01T00:00:00Z", 0},
	            {"1970-01-01T08:00:00+08:00", 0},
	            {"1970-01-01T08:00", 0},
	            {"1970-01-01 08:00:01", 1000},
	            {"1996-12-19T16:39:57-08:00", INT64_C(851042397000)}, /* RFC 3339, 5.8 */
	            {"1985-04-12T23:20:50.52Z", INT64_C(482196050520)},   /* RFC 3339, 5.8 */
	            {"1937-01-01T12:00:27.87+00:20", INT64_C(-1041337172130)},
	            {"2024-05-15t12:00:00.0009z", INT64_C(1715774400000)}};
	static const char *const bad[] = {"",
	                                  "2024-05-15",
	                                  "2024-05-15T",
	                                  "2024-05-15T24:00:00Z",
	                                  "2024-05-15T12:60",
	                                  "2024-05-15T12:00:61Z",
	                                  "2024-05-15T12:00Z",
	                                  "2024-05-15T12:00:00+8:00",
	                                  "2024-05-15T12:00:00+24:00",
	                                  "2024-05-15T12:00:00.Z",
	                                  "2024-05-15T12:00:00+",
	                                  "2024-02-30T12:00",
	                                  "2024-05-15T12:00:00ZZ",
	                                  "2024-05-15T1:00",
	                                  "x"};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		if (!time_parse(good[i].text, &ms) || ms != good[i].ms)
			fail_msg("%s gives %" PRId64, good[i].text, ms);
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		if (time_parse(bad[i], &ms)) fail_msg("%s is taken for a time", bad[i]);
}

static void expect_time(int64_t ms, const char *text)
{
	struct buf out;

	buf_init(&out, 64);
	time_show(ms, &out);
	assert_string_equal(buf_cstr(&out), text);
	buf_done(&out);
}

static void test_times_shown(void **state)
{
	(void)state;
	expect_time(0, "1970-01-01T08:00:00+08:00");
	expect_time(-1, "1970-01-01T07:59:59.999+08:00");
	expect_time(now_ms, "2024-05-15T12:00:00+08:00");
	expect_time(INT64_MAX, "9223372036854775807");
	expect_time(INT64_MIN, "-9223372036854775808");
	assert_true(month_of_ms(INT64_C(1717171199999)) ==
	            202405); /* 2024-05-31T23:59:59.999+08:00 */
	assert_true(month_of_ms(INT64_C(1717171200000)) == 202406);
	assert_true(month_of_ms(-1) == 197001);
	assert_true(month_of_ms(-28800001) == 196912);
	assert_true(month_of_days(0) == 197001);
	assert_true(month_of_days(-1) == 196912);
	(void)month_of_ms(INT64_MAX);
	(void)month_of_ms(INT64_MIN);
}

/* ---- numbers */

static void test_citizen_id(void **state)
{
	static const char good[] = "11010519491231002X";
	static const char *const bad[] = {
	        "11010519491231002x",  "110105194912310020", "11010519491231002", "",
	        "11010519491231002XX", "1101051949123100 2", "X1010519491231002X"};
	char altered[] = "11010519491231002X";
	int64_t days;

	(void)state;
	assert_true(citizen_id_valid(text_span(good)));
	assert_true(citizen_id_birth(text_span(good), &days));
	assert_true(days == date_days(1949, 12, 31));
	assert_true(citizen_id_valid(text_span("350102201506150014")));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_false(citizen_id_valid(text_span(bad[i])));
	/* Every single altered digit is found: that is what the check character is for. */
	for (size_t i = 0; i < 17; i++) {
		for (char c = '0'; c <= '9'; c++) {
			altered[i] = c;
			assert_int_equal(citizen_id_valid(text_span(altered)), c == good[i]);
		}
		altered[i] = good[i];
	}
	/* So is every exchange of two different neighbours. */
	for (size_t i = 0; i + 1 < 17; i++) {
		altered[i] = good[i + 1];
		altered[i + 1] = good[i];
		assert_int_equal(citizen_id_valid(text_span(altered)), good[i] == good[i + 1]);
		altered[i] = good[i];
		altered[i + 1] = good[i + 1];
	}
	/* The check character fits, the date is none: 29 February 1981. */
	assert_false(citizen_id_valid(text_span("350102198102290010")));
	assert_false(citizen_id_valid(text_span("350102198102290016")));
	assert_true(citizen_id_valid(text_span("350102198002290019")));
}

static void test_uscc(void **state)
{
	static const char *const good[] = {"91350100M000100Y43", "91330100799655058B",
	                                   "9144030071526726XG", "914403001922038216",
	                                   "91110000802100433B"};
	static const char *const bad[] = {"",
	                                  "91350100M000100Y4",
	                                  "91350100M000100Y44",
	                                  "91350100m000100Y43",
	                                  "91350100M000100Y4I",
	                                  "91350100M000010Y43",
	                                  "9133010079965505IB"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) assert_true(uscc_valid(text_span(good[i])));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) assert_false(uscc_valid(text_span(bad[i])));
	assert_false(uscc_valid(span_of("91350100M\000000100Y4", 18)));
}

static void test_division_code_and_mobile(void **state)
{
	(void)state;
	assert_true(division_code_valid(text_span("350000000000")));
	assert_true(division_code_valid(text_span("350527000000")));
	assert_true(division_code_valid(text_span("110101001001")));
	assert_false(division_code_valid(text_span("100000000000")));
	assert_false(division_code_valid(text_span("920000000000")));
	assert_false(division_code_valid(text_span("35000000000")));
	assert_false(division_code_valid(text_span("3500000000000")));
	assert_false(division_code_valid(text_span("35000000000a")));
	assert_true(mobile_valid(text_span("13800138000")));
	assert_true(mobile_valid(text_span("19912345678")));
	assert_false(mobile_valid(text_span("12800138000")));
	assert_false(mobile_valid(text_span("1380013800")));
	assert_false(mobile_valid(text_span("23800138000")));
	assert_false(mobile_valid(text_span("138001380000")));
}

/* ---- words to values */

static int parse(const char *table, const char *field, const char *text, struct arena *a,
                 struct value *ret, struct error *err)
{
	const struct table *t = schema_table_named(&schema_current, table);
	const struct field *f;

	assert_non_null(t);
	f = table_field_named(t, field);
	assert_non_null(f);
	*err = (struct error){0};
	return value_parse(t, f, text, a, ret, err);
}

static void expect_parse(const char *table, const char *field, const char *text, const char *shown)
{
	const struct table *t = schema_table_named(&schema_current, table);
	struct arena a;
	struct value v;
	struct error err;
	struct buf out;

	arena_init(&a, 1 << 20);
	buf_init(&out, 4096);
	if (parse(table, field, text, &a, &v, &err) != 0)
		fail_msg("%s.%s = %s: %d %s", table, field, text, err.code, err.detail);
	value_show(table_field_named(t, field), v, &out);
	assert_string_equal(buf_cstr(&out), shown);
	/* What is shown can be typed again. */
	assert_int_equal(parse(table, field, shown, &a, &v, &err), 0);
	buf_reset(&out);
	value_show(table_field_named(t, field), v, &out);
	assert_string_equal(buf_cstr(&out), shown);
	buf_done(&out);
	arena_done(&a);
}

static void expect_refusal(const char *table, const char *field, const char *text, int code)
{
	struct arena a;
	struct value v = value_int(4711);
	struct error err;
	char name[64];
	int rc;

	arena_init(&a, 1 << 20);
	rc = parse(table, field, text, &a, &v, &err);
	if (rc != -code) fail_msg("%s.%s = %.80s gives %d, not %d", table, field, text, -rc, code);
	assert_int_equal(err.code, code);
	(void)snprintf(name, sizeof name, "%s.%s", table, field);
	assert_string_equal(err.field, name);
	assert_true(v.type == VALUE_INT && v.i == 4711);             /* written only on success */
	if (strlen(text) > 3) assert_null(strstr(err.detail, text)); /* nothing typed is repeated */
	arena_done(&a);
}

static void test_parse(void **state)
{
	(void)state;
	expect_parse("volunteer", "name", "  王秀英　", "王秀英");
	expect_parse("volunteer", "birth", "1980-02-29", "1980-02-29");
	expect_parse("volunteer", "id_no", "11010519491231002x", "11010519491231002X");
	expect_parse("volunteer", "sex", "女", "2");
	expect_parse("volunteer", "sex", "2", "2");
	expect_parse("volunteer", "vstat", "active", "active");
	expect_parse("volunteer", "avail", "8、1，周三", "1,3,8");
	expect_parse("volunteer", "avail", "1,1,1", "1");
	expect_parse("volunteer", "act_interest", "D4 A1", "A1,D4");
	expect_parse("volunteer", "phone", "0591-8755 1234", "0591-8755 1234");
	expect_parse("volunteer", "phone", "13800138000", "13800138000");
	expect_parse("activity", "start", "2024-05-15T09:30", "2024-05-15T09:30:00+08:00");
	expect_parse("activity", "insurance", "是", "1");
	expect_parse("activity", "insurance", "no", "0");
	expect_parse("activity", "capacity", "20", "20");
	expect_parse("activity", "act_closed", "反家庭暴力", "B3");
	expect_parse("figure", "month", "2024-05", "2024-05");
	expect_parse("figure", "value", "-9223372036854775808", "-9223372036854775808");
	expect_parse("figure", "value", "9223372036854775807", "9223372036854775807");
	expect_parse("activity", "team", "018f0000-0000-7000-8000-00000000abcd",
	             "018f0000-0000-7000-8000-00000000abcd");
	expect_parse("activity", "team",
	             "018f00000000700080000000"
	             "0000abcd",
	             "018f0000-0000-7000-8000-00000000abcd");
	expect_parse("device", "origin", "000102030405060708090a0b0c0d0e0f",
	             "000102030405060708090a0b0c0d0e0f");
	expect_parse("team", "name", "", "");
	expect_parse("activity", "capacity", " \t\n", "");
}

static void test_parse_refuses(void **state)
{
	char longer[400];

	(void)state;
	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = 0;
	expect_refusal("volunteer", "name", longer, ERR_TOO_LONG);
	expect_refusal("volunteer", "name", "\xc3\x28", ERR_NOT_UTF8);
	expect_refusal("volunteer", "name", "\xc0\xaf", ERR_NOT_UTF8);         /* over-long */
	expect_refusal("volunteer", "name", "\xed\xa0\x80", ERR_NOT_UTF8);     /* surrogate */
	expect_refusal("volunteer", "name", "\xf4\x90\x80\x80", ERR_NOT_UTF8); /* above U+10FFFF */
	expect_refusal("volunteer", "name", "\xe7\x8e", ERR_NOT_UTF8);         /* cut short */
	expect_refusal("volunteer", "name", "a\x1b[2J", ERR_FIELD_FORM);
	expect_refusal("volunteer", "birth", "1981-02-29", ERR_DATE_FORM);
	expect_refusal("volunteer", "birth", "1850-01-01", ERR_RANGE);
	expect_refusal("volunteer", "id_no", "110105194912310020", ERR_ID_CHECK);
	expect_refusal("volunteer", "sex", "3", ERR_CODE_UNKNOWN);
	expect_refusal("volunteer", "avail", "1,9", ERR_CODE_UNKNOWN);
	expect_refusal("volunteer", "act_interest", "0,B1,D1,D2,D3", ERR_RANGE);
	expect_refusal("volunteer", "phone", "12", ERR_FIELD_FORM);
	expect_refusal("volunteer", "phone", "12800138000", ERR_FIELD_FORM);
	expect_refusal("volunteer", "phone", "call me", ERR_FIELD_FORM);
	expect_refusal("volunteer", "live_area", "35010", ERR_DIVISION_CODE);
	expect_refusal("org_unit", "level", "7", ERR_RANGE);
	expect_refusal("org_unit", "level", "0", ERR_RANGE);
	expect_refusal("activity", "capacity", "-1", ERR_RANGE);
	expect_refusal("activity", "capacity", "twelve", ERR_FIELD_FORM);
	expect_refusal("activity", "insurance", "maybe", ERR_FIELD_FORM);
	expect_refusal("activity", "start", "tomorrow", ERR_DATE_FORM);
	expect_refusal("participation", "minutes", "1441", ERR_OVER_DAY);
	expect_refusal("participation", "minutes", "-5", ERR_RANGE);
	expect_refusal("figure", "month", "2024-13", ERR_DATE_FORM);
	expect_refusal("figure", "month", "2024-5", ERR_DATE_FORM);
	expect_refusal("figure", "value", "9223372036854775808", ERR_FIELD_FORM);
	expect_refusal("figure", "value", "-", ERR_FIELD_FORM);
	expect_refusal("activity", "team", "018f", ERR_FIELD_FORM);
	expect_refusal("device", "origin", "0g", ERR_FIELD_FORM);
	expect_refusal("device", "origin", "abc", ERR_FIELD_FORM);
	expect_refusal("device", "origin", "000102030405060708090a0b0c0d0e0f10", ERR_TOO_LONG);
}

static void test_code_tiers(void **state)
{
	static const char *const closed[] = {"A1", "A5", "B2", "B3", "C1", "C4", "单亲家庭帮扶"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(closed); i++) {
		expect_refusal("activity", "act", closed[i], ERR_CODE_TIER);
		expect_refusal("team", "service_scope", closed[i], ERR_CODE_TIER);
	}
	expect_refusal("team", "service_scope", "D1,B3", ERR_CODE_TIER);
	expect_refusal("figure", "kind", "minutes_closed", ERR_CODE_TIER);
	expect_parse("figure", "closed_kind", "minutes_closed", "minutes_closed");
	expect_parse("activity", "act", "D1", "D1");
	expect_parse("activity", "act_closed", "C4", "C4");
	expect_parse("participation", "act", "B3", "B3");
	expect_parse("team", "service_scope", "X,0", "0,X");
}

static void test_private_text(void **state)
{
	static const char *const private[] = {
	        "联系13800138000",        "13800138000",
	        "电话:138 0013 8000",     "138-0013-8000",
	        "+8613800138000",         "８６１３８００１３８０００",
	        "１３８００１３８０００", "身份证11010519491231002X",
	        "11010519491231002x",     "110105 19491231 002X",
	        "2024-05-15 13800138000", "13800138000 13800138001",
	        "a13800138000b",          "活动0591-87551234或13800138000"};
	static const char *const plain[] = {
	        "社区广场舞",          "编号138001380001",  "110105194912310020",
	        "0591-87551234",       "2024-05-15 09:30",  "12338",
	        "350527000000",        "12800138000",       "第1380013800号",
	        "1101051949123100210", "订单99913800138000"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(private); i++) {
		expect_refusal("activity", "title", private[i], ERR_PRIVATE_TEXT);
		expect_parse("activity", "note", private[i], private[i]); /* T2: not in the open */
	}
	for (size_t i = 0; i < ARRAY_COUNT(plain); i++)
		expect_parse("activity", "title", plain[i], plain[i]);
	expect_refusal("volunteer", "volunteer_no", "11010519491231002X", ERR_PRIVATE_TEXT);
	expect_refusal("org_unit", "contact", "13800138000", ERR_PRIVATE_TEXT);
	expect_parse("org_unit", "contact", "0591-87551234", "0591-87551234");
}

/* Values that come from elsewhere than value_parse. */
static void test_check_foreign_values(void **state)
{
	const struct table *t = schema_table(&schema_current, TABLE_VOLUNTEER);
	const struct field *avail = table_field_named(t, "avail");
	const struct field *name = table_field_named(t, "name");
	const struct field *birth = table_field_named(t, "birth");
	const struct field *leader =
	        table_field_named(schema_table(&schema_current, TABLE_TEAM), "leader");
	struct value with_nul = value_text("ab");

	(void)state;
	assert_int_equal(value_check(t, avail, value_text("1,3,8"), NULL), 0);
	assert_int_equal(value_check(t, avail, value_text("3,1"), NULL), -ERR_FIELD_FORM);
	assert_int_equal(value_check(t, avail, value_text("1,1"), NULL), -ERR_FIELD_FORM);
	assert_int_equal(value_check(t, avail, value_text("1,"), NULL), -ERR_CODE_UNKNOWN);
	assert_int_equal(value_check(t, avail, value_text(",1"), NULL), -ERR_CODE_UNKNOWN);
	assert_int_equal(value_check(t, avail, value_text(""), NULL), -ERR_CODE_UNKNOWN);
	assert_int_equal(value_check(t, name, value_int(1), NULL), -ERR_FIELD_FORM);
	assert_int_equal(value_check(t, birth, value_text("1980-01-01"), NULL), -ERR_FIELD_FORM);
	assert_int_equal(value_check(t, name, value_null(), NULL), 0);
	assert_int_equal(value_check(t, leader, value_bytes("0123456789abcdef", 15), NULL),
	                 -ERR_FIELD_FORM);
	assert_int_equal(value_check(t, leader, value_bytes("0123456789abcdef", 16), NULL), 0);
	with_nul.s = span_of("a\0b", 3);
	assert_int_equal(value_check(t, name, with_nul, NULL), -ERR_FIELD_FORM);
}

/* ---- rows: pairs of field and text, NULL at the end */

static int row(const char *table, struct error *err, va_list pairs)
{
	const struct table *t = schema_table_named(&schema_current, table);
	struct value values[VALUES_MAX] = {{0}};
	struct arena a;
	int rc = 0;

	assert_true(t->fields_count <= VALUES_MAX);
	arena_init(&a, 1 << 20);
	for (const char *name = va_arg(pairs, const char *); name != NULL;
	     name = va_arg(pairs, const char *)) {
		const char *text = va_arg(pairs, const char *);
		const struct field *f = table_field_named(t, name);

		assert_non_null(f);
		if (value_parse(t, f, text, &a, &values[f - t->fields], err) != 0)
			fail_msg("%s.%s = %s: %s", table, name, text, err->detail);
	}
	*err = (struct error){0};
	rc = row_check(t, values, now_ms, err);
	arena_done(&a);
	return rc;
}

static void expect_row(int code, const char *field, const char *table, ...)
{
	struct error err = {0};
	va_list pairs;
	int rc;

	va_start(pairs, table);
	rc = row(table, &err, pairs);
	va_end(pairs);
	if (rc != -code)
		fail_msg("%s: %d (%s %s), not %d", table, -rc, err.field, err.detail, code);
	if (code != 0) assert_string_equal(err.field, field);
}

#define END  ((const char *)NULL)
#define WANG "name", "王秀英", "vstat", "active", "registered", "2024-03-05"

static void test_volunteer_row(void **state)
{
	(void)state;
	expect_row(0, NULL, "volunteer", WANG, END);
	expect_row(ERR_REQUIRED, "volunteer.name", "volunteer", "vstat", "active", "registered",
	           "2024-03-05", END);
	expect_row(ERR_REQUIRED, "volunteer.vstat", "volunteer", "name", "王", "registered",
	           "2024-03-05", END);
	expect_row(ERR_REQUIRED, "volunteer.registered", "volunteer", "name", "王", "vstat",
	           "active", END);
	expect_row(ERR_FUTURE, "volunteer.registered", "volunteer", "name", "王", "vstat", "active",
	           "registered", "2024-05-16", END);
	expect_row(0, NULL, "volunteer", "name", "王", "vstat", "active", "registered",
	           "2024-05-15", END);

	expect_row(0, NULL, "volunteer", WANG, "id_type", "01", "id_no", "11010519491231002X",
	           "birth", "1949-12-31", "sex", "2", END);
	expect_row(ERR_ID_CHECK, "volunteer.birth", "volunteer", WANG, "id_type", "01", "id_no",
	           "11010519491231002X", "birth", "1949-12-30", END);
	expect_row(ERR_ID_CHECK, "volunteer.sex", "volunteer", WANG, "id_type", "01", "id_no",
	           "11010519491231002X", "sex", "1", END);
	expect_row(ERR_ID_CHECK, "volunteer.id_no", "volunteer", WANG, "id_type", "01", "id_no",
	           "E12345678", END);
	expect_row(0, NULL, "volunteer", WANG, "id_type", "05", "id_no", "E12345678", END);
}

static void test_guardian(void **state)
{
	(void)state;
	/* 14 on the day of now_ms: no longer under 14; one day later: still. */
	expect_row(0, NULL, "volunteer", WANG, "birth", "2010-05-15", END);
	expect_row(ERR_GUARDIAN, "volunteer.guardian", "volunteer", WANG, "birth", "2010-05-16",
	           END);
	expect_row(ERR_GUARDIAN, "volunteer.guardian_consent", "volunteer", WANG, "birth",
	           "2010-05-16", "guardian", "母亲", END);
	expect_row(0, NULL, "volunteer", WANG, "birth", "2010-05-16", "guardian", "母亲",
	           "guardian_consent", "2024-03-01", END);
	expect_row(ERR_FUTURE, "volunteer.guardian_consent", "volunteer", WANG, "birth",
	           "2010-05-16", "guardian", "母亲", "guardian_consent", "2024-05-16", END);
	/* The number alone says it too. */
	expect_row(ERR_GUARDIAN, "volunteer.guardian", "volunteer", WANG, "id_type", "01", "id_no",
	           "350102201506150022", END);
	expect_row(ERR_FUTURE, "volunteer.birth", "volunteer", WANG, "birth", "2024-05-16", END);
	expect_row(ERR_RANGE, "volunteer.registered", "volunteer", WANG, "birth", "2024-04-01",
	           "guardian", "母亲", "guardian_consent", "2024-05-01", END);
}

#define DANCE "title", "广场舞", "astat", "published"

static void test_activity_row(void **state)
{
	(void)state;
	expect_row(0, NULL, "activity", DANCE, "act", "D1", "start", "2024-06-01T09:00", END);
	expect_row(0, NULL, "activity", DANCE, "act", "D1", "start", "2024-06-01T09:00", "end",
	           "2024-06-01T11:00", "hh_served", "3", END);
	expect_row(ERR_RANGE, "activity.end", "activity", DANCE, "act", "D1", "start",
	           "2024-06-01T09:00", "end", "2024-06-01T09:00", END);
	expect_row(ERR_REQUIRED, "activity.start", "activity", DANCE, "act", "D1", END);
	expect_row(ERR_REQUIRED, "activity.act", "activity", DANCE, "start", "2024-06-01T09:00",
	           END);
	expect_row(ERR_CODE_TIER, "activity.closed_start", "activity", DANCE, "act", "D1", "start",
	           "2024-06-01T09:00", "closed_start", "2024-06-01T09:00", END);

	expect_row(0, NULL, "activity", "act_closed", "B3", "closed_start", "2024-06-01T09:00",
	           "closed_households", "1", "closed_title", "上门", END);
	expect_row(ERR_REQUIRED, "activity.closed_start", "activity", "act_closed", "B3", END);
	expect_row(ERR_CODE_TIER, "activity.title", "activity", DANCE, "act_closed", "B3",
	           "closed_start", "2024-06-01T09:00", END);
	expect_row(ERR_CODE_TIER, "activity.start", "activity", "act_closed", "B3", "closed_start",
	           "2024-06-01T09:00", "start", "2024-06-01T09:00", END);
	expect_row(ERR_CODE_TIER, "activity.hh_served", "activity", "act_closed", "A1",
	           "closed_start", "2024-06-01T09:00", "hh_served", "1", END);
	expect_row(ERR_CODE_TIER, "activity.act", "activity", "act", "D1", "act_closed", "A1",
	           "closed_start", "2024-06-01T09:00", END);
	expect_row(ERR_CODE_TIER, "activity.act_closed", "activity", "act_closed", "D1",
	           "closed_start", "2024-06-01T09:00", END);
}

#define VISIT                                                                                      \
	"volunteer", "018f0000-0000-7000-8000-00000000abcd", "hsrc", "1", "hstat", "2", "in",      \
	        "2024-05-14T09:00"

static void test_participation_row(void **state)
{
	(void)state;
	expect_row(0, NULL, "participation", VISIT, "minutes", "120", END);
	expect_row(0, NULL, "participation", VISIT, "out", "2024-05-14T11:00", "minutes", "120",
	           END);
	expect_row(ERR_RANGE, "participation.minutes", "participation", VISIT, "out",
	           "2024-05-14T11:00", "minutes", "121", END);
	expect_row(0, NULL, "participation", VISIT, "out", "2024-05-14T11:00", "break_min", "20",
	           "minutes", "100", END);
	expect_row(ERR_RANGE, "participation.minutes", "participation", VISIT, "out",
	           "2024-05-14T11:00", "break_min", "20", "minutes", "101", END);
	expect_row(ERR_RANGE, "participation.out", "participation", VISIT, "out",
	           "2024-05-14T09:00", "minutes", "1", END);
	expect_row(ERR_OVER_DAY, "participation.out", "participation", "volunteer",
	           "018f0000-0000-7000-8000-00000000abcd", "hsrc", "1", "hstat", "2", "in",
	           "2024-05-13T09:00", "out", "2024-05-14T09:01", "minutes", "60", END);
	expect_row(ERR_RANGE, "participation.minutes", "participation", VISIT, "minutes", "0", END);
	expect_row(ERR_REQUIRED, "participation.minutes", "participation", VISIT, END);
	expect_row(ERR_REQUIRED, "participation.volunteer", "participation", "hsrc", "1", "hstat",
	           "2", "in", "2024-05-14T09:00", "minutes", "5", END);
}

static void test_participation_future(void **state)
{
	static const char who[] = "018f0000-0000-7000-8000-00000000abcd";

	(void)state;
	/* Ten minutes are granted to a wrong clock. */
	expect_row(0, NULL, "participation", "volunteer", who, "hsrc", "4", "hstat", "1", "in",
	           "2024-05-15T12:10", "minutes", "0", END);
	expect_row(ERR_FUTURE, "participation.in", "participation", "volunteer", who, "hsrc", "4",
	           "hstat", "1", "in", "2024-05-15T12:11", "minutes", "0", END);
	expect_row(ERR_FUTURE, "participation.out", "participation", "volunteer", who, "hsrc", "1",
	           "hstat", "2", "in", "2024-05-15T11:00", "out", "2024-05-15T12:11", "minutes",
	           "60", END);
	expect_row(ERR_FUTURE, "participation.minutes", "participation", "volunteer", who, "hsrc",
	           "1", "hstat", "2", "in", "2024-05-15T11:00", "minutes", "71", END);
	expect_row(0, NULL, "participation", "volunteer", who, "hsrc", "1", "hstat", "2", "in",
	           "2024-05-15T11:00", "minutes", "70", END);
}

static void test_other_rows(void **state)
{
	static const char id[] = "018f0000-0000-7000-8000-00000000abcd";

	(void)state;
	expect_row(0, NULL, "org_unit", "code", "350102000000", "level", "4", "name", "鼓楼区",
	           END);
	expect_row(ERR_REQUIRED, "org_unit.code", "org_unit", "level", "4", "name", "鼓楼区", END);
	expect_row(ERR_RANGE, "org_unit.valid_to", "org_unit", "code", "350102000000", "level", "4",
	           "name", "鼓楼区", "valid_from", "2024-01-02", "valid_to", "2024-01-01", END);
	expect_row(ERR_RANGE, "team_member.left", "team_member", "team", id, "volunteer", id,
	           "joined", "2024-01-02", "left", "2024-01-01", END);
	expect_row(0, NULL, "team_member", "team", id, "volunteer", id, "joined", "2024-01-02",
	           "left", "2024-01-02", END);
	expect_row(ERR_REQUIRED, "team.name", "team", "team_no", "7", END);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_dates),
	        cmocka_unit_test(test_times),
	        cmocka_unit_test(test_times_shown),
	        cmocka_unit_test(test_citizen_id),
	        cmocka_unit_test(test_uscc),
	        cmocka_unit_test(test_division_code_and_mobile),
	        cmocka_unit_test(test_parse),
	        cmocka_unit_test(test_parse_refuses),
	        cmocka_unit_test(test_code_tiers),
	        cmocka_unit_test(test_private_text),
	        cmocka_unit_test(test_check_foreign_values),
	        cmocka_unit_test(test_volunteer_row),
	        cmocka_unit_test(test_guardian),
	        cmocka_unit_test(test_activity_row),
	        cmocka_unit_test(test_participation_row),
	        cmocka_unit_test(test_participation_future),
	        cmocka_unit_test(test_other_rows),
	};

	return cmocka_run_group_tests_name("validate", tests, NULL, NULL);
}
