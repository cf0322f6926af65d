/*
 * test_transport.c - node/transport.c over real sockets on 127.0.0.1, ports chosen by the kernel.
 *
 * The transport is never mocked: what it promises is how libzmq 4.3.4 behaves with captive portals, wrong
 * keys, oversize frames and noise.  Every wait has an end.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base.h"

#include <cmocka.h>

#include "common/crypt.h"
#include "common/env.h"
#include "node/transport.h"

enum { WAIT_MS = 5000, HANDSHAKE_MS = 500, CONNECT_MS = 2000 };

struct machine {
	uint8_t public[32], secret[32];
	struct transport *t;
	struct arena a;
};

static void machine_up(struct machine *m, uint8_t seed_byte, uint32_t descriptors_max)
{
	uint8_t seed[32];
	struct error err = {0};
	struct transport_config c = {.link_public = m->public,
	                             .link_secret = m->secret,
	                             .handshake_ivl_ms = HANDSHAKE_MS,
	                             .connect_timeout_ms = CONNECT_MS,
	                             .descriptors_max = descriptors_max};

	memset(seed, seed_byte, sizeof(seed));
	link_keypair(seed, m->public, m->secret);
	arena_init(&m->a, 0);
	assert_int_equal(transport_new(&c, &m->t, &err), 0);
}

static void machine_down(struct machine *m)
{
	transport_free(m->t);
	arena_done(&m->a);
}

static void hub_up(struct machine *m, const char *endpoint)
{
	struct error err = {0};

	machine_up(m, 1, 0);
	assert_int_equal(transport_listen(m->t, endpoint, &err), 0);
	assert_true(transport_accepting(m->t));
}

static void node_connect(struct machine *node, const char *endpoint, const struct machine *hub)
{
	struct error err = {0};

	assert_int_equal(transport_connect(node->t, endpoint, hub->public, &err), 0);
}

/* Says it as soon as the link lets it. */
static bool say_up(struct machine *node, struct span frame, int64_t wait_ms)
{
	int64_t until = env_boot_ms() + wait_ms;

	while (env_boot_ms() < until) {
		struct transport_ready ready;

		transport_poll(node->t, 20, true, NULL, 0, &ready);
		if (ready.up_writable && transport_send(node->t, NULL, frame) == SENT) return true;
	}
	return false;
}

static bool hear_down(struct machine *hub, struct arrival *ret, int64_t wait_ms)
{
	int64_t until = env_boot_ms() + wait_ms;

	while (env_boot_ms() < until) {
		struct transport_ready ready;

		transport_poll(hub->t, 20, false, NULL, 0, &ready);
		if (ready.down && transport_recv_down(hub->t, &hub->a, ret)) return true;
	}
	return false;
}

static bool hear_up(struct machine *node, struct arrival *ret, int64_t wait_ms)
{
	int64_t until = env_boot_ms() + wait_ms;

	while (env_boot_ms() < until) {
		struct transport_ready ready;

		transport_poll(node->t, 20, false, NULL, 0, &ready);
		if (ready.up && transport_recv_up(node->t, &node->a, ret)) return true;
	}
	return false;
}

static bool cause_becomes(struct machine *node, enum transport_cause cause, int64_t wait_ms)
{
	int64_t until = env_boot_ms() + wait_ms;

	while (transport_cause(node->t) != cause && env_boot_ms() < until) {
		struct transport_ready ready;

		transport_poll(node->t, 20, false, NULL, 0, &ready);
	}
	return transport_cause(node->t) == cause;
}

static struct span text(const char *s)
{
	return span_of(s, strlen(s));
}

static void assert_frame(const struct arrival *a, const char *expected)
{
	assert_int_equal(a->frame.len, strlen(expected));
	assert_memory_equal(a->frame.p, expected, a->frame.len);
}

/* One word each way; gives the route. */
static struct route round_trip(struct machine *node, struct machine *hub)
{
	struct arrival a = {0};

	assert_true(say_up(node, text("hello"), WAIT_MS));
	assert_true(hear_down(hub, &a, WAIT_MS));
	assert_frame(&a, "hello");
	assert_memory_equal(a.link_key, node->public, 32);
	struct route from = a.from;
	assert_int_equal(transport_send(hub->t, &from, text("welcome")), SENT);
	assert_true(hear_up(node, &a, WAIT_MS));
	assert_frame(&a, "welcome");
	assert_memory_equal(a.link_key, hub->public, 32);
	return from;
}

/* ---- plain TCP, to play what a hub meets in the wild */

static int port_of(const char *endpoint)
{
	return (int)strtol(strrchr(endpoint, ':') + 1, NULL, 10);
}

static int tcp_listen(int *ret_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static int tcp_connect(int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	                         .sin_port = htons((uint16_t)port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

struct portal {
	pthread_t thread;
	int fd, port;
	_Atomic int served;
};

/* A login page: answers whatever comes with a redirect, then keeps the connection. */
static void *portal_run(void *p)
{
	static const char page[] = "HTTP/1.1 302 Found\r\nLocation: "
	                           "http://10.0.0.1/login\r\nContent-Length: 0\r\n\r\n";
	struct portal *w = p;
	int kept[16], count = 0;

	for (;;) {
		int fd = accept(w->fd, NULL, NULL);

		if (fd < 0) break;
		w->served++;
		(void)!send(fd, page, sizeof(page) - 1, MSG_NOSIGNAL);
		if (count < 16)
			kept[count++] = fd;
		else
			close(fd);
	}
	while (count) close(kept[--count]);
	return NULL;
}

static void portal_up(struct portal *w)
{
	w->served = 0;
	w->fd = tcp_listen(&w->port);
	assert_int_equal(pthread_create(&w->thread, NULL, portal_run, w), 0);
}

static void portal_down(struct portal *w)
{
	shutdown(w->fd, SHUT_RDWR);
	pthread_join(w->thread, NULL);
	close(w->fd);
}

/* ---- tests */

static void speaks_both_ways(void **state)
{
	struct machine hub, node;
	struct arrival a;
	uint8_t *big = mem_alloc(TRANSPORT_FRAME_MAX);

	(void)state;
	hub_up(&hub, "tcp://127.0.0.1:*");
	machine_up(&node, 2, 0);
	node_connect(&node, transport_endpoint(hub.t), &hub);
	round_trip(&node, &hub);
	assert_int_equal(transport_cause(node.t), CAUSE_READY);
	memset(big, 7, TRANSPORT_FRAME_MAX);
	assert_true(say_up(&node, span_of(big, TRANSPORT_FRAME_MAX), WAIT_MS));
	assert_true(hear_down(&hub, &a, WAIT_MS));
	assert_int_equal(a.frame.len, TRANSPORT_FRAME_MAX);
	assert_memory_equal(a.frame.p, big, TRANSPORT_FRAME_MAX);
	machine_down(&node);
	machine_down(&hub);
	free(big);
}

static void wrong_key_is_told_and_the_right_one_works(void **state)
{
	struct machine hub, other, node;
	struct arrival a;

	(void)state;
	hub_up(&hub, "tcp://127.0.0.1:*");
	machine_up(&other, 9, 0);
	machine_up(&node, 2, 0);
	node_connect(&node, transport_endpoint(hub.t), &other);
	assert_true(cause_becomes(&node, CAUSE_WRONG_KEY, WAIT_MS));
	assert_int_equal(transport_cause_error(transport_cause(node.t)), ERR_WRONG_KEY);
	assert_int_not_equal(transport_send(node.t, NULL, text("secret")), SENT);
	assert_false(hear_down(&hub, &a, 100));
	node_connect(&node, transport_endpoint(hub.t), &hub);
	round_trip(&node, &hub);
	machine_down(&node);
	machine_down(&other);
	machine_down(&hub);
}

static void nothing_there_is_unreachable(void **state)
{
	struct machine hub, node;
	char endpoint[64];
	int port, fd = tcp_listen(&port);

	(void)state;
	close(fd);
	snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%d", port);
	machine_up(&hub, 1, 0);
	machine_up(&node, 2, 0);
	node_connect(&node, endpoint, &hub);
	assert_false(say_up(&node, text("hello"), 300));
	assert_int_equal(transport_cause(node.t), CAUSE_UNREACHED);
	assert_int_equal(transport_cause_error(CAUSE_UNREACHED), ERR_UNREACHABLE);
	machine_down(&node);
	machine_down(&hub);
}

/* The measured trap: after a login page libzmq never tries again by itself, so the watchdog's rebuild is what recovers. */
static void captive_portal_is_survived(void **state)
{
	struct machine hub, node;
	struct portal portal;
	struct arrival a;
	char endpoint[64];

	(void)state;
	portal_up(&portal);
	snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%d", portal.port);
	machine_up(&node, 2, 0);
	machine_up(&hub, 1, 0);
	node_connect(&node, endpoint, &hub);
	(void)say_up(&node, text("hello"), 1500);
	assert_int_not_equal(transport_cause(node.t), CAUSE_READY);
	assert_int_not_equal(transport_cause(node.t), CAUSE_UNREACHED);
	assert_true(portal.served >= 1);
	portal_down(&portal);
	machine_down(&hub);
	hub_up(&hub, endpoint);
	/* Sends may "succeed", but nothing arrives. */
	(void)say_up(&node, text("hello"), 300);
	(void)hear_down(&hub, &a, 300);
	node_connect(&node, endpoint, &hub);
	round_trip(&node, &hub);
	machine_down(&node);
	machine_down(&hub);
}

/* A frame above the limit ends its sender's connection and nobody else's. */
static void oversize_frame_ends_its_sender_only(void **state)
{
	static const uint8_t command[] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f};
	struct machine hub, good;
	struct arrival a;
	uint8_t greeting[64] = {0}, got[256];
	struct timeval patience = {.tv_sec = 5};
	int fd;
	ssize_t n;

	(void)state;
	hub_up(&hub, "tcp://127.0.0.1:*");
	machine_up(&good, 2, 0);
	node_connect(&good, transport_endpoint(hub.t), &hub);
	struct route route = round_trip(&good, &hub);
	/* Not through our transport, which never makes one: a ZMTP 3.0 greeting, then a command of 2^50 bytes. */
	memcpy(greeting, command, sizeof(command));
	greeting[10] = 3;
	memcpy(greeting + 12, "CURVE", 5);
	fd = tcp_connect(port_of(transport_endpoint(hub.t)));
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(send(fd, greeting, sizeof(greeting), MSG_NOSIGNAL),
	                 (ssize_t)sizeof(greeting));
	static const uint8_t huge[] = {0x06, 0, 4, 0, 0, 0, 0, 0, 0, 1, 2, 3};
	assert_int_equal(send(fd, huge, sizeof(huge), MSG_NOSIGNAL), (ssize_t)sizeof(huge));
	do n = recv(fd, got, sizeof(got), 0);
	while (n > 0);
	assert_true(n == 0 || errno == ECONNRESET); /* closed by the hub, not by our patience */
	close(fd);
	assert_int_equal(transport_send(hub.t, &route, text("still there?")), SENT);
	assert_true(hear_up(&good, &a, WAIT_MS));
	assert_frame(&a, "still there?");
	machine_down(&good);
	machine_down(&hub);
}

static void noise_disturbs_nobody(void **state)
{
	struct machine hub, node;
	struct arrival a;
	uint8_t noise[4096];
	int fds[20];

	(void)state;
	hub_up(&hub, "tcp://127.0.0.1:*");
	machine_up(&node, 2, 0);
	node_connect(&node, transport_endpoint(hub.t), &hub);
	struct route route = round_trip(&node, &hub);
	for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
		fds[i] = tcp_connect(port_of(transport_endpoint(hub.t)));
		env_random(noise, sizeof(noise));
		if (i % 3 == 0) noise[0] = 0xff; /* a beginning that looks like ZMTP */
		if (i % 4) (void)!send(fds[i], noise, i % 2 ? 12 : sizeof(noise), MSG_NOSIGNAL);
	}
	assert_false(hear_down(&hub, &a, 300)); /* nothing of it came through */
	assert_int_equal(transport_send(hub.t, &route, text("one")), SENT);
	assert_true(hear_up(&node, &a, WAIT_MS));
	assert_true(say_up(&node, text("two"), WAIT_MS));
	assert_true(hear_down(&hub, &a, WAIT_MS));
	assert_frame(&a, "two");
	for (size_t i = 0; i < ARRAY_COUNT(fds); i++) close(fds[i]);
	machine_down(&node);
	machine_down(&hub);
}

static void gone_peer_is_told(void **state)
{
	struct machine hub, node;
	enum transport_sent sent = SENT;
	struct route nobody = {.len = 5, .id = {0, 1, 2, 3, 4}};
	int64_t until;

	(void)state;
	hub_up(&hub, "tcp://127.0.0.1:*");
	machine_up(&node, 2, 0);
	assert_int_equal(transport_send(node.t, NULL, text("x")), SENT_GONE);
	assert_int_equal(transport_send(hub.t, &nobody, text("x")), SENT_GONE);
	node_connect(&node, transport_endpoint(hub.t), &hub);
	struct route route = round_trip(&node, &hub);
	transport_disconnect(node.t, false);
	until = env_boot_ms() + WAIT_MS;
	while (sent != SENT_GONE && env_boot_ms() < until) {
		sent = transport_send(hub.t, &route, text("x"));
		env_sleep_ms(10);
	}
	assert_int_equal(sent, SENT_GONE);
	machine_down(&node);
	machine_down(&hub);
}

static void full_peer_is_told(void **state)
{
	struct machine hub, node;
	enum transport_sent sent = SENT;
	uint8_t *piece = mem_alloc(256 * 1024);
	unsigned taken = 0;

	(void)state;
	hub_up(&hub, "tcp://127.0.0.1:*");
	machine_up(&node, 2, 0);
	node_connect(&node, transport_endpoint(hub.t), &hub);
	struct route route = round_trip(&node, &hub);
	/* The node does not read: queues and TCP buffers fill, then it is said and nothing is lost. */
	for (; taken < 4000 && sent == SENT; taken++)
		sent = transport_send(hub.t, &route, span_of(piece, 256 * 1024));
	assert_int_equal(sent, SENT_FULL);
	taken--;
	for (unsigned i = 0; i < taken; i++) {
		struct arrival a;

		arena_reset(&node.a);
		assert_true(hear_up(&node, &a, WAIT_MS));
		assert_int_equal(a.frame.len, 256 * 1024);
	}
	machine_down(&node);
	machine_down(&hub);
	free(piece);
}

static void refused_key_and_held_door(void **state)
{
	struct machine hub, node;

	(void)state;
	hub_up(&hub, "tcp://127.0.0.1:*");
	machine_up(&node, 2, 0);
	transport_refuse(hub.t, node.public, true);
	node_connect(&node, transport_endpoint(hub.t), &hub);
	assert_true(cause_becomes(&node, CAUSE_DENIED, WAIT_MS));
	assert_int_equal(transport_cause_error(CAUSE_DENIED), ERR_REVOKED);
	transport_refuse(hub.t, node.public, false);
	transport_hold(hub.t, true);
	node_connect(&node, transport_endpoint(hub.t), &hub);
	assert_true(cause_becomes(&node, CAUSE_WRONG_KEY, WAIT_MS));
	transport_hold(hub.t, false); /* after 300 libzmq tries again by itself */
	round_trip(&node, &hub);
	machine_down(&node);
	machine_down(&hub);
}

static void broken_link_is_told(void **state)
{
	struct machine hub, node;
	struct transport_ready ready = {0};
	int64_t until;

	(void)state;
	hub_up(&hub, "tcp://127.0.0.1:*");
	machine_up(&node, 2, 0);
	node_connect(&node, transport_endpoint(hub.t), &hub);
	round_trip(&node, &hub);
	machine_down(&hub);
	until = env_boot_ms() + WAIT_MS;
	while (!ready.up_lost && env_boot_ms() < until)
		transport_poll(node.t, 20, false, NULL, 0, &ready);
	assert_true(ready.up_lost);
	machine_down(&node);
}

/* Above 90 % of its descriptors the hub stops accepting; who is in stays in; below 80 % it opens again. */
static void descriptors_are_watched(void **state)
{
	struct machine hub, node;
	struct error err = {0};
	struct arrival a;
	int fds[200], count = 0;
	int64_t until;

	(void)state;
	machine_up(&hub, 1, 200);
	assert_int_equal(transport_listen(hub.t, "tcp://127.0.0.1:*", &err), 0);
	machine_up(&node, 2, 0);
	node_connect(&node, transport_endpoint(hub.t), &hub);
	struct route route = round_trip(&node, &hub);
	while (count < 190) fds[count++] = dup(0);
	until = env_boot_ms() + WAIT_MS;
	while (transport_accepting(hub.t) && env_boot_ms() < until) (void)hear_down(&hub, &a, 50);
	assert_false(transport_accepting(hub.t));
	assert_int_equal(transport_send(hub.t, &route, text("stay")), SENT);
	assert_true(hear_up(&node, &a, WAIT_MS));
	assert_frame(&a, "stay");
	while (count) close(fds[--count]);
	until = env_boot_ms() + WAIT_MS;
	while (!transport_accepting(hub.t) && env_boot_ms() < until) (void)hear_down(&hub, &a, 50);
	assert_true(transport_accepting(hub.t));
	node_connect(&node, transport_endpoint(hub.t), &hub);
	round_trip(&node, &hub);
	machine_down(&node);
	machine_down(&hub);
}

static void taken_port_is_told(void **state)
{
	struct machine hub, second;
	struct error err = {0};

	(void)state;
	hub_up(&hub, "tcp://127.0.0.1:*");
	machine_up(&second, 3, 0);
	assert_int_equal(transport_listen(second.t, transport_endpoint(hub.t), &err), -ERR_CONFIG);
	assert_non_null(strstr(err.detail, transport_endpoint(hub.t)));
	machine_down(&second);
	machine_down(&hub);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(speaks_both_ways),
	        cmocka_unit_test(wrong_key_is_told_and_the_right_one_works),
	        cmocka_unit_test(nothing_there_is_unreachable),
	        cmocka_unit_test(captive_portal_is_survived),
	        cmocka_unit_test(oversize_frame_ends_its_sender_only),
	        cmocka_unit_test(noise_disturbs_nobody),
	        cmocka_unit_test(gone_peer_is_told),
	        cmocka_unit_test(full_peer_is_told),
	        cmocka_unit_test(refused_key_and_held_door),
	        cmocka_unit_test(broken_link_is_told),
	        cmocka_unit_test(descriptors_are_watched),
	        cmocka_unit_test(taken_port_is_told),
	};

	if (crypt_init()) return 1;
#ifdef __SANITIZE_THREAD__
	/* Filling every buffer of the system takes minutes where each access is watched. */
	cmocka_set_skip_filter("full_peer_is_told");
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
