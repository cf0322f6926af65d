/*
 * test_province_signature.c - a county can lie only under its own name: what it alters in a site's segment
 * the province does not take, and the site's own words are taken afterwards all the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base.h"

#include "common/ident.h"
#include "tests/sim/play.h"

#define FIELDS(...)                                                                                \
	(const struct play_field[]){__VA_ARGS__},                                                  \
	        sizeof((const struct play_field[]){__VA_ARGS__}) / sizeof(struct play_field)

struct parcel {
	unsigned kind;
	struct buf head, body;
	bool fresh;
	int rc;
};

/* The transaction is kept whatever append said: as the session does, which ends the link and commits. */
static int work_append(struct device *d, void *ctx)
{
	struct parcel *p = ctx;

	p->rc = replica_append(d->replica, p->kind, buf_span(&p->head), buf_span(&p->body),
	                       /* from= */ 0, &p->fresh);
	return 0;
}

struct applying {
	bool more;
};

static int work_apply(struct device *d, void *ctx)
{
	struct applying *x = ctx;

	return replica_apply(d->replica, 1000, &x->more);
}

struct scene {
	struct sim *s;
	struct device *province, *county, *node, *reader;
	struct entry *entry; /* the site's open segment with the thing */
	struct segment segment;
	struct arena arena;
	uint8_t thing[16];
};

static void deliver(struct scene *x, const struct parcel *p)
{
	struct parcel copy = *p;
	struct applying applying = {0};

	assert_int_equal(device_transaction(x->reader, "append", work_append, &copy), 0);
	((struct parcel *)(uintptr_t)p)->rc = copy.rc;
	((struct parcel *)(uintptr_t)p)->fresh = copy.fresh;
	assert_int_equal(device_transaction(x->reader, "apply", work_apply, &applying), 0);
}

/* What the reader at the province has in `f` of the thing: -1 when it has no such row. */
static int64_t shown(struct scene *x)
{
	struct row *row = NULL;

	assert_int_equal(store_rows_get(x->reader->keeper, TABLE_THING, LANE_OPEN,
	                                (const uint8_t(*)[16]) & x->thing, 1, &x->arena, &row),
	                 0);
	return row ? row->v[1].i : -1;
}

static void parcel_of(const struct entry *e, struct parcel *ret)
{
	*ret = (struct parcel){.kind = e->kind};
	buf_init(&ret->head, MESSAGE_BYTES_MAX);
	buf_init(&ret->body, MESSAGE_BYTES_MAX);
	buf_add(&ret->head, e->head.p, e->head.len);
	buf_add(&ret->body, e->body.p, e->body.len);
}

static void parcel_done(struct parcel *p)
{
	buf_done(&p->head);
	buf_done(&p->body);
}

/* A site writes, the county admits; the reader is a province that has not yet heard of it. */
static void scene_init(struct scene *x)
{
	int64_t head = 0;
	uint8_t rolling[ROLLING_BYTES];
	struct error err = {0};

	*x = (struct scene){.s = play_new(11, 3, 1, 1, 1)};
	arena_init(&x->arena, 0);
	x->province = play_device(x->s, true, 0);
	x->county = play_device(x->s, true, 1);
	x->node = play_device(x->s, false, 0);
	assert_int_equal(play_insert(x->node, "thing",
	                             FIELDS({"f", value_int(41)}, {"g", value_text("g")}),
	                             x->thing),
	                 0);
	if (!play_settle(x->s))
		print_message("%s: %s\n", x->s->world.failed_rule, x->s->world.failure);
	assert_int_equal(x->s->world.failed_rule[0], '\0');
	x->reader = device_twin(x->province, 1);
	assert_int_equal(device_start(x->reader, true), 0);
	assert_int_equal(device_adopt(x->reader), 0);
	assert_int_equal(store_journal_head(x->county->keeper, &head, rolling), 0);
	for (int64_t recv = 1; recv <= head; recv++) {
		struct entry *e = NULL;
		struct parcel p;

		assert_int_equal(store_journal_get(x->county->keeper, recv, &x->arena, &e), 0);
		if (e->kind == ENTRY_SEGMENT && e->lane == LANE_OPEN &&
		    memcmp(e->origin, x->node->identity.origin, 16) == 0)
			x->entry = e;
		if (e->lane != LANE_OPEN || e->kind == ENTRY_SEGMENT) continue;
		parcel_of(e, &p); /* certificates and the county's admissions */
		deliver(x, &p);
		parcel_done(&p);
	}
	assert_non_null(x->entry);
	assert_int_equal(segment_open(x->entry->head, x->entry->body, &x->segment, &err), 0);
	assert_int_equal(shown(x), -1);
}

static void scene_done(struct scene *x)
{
	device_free(x->reader);
	arena_done(&x->arena);
	play_free(x->s);
}

/* Not taken now, nothing shown, and the genuine one is taken after it. */
static void assert_not_taken(struct scene *x, struct parcel *p)
{
	struct parcel genuine;

	deliver(x, p);
	assert_true(p->rc < 0 || p->fresh); /* ended the link, or left a visible hole */
	assert_int_equal(shown(x), -1);
	parcel_done(p);
	parcel_of(x->entry, &genuine);
	deliver(x, &genuine);
	assert_int_equal(genuine.rc, 0);
	assert_int_equal(shown(x), 41);
	parcel_done(&genuine);
}

/* The site's segment with another value, sealed again with these keys under this origin. */
static void forge(struct scene *x, const uint8_t secret[64], const uint8_t origin[16],
                  bool keep_signature, struct parcel *ret)
{
	struct segment_head h = x->segment.head;
	struct changeset *cs;
	size_t n = 0;
	uint64_t runs[SEGMENT_NONCES_MAX];
	uint8_t hash[32];
	struct error err = {0};
	bool changed = false;
	int rc;

	assert_int_equal(segment_changesets(&x->segment, &x->arena, &cs, &n, &err), 0);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < cs[i].ops_count; k++)
			for (size_t v = 0; v < cs[i].ops[k].values_count; v++)
				if (cs[i].ops[k].table == TABLE_THING &&
				    cs[i].ops[k].values[v].slot == 1) {
					cs[i].ops[k].values[v].value.i = 9999;
					changed = true;
				}
	assert_true(changed);
	segment_runs(&h, runs);
	memcpy(h.origin, origin, 16);
	*ret = (struct parcel){.kind = ENTRY_SEGMENT};
	buf_init(&ret->head, MESSAGE_BYTES_MAX);
	buf_init(&ret->body, MESSAGE_BYTES_MAX);
	if (memcmp(origin, x->segment.head.origin, 16) != 0) segment_runs(&h, runs);
	for (size_t i = 0; i < n; i++) /* runs of the new origin, if there is one */
		cs[i].run = runs[0];
	rc = segment_make(&h, cs, runs, secret, &ret->head, &ret->body, hash, &err);
	if (rc) print_message("forging: %s\n", err.detail);
	assert_int_equal(rc, 0);
	if (keep_signature) memcpy(ret->head.p + ret->head.len - 64, x->segment.sign, 64);
}

static void an_altered_value(void **state)
{
	struct scene x;
	struct parcel p;

	(void)state;
	scene_init(&x);
	forge(&x, x.county->identity.sign_secret, x.node->identity.origin,
	      /* keep_signature= */ false, &p);
	assert_not_taken(&x, &p);
	scene_done(&x);
	scene_init(&x);
	forge(&x, x.county->identity.sign_secret, x.node->identity.origin,
	      /* keep_signature= */ true, &p);
	assert_not_taken(&x, &p);
	scene_done(&x);
}

static void an_altered_body(void **state)
{
	struct scene x;
	struct parcel p;

	(void)state;
	scene_init(&x);
	parcel_of(x.entry, &p);
	p.body.p[p.body.len / 2] ^= 1;
	assert_not_taken(&x, &p);
	scene_done(&x);
}

static void an_altered_header(void **state)
{
	(void)state;
	for (size_t at = 0; at < 120; at += 7) {
		struct scene x;
		struct parcel p;

		scene_init(&x);
		parcel_of(x.entry, &p);
		p.head.p[at] ^= 4;
		assert_not_taken(&x, &p);
		scene_done(&x);
	}
}

static void an_altered_signature(void **state)
{
	struct scene x;
	struct parcel p;

	(void)state;
	scene_init(&x);
	parcel_of(x.entry, &p);
	p.head.p[p.head.len - 10] ^= 1;
	assert_not_taken(&x, &p);
	scene_done(&x);
}

static void anothers_name(void **state)
{
	struct scene x;
	struct parcel p;

	(void)state;
	scene_init(&x);
	parcel_of(x.entry, &p); /* the site's bytes and signature under the county's origin */
	{
		struct segment_head h = x.segment.head;

		memcpy(h.origin, x.county->identity.origin, 16);
		buf_reset(&p.head);
		segment_head_pack(&h, &p.head);
		buf_add(&p.head, x.segment.sign, 64);
	}
	assert_not_taken(&x, &p);
	scene_done(&x);
	/* Sealed by the county under its own name: its own word, but it cannot mint the site's ids. */
	scene_init(&x);
	forge(&x, x.county->identity.sign_secret, x.county->identity.origin,
	      /* keep_signature= */ false, &p);
	assert_not_taken(&x, &p);
	scene_done(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_altered_value),  cmocka_unit_test(an_altered_body),
	        cmocka_unit_test(an_altered_header), cmocka_unit_test(an_altered_signature),
	        cmocka_unit_test(anothers_name),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
