/*
 * weather.c - clocks, builds, links and hubs in bad times.
 */
#include "common/base.h"

#include "tests/sim/weather.h"

#include "tests/sim/workload.h"

enum { HOUR_MS = 3600 * 1000, UPGRADES_MAX = 2, TURNS_MAX = 4, LOADS_MAX = 3 };

/* What an AT_WEATHER event is; in event.side. */
enum { AT_UPGRADE = 1, AT_CLOCK, AT_LOAD };

/* ---- configurations */
static int64_t rate(struct random *rnd, unsigned worlds, int64_t most)
{
	return random_chance(rnd, worlds) ? random_range(rnd, most / 10 + 1, most) : 0;
}

/* One to forty devices in one to three tiers. */
static void other_shape(struct random *rnd, struct config *c)
{
	c->tiers = random_range(rnd, 1, 3);
	c->counties = c->tiers == 3 ? random_range(rnd, 1, 4) : 1;
	c->sites = c->tiers == 1 ? 0 : random_range(rnd, 1, 36 / c->counties);
	c->devices = c->tiers == 1 ? 1 : random_range(rnd, 1, 3);
	while (c->counties * c->sites * c->devices > 36) {
		if (c->devices > 1)
			c->devices--;
		else
			c->sites--;
	}
	if (c->counties * c->sites * c->devices > 12 && c->writes > 40) c->writes = 40;
	if (c->hours > 20) c->hours = 20;
}

void weather_config(struct config *c)
{
	struct random rnd = random_stream(c->seed, 84);

	for (unsigned bit = 0; bit < 8 && c->seed % 5 < 2; bit++)
		if (random_chance(&rnd, 200)) c->without |= INT64_C(1) << bit;
	c->clock = rate(&rnd, 300, 1000);
	c->upgrade = rate(&rnd, 250, 1000);
	c->speak = rate(&rnd, 150, 1000);
	c->slow = rate(&rnd, 150, 8000);
	c->pause = rate(&rnd, 150, 300);
	c->deaf = rate(&rnd, 200, 1000);
	if (random_chance(&rnd, 250)) c->hold = random_range(&rnd, 500, 1000);
	c->whole = random_chance(&rnd, 400) ? random_range(&rnd, 100, 1000) : 100;
	c->load = random_chance(&rnd, 120) ? random_range(&rnd, 1, LOADS_MAX) : 0;
	if (c->load > 0 && random_chance(&rnd, 500)) c->rate_bytes = random_range(&rnd, 1, 3);
	if (c->load > 0 && random_chance(&rnd, 300)) c->window = random_range(&rnd, 1, 32) * 1024;
	if (c->upgrade > 0 && c->mixed == 0 && random_chance(&rnd, 500)) c->mixed = 300;
	if (random_chance(&rnd, 40)) other_shape(&rnd, c);
	if (c->tiers == 2 && c->counties != 1) c->counties = 1;
}

/* ---- clocks */
static const struct {
	const char *text;
	int64_t wall_ms;
	int64_t rate; /* thousandths of the true one */
	enum reached reached;
} faces[] = {
        {"says 1970", 0, 1000, REACHED_CLOCK_1970},
        {"says a day before 1970", -24 * (int64_t)HOUR_MS, 1000, REACHED_CLOCK_BEFORE_1970},
        {"says 1901", INT64_C(-2147483648000), 1000, REACHED_CLOCK_BEFORE_1970},
        {"says 2099", INT64_C(4070908800000), 1000, REACHED_CLOCK_2099},
        {"says the year 30000", INT64_C(884541600000000), 1000, REACHED_CLOCK_2099},
        {"stands still", -1, 0, REACHED_CLOCK_FROZEN},
        {"gains an hour a day", -1, 1042, REACHED_CLOCK_DRIFT},
        {"loses an hour a day", -1, 958, REACHED_CLOCK_DRIFT},
        {"runs backwards", -1, -1000, REACHED_CLOCK_DRIFT},
        {"is right again", -2, 1000, REACHED_CLOCK_JUMP},
};

int64_t weather_wall_ms(const struct device *d)
{
	const struct clock_face *f = &d->face;

	return f->set ? f->wall_ms + (d->world->now_ms - f->since_ms) * f->rate / 1000
	              : d->world->now_ms;
}

static void face_set(struct device *d, unsigned which)
{
	struct world *w = d->world;
	int64_t now = weather_wall_ms(d), wall = faces[which].wall_ms;

	d->face = (struct clock_face){.set = wall != -2,
	                              .since_ms = w->now_ms,
	                              .wall_ms = wall == -1 ? now : wall,
	                              .rate = faces[which].rate};
	world_reached(w, faces[which].reached);
	world_tell(w, "the clock of %s %s", d->label, faces[which].text);
}

void weather_boot(struct device *d)
{
	struct random rnd = world_draw(d->world, DRAWN_NO_BATTERY, d->number, 0);

	if (!random_chance(&rnd, (unsigned)d->world->config.clock / 3) ||
	    !world_allows(d->world, DRAWN_NO_BATTERY, d->number, (uint64_t)d->world->now_ms))
		return;
	REACHED(d->world, CLOCK_NO_BATTERY);
	face_set(d, 0);
}

/* ---- builds */
/* What it speaks, one after the other; version 2 is version 1 and repair. */
static const struct {
	uint16_t min, max;
} speeches[] = {{1, 1}, {1, 2}, {2, 2}};

void weather_speaks(const struct device *d, uint16_t *ret_min, uint16_t *ret_max)
{
	*ret_min = *ret_max = 0;
	if (d->world->config.speak == 0) return;
	*ret_min = speeches[d->speech].min;
	*ret_max = speeches[d->speech].max;
}

void weather_parted(struct world *w, const struct conn *c)
{
	unsigned child = c->ends[SIDE_CHILD].device->speech,
	         parent = c->ends[SIDE_PARENT].device->speech;

	if (w->config.speak > 0 && c->ends[SIDE_CHILD].last.round_trips > 0 &&
	    speeches[child].max == 2 && speeches[parent].max == 2)
		REACHED(w, SPOKE_NEXT);
}

static void upgrade(struct world *w, struct device *d, uint64_t at)
{
	struct random rnd = world_draw(w, DRAWN_UPGRADE, d->number, at);
	const unsigned last = (unsigned)ARRAY_COUNT(speeches) - 1;
	bool schema = random_chance(&rnd, 700), speech = random_chance(&rnd, 600);

	if (!d->alive || (d->hub && d->parent == NULL && !d->joined)) return;
	/* Nobody installs on a disk that fails or is full. */
	schema = schema && w->config.full == 0 && w->config.eio == 0;
	if (w->config.speak > 0 && speech && d->speech < last) {
		d->speech += random_chance(&rnd, 800) ? 1 : last - d->speech;
		REACHED(w, UPGRADE_SPEECH);
	}
	if (!schema || d->next_schema) {
		world_tell(w, "%s is upgraded: speaks %u..%u", d->label, speeches[d->speech].min,
		           speeches[d->speech].max);
		device_kill(d);
		return;
	}
	world_tell(w, "%s is upgraded: the newer schema, speaks %u..%u", d->label,
	           speeches[d->speech].min, speeches[d->speech].max);
	REACHED(w, UPGRADE_SCHEMA);
	if (d->hub)
		REACHED(w, UPGRADE_HUB);
	else if (d->parent != NULL && !d->parent->next_schema)
		REACHED(w, UPGRADE_CHILD_FIRST);
	/* 1: the machine died as it started, and starts again. */
	if (device_upgrade(d) < 0) world_fail(w, "upgrade", "%s: %s", d->label, d->err.detail);
}

/* ---- events */
static void events_of(struct world *w, struct device *d, int64_t end_ms)
{
	struct random rnd = world_draw(w, DRAWN_SETUP, d->number, 84);
	int64_t span = end_ms - w->start_ms;

	d->speech = w->config.speak > 0 ? (unsigned)random_below(&rnd, ARRAY_COUNT(speeches)) : 0;
	for (unsigned i = 0; i < UPGRADES_MAX; i++) {
		int64_t at = w->start_ms + random_range(&rnd, span / 20, span);

		if (random_chance(&rnd, (unsigned)w->config.upgrade))
			world_at(w, at, AT_WEATHER, d->number, i, AT_UPGRADE);
	}
	for (unsigned i = 0; i < TURNS_MAX; i++) {
		int64_t at = w->start_ms + random_range(&rnd, 1, span);

		if (random_chance(&rnd, (unsigned)w->config.clock))
			world_at(w, at, AT_WEATHER, d->number, i, AT_CLOCK);
	}
	for (unsigned i = 0; i < (unsigned)w->config.load && !d->hub; i++) {
		int64_t at = w->start_ms + random_range(&rnd, span / 10, span);

		if (random_chance(&rnd, 500)) world_at(w, at, AT_WEATHER, d->number, i, AT_LOAD);
	}
	if (random_chance(&rnd, (unsigned)w->config.clock) &&
	    world_allows(w, DRAWN_CLOCK, d->number, 99))
		face_set(d, (unsigned)random_below(&rnd, ARRAY_COUNT(faces) - 1));
}

void weather_begin(struct world *w, int64_t end_ms)
{
	for (size_t i = 0; i < w->devices_count; i++) events_of(w, w->devices[i], end_ms);
}

void weather_event(struct world *w, const struct event *e)
{
	struct device *d = w->devices[e->device];
	struct random rnd;

	if (w->healed) return;
	switch (e->side) {
	case AT_UPGRADE:
		if (world_allows(w, DRAWN_UPGRADE, e->device, e->conn)) upgrade(w, d, e->conn);
		break;
	case AT_CLOCK:
		rnd = world_draw(w, DRAWN_CLOCK, e->device, e->conn);
		if (world_allows(w, DRAWN_CLOCK, e->device, e->conn))
			face_set(d, (unsigned)random_below(&rnd, ARRAY_COUNT(faces)));
		break;
	case AT_LOAD:
		if (world_allows(w, DRAWN_LOAD, e->device, e->conn)) weather_load(d, e->conn);
		break;
	default:
		assert(false);
	}
}

void weather_heal(struct world *w)
{
	for (size_t i = 0; i < w->devices_count; i++) w->devices[i]->speech = 1;
	for (size_t i = 0; i < w->conns_count; i++) /* what nobody noticed is noticed now */
		if (w->conns[i]->broken) world_at(w, w->now_ms, AT_BROKEN, 0, (unsigned)i, 2);
}

int64_t weather_turn_ms(struct device *d)
{
	struct world *w = d->world;
	struct random rnd;

	if (w->healed || !d->hub || w->config.slow == 0) return 0;
	rnd = world_draw(w, DRAWN_WORK, d->number, (uint64_t)w->now_ms + 2);
	if (!random_chance(&rnd, 700)) return 0;
	REACHED(w, SLOW_HUB);
	return random_range(&rnd, 1, w->config.slow);
}

/* ---- backlogs: a hundred kilobytes that do not compress, written while nobody listens */
enum { LOAD_WRITES = 24, LOAD_AT_ONCE = 160, LOAD_BYTES = 1900, NOTE_ROOM = 2000 };

struct large {
	struct write write;
	struct field_write fields[5];
	char note[NOTE_ROOM];
};

static void large_draft(const struct device *d, struct random *rnd, struct large *x)
{
	const struct table *t = schema_table(device_schema(d), TABLE_ACTIVITY);
	struct field_write fields[] = {
	        {table_field_named(t, "title"), value_text("三八活动")},
	        {table_field_named(t, "act"), value_text("B1")},
	        {table_field_named(t, "astat"), value_text("finished")},
	        {table_field_named(t, "start"), value_int(INT64_C(1300000000000))},
	        {table_field_named(t, "note"), value_null()},
	};
	size_t n = (size_t)snprintf(x->note, sizeof(x->note), CANARY " ");

	static_assert(ARRAY_COUNT(fields) == ARRAY_COUNT(x->fields), "all of them");
	while (n < LOAD_BYTES) x->note[n++] = (char)('!' + (int)random_below(rnd, 90));
	x->note[strlen(CANARY " ")] =
	        '~'; /* no number: a note is not of the closed kind (closed.c) */
	x->note[n] = '\0';
	fields[4].value = value_text(x->note);
	memcpy(x->fields, fields, sizeof(fields));
	x->write = (struct write){.kind = WRITE_INSERT,
	                          .table = t,
	                          .fields = x->fields,
	                          .fields_count = ARRAY_COUNT(x->fields)};
	memcpy(x->write.scope, d->world->units[d->unit].id, 16);
}

/* One transaction that is larger than a segment. */
static void load_at_once(struct device *d, struct random *rnd)
{
	struct large *x = mem_alloc(LOAD_AT_ONCE * sizeof(*x));
	struct write *writes = mem_alloc(LOAD_AT_ONCE * sizeof(*writes));
	int rc;

	for (unsigned i = 0; i < LOAD_AT_ONCE; i++) {
		large_draft(d, rnd, &x[i]);
		writes[i] = x[i].write;
	}
	rc = device_write(d, writes, LOAD_AT_ONCE, /* whole= */ random_chance(rnd, 500),
	                  /* by_command= */ false);
	REACHED(d->world, LOAD_AT_ONCE);
	world_tell(d->world, "%s enters %d records with long notes in one transaction%s", d->label,
	           LOAD_AT_ONCE, rc ? ", in vain" : "");
	free(writes);
	free(x);
}

void weather_load(struct device *d, unsigned n)
{
	struct random rnd = world_draw(d->world, DRAWN_LOAD, d->number, n);
	struct large *x;
	unsigned done = 0;

	if (d->replica == NULL || !d->joined) return;
	if (random_chance(&rnd, 300)) {
		load_at_once(d, &rnd);
		return;
	}
	x = mem_alloc(sizeof(*x));
	for (unsigned i = 0; i < LOAD_WRITES && d->replica != NULL; i++) {
		large_draft(d, &rnd, x);
		done += device_write(d, &x->write, 1, /* whole= */ false,
		                     /* by_command= */ false) == 0;
	}
	free(x);
	REACHED(d->world, LOAD);
	world_tell(d->world, "%s enters %u records with long notes", d->label, done);
}
