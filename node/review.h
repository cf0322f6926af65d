/*
 * review.h - a decision about somebody else's record, signed by who decides: who may make it, and whether one that came
 * is good.  The same rules at the author and at the judge.
 *
 * Good is a step whose changeset carries the signature of its author (proto/person.h) by a key that the level above has
 * certified (a row of person_cert) for a role that decides, and whose author did not enter the record herself.
 */
#ifndef NODE_REVIEW_H
#define NODE_REVIEW_H

#include "proto/replica.h"

/* *ret_code: 0, or why not: ERR_UNSIGNED, ERR_UNCERTIFIED, ERR_SELF_REVIEW. */
int review_judge(struct replica *r, const struct judged *j, int *ret_code);
/* May this person decide about this row?  As far as it is known here. */
int review_may(struct replica *r, const uint8_t person[8], const uint8_t of[16], int *ret_code);

#endif
