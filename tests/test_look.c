/*
 * test_look.c - looking at a replica while another process works on it.
 */
#include "common/base.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "node/status.h"
#include "tests/support/trio.h"

enum { LOOKS = 100 };

struct looker {
	struct replica *r;
	_Atomic int written, stop, short_of, looks;
};

static int set_up(void **state)
{
	*state = trio_new();
	return 0;
}

static int tear_down(void **state)
{
	trio_free(*state);
	return 0;
}

static int64_t looker_now(void *ctx)
{
	(void)ctx;
	return INT64_C(1800000000000);
}

static void *look_on(void *arg)
{
	struct looker *l = arg;
	while (!l->stop) {
		int written = l->written;
		struct status_facts f;
		if (status_collect(l->r, &f)) continue; /* busy: says nothing at all */
		l->looks++;
		if (f.counts.unsent < written) l->short_of++;
	}
	return NULL;
}

/* What is open is sealed all the time.  Whoever counts the one before and the other after it would say "all sent". */
static void a_look_is_of_one_moment(void **state)
{
	struct trio *t = *state;
	const struct env env = {.now_ms = looker_now};
	const struct replica_config config = {.env = &env, .identity = &t->site->identity};
	struct looker l = {0};
	struct store *store = NULL;
	pthread_t thread;
	uint8_t row[16];

	trio_backup(t->site); /* a file of its own, as a device has */
	trio_restore(t->site);
	assert_int_equal(store_open(t->site->path, &schema_current, STORE_READ_ONLY, &store, NULL),
	                 0);
	assert_int_equal(replica_open(&l.r, store, &config, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, look_on, &l), 0);
	while (l.written < LOOKS || l.looks < LOOKS) {
		trio_activity(t->site, "清洁家园", row);
		l.written++;
		trio_seal(t->site);
	}
	l.stop = 1;
	pthread_join(thread, NULL);
	replica_close(l.r);
	store_close(store);
	assert_int_equal(l.short_of, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(a_look_is_of_one_moment, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
