/*
 * damage.c - see damage.h.
 */
#include "common/base.h"

#include "tests/sim/damage.h"

#include <sqlite3.h>

#include "proto/engine.h"

enum { CONFIG_STREAM = 85, RUN_STREAM = 8501, SQL_MAX = 1024 };

int64_t damage_config(uint64_t seed)
{
	struct random rnd = random_stream(seed, CONFIG_STREAM);

	return random_chance(&rnd, 400) ? random_range(&rnd, 1, 8) : 0;
}

void damage_init(struct world *w)
{
	w->damage = random_stream(w->config.seed, RUN_STREAM);
}

/* ---- a second hand on the database */
static sqlite3 *raw_open(struct device *d)
{
	char uri[128];
	sqlite3 *db = NULL;

	storage_uri(d, uri, sizeof(uri));
	if (sqlite3_open_v2(uri, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
	                    NULL) != SQLITE_OK) {
		world_fail(d->world, "setup", "%s: no raw connection: %s", d->label,
		           sqlite3_errmsg(db));
		(void)sqlite3_close(db);
		return NULL;
	}
	return db;
}

bool damage_sql(struct device *d, const char *sql)
{
	sqlite3 *db = raw_open(d);
	int rc = SQLITE_ERROR, changes = 0;

	if (db == NULL) return false;
	rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	changes = sqlite3_changes(db);
	if (rc != SQLITE_OK)
		world_fail(d->world, "setup", "%s: %s: %s", d->label, sql, sqlite3_errmsg(db));
	(void)sqlite3_close(db);
	return rc == SQLITE_OK && changes > 0;
}

/* The first column of the n-th of the rows that a query gives, n drawn; false: there are none. */
static bool draw(struct device *d, const char *from, const char *what, struct random *rnd,
                 uint8_t ret[32], size_t *ret_len)
{
	sqlite3 *db = raw_open(d);
	sqlite3_stmt *s = NULL;
	char sql[SQL_MAX];
	int64_t n = 0;

	*ret_len = 0;
	if (db == NULL) return false;
	(void)snprintf(sql, sizeof(sql), "SELECT count(*) %s", from);
	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	(void)sqlite3_finalize(s);
	s = NULL;
	if (n > 0) {
		(void)snprintf(sql, sizeof(sql), "SELECT %s %s ORDER BY 1 LIMIT 1 OFFSET %" PRId64,
		               what, from, (int64_t)random_below(rnd, (uint64_t)n));
		if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK &&
		    sqlite3_step(s) == SQLITE_ROW) {
			int len = sqlite3_column_bytes(s, 0);

			*ret_len = (size_t)(len > 32 ? 32 : len);
			memcpy(ret, sqlite3_column_blob(s, 0), *ret_len);
		}
		(void)sqlite3_finalize(s);
	}
	(void)sqlite3_close(db);
	return *ret_len > 0;
}

static void hex(const uint8_t *p, size_t len, char *ret)
{
	for (size_t i = 0; i < len; i++) (void)snprintf(ret + 2 * i, 3, "%02x", p[i]);
}

/* ---- kinds */

/* A table that has rows, one of them, and a lane that it has. */
static const struct table *draw_row(struct device *d, struct random *rnd, uint8_t id[32],
                                    unsigned *ret_lane)
{
	const struct schema *s = device_schema(d);
	size_t first = (size_t)random_below(rnd, s->tables_count), len;
	unsigned lane = (unsigned)random_below(rnd, 2);

	for (size_t i = 0; i < 2 * s->tables_count; i++) {
		const struct table *t = s->tables[(first + i) % s->tables_count];
		char from[128];

		*ret_lane = (lane + (unsigned)(i / s->tables_count)) % 2;
		if (table_slots(t, *ret_lane) == 0) continue;
		(void)snprintf(from, sizeof(from), "FROM \"%s\" WHERE alive%u IS NOT NULL", t->name,
		               *ret_lane);
		if (draw(d, from, "id", rnd, id, &len)) return t;
	}
	return NULL;
}

static bool strike_row(struct device *d, enum damage_kind kind, struct random *rnd, uint8_t id[32])
{
	unsigned lane;
	const struct table *t = draw_row(d, rnd, id, &lane);
	const struct field *f = NULL;
	char name[65], sql[SQL_MAX];

	if (t == NULL) return false;
	hex(id, 16, name);
	for (size_t i = 0; i < t->fields_count && kind == DAMAGE_VALUE; i++) {
		const struct field *x = &t->fields[(i + random_below(rnd, 8)) % t->fields_count];

		if (field_lane(x) == lane) f = x;
	}
	switch (kind) {
	case DAMAGE_VALUE:
		if (f == NULL) return false;
		(void)snprintf(sql, sizeof(sql),
		               "UPDATE \"%s\" SET \"%s\" = CASE typeof(\"%s\") WHEN 'integer' THEN "
		               "\"%s\" + 1000 WHEN 'text' THEN \"%s\" || 'x' ELSE 'damaged' END "
		               "WHERE id = x'%s'",
		               t->name, f->name, f->name, f->name, f->name, name);
		break;
	case DAMAGE_CLOCK:
		(void)snprintf(sql, sizeof(sql),
		               "UPDATE \"%s\" SET clock%u = x'%02x%02x%02x%02x' WHERE id = x'%s'",
		               t->name, lane, (unsigned)random_range(rnd, 1, 3),
		               (unsigned)random_below(rnd, 256), (unsigned)random_range(rnd, 1, 9),
		               (unsigned)random_below(rnd, 2), name);
		break;
	case DAMAGE_GONE:
		(void)snprintf(sql, sizeof(sql), "DELETE FROM \"%s\" WHERE id = x'%s'", t->name,
		               name);
		break;
	case DAMAGE_RISEN:
		(void)snprintf(sql, sizeof(sql),
		               "UPDATE \"%s\" SET alive%u = CASE alive%u WHEN 1 THEN 0 ELSE 1 END "
		               "WHERE id = x'%s'",
		               t->name, lane, lane, name);
		break;
	case DAMAGE_GHOST: {
		char ghost[33];

		id[15] ^= (uint8_t)random_range(rnd, 1, 255);
		hex(id, 16, ghost);
		(void)snprintf(sql, sizeof(sql),
		               "INSERT INTO \"%s\"(id, scope, alive%u) SELECT x'%s', scope, 1 FROM "
		               "\"%s\" WHERE id = x'%s'",
		               t->name, lane, ghost, t->name, name);
		break;
	}
	case DAMAGE_CANDIDATE:
	case DAMAGE_STATE:
	case DAMAGE_FIGURE:
	case DAMAGE_BODY:
	case DAMAGE_KINDS:
		return false;
	}
	world_tell(d->world, "behind the back of %s: %s", d->label, sql);
	return damage_sql(d, sql);
}

static bool strike_other(struct device *d, enum damage_kind kind, struct random *rnd,
                         uint8_t id[32])
{
	const char *from = kind == DAMAGE_CANDIDATE ? "FROM candidate"
	                   : kind == DAMAGE_STATE   ? "FROM state"
	                                            : "FROM cell";
	const char *what = kind == DAMAGE_CANDIDATE ? "row"
	                   : kind == DAMAGE_STATE   ? "hash"
	                                            : "CAST(rowid AS BLOB)";
	char name[65], sql[SQL_MAX];
	size_t len;

	if (kind == DAMAGE_FIGURE)
		return damage_sql(d, "UPDATE cell SET truth = truth + 7, stated = stated - 3");
	if (!draw(d, from, what, rnd, id, &len)) return false;
	hex(id, len, name);
	if (kind == DAMAGE_CANDIDATE)
		(void)snprintf(sql, sizeof(sql), "DELETE FROM candidate WHERE row = x'%s'", name);
	else
		(void)snprintf(sql, sizeof(sql),
		               "UPDATE state SET hash = x'%032x' WHERE hash = x'%s'",
		               (unsigned)random_below(rnd, UINT32_MAX), name);
	world_tell(d->world, "behind the back of %s: %s", d->label, sql);
	return damage_sql(d, sql);
}

/* Does a peer of this device, whom its sessions reach, hold the entry whole? */
static bool copy_lives(struct device *d, const uint8_t hash[32])
{
	struct world *w = d->world;
	bool found = false;

	for (size_t i = 0; i < w->devices_count && !found; i++) {
		struct device *o = w->devices[i];
		struct arena a;
		struct entry *e = NULL;
		int64_t recv = 0;

		if (o == d || !o->alive || (o != d->parent && o->parent != d)) continue;
		arena_init(&a, 0);
		found = store_journal_find(o->keeper, hash, &recv) == 0 && recv != 0 &&
		        store_journal_get(o->keeper, recv, &a, &e) == 0 && e != NULL &&
		        entry_sound(e);
		arena_done(&a);
	}
	return found;
}

static bool flip(struct device *d, const uint8_t hash[32], struct random *rnd)
{
	struct arena a;
	struct entry *e = NULL;
	int64_t recv = 0;
	sqlite3 *db = raw_open(d);
	sqlite3_stmt *s = NULL;
	bool done = false;

	if (db == NULL) return false;
	arena_init(&a, 0);
	if (store_journal_find(d->keeper, hash, &recv) == 0 && recv != 0 &&
	    store_journal_get(d->keeper, recv, &a, &e) == 0 && e != NULL && e->body.len > 0) {
		uint8_t *body = arena_copy(&a, e->body.p, e->body.len);

		body[random_below(rnd, e->body.len)] ^= (uint8_t)(1u << random_below(rnd, 8));
		done = sqlite3_prepare_v2(db, "UPDATE journal SET body = ?1 WHERE recv = ?2", -1,
		                          &s, NULL) == SQLITE_OK &&
		       sqlite3_bind_blob(s, 1, body, (int)e->body.len, SQLITE_STATIC) ==
		               SQLITE_OK &&
		       sqlite3_bind_int64(s, 2, recv) == SQLITE_OK &&
		       sqlite3_step(s) == SQLITE_DONE;
		world_tell(d->world, "behind the back of %s: a bit of entry %" PRId64, d->label,
		           recv);
	}
	(void)sqlite3_finalize(s);
	(void)sqlite3_close(db);
	arena_done(&a);
	return done;
}

static bool strike_body(struct device *d, struct random *rnd, uint8_t hash[32])
{
	size_t len;

	/* Whose peers know nothing of repair has nobody to ask. */
	return d->world->config.speak == 0 &&
	       draw(d, "FROM journal WHERE kind = 1", "hash", rnd, hash, &len) && len == 32 &&
	       copy_lives(d, hash) && flip(d, hash, rnd);
}

bool damage_do(struct device *d, enum damage_kind kind, struct random *rnd, uint8_t *ret_id)
{
	uint8_t id[32] = {0};
	bool done = kind <= DAMAGE_RISEN    ? strike_row(d, kind, rnd, id)
	            : kind <= DAMAGE_FIGURE ? strike_other(d, kind, rnd, id)
	                                    : strike_body(d, rnd, id);

	d->damaged |= done;
	if (done && ret_id != NULL) memcpy(ret_id, id, 16);
	return done;
}

void damage_strike(struct world *w, unsigned n)
{
	static const enum reached reached[DAMAGE_KINDS] = {
	        [DAMAGE_VALUE] = REACHED_DAMAGE_VALUE,
	        [DAMAGE_CLOCK] = REACHED_DAMAGE_CLOCK,
	        [DAMAGE_GONE] = REACHED_DAMAGE_GONE,
	        [DAMAGE_GHOST] = REACHED_DAMAGE_GHOST,
	        [DAMAGE_RISEN] = REACHED_DAMAGE_RISEN,
	        [DAMAGE_CANDIDATE] = REACHED_DAMAGE_CANDIDATE,
	        [DAMAGE_STATE] = REACHED_DAMAGE_STATE,
	        [DAMAGE_FIGURE] = REACHED_DAMAGE_FIGURE,
	        [DAMAGE_BODY] = REACHED_DAMAGE_BODY,
	};
	struct device *d;
	enum damage_kind kind;

	w->damage = world_draw(w, DRAWN_DAMAGE, 0, n);
	d = w->devices[random_below(&w->damage, w->devices_count)];
	kind = (enum damage_kind)random_below(&w->damage, DAMAGE_KINDS);
	if (!d->alive || !d->joined || d->storage.full) return;
	if (!world_allows(w, DRAWN_DAMAGE, 0, n)) return;
	if (random_chance(&w->damage, 250)) {
		struct audit x;

		world_tell(w, "%s is audited", d->label);
		damage_audit(w, d, &x);
		return;
	}
	if (damage_do(d, kind, &w->damage, NULL)) world_reached(w, reached[kind]);
}

/* ---- finding it */
static int work_audit(struct device *d, void *ctx)
{
	return replica_audit(d->replica, ctx);
}

void damage_audit(struct world *w, struct device *d, struct audit *ret)
{
	int64_t open = 0, mended = 0;
	int rc = 0, tries = 0;

	memset(ret, 0, sizeof(*ret));
	while (rc >= 0 && !ret->finished && d->replica != NULL) {
		struct audit before = *ret;

		rc = device_transaction(d, "audit", work_audit, ret);
		if (rc == 0) continue;
		*ret = before;
		if (rc == 1) return;
		/* A full or failing disk; or a row that the apply could not use: the next begin rebuilds it. */
		if ((rc == -ERR_DISK_FULL || rc == -ERR_DATABASE_DAMAGED || d->storage.struck) &&
		    tries++ < 50)
			rc = 0;
	}
	if (rc < 0)
		world_fail(w, "audit", "%s: audit: %d %s", d->label, rc,
		           replica_error(d->replica)->detail);
	else if (ret->finished && replica_repair_counts(d->replica, &open, &mended) == 0)
		d->damaged = open > 0;
	if (ret->mended > 0) REACHED(w, DAMAGE_MENDED);
	d->apply_due = d->replica != NULL;
	device_turn_at(w, d, w->now_ms + 1);
}

bool damage_near(const struct device *d)
{
	bool near = d->damaged || (d->parent != NULL && d->parent->damaged);

	for (size_t i = 0; i < d->world->devices_count && !near; i++)
		near = d->world->devices[i]->parent == d && d->world->devices[i]->damaged;
	return near;
}

void damage_audit_all(struct world *w)
{
	struct audit x;

	for (size_t i = 0; i < w->devices_count; i++)
		if (w->devices[i]->joined && w->devices[i]->replica != NULL)
			damage_audit(w, w->devices[i], &x);
}

void damage_check_sound(struct world *w, struct device *d)
{
	struct buf report;
	struct audit x = {.look = true, .report = &report};
	int rc = 0;

	if (d->replica == NULL) return;
	buf_init(&report, 1 << 20);
	while (rc == 0 && !x.finished) rc = replica_audit(d->replica, &x);
	if (rc < 0)
		world_fail(w, "audit", "%s: audit: %d %s", d->label, rc,
		           replica_error(d->replica)->detail);
	else if (x.found > 0)
		world_fail(w, "audit", "%s: %" PRId64 " findings: %.300s", d->label, x.found,
		           buf_cstr(&report));
	buf_done(&report);
}
