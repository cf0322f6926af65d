/*
 * cmd_people.c - login, logout, whoami, account ...: who acts here.  Passwords come by stdin, a line each.
 */
#include <unistd.h> /* before base.h, which poisons names that it declares */

#include "common/base.h"

#include "node/command.h"

#include "common/codes.h"
#include "common/crypt.h"
#include "common/env.h"
#include "common/ident.h"
#include "node/file.h"
#include "node/keys.h"
#include "node/place.h"
#include "node/prompt.h"
#include "node/rest.h"
#include "node/review.h"

static void password_init(struct buf *b)
{
	buf_init(b, PASSWORD_MAX + 2);
}

/* A growing buffer leaves copies behind: so it has all its room at once, and it is wiped. */
static void password_done(struct buf *b)
{
	if (b->p) crypt_wipe(b->p, b->room);
	buf_done(b);
}

static int ask_password(struct call *c, enum word question, struct buf *ret)
{
	password_init(ret);
	if (buf_take(ret, PASSWORD_MAX + 1)) buf_reset(ret);
	if (prompt_secret(word_text(c->language, question), ret) && ret->len) return 0;
	return error_set(&c->error, ERR_PASSWORD_FORM, "password", "one line on stdin");
}

static void say(struct call *c, enum word w, const char *a, const char *b)
{
	struct buf line;

	buf_init(&line, 1024);
	word_fill(&line, c->language, w, a, b, WORD_END);
	call_say(c, &line);
	buf_done(&line);
}

/* ---- sessions */

static int drop_token(struct call *c, const struct people *p)
{
	uint8_t token[TOKEN_BYTES];
	struct buf path;
	int rc = 0;

	buf_init(&path, 4096);
	if (call_session_path(c, &path) && file_exists(buf_cstr(&path))) {
		if (!keys_seed_read(buf_cstr(&path), token, &c->error)) rc = session_end(p, token);
		if (unlink(buf_cstr(&path)) && !rc)
			rc = error_set(&c->error, ERR_STORAGE, "", "%s: %s", buf_cstr(&path),
			               strerror(errno));
	}
	crypt_wipe(token, sizeof token);
	buf_done(&path);
	return rc;
}

static int keep_token(struct call *c, const uint8_t token[TOKEN_BYTES])
{
	struct buf path;
	int rc;

	buf_init(&path, 4096);
	rc = call_session_path(c, &path)
	             ? keys_seed_write(buf_cstr(&path), token, &c->error)
	             : error_set(&c->error, ERR_STORAGE, "",
	                         "no directory for the session: set XDG_RUNTIME_DIR, or "
	                         "JINGUO_SESSION to a file");
	buf_done(&path);
	return rc;
}

/* Who it was is told by the person's number, where the account exists: the trail repeats no name. */
static int note_login(struct call *c, int rc)
{
	struct error why = c->error;
	struct people p = call_people(c);
	struct account a;
	int noted;

	if (!account_find(&p, c->args[0], &a)) memcpy(c->person.id, a.person, PERSON_ID);
	noted = call_note(c, TRAIL_LOGIN, -rc, NULL, NULL, "");
	if (rc) c->error = why;
	return rc ? rc : noted;
}

static int run_login(struct call *c)
{
	uint8_t token[TOKEN_BYTES];
	struct buf password;
	struct people p;
	int rc = ask_password(c, WORD_ASK_PASSWORD, &password);

	rc = rc ? rc : call_open(c, 0);
	if (rc) goto out;
	p = call_people(c);
	rc = note_login(c, account_login(&p, c->args[0], buf_span(&password), token));
	rc = rc ? rc : drop_token(c, &p); /* of who was logged in before */
	rc = rc ? rc : keep_token(c, token);
	if (!rc) say(c, WORD_LOGGED_IN, c->args[0], WORD_END);
out:
	crypt_wipe(token, sizeof token);
	password_done(&password);
	return rc;
}

static int run_logout(struct call *c)
{
	struct people p;
	int rc = call_open(c, 0);

	if (rc) return rc;
	p = call_people(c);
	rc = drop_token(c, &p);
	if (!rc) call_say_text(c, word_text(c->language, WORD_LOGGED_OUT));
	return rc;
}

static const char *const kind_names[] = {
        [PERSON_DEVICE] = "device", [PERSON_SERVICE] = "service", [PERSON_ACCOUNT] = "account"};

static int run_whoami(struct call *c)
{
	char hex[2 * PERSON_ID + 1];
	struct buf b;
	int rc = call_open(c, 0);

	if (rc) return rc;
	hex_text(c->person.id, PERSON_ID, hex);
	buf_init(&b, 1024);
	roles_text(c->person.roles, &b);
	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "kind", json_string(kind_names[c->person.kind]));
		json_object_set_new(j, "person",
		                    c->person.kind == PERSON_DEVICE ? json_null()
		                                                    : json_string(hex));
		json_object_set_new(j, "login",
		                    c->person.kind == PERSON_ACCOUNT ? json_string(c->person.login)
		                                                     : json_null());
		json_object_set_new(j, "roles", json_string(buf_cstr(&b)));
		call_json(c, j);
	} else if (c->person.kind == PERSON_ACCOUNT) {
		const char *roles = arena_text(&c->arena, buf_span(&b));
		buf_reset(&b);
		buf_print(&b, "%s\t%s\t%s\n", c->person.login, roles, hex);
		call_print(c, &b);
	} else {
		buf_reset(&b);
		buf_print(&b, "%s\n",
		          word_text(c->language, c->person.kind == PERSON_DEVICE
		                                         ? WORD_WHO_DEVICE
		                                         : WORD_WHO_SERVICE));
		call_print(c, &b);
	}
	buf_done(&b);
	return 0;
}

/* ---- accounts */

static int run_add(struct call *c)
{
	const char *roles = call_option(c, "roles"), *name = call_option(c, "name");
	uint8_t row[16];
	struct buf password = {0};
	unsigned bits = 0;
	struct people p;
	int rc;

	if (!roles) return error_set(&c->error, ERR_MISSING_OPTION, "roles", "--roles ROLE,...");
	rc = call_open(c, c->program->hub ? 0 : CALL_CREATE);
	if (rc) return rc;
	p = call_people(c);
	rc = roles_parse(&p, roles, &bits);
	rc = rc ? rc : ask_password(c, WORD_ASK_PASSWORD_NEW, &password);
	rc = rc ? rc
	        : account_add(&p, &c->person, c->args[0], name ? name : "", bits,
	                      buf_span(&password), row);
	password_done(&password);
	if (rc) return rc;
	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "id", json_id(row));
		json_object_set_new(j, "login", json_string(c->args[0]));
		call_json(c, j);
		return 0;
	}
	say(c, WORD_ACCOUNT_ADDED, c->args[0], roles);
	return 0;
}

static json_t *account_json(const struct account *a)
{
	char hex[2 * PERSON_ID + 1];
	json_t *j = json_object(), *roles = json_array();

	hex_text(a->person, PERSON_ID, hex);
	json_object_set_new(j, "id", json_id(a->row));
	json_object_set_new(j, "person", json_string(hex));
	json_object_set_new(j, "login", json_string(a->login));
	json_object_set_new(j, "name", json_string(a->name));
	for (size_t i = 0; i < codes_account_role.count; i++)
		if (a->roles >> i & 1)
			json_array_append_new(roles, json_string(codes_account_role.codes[i].code));
	json_object_set_new(j, "roles", roles);
	json_object_set_new(j, "disabled", json_boolean(a->disabled));
	json_object_set_new(j, "here", json_boolean(a->here));
	return j;
}

static void account_line(struct call *c, const struct account *a, struct buf *b)
{
	buf_print(b, "%s\t%s\t", a->login, a->name);
	roles_text(a->roles, b);
	buf_print(b, "%s%s\n", a->disabled ? "\t" : "",
	          a->disabled ? word_text(c->language, WORD_ACCOUNT_DISABLED) : "");
}

static int run_accounts(struct call *c)
{
	struct account *all = NULL;
	struct people p;
	size_t count = 0;
	int rc = call_open(c, 0);

	if (rc) return rc;
	p = call_people(c);
	rc = accounts_list(&p, &all, &count);
	if (rc) return rc;
	if (c->json) {
		json_t *items = json_array();
		for (size_t i = 0; i < count; i++)
			json_array_append_new(items, account_json(&all[i]));
		return call_items(c, "account", items, NULL);
	}
	struct buf b;
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < count; i++) account_line(c, &all[i], &b);
	call_print(c, &b);
	buf_done(&b);
	return 0;
}

/* The account that args[0] names, after the place is open. */
static int open_account(struct call *c, struct people *ret_people, struct account *ret)
{
	int rc = call_open(c, 0);

	if (rc) return rc;
	*ret_people = call_people(c);
	return account_find(ret_people, c->args[0], ret);
}

static int changed(struct call *c, int rc)
{
	if (!rc) say(c, WORD_ACCOUNT_CHANGED, c->args[0], WORD_END);
	return rc;
}

static int run_roles(struct call *c)
{
	struct account a;
	struct people p;
	unsigned bits = 0;
	int rc = open_account(c, &p, &a);

	rc = rc ? rc : roles_parse(&p, c->args[1], &bits);
	return changed(c, rc ? rc : account_set_roles(&p, &c->person, &a, bits));
}

static int run_disable(struct call *c)
{
	struct account a;
	struct people p;
	int rc = open_account(c, &p, &a);

	return changed(c, rc ? rc : account_disable(&p, &c->person, &a));
}

static int run_unlock(struct call *c)
{
	struct account a;
	struct people p;
	int rc = open_account(c, &p, &a);

	return changed(c, rc ? rc : account_unlock(&p, &a));
}

static int run_reset(struct call *c)
{
	struct buf password = {0};
	struct account a;
	struct people p;
	int rc = open_account(c, &p, &a);

	rc = rc ? rc : ask_password(c, WORD_ASK_PASSWORD_NEW, &password);
	rc = rc ? rc : account_reset(&p, &c->person, &a, buf_span(&password));
	password_done(&password);
	return changed(c, rc);
}

static int run_password(struct call *c)
{
	struct buf old = {0}, fresh = {0};
	struct account a;
	struct people p;
	int rc = open_account(c, &p, &a);

	rc = rc ? rc : ask_password(c, WORD_ASK_PASSWORD_OLD, &old);
	rc = rc ? rc : ask_password(c, WORD_ASK_PASSWORD_NEW, &fresh);
	rc = rc ? rc : account_password(&p, &a, buf_span(&old), buf_span(&fresh));
	password_done(&old);
	password_done(&fresh);
	return changed(c, rc);
}

/* ---- certified persons, and what they decide */

static int write_row(struct call *c, struct write *w, const uint8_t *secret)
{
	int rc = call_begin(c);

	if (rc) return rc;
	replica_sign_as(c->replica, secret);
	rc = replica_write(c->replica, w, 1, false, c->person.id);
	replica_sign_as(c->replica, NULL);
	return rc ? call_undo(c, rc) : call_commit(c);
}

/* The account of a person below, by the number that `account list` shows there and `list account` here. */
static int run_certify(struct call *c)
{
	const struct table *t = schema_table(&schema_current, TABLE_PERSON_CERT);
	const struct table *of = schema_table(&schema_current, TABLE_ACCOUNT);
	uint8_t person[PERSON_ID], unit[16] = {0};
	struct account *a = NULL;
	struct row_view *v = NULL;
	struct people p;
	struct scope sc;
	struct buf roles;
	int rc;

	if (!hex_parse(c->args[0], person, PERSON_ID))
		return call_usage(c, "PERSON", "16 hexadecimal digits");
	rc = call_open(c, 0);
	if (rc) return rc;
	p = call_people(c);
	rc = account_of_author(&p, person, &a);
	if (rc) return rc;
	if (!a || a->disabled)
		return error_set(&c->error, ERR_NOT_FOUND, "PERSON",
		                 "no account of this person here");
	rc = store_row_view(c->store, of, a->row, &c->arena, &v);
	if (!rc && v) rc = store_scope_get(c->store, v->scope, &sc);
	if (rc || !v) return call_failed(c, rc ? rc : -ERR_NOT_FOUND);
	if (v->scope == replica_own_scope(c->replica))
		return error_set(&c->error, ERR_UNCERTIFIED, "PERSON",
		                 "one's own people are certified from the level above");
	memcpy(unit, sc.id, 16);
	buf_init(&roles, 256);
	roles_text(a->roles, &roles);
	struct field_write fields[] = {
	        {table_field_named(t, "person"), value_bytes(person, PERSON_ID)},
	        {table_field_named(t, "key"), value_bytes(a->key, 32)},
	        {table_field_named(t, "roles"), value_text(buf_cstr(&roles))},
	};
	struct write w = {.kind = WRITE_INSERT,
	                  .table = t,
	                  .fields = fields,
	                  .fields_count = ARRAY_COUNT(fields)};
	memcpy(w.scope, unit, 16);
	rc = write_row(c, &w, NULL);
	if (!rc) say(c, WORD_CERTIFIED, *a->name ? a->name : c->args[0], buf_cstr(&roles));
	buf_done(&roles);
	return rc;
}

static int run_review(struct call *c)
{
	const struct table *t = schema_table(&schema_current, TABLE_REVIEW_STEP), *of = NULL;
	const char *opinion = call_option(c, "opinion");
	struct value verdict;
	uint8_t row[16];
	int code = 0, rc = call_open(c, 0);

	rc = rc ? rc : call_find_row(c, c->args[0], &of, row);
	rc = rc ? rc
	        : call_parse_value(c, t, table_field_named(t, "verdict"), c->args[1], &verdict);
	if (rc) return rc;
	if (c->person.kind != PERSON_ACCOUNT)
		return error_set(&c->error, ERR_UNSIGNED, "", "by a person who is logged in");
	rc = review_may(c->replica, c->person.id, row, &code);
	if (rc) return call_failed(c, rc);
	if (code) return error_set(&c->error, code, c->args[0], "%s", c->person.login);
	struct field_write fields[] = {
	        {table_field_named(t, "of"), value_bytes(row, 16)},
	        {table_field_named(t, "verdict"), verdict},
	        {table_field_named(t, "opinion"), opinion ? value_text(opinion) : value_null()},
	};
	struct write w = {.kind = WRITE_INSERT,
	                  .table = t,
	                  .fields = fields,
	                  .fields_count = opinion ? 3 : 2};
	rc = write_row(c, &w, c->person.sign_secret);
	if (rc) return rc;
	struct buf b;
	buf_init(&b, 64);
	buf_print(&b, "%s\n", call_id(c, w.row));
	call_print(c, &b);
	buf_done(&b);
	return 0;
}

/* ---- what lies closed on the disk */

static int run_credential(struct call *c)
{
	int rc = call_open(c, 0);

	rc = rc ? rc
	        : rest_service_new(c->store, &c->place->env, c->dir, c->place->config.service,
	                           &c->error);
	if (!rc) call_say_text(c, word_text(c->language, WORD_CREDENTIAL_MADE));
	return rc;
}

static int run_recovery_init(struct call *c)
{
	uint8_t seed[32], public_key[LINK_KEY], secret[LINK_KEY];
	char hex[2 * LINK_KEY + 1];
	int rc;

	env_random(seed, sizeof seed);
	link_keypair(seed, public_key, secret);
	rc = keys_seed_write(c->args[0], seed, &c->error);
	crypt_wipe(seed, sizeof seed);
	crypt_wipe(secret, sizeof secret);
	if (rc) return rc;
	hex_text(public_key, LINK_KEY, hex);
	say(c, WORD_RECOVERY_MADE, c->args[0], WORD_END);
	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "key", json_string(hex));
		call_json(c, j);
	} else {
		printf("%s\n", hex);
	}
	return 0;
}

static int run_recovery_state(struct call *c)
{
	const struct table *t = schema_table(&schema_current, TABLE_RECOVERY_KEY);
	uint8_t key[LINK_KEY];
	struct field_write f = {table_field_named(t, "key"), value_bytes(key, LINK_KEY)};
	struct write w = {.kind = WRITE_INSERT, .table = t, .fields = &f, .fields_count = 1};
	int rc;

	if (strlen(c->args[0]) != 2 * LINK_KEY || !hex_parse(c->args[0], key, LINK_KEY))
		return call_usage(c, "KEY", "64 hexadecimal digits, as recovery init prints them");
	rc = call_open(c, 0);
	rc = rc ? rc : call_begin(c);
	if (rc) return rc;
	rc = replica_write(c->replica, &w, 1, false, c->person.id);
	if (rc) return call_undo(c, rc);
	rc = call_commit(c);
	rc = rc ? rc : rest_recovery_follow(c->replica, c->dir, &c->error);
	if (!rc) call_say_text(c, word_text(c->language, WORD_RECOVERY_STATED));
	return rc;
}

/* Where a hub listened, as its certificate says: all that the settings must tell (its parent is found by itself). */
static int listen_again(struct call *c)
{
	const struct cert *own = replica_cert(c->replica);
	struct place *p = c->place;
	char any[CONFIG_ENDPOINT];
	int rc;

	if (*p->config.listen || !own || !config_endpoint_ok(own->endpoint, false)) return 0;
	snprintf(any, sizeof any, "tcp://0.0.0.0%s", strrchr(own->endpoint, ':'));
	rc = place_config_set(p, "link.public", own->endpoint, &c->error);
	rc = rc ? rc : place_config_set(p, "link.listen", any, &c->error);
	if (!rc) say(c, WORD_RECOVERY_LISTENS, p->config.listen, WORD_END);
	return rc;
}

static int run_recovery_open(struct call *c)
{
	uint8_t seed[32], key[SEAL_KEY];
	bool keys = c->dir && *c->dir && place_exists(c->dir) && !keys_exist(c->dir);
	int rc = keys_seed_read(c->args[0], seed, &c->error);

	if (!rc && keys) rc = place_recover_keys(c->dir, seed, &c->error);
	rc = rc ? rc : call_open(c, 0);
	rc = rc ? rc : rest_recovery_open(c->store, seed, key, &c->error);
	rc = rc ? rc : rest_give(c->store, &c->place->env, key, &c->error);
	crypt_wipe(seed, sizeof seed);
	crypt_wipe(key, sizeof key);
	rc = rc ? rc
	        : rest_service_new(c->store, &c->place->env, c->dir, c->place->config.service,
	                           &c->error);
	if (!rc) call_say_text(c, word_text(c->language, WORD_RECOVERY_OPENED));
	return rc ? rc : listen_again(c);
}

const struct command commands_people[] = {
        {.name = "login",
         .args = "LOGIN",
         .zh = "登录;密码从标准输入读一行。",
         .en = "Logs in; the password is a line of stdin.",
         .examples = "login lin --dir jinguo <password-file",
         .args_min = 1,
         .args_max = 1,
         .run = run_login},
        {.name = "logout",
         .zh = "退出登录。",
         .en = "Ends the session.",
         .args_min = 0,
         .args_max = 0,
         .run = run_logout},
        {.name = "whoami",
         .may = MAY_READ,
         .zh = "现在以谁的身份操作。",
         .en = "Who acts here now.",
         .args_min = 0,
         .args_max = 0,
         .run = run_whoami},
        {.name = "account add",
         .trail = TRAIL_WRITE,
         .may = MAY_MANAGE,
         .args = "LOGIN",
         .zh = "建账号;第一个须能管理账号(站长、管理员、业务)。密码从标准输入读一行。",
         .en = "Makes an account; the first one manages the others (head, admin, business).  The "
               "password is a line of stdin.",
         .options = "roles= name=",
         .examples = "account add lin --name 林秀英 --roles head --dir jinguo <password-file",
         .args_min = 1,
         .args_max = 1,
         .run = run_add},
        {.name = "account list",
         .may = MAY_READ,
         .zh = "本单位的账号。",
         .en = "The accounts of this unit.",
         .args_min = 0,
         .args_max = 0,
         .run = run_accounts},
        {.name = "account roles",
         .trail = TRAIL_WRITE,
         .may = MAY_MANAGE,
         .args = "LOGIN ROLE,...",
         .zh = "改角色。",
         .en = "Changes the roles of an account.",
         .examples = "account roles chen recorder --dir jinguo",
         .args_min = 2,
         .args_max = 2,
         .run = run_roles},
        {.name = "account disable",
         .trail = TRAIL_WRITE,
         .may = MAY_MANAGE,
         .args = "LOGIN",
         .zh = "停用账号;所写的都在。",
         .en = "Ends an account; what it wrote stays.",
         .args_min = 1,
         .args_max = 1,
         .run = run_disable},
        {.name = "account unlock",
         .trail = TRAIL_WRITE,
         .may = MAY_MANAGE,
         .args = "LOGIN",
         .zh = "解锁。",
         .en = "Ends a lock-out.",
         .args_min = 1,
         .args_max = 1,
         .run = run_unlock},
        {.name = "account reset",
         .trail = TRAIL_WRITE,
         .may = MAY_MANAGE,
         .args = "LOGIN",
         .zh = "忘了密码:换新的密码和签名密钥。新密码从标准输入读一行。",
         .en = "For a forgotten password: a new one, and new keys.  The password is a line of "
               "stdin.",
         .args_min = 1,
         .args_max = 1,
         .run = run_reset},
        {.name = "account password",
         .trail = TRAIL_WRITE,
         .args = "LOGIN",
         .zh = "改自己的密码:标准输入两行,原密码和新密码。",
         .en = "Changes one's own password: two lines of stdin, the old one and the new.",
         .args_min = 1,
         .args_max = 1,
         .run = run_password},
        {.name = "account certify",
         .trail = TRAIL_WRITE,
         .may = MAY_MANAGE,
         .args = "PERSON",
         .zh = "上级确认下级的人可以审核(人员标识见 list account)。",
         .en = "Certifies a person of a unit below for her roles (her number: list account).",
         .examples = "account certify 29acd28794d773e2 --dir county",
         .args_min = 1,
         .args_max = 1,
         .run = run_certify},
        {.name = "review",
         .trail = TRAIL_WRITE,
         .may = MAY_REVIEW,
         .args = "ID agree|return|no",
         .zh = "审核一条记录,本人签名;不能审核自己录入的。",
         .en = "Decides about a record, with one's own signature; not about one's own.",
         .options = "opinion=",
         .examples = "review 0191d3f0-5c1e-7a02-8f3a-1b2c3d4e5f60 agree --dir jinguo",
         .args_min = 2,
         .args_max = 2,
         .run = run_review},
        {.name = "credential new",
         .trail = TRAIL_WRITE,
         .may = MAY_MANAGE,
         .zh = "服务凭证丢了:登录后另建一份。",
         .en = "For a lost credential of the service: a new one, by somebody who logged in.",
         .args_min = 0,
         .args_max = 0,
         .run = run_credential},
        {.name = "recovery init",
         .args = "FILE",
         .zh = "县级:造恢复密钥,写到一个文件(不联网的介质,锁好)。",
         .en = "At a county: makes a recovery key in a file, for a safe.",
         .examples = "recovery init /media/usb/recovery.key",
         .args_min = 1,
         .args_max = 1,
         .run = run_recovery_init},
        {.name = "recovery state",
         .trail = TRAIL_WRITE,
         .may = MAY_MANAGE,
         .args = "KEY",
         .zh = "县级:公布恢复公钥。",
         .en = "At a county: states the recovery key to all below.",
         .args_min = 1,
         .args_max = 1,
         .run = run_recovery_state},
        {.name = "recovery open",
         .trail = TRAIL_WRITE,
         .args = "FILE",
         .zh = "用县级的恢复密钥打开一份数据库(取回的磁盘、备份),并建新的服务凭证;县(省)机磁盘坏了,"
               "密钥也取回。",
         .en = "Opens a database (a disk that turned up, a backup) with the county's recovery "
               "key, and writes a new credential for the service; of a hub whose disk died the "
               "keys too.",
         .args_min = 1,
         .args_max = 1,
         .run = run_recovery_open},
        {.name = NULL},
};
