/*
 * door.c - see door.h.
 *
 * The socket is of our own making (ZMQ_USE_FD), so that it can be shut: zmq_unbind would end every connection that came in by it
 * (measured on 4.3.4).  Shut means a socket filter that takes no packet; those who are in have sockets of their own, and
 * a caller's SYN is sent again by his kernel.  Who had finished his handshake with the kernel by then stands in the door.
 */
#include <dirent.h>
#include <linux/filter.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base.h"

#include "node/door.h"

#include "common/buf.h"
#include "common/env.h"

enum {
	BACKLOG = 4096,     /* 10,000 CURVE connects in 6 s instead of 34 */
	LOOK_MS = 1000,     /* nobody comes: the program itself may open files */
	LOOK_SHUT_MS = 100, /* is there room again? */
	LOOK_SHARE = 4,     /* of the time, one part in five at most goes into counting */
	STDERR = 2          /* the last descriptor that is kept besides those named */
};

struct door {
	int listener, wake;
	uint32_t descriptors_max;
	pthread_t doorman;
	bool running;
	atomic_bool ending, accepting;
};

static int listener_open(const char *endpoint, int *ret_fd, struct error *err)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
	                         .ai_socktype = SOCK_STREAM,
	                         .ai_flags = AI_PASSIVE},
	                *found = NULL;
	const char *host = strncmp(endpoint, "tcp://", 6) ? "" : endpoint + 6,
	           *colon = strrchr(host, ':');
	char name[256] = "";
	int fd = -1, one = 1, rc;

	if (!colon || (size_t)(colon - host) >= sizeof(name))
		return error_set(err, ERR_CONFIG, "link.listen",
		                 "cannot listen at %s: not tcp://ADDRESS:PORT", endpoint);
	memcpy(name, host, (size_t)(colon - host));
	if (name[0] == '[' && strchr(name, ']')) { /* [::1] */
		*strchr(name, ']') = 0;
		memmove(name, name + 1, strlen(name));
	}
	rc = getaddrinfo(strcmp(name, "*") ? name : NULL, strcmp(colon + 1, "*") ? colon + 1 : "0",
	                 &hints, &found);
	if (rc)
		return error_set(err, ERR_CONFIG, "link.listen", "cannot listen at %s: %s",
		                 endpoint, gai_strerror(rc));
	rc = -1;
	for (const struct addrinfo *a = found; a && rc; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
		            a->ai_protocol);
		if (fd < 0) continue;
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		rc = bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, BACKLOG) ? -1 : 0;
		if (rc) {
			int cause = errno;

			close(fd);
			errno = cause;
		}
	}
	freeaddrinfo(found);
	if (rc)
		return error_set(err, ERR_CONFIG, "link.listen", "cannot listen at %s: %s",
		                 endpoint, strerror(errno));
	*ret_fd = fd;
	return 0;
}

/* ---- the doorman */

static bool shut(const struct door *d, bool shut)
{
	struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog program = {.len = ARRAY_COUNT(nothing), .filter = nothing};

	return setsockopt(d->listener, SOL_SOCKET, shut ? SO_ATTACH_FILTER : SO_DETACH_FILTER,
	                  &program, sizeof(program)) == 0;
}

/* A table of his own: all but what he needs is closed in it.  Locks on files are of the other table and stay. */
static bool own_table(const struct door *d)
{
	unsigned low = (unsigned)(d->listener < d->wake ? d->listener : d->wake);
	unsigned high = (unsigned)(d->listener < d->wake ? d->wake : d->listener);

	if (unshare(CLONE_FILES)) return false;
	if (low > STDERR + 1) (void)close_range(STDERR + 1, low - 1, 0);
	if (high > low + 1) (void)close_range(low + 1, high - 1, 0);
	(void)close_range(high + 1, ~0U, 0);
	return true;
}

/* Of the program: /proc/self is its first thread, whose table all share but the doorman. */
static uint32_t descriptors_open(const struct door *d)
{
	DIR *list = opendir("/proc/self/fd");
	uint32_t count = 0;

	if (!list) return d->descriptors_max;
	while (readdir(list)) count++;
	closedir(list);
	return count > 2 ? count - 2 : 0; /* ".", ".." */
}

/* Those who stand in the door are taken in and let go. */
static void let_go(const struct door *d)
{
	int fd;

	while ((fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) close(fd);
}

static void look(struct door *d)
{
	uint32_t used = descriptors_open(d), max = d->descriptors_max;
	bool open = atomic_load(&d->accepting);

	if (open && used >= max / 10 * 9 && shut(d, true)) atomic_store(&d->accepting, false);
	if (!open && used < max / 10 * 8 && shut(d, false)) atomic_store(&d->accepting, true);
	if (!atomic_load(&d->accepting)) let_go(d);
}

static void *doorman(void *ctx)
{
	struct door *d = ctx;
	struct epoll_event at_door = {.events = EPOLLIN | EPOLLET, .data.fd = d->listener},
	                   at_end = {.events = EPOLLIN, .data.fd = d->wake}, come;
	int64_t due = 0;
	int ep;

	(void)own_table(d); /* where that is forbidden he does what he can with the table of all */
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, d->listener, &at_door) ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, d->wake, &at_end))
		return NULL;
	while (!atomic_load(&d->ending)) {
		bool open = atomic_load(&d->accepting);
		int64_t began = env_boot_ms();

		/* Each caller wakes him, but not while he would do nothing else than count. */
		if (began < due) env_sleep_ms(due - began);
		(void)epoll_wait(ep, &come, 1, open ? LOOK_MS : LOOK_SHUT_MS);
		began = env_boot_ms();
		look(d);
		due = env_boot_ms() + LOOK_SHARE * (env_boot_ms() - began);
	}
	close(ep);
	return NULL;
}

/* ---- life */

int door_open(const char *endpoint, uint32_t descriptors_max, struct door **ret, struct error *err)
{
	struct door *d = mem_alloc(sizeof(*d));
	int rc;

	d->listener = -1;
	d->descriptors_max = descriptors_max;
	atomic_init(&d->accepting, true);
	rc = listener_open(endpoint, &d->listener, err);
	d->wake = rc ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!rc && d->wake >= 0) d->running = pthread_create(&d->doorman, NULL, doorman, d) == 0;
	if (!rc && !d->running) {
		rc = error_set(err, ERR_INTERNAL, "", "the watch on the door");
		close(d->listener);
	}
	if (rc) {
		door_close(d);
		return rc;
	}
	*ret = d;
	return 0;
}

int door_descriptor(const struct door *d)
{
	return d->listener;
}

bool door_accepting(const struct door *d)
{
	return atomic_load(&d->accepting);
}

void door_close(struct door *d)
{
	if (!d) return;
	atomic_store(&d->ending, true);
	if (d->running) {
		(void)eventfd_write(d->wake, 1);
		(void)pthread_join(d->doorman, NULL);
	}
	if (d->wake >= 0) close(d->wake);
	free(d);
}
