#include "common/base.h"

#include "hub/summary.h"

#include "common/rows.h"
#include "hub/tree.h"
#include "node/status.h"
#include "proto/figure.h"

struct loading {
	struct summary *summary;
	struct arena *arena;
	size_t room;
	const struct table *table;
	bool correction;
};

static struct summary_part *part_add(struct loading *l)
{
	struct summary *s = l->summary;

	if (s->parts_count == l->room) {
		struct summary_part *old = s->parts;
		l->room = l->room ? 2 * l->room : 1024;
		s->parts = ARENA_ARRAY(l->arena, struct summary_part, l->room);
		if (old) memcpy(s->parts, old, s->parts_count * sizeof *old);
	}
	return &s->parts[s->parts_count++];
}

static int64_t number(struct value v)
{
	return v.type == VALUE_INT ? v.i : 0;
}

/* The open and the closed half of a row are two statements. */
static void load_half(struct loading *l, const struct row_view *v, const char *const names[6])
{
	struct value month = row_value(l->table, v, names[0]),
	             kind = row_value(l->table, v, names[1]);
	struct summary_part *p;

	if (month.type != VALUE_INT || kind.type != VALUE_TEXT || !figure_kind_named(kind.s))
		return;
	p = part_add(l);
	*p = (struct summary_part){.scope = v->scope,
	                           .month = month.i,
	                           .kind = figure_kind_named(kind.s),
	                           .correction = l->correction,
	                           .cause = ""};
	memcpy(p->row, v->id, 16);
	p->value = number(row_value(l->table, v, names[2]));
	if (l->correction) {
		struct value cause = row_value(l->table, v, names[4]);
		p->base = number(row_value(l->table, v, names[3]));
		p->cause = cause.type == VALUE_TEXT ? arena_text(l->arena, cause.s) : "";
	} else {
		struct value origin = row_value(l->table, v, names[3]);
		if (origin.type == VALUE_BYTES && origin.s.len == 16)
			memcpy(p->origin, origin.s.p, 16);
	}
}

static int load_row(void *ctx, const struct row_view *v)
{
	static const char *const figure_open[6] = {"month", "kind", "value", "origin", NULL, NULL};
	static const char *const figure_closed[6] = {"closed_month",  "closed_kind", "closed_value",
	                                             "closed_origin", NULL,          NULL};
	static const char *const correction_open[6] = {"month", "kind",  "value",
	                                               "base",  "cause", NULL};
	static const char *const correction_closed[6] = {
	        "closed_month", "closed_kind", "closed_value", "closed_base", "closed_cause", NULL};
	struct loading *l = ctx;

	load_half(l, v, l->correction ? correction_open : figure_open);
	load_half(l, v, l->correction ? correction_closed : figure_closed);
	return 0;
}

static int compare_cell(const struct summary_part *x, const struct summary_part *y)
{
	if (x->scope != y->scope) return x->scope < y->scope ? -1 : 1;
	if (x->month != y->month) return x->month < y->month ? -1 : 1;
	return x->kind < y->kind ? -1 : x->kind > y->kind;
}

static int compare_parts(const void *a, const void *b)
{
	const struct summary_part *x = a, *y = b;
	int c = compare_cell(x, y);

	if (c) return c;
	if (x->correction != y->correction) return x->correction ? 1 : -1;
	return memcmp(x->row, y->row, 16);
}

/* Adds the parts to what is stated. */
static void cell_sum(struct summary_cell *cell)
{
	cell->settled = true;
	for (size_t i = 0; i < cell->parts_count; i++) {
		const struct summary_part *p = &cell->parts[i];
		if (!p->correction) {
			cell->stated = (int64_t)((uint64_t)cell->stated + (uint64_t)p->value);
		} else if (p->value > AMOUNT_MAX || p->value < -AMOUNT_MAX) {
			cell->settled = false;
		} else {
			cell->corrected += p->value;
			/* A correction of nothing says nothing. */
			if (p->value && p->base != cell->stated) cell->settled = false;
		}
	}
}

int summary_load(struct store *st, struct arena *a, struct summary *ret)
{
	struct summary s = {0};
	struct loading l = {
	        .summary = &s, .arena = a, .table = schema_table(&schema_current, TABLE_FIGURE)};
	int rc = rows_each(st, l.table, 0, load_row, &l);

	l.table = schema_table(&schema_current, TABLE_CORRECTION);
	l.correction = true;
	rc = rc ? rc : rows_each(st, l.table, 0, load_row, &l);
	if (rc) return rc;
	if (s.parts_count) qsort(s.parts, s.parts_count, sizeof *s.parts, compare_parts);
	s.cells = ARENA_ARRAY(a, struct summary_cell, s.parts_count + 1);
	for (size_t i = 0; i < s.parts_count;) {
		struct summary_cell *cell = &s.cells[s.count++];
		const struct summary_part *first = &s.parts[i];
		*cell = (struct summary_cell){.scope = first->scope,
		                              .month = first->month,
		                              .kind = first->kind,
		                              .parts = first};
		while (i < s.parts_count && !compare_cell(first, &s.parts[i])) {
			cell->parts_count++;
			i++;
		}
		cell_sum(cell);
	}
	*ret = s;
	return 0;
}

static bool in_period(const struct summary_part *p, int64_t from, int64_t to, unsigned kind_max)
{
	return p->month <= to && p->kind <= kind_max &&
	       (p->month >= from || p->kind == FIGURE_VOLUNTEERS);
}

int summary_cells(struct store *st, int64_t from, int64_t to, unsigned kind_max, struct arena *a,
                  struct summary *ret)
{
	struct summary s = {0};
	struct loading l = {.summary = &s,
	                    .arena = a,
	                    .table = schema_table(&schema_current, TABLE_CORRECTION),
	                    .correction = true};
	struct stated *stated = NULL;
	size_t n = 0, k = 0;
	int rc = store_cells_stated(st, from, to, kind_max, FIGURE_VOLUNTEERS, a, &stated, &n);

	rc = rc ? rc : rows_each(st, l.table, 0, load_row, &l);
	if (rc) return rc;
	for (size_t i = 0; i < s.parts_count; i++)
		if (in_period(&s.parts[i], from, to, kind_max)) s.parts[k++] = s.parts[i];
	s.parts_count = k;
	if (k) qsort(s.parts, k, sizeof *s.parts, compare_parts);
	s.cells = ARENA_ARRAY(a, struct summary_cell, n + k + 1);
	for (size_t i = 0, p = 0; i < n || p < k;) {
		struct summary_cell *cell = &s.cells[s.count++];
		struct summary_part key = {0};
		int order = 1; /* of the cell that is stated and the one that is corrected */

		if (i < n) {
			key.scope = stated[i].scope;
			key.month = stated[i].month;
			key.kind = stated[i].kind;
			order = p < k ? compare_cell(&key, &s.parts[p]) : -1;
		}
		if (order > 0) key = s.parts[p];
		*cell = (struct summary_cell){.scope = key.scope,
		                              .month = key.month,
		                              .kind = key.kind,
		                              .stated = order <= 0 ? stated[i].stated : 0,
		                              .parts = &s.parts[p]};
		i += order <= 0;
		for (; p < k && !compare_cell(&key, &s.parts[p]); p++) cell->parts_count++;
		cell_sum(cell);
	}
	*ret = s;
	return 0;
}

static int add_children(struct replica *r, const struct tree *t, struct arena *a,
                        struct missing *list, size_t *count)
{
	const struct cert *own = replica_cert(r);
	struct cert_row *rows = NULL;
	size_t rows_count = 0;
	int rc = own ? replica_children(r, a, &rows, &rows_count) : 0;

	for (size_t i = 0; !rc && i < rows_count; i++) {
		struct cert c;
		struct peer peer = {0};
		bool seen = false, same = false;
		struct unit *u = tree_find(t, rows[i].unit);
		if (!u || *count >= 2 * t->count || rows[i].revoked_ms ||
		    cert_open(rows[i].body, &c, NULL))
			continue;
		rc = status_child(r, &c, &seen, &peer, &same);
		if (!rc && !same)
			list[(*count)++] = (struct missing){
			        (int32_t)(u - t->units),
			        seen ? MISSING_NO_AGREEMENT : MISSING_NEVER, peer.last_contact_ms};
	}
	return rc;
}

int summary_missing(struct replica *r, const struct tree *t, struct arena *a, struct missing **ret,
                    size_t *ret_count)
{
	const struct cert *own = replica_cert(r);
	struct unit *top = own ? tree_find(t, own->unit) : NULL;
	struct missing *list = ARENA_ARRAY(a, struct missing, 2 * t->count + 1);
	size_t count = 0;
	int rc;

	for (size_t i = 0; i < t->count; i++)
		if (t->units[i].level == LEVEL_COMMUNITY && !t->units[i].devices &&
		    (!top || tree_below(t, (int32_t)i, (int32_t)(top - t->units))))
			list[count++] = (struct missing){(int32_t)i, MISSING_NO_NODE, 0};
	rc = add_children(r, t, a, list, &count);
	*ret = list;
	*ret_count = count;
	return rc;
}

int summary_missing_count(struct replica *r, const struct tree *t, const struct fold *folds,
                          size_t folds_count, struct arena *a, size_t *ret_count)
{
	const struct cert *own = replica_cert(r);
	struct unit *top = own ? tree_find(t, own->unit) : NULL;
	struct cert_row *rows = NULL;
	size_t rows_count = 0, count = 0;
	int rc = own ? replica_children(r, a, &rows, &rows_count) : 0;

	for (size_t i = 0; i < folds_count; i++) {
		const struct unit *u = tree_find(t, folds[i].id);
		if (!top ||
		    (u && tree_below(t, (int32_t)(u - t->units), (int32_t)(top - t->units))))
			count += (size_t)(folds[i].sites - folds[i].with_device);
	}
	for (size_t i = 0; !rc && i < rows_count; i++) {
		struct row_view *unit = NULL;
		struct peer peer = {0};
		bool seen = false, same = false;
		struct cert c;
		if (rows[i].revoked_ms || cert_open(rows[i].body, &c, NULL)) continue;
		rc = store_row_view(replica_store(r), schema_table(&schema_current, TABLE_ORG_UNIT),
		                    rows[i].unit, a, &unit);
		if (!rc && unit && !unit->dead) rc = status_child(r, &c, &seen, &peer, &same);
		count += !rc && unit && !unit->dead && !same;
	}
	*ret_count = count;
	return rc;
}
