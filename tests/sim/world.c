/*
 * world.c - time, tree, trace.
 */
#include "common/base.h"

#include "tests/sim/world.h"

#include <stdarg.h>

#include "common/ident.h"

enum { STREAM_NET = 1, STREAM_WORK, STREAM_CRASH, STREAM_TOPOLOGY, STREAM_CLOCK, STREAM_KEYS };
enum { HOUR_MS = 3600 * 1000 };

static void root_make(struct world *w)
{
	struct random keys = random_stream(w->config.seed, STREAM_KEYS);
	uint8_t seed[32], link_secret[32];
	struct error err = {0};

	random_bytes(&keys, seed, sizeof(seed));
	sign_keypair(seed, w->root_public, w->root_secret);
	cert_fingerprint(w->root_public, w->root_fingerprint);
	w->root = (struct cert){.role = CERT_ROOT,
	                        .level = LEVEL_NATION,
	                        .lanes = 0xf,
	                        .not_before_ms = 0,
	                        .not_after_ms = INT64_MAX / 2};
	memcpy(w->root.origin_key, w->root_public, 32);
	link_keypair(seed, w->root.link_key, link_secret);
	random_bytes(&keys, w->root.unit, 16);
	buf_init(&w->root_bytes, CERT_BYTES_MAX);
	if (cert_make(&w->root, w->root_secret, &w->root_bytes, &err) < 0)
		world_fail(w, "setup", "root certificate: %s", err.detail);
}

void world_init(struct world *w, const struct config *config)
{
	*w = (struct world){.config = *config, .now_ms = INT64_C(1767225600000)};
	w->start_ms = w->now_ms;
	things_init(&w->things, /* next= */ false);
	things_init(&w->things_next, /* next= */ true);
	w->net = random_stream(config->seed, STREAM_NET);
	w->work = random_stream(config->seed, STREAM_WORK);
	w->crash = random_stream(config->seed, STREAM_CRASH);
	w->topology = random_stream(config->seed, STREAM_TOPOLOGY);
	w->clock_ = random_stream(config->seed, STREAM_CLOCK);
	hash_begin(&w->trace, 16);
	root_make(w);
}

void world_done(struct world *w)
{
	buf_done(&w->root_bytes);
	free(w->queue);
	w->queue = NULL;
}

static bool earlier(const struct event *x, const struct event *y)
{
	return x->at_ms != y->at_ms ? x->at_ms < y->at_ms : x->seq < y->seq;
}

void world_at(struct world *w, int64_t at_ms, enum event_kind kind, unsigned device, unsigned conn,
              unsigned side)
{
	struct event e = {
	        at_ms < w->now_ms ? w->now_ms : at_ms, w->seq++, kind, device, conn, side};
	size_t i = w->queue_count++;

	if (w->queue_count > w->queue_room) {
		w->queue_room = w->queue_room ? w->queue_room * 2 : 256;
		w->queue = mem_grow(w->queue, w->queue_room * sizeof(*w->queue));
	}
	for (; i > 0 && earlier(&e, &w->queue[(i - 1) / 2]); i = (i - 1) / 2)
		w->queue[i] = w->queue[(i - 1) / 2];
	w->queue[i] = e;
}

bool world_next(struct world *w, struct event *ret)
{
	struct event last;
	size_t i = 0;

	if (w->queue_count == 0) return false;
	*ret = w->queue[0];
	last = w->queue[--w->queue_count];
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= w->queue_count) break;
		if (child + 1 < w->queue_count && earlier(&w->queue[child + 1], &w->queue[child]))
			child++;
		if (!earlier(&w->queue[child], &last)) break;
		w->queue[i] = w->queue[child];
		i = child;
	}
	if (w->queue_count > 0) w->queue[i] = last;
	if (ret->at_ms > w->now_ms)
		w->now_ms = ret->at_ms; /* a scene by hand may have let time pass */
	if (w->now_ms / HOUR_MS != w->hour) {
		w->hour = w->now_ms / HOUR_MS;
		w->hour_events = 0;
	}
	w->hour_events++;
	return true;
}

void world_trace_bytes(struct world *w, struct span s)
{
	hash_add(&w->trace, s.p, s.len);
}

void world_trace(struct world *w, const char *format, ...)
{
	char line[400];
	int n = snprintf(line, sizeof(line), "%" PRId64 " ", w->now_ms - w->start_ms);
	va_list list;

	va_start(list, format);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, format, list);
	va_end(list);
	if ((size_t)n >= sizeof(line)) n = sizeof(line) - 1;
	hash_add(&w->trace, line, (size_t)n);
	if (w->trace_print) (void)fprintf(stderr, "%s\n", line);
}

void world_tell(const struct world *w, const char *format, ...)
{
	int64_t ms = w->now_ms - w->start_ms;
	va_list list;

	if (!w->story) return;
	(void)fprintf(stderr, "%3" PRId64 ":%02d:%02d.%03d  ", ms / 3600000, (int)(ms / 60000 % 60),
	              (int)(ms / 1000 % 60), (int)(ms % 1000));
	va_start(list, format);
	(void)vfprintf(stderr, format, list);
	va_end(list);
	(void)fputc('\n', stderr);
}

void world_fail(struct world *w, const char *rule, const char *format, ...)
{
	va_list list;

	if (w->failed_rule[0] != '\0') return;
	(void)snprintf(w->failed_rule, sizeof(w->failed_rule), "%s", rule);
	va_start(list, format);
	(void)vsnprintf(w->failure, sizeof(w->failure), format, list);
	va_end(list);
	if (w->trace_print || w->story)
		(void)fprintf(stderr, "FAILED %s: %s\n", w->failed_rule, w->failure);
}

int world_unit_add(struct world *w, int parent, int64_t level)
{
	struct unit *u = &w->units[w->units_count];
	struct span part;
	uint64_t n;

	assert(w->units_count < WORLD_UNITS_MAX);
	*u = (struct unit){.parent = parent, .level = level};
	n = random_next(&w->topology);
	part = span_of(&n, sizeof(n));
	id_derive("unit", &part, 1, u->id);
	return (int)w->units_count++;
}

bool world_under(const struct world *w, int unit, int top)
{
	for (; unit >= 0; unit = w->units[unit].parent)
		if (unit == top) return true;
	return false;
}

int world_unit_find(const struct world *w, const uint8_t id[16])
{
	for (size_t i = 0; i < w->units_count; i++)
		if (memcmp(w->units[i].id, id, 16) == 0) return (int)i;
	return -1;
}
