/*
 * line.c - see line.h.
 */
#include "common/base.h"

#include "node/line.h"

enum { BUCKETS = 4096 };

struct parcel {
	struct parcel *next;
	unsigned priority;
	struct buf bytes;
};

void lines_init(struct lines *ls)
{
	*ls = (struct lines){.buckets = mem_alloc(BUCKETS * sizeof(struct line *)),
	                     .keys = mem_alloc(BUCKETS * sizeof(struct line *))};
}

void lines_done(struct lines *ls)
{
	while (ls->first) lines_remove(ls, ls->first);
	free(ls->buckets);
	free(ls->keys);
	*ls = (struct lines){0};
}

static size_t bucket_of_bytes(const uint8_t *p, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++) h = (h ^ p[i]) * 16777619u;
	return h % BUCKETS;
}

static size_t bucket_of(const struct route *r)
{
	return bucket_of_bytes(r->id, r->len);
}

static bool route_equal(const struct route *a, const struct route *b)
{
	return a->len == b->len && !memcmp(a->id, b->id, a->len);
}

struct line *lines_add(struct lines *ls, const struct route *route)
{
	struct line *l = mem_alloc(sizeof(*l));

	l->queue_end[0] = &l->queue[0];
	l->queue_end[1] = &l->queue[1];
	l->staged_end = &l->staged;
	l->up = !route;
	if (route) {
		struct line **bucket = &ls->buckets[bucket_of(route)];

		assert(!lines_find(ls, route));
		l->route = *route;
		l->next_in_bucket = *bucket;
		*bucket = l;
	}
	l->next = ls->first;
	ls->first = l;
	ls->count++;
	return l;
}

struct line *lines_find(const struct lines *ls, const struct route *route)
{
	struct line *l = ls->buckets[bucket_of(route)];

	while (l && !route_equal(&l->route, route)) l = l->next_in_bucket;
	return l;
}

void lines_set_key(struct lines *ls, struct line *l, const uint8_t link_key[32])
{
	struct line **bucket = &ls->keys[bucket_of_bytes(link_key, sizeof(l->link_key))];

	assert(!l->keyed && !l->up);
	memcpy(l->link_key, link_key, sizeof(l->link_key));
	l->keyed = true;
	l->next_of_key = *bucket;
	*bucket = l;
}

static struct line *of_key(struct line *l, const uint8_t link_key[32])
{
	while (l && memcmp(l->link_key, link_key, sizeof(l->link_key)) != 0) l = l->next_of_key;
	return l;
}

struct line *lines_of_key(const struct lines *ls, const uint8_t link_key[32])
{
	return of_key(ls->keys[bucket_of_bytes(link_key, sizeof(ls->first->link_key))], link_key);
}

struct line *line_before(const struct line *l)
{
	return of_key(l->next_of_key, l->link_key);
}

static void parcels_free(struct parcel *p)
{
	while (p) {
		struct parcel *next = p->next;

		buf_done(&p->bytes);
		free(p);
		p = next;
	}
}

void lines_remove(struct lines *ls, struct line *l)
{
	struct line **at = &ls->first;

	while (*at != l) at = &(*at)->next;
	*at = l->next;
	if (!l->up) {
		at = &ls->buckets[bucket_of(&l->route)];
		while (*at != l) at = &(*at)->next_in_bucket;
		*at = l->next_in_bucket;
	}
	if (l->keyed) {
		at = &ls->keys[bucket_of_bytes(l->link_key, sizeof(l->link_key))];
		while (*at != l) at = &(*at)->next_of_key;
		*at = l->next_of_key;
	}
	ls->count--;
	session_free(l->session);
	parcels_free(l->queue[0]);
	parcels_free(l->queue[1]);
	parcels_free(l->staged);
	free(l);
}

void line_stage(struct line *l, struct session_actions *a)
{
	for (size_t i = 0; i < a->count; i++) {
		struct parcel *p = mem_alloc(sizeof(*p));

		p->bytes = a->frames[i].bytes;
		p->priority = a->frames[i].priority == FRAME_CONTROL ? FRAME_CONTROL : FRAME_BULK;
		a->frames[i].bytes = (struct buf){0};
		*l->staged_end = p;
		l->staged_end = &p->next;
	}
}

void line_release(struct line *l)
{
	struct parcel *p = l->staged;

	l->staged = NULL;
	l->staged_end = &l->staged;
	while (p) {
		struct parcel *next = p->next;

		p->next = NULL;
		*l->queue_end[p->priority] = p;
		l->queue_end[p->priority] = &p->next;
		l->queue_bytes += p->bytes.len;
		p = next;
	}
}

void line_unstage(struct line *l)
{
	parcels_free(l->staged);
	l->staged = NULL;
	l->staged_end = &l->staged;
}

enum transport_sent line_flush(struct line *l, struct transport *t)
{
	for (unsigned i = 0; i < 2; i++)
		while (l->queue[i]) {
			struct parcel *p = l->queue[i];
			enum transport_sent sent =
			        transport_send(t, l->up ? NULL : &l->route, buf_span(&p->bytes));

			if (sent != SENT) return sent;
			l->queue_bytes -= p->bytes.len;
			l->queue[i] = p->next;
			if (!p->next) l->queue_end[i] = &l->queue[i];
			p->next = NULL;
			parcels_free(p);
		}
	assert(l->queue_bytes == 0);
	return SENT;
}
