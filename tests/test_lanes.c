/*
 * test_lanes.c - what everybody looks at in the open lane without a schema: kinds that have no business there, and the number
 * of a citizen in any text; a segment that fails is a hole, so that not a byte of it goes further up.
 */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/crypt.h"
#include "common/ident.h"
#include "common/validate.h"
#include "proto/entry.h"
#include "tests/support/trio.h"

#define CITIZEN "11010519491231002X"

struct made {
	struct buf head, body;
	uint8_t hash[32];
	int checked; /* what the static check says */
};

/* One operation of the site's, in a segment that its own keys sign. */
static void make(struct trio_device *d, unsigned lane, const struct op *op, struct made *ret)
{
	struct segment_head h = {
	        .lane = (uint8_t)lane, .seal = 900, .k = 1, .n = 1, .nonces_count = 1, .count = 1};
	struct op ops[1] = {*op};
	struct changeset c = {.seq = 1,
	                      .part = 1,
	                      .parts = 1,
	                      .schema_version = 1,
	                      .codes_version = 1,
	                      .ops = ops,
	                      .ops_count = 1};
	struct segment s;
	struct error err = {0};
	struct arena a;

	memcpy(h.origin, d->identity.origin, 16);
	memcpy(h.scope, d->t->units[UNIT_SITE], 16);
	memcpy(h.nonces[0], "a nonce.", 8);
	c.run = run_of(h.origin, h.nonces[0]);
	if (op->kind == OP_INSERT) id_make(op->stamp, c.run, ops[0].row);
	buf_init(&ret->head, MESSAGE_BYTES_MAX);
	buf_init(&ret->body, MESSAGE_BYTES_MAX);
	assert_int_equal(segment_make(&h, &c, &c.run, d->identity.sign_secret, &ret->head,
	                              &ret->body, ret->hash, &err),
	                 0);
	assert_int_equal(segment_open(buf_span(&ret->head), buf_span(&ret->body), &s, &err), 0);
	arena_init(&a, 0);
	ret->checked = segment_check(&s, d->identity.sign_public, &a, &err);
	arena_done(&a);
}

static void made_done(struct made *m)
{
	buf_done(&m->head);
	buf_done(&m->body);
}

static int check(struct trio_device *d, unsigned lane, const struct op *op)
{
	struct made m;
	make(d, lane, op, &m);
	made_done(&m);
	return m.checked;
}

/* A text in a slot that no build knows. */
static struct op said(struct field_value *v, const char *text)
{
	*v = (struct field_value){61, value_text(text)};
	return (struct op){.kind = OP_INSERT,
	                   .table = TABLE_ACTIVITY,
	                   .stamp = UINT64_C(1) << 50,
	                   .slots = UINT64_C(1) << 61,
	                   .values = v,
	                   .values_count = 1};
}

static void numbers_of_citizens(void **state)
{
	static const char *const bad[] = {CITIZEN, ("证件" CITIZEN "号"), "1101 0519 4912 3100 2X",
	                                  "１１０１０５１９４９１２３１００２Ｘ"};
	static const char *const good[] = {"110105194912310021", /* another check digit */
	                                   "清洁家园", ("9" CITIZEN), "13800138000"};
	struct trio *t = trio_new();
	struct field_value v;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct op op = said(&v, bad[i]);
		assert_true(text_holds_citizen_id(v.value.s));
		assert_int_equal(check(t->site, LANE_OPEN, &op), -ERR_PRIVATE_TEXT);
		assert_int_equal(check(t->site, LANE_COUNTY, &op), 0); /* it has its place */
	}
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		struct op op = said(&v, good[i]);
		assert_int_equal(check(t->site, LANE_OPEN, &op), 0);
	}
	trio_free(t);
}

static void kinds_that_nobody_reads(void **state)
{
	static const uint8_t kinds[] = {OP_IMAGE, OP_SEALED, OP_CUSTODY};
	struct trio *t = trio_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		struct op op = {.kind = kinds[i],
		                .table = TABLE_VOLUNTEER,
		                .stamp = UINT64_C(1) << 50,
		                .opaque = span_of("secret", 6)};
		assert_int_equal(check(t->site, LANE_OPEN, &op), -ERR_CEILING);
		assert_int_equal(check(t->site, LANE_COUNTY, &op), 0);
	}
	trio_free(t);
}

static bool holds(struct trio_device *d, const char *word)
{
	struct feed_filter all = {.all = true, .lane_mask = 0xff};
	int64_t after = 0;
	bool found = false;

	for (size_t n = 1; n;) {
		struct entry *e;
		assert_int_equal(
		        store_journal_scan(d->store, &all, after, 64, 1 << 22, &d->t->a, &e, &n),
		        0);
		for (size_t i = 0; i < n; i++) {
			struct segment s;
			struct changeset *cs;
			size_t count = 0;
			struct error err;
			after = e[i].recv;
			if (e[i].kind != ENTRY_SEGMENT) continue;
			assert_int_equal(segment_open(e[i].head, e[i].body, &s, &err), 0);
			assert_int_equal(segment_changesets(&s, &d->t->a, &cs, &count, &err), 0);
			for (size_t k = 0; k < count; k++)
				for (size_t o = 0; o < cs[k].ops_count; o++)
					for (size_t v = 0; v < cs[k].ops[o].values_count; v++) {
						struct value x = cs[k].ops[o].values[v].value;
						found |= x.type == VALUE_TEXT &&
						         memmem(x.s.p, x.s.len, word, strlen(word));
					}
		}
	}
	return found;
}

/* A site whose program was patched: its county has a hole, and so has the province; its other work goes on. */
static void not_a_byte_further_up(void **state)
{
	struct trio *t = trio_new();
	struct field_value v;
	struct op op = said(&v, CITIZEN);
	struct made m;
	uint8_t row[16];

	(void)state;
	assert_true(trio_settle(t));
	make(t->site, LANE_OPEN, &op, &m);
	trio_plant(t->site, ENTRY_SEGMENT, LANE_OPEN, t->units[UNIT_SITE], buf_span(&m.head),
	           buf_span(&m.body));
	trio_activity(t->site, "后来的", row);
	(void)trio_sync(t->site);
	(void)trio_sync(t->county);
	(void)trio_sync(t->site);
	assert_true(holds(t->site, CITIZEN));
	assert_false(holds(t->county, CITIZEN));
	assert_false(holds(t->province, CITIZEN));
	assert_true(trio_shows(t->province, "activity", row, "title", "后来的"));
	made_done(&m);
	trio_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(numbers_of_citizens),
	        cmocka_unit_test(kinds_that_nobody_reads),
	        cmocka_unit_test(not_a_byte_further_up),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
