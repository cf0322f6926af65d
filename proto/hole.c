/*
 * hole.c - what is left of a segment whose body was taken out: its signed header, why, and by whom.
 *
 * Little-endian:
 *
 *   "JGH" 3, format 1, cause 2, remover 16, time 8 (ms, signed), header length 2,
 *   header (signed bytes of the segment and its signature), restated length 4, restated,
 *   signature of the remover 64, over the BLAKE2b-256 hash of everything before it
 */
#include "common/base.h"

#include "proto/entry.h"

static int head_open(struct span head, struct segment_head *ret, uint8_t ret_hash[32],
                     struct error *err)
{
	int rc;

	if (head.len <= 64 || head.len > HEAD_BYTES_MAX)
		return error_set(err, ERR_PROTOCOL, NULL, "a segment header of %zu bytes",
		                 head.len);
	rc = segment_head_read(span_of(head.p, head.len - 64), ret, err);
	if (!rc) segment_hash(span_of(head.p, head.len - 64), ret_hash);
	return rc;
}

int hole_make(const struct hole *h, const uint8_t sign_secret[64], struct buf *out,
              uint8_t ret_hash[32], struct error *err)
{
	struct segment_head of;
	size_t from = out->len;
	uint8_t sign[64], hash[32];
	int rc = head_open(h->head, &of, hash, err);

	if (rc) return rc;
	if (h->cause < 0 || h->cause > UINT16_MAX)
		return error_set(err, ERR_INTERNAL, NULL, "a hole of cause %d", h->cause);
	if (h->restated.len > BODY_SQUEEZED_MAX)
		return error_set(err, ERR_LIMIT, NULL, "%zu bytes restated", h->restated.len);
	buf_add(out, "JGH", 3);
	buf_u8(out, FORMAT_1);
	buf_u16(out, (uint16_t)h->cause);
	buf_add(out, h->remover, 16);
	buf_u64(out, (uint64_t)h->at_ms);
	buf_u16(out, (uint16_t)h->head.len);
	buf_add(out, h->head.p, h->head.len);
	buf_u32(out, (uint32_t)h->restated.len);
	buf_add(out, h->restated.p, h->restated.len);
	if (out->full) return error_set(err, ERR_LIMIT, NULL, "no room for a hole");
	hash_of(span_of(out->p + from, out->len - from), hash, 32);
	sign_make(span_of(hash, 32), sign_secret, sign);
	buf_add(out, sign, 64);
	if (out->full) return error_set(err, ERR_LIMIT, NULL, "no room for a hole");
	memcpy(ret_hash, hash, 32);
	return 0;
}

int hole_open(struct span in, struct hole *ret, uint8_t ret_hash[32], uint8_t ret_sign[64],
              struct error *err)
{
	struct hole h = {0};
	const uint8_t *p;
	struct cut c;
	int rc;

	if (in.len <= 64 || in.len > MESSAGE_BYTES_MAX)
		return error_set(err, ERR_PROTOCOL, NULL, "a hole of %zu bytes", in.len);
	c = cut_of(span_of(in.p, in.len - 64));
	p = cut_take(&c, 3);
	if (!p || memcmp(p, "JGH", 3) != 0) return error_set(err, ERR_PROTOCOL, NULL, "not a hole");
	if (cut_u8(&c) != FORMAT_1)
		return error_set(err, ERR_VERSION, NULL, "hole of an unknown format");
	h.cause = cut_u16(&c);
	p = cut_take(&c, 16);
	if (p) memcpy(h.remover, p, 16);
	h.at_ms = (int64_t)cut_u64(&c);
	h.head.len = cut_u16(&c);
	h.head.p = cut_take(&c, h.head.len);
	h.restated.len = cut_u32(&c);
	h.restated.p = cut_take(&c, h.restated.len);
	if (c.bad || cut_left(&c) || h.restated.len > BODY_SQUEEZED_MAX)
		return error_set(err, ERR_PROTOCOL, NULL, "malformed hole");
	rc = head_open(h.head, &h.segment, h.segment_hash, err);
	if (rc) return rc;
	hash_of(span_of(in.p, in.len - 64), ret_hash, 32);
	memcpy(ret_sign, in.p + in.len - 64, 64);
	*ret = h;
	return 0;
}
