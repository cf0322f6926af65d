#include "common/base.h"

#include "tests/sim/quota.h"

enum { STREAM = 63 };

int64_t quota_config(uint64_t seed)
{
	struct random rnd = random_stream(seed, STREAM);

	return random_chance(&rnd, 150) ? random_range(&rnd, 1, 60) : 0;
}

struct quota quota_of_world(const struct world *w)
{
	uint64_t n = (uint64_t)w->config.quota;

	if (n == 0 || w->healed) return (struct quota){0};
	return (struct quota){.bytes_day = n % 4 == 0 ? n * 100 : 0,
	                      .bytes_all = n % 4 == 1 ? n * 100 : 0,
	                      .parked = n % 4 == 2 ? n / 16 + 1 : 0,
	                      .runs_day = n % 4 == 3 ? n / 16 + 1 : 0};
}
