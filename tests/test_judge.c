/*
 * test_judge.c - a hub's judgement, operation by operation: a real province hub in a directory of its own,
 * with an org tree of a few units; authors are certificates made up here (signatures are not judged).
 */
#include <unistd.h> /* before base.h, which poisons names that it declares */

#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/ident.h"
#include "hub/enrol.h"
#include "hub/judge.h"
#include "node/place.h"
#include "proto/privacy.h"
#include "tests/support/found.h"
#include "tests/support/scratch.h"

struct world {
	char dir[64];
	struct place *place;
	struct replica *r;
	struct judging judging;
	struct judge judge;
	uint8_t root[16], county[16], site[16], other[16], activity[16], activity_scope[16];
	struct cert author; /* of a device at the county */
};

static const struct table *table_of(const char *name)
{
	const struct table *t = schema_table_named(&schema_current, name);
	assert_non_null(t);
	return t;
}

static struct field_write said(const char *table, const char *field, struct value v)
{
	const struct field *f = table_field_named(table_of(table), field);
	assert_non_null(f);
	return (struct field_write){f, v};
}

static void write_row(struct world *w, struct write *write)
{
	assert_int_equal(replica_begin(w->r), 0);
	assert_int_equal(replica_write(w->r, write, 1, false, NULL), 0);
	assert_int_equal(replica_commit(w->r), 0);
}

static void add_unit(struct world *w, const char *code, int64_t level, const uint8_t parent[16],
                     uint8_t ret[16])
{
	struct field_write f[] = {
	        said("org_unit", "code", value_text(code)),
	        said("org_unit", "level", value_int(level)),
	        said("org_unit", "name", value_text(code)),
	        said("org_unit", "parent", value_bytes(parent, 16)),
	};
	struct write write = {.kind = WRITE_INSERT,
	                      .table = table_of("org_unit"),
	                      .fields = f,
	                      .fields_count = ARRAY_COUNT(f)};
	write_row(w, &write);
	memcpy(ret, write.row, 16);
}

static int set_up(void **state)
{
	struct world *w = mem_alloc(sizeof *w);
	struct error err = {0};

	scratch_make("/tmp", "judge", w->dir, sizeof(w->dir));
	assert_int_equal(crypt_init(), 0);
	assert_int_equal(place_init(w->dir, &err), 0);
	judge_init(&w->judging, &w->judge);
	assert_int_equal(place_open(w->dir, 0, &w->judge, &w->place, &err), 0);
	w->r = w->place->replica;
	assert_int_equal(found(w->place, "350000000000", "province", w->root), 0);
	add_unit(w, "350102000000", LEVEL_COUNTY, w->root, w->county);
	add_unit(w, "350102001001", LEVEL_COMMUNITY, w->county, w->site);
	add_unit(w, "350103000000", LEVEL_COUNTY, w->root, w->other);
	w->author = (struct cert){.role = CERT_HUB, .level = LEVEL_COUNTY, .lanes = 3};
	env_random(w->author.id, 16);
	memcpy(w->author.unit, w->county, 16);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	place_close(w->place);
	assert_int_equal(scratch_remove(w->dir), 0);
	free(w);
	return 0;
}

/* One operation with one value, on a row of the site. */
struct trial {
	struct judged j;
	struct op op;
	struct field_value value;
	struct row row;
	struct value alive;
};

static void trial(struct world *w, struct trial *t, int kind, const char *table, const char *field,
                  struct value v)
{
	const struct field *f = field ? table_field_named(table_of(table), field) : NULL;
	uint32_t ord = 0;

	*t = (struct trial){.alive = value_int(1)};
	t->op.kind = (uint8_t)kind;
	t->op.table = table_of(table)->number;
	env_random(t->op.row, 16);
	t->op.stamp = stamp_of_ms(env_wall_ms());
	if (f) {
		t->value = (struct field_value){(uint8_t)field_slot(f), v};
		t->op.values = &t->value;
		t->op.values_count = 1;
		t->op.slots = UINT64_C(1) << field_slot(f);
	}
	t->j = (struct judged){
	        .author = &w->author, .op = &t->op, .run = 7, .lane = f ? field_lane(f) : 0};
	memcpy(t->j.scope, w->site, 16);
	if (kind == OP_UPDATE || kind == OP_PROPOSAL) {
		assert_int_equal(store_scope_ord(replica_store(w->r), w->site, false, &ord), 0);
		t->row.scope = ord;
		t->row.v = &t->alive;
		t->j.row = &t->row;
	}
}

static struct judgement ask(struct world *w, const struct trial *t)
{
	struct judgement ret = {0};
	assert_int_equal(w->judge.op(w->judge.ctx, w->r, &t->j, &ret), 0);
	return ret;
}

static void good_record_is_accepted(void **state)
{
	struct trial t;
	trial(*state, &t, OP_INSERT, "activity", "title", value_text("清洁家园"));
	assert_int_equal(ask(*state, &t).accepted, 1);
	trial(*state, &t, OP_UPDATE, "activity", "title", value_text("清洁家园"));
	assert_int_equal(ask(*state, &t).accepted, 1);
}

static void scope_must_lie_within_the_author(void **state)
{
	struct world *w = *state;
	struct trial t;
	struct judgement j;

	trial(w, &t, OP_INSERT, "activity", "title", value_text("a"));
	memcpy(t.j.scope, w->other, 16);
	j = ask(w, &t);
	assert_int_equal(j.accepted, 0);
	assert_int_equal(j.code, ERR_NOT_YOURS);
	memcpy(t.j.scope, w->root, 16);
	assert_int_equal(ask(w, &t).code, ERR_NOT_YOURS);
	env_random(t.j.scope, 16);
	j = ask(w, &t);
	assert_int_equal(j.accepted, 2);
	assert_memory_equal(j.wait, t.j.scope, 16);
	/* the system's own tables are under this one rule */
	trial(w, &t, OP_INSERT, "figure", "value", value_int(3));
	memcpy(t.j.scope, w->other, 16);
	assert_int_equal(ask(w, &t).code, ERR_NOT_YOURS);
	/* and it is asked anew when the author changes */
	trial(w, &t, OP_INSERT, "activity", "title", value_text("a"));
	assert_int_equal(ask(w, &t).accepted, 1);
	memcpy(w->author.unit, w->other, 16);
	env_random(w->author.id, 16);
	assert_int_equal(ask(w, &t).code, ERR_NOT_YOURS);
	memcpy(w->author.unit, w->county, 16);
	env_random(w->author.id, 16);
}

static void a_row_of_another_scope_is_not_reached(void **state)
{
	struct world *w = *state;
	struct trial t;
	uint32_t ord = 0;

	trial(w, &t, OP_UPDATE, "activity", "title", value_text("a"));
	assert_int_equal(store_scope_ord(replica_store(w->r), w->other, false, &ord), 0);
	t.row.scope = ord;
	assert_int_equal(ask(w, &t).code, ERR_NOT_YOURS);
}

static void figures_are_never_refused(void **state)
{
	struct trial t;
	trial(*state, &t, OP_INSERT, "figure", "value", value_int(-99999));
	assert_int_equal(ask(*state, &t).accepted, 1);
	trial(*state, &t, OP_UPDATE, "correction", "base", value_int(-1));
	assert_int_equal(ask(*state, &t).accepted, 1);
}

static void newer_things_are_kept(void **state)
{
	struct trial t;
	trial(*state, &t, OP_INSERT, "activity", "title", value_text("a"));
	t.op.table = 200;
	assert_int_equal(ask(*state, &t).accepted, 1);
	trial(*state, &t, OP_INSERT, "activity", "title", value_text("a"));
	t.op.kind = 99;
	assert_int_equal(ask(*state, &t).accepted, 1);
	trial(*state, &t, OP_INSERT, "activity", "title", value_text("a"));
	t.value.slot = 62;
	assert_int_equal(ask(*state, &t).accepted, 1);
}

static void values_are_checked_again(void **state)
{
	struct world *w = *state;
	struct trial t;
	struct judgement j;

	trial(w, &t, OP_INSERT, "volunteer", "vstat", value_text("nosuch"));
	j = ask(w, &t);
	assert_int_equal(j.accepted, 0);
	assert_int_equal(j.code, ERR_CODE_UNKNOWN);
	assert_int_equal(j.field, table_field_named(table_of("volunteer"), "vstat")->number);
	trial(w, &t, OP_UPDATE, "activity", "hh_served", value_int(-1));
	assert_int_equal(ask(w, &t).code, ERR_RANGE);
	trial(w, &t, OP_UPDATE, "activity", "place", value_text("请打13800000000"));
	assert_int_equal(ask(w, &t).code, ERR_PRIVATE_TEXT);
}

static void owned_fields_belong_to_their_level(void **state)
{
	struct world *w = *state;
	struct trial t;

	trial(w, &t, OP_UPDATE, "site", "star", value_int(3));
	assert_int_equal(ask(w, &t).accepted, 1);
	w->author.level = LEVEL_COMMUNITY;
	assert_int_equal(ask(w, &t).accepted, 0);
	assert_int_equal(ask(w, &t).code, ERR_OWNED);
	trial(w, &t, OP_PROPOSAL, "site", "star", value_int(3));
	assert_int_equal(ask(w, &t).accepted, 2);
	assert_int_equal(ask(w, &t).code, ERR_PROPOSAL);
	w->author.level = LEVEL_COUNTY;
}

static void levels_that_may_not_write_are_refused(void **state)
{
	struct world *w = *state;
	struct trial t;

	w->author.level = LEVEL_COMMUNITY;
	trial(w, &t, OP_INSERT, "org_unit", "name", value_text("新社区"));
	assert_int_equal(ask(w, &t).code, ERR_NO_PERMISSION);
	w->author.level = LEVEL_COUNTY;
	assert_int_equal(ask(w, &t).accepted, 1);
}

static void a_missing_reference_is_waited_for(void **state)
{
	struct world *w = *state;
	uint8_t nowhere[16];
	struct trial t;
	struct judgement j;

	env_random(nowhere, 16);
	trial(w, &t, OP_INSERT, "org_unit", "parent", value_bytes(nowhere, 16));
	j = ask(w, &t);
	assert_int_equal(j.accepted, 2);
	assert_int_equal(j.code, ERR_MISSING_REF);
	assert_memory_equal(j.wait, nowhere, 16);
	trial(w, &t, OP_INSERT, "org_unit", "parent", value_bytes(w->county, 16));
	assert_int_equal(ask(w, &t).accepted, 1);
}

static void once_means_once(void **state)
{
	struct trial t;
	trial(*state, &t, OP_UPDATE, "participation", "minutes", value_int(30));
	assert_int_equal(ask(*state, &t).code, ERR_NO_PERMISSION);
	trial(*state, &t, OP_INSERT, "participation", "minutes", value_int(30));
	assert_int_equal(ask(*state, &t).accepted, 1);
}

static void an_update_waits_for_its_row(void **state)
{
	struct trial t;
	struct judgement j;
	trial(*state, &t, OP_UPDATE, "activity", "title", value_text("a"));
	t.j.row = NULL;
	j = ask(*state, &t);
	assert_int_equal(j.accepted, 2);
	assert_memory_equal(j.wait, t.op.row, 16);
}

/* A row of the county lane as it would have been merged here, were this hub one that holds that lane. */
static void put_closed(struct world *w, const char *table, const uint8_t scope[16],
                       const uint8_t id[16], const char *field, struct value said_value, bool alive)
{
	struct value v[SLOTS_MAX] = {value_int(alive)};
	struct row row = {.v = v};
	uint64_t mask = 1;
	bool fresh;

	v[field_slot(table_field_named(table_of(table), field))] = said_value;
	memcpy(row.id, id, 16);
	assert_int_equal(replica_begin(w->r), 0);
	assert_int_equal(store_scope_ord(replica_store(w->r), scope, true, &row.scope), 0);
	assert_int_equal(store_rows_insert(replica_store(w->r), table_of(table)->number,
	                                   LANE_COUNTY, &row, 1, &fresh),
	                 0);
	if (!fresh)
		assert_int_equal(store_rows_update(replica_store(w->r), table_of(table)->number,
		                                   LANE_COUNTY, &row, &mask, 1),
		                 0);
	assert_int_equal(replica_commit(w->r), 0);
}

/* A site's words about the person are refused, the county's are not. */
static void who_withdrew_is_frozen(void **state)
{
	struct world *w = *state;
	const struct field *of = table_field_named(table_of("participation"), "volunteer");
	uint8_t person[16], id[16], other[16];
	struct trial t;

	env_random(person, 16);
	env_random(other, 16);
	put_closed(w, "volunteer", w->site, person, "name", value_text("陈桂兰"), true);
	withdrawal_id(person, id);
	w->author.level = LEVEL_COMMUNITY;
	/* of a person of this scope, under the id that is hers */
	trial(w, &t, OP_INSERT, "withdrawal", "person", value_bytes(person, 16));
	assert_int_equal(ask(w, &t).code, ERR_FIELD_FORM);
	memcpy(t.op.row, id, 16);
	assert_int_equal(ask(w, &t).accepted, 1);
	memcpy(t.j.scope, w->county, 16);
	assert_int_equal(ask(w, &t).code, ERR_NOT_YOURS);
	/* What speaks of another than its id says freezes nobody. */
	put_closed(w, "withdrawal", w->site, other, "person", value_bytes(person, 16), true);
	for (int frozen = 0; frozen < 3; frozen++) {
		if (frozen)
			put_closed(w, "withdrawal", w->site, id, "person", value_bytes(person, 16),
			           frozen == 1);
		trial(w, &t, OP_UPDATE, "volunteer", "phone", value_text("13800138000"));
		memcpy(t.op.row, person, 16);
		assert_int_equal(ask(w, &t).code, frozen == 1 ? ERR_FROZEN : 0);
		trial(w, &t, OP_INSERT, "participation", "volunteer", value_bytes(person, 16));
		assert_int_equal(ask(w, &t).code, frozen == 1 ? ERR_FROZEN : 0);
		assert_int_equal(ask(w, &t).field, frozen == 1 ? of->number : 0);
		w->author.level = LEVEL_COUNTY;
		assert_int_equal(ask(w, &t).accepted, 1);
		w->author.level = LEVEL_COMMUNITY;
	}
	w->author.level = LEVEL_COUNTY;
}

/* The county, in the row's scope, under the id that is the row's; from then on nobody says anything of it. */
static void who_erases(void **state)
{
	struct world *w = *state;
	uint8_t target[16], id[16];
	struct trial t;

	env_random(target, 16);
	erasure_id(target, id);
	put_closed(w, "volunteer", w->site, target, "name", value_text("陈桂兰"), true);
	trial(w, &t, OP_INSERT, "erasure", "target", value_bytes(target, 16));
	assert_int_equal(ask(w, &t).code, ERR_FIELD_FORM);
	memcpy(t.op.row, id, 16);
	assert_int_equal(ask(w, &t).accepted, 1);
	w->author.level = LEVEL_COMMUNITY;
	assert_int_equal(ask(w, &t).code, ERR_NO_PERMISSION);
	w->author.level = LEVEL_COUNTY;
	memcpy(t.j.scope, w->county, 16);
	assert_int_equal(ask(w, &t).code, ERR_NOT_YOURS);
	trial(w, &t, OP_UPDATE, "volunteer", "phone", value_text("13800138000"));
	memcpy(t.op.row, target, 16);
	assert_int_equal(ask(w, &t).accepted, 1);
	assert_int_equal(replica_begin(w->r), 0);
	uint32_t ord = 0;
	const struct field *f = table_field_named(table_of("erasure"), "target");
	struct value v[SLOTS_MAX] = {value_int(1)};
	struct row row = {.v = v};
	bool fresh;
	assert_int_equal(store_scope_ord(replica_store(w->r), w->site, true, &ord), 0);
	row.scope = ord;
	memcpy(row.id, id, 16);
	v[field_slot(f)] = value_bytes(target, 16);
	assert_int_equal(
	        store_rows_insert(replica_store(w->r), TABLE_ERASURE, LANE_OPEN, &row, 1, &fresh),
	        0);
	assert_int_equal(replica_commit(w->r), 0);
	assert_int_equal(replica_begin(w->r), 0);
	assert_int_equal(ask(w, &t).code, ERR_ERASED);
	trial(w, &t, OP_INSERT, "participation", "volunteer", value_bytes(target, 16));
	assert_int_equal(ask(w, &t).code, ERR_ERASED);
	assert_int_equal(replica_commit(w->r), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(good_record_is_accepted),
	        cmocka_unit_test(scope_must_lie_within_the_author),
	        cmocka_unit_test(a_row_of_another_scope_is_not_reached),
	        cmocka_unit_test(figures_are_never_refused),
	        cmocka_unit_test(newer_things_are_kept),
	        cmocka_unit_test(values_are_checked_again),
	        cmocka_unit_test(owned_fields_belong_to_their_level),
	        cmocka_unit_test(levels_that_may_not_write_are_refused),
	        cmocka_unit_test(a_missing_reference_is_waited_for),
	        cmocka_unit_test(once_means_once),
	        cmocka_unit_test(an_update_waits_for_its_row),
	        cmocka_unit_test(who_withdrew_is_frozen),
	        cmocka_unit_test(who_erases),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
