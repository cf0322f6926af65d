/*
 * repair.c - rows held against the journal, and made right from it.
 *
 * What stands in the tables is a function of the operations in the journal and the tail and of the words on them.  So a row
 * that was damaged behind the engine's back (a bad disk, a foreign hand, an error of this program) needs no copy from
 * anybody: all that the journal holds of it is merged again, and what comes out takes its place.  Only where
 * the journal itself lacks something does another's copy matter, and that is the authors' signed bytes,
 * never another's rows: nothing damaged spreads.
 *
 * A row is not rebuilt while an entry of its scope and lane does not read, unless it cannot be used as it is: the table may
 * then hold the only copy.  Sums (state hash, cells of figures) are counted anew from the rows after them.
 * What was found is kept in a short list for people.
 */
#include "common/base.h"

#include "proto/engine.h"

#include "common/ident.h"

enum {
	NOTES_FORMAT = 1,
	NOTE_BYTES = 8 + 1 + 1 + 1 + 2 + 2 + 8 + 16 + 16,
	PAGE_ROWS = 512,
	SCOPES_LOOKED_AT = 512, /* in one go, when nothing is changed */
	/* Squeezed bodies of a scope and lane whose rows are looked at in one go: some 1,300 plain rows, of 1 KiB each in memory.
	 * Each go reads all of the scope, a million rows a second. */
	PART_BYTES = 32 * 1024
};

/* ---- the list of what was found */

struct notes {
	struct repair list[REPAIRS_MAX + 1];
	size_t count;
};

static int notes_load(struct replica *r, struct notes *n)
{
	struct span m;
	n->count = 0;
	int rc = store_meta_get(r->st, "repairs", &r->scratch, &m);
	struct cut c = cut_of(m);
	if (rc || !m.len) return rc ? engine_fail(r, rc) : 0;
	if (cut_u8(&c) != NOTES_FORMAT) return 0;
	while (cut_left(&c) >= NOTE_BYTES && n->count < REPAIRS_MAX) {
		struct repair *x = &n->list[n->count++];
		x->at_ms = (int64_t)cut_u64(&c);
		x->what = cut_u8(&c);
		x->outcome = cut_u8(&c);
		x->lane = cut_u8(&c);
		x->table = cut_u16(&c);
		x->cause = cut_u16(&c);
		x->recv = (int64_t)cut_u64(&c);
		memcpy(x->scope, cut_take(&c, 16), 16);
		memcpy(x->id, cut_take(&c, 16), 16);
	}
	return 0;
}

static int notes_save(struct replica *r, const struct notes *n)
{
	struct buf b;
	buf_init(&b, 64 * 1024);
	buf_u8(&b, NOTES_FORMAT);
	for (size_t i = 0; i < n->count; i++) {
		const struct repair *x = &n->list[i];
		buf_u64(&b, (uint64_t)x->at_ms);
		buf_u8(&b, x->what);
		buf_u8(&b, x->outcome);
		buf_u8(&b, x->lane);
		buf_u16(&b, x->table);
		buf_u16(&b, (uint16_t)x->cause);
		buf_u64(&b, (uint64_t)x->recv);
		buf_add(&b, x->scope, 16);
		buf_add(&b, x->id, 16);
	}
	int rc = store_meta_put(r->st, "repairs", buf_span(&b));
	buf_done(&b);
	return rc ? engine_fail(r, rc) : 0;
}

/* The oldest that is mended goes, else the oldest. */
static void notes_trim(struct notes *n)
{
	size_t gone = 0;
	if (n->count <= REPAIRS_MAX) return;
	while (gone < n->count && n->list[gone].outcome == REPAIR_OPEN) gone++;
	if (gone == n->count) gone = 0;
	memmove(&n->list[gone], &n->list[gone + 1], (n->count - gone - 1) * sizeof(*n->list));
	n->count--;
}

static bool same_thing(const struct repair *x, const struct repair *y)
{
	return x->what == y->what && x->lane == y->lane && x->table == y->table &&
	       x->recv == y->recv && !memcmp(x->scope, y->scope, 16) && !memcmp(x->id, y->id, 16);
}

static int note(struct replica *r, struct repair x)
{
	struct notes *n = ARENA_ARRAY(&r->scratch, struct notes, 1);
	int rc = notes_load(r, n);
	size_t at = 0;
	if (rc) return rc;
	x.at_ms = r->env->now_ms(r->env->ctx);
	while (at < n->count &&
	       !(n->list[at].outcome == REPAIR_OPEN && same_thing(&n->list[at], &x)))
		at++;
	n->list[at] = x; /* known: seen again just now */
	if (at == n->count) n->count++;
	notes_trim(n);
	env_trace(r->env, "repair: what %u table %u lane %u outcome %u", (unsigned)x.what,
	          (unsigned)x.table, (unsigned)x.lane, (unsigned)x.outcome);
	return notes_save(r, n);
}

int replica_repairs(struct replica *r, struct arena *a, struct repair **ret, size_t *ret_count)
{
	struct notes *n = ARENA_ARRAY(&r->scratch, struct notes, 1);
	int rc = notes_load(r, n);
	*ret_count = rc ? 0 : n->count;
	*ret = rc ? NULL : arena_copy(a, n->list, n->count * sizeof(*n->list));
	return rc;
}

int replica_repair_counts(struct replica *r, int64_t *ret_open, int64_t *ret_mended)
{
	struct notes *n = ARENA_ARRAY(&r->scratch, struct notes, 1);
	int rc = notes_load(r, n);
	*ret_open = *ret_mended = 0;
	for (size_t i = 0; i < n->count && !rc; i++)
		*(n->list[i].outcome == REPAIR_OPEN ? ret_open : ret_mended) += 1;
	return rc;
}

/* Open notes of one kind that were not met again since: settled. */
static int notes_settle(struct replica *r, unsigned what, int64_t before_ms, unsigned outcome)
{
	struct notes *n = ARENA_ARRAY(&r->scratch, struct notes, 1);
	int rc = notes_load(r, n);
	bool any = false;
	for (size_t i = 0; i < n->count && !rc; i++) {
		struct repair *x = &n->list[i];
		if (x->what != what || x->outcome != REPAIR_OPEN || x->at_ms >= before_ms) continue;
		x->outcome = (uint8_t)outcome;
		any = true;
	}
	return rc || !any ? rc : notes_save(r, n);
}

int repair_differs(struct replica *r, const uint8_t scope[16], unsigned lane,
                   const struct named_row *row)
{
	struct repair x = {.what = REPAIR_DIFFERS,
	                   .lane = (uint8_t)lane,
	                   .table = row->table,
	                   .cause = ERR_DIFFERS};
	memcpy(x.scope, scope, 16);
	memcpy(x.id, row->id, 16);
	return note(r, x);
}

int repair_agreed(struct replica *r)
{
	return notes_settle(r, REPAIR_DIFFERS, INT64_MAX, REPAIR_PEER);
}

/* ---- entries */

bool entry_sound(const struct entry *e)
{
	struct hash h;
	struct segment s;
	uint8_t is[32];
	switch (e->kind) {
	case ENTRY_SEGMENT:
		if (segment_open(e->head, e->body, &s, NULL)) return false;
		hash_of(e->body, is, sizeof(is));
		return !memcmp(s.hash, e->hash, 32) && !memcmp(s.head.body_hash, is, 32);
	case ENTRY_ADMISSION:
	case ENTRY_HOLE:
		if (e->kind == ENTRY_HOLE && entry_is_segment(e)) return hole_sound(e);
		if (e->head.len <= SIGN_BYTES) return false;
		hash_of(span_of(e->head.p, e->head.len - SIGN_BYTES), is, sizeof(is));
		return !memcmp(is, e->hash, 32);
	default:
		hash_begin(&h, sizeof(is));
		hash_add(&h, e->head.p, e->head.len);
		hash_add(&h, e->body.p, e->body.len);
		hash_end(&h, is, sizeof(is));
		return !memcmp(is, e->hash, 32);
	}
}

static int entry_note(struct replica *r, const struct entry *e, unsigned outcome)
{
	struct repair x = {.what = REPAIR_ENTRY,
	                   .outcome = (uint8_t)outcome,
	                   .lane = e->lane,
	                   .recv = e->recv,
	                   .cause = ERR_DATABASE_DAMAGED};
	memcpy(x.id, e->hash, 16);
	int rc = engine_scope_id(r, e->scope, x.scope);
	return rc ? rc : note(r, x);
}

int repair_entry_damaged(struct replica *r, const struct entry *e)
{
	r->wants_changed++;
	return entry_note(r, e, REPAIR_OPEN);
}

int repair_tail_damaged(struct replica *r, const struct tail_item *item)
{
	struct repair x = {.what = REPAIR_TAIL,
	                   .outcome = REPAIR_OPEN,
	                   .lane = item->lane,
	                   .recv = item->id,
	                   .cause = ERR_DATABASE_DAMAGED};
	int rc = engine_scope_id(r, item->scope, x.scope);
	return rc ? rc : note(r, x);
}

static int open_rows(struct replica *r, uint32_t scope, unsigned lane, const struct named_row *also,
                     size_t also_count);

/* The rows that an entry speaks of, in r->tx. */
static int rows_of(struct replica *r, const struct entry *e, struct named_row **ret,
                   size_t *ret_count)
{
	struct segment s;
	struct changeset *cs;
	size_t n = 0, ops = 0;
	*ret_count = 0;
	*ret = NULL;
	if (!entry_is_segment(e)) return 0;
	int rc = entry_segment(e, &s, &r->err);
	if (rc || segment_changesets(&s, &r->tx, &cs, &n, NULL)) return rc;
	for (size_t i = 0; i < n; i++) ops += cs[i].ops_count;
	*ret = ARENA_ARRAY(&r->tx, struct named_row, ops + 1);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < cs[i].ops_count; k++) {
			(*ret)[*ret_count].table = cs[i].ops[k].table;
			memcpy((*ret)[(*ret_count)++].id, cs[i].ops[k].row, 16);
		}
	return 0;
}

/* While it did not read, nothing here spoke of its rows: one that was lost meanwhile was missed by nobody. */
int repair_entry_mended(struct replica *r, const struct entry *e)
{
	struct named_row *rows;
	size_t count;
	uint32_t scope = e->scope;
	unsigned lane = e->lane;
	int64_t recv = e->recv;
	int rc = entry_note(r, e, REPAIR_PEER);
	if (rc || recv > r->s.applied) return rc;
	rc = rows_of(r, e, &rows, &count);
	rc = rc ? rc : engine_retake(r, recv);
	return rc ? rc : open_rows(r, scope, lane, rows, count);
}

int repair_entry(struct replica *r, unsigned kind, struct span head, struct span body,
                 uint32_t from, bool *ret_new)
{
	struct entry again = {.kind = (uint8_t)kind, .head = head, .body = body}, *own = NULL;
	struct segment s;
	int64_t recv;
	*ret_new = false;
	if (kind == ENTRY_SEGMENT) {
		if (segment_open(head, body, &s, NULL)) return 0;
		memcpy(again.hash, s.hash, 32);
	} else if (kind == ENTRY_ADMISSION || kind == ENTRY_HOLE) {
		if (head.len <= SIGN_BYTES) return 0;
		hash_of(span_of(head.p, head.len - SIGN_BYTES), again.hash, 32);
	} else {
		return replica_append(r, kind, head, body, from, ret_new);
	}
	int rc = store_journal_find(r->st, again.hash, &recv);
	if (rc) return engine_fail(r, rc);
	if (!recv) return replica_append(r, kind, head, body, from, ret_new);
	rc = store_journal_get(r->st, recv, &r->scratch, &own);
	if (rc) return engine_fail(r, rc);
	bool alike = own && (own->kind == kind || (kind == ENTRY_SEGMENT && entry_is_segment(own)));
	if (!alike || entry_sound(own)) return 0;
	/* The hash that was kept decides, not who sends: what fits it is what stood here. */
	if (!entry_sound(&again)) return 0;
	*ret_new = true;
	own->head = head;
	own->body = body;
	rc = own->kind == ENTRY_HOLE ? store_journal_cut(r->st, recv, kind, head, body)
	                             : store_journal_mend(r->st, recv, head, body);
	rc = rc ? rc : erase_entry(r, recv);
	return rc ? engine_fail(r, rc) : repair_entry_mended(r, own);
}

/* ---- what a row should be */

static int op_order(const void *x, const void *y)
{
	const struct known_op *a = x, *b = y;
	int c = memcmp(a->op->row, b->op->row, 16);
	if (c) return c;
	if (a->op->table != b->op->table) return a->op->table < b->op->table ? -1 : 1;
	if (a->recv != b->recv) /* the tail last */
		return !a->recv ? 1 : !b->recv ? -1 : a->recv < b->recv ? -1 : 1;
	return a->ordinal < b->ordinal ? -1 : a->ordinal > b->ordinal;
}

/* Records that are accepted and wait all the same. */
struct waiting {
	struct held *held; /* by place */
	size_t count;
};

static int held_order(const void *x, const void *y)
{
	const struct held *a = x, *b = y;
	if (a->recv != b->recv) return a->recv < b->recv ? -1 : 1;
	return a->ordinal < b->ordinal ? -1 : a->ordinal > b->ordinal;
}

static int waiting_load(struct replica *r, uint32_t scope, unsigned lane, struct arena *a,
                        struct waiting *ret)
{
	struct held *page;
	size_t n = 1, room = 0;
	int64_t after = 0;
	int rc = 0;
	struct arena pages;
	*ret = (struct waiting){0};
	arena_init(&pages, 0);
	while (n && !rc && r->parked_any) {
		rc = store_parked_list(r->st, after, 256, &pages, &page, &n);
		for (size_t i = 0; i < n && !rc; i++) {
			after = page[i].id;
			if (page[i].scope != scope || page[i].lane != lane) continue;
			if (ret->count == room) {
				struct held *more = ARENA_ARRAY(a, struct held, room * 2 + 16);
				if (room) memcpy(more, ret->held, room * sizeof(*more));
				ret->held = more;
				room = room * 2 + 16;
			}
			ret->held[ret->count++] = page[i];
		}
		arena_reset(&pages);
	}
	arena_done(&pages);
	if (ret->count) qsort(ret->held, ret->count, sizeof(*ret->held), held_order);
	return rc ? engine_fail(r, rc) : 0;
}

/* A part waits under the place of the first operation of its changeset; that operation may also wait there alone, after the
 * parts were released. */
static bool waits(const struct waiting *w, const struct known_op *o)
{
	struct held key = {.recv = o->recv, .ordinal = o->ordinal};
	if (!o->recv || !w->count) return false;
	if (bsearch(&key, w->held, w->count, sizeof(key), held_order)) return true;
	if (o->changeset->parts <= 1) return false;
	key.ordinal = o->first;
	const struct held *part = bsearch(&key, w->held, w->count, sizeof(key), held_order);
	return part && part->cause == ERR_PART;
}

/* What the operations on one row make of it; nothing is written. */
static int expected(struct replica *r, const struct waiting *w, const struct known_op *ops,
                    size_t n, uint32_t scope, unsigned lane, uint16_t table, const uint8_t row[16],
                    struct lane_state *l)
{
	int rc = 0;
	memset(l, 0, sizeof(*l));
	l->table = schema_table(store_schema(r->st), table);
	l->number = table;
	l->lane = lane;
	memcpy(l->id, row, 16);
	/* Inserts first: an update meets its row whatever the order of the journal. */
	for (int pass = 0; pass < 2 && !rc; pass++)
		for (size_t i = 0; i < n && !rc; i++) {
			bool applied;
			if ((ops[i].op->kind == OP_INSERT) != (pass == 0) ||
			    ops[i].op->kind > OP_UPDATE || ops[i].op->table != table ||
			    waits(w, &ops[i]) || ops[i].footing != STANDS)
				continue;
			rc = lane_merge(r, l, ops[i].op, ops[i].run, scope, &applied);
		}
	return rc;
}

static bool same_candidate(const struct candidate *x, const struct candidate *y)
{
	return x->slot == y->slot && x->kind == y->kind && x->run == y->run &&
	       x->stamp == y->stamp && value_equal(x->value, y->value);
}

static bool same_candidates(const struct candidate *x, size_t n, const struct candidate *y,
                            size_t m)
{
	if (n != m) return false;
	for (size_t i = 0; i < n; i++) {
		bool found = false;
		for (size_t k = 0; k < m && !found; k++) found = same_candidate(&x[i], &y[k]);
		if (!found) return false;
	}
	return true;
}

static bool same_clock(const struct clock *x, const struct clock *y)
{
	if (x->count != y->count) return false;
	for (size_t i = 0; i < x->count; i++) {
		const struct clock_mark *m = &x->marks[i], *o = &y->marks[i];
		if (m->run != o->run || m->stamp != o->stamp || m->slots != o->slots ||
		    m->live != o->live)
			return false;
	}
	return true;
}

/* Does the row stand as it should?  *ret_worth false: what stands there, if anything, is of no use to anybody. */
static int stands_so(struct replica *r, const struct lane_state *want, bool *ret_same,
                     bool *ret_worth)
{
	struct lane_state *have = ARENA_ARRAY(&r->scratch, struct lane_state, 1);
	struct candidate *c = NULL;
	struct row *row = NULL;
	uint8_t ids[1][16];
	size_t n = 0;
	memcpy(ids[0], want->id, 16);
	*ret_worth = false;
	bool reads = true;
	int rc = store_rows_get(r->st, want->number, want->lane, (const uint8_t(*)[16])ids, 1,
	                        &r->scratch, &row);
	if (!rc && row) {
		rc = lane_of_row(r, want->number, want->lane, row, have);
		reads = *ret_worth = rc != -ERR_DATABASE_DAMAGED;
		if (!reads) rc = 0;
	}
	rc = rc ? rc
	        : store_candidates_get(r->st, want->number, want->id, want->lane, &r->scratch, &c,
	                               &n);
	if (rc) return engine_fail(r, rc);
	*ret_same = reads && have->exists == want->exists &&
	            same_candidates(c, n, want->candidates, want->candidates_count);
	if (!*ret_same || !want->exists) return 0;
	*ret_same = have->scope == want->scope && same_clock(&have->clock, &want->clock);
	for (size_t i = 0; i < SLOTS_MAX && *ret_same; i++)
		*ret_same = value_equal(have->v[i], want->v[i]);
	return 0;
}

/* ---- rows made right */

struct mending {
	struct replica *r;
	uint32_t scope;
	unsigned lane;
	size_t unread; /* entries of this scope and lane that do not read */
	bool look;     /* changes nothing */
	bool force;    /* the row is of no use as it stands */
	size_t off, mended;
	struct waiting waiting;
	struct buf *report; /* NULL: none */
};

static int row_keep(struct replica *r, uint32_t scope, unsigned lane, uint16_t table,
                    const uint8_t id[16], unsigned outcome)
{
	struct repair x = {.what = REPAIR_ROW,
	                   .outcome = (uint8_t)outcome,
	                   .lane = (uint8_t)lane,
	                   .table = table,
	                   .cause = ERR_DIFFERS};
	memcpy(x.id, id, 16);
	int rc = engine_scope_id(r, scope, x.scope);
	return rc ? rc : note(r, x);
}

int repair_row_later(struct replica *r, uint32_t scope, unsigned lane, uint16_t table,
                     const uint8_t id[16])
{
	return row_keep(r, scope, lane, table, id, REPAIR_OPEN);
}

static int row_note(struct mending *m, uint16_t table, const uint8_t id[16], unsigned outcome)
{
	char text[ID_TEXT];
	id_text(id, text);
	if (m->report)
		buf_print(m->report, "row %s of table %u lane %u is not what the journal says\n",
		          text, (unsigned)table, m->lane);
	return m->look ? 0 : row_keep(m->r, m->scope, m->lane, table, id, outcome);
}

/* Does the row lie in another scope, by an insert that stands there?  Then what is said of it in this one has no part in it:
 * a peer may say anything of any row. */
static int lies_elsewhere(struct mending *m, uint16_t table, const uint8_t id[16], bool *ret)
{
	struct replica *r = m->r;
	struct known_op *ops;
	struct row *row = NULL;
	struct arena a;
	uint8_t ids[1][16];
	size_t n = 0;
	*ret = false;
	memcpy(ids[0], id, 16);
	int rc = store_rows_get(r->st, table, m->lane, (const uint8_t(*)[16])ids, 1, &r->scratch,
	                        &row);
	if (rc || !row || row->scope == m->scope) return rc;
	arena_init(&a, 0);
	rc = admit_ops_of_row(r, m->lane, id, row->scope, &a, &ops, &n);
	for (size_t i = 0; i < n && !rc && !*ret; i++)
		*ret = ops[i].op->kind == OP_INSERT && ops[i].op->table == table &&
		       ops[i].footing == STANDS;
	arena_done(&a);
	return rc;
}

/* What waited for a row must not come through while others of its scope are held against what was read of the journal before:
 * they would be taken for groundless, since the words on them are not there yet. */
static void wake_later(struct replica *r, const uint8_t id[16])
{
	r->mended.ids = mem_grow(r->mended.ids, (r->mended.count + 1) * 16);
	memcpy(r->mended.ids[r->mended.count++], id, 16);
}

static int wake_mended(struct replica *r)
{
	int rc = 0;
	for (size_t i = 0; i < r->mended.count && !rc; i++) rc = engine_wake(r, r->mended.ids[i]);
	r->mended.count = 0;
	return rc ? rc : admit_flush(r);
}

/* In its table, or in the one where it stands by mistake. */
static int mend_row(struct mending *m, const struct known_op *ops, size_t n, uint16_t table,
                    const uint8_t id[16])
{
	struct replica *r = m->r;
	struct lane_state *want = ARENA_ARRAY(&r->scratch, struct lane_state, 1);
	bool same = true, worth = true;
	int rc = expected(r, &m->waiting, ops, n, m->scope, m->lane, table, id, want);
	rc = rc ? rc : stands_so(r, want, &same, &worth);
	if (!rc && !same && worth) rc = lies_elsewhere(m, table, id, &same);
	if (rc || same) return rc;
	m->off++;
	if (m->look || (m->unread && worth && !m->force))
		return row_note(m, table, id, REPAIR_OPEN);
	rc = lane_put(r, want);
	/* From what reads, where it was of no use: again when the rest does. */
	rc = rc ? rc : row_note(m, table, id, m->unread ? REPAIR_OPEN : REPAIR_OWN);
	m->mended++;
	if (!rc && want->exists) wake_later(r, id);
	return rc ? engine_fail(r, rc) : 0;
}

/* Rows that the journal speaks of, one after the other. */
static int mend_known(struct mending *m, struct known_op *ops, size_t n)
{
	int rc = 0;
	if (n) qsort(ops, n, sizeof(*ops), op_order);
	for (size_t i = 0, k; i < n && !rc; i = k) {
		for (k = i + 1; k < n && ops[k].op->table == ops[i].op->table &&
		                !memcmp(ops[k].op->row, ops[i].op->row, 16);)
			k++;
		rc = mend_row(m, &ops[i], k - i, ops[i].op->table, ops[i].op->row);
		arena_reset(&m->r->scratch);
	}
	return rc;
}

static bool spoken_of(const struct known_op *ops, size_t n, uint16_t table, const uint8_t row[16])
{
	size_t lo = 0, hi = n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = memcmp(ops[mid].op->row, row, 16);
		if (c < 0 || (!c && ops[mid].op->table < table))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && !memcmp(ops[lo].op->row, row, 16) && ops[lo].op->table == table;
}

static int id_order(const void *x, const void *y)
{
	return memcmp(x, y, 16);
}

/* A scope may be spoken of in segments of another only by hubs; before a row is called groundless the whole journal is
 * asked. */
static int speaks_anywhere(struct mending *m, const uint8_t row[16], bool *ret)
{
	struct replica *r = m->r;
	struct arena a;
	struct scope *scopes;
	size_t n = 0;
	arena_init(&a, 0);
	*ret = false;
	int rc = store_scopes(r->st, &a, &scopes, &n);
	for (size_t i = 0; i < n && !rc && !*ret; i++) {
		struct known_op *ops;
		size_t count = 0;
		if (scopes[i].ord == m->scope) continue;
		rc = admit_ops_of_row(r, m->lane, row, scopes[i].ord, &a, &ops, &count);
		*ret = !rc && count > 0;
	}
	arena_done(&a);
	return rc;
}

static int mend_groundless(struct mending *m, uint16_t table, const uint8_t id[16])
{
	bool anywhere = true;
	int rc = m->unread ? 0 : speaks_anywhere(m, id, &anywhere);
	if (rc) return rc;
	if (!anywhere) return mend_row(m, NULL, 0, table, id);
	m->off++;
	return row_note(m, table, id, REPAIR_OPEN);
}

/* Rows in the tables of which the journal says nothing. */
static int mend_groundless_all(struct mending *m, const struct known_op *ops, size_t n,
                               const struct row_choice *c)
{
	struct arena a;
	int rc = 0;
	arena_init(&a, 0);
	uint16_t t = 0;
	while (!rc && !(rc = store_table_next(m->r->st, t, &t)) && t) {
		uint8_t after[16];
		bool started = false;
		for (size_t count = 1; count && !rc;) {
			struct row *rows;
			rc = store_rows_scan(m->r->st, t, m->lane, m->scope, started ? after : NULL,
			                     PAGE_ROWS, &a, &rows, &count);
			for (size_t i = 0; i < count && !rc; i++) {
				memcpy(after, rows[i].id, 16);
				started = true;
				if (row_chosen(c, rows[i].id) && !spoken_of(ops, n, t, rows[i].id))
					rc = mend_groundless(m, t, rows[i].id);
			}
			arena_reset(&a);
			arena_reset(&m->r->scratch);
		}
	}
	arena_done(&a);
	return rc ? engine_fail(m->r, rc) : 0;
}

/* Open notes of rows of a scope and lane whose entries all read by now. */
static int settle_rows(struct replica *r, uint32_t scope, unsigned lane)
{
	struct notes *n = ARENA_ARRAY(&r->scratch, struct notes, 1);
	uint8_t id[16];
	bool any = false;
	int rc = notes_load(r, n);
	rc = rc ? rc : engine_scope_id(r, scope, id);
	for (size_t i = 0; i < n->count && !rc; i++) {
		struct repair *x = &n->list[i];
		if (x->what != REPAIR_ROW || x->outcome != REPAIR_OPEN || x->lane != lane ||
		    memcmp(x->scope, id, 16) != 0)
			continue;
		x->outcome = REPAIR_OWN;
		any = true;
	}
	return rc || !any ? rc : notes_save(r, n);
}

static int repair_some(struct replica *r, uint32_t scope, unsigned lane,
                       const struct named_row *rows, size_t count, size_t *ret_mended, bool settle)
{
	struct mending m = {.r = r, .scope = scope, .lane = lane};
	struct arena a;
	struct known_op *ops = NULL;
	size_t n = 0, off = 0;
	*ret_mended = 0;
	arena_init(&a, 0);
	uint8_t(*ids)[16] = ARENA_ARRAY(&a, uint8_t[16], count + 1);
	for (size_t i = 0; i < count; i++) memcpy(ids[i], rows[i].id, 16);
	if (count) qsort(ids, count, 16, id_order);
	struct row_choice c = {.ids = (const uint8_t(*)[16])ids, .count = count};
	int rc = waiting_load(r, scope, lane, &a, &m.waiting);
	rc = rc ? rc : admit_ops_of_rows(r, lane, scope, &c, &a, &ops, &n, &m.unread);
	rc = rc ? rc : mend_known(&m, ops, n);
	for (size_t i = 0; i < count && !rc; i++)
		if (rows[i].table && !spoken_of(ops, n, rows[i].table, rows[i].id)) {
			bool known = false;
			rc = store_row_known(r->st, rows[i].table, rows[i].id, &known);
			if (!rc && known) rc = mend_groundless(&m, rows[i].table, rows[i].id);
		}
	arena_done(&a);
	*ret_mended = m.mended;
	if (!rc && m.mended) rc = repair_sums(r, scope, &off);
	if (!rc && settle && !m.unread) rc = settle_rows(r, scope, lane);
	rc = rc ? rc : wake_mended(r);
	return rc ? engine_fail(r, rc) : 0;
}

int repair_rows(struct replica *r, uint32_t scope, unsigned lane, const struct named_row *rows,
                size_t count, size_t *ret_mended)
{
	return repair_some(r, scope, lane, rows, count, ret_mended, /* settle= */ false);
}

/* Rows that were named while entries of their scope and lane did not read, and others besides. */
static int open_rows(struct replica *r, uint32_t scope, unsigned lane, const struct named_row *also,
                     size_t also_count)
{
	struct notes *n = ARENA_ARRAY(&r->tx, struct notes, 1);
	struct named_row *rows = ARENA_ARRAY(&r->tx, struct named_row, REPAIRS_MAX + also_count);
	uint8_t id[16];
	size_t count = also_count, mended;
	int rc = notes_load(r, n);
	if (also_count) memcpy(rows, also, also_count * sizeof(*also));
	rc = rc ? rc : engine_scope_id(r, scope, id);
	for (size_t i = 0; i < n->count && !rc; i++) {
		const struct repair *x = &n->list[i];
		if (x->what != REPAIR_ROW || x->outcome != REPAIR_OPEN || x->lane != lane ||
		    memcmp(x->scope, id, 16) != 0)
			continue;
		rows[count].table = x->table;
		memcpy(rows[count++].id, x->id, 16);
	}
	return rc || !count ? rc
	                    : repair_some(r, scope, lane, rows, count, &mended, /* settle= */ true);
}

int repair_hurt(struct replica *r)
{
	struct hurt_row h = r->hurt;
	struct mending m = {.r = r, .lane = h.lane, .force = true};
	struct arena a;
	struct scope *scopes;
	size_t n = 0, off;
	uint8_t ids[1][16];
	memcpy(ids[0], h.id, 16);
	r->hurt.set = false;
	env_trace(r->env, "repair: hurt row of table %u lane %u", (unsigned)h.table, h.lane);
	arena_init(&a, 0);
	int rc = store_scopes(r->st, &a, &scopes, &n);
	for (size_t i = 0; i < n && !rc && !m.mended; i++) {
		struct row_choice c = {.ids = (const uint8_t(*)[16])ids, .count = 1};
		struct known_op *ops;
		size_t count = 0;
		m.scope = scopes[i].ord;
		rc = admit_ops_of_rows(r, h.lane, m.scope, &c, &a, &ops, &count, &m.unread);
		if (rc || !count) continue;
		rc = waiting_load(r, m.scope, h.lane, &a, &m.waiting);
		rc = rc ? rc : mend_row(&m, ops, count, h.table, h.id);
		rc = rc ? rc : repair_sums(r, m.scope, &off);
	}
	if (!rc && !m.mended) { /* nothing that reads speaks of it */
		struct row *row = NULL;
		rc = store_rows_get(r->st, h.table, h.lane, (const uint8_t(*)[16])ids, 1, &a, &row);
		m.scope = !rc && row ? row->scope : r->own_scope;
		m.unread = 1;
		rc = rc ? engine_fail(r, rc) : mend_row(&m, NULL, 0, h.table, h.id);
		rc = rc ? rc : repair_sums(r, m.scope, &off);
	}
	rc = rc ? rc : wake_mended(r);
	arena_done(&a);
	return rc;
}

/* ---- sums */

struct summing {
	struct replica *r;
	uint32_t scope;
	uint8_t states[LANES][STATE_BYTES];
	struct cell *cells; /* truth and stated, counted from the rows */
	size_t count, room;
	size_t off;
	bool look;
	struct buf *report;
};

static void cell_count(struct summing *s, int64_t month, unsigned kind, int64_t truth,
                       int64_t stated)
{
	size_t i = 0;
	if (!kind) return;
	while (i < s->count && (s->cells[i].month != month || s->cells[i].kind != kind)) i++;
	if (i == s->count) {
		if (s->count == s->room) {
			s->room = s->room * 2 + 64;
			s->cells = mem_grow(s->cells, s->room * sizeof(*s->cells));
		}
		s->cells[s->count++] =
		        (struct cell){.scope = s->scope, .month = month, .kind = kind};
	}
	s->cells[i].truth += truth;
	s->cells[i].stated += stated;
}

static int sum_row(struct summing *s, uint16_t table, unsigned lane, const struct row *row)
{
	struct lane_state *l = ARENA_ARRAY(&s->r->scratch, struct lane_state, 1);
	struct figure_cell cells[FIGURE_CELLS_MAX];
	uint8_t hash[STATE_BYTES];
	int rc = lane_of_row(s->r, table, lane, row, l);
	if (rc == -ERR_DATABASE_DAMAGED) {
		s->off++; /* named with the rows */
		return 0;
	}
	if (rc) return rc;
	clock_hash(table, lane, l->id, &l->clock, hash);
	state_add(s->states[lane], hash);
	if (!replica_is_hub(s->r)) return 0;
	struct cell f = lane_stated(l);
	cell_count(s, f.month, f.kind, 0, f.stated);
	size_t n = l->table && l->number != TABLE_FIGURE && engine_custodian(s->r)
	                   ? figure_cells(l->table, lane, l->v, cells)
	                   : 0;
	for (size_t i = 0; i < n; i++)
		cell_count(s, cells[i].month, cells[i].kind, cells[i].amount, 0);
	return 0;
}

static int sum_rows(struct summing *s)
{
	struct arena a;
	int rc = 0;
	arena_init(&a, 0);
	uint16_t t = 0;
	while (!rc && !(rc = store_table_next(s->r->st, t, &t)) && t)
		for (unsigned lane = 0; lane < LANE_RESERVED && !rc; lane++) {
			uint8_t after[16];
			bool started = false;
			for (size_t n = PAGE_ROWS; n == PAGE_ROWS && !rc;) {
				struct row *rows;
				rc = store_rows_scan(s->r->st, t, lane, s->scope,
				                     started ? after : NULL, PAGE_ROWS, &a, &rows,
				                     &n);
				for (size_t i = 0; i < n && !rc; i++) {
					memcpy(after, rows[i].id, 16);
					started = true;
					rc = sum_row(s, t, lane, &rows[i]);
				}
				arena_reset(&a);
				arena_reset(&s->r->scratch);
			}
		}
	arena_done(&a);
	return rc;
}

static int sum_note(struct summing *s, unsigned what, unsigned lane)
{
	struct repair x = {.what = (uint8_t)what,
	                   .outcome = REPAIR_OWN,
	                   .lane = (uint8_t)lane,
	                   .cause = ERR_DIFFERS};
	s->off++;
	if (s->report)
		buf_print(s->report, "%s, scope at %" PRIu32 " lane %u\n",
		          what == REPAIR_STATE ? "state hash differs"
		                               : "figures recomputed from rows differ",
		          s->scope, lane);
	if (s->look) return 0;
	int rc = engine_scope_id(s->r, s->scope, x.scope);
	return rc ? rc : note(s->r, x);
}

static int sums_states(struct summing *s, bool quiet)
{
	int rc = 0;
	for (unsigned lane = 0; lane < LANE_RESERVED && !rc; lane++) {
		uint8_t kept[STATE_BYTES], delta[STATE_BYTES];
		rc = store_state_get(s->r->st, s->scope, lane, kept);
		if (rc || !memcmp(kept, s->states[lane], STATE_BYTES)) continue;
		memcpy(delta, s->states[lane], STATE_BYTES);
		state_subtract(delta, kept);
		if (!s->look) rc = store_state_add(s->r->st, s->scope, lane, delta);
		rc = rc || quiet ? rc : sum_note(s, REPAIR_STATE, lane);
	}
	return rc;
}

static int sums_cells(struct summing *s, bool quiet)
{
	struct arena a;
	struct cell *kept;
	size_t n = 0;
	arena_init(&a, 0);
	int rc = replica_is_hub(s->r) ? store_cells_all(s->r->st, s->scope, &a, &kept, &n) : 0;
	for (size_t i = 0; i < n;
	     i++) /* what is kept of it is taken off; what is left is the difference */
		cell_count(s, kept[i].month, kept[i].kind,
		           engine_custodian(s->r) ? -kept[i].truth : 0, -kept[i].stated);
	for (size_t i = 0; i < s->count && !rc; i++) {
		struct cell *c = &s->cells[i];
		if (!c->truth && !c->stated) continue;
		if (!s->look) rc = store_cells_add(s->r->st, c, 1);
		rc = rc || quiet ? rc : sum_note(s, REPAIR_FIGURE, figure_lane(c->kind));
	}
	arena_done(&a);
	return rc;
}

static int sums(struct replica *r, uint32_t scope, bool look, bool quiet, struct buf *report,
                size_t *ret_off)
{
	struct summing s = {.r = r, .scope = scope, .look = look, .report = report};
	int rc = sum_rows(&s);
	rc = rc ? rc : sums_states(&s, quiet);
	rc = rc ? rc : sums_cells(&s, quiet);
	free(s.cells);
	*ret_off = s.off;
	return rc ? engine_fail(r, rc) : 0;
}

int repair_sums(struct replica *r, uint32_t scope, size_t *ret_off)
{
	return sums(r, scope, /* look= */ false, /* quiet= */ false, NULL, ret_off);
}

int repair_recount(struct replica *r, uint32_t scope)
{
	size_t off;
	return sums(r, scope, /* look= */ false, /* quiet= */ true, NULL, &off);
}

/* ---- all of it: audit --deep and verify */

/* Bytes of the bodies of a scope and lane say into how many parts its rows are taken. */
static int parts_of(struct replica *r, uint32_t scope, unsigned lane, unsigned *ret)
{
	int64_t bytes = 0;
	int rc = store_journal_bytes(r->st, scope, lane, &bytes);
	*ret = 1 + (unsigned)(bytes / PART_BYTES);
	return rc ? engine_fail(r, rc) : 0;
}

static int audit_part(struct replica *r, uint32_t scope, unsigned lane, const struct row_choice *c,
                      struct audit *x)
{
	struct mending m = {
	        .r = r, .scope = scope, .lane = lane, .look = x->look, .report = x->report};
	struct known_op *ops;
	struct arena a;
	size_t n = 0;
	arena_init(&a, 0);
	int rc = waiting_load(r, scope, lane, &a, &m.waiting);
	rc = rc ? rc : admit_ops_of_rows(r, lane, scope, c, &a, &ops, &n, &m.unread);
	rc = rc ? rc : mend_known(&m, ops, n);
	rc = rc ? rc : mend_groundless_all(&m, ops, n, c);
	x->found += (int64_t)m.off;
	x->mended += (int64_t)m.mended;
	x->scope_mended |= m.mended > 0;
	arena_done(&a);
	return rc;
}

/* In pieces one part of the rows at a time, then the sums; *ret_more: the scope is not done. */
static int audit_scope(struct replica *r, uint32_t scope, struct audit *x, bool *ret_more)
{
	unsigned at = 0;
	size_t off = 0;
	int rc = 0;
	*ret_more = false;
	/* Settled when the scope begins: what is entered meanwhile must not move rows into parts that are done. */
	for (unsigned lane = 0; lane < LANE_RESERVED && !rc && !x->parts_done; lane++)
		rc = parts_of(r, scope, lane, &x->parts[lane]);
	if (!x->parts_done) x->scope_mended = false;
	for (unsigned lane = 0; lane < LANE_RESERVED && !rc && x->whole; lane++) {
		struct row_choice c = {.parts = x->parts[lane]};
		for (; c.part < c.parts && !rc; c.part++) {
			if (at++ < x->parts_done) continue;
			rc = audit_part(r, scope, lane, &c, x);
			if (!x->piece || rc) continue;
			x->parts_done++;
			*ret_more = true;
			return 0;
		}
	}
	/* Sums that follow a mended row are no finding of their own. */
	rc = rc ? rc : sums(r, scope, x->look, x->scope_mended, x->report, &off);
	x->found += (int64_t)off;
	if (!x->look) x->mended += (int64_t)off;
	x->parts_done = 0;
	return rc;
}

/* Entries whose bytes are damaged, from a place on. */
static int audit_entries(struct replica *r, struct audit *x, size_t count)
{
	struct feed_filter everything = {.all = true, .lane_mask = 0xff};
	struct arena a;
	struct entry *e;
	size_t n = 0;
	arena_init(&a, 0);
	int rc = store_journal_scan(r->st, &everything, x->entry, count, PART_BYTES, &a, &e, &n);
	for (size_t i = 0; i < n && !rc; i++) {
		x->entry = e[i].recv;
		if (entry_sound(&e[i])) continue;
		x->found++;
		if (!x->look) rc = repair_entry_damaged(r, &e[i]);
	}
	x->entries_done = !rc && !n;
	arena_done(&a);
	return rc ? engine_fail(r, rc) : 0;
}

/* Who asks for an audit wants differences with peers looked into again as well (descent.c). */
static int forget_tried(struct replica *r)
{
	struct peer *peers;
	size_t n = 0;
	int rc = store_peers(r->st, &r->scratch, &peers, &n);
	for (size_t i = 0; i < n && !rc; i++) {
		char key[64], hex[33];
		hex_text(peers[i].origin, 16, hex);
		snprintf(key, sizeof(key), "tried/%s", hex);
		rc = store_meta_put(r->st, key, span_of(NULL, 0));
	}
	return rc ? engine_fail(r, rc) : 0;
}

static int keep_audited(struct replica *r)
{
	int64_t now = r->env->now_ms(r->env->ctx);
	uint8_t b[8];
	for (unsigned i = 0; i < 8; i++) b[i] = (uint8_t)((uint64_t)now >> (8 * i));
	return store_meta_put(r->st, "audited", span_of(b, sizeof(b)));
}

int replica_audited(struct replica *r, int64_t *ret_ms)
{
	struct span s;
	struct arena a;
	uint64_t v = 0;
	arena_init(&a, 0);
	int rc = store_meta_get(r->st, "audited", &a, &s);
	for (size_t i = 8; !rc && s.len == 8 && i-- > 0;) v = v << 8 | s.p[i];
	arena_done(&a);
	*ret_ms = (int64_t)v;
	return rc ? engine_fail(r, rc) : 0;
}

/* What is kept by place for coverage, against cells, corrections, units and devices; in one go (a province: seconds), so
 * not in the pieces that a hub looks at beside its work. */
static int audit_folds(struct replica *r, struct audit *x)
{
	int64_t off = 0;
	int rc = x->piece ? 0 : store_folds_check(r->st, &off);
	if (rc || !off) return rc;
	x->found++;
	if (x->report) buf_text(x->report, "sums kept for coverage differ\n");
	if (x->look) return 0;
	x->mended++;
	return store_folds_rebuild(r->st);
}

static int audit_next_scope(struct replica *r, struct audit *x)
{
	struct arena a;
	struct scope *scopes;
	size_t n = 0;
	bool found = false;
	arena_init(&a, 0);
	int rc = store_scopes(r->st, &a, &scopes, &n);
	size_t most = x->look && !x->piece ? SCOPES_LOOKED_AT : 1, taken = 0;
	x->of = rc ? 0 : (int64_t)n;
	for (size_t i = 0; i < n && !rc && taken < most; i++) {
		if (scopes[i].ord <= x->scope) continue;
		bool more = false;
		found = true;
		taken++;
		rc = audit_scope(r, scopes[i].ord, x, &more);
		if (more) continue;
		x->scope = scopes[i].ord;
		x->done++;
	}
	if (!rc && !found && !x->look) {
		int64_t off = 0;
		rc = store_candidates_recount(r->st, &off);
		x->found += off != 0;
		x->mended += off != 0;
	}
	if (!rc && !found) rc = audit_folds(r, x);
	if (!rc && !found) x->finished = true;
	if (!rc && !found && !x->look) rc = forget_tried(r);
	if (!rc && !found && !x->look && x->whole) {
		rc = notes_settle(r, REPAIR_ROW, x->began_ms, REPAIR_OWN);
		rc = rc ? rc : notes_settle(r, REPAIR_ENTRY, x->began_ms, REPAIR_PEER);
	}
	if (!rc && !found && !x->look) rc = keep_audited(r);
	arena_done(&a);
	return rc ? engine_fail(r, rc) : 0;
}

int replica_audit(struct replica *r, struct audit *x)
{
	uint8_t rolling[ROLLING_BYTES];
	int64_t head = 0;
	bool more = false;
	int rc = 0;
	if (!x->began_ms) x->began_ms = r->env->now_ms(r->env->ctx);
	if (!x->look) rc = replica_apply(r, 10000, &more);
	if (rc || more) return rc;
	rc = store_journal_head(r->st, &head, rolling);
	/* What the tables should be is known only when all that is here has been applied. */
	x->whole = !rc && head == r->s.applied;
	if (!rc && !x->entries_done && (!x->look || x->piece))
		rc = audit_entries(r, x, 256);
	else if (!rc)
		rc = audit_next_scope(r, x);
	if (!x->look) rc = rc ? rc : wake_mended(r);
	return rc ? engine_fail(r, rc) : 0;
}

int replica_audit_piece(struct replica *r, struct audit *x)
{
	struct audit before = *x;
	assert(!store_in_transaction(r->st));
	x->piece = x->look = true;
	arena_reset(&r->scratch);
	int rc = store_begin_read(r->st);
	if (!rc) {
		rc = replica_audit(r, x);
		store_rollback(r->st);
	}
	/* A row that cannot be used at all is rebuilt at the next begin. */
	if (rc && !r->hurt.set) return rc;
	/* What is journaled and not applied yet is applied first: no row is passed over for it. */
	if (!rc && x->whole && x->found == before.found && !x->finished) return 0;
	*x = before;
	x->piece = true;
	x->look = false;
	rc = replica_begin(r);
	if (rc) return rc;
	rc = replica_audit(r, x);
	rc = rc ? rc : replica_commit(r);
	if (rc) {
		*x = before;
		replica_rollback(r);
	}
	return rc;
}
