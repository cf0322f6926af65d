/*
 * cmd_root.c - root init, root sign (on the machine without a network), root request, root take (at the province's hub).
 */
#include "common/base.h"

#include "hub/commands.h"

#include <sys/stat.h>

#include "common/ident.h"
#include "hub/root.h"
#include "node/file.h"

enum { PATH_ROOM = 1024, DAYS_MAX = 20 * 365 };

static int read_line(const char *path, struct buf *out, struct error *err)
{
	int rc;

	buf_init(out, ROOT_TEXT_MAX + 64);
	rc = file_read(path, out, err);
	if (!rc) buf_u8(out, 0);
	if (!rc && out->full) rc = error_set(err, ERR_FILE_FORM, "FILE", "%s", path);
	return rc;
}

static int write_line(const char *path, struct buf *line, unsigned mode, struct error *err)
{
	if (file_exists(path)) return error_set(err, ERR_EXISTS, "FILE", "%s", path);
	buf_text(line, "\n");
	return file_write(path, buf_span(line), mode, err);
}

/* In groups, as people read it to each other. */
static void fingerprint_text(const uint8_t key[32], struct buf *out)
{
	uint8_t fingerprint[32];
	char hex[65];

	cert_fingerprint(key, fingerprint);
	hex_text(fingerprint, 32, hex);
	for (size_t i = 0; i < 64; i += 8) buf_print(out, "%s%.8s", i ? " " : "", hex + i);
}

static json_t *fingerprint_json(const uint8_t key[32])
{
	uint8_t fingerprint[32];
	char hex[65];

	cert_fingerprint(key, fingerprint);
	hex_text(fingerprint, 32, hex);
	return json_string(hex);
}

static int write_root(const char *path, const struct root *r, struct error *err)
{
	struct buf b;
	int rc;

	buf_init(&b, ROOT_TEXT_MAX);
	root_text(r, &b);
	rc = write_line(path, &b, 0600, err);
	crypt_wipe(b.p, b.len);
	buf_done(&b);
	return rc;
}

static void init_done(struct call *c, const char *path, const char *spare_path,
                      const struct root *root, const struct root *spare)
{
	struct buf b, one, other;

	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "file", json_string(path));
		json_object_set_new(j, "root", fingerprint_json(root->cert.origin_key));
		json_object_set_new(j, "spare_file", json_string(spare_path));
		json_object_set_new(j, "spare", fingerprint_json(spare->cert.origin_key));
		json_object_set_new(j, "org_id", json_id(root->cert.unit));
		json_object_set_new(j, "valid_to", json_time(root->cert.not_after_ms));
		call_json(c, j);
		return;
	}
	buf_init(&one, 128);
	buf_init(&other, 128);
	buf_init(&b, 4096);
	fingerprint_text(root->cert.origin_key, &one);
	fingerprint_text(spare->cert.origin_key, &other);
	word_fill(&b, c->language, WORD_ROOT_MADE, path, buf_cstr(&one), spare_path,
	          buf_cstr(&other), WORD_END);
	call_say(c, &b);
	buf_done(&b);
	buf_done(&one);
	buf_done(&other);
}

static int run_root_init(struct call *c)
{
	const char *path = c->args[0], *code = call_option(c, "org");
	const char *name = call_option(c, "name");
	char spare_path[PATH_ROOM];
	struct root root, spare;
	uint8_t seeds[2][32];
	int rc;

	if (!code)
		return error_set(&c->error, ERR_MISSING_OPTION, "org",
		                 "--org CODE: the unit at the top of the tree");
	if (snprintf(spare_path, sizeof spare_path, "%s.spare", path) >= (int)sizeof spare_path)
		return error_set(&c->error, ERR_FILE_WRITE, "FILE", "the path is too long");
	if (file_exists(path) || file_exists(spare_path))
		return error_set(&c->error, ERR_EXISTS, "FILE", "%s", path);
	env_random(seeds, sizeof seeds);
	rc = root_make(seeds, env_wall_ms(), code, name ? name : code, &root, &spare, &c->error);
	rc = rc ? rc : write_root(path, &root, &c->error);
	rc = rc ? rc : write_root(spare_path, &spare, &c->error);
	if (!rc) init_done(c, path, spare_path, &root, &spare);
	root_done(&root);
	root_done(&spare);
	crypt_wipe(seeds, sizeof seeds);
	return rc;
}

static int run_root_request(struct call *c)
{
	struct buf b;
	int rc = call_open(c, 0);

	if (rc) return rc;
	buf_init(&b, ROOT_TEXT_MAX);
	rc = root_request(c->place, &b, &c->error);
	rc = rc ? rc : write_line(c->args[0], &b, 0644, &c->error);
	buf_done(&b);
	if (!rc) call_say_text(c, word_text(c->language, WORD_ROOT_REQUESTED));
	return rc;
}

static int read_root(const char *path, struct root *ret, struct error *err)
{
	struct stat s;
	struct buf b;
	int rc;

	*ret = (struct root){0};
	if (!stat(path, &s) && (s.st_mode & 077))
		return error_set(err, ERR_KEYS, "FILE", "%s: others may read it (mode %03o)", path,
		                 (unsigned)(s.st_mode & 0777));
	rc = read_line(path, &b, err);
	rc = rc ? rc : root_parse(buf_cstr(&b), ret, err);
	if (b.p) crypt_wipe(b.p, b.len);
	buf_done(&b);
	return rc;
}

static int run_root_sign(struct call *c)
{
	struct root root;
	struct buf request, answer;
	int64_t days = 0;
	int rc = call_option_int(c, "days", 0, 1, DAYS_MAX, &days);

	if (rc) return rc;
	buf_init(&answer, ROOT_TEXT_MAX);
	rc = read_root(c->args[0], &root, &c->error);
	if (!rc) {
		rc = read_line(c->args[1], &request, &c->error);
		rc = rc ? rc
		        : root_sign(&root, buf_cstr(&request), env_wall_ms(), days, &answer,
		                    &c->error);
		buf_done(&request);
	}
	rc = rc ? rc : write_line(c->args[2], &answer, 0644, &c->error);
	root_done(&root);
	buf_done(&answer);
	if (!rc) call_say_text(c, word_text(c->language, WORD_ROOT_SIGNED));
	return rc;
}

/* The first time all trust hangs on this: a person compares the fingerprint with the one on the safe's paper. */
static int agree_to(struct call *c, const struct root_answer *a)
{
	const char *given = call_option(c, "fingerprint");
	uint8_t want[32], have[32];
	struct buf b, f;

	cert_fingerprint(a->root.origin_key, have);
	if (given) {
		if (strlen(given) != 64 || !hex_parse(given, want, 32))
			return call_usage(c, "fingerprint", "64 digits, as root init printed them");
		return crypt_equal(want, have, 32)
		               ? 0
		               : error_set(&c->error, ERR_CERT_BAD, "fingerprint",
		                           "the answer is signed by another root");
	}
	buf_init(&f, 128);
	buf_init(&b, 1024);
	fingerprint_text(a->root.origin_key, &f);
	word_fill(&b, c->language, WORD_ROOT_IS, a->root.code, a->name, buf_cstr(&f), WORD_END);
	if (!c->json) call_say(c, &b);
	buf_done(&b);
	buf_done(&f);
	return call_ask(c, WORD_JOIN_ASK) ? 0
	                                  : error_set(&c->error, ERR_MISSING_OPTION, "fingerprint",
	                                              "--fingerprint of the root, or --yes");
}

static int run_root_take(struct call *c)
{
	struct root_answer a = {.name = ""};
	struct buf line, b;
	bool renewed = false;
	int rc = call_open(c, 0);

	if (rc) return rc;
	rc = read_line(c->args[0], &line, &c->error);
	rc = rc ? rc : root_answer_parse(buf_cstr(&line), &a, &c->error);
	buf_done(&line);
	if (!rc && !replica_cert(c->replica)) rc = agree_to(c, &a);
	rc = rc ? rc : root_take(c->place, &a, &renewed, &c->error);
	if (!rc && c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "renewed", json_boolean(renewed));
		json_object_set_new(j, "code", json_string(a.root.code));
		json_object_set_new(j, "org_id", json_id(a.root.unit));
		json_object_set_new(j, "root", fingerprint_json(a.root.origin_key));
		json_object_set_new(j, "valid_to", json_time(a.hub.not_after_ms));
		call_json(c, j);
	} else if (!rc) {
		buf_init(&b, 1024);
		word_fill(&b, c->language, renewed ? WORD_ROOT_RENEWED : WORD_JOIN_DONE,
		          a.root.code, renewed ? call_time(c, a.hub.not_after_ms) : a.name,
		          WORD_END);
		call_say(c, &b);
		buf_done(&b);
	}
	root_answer_done(&a);
	return rc;
}

const struct command commands_root[] = {
        {.name = "root init",
         .args = "FILE",
         .zh = "在不联网的电脑上造省级根密钥,另造备用根 FILE.spare;两份分放两个保险柜。",
         .en = "On a machine without a network: makes the root key of a province, and its spare "
               "FILE.spare; two safes.",
         .options = "org= name=",
         .examples = "root init /media/usb1/root.key --org 350000000000 --name 福建省",
         .args_min = 1,
         .args_max = 1,
         .run = run_root_init},
        {.name = "root request",
         .trail = TRAIL_WRITE,
         .may = MAY_MANAGE,
         .args = "FILE",
         .zh = "省级汇聚程序请根签发证书:写出请求。",
         .en = "The province's hub asks the root for its certificate: writes the request.",
         .examples = "root request /media/usb2/request --dir province",
         .args_min = 1,
         .args_max = 1,
         .run = run_root_request},
        {.name = "root sign",
         .args = "ROOT REQUEST ANSWER",
         .zh = "在不联网的电脑上用根密钥签发。",
         .en = "On a machine without a network: signs a request with the root.",
         .options = "days=",
         .examples = "root sign /media/usb1/root.key /media/usb2/request /media/usb2/answer",
         .args_min = 3,
         .args_max = 3,
         .run = run_root_sign},
        {.name = "root take",
         .trail = TRAIL_WRITE,
         .may = MAY_MANAGE,
         .args = "FILE",
         .zh = "省级汇聚程序收下签发结果:入网,或续期、换备用根。",
         .en = "The province's hub takes the answer: it joins; later it renews, also by the spare "
               "root.",
         .options = "fingerprint=",
         .examples = "root take /media/usb2/answer --dir province",
         .args_min = 1,
         .args_max = 1,
         .run = run_root_take},
        {.name = NULL},
};
