/*
 * dossier.c - see dossier.h.
 *
 *   key 32, signature 64, msgpack [number, value, number, value ...]: numbers ascend, a value is an integer or a text
 */
#include "common/base.h"

#include "node/dossier.h"

#include "common/pack.h"
#include "common/reader.h"

enum { HEAD = 32 + 64, TEXT_BYTES_MAX = 32000, NUMBER_MAX = 255 };

static void digest(const struct envelope_place *at, struct span body, uint8_t ret[32])
{
	static const char what[] = "JGW\1";
	struct hash h;
	struct buf b;

	buf_init(&b, 64);
	envelope_about(span_of(what, 4), at, &b);
	hash_begin(&h, 32);
	hash_add(&h, b.p, b.len);
	hash_add(&h, body.p, body.len);
	hash_end(&h, ret, 32);
	buf_done(&b);
}

int dossier_pack(const struct dossier *d, const struct envelope_place *at,
                 const uint8_t sign_secret[64], struct buf *out, struct error *err)
{
	uint8_t *head, hash[32];

	head = buf_take(out, HEAD);
	pack_array(out, 2 * d->count);
	for (size_t i = 0; i < d->count; i++) {
		pack_uint(out, d->fields[i]->number);
		if (d->values[i].type == VALUE_INT)
			pack_int(out, d->values[i].i);
		else
			pack_text(out, (const char *)d->values[i].s.p, d->values[i].s.len);
	}
	if (!head || out->full || out->len > ENVELOPE_CONTENT_MAX)
		return error_set(err, ERR_TOO_LONG, "text", "at most %d bytes in all",
		                 ENVELOPE_CONTENT_MAX - HEAD);
	digest(at, span_of(out->p + HEAD, out->len - HEAD), hash);
	memcpy(out->p, d->key, 32);
	sign_make(span_of(hash, 32), sign_secret, out->p + 32);
	return 0;
}

bool dossier_parse(struct span in, const struct envelope_place *at, struct dossier *ret)
{
	struct dossier d = {0};
	uint8_t hash[32];
	struct reader r;
	uint32_t n;
	uint64_t before = 0;

	if (in.len <= HEAD) return false;
	memcpy(d.key, in.p, 32);
	reader_init(&r, span_of(in.p + HEAD, in.len - HEAD));
	n = reader_array(&r);
	if (r.bad || n % 2 || n / 2 > DOSSIER_FIELDS_MAX) return false;
	for (size_t i = 0; i < n / 2; i++) {
		uint64_t number = reader_uint(&r, NUMBER_MAX);

		if (r.bad || number <= before) return false;
		before = number;
		d.fields[i] = table_field(&table_case_content, (uint8_t)number);
		d.values[i] = reader_peek(&r) == READER_TEXT
		                      ? (struct value){.type = VALUE_TEXT,
		                                       .s = reader_text(&r, TEXT_BYTES_MAX)}
		                      : value_int(reader_int(&r));
	}
	if (!reader_done(&r)) return false;
	d.count = n / 2;
	digest(at, span_of(in.p + HEAD, in.len - HEAD), hash);
	d.signed_well = sign_check(span_of(hash, 32), in.p + 32, d.key);
	*ret = d;
	return true;
}
