/*
 * home.c - whose work is here in whole: before that a hub takes nobody's figures for wrong (seal.c, replica_correct).
 *
 * A child counts what it seals, and what it seals arrives in pieces, the open half of a record before the closed one.  A
 * link that breaks in between leaves the hub with a figure and without what it counts, for a day perhaps.  When a hub's
 * disk went back it is so with everybody: what may rise comes back from its parent at once, the rest from each child
 * when it calls.  So a child is away from its first piece on until it says that it has sent all.
 *
 * Kept: "home" = how often the disk went back (u64), whether all have come since (u8), how many are away for their own part
 * (u32); "home/ORIGIN" = 0: away; n: home since the disk went back n - 1 times.  Without a note a child is home, unless the
 * disk went back: one that was enrolled after the backup was taken is waited for like the others.
 */
#include "common/base.h"

#include "proto/engine.h"

#include "common/ident.h"

enum { NOTE_BYTES = 13, HOME_KEY = 64 };

struct note {
	uint64_t times;
	bool done;
	uint32_t away;
};

static int note_get(struct replica *r, struct note *ret)
{
	struct span m;
	*ret = (struct note){0};
	int rc = store_meta_get(r->st, "home", &r->scratch, &m);
	if (rc || m.len != NOTE_BYTES) return rc;
	struct cut c = cut_of(m);
	ret->times = cut_u64(&c);
	ret->done = cut_u8(&c) != 0;
	ret->away = cut_u32(&c);
	return 0;
}

static int note_put(struct replica *r, const struct note *n)
{
	struct buf b;
	buf_init(&b, NOTE_BYTES);
	buf_u64(&b, n->times);
	buf_u8(&b, n->done);
	buf_u32(&b, n->away);
	int rc = store_meta_put(r->st, "home", buf_span(&b));
	buf_done(&b);
	return rc;
}

static void child_key(const uint8_t origin[16], char ret[HOME_KEY])
{
	char hex[33];
	hex_text(origin, 16, hex);
	snprintf(ret, HOME_KEY, "home/%s", hex);
}

static int child_get(struct replica *r, const uint8_t origin[16], uint64_t *ret)
{
	char key[HOME_KEY];
	struct span m;
	child_key(origin, key);
	int rc = store_meta_get(r->st, key, &r->scratch, &m);
	*ret = 1;
	if (!rc && m.len == sizeof(*ret)) memcpy(ret, m.p, sizeof(*ret));
	return rc;
}

static int child_put(struct replica *r, const uint8_t origin[16], uint64_t value)
{
	char key[HOME_KEY];
	child_key(origin, key);
	return store_meta_put(r->st, key, span_of(&value, sizeof(value)));
}

int home_left(struct replica *r, const uint8_t child[16])
{
	struct note n;
	uint64_t was;
	if (!engine_custodian(r)) return 0;
	int rc = child_get(r, child, &was);
	if (rc || !was) return rc ? engine_fail(r, rc) : 0;
	rc = note_get(r, &n);
	n.away++;
	rc = rc ? rc : note_put(r, &n);
	rc = rc ? rc : child_put(r, child, 0);
	return rc ? engine_fail(r, rc) : 0;
}

int home_doubt(struct replica *r)
{
	struct note n;
	if (!engine_custodian(r)) return 0;
	int rc = note_get(r, &n);
	n.times++;
	n.done = false;
	rc = rc ? rc : note_put(r, &n);
	return rc ? engine_fail(r, rc) : 0;
}

int home_lost(struct replica *r, const uint8_t *child)
{
	struct note n;
	r->s.restored = true;
	/* One child's word is about what it gave; the parent's comes once, and is about what anybody gave. */
	int rc = child ? note_get(r, &n) : 0;
	rc = rc || (child && n.times && !n.done) ? rc : home_doubt(r);
	return rc || !child ? rc : home_left(r, child);
}

int home_came(struct replica *r, const uint8_t child[16])
{
	struct note n;
	uint64_t was;
	if (!engine_custodian(r)) return 0;
	int rc = note_get(r, &n);
	if (rc || (!n.away && (!n.times || n.done))) return rc ? engine_fail(r, rc) : 0;
	rc = child_get(r, child, &was);
	if (rc || was == n.times + 1) return rc ? engine_fail(r, rc) : 0;
	env_trace(r->env, "home: all of a child");
	r->homecomings++;
	n.away -= !was && n.away;
	rc = note_put(r, &n);
	rc = rc ? rc : child_put(r, child, n.times + 1);
	return rc ? engine_fail(r, rc) : 0;
}

uint32_t replica_homecomings(const struct replica *r)
{
	return r->homecomings;
}

/* In this run the parent has given all it had, so that no child is unknown. */
static int is_given_back(struct replica *r, bool *ret)
{
	struct cert parent;
	struct span m;
	*ret = !replica_parent(r, &parent);
	int rc = store_meta_get(r->st, "given_back", &r->scratch, &m);
	*ret |= !rc && m.len == sizeof(r->s.run) && !memcmp(m.p, &r->s.run, sizeof(r->s.run));
	return rc;
}

int home_awaited(struct replica *r, struct arena *a, struct cert_row **ret, size_t *ret_count)
{
	struct note n;
	size_t count = 0;
	*ret = NULL;
	*ret_count = 0;
	int rc = note_get(r, &n);
	if (rc || (!n.away && (!n.times || n.done))) return rc ? engine_fail(r, rc) : 0;
	rc = replica_children(r, a, ret, &count);
	for (size_t i = 0; i < count && !rc; i++) {
		uint64_t was;
		if ((*ret)[i].revoked_ms) continue; /* nothing comes of it any more */
		rc = child_get(r, (*ret)[i].origin, &was);
		if (!was || (n.times && !n.done && was != n.times + 1))
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

int home_settle(struct replica *r)
{
	struct note n;
	bool given;
	int rc = note_get(r, &n);
	if (rc || !n.times || n.done) return rc ? engine_fail(r, rc) : 0;
	rc = is_given_back(r, &given);
	n.done = given;
	rc = rc || !given ? rc : note_put(r, &n);
	return rc ? engine_fail(r, rc) : 0;
}
