/*
 * template.h - new databases as copies of one: making the tables of a database costs as much as a small world's whole
 * first hour.  One copy for each schema, made from the first that was made the long way.
 */
#ifndef TESTS_SIM_TEMPLATE_H
#define TESTS_SIM_TEMPLATE_H

#include "common/schema.h"

/* Fills the new file; NULL: there is no copy yet.  The connection keeps an in-memory file alive until
 * template_release. */
struct sqlite3 *template_fill(const struct schema *schema, const char *uri);
void template_release(struct sqlite3 *held); /* accepts NULL */
/* The file is as store_open leaves a new one: keeps a copy of it. */
void template_keep(const struct schema *schema, const char *uri);

#endif
