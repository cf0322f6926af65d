/*
 * figure.h - figures: which cells a row's state counts in (architecture section 6).
 *
 * f(s) is a function of one row's state in one lane, so that every replica that holds the lane computes the same; open and
 * closed kinds are kept apart: what a lane of tier T3 feeds is stated in the county lane.
 */
#ifndef PROTO_FIGURE_H
#define PROTO_FIGURE_H

#include "common/schema.h"
#include "common/value.h"

enum figure_kind {
	FIGURE_VOLUNTEERS = 1,
	FIGURE_ACTIVITIES,
	FIGURE_PARTICIPATIONS,
	FIGURE_MINUTES,
	FIGURE_HOUSEHOLDS,
	FIGURE_ACTIVITIES_CLOSED,
	FIGURE_PARTICIPATIONS_CLOSED,
	FIGURE_MINUTES_CLOSED,
	FIGURE_HOUSEHOLDS_CLOSED,
	FIGURE_KINDS
};
enum { FIGURE_CELLS_MAX = 4 };

struct figure_cell {
	int64_t month; /* yyyymm, +08:00 */
	unsigned kind; /* enum figure_kind */
	int64_t amount;
};

const char *figure_name(unsigned kind);       /* code of the list `metric`; NULL: no such kind */
unsigned figure_kind_named(struct span name); /* 0: unknown */
unsigned figure_lane(unsigned kind);          /* lane in which the kind is stated */
/* Cells that the row counts in: v by slot of the lane, v[0] alive; v == NULL: no row.  Months outside
 * 1900..2199 count in none (they are refused elsewhere). */
size_t figure_cells(const struct table *t, unsigned lane, const struct value *v,
                    struct figure_cell ret[FIGURE_CELLS_MAX]);

/* Rows of tables figure and correction. */
void figure_row_id(const uint8_t origin[16], const uint8_t unit[16], int64_t month, unsigned kind,
                   uint8_t ret[16]);
void correction_row_id(const uint8_t unit[16], int64_t month, unsigned kind, const char *cause,
                       uint8_t ret[16]);

#endif
