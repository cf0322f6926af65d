/*
 * person.h - a person's own signature under a changeset: what takes a second person, approvals and review steps.
 *
 * The device signs the segment; that says where something was written.  Who did it is said by the author's 8 bytes, which
 * anybody at that device can set.  Where it matters the changeset also carries a signature by the key of the author's
 * account, which her password alone opens, over what the changeset does: any hub or province can check it, years
 * later, from the row of her account.
 */
#ifndef PROTO_PERSON_H
#define PROTO_PERSON_H

#include "proto/changeset.h"

/* The author's number: hash-8 of her key. */
void person_of(const uint8_t key[32], uint8_t ret_person[8]);
/* Over scope, lane and the changeset as it will stand in its stream, but for its sequence and this signature. */
void person_sign(const struct changeset *c, const uint8_t scope[16], unsigned lane,
                 const uint8_t secret[64], uint8_t ret_sign[64]);
/* false: none, another's, or not of this changeset; key is the author's. */
bool person_check(const struct changeset *c, const uint8_t scope[16], unsigned lane,
                  const uint8_t key[32]);

#endif
