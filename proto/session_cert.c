/*
 * session_cert.c - certificates in a session: authors introduced, ours shown and renewed.
 */
#include "common/base.h"

#include "proto/session_parts.h"

#include "common/ident.h"

enum { RENEW_AGAIN_MS = 24 * 3600 * 1000 };

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
		session_send(s, a, &m, FRAME_CONTROL);
		env_trace(s->r->env, "session: introduced an author");
	}
	return rc;
}

int session_introduce(struct session *s, struct session_actions *a, const struct entry *e)
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

/* Parent: HELLO names another certificate than the newest that we know for the key of the link.  One that was renewed since, or
 * one that we gave before our own disk went back and that comes home with the child's journal: who it is says the link.
 * Another device's: a mistake. */
int session_look_at_cert(struct session *s, const uint8_t id[8], bool *ret_foreign)
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
	int rc = session_recall(s, "renew", &before, sizeof(before), ret);
	*ret = *ret && !memcmp(before.what, asked.what, 16) && now_ms >= before.at_ms &&
	       now_ms - before.at_ms < RENEW_AGAIN_MS && now_ms <= s->r->cert.not_after_ms;
	return rc || *ret ? rc : session_remember(s, "renew", &asked, sizeof(asked));
}

/* Whether it is time tells the parent's clock, who is the one to renew it; ours may be wrong by years. */
int session_ask_renewal(struct session *s, const struct msg_welcome *w, struct session_actions *a)
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
	session_send(s, a, &m, FRAME_CONTROL);
	s->renewing = true;
	return 0;
}

/* Parent: answered with the newest certificate that there is, and before it with our own chain, which may be new as well. */
int session_on_renew(struct session *s, const struct msg_renew *m, struct session_actions *a)
{
	struct message out = {.type = MSG_CERT};
	struct span chain[CERT_CHAIN_MAX], newest, issuer;
	size_t n = 0;
	if (!s->c.parent || s->renewed) return session_refuse(s, a, ERR_PROTOCOL);
	s->renewed = true;
	int rc = replica_renew(s->r, s->peer_origin, m->endpoint, &s->memory, &newest);
	rc = rc ? rc : replica_chain(s->r, &s->memory, chain, &n);
	while (!rc && n-- > 0) {
		out.cert = (struct msg_cert){.session = s->nonce, .cert = chain[n]};
		session_send(s, a, &out, FRAME_CONTROL);
	}
	/* It may be of before we were renewed ourselves: then what issued it is not in our chain. */
	rc = rc ? rc : replica_issuer(s->r, newest, &s->memory, &issuer);
	if (!rc && issuer.len) {
		out.cert = (struct msg_cert){.session = s->nonce, .cert = issuer};
		session_send(s, a, &out, FRAME_CONTROL);
	}
	out.cert = (struct msg_cert){.session = s->nonce, .cert = newest};
	if (!rc) session_send(s, a, &out, FRAME_CONTROL);
	return rc;
}

int session_on_cert(struct session *s, const struct msg_cert *c, struct session_actions *a)
{
	bool fresh;
	struct cert said;
	int rc = replica_append(s->r, ENTRY_CERT, c->cert, span_of(NULL, 0), s->peer_ord, &fresh);
	if (!rc && s->renewing && !cert_open(c->cert, &said, NULL) &&
	    !memcmp(said.origin_key, s->r->id->sign_public, 32))
		s->renewing = false;
	return engine_peers_fault(rc) ? session_refuse(s, a, -rc) : rc;
}

/* A hub that does not know us and issued our certificate was restored to a time before that: it is shown what it gave us, and
 * answers with REFUSE once more - come again, or not. */
int session_show_cert(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_CERT};
	struct cert_row *own;
	s->shown = true;
	int rc = store_cert_by_id(s->r->st, s->r->cert.id, &s->memory, &own);
	if (rc) return engine_fail(s->r, rc);
	if (!own) return session_close(s, a, ERR_UNKNOWN_ORIGIN);
	env_trace(s->r->env, "session: the parent has forgotten us: our certificate is shown");
	m.cert.cert = own->body;
	session_send(s, a, &m, FRAME_CONTROL);
	return 0;
}
