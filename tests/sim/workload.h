/*
 * workload.h - what people write: random local transactions over the simulator's small tables, where
 * concurrent edits of one cell are the rule, and over the real ones, which have figures; and the judge
 * of the hubs, which refuses and holds by rules that look at other rows.
 */
#ifndef TESTS_SIM_WORKLOAD_H
#define TESTS_SIM_WORKLOAD_H

#include "tests/sim/device.h"

/* Texts of closed lanes carry this, so that one search tells where they came to rest. */
#define CANARY "CNRY"

enum { KNOWN_MAX = 4096 };
struct known_row {
	uint16_t table;
	uint8_t id[16];
	int unit; /* index; -1: written before joining */
	unsigned device;
	bool closed; /* an activity of a closed kind */
};
struct workload {
	struct known_row rows[KNOWN_MAX];
	size_t count;
	unsigned done; /* transactions made */
};

void workload_judge(struct device *d); /* fills d->judge */
/* The org tree, written by the top hub.  0 or an error. */
int workload_tree(struct world *w, struct device *top);
/* One random transaction at a random device that is up. */
void workload_write(struct world *w, struct workload *load);
/* The same words again at another device, drawn from `rnd`. */
void workload_write_too(struct world *w, struct workload *load, struct random *rnd);
/* The same, at this device. */
void workload_write_at(struct world *w, struct workload *load, struct device *d);

#endif
