/*
 * config.c - see config.h.  The only file that includes ini.h; lines are changed by our own hand, since
 * inih does not write and people's comments are to stay.
 *
 * What reads a line and what changes one must see the same in it.  inih takes an indented line for more of the value
 * above it, cuts a long line in two and reads the rest as another, and passes over a byte order mark; so it gets the
 * lines trimmed, without comments and marks, and none that it would cut.
 */
#include "common/base.h"

#include "node/config.h"

#include <ini.h>

#include "common/crypt.h"
#include "common/ident.h"
#include "node/file.h"

enum { LINE_MAX_INI = 190 /* inih: 200 with line end and 0 */ };

enum key_kind { KEY_PATH, KEY_ENDPOINT, KEY_ENDPOINT_ANY, KEY_NUMBER, KEY_HEX };

struct key {
	const char *section, *name;
	enum key_kind kind;
	size_t at; /* offset in struct config */
	uint32_t min, max, normal;
};

#define NUMBER(SECTION, NAME, MIN, MAX, NORMAL)                                                    \
	{                                                                                          \
		SECTION, #NAME, KEY_NUMBER, offsetof(struct config, NAME), MIN, MAX, NORMAL        \
	}

static const struct key keys[] = {
        {"link", "listen", KEY_ENDPOINT_ANY, offsetof(struct config, listen), 0, 0, 0},
        {"link", "parent", KEY_ENDPOINT, offsetof(struct config, parent), 0, 0, 0},
        {"link", "public", KEY_ENDPOINT, offsetof(struct config, public), 0, 0, 0},
        {"link", "parent_key", KEY_HEX, offsetof(struct config, parent_key), 0, 0, 0},
        NUMBER("link", connect_timeout_ms, 50, 600000, 10000),
        NUMBER("link", welcome_timeout_ms, 50, 600000, 30000),
        NUMBER("link", backoff_min_ms, 10, 3600000, 3000),
        NUMBER("link", backoff_max_ms, 10, 86400000, 600000),
        NUMBER("link", handshake_ivl_ms, 50, 600000, 15000),
        NUMBER("link", heartbeat_ms, 0, 3600000, 0),
        NUMBER("link", credit_window, 4096, 64 * 1024 * 1024, 1024 * 1024),
        NUMBER("link", descriptors_max, 0, 1 << 24, 0),
        NUMBER("sync", seal_ms, 10, 3600000, 2000),
        NUMBER("sync", apply_ops, 1, 1000000, 10000),
        NUMBER("sync", apply_ms, 1, 60000, 100),
        NUMBER("sync", correct_ms, 10, 3600000, 1000),
        NUMBER("sync", retry_ms, 10, 3600000, 5000),
        NUMBER("sync", audit_ms, 10, 2592000000, 86400000),
        {"people", "service", KEY_PATH, offsetof(struct config, service), 0, 0, 0},
        NUMBER("people", argon_kib, 8, PASSWORD_KIB_MAX, 65536),
        NUMBER("people", argon_passes, 1, PASSWORD_PASSES_MAX, 3),
        NUMBER("people", session_ms, 1000, 604800000, 43200000),
        NUMBER("people", session_idle_ms, 1000, 604800000, 1800000),
        NUMBER("people", lock_after, 1, 100, 5),
        NUMBER("people", lock_ms, 1000, 3600000, 60000),
        NUMBER("hub", strangers_per_minute, 1, 100000, 30),
        NUMBER("hub", hold_restored, 0, 1, 1),
        NUMBER("hub", cert_days, 1, 7300, 730),
        NUMBER("hub", welcomes_per_second, 1, 1000000, 2000),
        NUMBER("hub", quota_mb_day, 0, 1000000, 64),
        NUMBER("hub", quota_mb_all, 0, 100000000, 4096),
        NUMBER("hub", quota_parked, 0, 100000000, 50000),
        NUMBER("hub", quota_runs, 0, 1000000, 500),
};

static const struct key *key_find(const char *section, const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		if (!strcmp(keys[i].section, section) && !strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static void *field_at(struct config *c, const struct key *k)
{
	return (uint8_t *)c + k->at;
}

bool config_endpoint_ok(const char *text, bool may_be_any)
{
	const char *host, *colon, *p;
	unsigned long port = 0;

	if (strncmp(text, "tcp://", 6) != 0 || strlen(text) >= CONFIG_ENDPOINT) return false;
	host = text + 6;
	colon = strrchr(host, ':');
	if (!colon || colon == host || !colon[1]) return false;
	for (p = host; p < colon; p++)
		if (*p <= ' ' || *p >= 127 || *p == '/' || *p == ';' || (*p == '*' && !may_be_any))
			return false;
	if (may_be_any && !strcmp(colon + 1, "*")) return true;
	for (p = colon + 1; *p; p++) {
		if (*p < '0' || *p > '9' || port > 65535) return false;
		port = port * 10 + (unsigned long)(*p - '0');
	}
	return port >= 1 && port <= 65535;
}

static int bad(struct error *err, const struct key *k, const char *must)
{
	char name[48];

	snprintf(name, sizeof(name), "%s.%s", k->section, k->name);
	return error_set(err, ERR_CONFIG, name, "%s must be %s", name, must);
}

static int number_parse(const struct key *k, const char *text, uint32_t *ret, struct error *err)
{
	char must[64];
	uint64_t v = 0;
	const char *p = text;

	snprintf(must, sizeof(must), "a number from %" PRIu32 " to %" PRIu32, k->min, k->max);
	for (; *p >= '0' && *p <= '9' && v <= UINT32_MAX; p++) v = v * 10 + (uint64_t)(*p - '0');
	if (p == text || *p || v < k->min || v > k->max) return bad(err, k, must);
	*ret = (uint32_t)v;
	return 0;
}

/* "" is "not set". */
static int value_set(struct config *c, const struct key *k, const char *text, struct error *err)
{
	switch (k->kind) {
	case KEY_PATH:
		if (*text && (*text != '/' || strlen(text) >= CONFIG_PATH))
			return bad(err, k, "a path from the root, of at most 159 bytes");
		snprintf(field_at(c, k), CONFIG_PATH, "%s", text);
		return 0;
	case KEY_ENDPOINT:
	case KEY_ENDPOINT_ANY:
		if (*text && !config_endpoint_ok(text, k->kind == KEY_ENDPOINT_ANY))
			return bad(err, k, "tcp://HOST:PORT");
		snprintf(field_at(c, k), CONFIG_ENDPOINT, "%s", text);
		return 0;
	case KEY_HEX:
		c->has_parent_key = false;
		if (!*text) return 0;
		if (strlen(text) != 64 || !hex_parse(text, field_at(c, k), 32))
			return bad(err, k, "64 hexadecimal digits");
		c->has_parent_key = true;
		return 0;
	case KEY_NUMBER:
		if (!*text) {
			memcpy(field_at(c, k), &k->normal, sizeof(k->normal));
			return 0;
		}
		return number_parse(k, text, field_at(c, k), err);
	}
	return error_set(err, ERR_INTERNAL, k->name, "unknown kind of key");
}

void config_default(struct config *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		int rc = value_set(ret, &keys[i], "", NULL);

		assert(rc == 0);
		(void)rc;
	}
}

struct load {
	struct config *config;
	struct buf *unknown;
	struct error *err;
	int rc;
};

static int on_line(void *user, const char *section, const char *name, const char *value)
{
	struct load *l = user;
	const struct key *k = key_find(section, name);
	int rc;

	if (!k) {
		if (l->unknown) buf_print(l->unknown, "%s.%s\n", section, name);
		return 1;
	}
	rc = value_set(l->config, k, value, l->err);
	if (rc && !l->rc) l->rc = rc;
	return rc == 0;
}

/* ---- lines */

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span trim(struct span s)
{
	while (s.len && is_space(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len && is_space(s.p[s.len - 1])) s.len--;
	return s;
}

static bool span_is(struct span s, const char *text)
{
	return span_equal(s, span_of(text, strlen(text)));
}

/* A byte order mark, as editors of other systems leave it. */
static struct span mark_of(struct span text)
{
	return span_of(text.p, text.len >= 3 && !memcmp(text.p, "\xef\xbb\xbf", 3) ? 3 : 0);
}

/* The next line, without its end; false: none is left. */
static bool take_line(struct span *rest, struct span *ret)
{
	const uint8_t *end = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;

	if (!rest->len) return false;
	*ret = span_of(rest->p, end ? (size_t)(end - rest->p) : rest->len);
	*rest = span_of(rest->p + ret->len + (end != NULL), rest->len - ret->len - (end != NULL));
	return true;
}

static bool line_section(struct span line, struct span *ret)
{
	struct span t = trim(line);

	if (t.len < 2 || t.p[0] != '[') return false;
	const uint8_t *end = memchr(t.p, ']', t.len);
	if (!end) return false;
	*ret = span_of(t.p + 1, (size_t)(end - t.p) - 1);
	return true;
}

/* NAME = VALUE or NAME : VALUE */
static bool line_is_key(struct span line, const char *name)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.p[i] == '=' || line.p[i] == ':')
			return span_is(trim(span_of(line.p, i)), name);
	return false;
}

/* Lines as inih is to see them; a comment leaves an empty one, so that numbers of lines stay. */
static int lines_for_inih(struct span text, const char *name, struct buf *out, struct error *err)
{
	struct span line;
	int number = 0;

	/* inih would stop there and take what lies behind for not said. */
	if (text.len && memchr(text.p, 0, text.len))
		return error_set(err, ERR_CONFIG, "", "%s holds a byte 0", name);
	text = span_of(text.p + mark_of(text).len, text.len - mark_of(text).len);
	while (take_line(&text, &line)) {
		number++;
		line = trim(line);
		if (line.len && line.p[0] != ';' && line.p[0] != '#') {
			if (line.len > LINE_MAX_INI)
				return error_set(err, ERR_CONFIG, "",
				                 "%s, line %d: more than %d bytes", name, number,
				                 (int)LINE_MAX_INI);
			buf_add(out, line.p, line.len);
		}
		buf_u8(out, '\n');
	}
	return 0;
}

int config_parse(struct span text, const char *name, struct config *ret, struct buf *unknown,
                 struct error *err)
{
	struct config c;
	struct load l = {&c, unknown, err, 0};
	struct buf lines;
	int line = 0, rc;

	config_default(&c);
	buf_init(&lines, text.len + 1); /* the last line may have no end */
	rc = lines_for_inih(text, name, &lines, err);
	if (!rc) line = ini_parse_string(buf_cstr(&lines), on_line, &l);
	buf_done(&lines);
	if (rc || l.rc) return rc ? rc : l.rc;
	if (line) return error_set(err, ERR_CONFIG, "", "%s, line %d", name, line);
	if (c.backoff_max_ms < c.backoff_min_ms) c.backoff_max_ms = c.backoff_min_ms;
	*ret = c;
	return 0;
}

int config_load(const char *path, struct config *ret, struct buf *unknown, struct error *err)
{
	struct buf b;
	int rc = 0;

	buf_init(&b, CONFIG_BYTES_MAX);
	if (file_exists(path)) rc = file_read(path, &b, err);
	rc = rc ? rc : config_parse(buf_span(&b), path, ret, unknown, err);
	buf_done(&b);
	return rc;
}

/* ---- changing one line */

static void put_line(struct buf *out, const struct key *k, const char *value)
{
	if (*value) buf_print(out, "%s = %s\n", k->name, value);
}

/* Copies the file with the key set: in its place, else at the end of its section, else in a new section. */
static void rewrite(struct span in, const struct key *k, const char *value, struct buf *out)
{
	struct span line, section, mark = mark_of(in);
	bool inside = false, done = false;

	buf_add(out, mark.p, mark.len);
	in = span_of(in.p + mark.len, in.len - mark.len);
	while (take_line(&in, &line)) {
		if (line_section(line, &section)) {
			if (inside && !done) {
				put_line(out, k, value);
				done = true;
			}
			inside = span_is(section, k->section);
		} else if (inside && line_is_key(line, k->name)) {
			if (!done) put_line(out, k, value);
			done = true;
			continue;
		}
		buf_add(out, line.p, line.len);
		buf_u8(out, '\n');
	}
	if (done || !*value) return;
	if (!inside) buf_print(out, "[%s]\n", k->section);
	put_line(out, k, value);
}

int config_change(struct span text, const char *key, const char *value, struct buf *out,
                  struct error *err)
{
	const char *dot = strchr(key, '.');
	char section[32] = "";
	const struct key *k;
	struct config probe;
	int rc;

	if (dot && (size_t)(dot - key) < sizeof(section)) memcpy(section, key, (size_t)(dot - key));
	k = dot ? key_find(section, dot + 1) : NULL;
	if (!k) return error_set(err, ERR_CONFIG, key, "%s is not a key of the configuration", key);
	config_default(&probe);
	rc = value_set(&probe, k, value, err);
	if (rc) return rc;
	rewrite(text, k, value, out);
	if (out->full)
		return error_set(err, ERR_CONFIG, key, "the configuration would grow too large");
	return 0;
}

int config_set(const char *path, const char *key, const char *value, struct error *err)
{
	struct buf in, out;
	int rc = 0;

	buf_init(&in, CONFIG_BYTES_MAX);
	buf_init(&out, CONFIG_BYTES_MAX);
	if (file_exists(path)) rc = file_read(path, &in, err);
	rc = rc ? rc : config_change(buf_span(&in), key, value, &out, err);
	if (!rc) rc = file_write(path, buf_span(&out), 0644, err);
	buf_done(&in);
	buf_done(&out);
	return rc;
}
