#include "common/base.h"

#include "hub/doubt.h"

#include "common/ident.h"
#include "common/rows.h"
#include "node/correction.h"
#include "proto/figure.h"

struct finding {
	struct replica *r;
	const struct tree *tree;
	struct arena *arena;
	struct doubt *list;
	size_t count, room;
	struct objection *objections;
	size_t objections_count;
};

static struct doubt *add(struct finding *f, enum doubt_kind kind)
{
	if (f->count == f->room) {
		struct doubt *old = f->list;
		f->room = f->room * 2 + 64;
		f->list = ARENA_ARRAY(f->arena, struct doubt, f->room);
		if (old) memcpy(f->list, old, f->count * sizeof *old);
	}
	f->list[f->count] = (struct doubt){.kind = kind, .cause = "", .reason = "", .answer = ""};
	return &f->list[f->count++];
}

const char *doubt_name(enum doubt_kind kind)
{
	static const char *const names[] = {
	        [DOUBT_CONTRADICTED] = "contradicted", [DOUBT_CORRECTED] = "corrected",
	        [DOUBT_HUB_FIGURE] = "hub_figure",     [DOUBT_UNIT] = "unit_unconfirmed",
	        [DOUBT_OFFENCE] = "offence",           [DOUBT_OBJECTED] = "objected"};
	return names[kind];
}

/* ---- counted again from the records of the open lane */

struct counted {
	uint32_t scope;
	unsigned kind;
	int64_t month, amount;
};

struct recount {
	struct finding *f;
	struct counted *list; /* once counted_up: by key, each key once */
	size_t count, room;
};

static void recount_add(struct recount *x, uint32_t scope, const struct figure_cell *c)
{
	if (x->count == x->room) {
		struct counted *list = x->list;
		x->room = x->room * 2 + 256;
		x->list = ARENA_ARRAY(x->f->arena, *x->list, x->room);
		if (list) memcpy(x->list, list, x->count * sizeof *list);
	}
	x->list[x->count++] = (struct counted){scope, c->kind, c->month, c->amount};
}

static int by_key(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;
	if (x->scope != y->scope) return x->scope < y->scope ? -1 : 1;
	if (x->month != y->month) return x->month < y->month ? -1 : 1;
	return x->kind < y->kind ? -1 : x->kind > y->kind;
}

/* A province has hundreds of thousands of cells, and as many activities. */
static void counted_up(struct recount *x)
{
	size_t kept = 0;

	if (x->count) qsort(x->list, x->count, sizeof *x->list, by_key);
	for (size_t i = 0; i < x->count; i++) {
		if (kept && !by_key(&x->list[kept - 1], &x->list[i]))
			x->list[kept - 1].amount += x->list[i].amount;
		else
			x->list[kept++] = x->list[i];
	}
	x->count = kept;
}

static int recount_row(void *ctx, const struct row_view *v)
{
	const struct table *t = schema_table(&schema_current, TABLE_ACTIVITY);
	struct recount *x = ctx;
	struct value slots[SLOTS_MAX] = {0};
	struct figure_cell cells[FIGURE_CELLS_MAX];
	size_t n;

	if (!(v->lanes & 1u << LANE_OPEN) || v->dead & 1u << LANE_OPEN) return 0;
	slots[0] = value_int(1);
	for (size_t i = 0; i < t->fields_count; i++)
		if (field_lane(&t->fields[i]) == LANE_OPEN)
			slots[field_slot(&t->fields[i])] = v->values[i];
	n = figure_cells(t, LANE_OPEN, slots, cells);
	for (size_t i = 0; i < n; i++) recount_add(x, v->scope, &cells[i]);
	return 0;
}

static int64_t recounted(const struct recount *x, const struct summary_cell *c)
{
	struct counted key = {c->scope, c->kind, c->month, 0}, *found;

	found = x->count ? bsearch(&key, x->list, x->count, sizeof key, by_key) : NULL;
	return found ? found->amount : 0;
}

/* Whose run the row was created in; zeros: not known here. */
static int creator_of(struct finding *f, const uint8_t row[16], uint8_t ret[16])
{
	struct run_info by = {0};
	int rc = id_is_created(row) ? store_run_ord(replica_store(f->r), id_run(row), &by.ord) : 0;

	if (!rc && by.ord) rc = store_run_get(replica_store(f->r), by.ord, &by);
	if (!rc && by.ord) memcpy(ret, by.origin, 16);
	return rc;
}

/* ---- cells */

static int unit_of(struct finding *f, uint32_t scope, uint8_t ret[16])
{
	struct scope s;
	int rc = store_scope_get(replica_store(f->r), scope, &s);

	if (!rc) memcpy(ret, s.id, 16);
	return rc;
}

static void fill(struct doubt *d, const uint8_t unit[16], const struct summary_cell *c)
{
	memcpy(d->unit, unit, 16);
	d->month = c->month;
	d->figure = c->kind;
}

/* Who wrote the correction last. */
static void said_by(struct finding *f, const uint8_t row[16], uint8_t ret[16])
{
	struct history_item *items = NULL;
	size_t count = 0;

	if (!replica_history(f->r, row, f->arena, &items, &count) && count)
		memcpy(ret, items[count - 1].origin, 16);
}

/* Only the site itself objects to what is said of it. */
static int look_at_objections(struct finding *f, const struct summary_cell *c,
                              const struct summary_part *p, const uint8_t unit[16])
{
	size_t at = objections_find(f->objections, f->objections_count, p->row);
	int rc = 0;

	for (; !rc && at < f->objections_count; at++) {
		const struct objection *o = &f->objections[at];
		struct doubt *d;

		if (memcmp(o->correction, p->row, 16) != 0) break;
		if (o->scope != c->scope) continue;
		d = add(f, DOUBT_OBJECTED);
		fill(d, unit, c);
		d->said = p->value;
		d->cause = p->cause;
		d->reason = o->reason;
		d->answer = o->answer;
		d->closed = o->closed;
		memcpy(d->row, o->row, 16);
		rc = creator_of(f, o->row, d->device);
	}
	return rc;
}

static int look_at_part(struct finding *f, const struct summary_cell *c,
                        const struct summary_part *p, const uint8_t unit[16])
{
	struct cert_row *by = NULL;
	struct doubt *d;
	int rc;

	if (!p->value) return 0;
	if (p->correction) {
		d = add(f, DOUBT_CORRECTED);
		fill(d, unit, c);
		d->said = p->value;
		d->cause = p->cause;
		said_by(f, p->row, d->device);
		return look_at_objections(f, c, p, unit);
	}
	rc = store_cert_by_origin(replica_store(f->r), p->origin, f->arena, &by);
	if (rc || (by && by->role != CERT_HUB)) return rc;
	if (by && !memcmp(by->unit, unit, 16)) return 0; /* a hub's own work */
	d = add(f, DOUBT_HUB_FIGURE);
	fill(d, unit, c);
	d->said = p->value;
	memcpy(d->device, p->origin, 16);
	return 0;
}

static int look_at_cells(struct finding *f, const struct summary *s)
{
	struct recount x = {.f = f};
	int rc = rows_each(replica_store(f->r), schema_table(&schema_current, TABLE_ACTIVITY), 0,
	                   recount_row, &x);
	counted_up(&x);

	for (size_t i = 0; !rc && i < s->count; i++) {
		const struct summary_cell *c = &s->cells[i];
		uint8_t unit[16];

		rc = unit_of(f, c->scope, unit);
		if (rc) break;
		if (c->settled && (c->kind == FIGURE_ACTIVITIES || c->kind == FIGURE_HOUSEHOLDS)) {
			int64_t held = recounted(&x, c), said = c->stated + c->corrected;
			struct doubt *d = held == said ? NULL : add(f, DOUBT_CONTRADICTED);

			if (d) {
				fill(d, unit, c);
				d->said = said;
				d->held = held;
			}
		}
		for (size_t k = 0; !rc && k < c->parts_count; k++)
			rc = look_at_part(f, c, &c->parts[k], unit);
	}
	return rc;
}

/* ---- communities that a hub below made */

static int look_at_units(struct finding *f)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < f->tree->count; i++) {
		const struct unit *u = &f->tree->units[i];
		struct cert_row *maker = NULL;
		uint8_t by[16] = {0};

		if (u->level != LEVEL_COMMUNITY) continue;
		rc = creator_of(f, u->id, by);
		if (rc || id_is_zero(by) || !memcmp(by, replica_identity(f->r)->origin, 16))
			continue;
		rc = store_cert_by_origin(replica_store(f->r), by, f->arena, &maker);
		/* Only what a hub of ours made: the tree itself came from above to all others. */
		if (rc || !maker || memcmp(maker->issuer, replica_cert(f->r)->id, 16) != 0)
			continue;
		struct doubt *d = add(f, DOUBT_UNIT);
		memcpy(d->unit, u->id, 16);
		memcpy(d->device, by, 16);
		d->said = u->devices;
	}
	return rc;
}

static int look_at_peers(struct finding *f)
{
	struct cert_row *rows = NULL;
	size_t count = 0;
	int rc = store_certs(replica_store(f->r), f->arena, &rows, &count);

	for (size_t i = 0; !rc && i < count; i++) {
		struct offence o;
		struct doubt *d;

		if (!replica_is_own(f->r, rows[i].issuer)) continue;
		rc = replica_offence(f->r, rows[i].origin, &o);
		if (rc || !o.count) continue;
		d = add(f, DOUBT_OFFENCE);
		memcpy(d->unit, rows[i].unit, 16);
		memcpy(d->device, rows[i].origin, 16);
		d->said = o.count;
		d->code = o.code;
	}
	return rc;
}

int doubts_find(struct replica *r, const struct tree *t, const struct summary *s, struct arena *a,
                struct doubt **ret, size_t *ret_count)
{
	struct finding f = {.r = r, .tree = t, .arena = a};
	int rc = look_at_peers(&f);

	rc = rc ? rc : look_at_units(&f);
	rc = rc ? rc : objections_load(replica_store(r), 0, a, &f.objections, &f.objections_count);
	rc = rc ? rc : look_at_cells(&f, s);
	*ret = f.list;
	*ret_count = f.count;
	return rc;
}
