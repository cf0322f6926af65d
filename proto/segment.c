/*
 * segment.c - segments: the signed header, making, opening, the static check.
 *
 * Header, little-endian; the signed bytes, and with the 64 bytes of signature behind them what a
 * journal holds as the entry's head:
 *
 *   "JGS" 3, format 1, suite 1, lane 1, flags 1, dictionary 4, origin 16, scope 16,
 *   also count 1, also 16 each, seal 8, k 2, n 2, nonces count 1, nonces 8 each,
 *   first sequence 8, count 4, plain bytes 4, hash before 32, body hash 32
 *
 * The Ed25519 signature is over the BLAKE2b-256 hash of these bytes, which is also the segment's
 * name.  The first three letters differ between all signed layouts, so that no signature fits two
 * of them.
 */
#include "common/base.h"

#include "proto/entry.h"

#include "common/ident.h"
#include "common/squeeze.h"
#include "common/validate.h"
#include "proto/form.h"

void segment_head_pack(const struct segment_head *h, struct buf *out)
{
	assert(h->also_count <= ALSO_TO_MAX);
	assert(h->nonces_count <= SEGMENT_NONCES_MAX);
	buf_add(out, "JGS", 3);
	buf_u8(out, h->format);
	buf_u8(out, h->suite);
	buf_u8(out, h->lane);
	buf_u8(out, h->flags);
	buf_u32(out, h->dictionary);
	buf_add(out, h->origin, 16);
	buf_add(out, h->scope, 16);
	buf_u8(out, h->also_count);
	buf_add(out, h->also, (size_t)16 * h->also_count);
	buf_u64(out, h->seal);
	buf_u16(out, h->k);
	buf_u16(out, h->n);
	buf_u8(out, h->nonces_count);
	buf_add(out, h->nonces, (size_t)8 * h->nonces_count);
	buf_u64(out, h->seq_first);
	buf_u32(out, h->count);
	buf_u32(out, h->plain_bytes);
	buf_add(out, h->prev, 32);
	buf_add(out, h->body_hash, 32);
}

static void get(struct cut *c, void *ret, size_t len)
{
	const uint8_t *p = cut_take(c, len);

	if (p) memcpy(ret, p, len);
}

static bool nonces_distinct(const struct segment_head *h)
{
	for (size_t i = 0; i < h->nonces_count; i++)
		for (size_t k = 0; k < i; k++)
			if (memcmp(h->nonces[i], h->nonces[k], 8) == 0) return false;
	return true;
}

/* The numbers of a header that has the right length. */
static int head_check(const struct segment_head *h, struct error *err)
{
	if (h->lane >= LANES)
		return error_set(err, ERR_PROTOCOL, NULL, "segment of lane %u", h->lane);
	if (!h->seal || !h->k || h->k > h->n)
		return error_set(err, ERR_PROTOCOL, NULL, "segment %u of %u of a seal", h->k, h->n);
	if (!h->nonces_count || !nonces_distinct(h))
		return error_set(err, ERR_PROTOCOL, NULL,
		                 "segment without runs, or with one named twice");
	if (!h->seq_first || h->seq_first > UINT64_MAX - SEGMENT_CHANGESETS_MAX)
		return error_set(err, ERR_PROTOCOL, NULL, "sequence out of range");
	if (!h->count || h->count > SEGMENT_CHANGESETS_MAX || h->plain_bytes > BODY_BYTES_MAX)
		return error_set(err, ERR_LIMIT, NULL, "%u changesets in %u bytes", h->count,
		                 h->plain_bytes);
	return 0;
}

int segment_head_read(struct span in, struct segment_head *ret, struct error *err)
{
	struct segment_head h = {0};
	struct cut c = cut_of(in);
	char magic[3] = "";
	int rc;

	get(&c, magic, 3);
	if (memcmp(magic, "JGS", 3) != 0)
		return error_set(err, ERR_PROTOCOL, NULL, "not a segment's header");
	h.format = cut_u8(&c);
	h.suite = cut_u8(&c);
	if (!c.bad && (h.format != FORMAT_1 || h.suite != SUITE_1))
		return error_set(err, ERR_VERSION, NULL, "segment of format %u, suite %u", h.format,
		                 h.suite);
	h.lane = cut_u8(&c);
	h.flags = cut_u8(&c);
	h.dictionary = cut_u32(&c);
	get(&c, h.origin, 16);
	get(&c, h.scope, 16);
	h.also_count = cut_u8(&c);
	if (h.also_count > ALSO_TO_MAX)
		return error_set(err, ERR_LIMIT, NULL, "segment also to %u scopes", h.also_count);
	get(&c, h.also, (size_t)16 * h.also_count);
	h.seal = cut_u64(&c);
	h.k = cut_u16(&c);
	h.n = cut_u16(&c);
	h.nonces_count = cut_u8(&c);
	if (h.nonces_count > SEGMENT_NONCES_MAX)
		return error_set(err, ERR_LIMIT, NULL, "segment of %u runs", h.nonces_count);
	get(&c, h.nonces, (size_t)8 * h.nonces_count);
	h.seq_first = cut_u64(&c);
	h.count = cut_u32(&c);
	h.plain_bytes = cut_u32(&c);
	get(&c, h.prev, 32);
	get(&c, h.body_hash, 32);
	if (c.bad || cut_left(&c))
		return error_set(err, ERR_PROTOCOL, NULL, "malformed segment header");
	rc = head_check(&h, err);
	if (rc) return rc;
	*ret = h;
	return 0;
}

void segment_hash(struct span head, uint8_t ret[32])
{
	hash_of(head, ret, 32);
}

void segment_runs(const struct segment_head *h, uint64_t ret_runs[SEGMENT_NONCES_MAX])
{
	for (size_t i = 0; i < h->nonces_count; i++) ret_runs[i] = run_of(h->origin, h->nonces[i]);
}

int segment_make(struct segment_head *h, const struct changeset *cs, const uint64_t *runs,
                 const uint8_t sign_secret[64], struct buf *out_head, struct buf *out_body,
                 uint8_t ret_hash[32], struct error *err)
{
	size_t head_from = out_head->len, body_from = out_body->len;
	uint64_t own[SEGMENT_NONCES_MAX];
	uint8_t sign[64], hash[32];
	struct span squeezed;
	struct buf plain;
	int rc;

	assert(h->nonces_count <= SEGMENT_NONCES_MAX);
	h->format = FORMAT_1;
	h->suite = SUITE_1;
	segment_runs(h, own);
	for (size_t i = 0; i < h->nonces_count; i++)
		if (own[i] != runs[i])
			return error_set(err, ERR_INTERNAL, NULL, "run %zu is not of its nonce", i);
	if (!h->count || h->count > SEGMENT_CHANGESETS_MAX)
		return error_set(err, ERR_LIMIT, NULL, "%u changesets", h->count);
	buf_init(&plain, BODY_BYTES_MAX);
	rc = body_encode(cs, h->count, runs, h->nonces_count, &plain, err);
	if (rc) goto out;
	h->dictionary = squeeze_dictionary(plain.len);
	if (squeeze(buf_span(&plain), h->dictionary, out_body) != 0 ||
	    out_body->len - body_from > BODY_SQUEEZED_MAX) {
		rc = error_set(err, ERR_LIMIT, NULL, "a body of more than %d bytes",
		               (int)BODY_SQUEEZED_MAX);
		goto out;
	}
	squeezed = span_of(out_body->p + body_from, out_body->len - body_from);
	hash_of(squeezed, h->body_hash, 32);
	h->plain_bytes = (uint32_t)plain.len;
	h->seq_first = cs[0].seq;
	rc = head_check(h, err);
	if (rc) goto out;
	segment_head_pack(h, out_head);
	if (!out_head->full)
		segment_hash(span_of(out_head->p + head_from, out_head->len - head_from), hash);
	if (!out_head->full) {
		sign_make(span_of(hash, 32), sign_secret, sign);
		buf_add(out_head, sign, 64);
	}
	if (out_head->full)
		rc = error_set(err, ERR_LIMIT, NULL, "no room for a segment's header");
	else
		memcpy(ret_hash, hash, 32);
out:
	buf_done(&plain);
	return rc;
}

int segment_open(struct span head, struct span body, struct segment *ret, struct error *err)
{
	struct segment s = {.body = body};
	struct span stated;
	int rc;

	if (head.len <= 64 || head.len > HEAD_BYTES_MAX)
		return error_set(err, ERR_PROTOCOL, NULL, "a segment header of %zu bytes",
		                 head.len);
	if (!body.len || body.len > BODY_SQUEEZED_MAX)
		return error_set(err, ERR_LIMIT, NULL, "a body of %zu bytes", body.len);
	stated = span_of(head.p, head.len - 64);
	rc = segment_head_read(stated, &s.head, err);
	if (rc) return rc;
	segment_hash(stated, s.hash);
	memcpy(s.sign, stated.p + stated.len, 64);
	*ret = s;
	return 0;
}

/* The plain body, in the header's length exactly. */
static int plain_body(const struct segment *s, struct buf *out, struct error *err)
{
	if (!squeeze_knows(s->head.dictionary))
		return error_set(err, ERR_VERSION, NULL, "a body with dictionary %" PRIu32,
		                 s->head.dictionary);
	if (unsqueeze(s->body, s->head.dictionary, s->head.plain_bytes, out) != 0 ||
	    out->len != s->head.plain_bytes)
		return error_set(err, ERR_PROTOCOL, NULL,
		                 "a body that does not unpack to its stated length");
	return 0;
}

/* A creation carries its author's run and its own stamp: nobody mints another's ids. */
static int check_ids(const struct changeset *c, struct error *err)
{
	for (size_t i = 0; i < c->ops_count; i++) {
		const struct op *op = &c->ops[i];

		if (op->kind == OP_INSERT && id_is_created(op->row) && !op_row_implied(op, c->run))
			return error_set(err, ERR_PROTOCOL, NULL,
			                 "operation %zu of changeset %" PRIu64
			                 " inserts an id of another run or time",
			                 i, c->seq);
	}
	return 0;
}

/*
 * What stands in the open lane goes to the top, whatever anybody says of it later: a refusal takes nothing out of a
 * journal.  So what can be seen without a schema is looked at here, by everybody: the number of a citizen in any text, of
 * fields that this build does not know too; and opaque kinds that have no business in the open lane (images and custody
 * repeat a row in bytes that no rule reads; sealed envelopes have a lane of their own).
 */
static int check_open(const struct changeset *c, struct error *err)
{
	for (size_t i = 0; i < c->ops_count; i++) {
		const struct op *op = &c->ops[i];

		if (op->kind == OP_IMAGE || op->kind == OP_SEALED || op->kind == OP_CUSTODY)
			return error_set(err, ERR_CEILING, NULL,
			                 "operation %zu of changeset %" PRIu64
			                 " is of a kind that is not in the open lane",
			                 i, c->seq);
		for (size_t k = 0; k < op->values_count + op->olds_count; k++) {
			struct value v = k < op->values_count
			                         ? op->values[k].value
			                         : op->olds[k - op->values_count].value;

			if (v.type == VALUE_TEXT && text_holds_citizen_id(v.s))
				return error_set(err, ERR_PRIVATE_TEXT, NULL,
				                 "a citizen's number in the open lane");
		}
	}
	return 0;
}

/*
 * Who carries the sealed lane reads nothing there, so that only what is closed may stand in it: ids, and bytes that begin as an
 * envelope does (of whatever format).  A program that put a plain word there shows it to nobody beyond the first who looks.
 */
static int check_sealed(const struct changeset *c, struct error *err)
{
	for (size_t i = 0; i < c->ops_count; i++) {
		const struct op *op = &c->ops[i];

		if (op->kind == OP_IMAGE || op->kind == OP_CUSTODY)
			return error_set(err, ERR_CEILING, NULL,
			                 "operation %zu of changeset %" PRIu64
			                 " is of a kind that is not in the sealed lane",
			                 i, c->seq);
		for (size_t k = 0; k < op->values_count + op->olds_count; k++) {
			const struct field_value *f = k < op->values_count
			                                      ? &op->values[k]
			                                      : &op->olds[k - op->values_count];
			bool closed = f->value.type == VALUE_NULL ||
			              (f->value.type == VALUE_BYTES &&
			               (f->value.s.len == ID_BYTES ||
			                (f->value.s.len > 3 && !memcmp(f->value.s.p, "JGE", 3))));

			if (f->slot && !closed)
				return error_set(err, ERR_ENVELOPE, NULL,
				                 "a value that is not closed in the sealed lane");
		}
	}
	return 0;
}

int segment_check(const struct segment *s, const uint8_t public_key[32], struct arena *a,
                  struct error *err)
{
	struct changeset *cs;

	return segment_check_open(s, public_key, a, &cs, err);
}

int segment_check_open(const struct segment *s, const uint8_t public_key[32], struct arena *a,
                       struct changeset **ret, struct error *err)
{
	uint64_t runs[SEGMENT_NONCES_MAX], seed;
	uint8_t body_hash[32], origin[16];
	struct changeset *cs = NULL;
	struct buf plain;
	struct span kept;
	int rc;

	hash_of(s->body, body_hash, 32);
	origin_of(public_key, origin);
	if (memcmp(origin, s->head.origin, 16) != 0 ||
	    memcmp(body_hash, s->head.body_hash, 32) != 0 ||
	    !sign_check(span_of(s->hash, 32), s->sign, public_key))
		return error_set(err, ERR_SIGNATURE, NULL,
		                 "a segment that its origin did not sign");
	buf_init(&plain, s->head.plain_bytes);
	rc = plain_body(s, &plain, err);
	kept = arena_span(a, buf_span(&plain));
	buf_done(&plain);
	if (!rc && a->full) rc = error_set(err, ERR_LIMIT, NULL, "a body takes too much memory");
	segment_runs(&s->head, runs);
	memcpy(&seed, body_hash, sizeof(seed));
	if (!rc)
		rc = body_decode_borrowed(kept, s->head.seq_first, s->head.count, runs,
		                          s->head.nonces_count, seed, a, &cs, err);
	for (size_t i = 0; !rc && i < s->head.count; i++) {
		rc = check_ids(&cs[i], err);
		if (!rc && s->head.lane == LANE_OPEN) rc = check_open(&cs[i], err);
		if (!rc && s->head.lane == LANE_SEALED) rc = check_sealed(&cs[i], err);
	}
	if (!rc) *ret = cs;
	return rc;
}

int segment_changesets(const struct segment *s, struct arena *a, struct changeset **ret,
                       size_t *ret_count, struct error *err)
{
	uint64_t runs[SEGMENT_NONCES_MAX];
	struct changeset *cs = NULL;
	struct buf plain;
	struct span kept;
	int rc;

	buf_init(&plain, s->head.plain_bytes);
	rc = plain_body(s, &plain, err);
	if (rc) goto out;
	kept = arena_span(a, buf_span(&plain));
	if (a->full) {
		rc = error_set(err, ERR_LIMIT, NULL, "a body takes too much memory");
		goto out;
	}
	segment_runs(&s->head, runs);
	rc = body_decode_trusted(kept, s->head.seq_first, s->head.count, runs, s->head.nonces_count,
	                         a, &cs, err);
	if (rc) goto out;
	*ret = cs;
	*ret_count = s->head.count;
out:
	buf_done(&plain);
	return rc;
}
