/*
 * rest.c - see rest.h.
 *
 * Records of the table `secret`, msgpack:
 *   rest:service   [1, nonce 24, sealed 48]: XChaCha20-Poly1305 of the key under hash-32("jinguo rest service",
 *                  credential), about the record's name
 *   rest:recovery  [1, Curve25519 key 32, sealed box 80]
 *   rest:sign, rest:link   of a hub, in that form: the seeds of its keys
 */
#include "common/base.h"

#include "node/rest.h"

#include "common/crypt.h"
#include "common/pack.h"
#include "common/reader.h"
#include "node/file.h"
#include "node/keys.h"

enum { RECORD_MAX = 256 };
static const char service_name[] = "rest:service", recovery_name[] = "rest:recovery",
                  sign_name[] = "rest:sign", link_name[] = "rest:link";

void rest_secret_pack(const struct rest_secret *s, struct buf *out)
{
	pack_array(out, 3);
	pack_uint(out, 1);
	pack_bytes(out, s->nonce, sizeof(s->nonce));
	pack_bytes(out, s->sealed, sizeof(s->sealed));
}

bool rest_secret_parse(struct span s, struct rest_secret *ret)
{
	struct rest_secret got;
	struct reader r;

	reader_init(&r, s);
	reader_expect_array(&r, 3);
	if (reader_uint(&r, 1) != 1) return false;
	reader_fixed(&r, got.nonce, sizeof(got.nonce));
	reader_fixed(&r, got.sealed, sizeof(got.sealed));
	if (!reader_done(&r)) return false;
	*ret = got;
	return true;
}

void rest_box_pack(const struct rest_box *b, struct buf *out)
{
	pack_array(out, 3);
	pack_uint(out, 1);
	pack_bytes(out, b->to, sizeof(b->to));
	pack_bytes(out, b->box, sizeof(b->box));
}

bool rest_box_parse(struct span s, struct rest_box *ret)
{
	struct rest_box got;
	struct reader r;

	reader_init(&r, s);
	reader_expect_array(&r, 3);
	if (reader_uint(&r, 1) != 1) return false;
	reader_fixed(&r, got.to, sizeof(got.to));
	reader_fixed(&r, got.box, sizeof(got.box));
	if (!reader_done(&r)) return false;
	*ret = got;
	return true;
}

static int failed(struct store *st, int rc, struct error *err)
{
	if (err) *err = *store_error(st);
	return rc;
}

static void service_key(const uint8_t seed[32], uint8_t ret[SEAL_KEY])
{
	static const char what[] = "jinguo rest service";
	struct hash h;

	hash_begin(&h, SEAL_KEY);
	hash_add(&h, what, sizeof(what) - 1);
	hash_add(&h, seed, 32);
	hash_end(&h, ret, SEAL_KEY);
}

static struct span about(void)
{
	return span_of(service_name, sizeof(service_name) - 1);
}

int rest_give(struct store *st, const struct env *env, const uint8_t key[SEAL_KEY],
              struct error *err)
{
	uint8_t salt[16];
	int rc;

	env->random(env->ctx, salt, sizeof(salt));
	rc = store_rest(st, key, salt);
	return rc ? failed(st, rc, err) : 0;
}

/* once: not where there is a record already; *ret_kept says. */
static int keep(struct store *st, const char *name, const struct buf *b, bool once, bool *ret_kept,
                struct error *err)
{
	struct span there = {NULL, 0};
	struct arena a;
	int rc = store_begin(st);

	arena_init(&a, 0);
	if (!rc && once) rc = store_secret_get(st, name, &a, &there);
	*ret_kept = !rc && !there.len;
	if (*ret_kept) {
		rc = store_secret_put(st, name, buf_span(b));
		rc = rc ? rc : store_commit(st);
	}
	if (rc) failed(st, rc, err);
	if (store_in_transaction(st)) store_rollback(st);
	arena_done(&a);
	return rc;
}

static int keep_service(struct store *st, const struct env *env, const uint8_t seed[32],
                        const uint8_t key[SEAL_KEY], bool once, bool *ret_kept, struct error *err)
{
	struct rest_secret s;
	uint8_t wrap[SEAL_KEY];
	struct buf b;
	int rc;

	env->random(env->ctx, s.nonce, sizeof(s.nonce));
	service_key(seed, wrap);
	seal_make(wrap, s.nonce, about(), span_of(key, SEAL_KEY), s.sealed);
	crypt_wipe(wrap, sizeof(wrap));
	buf_init(&b, RECORD_MAX);
	rest_secret_pack(&s, &b);
	rc = keep(st, service_name, &b, once, ret_kept, err);
	buf_done(&b);
	return rc;
}

/* Key and credential of a database that has neither.  *ret_made false: another process was quicker. */
static int make(struct store *st, const struct env *env, const char *dir, const char *service,
                bool *ret_made, struct error *err)
{
	uint8_t seed[32], key[SEAL_KEY];
	int rc = keys_service(dir, service, /* make= */ true, env, seed, err);

	*ret_made = false;
	if (rc) return rc;
	env->random(env->ctx, key, sizeof(key));
	rc = keep_service(st, env, seed, key, /* once= */ true, ret_made, err);
	if (!rc && *ret_made) rc = rest_give(st, env, key, err);
	crypt_wipe(seed, sizeof(seed));
	crypt_wipe(key, sizeof(key));
	return rc;
}

static bool is_there(const char *dir, const char *service)
{
	char path[1100];

	if (*service) return file_exists(service);
	return file_path(dir, "service.key", path, sizeof(path)) && file_exists(path);
}

/* *ret_again: another process made key and credential meanwhile: to be tried once more. */
static int open_once(struct store *st, const struct env *env, const char *dir, const char *service,
                     bool read_only, bool *ret_service, bool *ret_again, struct error *err)
{
	uint8_t seed[32], wrap[SEAL_KEY], key[SEAL_KEY];
	struct rest_secret s;
	struct span record;
	struct arena a;
	bool good, any;
	int rc;

	*ret_service = false;
	arena_init(&a, 0);
	rc = store_secret_get(st, service_name, &a, &record);
	any = !rc && record.len > 0;
	good = any && rest_secret_parse(record, &s);
	arena_done(&a);
	if (rc) return failed(st, rc, err);
	if (any && !good)
		return error_set(err, ERR_DATABASE_DAMAGED, "", "the record %s", service_name);
	if (!any && (read_only || store_closed(st))) return 0;
	if (!any) {
		rc = make(st, env, dir, service, ret_service, err);
		*ret_again = !rc && !*ret_service;
		return rc;
	}
	if (!is_there(dir, service)) return 0;
	rc = keys_service(dir, service, /* make= */ false, NULL, seed, err);
	if (rc) return rc;
	service_key(seed, wrap);
	good = seal_open(wrap, s.nonce, about(), span_of(s.sealed, sizeof(s.sealed)), key);
	crypt_wipe(seed, sizeof(seed));
	crypt_wipe(wrap, sizeof(wrap));
	if (!good)
		return error_set(err, ERR_KEYS, "service.key",
		                 "this credential is not the one that opens the database");
	rc = rest_give(st, env, key, err);
	crypt_wipe(key, sizeof(key));
	*ret_service = !rc;
	return rc;
}

int rest_open(struct store *st, const struct env *env, const char *dir, const char *service,
              bool read_only, bool *ret_service, struct error *err)
{
	bool again = true;
	int rc = 0;

	for (unsigned i = 0; i < 2 && again && !rc; i++) {
		again = false;
		rc = open_once(st, env, dir, service, read_only, ret_service, &again, err);
	}
	return rc;
}

int rest_service_new(struct store *st, const struct env *env, const char *dir, const char *service,
                     struct error *err)
{
	uint8_t seed[32], key[SEAL_KEY];
	bool kept;
	int rc;

	if (!store_rest_key(st, key)) return error_set(err, ERR_CLOSED, "", NULL);
	if (is_there(dir, service)) {
		crypt_wipe(key, sizeof(key));
		return error_set(err, ERR_EXISTS, "", "%s", *service ? service : "service.key");
	}
	rc = keys_service(dir, service, /* make= */ true, env, seed, err);
	rc = rc ? rc : keep_service(st, env, seed, key, /* once= */ false, &kept, err);
	crypt_wipe(seed, sizeof(seed));
	crypt_wipe(key, sizeof(key));
	return rc;
}

/* ---- the county's recovery key */

static int box_read(struct store *st, const char *name, struct rest_box *ret, bool *ret_any,
                    struct error *err)
{
	struct span record;
	struct arena a;
	int rc;

	arena_init(&a, 0);
	rc = store_secret_get(st, name, &a, &record);
	*ret_any = !rc && rest_box_parse(record, ret);
	arena_done(&a);
	return rc ? failed(st, rc, err) : 0;
}

static int box_keep(struct store *st, const char *name, const uint8_t to[LINK_KEY],
                    const uint8_t secret[SEAL_KEY], struct error *err)
{
	struct rest_box b;
	struct buf out;
	bool kept;
	int rc;

	memcpy(b.to, to, LINK_KEY);
	box_close(to, span_of(secret, SEAL_KEY), b.box);
	buf_init(&out, RECORD_MAX);
	rest_box_pack(&b, &out);
	rc = keep(st, name, &out, /* once= */ false, &kept, err);
	buf_done(&out);
	return rc;
}

static int box_take(struct store *st, const char *name, const uint8_t seed[32],
                    uint8_t ret[SEAL_KEY], struct error *err)
{
	uint8_t public_key[LINK_KEY], secret[LINK_KEY];
	struct rest_box b;
	bool any = false, good;
	int rc = box_read(st, name, &b, &any, err);

	if (rc) return rc;
	if (!any)
		return error_set(err, ERR_NOT_FOUND, "recovery",
		                 "this database was never kept for a recovery key (%s)", name);
	link_keypair(seed, public_key, secret);
	good = !memcmp(public_key, b.to, LINK_KEY) &&
	       box_open(public_key, secret, span_of(b.box, sizeof(b.box)), ret);
	crypt_wipe(secret, sizeof(secret));
	return good ? 0
	            : error_set(err, ERR_KEYS, "recovery", "it was kept for another recovery key");
}

/* Is the record for this key already? */
static int is_kept(struct store *st, const char *name, const uint8_t to[LINK_KEY], bool *ret,
                   struct error *err)
{
	struct rest_box b;
	bool any = false;
	int rc = box_read(st, name, &b, &any, err);

	*ret = !rc && any && !memcmp(b.to, to, LINK_KEY);
	return rc;
}

int rest_recovery_keep(struct store *st, const uint8_t to[LINK_KEY], struct error *err)
{
	uint8_t key[SEAL_KEY];
	bool kept;
	int rc = is_kept(st, recovery_name, to, &kept, err);

	if (rc || kept || !store_rest_key(st, key)) return rc;
	rc = box_keep(st, recovery_name, to, key, err);
	crypt_wipe(key, sizeof(key));
	return rc;
}

static int keep_keys(struct store *st, const uint8_t to[LINK_KEY], const char *dir,
                     struct error *err)
{
	uint8_t sign[SEAL_KEY], link[SEAL_KEY];
	bool kept_sign, kept_link;
	int rc = is_kept(st, sign_name, to, &kept_sign, err);

	rc = rc ? rc : is_kept(st, link_name, to, &kept_link, err);
	if (rc || (kept_sign && kept_link)) return rc;
	rc = keys_seeds(dir, sign, link, err);
	rc = rc ? rc : box_keep(st, sign_name, to, sign, err);
	rc = rc ? rc : box_keep(st, link_name, to, link, err);
	crypt_wipe(sign, sizeof(sign));
	crypt_wipe(link, sizeof(link));
	return rc;
}

static int newest_of(struct replica *r, uint32_t scope, struct arena *a,
                     const struct row_view **ret)
{
	const struct table *t = schema_table(&schema_current, TABLE_RECOVERY_KEY);
	struct row_view *rows = NULL;
	size_t n = 0;
	int rc = 0;

	if (scope)
		rc = store_rows_view(replica_store(r), t, NULL, 0, scope, false, NULL, 1000, a,
		                     &rows, &n);
	*ret = !rc && n ? &rows[n - 1] : NULL; /* ids are in order of time */
	return rc;
}

int rest_recovery_follow(struct replica *r, const char *dir, struct error *err)
{
	struct store *st = replica_store(r);
	const struct row_view *v = NULL;
	struct cert parent;
	uint32_t scope = 0;
	struct arena a;
	bool own;
	int rc;

	if (store_closed(st)) return 0;
	arena_init(&a, 0);
	rc = newest_of(r, replica_own_scope(r), &a, &v);
	own = v != NULL;
	if (!rc && !v && replica_parent(r, &parent)) {
		rc = store_scope_ord(st, parent.unit, /* create= */ false, &scope);
		rc = rc ? rc : newest_of(r, scope, &a, &v);
	}
	if (rc)
		failed(st, rc, err);
	else if (v && v->values[0].type == VALUE_BYTES && v->values[0].s.len == LINK_KEY)
		rc = rest_recovery_keep(st, v->values[0].s.p, err);
	if (!rc && own && replica_is_hub(r) && v->values[0].type == VALUE_BYTES &&
	    v->values[0].s.len == LINK_KEY)
		rc = keep_keys(st, v->values[0].s.p, dir, err);
	arena_done(&a);
	return rc;
}

int rest_recovery_open(struct store *st, const uint8_t seed[32], uint8_t ret[SEAL_KEY],
                       struct error *err)
{
	return box_take(st, recovery_name, seed, ret, err);
}

int rest_recovery_keys(struct store *st, const uint8_t seed[32], const char *dir, struct error *err)
{
	uint8_t sign[SEAL_KEY], link[SEAL_KEY];
	int rc = box_take(st, sign_name, seed, sign, err);

	rc = rc ? rc : box_take(st, link_name, seed, link, err);
	rc = rc ? rc : keys_write(dir, sign, link, err);
	crypt_wipe(sign, sizeof(sign));
	crypt_wipe(link, sizeof(link));
	return rc;
}
