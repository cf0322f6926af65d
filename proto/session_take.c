/*
 * session_take.c - what comes: DATA and PLACE, our cursor on the peer's journal, acknowledgements, quotas.
 */
#include "common/base.h"

#include "proto/session_parts.h"

#include "common/ident.h"

static int marks_save(struct session *s)
{
	return store_cursor_put(s->r->st, s->peer_origin, s->p.peer_run, s->marks, s->marks_count);
}

/* The cursor goes on under the peer's new run.  (A new journal begins with another rolling hash, so no cursor on the old
 * one is ever confirmed on it.) */
int session_marks_load(struct session *s, uint64_t run, uint64_t last_run)
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
int session_run_taken(struct session *s, uint64_t run, bool *ret)
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
int session_marks_follow(struct session *s, uint64_t run, uint64_t last_run)
{
	bool moved = run != s->p.peer_run;
	if (!s->marks_count) return session_marks_load(s, run, last_run ? last_run : s->p.peer_run);
	s->p.peer_run = run;
	return moved ? marks_save(s) : 0;
}

struct mark session_marks_newest(const struct session *s)
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

/* Adds to what this child used; s->over says whether that was too much. */
int session_quota_count(struct session *s, uint64_t bytes, uint64_t runs)
{
	struct msg_state held = {0};
	int rc = s->c.quota.parked ? session_held_for_peer(s, &held) : 0;
	return rc ? rc
	          : quota_add(s->r, &s->c.quota, s->peer_origin, s->c.peer.role == CERT_HUB, bytes,
	                      runs, (uint64_t)held.parked, &s->over);
}

static int send_ack(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_ACK};
	if (!s->over) s->in_granted = s->in_bytes + s->c.credit_window;
	m.ack = (struct msg_ack){
	        .session = s->nonce, .pos = session_marks_newest(s).pos, .credit = s->in_granted};
	session_send(s, a, &m, FRAME_CONTROL);
	return 0;
}

/* Links deliver in order or break; should one lose a message all the same, the session ends before the cursor could
 * pass over what was lost. */
static bool in_order(struct session *s, uint32_t number)
{
	return number == ++s->in_number;
}

int session_on_place(struct session *s, const struct msg_place *p, struct session_actions *a)
{
	if (!in_order(s, p->number)) return session_refuse(s, a, ERR_GAP);
	if (s->over_left) return 0;
	memcpy(s->in_filter, p->mark.filter, 8);
	if (!p->restart) {
		int kept = p->mark.pos >= session_marks_newest(s).pos
		                   ? marks_add(s, p->mark.pos, p->mark.rolling, s->in_filter)
		                   : 0;
		return kept ? kept
		            : send_ack(
		                      s,
		                      a); /* two sides that each wait for the other's word would wait for ever */
	}
	while (s->marks_count && session_marks_newest(s).pos > p->mark.pos) s->marks_count--;
	s->said_idle =
	        false; /* what we said of its positions was of the journal that is gone: say it again, equal or not */
	env_trace(s->r->env, "the peer's journal went back to %" PRId64, p->mark.pos);
	int rc = s->c.parent ? session_note_restored(s) : 0;
	if (!rc && s->c.parent) rc = engine_hold(s->r, s->peer_origin);
	rc = rc ? rc : marks_save(s);
	return rc ? rc : send_ack(s, a);
}

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
	int rc = session_recall(s, "offence", &o, sizeof(o), &known);
	o.count++;
	o.code = code;
	o.at_ms = session_wall_ms(s);
	return rc ? rc : session_remember(s, "offence", &o, sizeof(o));
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

int session_on_data(struct session *s, const struct msg_data *d, size_t frame_bytes,
                    struct session_actions *a)
{
	bool fresh;
	int64_t alarms = s->r->s.alarms;
	if (!s->in_open) return session_refuse(s, a, ERR_PROTOCOL);
	if (!in_order(s, d->number)) return session_refuse(s, a, ERR_GAP);
	s->in_bytes += frame_bytes;
	if (s->in_bytes - frame_bytes >= s->in_granted) return session_refuse(s, a, ERR_LIMIT);
	if (s->over) { /* not taken, not acknowledged: it stays with the child */
		s->over_wanted = s->over_left = true;
		return 0;
	}
	if (s->c.parent) {
		int counted = session_quota_count(s, frame_bytes, /* runs= */ 0);
		if (counted) return counted;
		s->over_wanted = s->over != 0; /* where there was this, there is more */
	}
	int rc = replica_append(s->r, d->kind, d->head, d->body, s->peer_ord, &fresh);
	if (rc == -ERR_SIGNATURE) {
		int noted = note_offence(s, ERR_SIGNATURE);
		if (noted) return noted;
	}
	if (engine_peers_fault(rc)) return session_refuse(s, a, -rc);
	if (rc) return rc;
	if (s->r->s.alarms != alarms) rc = note_offence(s, ERR_CEILING);
	if (rc) return rc;
	s->p.entries_in++;
	s->p.agreed = s->heard_fresh = false;
	if (d->pos > session_marks_newest(s).pos)
		rc = marks_add(s, d->pos, d->rolling, s->in_filter);
	return rc ? rc : send_ack(s, a);
}
