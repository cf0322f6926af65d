/*
 * test_repair.c - rows, clocks, candidates, sums and journal bodies damaged behind the engine's back: found, mended from the
 * own journal or from a peer's bytes, or named; nothing damaged spreads, nothing undamaged changes.
 * suite-timeout: 600
 */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/ident.h"
#include "proto/engine.h"
#include "tests/sim/damage.h"
#include "tests/sim/play.h"
#include "tests/support/slower.h"

enum { PROVINCE = 0, COUNTY = 1 }; /* hubs of a world of three tiers, in order of making */

static struct play_field thing_f(int64_t f)
{
	return (struct play_field){"f", value_int(f)};
}

static void insert(struct device *d, int64_t f, uint8_t ret_id[16])
{
	struct play_field fields[] = {thing_f(f),
	                              {"g", value_text("open")},
	                              {"s", value_text("closed")},
	                              {"h", value_int(3)}};

	assert_int_equal(play_insert(d, "thing", fields, ARRAY_COUNT(fields), ret_id), 0);
}

static void edit(struct device *d, const uint8_t id[16], const char *field, struct value v)
{
	struct play_field f = {field, v};

	assert_int_equal(play_update(d, "thing", id, &f, 1), 0);
}

static void settled(struct sim *s)
{
	if (!play_settle(s)) fail_msg("%s: %s", s->world.failed_rule, s->world.failure);
	s->world.healed = false;
}

/* Two sites of one county under a province; rows, an edit, a deletion, a conflict; all agree. */
static struct sim *scene(uint64_t seed, uint8_t ret_ids[4][16])
{
	struct sim *s = play_new(seed, 3, 1, 2, 2);
	struct device *a = play_device(s, false, 0), *b = play_device(s, false, 1),
	              *c = play_device(s, false, 2);
	struct play_field act[] = {{"title", value_text("三八活动")},
	                           {"act", value_text("D1")},
	                           {"astat", value_text("finished")},
	                           {"start", value_int(1295053200000)}};

	s->world.config.damage = -1; /* a row that cannot be used is no failure of the world */
	for (size_t i = 0; i < 4; i++) insert(i == 3 ? c : a, (int64_t)i, ret_ids[i]);
	assert_int_equal(play_insert(c, "activity", act, ARRAY_COUNT(act), NULL), 0);
	settled(s);
	edit(a, ret_ids[0], "f", value_int(50));
	assert_int_equal(play_delete(a, "thing", ret_ids[1]), 0);
	settled(s);
	edit(a, ret_ids[2], "g", value_text("one")); /* neither knows of the other */
	edit(b, ret_ids[2], "g", value_text("two"));
	edit(b, ret_ids[2], "s", value_text("three"));
	settled(s);
	return s;
}

static int64_t look(struct device *d)
{
	struct buf report;
	struct audit x = {.look = true, .report = &report};

	buf_init(&report, 1 << 20);
	while (!x.finished) assert_int_equal(replica_audit(d->replica, &x), 0);
	buf_done(&report);
	return x.found;
}

static size_t noted(struct device *d, unsigned what, unsigned outcome)
{
	struct arena a;
	struct repair *list = NULL;
	size_t n = 0, found = 0;

	arena_init(&a, 0);
	assert_int_equal(replica_repairs(d->replica, &a, &list, &n), 0);
	for (size_t i = 0; i < n; i++) found += list[i].what == what && list[i].outcome == outcome;
	arena_done(&a);
	return found;
}

static unsigned what_of(enum damage_kind kind)
{
	return kind == DAMAGE_STATE    ? REPAIR_STATE
	       : kind == DAMAGE_FIGURE ? REPAIR_FIGURE
	       : kind == DAMAGE_BODY   ? REPAIR_ENTRY
	                               : REPAIR_ROW;
}

/* ---- the own journal suffices */

static void damage_is_found_and_mended_by_an_audit(struct sim *s, struct device *d,
                                                   enum damage_kind kind, uint64_t seed)
{
	struct random rnd = random_stream(seed, 1);
	struct audit x;
	size_t before = noted(d, what_of(kind), REPAIR_OWN);
	bool done = false;

	for (int tries = 0; tries < 20 && !done; tries++) done = damage_do(d, kind, &rnd, NULL);
	assert_true(done);
	if (!look(d)) fail_msg("%s: kind %d is not seen", d->label, (int)kind);
	damage_audit(&s->world, d, &x);
	assert_true(x.finished && x.found > 0);
	assert_int_equal(x.mended, x.found);
	assert_int_equal(look(d), 0);
	assert_true(noted(d, what_of(kind), REPAIR_OWN) > before);
	assert_int_equal(noted(d, what_of(kind), REPAIR_OPEN), 0);
}

static void every_kind_of_damage_at_every_place(void **state)
{
	uint8_t ids[4][16];
	struct sim *s = scene(1, ids);

	(void)state;
	for (int kind = DAMAGE_VALUE; kind < DAMAGE_BODY; kind++) {
		struct device *at[] = {play_device(s, false, 0), play_device(s, false, 3),
		                       play_device(s, true, COUNTY),
		                       play_device(s, true, PROVINCE)};

		for (size_t i = 0; i < ARRAY_COUNT(at); i++) {
			/* The province holds no closed lane and little of its own to lose; figures are a hub's. */
			if (kind == DAMAGE_FIGURE && !at[i]->hub) continue;
			if (kind == DAMAGE_CANDIDATE && i == 1)
				continue; /* another site's conflict */
			damage_is_found_and_mended_by_an_audit(s, at[i], (enum damage_kind)kind,
			                                       100 * (uint64_t)kind + i);
		}
		settled(s);
	}
	play_free(s);
}

/* What was edited meanwhile is kept; what was damaged is not taken for truth by anybody. */
static void damage_does_not_spread(void **state)
{
	uint8_t ids[4][16];
	struct sim *s = scene(2, ids);
	struct device *a = play_device(s, false, 0), *county = play_device(s, true, COUNTY);
	struct audit x;
	char sql[256], hex[33];

	(void)state;
	hex_text(ids[0], 16, hex);
	(void)snprintf(sql, sizeof(sql), "UPDATE thing SET f = 666, s = 'lie' WHERE id = x'%s'",
	               hex);
	assert_true(damage_sql(county, sql));
	county->damaged = true;
	edit(a, ids[0], "g", value_text("after")); /* merged into the damaged row */
	edit(county, ids[0], "h", value_int(9));
	damage_audit(&s->world, county, &x);
	assert_true(x.mended > 0);
	settled(s); /* every replica shows what was written, by the oracle */
	play_free(s);
}

/* A row whose clock does not read cannot be merged into: the transaction fails once, and the next begins with rebuilding
 * the row.  Nothing of the queue behind it waits for a person. */
static void a_row_that_cannot_be_used_stops_nothing(void **state)
{
	uint8_t ids[4][16];
	struct sim *s = scene(3, ids);
	struct device *county = play_device(s, true, COUNTY), *b = play_device(s, false, 1);

	(void)state;
	assert_true(damage_sql(county, "UPDATE thing SET clock0 = x'ffff' WHERE f = 50"));
	edit(b, ids[0], "g", value_text("later"));
	edit(b, ids[0], "s", value_text("too"));
	settled(s);
	assert_true(noted(county, REPAIR_ROW, REPAIR_OWN) > 0);
	play_free(s);
}

/* Rows of an open tail have no other copy; the tail is one. */
static void a_row_that_was_never_sealed(void **state)
{
	uint8_t ids[4][16], id[16];
	struct sim *s = scene(4, ids);
	struct device *a = play_device(s, false, 0);
	struct audit x;

	(void)state;
	insert(a, 77, id);
	assert_true(damage_sql(a, "DELETE FROM thing WHERE f = 77"));
	damage_audit(&s->world, a, &x);
	assert_true(x.mended > 0);
	settled(s);
	play_free(s);
}

static int work_seal(struct device *d, void *ctx)
{
	(void)ctx;
	return replica_seal(d->replica, NULL);
}

/* What was recorded and does not read when it is to leave is named, its rows stay, and what was recorded after it leaves. */
static void what_does_not_read_stops_nothing_that_does(void **state)
{
	uint8_t ids[4][16], lost[16], later[16];
	struct sim *s = scene(5, ids);
	struct device *a = play_device(s, false, 0), *county = play_device(s, true, COUNTY);
	struct replica_counts counts;
	struct audit x;
	bool known = false;

	(void)state;
	insert(a, 77, lost);
	assert_true(damage_sql(a, "UPDATE tail SET changeset = substr(changeset, 1, 9)"));
	insert(a, 78, later);
	damage_audit(&s->world, a, &x); /* before it was set aside, too, its rows are let be */
	assert_int_equal(x.mended, 0);
	assert_int_equal(device_transaction(a, "seal", work_seal, NULL), 0);
	assert_int_equal(replica_counts(a->replica, &counts), 0);
	assert_int_equal(counts.tail, 0);
	assert_true(noted(a, REPAIR_TAIL, REPAIR_OPEN) > 0);
	assert_true(counts.differing > 0);
	s->world.failed_rule[0] = '\0'; /* the world had looked into the tail */
	world_at(&s->world, s->world.now_ms + 1, AT_CONNECT, a->number, 0, 0);
	if (!sim_until(s, s->world.now_ms + 60 * 1000))
		fail_msg("%s: %s", s->world.failed_rule, s->world.failure);
	assert_int_equal(store_row_known(county->keeper, TABLE_THING, later, &known), 0);
	assert_true(known);
	damage_audit(&s->world, a, &x);
	assert_int_equal(x.mended, 0);
	assert_int_equal(store_row_known(a->keeper, TABLE_THING, lost, &known), 0);
	assert_true(known);
	play_free(s);
}

/* All pieces of a round, as a program makes them by itself; *ret_written: how many of them wrote. */
static struct audit round_of(struct device *d, unsigned *ret_written)
{
	struct audit x = {0};
	int64_t before, after;

	*ret_written = 0;
	while (!x.finished) {
		before = store_data_version(d->keeper);
		assert_int_equal(replica_audit_piece(d->replica, &x), 0);
		after = store_data_version(d->keeper);
		*ret_written += after != before;
	}
	return x;
}

/* A site with many rows is looked at in parts; what is entered between two of them moves no row into a part that is done. */
static void a_round_takes_the_rows_in_parts(void **state)
{
	enum { ROWS = 1000, EACH = 20, MORE = 600, TEXT = 120 };
	struct sim *s = play_new(71, 2, 1, 1, 1);
	struct device *d = play_device(s, false, 0);
	struct random rnd = random_stream(71, 1);
	struct audit x = {0};
	unsigned parts = 0;
	int64_t damaged = 0;
	bool sealed;

	(void)state;
	s->world.config.damage = -1;
	for (int64_t i = 0; i < ROWS + MORE; i++) {
		char text[TEXT + 1]; /* which cannot be squeezed below half */
		struct play_field fields[] = {thing_f(i), {"s", value_text(text)}};

		for (size_t k = 0; k < TEXT; k++)
			text[k] = "0123456789abcdef"[random_range(&rnd, 0, 15)];
		text[TEXT] = 0;
		if (i == ROWS) {
			settled(s);
			assert_true(damage_sql(d, "UPDATE thing SET s = x'6f66' WHERE f % 20 = 7"));
			damaged = look(d);
			while (x.parts_done < 2) /* one of the closed lane is done */
				assert_int_equal(replica_audit_piece(d->replica, &x), 0);
		}
		assert_int_equal(play_insert(d, "thing", fields, ARRAY_COUNT(fields), NULL), 0);
	}
	assert_int_equal(replica_begin(d->replica),
	                 0); /* there is more than one part's worth more in the journal now */
	assert_int_equal(replica_seal(d->replica, &sealed), 0);
	assert_int_equal(replica_commit(d->replica), 0);
	while (!x.finished) {
		if (x.parts_done > parts) parts = x.parts_done;
		assert_int_equal(replica_audit_piece(d->replica, &x), 0);
	}
	assert_true(parts > 2);
	assert_true(damaged > ROWS / EACH / 2);
	assert_int_equal(x.found, damaged);
	assert_int_equal(x.mended, x.found);
	assert_int_equal(look(d), 0);
	play_free(s);
}

/* Values, of which no hash and no session tells, and the rest: a round finds and mends them; where all is well it writes nothing
 * but that it is over. */
static void a_round_finds_what_nobody_asked_for(void **state)
{
	static const struct {
		const char *sql;
		unsigned what;
	} damages[] = {
	        {"UPDATE thing SET f = f + 1000 WHERE f = 50", REPAIR_ROW},
	        {"DELETE FROM thing WHERE f = 50", REPAIR_ROW},
	        {"UPDATE thing SET clock0 = x'ffff' WHERE f = 50", REPAIR_ROW},
	        {"UPDATE state SET hash = x'00112233445566778899aabbccddeeff'", REPAIR_STATE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(damages); i++)
		for (int at = 0; at < 2; at++) {
			uint8_t ids[4][16];
			struct sim *s = scene(60 + i, ids);
			struct device *d =
			        at ? play_device(s, true, COUNTY) : play_device(s, false, 0);
			unsigned written;
			int64_t when = 0;
			struct audit x = round_of(d, &written);

			assert_int_equal(x.found, 0);
			assert_int_equal(written, 1);
			assert_int_equal(replica_audited(d->replica, &when), 0);
			assert_true(when > 0);
			assert_true(damage_sql(d, damages[i].sql));
			x = round_of(d, &written);
			assert_true(x.found > 0);
			assert_int_equal(x.mended, x.found);
			assert_int_equal(look(d), 0);
			assert_true(noted(d, damages[i].what, REPAIR_OWN) > 0);
			settled(s);
			play_free(s);
		}
}

/* ---- differences that only another's digest tells: as an error of the program would leave them */

static int work_sums(struct device *d, void *ctx)
{
	struct scope *scopes;
	struct arena a;
	size_t n = 0, off;
	int rc;

	(void)ctx;
	arena_init(&a, 0);
	rc = store_scopes(replica_store(d->replica), &a, &scopes, &n);
	for (size_t i = 0; i < n && rc == 0; i++) rc = repair_sums(d->replica, scopes[i].ord, &off);
	arena_done(&a);
	return rc;
}

/* The state hash follows the damage. */
static void hide(struct device *d)
{
	assert_int_equal(device_transaction(d, "sums", work_sums, NULL), 0);
}

static void rows_that_differ_are_found_by_a_session(void **state)
{
	static const char *const sqls[] = {
	        "DELETE FROM thing WHERE f = 50",
	        "UPDATE thing SET clock1 = NULL, clock0 = NULL, f = 3 WHERE f = 50",
	        "INSERT INTO thing(id, scope, alive0, f) SELECT "
	        "x'019b7770000070018000000000000001', scope, "
	        "1, 5 FROM thing LIMIT 1",
	        "UPDATE thing SET alive1 = NULL, clock1 = NULL, s = NULL, h = NULL WHERE f = 50",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(sqls); i++)
		for (int at = 0; at < 3; at++) {
			uint8_t ids[4][16];
			struct sim *s = scene(10 + i, ids);
			struct device *d = at == 0   ? play_device(s, false, 0)
			                   : at == 1 ? play_device(s, true, COUNTY)
			                             : play_device(s, true, PROVINCE);

			if (at == 2 && i == 3) { /* the province has no closed lane */
				play_free(s);
				continue;
			}
			assert_true(damage_sql(d, sqls[i]));
			hide(d);
			assert_true(look(d) > 0);
			settled(s); /* nobody asked for an audit */
			assert_int_equal(look(d), 0);
			assert_true(noted(d, REPAIR_ROW, REPAIR_OWN) > 0);
			play_free(s);
		}
}

static void a_state_hash_that_is_off_is_found_by_a_session(void **state)
{
	(void)state;
	for (int at = 0; at < 2; at++) {
		uint8_t ids[4][16];
		struct sim *s = scene(20, ids);
		struct device *d = at ? play_device(s, true, COUNTY) : play_device(s, false, 0);

		assert_true(damage_sql(
		        d, "UPDATE state SET hash = x'00112233445566778899aabbccddeeff'"));
		settled(s);
		assert_int_equal(look(d), 0);
		assert_true(noted(d, REPAIR_STATE, REPAIR_OWN) > 0);
		play_free(s);
	}
}

/* ---- bodies of the journal */

static bool entry_whole(struct device *d, const uint8_t hash[16])
{
	struct arena a;
	bool whole = true;
	struct entry *e = NULL;
	int64_t head = 0;
	uint8_t rolling[ROLLING_BYTES];

	arena_init(&a, 0);
	assert_int_equal(store_journal_head(d->keeper, &head, rolling), 0);
	for (int64_t recv = 1; recv <= head; recv++) {
		assert_int_equal(store_journal_get(d->keeper, recv, &a, &e), 0);
		if (memcmp(e->hash, hash, 16) == 0) whole = entry_sound(e);
	}
	arena_done(&a);
	return whole;
}

static void a_damaged_body_comes_again_from_a_peer(void **state)
{
	(void)state;
	for (int at = 0; at < 4; at++) {
		uint8_t ids[4][16], hash[16];
		struct sim *s = scene(30 + (uint64_t)at, ids);
		struct device *d = at < 2    ? play_device(s, false, (size_t)at)
		                   : at == 2 ? play_device(s, true, COUNTY)
		                             : play_device(s, true, PROVINCE);
		struct random rnd = random_stream(5, (uint64_t)at);
		struct audit x;
		bool done = false;

		for (int tries = 0; tries < 40 && !done; tries++)
			done = damage_do(d, DAMAGE_BODY, &rnd, hash);
		assert_true(done);
		assert_false(entry_whole(d, hash));
		damage_audit(&s->world, d, &x);
		assert_int_equal(noted(d, REPAIR_ENTRY, REPAIR_OPEN), 1);
		settled(s);
		assert_true(entry_whole(d, hash));
		assert_int_equal(noted(d, REPAIR_ENTRY, REPAIR_PEER), 1);
		assert_int_equal(noted(d, REPAIR_ENTRY, REPAIR_OPEN), 0);
		play_free(s);
	}
}

/* Damaged before it was sent, and nowhere else: named, not sent, and the row stays as it stands; the session goes on. */
static void a_body_without_another_copy_is_named(void **state)
{
	uint8_t ids[4][16], id[16], later[16];
	struct sim *s = scene(40, ids);
	struct device *a = play_device(s, false, 0), *county = play_device(s, true, COUNTY);
	struct row_view *v = NULL;
	struct arena mem;
	struct audit x;
	const struct table *t = schema_table_named(device_schema(a), "thing");

	(void)state;
	arena_init(&mem, 0);
	insert(a, 88, id);
	a->seal_at_ms = s->world.now_ms;
	device_turn_at(&s->world, a, s->world.now_ms);
	assert_true(sim_until(s, s->world.now_ms + 100)); /* sealed; no session is open */
	assert_true(damage_sql(
	        a, "UPDATE journal SET body = x'00' || substr(body, 2) WHERE recv > (SELECT "
	           "max(recv) - 2 FROM journal) AND kind = 1"));
	insert(a, 89, later);
	assert_false(play_settle(s)); /* the damaged entry is there at rest */
	assert_string_equal(s->world.failed_rule, "journal");
	assert_true(noted(a, REPAIR_ENTRY, REPAIR_OPEN) > 0);
	assert_int_equal(store_row_view(a->keeper, t, id, &mem, &v), 0);
	assert_non_null(v); /* its only copy */
	assert_int_equal(store_row_view(county->keeper, t, later, &mem, &v), 0);
	assert_non_null(v); /* what came after it arrived */
	assert_int_equal(store_row_view(county->keeper, t, id, &mem, &v), 0);
	assert_null(v);
	damage_audit(&s->world, a, &x);
	assert_int_equal(store_row_view(a->keeper, t, id, &mem, &v), 0);
	assert_non_null(v);
	arena_done(&mem);
	play_free(s);
}

/* ---- what it costs: a million rows of one scope */

static uint64_t session_bytes(struct sim *s, struct device *d)
{
	struct world *w = &s->world;
	size_t first = w->conns_count;

	device_connect(w, d);
	assert_true(sim_until(s, w->now_ms + 60 * 1000));
	/* The one session, not those that the site begins after it. */
	return w->conns[first]->ends[0].sent_bytes + w->conns[first]->ends[1].sent_bytes;
}

static void a_million_rows(void **state)
{
	enum { ROWS = 1000000 / (SLOWER * SLOWER), DIFFERENT = 100 };
	struct sim *s = play_new(50, 2, 1, 1, 1);
	struct device *site = play_device(s, false, 0), *county = play_device(s, true, 0);
	struct device *both[] = {site, county};
	struct row_view *v = NULL;
	uint8_t id[16] = {0}, last[16] = {0};
	uint64_t quiet, bytes;
	char sql[512], unit[33];
	struct arena mem;

	(void)state;
	arena_init(&mem, 0);
	hex_text(s->world.units[site->unit].id, 16, unit);
	for (size_t i = 0; i < 2;
	     i++) { /* old rows that both hold: they come from no journal, and are not asked about */
		(void)snprintf(
		        sql, sizeof(sql),
		        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
		        "%d) INSERT INTO thing(id, scope, alive0, f, g) SELECT CAST("
		        "printf('%%08d%%08d', i, i) AS BLOB), (SELECT ord FROM scope WHERE id = "
		        "x'%s'), 1, i, 'row' FROM n",
		        ROWS, unit);
		assert_true(damage_sql(both[i], sql));
		hide(both[i]);
	}
	for (int64_t i = 0; i < DIFFERENT; i++) insert(site, 7000000 + i, i ? last : id);
	(void)session_bytes(s, site);
	quiet = session_bytes(s, site);
	assert_true(quiet <= 200); /* a million rows in agreement: HELLO and WELCOME say so */
	assert_true(damage_sql(county,
	                       "UPDATE thing SET alive0 = NULL, clock0 = NULL, f = NULL, g = NULL "
	                       "WHERE f >= 7000000"));
	hide(county);
	bytes = session_bytes(s, site);
	print_message("%d rows: in agreement %" PRIu64
	              " bytes in all; 100 recent differences %" PRIu64 " bytes\n",
	              (int)ROWS, quiet, bytes - quiet);
	assert_int_equal(store_row_view(county->keeper,
	                                schema_table_named(device_schema(county), "thing"), last,
	                                &mem, &v),
	                 0);
	assert_non_null(v);
	assert_true(bytes - quiet <= 5 * 1024);
	assert_true(session_bytes(s, site) <= 200); /* and agree */
	assert_string_equal(s->world.failed_rule, "");
	arena_done(&mem);
	play_free(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_kind_of_damage_at_every_place),
	        cmocka_unit_test(damage_does_not_spread),
	        cmocka_unit_test(a_row_that_cannot_be_used_stops_nothing),
	        cmocka_unit_test(a_row_that_was_never_sealed),
	        cmocka_unit_test(what_does_not_read_stops_nothing_that_does),
	        cmocka_unit_test(a_round_takes_the_rows_in_parts),
	        cmocka_unit_test(a_round_finds_what_nobody_asked_for),
	        cmocka_unit_test(rows_that_differ_are_found_by_a_session),
	        cmocka_unit_test(a_state_hash_that_is_off_is_found_by_a_session),
	        cmocka_unit_test(a_damaged_body_comes_again_from_a_peer),
	        cmocka_unit_test(a_body_without_another_copy_is_named),
	        cmocka_unit_test(a_million_rows),
	};

	if (crypt_init() < 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
