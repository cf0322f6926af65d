/*
 * dossier.h - what an envelope of a case says: the author's key and signature, and values of the fields of
 * `table_case_content`.  The signature is over the content and its place: an officer who opens it knows whose word it is,
 * and nobody can put it under another case.  Layout: proto/README.md, "Envelope".
 */
#ifndef NODE_DOSSIER_H
#define NODE_DOSSIER_H

#include "common/envelope.h"
#include "common/schema.h"

enum { DOSSIER_FIELDS_MAX = 16 };
struct dossier {
	uint8_t key[32]; /* of the author */
	bool signed_well;
	size_t count;
	const struct field *fields[DOSSIER_FIELDS_MAX]; /* NULL: of a later program */
	struct value values[DOSSIER_FIELDS_MAX];        /* borrow the input */
};
/* Fields in order of their numbers.  -ERR_TOO_LONG: more than an envelope holds. */
int dossier_pack(const struct dossier *d, const struct envelope_place *at,
                 const uint8_t sign_secret[64], struct buf *out, struct error *err);
/* false: not of this form.  Says in signed_well whether the author's signature holds at this place. */
bool dossier_parse(struct span in, const struct envelope_place *at, struct dossier *ret);

#endif
