/*
 * cmd_officer.c - officer request, officer list: who asks the province to be sealed to, and who may be.
 */
#include "common/base.h"

#include "node/command.h"

#include "common/ident.h"
#include "node/keys.h"
#include "proto/officer.h"

static const char *const role_names[] = {[OFFICER_RIGHTS] = "rights",
                                         [OFFICER_LIAISON] = "liaison",
                                         [OFFICER_RECOVERY] = "recovery"};

static int keys_of(struct call *c, struct officer_keys *ret, uint8_t *ret_role)
{
	const char *file = call_option(c, "recovery");
	uint8_t seed[32];
	int rc = 0;

	*ret_role = OFFICER_RECOVERY;
	if (file) {
		rc = keys_seed_read(file, seed, &c->error);
	} else if (c->person.kind != PERSON_ACCOUNT) {
		return error_set(&c->error, ERR_UNSIGNED, "", "by a person who is logged in");
	} else if (!(c->person.roles & (ROLE_RIGHTS | ROLE_LIAISON))) {
		return error_set(&c->error, ERR_NO_PERMISSION, c->command->name, "%s",
		                 c->person.login);
	} else {
		*ret_role = c->person.roles & ROLE_RIGHTS ? OFFICER_RIGHTS : OFFICER_LIAISON;
		memcpy(seed, c->person.sign_secret, sizeof seed);
	}
	if (!rc) officer_keys(seed, ret);
	crypt_wipe(seed, sizeof seed);
	return rc;
}

static int run_request(struct call *c)
{
	struct officer_request q = {.role = 0};
	struct officer_keys k;
	struct buf line, b;
	char code[7];
	int rc = call_open(c, 0);

	rc = rc ? rc : keys_of(c, &k, &q.role);
	if (!rc && !replica_cert(c->replica)) rc = error_set(&c->error, ERR_NOT_JOINED, "", NULL);
	if (rc) return rc;
	memcpy(q.sign_key, k.sign_public, 32);
	memcpy(q.link_key, k.link_public, 32);
	memcpy(q.unit, replica_cert(c->replica)->unit, 16);
	buf_init(&line, 1024);
	buf_init(&b, 1024);
	officer_request_text(&q, k.sign_secret, &line);
	officer_code(q.sign_key, q.link_key, code);
	crypt_wipe(&k, sizeof k);
	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "request", json_string(buf_cstr(&line)));
		json_object_set_new(j, "code", json_string(code));
		json_object_set_new(j, "role", json_string(role_names[q.role]));
		call_json(c, j);
	} else {
		word_fill(&b, c->language, WORD_OFFICER_REQUEST, code, WORD_END);
		call_say(c, &b);
		buf_text(&line, "\n");
		call_print(c, &line);
	}
	buf_done(&line);
	buf_done(&b);
	return 0;
}

static json_t *officer_json(struct call *c, const struct officer_row *x)
{
	uint8_t person[8];
	char key[65], hex[17];
	json_t *j = json_object();

	hex_text(x->o.sign_key, 32, key);
	hash_of(span_of(x->o.sign_key, 32), person, 8);
	hex_text(person, 8, hex);
	json_object_set_new(j, "id", json_id(x->row));
	json_object_set_new(j, "officer", json_string(key));
	json_object_set_new(j, "person", json_string(hex));
	json_object_set_new(j, "name", json_string(call_author(c, person)));
	json_object_set_new(j, "role", json_string(role_names[x->o.role]));
	json_object_set_new(j, "org", json_org(c, x->o.unit));
	json_object_set_new(j, "from", json_time(x->o.not_before_ms));
	json_object_set_new(j, "to", json_time(x->o.not_after_ms));
	json_object_set_new(j, "code", x->cause ? json_integer(x->cause) : json_null());
	return j;
}

static int run_list(struct call *c)
{
	struct officer_row *all = NULL;
	size_t n = 0;
	struct buf b;
	int rc = call_open(c, 0);

	rc = rc ? rc : replica_officers(c->replica, &c->words, &all, &n);
	if (rc) return call_failed(c, rc);
	if (c->json) {
		json_t *items = json_array();
		for (size_t i = 0; i < n; i++)
			json_array_append_new(items, officer_json(c, &all[i]));
		return call_items(c, "officer", items, NULL);
	}
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < n; i++) {
		char key[65];

		hex_text(all[i].o.sign_key, 32, key);
		buf_print(&b, "%s\t%s\t%s\t%s", key, role_names[all[i].o.role],
		          call_org_name(c, all[i].o.unit), call_time(c, all[i].o.not_after_ms));
		if (all[i].cause) buf_print(&b, "\tJG-%04d", all[i].cause);
		buf_text(&b, "\n");
	}
	call_print(c, &b);
	buf_done(&b);
	return 0;
}

const struct command commands_officer[] = {
        {.name = "officer request",
         .args = "",
         .may = MAY_READ,
         .zh = "打印一行申请,请省级签发权益专员证书;--recovery 文件:为离线恢复密钥申请。",
         .en = "Prints a line that asks the province for an officer's certificate; --recovery "
               "FILE: for "
               "an offline recovery key.",
         .options = "recovery=",
         .examples = "officer request --dir hub\nofficer request --recovery safe.key --dir hub",
         .args_min = 0,
         .args_max = 0,
         .run = run_request},
        {.name = "officer list",
         .args = "",
         .may = MAY_READ,
         .zh = "本机已知的权益专员和恢复公钥:有错误号的不会被密封到。",
         .en = "Officers and recovery keys that are known here; nothing is sealed to one with an "
               "error "
               "number.",
         .examples = "officer list --dir jinguo",
         .args_min = 0,
         .args_max = 0,
         .run = run_list},
        {.name = NULL},
};
