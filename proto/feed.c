/*
 * feed.c - what goes to a peer: a filter that reads headers only.
 *
 * Upward: every scope, the lanes that may rise, whoever sent it.  Downward: the child's branch in the lanes
 * that it may hold, and its ancestors (at most six, the nation included) in the open lane.  In both directions
 * what came from the peer's present run is left out.
 */
#include "common/base.h"

#include "proto/copies.h"
#include "proto/engine.h"

#include "common/ident.h"

enum { ANCESTORS_MAX = 8, OPEN_ONLY = 1 << LANE_OPEN };

static int add_feed(struct replica *r, struct feed_filter *f, struct hash *h, uint32_t ord,
                    uint8_t lanes)
{
	uint8_t id[17];
	for (size_t i = 0; i < f->count; i++)
		if (f->feeds[i] == ord) return 0;
	if (f->count == ARRAY_COUNT(f->feeds)) return 0;
	int rc = engine_scope_id(r, ord, id);
	if (rc) return rc;
	id[16] = lanes;
	hash_add(h, id, sizeof(id));
	f->feeds[f->count] = ord;
	f->lane_masks[f->count++] = lanes;
	return 0;
}

static int add_ancestors(struct replica *r, struct feed_filter *f, struct hash *h, uint32_t ord)
{
	for (unsigned depth = 0; ord && depth < ANCESTORS_MAX; depth++) {
		struct scope s;
		int rc = add_feed(r, f, h, ord, OPEN_ONLY);
		rc = rc ? rc : store_scope_get(r->st, ord, &s);
		if (rc) return rc;
		ord = s.parent;
	}
	return 0;
}

/* A child whose certificate has run out uploads and renews, and gets nothing.  A hub whose own has run out, by its own clock,
 * says nothing of others': its clock is wrong, or nobody below it can be helped before it is. */
static void held_key(const uint8_t origin[16], char ret[64])
{
	char hex[33];
	hex_text(origin, 16, hex);
	snprintf(ret, 64, "held/%s", hex);
}

int replica_held(struct replica *r, const uint8_t origin[16], int64_t *ret_since_ms)
{
	char key[64];
	struct span m;
	*ret_since_ms = 0;
	held_key(origin, key);
	int rc = store_meta_get(r->st, key, &r->scratch, &m);
	if (!rc && m.len == sizeof(*ret_since_ms)) memcpy(ret_since_ms, m.p, sizeof(*ret_since_ms));
	return rc ? engine_fail(r, rc) : 0;
}

static int held_put(struct replica *r, const uint8_t origin[16], int64_t since_ms)
{
	char key[64];
	held_key(origin, key);
	engine_feed_changed(r);
	int rc = store_meta_put(r->st, key, span_of(&since_ms, sizeof(since_ms)));
	return rc ? engine_fail(r, rc) : 0;
}

int engine_hold(struct replica *r, const uint8_t origin[16])
{
	struct cert_row *row;
	struct cert child;
	int64_t since, now = r->env->now_ms(r->env->ctx);
	if (!r->hold) return 0;
	int rc = store_cert_by_origin(r->st, origin, &r->scratch, &row);
	if (rc || !row || !replica_is_own(r, row->issuer)) return rc ? engine_fail(r, rc) : 0;
	if (cert_open(row->body, &child, NULL) ||
	    !(child.lanes & r->cert.lanes & (uint8_t)~OPEN_ONLY))
		return 0; /* there is nothing here to keep back from it */
	struct copies c;
	rc = replica_held(r, origin, &since);
	if (rc || since) return rc;
	rc = replica_copies(r, origin, &c);
	if (rc || copies_released(&c)) return rc;
	env_trace(r->env, "held: a child that was restored or copied");
	return held_put(r, origin, now > 0 ? now : 1);
}

int replica_release(struct replica *r, const uint8_t origin[16])
{
	int64_t since;
	int rc = replica_held(r, origin, &since);
	if (!rc && !since)
		return error_set(&r->err, ERR_NOT_FOUND, "release", "this device is not held");
	struct copies c;
	rc = rc ? rc : replica_copies(r, origin, &c);
	if (rc) return rc;
	if (c.copied_ms) {
		c.released = c.lines_count;
		rc = replica_copies_keep(r, origin, &c);
	}
	return rc ? rc : held_put(r, origin, 0);
}

int replica_withheld(struct replica *r, const struct cert *peer, unsigned *ret)
{
	struct cert_row *row;
	uint8_t origin[16];
	int64_t now = r->env->now_ms(r->env->ctx);
	*ret = STATE_ALL;
	if (!replica_is_parent_of(r, peer)) return 0;
	origin_of(peer->origin_key, origin);
	int rc = store_cert_by_origin(r->st, origin, &r->scratch, &row);
	if (!rc && row && now > row->not_after_ms && now <= r->cert.not_after_ms)
		*ret = STATE_EXPIRED;
	int64_t since = 0;
	if (!rc && *ret == STATE_ALL) rc = replica_held(r, origin, &since);
	if (since && (peer->lanes & r->cert.lanes & (uint8_t)~OPEN_ONLY)) *ret = STATE_WITHHELD;
	return rc ? engine_fail(r, rc) : 0;
}

/* A hub has children besides; whom it does not know for either gets nothing. */
static bool is_our_parent(struct replica *r, const struct cert *peer)
{
	struct cert parent;
	if (!replica_is_hub(r)) return true;
	return replica_parent(r, &parent) && !memcmp(parent.origin_key, peer->origin_key, 32);
}

int feed_for(struct replica *r, const struct cert *peer, uint32_t peer_run_ord, struct feed *ret)
{
	struct hash h;
	int rc = 0;
	memset(ret, 0, sizeof(*ret));
	ret->filter.not_from = peer_run_ord;
	hash_begin(&h, sizeof(ret->id));
	if (replica_is_parent_of(r, peer)) {
		uint32_t unit;
		struct scope s;
		unsigned withheld;
		rc = replica_withheld(r, peer, &withheld);
		if (rc || withheld == STATE_EXPIRED) { /* of no scope anything */
			hash_end(&h, ret->id, sizeof(ret->id));
			return rc;
		}
		uint8_t lanes = peer->lanes & r->cert.lanes;
		if (withheld == STATE_WITHHELD) lanes &= OPEN_ONLY;
		rc = store_scope_ord(r->st, peer->unit, true, &unit);
		rc = rc ? rc : add_feed(r, &ret->filter, &h, unit, lanes);
		rc = rc ? rc : store_scope_get(r->st, unit, &s);
		rc = rc ? rc : add_ancestors(r, &ret->filter, &h, s.parent);
		rc = rc ? rc : add_ancestors(r, &ret->filter, &h, r->own_scope);
	} else if (is_our_parent(r, peer)) {
		uint8_t all[2] = {0xff, peer->lanes & r->cert.lanes};
		ret->filter.all = true;
		ret->filter.lane_mask = all[1];
		hash_add(&h, all, sizeof(all));
	}
	hash_end(&h, ret->id, sizeof(ret->id));
	return rc ? engine_fail(r, rc) : 0;
}

bool feed_admits(const struct feed *f, const struct entry *e)
{
	if (f->filter.all) return f->filter.lane_mask >> e->lane & 1;
	for (size_t i = 0; i < f->filter.count; i++)
		if (f->filter.feeds[i] == e->feed) return f->filter.lane_masks[i] >> e->lane & 1;
	return false;
}

/* Our ancestors' scopes: what we hold of them is open only, and they are not of our branch. */
static int own_branch_sum(struct replica *r, uint8_t lanes, uint8_t ret[STATE_BYTES])
{
	struct scope s;
	int rc = store_state_sum_all(r->st, lanes, ret);
	rc = rc ? rc : store_scope_get(r->st, r->own_scope, &s);
	for (unsigned depth = 0; !rc && s.parent && depth < ANCESTORS_MAX; depth++) {
		rc = store_scope_get(r->st, s.parent, &s);
		for (unsigned lane = LANE_OPEN + 1; lane < LANES && !rc; lane++) {
			uint8_t closed[STATE_BYTES];
			if (!(lanes >> lane & 1)) continue;
			rc = store_state_get(r->st, s.ord, lane, closed);
			if (!rc) state_subtract(ret, closed);
		}
	}
	return rc;
}

int replica_digest(struct replica *r, const struct cert *peer, uint8_t ret[16])
{
	struct feed f;
	int rc;
	memset(ret, 0, 16);
	if (!r->has_cert) return 0;
	if (replica_is_parent_of(r, peer)) {
		rc = feed_for(r, peer, 0, &f);
		rc = rc ? rc
		        : store_state_sum(r->st, f.filter.feeds, f.filter.lane_masks,
		                          f.filter.count, ret);
	} else {
		rc = own_branch_sum(r, peer->lanes & r->cert.lanes, ret);
	}
	return rc ? engine_fail(r, rc) : 0;
}
