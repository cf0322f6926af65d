/*
 * reactor.h - the loop of `run` and `sync`, of nodes and of hubs: one thread that owns the replica, drives
 * sessions over the transport, seals and applies.
 *
 *     poll -> begin -> step sessions with the frames at hand -> commit -> send -> apply (own transaction) -> pump
 *
 * Frames leave only after their transaction is durable.  Any error of the store: roll back, drop the
 * sessions (their peers come again), keep running, try again retry_ms later.
 * SIGTERM and SIGINT end it cleanly; they are blocked from reactor_run on and read by signalfd.
 */
#ifndef NODE_REACTOR_H
#define NODE_REACTOR_H

#include "node/place.h"
#include "proto/session.h"

/*
 * What a hub does with strangers: a MSG_JOIN came on a link with this CURVE key.  Called inside a write
 * transaction.  Appends the answer (MSG_JOINED or MSG_REFUSE) to be sent after the commit.  0, or -ERR_x of
 * the store (rolled back, no answer goes out: the stranger asks again).
 */
struct reactor_strangers {
	void *ctx;
	int (*join)(void *ctx, struct replica *r, const struct msg_join *m,
	            const uint8_t link_key[32], int64_t now_ms, struct buf *ret_answer);
};

enum reactor_phase {
	REACTOR_CONNECTING = 1,
	REACTOR_GREETING,
	REACTOR_SYNCING,
	REACTOR_APPLYING,
	REACTOR_WAITING,
	REACTOR_DONE
};

struct reactor_progress {
	enum reactor_phase phase;        /* of the link to the parent */
	struct session_progress session; /* with the parent */
	int64_t unapplied;               /* entries that wait here (once mode, while applying) */
	size_t children;                 /* open sessions with children */
	bool listening;
	const char *endpoint; /* where it listens; "" */
};

struct reactor_config {
	struct place *place; /* opened with PLACE_LINK; borrowed */
	bool once;           /* `sync`: one session with the parent, then return */
	bool no_listen;      /* hubs: do not listen though configured (sync) */
	uint32_t limit_ms;   /* once: give up after this long; 0: only the link's own timers */
	const struct reactor_strangers *strangers; /* hubs; NULL */
	void *ctx;
	/* At most five times a second, and at every change of phase; NULL: none. */
	void (*progress)(void *ctx, const struct reactor_progress *p);
	/* Something a person should read in the daemon's log, once per change: listening, store errors and their
	 * end, refusals, alarms.  NULL: none. */
	void (*note)(void *ctx, int code, const char *text);
	bool no_signals; /* tests: leave signals alone; ended by stop_fd */
	int stop_fd;     /* tests: readable means end; 0 or less: none */
};

struct reactor_result {
	struct session_progress session; /* the last session with the parent, as it ended */
	bool reached;                    /* there was a WELCOME */
	uint32_t retry_after_s;          /* the parent asked for it */
	int signal;                      /* ended by this signal; 0 */
};

/*
 * once: 0 when the session ended in good order (see ret->session.agreed, .idle), else -ERR_UNREACHABLE,
 * -ERR_WRONG_KEY, -ERR_VERSION, -ERR_REVOKED, or the code of the REFUSE; -ERR_NO_PARENT, -ERR_NOT_JOINED.
 * else: 0 when a signal ended it; an error only if it could not start (port taken, no keys).
 */
int reactor_run(const struct reactor_config *config, struct reactor_result *ret, struct error *err);

#endif
