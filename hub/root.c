/*
 * root.c - see root.h.
 */
#include "common/base.h"

#include "hub/root.h"

#include "common/calendar.h"
#include "common/ident.h"
#include "common/pack.h"
#include "common/reader.h"
#include "common/validate.h"

enum { LANES_ALL = 1 << LANE_OPEN | 1 << LANE_COUNTY | 1 << LANE_SEALED };

/* ---- lines of text: a mark and base64url of msgpack; one text for each content */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void text_of(const char *mark, struct buf *bytes, struct buf *out)
{
	assert(!bytes->full);
	buf_text(out, mark);
	base64_text(buf_span(bytes), out);
	crypt_wipe(bytes->p, bytes->len);
	buf_done(bytes);
}

static int text_open(const char *text, const char *mark, struct buf *out, struct error *err)
{
	char copy[ROOT_TEXT_MAX + 1];
	size_t len, head = strlen(mark);
	int rc = 0;

	while (is_space(*text)) text++;
	len = strnlen(text, ROOT_TEXT_MAX + 64);
	while (len && is_space(text[len - 1])) len--;
	if (len > ROOT_TEXT_MAX || len < head || memcmp(text, mark, head) != 0)
		return error_set(err, ERR_FILE_FORM, "FILE", "it begins with %s", mark);
	memcpy(copy, text, len);
	copy[len] = 0;
	if (!base64_parse(copy + head, out) || out->full)
		rc = error_set(err, ERR_FILE_FORM, "FILE", "damaged or not complete");
	crypt_wipe(copy, sizeof(copy));
	return rc;
}

static void read_text(struct reader *r, char *ret, size_t size)
{
	struct span s = reader_text(r, size - 1);

	if (s.len) memcpy(ret, s.p, s.len);
}

static void read_cert(struct reader *r, struct buf *out)
{
	struct span s = reader_bytes(r, CERT_BYTES_MAX);

	buf_init(out, CERT_BYTES_MAX);
	if (s.len) buf_add(out, s.p, s.len);
}

/* ---- the roots */

static unsigned level_of_code(const char *code)
{
	if (!strcmp(code + 2, "0000000000")) return LEVEL_PROVINCE;
	if (!strcmp(code + 4, "00000000")) return LEVEL_PREFECTURE;
	if (!strcmp(code + 6, "000000")) return LEVEL_COUNTY;
	if (!strcmp(code + 9, "000")) return LEVEL_TOWNSHIP;
	return LEVEL_COMMUNITY;
}

static int root_certify(struct root *r, int64_t now_ms, struct error *err)
{
	uint8_t secret[64];
	int rc;

	r->cert.role = CERT_ROOT;
	r->cert.lanes = LANES_ALL;
	r->cert.not_before_ms = now_ms - DAY_MS;
	r->cert.not_after_ms = r->cert.not_before_ms + (int64_t)ROOT_YEARS * 365 * DAY_MS;
	sign_keypair(r->seed, r->cert.origin_key, secret);
	buf_init(&r->bytes, CERT_BYTES_MAX);
	rc = cert_make(&r->cert, secret, &r->bytes, err);
	crypt_wipe(secret, sizeof(secret));
	return rc;
}

int root_make(const uint8_t seeds[2][32], int64_t now_ms, const char *code, const char *name,
              struct root *ret_root, struct root *ret_spare, struct error *err)
{
	uint8_t key[32], spare[32], secret[64], fingerprint[32];
	struct span parts[2];
	int rc;

	*ret_root = *ret_spare = (struct root){0};
	if (!division_code_valid(span_of(code, strlen(code))))
		return error_set(err, ERR_DIVISION_CODE, "org", "%.20s", code);
	if (strlen(name) >= ROOT_NAME)
		return error_set(err, ERR_USAGE, "name", "at most %d bytes", ROOT_NAME - 1);
	memcpy(ret_root->seed, seeds[0], 32);
	memcpy(ret_spare->seed, seeds[1], 32);
	sign_keypair(ret_root->seed, key, secret);
	parts[0] = span_of(key, sizeof(key));
	parts[1] = span_of(code, strlen(code));
	id_derive("root unit", parts, ARRAY_COUNT(parts), ret_root->cert.unit);
	sign_keypair(ret_spare->seed, spare, secret);
	crypt_wipe(secret, sizeof(secret));
	cert_fingerprint(spare, fingerprint);
	memcpy(ret_root->cert.before, fingerprint, 16);
	ret_root->cert.level = (uint8_t)level_of_code(code);
	snprintf(ret_root->cert.code, sizeof(ret_root->cert.code), "%s", code);
	snprintf(ret_root->name, sizeof(ret_root->name), "%s", name);
	ret_spare->cert = ret_root->cert;
	memset(ret_spare->cert.before, 0, 16);
	memcpy(ret_spare->name, ret_root->name, sizeof(ret_spare->name));
	rc = root_certify(ret_root, now_ms, err);
	return rc ? rc : root_certify(ret_spare, now_ms, err);
}

void root_done(struct root *r)
{
	buf_done(&r->bytes);
	crypt_wipe(r, sizeof(*r));
}

void root_text(const struct root *r, struct buf *out)
{
	struct buf b;

	buf_init(&b, ROOT_TEXT_MAX);
	pack_array(&b, 3);
	pack_bytes(&b, r->seed, 32);
	pack_bytes(&b, r->bytes.p, r->bytes.len);
	pack_text(&b, r->name, strlen(r->name));
	text_of("JGR1-", &b, out);
}

int root_parse(const char *text, struct root *ret, struct error *err)
{
	uint8_t key[32], secret[64];
	struct reader r;
	struct buf b;
	int rc;

	*ret = (struct root){0};
	buf_init(&b, ROOT_TEXT_MAX);
	rc = text_open(text, "JGR1-", &b, err);
	if (!rc) {
		reader_init(&r, buf_span(&b));
		reader_expect_array(&r, 3);
		reader_fixed(&r, ret->seed, 32);
		read_cert(&r, &ret->bytes);
		read_text(&r, ret->name, sizeof(ret->name));
		if (!reader_done(&r)) rc = error_set(err, ERR_FILE_FORM, "FILE", "not a root");
	}
	if (!rc) rc = cert_open(buf_span(&ret->bytes), &ret->cert, err);
	if (!rc) rc = cert_check_issued(&ret->cert, &ret->cert, err);
	if (!rc) {
		sign_keypair(ret->seed, key, secret);
		crypt_wipe(secret, sizeof(secret));
		if (ret->cert.role != CERT_ROOT || memcmp(key, ret->cert.origin_key, 32) != 0)
			rc = error_set(err, ERR_FILE_FORM, "FILE",
			               "certificate and key of the root do not fit");
	}
	if (b.p) crypt_wipe(b.p, b.len);
	buf_done(&b);
	return rc;
}

/* ---- request and answer */

static void request_digest(const uint8_t origin_key[32], const uint8_t link_key[32],
                           const char *endpoint, uint8_t ret[32])
{
	static const char what[] = "jinguo request";
	struct hash h;

	hash_begin(&h, 32);
	hash_add(&h, what, sizeof(what) - 1);
	hash_add(&h, origin_key, 32);
	hash_add(&h, link_key, 32);
	hash_add(&h, endpoint, strlen(endpoint));
	hash_end(&h, ret, 32);
}

int root_request(const struct place *p, struct buf *out, struct error *err)
{
	const char *named = p->config.public[0] ? p->config.public : p->config.listen;
	uint8_t digest[32], proof[64];
	struct buf b;

	if (!config_endpoint_ok(named, /* may_be_any= */ false)) named = "";
	if (strlen(named) >= sizeof(((struct cert *)0)->endpoint))
		return error_set(err, ERR_CONFIG, "link.public", "the address is too long");
	request_digest(p->identity.sign_public, p->identity.link_public, named, digest);
	sign_make(span_of(digest, 32), p->identity.sign_secret, proof);
	buf_init(&b, ROOT_TEXT_MAX);
	pack_array(&b, 4);
	pack_bytes(&b, p->identity.sign_public, 32);
	pack_bytes(&b, p->identity.link_public, 32);
	pack_text(&b, named, strlen(named));
	pack_bytes(&b, proof, 64);
	text_of("JGQ1-", &b, out);
	return 0;
}

int root_request_parse(const char *text, struct cert *ret, struct error *err)
{
	uint8_t digest[32], proof[64] = {0};
	struct reader r;
	struct buf b;
	int rc;

	buf_init(&b, ROOT_TEXT_MAX);
	rc = text_open(text, "JGQ1-", &b, err);
	if (!rc) {
		reader_init(&r, buf_span(&b));
		reader_expect_array(&r, 4);
		reader_fixed(&r, ret->origin_key, 32);
		reader_fixed(&r, ret->link_key, 32);
		read_text(&r, ret->endpoint, sizeof(ret->endpoint));
		reader_fixed(&r, proof, 64);
		if (!reader_done(&r)) rc = error_set(err, ERR_FILE_FORM, "FILE", "not a request");
	}
	request_digest(ret->origin_key, ret->link_key, ret->endpoint, digest);
	if (!rc && !sign_check(span_of(digest, 32), proof, ret->origin_key))
		rc = error_set(err, ERR_SIGNATURE, "FILE", "the request was changed on the way");
	buf_done(&b);
	return rc;
}

int root_sign(const struct root *r, const char *request, int64_t now_ms, int64_t days,
              struct buf *out, struct error *err)
{
	struct cert hub = {.role = CERT_HUB, .level = r->cert.level};
	uint8_t key[32], secret[64];
	struct buf b, bytes;
	int rc = root_request_parse(request, &hub, err);

	if (rc) return rc;
	/* Above the county nothing but the open lane comes to rest. */
	hub.lanes = hub.level >= LEVEL_COUNTY ? LANES_ALL : 1 << LANE_OPEN;
	memcpy(hub.unit, r->cert.unit, 16);
	memcpy(hub.issuer, r->cert.id, 16);
	memcpy(hub.code, r->cert.code, sizeof(hub.code));
	hub.not_before_ms = now_ms - DAY_MS;
	if (hub.not_before_ms < r->cert.not_before_ms) hub.not_before_ms = r->cert.not_before_ms;
	hub.not_after_ms = now_ms + (days > 0 ? days : ROOT_HUB_DAYS) * DAY_MS;
	if (hub.not_after_ms > r->cert.not_after_ms) hub.not_after_ms = r->cert.not_after_ms;
	sign_keypair(r->seed, key, secret);
	buf_init(&bytes, CERT_BYTES_MAX);
	rc = cert_make(&hub, secret, &bytes, err);
	crypt_wipe(secret, sizeof(secret));
	if (!rc) rc = cert_check_issued(&hub, &r->cert, err);
	if (!rc) {
		buf_init(&b, ROOT_TEXT_MAX);
		pack_array(&b, 3);
		pack_bytes(&b, bytes.p, bytes.len);
		pack_bytes(&b, r->bytes.p, r->bytes.len);
		pack_text(&b, r->name, strlen(r->name));
		text_of("JGC1-", &b, out);
	}
	buf_done(&bytes);
	return rc;
}

int root_answer_parse(const char *text, struct root_answer *ret, struct error *err)
{
	struct reader r;
	struct buf b;
	int rc;

	*ret = (struct root_answer){.name = ""};
	buf_init(&b, ROOT_TEXT_MAX);
	rc = text_open(text, "JGC1-", &b, err);
	if (!rc) {
		reader_init(&r, buf_span(&b));
		reader_expect_array(&r, 3);
		read_cert(&r, &ret->bytes[0]);
		read_cert(&r, &ret->bytes[1]);
		read_text(&r, ret->name, sizeof(ret->name));
		if (!reader_done(&r)) rc = error_set(err, ERR_FILE_FORM, "FILE", "not an answer");
	}
	if (!rc) rc = cert_open(buf_span(&ret->bytes[0]), &ret->hub, err);
	if (!rc) rc = cert_open(buf_span(&ret->bytes[1]), &ret->root, err);
	if (!rc) rc = cert_check_issued(&ret->root, &ret->root, err);
	if (!rc) rc = cert_check_issued(&ret->hub, &ret->root, err);
	buf_done(&b);
	return rc;
}

void root_answer_done(struct root_answer *a)
{
	buf_done(&a->bytes[0]);
	buf_done(&a->bytes[1]);
}

static int write_unit(struct replica *r, const struct cert *root, const char *name)
{
	static const uint8_t program[8];
	const struct table *t = schema_table(store_schema(replica_store(r)), TABLE_ORG_UNIT);
	struct field_write fields[] = {
	        {table_field_named(t, "code"), value_text(root->code)},
	        {table_field_named(t, "level"), value_int(root->level)},
	        {table_field_named(t, "name"), value_text(name)},
	};
	struct write w = {.kind = WRITE_INSERT,
	                  .table = t,
	                  .has_id = true,
	                  .fields = fields,
	                  .fields_count = ARRAY_COUNT(fields)};

	memcpy(w.row, root->unit, 16);
	memcpy(w.scope, root->unit, 16);
	return replica_write(r, &w, 1, /* whole= */ false, program);
}

static int take(struct replica *r, const struct root_answer *a, bool *ret_renewed)
{
	struct span chain[2] = {buf_span(&a->bytes[0]), buf_span(&a->bytes[1])};
	uint8_t fingerprint[32];
	bool known = false;
	int rc;

	*ret_renewed = replica_cert(r) != NULL;
	if (*ret_renewed) return replica_recertify(r, chain, 2);
	cert_fingerprint(a->root.origin_key, fingerprint);
	rc = replica_join(r, chain, 2, fingerprint);
	rc = rc ? rc : store_row_known(replica_store(r), TABLE_ORG_UNIT, a->root.unit, &known);
	return rc || known ? rc : write_unit(r, &a->root, a->name[0] ? a->name : a->root.code);
}

int root_take(struct place *p, const struct root_answer *a, bool *ret_renewed, struct error *err)
{
	struct replica *r = p->replica;
	int rc;

	if (memcmp(a->hub.origin_key, p->identity.sign_public, 32) != 0 ||
	    memcmp(a->hub.link_key, p->identity.link_public, 32) != 0)
		return error_set(err, ERR_CERT_BAD, "FILE", "this answers another hub's request");
	rc = replica_begin(r);
	if (!rc) {
		rc = take(r, a, ret_renewed);
		if (rc)
			replica_rollback(r);
		else
			rc = replica_commit(r);
	}
	if (rc && err) {
		const struct error *e = replica_error(r);

		*err = e->code == -rc ? *e : *store_error(p->store);
		if (err->code != -rc) error_set(err, -rc, "", "%s", "");
	}
	return rc;
}
