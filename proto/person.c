/*
 * person.c - see person.h.  Signed: `JGP`, format 1, scope 16, lane u8, row form with sequence 0 and without signature.
 */
#include "common/base.h"

#include "proto/person.h"

#include "common/crypt.h"

void person_of(const uint8_t key[32], uint8_t ret_person[8])
{
	hash_of(span_of(key, 32), ret_person, 8);
}

static void digest(const struct changeset *c, const uint8_t scope[16], unsigned lane,
                   uint8_t ret[HASH_BYTES])
{
	struct changeset plain = *c;
	struct buf b;

	plain.seq = 0;
	plain.person_sign = (struct span){NULL, 0};
	buf_init(&b, 2 * BODY_BYTES_MAX);
	buf_add(&b, "JGP\1", 4);
	buf_add(&b, scope, 16);
	buf_u8(&b, (uint8_t)lane);
	changeset_pack(&plain, &b);
	assert(!b.full);
	hash_of(buf_span(&b), ret, HASH_BYTES);
	buf_done(&b);
}

void person_sign(const struct changeset *c, const uint8_t scope[16], unsigned lane,
                 const uint8_t secret[64], uint8_t ret_sign[64])
{
	uint8_t d[HASH_BYTES];

	digest(c, scope, lane, d);
	sign_make(span_of(d, sizeof(d)), secret, ret_sign);
}

bool person_check(const struct changeset *c, const uint8_t scope[16], unsigned lane,
                  const uint8_t key[32])
{
	uint8_t d[HASH_BYTES], person[8];

	person_of(key, person);
	if (c->person_sign.len != SIGN_BYTES || memcmp(person, c->author, 8) != 0) return false;
	digest(c, scope, lane, d);
	return sign_check(span_of(d, sizeof(d)), c->person_sign.p, key);
}
