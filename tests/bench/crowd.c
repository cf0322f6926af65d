/*
 * crowd.c - a tool of connect.py: many devices of one hub.
 *
 *     crowd enrol DIR UNITS KEYS COUNT
 *     crowd come ENDPOINT HUB_KEY KEYS FIRST COUNT
 *
 * enrol: certifies COUNT devices at the hub of DIR, over the units of the file UNITS in turn (a line each: id in hex, division code), with
 * the product's own code, and writes what they need to be these devices to KEYS; prints the hub's own key for links.  What an invitation adds to that is left out.
 * come: is COUNT of them, from FIRST on, each with a socket and a CURVE key of its own.  Says "ready", waits for a line, connects and
 * says HELLO as in a first session; says "here" once every one has a WELCOME; keeps the links until its input ends.
 */
#include <sys/epoll.h>
#include <unistd.h>

#include "common/base.h"

#include <zmq.h>

#include "common/ident.h"
#include "common/reader.h"
#include "hub/judge.h"
#include "node/place.h"
#include "proto/message.h"
#include "tests/bench/bench.h"

enum { UNITS_MAX = 4096, EVENTS = 256, WAIT_MS = 120000, PIECE = 20 };

struct device {
	uint8_t link_public[32], link_secret[32], cert[8];
	uint64_t run;
};
struct unit {
	uint8_t id[16];
	char code[13];
};

static void must(bool good, const char *what)
{
	if (!good) bench_must(1, NULL, what);
}

static size_t number(const char *text)
{
	return (size_t)strtoull(text, NULL, 10);
}

/* ---- enrol */

static size_t units_read(const char *path, struct unit *ret)
{
	char id[33], code[13];
	size_t n = 0;
	FILE *f = fopen(path, "r");

	must(f != NULL, path);
	while (n < UNITS_MAX && fscanf(f, "%32s %12s", id, code) == 2) {
		must(hex_parse(id, ret[n].id, 16), "a unit's id");
		memcpy(ret[n++].code, code, sizeof(code));
	}
	fclose(f);
	must(n > 0, "no units");
	return n ? n : 1;
}

static void enrol_one(struct place *p, const struct unit *u, FILE *keys)
{
	const struct cert *own = replica_cert(p->replica);
	struct cert c = {.role = CERT_NODE,
	                 .level = LEVEL_COMMUNITY,
	                 .lanes = own->lanes,
	                 .not_before_ms = own->not_before_ms,
	                 .not_after_ms = replica_cert_end(p->replica)};
	struct error err = {0};
	struct identity id;
	struct device d;
	struct buf body;

	identity_make(&p->env, &id);
	memcpy(c.origin_key, id.sign_public, 32);
	memcpy(c.link_key, id.link_public, 32);
	memcpy(c.unit, u->id, 16);
	memcpy(c.issuer, own->id, 16);
	memcpy(c.code, u->code, sizeof(c.code));
	buf_init(&body, CERT_BYTES_MAX);
	bench_must(cert_make(&c, p->identity.sign_secret, &body, &err), &err, "certificate");
	bench_must(cert_check_issued(&c, own, &err), &err, "certificate");
	bench_must(replica_enrol(p->replica, buf_span(&body)), replica_error(p->replica), "enrol");
	buf_done(&body);
	memset(&d, 0, sizeof(d));
	memcpy(d.link_public, id.link_public, 32);
	memcpy(d.link_secret, id.link_secret, 32);
	memcpy(d.cert, c.id, 8);
	p->env.random(p->env.ctx, &d.run, sizeof(d.run));
	d.run = (d.run & RUN_MASK) | 1U << 8;
	must(fwrite(&d, sizeof(d), 1, keys) == 1, "keys");
}

static int enrol(const char *dir, const char *units_path, const char *keys_path, size_t count)
{
	static struct unit units[UNITS_MAX];
	size_t units_count = units_read(units_path, units);
	struct judging judging;
	struct judge judge;
	struct error err = {0};
	struct place *p;
	char hub_key[65];
	FILE *keys = fopen(keys_path, "wb");

	must(keys != NULL, keys_path);
	judge_init(&judging, &judge);
	bench_must(place_open(dir, 0, &judge, &p, &err), &err, dir);
	for (size_t i = 0; i < count; i++) {
		if (i % PIECE == 0)
			bench_must(replica_begin(p->replica), replica_error(p->replica), "begin");
		enrol_one(p, &units[i % units_count], keys);
		if (i % PIECE == PIECE - 1 || i == count - 1)
			bench_must(replica_commit(p->replica), replica_error(p->replica), "commit");
	}
	hex_text(p->identity.link_public, sizeof(p->identity.link_public), hub_key);
	puts(hub_key);
	place_close(p);
	must(fclose(keys) == 0, "keys");
	return 0;
}

/* ---- come */

static void option(void *socket, int which, const void *p, size_t len)
{
	must(zmq_setsockopt(socket, which, p, len) == 0, "an option of a socket");
}

static void *connected(void *context, const char *endpoint, const uint8_t hub_key[32],
                       const struct device *d)
{
	void *s = zmq_socket(context, ZMQ_DEALER);
	int zero = 0;

	must(s != NULL, "a socket (descriptors: two a device, see ulimit -n)");
	option(s, ZMQ_LINGER, &zero, sizeof(zero));
	option(s, ZMQ_CURVE_SERVERKEY, hub_key, 32);
	option(s, ZMQ_CURVE_PUBLICKEY, d->link_public, 32);
	option(s, ZMQ_CURVE_SECRETKEY, d->link_secret, 32);
	must(zmq_connect(s, endpoint) == 0, "connect");
	return s;
}

static void hello(void *socket, const struct device *d, int64_t now_ms)
{
	struct message m = {.type = MSG_HELLO};
	struct buf out;

	m.hello = (struct msg_hello){.protocol_min = PROTOCOL_MIN,
	                             .protocol_max = PROTOCOL_MAX,
	                             .run = d->run,
	                             .schema_version = schema_current.version,
	                             .clock_ms = now_ms,
	                             .nonce = d->run ^ UINT64_C(0x5a5a5a5a)};
	memcpy(m.hello.cert, d->cert, 8);
	buf_init(&out, MESSAGE_BYTES_MAX);
	message_pack(&m, NULL, &out);
	must(zmq_send(socket, out.p, out.len, ZMQ_DONTWAIT) == (int)out.len, "HELLO");
	buf_done(&out);
}

static uint64_t type_of(zmq_msg_t *m)
{
	struct reader in;

	reader_init(&in, span_of(zmq_msg_data(m), zmq_msg_size(m)));
	(void)reader_array(&in);
	return reader_uint(&in, UINT8_MAX);
}

/* All that has come; true: a WELCOME among it.  libzmq's descriptor tells of changes, not of what waits. */
static bool welcomed(void *socket)
{
	size_t size = sizeof(int);
	int events;
	bool found = false;

	while (zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN)) {
		zmq_msg_t m;

		zmq_msg_init(&m);
		if (zmq_msg_recv(&m, socket, ZMQ_DONTWAIT) >= 0) {
			uint64_t type = type_of(&m);

			must(type != MSG_REFUSE, "refused");
			found = found || type == MSG_WELCOME;
		}
		zmq_msg_close(&m);
	}
	return found;
}

static void wait_for_all(void **sockets, size_t count)
{
	int ep = epoll_create1(0);
	int64_t until = bench_wall_ns() + INT64_C(1000000) * WAIT_MS;
	bool *here = mem_alloc(count * sizeof(*here));
	size_t left = count;

	for (size_t i = 0; i < count; i++) {
		struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = i};
		size_t size = sizeof(int);
		int fd;

		must(zmq_getsockopt(sockets[i], ZMQ_FD, &fd, &size) == 0 &&
		             epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0,
		     "watching");
		if (welcomed(sockets[i])) here[i] = left--;
	}
	while (left) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(ep, events, EVENTS, 1000);

		must(bench_wall_ns() < until, "not all are welcome in time");
		for (int k = 0; k < n; k++) {
			size_t i = events[k].data.u64;

			if (welcomed(sockets[i]) && !here[i]) here[i] = left--;
		}
	}
	close(ep);
	free(here);
}

static int come(const char *endpoint, const char *key, const char *keys_path, size_t first,
                size_t count)
{
	struct device *d = mem_alloc(count * sizeof(*d));
	void **sockets = mem_alloc(count * sizeof(*sockets));
	void *context = zmq_ctx_new();
	FILE *keys = fopen(keys_path, "rb");
	uint8_t hub_key[32];
	int c;

	must(hex_parse(key, hub_key, 32), "the hub's key");
	must(keys && fseek(keys, (long)(first * sizeof(*d)), SEEK_SET) == 0 &&
	             fread(d, sizeof(*d), count, keys) == count,
	     keys_path);
	fclose(keys);
	must(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, (int)count + 16) == 0, "so many sockets");
	puts("ready");
	fflush(stdout);
	while ((c = getchar()) != '\n') must(c != EOF, "nobody said go");
	for (size_t i = 0; i < count; i++) {
		sockets[i] = connected(context, endpoint, hub_key, &d[i]);
		hello(sockets[i], &d[i], env_wall_ms());
	}
	wait_for_all(sockets, count);
	puts("here");
	fflush(stdout);
	while (getchar() != EOF) {
	}
	_exit(0); /* no goodbye: the links fall */
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "enrol"))
		return enrol(argv[2], argv[3], argv[4], number(argv[5]));
	if (argc == 7 && !strcmp(argv[1], "come"))
		return come(argv[2], argv[3], argv[4], number(argv[5]), number(argv[6]));
	fprintf(stderr, "crowd: see its head\n");
	return 2;
}
