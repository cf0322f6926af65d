/*
 * transport.h - frames over ZeroMQ 4.3.4 with CURVE: one DEALER towards the parent, one ROUTER for children.
 *
 * The only door to zmq.h.  It moves whole frames and says plainly what became of them; what they mean,
 * when to try again and who may speak is the caller's.  Nothing is queued here that matters: the
 * outbox is the database, so linger is 0, high-water marks are small, and a full or vanished peer is told.
 *
 * What libzmq 4.3.4 does not do, and the caller therefore must (architecture section 9): a DEALER that met a
 * captive portal, a proxy or a wrong mechanism never tries again while its sends succeed.  So a link
 * that has no WELCOME in time is connected anew (transport_connect makes a new socket each time).
 * One transport per process: it holds the one context.  Not thread-safe, but for its own ZAP thread.
 */
#ifndef NODE_TRANSPORT_H
#define NODE_TRANSPORT_H

#include "common/buf.h"
#include "common/error.h"

enum { ROUTE_BYTES_MAX = 15, TRANSPORT_FRAME_MAX = 324 * 1024, TRANSPORT_FDS = 4 };

struct transport;

/* A peer of the ROUTER: its automatic routing id; gone for good when its connection goes. */
struct route {
	uint8_t len, id[ROUTE_BYTES_MAX];
};

struct transport_config {
	const uint8_t *link_public, *link_secret; /* 32 bytes each; copied */
	uint32_t handshake_ivl_ms;
	uint32_t heartbeat_ms; /* 0: none */
	uint32_t connect_timeout_ms;
	uint32_t descriptors_max; /* 0: RLIMIT_NOFILE */
};

int transport_new(const struct transport_config *config, struct transport **ret, struct error *err);
void transport_free(struct transport *t); /* accepts NULL */

/* ---- towards children */

/* tcp://ADDRESS:PORT, PORT may be *.  -ERR_CONFIG when it cannot be bound (taken, not an address of this machine). */
int transport_listen(struct transport *t, const char *endpoint, struct error *err);
const char *transport_endpoint(const struct transport *t); /* the real one; "" before listening */
/* False while the descriptor watch has stopped accepting (above 90 % of the limit, until below 80 %). */
bool transport_accepting(const struct transport *t);
/* Keys that get 400 at the handshake: their clients never try again.  For revoked devices only. */
void transport_refuse(struct transport *t, const uint8_t link_key[32], bool refuse);
/* Everyone gets 300 at the handshake: the connection is cut, and they come again by themselves. */
void transport_hold(struct transport *t, bool hold);

/* ---- towards the parent */

/* Makes a new socket (dropping the one before) that speaks only to the owner of server_key. */
int transport_connect(struct transport *t, const char *endpoint, const uint8_t server_key[32],
                      struct error *err);
/* gently: gives what was sent 300 ms to leave. */
void transport_disconnect(struct transport *t, bool gently);

/* What the link to the parent has met since transport_connect, for a clear word to a person. */
enum transport_cause {
	CAUSE_UNREACHED, /* no TCP connection */
	CAUSE_SILENT,    /* connected; no CURVE handshake so far (a captive portal stays so) */
	CAUSE_WRONG_KEY, /* cut the handshake: it does not own server_key (or is held, or the network cuts) */
	CAUSE_WRONG_PEER, /* not a hub: another protocol or mechanism */
	CAUSE_DENIED,     /* our key is refused there */
	CAUSE_READY       /* handshake done */
};
enum transport_cause transport_cause(const struct transport *t);
const char *transport_cause_text(enum transport_cause c); /* English sentence part */
int transport_cause_error(
        enum transport_cause c); /* enum error_code for a session that did not come about */

/* ---- frames */

struct transport_ready {
	bool up, down;    /* frames wait from the parent, from children */
	bool up_writable; /* asked for by want_up: the handshake is done and there is room */
	bool up_lost;     /* the connection to the parent broke after the handshake */
	bool fd[TRANSPORT_FDS];
};
/* Waits at most timeout_ms (negative: without end) for frames and for fds to be readable.  Also watches descriptors. */
void transport_poll(struct transport *t, int64_t timeout_ms, bool want_up, const int *fds,
                    size_t fds_count, struct transport_ready *ret);

enum transport_sent {
	SENT = 0,
	SENT_FULL, /* no room now: keep the frame, try later (EAGAIN) */
	SENT_GONE /* the peer is not there any more (EHOSTUNREACH); for the parent: there is no link */
};
/* to NULL: the parent. */
enum transport_sent transport_send(struct transport *t, const struct route *to, struct span frame);

struct arrival {
	struct route from;    /* len 0: the parent */
	uint8_t link_key[32]; /* authenticated CURVE key of the sender */
	struct span frame;    /* in the arena */
};
/* One frame if one waits, never blocks.  Messages of more than one frame, and those without an authenticated key, are dropped. */
bool transport_recv_up(struct transport *t, struct arena *a, struct arrival *ret);
bool transport_recv_down(struct transport *t, struct arena *a, struct arrival *ret);

#endif
