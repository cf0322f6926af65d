/*
 * reader.h - msgpack in: a bounded, sticky cursor over hostile bytes.
 * Allocates nothing.  Depth at most 8, canonical (shortest) forms only, counts never above the bytes
 * left, text must be UTF-8 without a 0.  After the first fault `bad` stays set and every read gives an
 * empty value; the caller asks once at the end with reader_done().
 */
#ifndef COMMON_READER_H
#define COMMON_READER_H

#include "common/buf.h"

enum { READER_DEPTH = 8 };
enum reader_kind {
	READER_NIL,
	READER_BOOL,
	READER_INT,
	READER_UINT,
	READER_TEXT,
	READER_BYTES,
	READER_ARRAY,
	READER_MAP,
	READER_BAD
};

struct reader {
	const uint8_t *p, *end;
	bool bad;
	uint8_t depth;
	uint32_t open[READER_DEPTH]; /* elements still to come at each depth */
};

void reader_init(struct reader *r, struct span s);
enum reader_kind reader_peek(const struct reader *r);
uint32_t reader_array(struct reader *r);                    /* count of elements */
uint32_t reader_map(struct reader *r);                      /* count of pairs */
void reader_expect_array(struct reader *r, uint32_t count); /* bad unless exactly so many */
bool reader_bool(struct reader *r);
uint64_t reader_uint(struct reader *r, uint64_t max); /* bad above max */
int64_t reader_int(struct reader *r);
struct span reader_bytes(struct reader *r, size_t len_max);
void reader_fixed(struct reader *r, void *ret,
                  size_t len); /* bytes of exactly this length; zeroed if bad */
struct span reader_text(struct reader *r, size_t len_max); /* valid UTF-8, borrowed, no final 0 */
bool reader_nil(struct reader *r);                         /* consumes a nil if there is one */
void reader_skip(struct reader *r);       /* one value of any kind, bounded depth */
bool reader_done(const struct reader *r); /* not bad, and nothing is left over */
bool utf8_valid(struct span s);           /* and without a 0 */

#endif
