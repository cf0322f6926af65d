/*
 * test_review.c - a decision about somebody else's record takes the own signature of a person whom the level above has certified:
 * what the county's judge says of one that is good, and of every one that is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base.h"

#include "common/crypt.h"
#include "proto/person.h"
#include "tests/support/trio.h"

#define OK(CALL) assert_int_equal((CALL), 0)

struct scene {
	struct trio *t;
	uint8_t key[2][32], secret[2][64], person[2][8];
	uint8_t row[16]; /* entered by person 0 at the site */
};

static int write_as(struct trio_device *d, struct write *w, const uint8_t author[8],
                    const uint8_t *secret)
{
	int rc;

	OK(replica_begin(d->r));
	replica_sign_as(d->r, secret);
	rc = replica_write(d->r, w, 1, false, author);
	replica_sign_as(d->r, NULL);
	if (rc) {
		replica_rollback(d->r);
		return rc;
	}
	OK(replica_commit(d->r));
	return 0;
}

static void certify(struct scene *s, unsigned who, const char *roles)
{
	struct field_write f[] = {
	        trio_said("person_cert", "person", value_bytes(s->person[who], 8)),
	        trio_said("person_cert", "key", value_bytes(s->key[who], 32)),
	        trio_said("person_cert", "roles", value_text(roles)),
	};
	struct write w = {.kind = WRITE_INSERT,
	                  .table = trio_table("person_cert"),
	                  .fields = f,
	                  .fields_count = ARRAY_COUNT(f)};

	memcpy(w.scope, s->t->units[UNIT_SITE], 16);
	OK(write_as(s->t->county, &w, NULL, NULL));
}

/* At the site's device; what its county says of it: 0 accepted, else why not. */
static int step(struct scene *s, const uint8_t author[8], const uint8_t *secret)
{
	struct field_write f[] = {
	        trio_said("review_step", "of", value_bytes(s->row, 16)),
	        trio_said("review_step", "verdict", value_text("agree")),
	};
	struct write w = {.kind = WRITE_INSERT,
	                  .table = trio_table("review_step"),
	                  .fields = f,
	                  .fields_count = ARRAY_COUNT(f)};
	struct held *refused;
	size_t n;

	OK(write_as(s->t->site, &w, author, secret));
	assert_true(trio_settle(s->t));
	n = trio_refused(s->t->county, &refused);
	for (size_t i = 0; i < n; i++) {
		if (memcmp(refused[i].row, w.row, 16) != 0) continue;
		assert_false(trio_has(s->t->county, "review_step", w.row));
		assert_false(trio_has(s->t->site, "review_step", w.row)); /* annulled */
		return refused[i].cause;
	}
	assert_true(trio_has(s->t->county, "review_step", w.row));
	assert_true(trio_has(s->t->province, "review_step", w.row));
	return 0;
}

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct field_write f[3];
	struct write w = {.kind = WRITE_INSERT};

	assert_non_null(s);
	s->t = trio_new();
	for (unsigned i = 0; i < 2; i++) {
		uint8_t seed[32] = {(uint8_t)(50 + i)};

		sign_keypair(seed, s->key[i], s->secret[i]);
		person_of(s->key[i], s->person[i]);
	}
	f[0] = trio_said("volunteer", "name", value_text("陈桂兰"));
	f[1] = trio_said("volunteer", "vstat", value_text("pending"));
	f[2] = trio_said("volunteer", "registered", value_int(20000));
	w.table = trio_table("volunteer");
	w.fields = f;
	w.fields_count = 3;
	OK(write_as(s->t->site, &w, s->person[0], NULL));
	memcpy(s->row, w.row, 16);
	assert_true(trio_settle(s->t));
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	trio_free(s->t);
	free(s);
	return 0;
}

static void good_one_is_taken(void **state)
{
	struct scene *s = *state;

	certify(s, 1, "head");
	assert_true(trio_settle(s->t));
	assert_int_equal(step(s, s->person[1], s->secret[1]), 0);
}

static void bad_ones_are_refused(void **state)
{
	static const uint8_t nobody[8];
	struct scene *s = *state;

	assert_int_equal(step(s, s->person[1], s->secret[1]), ERR_UNCERTIFIED);
	certify(s, 0, "head");
	certify(s, 1, "recorder"); /* not a role that decides */
	assert_true(trio_settle(s->t));
	assert_int_equal(step(s, s->person[1], s->secret[1]), ERR_UNCERTIFIED);
	certify(s, 1, "head");
	assert_true(trio_settle(s->t));
	assert_int_equal(step(s, s->person[1], NULL), ERR_UNSIGNED);
	assert_int_equal(step(s, nobody, NULL), ERR_UNSIGNED);
	assert_int_equal(step(s, s->person[1], s->secret[0]), ERR_UNSIGNED); /* in another's name */
	assert_int_equal(step(s, s->person[0], s->secret[0]), ERR_SELF_REVIEW);
	assert_int_equal(step(s, s->person[1], s->secret[1]), 0);
}

/* A site cannot certify its own people. */
static void certificates_come_from_above(void **state)
{
	struct scene *s = *state;
	struct field_write f[] = {
	        trio_said("person_cert", "person", value_bytes(s->person[1], 8)),
	        trio_said("person_cert", "key", value_bytes(s->key[1], 32)),
	        trio_said("person_cert", "roles", value_text("head")),
	};
	struct write w = {.kind = WRITE_INSERT,
	                  .table = trio_table("person_cert"),
	                  .fields = f,
	                  .fields_count = ARRAY_COUNT(f)};

	assert_int_equal(write_as(s->t->site, &w, s->person[1], NULL), -ERR_NO_PERMISSION);
}

/* The signature is over what is done, where, and in whose name: each of these altered, and it is none. */
static void signature_covers_everything(void **state)
{
	struct scene *s = *state;
	struct field_value v = {1, value_text("agree")};
	struct op op = {.kind = OP_INSERT,
	                .table = 24,
	                .stamp = 77,
	                .slots = 2,
	                .values = &v,
	                .values_count = 1};
	struct changeset c = {
	        .seq = 9, .run = 5, .part = 1, .parts = 1, .ops = &op, .ops_count = 1};
	uint8_t scope[16] = {1}, sign[64];

	memcpy(c.author, s->person[1], 8);
	person_sign(&c, scope, LANE_OPEN, s->secret[1], sign);
	c.person_sign = span_of(sign, 64);
	assert_true(person_check(&c, scope, LANE_OPEN, s->key[1]));
	c.seq = 10; /* its place in the stream is not known when it is signed */
	assert_true(person_check(&c, scope, LANE_OPEN, s->key[1]));
	assert_false(person_check(&c, scope, LANE_COUNTY, s->key[1]));
	scope[0]++;
	assert_false(person_check(&c, scope, LANE_OPEN, s->key[1]));
	scope[0]--;
	assert_false(person_check(&c, scope, LANE_OPEN, s->key[0]));
	c.run++;
	assert_false(person_check(&c, scope, LANE_OPEN, s->key[1]));
	c.run--;
	op.stamp++;
	assert_false(person_check(&c, scope, LANE_OPEN, s->key[1]));
	op.stamp--;
	v.value = value_text("no");
	assert_false(person_check(&c, scope, LANE_OPEN, s->key[1]));
	v.value = value_text("agree");
	sign[7] ^= 1;
	assert_false(person_check(&c, scope, LANE_OPEN, s->key[1]));
	sign[7] ^= 1;
	assert_true(person_check(&c, scope, LANE_OPEN, s->key[1]));
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(good_one_is_taken),
	        TEST(bad_ones_are_refused),
	        TEST(certificates_come_from_above),
	        TEST(signature_covers_everything),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
