/*
 * erasures.c - see erasures.h.
 */
#include "common/base.h"

#include "tests/sim/erasures.h"

#include "proto/engine.h"
#include "proto/privacy.h"

enum { CONFIG_STREAM = 61, RUN_STREAM = 6101, ROWS = 64, PAGE = 64 };

int64_t erasures_config(const struct config *c)
{
	struct random rnd = random_stream(c->seed, CONFIG_STREAM);
	int64_t n = random_chance(&rnd, 400) ? random_range(&rnd, 1, 15) : 0;
	bool back = c->restore || c->clone || c->swap || c->resume || c->power || c->eio;

	return back || c->damage || c->malice ? 0 : n;
}

void erasures_plan(struct world *w, int64_t from_ms, int64_t until_ms)
{
	struct random rnd = random_stream(w->config.seed, RUN_STREAM);

	for (int64_t i = 0; i < w->config.erasures; i++)
		world_at(w, random_range(&rnd, from_ms, until_ms), AT_ERASE, 0, (unsigned)i, 0);
}

struct named {
	uint8_t row[16], scope[16];
};

/* One of the rows that somebody at or below the hub has in the county lane. */
static bool pick(struct random *rnd, const struct device *hub, const struct device *from,
                 struct named *ret)
{
	const struct schema *s = device_schema(from);
	struct arena a;
	struct row *rows = NULL;
	struct scope scope = {0};
	size_t n = 0;
	bool found = false;

	arena_init(&a, 0);
	for (unsigned tries = 0; tries < 8 && !found; tries++) {
		const struct table *t = s->tables[random_below(rnd, s->tables_count)];

		if ((table_slots(t, LANE_COUNTY) & erasable_slots(t, LANE_COUNTY)) == 0) continue;
		if (store_rows_scan(from->keeper, t->number, LANE_COUNTY, 0, NULL, ROWS, &a, &rows,
		                    &n) < 0 ||
		    n == 0)
			continue;
		const struct row *row = &rows[random_below(rnd, n)];
		if (store_scope_get(from->keeper, row->scope, &scope) < 0) continue;
		int unit = world_unit_find(hub->world, scope.id);
		found = unit >= 0 && world_under(hub->world, unit, hub->unit);
		memcpy(ret->row, row->id, 16);
		memcpy(ret->scope, scope.id, 16);
	}
	arena_done(&a);
	return found;
}

void erasures_event(struct world *w, unsigned n)
{
	struct random rnd = world_draw(w, DRAWN_ERASURE, 0, n);
	struct device *hub = w->devices[random_below(&rnd, w->devices_count)];
	struct device *from = w->devices[random_below(&rnd, w->devices_count)];
	const struct table *t = schema_table(device_schema(hub), TABLE_ERASURE);
	struct field_write f[2];
	struct write wr = {
	        .kind = WRITE_INSERT, .table = t, .has_id = true, .fields = f, .fields_count = 2};
	struct named x;

	for (const struct device *d = hub;
	     d != NULL && !(d->hub && d->cert.lanes >> LANE_COUNTY & 1); d = d->parent)
		hub = d->parent;
	if (hub == NULL || hub->replica == NULL || !hub->joined || from->keeper == NULL ||
	    t == NULL)
		return;
	if (!(t->writer_levels >> hub->cert.level & 1)) return;
	if (random_chance(&rnd, 500)) from = hub;
	if (!world_allows(w, DRAWN_ERASURE, 0, n) || !pick(&rnd, hub, from, &x)) return;
	f[0] = (struct field_write){table_field_named(t, "target"), value_bytes(x.row, 16)};
	f[1] = (struct field_write){table_field_named(t, "cause"), value_text("request")};
	erasure_id(x.row, wr.row);
	memcpy(wr.scope, x.scope, 16);
	if (device_write(hub, &wr, 1, false, /* by_command= */ false) != 0) return;
	REACHED(w, ERASED);
	if (from != hub) REACHED(w, ERASED_FROM_BELOW);
	world_tell(w, "%s erases what a row says", hub->label);
	device_turn_at(w, hub, w->now_ms);
}

/* ---- what is left */

struct looking {
	struct device *d;
	struct named_row_of *erased; /* by this database, read here and not by the engine */
	size_t count;
};

static bool is_erased(const struct looking *l, const uint8_t row[16], uint32_t scope)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->erased[i].scope == scope && memcmp(l->erased[i].id, row, 16) == 0)
			return true;
	return false;
}

static void look_at_values(const struct looking *l, const struct table *t,
                           const struct field_value *v, size_t n, const char *where)
{
	uint64_t slots = erasable_slots(t, LANE_COUNTY);

	for (size_t i = 0; i < n; i++)
		if ((slots >> v[i].slot & 1) && v[i].value.type != VALUE_NULL)
			world_fail(l->d->world, "erased",
			           "%s: a value of table %u is still in its %s", l->d->label,
			           t ? (unsigned)t->number : 0, where);
}

static void look_at_changesets(const struct looking *l, const struct changeset *cs, size_t n,
                               uint32_t scope, const char *where)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < cs[i].ops_count; k++) {
			const struct op *op = &cs[i].ops[k];
			const struct table *t = schema_table(device_schema(l->d), op->table);

			if (!is_erased(l, op->row, scope)) continue;
			look_at_values(l, t, op->values, op->values_count, where);
			look_at_values(l, t, op->olds, op->olds_count, where);
		}
}

static int look_at_journal(const struct looking *l, struct arena *a)
{
	uint8_t rolling[ROLLING_BYTES];
	int64_t head = 0;
	int rc = store_journal_head(l->d->keeper, &head, rolling);

	for (int64_t recv = 1; recv <= head && rc == 0; recv++) {
		struct entry *e = NULL;
		struct segment s;
		struct changeset *cs;
		struct error err;
		size_t n;

		arena_reset(a);
		rc = store_journal_get(l->d->keeper, recv, a, &e);
		if (rc != 0 || e == NULL || e->lane != LANE_COUNTY || !entry_is_segment(e))
			continue;
		if (e->kind == ENTRY_HOLE) REACHED(l->d->world, ERASED_BODY);
		rc = entry_segment(e, &s, &err);
		if (rc == 0) rc = segment_changesets(&s, a, &cs, &n, &err);
		if (rc == 0) look_at_changesets(l, cs, n, e->scope, "journal");
	}
	return rc;
}

static int look_at_tail(const struct looking *l, struct arena *a)
{
	struct tail_item *items = NULL;
	size_t n = 0;
	int rc = store_tail_all(l->d->keeper, a, &items, &n);

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct changeset cs;
		struct error err;

		if (items[i].lane != LANE_COUNTY) continue;
		rc = changeset_read(items[i].changeset, a, &cs, &err);
		if (rc == 0) look_at_changesets(l, &cs, 1, items[i].scope, "tail");
	}
	return rc;
}

static int look_at_rows(const struct looking *l, struct arena *a)
{
	struct candidate *c = NULL;
	size_t n = 0;
	int rc = store_candidates_list(l->d->keeper, 1u << 20, a, &c, &n);

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct field_value v = {c[i].slot, c[i].value};

		if (c[i].lane == LANE_COUNTY && is_erased(l, c[i].row, c[i].scope))
			look_at_values(l, schema_table(device_schema(l->d), c[i].table), &v, 1,
			               "candidates");
	}
	for (size_t i = 0; i < l->count && rc == 0; i++) {
		uint16_t tables[TABLES_MAX];
		uint8_t ids[1][16];
		size_t count = 0;

		memcpy(ids[0], l->erased[i].id, 16);
		rc = store_row_tables(l->d->keeper, ids[0], tables, &count);
		for (size_t k = 0; k < count && rc == 0; k++) {
			const struct table *t = schema_table(device_schema(l->d), tables[k]);
			struct row *row = NULL;

			rc = store_rows_get(l->d->keeper, tables[k], LANE_COUNTY,
			                    (const uint8_t(*)[16])ids, 1, a, &row);
			if (rc != 0 || row == NULL || row->scope != l->erased[i].scope || t == NULL)
				continue;
			for (size_t s = 1; s < store_slots(l->d->keeper, tables[k], LANE_COUNTY);
			     s++) {
				struct field_value v = {(uint8_t)s, row->v[s]};
				look_at_values(l, t, &v, 1, "rows");
			}
		}
	}
	return rc;
}

static void check(struct world *w, struct device *d)
{
	const struct table *t = schema_table(device_schema(d), TABLE_ERASURE);
	const struct field *f = table_field_named(t, "target");
	struct looking l = {.d = d};
	struct row_view *rows = NULL;
	struct arena a, page;
	int rc;

	arena_init(&a, 0);
	arena_init(&page, 0);
	rc = store_rows_view(d->keeper, t, NULL, 0, 0, /* all= */ true, NULL, 1u << 16, &a, &rows,
	                     &l.count);
	l.erased = ARENA_ARRAY(&a, struct named_row_of, l.count + 1);
	for (size_t i = 0; i < l.count; i++) {
		l.erased[i].scope = rows[i].scope;
		memcpy(l.erased[i].id, rows[i].values[f - t->fields].s.p, 16);
	}
	if (rc == 0 && l.count > 0) {
		rc = look_at_rows(&l, &a);
		rc = rc != 0 ? rc : look_at_journal(&l, &page);
		rc = rc != 0 ? rc : look_at_tail(&l, &a);
	}
	if (rc < 0) world_fail(w, "erased", "%s: its database does not read: %d", d->label, rc);
	arena_done(&page);
	arena_done(&a);
}

void erasures_check_rest(struct world *w)
{
	for (size_t i = 0; i < w->devices_count && w->config.erasures > 0; i++)
		if (w->devices[i]->keeper != NULL && w->devices[i]->alive &&
		    schema_table(device_schema(w->devices[i]), TABLE_ERASURE) != NULL)
			check(w, w->devices[i]);
}
