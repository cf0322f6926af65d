/*
 * things.h - the schemas of the simulator: the current one with a few small tables behind it, whose
 * rows have so few fields that concurrent edits of one cell are the rule and not the exception.
 */
#ifndef TESTS_SIM_THINGS_H
#define TESTS_SIM_THINGS_H

#include "common/schema.h"

enum { TABLE_THING = 60, TABLE_TICK = 61, TABLE_TAG = 62, TABLE_NOVEL = 63 };

enum { THINGS_TABLES_MAX = 40 };
/* thing: f, g, to open; s, h county.  tick: once.  tag: set (alive wins). */
struct things {
	const struct table *tables[THINGS_TABLES_MAX];
	struct schema schema;
};
/* next: one version later: thing has one more open and one more county field, and there is a table novel. */
void things_init(struct things *ret, bool next);

#endif
