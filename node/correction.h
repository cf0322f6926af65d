/*
 * correction.h - what the hub that keeps a site's records has corrected of the site's own numbers, and what the site said to it.
 */
#ifndef NODE_CORRECTION_H
#define NODE_CORRECTION_H

#include "proto/replica.h"

/* A row of table objection. */
struct objection {
	uint8_t row[16], correction[16];
	uint32_t scope;
	const char *reason, *answer; /* in the arena; "" none */
	bool closed;                 /* to a correction that stays in the county */
};
/* Those of one scope, or of all (0), by correction; in the arena. */
int objections_load(struct store *st, uint32_t scope, struct arena *a, struct objection **ret,
                    size_t *ret_count);
/* The first of those to this correction; they stand together. */
size_t objections_find(const struct objection *list, size_t count, const uint8_t correction[16]);

struct corrections {
	int64_t standing; /* corrections of the own unit that are not 0 */
	int64_t objected; /* those of them to which somebody here objected */
	int64_t answered; /* and those of these that the county answered */
};
/* Zeros before the device has joined. */
int corrections_count(struct replica *r, struct corrections *ret);

#endif
