/*
 * store_sqlite_fold.c - what coverage asks for, kept as rows change.
 *
 * A province has 17,498 communities with four kinds in every month: summed up when somebody asks, that is half a second
 * and grows with every month.  The triggers of store_fold.sql keep the sums of each township with the rows, so that no
 * way of writing a row passes them by; a question reads some ten thousand small rows.
 */
#include "common/base.h"
#include "common/store_sqlite.h"

static const char sql_text[] =
#include "common/store_fold.sql.h"
        ;

static const char *const names[FOLD_COUNT] = {
        "fold_check",  "fold_sites",     "fold_top",        "fold_sums",
        "fold_before", "fold_busy_year", "fold_busy_years",
};

static bool has_field(const struct schema *s, uint16_t table, const char *name)
{
	const struct table *t = schema_table(s, table);

	return t != NULL && table_field_named(t, name) != NULL;
}

bool store_folds_kept(struct store *st)
{
	const struct schema *s = st->schema;

	return has_field(s, TABLE_ORG_UNIT, "level") && has_field(s, TABLE_ORG_UNIT, "parent") &&
	       has_field(s, TABLE_DEVICE, "org") && has_field(s, TABLE_DEVICE, "revoked") &&
	       has_field(s, TABLE_CORRECTION, "base") && has_field(s, TABLE_CORRECTION, "value") &&
	       has_field(s, TABLE_CORRECTION, "closed_base");
}

int store_fold_bring(struct store *st)
{
	static const char known[] =
	        "SELECT count(*) FROM sqlite_schema WHERE type = 'view' AND name = 'folding'";
	sqlite3_stmt *s = NULL;
	int64_t there = 0;
	int rc;

	if (!store_folds_kept(st)) return 0;
	rc = store_prepare(st, known, sizeof(known) - 1, &s);
	if (rc == 0) rc = step_int(st, s, &there);
	sqlite3_finalize(s);
	if (rc != 0 || there != 0) return rc;
	rc = store_run(st, store_block(sql_text, "fold_tables"));
	return rc != 0 ? rc : store_run(st, store_block(sql_text, "fold_rebuild"));
}

static int fold_query(struct store *st, enum fold_query q, sqlite3_stmt **ret)
{
	int rc = 0;

	if (st->folds[q] == NULL) {
		struct span sql = store_block(sql_text, names[q]);
		rc = store_prepare(st, (const char *)sql.p, sql.len, &st->folds[q]);
	}
	*ret = st->folds[q];
	return rc;
}

/* The places, found by their ordinal. */
struct places {
	struct list list;
	uint32_t *at; /* by ordinal: index + 1 */
	size_t room;
};

static struct fold *place_add(struct places *p, uint32_t ord)
{
	struct fold *f = list_add(&p->list);

	if (ord >= p->room) {
		size_t room = p->room;
		p->room = 2 * (size_t)ord + 1024;
		p->at = mem_grow(p->at, p->room * sizeof(*p->at));
		memset(p->at + room, 0, (p->room - room) * sizeof(*p->at));
	}
	p->at[ord] = (uint32_t)p->list.count;
	f->place = ord;
	return f;
}

/* NULL: numbers of what is nobody's place, like a community without a parent. */
static struct fold *place_of(const struct places *p, uint32_t ord)
{
	if (ord >= p->room || p->at[ord] == 0) return NULL;
	return (struct fold *)(void *)p->list.items + (p->at[ord] - 1);
}

static int read_tops(struct store *st, struct places *p)
{
	sqlite3_stmt *s;
	int rc = fold_query(st, FOLD_TOP, &s);

	if (rc != 0) return rc;
	while ((rc = step(st, s)) == 1) {
		struct fold *f = place_add(p, col_u32(s, 0));

		col_fixed(s, 1, f->id, sizeof(f->id));
	}
	return rc;
}

static int read_sites(struct store *st, struct places *p)
{
	sqlite3_stmt *s;
	int rc = fold_query(st, FOLD_SITES, &s);

	if (rc != 0) return rc;
	while ((rc = step(st, s)) == 1) {
		uint32_t ord = col_u32(s, 0);
		struct fold *f = place_of(p, ord);

		if (f == NULL) f = place_add(p, ord);
		col_fixed(s, 1, f->id, sizeof(f->id));
		f->up = col_u32(s, 2);
		f->sites = col_int(s, 3);
		f->with_device = col_int(s, 4);
	}
	return rc;
}

static int read_sums(struct store *st, struct places *p, int64_t from, int64_t to)
{
	sqlite3_stmt *s;
	int rc = fold_query(st, FOLD_SUMS, &s);

	if (rc != 0) return rc;
	bind_int(s, 1, from);
	bind_int(s, 2, to);
	while ((rc = step(st, s)) == 1) {
		struct fold *f = place_of(p, col_u32(s, 0));

		if (f == NULL) continue;
		f->volunteers = col_int(s, 1);
		f->activities = col_int(s, 2);
		f->participations = col_int(s, 3);
		f->minutes = col_int(s, 4);
		f->unsettled = col_int(s, 5);
	}
	return rc;
}

/* Volunteers are counted from the first of them on. */
static int read_before(struct store *st, struct places *p, int64_t from)
{
	sqlite3_stmt *s;
	int rc = fold_query(st, FOLD_BEFORE, &s);

	if (rc != 0) return rc;
	bind_int(s, 1, from);
	while ((rc = step(st, s)) == 1) {
		struct fold *f = place_of(p, col_u32(s, 0));

		if (f == NULL) continue;
		f->volunteers += col_int(s, 1);
		f->unsettled += col_int(s, 2);
	}
	return rc;
}

static int read_busy(struct store *st, struct places *p, int64_t from, int64_t to)
{
	sqlite3_stmt *s;
	int rc = fold_query(st, from / 100 == to / 100 ? FOLD_BUSY_YEAR : FOLD_BUSY_YEARS, &s);

	if (rc != 0) return rc;
	bind_int(s, 1, from);
	bind_int(s, 2, to);
	while ((rc = step(st, s)) == 1) {
		struct fold *f = place_of(p, col_u32(s, 0));

		if (f != NULL) f->active = col_int(s, 1);
	}
	return rc;
}

static int compare_places(const void *a, const void *b)
{
	const struct fold *x = a, *y = b;

	return x->place < y->place ? -1 : x->place > y->place;
}

int store_folds(struct store *st, int64_t from, int64_t to, struct arena *a, struct fold **ret,
                size_t *ret_count)
{
	struct places p = {.list = {.size = sizeof(struct fold)}};
	int rc;

	STORE_ENTER(st);
	assert(store_folds_kept(st));
	rc = later_sums(st);
	if (rc == 0) rc = read_tops(st, &p);
	if (rc == 0) rc = read_sites(st, &p);
	if (rc == 0) rc = read_sums(st, &p, from, to);
	if (rc == 0) rc = read_before(st, &p, from);
	if (rc == 0) rc = read_busy(st, &p, from, to);
	free(p.at);
	if (rc == 0 && p.list.count > 0)
		qsort(p.list.items, p.list.count, sizeof(struct fold), compare_places);
	if (rc != 0) {
		free(p.list.items);
		return rc;
	}
	return list_give(st, &p.list, a, ret, ret_count);
}

int store_folds_check(struct store *st, int64_t *ret_off)
{
	sqlite3_stmt *s;
	int rc;

	STORE_ENTER(st);
	*ret_off = 0;
	if (!store_folds_kept(st)) return 0;
	rc = later_sums(st);
	if (rc == 0) rc = fold_query(st, FOLD_CHECK, &s);
	return rc != 0 ? rc : step_int(st, s, ret_off);
}

int store_folds_rebuild(struct store *st)
{
	int rc;

	STORE_ENTER_WRITE(st);
	if (!store_folds_kept(st)) return 0;
	rc = later_sums(st);
	return rc != 0 ? rc : store_run(st, store_block(sql_text, "fold_rebuild"));
}
