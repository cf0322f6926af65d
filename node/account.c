/*
 * account.c - see account.h.
 *
 * Records of the table `secret`, msgpack:
 *   account:PERSON  [1, login, name, salt 16, passes, KiB, nonce 24, sealed 80, failures, locked until ms]
 *   session:HASH    [1, person 8, made ms, used ms, nonce 24, sealed 80]
 * PERSON is 16 hexadecimal digits, HASH those of hash-16(token).  Sealed is (signing seed 32, key of the disk 32) by
 * XChaCha20-Poly1305, under Argon2id(password) or hash-32("jinguo session", token), about the record's name.
 * Login and name stand here too, since above the custodian no row has them.
 *
 * A login that does not exist costs the same work as one that does, so that the time says nothing of it.
 */
#include "common/base.h"

#include "node/account.h"

#include "common/codes.h"
#include "common/crypt.h"
#include "common/ident.h"
#include "common/pack.h"
#include "common/validate.h"

enum { RECORD_MAX = 512, NAME_MAX_SECRET = 64, LOCK_MS_MAX = 3600000, ACCOUNTS_MAX = 1000 };

/* ---- roles */

static const unsigned roles_of_level[] = {
        [LEVEL_NATION] = ROLE_BUSINESS | ROLE_ASSESSOR | ROLE_FINANCE | ROLE_AUDITOR,
        [LEVEL_PROVINCE] = ROLE_BUSINESS | ROLE_ASSESSOR | ROLE_FINANCE | ROLE_AUDITOR,
        [LEVEL_PREFECTURE] = ROLE_ADMIN | ROLE_REVIEWER | ROLE_FINANCE | ROLE_RIGHTS | ROLE_DATA,
        [LEVEL_COUNTY] = ROLE_ADMIN | ROLE_REVIEWER | ROLE_FINANCE | ROLE_RIGHTS | ROLE_DATA,
        [LEVEL_TOWNSHIP] = ROLE_HEAD | ROLE_RECORDER | ROLE_LIAISON | ROLE_ADMIN | ROLE_REVIEWER,
        [LEVEL_COMMUNITY] = ROLE_HEAD | ROLE_RECORDER | ROLE_LIAISON,
};

bool person_may(const struct person *p, enum may may)
{
	if (p->kind == PERSON_DEVICE || may == MAY_ANYONE) return true;
	if (p->kind == PERSON_SERVICE) return may == MAY_READ || may == MAY_WRITE;
	switch (may) {
	case MAY_ANYONE:
	case MAY_READ:
		return true;
	case MAY_WRITE:
		return (p->roles & ~(unsigned)ROLE_AUDITOR) != 0;
	case MAY_AUDIT:
		return (p->roles & (ROLES_REVIEW | ROLE_AUDITOR)) != 0;
	case MAY_REVIEW:
		return (p->roles & ROLES_REVIEW) != 0;
	case MAY_MANAGE:
		return (p->roles & ROLES_MANAGE) != 0;
	}
	return false;
}

bool person_sees(const struct person *p, const struct field *f)
{
	if (f && f->tier >= 4) return false; /* an envelope: cmd_case.c */
	return !f || f->tier < 3 || p->kind != PERSON_ACCOUNT || (p->roles & ROLES_SENSITIVE) != 0;
}

static unsigned own_level(const struct people *p)
{
	const struct cert *c = replica_cert(p->r);

	return c ? c->level : LEVEL_COMMUNITY;
}

/* Who keeps the machine must not be who hears of the cases; who looks at everything does nothing else. */
static const char *roles_apart(unsigned roles)
{
	if ((roles & (ROLE_HEAD | ROLE_ADMIN)) && (roles & (ROLE_LIAISON | ROLE_RIGHTS)))
		return "head or admin, and liaison or rights";
	if ((roles & ROLE_AUDITOR) && roles != ROLE_AUDITOR) return "auditor, and another";
	return NULL;
}

static unsigned role_named(struct span name)
{
	for (size_t i = 0; i < codes_account_role.count; i++)
		if (span_equal(name, value_text(codes_account_role.codes[i].code).s))
			return 1U << i;
	return 0;
}

unsigned roles_of(struct span s)
{
	unsigned roles = 0;

	for (size_t at = 0; at < s.len;) {
		const uint8_t *comma = memchr(s.p + at, ',', s.len - at);
		size_t n = comma ? (size_t)(comma - s.p) - at : s.len - at;

		roles |= role_named(span_of(s.p + at, n));
		at += n + 1;
	}
	return roles;
}

void roles_text(unsigned roles, struct buf *out)
{
	const char *comma = "";

	for (size_t i = 0; i < codes_account_role.count; i++) {
		if (!(roles >> i & 1)) continue;
		buf_print(out, "%s%s", comma, codes_account_role.codes[i].code);
		comma = ",";
	}
}

int roles_parse(const struct people *p, const char *text, unsigned *ret)
{
	const struct table *t = schema_table(&schema_current, TABLE_ACCOUNT);
	const char *apart;
	struct value v;
	struct buf b;
	unsigned roles, level = own_level(p);
	int rc = value_parse(t, table_field_named(t, "roles"), text, p->arena, &v, p->err);

	if (rc) return rc;
	roles = v.type == VALUE_TEXT ? roles_of(v.s) : 0;
	if (!roles) return error_set(p->err, ERR_REQUIRED, "roles", "at least one");
	if (roles & ~roles_of_level[level]) {
		buf_init(&b, 256);
		roles_text(roles_of_level[level], &b);
		rc = error_set(p->err, ERR_ROLES_FORM, "roles", "this level has %s", buf_cstr(&b));
		buf_done(&b);
		return rc;
	}
	apart = roles_apart(roles);
	if (apart) return error_set(p->err, ERR_ROLES_FORM, "roles", "not together: %s", apart);
	*ret = roles;
	return 0;
}

/* ---- records */

void account_secret_pack(const struct account_secret *s, struct buf *out)
{
	pack_array(out, 10);
	pack_uint(out, 1);
	pack_text(out, s->login, strlen(s->login));
	pack_text(out, s->name, strlen(s->name));
	pack_bytes(out, s->salt, sizeof(s->salt));
	pack_uint(out, s->passes);
	pack_uint(out, s->kib);
	pack_bytes(out, s->nonce, sizeof(s->nonce));
	pack_bytes(out, s->sealed, sizeof(s->sealed));
	pack_uint(out, s->failures);
	pack_int(out, s->locked_until_ms);
}

static void read_text(struct reader *r, char *ret, size_t len_max)
{
	struct span s = reader_text(r, len_max);

	if (s.len) memcpy(ret, s.p, s.len);
	ret[s.len] = 0;
}

bool account_secret_parse(struct span s, struct account_secret *ret)
{
	struct account_secret got = {0};
	struct reader r;

	reader_init(&r, s);
	reader_expect_array(&r, 10);
	if (reader_uint(&r, 1) != 1) return false;
	read_text(&r, got.login, LOGIN_MAX);
	read_text(&r, got.name, NAME_BYTES_MAX);
	reader_fixed(&r, got.salt, sizeof(got.salt));
	got.passes = (uint32_t)reader_uint(&r, PASSWORD_PASSES_MAX);
	got.kib = (uint32_t)reader_uint(&r, PASSWORD_KIB_MAX);
	reader_fixed(&r, got.nonce, sizeof(got.nonce));
	reader_fixed(&r, got.sealed, sizeof(got.sealed));
	got.failures = (uint32_t)reader_uint(&r, UINT32_MAX);
	got.locked_until_ms = reader_int(&r);
	if (!reader_done(&r)) return false;
	*ret = got;
	return true;
}

void session_secret_pack(const struct session_secret *s, struct buf *out)
{
	pack_array(out, 6);
	pack_uint(out, 1);
	pack_bytes(out, s->person, sizeof(s->person));
	pack_int(out, s->made_ms);
	pack_int(out, s->used_ms);
	pack_bytes(out, s->nonce, sizeof(s->nonce));
	pack_bytes(out, s->sealed, sizeof(s->sealed));
}

bool session_secret_parse(struct span s, struct session_secret *ret)
{
	struct session_secret got = {0};
	struct reader r;

	reader_init(&r, s);
	reader_expect_array(&r, 6);
	if (reader_uint(&r, 1) != 1) return false;
	reader_fixed(&r, got.person, sizeof(got.person));
	got.made_ms = reader_int(&r);
	got.used_ms = reader_int(&r);
	reader_fixed(&r, got.nonce, sizeof(got.nonce));
	reader_fixed(&r, got.sealed, sizeof(got.sealed));
	if (!reader_done(&r)) return false;
	*ret = got;
	return true;
}

/* ---- the store */

static struct store *st_of(const struct people *p)
{
	return replica_store(p->r);
}

static int64_t now_of(const struct people *p)
{
	const struct env *env = replica_env(p->r);

	return env->now_ms(env->ctx);
}

static void random_of(const struct people *p, void *ret, size_t len)
{
	const struct env *env = replica_env(p->r);

	env->random(env->ctx, ret, len);
}

static int store_failed(const struct people *p, int rc)
{
	*p->err = *store_error(st_of(p));
	return rc;
}

static int engine_failed(const struct people *p, int rc)
{
	*p->err = *replica_error(p->r);
	if (p->err->code != -rc) error_set(p->err, -rc, NULL, NULL);
	return rc;
}

static void secret_name(const char *kind, const uint8_t *id, size_t len, char ret[NAME_MAX_SECRET])
{
	char hex[40];

	assert(len <= 16);
	hex_text(id, len, hex);
	(void)snprintf(ret, NAME_MAX_SECRET, "%s:%s", kind, hex);
}

static int begin(const struct people *p)
{
	int rc = store_begin(st_of(p));

	return rc ? store_failed(p, rc) : 0;
}

/* Ends the transaction well or not at all. */
static int end(const struct people *p, int rc)
{
	if (!rc) rc = store_commit(st_of(p));
	if (!rc) return 0;
	if (store_error(st_of(p))->code == -rc) store_failed(p, rc);
	store_rollback(st_of(p));
	return rc;
}

static int put_account(const struct people *p, const uint8_t person[PERSON_ID],
                       const struct account_secret *s)
{
	char name[NAME_MAX_SECRET];
	struct buf b;
	int rc;

	secret_name("account", person, PERSON_ID, name);
	buf_init(&b, RECORD_MAX);
	account_secret_pack(s, &b);
	rc = store_secret_put(st_of(p), name, buf_span(&b));
	buf_done(&b);
	return rc ? store_failed(p, rc) : 0;
}

static int get_account(const struct people *p, const uint8_t person[PERSON_ID],
                       struct account_secret *ret, bool *ret_here)
{
	char name[NAME_MAX_SECRET];
	struct span s;
	int rc;

	memset(ret, 0, sizeof(*ret));
	secret_name("account", person, PERSON_ID, name);
	rc = store_secret_get(st_of(p), name, p->arena, &s);
	if (rc) return store_failed(p, rc);
	*ret_here = s.len > 0;
	if (s.len && !account_secret_parse(s, ret))
		return error_set(p->err, ERR_DATABASE_DAMAGED, "", "the record %s", name);
	return 0;
}

/* ---- sealing */

struct pair {
	uint8_t seed[32], rest[SEAL_KEY];
};
static_assert(sizeof(struct pair) + SEAL_TAG == SEALED_PAIR, "what is sealed");

static void pair_seal(const struct people *p, const uint8_t key[SEAL_KEY], const char *about,
                      const struct pair *pair, uint8_t nonce[SEAL_NONCE], uint8_t ret[SEALED_PAIR])
{
	random_of(p, nonce, SEAL_NONCE);
	seal_make(key, nonce, span_of(about, strlen(about)), span_of(pair, sizeof(*pair)), ret);
}

static bool pair_open(const uint8_t key[SEAL_KEY], const char *about,
                      const uint8_t nonce[SEAL_NONCE], const uint8_t sealed[SEALED_PAIR],
                      struct pair *ret)
{
	return seal_open(key, nonce, span_of(about, strlen(about)), span_of(sealed, SEALED_PAIR),
	                 (uint8_t *)ret);
}

static int password_check(const struct people *p, const char *login, struct span password)
{
	if (password.len < PASSWORD_MIN || password.len > PASSWORD_MAX || !utf8_valid(password) ||
	    span_equal(password, span_of(login, strlen(login))))
		return error_set(p->err, ERR_PASSWORD_FORM, "password", "%d to %d bytes",
		                 PASSWORD_MIN, PASSWORD_MAX);
	return 0;
}

/* A fresh record under a password, with the costs of today's settings. */
static int account_seal(const struct people *p, const uint8_t person[PERSON_ID], const char *login,
                        const char *name, struct span password, const struct pair *pair,
                        struct account_secret *ret)
{
	char about[NAME_MAX_SECRET];
	uint8_t key[SEAL_KEY];

	*ret = (struct account_secret){.passes = p->config->argon_passes,
	                               .kib = p->config->argon_kib};
	(void)snprintf(ret->login, sizeof(ret->login), "%s", login);
	(void)snprintf(ret->name, sizeof(ret->name), "%s", name);
	random_of(p, ret->salt, sizeof(ret->salt));
	if (!password_key(password, ret->salt, ret->passes, ret->kib, key))
		return error_set(p->err, ERR_INTERNAL, "", "no %" PRIu32 " KiB of memory",
		                 ret->kib);
	secret_name("account", person, PERSON_ID, about);
	pair_seal(p, key, about, pair, ret->nonce, ret->sealed);
	crypt_wipe(key, sizeof(key));
	return 0;
}

static bool account_unseal(const uint8_t person[PERSON_ID], struct span password,
                           const struct account_secret *s, struct pair *ret)
{
	char name[NAME_MAX_SECRET];
	uint8_t key[SEAL_KEY];
	bool good;

	secret_name("account", person, PERSON_ID, name);
	good = password_key(password, s->salt, s->passes, s->kib, key) &&
	       pair_open(key, name, s->nonce, s->sealed, ret);
	crypt_wipe(key, sizeof(key));
	return good;
}

/* ---- rows */

static const struct table *account_table(void)
{
	return schema_table(&schema_current, TABLE_ACCOUNT);
}

static struct value value_of(const struct row_view *v, const char *name)
{
	const struct field *f = table_field_named(account_table(), name);

	assert(f);
	return v->values[f - account_table()->fields];
}

static const char *text_of(const struct people *p, struct value v)
{
	return v.type == VALUE_TEXT ? arena_text(p->arena, v.s) : "";
}

static int account_read(const struct people *p, const struct row_view *v, struct account *ret)
{
	struct value person = value_of(v, "person"), key = value_of(v, "key"),
	             roles = value_of(v, "roles");
	struct account_secret s;
	int rc;

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->row, v->id, 16);
	if (person.type == VALUE_BYTES && person.s.len == PERSON_ID)
		memcpy(ret->person, person.s.p, PERSON_ID);
	if (key.type == VALUE_BYTES && key.s.len == 32) memcpy(ret->key, key.s.p, 32);
	if (roles.type == VALUE_TEXT) ret->roles = roles_of(roles.s);
	ret->disabled = v->dead || value_of(v, "disabled").type != VALUE_NULL;
	ret->login = text_of(p, value_of(v, "login"));
	ret->name = text_of(p, value_of(v, "name"));
	rc = get_account(p, ret->person, &s, &ret->here);
	if (rc || !ret->here) return rc;
	ret->login = arena_text(p->arena, span_of(s.login, strlen(s.login)));
	ret->name = arena_text(p->arena, span_of(s.name, strlen(s.name)));
	return 0;
}

static int rows_where(const struct people *p, const char *field, struct value v, uint32_t scope,
                      struct row_view **ret, size_t *ret_count)
{
	struct row_where where = {field ? table_field_named(account_table(), field) : NULL, v};
	int rc = store_rows_view(st_of(p), account_table(), &where, field ? 1 : 0, scope,
	                         /* all= */ true, NULL, ACCOUNTS_MAX, p->arena, ret, ret_count);

	return rc ? store_failed(p, rc) : 0;
}

int accounts_any(const struct people *p, bool *ret_any)
{
	struct secret *secrets;
	size_t count;
	int rc = store_secrets(st_of(p), "account:", p->arena, &secrets, &count);

	if (rc) return store_failed(p, rc);
	*ret_any = count > 0;
	return 0;
}

int accounts_list(const struct people *p, struct account **ret, size_t *ret_count)
{
	struct row_view *rows;
	size_t count;
	int rc = rows_where(p, NULL, value_null(), replica_own_scope(p->r), &rows, &count);

	*ret = rc ? NULL : ARENA_ARRAY(p->arena, struct account, count + 1);
	for (size_t i = 0; i < count && !rc; i++) rc = account_read(p, &rows[i], &(*ret)[i]);
	*ret_count = rc ? 0 : count;
	return rc;
}

int account_find(const struct people *p, const char *login, struct account *ret)
{
	struct secret *all;
	size_t count;
	int rc = store_secrets(st_of(p), "account:", p->arena, &all, &count);

	if (rc) return store_failed(p, rc);
	for (size_t i = 0; i < count; i++) {
		uint8_t person[PERSON_ID];
		struct account_secret s;
		struct account *a = NULL;

		if (!account_secret_parse(all[i].value, &s) || strcmp(s.login, login) != 0 ||
		    !hex_parse(all[i].name + strlen("account:"), person, PERSON_ID))
			continue;
		rc = account_of_author(p, person, &a);
		if (rc) return rc;
		if (!a) continue;
		*ret = *a;
		return 0;
	}
	return error_set(p->err, ERR_NOT_FOUND, "login", "no account %.40s", login);
}

int account_of_author(const struct people *p, const uint8_t person[PERSON_ID], struct account **ret)
{
	struct row_view *rows;
	size_t count;
	int rc = rows_where(p, "person", value_bytes(person, PERSON_ID), 0, &rows, &count);

	*ret = NULL;
	if (rc || !count) return rc;
	*ret = ARENA_ARRAY(p->arena, struct account, 1);
	return account_read(p, &rows[0], *ret);
}

/* Is there another who can manage accounts here, if `without` cannot any more? */
static int other_manager(const struct people *p, const struct account *without)
{
	struct account *all;
	size_t count;
	int rc = accounts_list(p, &all, &count);

	for (size_t i = 0; i < count && !rc; i++)
		if (memcmp(all[i].row, without->row, 16) != 0 && !all[i].disabled && all[i].here &&
		    (all[i].roles & ROLES_MANAGE))
			return 0;
	return rc ? rc : error_set(p->err, ERR_LAST_MANAGER, "login", "%.40s", without->login);
}

static int insert_row(const struct people *p, const struct person *by, const char *login,
                      const char *name, unsigned roles, const uint8_t key[32],
                      const uint8_t person[PERSON_ID], uint8_t ret_row[16])
{
	const struct table *t = account_table();
	struct buf b;
	int rc;

	const struct cert *cert = replica_cert(p->r);
	bool named = !cert || (cert->lanes >> LANE_COUNTY & 1);

	buf_init(&b, 256);
	roles_text(roles, &b);
	struct field_write fields[] = {
	        {table_field_named(t, "person"), value_bytes(person, PERSON_ID)},
	        {table_field_named(t, "key"), value_bytes(key, 32)},
	        {table_field_named(t, "roles"), value_text(buf_cstr(&b))},
	        {table_field_named(t, "login"), value_text(login)},
	        {table_field_named(t, "name"), *name ? value_text(name) : value_null()},
	};
	struct write w = {.kind = WRITE_INSERT,
	                  .table = t,
	                  .fields = fields,
	                  .fields_count = named ? ARRAY_COUNT(fields) : 3};
	rc = replica_write(p->r, &w, 1, false, by->id);
	if (!rc) memcpy(ret_row, w.row, 16);
	buf_done(&b);
	return rc ? engine_failed(p, rc) : 0;
}

static int update_row(const struct people *p, const struct person *by, const struct account *a,
                      const char *field, struct value v)
{
	struct field_write f = {table_field_named(account_table(), field), v};
	struct write w = {
	        .kind = WRITE_UPDATE, .table = account_table(), .fields = &f, .fields_count = 1};
	int rc;

	memcpy(w.row, a->row, 16);
	rc = replica_write(p->r, &w, 1, false, by->id);
	return rc ? engine_failed(p, rc) : 0;
}

static int change_begin(const struct people *p)
{
	int rc = replica_begin(p->r);

	return rc ? engine_failed(p, rc) : 0;
}

static int change_end(const struct people *p, int rc)
{
	if (!rc) {
		rc = replica_commit(p->r);
		if (rc) engine_failed(p, rc);
	}
	if (rc) replica_rollback(p->r);
	return rc;
}

/* ---- accounts */

static int login_check(const struct people *p, const char *login)
{
	size_t n = strlen(login);
	bool good = n > 0 && n <= LOGIN_MAX;

	for (size_t i = 0; i < n && good; i++) good = (uint8_t)login[i] > ' ' && login[i] != 127;
	return good ? 0 : error_set(p->err, ERR_FIELD_FORM, "login", "1 to 40 bytes, no spaces");
}

/* The keys and the secret of a new account, and its row.  Inside a transaction. */
static int make(const struct people *p, const struct person *by, const char *login,
                const char *name, unsigned roles, const struct account_secret *s,
                const uint8_t key[32], const uint8_t person[PERSON_ID], uint8_t ret_row[16])
{
	int rc = insert_row(p, by, login, name, roles, key, person, ret_row);

	return rc ? rc : put_account(p, person, s);
}

static int prepare(const struct people *p, const struct person *by, const char *login,
                   const char *name, struct span password, struct account_secret *ret,
                   uint8_t ret_key[32], uint8_t ret_person[PERSON_ID])
{
	uint8_t secret[64];
	struct pair pair;
	int rc = password_check(p, login, password);

	if (rc) return rc;
	random_of(p, pair.seed, sizeof(pair.seed));
	if (!store_rest_key(st_of(p), pair.rest)) memcpy(pair.rest, by->rest, sizeof(pair.rest));
	sign_keypair(pair.seed, ret_key, secret);
	hash_of(span_of(ret_key, 32), ret_person, PERSON_ID);
	rc = account_seal(p, ret_person, login, name, password, &pair, ret);
	crypt_wipe(secret, sizeof(secret));
	crypt_wipe(&pair, sizeof(pair));
	return rc;
}

int account_add(const struct people *p, const struct person *by, const char *login,
                const char *name, unsigned roles, struct span password, uint8_t ret_row[16])
{
	uint8_t key[32], person[PERSON_ID];
	struct account_secret s;
	struct account there;
	bool any = false;
	int rc = login_check(p, login);

	rc = rc ? rc : accounts_any(p, &any);
	if (rc) return rc;
	if (!any && !(roles & ROLES_MANAGE))
		return error_set(p->err, ERR_LAST_MANAGER, "roles",
		                 "the first account manages the others");
	if (strlen(name) > NAME_BYTES_MAX || !utf8_valid(span_of(name, strlen(name))))
		return error_set(p->err, ERR_TOO_LONG, "name", "at most %d bytes", NAME_BYTES_MAX);
	rc = account_find(p, login, &there);
	if (!rc) return error_set(p->err, ERR_EXISTS, "login", "%.40s", login);
	if (rc != -ERR_NOT_FOUND) return rc;
	rc = prepare(p, by, login, name, password, &s, key, person);
	rc = rc ? rc : change_begin(p);
	return rc ? rc : change_end(p, make(p, by, login, name, roles, &s, key, person, ret_row));
}

int account_set_roles(const struct people *p, const struct person *by, const struct account *a,
                      unsigned roles)
{
	struct buf b;
	int rc = roles & ROLES_MANAGE || !(a->roles & ROLES_MANAGE) ? 0 : other_manager(p, a);

	rc = rc ? rc : change_begin(p);
	if (rc) return rc;
	buf_init(&b, 256);
	roles_text(roles, &b);
	rc = change_end(p, update_row(p, by, a, "roles", value_text(buf_cstr(&b))));
	buf_done(&b);
	return rc;
}

/* The row stays, so that what the person signed can still be checked; the secret goes. */
static int take_away(const struct people *p, const struct person *by, const struct account *a)
{
	char name[NAME_MAX_SECRET];
	int rc = update_row(p, by, a, "disabled", value_int(now_of(p)));

	if (rc) return rc;
	secret_name("account", a->person, PERSON_ID, name);
	rc = store_secret_drop(st_of(p), name);
	return rc ? store_failed(p, rc) : 0;
}

int account_disable(const struct people *p, const struct person *by, const struct account *a)
{
	int rc = a->roles & ROLES_MANAGE ? other_manager(p, a) : 0;

	rc = rc ? rc : change_begin(p);
	return rc ? rc : change_end(p, take_away(p, by, a));
}

int account_unlock(const struct people *p, const struct account *a)
{
	struct account_secret s;
	bool here = false;
	int rc = begin(p);

	if (rc) return rc;
	rc = get_account(p, a->person, &s, &here);
	if (!rc && !here) rc = error_set(p->err, ERR_NOT_FOUND, "login", "%.40s", a->login);
	if (rc) return end(p, rc);
	s.failures = 0;
	s.locked_until_ms = 0;
	return end(p, put_account(p, a->person, &s));
}

int account_reset(const struct people *p, const struct person *by, const struct account *a,
                  struct span password)
{
	uint8_t key[32], person[PERSON_ID], row[16];
	struct account_secret s;
	int rc = prepare(p, by, a->login, a->name, password, &s, key, person);

	rc = rc ? rc : change_begin(p);
	if (rc) return rc;
	rc = take_away(p, by, a);
	rc = rc ? rc : make(p, by, a->login, a->name, a->roles, &s, key, person, row);
	return change_end(p, rc);
}

/* ---- logging in */

static int64_t lock_ms(const struct people *p, uint32_t failures)
{
	int64_t ms = p->config->lock_ms;

	if (failures < p->config->lock_after) return 0;
	for (uint32_t i = p->config->lock_after; i < failures && ms < LOCK_MS_MAX; i++) ms *= 2;
	return ms < LOCK_MS_MAX ? ms : LOCK_MS_MAX;
}

/* A clock that went back must not lock somebody out for years. */
static bool is_locked(const struct account_secret *s, int64_t now)
{
	return s->locked_until_ms > now && s->locked_until_ms - now <= LOCK_MS_MAX;
}

static int locked(const struct people *p, const struct account_secret *s, int64_t now)
{
	return error_set(p->err, ERR_LOCKED_OUT, "login", "%" PRId64 " s",
	                 (s->locked_until_ms - now + 999) / 1000);
}

/*
 * Counted before it is tried, so that a power cut, or many at once, gives nobody another guess: the right password sets
 * the count back.
 */
static int count_try(const struct people *p, const uint8_t person[PERSON_ID],
                     struct account_secret *ret)
{
	int64_t now = now_of(p);
	bool here = false;
	int rc = begin(p);

	if (rc) return rc;
	rc = get_account(p, person, ret, &here);
	if (!rc && !here) rc = error_set(p->err, ERR_LOGIN_WRONG, "login", NULL);
	if (!rc && is_locked(ret, now)) rc = locked(p, ret, now);
	if (rc) return end(p, rc);
	if (ret->failures < UINT32_MAX) ret->failures++;
	ret->locked_until_ms = now + lock_ms(p, ret->failures);
	return end(p, put_account(p, person, ret));
}

static void session_key(const uint8_t token[TOKEN_BYTES], uint8_t ret[SEAL_KEY])
{
	static const char what[] = "jinguo session";
	struct hash h;

	hash_begin(&h, SEAL_KEY);
	hash_add(&h, what, sizeof(what) - 1);
	hash_add(&h, token, TOKEN_BYTES);
	hash_end(&h, ret, SEAL_KEY);
}

static void session_name(const uint8_t token[TOKEN_BYTES], char ret[NAME_MAX_SECRET])
{
	uint8_t hash[16];

	hash_of(span_of(token, TOKEN_BYTES), hash, sizeof(hash));
	secret_name("session", hash, sizeof(hash), ret);
}

static int put_session(const struct people *p, const char *name, const struct session_secret *s)
{
	struct buf b;
	int rc;

	buf_init(&b, RECORD_MAX);
	session_secret_pack(s, &b);
	rc = store_secret_put(st_of(p), name, buf_span(&b));
	buf_done(&b);
	return rc ? store_failed(p, rc) : 0;
}

static bool is_over(const struct people *p, const struct session_secret *s, int64_t now)
{
	return now - s->made_ms > (int64_t)p->config->session_ms || now < s->made_ms - 60000 ||
	       now - s->used_ms > (int64_t)p->config->session_idle_ms;
}

/* Sessions that are over, and those of a person who is gone, are not kept. */
static int sweep(const struct people *p, int64_t now)
{
	struct secret *all;
	size_t count;
	int rc = store_secrets(st_of(p), "session:", p->arena, &all, &count);

	for (size_t i = 0; i < count && !rc; i++) {
		struct session_secret s;

		if (session_secret_parse(all[i].value, &s) && !is_over(p, &s, now)) continue;
		rc = store_secret_drop(st_of(p), all[i].name);
	}
	return rc ? store_failed(p, rc) : 0;
}

static int enter(const struct people *p, const uint8_t person[PERSON_ID], struct account_secret *a,
                 const struct pair *pair, const uint8_t token[TOKEN_BYTES])
{
	struct session_secret s = {.made_ms = now_of(p), .used_ms = now_of(p)};
	char name[NAME_MAX_SECRET];
	uint8_t key[SEAL_KEY];
	int rc;

	memcpy(s.person, person, PERSON_ID);
	session_name(token, name);
	session_key(token, key);
	pair_seal(p, key, name, pair, s.nonce, s.sealed);
	crypt_wipe(key, sizeof(key));
	a->failures = 0;
	a->locked_until_ms = 0;
	rc = begin(p);
	if (rc) return rc;
	rc = sweep(p, s.made_ms);
	rc = rc ? rc : put_account(p, person, a);
	return end(p, rc ? rc : put_session(p, name, &s));
}

static int login_wrong(const struct people *p)
{
	return error_set(p->err, ERR_LOGIN_WRONG, "login", NULL);
}

/* Closed under another key than the account knows (it is older than the key): sealed anew. */
static int keep_rest(const struct people *p, const struct account *a, struct span password,
                     struct pair *pair, struct account_secret *s)
{
	uint8_t rest[SEAL_KEY];

	if (!store_rest_key(st_of(p), rest) || !memcmp(rest, pair->rest, sizeof(rest))) return 0;
	memcpy(pair->rest, rest, sizeof(rest));
	crypt_wipe(rest, sizeof(rest));
	return account_seal(p, a->person, a->login, a->name, password, pair, s);
}

int account_login(const struct people *p, const char *login, struct span password,
                  uint8_t ret_token[TOKEN_BYTES])
{
	struct account_secret s = {.passes = p->config->argon_passes, .kib = p->config->argon_kib};
	struct account a = {0};
	struct pair pair;
	bool known, good;
	int rc = account_find(p, login, &a);

	known = !rc && !a.disabled && a.here;
	if (rc && rc != -ERR_NOT_FOUND) return rc;
	if (known) {
		rc = count_try(p, a.person, &s);
		if (rc) return rc;
	}
	good = account_unseal(a.person, password, &s, &pair);
	if (!known || !good) return login_wrong(p);
	rc = keep_rest(p, &a, password, &pair, &s);
	if (rc) return rc;
	random_of(p, ret_token, TOKEN_BYTES);
	rc = enter(p, a.person, &s, &pair, ret_token);
	crypt_wipe(&pair, sizeof(pair));
	return rc;
}

int account_password(const struct people *p, const struct account *a, struct span old,
                     struct span fresh)
{
	struct account_secret s, made;
	struct pair pair;
	int rc = password_check(p, a->login, fresh);

	rc = rc ? rc : count_try(p, a->person, &s);
	if (rc) return rc;
	if (!account_unseal(a->person, old, &s, &pair)) return login_wrong(p);
	rc = account_seal(p, a->person, a->login, a->name, fresh, &pair, &made);
	crypt_wipe(&pair, sizeof(pair));
	rc = rc ? rc : begin(p);
	return rc ? rc : end(p, put_account(p, a->person, &made));
}

/* ---- sessions */

static int no_session(const struct people *p, const char *why)
{
	return error_set(p->err, ERR_LOGIN, "", "%s", why);
}

enum { USED_EVERY_MS = 60000 };

/* Noted once a minute: looking at something is not worth a write. */
static int note_use(const struct people *p, const char *name, struct session_secret *s, int64_t now)
{
	int rc;

	if (now - s->used_ms < USED_EVERY_MS && now >= s->used_ms) return 0;
	s->used_ms = now;
	rc = begin(p);
	return rc ? rc : end(p, put_session(p, name, s));
}

int session_open(const struct people *p, const uint8_t token[TOKEN_BYTES], struct person *ret)
{
	char name[NAME_MAX_SECRET];
	uint8_t key[SEAL_KEY];
	struct session_secret s;
	struct account *a = NULL;
	struct pair pair;
	struct span record;
	bool good;
	int rc;

	session_name(token, name);
	rc = store_secret_get(st_of(p), name, p->arena, &record);
	if (rc) return store_failed(p, rc);
	if (!record.len || !session_secret_parse(record, &s)) return no_session(p, "no session");
	if (is_over(p, &s, now_of(p))) return no_session(p, "the session is over");
	rc = account_of_author(p, s.person, &a);
	if (rc) return rc;
	if (!a || a->disabled || !a->here) return no_session(p, "the account is disabled");
	session_key(token, key);
	good = pair_open(key, name, s.nonce, s.sealed, &pair);
	crypt_wipe(key, sizeof(key));
	if (!good) return no_session(p, "the session does not open");
	memset(ret, 0, sizeof(*ret));
	ret->kind = PERSON_ACCOUNT;
	memcpy(ret->id, s.person, PERSON_ID);
	ret->roles = a->roles;
	(void)snprintf(ret->login, sizeof(ret->login), "%s", a->login);
	sign_keypair(pair.seed, ret->sign_public, ret->sign_secret);
	memcpy(ret->rest, pair.rest, sizeof(ret->rest));
	crypt_wipe(&pair, sizeof(pair));
	return note_use(p, name, &s, now_of(p));
}

int session_end(const struct people *p, const uint8_t token[TOKEN_BYTES])
{
	char name[NAME_MAX_SECRET];
	int rc = begin(p);

	if (rc) return rc;
	session_name(token, name);
	rc = store_secret_drop(st_of(p), name);
	return end(p, rc);
}

void service_person(const struct people *p, struct person *ret)
{
	static const char what[] = "jinguo service";
	struct hash h;

	memset(ret, 0, sizeof(*ret));
	ret->kind = PERSON_SERVICE;
	hash_begin(&h, PERSON_ID);
	hash_add(&h, what, sizeof(what) - 1);
	hash_add(&h, replica_identity(p->r)->origin, 16);
	hash_end(&h, ret->id, PERSON_ID);
	(void)snprintf(ret->login, sizeof(ret->login), "(service)");
}
