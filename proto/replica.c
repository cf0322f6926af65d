/*
 * replica.c - life of a replica: opening, the run guard of every write transaction, joining, scopes and feeds.
 *
 * The guard (architecture section 2, "run"): database and machine must agree on who wrote last.  A restored,
 * copied, swapped or resumed database does not match the witness outside it and gets a new run
 * before anything is written, so two copies of a device never share a run.
 */
#include "common/base.h"

#include "proto/engine.h"
#include "proto/trail.h"

#include "common/crypt.h"
#include "common/ident.h"

enum {
	STATE_FORMAT = 1,
	/* How much more the wall clock may move than the boot clock, either way, between two commits: beyond, the machine was
	 * resumed or its clock set. */
	CLOCK_SHIFT_MAX_MS = 60 * 1000
};

void identity_make(const struct env *env, struct identity *ret)
{
	uint8_t seed[32];
	env->random(env->ctx, seed, sizeof(seed));
	sign_keypair(seed, ret->sign_public, ret->sign_secret);
	env->random(env->ctx, seed, sizeof(seed));
	link_keypair(seed, ret->link_public, ret->link_secret);
	origin_of(ret->sign_public, ret->origin);
	crypt_wipe(seed, sizeof(seed));
}

int engine_fail(struct replica *r, int rc)
{
	if (rc == -ERR_NONE || r->err.code == -rc) return rc;
	const struct error *e = store_error(r->st);
	if (e && e->code == -rc)
		r->err = *e;
	else
		error_set(&r->err, -rc, "", "%s", "");
	return rc;
}

void engine_alarm(struct replica *r, const char *what)
{
	r->s.alarms++;
	env_trace(r->env, "alarm: %s", what);
}

/* ---- the engine's own memory */

static void state_pack(const struct engine_state *s, struct buf *b)
{
	buf_u8(b, STATE_FORMAT);
	buf_u64(b, s->run);
	buf_u64(b, s->last_stamp);
	buf_u64(b, s->seals);
	buf_u64(b, s->admissions);
	buf_add(b, s->nonce, sizeof(s->nonce));
	buf_add(b, s->tag, sizeof(s->tag));
	buf_u32(b, s->run_ord);
	buf_u64(b, (uint64_t)s->applied);
	buf_u64(b, (uint64_t)s->sealed);
	buf_u64(b, (uint64_t)s->merged);
	buf_u64(b, (uint64_t)s->alarms);
	buf_u64(b, (uint64_t)s->runs);
	buf_u8(b, s->restored);
	buf_u32(b, s->feeds);
}

void engine_feed_changed(struct replica *r)
{
	r->s.feeds++;
	r->feeds_changed++;
	r->feeds_known = r->s.feeds;
}

static int state_load(struct replica *r)
{
	struct span m;
	int rc = store_meta_get(r->st, "engine", &r->scratch, &m);
	if (rc) return engine_fail(r, rc);
	struct engine_state *s = &r->s;
	memset(s, 0, sizeof(*s));
	if (!m.len) return 0;
	struct cut c = cut_of(m);
	if (cut_u8(&c) != STATE_FORMAT)
		return error_set(&r->err, ERR_NEWER_FILE, "", "engine state of a newer program");
	s->run = cut_u64(&c);
	s->last_stamp = cut_u64(&c);
	s->seals = cut_u64(&c);
	s->admissions = cut_u64(&c);
	const uint8_t *nonce = cut_take(&c, sizeof(s->nonce)), *tag = cut_take(&c, sizeof(s->tag));
	if (nonce && tag) {
		memcpy(s->nonce, nonce, sizeof(s->nonce));
		memcpy(s->tag, tag, sizeof(s->tag));
	}
	s->run_ord = cut_u32(&c);
	s->applied = (int64_t)cut_u64(&c);
	s->sealed = (int64_t)cut_u64(&c);
	s->merged = (int64_t)cut_u64(&c);
	s->alarms = (int64_t)cut_u64(&c);
	s->runs = (int64_t)cut_u64(&c);
	s->restored = cut_u8(&c) != 0;
	if (cut_left(&c)) s->feeds = cut_u32(&c);
	/* Another process changed them, or what we changed was undone. */
	if (s->feeds != r->feeds_known) r->feeds_changed++;
	r->feeds_known = s->feeds;
	return c.bad ? error_set(&r->err, ERR_DATABASE_DAMAGED, "", "engine state is cut short")
	             : 0;
}

static int state_save(struct replica *r)
{
	struct buf b;
	buf_init(&b, 1024);
	state_pack(&r->s, &b);
	int rc = store_meta_put(r->st, "engine", buf_span(&b));
	buf_done(&b);
	return rc ? engine_fail(r, rc) : 0;
}

/* ---- opening */

int replica_create(struct store *st, const struct env *env, const struct identity *id,
                   struct error *err)
{
	uint8_t journal[16], zero[16] = {0};
	uint32_t ord;
	int rc = store_begin(st);
	if (rc) goto out;
	env->random(env->ctx, journal, sizeof(journal));
	rc = store_meta_put(st, "journal_id", span_of(journal, sizeof(journal)));
	rc = rc ? rc : store_meta_put(st, "origin", span_of(id->origin, 16));
	rc = rc ? rc : store_scope_ord(st, zero, true, &ord);
	rc = rc ? rc : store_commit(st);
out:
	if (rc) {
		if (err) *err = *store_error(st);
		store_rollback(st);
	}
	return rc;
}

/* A database of before renewals has the present one only. */
static int own_certs_load(struct replica *r)
{
	struct span m;
	int rc = store_meta_get(r->st, "own_certs", &r->scratch, &m);
	r->own_certs_count = 0;
	for (size_t i = 0; !rc && i + 16 <= m.len && r->own_certs_count < OWN_CERTS_MAX; i += 16)
		memcpy(r->own_certs[r->own_certs_count++], m.p + i, 16);
	if (!rc && r->has_cert && !r->own_certs_count)
		memcpy(r->own_certs[r->own_certs_count++], r->cert.id, 16);
	return rc;
}

/* Certificate and scope of our own; again after every join and in every fresh transaction. */
static int identity_load(struct replica *r)
{
	struct span m, scope;
	uint8_t zero[16] = {0};
	int rc = store_meta_get(r->st, "cert", &r->scratch, &m);
	if (!rc && m.len) rc = cert_open(m, &r->cert, &r->err);
	r->has_cert = !rc && m.len;
	rc = rc ? rc : own_certs_load(r);
	rc = rc ? rc : store_meta_get(r->st, "own_scope", &r->scratch, &scope);
	if (!rc && scope.len == 16)
		rc = store_scope_ord(r->st, scope.p, false, &r->own_scope);
	else if (!rc)
		rc = store_scope_ord(r->st, zero, false, &r->own_scope);
	return rc ? engine_fail(r, rc) : 0;
}

int replica_open(struct replica **ret, struct store *st, const struct replica_config *config,
                 struct error *err)
{
	struct replica *r = mem_alloc(sizeof(*r));
	struct span m;
	r->st = st;
	r->env = config->env;
	r->id = config->identity;
	r->judge = config->judge;
	r->cert_life_ms = config->cert_life_ms ? config->cert_life_ms
	                                       : (int64_t)CERT_LIFE_DAYS * 24 * 3600 * 1000;
	r->hold = config->hold;
	r->piece_bytes = config->piece_bytes ? config->piece_bytes : PIECE_BYTES_MAX;
	r->trail = config->trail;
	arena_init(&r->tx, 0);
	arena_init(&r->scratch, 0);
	buf_init(&r->clock, 64 * 1024);
	int rc = store_meta_get(st, "origin", &r->scratch, &m);
	if (rc)
		engine_fail(r, rc);
	else if (m.len != 16 || memcmp(m.p, r->id->origin, 16) != 0)
		rc = error_set(&r->err, ERR_KEYS, "sign.key",
		               "these keys are not the ones that this database was made with");
	rc = rc ? rc : store_meta_get(st, "journal_id", &r->scratch, &m);
	if (!rc && m.len == 16) memcpy(r->journal_id, m.p, 16);
	rc = rc ? rc : state_load(r);
	rc = rc ? rc : identity_load(r);
	if (rc) {
		if (err) *err = r->err;
		replica_close(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void replica_close(struct replica *r)
{
	if (!r) return;
	opened_done(r);
	heads_done(r);
	privacy_done(r);
	arena_done(&r->tx);
	arena_done(&r->scratch);
	buf_done(&r->clock);
	free(r->mended.ids);
	free(r);
}

/* ---- the run guard */

static int64_t clock_shift(const struct replica *r)
{
	return r->env->now_ms(r->env->ctx) - r->env->boot_ms(r->env->ctx);
}

/* Why the run does not go on; NULL: it does.  A resumed image finds that its wall clock went on by more than its boot clock, or,
 * if it was set back meanwhile, went back by more.  One that stands still or runs backwards tells nothing, and on a slow link a
 * run for that would end every session. */
static const char *witness_objects(const struct replica *r, const struct witness *w,
                                   const uint8_t boot[16])
{
	if (!r->s.run) return "the first";
	if (memcmp(w->boot, boot, 16) != 0) return "booted";
	if (w->run != r->s.run || memcmp(w->tag, r->s.tag, 16) != 0) return "another writer";
	int64_t now = r->env->now_ms(r->env->ctx), boot_before = w->wall_ms - w->wall_less_boot_ms,
	        passed = r->env->boot_ms(r->env->ctx) - boot_before;
	bool ahead = now - w->wall_ms > passed + CLOCK_SHIFT_MAX_MS,
	     set_back = w->wall_ms - now > passed + CLOCK_SHIFT_MAX_MS;
	return ahead || set_back ? "clock" : NULL;
}

/* Clocks go into the nonce with what is drawn: the random numbers of a resumed machine image may be those of the first time. */
static int draw_run(struct replica *r, const char *why)
{
	uint8_t drawn[16];
	int64_t clocks[2] = {r->env->now_ms(r->env->ctx), r->env->boot_ms(r->env->ctx)};
	struct hash h;
	r->env->random(r->env->ctx, drawn, sizeof(drawn));
	hash_begin(&h, sizeof(r->s.nonce));
	hash_add(&h, drawn, sizeof(drawn));
	hash_add(&h, clocks, sizeof(clocks));
	hash_end(&h, r->s.nonce, sizeof(r->s.nonce));
	r->s.run = run_of(r->id->origin, r->s.nonce);
	r->s.runs++;
	r->s.last_stamp = 0; /* stamps count up within a run only */
	env_trace(r->env, "run drawn: %s, number %" PRId64, why, r->s.runs);
	int rc = store_run_add(r->st, r->s.run, r->id->origin, r->s.nonce, &r->s.run_ord);
	return rc ? engine_fail(r, rc) : 0;
}

int engine_went_back(struct replica *r)
{
	int rc = draw_run(r, "the journal went back");
	rc = rc ? rc : store_meta_put(r->st, "back", span_of(&r->s.run, sizeof(r->s.run)));
	return rc ? engine_fail(r, rc) : 0;
}

int engine_new_run(struct replica *r, const char *why)
{
	return draw_run(r, why);
}

static int guard(struct replica *r)
{
	struct witness w;
	uint8_t boot[16];
	r->env->boot_id(r->env->ctx, boot);
	const char *why = r->s.run ? "booted" : "the first"; /* no witness outlives a boot */
	if (r->env->witness_read(r->env->ctx, &w)) why = witness_objects(r, &w, boot);
	return why ? draw_run(r, why) : 0;
}

int replica_begin(struct replica *r)
{
	arena_reset(&r->tx);
	r->seen = NULL;
	arena_reset(&r->scratch);
	memset(&r->err, 0, sizeof(r->err));
	r->admitting = NULL;
	privacy_forget(r); /* another process may have written */
	int rc = store_begin(r->st);
	if (rc) return engine_fail(r, rc);
	rc = state_load(r);
	rc = rc ? rc : identity_load(r);
	rc = rc ? rc : guard(r);
	int64_t parked = 0;
	rc = rc ? rc : store_parked_count(r->st, &parked);
	r->parked_any = parked > 0;
	/* Before an upgrade, which reads rows: one that does not read would end every begin there. */
	if (!rc && r->hurt.set) rc = repair_hurt(r);
	rc = rc ? rc : engine_upgrade(r);
	if (rc) {
		engine_fail(r, rc);
		replica_rollback(r);
	}
	return rc;
}

int replica_look(struct replica *r, bool *ret_within)
{
	*ret_within = store_in_transaction(r->st);
	if (*ret_within) return 0;
	arena_reset(&r->scratch);
	int rc = store_begin_read(r->st);
	if (rc) return engine_fail(r, rc);
	rc = state_load(r);
	rc = rc ? rc : identity_load(r);
	if (rc) {
		engine_fail(r, rc);
		replica_look_end(r, false);
	}
	return rc;
}

void replica_look_end(struct replica *r, bool within)
{
	if (!within && store_in_transaction(r->st)) store_rollback(r->st);
}

int replica_commit(struct replica *r)
{
	struct witness w = {.run = r->s.run,
	                    .wall_less_boot_ms = clock_shift(r),
	                    .wall_ms = r->env->now_ms(r->env->ctx)};
	r->env->random(r->env->ctx, r->s.tag, sizeof(r->s.tag));
	memcpy(w.tag, r->s.tag, sizeof(w.tag));
	r->env->boot_id(r->env->ctx, w.boot);
	int rc = r->stale ? engine_feeds(r) : 0;
	r->stale = false;
	rc = rc ? rc : engine_erase(r);
	rc = rc ? rc : state_save(r);
	if (!rc) {
		/* Before the commit: if the commit fails, or the machine stops between the two, the next begin finds no
		 * match and draws a new run, which costs nothing. */
		r->env->witness_write(r->env->ctx, &w);
		rc = store_commit(r->st);
	}
	if (rc) {
		engine_fail(r, rc);
		replica_rollback(r);
	}
	return rc;
}

void replica_rollback(struct replica *r)
{
	struct error why = r->err;
	if (store_in_transaction(r->st)) store_rollback(r->st);
	/* What the transaction had got to is undone too: who looks now sees what there is. */
	if (state_load(r) || identity_load(r)) env_trace(r->env, "state unread after a rollback");
	r->err = why;
	r->admitting = NULL;
	r->seen = NULL;
	r->stale = false;
	privacy_forget(r);
	heads_forget(r);
}

uint64_t engine_stamp(struct replica *r)
{
	uint64_t wall = stamp_of_ms(r->env->now_ms(r->env->ctx));
	/* A clock may say anything: there is room above whatever it says. */
	if (wall > STAMP_WALL_MAX) wall = STAMP_WALL_MAX;
	r->s.last_stamp = wall > r->s.last_stamp ? wall : r->s.last_stamp + 1;
	assert(r->s.last_stamp <= STAMP_MAX);
	return r->s.last_stamp;
}

/* ---- what it is */

struct store *replica_store(struct replica *r)
{
	return r->st;
}

const struct env *replica_env(struct replica *r)
{
	return r->env;
}

const struct identity *replica_identity(const struct replica *r)
{
	return r->id;
}

const struct error *replica_error(const struct replica *r)
{
	return &r->err;
}

const struct cert *replica_cert(const struct replica *r)
{
	return r->has_cert ? &r->cert : NULL;
}

uint64_t replica_run(const struct replica *r)
{
	return r->s.run;
}

uint32_t replica_own_scope(const struct replica *r)
{
	return r->own_scope;
}

bool replica_is_hub(const struct replica *r)
{
	return r->has_cert && r->cert.role == CERT_HUB;
}

bool engine_custodian(const struct replica *r)
{
	return replica_is_hub(r) && (r->cert.lanes >> LANE_COUNTY & 1);
}

int engine_scope_id(struct replica *r, uint32_t ord, uint8_t ret[16])
{
	struct scope s;
	int rc = store_scope_get(r->st, ord, &s);
	if (rc) return engine_fail(r, rc);
	memcpy(ret, s.id, 16);
	return 0;
}

int engine_cert_of(struct replica *r, const uint8_t origin[16], struct cert *ret, bool *ret_known)
{
	struct cert_row *row;
	*ret_known = false;
	int rc = store_cert_by_origin(r->st, origin, &r->scratch, &row);
	if (rc || !row) return rc ? engine_fail(r, rc) : 0;
	rc = cert_open(row->body, ret, &r->err);
	*ret_known = !rc;
	return rc;
}

bool replica_parent(struct replica *r, struct cert *ret)
{
	static const uint8_t zero[16];
	struct cert_row *row, *newest;
	struct arena a;
	if (!r->has_cert || !memcmp(r->cert.issuer, zero, 16)) return false;
	arena_init(&a, 0);
	bool found = !store_cert_by_id(r->st, r->cert.issuer, &a, &row) && row &&
	             !store_cert_by_origin(r->st, row->origin, &a, &newest) && newest &&
	             !cert_open(newest->body, ret, NULL) && ret->role == CERT_HUB;
	arena_done(&a);
	return found;
}

bool replica_is_parent_of(const struct replica *r, const struct cert *peer)
{
	return replica_is_hub(r) && replica_is_own(r, peer->issuer);
}

bool replica_is_own(const struct replica *r, const uint8_t cert_id[16])
{
	struct cert_row *row = NULL;
	struct arena a;
	for (size_t i = 0; i < r->own_certs_count; i++)
		if (!memcmp(r->own_certs[i], cert_id, 16)) return true;
	if (r->own_certs_count < OWN_CERTS_MAX) return false;
	/* The list has the newest; a child of before those is ours as well. */
	arena_init(&a, 0);
	bool own = !store_cert_by_id(r->st, cert_id, &a, &row) && row &&
	           !memcmp(row->origin, r->id->origin, 16);
	arena_done(&a);
	return own;
}

/* ---- certificates */

static int cert_keep(struct replica *r, const struct cert *c, struct span body)
{
	struct cert_row row = {.role = c->role,
	                       .lanes = c->lanes,
	                       .not_before_ms = c->not_before_ms,
	                       .not_after_ms = c->not_after_ms,
	                       .body = body};
	memcpy(row.id, c->id, 16);
	origin_of(c->origin_key, row.origin);
	memcpy(row.link, c->link_key, 32);
	memcpy(row.issuer, c->issuer, 16);
	memcpy(row.unit, c->unit, 16);
	int rc = store_cert_put(r->st, &row);
	return rc ? engine_fail(r, rc) : engine_cert_came(r, c);
}

static int cert_journal(struct replica *r, const struct cert *c, struct span body, uint32_t from,
                        bool *ret_new)
{
	struct entry e = {.kind = ENTRY_CERT, .lane = LANE_OPEN, .from = from, .head = body};
	int64_t recv;
	int rc = store_scope_ord(r->st, c->unit, true, &e.scope);
	if (rc) return engine_fail(r, rc);
	origin_of(c->origin_key, e.origin);
	hash_of(body, e.hash, sizeof(e.hash));
	rc = store_journal_append(r->st, &e, 1, &recv);
	if (ret_new) *ret_new = recv != 0;
	return rc ? engine_fail(r, rc) : 0;
}

/* A device has one who answers for it: another certificate for its keys counts only if it comes from the same issuer or from
 * one who stands above him.  Else any hub could make itself the judge of another's devices, or end their links. */
static int cert_rivals(struct replica *r, const struct cert *c, const struct cert_row *issuer,
                       const struct cert_row *known, bool *ret)
{
	struct cert_row *was;
	struct cert before;
	uint8_t origin[16];
	*ret = false;
	if (!known || !issuer || !memcmp(known->id, c->id, 16) || known->revoked_ms) return 0;
	if (issuer->role == CERT_ROOT) return 0; /* no root comes in here but ours and its spare */
	origin_of(c->origin_key, origin);
	*ret = memcmp(known->origin, origin, 16) != 0; /* one link, two devices */
	if (*ret) return 0;
	int rc = store_cert_by_id(r->st, known->issuer, &r->scratch, &was);
	if (rc || (was && !memcmp(was->origin, issuer->origin, 16))) return rc;
	rc = cert_open(known->body, &before, &r->err);
	bool above = false;
	rc = rc ? rc : engine_stands_above(r, issuer->origin, &before, &above);
	*ret = !above;
	return rc;
}

static void rival_key(const uint8_t origin[16], char ret[64])
{
	char hex[33];
	hex_text(origin, 16, hex);
	snprintf(ret, 64, "rival/%s", hex);
}

/* What this device signs may come by honest hands, from where nobody knew better: it is dropped, and no link ends for it. */
static int rival_note(struct replica *r, const uint8_t origin[16])
{
	static const uint8_t yes[1] = {1};
	char key[64];
	rival_key(origin, key);
	return store_meta_put(r->st, key, span_of(yes, sizeof(yes)));
}

int engine_rival(struct replica *r, const uint8_t origin[16], bool *ret)
{
	char key[64];
	struct span m;
	rival_key(origin, key);
	int rc = store_meta_get(r->st, key, &r->scratch, &m);
	*ret = !rc && m.len;
	return rc ? engine_fail(r, rc) : 0;
}

/* The root that we trust: the one pinned at joining, or its spare once that was used. */
static int root_of_ours(struct replica *r, struct cert *ret, bool *ret_known)
{
	struct cert_row *row = NULL;
	struct cert spare = {0};
	struct span m;
	*ret_known = false;
	int rc = store_meta_get(r->st, "root", &r->scratch, &m);
	if (rc || m.len != 32) return rc;
	rc = store_cert_by_origin(r->st, m.p, &r->scratch, &row);
	if (!rc && row) rc = cert_open(row->body, ret, &r->err);
	*ret_known = !rc && row && ret->role == CERT_ROOT;
	if (!*ret_known || id_is_zero(ret->before)) return rc;
	rc = store_cert_by_origin(r->st, ret->before, &r->scratch, &row);
	if (!rc && row) rc = cert_open(row->body, &spare, &r->err);
	if (!rc && row && spare.role == CERT_ROOT) *ret = spare;
	return rc;
}

/* A root comes with joining; later only the spare that the pinned one names. */
static int take_root(struct replica *r, const struct cert *c, struct span body, uint32_t from,
                     bool *ret_new)
{
	struct cert ours;
	struct cert_row *row;
	uint32_t unit;
	bool known;
	int rc = cert_check_issued(c, c, &r->err);
	if (rc) return rc;
	rc = store_cert_by_id(r->st, c->id, &r->scratch, &row);
	if (rc || row) return rc ? engine_fail(r, rc) : 0;
	rc = root_of_ours(r, &ours, &known);
	if (rc) return engine_fail(r, rc);
	if (!known || !cert_names_spare(&ours, c->origin_key) ||
	    memcmp(ours.unit, c->unit, 16) != 0)
		return error_set(&r->err, ERR_UNKNOWN_ORIGIN, "",
		                 "a root that is neither ours nor its spare");
	env_trace(r->env, "certificate: the spare root is in use");
	rc = store_scope_ord(r->st, c->unit, true, &unit);
	rc = rc ? engine_fail(r, rc) : cert_keep(r, c, body);
	return rc ? rc : cert_journal(r, c, body, from, ret_new);
}

/* Once the spare is in use the root before it issues nothing any more: it is lost, or in foreign hands. */
static int left_root(struct replica *r, const struct cert *issuer, bool *ret)
{
	struct cert ours;
	bool known;
	*ret = false;
	if (issuer->role != CERT_ROOT) return 0;
	int rc = root_of_ours(r, &ours, &known);
	*ret = !rc && known && memcmp(ours.id, issuer->id, 16) != 0;
	return rc;
}

/* A newer certificate for our own keys is ours from now on; but not before that which issued it is here, or nobody would
 * know any more who our parent is. */
static int adopt_own(struct replica *r, const struct cert *c, const struct cert_row *issuer,
                     struct span body)
{
	if (memcmp(c->issuer, issuer->id, 16) != 0) return 0;
	if (!r->has_cert || memcmp(c->origin_key, r->id->sign_public, 32) != 0 ||
	    memcmp(c->link_key, r->id->link_public, 32) != 0 || c->role != r->cert.role ||
	    memcmp(c->unit, r->cert.unit, 16) != 0 || c->not_before_ms <= r->cert.not_before_ms)
		return 0;
	if (r->own_certs_count == OWN_CERTS_MAX) {
		memmove(r->own_certs[1], r->own_certs[2],
		        (OWN_CERTS_MAX - 2) * sizeof(r->own_certs[0]));
		r->own_certs_count--;
	}
	memcpy(r->own_certs[r->own_certs_count++], c->id, 16);
	env_trace(r->env, "certificate: ours was renewed");
	int rc = store_meta_put(r->st, "own_certs", span_of(r->own_certs, r->own_certs_count * 16));
	rc = rc ? rc : store_meta_put(r->st, "cert", body);
	return rc ? engine_fail(r, rc) : identity_load(r);
}

/* Who joined after a hub above was renewed, perhaps by the spare root, does not know by which certificate it issued earlier
 * ones; and who was away does not know by which it issues now.  The key is the same: what it signs is good. */
static int signer_in_chain(struct replica *r, const struct cert *c, struct cert *ret,
                           bool *ret_found)
{
	struct span chain[CERT_CHAIN_MAX];
	size_t n = 0;
	*ret_found = false;
	int rc = replica_chain(r, &r->scratch, chain, &n);
	for (size_t i = 0; i < n && !rc && !*ret_found; i++) {
		rc = cert_open(chain[i], ret, &r->err);
		*ret_found = !rc && ret->role == CERT_HUB && cert_signed_by(c, ret->origin_key) &&
		             (c->role == CERT_HUB || !(c->lanes & (uint8_t)~ret->lanes));
	}
	return rc;
}

int engine_climb(struct replica *r, struct climb *c)
{
	struct cert of, issuer;
	bool found;
	struct cert_row *last = c->at;
	int rc =
	        store_cert_by_id(r->st, last ? last->issuer : c->from->issuer, &r->scratch, &c->at);
	if (rc) return engine_fail(r, rc);
	if (c->at || (last ? last->role : c->from->role) == CERT_ROOT) return 0;
	if (last) rc = cert_open(last->body, &of, &r->err);
	rc = rc ? rc : signer_in_chain(r, last ? &of : c->from, &issuer, &found);
	if (rc || !found) return rc;
	rc = store_cert_by_id(r->st, issuer.id, &r->scratch, &c->at);
	return rc ? engine_fail(r, rc) : 0;
}

/* Of a hub of which a newer certificate is here, an earlier one that nothing here vouches for is of no use: *ret_skip. */
static int earlier_issuer(struct replica *r, const struct cert *c, struct cert *ret,
                          bool *ret_found, bool *ret_skip)
{
	struct cert newer;
	uint8_t origin[16];
	bool known;
	*ret_skip = false;
	int rc = signer_in_chain(r, c, ret, ret_found);
	if (rc || *ret_found) return rc;
	origin_of(c->origin_key, origin);
	rc = engine_cert_of(r, origin, &newer, &known);
	*ret_skip = !rc && known && newer.not_before_ms > c->not_before_ms;
	return rc;
}

/* From a peer: taken only if its issuer is known here. */
int engine_take_cert(struct replica *r, struct span body, uint32_t from, bool *ret_new)
{
	struct cert c, issuer;
	struct cert_row *row, *same;
	uint8_t origin[16];
	uint32_t unit;
	bool rival = false;
	int rc = cert_open(body, &c, &r->err);
	if (rc) return rc;
	if (c.role == CERT_ROOT) return take_root(r, &c, body, from, ret_new);
	rc = store_cert_by_id(r->st, c.issuer, &r->scratch, &row);
	if (rc) return engine_fail(r, rc);
	bool found = row != NULL, skip = false;
	if (!row) rc = earlier_issuer(r, &c, &issuer, &found, &skip);
	if (rc || skip) return rc;
	if (!found)
		return error_set(&r->err, ERR_UNKNOWN_ORIGIN, "",
		                 "a certificate whose issuer is not known here");
	if (!row) { /* by an earlier certificate of this issuer */
		rc = store_cert_by_id(r->st, issuer.id, &r->scratch, &row);
		if (!rc && !row)
			return error_set(&r->err, ERR_CERT_BAD, "", "a chain that is not whole");
	} else {
		rc = cert_open(row->body, &issuer, &r->err);
		rc = rc ? rc : cert_check_issued(&c, &issuer, &r->err);
	}
	if (rc) return rc;
	origin_of(c.origin_key, origin);
	bool left = false;
	rc = store_cert_by_id(r->st, c.id, &r->scratch, &same);
	if (!rc && !same) rc = left_root(r, &issuer, &left);
	if (rc) return engine_fail(r, rc);
	if (left) {
		engine_alarm(r, "a certificate of a root that its spare has replaced");
		return 0;
	}
	rc = store_cert_by_origin(r->st, origin, &r->scratch, &same);
	rc = rc ? rc : cert_rivals(r, &c, row, same, &rival);
	if (!rc && !rival) rc = store_cert_by_link(r->st, c.link_key, &r->scratch, &same);
	if (!rc && !rival) rc = cert_rivals(r, &c, row, same, &rival);
	rc = rc ? rc : engine_scope_named(r, c.unit, row->origin, &unit);
	bool below = false;
	if (!rc && !rival && unit && r->has_cert)
		rc = engine_stands_above(r, r->id->origin, &issuer, &below);
	if (!rc && below) rc = engine_outside_hub(r, &issuer, unit, &rival);
	if (!rc && (rival || !unit) && from) rc = rival_note(r, origin);
	if (rc) return engine_fail(r, rc);
	if (rival && !from)
		return error_set(&r->err, ERR_CERT_BAD, "",
		                 "another hub answers for this device or its link");
	if (rival) engine_alarm(r, "a certificate for what its issuer does not answer for");
	if (rival || !unit) return 0;
	rc = cert_keep(r, &c, body);
	rc = rc ? rc : adopt_own(r, &c, row, body);
	return rc ? rc : cert_journal(r, &c, body, from, ret_new);
}

int replica_issuer(struct replica *r, struct span body, struct arena *a, struct span *ret)
{
	struct cert_row *row = NULL;
	struct cert c;
	*ret = span_of(NULL, 0);
	int rc = cert_open(body, &c, &r->err);
	if (rc || !memcmp(c.issuer, r->cert.id, 16)) return rc;
	rc = store_cert_by_id(r->st, c.issuer, a, &row);
	if (!rc && row) *ret = row->body;
	return rc ? engine_fail(r, rc) : 0;
}

int replica_chain(struct replica *r, struct arena *a, struct span ret[CERT_CHAIN_MAX],
                  size_t *ret_count)
{
	uint8_t id[16];
	size_t n = 0;
	*ret_count = 0;
	if (!r->has_cert) return 0;
	memcpy(id, r->cert.id, 16);
	while (n < CERT_CHAIN_MAX) {
		struct cert_row *row;
		int rc = store_cert_by_id(r->st, id, a, &row);
		if (rc) return engine_fail(r, rc);
		if (!row) break;
		ret[n++] = row->body;
		if (row->role == CERT_ROOT) break;
		memcpy(id, row->issuer, 16);
	}
	*ret_count = n;
	return 0;
}

int64_t replica_cert_end(struct replica *r)
{
	int64_t end = r->env->now_ms(r->env->ctx) + r->cert_life_ms;
	return end < r->cert.not_after_ms ? end : r->cert.not_after_ms;
}

bool engine_cert_due(const struct cert *c, int64_t now_ms)
{
	return now_ms > c->not_after_ms - (c->not_after_ms - c->not_before_ms) / 4;
}

/* The same device, unit, role, level and lanes. */
static int renew(struct replica *r, struct cert *c)
{
	struct buf b;
	int64_t day = (int64_t)24 * 3600 * 1000, from = r->env->now_ms(r->env->ctx) - day;
	if (from <= c->not_before_ms) from = c->not_before_ms + 1; /* the newest counts */
	if (from < r->cert.not_before_ms) from = r->cert.not_before_ms;
	c->not_before_ms = from;
	c->not_after_ms = replica_cert_end(r);
	memcpy(c->issuer, r->cert.id, 16);
	if (c->role == CERT_NODE) c->lanes &= r->cert.lanes;
	buf_init(&b, CERT_BYTES_MAX);
	int rc = cert_make(c, r->id->sign_secret, &b, &r->err);
	rc = rc ? rc : replica_enrol(r, buf_span(&b));
	buf_done(&b);
	engine_feed_changed(r); /* of one that had run out: it gets everything again */
	env_trace(r->env, "certificate: renewed a child's");
	return rc;
}

int replica_renew(struct replica *r, const uint8_t origin[16], const char *endpoint,
                  struct arena *a, struct span *ret_body)
{
	struct cert_row *row;
	struct cert c, next;
	int rc = store_cert_by_origin(r->st, origin, a, &row);
	if (rc) return engine_fail(r, rc);
	if (!row || !replica_is_own(r, row->issuer))
		return error_set(&r->err, ERR_UNKNOWN_ORIGIN, "", "not a device of this hub");
	rc = cert_open(row->body, &c, &r->err);
	next = c;
	bool moved = c.role == CERT_HUB && endpoint[0] && strcmp(endpoint, c.endpoint) != 0;
	if (moved) snprintf(next.endpoint, sizeof(next.endpoint), "%s", endpoint);
	bool longer = engine_cert_due(&c, r->env->now_ms(r->env->ctx)) &&
	              replica_cert_end(r) > c.not_after_ms;
	bool able = !row->revoked_ms && replica_cert_end(r) > c.not_before_ms + 1 &&
	            replica_cert_end(r) > r->env->now_ms(r->env->ctx);
	if (!rc && able && (moved || longer)) {
		rc = renew(r, &next);
		if (rc == -ERR_CERT_BAD)
			rc = 0; /* a name that no certificate holds: the one there is stays */
		rc = rc ? rc : store_cert_by_origin(r->st, origin, a, &row);
	}
	if (!rc) *ret_body = row->body;
	return rc ? engine_fail(r, rc) : 0;
}

static int by_origin(const void *a, const void *b)
{
	const struct cert_row *x = a, *y = b;
	int d = memcmp(x->origin, y->origin, 16);
	if (d) return d;
	return (x->not_before_ms < y->not_before_ms) - (x->not_before_ms > y->not_before_ms);
}

static int by_id(const void *a, const void *b)
{
	return memcmp(((const struct cert_row *)a)->id, ((const struct cert_row *)b)->id, 16);
}

int replica_children(struct replica *r, struct arena *a, struct cert_row **ret, size_t *ret_count)
{
	size_t count = 0, n = 0;
	*ret_count = 0;
	int rc = store_certs(r->st, a, ret, &count);
	if (rc || !count) return rc ? engine_fail(r, rc) : 0;
	struct cert_row *rows = *ret;
	qsort(rows, count, sizeof(*rows), by_origin);
	for (size_t i = 0; i < count; i++) {
		bool newest = !i || memcmp(rows[i].origin, rows[i - 1].origin, 16) != 0;
		if (newest && replica_is_own(r, rows[i].issuer) &&
		    memcmp(rows[i].origin, r->id->origin, 16) != 0)
			rows[n++] = rows[i];
	}
	qsort(rows, n, sizeof(*rows), by_id);
	*ret_count = n;
	return 0;
}

int replica_recertify(struct replica *r, const struct span *chain, size_t count)
{
	struct cert own;
	bool fresh;
	if (count < 2 || count > CERT_CHAIN_MAX)
		return error_set(&r->err, ERR_CERT_BAD, "", "a chain of %zu certificates", count);
	int rc = cert_open(chain[0], &own, &r->err);
	for (size_t i = count; i-- && !rc;) rc = engine_take_cert(r, chain[i], 0, &fresh);
	if (!rc && (!r->has_cert || memcmp(r->cert.id, own.id, 16) != 0))
		rc = error_set(&r->err, ERR_CERT_BAD, "",
		               "not a newer certificate for the keys and unit of this hub");
	return rc ? rc : engine_feeds(r);
}

int replica_enrol(struct replica *r, struct span body)
{
	bool fresh;
	struct trail_record t = {.verb = TRAIL_ENROL};
	struct cert cert;
	int rc = engine_take_cert(r, body, 0, &fresh);
	if (!rc && !cert_open(body, &cert, NULL)) origin_of(cert.origin_key, t.id);
	rc = rc ? rc : trail_add(r, &t);
	return rc ? rc : engine_feeds(r);
}

int replica_readmit(struct replica *r, struct span body, const uint8_t link_key[32])
{
	struct cert c;
	struct cert_row *row;
	if (!replica_is_hub(r)) return error_set(&r->err, ERR_NOT_JOINED, "", "this is no hub");
	int rc = cert_open(body, &c, &r->err);
	if (rc) return rc;
	if (!replica_is_own(r, c.issuer))
		return error_set(&r->err, ERR_UNKNOWN_ORIGIN, "",
		                 "a certificate that this hub has not given");
	struct cert own = {0};
	rc = store_cert_by_id(r->st, c.issuer, &r->scratch, &row);
	if (!rc && !row)
		rc = error_set(&r->err, ERR_UNKNOWN_ORIGIN, "", "our own certificate is missing");
	if (!rc && row) rc = cert_open(row->body, &own, &r->err);
	rc = rc ? rc : cert_check_issued(&c, &own, &r->err);
	if (rc) return rc;
	if (memcmp(c.link_key, link_key, 32) != 0)
		return error_set(&r->err, ERR_CERT_BAD, "", "the certificate of another device");
	/* Its end is no matter here: a hub whose clock is wrong would lock out all whom it has forgotten, and what an expired
	 * device may do is the same whether the hub has forgotten it or not. */
	rc = store_cert_by_id(r->st, c.id, &r->scratch, &row);
	if (rc) return engine_fail(r, rc);
	if (row) return row->revoked_ms ? error_set(&r->err, ERR_REVOKED, "", "it was revoked") : 0;
	env_trace(r->env, "readmitted: a device enrolled before this hub was restored");
	return replica_enrol(r, body);
}

int replica_join(struct replica *r, const struct span *chain, size_t count,
                 const uint8_t root_fingerprint[32])
{
	struct cert certs[CERT_CHAIN_MAX];
	if (count < 1 || count > CERT_CHAIN_MAX)
		return error_set(&r->err, ERR_CERT_BAD, "", "a chain of %zu certificates", count);
	int rc = 0;
	for (size_t i = 0; i < count && !rc; i++) rc = cert_open(chain[i], &certs[i], &r->err);
	rc = rc ? rc : cert_check_chain(certs, count, root_fingerprint, &r->err);
	if (!rc && memcmp(certs[0].origin_key, r->id->sign_public, 32) != 0)
		rc = error_set(&r->err, ERR_CERT_BAD, "", "the certificate is for another device");
	for (size_t i = count; i-- && !rc;) rc = cert_keep(r, &certs[i], chain[i]);
	/* What was written before joining gets its org unit: rows, tail and hashes hold the scope's ordinal. */
	uint32_t known;
	rc = rc ? rc : store_scope_ord(r->st, certs[0].unit, false, &known);
	if (!rc && !known) rc = store_scope_set_id(r->st, r->own_scope, certs[0].unit);
	rc = rc ? rc : store_meta_put(r->st, "own_scope", span_of(certs[0].unit, 16));
	rc = rc ? rc : store_meta_put(r->st, "cert", chain[0]);
	rc = rc ? rc : store_meta_put(r->st, "own_certs", span_of(certs[0].id, 16));
	rc = rc ? rc : store_meta_put(r->st, "root", span_of(root_fingerprint, 32));
	rc = rc ? rc : identity_load(r);
	if (!rc && replica_is_hub(r)) /* a hub's own certificate travels as its children's do */
		rc = cert_journal(r, &certs[0], chain[0], 0, NULL);
	rc = rc ? engine_fail(r, rc) : engine_feeds(r);
	/* A hub's people may have recorded before it was one: nobody counted for them. */
	return rc || !replica_is_hub(r) ? rc : repair_recount(r, r->own_scope);
}

/* ---- scopes: parents from the org tree, feeds from the children */

struct tree {
	struct scope *scopes; /* by ordinal, scopes[i].ord == i + 1 or gaps */
	size_t count;
	uint32_t *index; /* ordinal -> place + 1 */
	uint32_t ord_max;
	bool *child; /* by place: an enrolled child of ours stands here */
};

static struct scope *tree_at(const struct tree *t, uint32_t ord)
{
	return ord && ord <= t->ord_max && t->index[ord] ? &t->scopes[t->index[ord] - 1] : NULL;
}

static int tree_load(struct replica *r, struct tree *t)
{
	int rc = store_scopes(r->st, &r->scratch, &t->scopes, &t->count);
	if (rc) return rc;
	for (size_t i = 0; i < t->count; i++)
		if (t->scopes[i].ord > t->ord_max) t->ord_max = t->scopes[i].ord;
	t->index = arena_take(&r->scratch, sizeof(*t->index) * (t->ord_max + 1));
	t->child = arena_take(&r->scratch, sizeof(*t->child) * (t->count + 1));
	for (size_t i = 0; i < t->count; i++) t->index[t->scopes[i].ord] = (uint32_t)i + 1;
	struct cert_row *certs;
	size_t certs_count;
	rc = store_certs(r->st, &r->scratch, &certs, &certs_count);
	for (size_t i = 0; i < certs_count && !rc; i++) {
		uint32_t ord;
		if (!r->has_cert || !replica_is_own(r, certs[i].issuer)) continue;
		rc = store_scope_ord(r->st, certs[i].unit, false, &ord);
		struct scope *s = tree_at(t, ord);
		if (!rc && s) t->child[t->index[ord] - 1] = true;
	}
	return rc;
}

/* The enrolled child at or above a scope, below ourselves; else the scope itself. */
static uint32_t tree_feed(const struct replica *r, const struct tree *t, const struct scope *s)
{
	const struct scope *at = s;
	for (unsigned depth = 0; at && depth < 12 && at->ord != r->own_scope; depth++) {
		if (t->child[t->index[at->ord] - 1]) return at->ord;
		at = tree_at(t, at->parent);
	}
	return s->ord;
}

int engine_feeds(struct replica *r)
{
	struct tree t = {0};
	int rc = tree_load(r, &t);
	for (size_t i = 0; i < t.count && !rc; i++) {
		uint32_t feed = tree_feed(r, &t, &t.scopes[i]);
		if (feed == t.scopes[i].feed) continue;
		rc = store_scope_set_feed(r->st, t.scopes[i].ord, feed);
		engine_feed_changed(r);
	}
	return rc ? engine_fail(r, rc) : 0;
}

/* Feed of one scope after its parent became known, by walking up; those below it follow when there are any. */
int engine_org_changed(struct replica *r, const uint8_t unit[16])
{
	struct lane_state l;
	const struct table *t = schema_table(store_schema(r->st), TABLE_ORG_UNIT);
	const struct field *f = t ? table_field_named(t, "parent") : NULL;
	if (!f) return 0;
	int rc = lane_load(r, TABLE_ORG_UNIT, LANE_OPEN, unit, &l);
	if (rc || !l.exists) return rc;
	uint32_t own, parent = 0;
	struct scope s;
	struct value p = l.v[field_slot(f)];
	rc = store_scope_ord(r->st, unit, true, &own);
	if (!rc && p.type == VALUE_BYTES && p.s.len == 16)
		rc = store_scope_ord(r->st, p.s.p, true, &parent);
	rc = rc ? rc : store_scope_get(r->st, own, &s);
	if (rc) return engine_fail(r, rc);
	if (parent == own) parent = 0; /* never a loop, whatever the tree says */
	if (s.parent == parent) return 0;
	rc = store_scope_set_parent(r->st, own, parent);
	if (rc) return engine_fail(r, rc);
	if (!replica_is_hub(r)) return 0;
	/* Nearest enrolled child above: its feed tells, as parents are merged before their children in an import; a
	 * tree that comes in another order is put right by engine_feeds after the apply. */
	r->stale = true;
	return 0;
}
