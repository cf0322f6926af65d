/*
 * home.c - whose work is here in whole: before that a hub takes nobody's figures for wrong (seal.c, replica_correct).
 *
 * A child counts what it seals, and what it seals arrives in pieces, the open half of a record before the closed one.  A
 * link that breaks in between leaves the hub with a figure and without what it counts, for a day perhaps.  When a hub's
 * disk went back, the open halves come back from its parent at once, the others from each child when it calls.  So
 * whatever arrives of a child, and by whatever way, makes it away until it says that it has sent all.
 *
 * No child is waited for longer than WAIT_MS: one that never says so could state any figure, and one that is gone for
 * good never will.  A week is more than a site's holiday and less than what anybody reports on.
 *
 * Kept: "away" = how many are (u32); "away/ORIGIN" = since when (i64, this hub's wall clock), empty: it is home.
 */
#include "common/base.h"

#include "proto/engine.h"

#include "common/ident.h"

#define WAIT_MS (INT64_C(7) * 24 * 60 * 60 * 1000)

enum { AWAY_KEY = 64 };

static int count_get(struct replica *r, uint32_t *ret)
{
	struct span m;
	int rc = store_meta_get(r->st, "away", &r->scratch, &m);
	*ret = 0;
	if (!rc && m.len == sizeof(*ret)) memcpy(ret, m.p, sizeof(*ret));
	return rc;
}

static void child_key(const uint8_t origin[16], char ret[AWAY_KEY])
{
	char hex[33];
	hex_text(origin, 16, hex);
	snprintf(ret, AWAY_KEY, "away/%s", hex);
}

static int child_get(struct replica *r, const uint8_t origin[16], bool *ret_away, int64_t *ret_ms)
{
	char key[AWAY_KEY];
	struct span m;
	child_key(origin, key);
	int rc = store_meta_get(r->st, key, &r->scratch, &m);
	*ret_away = !rc && m.len == sizeof(*ret_ms);
	if (*ret_away) memcpy(ret_ms, m.p, sizeof(*ret_ms));
	return rc;
}

static int child_put(struct replica *r, const uint8_t origin[16], struct span since, int change)
{
	char key[AWAY_KEY];
	uint32_t count;
	child_key(origin, key);
	int rc = count_get(r, &count);
	if (change > 0 || count) count = (uint32_t)((int64_t)count + change);
	rc = rc ? rc : store_meta_put(r->st, key, since);
	rc = rc ? rc : store_meta_put(r->st, "away", span_of(&count, sizeof(count)));
	return rc ? engine_fail(r, rc) : 0;
}

int home_left(struct replica *r, const struct cert *child)
{
	uint8_t origin[16];
	int64_t since, now = r->env->now_ms(r->env->ctx);
	bool away;
	if (!engine_custodian(r) || !replica_is_parent_of(r, child)) return 0;
	origin_of(child->origin_key, origin);
	int rc = child_get(r, origin, &away, &since);
	if (rc || away) return rc ? engine_fail(r, rc) : 0;
	return child_put(r, origin, span_of(&now, sizeof(now)), 1);
}

int home_came(struct replica *r, const uint8_t child[16])
{
	int64_t since;
	bool away;
	if (!engine_custodian(r)) return 0;
	int rc = child_get(r, child, &away, &since);
	if (rc || !away) return rc ? engine_fail(r, rc) : 0;
	env_trace(r->env, "home: all of a child");
	r->homecomings++;
	return child_put(r, child, span_of(NULL, 0), -1);
}

int home_clock(struct replica *r, const struct cert_row *awaited, size_t count)
{
	int64_t since, now = r->env->now_ms(r->env->ctx);
	bool away;
	int rc = 0;
	for (size_t i = 0; i < count && !rc; i++) {
		rc = child_get(r, awaited[i].origin, &away, &since);
		if (!rc && away && now < since)
			rc = child_put(r, awaited[i].origin, span_of(&now, sizeof(now)), 0);
	}
	return rc ? engine_fail(r, rc) : 0;
}

uint32_t replica_homecomings(const struct replica *r)
{
	return r->homecomings;
}

int home_awaited(struct replica *r, struct arena *a, struct cert_row **ret, size_t *ret_count)
{
	int64_t since, now = r->env->now_ms(r->env->ctx);
	uint32_t any;
	size_t count = 0;
	*ret = NULL;
	*ret_count = 0;
	int rc = count_get(r, &any);
	if (rc || !any) return rc ? engine_fail(r, rc) : 0;
	rc = replica_children(r, a, ret, &count);
	for (size_t i = 0; i < count && !rc; i++) {
		bool away;
		if ((*ret)[i].revoked_ms) continue; /* nothing comes of it any more */
		rc = child_get(r, (*ret)[i].origin, &away, &since);
		/* Since a time to come: our clock was set back meanwhile (home_clock). */
		if (!rc && away && (now < since || now - since < WAIT_MS))
			(*ret)[(*ret_count)++] = (*ret)[i];
	}
	return rc ? engine_fail(r, rc) : 0;
}

int home_awaits(struct replica *r, uint32_t scope, const struct cert_row *awaited, size_t count,
                bool *ret)
{
	struct scope s;
	int rc = 0;
	*ret = false;
	for (unsigned depth = 0; count && scope && !rc && depth < 12; depth++) {
		rc = store_scope_get(r->st, scope, &s);
		for (size_t i = 0; i < count && !rc && !*ret; i++)
			*ret = !memcmp(awaited[i].unit, s.id, 16);
		scope = rc || *ret ? 0 : s.parent;
	}
	return rc;
}
