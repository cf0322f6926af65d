/*
 * tree.h - the org tree as it stands here, read once into memory: units by id, parents as indexes.
 * A province has some 20,000 units; the whole country 665,000: a few hundred bytes each.
 */
#ifndef HUB_TREE_H
#define HUB_TREE_H

#include "common/store.h"

struct unit {
	uint8_t id[16];
	char code[13];
	unsigned level;   /* enum level; 0 unknown */
	const char *name; /* in the arena */
	int32_t parent;   /* index; -1: none here */
	uint8_t parent_id[16];
	uint32_t scope;   /* ordinal of the unit's scope; 0: none yet */
	unsigned devices; /* of this unit itself, not revoked */
};
struct tree {
	struct unit *units; /* by id */
	size_t count;
};

int tree_load(struct store *st, struct arena *a, struct tree *ret);
/* Only the units whose numbers are their own (those of communities are folded into what they stand under): a province has
 * some 1,200.  Communities among them are those that a unit stands under, which no order of levels knows. */
int tree_load_places(struct store *st, const struct fold *folds, size_t count, struct arena *a,
                     struct tree *ret);
struct unit *tree_find(const struct tree *t, const uint8_t id[16]); /* NULL: unknown */
/* The unit itself or the nearest one above it that has this level; -1: none. */
int32_t tree_at_level(const struct tree *t, int32_t index, unsigned level);
bool tree_below(const struct tree *t, int32_t index, int32_t top); /* itself counts */

#endif
