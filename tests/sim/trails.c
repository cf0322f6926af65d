/*
 * trails.c - see trails.h.
 */
#include "common/base.h"

#include "tests/sim/trails.h"

#include "proto/trail.h"
#include "tests/sim/damage.h"

enum { CONFIG_STREAM = 64, RUN_STREAM = 6401, STRIKE_STREAM = 6402, SQL_MAX = 4096 };

int64_t trails_config(uint64_t seed)
{
	struct random rnd = random_stream(seed, CONFIG_STREAM);

	return random_chance(&rnd, 350) ? random_range(&rnd, 1, 25) : 0;
}

void trails_plan(struct world *w, int64_t from_ms, int64_t until_ms)
{
	struct random rnd = random_stream(w->config.seed, RUN_STREAM);

	for (int64_t i = 0; i < w->config.trails; i++)
		world_at(w, random_range(&rnd, from_ms, until_ms), AT_TRAIL, 0, (unsigned)i, 0);
}

static int work_note(struct device *d, void *ctx)
{
	return trail_add(d->replica, ctx);
}

void trails_event(struct world *w, unsigned n)
{
	struct random rnd = world_draw(w, DRAWN_TRAIL, 0, n);
	struct device *d = w->devices[random_below(&rnd, w->devices_count)];
	struct trail_record t = {
	        .verb = (uint8_t)random_range(&rnd, TRAIL_READ, TRAIL_ERASE),
	        .table = (uint16_t)random_below(&rnd, 12),
	        .detail = span_of("list volunteer", (size_t)random_below(&rnd, 15)),
	};

	if (d->replica == NULL || !world_allows(w, DRAWN_TRAIL, 0, n)) return;
	t.person[0] = (uint8_t)random_below(&rnd, 4);
	if (device_transaction(d, "note", work_note, &t) != 0) return;
	d->noted++;
	REACHED(w, TRAIL_NOTED);
	device_turn_at(w, d, w->now_ms);
}

/* Its own words, all of them, and those that a disk which went back does not have are named as such. */
static void check(struct world *w, struct device *d)
{
	struct trail_report *x = mem_alloc(sizeof(*x));
	bool above = d->parent != NULL && d->joined && !d->copied && !device_forsaken(d->parent);
	bool whole = !d->restored && !d->copied; /* two machines with one name sign two trails */

	if (trail_verify(d->replica, x) != 0) {
		world_fail(w, "trail", "%s: %s", d->label, replica_error(d->replica)->detail);
	} else if (whole && x->faults_count > 0) {
		world_fail(w, "trail", "%s: %zu findings, the first: %u at %" PRIu64, d->label,
		           x->faults_count, x->faults[0].what, x->faults[0].seq);
	} else if (whole && x->records < d->noted) {
		world_fail(w, "trail", "%s noted %" PRIu64 " things and has %" PRIu64, d->label,
		           d->noted, x->records);
	} else if (above && x->records > 0 && x->signed_seq != x->records) {
		world_fail(w, "trail", "%s has %" PRIu64 " records, signed above up to %" PRIu64,
		           d->label, x->records, x->signed_seq);
	} else if (above && x->records > 0) {
		REACHED(w, TRAIL_SIGNED);
		if (d->hub) REACHED(w, TRAIL_COUNTERSIGNED);
	}
	for (size_t i = 0; i < x->faults_count && i < TRAIL_FAULTS_MAX; i++)
		if (x->faults[i].what == TRAIL_EDITED || x->faults[i].what == TRAIL_CUT)
			world_fail(w, "trail", "%s: nobody edited it: %u at %" PRIu64, d->label,
			           x->faults[i].what, x->faults[i].seq);
	free(x);
}

void trails_check_rest(struct world *w)
{
	for (size_t i = 0; i < w->devices_count && w->config.trails > 0; i++) {
		struct device *d = w->devices[i];

		if (d->replica == NULL || device_forsaken(d) || device_schema(d) == NULL) continue;
		if (schema_table(device_schema(d), TABLE_TRAIL) != NULL) check(w, d);
	}
}

/* ---- a hand that alters it */

enum stroke { STROKE_EDIT, STROKE_CUT, STROKE_END, STROKE_REWRITE, STROKES };

static void hex_of(const void *p, size_t len, struct buf *out)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++) buf_print(out, "%02x", b[i]);
}

static void put(struct device *d, uint64_t seq, struct span record, const uint8_t hash[32])
{
	struct buf sql;

	buf_init(&sql, SQL_MAX);
	buf_text(&sql, "UPDATE trail SET record = x'");
	hex_of(record.p, record.len, &sql);
	buf_text(&sql, "', hash = x'");
	hex_of(hash, 32, &sql);
	buf_print(&sql, "' WHERE seq = %" PRIu64, seq);
	(void)damage_sql(d, buf_cstr(&sql));
	buf_done(&sql);
}

/* As somebody would who knows how it is made: the record says something else, and all hashes behind it fit. */
static void rewrite(struct device *d, uint64_t from, const struct trail_item *items, size_t n)
{
	uint8_t hash[32];
	struct buf b;

	buf_init(&b, TRAIL_BYTES_MAX);
	for (size_t i = from - 1; i < n; i++) {
		struct trail_record t;

		if (!trail_parse(items[i].record, &t)) break;
		if (i == from - 1)
			t.verb ^= 1;
		else
			memcpy(t.prev, hash, 32);
		buf_reset(&b);
		trail_pack(&t, &b);
		hash_of(buf_span(&b), hash, sizeof(hash));
		put(d, items[i].seq, buf_span(&b), hash);
	}
	buf_done(&b);
}

static void strike(struct world *w, struct device *d, struct random *rnd)
{
	enum stroke stroke = (enum stroke)random_below(rnd, STROKES);
	struct trail_report *x = mem_alloc(sizeof(*x));
	struct trail_item *items = NULL;
	uint8_t what[STROKES] = {TRAIL_EDITED, TRAIL_CUT, TRAIL_ENDS, TRAIL_DIFFERS};
	uint64_t at;
	struct arena a;
	char sql[96];
	size_t n = 0;
	bool found = false;

	arena_init(&a, 0);
	if (store_trail_scan(d->keeper, 0, 1000, &a, &items, &n) != 0 || n == 0) goto out;
	if (stroke == STROKE_CUT && n < 2) stroke = STROKE_EDIT;
	at = stroke == STROKE_END
	             ? n
	             : (uint64_t)random_range(rnd, 1, (int64_t)n - (stroke == STROKE_CUT));
	(void)snprintf(sql, sizeof(sql), "DELETE FROM trail WHERE seq = %" PRIu64, at);
	switch (stroke) {
	case STROKE_EDIT: {
		uint8_t *bytes = arena_copy(&a, items[at - 1].record.p, items[at - 1].record.len);

		bytes[random_below(rnd, items[at - 1].record.len)] ^= 1;
		put(d, at, span_of(bytes, items[at - 1].record.len), items[at - 1].hash);
		break;
	}
	case STROKE_CUT:
	case STROKE_END:
		(void)damage_sql(d, sql);
		break;
	case STROKE_REWRITE:
	case STROKES:
		rewrite(d, at, items, n);
		break;
	}
	if (trail_verify(d->replica, x) != 0) {
		world_fail(w, "trail", "%s: %s", d->label, replica_error(d->replica)->detail);
		goto out;
	}
	for (size_t i = 0; i < x->faults_count && i < TRAIL_FAULTS_MAX; i++)
		found |= x->faults[i].what == what[stroke] &&
		         (stroke == STROKE_REWRITE
		                  ? x->faults[i].seq >= at && x->faults[i].signed_above
		                  : x->faults[i].seq == at);
	if (!found)
		world_fail(w, "trail",
		           "%s: altered (%d) at %" PRIu64 " of %zu, and %zu findings do not say so",
		           d->label, (int)stroke, at, n, x->faults_count);
	REACHED(w, TRAIL_ALTERED);
out:
	arena_done(&a);
	free(x);
}

void trails_strike(struct world *w)
{
	struct random rnd = random_stream(w->config.seed, STRIKE_STREAM);

	if (w->config.trails == 0) return;
	for (size_t i = 0; i < w->devices_count; i++) {
		struct device *d = w->devices[i];

		if (d->replica == NULL || d->parent == NULL || !d->joined || d->restored ||
		    d->copied || device_forsaken(d) ||
		    schema_table(device_schema(d), TABLE_TRAIL) == NULL)
			continue;
		strike(w, d, &rnd);
	}
}
