/*
 * test_trust.c - who is who, over time: roots and their spare, certificates that are renewed.  What people and programs do
 * with them is in suite_trust.py.
 */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/calendar.h"
#include "common/ident.h"
#include "hub/root.h"
#include "tests/support/trio.h"

static int set_up(void **state)
{
	struct trio *t = trio_new();

	assert_true(trio_settle(t));
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	trio_free(*state);
	return 0;
}

/* ---- roots */

static void make_roots(struct root *root, struct root *spare)
{
	static const uint8_t seeds[2][32] = {{1}, {2}};
	struct error err = {0};

	assert_int_equal(root_make(seeds, INT64_C(1790000000000), "350000000000", "福建省", root,
	                           spare, &err),
	                 0);
}

static void a_root_names_its_spare_from_the_start(void **state)
{
	struct root root, spare, again;
	struct error err = {0};
	struct buf text;

	(void)state;
	make_roots(&root, &spare);
	assert_true(cert_names_spare(&root.cert, spare.cert.origin_key));
	assert_false(cert_names_spare(&root.cert, root.cert.origin_key));
	assert_false(cert_names_spare(&spare.cert, root.cert.origin_key));
	assert_memory_equal(root.cert.unit, spare.cert.unit, 16);
	buf_init(&text, ROOT_TEXT_MAX);
	root_text(&root, &text);
	assert_int_equal(root_parse(buf_cstr(&text), &again, &err), 0);
	assert_memory_equal(again.cert.id, root.cert.id, 16);
	assert_string_equal(again.name, "福建省");
	root_done(&again);
	/* the key of one with the certificate of the other */
	memcpy(root.seed, spare.seed, 32);
	buf_reset(&text);
	root_text(&root, &text);
	assert_int_equal(root_parse(buf_cstr(&text), &again, &err), -ERR_FILE_FORM);
	root_done(&again);
	buf_done(&text);
	root_done(&root);
	root_done(&spare);
}

/* The certificates that a root gives to the province's hub. */
struct given {
	struct cert root, hub;
	struct buf root_bytes, hub_bytes;
};

static void give(struct trio *t, const uint8_t key[32], const uint8_t secret[64], bool spare,
                 struct given *g)
{
	struct error err = {0};

	buf_init(&g->root_bytes, CERT_BYTES_MAX);
	buf_init(&g->hub_bytes, CERT_BYTES_MAX);
	g->root = t->root;
	if (spare) {
		memset(g->root.before, 0, 16);
		memcpy(g->root.origin_key, key, 32);
		assert_int_equal(cert_make(&g->root, secret, &g->root_bytes, &err), 0);
	} else {
		buf_add(&g->root_bytes, t->root_bytes.p, t->root_bytes.len);
	}
	g->hub = t->province->cert;
	g->hub.not_before_ms = t->now_ms;
	snprintf(g->hub.endpoint, sizeof(g->hub.endpoint), "tcp://10.0.0.9:7443");
	memcpy(g->hub.issuer, g->root.id, 16);
	assert_int_equal(cert_make(&g->hub, secret, &g->hub_bytes, &err), 0);
}

static void given_done(struct given *g)
{
	buf_done(&g->root_bytes);
	buf_done(&g->hub_bytes);
}

static int take(struct trio_device *d, const struct given *g)
{
	struct span chain[2] = {buf_span(&g->hub_bytes), buf_span(&g->root_bytes)};
	int rc = replica_begin(d->r);

	rc = rc ? rc : replica_recertify(d->r, chain, 2);
	if (rc) {
		replica_rollback(d->r);
		return rc;
	}
	return replica_commit(d->r);
}

static void knows(struct trio_device *d, const struct cert *c, bool yes)
{
	struct cert_row *row = NULL;

	assert_int_equal(store_cert_by_id(d->store, c->id, &d->t->a, &row), 0);
	assert_int_equal(row != NULL, yes);
}

/* It travels to all below, what was certified before goes on, and what is certified now counts everywhere. */
static void a_renewed_hub_goes_on(void **state)
{
	struct trio *t = *state;
	struct trio_device *fresh;
	struct given g;
	struct cert parent;
	uint8_t row[16];

	give(t, t->root_public, t->root_secret, false, &g);
	assert_int_equal(take(t->province, &g), 0);
	assert_memory_equal(replica_cert(t->province->r)->id, g.hub.id, 16);
	assert_true(trio_settle(t));
	knows(t->county, &g.hub, true);
	knows(t->site, &g.hub, true);
	assert_true(replica_parent(t->county->r, &parent));
	assert_string_equal(parent.endpoint, "tcp://10.0.0.9:7443");
	trio_activity(t->site, "清洁家园", row);
	assert_true(trio_settle(t));
	assert_true(trio_shows(t->province, "activity", row, "title", "清洁家园"));
	/* its children are its children still, and a new one is too */
	t->province->cert = g.hub;
	buf_reset(&t->province->cert_bytes);
	buf_add(&t->province->cert_bytes, g.hub_bytes.p, g.hub_bytes.len);
	fresh = trio_device_new(t, "away", t->province, UNIT_AWAY);
	trio_certify(fresh, CERT_HUB, LEVEL_COUNTY, 7);
	fresh->cert.not_before_ms = g.hub.not_before_ms;
	buf_reset(&fresh->cert_bytes);
	assert_int_equal(cert_make(&fresh->cert, t->province->identity.sign_secret,
	                           &fresh->cert_bytes, NULL),
	                 0);
	assert_int_equal(trio_enrol(fresh), 0);
	assert_int_equal(trio_join(fresh), 0);
	assert_true(trio_settle(t));
	assert_true(trio_agrees(fresh));
	assert_true(trio_agrees(t->county));
	/* an older one is no renewal */
	assert_int_equal(take(t->province, &g), 0); /* the same again is nothing new */
	given_done(&g);
}

/* The first root is lost or stolen: its spare certifies the province anew; from then on the first certifies nothing. */
static void the_spare_root_takes_over(void **state)
{
	struct trio *t = *state;
	struct given spare, stolen;
	int64_t alarms;
	uint8_t row[16];

	give(t, t->spare_public, t->spare_secret, true, &spare);
	assert_int_equal(take(t->province, &spare), 0);
	assert_true(trio_settle(t));
	knows(t->county, &spare.root, true);
	knows(t->site, &spare.root, true);
	knows(t->site, &spare.hub, true);
	t->now_ms += DAY_MS;
	give(t, t->root_public, t->root_secret, false, &stolen);
	assert_int_equal(take(t->province, &stolen), -ERR_CERT_BAD);
	alarms = trio_counts(t->county).alarms;
	trio_plant(t->province, ENTRY_CERT, LANE_OPEN, t->units[UNIT_PROVINCE],
	           buf_span(&stolen.hub_bytes), span_of(NULL, 0));
	assert_true(trio_sync(t->county));
	knows(t->county, &stolen.hub, false);
	assert_int_equal(trio_counts(t->county).alarms, alarms + 1);
	trio_activity(t->site, "清洁家园", row);
	trio_sync(t->site);
	trio_sync(t->county);
	assert_true(trio_shows(t->province, "activity", row, "title", "清洁家园"));
	given_done(&spare);
	given_done(&stolen);
}

/* Roots that nobody pinned: kept nowhere, whoever sends them. */
static void no_other_root_comes_in(void **state)
{
	struct trio *t = *state;
	uint8_t seed[32] = {99}, key[32], secret[64];
	struct given other;

	sign_keypair(seed, key, secret);
	give(t, key, secret, true, &other);
	assert_int_equal(take(t->province, &other), -ERR_UNKNOWN_ORIGIN);
	trio_plant(t->province, ENTRY_CERT, LANE_OPEN, t->units[UNIT_PROVINCE],
	           buf_span(&other.root_bytes), span_of(NULL, 0));
	assert_false(trio_sync(t->county));
	knows(t->county, &other.root, false);
	given_done(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_root_names_its_spare_from_the_start),
	        TEST(a_renewed_hub_goes_on),
	        TEST(the_spare_root_takes_over),
	        TEST(no_other_root_comes_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
