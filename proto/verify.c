/*
 * verify.c - the whole of a replica checked against itself: database, rolling hash, chains, signatures, rows held
 * against the journal, state hashes and truth of figures recomputed from the rows.
 */
#include "common/base.h"

#include "proto/engine.h"

#include "common/ident.h"

struct verifying {
	struct replica *r;
	struct buf *report;
	int64_t findings;
	void (*progress)(void *ctx, int64_t done, int64_t of);
	void *ctx;
	int64_t head;
	uint64_t *followed; /* a short hash of what each segment follows, in its stream */
	size_t followed_count, followed_room;
};

static void finding(struct verifying *v, const char *what, int64_t where)
{
	v->findings++;
	if (v->findings <= 200) buf_print(v->report, "%s at %" PRId64 "\n", what, where);
}

/* Two segments that follow the same one: their author's disk went back, or was copied.  Both are good, and people are told. */
static void note_followed(struct verifying *v, const struct entry *e)
{
	uint8_t parts[4 + 1];
	struct hash h;
	uint8_t name[8];
	for (unsigned i = 0; i < 4; i++) parts[i] = (uint8_t)(e->scope >> (8 * i));
	parts[4] = e->lane;
	hash_begin(&h, sizeof(name));
	hash_add(&h, e->origin, 16);
	hash_add(&h, parts, sizeof(parts));
	hash_add(&h, e->prev, 32);
	hash_end(&h, name, sizeof(name));
	if (v->followed_count == v->followed_room) {
		v->followed_room = v->followed_room * 2 + 1024;
		v->followed = mem_grow(v->followed, v->followed_room * sizeof(*v->followed));
	}
	memcpy(&v->followed[v->followed_count++], name, sizeof(name));
}

static int number_order(const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;
	return *a < *b ? -1 : *a > *b;
}

static int64_t forks_of(struct verifying *v)
{
	int64_t forks = 0;
	if (v->followed_count)
		qsort(v->followed, v->followed_count, sizeof(*v->followed), number_order);
	for (size_t i = 1; i < v->followed_count; i++)
		forks += v->followed[i] == v->followed[i - 1];
	return forks;
}

static int verify_segment(struct verifying *v, const struct entry *e, struct arena *a)
{
	struct segment s;
	struct cert author;
	struct error err = {0};
	static const uint8_t zero[32];
	bool known;
	bool before;
	note_followed(v, e);
	int rc = engine_cert_of(v->r, e->origin, &author, &known);
	if (rc) return rc;
	if (!known)
		finding(v, "segment without a certificate of its author", e->recv);
	else if (segment_open(e->head, e->body, &s, &err) ||
	         segment_check(&s, author.origin_key, a, &err))
		finding(v, "segment does not verify", e->recv);
	else if (memcmp(s.hash, e->hash, 32) != 0)
		finding(v, "segment hash differs from its place", e->recv);
	if (!memcmp(e->prev, zero, 32)) return 0;
	rc = segment_here(v->r, e->prev, &before);
	if (!rc && !before) finding(v, "segment without the one before it", e->recv);
	return rc;
}

static int verify_signed(struct verifying *v, const struct entry *e)
{
	struct cert by;
	struct error err = {0};
	bool known;
	if (e->kind == ENTRY_HOLE) {
		struct hole h;
		uint8_t hash[32], sign[64];
		if (hole_open(e->head, &h, hash, sign, &err)) {
			finding(v, "hole cannot be read", e->recv);
			return 0;
		}
		if (entry_is_segment(e)) {
			note_followed(v, e);
			if (!entry_sound(e)) finding(v, "restated segment is not whole", e->recv);
		}
		int rc = engine_cert_of(v->r, h.remover, &by, &known);
		if (!rc && (!known || entry_check_sign(e->head, by.origin_key, &err)))
			finding(v, "hole does not verify", e->recv);
		return rc;
	}
	int rc = engine_cert_of(v->r, e->origin, &by, &known);
	if (!rc && (!known || entry_check_sign(e->head, by.origin_key, &err)))
		finding(v, "admission does not verify", e->recv);
	return rc;
}

static int verify_journal(struct verifying *v)
{
	struct feed_filter everything = {.all = true, .lane_mask = 0xff};
	struct arena a;
	int64_t at = 0;
	uint8_t rolling[ROLLING_BYTES];
	int rc = store_journal_rolling(v->r->st, 0, rolling);
	arena_init(&a, 0);
	for (size_t n = 1; n && !rc;) {
		struct entry *entries;
		rc = store_journal_scan(v->r->st, &everything, at, 64, 4 * 1024 * 1024, &a,
		                        &entries, &n);
		for (size_t i = 0; i < n && !rc; i++) {
			struct hash h;
			uint8_t stored[ROLLING_BYTES];
			hash_begin(&h, ROLLING_BYTES);
			hash_add(&h, rolling, ROLLING_BYTES);
			hash_add(&h, entries[i].hash, 32);
			hash_end(&h, rolling, ROLLING_BYTES);
			rc = store_journal_rolling(v->r->st, entries[i].recv, stored);
			if (!rc && memcmp(stored, rolling, ROLLING_BYTES) != 0)
				finding(v, "rolling hash differs", entries[i].recv);
			if (!rc && entries[i].kind == ENTRY_SEGMENT)
				rc = verify_segment(v, &entries[i], &a);
			else if (!rc && (entries[i].kind == ENTRY_ADMISSION ||
			                 entries[i].kind == ENTRY_HOLE))
				rc = verify_signed(v, &entries[i]);
			at = entries[i].recv;
		}
		arena_reset(&a);
		arena_reset(&v->r->scratch);
		if (v->progress) v->progress(v->ctx, at, v->head);
	}
	arena_done(&a);
	return rc;
}

/* Rows against the journal, sums against the rows. */
static int verify_rows(struct verifying *v)
{
	struct audit x = {.look = true, .report = v->report};
	int rc = 0;
	/* In transactions, or each of some million small reads takes the file's locks anew. */
	bool within = store_in_transaction(v->r->st);
	while (!rc && !x.finished) {
		if (!within) rc = store_begin_read(v->r->st);
		rc = rc ? rc : replica_audit(v->r, &x);
		if (!within) store_rollback(v->r->st);
	}
	v->findings += x.found;
	return rc;
}

int replica_verify(struct replica *r, struct buf *report, int64_t *ret_findings, int64_t *ret_forks,
                   void (*progress)(void *ctx, int64_t done, int64_t of), void *ctx)
{
	struct verifying v = {.r = r, .report = report, .progress = progress, .ctx = ctx};
	uint8_t rolling[ROLLING_BYTES];
	struct buf db;
	buf_init(&db, 64 * 1024);
	int rc = store_check(r->st, &db);
	if (!rc && db.len) {
		v.findings++;
		buf_add(report, db.p, db.len);
		buf_text(report, "\n");
	}
	buf_done(&db);
	rc = rc ? rc : store_journal_head(r->st, &v.head, rolling);
	rc = rc ? rc : verify_journal(&v);
	rc = rc ? rc : verify_rows(&v);
	*ret_findings = v.findings;
	*ret_forks = forks_of(&v);
	free(v.followed);
	return rc ? engine_fail(r, rc) : 0;
}
