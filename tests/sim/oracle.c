/*
 * oracle.c - values that stand, by causal coverage; see oracle.h for why it is written this way.
 */
#include "common/base.h"

#include "tests/sim/oracle.h"

#include "common/ident.h"

static int compare_u64(uint64_t x, uint64_t y)
{
	return x < y ? -1 : x > y;
}

static int compare_row(const uint8_t x[16], unsigned x_lane, const uint8_t y[16], unsigned y_lane)
{
	int c = memcmp(x, y, 16);

	return c != 0 ? c : compare_u64(x_lane, y_lane);
}

static int compare_op(const void *a, const void *b)
{
	const struct oracle_op *x = a, *y = b;
	int c = compare_row(x->op->row, x->lane, y->op->row, y->lane);

	if (c == 0) c = compare_u64(x->op->table, y->op->table);
	if (c == 0) c = compare_u64(x->op->stamp, y->op->stamp);
	if (c == 0) c = compare_u64(x->run, y->run);
	return c;
}

bool op_same(const struct op *x, const struct op *y)
{
	if (x->kind != y->kind || x->table != y->table || memcmp(x->row, y->row, 16) != 0)
		return false;
	if (x->stamp != y->stamp || x->slots != y->slots || x->values_count != y->values_count)
		return false;
	if (x->groups_count != y->groups_count || !span_equal(x->opaque, y->opaque)) return false;
	for (size_t i = 0; i < x->values_count; i++)
		if (x->values[i].slot != y->values[i].slot ||
		    !value_equal(x->values[i].value, y->values[i].value))
			return false;
	for (size_t i = 0; i < x->groups_count; i++)
		if (x->groups[i].run != y->groups[i].run ||
		    x->groups[i].stamp != y->groups[i].stamp ||
		    x->groups[i].slots != y->groups[i].slots)
			return false;
	return true;
}

void oracle_done(struct oracle *o)
{
	free(o->ops);
	free(o->rows);
	*o = (struct oracle){0};
}

void oracle_add(struct oracle *o, const uint8_t scope[16], unsigned lane, uint64_t run,
                const struct op *op)
{
	struct oracle_op *e;

	if (op->kind != OP_INSERT && op->kind != OP_UPDATE)
		return; /* others are carried, not merged */
	if (o->ops_count == o->ops_room) {
		o->ops_room = o->ops_room ? o->ops_room * 2 : 64;
		o->ops = mem_grow(o->ops, o->ops_room * sizeof(*o->ops));
	}
	e = &o->ops[o->ops_count++];
	*e = (struct oracle_op){.op = op, .run = run, .lane = lane};
	memcpy(e->scope, scope, 16);
	o->settled = false;
}

static void add_row(struct oracle *o, size_t first, size_t count)
{
	const struct oracle_op *e = &o->ops[first];
	struct oracle_row *row;

	if (o->rows_count == o->rows_room) {
		o->rows_room = o->rows_room ? o->rows_room * 2 : 64;
		o->rows = mem_grow(o->rows, o->rows_room * sizeof(*o->rows));
	}
	row = &o->rows[o->rows_count++];
	*row = (struct oracle_row){
	        .lane = e->lane, .table = e->op->table, .first = first, .count = count};
	memcpy(row->id, e->op->row, 16);
	memcpy(row->scope, e->scope, 16);
	for (size_t i = first + count; i-- > first;)
		if (o->ops[i].op->kind == OP_INSERT) {
			row->exists = true;
			row->table = o->ops[i].op->table;
			memcpy(row->scope, o->ops[i].scope, 16);
		}
}

void oracle_settle(struct oracle *o)
{
	size_t kept = 0, first = 0;

	if (o->ops_count > 0) qsort(o->ops, o->ops_count, sizeof(*o->ops), compare_op);
	for (size_t i = 0; i < o->ops_count; i++) {
		if (kept > 0 && compare_op(&o->ops[kept - 1], &o->ops[i]) == 0) {
			o->clash |= !op_same(o->ops[kept - 1].op, o->ops[i].op);
			continue;
		}
		o->ops[kept++] = o->ops[i];
	}
	o->ops_count = kept;
	o->rows_count = 0;
	for (size_t i = 1; i <= kept; i++) {
		const struct oracle_op *x = &o->ops[first];

		if (i < kept && x->op->table == o->ops[i].op->table &&
		    compare_row(x->op->row, x->lane, o->ops[i].op->row, o->ops[i].lane) == 0)
			continue;
		add_row(o, first, i - first);
		first = i;
	}
	o->settled = true;
}

const struct oracle_row *oracle_find(const struct oracle *o, const uint8_t row[16], unsigned lane)
{
	size_t lo = 0, hi = o->rows_count;

	assert(o->settled);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = compare_row(row, lane, o->rows[mid].id, o->rows[mid].lane);

		if (c == 0) return &o->rows[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const struct oracle_row *oracle_find_in(const struct oracle *o, uint16_t table,
                                        const uint8_t row[16], unsigned lane)
{
	const struct oracle_row *r = oracle_find(o, row, lane), *end = o->rows + o->rows_count;

	while (r != NULL && r > o->rows && compare_row(r[-1].id, r[-1].lane, row, lane) == 0) r--;
	for (; r != NULL && r < end && compare_row(r->id, r->lane, row, lane) == 0; r++)
		if (r->table == table) return r;
	return NULL;
}

static bool writes(const struct oracle_op *x, unsigned slot)
{
	uint64_t slots = x->op->slots | (x->op->kind == OP_INSERT ? 1 : 0);

	return (slots >> slot & 1) != 0;
}

/* Is x the creation that the row's own id names? */
static bool creates(const struct oracle_op *x)
{
	return x->op->kind == OP_INSERT && id_is_created(x->op->row) &&
	       id_run(x->op->row) == x->run && id_stamp(x->op->row) == x->op->stamp;
}

/* Had the author of y taken x into account, as far as this slot goes? */
static bool covers(const struct oracle_op *y, const struct oracle_op *x, unsigned slot)
{
	if (y == x || !writes(y, slot)) return false;
	/* A creation is in every clock and covers nothing, whatever stamps an attacker makes up afterwards. */
	if (creates(y)) return false;
	if (creates(x) && y->op->kind == OP_UPDATE) return true;
	if (y->run == x->run) return y->op->stamp > x->op->stamp;
	for (size_t i = 0; i < y->op->groups_count; i++) {
		const struct clock_group *g = &y->op->groups[i];

		if (g->run == x->run && g->stamp >= x->op->stamp && (g->slots >> slot & 1) != 0)
			return true;
	}
	return false;
}

static struct value value_in(const struct oracle_op *x, unsigned slot)
{
	for (size_t i = 0; i < x->op->values_count; i++)
		if (x->op->values[i].slot == slot) return x->op->values[i].value;
	return slot == 0 && x->op->kind == OP_INSERT ? value_int(1) : value_null();
}

size_t oracle_standing(const struct oracle *o, const struct oracle_row *row, unsigned slot,
                       struct oracle_value ret[ORACLE_STANDING_MAX])
{
	size_t n = 0;

	/* Operations of a row are sorted by (stamp, run): from the end is from the highest rank. */
	for (size_t i = row->first + row->count; i-- > row->first && n < ORACLE_STANDING_MAX;) {
		const struct oracle_op *x = &o->ops[i];
		bool beaten = !writes(x, slot);

		for (size_t j = row->first; j < row->first + row->count && !beaten; j++)
			beaten = covers(&o->ops[j], x, slot);
		if (!beaten)
			ret[n++] = (struct oracle_value){x->run, x->op->stamp, value_in(x, slot)};
	}
	return n;
}

struct value oracle_shown(const struct oracle *o, const struct oracle_row *row, unsigned slot,
                          bool alive_wins)
{
	struct oracle_value standing[ORACLE_STANDING_MAX];
	size_t n = oracle_standing(o, row, slot, standing);

	if (n == 0) return value_null();
	for (size_t i = 0; alive_wins && slot == 0 && i < n; i++)
		if (standing[i].value.type == VALUE_INT && standing[i].value.i == 1)
			return value_int(1);
	return standing[0].value;
}
