/*
 * test_figures.c - whatever is edited, deleted, moved to another month, delivered twice, refused or never
 * delivered: the sum of what devices stated plus what the county corrected is what the rows say.
 * suite-timeout: 280
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base.h"

#include "common/validate.h"
#include "tests/sim/play.h"
#include "tests/sim/tally.h"
#include "tests/support/slower.h"

#define FIELDS(...)                                                                                \
	(const struct play_field[]){__VA_ARGS__},                                                  \
	        sizeof((const struct play_field[]){__VA_ARGS__}) / sizeof(struct play_field)

static int64_t day(int month)
{
	return date_days(2012, month, 10);
}

static void settle(struct sim *s)
{
	if (!play_settle(s)) print_message("%s: %s\n", s->world.failed_rule, s->world.failure);
	assert_int_equal(s->world.failed_rule[0], '\0');
}

/* Sum of F + K of a cell of a unit as this hub sees it. */
static struct tally_cell cell(struct sim *s, struct device *hub, int unit, const char *kind,
                              int64_t month)
{
	struct tally_cell like = {.month = month}, ret = {0};
	const struct tally_cell *found;
	struct tally t;
	struct view v;

	memcpy(like.unit, s->world.units[unit].id, 16);
	(void)snprintf(like.kind, sizeof(like.kind), "%s", kind);
	assert_int_equal(view_load(s->chest, hub, &v), 0);
	tally_of(&v, /* closed_too= */ hub->cert.lanes != 1, &t);
	found = tally_find(&t, &like);
	if (found) ret = *found;
	tally_done(&t);
	view_done(&v);
	return ret;
}

static void assert_cell(struct sim *s, int unit, const char *kind, int64_t month, int64_t want,
                        int64_t corrected)
{
	struct device *top = play_device(s, true, 0), *county = play_device(s, true, 1);
	struct tally_cell c = cell(s, county, unit, kind, month),
	                  above = cell(s, top, unit, kind, month);

	assert_int_equal(c.truth, want);
	assert_int_equal(c.stated + c.corrected, want);
	assert_int_equal(above.stated + above.corrected, want);
	assert_int_equal(c.corrected, corrected);
}

static void volunteer(struct device *d, uint8_t id[16], int month)
{
	assert_int_equal(play_insert(d, "volunteer",
	                             FIELDS({"name", value_text(CANARY " 张桂兰")},
	                                    {"vstat", value_text("active")},
	                                    {"registered", value_int(day(month))}),
	                             id),
	                 0);
}

static void one_rule_for_all_changes(void **state)
{
	struct sim *s = play_new(1, 3, 1, 1, 1);
	struct device *node = play_device(s, false, 0);
	uint8_t a[16], b[16];

	(void)state;
	volunteer(node, a, 3);
	volunteer(node, b, 3);
	settle(s);
	assert_cell(s, node->unit, "volunteers", 201203, 2, 0);
	assert_int_equal(
	        play_update(node, "volunteer", a, FIELDS({"registered", value_int(day(4))})),
	        0); /* another month */
	assert_int_equal(play_delete(node, "volunteer", b), 0);
	settle(s);
	assert_cell(s, node->unit, "volunteers", 201203, 0, 0);
	assert_cell(s, node->unit, "volunteers", 201204, 1, 0);
	assert_int_equal(play_update(node, "volunteer", a, FIELDS({"vstat", value_text("left")})),
	                 0);
	settle(s);
	assert_cell(s, node->unit, "volunteers", 201204, 0, 0);
	play_free(s);
}

static void anothers_edit_is_stated_by_its_author(void **state)
{
	struct sim *s = play_new(2, 3, 1, 1, 2);
	struct device *first = play_device(s, false, 0), *second = play_device(s, false, 1),
	              *county = play_device(s, true, 1);
	uint8_t a[16];

	(void)state;
	volunteer(first, a, 3);
	settle(s);
	assert_int_equal(
	        play_update(second, "volunteer", a, FIELDS({"registered", value_int(day(5))})), 0);
	settle(s);
	assert_cell(s, first->unit, "volunteers", 201203, 0, 0);
	assert_cell(s, first->unit, "volunteers", 201205, 1, 0);
	assert_int_equal(
	        play_update(county, "volunteer", a, FIELDS({"vstat", value_text("paused")})), 0);
	settle(s);
	assert_cell(s, first->unit, "volunteers", 201205, 0, 0);
	play_free(s);
}

static void concurrent_changes_are_corrected(void **state)
{
	struct sim *s = play_new(3, 3, 1, 1, 2);
	struct device *first = play_device(s, false, 0), *second = play_device(s, false, 1);
	uint8_t a[16];

	(void)state;
	volunteer(first, a, 3);
	settle(s);
	/* Both take him out of March: the figures say -1, one too many. */
	assert_int_equal(play_update(first, "volunteer", a, FIELDS({"vstat", value_text("left")})),
	                 0);
	assert_int_equal(
	        play_update(second, "volunteer", a, FIELDS({"vstat", value_text("paused")})), 0);
	settle(s);
	assert_cell(s, first->unit, "volunteers", 201203, 0, 1);
	play_free(s);
}

static void refused_records_are_corrected(void **state)
{
	struct sim *s = play_new(4, 3, 1, 1, 1);
	struct device *node = play_device(s, false, 0);
	int64_t in = day(6) * 86400000 + 3600000;
	uint8_t v[16], p[16];

	(void)state;
	volunteer(node, v, 6);
	for (int64_t minutes = 60; minutes <= 660;
	     minutes += 600) /* the judge refuses more than ten hours */
		assert_int_equal(
		        play_insert(node, "participation",
		                    FIELDS({"volunteer", value_bytes(v, 16)},
		                           {"act", value_text("D1")}, {"in", value_int(in)},
		                           {"out", value_int(in + minutes * 60000)},
		                           {"minutes", value_int(minutes)},
		                           {"hsrc", value_text("1")}, {"hstat", value_text("2")}),
		                    p),
		        0);
	settle(s);
	assert_int_equal(s->world.counts.refusals, 1);
	assert_cell(s, node->unit, "minutes", 201206, 60, -660);
	assert_cell(s, node->unit, "participations", 201206, 1, -1);
	play_free(s);
}

static void a_device_that_never_comes_back(void **state)
{
	struct sim *s = play_new(5, 3, 1, 1, 2);
	struct device *lost = play_device(s, false, 0), *other = play_device(s, false, 1);
	uint8_t a[16], b[16], c[16];

	(void)state;
	volunteer(lost, a, 7);
	volunteer(other, b, 7);
	settle(s);
	volunteer(lost, c, 7); /* nobody will ever hear of it */
	lost->alive = false;
	device_kill(lost);
	settle(s);
	assert_cell(s, other->unit, "volunteers", 201207, 2, 0);
	assert_int_equal(play_update(other, "volunteer", a, FIELDS({"vstat", value_text("left")})),
	                 0);
	settle(s);
	assert_cell(s, other->unit, "volunteers", 201207, 1, 0);
	play_free(s);
}

static void closed_kinds_stay_in_the_county(void **state)
{
	struct sim *s = play_new(6, 3, 1, 1, 1);
	struct device *node = play_device(s, false, 0), *top = play_device(s, true, 0),
	              *county = play_device(s, true, 1);
	int64_t in = day(8) * 86400000 + 3600000;
	uint8_t v[16], p[16];
	struct tally_cell c;

	(void)state;
	volunteer(node, v, 8);
	assert_int_equal(
	        play_insert(node, "participation",
	                    FIELDS({"volunteer", value_bytes(v, 16)}, {"act", value_text("B3")},
	                           {"in", value_int(in)}, {"out", value_int(in + 5400000)},
	                           {"minutes", value_int(90)}, {"hsrc", value_text("1")},
	                           {"hstat", value_text("2")}),
	                    p),
	        0);
	settle(s);
	c = cell(s, county, node->unit, "minutes_closed", 201208);
	assert_int_equal(c.truth, 90);
	assert_int_equal(c.stated, 90);
	c = cell(s, top, node->unit, "minutes_closed", 201208);
	assert_int_equal(c.stated, 0);
	assert_cell(s, node->unit, "minutes", 201208, 0, 0);
	play_free(s);
}

/* Random work on the real tables; sessions cut, connections doubled, machines killed: settle checks the sums. */
static void sums_hold_whatever_happens(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed += SLOWER) {
		struct config c = {.seed = 9000 + seed,
		                   .tiers = 3,
		                   .counties = 1 + (int64_t)(seed & 1),
		                   .sites = 2,
		                   .devices = 2,
		                   .writes = 80,
		                   .hours = 3,
		                   .real = 1000,
		                   .latency_ms = 50,
		                   .cut = seed % 3 ? 300 : 0,
		                   .crash = seed % 4 ? 30 : 0,
		                   .offline = 600,
		                   .skew = seed % 2 ? 500 : 0,
		                   .stay = 300,
		                   .reboot = 300};
		struct sim_result r;

		sim_run(&c, /* trace= */ false, &r);
		if (r.failed)
			print_message("seed %" PRIu64 " breaks %s: %s\n", c.seed, r.rule,
			              r.failure);
		assert_false(r.failed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(one_rule_for_all_changes),
	        cmocka_unit_test(anothers_edit_is_stated_by_its_author),
	        cmocka_unit_test(concurrent_changes_are_corrected),
	        cmocka_unit_test(refused_records_are_corrected),
	        cmocka_unit_test(a_device_that_never_comes_back),
	        cmocka_unit_test(closed_kinds_stay_in_the_county),
	        cmocka_unit_test(sums_hold_whatever_happens),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
