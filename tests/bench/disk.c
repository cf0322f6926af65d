/*
 * disk.c - bytes on disk, by dbstat: the clocks' share of what a table's pages carry, as created and after every
 * row was edited once by another site; journal bytes a row, with the bodies and without.  Deterministic.
 */
#include <sqlite3.h>

#include "common/base.h"

#include "tests/bench/bench.h"

enum { SITES = 10, ROWS = 1000 };

static double number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s = NULL;
	double v;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK ||
	    sqlite3_step(s) != SQLITE_ROW) {
		fprintf(stderr, "bench: %s: %s\n", sql, sqlite3_errmsg(db));
		exit(1);
	}
	v = sqlite3_column_double(s, 0);
	sqlite3_finalize(s);
	return v;
}

/* The clock column's bytes, and its byte in the header of each record, in what the table's own pages carry. */
static double clock_share(sqlite3 *db)
{
	double clocks =
	        number(db, "SELECT sum(coalesce(length(clock1), 0) + 1) FROM participation");

	return clocks / number(db, "SELECT sum(payload) FROM dbstat WHERE name = 'participation' "
	                           "AND aggregate = 1");
}

/* Withdrawn or confirmed again: once tables take nothing but `alive`, which is a field like any other to a clock. */
static void edit_all(struct machine *hub, struct sites *s, struct batch *made, struct arena *a)
{
	for (size_t i = 0; i < SITES; i++) {
		struct changeset *cs = ARENA_ARRAY(a, struct changeset, ROWS);
		struct batch b;

		for (size_t k = 0; k < ROWS; k++) {
			struct op *op = arena_take(a, sizeof(*op));

			cs[k] = made[i].cs[k];
			cs[k].ops = op;
			cs[k].run = s->sites[i].o.runs[0];
			op->kind = OP_UPDATE;
			op->table = TABLE_PARTICIPATION;
			s->sites[i].place.now_ms += 5000 + dice_below(&s->dice, 55000);
			op->stamp = s->sites[i].place.now_ms << 12;
			memcpy(op->row, made[i].cs[k].ops[0].row, 16);
			op->slots = 1;
			op->values = ARENA_ARRAY(a, struct field_value, 1);
			op->values[0] = (struct field_value){0, value_int(1)};
			op->values_count = 1;
		}
		sites_seal(s, i, cs, ROWS, &b);
		hub_append(hub, &b, 1);
		hub_apply(hub);
		batch_done(&b);
	}
}

int main(void)
{
	static struct machine hub;
	static struct sites s;
	static const uint8_t unit[16] = {9};
	struct batch made[SITES];
	struct arena a;
	sqlite3 *db = NULL;
	double rows = SITES * ROWS, journal, before, body_before;
	static const char pages[] =
	        "SELECT sum(pgsize) FROM dbstat WHERE aggregate = 1 AND (name LIKE 'journal%' "
	        "OR name LIKE 'sqlite_autoindex_journal%' OR name IN ('word', 'waiting'))";

	machine_open(&hub, "hub", NULL, unit);
	sites_open(&s, &hub, SITES, 7);
	if (sqlite3_open_v2(hub.path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) abort();
	before = number(db, pages);
	body_before = number(db, "SELECT sum(length(body)) FROM journal");
	arena_init(&a, 0);
	for (size_t i = 0; i < SITES; i++) {
		sites_batch(&s, ROWS, &a, &made[i]);
		hub_append(&hub, &made[i], 1);
		hub_apply(&hub);
	}
	if (number(db, "SELECT count(*) FROM participation") != rows)
		bench_must(1, NULL, "not all rows are there");
	bench_value("clock_disk_share", clock_share(db), "ratio");
	journal = number(db, pages) - before;
	bench_value("journal_disk_bytes_per_row", journal / rows, "B/row");
	bench_value("journal_disk_bytes_per_row_no_bodies",
	            (journal - number(db, "SELECT sum(length(body)) FROM journal") + body_before) /
	                    rows,
	            "B/row");
	edit_all(&hub, &s, made, &a);
	bench_value("clock_disk_share_updated", clock_share(db), "ratio");
	bench_value("clock_bytes_updated",
	            number(db, "SELECT avg(length(clock1)) FROM participation"), "B/row");
	for (size_t i = 0; i < SITES; i++) batch_done(&made[i]);
	sqlite3_close(db);
	arena_done(&a);
	sites_close(&s);
	machine_close(&hub);
	return 0;
}
