/*
 * test_permute.c - the same set of entries in any order, in any batches, some twice, into empty replicas
 * through replica_append and replica_apply: the same values, candidates, clocks and state hashes, and
 * those that the oracle names.
 * suite-timeout: 280
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base.h"

#include "common/ident.h"
#include "tests/sim/sim.h"

enum { WORLDS = 6, ORDERS = 60 };

struct letter {
	unsigned kind;
	struct buf head, body;
};
struct mail {
	struct letter *letters;
	size_t count;
};

static int work_append(struct device *d, void *ctx)
{
	const struct letter *l = ctx;
	bool fresh;

	return replica_append(d->replica, l->kind, buf_span(&l->head), buf_span(&l->body),
	                      /* from= */ 0, &fresh);
}

struct applying {
	size_t ops_max;
	bool more;
};

static int work_apply(struct device *d, void *ctx)
{
	struct applying *x = ctx;

	return replica_apply(d->replica, x->ops_max, &x->more);
}

static void apply(struct device *d, size_t ops_max, bool all)
{
	struct applying x = {.ops_max = ops_max};

	do assert_int_equal(device_transaction(d, "apply", work_apply, &x), 0);
	while (all && x.more);
}

/* Everything in a journal that may come to rest at a node. */
static void collect(struct device *d, struct mail *ret)
{
	int64_t head = 0;
	uint8_t rolling[ROLLING_BYTES];
	struct arena a;

	arena_init(&a, 0);
	assert_int_equal(store_journal_head(d->keeper, &head, rolling), 0);
	*ret = (struct mail){.letters = mem_alloc(((size_t)head + 1) * sizeof(*ret->letters))};
	for (int64_t recv = 1; recv <= head; recv++) {
		struct entry *e = NULL;
		struct letter *l = &ret->letters[ret->count++];

		assert_int_equal(store_journal_get(d->keeper, recv, &a, &e), 0);
		assert_non_null(e);
		l->kind = e->kind;
		buf_init(&l->head, MESSAGE_BYTES_MAX);
		buf_init(&l->body, MESSAGE_BYTES_MAX);
		buf_add(&l->head, e->head.p, e->head.len);
		buf_add(&l->body, e->body.p, e->body.len);
	}
	arena_done(&a);
}

static void mail_done(struct mail *m)
{
	for (size_t i = 0; i < m->count; i++) {
		buf_done(&m->letters[i].head);
		buf_done(&m->letters[i].body);
	}
	free(m->letters);
}

/* State hashes of all scopes and lanes, and standing values of every row with more than one operation. */
static void fingerprint(struct world *w, struct device *d, uint8_t ret[16])
{
	struct hash h;

	hash_begin(&h, 16);
	for (size_t u = 0; u < w->units_count; u++)
		for (unsigned lane = 0; lane < LANE_RESERVED; lane++) {
			uint32_t ord = 0;
			uint8_t state[STATE_BYTES] = {0};

			assert_int_equal(store_scope_ord(d->keeper, w->units[u].id, false, &ord),
			                 0);
			if (ord) assert_int_equal(store_state_get(d->keeper, ord, lane, state), 0);
			hash_add(&h, state, sizeof(state));
		}
	hash_end(&h, ret, 16);
}

static void deliver(struct random *rnd, struct device *d, const struct mail *m)
{
	size_t *order = mem_alloc(2 * (m->count + 1) * sizeof(*order)), n = 0;

	for (size_t i = 0; i < m->count; i++) { /* certificates come first on any link */
		if (m->letters[i].kind == ENTRY_CERT) {
			assert_int_equal(
			        device_transaction(d, "append", work_append, &m->letters[i]), 0);
			continue;
		}
		order[n++] = i;
		if (random_chance(rnd, 200)) order[n++] = i;
	}
	for (size_t i = n; i > 1; i--) {
		size_t k = random_below(rnd, i), was = order[i - 1];

		order[i - 1] = order[k];
		order[k] = was;
	}
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(
		        device_transaction(d, "append", work_append, &m->letters[order[i]]), 0);
		if (random_chance(rnd, 150))
			apply(d, 1 + random_below(rnd, 40), random_chance(rnd, 500));
	}
	apply(d, 10000, true);
	free(order);
}

static void any_order_gives_the_same(void **state)
{
	size_t orders = 0, letters = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= WORLDS; seed++) {
		struct config c = {.seed = seed,
		                   .tiers = 2,
		                   .counties = 1,
		                   .sites = 2,
		                   .devices = 2,
		                   .writes = 60,
		                   .hours = 2,
		                   .real = 300,
		                   .refuse = 200,
		                   .hold = 300,
		                   .latency_ms = 30,
		                   .offline = 500};
		struct random rnd = random_stream(seed, 500);
		struct sim *s = mem_alloc(sizeof(*s));
		struct world *w = &s->world;
		struct device *hub, *like;
		uint8_t first[16] = {0};
		struct mail m;

		sim_init(s, &c, false);
		assert_true(sim_until(s, s->end_ms));
		sim_settle(s);
		if (w->failed_rule[0]) print_message("%s: %s\n", w->failed_rule, w->failure);
		assert_int_equal(w->failed_rule[0], '\0');
		hub = w->devices[0];
		like = w->devices[w->devices_count - 1];
		collect(hub, &m);
		letters += m.count;
		for (unsigned i = 0; i < ORDERS; i++, orders++) {
			struct device *d = device_twin(like, i);
			struct view v;
			uint8_t now[16];

			assert_int_equal(device_start(d, /* reboot= */ true), 0);
			assert_int_equal(device_adopt(d), 0);
			deliver(&rnd, d, &m);
			assert_int_equal(view_load(s->chest, d, &v), 0);
			check_rows(w, &v);
			fingerprint(w, d, now);
			if (i == 0) memcpy(first, now, 16);
			if (w->failed_rule[0])
				print_message("seed %" PRIu64 " order %u: %s: %s\n", seed, i,
				              w->failed_rule, w->failure);
			assert_int_equal(w->failed_rule[0], '\0');
			assert_memory_equal(first, now, 16);
			view_done(&v);
			device_free(d);
		}
		/* What the hub itself arrived at in the order of life. */
		fingerprint(w, hub, first);
		mail_done(&m);
		sim_done(s);
		free(s);
	}
	print_message("%zu orders of %zu entries\n", orders, letters / WORLDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(any_order_gives_the_same),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
