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
#include "common/reader.h"
#include "hub/doubt.h"
#include "hub/root.h"
#include "proto/engine.h"
#include "proto/revoke.h"
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

/* ---- renewal */

enum { LIFE_DAYS = 40 };

/* A device of the county at the site whose certificate runs out in LIFE_DAYS. */
static struct trio_device *short_lived(struct trio *t, const char *name)
{
	struct trio_device *d = trio_device_new(t, name, t->county, UNIT_SITE);
	struct error err = {0};

	trio_certify(d, CERT_NODE, LEVEL_COMMUNITY, 7);
	d->cert.not_before_ms = t->now_ms;
	d->cert.not_after_ms = t->now_ms + LIFE_DAYS * DAY_MS;
	buf_reset(&d->cert_bytes);
	assert_int_equal(cert_make(&d->cert, t->county->identity.sign_secret, &d->cert_bytes, &err),
	                 0);
	assert_int_equal(trio_enrol(d), 0);
	assert_int_equal(trio_join(d), 0);
	assert_true(trio_sync(d));
	assert_true(trio_sync(d));
	return d;
}

static bool renewed(const struct trio_device *d)
{
	return memcmp(replica_cert(d->r)->id, d->cert.id, 16) != 0;
}

static void a_certificate_is_renewed_before_it_runs_out(void **state)
{
	struct trio *t = *state;
	struct trio_device *d = short_lived(t, "short");
	uint8_t row[16];
	int64_t until;

	assert_false(renewed(d));
	t->now_ms += (LIFE_DAYS * 3 / 4 + 1) * DAY_MS;
	assert_true(trio_sync(d));
	assert_true(renewed(d));
	until = replica_cert(d->r)->not_after_ms;
	assert_true(until > t->now_ms + LIFE_DAYS * DAY_MS);
	assert_true(until <= t->county->cert.not_after_ms);
	assert_true(trio_agrees(d));
	/* once; what it writes now counts everywhere, and so does what it wrote before */
	trio_activity(d, "清洁家园", row);
	assert_true(trio_sync(d));
	assert_int_equal(replica_cert(d->r)->not_after_ms, until);
	assert_true(trio_settle(t));
	assert_true(trio_shows(t->province, "activity", row, "title", "清洁家园"));
	trio_restart(d);
	assert_true(renewed(d));
	assert_true(trio_sync(d));
}

/* It uploads, and gets nothing, as long as it is not renewed: here by a program that knows nothing of renewing. */
static void one_that_has_run_out_uploads_and_renews_only(void **state)
{
	struct trio *t = *state;
	struct trio_device *d = short_lived(t, "short");
	struct trio_link *l;
	uint8_t up[16], down[16];

	t->now_ms += (LIFE_DAYS + 1) * DAY_MS;
	trio_volunteer(t->second, "王芳", down);
	assert_true(trio_sync(t->second));
	trio_activity(d, "清洁家园", up);
	l = trio_link(d);
	l->config[TRIO_UP].protocol_min = 1;
	l->config[TRIO_UP].protocol_max = 2;
	trio_run(t);
	assert_true(trio_shows(t->county, "activity", up, "title", "清洁家园"));
	assert_int_equal(l->data[TRIO_DOWN], 0);
	assert_false(trio_has(d, "volunteer", down));
	assert_false(trio_agrees(d));
	assert_false(renewed(d));
	/* a program that does */
	assert_true(trio_sync(d) || trio_sync(d));
	assert_true(renewed(d));
	assert_true(trio_sync(d));
	assert_true(trio_has(d, "volunteer", down));
	assert_true(trio_agrees(d));
}

/* Anew by the province, from the same keys: what its children have is then of an earlier certificate. */
static void renew_county(struct trio *t)
{
	struct cert c = *replica_cert(t->county->r);
	struct error err = {0};
	struct span chain[3];
	struct buf b;

	buf_init(&b, CERT_BYTES_MAX);
	c.not_before_ms++;
	memcpy(c.issuer, t->province->cert.id, 16);
	assert_int_equal(cert_make(&c, t->province->identity.sign_secret, &b, &err), 0);
	chain[0] = buf_span(&b);
	chain[1] = buf_span(&t->province->cert_bytes);
	chain[2] = buf_span(&t->root_bytes);
	assert_int_equal(replica_begin(t->county->r), 0);
	assert_int_equal(replica_recertify(t->county->r, chain, 3), 0);
	assert_int_equal(replica_commit(t->county->r), 0);
	buf_done(&b);
}

/* Cut when the certificates have come and before anything else does. */
static enum trio_fate cut_behind_certs(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	unsigned type = trio_frame_type(buf_span(frame));
	unsigned *certs = l->ctx;

	if (way == TRIO_DOWN) *certs += type == MSG_CERT;
	return way == TRIO_DOWN && *certs && type == MSG_DATA ? TRIO_CUT : TRIO_PASS;
}

/* The answer was lost, its parent was renewed since, and is far ahead: it still knows who its parent is. */
static void one_renewed_by_an_earlier_certificate(void **state)
{
	struct trio *t = *state;
	struct trio_device *d = short_lived(t, "short");
	struct span newest, chain[CERT_CHAIN_MAX];
	struct trio_link *l;
	struct cert parent;
	unsigned certs = 0;
	uint8_t row[16];
	size_t n = 0;

	t->now_ms += (LIFE_DAYS * 3 / 4 + 1) * DAY_MS;
	for (unsigned i = 0; i < 8; i++) trio_activity(t->county, "通知", row);
	renew_county(t);
	assert_int_equal(replica_begin(t->county->r), 0);
	assert_int_equal(replica_renew(t->county->r, d->identity.origin, "", &t->a, &newest), 0);
	assert_int_equal(replica_commit(t->county->r), 0);
	renew_county(t);
	l = trio_link(d);
	l->config[TRIO_UP].credit_window = 1;
	l->look = cut_behind_certs;
	l->ctx = &certs;
	trio_run(t);
	assert_true(certs > 0);
	assert_true(renewed(d));
	trio_restart(d);
	assert_true(replica_parent(d->r, &parent));
	assert_int_equal(replica_chain(d->r, &t->a, chain, &n), 0);
	assert_int_equal(n, 4);
	assert_true(trio_sync(d) || trio_sync(d));
	assert_true(trio_sync(d));
	assert_true(trio_agrees(d));
}

/* Of a hub that has been renewed more often than it remembers a child is a child still; who is nobody's gets nothing, above
 * all not what goes to a parent. */
static void whom_an_old_certificate_issued(void **state)
{
	struct trio *t = *state;
	struct trio_device *d;
	struct span chain[CERT_CHAIN_MAX];
	struct feed feed;
	struct cert stranger;
	size_t n = 0;

	renew_county(t);
	assert_int_equal(replica_chain(t->county->r, &t->a, chain, &n), 0);
	t->county->cert = *replica_cert(t->county->r);
	buf_reset(&t->county->cert_bytes);
	buf_add(&t->county->cert_bytes, chain[0].p, chain[0].len);
	d = short_lived(
	        t, "short"); /* by a certificate that is neither the first nor among the newest */
	for (unsigned i = 0; i <= OWN_CERTS_MAX; i++) renew_county(t);
	assert_int_equal(replica_begin(t->county->r), 0);
	assert_true(replica_is_parent_of(t->county->r, &d->cert));
	assert_int_equal(feed_for(t->county->r, &d->cert, 0, &feed), 0);
	assert_false(feed.filter.all);
	assert_true(feed.filter.count > 0);
	stranger = d->cert;
	stranger.issuer[0] ^= 1;
	assert_int_equal(feed_for(t->county->r, &stranger, 0, &feed), 0);
	assert_false(feed.filter.all);
	assert_int_equal(feed.filter.count, 0);
	assert_int_equal(feed_for(t->county->r, &t->province->cert, 0, &feed), 0);
	assert_true(feed.filter.all);
	replica_rollback(t->county->r);
}

static enum trio_fate forge_data(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	(void)l;
	if (way == TRIO_UP && trio_frame_type(buf_span(frame)) == MSG_DATA)
		frame->p[frame->len - 1] ^= 1;
	return TRIO_PASS;
}

/* Who sent what is forged is named for it still when the hub's certificate is another. */
static void an_offence_outlives_a_renewal(void **state)
{
	struct trio *t = *state;
	struct summary none = {0};
	struct trio_link *l;
	struct tree tree = {0};
	struct doubt *doubts = NULL;
	uint8_t row[16];
	size_t n = 0, named = 0;

	trio_activity(t->site, "清洁家园", row);
	l = trio_link(t->site);
	l->look = forge_data;
	trio_run(t);
	assert_int_not_equal(l->codes[TRIO_UP], 0);
	renew_county(t);
	assert_int_equal(replica_begin(t->county->r), 0);
	assert_int_equal(tree_load(t->county->store, &t->a, &tree), 0);
	assert_int_equal(doubts_find(t->county->r, &tree, &none, &t->a, &doubts, &n), 0);
	replica_rollback(t->county->r);
	for (size_t i = 0; i < n; i++)
		named += doubts[i].kind == DOUBT_OFFENCE &&
		         !memcmp(doubts[i].device, t->site->identity.origin, 16);
	assert_int_equal(named, 1);
}

/* A hub whose disk went back does not know the certificate that HELLO names: it asks for it. */
static void a_restored_hub_learns_of_what_it_renewed(void **state)
{
	struct trio *t = *state;
	struct trio_device *d = short_lived(t, "short");
	struct cert own;

	trio_backup(t->county);
	t->now_ms += (LIFE_DAYS * 3 / 4 + 1) * DAY_MS;
	assert_true(trio_sync(d));
	assert_true(renewed(d));
	own = *replica_cert(d->r);
	trio_restore(t->county);
	knows(t->county, &own, false);
	trio_sync(d);
	knows(t->county, &own, true);
	t->now_ms += (LIFE_DAYS * 3 / 4 + 1) * DAY_MS;
	assert_true(trio_settle(t));
	assert_memory_equal(replica_cert(d->r)->id, own.id, 16); /* and goes on with it */
}

/* The county moves: its certificate says so, and its sites know before they have to. */
static void a_hub_that_moves_is_certified_anew(void **state)
{
	struct trio *t = *state;
	struct trio_link *l = trio_link(t->county);
	struct cert parent;
	uint8_t id[16];

	l->config[TRIO_UP].endpoint = "tcp://10.1.2.3:7443";
	trio_run(t);
	assert_string_equal(replica_cert(t->county->r)->endpoint, "tcp://10.1.2.3:7443");
	memcpy(id, replica_cert(t->county->r)->id, 16);
	assert_true(trio_settle(t));
	assert_true(replica_parent(t->site->r, &parent));
	assert_string_equal(parent.endpoint, "tcp://10.1.2.3:7443");
	assert_true(trio_agrees(t->site));
	/* said again it is no news; what no certificate may hold is not taken */
	l = trio_link(t->county);
	l->config[TRIO_UP].endpoint = "tcp://10.1.2.3:7443";
	trio_run(t);
	l = trio_link(t->county);
	l->config[TRIO_UP].endpoint = "with spaces";
	trio_run(t);
	assert_int_equal(l->codes[TRIO_UP], 0);
	assert_memory_equal(replica_cert(t->county->r)->id, id, 16);
	assert_true(trio_settle(t));
}

/* A hub whose own certificate has run out by its clock keeps nothing from anybody. */
static void a_clock_that_is_years_ahead_cuts_nobody_off(void **state)
{
	struct trio *t = *state;
	uint8_t down[16];

	t->county->skew_ms = INT64_C(100) * 365 * DAY_MS;
	trio_volunteer(t->second, "王芳", down);
	assert_true(trio_sync(t->second));
	assert_true(trio_sync(t->site));
	assert_true(trio_has(t->site, "volunteer", down));
}

/* Hears the number of the session: every message but greetings names it first. */
static enum trio_fate hear_session(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	struct reader r;
	unsigned type = trio_frame_type(buf_span(frame));

	(void)way;
	if (type == MSG_STATE || type == MSG_DATA || type == MSG_ACK) {
		reader_init(&r, buf_span(frame));
		(void)reader_array(&r);
		(void)reader_uint(&r, UINT8_MAX);
		*(uint64_t *)l->ctx = reader_uint(&r, UINT64_MAX);
	}
	return TRIO_PASS;
}

static void say_renew(struct trio_link *l, const char *endpoint)
{
	struct message m = {.type = MSG_RENEW};
	struct buf b;

	m.renew.session = *(uint64_t *)l->ctx;
	snprintf(m.renew.endpoint, sizeof(m.renew.endpoint), "%s", endpoint);
	buf_init(&b, MESSAGE_BYTES_MAX);
	message_pack(&m, NULL, &b);
	trio_inject(l, TRIO_UP, buf_span(&b));
	buf_done(&b);
	trio_run_frames(l->t, 50);
}

/* A child that asks without need gets what it has; a second time in a session it gets the door; an address is a hub's. */
static void asking_for_more_than_there_is_gets_nothing(void **state)
{
	struct trio *t = *state;
	struct trio_link *l = trio_link(t->site);
	size_t count = 0, again = 0;
	struct cert_row *rows;
	uint64_t session = 0;
	uint8_t row[16];

	l->look = hear_session;
	l->ctx = &session;
	trio_activity(t->site, "清洁家园", row);
	l->config[TRIO_UP].stay = true;
	trio_run(t);
	assert_int_not_equal(session, 0);
	assert_int_equal(store_certs(t->county->store, &t->a, &rows, &count), 0);
	say_renew(l, "tcp://10.6.6.6:1");
	assert_false(l->closed[TRIO_DOWN]);
	say_renew(l, "");
	assert_true(l->closed[TRIO_DOWN]);
	assert_int_equal(l->codes[TRIO_DOWN], ERR_PROTOCOL);
	assert_int_equal(store_certs(t->county->store, &t->a, &rows, &again), 0);
	assert_int_equal(count, again);
	assert_true(trio_sync(t->site));
}

/* ---- revocation */

static int retire(struct trio_device *hub, const struct trio_device *d)
{
	int rc = replica_begin(hub->r);

	rc = rc ? rc : replica_revoke(hub->r, d->identity.origin, "电脑被盗");
	if (rc) {
		replica_rollback(hub->r);
		return rc;
	}
	return replica_commit(hub->r);
}

static size_t revocations(struct trio_device *d)
{
	struct revocation *list;
	size_t n = 0;

	assert_int_equal(replica_revocations(d->r, &d->t->a, &list, &n), 0);
	return n;
}

/* All that is in its journal, carried to another by hand: what came from a disk, or from a thief by way of a third. */
static void carry(struct trio_device *from, struct trio_device *to)
{
	struct feed_filter all = {.all = true, .lane_mask = 0xff};
	struct entry *entries;
	size_t n = 0;
	bool more = true, fresh;

	assert_int_equal(
	        store_journal_scan(from->store, &all, 0, 1000, 1 << 24, &from->t->a, &entries, &n),
	        0);
	assert_int_equal(replica_begin(to->r), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(replica_append(to->r, entries[i].kind, entries[i].head,
		                                entries[i].body, 0, &fresh),
		                 0);
	while (more) assert_int_equal(replica_apply(to->r, 1000, &more), 0);
	assert_int_equal(replica_commit(to->r), 0);
}

static size_t parked_4114(struct trio_device *d, int64_t *ret_id)
{
	struct held *list;
	size_t n = trio_parked(d, &list), count = 0;

	for (size_t i = 0; i < n; i++)
		if (list[i].cause == ERR_REVOKED) {
			count++;
			*ret_id = list[i].id;
		}
	return count;
}

/* What was taken before stays; the link is ended; what it signed besides waits for a person, however old its clock says it is. */
static void what_came_before_stays_and_the_rest_waits(void **state)
{
	struct trio *t = *state;
	struct trio_link *l;
	uint8_t before[16], unsent[16], forged[16];
	int64_t id = 0;
	size_t mended = 0, n;

	trio_activity(t->site, "此前", before);
	assert_true(trio_settle(t));
	trio_activity(t->site, "未传", unsent);
	trio_seal(t->site);
	assert_int_equal(retire(t->county, t->site), 0);
	assert_int_equal(retire(t->county, t->site), -ERR_REVOKED);
	/* its link is ended, and comes no more */
	l = trio_link(t->site);
	trio_run(t);
	assert_int_equal(l->codes[TRIO_UP], ERR_REVOKED);
	assert_false(trio_has(t->county, "activity", unsent));
	/* the thief sets the clock back; all of it comes by the disk */
	t->site->skew_ms = -INT64_C(400) * DAY_MS;
	trio_activity(t->site, "伪造", forged);
	trio_seal(t->site);
	carry(t->site, t->county);
	assert_true(trio_has(t->county, "activity", before));
	assert_false(trio_has(t->county, "activity", unsent));
	assert_false(trio_has(t->county, "activity", forged));
	n = parked_4114(t->county, &id);
	assert_true(n >= 2);
	/* nobody lets it in by mistake, a person does by its number */
	assert_int_equal(replica_begin(t->county->r), 0);
	assert_int_equal(replica_retry(t->county->r, 0, &mended), 0);
	assert_int_equal(replica_commit(t->county->r), 0);
	assert_int_equal(parked_4114(t->county, &id), n);
	for (size_t i = 0; i < n; i++) {
		struct held *list;
		size_t count = trio_parked(t->county, &list);

		for (size_t k = 0; k < count; k++)
			if (!memcmp(list[k].row, unsent, 16)) id = list[k].id;
		if (trio_has(t->county, "activity", unsent)) break;
		assert_int_equal(replica_begin(t->county->r), 0);
		assert_int_equal(replica_retry(t->county->r, id, &mended), 0);
		assert_int_equal(replica_commit(t->county->r), 0);
	}
	assert_true(trio_has(t->county, "activity", unsent));
	assert_false(trio_has(t->county, "activity", forged));
}

/* What had been taken and waited for another record is of before: it goes through when that comes. */
static void what_waits_is_of_before(void **state)
{
	struct trio *t = *state;
	uint8_t volunteer[16], part[16];
	int64_t id;

	trio_volunteer(t->second, "王芳", volunteer);
	trio_participation(t->site, volunteer, 60, part);
	assert_true(trio_sync(t->site) || trio_sync(t->site));
	assert_false(trio_has(t->county, "participation", part));
	assert_int_equal(retire(t->county, t->site), 0);
	trio_sync(t->second);
	assert_true(trio_has(t->county, "participation", part));
	assert_int_equal(parked_4114(t->county, &id), 0);
}

/* Up to the province, down to every site, and to a county that never heard of the device. */
static void a_revocation_travels_everywhere(void **state)
{
	struct trio *t = *state;
	struct trio_device *away = trio_device_new(t, "away", t->province, UNIT_AWAY);

	trio_certify(away, CERT_HUB, LEVEL_COUNTY, 7);
	assert_int_equal(trio_enrol(away), 0);
	assert_int_equal(trio_join(away), 0);
	assert_true(trio_settle(t));
	assert_int_equal(retire(t->county, t->second), 0);
	for (int i = 0; i < 3; i++) {
		trio_sync(t->county);
		trio_sync(t->site);
		trio_sync(t->other);
		trio_sync(away);
	}
	assert_int_equal(revocations(t->province), 1);
	assert_int_equal(revocations(t->site), 1);
	assert_int_equal(revocations(t->other), 1);
	assert_int_equal(revocations(away), 1);
	assert_int_equal(trio_counts(away).alarms, 0);
}

/* A restored hub has forgotten that it revoked, and what it had judged: both come home from above, the latter stays. */
static void a_restored_hub_still_knows_whom_it_revoked(void **state)
{
	struct trio *t = *state;
	struct trio_link *l;
	uint8_t row[16];
	int64_t id;

	trio_backup(t->county);
	trio_activity(t->second, "此前", row);
	assert_true(trio_settle(t));
	assert_int_equal(retire(t->county, t->second), 0);
	trio_sync(t->county);
	trio_restore(t->county);
	trio_sync(t->county);
	trio_sync(t->county);
	assert_int_equal(revocations(t->county), 1);
	l = trio_link(t->second);
	trio_run(t);
	assert_int_equal(l->codes[TRIO_UP], ERR_REVOKED);
	carry(t->second, t->county);
	assert_true(trio_has(t->county, "activity", row));
	assert_int_equal(parked_4114(t->county, &id), 0);
}

/* A hub that does not answer for a device cannot revoke it, wherever it says so; nor can a node. */
static void nobody_revokes_anothers_device(void **state)
{
	struct trio *t = *state;
	struct trio_device *away = trio_device_new(t, "away", t->province, UNIT_AWAY);
	struct revocation v = {.at_ms = t->now_ms, .reason = "恶意"};
	struct cert_row *row = NULL;
	struct buf b;

	trio_certify(away, CERT_HUB, LEVEL_COUNTY, 7);
	assert_int_equal(trio_enrol(away), 0);
	assert_int_equal(trio_join(away), 0);
	assert_true(trio_settle(t));
	assert_int_equal(retire(away, t->site), -ERR_NOT_FOUND);
	assert_int_equal(retire(t->province, t->county), -ERR_USAGE);
	memcpy(v.scope, t->units[UNIT_PROVINCE], 16);
	memcpy(v.origin, t->site->identity.origin, 16);
	memcpy(v.hub, away->identity.origin, 16);
	buf_init(&b, MESSAGE_BYTES_MAX);
	assert_int_equal(revocation_make(&v, away->identity.sign_secret, &b, NULL), 0);
	for (int i = 0; i < 2; i++) { /* to who knows the device, and by whom it was enrolled */
		struct trio_device *to = i ? t->county : t->province;
		int64_t alarms = trio_counts(to).alarms;
		bool fresh = false;

		assert_int_equal(replica_begin(to->r), 0);
		if (i) { /* whom the county has never heard of */
			assert_int_equal(replica_append(to->r, ENTRY_REVOKE, buf_span(&b),
			                                span_of(NULL, 0), 0, &fresh),
			                 -ERR_UNKNOWN_ORIGIN);
			assert_int_equal(replica_append(to->r, ENTRY_CERT,
			                                buf_span(&away->cert_bytes),
			                                span_of(NULL, 0), 0, &fresh),
			                 0);
		}
		fresh = false;
		assert_int_equal(replica_append(to->r, ENTRY_REVOKE, buf_span(&b), span_of(NULL, 0),
		                                0, &fresh),
		                 0);
		assert_false(fresh);
		assert_int_equal(replica_commit(to->r), 0);
		assert_int_equal(trio_counts(to).alarms, alarms + 1);
		assert_int_equal(revocations(to), 0);
	}
	b.p[b.len - 1] ^= 1; /* and not his signature either */
	assert_int_equal(replica_begin(t->province->r), 0);
	assert_int_equal(replica_append(t->province->r, ENTRY_REVOKE, buf_span(&b),
	                                span_of(NULL, 0), 0, &(bool){false}),
	                 -ERR_SIGNATURE);
	replica_rollback(t->province->r);
	assert_int_equal(store_cert_by_origin(t->county->store, v.origin, &t->a, &row), 0);
	assert_int_equal(row->revoked_ms, 0);
	assert_true(trio_sync(t->site));
	buf_done(&b);
}

/* ---- restored and copied devices wait for a person */

static int64_t held(struct trio_device *hub, const struct trio_device *d)
{
	int64_t since;

	assert_int_equal(replica_held(hub->r, d->identity.origin, &since), 0);
	return since;
}

/* What the parent last said of what it does not give: enum state_unapplied. */
static int64_t heard(struct trio_device *d, const struct trio_device *hub)
{
	struct peer p;
	bool known;

	assert_int_equal(store_peer_get(replica_store(d->r), hub->identity.origin, &p, &known), 0);
	assert_true(known);
	return p.unapplied;
}

static void release(struct trio_device *hub, const struct trio_device *d)
{
	assert_int_equal(replica_begin(hub->r), 0);
	assert_int_equal(replica_release(hub->r, d->identity.origin), 0);
	assert_int_equal(replica_release(hub->r, d->identity.origin), -ERR_NOT_FOUND);
	assert_int_equal(replica_commit(hub->r), 0);
}

/* It uploads at once and gets what is open; what is the county's it gets when a person released it. */
static void a_restored_device_waits_for_a_person(void **state)
{
	struct trio *t = *state;
	uint8_t early[16], later[16], open[16], own[16];

	t->county->r->hold = true;
	trio_volunteer(t->second, "王芳", early);
	assert_true(trio_settle(t));
	trio_backup(t->site);
	trio_volunteer(t->second, "陈桂兰", later);
	assert_true(trio_settle(t));
	assert_true(trio_shows(t->site, "volunteer", later, "name", "陈桂兰"));
	assert_int_equal(held(t->county, t->site), 0);
	trio_restore(t->site);
	trio_activity(t->second, "植树", open);
	trio_activity(t->site, "清洁家园", own);
	trio_sync(t->second);
	for (int i = 0; i < 3; i++) trio_sync(t->site);
	assert_true(held(t->county, t->site) != 0);
	assert_true(trio_has(t->county, "activity", own));
	assert_true(trio_has(t->site, "activity", open));
	assert_false(trio_shows(t->site, "volunteer", later, "name", "陈桂兰"));
	assert_false(trio_agrees(t->site));
	assert_int_equal(heard(t->site, t->county), STATE_WITHHELD);
	struct trio_link *l = trio_link(
	        t->site); /* a session that is cut at its WELCOME says nothing new of it */
	trio_run_frames(t, 2);
	trio_cut(l);
	assert_int_equal(heard(t->site, t->county), STATE_WITHHELD);
	release(t->county, t->site);
	assert_true(trio_settle(t));
	assert_true(trio_shows(t->site, "volunteer", later, "name", "陈桂兰"));
	assert_true(trio_agrees(t->site));
	assert_int_equal(held(t->county, t->site), 0);
	assert_int_equal(heard(t->site, t->county), STATE_ALL);
}

/* The command that releases is another process than the daemon, whose session with the device may be open. */
static void a_release_by_another_process_is_noticed(void **state)
{
	struct trio *t = *state;
	struct trio_device *county = t->county;
	struct replica_config config = {
	        .env = &county->env, .identity = &county->identity, .judge = &county->judge};
	uint8_t row[16];
	struct store *store;
	struct replica *r;
	struct error err = {0};
	struct trio_link *l;

	county->r->hold = true;
	trio_volunteer(t->second, "王芳", row);
	trio_backup(t->site);
	assert_true(trio_settle(t));
	trio_activity(t->site, "植树", row);
	trio_sync(t->site);
	trio_restore(t->site);
	trio_sync(t->site);
	assert_true(held(county, t->site) != 0);
	l = trio_link(t->site);
	l->config[TRIO_UP].stay = l->config[TRIO_DOWN].stay = true;
	trio_run(t);
	assert_false(l->closed[TRIO_DOWN]);
	assert_int_equal(store_open(county->path, county->schema, county->flags, &store, &err), 0);
	assert_int_equal(replica_open(&r, store, &config, &err), 0);
	assert_int_equal(replica_begin(r), 0);
	assert_int_equal(replica_release(r, t->site->identity.origin), 0);
	assert_int_equal(replica_commit(r), 0);
	replica_close(r);
	store_close(store);
	trio_pump(county);
	trio_run(t);
	assert_true(l->closed[TRIO_DOWN] && l->closed[TRIO_UP]);
	assert_int_equal(l->codes[TRIO_UP], ERR_BUSY); /* to come again at once */
	assert_true(trio_settle(t));
	assert_int_equal(heard(t->site, county), STATE_ALL);
}

/* What its parent has no closed lane of it does not keep back: nobody is asked to release such a child. */
static void whom_nothing_is_kept_from_is_not_held(void **state)
{
	struct trio *t = *state;
	uint8_t row[16];

	t->province->r->hold = true;
	trio_activity(t->site, "植树", row);
	assert_true(trio_settle(t));
	trio_backup(t->county);
	trio_activity(t->site, "义诊", row);
	assert_true(trio_settle(t));
	trio_restore(t->county);
	trio_sync(t->county); /* before the site has given it again what it lacks */
	assert_true(trio_has(t->county, "activity", row));
	assert_int_equal(held(t->province, t->county), 0);
	assert_true(trio_settle(t));
}

/* Of two copies neither is more the true one than the other; the work of both is kept. */
static void copies_wait_for_a_person(void **state)
{
	struct trio *t = *state;
	struct trio_device *copy;
	uint8_t one[16], other[16], secret[16];

	t->county->r->hold = true;
	trio_activity(t->site, "植树", one);
	assert_true(trio_settle(t));
	copy = trio_copy(t->site, "copy");
	trio_activity(t->site, "一", one);
	trio_sync(t->site);
	trio_activity(copy, "二", other);
	trio_sync(copy);
	trio_sync(t->site);
	trio_sync(copy);
	assert_true(held(t->county, t->site) != 0);
	trio_volunteer(t->second, "王芳", secret);
	trio_sync(t->second);
	trio_sync(t->site);
	trio_sync(copy);
	assert_true(trio_has(t->county, "activity", one) && trio_has(t->county, "activity", other));
	assert_false(trio_shows(t->site, "volunteer", secret, "name", "王芳"));
	assert_false(trio_shows(copy, "volunteer", secret, "name", "王芳"));
}

/* A person who knows of both released them: what each says of the other's work does not hold them again; a third does. */
static void copies_that_were_released_stay_so(void **state)
{
	struct trio *t = *state;
	struct trio_device *copy;
	uint8_t row[16], secret[16];

	t->county->r->hold = true;
	trio_activity(t->site, "植树", row);
	assert_true(trio_settle(t));
	copy = trio_copy(t->site, "copy");
	trio_activity(t->site, "一", row);
	trio_sync(t->site);
	trio_activity(copy, "二", row);
	for (int i = 0; i < 2; i++) {
		trio_sync(copy);
		trio_sync(t->site);
	}
	assert_true(held(t->county, t->site) != 0);
	release(t->county, t->site);
	for (int i = 0; i < 4; i++) {
		trio_volunteer(t->second, "王芳", secret);
		trio_sync(t->second);
		trio_activity(i % 2 ? copy : t->site, "三", row);
		trio_sync(t->site);
		trio_sync(copy);
		assert_int_equal(held(t->county, t->site), 0);
	}
	for (int i = 0; i < 3; i++) {
		trio_sync(t->site);
		trio_sync(copy);
	}
	assert_true(trio_shows(t->site, "volunteer", secret, "name", "王芳"));
	assert_true(trio_shows(copy, "volunteer", secret, "name", "王芳"));
	trio_backup(t->site);
	trio_restart(t->site);
	trio_sync(t->site);
	assert_int_equal(held(t->county, t->site), 0);
	trio_restore(t->site);
	for (int i = 0; i < 3; i++) trio_sync(t->site);
	assert_true(held(t->county, t->site) != 0);
}

/* Who only boots, or whose answers are lost, is not taken for restored. */
static void an_honest_device_is_never_held(void **state)
{
	struct trio *t = *state;
	uint8_t row[16];

	t->county->r->hold = true;
	for (int i = 0; i < 5; i++) {
		struct trio_link *l;

		trio_activity(t->site, "植树", row);
		trio_volunteer(t->second, "王芳", row);
		trio_sync(t->second);
		l = trio_link(t->site);
		trio_run_frames(t, 2 + 2 * (size_t)i);
		trio_cut(l);
		trio_restart(t->site);
	}
	assert_true(trio_settle(t));
	assert_int_equal(held(t->county, t->site), 0);
	assert_int_equal(held(t->county, t->second), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_root_names_its_spare_from_the_start),
	        TEST(a_renewed_hub_goes_on),
	        TEST(the_spare_root_takes_over),
	        TEST(no_other_root_comes_in),
	        TEST(a_certificate_is_renewed_before_it_runs_out),
	        TEST(one_that_has_run_out_uploads_and_renews_only),
	        TEST(one_renewed_by_an_earlier_certificate),
	        TEST(whom_an_old_certificate_issued),
	        TEST(an_offence_outlives_a_renewal),
	        TEST(a_restored_hub_learns_of_what_it_renewed),
	        TEST(a_hub_that_moves_is_certified_anew),
	        TEST(a_clock_that_is_years_ahead_cuts_nobody_off),
	        TEST(asking_for_more_than_there_is_gets_nothing),
	        TEST(what_came_before_stays_and_the_rest_waits),
	        TEST(what_waits_is_of_before),
	        TEST(a_revocation_travels_everywhere),
	        TEST(a_restored_hub_still_knows_whom_it_revoked),
	        TEST(nobody_revokes_anothers_device),
	        TEST(a_restored_device_waits_for_a_person),
	        TEST(a_release_by_another_process_is_noticed),
	        TEST(whom_nothing_is_kept_from_is_not_held),
	        TEST(copies_wait_for_a_person),
	        TEST(copies_that_were_released_stay_so),
	        TEST(an_honest_device_is_never_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
