/*
 * reactor.c - see reactor.h.
 *
 * NEEDSWORK: a hub verifies and unpacks on this thread too; architecture section 7 gives that a thread of its own.
 */
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/base.h"

#include "node/reactor.h"

#include <stdarg.h>

#include "common/ident.h"
#include "common/reader.h"
#include "node/line.h"
#include "node/patrol.h"
#include "node/status.h"
#include "node/transport.h"
#include "proto/copies.h"

enum {
	ARRIVALS_MAX = 256, /* frames in one transaction */
	ARRIVAL_BYTES_MAX = 4 * 1024 * 1024,
	ANSWERS_MAX = 64,   /* to strangers, in one transaction */
	APPLY_PIECE = 2000, /* operations between two looks at the clock */
	IDLE_MS = 500,      /* how long another process's commit may go unnoticed */
	STUCK_MS = 10,      /* a queue that could not be sent is tried again */
	QUIT_MS = 500,      /* for the last frames of an ended line */
	PUMP_MANY = 100,
	PUMP_MANY_MS = 200, /* with many children not every commit pumps them all */
	PROGRESS_MS = 200,
	SOON_MS = 200,
	SOON_TRIES = 10, /* a peer that asked to begin again at once */
	SECOND_MS = 1000,
	LINES_OF_A_KEY =
	        2 /* sessions of one device: itself, and a copy or what a broken link left */
};

enum up_state { UP_NONE, UP_WAIT, UP_CONNECT, UP_SESSION };

struct answer {
	struct route to;
	struct buf bytes;
};

struct reactor {
	const struct reactor_config *c;
	struct reactor_result *result;
	struct place *place;
	struct replica *replica;
	struct store *store;
	struct transport *transport;
	struct lines lines;
	struct line *up;
	struct arena arena; /* one turn of the loop */
	int64_t now;        /* boot clock, once per turn */

	enum up_state up_state;
	int64_t up_due_ms; /* UP_WAIT: try then; UP_CONNECT, UP_SESSION: give up then */
	bool up_elsewhere; /* the try goes to where the parent's certificate says */
	char elsewhere[CONFIG_ENDPOINT];
	unsigned up_failures, up_soon;
	bool up_opened;
	enum reactor_phase phase;

	struct answer answers[ANSWERS_MAX];
	size_t answers_count;
	bool dirty; /* the present transaction is worth a commit */

	int64_t data_version, head, applied_head;
	bool seal_asked, apply_more, correct_asked, pump_down;
	int64_t seal_due_ms, correct_due_ms, correct_late_ms, pump_down_due_ms, sick_until_ms,
	        progress_due_ms, welcome_second_ms;
	uint32_t welcomes, put_off; /* in that second; who were told to come in a later one */
	struct patrol patrol;
	bool shut; /* people were told that the door is shut */
	int link_code,
	        link_kept; /* how the last try to reach the parent ended; what of it is in the database */
	int sick;          /* code of the error that people were told of */
	bool reopen;       /* the database, before anything else */
	int signal_fd;
	sigset_t mask_before;
	bool finished;
	int rc;
	struct error *err;
};

static void note(struct reactor *r, int code, const char *format, ...) PRINTF_LIKE(3, 4);
static void note(struct reactor *r, int code, const char *format, ...)
{
	char text[400];
	va_list args;

	if (!r->c->note) return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	r->c->note(r->c->ctx, code, text);
}

static const struct config *settings(const struct reactor *r)
{
	return &r->place->config;
}

static void finish(struct reactor *r, int rc)
{
	r->finished = true;
	r->rc = rc;
}

static enum session_state state_of(const struct line *l)
{
	struct session_progress p;

	if (!l->session) return SESSION_CLOSED;
	session_progress(l->session, &p);
	return p.state;
}

/* ---- the line to the parent */

static uint32_t random_below(struct reactor *r, uint32_t n)
{
	uint32_t v;

	r->place->env.random(r->place->env.ctx, &v, sizeof(v));
	return n ? v % n : 0;
}

/* Doubling, with jitter over the upper half, so that 10,000 nodes do not come back in step. */
static int64_t backoff_ms(struct reactor *r, uint32_t retry_after_s)
{
	uint64_t wait = settings(r)->backoff_min_ms;

	for (unsigned i = 1; i < r->up_failures && wait < settings(r)->backoff_max_ms; i++)
		wait *= 2;
	if (wait > settings(r)->backoff_max_ms) wait = settings(r)->backoff_max_ms;
	wait = wait / 2 + random_below(r, (uint32_t)(wait / 2) + 1);
	uint64_t asked = (uint64_t)(retry_after_s < 86400 ? retry_after_s : 86400) * 1000;
	if (wait < asked) wait = asked + random_below(r, (uint32_t)asked / 2 + 1);
	return (int64_t)wait;
}

static void up_drop(struct reactor *r, bool gently)
{
	if (r->up) {
		session_progress(r->up->session, &r->result->session);
		lines_remove(&r->lines, r->up);
		r->up = NULL;
	}
	transport_disconnect(r->transport, gently);
}

static void up_wait(struct reactor *r, int64_t wait_ms)
{
	r->up_state = UP_WAIT;
	r->up_due_ms = r->now + wait_ms;
	r->phase = REACTOR_WAITING;
}

/* The newest certificate of the parent tells its address and key.  Where the configured ones lead to nobody, or to somebody else,
 * those are tried in turn.  True: at once. */
static bool look_elsewhere(struct reactor *r, bool opened, int code)
{
	const struct config *s = settings(r);
	struct cert parent;
	bool was = r->up_elsewhere;

	r->up_elsewhere = false;
	if (was || opened ||
	    (code != ERR_UNREACHABLE && code != ERR_WRONG_KEY && code != ERR_WRONG_PEER) ||
	    !replica_parent(r->replica, &parent) || !config_endpoint_ok(parent.endpoint, false))
		return false;
	if (!strcmp(parent.endpoint, s->parent) &&
	    (!s->has_parent_key || !memcmp(parent.link_key, s->parent_key, 32)))
		return false;
	snprintf(r->elsewhere, sizeof(r->elsewhere), "%s", parent.endpoint);
	r->up_elsewhere = true;
	up_wait(r, 0);
	return true;
}

/* The try is over; why is said once. */
static void up_failed(struct reactor *r, int code, uint32_t retry_after_s, const char *text)
{
	bool opened = r->up_opened;

	up_drop(r, /* gently= */ false);
	r->up_opened = false;
	r->result->retry_after_s = retry_after_s;
	r->up_failures = opened ? 1 : r->up_failures + 1;
	if (look_elsewhere(r, opened, code)) return;
	if (code == ERR_BUSY && !retry_after_s && ++r->up_soon <= SOON_TRIES) {
		up_wait(r,
		        SOON_MS +
		                random_below(
		                        r, SOON_MS)); /* what it feeds us has changed: begin anew */
		return;
	}
	if (r->c->once) {
		finish(r,
		       error_set(r->err, code, "link.parent", "%s: %s", settings(r)->parent, text));
		return;
	}
	r->link_code = code;
	if (r->up_failures == 1) note(r, code, "parent %s: %s", settings(r)->parent, text);
	up_wait(r, backoff_ms(r, retry_after_s));
}

static bool parent_key(struct reactor *r, uint8_t ret[32])
{
	struct cert parent;

	if (!settings(r)->parent[0]) return false;
	if (!replica_parent(r->replica, &parent)) return false;
	if (r->up_elsewhere || !settings(r)->has_parent_key)
		memcpy(ret, parent.link_key, 32);
	else
		memcpy(ret, settings(r)->parent_key, 32);
	return true;
}

static const char *parent_endpoint(struct reactor *r)
{
	return r->up_elsewhere ? r->elsewhere : settings(r)->parent;
}

static bool keep_parent(struct reactor *r, const struct cert *parent)
{
	struct error err = {0};
	char key[65];
	int rc;

	hex_text(parent->link_key, 32, key);
	rc = place_config_set(r->place, "link.parent", parent->endpoint, &err);
	rc = rc ? rc : place_config_set(r->place, "link.parent_key", key, &err);
	if (rc) note(r, -rc, "%s", err.detail);
	return !rc;
}

/* Of somebody who joined and whose settings were lost, with a disk say. */
static void parent_found(struct reactor *r)
{
	struct cert parent;

	if (settings(r)->parent[0] || !replica_parent(r->replica, &parent) ||
	    !config_endpoint_ok(parent.endpoint, false))
		return;
	if (keep_parent(r, &parent))
		note(r, 0, "the parent is at %s, as its certificate says", settings(r)->parent);
}

/* It answers where its certificate says: from now on that is where we go. */
static void parent_moved(struct reactor *r)
{
	struct cert parent;

	if (!r->up_elsewhere || !replica_parent(r->replica, &parent) || !keep_parent(r, &parent))
		return;
	r->up_elsewhere = false;
	note(r, 0, "the parent is at %s now, as its certificate says", settings(r)->parent);
}

static void up_connect(struct reactor *r)
{
	struct error err = {0};
	uint8_t key[32];

	if (!parent_key(r, key)) {
		r->up_state = UP_NONE;
		return;
	}
	if (transport_connect(r->transport, parent_endpoint(r), key, &err)) {
		up_failed(r, err.code, 0, err.detail);
		return;
	}
	r->up_state = UP_CONNECT;
	r->phase = REACTOR_CONNECTING;
	r->up_due_ms = r->now + settings(r)->connect_timeout_ms;
}

static void up_watch_connect(struct reactor *r)
{
	enum transport_cause cause = transport_cause(r->transport);
	bool hopeless =
	        cause == CAUSE_WRONG_KEY || cause == CAUSE_WRONG_PEER || cause == CAUSE_DENIED;

	if (hopeless || r->now >= r->up_due_ms)
		up_failed(r, transport_cause_error(cause), 0, transport_cause_text(cause));
}

/* The watchdog of architecture section 9: whatever libzmq believes, no WELCOME in time means a new socket. */
static void up_watch_session(struct reactor *r, bool lost)
{
	bool open = state_of(r->up) == SESSION_OPEN;

	if (open && !r->up_opened) {
		r->up_opened = r->result->reached = true;
		r->up_failures = 0;
		r->link_code = 0;
		r->phase = REACTOR_SYNCING;
		parent_moved(r);
		note(r, 0, "parent %s: connected", settings(r)->parent);
	}
	if (lost)
		up_failed(r, ERR_UNREACHABLE, 0, "the connection broke");
	else if (!open && r->now >= r->up_due_ms)
		up_failed(r, transport_cause_error(transport_cause(r->transport)), 0,
		          transport_cause_text(transport_cause(r->transport)));
}

static void up_turn(struct reactor *r, bool lost)
{
	uint8_t key[32];

	switch (r->up_state) {
	case UP_NONE:
		if (!r->sick && parent_key(r, key)) up_connect(r);
		break;
	case UP_WAIT:
		if (r->now >= r->up_due_ms) up_connect(r);
		break;
	case UP_CONNECT:
		up_watch_connect(r);
		break;
	case UP_SESSION:
		if (r->up) up_watch_session(r, lost);
		break;
	}
}

/* ---- stepping sessions, inside a transaction */

/* Where this hub is reached, as its certificate is to say. */
static const char *endpoint_of(const struct config *s)
{
	const char *named = s->public[0] ? s->public : s->listen;

	return config_endpoint_ok(named, /* may_be_any= */ false) ? named : "";
}

static struct quota quota_of(const struct config *s)
{
	return (struct quota){.bytes_day = (uint64_t)s->quota_mb_day << 20,
	                      .bytes_all = (uint64_t)s->quota_mb_all << 20,
	                      .parked = s->quota_parked,
	                      .runs_day = s->quota_runs};
}

static void session_settings(const struct reactor *r, bool parent, const struct cert *peer,
                             struct session_config *ret)
{
	*ret = (struct session_config){.parent = parent,
	                               .peer = *peer,
	                               .credit_window = settings(r)->credit_window,
	                               .timeout_ms = settings(r)->welcome_timeout_ms,
	                               .stay = parent || !r->c->once,
	                               .endpoint = endpoint_of(settings(r))};
	if (parent) ret->quota = quota_of(settings(r));
}

/* The other session of this device, if there is one: its run may be that of a copy. */
static void pump_key(struct reactor *r, const struct line *of)
{
	if (!of->keyed) return;
	for (struct line *l = lines_of_key(&r->lines, of->link_key); l; l = line_before(l))
		if (l != of && l->session) l->pump = true;
}

/* After a moment of quiet. */
static void correct_soon(struct reactor *r)
{
	if (!r->correct_asked) r->correct_late_ms = r->now + 10 * (int64_t)settings(r)->correct_ms;
	r->correct_asked = true;
	r->correct_due_ms = r->now + settings(r)->correct_ms;
}

static int step(struct reactor *r, struct line *l, enum session_event_kind kind, struct span frame)
{
	struct session_event e = {.kind = kind, .now_ms = r->now, .frame = frame};
	struct session_actions a = {0};
	uint32_t met, home;
	int rc;

	if (!l->session || l->closed) return 0;
	l->stepped = r->dirty = true;
	met = replica_met(r->replica);
	home = replica_homecomings(r->replica);
	rc = session_step(l->session, &e, &a);
	if (met != replica_met(r->replica)) pump_key(r, l);
	if (home != replica_homecomings(r->replica)) correct_soon(r);
	if (!rc) {
		bool quiet = a.count == 0;
		struct session_progress p;

		line_stage(l, &a);
		l->due_ms = a.due_ms;
		session_progress(l->session, &p);
		if (l->up && p.state == SESSION_OPEN && p.idle) r->up_soon = 0;
		/* Open and idle: its timer would only cost a commit; TCP keep-alive finds a dead link. */
		if (p.state == SESSION_OPEN && p.idle && !(l->up && r->c->once) &&
		    l->due_ms > r->now)
			l->due_ms = 0;
		/* A timer that has come and changed nothing is not asked for again at once. */
		if (quiet && !a.busy && l->due_ms && l->due_ms <= r->now)
			l->due_ms = r->now + settings(r)->welcome_timeout_ms;
		l->closed = a.close;
		l->code = a.code;
		l->retry_after_s = a.retry_after_s;
	}
	session_actions_done(&a);
	return rc;
}

static int up_start(struct reactor *r)
{
	struct session_config config;
	struct cert parent;

	if (!replica_parent(r->replica, &parent)) {
		up_failed(r, ERR_NO_PARENT, 0, "no certificate of a parent");
		return 0;
	}
	session_settings(r, /* parent= */ false, &parent, &config);
	r->up = lines_add(&r->lines, /* route= */ NULL);
	r->up->session = session_new(r->replica, &config);
	r->up_state = UP_SESSION;
	r->phase = REACTOR_GREETING;
	r->up_due_ms = r->now + settings(r)->welcome_timeout_ms;
	return step(r, r->up, EVENT_START, span_of(NULL, 0));
}

/* ---- children */

static struct buf *answer_to(struct reactor *r, const struct route *to)
{
	struct answer *a;

	if (r->answers_count == ANSWERS_MAX) return NULL;
	a = &r->answers[r->answers_count++];
	a->to = *to;
	buf_init(&a->bytes, MESSAGE_BYTES_MAX);
	return &a->bytes;
}

static void refuse(struct reactor *r, const struct route *to, uint64_t session, int code,
                   uint32_t retry_after_s)
{
	struct message m = {.type = MSG_REFUSE};
	struct buf *out = answer_to(r, to);

	if (!out) return;
	m.refuse = (struct msg_refuse){session, code, retry_after_s, PROTOCOL_MIN, PROTOCOL_MAX};
	message_pack(&m, NULL, out);
}

/* The certificate of a child by its CURVE key: issued by us, not revoked.  *ret_code: why not. */
static int child_cert(struct reactor *r, const uint8_t link_key[32], struct cert *ret,
                      int *ret_code)
{
	const struct cert *own = replica_cert(r->replica);
	struct cert_row *row;
	int rc;

	*ret_code = ERR_NOT_JOINED;
	if (!own) return 0;
	rc = store_cert_by_link(r->store, link_key, &r->arena, &row);
	if (rc) return rc;
	*ret_code = ERR_UNKNOWN_ORIGIN;
	if (!row || !replica_is_own(r->replica, row->issuer)) return 0;
	*ret_code = ERR_REVOKED;
	if (row->revoked_ms) return 0;
	*ret_code = cert_open(row->body, ret, NULL) ? ERR_CERT_BAD : 0;
	return 0;
}

static void line_end(struct reactor *r, struct line *l)
{
	session_free(l->session);
	l->session = NULL;
	l->until_ms = r->now + QUIT_MS;
}

/* One live session per run of a device; beside it at most one more of the same key (a copy, or what a broken link left behind).
 * The oldest goes, and is told: one that is alive and waits for our word would wait for ever. */
static int supersede(struct reactor *r, const uint8_t link_key[32], uint64_t run)
{
	struct line *oldest = NULL;
	unsigned count = 0;

	for (struct line *l = lines_of_key(&r->lines, link_key); l; l = line_before(l)) {
		if (!l->session || l->closed) continue;
		if (l->run == run) {
			line_end(r, l);
			continue;
		}
		count++;
		oldest = l; /* the newest comes first in the list */
	}
	return count < LINES_OF_A_KEY ? 0 : step(r, oldest, EVENT_YIELD, span_of(NULL, 0));
}

/* After a restart all children come at once: so many are welcome in a second, the others are told in which second to
 * come again (each adds its own jitter).  0: welcome. */
static uint32_t welcome_in_s(struct reactor *r)
{
	uint32_t most = settings(r)->welcomes_per_second;
	int64_t seconds = (r->now - r->welcome_second_ms) / SECOND_MS;

	if (seconds > 0) {
		uint64_t came = (uint64_t)most * (uint64_t)(seconds < 86400 ? seconds : 86400);

		r->put_off = r->put_off > came ? r->put_off - (uint32_t)came : 0;
		r->welcomes = 0;
		r->welcome_second_ms = r->now;
	}
	if (r->welcomes < most) {
		r->welcomes++;
		return 0;
	}
	return 1 + r->put_off++ / (most ? most : 1);
}

static int on_hello(struct reactor *r, const struct arrival *a, const struct msg_hello *hello)
{
	struct session_config config;
	struct cert peer;
	struct line *l;
	int code, rc = child_cert(r, a->link_key, &peer, &code);
	uint32_t wait_s;

	if (rc) return rc;
	if (code) {
		refuse(r, &a->from, 0, code, /* retry_after_s= */ 3600);
		return 0;
	}
	wait_s = welcome_in_s(r);
	if (wait_s) {
		refuse(r, &a->from, 0, ERR_BUSY, wait_s);
		return 0;
	}
	l = lines_find(&r->lines, &a->from); /* it greets anew on the same connection */
	if (l) lines_remove(&r->lines, l);
	rc = supersede(r, a->link_key, hello->run);
	if (rc) return rc;
	l = lines_add(&r->lines, &a->from);
	lines_set_key(&r->lines, l, a->link_key);
	l->run = hello->run;
	session_settings(r, /* parent= */ true, &peer, &config);
	l->session = session_new(r->replica, &config);
	return step(r, l, EVENT_FRAME, a->frame);
}

/* A frame of a session that we dropped (after an error of the store): its peer is told to begin anew. */
static void on_orphan(struct reactor *r, const struct arrival *a)
{
	struct reader in;
	uint64_t type, session;

	reader_init(&in, a->frame);
	if (reader_array(&in) < 2) return;
	type = reader_uint(&in, UINT8_MAX);
	session = reader_uint(&in, UINT64_MAX);
	if (in.bad || !session || type < MSG_DATA || type > MSG_RENEW || type == MSG_JOIN ||
	    type == MSG_JOINED || type == MSG_BYE)
		return;
	refuse(r, &a->from, session, ERR_BUSY, 0);
}

/* CERT of no session. */
static bool is_shown(struct span frame)
{
	struct reader in;

	reader_init(&in, frame);
	(void)reader_array(&in);
	return reader_uint(&in, UINT8_MAX) == MSG_CERT && !reader_uint(&in, UINT64_MAX) && !in.bad;
}

/* Somebody whom we do not know shows a certificate: ours, of a time that a restored disk has forgotten, or nobody's. */
static int on_shown(struct reactor *r, const struct arrival *a, const struct msg_cert *m)
{
	uint32_t wait_s = welcome_in_s(r);
	int rc = wait_s ? 0 : replica_readmit(r->replica, m->cert, a->link_key);

	if (rc == -ERR_STORAGE || rc == -ERR_DISK_FULL) return rc;
	if (!rc && !wait_s) r->dirty = true;
	refuse(r, &a->from, 0, rc ? -rc : ERR_BUSY, rc ? 3600 : wait_s);
	return 0;
}

static int on_stranger(struct reactor *r, const struct arrival *a)
{
	struct message m;
	struct reader in;
	uint64_t type;
	struct buf *out;

	reader_init(&in, a->frame);
	(void)reader_array(&in);
	type = reader_uint(&in, UINT8_MAX);
	if (in.bad) return 0;
	if (type != MSG_HELLO && type != MSG_JOIN && !is_shown(a->frame)) {
		on_orphan(r, a);
		return 0;
	}
	if (message_read(a->frame, NULL, &r->arena, &m, NULL)) {
		refuse(r, &a->from, 0, ERR_PROTOCOL, 0);
		return 0;
	}
	if (m.type == MSG_HELLO) return on_hello(r, a, &m.hello);
	if (m.type == MSG_CERT) return on_shown(r, a, &m.cert);
	if (!r->c->strangers) {
		refuse(r, &a->from, 0, ERR_NOT_JOINED, 0);
		return 0;
	}
	out = answer_to(r, &a->from);
	if (!out) return 0;
	r->dirty = true;
	return r->c->strangers->join(r->c->strangers->ctx, r->replica, &m.join, a->link_key, r->now,
	                             out);
}

static bool is_hello(struct span frame)
{
	struct reader in;

	reader_init(&in, frame);
	(void)reader_array(&in);
	return reader_uint(&in, UINT8_MAX) == MSG_HELLO && !in.bad;
}

static int on_arrival_down(struct reactor *r, const struct arrival *a)
{
	struct line *l = lines_find(&r->lines, &a->from);

	if (!l || !l->session || l->closed || memcmp(l->link_key, a->link_key, 32) != 0 ||
	    is_hello(a->frame))
		return on_stranger(r, a);
	return step(r, l, EVENT_FRAME, a->frame);
}

/* ---- one transaction */

static int take_arrivals(struct reactor *r, const struct transport_ready *ready)
{
	struct arrival a;
	size_t bytes = 0;
	int rc = 0;

	for (unsigned i = 0; i < ARRIVALS_MAX && bytes < ARRIVAL_BYTES_MAX && !rc; i++) {
		bool got = false;

		if (ready->up && transport_recv_up(r->transport, &r->arena, &a)) {
			got = true;
			bytes += a.frame.len;
			if (r->up) rc = step(r, r->up, EVENT_FRAME, a.frame);
		}
		if (!rc && ready->down && r->answers_count < ANSWERS_MAX &&
		    transport_recv_down(r->transport, &r->arena, &a)) {
			got = true;
			bytes += a.frame.len;
			rc = on_arrival_down(r, &a);
		}
		if (!got) break;
	}
	return rc;
}

static bool line_due(const struct reactor *r, const struct line *l)
{
	if (!l->session || l->closed) return false;
	if (l->queue_bytes >
	    LINE_LOW) /* it has not taken what it asked for: nothing more for now */
		return l->due_ms && r->now - l->due_ms > (int64_t)settings(r)->welcome_timeout_ms;
	return l->pump || (l->due_ms && l->due_ms <= r->now);
}

static int step_due(struct reactor *r)
{
	int rc = 0;

	for (struct line *l = r->lines.first; l && !rc; l = l->next) {
		if (!line_due(r, l)) continue;
		enum session_event_kind kind =
		        l->due_ms && l->due_ms <= r->now ? EVENT_TIMER : EVENT_PUMP;

		l->pump = false;
		rc = step(r, l, kind, span_of(NULL, 0));
	}
	return rc;
}

/* Everyone may have something new to send. */
static void pump_all(struct reactor *r)
{
	if (r->up) r->up->pump = true;
	r->pump_down = true;
}

static void pump_children(struct reactor *r)
{
	if (!r->pump_down || r->now < r->pump_down_due_ms) return;
	for (struct line *l = r->lines.first; l; l = l->next)
		if (!l->up) l->pump = true;
	r->pump_down = false;
	r->pump_down_due_ms = r->lines.count > PUMP_MANY ? r->now + PUMP_MANY_MS : 0;
}

static int look_at_head(struct reactor *r)
{
	uint8_t rolling[ROLLING_BYTES];
	int64_t head;
	int rc = store_journal_head(r->store, &head, rolling);

	if (rc) return rc;
	if (head != r->head) pump_all(r);
	r->head = head;
	if (head != r->applied_head) r->apply_more = true;
	return 0;
}

static int seal_if_asked(struct reactor *r)
{
	bool sealed = false;
	int rc;

	if (!r->seal_asked) return 0;
	rc = replica_seal(r->replica, &sealed);
	r->seal_asked = false;
	r->seal_due_ms = r->now + settings(r)->seal_ms;
	if (sealed) r->dirty = true;
	return rc;
}

static void tell_sick(struct reactor *r, int rc, const struct error *e)
{
	if (r->sick == -rc) return;
	r->sick = -rc;
	note(r, -rc, "the database: %s", e && e->code ? e->detail : error_info(-rc)->en);
}

/* After an error of the disk; no session is left by then.  False: in vain, for now. */
static bool reopen(struct reactor *r)
{
	struct error err = {0};
	int rc = place_reopen(r->place, &err);

	r->replica = r->place->replica;
	r->store = r->place->store;
	r->reopen = rc != 0;
	if (rc) {
		r->sick_until_ms = r->now + settings(r)->retry_ms;
		tell_sick(r, rc, &err);
		return false;
	}
	r->head = r->applied_head = r->data_version = -1;
	r->apply_more = true;
	return true;
}

/* An error of the store: nothing of this transaction happened, and no session that took part is to be trusted. */
static void sick(struct reactor *r, int rc)
{
	const struct error *e = replica_error(r->replica);
	/* The outcome of a commit may be unknown, what was read may be wrong, a disk that was away has other descriptors. */
	bool broken = rc == -ERR_STORAGE || rc == -ERR_DATABASE_DAMAGED;
	struct line *l, *next;

	replica_rollback(r->replica);
	r->answers_count = 0;
	for (l = r->lines.first; l; l = next) {
		next = l->next;
		if ((l->stepped || broken) && !l->up) lines_remove(&r->lines, l);
	}
	if (r->up && (r->up->stepped || broken)) {
		up_drop(r, /* gently= */ false);
		up_wait(r, settings(r)->retry_ms);
		r->up_opened = false;
	}
	if (rc == -ERR_BUSY &&
	    !r->dirty) { /* another process writes for long: nothing was touched yet */
		r->sick_until_ms = r->now + SOON_MS;
		return;
	}
	r->sick_until_ms = r->now + settings(r)->retry_ms;
	r->reopen = broken && !r->c->once;
	tell_sick(r, rc, e);
	if (r->c->once) {
		if (e && e->code && r->err)
			*r->err = *e;
		else
			error_set(r->err, -rc, "", "the database");
		finish(r, rc);
	}
}

static void well(struct reactor *r)
{
	if (r->sick) note(r, 0, "the database works again");
	r->sick = 0;
}

static void answers_send(struct reactor *r)
{
	for (size_t i = 0; i < r->answers_count; i++) {
		struct answer *a = &r->answers[i];

		/* A stranger's pipe is empty; one that is gone or full asks again. */
		if (a->bytes.len && !a->bytes.full)
			(void)transport_send(r->transport, &a->to, buf_span(&a->bytes));
		buf_done(&a->bytes);
	}
	r->answers_count = 0;
}

static void answers_drop(struct reactor *r)
{
	for (size_t i = 0; i < r->answers_count; i++) buf_done(&r->answers[i].bytes);
	r->answers_count = 0;
}

static void up_closed(struct reactor *r)
{
	struct line *l = r->up;
	int code = l->code;
	uint32_t retry = l->retry_after_s;

	if (line_flush(l, r->transport) == SENT_FULL && r->now < l->until_ms) return;
	session_progress(l->session, &r->result->session);
	if (code) {
		up_failed(r, code, retry, error_info(code)->en);
		return;
	}
	up_drop(r, /* gently= */ true);
	r->up_opened = false;
	if (r->c->once)
		finish(r, 0);
	else
		up_wait(r, backoff_ms(r, retry)); /* it said goodbye: it is being stopped */
}

/* After the commit: what was staged leaves; what has ended goes. */
static void send_all(struct reactor *r)
{
	struct line *l, *next;

	for (l = r->lines.first; l; l = next) {
		enum transport_sent sent;

		next = l->next;
		if (l->stepped) {
			l->stepped = false;
			line_release(l);
			if (l->closed) l->until_ms = r->now + QUIT_MS;
		}
		if (l->up) continue;
		sent = l->queue_bytes ? line_flush(l, r->transport) : SENT;
		if (l->closed && l->session) line_end(r, l);
		if (sent == SENT_GONE || l->queue_bytes > LINE_HIGH ||
		    (!l->session && (sent == SENT || r->now >= l->until_ms)))
			lines_remove(&r->lines, l);
	}
	if (r->up && r->up->queue_bytes) (void)line_flush(r->up, r->transport);
	if (r->up && r->up->closed) up_closed(r);
}

static bool anything_due(const struct reactor *r)
{
	for (const struct line *l = r->lines.first; l; l = l->next)
		if (line_due(r, l)) return true;
	return false;
}

static int in_transaction(struct reactor *r, const struct transport_ready *ready)
{
	int rc = seal_if_asked(r);

	if (!rc && r->up_state == UP_CONNECT && ready->up_writable) rc = up_start(r);
	if (!rc) rc = take_arrivals(r, ready);
	if (!rc) rc = step_due(r);
	if (!rc) rc = look_at_head(r);
	return rc;
}

static void transact(struct reactor *r, const struct transport_ready *ready)
{
	bool start = r->up_state == UP_CONNECT && ready->up_writable;
	int rc;

	pump_children(r);
	if (!ready->up && !ready->down && !start && !r->seal_asked && !anything_due(r)) return;
	r->dirty = false;
	rc = replica_begin(r->replica);
	if (!rc) {
		rc = in_transaction(r, ready);
		if (!rc && r->dirty)
			rc = replica_commit(r->replica);
		else if (!rc)
			replica_rollback(r->replica); /* nothing but refusals */
	}
	if (rc) {
		answers_drop(r);
		sick(r, rc);
		return;
	}
	well(r);
	answers_send(r);
}

/* ---- applying, correcting, sealing */

static int apply_pieces(struct reactor *r)
{
	size_t left = settings(r)->apply_ops;
	int64_t until = r->now + settings(r)->apply_ms;
	int rc = 0;

	r->apply_more = true;
	while (r->apply_more && left && !rc) {
		size_t piece = left < APPLY_PIECE ? left : APPLY_PIECE;

		rc = replica_apply(r->replica, piece, &r->apply_more);
		left -= piece;
		if (env_boot_ms() >= until) break;
	}
	return rc;
}

static void apply(struct reactor *r)
{
	int64_t before;
	int rc;

	if (!r->apply_more || r->finished) return;
	r->dirty = false;
	rc = replica_begin(r->replica);
	if (!rc) rc = look_at_head(r);
	before = r->head;
	if (!rc) rc = apply_pieces(r);
	if (!rc && !r->apply_more) r->applied_head = before;
	if (!rc) rc = look_at_head(r); /* admissions were added: once more */
	if (!rc) rc = replica_commit(r->replica);
	if (rc) {
		r->apply_more = true;
		sick(r, rc);
		return;
	}
	well(r);
	pump_all(r);
	if (replica_is_hub(r->replica)) correct_soon(r);
}

static void correct(struct reactor *r)
{
	struct cell *cells;
	size_t count = 0;
	int rc;

	if (!r->correct_asked || r->apply_more ||
	    (r->now < r->correct_due_ms && r->now < r->correct_late_ms))
		return;
	r->correct_asked = false;
	rc = store_cells_dirty(r->store, &r->arena, &cells, &count);
	if (rc || !count) return;
	r->dirty = false;
	rc = replica_begin(r->replica);
	if (!rc) {
		rc = replica_correct(r->replica);
		if (!rc) rc = replica_commit(r->replica);
	}
	if (rc) {
		r->correct_asked = true;
		sick(r, rc);
		return;
	}
	r->seal_due_ms = 0; /* what was stated may leave at once */
}

static bool sessions_open(const struct reactor *r)
{
	for (const struct line *l = r->lines.first; l; l = l->next)
		if (state_of(l) == SESSION_OPEN) return true;
	return false;
}

static void ask_for_seal(struct reactor *r)
{
	int64_t count = 0, bytes = 0;

	if (r->now < r->seal_due_ms || !replica_cert(r->replica)) return;
	/* Without a session nobody waits for it: only so that it does not grow without end. */
	if (!sessions_open(r) && !replica_seal_due(r->replica)) return;
	if (!store_tail_size(r->store, &count, &bytes) && count)
		r->seal_asked = true;
	else
		r->seal_due_ms = r->now + settings(r)->seal_ms;
}

/* Nothing to do: a piece of the audit (patrol.h). */
static void patrol(struct reactor *r, bool idle)
{
	int64_t found, mended;
	int rc;

	if (r->c->once || r->finished || r->apply_more || r->seal_asked || r->correct_asked) return;
	if (!patrol_due(&r->patrol, r->now, idle)) return;
	if (!r->patrol.going) r->patrol.audit = (struct audit){0};
	found = r->patrol.audit.found;
	mended = r->patrol.audit.mended;
	r->dirty = false;
	rc = patrol_piece(&r->patrol, r->replica, r->place->env.now_ms(r->place->env.ctx),
	                  settings(r)->audit_ms);
	/* What nobody has asked for yet may be unreadable, and what is asked for be served all the same. */
	if (rc && rc != -ERR_DATABASE_DAMAGED) {
		sick(r, rc);
	} else if (rc) {
		note(r, -rc, "audit: %s", replica_error(r->replica)->detail);
	} else if (r->patrol.audit.found > found) {
		note(r, ERR_DIFFERS, "audit: %" PRId64 " not as it should be, %" PRId64 " repaired",
		     r->patrol.audit.found - found, r->patrol.audit.mended - mended);
		pump_all(r);
	}
	/* Once a day: who was waited for long enough is waited for no longer. */
	if (!r->patrol.going && replica_is_hub(r->replica)) correct_soon(r);
}

/* Another process committed: something to seal, a certificate, an address. */
static void notice_others(struct reactor *r)
{
	int64_t version = store_data_version(r->store);

	if (version == r->data_version) return;
	r->data_version = version;
	r->seal_due_ms = r->seal_due_ms > r->now + IDLE_MS ? r->now + IDLE_MS : r->seal_due_ms;
	r->apply_more = true;
	if (r->up_state != UP_NONE) return;
	(void)place_config_reload(r->place, NULL); /* a bad file leaves the settings as they are */
	if (!replica_begin(r->replica)) replica_rollback(r->replica); /* takes up a certificate */
}

/* ---- the loop */

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t timeout_ms(const struct reactor *r)
{
	int64_t until = r->now + IDLE_MS;

	if (r->sick_until_ms > r->now) return sooner(r->sick_until_ms, until) - r->now;
	if (r->apply_more || r->seal_asked) return 0;
	if (r->up_state != UP_NONE) until = sooner(until, r->up_due_ms);
	if (r->up_state == UP_SESSION && r->up_opened) until = r->now + IDLE_MS;
	if (r->correct_asked) until = sooner(until, r->correct_due_ms);
	if (!r->c->once && !r->correct_asked) until = sooner(until, r->patrol.due_ms);
	if (r->pump_down) until = sooner(until, r->pump_down_due_ms);
	for (const struct line *l = r->lines.first; l; l = l->next) {
		if (line_due(r, l)) return 0;
		if (l->queue_bytes || l->closed || !l->session)
			until = sooner(until, r->now + STUCK_MS);
		else if (l->due_ms)
			until = sooner(until, l->due_ms);
	}
	return until > r->now ? until - r->now : 0;
}

static void report(struct reactor *r, bool now)
{
	struct reactor_progress p = {.phase = r->phase, .session = r->result->session};
	enum reactor_phase phase = r->phase;

	if (!r->c->progress) return;
	if (!now && r->now < r->progress_due_ms) return;
	r->progress_due_ms = r->now + PROGRESS_MS;
	if (r->up) session_progress(r->up->session, &p.session);
	if (phase == REACTOR_SYNCING && r->apply_more) p.phase = REACTOR_APPLYING;
	for (const struct line *l = r->lines.first; l; l = l->next)
		p.children += !l->up && l->session;
	p.unapplied =
	        r->head > r->applied_head && r->applied_head >= 0 ? r->head - r->applied_head : 0;
	p.endpoint = transport_endpoint(r->transport);
	p.listening = transport_accepting(r->transport);
	r->c->progress(r->c->ctx, &p);
}

/* For `status`, which is another process. */
static void remember_link(struct reactor *r)
{
	int rc;

	if (r->link_code == r->link_kept || r->c->once) return;
	rc = replica_begin(r->replica);
	rc = rc ? rc
	        : status_link_put(r->store, r->link_code, r->place->env.now_ms(r->place->env.ctx));
	rc = rc ? rc : replica_commit(r->replica);
	if (rc)
		replica_rollback(r->replica); /* next time */
	else
		r->link_kept = r->link_code;
}

/* A door shut for want of descriptors is for a person to know. */
static void notice_door(struct reactor *r)
{
	bool shut = transport_endpoint(r->transport)[0] && !transport_accepting(r->transport);

	if (shut == r->shut) return;
	r->shut = shut;
	if (shut)
		note(r, ERR_BUSY,
		     "nearly all file descriptors are in use: no new links (raise LimitNOFILE)");
	else
		note(r, 0, "new links are taken again");
}

static void stopped(struct reactor *r)
{
	finish(r, r->c->once ? error_set(r->err, ERR_NOT_COMPLETE, "", "stopped before it was done")
	                     : 0);
}

static void turn(struct reactor *r, const int *fds, size_t fds_count)
{
	struct transport_ready ready;
	bool sick_now = r->sick_until_ms > r->now;

	/* While the store is sick frames stay where they are: unread, unacknowledged. */
	if (sick_now) {
		struct transport_ready unread;

		transport_poll(r->transport, 0, false, fds, fds_count, &unread);
		env_sleep_ms(unread.fd[0] || unread.fd[1] ? 0 : STUCK_MS * 5);
		ready = (struct transport_ready){.fd = {unread.fd[0], unread.fd[1]}};
	} else {
		transport_poll(r->transport, timeout_ms(r), r->up_state == UP_CONNECT, fds,
		               fds_count, &ready);
	}
	r->now = env_boot_ms();
	notice_door(r);
	for (size_t i = 0; i < fds_count; i++)
		if (ready.fd[i]) stopped(r);
	if (r->finished || sick_now || (r->reopen && !reopen(r))) return;
	arena_reset(&r->arena);
	notice_others(r);
	ask_for_seal(r);
	transact(r, &ready);
	if (r->finished) return;
	send_all(r);
	if (!r->finished) up_turn(r, ready.up_lost);
	remember_link(r);
	apply(r);
	correct(r);
	patrol(r, !ready.down && !ready.up);
}

/* Says goodbye to all in one transaction, and gives it a moment to leave. */
static void goodbye(struct reactor *r)
{
	int rc = 0;

	for (struct line *l = r->lines.first; l; l = l->next) l->stepped = false;
	if (!r->lines.first || r->sick || replica_begin(r->replica)) return;
	for (struct line *l = r->lines.first; l && !rc; l = l->next)
		rc = step(r, l, EVENT_END, span_of(NULL, 0));
	if (rc || replica_commit(r->replica)) {
		replica_rollback(r->replica);
		return;
	}
	for (struct line *l = r->lines.first; l; l = l->next) {
		line_release(l);
		(void)line_flush(l, r->transport);
	}
}

/* `sync` ends when what came is merged as well. */
static void apply_rest(struct reactor *r)
{
	r->finished = false;
	while (r->apply_more && !r->finished && !r->sick) {
		r->now = env_boot_ms();
		r->phase = REACTOR_APPLYING;
		report(r, /* now= */ false);
		apply(r);
	}
	r->finished = true;
}

static int signals_take(struct reactor *r)
{
	sigset_t set;

	r->signal_fd = -1;
	if (r->c->no_signals) return 0;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (pthread_sigmask(SIG_BLOCK, &set, &r->mask_before))
		return error_set(r->err, ERR_INTERNAL, "", "signals cannot be taken");
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->signal_fd < 0
	               ? error_set(r->err, ERR_INTERNAL, "", "signalfd: %s", strerror(errno))
	               : 0;
}

static void signals_give_back(struct reactor *r)
{
	struct signalfd_siginfo info;

	if (r->signal_fd < 0) return;
	while (read(r->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		r->result->signal = (int)info.ssi_signo;
	close(r->signal_fd);
	pthread_sigmask(SIG_SETMASK, &r->mask_before, NULL);
}

/* Keys that are revoked are turned away before they cost a session. */
static void refuse_revoked(struct reactor *r)
{
	struct cert_row *certs;
	size_t count = 0;

	if (store_certs(r->store, &r->arena, &certs, &count)) return;
	for (size_t i = 0; i < count; i++)
		if (certs[i].revoked_ms) transport_refuse(r->transport, certs[i].link, true);
}

static int start(struct reactor *r)
{
	const struct config *s = settings(r);
	struct transport_config t = {.link_public = r->place->identity.link_public,
	                             .link_secret = r->place->identity.link_secret,
	                             .handshake_ivl_ms = s->handshake_ivl_ms,
	                             .heartbeat_ms = s->heartbeat_ms,
	                             .connect_timeout_ms = s->connect_timeout_ms,
	                             .descriptors_max = s->descriptors_max};
	int rc = transport_new(&t, &r->transport, r->err);

	if (rc) return rc;
	parent_found(r);
	if (!r->c->once)
		rc = 0;
	else if (!replica_cert(r->replica))
		rc = error_set(r->err, ERR_NOT_JOINED, "", "this device has no certificate yet");
	else if (!s->parent[0])
		rc = error_set(r->err, ERR_NO_PARENT, "link.parent", "no parent is configured");
	if (rc || !s->listen[0] || r->c->no_listen || r->c->once) return rc;
	refuse_revoked(r);
	rc = transport_listen(r->transport, s->listen, r->err);
	if (!rc) note(r, 0, "listening at %s", transport_endpoint(r->transport));
	return rc;
}

static void loop(struct reactor *r)
{
	int64_t limit = r->c->limit_ms ? r->now + r->c->limit_ms : INT64_MAX;
	enum reactor_phase told = 0;
	size_t fds_count = 0;
	int fds[2];

	if (r->signal_fd >= 0) fds[fds_count++] = r->signal_fd;
	if (r->c->stop_fd > 0) fds[fds_count++] = r->c->stop_fd;
	while (!r->finished) {
		turn(r, fds, fds_count);
		report(r, told != r->phase);
		told = r->phase;
		if (r->c->once && !r->finished && r->up_state == UP_NONE)
			finish(r, error_set(r->err, ERR_NO_PARENT, "link.parent",
			                    "no parent to go to"));
		if (r->c->once && !r->finished && r->now >= limit)
			finish(r,
			       error_set(r->err, ERR_UNREACHABLE, "",
			                 "not done within %" PRIu32 " s", r->c->limit_ms / 1000));
	}
}

int reactor_run(const struct reactor_config *config, struct reactor_result *ret, struct error *err)
{
	struct reactor *r = mem_alloc(sizeof(*r));
	int rc;

	memset(ret, 0, sizeof(*ret));
	r->c = config;
	r->result = ret;
	r->place = config->place;
	r->replica = config->place->replica;
	r->store = config->place->store;
	r->err = err;
	r->now = env_boot_ms();
	r->head = r->applied_head = r->data_version = -1;
	r->apply_more = true;
	r->phase = REACTOR_CONNECTING;
	arena_init(&r->arena, 0);
	lines_init(&r->lines);
	if (!status_link_code(r->store, &r->link_kept)) r->link_code = r->link_kept;
	rc = signals_take(r);
	if (!rc) rc = start(r);
	if (!rc) {
		loop(r);
		rc = r->rc;
		goodbye(r);
		if (!rc && config->once) apply_rest(r);
		if (!rc) rc = r->rc;
		if (r->up) session_progress(r->up->session, &ret->session);
		if (!rc) r->phase = REACTOR_DONE;
		report(r, /* now= */ true);
	}
	answers_drop(r);
	lines_done(&r->lines);
	transport_free(r->transport);
	signals_give_back(r);
	arena_done(&r->arena);
	free(r);
	return rc;
}
