/*
 * held.c - see held.h.
 */
#include "common/base.h"

#include "tests/sim/held.h"

#include "proto/engine.h"

enum { CONFIG_STREAM = 63, RUN_STREAM = 6301, PAGE = 64 };
#define CLOSED_LANES ((uint8_t) ~(1U << LANE_OPEN))

int64_t held_config(const struct config *c)
{
	struct random rnd = random_stream(c->seed, CONFIG_STREAM);
	int64_t n = random_chance(&rnd, 350) ? random_range(&rnd, 1, 12) : 0;

	return c->restore || c->clone || c->swap || c->resume ? n : 0;
}

void held_plan(struct world *w, int64_t from_ms, int64_t until_ms)
{
	struct random rnd = random_stream(w->config.seed, RUN_STREAM);

	for (int64_t i = 0; i < w->config.held; i++)
		world_at(w, random_range(&rnd, from_ms, until_ms), AT_LET_GO, 0, (unsigned)i, 0);
}

/* Since when the site waits, as its parent knows; 0: it does not, or there is nobody to ask now. */
static int64_t held_since(const struct device *hub, const struct device *child)
{
	int64_t since = 0;

	if (hub == NULL || hub->replica == NULL || hub->dying || store_in_transaction(hub->store) ||
	    replica_held(hub->replica, child->identity.origin, &since) < 0)
		return 0;
	return since;
}

static int work_release(struct device *hub, void *child)
{
	return replica_release(hub->replica, ((struct device *)child)->identity.origin);
}

static bool release(struct device *hub, struct device *child)
{
	if (held_since(hub, child) == 0) return false;
	if (device_transaction(hub, "release", work_release, child) != 0) return true;
	REACHED(hub->world, HELD_RELEASED);
	world_tell(hub->world, "%s releases %s", hub->label, child->label);
	device_turn_at(hub->world, hub, hub->world->now_ms);
	return true;
}

void held_event(struct world *w, unsigned n)
{
	struct random rnd = world_draw(w, DRAWN_RELEASE, 0, n);

	if (!world_allows(w, DRAWN_RELEASE, 0, n)) return;
	for (size_t i = 0; i < w->devices_count; i++)
		if (random_chance(&rnd, 600)) (void)release(w->devices[i]->parent, w->devices[i]);
}

bool held_any(const struct world *w)
{
	bool any = false;

	for (size_t i = 0; i < w->devices_count && w->config.held > 0; i++)
		any = any || held_since(w->devices[i]->parent, w->devices[i]) != 0;
	return any;
}

bool held_release_all(struct world *w)
{
	bool waited = false;

	for (size_t i = 0; i < w->devices_count && w->config.held > 0; i++) {
		struct device *d = w->devices[i];

		waited |= release(d->parent, d);
	}
	return waited;
}

/* Did anything of a closed lane come from the parent, since the session began? */
static bool closed_came(const struct device *child, const struct device *hub, int64_t after)
{
	struct feed_filter closed = {.all = true, .lane_mask = CLOSED_LANES};
	struct entry *entries;
	struct arena a;
	size_t n = 0;
	bool came = false;
	uint32_t from = 0;

	arena_init(&a, 0);
	if (store_run_ord(child->keeper, replica_run(hub->replica), &from) == 0 && from != 0)
		while (!came &&
		       store_journal_scan(child->keeper, &closed, after, PAGE, SIZE_MAX, &a,
		                          &entries, &n) == 0 &&
		       n > 0) {
			for (size_t i = 0; i < n; i++) came = came || entries[i].from == from;
			after = entries[n - 1].recv;
			arena_reset(&a);
		}
	arena_done(&a);
	return came;
}

void held_session(struct conn *c, bool begins)
{
	struct device *hub = c->ends[SIDE_PARENT].device, *child = c->ends[SIDE_CHILD].device;
	struct world *w = hub->world;
	uint8_t rolling[ROLLING_BYTES];

	if (w->config.held == 0 || child->hub || w->failed_rule[0] != '\0') return;
	if (begins) {
		c->held_since = held_since(hub, child);
		if (c->held_since != 0) REACHED(w, HELD_SESSION);
		if (store_journal_head(child->keeper, &c->held_head, rolling) < 0)
			c->held_since = 0;
		return;
	}
	if (c->held_since != 0 && held_since(hub, child) == c->held_since &&
	    closed_came(child, hub, c->held_head))
		world_fail(w, "held", "%s got of a closed lane from %s, which holds it back",
		           child->label, hub->label);
}
