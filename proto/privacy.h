/*
 * privacy.h - persons who withdrew their consent: what is held of them is kept and not used.
 *
 * A withdrawal is an ordinary row of the county lane, in the scope of the person's row: admitted, replicated, merged like any other.  Its id is derived
 * from the person's, so that two who write it down at once write one row.  While it lives, the person is frozen.
 * README.md, "Privacy", is the specification.  Errors: -ERR_x, as those of replica.h.
 */
#ifndef PROTO_PRIVACY_H
#define PROTO_PRIVACY_H

#include "proto/replica.h"

void withdrawal_id(const uint8_t person[16], uint8_t ret[16]);
/* Did this person withdraw consent, as far as it is known here?  Where nobody did it costs nothing but the first call in a
 * transaction. */
int replica_frozen(struct replica *r, const uint8_t person[16], bool *ret);
/* The person, frozen, of whom an operation or a local write speaks: the row itself, or one that a field of it refers to.
 * *ret_field: the number of that field, 0 the row; *ret false: nobody. */
int replica_frozen_op(struct replica *r, const struct op *op, unsigned lane, uint8_t *ret_field,
                      bool *ret);
/* Of these levels a frozen row may be written: a mistake in it is theirs to correct. */
bool level_thaws(unsigned level);

#endif
