/*
 * test_parts.c - a transaction larger than a segment goes in parts, and is applied whole or not at all.
 */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/support/trio.h"

enum { ROWS = 15000 };

static size_t written(struct trio_device *d)
{
	struct row_view *rows;
	struct arena a;
	size_t count = 0, n = 1;
	uint8_t after[16];

	arena_init(&a, 0);
	while (n) {
		if (store_rows_view(d->store, trio_table("volunteer"), NULL, 0, 0, false,
		                    count ? after : NULL, 1000, &a, &rows, &n))
			fail();
		count += n;
		if (n) memcpy(after, rows[n - 1].id, 16);
	}
	arena_done(&a);
	return count;
}

/* One transaction of so many volunteers; bad: the one whose number is refused by the county (unless ROWS). */
static void write_many(struct trio_device *d, size_t rows, bool whole)
{
	struct write *w = mem_alloc(rows * sizeof(*w));
	struct field_write f[] = {
	        trio_said("volunteer", "name", value_text("测试员")),
	        trio_said("volunteer", "vstat", value_text("active")),
	        trio_said("volunteer", "registered", value_int(19000)),
	        trio_said("volunteer", "employer", value_text("测试单位名称用来占一些地方")),
	};

	for (size_t i = 0; i < rows; i++)
		w[i] = (struct write){.kind = WRITE_INSERT,
		                      .table = trio_table("volunteer"),
		                      .fields = f,
		                      .fields_count = ARRAY_COUNT(f)};
	assert_int_equal(trio_write(d, w, rows, whole), 0);
	free(w);
}

/* Cuts the connection after so many DATA upward. */
static enum trio_fate cut_after(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	size_t *left = l->ctx;

	if (way != TRIO_UP || trio_frame_type(buf_span(frame)) != MSG_DATA) return TRIO_PASS;
	if (!*left) return TRIO_CUT;
	--*left;
	return TRIO_PASS;
}

static void parts_are_applied_together(bool whole)
{
	struct trio *t = trio_new();
	struct trio_link *l;
	struct held *held;

	assert_true(trio_settle(t));
	write_many(t->site, ROWS, whole);
	trio_seal(t->site);
	/* A cut at every message: before the last part is there, nothing of it is. */
	for (size_t data = 1;; data++) {
		size_t left = 1, here;
		l = trio_link(t->site);
		l->look = cut_after;
		l->ctx = &left;
		trio_run(t);
		here = written(t->county);
		assert_true(here == 0 || here == ROWS);
		if (here == ROWS) {
			assert_true(data > 3); /* there were parts to cut between */
			break;
		}
		assert_true(data < 200);
	}
	assert_int_equal(trio_parked(t->county, &held), 0);
	assert_true(trio_settle(t));
	assert_int_equal(written(t->second), ROWS);
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "volunteers"), ROWS);
	assert_int_equal(trio_counts(t->site).unsent, 0);
	trio_free(t);
}

static void a_large_transaction_is_applied_whole(void **state)
{
	(void)state;
	parts_are_applied_together(/* whole= */ false);
}

static void a_large_whole_transaction_is_judged_as_one(void **state)
{
	(void)state;
	parts_are_applied_together(/* whole= */ true);
}

static void a_hubs_large_transaction_is_applied_whole(void **state)
{
	struct trio *t = trio_new();

	(void)state;
	assert_true(trio_settle(t));
	write_many(t->county, 3000, /* whole= */ false);
	assert_true(trio_settle(t));
	assert_int_equal(written(t->county), 3000);
	trio_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_large_transaction_is_applied_whole),
	        cmocka_unit_test(a_large_whole_transaction_is_judged_as_one),
	        cmocka_unit_test(a_hubs_large_transaction_is_applied_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
