/*
 * cmd_officer.c - officer certify, officer revoke: at the province, whose key its counties' sites seal to.
 */
#include "common/base.h"

#include "hub/commands.h"

#include "common/ident.h"
#include "proto/officer.h"

#define DAY_MS INT64_C(86400000)

static int run_certify(struct call *c)
{
	struct officer_request q;
	int64_t days;
	char code[7];
	struct buf b;
	int rc = officer_request_parse(c->args[0], &q, &c->error);

	rc = rc ? rc : call_option_int(c, "days", OFFICER_DAYS, 1, OFFICER_DAYS_MAX, &days);
	rc = rc ? rc : call_open(c, 0);
	if (rc) return rc;
	officer_code(q.sign_key, q.link_key, code);
	if (!call_option(c, "code") || strcmp(call_option(c, "code"), code) != 0)
		return error_set(&c->error, ERR_WRONG_CODE, "code",
		                 "--code DIGITS: the six that who asks tells by telephone");
	rc = call_begin(c);
	if (rc) return rc;
	rc = replica_certify_officer(c->replica, &q, days * DAY_MS, c->person.id);
	rc = rc ? call_undo(c, rc) : call_commit(c);
	if (rc) return rc;
	buf_init(&b, 512);
	word_fill(&b, c->language, WORD_OFFICER_CERTIFIED, call_org_name(c, q.unit), WORD_END);
	call_say(c, &b);
	buf_done(&b);
	return 0;
}

static int run_revoke(struct call *c)
{
	const char *reason = call_option(c, "reason");
	uint8_t key[32];
	int rc;

	if (strlen(c->args[0]) != 64 || !hex_parse(c->args[0], key, 32))
		return call_usage(c, "OFFICER",
		                  "64 hexadecimal digits, as officer list prints them");
	if (!reason || !*reason)
		return error_set(&c->error, ERR_MISSING_OPTION, "reason", "--reason TEXT");
	rc = call_open(c, 0);
	rc = rc ? rc : call_begin(c);
	if (rc) return rc;
	rc = replica_revoke_officer(c->replica, key, reason);
	rc = rc ? call_undo(c, rc) : call_commit(c);
	if (!rc) call_say_text(c, word_text(c->language, WORD_OFFICER_REVOKED));
	return rc;
}

const struct command commands_certify[] = {
        {.name = "officer certify",
         .args = "REQUEST",
         .may = MAY_MANAGE,
         .trail = TRAIL_WRITE,
         .zh = "省级:签发权益专员或恢复公钥的证书;--code 是对方电话告知的六位数。",
         .en = "At the province: signs the certificate of an officer or a recovery key; --code: "
               "the six "
               "digits told by telephone.",
         .options = "code= days=",
         .examples = "officer certify JGK1-... --code 123456 --dir province",
         .args_min = 1,
         .args_max = 1,
         .run = run_certify},
        {.name = "officer revoke",
         .args = "OFFICER",
         .may = MAY_MANAGE,
         .trail = TRAIL_WRITE,
         .zh = "省级:收回一名专员的证书,此后不再密封给她;已封给她的她仍能打开。",
         .en = "At the province: takes an officer's certificate back; nothing more is sealed to "
               "her, what "
               "was stays open to her.",
         .options = "reason=",
         .examples = "officer revoke 0123...cdef --reason 离职 --dir province",
         .args_min = 1,
         .args_max = 1,
         .run = run_revoke},
        {.name = NULL},
};
