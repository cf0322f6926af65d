/*
 * enrol.h - the inviting side of enrolment: invitations, and what a stranger may do (the root: root.h).
 *
 * Only the hash of a secret is kept.  Redeeming checks secret, age, first use and possession of the key
 * and issues the certificate in one transaction, so of two devices that race with one invitation one
 * gets in.  The same device with the same keys asking again gets the same answer (its answer was lost).
 */
#ifndef HUB_ENROL_H
#define HUB_ENROL_H

#include "node/place.h"
#include "node/reactor.h"

enum { ENROL_INVITE_MS = 72 * 3600 * 1000 };
#define ENROL_PRINTED_MS (INT64_C(30) * 24 * 3600 * 1000)

/*
 * Makes an invitation for a unit at or below ours.  role: CERT_NODE or CERT_HUB.  expires_ms: how long from
 * now, 0: 72 hours.  The token's text, one line without line end, is appended to out; ret may be NULL.
 * -ERR_NOT_JOINED: this hub has no certificate; -ERR_NOT_FOUND: no such unit; -ERR_NOT_YOURS: the unit is not below ours;
 * -ERR_CONFIG: no endpoint to name (link.public or link.listen with a port).
 */
int enrol_invite(struct place *p, const uint8_t unit[16], unsigned role, int64_t expires_ms,
                 struct buf *out, struct token *ret, struct error *err);
/* The same for a printed sheet: 30 days, and who redeems it waits until a person has approved him by his six digits. */
int enrol_invite_printed(struct place *p, const uint8_t unit[16], unsigned role, int64_t expires_ms,
                         struct buf *out, struct token *ret, struct error *err);
/* Lets in who was told by telephone.  -ERR_WRONG_CODE: nobody with these digits waits; -ERR_BUSY: too many wrong ones in
 * this minute. */
int enrol_approve(struct place *p, const char *code, uint8_t ret_unit[16], struct error *err);
/* Who waits: unit and since when. */
struct enrol_waiting {
	uint8_t unit[16], origin[16];
	int64_t since_ms;
};
int enrol_waiting(struct place *p, struct arena *a, struct enrol_waiting **ret, size_t *ret_count,
                  struct error *err);
/* The same by division code; -ERR_NOT_FOUND. */
int enrol_invite_code(struct place *p, const char *code, unsigned role, int64_t expires_ms,
                      struct buf *out, struct token *ret, struct error *err);
/* id of the org unit with this division code, alive; -ERR_NOT_FOUND. */
int enrol_unit_by_code(struct place *p, const char *code, uint8_t ret_unit[16], struct error *err);

/* What the reactor calls for strangers.  Keeps the count of wrong secrets. */
struct enrol;
struct enrol *enrol_new(const struct place *p);
void enrol_free(struct enrol *e);
const struct reactor_strangers *enrol_strangers(struct enrol *e); /* lives as long as e */

#endif
