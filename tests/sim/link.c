/*
 * link.c - queues, latency, cuts.
 */
#include "common/base.h"

#include "tests/sim/link.h"

#include "tests/sim/device.h"
#include "tests/sim/held.h"
#include "tests/sim/trust.h"
#include "tests/sim/weather.h"

static void frames_push(struct frames *f, struct frame *x)
{
	x->next = NULL;
	if (f->last != NULL)
		f->last->next = x;
	else
		f->first = x;
	f->last = x;
	f->count++;
}

struct frame *frames_pop(struct frames *f)
{
	struct frame *x = f->first;

	if (x == NULL) return NULL;
	f->first = x->next;
	if (f->first == NULL) f->last = NULL;
	f->count--;
	return x;
}

struct frame *frame_free(struct frame *f)
{
	if (f != NULL) {
		buf_done(&f->bytes);
		free(f);
	}
	return NULL;
}

void frames_done(struct frames *f)
{
	struct frame *x;

	while ((x = frames_pop(f)) != NULL) (void)frame_free(x);
}

static void end_empty(struct conn_end *e)
{
	frames_done(&e->in);
	frames_done(&e->out[0]);
	frames_done(&e->out[1]);
	frames_done(&e->wire);
}

void link_free(struct conn *c)
{
	if (c == NULL) return;
	for (unsigned side = 0; side < 2; side++) {
		session_free(c->ends[side].session);
		end_empty(&c->ends[side]);
	}
	free(c);
}

/* What the DEALER still had queued goes out on the next connection, ahead of its HELLO. */
static void leave_stale(struct world *w, struct device *child, struct conn *to)
{
	for (size_t i = w->conns_count; i-- > 0;) {
		struct conn *old = w->conns[i];
		struct conn_end *e = &old->ends[SIDE_CHILD];
		struct frame *x;

		if (old == to || e->device != child) continue;
		for (unsigned n = 0; n < 3 && (x = frames_pop(&e->out[n & 1])) != NULL; n++) {
			frames_push(&to->ends[SIDE_CHILD].out[FRAME_CONTROL], x);
			to->oldest_ms = old->oldest_ms;
			REACHED(w, STALE);
		}
		return;
	}
}

static void draw_faults(struct world *w, struct conn *c)
{
	unsigned child = c->ends[SIDE_CHILD].device->number;

	for (unsigned side = 0; side < 2; side++) {
		struct conn_end *e = &c->ends[side];
		uint64_t at = c->call * UINT64_C(2) + side;
		struct random cut = world_draw(w, DRAWN_CUT, child, at),
		              pause = world_draw(w, DRAWN_PAUSE, child, at),
		              stall = world_draw(w, DRAWN_STALL, child, at);

		if (random_chance(&cut, (unsigned)w->config.cut) &&
		    world_allows(w, DRAWN_CUT, child, at)) {
			/* Early bytes often: greetings are where cursors are made. */
			uint64_t most = UINT64_C(1) << random_range(&cut, 6, 15);

			e->cut_at = 1 + random_below(&cut, most);
		}
		if (random_chance(&pause, (unsigned)w->config.pause) &&
		    world_allows(w, DRAWN_PAUSE, child, at)) {
			e->pause_at = 200 + random_below(&pause, 20000);
			e->pause_ms = random_range(&pause, 60, 300) * 1000;
		}
		if (random_chance(&stall, (unsigned)w->config.stall) &&
		    world_allows(w, DRAWN_STALL, child, at)) {
			e->stalled_until_ms = w->now_ms + random_range(&stall, 100, 50000);
			world_tell(w, "nothing from %s gets through to %s for %.1f s",
			           e->device->label, c->ends[!side].device->label,
			           (double)(e->stalled_until_ms - w->now_ms) / 1000);
			w->counts.stalls++;
			REACHED(w, STALL);
			world_at(w, e->stalled_until_ms, AT_RELEASE, 0, c->number, side);
		}
	}
}

struct conn *link_open(struct world *w, struct device *child)
{
	struct random stale;
	struct conn *c;

	if (w->conns_count == CONNS_MAX) return NULL;
	c = mem_alloc(sizeof(*c));
	c->number = (unsigned)w->conns_count;
	c->call = child->calls;
	c->opened_ms = c->oldest_ms = w->now_ms;
	c->healthy = w->healed;
	w->conns[w->conns_count++] = c;
	c->ends[SIDE_CHILD].device = child;
	c->ends[SIDE_PARENT].device = child->parent;
	for (unsigned side = 0; side < 2; side++)
		c->ends[side].rnd =
		        world_draw(w, DRAWN_LINE, child->number, c->call * UINT64_C(2) + side);
	if (!w->healed) draw_faults(w, c);
	stale = world_draw(w, DRAWN_STALE, child->number, c->call);
	if (!w->healed && random_chance(&stale, (unsigned)w->config.stale) &&
	    world_allows(w, DRAWN_STALE, child->number, c->call))
		leave_stale(w, child, c);
	return c;
}

static void transmit(struct world *w, struct conn *c, unsigned side);

void link_send(struct world *w, struct conn *c, unsigned side, struct buf *bytes, unsigned priority)
{
	struct frame *x;

	if (c->broken) {
		buf_done(bytes);
		return;
	}
	x = mem_alloc(sizeof(*x));
	x->bytes = *bytes;
	*bytes = (struct buf){0};
	frames_push(&c->ends[side].out[priority ? FRAME_BULK : FRAME_CONTROL], x);
	transmit(w, c, side);
}

/* What is on the wire arrives; what comes after waits for minutes. */
static void pause_now(struct world *w, struct conn *c, unsigned side)
{
	struct conn_end *e = &c->ends[side];

	e->pause_at = 0;
	if (w->healed) return;
	e->stalled_until_ms = w->now_ms + e->pause_ms;
	world_at(w, e->stalled_until_ms, AT_RELEASE, 0, c->number, side);
	REACHED(w, PAUSE);
	world_tell(w, "nothing more from %s gets through to %s for %.1f min", e->device->label,
	           c->ends[!side].device->label, (double)e->pause_ms / 60000);
}

static bool repairs(unsigned type)
{
	return type == MSG_RANGE || type == MSG_TALLY || type == MSG_NAMES || type == MSG_AGAIN;
}

static void transmit(struct world *w, struct conn *c, unsigned side)
{
	struct conn_end *e = &c->ends[side];

	while (!c->broken && w->now_ms >= e->busy_until_ms && w->now_ms >= e->stalled_until_ms) {
		struct frame *x = frames_pop(&e->out[FRAME_CONTROL]);
		int64_t takes = 0, arrives;

		if (x == NULL) x = frames_pop(&e->out[FRAME_BULK]);
		if (x == NULL) return;
		w->counts.frames++;
		w->counts.bytes += x->bytes.len;
		if (x->bytes.len > 1 && x->bytes.p[1] == MSG_DATA) w->counts.data++;
		world_trace(w, "conn %u %s type %u, %zu bytes", c->number,
		            side == SIDE_CHILD ? "up" : "down",
		            x->bytes.len > 1 ? x->bytes.p[1] : 0u, x->bytes.len);
		if (w->config.rate_bytes > 0) takes = (int64_t)x->bytes.len / w->config.rate_bytes;
		arrives = w->now_ms + takes + w->config.latency_ms / 2 +
		          (int64_t)random_below(&e->rnd, (uint64_t)w->config.latency_ms + 1);
		if (arrives < e->last_arrival_ms) arrives = e->last_arrival_ms;
		e->last_arrival_ms = arrives;
		e->busy_until_ms = w->now_ms + takes;
		if (e->cut_at != 0 && e->sent_bytes + x->bytes.len > e->cut_at) {
			world_trace(w, "cut conn %u side %u frame %zu", c->number, side,
			            x->bytes.len);
			w->counts.cuts++;
			REACHED(w, CUT);
			world_tell(w, "the link from %s to %s is cut at byte %" PRIu64,
			           e->device->label, c->ends[!side].device->label, e->cut_at);
			(void)frame_free(x);
			world_at(w, arrives, AT_BROKEN, 0, c->number, side);
			e->stalled_until_ms = INT64_MAX;
			return;
		}
		e->sent_bytes += x->bytes.len;
		e->sent_frames++;
		e->repair_frames += repairs(x->bytes.len > 1 ? x->bytes.p[1] : 0);
		if (x->bytes.len > 1 && x->bytes.p[1] == MSG_RENEW) c->renews = true;
		if (x->bytes.len > 1 && x->bytes.p[1] == MSG_MARKS) c->marks = true;
		if (e->pause_at != 0 && e->sent_bytes > e->pause_at) pause_now(w, c, side);
		x->at_ms = arrives;
		frames_push(&e->wire, x);
		world_at(w, arrives, AT_FRAME, 0, c->number, side);
		if (takes > 0) world_at(w, e->busy_until_ms, AT_SENT, 0, c->number, side);
	}
}

/* What a person wants to know of a session that ends here. */
static void tell_end(struct world *w, const struct conn *c, unsigned side)
{
	const struct session_progress *p = &c->ends[side].last;
	static const char *const states[] = {"before greeting", "without an answer", "", ""};

	world_tell(w,
	           "%s leaves call %u.%u %s %s %s: %" PRId64 " entries sent, %" PRId64
	           " received%s%s",
	           c->ends[side].device->label, c->ends[SIDE_CHILD].device->number, c->call,
	           side == SIDE_CHILD ? "to" : "from", c->ends[!side].device->label,
	           states[p->state], p->entries_out, p->entries_in, p->idle ? ", idle" : "",
	           p->agreed ? ", agreed" : "");
}

void link_leave(struct world *w, struct conn *c, unsigned side)
{
	struct conn_end *e = &c->ends[side], *peer = &c->ends[!side];

	if (e->session != NULL) session_progress(e->session, &e->last);
	if (e->session != NULL && w->story) tell_end(w, c, side);
	e->device->session_ended = true;
	if (e->session != NULL && side == SIDE_PARENT) trust_session(c, /* begins= */ false);
	if (e->session != NULL && side == SIDE_CHILD) weather_parted(w, c);
	bool talked = e->session != NULL;
	session_free(e->session);
	e->session = NULL;
	if (talked && side == SIDE_CHILD) held_session(c, /* begins= */ false);
	e->due_ms = 0;
	frames_done(&e->in);
	if (side == SIDE_CHILD && e->device->conn == c) device_disconnected(w, e->device);
	if (peer->session == NULL) {
		c->broken = true;
		return;
	}
	/* The last frames of this end still travel; then the other end is told. */
	if (!e->closing) {
		e->closing = true;
		world_at(w, (e->last_arrival_ms > w->now_ms ? e->last_arrival_ms : w->now_ms) + 1,
		         AT_BROKEN, 0, c->number, side);
	}
}

void link_break(struct world *w, struct conn *c, bool tell)
{
	c->broken = true;
	for (unsigned side = 0; side < 2; side++) {
		struct conn_end *e = &c->ends[side];
		struct random rnd;
		uint64_t at;

		frames_done(&e->wire);
		if (e->session == NULL) continue;
		at = c->call * UINT64_C(2) + side;
		rnd = world_draw(w, DRAWN_HALF_OPEN, c->ends[SIDE_CHILD].device->number, at);
		if (!tell && random_chance(&rnd, (unsigned)w->config.half_open) &&
		    world_allows(w, DRAWN_HALF_OPEN, c->ends[SIDE_CHILD].device->number, at)) {
			REACHED(w, HALF_OPEN);
			world_tell(w, "%s does not notice that the link to %s is dead",
			           e->device->label, c->ends[!side].device->label);
			if (random_chance(&rnd, (unsigned)w->config.deaf)) {
				REACHED(w, DEAF);
				continue;
			}
			world_at(w, w->now_ms + random_range(&rnd, 20000, 150000), AT_BROKEN, 0,
			         c->number, 2);
			continue;
		}
		link_leave(w, c, side);
	}
}

void link_event(struct world *w, const struct event *e)
{
	struct conn *c = w->conns[e->conn];
	struct conn_end *from = &c->ends[e->side & 1], *to = &c->ends[!(e->side & 1)];
	struct frame *x;

	switch ((int)e->kind) {
	case AT_FRAME:
		if (c->broken || (x = frames_pop(&from->wire)) == NULL) return;
		world_trace_bytes(w, buf_span(&x->bytes));
		if (to->session == NULL) {
			(void)frame_free(x);
			return;
		}
		frames_push(&to->in, x);
		device_turn_at(w, to->device, w->now_ms + (int64_t)random_below(&from->rnd, 4));
		break;
	case AT_SENT:
		transmit(w, c, e->side);
		break;
	case AT_RELEASE:
		if (from->stalled_until_ms != INT64_MAX) from->stalled_until_ms = 0;
		transmit(w, c, e->side);
		break;
	case AT_BROKEN:
		if (e->side == 2) { /* what was half open is noticed at last */
			for (unsigned side = 0; side < 2; side++)
				if (c->ends[side].session != NULL) link_leave(w, c, side);
			return;
		}
		if (c->broken) return;
		if (from->closing && from->stalled_until_ms != INT64_MAX &&
		    (to->in.count > 0 || from->wire.count > 0 || from->out[0].count > 0 ||
		     from->out[1].count > 0)) {
			transmit(w, c,
			         e->side); /* it may have been left over, with nothing behind it */
			world_at(w, w->now_ms + 200, AT_BROKEN, 0, c->number,
			         e->side); /* first what was sent */
			return;
		}
		link_break(w, c, w->healed);
		break;
	default:
		assert(false);
	}
}
