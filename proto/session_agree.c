/*
 * session_agree.c - STATE: whether both have all of each other and it comes to the same, and the audit where it does not.
 */
#include "common/base.h"

#include "proto/session_parts.h"

int session_digest_now(struct session *s, uint8_t ret[16])
{
	return replica_digest(s->r, &s->c.peer, ret);
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

int session_agreed_now(struct session *s)
{
	struct peer p;
	int rc = session_peer_load(s, &p);
	if (rc) return rc;
	p.agreed_ms = p.last_contact_ms = session_wall_ms(s);
	memcpy(p.state, s->heard_state, 16);
	bool was = p.restored;
	p.restored = false; /* all has come home */
	rc = store_peer_put(s->r->st, &p);
	if (!rc && was) rc = settle_restored(s);
	if (!rc && s->c.parent) rc = home_came(s->r, s->peer_origin);
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

int session_held_for_peer(struct session *s, struct msg_state *ret)
{
	uint32_t ord;
	struct scope unit;
	int rc = 0;
	if (!s->c.parent) return 0;
	rc = store_scope_ord(s->r->st, s->c.peer.unit, true, &ord);
	rc = rc ? rc : store_scope_get(s->r->st, ord, &unit);
	return rc ? rc : store_held_counts(s->r->st, unit.feed, &ret->parked, &ret->refused);
}

/* What a parent does not give, or does not know yet: enum state_unapplied. */
int session_state_unsaid(struct session *s, unsigned *ret)
{
	bool placed = true;
	int rc = replica_withheld(s->r, &s->c.peer, ret);
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
int session_tell_state(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_STATE};
	uint8_t rolling[ROLLING_BYTES];
	int64_t head;
	bool done;
	if (s->state != SESSION_OPEN) return 0;
	int rc = session_out_done(s, &done);
	rc = rc ? rc : store_journal_head(s->r->st, &head, rolling);
	if (rc) return rc;
	s->p.to_send = head;
	unsigned unsaid =
	        STATE_ALL; /* all that is here is applied; not all that is to come, or to be given */
	if (done && s->r->s.applied >= head) rc = session_state_unsaid(s, &unsaid);
	if (rc) return rc;
	s->p.idle = done && s->r->s.applied >= head && !s->renewing &&
	            !(s->descent && descent_busy(s->descent));
	if (!s->p.idle) {
		s->p.agreed = false;
		return 0;
	}
	if (s->heard_idle && s->heard_acked >= s->out_last && !s->eased) {
		s->eased = true;
		rc = session_patience_change(s, -1);
		if (rc) return rc;
	}
	m.state = (struct msg_state){.session = s->nonce,
	                             .acked = session_marks_newest(s).pos,
	                             .unapplied = unsaid,
	                             .idle = true};
	rc = session_digest_now(s, m.state.state);
	rc = rc ? rc : session_held_for_peer(s, &m.state);
	if (rc) return rc;
	if (s->heard_idle && !s->c.parent) rc = note_given_back(s);
	if (rc) return rc;
	bool agreed = !memcmp(m.state.state, s->heard_state, 16) && unsaid == STATE_ALL &&
	              !s->heard.unapplied && (s->c.parent || s->heard_idle);
	if (agreed && !s->p.agreed) rc = session_agreed_now(s);
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
	session_send(s, a, &m, FRAME_BULK);
	return rc;
}

int session_on_state(struct session *s, const struct msg_state *st)
{
	struct peer p;
	memcpy(s->heard_state, st->state, 16);
	s->heard_idle = st->idle;
	s->heard_fresh = true;
	s->heard_acked = s->place_unheard || !s->out_open ? 0 : st->acked;
	s->heard = *st;
	int rc = session_peer_load(s, &p);
	memcpy(p.state, st->state, 16);
	p.parked = st->parked;
	p.refused = st->refused;
	p.unapplied = st->unapplied;
	p.last_contact_ms = session_wall_ms(s);
	rc = rc ? rc : store_peer_put(s->r->st, &p);
	if (!rc && s->c.parent && st->idle) rc = home_came(s->r, s->peer_origin);
	return rc ? rc : session_hear_acked(s, s->heard_acked);
}
