/*
 * upgrade.c - what a build did not know was kept; when a later build knows it, it becomes ordinary rows and columns.
 *
 * Nothing is merged anew: clocks, state hashes and candidates were kept all along, with the values of unknown fields
 * in `extra` and the rows of unknown tables in the generic table.
 */
#include "common/base.h"

#include "proto/engine.h"

#include "common/crypt.h"

static void schema_fingerprint(const struct schema *s, uint8_t ret[16])
{
	struct hash h;
	hash_begin(&h, 16);
	for (size_t i = 0; i < s->tables_count; i++) {
		uint8_t number[2] = {(uint8_t)s->tables[i]->number,
		                     (uint8_t)(s->tables[i]->number >> 8)};
		hash_add(&h, number, 2);
		for (size_t k = 0; k < s->tables[i]->fields_count; k++)
			hash_add(&h, &s->tables[i]->fields[k].number, 1);
	}
	hash_end(&h, ret, 16);
}

/* A row of a table that was unknown: from the generic table into its own. */
static int adopt_row(struct replica *r, uint16_t table, unsigned lane, const struct row *row)
{
	struct lane_state *l = ARENA_ARRAY(&r->scratch, struct lane_state, 1);
	env_trace(r->env, "upgrade: row of table %u, unknown until now", (unsigned)table);
	int rc = lane_adopt(r, table, lane, row, l);
	rc = rc ? rc : store_other_drop(r->st, table, lane, row->id);
	return rc ? rc : lane_save_adopted(r, l);
}

static int adopt_table(struct replica *r, uint16_t table, unsigned lane)
{
	for (size_t n = 1; n;) {
		struct row *rows;
		int rc = store_other_scan(r->st, table, lane, NULL, 256, &r->scratch, &rows, &n);
		for (size_t i = 0; i < n && !rc; i++) rc = adopt_row(r, table, lane, &rows[i]);
		if (rc) return rc;
	}
	return 0;
}

/* Fields that were unknown: from extra into their columns. */
static int adopt_fields(struct replica *r, uint16_t table, unsigned lane)
{
	uint8_t after[16];
	bool started = false;
	for (size_t n = 1; n;) {
		struct row *rows;
		int rc = store_rows_scan(r->st, table, lane, 0, started ? after : NULL, 256,
		                         &r->scratch, &rows, &n);
		for (size_t i = 0; i < n && !rc; i++) {
			struct lane_state *l = ARENA_ARRAY(&r->scratch, struct lane_state, 1);
			memcpy(after, rows[i].id, 16);
			started = true;
			if (!rows[i].extra.len) continue;
			env_trace(r->env, "upgrade: fields of a row of table %u", (unsigned)table);
			rc = lane_load(r, table, lane, rows[i].id, l);
			rc = rc ? rc : lane_save(r, l, table_slots(l->table, lane));
		}
		if (rc) return rc;
	}
	return 0;
}

int engine_upgrade(struct replica *r)
{
	const struct schema *s = store_schema(r->st);
	uint8_t now[16];
	struct span seen;
	int rc = store_meta_get(r->st, "schema", &r->scratch, &seen);
	schema_fingerprint(s, now);
	if (rc || (seen.len == 16 && !memcmp(seen.p, now, 16))) return rc ? engine_fail(r, rc) : 0;
	for (size_t i = 0; i < s->tables_count && !rc && seen.len; i++)
		for (unsigned lane = 0; lane < LANE_RESERVED && !rc; lane++) {
			if (!table_slots(s->tables[i], lane)) continue;
			rc = adopt_table(r, s->tables[i]->number, lane);
			rc = rc ? rc : adopt_fields(r, s->tables[i]->number, lane);
		}
	struct span counted = {NULL, 0};
	rc = rc ? rc : store_meta_get(r->st, "came_counted", &r->scratch, &counted);
	if (!rc && !counted.len) {
		rc = seen.len ? heads_count(r) : 0;
		rc = rc ? rc : store_meta_put(r->st, "came_counted", span_of("1", 1));
	}
	rc = rc ? rc : store_meta_put(r->st, "schema", span_of(now, 16));
	return rc ? engine_fail(r, rc) : 0;
}
