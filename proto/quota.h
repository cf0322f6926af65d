/*
 * quota.h - what a hub takes of one child: so that one device, broken or hostile, does not fill the hub's disk.
 *
 * Beyond a quota the hub grants no credit, says why, and takes nothing more of what the child sends until the cause is gone;
 * what comes down goes on.  Nothing is acknowledged that was not taken, so the work is safe at the child.
 */
#ifndef PROTO_QUOTA_H
#define PROTO_QUOTA_H

#include "proto/replica.h"

/* 0: no limit.  A hub's children may have many below them: their limits are so many times as large. */
enum { QUOTA_HUB_FACTOR = 256 };
struct quota {
	uint64_t bytes_day, bytes_all; /* of DATA, as it came over the link */
	uint64_t parked;               /* records of the child's branch that wait here */
	uint64_t runs_day;             /* new runs: boots, restores, copies */
};
/* What came of a child. */
struct quota_use {
	int64_t day; /* days since 1970 by the hub's clock */
	uint64_t bytes, bytes_all, runs;
	int64_t over_ms; /* when it was last over; 0: never */
	int code;        /* and why: ERR_QUOTA_x */
};
int quota_use_get(struct replica *r, const uint8_t child[16], struct quota_use *ret);
/* Adds what came.  *ret_code: 0, or the quota that is used up now. */
int quota_add(struct replica *r, const struct quota *q, const uint8_t child[16], bool hub,
              uint64_t bytes, uint64_t runs, uint64_t parked, int *ret_code);

#endif
