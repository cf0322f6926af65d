/*
 * random.h - splitmix64 (Steele, Lea, Flood 2014), one stream per subsystem from one seed, so that
 * taking one kind of fault away leaves the draws of the others as they were (shrinking needs that).
 */
#ifndef TESTS_SIM_RANDOM_H
#define TESTS_SIM_RANDOM_H

#include "common/base.h"

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *rnd)
{
	uint64_t z = rnd->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* The stream of one subsystem. */
static inline struct random random_stream(uint64_t seed, uint64_t which)
{
	struct random rnd = {seed * UINT64_C(0xd1342543de82ef95) + which};

	(void)random_next(&rnd);
	return (struct random){random_next(&rnd) ^ (which << 32)};
}

static inline uint64_t random_below(struct random *rnd, uint64_t n)
{
	return n ? random_next(rnd) % n : 0;
}

/* lo..hi, both included. */
static inline int64_t random_range(struct random *rnd, int64_t lo, int64_t hi)
{
	return lo + (int64_t)random_below(rnd, (uint64_t)(hi - lo) + 1);
}

static inline bool random_chance(struct random *rnd, unsigned permille)
{
	return random_below(rnd, 1000) < permille;
}

static inline void random_bytes(struct random *rnd, void *p, size_t len)
{
	uint8_t *out = p;

	for (size_t i = 0; i < len; i += 8) {
		uint64_t v = random_next(rnd);

		memcpy(out + i, &v, len - i < 8 ? len - i : 8);
	}
}

#endif
