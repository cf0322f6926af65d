/*
 * session_peer.c - what is remembered of a peer from one session to the next: bytes, states, the run that it was told, patience.
 */
#include "common/base.h"

#include "proto/session_parts.h"

#include "common/ident.h"

enum { PATIENCE_MAX = 4 /* doublings: 8 minutes, for 320 KiB at 1 kB/s */ };

static void peer_key(const struct session *s, const char *what, char ret[64])
{
	char hex[33];
	hex_text(s->peer_origin, 16, hex);
	snprintf(ret, 64, "%s/%s", what, hex);
}

int session_recall(struct session *s, const char *what, void *ret, size_t len, bool *ret_known)
{
	char key[64];
	struct span m;
	peer_key(s, what, key);
	int rc = store_meta_get(s->r->st, key, &s->memory, &m);
	*ret_known = !rc && m.len == len;
	if (*ret_known) memcpy(ret, m.p, len);
	return rc;
}

int session_remember(struct session *s, const char *what, const void *p, size_t len)
{
	char key[64];
	peer_key(s, what, key);
	return store_meta_put(s->r->st, key, span_of(p, len));
}

int session_last_own_run(struct session *s, uint64_t *ret)
{
	bool known;
	*ret = 0;
	return session_recall(s, "last_run", ret, sizeof(*ret), &known);
}

/* Before anything of ours can have reached the peer under the new run. */
int session_keep_own_run(struct session *s)
{
	uint64_t before;
	int rc = session_last_own_run(s, &before);
	s->own_run = s->r->s.run;
	return rc || before == s->own_run
	               ? rc
	               : session_remember(s, "last_run", &s->own_run, sizeof(s->own_run));
}

/* When something happened, to be kept: 0 is never, so a clock that says 1970 or less has it happen just after. */
int64_t session_wall_ms(const struct session *s)
{
	int64_t now = s->r->env->now_ms(s->r->env->ctx);
	return now > 0 ? now : 1;
}

/* What is kept of the peer, with the bytes of this session so far added. */
int session_peer_load(struct session *s, struct peer *ret)
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
int session_patience_recall(struct session *s)
{
	bool known;
	int rc = session_recall(s, "patience", &s->patience, sizeof(s->patience), &known);
	if (!known || s->patience > PATIENCE_MAX) s->patience = 0;
	return rc;
}

int session_patience_change(struct session *s, int by)
{
	int now = s->patience + by;
	if (now < 0 || now > PATIENCE_MAX) return 0;
	s->patience = (uint8_t)now;
	return session_remember(s, "patience", &s->patience, sizeof(s->patience));
}

int64_t session_silence_ms(const struct session *s)
{
	return (int64_t)s->c.timeout_ms << s->patience;
}

/* Its state is kept as it says it, equal or not: what agreed before is no agreement at this contact. */
int session_greet_peer(struct session *s, int64_t clock_ms, uint32_t schema, uint16_t protocol,
                       const uint8_t state[16], const struct msg_welcome *w)
{
	struct peer p;
	int rc = session_peer_load(s, &p);
	p.run = s->p.peer_run;
	p.last_contact_ms = session_wall_ms(s);
	/* A peer may say any time at all. */
	p.clock_offset_ms = s->p.clock_offset_ms =
	        (int64_t)((uint64_t)clock_ms - (uint64_t)s->r->env->now_ms(s->r->env->ctx));
	p.schema_version = schema;
	p.protocol = protocol;
	memcpy(p.state, state, 16);
	if (w) { /* what a hub says that has more for us, or more to apply, is not its last word */
		if (w->idle)
			p.unapplied = STATE_ALL;
		else if (p.unapplied ==
		         STATE_ALL) /* why, its STATE says; what it said last stands till then */
			p.unapplied = STATE_PLACE_UNKNOWN;
		if (!w->unsettled) p.parked = p.refused = 0;
		if (w->unsettled && !p.parked && !p.refused) p.parked = 1;
	}
	static const uint8_t none[16];
	rc = rc ? rc : store_run_add(s->r->st, s->p.peer_run, s->peer_origin, none, &s->peer_ord);
	return rc ? rc : store_peer_put(s->r->st, &p);
}
