/*
 * heads.c - counted from the journals, entry by entry, without what the engine keeps.
 */
#include "common/base.h"

#include "tests/sim/heads.h"

#include "proto/entry.h"
#include "tests/sim/device.h"

/* Segments of the open lane of this origin, and holes in their place. */
static int64_t segments_of(struct device *at, const uint8_t origin[16])
{
	struct feed_filter open = {.all = true, .lane_mask = 1 << LANE_OPEN};
	int64_t after = 0, count = 0;
	struct arena a;

	arena_init(&a, 0);
	for (size_t n = 1; n > 0;) {
		struct entry *e = NULL;

		n = 0;
		if (store_journal_scan(at->keeper, &open, after, 64, 1 << 20, &a, &e, &n) < 0)
			break;
		for (size_t i = 0; i < n; i++) {
			after = e[i].recv;
			count += (e[i].kind == ENTRY_SEGMENT || e[i].kind == ENTRY_HOLE) &&
			         !memcmp(e[i].origin, origin, 16);
		}
		arena_reset(&a);
	}
	arena_done(&a);
	return count;
}

static struct device *hub_of(struct world *w, const uint8_t origin[16])
{
	for (size_t i = 0; i < w->devices_count; i++)
		if (!memcmp(w->devices[i]->identity.origin, origin, 16)) return w->devices[i];
	return NULL;
}

static void check_device(struct world *w, struct device *d)
{
	struct head *heads = NULL;
	size_t count = 0;
	struct arena a;

	arena_init(&a, 0);
	if (replica_heads(d->replica, &a, &heads, &count) < 0)
		world_fail(w, "heads", "%s: cannot be read", d->label);
	if (count == 0 && d->parent->parent != NULL)
		world_fail(w, "heads", "%s knows of no hub above its parent", d->label);
	for (size_t i = 0; i < count; i++) {
		struct device *hub = hub_of(w, heads[i].hub);
		int64_t own = segments_of(d, d->identity.origin),
		        there = hub ? segments_of(hub, d->identity.origin) : 0;

		if (hub == NULL || hub != d->parent->parent)
			world_fail(w, "heads", "%s: a hub that is not above it", d->label);
		else if (heads[i].sealed != own || own != there)
			world_fail(w, "heads",
			           "%s counts %" PRId64 ", its journal %" PRId64
			           ", that of %s %" PRId64,
			           d->label, heads[i].sealed, own, hub->label, there);
		else if (heads[i].came > there || (there > 0 && !heads[i].said))
			world_fail(w, "heads", "%s says that %" PRId64 " of %s came, of %" PRId64,
			           hub->label, heads[i].came, d->label, there);
		else if (heads[i].came == there)
			REACHED(w, HEADS_ALL);
		else
			REACHED(w, HEADS_BEHIND);
	}
	arena_done(&a);
}

void heads_check(struct world *w)
{
	if (world_hostile(w)) return;
	for (size_t i = 0; i < w->devices_count && w->failed_rule[0] == '\0'; i++) {
		struct device *d = w->devices[i];

		if (!d->hub && d->alive && d->joined && d->replica != NULL && d->parent != NULL)
			check_device(w, d);
	}
}
