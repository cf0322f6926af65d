/*
 * test_copies.c - devices and hubs of which two copies are alive: told apart from restored ones, told to people, a
 * survivor named, the other's journal handed in; and nothing lost.
 */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/ident.h"
#include "common/reader.h"
#include "node/status.h"
#include "proto/bundle.h"
#include "proto/copies.h"
#include "tests/support/trio.h"

static int setup(void **state)
{
	struct trio *t = trio_new();

	*state = t;
	return trio_settle(t) ? 0 : -1;
}

static int teardown(void **state)
{
	trio_free(*state);
	return 0;
}

/* Sessions with its parent until none asks to begin again: the child's code. */
static int calls(struct trio_device *child)
{
	struct trio_link *l = NULL;

	for (int i = 0; i < 4; i++) {
		l = trio_link(child);
		trio_run(child->t);
		assert_true(l->closed[TRIO_UP] && !l->rcs[0] && !l->rcs[1]);
		if (l->codes[TRIO_UP] != ERR_BUSY) break;
	}
	return l->codes[TRIO_UP];
}

static int calls_at(struct trio_device *child, struct trio_device *parent)
{
	struct trio_device *before = child->parent;
	int code;

	child->parent = parent;
	code = calls(child);
	child->parent = before;
	return code;
}

static struct copies known(struct trio_device *d, const struct trio_device *peer)
{
	struct copies c;

	assert_int_equal(replica_copies(d->r, peer->identity.origin, &c), 0);
	return c;
}

static int64_t forks_by_verify(struct trio_device *d)
{
	struct buf report;
	int64_t findings = 0, forks = 0;

	buf_init(&report, 1 << 16);
	assert_int_equal(replica_verify(d->r, &report, &findings, &forks, NULL, NULL), 0);
	assert_int_equal(findings, 0);
	buf_done(&report);
	return forks;
}

static struct own_copies own(struct trio_device *d)
{
	struct own_copies o;

	assert_int_equal(replica_own_copies(d->r, &o), 0);
	return o;
}

static void in_transaction(struct trio_device *d, int (*work)(struct replica *r))
{
	assert_int_equal(replica_begin(d->r), 0);
	assert_int_equal(work(d->r), 0);
	assert_int_equal(replica_commit(d->r), 0);
}

static void applies(struct trio_device *d)
{
	bool more = true;

	while (more) {
		assert_int_equal(replica_begin(d->r), 0);
		assert_int_equal(replica_apply(d->r, 1000, &more), 0);
		assert_int_equal(replica_commit(d->r), 0);
	}
}

/* ---- devices */

static void copies_of_a_device_merge_and_both_sides_are_told(void **state)
{
	struct trio *t = *state;
	struct trio_device *twin = trio_copy(t->site, "twin");
	uint8_t a[16], b[16], c[16];
	struct status s;

	trio_activity(t->site, "清洁家园", a);
	trio_activity(twin, "邻里节", b);
	assert_int_equal(calls(t->site), 0);
	assert_int_equal(calls(twin), 0);
	assert_int_equal(known(t->county, t->site).copied_ms,
	                 0); /* so far it may have been restored */
	trio_activity(t->site, "家庭教育", c);
	assert_int_equal(calls(t->site), 0);
	assert_true(known(t->county, t->site).copied_ms > 0);
	assert_int_equal(known(t->county, t->site).lines_count, 2);
	assert_int_equal(calls(twin), 0);
	assert_true(own(t->site).copied_ms > 0);
	assert_true(own(twin).copied_ms > 0);
	assert_int_equal(own(t->site).other, replica_run(twin->r));
	assert_memory_equal(own(twin).told_by, t->county->identity.origin, 16);
	assert_int_equal(status_of(twin->r, &s), 0);
	assert_int_equal(s.lamp, LAMP_IDENTITY);
	/* and no work is the less for it */
	assert_int_equal(calls(t->site), 0);
	for (int i = 0; i < 3; i++) {
		uint8_t *row = i == 0 ? a : i == 1 ? b : c;
		assert_true(trio_has(t->county, "activity", row));
		assert_true(trio_has(t->site, "activity", row));
		assert_true(trio_has(twin, "activity", row));
	}
	assert_int_equal(trio_figure(t->county, UNIT_SITE, "activities"), 3);
	assert_true(known(t->county, t->site).forks > 0);
	assert_true(forks_by_verify(t->county) > 0);
	assert_int_equal(forks_by_verify(t->other), 0);

	/* A person says that one of them is gone: both hear that it is over, and it stays in what is known. */
	assert_int_equal(replica_begin(t->county->r), 0);
	assert_int_equal(
	        replica_copies_dismiss(t->county->r, t->site->identity.origin, "旧电脑已收回"), 0);
	assert_int_equal(replica_commit(t->county->r), 0);
	assert_string_equal(known(t->county, t->site).reason, "旧电脑已收回");
	assert_int_equal(calls(t->site), 0);
	assert_int_equal(own(t->site).copied_ms, 0);
	/* Should it come back all the same, that is new. */
	assert_int_equal(calls(twin), 0);
	assert_true(known(t->county, t->site).copied_ms > 0);
	assert_true(own(twin).copied_ms > 0);
}

/* Both stay connected and have nothing to say: the older one is asked to greet again, and what is alive does. */
static void copies_that_stay_connected_are_found(void **state)
{
	struct trio *t = *state;
	struct trio_device *twin = trio_copy(t->site, "twin");
	struct trio_link *l = trio_link(t->site);

	l->config[TRIO_UP].stay = true;
	trio_run(t);
	assert_false(l->closed[TRIO_UP]);
	assert_int_equal(calls(twin), 0);
	assert_int_equal(known(t->county, t->site).copied_ms, 0);
	trio_pump(t->county);
	trio_run(t);
	assert_true(l->closed[TRIO_UP]);
	assert_int_equal(l->codes[TRIO_UP], ERR_BUSY);
	assert_int_equal(known(t->county, t->site).copied_ms,
	                 0); /* it might be a line that broke */
	assert_int_equal(calls(t->site), 0);
	assert_true(known(t->county, t->site).copied_ms > 0);
	assert_true(own(t->site).copied_ms > 0);
}

static void one_that_is_restored_is_no_copy(void **state)
{
	struct trio *t = *state;
	uint8_t row[16];

	trio_backup(t->site);
	trio_backup(t->county);
	for (int i = 0; i < 3; i++) {
		trio_activity(t->site, "清洁家园", row);
		trio_restart(t->site);
		assert_true(trio_settle(t));
	}
	for (int i = 0; i < 3; i++) {
		trio_restore(t->site);
		trio_activity(t->site, "家庭教育", row);
		assert_true(trio_settle(t));
		trio_restore(t->county);
		assert_int_equal(calls(t->site), 0);
		assert_true(trio_settle(t));
	}
	for (size_t i = 0; i < t->devices_count; i++) {
		assert_int_equal(own(t->devices[i]).copied_ms, 0);
		assert_int_equal(replica_stopped(t->devices[i]->r), 0);
		for (size_t k = 0; k < t->devices_count; k++)
			assert_int_equal(known(t->devices[i], t->devices[k]).copied_ms, 0);
	}
	assert_true(known(t->county, t->site).back_ms > 0);
}

static enum trio_fate no_welcome(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	(void)l;
	return way == TRIO_DOWN && trio_frame_type(buf_span(frame)) == MSG_WELCOME ? TRIO_CUT
	                                                                           : TRIO_PASS;
}

/* The hub met runs that the device does not know to have told. */
static void a_lost_answer_is_no_copy(void **state)
{
	struct trio *t = *state;

	for (int i = 0; i < 4; i++) {
		struct trio_link *l;

		trio_restart(t->site);
		l = trio_link(t->site);
		l->look = no_welcome;
		trio_run(t);
		if (i & 1) assert_int_equal(calls(t->site), 0);
	}
	assert_int_equal(calls(t->site), 0);
	assert_int_equal(known(t->county, t->site).copied_ms, 0);
}

/* A greeting of an old connection that arrives late proves nothing: nobody answers behind it. */
static void a_late_greeting_is_no_copy(void **state)
{
	struct trio *t = *state;
	struct trio_link *late = trio_link(t->site), *l;

	trio_run_frames(t, 0); /* HELLO of the old run is said, and not yet heard */
	trio_restart(t->site);
	l = trio_link(t->site);
	(void)l;
	(void)late;
	trio_run(t);
	assert_int_equal(calls(t->site), 0);
	assert_int_equal(known(t->county, t->site).copied_ms, 0);
}

/* ---- hubs */

static struct trio_device *two_counties(struct trio *t, uint8_t ret_a[16], uint8_t ret_b[16])
{
	struct trio_device *copy = trio_copy(t->county, "copy");

	trio_activity(t->site, "清洁家园", ret_a);
	assert_int_equal(calls(t->site), 0);
	trio_activity(t->other, "邻里节", ret_b);
	assert_int_equal(calls_at(t->other, copy), 0); /* these are sent nowhere else for now */
	assert_int_equal(calls_at(t->site, copy), 0);
	return copy;
}

static void a_copied_hub_stops_until_one_is_named(void **state)
{
	struct trio *t = *state;
	uint8_t a[16], b[16], c[16];
	struct trio_device *copy = two_counties(t, a, b);
	struct status s;

	/* The site comes back to the first: it knows that two are alive, and says so. */
	trio_activity(t->site, "家庭教育", c);
	assert_int_equal(calls(t->site), ERR_COPIED);
	assert_true(own(t->county).copied_ms > 0);
	assert_memory_equal(own(t->county).told_by, t->site->identity.origin, 16);
	assert_int_equal(replica_stopped(t->county->r), ERR_COPIED);
	assert_true(trio_counts(t->site).unsent > 0); /* the work is safe at the site */
	assert_false(trio_has(t->county, "activity", c));
	assert_int_equal(status_of(t->county->r, &s), 0);
	assert_int_equal(s.lamp, LAMP_IDENTITY);
	assert_false(s.complete);
	assert_int_equal(calls(t->other), ERR_COPIED); /* nobody else gets in either */
	assert_int_equal(calls_at(t->site, copy), ERR_COPIED);
	trio_restart(t->county);
	assert_int_equal(calls(t->site), ERR_COPIED); /* whatever is restarted */

	/* Named while the province is away: the sites learn it from the survivor itself. */
	in_transaction(t->county, replica_survive);
	assert_int_equal(replica_stopped(t->county->r), 0);
	assert_int_equal(calls(t->site), 0);
	assert_true(trio_has(t->county, "activity", c));
	assert_int_equal(known(t->site, t->county).survivor, own(t->county).survivor);
	assert_int_equal(known(t->site, t->county).copied_ms, 0);
	assert_int_equal(calls(t->site), 0); /* and what it knew before is not believed again */
	assert_int_equal(replica_stopped(t->county->r), 0);
	trio_restart(t->county);
	assert_int_equal(calls(t->site), 0);

	/* The other is refused, and told by proof. */
	in_transaction(t->county, replica_correct);
	assert_int_equal(calls(t->county), 0);
	assert_int_equal(calls(copy), ERR_SET_ASIDE);
	assert_int_equal(replica_stopped(copy->r), ERR_SET_ASIDE);
	assert_int_equal(own(copy).aside, own(t->county).survivor);
	assert_int_equal(calls_at(t->site, copy), ERR_SET_ASIDE);
	trio_restart(copy);
	assert_int_equal(calls_at(t->other, copy), ERR_SET_ASIDE);
	assert_int_equal(status_of(copy->r, &s), 0);
	assert_int_equal(s.lamp, LAMP_IDENTITY);
}

/* A child that never met the survivor's naming is told by the hub's answer, and a hub that does not know it by the child. */
static void a_child_tells_the_copy_that_it_was_set_aside(void **state)
{
	struct trio *t = *state;
	uint8_t a[16], b[16];
	struct trio_device *copy = two_counties(t, a, b);

	in_transaction(t->county, replica_survive);
	assert_int_equal(calls(t->site), 0);
	assert_int_equal(replica_stopped(copy->r), 0);
	assert_int_equal(calls_at(t->site, copy), ERR_SET_ASIDE);
	assert_int_equal(replica_stopped(copy->r), ERR_SET_ASIDE);
	/* Was it the wrong one?  The later word holds, whatever the clocks say. */
	copy->skew_ms = -INT64_C(365) * 24 * 3600 * 1000;
	in_transaction(copy, replica_survive);
	assert_true(own(copy).survivor > own(t->county).survivor);
	assert_int_equal(calls_at(t->site, copy), 0);
	assert_int_equal(calls(t->site), ERR_SET_ASIDE);
	assert_int_equal(replica_stopped(t->county->r), ERR_SET_ASIDE);
}

/* The parent sees it as well, from the runs that come to it in turns. */
static void a_parent_tells_both_copies(void **state)
{
	struct trio *t = *state;
	struct trio_device *copy = trio_copy(t->county, "copy");

	assert_int_equal(calls(t->county), 0);
	assert_int_equal(calls(copy), 0);
	assert_int_equal(calls(t->county), 0);
	assert_true(known(t->province, t->county).copied_ms > 0);
	assert_int_equal(replica_stopped(t->county->r), ERR_COPIED);
	assert_int_equal(calls(copy), 0);
	assert_int_equal(replica_stopped(copy->r), ERR_COPIED);
	assert_int_equal(calls(t->site), ERR_COPIED);
	in_transaction(t->county, replica_survive);
	assert_int_equal(calls(t->county), 0);
	assert_int_equal(replica_stopped(t->county->r), 0);
	assert_int_equal(known(t->province, t->county).survivor, own(t->county).survivor);
	assert_int_equal(known(t->province, t->county).copied_ms, 0);
	assert_int_equal(calls(t->county), 0);
	assert_int_equal(replica_stopped(t->county->r), 0);
	assert_int_equal(calls(t->site), 0);
	/* With a survivor a warm session is still one round trip of less than 200 bytes. */
	trio_settle(t);
	struct trio_link *l = trio_link(t->county);
	trio_run(t);
	assert_int_equal(l->frames[0] + l->frames[1], 2);
	assert_true(l->bytes[0] + l->bytes[1] < 200);
	print_message("a warm session of a survivor: %zu bytes\n", l->bytes[0] + l->bytes[1]);
}

struct forgery {
	const struct trio_device *by, *of;
	bool done;
};

/* Instead of what the child would say next: a statement about the hub, signed by whom we like. */
static enum trio_fate forged(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	struct forgery *f = l->ctx;
	struct message m = {.type = MSG_NAMED};
	uint8_t made[NAMED_BYTES];
	struct reader in;

	if (way == TRIO_DOWN || f->done || trio_frame_type(buf_span(frame)) == MSG_HELLO)
		return TRIO_PASS;
	f->done = true;
	reader_init(&in, buf_span(frame));
	(void)reader_array(&in);
	(void)reader_uint(&in, UINT8_MAX);
	m.named.session = reader_uint(&in, UINT64_MAX);
	named_make(f->of->identity.origin, UINT64_MAX, f->by->identity.sign_secret, made);
	m.named.statement = span_of(made, NAMED_BYTES);
	buf_reset(frame);
	message_pack(&m, NULL, frame);
	return TRIO_PASS;
}

/* Nobody but the hub's own key says who was named. */
static void a_statement_is_the_hubs_own(void **state)
{
	struct trio *t = *state;
	struct forgery f = {.by = t->site, .of = t->county};
	uint8_t made[NAMED_BYTES], origin[16], row[16];
	uint64_t number;
	struct trio_link *l;

	for (size_t i = 0; i < NAMED_BYTES; i++) { /* no byte of a true one may differ */
		named_make(t->county->identity.origin, 7, t->county->identity.sign_secret, made);
		assert_int_equal(named_open(span_of(made, NAMED_BYTES),
		                            t->county->identity.sign_public, origin, &number, NULL),
		                 0);
		assert_int_equal(number, 7);
		made[i] ^= 1;
		assert_true(named_open(span_of(made, NAMED_BYTES), t->county->identity.sign_public,
		                       origin, &number, NULL) < 0);
	}
	trio_activity(t->site, "清洁家园", row);
	l = trio_link(t->site);
	l->look = forged;
	l->ctx = &f;
	trio_run(t);
	assert_true(f.done);
	assert_int_equal(l->codes[TRIO_DOWN], ERR_SIGNATURE);
	assert_int_equal(replica_stopped(t->county->r), 0);
	/* Signed by the hub itself it is believed. */
	trio_activity(t->site, "邻里节", row);
	f = (struct forgery){.by = t->county, .of = t->county};
	l = trio_link(t->site);
	l->look = forged;
	l->ctx = &f;
	trio_run(t);
	assert_true(f.done);
	assert_int_equal(replica_stopped(t->county->r), ERR_SET_ASIDE);
}

/* ---- handing in */

static void write_bundle(struct trio_device *d, struct buf *out)
{
	struct bundle_writer w;
	struct buf piece;
	bool done = false, sealed;

	assert_int_equal(replica_begin(d->r), 0);
	assert_int_equal(replica_seal(d->r, &sealed), 0);
	assert_int_equal(replica_commit(d->r), 0);
	buf_init(&piece, BUNDLE_OUT_MAX);
	assert_int_equal(bundle_begin(d->r, &w, &piece), 0);
	while (!done) {
		assert_int_equal(bundle_more(d->r, &w, &piece, &done), 0);
		buf_add(out, piece.p, piece.len);
		buf_reset(&piece);
	}
	buf_done(&piece);
}

struct taken {
	size_t fresh, known;
	int rc;
	bool ended;
};

/* In pieces of `step` bytes. */
static struct taken take_bundle(struct trio_device *d, struct span file, size_t step)
{
	struct bundle_reader b;
	struct bundle_entry e;
	struct error err = {0};
	struct taken t = {0};

	bundle_reader_init(&b);
	for (size_t at = 0; at < file.len && t.rc >= 0; at += step) {
		bundle_feed(&b, span_of(file.p + at, file.len - at < step ? file.len - at : step));
		while ((t.rc = bundle_next(&b, &e, &err)) == 1) {
			bool fresh;
			int refused;

			assert_int_equal(replica_begin(d->r), 0);
			assert_int_equal(bundle_take(d->r, &e, &fresh, &refused), 0);
			assert_int_equal(refused, 0);
			assert_int_equal(replica_commit(d->r), 0);
			t.fresh += fresh;
			t.known += !fresh;
		}
	}
	t.ended = b.ended;
	bundle_reader_done(&b);
	return t;
}

static void what_the_other_holds_is_handed_in(void **state)
{
	struct trio *t = *state;
	uint8_t a[16], b[16], c[16];
	struct trio_device *copy = two_counties(t, a, b);
	struct buf file;
	struct taken first, second;

	trio_activity(copy, "表彰大会", c); /* a hub's own work, in its open tail */
	in_transaction(t->county, replica_survive);
	assert_int_equal(calls(t->site), 0);
	assert_int_equal(calls_at(t->site, copy), ERR_SET_ASIDE);
	assert_false(trio_has(t->county, "activity", b));
	buf_init(&file, 1 << 24);
	write_bundle(copy, &file);

	/* Cut at any place it is taken up to there; a second time all is known. */
	first = take_bundle(t->county, span_of(file.p, file.len / 2), 1000);
	assert_true(first.rc == 0 && !first.ended);
	first = take_bundle(t->county, buf_span(&file), 777);
	assert_true(first.rc == 0 && first.ended);
	second = take_bundle(t->county, buf_span(&file), 64 * 1024);
	assert_true(second.ended);
	assert_int_equal(second.fresh, 0);
	applies(t->county);
	assert_true(trio_has(t->county, "activity", a));
	assert_true(trio_has(t->county, "activity", b));
	assert_true(trio_has(t->county, "activity", c));

	/* The other site comes to the survivor: its work is known and admitted, by the word of the copy. */
	assert_int_equal(calls(t->other), 0);
	trio_activity(t->other, "家庭教育", b);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(calls(t->other), 0);
		assert_int_equal(calls(t->site), 0);
		assert_int_equal(calls(t->second), 0);
		in_transaction(t->county, replica_correct);
		assert_int_equal(calls(t->county), 0);
	}
	assert_true(trio_agrees(t->county));
	assert_true(trio_agrees(t->site));
	assert_true(trio_agrees(t->other));
	assert_int_equal(trio_counts(t->other).unsent, 0);
	assert_int_equal(trio_counts(t->other).unadmitted, 0);
	assert_int_equal(trio_figure(t->province, UNIT_OTHER, "activities"), 2);
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "activities"), 1);
	assert_int_equal(trio_counts(t->county).gaps, 0);
	buf_done(&file);
}

/* A device is replaced: the new one hands in what the old one had not sent. */
static void a_replaced_device_hands_in(void **state)
{
	struct trio *t = *state;
	uint8_t a[16];
	struct buf file;

	trio_activity(t->site, "清洁家园", a);
	buf_init(&file, 1 << 24);
	write_bundle(t->site, &file);
	assert_true(take_bundle(t->second, buf_span(&file), 5000).ended);
	applies(t->second);
	assert_int_equal(calls(t->second), 0);
	applies(t->county);
	assert_int_equal(calls(t->second), 0);
	assert_true(trio_has(t->county, "activity", a));
	assert_true(trio_has(t->second, "activity", a));
	assert_true(trio_agrees(t->second));
	buf_done(&file);
}

static void a_bundle_that_is_not_as_it_was_written(void **state)
{
	struct trio *t = *state;
	struct buf file;
	struct bundle_entry e;
	struct error err = {0};

	buf_init(&file, 1 << 24);
	write_bundle(t->site, &file);
	for (size_t at = 0; at < file.len; at += at < 60 || at + 40 > file.len ? 1 : 97) {
		struct bundle_reader b;
		bool good = true;
		int rc;

		file.p[at] ^= 1;
		bundle_reader_init(&b);
		for (size_t from = 0; good && from < file.len; from += 4096) {
			bundle_feed(&b, span_of(file.p + from,
			                        file.len - from < 4096 ? file.len - from : 4096));
			while ((rc = bundle_next(&b, &e, &err)) == 1) {
			}
			good = rc == 0;
		}
		assert_true(!good || !b.ended);
		bundle_reader_done(&b);
		file.p[at] ^= 1;
	}
	buf_u8(&file, 0); /* and nothing behind it */
	struct bundle_reader b;
	bundle_reader_init(&b);
	int rc = 0;
	for (size_t from = 0; rc == 0 && from < file.len; from += 4096) {
		bundle_feed(&b, span_of(file.p + from,
		                        file.len - from < 4096 ? file.len - from : 4096));
		while ((rc = bundle_next(&b, &e, &err)) == 1) {
		}
	}
	assert_int_equal(rc, -ERR_FILE_FORM);
	bundle_reader_done(&b);
	buf_done(&file);
}

/* ---- the lines, step by step */

static bool meets(struct copies *c, uint64_t run, uint64_t last)
{
	bool doubt, changed,
	        two = copies_meet(c, run, last, 1, /* sure= */ false, &doubt, &changed);

	assert_true(!doubt || (!two && !changed));
	return doubt ? copies_meet(c, run, last, 1, /* sure= */ true, &doubt, &changed) : two;
}

/* What was kept of a peer before a release was: it reads, and nothing was released. */
static void kept_before_releases(void **state)
{
	struct trio *t = *state;
	const uint8_t *origin = t->site->identity.origin;
	struct copies c = {.copied_ms = 5, .lines_count = 2, .released = 2}, got;
	char key[64], hex[33];
	struct span kept;
	struct buf old;

	c.lines[0].tip = 7;
	c.lines[1].tip = 8;
	hex_text(origin, 16, hex);
	(void)snprintf(key, sizeof(key), "copies/%s", hex);
	assert_int_equal(replica_begin(t->county->r), 0);
	assert_int_equal(replica_copies_keep(t->county->r, origin, &c), 0);
	assert_int_equal(replica_copies(t->county->r, origin, &got), 0);
	assert_int_equal(got.released, 2);
	assert_int_equal(store_meta_get(t->county->store, key, &t->a, &kept), 0);
	buf_init(&old, 1024);
	buf_u8(&old, 1);
	buf_add(&old, kept.p + 1, 4); /* how many of what; then, now, how many were released */
	buf_add(&old, kept.p + 6, kept.len - 6);
	assert_int_equal(store_meta_put(t->county->store, key, buf_span(&old)), 0);
	assert_int_equal(replica_copies(t->county->r, origin, &got), 0);
	assert_int_equal(got.released, 0);
	assert_true(got.lines_count == 2 && got.lines[1].tip == 8 && got.copied_ms == 5);
	assert_false(copies_released(&got));
	replica_rollback(t->county->r);
	buf_done(&old);
}

static void lines(void **state)
{
	struct copies c = {0};

	(void)state;
	assert_false(meets(&c, 1, 0));
	assert_false(meets(&c, 1, 1));
	assert_false(meets(&c, 2, 1));
	assert_false(meets(&c, 3, 2));
	assert_int_equal(c.lines_count, 1);
	assert_false(meets(&c, 4, 1)); /* restored, or a copy */
	assert_int_equal(c.lines_count, 2);
	assert_false(meets(&c, 5, 4));
	assert_int_equal(c.copied_ms, 0);
	assert_true(meets(&c, 6, 3));  /* what went on from 3 is alive beside 5 */
	assert_false(meets(&c, 5, 5)); /* known by now */
	assert_int_equal(c.lines_count, 2);
	copies_collapse(&c);
	assert_false(meets(&c, 7, 5));
	assert_true(meets(&c, 6, 6));

	c = (struct copies){0};
	assert_false(meets(&c, 1, 0));
	assert_false(meets(&c, 2, 1));
	assert_true(meets(&c, 1, 1)); /* left behind, and alive */

	c = (struct copies){0}; /* we were restored: what comes follows runs that we forgot */
	assert_false(meets(&c, 1, 0));
	assert_false(meets(&c, 9, 8));
	assert_false(meets(&c, 10, 9));
	assert_int_equal(c.lines_count, 1);
	for (uint64_t i = 11; i < 200; i++) assert_false(meets(&c, i, i - 1));
	for (uint64_t i = 300; i < 320; i++)
		assert_false(meets(&c, i, 198)); /* restored each time */
	assert_int_equal(c.lines_count, COPIES_LINES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(lines),
#define SCENE(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
	        SCENE(copies_of_a_device_merge_and_both_sides_are_told),
	        SCENE(copies_that_stay_connected_are_found),
	        SCENE(one_that_is_restored_is_no_copy),
	        SCENE(a_lost_answer_is_no_copy),
	        SCENE(a_late_greeting_is_no_copy),
	        SCENE(a_copied_hub_stops_until_one_is_named),
	        SCENE(a_child_tells_the_copy_that_it_was_set_aside),
	        SCENE(a_parent_tells_both_copies),
	        SCENE(a_statement_is_the_hubs_own),
	        SCENE(what_the_other_holds_is_handed_in),
	        SCENE(a_replaced_device_hands_in),
	        SCENE(kept_before_releases),
	        SCENE(a_bundle_that_is_not_as_it_was_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
