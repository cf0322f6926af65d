/*
 * tally.h - figures, independently: truth counted from the oracle's rows, F and K read from the rows of
 * figure and correction, per (org unit, month, kind).
 */
#ifndef TESTS_SIM_TALLY_H
#define TESTS_SIM_TALLY_H

#include "tests/sim/check.h"

struct tally_cell {
	uint8_t unit[16];
	int64_t month;
	char kind[32];
	int64_t truth, stated, corrected; /* T, sum of F, sum of K */
	bool unsettled;                   /* a correction was made against another sum of F */
	bool refers;                      /* has a correction */
};
struct tally {
	struct tally_cell *cells;
	size_t count, room;
};
void tally_of(const struct view *v, bool closed_too, struct tally *ret);
void tally_done(struct tally *t);
const struct tally_cell *tally_find(const struct tally *t, const struct tally_cell *like);
/* At a custodian hub: F + K = T in every cell of its subtree; at those above: the same open numbers. */
void tally_check(struct world *w, const struct view *v, const struct view *views, size_t n);

#endif
