/*
 * join.c - see join.h.
 */
#include "common/base.h"

#include "node/join.h"

#include "common/crypt.h"
#include "common/ident.h"
#include "node/transport.h"
#include "proto/message.h"

enum { TRIES = 3, TURN_MS = 100 };

struct asking {
	struct place *place;
	const struct token *token;
	struct transport *transport;
	struct arena arena;
	struct buf question;
	struct message answer;
	struct error *err;
};

static int fail_cause(struct asking *x)
{
	enum transport_cause cause = transport_cause(x->transport);

	return error_set(x->err, transport_cause_error(cause), "link.parent", "%s: %s",
	                 x->token->endpoint, transport_cause_text(cause));
}

/* What the hub must see to believe that the keys are ours. */
static void question_make(struct asking *x)
{
	static const char what[] = "jinguo join";
	const struct identity *id = &x->place->identity;
	struct message m = {.type = MSG_JOIN};
	uint8_t digest[32];
	struct hash h;

	m.join = (struct msg_join){.protocol_min = PROTOCOL_MIN, .protocol_max = PROTOCOL_MAX};
	memcpy(m.join.secret, x->token->secret, sizeof(m.join.secret));
	memcpy(m.join.origin_key, id->sign_public, 32);
	memcpy(m.join.link_key, id->link_public, 32);
	hash_begin(&h, sizeof(digest));
	hash_add(&h, what, sizeof(what) - 1);
	hash_add(&h, m.join.secret, sizeof(m.join.secret));
	hash_add(&h, m.join.origin_key, 32);
	hash_add(&h, m.join.link_key, 32);
	hash_end(&h, digest, sizeof(digest));
	sign_make(span_of(digest, sizeof(digest)), id->sign_secret, m.join.proof);
	message_pack(&m, NULL, &x->question);
}

static bool hopeless(enum transport_cause c)
{
	return c == CAUSE_WRONG_KEY || c == CAUSE_WRONG_PEER || c == CAUSE_DENIED;
}

/* One connection, until until_ms.  1: an answer is there; 0: none came; negative: it will not come. */
static int ask_once(struct asking *x, int64_t until_ms)
{
	bool sent = false;
	int rc = transport_connect(x->transport, x->token->endpoint, x->token->link_key, x->err);

	while (!rc) {
		struct transport_ready ready;
		struct arrival a;
		int64_t left = until_ms - env_boot_ms();

		if (left <= 0) return 0;
		transport_poll(x->transport, left < TURN_MS ? left : TURN_MS, !sent, NULL, 0,
		               &ready);
		if (!sent && ready.up_writable)
			sent = transport_send(x->transport, NULL, buf_span(&x->question)) == SENT;
		if (ready.up && transport_recv_up(x->transport, &x->arena, &a))
			return message_read(a.frame, NULL, &x->arena, &x->answer, x->err)
			               ? -ERR_PROTOCOL
			               : 1;
		if (hopeless(transport_cause(x->transport)))
			rc = fail_cause(x);
		else if (ready.up_lost)
			return 0;
	}
	return rc;
}

/* A connection that stays silent is made anew: what answered may have been a login page. */
static int ask(struct asking *x, uint32_t timeout_ms)
{
	int64_t begun = env_boot_ms();
	int rc = 0;

	for (int i = 1; i <= TRIES && !rc; i++)
		rc = ask_once(x, begun + (int64_t)timeout_ms * i / TRIES);
	return rc > 0 ? 0 : rc ? rc : fail_cause(x);
}

static int refused(struct asking *x)
{
	const struct msg_refuse *m = &x->answer.refuse;
	int code = m->code > 0 && error_info(m->code)->code == m->code ? m->code : ERR_REFUSED;

	if (code == ERR_VERSION)
		return error_set(x->err, code, "",
		                 "the hub speaks protocol %u to %u, this program %u to %u",
		                 (unsigned)m->protocol_min, (unsigned)m->protocol_max,
		                 (unsigned)PROTOCOL_MIN, (unsigned)PROTOCOL_MAX);
	if (m->retry_after_s)
		return error_set(x->err, code, "", "the hub asks to wait %" PRIu32 " s",
		                 m->retry_after_s);
	return error_set(x->err, code, "", "said by the hub at %s", x->token->endpoint);
}

/* Everything that can be wrong with the answer, before anything is stored. */
static int chain_check(struct asking *x, struct cert *ret_own)
{
	const struct msg_joined *m = &x->answer.joined;
	const struct identity *id = &x->place->identity;
	struct cert chain[CERT_CHAIN_MAX];
	int rc = 0;

	if (m->chain_count < 2)
		return error_set(x->err, ERR_CERT_BAD, "", "the hub sent no chain of certificates");
	for (size_t i = 0; i < m->chain_count && !rc; i++)
		rc = cert_open(m->chain[i], &chain[i], x->err);
	if (!rc) rc = cert_check_chain(chain, m->chain_count, x->token->root_fingerprint, x->err);
	if (rc) return rc;
	if (memcmp(chain[0].origin_key, id->sign_public, 32) != 0 ||
	    memcmp(chain[0].link_key, id->link_public, 32) != 0)
		return error_set(x->err, ERR_CERT_BAD, "",
		                 "the certificate is for other keys than ours");
	if (memcmp(chain[0].unit, x->token->unit, 16) != 0 || chain[0].role != x->token->role)
		return error_set(x->err, ERR_CERT_BAD, "",
		                 "the certificate is for another unit or role than the invitation");
	if (memcmp(chain[1].link_key, x->token->link_key, 32) != 0 || chain[1].role != CERT_HUB)
		return error_set(x->err, ERR_CERT_BAD, "",
		                 "the certificate was not issued by the hub that invited");
	*ret_own = chain[0];
	return 0;
}

static int config_parent(struct place *p, const struct token *t, struct error *err)
{
	char key[65];
	int rc;

	hex_text(t->link_key, 32, key);
	rc = place_config_set(p, "link.parent", t->endpoint, err);
	return rc ? rc : place_config_set(p, "link.parent_key", key, err);
}

/* The address first: without a certificate it is not used, and a crash between the two leaves joining to be repeated. */
static int keep(struct asking *x)
{
	const struct msg_joined *m = &x->answer.joined;
	struct replica *r = x->place->replica;
	int rc = config_parent(x->place, x->token, x->err);

	if (rc) return rc;
	rc = replica_begin(r);
	if (!rc && replica_cert(r)) {
		replica_rollback(r);
		return error_set(x->err, ERR_ALREADY_JOINED, "",
		                 "another process joined meanwhile");
	}
	if (!rc) {
		rc = replica_join(r, m->chain, m->chain_count, x->token->root_fingerprint);
		if (rc)
			replica_rollback(r);
		else
			rc = replica_commit(r);
	}
	if (rc && x->err) *x->err = *replica_error(r);
	return rc;
}

/* Already joined: to the hub that invites (then only its address may be new), or elsewhere. */
static int joined_before(struct place *p, const struct token *t, struct join_result *ret,
                         bool *ret_done, struct error *err)
{
	struct cert parent;
	int rc = replica_begin(p->replica);

	*ret_done = false;
	if (rc) {
		if (err) *err = *replica_error(p->replica);
		return rc;
	}
	replica_rollback(p->replica); /* it only took up what others may have written */
	if (!replica_cert(p->replica)) return 0;
	if (!replica_parent(p->replica, &parent) || memcmp(parent.link_key, t->link_key, 32) != 0 ||
	    memcmp(replica_cert(p->replica)->unit, t->unit, 16) != 0)
		return error_set(err, ERR_ALREADY_JOINED, "",
		                 "as %s, with another hub or unit than the invitation names",
		                 replica_cert(p->replica)->code);
	*ret_done = true;
	*ret = (struct join_result){.cert = *replica_cert(p->replica), .again = true};
	return config_parent(p, t, err);
}

int join_redeem(struct place *place, const struct token *token, unsigned role, uint32_t timeout_ms,
                struct join_result *ret, struct error *err)
{
	const struct config *s = &place->config;
	struct asking x = {.place = place, .token = token, .err = err};
	struct transport_config t = {.link_public = place->identity.link_public,
	                             .link_secret = place->identity.link_secret,
	                             .handshake_ivl_ms = s->handshake_ivl_ms,
	                             .connect_timeout_ms = s->connect_timeout_ms};
	bool done;
	int rc;

	if (token->role != role)
		return error_set(err, ERR_USAGE, "token",
		                 "the invitation is for a %s: use jinguo-%s",
		                 token->role == CERT_HUB ? "hub" : "node",
		                 token->role == CERT_HUB ? "hub" : "node");
	if (!config_endpoint_ok(token->endpoint, /* may_be_any= */ false))
		return error_set(err, ERR_TOKEN_FORM, "token",
		                 "the invitation names no usable address");
	rc = joined_before(place, token, ret, &done, err);
	if (rc || done) return rc;
	arena_init(&x.arena, 0);
	buf_init(&x.question, MESSAGE_BYTES_MAX);
	question_make(&x);
	rc = transport_new(&t, &x.transport, err);
	if (!rc)
		rc = ask(&x,
		         timeout_ms ? timeout_ms : s->connect_timeout_ms + s->welcome_timeout_ms);
	if (!rc && x.answer.type == MSG_REFUSE)
		rc = refused(&x);
	else if (!rc && x.answer.type != MSG_JOINED)
		rc = error_set(err, ERR_PROTOCOL, "", "the hub gave another answer");
	if (!rc) rc = chain_check(&x, &ret->cert);
	if (!rc) rc = keep(&x);
	if (!rc) ret->again = false;
	transport_free(x.transport);
	crypt_wipe(x.question.p, x.question.len);
	buf_done(&x.question);
	arena_done(&x.arena);
	return rc;
}
