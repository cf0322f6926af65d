/*
 * store_sqlite_rest.c - what lies closed in the file: columns of tier T3 up, and of the closed lanes the bodies of the journal, the
 * tail, candidates, and values of fields that this build does not know.
 *
 * A closed thing is a blob: nonce 24, XChaCha20-Poly1305 of (type 1, bytes), tag 16, about the place where it lies, so
 * that none can be moved to another row.  Rows are found by what is open (ids, scopes, T2 columns with indexes); nothing is
 * searched for by a closed value: a view compares those after it has opened them.
 *
 * What does not open with the right key is given as it lies there.  It is damage, or what an older program left, and both
 * are seen by who compares with the journal (repair.c); an error here would end every way to mend it.
 *
 * The file says that it is closed by a value of meta, `rest`: hash-16 of the key.
 */
#include "common/base.h"
#include "common/crypt.h"
#include "common/store_sqlite.h"

enum {
	ABOUT_MAX = 48,
	HEAD_ONLY_KINDS = 1 << 1 | 1 << 2 | 1 << 4 /* segment, admission, certificate */
};

struct about {
	uint8_t p[ABOUT_MAX];
	size_t len;
};

static void about_add(struct about *a, const void *p, size_t len)
{
	assert(a->len + len <= sizeof(a->p));
	memcpy(a->p + a->len, p, len);
	a->len += len;
}

static struct about about_number(char what, uint32_t x, uint32_t y, uint32_t z)
{
	struct about a = {.len = 0};
	uint8_t b[13] = {(uint8_t)what};

	for (unsigned i = 0; i < 4; i++) {
		b[1 + i] = (uint8_t)(x >> 8 * i);
		b[5 + i] = (uint8_t)(y >> 8 * i);
		b[9 + i] = (uint8_t)(z >> 8 * i);
	}
	about_add(&a, b, sizeof(b));
	return a;
}

static struct about about_cell(char what, uint16_t table, unsigned lane, unsigned slot,
                               const uint8_t row[16])
{
	struct about a = about_number(what, table, lane, slot);

	about_add(&a, row, 16);
	return a;
}

static struct about about_entry(char what, const uint8_t hash[32])
{
	struct about a = {.len = 0};

	about_add(&a, &what, 1);
	about_add(&a, hash, 32);
	return a;
}

int rest_ready(struct store *st)
{
	if (st->rest.state != REST_CLOSED) return 0;
	return error_set(&st->err, ERR_CLOSED, "", NULL);
}

/* ---- bytes */

static struct span close_span(struct store *st, const struct about *about, struct span plain)
{
	uint8_t *p = arena_take(&st->rest.arena, plain.len + SEALED_MORE);

	sealer_close(&st->rest.sealer, span_of(about->p, about->len), plain, p);
	return span_of(p, plain.len + SEALED_MORE);
}

static int open_span(struct store *st, const struct about *about, struct span *s, struct arena *a)
{
	uint8_t *p;

	if (st->rest.state == REST_NONE || s->len == 0) return 0;
	if (st->rest.state == REST_CLOSED) return rest_ready(st);
	if (s->len < SEALED_MORE) return 0;
	p = arena_take(a, s->len - SEALED_MORE + 1);
	if (p == NULL) return store_fail_arena(st);
	if (sealer_open(&st->rest.sealer, span_of(about->p, about->len), *s, p))
		*s = span_of(p, s->len - SEALED_MORE);
	return 0;
}

/* The same where the bytes lie: large ones, which are the caller's copy.  What does not open is zeros then. */
static int open_place(struct store *st, const struct about *about, struct span *s)
{
	union {
		const uint8_t *p;
		uint8_t *q;
	} at = {.p = s->p};

	if (st->rest.state == REST_NONE || s->len == 0) return 0;
	if (st->rest.state == REST_CLOSED) return rest_ready(st);
	if (s->len < SEALED_MORE) return 0;
	(void)!sealer_open(&st->rest.sealer, span_of(about->p, about->len), *s, at.q + SEAL_NONCE);
	*s = span_of(s->p + SEAL_NONCE, s->len - SEALED_MORE);
	return 0;
}

void rest_begin(struct store *st)
{
	if (st->rest.state == REST_KEYED) arena_reset(&st->rest.arena);
}

/* ---- values */

static struct value close_value(struct store *st, const struct about *about, struct value v)
{
	uint8_t number[9], *p;
	struct span s;

	if (v.type == VALUE_NULL) return v;
	if (v.type == VALUE_INT) {
		number[0] = VALUE_INT;
		for (unsigned i = 0; i < 8; i++) number[1 + i] = (uint8_t)((uint64_t)v.i >> 8 * i);
		s = close_span(st, about, span_of(number, sizeof(number)));
		return value_bytes(s.p, s.len);
	}
	p = arena_take(&st->rest.arena, v.s.len + 1);
	p[0] = v.type;
	if (v.s.len > 0) memcpy(p + 1, v.s.p, v.s.len);
	s = close_span(st, about, span_of(p, v.s.len + 1));
	return value_bytes(s.p, s.len);
}

static int open_value(struct store *st, const struct about *about, struct value *v, struct arena *a)
{
	struct span s = v->s;
	uint64_t number = 0;
	int rc;

	if (v->type != VALUE_BYTES) return 0; /* null; or not closed by us */
	rc = open_span(st, about, &s, a);
	if (rc != 0 || s.p == v->s.p || s.len == 0) return rc;
	if (s.p[0] == VALUE_INT && s.len == 9) {
		for (unsigned i = 0; i < 8; i++) number |= (uint64_t)s.p[1 + i] << 8 * i;
		*v = value_int((int64_t)number);
	} else if (s.p[0] == VALUE_TEXT || s.p[0] == VALUE_BYTES) {
		*v = (struct value){.type = s.p[0], .s = {s.p + 1, s.len - 1}};
	}
	return 0;
}

/* ---- rows */

struct value rest_value(struct store *st, uint16_t table, unsigned lane, unsigned slot,
                        const uint8_t row[16], struct value v)
{
	struct about a = about_cell('v', table, lane, slot, row);

	return st->rest.state == REST_KEYED ? close_value(st, &a, v) : v;
}

int rest_value_open(struct store *st, uint16_t table, unsigned lane, unsigned slot,
                    const uint8_t row[16], struct value *v, struct arena *arena)
{
	struct about a = about_cell('v', table, lane, slot, row);

	return open_value(st, &a, v, arena);
}

struct span rest_extra(struct store *st, uint16_t table, unsigned lane, const uint8_t row[16],
                       struct span extra)
{
	struct about a = about_cell('x', table, lane, 0, row);

	if (st->rest.state != REST_KEYED || lane == LANE_OPEN || extra.len == 0) return extra;
	return close_span(st, &a, extra);
}

int rest_extra_open(struct store *st, uint16_t table, unsigned lane, const uint8_t row[16],
                    struct span *extra, struct arena *arena)
{
	struct about a = about_cell('x', table, lane, 0, row);

	return lane == LANE_OPEN ? 0 : open_span(st, &a, extra, arena);
}

struct value rest_candidate(struct store *st, const struct candidate *c, uint16_t table,
                            const uint8_t row[16], unsigned lane)
{
	struct about a = about_cell('c', table, lane, c->slot, row);

	if (st->rest.state != REST_KEYED || lane == LANE_OPEN) return c->value;
	return close_value(st, &a, c->value);
}

int rest_candidates_open(struct store *st, struct candidate *c, size_t count, struct arena *arena)
{
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		struct about a = about_cell('c', c[i].table, c[i].lane, c[i].slot, c[i].row);

		if (c[i].lane != LANE_OPEN) rc = open_value(st, &a, &c[i].value, arena);
	}
	return rc;
}

/* ---- tail and journal */

struct span rest_tail(struct store *st, const struct tail_item *t)
{
	struct about a = about_number('t', t->scope, t->lane, t->run);

	if (st->rest.state != REST_KEYED || t->lane == LANE_OPEN) return t->changeset;
	return close_span(st, &a, t->changeset);
}

int rest_tail_open(struct store *st, struct tail_item *t, size_t count)
{
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		struct about a = about_number('t', t[i].scope, t[i].lane, t[i].run);

		if (t[i].lane != LANE_OPEN) rc = open_place(st, &a, &t[i].changeset);
	}
	return rc;
}

/* Of a hole and of what this build does not know the head may say as much as the body. */
static bool head_says(unsigned kind)
{
	return kind > 7 || !(HEAD_ONLY_KINDS >> kind & 1);
}

static size_t plain_len(size_t len)
{
	return len >= SEALED_MORE ? len - SEALED_MORE : len;
}

size_t rest_entry_len(const struct store *st, unsigned kind, unsigned lane, size_t head,
                      size_t body)
{
	if (st->rest.state == REST_NONE || lane == LANE_OPEN) return head + body;
	return (head_says(kind) ? plain_len(head) : head) + plain_len(body);
}

void rest_entry(struct store *st, unsigned kind, unsigned lane, const uint8_t hash[32],
                struct span *head, struct span *body)
{
	struct about a = about_entry('h', hash), b = about_entry('b', hash);

	if (st->rest.state != REST_KEYED || lane == LANE_OPEN) return;
	if (head_says(kind) && head->len > 0) *head = close_span(st, &a, *head);
	if (body->len > 0) *body = close_span(st, &b, *body);
}

int rest_entry_open(struct store *st, struct entry *e)
{
	struct about a = about_entry('h', e->hash), b = about_entry('b', e->hash);
	int rc = 0;

	if (e->lane == LANE_OPEN) return 0;
	if (head_says(e->kind)) rc = open_place(st, &a, &e->head);
	return rc != 0 ? rc : open_place(st, &b, &e->body);
}

/* ---- the key */

static void key_name(const uint8_t key[SEAL_KEY], uint8_t ret[16])
{
	static const char what[] = "jinguo rest";
	struct hash h;

	hash_begin(&h, 16);
	hash_add(&h, what, sizeof(what) - 1);
	hash_add(&h, key, SEAL_KEY);
	hash_end(&h, ret, 16);
}

/* What the file says; called when it is opened and when another connection has committed. */
int rest_look(struct store *st)
{
	sqlite3_stmt *s = query(st, Q_META_GET);
	int rc;

	if (st->rest.state != REST_NONE) return 0;
	bind_text(s, 1, "rest");
	rc = step(st, s);
	if (rc < 0) return rc;
	if (rc == 1) {
		col_fixed(s, 0, st->rest.name, sizeof(st->rest.name));
		st->rest.state = REST_CLOSED;
		sqlite3_reset(s);
	}
	return 0;
}

bool store_closed(const struct store *st)
{
	return st->rest.state == REST_CLOSED;
}

bool store_rest_key(const struct store *st, uint8_t ret[SEAL_KEY])
{
	if (st->rest.state != REST_KEYED) return false;
	memcpy(ret, st->rest.sealer.key, SEAL_KEY);
	return true;
}

static void take_key(struct store *st, const uint8_t key[SEAL_KEY], const uint8_t salt[16])
{
	arena_init(&st->rest.arena, 0);
	sealer_init(&st->rest.sealer, key, salt);
	key_name(key, st->rest.name);
	st->rest.state = REST_KEYED;
}

void rest_done(struct store *st)
{
	if (st->rest.state == REST_KEYED) arena_done(&st->rest.arena);
	sealer_done(&st->rest.sealer);
}

/* ---- closing what lies open: once in the life of a file */

/* Statement of one column: reads (key, value), writes it.  `update` has ?1 the key. */
static int close_column(struct store *st, const char *select, const char *update, bool is_value,
                        int (*about)(sqlite3_stmt *s, struct about *ret), struct arena *a)
{
	struct item {
		int64_t key;
		struct about about;
		struct value v;
	};
	struct list l = {.size = sizeof(struct item)};
	sqlite3_stmt *read = NULL, *write = NULL;
	struct item *items = NULL;
	int64_t after = INT64_MIN;
	size_t n = 1;
	int rc = store_prepare(st, select, strlen(select), &read);

	rc = rc != 0 ? rc : store_prepare(st, update, strlen(update), &write);
	while (rc == 0 && n > 0) {
		bind_int(read, 1, after);
		l = (struct list){.size = sizeof(struct item)};
		while ((rc = step(st, read)) == 1) {
			struct item *x = list_add(&l);

			x->key = after = col_int(read, 0);
			x->v = col_value(read, 1, a);
			(void)about(read, &x->about);
		}
		sqlite3_reset(read);
		if (rc == 0) rc = list_give(st, &l, a, &items, &n);
		for (size_t i = 0; i < n && rc == 0; i++) {
			struct value v = items[i].v;

			rest_begin(st);
			if (is_value)
				v = close_value(st, &items[i].about, v);
			else if (v.type == VALUE_BYTES && v.s.len > 0)
				v.s = close_span(st, &items[i].about, v.s);
			bind_int(write, 1, items[i].key);
			bind_value(write, 2, v);
			rc = step_done(st, write);
		}
		arena_reset(a);
	}
	sqlite3_finalize(read);
	sqlite3_finalize(write);
	return rc;
}

/* Columns from the third on say what it is about. */
static int about_of_cell(sqlite3_stmt *s, struct about *ret)
{
	uint8_t row[16];

	col_fixed(s, 2, row, sizeof(row));
	*ret = about_cell((char)col_int(s, 3), (uint16_t)col_int(s, 4), col_u8(s, 5), col_u8(s, 6),
	                  row);
	return 0;
}

static int about_of_tail(sqlite3_stmt *s, struct about *ret)
{
	*ret = about_number('t', col_u32(s, 2), col_u32(s, 3), col_u32(s, 4));
	return 0;
}

static int about_of_entry(sqlite3_stmt *s, struct about *ret)
{
	uint8_t hash[32];

	col_fixed(s, 2, hash, sizeof(hash));
	*ret = about_entry((char)col_int(s, 3), hash);
	return 0;
}

static int close_cells(struct store *st, const char *table, const char *column, const char *row,
                       char what, const char *where, struct arena *a)
{
	char select[640], update[256];

	(void)snprintf(
	        select, sizeof(select),
	        "SELECT rowid, \"%s\", %s, %d, %s FROM \"%s\" WHERE rowid > ?1 AND \"%s\" IS "
	        "NOT NULL ORDER BY rowid LIMIT 500",
	        column, row, what, where, table, column);
	(void)snprintf(update, sizeof(update), "UPDATE \"%s\" SET \"%s\" = ?2 WHERE rowid = ?1",
	               table, column);
	return close_column(st, select, update, what == 'v', about_of_cell, a);
}

static int close_table(struct store *st, const struct table *t, struct arena *a)
{
	char name[24], place[64];
	int rc = 0;

	for (size_t i = 0; i < t->fields_count && rc == 0; i++) {
		const struct field *f = &t->fields[i];

		if (!rest_field(f)) continue;
		(void)snprintf(place, sizeof(place), "%u, %u, %u", t->number, field_lane(f),
		               field_slot(f));
		rc = close_cells(st, t->name, f->name, "id", 'v', place, a);
	}
	for (unsigned lane = LANE_COUNTY; lane < ROW_LANES && rc == 0; lane++) {
		if (table_slots(t, lane) == 0) continue;
		(void)snprintf(name, sizeof(name), "extra%u", lane);
		(void)snprintf(place, sizeof(place), "%u, %u, 0", t->number, lane);
		rc = close_cells(st, t->name, name, "id", 'x', place, a);
	}
	return rc;
}

/* `other` and `candidate` have no rowid: a copy is made and put in their place, a list of what there is first. */
static int close_keyed(struct store *st, struct arena *a)
{
	static const char others[] =
	        "SELECT tbl, id, lane, extra FROM other WHERE lane > 0 AND extra IS NOT NULL";
	static const char other_put[] =
	        "UPDATE other SET extra = ?4 WHERE tbl = ?1 AND id = ?2 AND lane = ?3";
	static const char candidates[] = "SELECT tbl, row, lane, value, n, slot FROM candidate "
	                                 "WHERE lane > 0 AND value IS NOT NULL";
	static const char candidate_put[] = "UPDATE candidate SET value = ?4 WHERE tbl = ?1 AND "
	                                    "row = ?2 AND lane = ?3 AND n = ?5";

	for (int pass = 0; pass < 2; pass++) {
		const char *select = pass == 0 ? others : candidates;
		const char *update = pass == 0 ? other_put : candidate_put;
		struct item {
			uint16_t table;
			uint8_t row[16], lane, slot;
			int64_t n;
			struct value v;
		} *items = NULL;
		struct list l = {.size = sizeof(struct item)};
		sqlite3_stmt *read = NULL, *write = NULL;
		size_t n = 0;
		int rc = store_prepare(st, select, strlen(select), &read);

		rc = rc != 0 ? rc : store_prepare(st, update, strlen(update), &write);
		while (rc == 0 && (rc = step(st, read)) == 1) {
			struct item *x = list_add(&l);

			x->table = (uint16_t)col_int(read, 0);
			col_fixed(read, 1, x->row, sizeof(x->row));
			x->lane = col_u8(read, 2);
			x->v = col_value(read, 3, a);
			if (pass == 1) {
				x->n = col_int(read, 4);
				x->slot = col_u8(read, 5);
			}
			rc = 0;
		}
		if (rc == 0) rc = list_give(st, &l, a, &items, &n);
		for (size_t i = 0; i < n && rc == 0; i++) {
			struct item *x = &items[i];
			struct about about = about_cell(pass == 0 ? 'x' : 'c', x->table, x->lane,
			                                x->slot, x->row);

			rest_begin(st);
			if (pass == 1)
				x->v = close_value(st, &about, x->v);
			else
				x->v.s = close_span(st, &about, x->v.s);
			bind_int(write, 1, x->table);
			bind_span(write, 2, x->row, 16);
			bind_int(write, 3, x->lane);
			bind_value(write, 4, x->v);
			if (pass == 1) bind_int(write, 5, x->n);
			rc = step_done(st, write);
		}
		sqlite3_finalize(read);
		sqlite3_finalize(write);
		arena_reset(a);
		if (rc != 0) return rc;
	}
	return 0;
}

static int close_journal(struct store *st, struct arena *a)
{
	static const char tail[] =
	        "SELECT id, changeset, scope, lane, run FROM tail WHERE id > ?1 AND "
	        "lane > 0 ORDER BY id LIMIT 100";
	static const char tail_put[] = "UPDATE tail SET changeset = ?2 WHERE id = ?1";
	static const char body[] =
	        "SELECT recv, body, hash, 98 FROM journal WHERE recv > ?1 AND lane > 0 "
	        "AND length(body) > 0 ORDER BY recv LIMIT 50";
	static const char body_put[] = "UPDATE journal SET body = ?2 WHERE recv = ?1";
	static const char head[] =
	        "SELECT recv, head, hash, 104 FROM journal WHERE recv > ?1 AND lane > 0 "
	        "AND kind NOT IN (1, 2, 4) ORDER BY recv LIMIT 50";
	static const char head_put[] = "UPDATE journal SET head = ?2 WHERE recv = ?1";
	int rc = close_column(st, tail, tail_put, false, about_of_tail, a);

	rc = rc != 0 ? rc : close_column(st, body, body_put, false, about_of_entry, a);
	return rc != 0 ? rc : close_column(st, head, head_put, false, about_of_entry, a);
}

static int close_all(struct store *st)
{
	sqlite3_stmt *s = query(st, Q_META_PUT);
	struct arena a;
	int rc = 0;

	arena_init(&a, 0);
	for (size_t i = 0; i < st->schema->tables_count && rc == 0; i++)
		rc = close_table(st, st->schema->tables[i], &a);
	rc = rc != 0 ? rc : close_keyed(st, &a);
	rc = rc != 0 ? rc : close_journal(st, &a);
	arena_done(&a);
	if (rc != 0) return rc;
	bind_text(s, 1, "rest");
	bind_span(s, 2, st->rest.name, sizeof(st->rest.name));
	return step_done(st, s);
}

int store_rest(struct store *st, const uint8_t key[SEAL_KEY], const uint8_t salt[16])
{
	uint8_t name[16];
	int rc;

	STORE_ENTER(st);
	assert(!st->in_transaction);
	key_name(key, name);
	if (st->rest.state == REST_NONE && (st->flags & STORE_READ_ONLY) == 0) {
		rc = store_begin(st);
		if (rc == 0) rc = rest_look(st); /* another process may have been quicker */
		if (rc == 0 && st->rest.state == REST_NONE) {
			take_key(st, key, salt);
			rc = close_all(st);
			rc = rc != 0 ? rc : store_commit(st);
			if (rc != 0) {
				store_rollback(st);
				rest_done(st);
				st->rest.state = REST_NONE;
				return rc;
			}
			/* The log still has the pages as they were. */
			(void)sqlite3_wal_checkpoint_v2(st->db, "main", SQLITE_CHECKPOINT_TRUNCATE,
			                                NULL, NULL);
			return 0;
		}
		store_rollback(st);
		if (rc != 0) return rc;
	}
	if (st->rest.state == REST_NONE) return 0;
	if (memcmp(name, st->rest.name, sizeof(name)) != 0)
		return error_set(&st->err, ERR_KEYS, "",
		                 "this key is not the one that closed the database");
	if (st->rest.state == REST_CLOSED) take_key(st, key, salt);
	return 0;
}
