/*
 * test_sim_weather.c - scenes of bad times: links of 1 kB/s, clocks that say anything, builds that have no version in
 * common.
 * suite-timeout: 280
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base.h"

#include "tests/sim/play.h"
#include "tests/sim/weather.h"

#define FIELDS(...)                                                                                \
	(const struct play_field[]){__VA_ARGS__},                                                  \
	        sizeof((const struct play_field[]){__VA_ARGS__}) / sizeof(struct play_field)

enum { MANY = 3000 };

static void settle(struct sim *s)
{
	if (!play_settle(s)) print_message("%s: %s\n", s->world.failed_rule, s->world.failure);
	assert_int_equal(s->world.failed_rule[0], '\0');
}

static bool has(struct device *d, const uint8_t id[16])
{
	uint16_t tables[TABLES_MAX];
	size_t count = 0;

	assert_int_equal(store_row_tables(d->keeper, id, tables, &count), 0);
	return count > 0;
}

/* A segment of 200 KiB takes minutes at 1 kB/s, far longer than the time of silence; both ways at once. */
static void large_segments_on_a_slow_link(void **state)
{
	struct sim *s = play_new(5, 2, 1, 2, 1);
	struct device *hub = play_device(s, true, 0), *site = play_device(s, false, 0),
	              *other = play_device(s, false, 1);
	size_t conns;
	uint8_t id[16];

	(void)state;
	s->world.config.rate_bytes = 1;
	for (unsigned n = 0; n < 4; n++) weather_load(site, n);
	assert_int_equal(play_insert(hub, "thing", FIELDS({"f", value_int(1)}), id), 0);
	conns = s->world.conns_count;
	settle(s);
	assert_true(has(site, id) && has(other, id));
	/* It did not fit into the time of silence, and it did not take many beginnings either. */
	assert_in_range(s->world.coverage.times[REACHED_SILENCE], 1, 12);
	assert_in_range(s->world.conns_count - conns, 2, 24);
	play_free(s);
}

/* What a clock says never stops anybody: more changes than there are stamps in its last millisecond. */
static void clocks_say_anything(void **state)
{
	static const struct clock_face faces[] = {
	        {true, 0, INT64_C(884541600000000), 1000}, /* the year 30000 */
	        {true, 0, -INT64_C(86400000), 1000},
	        {true, 0, INT64_MAX / 4, 0},
	        {true, 0, INT64_MIN / 4, 0},
	        {true, 0, 0, -1000}, /* backwards */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(faces); i++) {
		struct sim *s = play_new(6 + i, 2, 1, 1, 2);
		struct device *site = play_device(s, false, 0), *other = play_device(s, false, 1);
		const struct table *t = schema_table(device_schema(site), TABLE_TICK);
		struct write *writes = mem_alloc(MANY * sizeof(*writes));
		struct field_write n = {table_field_named(t, "n"), value_int(1)};
		uint8_t id[16];

		site->face = faces[i];
		site->face.since_ms = s->world.now_ms;
		for (unsigned k = 0; k < MANY; k++)
			writes[k] = (struct write){
			        .kind = WRITE_INSERT, .table = t, .fields = &n, .fields_count = 1};
		for (unsigned k = 0; k < 2; k++)
			assert_int_equal(device_write(site, writes, MANY, false, false), 0);
		free(writes);
		assert_int_equal(play_insert(site, "thing", FIELDS({"g", value_text("a")}), id), 0);
		settle(s);
		/* Who saw it edits it, and his edit is what shows, whatever the clocks say. */
		assert_int_equal(play_update(other, "thing", id, FIELDS({"g", value_text("b")})),
		                 0);
		settle(s);
		assert_int_equal(play_update(site, "thing", id, FIELDS({"g", value_text("c")})), 0);
		settle(s);
		play_free(s);
	}
}

/* The wall clock jumps ahead of the boot clock, as a resumed image finds it, or is set back: another run; it moves with it, slowly,
 * stands still or runs backwards: the same. */
static void jumps_draw_runs(void **state)
{
	struct sim *s = play_new(9, 2, 1, 1, 1);
	struct device *site = play_device(s, false, 0);
	uint64_t run;
	uint8_t id[16];

	(void)state;
	assert_int_equal(play_insert(site, "thing", FIELDS({"f", value_int(1)}), id), 0);
	run = replica_run(site->replica);
	site->skew_ms += 59 * 1000;
	assert_int_equal(play_update(site, "thing", id, FIELDS({"f", value_int(2)})), 0);
	assert_true(replica_run(site->replica) == run);
	site->skew_ms -= 3600 * 1000;
	assert_int_equal(play_update(site, "thing", id, FIELDS({"f", value_int(3)})), 0);
	assert_true(replica_run(site->replica) != run);
	run = replica_run(site->replica);
	for (int i = 0; i < 10;
	     i++) { /* the boot clock goes on for ten minutes, the wall clock does not */
		s->world.now_ms += 60 * 1000;
		site->skew_ms -= 60 * 1000;
	}
	assert_int_equal(play_update(site, "thing", id, FIELDS({"f", value_int(4)})), 0);
	assert_true(replica_run(site->replica) == run);
	s->world.now_ms += 600 * 1000; /* nor does a clock that runs backwards draw one */
	site->skew_ms -= 2 * 600 * 1000;
	assert_int_equal(play_update(site, "thing", id, FIELDS({"f", value_int(6)})), 0);
	assert_true(replica_run(site->replica) == run);
	site->skew_ms += 120 * 1000;
	assert_int_equal(play_update(site, "thing", id, FIELDS({"f", value_int(5)})), 0);
	assert_true(replica_run(site->replica) != run);
	settle(s);
	play_free(s);
}

static void call_for(struct sim *s, int64_t minutes)
{
	for (int64_t i = 0; i < minutes; i++) {
		for (size_t k = 0; k < s->world.devices_count; k++)
			world_at(&s->world, s->world.now_ms + 1, AT_CONNECT, (unsigned)k, 0, 0);
		assert_true(sim_until(s, s->world.now_ms + 60 * 1000));
	}
}

/* Version 2 alone against version 1 alone: refused, nothing lost; a hub in the middle that speaks both serves both. */
static void no_version_in_common(void **state)
{
	struct sim *s = play_new(10, 3, 1, 1, 2);
	struct device *county = play_device(s, true, 1), *next = play_device(s, false, 0),
	              *old = play_device(s, false, 1);
	uint64_t refused;
	uint8_t a[16], b[16];

	(void)state;
	settle(s);
	s->world.healed = false; /* calls fail and are made again */
	s->world.config.speak = 1;
	for (size_t i = 0; i < s->world.devices_count; i++) s->world.devices[i]->speech = 0;
	next->speech = 2;
	refused = s->world.coverage.times[REACHED_NO_COMMON_VERSION];
	assert_int_equal(play_insert(next, "thing", FIELDS({"f", value_int(1)}), a), 0);
	assert_int_equal(play_insert(old, "thing", FIELDS({"f", value_int(2)}), b), 0);
	call_for(s, 5);
	assert_true(s->world.coverage.times[REACHED_NO_COMMON_VERSION] >= refused + 3);
	assert_true(has(county, b) && !has(county, a) && has(next, a) && !has(next, b));
	county->speech = 1;
	call_for(s, 20);
	assert_true(has(county, a) && has(next, b) && has(old, a));
	assert_true(s->world.coverage.times[REACHED_SPOKE_NEXT] > 0);
	settle(s);
	play_free(s);
}

/* Two words on one segment, the second because what the first held went through, come to their author together. */
static void two_words_at_once(void **state)
{
	struct sim *s = play_new(11, 2, 1, 2, 1);
	struct world *w = &s->world;
	struct device *hub = play_device(s, true, 0), *site = play_device(s, false, 0),
	              *other = play_device(s, false, 1);
	struct replica_counts counts;
	int64_t before = 0, now = 0;
	uint8_t rolling[ROLLING_BYTES], a[16], b[16], c[16];

	(void)state;
	settle(s);
	w->config.latency_ms = 0;
	assert_int_equal(play_insert(other, "thing", FIELDS({"f", value_int(1)}), a), 0);
	assert_int_equal(play_insert(site, "thing",
	                             FIELDS({"f", value_int(2)}, {"to", value_bytes(a, 16)}), b),
	                 0);
	assert_int_equal(play_insert(site, "thing", FIELDS({"f", value_int(3)}), c), 0);
	assert_int_equal(store_journal_head(hub->keeper, &before, rolling), 0);
	device_connect(w, site);
	for (now = before; now < before + 2;) { /* both lanes */
		assert_true(sim_until(s, w->now_ms + 1));
		assert_int_equal(store_journal_head(hub->keeper, &now, rolling), 0);
	}
	assert_non_null(site->conn);
	link_break(w, site->conn, /* tell= */ true);
	assert_true(sim_until(s, w->now_ms + 1000));
	assert_true(has(hub, c) && !has(hub, a) && w->coverage.times[REACHED_PARKED_REF] > 0);
	device_connect(w, other);
	assert_true(sim_until(s, w->now_ms + 10000));
	assert_true(has(hub, a) && has(hub, b));
	settle(s);
	assert_int_equal(replica_counts(site->replica, &counts), 0);
	assert_int_equal(counts.received, 0);
	play_free(s);
}

/* After a transaction that failed (a full disk), what is counted is what is there. */
static void undone_is_not_counted(void **state)
{
	struct sim *s = play_new(12, 2, 1, 1, 1);
	struct device *site = play_device(s, false, 0);
	struct replica_counts counts;
	uint8_t id[16];
	bool sealed = false, more = false;

	(void)state;
	settle(s);
	assert_int_equal(play_insert(site, "thing", FIELDS({"f", value_int(1)}), id), 0);
	assert_int_equal(replica_begin(site->replica), 0);
	assert_int_equal(replica_seal(site->replica, &sealed), 0);
	assert_int_equal(replica_commit(site->replica), 0);
	assert_int_equal(replica_counts(site->replica, &counts), 0);
	assert_true(sealed && counts.unapplied > 0);
	assert_int_equal(replica_begin(site->replica), 0);
	assert_int_equal(replica_apply(site->replica, 1000, &more), 0);
	replica_rollback(site->replica);
	assert_int_equal(replica_counts(site->replica, &counts), 0);
	assert_true(counts.unapplied > 0);
	settle(s);
	play_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(large_segments_on_a_slow_link),
	        cmocka_unit_test(clocks_say_anything),
	        cmocka_unit_test(jumps_draw_runs),
	        cmocka_unit_test(no_version_in_common),
	        cmocka_unit_test(two_words_at_once),
	        cmocka_unit_test(undone_is_not_counted),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
