/*
 * test_restore.c - what happens to disks, scene by scene: restored from any of three generations, copied, swapped, resumed as
 * a machine image; segments that come late by another way; children whom a restored hub has forgotten.
 * At each rest everything that the simulator knows to check is checked: what lay on any surviving disk is everywhere again.
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
#include "tests/sim/vault.h"

enum { MINUTE_MS = 60 * 1000 };

#define FIELDS(...)                                                                                \
	(const struct play_field[]){__VA_ARGS__},                                                  \
	        sizeof((const struct play_field[]){__VA_ARGS__}) / sizeof(struct play_field)

static void settle(struct sim *s)
{
	if (!play_settle(s)) print_message("%s: %s\n", s->world.failed_rule, s->world.failure);
	assert_int_equal(s->world.failed_rule[0], '\0');
}

static uint64_t times(struct sim *s, enum reached what)
{
	return s->world.coverage.times[what];
}
#define TIMES(S, NAME) times(S, REACHED_##NAME)

static void thing(struct device *d, int64_t f, uint8_t id[16])
{
	assert_int_equal(play_insert(d, "thing", FIELDS({"f", value_int(f)}), id), 0);
}

static void edit(struct device *d, const uint8_t id[16], int64_t f)
{
	assert_int_equal(play_update(d, "thing", id, FIELDS({"f", value_int(f)})), 0);
}

static void volunteer(struct device *d)
{
	uint8_t id[16];

	assert_int_equal(play_insert(d, "volunteer",
	                             FIELDS({"name", value_text(CANARY " 张桂兰")},
	                                    {"vstat", value_text("active")},
	                                    {"registered", value_int(date_days(2012, 3, 10))}),
	                             id),
	                 0);
}

static bool there(struct device *d, const uint8_t id[16])
{
	bool known = false;

	assert_int_equal(store_row_known(d->keeper, TABLE_THING, id, &known), 0);
	return known;
}

static int64_t shown(struct device *d, const uint8_t id[16])
{
	struct arena a;
	struct row *row = NULL;
	uint8_t ids[1][16];
	int64_t f;

	arena_init(&a, 0);
	memcpy(ids[0], id, 16);
	assert_int_equal(store_rows_get(d->keeper, TABLE_THING, LANE_OPEN,
	                                (const uint8_t(*)[16])ids, 1, &a, &row),
	                 0);
	f = row ? row->v[1].i : -1;
	arena_done(&a);
	return f;
}

static struct replica_counts counts_of(struct device *d)
{
	struct replica_counts c = {0};

	assert_int_equal(replica_counts(d->replica, &c), 0);
	return c;
}

/* Time passes without anybody calling. */
static void pass(struct sim *s, int64_t ms)
{
	s->world.now_ms += ms;
}

/* ---- 1: restored */
static void everybody_records(struct sim *s)
{
	uint8_t id[16];

	for (size_t i = 0; i < s->world.devices_count; i++) {
		thing(s->world.devices[i], (int64_t)i, id);
		if (!s->world.devices[i]->hub) volunteer(s->world.devices[i]);
	}
}

static void restored(struct device *const *devices, size_t count, size_t generation, bool witness,
                     struct sim *s)
{
	uint64_t home = TIMES(s, CAME_HOME);
	bool alone = false;

	assert_true(vault_restore(s->world.vault, devices, count, generation, witness));
	everybody_records(s); /* before anything has come home */
	settle(s);
	assert_true(TIMES(s, CAME_HOME) > home);
	/* The closed lane of a county's own scope lies at the county alone. */
	for (size_t i = 0; i < count; i++) alone |= devices[i] == play_device(s, true, 1);
	if (!alone) assert_int_equal(TIMES(s, LOST_FOR_GOOD), 0);
}

static void any_generation_of_any_one_or_two(void **state)
{
	(void)state;
	for (unsigned which = 0; which < 6; which++)
		for (size_t generation = 0; generation < VAULT_GENERATIONS; generation++) {
			struct sim *s = play_new(10 + which, 3, 1, 2, 1);
			struct device *top = play_device(s, true, 0),
			              *county = play_device(s, true, 1),
			              *node = play_device(s, false, 0);
			struct device *sets[6][2] = {{node, NULL},   {county, NULL}, {top, NULL},
			                             {node, county}, {county, top},  {node, top}};

			for (size_t i = 0; i < VAULT_GENERATIONS; i++) {
				everybody_records(s);
				settle(s);
				for (size_t k = 0; k < 2; k++)
					if (sets[which][k])
						vault_keep(s->world.vault, sets[which][k]);
			}
			everybody_records(s);
			settle(s);
			restored(sets[which], which < 3 ? 1 : 2, generation, generation & 1, s);
			/* The county has the open half from above, and not yet the closed one. */
			if (which == 1) assert_true(TIMES(s, LACKS_HALF) > 0);
			/* and once more, from a backup of before the first restore */
			restored(sets[which], which < 3 ? 1 : 2, VAULT_GENERATIONS - 1, true, s);
			play_free(s);
		}
}

/* ---- 5: the hub took its work, then it died */
static void work_that_the_hub_took_comes_home(void **state)
{
	struct sim *s = play_new(20, 2, 1, 1, 1);
	struct device *node = play_device(s, false, 0);
	uint8_t before[16], sent[16], unsent[16];

	(void)state;
	thing(node, 1, before);
	settle(s);
	vault_keep(s->world.vault, node);
	edit(node, before, 2);
	thing(node, 3, sent);
	settle(s);
	thing(node, 4, unsent); /* on its own disk only */
	assert_true(vault_restore(s->world.vault, &node, 1, 0, false));
	assert_false(there(node, sent));
	assert_int_equal(shown(node, before), 1);
	settle(s);
	assert_true(there(node, sent));
	assert_int_equal(shown(node, before), 2);
	assert_false(there(node, unsent));
	assert_int_equal(TIMES(s, LOST_FOR_GOOD), 2); /* open and county lane */
	play_free(s);
}

/* What was recorded before the restore and beaten since does not stand up again. */
static void a_beaten_change_stays_beaten(void **state)
{
	struct sim *s = play_new(21, 3, 1, 1, 1);
	struct device *county = play_device(s, true, 1), *node = play_device(s, false, 0);
	uint8_t id[16];

	(void)state;
	thing(node, 1, id);
	settle(s);
	vault_keep(s->world.vault, node);
	vault_keep(s->world.vault, county);
	edit(county, id, 2);
	settle(s);
	edit(node, id, 3);
	settle(s);
	assert_true(vault_restore(s->world.vault, (struct device *[]){county, node}, 2, 0, true));
	assert_int_equal(shown(node, id), 1);
	settle(s);
	assert_int_equal(shown(node, id), 3);
	assert_int_equal(shown(county, id), 3);
	assert_int_equal(counts_of(county).conflicts, 0);
	play_free(s);
}

/* ---- 2: copies */
static void two_copies_of_a_site_work_on_for_weeks(void **state)
{
	struct sim *s = play_new(30, 3, 1, 1, 1);
	struct device *node = play_device(s, false, 0), *twin, *top = play_device(s, true, 0);
	uint8_t old[16], ids[2][6][16];

	(void)state;
	thing(node, 1, old);
	settle(s);
	twin = vault_clone(s->world.vault, node);
	assert_non_null(twin);
	for (unsigned week = 0; week < 6; week++) {
		pass(s, 7 * (int64_t)DAY_MS);
		thing(node, week, ids[0][week]);
		thing(twin, 200 + week, ids[1][week]);
		volunteer(week & 1 ? node : twin);
	}
	edit(node, old, 2);
	edit(twin, old, 3);
	assert_true(replica_run(node->replica) != replica_run(twin->replica));
	settle(s); /* both call in turns */
	for (unsigned week = 0; week < 6; week++)
		for (unsigned i = 0; i < 2; i++)
			assert_true(there(node, ids[i][week]) && there(twin, ids[i][week]) &&
			            there(top, ids[i][week]));
	assert_int_equal(counts_of(top).conflicts, 1); /* two who did not know of each other */
	edit(twin, old, 4);
	settle(s);
	assert_int_equal(shown(node, old), 4);
	assert_int_equal(counts_of(top).conflicts, 0);
	play_free(s);
}

static void the_work_of_two_copies_of_a_hub_merges(void **state)
{
	struct sim *s = play_new(31, 3, 1, 2, 1);
	struct device *county = play_device(s, true, 1), *twin, *top = play_device(s, true, 0),
	              *first = play_device(s, false, 0), *second = play_device(s, false, 1);
	uint8_t ids[4][16];

	(void)state;
	everybody_records(s);
	settle(s);
	twin = vault_clone(s->world.vault, county);
	assert_non_null(twin);
	for (unsigned round = 0; round < 3; round++) {
		thing(first, round, ids[0]);
		thing(second, round, ids[1]);
		thing(county, round, ids[2]);
		thing(twin, round, ids[3]);
		volunteer(first);
		device_connect(&s->world, first); /* to one, and next time to the other */
		device_connect(&s->world, second);
		if (!sim_until(s, s->world.now_ms + MINUTE_MS))
			print_message("%s: %s\n", s->world.failed_rule, s->world.failure);
		assert_int_equal(s->world.failed_rule[0], '\0');
	}
	settle(s); /* a person names one, and what the other held is handed in */
	assert_int_equal(TIMES(s, SURVIVOR), 1);
	for (unsigned i = 0; i < 4; i++) assert_true(there(county, ids[i]) && there(top, ids[i]));
	assert_true(there(first, ids[2]) && there(first, ids[3]));
	play_free(s);
}

/* ---- 3: swapped disks */
static void swapped_disks_draw_runs_of_their_own(void **state)
{
	(void)state;
	for (unsigned found = 0; found < 2; found++) {
		struct sim *s = play_new(40, 2, 1, 2, 1);
		struct device *a = play_device(s, false, 0), *b = play_device(s, false, 1),
		              *top = play_device(s, true, 0);
		uint64_t runs[2] = {replica_run(a->replica), replica_run(b->replica)};
		uint8_t ids[2][16];

		thing(a, 1, ids[0]);
		thing(b, 2, ids[1]);
		vault_swap(s->world.vault, a, b, found);
		thing(a, 3, ids[0]);
		thing(b, 4, ids[1]);
		for (unsigned i = 0; i < 2; i++)
			assert_true(replica_run(a->replica) != runs[i] &&
			            replica_run(b->replica) != runs[i]);
		settle(s);
		assert_true(there(top, ids[0]) && there(top, ids[1]));
		assert_false(there(a, ids[1]));
		play_free(s);
	}
}

/* ---- 4: machine images */
static void a_clock_that_jumps_gives_an_image_away(void **state)
{
	struct sim *s = play_new(50, 3, 1, 1, 1);
	struct device *node = play_device(s, false, 0);
	uint64_t run = replica_run(node->replica);
	uint8_t ids[3][16];

	(void)state;
	vault_image(s->world.vault, node);
	thing(node, 1, ids[0]);
	/* The machine boots, and draws a nonce; the resumed one has the same random numbers before it. */
	device_kill(node);
	assert_int_equal(device_start(node, /* reboot= */ true), 0);
	thing(node, 2, ids[1]);
	assert_true(replica_run(node->replica) != run);
	run = replica_run(node->replica);
	settle(s);
	pass(s, 5 * MINUTE_MS);
	assert_true(vault_resume(s->world.vault, node, /* shown= */ true));
	assert_false(there(node, ids[0]));
	thing(node, 3, ids[2]);
	assert_true(replica_run(node->replica) != run);
	settle(s);
	for (unsigned i = 0; i < 3; i++) assert_true(there(node, ids[i]));
	assert_int_equal(TIMES(s, WENT_BACK), 0);
	play_free(s);
}

/* As vault_resume sets the clock: to the millisecond at which the image was taken. */
static void image_at(struct sim *s, struct device *d)
{
	s->world.now_ms += 1000;
	vault_image(s->world.vault, d);
	s->world.now_ms -= 1000; /* play_insert lets a second pass */
}

static void resume_at(struct sim *s, struct device *d)
{
	assert_true(vault_resume(s->world.vault, d, /* shown= */ false));
	d->skew_ms -= 1000;
}

static size_t twice_at(struct device *d)
{
	struct arena a;
	struct held *h = NULL;
	size_t n = 0, twice = 0;

	arena_init(&a, 0);
	assert_int_equal(store_parked_list(d->keeper, 0, 1000, &a, &h, &n), 0);
	for (size_t i = 0; i < n; i++) twice += h[i].cause == ERR_ONE_NAME_TWICE;
	arena_done(&a);
	return twice;
}

static void nothing_shows_it(unsigned whom, bool sync_before)
{
	struct sim *s = play_new(51 + whom, 3, 1, 2, 1);
	struct device *machine = s->world.devices[whom], *sibling = play_device(s, false, 1);
	uint8_t before[16], first[16], second[16], other[16], later[16];

	thing(machine, 1, before);
	if (sync_before) settle(s);
	image_at(s, machine);
	thing(machine, 2, first);
	edit(machine, before, 3);
	settle(s);
	pass(s, 7 * MINUTE_MS);
	thing(sibling, 9, other);
	resume_at(s, machine);
	thing(machine, 4, second);
	edit(machine, before, 5);
	assert_memory_equal(first, second, 16); /* one name */
	thing(machine, 6, later);
	settle(s);
	/* Everything else flows, what the first had recorded and only others still held has come home, and of each of the two
	 * names one change stands, the same one everywhere; the other is parked, with an alarm. */
	for (size_t i = 0; i < s->world.devices_count; i++) {
		struct device *d = s->world.devices[i];

		if (!check_entitled(d, s->world.units[machine->unit].id, LANE_OPEN)) continue;
		assert_true(there(d, before) && there(d, later));
		assert_int_equal(shown(d, before), shown(machine, before));
		assert_int_equal(shown(d, first), shown(machine, first));
		assert_true(shown(d, first) == 2 || shown(d, first) == 4);
		assert_true(shown(d, before) == 3 || shown(d, before) == 5);
		assert_int_equal(twice_at(d), 2);
		assert_int_equal(counts_of(d).alarms, 2);
	}
	assert_true(TIMES(s, WENT_BACK) > 0);
	/* Nobody waits behind what is parked, and the next edit settles it. */
	edit(machine, before, 7);
	settle(s);
	assert_int_equal(shown(play_device(s, true, 0), before), 7);
	play_free(s);
}

static void an_image_that_nothing_shows(void **state)
{
	(void)state;
	for (unsigned whom = 0; whom < 3; whom++) { /* province, county, node */
		nothing_shows_it(whom, true);
		nothing_shows_it(whom, false);
	}
}

/* ---- 6: by another way */
static void a_late_segment_leaves_an_honest_gap(void **state)
{
	(void)state;
	for (unsigned to = 0; to < 2; to++) {
		struct sim *s = play_new(60, 3, 1, 1, 1);
		struct device *county = play_device(s, true, 1), *node = play_device(s, false, 0),
		              *hub = to ? county : play_device(s, true, 0);
		uint8_t ids[3][16];

		settle(s);
		for (unsigned i = 0; i < 3; i++) {
			thing(node, i, ids[i]);
			volunteer(node);
			assert_true(vault_seal(node));
		}
		assert_int_equal(counts_of(hub).gaps, 0);
		assert_true(vault_carry(s->world.vault, node, hub));
		assert_int_equal(counts_of(hub).gaps, 1);
		/* It is taken and merged all the same; the one before is missed until it comes. */
		assert_true(sim_until(s, s->world.now_ms + 5000));
		assert_int_equal(counts_of(hub).gaps, 1);
		settle(s);
		assert_int_equal(counts_of(hub).gaps, 0);
		for (unsigned i = 0; i < 3; i++) assert_true(there(hub, ids[i]));
		play_free(s);
	}
}

/* ---- 7: children whom a restored hub has forgotten */
struct showing {
	struct span cert;
	const uint8_t *link;
};

static int work_show(struct device *d, void *ctx)
{
	struct showing *x = ctx;

	return replica_readmit(d->replica, x->cert, x->link);
}

static int show(struct device *hub, struct device *child, struct span cert)
{
	struct showing x = {cert, child->identity.link_public};

	return device_transaction(hub, "show", work_show, &x);
}

static struct cert_row *cert_at(struct device *hub, struct device *child, struct arena *a)
{
	struct cert_row *row = NULL;

	assert_int_equal(store_cert_by_link(hub->keeper, child->identity.link_public, a, &row), 0);
	return row;
}

static int work_revoke(struct device *d, void *ctx)
{
	const struct device *child = ctx;

	return store_cert_revoke(replica_store(d->replica), child->cert.id, 1);
}

static void a_forgotten_child_comes_back(void **state)
{
	(void)state;
	for (unsigned tiers = 2; tiers <= 3; tiers++) {
		struct sim *s = play_new(70, tiers, 1, 1, 1);
		struct device *hub = play_device(s, true, tiers - 2), *late;
		uint8_t id[16];
		struct arena a;

		arena_init(&a, 0);
		settle(s);
		vault_keep(s->world.vault, hub);
		late = device_new(&s->world, hub, play_device(s, false, 0)->unit, /* hub= */ false,
		                  /* next_schema= */ false);
		assert_int_equal(device_start(late, true), 0);
		settle(s);
		assert_true(late->joined);
		thing(late, 1, id);
		settle(s);
		assert_true(vault_restore(s->world.vault, &hub, 1, 0, false));
		assert_null(cert_at(hub, late, &a));
		thing(late, 2, id);
		settle(s);
		assert_non_null(cert_at(hub, late, &a));
		assert_int_equal(TIMES(s, READMITTED), tiers == 2);
		assert_true(there(hub, id));
		arena_done(&a);
		play_free(s);
	}
}

static void not_everybody_comes_back(void **state)
{
	struct sim *s = play_new(71, 3, 1, 1, 2);
	struct device *top = play_device(s, true, 0), *county = play_device(s, true, 1),
	              *node = play_device(s, false, 0), *other = play_device(s, false, 1);
	struct device *stranger = device_new(&s->world, county, node->unit, false, false);
	struct buf forged;
	struct error err = {0};
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	s->world.devices[--s->world.devices_count] = NULL; /* it never joins */
	settle(s);
	/* of another hub; at a node; of a hub that gave it, but for another key */
	assert_int_equal(show(top, node, buf_span(&node->cert_bytes)), -ERR_UNKNOWN_ORIGIN);
	assert_int_equal(show(node, other, buf_span(&other->cert_bytes)), -ERR_NOT_JOINED);
	assert_int_equal(show(county, stranger, buf_span(&node->cert_bytes)), -ERR_CERT_BAD);
	/* signed by somebody else in the hub's name */
	stranger->cert = node->cert;
	memcpy(stranger->cert.origin_key, stranger->identity.sign_public, 32);
	memcpy(stranger->cert.link_key, stranger->identity.link_public, 32);
	buf_init(&forged, CERT_BYTES_MAX);
	assert_int_equal(cert_make(&stranger->cert, stranger->identity.sign_secret, &forged, &err),
	                 0);
	assert_int_equal(show(county, stranger, buf_span(&forged)), -ERR_CERT_BAD);
	assert_null(cert_at(county, stranger, &a));
	/* known, and known to be revoked */
	assert_int_equal(show(county, node, buf_span(&node->cert_bytes)), 0);
	assert_int_equal(device_transaction(county, "revoke", work_revoke, node), 0);
	assert_int_equal(show(county, node, buf_span(&node->cert_bytes)), -ERR_REVOKED);
	buf_done(&forged);
	arena_done(&a);
	device_free(stranger);
	play_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(any_generation_of_any_one_or_two),
	        cmocka_unit_test(work_that_the_hub_took_comes_home),
	        cmocka_unit_test(a_beaten_change_stays_beaten),
	        cmocka_unit_test(two_copies_of_a_site_work_on_for_weeks),
	        cmocka_unit_test(the_work_of_two_copies_of_a_hub_merges),
	        cmocka_unit_test(swapped_disks_draw_runs_of_their_own),
	        cmocka_unit_test(a_clock_that_jumps_gives_an_image_away),
	        cmocka_unit_test(an_image_that_nothing_shows),
	        cmocka_unit_test(a_late_segment_leaves_an_honest_gap),
	        cmocka_unit_test(a_forgotten_child_comes_back),
	        cmocka_unit_test(not_everybody_comes_back),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
