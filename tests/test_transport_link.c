/*
 * test_transport_link.c - the loops of a hub and of a node (node/reactor.c), real libzmq, real files, and a bad network
 * between them (architecture section 9): login pages, wrong mechanisms, refused keys, stalled and half-open
 * links, a crowd of 500 after a restart.  Timers are short by configuration; every wait has an end, and what is
 * counted is attempts and frames, never time.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base.h"

#include <cmocka.h>
#include <sqlite3.h>
#include <zmq.h>

#include "common/crypt.h"
#include "common/env.h"
#include "hub/enrol.h"
#include "hub/judge.h"
#include "node/reactor.h"
#include "node/transport.h"
#include "proto/message.h"
#include "tests/support/found.h"
#include "tests/support/scratch.h"

enum { WAIT_MS = 20000, PAIRS = 32 };

/* ---- the network: a port of its own in front of the hub's */

enum front_mode {
	FRONT_FORWARD,
	FRONT_PORTAL, /* answers whatever comes with a login page */
	FRONT_NULL,   /* speaks ZMTP, with the mechanism NULL */
	FRONT_DUMB,   /* accepts and says nothing */
	FRONT_HOLE,   /* what was open stays open, and nothing passes any more */
	FRONT_DEAF    /* nothing comes back from the hub */
};

struct front {
	pthread_t thread;
	int fd, port, stop;
	_Atomic int mode, hub_port, accepted, near_closed, far_closed;
	int near[PAIRS], far[PAIRS]; /* -1: none */
};

static int tcp_listen(int *ret_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 8192;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
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
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 8192;

	if (fd < 0) return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (!connect(fd, (struct sockaddr *)&at, sizeof(at))) return fd;
	close(fd);
	return -1;
}

static void front_drop(struct front *f, int i)
{
	if (f->near[i] >= 0) close(f->near[i]);
	if (f->far[i] >= 0) close(f->far[i]);
	f->near[i] = f->far[i] = -1;
}

static void front_accept(struct front *f)
{
	static const char page[] = "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/login\r\n"
	                           "Content-Length: 0\r\n\r\n";
	uint8_t greeting[64] = {0xff, [8] = 1, [9] = 0x7f, [10] = 3, [12] = 'N', 'U', 'L', 'L'};
	int fd = accept(f->fd, NULL, NULL), i = 0;

	if (fd < 0) return;
	f->accepted++;
	while (i < PAIRS && f->near[i] >= 0) i++;
	if (i == PAIRS) front_drop(f, i = 0);
	f->near[i] = fd;
	if (f->mode == FRONT_PORTAL) (void)!send(fd, page, sizeof(page) - 1, MSG_NOSIGNAL);
	if (f->mode == FRONT_NULL) (void)!send(fd, greeting, sizeof(greeting), MSG_NOSIGNAL);
	if (f->mode != FRONT_FORWARD && f->mode != FRONT_DEAF) return;
	f->far[i] = tcp_connect(f->hub_port);
	if (f->far[i] < 0) front_drop(f, i);
}

/* False: that side has hung up. */
static bool front_carry(int from, int to)
{
	uint8_t bytes[8192];
	ssize_t n = recv(from, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
	if (n <= 0) return false;
	for (ssize_t at = 0; at < n;) {
		ssize_t sent = send(to, bytes + at, (size_t)(n - at), MSG_NOSIGNAL);

		if (sent <= 0) return false;
		at += sent;
	}
	return true;
}

static void front_hung_up(int *fd, _Atomic int *count)
{
	if (*fd < 0) return;
	close(*fd);
	*fd = -2;
	++*count;
}

static void front_pair(struct front *f, int i, const struct pollfd *near, const struct pollfd *far)
{
	bool passes = f->mode == FRONT_FORWARD || f->mode == FRONT_DEAF;
	short gone = POLLRDHUP | POLLHUP | POLLERR;

	if (f->far[i] == -1) { /* we play the other side: hears all, and keeps the connection */
		uint8_t bytes[512];
		if (near->revents & POLLIN &&
		    recv(f->near[i], bytes, sizeof(bytes), MSG_DONTWAIT) == 0)
			front_drop(f, i);
		return;
	}
	if (!passes) { /* a half-open link: who hangs up is seen by us alone */
		if (near->revents & gone) front_hung_up(&f->near[i], &f->near_closed);
		if (far->revents & gone) front_hung_up(&f->far[i], &f->far_closed);
		return;
	}
	if (near->revents && !front_carry(f->near[i], f->far[i])) {
		front_drop(f, i);
		return;
	}
	if (far->revents && f->mode != FRONT_DEAF && !front_carry(f->far[i], f->near[i]))
		front_drop(f, i);
}

static void *front_run(void *p)
{
	struct front *f = p;

	for (;;) {
		struct pollfd fds[2 + 2 * PAIRS] = {{f->fd, POLLIN, 0}, {f->stop, POLLIN, 0}};
		int mode = f->mode;

		for (int i = 0; i < PAIRS; i++) {
			short end = POLLRDHUP, in = POLLIN | POLLRDHUP;

			if (mode == FRONT_HOLE && f->far[i] >= 0) in = end;
			fds[2 + 2 * i] = (struct pollfd){f->near[i], in, 0};
			fds[3 + 2 * i] = (struct pollfd){f->far[i], in, 0};
			if (mode == FRONT_DEAF) fds[3 + 2 * i].events = 0;
		}
		if (poll(fds, ARRAY_COUNT(fds), 20) < 0 && errno != EINTR) break;
		if (fds[1].revents) break;
		for (int i = 0; i < PAIRS; i++) {
			if (f->mode == FRONT_FORWARD && (f->near[i] == -2 || f->far[i] == -2))
				front_drop(f, i);
			if (f->near[i] != -1 || f->far[i] != -1)
				front_pair(f, i, &fds[2 + 2 * i], &fds[3 + 2 * i]);
		}
		if (fds[0].revents) front_accept(f);
	}
	for (int i = 0; i < PAIRS; i++) front_drop(f, i);
	return NULL;
}

static void front_up(struct front *f, enum front_mode mode)
{
	memset(f, 0, sizeof(*f));
	f->mode = (int)mode;
	for (int i = 0; i < PAIRS; i++) f->near[i] = f->far[i] = -1;
	f->fd = tcp_listen(&f->port);
	f->stop = eventfd(0, EFD_CLOEXEC);
	assert_true(f->stop >= 0);
	assert_int_equal(pthread_create(&f->thread, NULL, front_run, f), 0);
}

static void front_down(struct front *f)
{
	uint64_t one = 1;

	assert_int_equal(write(f->stop, &one, sizeof(one)), (ssize_t)sizeof(one));
	pthread_join(f->thread, NULL);
	close(f->stop);
	close(f->fd);
}

/* ---- a machine: a data directory and its loop */

struct machine {
	char dir[64];
	struct place *place;
	struct judging judging;
	struct judge judge;
	struct enrol *enrol;
	struct reactor_config c;
	struct reactor_result result;
	struct error err;
	pthread_t thread;
	int stop, rc;
	bool running;
	_Atomic int phase, children, listening, connected, port;
	_Atomic int code; /* of the last thing noted that has one */
};

static void on_progress(void *ctx, const struct reactor_progress *p)
{
	struct machine *m = ctx;
	const char *colon = strrchr(p->endpoint, ':');

	if ((int)p->phase == REACTOR_SYNCING && m->phase != REACTOR_SYNCING) m->connected++;
	m->phase = (int)p->phase;
	m->children = (int)p->children;
	m->listening = p->listening;
	m->port = colon ? (int)strtol(colon + 1, NULL, 10) : 0;
}

static void on_note(void *ctx, int code, const char *text)
{
	struct machine *m = ctx;

	(void)text;
	if (code) m->code = code;
}

static void *machine_run(void *p)
{
	struct machine *m = p;

	m->rc = reactor_run(&m->c, &m->result, &m->err);
	return NULL;
}

static void machine_start(struct machine *m)
{
	m->phase = m->children = m->connected = m->code = 0;
	m->stop = eventfd(0, EFD_CLOEXEC);
	assert_true(m->stop >= 0);
	m->c = (struct reactor_config){.place = m->place,
	                               .ctx = m,
	                               .progress = on_progress,
	                               .note = on_note,
	                               .strangers = m->enrol ? enrol_strangers(m->enrol) : NULL,
	                               .no_signals = true,
	                               .stop_fd = m->stop};
	assert_int_equal(pthread_create(&m->thread, NULL, machine_run, m), 0);
	m->running = true;
}

static void machine_stop(struct machine *m)
{
	uint64_t one = 1;

	if (!m->running) return;
	assert_int_equal(write(m->stop, &one, sizeof(one)), (ssize_t)sizeof(one));
	pthread_join(m->thread, NULL);
	close(m->stop);
	m->running = false;
	assert_int_equal(m->rc, 0);
}

/* In the file, which the loop reads again. */
static void setting(struct machine *m, const char *key, const char *value)
{
	struct error err = {0};

	assert_int_equal(place_config_set(m->place, key, value, &err), 0);
}

static void machine_make(struct machine *m, bool hub)
{
	static const char *const timers[][2] = {
	        {"link.connect_timeout_ms", "400"}, {"link.welcome_timeout_ms", "1500"},
	        {"link.backoff_min_ms", "50"},      {"link.backoff_max_ms", "200"},
	        {"link.handshake_ivl_ms", "5000"},  {"sync.seal_ms", "20"},
	        {"sync.correct_ms", "20"},          {"sync.retry_ms", "50"},
	};
	struct error err = {0};

	memset(m, 0, sizeof(*m));
	scratch_make("/tmp", "link", m->dir, sizeof(m->dir));
	assert_int_equal(place_init(m->dir, &err), 0);
	judge_init(&m->judging, &m->judge);
	assert_int_equal(place_open(m->dir, PLACE_LINK, hub ? &m->judge : NULL, &m->place, &err),
	                 0);
	for (size_t i = 0; i < ARRAY_COUNT(timers); i++) setting(m, timers[i][0], timers[i][1]);
	if (!hub) return;
	setting(m, "link.listen", "tcp://127.0.0.1:*");
	m->enrol = enrol_new(m->place);
}

static void machine_remove(struct machine *m)
{
	machine_stop(m);
	enrol_free(m->enrol);
	place_close(m->place);
	assert_int_equal(scratch_remove(m->dir), 0);
}

/* ---- a hub, a node that has joined it, and the network between them */

struct scene {
	struct machine hub, node;
	struct front front;
	uint8_t unit[16]; /* of the node */
	int64_t written;
};

static struct field_write said(const char *table, const char *field, struct value v)
{
	const struct field *f =
	        table_field_named(schema_table_named(&schema_current, table), field);

	assert_non_null(f);
	return (struct field_write){f, v};
}

static int insert(struct replica *r, const char *table, const struct field_write *f, size_t count,
                  const uint8_t *scope, uint8_t ret_row[16])
{
	static const uint8_t author[8] = {1};
	struct write w = {.kind = WRITE_INSERT,
	                  .table = schema_table_named(&schema_current, table),
	                  .fields = f,
	                  .fields_count = count};
	int rc;

	if (scope) memcpy(w.scope, scope, 16);
	rc = replica_write(r, &w, 1, /* whole= */ false, author);
	if (!rc && ret_row) memcpy(ret_row, w.row, 16);
	return rc;
}

static void unit_make(struct machine *hub, const uint8_t parent[16], uint8_t ret[16])
{
	struct field_write f[] = {
	        said("org_unit", "code", value_text("350104001003")),
	        said("org_unit", "level", value_int(LEVEL_COMMUNITY)),
	        said("org_unit", "name", value_text("测试社区")),
	        said("org_unit", "parent", value_bytes(parent, 16)),
	};

	assert_int_equal(replica_begin(hub->place->replica), 0);
	assert_int_equal(insert(hub->place->replica, "org_unit", f, ARRAY_COUNT(f), NULL, ret), 0);
	assert_int_equal(replica_commit(hub->place->replica), 0);
}

static void certify(struct machine *hub, const uint8_t unit[16], const uint8_t origin_key[32],
                    const uint8_t link_key[32], struct buf *out, struct cert *ret)
{
	const struct cert *issuer = replica_cert(hub->place->replica);
	struct error err = {0};

	*ret = (struct cert){.role = CERT_NODE,
	                     .level = LEVEL_COMMUNITY,
	                     .lanes = issuer->lanes & 3,
	                     .not_before_ms = issuer->not_before_ms,
	                     .not_after_ms = issuer->not_after_ms};
	memcpy(ret->origin_key, origin_key, 32);
	memcpy(ret->link_key, link_key, 32);
	memcpy(ret->unit, unit, 16);
	memcpy(ret->issuer, issuer->id, 16);
	assert_int_equal(cert_make(ret, hub->place->identity.sign_secret, out, &err), 0);
}

static void join(struct scene *s)
{
	struct cert_row *rows;
	struct span chain[3] = {0};
	struct cert own, c;
	uint8_t fingerprint[32];
	struct arena a;
	struct buf b;
	size_t n;

	arena_init(&a, 0);
	buf_init(&b, CERT_BYTES_MAX);
	certify(&s->hub, s->unit, s->node.place->identity.sign_public,
	        s->node.place->identity.link_public, &b, &own);
	assert_int_equal(replica_begin(s->hub.place->replica), 0);
	assert_int_equal(replica_enrol(s->hub.place->replica, buf_span(&b)), 0);
	assert_int_equal(replica_commit(s->hub.place->replica), 0);
	assert_int_equal(store_certs(s->hub.place->store, &a, &rows, &n), 0);
	chain[0] = buf_span(&b);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(cert_open(rows[i].body, &c, NULL), 0);
		if (c.role == CERT_HUB) chain[1] = rows[i].body;
		if (c.role != CERT_ROOT) continue;
		chain[2] = rows[i].body;
		cert_fingerprint(c.origin_key, fingerprint);
	}
	assert_true(chain[1].len && chain[2].len);
	assert_int_equal(replica_begin(s->node.place->replica), 0);
	assert_int_equal(replica_join(s->node.place->replica, chain, 3, fingerprint), 0);
	assert_int_equal(replica_commit(s->node.place->replica), 0);
	buf_done(&b);
	arena_done(&a);
}

/* On the heap: a test that fails leaves its threads behind. */
static struct scene *scene_up(enum front_mode mode)
{
	struct scene *s = mem_alloc(sizeof(*s));
	char endpoint[64];
	uint8_t top[16];

	machine_make(&s->hub, true);
	machine_make(&s->node, false);
	assert_int_equal(found(s->hub.place, "350104000000", "测试县", top), 0);
	unit_make(&s->hub, top, s->unit);
	join(s);
	front_up(&s->front, mode);
	snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%d", s->front.port);
	setting(&s->node, "link.parent", endpoint);
	return s;
}

static bool becomes(_Atomic int *what, int least)
{
	int64_t until = env_boot_ms() + WAIT_MS;

	while (*what < least && env_boot_ms() < until) env_sleep_ms(5);
	return *what >= least;
}

static bool falls(_Atomic int *what, int most)
{
	int64_t until = env_boot_ms() + WAIT_MS;

	while (*what > most && env_boot_ms() < until) env_sleep_ms(5);
	return *what <= most;
}

static void hub_start(struct scene *s)
{
	machine_start(&s->hub);
	assert_true(becomes(&s->hub.port, 1));
	s->front.hub_port = s->hub.port;
}

/* Ends it, and it will listen at the same port again. */
static void hub_stop(struct scene *s)
{
	char endpoint[64];

	machine_stop(&s->hub);
	snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%d", (int)s->hub.port);
	setting(&s->hub, "link.listen", endpoint);
}

static void scene_down(struct scene *s)
{
	machine_stop(&s->node);
	machine_stop(&s->hub);
	front_down(&s->front);
	machine_remove(&s->node);
	machine_remove(&s->hub);
	free(s);
}

/* Records, each sealed alone, by another open place of the same directory: as a command beside the daemon. */
static void record(struct machine *m, const uint8_t *scope, unsigned count)
{
	struct place *beside;
	struct error err = {0};
	struct judging judging;
	struct judge judge;

	judge_init(&judging, &judge);
	assert_int_equal(place_open(m->dir, 0, m->enrol ? &judge : NULL, &beside, &err), 0);
	for (unsigned i = 0; i < count; i++) {
		char title[96];
		bool sealed;
		uint8_t noise[90];

		env_random(noise, sizeof(noise));
		for (size_t k = 0; k < sizeof(noise); k++) title[k] = (char)('a' + noise[k] % 26);
		title[sizeof(noise)] =
		        0; /* letters: what looks like a number of a person is refused */
		struct field_write f[] = {said("activity", "title", value_text(title)),
		                          said("activity", "act", value_text("D1")),
		                          said("activity", "start", value_int(1700000000000)),
		                          said("activity", "astat", value_text("draft"))};
		assert_int_equal(replica_begin(beside->replica), 0);
		assert_int_equal(
		        insert(beside->replica, "activity", f, ARRAY_COUNT(f), scope, NULL), 0);
		assert_int_equal(replica_seal(beside->replica, &sealed), 0);
		assert_int_equal(replica_commit(beside->replica), 0);
	}
	place_close(beside);
}

/* How many activities that machine shows, by sqlite alone. */
static int64_t activities(const struct machine *m)
{
	char path[96];
	sqlite3 *db = NULL;
	sqlite3_stmt *q = NULL;
	int64_t n;

	snprintf(path, sizeof(path), "%s/jinguo.db", m->dir);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, WAIT_MS);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM activity WHERE alive0 = 1",
	                                    -1, &q, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return n;
}

static bool activities_become(const struct machine *m, int64_t count)
{
	int64_t until = env_boot_ms() + WAIT_MS;

	while (activities(m) < count && env_boot_ms() < until) env_sleep_ms(20);
	return activities(m) == count;
}

/* ---- tests */

/* After each of these libzmq tries once and never again; the loop makes new sockets until a hub answers. */
static void recovers_from(enum front_mode mode, int code)
{
	struct scene *s = scene_up(mode);

	hub_start(s);
	machine_start(&s->node);
	assert_true(becomes(&s->front.accepted, 4));
	assert_int_equal(s->node.connected, 0);
	assert_int_equal(s->node.code, code);
	record(&s->node, NULL, 3);
	s->front.mode = FRONT_FORWARD;
	assert_true(becomes(&s->node.connected, 1));
	assert_true(activities_become(&s->hub, 3));
	scene_down(s);
}

static void login_page_then_hub(void **state)
{
	(void)state;
	recovers_from(FRONT_PORTAL, ERR_UNREACHABLE);
}

static void null_mechanism_then_hub(void **state)
{
	(void)state;
	recovers_from(FRONT_NULL, ERR_WRONG_KEY);
}

static void dumb_port_then_hub(void **state)
{
	(void)state;
	recovers_from(FRONT_DUMB, ERR_UNREACHABLE);
}

/* The hub's door by hand: 300 and 400, for longer than libzmq would try; then the node says HELLO by itself. */
static void refused_then_let_in(bool revoked)
{
	struct scene *s = scene_up(FRONT_FORWARD);
	struct transport *door;
	struct transport_config c = {.handshake_ivl_ms = 5000};
	struct transport_ready ready;
	struct arrival arrival = {0};
	struct error err = {0};
	struct message m;
	struct arena a;
	const uint8_t *key;
	int64_t until;
	bool heard = false;

	arena_init(&a, 0);
	key = s->node.place->identity.link_public;
	c.link_public = s->hub.place->identity.link_public;
	c.link_secret = s->hub.place->identity.link_secret;
	assert_int_equal(transport_new(&c, &door, &err), 0);
	assert_int_equal(transport_listen(door, "tcp://127.0.0.1:*", &err), 0);
	s->front.hub_port = (int)strtol(strrchr(transport_endpoint(door), ':') + 1, NULL, 10);
	if (revoked)
		transport_refuse(door, key, true);
	else
		transport_hold(door, true);
	machine_start(&s->node);
	until = env_boot_ms() + WAIT_MS;
	while (s->front.accepted < 5 && env_boot_ms() < until) {
		transport_poll(door, 20, false, NULL, 0, &ready);
		assert_false(ready.down);
	}
	assert_true(s->front.accepted >= 5);
	if (revoked) assert_int_equal(s->node.code, ERR_REVOKED);
	transport_refuse(door, key, false);
	transport_hold(door, false);
	until = env_boot_ms() + WAIT_MS;
	while (!heard && env_boot_ms() < until) {
		transport_poll(door, 20, false, NULL, 0, &ready);
		heard = ready.down && transport_recv_down(door, &a, &arrival);
	}
	assert_true(heard);
	assert_memory_equal(arrival.link_key, key, 32);
	assert_int_equal(message_read(arrival.frame, NULL, &a, &m, NULL), 0);
	assert_int_equal(m.type, MSG_HELLO);
	machine_stop(&s->node);
	transport_free(door);
	scene_down(s);
	arena_done(&a);
}

static void held_door_then_let_in(void **state)
{
	(void)state;
	refused_then_let_in(false);
}

static void refused_key_then_let_in(void **state)
{
	(void)state;
	refused_then_let_in(true);
}

/* More than queues and buffers hold, for one that does not listen: nothing is dropped, and all arrives when it does. */
static void stalled_peer_loses_nothing(void **state)
{
	enum { COUNT = 400 };
	struct scene *s = scene_up(FRONT_FORWARD);

	(void)state;
	setting(&s->hub, "link.welcome_timeout_ms", "60000"); /* it is borne */
	hub_start(s);
	machine_start(&s->node);
	assert_true(becomes(&s->node.connected, 1));
	s->front.mode = FRONT_DEAF;
	record(&s->hub, s->unit, COUNT);
	assert_true(activities_become(&s->hub, COUNT));
	env_sleep_ms(300); /* for what can leave to have left */
	assert_int_equal(activities(&s->node), 0);
	s->front.mode = FRONT_FORWARD;
	assert_true(activities_become(&s->node, COUNT));
	scene_down(s);
}

/* And when it is given up meanwhile: the session ends, the next one goes on where the acknowledgements ended. */
static void given_up_peer_loses_nothing(void **state)
{
	enum { COUNT = 100 };
	struct scene *s = scene_up(FRONT_FORWARD);

	(void)state;
	setting(&s->hub, "link.welcome_timeout_ms", "300");
	hub_start(s);
	machine_start(&s->node);
	assert_true(becomes(&s->node.connected, 1));
	assert_true(becomes(&s->hub.children, 1));
	s->front.mode = FRONT_DEAF;
	record(&s->hub, s->unit, COUNT);
	assert_true(falls(&s->hub.children, 0));
	s->front.mode = FRONT_FORWARD;
	record(&s->node, NULL, 1); /* it would else learn of it when it next has something to say */
	assert_true(activities_become(&s->node, COUNT + 1));
	assert_true(activities_become(&s->hub, COUNT + 1));
	scene_down(s);
}

/* The TCP of the other side vanishes without a word: heartbeats tell both. */
static void half_open_link_is_noticed_by_heartbeats(void **state)
{
	struct scene *s = scene_up(FRONT_FORWARD);

	(void)state;
	setting(&s->node, "link.heartbeat_ms", "150");
	setting(&s->hub, "link.heartbeat_ms", "150");
	hub_start(s);
	machine_start(&s->node);
	assert_true(becomes(&s->node.connected, 1));
	s->front.mode = FRONT_HOLE;
	assert_true(becomes(&s->front.near_closed, 1));
	assert_true(becomes(&s->front.far_closed, 1));
	assert_true(becomes(&s->node.code, 1));
	assert_int_equal(s->node.code, ERR_UNREACHABLE);
	s->front.mode = FRONT_FORWARD;
	assert_true(becomes(&s->node.connected, 2));
	record(&s->node, NULL, 1);
	assert_true(activities_become(&s->hub, 1));
	scene_down(s);
}

/* Without heartbeats (metered links) whoever is owed a word notices, each side for itself. */
static void half_open_link_is_noticed_by_what_is_owed(void **state)
{
	struct scene *s = scene_up(FRONT_FORWARD);

	(void)state;
	setting(&s->hub, "link.welcome_timeout_ms", "400");
	hub_start(s);
	machine_start(&s->node);
	assert_true(becomes(&s->node.connected, 1));
	assert_true(becomes(&s->hub.children, 1));
	s->front.mode = FRONT_HOLE;
	record(&s->node, NULL, 1);
	assert_true(becomes(&s->front.near_closed, 1));
	assert_true(becomes(&s->node.code, 1));
	assert_int_equal(s->node.code, ERR_UNREACHABLE);
	record(&s->hub, s->unit, 1);
	assert_true(falls(&s->hub.children, 0));
	s->front.mode = FRONT_FORWARD;
	assert_true(becomes(&s->node.connected, 2));
	assert_true(activities_become(&s->hub, 2));
	assert_true(activities_become(&s->node, 2));
	scene_down(s);
}

/* ---- a crowd */

#ifdef __SANITIZE_THREAD__
enum { CROWD = 120 };
#else
enum { CROWD = 500 };
#endif
enum { WELCOMES = CROWD / 10, CROWD_TRIES = 4, ASK_MS = 3000 };

struct caller {
	void *socket;
	uint8_t cert[8], public[32], secret[32];
	uint64_t run;
	bool welcome, asked;
	unsigned tries, told_s;
	int64_t due_ms;
};

static void caller_up(struct scene *s, void *context, struct caller *k)
{
	uint8_t seed[32], sign_public[32], sign_secret[64];
	struct cert c;
	struct buf b;
	int zero = 0, one = 1, ivl = 50;

	env_random(seed, sizeof(seed));
	sign_keypair(seed, sign_public, sign_secret);
	link_keypair(seed, k->public, k->secret);
	env_random(&k->run, sizeof(k->run));
	k->run >>= 2;
	buf_init(&b, CERT_BYTES_MAX);
	certify(&s->hub, s->unit, sign_public, k->public, &b, &c);
	assert_int_equal(replica_enrol(s->hub.place->replica, buf_span(&b)), 0);
	memcpy(k->cert, c.id, 8);
	buf_done(&b);
	k->socket = zmq_socket(context, ZMQ_DEALER);
	assert_non_null(k->socket);
	zmq_setsockopt(k->socket, ZMQ_LINGER, &zero, sizeof(zero));
	zmq_setsockopt(k->socket, ZMQ_IMMEDIATE, &one, sizeof(one));
	zmq_setsockopt(k->socket, ZMQ_RECONNECT_IVL, &ivl, sizeof(ivl));
	zmq_setsockopt(k->socket, ZMQ_CURVE_PUBLICKEY, k->public, 32);
	zmq_setsockopt(k->socket, ZMQ_CURVE_SECRETKEY, k->secret, 32);
	zmq_setsockopt(k->socket, ZMQ_CURVE_SERVERKEY, s->hub.place->identity.link_public, 32);
	assert_int_equal(zmq_connect(k->socket, s->hub.place->config.listen), 0);
}

static void caller_asks(struct caller *k, int64_t now)
{
	struct message m = {.type = MSG_HELLO};
	struct buf b;

	m.hello = (struct msg_hello){.protocol_min = PROTOCOL_MIN,
	                             .protocol_max = PROTOCOL_MAX,
	                             .run = k->run,
	                             .schema_version = schema_current.version,
	                             .clock_ms = env_wall_ms(),
	                             .nonce = 1};
	memcpy(m.hello.cert, k->cert, 8);
	buf_init(&b, MESSAGE_BYTES_MAX);
	message_pack(&m, NULL, &b);
	if (zmq_send(k->socket, b.p, b.len, ZMQ_DONTWAIT) > 0) {
		k->tries++;
		k->asked = true;
		k->due_ms = now + ASK_MS;
	}
	buf_done(&b);
}

static void caller_hears(struct caller *k, struct arena *a, int64_t now)
{
	uint8_t *frame = arena_take(a, 65536);
	int n = zmq_recv(k->socket, frame, 65536, ZMQ_DONTWAIT);
	struct message m;

	if (n < 0 || message_read(span_of(frame, (size_t)n), NULL, a, &m, NULL)) return;
	if (m.type == MSG_WELCOME) k->welcome = true;
	if (m.type != MSG_REFUSE) return;
	assert_int_equal(m.refuse.code, ERR_BUSY);
	assert_true(m.refuse.retry_after_s > 0);
	k->told_s = m.refuse.retry_after_s;
	k->asked = false;
	/* As a node does: then, and up to half as long again. */
	k->due_ms = now + 1000 * (int64_t)k->told_s + (int64_t)(k->run % (500 * k->told_s + 1));
}

/* Until all are welcome; how many were told to come later. */
static unsigned crowd_enters(struct caller *callers, unsigned *ret_longest_s)
{
	zmq_pollitem_t items[CROWD];
	int64_t until = env_boot_ms() + 3 * WAIT_MS;
	unsigned in = 0, later = 0;
	struct arena a;

	*ret_longest_s = 0;
	for (unsigned i = 0; i < CROWD; i++) {
		callers[i].welcome = callers[i].asked = false;
		callers[i].tries = callers[i].told_s = 0;
		callers[i].due_ms = 0;
	}
	while (in < CROWD && env_boot_ms() < until) {
		int64_t now = env_boot_ms();

		arena_init(&a, 0);
		for (unsigned i = 0; i < CROWD; i++) {
			/* A HELLO that went to the hub before its restart: the watchdog asks anew. */
			if (callers[i].asked && now >= callers[i].due_ms) callers[i].asked = false;
			bool wants = !callers[i].welcome && !callers[i].asked &&
			             now >= callers[i].due_ms;

			items[i] = (zmq_pollitem_t){callers[i].socket, 0,
			                            (short)(ZMQ_POLLIN | (wants ? ZMQ_POLLOUT : 0)),
			                            0};
		}
		zmq_poll(items, CROWD, 20);
		in = later = 0;
		for (unsigned i = 0; i < CROWD; i++) {
			if (items[i].revents & ZMQ_POLLIN) caller_hears(&callers[i], &a, now);
			if (items[i].revents & ZMQ_POLLOUT) caller_asks(&callers[i], now);
			in += callers[i].welcome;
			later += callers[i].told_s > 0;
			if (callers[i].told_s > *ret_longest_s) *ret_longest_s = callers[i].told_s;
		}
		arena_done(&a);
	}
	return later;
}

static void crowd_after_a_restart_is_spread(void **state)
{
	struct caller *callers = mem_alloc(CROWD * sizeof(*callers));
	void *context = zmq_ctx_new();
	unsigned later, longest;
	char most[16];
	struct scene *s = scene_up(FRONT_FORWARD);

	(void)state;
	setting(&s->hub, "hub.welcomes_per_second", "1000000");
	hub_start(s);
	hub_stop(s);
	assert_int_equal(replica_begin(s->hub.place->replica), 0);
	for (unsigned i = 0; i < CROWD; i++) caller_up(s, context, &callers[i]);
	assert_int_equal(replica_commit(s->hub.place->replica), 0);
	machine_start(&s->hub);
	assert_int_equal(crowd_enters(callers, &longest), 0);
	for (unsigned i = 0; i < CROWD; i++) assert_true(callers[i].welcome);
	hub_stop(s);
	snprintf(most, sizeof(most), "%d", (int)WELCOMES);
	setting(&s->hub, "hub.welcomes_per_second", most);
	machine_start(&s->hub);
	later = crowd_enters(callers, &longest);
	for (unsigned i = 0; i < CROWD; i++) {
		assert_true(callers[i].welcome);
		assert_in_range(callers[i].tries, 1, CROWD_TRIES + longest);
		zmq_close(callers[i].socket);
	}
	assert_true(later >= 1);
	assert_in_range(longest, 1, CROWD / WELCOMES + 1);
	zmq_ctx_term(context);
	scene_down(s);
	free(callers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(login_page_then_hub),
	        cmocka_unit_test(null_mechanism_then_hub),
	        cmocka_unit_test(dumb_port_then_hub),
	        cmocka_unit_test(held_door_then_let_in),
	        cmocka_unit_test(refused_key_then_let_in),
	        cmocka_unit_test(stalled_peer_loses_nothing),
	        cmocka_unit_test(given_up_peer_loses_nothing),
	        cmocka_unit_test(half_open_link_is_noticed_by_heartbeats),
	        cmocka_unit_test(half_open_link_is_noticed_by_what_is_owed),
	        cmocka_unit_test(crowd_after_a_restart_is_spread),
	};

	if (crypt_init()) return 1;
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
