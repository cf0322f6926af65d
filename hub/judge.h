/*
 * judge.h - a hub's judgement of its children's operations (architecture section 5): scope, authority,
 * owned fields, references, values; asked once, by the admitting hub, in journal order.
 *
 * What this build does not know (tables, fields, kinds of operations) is accepted and kept: a newer
 * program wrote it.  Figures and corrections are answered by corrections, never refused but for scope.
 */
#ifndef HUB_JUDGE_H
#define HUB_JUDGE_H

#include "proto/replica.h"

/* What was looked up last: operations of one author on one scope come in runs. */
struct judging {
	uint8_t cert[16], scope[16];
	bool within, cached;
	unsigned uses;
};

/* ret borrows j. */
void judge_init(struct judging *j, struct judge *ret);

#endif
