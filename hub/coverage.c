#include "common/base.h"

#include "hub/coverage.h"

#include "proto/figure.h"

struct rolling {
	const struct tree *tree;
	int32_t *item_of;       /* unit index -> item index; -1 none */
	bool *active;           /* unit index -> activities in the period */
	int32_t *unit_of_scope; /* scope ordinal -> unit index */
	uint32_t scopes;
	struct coverage_item *items;
	size_t count;
};

static void start(struct rolling *r, const struct tree *t, unsigned level, struct arena *a)
{
	r->tree = t;
	r->item_of = arena_take(a, sizeof(int32_t) * (t->count + 1));
	r->active = arena_take(a, t->count + 1);
	r->items = ARENA_ARRAY(a, struct coverage_item, t->count + 1);
	for (size_t i = 0; i < t->count; i++) {
		if (t->units[i].scope > r->scopes) r->scopes = t->units[i].scope;
		r->item_of[i] = -1;
		if (t->units[i].level == level) {
			r->item_of[i] = (int32_t)r->count;
			r->items[r->count++] =
			        (struct coverage_item){.unit = (int32_t)i, .settled = true};
		}
	}
	r->unit_of_scope = arena_take(a, sizeof(int32_t) * ((size_t)r->scopes + 1));
	for (uint32_t i = 0; i <= r->scopes; i++) r->unit_of_scope[i] = -1;
	for (size_t i = 0; i < t->count; i++) {
		int32_t top = tree_at_level(t, (int32_t)i, level);
		if (top >= 0) r->item_of[i] = r->item_of[top];
		if (t->units[i].scope) r->unit_of_scope[t->units[i].scope] = (int32_t)i;
	}
}

static void add_cell(struct rolling *r, const struct summary_cell *c, int64_t from, int64_t to)
{
	int32_t unit = c->scope <= r->scopes ? r->unit_of_scope[c->scope] : -1;
	int32_t item = unit >= 0 ? r->item_of[unit] : -1;
	int64_t n = (int64_t)((uint64_t)c->stated + (uint64_t)c->corrected);
	bool absurd = n > AMOUNT_MAX || n < -AMOUNT_MAX;
	struct coverage_item *x;

	if (item < 0 || c->month > to || (c->month < from && c->kind != FIGURE_VOLUNTEERS)) return;
	x = &r->items[item];
	if (!c->settled || absurd) x->settled = false;
	if (absurd) return;
	switch (c->kind) {
	case FIGURE_VOLUNTEERS:
		x->volunteers += n;
		break;
	case FIGURE_ACTIVITIES:
		x->activities += n;
		r->active[unit] = r->active[unit] || n > 0;
		break;
	case FIGURE_PARTICIPATIONS:
		x->participations += n;
		break;
	case FIGURE_MINUTES:
		x->minutes += n;
		break;
	default:
		break; /* closed kinds stay out of every open total */
	}
}

static void add_communities(struct rolling *r)
{
	for (size_t i = 0; i < r->tree->count; i++) {
		const struct unit *u = &r->tree->units[i];
		if (u->level != LEVEL_COMMUNITY || r->item_of[i] < 0) continue;
		struct coverage_item *x = &r->items[r->item_of[i]];
		x->sites++;
		x->with_node += u->devices > 0;
		x->active += r->active[i];
	}
}

/* By division code, then id: qsort has no context, so the code travels with the key. */
struct order {
	char code[13];
	uint8_t id[16];
	struct coverage_item item;
};

static int compare_orders(const void *a, const void *b)
{
	const struct order *x = a, *y = b;
	int c = strcmp(x->code, y->code);

	return c ? c : memcmp(x->id, y->id, 16);
}

static void sort(struct rolling *r, struct arena *a)
{
	struct order *o = ARENA_ARRAY(a, struct order, r->count + 1);

	for (size_t i = 0; i < r->count; i++) {
		const struct unit *u = &r->tree->units[r->items[i].unit];
		memcpy(o[i].code, u->code, sizeof o[i].code);
		memcpy(o[i].id, u->id, 16);
		o[i].item = r->items[i];
	}
	if (r->count) qsort(o, r->count, sizeof *o, compare_orders);
	for (size_t i = 0; i < r->count; i++) r->items[i] = o[i].item;
}

int coverage_make(const struct tree *t, const struct summary *s, unsigned level, int64_t from,
                  int64_t to, struct arena *a, struct coverage_item **ret, size_t *ret_count)
{
	struct rolling r = {0};

	start(&r, t, level, a);
	for (size_t i = 0; i < s->count; i++) add_cell(&r, &s->cells[i], from, to);
	add_communities(&r);
	sort(&r, a);
	*ret = r.items;
	*ret_count = r.count;
	return 0;
}

/* The unit of a place; of a community, into which others are folded, the one that it is folded into itself. */
static const struct unit *unit_of_place(const struct tree *t, const struct fold *folds,
                                        size_t count, const struct fold *f)
{
	for (unsigned depth = 0; depth < 16; depth++) {
		size_t low = 0, high = count;
		if (!f->up) return tree_find(t, f->id);
		while (low < high) {
			size_t middle = (low + high) / 2;
			if (folds[middle].place < f->up)
				low = middle + 1;
			else
				high = middle;
		}
		if (low == count || folds[low].place != f->up) return NULL;
		f = &folds[low];
	}
	return NULL;
}

int coverage_make_folded(const struct tree *t, const struct fold *folds, size_t folds_count,
                         unsigned level, struct arena *a, struct coverage_item **ret,
                         size_t *ret_count)
{
	struct rolling r = {0};

	assert(level < LEVEL_COMMUNITY);
	start(&r, t, level, a);
	for (size_t i = 0; i < folds_count; i++) {
		const struct fold *f = &folds[i];
		const struct unit *u = unit_of_place(t, folds, folds_count, f);
		int32_t item = u ? r.item_of[u - t->units] : -1;
		struct coverage_item *x;
		if (item < 0) continue;
		x = &r.items[item];
		x->sites += f->sites;
		x->with_node += f->with_device;
		x->active += f->active;
		x->volunteers += f->volunteers;
		x->activities += f->activities;
		x->participations += f->participations;
		x->minutes += f->minutes;
		if (f->unsettled) x->settled = false;
	}
	sort(&r, a);
	*ret = r.items;
	*ret_count = r.count;
	return 0;
}
