/*
 * keys.c - see keys.h.
 */
#include "common/base.h"

#include "node/keys.h"

#include <sys/stat.h>

#include "common/crypt.h"
#include "common/ident.h"
#include "node/file.h"

enum { SEED = 32, SEED_TEXT = 2 * SEED + 1, KEY_PATH = 1100 };

int keys_seed_write(const char *path, const uint8_t seed[SEED], struct error *err)
{
	char text[SEED_TEXT + 1];
	int rc;

	if (file_exists(path)) return error_set(err, ERR_EXISTS, "", "%s", path);
	hex_text(seed, SEED, text);
	text[SEED_TEXT - 1] = '\n';
	rc = file_write(path, span_of(text, SEED_TEXT), 0600, err);
	crypt_wipe(text, sizeof(text));
	return rc;
}

bool keys_seed_parse(struct span text, uint8_t ret_seed[SEED])
{
	char copy[SEED_TEXT];
	bool good;

	if (text.len && text.p[text.len - 1] == '\n') text.len--;
	if (text.len != SEED_TEXT - 1) return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = 0;
	good = hex_parse(copy, ret_seed, SEED);
	crypt_wipe(copy, sizeof(copy));
	return good;
}

int keys_seed_read(const char *path, uint8_t ret_seed[SEED], struct error *err)
{
	struct stat s;
	struct buf b;
	int rc;

	if (lstat(path, &s)) return error_set(err, ERR_KEYS, "", "%s: %s", path, strerror(errno));
	if (!S_ISREG(s.st_mode) || (s.st_mode & 077))
		return error_set(err, ERR_KEYS, "",
		                 "%s: others may read it (mode %03o): set 600, and join again if "
		                 "it was copied",
		                 path, (unsigned)(s.st_mode & 0777));
	buf_init(&b, 128);
	rc = file_read(path, &b, err);
	if (rc) {
		if (err) err->code = ERR_KEYS;
		rc = -ERR_KEYS;
		goto out;
	}
	if (!keys_seed_parse(buf_span(&b), ret_seed))
		rc = error_set(err, ERR_KEYS, "", "%s: not 64 hexadecimal digits", path);
out:
	if (b.p) crypt_wipe(b.p, b.len);
	buf_done(&b);
	return rc;
}

static void identity_of(const uint8_t sign_seed[SEED], const uint8_t link_seed[SEED],
                        struct identity *ret)
{
	sign_keypair(sign_seed, ret->sign_public, ret->sign_secret);
	link_keypair(link_seed, ret->link_public, ret->link_secret);
	origin_of(ret->sign_public, ret->origin);
}

static bool key_paths(const char *dir, char sign[KEY_PATH], char link[KEY_PATH])
{
	return file_path(dir, "sign.key", sign, KEY_PATH) &&
	       file_path(dir, "link.key", link, KEY_PATH);
}

bool keys_exist(const char *dir)
{
	char sign[KEY_PATH], link[KEY_PATH];

	return key_paths(dir, sign, link) && file_exists(sign) && file_exists(link);
}

static int write_once(const char *path, const uint8_t seed[SEED], struct error *err)
{
	uint8_t there[SEED];
	bool same;

	if (!file_exists(path)) return keys_seed_write(path, seed, err);
	same = !keys_seed_read(path, there, NULL) && !memcmp(there, seed, SEED);
	crypt_wipe(there, sizeof(there));
	return same ? 0 : error_set(err, ERR_EXISTS, "", "%s", path);
}

int keys_write(const char *dir, const uint8_t sign_seed[SEED], const uint8_t link_seed[SEED],
               struct error *err)
{
	char sign[KEY_PATH], link[KEY_PATH];
	int rc;

	if (!key_paths(dir, sign, link))
		return error_set(err, ERR_KEYS, "", "%s: the path is too long", dir);
	rc = write_once(sign, sign_seed, err);
	return rc ? rc : write_once(link, link_seed, err);
}

int keys_make(const char *dir, const struct env *env, struct identity *ret, struct error *err)
{
	uint8_t sign_seed[SEED], link_seed[SEED];
	int rc;

	env->random(env->ctx, sign_seed, SEED);
	env->random(env->ctx, link_seed, SEED);
	rc = keys_write(dir, sign_seed, link_seed, err);
	if (!rc) identity_of(sign_seed, link_seed, ret);
	crypt_wipe(sign_seed, SEED);
	crypt_wipe(link_seed, SEED);
	return rc;
}

int keys_service(const char *dir, const char *path, bool make, const struct env *env,
                 uint8_t ret_seed[SEED], struct error *err)
{
	char own[KEY_PATH];

	if (!*path) {
		if (!file_path(dir, "service.key", own, sizeof(own)))
			return error_set(err, ERR_KEYS, "", "%s: the path is too long", dir);
		path = own;
	}
	if (!make || file_exists(path)) return keys_seed_read(path, ret_seed, err);
	env->random(env->ctx, ret_seed, SEED);
	return keys_seed_write(path, ret_seed, err);
}

int keys_seeds(const char *dir, uint8_t ret_sign[SEED], uint8_t ret_link[SEED], struct error *err)
{
	char sign[KEY_PATH], link[KEY_PATH];
	int rc;

	if (!key_paths(dir, sign, link))
		return error_set(err, ERR_KEYS, "", "%s: the path is too long", dir);
	rc = keys_seed_read(sign, ret_sign, err);
	return rc ? rc : keys_seed_read(link, ret_link, err);
}

int keys_load(const char *dir, struct identity *ret, struct error *err)
{
	uint8_t sign_seed[SEED], link_seed[SEED];
	int rc = keys_seeds(dir, sign_seed, link_seed, err);

	if (!rc) identity_of(sign_seed, link_seed, ret);
	crypt_wipe(sign_seed, SEED);
	crypt_wipe(link_seed, SEED);
	return rc;
}
