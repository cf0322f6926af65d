/*
 * patrol.h - the audit that a running program makes by itself, in pieces, when it has nothing else to do.
 *
 * A state hash covers clocks and not values: what a bad disk or a foreign hand changes in a value no session sees.  So every row
 * is held against the journal once in a while (sync.audit_ms), without anybody asking: `audit` shows what was found.  A
 * piece reads only, unless it finds something; after it the program rests nine times as long, so that a tenth of
 * a core is the most that it takes.  When the last round ended is kept in the database: who is switched on for an hour a day
 * does not begin anew each time.
 */
#ifndef NODE_PATROL_H
#define NODE_PATROL_H

#include "proto/replica.h"

struct patrol { /* zeroed at the start */
	struct audit audit;
	int64_t due_ms; /* boot clock: not before */
	bool going;
};

/* idle: nothing came in this turn.  Who is never idle is not waited for without end. */
bool patrol_due(const struct patrol *p, int64_t now_ms, bool idle);
/* One piece, outside of a transaction.  0 or -ERR_x: then the round begins anew, later. */
int patrol_piece(struct patrol *p, struct replica *r, int64_t wall_ms, uint32_t every_ms);

#endif
