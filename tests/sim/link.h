/*
 * link.h - virtual connections between a child and its parent.
 *
 * Like TCP under ZeroMQ: ordered within a connection, bytes delayed and cut, whole frames only (a frame
 * that is cut in the middle is lost; frames before it arrive).  A connection may break at any byte, hold
 * one direction for a while (asymmetric partition), be left half open, or leave what was queued to the
 * next connection, as a DEALER does when it reconnects.  Control frames overtake bulk in the queue.
 */
#ifndef TESTS_SIM_LINK_H
#define TESTS_SIM_LINK_H

#include "proto/session.h"
#include "tests/sim/world.h"

enum { SIDE_CHILD = 0, SIDE_PARENT = 1 };

struct frame {
	struct frame *next;
	int64_t at_ms; /* arrives */
	struct buf bytes;
};
struct frames {
	struct frame *first, *last;
	size_t count;
};
/* One end: the driver's half and the half of the wire that leaves from here. */
struct conn_end {
	struct device *device;
	struct session *session; /* NULL: this end has given up */
	bool start, pump, bye;   /* events that wait for the next turn */
	int64_t due_ms;          /* wants EVENT_TIMER; 0 none */
	struct frames in;        /* arrived, not stepped */
	struct frames out[2];    /* by priority: not yet on the wire */
	struct frames wire;      /* on the way from here */
	int64_t busy_until_ms, stalled_until_ms, last_arrival_ms;
	uint64_t sent_bytes, cut_at, pause_at; /* 0: never */
	int64_t pause_ms;
	bool closing;                 /* send what is queued, then close */
	struct session_progress last; /* when this end gave up */
	int64_t anew,
	        entries_before; /* sessions before this one on the same link; what they sent */
	uint64_t sent_frames, repair_frames; /* those of a repair have bounds of their own */
	struct random rnd;                   /* of what is on the line from here */
};
struct conn {
	bool out_from_begin, renews;   /* trust.h */
	bool marks;                    /* no cursor was confirmed, and older ones were asked for */
	int64_t held_since, held_head; /* held.h: at its begin; 0: the child did not wait */
	unsigned number;
	unsigned call;                /* of this child, from 1 */
	bool broken;                  /* nothing passes any more */
	bool healthy;                 /* opened after the world was healed */
	bool stay;                    /* its session stays open when idle */
	int64_t opened_ms, oldest_ms; /* oldest: when what it carries was said, at the earliest */
	struct conn_end ends[2];
};

/* The child opens a connection to its parent; NULL: no room or the parent is down. */
struct conn *link_open(struct world *w, struct device *child);
void link_send(struct world *w, struct conn *c, unsigned side, struct buf *bytes,
               unsigned priority); /* takes the bytes */
/* AT_FRAME, AT_SENT, AT_BROKEN, AT_RELEASE. */
void link_event(struct world *w, const struct event *e);
/* Breaks the connection now; ends that are not half open are told. */
void link_break(struct world *w, struct conn *c, bool tell);
/* This end gives up: its session is freed, the other end is told later. */
void link_leave(struct world *w, struct conn *c, unsigned side);
void link_free(struct conn *c);
void frames_done(struct frames *f);
struct frame *frames_pop(struct frames *f); /* NULL: none; caller frees with frame_free */
struct frame *frame_free(struct frame *f);

#endif
