/*
 * copies.c - see copies.h.  What is kept lies in meta, one value for each peer that was ever met, written only when a run is
 * new: a warm session writes nothing here.
 */
#include "common/base.h"

#include "proto/copies.h"

#include "common/ident.h"
#include "proto/engine.h"

enum {
	KEPT_FORMAT = 1,
	KEPT_RELEASED = 2, /* of a peer; before it nothing was kept of a release */
	HEADS_MAX = 4,
	NAMED_RANDOM_BITS = 16
};

/* Never 0, which says that something never was. */
static int64_t now_of(const struct replica *r)
{
	int64_t now = r->env->now_ms(r->env->ctx);
	return now > 0 ? now : 1;
}

/* ---- lines */

static void leave_behind(struct copies *c, uint64_t run)
{
	c->past[c->past_next] = run;
	c->past_next = (c->past_next + 1) % COPIES_PAST_MAX;
	if (c->past_count < COPIES_PAST_MAX) c->past_count++;
}

static bool left_behind(const struct copies *c, uint64_t run)
{
	for (size_t i = 0; run && i < c->past_count; i++)
		if (c->past[i] == run) return true;
	return false;
}

static int line_of(const struct copies *c, uint64_t tip)
{
	for (size_t i = 0; tip && i < c->lines_count; i++)
		if (c->lines[i].tip == tip) return (int)i;
	return -1;
}

/* The line at `at` (lines_count: a new one) becomes the last met, with this tip. */
static void to_front(struct copies *c, size_t at, uint64_t tip, int64_t now_ms)
{
	struct copies_line l = {.tip = tip, .met_ms = now_ms};
	if (at < c->lines_count && c->lines[at].tip == tip)
		l.met_ms = c->lines[at].met_ms;
	else if (at < c->lines_count)
		leave_behind(c, c->lines[at].tip);
	if (at == COPIES_LINES_MAX) leave_behind(c, c->lines[--at].tip);
	if (at == c->lines_count) c->lines_count++;
	memmove(&c->lines[1], &c->lines[0], at * sizeof(*c->lines));
	c->lines[0] = l;
}

bool copies_meet(struct copies *c, uint64_t run, uint64_t last, int64_t now_ms, bool sure,
                 bool *ret_doubt, bool *ret_changed)
{
	int here = line_of(c, run), before = line_of(c, last);
	size_t to = c->lines_count; /* a new line */
	bool two = false;
	*ret_doubt = *ret_changed = false;
	if (here == 0) return false;
	if (here > 0) { /* the end of another line comes back */
		two = true;
		to = (size_t)here;
	} else if (left_behind(c, run)) {
		two = true;
	} else if (before >= 0) {
		two = before > 0;
		to = (size_t)before;
	} else if (c->lines_count && last && !left_behind(c, last)) {
		to = 0; /* it follows a run that we never met, or have forgotten */
	}
	bool plain = !two && (to < c->lines_count || !c->lines_count);
	if (!plain && !sure) {
		*ret_doubt = true;
		return false;
	}
	to_front(c, to, run, now_ms);
	*ret_changed = true;
	if (!two || c->copied_ms) return false;
	c->copied_ms = now_ms;
	c->dismissed_ms = 0;
	c->reason[0] = 0;
	return true;
}

void copies_collapse(struct copies *c)
{
	for (size_t i = 1; i < c->lines_count; i++) leave_behind(c, c->lines[i].tip);
	if (c->lines_count > 1) c->lines_count = 1;
	c->copied_ms = 0;
	c->released = 0;
}

bool copies_released(const struct copies *c)
{
	return c->copied_ms && c->released && c->lines_count <= c->released &&
	       c->lines_count < COPIES_LINES_MAX;
}

/* ---- statements */

void named_make(const uint8_t origin[16], uint64_t number, const uint8_t sign_secret[64],
                uint8_t ret[NAMED_BYTES])
{
	uint8_t hash[32];
	struct buf b;
	buf_init(&b, NAMED_BYTES);
	buf_add(&b, "JGN", 3);
	buf_u8(&b, FORMAT_1);
	buf_u8(&b, SUITE_1);
	buf_add(&b, origin, 16);
	buf_u64(&b, number);
	hash_of(buf_span(&b), hash, sizeof(hash));
	memcpy(ret, b.p, b.len);
	sign_make(span_of(hash, sizeof(hash)), sign_secret, ret + b.len);
	assert(b.len + SIGN_BYTES == NAMED_BYTES);
	buf_done(&b);
}

int named_open(struct span in, const uint8_t public_key[32], uint8_t ret_origin[16],
               uint64_t *ret_number, struct error *err)
{
	struct cut c = cut_of(in);
	const uint8_t *magic = cut_take(&c, 3);
	unsigned format = cut_u8(&c), suite = cut_u8(&c);
	const uint8_t *origin = cut_take(&c, 16);
	uint64_t number = cut_u64(&c);
	uint8_t hash[32];
	if (in.len != NAMED_BYTES || !magic || !origin || memcmp(magic, "JGN", 3) != 0 || !number)
		return error_set(err, ERR_PROTOCOL, NULL, "no statement of a survivor");
	if (format != FORMAT_1 || suite != SUITE_1)
		return error_set(err, ERR_VERSION, NULL, "a statement of a later program");
	hash_of(span_of(in.p, NAMED_BYTES - SIGN_BYTES), hash, sizeof(hash));
	if (!sign_check(span_of(hash, sizeof(hash)), in.p + NAMED_BYTES - SIGN_BYTES, public_key))
		return error_set(err, ERR_SIGNATURE, NULL, "a statement that the hub did not sign");
	memcpy(ret_origin, origin, 16);
	*ret_number = number;
	return 0;
}

/* ---- what is kept */

static void key_of(const char *what, const uint8_t origin[16], char ret[64])
{
	char hex[33];
	hex_text(origin, 16, hex);
	snprintf(ret, 64, "%s/%s", what, hex);
}

static int kept_damaged(struct replica *r)
{
	return error_set(&r->err, ERR_DATABASE_DAMAGED, "", "what is kept of copies is cut short");
}

int replica_copies(struct replica *r, const uint8_t origin[16], struct copies *ret)
{
	char key[64];
	struct span m;
	struct arena a;
	memset(ret, 0, sizeof(*ret));
	key_of("copies", origin, key);
	arena_init(&a, 0);
	int rc = store_meta_get(r->st, key, &a, &m);
	if (rc || !m.len) goto out;
	struct cut c = cut_of(m);
	size_t lines, past, reason;
	unsigned format = cut_u8(&c);
	if (format != KEPT_FORMAT && format != KEPT_RELEASED) goto bad;
	lines = cut_u8(&c);
	past = cut_u8(&c);
	ret->past_next = cut_u8(&c);
	reason = cut_u8(&c);
	if (format == KEPT_RELEASED) ret->released = cut_u8(&c);
	if (c.bad || lines > COPIES_LINES_MAX || past > COPIES_PAST_MAX ||
	    ret->past_next >= COPIES_PAST_MAX || reason > COPIES_REASON_MAX)
		goto bad;
	for (; ret->lines_count < lines; ret->lines_count++) {
		ret->lines[ret->lines_count].tip = cut_u64(&c);
		ret->lines[ret->lines_count].met_ms = (int64_t)cut_u64(&c);
	}
	for (; ret->past_count < past; ret->past_count++) ret->past[ret->past_count] = cut_u64(&c);
	ret->copied_ms = (int64_t)cut_u64(&c);
	ret->dismissed_ms = (int64_t)cut_u64(&c);
	ret->back_ms = (int64_t)cut_u64(&c);
	ret->forks = (int64_t)cut_u64(&c);
	ret->forked_ms = (int64_t)cut_u64(&c);
	ret->survivor = cut_u64(&c);
	const uint8_t *text = cut_take(&c, reason),
	              *statement = ret->survivor ? cut_take(&c, NAMED_BYTES) : NULL;
	if (c.bad || cut_left(&c)) goto bad;
	if (reason) memcpy(ret->reason, text, reason);
	if (statement) memcpy(ret->statement, statement, NAMED_BYTES);
	goto out;
bad:
	rc = kept_damaged(r);
out:
	arena_done(&a);
	return rc ? engine_fail(r, rc) : 0;
}

int replica_copies_keep(struct replica *r, const uint8_t origin[16], const struct copies *c)
{
	char key[64];
	struct buf b;
	size_t reason = strlen(c->reason);
	buf_init(&b, 2048);
	buf_u8(&b, KEPT_RELEASED);
	buf_u8(&b, (uint8_t)c->lines_count);
	buf_u8(&b, (uint8_t)c->past_count);
	buf_u8(&b, (uint8_t)c->past_next);
	buf_u8(&b, (uint8_t)reason);
	buf_u8(&b, (uint8_t)c->released);
	for (size_t i = 0; i < c->lines_count; i++) {
		buf_u64(&b, c->lines[i].tip);
		buf_u64(&b, (uint64_t)c->lines[i].met_ms);
	}
	for (size_t i = 0; i < c->past_count; i++) buf_u64(&b, c->past[i]);
	buf_u64(&b, (uint64_t)c->copied_ms);
	buf_u64(&b, (uint64_t)c->dismissed_ms);
	buf_u64(&b, (uint64_t)c->back_ms);
	buf_u64(&b, (uint64_t)c->forks);
	buf_u64(&b, (uint64_t)c->forked_ms);
	buf_u64(&b, c->survivor);
	buf_add(&b, c->reason, reason);
	if (c->survivor) buf_add(&b, c->statement, NAMED_BYTES);
	assert(!b.full);
	key_of("copies", origin, key);
	int rc = store_meta_put(r->st, key, buf_span(&b));
	buf_done(&b);
	return rc ? engine_fail(r, rc) : 0;
}

int replica_own_copies(struct replica *r, struct own_copies *ret)
{
	struct span m;
	struct arena a;
	memset(ret, 0, sizeof(*ret));
	arena_init(&a, 0);
	int rc = store_meta_get(r->st, "copies", &a, &m);
	if (!rc && m.len) {
		struct cut c = cut_of(m);
		bool known = cut_u8(&c) == KEPT_FORMAT;
		ret->copied_ms = (int64_t)cut_u64(&c);
		ret->other = cut_u64(&c);
		const uint8_t *by = cut_take(&c, 16);
		ret->survivor = cut_u64(&c);
		ret->aside = cut_u64(&c);
		ret->aside_ms = (int64_t)cut_u64(&c);
		const uint8_t *statement = cut_take(&c, NAMED_BYTES);
		if (!known || c.bad) rc = kept_damaged(r);
		if (by) memcpy(ret->told_by, by, 16);
		if (statement) memcpy(ret->statement, statement, NAMED_BYTES);
	}
	arena_done(&a);
	return rc ? engine_fail(r, rc) : 0;
}

int replica_own_copies_keep(struct replica *r, const struct own_copies *c)
{
	struct buf b;
	buf_init(&b, 512);
	buf_u8(&b, KEPT_FORMAT);
	buf_u64(&b, (uint64_t)c->copied_ms);
	buf_u64(&b, c->other);
	buf_add(&b, c->told_by, 16);
	buf_u64(&b, c->survivor);
	buf_u64(&b, c->aside);
	buf_u64(&b, (uint64_t)c->aside_ms);
	buf_add(&b, c->statement, NAMED_BYTES);
	int rc = store_meta_put(r->st, "copies", buf_span(&b));
	buf_done(&b);
	return rc ? engine_fail(r, rc) : 0;
}

uint32_t replica_met(const struct replica *r)
{
	return r->met_changed;
}

int replica_stopped(struct replica *r)
{
	struct own_copies own;
	if (!replica_is_hub(r) || replica_own_copies(r, &own)) return 0;
	return own.aside ? ERR_SET_ASIDE : own.copied_ms ? ERR_COPIED : 0;
}

int replica_survive(struct replica *r)
{
	struct own_copies own;
	uint64_t after, chance;
	int64_t now = now_of(r);
	int rc = replica_own_copies(r, &own);
	rc = rc ? rc : engine_new_run(r, "named the survivor");
	if (rc) return rc;
	/* Larger than all that this copy knows of, whatever the clock says. */
	after = own.survivor > own.aside ? own.survivor : own.aside;
	if (now <= (int64_t)(after >> NAMED_RANDOM_BITS))
		now = (int64_t)(after >> NAMED_RANDOM_BITS) + 1;
	r->env->random(r->env->ctx, &chance, sizeof(chance));
	own.survivor = (uint64_t)now << NAMED_RANDOM_BITS | (chance & 0xffff);
	named_make(r->id->origin, own.survivor, r->id->sign_secret, own.statement);
	own.copied_ms = own.aside_ms = 0;
	own.other = own.aside = 0;
	memset(own.told_by, 0, 16);
	return replica_own_copies_keep(r, &own);
}

int replica_copies_dismiss(struct replica *r, const uint8_t origin[16], const char *reason)
{
	struct copies c;
	struct own_copies own;
	int64_t now = now_of(r);
	int rc = replica_copies(r, origin, &c);
	if (rc) return rc;
	if (strlen(reason) > COPIES_REASON_MAX)
		return error_set(&r->err, ERR_TOO_LONG, "reason", "at most %d bytes",
		                 COPIES_REASON_MAX);
	copies_collapse(&c);
	c.dismissed_ms = now;
	snprintf(c.reason, sizeof(c.reason), "%s", reason);
	rc = replica_copies_keep(r, origin, &c);
	if (rc || memcmp(origin, r->id->origin, 16) != 0) return rc;
	rc = replica_own_copies(r, &own);
	own.copied_ms = 0;
	own.other = 0;
	return rc ? rc : replica_own_copies_keep(r, &own);
}

/* ---- forks of streams */

int copies_note_stream(struct replica *r, const struct segment_head *h, const uint8_t hash[32],
                       bool fills_gap)
{
	static const uint8_t zero[32];
	uint8_t heads[HEADS_MAX][32], name[33], id[8];
	char key[64], hex[17];
	struct span m;
	struct copies c;
	size_t n, at = 0;
	bool known = true;
	memcpy(name, h->origin, 16);
	memcpy(name + 16, h->scope, 16);
	name[32] = h->lane;
	hash_of(span_of(name, sizeof(name)), id, sizeof(id));
	hex_text(id, sizeof(id), hex);
	snprintf(key, sizeof(key), "heads/%s", hex);
	int rc = store_meta_get(r->st, key, &r->scratch, &m);
	if (rc) return engine_fail(r, rc);
	n = m.len / 32 < HEADS_MAX ? m.len / 32 : HEADS_MAX;
	if (n) memcpy(heads, m.p, n * 32);
	while (at < n && memcmp(heads[at], h->prev, 32) != 0) at++;
	/* What fills a gap is followed already: it is no end of the stream. */
	if (fills_gap && at == n) return 0;
	if (at == n && n && memcmp(h->prev, zero, 32) != 0) rc = segment_here(r, h->prev, &known);
	if (!rc && at == n && n && known) { /* what it follows is followed by another already */
		rc = replica_copies(r, h->origin, &c);
		c.forks++;
		c.forked_ms = now_of(r);
		env_trace(r->env, "copies: a stream forks");
		rc = rc ? rc : replica_copies_keep(r, h->origin, &c);
		rc = rc ? rc : engine_hold(r, h->origin);
	}
	if (at == n && n < HEADS_MAX && known) n++;
	if (at >= n) at = n ? n - 1 : 0;
	if (!n) n = 1;
	memcpy(heads[at], hash, 32);
	rc = rc ? rc : store_meta_put(r->st, key, span_of(heads, n * 32));
	return rc ? engine_fail(r, rc) : 0;
}
