/*
 * bundle.c - see bundle.h.
 */
#include "common/base.h"

#include "proto/bundle.h"

#include "proto/engine.h"

/* ---- writing */

static void said(struct hash *h, const struct buf *out, size_t from)
{
	hash_add(h, out->p + from, out->len - from);
}

void bundle_put_head(struct hash *h, const uint8_t origin[16], int64_t at_ms, uint64_t entries,
                     struct buf *out)
{
	size_t from = out->len;
	hash_begin(h, 32);
	buf_add(out, "JGB", 3);
	buf_u8(out, FORMAT_1);
	buf_add(out, origin, 16);
	buf_u64(out, (uint64_t)at_ms);
	buf_u64(out, entries);
	said(h, out, from);
}

void bundle_put_entry(struct hash *h, unsigned kind, struct span head, struct span body,
                      struct buf *out)
{
	size_t from = out->len;
	assert(kind && head.len <= MESSAGE_BYTES_MAX && body.len <= BODY_SQUEEZED_MAX);
	buf_u8(out, (uint8_t)kind);
	buf_u32(out, (uint32_t)head.len);
	buf_u32(out, (uint32_t)body.len);
	buf_add(out, head.p, head.len);
	buf_add(out, body.p, body.len);
	said(h, out, from);
}

void bundle_put_end(struct hash *h, struct buf *out)
{
	uint8_t hash[32];
	size_t from = out->len;
	buf_u8(out, 0);
	said(h, out, from);
	hash_end(h, hash, sizeof(hash));
	buf_add(out, hash, sizeof(hash));
}

/* The n-th certificate of the own chain, counted from below; NULL: the root's, which nobody takes from others. */
static int chain_cert(struct replica *r, size_t n, struct cert_row **ret)
{
	uint8_t id[16];
	int rc = 0;
	memcpy(id, r->cert.id, 16);
	*ret = NULL;
	for (size_t i = 0; i <= n && !rc; i++) {
		rc = store_cert_by_id(r->st, id, &r->scratch, ret);
		if (rc || !*ret || (*ret)->role == CERT_ROOT) {
			*ret = NULL;
			break;
		}
		memcpy(id, (*ret)->issuer, 16);
	}
	return rc ? engine_fail(r, rc) : 0;
}

int bundle_begin(struct replica *r, struct bundle_writer *w, struct buf *out)
{
	uint8_t rolling[ROLLING_BYTES];
	struct cert_row *row;
	memset(w, 0, sizeof(*w));
	if (!r->has_cert)
		return error_set(&r->err, ERR_NOT_JOINED, "", "nothing was sealed before joining");
	int rc = store_journal_head(r->st, &w->last, rolling);
	if (rc) return engine_fail(r, rc);
	for (; w->certs_left < CERT_CHAIN_MAX; w->certs_left++) {
		rc = chain_cert(r, w->certs_left, &row);
		if (rc || !row) break;
	}
	bundle_put_head(&w->hash, r->id->origin, r->env->now_ms(r->env->ctx),
	                (uint64_t)w->last + w->certs_left, out);
	return rc;
}

int bundle_more(struct replica *r, struct bundle_writer *w, struct buf *out, bool *ret_done)
{
	struct cert_row *row;
	struct entry *e;
	struct arena a;
	int rc = 0;
	*ret_done = false;
	while (w->certs_left && !rc) { /* from the top, so that each issuer is known before */
		rc = chain_cert(r, --w->certs_left, &row);
		if (!rc && row)
			bundle_put_entry(&w->hash, ENTRY_CERT, row->body, span_of(NULL, 0), out);
	}
	arena_init(&a, 0);
	while (!rc && w->next < w->last && out->len < MESSAGE_BYTES_MAX) {
		arena_reset(&a);
		rc = store_journal_get(r->st, ++w->next, &a, &e);
		if (!rc && !e)
			rc = error_set(&r->err, ERR_DATABASE_DAMAGED, "", "no entry %" PRId64,
			               w->next);
		if (!rc && e) bundle_put_entry(&w->hash, e->kind, e->head, e->body, out);
	}
	arena_done(&a);
	if (!rc && w->next == w->last) {
		bundle_put_end(&w->hash, out);
		*ret_done = true;
	}
	assert(!out->full);
	return rc ? engine_fail(r, rc) : 0;
}

/* ---- reading */

void bundle_reader_init(struct bundle_reader *b)
{
	memset(b, 0, sizeof(*b));
	hash_begin(&b->hash, 32);
	buf_init(&b->pending, BUNDLE_PENDING_MAX);
}

void bundle_reader_done(struct bundle_reader *b)
{
	buf_done(&b->pending);
}

void bundle_feed(struct bundle_reader *b, struct span bytes)
{
	assert(bytes.len <= BUNDLE_FEED_MAX);
	if (b->taken) {
		memmove(b->pending.p, b->pending.p + b->taken, b->pending.len - b->taken);
		b->pending.len -= b->taken;
		b->taken = 0;
	}
	buf_add(&b->pending, bytes.p, bytes.len);
}

static struct cut rest(const struct bundle_reader *b)
{
	return cut_of(span_of(b->pending.p + b->taken, b->pending.len - b->taken));
}

static void take(struct bundle_reader *b, size_t n)
{
	hash_add(&b->hash, b->pending.p + b->taken, n);
	b->taken += n;
}

static int bad(struct error *err, const char *why)
{
	return error_set(err, ERR_FILE_FORM, NULL, "%s", why);
}

static int read_head(struct bundle_reader *b, struct error *err)
{
	struct cut c = rest(b);
	if (cut_left(&c) < BUNDLE_HEAD_BYTES) return 0;
	if (memcmp(cut_take(&c, 3), "JGB", 3) != 0) return bad(err, "this is no bundle");
	if (cut_u8(&c) != FORMAT_1)
		return error_set(err, ERR_NEWER_FILE, NULL, "a bundle of a later program");
	memcpy(b->origin, cut_take(&c, 16), 16);
	b->at_ms = (int64_t)cut_u64(&c);
	b->entries = cut_u64(&c);
	take(b, BUNDLE_HEAD_BYTES);
	b->begun = true;
	return 0;
}

static int read_end(struct bundle_reader *b, struct error *err)
{
	uint8_t hash[32];
	if (b->read != b->entries) return bad(err, "the bundle ends before its last entry");
	take(b, 1);
	hash_end(&b->hash, hash, sizeof(hash));
	if (memcmp(hash, b->pending.p + b->taken, sizeof(hash)) != 0)
		return bad(err, "the bundle is not as it was written");
	b->taken += sizeof(hash);
	b->ended = true;
	return b->taken < b->pending.len ? bad(err, "bytes behind the end of the bundle") : 0;
}

int bundle_next(struct bundle_reader *b, struct bundle_entry *ret, struct error *err)
{
	if (b->pending.full) return bad(err, "more than was taken");
	if (b->ended)
		return b->taken < b->pending.len ? bad(err, "bytes behind the end of the bundle")
		                                 : 0;
	int rc = b->begun ? 0 : read_head(b, err);
	if (rc || !b->begun) return rc;
	struct cut c = rest(b);
	size_t left = cut_left(&c);
	if (!left) return 0;
	uint8_t kind = cut_u8(&c);
	if (!kind) return left < 1 + 32 ? 0 : read_end(b, err);
	if (b->read == b->entries) return bad(err, "more entries than the bundle says");
	if (left < BUNDLE_ENTRY_BYTES) return 0;
	size_t head = cut_u32(&c), body = cut_u32(&c);
	if (head > MESSAGE_BYTES_MAX || body > BODY_SQUEEZED_MAX)
		return bad(err, "an entry longer than any may be");
	if (cut_left(&c) < head + body) return 0;
	*ret = (struct bundle_entry){.kind = kind};
	ret->head = span_of(cut_take(&c, head), head);
	ret->body = span_of(cut_take(&c, body), body);
	take(b, BUNDLE_ENTRY_BYTES + head + body);
	b->read++;
	return 1;
}

/* "From nobody" is a run that no device has: what was handed in goes to everyone, and a hub acts on its own word out of
 * another copy's journal as on any other's. */
int bundle_take(struct replica *r, const struct bundle_entry *e, bool *ret_new, int *ret_refused)
{
	static const uint8_t none[16];
	uint32_t nobody;
	*ret_new = false;
	*ret_refused = 0;
	int rc = store_run_add(r->st, RUN_NOBODY, none, none, &nobody);
	if (rc) return engine_fail(r, rc);
	rc = replica_append(r, e->kind, e->head, e->body, nobody, ret_new);
	if (!engine_peers_fault(rc)) return rc;
	*ret_refused = -rc;
	memset(&r->err, 0, sizeof(r->err));
	return 0;
}
