/*
 * test_division.c - the division file: the shipped one, the known unclean ones, and hostile ones.
 */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/division.h"

#define HEADER "code\tlevel\tname\tparent_code\n"
#define FUJIAN "350000000000\t2\t福建省\t\n"

/* The whole output of a command; the caller frees. */
static uint8_t *output_of(const char *command, size_t *ret_len)
{
	size_t room = 4 << 20, len = 0, n;
	uint8_t *p = mem_alloc(room);
	FILE *pipe = popen(command, "r");

	assert_non_null(pipe);
	while ((n = fread(p + len, 1, room - len, pipe)) > 0) len += n;
	assert_int_equal(pclose(pipe), 0);
	assert_true(len < room);
	*ret_len = len;
	return p;
}

/* True of every list, whatever the file was. */
static void expect_sound(const struct division_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct division *d = &l->items[i];

		assert_true(d->level >= 2 && d->level <= 6);
		assert_int_equal(strlen(d->code), 12);
		assert_true(d->name.len > 0 && d->name.len <= DIVISION_NAME_BYTES_MAX);
		assert_true(d->parent >= -1 && d->parent < (int64_t)i);
		if (d->parent >= 0) assert_true(l->items[d->parent].level < d->level);
		if (i > 0) assert_true(l->items[i - 1].level <= d->level);
	}
	assert_true(l->problems_count <= DIVISION_PROBLEMS_MAX);
	assert_true(l->problems_count <= l->problems_total);
	for (size_t i = 0; i < l->problems_count; i++)
		assert_true(strlen(l->problems[i].text) > 10);
}

static void parse(const char *text, size_t len, struct arena *a, struct division_list *ret)
{
	struct error err = {0};

	arena_init(a, 256u << 20);
	if (division_parse(span_of(text, len), a, ret, &err) != 0) fail_msg("%s", err.detail);
	expect_sound(ret);
}

static void parse_text(const char *text, struct arena *a, struct division_list *ret)
{
	parse(text, strlen(text), a, ret);
}

static void expect_refused(const char *text, size_t len)
{
	struct division_list list = {.count = 4711};
	struct error err = {0};
	struct arena a;

	arena_init(&a, 256u << 20);
	assert_int_equal(division_parse(span_of(text, len), &a, &list, &err), -ERR_FILE_FORM);
	assert_int_equal(err.code, ERR_FILE_FORM);
	assert_int_equal(list.count, 4711); /* written only on success */
	arena_done(&a);
}

static void expect_problem(const struct division_list *l, size_t i, uint32_t line,
                           enum division_problem_kind kind)
{
	assert_true(i < l->problems_count);
	assert_int_equal(l->problems[i].line, line);
	assert_int_equal(l->problems[i].kind, kind);
}

static void test_fujian(void **state)
{
	static const size_t expected[] = {0, 0, 1, 9, 84, 1170, 17498};
	size_t counts[7] = {0}, len, seen = 0;
	uint8_t *file = output_of("zcat deploy/data/divisions-35-fujian.tsv.gz", &len);
	struct division_list list;
	struct arena a;

	(void)state;
	parse((const char *)file, len, &a, &list);
	assert_int_equal(list.count, 18762);
	for (size_t i = 0; i < list.count; i++) counts[list.items[i].level]++;
	for (size_t level = 2; level <= 6; level++)
		assert_int_equal(counts[level], expected[level]);
	assert_string_equal(list.items[0].code, "350000000000");
	assert_int_equal(list.items[0].parent, -1);
	for (size_t i = 1; i < list.count; i++) assert_true(list.items[i].parent >= 0);

	/* Jinmen stands on three levels, twice with itself as parent. */
	assert_int_equal(list.problems_total, 2);
	expect_problem(&list, 0, 655, DIVISION_SELF_PARENT);
	expect_problem(&list, 1, 9394, DIVISION_SELF_PARENT);
	for (size_t i = 0; i < list.count; i++) {
		const struct division *d = &list.items[i], *parent;

		if (strcmp(d->code, "350527000000") != 0) continue;
		seen++;
		parent = &list.items[d->parent];
		assert_string_equal(parent->code, d->level == 4 ? "350500000000" : "350527000000");
		assert_int_equal(parent->level, d->level - 1);
	}
	assert_int_equal(seen, 3);
	free(file);
	arena_done(&a);
}

static void test_city_without_counties(void **state)
{
	struct division_list list;
	struct arena a;

	(void)state;
	/* Dongguan: townships directly under the city; with lines in the wrong order, CRLF, mark, no last newline. */
	parse_text("\xef\xbb\xbf"
	           "code\tlevel\tname\tparent_code\r\n"
	           "441900003001\t6\t岗贝社区\t441900003000\r\n"
	           "441900003000\t5\t东城街道\t441900000000\r\n"
	           "\r\n"
	           "441900000000\t3\t东莞市\t440000000000\r\n"
	           "440000000000\t2\t广东省\t",
	           &a, &list);
	assert_int_equal(list.count, 4);
	assert_int_equal(list.problems_total, 0);
	assert_string_equal(list.items[2].code, "441900003000");
	assert_int_equal(list.items[2].level, 5);
	assert_int_equal(list.items[2].parent, 1);
	assert_int_equal(list.items[2].line, 3);
	assert_int_equal(list.items[3].parent, 2);
	assert_int_equal(list.items[0].name.len, strlen("广东省"));
	arena_done(&a);

	/* The extract that pads the gap: city and county with one code; the nearest level above is the parent. */
	parse_text(
	        HEADER
	        "440000000000\t2\t广东省\t\n441900000000\t3\t东莞市\t440000000000\n"
	        "441900000000\t4\t东莞市\t441900000000\n441900003000\t5\t东城街道\t441900000000\n",
	        &a, &list);
	assert_int_equal(list.count, 4);
	assert_int_equal(list.items[3].parent, 2);
	assert_int_equal(list.items[2].parent, 1);
	assert_int_equal(list.problems_total, 1);
	expect_problem(&list, 0, 4, DIVISION_SELF_PARENT);
	arena_done(&a);
}

static void test_problems(void **state)
{
	struct division_list list;
	struct arena a;

	(void)state;
	parse_text(HEADER FUJIAN
	           "350100000000\t3\t福州市\t350000000000\n"
	           "350100000000\t3\t福州市又\t350000000000\n"     /* 4: twice */
	           "350102000000\t4\t鼓楼区\t359900000000\n"       /* 5: no such parent */
	           "350102001000\t5\t东街街道\t350102000000\n"     /* 6: its parent is left out */
	           "350103000000\t4\t台江区\t\n"                   /* 7: no parent, not the top */
	           "35010400000\t4\t仓山区\t350100000000\n"        /* 8 */
	           "3501040000OO\t4\t仓山区\t350100000000\n"       /* 9 */
	           "350104000000\t4\t仓山区\t35010000000x\n"       /* 10 */
	           "350104000000\t1\t仓山区\t350100000000\n"       /* 11 */
	           "350104000000\t7\t仓山区\t350100000000\n"       /* 12 */
	           "350104000000\t44\t仓山区\t350100000000\n"      /* 13 */
	           "350104000000\t4\t\t350100000000\n"             /* 14 */
	           "350104000000\t4\t\xff\xfe\t350100000000\n"     /* 15 */
	           "350104000000\t4\t仓\x07山\t350100000000\n"     /* 16 */
	           "350104000000\t4\t仓山区\n"                     /* 17 */
	           "350104000000\t4\t仓山区\t350100000000\tx\n"    /* 18 */
	           "350104000000 4 仓山区 350100000000\n"          /* 19 */
	           "100000000000\t4\t仓山区\t350100000000\n"       /* 20 */
	           "350104000000\t4\t\xed\xa0\x80\t350100000000\n" /* 21 */
	           "350105000000\t4\t马尾区\t350100000000\n",
	           &a, &list);
	assert_int_equal(list.count, 3);
	assert_string_equal(list.items[2].code, "350105000000");
	assert_int_equal(list.items[2].parent, 1);
	assert_int_equal(list.items[1].line, 3); /* the first of the two */
	assert_int_equal(list.problems_total, 18);
	assert_int_equal(list.problems_count, 18);
	expect_problem(&list, 0, 4, DIVISION_DUPLICATE);
	expect_problem(&list, 1, 5, DIVISION_ORPHAN);
	expect_problem(&list, 2, 6, DIVISION_ORPHAN);
	expect_problem(&list, 3, 7, DIVISION_ORPHAN);
	for (uint32_t i = 4; i < 7; i++) expect_problem(&list, i, i + 4, DIVISION_CODE);
	for (uint32_t i = 7; i < 10; i++) expect_problem(&list, i, i + 4, DIVISION_LEVEL);
	for (uint32_t i = 10; i < 13; i++) expect_problem(&list, i, i + 4, DIVISION_NAME);
	for (uint32_t i = 13; i < 16; i++) expect_problem(&list, i, i + 4, DIVISION_COLUMNS);
	expect_problem(&list, 16, 20, DIVISION_CODE);
	expect_problem(&list, 17, 21, DIVISION_NAME);
	arena_done(&a);
}

static void test_loops(void **state)
{
	struct division_list list;
	struct arena a;

	(void)state;
	/* Two counties that name each other, a ring over three levels, one that names itself and no more. */
	parse_text(HEADER FUJIAN
	           "350102000000\t4\t甲\t350103000000\n350103000000\t4\t乙\t350102000000\n"
	           "350104000000\t3\t丙\t350105000000\n350105000000\t4\t丁\t350106000000\n"
	           "350106000000\t5\t戊\t350104000000\n350107000000\t4\t己\t350107000000\n",
	           &a, &list);
	/* The ring's parents that lie below do not count: 350106 hangs nowhere, because 350104 does not. */
	assert_int_equal(list.count, 1);
	assert_int_equal(list.problems_total, 6);
	for (size_t i = 0; i < 6; i++) assert_int_equal(list.problems[i].kind, DIVISION_ORPHAN);
	arena_done(&a);

	/* A well-hung row of the same level is no parent either. */
	parse_text(HEADER FUJIAN
	           "350102000000\t4\t甲\t350000000000\n350103000000\t4\t乙\t350102000000\n",
	           &a, &list);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.problems_total, 1);
	expect_problem(&list, 0, 4, DIVISION_ORPHAN);
	arena_done(&a);
}

static void test_refused(void **state)
{
	static const char *const files[] = {
	        "",
	        "\n",
	        "code",
	        "code\tlevel\tname\n",
	        "code,level,name,parent_code\n" FUJIAN,
	        FUJIAN,
	        HEADER,
	        HEADER "\n\n\n",
	        "CODE\tlevel\tname\tparent_code\n" FUJIAN,
	        HEADER "x\n",
	        "code\tlevel\tname\tparent_code" /* no newline, nothing behind it */};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(files); i++) expect_refused(files[i], strlen(files[i]));
	expect_refused(HEADER "\0\0\0\0", sizeof HEADER - 1 + 4);
	expect_refused("\x1f\x8b\x08\0\0\0\0\0", 8); /* still compressed */
}

static void test_nul_and_long_lines(void **state)
{
	static const char with_nul[] = HEADER FUJIAN "350100000000\t3\t福\0州\t350000000000\n"
	                                             "3501\00000000000\t3\t福州\t350000000000\n";
	size_t head_len = strlen(HEADER FUJIAN), len = head_len + (1 << 20);
	char *text = mem_alloc(len);
	struct division_list list;
	struct arena a;

	(void)state;
	parse(with_nul, sizeof with_nul - 1, &a, &list);
	assert_int_equal(list.count, 1);
	expect_problem(&list, 0, 3, DIVISION_NAME);
	expect_problem(&list, 1, 4, DIVISION_CODE);
	arena_done(&a);

	memset(text, 'x', len);
	memcpy(text, HEADER FUJIAN, head_len);
	parse(text, len, &a, &list); /* one line of 1 MiB that never ends */
	assert_int_equal(list.count, 1);
	assert_int_equal(list.problems_total, 1);
	expect_problem(&list, 0, 3, DIVISION_LINE_LONG);
	arena_done(&a);

	memset(text + head_len, '\t', len - head_len);
	parse(text, len, &a, &list);
	expect_problem(&list, 0, 3, DIVISION_LINE_LONG);
	arena_done(&a);
	free(text);
}

static void test_line_limit(void **state)
{
	static const char start[] = "350100000000\t3\t";
	char text[1024];
	struct division_list list;
	struct arena a;

	(void)state;
	for (size_t name = DIVISION_NAME_BYTES_MAX; name <= DIVISION_NAME_BYTES_MAX + 1; name++) {
		char letters[200];

		memset(letters, 'n', sizeof letters);
		(void)snprintf(text, sizeof text, HEADER FUJIAN "%s%.*s\t350000000000\n", start,
		               (int)name, letters);
		parse_text(text, &a, &list);
		assert_int_equal(list.count, name <= DIVISION_NAME_BYTES_MAX ? 2 : 1);
		arena_done(&a);
	}
}

/* The same line 200,000 times: no quadratic search, problems bounded, all of them counted. */
static void test_many_doubles(void **state)
{
	static const char line[] = "350100000000\t3\t福州市\t350000000000\n";
	enum { TIMES = 200000 };
	struct division_list list;
	struct arena a;
	struct buf b;

	(void)state;
	buf_init(&b, DIVISION_FILE_BYTES_MAX);
	buf_text(&b, HEADER FUJIAN);
	for (size_t i = 0; i < TIMES; i++) buf_text(&b, line);
	assert_false(b.full);
	parse((const char *)b.p, b.len, &a, &list);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.problems_total, TIMES - 1);
	assert_int_equal(list.problems_count, DIVISION_PROBLEMS_MAX);
	expect_problem(&list, 0, 4, DIVISION_DUPLICATE);
	arena_done(&a);
	buf_done(&b);
}

static void test_small_arena(void **state)
{
	static const char text[] = HEADER FUJIAN;
	struct division_list list = {.count = 4711};
	struct error err = {0};
	struct arena a;

	(void)state;
	arena_init(&a, 64);
	assert_int_equal(division_parse(span_of(text, sizeof text - 1), &a, &list, &err),
	                 -ERR_FILE_FORM);
	assert_int_equal(list.count, 4711);
	arena_done(&a);
}

/* The shipped file with bytes altered at random places, from a fixed seed: sound or refused, never worse. */
static void test_altered(void **state)
{
	size_t len;
	uint8_t *file =
	        output_of("zcat deploy/data/divisions-35-fujian.tsv.gz | head -n 2000", &len);
	uint64_t seed = 20240305;
	size_t reported = 0;

	(void)state;
	for (int round = 0; round < 40; round++) {
		struct division_list list = {0};
		struct error err = {0};
		struct arena a;

		for (int i = 0; i < 20; i++) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			file[28 + (seed >> 20) % (len - 28)] = (uint8_t)(seed >> 56);
		}
		arena_init(&a, 64u << 20);
		if (division_parse(span_of(file, len), &a, &list, &err) == 0) expect_sound(&list);
		reported += list.problems_total;
		arena_done(&a);
	}
	assert_true(reported > 40);
	free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_fujian),      cmocka_unit_test(test_city_without_counties),
	        cmocka_unit_test(test_problems),    cmocka_unit_test(test_loops),
	        cmocka_unit_test(test_refused),     cmocka_unit_test(test_nul_and_long_lines),
	        cmocka_unit_test(test_line_limit),  cmocka_unit_test(test_many_doubles),
	        cmocka_unit_test(test_small_arena), cmocka_unit_test(test_altered),
	};

	return cmocka_run_group_tests_name("division", tests, NULL, NULL);
}
