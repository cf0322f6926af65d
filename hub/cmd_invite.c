/*
 * cmd_invite.c - a hub's own init, run and invite.
 */
#include "common/base.h"

#include "hub/commands.h"

#include "common/ident.h"
#include "hub/enrol.h"
#include "hub/qr.h"
#include "node/place.h"
#include "node/serve.h"

enum { TOKEN_BYTES_MAX = 4096, QR_ROOM = 256 * 1024, HOURS_MAX = 24 * 366 };

static int set_links(struct call *c)
{
	static const char *const keys[][2] = {{"listen", "link.listen"}, {"public", "link.public"}};

	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		const char *value = call_option(c, keys[i][0]);
		int rc = value ? place_config_set(c->place, keys[i][1], value, &c->error) : 0;
		if (rc) return rc;
	}
	return 0;
}

/* A hub that will join a tree by an invitation, or become its top by `root take`. */
static int run_init(struct call *c)
{
	char hex[40];
	struct buf b;
	int rc;

	if (c->dir && place_exists(c->dir))
		return error_set(&c->error, ERR_EXISTS, "dir", "there is a data directory already");
	rc = call_open(c, CALL_CREATE);
	rc = rc ? rc : set_links(c);
	if (rc) return rc;
	if (c->json) {
		json_t *j = json_object();
		hex_text(replica_identity(c->replica)->origin, 16, hex);
		json_object_set_new(j, "device", json_string(hex));
		call_json(c, j);
		return 0;
	}
	buf_init(&b, 2048);
	word_fill(&b, c->language, WORD_INIT_DONE, c->dir, WORD_END);
	call_say(c, &b);
	buf_done(&b);
	return 0;
}

static int run_run(struct call *c)
{
	struct enrol *enrol = NULL;
	int rc = call_open(c, CALL_LINK);

	rc = rc ? rc : set_links(c);
	rc = rc ? rc : place_config_reload(c->place, &c->error);
	if (rc) return rc;
	enrol = enrol_new(c->place);
	rc = serve_run(c, enrol_strangers(enrol));
	enrol_free(enrol);
	return rc;
}

static int parse_role(struct call *c, unsigned *ret)
{
	const char *role = call_option(c, "role");

	*ret = CERT_NODE;
	if (!role)
		return error_set(&c->error, ERR_MISSING_OPTION, "role",
		                 "--role node or --role hub");
	if (!strcmp(role, "hub"))
		*ret = CERT_HUB;
	else if (strcmp(role, "node") != 0)
		return call_usage(c, "role", "node or hub");
	return 0;
}

static int show_token(struct call *c, struct buf *text, const struct token *t)
{
	struct buf b;

	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "token", json_string(buf_cstr(text)));
		json_object_set_new(j, "role", json_string(t->role == CERT_HUB ? "hub" : "node"));
		json_object_set_new(j, "code", json_string(t->code));
		json_object_set_new(j, "name", json_span(span_of(t->name, strlen(t->name))));
		json_object_set_new(j, "org_id", json_id(t->unit));
		json_object_set_new(j, "expires", json_time(t->expires_ms));
		json_object_set_new(j, "endpoint", json_string(t->endpoint));
		call_json(c, j);
		return 0;
	}
	buf_init(&b, 1024);
	word_fill(&b, c->language, WORD_INVITE_DONE, t->code, t->name, call_time(c, t->expires_ms),
	          WORD_END);
	if (c->terminal) call_say(c, &b);
	buf_done(&b);
	if (call_option(c, "qr")) {
		buf_init(&b, QR_ROOM);
		if (!qr_text(buf_cstr(text), &b)) {
			buf_done(&b);
			return error_set(&c->error, ERR_LIMIT, "qr", "too long for a QR code");
		}
		call_print(c, &b);
		buf_done(&b);
	}
	buf_text(text, "\n");
	call_print(c, text);
	return 0;
}

/* invite --approve DIGITS: who said them on the telephone. */
static int approve(struct call *c)
{
	const char *code = call_option(c, "approve");
	uint8_t unit[16];
	struct buf b;
	int rc = strlen(code) == 6 && strspn(code, "0123456789") == 6
	                 ? call_open(c, 0)
	                 : call_usage(c, "approve", "six digits");

	rc = rc ? rc : enrol_approve(c->place, code, unit, &c->error);
	if (rc) return rc;
	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "approved", json_org(c, unit));
		call_json(c, j);
		return 0;
	}
	buf_init(&b, 512);
	word_fill(&b, c->language, WORD_APPROVED, call_org_code(c, unit), call_org_name(c, unit),
	          WORD_END);
	call_say(c, &b);
	buf_done(&b);
	return 0;
}

/* invite --waiting: units from which somebody asked with a printed sheet.  Their digits are not shown: they are to be told. */
static int waiting(struct call *c)
{
	struct enrol_waiting *list;
	size_t count = 0;
	char hex[33];
	struct buf b;
	int rc = call_open(c, 0);

	rc = rc ? rc : enrol_waiting(c->place, &c->words, &list, &count, &c->error);
	if (rc) return rc;
	json_t *items = c->json ? json_array() : NULL;
	buf_init(&b, 1024);
	for (size_t i = 0; i < count; i++) {
		hex_text(list[i].origin, 16, hex);
		if (items) {
			json_t *j = json_object();
			json_object_set_new(j, "device", json_string(hex));
			json_object_set_new(j, "org", json_org(c, list[i].unit));
			json_object_set_new(j, "since", json_time(list[i].since_ms));
			json_array_append_new(items, j);
			continue;
		}
		buf_print(&b, "%s\t%s\t%s\t%s\n", call_org_code(c, list[i].unit),
		          call_org_name(c, list[i].unit), hex, call_time(c, list[i].since_ms));
		call_print(c, &b);
	}
	buf_done(&b);
	return items ? call_items(c, "waiting", items, NULL) : 0;
}

static int run_invite(struct call *c)
{
	const char *org = call_option(c, "org");
	int64_t level = 0, hours = 0;
	unsigned role = 0;
	uint8_t unit[16];
	struct token t = {0};
	struct buf text;
	int rc;

	if (call_option(c, "approve")) return approve(c);
	if (call_option(c, "waiting")) return waiting(c);
	if (!org)
		return error_set(&c->error, ERR_MISSING_OPTION, "org",
		                 "--org CODE: the unit that is invited");
	rc = parse_role(c, &role);
	rc = rc ? rc : call_option_int(c, "level", 0, LEVEL_NATION, LEVEL_COMMUNITY, &level);
	rc = rc ? rc : call_option_int(c, "hours", 0, 1, HOURS_MAX, &hours);
	rc = rc ? rc : call_open(c, 0);
	rc = rc ? rc : call_find_org(c, org, (unsigned)level, unit);
	if (rc) return rc;
	buf_init(&text, TOKEN_BYTES_MAX);
	rc = call_option(c, "printed")
	             ? enrol_invite_printed(c->place, unit, role, hours * 3600 * 1000, &text, &t,
	                                    &c->error)
	             : enrol_invite(c->place, unit, role, hours * 3600 * 1000, &text, &t,
	                            &c->error);
	rc = rc ? rc : show_token(c, &text, &t);
	buf_done(&text);
	return rc;
}

const struct command commands_invite[] = {
        {.name = "init",
         .zh = "建立数据目录;之后用邀请入网,省级用 root request、root take。",
         .en = "Makes a data directory; then join, or at the top of a tree root request and root "
               "take.",
         .options = "listen= public=",
         .examples =
                 "init --listen tcp://0.0.0.0:7443 --public tcp://hub.example.cn:7443 --dir hub",
         .args_min = 0,
         .args_max = 0,
         .run = run_init},
        {.name = "invite",
         .trail = TRAIL_WRITE,
         .may = MAY_MANAGE,
         .zh = "邀请一个单位入网(只能用一次,72小时);--printed 印发,30天,来电核对六位码后 "
               "--approve。",
         .en = "Invites a unit to join; good once, for 72 hours. --printed: a sheet, 30 days, let "
               "in by --approve with six digits told by telephone.",
         .options = "org= role= level= hours= printed qr approve= waiting",
         .examples = "invite --org 350102001001 --role node --dir hub\n"
                     "invite --org 350102001001 --role node --printed --qr --dir hub\n"
                     "invite --waiting --dir hub\ninvite --approve 123456 --dir hub",
         .args_min = 0,
         .args_max = 0,
         .run = run_invite},
        {.name = "run",
         .zh = "常驻运行:接受下级,自动同步。",
         .en = "Runs: serves its children and synchronises upward.",
         .options = "listen= public=",
         .examples = "run --dir hub",
         .args_min = 0,
         .args_max = 0,
         .run = run_run},
        {.name = NULL},
};
