/*
 * store_sqlite_rows.c - domain rows, one lane at a time, and what hangs on them: candidates.
 *
 * Statements are built at open from the descriptors, names from nowhere else.  An update names only the
 * columns of its mask: naming all of them rewrites every index (1.9-2.2x the instructions,
 * measurements.md section 2), so that there is one statement per mask, the CACHED_MAX last used ones
 * kept.  Tables and lanes without fields in this build lie in the generic table `other`, where only
 * alive is a value of its own.
 */
#include "common/base.h"
#include "common/store_sqlite.h"

enum {
	SQL_BYTES_MAX = 64 * 1024,
	VIEW = 8,
	VIEW_SCOPE = 16,
	VIEW_ALL = 32,
	VIEW_ROW = 64,
	JOIN = 128,      /* + lane */
	VIEW_CLOSED = 4, /* of the numbers that no lane has */
	VIEW_WHERE_MAX = 8
};

/* ---- statements */

static const struct lane_rows *lane_of(const struct store *st, uint16_t table, unsigned lane)
{
	const struct table_rows *t = table < TABLES_MAX ? st->tables[table] : NULL;

	assert(lane < LANES);
	return t != NULL && t->lanes[lane].slots != 0 ? &t->lanes[lane] : NULL;
}

static int prepare_buf(struct store *st, struct buf *sql, sqlite3_stmt **ret)
{
	assert(!sql->full);
	return store_prepare(st, buf_cstr(sql), sql->len, ret);
}

static void print_columns(const struct table *t, unsigned lane, const struct lane_rows *l,
                          struct buf *sql)
{
	buf_print(sql, "id, scope, alive%u, clock%u, extra%u", lane, lane, lane);
	for (size_t i = 0; i < l->columns_count; i++)
		buf_print(sql, ", \"%s\"", table_slot(t, lane, l->columns[i])->name);
}

static void print_get(const struct table *t, unsigned lane, const struct lane_rows *l,
                      struct buf *sql)
{
	buf_text(sql, "SELECT ");
	print_columns(t, lane, l, sql);
	buf_print(sql, " FROM \"%s\" WHERE id = ?1 AND alive%u IS NOT NULL", t->name, lane);
}

static void print_scan(const struct table *t, unsigned lane, const struct lane_rows *l, bool scope,
                       struct buf *sql)
{
	buf_text(sql, "SELECT ");
	print_columns(t, lane, l, sql);
	buf_print(sql, " FROM \"%s\" WHERE id > ?1 AND alive%u IS NOT NULL%s ORDER BY id LIMIT ?2",
	          t->name, lane, scope ? " AND scope = ?3" : "");
}

static void print_insert(const struct table *t, unsigned lane, const struct lane_rows *l,
                         struct buf *sql)
{
	buf_print(sql, "INSERT INTO \"%s\"(", t->name);
	print_columns(t, lane, l, sql);
	buf_text(sql, ") VALUES(?1, ?2, ?3, ?4, ?5");
	for (size_t i = 0; i < l->columns_count; i++) buf_print(sql, ", ?%zu", 6 + i);
	buf_print(sql,
	          ") ON CONFLICT(id) DO UPDATE SET alive%u = excluded.alive%u, clock%u = "
	          "excluded.clock%u, "
	          "extra%u = excluded.extra%u",
	          lane, lane, lane, lane, lane, lane);
	for (size_t i = 0; i < l->columns_count; i++) {
		const char *name = table_slot(t, lane, l->columns[i])->name;

		buf_print(sql, ", \"%s\" = excluded.\"%s\"", name, name);
	}
	buf_print(sql, " WHERE alive%u IS NULL", lane);
}

/* OR FAIL: no statement journal, and what was inserted before a row that is there already stays. */
static void print_insert_many(const struct table *t, unsigned lane, const struct lane_rows *l,
                              struct buf *sql)
{
	buf_print(sql, "INSERT OR FAIL INTO \"%s\"(id, scope, alive%u", t->name, lane);
	for (size_t i = 0; i < l->columns_count; i++)
		buf_print(sql, ", \"%s\"", table_slot(t, lane, l->columns[i])->name);
	buf_text(sql, ") VALUES");
	for (size_t k = 0; k < LATER_ROWS; k++) {
		buf_print(sql, "%s(?, ?, 1", k > 0 ? ", " : "");
		for (size_t i = 0; i < l->columns_count; i++) buf_text(sql, ", ?");
		buf_text(sql, ")");
	}
}

static void print_drop(const struct table *t, unsigned lane, const struct lane_rows *l,
                       struct buf *sql)
{
	buf_print(sql, "UPDATE \"%s\" SET alive%u = NULL, clock%u = NULL, extra%u = NULL", t->name,
	          lane, lane, lane);
	for (size_t i = 0; i < l->columns_count; i++)
		buf_print(sql, ", \"%s\" = NULL", table_slot(t, lane, l->columns[i])->name);
	buf_text(sql, " WHERE id = ?1");
}

static void print_drop_empty(const struct table_rows *t, struct buf *sql)
{
	buf_print(sql, "DELETE FROM \"%s\" WHERE id = ?1", t->table->name);
	for (unsigned lane = 0; lane < ROW_LANES; lane++)
		if (t->lanes[lane].slots != 0) buf_print(sql, " AND alive%u IS NULL", lane);
}

static void print_update(const struct table *t, unsigned lane, uint64_t mask, struct buf *sql)
{
	unsigned at = 4;

	buf_print(sql, "UPDATE \"%s\" SET clock%u = ?2, extra%u = ?3", t->name, lane, lane);
	for (unsigned slot = 0; slot < SLOTS_MAX; slot++) {
		if ((mask >> slot & 1) == 0) continue;
		if (slot == 0)
			buf_print(sql, ", alive%u = ?%u", lane, at++);
		else
			buf_print(sql, ", \"%s\" = ?%u", table_slot(t, lane, slot)->name, at++);
	}
	buf_print(sql, " WHERE id = ?1 AND alive%u IS NOT NULL", lane);
}

/* By the key alone: its index and the row are all that is read. */
static void print_join(const struct table *t, unsigned lane, uint64_t mask, struct buf *sql)
{
	unsigned at = 3;

	buf_print(sql, "UPDATE \"%s\" SET clock%u = row_join(clock%u)", t->name, lane, lane);
	for (unsigned slot = 1; slot < SLOTS_MAX; slot++)
		if ((mask >> slot & 1) != 0)
			buf_print(sql, ", \"%s\" = ?%u", table_slot(t, lane, slot)->name, at++);
	buf_print(sql, " WHERE id = ?1 AND +scope = ?2 AND alive%u = 1 AND extra%u IS NULL", lane,
	          lane);
}

/* A column of a row, closed if it lies closed. */
static void bind_field(struct store *st, sqlite3_stmt *s, int i, const struct lane_rows *l,
                       uint16_t table, unsigned lane, unsigned slot, const struct row *r)
{
	struct value v = r->v[slot];

	if ((l->closed >> slot & 1) != 0) v = rest_value(st, table, lane, slot, r->id, v);
	bind_value(s, i, v);
}

static void lane_columns(const struct table *t, unsigned lane, struct lane_rows *l)
{
	l->slots = lane < ROW_LANES ? table_slots(t, lane) : 0;
	l->slots_count = 1;
	for (unsigned slot = 1; slot < SLOTS_MAX; slot++) {
		if ((l->slots >> slot & 1) == 0) continue;
		l->columns[l->columns_count++] = (uint8_t)slot;
		if (rest_field(table_slot(t, lane, slot))) l->closed |= UINT64_C(1) << slot;
		l->slots_count = slot + 1;
	}
}

/* A statement of one lane of one table, made at open, or with STORE_LAZY when first asked for. */
static int lane_query(struct store *st, uint16_t table, unsigned lane, enum lane_query q,
                      sqlite3_stmt **ret)
{
	const struct table *t = st->tables[table]->table;
	struct lane_rows *l = &st->tables[table]->lanes[lane];
	struct buf sql;
	int rc = 0;

	if (l->queries[q] == NULL) {
		buf_init(&sql, SQL_BYTES_MAX);
		switch (q) {
		case LANE_GET:
			print_get(t, lane, l, &sql);
			break;
		case LANE_INSERT:
			print_insert(t, lane, l, &sql);
			break;
		case LANE_INSERT_MANY:
			print_insert_many(t, lane, l, &sql);
			break;
		case LANE_DROP:
			print_drop(t, lane, l, &sql);
			break;
		case LANE_SCAN:
		case LANE_SCAN_SCOPE:
			print_scan(t, lane, l, q == LANE_SCAN_SCOPE, &sql);
			break;
		case LANE_QUERIES:
			assert(false);
		}
		rc = prepare_buf(st, &sql, &l->queries[q]);
		buf_done(&sql);
	}
	*ret = l->queries[q];
	return rc;
}

static int table_query(struct store *st, uint16_t table, enum table_query q, sqlite3_stmt **ret)
{
	struct table_rows *t = st->tables[table];
	struct buf sql;
	int rc = 0;

	if (t->queries[q] == NULL) {
		buf_init(&sql, SQL_BYTES_MAX);
		if (q == TABLE_HAS)
			buf_print(&sql, "SELECT 1 FROM \"%s\" WHERE id = ?1", t->table->name);
		else
			print_drop_empty(t, &sql);
		rc = prepare_buf(st, &sql, &t->queries[q]);
		buf_done(&sql);
	}
	*ret = t->queries[q];
	return rc;
}

static int open_table(struct store *st, const struct table *t)
{
	struct table_rows *rows = mem_alloc(sizeof(*rows));
	sqlite3_stmt *made;
	int rc = 0;

	assert(t->number > 0 && t->number < TABLES_MAX && st->tables[t->number] == NULL);
	st->tables[t->number] = rows;
	rows->table = t;
	for (unsigned lane = 0; lane < LANES; lane++) lane_columns(t, lane, &rows->lanes[lane]);
	if ((st->flags & STORE_LAZY) != 0) return 0;
	for (unsigned lane = 0; lane < LANES; lane++)
		for (enum lane_query q = 0; q < LANE_INSERT_MANY && rc == 0; q++)
			if (rows->lanes[lane].slots != 0)
				rc = lane_query(st, t->number, lane, q, &made);
	for (enum table_query q = 0; q < TABLE_QUERIES && rc == 0; q++)
		rc = table_query(st, t->number, q, &made);
	return rc;
}

int store_rows_open(struct store *st)
{
	int rc = 0;

	for (size_t i = 0; i < st->schema->tables_count && rc == 0; i++)
		rc = open_table(st, st->schema->tables[i]);
	return rc;
}

void store_rows_close(struct store *st)
{
	for (size_t i = 0; i < CACHED_MAX; i++) sqlite3_finalize(st->cached[i].stmt);
	for (size_t i = 0; i < TABLES_MAX; i++) {
		struct table_rows *t = st->tables[i];

		if (t == NULL) continue;
		for (unsigned lane = 0; lane < LANES; lane++)
			for (size_t q = 0; q < LANE_QUERIES; q++)
				sqlite3_finalize(t->lanes[lane].queries[q]);
		for (size_t q = 0; q < TABLE_QUERIES; q++) sqlite3_finalize(t->queries[q]);
		free(t);
	}
}

/* The statement kept under the key, or an empty place for it (the least recently used one's). */
static struct cached *cached_place(struct store *st, uint16_t table, uint8_t kind, uint64_t what)
{
	struct cached *oldest = &st->cached[0];

	for (size_t i = 0; i < CACHED_MAX; i++) {
		struct cached *c = &st->cached[i];

		if (c->stmt != NULL && c->what == what && c->table == table && c->kind == kind) {
			c->used = ++st->cached_tick;
			return c;
		}
		if (c->used < oldest->used) oldest = c;
	}
	sqlite3_finalize(oldest->stmt);
	*oldest = (struct cached){
	        .used = ++st->cached_tick, .what = what, .table = table, .kind = kind};
	return oldest;
}

/* kind: a lane, or JOIN + lane. */
static int update_statement(struct store *st, uint16_t table, unsigned kind, uint64_t mask,
                            sqlite3_stmt **ret)
{
	struct cached *c = cached_place(st, table, (uint8_t)kind, mask);
	struct buf sql;
	int rc = 0;

	if (c->stmt == NULL) {
		buf_init(&sql, SQL_BYTES_MAX);
		if ((kind & JOIN) != 0)
			print_join(st->tables[table]->table, kind & ~(unsigned)JOIN, mask, &sql);
		else
			print_update(st->tables[table]->table, kind, mask, &sql);
		rc = prepare_buf(st, &sql, &c->stmt);
		buf_done(&sql);
	}
	*ret = c->stmt;
	return rc;
}

/* ---- rows */

size_t store_slots(const struct store *st, uint16_t table, unsigned lane)
{
	const struct lane_rows *l = lane_of(st, table, lane);

	return l != NULL ? l->slots_count : 1;
}

/* Opens what lay closed of it. */
static int open_row(struct store *st, uint16_t table, unsigned lane, const struct lane_rows *l,
                    struct row *r, struct arena *a)
{
	int rc = 0;

	if (st->rest.state == REST_NONE) return 0;
	if (r->extra.len > 0) rc = rest_extra_open(st, table, lane, r->id, &r->extra, a);
	for (size_t i = 0; l != NULL && l->closed != 0 && i < l->columns_count && rc == 0; i++) {
		unsigned slot = l->columns[i];

		if ((l->closed >> slot & 1) != 0)
			rc = rest_value_open(st, table, lane, slot, r->id, &r->v[slot], a);
	}
	return rc;
}

/* l NULL: of the generic table.  NULL when the arena is full. */
static struct row *read_row(sqlite3_stmt *s, const struct lane_rows *l, struct arena *a)
{
	struct row *r = ARENA_ARRAY(a, struct row, 1);
	struct value *v = ARENA_ARRAY(a, struct value, l != NULL ? l->slots_count : 1);

	if (r == NULL || v == NULL) return NULL;
	r->v = v;
	col_fixed(s, 0, r->id, sizeof(r->id));
	r->scope = col_u32(s, 1);
	v[0] = col_value(s, 2, a);
	r->clock = col_span(s, 3, a);
	r->extra = col_span(s, 4, a);
	for (size_t i = 0; l != NULL && i < l->columns_count; i++)
		v[l->columns[i]] = col_value(s, 5 + (int)i, a);
	return a->full ? NULL : r;
}

/* What waits for this table is written first. */
static int later_of(struct store *st, uint16_t table)
{
	return st->later.rows_count > 0 && st->later.table == table ? later_rows(st) : 0;
}

static sqlite3_stmt *other_statement(struct store *st, enum store_query q, uint16_t table,
                                     unsigned lane, const uint8_t *id)
{
	sqlite3_stmt *s = query(st, q);

	bind_int(s, 1, table);
	bind_int(s, 2, lane);
	bind_span(s, 3, id, id != NULL ? 16 : 0);
	return s;
}

int store_rows_get(struct store *st, uint16_t table, unsigned lane, const uint8_t (*ids)[16],
                   size_t count, struct arena *a, struct row **ret_rows)
{
	const struct lane_rows *l = lane_of(st, table, lane);

	STORE_ENTER(st);
	if (later_of(st, table) != 0) return -st->err.code;
	for (size_t i = 0; i < count; i++) {
		sqlite3_stmt *s;
		int rc;

		if (l == NULL) {
			s = other_statement(st, Q_OTHER_GET, table, lane, ids[i]);
		} else {
			rc = lane_query(st, table, lane, LANE_GET, &s);
			if (rc < 0) return rc;
			bind_span(s, 1, ids[i], 16);
		}
		rc = step(st, s);
		if (rc < 0) return rc;
		ret_rows[i] = rc == 1 ? read_row(s, l, a) : NULL;
		sqlite3_reset(s);
		if (a->full) return store_fail_arena(st);
		if (ret_rows[i] != NULL && (rc = open_row(st, table, lane, l, ret_rows[i], a)) != 0)
			return rc;
	}
	return 0;
}

static void bind_row(struct store *st, sqlite3_stmt *s, const struct lane_rows *l, uint16_t table,
                     unsigned lane, const struct row *r)
{
	bind_span(s, 1, r->id, 16);
	bind_int(s, 2, r->scope);
	bind_value(s, 3, r->v[0]);
	bind_maybe(s, 4, r->clock);
	bind_maybe(s, 5, rest_extra(st, table, lane, r->id, r->extra));
	for (size_t i = 0; i < l->columns_count; i++)
		bind_field(st, s, 6 + (int)i, l, table, lane, l->columns[i], r);
}

int store_row_insert(struct store *st, uint16_t table, unsigned lane, const struct row *r,
                     bool *ret_fresh)
{
	const struct lane_rows *l = lane_of(st, table, lane);
	sqlite3_stmt *s;
	int rc;

	assert(r->v[0].type != VALUE_NULL);
	if (lane != LANE_OPEN && rest_ready(st) != 0) return -ERR_CLOSED;
	rest_begin(st);
	if (l == NULL) {
		s = other_statement(st, Q_OTHER_INSERT, table, lane, r->id);
		bind_int(s, 4, r->scope);
		bind_value(s, 5, r->v[0]);
		bind_maybe(s, 6, r->clock);
		bind_maybe(s, 7, rest_extra(st, table, lane, r->id, r->extra));
	} else {
		rc = lane_query(st, table, lane, LANE_INSERT, &s);
		if (rc != 0) return rc;
		bind_row(st, s, l, table, lane, r);
	}
	rc = step_done(st, s);
	if (rc == 0) *ret_fresh = sqlite3_changes(st->db) > 0;
	return rc;
}

int store_rows_insert(struct store *st, uint16_t table, unsigned lane, const struct row *rows,
                      size_t count, bool *ret_fresh)
{
	int rc;

	STORE_ENTER_WRITE(st);
	rc = later_of(st, table);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = store_row_insert(st, table, lane, &rows[i], &ret_fresh[i]);
	return rc;
}

int store_rows_insert_later(struct store *st, uint16_t table, unsigned lane, const struct row *row,
                            bool *ret_fresh)
{
	STORE_ENTER_WRITE(st);
	assert(lane_of(st, table, lane) != NULL && row->clock.len == 0 && row->extra.len == 0);
	assert(row->v[0].type == VALUE_INT && row->v[0].i == 1);
	return later_row(st, table, lane, row, ret_fresh);
}

int store_rows_settle(struct store *st)
{
	STORE_ENTER_WRITE(st);
	return later_rows(st);
}

int store_rows_insert_many(struct store *st, uint16_t table, unsigned lane,
                           const struct row *const *rows, size_t *ret_done)
{
	const struct lane_rows *l = lane_of(st, table, lane);
	sqlite3_stmt *s = NULL;
	int rc = lane_query(st, table, lane, LANE_INSERT_MANY, &s), at = 1;

	if (rc != 0) return rc;
	if (lane != LANE_OPEN && rest_ready(st) != 0) return -ERR_CLOSED;
	rest_begin(st);
	for (size_t k = 0; k < LATER_ROWS; k++) {
		bind_span(s, at++, rows[k]->id, 16);
		bind_int(s, at++, rows[k]->scope);
		for (size_t i = 0; i < l->columns_count; i++)
			bind_field(st, s, at++, l, table, lane, l->columns[i], rows[k]);
	}
	rc = sqlite3_step(s);
	if (rc == SQLITE_DONE) {
		*ret_done = LATER_ROWS;
	} else if (rc == SQLITE_CONSTRAINT_PRIMARYKEY || rc == SQLITE_CONSTRAINT_UNIQUE) {
		*ret_done = (size_t)sqlite3_changes(st->db);
		assert(*ret_done < LATER_ROWS);
		rc = SQLITE_DONE;
	}
	if (rc != SQLITE_DONE)
		rc = store_fail(st, sqlite3_extended_errcode(st->db), "database");
	else
		rc = 0;
	sqlite3_reset(s);
	return rc;
}

static int update_other(struct store *st, uint16_t table, unsigned lane, const struct row *r,
                        uint64_t mask)
{
	bool alive = (mask & 1) != 0;
	sqlite3_stmt *s = other_statement(st, alive ? Q_OTHER_UPDATE_ALIVE : Q_OTHER_UPDATE, table,
	                                  lane, r->id);

	rest_begin(st);
	bind_maybe(s, 4, r->clock);
	bind_maybe(s, 5, rest_extra(st, table, lane, r->id, r->extra));
	if (alive) bind_value(s, 6, r->v[0]);
	return step_done(st, s);
}

static int update_known(struct store *st, uint16_t table, unsigned lane, const struct row *r,
                        uint64_t mask)
{
	sqlite3_stmt *s = NULL;
	int rc = update_statement(st, table, lane, mask, &s), at = 4;

	if (rc != 0) return rc;
	rest_begin(st);
	bind_span(s, 1, r->id, 16);
	bind_maybe(s, 2, r->clock);
	bind_maybe(s, 3, rest_extra(st, table, lane, r->id, r->extra));
	for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
		if ((mask >> slot & 1) != 0)
			bind_field(st, s, at++, &st->tables[table]->lanes[lane], table, lane, slot,
			           r);
	return step_done(st, s);
}

int store_rows_update(struct store *st, uint16_t table, unsigned lane, const struct row *rows,
                      const uint64_t *masks, size_t count)
{
	const struct lane_rows *l = lane_of(st, table, lane);

	STORE_ENTER_WRITE(st);
	if (later_of(st, table) != 0) return -st->err.code;
	if (lane != LANE_OPEN && rest_ready(st) != 0) return -ERR_CLOSED;
	for (size_t i = 0; i < count; i++) {
		int rc;

		assert((masks[i] & 1) == 0 || rows[i].v[0].type != VALUE_NULL);
		rc = l == NULL ? update_other(st, table, lane, &rows[i], masks[i])
		               : update_known(st, table, lane, &rows[i], masks[i] & l->slots);
		if (rc != 0) return rc;
		assert(sqlite3_changes(st->db) ==
		       1); /* the rows exist: the engine has just read them */
	}
	return 0;
}

/* row_join(clock): what the caller of store_row_join makes of it.  Where that leaves the row as it is the statement ends
 * before it has written anything. */
static void row_join(sqlite3_context *c, int count, sqlite3_value **v)
{
	struct store *st = sqlite3_user_data(c);
	struct span was = {sqlite3_value_blob(v[0]), (size_t)sqlite3_value_bytes(v[0])}, is;

	assert(count == 1 && st->joining != NULL);
	st->join_left = !st->joining->join(st->joining, was, &is);
	if (st->join_left)
		sqlite3_result_error(c, "left", 4);
	else
		sqlite3_result_blob64(c, is.p, is.len, SQLITE_STATIC);
}

int store_rows_functions(struct store *st)
{
	int rc = sqlite3_create_function(st->db, "row_join", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, st,
	                                 row_join, NULL, NULL);

	return rc == SQLITE_OK ? 0 : store_fail(st, rc, "database");
}

int store_row_join(struct store *st, uint16_t table, unsigned lane, const struct row *row,
                   uint64_t mask, struct row_join *join, bool *ret_done)
{
	const struct lane_rows *l = lane_of(st, table, lane);
	sqlite3_stmt *s = NULL;
	int rc, at = 3;

	STORE_ENTER_WRITE(st);
	*ret_done = false;
	if (l == NULL) return 0; /* a row of the generic table: not in one pass */
	assert((mask & ~l->slots) == 0);
	assert(st->joining == NULL);
	if (later_of(st, table) != 0) return -st->err.code;
	if (lane != LANE_OPEN && rest_ready(st) != 0) return -ERR_CLOSED;
	rest_begin(st);
	rc = update_statement(st, table, JOIN | lane, mask & ~UINT64_C(1), &s);
	if (rc != 0) return rc;
	bind_span(s, 1, row->id, 16);
	bind_int(s, 2, row->scope);
	for (uint64_t left = mask & ~UINT64_C(1); left != 0; left &= left - 1)
		bind_field(st, s, at++, l, table, lane, (unsigned)__builtin_ctzll(left), row);
	st->joining = join;
	st->join_left = false;
	rc = sqlite3_step(s);
	st->joining = NULL;
	*ret_done = rc == SQLITE_DONE && sqlite3_changes(st->db) == 1;
	if (rc == SQLITE_DONE || st->join_left)
		rc = 0;
	else
		rc = store_fail(st, sqlite3_extended_errcode(st->db), "database");
	sqlite3_reset(s);
	return rc;
}

static struct known_row *known_place(struct store *st, uint16_t table, const uint8_t id[16]);

int store_row_drop(struct store *st, uint16_t table, unsigned lane, const uint8_t id[16])
{
	const struct lane_rows *l = lane_of(st, table, lane);
	sqlite3_stmt *s;
	int rc;

	STORE_ENTER_WRITE(st);
	if (later_of(st, table) != 0) return -st->err.code;
	memset(known_place(st, table, id), 0, sizeof(struct known_row));
	if (l == NULL) return step_done(st, other_statement(st, Q_OTHER_DROP, table, lane, id));
	rc = lane_query(st, table, lane, LANE_DROP, &s);
	if (rc != 0) return rc;
	bind_span(s, 1, id, 16);
	rc = step_done(st, s);
	if (rc == 0) rc = table_query(st, table, TABLE_DROP_EMPTY, &s);
	if (rc != 0) return rc;
	bind_span(s, 1, id, 16);
	return step_done(st, s);
}

static struct known_row *known_place(struct store *st, uint16_t table, const uint8_t id[16])
{
	uint64_t a, b;

	memcpy(&a, id, 8);
	memcpy(&b, id + 8, 8);
	a = (a ^ (b << 32 | b >> 32) ^ table) * UINT64_C(0x9e3779b97f4a7c15);
	return &st->known[(a >> 32) % KNOWN_ROWS];
}

int store_row_known(struct store *st, uint16_t table, const uint8_t id[16], bool *ret_known)
{
	struct known_row *k = known_place(st, table, id);
	sqlite3_stmt *s;
	int rc = 0;

	STORE_ENTER(st);
	*ret_known =
	        st->in_transaction && table != 0 && k->table == table && memcmp(k->id, id, 16) == 0;
	if (*ret_known) return 0;
	if (later_of(st, table) != 0) return -st->err.code;
	if (table < TABLES_MAX && st->tables[table] != NULL) {
		rc = table_query(st, table, TABLE_HAS, &s);
		if (rc != 0) return rc;
		bind_span(s, 1, id, 16);
		rc = step(st, s);
		sqlite3_reset(s);
	}
	for (unsigned lane = 0; lane < LANES && rc == 0; lane++) {
		if (lane_of(st, table, lane) != NULL) continue;
		s = other_statement(st, Q_OTHER_GET, table, lane, id);
		rc = step(st, s);
		sqlite3_reset(s);
	}
	if (rc < 0) return rc;
	*ret_known = rc == 1;
	if (rc != 1 || !st->in_transaction) return 0;
	k->table = table;
	memcpy(k->id, id, 16);
	return 0;
}

static void note_table(uint16_t *tables, size_t *count, uint16_t table)
{
	for (size_t i = 0; i < *count; i++)
		if (tables[i] == table) return;
	if (*count < TABLES_MAX) tables[(*count)++] = table;
}

int store_row_tables(struct store *st, const uint8_t id[16], uint16_t *ret_tables,
                     size_t *ret_count)
{
	sqlite3_stmt *s;
	size_t count = 0;
	int rc;

	STORE_ENTER(st);
	if (later_rows(st) != 0) return -st->err.code;
	for (uint16_t i = 0; i < TABLES_MAX; i++) {
		if (st->tables[i] == NULL) continue;
		rc = table_query(st, i, TABLE_HAS, &s);
		if (rc != 0) return rc;
		bind_span(s, 1, id, 16);
		rc = step(st, s);
		if (rc < 0) return rc;
		if (rc == 1) note_table(ret_tables, &count, i);
		sqlite3_reset(s);
	}
	s = query(st, Q_OTHER_TABLES);
	bind_span(s, 1, id, 16);
	while ((rc = step(st, s)) == 1) note_table(ret_tables, &count, (uint16_t)col_int(s, 0));
	if (rc == 0) *ret_count = count;
	return rc;
}

int store_table_next(struct store *st, uint16_t after, uint16_t *ret)
{
	sqlite3_stmt *s = query(st, Q_OTHER_NEXT);
	int64_t next = 0;
	int rc;

	STORE_ENTER(st);
	*ret = (uint16_t)(after + 1);
	if (after + 1 < TABLES_MAX) return 0;
	if (later_rows(st) != 0) return -st->err.code;
	bind_int(s, 1, after);
	rc = step_int(st, s, &next);
	*ret = rc == 0 ? (uint16_t)next : 0;
	return rc;
}

static int scan(struct store *st, sqlite3_stmt *s, uint16_t table, unsigned lane,
                const struct lane_rows *l, struct arena *a, struct row **ret_rows,
                size_t *ret_count)
{
	struct list rows = {.size = sizeof(struct row)};
	int rc;

	while ((rc = step(st, s)) == 1) {
		const struct row *r = read_row(s, l, a);

		if (r == NULL) break;
		memcpy(list_add(&rows), r, sizeof(*r));
	}
	sqlite3_reset(s);
	if (rc < 0) {
		free(rows.items);
		return rc;
	}
	rc = list_give(st, &rows, a, ret_rows, ret_count);
	for (size_t i = 0; rc == 0 && i < *ret_count; i++)
		rc = open_row(st, table, lane, l, &(*ret_rows)[i], a);
	return rc;
}

int store_rows_scan(struct store *st, uint16_t table, unsigned lane, uint32_t scope,
                    const uint8_t *after, size_t limit, struct arena *a, struct row **ret_rows,
                    size_t *ret_count)
{
	const struct lane_rows *l = lane_of(st, table, lane);
	sqlite3_stmt *s;

	STORE_ENTER(st);
	if (later_of(st, table) != 0) return -st->err.code;
	if (l == NULL) {
		s = other_statement(st, scope != 0 ? Q_OTHER_SCAN_SCOPE : Q_OTHER_SCAN, table, lane,
		                    after);
		bind_size(s, 4, limit);
		if (scope != 0) bind_int(s, 5, scope);
	} else {
		int rc = lane_query(st, table, lane, scope != 0 ? LANE_SCAN_SCOPE : LANE_SCAN, &s);

		if (rc != 0) return rc;
		bind_span(s, 1, after, after != NULL ? 16 : 0);
		bind_size(s, 2, limit);
		if (scope != 0) bind_int(s, 3, scope);
	}
	return scan(st, s, table, lane, l, a, ret_rows, ret_count);
}

int store_other_scan(struct store *st, uint16_t table, unsigned lane, const uint8_t *after,
                     size_t limit, struct arena *a, struct row **ret_rows, size_t *ret_count)
{
	sqlite3_stmt *s = other_statement(st, Q_OTHER_SCAN, table, lane, after);

	STORE_ENTER(st);
	if (later_of(st, table) != 0) return -st->err.code;
	bind_size(s, 4, limit);
	return scan(st, s, table, lane, NULL, a, ret_rows, ret_count);
}

int store_other_drop(struct store *st, uint16_t table, unsigned lane, const uint8_t id[16])
{
	STORE_ENTER_WRITE(st);
	if (later_of(st, table) != 0) return -st->err.code;
	memset(known_place(st, table, id), 0, sizeof(struct known_row));
	return step_done(st, other_statement(st, Q_OTHER_DROP, table, lane, id));
}

/* ---- views: whole rows for people */

struct view {
	const struct table_rows *t;
	const struct row_where *where;
	size_t where_count;
	uint8_t kind; /* VIEW | VIEW_SCOPE | VIEW_ALL | VIEW_ROW | VIEW_CLOSED */
	bool closed;  /* closed fields are not asked for */
};

static void print_view(const struct view *w, struct buf *sql)
{
	const struct table *t = w->t->table;
	const char * or = "";

	buf_text(sql, "SELECT id, scope");
	for (unsigned lane = 0; lane < ROW_LANES; lane++)
		if (w->t->lanes[lane].slots != 0)
			buf_print(sql, ", alive%u", lane);
		else
			buf_text(sql, ", NULL");
	for (size_t i = 0; i < t->fields_count; i++) buf_print(sql, ", \"%s\"", t->fields[i].name);
	buf_print(sql, " FROM \"%s\" WHERE ", t->name);
	if ((w->kind & VIEW_ROW) != 0)
		buf_text(sql, "id = ?1 LIMIT ?2");
	else
		buf_text(sql, "id > ?1");
	if ((w->kind & VIEW_ROW) != 0) return;
	if ((w->kind & VIEW_SCOPE) != 0) buf_text(sql, " AND scope = ?3");
	for (size_t i = 0; i < w->where_count; i++)
		if (!w->closed || !rest_field(w->where[i].field))
			buf_print(sql, " AND \"%s\" IS ?%zu", w->where[i].field->name, 4 + i);
	if ((w->kind & VIEW_ALL) == 0) {
		for (unsigned lane = 0; lane < ROW_LANES; lane++)
			if (w->t->lanes[lane].slots != 0)
				buf_print(sql, " AND coalesce(alive%u, 1) = 1", lane);
	}
	buf_text(sql, " AND (");
	for (unsigned lane = 0; lane < ROW_LANES; lane++) {
		if (w->t->lanes[lane].slots == 0) continue;
		buf_print(sql, "%salive%u IS NOT NULL", or, lane);
		or = " OR ";
	}
	buf_text(sql, ") ORDER BY id LIMIT ?2");
}

static int view_statement(struct store *st, const struct view *w, sqlite3_stmt **ret)
{
	struct cached *c;
	struct buf sql;
	uint64_t fields = 0;
	int rc = 0;

	assert(w->where_count <= VIEW_WHERE_MAX);
	for (size_t i = 0; i < w->where_count; i++)
		fields = fields << 8 | w->where[i].field->number;
	c = cached_place(st, w->t->table->number, w->kind, fields);
	if (c->stmt == NULL) {
		buf_init(&sql, SQL_BYTES_MAX);
		print_view(w, &sql);
		rc = prepare_buf(st, &sql, &c->stmt);
		buf_done(&sql);
	}
	*ret = c->stmt;
	return rc;
}

/* Values that lay closed, opened. */
static int open_view(struct store *st, const struct table *t, struct row_view *v, struct arena *a)
{
	int rc = 0;

	for (size_t i = 0; i < t->fields_count && rc == 0; i++)
		if (rest_field(&t->fields[i]))
			rc = rest_value_open(st, t->number, field_lane(&t->fields[i]),
			                     field_slot(&t->fields[i]), v->id, &v->values[i], a);
	return rc;
}

/* What lies closed cannot be asked of the database: is it so in this row? */
static bool view_holds(const struct table *t, const struct row_where *where, size_t count,
                       const struct row_view *v)
{
	for (size_t i = 0; i < count; i++)
		if (rest_field(where[i].field) &&
		    !value_equal(v->values[where[i].field - t->fields], where[i].value))
			return false;
	return true;
}

/* where: the conditions on closed fields among these are held here; limit: of rows that hold them. */
static int read_views(struct store *st, const struct table *t, sqlite3_stmt *s,
                      const struct row_where *where, size_t where_count, size_t limit,
                      struct arena *a, struct row_view **ret, size_t *ret_count)
{
	struct list views = {.size = sizeof(struct row_view)};
	int rc = 0;

	while (views.count < limit && (rc = step(st, s)) == 1) {
		struct row_view *v = list_add(&views);

		col_fixed(s, 0, v->id, sizeof(v->id));
		v->scope = col_u32(s, 1);
		for (int lane = 0; lane < ROW_LANES; lane++) {
			int type = sqlite3_column_type(s, 2 + lane);

			if (type == SQLITE_NULL) continue;
			v->lanes |= (uint8_t)(1 << lane);
			if (type != SQLITE_INTEGER || col_int(s, 2 + lane) != 1)
				v->dead |= (uint8_t)(1 << lane);
		}
		v->values = ARENA_ARRAY(a, struct value, t->fields_count);
		if (v->values == NULL) break;
		for (size_t i = 0; i < t->fields_count; i++)
			v->values[i] = col_value(s, 2 + ROW_LANES + (int)i, a);
		if (a->full) break;
		if (st->rest.state == REST_NONE) continue;
		rc = open_view(st, t, v, a);
		if (rc != 0) break;
		if (!view_holds(t, where, where_count, v)) views.count--;
	}
	sqlite3_reset(s);
	if (rc >= 0) return list_give(st, &views, a, ret, ret_count);
	free(views.items);
	return rc;
}

int store_rows_view(struct store *st, const struct table *t, const struct row_where *where,
                    size_t where_count, uint32_t scope, bool all, const uint8_t *after,
                    size_t limit, struct arena *a, struct row_view **ret, size_t *ret_count)
{
	struct view w = {st->tables[t->number], where, where_count,
	                 (uint8_t)(VIEW | (scope != 0 ? VIEW_SCOPE : 0) | (all ? VIEW_ALL : 0)),
	                 false};
	sqlite3_stmt *s = NULL;
	size_t most = limit;
	int rc;

	STORE_ENTER(st);
	if (later_of(st, t->number) != 0) return -st->err.code;
	assert(w.t != NULL);
	for (size_t i = 0; i < where_count && st->rest.state != REST_NONE; i++)
		if (rest_field(where[i].field)) w.closed = true;
	if (w.closed) {
		w.kind |= VIEW_CLOSED;
		most = SIZE_MAX;
	}
	rc = view_statement(st, &w, &s);
	if (rc != 0) return rc;
	bind_span(s, 1, after, after != NULL ? 16 : 0);
	bind_size(s, 2, most);
	if (scope != 0) bind_int(s, 3, scope);
	for (size_t i = 0; i < where_count; i++)
		if (!w.closed || !rest_field(where[i].field))
			bind_value(s, 4 + (int)i, where[i].value);
	return read_views(st, t, s, where, where_count, limit, a, ret, ret_count);
}

int store_row_view(struct store *st, const struct table *t, const uint8_t id[16], struct arena *a,
                   struct row_view **ret)
{
	struct view w = {st->tables[t->number], NULL, 0, VIEW | VIEW_ROW, false};
	sqlite3_stmt *s = NULL;
	size_t count;
	int rc;

	STORE_ENTER(st);
	if (later_of(st, t->number) != 0) return -st->err.code;
	assert(w.t != NULL);
	rc = view_statement(st, &w, &s);
	if (rc != 0) return rc;
	bind_span(s, 1, id, 16);
	bind_int(s, 2, 1);
	return read_views(st, t, s, NULL, 0, 1, a, ret, &count);
}

/* ---- plans of the statements built here */

static const char *const lane_names[LANE_INSERT_MANY] = {
        [LANE_GET] = "row_get",   [LANE_INSERT] = "row_insert",         [LANE_DROP] = "row_drop",
        [LANE_SCAN] = "row_scan", [LANE_SCAN_SCOPE] = "row_scan_scope",
};

static int plan_statement(struct store *st, const char *what, const struct table *t, unsigned lane,
                          sqlite3_stmt *s, struct buf *out)
{
	char name[128];

	(void)snprintf(name, sizeof(name), "%s %s.%u", what, t->name, lane);
	return store_plan_of(st, name, sqlite3_sql(s), out);
}

static int plan_lane(struct store *st, const struct table_rows *t, unsigned lane, struct buf *out)
{
	const struct lane_rows *l = &t->lanes[lane];
	sqlite3_stmt *update = NULL;
	int rc;

	if (l->slots == 0) return 0;
	rc = update_statement(st, t->table->number, lane, l->slots, &update);
	if (rc == 0) rc = plan_statement(st, "row_update", t->table, lane, update, out);
	if (rc == 0) rc = update_statement(st, t->table->number, JOIN | lane, 0, &update);
	if (rc == 0) rc = plan_statement(st, "row_join", t->table, lane, update, out);
	for (enum lane_query q = 0; q < LANE_INSERT_MANY && rc == 0;
	     q++) { /* that one has no plan */
		sqlite3_stmt *made = NULL;

		rc = lane_query(st, t->table->number, lane, q, &made);
		if (rc == 0) rc = plan_statement(st, lane_names[q], t->table, lane, made, out);
	}
	return rc;
}

/* Of a scope, by each indexed field: what screens ask for. */
static int plan_views(struct store *st, const struct table_rows *t, struct buf *out)
{
	sqlite3_stmt *s = NULL;
	struct view w = {t, NULL, 0, VIEW | VIEW_ROW, false};
	int rc = view_statement(st, &w, &s);

	if (rc == 0) rc = plan_statement(st, "row_view", t->table, 0, s, out);
	w.kind = VIEW | VIEW_SCOPE;
	if (rc == 0) rc = view_statement(st, &w, &s);
	if (rc == 0) rc = plan_statement(st, "rows_view_scope", t->table, 0, s, out);
	for (size_t i = 0; i < t->table->fields_count && rc == 0; i++) {
		struct row_where where = {&t->table->fields[i], {0}};

		if (!t->table->fields[i].indexed) continue;
		w.where = &where;
		w.where_count = 1;
		rc = view_statement(st, &w, &s);
		if (rc == 0)
			rc = plan_statement(st, "rows_view_field", t->table,
			                    t->table->fields[i].number, s, out);
	}
	return rc;
}

int store_rows_plans(struct store *st, struct buf *out)
{
	int rc = 0;

	for (size_t i = 0; i < TABLES_MAX && rc == 0; i++) {
		const struct table_rows *t = st->tables[i];

		if (t == NULL) continue;
		for (unsigned lane = 0; lane < ROW_LANES && rc == 0; lane++)
			rc = plan_lane(st, t, lane, out);
		for (enum table_query q = 0; q < TABLE_QUERIES && rc == 0; q++) {
			sqlite3_stmt *made = NULL;

			rc = table_query(st, t->table->number, q, &made);
			if (rc == 0)
				rc = plan_statement(st,
				                    q == TABLE_HAS ? "row_has" : "row_drop_empty",
				                    t->table, 0, made, out);
		}
		if (rc == 0) rc = plan_views(st, t, out);
	}
	return rc;
}

/* ---- candidates */

static void bind_candidate_key(sqlite3_stmt *s, uint16_t table, const uint8_t row[16],
                               unsigned lane)
{
	bind_int(s, 1, table);
	bind_span(s, 2, row, 16);
	bind_int(s, 3, lane);
}

static void read_candidate(sqlite3_stmt *s, void *item, struct arena *a)
{
	struct candidate *c = item;

	c->table = (uint16_t)col_int(s, 0);
	col_fixed(s, 1, c->row, sizeof(c->row));
	c->lane = col_u8(s, 2);
	c->slot = col_u8(s, 3);
	c->kind = col_u8(s, 4);
	c->scope = col_u32(s, 5);
	c->run = col_u32(s, 6);
	c->stamp = (uint64_t)col_int(s, 7);
	c->value = col_value(s, 8, a);
}

static int add_candidate(struct store *st, uint16_t table, const uint8_t row[16], unsigned lane,
                         size_t n, const struct candidate *c)
{
	sqlite3_stmt *s = query(st, Q_CANDIDATE_ADD);

	rest_begin(st);
	bind_candidate_key(s, table, row, lane);
	bind_size(s, 4, n);
	bind_int(s, 5, c->slot);
	bind_int(s, 6, c->kind);
	bind_int(s, 7, c->scope);
	bind_int(s, 8, c->run);
	bind_int(s, 9, (int64_t)c->stamp);
	bind_value(s, 10, rest_candidate(st, c, table, row, lane));
	return step_done(st, s);
}

int store_candidates_set(struct store *st, uint16_t table, const uint8_t row[16], unsigned lane,
                         const struct candidate *c, size_t count)
{
	sqlite3_stmt *s = query(st, Q_CANDIDATE_FIELDS);
	int64_t before = 0, after = 0;
	uint64_t slots = 0;
	int rc;

	STORE_ENTER_WRITE(st);
	if (lane != LANE_OPEN && count > 0 && rest_ready(st) != 0) return -ERR_CLOSED;
	bind_candidate_key(s, table, row, lane);
	rc = step_int(st, s, &before);
	if (rc == 0) { /* also where all that stood said the same */
		s = query(st, Q_CANDIDATE_CLEAR);
		bind_candidate_key(s, table, row, lane);
		rc = step_done(st, s);
	}
	for (size_t i = 0; i < count && rc == 0; i++) {
		assert(c[i].slot < SLOTS_MAX);
		if (c[i].kind != CANDIDATE_SAME) slots |= UINT64_C(1) << c[i].slot;
		rc = add_candidate(st, table, row, lane, i, &c[i]);
	}
	after = __builtin_popcountll(slots);
	if (rc != 0 || before == after) return rc;
	s = query(st, Q_TALLY_ADD);
	bind_text(s, 1, "candidate");
	bind_int(s, 2, after - before);
	return step_done(st, s);
}

int store_candidates_get(struct store *st, uint16_t table, const uint8_t row[16], unsigned lane,
                         struct arena *a, struct candidate **ret, size_t *ret_count)
{
	sqlite3_stmt *s = query(st, Q_CANDIDATE_GET);
	int rc;

	STORE_ENTER(st);
	bind_candidate_key(s, table, row, lane);
	rc = read_all(st, s, sizeof(**ret), read_candidate, a, ret, ret_count);
	return rc != 0 ? rc : rest_candidates_open(st, *ret, *ret_count, a);
}

int store_candidates_list(struct store *st, size_t limit, struct arena *a, struct candidate **ret,
                          size_t *ret_count)
{
	sqlite3_stmt *s = query(st, Q_CANDIDATE_LIST);
	int rc;

	STORE_ENTER(st);
	bind_size(s, 1, limit);
	rc = read_all(st, s, sizeof(**ret), read_candidate, a, ret, ret_count);
	return rc != 0 ? rc : rest_candidates_open(st, *ret, *ret_count, a);
}
