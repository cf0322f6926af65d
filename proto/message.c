/*
 * message.c - the messages of a session: form only.  Fields in the order of README.md, "Messages".
 *
 * HELLO and WELCOME are what a sync with nothing to do costs, so their fixed fields stand in one
 * run of bytes behind 16 presence bits instead of each in its own msgpack bin: a field of zeros is
 * left out, and so are a last run that is the present one and a cursor's filter that is the
 * filter.
 *
 * DATA carries a segment's header short (README.md, "Short form").  Sender and receiver keep the
 * same memory of what was said before in this direction; it grows with what is named, up to
 * NAMED_MAX ids and streams (about 1 MiB at the worst, 2 KiB for a site's own stream).  After a
 * failed read the memories may differ: the session ends then anyway.
 */
#include "common/base.h"

#include "proto/message.h"

#include "common/ident.h"
#include "common/pack.h"
#include "common/reader.h"

enum { NAMED_MAX = 4096, STREAMS_MAX = 4096, UNNAMED = UINT16_MAX };
enum {
	SHORT_PREV = 1,
	SHORT_FIRST = 2,
	SHORT_NONCES = 4,
	SHORT_LANE = 3 /* shift */,
	SHORT_ALSO = 5 /* shift */,
	SHORT_LONG = 0xff
};

/* ---- the memory of a direction */

struct named {
	uint8_t id[16];
	uint8_t nonces_count, (*nonces)[8]; /* of the last segment of this origin */
};
struct stream {
	uint16_t origin, scope;
	uint8_t lane, last[32];
};
struct short_memory {
	struct named *named;
	size_t named_count, named_room;
	struct stream *streams;
	size_t streams_count, streams_room;
	uint16_t *named_at,
	        *stream_at; /* open addressing, index + 1; twice the room of the arrays */
};

void short_form_done(struct short_form *s)
{
	struct short_memory *m = s->memory;

	if (!m) return;
	for (size_t i = 0; i < m->named_count; i++) free(m->named[i].nonces);
	free(m->named);
	free(m->streams);
	free(m->named_at);
	free(m->stream_at);
	free(m);
	s->memory = NULL;
}

static size_t hash_stream(const struct stream *s)
{
	uint64_t x = (uint64_t)s->origin << 32 | (uint64_t)s->scope << 8 | s->lane;

	return (size_t)(x * UINT64_C(0xd6e8feb86659fd93) >> 32);
}

/* The cell of an id: its own, or the empty one where it would be. */
static size_t named_cell(const struct short_memory *m, const uint8_t id[16])
{
	size_t mask = 2 * m->named_room - 1, at = id_mixed(id) & mask;

	while (m->named_at[at] && memcmp(m->named[m->named_at[at] - 1].id, id, 16) != 0)
		at = (at + 1) & mask;
	return at;
}

static size_t stream_cell(const struct short_memory *m, const struct stream *s)
{
	size_t mask = 2 * m->streams_room - 1, at = hash_stream(s) & mask;
	const struct stream *o;

	for (; m->stream_at[at]; at = (at + 1) & mask) {
		o = &m->streams[m->stream_at[at] - 1];
		if (o->origin == s->origin && o->scope == s->scope && o->lane == s->lane) break;
	}
	return at;
}

static void grow_named(struct short_memory *m)
{
	m->named_room = m->named_room ? 2 * m->named_room : 8;
	m->named = mem_grow(m->named, m->named_room * sizeof(*m->named));
	free(m->named_at);
	m->named_at = mem_alloc(2 * m->named_room * sizeof(*m->named_at));
	for (size_t i = 0; i < m->named_count; i++)
		m->named_at[named_cell(m, m->named[i].id)] = (uint16_t)(i + 1);
}

static void grow_streams(struct short_memory *m)
{
	m->streams_room = m->streams_room ? 2 * m->streams_room : 8;
	m->streams = mem_grow(m->streams, m->streams_room * sizeof(*m->streams));
	free(m->stream_at);
	m->stream_at = mem_alloc(2 * m->streams_room * sizeof(*m->stream_at));
	for (size_t i = 0; i < m->streams_count; i++)
		m->stream_at[stream_cell(m, &m->streams[i])] = (uint16_t)(i + 1);
}

static struct short_memory *memory_of(struct short_form *s)
{
	if (!s) return NULL;
	if (!s->memory) s->memory = mem_alloc(sizeof(*s->memory));
	return s->memory;
}

static uint16_t named_find(const struct short_memory *m, const uint8_t id[16])
{
	size_t at;

	if (!m || !m->named_count) return UNNAMED;
	at = named_cell(m, id);
	return m->named_at[at] ? (uint16_t)(m->named_at[at] - 1) : UNNAMED;
}

static uint16_t named_add(struct short_memory *m, const uint8_t id[16])
{
	if (!m || m->named_count == NAMED_MAX) return UNNAMED;
	if (m->named_count == m->named_room) grow_named(m);
	m->named[m->named_count] = (struct named){0};
	memcpy(m->named[m->named_count].id, id, 16);
	m->named_at[named_cell(m, id)] = (uint16_t)(m->named_count + 1);
	return (uint16_t)m->named_count++;
}

/* The stream of a segment, if it was met before; NULL else. */
static struct stream *stream_find(const struct short_memory *m, uint16_t origin, uint16_t scope,
                                  uint8_t lane)
{
	struct stream s = {.origin = origin, .scope = scope, .lane = lane};
	size_t at;

	if (!m || !m->streams_count || origin == UNNAMED || scope == UNNAMED) return NULL;
	at = stream_cell(m, &s);
	return m->stream_at[at] ? &m->streams[m->stream_at[at] - 1] : NULL;
}

static bool nonces_known(const struct short_memory *m, uint16_t origin,
                         const struct segment_head *h)
{
	const struct named *n = m && origin != UNNAMED ? &m->named[origin] : NULL;

	return n && n->nonces_count && n->nonces_count == h->nonces_count &&
	       memcmp(n->nonces, h->nonces, (size_t)8 * h->nonces_count) == 0;
}

/* After a segment passed, on both sides. */
static void remember(struct short_memory *m, uint16_t origin, uint16_t scope,
                     const struct segment_head *h, const uint8_t hash[32])
{
	struct stream *s = stream_find(m, origin, scope, h->lane),
	              fresh = {.origin = origin, .scope = scope, .lane = h->lane};
	struct named *n;

	if (!m || origin == UNNAMED) return;
	n = &m->named[origin];
	if (!nonces_known(m, origin, h)) {
		free(n->nonces);
		n->nonces_count = h->nonces_count;
		n->nonces = mem_alloc((size_t)8 * SEGMENT_NONCES_MAX);
		memcpy(n->nonces, h->nonces, (size_t)8 * h->nonces_count);
	}
	if (!s && scope != UNNAMED && m->streams_count < STREAMS_MAX) {
		if (m->streams_count == m->streams_room) grow_streams(m);
		m->streams[m->streams_count] = fresh;
		m->stream_at[stream_cell(m, &fresh)] = (uint16_t)(m->streams_count + 1);
		s = &m->streams[m->streams_count++];
	}
	if (s) memcpy(s->last, hash, 32);
}

/* ---- short form of a segment's header */

static const uint8_t zeros[32];

static uint16_t put_name(struct short_memory *m, const uint8_t id[16], struct buf *out)
{
	uint16_t at = named_find(m, id);

	if (at != UNNAMED) {
		buf_varint(out, 1u + at);
		return at;
	}
	buf_varint(out, 0);
	buf_add(out, id, 16);
	return named_add(m, id);
}

static void put_short(struct short_memory *m, const struct msg_data *d, struct buf *out)
{
	struct segment_head h;
	struct span stated = {d->head.p, d->head.len > 64 ? d->head.len - 64 : 0};
	uint16_t origin, scope;
	const struct stream *s;
	uint8_t form, hash[32];
	struct buf names;

	/* A header of a later format is carried as it is. */
	if (!stated.len || d->head.len > HEAD_BYTES_MAX ||
	    segment_head_read(stated, &h, NULL) != 0) {
		buf_u8(out, SHORT_LONG);
		buf_add(out, d->head.p, d->head.len);
		return;
	}
	buf_init(&names, HEAD_BYTES_MAX);
	origin = put_name(m, h.origin, &names);
	scope = put_name(m, h.scope, &names);
	for (size_t i = 0; i < h.also_count; i++) put_name(m, h.also[i], &names);
	s = stream_find(m, origin, scope, h.lane);
	form = (uint8_t)(h.lane << SHORT_LANE | h.also_count << SHORT_ALSO);
	if (s && memcmp(s->last, h.prev, 32) == 0)
		form |= SHORT_PREV;
	else if (memcmp(h.prev, zeros, 32) == 0)
		form |= SHORT_FIRST;
	if (nonces_known(m, origin, &h)) form |= SHORT_NONCES;
	buf_u8(out, form);
	buf_u8(out, h.flags);
	buf_varint(out, h.dictionary);
	buf_add(out, names.p, names.len);
	buf_varint(out, h.seal);
	buf_varint(out, h.k);
	buf_varint(out, h.n);
	if (!(form & SHORT_NONCES)) {
		buf_u8(out, h.nonces_count);
		buf_add(out, h.nonces, (size_t)8 * h.nonces_count);
	}
	buf_varint(out, h.seq_first);
	buf_varint(out, h.count);
	buf_varint(out, h.plain_bytes);
	if (!(form & (SHORT_PREV | SHORT_FIRST))) buf_add(out, h.prev, 32);
	buf_add(out, d->head.p + stated.len, 64);
	buf_done(&names);
	segment_hash(stated, hash);
	remember(m, origin, scope, &h, hash);
}

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

/* Named before: by index only. */
static uint16_t get_name(struct short_memory *m, struct cut *c, uint8_t ret[16])
{
	uint64_t code = bounded(c, m ? m->named_count : 0);

	if (c->bad) return UNNAMED;
	if (code) {
		memcpy(ret, m->named[code - 1].id, 16);
		return (uint16_t)(code - 1);
	}
	get(c, ret, 16);
	if (c->bad || named_find(m, ret) != UNNAMED) {
		c->bad = true;
		return UNNAMED;
	}
	return named_add(m, ret);
}

/* The header's fields; the body hash is that of the body. */
static void get_head(struct short_memory *m, struct cut *c, struct segment_head *h,
                     uint16_t *origin, uint16_t *scope)
{
	uint8_t form = cut_u8(c);
	const struct stream *s;

	h->format = FORMAT_1;
	h->suite = SUITE_1;
	h->lane = form >> SHORT_LANE & 3;
	h->also_count = form >> SHORT_ALSO;
	if (h->also_count > ALSO_TO_MAX ||
	    (form & (SHORT_PREV | SHORT_FIRST)) == (SHORT_PREV | SHORT_FIRST)) {
		c->bad = true;
		return;
	}
	h->flags = cut_u8(c);
	h->dictionary = (uint32_t)bounded(c, UINT32_MAX);
	*origin = get_name(m, c, h->origin);
	*scope = get_name(m, c, h->scope);
	for (size_t i = 0; i < h->also_count; i++) get_name(m, c, h->also[i]);
	h->seal = cut_varint(c);
	h->k = (uint16_t)bounded(c, UINT16_MAX);
	h->n = (uint16_t)bounded(c, UINT16_MAX);
	if (form & SHORT_NONCES) {
		if (!m || *origin == UNNAMED || !m->named[*origin].nonces_count) {
			c->bad = true;
			return;
		}
		h->nonces_count = m->named[*origin].nonces_count;
		memcpy(h->nonces, m->named[*origin].nonces, (size_t)8 * h->nonces_count);
	} else {
		h->nonces_count = cut_u8(c);
		if (h->nonces_count > SEGMENT_NONCES_MAX) {
			c->bad = true;
			return;
		}
		get(c, h->nonces, (size_t)8 * h->nonces_count);
		if (nonces_known(m, *origin, h)) c->bad = true;
	}
	h->seq_first = cut_varint(c);
	h->count = (uint32_t)bounded(c, UINT32_MAX);
	h->plain_bytes = (uint32_t)bounded(c, UINT32_MAX);
	s = stream_find(m, *origin, *scope, h->lane);
	if (form & SHORT_PREV) {
		if (s)
			memcpy(h->prev, s->last, 32);
		else
			c->bad = true;
	} else if (!(form & SHORT_FIRST)) {
		get(c, h->prev, 32);
		if (memcmp(h->prev, zeros, 32) == 0 || (s && memcmp(s->last, h->prev, 32) == 0))
			c->bad = true;
	}
}

/* The long form, in the arena. */
static bool get_short(struct short_memory *m, struct span in, struct span body, struct arena *a,
                      struct span *ret)
{
	struct segment_head h = {0}, again;
	uint16_t origin = UNNAMED, scope = UNNAMED;
	struct cut c = cut_of(in);
	const uint8_t *sign;
	uint8_t hash[32];
	struct span stated;
	struct buf out;
	bool good;

	if (in.len && in.p[0] == SHORT_LONG) {
		*ret = span_of(in.p + 1, in.len - 1);
		return in.len - 1 <= 64 || in.len - 1 > HEAD_BYTES_MAX ||
		       segment_head_read(span_of(in.p + 1, in.len - 65), &again, NULL) != 0;
	}
	get_head(m, &c, &h, &origin, &scope);
	sign = cut_take(&c, 64);
	if (!sign || cut_left(&c)) return false;
	hash_of(body, h.body_hash, 32);
	buf_init(&out, HEAD_BYTES_MAX);
	segment_head_pack(&h, &out);
	stated = span_of(out.p, out.len);
	good = !out.full && segment_head_read(stated, &again, NULL) == 0;
	if (good) {
		segment_hash(stated, hash);
		buf_add(&out, sign, 64);
		*ret = arena_span(a, buf_span(&out));
		good = ret->p && !a->full && !out.full;
	}
	buf_done(&out);
	if (good) remember(m, origin, scope, &h, hash);
	return good;
}

/* ---- presence bits: the fixed fields of HELLO and WELCOME */

enum {
	PARTS_MAX = 12,
	PART_RUN = 0,
	PART_LAST_RUN = 1,
	SAME_RUN = 1 << 14,
	SAME_FILTER = 1 << 15,
	BIT_CONFIRMED = 1 << 12,
	BIT_UNSETTLED = 1 << 13,
	BIT_IDLE = 1 << 11 /* WELCOME has eleven parts */
};

struct part {
	void *p;
	uint8_t len;
	bool number; /* uint64_t, little-endian on the wire */
};
struct parts {
	struct part part[PARTS_MAX];
	size_t count, filter, cursor_filter; /* the latter: indexes */
};

static void part_add(struct parts *s, void *p, size_t len, bool number)
{
	assert(s->count < PARTS_MAX);
	s->part[s->count++] = (struct part){p, (uint8_t)len, number};
}

static struct parts parts_of_hello(struct msg_hello *m)
{
	struct parts s = {.filter = 7, .cursor_filter = 5};

	part_add(&s, &m->run, 8, true);
	part_add(&s, &m->last_run, 8, true);
	part_add(&s, m->cert, 8, false);
	part_add(&s, &m->other, 8, true);
	part_add(&s, m->cursor.mark.rolling, 16, false);
	part_add(&s, m->cursor.mark.filter, 8, false);
	part_add(&s, &m->survivor, 8, true);
	part_add(&s, m->filter, 8, false);
	part_add(&s, m->state, 16, false);
	part_add(&s, &m->nonce, 8, true);
	return s;
}

static struct parts parts_of_welcome(struct msg_welcome *m)
{
	struct parts s = {.filter = 7, .cursor_filter = 5};

	part_add(&s, &m->run, 8, true);
	part_add(&s, &m->last_run, 8, true);
	part_add(&s, m->cert, 8, false);
	part_add(&s, &m->other, 8, true);
	part_add(&s, m->cursor.mark.rolling, 16, false);
	part_add(&s, m->cursor.mark.filter, 8, false);
	part_add(&s, &m->survivor, 8, true);
	part_add(&s, m->filter, 8, false);
	part_add(&s, m->state, 16, false);
	part_add(&s, &m->nonce, 8, true);
	part_add(&s, &m->session, 8, true);
	return s;
}

static bool part_zero(const struct parts *s, size_t i)
{
	return memcmp(s->part[i].p, zeros, s->part[i].len) == 0;
}
static bool part_same(const struct parts *s, size_t i, size_t k)
{
	return memcmp(s->part[i].p, s->part[k].p, s->part[i].len) == 0;
}

/* Which are sent, and which are only said to be the same. */
static unsigned parts_bits(const struct parts *s)
{
	unsigned set = 0;

	for (size_t i = 0; i < s->count; i++) {
		if (part_zero(s, i)) continue;
		if (i == PART_LAST_RUN && part_same(s, i, PART_RUN))
			set |= SAME_RUN;
		else if (i == s->cursor_filter && part_same(s, i, s->filter))
			set |= SAME_FILTER;
		else
			set |= 1u << i;
	}
	return set;
}

static void put_parts(struct buf *out, const struct parts *s, unsigned flags, int64_t clock_ms)
{
	unsigned set = parts_bits(s);
	struct buf b;
	uint64_t v;

	buf_init(&b, 256);
	buf_u16(&b, (uint16_t)(set | flags));
	for (size_t i = 0; i < s->count; i++) {
		if (!(set >> i & 1)) continue;
		if (s->part[i].number) {
			memcpy(&v, s->part[i].p, 8);
			buf_u64(&b, v);
		} else {
			buf_add(&b, s->part[i].p, s->part[i].len);
		}
	}
	buf_zigzag(&b, clock_ms);
	assert(!b.full);
	pack_bytes(out, b.p, b.len);
	buf_done(&b);
}

static unsigned get_parts(struct reader *r, struct parts *s, unsigned flags_known,
                          int64_t *ret_clock_ms)
{
	struct cut c = cut_of(reader_bytes(r, 256));
	unsigned set = cut_u16(&c), sent = (1u << s->count) - 1;
	uint64_t v;

	for (size_t i = 0; i < s->count; i++) {
		if (!(set >> i & 1)) continue;
		if (s->part[i].number) {
			v = cut_u64(&c);
			memcpy(s->part[i].p, &v, 8);
		} else {
			get(&c, s->part[i].p, s->part[i].len);
		}
	}
	*ret_clock_ms = cut_zigzag(&c);
	if (c.bad || cut_left(&c)) {
		r->bad = true;
		return 0;
	}
	if (set & SAME_RUN) memcpy(s->part[PART_LAST_RUN].p, s->part[PART_RUN].p, 8);
	if (set & SAME_FILTER) memcpy(s->part[s->cursor_filter].p, s->part[s->filter].p, 8);
	/* As they would be sent, and no bit besides. */
	if (parts_bits(s) != (set & (sent | SAME_RUN | SAME_FILTER)) ||
	    (set & ~(sent | SAME_RUN | SAME_FILTER | flags_known)))
		r->bad = true;
	return set & flags_known;
}

/* ---- messages */

static void put_mark(struct buf *out, const struct mark *m)
{
	pack_int(out, m->pos);
	pack_bytes(out, m->rolling, sizeof(m->rolling));
	pack_bytes(out, m->filter, sizeof(m->filter));
}

static void get_mark(struct reader *r, struct mark *m)
{
	m->pos = reader_int(r);
	reader_fixed(r, m->rolling, sizeof(m->rolling));
	reader_fixed(r, m->filter, sizeof(m->filter));
}

static void put_hello(const struct msg_hello *m, struct buf *out)
{
	struct msg_hello copy = *m;
	struct parts parts = parts_of_hello(&copy);

	pack_array(out, 7);
	pack_uint(out, MSG_HELLO);
	pack_uint(out, m->protocol_min);
	pack_uint(out, m->protocol_max);
	pack_uint(out, m->schema_version);
	pack_int(out, m->cursor.mark.pos);
	pack_uint(out, m->credit);
	put_parts(out, &parts, 0, m->clock_ms);
}

static void get_hello(struct reader *r, struct msg_hello *m)
{
	struct parts parts = parts_of_hello(m);

	m->protocol_min = (uint16_t)reader_uint(r, UINT16_MAX);
	m->protocol_max = (uint16_t)reader_uint(r, UINT16_MAX);
	m->schema_version = (uint32_t)reader_uint(r, UINT32_MAX);
	m->cursor.mark.pos = reader_int(r);
	m->credit = reader_uint(r, UINT64_MAX);
	get_parts(r, &parts, 0, &m->clock_ms);
}

static void put_welcome(const struct msg_welcome *m, struct buf *out)
{
	struct msg_welcome copy = *m;
	struct parts parts = parts_of_welcome(&copy);

	pack_array(out, 8);
	pack_uint(out, MSG_WELCOME);
	pack_uint(out, m->protocol);
	pack_uint(out, m->schema_version);
	pack_int(out, m->cursor.mark.pos);
	pack_uint(out, m->credit);
	pack_int(out, m->safe);
	pack_uint(out, m->retry_after_s);
	put_parts(out, &parts,
	          (m->confirmed ? BIT_CONFIRMED : 0u) | (m->unsettled ? BIT_UNSETTLED : 0u) |
	                  (m->idle ? BIT_IDLE : 0u),
	          m->clock_ms);
}

static void get_welcome(struct reader *r, struct msg_welcome *m)
{
	struct parts parts = parts_of_welcome(m);
	unsigned flags;

	m->protocol = (uint16_t)reader_uint(r, UINT16_MAX);
	m->schema_version = (uint32_t)reader_uint(r, UINT32_MAX);
	m->cursor.mark.pos = reader_int(r);
	m->credit = reader_uint(r, UINT64_MAX);
	m->safe = reader_int(r);
	m->retry_after_s = (uint32_t)reader_uint(r, UINT32_MAX);
	flags = get_parts(r, &parts, BIT_CONFIRMED | BIT_UNSETTLED | BIT_IDLE, &m->clock_ms);
	m->confirmed = flags & BIT_CONFIRMED;
	m->unsettled = flags & BIT_UNSETTLED;
	m->idle = flags & BIT_IDLE;
}

static void put_data(const struct msg_data *m, struct short_form *s, struct buf *out)
{
	struct buf head;

	pack_array(out, 8);
	pack_uint(out, MSG_DATA);
	pack_uint(out, m->session);
	pack_uint(out, m->number);
	pack_int(out, m->pos);
	pack_bytes(out, m->rolling, sizeof(m->rolling));
	pack_uint(out, m->kind);
	if (m->kind != ENTRY_SEGMENT) {
		pack_bytes(out, m->head.p, m->head.len);
		pack_bytes(out, m->body.p, m->body.len);
		return;
	}
	buf_init(&head, MESSAGE_BYTES_MAX);
	put_short(memory_of(s), m, &head);
	if (head.full) out->full = true;
	pack_bytes(out, head.p, head.len);
	pack_bytes(out, m->body.p, m->body.len);
	buf_done(&head);
}

static void get_data(struct reader *r, struct short_form *s, struct arena *a, struct msg_data *m)
{
	m->session = reader_uint(r, UINT64_MAX);
	m->number = (uint32_t)reader_uint(r, UINT32_MAX);
	m->pos = reader_int(r);
	reader_fixed(r, m->rolling, sizeof(m->rolling));
	m->kind = (uint8_t)reader_uint(r, UINT8_MAX);
	m->head = reader_bytes(r, MESSAGE_BYTES_MAX);
	m->body = reader_bytes(r, BODY_SQUEEZED_MAX);
	if (m->kind == ENTRY_SEGMENT && reader_done(r) &&
	    !get_short(memory_of(s), m->head, m->body, a, &m->head))
		r->bad = true;
}

static void put_state(const struct msg_state *m, struct buf *out)
{
	pack_array(out, 8);
	pack_uint(out, MSG_STATE);
	pack_uint(out, m->session);
	pack_bytes(out, m->state, sizeof(m->state));
	pack_int(out, m->acked);
	pack_int(out, m->unapplied);
	pack_int(out, m->parked);
	pack_int(out, m->refused);
	pack_uint(out, (m->idle ? 1u : 0u) | (m->reply ? 2u : 0u));
}

static void get_state(struct reader *r, struct msg_state *m)
{
	uint64_t flags;

	m->session = reader_uint(r, UINT64_MAX);
	reader_fixed(r, m->state, sizeof(m->state));
	m->acked = reader_int(r);
	m->unapplied = reader_int(r);
	m->parked = reader_int(r);
	m->refused = reader_int(r);
	flags = reader_uint(r, 3);
	m->idle = flags & 1;
	m->reply = flags & 2;
}

static void put_join(const struct msg_join *m, struct buf *out)
{
	pack_array(out, 7);
	pack_uint(out, MSG_JOIN);
	pack_bytes(out, m->secret, sizeof(m->secret));
	pack_bytes(out, m->origin_key, sizeof(m->origin_key));
	pack_bytes(out, m->link_key, sizeof(m->link_key));
	pack_bytes(out, m->proof, sizeof(m->proof));
	pack_uint(out, m->protocol_min);
	pack_uint(out, m->protocol_max);
}

static void get_join(struct reader *r, struct msg_join *m)
{
	reader_fixed(r, m->secret, sizeof(m->secret));
	reader_fixed(r, m->origin_key, sizeof(m->origin_key));
	reader_fixed(r, m->link_key, sizeof(m->link_key));
	reader_fixed(r, m->proof, sizeof(m->proof));
	m->protocol_min = (uint16_t)reader_uint(r, UINT16_MAX);
	m->protocol_max = (uint16_t)reader_uint(r, UINT16_MAX);
}

static void put_joined(const struct msg_joined *m, struct buf *out)
{
	assert(m->chain_count <= CERT_CHAIN_MAX);
	pack_array(out, 3);
	pack_uint(out, MSG_JOINED);
	pack_array(out, m->chain_count);
	for (size_t i = 0; i < m->chain_count; i++) pack_bytes(out, m->chain[i].p, m->chain[i].len);
	pack_int(out, m->clock_ms);
}

static void get_joined(struct reader *r, struct msg_joined *m)
{
	uint32_t count = reader_array(r);

	if (count > CERT_CHAIN_MAX) r->bad = true;
	m->chain_count = r->bad ? 0 : count;
	for (size_t i = 0; i < m->chain_count; i++) m->chain[i] = reader_bytes(r, CERT_BYTES_MAX);
	m->clock_ms = reader_int(r);
}

static void put_marks(const struct msg_marks *m, struct buf *out)
{
	assert(m->count <= MARKS_MAX);
	pack_array(out, 3);
	pack_uint(out, MSG_MARKS);
	pack_uint(out, m->session);
	pack_array(out, 3 * m->count);
	for (size_t i = 0; i < m->count; i++) put_mark(out, &m->marks[i]);
}

static void get_marks(struct reader *r, struct msg_marks *m)
{
	uint32_t count;

	m->session = reader_uint(r, UINT64_MAX);
	count = reader_array(r);
	if (count % 3 || count / 3 > MARKS_MAX) r->bad = true;
	m->count = r->bad ? 0 : count / 3;
	for (size_t i = 0; i < m->count; i++) get_mark(r, &m->marks[i]);
}

void message_pack(const struct message *m, struct short_form *s, struct buf *out)
{
	switch ((enum message_type)m->type) {
	case MSG_HELLO:
		put_hello(&m->hello, out);
		return;
	case MSG_WELCOME:
		put_welcome(&m->welcome, out);
		return;
	case MSG_REFUSE:
		pack_array(out, 6);
		pack_uint(out, MSG_REFUSE);
		pack_uint(out, m->refuse.session);
		assert(m->refuse.code >= 0 && m->refuse.code <= UINT16_MAX);
		pack_uint(out, (uint64_t)m->refuse.code);
		pack_uint(out, m->refuse.retry_after_s);
		pack_uint(out, m->refuse.protocol_min);
		pack_uint(out, m->refuse.protocol_max);
		return;
	case MSG_DATA:
		put_data(&m->data, s, out);
		return;
	case MSG_ACK:
		pack_array(out, 4);
		pack_uint(out, MSG_ACK);
		pack_uint(out, m->ack.session);
		pack_int(out, m->ack.pos);
		pack_uint(out, m->ack.credit);
		return;
	case MSG_PLACE:
		pack_array(out, 7);
		pack_uint(out, MSG_PLACE);
		pack_uint(out, m->place.session);
		pack_uint(out, m->place.number);
		put_mark(out, &m->place.mark);
		pack_bool(out, m->place.restart);
		return;
	case MSG_MARKS:
		put_marks(&m->marks, out);
		return;
	case MSG_ASK:
		pack_array(out, 4);
		pack_uint(out, MSG_ASK);
		pack_uint(out, m->ask.session);
		pack_uint(out, m->ask.what);
		pack_bytes(out, m->ask.id, sizeof(m->ask.id));
		return;
	case MSG_STATE:
		put_state(&m->state, out);
		return;
	case MSG_BYE:
		pack_array(out, 2);
		pack_uint(out, MSG_BYE);
		pack_uint(out, m->bye.session);
		return;
	case MSG_CERT:
		pack_array(out, 3);
		pack_uint(out, MSG_CERT);
		pack_uint(out, m->cert.session);
		pack_bytes(out, m->cert.cert.p, m->cert.cert.len);
		return;
	case MSG_RENEW:
		pack_array(out, 3);
		pack_uint(out, MSG_RENEW);
		pack_uint(out, m->renew.session);
		pack_text(out, m->renew.endpoint, strlen(m->renew.endpoint));
		return;
	case MSG_NAMED:
		pack_array(out, 3);
		pack_uint(out, MSG_NAMED);
		pack_uint(out, m->named.session);
		pack_bytes(out, m->named.statement.p, m->named.statement.len);
		return;
	case MSG_RANGE:
		range_pack(&m->range, out);
		return;
	case MSG_TALLY:
		tally_pack(&m->tally, out);
		return;
	case MSG_NAMES:
		names_pack(&m->names, out);
		return;
	case MSG_AGAIN:
		pack_array(out, 5);
		pack_uint(out, MSG_AGAIN);
		pack_uint(out, m->again.session);
		pack_uint(out, m->again.kind);
		pack_bytes(out, m->again.head.p, m->again.head.len);
		pack_bytes(out, m->again.body.p, m->again.body.len);
		return;
	case MSG_JOIN:
		put_join(&m->join, out);
		return;
	case MSG_JOINED:
		put_joined(&m->joined, out);
		return;
	}
	assert(false && "a message of a known type");
}

/* Elements of the array, the type included; 0: unknown type. */
static uint32_t message_elements(uint8_t type)
{
	static const uint8_t elements[MSG_RENEW + 1] = {
	        [MSG_HELLO] = 7,  [MSG_WELCOME] = 8, [MSG_REFUSE] = 6, [MSG_DATA] = 8,
	        [MSG_ACK] = 4,    [MSG_PLACE] = 7,   [MSG_MARKS] = 3,  [MSG_ASK] = 4,
	        [MSG_STATE] = 8,  [MSG_BYE] = 2,     [MSG_CERT] = 3,   [MSG_JOIN] = 7,
	        [MSG_JOINED] = 3, [MSG_NAMED] = 3,   [MSG_RANGE] = 6,  [MSG_TALLY] = 5,
	        [MSG_NAMES] = 7,  [MSG_AGAIN] = 5,   [MSG_RENEW] = 3,
	};

	return type < ARRAY_COUNT(elements) ? elements[type] : 0;
}

static void get_renew(struct reader *r, struct msg_renew *m)
{
	m->session = reader_uint(r, UINT64_MAX);
	struct span s = reader_text(r, sizeof(m->endpoint) - 1);
	if (s.len) memcpy(m->endpoint, s.p, s.len);
}

static void get_message(struct reader *r, struct short_form *s, struct arena *a, struct message *m)
{
	switch ((enum message_type)m->type) {
	case MSG_HELLO:
		get_hello(r, &m->hello);
		return;
	case MSG_WELCOME:
		get_welcome(r, &m->welcome);
		return;
	case MSG_REFUSE:
		m->refuse.session = reader_uint(r, UINT64_MAX);
		m->refuse.code = (int)reader_uint(r, UINT16_MAX);
		m->refuse.retry_after_s = (uint32_t)reader_uint(r, UINT32_MAX);
		m->refuse.protocol_min = (uint16_t)reader_uint(r, UINT16_MAX);
		m->refuse.protocol_max = (uint16_t)reader_uint(r, UINT16_MAX);
		return;
	case MSG_DATA:
		get_data(r, s, a, &m->data);
		return;
	case MSG_ACK:
		m->ack.session = reader_uint(r, UINT64_MAX);
		m->ack.pos = reader_int(r);
		m->ack.credit = reader_uint(r, UINT64_MAX);
		return;
	case MSG_PLACE:
		m->place.session = reader_uint(r, UINT64_MAX);
		m->place.number = (uint32_t)reader_uint(r, UINT32_MAX);
		get_mark(r, &m->place.mark);
		m->place.restart = reader_bool(r);
		return;
	case MSG_MARKS:
		get_marks(r, &m->marks);
		return;
	case MSG_ASK:
		m->ask.session = reader_uint(r, UINT64_MAX);
		m->ask.what = (uint8_t)reader_uint(r, UINT8_MAX);
		reader_fixed(r, m->ask.id, sizeof(m->ask.id));
		return;
	case MSG_STATE:
		get_state(r, &m->state);
		return;
	case MSG_BYE:
		m->bye.session = reader_uint(r, UINT64_MAX);
		return;
	case MSG_CERT:
		m->cert.session = reader_uint(r, UINT64_MAX);
		m->cert.cert = reader_bytes(r, CERT_BYTES_MAX);
		return;
	case MSG_RENEW:
		get_renew(r, &m->renew);
		return;
	case MSG_NAMED:
		m->named.session = reader_uint(r, UINT64_MAX);
		m->named.statement = reader_bytes(r, CERT_BYTES_MAX);
		return;
	case MSG_RANGE:
		range_read(r, a, &m->range);
		return;
	case MSG_TALLY:
		tally_read(r, a, &m->tally);
		return;
	case MSG_NAMES:
		names_read(r, a, &m->names);
		return;
	case MSG_AGAIN:
		m->again.session = reader_uint(r, UINT64_MAX);
		m->again.kind = (uint8_t)reader_uint(r, UINT8_MAX);
		m->again.head = reader_bytes(r, MESSAGE_BYTES_MAX);
		m->again.body = reader_bytes(r, BODY_SQUEEZED_MAX);
		return;
	case MSG_JOIN:
		get_join(r, &m->join);
		return;
	case MSG_JOINED:
		get_joined(r, &m->joined);
		return;
	}
	r->bad = true;
}

int message_read(struct span in, struct short_form *s, struct arena *a, struct message *ret,
                 struct error *err)
{
	struct message m = {0};
	struct reader r;
	uint32_t count;

	if (in.len > MESSAGE_BYTES_MAX)
		return error_set(err, ERR_PROTOCOL, NULL, "a message of %zu bytes", in.len);
	reader_init(&r, in);
	count = reader_array(&r);
	m.type = (uint8_t)reader_uint(&r, UINT8_MAX);
	if (r.bad || !message_elements(m.type))
		return error_set(err, ERR_PROTOCOL, NULL, "a message of unknown type %u", m.type);
	if (count != message_elements(m.type))
		return error_set(err, ERR_PROTOCOL, NULL, "message type %u with %u elements",
		                 m.type, count);
	get_message(&r, s, a, &m);
	if (!reader_done(&r))
		return error_set(err, ERR_PROTOCOL, NULL, "malformed message of type %u", m.type);
	*ret = m;
	return 0;
}
