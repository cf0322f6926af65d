/*
 * privacy.c - see privacy.h.  Who is frozen is read from the table once a transaction and kept sorted: judging asks of every
 * record, and nearly nobody is.
 */
#include "common/base.h"

#include "proto/privacy.h"

#include "common/ident.h"
#include "proto/engine.h"

enum { PAGE = 512 };

void withdrawal_id(const uint8_t person[16], uint8_t ret[16])
{
	struct span parts[] = {{person, 16}};
	id_derive("withdrawal", parts, ARRAY_COUNT(parts), ret);
}

bool level_thaws(unsigned level)
{
	return level <= LEVEL_COUNTY;
}

static int compare_ids(const void *x, const void *y)
{
	return memcmp(x, y, 16);
}

static void put(struct named_rows *n, const uint8_t id[16])
{
	if (n->count == n->room) {
		size_t room = n->room * 2 + 16;
		uint8_t(*more)[16] = mem_alloc(room * sizeof(*more));

		if (n->count) memcpy(more, n->ids, n->count * sizeof(*more));
		free(n->ids);
		n->ids = more;
		n->room = room;
	}
	memcpy(n->ids[n->count++], id, 16);
}

static int load(struct replica *r, const struct table *t)
{
	struct named_rows *n = &r->frozen;
	const struct field *person = table_field_named(t, "person");
	uint8_t after[16];
	size_t got = PAGE;
	int rc = 0;

	for (bool first = true; got == PAGE && !rc; first = false) {
		struct row_view *rows;
		struct arena a;

		arena_init(&a, 0);
		rc = store_rows_view(r->st, t, NULL, 0, /* scope= */ 0, /* all= */ false,
		                     first ? NULL : after, PAGE, &a, &rows, &got);
		for (size_t i = 0; i < got && !rc; i++) {
			struct value v = rows[i].values[person - t->fields];
			uint8_t id[16];

			memcpy(after, rows[i].id, 16);
			if (v.type != VALUE_BYTES || v.s.len != 16) continue;
			withdrawal_id(v.s.p, id);
			if (!memcmp(id, rows[i].id, 16))
				put(n, v.s.p); /* no other row speaks of him */
		}
		arena_done(&a);
	}
	if (n->count) qsort(n->ids, n->count, 16, compare_ids);
	return rc;
}

int replica_frozen(struct replica *r, const uint8_t person[16], bool *ret)
{
	struct named_rows *n = &r->frozen;
	const struct table *t = schema_table(store_schema(r->st), TABLE_WITHDRAWAL);

	*ret = false;
	if (!t) return 0;
	if (!n->known) {
		n->count = 0;
		int rc = load(r, t);
		if (rc) return engine_fail(r, rc);
		n->known = true;
	}
	*ret = n->count && bsearch(person, n->ids, n->count, 16, compare_ids);
	return 0;
}

int replica_frozen_op(struct replica *r, const struct op *op, unsigned lane, uint8_t *ret_field,
                      bool *ret)
{
	const struct table *t = schema_table(store_schema(r->st), op->table);
	int rc = 0;

	*ret = false;
	*ret_field = 0;
	if (!t || op->table == TABLE_WITHDRAWAL) return 0;
	if (op->table == TABLE_VOLUNTEER) rc = replica_frozen(r, op->row, ret);
	for (size_t i = 0; i < op->values_count && !rc && !*ret; i++) {
		const struct field *f = table_slot(t, lane, op->values[i].slot);
		struct value v = op->values[i].value;

		if (!f || f->type != FIELD_REF || f->ref_table != TABLE_VOLUNTEER ||
		    v.type != VALUE_BYTES || v.s.len != 16)
			continue;
		*ret_field = f->number;
		rc = replica_frozen(r, v.s.p, ret);
	}
	return rc;
}

void privacy_changed(struct replica *r, uint16_t table)
{
	if (table == TABLE_WITHDRAWAL) r->frozen.known = false;
}

void privacy_done(struct replica *r)
{
	free(r->frozen.ids);
}
