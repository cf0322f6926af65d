/*
 * session_copies.c - a peer of which two are alive, and who of them survives (copies.h).
 */
#include "common/base.h"

#include "proto/session_parts.h"

enum {
	/* How soon a child looks again whether a copied hub was decided on: who decides waits for it; of 10,000 children that is
	 * 170 greetings a second, each told no. */
	STOPPED_RETRY_S = 60,
	/* Three of one device take turns at two places, and each waits no longer than a person does who looks at the screen. */
	YIELD_RETRY_S = 5
};

int session_refuse_later(struct session *s, struct session_actions *a, int code)
{
	return session_refuse_after(s, a, code, STOPPED_RETRY_S);
}

int session_yield(struct session *s, struct session_actions *a)
{
	return session_refuse_after(s, a, ERR_BUSY, YIELD_RETRY_S);
}

void session_say_named(struct session *s, struct session_actions *a, uint64_t session,
                       const uint8_t statement[NAMED_BYTES])
{
	struct message m = {.type = MSG_NAMED};
	m.named = (struct msg_named){.session = session,
	                             .statement = span_of(statement, NAMED_BYTES)};
	session_send(s, a, &m, FRAME_CONTROL);
}

/* A peer tells that it met another copy of us.  What it knew before it heard whom a person had named counts nothing: it is
 * believed once it has asked for our statement and come again without saying so. */
int session_told_of_other(struct session *s, uint64_t other, uint64_t survivor)
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
		rc = session_recall(s, "named", &heard, sizeof(heard), &known);
		known = known && heard.survivor == own.survivor;
		if (!rc && known && !other && !heard.quiet) {
			heard.quiet = 1;
			rc = session_remember(s, "named", &heard, sizeof(heard));
		}
		if (rc || !known || !heard.quiet) return rc;
	}
	/* At a node the hub that told it also tells its end; a hub goes on when a person has spoken. */
	bool over = !other && own.copied_ms && !replica_is_hub(s->r) &&
	            !memcmp(own.told_by, s->peer_origin, 16);
	if (rc || (!other && !over) || (other && own.copied_ms)) return rc;
	own.copied_ms = over ? 0 : session_wall_ms(s);
	own.other = other;
	memcpy(own.told_by, s->peer_origin, 16);
	env_trace(s->r->env, over ? "copies: the other is gone" : "copies: another of us is alive");
	return replica_own_copies_keep(s->r, &own);
}

/* The peer's run comes.  *ret_two: just now it is known that two are alive. */
int session_meet(struct session *s, struct copies *c, bool sure, bool *ret_two)
{
	bool changed;
	size_t before = c->lines_count;
	*ret_two = copies_meet(c, s->p.peer_run, s->peer_last, session_wall_ms(s), sure, &s->doubt,
	                       &changed);
	if (*ret_two) env_trace(s->r->env, "copies: two of the peer are alive");
	if (changed) s->r->met_changed++;
	int rc = changed ? replica_copies_keep(s->r, s->peer_origin, c) : 0;
	bool more = *ret_two || (c->copied_ms && c->lines_count > before);
	return rc || !more || !s->c.parent ? rc : engine_hold(s->r, s->peer_origin);
}

/* A run of the peer beside the present one that is alive; 0: none is known. */
uint64_t session_other_of(const struct copies *c)
{
	if (!c->copied_ms) return 0;
	return c->lines_count > 1 ? c->lines[1].tip : c->lines[0].tip;
}

/* Parent: the peer has answered; what was in doubt about its run is so. */
int session_dispel_doubt(struct session *s, struct session_actions *a)
{
	struct copies c;
	bool two;
	int rc = replica_copies(s->r, s->peer_origin, &c);
	if (rc) return rc;
	/* An answer proves that its run was alive when WELCOME went out.  If another was met since, it may have been before that one
	 * began: what is alive greets again. */
	if (c.lines_count && c.lines[0].tip != s->met_before) return session_refuse(s, a, ERR_BUSY);
	rc = session_meet(s, &c, /* sure= */ true, &two);
	s->doubt = false;
	return rc || !two ? rc : session_refuse(s, a, ERR_BUSY); /* it greets again, and is told */
}

/* Parent: another run of this peer came while this session was open.  Is this one alive as well?  It greets again if it is,
 * and is told what there is to tell; nothing is believed of a session that may only be late. */
int session_look_at_met(struct session *s, struct session_actions *a)
{
	struct copies c;
	if (!s->c.parent || s->state != SESSION_OPEN || s->doubt ||
	    s->met_seen == s->r->met_changed)
		return 0;
	s->met_seen = s->r->met_changed;
	int rc = replica_copies(s->r, s->peer_origin, &c);
	if (rc || !c.lines_count) return rc;
	bool left = c.lines[0].tip != s->p.peer_run && !c.copied_ms;
	return left || (c.copied_ms && !s->told_other) ? session_refuse(s, a, ERR_BUSY) : 0;
}

int session_on_ask_named(struct session *s, struct session_actions *a)
{
	struct own_copies own;
	int rc = replica_own_copies(s->r, &own);
	if (rc || !own.survivor) return rc;
	uint64_t told[2] = {own.survivor, 0};
	session_say_named(s, a, s->nonce, own.statement);
	return session_remember(s, "named", told, sizeof(told));
}

int session_ask_named(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_ASK};
	m.ask = (struct msg_ask){.session = s->nonce, .what = ASK_NAMED};
	s->named_asked = s->named_due = true;
	session_send(s, a, &m, FRAME_CONTROL);
	return 0;
}

/* The peer's statement, or the statement of a copy of ours that is not this one. */
int session_on_named(struct session *s, const struct msg_named *n, struct session_actions *a)
{
	uint8_t origin[16];
	uint64_t number;
	struct copies c;
	struct own_copies own;
	if (n->statement.len != NAMED_BYTES) return session_refuse(s, a, ERR_PROTOCOL);
	bool ours = !memcmp(n->statement.p + 5, s->r->id->origin, 16);
	if (named_open(n->statement, ours ? s->r->id->sign_public : s->c.peer.origin_key, origin,
	               &number, NULL))
		return session_refuse(s, a, ERR_SIGNATURE);
	if (ours) {
		int rc = replica_own_copies(s->r, &own);
		if (rc || number <= own.survivor || number <= own.aside) return rc;
		own.aside = number;
		own.aside_ms = session_wall_ms(s);
		env_trace(s->r->env, "copies: we were set aside");
		return replica_own_copies_keep(s->r, &own);
	}
	if (memcmp(origin, s->peer_origin, 16) != 0) return session_refuse(s, a, ERR_SIGNATURE);
	s->named_due = false;
	int rc = replica_copies(s->r, s->peer_origin, &c);
	if (rc || number <= c.survivor) return rc;
	c.survivor = number;
	memcpy(c.statement, n->statement.p, NAMED_BYTES);
	copies_collapse(&c);
	return replica_copies_keep(s->r, s->peer_origin, &c);
}
