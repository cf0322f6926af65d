/*
 * test_sim_oracle.c - the oracle itself on cases written by hand, those included to which it must say no.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base.h"

#include "common/crypt.h"
#include "common/ident.h"
#include "tests/sim/oracle.h"

enum { RUN_A = 11, RUN_B = 22, RUN_C = 33 };
static const uint8_t scope[16] = {9};

/* One slot, one value, at most one group. */
struct made {
	struct op op;
	struct field_value value;
	struct clock_group group;
};

static void make(struct made *m, uint8_t kind, const uint8_t row[16], uint64_t stamp, unsigned slot,
                 int64_t v)
{
	*m = (struct made){
	        .op = {.kind = kind, .table = 60, .stamp = stamp, .slots = UINT64_C(1) << slot}};
	memcpy(m->op.row, row, 16);
	m->value = (struct field_value){(uint8_t)slot, value_int(v)};
	m->op.values = &m->value;
	m->op.values_count = 1;
}

static void seen(struct made *m, uint64_t run, uint64_t stamp)
{
	m->group = (struct clock_group){run, stamp, m->op.slots};
	m->op.groups = &m->group;
	m->op.groups_count = 1;
}

static size_t standing(struct oracle *o, const uint8_t row[16], unsigned slot,
                       struct oracle_value *ret)
{
	const struct oracle_row *found;

	oracle_settle(o);
	found = oracle_find(o, row, 0);
	assert_non_null(found);
	return oracle_standing(o, found, slot, ret);
}

static void creation(uint8_t row[16], struct made *m)
{
	id_make(stamp_of_ms(1000), RUN_A, row);
	make(m, OP_INSERT, row, id_stamp(row), 1, 1);
}

static void an_update_covers_the_creation(void **state)
{
	struct oracle o = {0};
	struct oracle_value v[ORACLE_STANDING_MAX];
	struct made insert, update;
	uint8_t row[16];

	(void)state;
	creation(row, &insert);
	make(&update, OP_UPDATE, row, 5, 1,
	     2); /* an older stamp: a clock that runs late changes nothing */
	oracle_add(&o, scope, 0, RUN_B, &update.op);
	oracle_add(&o, scope, 0, RUN_A, &insert.op);
	assert_int_equal(standing(&o, row, 1, v), 1);
	assert_int_equal(v[0].value.i, 2);
	assert_int_equal(oracle_shown(&o, oracle_find(&o, row, 0), 0, false).i,
	                 1); /* alive, unsaid */
	assert_int_equal(standing(&o, row, 2, v), 0);
	oracle_done(&o);
}

static void concurrent_values_both_stand(void **state)
{
	struct oracle o = {0};
	struct oracle_value v[ORACLE_STANDING_MAX];
	struct made insert, b, c;
	uint8_t row[16];

	(void)state;
	creation(row, &insert);
	make(&b, OP_UPDATE, row, 100, 1, 2);
	make(&c, OP_UPDATE, row, 200, 1, 3);
	oracle_add(&o, scope, 0, RUN_A, &insert.op);
	oracle_add(&o, scope, 0, RUN_B, &b.op);
	oracle_add(&o, scope, 0, RUN_C, &c.op);
	assert_int_equal(standing(&o, row, 1, v), 2);
	assert_int_equal(v[0].value.i, 3); /* the higher stamp shows */
	assert_int_equal(v[1].value.i, 2);
	/* No: had C seen something of B in another slot only, B stands all the same. */
	c.group = (struct clock_group){RUN_B, 100, UINT64_C(1) << 5};
	c.op.groups = &c.group;
	c.op.groups_count = 1;
	assert_int_equal(standing(&o, row, 1, v), 2);
	/* No: having seen B up to 99 is not having seen B's 100. */
	seen(&c, RUN_B, 99);
	assert_int_equal(standing(&o, row, 1, v), 2);
	/* Yes: this one had. */
	seen(&c, RUN_B, 100);
	assert_int_equal(standing(&o, row, 1, v), 1);
	oracle_done(&o);
}

static void equal_stamps_are_ranked_by_run(void **state)
{
	struct oracle o = {0};
	struct oracle_value v[ORACLE_STANDING_MAX];
	struct made insert, b, c;
	uint8_t row[16];

	(void)state;
	creation(row, &insert);
	make(&b, OP_UPDATE, row, 100, 1, 2);
	make(&c, OP_UPDATE, row, 100, 1, 3);
	oracle_add(&o, scope, 0, RUN_C, &c.op);
	oracle_add(&o, scope, 0, RUN_B, &b.op);
	oracle_add(&o, scope, 0, RUN_A, &insert.op);
	assert_int_equal(standing(&o, row, 1, v), 2);
	assert_true(v[0].run == RUN_C && v[1].run == RUN_B);
	oracle_done(&o);
}

static void a_run_covers_its_own_earlier_stamps(void **state)
{
	struct oracle o = {0};
	struct oracle_value v[ORACLE_STANDING_MAX];
	struct made insert, first, second;
	uint8_t row[16];

	(void)state;
	creation(row, &insert);
	make(&first, OP_UPDATE, row, 100, 1, 2);
	make(&second, OP_UPDATE, row, 101, 1, 3);
	oracle_add(&o, scope, 0, RUN_B, &second.op);
	oracle_add(&o, scope, 0, RUN_A, &insert.op);
	oracle_add(&o, scope, 0, RUN_B, &first.op);
	assert_int_equal(standing(&o, row, 1, v), 1);
	assert_int_equal(v[0].value.i, 3);
	/* No: in a slot that the later one does not write, the earlier one stands. */
	make(&second, OP_UPDATE, row, 101, 2, 3);
	assert_int_equal(standing(&o, row, 1, v), 1);
	assert_int_equal(v[0].value.i, 2);
	oracle_done(&o);
}

static void an_update_alone_makes_no_row(void **state)
{
	struct oracle o = {0};
	struct made insert, update;
	uint8_t row[16];

	(void)state;
	creation(row, &insert);
	make(&update, OP_UPDATE, row, 100, 1, 2);
	oracle_add(&o, scope, 0, RUN_B, &update.op);
	oracle_settle(&o);
	assert_false(oracle_find(&o, row, 0)->exists);
	/* An insert in another lane does not help. */
	oracle_add(&o, scope, 1, RUN_A, &insert.op);
	oracle_settle(&o);
	assert_false(oracle_find(&o, row, 0)->exists);
	assert_true(oracle_find(&o, row, 1)->exists);
	oracle_done(&o);
}

static void derived_ids_are_not_covered_by_knowing_of_the_row(void **state)
{
	struct oracle o = {0};
	struct oracle_value v[ORACLE_STANDING_MAX];
	struct made a, b, update;
	uint8_t row[16];

	(void)state;
	id_derive("tag", NULL, 0, row);
	make(&a, OP_INSERT, row, 100, 1, 1);
	make(&b, OP_INSERT, row, 200, 1, 1);
	make(&update, OP_UPDATE, row, 300, 1, 5);
	seen(&update, RUN_A, 100);
	oracle_add(&o, scope, 0, RUN_A, &a.op);
	oracle_add(&o, scope, 0, RUN_B, &b.op);
	oracle_add(&o, scope, 0, RUN_C, &update.op);
	assert_int_equal(standing(&o, row, 1, v),
	                 2); /* the insert that the update's author did not know */
	assert_true(v[0].run == RUN_C && v[1].run == RUN_B);
	oracle_done(&o);
}

static void alive_wins_in_sets(void **state)
{
	struct oracle o = {0};
	struct made a, dead;
	uint8_t row[16];

	(void)state;
	id_derive("tag", NULL, 0, row);
	make(&a, OP_INSERT, row, 100, 1, 1);
	make(&dead, OP_UPDATE, row, 300, 0, 0); /* did not know of A's insert */
	oracle_add(&o, scope, 0, RUN_A, &a.op);
	oracle_add(&o, scope, 0, RUN_B, &dead.op);
	oracle_settle(&o);
	assert_int_equal(oracle_shown(&o, oracle_find(&o, row, 0), 0, /* alive_wins= */ false).i,
	                 0);
	assert_int_equal(oracle_shown(&o, oracle_find(&o, row, 0), 0, /* alive_wins= */ true).i, 1);
	seen(&dead, RUN_A, 100);
	assert_int_equal(oracle_shown(&o, oracle_find(&o, row, 0), 0, /* alive_wins= */ true).i, 0);
	oracle_done(&o);
}

static void one_name_with_other_bytes_is_noticed(void **state)
{
	struct oracle o = {0};
	struct made insert, again;
	uint8_t row[16];

	(void)state;
	creation(row, &insert);
	creation(row, &again);
	oracle_add(&o, scope, 0, RUN_A, &insert.op);
	oracle_add(&o, scope, 0, RUN_A, &again.op);
	oracle_settle(&o);
	assert_false(o.clash);
	assert_int_equal(o.ops_count, 1);
	again.value.value.i = 7;
	oracle_add(&o, scope, 0, RUN_A, &again.op);
	oracle_settle(&o);
	assert_true(o.clash);
	oracle_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_update_covers_the_creation),
	        cmocka_unit_test(concurrent_values_both_stand),
	        cmocka_unit_test(equal_stamps_are_ranked_by_run),
	        cmocka_unit_test(a_run_covers_its_own_earlier_stamps),
	        cmocka_unit_test(an_update_alone_makes_no_row),
	        cmocka_unit_test(derived_ids_are_not_covered_by_knowing_of_the_row),
	        cmocka_unit_test(alive_wins_in_sets),
	        cmocka_unit_test(one_name_with_other_bytes_is_noticed),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
