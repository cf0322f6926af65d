#include "common/base.h"

#include "node/correction.h"

#include "common/rows.h"

/* What stands in the open field, or else in the closed one. */
static struct value half(const struct table *t, const struct row_view *v, const char *open,
                         const char *closed)
{
	struct value said = row_value(t, v, open);

	return said.type != VALUE_NULL ? said : row_value(t, v, closed);
}

/* ---- objections */

struct loading {
	const struct table *t;
	struct arena *arena;
	struct objection *list;
	size_t count, room;
};

static const char *text_of(struct loading *l, const struct row_view *v, const char *open,
                           const char *closed)
{
	struct value said = half(l->t, v, open, closed);

	return said.type == VALUE_TEXT ? arena_text(l->arena, said.s) : "";
}

static int load_one(void *ctx, const struct row_view *v)
{
	struct loading *l = ctx;
	struct value to = half(l->t, v, "correction", "closed_correction");
	struct objection *o;

	if (to.type != VALUE_BYTES || to.s.len != 16) return 0;
	if (l->count == l->room) {
		struct objection *old = l->list;

		l->room = l->room * 2 + 16;
		l->list = ARENA_ARRAY(l->arena, struct objection, l->room);
		if (old) memcpy(l->list, old, l->count * sizeof *old);
	}
	o = &l->list[l->count++];
	*o = (struct objection){.scope = v->scope,
	                        .reason = text_of(l, v, "reason", "closed_reason"),
	                        .answer = text_of(l, v, "answer", "closed_answer"),
	                        .closed = row_value(l->t, v, "correction").type == VALUE_NULL};
	memcpy(o->row, v->id, 16);
	memcpy(o->correction, to.s.p, 16);
	return 0;
}

static int by_correction(const void *a, const void *b)
{
	const struct objection *x = a, *y = b;
	int c = memcmp(x->correction, y->correction, 16);

	return c ? c : memcmp(x->row, y->row, 16);
}

int objections_load(struct store *st, uint32_t scope, struct arena *a, struct objection **ret,
                    size_t *ret_count)
{
	struct loading l = {.t = schema_table(&schema_current, TABLE_OBJECTION), .arena = a};
	int rc = rows_each(st, l.t, scope, load_one, &l);

	if (l.count) qsort(l.list, l.count, sizeof *l.list, by_correction);
	*ret = l.list;
	*ret_count = l.count;
	return rc;
}

size_t objections_find(const struct objection *list, size_t count, const uint8_t correction[16])
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(list[middle].correction, correction, 16) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- how many */

struct counting {
	const struct table *t;
	struct objection *objections;
	size_t objections_count;
	struct corrections *ret;
};

static int count_one(void *ctx, const struct row_view *v)
{
	struct counting *c = ctx;
	struct value n = half(c->t, v, "value", "closed_value");
	size_t at = objections_find(c->objections, c->objections_count, v->id), first = at;
	bool answered = false;

	if (n.type != VALUE_INT || !n.i) return 0;
	for (; at < c->objections_count && !memcmp(c->objections[at].correction, v->id, 16); at++)
		answered |= c->objections[at].answer[0] != 0;
	c->ret->standing++;
	c->ret->objected += at > first;
	c->ret->answered += answered;
	return 0;
}

int corrections_count(struct replica *r, struct corrections *ret)
{
	struct counting c = {.t = schema_table(&schema_current, TABLE_CORRECTION), .ret = ret};
	uint32_t own = replica_own_scope(r);
	struct arena a;
	int rc;

	*ret = (struct corrections){0};
	if (!own) return 0;
	arena_init(&a, 0);
	rc = objections_load(replica_store(r), own, &a, &c.objections, &c.objections_count);
	rc = rc ? rc : rows_each(replica_store(r), c.t, own, count_one, &c);
	arena_done(&a);
	return rc;
}
