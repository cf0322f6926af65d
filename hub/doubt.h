/*
 * doubt.h - what in the numbers here somebody below may have made up, left out or kept back: each with who said it.
 *
 * A county's word on what lies in its own lane cannot be checked from above; that it is its word, and how much of a number is,
 * can be named.  What is in the open lane is counted again here from the sites' own signed records.
 */
#ifndef HUB_DOUBT_H
#define HUB_DOUBT_H

#include "hub/summary.h"
#include "hub/tree.h"

enum doubt_kind {
	DOUBT_CONTRADICTED = 1, /* F and K agree with each other, and not with the records here */
	DOUBT_CORRECTED,        /* part of the number is the custodian's own word */
	DOUBT_HUB_FIGURE,       /* stated by a hub for a site, not by a device of the site */
	DOUBT_UNIT,             /* a community that a hub below made; nobody confirmed it here */
	DOUBT_OFFENCE,          /* a peer sent what no honest program sends */
	DOUBT_OBJECTED          /* the site does not agree with the custodian's word */
};
struct doubt {
	enum doubt_kind kind;
	uint8_t unit[16], device[16]; /* whom it is about; who said it (zeros: not known) */
	int64_t month;                /* 0: of no month */
	unsigned figure;              /* enum figure_kind; 0 none */
	int64_t said, held;           /* what was said; what the records here say, or 0 */
	const char *cause;            /* of a correction; "" none */
	uint8_t row[16];              /* of an objection, for who answers it; zeros none */
	const char *reason, *answer;  /* of an objection, the answer by the county; "" none */
	bool closed;                  /* of an objection: to what stays in the county */
	int code;                     /* of an offence */
};
const char *doubt_name(enum doubt_kind kind);
int doubts_find(struct replica *r, const struct tree *t, const struct summary *s, struct arena *a,
                struct doubt **ret, size_t *ret_count);

#endif
