/*
 * test_reactor.c - a daemon whose database fails opens it again and goes on by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "common/base.h"

#include "node/place.h"
#include "node/reactor.h"
#include "tests/support/scratch.h"

struct scene {
	struct place *place;
	const struct store *first;
	int stop[2];
	unsigned failed, errors, well;
	int code, fault;
};

/* From the first write on nothing works, and nothing will on this connection. */
static int always(void *ctx, const char *what)
{
	struct scene *sc = ctx;

	if (sc->failed == 0 && strcmp(what, "store_begin") != 0) return 0;
	sc->failed++;
	return -sc->fault;
}

static void note(void *ctx, int code, const char *text)
{
	struct scene *sc = ctx;

	(void)text;
	if (code != 0) {
		sc->errors++;
		sc->code = code;
		return;
	}
	sc->well++;
	assert_int_equal(write(sc->stop[1], "", 1), 1);
}

static void play(int fault, struct scene *sc)
{
	char dir[64];
	struct error err = {0};
	struct reactor_config config = {.ctx = sc, .note = note, .no_signals = true};
	struct reactor_result result;

	*sc = (struct scene){.fault = fault};
	scratch_make("/tmp", "reactor", dir, sizeof(dir));
	assert_int_equal(place_init(dir, &err), 0);
	assert_int_equal(place_open(dir, PLACE_LINK, /* judge= */ NULL, &sc->place, &err), 0);
	assert_int_equal(pipe(sc->stop), 0);
	sc->place->config.retry_ms = 10;
	sc->first = sc->place->store;
	store_set_fault(sc->place->store, always, sc);
	config.place = sc->place;
	config.stop_fd = sc->stop[0];
	assert_int_equal(reactor_run(&config, &result, &err), 0);
	assert_non_null(sc->place->replica);
	place_close(sc->place);
	(void)close(sc->stop[0]);
	(void)close(sc->stop[1]);
	assert_int_equal(scratch_remove(dir), 0);
}

static void after_an_error_of_the_disk(void **state)
{
	struct scene sc;

	(void)state;
	play(ERR_STORAGE, &sc);
	assert_true(sc.failed > 0);
	assert_int_equal(sc.errors, 1); /* said once */
	assert_int_equal(sc.code, ERR_STORAGE);
	assert_int_equal(sc.well, 1);
}

static void after_damage(void **state)
{
	struct scene sc;

	(void)state;
	play(ERR_DATABASE_DAMAGED, &sc);
	assert_int_equal(sc.errors, 1);
	assert_int_equal(sc.code, ERR_DATABASE_DAMAGED);
	assert_int_equal(sc.well, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(after_an_error_of_the_disk),
	        cmocka_unit_test(after_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
