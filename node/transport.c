/*
 * transport.c - see transport.h.
 *
 * Settings and why (measured, lessons.md section 9): ROUTER_MANDATORY and DONTWAIT, or the ROUTER drops in
 * silence; no routing ids, a half-open TCP connection would lock them; IMMEDIATE, so that nothing is queued for
 * a link that is not there; MAXMSGSIZE ends the
 * connection of whoever sends more.
 * ZAP has a thread of its own: a handshake must not wait for a transaction of the engine.  The User-Id that it
 * sets is read from the payload frame; libzmq 4.3.4 loses it on the first frame after a poll.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base.h"

#include "node/transport.h"

#include <zmq.h>

#include "common/crypt.h"
#include "common/env.h"
#include "common/ident.h"
#include "node/door.h"

#define ZAP_ENDPOINT  "inproc://zeromq.zap.01"
#define STOP_ENDPOINT "inproc://jinguo.zap.stop"
#define ZAP_DOMAIN    "jinguo"

enum {
	KEY = 32,
	ROOM_MESSAGES = 64, /* high-water mark each way: a credit window of small frames */
	CURVE_BYTES = 1024, /* what CURVE adds (33 bytes), and room for its handshake */
	GENTLE_MS = 300,
	RECONNECT_MS = 1000, /* libzmq's own, within one try; the caller's watchdog owns the rest */
	NOTICE_MS = 1000,    /* that the door was shut is said within so long */
	ZAP_FRAMES = 8,
	ZAP_FRAME_MAX = 256
};

struct zap {
	pthread_t thread;
	bool running;
	void *socket, *stop_in, *stop_out;
	pthread_mutex_t lock; /* guards what follows: the thread reads, the owner writes */
	uint8_t (*refused)[KEY];
	size_t refused_count, refused_room;
	bool hold;
};

struct transport {
	void *context;
	struct transport_config config;
	uint8_t link_public[KEY], link_secret[KEY];
	struct zap zap;
	void *router;
	struct door *door; /* its descriptor is the router's, which closes it */
	char endpoint[256];
	uint32_t descriptors_max;
	void *dealer, *monitor;
	unsigned monitors; /* made so far: each has a name of its own */
	uint8_t server_key[KEY];
	enum transport_cause cause;
	bool lost;
};

static int fail(struct error *err, int code, const char *what)
{
	return error_set(err, code, "", "%s: %s", what, zmq_strerror(zmq_errno()));
}

static void set_int(void *socket, int option, int value)
{
	int rc = zmq_setsockopt(socket, option, &value, sizeof(value));

	assert(rc == 0); /* constants of ours on a socket of ours */
	(void)rc;
}

static void set_bytes(void *socket, int option, const void *p, size_t len)
{
	int rc = zmq_setsockopt(socket, option, p, len);

	assert(rc == 0);
	(void)rc;
}

/* ---- ZAP: who may connect */

static bool zap_is_refused(struct zap *z, const uint8_t key[KEY])
{
	for (size_t i = 0; i < z->refused_count; i++)
		if (!memcmp(z->refused[i], key, KEY)) return true;
	return false;
}

/* 200 come in, 300 come later, 400 never come again. */
static const char *zap_verdict(struct zap *z, bool curve, const uint8_t *key, size_t key_len)
{
	const char *status;

	if (!curve || key_len != KEY) return "400";
	pthread_mutex_lock(&z->lock);
	status = zap_is_refused(z, key) ? "400" : z->hold ? "300" : "200";
	pthread_mutex_unlock(&z->lock);
	return status;
}

static void zap_put(void *socket, const void *p, size_t len, bool more)
{
	(void)zmq_send(socket, p, len, more ? ZMQ_SNDMORE : 0);
}

static void zap_answer(struct zap *z)
{
	/* version, request id, domain, address, identity, mechanism, credentials */
	uint8_t frame[ZAP_FRAMES][ZAP_FRAME_MAX];
	size_t len[ZAP_FRAMES] = {0}, count = 0;
	char user[2 * KEY + 1] = "";
	const char *status;
	int more = 1;

	while (more) {
		size_t size = sizeof(more), at = count < ZAP_FRAMES ? count : ZAP_FRAMES - 1;
		int n = zmq_recv(z->socket, frame[at], ZAP_FRAME_MAX, 0);

		if (n < 0) return;
		len[at] = n < ZAP_FRAME_MAX ? (size_t)n : ZAP_FRAME_MAX;
		count++;
		if (zmq_getsockopt(z->socket, ZMQ_RCVMORE, &more, &size)) return;
	}
	status = zap_verdict(z, count == 7 && len[5] == 5 && !memcmp(frame[5], "CURVE", 5),
	                     frame[6], len[6]);
	if (status[0] == '2') hex_text(frame[6], KEY, user);
	zap_put(z->socket, "1.0", 3, true);
	zap_put(z->socket, frame[1], len[1], true);
	zap_put(z->socket, status, 3, true);
	zap_put(z->socket, "", 0, true);
	zap_put(z->socket, user, strlen(user), true);
	zap_put(z->socket, "", 0, false);
}

static void *zap_run(void *p)
{
	struct zap *z = p;
	zmq_pollitem_t items[] = {{z->socket, 0, ZMQ_POLLIN, 0}, {z->stop_out, 0, ZMQ_POLLIN, 0}};

	for (;;) {
		int n = zmq_poll(items, ARRAY_COUNT(items), -1);

		if (n < 0 && zmq_errno() == EINTR) continue;
		if (n < 0 || items[1].revents) break;
		if (items[0].revents) zap_answer(z);
	}
	return NULL;
}

static int zap_start(struct transport *t, struct error *err)
{
	struct zap *z = &t->zap;
	sigset_t all, before;
	int rc;

	if (z->running) return 0;
	z->socket = zmq_socket(t->context, ZMQ_REP);
	z->stop_out = zmq_socket(t->context, ZMQ_PAIR);
	z->stop_in = zmq_socket(t->context, ZMQ_PAIR);
	if (!z->socket || !z->stop_out || !z->stop_in)
		return fail(err, ERR_INTERNAL, "sockets of the gatekeeper");
	set_int(z->socket, ZMQ_LINGER, 0);
	set_int(z->stop_in, ZMQ_LINGER, 0);
	set_int(z->stop_out, ZMQ_LINGER, 0);
	if (zmq_bind(z->socket, ZAP_ENDPOINT) || zmq_bind(z->stop_out, STOP_ENDPOINT) ||
	    zmq_connect(z->stop_in, STOP_ENDPOINT))
		return fail(err, ERR_INTERNAL, "the gatekeeper");
	sigfillset(&all); /* signals are for the thread that reads them */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&z->thread, NULL, zap_run, z);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return error_set(err, ERR_INTERNAL, "", "no thread for the gatekeeper: %s",
		                 strerror(rc));
	z->running = true;
	return 0;
}

static void zap_stop(struct zap *z)
{
	if (z->running) {
		zap_put(z->stop_in, "", 0, false);
		pthread_join(z->thread, NULL);
	}
	if (z->socket) zmq_close(z->socket);
	if (z->stop_in) zmq_close(z->stop_in);
	if (z->stop_out) zmq_close(z->stop_out);
	free(z->refused);
}

void transport_refuse(struct transport *t, const uint8_t link_key[KEY], bool refuse)
{
	struct zap *z = &t->zap;

	pthread_mutex_lock(&z->lock);
	if (refuse && !zap_is_refused(z, link_key)) {
		if (z->refused_count == z->refused_room) {
			z->refused_room = z->refused_room ? 2 * z->refused_room : 16;
			z->refused = mem_grow(z->refused, z->refused_room * sizeof(*z->refused));
		}
		memcpy(z->refused[z->refused_count++], link_key, KEY);
	}
	for (size_t i = 0; !refuse && i < z->refused_count; i++)
		if (!memcmp(z->refused[i], link_key, KEY)) {
			memmove(z->refused[i], z->refused[z->refused_count - 1], KEY);
			z->refused_count--;
			break;
		}
	pthread_mutex_unlock(&z->lock);
}

void transport_hold(struct transport *t, bool hold)
{
	pthread_mutex_lock(&t->zap.lock);
	t->zap.hold = hold;
	pthread_mutex_unlock(&t->zap.lock);
}

/* ---- life */

static uint32_t descriptors_limit(uint32_t configured)
{
	struct rlimit limit;

	if (configured) return configured;
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > 1 << 24) return 1 << 24;
	return (uint32_t)limit.rlim_cur;
}

/* The soft limit is there for programs that use select(); a hub needs the hard one. */
static void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max) return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* what there was stays, and is watched */
}

int transport_new(const struct transport_config *config, struct transport **ret, struct error *err)
{
	struct transport *t = mem_alloc(sizeof(*t));

	t->context = zmq_ctx_new();
	if (!t->context) {
		int rc = fail(err, ERR_INTERNAL, "ZeroMQ");

		free(t);
		return rc;
	}
	t->config = *config;
	memcpy(t->link_public, config->link_public, KEY);
	memcpy(t->link_secret, config->link_secret, KEY);
	t->config.link_public = t->link_public;
	t->config.link_secret = t->link_secret;
	t->descriptors_max = descriptors_limit(config->descriptors_max);
	pthread_mutex_init(&t->zap.lock, NULL);
	*ret = t;
	return 0;
}

void transport_free(struct transport *t)
{
	if (!t) return;
	transport_disconnect(t, /* gently= */ true);
	door_close(t->door); /* before the router, which closes the descriptor */
	if (t->router) {
		set_int(t->router, ZMQ_LINGER,
		        GENTLE_MS); /* last answers (REFUSE, BYE) may leave */
		zmq_close(t->router);
	}
	zap_stop(&t->zap);
	zmq_ctx_term(t->context);
	pthread_mutex_destroy(&t->zap.lock);
	crypt_wipe(t->link_secret, KEY);
	free(t);
}

static void set_common(const struct transport *t, void *socket)
{
	int64_t frame_max = TRANSPORT_FRAME_MAX + CURVE_BYTES;

	set_int(socket, ZMQ_LINGER, 0);
	set_bytes(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof(frame_max));
	set_int(socket, ZMQ_SNDHWM, ROOM_MESSAGES);
	set_int(socket, ZMQ_RCVHWM, ROOM_MESSAGES);
	set_int(socket, ZMQ_HANDSHAKE_IVL, (int)t->config.handshake_ivl_ms);
	set_int(socket, ZMQ_TCP_KEEPALIVE, 1);
	set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, 120);
	set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, 30);
	set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, 4);
	set_int(socket, ZMQ_IPV6, 1);
	set_bytes(socket, ZMQ_CURVE_SECRETKEY, t->link_secret, KEY);
	if (t->config.heartbeat_ms) {
		set_int(socket, ZMQ_HEARTBEAT_IVL, (int)t->config.heartbeat_ms);
		set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, (int)t->config.heartbeat_ms);
	}
}

/* ---- towards children */

int transport_listen(struct transport *t, const char *endpoint, struct error *err)
{
	size_t len = sizeof(t->endpoint);
	int rc;

	assert(!t->router);
	if (!t->config.descriptors_max) {
		descriptors_raise();
		t->descriptors_max = descriptors_limit(0);
	}
	rc = zap_start(t, err);
	if (!rc) rc = door_open(endpoint, t->descriptors_max, &t->door, err);
	if (rc) return rc;
	t->router = zmq_socket(t->context, ZMQ_ROUTER);
	if (!t->router) {
		close(door_descriptor(t->door));
		return fail(err, ERR_INTERNAL, "the listening socket");
	}
	set_common(t, t->router);
	set_int(t->router, ZMQ_ROUTER_MANDATORY, 1);
	set_int(t->router, ZMQ_USE_FD, door_descriptor(t->door));
	set_int(t->router, ZMQ_CURVE_SERVER, 1);
	set_bytes(t->router, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN));
	if (zmq_bind(t->router, endpoint)) {
		rc = error_set(err, ERR_CONFIG, "link.listen", "cannot listen at %s: %s", endpoint,
		               zmq_strerror(zmq_errno()));
		door_close(t->door);
		t->door = NULL;
		zmq_close(t->router);
		t->router = NULL;
		return rc;
	}
	if (zmq_getsockopt(t->router, ZMQ_LAST_ENDPOINT, t->endpoint, &len))
		snprintf(t->endpoint, sizeof(t->endpoint), "%s", endpoint);
	return 0;
}

const char *transport_endpoint(const struct transport *t)
{
	return t->endpoint;
}

bool transport_accepting(const struct transport *t)
{
	return t->door && door_accepting(t->door);
}

/* ---- towards the parent */

static int monitor_start(struct transport *t, struct error *err)
{
	char name[64];
	int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
	             ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
	             ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

	snprintf(name, sizeof(name), "inproc://jinguo.link.%u", t->monitors++);
	if (zmq_socket_monitor(t->dealer, name, events))
		return fail(err, ERR_INTERNAL, "the watch on the link");
	t->monitor = zmq_socket(t->context, ZMQ_PAIR);
	if (!t->monitor) return fail(err, ERR_INTERNAL, "the watch on the link");
	set_int(t->monitor, ZMQ_LINGER, 0);
	if (zmq_connect(t->monitor, name)) return fail(err, ERR_INTERNAL, "the watch on the link");
	return 0;
}

int transport_connect(struct transport *t, const char *endpoint, const uint8_t server_key[KEY],
                      struct error *err)
{
	int rc;

	transport_disconnect(t, /* gently= */ false);
	t->dealer = zmq_socket(t->context, ZMQ_DEALER);
	if (!t->dealer) return fail(err, ERR_INTERNAL, "the socket of the link");
	set_common(t, t->dealer);
	set_int(t->dealer, ZMQ_IMMEDIATE, 1);
	set_int(t->dealer, ZMQ_CONNECT_TIMEOUT, (int)t->config.connect_timeout_ms);
	set_int(t->dealer, ZMQ_RECONNECT_IVL, RECONNECT_MS);
	set_bytes(t->dealer, ZMQ_CURVE_PUBLICKEY, t->link_public, KEY);
	set_bytes(t->dealer, ZMQ_CURVE_SERVERKEY, server_key, KEY);
	if (t->config.heartbeat_ms) {
		uint32_t ttl = t->config.heartbeat_ms * 2;

		set_int(t->dealer, ZMQ_HEARTBEAT_TTL, ttl < 6000000 ? (int)ttl : 6000000);
	}
	memcpy(t->server_key, server_key, KEY);
	rc = monitor_start(t, err);
	if (!rc && zmq_connect(t->dealer, endpoint))
		rc = error_set(err, ERR_CONFIG, "link.parent", "%s: %s", endpoint,
		               zmq_strerror(zmq_errno()));
	if (rc) transport_disconnect(t, /* gently= */ false);
	return rc;
}

void transport_disconnect(struct transport *t, bool gently)
{
	if (t->monitor) {
		(void)zmq_socket_monitor(t->dealer, NULL, 0);
		zmq_close(t->monitor);
	}
	if (t->dealer) {
		set_int(t->dealer, ZMQ_LINGER, gently ? GENTLE_MS : 0);
		zmq_close(t->dealer);
	}
	t->dealer = t->monitor = NULL;
	t->cause = CAUSE_UNREACHED;
	t->lost = false;
}

enum transport_cause transport_cause(const struct transport *t)
{
	return t->cause;
}

const char *transport_cause_text(enum transport_cause c)
{
	switch (c) {
	case CAUSE_UNREACHED:
		return "no connection: the network, the address or the other machine is down";
	case CAUSE_SILENT:
		return "something answers there, but not a hub: a login page or a proxy of the "
		       "network?";
	case CAUSE_WRONG_KEY:
		return "the other side cut the handshake: it does not have the key that the "
		       "invitation names";
	case CAUSE_WRONG_PEER:
		return "something else than a hub listens there";
	case CAUSE_DENIED:
		return "this computer's key is refused there";
	case CAUSE_READY:
		return "connected, but no answer came";
	}
	return "";
}

int transport_cause_error(enum transport_cause c)
{
	switch (c) {
	case CAUSE_WRONG_KEY:
	case CAUSE_WRONG_PEER:
		return ERR_WRONG_KEY;
	case CAUSE_DENIED:
		return ERR_REVOKED;
	case CAUSE_UNREACHED:
	case CAUSE_SILENT:
	case CAUSE_READY:
		break;
	}
	return ERR_UNREACHABLE;
}

static enum transport_cause cause_of_protocol(uint32_t value)
{
	return value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC ||
	                       value == ZMQ_PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE
	               ? CAUSE_WRONG_KEY
	               : CAUSE_WRONG_PEER;
}

static void monitor_event(struct transport *t, uint16_t event, uint32_t value)
{
	switch (event) {
	case ZMQ_EVENT_CONNECTED:
		if (t->cause == CAUSE_UNREACHED) t->cause = CAUSE_SILENT;
		break;
	case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
		t->cause = CAUSE_READY;
		break;
	case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
		t->cause = CAUSE_WRONG_KEY;
		break;
	case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
		t->cause = cause_of_protocol(value);
		break;
	case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
		t->cause =
		        CAUSE_DENIED; /* 400; after 300 the hub just cuts, which comes as NO_DETAIL */
		break;
	case ZMQ_EVENT_DISCONNECTED:
		if (t->cause == CAUSE_READY) t->lost = true;
		break;
	default:
		break;
	}
}

static void monitor_read(struct transport *t)
{
	for (;;) {
		uint8_t head[6];
		char address[256];
		uint16_t event;
		uint32_t value;
		int n = zmq_recv(t->monitor, head, sizeof(head), ZMQ_DONTWAIT);

		if (n < 0) return;
		(void)zmq_recv(t->monitor, address, sizeof(address), ZMQ_DONTWAIT);
		if (n != (int)sizeof(head)) continue;
		memcpy(&event, head, sizeof(event)); /* host order: libzmq's own memory */
		memcpy(&value, head + 2, sizeof(value));
		monitor_event(t, event, value);
	}
}

/* ---- frames */

void transport_poll(struct transport *t, int64_t timeout_ms, bool want_up, const int *fds,
                    size_t fds_count, struct transport_ready *ret)
{
	zmq_pollitem_t items[TRANSPORT_FDS + 3];
	int count = 0, router = -1, dealer = -1, monitor = -1, first;

	assert(fds_count <= TRANSPORT_FDS);
	memset(ret, 0, sizeof(*ret));
	if (t->router && (timeout_ms < 0 || timeout_ms > NOTICE_MS)) timeout_ms = NOTICE_MS;
	if (t->router) items[router = count++] = (zmq_pollitem_t){t->router, 0, ZMQ_POLLIN, 0};
	if (t->dealer) {
		short events = want_up ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN;

		items[dealer = count++] = (zmq_pollitem_t){t->dealer, 0, events, 0};
		items[monitor = count++] = (zmq_pollitem_t){t->monitor, 0, ZMQ_POLLIN, 0};
	}
	first = count;
	for (size_t i = 0; i < fds_count; i++)
		items[count++] = (zmq_pollitem_t){NULL, fds[i], ZMQ_POLLIN, 0};
	if (zmq_poll(items, count, (long)timeout_ms) < 0)
		return; /* a signal: the caller looks at its descriptors next time */
	if (router >= 0) ret->down = (items[router].revents & ZMQ_POLLIN) != 0;
	if (dealer >= 0) {
		if (items[monitor].revents & ZMQ_POLLIN) monitor_read(t);
		ret->up = (items[dealer].revents & ZMQ_POLLIN) != 0;
		ret->up_writable = (items[dealer].revents & ZMQ_POLLOUT) != 0;
		ret->up_lost = t->lost;
	}
	for (size_t i = 0; i < fds_count; i++) ret->fd[i] = items[(size_t)first + i].revents != 0;
}

enum transport_sent transport_send(struct transport *t, const struct route *to, struct span frame)
{
	void *socket = to ? t->router : t->dealer;
	int rc = 0;

	assert(frame.len <= TRANSPORT_FRAME_MAX);
	if (!socket) return SENT_GONE;
	/* The first part finds the peer and its room; when it is taken the rest cannot fail for want of it. */
	if (to) rc = zmq_send(socket, to->id, to->len, ZMQ_DONTWAIT | ZMQ_SNDMORE);
	if (rc >= 0) rc = zmq_send(socket, frame.p, frame.len, ZMQ_DONTWAIT);
	if (rc >= 0) return SENT;
	return zmq_errno() == EAGAIN || zmq_errno() == EINTR ? SENT_FULL : SENT_GONE;
}

static bool key_of(zmq_msg_t *m, uint8_t ret_key[KEY])
{
	const char *user = zmq_msg_gets(m, "User-Id");

	return user && strlen(user) == 2 * (size_t)KEY && hex_parse(user, ret_key, KEY);
}

/* The rest of a message that is not ours to understand. */
static void drain(void *socket, zmq_msg_t *m)
{
	while (zmq_msg_more(m))
		if (zmq_msg_recv(m, socket, ZMQ_DONTWAIT) < 0) return;
}

static bool frame_take(zmq_msg_t *m, struct arena *a, struct span *ret)
{
	size_t len = zmq_msg_size(m);
	uint8_t *p = arena_take(a, len ? len : 1);

	if (!p || len > TRANSPORT_FRAME_MAX) return false;
	if (len) memcpy(p, zmq_msg_data(m), len);
	*ret = span_of(p, len);
	return true;
}

bool transport_recv_up(struct transport *t, struct arena *a, struct arrival *ret)
{
	zmq_msg_t m;
	bool got = false;

	memset(ret, 0, sizeof(*ret));
	if (!t->dealer) return false;
	memcpy(ret->link_key, t->server_key, KEY);
	zmq_msg_init(&m);
	while (!got && zmq_msg_recv(&m, t->dealer, ZMQ_DONTWAIT) >= 0) {
		if (zmq_msg_more(&m))
			drain(t->dealer, &m);
		else
			got = frame_take(&m, a, &ret->frame);
	}
	zmq_msg_close(&m);
	return got;
}

/* One message of the ROUTER: routing id, payload.  False: none waits; *ret_good false: dropped. */
static bool router_take(struct transport *t, zmq_msg_t *m, struct arena *a, struct arrival *ret,
                        bool *ret_good)
{
	size_t len;

	*ret_good = false;
	if (zmq_msg_recv(m, t->router, ZMQ_DONTWAIT) < 0) return false;
	len = zmq_msg_size(m);
	if (!zmq_msg_more(m) || len > ROUTE_BYTES_MAX) {
		drain(t->router, m);
		return true;
	}
	ret->from.len = (uint8_t)len;
	memcpy(ret->from.id, zmq_msg_data(m), len);
	if (zmq_msg_recv(m, t->router, ZMQ_DONTWAIT) < 0) return true;
	if (zmq_msg_more(m))
		drain(t->router, m);
	else
		*ret_good = key_of(m, ret->link_key) && frame_take(m, a, &ret->frame);
	return true;
}

bool transport_recv_down(struct transport *t, struct arena *a, struct arrival *ret)
{
	zmq_msg_t m;
	bool good = false;

	memset(ret, 0, sizeof(*ret));
	if (!t->router) return false;
	zmq_msg_init(&m);
	while (!good && router_take(t, &m, a, ret, &good)) {
	}
	zmq_msg_close(&m);
	return good;
}
