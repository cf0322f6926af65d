/*
 * check.h - what must hold in the world: each replica against the oracle, replicas against each other,
 * promises against journals, figures against truth, bytes against ceilings.
 *
 * A view is what one replica should show, computed from its journal and tail with the codec alone: which
 * operations it ought to have merged (accepted by any admission it holds, a hub's, or its own and not
 * refused) and, by the oracle, what stands then.
 */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include "tests/sim/device.h"
#include "tests/sim/oracle.h"

enum {
	WORD_ACCEPTED = 1,
	WORD_REFUSED = 2,
	WORD_HELD = 4,
	WORD_MINE = 8,
	WORD_HUB = 16,
	WORD_STRAY = 32, /* of a row that lies in another scope: merges nowhere */
	WORD_EVIL = 64   /* an attacker's: need not have a word */
};
struct record { /* one operation as one replica holds it */
	const struct op *op;
	uint64_t run;
	uint8_t scope[16];
	unsigned lane, words;          /* WORD_x */
	const struct changeset *whole; /* that it stands or falls with; NULL: alone */
};
struct view {
	struct device *device;
	struct record *records; /* by (row, lane, stamp, run), no name twice */
	size_t count, room;
	struct oracle oracle; /* of those that ought to be merged */
	bool clash;           /* one name, different bytes */
	int64_t entries, segments, holes;
	uint8_t (*missing)
	        [32]; /* segments that entries here follow or speak of, and not here themselves */
	size_t missing_count;
};

/* Decoded entries, shared by all views: journals repeat each other. */
struct chest;
struct chest *chest_new(void);
void chest_free(struct chest *c);

/* 0, or -1 when the world has failed meanwhile. */
int view_load(struct chest *c, struct device *d, struct view *ret);
void view_done(struct view *v);
bool record_merges(const struct record *r);
bool view_holds(const struct view *v, const struct name *x); /* in the journal or the tail */

/* The replica's rows, values, candidates against the view. */
void check_rows(struct world *w, const struct view *v);
/* Everything that the device's people were promised is in its journal or tail.  rest: also what was away, because the
 * device was restored while another disk held it (vault.h). */
void check_acked(struct world *w, const struct view *v, bool rest);
/* Everything, with all links up and nothing to do. */
void check_rest(struct world *w, struct chest *c);
/* What holds at any time. */
void check_midway(struct world *w, struct chest *c);
/* Does what belongs to this scope and lane come to rest at the device? */
bool check_entitled(const struct device *d, const uint8_t scope[16], unsigned lane);

#endif
