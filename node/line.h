/*
 * line.h - the lines of the reactor: one per peer, with its session and what waits to be sent to it.
 *
 * Two queues each, control before bulk.  Frames made inside a transaction are staged; they join the queues
 * when it is durable (line_release) and vanish when it is not (line_unstage).
 */
#ifndef NODE_LINE_H
#define NODE_LINE_H

#include "node/transport.h"
#include "proto/session.h"

enum {
	LINE_LOW = 256 * 1024, /* below this a session is asked for more */
	LINE_HIGH = 8 * 1024 *
	            1024 /* above this the peer does not read, or asks for too much: dropped */
};

struct parcel;

struct line {
	struct line *next, *next_in_bucket, *next_of_key;
	bool up;              /* to the parent; else to a child */
	struct route route;   /* child */
	uint8_t link_key[32]; /* lines_set_key */
	bool keyed;
	uint64_t run;            /* of the peer, as its HELLO says */
	struct session *session; /* NULL: ended; the line goes when its queue is empty */
	int64_t due_ms;          /* EVENT_TIMER; 0: none */
	int64_t until_ms;        /* ended: the queue is given this long */
	bool stepped;            /* in the present transaction */
	bool pump;               /* wants EVENT_PUMP */
	bool closed;             /* the session asked to be closed */
	int code;
	uint32_t retry_after_s;
	struct parcel *queue[2], **queue_end[2], *staged, **staged_end;
	size_t queue_bytes;
};

struct lines {
	struct line *first;
	size_t count;
	struct line **buckets; /* of the children, by route */
	struct line **keys;    /* of those that have a key, by key; the newest first */
};

void lines_init(struct lines *ls);
void lines_done(struct lines *ls);
struct line *lines_add(struct lines *ls,
                       const struct route *route); /* NULL: the line to the parent */
struct line *lines_find(const struct lines *ls, const struct route *route);
/* Once for each line of a child. */
void lines_set_key(struct lines *ls, struct line *l, const uint8_t link_key[32]);
/* The newest line of a key, and the one before it; NULL: no more. */
struct line *lines_of_key(const struct lines *ls, const uint8_t link_key[32]);
struct line *line_before(const struct line *l);
void lines_remove(struct lines *ls, struct line *l); /* frees it and its session */

void line_stage(struct line *l, struct session_actions *a); /* takes the frames */
void line_release(struct line *l);
void line_unstage(struct line *l);
/* Sends what goes.  SENT: nothing is left. */
enum transport_sent line_flush(struct line *l, struct transport *t);

#endif
