/*
 * test_malice.c - an attacker with a valid key and certificate: one scene for each thing that he can do, and what must hold.
 * suite-timeout: 500
 */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/ident.h"
#include "common/squeeze.h"
#include "tests/sim/malice.h"
#include "tests/sim/play.h"
#include "tests/sim/workload.h"
#include "tests/support/slower.h"

enum { F = 1 << 1, G = 1 << 2, TO = 1 << 3 /* slots of thing, open lane */ };
enum { BULK = 10000 / SLOWER };

/* province; county A with sites 0, 1; county B with sites 2, 3; so many devices at each.  The attacker has the first device
 * of site 0, or county A. */
struct scene {
	struct sim *sim;
	struct device *top, *a, *b, *evil;
	struct malice m;
};

static struct scene *scene_new(uint64_t seed, int64_t devices, bool hub)
{
	struct scene *x = mem_alloc(sizeof(*x));

	x->sim = play_new(seed, 3, 2, 2, devices);
	x->top = play_device(x->sim, true, 0);
	x->a = play_device(x->sim, true, 1);
	x->b = play_device(x->sim, true, 2);
	x->evil = hub ? x->a : play_device(x->sim, false, 0);
	x->evil->hostile = true;
	if (!play_settle(x->sim))
		fail_msg("%s: %s", x->sim->world.failed_rule, x->sim->world.failure);
	x->sim->world.now_ms += 1000;
	malice_init(&x->m, x->evil, 7);
	return x;
}

static void scene_free(struct scene *x)
{
	malice_done(&x->m);
	play_free(x->sim);
	free(x);
}

static void settles(struct scene *x)
{
	if (!play_settle(x->sim))
		fail_msg("%s: %s", x->sim->world.failed_rule, x->sim->world.failure);
}

static struct device *node(struct scene *x, size_t n)
{
	return play_device(x->sim, false, n);
}

static const uint8_t *unit_of(const struct device *d)
{
	return d->world->units[d->unit].id;
}

static void insert(struct device *d, int64_t f, uint8_t ret_id[16])
{
	struct play_field fields[] = {{"f", value_int(f)}, {"g", value_text("g")}};

	assert_int_equal(play_insert(d, "thing", fields, 2, ret_id), 0);
}

static int update(struct device *d, const uint8_t id[16], int64_t f)
{
	struct play_field fields[] = {{"f", value_int(f)}};

	return play_update(d, "thing", id, fields, 1);
}

/* What a device shows as f of a thing; -1: no such row. */
static int64_t shown(struct device *d, const uint8_t id[16])
{
	struct arena a;
	struct row_view *row = NULL;
	int64_t f = -1;

	arena_init(&a, 0);
	assert_int_equal(store_row_view(d->keeper, schema_table(device_schema(d), TABLE_THING), id,
	                                &a, &row),
	                 0);
	if (row != NULL && row->values[0].type == VALUE_INT) f = row->values[0].i;
	arena_done(&a);
	return f;
}

/* The author of any row of this table at a device is never another than one of these rows' creators: how many rows lie in a
 * scope. */
static size_t rows_in(struct device *d, uint16_t table, const uint8_t scope[16])
{
	struct arena a;
	struct row_view *rows;
	uint32_t ord = 0;
	size_t n = 0;

	arena_init(&a, 0);
	assert_int_equal(store_scope_ord(d->keeper, scope, false, &ord), 0);
	if (ord != 0)
		assert_int_equal(store_rows_view(d->keeper, schema_table(device_schema(d), table),
		                                 NULL, 0, ord, true, NULL, 100000, &a, &rows, &n),
		                 0);
	arena_done(&a);
	return n;
}

static struct replica_counts counts(struct device *d)
{
	struct replica_counts c;

	assert_int_equal(replica_counts(d->replica, &c), 0);
	return c;
}

static bool journaled(struct device *d, const struct malice_entry *e)
{
	int64_t recv = 0;

	assert_int_equal(store_journal_find(d->keeper, e->hash, &recv), 0);
	return recv != 0;
}

/* How many refused records have this cause. */
static size_t refused(struct device *d, int cause)
{
	struct arena a;
	struct held *h;
	size_t n, count = 0;

	arena_init(&a, 0);
	assert_int_equal(store_refused_list(d->keeper, false, 100000, &a, &h, &n), 0);
	for (size_t i = 0; i < n; i++) count += h[i].cause == cause;
	arena_done(&a);
	return count;
}

static size_t parked(struct device *d, int cause)
{
	struct arena a;
	struct held *h;
	size_t n, count = 0;

	arena_init(&a, 0);
	assert_int_equal(store_parked_list(d->keeper, 0, 100000, &a, &h, &n), 0);
	for (size_t i = 0; i < n; i++) count += h[i].cause == cause;
	arena_done(&a);
	return count;
}

static void an_id(struct scene *x, uint8_t ret[16])
{
	struct malice other;

	malice_init(&other, node(x, 1), random_next(&x->m.rnd) | 1);
	id_make(++x->m.stamp, other.run, ret);
	malice_done(&other);
}

/* One segment of one operation, and what the device says to it. */
static int hand_ops(struct scene *x, struct device *to, const uint8_t scope[16], struct op *ops,
                    size_t count, struct malice_entry *ret)
{
	assert_int_equal(malice_segment(&x->m, scope, LANE_OPEN, ops, count, ret), 0);
	return malice_hand(&x->m, to, ret);
}

/* ---- 1: rows of others */
static void rows_of_others(void **state)
{
	struct scene *x = scene_new(1, 1, false);
	const struct value v[] = {value_int(666), value_text("evil")};
	struct malice_entry e;
	struct op *op = malice_ops(&x->m, 1);
	uint8_t theirs[16], far[16];
	int64_t head;

	(void)state;
	insert(node(x, 1), 5, theirs);
	insert(node(x, 2), 6, far);
	settles(x);
	/* in the scope of another site, known and not: an insert, an update */
	malice_insert(&x->m, op, TABLE_THING, F | G, v);
	assert_int_equal(hand_ops(x, x->a, unit_of(node(x, 1)), op, 1, &e), 0);
	malice_update(&x->m, op, TABLE_THING, theirs, F, v);
	assert_int_equal(hand_ops(x, x->a, unit_of(node(x, 1)), op, 1, &e), 0);
	malice_update(&x->m, op, TABLE_THING, far, F, v);
	assert_int_equal(hand_ops(x, x->a, unit_of(node(x, 2)), op, 1, &e), 0);
	/* in his own scope: a row that lies in another */
	malice_update(&x->m, op, TABLE_THING, theirs, F, v);
	assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), op, 1, &e), 0);
	settles(x);
	assert_int_equal(refused(x->a, ERR_NOT_YOURS), 4);
	assert_int_equal(shown(x->a, theirs), 5);
	assert_int_equal(shown(x->top, theirs), 5);
	assert_int_equal(shown(node(x, 1), theirs), 5);
	assert_int_equal(shown(node(x, 2), far), 6);
	assert_int_equal(rows_in(x->a, TABLE_THING, unit_of(node(x, 1))), 1);
	assert_int_equal(rows_in(node(x, 2), TABLE_THING, unit_of(node(x, 2))), 1);
	/* It came to the other county, whose link held: he was introduced, with who answers for him. */
	assert_true(counts(x->b).waiting + counts(x->b).refused_children > 0 ||
	            refused(x->b, ERR_NOT_YOURS) == 1);
	/* an id of another's run: a hole; another's origin, signed by him: nothing, and the link ends */
	malice_insert(&x->m, op, TABLE_THING, F | G, v);
	an_id(x, op->row);
	op->stamp = id_stamp(op->row);
	head = counts(x->a).journal;
	assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), op, 1, &e), 0);
	assert_int_equal(counts(x->a).journal, head + 1);
	assert_false(journaled(x->a, &e));
	memcpy(x->m.as_origin, node(x, 1)->identity.origin, 16);
	op->stamp = ++x->m.stamp;
	id_make(op->stamp, run_of(x->m.as_origin, x->m.nonce), op->row);
	assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), op, 1, &e), -ERR_SIGNATURE);
	assert_int_equal(counts(x->a).journal, head + 1);
	settles(x);
	scene_free(x);
}

/* One name in two scopes: what is merged already in the one is no reason to accept it in the other. */
static void one_name_in_two_scopes(void **state)
{
	struct scene *x = scene_new(2, 1, false);
	const struct value element[] = {value_text("evil")};
	struct malice_entry e;
	struct op *op = malice_ops(&x->m, 1);

	(void)state;
	*op = (struct op){.kind = OP_INSERT, .table = TABLE_TAG, .stamp = ++x->m.stamp, .slots = 2};
	id_derive("tag", &(struct span){op->row, 16}, 1, op->row);
	op->values = ARENA_ARRAY(&x->m.arena, struct field_value, 1);
	op->values[0] = (struct field_value){.slot = 1, .value = element[0]};
	op->values_count = 1;
	assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), op, 1, &e), 0);
	assert_int_equal(hand_ops(x, x->a, unit_of(node(x, 1)), op, 1, &e), 0);
	settles(x);
	assert_int_equal(rows_in(x->a, TABLE_TAG, unit_of(x->evil)), 1);
	assert_int_equal(rows_in(node(x, 1), TABLE_TAG, unit_of(node(x, 1))), 0);
	assert_int_equal(refused(x->a, ERR_NOT_YOURS), 1);
	scene_free(x);
}

/* ---- 2: stamps */
static void stamps_of_all_times(void **state)
{
	struct scene *x = scene_new(3, 2, false);
	struct device *good = node(x, 1); /* at the same site */
	const struct value v[] = {value_int(666), value_text("evil")};
	uint64_t times[] = {STAMP_MAX, STAMP_MAX - 1, 0, 1, stamp_of_ms(INT64_C(4070908800000)), 1};
	struct malice_entry e;
	struct op *op = malice_ops(&x->m, 1);
	struct clock_group *g = ARENA_ARRAY(&x->m.arena, struct clock_group, 1);
	uint8_t row[16], mine[16];

	(void)state;
	insert(good, 5, row);
	settles(x);
	for (size_t i = 0; i < ARRAY_COUNT(times);
	     i++) { /* up and down within a run, and one twice */
		malice_update(&x->m, op, TABLE_THING, row, F, v);
		op->stamp = times[i];
		assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), op, 1, &e), 0);
		malice_insert(&x->m, op, TABLE_THING, F | G, v);
		op->stamp = times[i];
		id_make(op->stamp, x->m.run, op->row);
		memcpy(mine, op->row, 16);
		assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), op, 1, &e), 0);
	}
	settles(x);
	assert_int_equal(shown(x->a, row), 666);   /* the highest rank among concurrent values */
	assert_int_equal(update(good, row, 7), 0); /* who saw it replaces it, whatever its stamp */
	assert_int_equal(update(good, mine, 8), 0);
	settles(x);
	assert_int_equal(shown(x->a, row), 7);
	assert_int_equal(shown(x->top, row), 7);
	assert_int_equal(shown(x->top, mine), 8);
	/* "I have seen all that this run will ever write": not believed */
	malice_update(&x->m, op, TABLE_THING, row, F, v);
	*g = (struct clock_group){
	        .run = replica_run(good->replica), .stamp = STAMP_MAX, .slots = F};
	op->groups = g;
	op->groups_count = 1;
	malice_new_run(&x->m);
	assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), op, 1, &e), 0);
	settles(x);
	assert_int_equal(refused(x->a, ERR_PROTOCOL), 1);
	assert_int_equal(update(good, row, 9), 0);
	settles(x);
	assert_int_equal(shown(x->a, row), 9);
	assert_int_equal(shown(x->top, row), 9);
	scene_free(x);
}

/* ---- 3: replays */
static void replays(void **state)
{
	struct scene *x = scene_new(4, 1, false);
	const struct value v[] = {value_int(1), value_text("x")};
	struct malice_entry e[8], other;
	struct op *op = malice_ops(&x->m, 8);
	uint8_t row[16];
	int64_t head;

	(void)state;
	insert(node(x, 1), 5, row);
	for (size_t i = 0; i < 8; i++) {
		malice_insert(&x->m, &op[i], TABLE_THING, F | G, v);
		assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), &op[i], 1, &e[i]), 0);
	}
	settles(x);
	head = counts(x->a).journal;
	for (size_t n = 0; n < 20; n++) {
		for (size_t i = 8; i-- > 0;) /* his own, backwards */
			assert_int_equal(malice_hand(&x->m, x->a, &e[i]), 0);
		for (int64_t recv = 1; recv <= head;
		     recv++) { /* everything that the county ever took or said */
			assert_int_equal(malice_entry_at(&x->m, x->a, recv, &other), 0);
			assert_int_equal(malice_hand(&x->m, x->a, &other), 0);
		}
	}
	assert_int_equal(counts(x->a).journal, head);
	assert_int_equal(counts(x->a).alarms, 0);
	settles(x);
	scene_free(x);
}

/* ---- 4: split history */
static void split_history(void **state)
{
	struct scene *x = scene_new(5, 1, false);
	const struct value one[] = {value_int(1), value_text("one")}, two[] = {value_int(2)};
	struct malice_entry e, first, second;
	struct op *op = malice_ops(&x->m, 4);
	struct malice was;
	uint8_t row[16];

	(void)state;
	malice_insert(&x->m, &op[0], TABLE_THING, F | G, one);
	assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), &op[0], 1, &e), 0);
	was = x->m;
	malice_update(&x->m, &op[1], TABLE_THING, op[0].row, F, two);
	assert_int_equal(malice_segment(&x->m, unit_of(x->evil), LANE_OPEN, &op[1], 1, &first), 0);
	x->m.seal = was.seal; /* the same seal, sequence and predecessor, other content */
	x->m.seq = was.seq;
	memcpy(x->m.prev, was.prev, 32);
	malice_insert(&x->m, &op[2], TABLE_THING, F | G, one);
	assert_int_equal(malice_segment(&x->m, unit_of(x->evil), LANE_OPEN, &op[2], 1, &second), 0);
	assert_int_equal(malice_hand(&x->m, x->a, &first), 0);
	assert_int_equal(malice_hand(&x->m, x->top, &second),
	                 0); /* the other branch by another way */
	settles(x);
	assert_true(journaled(x->a, &first) && journaled(x->top, &first));
	assert_true(journaled(x->a, &second) && journaled(x->top, &second));
	assert_int_equal(shown(x->top, op[0].row), 2);
	assert_int_equal(shown(x->top, op[2].row), 1);
	/* a fan of segments whose predecessors never were, numbers that jump */
	for (size_t i = 0; i < 50; i++) {
		random_bytes(&x->m.rnd, x->m.prev, 32);
		x->m.seq += random_below(&x->m.rnd, 1u << 30);
		malice_insert(&x->m, &op[3], TABLE_THING, F | G, one);
		assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), &op[3], 1, &e), 0);
	}
	insert(node(x, 1), 5, row);
	settles(x);
	assert_int_equal(counts(x->a).gaps, 50);
	assert_int_equal(shown(x->top, row), 5);
	assert_int_equal(shown(x->top, op[3].row), 1);
	scene_free(x);
}

/* ---- 5: sizes */
static void bulk_of_refused(void **state)
{
	struct scene *x = scene_new(6, 1, false);
	const struct value v[] = {value_int(1)};
	struct malice_entry e;
	struct op *op = malice_ops(&x->m, SEGMENT_OPS_MAX);
	uint8_t row[16], theirs[16];

	(void)state;
	insert(node(x, 1), 5, theirs);
	settles(x);
	/* More verdicts than an admission holds. */
	for (size_t i = 0; i < SEGMENT_OPS_MAX; i++)
		malice_update(&x->m, &op[i], TABLE_THING, theirs, F, v);
	assert_int_equal(hand_ops(x, x->a, unit_of(node(x, 1)), op, SEGMENT_OPS_MAX, &e), 0);
	assert_int_equal(malice_apply(x->a, NULL), 0);
	assert_int_equal(refused(x->a, ERR_NOT_YOURS), SEGMENT_OPS_MAX);
	insert(node(x, 1), 6, row);
	settles(x);
	assert_int_equal(shown(x->top, row), 6);
	assert_int_equal(shown(x->top, theirs), 5);
	assert_int_equal(refused(x->top, ERR_NOT_YOURS), SEGMENT_OPS_MAX);
	scene_free(x);
}

static void largest_of_everything(void **state)
{
	struct scene *x = scene_new(7, 1, false);
	struct value v[2] = {value_int(1)};
	struct malice_entry e;
	struct op *op = malice_ops(&x->m, 4);
	struct changeset *cs = ARENA_ARRAY(&x->m.arena, struct changeset, 3);
	char *text = arena_take(&x->m.arena, 64 * 1024);
	struct segment_head h;
	struct buf b, bomb;
	uint8_t row[16], *zeros = arena_take(&x->m.arena, 8 * 1024 * 1024);
	struct error err = {0};
	int64_t head;

	(void)state;
	for (size_t i = 0; i < 64 * 1024 - 1; i++)
		text[i] = (char)('a' + random_below(&x->m.rnd, 26));
	/* values of 64 KiB, in fields that this build knows and does not know: what the row cannot hold is refused */
	malice_insert(&x->m, &op[0], TABLE_THING, F, v);
	assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), op, 1, &e), 0);
	for (unsigned slot = 2; slot < 64; slot++) {
		v[0] = value_text(text);
		malice_update(&x->m, &op[1], TABLE_THING, op[0].row, UINT64_C(1) << slot, v);
		assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), &op[1], 1, &e), 0);
	}
	assert_int_equal(malice_apply(x->a, NULL), 0);
	assert_true(refused(x->a, ERR_LIMIT) >= 58);
	/* a part of a transaction with nothing in it, and one of more parts than there may be */
	head = counts(x->a).journal;
	cs[0] = (struct changeset){.part = 1, .parts = 2};
	x->m.seq = 1;
	assert_int_equal(malice_segment_of(&x->m, unit_of(x->evil), LANE_OPEN, cs, 1, &e),
	                 -ERR_LIMIT);
	assert_int_equal(counts(x->a).journal, head);
	/* a body that unpacks to more than it says: a hole; one byte more than may be said: nothing */
	malice_update(&x->m, &op[1], TABLE_THING, op[0].row, F, v);
	assert_int_equal(malice_segment(&x->m, unit_of(x->evil), LANE_OPEN, &op[1], 1, &e), 0);
	assert_int_equal(segment_head_read(span_of(e.head.p, e.head.len - 64), &h, &err), 0);
	buf_init(&bomb, BODY_SQUEEZED_MAX);
	assert_int_equal(squeeze(span_of(zeros, 8 * 1024 * 1024), h.dictionary, &bomb), 0);
	hash_of(buf_span(&bomb), h.body_hash, 32);
	h.plain_bytes = BODY_BYTES_MAX;
	buf_init(&b, HEAD_BYTES_MAX);
	segment_head_pack(&h, &b);
	malice_sign(&x->m, &b);
	e.head = buf_span(&b);
	e.body = buf_span(&bomb);
	assert_int_equal(malice_hand(&x->m, x->a, &e), 0);
	assert_int_equal(counts(x->a).journal, head + 1);
	buf_reset(&b);
	h.plain_bytes = BODY_BYTES_MAX + 1;
	segment_head_pack(&h, &b);
	malice_sign(&x->m, &b);
	e.head = buf_span(&b);
	assert_int_equal(malice_hand(&x->m, x->a, &e), -ERR_LIMIT);
	assert_int_equal(counts(x->a).journal, head + 1);
	buf_done(&b);
	buf_done(&bomb);
	insert(node(x, 1), 6, row);
	settles(x);
	assert_int_equal(shown(x->top, row), 6);
	scene_free(x);
}

/* A row's clock does not grow for ever, and no row stops the hub. */
static void clocks_without_end(void **state)
{
	struct scene *x = scene_new(8, 2, false);
	const struct value v[] = {value_int(1), value_text("x")};
	struct malice_entry e;
	struct op *op = malice_ops(&x->m, 2);
	uint8_t row[16];

	(void)state;
	malice_insert(&x->m, &op[0], TABLE_THING, F | G, v);
	memcpy(row, op[0].row, 16);
	assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), op, 1, &e), 0);
	for (size_t i = 0; i < 40; i++) {
		malice_update(&x->m, &op[1], TABLE_THING, row, F, v);
		op[1].groups_count = 200;
		op[1].groups = ARENA_ARRAY(&x->m.arena, struct clock_group, 200);
		for (size_t k = 0; k < 200; k++)
			op[1].groups[k] = (struct clock_group){
			        .run = (i * 1000 + k) << 20 | 1, .stamp = 5, .slots = F};
		assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), &op[1], 1, &e), 0);
	}
	assert_int_equal(malice_apply(x->a, NULL), 0);
	assert_true(refused(x->a, ERR_LIMIT) >= 38);
	/* many names that all stand */
	for (size_t i = 0; i < 400; i++) {
		malice_new_run(&x->m);
		malice_update(&x->m, &op[1], TABLE_THING, row, G, &v[1]);
		assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), &op[1], 1, &e), 0);
	}
	assert_int_equal(malice_apply(x->a, NULL), 0);
	settles(x);
	/* and an honest device at the same site can still edit it */
	assert_int_equal(update(node(x, 1), row, 77), 0);
	settles(x);
	assert_int_equal(shown(x->top, row), 77);
	scene_free(x);
}

static size_t scopes_known(struct device *d)
{
	struct arena a;
	struct scope *s;
	size_t n;

	arena_init(&a, 0);
	assert_int_equal(store_scopes(d->keeper, &a, &s, &n), 0);
	arena_done(&a);
	return n;
}

static void scopes_invented(void **state)
{
	struct scene *x = scene_new(9, 1, false);
	const struct value v[] = {value_int(1), value_text("x")};
	struct malice_entry e;
	struct op *op = malice_ops(&x->m, 1);
	uint8_t scope[16], row[16], head[17];
	size_t before = scopes_known(x->a);

	(void)state;
	for (size_t i = 0; i < 300; i++) {
		random_bytes(&x->m.rnd, scope, 16);
		malice_insert(&x->m, op, TABLE_THING, F | G, v);
		assert_int_equal(hand_ops(x, x->a, scope, op, 1, &e), 0);
		random_bytes(&x->m.rnd, head, 17);
		head[0] = LANE_OPEN; /* an entry of a kind that is not there yet */
		e = (struct malice_entry){.kind = 77, .head = span_of(head, 17)};
		assert_int_equal(malice_hand(&x->m, x->a, &e), 0);
	}
	assert_true(scopes_known(x->a) <= before + 64);
	assert_true(counts(x->a).alarms >= 400);
	insert(node(x, 1), 6, row);
	settles(x);
	assert_int_equal(shown(x->top, row), 6);
	assert_int_equal(counts(x->top).alarms,
	                 0); /* an honest hub hands on nothing that is not taken above */
	scene_free(x);
}

/* ---- 6: sessions */
static size_t marks_of(struct device *d, uint64_t run, struct mark ret[MARKS_MAX])
{
	struct arena a;
	struct mark *marks;
	size_t n;

	arena_init(&a, 0);
	assert_int_equal(store_cursor_get(d->keeper, run, &a, &marks, &n), 0);
	memcpy(ret, marks, n * sizeof(*marks));
	arena_done(&a);
	return n;
}

static void anothers_run(void **state)
{
	struct scene *x = scene_new(10, 1, false);
	struct malice_call c;
	struct mark before[MARKS_MAX], after[MARKS_MAX];
	uint64_t run;
	uint8_t row[16];
	size_t n;

	(void)state;
	insert(node(x, 1), 5, row);
	settles(x);
	run = replica_run(node(x, 1)->replica);
	n = marks_of(x->a, run, before);
	assert_true(n > 0);
	malice_call_init(&c, &x->m, x->a);
	malice_hello(&c, run, 0, 0); /* as another */
	assert_true(c.closed);
	assert_int_equal(c.code, ERR_PROTOCOL);
	malice_call_done(&c);
	malice_call_init(&c, &x->m, x->a);
	malice_hello(&c, x->m.run, run, 0); /* as one who was another */
	assert_true(c.closed);
	assert_int_equal(c.welcome.cursor.mark.pos, 0);
	malice_call_done(&c);
	assert_int_equal(marks_of(x->a, run, after), n);
	assert_memory_equal(before, after, n * sizeof(*before));
	settles(x);
	scene_free(x);
}

static void slow_reader(void **state)
{
	struct scene *x = scene_new(11, 2, false);
	struct message m = {.type = MSG_ACK};
	struct malice_call c;
	struct peer p;
	struct value v[1];
	struct malice_entry e;
	struct op *op = malice_ops(&x->m, 1);
	char *text = arena_take(&x->m.arena, 40 * 1024);
	bool known;

	(void)state;
	/* 12 MB for him, said by an honest device of his site: nothing of it is read */
	for (size_t i = 0; i < 300; i++) {
		for (size_t k = 0; k < 40 * 1024 - 1; k++)
			text[k] = (char)(' ' + random_below(&x->m.rnd, 90));
		v[0] = value_text(text);
		malice_insert(&x->m, op, TABLE_THING, UINT64_C(1) << 40, v);
		assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), op, 1, &e), 0);
	}
	assert_int_equal(malice_apply(x->a, NULL), 0);
	malice_new_run(&x->m);
	malice_call_init(&c, &x->m, x->a);
	malice_hello(&c, x->m.run, 0, UINT64_MAX);
	assert_false(c.closed);
	m.ack = (struct msg_ack){.session = c.nonce, .pos = INT64_MAX, .credit = UINT64_MAX};
	for (size_t i = 0; i < 40; i++) { /* never true */
		struct message state_lie = {.type = MSG_STATE};

		state_lie.state =
		        (struct msg_state){.session = c.nonce, .acked = INT64_MAX, .idle = true};
		malice_say(&c, i % 2 ? &m : &state_lie);
		m.ack.pos = i % 3 ? -1 : INT64_MAX;
	}
	assert_int_equal(store_peer_get(x->a->keeper, x->evil->identity.origin, &p, &known), 0);
	assert_true(p.acked <= counts(x->a).journal);
	assert_true(c.data > 0);
	malice_call_done(&c);
	/* Without a grant that follows what he was sent: a bounded amount. */
	malice_new_run(&x->m);
	malice_call_init(&c, &x->m, x->a);
	malice_hello(&c, x->m.run, 0, UINT64_MAX);
	for (size_t i = 0; i < 40; i++) {
		struct message ask = {.type = MSG_STATE};

		ask.state = (struct msg_state){.session = c.nonce};
		malice_say(&c, &ask);
	}
	assert_true(c.bytes < 5u * 1024 * 1024);
	malice_call_done(&c);
	settles(x);
	scene_free(x);
}

static void floods(void **state)
{
	struct scene *x = scene_new(12, 1, false);
	struct message ask = {.type = MSG_ASK}, marks = {.type = MSG_MARKS},
	               place = {.type = MSG_PLACE};
	struct malice_call c;
	struct malice_entry e;
	uint8_t row[16];
	size_t n;

	(void)state;
	malice_call_init(&c, &x->m, x->a);
	malice_hello(&c, x->m.run, 0, 0);
	for (n = 0; n < 1000 && !c.closed; n++) {
		ask.ask = (struct msg_ask){.session = c.nonce, .what = 1 + n % 2};
		malice_say(&c, &ask);
	}
	assert_true(c.closed && n < 100);
	malice_call_done(&c);

	malice_new_run(&x->m);
	malice_call_init(&c, &x->m, x->a);
	malice_hello(&c, x->m.run, 0, 0);
	marks.marks.count = MARKS_MAX;
	for (size_t i = 0; i < MARKS_MAX; i++) {
		marks.marks.marks[i].pos = INT64_MAX - (int64_t)i * 1000;
		random_bytes(&x->m.rnd, marks.marks.marks[i].rolling, 16);
	}
	for (n = 0; n < 1000 && !c.closed; n++) {
		marks.marks.session = c.nonce;
		malice_say(&c, &marks);
	}
	assert_true(c.closed && n == 2);
	malice_call_done(&c);

	malice_new_run(&x->m);
	malice_call_init(&c, &x->m, x->a);
	malice_hello(&c, x->m.run, 0, 0);
	for (n = 0; n < 300; n++) { /* places that come and go; his cursor is his own harm */
		place.place =
		        (struct msg_place){.session = c.nonce,
		                           .number = ++c.number,
		                           .mark.pos = n % 3 ? INT64_MAX - (int64_t)n : -(int64_t)n,
		                           .restart = n % 2};
		malice_say(&c, &place);
	}
	assert_int_equal(malice_entry_at(&x->m, x->a, 1, &e), 0);
	malice_data(&c, &e, INT64_MIN);
	assert_false(c.closed);
	malice_call_done(&c);
	for (n = 0; n < 200; n++) { /* a new run each time */
		malice_new_run(&x->m);
		malice_call_init(&c, &x->m, x->a);
		malice_hello(&c, x->m.run, 0, 0);
		malice_data(&c, &e, 1 + (int64_t)n);
		malice_say(&c, &(struct message){.type = MSG_BYE, .bye.session = c.nonce});
		malice_call_done(&c);
	}
	insert(node(x, 1), 6, row);
	settles(x);
	assert_int_equal(shown(x->top, row), 6);
	scene_free(x);
}

/* ---- 7: lanes */
static void above_the_ceiling(void **state)
{
	struct scene *x = scene_new(13, 1, true); /* the county itself */
	const struct value v[] = {value_text(CANARY " evil")};
	struct malice_entry e;
	struct op *op = malice_ops(&x->m, 1);
	struct buf head;
	uint8_t scope[16];
	int64_t before = counts(x->top).journal;

	(void)state;
	memcpy(scope, unit_of(x->evil), 16);
	malice_insert(&x->m, op, TABLE_THING, 2, v);
	assert_int_equal(malice_segment(&x->m, scope, LANE_COUNTY, op, 1, &e), 0);
	assert_int_equal(malice_hand(&x->m, x->top, &e), 0);
	malice_hole(&x->m, &e, &e);
	assert_int_equal(malice_hand(&x->m, x->top, &e), 0);
	malice_admission(&x->m, scope, LANE_COUNTY, e.hash, true, &e);
	assert_int_equal(malice_hand(&x->m, x->top, &e), 0);
	buf_init(&head, 1000);
	buf_u8(&head, LANE_SEALED);
	buf_add(&head, scope, 16);
	buf_text(&head, CANARY);
	e = (struct malice_entry){.kind = 200, .head = buf_span(&head), .body = buf_span(&head)};
	assert_int_equal(malice_hand(&x->m, x->top, &e), 0);
	assert_int_equal(counts(x->top).journal, before);
	assert_int_equal(counts(x->top).alarms, 4);
	/* unknown kinds of operation and tables are carried in their own lane */
	*op = (struct op){.kind = 99, .table = 999, .stamp = ++x->m.stamp, .slots = 7};
	op->opaque = span_of("opaque", 6);
	assert_int_equal(hand_ops(x, x->top, scope, op, 1, &e), 0);
	assert_true(journaled(x->top, &e));
	buf_done(&head);
	settles(x);
	scene_free(x);
}

/* ---- 8: records that wait */
static size_t wake_calls(uint64_t seed, size_t count, bool one_row)
{
	struct scene *x = scene_new(seed, 1, false);
	struct value v[1] = {value_int(1)};
	struct malice_entry e;
	struct op *op = malice_ops(&x->m, count), *last = malice_ops(&x->m, 1);
	uint8_t row[16], wait[16];
	size_t calls;

	malice_insert(&x->m, last, TABLE_THING, F, v);
	memcpy(wait, last->row, 16);
	for (size_t i = 0; i < count; i++)
		if (one_row) { /* updates of a row that is not here */
			malice_update(&x->m, &op[i], TABLE_THING, wait, F, v);
		} else { /* rows that refer to it */
			v[0] = value_bytes(wait, 16);
			malice_insert(&x->m, &op[i], TABLE_THING, TO, v);
		}
	assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), op, count, &e), 0);
	assert_int_equal(malice_apply(x->a, NULL), 0);
	assert_int_equal(counts(x->a).parked, count);
	insert(node(x, 1), 6, row); /* honest work meanwhile */
	assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), last, 1, &e), 0);
	assert_int_equal(malice_apply(x->a, &calls), 0);
	assert_int_equal(counts(x->a).parked, 0);
	settles(x);
	assert_int_equal(shown(x->top, row), 6);
	scene_free(x);
	return calls;
}

static void thousands_wait_for_one(void **state)
{
	(void)state;
	for (int one_row = 0; one_row < 2; one_row++) {
		size_t few = wake_calls(14, BULK / 8, one_row),
		       many = wake_calls(14, BULK, one_row);

		/* eight times the records, eight times the work */
		print_message("%zu calls for %d, %zu for %d\n", few, BULK / 8, many, BULK);
		assert_true(many < few * 10);
	}
}

static void a_chain_that_wakes(void **state)
{
	struct scene *x = scene_new(15, 1, false);
	enum { LINKS = 4000 };
	struct malice_entry e;
	struct op *op = malice_ops(&x->m, LINKS);
	struct value v[1] = {value_int(1)};
	uint8_t row[16];

	(void)state;
	/* each refers to the one after it; they come in this order, so all wait; the last wakes all */
	for (size_t i = LINKS; i-- > 0;) {
		if (i + 1 < LINKS) v[0] = value_bytes(op[i + 1].row, 16);
		malice_insert(&x->m, &op[i], TABLE_THING, i + 1 < LINKS ? TO : F, v);
	}
	assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), op, LINKS - 1, &e), 0);
	assert_int_equal(malice_apply(x->a, NULL), 0);
	assert_int_equal(counts(x->a).parked, LINKS - 1);
	insert(node(x, 1), 6, row);
	assert_int_equal(hand_ops(x, x->a, unit_of(x->evil), &op[LINKS - 1], 1, &e), 0);
	assert_int_equal(malice_apply(x->a, NULL), 0);
	assert_int_equal(counts(x->a).parked, 0);
	settles(x);
	assert_int_equal(shown(x->top, row), 6);
	assert_int_equal(rows_in(x->top, TABLE_THING, unit_of(x->evil)), LINKS);
	scene_free(x);
}

static void parts_that_never_come(void **state)
{
	struct scene *x = scene_new(16, 1, false);
	const struct value v[] = {value_int(1)};
	struct malice_entry e;
	struct changeset *cs = ARENA_ARRAY(&x->m.arena, struct changeset, 1000);
	struct op *op = malice_ops(&x->m, 1000);
	uint8_t row[16];

	(void)state;
	for (size_t i = 0; i < 1000; i++) { /* all but one of so many, over and over */
		malice_insert(&x->m, &op[i], TABLE_THING, F, v);
		cs[i] = (struct changeset){.ops = &op[i],
		                           .ops_count = 1,
		                           .flags = i % 2,
		                           .part = (uint16_t)(2 + i % (CHANGESET_PARTS_MAX - 1)),
		                           .parts = CHANGESET_PARTS_MAX};
	}
	assert_int_equal(malice_segment_of(&x->m, unit_of(x->evil), LANE_OPEN, cs, 1000, &e), 0);
	assert_int_equal(malice_hand(&x->m, x->a, &e), 0);
	assert_int_equal(malice_apply(x->a, NULL), 0);
	assert_int_equal(parked(x->a, ERR_PART), 1000);
	insert(node(x, 1), 6, row);
	settles(x);
	assert_int_equal(shown(x->top, row), 6);
	scene_free(x);
}

/* ---- 9: the word of others */
static void holes_of_others(void **state)
{
	struct scene *x = scene_new(17, 1, false);
	struct malice county;
	struct malice_entry seg, hole;
	uint8_t row[16];
	int64_t head, alarms = counts(x->top).alarms;

	(void)state;
	/* Work of the other county's site that has come no further than to its county. */
	insert(node(x, 2), 5, row);
	x->b->offline_until_ms = INT64_MAX;
	assert_true(sim_until(x->sim, x->sim->world.now_ms + 1));
	world_at(&x->sim->world, x->sim->world.now_ms, AT_CONNECT, node(x, 2)->number, 0, 0);
	x->sim->world.healed = false;
	assert_true(sim_until(x->sim, x->sim->world.now_ms + 20000));
	head = counts(x->b).journal;
	seg.hash[0] = 0;
	for (int64_t recv = head; recv > 0; recv--) {
		assert_int_equal(malice_entry_at(&x->m, x->b, recv, &seg), 0);
		if (seg.kind == ENTRY_SEGMENT && seg.head.p[5] == LANE_OPEN &&
		    !journaled(x->top, &seg))
			break;
	}
	assert_false(journaled(x->top, &seg));
	head = counts(x->top).journal;
	malice_hole(&x->m, &seg, &hole); /* by a device of another site */
	assert_int_equal(malice_hand(&x->m, x->top, &hole), 0);
	malice_init(&county, x->a, 9); /* by the hub of another county */
	malice_hole(&county, &seg, &hole);
	assert_int_equal(malice_hand(&county, x->top, &hole), 0);
	assert_int_equal(counts(x->top).journal, head);
	assert_int_equal(counts(x->top).alarms, alarms + 2);
	malice_done(&county);
	x->b->offline_until_ms = 0;
	settles(x);
	assert_true(journaled(x->top, &seg));
	assert_int_equal(shown(x->top, row), 5);
	scene_free(x);
}

static void words_on_others(void **state)
{
	struct scene *x = scene_new(18, 1, true);
	struct device *victim = node(x, 2);
	const struct value v[] = {value_int(666), value_text("evil")};
	struct cert c = victim->cert;
	struct malice_entry e, cert, word;
	struct op *op = malice_ops(&x->m, 1);
	struct identity invented;
	struct malice forged;
	struct device ghost;
	uint8_t row[16], bad[16];
	int64_t alarms;

	(void)state;
	insert(victim, 5, row);
	insert(victim, 13, bad); /* 13: its county refuses it */
	settles(x);
	assert_int_equal(shown(x->top, bad), -1);
	/* a word on what another county refused */
	for (int64_t recv = counts(x->top).journal; recv > 0; recv--) {
		assert_int_equal(malice_entry_at(&x->m, x->top, recv, &e), 0);
		if (e.kind != ENTRY_SEGMENT) continue;
		malice_admission(&x->m, unit_of(victim), LANE_OPEN, e.hash, true, &word);
		assert_int_equal(malice_hand(&x->m, x->top, &word), 0);
		malice_admission(&x->m, unit_of(x->evil), LANE_OPEN, e.hash, false, &word);
		assert_int_equal(malice_hand(&x->m, x->top, &word), 0);
	}
	settles(x);
	assert_int_equal(shown(x->top, bad), -1);
	assert_int_equal(shown(x->top, row), 5);
	assert_int_equal(shown(victim, row), 5);
	/* to make himself its issuer, or to take its link */
	alarms = counts(x->top).alarms;
	c.not_before_ms += 1000;
	malice_cert(&x->m, &c, &cert);
	assert_int_equal(malice_hand(&x->m, x->top, &cert), 0);
	identity_make(&x->evil->env, &invented);
	memcpy(c.origin_key, invented.sign_public, 32);
	malice_cert(&x->m, &c, &cert);
	assert_int_equal(malice_hand(&x->m, x->top, &cert), 0);
	/* a device of his own, at another's site */
	memcpy(c.link_key, invented.link_public, 32);
	malice_cert(&x->m, &c, &cert);
	assert_int_equal(malice_hand(&x->m, x->top, &cert), 0);
	assert_int_equal(counts(x->top).alarms, alarms + 3);
	ghost = *x->evil;
	ghost.identity = invented;
	malice_init(&forged, &ghost, 21);
	malice_insert(&forged, op, TABLE_THING, F | G, v);
	assert_int_equal(malice_segment(&forged, unit_of(victim), LANE_OPEN, op, 1, &e), 0);
	assert_int_equal(malice_hand(&x->m, x->top, &e), 0); /* nothing, and no link ends */
	assert_false(journaled(x->top, &e));
	settles(x);
	/* one at his own site, who writes into another's scope, with the blessing of this county */
	memcpy(c.unit, unit_of(node(x, 0)), 16);
	malice_cert(&x->m, &c, &cert);
	assert_int_equal(malice_hand(&x->m, x->top, &cert), 0);
	malice_insert(&forged, op, TABLE_THING, F | G, v);
	assert_int_equal(malice_segment(&forged, unit_of(victim), LANE_OPEN, op, 1, &e), 0);
	assert_int_equal(malice_hand(&x->m, x->top, &e), 0);
	malice_admission(&x->m, unit_of(victim), LANE_OPEN, e.hash, true, &word);
	assert_int_equal(malice_hand(&x->m, x->top, &word), 0);
	settles(x);
	assert_true(journaled(x->top, &e) && journaled(x->b, &e));
	assert_int_equal(rows_in(x->top, TABLE_THING, unit_of(victim)), 1);
	/* the refused one has its closed part still */
	assert_int_equal(rows_in(victim, TABLE_THING, unit_of(victim)), 2);
	malice_done(&forged);
	scene_free(x);
}

static void a_county_in_anothers_house(void **state)
{
	struct scene *x = scene_new(19, 1, true);
	struct device *victim = node(x, 2);
	const struct value v[] = {value_int(666), value_text("evil")};
	struct value parent[1];
	const struct table *t = schema_table(device_schema(x->top), TABLE_ORG_UNIT);
	const struct field *f = table_field_named(t, "parent");
	struct malice_entry e;
	struct op *op = malice_ops(&x->m, 1);
	uint8_t row[16], unit[16];
	struct scope s;
	uint32_t ord = 0;
	int64_t alarms = counts(x->top).alarms;

	(void)state;
	insert(victim, 5, row);
	settles(x);
	malice_insert(&x->m, op, TABLE_THING, F | G, v); /* a row in another's scope */
	assert_int_equal(hand_ops(x, x->top, unit_of(victim), op, 1, &e), 0);
	malice_update(&x->m, op, TABLE_THING, row, F, v); /* another's row in his own scope */
	assert_int_equal(hand_ops(x, x->top, unit_of(x->evil), op, 1, &e), 0);
	random_bytes(&x->m.rnd, unit, 16); /* a unit of his own, below another's */
	unit[6] = 0x80;
	unit[8] = 0x80;
	*op = (struct op){.kind = OP_INSERT, .table = TABLE_ORG_UNIT, .stamp = ++x->m.stamp};
	memcpy(op->row, unit, 16);
	parent[0] = value_bytes(unit_of(victim), 16);
	op->values = ARENA_ARRAY(&x->m.arena, struct field_value, 1);
	op->values[0] = (struct field_value){.slot = (uint8_t)field_slot(f), .value = parent[0]};
	op->values_count = 1;
	op->slots = UINT64_C(1) << field_slot(f);
	assert_int_equal(hand_ops(x, x->top, unit, op, 1, &e), 0);
	settles(x);
	assert_int_equal(parked(x->top, ERR_NOT_YOURS), 3);
	assert_true(counts(x->top).alarms >= alarms + 3);
	assert_int_equal(shown(x->top, row), 5);
	assert_int_equal(shown(victim, row), 5);
	assert_int_equal(rows_in(x->top, TABLE_THING, unit_of(victim)), 1);
	assert_int_equal(rows_in(victim, TABLE_THING, unit_of(victim)), 1);
	assert_int_equal(rows_in(x->b, TABLE_THING, unit_of(victim)), 1);
	assert_int_equal(store_scope_ord(x->top->keeper, unit, false, &ord), 0);
	assert_int_equal(store_scope_get(x->top->keeper, ord, &s), 0);
	assert_int_equal(s.parent, 0);
	scene_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(rows_of_others),
	        cmocka_unit_test(one_name_in_two_scopes),
	        cmocka_unit_test(stamps_of_all_times),
	        cmocka_unit_test(replays),
	        cmocka_unit_test(split_history),
	        cmocka_unit_test(bulk_of_refused),
	        cmocka_unit_test(largest_of_everything),
	        cmocka_unit_test(clocks_without_end),
	        cmocka_unit_test(scopes_invented),
	        cmocka_unit_test(anothers_run),
	        cmocka_unit_test(slow_reader),
	        cmocka_unit_test(floods),
	        cmocka_unit_test(above_the_ceiling),
	        cmocka_unit_test(thousands_wait_for_one),
	        cmocka_unit_test(a_chain_that_wakes),
	        cmocka_unit_test(parts_that_never_come),
	        cmocka_unit_test(holes_of_others),
	        cmocka_unit_test(words_on_others),
	        cmocka_unit_test(a_county_in_anothers_house),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
