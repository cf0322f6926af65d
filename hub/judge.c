#include "common/base.h"

#include "hub/judge.h"

#include "node/review.h"
#include "proto/privacy.h"

#include "common/ident.h"
#include "common/validate.h"

enum { DEPTH_MAX = 16 /* of the org tree, against loops */, CACHE_USES_MAX = 256 };

static int accept(struct judgement *ret)
{
	*ret = (struct judgement){.accepted = 1};
	return 0;
}

static int refuse(struct judgement *ret, int code, uint8_t field)
{
	*ret = (struct judgement){.accepted = 0, .code = code, .field = field};
	return 0;
}

static int hold(struct judgement *ret, int code, uint8_t field, const uint8_t wait[16])
{
	*ret = (struct judgement){.accepted = 2, .code = code, .field = field};
	memcpy(ret->wait, wait, 16);
	return 0;
}

/* Is `scope` the unit or below it? */
static int is_within(struct store *st, const uint8_t scope[16], const uint8_t unit[16], bool *ret)
{
	uint32_t ord;
	int rc;

	*ret = !memcmp(scope, unit, 16);
	if (*ret) return 0;
	rc = store_scope_ord(st, scope, false, &ord);
	for (unsigned depth = 0; !rc && ord && depth < DEPTH_MAX; depth++) {
		struct scope s;
		rc = store_scope_get(st, ord, &s);
		if (rc) return rc;
		if (!memcmp(s.id, unit, 16)) {
			*ret = true;
			return 0;
		}
		ord = s.parent;
	}
	return rc;
}

static int look_up(struct judging *g, struct store *st, const struct judged *j)
{
	int rc;

	if (g->cached && g->uses++ < CACHE_USES_MAX && !memcmp(g->cert, j->author->id, 16) &&
	    !memcmp(g->scope, j->scope, 16))
		return 0;
	g->cached = false;
	rc = is_within(st, j->scope, j->author->unit, &g->within);
	if (rc) return rc;
	memcpy(g->cert, j->author->id, 16);
	memcpy(g->scope, j->scope, 16);
	g->cached = true;
	g->uses = 0;
	return 0;
}

/* Authority over the scope.  *ret_decided: ret is the answer. */
static int judge_scope(struct judging *g, struct store *st, const struct judged *j,
                       struct judgement *ret, bool *ret_decided)
{
	bool known = false;
	uint32_t ord = 0;
	int rc = look_up(g, st, j);

	*ret_decided = true;
	if (rc) return rc;
	if (!g->within) {
		/* An org unit that is not known here yet may lie below the author's. */
		rc = store_row_known(st, TABLE_ORG_UNIT, j->scope, &known);
		if (rc) return rc;
		return known ? refuse(ret, ERR_NOT_YOURS, 0)
		             : hold(ret, ERR_MISSING_ROW, 0, j->scope);
	}
	/* The row lies where it was created; a change in the name of another scope is no way around that. */
	rc = j->row ? store_scope_ord(st, j->scope, false, &ord) : 0;
	if (!rc && j->row && j->row->scope != ord) return refuse(ret, ERR_NOT_YOURS, 0);
	*ret_decided = false;
	return rc;
}

/* Does any lane of the table come to rest at this hub? */
static bool reaches(struct replica *r, uint16_t number)
{
	const struct table *t = schema_table(store_schema(replica_store(r)), number);
	const struct cert *own = replica_cert(r);

	for (unsigned lane = 0; t && own && lane < LANES; lane++)
		if (table_slots(t, lane) && (own->lanes & (1u << lane))) return true;
	return false;
}

/* A withdrawal of consent or an erasure: of a row of this very scope, as far as that is known here, under the id that speaks of it. */
static int judge_speaks_of(struct replica *r, const struct judged *j, struct judgement *ret,
                           bool *ret_decided)
{
	struct store *st = replica_store(r);
	const struct table *t = schema_table(store_schema(st), j->op->table);
	bool erases = t->number == TABLE_ERASURE;
	const struct field *f = table_field_named(t, erases ? "target" : "person");
	uint32_t ord;
	int rc = store_scope_ord(st, j->scope, false, &ord);

	*ret_decided = true;
	for (size_t i = 0; i < j->op->values_count && !rc; i++) {
		struct value v = j->op->values[i].value;
		uint16_t tables[TABLES_MAX];
		uint8_t id[16], ids[1][16];
		size_t count = 0;

		if (table_slot(t, j->lane, j->op->values[i].slot) != f) continue;
		if (v.type != VALUE_BYTES || v.s.len != 16)
			return refuse(ret, ERR_FIELD_FORM, f->number);
		if (erases)
			erasure_id(v.s.p, id);
		else
			withdrawal_id(v.s.p, id);
		if (memcmp(id, j->op->row, 16) != 0) return refuse(ret, ERR_FIELD_FORM, f->number);
		memcpy(ids[0], v.s.p, 16);
		rc = store_row_tables(st, ids[0], tables, &count);
		for (size_t k = 0; k < count && !rc; k++) {
			struct row *row = NULL;
			struct arena a;
			bool elsewhere;

			arena_init(&a, 0);
			rc = store_rows_get(st, tables[k], LANE_COUNTY, (const uint8_t(*)[16])ids,
			                    1, &a, &row);
			elsewhere = !rc && row && row->scope != ord;
			arena_done(&a);
			if (elsewhere) return refuse(ret, ERR_NOT_YOURS, f->number);
		}
	}
	*ret_decided = false;
	return rc;
}

static int judge_private(struct replica *r, const struct judged *j, struct judgement *ret,
                         bool *ret_decided)
{
	uint8_t field = 0;
	int code = 0;
	int rc = replica_may_say(r, j->op, j->lane, j->author->level, &code, &field);

	*ret_decided = !rc && code;
	return rc || !code ? rc : refuse(ret, code, field);
}

static int judge_value(struct replica *r, const struct judged *j, const struct table *t,
                       const struct field *f, struct value v, struct judgement *ret,
                       bool *ret_decided)
{
	struct error err = {0};
	bool known = false;
	int rc;

	*ret_decided = true;
	if (f->merge == MERGE_OWNED && f->owner_level != j->author->level)
		return refuse(ret, ERR_OWNED, f->number);
	if (v.type != VALUE_NULL && value_check(t, f, v, &err))
		return refuse(ret, err.code, f->number);
	if (f->type == FIELD_REF && v.type == VALUE_BYTES && v.s.len == 16 &&
	    reaches(r, f->ref_table)) {
		rc = store_row_known(replica_store(r), f->ref_table, v.s.p, &known);
		if (rc) return rc;
		if (!known) return hold(ret, ERR_MISSING_REF, f->number, v.s.p);
	}
	*ret_decided = false;
	return 0;
}

/* Insert-only tables: a row may be withdrawn (alive), its contents stay as they are. */
static bool changes_once(const struct table *t, const struct op *op)
{
	return t->kind == TABLE_ONCE && op->kind == OP_UPDATE && (op->slots & ~UINT64_C(1));
}

/* Of the row it looks at nothing but that it is there, and in which scope: it may be unread. */
static int judge_op(void *ctx, struct replica *r, const struct judged *j, struct judgement *ret)
{
	struct judging *g = ctx;
	struct store *st = replica_store(r);
	const struct op *op = j->op;
	const struct table *t = schema_table(store_schema(st), op->table);
	bool decided = false;
	int rc;

	rc = judge_scope(g, st, j, ret, &decided);
	if (rc || decided) return rc;
	if (op->table == TABLE_ORG_UNIT) g->cached = false; /* it may move units */
	if (!t || t->kind == TABLE_SYSTEM ||
	    (op->kind != OP_INSERT && op->kind != OP_UPDATE && op->kind != OP_PROPOSAL))
		return accept(ret);
	if (op->kind == OP_INSERT && !(t->writer_levels & (1u << j->author->level)))
		return refuse(ret, ERR_NO_PERMISSION, 0);
	if (op->kind == OP_INSERT && op->table == TABLE_REVIEW_STEP) {
		int code = 0;
		rc = review_judge(r, j, &code);
		if (rc || code) return rc ? rc : refuse(ret, code, 0);
	}
	if (op->table == TABLE_WITHDRAWAL || op->table == TABLE_ERASURE)
		rc = judge_speaks_of(r, j, ret, &decided);
	rc = rc || decided ? rc : judge_private(r, j, ret, &decided);
	if (rc || decided) return rc;
	if (op->kind == OP_UPDATE && !j->row) return hold(ret, ERR_MISSING_ROW, 0, op->row);
	if (changes_once(t, op)) return refuse(ret, ERR_NO_PERMISSION, 0);
	if (op->kind == OP_PROPOSAL) {
		const uint8_t nothing[16] = {0};
		return hold(ret, ERR_PROPOSAL, 0, nothing);
	}
	for (size_t i = 0; i < op->values_count; i++) {
		const struct field *f = table_slot(t, j->lane, op->values[i].slot);
		if (!f) continue;
		rc = judge_value(r, j, t, f, op->values[i].value, ret, &decided);
		if (rc || decided) return rc;
	}
	return accept(ret);
}

void judge_init(struct judging *j, struct judge *ret)
{
	*j = (struct judging){.cached = false};
	*ret = (struct judge){.ctx = j, .op = judge_op, .unread = true};
}
