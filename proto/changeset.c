/*
 * changeset.c - the row form of a changeset, the rules that every changeset obeys, and equality.
 *
 * Row form, msgpack, canonical (reader.h refuses longer forms of the same number):
 *
 *   changeset = [seq, run, part, parts, flags, author, sign, schema_version, codes_version,
 *                [op ...]]
 *   author    = bin 8, nil when all zeros          sign = bin 64, nil when there is none
 *   op        = [kind, table, bin 16 row, stamp, slots, [value ...], [old_slots, old ...],
 *                [run, stamp, slots, ...]]         kinds INSERT, UPDATE, PROPOSAL
 *             | [kind, table, bin 16 row, stamp, slots, bin opaque]   all others
 *
 * One value for each bit of `slots`, lowest first; the olds begin with the mask of their slots,
 * and the array is empty when there are none; three numbers for each clock group.
 */
#include "common/base.h"

#include "proto/changeset.h"

#include "common/crypt.h"
#include "common/ident.h"
#include "common/pack.h"
#include "common/reader.h"
#include "proto/form.h"

static unsigned bits(uint64_t v)
{
	return (unsigned)__builtin_popcountll(v);
}

bool op_row_implied(const struct op *op, uint64_t run)
{
	return op->kind == OP_INSERT && id_is_created(op->row) && id_stamp(op->row) == op->stamp &&
	       id_run(op->row) == run;
}

/* The fields' slots as a mask; false unless they count up and their values are in bounds. */
static bool fields_mask(const struct field_value *v, size_t count, uint64_t *ret)
{
	uint64_t mask = 0;

	if (count > SLOTS_MAX) return false;
	for (size_t i = 0; i < count; i++) {
		const struct value *x = &v[i].value;

		if (v[i].slot >= SLOTS_MAX || (i && v[i].slot <= v[i - 1].slot)) return false;
		if (x->type > VALUE_BYTES || x->s.len > VALUE_BYTES_MAX) return false;
		if (x->type == VALUE_TEXT && !utf8_valid(x->s)) return false;
		mask |= UINT64_C(1) << v[i].slot;
	}
	*ret = mask;
	return true;
}

static int check_insert(const struct op *op, struct error *err)
{
	if (op->olds_count) return error_set(err, ERR_PROTOCOL, NULL, "an insert with old values");
	for (size_t i = 0; i < op->values_count && id_is_created(op->row); i++)
		if (op->values[i].value.type == VALUE_NULL)
			return error_set(err, ERR_PROTOCOL, NULL, "an insert that writes null");
	if (id_is_created(op->row)) {
		if (op->slots & 1)
			return error_set(err, ERR_PROTOCOL, NULL, "an insert that says alive");
		if (op->groups_count)
			return error_set(err, ERR_PROTOCOL, NULL,
			                 "an insert of a new id with a clock");
	} else if (op->slots & 1) {
		const struct value *v = &op->values[0].value;

		if (v->type == VALUE_INT && v->i == 1)
			return error_set(err, ERR_PROTOCOL, NULL, "an insert that says alive");
	}
	return 0;
}

static int check_groups(const struct op *op, struct error *err)
{
	const struct clock_group *g = op->groups;

	if (op->groups_count > CLOCK_GROUPS_MAX)
		return error_set(err, ERR_LIMIT, NULL, "more than %d clock groups",
		                 (int)CLOCK_GROUPS_MAX);
	for (size_t i = 0; i < op->groups_count; i++) {
		if (g[i].run > RUN_MASK || g[i].stamp > STAMP_MAX)
			return error_set(err, ERR_PROTOCOL, NULL, "a clock group out of range");
		if (!g[i].slots || (g[i].slots & ~(op->slots | 1)))
			return error_set(err, ERR_PROTOCOL, NULL,
			                 "a clock group of fields that are not written");
		if (i && (g[i].run < g[i - 1].run ||
		          (g[i].run == g[i - 1].run && g[i].stamp <= g[i - 1].stamp)))
			return error_set(err, ERR_PROTOCOL, NULL, "clock groups not in order");
	}
	return 0;
}

int op_check_form(const struct op *op, struct error *err)
{
	uint64_t mask, olds;

	if (!op->kind || !op->table)
		return error_set(err, ERR_PROTOCOL, NULL, "operation of kind or table 0");
	if (op->stamp > STAMP_MAX)
		return error_set(err, ERR_PROTOCOL, NULL, "a stamp out of range");
	if (!op_has_fields(op->kind)) {
		if (op->values_count || op->olds_count || op->groups_count)
			return error_set(err, ERR_PROTOCOL, NULL,
			                 "fields in an operation of kind %d", op->kind);
		return 0;
	}
	if (op->opaque.len)
		return error_set(err, ERR_PROTOCOL, NULL, "opaque bytes in an operation of kind %d",
		                 op->kind);
	if (!fields_mask(op->values, op->values_count, &mask) || mask != op->slots)
		return error_set(err, ERR_PROTOCOL, NULL,
		                 "the values are not those of the written fields");
	if (!fields_mask(op->olds, op->olds_count, &olds) || (olds & ~op->slots))
		return error_set(err, ERR_PROTOCOL, NULL,
		                 "old values of fields that are not written");
	if (op->kind == OP_INSERT) {
		int rc = check_insert(op, err);

		if (rc) return rc;
	}
	return check_groups(op, err);
}

int changeset_check_form(const struct changeset *c, struct error *err)
{
	if (c->run > RUN_MASK) return error_set(err, ERR_PROTOCOL, NULL, "a run out of range");
	if (!c->part || c->part > c->parts)
		return error_set(err, ERR_PROTOCOL, NULL, "part %u of %u", c->part, c->parts);
	if (c->parts > CHANGESET_PARTS_MAX || (c->parts > 1 && !c->ops_count))
		return error_set(err, ERR_LIMIT, NULL, "a part of %u with %zu operations", c->parts,
		                 c->ops_count);
	if (c->person_sign.len && c->person_sign.len != 64)
		return error_set(err, ERR_PROTOCOL, NULL, "a person's signature of %zu bytes",
		                 c->person_sign.len);
	if (c->ops_count > CHANGESET_OPS_MAX)
		return error_set(err, ERR_LIMIT, NULL, "%zu operations in a changeset",
		                 c->ops_count);
	for (size_t i = 0; i < c->ops_count; i++) {
		int rc = op_check_form(&c->ops[i], err);

		if (rc) return rc;
	}
	return 0;
}

static void pack_op(const struct op *op, struct buf *out)
{
	uint64_t olds = 0;

	pack_array(out, op_has_fields(op->kind) ? 8 : 6);
	pack_uint(out, op->kind);
	pack_uint(out, op->table);
	pack_bytes(out, op->row, sizeof(op->row));
	pack_uint(out, op->stamp);
	pack_uint(out, op->slots);
	if (!op_has_fields(op->kind)) {
		pack_bytes(out, op->opaque.p, op->opaque.len);
		return;
	}
	pack_array(out, op->values_count);
	for (size_t i = 0; i < op->values_count; i++) value_pack(out, op->values[i].value);
	for (size_t i = 0; i < op->olds_count; i++) olds |= UINT64_C(1) << op->olds[i].slot;
	pack_array(out, op->olds_count ? 1 + op->olds_count : 0);
	if (op->olds_count) pack_uint(out, olds);
	for (size_t i = 0; i < op->olds_count; i++) value_pack(out, op->olds[i].value);
	pack_array(out, 3 * op->groups_count);
	for (size_t i = 0; i < op->groups_count; i++) {
		pack_uint(out, op->groups[i].run);
		pack_uint(out, op->groups[i].stamp);
		pack_uint(out, op->groups[i].slots);
	}
}

void changeset_pack(const struct changeset *c, struct buf *out)
{
	static const uint8_t nobody[8];
	struct error err = {0};

	/* The engine made it: whatever breaks the rules here is our own fault. */
	assert(changeset_check_form(c, &err) == 0);
	pack_array(out, 10);
	pack_uint(out, c->seq);
	pack_uint(out, c->run);
	pack_uint(out, c->part);
	pack_uint(out, c->parts);
	pack_uint(out, c->flags);
	if (memcmp(c->author, nobody, sizeof(nobody)) == 0)
		pack_nil(out);
	else
		pack_bytes(out, c->author, sizeof(c->author));
	if (c->person_sign.len)
		pack_bytes(out, c->person_sign.p, c->person_sign.len);
	else
		pack_nil(out);
	pack_uint(out, c->schema_version);
	pack_uint(out, c->codes_version);
	pack_array(out, c->ops_count);
	for (size_t i = 0; i < c->ops_count; i++) pack_op(&c->ops[i], out);
}

/* Memory for what a row form states; NULL (and the reader bad) when the arena's bound is met. */
static void *take(struct reader *r, struct arena *a, size_t size, size_t count)
{
	void *p = r->bad || !count ? NULL : arena_take(a, size * count);

	if (!p && count) r->bad = true;
	return p;
}

static struct field_value *read_fields(struct reader *r, struct arena *a, uint64_t slots,
                                       size_t count)
{
	struct field_value *v = take(r, a, sizeof(*v), count);

	if (!v) return NULL;
	for (size_t i = 0; i < count; i++) {
		v[i].slot = (uint8_t)__builtin_ctzll(slots);
		slots &= slots - 1;
		v[i].value = value_read(r);
	}
	return v;
}

static void read_op(struct reader *r, struct arena *a, struct op *op)
{
	uint64_t olds;
	uint32_t count = reader_array(r), n;

	op->kind = (uint8_t)reader_uint(r, UINT8_MAX);
	if (count != (op_has_fields(op->kind) ? 8u : 6u)) r->bad = true;
	op->table = (uint16_t)reader_uint(r, UINT16_MAX);
	reader_fixed(r, op->row, sizeof(op->row));
	op->stamp = reader_uint(r, STAMP_MAX);
	op->slots = reader_uint(r, UINT64_MAX);
	if (!op_has_fields(op->kind)) {
		op->opaque = reader_bytes(r, BODY_BYTES_MAX);
		return;
	}
	reader_expect_array(r, bits(op->slots));
	op->values_count = bits(op->slots);
	op->values = read_fields(r, a, op->slots, op->values_count);
	n = reader_array(r);
	if (n) {
		olds = reader_uint(r, UINT64_MAX);
		if (n != 1 + bits(olds) || n == 1) r->bad = true;
		op->olds_count = r->bad ? 0 : n - 1;
		op->olds = read_fields(r, a, olds, op->olds_count);
	}
	n = reader_array(r);
	if (n % 3 || n / 3 > CLOCK_GROUPS_MAX) r->bad = true;
	op->groups_count = r->bad ? 0 : n / 3;
	op->groups = take(r, a, sizeof(*op->groups), op->groups_count);
	for (size_t i = 0; !r->bad && i < op->groups_count; i++) {
		op->groups[i].run = reader_uint(r, RUN_MASK);
		op->groups[i].stamp = reader_uint(r, STAMP_MAX);
		op->groups[i].slots = reader_uint(r, UINT64_MAX);
	}
}

void op_rank(const struct op *op, uint8_t ret[16])
{
	struct op one = *op;
	struct changeset c = {.part = 1, .parts = 1, .ops = &one, .ops_count = 1};
	struct buf b;

	buf_init(&b, 8 * 1024 * 1024);
	changeset_pack(&c, &b);
	assert(!b.full);
	hash_of(buf_span(&b), ret, 16);
	buf_done(&b);
}

int changeset_read(struct span in, struct arena *a, struct changeset *ret, struct error *err)
{
	static const uint8_t nobody[8];
	struct changeset c = {0};
	struct reader r;
	uint32_t ops;
	int rc;

	if (in.len > BODY_BYTES_MAX)
		return error_set(err, ERR_LIMIT, NULL, "a changeset of %zu bytes", in.len);
	in = arena_span(a, in);
	if (a->full) return error_set(err, ERR_LIMIT, NULL, "a changeset takes too much memory");
	reader_init(&r, in);
	reader_expect_array(&r, 10);
	c.seq = reader_uint(&r, UINT64_MAX);
	c.run = reader_uint(&r, RUN_MASK);
	c.part = (uint16_t)reader_uint(&r, UINT16_MAX);
	c.parts = (uint16_t)reader_uint(&r, UINT16_MAX);
	c.flags = (uint8_t)reader_uint(&r, UINT8_MAX);
	if (!reader_nil(&r)) {
		reader_fixed(&r, c.author, sizeof(c.author));
		if (memcmp(c.author, nobody, sizeof(nobody)) == 0) r.bad = true;
	}
	if (!reader_nil(&r)) {
		c.person_sign = reader_bytes(&r, 64);
		if (c.person_sign.len != 64) r.bad = true;
	}
	c.schema_version = (uint32_t)reader_uint(&r, UINT32_MAX);
	c.codes_version = (uint32_t)reader_uint(&r, UINT32_MAX);
	ops = reader_array(&r);
	if (ops > CHANGESET_OPS_MAX)
		return error_set(err, ERR_LIMIT, NULL, "%u operations in a changeset", ops);
	/* An operation is 24 bytes at least: no memory is taken for what cannot be there. */
	if (r.bad || (size_t)ops * 24 > in.len)
		return error_set(err, ERR_PROTOCOL, NULL, "malformed changeset");
	c.ops_count = ops;
	c.ops = take(&r, a, sizeof(*c.ops), ops);
	for (size_t i = 0; !r.bad && i < ops; i++) read_op(&r, a, &c.ops[i]);
	if (a->full) return error_set(err, ERR_LIMIT, NULL, "a changeset takes too much memory");
	if (!reader_done(&r)) return error_set(err, ERR_PROTOCOL, NULL, "malformed changeset");
	rc = changeset_check_form(&c, err);
	if (rc) return rc;
	*ret = c;
	return 0;
}

static bool fields_equal(const struct field_value *x, size_t nx, const struct field_value *y,
                         size_t ny)
{
	if (nx != ny) return false;
	for (size_t i = 0; i < nx; i++)
		if (x[i].slot != y[i].slot || !value_equal(x[i].value, y[i].value)) return false;
	return true;
}

static bool op_equal(const struct op *x, const struct op *y)
{
	if (x->kind != y->kind || x->table != y->table || memcmp(x->row, y->row, 16) != 0 ||
	    x->stamp != y->stamp || x->slots != y->slots || x->groups_count != y->groups_count ||
	    !span_equal(x->opaque, y->opaque))
		return false;
	for (size_t i = 0; i < x->groups_count; i++)
		if (x->groups[i].run != y->groups[i].run ||
		    x->groups[i].stamp != y->groups[i].stamp ||
		    x->groups[i].slots != y->groups[i].slots)
			return false;
	return fields_equal(x->values, x->values_count, y->values, y->values_count) &&
	       fields_equal(x->olds, x->olds_count, y->olds, y->olds_count);
}

bool changeset_equal(const struct changeset *x, const struct changeset *y)
{
	if (x->seq != y->seq || x->run != y->run || x->part != y->part || x->parts != y->parts ||
	    x->flags != y->flags || memcmp(x->author, y->author, sizeof(x->author)) != 0 ||
	    !span_equal(x->person_sign, y->person_sign) || x->schema_version != y->schema_version ||
	    x->codes_version != y->codes_version || x->ops_count != y->ops_count)
		return false;
	for (size_t i = 0; i < x->ops_count; i++)
		if (!op_equal(&x->ops[i], &y->ops[i])) return false;
	return true;
}
