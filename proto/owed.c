/*
 * owed.c - entries that a peer was not sent because their bytes are damaged here: owed until it has them.
 *
 * The peer's cursor passes over such an entry, or one bad bit would stop the whole link.  A gap in its stream makes the peer
 * ask, and so does an audit; but where nothing follows in the stream there is no gap, and where records wait for a
 * person there is no audit.  So the positions are kept, per peer, and what has been mended is sent behind the rest.
 */
#include "common/base.h"

#include "proto/engine.h"

#include "common/ident.h"

static void owed_key(const struct cert *peer, char ret[64])
{
	uint8_t origin[16];
	char hex[33];
	origin_of(peer->origin_key, origin);
	hex_text(origin, 16, hex);
	snprintf(ret, 64, "owed/%s", hex);
}

static int list_put(struct replica *r, const struct cert *peer, const int64_t *list, size_t n)
{
	char key[64];
	owed_key(peer, key);
	int rc = store_meta_put(r->st, key, span_of(list, n * sizeof(*list)));
	return rc ? engine_fail(r, rc) : 0;
}

static bool is_in(const int64_t *list, size_t n, int64_t recv)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == recv) return true;
	return false;
}

int owed_list(struct replica *r, const struct cert *peer, int64_t ret[OWED_MAX], size_t *ret_count)
{
	char key[64];
	struct span m;
	*ret_count = 0;
	owed_key(peer, key);
	int rc = store_meta_get(r->st, key, &r->scratch, &m);
	if (rc || !m.len) return rc ? engine_fail(r, rc) : 0;
	if (m.len > OWED_MAX * sizeof(*ret)) return 0; /* nothing of ours: it is only a hint */
	memcpy(ret, m.p, m.len);
	*ret_count = m.len / sizeof(*ret);
	return 0;
}

int owed_note(struct replica *r, const struct cert *peer, int64_t recv)
{
	int64_t list[OWED_MAX];
	size_t n;
	int rc = owed_list(r, peer, list, &n);
	if (rc || is_in(list, n, recv)) return rc;
	if (n == OWED_MAX) memmove(list, list + 1, --n * sizeof(*list));
	list[n++] = recv;
	return list_put(r, peer, list, n);
}

int owed_settled(struct replica *r, const struct cert *peer, const int64_t *sent, size_t count)
{
	int64_t list[OWED_MAX];
	size_t n, kept = 0;
	int rc = owed_list(r, peer, list, &n);
	for (size_t i = 0; i < n && !rc; i++)
		if (!is_in(sent, count, list[i])) list[kept++] = list[i];
	return rc || kept == n ? rc : list_put(r, peer, list, kept);
}
