/*
 * ident.c - ids and their text; see ident.h.
 *
 * libuuid 2.38 knows no version 7, so the layout is ours (RFC 9562, section 5.7);
 * it gives the text form.
 */
#include "common/base.h"

#include "common/ident.h"

#include <uuid/uuid.h>

#include "common/crypt.h"

static_assert(sizeof(uuid_t) == ID_BYTES, "an id is a uuid_t");

void id_make(uint64_t stamp, uint64_t run, uint8_t ret_id[16])
{
	uint64_t high = (stamp >> 12) << 16 | UINT64_C(7) << 12 | (stamp & 0xfff);
	uint64_t low = UINT64_C(2) << 62 | run;

	assert(stamp <= STAMP_MAX);
	assert(run <= RUN_MASK);
	for (unsigned i = 0; i < 8; i++) {
		ret_id[i] = (uint8_t)(high >> (56 - 8 * i));
		ret_id[8 + i] = (uint8_t)(low >> (56 - 8 * i));
	}
}

static uint64_t big_endian(const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++) v = v << 8 | p[i];
	return v;
}

bool id_is_created(const uint8_t id[16])
{
	return id[6] >> 4 == 7 && id[8] >> 6 == 2;
}

uint64_t id_stamp(const uint8_t id[16])
{
	uint64_t high = big_endian(id);

	return (high >> 16) << 12 | (high & 0xfff);
}

uint64_t id_run(const uint8_t id[16])
{
	return big_endian(id + 8) & RUN_MASK;
}

static void hash_part(struct hash *h, struct span part)
{
	uint8_t length[8];

	for (unsigned i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)part.len >> (8 * i));
	hash_add(h, length, sizeof(length));
	hash_add(h, part.p, part.len);
}

/* The lengths (8 bytes, little-endian) keep ("ab","c") and ("a","bc") apart; `what` is the first part. */
void id_derive(const char *what, const struct span *parts, size_t parts_count, uint8_t ret_id[16])
{
	struct hash h;

	hash_begin(&h, ID_BYTES);
	hash_part(&h, span_of(what, strlen(what)));
	for (size_t i = 0; i < parts_count; i++) hash_part(&h, parts[i]);
	hash_end(&h, ret_id, ID_BYTES);
	ret_id[6] = (uint8_t)(0x80 | (ret_id[6] & 0x0f));
	ret_id[8] = (uint8_t)(0x80 | (ret_id[8] & 0x3f));
}

void id_text(const uint8_t id[16], char ret_text[ID_TEXT])
{
	uuid_unparse_lower(id, ret_text);
}

bool id_parse(const char *text, uint8_t ret_id[16])
{
	uuid_t id;
	char again[ID_TEXT];

	/* One id, one text: uuid_parse takes capitals, we do not. */
	if (!text || uuid_parse(text, id) != 0) return false;
	uuid_unparse_lower(id, again);
	if (strcmp(text, again) != 0) return false;
	memcpy(ret_id, id, ID_BYTES);
	return true;
}

bool id_is_zero(const uint8_t id[16])
{
	static const uint8_t zero[ID_BYTES];

	return memcmp(id, zero, ID_BYTES) == 0;
}

uint64_t run_of(const uint8_t origin[16], const uint8_t nonce[8])
{
	static const char what[] = "jinguo run";
	uint8_t digest[8];
	struct hash h;

	hash_begin(&h, sizeof(digest));
	hash_add(&h, what, sizeof(what) - 1);
	hash_add(&h, origin, 16);
	hash_add(&h, nonce, 8);
	hash_end(&h, digest, sizeof(digest));
	return big_endian(digest) >> 2;
}

void hex_text(const uint8_t *p, size_t len, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		ret_text[2 * i] = digits[p[i] >> 4];
		ret_text[2 * i + 1] = digits[p[i] & 15];
	}
	ret_text[2 * len] = 0;
}

static unsigned hex_digit(char c)
{
	if (c >= '0' && c <= '9') return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a' + 10);
	if (c >= 'A' && c <= 'F') return (unsigned)(c - 'A' + 10);
	return 16;
}

bool hex_parse(const char *text, uint8_t *ret_p, size_t len)
{
	if (!text || strlen(text) != 2 * len) return false;
	for (size_t i = 0; i < 2 * len; i++) {
		if (hex_digit(text[i]) > 15) return false;
	}
	for (size_t i = 0; i < len; i++) {
		ret_p[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
	}
	return true;
}

uint32_t id_mixed(const uint8_t id[16])
{
	uint64_t x, y;

	memcpy(&x, id, 8);
	memcpy(&y, id + 8, 8);
	x = (x ^ (x >> 29)) * UINT64_C(0xd6e8feb86659fd93) + y;
	return (uint32_t)((x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93) >> 32);
}
