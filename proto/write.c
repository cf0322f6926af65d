/*
 * write.c - one local transaction: checked, merged here, put into the open tail; one changeset for each
 * (scope, lane) that it touches.
 */
#include "common/base.h"

#include "proto/engine.h"
#include "proto/person.h"
#include "proto/privacy.h"

#include "common/ident.h"
#include "common/pack.h"
#include "common/validate.h"

/* One row of the transaction, resolved. */
struct target {
	struct write *w;
	uint32_t scope;
	uint64_t stamp;
	uint64_t slots[LANES]; /* what it writes in each lane */
	struct value v[LANES][SLOTS_MAX];
	bool insert, proposal;
};

struct draft { /* changeset of one (scope, lane) in the making */
	uint32_t scope;
	unsigned lane;
	struct op *ops;
	size_t count;
};

static int refuse(struct replica *r, const struct table *t, const struct field *f, int code,
                  const char *why)
{
	char name[48];
	snprintf(name, sizeof(name), "%s%s%s", t->name, f ? "." : "", f ? f->name : "");
	return error_set(&r->err, code, name, "%s", why);
}

static int own_level(const struct replica *r)
{
	return r->has_cert ? r->cert.level : LEVEL_COMMUNITY;
}

static int field_allowed(struct replica *r, const struct write *w, const struct field *f,
                         bool *ret_owned_elsewhere)
{
	if (f->merge == MERGE_DERIVED)
		return refuse(r, w->table, f, ERR_FIELD_FORM,
		              "this field is computed, not written");
	if (f->merge == MERGE_OWNED && own_level(r) != f->owner_level) {
		if (w->kind == WRITE_INSERT)
			return refuse(r, w->table, f, ERR_OWNED,
			              "this field is written by another level");
		*ret_owned_elsewhere = true;
	}
	if (r->has_cert && !(r->cert.lanes >> field_lane(f) & 1))
		return refuse(r, w->table, f, ERR_CEILING,
		              "this field does not come to rest at this level");
	return 0;
}

/* Lanes in which a new row gets its insert: all that the table has fields in; but an open lane in which nothing is said,
 * and nobody else owns a field, is left out, so that a record of a closed kind is not even counted above. */
static uint64_t insert_lanes(const struct table *t, const struct target *x)
{
	uint64_t lanes = 0;
	for (unsigned lane = 0; lane < LANE_RESERVED; lane++) {
		if (!table_slots(t, lane)) continue;
		bool wanted = lane != LANE_OPEN || x->slots[lane] || !table_slots(t, LANE_COUNTY);
		for (size_t i = 0; i < t->fields_count && !wanted; i++)
			wanted = field_lane(&t->fields[i]) == lane &&
			         t->fields[i].merge == MERGE_OWNED;
		if (wanted) lanes |= UINT64_C(1) << lane;
	}
	return lanes;
}

static int check_fields(struct replica *r, struct write *w, struct target *x)
{
	const struct table *t = w->table;
	size_t owned = 0;
	for (size_t i = 0; i < w->fields_count; i++) {
		const struct field *f = w->fields[i].field;
		bool elsewhere = false;
		int rc = field_allowed(r, w, f, &elsewhere);
		rc = rc ? rc : value_check(t, f, w->fields[i].value, &r->err);
		if (rc) return rc;
		owned += elsewhere;
		x->slots[field_lane(f)] |= UINT64_C(1) << field_slot(f);
		x->v[field_lane(f)][field_slot(f)] = w->fields[i].value;
	}
	if (owned && owned < w->fields_count)
		return refuse(
		        r, t, NULL, ERR_OWNED,
		        "fields of another level are proposed alone, in an edit of their own");
	x->proposal = w->proposal = owned > 0;
	return 0;
}

static int resolve_insert(struct replica *r, struct write *w, struct target *x)
{
	static const uint8_t zero[16];
	const struct table *t = w->table;
	if (t->kind == TABLE_SYSTEM)
		return refuse(r, t, NULL, ERR_NO_PERMISSION,
		              "this table is written by the program itself");
	if (!(t->writer_levels >> own_level(r) & 1))
		return refuse(r, t, NULL, ERR_NO_PERMISSION,
		              "this level does not write this table");
	struct value *whole = ARENA_ARRAY(&r->scratch, struct value, t->fields_count + 1);
	for (size_t i = 0; i < t->fields_count; i++) {
		const struct field *f = &t->fields[i];
		whole[i] = x->v[field_lane(f)][field_slot(f)];
	}
	int rc = row_check(t, whole, r->env->now_ms(r->env->ctx), &r->err);
	if (rc) return rc;
	if (!w->has_id) id_make(x->stamp, r->s.run, w->row);
	const uint8_t *unit = w->scope;
	if (!memcmp(unit, zero, 16))
		unit = t->number == TABLE_ORG_UNIT ? w->row
		                                   : NULL; /* an org unit is its own scope */
	x->scope = r->own_scope;
	x->insert = true;
	return unit ? store_scope_ord(r->st, unit, true, &x->scope) : 0;
}

static bool dead(struct value alive)
{
	return alive.type != VALUE_INT || alive.i != 1;
}

/* What was entered once is not edited: its reversal repeats it and takes it back. */
static int resolve_reversal(struct replica *r, struct write *w, struct target *x,
                            const struct row_view *view)
{
	const struct table *t = w->table;
	const struct field *reverses = table_field_named(t, "reverses");
	struct span parts[] = {{w->row, 16}};
	uint8_t id[16];
	struct row_view *there;
	if (!reverses || view->values[reverses - t->fields].type != VALUE_NULL)
		return refuse(r, t, NULL, ERR_NO_PERMISSION,
		              "a reversal is not reversed; enter the record anew");
	id_derive("reversal", parts, 1, id);
	int rc = store_row_view(r->st, t, id, &r->scratch, &there);
	if (rc) return engine_fail(r, rc);
	if (there) return refuse(r, t, NULL, ERR_NOT_FOUND, "the record is reversed already");
	for (size_t i = 0; i < t->fields_count; i++) {
		const struct field *f = &t->fields[i];
		if (!(view->lanes >> field_lane(f) & 1) || view->values[i].type == VALUE_NULL)
			continue;
		x->slots[field_lane(f)] |= UINT64_C(1) << field_slot(f);
		x->v[field_lane(f)][field_slot(f)] = view->values[i];
	}
	unsigned lane = field_lane(reverses), slot = field_slot(reverses);
	x->slots[lane] |= UINT64_C(1) << slot;
	x->v[lane][slot] = value_bytes(arena_copy(&r->scratch, w->row, 16), 16);
	x->scope = view->scope;
	x->insert = true;
	memcpy(w->row, id, 16);
	return 0;
}

/* The row as it would be; only what the edit itself says is held against it, since what others wrote may have met here. */
static int check_edited(struct replica *r, const struct write *w, const struct row_view *view)
{
	const struct table *t = w->table;
	struct value *after = ARENA_ARRAY(&r->scratch, struct value, t->fields_count + 1);
	memcpy(after, view->values, t->fields_count * sizeof(*after));
	for (size_t i = 0; i < w->fields_count; i++)
		after[w->fields[i].field - t->fields] = w->fields[i].value;
	int rc = row_check(t, after, r->env->now_ms(r->env->ctx), &r->err);
	const char *dot = strchr(r->err.field, '.');
	for (size_t i = 0; rc && dot && i < w->fields_count; i++)
		if (!strcmp(dot + 1, w->fields[i].field->name)) return rc;
	memset(&r->err, 0, sizeof(r->err));
	return 0;
}

static int resolve_update(struct replica *r, struct write *w, struct target *x)
{
	const struct table *t = w->table;
	struct row_view *view;
	int rc = store_row_view(r->st, t, w->row, &r->scratch, &view);
	if (rc) return engine_fail(r, rc);
	if (!view) return refuse(r, t, NULL, ERR_NOT_FOUND, "no such record");
	if (t->kind == TABLE_ONCE && w->kind == WRITE_DELETE)
		return resolve_reversal(r, w, x, view);
	if (t->kind == TABLE_ONCE)
		return refuse(r, t, NULL, ERR_NO_PERMISSION,
		              "these records are entered once; a mistake is reversed, not edited");
	if (t->kind == TABLE_SYSTEM)
		return refuse(r, t, NULL, ERR_NO_PERMISSION,
		              "this table is written by the program itself");
	x->scope = view->scope;
	for (unsigned lane = 0; lane < LANES; lane++) {
		if (!x->slots[lane]) continue;
		if (!(view->lanes >> lane & 1))
			return refuse(r, t, NULL, ERR_NO_PERMISSION,
			              "this record has no part in that lane: it was entered as a "
			              "record of another kind");
		if (view->dead >> lane & 1)
			return refuse(r, t, NULL, ERR_NOT_FOUND,
			              "the record is deleted; restore it first");
	}
	if (w->kind == WRITE_UPDATE) return check_edited(r, w, view);
	bool all_dead = true;
	for (unsigned lane = 0; lane < LANES; lane++)
		if ((view->lanes >> lane & 1) && (r->has_cert ? r->cert.lanes >> lane & 1 : 1)) {
			x->slots[lane] = 1;
			x->v[lane][0] = value_int(w->kind == WRITE_RESTORE);
			all_dead = all_dead && (view->dead >> lane & 1);
		}
	if (w->kind == WRITE_DELETE && all_dead)
		return refuse(r, t, NULL, ERR_NOT_FOUND, "the record is deleted already");
	return 0;
}

/* A tombstone says which edits its author had seen, so that an edit it did not know of is shown. */
static struct value tombstone(struct replica *r, const struct lane_state *l)
{
	struct clock_group *seen;
	size_t n = clock_seen(&l->clock, ~UINT64_C(1), /* own_run= */ 0, &r->scratch, &seen);
	struct buf b;
	buf_init(&b, VALUE_BYTES_MAX);
	pack_array(&b, n);
	for (size_t i = 0; i < n; i++) {
		pack_array(&b, 3);
		pack_uint(&b, seen[i].run);
		pack_uint(&b, seen[i].stamp);
		pack_uint(&b, seen[i].slots);
	}
	struct value v = value_int(0);
	if (n && !b.full) v = value_copy(&r->scratch, value_bytes(b.p, b.len));
	buf_done(&b);
	return v;
}

/* Does an update say anything?  Choosing the shown value of a field in conflict does; where all say the same there is none (two
 * copies of a hub would answer each other's corrections for ever). */
static uint64_t changed_slots(const struct lane_state *l, uint64_t slots, const struct value *v)
{
	uint64_t changed = 0;
	for (unsigned s = 0; s < SLOTS_MAX; s++) {
		if (!(slots >> s & 1)) continue;
		bool contested = false;
		for (size_t i = 0; i < l->candidates_count; i++)
			contested |= l->candidates[i].slot == s &&
			             l->candidates[i].kind != CANDIDATE_SAME;
		bool dead_edit = s == 0 && l->candidates_count;
		if (contested || dead_edit ||
		    (s == 0 ? dead(v[0]) != dead(l->v[0]) : !value_equal(v[s], l->v[s])))
			changed |= UINT64_C(1) << s;
	}
	return changed;
}

static void op_values_fill(struct replica *r, struct op *op, uint64_t slots, const struct value *v,
                           bool insert)
{
	op->values = ARENA_ARRAY(&r->scratch, struct field_value, SLOTS_MAX);
	op->slots = 0;
	for (unsigned s = insert ? 1 : 0; s < SLOTS_MAX; s++) {
		if (!(slots >> s & 1) || (insert && v[s].type == VALUE_NULL)) continue;
		op->values[op->values_count++] = (struct field_value){(uint8_t)s, v[s]};
		op->slots |= UINT64_C(1) << s;
	}
}

static void op_olds_fill(struct replica *r, struct op *op, const struct lane_state *l)
{
	uint64_t inputs = table_figure_slots(l->table, l->lane) & op->slots;
	if (op->kind != OP_UPDATE || !inputs) return;
	op->olds = ARENA_ARRAY(&r->scratch, struct field_value, SLOTS_MAX);
	for (unsigned s = 0; s < SLOTS_MAX; s++)
		if (inputs >> s & 1)
			op->olds[op->olds_count++] = (struct field_value){
			        (uint8_t)s, s == 0 ? value_int(!dead(l->v[0])) : l->v[s]};
}

/* Merges an own operation and notes what it adds to the own figures. */
static int merge_own(struct replica *r, struct lane_state *l, const struct op *op, uint32_t scope)
{
	bool applied;
	int rc = lane_merge(r, l, op, r->s.run, scope, &applied);
	if (!rc && !applied) rc = error_set(&r->err, ERR_INTERNAL, "", "an own change met no row");
	struct figure_cell d[2 * FIGURE_CELLS_MAX];
	size_t n = rc ? 0 : lane_cells(l, d);
	for (size_t i = 0; i < n && !rc; i++)
		rc = store_pending_add(r->st, l->scope, d[i].month, d[i].kind, d[i].amount);
	rc = rc ? rc : lane_save(r, l, op_written(op));
	return rc ? engine_fail(r, rc) : 0;
}

static int make_op(struct replica *r, struct target *x, unsigned lane, struct op *op,
                   bool *ret_said)
{
	struct lane_state *l = ARENA_ARRAY(&r->scratch, struct lane_state, 1);
	struct write *w = x->w;
	*ret_said = false;
	int rc = lane_load(r, w->table->number, lane, w->row, l);
	if (rc) return rc;
	*op = (struct op){.kind = x->insert     ? OP_INSERT
	                          : x->proposal ? OP_PROPOSAL
	                                        : OP_UPDATE,
	                  .table = w->table->number,
	                  .stamp = x->stamp};
	memcpy(op->row, w->row, 16);
	uint64_t slots = x->slots[lane];
	if (x->insert && l->exists)
		return refuse(r, w->table, NULL, ERR_EXISTS,
		              "a record with this id is there already");
	if (!x->insert) {
		slots = changed_slots(l, slots, x->v[lane]);
		if (!slots) return 0;
		if ((slots & 1) && dead(x->v[lane][0])) x->v[lane][0] = tombstone(r, l);
	}
	*ret_said = true;
	op_values_fill(r, op, slots, x->v[lane], x->insert);
	op_olds_fill(r, op, l);
	if (!op_creates(op, r->s.run))
		op->groups_count =
		        clock_seen(&l->clock, op_written(op), r->s.run, &r->scratch, &op->groups);
	if (x->proposal) return 0; /* said, not done: the owner decides */
	return merge_own(r, l, op, x->scope);
}

void replica_sign_as(struct replica *r, const uint8_t *secret)
{
	r->signer = secret;
}

static int sign_person(struct replica *r, struct changeset *c, uint32_t scope, unsigned lane)
{
	static const uint8_t nobody[8];
	uint8_t id[16], *sign;
	int rc;

	if (!r->signer || !memcmp(c->author, nobody, 8)) return 0;
	rc = engine_scope_id(r, scope, id);
	if (rc) return rc;
	sign = arena_take(&r->scratch, SIGN_BYTES);
	person_sign(c, id, lane, r->signer, sign);
	c->person_sign = span_of(sign, SIGN_BYTES);
	return 0;
}

int engine_commit_ops(struct replica *r, struct changeset *c, uint32_t scope, unsigned lane,
                      bool first)
{
	struct buf b;
	c->run = r->s.run;
	c->schema_version = store_schema(r->st)->version;
	c->codes_version = CODES_VERSION;
	if (!c->parts) c->part = c->parts = 1;
	int rc = sign_person(r, c, scope, lane);
	if (rc) return rc;
	buf_init(&b, BODY_BYTES_MAX - 4096);
	changeset_pack(c, &b);
	if (b.full || c->ops_count > CHANGESET_OPS_MAX) {
		rc = error_set(&r->err, ERR_LIMIT, "",
		               "one transaction of %zu operations is too large; enter it in "
		               "smaller pieces",
		               c->ops_count);
	} else {
		struct tail_item item = {.scope = scope,
		                         .run = r->s.run_ord,
		                         .lane = (uint8_t)lane,
		                         .first = first,
		                         .changeset = buf_span(&b)};
		rc = store_tail_add(r->st, &item);
	}
	buf_done(&b);
	return rc ? engine_fail(r, rc) : 0;
}

static bool piece_fits(const struct replica *r, const struct changeset *c)
{
	struct buf b;
	if (c->ops_count > CHANGESET_OPS_MAX) return false;
	buf_init(&b, r->piece_bytes);
	changeset_pack(c, &b);
	bool fits = !b.full;
	buf_done(&b);
	return fits;
}

/* The i-th of n even pieces of a draft. */
static struct changeset piece_of(const struct draft *d, const struct changeset *like, size_t i,
                                 size_t n)
{
	struct changeset c = *like;
	size_t from = d->count * i / n, to = d->count * (i + 1) / n;
	c.ops = d->ops + from;
	c.ops_count = to - from;
	c.part = (uint16_t)(i + 1);
	c.parts = (uint16_t)n;
	return c;
}

/* A transaction larger than a segment goes in parts, which are applied together. */
static int commit_draft(struct replica *r, const struct draft *d, const struct changeset *like,
                        bool first)
{
	struct changeset whole = *like;
	size_t n = 1;
	whole.run = r->s.run;
	whole.schema_version = store_schema(r->st)->version;
	whole.codes_version = CODES_VERSION;
	for (bool fits = false; !fits && n <= CHANGESET_PARTS_MAX; n += !fits) {
		fits = true;
		for (size_t i = 0; i < n && fits; i++) {
			struct changeset c = piece_of(d, &whole, i, n);
			fits = piece_fits(r, &c);
			if (!fits && c.ops_count <= 1)
				return error_set(&r->err, ERR_LIMIT, "", "one record is too large");
		}
	}
	int rc = n > CHANGESET_PARTS_MAX
	                 ? error_set(&r->err, ERR_LIMIT, "", "the transaction is too large")
	                 : 0;
	for (size_t i = 0; i < n && !rc; i++) {
		struct changeset c = piece_of(d, &whole, i, n);
		rc = engine_commit_ops(r, &c, d->scope, d->lane, first && i == 0);
	}
	return rc;
}

static struct draft *draft_of(struct draft *drafts, size_t *count, uint32_t scope, unsigned lane)
{
	for (size_t i = 0; i < *count; i++)
		if (drafts[i].scope == scope && drafts[i].lane == lane) return &drafts[i];
	drafts[*count] = (struct draft){.scope = scope, .lane = lane};
	return &drafts[(*count)++];
}

/* Nothing is written of what was erased, nor, but by a level that corrects, of a person who withdrew consent. */
static int check_private(struct replica *r, const struct write *w, const struct target *x)
{
	struct field_value *values = ARENA_ARRAY(&r->scratch, struct field_value, SLOTS_MAX);
	int rc = 0;
	for (unsigned lane = 0; lane < LANE_RESERVED && !rc; lane++) {
		struct op op = {.table = w->table->number, .values = values};
		uint8_t number;
		int code;
		if (w->kind != WRITE_INSERT) memcpy(op.row, w->row, 16);
		for (unsigned slot = 1; slot < SLOTS_MAX; slot++)
			if (x->slots[lane] >> slot & 1)
				values[op.values_count++] =
				        (struct field_value){(uint8_t)slot, x->v[lane][slot]};
		rc = replica_may_say(r, &op, lane, (unsigned)own_level(r), &code, &number);
		if (!rc && code)
			rc = refuse(
			        r, w->table, number ? table_field(w->table, number) : NULL, code,
			        code == ERR_ERASED         ? "what it said was erased"
			        : code == ERR_CLOSED_NAMED ? "this correction is of a closed kind"
			                                   : "this person withdrew consent");
	}
	return rc;
}

static int resolve(struct replica *r, struct write *w, struct target *x)
{
	x->w = w;
	x->stamp = engine_stamp(r);
	int rc = check_fields(r, w, x);
	rc = rc ? rc : check_private(r, w, x);
	if (!rc && w->kind == WRITE_INSERT)
		rc = resolve_insert(r, w, x);
	else if (!rc)
		rc = resolve_update(r, w, x);
	return rc ? engine_fail(r, rc) : 0;
}

int replica_write(struct replica *r, struct write *writes, size_t count, bool whole,
                  const uint8_t author[8])
{
	struct target *x = ARENA_ARRAY(&r->scratch, struct target, 1);
	struct draft *drafts = ARENA_ARRAY(&r->scratch, struct draft, count * LANES + 1);
	size_t drafts_count = 0;
	int rc = 0;
	for (size_t i = 0; i < count && !rc; i++) {
		memset(x, 0, sizeof(*x));
		rc = resolve(r, &writes[i], x);
		uint64_t lanes = rc ? 0 : x->insert ? insert_lanes(writes[i].table, x) : 7;
		for (unsigned lane = 0; lane < LANE_RESERVED && !rc; lane++) {
			bool said;
			if (!(lanes >> lane & 1) || (!x->insert && !x->slots[lane])) continue;
			if (r->has_cert && !(r->cert.lanes >> lane & 1))
				continue; /* a closed part of a row does not exist at this level */
			struct draft *d = draft_of(drafts, &drafts_count, x->scope, lane);
			if (!d->ops) d->ops = ARENA_ARRAY(&r->scratch, struct op, count - i);
			rc = make_op(r, x, lane, &d->ops[d->count], &said);
			d->count += !rc && said;
		}
	}
	bool first = true;
	for (size_t i = 0; i < drafts_count && !rc; i++) {
		if (!drafts[i].count) continue;
		struct changeset c = {.flags = whole ? CHANGESET_WHOLE : 0};
		if (author) memcpy(c.author, author, sizeof(c.author));
		rc = commit_draft(r, &drafts[i], &c, first);
		first = false;
	}
	return rc;
}

/* A row of the program's own tables (figure, correction): an insert where it is not there, else an update. */
int engine_write_system(struct replica *r, const struct table *t, const uint8_t row[16],
                        uint32_t scope, unsigned lane, const struct field_value *values,
                        size_t count)
{
	struct lane_state *l = ARENA_ARRAY(&r->scratch, struct lane_state, 1);
	struct op *op = ARENA_ARRAY(&r->scratch, struct op, 1);
	struct value *v = ARENA_ARRAY(&r->scratch, struct value, SLOTS_MAX);
	uint64_t slots = 0;
	int rc = lane_load(r, t->number, lane, row, l);
	if (rc) return rc;
	for (size_t i = 0; i < count; i++) {
		v[values[i].slot] = values[i].value;
		slots |= UINT64_C(1) << values[i].slot;
	}
	*op = (struct op){.kind = l->exists ? OP_UPDATE : OP_INSERT,
	                  .table = t->number,
	                  .stamp = engine_stamp(r)};
	memcpy(op->row, row, 16);
	if (l->exists) slots = changed_slots(l, slots, v);
	if (!slots) return 0;
	op_values_fill(r, op, slots, v, !l->exists);
	op_olds_fill(r, op, l);
	op->groups_count =
	        clock_seen(&l->clock, op_written(op), r->s.run, &r->scratch, &op->groups);
	rc = merge_own(r, l, op, scope);
	struct changeset c = {.ops = op, .ops_count = 1};
	return rc ? rc : engine_commit_ops(r, &c, scope, lane, /* first= */ false);
}
