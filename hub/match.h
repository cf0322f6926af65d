/*
 * match.h - persons who stand in the county's records more than once: one who moved, or whom two sites registered.
 *
 * Who custodies the county lane alone can tell.  Document numbers are T3 and few enough to be guessed from a plain hash, so what is
 * compared is a keyed hash, and the key lives as long as one comparison: drawn for it, in memory only, wiped after it.
 * Nothing that could be matched later is kept here, at a site, or sent.
 */
#ifndef HUB_MATCH_H
#define HUB_MATCH_H

#include "proto/replica.h"

/* From the surest to the weakest; of weaker grounds only what no surer one says already. */
enum match_ground {
	MATCH_DOCUMENT = 1, /* one kind and number of document */
	MATCH_PHONE,        /* one telephone, one name */
	MATCH_BIRTH         /* one name, one date of birth: two persons may have both */
};
struct match_person {
	uint8_t row[16];
	uint32_t scope;
};
struct match {
	enum match_ground ground;
	const struct match_person *persons; /* ascending by row; in the arena */
	size_t count;                       /* at least 2 */
};
const char *match_ground_name(enum match_ground ground); /* for scripts */

/*
 * All groups among the volunteers that stand here, by ground.  Not looked at: who has left or was merged into another, and whose
 * consent was withdrawn.  0 or -ERR_x (-ERR_CLOSED while T3 lies closed).  Takes some 120 bytes a person.
 */
int match_find(struct replica *r, struct arena *a, struct match **ret, size_t *ret_count);

#endif
