/*
 * cert.c - certificates and the chain to the pinned root.
 *
 * Little-endian:
 *
 *   "JGC" 3, format 1, suite 1, origin key 32, link key 32, device before 16, unit 16, role 1,
 *   level 1, lanes 1, not before 8, not after 8 (ms, signed), issuer 16, code length 1, code,
 *   [format 2: endpoint length 1, endpoint], signature 64
 *
 * Format 2 is that of a hub that names its endpoint, format 1 that of all others: one encoding for each.
 *
 * The signature is over the BLAKE2b-256 hash of everything before it; the id is the BLAKE2b-128
 * hash of the same bytes.  Validity in time is not looked at here (judgement, once, by the hub
 * that is asked): only that a certificate does not outlive its issuer's.
 */
#include "common/base.h"

#include "proto/cert.h"

#include "common/ident.h"
#include "common/schema.h"
#include "proto/entry.h"

enum { FORMAT_ENDPOINT = 2 };

static bool code_valid(const char *code, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (code[i] <= ' ' || code[i] > '~') return false;
	return true;
}

static bool endpoint_valid(const struct cert *c)
{
	size_t len = strnlen(c->endpoint, sizeof(c->endpoint));

	return len < sizeof(c->endpoint) && code_valid(c->endpoint, len) &&
	       (!len || c->role == CERT_HUB);
}

static int fields_check(const struct cert *c, struct error *err)
{
	if (c->role < CERT_ROOT || c->role > CERT_NODE)
		return error_set(err, ERR_CERT_BAD, NULL, "certificate of role %u", c->role);
	if (c->level < LEVEL_NATION || c->level > LEVEL_COMMUNITY)
		return error_set(err, ERR_CERT_BAD, NULL, "certificate of level %u", c->level);
	if (c->lanes >> LANES)
		return error_set(err, ERR_CERT_BAD, NULL,
		                 "certificate for lanes that do not exist");
	if (c->not_before_ms >= c->not_after_ms)
		return error_set(err, ERR_CERT_BAD, NULL, "certificate that is never valid");
	if ((c->role == CERT_ROOT) != id_is_zero(c->issuer))
		return error_set(err, ERR_CERT_BAD, NULL, "root with an issuer, or other without");
	if (!code_valid(c->code, strnlen(c->code, sizeof(c->code))) || c->code[sizeof(c->code) - 1])
		return error_set(err, ERR_CERT_BAD, NULL, "malformed division code");
	if (!endpoint_valid(c)) return error_set(err, ERR_CERT_BAD, NULL, "malformed endpoint");
	return 0;
}

/* The signed bytes. */
static void put_cert(const struct cert *c, struct buf *out)
{
	buf_add(out, "JGC", 3);
	buf_u8(out, c->endpoint[0] ? FORMAT_ENDPOINT : FORMAT_1);
	buf_u8(out, SUITE_1);
	buf_add(out, c->origin_key, 32);
	buf_add(out, c->link_key, 32);
	buf_add(out, c->before, 16);
	buf_add(out, c->unit, 16);
	buf_u8(out, c->role);
	buf_u8(out, c->level);
	buf_u8(out, c->lanes);
	buf_u64(out, (uint64_t)c->not_before_ms);
	buf_u64(out, (uint64_t)c->not_after_ms);
	buf_add(out, c->issuer, 16);
	buf_u8(out, (uint8_t)strlen(c->code));
	buf_text(out, c->code);
	if (!c->endpoint[0]) return;
	buf_u8(out, (uint8_t)strlen(c->endpoint));
	buf_text(out, c->endpoint);
}

int cert_make(struct cert *c, const uint8_t issuer_secret[64], struct buf *out, struct error *err)
{
	size_t from = out->len;
	struct span stated;
	uint8_t hash[32];
	int rc = fields_check(c, err);

	if (rc) return rc;
	put_cert(c, out);
	if (out->full) return error_set(err, ERR_LIMIT, NULL, "no room for a certificate");
	stated = span_of(out->p + from, out->len - from);
	hash_of(stated, c->id, sizeof(c->id));
	hash_of(stated, hash, sizeof(hash));
	sign_make(span_of(hash, sizeof(hash)), issuer_secret, c->sign);
	buf_add(out, c->sign, sizeof(c->sign));
	if (out->full) return error_set(err, ERR_LIMIT, NULL, "no room for a certificate");
	return 0;
}

static void get(struct cut *c, void *ret, size_t len)
{
	const uint8_t *p = cut_take(c, len);

	if (p) memcpy(ret, p, len);
}

int cert_open(struct span in, struct cert *ret, struct error *err)
{
	struct cert c = {0};
	char magic[3] = "";
	struct cut from = cut_of(in);
	uint8_t len, format;
	int rc;

	if (in.len > CERT_BYTES_MAX)
		return error_set(err, ERR_CERT_BAD, NULL, "a certificate of %zu bytes", in.len);
	get(&from, magic, 3);
	if (memcmp(magic, "JGC", 3) != 0)
		return error_set(err, ERR_CERT_BAD, NULL, "not a certificate");
	format = cut_u8(&from);
	if ((format != FORMAT_1 && format != FORMAT_ENDPOINT) || cut_u8(&from) != SUITE_1)
		return error_set(err, ERR_VERSION, NULL,
		                 "certificate of an unknown format or suite");
	get(&from, c.origin_key, 32);
	get(&from, c.link_key, 32);
	get(&from, c.before, 16);
	get(&from, c.unit, 16);
	c.role = cut_u8(&from);
	c.level = cut_u8(&from);
	c.lanes = cut_u8(&from);
	c.not_before_ms = (int64_t)cut_u64(&from);
	c.not_after_ms = (int64_t)cut_u64(&from);
	get(&from, c.issuer, 16);
	len = cut_u8(&from);
	if (len >= sizeof(c.code))
		return error_set(err, ERR_CERT_BAD, NULL, "malformed division code");
	get(&from, c.code, len);
	if (strlen(c.code) != len)
		return error_set(err, ERR_CERT_BAD, NULL, "malformed division code");
	if (format == FORMAT_ENDPOINT) {
		len = cut_u8(&from);
		if (!len || len >= sizeof(c.endpoint))
			return error_set(err, ERR_CERT_BAD, NULL, "malformed endpoint");
		get(&from, c.endpoint, len);
		if (strlen(c.endpoint) != len)
			return error_set(err, ERR_CERT_BAD, NULL, "malformed endpoint");
	}
	get(&from, c.sign, 64);
	if (from.bad || cut_left(&from))
		return error_set(err, ERR_CERT_BAD, NULL, "malformed certificate");
	rc = fields_check(&c, err);
	if (rc) return rc;
	hash_of(span_of(in.p, in.len - 64), c.id, sizeof(c.id));
	*ret = c;
	return 0;
}

/* c.id is not trusted: it may have been set by anybody. */
static int check_sign(const struct cert *c, const uint8_t key[32], uint8_t ret_id[16],
                      struct error *err)
{
	uint8_t hash[32];
	struct buf b;
	int rc = 0;

	buf_init(&b, CERT_BYTES_MAX);
	put_cert(c, &b);
	assert(!b.full); /* the longest layout is far below */
	hash_of(buf_span(&b), hash, sizeof(hash));
	hash_of(buf_span(&b), ret_id, 16);
	if (!sign_check(span_of(hash, sizeof(hash)), c->sign, key))
		rc = error_set(err, ERR_CERT_BAD, NULL, "certificate that its issuer did not sign");
	buf_done(&b);
	return rc;
}

int cert_check_issued(const struct cert *c, const struct cert *issuer, struct error *err)
{
	uint8_t id[16];
	int rc = fields_check(c, err);

	if (!rc) rc = fields_check(issuer, err);
	if (!rc) rc = check_sign(c, issuer->origin_key, id, err);
	if (rc) return rc;
	if (memcmp(id, c->id, 16) != 0)
		return error_set(err, ERR_CERT_BAD, NULL, "certificate with a wrong id");
	if (c->role == CERT_ROOT) {
		if (memcmp(c->id, issuer->id, 16) != 0)
			return error_set(err, ERR_CERT_BAD, NULL,
			                 "a root is signed by itself only");
		return 0;
	}
	if (memcmp(c->issuer, issuer->id, 16) != 0)
		return error_set(err, ERR_CERT_BAD, NULL, "certificate of another issuer");
	if (issuer->role != CERT_ROOT && issuer->role != CERT_HUB)
		return error_set(err, ERR_CERT_BAD, NULL, "issued by a device that may not issue");
	/* A custodian hub holds lanes that the province above it does not; a node never more than
	 * its hub. */
	if (c->role == CERT_NODE && (c->lanes & (uint8_t)~issuer->lanes))
		return error_set(err, ERR_CERT_BAD, NULL,
		                 "certificate for lanes that its issuer does not have");
	if (c->not_before_ms < issuer->not_before_ms || c->not_after_ms > issuer->not_after_ms)
		return error_set(err, ERR_CERT_BAD, NULL, "certificate that outlives its issuer's");
	return 0;
}

int cert_check_chain(const struct cert *chain, size_t count, const uint8_t root_fingerprint[32],
                     struct error *err)
{
	uint8_t fingerprint[32];
	const struct cert *root;
	int rc = 0;

	if (!count || count > CERT_CHAIN_MAX)
		return error_set(err, ERR_CERT_BAD, NULL, "a chain of %zu certificates", count);
	root = &chain[count - 1];
	cert_fingerprint(root->origin_key, fingerprint);
	if (root->role != CERT_ROOT || !crypt_equal(fingerprint, root_fingerprint, 32))
		return error_set(err, ERR_CERT_BAD, NULL, "the chain does not end at our root");
	for (size_t i = 0; !rc && i < count; i++)
		rc = cert_check_issued(&chain[i], &chain[i + 1 < count ? i + 1 : i], err);
	return rc;
}

bool cert_signed_by(const struct cert *c, const uint8_t key[32])
{
	uint8_t id[16];

	return !fields_check(c, NULL) && !check_sign(c, key, id, NULL);
}

bool cert_names_spare(const struct cert *root, const uint8_t spare_key[32])
{
	uint8_t fingerprint[32];

	cert_fingerprint(spare_key, fingerprint);
	return root->role == CERT_ROOT && !id_is_zero(root->before) &&
	       !memcmp(root->before, fingerprint, 16);
}

void cert_fingerprint(const uint8_t root_key[32], uint8_t ret[32])
{
	hash_of(span_of(root_key, 32), ret, 32);
}
