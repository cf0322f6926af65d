/*
 * clock.c - see clock.h.  Masks do the work: a join touches each mark once per group instead of each slot.
 */
#include "common/base.h"

#include "proto/clock.h"

#include "common/crypt.h"
#include "common/ident.h"

static uint64_t base_of(const uint8_t row[16])
{
	return id_is_created(row) ? id_stamp(row) : 0;
}

static void reserve(struct clock *c, struct arena *a, size_t more)
{
	if (c->count + more <= c->room) return;
	size_t room = (c->count + more) * 2;
	struct clock_mark *marks = ARENA_ARRAY(a, struct clock_mark, room);
	if (c->count) memcpy(marks, c->marks, c->count * sizeof(*marks));
	c->marks = marks;
	c->room = room;
}

/* As clock_store wrote it: what was damaged on the disk must not come into an operation. */
static bool is_next(const struct clock *c, const struct clock_mark *m)
{
	const struct clock_mark *last = c->count ? &c->marks[c->count - 1] : NULL;
	return m->run <= RUN_MASK && m->stamp <= STAMP_MAX && m->slots && !(m->live & ~m->slots) &&
	       (!last || last->run < m->run || (last->run == m->run && last->stamp < m->stamp));
}

int clock_load(struct store *st, const uint8_t row[16], struct span stored, size_t more,
               struct arena *a, struct clock *ret)
{
	*ret = (struct clock){0};
	struct cut cut = cut_of(stored);
	uint64_t base = base_of(row);
	reserve(ret, a, more + stored.len / 4);
	while (cut_left(&cut)) {
		struct clock_mark m = {0};
		uint32_t ord = (uint32_t)cut_varint(&cut);
		m.stamp = base + (uint64_t)cut_zigzag(&cut);
		m.slots = cut_varint(&cut);
		m.live = cut_varint(&cut);
		if (cut.bad) return -ERR_DATABASE_DAMAGED;
		struct run_info info;
		int rc = store_run_get(st, ord, &info);
		if (rc) return rc;
		m.run = info.run;
		if (!is_next(ret, &m)) return -ERR_DATABASE_DAMAGED;
		reserve(ret, a, 1);
		ret->marks[ret->count++] = m;
	}
	return cut.bad ? -ERR_DATABASE_DAMAGED : 0;
}

int clock_store(struct store *st, const uint8_t row[16], const struct clock *c, struct buf *out)
{
	uint64_t base = base_of(row);
	for (size_t i = 0; i < c->count; i++) {
		const struct clock_mark *m = &c->marks[i];
		uint32_t ord;
		int rc = store_run_ord(st, m->run, &ord);
		if (rc) return rc;
		if (!ord) {
			/* A run that is only mentioned: its nonce is not known here yet. */
			uint8_t none[16] = {0};
			rc = store_run_add(st, m->run, none, none, &ord);
			if (rc) return rc;
		}
		buf_varint(out, ord);
		buf_zigzag(out, (int64_t)(m->stamp - base));
		buf_varint(out, m->slots);
		buf_varint(out, m->live);
	}
	return 0;
}

static int mark_order(const void *x, const void *y)
{
	const struct clock_mark *a = x, *b = y;
	if (a->run != b->run) return a->run < b->run ? -1 : 1;
	return a->stamp < b->stamp ? -1 : a->stamp > b->stamp;
}

/* Sorted, marks of one name made one, empty ones gone. */
static void tidy(struct clock *c)
{
	qsort(c->marks, c->count, sizeof(*c->marks), mark_order);
	size_t kept = 0;
	for (size_t i = 0; i < c->count; i++) {
		struct clock_mark *m = &c->marks[i];
		if (!m->slots) continue;
		if (kept && c->marks[kept - 1].run == m->run &&
		    c->marks[kept - 1].stamp == m->stamp) {
			c->marks[kept - 1].slots |= m->slots;
			c->marks[kept - 1].live |= m->live;
		} else {
			c->marks[kept++] = *m;
		}
	}
	c->count = kept;
}

/* "This run up to this stamp, in these slots": raises what is lower, kills what it covers. */
static uint64_t account(struct clock *c, uint64_t run, uint64_t stamp, uint64_t slots)
{
	uint64_t missing = slots;
	for (size_t i = 0; i < c->count; i++) {
		struct clock_mark *m = &c->marks[i];
		uint64_t both = m->slots & slots;
		if (m->run != run || !both) continue;
		if (m->stamp < stamp) {
			m->slots &= ~both;
			m->live &= ~both;
		} else {
			if (m->stamp == stamp) m->live &= ~both;
			missing &= ~both;
		}
	}
	return missing;
}

uint64_t clock_join(struct clock *c, struct arena *a, uint64_t run, uint64_t stamp, uint64_t slots,
                    const struct clock_group *groups, size_t groups_count)
{
	assert(stamp <= STAMP_MAX);
	/* Its own name first: fresh where the clock does not cover it; its run's earlier stamps are covered. */
	uint64_t fresh = slots;
	for (size_t i = 0; i < c->count; i++) {
		struct clock_mark *m = &c->marks[i];
		uint64_t both = m->slots & slots;
		if (m->run != run || !both) continue;
		if (m->stamp >= stamp) {
			fresh &= ~both;
		} else {
			m->slots &= ~both;
			m->live &= ~both;
		}
	}
	reserve(c, a, groups_count + 1);
	for (size_t i = 0; i < groups_count; i++) {
		const struct clock_group *g = &groups[i];
		uint64_t theirs = g->slots & slots;
		/* An author cannot have seen his own run's future. */
		if (!theirs || (g->run == run && g->stamp >= stamp)) continue;
		uint64_t missing = account(c, g->run, g->stamp, theirs);
		if (g->run == run) missing = 0; /* said by its own name */
		if (missing)
			c->marks[c->count++] = (struct clock_mark){g->run, g->stamp, missing, 0};
	}
	if (fresh) c->marks[c->count++] = (struct clock_mark){run, stamp, fresh, fresh};
	tidy(c);
	return fresh;
}

bool clock_covers(const struct clock *c, uint64_t run, uint64_t stamp, uint64_t slots)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->marks[i].run == run && c->marks[i].stamp >= stamp)
			slots &= ~c->marks[i].slots;
	return !slots;
}

uint64_t clock_mentions(const struct clock *c)
{
	uint64_t all = 0;
	for (size_t i = 0; i < c->count; i++) all |= c->marks[i].slots;
	return all;
}

const struct clock_mark *clock_shown(const struct clock *c, unsigned slot)
{
	const struct clock_mark *best = NULL;
	for (size_t i = 0; i < c->count; i++) {
		const struct clock_mark *m = &c->marks[i];
		if (!(m->live >> slot & 1)) continue;
		if (!best || m->stamp > best->stamp ||
		    (m->stamp == best->stamp && m->run > best->run))
			best = m;
	}
	return best;
}

size_t clock_seen(const struct clock *c, uint64_t slots, uint64_t own_run, struct arena *a,
                  struct clock_group **ret)
{
	size_t count = 0;
	*ret = ARENA_ARRAY(a, struct clock_group, c->count + 1);
	for (size_t i = 0; i < c->count; i++) {
		const struct clock_mark *m = &c->marks[i];
		if (m->run != own_run && (m->slots & slots))
			(*ret)[count++] = (struct clock_group){m->run, m->stamp, m->slots & slots};
	}
	return count;
}

static void put_le(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

void clock_hash(uint16_t table, unsigned lane, const uint8_t row[16], const struct clock *c,
                uint8_t ret[STATE_BYTES])
{
	enum {
		AT_ONCE = 3
	}; /* marks, with the rest a block of BLAKE2b; nearly every clock has fewer */
	uint8_t bytes[19 + 32 * AT_ONCE] = {(uint8_t)table, (uint8_t)(table >> 8), (uint8_t)lane};
	struct hash h;
	size_t len = 19;
	bool long_one = c->count > AT_ONCE;
	memcpy(bytes + 3, row, 16);
	if (long_one) hash_begin(&h, STATE_BYTES);
	for (size_t i = 0; i < c->count; i++) {
		const struct clock_mark *m = &c->marks[i];
		put_le(bytes + len, m->run);
		put_le(bytes + len + 8, m->stamp);
		put_le(bytes + len + 16, m->slots);
		put_le(bytes + len + 24, m->live);
		len += 32;
		if (long_one) {
			hash_add(&h, bytes, len);
			len = 0;
		}
	}
	if (long_one)
		hash_end(&h, ret, STATE_BYTES);
	else
		hash_of(span_of(bytes, len), ret, STATE_BYTES);
}

void state_add(uint8_t sum[STATE_BYTES], const uint8_t add[STATE_BYTES])
{
	unsigned carry = 0;
	for (size_t i = 0; i < STATE_BYTES; i++) {
		carry += (unsigned)sum[i] + add[i];
		sum[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

void state_subtract(uint8_t sum[STATE_BYTES], const uint8_t less[STATE_BYTES])
{
	unsigned borrow = 0;
	for (size_t i = 0; i < STATE_BYTES; i++) {
		unsigned d = 256u + sum[i] - less[i] - borrow;
		sum[i] = (uint8_t)d;
		borrow = d < 256u;
	}
}
