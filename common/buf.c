/*
 * buf.c - bytes; see buf.h.
 *
 * The bound is checked before memory is asked for, and growth doubles, so that a
 * message built byte by byte costs a handful of reallocs.
 */
#include "common/base.h"

#include "common/buf.h"

#include <stdarg.h>

enum { ROOM_MIN = 64, BLOCK_MIN = 4096, ALIGN = 16 };

struct arena_block {
	struct arena_block *next;
	size_t used, room;
	uint8_t bytes[] __attribute__((aligned(16)));
};

bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static _Noreturn void mem_out(void)
{
	fputs("out of memory\n", stderr);
	abort();
}

void *mem_alloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p) mem_out();
	return p;
}

void *mem_grow(void *p, size_t bytes)
{
	p = realloc(p, bytes ? bytes : 1);
	if (!p) mem_out();
	return p;
}

char *mem_copy_text(const char *text)
{
	size_t bytes;
	char *copy;

	if (!text) return NULL;
	bytes = strlen(text) + 1;
	copy = mem_alloc(bytes);
	memcpy(copy, text, bytes);
	return copy;
}

void buf_init(struct buf *b, size_t bytes_max)
{
	*b = (struct buf){.bytes_max = bytes_max};
}

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){.bytes_max = b->bytes_max};
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->full = false;
}

/* Room for len more bytes and a final 0. */
static bool buf_reserve(struct buf *b, size_t len)
{
	size_t want, room;

	assert(b->len <= b->bytes_max || b->len == 0);
	if (b->full || len > b->bytes_max - b->len || len >= SIZE_MAX - b->len) {
		b->full = true;
		return false;
	}
	want = b->len + len + 1;
	if (want <= b->room) return true;
	room = b->room < ROOM_MIN ? ROOM_MIN : b->room;
	while (room < want) room = room > SIZE_MAX / 2 ? want : room * 2;
	b->p = mem_grow(b->p, room);
	b->room = room;
	return true;
}

uint8_t *buf_take(struct buf *b, size_t len)
{
	uint8_t *p;

	if (!buf_reserve(b, len)) return NULL;
	p = b->p + b->len;
	b->len += len;
	return p;
}

void buf_add(struct buf *b, const void *p, size_t len)
{
	if (!buf_reserve(b, len) || len == 0) return;
	memcpy(b->p + b->len, p, len);
	b->len += len;
}

void buf_u8(struct buf *b, uint8_t v)
{
	buf_add(b, &v, 1);
}

static void buf_fixed(struct buf *b, uint64_t v, size_t bytes)
{
	uint8_t raw[8];

	for (size_t i = 0; i < bytes; i++) raw[i] = (uint8_t)(v >> (8 * i));
	buf_add(b, raw, bytes);
}

void buf_u16(struct buf *b, uint16_t v)
{
	buf_fixed(b, v, 2);
}

void buf_u32(struct buf *b, uint32_t v)
{
	buf_fixed(b, v, 4);
}

void buf_u64(struct buf *b, uint64_t v)
{
	buf_fixed(b, v, 8);
}

void buf_varint(struct buf *b, uint64_t v)
{
	uint8_t raw[10], *to = raw;
	bool straight =
	        !b->full && b->room - b->len > sizeof(raw) && b->bytes_max - b->len >= sizeof(raw);
	size_t n = 0;

	/* Columns are long runs of these: where there is room for any, it is written where it stays. */
	if (straight) to = b->p + b->len;
	while (v >= 0x80) {
		to[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	to[n++] = (uint8_t)v;
	if (straight)
		b->len += n;
	else
		buf_add(b, raw, n);
}

void buf_zigzag(struct buf *b, int64_t v)
{
	buf_varint(b, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

void buf_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_print(struct buf *b, const char *format, ...)
{
	va_list args, again;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	assert(len >= 0);
	if (buf_reserve(b, (size_t)len)) {
		/* the 0 that it writes has its room */
		vsnprintf((char *)b->p + b->len, (size_t)len + 1, format, again);
		b->len += (size_t)len;
	}
	va_end(again);
	va_end(args);
}

const char *buf_cstr(struct buf *b)
{
	if (!b->p) return "";
	assert(b->len < b->room);
	b->p[b->len] = 0;
	return (const char *)b->p;
}

void arena_init(struct arena *a, size_t bytes_max)
{
	*a = (struct arena){.bytes_max = bytes_max};
}

static void blocks_free(struct arena_block *block)
{
	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
}

void arena_done(struct arena *a)
{
	blocks_free(a->blocks);
	*a = (struct arena){.bytes_max = a->bytes_max};
}

void arena_reset(struct arena *a)
{
	if (a->blocks) {
		blocks_free(a->blocks->next);
		a->blocks->next = NULL;
		a->blocks->used = 0;
	}
	a->bytes = 0;
	a->full = false;
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){a->blocks, a->blocks ? a->blocks->used : 0, a->bytes};
}

void arena_rewind(struct arena *a, const struct arena_mark *m)
{
	while (a->blocks && a->blocks != m->block) {
		struct arena_block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
	assert(a->blocks == m->block);
	if (a->blocks) a->blocks->used = m->used;
	a->bytes = m->bytes;
	a->full = false;
}

void *arena_take(struct arena *a, size_t bytes)
{
	size_t size;
	struct arena_block *block = a->blocks;
	uint8_t *p;

	if (bytes > SIZE_MAX / 4 || (a->bytes_max && bytes > a->bytes_max)) {
		a->full = true;
		return NULL;
	}
	size = bytes ? (bytes + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
	if (a->bytes_max && a->bytes + size > a->bytes_max) {
		a->full = true;
		return NULL;
	}
	if (!block || size > block->room - block->used) {
		size_t room = block ? block->room * 2 : BLOCK_MIN;

		/* Doubling stops at 1 MiB: a long message shall not hold half of it unused. */
		if (room > 1 << 20) room = 1 << 20;
		if (room < size) room = size;
		block = malloc(sizeof(*block) + room);
		if (!block) mem_out();
		*block = (struct arena_block){.next = a->blocks, .room = room};
		a->blocks = block;
	}
	p = block->bytes + block->used;
	block->used += size;
	a->bytes += size;
	assert(block->used <= block->room);
	return memset(p, 0, size);
}

void *arena_copy(struct arena *a, const void *p, size_t len)
{
	void *copy = arena_take(a, len);

	if (copy && len) memcpy(copy, p, len);
	return copy;
}

struct span arena_span(struct arena *a, struct span s)
{
	void *p = arena_copy(a, s.p, s.len);

	return span_of(p, p ? s.len : 0);
}

char *arena_text(struct arena *a, struct span s)
{
	char *text = s.len < SIZE_MAX ? arena_take(a, s.len + 1) : NULL;

	if (text && s.len) memcpy(text, s.p, s.len);
	return text;
}

const uint8_t *cut_take(struct cut *c, size_t len)
{
	const uint8_t *p = c->p;

	if (c->bad || len > (size_t)(c->end - c->p)) {
		c->bad = true;
		return NULL;
	}
	/* An empty span may have no address; NULL is kept for what is bad. */
	if (!p) return (const uint8_t *)"";
	c->p += len;
	return p;
}

static uint64_t cut_fixed(struct cut *c, size_t bytes)
{
	const uint8_t *p = cut_take(c, bytes);
	uint64_t v = 0;

	if (!p) return 0;
	for (size_t i = 0; i < bytes; i++) v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint8_t cut_u8(struct cut *c)
{
	return (uint8_t)cut_fixed(c, 1);
}

uint16_t cut_u16(struct cut *c)
{
	return (uint16_t)cut_fixed(c, 2);
}

uint32_t cut_u32(struct cut *c)
{
	return (uint32_t)cut_fixed(c, 4);
}

uint64_t cut_u64(struct cut *c)
{
	return cut_fixed(c, 8);
}

uint64_t cut_varint(struct cut *c)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 70 && !c->bad && c->p < c->end; shift += 7) {
		uint8_t byte = *c->p++;

		if (shift == 63 && byte > 1) break; /* above 64 bits, or an eleventh byte */
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80) continue;
		if (byte == 0 && shift > 0) break; /* a shorter form exists */
		return v;
	}
	c->bad = true;
	return 0;
}

int64_t cut_zigzag(struct cut *c)
{
	uint64_t v = cut_varint(c);

	return (int64_t)((v >> 1) ^ ((v & 1) ? UINT64_MAX : 0));
}
