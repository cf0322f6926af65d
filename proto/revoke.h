/*
 * revoke.h - a device that is no more: stolen, lost, in foreign hands.
 *
 * Its own parent, or a hub above, says so in a signed entry that travels up, down and to every hub.  It names the heads of all
 * branches of the device's streams that the parent had judged: what lies in their chains stays as it is, whatever comes when;
 * everything else that the device signed, with whatever stamps, waits for a person (4114), who may let it in by number.
 * Layout: README.md, "Revocation".
 */
#ifndef PROTO_REVOKE_H
#define PROTO_REVOKE_H

#include "proto/replica.h"

enum { REVOKE_REASON_MAX = 200, REVOKE_HEADS_MAX = 1024 };
struct revocation {
	uint8_t scope[16];  /* the top of the tree: so it goes everywhere */
	uint8_t origin[16]; /* the device */
	uint8_t hub[16];    /* who says so */
	int64_t at_ms;
	char reason[REVOKE_REASON_MAX + 1];
	size_t heads_count;
	const uint8_t *
	        heads; /* hashes of segments, 32 bytes each, ascending; in the memory of the input */
};
int revocation_make(const struct revocation *v, const uint8_t sign_secret[64], struct buf *out,
                    struct error *err);
int revocation_open(struct span in, struct revocation *ret, struct error *err); /* form only */

/* A device of ours is revoked, after all that came from it was applied.  -ERR_NOT_FOUND: not a device of ours;
 * -ERR_REVOKED: it is already; -ERR_USAGE: a hub, or no reason. */
int replica_revoke(struct replica *r, const uint8_t origin[16], const char *reason);
/* Did this hub revoke the holder of this origin: a device or, by the origin of its signing key, an officer (officer.h)? */
int revocation_by(struct replica *r, const uint8_t origin[16], const uint8_t hub[16], bool *ret);
/* All that are known here, oldest first. */
int replica_revocations(struct replica *r, struct arena *a, struct revocation **ret,
                        size_t *ret_count);

#endif
