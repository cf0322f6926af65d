#include "common/base.h"

#include "hub/tree.h"

#include "common/ident.h"
#include "common/rows.h"

enum { DEPTH_MAX = 16 };

struct loading {
	struct tree *tree;
	struct arena *arena;
	size_t room;
	const struct table *table;
};

static int load_unit(void *ctx, const struct row_view *v)
{
	struct loading *l = ctx;
	struct value code = row_value(l->table, v, "code"), level = row_value(l->table, v, "level");
	struct value name = row_value(l->table, v, "name"),
	             parent = row_value(l->table, v, "parent");
	struct unit *u;

	if (l->tree->count == l->room) {
		struct unit *old = l->tree->units;
		l->room = l->room ? 2 * l->room : 1024;
		l->tree->units = ARENA_ARRAY(l->arena, struct unit, l->room);
		if (old) memcpy(l->tree->units, old, l->tree->count * sizeof *old);
	}
	u = &l->tree->units[l->tree->count++];
	memcpy(u->id, v->id, 16);
	if (code.type == VALUE_TEXT && code.s.len < sizeof u->code)
		memcpy(u->code, code.s.p, code.s.len);
	u->level = level.type == VALUE_INT && level.i > 0 && level.i <= LEVEL_COMMUNITY
	                   ? (unsigned)level.i
	                   : 0;
	u->name = name.type == VALUE_TEXT ? arena_text(l->arena, name.s) : "";
	if (parent.type == VALUE_BYTES && parent.s.len == 16) memcpy(u->parent_id, parent.s.p, 16);
	u->parent = -1;
	return 0;
}

static int load_device(void *ctx, const struct row_view *v)
{
	struct loading *l = ctx;
	struct value org = row_value(l->table, v, "org"),
	             revoked = row_value(l->table, v, "revoked");
	struct unit *u =
	        org.type == VALUE_BYTES && org.s.len == 16 ? tree_find(l->tree, org.s.p) : NULL;

	if (u && revoked.type == VALUE_NULL) u->devices++;
	return 0;
}

static int compare_units(const void *a, const void *b)
{
	const struct unit *x = a, *y = b;

	return memcmp(x->id, y->id, 16);
}

struct unit *tree_find(const struct tree *t, const uint8_t id[16])
{
	struct unit key = {.parent = -1};

	memcpy(key.id, id, 16);
	return t->count ? bsearch(&key, t->units, t->count, sizeof key, compare_units) : NULL;
}

static void find_parents(struct tree *t)
{
	if (t->count) qsort(t->units, t->count, sizeof *t->units, compare_units);
	for (size_t i = 0; i < t->count; i++) {
		struct unit *parent = id_is_zero(t->units[i].parent_id)
		                              ? NULL
		                              : tree_find(t, t->units[i].parent_id);
		t->units[i].parent = parent ? (int32_t)(parent - t->units) : -1;
	}
}

/* The unit with this id, if it is alive here. */
static int load_one(struct store *st, struct loading *l, const uint8_t id[16], uint32_t scope)
{
	struct row_view *v = NULL;
	size_t before = l->tree->count;
	struct arena a;
	int rc;

	arena_init(&a, 0);
	rc = store_row_view(st, l->table, id, &a, &v);
	if (!rc && v && !v->dead) rc = load_unit(l, v);
	if (!rc && l->tree->count > before) l->tree->units[before].scope = scope;
	arena_done(&a);
	return rc;
}

int tree_load_places(struct store *st, const struct fold *folds, size_t count, struct arena *a,
                     struct tree *ret)
{
	struct tree t = {NULL, 0};
	struct loading l = {&t, a, 0, schema_table(&schema_current, TABLE_ORG_UNIT)};
	size_t before = 0;
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++)
		if (!folds[i].up) rc = load_one(st, &l, folds[i].id, folds[i].place);
	find_parents(&t);
	while (!rc && t.count > before) {
		size_t known = t.count;
		for (size_t i = 0; i < known && !rc; i++) {
			const struct unit u = t.units[i];
			if (u.parent < 0 && !id_is_zero(u.parent_id) &&
			    !tree_find(&(struct tree){t.units, known}, u.parent_id))
				rc = load_one(st, &l, u.parent_id, 0);
		}
		before = known;
		find_parents(&t);
	}
	if (!rc) *ret = t;
	return rc;
}

int tree_load(struct store *st, struct arena *a, struct tree *ret)
{
	struct tree t = {NULL, 0};
	struct loading l = {&t, a, 0, schema_table(&schema_current, TABLE_ORG_UNIT)};
	struct scope *scopes = NULL;
	size_t scopes_count = 0;
	int rc = rows_each(st, l.table, 0, load_unit, &l);

	if (rc) return rc;
	find_parents(&t);
	rc = store_scopes(st, a, &scopes, &scopes_count);
	for (size_t i = 0; !rc && i < scopes_count; i++) {
		struct unit *u = tree_find(&t, scopes[i].id);
		if (u) u->scope = scopes[i].ord;
	}
	l.table = schema_table(&schema_current, TABLE_DEVICE);
	rc = rc ? rc : rows_each(st, l.table, 0, load_device, &l);
	if (!rc) *ret = t;
	return rc;
}

int32_t tree_at_level(const struct tree *t, int32_t index, unsigned level)
{
	for (unsigned depth = 0; index >= 0 && depth < DEPTH_MAX; depth++) {
		if (t->units[index].level == level) return index;
		if (t->units[index].level && t->units[index].level < level) return -1;
		index = t->units[index].parent;
	}
	return -1;
}

bool tree_below(const struct tree *t, int32_t index, int32_t top)
{
	for (unsigned depth = 0; index >= 0 && depth < DEPTH_MAX; depth++) {
		if (index == top) return true;
		index = t->units[index].parent;
	}
	return false;
}
