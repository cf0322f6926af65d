/*
 * envelope.c - see envelope.h.
 *
 * Little-endian:
 *
 *   "JGE" 3, format 1, kind 1, author 8, commit 32, recipients 1, each: id 8, box 80;
 *   kind 1: nonce 24, length u32, so many: XChaCha20-Poly1305 of the padded content
 *
 * Ids ascend: one encoding for one set of recipients.  The content's cipher binds no key by itself (two keys that open one
 * text to two contents can be made), which is what the commit is for: who opens holds the key against it first.
 */
#include "common/base.h"

#include "common/envelope.h"

static const uint32_t sizes[] = {1024, 4096, 16384, ENVELOPE_CONTENT_MAX + 1};
enum { HEAD_FIXED = 3 + 1 + 1 + 8 + 32 + 1 };

static_assert(HEAD_FIXED + ENVELOPE_RECIPIENTS_MAX * ENVELOPE_WRAP + SEAL_NONCE + 4 +
                              ENVELOPE_CONTENT_MAX + 1 + SEAL_TAG <=
                      ENVELOPE_BYTES_MAX,
              "the largest envelope fits");

static bool sealed_size(uint32_t len)
{
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++)
		if (len == sizes[i] + SEAL_TAG) return true;
	return false;
}

bool envelope_parse(struct span in, struct envelope *ret)
{
	struct envelope e = {0};
	struct cut c = cut_of(in);
	const uint8_t *p = cut_take(&c, 4);
	uint8_t kind;

	if (!p || memcmp(p, "JGE\1", 4) != 0) return false;
	kind = cut_u8(&c);
	if (kind != ENVELOPE_CONTENT && kind != ENVELOPE_KEYS) return false;
	e.kind = (enum envelope_kind)kind;
	p = cut_take(&c, 8 + 32);
	if (!p) return false;
	memcpy(e.author, p, 8);
	memcpy(e.commit, p + 8, 32);
	e.recipients = cut_u8(&c);
	if (!e.recipients || e.recipients > ENVELOPE_RECIPIENTS_MAX) return false;
	e.wraps = cut_take(&c, e.recipients * ENVELOPE_WRAP);
	if (!e.wraps) return false;
	for (size_t i = 1; i < e.recipients; i++)
		if (memcmp(e.wraps + (i - 1) * ENVELOPE_WRAP, e.wraps + i * ENVELOPE_WRAP,
		           ENVELOPE_ID) >= 0)
			return false;
	if (kind == ENVELOPE_CONTENT) {
		uint32_t len;

		e.nonce = cut_take(&c, SEAL_NONCE);
		len = cut_u32(&c);
		if (c.bad || !sealed_size(len)) return false;
		e.head = span_of(in.p, (size_t)(c.p - in.p));
		e.sealed = span_of(cut_take(&c, len), len);
	} else {
		e.head = in;
	}
	if (c.bad || cut_left(&c)) return false;
	*ret = e;
	return true;
}

void envelope_about(struct span head, const struct envelope_place *at, struct buf *out)
{
	buf_add(out, head.p, head.len);
	buf_u16(out, at->table);
	buf_u8(out, at->field);
	buf_add(out, at->row, 16);
	buf_add(out, at->of, 16);
}

void envelope_id(const uint8_t link_key[LINK_KEY], uint8_t ret[ENVELOPE_ID])
{
	hash_of(span_of(link_key, LINK_KEY), ret, ENVELOPE_ID);
}

void envelope_commit(const uint8_t key[SEAL_KEY], uint8_t ret[32])
{
	static const char what[] = "jinguo envelope";
	struct hash h;

	hash_begin(&h, 32);
	hash_add(&h, what, sizeof(what) - 1);
	hash_add(&h, key, SEAL_KEY);
	hash_end(&h, ret, 32);
}

const uint8_t *envelope_wrap(const struct envelope *e, const uint8_t link_key[LINK_KEY])
{
	uint8_t id[ENVELOPE_ID];

	envelope_id(link_key, id);
	for (size_t i = 0; i < e->recipients; i++)
		if (!memcmp(e->wraps + i * ENVELOPE_WRAP, id, ENVELOPE_ID))
			return e->wraps + i * ENVELOPE_WRAP;
	return NULL;
}

/* ---- closing */

struct wrap {
	uint8_t id[ENVELOPE_ID], key[LINK_KEY];
};

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, ENVELOPE_ID);
}

static int put_head(enum envelope_kind kind, const uint8_t author[8], const uint8_t (*to)[LINK_KEY],
                    size_t count, const uint8_t key[SEAL_KEY], const struct envelope_chance *chance,
                    struct buf *out, struct error *err)
{
	struct wrap wraps[ENVELOPE_RECIPIENTS_MAX];
	uint8_t commit[32], seed[32], box[SEAL_KEY + BOX_MORE];

	if (!count || count > ENVELOPE_RECIPIENTS_MAX)
		return error_set(err, ERR_LIMIT, "sealed", "%zu recipients", count);
	for (size_t i = 0; i < count; i++) {
		envelope_id(to[i], wraps[i].id);
		memcpy(wraps[i].key, to[i], LINK_KEY);
	}
	qsort(wraps, count, sizeof(wraps[0]), by_id);
	envelope_commit(key, commit);
	buf_add(out, "JGE\1", 4);
	buf_u8(out, (uint8_t)kind);
	buf_add(out, author, 8);
	buf_add(out, commit, 32);
	buf_u8(out, (uint8_t)count);
	for (size_t i = 0; i < count; i++) {
		chance->random(chance->ctx, seed, sizeof(seed));
		box_close_from(seed, wraps[i].key, span_of(key, SEAL_KEY), box);
		buf_add(out, wraps[i].id, ENVELOPE_ID);
		buf_add(out, box, sizeof(box));
	}
	crypt_wipe(seed, sizeof(seed));
	return 0;
}

int envelope_close(const struct envelope_place *at, const uint8_t author[8],
                   const uint8_t (*to)[LINK_KEY], size_t count, struct span content,
                   const struct envelope_chance *chance, struct buf *out, struct error *err)
{
	uint8_t key[SEAL_KEY], nonce[SEAL_NONCE], *padded, *sealed;
	struct buf about;
	uint32_t size = 0;
	size_t from = out->len;
	int rc;

	for (size_t i = ARRAY_COUNT(sizes); i-- > 0;)
		if (content.len < sizes[i]) size = sizes[i];
	if (!size) return error_set(err, ERR_TOO_LONG, "sealed", "%zu bytes", content.len);
	chance->random(chance->ctx, key, sizeof(key));
	chance->random(chance->ctx, nonce, sizeof(nonce));
	rc = put_head(ENVELOPE_CONTENT, author, to, count, key, chance, out, err);
	if (rc) return rc;
	buf_add(out, nonce, sizeof(nonce));
	buf_u32(out, size + SEAL_TAG);
	buf_init(&about, 2 * ENVELOPE_BYTES_MAX);
	envelope_about(span_of(out->p + from, out->len - from), at, &about);
	padded = mem_alloc(size);
	if (content.len) memcpy(padded, content.p, content.len);
	crypt_pad(padded, content.len, size);
	sealed = buf_take(out, size + SEAL_TAG);
	if (sealed) seal_make(key, nonce, buf_span(&about), span_of(padded, size), sealed);
	crypt_wipe(padded, size);
	crypt_wipe(key, sizeof(key));
	free(padded);
	buf_done(&about);
	return out->full ? error_set(err, ERR_LIMIT, "sealed", "no room") : 0;
}

int envelope_close_key(const uint8_t author[8], const uint8_t (*to)[LINK_KEY], size_t count,
                       const uint8_t key[SEAL_KEY], const struct envelope_chance *chance,
                       struct buf *out, struct error *err)
{
	int rc = put_head(ENVELOPE_KEYS, author, to, count, key, chance, out, err);

	return rc || !out->full ? rc : error_set(err, ERR_LIMIT, "sealed", "no room");
}
