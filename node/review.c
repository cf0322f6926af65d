/*
 * review.c - see review.h.
 */
#include "common/base.h"

#include "node/review.h"

#include "node/account.h"
#include "proto/person.h"

static struct value value_of(const struct table *t, const struct row_view *v, const char *name)
{
	const struct field *f = table_field_named(t, name);

	assert(f);
	return v->values[f - t->fields];
}

/* The newest certificate of this person; *ret_roles 0: none. */
static int certified(struct replica *r, const uint8_t person[8], uint8_t ret_key[32],
                     unsigned *ret_roles)
{
	struct store *st = replica_store(r);
	const struct table *t = schema_table(store_schema(st), TABLE_PERSON_CERT);
	struct row_view *rows;
	struct arena a;
	size_t n;
	int rc;

	*ret_roles = 0;
	if (!t) return 0;
	struct row_where where = {table_field_named(t, "person"), value_bytes(person, 8)};
	arena_init(&a, 0);
	rc = store_rows_view(st, t, &where, 1, 0, /* all= */ false, NULL, 100, &a, &rows, &n);
	for (size_t i = n; !rc && i-- > 0 && !*ret_roles;) {
		struct value key = value_of(t, &rows[i], "key"),
		             roles = value_of(t, &rows[i], "roles");
		uint8_t is[8];

		if (key.type != VALUE_BYTES || key.s.len != 32 || roles.type != VALUE_TEXT)
			continue;
		person_of(key.s.p, is);
		if (memcmp(is, person, 8) != 0) continue;
		memcpy(ret_key, key.s.p, 32);
		*ret_roles = roles_of(roles.s);
	}
	arena_done(&a);
	return rc;
}

/* Did this person enter the record?  As far as it is known here. */
static int entered_by(struct replica *r, const uint8_t person[8], const uint8_t of[16], bool *ret)
{
	struct history_item *items;
	struct arena a;
	size_t n;
	int rc;

	*ret = false;
	arena_init(&a, 0);
	rc = replica_history(r, of, &a, &items, &n);
	for (size_t i = 0; !rc && i < n; i++)
		*ret |= items[i].op->kind == OP_INSERT && !memcmp(items[i].author, person, 8);
	arena_done(&a);
	return rc;
}

static int may(struct replica *r, const uint8_t person[8], const uint8_t of[16],
               uint8_t ret_key[32], int *ret_code)
{
	unsigned roles = 0;
	bool own = false;
	int rc = certified(r, person, ret_key, &roles);

	*ret_code = rc || (roles & ROLES_REVIEW) ? 0 : ERR_UNCERTIFIED;
	if (rc || *ret_code) return rc;
	rc = entered_by(r, person, of, &own);
	if (!rc && own) *ret_code = ERR_SELF_REVIEW;
	return rc;
}

int review_may(struct replica *r, const uint8_t person[8], const uint8_t of[16], int *ret_code)
{
	uint8_t key[32];

	return may(r, person, of, key, ret_code);
}

int review_judge(struct replica *r, const struct judged *j, int *ret_code)
{
	const struct table *t = schema_table(store_schema(replica_store(r)), TABLE_REVIEW_STEP);
	const struct field *of = t ? table_field_named(t, "of") : NULL;
	const uint8_t *row = NULL;
	uint8_t key[32];
	int rc;

	for (size_t i = 0; of && i < j->op->values_count; i++)
		if (j->op->values[i].slot == field_slot(of) &&
		    j->op->values[i].value.type == VALUE_BYTES &&
		    j->op->values[i].value.s.len == 16)
			row = j->op->values[i].value.s.p;
	*ret_code = row ? 0 : ERR_REQUIRED;
	if (!row) return 0;
	if (!j->changeset || j->changeset->person_sign.len == 0) {
		*ret_code = ERR_UNSIGNED;
		return 0;
	}
	rc = may(r, j->changeset->author, row, key, ret_code);
	if (rc || *ret_code) return rc;
	if (!person_check(j->changeset, j->scope, j->lane, key)) *ret_code = ERR_UNSIGNED;
	return 0;
}
