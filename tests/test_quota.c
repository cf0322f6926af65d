/*
 * test_quota.c - quotas of one child: each kind bites, nothing is acknowledged that was not taken, what comes down comes, and
 * all of it goes on when there is room again.
 */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/crypt.h"
#include "tests/support/trio.h"

static struct trio_link *limited(struct trio *t, struct quota q)
{
	struct trio_link *l = trio_link(t->site);

	l->config[TRIO_DOWN].quota = q;
	trio_run(t);
	return l;
}

static int used(struct trio *t, struct quota_use *ret)
{
	int rc = replica_begin(t->county->r);

	rc = rc ? rc : quota_use_get(t->county->r, t->site->identity.origin, ret);
	replica_rollback(t->county->r);
	return rc;
}

static void write_some(struct trio *t, unsigned n)
{
	uint8_t row[16];

	for (unsigned i = 0; i < n; i++) {
		trio_activity(t->site, "一次很普通的社区活动", row);
		trio_seal(t->site);
	}
}

static void bytes_are_counted(void **state)
{
	struct trio *t = trio_new();
	struct quota_use before = {0}, u = {0};
	struct trio_link *l;
	uint8_t down[16];
	int64_t journal;

	(void)state;
	write_some(t, 1);
	assert_true(trio_settle(t));
	assert_int_equal(used(t, &before), 0);
	assert_true(before.bytes > 0);
	assert_int_equal(before.code, 0);
	write_some(t, 6);
	trio_activity(t->county, "县里的活动", down);
	trio_seal(t->county);
	journal = trio_counts(t->county).journal;
	l = limited(t, (struct quota){.bytes_day = before.bytes + 1000});
	assert_int_equal(l->codes[TRIO_UP], ERR_QUOTA_DAY);
	assert_int_equal(l->codes[TRIO_DOWN], ERR_QUOTA_DAY);
	assert_true(trio_has(t->site, "activity", down)); /* what comes down comes */
	assert_true(trio_counts(t->county).journal > journal);
	assert_true(trio_counts(t->site).unsent > 0); /* not acknowledged */
	assert_true(trio_counts(t->site).unsent < 6);
	assert_int_equal(used(t, &u), 0);
	assert_int_equal(u.code, ERR_QUOTA_DAY);
	/* Again on the same day: not a byte more. */
	journal = trio_counts(t->county).journal;
	l = limited(t, (struct quota){.bytes_day = before.bytes + 1000});
	assert_int_equal(l->codes[TRIO_UP], ERR_QUOTA_DAY);
	assert_int_equal(trio_counts(t->county).journal, journal);
	/* The next day has its own. */
	t->now_ms += INT64_C(24) * 3600 * 1000;
	l = limited(t, (struct quota){.bytes_day = before.bytes + 100000});
	assert_int_equal(l->codes[TRIO_UP], 0);
	assert_int_equal(trio_counts(t->site).unsent, 0);
	assert_int_equal(used(t, &u), 0);
	assert_int_equal(u.code, 0);
	assert_true(u.bytes_all > u.bytes);
	assert_true(trio_settle(t));
	trio_free(t);
}

static void space_in_all_has_no_next_day(void **state)
{
	struct trio *t = trio_new();
	struct quota_use u = {0};

	(void)state;
	write_some(t, 1);
	assert_true(trio_settle(t));
	assert_int_equal(used(t, &u), 0);
	write_some(t, 2);
	assert_int_equal(limited(t, (struct quota){.bytes_all = u.bytes_all})->codes[TRIO_UP],
	                 ERR_QUOTA_JOURNAL);
	t->now_ms += INT64_C(24) * 3600 * 1000;
	assert_int_equal(limited(t, (struct quota){.bytes_all = u.bytes_all})->codes[TRIO_UP],
	                 ERR_QUOTA_JOURNAL);
	assert_true(trio_settle(t)); /* raised */
	assert_int_equal(trio_counts(t->site).unsent, 0);
	trio_free(t);
}

static void runs_are_counted(void **state)
{
	struct trio *t = trio_new();
	struct quota q = {.runs_day = 4};

	(void)state;
	assert_true(trio_settle(t));
	trio_restart(t->site);
	write_some(t, 1);
	assert_int_equal(limited(t, q)->codes[TRIO_UP], 0);
	for (int i = 0; i < 4; i++) {
		trio_restart(t->site);
		write_some(t, 1);
		(void)limited(t, q);
	}
	write_some(t, 1);
	assert_int_equal(limited(t, q)->codes[TRIO_UP], ERR_QUOTA_RUNS);
	assert_true(trio_counts(t->site).unsent > 0);
	assert_true(trio_settle(t));
	trio_free(t);
}

/* Acknowledgements overtake; without them a PLACE arrives before the hub is done with what it sends. */
static enum trio_fate unacknowledged(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	unsigned type = trio_frame_type(buf_span(frame));
	bool *place_came = l->ctx;

	if (way == TRIO_UP && type == MSG_PLACE) *place_came = true;
	return way == TRIO_UP && type == MSG_ACK ? TRIO_DROP : TRIO_PASS;
}

/* The last of what a child sends is its place, over what does not rise: it must not count where something before it was left. */
static void a_place_is_no_way_around(void **state)
{
	struct trio *t = trio_new();
	struct trio_link *l;
	uint8_t open[16], closed[16], member[16];
	bool place_came = false;

	(void)state;
	trio_volunteer(t->county, "陈桂兰", closed);
	assert_true(trio_settle(t));
	trio_activity(t->county, "要上报的", open);
	trio_seal(t->county);
	/* Has its fields in the county lane alone, and no figure counts it. */
	struct field_write f[] = {trio_said("team_member", "team", value_bytes(closed, 16)),
	                          trio_said("team_member", "volunteer", value_bytes(closed, 16))};
	assert_int_equal(trio_insert(t->county, "team_member", f, 2, member), 0);
	/* The province is busy sending, and refuses only after that. */
	trio_activity(t->province, "省里的活动", closed);
	trio_seal(t->province);
	l = trio_link(t->county);
	l->look = unacknowledged;
	l->ctx = &place_came;
	l->config[TRIO_DOWN].quota = (struct quota){.bytes_all = 1};
	trio_run_frames(t, 64);
	assert_true(place_came);
	l->look = NULL;
	trio_activity(t->province, "省里的另一个活动", closed);
	trio_pump(t->province);
	trio_run(t);
	assert_int_equal(l->codes[TRIO_UP], ERR_QUOTA_JOURNAL);
	assert_false(trio_has(t->province, "activity", open));
	assert_true(trio_counts(t->county).unsent > 0);
	assert_true(trio_settle(t));
	assert_true(trio_has(t->province, "activity", open));
	trio_free(t);
}

static void nothing_to_send_is_nothing_to_refuse(void **state)
{
	struct trio *t = trio_new();

	(void)state;
	assert_true(trio_settle(t));
	assert_int_equal(limited(t, (struct quota){.bytes_all = 1})->codes[TRIO_UP], 0);
	trio_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(bytes_are_counted),
	        cmocka_unit_test(space_in_all_has_no_next_day),
	        cmocka_unit_test(runs_are_counted),
	        cmocka_unit_test(a_place_is_no_way_around),
	        cmocka_unit_test(nothing_to_send_is_nothing_to_refuse),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
