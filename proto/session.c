/*
 * session.c - see session.h.  One state machine; transitions in one place (step).
 *
 * Each direction has a sender, whose journal positions count, and a receiver, who keeps the cursor.  Only
 * the sender can confirm a cursor; where it cannot, its journal went back (it was restored), and both fall
 * back to the newest place on which they agree.  No other rule is needed, because a restored device is a
 * new run, and `from` and cursors are kept per run.
 */
#include "common/base.h"

#include "proto/session.h"

#include "common/crypt.h"
#include "common/ident.h"
#include "common/pack.h"
#include "proto/copies.h"
#include "proto/descent.h"

enum {
	CREDIT_DEFAULT = 1024 * 1024, /* said as 0 in HELLO and WELCOME */
	TIMEOUT_DEFAULT_MS = 30 * 1000,
	PATIENCE_MAX = 4,     /* doublings: 8 minutes, for 320 KiB at 1 kB/s */
	PUMP_FRAMES_MAX = 64, /* DATA frames a step may make: the driver's queue stays short */
	PUMP_BYTES_MAX = 1024 * 1024,
	STOPPED_RETRY_S =
	        300,         /* how soon a child looks again whether a copied hub was decided on */
	DATA_OVERHEAD = 256, /* bytes of a DATA message beside head and body, at most */
	CREDIT_MAX =
	        4 * 1024 *
	        1024, /* bytes beyond those sent that a peer may grant: what it does not read, we keep */
	RENEW_AGAIN_MS = 24 * 3600 * 1000,
	ASKS_MAX = 64 /* questions of a session: their answers need no credit */
};

struct session {
	struct replica *r;
	struct session_config c;
	enum session_state state;
	struct session_progress p;
	uint8_t peer_origin[16];
	uint64_t nonce, hello_nonce, hello_last_run;
	uint64_t own_run; /* as told to the peer */
	uint32_t peer_ord;
	int64_t heard_ms, due_ms;
	uint8_t patience;    /* how often the time of silence is doubled with this peer */
	bool eased;          /* the work of this session was done: less patience the next time */
	struct arena memory; /* of one step */
	bool looked;         /* into what differs */
	bool renewing;       /* child: RENEW was said and not answered */
	bool renewed;        /* parent: answered one */
	struct descent *descent;      /* NULL: the peer knows nothing of repair */
	struct session_actions *step; /* of the step under way, for it */

	/* sending */
	struct feed feed, old_feed;
	uint32_t feeds_seen;
	bool out_open, rescanning, out_told;
	int64_t out_pos, out_last, rescan_until;
	uint64_t credit, data_out; /* absolute bytes of DATA: granted, sent */
	uint64_t window; /* the first grant: who grants more has taken what is beyond it */
	unsigned asks;   /* of the peer in this session */
	bool marks_heard;
	bool shown,
	        taken_up; /* our certificate, to a parent that has forgotten us, which keeps it now */
	bool place_unheard; /* we said where to begin anew: until that is answered, positions that the peer names are of a journal
	                       that is gone */
	int64_t owed_sent[OWED_MAX]; /* in this session: what was damaged when its turn came */
	size_t owed_sent_count;
	uint64_t owed_bytes; /* data_out behind it */
	bool place_due;      /* a widened filter was caught up with: the cursor takes its id */
	struct short_form out_form, in_form;

	/* receiving */
	bool in_open;
	struct mark marks[MARKS_MAX];
	size_t marks_count;
	bool marks_moved; /* in this session, from the peer's last run */
	uint8_t in_filter[8], hello_filter[8];
	uint64_t in_granted, in_bytes;
	int over;         /* parent: the quota that is used up; nothing more is taken */
	bool over_wanted; /* and the child has more to send */
	bool over_left; /* and something of it was left with the child: no place behind it counts */
	uint32_t in_number, out_number; /* ordered messages: DATA and PLACE */

	uint64_t counted_in, counted_out; /* bytes already in struct peer */

	uint32_t met_seen;
	bool told_other; /* WELCOME has said that two of the peer are alive */
	bool named_asked,
	        named_due; /* who of its copies survives: until that came, we do not leave */
	bool doubt; /* the peer's run may be that of a copy: to be believed once it has answered */
	uint64_t peer_last, met_before; /* the peer's run that was met last when WELCOME went out */

	/* agreement */
	struct msg_state said; /* or what HELLO and WELCOME said to the same end */
	uint8_t heard_state[16];
	bool heard_idle, said_idle;
	bool heard_fresh; /* no DATA came since the peer said its state */
	int64_t heard_acked;
	struct msg_state heard;
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

/* ---- actions */

static size_t send_message(struct session *s, struct session_actions *a, const struct message *m,
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

static int close_with(struct session *s, struct session_actions *a, int code)
{
	s->state = SESSION_CLOSED;
	a->close = true;
	a->code = code;
	return 0;
}

/* What a peer did wrong, or what does not fit: said to it, then the end. */
static int refuse(struct session *s, struct session_actions *a, int code)
{
	struct message m = {.type = MSG_REFUSE};
	m.refuse = (struct msg_refuse){.session = s->nonce,
	                               .code = code,
	                               .protocol_min = s->c.protocol_min,
	                               .protocol_max = s->c.protocol_max};
	s->p.refused_code = code;
	send_message(s, a, &m, FRAME_CONTROL);
	env_trace(s->r->env, "refused the peer: %d", code);
	return close_with(s, a, code);
}

/* ---- repair: where digests differ at rest (descent.c) */

static void send_repair(void *ctx, const struct message *m)
{
	struct session *s = ctx;
	struct message copy = *m;
	if (m->type == MSG_RANGE) copy.range.session = s->nonce;
	if (m->type == MSG_TALLY) copy.tally.session = s->nonce;
	if (m->type == MSG_NAMES) copy.names.session = s->nonce;
	if (m->type == MSG_AGAIN) copy.again.session = s->nonce;
	send_message(s, s->step, &copy, FRAME_BULK); /* in the order of DATA and STATE */
}

static void open_descent(struct session *s, uint16_t protocol)
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
	if (!s->descent) return refuse(s, a, ERR_PROTOCOL);
	int rc = descent_message(s->descent, m);
	return rc == -ERR_PROTOCOL ? refuse(s, a, ERR_PROTOCOL) : rc;
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

/* ---- what is remembered of a peer between sessions, beside struct peer */

static void peer_key(const struct session *s, const char *what, char ret[64])
{
	char hex[33];
	hex_text(s->peer_origin, 16, hex);
	snprintf(ret, 64, "%s/%s", what, hex);
}

static int recall(struct session *s, const char *what, void *ret, size_t len, bool *ret_known)
{
	char key[64];
	struct span m;
	peer_key(s, what, key);
	int rc = store_meta_get(s->r->st, key, &s->memory, &m);
	*ret_known = !rc && m.len == len;
	if (*ret_known) memcpy(ret, m.p, len);
	return rc;
}

static int remember(struct session *s, const char *what, const void *p, size_t len)
{
	char key[64];
	peer_key(s, what, key);
	return store_meta_put(s->r->st, key, span_of(p, len));
}

static int last_own_run(struct session *s, uint64_t *ret)
{
	bool known;
	*ret = 0;
	return recall(s, "last_run", ret, sizeof(*ret), &known);
}

/* Before anything of ours can have reached the peer under the new run. */
static int keep_own_run(struct session *s)
{
	uint64_t before;
	int rc = last_own_run(s, &before);
	s->own_run = s->r->s.run;
	return rc || before == s->own_run
	               ? rc
	               : remember(s, "last_run", &s->own_run, sizeof(s->own_run));
}

/* When something happened, to be kept: 0 is never, so a clock that says 1970 or less has it happen just after. */
static int64_t wall_ms(const struct session *s)
{
	int64_t now = s->r->env->now_ms(s->r->env->ctx);
	return now > 0 ? now : 1;
}

/* What is kept of the peer, with the bytes of this session so far added. */
static int peer_load(struct session *s, struct peer *ret)
{
	bool known;
	memset(ret, 0, sizeof(*ret));
	int rc = store_peer_get(s->r->st, s->peer_origin, ret, &known);
	memcpy(ret->origin, s->peer_origin, 16);
	ret->bytes_in += (int64_t)(s->p.bytes_in - s->counted_in);
	ret->bytes_out += (int64_t)(s->p.bytes_out - s->counted_out);
	s->counted_in = s->p.bytes_in;
	s->counted_out = s->p.bytes_out;
	return rc;
}

/*
 * A message counts when the whole of it is here.  On a slow link a large one takes longer than the time of silence, and so
 * does an acknowledgement behind one; the link would be cut and the message begun anew for ever.  So after a session
 * that ended in silence the next one waits twice as long, and half as long after one whose work got done.
 */
static int patience_recall(struct session *s)
{
	bool known;
	int rc = recall(s, "patience", &s->patience, sizeof(s->patience), &known);
	if (!known || s->patience > PATIENCE_MAX) s->patience = 0;
	return rc;
}

static int patience_change(struct session *s, int by)
{
	int now = s->patience + by;
	if (now < 0 || now > PATIENCE_MAX) return 0;
	s->patience = (uint8_t)now;
	return remember(s, "patience", &s->patience, sizeof(s->patience));
}

static int64_t silence_ms(const struct session *s)
{
	return (int64_t)s->c.timeout_ms << s->patience;
}

/* ---- cursors: ours on the peer's journal */

static int marks_save(struct session *s)
{
	return store_cursor_put(s->r->st, s->peer_origin, s->p.peer_run, s->marks, s->marks_count);
}

/* The cursor goes on under the peer's new run.  (A new journal begins with another rolling hash, so no cursor on the old
 * one is ever confirmed on it.) */
static int marks_load(struct session *s, uint64_t run, uint64_t last_run)
{
	struct mark *marks;
	size_t n = 0;
	int rc = store_cursor_get(s->r->st, run, &s->memory, &marks, &n);
	bool moved = !rc && !n && last_run;
	if (moved) rc = store_cursor_get(s->r->st, last_run, &s->memory, &marks, &n);
	s->marks_moved = moved;
	n = n > MARKS_MAX ? MARKS_MAX : n;
	if (!rc && n) memcpy(s->marks, marks, n * sizeof(*marks));
	s->marks_count = n;
	s->p.peer_run = run;
	if (!rc && moved && n) env_trace(s->r->env, "session: cursor goes on under a new run");
	return rc || !moved ? rc : marks_save(s);
}

/* Is this run another device's?  What came from it, and the cursor on it, are kept under a run's name: who could speak under
 * another's would move its cursor, and be sent its marks. */
static int run_taken(struct session *s, uint64_t run, bool *ret)
{
	static const uint8_t nobody[16];
	struct run_info info = {0};
	int rc = store_run_ord(s->r->st, run, &info.ord);
	if (!rc && info.ord) rc = store_run_get(s->r->st, info.ord, &info);
	*ret = !rc && info.ord && memcmp(info.origin, s->peer_origin, 16) != 0 &&
	       memcmp(info.origin, nobody, 16) != 0;
	return rc;
}

/* Child: WELCOME names the parent's run.  The cursor that HELLO told is the one that goes on: what comes is counted from it,
 * and one of another run may be an older one. */
static int marks_follow(struct session *s, uint64_t run, uint64_t last_run)
{
	bool moved = run != s->p.peer_run;
	if (!s->marks_count) return marks_load(s, run, last_run ? last_run : s->p.peer_run);
	s->p.peer_run = run;
	return moved ? marks_save(s) : 0;
}

static struct mark marks_newest(const struct session *s)
{
	return s->marks_count ? s->marks[s->marks_count - 1] : (struct mark){0};
}

/* Keeps up to 32 older cursors at doubling distances (architecture section 7). */
static void marks_thin(struct session *s)
{
	struct mark kept[MARKS_MAX];
	size_t n = 0;
	int64_t gap = 1, last = s->marks[s->marks_count - 1].pos;
	kept[n++] = s->marks[s->marks_count - 1];
	for (size_t i = s->marks_count - 1; i-- > 0 && n < MARKS_MAX;) {
		if (last - s->marks[i].pos < gap && s->marks[i].pos != 0) continue;
		kept[n++] = s->marks[i];
		gap *= 2;
	}
	for (size_t i = 0; i < n; i++) s->marks[i] = kept[n - 1 - i];
	s->marks_count = n;
}

static int marks_add(struct session *s, int64_t pos, const uint8_t rolling[ROLLING_BYTES],
                     const uint8_t filter[8])
{
	struct mark m = {.pos = pos};
	memcpy(m.rolling, rolling, ROLLING_BYTES);
	memcpy(m.filter, filter, 8);
	if (s->marks_count == MARKS_MAX) marks_thin(s);
	if (s->marks_count == MARKS_MAX) {
		memmove(&s->marks[1], &s->marks[2], (MARKS_MAX - 2) * sizeof(*s->marks));
		s->marks_count--;
	}
	s->marks[s->marks_count++] = m;
	marks_thin(s);
	return marks_save(s);
}

/* Is a peer's cursor on our journal true? */
static int confirm(struct session *s, const struct mark *m, bool *ret)
{
	uint8_t here[ROLLING_BYTES];
	*ret = m->pos == 0;
	if (m->pos <= 0) return 0;
	int rc = store_journal_rolling(s->r->st, m->pos, here);
	if (rc == 1) return 0;
	*ret = !rc && !memcmp(here, m->rolling, ROLLING_BYTES);
	return rc;
}

/* ---- sending */

/* A grant, cut to what we are ready to keep for a peer that does not read. */
static void grant(struct session *s, uint64_t credit)
{
	uint64_t most = s->data_out + CREDIT_MAX;
	credit = credit < most ? credit : most;
	if (credit > s->credit) s->credit = credit;
	if (!s->window) s->window = s->credit;
}

static void filter_key(const uint8_t id[8], char ret[64])
{
	char hex[17];
	hex_text(id, 8, hex);
	snprintf(ret, 64, "filter/%s", hex);
}

/* A filter is kept by its id, so that when it widens only what is new in it is sent. */
static int filter_keep(struct session *s)
{
	char key[64];
	filter_key(s->feed.id, key);
	return store_meta_put(s->r->st, key, span_of(&s->feed.filter, sizeof(s->feed.filter)));
}

static int filter_recall(struct session *s, const uint8_t id[8], bool *ret_known)
{
	char key[64];
	struct span m;
	filter_key(id, key);
	int rc = store_meta_get(s->r->st, key, &s->memory, &m);
	*ret_known = !rc && m.len == sizeof(s->old_feed.filter);
	if (*ret_known)
		memcpy(&s->old_feed.filter, m.p, m.len);
	else
		memset(&s->old_feed, 0, sizeof(s->old_feed));
	return rc;
}

static int acknowledged(struct session *s, int64_t pos)
{
	struct peer p;
	s->p.acked = pos;
	int rc = peer_load(s, &p);
	if (rc || p.acked == pos) return rc;
	p.acked = pos;
	return store_peer_put(s->r->st, &p);
}

/* Sending starts at a confirmed cursor; with another filter, first what the new one admits and the old did not. */
static int out_start(struct session *s, const struct mark *at)
{
	bool known;
	int rc = filter_keep(s);
	s->out_open = true;
	s->out_pos = s->out_last = at->pos;
	s->p.sent = at->pos;
	rc = rc ? rc
	        : acknowledged(s, at->pos); /* the cursor is the peer's own word of what it has */
	s->rescanning = false;
	if (rc || !at->pos || !memcmp(at->filter, s->feed.id, 8)) return rc;
	rc = filter_recall(s, at->filter, &known);
	env_trace(s->r->env, "session: another filter, %s", known ? "what is new in it" : "all");
	s->rescanning = true;
	s->rescan_until = at->pos;
	s->out_pos = 0;
	return rc;
}

/* Does this child know the device by now?  Certificates go down with their unit's scope and the scopes above it; who speaks
 * of another unit's scope comes with his certificate and those between him and us, or his word would end the child's link. */
static int introduce_one(struct session *s, struct session_actions *a, uint32_t scope,
                         const uint8_t origin[16])
{
	struct message m = {.type = MSG_CERT};
	struct cert_row *chain[CERT_CHAIN_MAX];
	size_t n = 0;
	uint32_t unit;
	int rc = store_cert_by_origin(s->r->st, origin, &s->memory, &chain[0]);
	if (rc || !chain[0]) return rc;
	rc = store_scope_ord(s->r->st, chain[0]->unit, true, &unit);
	for (unsigned depth = 0; !rc && scope && depth < 12; depth++) {
		struct scope at;
		if (scope == unit) return 0;
		rc = store_scope_get(s->r->st, scope, &at);
		scope = rc ? 0 : at.parent;
	}
	if (rc || unit == s->r->own_scope || !memcmp(origin, s->peer_origin, 16)) return rc;
	for (bool above = false; !rc && !above && chain[n] && n + 1 < CERT_CHAIN_MAX;) {
		bool ours = replica_is_own(s->r, chain[n]->issuer);
		rc = ours ? 0
		          : store_cert_by_id(s->r->st, chain[n]->issuer, &s->memory, &chain[n + 1]);
		n++;
		/* Our own chain is the child's as well. */
		if (!rc && !ours && chain[n])
			rc = engine_stands_above(s->r, chain[n]->origin, &s->r->cert, &above);
		if (ours || !chain[n]) break;
	}
	while (n-- > 0 && !rc) {
		m.cert = (struct msg_cert){.session = s->nonce, .cert = chain[n]->body};
		send_message(s, a, &m, FRAME_CONTROL);
		env_trace(s->r->env, "session: introduced an author");
	}
	return rc;
}

static int introduce(struct session *s, struct session_actions *a, const struct entry *e)
{
	struct hole h;
	uint8_t hash[32], sign[64];
	if (!replica_is_parent_of(s->r, &s->c.peer)) return 0;
	if (e->kind != ENTRY_SEGMENT && e->kind != ENTRY_ADMISSION && e->kind != ENTRY_HOLE &&
	    e->kind != ENTRY_REVOKE)
		return 0;
	int rc = introduce_one(s, a, e->scope, e->origin);
	if (!rc && e->kind == ENTRY_HOLE && !hole_open(e->head, &h, hash, sign, &s->r->err))
		rc = introduce_one(s, a, e->scope, h.remover);
	return rc;
}

/* at: the position that the receiver has once it has this. */
static int send_entry(struct session *s, struct session_actions *a, const struct entry *e,
                      int64_t at)
{
	struct message m = {.type = MSG_DATA};
	m.data = (struct msg_data){.session = s->nonce,
	                           .number = ++s->out_number,
	                           .pos = at,
	                           .kind = e->kind,
	                           .head = e->head,
	                           .body = e->body};
	int rc = store_journal_rolling(s->r->st, at, m.data.rolling);
	if (rc) return rc < 0 ? rc : -ERR_STORAGE;
	rc = introduce(s, a, e);
	if (rc) return rc;
	size_t len = send_message(s, a, &m, FRAME_BULK);
	s->data_out += len;
	s->out_last = at;
	s->out_told = false;
	s->p.sent = e->recv;
	s->p.entries_out++;
	return 0;
}

/* Everything is sent: the cursor may move over what the filter left out. */
static int tell_place(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_PLACE};
	m.place = (struct msg_place){.session = s->nonce};
	int rc = store_journal_head(s->r->st, &m.place.mark.pos, m.place.mark.rolling);
	bool moved = s->p.entries_out && m.place.mark.pos != s->out_last;
	if (rc || s->out_told || (!moved && !s->place_due)) {
		s->out_told = true;
		return rc;
	}
	s->place_due = false;
	memcpy(m.place.mark.filter, s->feed.id, 8);
	s->out_last = s->out_pos = m.place.mark.pos;
	s->out_told = true;
	m.place.number = ++s->out_number;
	send_message(s, a, &m, FRAME_BULK); /* never past the DATA before it */
	return 0;
}

/* What was damaged when its turn came, and no longer is. */
static int send_owed(struct session *s, struct session_actions *a)
{
	int64_t list[OWED_MAX];
	size_t n;
	int rc = owed_list(s->r, &s->c.peer, list, &n);
	for (size_t i = 0; i < n && !rc && s->data_out < s->credit; i++) {
		struct entry *e = NULL;
		bool sent = list[i] > s->out_pos || s->owed_sent_count == OWED_MAX;
		for (size_t k = 0; k < s->owed_sent_count && !sent; k++)
			sent = s->owed_sent[k] == list[i];
		if (sent) continue;
		rc = store_journal_get(s->r->st, list[i], &s->memory, &e);
		if (rc || (e && feed_admits(&s->feed, e) && !entry_sound(e))) continue;
		s->owed_sent[s->owed_sent_count++] = list[i];
		if (!e || !feed_admits(&s->feed, e)) continue;
		env_trace(s->r->env, "session: what was damaged and is mended goes out");
		rc = send_entry(s, a, e, s->out_pos);
		s->owed_bytes = s->data_out;
	}
	return rc;
}

static int pump(struct session *s, struct session_actions *a)
{
	size_t frames = 0, bytes = 0;
	bool more = s->state == SESSION_OPEN && s->out_open;
	while (more && frames < PUMP_FRAMES_MAX && bytes < PUMP_BYTES_MAX) {
		struct entry *entries;
		size_t n;
		int rc = store_journal_scan(s->r->st, &s->feed.filter, s->out_pos, 16,
		                            PUMP_BYTES_MAX / 4, &s->memory, &entries, &n);
		if (rc) return rc;
		if (s->rescanning && (!n || entries[0].recv > s->rescan_until)) {
			env_trace(s->r->env, "session: filter caught up with");
			s->rescanning = false;
			s->place_due = true;
			s->out_pos = s->rescan_until;
			continue;
		}
		if (!n) {
			rc = send_owed(s, a);
			return rc ? rc : tell_place(s, a);
		}
		for (size_t i = 0; i < n && more; i++) {
			const struct entry *e = &entries[i];
			if (s->rescanning && e->recv > s->rescan_until) break;
			if (s->rescanning && feed_admits(&s->old_feed, e)) {
				s->out_pos = e->recv;
				continue;
			}
			if (!entry_sound(
			            e)) { /* the peer would end the session; it is named, and wanted back */
				rc = repair_entry_damaged(s->r, e);
				rc = rc ? rc : owed_note(s->r, &s->c.peer, e->recv);
				if (rc) return rc;
				s->out_pos = e->recv;
				continue;
			}
			size_t need = e->head.len + e->body.len + DATA_OVERHEAD;
			if (s->data_out >= s->credit) { /* credit is leave to begin a message */
				env_trace(s->r->env, "session: credit used up");
				more = false;
				break;
			}
			/* While a widened filter is caught up with, the receiver's cursor stays where it is. */
			rc = send_entry(s, a, e, s->rescanning ? s->rescan_until : e->recv);
			if (rc) return rc;
			s->out_pos = e->recv;
			frames++;
			bytes += need;
		}
	}
	if (more) a->due_ms = 1; /* at once: there is more to send */
	return 0;
}

/* ---- agreement */

static int digest_now(struct session *s, uint8_t ret[16])
{
	return replica_digest(s->r, &s->c.peer, ret);
}

static int out_done(struct session *s, bool *ret)
{
	int64_t count, bytes;
	*ret = s->out_open && !s->rescanning && s->out_told && s->p.acked >= s->out_last;
	int rc = store_tail_size(s->r->st, &count, &bytes);
	*ret = *ret && count == 0;
	return rc;
}

/* We are as we were before we were restored when everyone who found us so agrees again. */
static int settle_restored(struct session *s)
{
	struct peer *peers;
	size_t n = 0;
	int rc = s->r->s.restored ? store_peers(s->r->st, &s->memory, &peers, &n) : 0;
	if (rc || !s->r->s.restored) return rc;
	for (size_t i = 0; i < n; i++)
		if (peers[i].restored) return 0;
	env_trace(s->r->env, "session: restored, and all is home");
	s->r->s.restored = false;
	return 0;
}

static int agreed_now(struct session *s)
{
	struct peer p;
	int rc = peer_load(s, &p);
	if (rc) return rc;
	p.agreed_ms = p.last_contact_ms = wall_ms(s);
	memcpy(p.state, s->heard_state, 16);
	bool was = p.restored;
	p.restored = false; /* all has come home */
	rc = store_peer_put(s->r->st, &p);
	if (!rc && was) rc = settle_restored(s);
	return rc || s->c.parent ? rc : repair_agreed(s->r);
}

/* Digests are comparable when nothing is on its way and nothing is held back; then one that differs is looked into. */
static int look_into(struct session *s, const uint8_t own[16], bool *ret_begun)
{
	int64_t waiting = 0, parked = 0;
	*ret_begun = false;
	if (!s->descent || s->c.parent || !s->heard_idle || !s->heard_fresh ||
	    s->heard_acked < s->out_last || s->heard.parked || s->heard.unapplied)
		return 0;
	int rc = store_waiting_count(s->r->st, &waiting);
	if (!rc && !replica_is_hub(s->r)) rc = store_parked_count(s->r->st, &parked);
	return rc || waiting || parked ? rc
	                               : descent_begin(s->descent, own, s->heard_state, ret_begun);
}

static int held_for_peer(struct session *s, struct msg_state *ret)
{
	uint32_t ord;
	struct scope unit;
	int rc = 0;
	if (!s->c.parent) return 0;
	rc = store_scope_ord(s->r->st, s->c.peer.unit, true, &ord);
	rc = rc ? rc : store_scope_get(s->r->st, ord, &unit);
	return rc ? rc : store_held_counts(s->r->st, unit.feed, &ret->parked, &ret->refused);
}

/* Adds to what this child used; s->over says whether that was too much. */
static int quota_count(struct session *s, uint64_t bytes, uint64_t runs)
{
	struct msg_state held = {0};
	int rc = s->c.quota.parked ? held_for_peer(s, &held) : 0;
	return rc ? rc
	          : quota_add(s->r, &s->c.quota, s->peer_origin, s->c.peer.role == CERT_HUB, bytes,
	                      runs, (uint64_t)held.parked, &s->over);
}

/* What a parent does not give, or does not know yet: enum state_unapplied. */
static int state_unsaid(struct session *s, unsigned *ret)
{
	bool placed = true;
	int rc = engine_withheld(s->r, &s->c.peer, ret);
	if (rc || *ret != STATE_ALL) return rc;
	rc = replica_place_known(s->r, &placed);
	*ret = placed ? STATE_ALL : STATE_PLACE_UNKNOWN;
	return rc;
}

/* In this run the parent has given all that it had for us: what we issued before our disk went back, too. */
static int note_given_back(struct session *s)
{
	uint64_t run = 0;
	struct span m;
	if (!replica_is_hub(s->r)) return 0;
	int rc = store_meta_get(s->r->st, "given_back", &s->memory, &m);
	if (!rc && m.len == sizeof(run)) memcpy(&run, m.p, sizeof(run));
	if (rc || run == s->r->s.run) return rc;
	return store_meta_put(s->r->st, "given_back", span_of(&s->r->s.run, sizeof(run)));
}

static bool says_the_same(const struct msg_state *a, const struct msg_state *b)
{
	return !memcmp(a->state, b->state, 16) && a->acked == b->acked &&
	       a->unapplied == b->unapplied && a->parked == b->parked && a->refused == b->refused;
}

/* Says how things stand when we are idle and what we last said is no longer so. */
static int tell_state(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_STATE};
	uint8_t rolling[ROLLING_BYTES];
	int64_t head;
	bool done;
	if (s->state != SESSION_OPEN) return 0;
	int rc = out_done(s, &done);
	rc = rc ? rc : store_journal_head(s->r->st, &head, rolling);
	if (rc) return rc;
	s->p.to_send = head;
	unsigned unsaid =
	        STATE_ALL; /* all that is here is applied; not all that is to come, or to be given */
	if (done && s->r->s.applied >= head) rc = state_unsaid(s, &unsaid);
	if (rc) return rc;
	s->p.idle = done && s->r->s.applied >= head && !s->renewing &&
	            !(s->descent && descent_busy(s->descent));
	if (!s->p.idle) {
		s->p.agreed = false;
		return 0;
	}
	if (s->heard_idle && s->heard_acked >= s->out_last && !s->eased) {
		s->eased = true;
		rc = patience_change(s, -1);
		if (rc) return rc;
	}
	m.state = (struct msg_state){.session = s->nonce,
	                             .acked = marks_newest(s).pos,
	                             .unapplied = unsaid,
	                             .idle = true};
	rc = digest_now(s, m.state.state);
	rc = rc ? rc : held_for_peer(s, &m.state);
	if (rc) return rc;
	if (s->heard_idle && !s->c.parent) rc = note_given_back(s);
	if (rc) return rc;
	bool agreed = !memcmp(m.state.state, s->heard_state, 16) && unsaid == STATE_ALL &&
	              !s->heard.unapplied && (s->c.parent || s->heard_idle);
	if (agreed && !s->p.agreed) rc = agreed_now(s);
	s->p.agreed = agreed;
	bool begun = false;
	if (!rc && memcmp(m.state.state, s->heard_state, 16) != 0)
		rc = look_into(s, m.state.state, &begun);
	if (rc || begun) {
		s->looked = true;
		s->p.idle = false;
		return rc;
	}
	if (s->said_idle && says_the_same(&m.state, &s->said)) return rc;
	s->said = m.state;
	s->said_idle = true;
	/* Behind the DATA it speaks of, or the peer would leave before that arrives. */
	send_message(s, a, &m, FRAME_BULK);
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
		send_message(s, a, &m, FRAME_BULK);
	else
		env_trace(s->r->env, "session: nothing to do");
	return close_with(s, a, 0);
}

/* ---- greeting */

/* Its state is kept as it says it, equal or not: what agreed before is no agreement at this contact. */
static int greet_peer(struct session *s, int64_t clock_ms, uint32_t schema, uint16_t protocol,
                      const uint8_t state[16], const struct msg_welcome *w)
{
	struct peer p;
	int rc = peer_load(s, &p);
	p.run = s->p.peer_run;
	p.last_contact_ms = wall_ms(s);
	/* A peer may say any time at all. */
	p.clock_offset_ms = s->p.clock_offset_ms =
	        (int64_t)((uint64_t)clock_ms - (uint64_t)s->r->env->now_ms(s->r->env->ctx));
	p.schema_version = schema;
	p.protocol = protocol;
	memcpy(p.state, state, 16);
	if (w) { /* what a hub says that has more for us, or more to apply, is not its last word */
		p.unapplied = !w->idle;
		if (!w->unsettled) p.parked = p.refused = 0;
		if (w->unsettled && !p.parked && !p.refused) p.parked = 1;
	}
	static const uint8_t none[16];
	rc = rc ? rc : store_run_add(s->r->st, s->p.peer_run, s->peer_origin, none, &s->peer_ord);
	return rc ? rc : store_peer_put(s->r->st, &p);
}

/* It takes its run for new to us, and we had heard of it: it may have gone back under it. */
static bool may_be_back(const struct session *s)
{
	return s->peer_last != s->p.peer_run && s->marks_count && !s->marks_moved;
}

/* Whose run of now may be one that it lost is sent what came from that run too: its cursor passes all that is left out. */
static int feed_now(struct session *s, struct feed *ret)
{
	bool back = s->c.parent && may_be_back(s);
	return feed_for(s->r, &s->c.peer, back ? 0 : s->peer_ord, ret);
}

static int open_feed(struct session *s)
{
	s->feeds_seen = s->r->feeds_changed;
	return feed_now(s, &s->feed);
}

static int begin_work(struct session *s)
{
	bool sealed;
	int rc = replica_correct(s->r);
	return rc ? rc : replica_seal(s->r, &sealed);
}

/* ---- copies (copies.h) */

static int refuse_later(struct session *s, struct session_actions *a, int code)
{
	struct message m = {.type = MSG_REFUSE};
	m.refuse = (struct msg_refuse){.session = s->nonce,
	                               .code = code,
	                               .retry_after_s = STOPPED_RETRY_S,
	                               .protocol_min = s->c.protocol_min,
	                               .protocol_max = s->c.protocol_max};
	s->p.refused_code = code;
	send_message(s, a, &m, FRAME_CONTROL);
	a->retry_after_s = STOPPED_RETRY_S;
	return close_with(s, a, code);
}

static void say_named(struct session *s, struct session_actions *a, uint64_t session,
                      const uint8_t statement[NAMED_BYTES])
{
	struct message m = {.type = MSG_NAMED};
	m.named = (struct msg_named){.session = session,
	                             .statement = span_of(statement, NAMED_BYTES)};
	send_message(s, a, &m, FRAME_CONTROL);
}

/* A peer tells that it met another copy of us.  What it knew before it heard whom a person had named counts nothing: it is
 * believed once it has asked for our statement and come again without saying so. */
static int told_of_other(struct session *s, uint64_t other, uint64_t survivor)
{
	struct own_copies own;
	struct {
		uint64_t survivor, quiet;
	} heard;
	bool known;
	int rc = replica_own_copies(s->r, &own);
	if (!rc && other && survivor < own.survivor)
		return 0; /* it has not heard whom a person named */
	if (!rc && own.survivor) {
		rc = recall(s, "named", &heard, sizeof(heard), &known);
		known = known && heard.survivor == own.survivor;
		if (!rc && known && !other && !heard.quiet) {
			heard.quiet = 1;
			rc = remember(s, "named", &heard, sizeof(heard));
		}
		if (rc || !known || !heard.quiet) return rc;
	}
	/* At a node the hub that told it also tells its end; a hub goes on when a person has spoken. */
	bool over = !other && own.copied_ms && !replica_is_hub(s->r) &&
	            !memcmp(own.told_by, s->peer_origin, 16);
	if (rc || (!other && !over) || (other && own.copied_ms)) return rc;
	own.copied_ms = over ? 0 : wall_ms(s);
	own.other = other;
	memcpy(own.told_by, s->peer_origin, 16);
	env_trace(s->r->env, over ? "copies: the other is gone" : "copies: another of us is alive");
	return replica_own_copies_keep(s->r, &own);
}

/* The peer's run comes.  *ret_two: just now it is known that two are alive. */
static int meet(struct session *s, struct copies *c, bool sure, bool *ret_two)
{
	bool changed;
	*ret_two =
	        copies_meet(c, s->p.peer_run, s->peer_last, wall_ms(s), sure, &s->doubt, &changed);
	if (*ret_two) env_trace(s->r->env, "copies: two of the peer are alive");
	if (*ret_two && s->c.parent) {
		int rc = engine_hold(s->r, s->peer_origin);
		if (rc) return rc;
	}
	if (changed) s->r->met_changed++;
	return changed ? replica_copies_keep(s->r, s->peer_origin, c) : 0;
}

/* A run of the peer beside the present one that is alive; 0: none is known. */
static uint64_t other_of(const struct copies *c)
{
	if (!c->copied_ms) return 0;
	return c->lines_count > 1 ? c->lines[1].tip : c->lines[0].tip;
}

/* Parent: the peer has answered; what was in doubt about its run is so. */
static int dispel_doubt(struct session *s, struct session_actions *a)
{
	struct copies c;
	bool two;
	int rc = replica_copies(s->r, s->peer_origin, &c);
	if (rc) return rc;
	/* An answer proves that its run was alive when WELCOME went out.  If another was met since, it may have been before that one
	 * began: what is alive greets again. */
	if (c.lines_count && c.lines[0].tip != s->met_before) return refuse(s, a, ERR_BUSY);
	rc = meet(s, &c, /* sure= */ true, &two);
	s->doubt = false;
	return rc || !two ? rc : refuse(s, a, ERR_BUSY); /* it greets again, and is told */
}

/* Parent: another run of this peer came while this session was open.  Is this one alive as well?  It greets again if it is,
 * and is told what there is to tell; nothing is believed of a session that may only be late. */
static int look_at_met(struct session *s, struct session_actions *a)
{
	struct copies c;
	if (!s->c.parent || s->state != SESSION_OPEN || s->doubt ||
	    s->met_seen == s->r->met_changed)
		return 0;
	s->met_seen = s->r->met_changed;
	int rc = replica_copies(s->r, s->peer_origin, &c);
	if (rc || !c.lines_count) return rc;
	bool left = c.lines[0].tip != s->p.peer_run && !c.copied_ms;
	return left || (c.copied_ms && !s->told_other) ? refuse(s, a, ERR_BUSY) : 0;
}

static int on_ask_named(struct session *s, struct session_actions *a)
{
	struct own_copies own;
	int rc = replica_own_copies(s->r, &own);
	if (rc || !own.survivor) return rc;
	uint64_t told[2] = {own.survivor, 0};
	say_named(s, a, s->nonce, own.statement);
	return remember(s, "named", told, sizeof(told));
}

static int ask_named(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_ASK};
	m.ask = (struct msg_ask){.session = s->nonce, .what = ASK_NAMED};
	s->named_asked = s->named_due = true;
	send_message(s, a, &m, FRAME_CONTROL);
	return 0;
}

/* The peer's statement, or the statement of a copy of ours that is not this one. */
static int on_named(struct session *s, const struct msg_named *n, struct session_actions *a)
{
	uint8_t origin[16];
	uint64_t number;
	struct copies c;
	struct own_copies own;
	if (n->statement.len != NAMED_BYTES) return refuse(s, a, ERR_PROTOCOL);
	bool ours = !memcmp(n->statement.p + 5, s->r->id->origin, 16);
	if (named_open(n->statement, ours ? s->r->id->sign_public : s->c.peer.origin_key, origin,
	               &number, NULL))
		return refuse(s, a, ERR_SIGNATURE);
	if (ours) {
		int rc = replica_own_copies(s->r, &own);
		if (rc || number <= own.survivor || number <= own.aside) return rc;
		own.aside = number;
		own.aside_ms = wall_ms(s);
		env_trace(s->r->env, "copies: we were set aside");
		return replica_own_copies_keep(s->r, &own);
	}
	if (memcmp(origin, s->peer_origin, 16) != 0) return refuse(s, a, ERR_SIGNATURE);
	s->named_due = false;
	int rc = replica_copies(s->r, s->peer_origin, &c);
	if (rc || number <= c.survivor) return rc;
	c.survivor = number;
	memcpy(c.statement, n->statement.p, NAMED_BYTES);
	copies_collapse(&c);
	return replica_copies_keep(s->r, s->peer_origin, &c);
}

static int say_hello(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_HELLO};
	struct msg_hello *h = &m.hello;
	struct peer p;
	int rc = begin_work(s);
	rc = rc ? rc : peer_load(s, &p);
	s->p.peer_run = rc ? 0 : p.run;
	if (!rc && s->p.peer_run) {
		rc = marks_load(s, s->p.peer_run, 0);
		rc = rc ? rc : store_run_ord(s->r->st, s->p.peer_run, &s->peer_ord);
	}
	rc = rc ? rc : last_own_run(s, &h->last_run);
	rc = rc ? rc : open_feed(s);
	rc = rc ? rc : digest_now(s, h->state);
	uint8_t told_filter[8];
	bool told = false;
	rc = rc ? rc : recall(s, "told", told_filter, sizeof(told_filter), &told);
	if (rc) return rc;
	h->protocol_min = s->c.protocol_min;
	h->protocol_max = s->c.protocol_max;
	h->run = s->r->s.run;
	memcpy(h->cert, s->r->cert.id, 8);
	struct copies met;
	struct own_copies own;
	rc = replica_copies(s->r, s->peer_origin, &met);
	rc = rc ? rc : replica_own_copies(s->r, &own);
	if (rc) return rc;
	h->other = other_of(&met);
	h->survivor = own.survivor;
	h->schema_version = s->c.schema_version;
	h->cursor.mark = marks_newest(s);
	memcpy(s->hello_filter, h->cursor.mark.filter, 8);
	s->hello_last_run = h->last_run;
	if (!told || memcmp(told_filter, s->feed.id, 8) != 0) memcpy(h->filter, s->feed.id, 8);
	h->clock_ms = s->r->env->now_ms(s->r->env->ctx);
	s->in_granted = s->c.credit_window;
	h->credit = s->in_granted == CREDIT_DEFAULT ? 0 : s->in_granted;
	s->r->env->random(s->r->env->ctx, &s->hello_nonce, sizeof(s->hello_nonce));
	s->hello_nonce |= 1; /* 0 means none */
	h->nonce = s->hello_nonce;
	memcpy(s->said.state, h->state, 16);
	s->said.acked = h->cursor.mark.pos;
	s->state = SESSION_GREETED;
	send_message(s, a, &m, FRAME_CONTROL);
	return 0;
}

static void ask_run(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_ASK};
	m.ask = (struct msg_ask){.session = s->nonce, .what = ASK_RUN};
	for (size_t i = 0; i < 8; i++) m.ask.id[i] = (uint8_t)(s->p.peer_run >> (8 * i));
	send_message(s, a, &m, FRAME_CONTROL);
}

static int send_marks(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_MARKS};
	m.marks.session = s->nonce;
	m.marks.count = s->marks_count;
	memcpy(m.marks.marks, s->marks, s->marks_count * sizeof(*s->marks));
	send_message(s, a, &m, FRAME_CONTROL);
	return 0;
}

static int note_restored(struct session *s)
{
	struct peer p;
	int rc = peer_load(s, &p);
	struct copies c;
	p.restored = true;
	rc = rc ? rc : store_peer_put(s->r->st, &p);
	rc = rc ? rc : replica_copies(s->r, s->peer_origin, &c);
	c.back_ms = wall_ms(s);
	return rc ? rc : replica_copies_keep(s->r, s->peer_origin, &c);
}

/*
 * Our journal went back under the present run.  As a rule the witness shows that a disk was restored, and the present run
 * began after that.  A machine image that was resumed with nothing to show it goes on under a run that peers have heard more
 * of; what they keep as coming from this run would never come home.  So another run is drawn, and the session begins anew.
 */
static int went_back(struct session *s, struct session_actions *a)
{
	env_trace(s->r->env, "session: went back under a running run");
	int rc = engine_went_back(s->r);
	return rc ? rc : refuse(s, a, ERR_BUSY);
}

/* A cursor on us that we do not know was heard under our present run, says the peer.  Believed once for each run: its word
 * costs us all our sessions. */
static int on_ask_run(struct session *s, const struct msg_ask *k, struct session_actions *a)
{
	uint64_t said, found = 0;
	struct span m;
	struct cut c = cut_of(span_of(k->id, sizeof(k->id)));
	said = cut_u64(&c);
	int rc = store_meta_get(s->r->st, "back", &s->memory, &m);
	if (!rc && m.len == sizeof(found)) memcpy(&found, m.p, sizeof(found));
	return rc || said != s->r->s.run || found == s->r->s.run ? rc : went_back(s, a);
}

/* Is there nothing to send from this cursor on, and nothing here that is not yet applied? */
static int nothing_for(struct session *s, const struct mark *at, bool *ret)
{
	struct entry *entries;
	uint8_t rolling[ROLLING_BYTES];
	int64_t head;
	size_t n;
	int rc = store_journal_head(s->r->st, &head, rolling);
	rc = rc ? rc
	        : store_journal_scan(s->r->st, &s->feed.filter, at->pos, 1, 1, &s->memory, &entries,
	                             &n);
	*ret = !rc && !n && head == s->r->s.applied && !memcmp(at->filter, s->feed.id, 8);
	unsigned unsaid = STATE_ALL;
	if (*ret) rc = state_unsaid(s, &unsaid);
	*ret = *ret && unsaid == STATE_ALL;
	return rc;
}

/* Parent: the child's place in our journal is before what it had acknowledged, so its disk is one of before. */
static int forgot_ours(struct session *s, int64_t pos)
{
	struct peer p;
	int rc = peer_load(s, &p);
	if (rc || pos >= p.acked || !s->r->hold) return rc;
	p.acked = pos; /* said once */
	rc = store_peer_put(s->r->st, &p);
	return rc ? rc : engine_hold(s->r, s->peer_origin);
}

/* Parent: HELLO names another certificate than the newest that we know for the key of the link.  One that was renewed since, or
 * one that we gave before our own disk went back and that comes home with the child's journal: who it is says the link.
 * Another device's: a mistake. */
static int look_at_cert(struct session *s, const uint8_t id[8], bool *ret_foreign)
{
	struct cert_row *certs;
	size_t n = 0;
	*ret_foreign = false;
	if (!memcmp(id, s->c.peer.id, 8)) return 0;
	int rc = store_certs(s->r->st, &s->memory, &certs, &n);
	for (size_t i = 0; i < n && !rc; i++)
		if (!memcmp(certs[i].id, id, 8))
			*ret_foreign = memcmp(certs[i].origin, s->peer_origin, 16) != 0;
	return rc;
}

/* Parent: the child is there. */
/* NOLINTNEXTLINE(readability-function-cognitive-complexity): the checks and steps of one greeting, in their order */
static int on_hello(struct session *s, const struct msg_hello *h, struct session_actions *a)
{
	struct message m = {.type = MSG_WELCOME};
	struct msg_welcome *w = &m.welcome;
	if (!s->c.parent || s->state != SESSION_NEW) return refuse(s, a, ERR_PROTOCOL);
	if (h->protocol_min > s->c.protocol_max || h->protocol_max < s->c.protocol_min)
		return refuse(s, a, ERR_VERSION);
	bool foreign, taken, last_taken = false;
	int rc = look_at_cert(s, h->cert, &foreign);
	if (!rc && foreign) return refuse(s, a, ERR_CERT_BAD);
	rc = rc ? rc : run_taken(s, h->run, &taken);
	if (!rc && h->last_run) rc = run_taken(s, h->last_run, &last_taken);
	if (rc) return rc;
	if (taken || last_taken || h->run <= RUN_NOBODY || h->run > RUN_MASK ||
	    h->last_run > RUN_MASK)
		return refuse(s, a, ERR_PROTOCOL);
	s->hello_nonce = h->nonce;
	struct copies met;
	struct own_copies own;
	bool two = false;
	rc = replica_copies(s->r, s->peer_origin, &met);
	rc = rc ? rc : told_of_other(s, h->other, h->survivor);
	rc = rc ? rc : replica_own_copies(s->r, &own);
	if (rc) return rc;
	if (met.survivor >
	    h->survivor) { /* one that was set aside: what it holds is handed in as a file */
		say_named(s, a, h->nonce, met.statement);
		return refuse_later(s, a, ERR_SET_ASIDE);
	}
	if (replica_stopped(s->r)) return refuse_later(s, a, replica_stopped(s->r));
	s->p.peer_run = h->run;
	s->peer_last = h->last_run;
	uint32_t run_known = 0;
	rc = store_run_ord(s->r->st, h->run, &run_known);
	bool new_run = !run_known;
	rc = rc ? rc : meet(s, &met, /* sure= */ false, &two);
	s->met_before = met.lines_count ? met.lines[0].tip : 0;
	rc = rc ? rc : patience_recall(s);
	rc = rc ? rc : begin_work(s);
	rc = rc ? rc : marks_load(s, h->run, h->last_run);
	rc = rc ? rc
	        : greet_peer(s, h->clock_ms, h->schema_version,
	                     s->c.protocol_max < h->protocol_max ? s->c.protocol_max
	                                                         : h->protocol_max,
	                     h->state, /* w= */ NULL);
	rc = rc ? rc : last_own_run(s, &w->last_run);
	rc = rc ? rc : keep_own_run(s);
	rc = rc ? rc : confirm(s, &h->cursor.mark, &w->confirmed);
	if (!rc && w->confirmed) rc = forgot_ours(s, h->cursor.mark.pos);
	rc = rc ? rc : open_feed(s);
	rc = rc ? rc : digest_now(s, w->state);
	if (rc) return rc;
	s->nonce = h->nonce;
	w->protocol = s->c.protocol_max < h->protocol_max ? s->c.protocol_max : h->protocol_max;
	w->run = s->r->s.run;
	w->other = other_of(&met);
	s->told_other = w->other != 0;
	s->met_seen = s->r->met_changed;
	w->survivor = own.survivor;
	w->schema_version = s->c.schema_version;
	w->cursor.mark = marks_newest(s);
	if (memcmp(h->cursor.mark.filter, s->feed.id, 8) != 0) memcpy(w->filter, s->feed.id, 8);
	w->clock_ms = s->r->env->now_ms(s->r->env->ctx);
	w->session = s->nonce;
	s->in_granted = s->c.credit_window;
	w->credit = s->in_granted == CREDIT_DEFAULT ? 0 : s->in_granted;
	struct msg_state held = {0};
	rc = held_for_peer(s, &held);
	w->unsettled = held.parked || held.refused;
	rc = rc ? rc : quota_count(s, /* bytes= */ 0, /* runs= */ new_run);
	if (rc) return rc;
	if (s->over) s->in_granted = w->credit = 1; /* leave to show that there is something */
	grant(s, h->credit ? h->credit : CREDIT_DEFAULT);
	static const uint8_t as_before[8];
	memcpy(s->in_filter,
	       memcmp(h->filter, as_before, 8) != 0 ? h->filter : marks_newest(s).filter, 8);
	memcpy(s->heard_state, h->state, 16);
	memcpy(s->said.state, w->state, 16);
	s->said.acked = w->cursor.mark.pos;
	s->said.parked = held.parked;
	s->said.refused = held.refused;
	s->in_open = true;
	s->state = SESSION_OPEN;
	open_descent(s, w->protocol);
	/* Whoever is in doubt has to answer. */
	rc = w->confirmed && !s->doubt ? nothing_for(s, &h->cursor.mark, &w->idle) : 0;
	bool wants = false;
	if (!rc && s->descent)
		rc = descent_wants(s->r, &s->c.peer, memcmp(w->state, h->state, 16) != 0, &wants);
	w->idle = w->idle && !wants;
	s->said_idle = w->idle &&
	               !memcmp(w->state, h->state, 16); /* WELCOME has said all there is to say */
	if (rc) return rc;
	send_message(s, a, &m, FRAME_CONTROL);
	rc = met.survivor < h->survivor ? ask_named(s, a) : 0;
	if (rc || w->confirmed) return rc ? rc : out_start(s, &h->cursor.mark);
	env_trace(s->r->env, "session: cursor not confirmed, the child's");
	s->r->s.restored = true; /* our journal went back */
	return note_restored(s);
}

/* The filter that the parent's cursor knows us by: HELLO need not repeat it. */
static int remember_filter(struct session *s, const uint8_t filter[8])
{
	uint8_t was[8];
	bool known;
	int rc = recall(s, "told", was, sizeof(was), &known);
	return rc || (known && !memcmp(was, filter, 8)) ? rc : remember(s, "told", filter, 8);
}

/* Was this asked for in vain not a day ago?  One that has run out asks each time. */
static int asked_lately(struct session *s, const char *endpoint, int64_t now_ms, bool *ret)
{
	struct {
		uint8_t what[16]; /* certificate and address */
		int64_t at_ms;
	} asked = {0}, before;
	struct hash h;
	hash_begin(&h, 16);
	hash_add(&h, s->r->cert.id, 16);
	hash_add(&h, endpoint, strlen(endpoint));
	hash_end(&h, asked.what, 16);
	asked.at_ms = now_ms;
	int rc = recall(s, "renew", &before, sizeof(before), ret);
	*ret = *ret && !memcmp(before.what, asked.what, 16) && now_ms >= before.at_ms &&
	       now_ms - before.at_ms < RENEW_AGAIN_MS && now_ms <= s->r->cert.not_after_ms;
	return rc || *ret ? rc : remember(s, "renew", &asked, sizeof(asked));
}

/* Whether it is time tells the parent's clock, who is the one to renew it; ours may be wrong by years. */
static int ask_renewal(struct session *s, const struct msg_welcome *w, struct session_actions *a)
{
	struct message m = {.type = MSG_RENEW};
	const struct cert *own = &s->r->cert;
	const char *endpoint = own->role == CERT_HUB && s->c.endpoint ? s->c.endpoint : "";
	bool lately;
	if (w->protocol < PROTOCOL_RENEW || strlen(endpoint) >= sizeof(m.renew.endpoint)) return 0;
	bool moved = endpoint[0] && strcmp(endpoint, own->endpoint) != 0;
	if (!moved && !engine_cert_due(own, w->clock_ms)) return 0;
	int rc = asked_lately(s, endpoint, w->clock_ms, &lately);
	if (rc || lately) return rc;
	m.renew.session = s->nonce;
	snprintf(m.renew.endpoint, sizeof(m.renew.endpoint), "%s", endpoint);
	send_message(s, a, &m, FRAME_CONTROL);
	s->renewing = true;
	return 0;
}

/* Parent: answered with the newest certificate that there is, and before it with our own chain, which may be new as well. */
static int on_renew(struct session *s, const struct msg_renew *m, struct session_actions *a)
{
	struct message out = {.type = MSG_CERT};
	struct span chain[CERT_CHAIN_MAX], newest, issuer;
	size_t n = 0;
	if (!s->c.parent || s->renewed) return refuse(s, a, ERR_PROTOCOL);
	s->renewed = true;
	int rc = replica_renew(s->r, s->peer_origin, m->endpoint, &s->memory, &newest);
	rc = rc ? rc : replica_chain(s->r, &s->memory, chain, &n);
	while (!rc && n-- > 0) {
		out.cert = (struct msg_cert){.session = s->nonce, .cert = chain[n]};
		send_message(s, a, &out, FRAME_CONTROL);
	}
	/* It may be of before we were renewed ourselves: then what issued it is not in our chain. */
	rc = rc ? rc : replica_issuer(s->r, newest, &s->memory, &issuer);
	if (!rc && issuer.len) {
		out.cert = (struct msg_cert){.session = s->nonce, .cert = issuer};
		send_message(s, a, &out, FRAME_CONTROL);
	}
	out.cert = (struct msg_cert){.session = s->nonce, .cert = newest};
	if (!rc) send_message(s, a, &out, FRAME_CONTROL);
	return rc;
}

/* Child: the parent answered. */
static int on_welcome(struct session *s, const struct msg_welcome *w, struct session_actions *a)
{
	struct message m = {.type = MSG_ASK};
	bool ours, same_run = s->marks_count && w->run == s->p.peer_run;
	if (s->c.parent || s->state != SESSION_GREETED || w->session != s->hello_nonce)
		return 0; /* of another session: dropped */
	if (w->retry_after_s) {
		a->retry_after_s = w->retry_after_s;
		return close_with(s, a, ERR_BUSY);
	}
	if (w->protocol < s->c.protocol_min || w->protocol > s->c.protocol_max)
		return refuse(s, a, ERR_VERSION);
	bool taken, last_taken = false;
	int rc = run_taken(s, w->run, &taken);
	if (!rc && w->last_run) rc = run_taken(s, w->last_run, &last_taken);
	if (rc) return rc;
	if (taken || last_taken || w->run <= RUN_NOBODY || w->run > RUN_MASK ||
	    w->last_run > RUN_MASK)
		return refuse(s, a, ERR_PROTOCOL);
	s->nonce = w->session;
	open_descent(s, w->protocol);
	s->p.round_trips++;
	struct copies met;
	bool two = false;
	int told = told_of_other(s, w->other, w->survivor);
	told = told ? told : replica_copies(s->r, s->peer_origin, &met);
	if (told) return told;
	if (met.survivor > w->survivor) {
		say_named(s, a, s->nonce, met.statement);
		return refuse(s, a, ERR_SET_ASIDE);
	}
	rc = marks_follow(s, w->run, w->last_run);
	rc = rc ? rc : greet_peer(s, w->clock_ms, w->schema_version, w->protocol, w->state, w);
	rc = rc ? rc : keep_own_run(s);
	rc = rc ? rc : open_feed(s);
	rc = rc ? rc : remember_filter(s, w->cursor.mark.filter);
	rc = rc ? rc : confirm(s, &w->cursor.mark, &ours);
	if (rc) return rc;
	/* Before its data is taken: what it keeps as coming from this run is passed over by a cursor that is told under this run.
	 * Where we know of no run told to it, it may have been this one. */
	if (!ours && (!s->hello_last_run || s->hello_last_run == s->r->s.run)) {
		s->r->s.restored = true;
		return went_back(s, a);
	}
	static const uint8_t as_before[8];
	grant(s, w->credit ? w->credit : CREDIT_DEFAULT);
	memcpy(s->in_filter, memcmp(w->filter, as_before, 8) != 0 ? w->filter : s->hello_filter, 8);
	memcpy(s->heard_state, w->state, 16);
	s->said_idle = s->heard_idle = w->idle && !memcmp(w->state, s->said.state, 16);
	s->heard_acked = ours ? w->cursor.mark.pos : 0;
	s->heard.parked = w->unsettled;
	s->in_open = true;
	s->state = SESSION_OPEN;
	s->peer_last = w->last_run;
	rc = meet(s, &met, /* sure= */ true, &two);
	if (!rc && met.survivor < w->survivor) rc = ask_named(s, a);
	if (rc) return rc;
	if (two) return refuse(s, a, ERR_BUSY); /* greet again, and say so */
	rc = ask_renewal(s, w, a);
	if (rc) return rc;
	if (!w->confirmed && same_run) ask_run(s, a); /* and its run went on */
	if (!w->confirmed)                            /* the parent's journal went back */
		rc = send_marks(s, a);
	if (!rc && ours) return out_start(s, &w->cursor.mark);
	if (rc) return rc;
	env_trace(s->r->env, "session: cursor not confirmed, the parent's");
	s->r->s.restored = true; /* our journal went back: this disk is a restored or copied one */
	rc = note_restored(s);
	if (rc) return rc;
	m.ask = (struct msg_ask){.session = s->nonce, .what = ASK_MARKS};
	send_message(s, a, &m, FRAME_CONTROL);
	return 0;
}

/* Sender: the receiver's older cursors; go on from the newest on which both agree. */
static int on_marks(struct session *s, const struct msg_marks *k, struct session_actions *a)
{
	struct message m = {.type = MSG_PLACE};
	struct mark at = {0};
	/* Once is enough: each time we begin anew from there. */
	if (s->marks_heard) return refuse(s, a, ERR_PROTOCOL);
	s->marks_heard = true;
	for (size_t i = k->count; i-- > 0;) {
		bool ours;
		int rc = confirm(s, &k->marks[i], &ours);
		if (rc) return rc;
		if (ours) {
			at = k->marks[i];
			break;
		}
	}
	m.place = (struct msg_place){.session = s->nonce, .mark = at, .restart = true};
	memcpy(m.place.mark.filter, s->feed.id, 8);
	m.place.number = ++s->out_number;
	send_message(s, a, &m, FRAME_BULK); /* never past the DATA before it */
	s->place_unheard = true;
	return out_start(s, &at);
}

static int send_ack(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_ACK};
	if (!s->over) s->in_granted = s->in_bytes + s->c.credit_window;
	m.ack = (struct msg_ack){
	        .session = s->nonce, .pos = marks_newest(s).pos, .credit = s->in_granted};
	send_message(s, a, &m, FRAME_CONTROL);
	return 0;
}

/* Links deliver in order or break; should one lose a message all the same, the session ends before the cursor could
 * pass over what was lost. */
static bool in_order(struct session *s, uint32_t number)
{
	return number == ++s->in_number;
}

static int on_place(struct session *s, const struct msg_place *p, struct session_actions *a)
{
	if (!in_order(s, p->number)) return refuse(s, a, ERR_GAP);
	if (s->over_left) return 0;
	memcpy(s->in_filter, p->mark.filter, 8);
	if (!p->restart) {
		int kept = p->mark.pos >= marks_newest(s).pos
		                   ? marks_add(s, p->mark.pos, p->mark.rolling, s->in_filter)
		                   : 0;
		return kept ? kept
		            : send_ack(
		                      s,
		                      a); /* two sides that each wait for the other's word would wait for ever */
	}
	while (s->marks_count && marks_newest(s).pos > p->mark.pos) s->marks_count--;
	s->said_idle =
	        false; /* what we said of its positions was of the journal that is gone: say it again, equal or not */
	env_trace(s->r->env, "the peer's journal went back to %" PRId64, p->mark.pos);
	int rc = s->c.parent ? note_restored(s) : 0;
	if (!rc && s->c.parent) rc = engine_hold(s->r, s->peer_origin);
	rc = rc ? rc : marks_save(s);
	return rc ? rc : send_ack(s, a);
}

/* ---- data */

bool engine_peers_fault(int rc)
{
	return rc == -ERR_SIGNATURE || rc == -ERR_UNKNOWN_ORIGIN || rc == -ERR_PROTOCOL ||
	       rc == -ERR_CERT_BAD || rc == -ERR_CERT_EXPIRED || rc == -ERR_VERSION ||
	       rc == -ERR_LIMIT || rc == -ERR_CEILING;
}

/* What a peer sent that it must have known to be wrong, or should have looked at: kept for people. */
static int note_offence(struct session *s, int code)
{
	struct offence o = {0};
	bool known;
	int rc = recall(s, "offence", &o, sizeof(o), &known);
	o.count++;
	o.code = code;
	o.at_ms = wall_ms(s);
	return rc ? rc : remember(s, "offence", &o, sizeof(o));
}

int replica_offence(struct replica *r, const uint8_t peer[16], struct offence *ret)
{
	char key[64], hex[33];
	struct span m;
	memset(ret, 0, sizeof(*ret));
	hex_text(peer, 16, hex);
	snprintf(key, sizeof(key), "offence/%s", hex);
	int rc = store_meta_get(r->st, key, &r->scratch, &m);
	if (!rc && m.len == sizeof(*ret)) memcpy(ret, m.p, sizeof(*ret));
	return rc ? engine_fail(r, rc) : 0;
}

/* What goes down has gone down: the child hears why no more is taken. */
static int end_if_over(struct session *s, struct session_actions *a)
{
	bool done;
	if (!s->c.parent || !s->over_wanted || s->state != SESSION_OPEN) return 0;
	int rc = out_done(s, &done);
	return rc || !done ? rc : refuse_later(s, a, s->over);
}

static int on_data(struct session *s, const struct msg_data *d, size_t frame_bytes,
                   struct session_actions *a)
{
	bool fresh;
	int64_t alarms = s->r->s.alarms;
	if (!s->in_open) return refuse(s, a, ERR_PROTOCOL);
	if (!in_order(s, d->number)) return refuse(s, a, ERR_GAP);
	s->in_bytes += frame_bytes;
	if (s->in_bytes - frame_bytes >= s->in_granted) return refuse(s, a, ERR_LIMIT);
	if (s->over) { /* not taken, not acknowledged: it stays with the child */
		s->over_wanted = s->over_left = true;
		return 0;
	}
	if (s->c.parent) {
		int counted = quota_count(s, frame_bytes, /* runs= */ 0);
		if (counted) return counted;
		s->over_wanted = s->over != 0; /* where there was this, there is more */
	}
	int rc = replica_append(s->r, d->kind, d->head, d->body, s->peer_ord, &fresh);
	if (rc == -ERR_SIGNATURE) {
		int noted = note_offence(s, ERR_SIGNATURE);
		if (noted) return noted;
	}
	if (engine_peers_fault(rc)) return refuse(s, a, -rc);
	if (rc) return rc;
	if (s->r->s.alarms != alarms) rc = note_offence(s, ERR_CEILING);
	if (rc) return rc;
	s->p.entries_in++;
	s->p.agreed = s->heard_fresh = false;
	if (d->pos > marks_newest(s).pos) rc = marks_add(s, d->pos, d->rolling, s->in_filter);
	return rc ? rc : send_ack(s, a);
}

/* Only what was sent can have been received; a place beyond it is of before a restart, or a lie. */
static int hear_acked(struct session *s, int64_t pos)
{
	if (!s->out_open || pos <= s->p.acked || pos > s->out_last) return 0;
	return acknowledged(s, pos);
}

static int on_ack(struct session *s, const struct msg_ack *k)
{
	grant(s, k->credit);
	s->place_unheard = false; /* before the answer to PLACE there is nothing to acknowledge */
	if (s->owed_sent_count && s->credit >= s->owed_bytes + s->window) {
		int rc = owed_settled(s->r, &s->c.peer, s->owed_sent, s->owed_sent_count);
		if (rc) return rc;
	}
	return hear_acked(s, k->pos);
}

static int on_state(struct session *s, const struct msg_state *st)
{
	struct peer p;
	memcpy(s->heard_state, st->state, 16);
	s->heard_idle = st->idle;
	s->heard_fresh = true;
	s->heard_acked = s->place_unheard || !s->out_open ? 0 : st->acked;
	s->heard = *st;
	int rc = peer_load(s, &p);
	memcpy(p.state, st->state, 16);
	p.parked = st->parked;
	p.refused = st->refused;
	p.unapplied = st->unapplied;
	p.last_contact_ms = wall_ms(s);
	rc = rc ? rc : store_peer_put(s->r->st, &p);
	return rc ? rc : hear_acked(s, s->heard_acked);
}

static int on_ask(struct session *s, const struct msg_ask *k, struct session_actions *a)
{
	if (++s->asks > ASKS_MAX) return refuse(s, a, ERR_LIMIT);
	if (k->what == ASK_MARKS) {
		if (may_be_back(s)) ask_run(s, a);
		return send_marks(s, a);
	}
	if (k->what == ASK_NAMED) return on_ask_named(s, a);
	if (k->what == ASK_RUN) return on_ask_run(s, k, a);
	struct message m = {.type = MSG_CERT};
	struct cert_row *certs;
	size_t n;
	int rc = store_certs(s->r->st, &s->memory, &certs, &n);
	for (size_t i = 0; i < n && !rc; i++)
		if (!memcmp(certs[i].id, k->id, 8) || !memcmp(certs[i].origin, k->id, 8)) {
			m.cert = (struct msg_cert){.session = s->nonce, .cert = certs[i].body};
			send_message(s, a, &m, FRAME_CONTROL);
			break;
		}
	return rc;
}

static int on_cert(struct session *s, const struct msg_cert *c, struct session_actions *a)
{
	bool fresh;
	struct cert said;
	int rc = replica_append(s->r, ENTRY_CERT, c->cert, span_of(NULL, 0), s->peer_ord, &fresh);
	if (!rc && s->renewing && !cert_open(c->cert, &said, NULL) &&
	    !memcmp(said.origin_key, s->r->id->sign_public, 32))
		s->renewing = false;
	return engine_peers_fault(rc) ? refuse(s, a, -rc) : rc;
}

/* The child leaves when it is satisfied; whether we are, its last word of its state tells. */
static int on_bye(struct session *s, struct session_actions *a)
{
	uint8_t now[16];
	bool placed;
	int rc = digest_now(s, now);
	rc = rc ? rc : replica_place_known(s->r, &placed);
	if (!rc && placed && !s->heard.unapplied && !memcmp(now, s->heard_state, 16))
		rc = agreed_now(s);
	return rc ? rc : close_with(s, a, 0);
}

/* A hub that does not know us and issued our certificate was restored to a time before that: it is shown what it gave us, and
 * answers with REFUSE once more - come again, or not. */
static int show_cert(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_CERT};
	struct cert_row *own;
	s->shown = true;
	int rc = store_cert_by_id(s->r->st, s->r->cert.id, &s->memory, &own);
	if (rc) return engine_fail(s->r, rc);
	if (!own) return close_with(s, a, ERR_UNKNOWN_ORIGIN);
	env_trace(s->r->env, "session: the parent has forgotten us: our certificate is shown");
	m.cert.cert = own->body;
	send_message(s, a, &m, FRAME_CONTROL);
	return 0;
}

static int on_refuse(struct session *s, const struct msg_refuse *f, struct session_actions *a)
{
	if (f->session && f->session != s->nonce) return 0;
	if (!s->c.parent && s->state == SESSION_GREETED && f->code == ERR_UNKNOWN_ORIGIN &&
	    !f->session && !s->shown)
		return show_cert(s, a);
	if (s->shown && !s->taken_up && s->state == SESSION_GREETED && f->code == ERR_BUSY &&
	    !f->retry_after_s) {
		s->taken_up = true;
		return say_hello(s, a);
	}
	s->p.refused_code = f->code;
	a->retry_after_s = f->retry_after_s;
	return close_with(s, a, f->code ? f->code : ERR_PROTOCOL);
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
		return refuse(s, a, ERR_PROTOCOL);
	}
	if (m.type == MSG_HELLO) return on_hello(s, &m.hello, a);
	if (m.type == MSG_WELCOME) return on_welcome(s, &m.welcome, a);
	if (m.type == MSG_REFUSE) return on_refuse(s, &m.refuse, a);
	if (s->state == SESSION_GREETED) /* instead of WELCOME: another copy than this was named */
		return m.type == MSG_NAMED ? on_named(s, &m.named, a) : 0;
	if (s->doubt) {
		int rc = dispel_doubt(s, a);
		if (rc || s->state == SESSION_CLOSED) return rc;
	}
	switch (m.type) {
	case MSG_DATA:
		return on_data(s, &m.data, frame.len, a);
	case MSG_ACK:
		return on_ack(s, &m.ack);
	case MSG_PLACE:
		return on_place(s, &m.place, a);
	case MSG_MARKS:
		return on_marks(s, &m.marks, a);
	case MSG_ASK:
		return on_ask(s, &m.ask, a);
	case MSG_STATE:
		return on_state(s, &m.state);
	case MSG_CERT:
		return on_cert(s, &m.cert, a);
	case MSG_NAMED:
		return on_named(s, &m.named, a);
	case MSG_RENEW:
		return on_renew(s, &m.renew, a);
	case MSG_RANGE:
	case MSG_TALLY:
	case MSG_NAMES:
	case MSG_AGAIN:
		return on_repair(s, &m, a);
	case MSG_BYE:
		return on_bye(s, a);
	default:
		return refuse(s, a, ERR_PROTOCOL);
	}
}

/* ---- events */

static int on_timer(struct session *s, int64_t now_ms, struct session_actions *a)
{
	bool waiting = s->state == SESSION_GREETED ||
	               (s->state == SESSION_OPEN && (!s->p.idle || !s->c.stay));
	if (!waiting || now_ms - s->heard_ms < silence_ms(s)) return 0;
	env_trace(s->r->env, "session: silence of %" PRId64 " s", (now_ms - s->heard_ms) / 1000);
	int rc = patience_change(s, 1);
	return rc ? rc : close_with(s, a, ERR_UNREACHABLE);
}

/* A feed that changed under an open session: the session starts anew with the new filter. */
static int on_feeds(struct session *s, struct session_actions *a)
{
	struct feed now;
	if (s->state != SESSION_OPEN || s->feeds_seen == s->r->feeds_changed) return 0;
	s->feeds_seen = s->r->feeds_changed;
	int rc = feed_now(s, &now);
	if (rc || !memcmp(now.id, s->feed.id, 8)) return rc;
	env_trace(s->r->env, "session: feed changed");
	struct message m = {.type = MSG_REFUSE};
	m.refuse = (struct msg_refuse){.session = s->nonce, .code = ERR_BUSY, .retry_after_s = 0};
	send_message(s, a, &m, FRAME_CONTROL);
	return close_with(s, a, ERR_BUSY);
}

/* A child that was revoked, perhaps by a command beside us: not a word more. */
static int look_at_revoked(struct session *s, bool pumped, struct session_actions *a)
{
	struct cert_row *row;
	if (!s->c.parent || s->state != SESSION_OPEN ||
	    (!pumped && s->feeds_seen == s->r->feeds_changed))
		return 0;
	int rc = store_cert_by_origin(s->r->st, s->peer_origin, &s->memory, &row);
	return rc || !row || !row->revoked_ms ? rc : refuse(s, a, ERR_REVOKED);
}

static int end(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_BYE};
	m.bye.session = s->nonce;
	if (s->state == SESSION_OPEN) send_message(s, a, &m, FRAME_BULK);
	return close_with(s, a, 0);
}

int session_step(struct session *s, const struct session_event *e, struct session_actions *a)
{
	int rc = 0;
	assert(store_in_transaction(s->r->st));
	if (s->state == SESSION_CLOSED) return 0;
	arena_reset(&s->memory);
	a->due_ms = 0;
	s->step = a;
	bool was_idle = s->p.idle;
	switch (e->kind) {
	case EVENT_START:
		s->heard_ms = e->now_ms;
		rc = patience_recall(s);
		rc = rc ? rc : say_hello(s, a);
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
	}
	if (!rc && s->state == SESSION_OPEN && s->r->s.run != s->own_run) {
		env_trace(s->r->env, "session: own run changed");
		rc = refuse(
		        s, a,
		        ERR_BUSY); /* a new run was drawn: cursors are per run, so this session ends */
	}
	rc = rc ? rc : look_at_met(s, a);
	if (!rc && s->c.parent && s->state == SESSION_OPEN && replica_stopped(s->r))
		rc = refuse_later(s, a, replica_stopped(s->r));
	rc = rc ? rc : look_at_revoked(s, e->kind == EVENT_PUMP, a);
	rc = rc ? rc : on_feeds(s, a);
	rc = rc || s->state != SESSION_OPEN ? rc : pump(s, a);
	rc = rc || s->state != SESSION_OPEN ? rc : work_on_repair(s, a);
	rc = rc || s->state != SESSION_OPEN ? rc : tell_state(s, a);
	rc = rc || s->state != SESSION_OPEN ? rc : end_if_over(s, a);
	rc = rc || s->state != SESSION_OPEN ? rc : end_if_done(s, a);
	if (was_idle && !s->p.idle) s->heard_ms = e->now_ms; /* nobody owed us a word until now */
	if (a->due_ms)
		a->due_ms = e->now_ms;
	else if (s->state == SESSION_GREETED ||
	         (s->state == SESSION_OPEN && (!s->p.idle || !s->c.stay)))
		a->due_ms = s->heard_ms + silence_ms(s);
	return rc ? engine_fail(s->r, rc) : 0;
}
