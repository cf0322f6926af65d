/*
 * privacy.c - see privacy.h.  Who is frozen and what is erased is read from the tables once a transaction and kept sorted: judging
 * asks of every record, and nearly none is.
 */
#include "common/base.h"

#include "proto/privacy.h"

#include "common/ident.h"
#include "proto/engine.h"

enum { PAGE = 512 };

static void derived(const char *what, const uint8_t id[16], uint8_t ret[16])
{
	struct span parts[] = {{id, 16}};
	id_derive(what, parts, ARRAY_COUNT(parts), ret);
}

void withdrawal_id(const uint8_t person[16], uint8_t ret[16])
{
	derived("withdrawal", person, ret);
}

void erasure_id(const uint8_t target[16], uint8_t ret[16])
{
	derived("erasure", target, ret);
}

static int compare_ids(const void *x, const void *y)
{
	return memcmp(x, y, 16);
}

static void put(struct named_rows *n, const uint8_t id[16], uint32_t scope)
{
	if (n->count == n->room) {
		n->room = n->room * 2 + 16;
		n->rows = mem_grow(n->rows, n->room * sizeof(*n->rows));
	}
	memcpy(n->rows[n->count].id, id, 16);
	n->rows[n->count++].scope = scope;
}

/* All that rows of a table name in a field, each under the id that is derived from it: no other row speaks of it.  all: an
 * erasure is not taken back. */
static int load(struct replica *r, const struct table *t, const struct field *f, const char *what,
                bool all, struct named_rows *n)
{
	uint8_t after[16];
	size_t got = PAGE;
	int rc = 0;

	n->count = 0;
	for (bool first = true; got == PAGE && !rc; first = false) {
		struct row_view *rows;
		struct arena a;

		arena_init(&a, 0);
		rc = store_rows_view(r->st, t, NULL, 0, /* scope= */ 0, all, first ? NULL : after,
		                     PAGE, &a, &rows, &got);
		for (size_t i = 0; i < got && !rc; i++) {
			struct value v = rows[i].values[f - t->fields];
			uint8_t id[16];

			memcpy(after, rows[i].id, 16);
			if (v.type != VALUE_BYTES || v.s.len != 16) continue;
			derived(what, v.s.p, id);
			if (!memcmp(id, rows[i].id, 16)) put(n, v.s.p, rows[i].scope);
		}
		arena_done(&a);
	}
	if (n->count) qsort(n->rows, n->count, sizeof(*n->rows), compare_ids);
	n->known = !rc;
	return rc ? engine_fail(r, rc) : 0;
}

static int find(struct replica *r, uint16_t number, const char *field, const char *what, bool all,
                struct named_rows *n, const uint8_t id[16], const struct named_row_of **ret)
{
	const struct table *t = schema_table(store_schema(r->st), number);
	const struct field *f = t ? table_field_named(t, field) : NULL;

	*ret = NULL;
	if (!f) return 0;
	int rc = n->known ? 0 : load(r, t, f, what, all, n);
	if (!rc && n->count) *ret = bsearch(id, n->rows, n->count, sizeof(*n->rows), compare_ids);
	return rc;
}

int replica_frozen(struct replica *r, const uint8_t person[16], bool *ret)
{
	const struct named_row_of *found;
	int rc = find(r, TABLE_WITHDRAWAL, "person", "withdrawal", /* all= */ false, &r->frozen,
	              person, &found);

	*ret = found != NULL;
	return rc;
}

int replica_erased(struct replica *r, const uint8_t row[16], uint32_t scope, bool *ret)
{
	const struct named_row_of *found;
	int rc = find(r, TABLE_ERASURE, "target", "erasure", /* all= */ true, &r->erased, row,
	              &found);

	*ret = found && (!scope || found->scope == scope);
	return rc;
}

static int may_name(struct replica *r, const uint8_t person[16], unsigned level, int *ret_code)
{
	bool frozen = false, erased;
	int rc = replica_erased(r, person, 0, &erased);

	/* A level that holds persons to correct them may do so. */
	if (!rc && level > LEVEL_COUNTY) rc = replica_frozen(r, person, &frozen);
	*ret_code = rc ? 0 : erased ? ERR_ERASED : frozen ? ERR_FROZEN : 0;
	return rc;
}

/* That there is a correction of a closed kind stays in the county: its id can be guessed from its cell. */
static int names_closed(struct replica *r, const struct table *t, const struct op *op,
                        unsigned lane, int *ret_code, uint8_t *ret_field)
{
	const struct field *f = table_field_named(t, "correction");
	int rc = 0;

	for (size_t i = 0; i < op->values_count && !rc && !*ret_code; i++) {
		struct value v = op->values[i].value;
		struct row *row = NULL;
		uint8_t id[1][16];
		bool known = false;
		struct arena a;

		if (table_slot(t, lane, op->values[i].slot) != f || v.type != VALUE_BYTES ||
		    v.s.len != 16)
			continue;
		memcpy(id[0], v.s.p, 16);
		arena_init(&a, 0);
		rc = store_rows_get(r->st, TABLE_CORRECTION, LANE_OPEN, (const uint8_t(*)[16])id, 1,
		                    &a, &row);
		rc = rc || row ? rc : store_row_known(r->st, TABLE_CORRECTION, id[0], &known);
		if (!rc && !row && known) {
			*ret_code = ERR_CLOSED_NAMED;
			*ret_field = f->number;
		}
		arena_done(&a);
	}
	return rc;
}

int replica_may_say(struct replica *r, const struct op *op, unsigned lane, unsigned level,
                    int *ret_code, uint8_t *ret_field)
{
	const struct table *t = schema_table(store_schema(r->st), op->table);
	bool erased;
	int rc;

	*ret_code = 0;
	*ret_field = 0;
	if (!t || op->table == TABLE_WITHDRAWAL || op->table == TABLE_ERASURE) return 0;
	rc = replica_erased(r, op->row, 0, &erased);
	if (!rc && erased)
		*ret_code = ERR_ERASED;
	else if (!rc && op->table == TABLE_VOLUNTEER)
		rc = may_name(r, op->row, level, ret_code);
	else if (!rc && op->table == TABLE_OBJECTION && lane == LANE_OPEN)
		rc = names_closed(r, t, op, lane, ret_code, ret_field);
	for (size_t i = 0; i < op->values_count && !rc && !*ret_code; i++) {
		const struct field *f = table_slot(t, lane, op->values[i].slot);
		struct value v = op->values[i].value;

		if (!f || f->type != FIELD_REF || f->ref_table != TABLE_VOLUNTEER ||
		    v.type != VALUE_BYTES || v.s.len != 16)
			continue;
		*ret_field = f->number;
		rc = may_name(r, v.s.p, level, ret_code);
	}
	return rc;
}

uint64_t erasable_slots(const struct table *t, unsigned lane)
{
	uint64_t slots = ~UINT64_C(1);

	if (lane != LANE_COUNTY ||
	    (t && (t->kind == TABLE_SYSTEM || t->number == TABLE_WITHDRAWAL)))
		return 0;
	for (size_t i = 0; t && i < t->fields_count; i++) {
		const struct field *f = &t->fields[i];

		if (field_lane(f) == lane && (f->figure || f->type == FIELD_REF))
			slots &= ~(UINT64_C(1) << field_slot(f));
	}
	return slots;
}

void privacy_changed(struct replica *r, uint16_t table)
{
	if (table == TABLE_WITHDRAWAL) r->frozen.known = false;
	if (table == TABLE_ERASURE) r->erased.known = false;
}

void privacy_forget(struct replica *r)
{
	r->frozen.known = r->erased.known = false;
	r->erasing = NULL;
}

void privacy_done(struct replica *r)
{
	free(r->frozen.rows);
	free(r->erased.rows);
}
