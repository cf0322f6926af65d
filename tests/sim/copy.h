/*
 * copy.h - a whole, consistent copy of a database, in memory.  Taken and put back below the storage contract:
 * page by page, as a backup program or a copied disk would.
 */
#ifndef TESTS_SIM_COPY_H
#define TESTS_SIM_COPY_H

#include "common/store.h"

struct copy;
/* Of a store outside a transaction; NULL: it could not be read. */
struct copy *copy_take(struct store *from);
/* Into a store that nobody else has open; it must be opened anew afterwards, for it remembers what was there. */
bool copy_put(const struct copy *c, struct store *into);
void copy_free(struct copy *c); /* accepts NULL */

#endif
