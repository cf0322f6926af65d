/*
 * schedule.c - names of drawn events.
 */
#include "common/base.h"

#include "tests/sim/schedule.h"

#include "tests/sim/world.h"

static const char *const words[] = {
#define X(NAME, WORD) WORD,
        DRAWN_KINDS(X)
#undef X
};

enum { STREAM_DRAWN = 8400 };

struct random world_draw(const struct world *w, enum drawn kind, unsigned device, uint64_t at)
{
	struct random rnd = random_stream(w->config.seed, STREAM_DRAWN + kind);

	rnd.state ^= random_stream(at, device).state;
	(void)random_next(&rnd);
	return rnd;
}

static int compare(const void *a, const void *b)
{
	const struct drawn_event *x = a, *y = b;

	if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
	if (x->device != y->device) return x->device < y->device ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

void schedule_add(struct schedule *s, const struct drawn_event *e)
{
	if (s->count == s->room) {
		s->room = s->room ? s->room * 2 : 64;
		s->p = mem_grow(s->p, s->room * sizeof(*s->p));
	}
	s->p[s->count++] = *e;
}

void schedule_sort(struct schedule *s)
{
	if (s->count > 0) qsort(s->p, s->count, sizeof(*s->p), compare);
}

bool schedule_has(const struct schedule *s, const struct drawn_event *e)
{
	return s->count > 0 && bsearch(e, s->p, s->count, sizeof(*e), compare) != NULL;
}

void schedule_done(struct schedule *s)
{
	free(s->p);
	*s = (struct schedule){0};
}

bool world_allows(struct world *w, enum drawn kind, unsigned device, uint64_t at)
{
	struct drawn_event e = {kind, device, at};

	if (w->only != NULL && !schedule_has(w->only, &e)) return false;
	if (w->happened != NULL) schedule_add(w->happened, &e);
	return true;
}

void schedule_print(const struct schedule *s, FILE *f)
{
	for (size_t i = 0; i < s->count; i++)
		(void)fprintf(f, "%s%s.%u.%" PRIu64, i ? " " : "", words[s->p[i].kind],
		              s->p[i].device, s->p[i].at);
	(void)fprintf(f, "\n");
}

bool schedule_read(struct schedule *s, FILE *f)
{
	char text[96];

	while (fscanf(f, "%95s", text) == 1) {
		struct drawn_event e = {.kind = DRAWN_COUNT};
		char *dot = strchr(text, '.'), *end = NULL;

		if (dot == NULL) return false;
		*dot = '\0';
		for (unsigned i = 0; i < DRAWN_COUNT; i++)
			if (strcmp(words[i], text) == 0) e.kind = (enum drawn)i;
		e.device = (unsigned)strtoul(dot + 1, &end, 10);
		if (e.kind == DRAWN_COUNT || *end != '.') return false;
		e.at = strtoull(end + 1, &end, 10);
		if (*end != '\0') return false;
		schedule_add(s, &e);
	}
	schedule_sort(s);
	return true;
}
