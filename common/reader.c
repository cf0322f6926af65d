/*
 * reader.c - msgpack in; see reader.h.
 *
 * Two functions, reader_peek and head_number, know the format: the kind of a
 * value, and its number (value, count or length).  A count is compared
 * with the bytes left before anybody sees it: an element takes at least one byte,
 * so whoever allocates by a count is bounded by what really came.
 * Not taken: floats (money is fen), extensions, and every form that has a shorter
 * one, so that equal values have equal bytes and equal hashes.
 */
#include "common/base.h"

#include "common/reader.h"

struct head {
	enum reader_kind kind;
	uint64_t n; /* the value (a negative one in two's complement), the count or the length */
};

void reader_init(struct reader *r, struct span s)
{
	*r = (struct reader){.p = s.p, .end = s.p ? s.p + s.len : s.p};
}

static size_t left(const struct reader *r)
{
	return (size_t)(r->end - r->p);
}

enum reader_kind reader_peek(const struct reader *r)
{
	uint8_t c;

	if (r->bad || r->p == r->end) return READER_BAD;
	c = *r->p;
	if (c <= 0x7f) return READER_UINT;
	if (c <= 0x8f) return READER_MAP;
	if (c <= 0x9f) return READER_ARRAY;
	if (c <= 0xbf) return READER_TEXT;
	if (c >= 0xe0) return READER_INT;
	if (c == 0xc0) return READER_NIL;
	if (c == 0xc2 || c == 0xc3) return READER_BOOL;
	if (c >= 0xc4 && c <= 0xc6) return READER_BYTES;
	if (c >= 0xcc && c <= 0xcf) return READER_UINT;
	if (c >= 0xd0 && c <= 0xd3) return READER_INT;
	if (c >= 0xd9 && c <= 0xdb) return READER_TEXT;
	if (c == 0xdc || c == 0xdd) return READER_ARRAY;
	if (c == 0xde || c == 0xdf) return READER_MAP;
	return READER_BAD;
}

/* Big-endian; bad below `least`, which a shorter form could have said. */
static uint64_t number(struct reader *r, size_t bytes, uint64_t least)
{
	uint64_t v = 0;

	if (left(r) < bytes) {
		r->bad = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++) v = v << 8 | r->p[i];
	r->p += bytes;
	if (v < least) r->bad = true;
	return v;
}

/* Two's complement; bad from `most` up, which a shorter or an unsigned form could have said. */
static uint64_t negative(struct reader *r, size_t bytes, int64_t most)
{
	unsigned unused = (unsigned)(64 - 8 * bytes);
	int64_t v = (int64_t)(number(r, bytes, 0) << unused) >> unused;

	if (v >= most) r->bad = true;
	return (uint64_t)v;
}

static uint64_t head_number(struct reader *r, uint8_t c)
{
	if (c <= 0x7f) return c;
	if (c <= 0x9f) return c & 0x0f;
	if (c <= 0xbf) return c & 0x1f;
	if (c >= 0xe0) return (uint64_t)((int64_t)c - 256);
	switch (c) {
	case 0xc3:
		return 1; /* true */
	case 0xc4:
		return number(r, 1, 0);
	case 0xc5:
		return number(r, 2, UINT8_MAX + 1);
	case 0xc6:
		return number(r, 4, UINT16_MAX + 1);
	case 0xcc:
		return number(r, 1, 0x80);
	case 0xcd:
		return number(r, 2, UINT8_MAX + 1);
	case 0xce:
		return number(r, 4, UINT16_MAX + 1);
	case 0xcf:
		return number(r, 8, UINT64_C(1) << 32);
	case 0xd0:
		return negative(r, 1, -32);
	case 0xd1:
		return negative(r, 2, INT8_MIN);
	case 0xd2:
		return negative(r, 4, INT16_MIN);
	case 0xd3:
		return negative(r, 8, INT32_MIN);
	case 0xd9:
		return number(r, 1, 32);
	case 0xda:
		return number(r, 2, UINT8_MAX + 1);
	case 0xdb:
		return number(r, 4, UINT16_MAX + 1);
	case 0xdc:
	case 0xde:
		return number(r, 2, 16);
	case 0xdd:
	case 0xdf:
		return number(r, 4, UINT16_MAX + 1);
	default:
		return 0; /* nil, false */
	}
}

static struct head head_read(struct reader *r)
{
	struct head h = {reader_peek(r), 0};

	if (h.kind == READER_BAD)
		r->bad = true;
	else
		h.n = head_number(r, *r->p++);
	return r->bad ? (struct head){READER_BAD, 0} : h;
}

/* A value was consumed; `inside` elements of it are still to come. */
static void element(struct reader *r, uint32_t inside)
{
	if (r->depth > 0) {
		assert(r->open[r->depth - 1] > 0);
		r->open[r->depth - 1]--;
	}
	if (inside > 0) {
		if (r->depth == READER_DEPTH) {
			r->bad = true;
			return;
		}
		r->open[r->depth++] = inside;
		return;
	}
	while (r->depth > 0 && r->open[r->depth - 1] == 0) r->depth--;
}

/* An array or a map whose header was just read. */
static uint32_t container(struct reader *r, struct head h)
{
	size_t each = h.kind == READER_MAP ? 2 : 1;

	if (h.n > left(r) / each || h.n * each > UINT32_MAX) {
		r->bad = true;
		return 0;
	}
	element(r, (uint32_t)(h.n * each));
	return r->bad ? 0 : (uint32_t)h.n;
}

/* Text or bytes whose header was just read. */
static struct span content(struct reader *r, struct head h, uint64_t len_max)
{
	struct span s = {r->p, (size_t)h.n};

	if (h.n > len_max || h.n > left(r) || (h.kind == READER_TEXT && !utf8_valid(s))) {
		r->bad = true;
		return (struct span){NULL, 0};
	}
	r->p += s.len;
	element(r, 0);
	return s;
}

/* The head of a value of this kind; READER_BAD, and the reader is bad, if it is another. */
static struct head head_of(struct reader *r, enum reader_kind kind)
{
	struct head h = head_read(r);

	if (h.kind == kind) return h;
	r->bad = true;
	return (struct head){READER_BAD, 0};
}

uint32_t reader_array(struct reader *r)
{
	struct head h = head_of(r, READER_ARRAY);

	return r->bad ? 0 : container(r, h);
}

uint32_t reader_map(struct reader *r)
{
	struct head h = head_of(r, READER_MAP);

	return r->bad ? 0 : container(r, h);
}

void reader_expect_array(struct reader *r, uint32_t count)
{
	if (reader_array(r) != count) r->bad = true;
}

bool reader_bool(struct reader *r)
{
	struct head h = head_of(r, READER_BOOL);

	if (r->bad) return false;
	element(r, 0);
	return h.n != 0;
}

uint64_t reader_uint(struct reader *r, uint64_t max)
{
	struct head h = head_of(r, READER_UINT);

	if (h.n > max) r->bad = true;
	if (r->bad) return 0;
	element(r, 0);
	return h.n;
}

int64_t reader_int(struct reader *r)
{
	struct head h = head_read(r);

	if (h.kind != READER_INT && (h.kind != READER_UINT || h.n > INT64_MAX)) r->bad = true;
	if (r->bad) return 0;
	element(r, 0);
	return (int64_t)h.n;
}

struct span reader_bytes(struct reader *r, size_t len_max)
{
	struct head h = head_of(r, READER_BYTES);

	return r->bad ? (struct span){NULL, 0} : content(r, h, len_max);
}

void reader_fixed(struct reader *r, void *ret, size_t len)
{
	struct span s = reader_bytes(r, len);

	if (s.len != len) r->bad = true;
	if (r->bad)
		memset(ret, 0, len);
	else if (len)
		memcpy(ret, s.p, len);
}

struct span reader_text(struct reader *r, size_t len_max)
{
	struct head h = head_of(r, READER_TEXT);

	return r->bad ? (struct span){NULL, 0} : content(r, h, len_max);
}

bool reader_nil(struct reader *r)
{
	if (reader_peek(r) != READER_NIL) return false;
	r->p++;
	element(r, 0);
	return true;
}

void reader_skip(struct reader *r)
{
	unsigned depth = r->depth;

	do {
		struct head h = head_read(r);

		if (r->bad) return;
		if (h.kind == READER_ARRAY || h.kind == READER_MAP)
			container(r, h);
		else if (h.kind == READER_TEXT || h.kind == READER_BYTES)
			content(r, h, UINT64_MAX);
		else
			element(r, 0);
	} while (!r->bad && r->depth > depth);
}

bool reader_done(const struct reader *r)
{
	return !r->bad && r->p == r->end && r->depth == 0;
}

/* Bytes of the character at p (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF), or 0. */
static size_t utf8_length(const uint8_t *p, size_t room)
{
	uint8_t low = 0x80, high = 0xbf; /* bounds of the second byte */
	size_t len;

	if (p[0] < 0x80) return p[0] != 0;
	if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len > room) return 0;
	if (p[0] == 0xe0) low = 0xa0;
	if (p[0] == 0xed) high = 0x9f;
	if (p[0] == 0xf0) low = 0x90;
	if (p[0] == 0xf4) high = 0x8f;
	if (p[1] < low || p[1] > high) return 0;
	for (size_t i = 2; i < len; i++) {
		if (p[i] >> 6 != 2) return 0;
	}
	return len;
}

/* Eight bytes of ASCII without a 0?  A long note is checked at each of its decodings. */
static bool ascii_word(const uint8_t *p)
{
	const uint64_t high = UINT64_C(0x8080808080808080), low = UINT64_C(0x0101010101010101);
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return ((w | (w - low)) & high) == 0;
}

bool utf8_valid(struct span s)
{
	for (size_t at = 0, len; at < s.len; at += len) {
		while (s.len - at >= sizeof(uint64_t) && ascii_word(s.p + at))
			at += sizeof(uint64_t);
		if (at == s.len) break;
		len = utf8_length(s.p + at, s.len - at);
		if (len == 0) return false;
	}
	return true;
}
