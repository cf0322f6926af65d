/*
 * officer.h - whose key a sealed record is closed to: certificates of officers, signed by the province.
 *
 * A county could name a key of its own and read what its sites seal; so a writer believes nobody but a hub of his own chain at
 * the province or above, whose signature he checks himself, offline.  A recovery key is certified like an officer: its secret lies in a
 * safe.  Revoked they are as devices are (revoke.h), by the origin of their signing key.  Layout: README.md, "Officer".
 */
#ifndef PROTO_OFFICER_H
#define PROTO_OFFICER_H

#include "proto/replica.h"

enum officer_role { OFFICER_RIGHTS = 1, OFFICER_LIAISON = 2, OFFICER_RECOVERY = 3 };
enum { OFFICER_BYTES = 182, OFFICER_DAYS = 2 * 365, OFFICER_DAYS_MAX = 5 * 365 };

struct officer {
	uint8_t sign_key[32]; /* Ed25519: who it is */
	uint8_t link_key[32]; /* Curve25519: what is closed to it */
	uint8_t unit[16];
	uint8_t role; /* enum officer_role */
	int64_t not_before_ms, not_after_ms;
	uint8_t issuer[16]; /* origin of the hub that says so */
	uint8_t sign[64];
};
int officer_make(struct officer *o, const uint8_t issuer_secret[64], struct buf *out,
                 struct error *err);
int officer_open(struct span in, struct officer *ret, struct error *err); /* form only */
bool officer_signed_by(const struct officer *o, const uint8_t key[32]);

/* The two keys of a person or of a recovery file, from its seed of 32 bytes. */
struct officer_keys {
	uint8_t sign_public[32], sign_secret[64];
	uint8_t link_public[32], link_secret[32];
};
void officer_keys(const uint8_t seed[32], struct officer_keys *ret);

/* Who asks to be certified: a line of text, JGK1-..., signed by the key itself. */
struct officer_request {
	uint8_t sign_key[32], link_key[32], unit[16];
	uint8_t role;
};
void officer_request_text(const struct officer_request *q, const uint8_t sign_secret[64],
                          struct buf *out);
int officer_request_parse(const char *text, struct officer_request *ret, struct error *err);
/* Six digits that both sides see: told by telephone. */
void officer_code(const uint8_t sign_key[32], const uint8_t link_key[32], char ret[7]);

/* ---- in a replica */
struct officer_row {
	uint8_t row[16];
	struct officer o;
	int cause; /* 0: can be sealed to; ERR_CERT_BAD, ERR_CERT_EXPIRED, ERR_REVOKED */
};
/* All that are known here, oldest first; each with what a writer at this place would say of it. */
int replica_officers(struct replica *r, struct arena *a, struct officer_row **ret,
                     size_t *ret_count);
/*
 * The keys that a record of this scope is closed to: of every officer and recovery key certified for the scope's unit or one
 * above it, no two the same.  -ERR_OFFICERS: not one rights officer, or no recovery key.  -ERR_LIMIT: more than
 * ENVELOPE_RECIPIENTS_MAX.
 */
int replica_recipients(struct replica *r, uint32_t scope, struct arena *a,
                       uint8_t (**ret)[LINK_KEY], size_t *ret_count);
/* At the province or above: signs and writes the certificate, in the scope of the officer's unit.  In a transaction. */
int replica_certify_officer(struct replica *r, const struct officer_request *q, int64_t life_ms,
                            const uint8_t author[8]);
/* The hub that certified takes it back.  In a transaction. */
int replica_revoke_officer(struct replica *r, const uint8_t sign_key[32], const char *reason);

#endif
