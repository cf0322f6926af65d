/*
 * audit.c - what it takes to know that a million rows are the same, and to find and name the hundred that are not.
 *
 * The million lie at both ends without a journal, as old rows do; the hundred are of the site's own doing today, and are struck out at the hub
 * behind its back, its sums made to match: nothing but the other's digest tells of them.
 */
#include "common/base.h"

#include "tests/bench/bench.h"

#include "common/ident.h"
#include "proto/engine.h"

enum { DIFFERENT = 100 };

static void sql(struct machine *m, const char *text, int changes)
{
	sqlite3 *db = NULL;

	if (sqlite3_open(m->path, &db) || sqlite3_exec(db, text, NULL, NULL, NULL))
		bench_must(1, NULL, sqlite3_errmsg(db));
	if (sqlite3_changes(db) != changes) bench_must(1, NULL, "rows changed by hand");
	sqlite3_close(db);
}

/* The sums follow what was done by hand. */
static void hide(struct machine *m)
{
	struct scope *scopes;
	struct arena a;
	size_t n = 0, off;

	arena_init(&a, 0);
	machine_begin(m);
	bench_must(store_scopes(m->st, &a, &scopes, &n), store_error(m->st), "scopes");
	for (size_t i = 0; i < n; i++)
		bench_must(repair_sums(m->r, scopes[i].ord, &off), replica_error(m->r), "sums");
	machine_commit(m);
	arena_done(&a);
}

static void old_rows(struct machine *m, const uint8_t unit[16], int count)
{
	char text[512], hex[33];

	hex_text(unit, 16, hex);
	(void)snprintf(
	        text, sizeof(text),
	        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
	        "INSERT INTO activity(id, scope, alive0, title) SELECT "
	        "CAST(printf('%%08d%%08d', i, i) AS BLOB), (SELECT ord FROM scope WHERE id = "
	        "x'%s'), "
	        "1, 'old ' || i FROM n",
	        count, hex);
	sql(m, text, count);
	hide(m);
}

static void new_rows(struct machine *m)
{
	const struct table *t = schema_table_named(&schema_current, "activity");

	for (int i = 0; i < DIFFERENT; i++) {
		struct field_write f[] = {
		        {table_field_named(t, "title"), value_text("new")},
		        {table_field_named(t, "act"), value_text("D1")},
		        {table_field_named(t, "astat"), value_text("finished")},
		        {table_field_named(t, "start"), value_int(INT64_C(1741395600000))}};
		struct write w = {.kind = WRITE_INSERT,
		                  .table = t,
		                  .fields = f,
		                  .fields_count = ARRAY_COUNT(f)};

		machine_begin(m);
		bench_must(replica_write(m->r, &w, 1, false, NULL), replica_error(m->r), "write");
		machine_commit(m);
	}
	machine_seal(m);
}

static int64_t there(struct machine *m)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	int64_t n = -1;

	if (!sqlite3_open(m->path, &db) &&
	    !sqlite3_prepare_v2(db, "SELECT count(*) FROM activity WHERE title = 'new'", -1, &s,
	                        NULL) &&
	    sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return n;
}

static struct traffic timed(struct machine *node, struct machine *hub, double *ret_ms)
{
	int64_t began = bench_wall_ns();
	struct traffic t = session_run(node, hub);

	*ret_ms = (double)(bench_wall_ns() - began) / 1e6;
	return t;
}

int main(void)
{
	static struct machine hub, node;
	static const uint8_t county[16] = {9}, site[16] = {9, 1};
	int rows = bench_size(1000000, 20000);
	struct traffic quiet, found;
	double quiet_ms, found_ms;

	machine_open(&hub, "audit-hub", NULL, county);
	machine_open(&node, "audit-node", &hub, site);
	machine_unit(&hub, "350502000000", LEVEL_COUNTY, county, NULL);
	machine_unit(&hub, "350502001001", LEVEL_COMMUNITY, site, county);
	machine_seal(&hub);
	session_run(&node, &hub);
	old_rows(&hub, site, rows);
	old_rows(&node, site, rows);
	new_rows(&node);
	for (int i = 0; i < 3; i++) session_run(&node, &hub);
	quiet = timed(&node, &hub, &quiet_ms);
	if (!quiet.agreed || there(&hub) != DIFFERENT)
		bench_must(1, NULL, "hub and node do not agree");
	bench_value("audit_agreed_session_bytes", (double)quiet.bytes, "B");
	bench_value("audit_agreed_ms", quiet_ms, "ms");
	sql(&hub,
	    "UPDATE activity SET alive0 = NULL, clock0 = NULL, title = NULL, act = NULL, astat = "
	    "NULL, start = NULL "
	    "WHERE title = 'new'",
	    DIFFERENT);
	hide(&hub);
	found = timed(&node, &hub, &found_ms);
	if (there(&hub) != DIFFERENT) {
		fprintf(stderr, "%" PRId64 "\n", there(&hub));
		bench_must(1, NULL, "not all that differed was found");
	}
	bench_value("audit_bytes", (double)(found.bytes - quiet.bytes), "B");
	bench_value("audit_round_trips", (double)(found.turns - quiet.turns), "round trips");
	bench_value("audit_ms", found_ms, "ms");
	machine_close(&node);
	machine_close(&hub);
	return 0;
}
