/*
 * slander.c - see slander.h.
 *
 * A record's halves travel one after the other, and after a hub's disk went back on two ways: what it counts with one of
 * them alone it has no business to tell anybody.
 */
#include "common/base.h"

#include "tests/sim/slander.h"

#include "proto/changeset.h"
#include "proto/engine.h"
#include "tests/sim/device.h"

enum { WORDS_AN_HOUR_MAX = 500, WEEK_HOURS = 7 * 24 };

/* The open half of a seal of the child is here and the closed one, which comes after it, is not. */
static bool lacks_half(struct device *hub, struct device *child, struct arena *a)
{
	uint8_t rolling[ROLLING_BYTES];
	uint64_t half = 0; /* the seal whose open half is there */
	int64_t head = 0;
	bool lacks = false;

	if (store_journal_head(child->keeper, &head, rolling) < 0) return false;
	for (int64_t recv = 1; recv <= head && !lacks; recv++) {
		struct entry *e = NULL;
		int64_t there = 0;

		if (store_journal_get(child->keeper, recv, a, &e) < 0 || e == NULL) break;
		if (!entry_is_segment(e) || memcmp(e->origin, child->identity.origin, 16) != 0 ||
		    store_journal_find(hub->keeper, e->hash, &there) < 0)
			continue;
		lacks = half == e->seal && e->lane == LANE_COUNTY && there == 0;
		if (e->lane == LANE_OPEN && there != 0) half = e->seal;
	}
	return lacks;
}

/* How many words about figures are in the tail behind the mark; of this scope alone those that say anything but "as they said" (scope 0: all). */
static size_t says(struct device *hub, int64_t mark, uint32_t scope, struct arena *a)
{
	const struct table *t = schema_table(&schema_current, TABLE_CORRECTION);
	const struct field *open = table_field_named(t, "value"),
	                   *closed = table_field_named(t, "closed_value");
	struct tail_item *items = NULL;
	struct changeset c;
	size_t n = 0, count = 0;

	if (store_tail_all(hub->keeper, a, &items, &n) < 0) return 0;
	for (size_t i = 0; i < n; i++) {
		if (items[i].id <= mark || (scope && items[i].scope != scope) ||
		    changeset_read(items[i].changeset, a, &c, NULL) < 0)
			continue;
		for (size_t k = 0; k < c.ops_count; k++)
			for (size_t j = 0;
			     c.ops[k].table == TABLE_CORRECTION && j < c.ops[k].values_count; j++) {
				const struct field_value *v = &c.ops[k].values[j];
				const struct field *f = table_slot(t, items[i].lane, v->slot);

				count += (f == open || f == closed) && (!scope || v->value.i != 0);
			}
	}
	return count;
}

/* Two copies of a hub that each take the other's word for an old one of their own would go on for ever. */
static void check_restless(struct device *hub, int64_t mark, struct arena *a)
{
	struct world *w = hub->world;

	if (hub->words_hour != w->hour) hub->words = 0;
	hub->words_hour = w->hour;
	hub->words += says(hub, mark, 0, a);
	if (hub->words > WORDS_AN_HOUR_MAX)
		world_fail(w, "restless", "%s corrects figures %zu times in an hour", hub->label,
		           hub->words);
}

static int64_t gaps_of(struct device *hub)
{
	int64_t gaps = 0;

	return store_journal_gaps(hub->keeper, &gaps) < 0 ? 1 : gaps;
}

int64_t slander_mark(struct device *hub)
{
	struct tail_item *items = NULL;
	struct arena a;
	int64_t mark = 0;
	size_t n = 0;

	arena_init(&a, 0);
	if (store_tail_all(hub->keeper, &a, &items, &n) < 0) n = 0;
	for (size_t i = 0; i < n; i++)
		if (items[i].id > mark) mark = items[i].id;
	arena_done(&a);
	return mark;
}

void slander_check(struct device *hub, int64_t mark)
{
	struct world *w = hub->world;
	struct arena a;

	arena_init(&a, 0);
	check_restless(hub, mark, &a);
	/* An attacker says what it likes.  Where a segment lacks before another the hub may say so (cause: lost).  And nobody is
	 * waited for longer than a week, by the hub's clock. */
	bool any = w->config.malice == 0 && w->config.hours < WEEK_HOURS && w->config.clock == 0 &&
	           gaps_of(hub) == 0;
	for (size_t i = 0; any && i < w->devices_count; i++) {
		struct device *d = w->devices[i];
		uint32_t scope = 0;

		/* Of two copies each has halves of its own: what one brings is not what the other lacks. */
		if (d->parent != hub || d->hub || !d->joined || d->copied || hub->copied) continue;
		arena_reset(&a);
		if (store_scope_ord(hub->keeper, d->cert.unit, false, &scope) < 0 || !scope ||
		    !lacks_half(hub, d, &a))
			continue;
		REACHED(w, LACKS_HALF);
		if (says(hub, mark, scope, &a) > 0)
			world_fail(w, "slander", "%s corrects figures of %s and lacks its work",
			           hub->label, d->label);
	}
	arena_done(&a);
}
