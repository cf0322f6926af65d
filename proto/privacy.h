/*
 * privacy.h - persons who withdrew their consent, whose data is kept and not used; and rows that were erased.
 *
 * A withdrawal is an ordinary row of the county lane, in the scope of the person's row: admitted, replicated, merged like any other.  Its id is derived
 * from the person's, so that two who write it down at once write one row.  While it lives, the person is frozen.
 *
 * An erasure is an ordinary row of the open lane, in the scope of the row that it names by id.  Wherever it is merged the fields of that row in the
 * county lane are blanked that no figure counts and that refer to no other row, and with them every body of the journal and
 * the tail that says them (erase.c); what comes later is cut when it arrives.  Clocks stay, and with them what agrees.
 * README.md, "Privacy", is the specification.  Errors: -ERR_x, as those of replica.h.
 */
#ifndef PROTO_PRIVACY_H
#define PROTO_PRIVACY_H

#include "proto/replica.h"

void withdrawal_id(const uint8_t person[16], uint8_t ret[16]);
void erasure_id(const uint8_t target[16], uint8_t ret[16]);
/* Did this person withdraw consent, as far as it is known here?  Where nobody did it costs nothing but the first call in a
 * transaction. */
int replica_frozen(struct replica *r, const uint8_t person[16], bool *ret);
/* Was what a row of this scope says erased?  scope 0: of any. */
int replica_erased(struct replica *r, const uint8_t row[16], uint32_t scope, bool *ret);
/*
 * May an author of this level say what an operation says?  *ret_code: ERR_ERASED (its row), ERR_FROZEN (a person of whom it
 * speaks, as the row itself or in the field *ret_field), ERR_CLOSED_NAMED (an open objection to a closed correction), 0: he
 * may.  A frozen person's record may be corrected by the county level; what was erased by nobody.
 */
int replica_may_say(struct replica *r, const struct op *op, unsigned lane, unsigned level,
                    int *ret_code, uint8_t *ret_field);
/* Slots of a lane that an erasure blanks; t NULL: of a table that this build does not know. */
uint64_t erasable_slots(const struct table *t, unsigned lane);

#endif
