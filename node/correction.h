/*
 * correction.h - what the hub that keeps a site's records has corrected of the site's own numbers, and what the site said to it.
 */
#ifndef NODE_CORRECTION_H
#define NODE_CORRECTION_H

#include "proto/replica.h"

struct corrections {
	int64_t standing; /* corrections of the own unit that are not 0 */
	int64_t objected; /* those of them to which somebody here objected */
	int64_t answered; /* and those of these that the county answered */
};
/* In a read transaction or none.  0, or the store's error. */
int corrections_count(struct replica *r, struct corrections *ret);

#endif
