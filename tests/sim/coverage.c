/*
 * coverage.c - counting, and the table.
 */
#include "common/base.h"

#include "tests/sim/coverage.h"

#include "tests/sim/world.h"

static const struct {
	const char *name, *line, *text;
} events[] = {
#define X(NAME, LINE, TEXT) {#NAME, LINE, TEXT},
        COVERAGE_ALL(X)
#undef X
};

static_assert(ARRAY_COUNT(events) == REACHED_COUNT, "one row for each event");

void world_reached(struct world *w, enum reached what)
{
	assert(what < REACHED_COUNT);
	w->coverage.times[what]++;
}

void coverage_line(struct coverage *c, const char *line)
{
	for (size_t i = 0; i < REACHED_COUNT; i++)
		if (events[i].line != NULL &&
		    strncmp(line, events[i].line, strlen(events[i].line)) == 0)
			c->times[i]++;
}

void coverage_add(struct coverage *sum, const struct coverage *world)
{
	for (size_t i = 0; i < REACHED_COUNT; i++) {
		sum->times[i] += world->times[i];
		sum->worlds[i] += world->times[i] > 0;
	}
}

unsigned coverage_print(const struct coverage *sum, uint64_t worlds, FILE *f)
{
	unsigned never = 0;

	(void)fprintf(f, "%10s %8s  of %" PRIu64 " worlds\n", "times", "worlds", worlds);
	for (size_t i = 0; i < REACHED_COUNT; i++) {
		(void)fprintf(f, "%10" PRIu64 " %8" PRIu64 "  %-16s %s\n", sum->times[i],
		              sum->worlds[i], events[i].name, events[i].text);
		never += sum->worlds[i] == 0;
	}
	for (size_t i = 0; i < REACHED_COUNT; i++)
		if (sum->worlds[i] == 0)
			(void)fprintf(f, "never reached: %s (%s)\n", events[i].name,
			              events[i].text);
	return never;
}
