/*
 * test_disk.c - every call that SQLite makes to the file system while a row is recorded, a segment sealed, taken in,
 * applied, a file upgraded, checkpointed, closed or recovered: at each of them in turn the power goes, the process is
 * killed, the disk is full, the call fails.  Afterwards the database is what it was before or what it should be after,
 * never between; what was said to be done is done; and the same work then goes through.
 * suite-timeout: 500
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "common/base.h"

#include "tests/sim/play.h"
#include "tests/support/slower.h"

enum { CALLS_MAX = 3000, PLATTERS = 3 };

/* What a machine remembers outside its disk. */
struct memory {
	struct random rnd;
	struct witness witness;
	bool witness_known;
	uint8_t boot[16];
};
/* One piece of work of one machine, and the disk that it begins with. */
struct scene {
	const char *name;
	struct device *device;
	struct disk *base;
	unsigned dies_at;
	bool from_open; /* calls count from the opening of the database */
	int (*work)(struct scene *sc);
	bool next_schema;
	struct span head, body; /* a segment to take in */

	struct memory memory; /* before */
	uint8_t before[16], after[16];
	/* The life at hand. */
	struct disk *disk;
	unsigned process;
	struct store *store;
	struct replica *replica;
	struct error err;
};
static struct sim *sim;
static struct arena keep;
static struct scene at_node, at_hub, at_hub_later;

/* ---- a life */
static struct memory remember(const struct device *d)
{
	struct memory m = {d->rnd, d->witness, d->witness_known, {0}};

	memcpy(m.boot, d->boot, 16);
	return m;
}

static void recall(struct device *d, const struct memory *m)
{
	d->rnd = m->rnd;
	d->witness = m->witness;
	d->witness_known = m->witness_known;
	memcpy(d->boot, m->boot, 16);
}

static const struct schema *schema_of(const struct scene *sc)
{
	return sc->next_schema ? &sim->world.things_next.schema : &sim->world.things.schema;
}

static int life_open(struct scene *sc)
{
	struct replica_config config = {.env = &sc->device->env,
	                                .identity = &sc->device->identity,
	                                .judge = sc->device->hub ? &sc->device->judge : NULL};
	int rc;

	sc->process = disk_process(sc->disk);
	rc = store_open(disk_database(sc->disk), schema_of(sc), STORE_VFS | STORE_LAZY, &sc->store,
	                &sc->err);
	if (rc == 0) rc = replica_open(&sc->replica, sc->store, &config, &sc->err);
	return rc;
}

static void life_close(struct scene *sc)
{
	replica_close(sc->replica);
	store_close(sc->store);
	sc->replica = NULL;
	sc->store = NULL;
}

static void life_begin(struct scene *sc, uint64_t chance)
{
	sc->disk = disk_clone(sc->base);
	disk_chance(sc->disk, chance);
	recall(sc->device, &sc->memory);
}

static void life_end(struct scene *sc)
{
	life_close(sc);
	disk_free(sc->disk);
	sc->disk = NULL;
}

/* The machine boots again: what is not on the disk is forgotten. */
static void boot(struct scene *sc)
{
	random_bytes(&sc->device->rnd, sc->device->boot, 16);
	sc->device->witness_known = false;
}

/* ---- looking, without the engine */
static void hash_rows(sqlite3 *db, const char *sql, struct hash *h)
{
	sqlite3_stmt *s = NULL;
	int rc;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		for (int i = 0; i < sqlite3_column_count(s); i++) {
			int type = sqlite3_column_type(s, i), len;
			const void *p = sqlite3_column_blob(s, i);

			len = sqlite3_column_bytes(s, i);
			hash_add(h, &type, sizeof(type));
			hash_add(h, &len, sizeof(len));
			if (p != NULL) hash_add(h, p, (size_t)len);
		}
	assert_int_equal(rc, SQLITE_DONE);
	sqlite3_finalize(s);
}

static void check_integrity(sqlite3 *db)
{
	sqlite3_stmt *s = NULL;

	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(s, 0), "ok");
	sqlite3_finalize(s);
}

/* The whole content of the file, as the next program finds it: it is sound, and this is its hash. */
static void look(struct disk *disk, uint8_t ret[16])
{
	static const char tables[] =
	        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	struct hash h;

	(void)disk_process(disk);
	assert_int_equal(sqlite3_open_v2(strchr(disk_database(disk), ':') + 1, &db,
	                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, "faultfs"),
	                 SQLITE_OK);
	check_integrity(db);
	hash_begin(&h, 16);
	hash_rows(db, "SELECT name, sql FROM sqlite_schema ORDER BY name", &h);
	assert_int_equal(sqlite3_prepare_v2(db, tables, -1, &s, NULL), SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW) {
		char sql[256];

		(void)snprintf(sql, sizeof(sql), "SELECT * FROM \"%s\"",
		               (const char *)sqlite3_column_text(s, 0));
		hash_rows(db, sql, &h);
	}
	sqlite3_finalize(s);
	hash_end(&h, ret, 16);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Rolling hash, chains, signatures; state hashes and figures against the tables. */
static void check_sound(struct scene *sc)
{
	struct buf report;
	int64_t findings = 0, forks = 0;

	buf_init(&report, 1 << 16);
	assert_int_equal(replica_verify(sc->replica, &report, &findings, &forks, NULL, NULL), 0);
	if (findings != 0) print_message("%s: %s\n", sc->name, buf_cstr(&report));
	assert_int_equal(findings, 0);
	assert_int_equal(forks, 0);
	buf_done(&report);
}

/* ---- pieces of work: 0 or the error, and then nothing happened */
static int finish(struct scene *sc, int rc)
{
	if (rc == 0) return replica_commit(sc->replica);
	replica_rollback(sc->replica);
	return rc;
}

static int record(struct scene *sc)
{
	const struct table *t = schema_table_named(schema_of(sc), "thing");
	struct field_write fields[] = {{table_field_named(t, "f"), value_int(41)},
	                               {table_field_named(t, "h"), value_int(42)}};
	struct write wr = {.kind = WRITE_INSERT, .table = t, .fields = fields, .fields_count = 2};
	uint8_t author[8] = {1};
	int rc = replica_begin(sc->replica);

	if (rc != 0) return rc;
	return finish(sc, replica_write(sc->replica, &wr, 1, /* whole= */ false, author));
}

static int seal(struct scene *sc)
{
	bool sealed;
	int rc = replica_begin(sc->replica);

	return rc != 0 ? rc : finish(sc, replica_seal(sc->replica, &sealed));
}

static int append(struct scene *sc)
{
	bool fresh;
	int rc = replica_begin(sc->replica);

	if (rc != 0) return rc;
	return finish(sc, replica_append(sc->replica, ENTRY_SEGMENT, sc->head, sc->body,
	                                 /* from= */ 0, &fresh));
}

static int apply(struct scene *sc)
{
	bool more;
	int rc = replica_begin(sc->replica);

	return rc != 0 ? rc : finish(sc, replica_apply(sc->replica, 1000, &more));
}

static int checkpoint(struct scene *sc)
{
	return store_checkpoint(sc->store);
}

/* The last to leave moves the log into the database and takes it away. */
static int leave(struct scene *sc)
{
	life_close(sc);
	return 0;
}

static int start(struct scene *sc)
{
	return life_open(sc);
}

/* ---- the walks */
static void scene_begin(struct scene *sc)
{
	sc->memory = remember(sc->device);
	life_begin(sc, 0);
	look(sc->disk, sc->before);
	life_end(sc);
	life_begin(sc, 0);
	if (!sc->from_open) assert_int_equal(life_open(sc), 0);
	assert_int_equal(sc->work(sc), 0);
	life_close(sc);
	look(sc->disk, sc->after);
	life_end(sc);
}

static void scene_end(struct scene *sc)
{
	recall(sc->device, &sc->memory);
}

/* The same work, undisturbed: afterwards it is done, under whatever run. */
static void goes_on(struct scene *sc, int64_t n)
{
	uint8_t now[16];
	int rc = 0;

	if (sc->store == NULL) rc = life_open(sc);
	if (rc == 0 && !sc->from_open) rc = sc->work(sc);
	if (rc != 0)
		print_message("%s: after call %" PRId64 ": %d %s\n", sc->name, n, rc,
		              sc->err.detail);
	assert_int_equal(rc, 0);
	if (sc->store == NULL) assert_int_equal(life_open(sc), 0);
	check_sound(sc);
	life_close(sc);
	look(sc->disk, now);
	if (memcmp(sc->before, sc->after, 16) != 0) assert_memory_not_equal(now, sc->before, 16);
}

static void expect(struct scene *sc, int64_t n, bool before, bool after)
{
	uint8_t now[16];

	look(sc->disk, now);
	if (after && memcmp(now, sc->after, 16) == 0) return;
	if (before && memcmp(now, sc->before, 16) == 0) return;
	print_message("%s: call %" PRId64 " (%s): the database is %s\n", sc->name, n,
	              disk_struck(sc->disk),
	              memcmp(now, sc->before, 16) == 0  ? "as before"
	              : memcmp(now, sc->after, 16) == 0 ? "as after"
	                                                : "neither as before nor as after");
	fail();
}

/* True: there was a call number n. */
static bool die_at(struct scene *sc, enum disk_fault fault, int64_t n, uint64_t chance)
{
	bool struck;
	int rc = 0;

	life_begin(sc, chance);
	if (!sc->from_open) assert_int_equal(life_open(sc), 0);
	disk_arm(sc->disk, fault, sc->dies_at, n, 1, /* process= */ 0);
	rc = sc->work(sc);
	struck = disk_hits(sc->disk) > 0;
	assert_true(struck || rc == 0);
	disk_disarm(sc->disk);
	if (struck)
		assert_false(disk_process_alive(sc->disk, sc->process));
	else if (fault == DISK_POWER_CUT)
		disk_power_cut(sc->disk); /* told to be done, and then the power goes */
	else if (sc->store != NULL)
		disk_kill(sc->disk, sc->process);
	life_close(sc);
	if (fault == DISK_POWER_CUT) boot(sc);
	/* The work may be told to be done at a call after its commit: a checkpoint. */
	expect(sc, n, /* before= */ struck && rc != 0, /* after= */ true);
	goes_on(sc, n);
	life_end(sc);
	return struck;
}

static void walk_deaths(struct scene *sc)
{
	int64_t calls = 0;

	scene_begin(sc);
	while (calls < CALLS_MAX && die_at(sc, DISK_KILL, calls, (uint64_t)calls)) {
		for (uint64_t i = 0; i < PLATTERS; i++)
			assert_true(
			        die_at(sc, DISK_POWER_CUT, calls, (uint64_t)calls * PLATTERS + i));
		calls += 2 * SLOWER - 1;
	}
	for (uint64_t i = 0; i < 4 * PLATTERS; i++)
		assert_false(die_at(sc, DISK_POWER_CUT, calls, i));
	print_message("%s: died at each of %" PRId64 " calls\n", sc->name, calls);
	assert_true(calls > 0 && calls < CALLS_MAX);
	scene_end(sc);
}

static bool is_error_of(enum disk_fault fault, int rc)
{
	switch (fault) {
	case DISK_ENOSPC:
		return rc == -ERR_DISK_FULL;
	case DISK_EIO:
	case DISK_SHORT:
		return rc == -ERR_STORAGE ||
		       rc == -ERR_DATABASE_DAMAGED; /* SQLite says so of reads */
	case DISK_POWER_CUT:
	case DISK_KILL:
		break;
	}
	return false;
}

/* After a commit of unknown outcome nothing is done on the connection. */
static void check_lost(struct scene *sc)
{
	int64_t head;
	uint8_t rolling[ROLLING_BYTES];

	assert_int_equal(store_begin(sc->store), -ERR_STORAGE);
	assert_int_equal(store_journal_head(sc->store, &head, rolling), -ERR_STORAGE);
	life_close(sc);
}

static bool fail_at(struct scene *sc, enum disk_fault fault, unsigned kinds, int64_t n,
                    int64_t times, unsigned *lost)
{
	bool struck, written;
	uint64_t run = 0;
	int rc = 0;

	life_begin(sc, (uint64_t)n);
	if (!sc->from_open) assert_int_equal(life_open(sc), 0);
	disk_arm(sc->disk, fault, kinds, n, times, /* process= */ 0);
	rc = sc->work(sc);
	struck = disk_hits(sc->disk) > 0;
	disk_disarm(sc->disk);
	if (rc != 0 && !(struck && is_error_of(fault, rc)))
		print_message("%s: call %" PRId64 " (%s): error %d %s\n", sc->name, n,
		              disk_struck(sc->disk), rc,
		              sc->replica != NULL ? replica_error(sc->replica)->detail
		                                  : sc->err.detail);
	assert_true(rc == 0 || (struck && is_error_of(fault, rc)));
	written = memcmp(&sc->device->witness, &sc->memory.witness, sizeof(struct witness)) != 0;
	if (sc->replica != NULL) run = replica_run(sc->replica);
	if (sc->store != NULL && store_lost(sc->store)) {
		(*lost)++;
		check_lost(sc);
	} else if (fault != DISK_ENOSPC || (sc->from_open && rc != 0)) {
		life_close(sc); /* an error of the disk: opened again, as the daemon does */
	}
	/* A full disk is gone on with on the same connection; for the others the file is looked at first. */
	if (sc->store == NULL) /* an opening may fail after the file has been brought up */
		expect(sc, n, /* before= */ rc != 0, /* after= */ rc == 0 || sc->from_open);
	if (rc != 0 && written && !sc->from_open) {
		/* The witness of a commit that failed fits nothing: the next transaction is under another run. */
		if (sc->store == NULL) assert_int_equal(life_open(sc), 0);
		assert_int_equal(replica_begin(sc->replica), 0);
		assert_int_not_equal(replica_run(sc->replica), run);
		replica_rollback(sc->replica);
	}
	goes_on(sc, n);
	life_end(sc);
	return struck;
}

static void walk_errors(struct scene *sc, enum disk_fault fault, unsigned kinds, int64_t times)
{
	unsigned lost = 0;
	int64_t calls = 0;

	scene_begin(sc);
	while (calls < CALLS_MAX && fail_at(sc, fault, kinds, calls, times, &lost))
		calls += 2 * SLOWER - 1;
	print_message("%s: fault %d at each of %" PRId64 " calls, %u commits of unknown outcome\n",
	              sc->name, (int)fault, calls, lost);
	assert_true(calls < CALLS_MAX);
	scene_end(sc);
}

static void walk(struct scene *sc)
{
	walk_deaths(sc);
	walk_errors(sc, DISK_ENOSPC, DISK_OPEN | DISK_WRITE | DISK_SHARE, 1);
	walk_errors(sc, DISK_ENOSPC, DISK_OPEN | DISK_WRITE | DISK_SHARE, INT64_MAX);
	walk_errors(sc, DISK_EIO, DISK_ANY, 1);
	walk_errors(sc, DISK_EIO, DISK_ANY, INT64_MAX);
	walk_errors(sc, DISK_SHORT, DISK_READ, 1);
}

static struct scene scene_of(const struct scene *like, const char *name,
                             int (*work)(struct scene *sc))
{
	struct scene sc = *like;

	sc.name = name;
	sc.dies_at = DISK_CHANGES;
	sc.work = work;
	return sc;
}

static void one_recorded_row(void **state)
{
	struct scene sc = scene_of(&at_node, "record", record);

	(void)state;
	walk(&sc);
}

static void one_seal(void **state)
{
	struct scene sc = scene_of(&at_node, "seal", seal);

	(void)state;
	walk(&sc);
}

static void one_segment_taken_in(void **state)
{
	struct scene sc = scene_of(&at_hub, "append", append);

	(void)state;
	walk(&sc);
}

static void one_segment_applied_and_admitted(void **state)
{
	struct scene sc = scene_of(&at_hub_later, "apply", apply);

	(void)state;
	walk(&sc);
}

static void a_newer_program(void **state)
{
	struct scene sc = scene_of(&at_node, "upgrade", start);

	(void)state;
	sc.next_schema = sc.from_open = true;
	walk(&sc);
}

static void a_start_after_a_kill(void **state)
{
	struct scene sc = scene_of(&at_node, "start", start);

	(void)state;
	sc.from_open = true;
	walk(&sc);
}

static void a_checkpoint(void **state)
{
	struct scene sc = scene_of(&at_node, "checkpoint", checkpoint);

	(void)state;
	walk(&sc);
}

static void the_last_to_leave(void **state)
{
	struct scene sc = scene_of(&at_node, "leave", leave);

	(void)state;
	walk_deaths(&sc);
}

/* Power goes at call n of the work, and again at call m of the next start or the end of that. */
static bool cut_again(struct scene *sc, struct disk *after_cut, int64_t n, int64_t m)
{
	struct disk *first = sc->disk;
	bool struck;

	sc->disk = disk_clone(after_cut);
	disk_chance(sc->disk, (uint64_t)(n * CALLS_MAX + m));
	disk_arm(sc->disk, DISK_POWER_CUT, DISK_CHANGES, m, 1, /* process= */ 0);
	(void)life_open(sc);
	life_close(sc);
	struck = disk_hits(sc->disk) > 0;
	disk_disarm(sc->disk);
	expect(sc, n, /* before= */ true, /* after= */ true);
	disk_free(sc->disk);
	sc->disk = first;
	return struck;
}

static void cut_off_in_recovery(void **state)
{
	struct scene sc = scene_of(&at_node, "recovery", record);
	bool struck = true;
	int64_t pairs = 0;

	(void)state;
	scene_begin(&sc);
	for (int64_t n = 0; struck; n++) {
		int64_t m = 0;

		life_begin(&sc, (uint64_t)n);
		assert_int_equal(life_open(&sc), 0);
		disk_arm(sc.disk, DISK_POWER_CUT, DISK_CHANGES, n, 1, /* process= */ 0);
		(void)record(&sc);
		struck = disk_hits(sc.disk) > 0;
		life_close(&sc);
		if (n % 5 == 0 ||
		    !struck) /* the work, and the order of its calls, is the same for all */
			while (m < CALLS_MAX && cut_again(&sc, sc.disk, n, m)) m += SLOWER;
		assert_true(m < CALLS_MAX);
		pairs += m;
		life_end(&sc);
	}
	print_message("recovery: %" PRId64 " pairs of cuts\n", pairs);
	assert_true(pairs > 0);
	scene_end(&sc);
}

/*
 * A sync that fails inside a commit, then the end of the process without goodbye: the log in the page cache shows a commit
 * that the platter does not have.  What the next process acknowledges must not stand behind it.
 */
static void a_sync_that_failed_and_a_kill(void **state)
{
	struct scene sc = scene_of(&at_node, "sync", record);

	(void)state;
	scene_begin(&sc);
	for (uint64_t chance = 0; chance < 60; chance += SLOWER) {
		uint8_t told[16], there[16];
		struct disk *copy;

		life_begin(&sc, chance);
		assert_int_equal(life_open(&sc), 0);
		disk_arm(sc.disk, DISK_EIO, DISK_SYNC, 0, 1, /* process= */ 0);
		assert_int_equal(record(&sc), -ERR_STORAGE);
		assert_true(store_lost(sc.store));
		disk_kill(sc.disk, sc.process);
		life_close(&sc);
		assert_int_equal(life_open(&sc), 0);
		assert_int_equal(record(&sc), 0);
		copy = disk_clone(sc.disk);
		look(copy, told);
		disk_free(copy);
		disk_power_cut(sc.disk);
		life_close(&sc);
		look(sc.disk, there);
		if (memcmp(told, there, 16) != 0) print_message("chance %" PRIu64 "\n", chance);
		assert_memory_equal(told, there, 16);
		life_end(&sc);
	}
	scene_end(&sc);
}

/* ---- set up */
static struct span kept(struct span s)
{
	return arena_span(&keep, s);
}

static void take_segment(struct device *d, struct scene *sc)
{
	uint8_t rolling[ROLLING_BYTES];
	struct entry *e = NULL;
	int64_t head = 0;

	assert_int_equal(store_journal_head(d->store, &head, rolling), 0);
	for (; head > 0 && (e == NULL || e->kind != ENTRY_SEGMENT || e->lane != LANE_OPEN); head--)
		assert_int_equal(store_journal_get(d->store, head, &keep, &e), 0);
	assert_non_null(e);
	if (e == NULL) return;
	sc->head = kept(e->head);
	sc->body = kept(e->body);
}

static int set_up(void **state)
{
	struct config c = {.seed = 8,
	                   .tiers = 2,
	                   .counties = 1,
	                   .sites = 1,
	                   .devices = 1,
	                   .hours = 1,
	                   .latency_ms = 20,
	                   .disk = 1};
	struct scene live;
	struct device *node, *hub;

	(void)state;
	arena_init(&keep, 0);
	sim = mem_alloc(sizeof(*sim));
	sim_init(sim, &c, /* trace= */ false);
	(void)sim_until(sim, sim->world.now_ms + 60 * 1000);
	node = play_device(sim, false, 0);
	hub = play_device(sim, true, 0);
	live = (struct scene){.device = node, .replica = node->replica};
	if (record(&live) != 0) return -1;
	at_node = (struct scene){.device = node, .base = disk_clone(node->storage.disk)};
	if (seal(&live) != 0) return -1;
	at_hub = (struct scene){.device = hub, .base = disk_clone(hub->storage.disk)};
	take_segment(node, &at_hub);
	live = at_hub;
	live.replica = hub->replica;
	if (append(&live) != 0) return -1;
	at_hub_later = at_hub;
	at_hub_later.base = disk_clone(hub->storage.disk);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	disk_free(at_node.base);
	disk_free(at_hub.base);
	disk_free(at_hub_later.base);
	sim_done(sim);
	free(sim);
	arena_done(&keep);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(one_recorded_row),
	        cmocka_unit_test(one_seal),
	        cmocka_unit_test(one_segment_taken_in),
	        cmocka_unit_test(one_segment_applied_and_admitted),
	        cmocka_unit_test(a_newer_program),
	        cmocka_unit_test(a_start_after_a_kill),
	        cmocka_unit_test(a_checkpoint),
	        cmocka_unit_test(the_last_to_leave),
	        cmocka_unit_test(cut_off_in_recovery),
	        cmocka_unit_test(a_sync_that_failed_and_a_kill),
	};

	if (crypt_init() != 0) return 1;
	if (getenv("DISK_TEST") != NULL) cmocka_set_test_filter(getenv("DISK_TEST"));
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
