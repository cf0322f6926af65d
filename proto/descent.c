/*
 * descent.c - see descent.h.
 *
 * The child looks at the rows of a scope and lane once and keeps sums of blocks of 32; the parent keeps nothing between two
 * questions and scans what it is asked for.  Rows are ordered by table and id, ids begin with their time: so recent
 * differences lie side by side, and a few ranges hold them.  Fingerprints and tags are salted with the session's number:
 * what one session takes for equal by chance the next does not.
 */
#include "common/base.h"

#include "proto/descent.h"

#include "common/crypt.h"
#include "common/ident.h"

enum {
	BLOCK_ROWS = 32,
	STEP_ROWS = 20000,
	PAGE_ROWS = 500,
	QUESTIONS_MAX = 48,
	SPACES_MAX = 64,       /* scopes and lanes of a session */
	REMEMBERED_MAX = 2048, /* items of leaves that were told, so that their tags can be named */
	AGAIN_BYTES_MAX = 2 * 1024 * 1024,
	NAMED_NOTES_MAX = 16, /* rows that still differ, kept in the list for people */
	WANTS_MAX = 8,        /* damaged entries and gaps asked for when a session begins */
	AGAIN_AFTER_MS = 24 * 3600 * 1000
};

enum phase {
	PHASE_NONE,
	PHASE_SCAN,  /* own rows are being summed up */
	PHASE_ASKED, /* a question is under way */
	PHASE_NAMED, /* rows are named: TOLD is waited for */
	PHASE_HELD,  /* HELD is waited for */
	PHASE_WANT,  /* DONE is waited for */
	PHASE_GIVE,  /* the peer's WANT is waited for */
	PHASE_OVER
};

struct block {
	uint8_t lo[KEY_BYTES];
	uint8_t sum[STATE_BYTES];
	uint32_t count;
};
struct item { /* a scope and lane that both may hold, or a row of a leaf */
	uint8_t key[KEY_BYTES], id[16], sum[STATE_BYTES], tag[TAG_BYTES];
	uint32_t ord;
	uint16_t table;
	uint8_t lane;
};
struct piece { /* a range of own blocks that is to be asked for */
	uint8_t lo[KEY_BYTES], hi[KEY_BYTES];
	size_t first, count;
	bool leaf;
};
struct scan {
	uint32_t scope;
	unsigned lane;
	uint16_t table;
	uint8_t after[16], hi[KEY_BYTES];
	bool done;
};
struct space {
	uint8_t id[16], lane;
};

/* What a descent that finds something needs: 20 KiB, which a hub with thousands of children has not for each. */
struct bulk {
	struct piece asked[RANGES_MAX];
	struct space todo[SPACES_MAX];
	struct named_row rows[2 * NAMES_ROWS_MAX];
	uint8_t tags[NAMES_ROWS_MAX][TAG_BYTES];
	uint8_t wanted[NAMES_HASHES_MAX][32];
};

struct descent {
	struct descent_link l;
	uint64_t session;
	struct arena a; /* of one space */
	enum phase phase;
	unsigned round, questions;
	uint8_t began_own[STATE_BYTES], began_peers[STATE_BYTES], heard[STATE_BYTES];
	bool has_heard, found;

	/* child: the space that is being looked at */
	bool scopes;
	uint8_t scope_id[16];
	uint32_t scope;
	unsigned lane;
	struct item *items; /* of scopes */
	size_t items_count;
	struct block *blocks;
	size_t blocks_count, blocks_room;
	uint8_t last[KEY_BYTES], total[STATE_BYTES];
	struct scan scan;
	struct piece *queue;
	size_t queue_count, queue_room;
	size_t asked_count;
	uint32_t number;
	size_t todo_count, todo_at;
	size_t rows_count, tags_count;
	struct bulk *bulk; /* NULL: nothing of it was needed yet, as in most sessions */

	/* entries */
	size_t wanted_count;
	bool asked_first, waits_first; /* what is damaged or missing here */
	uint32_t wants_seen;

	/* parent: the question that is being answered */
	struct arena q;
	struct range *ranges;
	struct range_sum *sums;
	size_t ranges_count, range_at, part_at;
	bool answering, in_range;
	uint8_t part_sum[STATE_BYTES], whole[STATE_BYTES];
	uint32_t q_number;
	struct remembered {
		uint8_t tag[TAG_BYTES];
		struct named_row row;
	} * remembered;
	size_t remembered_count;
};

static const uint8_t lowest[KEY_BYTES];
static const uint8_t highest[KEY_BYTES] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

struct descent *descent_new(const struct descent_link *link, uint64_t session)
{
	struct descent *d = mem_alloc(sizeof(*d));
	d->l = *link;
	d->session = session;
	arena_init(&d->a, 0);
	arena_init(&d->q, 0);
	return d;
}

void descent_free(struct descent *d)
{
	if (!d) return;
	arena_done(&d->a);
	arena_done(&d->q);
	free(d->blocks);
	free(d->queue);
	free(d->remembered);
	free(d->bulk);
	free(d);
}

static struct bulk *bulk_of(struct descent *d)
{
	if (!d->bulk) d->bulk = mem_alloc(sizeof(*d->bulk));
	return d->bulk;
}

bool descent_busy(const struct descent *d)
{
	return d->answering || d->waits_first || (d->phase != PHASE_NONE && d->phase != PHASE_OVER);
}

bool descent_heard(struct descent *d, uint8_t ret[STATE_BYTES])
{
	bool heard = d->has_heard;
	if (heard) memcpy(ret, d->heard, STATE_BYTES);
	d->has_heard = false;
	return heard;
}

/* ---- keys, fingerprints, tags */

static void salted(const struct descent *d, const void *p, size_t len, uint8_t ret[8])
{
	struct hash h;
	hash_begin(&h, 8);
	hash_add(&h, &d->session, sizeof(d->session));
	hash_add(&h, p, len);
	hash_end(&h, ret, 8);
}

/* The first half names the item, the second says how it stands. */
static void tag_of(const struct descent *d, const void *name, size_t name_len,
                   const uint8_t sum[STATE_BYTES], uint8_t ret[TAG_BYTES])
{
	uint8_t half[8];
	salted(d, name, name_len, half);
	memcpy(ret, half, 4);
	salted(d, sum, STATE_BYTES, half);
	memcpy(ret + 4, half, 4);
}

static void row_key(uint16_t table, const uint8_t id[16], uint8_t ret[KEY_BYTES])
{
	ret[0] = (uint8_t)(table >> 8);
	ret[1] = (uint8_t)table;
	memcpy(ret + 2, id, KEY_BYTES - 2);
}

static int row_item(struct descent *d, uint16_t table, unsigned lane, const struct row *row,
                    struct item *ret)
{
	struct lane_state *l = ARENA_ARRAY(&d->l.r->scratch, struct lane_state, 1);
	uint8_t name[18];
	int rc = lane_of_row(d->l.r, table, lane, row, l);
	*ret = (struct item){.table = table, .lane = (uint8_t)lane};
	memcpy(ret->id, row->id, 16);
	row_key(table, row->id, ret->key);
	if (rc == -ERR_DATABASE_DAMAGED) /* differs from anything */
		hash_of(row->clock, ret->sum, STATE_BYTES);
	else
		clock_hash(table, lane, row->id, &l->clock, ret->sum);
	name[0] = ret->key[0];
	name[1] = ret->key[1];
	memcpy(name + 2, row->id, 16);
	tag_of(d, name, sizeof(name), ret->sum, ret->tag);
	return rc == -ERR_DATABASE_DAMAGED ? 0 : rc;
}

/* ---- scopes and lanes that both may hold */

static int item_order(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	return memcmp(a->key, b->key, KEY_BYTES);
}

/* Our ancestors' scopes are held open only (see replica_digest). */
static int closed_to_us(struct replica *r, uint32_t ord, unsigned lane, bool *ret)
{
	struct scope s;
	int rc = store_scope_get(r->st, r->own_scope, &s);
	*ret = false;
	for (unsigned depth = 0; !rc && s.parent && depth < 8 && lane != LANE_OPEN && !*ret;
	     depth++) {
		*ret = s.parent == ord;
		rc = store_scope_get(r->st, s.parent, &s);
	}
	return rc;
}

static int is_shared(struct descent *d, const struct scope *s, unsigned lane, bool *ret)
{
	struct entry as = {.feed = s->feed, .lane = (uint8_t)lane};
	bool closed = false;
	int rc = 0;
	if (d->l.parent) {
		*ret = feed_admits(d->l.feed, &as);
		return 0;
	}
	rc = closed_to_us(d->l.r, s->ord, lane, &closed);
	*ret = (d->l.peer->lanes & d->l.r->cert.lanes) >> lane & 1 && !closed;
	return rc;
}

static int shared(struct descent *d, struct arena *a, struct item **ret, size_t *ret_count)
{
	struct replica *r = d->l.r;
	static const uint8_t zero[STATE_BYTES];
	struct scope *scopes;
	size_t n = 0;
	int rc = store_scopes(r->st, a, &scopes, &n);
	*ret_count = 0;
	*ret = ARENA_ARRAY(a, struct item, n * LANE_RESERVED + 1);
	for (size_t i = 0; i < n && !rc; i++)
		for (unsigned lane = 0; lane < LANE_RESERVED && !rc; lane++) {
			struct item *x = &(*ret)[*ret_count];
			uint8_t name[17];
			bool both = false;
			rc = is_shared(d, &scopes[i], lane, &both);
			if (rc || !both) continue;
			rc = store_state_get(r->st, scopes[i].ord, lane, x->sum);
			if (rc || !memcmp(x->sum, zero, STATE_BYTES)) continue;
			memcpy(name, scopes[i].id, 16);
			name[16] = (uint8_t)lane;
			memcpy(x->id, scopes[i].id, 16);
			x->ord = scopes[i].ord;
			x->lane = (uint8_t)lane;
			hash_of(span_of(name, sizeof(name)), x->key, 8);
			tag_of(d, name, sizeof(name), x->sum, x->tag);
			(*ret_count)++;
		}
	if (*ret_count) qsort(*ret, *ret_count, sizeof(**ret), item_order);
	return rc ? engine_fail(r, rc) : 0;
}

/* ---- scanning rows in the order of keys */

static void scan_begin(struct scan *s, uint32_t scope, unsigned lane, const uint8_t lo[KEY_BYTES],
                       const uint8_t hi[KEY_BYTES])
{
	*s = (struct scan){.scope = scope,
	                   .lane = lane,
	                   .table = (uint16_t)(lo[0] << 8 | lo[1]),
	                   .done = scope == 0};
	memcpy(s->after, lo + 2, KEY_BYTES - 2);
	memcpy(s->hi, hi, KEY_BYTES);
}

/* The next rows, all of one table; none: the scan is done. */
static int scan_page(struct descent *d, struct scan *s, struct arena *a, struct row **ret,
                     size_t *ret_count)
{
	*ret_count = 0;
	while (!s->done && !*ret_count) {
		uint8_t key[KEY_BYTES];
		int rc = s->table ? store_rows_scan(d->l.r->st, s->table, s->lane, s->scope,
		                                    s->after, PAGE_ROWS, a, ret, ret_count)
		                  : 0;
		if (rc) return engine_fail(d->l.r, rc);
		while (*ret_count) {
			row_key(s->table, (*ret)[*ret_count - 1].id, key);
			if (memcmp(key, s->hi, KEY_BYTES) < 0) break;
			(*ret_count)--;
			s->done = true;
		}
		if (*ret_count) {
			memcpy(s->after, (*ret)[*ret_count - 1].id, 16);
			return 0;
		}
		if (s->done) break;
		rc = store_table_next(d->l.r->st, s->table, &s->table);
		if (rc) return engine_fail(d->l.r, rc);
		memset(s->after, 0, sizeof(s->after));
		key[0] = (uint8_t)(s->table >> 8);
		key[1] = (uint8_t)s->table;
		memset(key + 2, 0, sizeof(key) - 2);
		s->done = !s->table || memcmp(key, s->hi, KEY_BYTES) >= 0;
	}
	return 0;
}

/* ---- child: own sums in blocks */

static void block_add(struct descent *d, const struct item *x)
{
	struct block *b = d->blocks_count ? &d->blocks[d->blocks_count - 1] : NULL;
	if (!b || (b->count >= BLOCK_ROWS && memcmp(x->key, d->last, KEY_BYTES) != 0)) {
		if (d->blocks_count == d->blocks_room) {
			d->blocks_room = d->blocks_room * 2 + 64;
			d->blocks = mem_grow(d->blocks, d->blocks_room * sizeof(*d->blocks));
		}
		assert(d->blocks);
		b = &d->blocks[d->blocks_count++];
		*b = (struct block){0};
		/* As short as it still parts this key from the one before. */
		for (size_t i = 0; d->blocks_count > 1 && i < KEY_BYTES; i++) {
			b->lo[i] = x->key[i];
			if (x->key[i] != d->last[i]) break;
		}
	}
	b->count++;
	state_add(b->sum, x->sum);
	state_add(d->total, x->sum);
	memcpy(d->last, x->key, KEY_BYTES);
}

static void queue_add(struct descent *d, const struct piece *p)
{
	if (d->queue_count == d->queue_room) {
		d->queue_room = d->queue_room * 2 + 64;
		d->queue = mem_grow(d->queue, d->queue_room * sizeof(*d->queue));
	}
	d->queue[d->queue_count++] = *p;
}

static struct piece piece_of(const struct descent *d, const struct piece *in, size_t first,
                             size_t count)
{
	struct piece p = {.first = first, .count = count, .leaf = count <= 1};
	bool last = first + count == in->first + in->count;
	memcpy(p.lo, first == in->first ? in->lo : d->blocks[first].lo, KEY_BYTES);
	memcpy(p.hi, last ? in->hi : d->blocks[first + count].lo, KEY_BYTES);
	return p;
}

static size_t parts_of(const struct piece *p)
{
	return p->leaf ? 1 : p->count > RANGE_BOUNDS_MAX + 1 ? RANGE_BOUNDS_MAX + 1 : p->count;
}

static struct piece part_of(const struct descent *d, const struct piece *p, size_t k)
{
	size_t n = parts_of(p), from = p->first + k * p->count / n,
	       to = p->first + (k + 1) * p->count / n;
	return piece_of(d, p, from, to - from);
}

static void space_clear(struct descent *d)
{
	arena_reset(&d->a);
	d->blocks_count = d->queue_count = d->asked_count = 0;
	d->rows_count = d->tags_count = 0;
	memset(d->total, 0, sizeof(d->total));
	memset(d->last, 0, sizeof(d->last));
}

static void whole_queue(struct descent *d)
{
	struct piece p = {.count = d->blocks_count, .leaf = d->blocks_count <= 1};
	memcpy(p.hi, highest, KEY_BYTES);
	queue_add(d, &p);
}

/* ---- child: asking */

static int next_space(struct descent *d);
static int name_rows(struct descent *d);

static int piece_order(const void *x, const void *y)
{
	const struct piece *a = x, *b = y;
	return memcmp(a->lo, b->lo, KEY_BYTES);
}

/* Asking goes over to naming and to the next scope, which asks: no deeper than the two rounds of a descent. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static int ask(struct descent *d)
{
	struct message m = {.type = MSG_RANGE};
	size_t leaves = 0, parts = 0, n = 0, taken = 0;
	if (!d->queue_count || d->questions == QUESTIONS_MAX) {
		if (d->scopes) return next_space(d);
		return name_rows(d);
	}
	while (taken < d->queue_count && n < RANGES_MAX) {
		const struct piece *p = &d->queue[taken];
		if (leaves + p->leaf > RANGE_LEAVES_MAX || parts + parts_of(p) > PARTS_ASKED_MAX)
			break;
		leaves += p->leaf;
		parts += parts_of(p);
		bulk_of(d)->asked[n++] = *p;
		taken++;
	}
	memmove(d->queue, d->queue + taken, (d->queue_count - taken) * sizeof(*d->queue));
	d->queue_count -= taken;
	qsort(bulk_of(d)->asked, n, sizeof(*bulk_of(d)->asked), piece_order);
	d->asked_count = n;
	m.range = (struct msg_range){.number = ++d->number,
	                             .scopes = d->scopes,
	                             .lane = (uint8_t)(d->scopes ? 0 : d->lane),
	                             .count = n};
	memcpy(m.range.scope, d->scope_id, 16);
	m.range.ranges = ARENA_ARRAY(&d->a, struct range, n);
	for (size_t i = 0; i < n; i++) {
		struct range *g = &m.range.ranges[i];
		const struct piece *p = &bulk_of(d)->asked[i];
		memcpy(g->lo, p->lo, KEY_BYTES);
		memcpy(g->hi, p->hi, KEY_BYTES);
		g->bounds_count = (uint8_t)(p->leaf ? 0 : parts_of(p) - 1);
		for (size_t k = 0; k < g->bounds_count; k++) {
			struct piece part = part_of(d, p, k + 1);
			memcpy(g->bounds[k], part.lo, KEY_BYTES);
		}
	}
	d->questions++;
	d->phase = PHASE_ASKED;
	d->l.send(d->l.ctx, &m);
	return 0;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static int begin_scopes(struct descent *d)
{
	space_clear(d);
	d->scopes = true;
	d->todo_count = d->todo_at = 0;
	d->found = false;
	memset(d->scope_id, 0, sizeof(d->scope_id));
	int rc = shared(d, &d->a, &d->items, &d->items_count);
	for (size_t i = 0; i < d->items_count && !rc; i++) block_add(d, &d->items[i]);
	whole_queue(d);
	return rc ? rc : ask(d);
}

static int begin_rows(struct descent *d, const struct space *s)
{
	space_clear(d);
	d->scopes = false;
	d->lane = s->lane;
	memcpy(d->scope_id, s->id, 16);
	int rc = store_scope_ord(d->l.r->st, s->id, true, &d->scope);
	scan_begin(&d->scan, d->scope, d->lane, lowest, highest);
	d->phase = PHASE_SCAN;
	return rc ? engine_fail(d->l.r, rc) : 0;
}

/* Is the kept state hash what the rows add up to?  A hash that is off is mended by counting anew. */
static int check_total(struct descent *d, uint32_t scope, unsigned lane,
                       const uint8_t total[STATE_BYTES])
{
	uint8_t kept[STATE_BYTES];
	size_t off;
	int rc = store_state_get(d->l.r->st, scope, lane, kept);
	if (rc || !memcmp(kept, total, STATE_BYTES)) return rc ? engine_fail(d->l.r, rc) : 0;
	return repair_sums(d->l.r, scope, &off);
}

static int scan_step(struct descent *d, bool *ret_more)
{
	struct arena page;
	size_t rows = 0, n = 1;
	int rc = 0;
	arena_init(&page, 0);
	while (!rc && n && rows < STEP_ROWS) {
		struct row *r;
		rc = scan_page(d, &d->scan, &page, &r, &n);
		for (size_t i = 0; i < n && !rc; i++) {
			struct item x;
			rc = row_item(d, d->scan.table, d->lane, &r[i], &x);
			block_add(d, &x);
		}
		rows += n;
		arena_reset(&page);
		arena_reset(&d->l.r->scratch);
	}
	arena_done(&page);
	*ret_more = !rc && n;
	if (rc || n) return rc;
	rc = check_total(d, d->scope, d->lane, d->total);
	whole_queue(d);
	return rc ? rc : ask(d);
}

/* ---- child: answers */

/* Own items of a range. */
static int own_items(struct descent *d, const uint8_t lo[KEY_BYTES], const uint8_t hi[KEY_BYTES],
                     struct item **ret, size_t *ret_count)
{
	struct scan s;
	size_t n = 1, room = 4 * LEAF_MAX;
	int rc = 0;
	*ret_count = 0;
	*ret = ARENA_ARRAY(&d->a, struct item, room);
	for (size_t i = 0; d->scopes && i < d->items_count && *ret_count < room; i++)
		if (memcmp(d->items[i].key, lo, KEY_BYTES) >= 0 &&
		    memcmp(d->items[i].key, hi, KEY_BYTES) < 0)
			(*ret)[(*ret_count)++] = d->items[i];
	if (d->scopes) return 0;
	scan_begin(&s, d->scope, d->lane, lo, hi);
	while (!rc && n && *ret_count < room) {
		struct row *rows;
		rc = scan_page(d, &s, &d->a, &rows, &n);
		for (size_t i = 0; i < n && !rc && *ret_count < room; i++)
			rc = row_item(d, s.table, d->lane, &rows[i], &(*ret)[(*ret_count)++]);
	}
	return rc;
}

static void found_scope(struct descent *d, const uint8_t id[16], uint8_t lane)
{
	struct space *s = &bulk_of(d)->todo[d->todo_count];
	if (d->todo_count == SPACES_MAX) return;
	memcpy(s->id, id, 16);
	s->lane = lane;
	d->todo_count++;
}

static bool found_row(struct descent *d, const struct item *x)
{
	if (d->rows_count == NAMES_ROWS_MAX) return false;
	bulk_of(d)->rows[d->rows_count].table = x->table;
	memcpy(bulk_of(d)->rows[d->rows_count++].id, x->id, 16);
	return true;
}

static int leaf(struct descent *d, const struct piece *p, const struct range_sum *s)
{
	struct item *own;
	size_t n;
	int rc = own_items(d, p->lo, s->more ? s->from : p->hi, &own, &n);
	for (size_t i = 0; i < n && !rc; i++) {
		bool same = false;
		for (size_t k = 0; k < s->count && !same; k++)
			same = !memcmp(own[i].tag, s->tags[k], TAG_BYTES);
		if (same) continue;
		if (d->scopes)
			found_scope(d, own[i].id, own[i].lane);
		else
			(void)found_row(d, &own[i]);
	}
	for (size_t k = 0; k < s->count && !rc; k++) { /* those of which we have nothing */
		bool ours = false;
		for (size_t i = 0; i < n && !ours; i++) ours = !memcmp(own[i].tag, s->tags[k], 4);
		if (ours) continue;
		if (d->scopes)
			found_scope(d, s->scopes[k].id, s->scopes[k].lane);
		else if (d->tags_count < NAMES_ROWS_MAX)
			memcpy(bulk_of(d)->tags[d->tags_count++], s->tags[k], TAG_BYTES);
	}
	if (s->more && memcmp(s->from, p->lo, KEY_BYTES) > 0 &&
	    memcmp(s->from, p->hi, KEY_BYTES) < 0) {
		struct piece rest = {.leaf = true};
		memcpy(rest.lo, s->from, KEY_BYTES);
		memcpy(rest.hi, p->hi, KEY_BYTES);
		queue_add(d, &rest);
	}
	return rc;
}

static int on_tally(struct descent *d, const struct msg_tally *m)
{
	int rc = 0;
	if (d->phase != PHASE_ASKED || m->number != d->number)
		return 0; /* of a question that is over */
	if (m->count != d->asked_count || m->scopes != d->scopes) return -ERR_PROTOCOL;
	for (size_t i = 0; i < m->count && !rc; i++) {
		const struct piece *p = &bulk_of(d)->asked[i];
		const struct range_sum *s = &m->sums[i];
		if (s->leaf != p->leaf || (!p->leaf && s->count != parts_of(p)))
			return -ERR_PROTOCOL;
		if (p->leaf) {
			rc = leaf(d, p, s);
			continue;
		}
		for (size_t k = 0; k < s->count; k++) {
			struct piece part = part_of(d, p, k);
			uint8_t sum[STATE_BYTES] = {0}, print[TAG_BYTES];
			for (size_t b = part.first; b < part.first + part.count; b++)
				state_add(sum, d->blocks[b].sum);
			salted(d, sum, STATE_BYTES, print);
			if (memcmp(print, s->tags[k], TAG_BYTES) != 0) queue_add(d, &part);
		}
	}
	/* As many as can be named at once; the others at the next session. */
	if (d->rows_count == NAMES_ROWS_MAX || d->tags_count == NAMES_ROWS_MAX) d->queue_count = 0;
	return rc ? rc : ask(d);
}

/* ---- both: names */

static int send_names(struct descent *d, struct msg_names *n)
{
	struct message m = {.type = MSG_NAMES};
	int rc = replica_digest(d->l.r, d->l.peer, n->state);
	if (rc) return rc;
	m.names = *n;
	d->l.send(d->l.ctx, &m);
	return 0;
}

static struct msg_names names_for(const uint8_t scope[16], unsigned lane, unsigned what)
{
	struct msg_names n = {.what = (uint8_t)what, .lane = (uint8_t)lane};
	memcpy(n.scope, scope, 16);
	return n;
}

static int mend(struct descent *d, uint32_t scope, unsigned lane, const struct named_row *rows,
                size_t count)
{
	size_t mended = 0;
	return scope && count ? repair_rows(d->l.r, scope, lane, rows, count, &mended) : 0;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static int name_rows(struct descent *d)
{
	struct msg_names n =
	        names_for(d->scope_id, d->lane, d->round == 1 ? NAMES_DIFFER : NAMES_AGAIN);
	if (!d->rows_count && !d->tags_count) return next_space(d);
	d->found = true;
	env_trace(d->l.r->env, "repair: rows differ, round %u: %zu", d->round,
	          d->rows_count + d->tags_count);
	n.rows = bulk_of(d)->rows;
	n.rows_count = d->rows_count;
	n.tags = bulk_of(d)->tags;
	n.tags_count = d->tags_count;
	int rc = send_names(d, &n);
	d->phase = PHASE_NAMED;
	for (size_t i = 0; i < d->rows_count && i < NAMED_NOTES_MAX && !rc && d->round == 2; i++)
		rc = repair_differs(d->l.r, d->scope_id, d->lane, &bulk_of(d)->rows[i]);
	return rc ? rc : mend(d, d->scope, d->lane, bulk_of(d)->rows, d->rows_count);
}

/* What was tried to no avail is not tried again at once. */
static int keep_tried(struct descent *d)
{
	uint8_t kept[2 * STATE_BYTES + 8], origin[16];
	char key[64], hex[33];
	int64_t now = d->l.r->env->now_ms(d->l.r->env->ctx);
	int rc = replica_digest(d->l.r, d->l.peer, kept);
	memcpy(kept + STATE_BYTES, d->has_heard ? d->heard : d->began_peers, STATE_BYTES);
	memcpy(kept + (size_t)2 * STATE_BYTES, &now, 8);
	origin_of(d->l.peer->origin_key, origin);
	hex_text(origin, 16, hex);
	snprintf(key, sizeof(key), "tried/%s", hex);
	rc = rc ? rc : store_meta_put(d->l.r->st, key, span_of(kept, sizeof(kept)));
	return rc ? engine_fail(d->l.r, rc) : 0;
}

static int tried(struct descent *d, const uint8_t own[STATE_BYTES],
                 const uint8_t peers[STATE_BYTES], bool *ret)
{
	uint8_t origin[16];
	char key[64], hex[33];
	struct span m;
	int64_t then, now = d->l.r->env->now_ms(d->l.r->env->ctx);
	origin_of(d->l.peer->origin_key, origin);
	hex_text(origin, 16, hex);
	snprintf(key, sizeof(key), "tried/%s", hex);
	int rc = store_meta_get(d->l.r->st, key, &d->l.r->scratch, &m);
	*ret = false;
	if (rc || m.len != 2 * STATE_BYTES + 8) return rc ? engine_fail(d->l.r, rc) : 0;
	memcpy(&then, m.p + (size_t)2 * STATE_BYTES, 8);
	*ret = !memcmp(m.p, own, STATE_BYTES) && !memcmp(m.p + STATE_BYTES, peers, STATE_BYTES) &&
	       now >= then && now - then < AGAIN_AFTER_MS;
	return 0;
}

/* The next scope and lane that differs; after the last: once more, to see what is left, or the end. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static int next_space(struct descent *d)
{
	uint8_t own[STATE_BYTES];
	if (d->todo_at < d->todo_count && d->questions < QUESTIONS_MAX)
		return begin_rows(d, &bulk_of(d)->todo[d->todo_at++]);
	int rc = replica_digest(d->l.r, d->l.peer, own);
	bool equal = d->has_heard && !memcmp(own, d->heard, STATE_BYTES);
	if (!rc && !equal && d->found && d->round == 1 && d->questions < QUESTIONS_MAX) {
		d->round = 2;
		return begin_scopes(d);
	}
	d->phase = PHASE_OVER;
	return rc || equal ? rc : keep_tried(d);
}

int descent_begin(struct descent *d, const uint8_t own[STATE_BYTES],
                  const uint8_t peers[STATE_BYTES], bool *ret_begun)
{
	bool before = false;
	int rc = 0;
	*ret_begun = false;
	if (d->l.parent || d->waits_first || (d->phase != PHASE_NONE && d->phase != PHASE_OVER))
		return 0;
	rc = tried(d, own, peers, &before);
	if (rc || before) {
		d->phase = PHASE_OVER;
		return rc;
	}
	env_trace(d->l.r->env, "repair: digests differ");
	memcpy(d->began_own, own, STATE_BYTES);
	memcpy(d->began_peers, peers, STATE_BYTES);
	d->round = 1;
	d->questions = 0;
	*ret_begun = true;
	return begin_scopes(d);
}

/* ---- entries */

struct hashes {
	uint8_t p[NAMES_HASHES_MAX][32];
	size_t count;
};

static void hashes_add(struct hashes *h, const uint8_t hash[32])
{
	for (size_t i = 0; i < h->count; i++)
		if (!memcmp(h->p[i], hash, 32)) return;
	if (h->count < NAMES_HASHES_MAX) memcpy(h->p[h->count++], hash, 32);
}

static int hash_at(struct replica *r, int64_t recv, struct arena *a, struct hashes *h)
{
	struct entry *e;
	int rc = store_journal_get(r->st, recv, a, &e);
	if (!rc && e) hashes_add(h, e->hash);
	return rc;
}

static int compare_ids(const void *x, const void *y)
{
	return memcmp(x, y, 16);
}

/* Entries of our journal that speak of the rows, and the words on them. */
static int held_of(struct descent *d, uint32_t scope, unsigned lane, const struct named_row *rows,
                   size_t count, struct hashes *ret)
{
	struct replica *r = d->l.r;
	struct arena a;
	struct known_op *ops;
	size_t n = 0, unread;
	ret->count = 0;
	if (!scope || !count) return 0;
	arena_init(&a, 0);
	uint8_t(*ids)[16] = ARENA_ARRAY(&a, uint8_t[16], count);
	for (size_t i = 0; i < count; i++) memcpy(ids[i], rows[i].id, 16);
	qsort(ids, count, 16, compare_ids);
	struct row_choice c = {.ids = (const uint8_t(*)[16])ids, .count = count};
	int rc = admit_ops_of_rows(r, lane, scope, &c, &a, &ops, &n, &unread);
	for (size_t i = 0; i < n && !rc && ret->count < NAMES_HASHES_MAX; i++) {
		int64_t *words;
		size_t words_count = 0, at = ret->count;
		if (!ops[i].recv || (i && ops[i].recv == ops[i - 1].recv)) continue;
		rc = hash_at(r, ops[i].recv, &a, ret);
		if (!rc && ret->count > at)
			rc = store_words(r->st, ret->p[at], &a, &words, &words_count);
		for (size_t k = 0; k < words_count && !rc; k++) rc = hash_at(r, words[k], &a, ret);
	}
	arena_done(&a);
	return rc ? engine_fail(r, rc) : 0;
}

static int send_held(struct descent *d, const uint8_t scope_id[16], uint32_t scope, unsigned lane,
                     const struct named_row *rows, size_t count)
{
	struct hashes *h = ARENA_ARRAY(&d->l.r->scratch, struct hashes, 1);
	struct msg_names n = names_for(scope_id, lane, NAMES_HELD);
	int rc = held_of(d, scope, lane, rows, count, h);
	n.hashes = h->p;
	n.hashes_count = h->count;
	return rc ? rc : send_names(d, &n);
}

/* Is it not here, or here with damaged bytes? */
static int lacking(struct replica *r, const uint8_t hash[32], bool *ret)
{
	struct entry *e;
	int64_t recv = 0;
	bool here = false;
	int rc = segment_here(r, hash, &here);
	*ret = !here;
	if (rc || !here) return rc;
	rc = store_journal_find(r->st, hash, &recv);
	if (rc || !recv) return rc;
	rc = store_journal_get(r->st, recv, &r->scratch, &e);
	*ret = !rc && e && !entry_sound(e);
	return rc;
}

static int want(struct descent *d, const uint8_t scope[16], unsigned lane,
                const uint8_t (*hashes)[32], size_t count)
{
	struct msg_names n = names_for(scope, lane, NAMES_WANT);
	int rc = 0;
	d->wanted_count = 0;
	for (size_t i = 0; i < count && i < NAMES_HASHES_MAX && !rc; i++) {
		bool lacks = false;
		rc = lacking(d->l.r, hashes[i], &lacks);
		if (!rc && lacks) memcpy(bulk_of(d)->wanted[d->wanted_count++], hashes[i], 32);
	}
	n.hashes = bulk_of(d)->wanted;
	n.hashes_count = d->wanted_count;
	return rc ? engine_fail(d->l.r, rc) : send_names(d, &n);
}

/* What this peer may have: its filter decides, as for everything that is sent. */
static int give(struct descent *d, const struct msg_names *m)
{
	struct replica *r = d->l.r;
	struct msg_names done = names_for(m->scope, m->lane, NAMES_DONE);
	size_t bytes = 0;
	int rc = 0;
	for (size_t i = 0; i < m->hashes_count && !rc && bytes < AGAIN_BYTES_MAX; i++) {
		struct message again = {.type = MSG_AGAIN};
		struct entry *e = NULL;
		int64_t recv = 0;
		rc = store_journal_find(r->st, m->hashes[i], &recv);
		if (!rc && recv) rc = store_journal_get(r->st, recv, &r->scratch, &e);
		if (rc || !e || !feed_admits(d->l.feed, e) || !entry_sound(e)) continue;
		again.again = (struct msg_again){.kind = e->kind, .head = e->head, .body = e->body};
		bytes += e->head.len + e->body.len;
		d->l.send(d->l.ctx, &again);
	}
	return rc ? engine_fail(r, rc) : send_names(d, &done);
}

static void asked_key(const struct cert *peer, char ret[64])
{
	uint8_t origin[16];
	char hex[33];
	origin_of(peer->origin_key, origin);
	hex_text(origin, 16, hex);
	snprintf(ret, 64, "asked/%s", hex);
}

static int asked_before(struct replica *r, const struct cert *peer, uint8_t (*gaps)[32],
                        size_t count, bool *ret)
{
	char key[64];
	struct span m;
	uint8_t is[16];
	int64_t then, now = r->env->now_ms(r->env->ctx);
	asked_key(peer, key);
	hash_of(span_of(gaps, count * 32), is, sizeof(is));
	int rc = store_meta_get(r->st, key, &r->scratch, &m);
	*ret = false;
	if (rc || m.len != sizeof(is) + 8) return rc ? engine_fail(r, rc) : 0;
	memcpy(&then, m.p + sizeof(is), 8);
	*ret = !memcmp(m.p, is, sizeof(is)) && now >= then && now - then < AGAIN_AFTER_MS;
	return 0;
}

static int keep_asked(struct replica *r, const struct cert *peer)
{
	char key[64];
	uint8_t kept[16 + 8];
	int64_t now = r->env->now_ms(r->env->ctx);
	uint8_t(*gaps)[32];
	size_t n = 0;
	asked_key(peer, key);
	int rc = store_gaps(r->st, WANTS_MAX, &r->scratch, &gaps, &n);
	if (rc || !n) return rc ? engine_fail(r, rc) : 0;
	hash_of(span_of(gaps, n * 32), kept, 16);
	memcpy(kept + 16, &now, 8);
	rc = store_meta_put(r->st, key, span_of(kept, sizeof(kept)));
	return rc ? engine_fail(r, rc) : 0;
}

/* Damaged entries always; gaps while the digests differ, else once a day: who does not have what is missing would be asked at
 * every session. */
static int missing_here(struct replica *r, const struct cert *peer, bool differ, struct hashes *ret)
{
	struct repair *list;
	size_t n = 0;
	ret->count = 0;
	int rc = replica_repairs(r, &r->scratch, &list, &n);
	for (size_t i = n; i-- > 0 && !rc && ret->count < WANTS_MAX;) {
		if (list[i].what == REPAIR_ENTRY && list[i].outcome == REPAIR_OPEN)
			rc = hash_at(r, list[i].recv, &r->scratch, ret);
	}
	uint8_t(*gaps)[32];
	bool before = true;
	n = 0;
	rc = rc ? rc : store_gaps(r->st, WANTS_MAX, &r->scratch, &gaps, &n);
	if (!rc && n) rc = asked_before(r, peer, gaps, n, &before);
	if (differ) before = false;
	for (size_t i = 0; i < n && !rc && !before && ret->count < 2 * WANTS_MAX; i++)
		hashes_add(ret, gaps[i]);
	return rc ? engine_fail(r, rc) : 0;
}

int descent_wants(struct replica *r, const struct cert *peer, bool differ, bool *ret)
{
	struct hashes *h = ARENA_ARRAY(&r->scratch, struct hashes, 1);
	int rc = missing_here(r, peer, differ, h);
	*ret = !rc && h->count > 0;
	return rc;
}

int descent_ask(struct descent *d, const uint8_t peers[STATE_BYTES])
{
	static const uint8_t nothing[16];
	struct hashes *h = ARENA_ARRAY(&d->l.r->scratch, struct hashes, 1);
	if (d->waits_first || (d->phase != PHASE_NONE && d->phase != PHASE_OVER) ||
	    (d->asked_first && d->wants_seen == d->l.r->wants_changed))
		return 0;
	d->asked_first = true;
	d->wants_seen = d->l.r->wants_changed;
	uint8_t own[STATE_BYTES];
	int rc = replica_digest(d->l.r, d->l.peer, own);
	if (!rc) rc = missing_here(d->l.r, d->l.peer, memcmp(own, peers, STATE_BYTES) != 0, h);
	if (rc || !h->count) return rc;
	rc = keep_asked(d->l.r, d->l.peer);
	if (rc) return rc;
	d->waits_first = true;
	return want(d, nothing, LANE_OPEN, (const uint8_t(*)[32])h->p, h->count);
}

static bool hash_of_again(const struct msg_again *m, uint8_t ret[32])
{
	struct segment s;
	if (m->kind == ENTRY_SEGMENT) {
		if (segment_open(m->head, m->body, &s, NULL)) return false;
		memcpy(ret, s.hash, 32);
		return true;
	}
	if (m->kind == ENTRY_HOLE && m->body.len) { /* it stands for the segment */
		struct hole h;
		uint8_t own[32], sign[SIGN_BYTES];
		if (hole_open(m->head, &h, own, sign, NULL)) return false;
		memcpy(ret, h.segment_hash, 32);
		return true;
	}
	if ((m->kind != ENTRY_ADMISSION && m->kind != ENTRY_HOLE) || m->head.len <= SIGN_BYTES)
		return false;
	hash_of(span_of(m->head.p, m->head.len - SIGN_BYTES), ret, 32);
	return true;
}

static int on_again(struct descent *d, const struct msg_again *m)
{
	uint8_t hash[32];
	bool fresh = false, asked = false;
	if (!hash_of_again(m, hash)) return 0;
	for (size_t i = 0; i < d->wanted_count && !asked; i++)
		asked = !memcmp(bulk_of(d)->wanted[i], hash, 32);
	if (!asked) return 0; /* nobody asked for it */
	int rc = repair_entry(d->l.r, m->kind, m->head, m->body, *d->l.peer_ord, &fresh);
	/* Said by somebody whose word cannot be checked here: no reason to end anything. */
	if (rc == -ERR_SIGNATURE || rc == -ERR_UNKNOWN_ORIGIN || rc == -ERR_VERSION ||
	    rc == -ERR_PROTOCOL || rc == -ERR_CEILING || rc == -ERR_LIMIT)
		rc = 0;
	if (fresh) env_trace(d->l.r->env, "repair: an entry came again");
	return rc;
}

/* ---- parent: answers */

static int on_range(struct descent *d, const struct msg_range *m)
{
	struct scope s = {0};
	bool both = m->scopes;
	int rc = 0;
	if (!d->l.parent || d->answering) return -ERR_PROTOCOL;
	if (!m->scopes) {
		uint32_t ord;
		rc = store_scope_ord(d->l.r->st, m->scope, false, &ord);
		rc = rc || !ord ? rc : store_scope_get(d->l.r->st, ord, &s);
		if (!rc && ord) rc = is_shared(d, &s, m->lane, &both);
		if (rc) return engine_fail(d->l.r, rc);
	}
	arena_reset(&d->q);
	d->scopes = m->scopes;
	d->scope = both ? s.ord : 0; /* nothing is said of what is not this child's */
	d->lane = m->lane;
	memcpy(d->scope_id, m->scope, 16);
	d->q_number = m->number;
	d->ranges_count = m->count;
	d->ranges = arena_copy(&d->q, m->ranges, m->count * sizeof(*m->ranges));
	d->sums = ARENA_ARRAY(&d->q, struct range_sum, m->count);
	d->range_at = 0;
	d->in_range = false;
	d->answering = true;
	return 0;
}

static void remember(struct descent *d, const struct item *x)
{
	if (d->scopes) return;
	if (!d->remembered) d->remembered = mem_alloc(REMEMBERED_MAX * sizeof(*d->remembered));
	struct remembered *m = &d->remembered[d->remembered_count++ % REMEMBERED_MAX];
	memcpy(m->tag, x->tag, TAG_BYTES);
	m->row.table = x->table;
	memcpy(m->row.id, x->id, 16);
}

/* One item of the range that is being summed up; *ret_full: the leaf can say no more. */
static void count_item(struct descent *d, const struct item *x, bool *ret_full)
{
	const struct range *g = &d->ranges[d->range_at];
	struct range_sum *s = &d->sums[d->range_at];
	state_add(d->whole, x->sum);
	if (!s->leaf) {
		while (d->part_at < g->bounds_count &&
		       memcmp(x->key, g->bounds[d->part_at], KEY_BYTES) >= 0) {
			salted(d, d->part_sum, STATE_BYTES, s->tags[d->part_at++]);
			memset(d->part_sum, 0, STATE_BYTES);
		}
		state_add(d->part_sum, x->sum);
		return;
	}
	*ret_full = s->count == LEAF_MAX;
	if (*ret_full) {
		s->more = true;
		memcpy(s->from, x->key, KEY_BYTES);
		return;
	}
	memcpy(s->tags[s->count], x->tag, TAG_BYTES);
	if (d->scopes) {
		memcpy(s->scopes[s->count].id, x->id, 16);
		s->scopes[s->count].lane = x->lane;
	}
	s->count++;
	remember(d, x);
}

static void range_begin(struct descent *d)
{
	const struct range *g = &d->ranges[d->range_at];
	struct range_sum *s = &d->sums[d->range_at];
	*s = (struct range_sum){.leaf = g->bounds_count == 0};
	s->tags = ARENA_ARRAY(&d->q, uint8_t[TAG_BYTES], LEAF_MAX);
	if (d->scopes) s->scopes = ARENA_ARRAY(&d->q, struct leaf_scope, LEAF_MAX);
	d->part_at = 0;
	memset(d->part_sum, 0, STATE_BYTES);
	memset(d->whole, 0, STATE_BYTES);
	scan_begin(&d->scan, d->scope, d->lane, g->lo, g->hi);
	d->in_range = true;
}

static int range_end(struct descent *d)
{
	const struct range *g = &d->ranges[d->range_at];
	struct range_sum *s = &d->sums[d->range_at];
	bool all = !memcmp(g->lo, lowest, KEY_BYTES) && !memcmp(g->hi, highest, KEY_BYTES);
	if (!s->leaf) {
		while (d->part_at <= g->bounds_count) {
			salted(d, d->part_sum, STATE_BYTES, s->tags[d->part_at++]);
			memset(d->part_sum, 0, STATE_BYTES);
		}
		s->count = g->bounds_count + 1u;
	}
	d->in_range = false;
	d->range_at++;
	return all && !d->scopes && d->scope && !s->more
	               ? check_total(d, d->scope, d->lane, d->whole)
	               : 0;
}

static int range_of_scopes(struct descent *d)
{
	const struct range *g = &d->ranges[d->range_at];
	struct item *items;
	size_t n;
	bool full = false;
	int rc = shared(d, &d->q, &items, &n);
	for (size_t i = 0; i < n && !rc && !full; i++)
		if (memcmp(items[i].key, g->lo, KEY_BYTES) >= 0 &&
		    memcmp(items[i].key, g->hi, KEY_BYTES) < 0)
			count_item(d, &items[i], &full);
	return rc ? rc : range_end(d);
}

static int answer_step(struct descent *d, bool *ret_more)
{
	struct arena page;
	size_t rows = 0;
	int rc = 0;
	arena_init(&page, 0);
	while (!rc && d->range_at < d->ranges_count && rows < STEP_ROWS) {
		struct row *r;
		size_t n = 0;
		bool full = false;
		if (!d->in_range) range_begin(d);
		if (d->scopes) {
			rc = range_of_scopes(d);
			continue;
		}
		rc = scan_page(d, &d->scan, &page, &r, &n);
		for (size_t i = 0; i < n && !rc && !full; i++) {
			struct item x;
			rc = row_item(d, d->scan.table, d->lane, &r[i], &x);
			if (!rc) count_item(d, &x, &full);
		}
		rows += n + 1;
		arena_reset(&page);
		arena_reset(&d->l.r->scratch);
		if (!rc && (!n || full)) rc = range_end(d);
	}
	arena_done(&page);
	*ret_more = !rc && d->range_at < d->ranges_count;
	if (rc || *ret_more) return rc;
	struct message m = {.type = MSG_TALLY};
	m.tally = (struct msg_tally){.number = d->q_number,
	                             .scopes = d->scopes,
	                             .sums = d->sums,
	                             .count = d->ranges_count};
	d->answering = false;
	d->l.send(d->l.ctx, &m);
	return 0;
}

/* Rows that the child named, those named by tag among them; what these are it is told. */
static int on_differ(struct descent *d, const struct msg_names *m)
{
	struct replica *r = d->l.r;
	struct named_row *rows;
	struct scope s = {0};
	uint32_t ord;
	size_t n = m->rows_count, room = m->rows_count + m->tags_count + 1;
	bool both = false;
	struct msg_names told = names_for(m->scope, m->lane, NAMES_TOLD);
	if (!d->l.parent) return -ERR_PROTOCOL;
	int rc = store_scope_ord(r->st, m->scope, false, &ord);
	rc = rc || !ord ? rc : store_scope_get(r->st, ord, &s);
	if (!rc && ord) rc = is_shared(d, &s, m->lane, &both);
	if (rc) return engine_fail(r, rc);
	rows = mem_alloc(room * sizeof(*rows));
	if (m->rows_count) memcpy(rows, m->rows, m->rows_count * sizeof(*rows));
	size_t known = d->remembered_count < REMEMBERED_MAX ? d->remembered_count : REMEMBERED_MAX;
	for (size_t i = 0; i < m->tags_count; i++)
		for (size_t k = 0; k < known; k++)
			if (!memcmp(d->remembered[k].tag, m->tags[i], TAG_BYTES)) {
				rows[n++] = d->remembered[k].row;
				break;
			}
	told.rows = rows + m->rows_count;
	told.rows_count = n - m->rows_count;
	rc = both ? mend(d, ord, m->lane, rows, n) : 0;
	rc = rc ? rc : send_names(d, &told);
	if (!rc && m->what == NAMES_AGAIN)
		rc = send_held(d, m->scope, both ? ord : 0, m->lane, rows, n);
	free(rows);
	return rc;
}

/* ---- child: what follows on names */

static int on_told(struct descent *d, const struct msg_names *m)
{
	if (d->phase != PHASE_NAMED) return 0;
	memcpy(d->heard, m->state, STATE_BYTES);
	d->has_heard = true;
	for (size_t i = 0; i < m->rows_count && d->rows_count < ARRAY_COUNT(bulk_of(d)->rows); i++)
		bulk_of(d)->rows[d->rows_count++] = m->rows[i];
	int rc = mend(d, d->scope, d->lane, m->rows, m->rows_count);
	if (rc || d->round == 1) return rc ? rc : next_space(d);
	d->phase = PHASE_HELD;
	return 0;
}

static int on_held(struct descent *d, const struct msg_names *m)
{
	if (!d->l.parent && d->phase != PHASE_HELD) return 0;
	if (!d->l.parent) d->phase = PHASE_WANT;
	return want(d, m->scope, m->lane, (const uint8_t(*)[32])m->hashes, m->hashes_count);
}

static int on_done(struct descent *d)
{
	if (d->waits_first) {
		d->waits_first = false;
		return 0;
	}
	if (d->phase != PHASE_WANT) return 0;
	d->phase = PHASE_GIVE;
	return send_held(d, d->scope_id, d->scope, d->lane, bulk_of(d)->rows, d->rows_count);
}

static int on_want(struct descent *d, const struct msg_names *m)
{
	int rc = give(d, m);
	return rc || d->phase != PHASE_GIVE ? rc : next_space(d);
}

int descent_message(struct descent *d, const struct message *m)
{
	if (m->type == MSG_RANGE) return on_range(d, &m->range);
	if (m->type == MSG_TALLY) return on_tally(d, &m->tally);
	if (m->type == MSG_AGAIN) return on_again(d, &m->again);
	switch ((enum names_what)m->names.what) {
	case NAMES_DIFFER:
	case NAMES_AGAIN:
		return on_differ(d, &m->names);
	case NAMES_TOLD:
		return on_told(d, &m->names);
	case NAMES_HELD:
		return on_held(d, &m->names);
	case NAMES_WANT:
		return on_want(d, &m->names);
	case NAMES_DONE:
		return on_done(d);
	}
	return -ERR_PROTOCOL;
}

int descent_step(struct descent *d, bool *ret_more)
{
	*ret_more = false;
	if (d->answering) return answer_step(d, ret_more);
	return d->phase == PHASE_SCAN ? scan_step(d, ret_more) : 0;
}
