/*
 * sim.h - one run: a configuration, a world, a safety phase with faults, then healing and rest.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "tests/sim/check.h"
#include "tests/sim/workload.h"

struct sim {
	struct world world;
	struct workload load;
	struct chest *chest;
	int64_t end_ms; /* of the safety phase */
	unsigned checks;
	unsigned rounds; /* until rest */
};
struct sim_result {
	bool failed;
	char rule[48], failure[512];
	uint8_t trace[16];
	struct counts counts;
	struct coverage coverage;
	unsigned rounds;
};

/* Draws everything that varies. */
void sim_config(uint64_t seed, struct config *ret);
/* The same faults in a world of a handful of writes: what breaks in a large one nearly always breaks in some small one. */
void sim_config_small(struct config *c);
/* Names and values, one line. */
void sim_config_print(const struct config *c, FILE *f);
bool sim_config_set(struct config *c, const char *name, int64_t value);
void sim_run(const struct config *c, bool trace, struct sim_result *ret);
/* The same, told and cut short. */
struct sim_how {
	bool trace, story;           /* raw lines; sentences; both to stderr */
	const struct schedule *only; /* of what is drawn only this happens (sorted); NULL: all */
	struct schedule *happened;   /* filled with what happened; NULL: not wanted */
};
void sim_run_how(const struct config *c, const struct sim_how *how, struct sim_result *ret);
/* Takes away whatever can be taken away while the same rule still breaks. */
void sim_shrink(const struct config *c, const char *rule, struct config *ret);
/* The few drawn events (schedule.h) that it takes for the rule to break; sorted.  False: it does not break. */
bool sim_shrink_schedule(const struct config *c, const char *rule, struct schedule *ret);

/* The parts, for suites that direct a world by hand. */
void sim_init(struct sim *s, const struct config *c, bool trace);
void sim_done(struct sim *s);
/* Handles events up to this time; false: the world has failed. */
bool sim_until(struct sim *s, int64_t until_ms);
/* All up, no more faults; rounds of sessions until nothing moves; then everything is checked. */
void sim_settle(struct sim *s);

#endif
