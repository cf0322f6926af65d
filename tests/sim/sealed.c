/*
 * sealed.c - see sealed.h.
 *
 * The keys of the officers are of fixed seeds: what is certified, and by whom, is the world's.  Officer 0 and the recovery key are
 * certified when first somebody wants to seal, officer 1 in the middle.
 */
#include "common/base.h"

#include "tests/sim/sealed.h"

#include "common/envelope.h"
#include "common/ident.h"
#include "node/unseal.h"
#include "proto/officer.h"

enum { CONFIG_STREAM = 62, RUN_STREAM = 6201, RECORDS_MAX = 64, OFFICERS = 3 };
enum { FIRST, LATER, RECOVERY };
#define CANARY_SEALED "sealed canary "
#define LIFE_MS       (INT64_C(200) * 365 * 86400000) /* clocks of this world are wrong by decades */

struct sealed_record {
	uint8_t row[16], of[16];
	unsigned n, to; /* to: a bit for each officer */
};
struct sealed {
	bool certified, later;
	uint8_t cases[WORLD_DEVICES_MAX][16]; /* of each device; zeros: none yet */
	struct sealed_record records[RECORDS_MAX];
	size_t records_count;
};

int64_t sealed_config(const struct config *c)
{
	struct random rnd = random_stream(c->seed, CONFIG_STREAM);

	return c->tiers == 3 && random_chance(&rnd, 400) ? random_range(&rnd, 2, 20) : 0;
}

void sealed_plan(struct world *w, int64_t from_ms, int64_t until_ms)
{
	struct random rnd = random_stream(w->config.seed, RUN_STREAM);

	if (w->config.sealed <= 0) return;
	w->sealed = mem_alloc(sizeof(*w->sealed));
	for (int64_t i = 0; i < w->config.sealed; i++)
		world_at(w, random_range(&rnd, from_ms, until_ms), AT_SEALED, 0, (unsigned)i, 0);
}

void sealed_end(struct world *w)
{
	free(w->sealed);
	w->sealed = NULL;
}

static void keys(unsigned who, struct officer_keys *ret)
{
	uint8_t seed[32] = {(uint8_t)(0xa0 + who)};

	officer_keys(seed, ret);
}

static bool knows(const struct device *d)
{
	return schema_table(device_schema(d), TABLE_CASE_RECORD) != NULL;
}

static void content_of(unsigned n, struct buf *out)
{
	buf_print(out, CANARY_SEALED "%u: ", n);
	for (unsigned i = 0; i < n % 7 * 300; i++) buf_u8(out, (uint8_t)('a' + i % 26));
}

/* ---- the province */

struct certifying {
	unsigned who;
	const uint8_t *unit;
};

static int work_certify(struct device *d, void *ctx)
{
	static const uint8_t nobody[8];
	const struct certifying *x = ctx;
	struct officer_request q = {.role = x->who == RECOVERY ? OFFICER_RECOVERY : OFFICER_RIGHTS};
	struct officer_keys k;

	keys(x->who, &k);
	memcpy(q.sign_key, k.sign_public, 32);
	memcpy(q.link_key, k.link_public, 32);
	memcpy(q.unit, x->unit, 16);
	return replica_certify_officer(d->replica, &q, LIFE_MS, nobody);
}

/* In the scope of every county. */
static bool certify(struct world *w, unsigned who)
{
	struct device *top = w->devices[0];

	if (top->replica == NULL || !top->joined || !knows(top)) return false;
	for (size_t i = 0; i < w->units_count; i++) {
		struct certifying x = {who, w->units[i].id};

		if (w->units[i].level == LEVEL_COUNTY &&
		    device_transaction(top, "certify", work_certify, &x) != 0)
			return false;
	}
	device_turn_at(w, top, w->now_ms);
	return true;
}

/* ---- sealing */

struct asking {
	uint32_t scope;
	struct arena *arena;
	uint8_t (*to)[LINK_KEY];
	size_t count;
	int rc;
};

/* Whom to seal to; that it may not is an answer, not an error of the machine. */
static int work_recipients(struct device *d, void *ctx)
{
	struct asking *x = ctx;

	x->rc = replica_recipients(d->replica, x->scope ? x->scope : replica_own_scope(d->replica),
	                           x->arena, &x->to, &x->count);
	return x->rc == -ERR_OFFICERS ? 0 : x->rc;
}

static void draw(void *ctx, void *ret, size_t len)
{
	random_bytes(ctx, ret, len);
}

static int write_row(struct device *d, const struct table *t, const uint8_t *id,
                     const struct field_write *f, size_t count, const uint8_t *scope,
                     uint8_t ret[16])
{
	struct write x = {.kind = WRITE_INSERT,
	                  .table = t,
	                  .has_id = id != NULL,
	                  .fields = f,
	                  .fields_count = count};
	int rc;

	if (id) memcpy(x.row, id, 16);
	if (scope) memcpy(x.scope, scope, 16);
	rc = device_write(d, &x, 1, false, false);
	memcpy(ret, x.row, 16);
	return rc;
}

static bool case_of(struct device *d, uint8_t ret[16])
{
	const struct table *t = schema_table(device_schema(d), TABLE_RESTRICTED_CASE);
	uint8_t *there = d->world->sealed->cases[d->number];

	if (id_is_zero(there)) {
		struct field_write f[] = {
		        {table_field_named(t, "case_no"), value_text("2025-7")},
		        {table_field_named(t, "state"), value_text("open")},
		};

		if (write_row(d, t, NULL, f, ARRAY_COUNT(f), NULL, there) != 0) {
			memset(there, 0, 16);
			return false;
		}
	}
	memcpy(ret, there, 16);
	return true;
}

static struct envelope_place place_of(const struct table *t, const uint8_t of[16],
                                      struct random *rnd)
{
	struct envelope_place at = {.table = t->number, .field = 10};
	uint8_t chance[16];
	struct span parts[] = {{of, 16}, {chance, 16}};

	random_bytes(rnd, chance, sizeof(chance));
	memcpy(at.of, of, 16);
	id_derive("sealed", parts, 2, at.row);
	return at;
}

/* Whom it is closed to, a bit each.  An officer whose row was damaged here is not known here until it is mended. */
static unsigned recipients(struct world *w, const struct device *d, const struct asking *x)
{
	unsigned to = 0;

	for (unsigned who = FIRST; who < OFFICERS + 1; who++) {
		struct officer_keys k;

		keys(who, &k);
		for (size_t i = 0; i < x->count; i++)
			if (!memcmp(x->to[i], k.link_public, LINK_KEY)) to |= 1U << who;
		if (who != LATER && (who < OFFICERS) != (bool)(to >> who & 1) && !w->config.damage)
			world_fail(w, "sealed", "%s closes to the wrong keys (%u)", d->label, who);
	}
	return to;
}

static void seal(struct world *w, struct device *d, unsigned n, struct random *rnd)
{
	static const uint8_t author[8] = {1};
	const struct table *t = schema_table(device_schema(d), TABLE_CASE_RECORD);
	struct envelope_chance chance = {draw, rnd};
	struct envelope_place at;
	struct sealed *s = w->sealed;
	struct buf content, out;
	struct error err = {0};
	struct arena a;
	struct asking x = {.arena = &a};
	uint8_t of[16], row[16];

	if (s->records_count == RECORDS_MAX || !case_of(d, of)) return;
	arena_init(&a, 0);
	buf_init(&content, ENVELOPE_CONTENT_MAX);
	buf_init(&out, ENVELOPE_BYTES_MAX);
	if (device_transaction(d, "recipients", work_recipients, &x) != 0) goto out;
	if (x.rc == -ERR_OFFICERS) {
		REACHED(w, SEALED_TO_NOBODY);
		goto out;
	}
	at = place_of(t, of, rnd);
	content_of(n, &content);
	if (envelope_close(&at, author, (const uint8_t(*)[LINK_KEY])x.to, x.count,
	                   buf_span(&content), &chance, &out, &err) != 0) {
		world_fail(w, "sealed", "%s cannot close: %s", d->label, err.detail);
		goto out;
	}
	/* Noted before: it may be durable although the machine dies. */
	memcpy(s->records[s->records_count].row, at.row, 16);
	memcpy(s->records[s->records_count].of, of, 16);
	s->records[s->records_count].to = recipients(w, d, &x);
	s->records[s->records_count++].n = n;
	struct field_write f[] = {
	        {table_field_named(t, "of"), value_bytes(of, 16)},
	        {table_field_named(t, "sealed"), value_bytes(out.p, out.len)},
	};
	if (write_row(d, t, at.row, f, ARRAY_COUNT(f), NULL, row) == 0) {
		REACHED(w, SEALED_WRITTEN);
		world_tell(w, "%s seals a record of a case", d->label);
	}
out:
	buf_done(&content);
	buf_done(&out);
	arena_done(&a);
}

/* ---- reading */

static const struct sealed_record *known(const struct sealed *s, const uint8_t row[16])
{
	for (size_t i = 0; i < s->records_count; i++)
		if (!memcmp(s->records[i].row, row, 16)) return &s->records[i];
	return NULL;
}

static bool open_with(unsigned who, const struct envelope *keys_in, const struct envelope *e,
                      const struct envelope_place *at, uint8_t ret_key[SEAL_KEY],
                      struct buf *content)
{
	struct officer_keys k;

	keys(who, &k);
	return unseal_key(keys_in, k.link_public, k.link_secret, ret_key) &&
	       unseal_content(e, at, ret_key, content);
}

static bool envelope_of(const struct table *t, const struct row_view *v, struct envelope *ret)
{
	const struct field *f = table_field_named(t, "sealed");
	struct value x = v->values[f - t->fields];

	return x.type == VALUE_BYTES && envelope_parse(x.s, ret);
}

static struct envelope_place place_at(const struct table *t, const struct row_view *v)
{
	const struct field *f = table_field_named(t, "of");
	struct value x = v->values[f - t->fields];
	struct envelope_place at = {.table = t->number, .field = 10};

	memcpy(at.row, v->id, 16);
	if (x.type == VALUE_BYTES && x.s.len == 16) memcpy(at.of, x.s.p, 16);
	return at;
}

/* ---- to the officer who came later: at a county's hub, by the one who can */

static void rewrap(struct world *w, struct device *d, struct random *rnd)
{
	static const uint8_t author[8] = {2};
	const struct table *t = schema_table(device_schema(d), TABLE_CASE_RECORD);
	const struct table *tk = schema_table(device_schema(d), TABLE_CASE_KEY);
	struct envelope_chance chance = {draw, rnd};
	struct row_view *rows = NULL;
	struct officer_keys later;
	struct envelope_place at, at_key;
	struct error err = {0};
	struct envelope e;
	struct buf out, content;
	struct scope scope;
	struct arena a;
	uint8_t key[SEAL_KEY], to[1][LINK_KEY], row[16];
	size_t n = 0;

	arena_init(&a, 0);
	buf_init(&out, ENVELOPE_BYTES_MAX);
	buf_init(&content, ENVELOPE_CONTENT_MAX + 1);
	if (store_rows_view(d->keeper, t, NULL, 0, 0, true, NULL, RECORDS_MAX, &a, &rows, &n) !=
	            0 ||
	    n == 0)
		goto out;
	n = random_below(rnd, n);
	at = place_at(t, &rows[n]);
	keys(LATER, &later);
	if (!envelope_of(t, &rows[n], &e) || envelope_wrap(&e, later.link_public) ||
	    !open_with(FIRST, &e, &e, &at, key, &content) ||
	    store_scope_get(d->keeper, rows[n].scope, &scope) != 0)
		goto out;
	memcpy(to[0], later.link_public, LINK_KEY);
	at_key = place_of(tk, rows[n].id, rnd);
	if (envelope_close_key(author, (const uint8_t(*)[LINK_KEY])to, 1, key, &chance, &out,
	                       &err) != 0)
		goto out;
	struct field_write f[] = {
	        {table_field_named(tk, "of"), value_bytes(rows[n].id, 16)},
	        {table_field_named(tk, "sealed"), value_bytes(out.p, out.len)},
	};
	if (write_row(d, tk, at_key.row, f, ARRAY_COUNT(f), scope.id, row) == 0)
		REACHED(w, SEALED_AGAIN);
out:
	buf_done(&out);
	buf_done(&content);
	arena_done(&a);
}

void sealed_event(struct world *w, unsigned n)
{
	struct random rnd = world_draw(w, DRAWN_SEALED, 0, n);
	struct device *d = w->devices[random_below(&rnd, w->devices_count)];
	struct sealed *s = w->sealed;

	if (s == NULL || !world_allows(w, DRAWN_SEALED, 0, n)) return;
	if (!s->certified)
		s->certified = certify(w, FIRST) && certify(w, RECOVERY);
	else if (!s->later && (int64_t)n * 2 > w->config.sealed)
		s->later = certify(w, LATER);
	if (w->devices[0]->parent == NULL && d == w->devices[0])
		return; /* the province has no case */
	if (d->replica == NULL || !d->joined || !knows(d) || d->copied) return;
	if (d->hub && s->later && random_chance(&rnd, 700))
		rewrap(w, d, &rnd);
	else
		seal(w, d, n, &rnd);
}

/* ---- at rest */

static void check_record(struct world *w, struct device *d, const struct table *t,
                         const struct row_view *v)
{
	const struct sealed_record *r = known(w->sealed, v->id);
	struct envelope_place at = place_at(t, v);
	struct buf content, got;
	uint8_t key[SEAL_KEY];
	struct envelope e;
	char hex[33];

	hex_text(v->id, 16, hex);
	if (r == NULL || !envelope_of(t, v, &e)) {
		world_fail(w, "sealed", "%s: %s is no envelope that anybody closed", d->label, hex);
		return;
	}
	buf_init(&content, ENVELOPE_CONTENT_MAX);
	buf_init(&got, ENVELOPE_CONTENT_MAX + 1);
	content_of(r->n, &content);
	for (unsigned who = FIRST; who < OFFICERS + 1; who++) {
		struct officer_keys k;
		bool to, opened;

		keys(who, &k);
		to = envelope_wrap(&e, k.link_public) != NULL;
		opened = open_with(who, &e, &e, &at, key, &got);
		if (to != (bool)(r->to >> who & 1))
			world_fail(w, "sealed", "%s: %s is closed to the wrong keys (%u)", d->label,
			           hex, who);
		else if (opened != to ||
		         (opened && !span_equal(buf_span(&got), buf_span(&content))))
			world_fail(w, "sealed", "%s: %s is not what was sealed (%u)", d->label, hex,
			           who);
	}
	REACHED(w, SEALED_OPENED);
	buf_done(&content);
	buf_done(&got);
}

/* The keys that were added open what they speak of. */
static void check_key(struct world *w, struct device *d, const struct table *t,
                      const struct table *tk, const struct row_view *v)
{
	struct envelope_place named = place_at(tk, v), at;
	struct row_view *of = NULL;
	struct envelope e, added;
	uint8_t key[SEAL_KEY];
	struct arena a;
	struct buf got;

	arena_init(&a, 0);
	buf_init(&got, ENVELOPE_CONTENT_MAX + 1);
	if (store_row_view(d->keeper, t, named.of, &a, &of) != 0 || of == NULL) goto out;
	at = place_at(t, of);
	if (!envelope_of(t, of, &e) || !envelope_of(tk, v, &added) ||
	    !open_with(LATER, &added, &e, &at, key, &got))
		world_fail(w, "sealed", "%s: a key that was added does not open its record",
		           d->label);
	else
		REACHED(w, SEALED_OPENED_LATER);
out:
	arena_done(&a);
	buf_done(&got);
}

static void check_rows(struct world *w, struct device *d)
{
	const struct table *t = schema_table(device_schema(d), TABLE_CASE_RECORD);
	const struct table *tk = schema_table(device_schema(d), TABLE_CASE_KEY);
	struct row_view *rows = NULL, *more = NULL;
	size_t n = 0, m = 0;
	struct arena a;

	arena_init(&a, 0);
	if (store_rows_view(d->keeper, t, NULL, 0, 0, true, NULL, RECORDS_MAX, &a, &rows, &n) !=
	            0 ||
	    store_rows_view(d->keeper, tk, NULL, 0, 0, true, NULL, RECORDS_MAX, &a, &more, &m) != 0)
		world_fail(w, "sealed", "%s: its rows cannot be read", d->label);
	if (n + m > 0 && d->joined && !(d->cert.lanes >> LANE_SEALED & 1))
		world_fail(w, "sealed", "%s carries what may not come to it", d->label);
	for (size_t i = 0; i < n; i++) check_record(w, d, t, &rows[i]);
	for (size_t i = 0; i < m; i++) check_key(w, d, t, tk, &more[i]);
	arena_done(&a);
}

static void check_bytes(struct world *w, struct device *d)
{
	char path[96];
	struct error err = {0};
	uint8_t *bytes = NULL;
	long len = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/dev/shm/jinguo-sealed-%ld-%u.db", (long)getpid(),
	               d->number);
	(void)unlink(path);
	if (store_backup(d->keeper, path, &err) < 0) {
		world_fail(w, "sealed", "%s: backup: %s", d->label, err.detail);
		return;
	}
	f = fopen(path, "rb");
	if (f != NULL && fseek(f, 0, SEEK_END) == 0) len = ftell(f);
	if (len > 0 && fseek(f, 0, SEEK_SET) == 0) {
		bytes = mem_alloc((size_t)len);
		if (fread(bytes, 1, (size_t)len, f) != (size_t)len ||
		    memmem(bytes, (size_t)len, CANARY_SEALED, strlen(CANARY_SEALED)) != NULL)
			world_fail(w, "sealed", "%s: what was sealed lies open in its database",
			           d->label);
	}
	free(bytes);
	if (f != NULL) (void)fclose(f);
	(void)unlink(path);
}

void sealed_check_rest(struct world *w)
{
	for (size_t i = 0; i < w->devices_count && w->sealed != NULL; i++) {
		struct device *d = w->devices[i];

		if (d->replica == NULL || device_forsaken(d)) continue;
		if (knows(d)) check_rows(w, d);
		check_bytes(w, d);
	}
}
