/*
 * session_give.c - what goes out: the peer's feed from where its cursor stands, as far as its credit goes.
 */
#include "common/base.h"

#include "proto/session_parts.h"

#include "common/ident.h"

enum {
	PUMP_FRAMES_MAX = 64, /* DATA frames a step may make: the driver's queue stays short */
	PUMP_BYTES_MAX = 1024 * 1024,
	DATA_OVERHEAD = 256, /* bytes of a DATA message beside head and body, at most */
	CREDIT_MAX =
	        4 * 1024 *
	        1024 /* bytes beyond those sent that a peer may grant: what it does not read, we keep */
};

/* Is a peer's cursor on our journal true? */
int session_confirm(struct session *s, const struct mark *m, bool *ret)
{
	uint8_t here[ROLLING_BYTES];
	*ret = m->pos == 0;
	if (m->pos <= 0) return 0;
	int rc = store_journal_rolling(s->r->st, m->pos, here);
	if (rc == 1) return 0;
	*ret = !rc && !memcmp(here, m->rolling, ROLLING_BYTES);
	return rc;
}

/* A grant, cut to what we are ready to keep for a peer that does not read. */
void session_grant(struct session *s, uint64_t credit)
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
	int rc = session_peer_load(s, &p);
	if (rc || p.acked == pos) return rc;
	p.acked = pos;
	return store_peer_put(s->r->st, &p);
}

/* Sending starts at a confirmed cursor; with another filter, first what the new one admits and the old did not. */
int session_out_start(struct session *s, const struct mark *at)
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
	rc = session_introduce(s, a, e);
	if (rc) return rc;
	size_t len = session_send(s, a, &m, FRAME_BULK);
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
	session_send(s, a, &m, FRAME_BULK); /* never past the DATA before it */
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
		if (!e || !feed_admits(&s->feed, e)) { /* not this peer's any more */
			rc = owed_settled(s->r, &s->c.peer, &list[i], 1);
			continue;
		}
		s->owed_sent[s->owed_sent_count++] = list[i];
		env_trace(s->r->env, "session: what was damaged and is mended goes out");
		rc = send_entry(s, a, e, s->out_pos);
		s->owed_bytes = s->data_out;
	}
	return rc;
}

/* An entry whose turn has come: *ret_full: it waits until there is credit again. */
static int give(struct session *s, struct session_actions *a, const struct entry *e, bool *ret_sent,
                bool *ret_full)
{
	int rc = 0;
	*ret_sent = false;
	if (s->rescanning && feed_admits(&s->old_feed, e)) {
		; /* it has that */
	} else if (!entry_sound(
	                   e)) { /* the peer would end the session; it is named, and wanted back */
		rc = repair_entry_damaged(s->r, e);
		rc = rc ? rc : owed_note(s->r, &s->c.peer, e->recv);
	} else if (s->data_out >= s->credit) { /* credit is leave to begin a message */
		env_trace(s->r->env, "session: credit used up");
		*ret_full = true;
		return 0;
	} else {
		/* While a widened filter is caught up with, the receiver's cursor stays where it is. */
		rc = send_entry(s, a, e, s->rescanning ? s->rescan_until : e->recv);
		*ret_sent = true;
	}
	if (!rc) s->out_pos = e->recv;
	return rc;
}

int session_pump(struct session *s, struct session_actions *a)
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
			bool sent, full = false;
			rc = give(s, a, e, &sent, &full);
			if (rc) return rc;
			more = !full;
			if (!sent) continue;
			frames++;
			bytes += e->head.len + e->body.len + DATA_OVERHEAD;
		}
	}
	if (more) a->due_ms = 1; /* at once: there is more to send */
	return 0;
}

int session_out_done(struct session *s, bool *ret)
{
	int64_t count, bytes;
	*ret = s->out_open && !s->rescanning && s->out_told && s->p.acked >= s->out_last &&
	       !s->owed_sent_count; /* until it is acknowledged it is owed, in the next session too */
	int rc = store_tail_size(s->r->st, &count, &bytes);
	*ret = *ret && count == 0;
	return rc;
}

/* It takes its run for new to us, and we had heard of it: it may have gone back under it. */
bool session_may_be_back(const struct session *s)
{
	return s->peer_last != s->p.peer_run && s->marks_count && !s->marks_moved;
}

/* Whose run of now may be one that it lost is sent what came from that run too: its cursor passes all that is left out. */
static int feed_now(struct session *s, struct feed *ret)
{
	bool back = s->c.parent && session_may_be_back(s);
	return feed_for(s->r, &s->c.peer, back ? 0 : s->peer_ord, ret);
}

int session_open_feed(struct session *s)
{
	s->feeds_seen = s->r->feeds_changed;
	return feed_now(s, &s->feed);
}

/* Is anything owed that can be given by now?  What is no longer this peer's is settled in the session. */
static int owed_is_due(struct session *s, bool *ret)
{
	int64_t list[OWED_MAX];
	size_t n;
	int rc = owed_list(s->r, &s->c.peer, list, &n);
	*ret = false;
	for (size_t i = 0; i < n && !rc && !*ret; i++) {
		struct entry *e = NULL;
		rc = store_journal_get(s->r->st, list[i], &s->memory, &e);
		*ret = !rc && (!e || !feed_admits(&s->feed, e) || entry_sound(e));
	}
	return rc;
}

/* Is there nothing to send from this cursor on, nothing owed, and nothing here that is not yet applied? */
int session_nothing_for(struct session *s, const struct mark *at, bool *ret)
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
	bool owed = false;
	if (*ret) rc = owed_is_due(s, &owed);
	*ret = *ret && !rc && !owed;
	unsigned unsaid = STATE_ALL;
	if (*ret) rc = session_state_unsaid(s, &unsaid);
	*ret = *ret && unsaid == STATE_ALL;
	return rc;
}

/* Parent: the child's place in our journal is before what it had acknowledged, so its disk is one of before. */
int session_forgot_ours(struct session *s, int64_t pos)
{
	struct peer p;
	int rc = session_peer_load(s, &p);
	if (rc || pos >= p.acked || !s->r->hold) return rc;
	p.acked = pos; /* said once */
	rc = store_peer_put(s->r->st, &p);
	return rc ? rc : engine_hold(s->r, s->peer_origin);
}

/* The filter that the parent's cursor knows us by: HELLO need not repeat it. */
int session_remember_filter(struct session *s, const uint8_t filter[8])
{
	uint8_t was[8];
	bool known;
	int rc = session_recall(s, "told", was, sizeof(was), &known);
	return rc || (known && !memcmp(was, filter, 8)) ? rc
	                                                : session_remember(s, "told", filter, 8);
}

/* Only what was sent can have been received; a place beyond it is of before a restart, or a lie. */
int session_hear_acked(struct session *s, int64_t pos)
{
	if (!s->out_open || pos <= s->p.acked || pos > s->out_last) return 0;
	return acknowledged(s, pos);
}

int session_on_ack(struct session *s, const struct msg_ack *k)
{
	session_grant(s, k->credit);
	s->place_unheard = false; /* before the answer to PLACE there is nothing to acknowledge */
	/* Its place says nothing of them; that credit goes on does: who grants it has taken what was sent. */
	if (s->owed_sent_count && s->credit >= s->owed_bytes + s->window) {
		int rc = owed_settled(s->r, &s->c.peer, s->owed_sent, s->owed_sent_count);
		if (rc) return rc;
		s->owed_sent_count = 0;
	}
	return session_hear_acked(s, k->pos);
}

/* A feed that changed under an open session: the session starts anew with the new filter. */
int session_on_feeds(struct session *s, struct session_actions *a)
{
	struct feed now;
	if (s->state != SESSION_OPEN || s->feeds_seen == s->r->feeds_changed) return 0;
	s->feeds_seen = s->r->feeds_changed;
	int rc = feed_now(s, &now);
	if (rc || !memcmp(now.id, s->feed.id, 8)) return rc;
	env_trace(s->r->env, "session: feed changed");
	return session_refuse(s, a, ERR_BUSY);
}
