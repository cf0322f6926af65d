/*
 * admission.c - a hub's signed word on segments; and the signature check that admissions and holes
 * share.
 *
 * Little-endian:
 *
 *   "JGA" 3, format 1, hub 16, scope 16, lane 1, time 8 (ms, signed), number 8, items count 2,
 *   items: segment hash 32, mode 1, verdicts count 2,
 *          verdicts: ordinal 4, accepted 1, code 2, field 1
 *   signature 64, over the BLAKE2b-256 hash of everything before it
 *
 * Verdicts stand in ascending order of ordinals; an accepted one has code and field 0.
 */
#include "common/base.h"

#include "proto/entry.h"

enum { ITEM_BYTES = 35, VERDICT_BYTES = 8 };

static int admission_check(const struct admission *m, struct error *err)
{
	if (m->lane >= LANES || !m->number)
		return error_set(err, ERR_PROTOCOL, NULL, "admission %" PRIu64 " of lane %u",
		                 m->number, m->lane);
	if (!m->items_count || m->items_count > ADMISSION_ITEMS_MAX)
		return error_set(err, ERR_LIMIT, NULL, "admission of %zu segments", m->items_count);
	for (size_t i = 0; i < m->items_count; i++) {
		const struct admission_item *t = &m->items[i];

		if (t->mode > ADMIT_ONLY)
			return error_set(err, ERR_PROTOCOL, NULL, "admission of mode %u", t->mode);
		if (t->verdicts_count > SEGMENT_OPS_MAX)
			return error_set(err, ERR_LIMIT, NULL, "%zu verdicts", t->verdicts_count);
		for (size_t k = 0; k < t->verdicts_count; k++) {
			const struct verdict *v = &t->verdicts[k];

			if (v->ordinal >= SEGMENT_OPS_MAX ||
			    (k && v->ordinal <= t->verdicts[k - 1].ordinal))
				return error_set(err, ERR_PROTOCOL, NULL, "verdicts not in order");
			if (v->accepted > 2 || v->code < 0 || v->code > UINT16_MAX)
				return error_set(err, ERR_PROTOCOL, NULL, "a verdict out of range");
			if (v->accepted == 1 && (v->code || v->field))
				return error_set(err, ERR_PROTOCOL, NULL, "accepted, with a cause");
		}
	}
	return 0;
}

int admission_make(const struct admission *m, const uint8_t sign_secret[64], struct buf *out,
                   uint8_t ret_hash[32], struct error *err)
{
	size_t from = out->len;
	uint8_t sign[64];
	int rc = admission_check(m, err);

	if (rc) return rc;
	buf_add(out, "JGA", 3);
	buf_u8(out, FORMAT_1);
	buf_add(out, m->hub, 16);
	buf_add(out, m->scope, 16);
	buf_u8(out, m->lane);
	buf_u64(out, (uint64_t)m->at_ms);
	buf_u64(out, m->number);
	buf_u16(out, (uint16_t)m->items_count);
	for (size_t i = 0; i < m->items_count; i++) {
		const struct admission_item *t = &m->items[i];

		buf_add(out, t->segment, 32);
		buf_u8(out, t->mode);
		buf_u16(out, (uint16_t)t->verdicts_count);
		for (size_t k = 0; k < t->verdicts_count; k++) {
			buf_u32(out, t->verdicts[k].ordinal);
			buf_u8(out, t->verdicts[k].accepted);
			buf_u16(out, (uint16_t)t->verdicts[k].code);
			buf_u8(out, t->verdicts[k].field);
		}
	}
	if (out->full || out->len - from + 64 > ADMISSION_BYTES_MAX)
		return error_set(err, ERR_LIMIT, NULL, "an admission of more than %d bytes",
		                 (int)ADMISSION_BYTES_MAX);
	hash_of(span_of(out->p + from, out->len - from), ret_hash, 32);
	sign_make(span_of(ret_hash, 32), sign_secret, sign);
	buf_add(out, sign, 64);
	if (out->full) return error_set(err, ERR_LIMIT, NULL, "no room for an admission");
	return 0;
}

static void get(struct cut *c, void *ret, size_t len)
{
	const uint8_t *p = cut_take(c, len);

	if (p) memcpy(ret, p, len);
}

/* Memory for so many things of at least `bytes` each; NULL when they cannot be there. */
static void *take(struct cut *c, struct arena *a, size_t count, size_t bytes, size_t size)
{
	void *p = NULL;

	if (count > cut_left(c) / bytes)
		c->bad = true;
	else if (count)
		p = arena_take(a, count * size);
	if (count && !p) c->bad = true;
	return p;
}

static void get_item(struct cut *c, struct arena *a, struct admission_item *t)
{
	get(c, t->segment, 32);
	t->mode = cut_u8(c);
	t->verdicts_count = cut_u16(c);
	t->verdicts = take(c, a, t->verdicts_count, VERDICT_BYTES, sizeof(*t->verdicts));
	for (size_t i = 0; !c->bad && i < t->verdicts_count; i++) {
		struct verdict *v = &t->verdicts[i];

		v->ordinal = cut_u32(c);
		v->accepted = cut_u8(c);
		v->code = cut_u16(c);
		v->field = cut_u8(c);
	}
}

int admission_open(struct span in, struct arena *a, struct admission *ret, uint8_t ret_hash[32],
                   uint8_t ret_sign[64], struct error *err)
{
	struct admission m = {0};
	char magic[3] = "";
	struct cut c;
	int rc;

	if (in.len <= 64 || in.len > ADMISSION_BYTES_MAX)
		return error_set(err, ERR_PROTOCOL, NULL, "an admission of %zu bytes", in.len);
	c = cut_of(span_of(in.p, in.len - 64));
	get(&c, magic, 3);
	if (memcmp(magic, "JGA", 3) != 0)
		return error_set(err, ERR_PROTOCOL, NULL, "not an admission");
	if (cut_u8(&c) != FORMAT_1)
		return error_set(err, ERR_VERSION, NULL, "admission of an unknown format");
	get(&c, m.hub, 16);
	get(&c, m.scope, 16);
	m.lane = cut_u8(&c);
	m.at_ms = (int64_t)cut_u64(&c);
	m.number = cut_u64(&c);
	m.items_count = cut_u16(&c);
	m.items = take(&c, a, m.items_count, ITEM_BYTES, sizeof(*m.items));
	for (size_t i = 0; !c.bad && i < m.items_count; i++) get_item(&c, a, &m.items[i]);
	if (a->full) return error_set(err, ERR_LIMIT, NULL, "an admission takes too much memory");
	if (c.bad || cut_left(&c)) return error_set(err, ERR_PROTOCOL, NULL, "malformed admission");
	rc = admission_check(&m, err);
	if (rc) return rc;
	hash_of(span_of(in.p, in.len - 64), ret_hash, 32);
	memcpy(ret_sign, in.p + in.len - 64, 64);
	*ret = m;
	return 0;
}

int entry_check_sign(struct span in, const uint8_t public_key[32], struct error *err)
{
	uint8_t hash[32];

	if (in.len <= 64) return error_set(err, ERR_SIGNATURE, NULL, "no signature");
	hash_of(span_of(in.p, in.len - 64), hash, 32);
	if (!sign_check(span_of(hash, 32), in.p + in.len - 64, public_key))
		return error_set(err, ERR_SIGNATURE, NULL, "a signature that does not fit");
	return 0;
}
