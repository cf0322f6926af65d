/*
 * boot.c - see boot.h.
 */
#include "common/base.h"

#include "tests/sim/boot.h"

/* Entries behind the place that the peer acknowledged, which came from the peer itself. */
static int64_t may_come_back(struct device *d, const struct device *peer)
{
	struct peer p = {0};
	struct arena a;
	bool known = false;
	int64_t count = 0;
	struct entry *e = NULL;

	if (store_peer_get(d->keeper, peer->identity.origin, &p, &known) < 0 || !known) return 0;
	arena_init(&a, 0);
	for (int64_t at = p.acked + 1; store_journal_get(d->keeper, at, &a, &e) == 0 && e; at++) {
		struct run_info from = {0};

		if (e->from && store_run_get(d->keeper, e->from, &from) == 0 &&
		    memcmp(from.origin, peer->identity.origin, 16) == 0)
			count++;
		arena_reset(&a);
	}
	arena_done(&a);
	return count;
}

void boot_begin(struct sim *s, struct boot *ret)
{
	struct world *w = &s->world;
	struct device *d = w->devices[w->config.seed % w->devices_count], *both[2] = {d, d->parent};

	*ret = (struct boot){.conns = w->conns_count,
	                     .heads = w->coverage.times[REACHED_HEADS_SAID]};
	for (size_t i = 0; i < w->devices_count; i++) {
		struct device *child = w->devices[i];

		if (!child->parent || !child->replica || !child->parent->replica) continue;
		ret->up[i] = may_come_back(child, child->parent);
		ret->down[i] = may_come_back(child->parent, child);
	}
	for (size_t i = 0; i < 2; i++) {
		if (!both[i] || !both[i]->replica) continue;
		device_kill(both[i]);
		(void)device_start(both[i], /* reboot= */ true);
	}
}

void boot_check(struct sim *s, const struct boot *b)
{
	struct world *w = &s->world;

	for (size_t i = b->conns; i < w->conns_count; i++) {
		const struct conn *c = w->conns[i];
		const struct device *child = c->ends[SIDE_CHILD].device;
		int64_t up = c->ends[SIDE_CHILD].last.entries_out,
		        down = c->ends[SIDE_PARENT].last.entries_out;

		/* Two machines with the keys of one: their peer keeps one memory of where they are. */
		if (child->copied || c->ends[SIDE_PARENT].device->copied) continue;
		int64_t heads = (int64_t)(w->coverage.times[REACHED_HEADS_SAID] - b->heads);

		if (up > b->up[child->number] || down > b->down[child->number] + heads)
			world_fail(w, "boot",
			           "%s: after a boot at rest %" PRId64 " entries go up and %" PRId64
			           " down, %" PRId64 " and %" PRId64 " may",
			           child->label, up, down, b->up[child->number],
			           b->down[child->number]);
	}
}
