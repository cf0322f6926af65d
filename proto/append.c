/*
 * append.c - the first step of taking in: static checks, then the journal.  What was appended is
 * acknowledged once the transaction is durable, and forwarded; merging comes after (apply.c).
 */
#include "common/base.h"

#include "proto/copies.h"
#include "proto/engine.h"

#include "common/ident.h"

/* What nobody here may hold, or who sent it may not say: nothing of it is kept.  The link goes on and the cursor moves: an
 * honest hub below us may have taken it in good faith. */
static int alarm_kept_nowhere(struct replica *r, const char *what)
{
	engine_alarm(r, what);
	return 0;
}

static int above_ceiling(struct replica *r, unsigned lane)
{
	env_trace(r->env, "alarm: lane %u was offered above its ceiling", lane);
	return alarm_kept_nowhere(r, "nothing of it is kept");
}

/* ---- scopes: whoever names one brings it into being, and each costs all who walk over them */

enum { SCOPES_NODE_MAX = 64, SCOPES_HUB_MAX = 20000 };

/* *ret 0: he has named as many unknown ones as he may. */
int engine_scope_named(struct replica *r, const uint8_t scope[16], const uint8_t by[16],
                       uint32_t *ret)
{
	struct cert author;
	bool known;
	char key[64], hex[33];
	uint32_t count = 0;
	struct span m;
	int rc = store_scope_ord(r->st, scope, false, ret);
	if (rc || *ret) return rc ? engine_fail(r, rc) : 0;
	hex_text(by, 16, hex);
	snprintf(key, sizeof(key), "scopes/%s", hex);
	rc = store_meta_get(r->st, key, &r->scratch, &m);
	rc = rc ? rc : engine_cert_of(r, by, &author, &known);
	if (!rc && m.len == sizeof(count)) memcpy(&count, m.p, sizeof(count));
	if (!rc && count >= (known && author.role != CERT_NODE ? SCOPES_HUB_MAX : SCOPES_NODE_MAX))
		return alarm_kept_nowhere(r, "more unknown scopes than a device may name");
	count++;
	rc = rc ? rc : store_meta_put(r->st, key, span_of(&count, sizeof(count)));
	rc = rc ? rc : store_scope_ord(r->st, scope, true, ret);
	return rc ? engine_fail(r, rc) : 0;
}

static int remember_runs(struct replica *r, const struct segment_head *h)
{
	uint64_t runs[SEGMENT_NONCES_MAX];
	segment_runs(h, runs);
	int rc = 0;
	for (size_t i = 0; i < h->nonces_count && !rc; i++) {
		uint32_t ord;
		rc = store_run_add(r->st, runs[i], h->origin, h->nonces[i], &ord);
	}
	return rc;
}

/* Work of our own that is new to us, under the very run that we write under: this machine was resumed from an image, and nothing
 * told us.  What we write from now on must not stand behind it in its own run. */
static int look_at_own(struct replica *r, const struct segment_head *h)
{
	uint64_t runs[SEGMENT_NONCES_MAX];
	if (memcmp(h->origin, r->id->origin, 16) != 0) return 0;
	segment_runs(h, runs);
	for (size_t i = 0; i < h->nonces_count; i++) {
		if (runs[i] != r->s.run) continue;
		env_trace(r->env, "own work under the present run comes home");
		return engine_went_back(r);
	}
	return 0;
}

/* Is the segment here, whole or as a hole?  Holes are noted beside the words on a segment. */
int segment_here(struct replica *r, const uint8_t hash[32], bool *ret)
{
	int64_t recv, *recvs;
	size_t n;
	int rc = store_journal_find(r->st, hash, &recv);
	*ret = !rc && recv;
	if (rc || recv) return rc;
	rc = store_words(r->st, hash, &r->scratch, &recvs, &n);
	for (size_t i = 0; i < n && !rc && !*ret; i++) {
		struct entry *e;
		rc = store_journal_get(r->st, recvs[i], &r->scratch, &e);
		*ret = !rc && e && e->kind == ENTRY_HOLE;
	}
	return rc;
}

/* An entry names a segment that is not here: it is asked for (descent.c) until it comes. */
static int open_gap(struct replica *r, const uint8_t missing[32], int64_t recv)
{
	r->wants_changed++;
	env_trace(r->env, "gap: opened before entry %" PRId64, recv);
	return store_gap_add(r->st, missing, recv);
}

/* Chains go on over holes: `hash` is the segment's, also where only its header is kept. */
static int close_gaps(struct replica *r, const uint8_t hash[32], const uint8_t prev[32],
                      int64_t recv, bool *ret_closed)
{
	static const uint8_t zero[32];
	bool before = true;
	bool closed = false;
	int rc = store_gap_close(r->st, hash, &closed);
	if (ret_closed) *ret_closed = closed;
	if (!rc && closed) env_trace(r->env, "gap: closed");
	if (!rc && memcmp(prev, zero, 32) != 0) rc = segment_here(r, prev, &before);
	return rc || before ? rc : open_gap(r, prev, recv);
}

static int journal_one(struct replica *r, struct entry *e, bool *ret_new)
{
	int64_t recv;
	int rc = store_journal_append(r->st, e, 1, &recv);
	*ret_new = !rc && recv != 0;
	return rc ? engine_fail(r, rc) : 0;
}

/* The body is not kept; header, cause and our signature are, so that chains and counts go on over it. */
static int append_hole(struct replica *r, const struct segment *s, struct span head, int cause,
                       uint32_t from, bool *ret_new)
{
	struct buf b;
	struct hole h = {.head = head,
	                 .segment = s->head,
	                 .cause = cause,
	                 .at_ms = r->env->now_ms(r->env->ctx)};
	struct entry e = {.kind = ENTRY_HOLE,
	                  .lane = s->head.lane,
	                  .from = from,
	                  .seq_first = s->head.seq_first,
	                  .count = s->head.count,
	                  .seal = s->head.seal};
	memcpy(h.segment_hash, s->hash, 32);
	memcpy(h.remover, r->id->origin, 16);
	buf_init(&b, 4096);
	int rc = hole_make(&h, r->id->sign_secret, &b, e.hash, &r->err);
	rc = rc ? rc : store_scope_ord(r->st, s->head.scope, true, &e.scope);
	if (!rc) {
		memcpy(e.origin, s->head.origin, 16);
		e.head = buf_span(&b);
		rc = journal_one(r, &e, ret_new);
		rc = rc ? rc : store_word_add(r->st, s->hash, e.recv);
		rc = rc ? rc : close_gaps(r, s->hash, s->head.prev, e.recv, NULL);
		rc = rc ? rc : heads_note(r, e.origin, e.lane, e.seal);
	}
	buf_done(&b);
	env_trace(r->env, "hole: cause %d", cause);
	return rc ? engine_fail(r, rc) : 0;
}

/* *ret_rival: his certificate was not taken here (cert_rivals), so nothing of him is. */
static int author_of(struct replica *r, const uint8_t origin[16], struct cert *ret, bool *ret_rival)
{
	bool known;
	int rc = engine_cert_of(r, origin, ret, &known);
	*ret_rival = false;
	if (!rc && !known) rc = engine_rival(r, origin, ret_rival);
	if (!rc && *ret_rival) return alarm_kept_nowhere(r, "work of a device that is not known");
	if (!rc && !known)
		rc = error_set(&r->err, ERR_UNKNOWN_ORIGIN, "",
		               "no certificate of the author is known here");
	return rc;
}

/* ---- segments opened here, kept for applying them */

static struct opened_segment *opened_place(struct replica *r)
{
	if (!replica_is_hub(r)) return NULL;
	if (!r->opened) r->opened = mem_alloc(OPENED_MAX * sizeof(*r->opened));
	struct opened_segment *o = &r->opened[r->opened_next++ % OPENED_MAX];
	o->cs = NULL;
	arena_reset(&o->arena);
	return o;
}

struct changeset *opened_find(struct replica *r, const uint8_t hash[32])
{
	for (size_t i = 0; r->opened && i < OPENED_MAX; i++)
		if (r->opened[i].cs && !memcmp(r->opened[i].hash, hash, 32)) return r->opened[i].cs;
	return NULL;
}

void opened_forget(struct replica *r)
{
	for (size_t i = 0; r->opened && i < OPENED_MAX; i++) {
		r->opened[i].cs = NULL;
		arena_reset(&r->opened[i].arena);
	}
}

void opened_done(struct replica *r)
{
	for (size_t i = 0; r->opened && i < OPENED_MAX; i++) arena_done(&r->opened[i].arena);
	free(r->opened);
}

static int check_segment(struct replica *r, const struct segment *s, const uint8_t public_key[32],
                         struct error *cause)
{
	struct changeset *cs;
	struct opened_segment *o = opened_place(r);
	int rc = segment_check_open(s, public_key, o ? &o->arena : &r->scratch, &cs, cause);
	if (!rc && o && o->arena.bytes <= OPENED_BYTES_MAX) {
		o->cs = cs;
		memcpy(o->hash, s->hash, 32);
	} else if (o) {
		arena_done(&o->arena);
	}
	return rc;
}

static int append_segment(struct replica *r, struct span head, struct span body, uint32_t from,
                          bool *ret_new)
{
	struct segment s;
	struct cert author;
	struct error cause = {0};
	bool known;
	int rc = segment_open(head, body, &s, &r->err);
	rc = rc ? rc : segment_here(r, s.hash, &known);
	if (!rc && known) env_trace(r->env, "known already: segment");
	if (rc || known) return rc ? engine_fail(r, rc) : 0;
	if (!r->has_cert || !(r->cert.lanes >> s.head.lane & 1))
		return above_ceiling(r, s.head.lane);
	uint32_t scope;
	bool rival;
	rc = author_of(r, s.head.origin, &author, &rival);
	if (rc || rival) return rc;
	int checked = check_segment(r, &s, author.origin_key, &cause);
	if (!checked && !(author.lanes >> s.head.lane & 1))
		checked = error_set(&cause, ERR_CEILING, "", "lane above the author's ceiling");
	/* A format of a later program is no fault: it stays with its sender until this program is upgraded. */
	if (checked == -ERR_SIGNATURE || checked == -ERR_VERSION) {
		r->err = cause;
		return checked;
	}
	rc = engine_scope_named(r, s.head.scope, s.head.origin, &scope);
	if (rc || !scope) return rc;
	if (checked) return append_hole(r, &s, head, -checked, from, ret_new);
	struct entry e = {.kind = ENTRY_SEGMENT,
	                  .lane = s.head.lane,
	                  .from = from,
	                  .seq_first = s.head.seq_first,
	                  .count = s.head.count,
	                  .seal = s.head.seal,
	                  .scope = scope,
	                  .head = head,
	                  .body = body};
	memcpy(e.origin, s.head.origin, 16);
	memcpy(e.hash, s.hash, 32);
	memcpy(e.prev, s.head.prev, 32);
	struct buf hole;
	uint8_t hole_hash[32];
	bool cut = false;
	buf_init(&hole, MESSAGE_BYTES_MAX);
	rc = erase_arriving(r, &s, head, scope, &hole, hole_hash, &cut);
	if (!rc && cut) {
		opened_forget(r);
		e.kind = ENTRY_HOLE;
		e.head = buf_span(&hole);
		e.body = span_of(hole_hash, 32);
	}
	rc = rc ? rc : remember_runs(r, &s.head);
	rc = rc ? rc : journal_one(r, &e, ret_new);
	buf_done(&hole);
	int64_t gaps = 0;
	bool closed = false;
	if (!rc && *ret_new) rc = store_journal_gaps(r->st, &gaps);
	rc = rc || !*ret_new ? rc : close_gaps(r, e.hash, e.prev, e.recv, &closed);
	/* Where a stream has gaps, what is late looks like a second branch: nothing is said then. */
	if (!rc && *ret_new && memcmp(e.origin, r->id->origin, 16) != 0)
		rc = copies_note_stream(r, &s.head, e.hash, closed || gaps > 0);
	if (!rc && *ret_new) rc = heads_note(r, e.origin, e.lane, e.seal);
	if (!rc && *ret_new) rc = home_left(r, &author);
	if (!rc && *ret_new) rc = look_at_own(r, &s.head);
	return rc ? engine_fail(r, rc) : 0;
}

static int append_admission(struct replica *r, struct span bytes, uint32_t from, bool *ret_new)
{
	struct admission m;
	struct cert hub;
	struct entry e = {.kind = ENTRY_ADMISSION, .from = from, .head = bytes};
	uint8_t sign[64];
	int64_t known;
	int rc = admission_open(bytes, &r->scratch, &m, e.hash, sign, &r->err);
	rc = rc ? rc : store_journal_find(r->st, e.hash, &known);
	if (rc || known) return rc ? engine_fail(r, rc) : 0;
	if (!r->has_cert || !(r->cert.lanes >> m.lane & 1)) return above_ceiling(r, m.lane);
	bool rival;
	rc = author_of(r, m.hub, &hub, &rival);
	if (rc || rival) return rc;
	rc = entry_check_sign(bytes, hub.origin_key, &r->err);
	if (!rc && hub.role != CERT_HUB)
		rc = error_set(&r->err, ERR_SIGNATURE, "",
		               "an admission by a device that is no hub");
	if (rc) return rc;
	e.lane = m.lane;
	memcpy(e.origin, m.hub, 16);
	rc = engine_scope_named(r, m.scope, m.hub, &e.scope);
	if (rc || !e.scope) return rc;
	rc = journal_one(r, &e, ret_new);
	/* A peer whose copy of a segment was damaged has passed over it, and where nothing follows in its stream the word on it
	 * alone tells that it is missing. */
	for (size_t i = 0; i < m.items_count && !rc && *ret_new; i++) {
		bool here;
		rc = segment_here(r, m.items[i].segment, &here);
		rc = rc ? rc : store_word_add(r->st, m.items[i].segment, e.recv);
		rc = rc || here ? rc : open_gap(r, m.items[i].segment, e.recv);
	}
	return rc ? engine_fail(r, rc) : 0;
}

/* Whose body may this device have cut?  His own; hubs: that of those below them, by their certificates; and who stands above
 * us may cut what comes to us, since he may withhold it as well.  Anybody else could keep others' work from a third by
 * sending a hole before the segment comes. */
static int may_cut(struct replica *r, const struct hole *h, const struct cert *author, bool *ret)
{
	*ret = !memcmp(h->remover, h->segment.origin, 16);
	int rc = *ret ? 0 : engine_stands_above(r, h->remover, author, ret);
	return rc || *ret ? rc : engine_stands_above(r, h->remover, &r->cert, ret);
}

/* Its body was restated without what is erased: it stands for the segment from then on, under the segment's hash; e->hash is the
 * hole's own.  What is erased here besides goes at once. */
static int append_restated(struct replica *r, const struct hole *h, struct entry *e, bool *ret_new)
{
	struct segment s;
	struct buf b;
	uint8_t hash[32];
	bool cut = false;
	int rc = hole_segment(h, &r->scratch, &s, &r->err);
	if (rc) return rc;
	memcpy(hash, e->hash, 32);
	memcpy(e->hash, h->segment_hash, 32);
	memcpy(e->prev, h->segment.prev, 32);
	buf_init(&b, MESSAGE_BYTES_MAX);
	rc = erase_arriving(r, &s, h->head, e->scope, &b, hash, &cut);
	if (!rc && cut) e->head = buf_span(&b);
	e->body = span_of(hash, 32);
	rc = rc ? rc : remember_runs(r, &h->segment);
	rc = rc ? rc : journal_one(r, e, ret_new);
	e->head = e->body = span_of(NULL, 0);
	buf_done(&b);
	if (rc || !*ret_new) return rc ? engine_fail(r, rc) : 0;
	rc = close_gaps(r, e->hash, e->prev, e->recv, NULL);
	rc = rc ? rc : heads_note(r, e->origin, e->lane, e->seal);
	rc = rc ? rc : look_at_own(r, &h->segment);
	return rc ? engine_fail(r, rc) : 0;
}

/* The segment is here; if its bytes are damaged, what is left of it elsewhere takes its place. */
static int mend_by_hole(struct replica *r, const struct hole *h, struct span bytes,
                        const uint8_t hash[32], bool *ret_new)
{
	struct entry *own = NULL;
	struct segment s;
	int64_t recv;
	int rc = store_journal_find(r->st, h->segment_hash, &recv);
	if (!rc && recv) rc = store_journal_get(r->st, recv, &r->scratch, &own);
	if (rc || !own || !entry_is_segment(own) || entry_sound(own))
		return rc ? engine_fail(r, rc) : 0;
	rc = hole_segment(h, &r->scratch, &s, &r->err);
	rc = rc ? rc : store_journal_cut(r->st, recv, ENTRY_HOLE, bytes, span_of(hash, 32));
	rc = rc ? rc : erase_entry(r, recv);
	*ret_new = !rc;
	return rc ? engine_fail(r, rc) : repair_entry_mended(r, own);
}

/* A device may restate what a device of the same unit said: it holds no less of it. */
static bool may_restate(const struct hole *h, const struct cert *remover, const struct cert *author)
{
	return h->restated.len && !memcmp(remover->unit, author->unit, 16) &&
	       author->role != CERT_HUB;
}

/* Is it here, and not damaged? */
static int readable_here(struct replica *r, const uint8_t segment[32], bool *ret)
{
	struct entry *own = NULL;
	int64_t recv;
	int rc = segment_here(r, segment, ret);
	if (rc || !*ret) return rc;
	rc = store_journal_find(r->st, segment, &recv);
	if (!rc && recv) rc = store_journal_get(r->st, recv, &r->scratch, &own);
	if (!rc && own) *ret = entry_sound(own);
	return rc;
}

static int append_foreign_hole(struct replica *r, struct span bytes, uint32_t from, bool *ret_new)
{
	struct hole h;
	struct cert remover, author;
	struct entry e = {.kind = ENTRY_HOLE, .from = from, .head = bytes};
	uint8_t sign[64];
	int64_t known;
	int rc = hole_open(bytes, &h, e.hash, sign, &r->err);
	rc = rc ? rc : store_journal_find(r->st, e.hash, &known);
	if (rc || known) return rc ? engine_fail(r, rc) : 0;
	if (!r->has_cert || !(r->cert.lanes >> h.segment.lane & 1))
		return above_ceiling(r, h.segment.lane);
	/* After a boot a peer sends again what it had of us; what it cut of that, it may not cut elsewhere. */
	bool read = false;
	rc = h.restated.len ? readable_here(r, h.segment_hash, &read) : 0;
	if (rc || read) return rc ? engine_fail(r, rc) : 0;
	bool rival;
	rc = author_of(r, h.remover, &remover, &rival);
	if (rc || rival) return rc;
	rc = entry_check_sign(bytes, remover.origin_key, &r->err);
	rc = rc ? rc : author_of(r, h.segment.origin, &author, &rival);
	if (!rc && rival) return 0;
	if (!rc && !sign_check(span_of(h.segment_hash, 32), h.head.p + h.head.len - SIGN_BYTES,
	                       author.origin_key))
		rc = error_set(&r->err, ERR_SIGNATURE, "",
		               "the header in a hole is not its author's");
	bool may = false, here = false;
	rc = rc ? rc : may_cut(r, &h, &author, &may);
	if (rc) return rc;
	may = may || may_restate(&h, &remover, &author);
	if (!may) return alarm_kept_nowhere(r, "a hole by a device that may not cut there");
	rc = segment_here(r, h.segment_hash, &here);
	if (!rc && here && h.restated.len) return mend_by_hole(r, &h, bytes, e.hash, ret_new);
	if (rc || here) return rc ? engine_fail(r, rc) : 0;
	e.lane = h.segment.lane;
	e.seq_first = h.segment.seq_first;
	e.count = h.segment.count;
	e.seal = h.segment.seal;
	memcpy(e.origin, h.segment.origin, 16);
	rc = engine_scope_named(r, h.segment.scope, h.segment.origin, &e.scope);
	if (rc || !e.scope) return rc;
	if (h.restated.len) return append_restated(r, &h, &e, ret_new);
	rc = journal_one(r, &e, ret_new);
	if (!rc && *ret_new) {
		rc = store_word_add(r->st, h.segment_hash, e.recv);
		rc = rc ? rc : close_gaps(r, h.segment_hash, h.segment.prev, e.recv, NULL);
		rc = rc ? rc : heads_note(r, e.origin, e.lane, e.seal);
	}
	return rc ? engine_fail(r, rc) : 0;
}

/* A kind of a later version: carried as it is.  Whatever comes later begins with its lane and its scope, so that builds
 * that know nothing else of it still hold it to its ceiling and send it where it belongs. */
static int append_unknown(struct replica *r, unsigned kind, struct span head, struct span body,
                          uint32_t from, bool *ret_new)
{
	struct entry e = {.kind = (uint8_t)kind, .from = from, .head = head, .body = body};
	struct hash h;
	if (head.len < 17 || head.p[0] >= LANE_RESERVED)
		return error_set(&r->err, ERR_PROTOCOL, "",
		                 "an entry of unknown kind %u without lane and scope", kind);
	e.lane = head.p[0];
	if (!r->has_cert || !(r->cert.lanes >> e.lane & 1)) return above_ceiling(r, e.lane);
	struct run_info peer = {0};
	int rc = from ? store_run_get(r->st, from, &peer) : 0;
	rc = rc ? rc : engine_scope_named(r, head.p + 1, peer.origin, &e.scope);
	if (rc || !e.scope) return rc ? engine_fail(r, rc) : 0;
	hash_begin(&h, 32);
	hash_add(&h, head.p, head.len);
	hash_add(&h, body.p, body.len);
	hash_end(&h, e.hash, 32);
	return journal_one(r, &e, ret_new);
}

int replica_append(struct replica *r, unsigned kind, struct span head, struct span body,
                   uint32_t from, bool *ret_new)
{
	*ret_new = false;
	switch (kind) {
	case ENTRY_SEGMENT:
		return append_segment(r, head, body, from, ret_new);
	case ENTRY_ADMISSION:
		return append_admission(r, head, from, ret_new);
	case ENTRY_HOLE:
		return append_foreign_hole(r, head, from, ret_new);
	case ENTRY_CERT:
		return engine_take_cert(r, head, from, ret_new);
	case ENTRY_REVOKE:
		return engine_take_revocation(r, head, from, ret_new);
	default:
		return append_unknown(r, kind, head, body, from, ret_new);
	}
}
