/*
 * cert.h - who may sign: root -> hub -> ... -> device, at most five links, verified offline anywhere.
 * Fixed little-endian layout, signed by the issuer's Ed25519 key.
 */
#ifndef PROTO_CERT_H
#define PROTO_CERT_H

#include "common/crypt.h"
#include "common/error.h"

enum cert_role { CERT_ROOT = 1, CERT_HUB = 2, CERT_NODE = 3 };
enum { CERT_CHAIN_MAX = 5, CERT_BYTES_MAX = 512 };

struct cert {
	uint8_t id[16];         /* BLAKE2b-128 of the signed bytes: filled by make and open */
	uint8_t origin_key[32]; /* Ed25519 */
	uint8_t link_key[32];   /* Curve25519, CURVE */
	uint8_t before
	        [16]; /* origin of the device before it, if re-enrolled; of a root: of its spare; zeros */
	uint8_t unit[16]; /* org unit */
	uint8_t role;     /* enum cert_role */
	uint8_t level;    /* enum level of the unit */
	uint8_t lanes;    /* bit (1 << lane): lanes that may come to rest here */
	int64_t not_before_ms, not_after_ms;
	uint8_t issuer[16]; /* certificate id of the issuer; zeros: self-signed root */
	char code[13];      /* division code of the unit, for people; may be "" */
	char endpoint[128]; /* hubs: where it is reached, tcp://host:port; "": not said */
	uint8_t sign[64];
};

/* Fills id and sign; out gets the bytes with the signature. */
int cert_make(struct cert *c, const uint8_t issuer_secret[64], struct buf *out, struct error *err);
int cert_open(struct span in, struct cert *ret, struct error *err); /* form only */
/* Is c signed by `issuer` (same as c: self-signed), issuer allowed to issue it (role, validity inside, a node's lanes
 * a subset; a custodian hub may hold closed lanes that the province above it does not)? */
int cert_check_issued(const struct cert *c, const struct cert *issuer, struct error *err);
/* chain[0] is the subject, chain[n-1] the root whose key hash equals root_fingerprint (BLAKE2b-256 of the key). */
int cert_check_chain(const struct cert *chain, size_t count, const uint8_t root_fingerprint[32],
                     struct error *err);
void cert_fingerprint(const uint8_t root_key[32], uint8_t ret[32]);
/* Is it signed by this key?  Says nothing of what the key may issue. */
bool cert_signed_by(const struct cert *c, const uint8_t key[32]);
/* Does the root name this key as its spare (origins are the first half of fingerprints)? */
bool cert_names_spare(const struct cert *root, const uint8_t spare_key[32]);

/* ---- invitation token: one line of text, JG1-..., base64url of msgpack */
struct token {
	char endpoint[128];   /* tcp://host:port */
	uint8_t link_key[32]; /* of the hub */
	uint8_t root_fingerprint[32];
	uint8_t secret[16];
	uint8_t unit[16];
	uint8_t role; /* enum cert_role */
	int64_t expires_ms;
	char code[13], name[97]; /* of the unit, shown before accepting */
};
/* Six digits that stand for who asks with this secret: told by telephone, so that who copied a printed invitation and came
 * first is not taken for the one it was meant for. */
void token_code(const uint8_t secret[16], const uint8_t origin_key[32], const uint8_t link_key[32],
                char ret[7]);
void token_text(const struct token *t, struct buf *out);
int token_parse(const char *text, struct token *ret,
                struct error *err); /* spaces and line ends around it are forgiven */

#endif
