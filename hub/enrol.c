/*
 * enrol.c - see enrol.h.
 */
#include "common/base.h"

#include "hub/enrol.h"

#include "common/calendar.h"
#include "common/crypt.h"
#include "common/ident.h"
#include "common/validate.h"
#include "proto/copies.h"
#include "proto/trail.h"

enum {
	LANES_ALL = 1 << LANE_OPEN | 1 << LANE_COUNTY | 1 << LANE_SEALED,
	LANES_OPEN = 1 << LANE_OPEN, /* above the county nothing else comes to rest */
	ANCESTORS_MAX = 12,
	MINUTE_MS = 60 * 1000,
	WAIT_S = 60
};

struct enrol {
	struct reactor_strangers strangers;
	uint32_t wrong_max, wrong; /* wrong secrets: allowed in a minute, counted in this one */
	int64_t minute_ms;
};

/* An org unit's row as far as enrolment needs it; texts in the arena. */
struct org {
	uint8_t id[16], parent[16];
	char code[13];
	unsigned level;
	const char *name;
};

/* A failed call of the replica or its store: takes its sentence over. */
static int fail(struct replica *r, int rc, struct error *err)
{
	const struct error *e = replica_error(r);

	if (!e || e->code != -rc) e = store_error(replica_store(r));
	if (err && e && e->code == -rc)
		*err = *e;
	else if (err && err->code != -rc)
		error_set(err, -rc, "", "%s", "");
	return rc;
}

static int64_t now_ms(struct replica *r)
{
	const struct env *env = replica_env(r);

	return env->now_ms(env->ctx);
}

/* ---- org units */

static const struct table *table_of(struct replica *r, uint16_t number)
{
	const struct table *t = schema_table(store_schema(replica_store(r)), number);

	assert(t); /* every build knows its own first tables */
	return t;
}

static struct value value_of(const struct table *t, const struct row_view *v, const char *name)
{
	const struct field *f = table_field_named(t, name);

	return f ? v->values[f - t->fields] : value_null();
}

static void org_read(const struct table *t, const struct row_view *v, struct arena *a,
                     struct org *ret)
{
	struct value code = value_of(t, v, "code"), level = value_of(t, v, "level");
	struct value name = value_of(t, v, "name"), parent = value_of(t, v, "parent");

	*ret = (struct org){.name = ""};
	memcpy(ret->id, v->id, 16);
	if (code.type == VALUE_TEXT && code.s.len < sizeof(ret->code))
		memcpy(ret->code, code.s.p, code.s.len);
	if (level.type == VALUE_INT && level.i >= LEVEL_NATION && level.i <= LEVEL_COMMUNITY)
		ret->level = (unsigned)level.i;
	if (name.type == VALUE_TEXT) ret->name = arena_text(a, name.s);
	if (parent.type == VALUE_BYTES && parent.s.len == 16) memcpy(ret->parent, parent.s.p, 16);
}

static int org_get(struct replica *r, const uint8_t id[16], struct arena *a, struct org *ret,
                   bool *ret_known)
{
	const struct table *t = table_of(r, TABLE_ORG_UNIT);
	struct row_view *v;
	int rc = store_row_view(replica_store(r), t, id, a, &v);

	*ret_known = !rc && v && !v->dead;
	if (*ret_known) org_read(t, v, a, ret);
	return rc;
}

/* Is the unit ours or below ours? */
static int org_is_below(struct replica *r, const struct org *unit, const uint8_t top[16],
                        struct arena *a, bool *ret)
{
	struct org at = *unit;
	int rc = 0;

	*ret = false;
	for (unsigned depth = 0; depth < ANCESTORS_MAX && !rc; depth++) {
		bool known;

		if (!memcmp(at.id, top, 16)) {
			*ret = true;
			return 0;
		}
		rc = org_get(r, at.parent, a, &at, &known);
		if (!known) break;
	}
	return rc;
}

int enrol_unit_by_code(struct place *p, const char *code, uint8_t ret_unit[16], struct error *err)
{
	const struct table *t = table_of(p->replica, TABLE_ORG_UNIT);
	struct row_where where = {table_field_named(t, "code"), value_text(code)};
	struct row_view *rows;
	unsigned best = LEVEL_COMMUNITY + 1;
	size_t count = 0;
	struct arena a;
	int rc;

	arena_init(&a, 0);
	rc = store_rows_view(p->store, t, &where, 1, /* scope= */ 0, /* all= */ false,
	                     /* after= */ NULL, 16, &a, &rows, &count);
	if (rc) rc = fail(p->replica, rc, err);
	/* A city without counties may stand twice under one code: the upper one has the hub. */
	for (size_t i = 0; i < count && !rc; i++) {
		struct org o;

		org_read(t, &rows[i], &a, &o);
		if (!o.level || o.level >= best) continue;
		best = o.level;
		memcpy(ret_unit, o.id, 16);
	}
	if (!rc && best > LEVEL_COMMUNITY)
		rc = error_set(err, ERR_NOT_FOUND, "org_unit.code",
		               "no org unit has the code %.12s", code);
	arena_done(&a);
	return rc;
}

static uint8_t lanes_of_level(unsigned level)
{
	return level >= LEVEL_COUNTY ? LANES_ALL : LANES_OPEN;
}

/* ---- inviting */

static int root_fingerprint(struct replica *r, struct arena *a, uint8_t ret[32], size_t *ret_links,
                            struct error *err)
{
	struct span chain[CERT_CHAIN_MAX];
	struct cert root;
	int rc = replica_chain(r, a, chain, ret_links);

	if (rc) return fail(r, rc, err);
	if (!*ret_links) return error_set(err, ERR_CERT_BAD, "", "our own certificate is missing");
	rc = cert_open(chain[*ret_links - 1], &root, err);
	if (rc) return rc;
	if (root.role != CERT_ROOT)
		return error_set(err, ERR_CERT_BAD, "",
		                 "the chain of our certificate does not reach a root");
	cert_fingerprint(root.origin_key, ret);
	return 0;
}

static int endpoint_named(const struct place *p, char ret[CONFIG_ENDPOINT], struct error *err)
{
	const char *named = p->config.public[0] ? p->config.public : p->config.listen;

	if (!config_endpoint_ok(named, /* may_be_any= */ false))
		return error_set(err, ERR_CONFIG, "link.public",
		                 "invitations need an address that others can reach: set "
		                 "link.public or link.listen");
	snprintf(ret, CONFIG_ENDPOINT, "%s", named);
	return 0;
}

static int check_unit(struct replica *r, const uint8_t unit[16], unsigned role, struct arena *a,
                      struct org *ret, struct error *err)
{
	const struct cert *own = replica_cert(r);
	bool known = false, below = false;
	int rc = org_get(r, unit, a, ret, &known);

	if (rc) return fail(r, rc, err);
	if (!known || !ret->level)
		return error_set(err, ERR_NOT_FOUND, "org_unit", "no such org unit here");
	rc = org_is_below(r, ret, own->unit, a, &below);
	if (rc) return fail(r, rc, err);
	if (!below)
		return error_set(err, ERR_NOT_YOURS, "org_unit", "%s is not below %s", ret->code,
		                 own->code);
	if (role == CERT_HUB && !memcmp(unit, own->unit, 16))
		return error_set(err, ERR_NOT_YOURS, "org_unit", "%s has its hub: this one",
		                 ret->code);
	return 0;
}

/* Cuts at a character: the name is for people, the token holds 96 bytes. */
static void copy_name(char ret[97], const char *name)
{
	size_t len = strlen(name);

	if (len > 96) {
		len = 96;
		while (len && ((uint8_t)name[len] & 0xc0) == 0x80) len--;
	}
	memcpy(ret, name, len);
	ret[len] = 0;
}

static int token_make(struct place *p, const uint8_t unit[16], unsigned role, int64_t expires_ms,
                      struct arena *a, struct token *t, struct error *err)
{
	struct replica *r = p->replica;
	struct org org = {.name = ""};
	size_t links = 0;
	int rc;

	if (!replica_cert(r))
		return error_set(err, ERR_NOT_JOINED, "", "this hub has no certificate yet");
	if (!replica_is_hub(r)) return error_set(err, ERR_NO_PERMISSION, "", "only a hub invites");
	*t = (struct token){.role = (uint8_t)role};
	rc = endpoint_named(p, t->endpoint, err);
	if (!rc) rc = check_unit(r, unit, role, a, &org, err);
	if (!rc) rc = root_fingerprint(r, a, t->root_fingerprint, &links, err);
	if (!rc && links >= CERT_CHAIN_MAX)
		rc = error_set(err, ERR_LIMIT, "", "a chain of %d certificates ends here",
		               CERT_CHAIN_MAX);
	if (rc) return rc;
	memcpy(t->link_key, p->identity.link_public, 32);
	memcpy(t->unit, unit, 16);
	memcpy(t->code, org.code, sizeof(t->code));
	copy_name(t->name, org.name);
	t->expires_ms = now_ms(r) + (expires_ms > 0 ? expires_ms : ENROL_INVITE_MS);
	p->env.random(p->env.ctx, t->secret, sizeof(t->secret));
	return 0;
}

/* What is kept of an invitation beside its row. */
enum { WAITING_MAX = 4, APPROVE_TRIES = 5 };
struct extra {
	uint64_t run; /* of ours, when it was made */
	uint8_t printed, approved, count;
	uint8_t who[16]; /* approved: this device */
	struct {
		uint8_t origin[16];
		char code[8];
		int64_t since_ms;
	} waiting[WAITING_MAX];
};

static void extra_key(const uint8_t hash[32], char ret[64])
{
	char hex[33];

	hex_text(hash, 16, hex);
	snprintf(ret, 64, "invite/%s", hex);
}

/* Of before there were any: made in no run, not printed. */
static int extra_get(struct replica *r, const uint8_t hash[32], struct extra *ret)
{
	struct arena a;
	struct span m;
	char key[64];
	int rc;

	*ret = (struct extra){.run = 0};
	extra_key(hash, key);
	arena_init(&a, 0);
	rc = store_meta_get(replica_store(r), key, &a, &m);
	if (!rc && m.len == sizeof(*ret)) memcpy(ret, m.p, sizeof(*ret));
	arena_done(&a);
	return rc;
}

static int extra_put(struct replica *r, const uint8_t hash[32], const struct extra *x)
{
	char key[64];

	extra_key(hash, key);
	return store_meta_put(replica_store(r), key, span_of(x, sizeof(*x)));
}

static int invite_keep(struct replica *r, const struct token *t, bool printed)
{
	struct extra x = {.run = replica_run(r), .printed = printed};
	struct invite i = {.role = t->role, .made_ms = now_ms(r), .expires_ms = t->expires_ms};

	hash_of(span_of(t->secret, sizeof(t->secret)), i.hash, sizeof(i.hash));
	memcpy(i.unit, t->unit, 16);
	int rc = extra_put(r, i.hash, &x);
	return rc ? rc : store_invite_put(replica_store(r), &i);
}

static int invite(struct place *p, const uint8_t unit[16], unsigned role, int64_t expires_ms,
                  bool printed, struct buf *out, struct token *ret, struct error *err)
{
	struct arena a;
	struct token t;
	int rc;

	if (role != CERT_NODE && role != CERT_HUB)
		return error_set(err, ERR_USAGE, "role", "node or hub");
	rc = replica_begin(p->replica);
	if (rc) return fail(p->replica, rc, err);
	arena_init(&a, 0);
	rc = token_make(p, unit, role, expires_ms, &a, &t, err);
	if (!rc && (rc = invite_keep(p->replica, &t, printed))) fail(p->replica, rc, err);
	if (rc)
		replica_rollback(p->replica);
	else if ((rc = replica_commit(p->replica)))
		fail(p->replica, rc, err);
	if (!rc) {
		token_text(&t, out);
		if (ret) *ret = t;
	}
	crypt_wipe(t.secret, sizeof(t.secret));
	arena_done(&a);
	return rc;
}

int enrol_invite(struct place *p, const uint8_t unit[16], unsigned role, int64_t expires_ms,
                 struct buf *out, struct token *ret, struct error *err)
{
	return invite(p, unit, role, expires_ms, /* printed= */ false, out, ret, err);
}

int enrol_invite_printed(struct place *p, const uint8_t unit[16], unsigned role, int64_t expires_ms,
                         struct buf *out, struct token *ret, struct error *err)
{
	return invite(p, unit, role, expires_ms ? expires_ms : ENROL_PRINTED_MS,
	              /* printed= */ true, out, ret, err);
}

/* ---- approving */

static int waiting_each(struct replica *r, struct arena *a,
                        int (*each)(void *ctx, struct replica *r, const struct invite *i,
                                    struct extra *x, size_t at),
                        void *ctx)
{
	struct invite *list;
	size_t count = 0;
	int rc = store_invites(replica_store(r), a, &list, &count);

	for (size_t i = 0; i < count && !rc; i++) {
		struct extra x;

		if (list[i].used_ms || now_ms(r) >= list[i].expires_ms) continue;
		rc = extra_get(r, list[i].hash, &x);
		for (size_t k = 0; k < x.count && !x.approved && !rc; k++)
			rc = each(ctx, r, &list[i], &x, k);
	}
	return rc;
}

struct approving {
	const char *code;
	bool found;
	uint8_t unit[16];
};

static int approve_one(void *ctx, struct replica *r, const struct invite *i, struct extra *x,
                       size_t at)
{
	struct approving *w = ctx;

	if (w->found || strcmp(x->waiting[at].code, w->code) != 0) return 0;
	w->found = true;
	memcpy(w->unit, i->unit, 16);
	x->approved = 1;
	memcpy(x->who, x->waiting[at].origin, 16);
	return extra_put(r, i->hash, x);
}

/* Six digits are soon tried: so many wrong ones a minute, and no more. */
static int tries_left(struct replica *r, bool wrong, bool *ret)
{
	struct {
		int64_t minute_ms, wrong;
	} tries = {0};
	struct arena a;
	struct span m;
	int rc;

	arena_init(&a, 0);
	rc = store_meta_get(replica_store(r), "approve_tries", &a, &m);
	if (!rc && m.len == sizeof(tries)) memcpy(&tries, m.p, sizeof(tries));
	arena_done(&a);
	if (now_ms(r) < tries.minute_ms || now_ms(r) - tries.minute_ms >= MINUTE_MS) {
		tries.minute_ms = now_ms(r);
		tries.wrong = 0;
	}
	*ret = tries.wrong < APPROVE_TRIES;
	tries.wrong += wrong;
	return rc || !wrong ? rc
	                    : store_meta_put(replica_store(r), "approve_tries",
	                                     span_of(&tries, sizeof(tries)));
}

int enrol_approve(struct place *p, const char *code, uint8_t ret_unit[16], struct error *err)
{
	struct replica *r = p->replica;
	struct approving w = {.code = code};
	struct arena a;
	bool left = false;
	int rc = replica_begin(r);

	if (rc) return fail(r, rc, err);
	arena_init(&a, 0);
	rc = tries_left(r, false, &left);
	if (!rc && left) rc = waiting_each(r, &a, approve_one, &w);
	if (!rc && left && !w.found) rc = tries_left(r, true, &left);
	if (!rc) rc = replica_commit(r);
	if (rc) {
		replica_rollback(r);
		fail(r, rc, err);
	} else if (!w.found) {
		rc = left ? error_set(err, ERR_WRONG_CODE, "approve", "nobody waits with %.6s",
		                      code)
		          : error_set(err, ERR_BUSY, "approve",
		                      "too many wrong codes: wait a minute");
	}
	memcpy(ret_unit, w.unit, 16);
	arena_done(&a);
	return rc;
}

struct listing {
	struct arena *a;
	struct enrol_waiting *list;
	size_t count, room;
};

static int list_one(void *ctx, struct replica *r, const struct invite *i, struct extra *x,
                    size_t at)
{
	struct listing *l = ctx;

	(void)r;
	if (l->count == l->room) {
		struct enrol_waiting *more = arena_take(l->a, (l->room * 2 + 16) * sizeof(*more));

		if (l->count) memcpy(more, l->list, l->count * sizeof(*more));
		l->list = more;
		l->room = l->room * 2 + 16;
	}
	struct enrol_waiting *w = &l->list[l->count++];
	memcpy(w->unit, i->unit, 16);
	memcpy(w->origin, x->waiting[at].origin, 16);
	w->since_ms = x->waiting[at].since_ms;
	return 0;
}

int enrol_waiting(struct place *p, struct arena *a, struct enrol_waiting **ret, size_t *ret_count,
                  struct error *err)
{
	struct listing l = {.a = a};
	int rc = waiting_each(p->replica, a, list_one, &l);

	*ret = l.list;
	*ret_count = l.count;
	return rc ? fail(p->replica, rc, err) : 0;
}

int enrol_invite_code(struct place *p, const char *code, unsigned role, int64_t expires_ms,
                      struct buf *out, struct token *ret, struct error *err)
{
	uint8_t unit[16];
	int rc = enrol_unit_by_code(p, code, unit, err);

	return rc ? rc : enrol_invite(p, unit, role, expires_ms, out, ret, err);
}

/* ---- redeeming, called by the reactor inside its transaction */

static void answer_refuse(struct buf *out, int code, uint32_t retry_after_s)
{
	struct message m = {.type = MSG_REFUSE};

	m.refuse = (struct msg_refuse){.code = code,
	                               .retry_after_s = retry_after_s,
	                               .protocol_min = PROTOCOL_MIN,
	                               .protocol_max = PROTOCOL_MAX};
	message_pack(&m, NULL, out);
}

static int answer_joined(struct replica *r, struct span cert, struct arena *a, struct buf *out)
{
	struct message m = {.type = MSG_JOINED};
	struct span above[CERT_CHAIN_MAX];
	size_t n = 0;
	int rc = replica_chain(r, a, above, &n);

	if (rc) return rc;
	if (!n || n >= CERT_CHAIN_MAX) {
		answer_refuse(out, ERR_CERT_BAD, 0);
		return 0;
	}
	m.joined.chain[0] = cert;
	memcpy(&m.joined.chain[1], above, n * sizeof(above[0]));
	m.joined.chain_count = n + 1;
	m.joined.clock_ms = now_ms(r);
	message_pack(&m, NULL, out);
	return 0;
}

/* Does it own the key that it brings?  The CURVE key is proven by the link itself. */
static bool proof_good(const struct msg_join *m)
{
	static const char what[] = "jinguo join";
	uint8_t digest[32];
	struct hash h;

	hash_begin(&h, sizeof(digest));
	hash_add(&h, what, sizeof(what) - 1);
	hash_add(&h, m->secret, sizeof(m->secret));
	hash_add(&h, m->origin_key, sizeof(m->origin_key));
	hash_add(&h, m->link_key, sizeof(m->link_key));
	hash_end(&h, digest, sizeof(digest));
	return sign_check(span_of(digest, sizeof(digest)), m->proof, m->origin_key);
}

/* Some cities have no county level: what a county does there, the prefecture's hub does (architecture section 2). */
static int lanes_of_unit(struct replica *r, const uint8_t unit[16], unsigned level, uint8_t *ret)
{
	const struct table *t = schema_table(store_schema(replica_store(r)), TABLE_ORG_UNIT);
	struct row_where where[2] = {{table_field_named(t, "parent"), value_bytes(unit, 16)},
	                             {table_field_named(t, "level"), value_int(LEVEL_COUNTY)}};
	struct row_view *counties;
	struct arena a;
	size_t n = 0;
	int rc = 0;

	arena_init(&a, 0);
	*ret = lanes_of_level(level);
	if (level == LEVEL_PREFECTURE)
		rc = store_rows_view(replica_store(r), t, where, 2, 0, /* all= */ false, NULL, 1,
		                     &a, &counties, &n);
	if (!rc && level == LEVEL_PREFECTURE && !n) *ret = LANES_ALL;
	arena_done(&a);
	return rc;
}

static int cert_issue(struct replica *r, const struct msg_join *m, const struct invite *i,
                      const struct org *org, struct buf *out, struct error *err)
{
	const struct cert *own = replica_cert(r);
	struct cert c = {
	        .role = i->role, .level = (uint8_t)org->level, .lanes = lanes_of_level(org->level)};
	int64_t now = now_ms(r);
	int rc = lanes_of_unit(r, i->unit, org->level, &c.lanes);

	if (rc) return rc;
	if (c.role == CERT_NODE) c.lanes &= own->lanes; /* a node holds no more than its hub */
	memcpy(c.origin_key, m->origin_key, 32);
	memcpy(c.link_key, m->link_key, 32);
	memcpy(c.unit, i->unit, 16);
	memcpy(c.issuer, own->id, 16);
	memcpy(c.code, org->code, sizeof(c.code));
	c.not_before_ms = now - DAY_MS > own->not_before_ms ? now - DAY_MS : own->not_before_ms;
	c.not_after_ms = replica_cert_end(r);
	rc = cert_make(&c, replica_identity(r)->sign_secret, out, err);
	return rc ? rc : cert_check_issued(&c, own, err);
}

static int write_device(struct replica *r, const struct invite *i, const uint8_t origin[16])
{
	static const uint8_t program[8];
	const struct table *t = table_of(r, TABLE_DEVICE);
	struct field_write fields[] = {
	        {table_field_named(t, "origin"), value_bytes(origin, 16)},
	        {table_field_named(t, "role"), value_text(i->role == CERT_HUB ? "hub" : "node")},
	        {table_field_named(t, "org"), value_bytes(i->unit, 16)},
	        {table_field_named(t, "enrolled"), value_int(now_ms(r))},
	};
	struct write w = {.kind = WRITE_INSERT,
	                  .table = t,
	                  .fields = fields,
	                  .fields_count = ARRAY_COUNT(fields)};
	int rc;

	memcpy(w.scope, i->unit, 16);
	rc = replica_write(r, &w, 1, /* whole= */ false, program);
	/* A level that does not keep the list of devices still enrols: the certificate says it all. */
	return rc == -ERR_NO_PERMISSION ? 0 : rc;
}

static bool is_of_store(int rc)
{
	return rc == -ERR_DISK_FULL || rc == -ERR_STORAGE || rc == -ERR_DATABASE_DAMAGED ||
	       rc == -ERR_BUSY || rc == -ERR_INTERNAL;
}

/* First use: certificate, device row and the invitation's end stand or fall together. */
static int redeem_first(struct replica *r, const struct msg_join *m, struct invite *i,
                        const uint8_t origin[16], struct arena *a, struct buf *out)
{
	struct error err = {0};
	struct org org;
	struct buf cert;
	bool known;
	int rc = org_get(r, i->unit, a, &org, &known);

	if (rc) return rc;
	if (!known || !org.level) {
		answer_refuse(out, ERR_INVITE_OLD, 0); /* the unit went since */
		return 0;
	}
	buf_init(&cert, CERT_BYTES_MAX);
	if (cert_issue(r, m, i, &org, &cert, &err)) {
		answer_refuse(out, err.code == ERR_CERT_BAD ? ERR_CERT_EXPIRED : err.code,
		              0); /* our own has run out */
		goto out;
	}
	rc = write_device(r, i, origin);
	if (rc &&
	    !is_of_store(
	            rc)) { /* nothing was written: a refusal of ours, not an error of the machine */
		answer_refuse(out, -rc, 0);
		rc = 0;
		goto out;
	}
	if (!rc) rc = replica_enrol(r, buf_span(&cert));
	i->used_ms = now_ms(r);
	memcpy(i->used_by, origin, 16);
	if (!rc) rc = store_invite_put(replica_store(r), i);
	if (!rc) rc = answer_joined(r, buf_span(&cert), a, out);
out:
	buf_done(&cert);
	return rc;
}

/* The answer was lost: the same device, with the same keys, gets it again. */
static int redeem_again(struct replica *r, const struct msg_join *m, const uint8_t origin[16],
                        struct arena *a, struct buf *out)
{
	struct cert_row *row;
	int rc = store_cert_by_origin(replica_store(r), origin, a, &row);

	if (rc) return rc;
	if (!row || !replica_is_own(r, row->issuer) || !crypt_equal(row->link, m->link_key, 32)) {
		answer_refuse(out, ERR_INVITE_USED, 0);
		return 0;
	}
	if (row->revoked_ms) {
		answer_refuse(out, ERR_REVOKED, 0);
		return 0;
	}
	return answer_joined(r, row->body, a, out);
}

/* A printed sheet may have been copied: who comes waits for a person.  0: let in; else the error. */
static int approval(struct replica *r, const struct msg_join *m, const struct invite *i,
                    struct extra *x, const uint8_t origin[16], int *ret_code)
{
	size_t at = 0;

	*ret_code = 0;
	if (!x->printed) return 0;
	if (x->approved) {
		*ret_code = memcmp(x->who, origin, 16) != 0 ? ERR_INVITE_USED : 0;
		return 0;
	}
	*ret_code = ERR_APPROVAL;
	while (at < x->count && memcmp(x->waiting[at].origin, origin, 16) != 0) at++;
	if (at < x->count) return 0;
	if (at ==
	    WAITING_MAX) { /* somebody plays with a copy: the sheet is worth nothing any more */
		*ret_code = ERR_INVITE_USED;
		return 0;
	}
	memcpy(x->waiting[at].origin, origin, 16);
	token_code(m->secret, m->origin_key, m->link_key, x->waiting[at].code);
	x->waiting[at].since_ms = now_ms(r);
	x->count++;
	return extra_put(r, i->hash, x);
}

/* Was it redeemed in a time that this hub's disk has forgotten?  One of before this run is good only after the parent gave back
 * what we issued, and not if among that is a certificate for its unit and role that no invitation known here accounts for. */
static int forgotten(struct replica *r, const struct invite *i, const struct extra *x,
                     struct arena *a, int *ret_code)
{
	struct cert_row *rows;
	struct invite *all;
	struct cert parent;
	struct span m;
	uint64_t run = 0;
	size_t rows_count = 0, all_count = 0;
	int rc;

	*ret_code = 0;
	if (x->run == replica_run(r)) return 0;
	rc = store_meta_get(replica_store(r), "given_back", a, &m);
	if (!rc && m.len == sizeof(run)) memcpy(&run, m.p, sizeof(run));
	if (rc) return rc;
	if (replica_parent(r, &parent) && run != replica_run(r)) {
		*ret_code = ERR_BUSY;
		return 0;
	}
	rc = replica_children(r, a, &rows, &rows_count);
	rc = rc ? rc : store_invites(replica_store(r), a, &all, &all_count);
	for (size_t k = 0; k < rows_count && !rc && !*ret_code; k++) {
		bool accounted = memcmp(rows[k].unit, i->unit, 16) != 0 ||
		                 rows[k].role != i->role ||
		                 rows[k].not_before_ms + DAY_MS < i->made_ms;

		for (size_t n = 0; n < all_count && !accounted; n++)
			accounted = all[n].used_ms && !memcmp(all[n].used_by, rows[k].origin, 16);
		if (!accounted) *ret_code = ERR_INVITE_USED;
	}
	return rc;
}

/* Who asked with what, and was not let in: for whoever looks for a guesser. */
static int note_refused(struct replica *r, const uint8_t origin[16], int code)
{
	static const char what[] = "join";
	struct trail_record t = {.verb = TRAIL_DENIED,
	                         .outcome = (uint16_t)code,
	                         .detail = {(const uint8_t *)what, 4}};

	memcpy(t.id, origin, 16);
	return trail_add(r, &t);
}

/* Keys that were revoked come back under no invitation. */
static bool was_revoked(struct replica *r, const uint8_t origin[16], struct arena *a)
{
	struct cert_row *row = NULL;

	return !store_cert_by_origin(replica_store(r), origin, a, &row) && row && row->revoked_ms;
}

static int redeem(struct enrol *e, struct replica *r, const struct msg_join *m,
                  const uint8_t link_key[32], int64_t now, struct arena *a, struct buf *out)
{
	struct invite i;
	struct extra x;
	uint8_t hash[32], origin[16];
	bool known;
	int code = 0, rc;

	if (m->protocol_min > PROTOCOL_MAX || m->protocol_max < PROTOCOL_MIN)
		code = ERR_VERSION;
	else if (!replica_is_hub(r))
		code = ERR_NOT_JOINED;
	else if (!crypt_equal(m->link_key, link_key, 32))
		code = ERR_WRONG_KEY;
	else
		code = replica_stopped(r); /* of two copies neither enrols */
	if (code) {
		answer_refuse(out, code, 0);
		return 0;
	}
	hash_of(span_of(m->secret, sizeof(m->secret)), hash, sizeof(hash));
	rc = store_invite_get(replica_store(r), hash, &i, &known);
	if (rc) return rc;
	if (!known) {
		if (now - e->minute_ms >= MINUTE_MS) {
			e->minute_ms = now;
			e->wrong = 0;
		}
		origin_of(m->origin_key, origin);
		if (e->wrong >= e->wrong_max) {
			answer_refuse(out, ERR_BUSY, WAIT_S);
			return 0;
		}
		e->wrong++;
		answer_refuse(out, ERR_INVITE_UNKNOWN, 0);
		return note_refused(r, origin, ERR_INVITE_UNKNOWN);
	}
	origin_of(m->origin_key, origin);
	rc = extra_get(r, hash, &x);
	if (rc) return rc;
	if (!proof_good(m))
		code = ERR_SIGNATURE;
	else if (was_revoked(r, origin, a))
		code = ERR_REVOKED;
	else if (i.used_ms && memcmp(i.used_by, origin, 16) != 0)
		code = ERR_INVITE_USED;
	else if (i.used_ms)
		return redeem_again(r, m, origin, a, out);
	else if (now_ms(r) >= i.expires_ms)
		code = ERR_INVITE_OLD;
	if (!code) rc = forgotten(r, &i, &x, a, &code);
	if (!rc && !code) rc = approval(r, m, &i, &x, origin, &code);
	if (rc) return rc;
	if (!code) return redeem_first(r, m, &i, origin, a, out);
	answer_refuse(out, code, code == ERR_BUSY ? WAIT_S : 0);
	return note_refused(r, origin, code);
}

static int on_join(void *ctx, struct replica *r, const struct msg_join *m,
                   const uint8_t link_key[32], int64_t now, struct buf *ret_answer)
{
	struct arena a;
	int rc;

	arena_init(&a, 0);
	rc = redeem(ctx, r, m, link_key, now, &a, ret_answer);
	arena_done(&a);
	return rc;
}

struct enrol *enrol_new(const struct place *p)
{
	struct enrol *e = mem_alloc(sizeof(*e));

	e->wrong_max = p->config.strangers_per_minute;
	e->strangers = (struct reactor_strangers){.ctx = e, .join = on_join};
	return e;
}

void enrol_free(struct enrol *e)
{
	free(e);
}

const struct reactor_strangers *enrol_strangers(struct enrol *e)
{
	return &e->strangers;
}
