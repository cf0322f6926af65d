/*
 * test_session.c - sessions between three tiers in one process: greeting, cursors, credit, restores, and
 * what becomes of the records that they carry.
 */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/ident.h"
#include "common/reader.h"
#include "proto/copies.h"
#include "tests/support/trio.h"

static int set_up(void **state)
{
	*state = trio_new();
	return 0;
}

static int tear_down(void **state)
{
	trio_free(*state);
	return 0;
}

/* ---- what a test sees of frames */

/* The content of a DATA, without its place: the same entry sent twice has one key. */
static void data_key(struct span frame, uint8_t ret[16])
{
	struct reader r;
	uint8_t rolling[16];
	struct span head, body;
	struct hash h;
	uint64_t kind;

	reader_init(&r, frame);
	reader_array(&r);
	for (int i = 0; i < 4; i++)
		(void)reader_uint(&r, UINT64_MAX); /* type, session, number, pos */
	reader_fixed(&r, rolling, sizeof(rolling));
	kind = reader_uint(&r, 255);
	head = reader_bytes(&r, MESSAGE_BYTES_MAX);
	body = reader_bytes(&r, MESSAGE_BYTES_MAX);
	assert_true(reader_done(&r));
	hash_begin(&h, 16);
	if (kind != ENTRY_SEGMENT) hash_add(&h, head.p, head.len);
	hash_add(&h, body.p, body.len);
	hash_end(&h, ret, 16);
}

enum { KEYS_MAX = 1024, KEPT_MAX = 64 };

/* What went over links, and when to do something to it. */
struct watch {
	uint8_t keys[2][KEYS_MAX][16];
	size_t keys_count[2], twice[2];
	size_t frames, act_at; /* of all frames, or of those of one type and way */
	unsigned type;         /* 0: any */
	enum trio_way way;
	enum trio_fate fate;
	struct buf kept[2][KEPT_MAX];
	size_t kept_count[2];
};

static struct watch *watch_new(void)
{
	struct watch *w = mem_alloc(sizeof(*w));

	w->act_at = SIZE_MAX;
	return w;
}

static void watch_free(struct watch *w)
{
	for (int way = 0; way < 2; way++)
		for (size_t i = 0; i < w->kept_count[way]; i++) buf_done(&w->kept[way][i]);
	free(w);
}

static void watch_data(struct watch *w, enum trio_way way, struct span frame)
{
	uint8_t key[16];
	bool known = false;

	if (trio_frame_type(frame) != MSG_DATA) return;
	data_key(frame, key);
	for (size_t i = 0; i < w->keys_count[way] && !known; i++)
		known = !memcmp(w->keys[way][i], key, 16);
	w->twice[way] += known;
	assert_true(w->keys_count[way] < KEYS_MAX);
	memcpy(w->keys[way][w->keys_count[way]++], key, 16);
}

static enum trio_fate watching(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	struct watch *w = l->ctx;
	bool counts = !w->type || (trio_frame_type(buf_span(frame)) == w->type && way == w->way);

	watch_data(w, way, buf_span(frame));
	if (w->kept_count[way] < KEPT_MAX) {
		struct buf *b = &w->kept[way][w->kept_count[way]++];
		buf_init(b, frame->len);
		buf_add(b, frame->p, frame->len);
	}
	return counts && w->frames++ == w->act_at ? w->fate : TRIO_PASS;
}

static struct trio_link *watched(struct trio_device *child, struct watch *w)
{
	struct trio_link *l = trio_link(child);

	l->look = watching;
	l->ctx = w;
	return l;
}

static void assert_well(const struct trio_link *l)
{
	for (int side = 0; side < 2; side++) {
		assert_true(l->closed[side]);
		assert_int_equal(l->rcs[side], 0);
		assert_int_equal(l->codes[side], 0);
	}
}

/* ---- the plain course of things */

static void cold_first_sync(void **state)
{
	struct trio *t = *state;
	uint8_t person[16], activity[16], hours[16];
	struct replica_counts c;

	trio_volunteer(t->site, "林秀英", person);
	trio_activity(t->site, "清洁家园", activity);
	trio_participation(t->site, person, 60, hours);
	c = trio_counts(t->site);
	assert_int_equal(c.merged, 0);
	assert_true(c.unsent > 0);
	assert_true(trio_sync(t->site));
	assert_true(trio_agrees(t->site));
	c = trio_counts(t->site);
	assert_int_equal(c.unsent, 0);
	assert_int_equal(c.received, 0); /* all admitted in the same session */
	assert_true(c.merged > 0);
	assert_true(trio_has(t->site, "org_unit", t->units[UNIT_COUNTY]));
	assert_true(trio_shows(t->county, "volunteer", person, "name", "林秀英"));
	assert_true(trio_shows(t->county, "activity", activity, "title", "清洁家园"));
	assert_true(trio_has(t->county, "participation", hours));
	assert_true(trio_sync(t->county));
	assert_true(trio_agrees(t->county));
	/* the province gets what is open, and nothing else */
	assert_true(trio_shows(t->province, "activity", activity, "title", "清洁家园"));
	assert_int_equal(trio_value(t->province, "volunteer", person, "name").type, VALUE_NULL);
	assert_false(trio_has(t->province, "participation", hours));
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "minutes"), 60);
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "activities"), 1);
}

static void warm_and_nothing_to_do_is_one_round_trip(void **state)
{
	struct trio *t = *state;
	struct trio_link *l;
	uint8_t row[16];

	trio_activity(t->site, "清洁家园", row);
	assert_true(trio_settle(t));
	l = trio_link(t->site);
	trio_run(t);
	assert_well(l);
	assert_string_equal(buf_cstr(&l->trace), "up HELLO\ndown WELCOME\n");
	assert_true(l->bytes[TRIO_UP] + l->bytes[TRIO_DOWN] <= 200);
	assert_true(l->last[TRIO_UP].agreed);
	assert_int_equal(l->last[TRIO_UP].round_trips, 1);
	/* the hub between has as little to say to the province */
	l = trio_link(t->county);
	trio_run(t);
	assert_well(l);
	assert_string_equal(buf_cstr(&l->trace), "up HELLO\ndown WELCOME\n");
	assert_true(l->bytes[TRIO_UP] + l->bytes[TRIO_DOWN] <= 200);
}

/* Types and directions of one small session, as text. */
static void golden_trace(void **state)
{
	struct trio *t = *state;
	struct trio_link *l;
	uint8_t row[16];

	assert_true(trio_settle(t));
	trio_activity(t->site, "清洁家园", row);
	l = trio_link(t->site);
	trio_run(t);
	assert_well(l);
	assert_string_equal(buf_cstr(&l->trace),
	                    "up HELLO\n"
	                    "down WELCOME\n"
	                    "up DATA\n" /* open lane: the activity and two figures */
	                    "down ACK\n"
	                    "up DATA\n" /* county lane: its empty part there */
	                    "down ACK\n"
	                    "down STATE\n" /* idle after the greeting, whose digests differed */
	                    "up STATE\n"
	                    "down DATA\n" /* two admissions */
	                    "up ACK\n"
	                    "down DATA\n"
	                    "up ACK\n"
	                    "down STATE\n"
	                    "up STATE\n"
	                    "up BYE\n");
}

/* ---- cuts, losses, repetitions */

static void busy(struct trio *t)
{
	uint8_t row[16];

	for (int i = 0; i < 5; i++) {
		trio_activity(t->site, "清洁家园", row);
		if (i < 3) trio_seal(t->site);
		trio_activity(t->county, "表彰大会", row);
		trio_seal(t->county);
	}
}

static void a_cut_at_any_frame_loses_at_most_one(void **state)
{
	struct watch *w = watch_new();
	struct trio_link *l;
	size_t frames;

	(void)state;
	{
		struct trio *t = trio_new();
		busy(t);
		l = watched(t->site, w);
		trio_run(t);
		assert_well(l);
		frames = w->frames;
		assert_true(w->keys_count[TRIO_UP] >= 8 && w->keys_count[TRIO_DOWN] >= 8);
		trio_free(t);
	}
	for (size_t cut = 0; cut < frames; cut++) {
		struct trio *t = trio_new();
		busy(t);
		memset(w->keys_count, 0, sizeof(w->keys_count));
		memset(w->twice, 0, sizeof(w->twice));
		w->frames = 0;
		w->act_at = cut;
		w->fate = TRIO_CUT;
		l = watched(t->site, w);
		trio_run(t);
		assert_true(l->closed[TRIO_UP] && l->closed[TRIO_DOWN]);
		assert_int_equal(l->codes[TRIO_DOWN],
		                 ERR_UNREACHABLE); /* the child may have left well: BYE was cut */
		w->act_at = SIZE_MAX;
		l = watched(t->site, w);
		trio_run(t);
		assert_well(l);
		assert_true(w->twice[TRIO_UP] + w->twice[TRIO_DOWN] <= 1);
		assert_true(trio_agrees(t->site));
		assert_int_equal(trio_counts(t->site).unsent, 0);
		assert_int_equal(trio_counts(t->county).gaps, 0);
		trio_free(t);
	}
	watch_free(w);
}

static void a_lost_data_ends_the_session_with_a_gap(void **state)
{
	struct trio *t = *state;
	struct watch *w = watch_new();
	struct trio_link *l;

	assert_true(trio_settle(t));
	busy(t);
	w->type = MSG_DATA;
	w->way = TRIO_UP;
	w->act_at = 1;
	w->fate = TRIO_DROP;
	l = watched(t->site, w);
	trio_run(t);
	assert_int_equal(l->codes[TRIO_DOWN], ERR_GAP);
	assert_int_equal(l->codes[TRIO_UP], ERR_GAP);
	assert_int_equal(l->data[TRIO_UP], 2); /* the first, and the one that came too early */
	assert_true(trio_counts(t->site).unsent > 0);
	assert_true(trio_sync(t->site));
	assert_true(trio_agrees(t->site));
	assert_int_equal(trio_counts(t->site).unsent, 0);
	assert_int_equal(trio_counts(t->county).gaps, 0);
	watch_free(w);
}

/* The same downward, and of the last one: nothing after it tells, but time. */
static void the_last_data_lost_is_found_by_time(void **state)
{
	struct trio *t = *state;
	struct watch *w = watch_new();
	struct trio_link *l;
	uint8_t row[16];
	int64_t from = 0;

	assert_true(trio_settle(t));
	trio_activity(t->county, "表彰大会", row);
	trio_seal(t->county);
	w->type = MSG_DATA;
	w->way = TRIO_DOWN;
	w->act_at = 0;
	w->fate = TRIO_DROP;
	from = t->now_ms;
	l = watched(t->site, w);
	trio_run(t);
	assert_int_not_equal(l->codes[TRIO_UP], 0);
	assert_true(t->now_ms - from <= 60 * 1000);
	assert_false(trio_has(t->site, "activity", row));
	assert_true(trio_sync(t->site));
	assert_true(trio_has(t->site, "activity", row));
	assert_true(trio_agrees(t->site));
	watch_free(w);
}

/* A link that repeats is as bad as one that loses: the number tells, or the short form, which nobody makes twice. */
static void duplicate_data_is_taken_once(void **state)
{
	struct trio *t = *state;
	struct watch *w = watch_new();
	struct trio_link *l;
	int64_t journal;
	uint8_t row[16];

	assert_true(trio_settle(t));
	trio_activity(t->site, "清洁家园", row);
	journal = trio_counts(t->county).journal;
	w->type = MSG_DATA;
	w->act_at = 0;
	w->fate = TRIO_TWICE;
	w->way = TRIO_UP; /* a segment */
	l = watched(t->site, w);
	trio_run(t);
	assert_true(l->codes[TRIO_DOWN] == ERR_GAP || l->codes[TRIO_DOWN] == ERR_PROTOCOL);
	assert_int_equal(l->codes[TRIO_UP], l->codes[TRIO_DOWN]);
	w->frames = 0;
	w->way = TRIO_DOWN; /* an admission */
	l = watched(t->site, w);
	trio_run(t);
	assert_int_equal(l->codes[TRIO_UP], ERR_GAP);
	assert_int_equal(l->codes[TRIO_DOWN], ERR_GAP);
	assert_true(trio_settle(t));
	/* two segments, two admissions, and the province's word that they came */
	assert_int_equal(trio_counts(t->county).journal, journal + 5);
	assert_int_equal(trio_figure(t->county, UNIT_SITE, "activities"), 1);
	assert_int_equal(trio_counts(t->site).received, 0);
	watch_free(w);
}

/* A peer that sends what is there already, in a message of its own: known by its hash. */
static void what_is_known_is_skipped_by_its_hash(void **state)
{
	struct trio *t = *state;
	uint8_t row[16];
	int64_t journal;

	trio_activity(t->site, "清洁家园", row);
	assert_true(trio_settle(t));
	journal = trio_counts(t->county).journal;
	/* the county forgets its cursors on this child */
	assert_int_equal(replica_begin(t->county->r), 0);
	assert_int_equal(store_cursor_put(t->county->store, t->site->identity.origin,
	                                  replica_run(t->site->r), NULL, 0),
	                 0);
	assert_int_equal(replica_commit(t->county->r), 0);
	struct trio_link *l = trio_link(t->site);
	trio_run(t);
	assert_well(l);
	assert_true(l->data[TRIO_UP] >= 2);
	assert_int_equal(trio_counts(t->county).journal, journal);
	assert_true(trio_agrees(t->site));
}

/* ---- sessions that stay */

/* Quiet for long, then there is work: the peer has the whole time to answer it. */
static void a_quiet_session_is_there_when_work_comes(void **state)
{
	struct trio *t = *state;
	struct trio_link *l;
	uint8_t up[16], down[16];

	assert_true(trio_settle(t));
	l = trio_link(t->site);
	l->config[TRIO_UP].stay = true;
	trio_run(t);
	assert_non_null(l->sessions[TRIO_UP]);
	for (int i = 0; i < 2; i++) {
		t->now_ms += 10 * 60 * 1000;
		trio_activity(t->site, "清洁家园", up);
		trio_pump(t->site);
		trio_run(t);
		t->now_ms += 10 * 60 * 1000;
		trio_activity(t->county, "表彰大会", down);
		trio_pump(t->county);
		trio_run(t);
		assert_non_null(l->sessions[TRIO_UP]);
		assert_non_null(l->sessions[TRIO_DOWN]);
		assert_true(trio_has(t->county, "activity", up));
		assert_true(trio_has(t->site, "activity", down));
	}
	assert_true(trio_agrees(t->site));
}

/* A peer that does not answer at all is left after its time. */
static enum trio_fate mute(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	const int64_t *from = l->ctx;

	(void)frame;
	return way == TRIO_DOWN && l->t->now_ms >= *from ? TRIO_DROP : TRIO_PASS;
}

static void a_silent_peer_is_left_after_its_time(void **state)
{
	struct trio *t = *state;
	int64_t from = t->now_ms;
	struct trio_link *l = trio_link(t->site);
	uint8_t row[16];

	l->look = mute;
	l->ctx = &from;
	trio_run(t); /* not even a WELCOME */
	assert_int_equal(l->codes[TRIO_UP], ERR_UNREACHABLE);
	assert_in_range(t->now_ms - from, 30 * 1000, 61 * 1000);
	assert_true(trio_sync(t->site));
	l = trio_link(t->site);
	l->config[TRIO_UP].stay = true;
	from = INT64_MAX;
	l->look = mute;
	l->ctx = &from;
	trio_run(t);
	assert_non_null(l->sessions[TRIO_UP]);
	t->now_ms += 10 * 60 * 1000;
	from = t->now_ms;
	trio_activity(t->site, "清洁家园", row);
	trio_pump(t->site);
	trio_run(t);
	assert_int_equal(l->codes[TRIO_UP], ERR_UNREACHABLE);
	assert_in_range(t->now_ms - from, 30 * 1000, 61 * 1000);
}

/* ---- frames of other sessions */

static bool place_known(struct trio_device *d)
{
	bool known = false;

	assert_int_equal(store_begin_read(d->store), 0);
	assert_int_equal(replica_place_known(d->r, &known), 0);
	store_rollback(d->store);
	return known;
}

/* One session; does each side say that the two agree? */
static void agreement(struct trio_device *child, bool ret[2])
{
	struct trio_link *l = trio_link(child);

	trio_run(child->t);
	assert_well(l);
	for (int side = 0; side < 2; side++) ret[side] = l->last[side].agreed;
}

/* A county that has not heard where it hangs: both hold the same, which is nothing, and neither says that this is all. */
static void who_does_not_know_its_place_agrees_with_nobody(void **state)
{
	struct trio *t = *state;
	struct trio_device *hub = trio_device_new(t, "away", t->province, UNIT_AWAY);
	struct trio_device *node = trio_device_new(t, "village", hub, UNIT_AWAY);
	const uint8_t lanes = 1u << LANE_OPEN | 1u << LANE_COUNTY;
	bool agreed[2];
	struct peer peer;
	bool known = false;

	trio_certify(hub, CERT_HUB, LEVEL_COUNTY, lanes);
	trio_certify(node, CERT_NODE, LEVEL_COUNTY, lanes);
	assert_int_equal(trio_enrol(hub), 0);
	assert_int_equal(trio_join(hub), 0);
	assert_int_equal(trio_enrol(node), 0);
	assert_int_equal(trio_join(node), 0);
	for (int round = 0; round < 3; round++) agreement(node, agreed);
	assert_true(trio_agrees(node)); /* the digests are equal */
	assert_false(place_known(hub));
	assert_false(place_known(node));
	assert_false(agreed[TRIO_UP]);
	assert_false(agreed[TRIO_DOWN]);
	assert_int_equal(store_peer_get(hub->store, node->identity.origin, &peer, &known), 0);
	assert_true(known && peer.agreed_ms == 0);

	for (int round = 0; round < 2; round++) assert_true(trio_sync(hub));
	assert_true(place_known(hub));
	for (int round = 0; round < 2; round++) agreement(node, agreed);
	assert_true(place_known(node));
	assert_true(agreed[TRIO_UP]);
	assert_true(agreed[TRIO_DOWN]);
}

static void a_welcome_of_another_session_is_dropped(void **state)
{
	struct trio *t = *state;
	struct watch *w = watch_new(), *w2 = watch_new();
	struct trio_link *l;
	struct span old, right;
	uint8_t row[16];

	assert_true(trio_settle(t));
	l = watched(t->site, w);
	trio_run(t);
	assert_well(l);
	old = buf_span(&w->kept[TRIO_DOWN][0]);
	assert_int_equal(trio_frame_type(old), MSG_WELCOME);

	trio_activity(t->site, "清洁家园", row);
	w2->type = MSG_WELCOME;
	w2->way = TRIO_DOWN;
	w2->act_at = 0;
	w2->fate = TRIO_DROP;
	l = watched(t->site, w2);
	trio_run_frames(t, 2);
	right = buf_span(&w2->kept[TRIO_DOWN][0]);
	trio_inject(l, TRIO_DOWN, old);
	trio_run_frames(t, 10);
	assert_non_null(l->sessions[TRIO_UP]);
	session_progress(l->sessions[TRIO_UP], &l->last[TRIO_UP]);
	assert_int_equal(l->last[TRIO_UP].state, SESSION_GREETED);
	assert_non_null(strstr(buf_cstr(&l->trace), "down WELCOME\n"));
	assert_int_equal(l->frames[TRIO_UP], 1); /* HELLO: no answer */
	trio_inject(l, TRIO_DOWN, right);
	trio_run(t);
	assert_well(l);
	assert_true(trio_agrees(t->site));
	watch_free(w);
	watch_free(w2);
}

static void frames_of_another_session_are_dropped(void **state)
{
	struct trio *t = *state;
	struct watch *w = watch_new();
	struct trio_link *l;
	struct replica_counts site, county;
	size_t up, down;
	uint8_t row[16];

	assert_true(trio_settle(t));
	busy(t);
	l = watched(t->site, w);
	trio_run(t);
	assert_well(l);
	site = trio_counts(t->site);
	county = trio_counts(t->county);

	l = trio_link(t->site);
	l->config[TRIO_UP].stay = true;
	trio_run(t);
	assert_non_null(l->sessions[TRIO_UP]);
	assert_non_null(l->sessions[TRIO_DOWN]);
	up = l->frames[TRIO_UP];
	down = l->frames[TRIO_DOWN];
	for (size_t i = 0; i < w->kept_count[TRIO_UP]; i++)
		if (trio_frame_type(buf_span(&w->kept[TRIO_UP][i])) != MSG_HELLO) {
			trio_inject(l, TRIO_UP, buf_span(&w->kept[TRIO_UP][i]));
			up++;
		}
	for (size_t i = 0; i < w->kept_count[TRIO_DOWN]; i++) {
		trio_inject(l, TRIO_DOWN, buf_span(&w->kept[TRIO_DOWN][i]));
		down++;
	}
	assert_true(up > 10 && down > 10);
	trio_run(t);
	/* nothing was said to them, nobody left, nothing was entered */
	assert_int_equal(l->frames[TRIO_UP], up);
	assert_int_equal(l->frames[TRIO_DOWN], down);
	assert_non_null(l->sessions[TRIO_UP]);
	assert_non_null(l->sessions[TRIO_DOWN]);
	assert_int_equal(trio_counts(t->site).journal, site.journal);
	assert_int_equal(trio_counts(t->county).journal, county.journal);
	/* and the session goes on: its short forms and numbers were not touched */
	trio_activity(t->site, "反家暴宣传", row);
	trio_pump(t->site);
	trio_run(t);
	assert_true(trio_has(t->county, "activity", row));
	trio_end(l);
	trio_run(t);
	assert_well(l);
	assert_true(trio_agrees(t->site));
	watch_free(w);
}

/* ---- credit */

struct credit {
	uint64_t granted, arrived, largest;
	size_t data;
	bool deaf; /* the hub gets no DATA */
};

/* Credit is leave to begin a message: what went before it is below what was granted. */
static enum trio_fate counting(struct trio_link *l, enum trio_way way, struct buf *frame)
{
	struct credit *c = l->ctx;
	struct reader r;
	uint64_t credit;

	if (way == TRIO_UP && trio_frame_type(buf_span(frame)) == MSG_DATA) {
		assert_true(c->arrived < c->granted);
		c->arrived += frame->len;
		c->data++;
		if (frame->len > c->largest) c->largest = frame->len;
		return c->deaf ? TRIO_DROP : TRIO_PASS;
	}
	if (way == TRIO_DOWN && trio_frame_type(buf_span(frame)) == MSG_ACK) {
		reader_init(&r, buf_span(frame));
		reader_array(&r);
		for (int i = 0; i < 3; i++) (void)reader_uint(&r, UINT64_MAX);
		credit = reader_uint(&r, UINT64_MAX);
		assert_true(reader_done(&r));
		assert_true(credit >= c->granted);
		c->granted = credit;
	}
	return TRIO_PASS;
}

static void never_more_than_the_credit_is_under_way(void **state)
{
	enum { WINDOW = 4096 };
	struct trio *t = *state;
	struct credit c = {.granted = WINDOW, .deaf = true};
	struct trio_link *l;
	uint8_t row[16];

	assert_true(trio_settle(t));
	for (int i = 0; i < 24; i++) {
		trio_activity(t->site, "清洁家园", row);
		trio_seal(t->site);
	}
	/* a hub that takes nothing in: it is sent what it granted, and no more */
	l = trio_link(t->site);
	l->config[TRIO_DOWN].credit_window = WINDOW;
	l->look = counting;
	l->ctx = &c;
	trio_run_frames(t, 1000);
	assert_true(c.arrived >= WINDOW);
	assert_true(c.arrived < WINDOW + c.largest);
	trio_cut(l);
	/* one that does */
	c = (struct credit){.granted = WINDOW};
	l = trio_link(t->site);
	l->config[TRIO_DOWN].credit_window = WINDOW;
	l->look = counting;
	l->ctx = &c;
	trio_run(t);
	assert_well(l);
	assert_true(c.arrived > 2 * WINDOW);
	assert_int_equal(c.data, 48);
	assert_true(trio_agrees(t->site));
	assert_int_equal(trio_counts(t->site).unsent, 0);
}

/* ---- filters */

static void a_wider_filter_brings_what_is_new_in_it_once(void **state)
{
	struct trio *t = *state;
	struct watch *w = watch_new();
	struct trio_link *l;
	uint8_t town[16], at_town[16], before[16];
	struct field_write unit[] = {
	        trio_said("org_unit", "code", value_text("350102001000")),
	        trio_said("org_unit", "name", value_text("鼓东街道")),
	        trio_said("org_unit", "level", value_int(LEVEL_TOWNSHIP)),
	        trio_said("org_unit", "parent", value_bytes(t->units[UNIT_COUNTY], 16)),
	};
	struct field_write f[] = {
	        trio_said("activity", "title", value_text("街道培训")),
	        trio_said("activity", "act", value_text("D4")),
	        trio_said("activity", "start", value_int(t->now_ms - 3600000)),
	        trio_said("activity", "astat", value_text("finished")),
	};
	struct write act = {.kind = WRITE_INSERT,
	                    .table = trio_table("activity"),
	                    .fields = f,
	                    .fields_count = ARRAY_COUNT(f)};

	assert_int_equal(trio_insert(t->province, "org_unit", unit, ARRAY_COUNT(unit), town), 0);
	assert_true(trio_settle(t));
	memcpy(act.scope, town, 16);
	assert_int_equal(trio_write(t->county, &act, 1, false), 0);
	memcpy(at_town, act.row, 16);
	trio_activity(t->county, "表彰大会", before);
	trio_seal(t->county);
	for (int i = 0; i < 2; i++) {
		l = watched(t->site, w);
		trio_run(t);
		assert_well(l);
	}
	assert_true(trio_has(t->site, "activity", before));
	assert_false(trio_has(t->site, "activity", at_town));
	assert_false(trio_has(t->site, "org_unit", town));

	/* the site comes to lie below the town */
	assert_int_equal(trio_change(t->province, "org_unit", t->units[UNIT_SITE], "parent",
	                             value_bytes(town, 16)),
	                 0);
	trio_seal(t->province);
	assert_true(trio_sync(t->county));
	l = watched(t->site, w);
	trio_run(t);
	assert_well(l);
	assert_true(trio_has(t->site, "activity", at_town));
	assert_true(trio_has(t->site, "org_unit", town));
	/* the town, its activity in the open lane with a figure in the same segment, and the site's new parent */
	assert_int_equal(l->data[TRIO_DOWN], 3);
	assert_int_equal(l->data[TRIO_UP], 0);
	assert_true(trio_agrees(t->site));
	l = watched(t->site, w);
	trio_run(t);
	assert_well(l);
	assert_int_equal(l->data[TRIO_DOWN], 0);
	assert_int_equal(w->twice[TRIO_DOWN], 0);
	watch_free(w);
}

/* ---- restores, runs */

static struct peer peer_of(struct trio_device *d, const struct trio_device *peer)
{
	struct peer p;
	bool known;

	assert_int_equal(store_begin_read(d->store), 0);
	assert_int_equal(store_peer_get(d->store, peer->identity.origin, &p, &known), 0);
	assert_true(known);
	store_rollback(d->store);
	return p;
}

static struct copies copies_of(struct trio_device *d, const struct trio_device *peer)
{
	struct copies c;
	assert_int_equal(replica_copies(d->r, peer->identity.origin, &c), 0);
	return c;
}

static void a_restored_child_gets_its_own_work_back(void **state)
{
	struct trio *t = *state;
	uint8_t old[16], mine[16], person[16];

	trio_activity(t->site, "清洁家园", old);
	assert_true(trio_settle(t));
	trio_backup(t->site);
	trio_activity(t->site, "反家暴宣传", mine);
	trio_volunteer(t->site, "陈桂兰", person);
	assert_int_equal(trio_change(t->site, "activity", old, "title", value_text("改名")), 0);
	assert_true(trio_settle(t));
	assert_false(trio_counts(t->site).restored);

	trio_restore(t->site);
	assert_false(trio_has(t->site, "activity", mine));
	assert_true(trio_shows(t->site, "activity", old, "title", "清洁家园"));
	assert_true(trio_sync(t->site));
	/* One session brought all home: what is left is that it happened, at both. */
	assert_false(trio_counts(t->site).restored);
	assert_true(copies_of(t->site, t->county).back_ms > 0);
	assert_true(copies_of(t->county, t->site).back_ms > 0);
	assert_true(trio_settle(t));
	assert_true(trio_has(t->site, "activity", mine));
	assert_true(trio_shows(t->site, "volunteer", person, "name", "陈桂兰"));
	assert_true(trio_shows(t->site, "activity", old, "title", "改名"));
	assert_int_equal(trio_figure(t->site, UNIT_SITE, "activities"), 2);
	/* and what it writes now adds to its own later statement */
	trio_activity(t->site, "家庭教育", mine);
	assert_true(trio_settle(t));
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "activities"), 3);
	assert_int_equal(trio_counts(t->county).gaps, 0);
}

/* Work of the time after the restore, recorded before the first session: the peer's old cursor lies beyond it. */
static void what_a_restored_child_records_before_it_syncs_arrives(void **state)
{
	struct trio *t = *state;
	uint8_t lost[16], fresh[16];

	assert_true(trio_settle(t));
	trio_backup(t->site);
	for (int i = 0; i < 4; i++) {
		trio_activity(t->site, "反家暴宣传", lost);
		assert_true(trio_settle(t));
	}
	trio_restore(t->site);
	trio_activity(t->site, "家庭教育", fresh);
	assert_true(trio_sync(t->site));
	assert_true(trio_shows(t->county, "activity", fresh, "title", "家庭教育"));
	assert_true(trio_settle(t));
	assert_true(trio_has(t->site, "activity", lost));
	assert_int_equal(trio_counts(t->site).unsent, 0);
	assert_int_equal(trio_counts(t->county).gaps, 0);
	assert_int_equal(trio_figure(t->county, UNIT_SITE, "activities"), 5);
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "activities"), 5);
}

static void a_restored_parent_gets_everything_back(void **state)
{
	struct trio *t = *state;
	uint8_t a[16], b[16], c[16], person[16];

	assert_true(trio_settle(t));
	trio_backup(t->county);
	trio_activity(t->site, "清洁家园", a);
	trio_volunteer(t->site, "陈桂兰", person);
	trio_activity(t->other, "邻里节", b);
	trio_activity(t->county, "表彰大会", c);
	assert_true(trio_settle(t));

	trio_restore(t->county);
	assert_false(trio_has(t->county, "activity", a));
	assert_false(trio_has(t->county, "activity", c));
	assert_true(trio_settle(t));
	assert_true(copies_of(t->county, t->site).back_ms > 0);
	assert_true(copies_of(t->county, t->site).copied_ms == 0);
	assert_false(peer_of(t->county, t->site).restored);
	assert_false(trio_counts(t->county).restored);
	assert_true(trio_shows(t->county, "activity", a, "title", "清洁家园"));
	assert_true(trio_shows(t->county, "volunteer", person, "name", "陈桂兰"));
	assert_true(trio_shows(t->county, "activity", b, "title", "邻里节"));
	assert_true(trio_shows(t->county, "activity", c, "title", "表彰大会"));
	assert_int_equal(trio_counts(t->county).gaps, 0);
	assert_int_equal(trio_counts(t->county).parked, 0);
	assert_int_equal(trio_figure(t->county, UNIT_SITE, "activities"), 1);
	assert_int_equal(trio_figure(t->province, UNIT_OTHER, "activities"), 1);
	/* nobody lost a thing over it */
	assert_true(trio_has(t->site, "activity", a));
	assert_true(trio_has(t->province, "activity", c));
}

/* What a hub stated before its disk went back comes home later than what it states now, and may show in its stead: it is
 * looked at once more. */
static void corrections_of_a_lost_branch_are_restated(void **state)
{
	struct trio *t = *state;
	uint8_t first[16], second[16];

	trio_volunteer(t->site, "陈桂兰", first);
	trio_volunteer(t->site, "林秀英", second);
	assert_true(trio_settle(t));
	trio_backup(t->county);
	t->county->skew_ms = 3600 * 1000; /* so that the old statement outranks the new one */
	assert_int_equal(trio_delete(t->site, "volunteer", first), 0);
	assert_int_equal(trio_delete(t->second, "volunteer", first), 0);
	(void)trio_sync(t->site);
	(void)trio_sync(t->second);
	(void)trio_sync(t->county); /* only the province has heard it */
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "volunteers"), 1);

	trio_restore(t->county);
	t->county->skew_ms = 0;
	assert_int_equal(trio_delete(t->site, "volunteer", second), 0);
	assert_int_equal(trio_delete(t->second, "volunteer", second), 0);
	(void)trio_sync(t->site);
	(void)trio_sync(t->second);
	(void)trio_sync(t->site);
	assert_true(trio_settle(t));
	assert_int_equal(trio_figure(t->county, UNIT_SITE, "volunteers"), 0);
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "volunteers"), 0);
}

static size_t corrections(struct trio_device *d)
{
	struct row_view *rows = NULL;
	size_t n = 0;

	assert_int_equal(store_begin_read(d->store), 0);
	assert_int_equal(store_rows_view(d->store, trio_table("correction"), NULL, 0, 0, false,
	                                 NULL, 100, &d->t->a, &rows, &n),
	                 0);
	store_rollback(d->store);
	return n;
}

static void correct(struct trio_device *d)
{
	assert_int_equal(replica_begin(d->r), 0);
	assert_int_equal(replica_correct(d->r), 0);
	assert_int_equal(replica_commit(d->r), 0);
}

/* The rows of the province's own unit came to the county, their figure not yet: that is no county's to correct. */
static void nobody_corrects_the_units_above(void **state)
{
	struct trio *t = *state;
	struct watch *w = watch_new();
	struct trio_link *l;
	uint8_t row[16];
	int64_t alarms;

	assert_true(trio_settle(t));
	alarms = trio_counts(t->province).alarms;
	for (int i = 0; i < 1000; i++) trio_activity(t->province, "全省活动", row);
	w->type = MSG_DATA;
	w->way = TRIO_DOWN;
	w->act_at = 1;
	w->fate = TRIO_CUT;
	l = watched(t->county, w);
	trio_run(t);
	assert_true(l->closed[TRIO_DOWN]);
	assert_true(trio_has(t->county, "activity", row));
	assert_int_equal(trio_figure(t->county, UNIT_PROVINCE, "activities"), 0);
	correct(t->county);
	assert_int_equal(corrections(t->county), 0);
	assert_true(trio_settle(t));
	assert_int_equal(trio_figure(t->county, UNIT_PROVINCE, "activities"), 1000);
	assert_int_equal(corrections(t->county), 0);
	assert_int_equal(trio_counts(t->province).alarms, alarms);
	watch_free(w);
}

/* How many corrections say that something else is true than what was counted. */
static size_t corrected(struct trio_device *d)
{
	const struct table *table = trio_table("correction");
	const struct field *value = table_field_named(table, "value");
	struct row_view *rows = NULL;
	size_t n = 0, count = 0;

	assert_int_equal(store_begin_read(d->store), 0);
	assert_int_equal(
	        store_rows_view(d->store, table, NULL, 0, 0, false, NULL, 100, &d->t->a, &rows, &n),
	        0);
	store_rollback(d->store);
	for (size_t i = 0; i < n; i++) {
		struct value v = rows[i].values[value - table->fields];

		count += v.type == VALUE_INT && v.i != 0;
	}
	return count;
}

/* What the county had of a volunteer comes back from two sides: the open half from the province, the closed half from the
 * site.  In between it holds a figure of two and one volunteer, and takes nobody's figure for wrong. */
static void a_restored_county_waits_for_the_other_half(void **state)
{
	struct trio *t = *state;
	struct replica_counts counts;
	uint8_t first[16], second[16];

	trio_volunteer(t->site, "陈桂兰", first);
	assert_true(trio_settle(t));
	trio_backup(t->county);
	trio_volunteer(t->site, "林秀英", second);
	assert_true(trio_settle(t));
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "volunteers"), 2);
	trio_restore(t->county);
	(void)trio_sync(t->county);
	(void)trio_sync(t->county);
	correct(t->county);
	(void)trio_sync(t->county);
	assert_int_equal(corrected(t->county), 0);
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "volunteers"), 2);
	assert_int_equal(replica_counts(t->county->r, &counts), 0);
	assert_true(counts.awaited > 0);
	/* Not for ever: who never says that it has sent all could state any figure. */
	t->now_ms += INT64_C(8) * 24 * 3600 * 1000;
	correct(t->county);
	assert_int_equal(corrected(t->county), 1);
	assert_int_equal(replica_counts(t->county->r, &counts), 0);
	assert_int_equal(counts.awaited, 0);
	assert_true(trio_settle(t));
	assert_int_equal(corrected(t->county), 0);
	assert_int_equal(trio_figure(t->county, UNIT_SITE, "volunteers"), 2);
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "volunteers"), 2);
}

static void a_new_run_goes_on_at_the_old_cursor(void **state)
{
	struct trio *t = *state;
	struct watch *w = watch_new();
	struct trio_link *l;
	uint64_t runs[2] = {replica_run(t->site->r), replica_run(t->county->r)};
	uint8_t row[16];

	trio_activity(t->site, "清洁家园", row);
	for (int i = 0; i < 2; i++) {
		l = watched(t->site, w);
		trio_run(t);
		assert_well(l);
	}
	trio_restart(t->site);
	trio_restart(t->county);
	l = watched(t->site, w);
	trio_run(t);
	assert_well(l);
	assert_int_not_equal(replica_run(t->site->r), runs[0]);
	assert_int_not_equal(replica_run(t->county->r), runs[1]);
	/* Not all over again.  (What came from the peer's old run since the cursor last moved goes home to it, as the new run
	 * may be that of a restored database.) */
	assert_int_equal(w->twice[TRIO_UP], 0);
	assert_int_equal(w->twice[TRIO_DOWN], 0);
	assert_null(strstr(buf_cstr(&l->trace), "MARKS"));
	assert_null(strstr(buf_cstr(&l->trace), "ASK"));
	assert_false(trio_counts(t->site).restored);
	/* a write in the new run is one more */
	trio_activity(t->site, "邻里节", row);
	l = watched(t->site, w);
	trio_run(t);
	assert_well(l);
	assert_int_equal(l->data[TRIO_UP], 2);
	assert_int_equal(w->twice[TRIO_UP], 0);
	assert_true(trio_has(t->county, "activity", row));
	assert_true(trio_agrees(t->site));
	watch_free(w);
}

/* ---- proposals */

static int settle(struct trio_device *d, int64_t id, bool accept)
{
	static const uint8_t author[8] = {7};
	int rc = replica_begin(d->r);

	rc = rc ? rc : replica_settle(d->r, id, accept, author);
	if (!rc) return replica_commit(d->r);
	replica_rollback(d->r);
	return rc;
}

static void proposals_are_settled_by_the_owner(void **state)
{
	struct trio *t = *state;
	struct field_write name = trio_said("site", "name", value_text("庆城妇女之家"));
	struct held *h;
	uint8_t row[16];

	assert_int_equal(trio_insert(t->site, "site", &name, 1, row), 0);
	assert_true(trio_settle(t));
	assert_int_equal(trio_change(t->site, "site", row, "star", value_int(3)), 0);
	assert_int_equal(trio_value(t->site, "site", row, "star").type,
	                 VALUE_NULL); /* said, not done */
	assert_true(trio_settle(t));
	assert_int_equal(trio_parked(t->county, &h), 1);
	assert_int_equal(h[0].cause, ERR_PROPOSAL);
	assert_memory_equal(h[0].row, row, 16);
	assert_int_equal(settle(t->county, h[0].id + 1, true), -ERR_NOT_FOUND);
	assert_int_equal(settle(t->county, h[0].id, true), 0);
	assert_int_equal(trio_parked(t->county, &h), 0);
	assert_true(trio_settle(t));
	assert_int_equal(trio_value(t->county, "site", row, "star").i, 3);
	assert_int_equal(trio_value(t->site, "site", row, "star").i, 3);
	assert_int_equal(trio_value(t->province, "site", row, "star").i, 3);
	assert_int_equal(trio_refused(t->site, &h), 0);

	assert_int_equal(trio_change(t->site, "site", row, "star", value_int(5)), 0);
	assert_true(trio_settle(t));
	assert_int_equal(trio_parked(t->county, &h), 1);
	assert_int_equal(settle(t->county, h[0].id, false), 0);
	assert_true(trio_settle(t));
	assert_int_equal(trio_parked(t->county, &h), 0);
	assert_int_equal(trio_value(t->county, "site", row, "star").i, 3);
	assert_int_equal(trio_value(t->site, "site", row, "star").i, 3);
	assert_int_equal(trio_refused(t->site, &h), 1);
	assert_int_equal(h[0].cause, ERR_OWNED);
	assert_true(h[0].mine);
	assert_int_equal(trio_counts(t->site).refused, 1);
}

/* Parked by one less and refused by one more is the same sum, and not the same news. */
static void who_waits_and_who_is_refused_is_told_apart(void **state)
{
	struct trio *t = *state;
	struct field_write name = trio_said("site", "name", value_text("庆城妇女之家"));
	struct trio_link *l;
	struct held *h;
	uint8_t row[16];

	assert_int_equal(trio_insert(t->site, "site", &name, 1, row), 0);
	assert_true(trio_settle(t));
	assert_int_equal(trio_change(t->site, "site", row, "star", value_int(5)), 0);
	trio_seal(t->site);
	l = trio_link(t->site);
	l->config[TRIO_UP].stay = true;
	trio_run(t);
	assert_int_equal(trio_parked(t->county, &h), 1);
	assert_int_equal(peer_of(t->site, t->county).parked, 1);
	assert_int_equal(peer_of(t->site, t->county).refused, 0);
	assert_int_equal(settle(t->county, h[0].id, false), 0);
	trio_pump(t->county);
	trio_run(t);
	assert_non_null(l->sessions[TRIO_UP]); /* the same session */
	assert_int_equal(peer_of(t->site, t->county).parked, 0);
	assert_int_equal(peer_of(t->site, t->county).refused, 1);
	trio_end(l);
	trio_run(t);
}

/* ---- whole changesets */

/* Two activities in one transaction; what is special about the second stands in the last field. */
static void write_two(struct trio_device *d, struct field_write special, uint8_t ret[2][16])
{
	struct field_write f[] = {
	        trio_said("activity", "title", value_text("甲")),
	        trio_said("activity", "act", value_text("D1")),
	        trio_said("activity", "start", value_int(d->t->now_ms - 3600000)),
	        trio_said("activity", "astat", value_text("finished")),
	        special,
	};
	struct write w[2] = {
	        {.kind = WRITE_INSERT,
	         .table = trio_table("activity"),
	         .fields = f,
	         .fields_count = 4},
	        {.kind = WRITE_INSERT,
	         .table = trio_table("activity"),
	         .fields = f,
	         .fields_count = 5},
	};

	assert_int_equal(trio_write(d, w, 2, /* whole= */ true), 0);
	for (int i = 0; i < 2; i++) memcpy(ret[i], w[i].row, 16);
}

static void one_bad_record_refuses_the_whole_changeset(void **state)
{
	struct trio *t = *state;
	struct held *h;
	uint8_t rows[2][16], after[16];

	trio_lax(t->site);
	assert_true(trio_settle(t));
	write_two(t->site, trio_said("activity", "hh_served", value_int(2000000)), rows);
	trio_activity(t->site, "乙", after);
	assert_true(trio_shows(t->site, "activity", rows[0], "title", "甲"));
	assert_true(trio_settle(t));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(trio_value(t->county, "activity", rows[i], "title").type,
		                 VALUE_NULL);
		assert_int_equal(trio_value(t->province, "activity", rows[i], "title").type,
		                 VALUE_NULL);
		assert_int_equal(trio_value(t->site, "activity", rows[i], "title").type,
		                 VALUE_NULL);
	}
	assert_true(trio_shows(t->province, "activity", after, "title", "乙"));
	assert_int_equal(trio_refused(t->county, &h), 2);
	assert_int_equal(trio_refused(t->site, &h), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(h[i].cause, ERR_RANGE);
		assert_string_equal(h[i].field, "hh_served");
	}
	assert_int_equal(trio_figure(t->county, UNIT_SITE, "activities"), 1);
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "households"), 3);
}

static void a_held_record_holds_and_releases_the_whole(void **state)
{
	struct trio *t = *state;
	struct held *h;
	uint8_t rows[2][16], team[16];
	struct field_write name = trio_said("team", "name", value_text("红马甲"));

	assert_true(trio_settle(t));
	assert_int_equal(trio_insert(t->second, "team", &name, 1, team), 0);
	write_two(t->site, trio_said("activity", "team", value_bytes(team, 16)), rows);
	assert_true(trio_sync(t->site));
	assert_int_equal(trio_parked(t->county, &h), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(h[i].cause, ERR_MISSING_REF);
		assert_memory_equal(h[i].wait, team, 16);
		assert_int_equal(trio_value(t->county, "activity", rows[i], "title").type,
		                 VALUE_NULL);
	}
	assert_true(trio_sync(t->second));
	assert_int_equal(trio_parked(t->county, &h), 0);
	for (int i = 0; i < 2; i++)
		assert_true(trio_shows(t->county, "activity", rows[i], "title", "甲"));
	assert_true(trio_settle(t));
	for (int i = 0; i < 2; i++) {
		assert_true(trio_shows(t->province, "activity", rows[i], "title", "甲"));
		assert_true(trio_shows(t->second, "activity", rows[i], "title", "甲"));
	}
	assert_int_equal(trio_refused(t->site, &h), 0);
	assert_int_equal(trio_counts(t->site).received, 0);
}

static void a_held_reference_waits_with_its_cause(void **state)
{
	struct trio *t = *state;
	struct field_write name = trio_said("team", "name", value_text("红马甲"));
	struct held *h;
	uint8_t row[16], team[16];

	trio_activity(t->site, "清洁家园", row);
	assert_true(trio_settle(t));
	assert_int_equal(trio_insert(t->second, "team", &name, 1, team), 0);
	assert_int_equal(trio_change(t->site, "activity", row, "team", value_bytes(team, 16)), 0);
	/* behind it, on the same row; on another field all the same */
	assert_int_equal(trio_change(t->site, "activity", row, "title", value_text("改名")), 0);
	assert_true(trio_sync(t->site));
	assert_int_equal(trio_parked(t->county, &h), 2);
	assert_int_equal(h[0].cause, ERR_MISSING_REF);
	assert_string_equal(h[0].field, "team");
	assert_memory_equal(h[0].wait, team, 16);
	assert_int_equal(h[1].cause, ERR_BEHIND);
	assert_true(trio_shows(t->county, "activity", row, "title", "清洁家园"));
	assert_true(trio_sync(t->second));
	assert_int_equal(trio_parked(t->county, &h), 0);
	assert_true(trio_shows(t->county, "activity", row, "title", "改名"));
	assert_true(trio_settle(t));
	assert_true(trio_shows(t->province, "activity", row, "title", "改名"));
	assert_memory_equal(trio_value(t->province, "activity", row, "team").s.p, team, 16);
}

/* ---- the same things changed in two places */

static void two_reversals_at_once_are_one(void **state)
{
	struct trio *t = *state;
	struct trio_device *all[] = {t->site, t->second, t->county};
	uint8_t person[16], hours[16], reversal[16];
	struct span part = {hours, 16};

	trio_volunteer(t->site, "林秀英", person);
	trio_participation(t->site, person, 60, hours);
	assert_true(trio_settle(t));
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "minutes"), 60);
	id_derive("reversal", &part, 1, reversal);
	assert_int_equal(trio_delete(t->site, "participation", hours), 0);
	assert_int_equal(trio_delete(t->second, "participation", hours), 0);
	assert_true(trio_settle(t));
	for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
		assert_true(trio_has(all[i], "participation", hours));
		assert_true(trio_has(all[i], "participation", reversal));
		assert_memory_equal(trio_value(all[i], "participation", reversal, "reverses").s.p,
		                    hours, 16);
		assert_int_equal(trio_counts(all[i]).conflicts, 0); /* both say the same */
	}
	assert_int_equal(trio_figure(t->county, UNIT_SITE, "minutes"), 0);
	assert_int_equal(trio_figure(t->county, UNIT_SITE, "participations"), 0);
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "minutes"), 0);
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "participations"), 0);
	assert_int_equal(trio_delete(t->site, "participation", hours), -ERR_NOT_FOUND);
}

static void a_conflict_is_seen_and_resolved_everywhere(void **state)
{
	struct trio *t = *state;
	struct trio_device *all[] = {t->site, t->second, t->county, t->province};
	const char *shown;
	uint8_t row[16];

	trio_activity(t->site, "清洁家园", row);
	assert_true(trio_settle(t));
	assert_int_equal(trio_change(t->site, "activity", row, "title", value_text("甲")), 0);
	assert_int_equal(trio_change(t->second, "activity", row, "title", value_text("乙")), 0);
	assert_int_equal(trio_change(t->second, "activity", row, "place", value_text("广场")), 0);
	assert_true(trio_settle(t));
	shown = "乙"; /* written last */
	for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
		assert_int_equal(trio_counts(all[i]).conflicts, 1);
		assert_true(trio_shows(all[i], "activity", row, "title", shown));
		assert_true(trio_shows(all[i], "activity", row, "place", "广场"));
	}
	/* choosing what is shown is an edit like any other */
	assert_int_equal(trio_change(t->site, "activity", row, "title", value_text(shown)), 0);
	assert_true(trio_settle(t));
	for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
		assert_int_equal(trio_counts(all[i]).conflicts, 0);
		assert_true(trio_shows(all[i], "activity", row, "title", shown));
	}
}

static void an_edit_that_a_deletion_did_not_know_is_a_conflict(void **state)
{
	struct trio *t = *state;
	struct trio_device *all[] = {t->site, t->second, t->county, t->province};
	uint8_t row[16];

	trio_activity(t->site, "清洁家园", row);
	assert_true(trio_settle(t));
	assert_int_equal(trio_change(t->second, "activity", row, "title", value_text("改名")), 0);
	assert_int_equal(trio_delete(t->site, "activity", row), 0);
	assert_true(trio_settle(t));
	for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
		struct candidate *c;
		size_t n;
		assert_false(trio_has(all[i], "activity", row));
		assert_int_equal(trio_counts(all[i]).conflicts, 1);
		assert_int_equal(store_candidates_list(all[i]->store, 10, &t->a, &c, &n), 0);
		assert_int_equal(n, 1);
		assert_int_equal(c[0].kind, CANDIDATE_EDIT_OF_DELETED);
		assert_true(value_equal(c[0].value, value_text("改名")));
	}
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "activities"), 0);
	/* one that it knew is none */
	trio_activity(t->site, "邻里节", row);
	assert_true(trio_settle(t));
	assert_int_equal(trio_change(t->second, "activity", row, "title", value_text("改名")), 0);
	assert_true(trio_settle(t));
	assert_int_equal(trio_delete(t->site, "activity", row), 0);
	assert_true(trio_settle(t));
	for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
		assert_false(trio_has(all[i], "activity", row));
		assert_int_equal(trio_counts(all[i]).conflicts, 1); /* the first, still */
	}
}

/* ---- refused changes */

static void a_refused_change_is_annulled_and_later_ones_stay(void **state)
{
	struct trio *t = *state;
	struct held *h;
	uint8_t row[16];

	trio_lax(t->site);
	trio_activity(t->site, "清洁家园", row);
	assert_true(trio_settle(t));
	assert_int_equal(trio_change(t->site, "activity", row, "hh_served", value_int(2000000)), 0);
	assert_int_equal(trio_change(t->site, "activity", row, "title", value_text("改名")), 0);
	assert_int_equal(trio_value(t->site, "activity", row, "hh_served").i, 2000000);
	assert_true(trio_settle(t));
	assert_int_equal(trio_value(t->county, "activity", row, "hh_served").i, 3);
	assert_int_equal(trio_value(t->site, "activity", row, "hh_served").i, 3);
	assert_true(trio_shows(t->site, "activity", row, "title", "改名"));
	assert_true(trio_shows(t->province, "activity", row, "title", "改名"));
	assert_int_equal(trio_refused(t->site, &h), 1);
	assert_int_equal(h[0].cause, ERR_RANGE);
	assert_string_equal(h[0].field, "hh_served");
	assert_memory_equal(h[0].row, row, 16);
	assert_memory_equal(h[0].by, t->county->identity.origin, 16);
	assert_true(h[0].mine);
	assert_int_equal(trio_counts(t->site).refused, 1);
	assert_int_equal(trio_counts(t->county).refused_children, 1);
	/* the site's statement still claims it; the county corrects it under its own name */
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "households"), 3);
}

/* A later change of the same field, written before the author heard of the refusal, in the tail while the word arrives. */
static void a_later_change_of_the_same_field_stays(void **state)
{
	struct trio *t = *state;
	struct trio_link *l;
	uint8_t row[16];

	trio_lax(t->site);
	trio_activity(t->site, "清洁家园", row);
	assert_true(trio_settle(t));
	assert_int_equal(trio_change(t->site, "activity", row, "hh_served", value_int(2000000)), 0);
	trio_seal(t->site);
	l = trio_link(t->site);
	l->config[TRIO_UP].stay = true;
	trio_run_frames(t, 3); /* HELLO, WELCOME, DATA */
	assert_int_equal(trio_change(t->site, "activity", row, "hh_served", value_int(7)), 0);
	trio_run(t);
	assert_int_equal(trio_counts(t->site).refused, 1);
	assert_int_equal(trio_counts(t->site).tail, 1);
	assert_int_equal(trio_value(t->site, "activity", row, "hh_served").i, 7);
	trio_end(l);
	trio_run(t);
	assert_true(trio_settle(t));
	assert_int_equal(trio_value(t->site, "activity", row, "hh_served").i, 7);
	assert_int_equal(trio_value(t->province, "activity", row, "hh_served").i, 7);
	assert_int_equal(trio_figure(t->province, UNIT_SITE, "households"), 7);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

/* One session by a program that knows no audits: nothing else brings what was left out. */
static size_t sent_without_audit(struct trio_device *d)
{
	struct trio_link *l = trio_link(d);

	l->config[TRIO_UP].protocol_min = l->config[TRIO_UP].protocol_max = 1;
	trio_run(d->t);
	trio_end(l);
	trio_run(d->t);
	return l->data[TRIO_UP];
}

/* Turns a bit over in the body of each segment behind `from`, up to `to`. */
static void turn_bits(struct trio_device *d, int64_t from, int64_t to)
{
	struct entry *e = NULL;

	assert_int_equal(replica_begin(d->r), 0);
	for (int64_t recv = from + 1; recv <= to; recv++) {
		uint8_t *body;

		assert_int_equal(store_journal_get(d->store, recv, &d->t->a, &e), 0);
		if (e->kind != ENTRY_SEGMENT) continue;
		body = arena_copy(&d->t->a, e->body.p, e->body.len);
		body[e->body.len / 2] ^= 1;
		assert_int_equal(
		        store_journal_mend(d->store, recv, e->head, span_of(body, e->body.len)), 0);
	}
	assert_int_equal(replica_commit(d->r), 0);
}

static void what_was_damaged_goes_out_once_it_is_mended(void **state)
{
	struct trio *t = *state;
	uint8_t id[16], later[16], rolling[16];
	int64_t before, end;

	assert_true(trio_sync(t->site));
	assert_int_equal(store_journal_head(t->site->store, &before, rolling), 0);
	trio_activity(t->site, "清洁家园", id);
	trio_seal(t->site);
	assert_int_equal(store_journal_head(t->site->store, &end, rolling), 0);
	turn_bits(t->site, before, end);
	trio_volunteer(t->site, "王芳", later); /* the cursor moves over what is left out */
	assert_true(sent_without_audit(t->site) > 0);
	assert_int_equal(sent_without_audit(t->site), 0);
	assert_false(trio_has(t->county, "activity", id));
	turn_bits(t->site, before, end);
	assert_true(sent_without_audit(t->site) > 0);
	assert_true(trio_shows(t->county, "activity", id, "title", "清洁家园"));
	assert_int_equal(sent_without_audit(t->site), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(cold_first_sync),
	        TEST(warm_and_nothing_to_do_is_one_round_trip),
	        TEST(golden_trace),
	        TEST(a_cut_at_any_frame_loses_at_most_one),
	        TEST(a_lost_data_ends_the_session_with_a_gap),
	        TEST(the_last_data_lost_is_found_by_time),
	        TEST(duplicate_data_is_taken_once),
	        TEST(what_is_known_is_skipped_by_its_hash),
	        TEST(a_quiet_session_is_there_when_work_comes),
	        TEST(a_silent_peer_is_left_after_its_time),
	        TEST(who_does_not_know_its_place_agrees_with_nobody),
	        TEST(a_welcome_of_another_session_is_dropped),
	        TEST(frames_of_another_session_are_dropped),
	        TEST(never_more_than_the_credit_is_under_way),
	        TEST(a_wider_filter_brings_what_is_new_in_it_once),
	        TEST(a_restored_child_gets_its_own_work_back),
	        TEST(what_a_restored_child_records_before_it_syncs_arrives),
	        TEST(a_restored_parent_gets_everything_back),
	        TEST(corrections_of_a_lost_branch_are_restated),
	        TEST(nobody_corrects_the_units_above),
	        TEST(a_restored_county_waits_for_the_other_half),
	        TEST(a_new_run_goes_on_at_the_old_cursor),
	        TEST(proposals_are_settled_by_the_owner),
	        TEST(who_waits_and_who_is_refused_is_told_apart),
	        TEST(one_bad_record_refuses_the_whole_changeset),
	        TEST(a_held_record_holds_and_releases_the_whole),
	        TEST(a_held_reference_waits_with_its_cause),
	        TEST(what_was_damaged_goes_out_once_it_is_mended),
	        TEST(two_reversals_at_once_are_one),
	        TEST(a_conflict_is_seen_and_resolved_everywhere),
	        TEST(an_edit_that_a_deletion_did_not_know_is_a_conflict),
	        TEST(a_refused_change_is_annulled_and_later_ones_stay),
	        TEST(a_later_change_of_the_same_field_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
