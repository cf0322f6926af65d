/*
 * session.h - one session with one peer, sans-I/O: events in, actions out; both roles.
 *
 * The driver opens a write transaction (replica_begin), steps one or many sessions with the events it
 * has, commits, and only then sends the frames: so an acknowledgement is durable by construction.  After
 * a rollback every session that was stepped in that transaction is to be freed.  Applying is the driver's
 * too: when nothing urgent waits it calls replica_apply in a transaction of its own and then steps the
 * sessions with EVENT_PUMP.
 */
#ifndef PROTO_SESSION_H
#define PROTO_SESSION_H

#include "proto/message.h"
#include "proto/quota.h"
#include "proto/replica.h"

struct session;

enum session_state {
	SESSION_NEW,     /* child: HELLO not sent; parent: waits for HELLO */
	SESSION_GREETED, /* child: waits for WELCOME */
	SESSION_OPEN,
	SESSION_CLOSED
};

struct session_config {
	bool parent;            /* we are the parent's side */
	struct cert peer;       /* checked certificate of the peer (by its link key) */
	uint32_t credit_window; /* bytes of DATA that may be under way to us; 0: 1 MiB */
	uint32_t timeout_ms;    /* no WELCOME, or silence while waiting: close; 0: 30 s */
	const char *
	        endpoint; /* child that is a hub: where it is reached; NULL or "": not said; borrowed */
	struct quota quota; /* parent: what is taken of this child; zeros: no limits */
	bool stay; /* stays open after the work is done (daemons); else BYE when all is agreed or idle */
	uint32_t schema_version;             /* 0: the store's */
	uint16_t protocol_min, protocol_max; /* 0: this build's (tests) */
};

struct session *session_new(struct replica *r, const struct session_config *config);
void session_free(struct session *s); /* accepts NULL */

enum session_event_kind {
	EVENT_START, /* child: the link is up: say HELLO */
	EVENT_FRAME, /* a message came */
	EVENT_PUMP,  /* something was sealed, appended or applied: send what there is */
	EVENT_TIMER, /* due_ms has come */
	EVENT_END,   /* the person or program wants it ended: BYE */
	EVENT_YIELD  /* parent: another of this device takes its place; it comes again soon */
};
struct session_event {
	enum session_event_kind kind;
	int64_t now_ms; /* boot clock: monotonic */
	struct span frame;
};
enum { FRAME_CONTROL = 0, FRAME_BULK = 1 };
struct session_frame {
	struct buf bytes;
	uint8_t priority; /* control overtakes bulk */
};
struct session_actions {
	struct session_frame *frames; /* to send, in order within a priority */
	size_t count, room;
	int64_t due_ms; /* wants EVENT_TIMER then; 0: none */
	bool busy;      /* at work: due_ms is now, also where no frame was made */
	bool close;
	int code; /* why: enum error_code; 0: done */
	uint32_t retry_after_s;
};
void session_actions_done(struct session_actions *a);

/* Inside a transaction.  0, or -ERR_x of the store (roll back).  What a peer does wrong is not an error here:
 * it is answered (REFUSE), counted, and closes the session by the actions. */
int session_step(struct session *s, const struct session_event *e, struct session_actions *a);

struct session_progress {
	enum session_state state;
	uint64_t bytes_in, bytes_out;
	int64_t sent, acked, to_send; /* own journal positions: last sent, acknowledged, head */
	int64_t entries_in, entries_out;
	bool idle;               /* nothing left to send or to hear on this side */
	bool agreed;             /* last digests exchanged were equal, nothing since */
	int64_t clock_offset_ms; /* peer's clock minus ours */
	uint32_t round_trips;
	uint64_t peer_run;
	int refused_code; /* of a REFUSE that we got or sent */
};
void session_progress(const struct session *s, struct session_progress *ret);

#endif
