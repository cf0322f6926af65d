/*
 * value.h - one field's value: null, 64-bit integer, text, bytes.  No floats: money is fen, time is
 * minutes or ms, so that every replica computes the same.
 * Wire form: msgpack nil, int, str, bin.
 */
#ifndef COMMON_VALUE_H
#define COMMON_VALUE_H

#include "common/buf.h"
#include "common/reader.h"

enum value_type { VALUE_NULL = 0, VALUE_INT = 1, VALUE_TEXT = 2, VALUE_BYTES = 3 };
enum { VALUE_BYTES_MAX = 64 * 1024, UNKNOWN_FIELD_BYTES_MAX = 4096, UNKNOWN_FIELDS_MAX = 64 };

struct value {
	uint8_t type;  /* enum value_type */
	int64_t i;     /* VALUE_INT */
	struct span s; /* VALUE_TEXT (UTF-8, no final 0), VALUE_BYTES; borrowed */
};

static inline struct value value_null(void)
{
	return (struct value){.type = VALUE_NULL};
}
static inline struct value value_int(int64_t i)
{
	return (struct value){.type = VALUE_INT, .i = i};
}
static inline struct value value_bytes(const void *p, size_t len)
{
	return (struct value){.type = VALUE_BYTES, .s = {p, len}};
}
struct value value_text(const char *text);
bool value_equal(struct value a, struct value b);
struct value value_copy(struct arena *a, struct value v);
void value_pack(struct buf *b, struct value v);
struct value
value_read(struct reader *r); /* borrowed from the reader's bytes; bad above VALUE_BYTES_MAX */

#endif
