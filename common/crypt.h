/*
 * crypt.h - the one door to libsodium: BLAKE2b, Ed25519, Curve25519 link keys, XChaCha20-Poly1305,
 * Argon2id, base64url.
 * Suite 1 of the formats.  crypt_init() once per process before anything else.
 */
#ifndef COMMON_CRYPT_H
#define COMMON_CRYPT_H

#include "common/buf.h"

enum { HASH_BYTES = 32, SIGN_BYTES = 64, SIGN_PUBLIC = 32, SIGN_SECRET = 64, LINK_KEY = 32 };

int crypt_init(void); /* 0, or -1 when the library refuses */

struct hash {
	uint8_t opaque[384] __attribute__((aligned(64)));
};
void hash_begin(struct hash *h, size_t out_bytes);
void hash_add(struct hash *h, const void *p, size_t len);
void hash_end(struct hash *h, uint8_t *ret, size_t out_bytes);
void hash_of(struct span s, uint8_t *ret, size_t out_bytes); /* BLAKE2b, 8..64 bytes */

void sign_keypair(const uint8_t seed[32], uint8_t ret_public[32], uint8_t ret_secret[64]);
void sign_make(struct span message, const uint8_t secret[64], uint8_t ret_sign[64]);
bool sign_check(struct span message, const uint8_t sign[64], const uint8_t public_key[32]);
void link_keypair(const uint8_t seed[32], uint8_t ret_public[32], uint8_t ret_secret[32]);
/* origin = the first 16 bytes of the BLAKE2b-256 hash of the Ed25519 key */
void origin_of(const uint8_t public_key[32], uint8_t ret_origin[16]);
bool crypt_equal(const void *a, const void *b, size_t len); /* constant time */
void crypt_wipe(void *p, size_t len);

/* Authenticated encryption (XChaCha20-Poly1305): a nonce of 24 bytes is never used twice with a key. */
enum { SEAL_KEY = 32, SEAL_NONCE = 24, SEAL_TAG = 16 };
/* ret: plain.len + SEAL_TAG bytes; may not overlap. */
void seal_make(const uint8_t key[SEAL_KEY], const uint8_t nonce[SEAL_NONCE], struct span about,
               struct span plain, uint8_t *ret);
/* ret: sealed.len - SEAL_TAG bytes; false: another key, or altered. */
NODISCARD bool seal_open(const uint8_t key[SEAL_KEY], const uint8_t nonce[SEAL_NONCE],
                         struct span about, struct span sealed, uint8_t *ret);
/*
 * Many small things under one key: each begins with its nonce, 16 bytes drawn by the caller for this sealer and a counter
 * of 8, so that no randomness is asked for, and half of the work done once.  The form is that of seal_make behind its
 * nonce, of any nonce.
 */
enum { SEALED_MORE = SEAL_NONCE + SEAL_TAG };
struct sealer {
	uint8_t key[SEAL_KEY], salt[16], sub[SEAL_KEY], met_salt[16], met_sub[SEAL_KEY];
	uint64_t counter;
};
void sealer_init(struct sealer *s, const uint8_t key[SEAL_KEY], const uint8_t salt[16]);
void sealer_done(struct sealer *s);
void sealer_close(struct sealer *s, struct span about, struct span plain,
                  uint8_t *ret); /* plain.len + SEALED_MORE */
NODISCARD bool sealer_open(struct sealer *s, struct span about, struct span sealed,
                           uint8_t *ret); /* sealed.len - SEALED_MORE */
/* To the holder of a Curve25519 secret, from nobody: 48 bytes more than the plain text. */
enum { BOX_MORE = 48 };
void box_close(const uint8_t to_public[LINK_KEY], struct span plain, uint8_t *ret);
/* The same, of chance that the caller drew: its key of this once is that of link_keypair(seed). */
void box_close_from(const uint8_t seed[32], const uint8_t to_public[LINK_KEY], struct span plain,
                    uint8_t *ret);
NODISCARD bool box_open(const uint8_t public_key[LINK_KEY], const uint8_t secret[LINK_KEY],
                        struct span sealed, uint8_t *ret);
/* false: a point of small order, to which everybody has the secret. */
bool link_key_good(const uint8_t key[LINK_KEY]);
/* ISO 7816-4: one byte 0x80 and zeros, up to size (above len). */
void crypt_pad(uint8_t *p, size_t len, size_t size);
NODISCARD bool crypt_unpad(const uint8_t *p, size_t size, size_t *ret_len);
/*
 * A key from a password: Argon2id 1.3, one lane.  Bounds are checked before memory is taken: passes 1..10,
 * 8 KiB..1 GiB.  false: outside of them, or the memory is not to be had.
 */
enum { PASSWORD_SALT = 16, PASSWORD_PASSES_MAX = 10, PASSWORD_KIB_MAX = 1 << 20 };
NODISCARD bool password_key(struct span password, const uint8_t salt[PASSWORD_SALT],
                            uint32_t passes, uint32_t kib, uint8_t ret_key[SEAL_KEY]);

void base64_text(struct span s, struct buf *out); /* url alphabet, no padding */
bool base64_parse(const char *text, struct buf *out);

#endif
