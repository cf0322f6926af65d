/*
 * test_schema_mix.c - two builds side by side for months: fields and tables that a build does not know are
 * kept, forwarded in both directions, and merged when it is upgraded.
 * suite-timeout: 280
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base.h"

#include "tests/sim/play.h"
#include "tests/support/slower.h"

#define FIELDS(...)                                                                                \
	(const struct play_field[]){__VA_ARGS__},                                                  \
	        sizeof((const struct play_field[]){__VA_ARGS__}) / sizeof(struct play_field)

static void settle(struct sim *s)
{
	if (!play_settle(s)) print_message("%s: %s\n", s->world.failed_rule, s->world.failure);
	assert_int_equal(s->world.failed_rule[0], '\0');
}

static struct row *row_at(struct device *d, struct arena *a, uint16_t table, unsigned lane,
                          const uint8_t id[16])
{
	struct row *row = NULL;
	uint8_t ids[1][16];

	memcpy(ids[0], id, 16);
	assert_int_equal(
	        store_rows_get(d->keeper, table, lane, (const uint8_t(*)[16])ids, 1, a, &row), 0);
	return row;
}

static bool has_text(const struct row *row, unsigned slot, const char *text)
{
	return row && row->v[slot].type == VALUE_TEXT && row->v[slot].s.len == strlen(text) &&
	       memcmp(row->v[slot].s.p, text, row->v[slot].s.len) == 0;
}

/* New node, old county, old province, old neighbour: the neighbour edits, all upgrade one after the other. */
static void unknown_things_survive(void **state)
{
	struct sim *s = play_new(21, 3, 1, 1, 3);
	struct device *newer = play_device(s, false, 0), *older = play_device(s, false, 1),
	              *later = play_device(s, false, 2);
	uint8_t thing[16], novel[16];
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	assert_int_equal(device_upgrade(newer), 0);
	assert_int_equal(play_insert(newer, "thing",
	                             FIELDS({"f", value_int(1)}, {"later", value_text("one")},
	                                    {"closed_later", value_text(CANARY " one")}),
	                             thing),
	                 0);
	assert_int_equal(
	        play_insert(newer, "novel",
	                    FIELDS({"n", value_int(5)}, {"closed_n", value_text(CANARY " n")}),
	                    novel),
	        0);
	settle(s);
	/* The old build edits what it knows of the row and does not touch the rest. */
	assert_int_equal(play_update(older, "thing", thing, FIELDS({"f", value_int(2)})), 0);
	assert_int_equal(play_update(newer, "thing", thing, FIELDS({"later", value_text("two")})),
	                 0);
	assert_int_equal(play_update(newer, "novel", novel, FIELDS({"n", value_int(6)})), 0);
	settle(s);
	assert_true(has_text(row_at(newer, &a, TABLE_THING, LANE_OPEN, thing), 4, "two"));
	assert_int_equal(row_at(newer, &a, TABLE_THING, LANE_OPEN, thing)->v[1].i, 2);
	/* Upgrades from the bottom up and from the top down; nothing is sent again for it. */
	assert_int_equal(device_upgrade(later), 0);
	assert_int_equal(device_upgrade(play_device(s, true, 0)), 0);
	settle(s);
	assert_int_equal(device_upgrade(play_device(s, true, 1)), 0);
	assert_int_equal(device_upgrade(older), 0);
	settle(s);
	for (size_t i = 0; i < s->world.devices_count; i++) {
		struct device *d = s->world.devices[i];
		const struct row *row = row_at(d, &a, TABLE_THING, LANE_OPEN, thing),
		                 *n = row_at(d, &a, TABLE_NOVEL, LANE_OPEN, novel);

		assert_true(has_text(row, 4, "two"));
		assert_int_equal(row->v[1].i, 2);
		assert_non_null(n);
		assert_int_equal(n->v[1].i, 6);
		row = row_at(d, &a, TABLE_THING, LANE_COUNTY, thing);
		n = row_at(d, &a, TABLE_NOVEL, LANE_COUNTY, novel);
		assert_true(i == 0 ? row == NULL : has_text(row, 3, CANARY " one"));
		assert_true(i == 0 ? n == NULL : has_text(n, 1, CANARY " n"));
	}
	arena_done(&a);
	play_free(s);
}

/* An upgraded device makes a conflict of an unknown field with another: it shows after the hub's upgrade. */
static void conflicts_in_unknown_fields_are_kept(void **state)
{
	struct sim *s = play_new(22, 2, 1, 1, 2);
	struct device *first = play_device(s, false, 0), *second = play_device(s, false, 1),
	              *hub = play_device(s, true, 0);
	uint8_t thing[16];
	int64_t conflicts = 0;

	(void)state;
	assert_int_equal(device_upgrade(first), 0);
	assert_int_equal(device_upgrade(second), 0);
	assert_int_equal(play_insert(first, "thing",
	                             FIELDS({"f", value_int(1)}, {"later", value_text("zero")}),
	                             thing),
	                 0);
	settle(s);
	assert_int_equal(play_update(first, "thing", thing, FIELDS({"later", value_text("one")})),
	                 0);
	assert_int_equal(play_update(second, "thing", thing, FIELDS({"later", value_text("two")})),
	                 0);
	settle(s);
	assert_int_equal(device_upgrade(hub), 0);
	settle(s);
	assert_int_equal(store_candidates_count(hub->keeper, &conflicts), 0);
	assert_int_equal(conflicts, 1);
	assert_int_equal(
	        play_update(second, "thing", thing, FIELDS({"later", value_text("three")})), 0);
	settle(s);
	assert_int_equal(store_candidates_count(hub->keeper, &conflicts), 0);
	assert_int_equal(conflicts, 0);
	play_free(s);
}

static void mixed_worlds(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed += SLOWER) {
		struct config c;
		struct sim_result r;

		sim_config(7000 + seed, &c);
		c.mixed = 500;
		c.real = 100;
		if (c.hours > 8) c.hours = 8; /* weeks of calls add nothing to what is held here */
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
	        cmocka_unit_test(unknown_things_survive),
	        cmocka_unit_test(conflicts_in_unknown_fields_are_kept),
	        cmocka_unit_test(mixed_worlds),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
