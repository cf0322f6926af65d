/*
 * weather.h - what the surroundings do to a world: wall clocks that are wrong in every way, builds of several
 * schemas and protocols that are upgraded in the middle, slow hubs, slow and half-open links, backlogs, and which
 * kinds of work people do at all.
 *
 * Everything is drawn from streams of its own and can be left out one by one (schedule.h).
 */
#ifndef TESTS_SIM_WEATHER_H
#define TESTS_SIM_WEATHER_H

#include "tests/sim/device.h"

/* Classes of work that people may not do in a world: bits of config.without. */
enum {
	WITHOUT_INSERT = 1,
	WITHOUT_UPDATE = 2,
	WITHOUT_DELETE = 4,
	WITHOUT_RESTORE = 8,
	WITHOUT_TAGS = 16, /* sets and other derived ids */
	WITHOUT_ONCE = 32,
	WITHOUT_HUBS = 64,  /* hubs write nothing */
	WITHOUT_NOVEL = 128 /* nothing that only the newer schema knows */
};

/* Draws the configuration of everything here, and changes the topology in few worlds. */
void weather_config(struct config *c);
/* Clocks and builds as the world begins; the events to come.  Before the devices start. */
void weather_begin(struct world *w, int64_t end_ms);
/* AT_WEATHER. */
void weather_event(struct world *w, const struct event *e);
/* From here on all are up to date enough to talk, and hubs are quick; clocks stay as wrong as they are. */
void weather_heal(struct world *w);

/* A person enters many large records, one after the other: the n-th such load of this device. */
void weather_load(struct device *d, unsigned n);
/* The wall clock of a device, before its skew. */
int64_t weather_wall_ms(const struct device *d);
/* After a boot: a clock without a battery is back where it always begins. */
void weather_boot(struct device *d);
/* Protocol versions that its build speaks; 0, 0: the engine's own. */
void weather_speaks(const struct device *d, uint16_t *ret_min, uint16_t *ret_max);
/* A session has ended, as its child's end saw it. */
void weather_parted(struct world *w, const struct conn *c);
/* How long the daemon is busy with this turn; 0: not at all. */
int64_t weather_turn_ms(struct device *d);

#endif
