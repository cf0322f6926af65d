/*
 * unseal.c - see unseal.h.
 */
#include "common/base.h"

#include "node/unseal.h"

bool unseal_key(const struct envelope *e, const uint8_t link_public[LINK_KEY],
                const uint8_t link_secret[LINK_KEY], uint8_t ret_key[SEAL_KEY])
{
	const uint8_t *wrap = envelope_wrap(e, link_public);
	uint8_t commit[32];

	if (!wrap || !box_open(link_public, link_secret,
	                       span_of(wrap + ENVELOPE_ID, SEAL_KEY + BOX_MORE), ret_key))
		return false;
	envelope_commit(ret_key, commit);
	if (crypt_equal(commit, e->commit, sizeof(commit))) return true;
	crypt_wipe(ret_key, SEAL_KEY);
	return false;
}

bool unseal_content(const struct envelope *e, const struct envelope_place *at,
                    const uint8_t key[SEAL_KEY], struct buf *ret)
{
	uint8_t commit[32], *plain;
	size_t size, len = 0;
	struct buf about;
	bool good;

	envelope_commit(key, commit);
	if (e->kind != ENVELOPE_CONTENT || !crypt_equal(commit, e->commit, sizeof(commit)))
		return false;
	size = e->sealed.len - SEAL_TAG;
	buf_reset(ret);
	plain = buf_take(ret, size);
	if (!plain) return false;
	buf_init(&about, 2 * ENVELOPE_BYTES_MAX);
	envelope_about(e->head, at, &about);
	good = seal_open(key, e->nonce, buf_span(&about), e->sealed, plain) &&
	       crypt_unpad(plain, size, &len);
	buf_done(&about);
	ret->len = good ? len : 0;
	return good;
}
