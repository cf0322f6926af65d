/*
 * pack.c - msgpack-c writing into a buf; see pack.h.  It picks the shortest form
 * of everything, which is the only form that reader.c takes.
 */
#include "common/base.h"

#include "common/pack.h"

#include <msgpack.h>

/* The buf remembers that it is full; the packer need not know. */
static int pack_write(void *data, const char *p, size_t len)
{
	buf_add(data, p, len);
	return 0;
}

static msgpack_packer packer_of(struct buf *b)
{
	msgpack_packer packer;

	msgpack_packer_init(&packer, b, pack_write);
	return packer;
}

/* A size beyond the wire's 32 bits can never be sent: it fills the buf. */
static bool too_long(struct buf *b, size_t n)
{
	if (n > UINT32_MAX) b->full = true;
	return n > UINT32_MAX;
}

void pack_array(struct buf *b, size_t count)
{
	msgpack_packer packer = packer_of(b);

	if (!too_long(b, count)) msgpack_pack_array(&packer, count);
}

void pack_map(struct buf *b, size_t count)
{
	msgpack_packer packer = packer_of(b);

	if (!too_long(b, count)) msgpack_pack_map(&packer, count);
}

void pack_nil(struct buf *b)
{
	msgpack_packer packer = packer_of(b);

	msgpack_pack_nil(&packer);
}

void pack_bool(struct buf *b, bool v)
{
	msgpack_packer packer = packer_of(b);

	if (v)
		msgpack_pack_true(&packer);
	else
		msgpack_pack_false(&packer);
}

void pack_uint(struct buf *b, uint64_t v)
{
	msgpack_packer packer = packer_of(b);

	msgpack_pack_uint64(&packer, v);
}

void pack_int(struct buf *b, int64_t v)
{
	msgpack_packer packer = packer_of(b);

	msgpack_pack_int64(&packer, v);
}

void pack_bytes(struct buf *b, const void *p, size_t len)
{
	msgpack_packer packer = packer_of(b);

	if (too_long(b, len)) return;
	msgpack_pack_bin(&packer, len);
	if (len) msgpack_pack_bin_body(&packer, p, len);
}

void pack_text(struct buf *b, const char *p, size_t len)
{
	msgpack_packer packer = packer_of(b);

	if (too_long(b, len)) return;
	msgpack_pack_str(&packer, len);
	if (len) msgpack_pack_str_body(&packer, p, len);
}
