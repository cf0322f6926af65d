/*
 * form.h - what the two forms of a changeset share inside this room (changeset.c, body.c,
 * segment.c).
 * Not a contract for other rooms.
 */
#ifndef PROTO_FORM_H
#define PROTO_FORM_H

#include "proto/changeset.h"

/* Kinds with slots, values, olds and clock groups; all others are opaque bytes. */
static inline bool op_has_fields(uint8_t kind)
{
	return kind == OP_INSERT || kind == OP_UPDATE || kind == OP_PROPOSAL;
}
static inline bool op_has_olds(uint8_t kind)
{
	return kind == OP_UPDATE || kind == OP_PROPOSAL;
}
/* An INSERT whose row id says its stamp and run: the id and the clock cost nothing. */
bool op_row_implied(const struct op *op, uint64_t run);

/* The rules of changeset.h that both forms rely on and no decoder lets through.  -ERR_PROTOCOL. */
int changeset_check_form(const struct changeset *c, struct error *err);
int op_check_form(const struct op *op, struct error *err);

/* As body_decode, but borrows from `in`, and without the check that `in` is what encode would write:
 * for bodies that passed body_decode before. */
int body_decode_trusted(struct span in, uint64_t first_seq, size_t count, const uint64_t *runs,
                        size_t runs_count, struct arena *a, struct changeset **ret,
                        struct error *err);
/* As body_decode, but borrows from `in`.  seed: of a hash of these bytes or of those they were squeezed to; whoever makes a body
 * cannot choose it apart from them. */
int body_decode_borrowed(struct span in, uint64_t first_seq, size_t count, const uint64_t *runs,
                         size_t runs_count, uint64_t seed, struct arena *a, struct changeset **ret,
                         struct error *err);

#endif
