/*
 * crypt.c - libsodium behind our own names; see crypt.h.
 *
 * What cannot fail with right arguments is asserted, not returned: a caller has
 * nothing sensible to do about a hash that was not computed.
 */
#include "common/base.h"

#include "common/crypt.h"

#include <sodium.h>

static_assert(sizeof(struct hash) >= sizeof(crypto_generichash_state),
              "struct hash holds libsodium's state");
static_assert(SIGN_BYTES == crypto_sign_BYTES, "Ed25519");
static_assert(SIGN_PUBLIC == crypto_sign_PUBLICKEYBYTES, "Ed25519");
static_assert(SIGN_SECRET == crypto_sign_SECRETKEYBYTES, "Ed25519");
static_assert(LINK_KEY == crypto_box_PUBLICKEYBYTES, "Curve25519");
static_assert(LINK_KEY == crypto_box_SECRETKEYBYTES, "Curve25519");

int crypt_init(void)
{
	return sodium_init() < 0 ? -1 : 0;
}

static crypto_generichash_state *state_of(struct hash *h)
{
	return (crypto_generichash_state *)(void *)h->opaque;
}

/* libsodium names 16 bytes the least, for collisions; it computes shorter ones, and a run needs 8. */
void hash_begin(struct hash *h, size_t out_bytes)
{
	int rc;

	assert(out_bytes >= 8 && out_bytes <= crypto_generichash_BYTES_MAX);
	rc = crypto_generichash_init(state_of(h), NULL, 0, out_bytes);
	assert(rc == 0);
	(void)rc;
}

void hash_add(struct hash *h, const void *p, size_t len)
{
	if (len) crypto_generichash_update(state_of(h), p, len);
}

void hash_end(struct hash *h, uint8_t *ret, size_t out_bytes)
{
	int rc = crypto_generichash_final(state_of(h), ret, out_bytes);

	assert(rc == 0);
	(void)rc;
}

void hash_of(struct span s, uint8_t *ret, size_t out_bytes)
{
	int rc;

	assert(out_bytes >= 8 && out_bytes <= crypto_generichash_BYTES_MAX);
	rc = crypto_generichash(ret, out_bytes, s.p, s.len, NULL, 0);
	assert(rc == 0);
	(void)rc;
}

void sign_keypair(const uint8_t seed[32], uint8_t ret_public[32], uint8_t ret_secret[64])
{
	crypto_sign_seed_keypair(ret_public, ret_secret, seed);
}

void sign_make(struct span message, const uint8_t secret[64], uint8_t ret_sign[64])
{
	int rc = crypto_sign_detached(ret_sign, NULL, message.p, message.len, secret);

	assert(rc == 0);
	(void)rc;
}

bool sign_check(struct span message, const uint8_t sign[64], const uint8_t public_key[32])
{
	return crypto_sign_verify_detached(sign, message.p, message.len, public_key) == 0;
}

void link_keypair(const uint8_t seed[32], uint8_t ret_public[32], uint8_t ret_secret[32])
{
	crypto_box_seed_keypair(ret_public, ret_secret, seed);
}

void origin_of(const uint8_t public_key[32], uint8_t ret_origin[16])
{
	uint8_t digest[HASH_BYTES];

	hash_of(span_of(public_key, SIGN_PUBLIC), digest, sizeof(digest));
	memcpy(ret_origin, digest, 16);
}

static_assert(SEAL_KEY == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "XChaCha20-Poly1305");
static_assert(SEAL_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "XChaCha20-Poly1305");
static_assert(SEAL_TAG == crypto_aead_xchacha20poly1305_ietf_ABYTES, "XChaCha20-Poly1305");
static_assert(PASSWORD_SALT == crypto_pwhash_argon2id_SALTBYTES, "Argon2id");

void seal_make(const uint8_t key[SEAL_KEY], const uint8_t nonce[SEAL_NONCE], struct span about,
               struct span plain, uint8_t *ret)
{
	int rc = crypto_aead_xchacha20poly1305_ietf_encrypt(ret, NULL, plain.p, plain.len, about.p,
	                                                    about.len, NULL, nonce, key);

	assert(rc == 0);
	(void)rc;
}

bool seal_open(const uint8_t key[SEAL_KEY], const uint8_t nonce[SEAL_NONCE], struct span about,
               struct span sealed, uint8_t *ret)
{
	return sealed.len >= SEAL_TAG &&
	       crypto_aead_xchacha20poly1305_ietf_decrypt(ret, NULL, NULL, sealed.p, sealed.len,
	                                                  about.p, about.len, nonce, key) == 0;
}

static_assert(BOX_MORE == crypto_box_SEALBYTES, "sealed box");
static_assert(crypto_core_hchacha20_INPUTBYTES == 16, "HChaCha20");

/* XChaCha20: a key of its own from the first 16 bytes of the nonce (HChaCha20), then ChaCha20 with the other 8. */
static void sub_key(const uint8_t key[SEAL_KEY], const uint8_t salt[16], uint8_t ret[SEAL_KEY])
{
	crypto_core_hchacha20(ret, salt, key, NULL);
}

void sealer_init(struct sealer *s, const uint8_t key[SEAL_KEY], const uint8_t salt[16])
{
	memcpy(s->key, key, SEAL_KEY);
	memcpy(s->salt, salt, 16);
	sub_key(key, salt, s->sub);
	memcpy(s->met_salt, salt, 16);
	memcpy(s->met_sub, s->sub, SEAL_KEY);
	s->counter = 0;
}

void sealer_done(struct sealer *s)
{
	sodium_memzero(s, sizeof(*s));
}

void sealer_close(struct sealer *s, struct span about, struct span plain, uint8_t *ret)
{
	uint8_t nonce[12] = {0};

	s->counter++;
	for (unsigned i = 0; i < 8; i++) nonce[4 + i] = (uint8_t)(s->counter >> 8 * i);
	memcpy(ret, s->salt, 16);
	memcpy(ret + 16, nonce + 4, 8);
	crypto_aead_chacha20poly1305_ietf_encrypt(ret + SEAL_NONCE, NULL, plain.p, plain.len,
	                                          about.p, about.len, NULL, nonce, s->sub);
}

bool sealer_open(struct sealer *s, struct span about, struct span sealed, uint8_t *ret)
{
	uint8_t nonce[12] = {0};

	if (sealed.len < SEALED_MORE) return false;
	if (memcmp(sealed.p, s->met_salt, 16) != 0) {
		memcpy(s->met_salt, sealed.p, 16);
		sub_key(s->key, s->met_salt, s->met_sub);
	}
	memcpy(nonce + 4, sealed.p + 16, 8);
	return crypto_aead_chacha20poly1305_ietf_decrypt(ret, NULL, NULL, sealed.p + SEAL_NONCE,
	                                                 sealed.len - SEAL_NONCE, about.p,
	                                                 about.len, nonce, s->met_sub) == 0;
}

void box_close(const uint8_t to_public[LINK_KEY], struct span plain, uint8_t *ret)
{
	int rc = crypto_box_seal(ret, plain.p, plain.len, to_public);

	assert(rc == 0);
	(void)rc;
}

/* crypto_box_seal, with the chance from outside: the same form, so that box_open opens it. */
void box_close_from(const uint8_t seed[32], const uint8_t to_public[LINK_KEY], struct span plain,
                    uint8_t *ret)
{
	uint8_t secret[LINK_KEY], nonce[crypto_box_NONCEBYTES];
	struct hash h;
	int rc = crypto_box_seed_keypair(ret, secret, seed);

	assert(rc == 0);
	hash_begin(&h, sizeof(nonce));
	hash_add(&h, ret, LINK_KEY);
	hash_add(&h, to_public, LINK_KEY);
	hash_end(&h, nonce, sizeof(nonce));
	rc = crypto_box_easy(ret + LINK_KEY, plain.p, plain.len, nonce, to_public, secret);
	sodium_memzero(secret, sizeof(secret));
	assert(rc == 0); /* link_key_good */
	(void)rc;
}

bool link_key_good(const uint8_t key[LINK_KEY])
{
	static const uint8_t any[LINK_KEY] = {1};
	uint8_t shared[LINK_KEY];

	return crypto_scalarmult(shared, any, key) == 0;
}

void crypt_pad(uint8_t *p, size_t len, size_t size)
{
	size_t padded;
	int rc = sodium_pad(&padded, p, len, size, size);

	assert(rc == 0 && padded == size && len < size);
	(void)rc;
}

bool crypt_unpad(const uint8_t *p, size_t size, size_t *ret_len)
{
	return sodium_unpad(ret_len, p, size, size) == 0;
}

bool box_open(const uint8_t public_key[LINK_KEY], const uint8_t secret[LINK_KEY],
              struct span sealed, uint8_t *ret)
{
	return sealed.len >= BOX_MORE &&
	       crypto_box_seal_open(ret, sealed.p, sealed.len, public_key, secret) == 0;
}

bool password_key(struct span password, const uint8_t salt[PASSWORD_SALT], uint32_t passes,
                  uint32_t kib, uint8_t ret_key[SEAL_KEY])
{
	if (passes < 1 || passes > PASSWORD_PASSES_MAX || kib < 8 || kib > PASSWORD_KIB_MAX)
		return false;
	return crypto_pwhash(ret_key, SEAL_KEY, (const char *)password.p, password.len, salt,
	                     passes, (size_t)kib * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

bool crypt_equal(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

void crypt_wipe(void *p, size_t len)
{
	sodium_memzero(p, len);
}

void base64_text(struct span s, struct buf *out)
{
	/* 48 bytes are 64 characters: whole groups, so that the pieces can be put together. */
	for (size_t at = 0; at < s.len; at += 48) {
		size_t len = s.len - at < 48 ? s.len - at : 48;
		char text[65];

		sodium_bin2base64(text, sizeof(text), s.p + at, len,
		                  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
		buf_text(out, text);
	}
}

bool base64_parse(const char *text, struct buf *out)
{
	size_t before = out->len, chars = text ? strlen(text) : 0, bytes = 0;
	uint8_t *p;

	if (!text) return false;
	p = buf_take(out, chars / 4 * 3 + (chars % 4 ? chars % 4 - 1 : 0));
	if (!p) return false;
	if (sodium_base642bin(p, out->len - before, text, chars, NULL, &bytes, NULL,
	                      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0) {
		out->len = before;
		return false;
	}
	out->len = before + bytes;
	return true;
}
