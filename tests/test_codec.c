/*
 * test_codec.c - the formats: exact both ways, canonical, bounded, and deaf to damage.
 * suite-timeout: 280
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base.h"

#include "common/crypt.h"
#include "common/ident.h"
#include "common/squeeze.h"
#include "proto/cert.h"
#include "proto/entry.h"
#include "proto/message.h"
#include "tests/support/changes.h"

/* ---- changesets and bodies */

static void row_form_is_exact(void **state)
{
	struct dice d = {1};
	struct changes_origin o;

	(void)state;
	changes_origin(&d, 5, &o);
	for (int round = 0; round < 1500; round++) {
		struct changeset *c, got;
		struct arena a, b;
		struct buf out, again;

		arena_init(&a, 0);
		buf_init(&out, BODY_BYTES_MAX);
		buf_init(&again, BODY_BYTES_MAX);
		c = changes_random(&d, &a, &o, dice_next(&d) >> 2, 1, 6);
		changeset_pack(c, &out);
		assert_false(out.full);
		arena_init(&b, CHANGESET_MEMORY_FACTOR * out.len + 4096);
		assert_int_equal(changeset_read(buf_span(&out), &b, &got, NULL), 0);
		assert_true(changeset_equal(c, &got));
		changeset_pack(&got, &again);
		assert_true(span_equal(buf_span(&out), buf_span(&again)));
		arena_done(&a);
		arena_done(&b);
		buf_done(&out);
		buf_done(&again);
	}
}

static void body_is_exact(void **state)
{
	struct dice d = {2};

	(void)state;
	for (int round = 0; round < 1500; round++) {
		size_t count = 1 + dice_below(&d, round % 50 ? 12 : 300),
		       runs = 1 + dice_below(&d, 4);
		struct changeset *cs, *got = NULL;
		struct changes_origin o;
		struct arena a, b;
		struct error err = {0};
		struct buf out;
		uint64_t seq = dice_below(&d, 1000);

		changes_origin(&d, runs, &o);
		arena_init(&a, 0);
		buf_init(&out, BODY_BYTES_MAX);
		cs = changes_random(&d, &a, &o, seq, count, round % 50 ? 5 : 1);
		if (body_encode(cs, count, o.runs, runs, &out, &err)) {
			fail_msg("round %d: %s", round, err.detail);
		}
		arena_init(&b, CHANGESET_MEMORY_FACTOR * out.len + 4096);
		if (body_decode(buf_span(&out), seq, count, o.runs, runs, &b, &got, &err)) {
			fail_msg("round %d: %s", round, err.detail);
		}
		for (size_t i = 0; i < count; i++) assert_true(changeset_equal(&cs[i], &got[i]));
		arena_done(&a);
		arena_done(&b);
		buf_done(&out);
	}
}

/* The first id that the operation refers to is that of a row which this body creates. */
static void names_born(struct op *op, const uint8_t row[16])
{
	for (size_t i = 0; i < op->values_count; i++)
		if (op->values[i].value.type == VALUE_BYTES && op->values[i].value.s.len == 16) {
			op->values[i].value.s.p = row;
			return;
		}
}

/* Encoder and decoder of one build agree whatever they do; those of two builds only while a body keeps its bytes.  The sum is that of
 * the first build (format 1): who changes it makes a new version of the format. */
static void bodies_keep_their_bytes(void **state)
{
	static const char first[] = "dc212fc9ab1c675ab0e61820f58057bb";
	struct dice d = {31};
	struct hash h;
	uint8_t sum[16];
	char hex[33];

	(void)state;
	hash_begin(&h, sizeof(sum));
	for (int round = 0; round < 400; round++) {
		struct changes_origin o;
		struct changes_place place;
		struct changeset *cs;
		struct arena a;
		struct buf out;
		size_t count = 1 + dice_below(&d, 40), runs = 1 + dice_below(&d, 4);

		changes_origin(&d, runs, &o);
		changes_place(&d, &place);
		arena_init(&a, 0);
		buf_init(&out, BODY_BYTES_MAX);
		cs = round % 4 ? changes_random(&d, &a, &o, 7, count, 5)
		               : changes_participation(&d, &a, &o, &place, count);
		for (size_t i = 0; i < count && round % 4 == 0; i++) {
			cs[i].seq = 7 + i;
			if (i) names_born(&cs[i].ops[0], cs[i - 1].ops[0].row);
		}
		assert_int_equal(body_encode(cs, count, o.runs, runs, &out, NULL), 0);
		hash_add(&h, out.p, out.len);
		buf_done(&out);
		arena_done(&a);
	}
	hash_end(&h, sum, sizeof(sum));
	hex_text(sum, sizeof(sum), hex);
	assert_string_equal(hex, first);
}

/* Calls back with every prefix and every single-bit flip; the callee frees nothing of it. */
static void damage(struct span in, void (*try_it)(struct span damaged, void *context),
                   void *context)
{
	uint8_t *copy = mem_alloc(in.len + 1);

	for (size_t len = 0; len < in.len; len++) {
		uint8_t *exact =
		        mem_alloc(len ? len : 1); /* so that ASan sees a read past the end */

		memcpy(exact, in.p, len);
		try_it(span_of(exact, len), context);
		free(exact);
	}
	for (size_t bit = 0; bit < 8 * in.len; bit++) {
		memcpy(copy, in.p, in.len);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		try_it(span_of(copy, in.len), context);
	}
	free(copy);
}

struct body_context {
	const struct changes_origin *o;
	size_t count, accepted;
};

static void try_body(struct span in, void *context)
{
	struct body_context *x = context;
	struct changeset *cs = NULL;
	struct arena a;
	struct buf out;

	arena_init(&a, CHANGESET_MEMORY_FACTOR * in.len + 4096);
	buf_init(&out, BODY_BYTES_MAX);
	if (body_decode(in, 5, x->count, x->o->runs, x->o->runs_count, &a, &cs, NULL) == 0) {
		x->accepted++;
		assert_int_equal(
		        body_encode(cs, x->count, x->o->runs, x->o->runs_count, &out, NULL), 0);
		assert_true(span_equal(buf_span(&out), in));
	}
	arena_done(&a);
	buf_done(&out);
}

static void try_row_form(struct span in, void *context)
{
	size_t *accepted = context;
	struct changeset c;
	struct arena a;
	struct buf out;

	arena_init(&a, CHANGESET_MEMORY_FACTOR * in.len + 4096);
	buf_init(&out, BODY_BYTES_MAX);
	if (changeset_read(in, &a, &c, NULL) == 0) {
		(*accepted)++;
		changeset_pack(&c, &out);
		assert_true(span_equal(buf_span(&out), in));
	}
	arena_done(&a);
	buf_done(&out);
}

static void damaged_bodies_are_errors_or_canonical(void **state)
{
	struct dice d = {3};

	(void)state;
	for (int round = 0; round < 25; round++) {
		struct changes_origin o;
		struct body_context x = {&o, 1 + dice_below(&d, 4), 0};
		struct changeset *cs;
		struct arena a;
		struct buf out;
		size_t rows = 0;

		changes_origin(&d, 2, &o);
		arena_init(&a, 0);
		buf_init(&out, BODY_BYTES_MAX);
		cs = changes_random(&d, &a, &o, 5, x.count, 3);
		assert_int_equal(body_encode(cs, x.count, o.runs, o.runs_count, &out, NULL), 0);
		damage(buf_span(&out), try_body, &x);
		assert_true(out.len < 40 ||
		            x.accepted > 0); /* a changed value is not damage that shows */
		buf_reset(&out);
		changeset_pack(&cs[0], &out);
		damage(buf_span(&out), try_row_form, &rows);
		buf_done(&out);
		arena_done(&a);
	}
}

static void encoder_refuses_what_breaks_the_rules(void **state)
{
	struct dice d = {4};
	struct changes_origin o;
	struct changeset c, two[2];
	struct op op = {.kind = OP_UPDATE, .table = 1, .stamp = 4096, .slots = 2};
	struct field_value v = {1, {.type = VALUE_INT, .i = 3}},
	                   old = {1, {.type = VALUE_INT, .i = 2}};
	struct clock_group g[2] = {{5, 1, 2}, {4, 1, 2}};
	struct buf out;

	(void)state;
	changes_origin(&d, 1, &o);
	buf_init(&out, BODY_BYTES_MAX);
	op.values = &v;
	op.values_count = 1;
	op.olds = &old;
	op.olds_count = 1;
	c = (struct changeset){.run = o.runs[0], .part = 1, .parts = 1, .ops = &op, .ops_count = 1};
	assert_int_equal(body_encode(&c, 1, o.runs, 1, &out, NULL), 0);
#define REFUSED(CODE, CHANGE, BACK)                                                                \
	do {                                                                                       \
		CHANGE;                                                                            \
		assert_int_equal(body_encode(&c, 1, o.runs, 1, &out, NULL), -(CODE));              \
		BACK;                                                                              \
	} while (0)
	REFUSED(ERR_INTERNAL, c.run ^= 1, c.run ^= 1);
	REFUSED(ERR_INTERNAL, c.part = 2, c.part = 1);
	REFUSED(ERR_INTERNAL, op.stamp = STAMP_MAX + 1, op.stamp = 4096);
	REFUSED(ERR_INTERNAL, op.slots = 6, op.slots = 2);
	REFUSED(ERR_INTERNAL, op.table = 0, op.table = 1);
	REFUSED(ERR_INTERNAL, old.slot = 2, old.slot = 1);
	REFUSED(ERR_INTERNAL, (op.groups = g, op.groups_count = 2), op.groups_count = 0);
	REFUSED(ERR_INTERNAL, op.kind = OP_INSERT, op.kind = OP_UPDATE);
	REFUSED(ERR_INTERNAL,
	        v.value = ((struct value){VALUE_TEXT, 0, {(const uint8_t *)"\xff", 1}}),
	        v.value = value_int(3));
	REFUSED(ERR_LIMIT, op.groups_count = CLOCK_GROUPS_MAX + 1, op.groups_count = 0);
	two[0] = two[1] = c;
	assert_int_equal(body_encode(two, 2, o.runs, 1, &out, NULL),
	                 -ERR_INTERNAL); /* the sequence */
	two[1].seq = 1;
	assert_int_equal(body_encode(two, 2, o.runs, 1, &out, NULL), 0);
	c.ops_count = CHANGESET_OPS_MAX + 1;
	assert_int_equal(body_encode(&c, 1, o.runs, 1, &out, NULL), -ERR_LIMIT);
	assert_int_equal(body_encode(&c, SEGMENT_CHANGESETS_MAX + 1, o.runs, 1, &out, NULL),
	                 -ERR_LIMIT);
	buf_done(&out);
}

static void bodies_keep_their_limit(void **state)
{
	struct dice d = {5};
	struct changes_origin o;
	struct changeset c;
	struct field_value v[6];
	struct op op = {.kind = OP_UPDATE,
	                .table = 1,
	                .stamp = 4096,
	                .slots = 63,
	                .values = v,
	                .values_count = 6};
	uint8_t *big = mem_alloc(VALUE_BYTES_MAX + 1);
	struct buf out;

	(void)state;
	changes_origin(&d, 1, &o);
	buf_init(&out, 2 * BODY_BYTES_MAX);
	dice_fill(&d, big, VALUE_BYTES_MAX + 1);
	for (uint8_t i = 0; i < 6; i++)
		v[i] = (struct field_value){i, value_bytes(big + i, VALUE_BYTES_MAX - 10u * i)};
	c = (struct changeset){.run = o.runs[0], .part = 1, .parts = 1, .ops = &op, .ops_count = 1};
	assert_int_equal(body_encode(&c, 1, o.runs, 1, &out, NULL), -ERR_LIMIT);
	v[0].value.s.len = VALUE_BYTES_MAX + 1;
	op.values_count = 1;
	op.slots = 1;
	assert_int_equal(body_encode(&c, 1, o.runs, 1, &out, NULL), -ERR_INTERNAL);
	v[0].value.s.len = VALUE_BYTES_MAX;
	buf_reset(&out);
	assert_int_equal(body_encode(&c, 1, o.runs, 1, &out, NULL), 0);
	buf_done(&out);
	free(big);
}

/* ---- segments */

static void make_segment(struct dice *d, struct changes_origin *o, struct arena *a, size_t count,
                         struct buf *head, struct buf *body, struct segment_head *h,
                         struct changeset **ret)
{
	struct error err = {0};
	uint8_t hash[32];

	changes_origin(d, 1 + dice_below(d, 3), o);
	*ret = changes_random(d, a, o, 77, count, 3);
	*h = (struct segment_head){.lane = LANE_COUNTY,
	                           .seal = 9,
	                           .k = 1,
	                           .n = 2,
	                           .count = (uint32_t)count,
	                           .also_count = 2,
	                           .nonces_count = o->runs_count};
	memcpy(h->origin, o->origin, 16);
	dice_fill(d, h->scope, 16);
	dice_fill(d, h->also, sizeof(h->also[0]) * 2);
	dice_fill(d, h->prev, 32);
	memcpy(h->nonces, o->nonces, sizeof(h->nonces));
	if (segment_make(h, *ret, o->runs, o->secret, head, body, hash, &err))
		fail_msg("%s", err.detail);
}

static void segments_are_exact_and_checked(void **state)
{
	struct dice d = {6};

	(void)state;
	for (int round = 0; round < 60; round++) {
		struct changes_origin o, other;
		struct changeset *cs, *got;
		struct segment_head h, read;
		struct buf head, body;
		struct segment s;
		struct arena a;
		size_t count = 1 + dice_below(&d, 9), got_count;

		arena_init(&a, 0);
		buf_init(&head, HEAD_BYTES_MAX);
		buf_init(&body, BODY_SQUEEZED_MAX);
		make_segment(&d, &o, &a, count, &head, &body, &h, &cs);
		assert_int_equal(segment_head_read(span_of(head.p, head.len - 64), &read, NULL), 0);
		assert_memory_equal(&read.also, &h.also, sizeof(h.also));
		assert_int_equal(segment_open(buf_span(&head), buf_span(&body), &s, NULL), 0);
		assert_int_equal(segment_check(&s, o.key, &a, NULL), 0);
		assert_int_equal(segment_changesets(&s, &a, &got, &got_count, NULL), 0);
		assert_int_equal(got_count, count);
		for (size_t i = 0; i < count; i++) assert_true(changeset_equal(&cs[i], &got[i]));

		changes_origin(&d, 1, &other);
		assert_int_equal(segment_check(&s, other.key, &a, NULL), -ERR_SIGNATURE);
		for (size_t bit = 0; bit < 8 * head.len; bit += 1 + dice_below(&d, 40)) {
			head.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
			if (segment_open(buf_span(&head), buf_span(&body), &s, NULL) == 0)
				assert_int_equal(segment_check(&s, o.key, &a, NULL),
				                 -ERR_SIGNATURE);
			head.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		body.p[dice_below(&d, body.len)] ^= 4;
		assert_int_equal(segment_open(buf_span(&head), buf_span(&body), &s, NULL), 0);
		assert_int_equal(segment_check(&s, o.key, &a, NULL), -ERR_SIGNATURE);
		arena_done(&a);
		buf_done(&head);
		buf_done(&body);
	}
}

/* Signed by its origin, and still not right: becomes a hole. */
static void static_check_finds_minted_ids(void **state)
{
	struct dice d = {7};
	struct changes_origin o;
	struct op op = {.kind = OP_INSERT, .table = 1, .stamp = 8192};
	struct changeset c;
	struct segment_head h = {.seal = 1, .k = 1, .n = 1, .count = 1, .nonces_count = 1};
	struct buf head, body;
	struct segment s;
	struct arena a;
	uint8_t hash[32];

	(void)state;
	changes_origin(&d, 1, &o);
	memcpy(h.origin, o.origin, 16);
	memcpy(h.nonces, o.nonces, sizeof(h.nonces));
	c = (struct changeset){
	        .seq = 1, .run = o.runs[0], .part = 1, .parts = 1, .ops = &op, .ops_count = 1};
	arena_init(&a, 0);
	buf_init(&head, 4 * HEAD_BYTES_MAX);
	buf_init(&body, BODY_SQUEEZED_MAX);
	for (int minted = 0; minted < 3; minted++) {
		buf_reset(&head);
		buf_reset(&body);
		id_make(op.stamp + (minted == 1), o.runs[0] ^ (minted == 2), op.row);
		assert_int_equal(segment_make(&h, &c, o.runs, o.secret, &head, &body, hash, NULL),
		                 0);
		assert_int_equal(segment_open(buf_span(&head), buf_span(&body), &s, NULL), 0);
		assert_int_equal(segment_check(&s, o.key, &a, NULL), minted ? -ERR_PROTOCOL : 0);
	}
	/* A run that is not of the nonce. */
	o.nonces[0][0] ^= 1;
	memcpy(h.nonces, o.nonces, sizeof(h.nonces));
	assert_int_equal(segment_make(&h, &c, o.runs, o.secret, &head, &body, hash, NULL),
	                 -ERR_INTERNAL);
	arena_done(&a);
	buf_done(&head);
	buf_done(&body);
}

/* ---- admissions and holes */

static void admissions_are_exact(void **state)
{
	struct dice d = {8};
	struct changes_origin o, other;

	(void)state;
	changes_origin(&d, 1, &o);
	changes_origin(&d, 1, &other);
	for (int round = 0; round < 200; round++) {
		struct admission_item items[8] = {0};
		struct verdict verdicts[8][20] = {0};
		struct admission m = {.lane = 1,
		                      .at_ms = (int64_t)dice_next(&d),
		                      .number = 1 + dice_below(&d, 9),
		                      .items = items,
		                      .items_count = 1 + dice_below(&d, 8)},
		                 got;
		uint8_t hash[32], got_hash[32], sign[64];
		struct arena a;
		struct buf out;

		for (size_t i = 0; i < m.items_count; i++) {
			uint32_t ordinal = 0;

			dice_fill(&d, items[i].segment, 32);
			items[i].mode = (uint8_t)dice_below(&d, 2);
			items[i].verdicts = verdicts[i];
			items[i].verdicts_count = dice_below(&d, 20);
			for (size_t k = 0; k < items[i].verdicts_count; k++) {
				ordinal += 1 + (uint32_t)dice_below(&d, 99);
				verdicts[i][k] = (struct verdict){
				        .ordinal = ordinal, .accepted = (uint8_t)dice_below(&d, 3)};
				if (verdicts[i][k].accepted != 1)
					verdicts[i][k].code = ERR_LOCKED, verdicts[i][k].field = 9;
			}
		}
		dice_fill(&d, m.hub, 16);
		dice_fill(&d, m.scope, 16);
		arena_init(&a, 1 << 20);
		buf_init(&out, ADMISSION_BYTES_MAX);
		assert_int_equal(admission_make(&m, o.secret, &out, hash, NULL), 0);
		assert_int_equal(entry_check_sign(buf_span(&out), o.key, NULL), 0);
		assert_int_equal(entry_check_sign(buf_span(&out), other.key, NULL), -ERR_SIGNATURE);
		assert_int_equal(admission_open(buf_span(&out), &a, &got, got_hash, sign, NULL), 0);
		assert_memory_equal(hash, got_hash, 32);
		assert_int_equal(got.items_count, m.items_count);
		assert_int_equal(got.at_ms, m.at_ms);
		for (size_t i = 0; i < m.items_count; i++) {
			assert_memory_equal(got.items[i].segment, items[i].segment, 32);
			assert_int_equal(got.items[i].verdicts_count, items[i].verdicts_count);
			for (size_t k = 0; k < items[i].verdicts_count; k++) {
				assert_int_equal(got.items[i].verdicts[k].ordinal,
				                 verdicts[i][k].ordinal);
				assert_int_equal(got.items[i].verdicts[k].code,
				                 verdicts[i][k].code);
				assert_int_equal(got.items[i].verdicts[k].accepted,
				                 verdicts[i][k].accepted);
			}
		}
		out.p[dice_below(&d, out.len)] ^= 16;
		assert_int_equal(entry_check_sign(buf_span(&out), o.key, NULL), -ERR_SIGNATURE);
		arena_done(&a);
		buf_done(&out);
	}
}

static void admissions_keep_their_limits(void **state)
{
	struct admission_item *items = mem_alloc((ADMISSION_ITEMS_MAX + 1) * sizeof(*items));
	struct verdict two[2] = {{5, 0, ERR_LOCKED, 0}, {5, 0, ERR_LOCKED, 0}};
	struct admission m = {.number = 1, .items = items, .items_count = ADMISSION_ITEMS_MAX};
	struct dice d = {9};
	struct changes_origin o;
	uint8_t hash[32];
	struct buf out;

	(void)state;
	changes_origin(&d, 1, &o);
	buf_init(&out, ADMISSION_BYTES_MAX);
	assert_int_equal(admission_make(&m, o.secret, &out, hash, NULL), 0);
	m.items_count++;
	assert_int_equal(admission_make(&m, o.secret, &out, hash, NULL), -ERR_LIMIT);
	m.items_count = 1;
	items[0].verdicts = two;
	items[0].verdicts_count = 2;
	assert_int_equal(admission_make(&m, o.secret, &out, hash, NULL), -ERR_PROTOCOL);
	buf_done(&out);
	free(items);
}

static void holes_are_exact(void **state)
{
	struct dice d = {10};
	struct changes_origin o, remover;
	struct changeset *cs;
	struct segment_head h;
	struct buf head, body, out;
	struct hole hole = {.cause = ERR_CEILING, .at_ms = 123456}, got;
	uint8_t hash[32], got_hash[32], sign[64];
	struct segment s;
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	buf_init(&head, HEAD_BYTES_MAX);
	buf_init(&body, BODY_SQUEEZED_MAX);
	buf_init(&out, MESSAGE_BYTES_MAX);
	make_segment(&d, &o, &a, 3, &head, &body, &h, &cs);
	assert_int_equal(segment_open(buf_span(&head), buf_span(&body), &s, NULL), 0);
	changes_origin(&d, 1, &remover);
	hole.head = buf_span(&head);
	memcpy(hole.remover, remover.origin, 16);
	for (int restated = 0; restated < 2; restated++) {
		buf_reset(&out);
		hole.restated = restated ? buf_span(&body) : span_of(NULL, 0);
		assert_int_equal(hole_make(&hole, remover.secret, &out, hash, NULL), 0);
		assert_int_equal(hole_open(buf_span(&out), &got, got_hash, sign, NULL), 0);
		assert_memory_equal(hash, got_hash, 32);
		assert_memory_equal(got.segment_hash, s.hash, 32);
		assert_true(span_equal(got.head, hole.head));
		assert_true(span_equal(got.restated, hole.restated));
		assert_int_equal(got.cause, ERR_CEILING);
		assert_int_equal(entry_check_sign(buf_span(&out), remover.key, NULL), 0);
		assert_int_equal(entry_check_sign(buf_span(&out), o.key, NULL), -ERR_SIGNATURE);
		for (size_t len = 0; len < out.len; len++)
			assert_true(hole_open(span_of(out.p, len), &got, got_hash, sign, NULL) !=
			            0);
	}
	arena_done(&a);
	buf_done(&head);
	buf_done(&body);
	buf_done(&out);
}

/* ---- certificates */

struct authority {
	struct cert chain[CERT_CHAIN_MAX + 1]; /* root last */
	uint8_t secret[CERT_CHAIN_MAX + 1][64];
	uint8_t fingerprint[32];
	size_t count;
};

static void issue(struct authority *x, size_t i)
{
	bool root = i + 1 == x->count;
	struct buf out;

	if (!root) memcpy(x->chain[i].issuer, x->chain[i + 1].id, 16);
	buf_init(&out, CERT_BYTES_MAX);
	assert_int_equal(cert_make(&x->chain[i], x->secret[root ? i : i + 1], &out, NULL), 0);
	buf_done(&out);
}

static void found(struct dice *d, struct authority *x, size_t count)
{
	*x = (struct authority){.count = count};
	for (size_t i = count; i-- > 0;) {
		struct cert *c = &x->chain[i];
		uint8_t seed[32];

		dice_fill(d, seed, 32);
		sign_keypair(seed, c->origin_key, x->secret[i]);
		dice_fill(d, c->link_key, 32);
		dice_fill(d, c->unit, 16);
		c->role = i + 1 == count ? CERT_ROOT : i ? CERT_HUB : CERT_NODE;
		c->level = (uint8_t)(LEVEL_PROVINCE + (count - 1 - i > 4 ? 4 : count - 1 - i));
		c->lanes = 7;
		c->not_before_ms = 1000 + (int64_t)(count - i);
		c->not_after_ms = 9000 - (int64_t)(count - i);
		memcpy(c->code, "350102001002", 13);
		issue(x, i);
	}
	cert_fingerprint(x->chain[count - 1].origin_key, x->fingerprint);
}

static void chains_are_checked(void **state)
{
	struct dice d = {11};
	struct authority x, y;
	struct cert keep;

	(void)state;
	for (size_t n = 1; n <= CERT_CHAIN_MAX; n++) {
		found(&d, &x, n);
		assert_int_equal(cert_check_chain(x.chain, n, x.fingerprint, NULL), 0);
	}
	found(&d, &y, 3);
	assert_int_equal(cert_check_chain(x.chain, 5, y.fingerprint, NULL), -ERR_CERT_BAD);
	assert_int_equal(cert_check_chain(x.chain, 4, x.fingerprint, NULL),
	                 -ERR_CERT_BAD); /* no root */
	assert_int_equal(cert_check_chain(x.chain, 0, x.fingerprint, NULL), -ERR_CERT_BAD);
	found(&d, &y, CERT_CHAIN_MAX + 1);
	assert_int_equal(cert_check_chain(y.chain, CERT_CHAIN_MAX + 1, y.fingerprint, NULL),
	                 -ERR_CERT_BAD);

#define BAD_CERT(I, CHANGE)                                                                        \
	do {                                                                                       \
		keep = x.chain[I];                                                                 \
		CHANGE;                                                                            \
		issue(&x, I);                                                                      \
		assert_int_equal(cert_check_chain(x.chain, 5, x.fingerprint, NULL),                \
		                 -ERR_CERT_BAD);                                                   \
		x.chain[I] = keep;                                                                 \
		assert_int_equal(cert_check_chain(x.chain, 5, x.fingerprint, NULL), 0);            \
	} while (0)
	BAD_CERT(0, x.chain[0].not_after_ms = x.chain[1].not_after_ms + 1);
	BAD_CERT(0, x.chain[0].not_before_ms = x.chain[1].not_before_ms - 1);
	BAD_CERT(0, x.chain[0].lanes = 15);
	BAD_CERT(1, x.chain[1].role = CERT_NODE); /* a node that issued */
	/* A custodian hub may hold closed lanes that the province above it does not. */
	keep = x.chain[0];
	x.chain[0].role = CERT_HUB;
	x.chain[0].lanes = 15;
	issue(&x, 0);
	assert_int_equal(cert_check_chain(x.chain, 5, x.fingerprint, NULL), 0);
	x.chain[0] = keep;

	/* Every signed byte counts. */
	keep = x.chain[0];
	x.chain[0].level--;
	assert_int_equal(cert_check_chain(x.chain, 5, x.fingerprint, NULL), -ERR_CERT_BAD);
	x.chain[0] = keep;
	x.chain[0].id[3] ^= 1;
	assert_int_equal(cert_check_chain(x.chain, 5, x.fingerprint, NULL), -ERR_CERT_BAD);
	x.chain[0] = keep;
	x.chain[0].sign[3] ^= 1;
	assert_int_equal(cert_check_chain(x.chain, 5, x.fingerprint, NULL), -ERR_CERT_BAD);
	x.chain[0] = keep;
	/* A hub's certificate, self-made, with the root's role. */
	x.chain[1].role = CERT_ROOT;
	memset(x.chain[1].issuer, 0, 16);
	assert_int_equal(cert_check_chain(x.chain, 2, x.fingerprint, NULL), -ERR_CERT_BAD);
}

static void try_cert(struct span in, void *context)
{
	const struct cert *issuer = context;
	struct cert c;

	if (cert_open(in, &c, NULL) == 0)
		assert_int_equal(cert_check_issued(&c, issuer, NULL), -ERR_CERT_BAD);
}

static void damaged_certificates_are_found(void **state)
{
	struct dice d = {12};
	struct authority x;
	struct cert got;
	struct buf out;

	(void)state;
	found(&d, &x, 3);
	buf_init(&out, CERT_BYTES_MAX);
	assert_int_equal(cert_make(&x.chain[0], x.secret[1], &out, NULL), 0);
	assert_int_equal(cert_open(buf_span(&out), &got, NULL), 0);
	assert_memory_equal(&got, &x.chain[0], sizeof(got));
	assert_int_equal(cert_check_issued(&got, &x.chain[1], NULL), 0);
	damage(buf_span(&out), try_cert, &x.chain[1]);
	buf_done(&out);
}

/* ---- tokens */

static void try_token(struct span in, void *context)
{
	struct buf text, again;
	struct token t;

	(void)context;
	buf_init(&text, 4096);
	buf_init(&again, 4096);
	buf_add(&text, in.p, in.len);
	if (token_parse(buf_cstr(&text), &t, NULL) == 0) {
		token_text(&t, &again);
		assert_non_null(strstr(buf_cstr(&text), buf_cstr(&again)));
	}
	buf_done(&text);
	buf_done(&again);
}

static void tokens_are_exact(void **state)
{
	struct token t = {.endpoint = "tcp://192.168.1.9:7703",
	                  .role = CERT_NODE,
	                  .expires_ms = 1790000000000,
	                  .code = "350102001002",
	                  .name = "鼓楼区东街街道军门社区"},
	             got;
	struct dice d = {13};
	struct buf text;

	(void)state;
	dice_fill(&d, t.link_key, 32);
	dice_fill(&d, t.root_fingerprint, 32);
	dice_fill(&d, t.secret, 16);
	dice_fill(&d, t.unit, 16);
	buf_init(&text, 2000);
	token_text(&t, &text);
	assert_int_equal(token_parse(buf_cstr(&text), &got, NULL), 0);
	assert_memory_equal(&t, &got, sizeof(t));
	damage(buf_span(&text), try_token, NULL);
	buf_reset(&text);
	buf_text(&text, "\r\n  ");
	token_text(&t, &text);
	buf_text(&text, " \n");
	assert_int_equal(token_parse(buf_cstr(&text), &got, NULL), 0);
	buf_text(&text, "x");
	assert_int_equal(token_parse(buf_cstr(&text), &got, NULL), -ERR_TOKEN_FORM);
	assert_int_equal(token_parse("", &got, NULL), -ERR_TOKEN_FORM);
	assert_int_equal(token_parse("JG1-", &got, NULL), -ERR_TOKEN_FORM);
	assert_int_equal(token_parse("JG2-AAAA", &got, NULL), -ERR_TOKEN_FORM);
	memset(t.endpoint, 'e', sizeof(t.endpoint) - 1);
	memset(t.name, 'n', sizeof(t.name) - 1);
	buf_reset(&text);
	token_text(&t, &text);
	assert_int_equal(token_parse(buf_cstr(&text), &got, NULL), 0);
	buf_done(&text);
}

/* ---- messages */

/* Short forms: what the receiver has is what was signed, to the byte, whatever was named before. */
static void data_is_rebuilt_exactly(void **state)
{
	struct dice d = {14};
	struct short_form tx = {0}, rx = {0};
	struct changes_origin origins[4];
	uint8_t scopes[3][16], last[4][3][32] = {0};
	size_t first = 0, later = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++) changes_origin(&d, 1, &origins[i]);
	dice_fill(&d, scopes, sizeof(scopes));
	for (int round = 0; round < 300; round++) {
		size_t who = dice_below(&d, 4), where = dice_below(&d, 3);
		struct changes_origin *o = &origins[who];
		struct segment_head h = {.lane = LANE_COUNTY,
		                         .seal = (uint64_t)round + 1,
		                         .k = 1,
		                         .n = 1,
		                         .count = 1,
		                         .nonces_count = 1,
		                         .also_count = (uint8_t)dice_below(&d, 3)};
		struct changeset *cs;
		struct message m = {.type = MSG_DATA}, got;
		struct buf head, body, out;
		struct arena a;
		uint8_t hash[32];

		arena_init(&a, 0);
		buf_init(&head, HEAD_BYTES_MAX);
		buf_init(&body, BODY_SQUEEZED_MAX);
		buf_init(&out, MESSAGE_BYTES_MAX);
		cs = changes_random(&d, &a, o, 1 + (uint64_t)round, 1, 2);
		memcpy(h.origin, o->origin, 16);
		memcpy(h.scope, scopes[where], 16);
		for (size_t i = 0; i < h.also_count; i++)
			memcpy(h.also[i], scopes[dice_below(&d, 3)], 16);
		memcpy(h.nonces, o->nonces, sizeof(h.nonces));
		if (dice_below(&d, 5))
			memcpy(h.prev, last[who][where], 32);
		else
			dice_fill(&d, h.prev, 32);
		assert_int_equal(segment_make(&h, cs, o->runs, o->secret, &head, &body, hash, NULL),
		                 0);
		memcpy(last[who][where], hash, 32);
		m.data = (struct msg_data){.session = dice_next(&d),
		                           .pos = round,
		                           .kind = ENTRY_SEGMENT,
		                           .head = buf_span(&head),
		                           .body = buf_span(&body)};
		message_pack(&m, &tx, &out);
		assert_int_equal(message_read(buf_span(&out), &rx, &a, &got, NULL), 0);
		assert_true(span_equal(got.data.head, m.data.head));
		assert_true(span_equal(got.data.body, m.data.body));
		assert_int_equal(got.data.pos, round);
		if (round == 0) first = out.len - body.len;
		later = out.len - body.len;
		arena_done(&a);
		buf_done(&head);
		buf_done(&body);
		buf_done(&out);
	}
	assert_true(later < first);
	assert_true(later < 130);
	short_form_done(&tx);
	short_form_done(&rx);
	short_form_done(&rx);
}

/* More names than a direction remembers: the rest is sent long. */
static void short_memory_is_bounded(void **state)
{
	struct dice d = {15};
	struct short_form tx = {0}, rx = {0};
	struct changes_origin o;
	struct segment_head h = {.format = FORMAT_1,
	                         .suite = SUITE_1,
	                         .seal = 1,
	                         .k = 1,
	                         .n = 1,
	                         .count = 1,
	                         .nonces_count = 1,
	                         .seq_first = 1};
	struct buf head, out;
	struct arena a;

	(void)state;
	changes_origin(&d, 1, &o);
	arena_init(&a, 0);
	buf_init(&head, HEAD_BYTES_MAX);
	buf_init(&out, MESSAGE_BYTES_MAX);
	for (int round = 0; round < 9000; round++) {
		struct message m = {.type = MSG_DATA}, got;

		buf_reset(&head);
		buf_reset(&out);
		arena_reset(&a);
		if (round < 8990) dice_fill(&d, h.origin, 16);
		dice_fill(&d, h.scope, 16);
		hash_of(span_of("body", 4), h.body_hash, 32);
		segment_head_pack(&h, &head);
		buf_add(&head, (const uint8_t[64]){1}, 64);
		m.data = (struct msg_data){
		        .kind = ENTRY_SEGMENT, .head = buf_span(&head), .body = span_of("body", 4)};
		message_pack(&m, &tx, &out);
		assert_int_equal(message_read(buf_span(&out), &rx, &a, &got, NULL), 0);
		assert_true(span_equal(got.data.head, m.data.head));
	}
	short_form_done(&tx);
	short_form_done(&rx);
	arena_done(&a);
	buf_done(&head);
	buf_done(&out);
}

static void try_message(struct span in, void *context)
{
	struct message got;
	struct arena a;
	struct buf out;

	(void)context;
	arena_init(&a, 1 << 20);
	buf_init(&out, 2 * MESSAGE_BYTES_MAX);
	if (message_read(in, NULL, &a, &got, NULL) == 0) {
		message_pack(&got, NULL, &out);
		assert_true(span_equal(buf_span(&out), in));
	}
	buf_done(&out);
	arena_done(&a);
}

/* Every type with random fields, and damaged. */
static void messages_are_exact(void **state)
{
	static const uint8_t types[] = {MSG_HELLO, MSG_WELCOME, MSG_REFUSE, MSG_DATA,  MSG_ACK,
	                                MSG_PLACE, MSG_MARKS,   MSG_ASK,    MSG_STATE, MSG_BYE,
	                                MSG_CERT,  MSG_JOIN,    MSG_JOINED};
	struct dice d = {16};

	(void)state;
	for (int round = 0; round < 130; round++) {
		struct message m = {0};
		uint8_t bytes[64];
		struct buf out;

		m.type = types[round % 13];
		dice_fill(&d, bytes, sizeof(bytes));
		if (m.type == MSG_HELLO) {
			dice_fill(&d, &m.hello, sizeof(m.hello));
			if (round & 1) m.hello.last_run = m.hello.run;
			if (round % 3 == 0) memcpy(m.hello.cursor.mark.filter, m.hello.filter, 8);
			if (round % 5 == 0) memset(m.hello.state, 0, 16);
		} else if (m.type == MSG_WELCOME) {
			dice_fill(&d, &m.welcome, offsetof(struct msg_welcome, confirmed));
			m.welcome.confirmed = round & 1;
			m.welcome.unsettled = round & 2;
		} else if (m.type == MSG_DATA) {
			m.data = (struct msg_data){.session = dice_next(&d),
			                           .pos = (int64_t)dice_next(&d),
			                           .kind = ENTRY_ADMISSION,
			                           .head = span_of(bytes, 64),
			                           .body = span_of(bytes, 3)};
		} else if (m.type == MSG_MARKS) {
			dice_fill(&d, m.marks.marks, sizeof(m.marks.marks));
			m.marks.count = dice_below(&d, 4);
		} else if (m.type == MSG_CERT) {
			m.cert.cert = span_of(bytes, 64);
		} else if (m.type == MSG_JOINED) {
			m.joined.chain_count = dice_below(&d, CERT_CHAIN_MAX + 1);
			for (size_t i = 0; i < m.joined.chain_count; i++)
				m.joined.chain[i] = span_of(bytes, dice_below(&d, 64));
			m.joined.clock_ms = (int64_t)dice_next(&d);
		} else if (m.type == MSG_JOIN) {
			dice_fill(&d, &m.join, sizeof(m.join));
		} else if (m.type == MSG_STATE) {
			m.state = (struct msg_state){
			        .session = dice_next(&d), .acked = -1, .parked = 7, .reply = true};
		} else if (m.type == MSG_REFUSE) {
			m.refuse = (struct msg_refuse){
			        .session = dice_next(&d), .code = ERR_VERSION, .retry_after_s = 7};
		} else if (m.type == MSG_PLACE) {
			dice_fill(&d, &m.place.mark, sizeof(m.place.mark));
		} else if (m.type == MSG_ASK) {
			m.ask = (struct msg_ask){.what = ASK_CERT, .id = {1, 2, 3}};
		}
		buf_init(&out, 2 * MESSAGE_BYTES_MAX);
		message_pack(&m, NULL, &out);
		{
			struct message got;
			struct arena a;

			arena_init(&a, 1 << 20);
			assert_int_equal(message_read(buf_span(&out), NULL, &a, &got, NULL), 0);
			if (m.type == MSG_HELLO) {
				assert_int_equal(got.hello.last_run, m.hello.last_run);
				assert_int_equal(got.hello.clock_ms, m.hello.clock_ms);
				assert_memory_equal(&got.hello.cursor.mark, &m.hello.cursor.mark,
				                    sizeof(struct mark));
				assert_memory_equal(got.hello.state, m.hello.state, 16);
			}
			arena_done(&a);
		}
		try_message(buf_span(&out), NULL);
		damage(buf_span(&out), try_message, NULL);
		buf_done(&out);
	}
}

/* ---- what a row costs (architecture section 12): printed, and held to the targets */

static size_t payload(struct changes_origin *o, const struct changeset *cs, size_t count)
{
	struct segment_head h = {.lane = LANE_COUNTY,
	                         .seal = 300,
	                         .k = 1,
	                         .n = 1,
	                         .count = (uint32_t)count,
	                         .nonces_count = 1};
	struct message m = {.type = MSG_DATA};
	struct short_form s = {0};
	struct buf head, body, out;
	uint8_t hash[32];
	size_t len;

	buf_init(&head, HEAD_BYTES_MAX);
	buf_init(&body, BODY_SQUEEZED_MAX);
	buf_init(&out, MESSAGE_BYTES_MAX);
	memcpy(h.origin, o->origin, 16);
	memcpy(h.scope, o->origin, 16);
	memcpy(h.nonces, o->nonces, sizeof(h.nonces));
	assert_int_equal(segment_make(&h, cs, o->runs, o->secret, &head, &body, hash, NULL), 0);
	m.data = (struct msg_data){.session = UINT64_MAX,
	                           .pos = 70000,
	                           .kind = ENTRY_SEGMENT,
	                           .head = buf_span(&head),
	                           .body = buf_span(&body)};
	/* The second of its stream in the session. */
	message_pack(&m, &s, &out);
	buf_reset(&out);
	buf_reset(&head);
	buf_reset(&body);
	memcpy(h.prev, hash, 32);
	h.seal++;
	assert_int_equal(segment_make(&h, cs, o->runs, o->secret, &head, &body, hash, NULL), 0);
	m.data.head = buf_span(&head);
	m.data.body = buf_span(&body);
	message_pack(&m, &s, &out);
	len = out.len;
	print_message("%5zu rows: payload %zu, body %" PRIu32 " -> %zu\n", count, len,
	              h.plain_bytes, body.len);
	buf_done(&head);
	buf_done(&body);
	buf_done(&out);
	short_form_done(&s);
	return len;
}

static void rows_cost_what_they_may(void **state)
{
	static const size_t counts[] = {1, 10, 100, 1000};
	/* Ids of 40 runs here, of one in the benches: a few more bytes. */
	static const unsigned permille[] = {0, 450, 250, 150};
	struct changes_origin o;
	struct dice d = {17};
	struct arena a;

	(void)state;
	changes_origin(&d, 1, &o);
	arena_init(&a, 0);
	for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
		struct changes_place place;
		struct changeset *cs;
		size_t plain, len;

		changes_place(&d, &place);
		cs = changes_participation(&d, &a, &o, &place, counts[i]);
		plain = changes_plain(cs, counts[i]);
		len = payload(&o, cs, counts[i]);
		print_message("participation, %4zu rows: %.1f B a row, %.3f of msgpack (%.0f)\n",
		              counts[i], (double)len / (double)counts[i],
		              (double)len / (double)plain, (double)plain / (double)counts[i]);
		if (permille[i]) assert_true(1000 * len <= permille[i] * plain);
		if (counts[i] == 1000) {
			cs = changes_updates(&d, &a, &o, &place, 1000);
			len = payload(&o, cs, 1000);
			print_message("updates of one column, 1000 rows: %.1f B each\n",
			              (double)len / 1000);
			assert_true(len <= 12 * 1000);
		}
	}
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(row_form_is_exact),
	        cmocka_unit_test(body_is_exact),
	        cmocka_unit_test(bodies_keep_their_bytes),
	        cmocka_unit_test(damaged_bodies_are_errors_or_canonical),
	        cmocka_unit_test(encoder_refuses_what_breaks_the_rules),
	        cmocka_unit_test(bodies_keep_their_limit),
	        cmocka_unit_test(segments_are_exact_and_checked),
	        cmocka_unit_test(static_check_finds_minted_ids),
	        cmocka_unit_test(admissions_are_exact),
	        cmocka_unit_test(admissions_keep_their_limits),
	        cmocka_unit_test(holes_are_exact),
	        cmocka_unit_test(chains_are_checked),
	        cmocka_unit_test(damaged_certificates_are_found),
	        cmocka_unit_test(tokens_are_exact),
	        cmocka_unit_test(data_is_rebuilt_exactly),
	        cmocka_unit_test(short_memory_is_bounded),
	        cmocka_unit_test(messages_are_exact),
	        cmocka_unit_test(rows_cost_what_they_may),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
