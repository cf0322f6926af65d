/*
 * buf.h - bytes: a borrowed span, a growable buffer that is born with a maximum, and an arena.
 *
 * Sizes that come from outside are bounded before memory is taken (style: three kinds of error):
 * a buffer that would pass its maximum becomes `full` and stays so, later appends do nothing, and the
 * writer asks once at the end.  Out of memory aborts.
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include "common/base.h"

/* A borrowed run of bytes; p may be NULL only if len is 0. */
struct span {
	const uint8_t *p;
	size_t len;
};

static inline struct span span_of(const void *p, size_t len)
{
	return (struct span){p, len};
}

bool span_equal(struct span a, struct span b);

void *mem_alloc(size_t bytes);         /* zeroed; aborts when memory is out */
void *mem_grow(void *p, size_t bytes); /* realloc; aborts when memory is out */
char *mem_copy_text(const char *text); /* strdup; NULL stays NULL; caller frees */

/* Growable bytes. */
struct buf {
	uint8_t *p;
	size_t len, room, bytes_max;
	bool full; /* an append would have passed bytes_max: the content is not to be used */
};

void buf_init(struct buf *b, size_t bytes_max);
void buf_done(struct buf *b);  /* accepts a zeroed buf */
void buf_reset(struct buf *b); /* length 0, not full; keeps the memory */
void buf_add(struct buf *b, const void *p, size_t len);
/* len more bytes for the caller to fill, borrowed until the next append; NULL when that makes it full. */
uint8_t *buf_take(struct buf *b, size_t len);
void buf_u8(struct buf *b, uint8_t v);
void buf_u16(struct buf *b, uint16_t v); /* little-endian, as all fixed-width integers here */
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
void buf_varint(struct buf *b, uint64_t v);     /* LEB128, at most 10 bytes */
void buf_zigzag(struct buf *b, int64_t v);      /* zigzag, then LEB128 */
void buf_text(struct buf *b, const char *text); /* without the final 0 */
void buf_print(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* The content as a C string (a 0 is kept behind the content); borrowed until the next append. */
const char *buf_cstr(struct buf *b);
static inline struct span buf_span(const struct buf *b)
{
	return span_of(b->p, b->len);
}

/* Message memory: freed all at once. */
struct arena {
	struct arena_block *blocks;
	size_t bytes, bytes_max; /* taken, and the most it may take (0: no bound) */
	bool full;               /* a take was refused: only takes of outside sizes can meet this */
};

void arena_init(struct arena *a, size_t bytes_max);
void arena_done(struct arena *a);
void arena_reset(struct arena *a); /* frees all but one block */
/* Zeroed, aligned to 16.  NULL when the bound would be passed; aborts when memory is out. */
void *arena_take(struct arena *a, size_t bytes);
void *arena_copy(struct arena *a, const void *p, size_t len);
/* A place to go back to: arena_rewind frees what was taken since, as if it had never been. */
struct arena_mark {
	struct arena_block *block; /* NULL: the arena was empty */
	size_t used, bytes;
};
struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, const struct arena_mark *m);
struct span arena_span(struct arena *a, struct span s); /* a copy of s in the arena */
char *arena_text(struct arena *a, struct span s);       /* a copy with a final 0 */
/* TYPE may be an array type: uint8_t[16]. */
#define ARENA_ARRAY(A, TYPE, COUNT)                                                                \
	((__typeof__(TYPE) *)arena_take((A), sizeof(TYPE) * (size_t)(COUNT)))

/* A sticky bounded reader of raw bytes (varints and fixed widths); msgpack has reader.h. */
struct cut {
	const uint8_t *p, *end;
	bool bad; /* a read passed the end or was malformed; all later reads give 0 */
};

static inline struct cut cut_of(struct span s)
{
	return (struct cut){s.p, s.p ? s.p + s.len : s.p, false};
}
uint8_t cut_u8(struct cut *c);
uint16_t cut_u16(struct cut *c);
uint32_t cut_u32(struct cut *c);
uint64_t cut_u64(struct cut *c);
uint64_t cut_varint(struct cut *c); /* refuses non-minimal and over-long forms */
int64_t cut_zigzag(struct cut *c);
const uint8_t *cut_take(struct cut *c, size_t len); /* borrowed; NULL and bad when fewer are left */
static inline size_t cut_left(const struct cut *c)
{
	return c->bad ? 0 : (size_t)(c->end - c->p);
}

#endif
