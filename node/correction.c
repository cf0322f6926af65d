#include "common/base.h"

#include "node/correction.h"

enum { PAGE = 500 };

struct counting {
	const struct table *t;
	struct arena arena; /* of objected */
	struct said {
		uint8_t to[16];
		bool answered;
	} * objected; /* by correction, once sorted */
	size_t objected_count, room;
	struct corrections *ret;
};

static struct value value_of(const struct counting *c, const struct row_view *v, const char *open,
                             const char *closed)
{
	struct value said = v->values[table_field_named(c->t, open) - c->t->fields];

	return said.type != VALUE_NULL ? said
	                               : v->values[table_field_named(c->t, closed) - c->t->fields];
}

static void add_objection(struct counting *c, const struct row_view *v)
{
	struct value to = value_of(c, v, "correction", "closed_correction");
	struct said *old = c->objected;

	if (v->dead || to.type != VALUE_BYTES || to.s.len != 16) return;
	if (c->objected_count == c->room) {
		c->room = c->room * 2 + 16;
		c->objected = ARENA_ARRAY(&c->arena, struct said, c->room);
		if (old) memcpy(c->objected, old, c->objected_count * sizeof *old);
	}
	old = &c->objected[c->objected_count++];
	memcpy(old->to, to.s.p, 16);
	old->answered = value_of(c, v, "answer", "closed_answer").type == VALUE_TEXT;
}

static int by_correction(const void *a, const void *b)
{
	const struct said *x = a, *y = b;
	int c = memcmp(x->to, y->to, 16);

	return c ? c : (int)y->answered - (int)x->answered;
}

static int by_id(const void *id, const void *said)
{
	return memcmp(id, ((const struct said *)said)->to, 16);
}

static void add_correction(struct counting *c, const struct row_view *v)
{
	struct value n = value_of(c, v, "value", "closed_value");
	const struct said *s;

	if (v->dead || n.type != VALUE_INT || !n.i) return;
	c->ret->standing++;
	s = c->objected_count ? bsearch(v->id, c->objected, c->objected_count, sizeof *s, by_id)
	                      : NULL;
	if (!s) return;
	c->ret->objected++;
	while (s > c->objected && !memcmp(s[-1].to, v->id, 16)) s--;
	c->ret->answered += s->answered;
}

static int each(struct replica *r, unsigned table, struct counting *c,
                void (*add)(struct counting *c, const struct row_view *v))
{
	uint8_t after[16];
	bool first = true;

	c->t = schema_table(&schema_current, (uint16_t)table);
	for (size_t n = PAGE; n == PAGE;) {
		struct row_view *rows = NULL;
		struct arena a;
		int rc;

		arena_init(&a, 0);
		rc = store_rows_view(replica_store(r), c->t, NULL, 0, replica_own_scope(r),
		                     /* all= */ false, first ? NULL : after, PAGE, &a, &rows, &n);
		for (size_t i = 0; !rc && i < n; i++) add(c, &rows[i]);
		if (!rc && n) memcpy(after, rows[n - 1].id, 16);
		first = false;
		arena_done(&a);
		if (rc) return rc;
	}
	return 0;
}

int corrections_count(struct replica *r, struct corrections *ret)
{
	struct counting c = {.ret = ret};
	int rc;

	*ret = (struct corrections){0};
	if (!replica_own_scope(r)) return 0; /* 0 would ask for every unit's */
	arena_init(&c.arena, 0);
	rc = each(r, TABLE_OBJECTION, &c, add_objection);
	if (c.objected_count)
		qsort(c.objected, c.objected_count, sizeof *c.objected, by_correction);
	rc = rc ? rc : each(r, TABLE_CORRECTION, &c, add_correction);
	arena_done(&c.arena);
	return rc;
}
