/*
 * storage.c - see storage.h.
 */
#include "common/base.h"

#include "tests/sim/closed.h"
#include "tests/sim/storage.h"

#include "tests/sim/device.h"
#include "tests/sim/template.h"

enum {
	STREAM_STORAGE = 82,
	SICK_MS = 5000, /* as the daemon waits after an error */
	RECOVERIES_MAX = 4,
	FULL_MS_MAX = 40 * 60 * 1000
};

/* ---- configuration */
static int64_t rate(struct random *rnd, int64_t most)
{
	return random_chance(rnd, 600) ? random_range(rnd, 1, most) : 0;
}

void storage_config(uint64_t seed, struct config *c)
{
	struct random rnd = random_stream(seed, STREAM_STORAGE);

	if (random_chance(&rnd, 500)) return; /* a world of memory */
	c->disk = 1;
	c->power = random_chance(&rnd, 300) ? 1000 : random_range(&rnd, 0, 1000);
	c->die = rate(&rnd, 60);
	c->eio = rate(&rnd, 40);
	c->full = rate(&rnd, 6);
	c->audit = random_range(&rnd, 20, 300);
}

/* ---- life */
void storage_init(struct device *d)
{
	struct world *w = d->world;
	struct storage *s = &d->storage;
	struct random rnd = world_draw(w, DRAWN_PLATTER, d->number, 0);

	*s = (struct storage){.quota = -1};
	if (w->config.disk == 0) {
		(void)snprintf(d->path, sizeof(d->path), "sim-%p-%s", (void *)d, d->label);
		return;
	}
	s->disk = disk_new();
	s->checkpoint_pages = random_chance(&rnd, 300) ? 10000 : (int)random_range(&rnd, 5, 400);
	(void)snprintf(d->path, sizeof(d->path), "%s", disk_database(s->disk));
}

void storage_done(struct device *d)
{
	disk_free(d->storage.disk);
	d->storage.disk = NULL;
}

static int open_as(struct device *d, enum storage_who who, unsigned flags, struct store **ret)
{
	struct storage *s = &d->storage;
	int rc;

	flags |= STORE_LAZY;
	if (s->disk == NULL)
		return store_open(d->path, device_schema(d), flags | STORE_MEMORY_VFS, ret,
		                  &d->err);
	s->process[who] = disk_process(s->disk);
	rc = store_open(d->path, device_schema(d), flags | STORE_VFS, ret, &d->err);
	if (rc == 0) store_checkpoint_every(*ret, s->checkpoint_pages);
	return rc;
}

static int close_rest(struct device *d, struct store **ret)
{
	int rc = closed_give(d, *ret);

	if (rc == 0) return 0;
	store_close(*ret);
	*ret = NULL;
	return rc;
}

int storage_open(struct device *d, enum storage_who who, unsigned flags, struct store **ret)
{
	struct sqlite3 *held;
	char uri[128];
	int rc;

	if ((flags & STORE_CREATE) == 0) {
		rc = open_as(d, who, flags, ret);
		return rc == 0 ? close_rest(d, ret) : rc;
	}
	storage_uri(d, uri, sizeof(uri));
	held = template_fill(device_schema(d), uri);
	rc = open_as(d, who, flags, ret);
	/* One in WAL mode says so in its head: no use for a file in memory. */
	if (rc == 0 && held == NULL && d->storage.disk == NULL)
		template_keep(device_schema(d), uri);
	template_release(held);
	return rc == 0 ? close_rest(d, ret) : rc;
}

void storage_uri(struct device *d, char *ret, size_t room)
{
	if (d->storage.disk == NULL) {
		(void)snprintf(ret, room, "file:/%s?vfs=memdb", d->path);
		return;
	}
	(void)disk_process(d->storage.disk);
	(void)snprintf(ret, room, "file:%s?vfs=faultfs", strchr(d->path, ':') + 1);
}

/* ---- a full disk */
void storage_plan(struct world *w, int64_t from_ms, int64_t until_ms)
{
	if (w->config.disk == 0) return;
	for (int64_t i = 0; i < w->config.full; i++) {
		struct random rnd = world_draw(w, DRAWN_FULL, 0, (uint64_t)i);
		int64_t at_ms = random_range(&rnd, from_ms, until_ms);

		world_at(w, at_ms, AT_DISK, (unsigned)random_below(&rnd, w->devices_count),
		         (unsigned)i, 0);
	}
}

/* A full disk is read as any other. */
static void check_reads(struct device *d)
{
	struct replica_counts counts = {0};
	struct row *rows;
	struct arena a;
	size_t n = 0;
	int rc;

	if (d->replica == NULL) return;
	arena_init(&a, 0);
	rc = replica_counts(d->replica, &counts);
	if (rc == 0)
		rc = store_rows_scan(d->store, TABLE_ORG_UNIT, LANE_OPEN, 0, NULL, 100, &a, &rows,
		                     &n);
	if (rc < 0)
		world_fail(d->world, "full", "%s: its full disk is not read: %d %s", d->label, rc,
		           store_error(d->store)->detail);
	arena_done(&a);
}

void storage_event(struct world *w, const struct event *e)
{
	struct device *d = w->devices[e->device];
	struct storage *s = &d->storage;
	struct random rnd = world_draw(w, DRAWN_FULL, d->number + 1, e->conn);

	if (s->disk == NULL || w->healed) return;
	if (e->side == 1) {
		disk_quota(s->disk, s->quota = -1);
		s->full = false;
		world_tell(w, "%s: there is room on the disk again", d->label);
		return;
	}
	if (!world_allows(w, DRAWN_FULL, d->number + 1, e->conn)) return;
	s->quota =
	        disk_used(s->disk) + (random_chance(&rnd, 500) ? 0 : random_range(&rnd, 1, 200000));
	disk_quota(s->disk, s->quota);
	s->full = true;
	world_tell(w, "%s: the disk is full, or nearly", d->label);
	world_at(w, w->now_ms + random_range(&rnd, 1000, FULL_MS_MAX), AT_DISK, d->number, e->conn,
	         /* side= */ 1);
	check_reads(d);
}

/* ---- faults */
static void arm_eio(struct disk *disk, struct random *rnd, unsigned process)
{
	unsigned kinds = random_chance(rnd, 400)   ? DISK_SYNC
	                 : random_chance(rnd, 300) ? DISK_READ
	                                           : DISK_ANY;
	int64_t calls = random_range(rnd, 0, kinds == DISK_SYNC ? 1 : 30);
	int64_t times = random_chance(rnd, 700) ? 1 : random_range(rnd, 2, 30);

	if (random_chance(rnd, 300))
		disk_arm(disk, DISK_ENOSPC, DISK_OPEN | DISK_WRITE | DISK_SHARE, calls, times,
		         process);
	else
		disk_arm(disk, DISK_EIO, kinds, calls, times, process);
}

static void arm(struct device *d, uint64_t at, unsigned process)
{
	struct storage *s = &d->storage;
	struct world *w = d->world;
	struct random dies = world_draw(w, DRAWN_DIES, d->number, at),
	              eio = world_draw(w, DRAWN_EIO, d->number, at);

	s->witness_written = s->struck = false;
	if (s->disk == NULL) return;
	disk_disarm(s->disk);
	s->hits_seen = disk_hits(s->disk);
	if (w->healed) return;
	if (random_chance(&dies, (unsigned)w->config.die) &&
	    world_allows(w, DRAWN_DIES, d->number, at)) {
		disk_chance(s->disk, random_next(&dies));
		disk_arm(s->disk,
		         random_chance(&dies, (unsigned)w->config.power) ? DISK_POWER_CUT
		                                                         : DISK_KILL,
		         DISK_CHANGES, random_range(&dies, 0, 40), 1, process);
	} else if (random_chance(&eio, (unsigned)w->config.eio) &&
	           world_allows(w, DRAWN_EIO, d->number, at)) {
		disk_chance(s->disk, random_next(&eio));
		arm_eio(s->disk, &eio, process);
	}
}

void storage_arm(struct device *d, uint64_t at)
{
	arm(d, at, d->storage.process[STORAGE_DAEMON]);
}

void storage_arm_open(struct device *d)
{
	arm(d, UINT64_C(1) << 60 | d->storage.opened++,
	    /* process= */ 0); /* nobody else is at work meanwhile */
}

void storage_begun(struct device *d)
{
	struct storage *s = &d->storage;
	uint64_t run = replica_run(d->replica);

	s->witness_written = false;
	s->run = run;
	if (s->failed_run == 0) return;
	if (s->failed_run == run)
		world_fail(d->world, "witness",
		           "%s: a commit failed under run %" PRIx64 ", and the run goes on",
		           d->label, run);
	REACHED(d->world, NEW_RUN_AFTER);
	s->failed_run = 0;
}

static void notice_cuts(struct device *d)
{
	struct storage *s = &d->storage;

	if (disk_cuts(s->disk) == s->cuts_seen) return;
	s->cuts_seen = disk_cuts(s->disk);
	s->power_lost = true;
	REACHED(d->world, POWER_CUT);
}

bool storage_died(struct device *d, enum storage_who who)
{
	struct storage *s = &d->storage;

	if (s->disk == NULL) return false;
	if (disk_hits(s->disk) != s->hits_seen) {
		s->struck = true;
		world_trace(d->world, "%s: disk: %s", d->label, disk_struck(s->disk));
		world_tell(d->world, "%s: the disk fails at: %s", d->label, disk_struck(s->disk));
	}
	s->hits_seen = disk_hits(s->disk);
	disk_disarm(s->disk);
	if (disk_process_alive(s->disk, s->process[who])) return false;
	notice_cuts(d);
	REACHED(d->world, DISK_DIED);
	return true;
}

bool storage_judge(struct device *d, int rc, const char *what)
{
	struct storage *s = &d->storage;
	bool broken = rc == -ERR_STORAGE || rc == -ERR_DATABASE_DAMAGED;

	if (rc >= 0) return false;
	if (s->witness_written) s->failed_run = s->run;
	if (s->disk == NULL) return false;
	if (broken || s->full) s->sick_until_ms = d->world->now_ms + SICK_MS;
	if (rc == -ERR_DISK_FULL && s->full) REACHED(d->world, QUOTA);
	if (!broken || (d->damaged && rc == -ERR_DATABASE_DAMAGED)) return false;
	REACHED(d->world, DISK_ERROR);
	if (d->replica != NULL && store_lost(replica_store(d->replica)))
		REACHED(d->world, COMMIT_LOST);
	if (!s->struck || disk_fault(s->disk) != DISK_EIO)
		world_fail(d->world, "disk", "%s: %s: %d, and what was wrong with the disk is: %s",
		           d->label, what, rc, s->struck ? disk_struck(s->disk) : "nothing");
	return true;
}

void storage_die(struct device *d)
{
	struct storage *s = &d->storage;
	struct random rnd =
	        world_draw(d->world, DRAWN_PLATTER, d->number, (uint64_t)d->world->now_ms);

	if (s->disk == NULL) return;
	disk_disarm(s->disk);
	if (disk_process_alive(s->disk, s->process[STORAGE_DAEMON])) {
		disk_chance(s->disk, random_next(&rnd));
		if (random_chance(&rnd, (unsigned)d->world->config.power))
			disk_power_cut(s->disk);
		else
			disk_kill(s->disk, s->process[STORAGE_DAEMON]);
	}
	notice_cuts(d);
	world_tell(d->world, "%s: %s", d->label,
	           s->power_lost ? "that was a power cut"
	                         : "that was the end of its process alone");
	if (!s->power_lost) REACHED(d->world, PROCESS_KILLED);
}

/* Somebody opens and is cut off in it. */
static void recovery_cut(struct device *d, struct random *rnd)
{
	struct storage *s = &d->storage;
	struct store *st = NULL;

	disk_chance(s->disk, random_next(rnd));
	disk_arm(s->disk, DISK_POWER_CUT, DISK_ANY, random_range(rnd, 0, 30), 1, 0);
	(void)storage_open(d, STORAGE_KEEPER, 0, &st);
	store_close(st); /* if it came so far: it moves the log into the database */
	disk_disarm(s->disk);
	if (!disk_process_alive(s->disk, s->process[STORAGE_KEEPER]))
		REACHED(d->world, RECOVERY_CUT);
	notice_cuts(d);
}

void storage_after(struct device *d)
{
	struct storage *s = &d->storage;
	struct world *w = d->world;
	struct random rnd = world_draw(w, DRAWN_PLATTER, d->number, (uint64_t)w->now_ms + 1);
	int rc;

	if (s->disk == NULL) return;
	if (!disk_process_alive(s->disk, s->process[STORAGE_KEEPER])) {
		store_close(d->keeper);
		d->keeper = NULL;
		for (unsigned i = 0; i < RECOVERIES_MAX && !w->healed &&
		                     random_chance(&rnd, (unsigned)w->config.die * 4);
		     i++)
			recovery_cut(d, &rnd);
		disk_quota(s->disk, -1); /* it only reads, for the checks */
		rc = storage_open(d, STORAGE_KEEPER, 0, &d->keeper);
		disk_quota(s->disk, s->quota);
		if (rc < 0)
			world_fail(w, "reopen", "%s: after a power cut: %d %s", d->label, rc,
			           d->err.detail);
	}
	if (random_chance(&rnd, (unsigned)w->config.audit)) storage_check(d);
}

bool storage_sick(const struct device *d)
{
	return d->storage.sick_until_ms > d->world->now_ms;
}

void storage_heal(struct device *d)
{
	if (d->storage.disk == NULL) return;
	disk_quota(d->storage.disk, d->storage.quota = -1);
	disk_disarm(d->storage.disk);
	d->storage.full = false;
	d->storage.sick_until_ms = 0;
}

void storage_check(struct device *d)
{
	struct buf report;

	if (d->storage.disk == NULL || d->keeper == NULL) return;
	buf_init(&report, 1 << 16);
	if (store_check(d->keeper, &report) < 0 || report.len > 0)
		world_fail(d->world, "integrity", "%s: %.200s", d->label, buf_cstr(&report));
	REACHED(d->world, FILE_CHECKED);
	buf_done(&report);
}
