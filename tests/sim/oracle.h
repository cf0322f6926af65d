/*
 * oracle.h - the model that the engine is held to: a pure function of a set of accepted operations.
 *
 * Written without the engine's merge: no clocks are kept, nothing is joined, nothing depends on an order.
 * Per (row, lane, slot) the operations that wrote the slot stand unless another accepted operation covers
 * their name; that is the definition in architecture section 4, quadratic and obvious.  The engine gets
 * there incrementally; what both agree on is unlikely to be wrong twice in the same way.
 */
#ifndef TESTS_SIM_ORACLE_H
#define TESTS_SIM_ORACLE_H

#include "proto/changeset.h"

/* One accepted operation.  op is borrowed and must outlive the oracle. */
struct oracle_op {
	const struct op *op;
	uint64_t run;
	unsigned lane;
	uint8_t scope[16];
};
struct oracle_row {
	uint8_t id[16], scope[16]; /* scope of the insert */
	unsigned lane;
	uint16_t table;
	bool exists; /* has an accepted insert in this lane; else its operations are parked */
	size_t first, count; /* its operations */
};
struct oracle_value {
	uint64_t run, stamp;
	struct value value;
};
struct oracle {
	struct oracle_op *ops;
	size_t ops_count, ops_room;
	struct oracle_row *rows; /* after oracle_settle: by (id, lane) */
	size_t rows_count, rows_room;
	bool settled;
	bool clash; /* two operations of one name with different bytes were added */
};
enum { ORACLE_STANDING_MAX = 256 };

void oracle_done(struct oracle *o); /* accepts a zeroed oracle */
void oracle_add(struct oracle *o, const uint8_t scope[16], unsigned lane, uint64_t run,
                const struct op *op);
/* Sorts, drops repeated names, finds the rows.  Adding afterwards needs another settle. */
void oracle_settle(struct oracle *o);
const struct oracle_row *oracle_find(const struct oracle *o, const uint8_t row[16],
                                     unsigned lane); /* NULL: none */
/* The same id may stand in two tables: a machine image that was resumed may have given it twice. */
const struct oracle_row *oracle_find_in(const struct oracle *o, uint16_t table,
                                        const uint8_t row[16], unsigned lane);
/* Values that stand in a slot, the one of highest rank (stamp, then run) first.  0: nothing was ever written. */
size_t oracle_standing(const struct oracle *o, const struct oracle_row *row, unsigned slot,
                       struct oracle_value ret[ORACLE_STANDING_MAX]);
/* What is shown: null if nothing stands.  alive_wins: slot 0 of a set table. */
struct value oracle_shown(const struct oracle *o, const struct oracle_row *row, unsigned slot,
                          bool alive_wins);

bool op_same(const struct op *x, const struct op *y); /* every member */

#endif
