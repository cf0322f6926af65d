/*
 * officer.c - see officer.h.
 */
#include "common/base.h"

#include "proto/officer.h"

#include "common/envelope.h"
#include "common/ident.h"
#include "common/pack.h"
#include "common/reader.h"
#include "proto/engine.h"
#include "proto/person.h"
#include "proto/revoke.h"

enum { OFFICERS_MAX = 4096, DEPTH_MAX = 16, REQUEST_MAX = 512 };
static const char mark[] = "JGK1-";

/* ---- the certificate */

static int form_check(const struct officer *o, struct error *err)
{
	if (o->role < OFFICER_RIGHTS || o->role > OFFICER_RECOVERY)
		return error_set(err, ERR_CERT_BAD, "role", "an officer of role %u", o->role);
	if (o->not_before_ms >= o->not_after_ms)
		return error_set(err, ERR_CERT_BAD, NULL, "certificate that is never valid");
	if (!link_key_good(o->link_key))
		return error_set(err, ERR_CERT_BAD, "key", "a key that keeps nothing secret");
	return 0;
}

static void put(const struct officer *o, struct buf *out)
{
	buf_add(out, "JGO", 3);
	buf_u8(out, FORMAT_1);
	buf_u8(out, SUITE_1);
	buf_add(out, o->sign_key, 32);
	buf_add(out, o->link_key, 32);
	buf_add(out, o->unit, 16);
	buf_u8(out, o->role);
	buf_u64(out, (uint64_t)o->not_before_ms);
	buf_u64(out, (uint64_t)o->not_after_ms);
	buf_add(out, o->issuer, 16);
}

static void digest(const struct officer *o, uint8_t ret[32])
{
	struct buf b;

	buf_init(&b, OFFICER_BYTES);
	put(o, &b);
	hash_of(buf_span(&b), ret, 32);
	buf_done(&b);
}

int officer_make(struct officer *o, const uint8_t issuer_secret[64], struct buf *out,
                 struct error *err)
{
	uint8_t hash[32];
	int rc = form_check(o, err);

	if (rc) return rc;
	digest(o, hash);
	sign_make(span_of(hash, 32), issuer_secret, o->sign);
	put(o, out);
	buf_add(out, o->sign, 64);
	return out->full ? error_set(err, ERR_LIMIT, NULL, "no room for a certificate") : 0;
}

int officer_open(struct span in, struct officer *ret, struct error *err)
{
	struct officer o = {0};
	struct cut c = cut_of(in);
	const uint8_t *p = cut_take(&c, 5);
	int rc;

	if (in.len != OFFICER_BYTES || !p || memcmp(p, "JGO", 3) != 0)
		return error_set(err, ERR_CERT_BAD, NULL, "not a certificate of an officer");
	if (p[3] != FORMAT_1 || p[4] != SUITE_1)
		return error_set(err, ERR_VERSION, NULL,
		                 "certificate of an unknown format or suite");
	memcpy(o.sign_key, cut_take(&c, 32), 32);
	memcpy(o.link_key, cut_take(&c, 32), 32);
	memcpy(o.unit, cut_take(&c, 16), 16);
	o.role = cut_u8(&c);
	o.not_before_ms = (int64_t)cut_u64(&c);
	o.not_after_ms = (int64_t)cut_u64(&c);
	memcpy(o.issuer, cut_take(&c, 16), 16);
	memcpy(o.sign, cut_take(&c, 64), 64);
	rc = form_check(&o, err);
	if (!rc) *ret = o;
	return rc;
}

bool officer_signed_by(const struct officer *o, const uint8_t key[32])
{
	uint8_t hash[32];

	digest(o, hash);
	return sign_check(span_of(hash, 32), o->sign, key);
}

void officer_keys(const uint8_t seed[32], struct officer_keys *ret)
{
	static const char what[] = "jinguo officer";
	uint8_t link_seed[32];
	struct hash h;

	sign_keypair(seed, ret->sign_public, ret->sign_secret);
	hash_begin(&h, 32);
	hash_add(&h, what, sizeof(what) - 1);
	hash_add(&h, seed, 32);
	hash_end(&h, link_seed, 32);
	link_keypair(link_seed, ret->link_public, ret->link_secret);
	crypt_wipe(link_seed, sizeof(link_seed));
}

/* ---- asking for one */

static void request_digest(const struct officer_request *q, uint8_t ret[32])
{
	static const char what[] = "jinguo officer request";
	struct hash h;

	hash_begin(&h, 32);
	hash_add(&h, what, sizeof(what) - 1);
	hash_add(&h, q->sign_key, 32);
	hash_add(&h, q->link_key, 32);
	hash_add(&h, q->unit, 16);
	hash_add(&h, &q->role, 1);
	hash_end(&h, ret, 32);
}

void officer_request_text(const struct officer_request *q, const uint8_t sign_secret[64],
                          struct buf *out)
{
	uint8_t hash[32], proof[64];
	struct buf b;

	request_digest(q, hash);
	sign_make(span_of(hash, 32), sign_secret, proof);
	buf_init(&b, REQUEST_MAX);
	pack_array(&b, 5);
	pack_bytes(&b, q->sign_key, 32);
	pack_bytes(&b, q->link_key, 32);
	pack_bytes(&b, q->unit, 16);
	pack_uint(&b, q->role);
	pack_bytes(&b, proof, 64);
	buf_text(out, mark);
	base64_text(buf_span(&b), out);
	buf_done(&b);
}

int officer_request_parse(const char *text, struct officer_request *ret, struct error *err)
{
	struct officer_request q = {0};
	uint8_t hash[32], proof[64];
	struct reader r;
	struct buf b;
	bool good = !strncmp(text, mark, sizeof(mark) - 1) && strlen(text) <= REQUEST_MAX;

	buf_init(&b, REQUEST_MAX);
	good = good && base64_parse(text + sizeof(mark) - 1, &b);
	if (good) {
		reader_init(&r, buf_span(&b));
		reader_expect_array(&r, 5);
		reader_fixed(&r, q.sign_key, 32);
		reader_fixed(&r, q.link_key, 32);
		reader_fixed(&r, q.unit, 16);
		q.role = (uint8_t)reader_uint(&r, 255);
		reader_fixed(&r, proof, 64);
		good = reader_done(&r);
	}
	buf_done(&b);
	if (!good) return error_set(err, ERR_TOKEN_FORM, "REQUEST", "JGK1-...");
	request_digest(&q, hash);
	if (q.role < OFFICER_RIGHTS || q.role > OFFICER_RECOVERY || !link_key_good(q.link_key) ||
	    !sign_check(span_of(hash, 32), proof, q.sign_key))
		return error_set(err, ERR_SIGNATURE, "REQUEST",
		                 "it is not by the key that it names");
	*ret = q;
	return 0;
}

void officer_code(const uint8_t sign_key[32], const uint8_t link_key[32], char ret[7])
{
	static const char what[] = "jinguo officer code";
	uint8_t d[32];
	uint64_t n = 0;
	struct hash h;

	hash_begin(&h, 32);
	hash_add(&h, what, sizeof(what) - 1);
	hash_add(&h, sign_key, 32);
	hash_add(&h, link_key, 32);
	hash_end(&h, d, 32);
	for (unsigned i = 8; i-- > 0;) n = n << 8 | d[i];
	snprintf(ret, 7, "%06u", (unsigned)(n % 1000000));
}

/* ---- in a replica */

static bool hub_signed(const struct span *chain, size_t n, const struct officer *o)
{
	for (size_t i = 0; i < n; i++) {
		struct cert c;
		uint8_t origin[16];

		if (cert_open(chain[i], &c, NULL) || c.role == CERT_NODE ||
		    c.level > LEVEL_PROVINCE)
			continue;
		origin_of(c.origin_key, origin);
		if (!memcmp(origin, o->issuer, 16)) return officer_signed_by(o, c.origin_key);
	}
	return false;
}

static int cause_of(struct replica *r, const struct span *chain, size_t n, const struct officer *o,
                    uint32_t scope, int *ret)
{
	uint8_t unit[16], origin[16];
	bool revoked = false;
	int rc = engine_scope_id(r, scope, unit);

	*ret = 0;
	if (rc) return rc;
	/* A certificate for one unit that somebody puts into another's scope says nothing there. */
	if (memcmp(unit, o->unit, 16) != 0 || !hub_signed(chain, n, o)) *ret = ERR_CERT_BAD;
	if (*ret) return 0;
	origin_of(o->sign_key, origin);
	rc = revocation_by(r, origin, o->issuer, &revoked);
	if (rc) return rc;
	if (revoked)
		*ret = ERR_REVOKED;
	else if (r->env->now_ms(r->env->ctx) > o->not_after_ms)
		*ret = ERR_CERT_EXPIRED;
	return 0;
}

int replica_officers(struct replica *r, struct arena *a, struct officer_row **ret,
                     size_t *ret_count)
{
	const struct table *t = schema_table(store_schema(r->st), TABLE_OFFICER);
	struct span chain[CERT_CHAIN_MAX];
	struct row_view *rows = NULL;
	size_t n = 0, links = 0, count = 0;
	int rc;

	*ret = NULL;
	*ret_count = 0;
	if (!t) return 0;
	rc = replica_chain(r, a, chain, &links);
	rc = rc ? rc
	        : store_rows_view(r->st, t, NULL, 0, /* scope= */ 0, /* all= */ false, NULL,
	                          OFFICERS_MAX, a, &rows, &n);
	if (rc) return engine_fail(r, rc);
	*ret = ARENA_ARRAY(a, struct officer_row, n + 1);
	for (size_t i = 0; i < n && !rc; i++) {
		struct officer_row *x = &(*ret)[count];
		struct value v = rows[i].values[0];

		if (v.type != VALUE_BYTES || officer_open(v.s, &x->o, NULL)) continue;
		memcpy(x->row, rows[i].id, 16);
		rc = cause_of(r, chain, links, &x->o, rows[i].scope, &x->cause);
		count++;
	}
	*ret_count = rc ? 0 : count;
	return rc ? engine_fail(r, rc) : 0;
}

/* Is this unit that of the scope, or one above it? */
static int above(struct replica *r, uint32_t scope, const uint8_t unit[16], bool *ret)
{
	struct scope s = {.parent = scope};
	int rc = 0;

	*ret = false;
	for (unsigned depth = 0; !rc && !*ret && s.parent && depth < DEPTH_MAX; depth++) {
		rc = store_scope_get(r->st, s.parent, &s);
		*ret = !rc && !memcmp(s.id, unit, 16);
	}
	return rc;
}

int replica_recipients(struct replica *r, uint32_t scope, struct arena *a,
                       uint8_t (**ret)[LINK_KEY], size_t *ret_count)
{
	struct officer_row *all = NULL;
	size_t n = 0, count = 0;
	bool rights = false, recovery = false;
	int rc = replica_officers(r, a, &all, &n);

	*ret = ARENA_ARRAY(a, uint8_t[LINK_KEY], n + 1);
	for (size_t i = n; i-- > 0 && !rc;) { /* the newest first */
		const struct officer *o = &all[i].o;
		bool here = false, twice = false;

		if (all[i].cause) continue;
		rc = above(r, scope, o->unit, &here);
		for (size_t k = 0; k < count; k++)
			twice |= !memcmp((*ret)[k], o->link_key, LINK_KEY);
		if (rc || !here) continue;
		rights |= o->role == OFFICER_RIGHTS;
		recovery |= o->role == OFFICER_RECOVERY;
		if (!twice) memcpy((*ret)[count++], o->link_key, LINK_KEY);
	}
	*ret_count = count;
	if (rc) return engine_fail(r, rc);
	if (!rights || !recovery)
		return error_set(&r->err, ERR_OFFICERS, "", "%s",
		                 rights ? "no recovery key" : "no rights officer");
	if (count > ENVELOPE_RECIPIENTS_MAX)
		return error_set(&r->err, ERR_LIMIT, "", "%zu officers and keys, at most %d", count,
		                 ENVELOPE_RECIPIENTS_MAX);
	return 0;
}

int replica_certify_officer(struct replica *r, const struct officer_request *q, int64_t life_ms,
                            const uint8_t author[8])
{
	const struct table *t = schema_table(store_schema(r->st), TABLE_OFFICER);
	int64_t now = r->env->now_ms(r->env->ctx);
	struct officer o = {.role = q->role, .not_before_ms = now, .not_after_ms = now + life_ms};
	uint8_t person[8];
	bool known = false;
	struct buf b;
	int rc;

	if (!r->has_cert || r->cert.role == CERT_NODE || r->cert.level > LEVEL_PROVINCE)
		return error_set(&r->err, ERR_NO_PERMISSION, "",
		                 "officers are certified by the province");
	rc = store_row_known(r->st, TABLE_ORG_UNIT, q->unit, &known);
	if (rc) return engine_fail(r, rc);
	if (!known || !t)
		return error_set(&r->err, ERR_NOT_FOUND, "unit", "the unit is not known here");
	memcpy(o.sign_key, q->sign_key, 32);
	memcpy(o.link_key, q->link_key, 32);
	memcpy(o.unit, q->unit, 16);
	memcpy(o.issuer, r->id->origin, 16);
	person_of(q->sign_key, person);
	buf_init(&b, OFFICER_BYTES);
	rc = officer_make(&o, r->id->sign_secret, &b, &r->err);
	if (!rc) {
		struct field_write f[] = {
		        {table_field_named(t, "cert"), value_bytes(b.p, b.len)},
		        {table_field_named(t, "officer"), value_bytes(person, 8)},
		};
		struct write w = {.kind = WRITE_INSERT,
		                  .table = t,
		                  .fields = f,
		                  .fields_count = ARRAY_COUNT(f)};
		memcpy(w.scope, q->unit, 16);
		rc = replica_write(r, &w, 1, false, author);
	}
	buf_done(&b);
	return rc;
}

int replica_revoke_officer(struct replica *r, const uint8_t sign_key[32], const char *reason)
{
	struct officer_row *all = NULL;
	uint8_t origin[16];
	size_t n = 0;
	int rc = replica_officers(r, &r->tx, &all, &n), cause = ERR_NOT_FOUND;

	for (size_t i = 0; i < n && !rc; i++)
		if (!memcmp(all[i].o.sign_key, sign_key, 32) &&
		    !memcmp(all[i].o.issuer, r->id->origin, 16) && all[i].cause != ERR_CERT_BAD)
			cause = all[i].cause == ERR_REVOKED ? ERR_REVOKED : 0;
	if (!rc && cause)
		rc = error_set(&r->err, cause, "officer",
		               cause == ERR_REVOKED ? "it is already"
		                                    : "not certified by this hub");
	if (rc) return rc;
	origin_of(sign_key, origin);
	return engine_say_revoked(r, origin, NULL, 0, reason);
}
