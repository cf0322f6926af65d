/*
 * store_sqlite_journal.c - journal, streams, tail, state hashes, and the small tables of the engine.
 *
 * A feed's walk reads one covering index per feed and merges them by position; an entry itself (its
 * body may be 256 KiB) is read only when it is sent.  Sums of 64 bits wrap as two's complement do, in
 * C: SQLite would turn an overflow into a float.
 */
#include "common/base.h"
#include "common/store_sqlite.h"

#include "common/crypt.h"

/* ---- state hashes */

void store_add_128(uint8_t sum[STATE_BYTES], const uint8_t delta[STATE_BYTES])
{
	unsigned carry = 0;

	for (size_t i = 0; i < STATE_BYTES; i++) {
		carry += (unsigned)sum[i] + delta[i];
		sum[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

static int get_state(struct store *st, uint32_t scope, unsigned lane, uint8_t ret[STATE_BYTES])
{
	sqlite3_stmt *s = query(st, Q_STATE_GET);
	int rc;

	bind_int(s, 1, scope);
	bind_int(s, 2, lane);
	rc = step(st, s);
	if (rc < 0) return rc;
	memset(ret, 0, STATE_BYTES);
	if (rc == 1) col_fixed(s, 0, ret, STATE_BYTES);
	sqlite3_reset(s);
	return 0;
}

int store_state_get(struct store *st, uint32_t scope, unsigned lane, uint8_t ret[STATE_BYTES])
{
	STORE_ENTER(st);
	if (later_sums(st) != 0) return -st->err.code;
	return get_state(st, scope, lane, ret);
}

int store_state_write(struct store *st, uint32_t scope, unsigned lane,
                      const uint8_t delta[STATE_BYTES])
{
	sqlite3_stmt *s = query(st, Q_STATE_PUT);
	uint8_t sum[STATE_BYTES];
	struct scope sc;
	int rc = store_scope_load(st, scope, &sc);

	if (rc == 0) rc = get_state(st, scope, lane, sum);
	if (rc != 0) return rc;
	store_add_128(sum, delta);
	bind_int(s, 1, scope);
	bind_int(s, 2, lane);
	bind_span(s, 3, sum, sizeof(sum));
	bind_int(s, 4, sc.feed);
	return step_done(st, s);
}

int store_state_add(struct store *st, uint32_t scope, unsigned lane,
                    const uint8_t delta[STATE_BYTES])
{
	STORE_ENTER_WRITE(st);
	return later_state(st, scope, lane, delta);
}

static int sum_state(struct store *st, sqlite3_stmt *s, uint8_t lane_mask, uint8_t sum[STATE_BYTES])
{
	uint8_t hash[STATE_BYTES];
	int rc;

	while ((rc = step(st, s)) == 1) {
		if ((lane_mask >> col_int(s, 0) & 1) == 0) continue;
		col_fixed(s, 1, hash, sizeof(hash));
		store_add_128(sum, hash);
	}
	return rc;
}

int store_state_sum(struct store *st, const uint32_t *feeds, const uint8_t *lane_masks,
                    size_t count, uint8_t ret[STATE_BYTES])
{
	uint8_t sum[STATE_BYTES] = {0};

	STORE_ENTER(st);
	if (later_sums(st) != 0) return -st->err.code;
	for (size_t i = 0; i < count; i++) {
		sqlite3_stmt *s = query(st, Q_STATE_OF_FEED);
		int rc;

		bind_int(s, 1, feeds[i]);
		rc = sum_state(st, s, lane_masks[i], sum);
		if (rc != 0) return rc;
	}
	memcpy(ret, sum, sizeof(sum));
	return 0;
}

int store_state_sum_all(struct store *st, uint8_t lane_mask, uint8_t ret[STATE_BYTES])
{
	uint8_t sum[STATE_BYTES] = {0};
	int rc;

	STORE_ENTER(st);
	if (later_sums(st) != 0) return -st->err.code;
	rc = sum_state(st, query(st, Q_STATE_ALL), lane_mask, sum);
	if (rc == 0) memcpy(ret, sum, sizeof(sum));
	return rc;
}

/* ---- tail and own streams */

int store_tail_add(struct store *st, const struct tail_item *item)
{
	sqlite3_stmt *s = query(st, Q_TAIL_ADD);

	struct span changeset;

	STORE_ENTER_WRITE(st);
	if (item->lane != LANE_OPEN && rest_ready(st) != 0) return -ERR_CLOSED;
	rest_begin(st);
	changeset = rest_tail(st, item);
	bind_int(s, 1, item->scope);
	bind_int(s, 2, item->lane);
	bind_int(s, 3, item->run);
	bind_span(s, 4, changeset.p, changeset.len);
	bind_int(s, 5, item->first);
	return step_done(st, s);
}

static void read_tail(sqlite3_stmt *s, void *item, struct arena *a)
{
	struct tail_item *t = item;

	t->id = col_int(s, 0);
	t->scope = col_u32(s, 1);
	t->run = col_u32(s, 2);
	t->lane = col_u8(s, 3);
	t->changeset = col_span(s, 4, a);
	t->first = col_int(s, 5) != 0;
}

int store_tail_all(struct store *st, struct arena *a, struct tail_item **ret, size_t *ret_count)
{
	int rc;

	STORE_ENTER(st);
	rc = read_all(st, query(st, Q_TAIL_ALL), sizeof(**ret), read_tail, a, ret, ret_count);
	return rc != 0 ? rc : rest_tail_open(st, *ret, *ret_count);
}

int store_tail_size(struct store *st, int64_t *ret_count, int64_t *ret_bytes)
{
	sqlite3_stmt *s = query(st, Q_TAIL_SIZE);
	int rc;

	STORE_ENTER(st);
	rc = step(st, s);
	if (rc < 0) return rc;
	*ret_count = col_int(s, 0);
	*ret_bytes = col_int(s, 1);
	if (st->rest.state != REST_NONE) *ret_bytes -= SEALED_MORE * col_int(s, 2);
	sqlite3_reset(s);
	return 0;
}

int store_tail_records(struct store *st, int64_t *ret_count)
{
	sqlite3_stmt *s = query(st, Q_TAIL_RECORDS);

	STORE_ENTER(st);
	return step_int(st, s, ret_count);
}

int store_tail_clear(struct store *st, int64_t id_max)
{
	sqlite3_stmt *s = query(st, Q_TAIL_CLEAR);

	STORE_ENTER_WRITE(st);
	bind_int(s, 1, id_max);
	return step_done(st, s);
}

int store_stream_get(struct store *st, uint32_t scope, unsigned lane, uint64_t *ret_next_seq,
                     uint8_t ret_hash[32])
{
	sqlite3_stmt *s = query(st, Q_STREAM_GET);
	int rc;

	STORE_ENTER(st);
	bind_int(s, 1, scope);
	bind_int(s, 2, lane);
	rc = step(st, s);
	if (rc < 0) return rc;
	*ret_next_seq = 1;
	memset(ret_hash, 0, 32);
	if (rc == 1) {
		*ret_next_seq = (uint64_t)col_int(s, 0);
		col_fixed(s, 1, ret_hash, 32);
	}
	sqlite3_reset(s);
	return 0;
}

int store_stream_put(struct store *st, uint32_t scope, unsigned lane, uint64_t next_seq,
                     const uint8_t hash[32])
{
	sqlite3_stmt *s = query(st, Q_STREAM_PUT);

	STORE_ENTER_WRITE(st);
	bind_int(s, 1, scope);
	bind_int(s, 2, lane);
	bind_int(s, 3, (int64_t)next_seq);
	bind_span(s, 4, hash, 32);
	return step_done(st, s);
}

/* ---- journal */

/* Before the first entry: BLAKE2b-16("jinguo journal" + the journal's id; zeros while it has none). */
static int rolling_start(struct store *st, uint8_t ret[ROLLING_BYTES])
{
	static const char what[] = "jinguo journal";
	sqlite3_stmt *s = query(st, Q_META_GET);
	uint8_t id[16] = {0};
	struct hash h;
	int rc;

	bind_text(s, 1, "journal_id");
	rc = step(st, s);
	if (rc < 0) return rc;
	if (rc == 1) col_fixed(s, 0, id, sizeof(id));
	sqlite3_reset(s);
	hash_begin(&h, ROLLING_BYTES);
	hash_add(&h, what, sizeof(what) - 1);
	hash_add(&h, id, sizeof(id));
	hash_end(&h, ret, ROLLING_BYTES);
	return 0;
}

static int journal_head(struct store *st, int64_t *ret_recv, uint8_t ret_rolling[ROLLING_BYTES])
{
	sqlite3_stmt *s = query(st, Q_JOURNAL_LAST);
	int rc;

	if (!st->in_transaction || !st->head_known) {
		rc = step(st, s);
		if (rc < 0) return rc;
		st->head_recv = 0;
		if (rc == 1) {
			st->head_recv = col_int(s, 0);
			col_fixed(s, 1, st->head_rolling, ROLLING_BYTES);
			sqlite3_reset(s);
		} else {
			rc = rolling_start(st, st->head_rolling);
			if (rc != 0) return rc;
		}
		st->head_known = st->in_transaction;
	}
	*ret_recv = st->head_recv;
	memcpy(ret_rolling, st->head_rolling, ROLLING_BYTES);
	return 0;
}

int store_journal_head(struct store *st, int64_t *ret_recv, uint8_t ret_rolling[ROLLING_BYTES])
{
	STORE_ENTER(st);
	return journal_head(st, ret_recv, ret_rolling);
}

static void bind_entry(struct store *st, sqlite3_stmt *s, const struct entry *e,
                       const uint8_t rolling[ROLLING_BYTES])
{
	struct span head = e->head, body = e->body;

	rest_begin(st);
	rest_entry(st, e->kind, e->lane, e->hash, &head, &body);
	bind_int(s, 1, e->recv);
	bind_int(s, 2, e->kind);
	bind_int(s, 3, e->lane);
	bind_int(s, 4, e->merged);
	bind_int(s, 5, e->scope);
	bind_int(s, 6, e->feed);
	bind_int(s, 7, e->from);
	bind_span(s, 8, e->origin, sizeof(e->origin));
	bind_int(s, 9, (int64_t)e->seq_first);
	bind_int(s, 10, e->count);
	bind_int(s, 11, (int64_t)e->seal);
	bind_span(s, 12, e->hash, sizeof(e->hash));
	bind_span(s, 13, e->prev, sizeof(e->prev));
	bind_span(s, 14, rolling, ROLLING_BYTES);
	bind_span(s, 15, head.p, head.len);
	bind_span(s, 16, body.p, body.len);
}

static int append_one(struct store *st, struct entry *e, int64_t *ret_recv)
{
	sqlite3_stmt *s = query(st, Q_JOURNAL_ADD);
	uint8_t rolling[ROLLING_BYTES];
	struct scope sc;
	struct hash h;
	int64_t last;
	int rc;

	rc = e->lane != LANE_OPEN ? rest_ready(st) : 0;
	if (rc == 0) rc = store_scope_load(st, e->scope, &sc);
	if (rc == 0) rc = journal_head(st, &last, rolling);
	if (rc != 0) return rc;
	hash_begin(&h, ROLLING_BYTES);
	hash_add(&h, rolling, sizeof(rolling));
	hash_add(&h, e->hash, sizeof(e->hash));
	hash_end(&h, rolling, sizeof(rolling));
	e->recv = last + 1;
	e->feed = sc.feed;
	bind_entry(st, s, e, rolling);
	rc = step_done(st, s);
	if (rc != 0) return rc;
	*ret_recv = e->recv = sqlite3_changes(st->db) > 0 ? last + 1 : 0;
	if (e->recv == 0) return 0;
	st->head_recv = e->recv;
	memcpy(st->head_rolling, rolling, sizeof(rolling));
	return 0;
}

int store_journal_append(struct store *st, struct entry *entries, size_t count, int64_t *ret_recvs)
{
	STORE_ENTER_WRITE(st);
	for (size_t i = 0; i < count; i++) {
		int rc = append_one(st, &entries[i], &ret_recvs[i]);

		if (rc != 0) return rc;
	}
	return 0;
}

int store_journal_rolling(struct store *st, int64_t recv, uint8_t ret[ROLLING_BYTES])
{
	sqlite3_stmt *s = query(st, Q_JOURNAL_ROLLING);
	int rc;

	STORE_ENTER(st);
	if (recv == 0) return rolling_start(st, ret);
	bind_int(s, 1, recv);
	rc = step(st, s);
	if (rc < 0) return rc;
	if (rc == 0) return 1;
	col_fixed(s, 0, ret, ROLLING_BYTES);
	sqlite3_reset(s);
	return 0;
}

int store_journal_find(struct store *st, const uint8_t hash[32], int64_t *ret_recv)
{
	sqlite3_stmt *s = query(st, Q_JOURNAL_FIND);

	STORE_ENTER(st);
	bind_span(s, 1, hash, 32);
	return step_int(st, s, ret_recv);
}

static void read_entry(sqlite3_stmt *s, void *item, struct arena *a)
{
	struct entry *e = item;

	e->recv = col_int(s, 0);
	e->kind = col_u8(s, 1);
	e->lane = col_u8(s, 2);
	e->merged = col_int(s, 3) != 0;
	e->scope = col_u32(s, 4);
	e->feed = col_u32(s, 5);
	e->from = col_u32(s, 6);
	col_fixed(s, 7, e->origin, sizeof(e->origin));
	e->seq_first = (uint64_t)col_int(s, 8);
	e->count = col_u32(s, 9);
	e->seal = (uint64_t)col_int(s, 10);
	col_fixed(s, 11, e->hash, sizeof(e->hash));
	col_fixed(s, 12, e->prev, sizeof(e->prev));
	e->head = col_span(s, 13, a);
	e->body = col_span(s, 14, a);
}

int store_journal_get(struct store *st, int64_t recv, struct arena *a, struct entry **ret)
{
	sqlite3_stmt *s = query(st, Q_JOURNAL_GET);

	int rc;

	STORE_ENTER(st);
	bind_int(s, 1, recv);
	rc = read_one(st, s, sizeof(**ret), read_entry, a, ret);
	return rc != 0 || *ret == NULL ? rc : rest_entry_open(st, *ret);
}

/* Walks of one feed each, or the one of everything, merged by position. */
struct walk {
	sqlite3_stmt *stmts[FEEDS_MAX];
	int64_t next[FEEDS_MAX]; /* 0: at its end */
	size_t count;
};

static int walk_step(struct store *st, struct walk *w, size_t i)
{
	int rc = step(st, w->stmts[i]);

	if (rc < 0) return rc;
	w->next[i] = rc == 1 ? col_int(w->stmts[i], 0) : 0;
	return 0;
}

static int walk_start(struct store *st, const struct feed_filter *f, int64_t after, struct walk *w)
{
	int rc = 0;

	assert(f->count <= FEEDS_MAX);
	w->count = f->all ? 1 : f->count;
	for (size_t i = 0; i < w->count; i++) {
		sqlite3_stmt *s;

		if (!f->all && (rc = store_feed_prepare(st, i)) != 0) return rc;
		s = f->all ? query(st, Q_JOURNAL_WALK) : st->feeds[i];
		w->stmts[i] = s;
		bind_int(s, 1, after);
		bind_int(s, 2, f->all ? f->lane_mask : f->lane_masks[i]);
		bind_int(s, 3, f->not_from);
		if (!f->all) bind_int(s, 4, f->feeds[i]);
	}
	for (size_t i = 0; i < w->count && rc == 0; i++) rc = walk_step(st, w, i);
	return rc;
}

/* The next position of all walks; 0 at the end.  A feed that is named twice gives its entries once. */
static int walk_next(struct store *st, struct walk *w, int64_t *ret_recv)
{
	int64_t least = 0;
	int rc = 0;

	for (size_t i = 0; i < w->count; i++)
		if (w->next[i] != 0 && (least == 0 || w->next[i] < least)) least = w->next[i];
	for (size_t i = 0; i < w->count && rc == 0 && least != 0; i++)
		if (w->next[i] == least) rc = walk_step(st, w, i);
	*ret_recv = least;
	return rc;
}

static int walk_entries(struct store *st, struct walk *w, size_t limit, size_t bytes_max,
                        struct arena *a, struct list *l)
{
	size_t bytes = 0;

	while (l->count < limit) {
		sqlite3_stmt *s = query(st, Q_JOURNAL_GET);
		int64_t recv;
		size_t size;
		int rc = walk_next(st, w, &recv);

		if (rc != 0 || recv == 0) return rc;
		bind_int(s, 1, recv);
		rc = step(st, s);
		if (rc < 0) return rc;
		if (rc == 0) return store_fail(st, SQLITE_CORRUPT, "journal");
		size = rest_entry_len(st, col_u8(s, 1), col_u8(s, 2),
		                      (size_t)sqlite3_column_bytes(s, 13),
		                      (size_t)sqlite3_column_bytes(s, 14));
		if (l->count > 0 && (size > bytes_max || bytes > bytes_max - size)) {
			sqlite3_reset(s);
			return 0;
		}
		bytes += size;
		struct entry *e = list_add(l);

		read_entry(s, e, a);
		sqlite3_reset(s);
		if (!a->full && (rc = rest_entry_open(st, e)) != 0) return rc;
		if (a->full) return store_fail_arena(st);
	}
	return 0;
}

static int walk_run(struct store *st, struct walk *w, size_t limit, size_t bytes_max,
                    struct arena *a, struct entry **ret, size_t *ret_count)
{
	struct list l = {.size = sizeof(struct entry)};
	int rc = walk_entries(st, w, limit, bytes_max, a, &l);

	for (size_t i = 0; i < w->count; i++) sqlite3_reset(w->stmts[i]);
	if (rc == 0) return list_give(st, &l, a, ret, ret_count);
	free(l.items);
	return rc;
}

int store_journal_scan(struct store *st, const struct feed_filter *f, int64_t after, size_t limit,
                       size_t bytes_max, struct arena *a, struct entry **ret, size_t *ret_count)
{
	struct walk w = {0};
	int rc;

	STORE_ENTER(st);
	rc = walk_start(st, f, after, &w);
	if (rc == 0) return walk_run(st, &w, limit, bytes_max, a, ret, ret_count);
	for (size_t i = 0; i < w.count; i++) sqlite3_reset(w.stmts[i]);
	return rc;
}

int store_journal_scope(struct store *st, uint32_t scope, unsigned lane, int64_t after,
                        size_t limit, struct arena *a, struct entry **ret, size_t *ret_count)
{
	struct walk w = {.count = 1};
	sqlite3_stmt *s = query(st, Q_JOURNAL_SCOPE);
	int rc;

	STORE_ENTER(st);
	bind_int(s, 1, scope);
	bind_int(s, 2, lane);
	bind_int(s, 3, after);
	bind_size(s, 4, limit);
	w.stmts[0] = s;
	rc = walk_step(st, &w, 0);
	return rc == 0 ? walk_run(st, &w, limit, SIZE_MAX, a, ret, ret_count) : rc;
}

int store_journal_bytes(struct store *st, uint32_t scope, unsigned lane, int64_t *ret_bytes)
{
	sqlite3_stmt *s = query(st, Q_JOURNAL_BYTES);

	STORE_ENTER(st);
	bind_int(s, 1, scope);
	bind_int(s, 2, lane);
	return step_int(st, s, ret_bytes);
}

/* ---- counts that are kept */

static int tally(struct store *st, const char *name, int64_t *ret_count)
{
	sqlite3_stmt *s = query(st, Q_TALLY_GET);

	bind_text(s, 1, name);
	return step_int(st, s, ret_count);
}

int store_journal_gaps(struct store *st, int64_t *ret_count)
{
	STORE_ENTER(st);
	return tally(st, "gap", ret_count);
}

int store_waiting_count(struct store *st, int64_t *ret_count)
{
	STORE_ENTER(st);
	return tally(st, "waiting", ret_count);
}

int store_waiting_own(struct store *st, int64_t *ret_count)
{
	STORE_ENTER(st);
	return step_int(st, query(st, Q_WAITING_OWN), ret_count);
}

int store_parked_count(struct store *st, int64_t *ret_count)
{
	STORE_ENTER(st);
	return tally(st, "parked", ret_count);
}

int store_refused_count(struct store *st, bool mine_only, int64_t *ret_count)
{
	STORE_ENTER(st);
	return tally(st, mine_only ? "refused_mine" : "refused", ret_count);
}

static int count_by(struct store *st, sqlite3_stmt *s, int64_t key, int64_t *ret_count)
{
	bind_int(s, 1, key);
	return step_int(st, s, ret_count);
}

int store_held_counts(struct store *st, uint32_t feed, int64_t *ret_parked, int64_t *ret_refused)
{
	int rc;

	STORE_ENTER(st);
	rc = count_by(st, query(st, Q_PARKED_OF_FEED), feed, ret_parked);
	return rc != 0 ? rc : count_by(st, query(st, Q_REFUSED_OF_FEED), feed, ret_refused);
}

int store_journal_own(struct store *st, int64_t after, unsigned lanes, int64_t *ret_changesets)
{
	sqlite3_stmt *s = query(st, Q_JOURNAL_OWN);

	STORE_ENTER(st);
	bind_int(s, 2, lanes);
	return count_by(st, s, after, ret_changesets);
}

/* Other bytes in the place of an entry, under its hash; kind 0: of the kind that it has. */
static int journal_replace(struct store *st, int64_t recv, unsigned kind, struct span head,
                           struct span body)
{
	sqlite3_stmt *s = query(st, Q_JOURNAL_GET);
	uint8_t hash[32] = {0};
	unsigned lane = 0;
	int rc;

	STORE_ENTER_WRITE(st);
	bind_int(s, 1, recv);
	rc = step(st, s);
	if (rc <= 0) return rc;
	if (!kind) kind = col_u8(s, 1);
	lane = col_u8(s, 2);
	col_fixed(s, 11, hash, sizeof(hash));
	sqlite3_reset(s);
	if (lane != LANE_OPEN && rest_ready(st) != 0) return -ERR_CLOSED;
	rest_begin(st);
	rest_entry(st, kind, lane, hash, &head, &body);
	s = query(st, Q_JOURNAL_REPLACE);
	bind_int(s, 1, recv);
	bind_int(s, 2, (int64_t)kind);
	bind_span(s, 3, head.p, head.len);
	bind_span(s, 4, body.p, body.len);
	return step_done(st, s);
}

int store_journal_mend(struct store *st, int64_t recv, struct span head, struct span body)
{
	return journal_replace(st, recv, 0, head, body);
}

int store_journal_cut(struct store *st, int64_t recv, unsigned kind, struct span head,
                      struct span body)
{
	return journal_replace(st, recv, kind, head, body);
}

static void read_hash(sqlite3_stmt *s, void *item, struct arena *a)
{
	(void)a;
	col_fixed(s, 0, item, 32);
}

int store_gaps(struct store *st, size_t limit, struct arena *a, uint8_t (**ret)[32],
               size_t *ret_count)
{
	sqlite3_stmt *s = query(st, Q_GAP_LIST);

	STORE_ENTER(st);
	bind_size(s, 1, limit);
	return read_all(st, s, 32, read_hash, a, ret, ret_count);
}

int store_candidates_recount(struct store *st, int64_t *ret_off)
{
	sqlite3_stmt *s = query(st, Q_CANDIDATE_RECOUNT);
	int64_t are = 0, kept = 0;
	int rc;

	STORE_ENTER_WRITE(st);
	rc = step_int(st, s, &are);
	if (rc == 0) rc = store_candidates_count(st, &kept);
	*ret_off = are - kept;
	if (rc != 0 || are == kept) return rc;
	s = query(st, Q_TALLY_ADD);
	bind_text(s, 1, "candidate");
	bind_int(s, 2, are - kept);
	return step_done(st, s);
}

int store_candidates_count(struct store *st, int64_t *ret_fields)
{
	STORE_ENTER(st);
	return tally(st, "candidate", ret_fields);
}

/* ---- gaps, words, waiting */

int store_gap_add(struct store *st, const uint8_t missing[32], int64_t recv)
{
	sqlite3_stmt *s = query(st, Q_GAP_ADD);

	STORE_ENTER_WRITE(st);
	bind_span(s, 1, missing, 32);
	bind_int(s, 2, recv);
	return step_done(st, s);
}

int store_gap_close(struct store *st, const uint8_t hash[32], bool *ret_closed)
{
	sqlite3_stmt *s = query(st, Q_GAP_CLOSE);
	int rc;

	STORE_ENTER_WRITE(st);
	bind_span(s, 1, hash, 32);
	rc = step_done(st, s);
	if (rc == 0) *ret_closed = sqlite3_changes(st->db) > 0;
	return rc;
}

int store_word_add(struct store *st, const uint8_t segment[32], int64_t admission_recv)
{
	sqlite3_stmt *s = query(st, Q_WORD_ADD);

	STORE_ENTER_WRITE(st);
	bind_span(s, 1, segment, 32);
	bind_int(s, 2, admission_recv);
	return step_done(st, s);
}

static void read_word(sqlite3_stmt *s, void *item, struct arena *a)
{
	int64_t *word = item;

	(void)a;
	*word = col_int(s, 0);
}

int store_words(struct store *st, const uint8_t segment[32], struct arena *a, int64_t **ret,
                size_t *ret_count)
{
	sqlite3_stmt *s = query(st, Q_WORD_GET);

	STORE_ENTER(st);
	bind_span(s, 1, segment, 32);
	return read_all(st, s, sizeof(**ret), read_word, a, ret, ret_count);
}

int store_waiting_set(struct store *st, int64_t recv, bool waits)
{
	sqlite3_stmt *s = query(st, waits ? Q_WAITING_ADD : Q_WAITING_REMOVE);

	STORE_ENTER_WRITE(st);
	bind_int(s, 1, recv);
	return step_done(st, s);
}

/* ---- parked and refused */

static int add_held(struct store *st, enum store_query q, const struct held *h)
{
	sqlite3_stmt *s = query(st, q);

	bind_int(s, 1, h->recv);
	bind_int(s, 2, h->ordinal);
	bind_int(s, 3, h->scope);
	bind_int(s, 4, h->run);
	bind_int(s, 5, h->table);
	bind_span(s, 6, h->row, sizeof(h->row));
	bind_int(s, 7, h->lane);
	bind_int(s, 8, h->admitted);
	bind_int(s, 9, (int64_t)h->stamp);
	bind_int(s, 10, h->cause);
	bind_text(s, 11, h->field);
	bind_span(s, 12, h->wait, sizeof(h->wait));
	bind_int(s, 13, h->since_ms);
	bind_span(s, 14, h->by, sizeof(h->by));
	bind_int(s, 15, h->mine);
	return step_done(st, s);
}

static void read_held(sqlite3_stmt *s, void *item, struct arena *a)
{
	struct held *h = item;

	(void)a;
	h->id = col_int(s, 0);
	h->recv = col_int(s, 1);
	h->ordinal = col_u32(s, 2);
	h->scope = col_u32(s, 3);
	h->run = col_u32(s, 4);
	h->table = (uint16_t)col_int(s, 5);
	col_fixed(s, 6, h->row, sizeof(h->row));
	h->lane = col_u8(s, 7);
	h->admitted = col_u8(s, 8);
	h->stamp = (uint64_t)col_int(s, 9);
	h->cause = sqlite3_column_int(s, 10);
	(void)snprintf(h->field, sizeof(h->field), "%s", (const char *)sqlite3_column_text(s, 11));
	col_fixed(s, 12, h->wait, sizeof(h->wait));
	h->since_ms = col_int(s, 13);
	col_fixed(s, 14, h->by, sizeof(h->by));
	h->mine = col_int(s, 15) != 0;
}

int store_parked_add(struct store *st, const struct held *h)
{
	STORE_ENTER_WRITE(st);
	return add_held(st, Q_PARKED_ADD, h);
}

int store_parked_remove(struct store *st, int64_t id)
{
	sqlite3_stmt *s = query(st, Q_PARKED_REMOVE);

	STORE_ENTER_WRITE(st);
	bind_int(s, 1, id);
	return step_done(st, s);
}

int store_parked_drop(struct store *st, int64_t recv, uint32_t ordinal, size_t count)
{
	sqlite3_stmt *s = query(st, Q_PARKED_DROP);

	STORE_ENTER_WRITE(st);
	bind_int(s, 1, recv);
	bind_int(s, 2, ordinal);
	bind_size(s, 3, count);
	return step_done(st, s);
}

int store_parked_by_wait(struct store *st, const uint8_t wait[16], int64_t recv, uint32_t ordinal,
                         size_t limit, struct arena *a, struct held **ret, size_t *ret_count)
{
	sqlite3_stmt *s = query(st, Q_PARKED_BY_WAIT);

	STORE_ENTER(st);
	bind_span(s, 1, wait, 16);
	bind_int(s, 2, recv);
	bind_int(s, 3, ordinal);
	bind_size(s, 4, limit);
	return read_all(st, s, sizeof(**ret), read_held, a, ret, ret_count);
}

static int parked_before(struct store *st, enum store_query q, const uint8_t row[16], unsigned lane,
                         int64_t recv, uint32_t ordinal, bool *ret_any)
{
	sqlite3_stmt *s = query(st, q);
	int64_t any = 0;
	int rc;

	bind_span(s, 1, row, 16);
	bind_int(s, 2, lane);
	bind_int(s, 3, recv);
	bind_int(s, 4, ordinal);
	rc = step_int(st, s, &any);
	if (rc == 0) *ret_any = any != 0;
	return rc;
}

int store_parked_on_row(struct store *st, const uint8_t row[16], unsigned lane, int64_t recv,
                        uint32_t ordinal, bool *ret_any)
{
	STORE_ENTER(st);
	return parked_before(st, Q_PARKED_ON_ROW, row, lane, recv, ordinal, ret_any);
}

int store_parked_holds_row(struct store *st, const uint8_t row[16], unsigned lane, int64_t recv,
                           uint32_t ordinal, bool *ret_any)
{
	STORE_ENTER(st);
	return parked_before(st, Q_PARKED_HOLDS_ROW, row, lane, recv, ordinal, ret_any);
}

int store_parked_twice(struct store *st, const uint8_t row[16], unsigned lane, int64_t *ret_count)
{
	sqlite3_stmt *s = query(st, Q_PARKED_TWICE);

	STORE_ENTER(st);
	bind_span(s, 1, row, 16);
	bind_int(s, 2, lane);
	return step_int(st, s, ret_count);
}

int store_parked_list(struct store *st, int64_t after_id, size_t limit, struct arena *a,
                      struct held **ret, size_t *ret_count)
{
	sqlite3_stmt *s = query(st, Q_PARKED_LIST);

	STORE_ENTER(st);
	bind_int(s, 1, after_id);
	bind_size(s, 2, limit);
	return read_all(st, s, sizeof(**ret), read_held, a, ret, ret_count);
}

int store_refused_add(struct store *st, const struct held *h)
{
	STORE_ENTER_WRITE(st);
	st->refused = REFUSED_SOME;
	return add_held(st, Q_REFUSED_ADD, h);
}

static sqlite3_stmt *refused_key(struct store *st, enum store_query q, uint16_t table,
                                 const uint8_t row[16], unsigned lane, uint32_t run, uint64_t stamp)
{
	sqlite3_stmt *s = query(st, q);

	bind_span(s, 1, row, 16);
	bind_int(s, 2, lane);
	bind_int(s, 3, run);
	bind_int(s, 4, (int64_t)stamp);
	bind_int(s, 5, table);
	return s;
}

int store_refused_get(struct store *st, uint16_t table, const uint8_t row[16], unsigned lane,
                      uint32_t run, uint64_t stamp, bool *ret_refused)
{
	int64_t found;
	int rc;

	STORE_ENTER(st);
	if (st->in_transaction &&
	    st->refused == REFUSED_UNKNOWN) { /* usually none, and asked for every operation */
		rc = tally(st, "refused", &found);
		if (rc != 0) return rc;
		st->refused = found > 0 ? REFUSED_SOME : REFUSED_NONE;
	}
	if (st->in_transaction && st->refused == REFUSED_NONE) {
		*ret_refused = false;
		return 0;
	}
	rc = step_int(st, refused_key(st, Q_REFUSED_GET, table, row, lane, run, stamp), &found);
	if (rc == 0) *ret_refused = found != 0;
	return rc;
}

int store_refused_remove(struct store *st, uint16_t table, const uint8_t row[16], unsigned lane,
                         uint32_t run, uint64_t stamp)
{
	STORE_ENTER_WRITE(st);
	return step_done(st, refused_key(st, Q_REFUSED_REMOVE, table, row, lane, run, stamp));
}

int store_refused_list(struct store *st, bool mine_only, size_t limit, struct arena *a,
                       struct held **ret, size_t *ret_count)
{
	sqlite3_stmt *s = query(st, mine_only ? Q_REFUSED_LIST_MINE : Q_REFUSED_LIST);

	STORE_ENTER(st);
	bind_size(s, 1, limit);
	return read_all(st, s, sizeof(**ret), read_held, a, ret, ret_count);
}

/* ---- figures */

static int64_t add_wrapping(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static sqlite3_stmt *figure_key(struct store *st, enum store_query q, uint32_t scope, int64_t month,
                                unsigned kind)
{
	sqlite3_stmt *s = query(st, q);

	bind_int(s, 1, scope);
	bind_int(s, 2, month);
	bind_int(s, 3, kind);
	return s;
}

int store_pending_add(struct store *st, uint32_t scope, int64_t month, unsigned kind, int64_t delta)
{
	sqlite3_stmt *s;
	int64_t have;
	int rc;

	STORE_ENTER_WRITE(st);
	rc = step_int(st, figure_key(st, Q_PENDING_GET, scope, month, kind), &have);
	if (rc != 0) return rc;
	s = figure_key(st, Q_PENDING_PUT, scope, month, kind);
	bind_int(s, 4, add_wrapping(have, delta));
	return step_done(st, s);
}

static void read_pending(sqlite3_stmt *s, void *item, struct arena *a)
{
	struct pending *p = item;

	(void)a;
	p->scope = col_u32(s, 0);
	p->month = col_int(s, 1);
	p->kind = (unsigned)col_u32(s, 2);
	p->delta = col_int(s, 3);
}

int store_pending_all(struct store *st, struct arena *a, struct pending **ret, size_t *ret_count)
{
	STORE_ENTER(st);
	return read_all(st, query(st, Q_PENDING_ALL), sizeof(**ret), read_pending, a, ret,
	                ret_count);
}

int store_pending_clear(struct store *st)
{
	STORE_ENTER_WRITE(st);
	return step_done(st, query(st, Q_PENDING_CLEAR));
}

int store_cell_write(struct store *st, const struct cell *d)
{
	sqlite3_stmt *s = figure_key(st, Q_CELL_GET, d->scope, d->month, d->kind);
	int64_t have[3] = {0};
	int rc = step(st, s);

	if (rc < 0) return rc;
	for (int i = 0; rc == 1 && i < 3; i++) have[i] = col_int(s, i);
	sqlite3_reset(s);
	s = figure_key(st, Q_CELL_PUT, d->scope, d->month, d->kind);
	bind_int(s, 4, add_wrapping(have[0], d->truth));
	bind_int(s, 5, add_wrapping(have[1], d->stated));
	bind_int(s, 6, add_wrapping(have[2], d->refused));
	return step_done(st, s);
}

int store_cells_add(struct store *st, const struct cell *deltas, size_t count)
{
	int rc = 0;

	STORE_ENTER_WRITE(st);
	for (size_t i = 0; i < count && rc == 0; i++) rc = later_cell(st, &deltas[i]);
	return rc;
}

static void read_cell(sqlite3_stmt *s, void *item, struct arena *a)
{
	struct cell *c = item;

	(void)a;
	c->scope = col_u32(s, 0);
	c->month = col_int(s, 1);
	c->kind = (unsigned)col_u32(s, 2);
	c->truth = col_int(s, 3);
	c->stated = col_int(s, 4);
	c->refused = col_int(s, 5);
	c->dirty = col_int(s, 6) != 0;
}

int store_cells_dirty(struct store *st, struct arena *a, struct cell **ret, size_t *ret_count)
{
	STORE_ENTER(st);
	if (later_sums(st) != 0) return -st->err.code;
	return read_all(st, query(st, Q_CELL_DIRTY), sizeof(**ret), read_cell, a, ret, ret_count);
}

int store_cells_clean(struct store *st)
{
	STORE_ENTER_WRITE(st);
	if (later_sums(st) != 0) return -st->err.code;
	return step_done(st, query(st, Q_CELL_CLEAN));
}

int store_cells_all(struct store *st, uint32_t scope, struct arena *a, struct cell **ret,
                    size_t *ret_count)
{
	sqlite3_stmt *s = query(st, scope != 0 ? Q_CELL_OF_SCOPE : Q_CELL_ALL);

	STORE_ENTER(st);
	if (later_sums(st) != 0) return -st->err.code;
	if (scope != 0) bind_int(s, 1, scope);
	return read_all(st, s, sizeof(**ret), read_cell, a, ret, ret_count);
}

static void read_stated(sqlite3_stmt *s, void *item, struct arena *a)
{
	struct stated *c = item;

	(void)a;
	c->scope = col_u32(s, 0);
	c->month = col_u32(s, 1);
	c->kind = col_u32(s, 2);
	c->stated = col_int(s, 3);
}

int store_cells_stated(struct store *st, int64_t from, int64_t to, unsigned kind_max,
                       unsigned standing, struct arena *a, struct stated **ret, size_t *ret_count)
{
	sqlite3_stmt *s = query(st, Q_CELL_STATED);

	STORE_ENTER(st);
	if (later_sums(st) != 0) return -st->err.code;
	bind_int(s, 1, from);
	bind_int(s, 2, to);
	bind_int(s, 3, kind_max);
	bind_int(s, 4, standing);
	return read_all(st, s, sizeof(**ret), read_stated, a, ret, ret_count);
}

/* ---- cursors and peers */

static void read_mark(sqlite3_stmt *s, void *item, struct arena *a)
{
	struct mark *m = item;

	(void)a;
	m->pos = col_int(s, 0);
	col_fixed(s, 1, m->rolling, sizeof(m->rolling));
	col_fixed(s, 2, m->filter, sizeof(m->filter));
}

int store_cursor_get(struct store *st, uint64_t peer_run, struct arena *a, struct mark **ret,
                     size_t *ret_count)
{
	sqlite3_stmt *s = query(st, Q_CURSOR_GET);

	STORE_ENTER(st);
	bind_int(s, 1, (int64_t)peer_run);
	return read_all(st, s, sizeof(**ret), read_mark, a, ret, ret_count);
}

int store_cursor_put(struct store *st, const uint8_t peer[16], uint64_t peer_run,
                     const struct mark *marks, size_t count)
{
	sqlite3_stmt *s = query(st, Q_CURSOR_CLEAR);
	int rc;

	STORE_ENTER_WRITE(st);
	bind_int(s, 1, (int64_t)peer_run);
	rc = step_done(st, s);
	s = query(st, Q_CURSOR_ADD);
	for (size_t i = 0; i < count && rc == 0; i++) {
		bind_int(s, 1, (int64_t)peer_run);
		bind_size(s, 2, i);
		bind_span(s, 3, peer, 16);
		bind_int(s, 4, marks[i].pos);
		bind_span(s, 5, marks[i].rolling, sizeof(marks[i].rolling));
		bind_span(s, 6, marks[i].filter, sizeof(marks[i].filter));
		rc = step_done(st, s);
	}
	return rc;
}

static void read_peer(sqlite3_stmt *s, void *item, struct arena *a)
{
	struct peer *p = item;

	(void)a;
	col_fixed(s, 0, p->origin, sizeof(p->origin));
	p->run = (uint64_t)col_int(s, 1);
	p->acked = col_int(s, 2);
	p->last_contact_ms = col_int(s, 3);
	p->clock_offset_ms = col_int(s, 4);
	p->agreed_ms = col_int(s, 5);
	p->bytes_in = col_int(s, 6);
	p->bytes_out = col_int(s, 7);
	p->refused = col_int(s, 8);
	p->parked = col_int(s, 9);
	p->unapplied = col_int(s, 10);
	col_fixed(s, 11, p->state, sizeof(p->state));
	p->schema_version = col_u32(s, 12);
	p->protocol = col_u32(s, 13);
	p->restored = col_int(s, 14) != 0;
}

int store_peer_get(struct store *st, const uint8_t origin[16], struct peer *ret, bool *ret_known)
{
	sqlite3_stmt *s = query(st, Q_PEER_GET);
	int rc;

	STORE_ENTER(st);
	bind_span(s, 1, origin, 16);
	rc = step(st, s);
	if (rc < 0) return rc;
	*ret = (struct peer){0};
	*ret_known = rc == 1;
	if (rc == 1)
		read_peer(s, ret, NULL);
	else
		memcpy(ret->origin, origin, sizeof(ret->origin));
	sqlite3_reset(s);
	return 0;
}

int store_peer_put(struct store *st, const struct peer *p)
{
	sqlite3_stmt *s = query(st, Q_PEER_PUT);

	STORE_ENTER_WRITE(st);
	bind_span(s, 1, p->origin, sizeof(p->origin));
	bind_int(s, 2, (int64_t)p->run);
	bind_int(s, 3, p->acked);
	bind_int(s, 4, p->last_contact_ms);
	bind_int(s, 5, p->clock_offset_ms);
	bind_int(s, 6, p->agreed_ms);
	bind_int(s, 7, p->bytes_in);
	bind_int(s, 8, p->bytes_out);
	bind_int(s, 9, p->refused);
	bind_int(s, 10, p->parked);
	bind_int(s, 11, p->unapplied);
	bind_span(s, 12, p->state, sizeof(p->state));
	bind_int(s, 13, p->schema_version);
	bind_int(s, 14, p->protocol);
	bind_int(s, 15, p->restored);
	return step_done(st, s);
}

int store_peers(struct store *st, struct arena *a, struct peer **ret, size_t *ret_count)
{
	STORE_ENTER(st);
	return read_all(st, query(st, Q_PEER_LIST), sizeof(**ret), read_peer, a, ret, ret_count);
}

/* ---- certificates and invitations */

static void read_cert(sqlite3_stmt *s, void *item, struct arena *a)
{
	struct cert_row *c = item;

	col_fixed(s, 0, c->id, sizeof(c->id));
	col_fixed(s, 1, c->origin, sizeof(c->origin));
	col_fixed(s, 2, c->link, sizeof(c->link));
	col_fixed(s, 3, c->issuer, sizeof(c->issuer));
	col_fixed(s, 4, c->unit, sizeof(c->unit));
	c->role = col_u8(s, 5);
	c->lanes = col_u8(s, 6);
	c->not_before_ms = col_int(s, 7);
	c->not_after_ms = col_int(s, 8);
	c->revoked_ms = col_int(s, 9);
	c->body = col_span(s, 10, a);
}

int store_cert_put(struct store *st, const struct cert_row *c)
{
	sqlite3_stmt *s = query(st, Q_CERT_PUT);

	STORE_ENTER_WRITE(st);
	bind_span(s, 1, c->id, sizeof(c->id));
	bind_span(s, 2, c->origin, sizeof(c->origin));
	bind_span(s, 3, c->link, sizeof(c->link));
	bind_span(s, 4, c->issuer, sizeof(c->issuer));
	bind_span(s, 5, c->unit, sizeof(c->unit));
	bind_int(s, 6, c->role);
	bind_int(s, 7, c->lanes);
	bind_int(s, 8, c->not_before_ms);
	bind_int(s, 9, c->not_after_ms);
	bind_int(s, 10, c->revoked_ms);
	bind_span(s, 11, c->body.p, c->body.len);
	return step_done(st, s);
}

int store_cert_revoke(struct store *st, const uint8_t id[16], int64_t revoked_ms)
{
	sqlite3_stmt *s = query(st, Q_CERT_REVOKE);

	STORE_ENTER_WRITE(st);
	bind_span(s, 1, id, 16);
	bind_int(s, 2, revoked_ms);
	return step_done(st, s);
}

static int one_cert(struct store *st, enum store_query q, const uint8_t *key, size_t len,
                    struct arena *a, struct cert_row **ret)
{
	sqlite3_stmt *s = query(st, q);

	bind_span(s, 1, key, len);
	return read_one(st, s, sizeof(**ret), read_cert, a, ret);
}

int store_cert_by_id(struct store *st, const uint8_t id[16], struct arena *a, struct cert_row **ret)
{
	STORE_ENTER(st);
	return one_cert(st, Q_CERT_BY_ID, id, 16, a, ret);
}

int store_cert_by_origin(struct store *st, const uint8_t origin[16], struct arena *a,
                         struct cert_row **ret)
{
	STORE_ENTER(st);
	return one_cert(st, Q_CERT_BY_ORIGIN, origin, 16, a, ret);
}

int store_cert_by_link(struct store *st, const uint8_t link[32], struct arena *a,
                       struct cert_row **ret)
{
	STORE_ENTER(st);
	return one_cert(st, Q_CERT_BY_LINK, link, 32, a, ret);
}

int store_certs(struct store *st, struct arena *a, struct cert_row **ret, size_t *ret_count)
{
	STORE_ENTER(st);
	return read_all(st, query(st, Q_CERT_LIST), sizeof(**ret), read_cert, a, ret, ret_count);
}

static void read_invite(sqlite3_stmt *s, void *item, struct arena *a)
{
	struct invite *i = item;

	(void)a;
	col_fixed(s, 0, i->hash, sizeof(i->hash));
	col_fixed(s, 1, i->unit, sizeof(i->unit));
	i->role = col_u8(s, 2);
	col_fixed(s, 3, i->used_by, sizeof(i->used_by));
	i->made_ms = col_int(s, 4);
	i->expires_ms = col_int(s, 5);
	i->used_ms = col_int(s, 6);
}

int store_invite_put(struct store *st, const struct invite *i)
{
	sqlite3_stmt *s = query(st, Q_INVITE_PUT);

	STORE_ENTER_WRITE(st);
	bind_span(s, 1, i->hash, sizeof(i->hash));
	bind_span(s, 2, i->unit, sizeof(i->unit));
	bind_int(s, 3, i->role);
	bind_span(s, 4, i->used_by, sizeof(i->used_by));
	bind_int(s, 5, i->made_ms);
	bind_int(s, 6, i->expires_ms);
	bind_int(s, 7, i->used_ms);
	return step_done(st, s);
}

int store_invite_get(struct store *st, const uint8_t hash[32], struct invite *ret, bool *ret_known)
{
	sqlite3_stmt *s = query(st, Q_INVITE_GET);
	int rc;

	STORE_ENTER(st);
	bind_span(s, 1, hash, 32);
	rc = step(st, s);
	if (rc < 0) return rc;
	*ret = (struct invite){0};
	*ret_known = rc == 1;
	if (rc == 1) read_invite(s, ret, NULL);
	sqlite3_reset(s);
	return 0;
}

int store_invites(struct store *st, struct arena *a, struct invite **ret, size_t *ret_count)
{
	STORE_ENTER(st);
	return read_all(st, query(st, Q_INVITE_LIST), sizeof(**ret), read_invite, a, ret,
	                ret_count);
}
