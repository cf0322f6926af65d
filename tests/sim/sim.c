/*
 * sim.c - drawing a configuration, building the tree, the loop, healing, shrinking.
 */
#include "common/base.h"

#include "tests/sim/sim.h"

#include "tests/sim/boot.h"
#include "tests/sim/closed.h"
#include "tests/sim/damage.h"
#include "tests/sim/erasures.h"
#include "tests/sim/heads.h"
#include "tests/sim/held.h"
#include "tests/sim/malice.h"
#include "tests/sim/people.h"
#include "tests/sim/quota.h"
#include "tests/sim/sealed.h"
#include "tests/sim/trails.h"
#include "tests/sim/trust.h"
#include "tests/sim/vault.h"
#include "tests/sim/weather.h"

enum {
	HOUR_MS = 3600 * 1000,
	ROUNDS_MAX = 40,
	ROUND_MS = 30 * 60 * 1000,
	QUIET_BYTES = 200,
	HELD_BYTES = 300, /* records are held: the states differ and are told */
	SAID_ONCE = 10,
	SAID_EACH = 5,
	SAID_RENEW = 6, /* RENEW, and a chain of certificates */
	SAID_MARKS = 6, /* ASK, MARKS, the place that is begun from, what is told of it */
	EVENTS_AN_HOUR_MAX =
	        400000 /* of the world's time; a world of weeks may have as many again */
};

/* ---- configurations */
/* A list that clang-format moves further with every run. */
/* clang-format off */
#define CONFIG_FIELDS(X) \
	X(tiers) X(counties) X(sites) X(devices) X(writes) X(calm) X(hours) X(real) X(latency_ms) \
	X(rate_bytes) X(cut) X(half_open) X(stale) X(stall) X(loss) X(offline) X(crash) \
	X(fault) X(reboot) X(skew) X(refuse) X(hold) X(command) X(late) X(stay) X(window) \
	X(mixed) X(crowd) X(piece) X(twin) X(damage) X(malice) \
	X(without) X(clock) X(upgrade) X(speak) X(slow) X(pause) X(deaf) X(load) X(whole) \
	X(quota) X(disk) X(power) X(die) X(eio) X(full) X(audit) X(trails) X(sealed) X(life) X(closed) \
	X(restore) X(clone) X(swap) X(resume) X(late_segment) X(erasures) X(held)
/* clang-format on */

static const struct {
	const char *name;
	size_t at;
} fields[] = {
#define X(NAME) {#NAME, offsetof(struct config, NAME)},
        CONFIG_FIELDS(X)
#undef X
};

static int64_t *config_at(struct config *c, size_t i)
{
	return (int64_t *)(void *)((char *)c + fields[i].at);
}

bool sim_config_set(struct config *c, const char *name, int64_t value)
{
	for (size_t i = 0; i < ARRAY_COUNT(fields); i++)
		if (strcmp(fields[i].name, name) == 0) {
			*config_at(c, i) = value;
			return true;
		}
	return false;
}

void sim_config_print(const struct config *c, FILE *f)
{
	struct config copy = *c;

	(void)fprintf(f, "seed=%" PRIu64, c->seed);
	for (size_t i = 0; i < ARRAY_COUNT(fields); i++)
		if (*config_at(&copy, i) != 0)
			(void)fprintf(f, " %s=%" PRId64, fields[i].name, *config_at(&copy, i));
	(void)fprintf(f, "\n");
}

/* Each fault on its own is on in half of the worlds. */
static int64_t rate(struct random *rnd, int64_t most)
{
	return random_chance(rnd, 500) ? random_range(rnd, 1, most) : 0;
}

/* Worlds in which people are in each other's way: what waits, is refused or meets is the rule there. */
static void crowded(struct config *c, struct random *rnd)
{
	c->crowd = 1;
	c->real = random_range(rnd, 0, 4) * 100;
	c->hold = random_range(rnd, 100, 600);
	c->refuse = random_range(rnd, 100, 600);
	if (random_chance(rnd, 500)) c->window = random_range(rnd, 1, 8) * 256;
	if (random_chance(rnd, 600)) return;
	c->real = 0; /* their records are larger than such a piece */
	c->piece = random_range(rnd, 150, 220);
}

void sim_config(uint64_t seed, struct config *ret)
{
	struct random rnd = random_stream(seed, 77), twin = random_stream(seed, 91);
	struct config c = {.seed = seed};
	int64_t big = random_chance(&rnd, 30);

	c.tiers = random_chance(&rnd, 60) ? 1 : random_range(&rnd, 2, 3);
	c.counties = c.tiers == 3 ? random_range(&rnd, 1, 2) : 1;
	c.sites = c.tiers == 1 ? 0 : big ? random_range(&rnd, 6, 8) : random_range(&rnd, 1, 3);
	c.devices = random_range(&rnd, 1, big ? 2 : 3);
	if (c.counties * c.sites * c.devices > 9 && !big) c.devices = 1;
	c.writes = random_range(&rnd, 5, big ? 60 : 90);
	c.hours =
	        random_chance(&rnd, 300) ? random_range(&rnd, 100, 1000) : random_range(&rnd, 1, 8);
	c.real = random_range(&rnd, 0, 10) * 100;
	c.latency_ms = random_range(&rnd, 0, 400);
	c.rate_bytes = random_chance(&rnd, 300) ? random_range(&rnd, 1, 50) : 0;
	c.cut = rate(&rnd, 500);
	c.half_open = rate(&rnd, 600);
	c.stale = rate(&rnd, 400);
	c.stall = rate(&rnd, 200);
	c.loss = rate(&rnd, 400);
	c.offline = rate(&rnd, 900);
	c.crash = rate(&rnd, 60);
	c.fault = rate(&rnd, 40);
	c.reboot = rate(&rnd, 800);
	c.skew = rate(&rnd, 700);
	c.refuse = rate(&rnd, 300);
	c.hold = rate(&rnd, 400);
	c.command = rate(&rnd, 200);
	c.late = rate(&rnd, 500);
	c.stay = rate(&rnd, 800);
	c.window = random_chance(&rnd, 200) ? random_range(&rnd, 1, 40) * 1024 : 0;
	c.mixed = random_chance(&rnd, 200) ? 500 : 0;
	c.damage = damage_config(seed);
	c.quota = quota_config(seed);
	c.malice = malice_config(&c);
	c.twin = rate(&twin, 500);
	if (random_chance(&twin, 350)) crowded(&c, &twin);
	weather_config(&c);
	storage_config(seed, &c);
	c.trails = trails_config(seed);
	c.sealed = sealed_config(&c);
	trust_config(&c);
	c.closed = closed_config(seed);
	vault_config(seed, &c);
	c.erasures = erasures_config(&c);
	c.held = held_config(&c);
	*ret = c;
}

void sim_config_small(struct config *c)
{
	if (c->tiers == 3) c->counties = 1;
	if (c->sites > 1) c->sites = 1 + (int64_t)(c->seed / 10 % 2);
	if (c->devices > 2 || c->sites > 1) c->devices = 2 - (int64_t)(c->seed / 20 % 2);
	c->writes = 3 + c->writes / 6;
	c->hours = 1 + c->hours % 3;
	c->calm = 4;
}

/* ---- building */
static void add_nodes(struct world *w, struct device *hub)
{
	for (int64_t s = 0; s < w->config.sites; s++) {
		int unit = world_unit_add(w, hub->unit, LEVEL_COMMUNITY);

		for (int64_t i = 0; i < w->config.devices; i++)
			(void)device_new(w, hub, unit, /* hub= */ false,
			                 random_chance(&w->topology, (unsigned)w->config.mixed));
	}
}

static void build(struct sim *s)
{
	struct world *w = &s->world;
	bool province = w->config.tiers == 3;
	int top_unit = world_unit_add(w, -1, province ? LEVEL_PROVINCE : LEVEL_COUNTY);
	struct device *top = device_new(w, NULL, top_unit, /* hub= */ true, w->config.mixed != 0);

	if (!province) add_nodes(w, top);
	for (int64_t i = 0; province && i < w->config.counties; i++)
		add_nodes(w, device_new(w, top, world_unit_add(w, top_unit, LEVEL_COUNTY),
		                        /* hub= */ true, w->config.mixed != 0));
	weather_begin(w, s->end_ms);
	for (size_t i = 0; i < w->devices_count && w->failed_rule[0] == '\0'; i++) {
		struct device *d = w->devices[i];

		workload_judge(d);
		struct random rnd = world_draw(w, DRAWN_SKEW, d->number, 0);
		if (random_chance(&rnd, (unsigned)w->config.skew) &&
		    world_allows(w, DRAWN_SKEW, d->number, 0)) {
			REACHED(w, SKEWED);
			d->skew_ms = random_chance(&rnd, 300)
			                     ? random_range(&rnd, -10, 10) * 365 * 24 * HOUR_MS
			                     : random_range(&rnd, -HOUR_MS, HOUR_MS);
			world_tell(w, "%s has a clock that is %.2f days off", d->label,
			           (double)d->skew_ms / (24.0 * HOUR_MS));
		}
		(void)device_start(d, /* reboot= */ true);
	}
}

static void init_how(struct sim *s, const struct config *c, const struct sim_how *how)
{
	struct world *w = &s->world;
	struct device *top;

	memset(s, 0, sizeof(*s));
	world_init(w, c);
	w->trace_print = how->trace;
	w->story = how->story;
	w->only = how->only;
	w->happened = how->happened;
	s->chest = chest_new();
	(void)vault_new(w, s->chest, &s->load);
	w->healed = true; /* no faults while the world is set up */
	s->end_ms = w->start_ms + c->hours * HOUR_MS;
	build(s);
	top = w->devices[0];
	if (w->failed_rule[0] == '\0' && (device_join(top) != 0 || workload_tree(w, top) != 0))
		world_fail(w, "setup", "%s: joining or writing the tree failed: %s", top->label,
		           replica_error(top->replica)->detail);
	w->healed = false;
	for (size_t i = 1; i < w->devices_count; i++) {
		int64_t at = w->now_ms + (int64_t)i * 10;

		if (!w->devices[i]->hub && random_chance(&w->topology, (unsigned)c->late)) {
			REACHED(w, JOINS_LATE);
			at += random_range(&w->topology, 0, (s->end_ms - w->start_ms) * 3 / 4);
		}
		world_at(w, at, AT_JOIN, (unsigned)i, 0, 0);
	}
	for (int64_t i = 0; i < c->writes; i++)
		world_at(w, random_range(&w->work, w->start_ms + 1000, s->end_ms), AT_WRITE, 0,
		         (unsigned)i, 0);
	for (int64_t i = 0; i < 12; i++)
		world_at(w, random_range(&w->net, w->start_ms + 1000, s->end_ms), AT_FAULT, 0,
		         (unsigned)i, 0);
	vault_plan(w->vault, w->start_ms + 1000, s->end_ms);
	damage_init(w);
	for (int64_t i = 0; i < c->damage; i++)
		world_at(w, random_range(&w->damage, w->start_ms + 1000, s->end_ms), AT_DAMAGE, 0,
		         (unsigned)i, 0);
	malice_begin(w, s->end_ms);
	storage_plan(w, w->start_ms + 1000, s->end_ms);
	trails_plan(w, w->start_ms + 1000, s->end_ms);
	sealed_plan(w, w->start_ms + 1000, s->end_ms);
	erasures_plan(w, w->start_ms + 1000, s->end_ms);
	held_plan(w, w->start_ms + 1000, s->end_ms);
}

void sim_init(struct sim *s, const struct config *c, bool trace)
{
	struct sim_how how = {.trace = trace};

	init_how(s, c, &how);
}

void sim_done(struct sim *s)
{
	struct world *w = &s->world;

	vault_free(w->vault);
	for (size_t i = 0; i < w->conns_count; i++) link_free(w->conns[i]);
	for (size_t i = 0; i < w->devices_count; i++) device_free(w->devices[i]);
	malice_end(w);
	sealed_end(w);
	chest_free(s->chest);
	world_done(w);
}

/* ---- the loop */
/* The n-th change of the weather. */
static void on_fault(struct sim *s, unsigned n)
{
	struct world *w = &s->world;
	struct random rnd = world_draw(w, DRAWN_WEATHER, 0, n),
	              offline = world_draw(w, DRAWN_OFFLINE, 0, n),
	              jump = world_draw(w, DRAWN_JUMP, 0, n);
	struct device *d = w->devices[random_below(&rnd, w->devices_count)];

	if (random_chance(&offline, (unsigned)w->config.offline) &&
	    world_allows(w, DRAWN_OFFLINE, d->number, n)) {
		d->offline_until_ms =
		        w->now_ms + random_range(&offline, 1, (s->end_ms - w->start_ms) / 2);
		REACHED(w, OFFLINE);
		world_tell(w, "%s has no link for %.1f min", d->label,
		           (double)(d->offline_until_ms - w->now_ms) / 60000);
	}
	if (random_chance(&jump, (unsigned)w->config.skew) &&
	    world_allows(w, DRAWN_JUMP, d->number, n)) {
		int64_t by = random_range(&jump, -2 * HOUR_MS, 2 * HOUR_MS);

		d->skew_ms += by;
		REACHED(w, CLOCK_JUMP);
		world_tell(w, "the clock of %s jumps by %.1f min", d->label, (double)by / 60000);
	}
	if (w->config.crash > 0 && random_chance(&rnd, 300) &&
	    world_allows(w, DRAWN_KILL, d->number, n)) {
		REACHED(w, KILLED);
		world_tell(w, "%s is switched off", d->label);
		device_kill(d);
	}
	if (s->checks < 4 && random_chance(&rnd, 350) && world_allows(w, DRAWN_CHECK, 0, n)) {
		s->checks++;
		check_midway(w, s->chest);
		people_check_all(w, s->chest);
	}
}

/* The n-th transaction that people make; who, where and what depend on nothing but its number and what is there. */
static void on_write(struct sim *s, unsigned n)
{
	struct world *w = &s->world;
	struct random rnd;

	if (!world_allows(w, DRAWN_WRITE, 0, n)) return;
	w->work = world_draw(w, DRAWN_WRITE, 0, n);
	workload_write(w, &s->load);
	rnd = world_draw(w, DRAWN_TWIN, 0, n);
	if (!random_chance(&rnd, (unsigned)w->config.twin) || !world_allows(w, DRAWN_TWIN, 0, n))
		return;
	w->work = world_draw(w, DRAWN_WRITE, 0, n);
	REACHED(w, TWIN);
	workload_write_too(w, &s->load, &rnd);
}

static void on_start(struct sim *s, struct device *d)
{
	struct world *w = &s->world;
	struct random rnd = world_draw(w, DRAWN_REBOOT, d->number, (uint64_t)w->now_ms);
	struct view v;
	bool reboot;

	if (d->replica != NULL || !d->alive) return;
	reboot = random_chance(&rnd, (unsigned)w->config.reboot) &&
	         world_allows(w, DRAWN_REBOOT, d->number, (uint64_t)w->now_ms);
	if (device_start(d, reboot) < 0) return;
	if (random_chance(&rnd, 300) && !d->damaged && view_load(s->chest, d, &v) == 0) {
		check_acked(w, &v, /* rest= */ false);
		view_done(&v);
	}
}

static void on_join(struct world *w, struct device *d)
{
	if (d->joined) return;
	if (d->replica == NULL || device_join(d) != 0)
		world_at(w, w->now_ms + (w->healed ? 100 : 5000), AT_JOIN, d->number, 0, 0);
	else if (d->parent != NULL)
		world_at(w, w->now_ms + 10, AT_CONNECT, d->number, 0, 0);
}

static void handle(struct sim *s, const struct event *e)
{
	struct world *w = &s->world;

	switch (e->kind) {
	case AT_TURN:
		device_turn(w->devices[e->device]);
		break;
	case AT_FRAME:
	case AT_SENT:
	case AT_BROKEN:
	case AT_RELEASE:
		link_event(w, e);
		break;
	case AT_CONNECT:
		device_connect(w, w->devices[e->device]);
		break;
	case AT_WRITE:
		if (!w->healed) on_write(s, e->conn);
		break;
	case AT_START:
		on_start(s, w->devices[e->device]);
		break;
	case AT_JOIN:
		on_join(w, w->devices[e->device]);
		break;
	case AT_MALICE:
		if (!w->healed) malice_strike(w);
		break;
	case AT_DAMAGE:
		if (!w->healed) damage_strike(w, e->conn);
		break;
	case AT_WEATHER:
		weather_event(w, e);
		break;
	case AT_FAULT:
		if (!w->healed) on_fault(s, e->conn);
		break;
	case AT_TRAIL:
		if (!w->healed) trails_event(w, e->conn);
		break;
	case AT_SEALED:
		if (!w->healed) sealed_event(w, e->conn);
		break;
	case AT_ERASE:
		if (!w->healed) erasures_event(w, e->conn);
		break;
	case AT_LET_GO:
		if (!w->healed) held_event(w, e->conn);
		break;
	case AT_DISK:
		storage_event(w, e);
		break;
	case AT_VAULT:
		vault_event(w->vault, e);
		break;
	}
}

bool sim_until(struct sim *s, int64_t until_ms)
{
	struct world *w = &s->world;
	struct event e;

	while (w->failed_rule[0] == '\0' && w->queue_count > 0 && w->queue[0].at_ms <= until_ms &&
	       world_next(w, &e)) {
		handle(s, &e);
		people_check_ended(w, s->chest);
		if (w->hour_events > EVENTS_AN_HOUR_MAX)
			world_fail(w, "livelock",
			           "%d events in an hour: the last at device %u, conn %u, kind %d",
			           EVENTS_AN_HOUR_MAX, e.device, e.conn, (int)e.kind);
	}
	if (w->now_ms < until_ms) w->now_ms = until_ms;
	return w->failed_rule[0] == '\0';
}

/* ---- healing */
static bool quiet(const struct world *w)
{
	for (size_t i = 0; i < w->devices_count; i++) {
		struct device *d = w->devices[i];

		if (!d->alive) continue;
		if (d->replica == NULL || !d->joined || device_sessions(d) > 0 ||
		    d->seal_at_ms != 0 || d->apply_due)
			return false;
	}
	return true;
}

static void fingerprint(const struct world *w, uint8_t ret[16])
{
	struct hash h;

	hash_begin(&h, 16);
	for (size_t i = 0; i < w->devices_count; i++) {
		struct device *d = w->devices[i];
		int64_t head = 0, tail = 0, bytes = 0;
		uint8_t rolling[ROLLING_BYTES] = {0};
		uint64_t run = d->replica ? replica_run(d->replica) : 0;

		(void)store_journal_head(d->keeper, &head, rolling);
		(void)store_tail_size(d->keeper, &tail, &bytes);
		hash_add(&h, rolling, sizeof(rolling));
		hash_add(&h, &tail, sizeof(tail));
		hash_add(&h, &run, sizeof(run));
	}
	hash_end(&h, ret, 16);
}

static bool settle_round(struct sim *s, bool connect)
{
	struct world *w = &s->world;
	int64_t deadline = w->now_ms + ROUND_MS;

	for (size_t i = 0; connect && i < w->devices_count; i++)
		if (w->devices[i]->parent != NULL && w->devices[i]->alive)
			world_at(w, w->now_ms + 10 + (int64_t)i, AT_CONNECT, (unsigned)i, 0, 0);
	if (!sim_until(s, w->now_ms + 200)) return false;
	while (!quiet(w)) {
		if (w->now_ms >= deadline) {
			for (size_t i = 0; i < w->devices_count; i++) {
				const struct device *d = w->devices[i];
				struct session_progress p = {0};

				if (!d->alive || (d->replica && d->joined && !d->ends_count &&
				                  !d->seal_at_ms && !d->apply_due))
					continue;
				const struct session *talk =
				        d->ends_count
				                ? d->ends[0].conn->ends[d->ends[0].side].session
				                : NULL;
				if (talk) session_progress(talk, &p);
				world_fail(w, "rest",
				           "%s is not quiet half an hour after healing: up %d "
				           "joined %d ends %zu seal %d apply %d; conn %u state %d "
				           "idle %d sent %" PRId64 " acked %" PRId64
				           " to send %" PRId64,
				           d->label, d->replica != NULL, d->joined, d->ends_count,
				           d->seal_at_ms != 0, d->apply_due,
				           d->ends_count ? d->ends[0].conn->number : 0,
				           (int)p.state, p.idle, p.sent, p.acked, p.to_send);
			}
			return false;
		}
		if (!sim_until(s, w->now_ms + 100)) return false;
	}
	return true;
}

/* No session says more than so many messages for each entry that it carries: greeting, place, state and farewell of both
 * sides, and for an entry the certificate before it, itself, its acknowledgement, and the state of both sides after it. */
static void check_talkative(struct world *w)
{
	for (size_t i = 0; i < w->conns_count; i++) {
		const struct conn *c = w->conns[i];
		uint64_t frames = c->ends[0].sent_frames + c->ends[1].sent_frames -
		                  c->ends[0].repair_frames - c->ends[1].repair_frames;
		uint64_t entries =
		        (uint64_t)(c->ends[0].last.entries_out + c->ends[1].last.entries_out +
		                   c->ends[1].entries_before);
		uint64_t sessions = 1 + (uint64_t)c->ends[1].anew;

		if (frames > SAID_ONCE * sessions + SAID_EACH * entries +
		                     (c->renews ? SAID_RENEW * sessions : 0) +
		                     (c->marks ? SAID_MARKS * sessions : 0))
			world_fail(w, "talkative",
			           "conn %u of %s: %" PRIu64 " messages for %" PRIu64 " entries",
			           c->number, c->ends[0].device->label, frames, entries);
	}
}

/* Who lacks something that nobody can give asks for it now and then, and that is no idle talk. */
static bool asks(struct device *d)
{
	struct replica_counts counts = {0};

	return d->replica != NULL && replica_counts(d->replica, &counts) == 0 && counts.gaps > 0;
}

static void check_quiet_sessions(struct sim *s, size_t first)
{
	struct world *w = &s->world;

	for (size_t i = first; i < w->conns_count; i++) {
		struct conn *c = w->conns[i];

		if (device_forsaken(c->ends[0].device)) continue;
		if (c->ends[0].repair_frames + c->ends[1].repair_frames > 0 &&
		    (asks(c->ends[0].device) || asks(c->ends[1].device)))
			continue;
		if (c->renews) continue; /* a clock that says it is time */
		uint64_t bytes = c->ends[0].sent_bytes + c->ends[1].sent_bytes;
		uint64_t most = c->ends[SIDE_CHILD].last.agreed ? QUIET_BYTES : HELD_BYTES;

		if (c->ends[0].device->copied || c->ends[1].device->copied)
			continue; /* each greeting tells of the copy */

		if (c->ends[SIDE_CHILD].last.round_trips != 1 || bytes > most)
			world_fail(w, "quiet",
			           "%s: nothing to do took %u round trips, %" PRIu64 " + %" PRIu64
			           " frames, %" PRIu64 " bytes",
			           c->ends[0].device->label, c->ends[SIDE_CHILD].last.round_trips,
			           c->ends[0].sent_frames, c->ends[1].sent_frames, bytes);
	}
}

/* What a session does that has something to do. */
static uint64_t restless(const struct world *w)
{
	/* An entry that was mended in its place is no news to the journal's end. */
	return w->counts.data + w->coverage.times[REACHED_UNCONFIRMED] +
	       w->coverage.times[REACHED_REPAIR_ENTRY];
}

void sim_settle(struct sim *s)
{
	struct world *w = &s->world;
	uint8_t before[16] = {0}, now[16];
	uint64_t data;
	struct boot boot;
	size_t conns;
	unsigned same = 0;

	w->healed = true;
	weather_heal(w);
	world_trace(w, "healed");
	world_tell(w, "everything is up from here on, and nobody writes any more");
	for (size_t i = 0; i < w->devices_count; i++) {
		struct device *d = w->devices[i];

		d->fault_after = -1;
		storage_heal(d);
		if (d->replica == NULL && d->alive) on_start(s, d);
		if (!d->joined) on_join(w, d);
		device_end_sessions(d);
	}
	if (w->config.damage > 0) damage_audit_all(w);
	vault_heal(w);
	/* Who has run out can neither let others join nor be renewed without a call. */
	if (!settle_round(s, /* connect= */ w->config.life > 0) || !trust_settle(s)) return;
	for (s->rounds = 1; s->rounds <= ROUNDS_MAX; s->rounds++) {
		vault_heal(w);
		bool waited = held_release_all(w);
		for (size_t i = 0; i < w->devices_count; i++) {
			w->devices[i]->correct_due = w->devices[i]->hub;
			w->devices[i]->seal_at_ms = w->now_ms;
			device_turn_at(w, w->devices[i], w->now_ms);
		}
		conns = w->conns_count;
		data = restless(w);
		if (!settle_round(s, /* connect= */ true)) return;
		fingerprint(w, now);
		/* A filter that widened in the last round is caught up with in this one, once. */
		same = memcmp(now, before, 16) == 0 && !waited ? same + 1 : 0;
		if (same > 0 && restless(w) == data && !vault_waits(w) && !held_any(w)) break;
		memcpy(before, now, 16);
	}
	if (s->rounds > ROUNDS_MAX) {
		world_fail(w, "rest", "no rest after %d rounds", ROUNDS_MAX);
		return;
	}
	w->rests = true;
	world_trace(w, "rest after %u rounds", s->rounds);
	world_tell(w, "nothing moves any more, after %u rounds of calls", s->rounds);
	check_rest(w, s->chest);
	check_talkative(w);
	trust_check_rest(w);
	people_check_rest(w, s->chest);
	trails_check_rest(w);
	heads_check(w);
	closed_check_rest(w);
	sealed_check_rest(w);
	erasures_check_rest(w);
	for (size_t i = 0; i < w->devices_count; i++) storage_check(w->devices[i]);
	if (w->failed_rule[0] == '\0') check_quiet_sessions(s, conns);
	if (w->failed_rule[0] != '\0') return;
	if (vault_hubs_copied(w)) return; /* its children go to the other one after a boot */
	boot_begin(s, &boot);
	if (settle_round(s, /* connect= */ true)) boot_check(s, &boot);
	if (w->failed_rule[0] == '\0') trails_strike(w);
}

void sim_run(const struct config *c, bool trace, struct sim_result *ret)
{
	struct sim_how how = {.trace = trace};

	sim_run_how(c, &how, ret);
}

void sim_run_how(const struct config *c, const struct sim_how *how, struct sim_result *ret)
{
	struct sim *s = mem_alloc(sizeof(*s));

	init_how(s, c, how);
	if (sim_until(s, s->end_ms)) sim_settle(s);
	*ret = (struct sim_result){.failed = s->world.failed_rule[0] != '\0',
	                           .counts = s->world.counts,
	                           .coverage = s->world.coverage,
	                           .rounds = s->rounds};
	memcpy(ret->rule, s->world.failed_rule, sizeof(ret->rule));
	memcpy(ret->failure, s->world.failure, sizeof(ret->failure));
	hash_end(&s->world.trace, ret->trace, 16);
	sim_done(s);
	free(s);
}

/* ---- shrinking */
static bool still(const struct config *c, const char *rule)
{
	struct sim_result r;

	sim_run(c, /* trace= */ false, &r);
	return r.failed && strcmp(r.rule, rule) == 0;
}

void sim_shrink(const struct config *c, const char *rule, struct config *ret)
{
	bool better = true;

	*ret = *c;
	for (unsigned pass = 0; better && pass < 6; pass++) {
		better = false;
		for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
			const int64_t have = *config_at(ret, i);
			int64_t least = strcmp(fields[i].name, "tiers") == 0 ||
			                                strcmp(fields[i].name, "counties") == 0 ||
			                                strcmp(fields[i].name, "devices") == 0 ||
			                                strcmp(fields[i].name, "hours") == 0
			                        ? 1
			                        : 0;
			int64_t tries[] = {least, have / 4, have / 2, have * 3 / 4, have - 1};

			for (size_t k = 0; k < ARRAY_COUNT(tries); k++) {
				struct config next = *ret;

				if (tries[k] < least || tries[k] >= have) continue;
				*config_at(&next, i) = tries[k];
				if (!still(&next, rule)) continue;
				*ret = next;
				better = true;
				break;
			}
		}
	}
}

/* ---- delta debugging over what happens (Zeller, Hildebrandt 2002, by complements) */
enum { SHRINK_RUNS_MAX = 3000 };

/* Does it still break when of what is drawn only this happens?  *ret: what then did happen. */
static bool still_with(const struct config *c, const char *rule, const struct schedule *only,
                       struct schedule *ret)
{
	struct sim_how how = {.only = only, .happened = ret};
	struct sim_result r;

	sim_run_how(c, &how, &r);
	return r.failed && strcmp(r.rule, rule) == 0;
}

bool sim_shrink_schedule(const struct config *c, const char *rule, struct schedule *ret)
{
	struct schedule now = {0};
	size_t chunk, at = 0;
	unsigned runs = 0;

	*ret = (struct schedule){0};
	if (!still_with(c, rule, /* only= */ NULL, ret)) {
		schedule_done(ret);
		return false;
	}
	schedule_sort(ret);
	/* Ranges are taken from the end, where most has nothing to do with it, in ever smaller pieces. */
	for (chunk = ret->count / 2 + 1; chunk > 0 && runs < SHRINK_RUNS_MAX;) {
		struct schedule less = {0};
		size_t from = ret->count > at + chunk ? ret->count - at - chunk : 0,
		       until = ret->count > at ? ret->count - at : 0;

		for (size_t i = 0; i < ret->count; i++)
			if (i < from || i >= until) schedule_add(&less, &ret->p[i]);
		runs++;
		if (until > from && still_with(c, rule, &less, &now)) {
			schedule_sort(&now);
			schedule_done(ret);
			*ret = now; /* at most what was allowed */
			now = (struct schedule){0};
		} else {
			schedule_done(&now);
			at += chunk;
		}
		schedule_done(&less);
		if (at >= ret->count) {
			at = 0;
			chunk = chunk > 1 ? (chunk + 1) / 2 : 0;
		}
	}
	return true;
}
