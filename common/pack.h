/*
 * pack.h - msgpack out, by msgpack-c, into a buf; sticky (a full buf is noticed at the end).
 * The only file that includes msgpack.h.  Reading is reader.h: msgpack-c's unpacker reserves gigabytes
 * for five hostile bytes.
 */
#ifndef COMMON_PACK_H
#define COMMON_PACK_H

#include "common/buf.h"

void pack_array(struct buf *b, size_t count);
void pack_map(struct buf *b, size_t count);
void pack_nil(struct buf *b);
void pack_bool(struct buf *b, bool v);
void pack_uint(struct buf *b, uint64_t v);
void pack_int(struct buf *b, int64_t v);
void pack_bytes(struct buf *b, const void *p, size_t len);
void pack_text(struct buf *b, const char *p, size_t len);

#endif
