/*
 * join.h - the invited side of enrolment: redeems an invitation at the hub that it names.
 *
 * The hub's CURVE key stands in the token, so the first byte already goes to the right machine; the
 * answer's chain must end in the root whose fingerprint stands there too.  Only then is anything stored.
 * A lost answer is no loss: the same device asks again with the same token and gets the same answer.
 */
#ifndef NODE_JOIN_H
#define NODE_JOIN_H

#include "node/place.h"

struct join_result {
	struct cert cert; /* our own certificate */
	bool again; /* was joined to the same hub before: nothing was changed but the endpoint */
};

/*
 * place: open; a daemon that runs there may go on, it notices.  role: what this program is for (CERT_NODE, CERT_HUB); a token of the other role is
 * refused with ERR_USAGE.  timeout_ms 0: the configuration's.
 * -ERR_INVITE_OLD, -ERR_INVITE_USED, -ERR_INVITE_UNKNOWN, -ERR_UNREACHABLE, -ERR_WRONG_KEY, -ERR_VERSION,
 * -ERR_CERT_BAD, -ERR_ALREADY_JOINED (to another hub).
 */
int join_redeem(struct place *place, const struct token *token, unsigned role, uint32_t timeout_ms,
                struct join_result *ret, struct error *err);

#endif
