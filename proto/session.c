/*
 * session.c - see session.h.  One state machine: what comes goes to the part that it concerns (session_parts.h), and after
 * each event what there is to say is said.
 *
 * Each direction has a sender, whose journal positions count (session_give.c), and a receiver, who keeps the cursor
 * (session_take.c).  Only the sender can confirm a cursor; where it cannot, its journal went back (it was restored), and
 * both fall back to the newest place on which they agree.  No other rule is needed, because a restored device is a
 * new run, and `from` and cursors are kept per run.
 */
#include "common/base.h"

#include "proto/session_parts.h"

#include "common/ident.h"

enum {
	TIMEOUT_DEFAULT_MS = 30 * 1000,
	ASKS_MAX = 64 /* questions of a session: their answers need no credit */
};

struct session *session_new(struct replica *r, const struct session_config *config)
{
	struct session *s = mem_alloc(sizeof(*s));
	s->r = r;
	s->c = *config;
	if (!s->c.credit_window) s->c.credit_window = CREDIT_DEFAULT;
	if (!s->c.timeout_ms) s->c.timeout_ms = TIMEOUT_DEFAULT_MS;
	if (!s->c.protocol_max) {
		s->c.protocol_min = PROTOCOL_MIN;
		s->c.protocol_max = PROTOCOL_MAX;
	}
	if (!s->c.schema_version) s->c.schema_version = store_schema(r->st)->version;
	origin_of(s->c.peer.origin_key, s->peer_origin);
	arena_init(&s->memory, 0);
	return s;
}

void session_free(struct session *s)
{
	if (!s) return;
	descent_free(s->descent);
	short_form_done(&s->out_form);
	short_form_done(&s->in_form);
	arena_done(&s->memory);
	free(s);
}

void session_actions_done(struct session_actions *a)
{
	for (size_t i = 0; i < a->count; i++) buf_done(&a->frames[i].bytes);
	free(a->frames);
	memset(a, 0, sizeof(*a));
}

void session_progress(const struct session *s, struct session_progress *ret)
{
	*ret = s->p;
	ret->state = s->state;
}

size_t session_send(struct session *s, struct session_actions *a, const struct message *m,
                    int priority)
{
	if (a->count == a->room) {
		a->room = a->room * 2 + 8;
		a->frames = mem_grow(a->frames, a->room * sizeof(*a->frames));
	}
	struct session_frame *f = &a->frames[a->count++];
	f->priority = (uint8_t)priority;
	buf_init(&f->bytes, MESSAGE_BYTES_MAX);
	message_pack(m, &s->out_form, &f->bytes);
	assert(!f->bytes.full);
	s->p.bytes_out += f->bytes.len;
	return f->bytes.len;
}

int session_close(struct session *s, struct session_actions *a, int code)
{
	s->state = SESSION_CLOSED;
	a->close = true;
	a->code = code;
	return 0;
}

int session_refuse_after(struct session *s, struct session_actions *a, int code,
                         uint32_t retry_after_s)
{
	struct message m = {.type = MSG_REFUSE};
	m.refuse = (struct msg_refuse){.session = s->nonce,
	                               .code = code,
	                               .retry_after_s = retry_after_s,
	                               .protocol_min = s->c.protocol_min,
	                               .protocol_max = s->c.protocol_max};
	s->p.refused_code = code;
	session_send(s, a, &m, FRAME_CONTROL);
	env_trace(s->r->env, "refused the peer: %d", code);
	a->retry_after_s = retry_after_s;
	return session_close(s, a, code);
}

int session_refuse(struct session *s, struct session_actions *a, int code)
{
	return session_refuse_after(s, a, code, 0);
}

static void send_repair(void *ctx, const struct message *m)
{
	struct session *s = ctx;
	struct message copy = *m;
	if (m->type == MSG_RANGE) copy.range.session = s->nonce;
	if (m->type == MSG_TALLY) copy.tally.session = s->nonce;
	if (m->type == MSG_NAMES) copy.names.session = s->nonce;
	if (m->type == MSG_AGAIN) copy.again.session = s->nonce;
	session_send(s, s->step, &copy, FRAME_BULK); /* in the order of DATA and STATE */
}

void session_open_repair(struct session *s, uint16_t protocol)
{
	struct descent_link l = {.r = s->r,
	                         .parent = s->c.parent,
	                         .peer = &s->c.peer,
	                         .feed = &s->feed,
	                         .peer_ord = &s->peer_ord,
	                         .ctx = s,
	                         .send = send_repair};
	if (protocol >= PROTOCOL_REPAIR) s->descent = descent_new(&l, s->nonce);
}

static int on_repair(struct session *s, const struct message *m, struct session_actions *a)
{
	if (!s->descent) return session_refuse(s, a, ERR_PROTOCOL);
	int rc = descent_message(s->descent, m);
	return rc == -ERR_PROTOCOL ? session_refuse(s, a, ERR_PROTOCOL) : rc;
}

static int work_on_repair(struct session *s, struct session_actions *a)
{
	bool more = false;
	if (!s->descent) return 0;
	int rc = descent_ask(s->descent, s->heard_state);
	rc = rc ? rc : descent_step(s->descent, &more);
	(void)descent_heard(s->descent, s->heard_state);
	if (more) a->due_ms = 1;
	a->busy = more;
	return rc;
}

/* One session only (`sync`): the end is when both are idle, agreed or not. */
static int end_if_done(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_BYE};
	if (s->c.parent || s->c.stay || s->state != SESSION_OPEN || !s->p.idle) return 0;
	/* Equal digests are not enough: an admission on its way to us changes no row. */
	if (!s->heard_idle || s->heard_acked < s->out_last || s->named_due) return 0;
	m.bye.session = s->nonce;
	if (s->p.entries_in || s->p.entries_out || s->looked || s->named_asked ||
	    !s->p.agreed) /* nothing to do: one round trip, not a message more */
		session_send(s, a, &m, FRAME_BULK);
	else
		env_trace(s->r->env, "session: nothing to do");
	return session_close(s, a, 0);
}

/* What goes down has gone down: the child hears why no more is taken. */
static int end_if_over(struct session *s, struct session_actions *a)
{
	bool done;
	if (!s->c.parent || !s->over_wanted || s->state != SESSION_OPEN) return 0;
	int rc = session_out_done(s, &done);
	return rc || !done ? rc : session_refuse_later(s, a, s->over);
}

static int on_ask(struct session *s, const struct msg_ask *k, struct session_actions *a)
{
	if (++s->asks > ASKS_MAX) return session_refuse(s, a, ERR_LIMIT);
	if (k->what == ASK_MARKS) {
		if (session_may_be_back(s)) session_ask_run(s, a);
		return session_send_marks(s, a);
	}
	if (k->what == ASK_NAMED) return session_on_ask_named(s, a);
	if (k->what == ASK_RUN) return session_on_ask_run(s, k, a);
	struct message m = {.type = MSG_CERT};
	struct cert_row *certs;
	size_t n;
	int rc = store_certs(s->r->st, &s->memory, &certs, &n);
	for (size_t i = 0; i < n && !rc; i++)
		if (!memcmp(certs[i].id, k->id, 8) || !memcmp(certs[i].origin, k->id, 8)) {
			m.cert = (struct msg_cert){.session = s->nonce, .cert = certs[i].body};
			session_send(s, a, &m, FRAME_CONTROL);
			break;
		}
	return rc;
}

/* The child leaves when it is satisfied; whether we are, its last word of its state tells. */
static int on_bye(struct session *s, struct session_actions *a)
{
	uint8_t now[16];
	bool placed;
	int rc = session_digest_now(s, now);
	rc = rc ? rc : replica_place_known(s->r, &placed);
	if (!rc && placed && !s->heard.unapplied && !memcmp(now, s->heard_state, 16))
		rc = session_agreed_now(s);
	return rc ? rc : session_close(s, a, 0);
}

static int on_refuse(struct session *s, const struct msg_refuse *f, struct session_actions *a)
{
	if (f->session && f->session != s->nonce) return 0;
	if (!s->c.parent && s->state == SESSION_GREETED && f->code == ERR_UNKNOWN_ORIGIN &&
	    !f->session && !s->shown)
		return session_show_cert(s, a);
	if (s->shown && !s->taken_up && s->state == SESSION_GREETED && f->code == ERR_BUSY &&
	    !f->retry_after_s) {
		s->taken_up = true;
		return session_say_hello(s, a);
	}
	s->p.refused_code = f->code;
	a->retry_after_s = f->retry_after_s;
	return session_close(s, a, f->code ? f->code : ERR_PROTOCOL);
}

/* A frame of a session before this one must not be read at all: it speaks in short forms that are not ours. */
static bool of_this_session(const struct session *s, struct span frame)
{
	struct reader r;
	reader_init(&r, frame);
	reader_array(&r);
	uint64_t type = reader_uint(&r, UINT8_MAX), session = reader_uint(&r, UINT64_MAX);
	bool greeting = type == MSG_HELLO || type == MSG_WELCOME || type == MSG_REFUSE;
	if (type == MSG_NAMED && s->state == SESSION_GREETED) return session == s->hello_nonce;
	return r.bad || greeting || (s->state == SESSION_OPEN && session == s->nonce);
}

static int on_frame(struct session *s, struct span frame, struct session_actions *a)
{
	struct message m;
	struct error err = {0};
	if (!of_this_session(s, frame)) {
		env_trace(s->r->env, "session: frame of another session");
		return 0;
	}
	s->p.bytes_in += frame.len;
	if (message_read(frame, &s->in_form, &s->memory, &m, &err)) {
		s->r->err = err;
		return session_refuse(s, a, ERR_PROTOCOL);
	}
	if (m.type == MSG_HELLO) return session_on_hello(s, &m.hello, a);
	if (m.type == MSG_WELCOME) return session_on_welcome(s, &m.welcome, a);
	if (m.type == MSG_REFUSE) return on_refuse(s, &m.refuse, a);
	if (s->state == SESSION_GREETED) /* instead of WELCOME: another copy than this was named */
		return m.type == MSG_NAMED ? session_on_named(s, &m.named, a) : 0;
	if (s->doubt) {
		int rc = session_dispel_doubt(s, a);
		if (rc || s->state == SESSION_CLOSED) return rc;
	}
	switch (m.type) {
	case MSG_DATA:
		return session_on_data(s, &m.data, frame.len, a);
	case MSG_ACK:
		return session_on_ack(s, &m.ack);
	case MSG_PLACE:
		return session_on_place(s, &m.place, a);
	case MSG_MARKS:
		return session_on_marks(s, &m.marks, a);
	case MSG_ASK:
		return on_ask(s, &m.ask, a);
	case MSG_STATE:
		return session_on_state(s, &m.state);
	case MSG_CERT:
		return session_on_cert(s, &m.cert, a);
	case MSG_NAMED:
		return session_on_named(s, &m.named, a);
	case MSG_RENEW:
		return session_on_renew(s, &m.renew, a);
	case MSG_RANGE:
	case MSG_TALLY:
	case MSG_NAMES:
	case MSG_AGAIN:
		return on_repair(s, &m, a);
	case MSG_BYE:
		return on_bye(s, a);
	default:
		return session_refuse(s, a, ERR_PROTOCOL);
	}
}

static int on_timer(struct session *s, int64_t now_ms, struct session_actions *a)
{
	bool waiting = s->state == SESSION_GREETED ||
	               (s->state == SESSION_OPEN && (!s->p.idle || !s->c.stay));
	if (!waiting || now_ms - s->heard_ms < session_silence_ms(s)) return 0;
	env_trace(s->r->env, "session: silence of %" PRId64 " s", (now_ms - s->heard_ms) / 1000);
	int rc = session_patience_change(s, 1);
	return rc ? rc : session_close(s, a, ERR_UNREACHABLE);
}

/* A child that was revoked, perhaps by a command beside us: not a word more. */
static int look_at_revoked(struct session *s, bool pumped, struct session_actions *a)
{
	struct cert_row *row;
	if (!s->c.parent || s->state != SESSION_OPEN ||
	    (!pumped && s->feeds_seen == s->r->feeds_changed))
		return 0;
	int rc = store_cert_by_origin(s->r->st, s->peer_origin, &s->memory, &row);
	return rc || !row || !row->revoked_ms ? rc : session_refuse(s, a, ERR_REVOKED);
}

static int end(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_BYE};
	m.bye.session = s->nonce;
	if (s->state == SESSION_OPEN) session_send(s, a, &m, FRAME_BULK);
	return session_close(s, a, 0);
}

int session_step(struct session *s, const struct session_event *e, struct session_actions *a)
{
	int rc = 0;
	assert(store_in_transaction(s->r->st));
	if (s->state == SESSION_CLOSED) return 0;
	a->due_ms = 0;
	s->step = a;
	bool was_idle = s->p.idle;
	switch (e->kind) {
	case EVENT_START:
		s->heard_ms = e->now_ms;
		rc = session_patience_recall(s);
		rc = rc ? rc : session_say_hello(s, a);
		break;
	case EVENT_FRAME:
		s->heard_ms = e->now_ms;
		rc = on_frame(s, e->frame, a);
		break;
	case EVENT_PUMP:
		break;
	case EVENT_TIMER:
		rc = on_timer(s, e->now_ms, a);
		break;
	case EVENT_END:
		rc = end(s, a);
		break;
	case EVENT_YIELD:
		rc = session_yield(s, a);
		break;
	}
	if (!rc && s->state == SESSION_OPEN && s->r->s.run != s->own_run) {
		env_trace(s->r->env, "session: own run changed");
		rc = session_refuse(
		        s, a,
		        ERR_BUSY); /* a new run was drawn: cursors are per run, so this session ends */
	}
	rc = rc ? rc : session_look_at_met(s, a);
	if (!rc && s->c.parent && s->state == SESSION_OPEN && replica_stopped(s->r))
		rc = session_refuse_later(s, a, replica_stopped(s->r));
	rc = rc ? rc : look_at_revoked(s, e->kind == EVENT_PUMP, a);
	rc = rc ? rc : session_on_feeds(s, a);
	rc = rc || s->state != SESSION_OPEN ? rc : session_pump(s, a);
	rc = rc || s->state != SESSION_OPEN ? rc : work_on_repair(s, a);
	rc = rc || s->state != SESSION_OPEN ? rc : session_tell_state(s, a);
	rc = rc || s->state != SESSION_OPEN ? rc : end_if_over(s, a);
	rc = rc || s->state != SESSION_OPEN ? rc : end_if_done(s, a);
	if (was_idle && !s->p.idle) s->heard_ms = e->now_ms; /* nobody owed us a word until now */
	if (a->due_ms)
		a->due_ms = e->now_ms;
	else if (s->state == SESSION_GREETED ||
	         (s->state == SESSION_OPEN && (!s->p.idle || !s->c.stay)))
		a->due_ms = s->heard_ms + session_silence_ms(s);
	arena_done(&s->memory); /* ten thousand that wait keep none */
	return rc ? engine_fail(s->r, rc) : 0;
}
