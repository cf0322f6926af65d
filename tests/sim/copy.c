/*
 * copy.c - databases page by page.
 */
#include "common/base.h"

#include "tests/sim/copy.h"

#include "common/store_sqlite.h"

struct copy {
	sqlite3 *db;
};

static bool pour(sqlite3 *to, sqlite3 *from)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");

	if (b == NULL) return false;
	(void)sqlite3_backup_step(b, -1);
	return sqlite3_backup_finish(b) == SQLITE_OK;
}

struct copy *copy_take(struct store *from)
{
	struct copy *c = mem_alloc(sizeof(*c));
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

	if (sqlite3_open_v2(":memory:", &c->db, flags, NULL) == SQLITE_OK && pour(c->db, from->db))
		return c;
	copy_free(c);
	return NULL;
}

bool copy_put(const struct copy *c, struct store *into)
{
	return pour(into->db, c->db);
}

void copy_free(struct copy *c)
{
	if (c != NULL) (void)sqlite3_close(c->db);
	free(c);
}
