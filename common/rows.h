/*
 * rows.h - all live rows of a table, a page at a time, and the values of a row by name.
 */
#ifndef COMMON_ROWS_H
#define COMMON_ROWS_H

#include "common/store.h"

/* Calls each for every live row of a table, of one scope or, scope 0, of all; what it gives but 0 ends the walk and comes back.
 * The row is borrowed for the call. */
int rows_each(struct store *st, const struct table *t, uint32_t scope,
              int (*each)(void *ctx, const struct row_view *v), void *ctx);
struct value row_value(const struct table *t, const struct row_view *v, const char *name);

#endif
