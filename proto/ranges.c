/*
 * ranges.c - the form of the messages by which two replicas find rows that differ: RANGE, TALLY, NAMES, AGAIN.
 *
 * Keys stand in ascending order, each without what it shares with the one before and without its last zeros.
 */
#include "common/base.h"

#include "proto/message.h"

#include "common/pack.h"

static void get(struct cut *c, void *ret, size_t len)
{
	const uint8_t *p = cut_take(c, len);

	if (p) memcpy(ret, p, len);
}

static uint64_t bounded(struct cut *c, uint64_t max)
{
	uint64_t v = cut_varint(c);

	if (v > max) c->bad = true;
	return c->bad ? 0 : v;
}

static void put_key(uint8_t last[KEY_BYTES], const uint8_t key[KEY_BYTES], struct buf *out)
{
	size_t shared = 0, len = KEY_BYTES;

	while (shared < KEY_BYTES && key[shared] == last[shared]) shared++;
	while (len > shared && key[len - 1] == 0) len--;
	buf_u8(out, (uint8_t)(shared << 4 | (len - shared)));
	buf_add(out, key + shared, len - shared);
	memcpy(last, key, KEY_BYTES);
}

/* As it would be sent, and never below the one before. */
static void get_key(uint8_t last[KEY_BYTES], struct cut *c, uint8_t ret[KEY_BYTES])
{
	uint8_t form = cut_u8(c), key[KEY_BYTES] = {0};
	size_t shared = form >> 4, len = form & 15;

	if (shared + len > KEY_BYTES) {
		c->bad = true;
		return;
	}
	memcpy(key, last, shared);
	get(c, key + shared, len);
	if (c->bad || memcmp(key, last, KEY_BYTES) < 0 || (len && key[shared + len - 1] == 0) ||
	    (shared < KEY_BYTES && key[shared] == last[shared])) {
		c->bad = true;
		return;
	}
	memcpy(last, key, KEY_BYTES);
	memcpy(ret, key, KEY_BYTES);
}

void range_pack(const struct msg_range *m, struct buf *out)
{
	uint8_t last[KEY_BYTES] = {0};
	struct buf b;

	buf_init(&b, MESSAGE_BYTES_MAX);
	for (size_t i = 0; i < m->count; i++) {
		const struct range *g = &m->ranges[i];

		buf_u8(&b, g->bounds_count);
		put_key(last, g->lo, &b);
		for (size_t k = 0; k < g->bounds_count; k++) put_key(last, g->bounds[k], &b);
		put_key(last, g->hi, &b);
	}
	pack_array(out, 6);
	pack_uint(out, MSG_RANGE);
	pack_uint(out, m->session);
	pack_uint(out, m->number);
	pack_bytes(out, m->scope, m->scopes ? 0 : 16);
	pack_uint(out, m->lane);
	pack_bytes(out, b.p, b.len);
	if (b.full) out->full = true;
	buf_done(&b);
}

static void get_range(struct cut *c, uint8_t last[KEY_BYTES], struct range *g)
{
	g->bounds_count = cut_u8(c);
	if (g->bounds_count > RANGE_BOUNDS_MAX) {
		c->bad = true;
		return;
	}
	get_key(last, c, g->lo);
	for (size_t k = 0; k < g->bounds_count && !c->bad; k++) get_key(last, c, g->bounds[k]);
	get_key(last, c, g->hi);
	if (!c->bad && memcmp(g->lo, g->hi, KEY_BYTES) >= 0) c->bad = true;
}

void range_read(struct reader *r, struct arena *a, struct msg_range *m)
{
	uint8_t last[KEY_BYTES] = {0};
	size_t parts = 0, leaves = 0;
	struct span scope;
	struct cut c;

	m->session = reader_uint(r, UINT64_MAX);
	m->number = (uint32_t)reader_uint(r, UINT32_MAX);
	scope = reader_bytes(r, 16);
	m->scopes = scope.len == 0;
	if (scope.len == 16)
		memcpy(m->scope, scope.p, 16);
	else if (scope.len)
		r->bad = true;
	m->lane = (uint8_t)reader_uint(r, LANE_RESERVED - 1);
	c = cut_of(reader_bytes(r, MESSAGE_BYTES_MAX));
	if (r->bad) return;
	m->ranges = ARENA_ARRAY(a, struct range, RANGES_MAX);
	if (!m->ranges) c.bad = true;
	while (cut_left(&c) && !c.bad) {
		if (m->count == RANGES_MAX) {
			c.bad = true;
			break;
		}
		get_range(&c, last, &m->ranges[m->count]);
		leaves += m->ranges[m->count].bounds_count == 0;
		parts += m->ranges[m->count++].bounds_count + 1u;
		if (leaves > RANGE_LEAVES_MAX || parts > PARTS_ASKED_MAX) c.bad = true;
	}
	if (c.bad || !m->count || (m->scopes && m->lane)) r->bad = true;
}

enum { TALLY_LEAF = 0x80, TALLY_MORE = 0x40 };

void tally_pack(const struct msg_tally *m, struct buf *out)
{
	struct buf b;

	buf_init(&b, MESSAGE_BYTES_MAX);
	for (size_t i = 0; i < m->count; i++) {
		const struct range_sum *t = &m->sums[i];

		buf_u8(&b, (uint8_t)((t->leaf ? TALLY_LEAF : 0) | (t->more ? TALLY_MORE : 0)));
		buf_u8(&b, (uint8_t)t->count);
		if (t->more) buf_add(&b, t->from, KEY_BYTES);
		for (size_t k = 0; k < t->count; k++) {
			buf_add(&b, t->tags[k], TAG_BYTES);
			if (!t->leaf || !m->scopes) continue;
			buf_add(&b, t->scopes[k].id, 16);
			buf_u8(&b, t->scopes[k].lane);
		}
	}
	pack_array(out, 5);
	pack_uint(out, MSG_TALLY);
	pack_uint(out, m->session);
	pack_uint(out, m->number);
	pack_bool(out, m->scopes);
	pack_bytes(out, b.p, b.len);
	if (b.full) out->full = true;
	buf_done(&b);
}

static void get_sum(struct cut *c, struct arena *a, bool scopes, struct range_sum *t)
{
	uint8_t form = cut_u8(c);

	t->leaf = form & TALLY_LEAF;
	t->more = form & TALLY_MORE;
	t->count = cut_u8(c);
	if ((form & ~(TALLY_LEAF | TALLY_MORE)) || (t->more && !t->leaf) ||
	    t->count > (t->leaf ? LEAF_MAX : RANGE_BOUNDS_MAX + 1u))
		c->bad = true;
	if (t->more) get(c, t->from, KEY_BYTES);
	if (t->count * TAG_BYTES > cut_left(c)) c->bad = true; /* before memory is taken */
	if (c->bad) return;
	scopes = scopes && t->leaf;
	t->tags = ARENA_ARRAY(a, uint8_t[TAG_BYTES], t->count + 1);
	t->scopes = scopes ? ARENA_ARRAY(a, struct leaf_scope, t->count + 1) : NULL;
	if (!t->tags || (scopes && !t->scopes)) c->bad = true;
	for (size_t k = 0; k < t->count && !c->bad; k++) {
		get(c, t->tags[k], TAG_BYTES);
		if (!scopes) continue;
		get(c, t->scopes[k].id, 16);
		t->scopes[k].lane = cut_u8(c);
		if (t->scopes[k].lane >= LANE_RESERVED) c->bad = true;
	}
}

void tally_read(struct reader *r, struct arena *a, struct msg_tally *m)
{
	struct cut c;

	m->session = reader_uint(r, UINT64_MAX);
	m->number = (uint32_t)reader_uint(r, UINT32_MAX);
	m->scopes = reader_bool(r);
	c = cut_of(reader_bytes(r, MESSAGE_BYTES_MAX));
	if (r->bad) return;
	m->sums = ARENA_ARRAY(a, struct range_sum, RANGES_MAX);
	if (!m->sums) c.bad = true;
	while (cut_left(&c) && !c.bad) {
		if (m->count == RANGES_MAX)
			c.bad = true;
		else
			get_sum(&c, a, m->scopes, &m->sums[m->count++]);
	}
	if (c.bad) r->bad = true;
}

void names_pack(const struct msg_names *m, struct buf *out)
{
	struct buf b;

	buf_init(&b, MESSAGE_BYTES_MAX);
	buf_varint(&b, m->rows_count);
	for (size_t i = 0; i < m->rows_count; i++) {
		buf_varint(&b, m->rows[i].table);
		buf_add(&b, m->rows[i].id, 16);
	}
	buf_varint(&b, m->tags_count);
	for (size_t i = 0; i < m->tags_count; i++) buf_add(&b, m->tags[i], TAG_BYTES);
	buf_varint(&b, m->hashes_count);
	for (size_t i = 0; i < m->hashes_count; i++) buf_add(&b, m->hashes[i], 32);
	pack_array(out, 7);
	pack_uint(out, MSG_NAMES);
	pack_uint(out, m->session);
	pack_uint(out, m->what);
	pack_bytes(out, m->scope, sizeof(m->scope));
	pack_uint(out, m->lane);
	pack_bytes(out, m->state, sizeof(m->state));
	pack_bytes(out, b.p, b.len);
	if (b.full) out->full = true;
	buf_done(&b);
}

void names_read(struct reader *r, struct arena *a, struct msg_names *m)
{
	struct cut c;

	m->session = reader_uint(r, UINT64_MAX);
	m->what = (uint8_t)reader_uint(r, NAMES_AGAIN);
	reader_fixed(r, m->scope, sizeof(m->scope));
	m->lane = (uint8_t)reader_uint(r, LANE_RESERVED - 1);
	reader_fixed(r, m->state, sizeof(m->state));
	c = cut_of(reader_bytes(r, MESSAGE_BYTES_MAX));
	if (r->bad) return;
	m->rows_count = (size_t)bounded(&c, NAMES_ROWS_MAX);
	if (m->rows_count * 17 > cut_left(&c)) c.bad = true; /* before memory is taken */
	m->rows = ARENA_ARRAY(a, struct named_row, c.bad ? 1 : m->rows_count + 1);
	for (size_t i = 0; i < m->rows_count && m->rows && !c.bad; i++) {
		m->rows[i].table = (uint16_t)bounded(&c, UINT16_MAX);
		get(&c, m->rows[i].id, 16);
		if (!m->rows[i].table) c.bad = true;
	}
	m->tags_count = (size_t)bounded(&c, NAMES_ROWS_MAX);
	if (m->tags_count * TAG_BYTES > cut_left(&c)) c.bad = true;
	m->tags = ARENA_ARRAY(a, uint8_t[TAG_BYTES], c.bad ? 1 : m->tags_count + 1);
	for (size_t i = 0; i < m->tags_count && m->tags && !c.bad; i++)
		get(&c, m->tags[i], TAG_BYTES);
	m->hashes_count = (size_t)bounded(&c, NAMES_HASHES_MAX);
	if (m->hashes_count * 32 > cut_left(&c)) c.bad = true;
	m->hashes = ARENA_ARRAY(a, uint8_t[32], c.bad ? 1 : m->hashes_count + 1);
	for (size_t i = 0; i < m->hashes_count && m->hashes && !c.bad; i++)
		get(&c, m->hashes[i], 32);
	if (c.bad || cut_left(&c) || !m->what || !m->rows || !m->tags || !m->hashes) r->bad = true;
}
