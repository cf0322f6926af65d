/*
 * template.c - see template.h.
 */
#include <sqlite3.h>

#include "common/base.h"

#include "tests/sim/template.h"

enum { SCHEMAS_MAX = 4 };

static struct {
	uint32_t version;
	size_t tables;
	sqlite3 *db;
} kept[SCHEMAS_MAX];
static size_t kept_count;

static sqlite3 *open_uri(const char *uri)
{
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(uri, &db,
	                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI |
	                                 SQLITE_OPEN_NOMUTEX,
	                         NULL);

	assert(rc == SQLITE_OK);
	return db;
}

static void copy(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
	int rc;

	assert(b != NULL);
	rc = sqlite3_backup_step(b, -1);
	assert(rc == SQLITE_DONE);
	rc = sqlite3_backup_finish(b);
	assert(rc == SQLITE_OK);
}

struct sqlite3 *template_fill(const struct schema *schema, const char *uri)
{
	for (size_t i = 0; i < kept_count; i++)
		if (kept[i].version == schema->version && kept[i].tables == schema->tables_count) {
			sqlite3 *db = open_uri(uri);

			copy(kept[i].db, db);
			return db;
		}
	return NULL;
}

void template_release(struct sqlite3 *held)
{
	(void)sqlite3_close(held);
}

void template_keep(const struct schema *schema, const char *uri)
{
	sqlite3 *db;

	if (kept_count == SCHEMAS_MAX) return;
	db = open_uri(uri);
	kept[kept_count].version = schema->version;
	kept[kept_count].tables = schema->tables_count;
	kept[kept_count].db = open_uri("file::memory:");
	copy(db, kept[kept_count++].db);
	(void)sqlite3_close(db);
}
