/*
 * token.c - the invitation: one line of text that a person can copy, print or scan.
 *
 *   token = "JG1-" base64url(msgpack [endpoint, link key bin 32, root fingerprint bin 32,
 *           secret bin 16, unit bin 16, role, expires ms, code, name]), no padding
 *
 * There is one text for a token: what is read is written again and compared.
 */
#include "common/base.h"

#include "proto/cert.h"

#include "common/pack.h"
#include "common/reader.h"

enum { TOKEN_TEXT_MAX = 768, TOKEN_BYTES_MAX = 512 };

static void token_pack(const struct token *t, struct buf *out)
{
	pack_array(out, 9);
	pack_text(out, t->endpoint, strlen(t->endpoint));
	pack_bytes(out, t->link_key, 32);
	pack_bytes(out, t->root_fingerprint, 32);
	pack_bytes(out, t->secret, 16);
	pack_bytes(out, t->unit, 16);
	pack_uint(out, t->role);
	pack_int(out, t->expires_ms);
	pack_text(out, t->code, strlen(t->code));
	pack_text(out, t->name, strlen(t->name));
}

void token_text(const struct token *t, struct buf *out)
{
	struct buf b;

	buf_init(&b, TOKEN_BYTES_MAX);
	token_pack(t, &b);
	assert(!b.full); /* the longest fields make 404 bytes */
	buf_text(out, "JG1-");
	base64_text(buf_span(&b), out);
	crypt_wipe(b.p, b.len);
	buf_done(&b);
}

void token_code(const uint8_t secret[16], const uint8_t origin_key[32], const uint8_t link_key[32],
                char ret[7])
{
	static const char what[] = "jinguo code";
	uint8_t digest[32];
	uint64_t n = 0;
	struct hash h;

	hash_begin(&h, sizeof(digest));
	hash_add(&h, what, sizeof(what) - 1);
	hash_add(&h, secret, 16);
	hash_add(&h, origin_key, 32);
	hash_add(&h, link_key, 32);
	hash_end(&h, digest, sizeof(digest));
	for (size_t i = 0; i < 8; i++) n |= (uint64_t)digest[i] << 8 * i;
	snprintf(ret, 7, "%06u", (unsigned)(n % 1000000));
}

static void read_text(struct reader *r, char *ret, size_t size)
{
	struct span s = reader_text(r, size - 1);

	if (s.len) memcpy(ret, s.p, s.len);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The fields of the bytes; false if they are not in order. */
static bool token_read(struct span in, struct token *t)
{
	struct reader r;

	reader_init(&r, in);
	reader_expect_array(&r, 9);
	read_text(&r, t->endpoint, sizeof(t->endpoint));
	reader_fixed(&r, t->link_key, 32);
	reader_fixed(&r, t->root_fingerprint, 32);
	reader_fixed(&r, t->secret, 16);
	reader_fixed(&r, t->unit, 16);
	t->role = (uint8_t)reader_uint(&r, CERT_NODE);
	t->expires_ms = reader_int(&r);
	read_text(&r, t->code, sizeof(t->code));
	read_text(&r, t->name, sizeof(t->name));
	return reader_done(&r) && t->role >= CERT_ROOT && t->endpoint[0];
}

int token_parse(const char *text, struct token *ret, struct error *err)
{
	struct token t = {0};
	struct buf bytes, again;
	char copy[TOKEN_TEXT_MAX + 1];
	size_t len;
	int rc = 0;

	while (is_space(*text)) text++;
	len = strnlen(text, TOKEN_TEXT_MAX + 64);
	while (len && is_space(text[len - 1])) len--;
	if (len > TOKEN_TEXT_MAX || len < 4 || memcmp(text, "JG1-", 4) != 0)
		return error_set(err, ERR_TOKEN_FORM, NULL, "an invitation begins with JG1-");
	memcpy(copy, text, len);
	copy[len] = 0;
	buf_init(&bytes, TOKEN_BYTES_MAX);
	buf_init(&again, TOKEN_TEXT_MAX);
	if (!base64_parse(copy + 4, &bytes) || bytes.full || !token_read(buf_span(&bytes), &t))
		rc = error_set(err, ERR_TOKEN_FORM, NULL,
		               "the invitation is damaged or not complete");
	if (!rc) {
		token_text(&t, &again);
		if (!span_equal(buf_span(&again), span_of(copy, len)))
			rc = error_set(err, ERR_TOKEN_FORM, NULL, "the invitation is damaged");
	}
	if (!rc) *ret = t;
	crypt_wipe(bytes.p, bytes.len);
	crypt_wipe(again.p, again.len);
	crypt_wipe(copy, sizeof(copy));
	crypt_wipe(&t, sizeof(t));
	buf_done(&bytes);
	buf_done(&again);
	return rc;
}
