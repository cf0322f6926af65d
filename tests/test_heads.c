/*
 * test_heads.c - what came to the province of a site's open lane comes down to the site as the province's own word:
 * what a county between them holds back is seen there, and a county cannot say it in the province's name.
 */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/crypt.h"
#include "common/ident.h"
#include "node/status.h"
#include "proto/engine.h"
#include "tests/support/trio.h"

static struct head head_of(struct trio *t, struct trio_device *d)
{
	struct head *heads = NULL, none = {0};
	size_t count = 0;

	assert_int_equal(replica_begin(d->r), 0);
	assert_int_equal(replica_heads(d->r, &t->a, &heads, &count), 0);
	replica_rollback(d->r);
	assert_true(count <= 1);
	return count ? heads[0] : none;
}

static bool told(struct trio_device *d, enum told what)
{
	struct status_facts f;
	enum told list[TOLD_COUNT];
	bool found = false;

	assert_int_equal(replica_begin(d->r), 0);
	assert_int_equal(status_collect(d->r, &f), 0);
	replica_rollback(d->r);
	for (size_t i = status_told(&f, list); i-- > 0;) found |= list[i] == what;
	return found;
}

static void days(struct trio *t, int64_t n)
{
	t->now_ms += n * STATUS_DAY_MS + 1000;
}

static void it_comes_down(void **state)
{
	struct trio *t = trio_new();
	uint8_t row[16];
	struct head h;

	(void)state;
	trio_activity(t->site, "a", row);
	assert_true(trio_settle(t));
	h = head_of(t, t->site);
	assert_memory_equal(h.hub, t->province->identity.origin, 16);
	assert_memory_equal(h.unit, t->units[UNIT_PROVINCE], 16);
	assert_true(h.said);
	assert_true(h.came > 0);
	assert_int_equal(h.came, h.sealed);
	assert_int_equal(h.late, 0);
	assert_int_equal(head_of(t, t->county).sealed, 0); /* a hub is acknowledged by its parent */
	/* At most once a day. */
	trio_activity(t->site, "b", row);
	assert_true(trio_settle(t));
	assert_true(head_of(t, t->site).came < head_of(t, t->site).sealed);
	days(t, 1);
	assert_true(trio_settle(t));
	h = head_of(t, t->site);
	assert_int_equal(h.came, h.sealed);
	assert_false(told(t->site, TOLD_NOT_ARRIVED));
	trio_free(t);
}

static void what_is_held_back_is_seen(void **state)
{
	struct trio *t = trio_new();
	uint8_t row[16];
	struct head h;

	(void)state;
	trio_activity(t->site, "a", row);
	assert_true(trio_settle(t));
	days(t, 2);
	trio_activity(t->site, "b", row);
	assert_true(trio_sync(t->site)); /* acknowledged by the county, which goes no further */
	assert_false(told(t->site, TOLD_NOT_ARRIVED));
	days(t, 4);
	h = head_of(t, t->site);
	assert_int_equal(h.late, h.sealed - h.came);
	assert_true(h.late > 0);
	assert_true(told(t->site, TOLD_NOT_ARRIVED));
	assert_true(trio_settle(t)); /* let through: it ends by itself */
	days(t, 1);
	assert_true(trio_settle(t));
	assert_false(told(t->site, TOLD_NOT_ARRIVED));
	trio_free(t);
}

/* The county writes the province's row: it may speak of the site's scope, under its own name. */
static void forge(struct trio *t, const uint8_t device[16], int64_t parts)
{
	struct replica *r = t->county->r;
	const struct table *table = trio_table("arrival");
	struct span id[] = {{t->province->identity.origin, 16}, {device, 16}};
	struct field_value v[] = {
	        {(uint8_t)field_slot(table_field_named(table, "device")), value_bytes(device, 16)},
	        {(uint8_t)field_slot(table_field_named(table, "hub")),
	         value_bytes(t->province->identity.origin, 16)},
	        {(uint8_t)field_slot(table_field_named(table, "parts")), value_int(parts)},
	};
	uint8_t row[16];
	uint32_t scope;

	id_derive("arrival", id, 2, row);
	assert_int_equal(replica_begin(r), 0);
	assert_int_equal(store_scope_ord(replica_store(r), t->units[UNIT_SITE], false, &scope), 0);
	assert_int_equal(engine_write_system(r, table, row, scope, LANE_OPEN, v, ARRAY_COUNT(v)),
	                 0);
	assert_int_equal(replica_commit(r), 0);
}

static void nobody_says_it_for_the_province(void **state)
{
	for (int before = 0; before < 2; before++) {
		struct trio *t = trio_new();
		uint8_t row[16];
		struct head h;

		(void)state;
		if (before) assert_true(trio_settle(t));
		trio_activity(t->site, "a", row);
		assert_true(trio_sync(t->site));
		if (before) assert_true(trio_settle(t)); /* the province's row is there already */
		days(t, 1);
		trio_activity(t->site, "b", row);
		assert_true(trio_sync(t->site));
		forge(t, t->site->identity.origin, 1000);
		assert_true(trio_sync(t->site));
		h = head_of(t, t->site);
		assert_false(h.said);
		assert_int_equal(h.came, 0);
		days(t, 4);
		assert_true(told(t->site, TOLD_NOT_ARRIVED));
		trio_free(t);
	}
}

/* A database of a program before this one counts what its journal has, once. */
static void older_databases_are_counted(void **state)
{
	struct trio *t = trio_new();
	uint8_t row[16];
	struct head before, after;
	char key[64], hex[33];

	(void)state;
	trio_activity(t->site, "a", row);
	assert_true(trio_settle(t));
	before = head_of(t, t->site);
	hex_text(t->site->identity.origin, 16, hex);
	(void)snprintf(key, sizeof key, "came/%s", hex);
	assert_int_equal(replica_begin(t->site->r), 0);
	assert_int_equal(store_meta_put(t->site->store, key, span_of("", 0)), 0);
	assert_int_equal(store_meta_put(t->site->store, "came_counted", span_of("", 0)), 0);
	assert_int_equal(store_meta_put(t->site->store, "schema", span_of("another build...", 16)),
	                 0);
	assert_int_equal(replica_commit(t->site->r), 0);
	after = head_of(t, t->site);
	assert_true(before.sealed > 0);
	assert_int_equal(after.sealed, before.sealed);
	trio_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(it_comes_down),
	        cmocka_unit_test(what_is_held_back_is_seen),
	        cmocka_unit_test(nobody_says_it_for_the_province),
	        cmocka_unit_test(older_databases_are_counted),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
