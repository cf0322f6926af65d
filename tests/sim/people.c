/*
 * people.c - see people.h.
 */
#include "common/base.h"

#include "tests/sim/people.h"

#include "tests/sim/damage.h"

#include "node/status.h"
#include "proto/clock.h"
#include "proto/copies.h"
#include "tests/sim/vault.h"

void people_done(struct people *p)
{
	if (p == NULL) return;
	free(p->seen[0]);
	free(p->seen[1]);
	free(p->met);
	free(p);
}

/* ---- what a database holds of the scopes that a child shares with its parent */
static bool shared(const struct device *child, int unit, unsigned lane)
{
	const struct world *w = child->world;

	if (!(child->cert.lanes & child->parent->cert.lanes & 1u << lane)) return false;
	if (world_under(w, unit, child->unit)) return true;
	return lane == LANE_OPEN && world_under(w, child->unit, unit);
}

static void state_of(const struct device *d, const struct device *child, uint8_t ret[STATE_BYTES])
{
	const struct world *w = d->world;

	memset(ret, 0, STATE_BYTES);
	for (size_t u = 0; u < w->units_count; u++) {
		uint32_t ord = 0;

		if (store_scope_ord(d->keeper, w->units[u].id, false, &ord) < 0 || ord == 0)
			continue;
		for (unsigned lane = 0; lane < LANES; lane++) {
			uint8_t one[STATE_BYTES];

			if (shared(child, (int)u, lane) &&
			    store_state_get(d->keeper, ord, lane, one) == 0)
				state_add(ret, one);
		}
	}
}

static struct people *of(struct device *child)
{
	if (child->people == NULL) child->people = mem_alloc(sizeof(*child->people));
	return child->people;
}

static void note_state(struct people *p, unsigned side, int64_t now_ms,
                       const uint8_t state[STATE_BYTES])
{
	struct people_seen *last = p->count[side] ? &p->seen[side][p->count[side] - 1] : NULL;

	if (last != NULL && memcmp(last->state, state, STATE_BYTES) == 0) return;
	if (p->count[side] == p->room[side]) {
		p->room[side] = p->room[side] ? p->room[side] * 2 : 32;
		p->seen[side] = mem_grow(p->seen[side], p->room[side] * sizeof(*p->seen[side]));
	}
	assert(p->seen[side] != NULL);
	last = &p->seen[side][p->count[side]++];
	last->at_ms = now_ms;
	memcpy(last->state, state, STATE_BYTES);
}

static void note_pair(struct device *child, struct device *d)
{
	uint8_t state[STATE_BYTES];

	state_of(d, child, state);
	note_state(of(child), d == child ? SIDE_CHILD : SIDE_PARENT, d->world->now_ms, state);
}

/* When the session of a contact began: what the peer said in it, it said after that. */
static void note_contact(struct device *child, const struct device *d, const struct device *other,
                         int64_t opened_ms)
{
	struct people *p = of(child);
	struct peer peer;
	bool known = false;

	if (store_peer_get(d->keeper, other->identity.origin, &peer, &known) < 0 || !known) return;
	for (size_t i = p->met_count; i-- > 0;)
		if (p->met[i].contact_ms == peer.last_contact_ms &&
		    memcmp(p->met[i].by, d->identity.origin, 16) == 0)
			return;
	if (p->met_count == p->met_room) {
		p->met_room = p->met_room ? p->met_room * 2 : 32;
		p->met = mem_grow(p->met, p->met_room * sizeof(*p->met));
	}
	p->met[p->met_count] =
	        (struct people_met){.contact_ms = peer.last_contact_ms, .opened_ms = opened_ms};
	memcpy(p->met[p->met_count++].by, d->identity.origin, 16);
}

static int64_t opened_at(const struct device *child, const struct device *d)
{
	const struct people *p = child->people;
	const struct device *other = d == child ? child->parent : child;
	struct peer peer;
	bool known = false;

	if (store_peer_get(d->keeper, other->identity.origin, &peer, &known) < 0 || !known)
		return 0;
	for (size_t i = p ? p->met_count : 0; i-- > 0;)
		if (p->met[i].contact_ms == peer.last_contact_ms &&
		    memcmp(p->met[i].by, d->identity.origin, 16) == 0)
			return p->met[i].opened_ms;
	return 0;
}

/* The oldest session between the two that may still have said something: half-open ones overlap, and a greeting that was left
 * over goes out on the next connection. */
static int64_t opened_of(const struct device *d, const struct device *other)
{
	int64_t first = d->world->now_ms;

	for (size_t i = 0; i < d->ends_count; i++) {
		const struct device_end *e = &d->ends[i];

		if (e->conn->ends[!e->side].device == other && e->conn->oldest_ms < first)
			first = e->conn->oldest_ms;
	}
	return first;
}

void people_note(struct device *d)
{
	struct world *w = d->world;

	if (!d->joined) return;
	if (d->parent != NULL) {
		note_pair(d, d);
		note_contact(d, d, d->parent, opened_of(d, d->parent));
	}
	for (size_t i = 0; d->hub && i < w->devices_count; i++) {
		struct device *child = w->devices[i];

		if (child->parent != d || !child->joined) continue;
		note_pair(child, d);
		note_contact(child, d, child, opened_of(d, child));
	}
}

/* ---- claims */

/* Had this side that state at some moment since then? */
static bool held(const struct people *p, unsigned side, int64_t since_ms,
                 const uint8_t state[STATE_BYTES])
{
	for (size_t i = p->count[side]; i-- > 0;) {
		int64_t until = i + 1 < p->count[side] ? p->seen[side][i + 1].at_ms : INT64_MAX;

		if (until < since_ms) return false;
		if (memcmp(p->seen[side][i].state, state, STATE_BYTES) == 0) return true;
	}
	return false;
}

/* For a person: which scopes and lanes differ now. */
static void dump_differences(struct world *w, const struct device *child)
{
	for (size_t u = 0; (w->trace_print || w->story) && u < w->units_count; u++)
		for (unsigned lane = 0; lane < LANES; lane++) {
			const struct device *sides[2] = {child, child->parent};
			uint8_t state[2][STATE_BYTES] = {{0}};

			if (!shared(child, (int)u, lane)) continue;
			for (unsigned i = 0; i < 2; i++) {
				uint32_t ord = 0;

				if (store_scope_ord(sides[i]->keeper, w->units[u].id, false,
				                    &ord) == 0 &&
				    ord != 0)
					(void)store_state_get(sides[i]->keeper, ord, lane,
					                      state[i]);
			}
			if (memcmp(state[0], state[1], STATE_BYTES) != 0)
				(void)fprintf(stderr,
				              "  unit %zu lane %u: %s %02x%02x, %s %02x%02x\n", u,
				              lane, sides[0]->label, state[0][0], state[0][1],
				              sides[1]->label, state[1][0], state[1][1]);
		}
}

/* d claims that it and the other side of this pair agree. */
static void check_agreed(struct world *w, struct device *child, struct device *d)
{
	struct device *other = d == child ? child->parent : child;
	uint8_t mine[STATE_BYTES], theirs[STATE_BYTES];
	int64_t since = opened_at(child, d);

	/* Of two machines with the same keys, which one it was that agreed nobody can say. */
	if (other->keeper == NULL || device_forsaken(other) || other->copied || d->copied) return;
	note_pair(child, other); /* a database may have been changed between commits: restored */
	state_of(d, child, mine);
	state_of(other, child, theirs);
	if (memcmp(mine, theirs, STATE_BYTES) == 0) return;
	if (child->people != NULL &&
	    held(child->people, other == child ? SIDE_CHILD : SIDE_PARENT, since, mine)) {
		REACHED(w, CLAIM_OLD);
		return;
	}
	dump_differences(w, child);
	world_fail(w, "complete",
	           "%s says that it agrees with %s, which has not held the same since their last "
	           "session began at %" PRId64,
	           d->label, other->label, since - w->start_ms);
}

static bool authored(struct device *d, const struct record *r)
{
	struct run_info info = {0};
	uint32_t ord = 0;

	return store_run_ord(d->keeper, r->run, &ord) == 0 && ord != 0 &&
	       store_run_get(d->keeper, ord, &info) == 0 &&
	       memcmp(info.origin, d->identity.origin, 16) == 0;
}

/* Nothing of its own is unsent, without a word, or refused. */
static void check_own(struct world *w, const struct view *v)
{
	struct device *d = v->device;
	int64_t count = 0, bytes = 0;

	if (d->parent != NULL && store_tail_size(d->keeper, &count, &bytes) == 0 && count > 0)
		world_fail(w, "complete", "%s says so with %" PRId64 " changesets in its tail",
		           d->label, count);
	for (size_t i = 0; i < v->count && w->failed_rule[0] == '\0'; i++) {
		const struct record *r = &v->records[i];

		if (r->words & (WORD_ACCEPTED | WORD_HUB) || !authored(d, r)) continue;
		world_fail(w, "complete",
		           "%s says so: its change of table %u lane %u stamp %" PRIx64
		           " has the words %u",
		           d->label, (unsigned)r->op->table, r->lane, r->op->stamp, r->words);
	}
}

/* Own segments that may rise are in the parent's journal, unless it went back since. */
static void check_arrived(struct world *w, struct device *d)
{
	struct arena a;
	int64_t head = 0;
	uint8_t rolling[ROLLING_BYTES];

	if (d->parent->restored || d->parent->copied ||
	    store_journal_head(d->keeper, &head, rolling) < 0)
		return;
	arena_init(&a, 0);
	for (int64_t recv = 1; recv <= head && w->failed_rule[0] == '\0'; recv++) {
		struct entry *e = NULL;
		int64_t there = 0;

		if (recv % 64 == 0) arena_reset(&a);
		if (store_journal_get(d->keeper, recv, &a, &e) < 0 || e == NULL) break;
		if (memcmp(e->origin, d->identity.origin, 16) != 0 || e->kind != ENTRY_SEGMENT ||
		    !(d->parent->cert.lanes >> e->lane & 1))
			continue;
		if (store_journal_find(d->parent->keeper, e->hash, &there) < 0 || there != 0)
			continue;
		world_fail(w, "complete", "%s says so: its entry %" PRId64 " is not at %s",
		           d->label, recv, d->parent->label);
	}
	arena_done(&a);
}

/* Nothing of its own is parked or refused at the parent.  What it lost when it was restored it cannot know of until that
 * comes home. */
static void check_held(struct world *w, const struct view *v)
{
	struct device *d = v->device;
	struct device *p = d->parent;
	struct arena a;
	struct held *held_there = NULL;
	size_t count = 0;

	/* What the other machine recorded, or the parent's other copy or, until all is home, its disk of before holds, it
	 * cannot know of. */
	if (d->copied || p->copied || (p->restored && !w->rests)) return;
	arena_init(&a, 0);
	if (store_parked_list(p->keeper, 0, 1u << 16, &a, &held_there, &count) < 0) count = 0;
	for (size_t i = 0; i < count; i++) {
		struct run_info info = {0};

		if (store_run_get(p->keeper, held_there[i].run, &info) < 0 ||
		    memcmp(info.origin, d->identity.origin, 16) != 0)
			continue;
		struct name x = {.table = held_there[i].table,
		                 .lane = held_there[i].lane,
		                 .run = info.run,
		                 .stamp = held_there[i].stamp};
		memcpy(x.row, held_there[i].row, 16);
		/* Nor of what became of a record since its disk was copied, before it has called. */
		if (d->restored && (!w->rests || !view_holds(v, &x))) continue;
		world_fail(w, "complete",
		           "%s says so: a record of it is parked at %s with cause %d", d->label,
		           p->label, held_there[i].cause);
		break;
	}
	arena_done(&a);
}

/* Has this device ever had a second machine with its keys? */
static bool has_copy(const struct world *w, const uint8_t origin[16])
{
	size_t n = 0;

	for (size_t i = 0; i < w->devices_count; i++)
		n += memcmp(w->devices[i]->identity.origin, origin, 16) == 0;
	return n > 1;
}

/* An attacker shows as many runs of himself as he likes. */
static bool is_hostile(const struct world *w, const uint8_t origin[16])
{
	bool hostile = false;

	for (size_t i = 0; i < w->devices_count; i++)
		hostile |= w->devices[i]->hostile &&
		           memcmp(w->devices[i]->identity.origin, origin, 16) == 0;
	return hostile;
}

/* Nobody says of a device that two of it are alive, nor stops for it, whatever was restored, if there never were two. */
static void check_copies(struct world *w, struct device *d)
{
	struct own_copies own;
	struct arena a;
	struct peer *peers = NULL;
	size_t n = 0;

	/* Restored again to a younger backup, a line that was left does come back: a person's word (vault.c). */
	if (w->config.restore > 1 || w->config.resume > 0) return;
	if (replica_own_copies(d->replica, &own) < 0) return;
	if ((own.copied_ms != 0 || own.aside != 0) && !has_copy(w, d->identity.origin))
		world_fail(w, "copied", "%s believes that there are two of it, and is alone",
		           d->label);
	arena_init(&a, 0);
	if (store_peers(d->keeper, &a, &peers, &n) < 0) n = 0;
	for (size_t i = 0; i < n; i++) {
		struct copies copies;

		if (replica_copies(d->replica, peers[i].origin, &copies) < 0 ||
		    copies.copied_ms == 0 || has_copy(w, peers[i].origin) ||
		    is_hostile(w, peers[i].origin))
			continue;
		world_fail(w, "copied", "%s says that there are two of a peer, which is alone",
		           d->label);
	}
	arena_done(&a);
}

/* A hub restored to a time before a child's enrolment knows nothing of it until it calls. */
static bool remembered(struct device *hub, const struct device *child)
{
	struct cert_row *row = NULL;
	struct arena a;
	bool ret;

	if (!hub->restored) return true;
	arena_init(&a, 0);
	ret = store_cert_by_link(hub->keeper, child->identity.link_public, &a, &row) == 0 &&
	      row != NULL;
	arena_done(&a);
	return ret;
}

void people_check(struct world *w, struct chest *c, struct device *d)
{
	struct status s;
	struct view v;

	if (d->replica == NULL || !d->joined || !d->alive || device_forsaken(d) ||
	    w->failed_rule[0] != '\0')
		return;
	if (damage_near(d)) return; /* not found yet: nobody can know */
	if (status_of(d->replica, &s) < 0) {
		world_fail(w, "complete", "%s: no status", d->label);
		return;
	}
	check_copies(w, d);
	if (s.complete && !s.own_complete)
		world_fail(w, "complete", "%s is complete and its own level is not", d->label);
	if (!s.own_complete) return;
	if (d->hub)
		REACHED(w, CLAIM_HUB);
	else
		REACHED(w, CLAIM_NODE);
	if (d->hub && s.complete) REACHED(w, CLAIM_ALL);
	if (s.facts.counts.gaps != 0 || s.facts.counts.unapplied != 0)
		world_fail(w, "complete", "%s says so with gaps or work", d->label);
	if (d->parent != NULL) {
		check_agreed(w, d, d);
		check_arrived(w, d);
	}
	if (view_load(c, d, &v) == 0) {
		if (d->parent != NULL) check_held(w, &v);
		check_own(w, &v);
		view_done(&v);
	}
	for (size_t i = 0; s.complete && d->hub && i < w->devices_count; i++)
		if (w->devices[i]->parent == d && w->devices[i]->joined &&
		    remembered(d, w->devices[i]))
			check_agreed(w, w->devices[i], d);
}

void people_check_ended(struct world *w, struct chest *c)
{
	for (size_t i = 0; i < w->devices_count; i++) {
		if (!w->devices[i]->session_ended) continue;
		w->devices[i]->session_ended = false;
		people_check(w, c, w->devices[i]);
	}
}

void people_check_all(struct world *w, struct chest *c)
{
	for (size_t i = 0; i < w->devices_count; i++) people_check(w, c, w->devices[i]);
}

void people_check_rest(struct world *w, struct chest *c)
{
	people_check_all(w, c);
	if (world_hostile(w)) return; /* he may keep any of them from saying so */
	if (vault_hubs_copied(w))
		return; /* its children go from one to the other, and never rest */
	for (size_t i = 0; i < w->devices_count && w->failed_rule[0] == '\0'; i++) {
		struct device *d = w->devices[i];
		struct status s;

		if (d->replica == NULL || !d->joined || !d->alive ||
		    status_of(d->replica, &s) < 0 || s.own_complete)
			continue;
		if (s.facts.copies.copied_ms || s.facts.copies.aside || s.facts.counts.refused ||
		    s.facts.counts.parked || s.facts.counts.waiting || s.facts.parent.refused ||
		    s.facts.parent.parked)
			continue;
		/* A restored or copied disk stays so until a person says a word; so does what is missing for good (check.c). */
		if ((s.facts.counts.restored && (d->restored || d->copied)) ||
		    s.facts.counts.gaps != 0)
			continue;
		world_fail(w, "complete",
		           "%s rests and does not say so: gaps %" PRId64 " unstated %d restored %d "
		           "unsent %" PRId64 " received %" PRId64 " unadmitted %" PRId64
		           " parent known %d same %d unapplied %" PRId64 " agreed %" PRId64,
		           d->label, s.facts.counts.gaps, s.facts.counts.unstated,
		           s.facts.counts.restored, s.facts.counts.unsent, s.facts.counts.received,
		           s.facts.counts.unadmitted, s.facts.parent_known, s.facts.parent_same,
		           s.facts.parent.unapplied, s.facts.parent.agreed_ms);
	}
}
