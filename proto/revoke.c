/*
 * revoke.c - see revoke.h.
 */
#include "common/base.h"

#include "proto/revoke.h"

#include "common/ident.h"
#include "proto/engine.h"

enum { FIXED_BYTES = 1 + 16 + 3 + 1 + 16 + 16 + 8 + 1 + 2, SCAN = 256 };

/* ---- the entry */

int revocation_make(const struct revocation *v, const uint8_t sign_secret[64], struct buf *out,
                    struct error *err)
{
	size_t from = out->len;
	uint8_t hash[32], sign[64];
	if (v->heads_count > REVOKE_HEADS_MAX)
		return error_set(err, ERR_LIMIT, NULL, "%zu branches", v->heads_count);
	buf_u8(out, LANE_OPEN);
	buf_add(out, v->scope, 16);
	buf_add(out, "JGV", 3);
	buf_u8(out, FORMAT_1);
	buf_add(out, v->origin, 16);
	buf_add(out, v->hub, 16);
	buf_u64(out, (uint64_t)v->at_ms);
	buf_u8(out, (uint8_t)strlen(v->reason));
	buf_text(out, v->reason);
	buf_u16(out, (uint16_t)v->heads_count);
	buf_add(out, v->heads, v->heads_count * 32);
	hash_of(span_of(out->p + from, out->len - from), hash, 32);
	sign_make(span_of(hash, 32), sign_secret, sign);
	buf_add(out, sign, sizeof(sign));
	return out->full ? error_set(err, ERR_LIMIT, NULL, "no room for a revocation") : 0;
}

static int malformed(struct error *err)
{
	return error_set(err, ERR_PROTOCOL, NULL, "malformed revocation");
}

int revocation_open(struct span in, struct revocation *ret, struct error *err)
{
	struct cut c = cut_of(in);
	const uint8_t *p;
	uint8_t lane = cut_u8(&c), len;
	*ret = (struct revocation){.heads_count = 0};
	if (lane != LANE_OPEN || !(p = cut_take(&c, 16))) return malformed(err);
	memcpy(ret->scope, p, 16);
	p = cut_take(&c, 4);
	if (!p || memcmp(p, "JGV", 3) != 0 || p[3] != FORMAT_1) return malformed(err);
	if (!(p = cut_take(&c, 32))) return malformed(err);
	memcpy(ret->origin, p, 16);
	memcpy(ret->hub, p + 16, 16);
	ret->at_ms = (int64_t)cut_u64(&c);
	len = cut_u8(&c);
	p = cut_take(&c, len);
	if (!p || len > REVOKE_REASON_MAX || memchr(p, 0, len) || !utf8_valid(span_of(p, len)))
		return malformed(err);
	memcpy(ret->reason, p, len);
	ret->heads_count = cut_u16(&c);
	if (ret->heads_count > REVOKE_HEADS_MAX) return malformed(err);
	p = cut_take(&c, ret->heads_count * 32);
	ret->heads = p;
	for (size_t i = 1; p && i < ret->heads_count; i++)
		if (memcmp(p + 32 * (i - 1), p + 32 * i, 32) >= 0) return malformed(err);
	if ((ret->heads_count && !p) || !cut_take(&c, SIGN_BYTES) || c.bad || cut_left(&c))
		return malformed(err);
	return 0;
}

/* ---- where they are kept: by device and hub, since a hub that may not say so must not stand in the way of one that may */

static void key_of(const uint8_t origin[16], const uint8_t hub[16], char ret[64])
{
	char device[33], by[17];
	hex_text(origin, 16, device);
	hex_text(hub, 8, by);
	snprintf(ret, 64, "revoked/%s/%s", device, by);
}

static int kept(struct replica *r, const uint8_t origin[16], const uint8_t hub[16],
                int64_t *ret_recv)
{
	char key[64];
	struct span m;
	key_of(origin, hub, key);
	int rc = store_meta_get(r->st, key, &r->scratch, &m);
	*ret_recv = 0;
	if (!rc && m.len == sizeof(*ret_recv)) memcpy(ret_recv, m.p, sizeof(*ret_recv));
	return rc;
}

/* The revocation of this certificate's device by a hub that stands above it; *ret false: none. */
static int find(struct replica *r, const struct cert *c, struct revocation *ret, bool *ret_found)
{
	struct climb up = {.from = c};
	uint8_t origin[16];
	int rc = 0;
	*ret_found = false;
	origin_of(c->origin_key, origin);
	for (unsigned depth = 0; !rc && !*ret_found && depth < CERT_CHAIN_MAX; depth++) {
		struct entry *e = NULL;
		int64_t recv = 0;
		rc = engine_climb(r, &up);
		if (rc || !up.at) break;
		rc = kept(r, origin, up.at->origin, &recv);
		if (!rc && recv) rc = store_journal_get(r->st, recv, &r->scratch, &e);
		if (!rc && recv && e) {
			rc = revocation_open(e->head, ret, &r->err);
			*ret_found = !rc;
		}
	}
	return rc;
}

/* Every certificate that it has, of whatever age. */
static int mark(struct replica *r, const uint8_t origin[16], int64_t at_ms)
{
	struct cert_row *rows;
	size_t n = 0;
	int rc = store_certs(r->st, &r->scratch, &rows, &n);
	for (size_t i = 0; i < n && !rc; i++)
		if (!memcmp(rows[i].origin, origin, 16) && !rows[i].revoked_ms)
			rc = store_cert_revoke(r->st, rows[i].id, at_ms > 0 ? at_ms : 1);
	engine_feed_changed(r);
	return rc;
}

int engine_cert_came(struct replica *r, const struct cert *c)
{
	struct revocation v;
	uint8_t origin[16];
	bool found;
	if (c->role == CERT_ROOT) return 0;
	int rc = find(r, c, &v, &found);
	if (rc || !found) return rc;
	origin_of(c->origin_key, origin);
	return mark(r, origin, v.at_ms);
}

int engine_take_revocation(struct replica *r, struct span head, uint32_t from, bool *ret_new)
{
	struct revocation v;
	struct cert hub, device;
	struct entry e = {.kind = ENTRY_REVOKE, .lane = LANE_OPEN, .from = from, .head = head};
	bool hub_known, known, may = true;
	char key[64];
	int64_t recv;
	int rc = revocation_open(head, &v, &r->err);
	if (rc) return rc;
	hash_of(head, e.hash, 32);
	rc = store_journal_find(r->st, e.hash, &recv);
	if (rc || recv) return rc ? engine_fail(r, rc) : 0;
	rc = engine_cert_of(r, v.hub, &hub, &hub_known);
	if (!rc && (!hub_known || hub.role != CERT_HUB))
		rc = error_set(&r->err, ERR_UNKNOWN_ORIGIN, "",
		               "a revocation by no hub that is known here");
	rc = rc ? rc : entry_check_sign(head, hub.origin_key, &r->err);
	rc = rc ? rc : engine_cert_of(r, v.origin, &device, &known);
	/* Of a device that is not known here it is carried, and looked at again when its certificate comes. */
	if (!rc && known) rc = engine_stands_above(r, v.hub, &device, &may);
	if (rc) return rc;
	if (!may || (known && device.role != CERT_NODE)) {
		engine_alarm(r, "a revocation by a hub that does not answer for the device");
		return 0;
	}
	memcpy(e.origin, v.hub, 16);
	rc = engine_scope_named(r, v.scope, v.hub, &e.scope);
	if (rc || !e.scope) return rc;
	rc = store_journal_append(r->st, &e, 1, &recv);
	*ret_new = !rc && recv;
	key_of(v.origin, v.hub, key);
	rc = rc ? rc : store_meta_put(r->st, key, span_of(&recv, sizeof(recv)));
	rc = rc || !known ? rc : mark(r, v.origin, v.at_ms);
	env_trace(r->env, "revoked: a device");
	return rc ? engine_fail(r, rc) : 0;
}

/* ---- what came before */

/* Is the segment one of the heads, or in the chain of one, as far as the chain is here? */
static int covered(struct replica *r, const struct revocation *v, const uint8_t segment[32],
                   bool *ret)
{
	static const uint8_t zero[32];
	struct arena a;
	int rc = 0;
	*ret = false;
	arena_init(&a, 0);
	for (size_t i = 0; i < v->heads_count && !rc && !*ret; i++) {
		uint8_t at[32];
		memcpy(at, v->heads + 32 * i, 32);
		while (!rc && !*ret && memcmp(at, zero, 32) != 0) {
			struct entry *e = NULL;
			int64_t recv;
			*ret = !memcmp(at, segment, 32);
			rc = *ret ? 0 : store_journal_find(r->st, at, &recv);
			if (rc || *ret || !recv) break;
			arena_reset(&a);
			rc = store_journal_get(r->st, recv, &a, &e);
			if (!rc && (!e || !entry_is_segment(e))) break;
			if (!rc) memcpy(at, e->prev, 32);
		}
	}
	arena_done(&a);
	return rc;
}

int engine_revoked(struct replica *r, const struct cert *author, const uint8_t segment[32],
                   bool *ret)
{
	struct revocation v;
	struct cert_row *row;
	bool found = false, before = false;
	*ret = false;
	int rc = store_cert_by_id(r->st, author->id, &r->scratch, &row);
	if (rc || !row || !row->revoked_ms) return rc;
	rc = find(r, author, &v, &found);
	if (!rc && found) rc = covered(r, &v, segment, &before);
	*ret = !before;
	return rc;
}

/* ---- saying it */

static int by_hash(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

/* The device's segments here that no other of them follows. */
static int heads_of(struct replica *r, const uint8_t origin[16], struct arena *a,
                    const uint8_t **ret, size_t *ret_count)
{
	struct feed_filter all = {.all = true, .lane_mask = 0xff};
	uint8_t(*hashes)[32] = NULL, (*prevs)[32] = NULL;
	size_t count = 0, room = 0, kept_count = 0, n = 1;
	int64_t at = 0;
	struct arena piece;
	int rc = 0;
	arena_init(&piece, 0);
	while (n && !rc) {
		struct entry *entries;
		arena_reset(&piece);
		rc = store_journal_scan(r->st, &all, at, SCAN, 4 * 1024 * 1024, &piece, &entries,
		                        &n);
		for (size_t i = 0; i < n && !rc; i++) {
			at = entries[i].recv;
			if (!entry_is_segment(&entries[i]) ||
			    memcmp(entries[i].origin, origin, 16) != 0)
				continue;
			if (count == room) {
				room = room * 2 + 64;
				hashes = mem_grow(hashes, room * 32);
				prevs = mem_grow(prevs, room * 32);
			}
			memcpy(hashes[count], entries[i].hash, 32);
			memcpy(prevs[count++], entries[i].prev, 32);
		}
	}
	arena_done(&piece);
	if (count) {
		uint8_t *kept_hashes = arena_take(a, count * 32);
		qsort(hashes, count, 32, by_hash);
		qsort(prevs, count, 32, by_hash);
		for (size_t i = 0; i < count && !rc; i++)
			if (!bsearch(hashes[i], prevs, count, 32, by_hash))
				memcpy(kept_hashes + 32 * kept_count++, hashes[i], 32);
		*ret = kept_hashes;
	}
	free(hashes);
	free(prevs);
	*ret_count = kept_count;
	return rc;
}

int engine_say_revoked(struct replica *r, const uint8_t origin[16], const uint8_t *heads,
                       size_t heads_count, const char *reason)
{
	struct revocation v = {
	        .at_ms = r->env->now_ms(r->env->ctx), .heads = heads, .heads_count = heads_count};
	struct span chain[CERT_CHAIN_MAX];
	struct cert top;
	struct buf b;
	bool fresh = false;
	size_t n = 0;
	int rc;
	if (!reason[0] || strlen(reason) > REVOKE_REASON_MAX)
		return error_set(&r->err, ERR_USAGE, "reason", "1 to %d bytes", REVOKE_REASON_MAX);
	rc = replica_chain(r, &r->tx, chain, &n);
	if (!rc && n < 2) rc = error_set(&r->err, ERR_CERT_BAD, "", "our own chain is not whole");
	rc = rc ? rc : cert_open(chain[n - 1], &top, &r->err);
	if (rc) return engine_fail(r, rc);
	memcpy(v.scope, top.unit, 16);
	memcpy(v.origin, origin, 16);
	memcpy(v.hub, r->id->origin, 16);
	snprintf(v.reason, sizeof(v.reason), "%s", reason);
	buf_init(&b, MESSAGE_BYTES_MAX);
	rc = revocation_make(&v, r->id->sign_secret, &b, &r->err);
	rc = rc ? rc : engine_take_revocation(r, buf_span(&b), 0, &fresh);
	buf_done(&b);
	return rc ? engine_fail(r, rc) : 0;
}

int revocation_by(struct replica *r, const uint8_t origin[16], const uint8_t hub[16], bool *ret)
{
	int64_t recv;
	int rc = kept(r, origin, hub, &recv);
	*ret = !rc && recv;
	return rc ? engine_fail(r, rc) : 0;
}

int replica_revoke(struct replica *r, const uint8_t origin[16], const char *reason)
{
	const uint8_t *heads = NULL;
	struct cert_row *row;
	uint8_t head[32];
	int64_t journal;
	size_t heads_count = 0;
	int rc;
	if (!reason[0] || strlen(reason) > REVOKE_REASON_MAX)
		return error_set(&r->err, ERR_USAGE, "reason", "1 to %d bytes", REVOKE_REASON_MAX);
	rc = store_cert_by_origin(r->st, origin, &r->tx, &row);
	if (rc) return engine_fail(r, rc);
	if (!row || !replica_is_own(r, row->issuer) || !memcmp(origin, r->id->origin, 16))
		return error_set(&r->err, ERR_NOT_FOUND, "device", "not a device of this hub");
	if (row->role != CERT_NODE)
		return error_set(&r->err, ERR_USAGE, "device", "a hub is not revoked this way");
	if (row->revoked_ms) return error_set(&r->err, ERR_REVOKED, "device", "it is already");
	rc = store_journal_head(r->st, &journal, head);
	if (!rc && r->s.applied < journal)
		return error_set(&r->err, ERR_BUSY, "", "what came from it is not applied yet");
	rc = rc ? rc : heads_of(r, origin, &r->tx, &heads, &heads_count);
	if (rc) return engine_fail(r, rc);
	return engine_say_revoked(r, origin, heads, heads_count, reason);
}

int replica_revocations(struct replica *r, struct arena *a, struct revocation **ret,
                        size_t *ret_count)
{
	struct feed_filter all = {.all = true, .lane_mask = 1 << LANE_OPEN};
	size_t n = 1, room = 0;
	int64_t at = 0;
	int rc = 0;
	*ret = NULL;
	*ret_count = 0;
	while (n && !rc) {
		struct entry *entries;
		rc = store_journal_scan(r->st, &all, at, SCAN, 4 * 1024 * 1024, a, &entries, &n);
		for (size_t i = 0; i < n && !rc; i++) {
			at = entries[i].recv;
			if (entries[i].kind != ENTRY_REVOKE) continue;
			if (*ret_count == room) {
				struct revocation *more =
				        arena_take(a, (room * 2 + 16) * sizeof(*more));
				if (room) memcpy(more, *ret, room * sizeof(*more));
				room = room * 2 + 16;
				*ret = more;
			}
			rc = revocation_open(entries[i].head, &(*ret)[(*ret_count)++], &r->err);
		}
	}
	return rc ? engine_fail(r, rc) : 0;
}
