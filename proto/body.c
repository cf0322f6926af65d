/*
 * body.c - the columnar body of a segment: many changesets, a typed column for each table's field.
 *
 * Why columns: rows in msgpack, squeezed, cost 57 bytes each at a thousand rows, columns half of
 * that (measurements.md section 4), and the wire targets of architecture.md section 12 need it.
 * Numbers are LEB128 varints, shortest form only; z means zigzag.  The order below is the order on
 * the wire; a "column" is so many numbers one after the other, nothing between them.
 *
 *   body      = version (1 byte: 1), changesets, operations, runs, ids, rows, clocks, opaque, values
 *
 *   changesets: n is stated by the segment's header
 *     run       n x varint  index into the segment's nonces
 *     ops       n x varint  operations in it
 *     manner    n x varint  index into the manners; the next unused index means: a new one
 *     manners   each: flags 1 byte, part varint, parts varint, author 8 bytes, schema version
 *               varint, code list version varint, signed 1 byte (0 or 1)
 *     signs     64 bytes for each changeset of a signed manner
 *
 *   operations: m = sum of ops; the place of an operation among all is its ordinal
 *     shape     m x varint  index into the shapes, as for manners
 *     shapes    each: kind 1 byte, table varint, slots varint;
 *               UPDATE, PROPOSAL: mask of the slots with old values, varint;
 *               INSERT: said, 1 byte: 0 the row id is the UUIDv7 of (stamp, run of the
 *               changeset), 1 any other
 *     ms        m x z  milliseconds of the stamp, less those of the operation before (first: 0)
 *     counter   m x z  counter of the stamp; where ms is 0 and it is not the first: less that of
 *               the operation before, less 1
 *
 *   runs: those beyond the segment's own: count varint, 8 bytes little-endian each.  A run is
 *     named by its index, the segment's own first.
 *   ids: the row ids that are said or referred to, as rows and values name them first
 *     count     varint
 *     tag       count x varint  0 sixteen bytes; 1 a row inserted in this body; 2+i a UUIDv7 of
 *               run i
 *     ms        z for each tag >= 2: milliseconds, less those of the last id of the same run,
 *               else of the last tag >= 2, else of the first operation
 *     counter   varint for each tag >= 2
 *     ordinal   z for each tag 1: ordinal of the INSERT, less that of the last tag 1 (first: 0)
 *     raw       16 bytes for each tag 0
 *   Where an id (or a text) is named stands a code: 0 the next entry of the table, not named
 *   before; 1 the same as the last of this column; 2+i entry i.  1 goes before 2+i.
 *
 *   rows      a code for each operation whose id is said (all but INSERT with said 0)
 *   clocks    for each INSERT with said 1, UPDATE, PROPOSAL: count of groups varint; then four
 *             columns over all groups: run (index, varint), ms (operation's less group's, z),
 *             counter (varint), slots (varint; 0: the slots of the operation)
 *   opaque    length varint for each operation of any other kind; then all their bytes
 *
 *   values    a column for each (table, slot) that some operation writes, ascending; right behind
 *             it the column of its old values, if any; values in the order of operations
 *     column    = type 1 byte: 1 int, 2 text, 3 bytes, 4 bytes of length 16 (an id); or 0 mixed:
 *                 then a type byte for each value (0: null), and the parts below of those types
 *                 that occur, ascending
 *     int part  = predictor 1 byte, unit varint (>= 1), then z for each value.  f(i) = the value,
 *                 less (predictor 0) nothing; (1) the value before in this part; (2) the ms of the
 *                 operation's stamp; (3) the int in the slot written next below in the same
 *                 operation, 0 if that is not an int.  First f(0); then, predictor 1: f(i) / unit,
 *                 others: (f(i) - f(0)) / unit.  All modulo 2^64.  The unit is the greatest common
 *                 divisor; the predictor that of fewest bytes, the lowest among equals.
 *     text part = a code for each value (table of this part alone), lengths of the table's
 *                 entries, their bytes;  bytes part likewise
 *     id part   = a code for each value (table of ids)
 *
 * Tables hold nothing twice and nothing unused.  The decoder holds to all this at once by encoding
 * what it decoded and comparing: cheaper than twenty rules to get wrong.  An adversary's colliding
 * texts are met by keying the encoder's hash tables with the hash of the body itself.
 */
#include "common/base.h"

#include "proto/changeset.h"

#include "common/crypt.h"
#include "common/ident.h"
#include "proto/form.h"

enum { BODY_VERSION = 1 };
enum { TAG_RAW = 0, TAG_BORN = 1, TAG_RUN = 2 };
enum { CODE_NEW = 0, CODE_SAME = 1, CODE_ENTRY = 2 };
enum { TYPE_MIXED = 0, TYPE_ID = 4 };
enum { PREDICT_NONE = 0, PREDICT_LAST, PREDICT_STAMP, PREDICT_BESIDE, PREDICTORS };

static_assert((int)VALUE_INT == 1 && (int)VALUE_TEXT == 2 && (int)VALUE_BYTES == 3,
              "types of the wire");

/* ---- what encoder and decoder share: shapes, and the values sorted into columns */

struct shape {
	uint8_t kind, said; /* said: INSERT whose row id is not of (stamp, run) */
	uint16_t table;
	uint64_t slots, olds;
	uint32_t uses;
	size_t columns; /* its first entry in plan.columns_of */
};

struct manner {
	uint8_t flags, author[8], is_signed;
	uint16_t part, parts;
	uint32_t schema_version, codes_version;
};

struct op_at {
	struct op *op;
	uint64_t run; /* of its changeset */
	uint32_t shape;
};

struct place {
	struct field_value *value;
	const struct op *op;
};

struct column {
	uint32_t key; /* table << 7 | slot << 1 | old */
	size_t first, count;
};

struct plan {
	struct op_at *ops;
	size_t ops_count;
	struct shape *shapes;
	size_t shapes_count;
	struct column *columns;
	size_t columns_count;
	uint32_t *columns_of; /* for each shape: columns of its slots, then of its olds */
	struct place *places;
	size_t places_count;
};

static void plan_done(struct plan *p)
{
	free(p->ops);
	free(p->shapes);
	free(p->columns);
	free(p->columns_of);
	free(p->places);
}

static unsigned bits(uint64_t v)
{
	return (unsigned)__builtin_popcountll(v);
}

static void *array_of(size_t size, size_t count)
{
	return mem_alloc(size * (count ? count : 1));
}

static bool shape_said(const struct shape *s)
{
	return s->kind != OP_INSERT || s->said;
}
static bool shape_has_clock(const struct shape *s)
{
	return op_has_fields(s->kind) && shape_said(s);
}

static int column_order(const void *x, const void *y)
{
	uint32_t a = ((const struct column *)x)->key, b = ((const struct column *)y)->key;

	return a < b ? -1 : a > b;
}

static size_t column_find(const struct plan *p, uint32_t key)
{
	size_t low = 0, high = p->columns_count;

	while (low + 1 < high) {
		size_t mid = low + (high - low) / 2;

		if (p->columns[mid].key <= key)
			low = mid;
		else
			high = mid;
	}
	assert(p->columns[low].key == key); /* every key of a shape was put there */
	return low;
}

static uint32_t column_key(const struct shape *s, unsigned slot, bool old)
{
	return (uint32_t)s->table << 7 | (uint32_t)slot << 1 | (old ? 1u : 0u);
}

/* Fills columns and places.  Shapes, ops and the slot numbers of all values are there. */
static void plan_columns(struct plan *p)
{
	size_t keys = 0, n = 0, at = 0;

	for (size_t i = 0; i < p->shapes_count; i++)
		if (op_has_fields(p->shapes[i].kind))
			keys += bits(p->shapes[i].slots) + bits(p->shapes[i].olds);
	p->columns = array_of(sizeof(*p->columns), keys);
	p->columns_of = array_of(sizeof(*p->columns_of), keys);
	for (size_t i = 0; i < p->shapes_count; i++) {
		const struct shape *s = &p->shapes[i];

		if (!op_has_fields(s->kind)) continue;
		for (uint64_t m = s->slots; m; m &= m - 1)
			p->columns[n++].key = column_key(s, (unsigned)__builtin_ctzll(m), false);
		for (uint64_t m = s->olds; m; m &= m - 1)
			p->columns[n++].key = column_key(s, (unsigned)__builtin_ctzll(m), true);
	}
	assert(n == keys);
	qsort(p->columns, n, sizeof(*p->columns), column_order);
	for (size_t i = 0; i < n; i++)
		if (!i || p->columns[i].key != p->columns[p->columns_count - 1].key)
			p->columns[p->columns_count++].key = p->columns[i].key;
	for (size_t i = 0; i < p->shapes_count; i++) {
		struct shape *s = &p->shapes[i];

		s->columns = at;
		if (!op_has_fields(s->kind)) continue;
		for (uint64_t m = s->slots; m; m &= m - 1)
			p->columns_of[at++] = (uint32_t)column_find(
			        p, column_key(s, (unsigned)__builtin_ctzll(m), false));
		for (uint64_t m = s->olds; m; m &= m - 1)
			p->columns_of[at++] = (uint32_t)column_find(
			        p, column_key(s, (unsigned)__builtin_ctzll(m), true));
		for (size_t k = s->columns; k < at; k++)
			p->columns[p->columns_of[k]].count += s->uses;
	}
	for (size_t i = 0; i < p->columns_count; i++) {
		p->columns[i].first = p->places_count;
		p->places_count += p->columns[i].count;
		p->columns[i].count = 0;
	}
	p->places = array_of(sizeof(*p->places), p->places_count);
	for (size_t i = 0; i < p->ops_count; i++) {
		struct op *op = p->ops[i].op;
		const uint32_t *c = &p->columns_of[p->shapes[p->ops[i].shape].columns];

		for (size_t k = 0; k < op->values_count + op->olds_count; k++) {
			struct column *to = &p->columns[c[k]];

			p->places[to->first + to->count++] = (struct place){
			        k < op->values_count ? &op->values[k]
			                             : &op->olds[k - op->values_count],
			        op};
		}
	}
}

static int64_t op_ms(const struct op *op)
{
	return stamp_ms(op->stamp);
}
static uint64_t stamp_counter(uint64_t stamp)
{
	return stamp & 4095;
}

/* The int written in the slot next below in the same operation; 0 if there is none. */
static uint64_t beside(const struct place *at, bool old)
{
	const struct field_value *first = old ? at->op->olds : at->op->values;

	if (at->value == first || at->value[-1].value.type != VALUE_INT) return 0;
	return (uint64_t)at->value[-1].value.i;
}

static uint64_t predicted(const struct place *at, bool old, unsigned predictor, uint64_t last)
{
	switch (predictor) {
	case PREDICT_LAST:
		return last;
	case PREDICT_STAMP:
		return (uint64_t)op_ms(at->op);
	case PREDICT_BESIDE:
		return beside(at, old);
	default:
		return 0;
	}
}

static uint8_t wire_type(const struct value *v)
{
	return v->type == VALUE_BYTES && v->s.len == 16 ? TYPE_ID : v->type;
}

/* ---- encoder */

/* Open addressing; a new epoch empties it. */
struct lookup_cell {
	uint32_t epoch, hash, index;
};
struct lookup {
	struct lookup_cell *cells;
	size_t room, used; /* room: a power of two, or 0 */
	uint32_t epoch;
};

static void lookup_clear(struct lookup *l)
{
	l->epoch++;
	l->used = 0;
}

/* NOLINTNEXTLINE(misc-no-recursion): one level, the bigger one has room */
static void lookup_add(struct lookup *l, uint32_t hash, uint32_t index)
{
	size_t at;

	if (2 * (l->used + 1) > l->room) {
		struct lookup bigger = {.room = l->room ? 2 * l->room : 64, .epoch = l->epoch};

		bigger.cells = array_of(sizeof(*bigger.cells), bigger.room);
		for (size_t i = 0; i < l->room; i++)
			if (l->cells[i].epoch == l->epoch)
				lookup_add(&bigger, l->cells[i].hash, l->cells[i].index);
		free(l->cells);
		*l = bigger;
	}
	for (at = hash & (l->room - 1); l->cells[at].epoch == l->epoch;
	     at = (at + 1) & (l->room - 1))
		;
	l->cells[at] = (struct lookup_cell){l->epoch, hash, index};
	l->used++;
}

/* The next candidate of this hash; *at is SIZE_MAX before the first.  NULL: no more. */
static const struct lookup_cell *lookup_next(const struct lookup *l, uint32_t hash, size_t *at)
{
	if (!l->room) return NULL;
	*at = *at == SIZE_MAX ? hash & (l->room - 1) : (*at + 1) & (l->room - 1);
	for (; l->cells[*at].epoch == l->epoch; *at = (*at + 1) & (l->room - 1))
		if (l->cells[*at].hash == hash) return &l->cells[*at];
	return NULL;
}

struct id_entry {
	uint8_t id[16];
	uint32_t tag, ordinal;
};

/* Values that came out of the decoder lie where their entry lies: those at the same place are equal, and need no look. */
enum { NEAR_CELLS = 256 };
struct near_cell {
	const uint8_t *p;
	size_t room; /* its length and 1; 0: nothing was seen */
	uint32_t index;
};
struct near {
	struct near_cell cells[NEAR_CELLS];
};

static struct near_cell *near_at(struct near *n, const uint8_t *p)
{
	return &n->cells[((uintptr_t)p ^ (uintptr_t)p >> 8) % NEAR_CELLS];
}

struct encoder {
	struct plan plan;
	uint64_t seed;
	struct buf tail; /* what stands behind the tables of runs and ids */
	uint64_t *runs;  /* the segment's own first */
	size_t runs_count, runs_room, runs_own;
	struct id_entry *ids;
	size_t ids_count, ids_room;
	struct span *texts; /* table of the part being written */
	struct lookup shape_at, manner_at, run_at, id_at, born_at, text_at;
	struct near ids_near, texts_near;
	uint64_t stamp_min, stamp_max; /* of the operations */
	bool born_known;
};

static uint32_t mix(uint64_t h)
{
	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(h >> 32);
}

static uint32_t hash_bytes(const struct encoder *e, const uint8_t *p, size_t len)
{
	uint64_t h = e->seed ^ (len * UINT64_C(0x9e3779b97f4a7c15)), word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 29;
	}
	if (len) {
		word = 0;
		memcpy(&word, p, len);
		h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
	}
	return mix(h ^ e->seed);
}

static uint32_t hash_pair(const struct encoder *e, uint64_t x, uint64_t y)
{
	return mix(((e->seed ^ x) * UINT64_C(0xff51afd7ed558ccd)) ^ (y + (y << 7)) ^ (x >> 31));
}

static size_t run_index(struct encoder *e, uint64_t run)
{
	const struct lookup_cell *c;
	uint32_t h = hash_pair(e, run, 1);
	size_t at = SIZE_MAX;

	while ((c = lookup_next(&e->run_at, h, &at)))
		if (e->runs[c->index] == run) return c->index;
	if (e->runs_count == e->runs_room) {
		e->runs_room = e->runs_room ? 2 * e->runs_room : 32;
		e->runs = mem_grow(e->runs, e->runs_room * sizeof(*e->runs));
	}
	e->runs[e->runs_count] = run;
	lookup_add(&e->run_at, h, (uint32_t)e->runs_count);
	return e->runs_count++;
}

/* Ordinal of the first INSERT with this id, if the id is of this body; else SIZE_MAX. */
static size_t born(struct encoder *e, const uint8_t id[16])
{
	uint64_t stamp = id_stamp(id), run = id_run(id);
	const struct lookup_cell *c;
	size_t own = 0, at;

	if (stamp < e->stamp_min || stamp > e->stamp_max) return SIZE_MAX;
	while (own < e->runs_own && e->runs[own] != run) own++;
	if (own == e->runs_own) return SIZE_MAX;
	for (size_t i = 0; !e->born_known && i < e->plan.ops_count; i++) {
		const struct op_at *o = &e->plan.ops[i];
		uint32_t h;

		if (shape_said(&e->plan.shapes[o->shape])) continue;
		h = hash_pair(e, o->op->stamp, o->run);
		for (at = SIZE_MAX; (c = lookup_next(&e->born_at, h, &at));)
			if (memcmp(e->plan.ops[c->index].op->row, o->op->row, 16) == 0) break;
		if (!c) lookup_add(&e->born_at, h, (uint32_t)i);
	}
	e->born_known = true;
	for (at = SIZE_MAX; (c = lookup_next(&e->born_at, hash_pair(e, stamp, run), &at));)
		if (memcmp(e->plan.ops[c->index].op->row, id, 16) == 0) return c->index;
	return SIZE_MAX;
}

/* The entry of an id, a new one if *ret_fresh. */
static size_t id_entry_of(struct encoder *e, const uint8_t id[16], bool *ret_fresh)
{
	const struct lookup_cell *c;
	struct id_entry *n;
	size_t at = SIZE_MAX, ordinal;
	uint32_t h = hash_bytes(e, id, 16);

	*ret_fresh = false;
	while ((c = lookup_next(&e->id_at, h, &at)))
		if (memcmp(e->ids[c->index].id, id, 16) == 0) return c->index;
	if (e->ids_count == e->ids_room) {
		e->ids_room = e->ids_room ? 2 * e->ids_room : 64;
		e->ids = mem_grow(e->ids, e->ids_room * sizeof(*e->ids));
	}
	n = &e->ids[e->ids_count];
	memcpy(n->id, id, 16);
	n->tag = TAG_RAW;
	n->ordinal = 0;
	if (id_is_created(id)) {
		ordinal = born(e, id);
		n->tag = ordinal != SIZE_MAX ? TAG_BORN
		                             : (uint32_t)(TAG_RUN + run_index(e, id_run(id)));
		n->ordinal = ordinal != SIZE_MAX ? (uint32_t)ordinal : 0;
	}
	lookup_add(&e->id_at, h, (uint32_t)e->ids_count);
	*ret_fresh = true;
	return e->ids_count++;
}

/* Writes the code of an id; *last: index of the last in this column, SIZE_MAX at first. */
static void put_id(struct encoder *e, const uint8_t id[16], size_t *last)
{
	struct near_cell *near = near_at(&e->ids_near, id);
	size_t before = *last;
	bool fresh = false;

	if (near->room && near->p == id)
		*last = near->index;
	else if (before == SIZE_MAX || memcmp(e->ids[before].id, id, 16) != 0)
		*last = id_entry_of(e, id, &fresh);
	*near = (struct near_cell){id, 16 + 1, (uint32_t)*last};
	buf_varint(&e->tail, fresh ? CODE_NEW : *last == before ? CODE_SAME : CODE_ENTRY + *last);
}

static void put_ids(struct encoder *e, struct buf *out)
{
	int64_t *ms = array_of(sizeof(*ms), e->runs_count);
	int64_t last = e->plan.ops_count ? op_ms(e->plan.ops[0].op) : 0, ordinal = 0;

	buf_varint(out, e->ids_count);
	for (size_t i = 0; i < e->ids_count; i++) buf_varint(out, e->ids[i].tag);
	for (size_t i = 0; i < e->runs_count; i++) ms[i] = -1;
	for (size_t i = 0; i < e->ids_count; i++) {
		const struct id_entry *n = &e->ids[i];
		int64_t now = stamp_ms(id_stamp(n->id)), *of_run;

		if (n->tag < TAG_RUN) continue;
		of_run = &ms[n->tag - TAG_RUN];
		buf_zigzag(out, now - (*of_run >= 0 ? *of_run : last));
		*of_run = last = now;
	}
	for (size_t i = 0; i < e->ids_count; i++)
		if (e->ids[i].tag >= TAG_RUN)
			buf_varint(out, stamp_counter(id_stamp(e->ids[i].id)));
	for (size_t i = 0; i < e->ids_count; i++) {
		if (e->ids[i].tag != TAG_BORN) continue;
		buf_zigzag(out, (int64_t)e->ids[i].ordinal - ordinal);
		ordinal = e->ids[i].ordinal;
	}
	for (size_t i = 0; i < e->ids_count; i++)
		if (e->ids[i].tag == TAG_RAW) buf_add(out, e->ids[i].id, 16);
	free(ms);
}

static size_t varint_size(uint64_t v)
{
	return v < 128 ? 1 : (70 - (size_t)__builtin_clzll(v)) / 7;
}

static uint64_t magnitude(uint64_t v)
{
	return (int64_t)v < 0 ? 0 - v : v;
}

static uint64_t zigzag(uint64_t v)
{
	return (v << 1) ^ ((int64_t)v < 0 ? UINT64_MAX : 0);
}

/* Most numbers are short, and dividing short ones takes half the time. */
static uint64_t divided(uint64_t v, uint64_t unit)
{
	uint64_t m = magnitude(v), q;

	if (unit == 1 || v == 0) return v;
	q = (m | unit) >> 32 ? m / unit : (uint32_t)m / (uint32_t)unit;
	return (int64_t)v < 0 ? 0 - q : q;
}

static uint64_t divisor(uint64_t x, uint64_t y)
{
	while (y) {
		uint64_t t = (x | y) >> 32 ? x % y : (uint32_t)x % (uint32_t)y;

		x = y;
		y = t;
	}
	return x;
}

/* The numbers f(0), f(i) - f(0) (or f(i)) of one predictor, to ret; the unit is returned. */
static uint64_t int_steps(const struct place *v, size_t count, bool old, unsigned predictor,
                          uint64_t *ret)
{
	uint64_t unit = 0, last = 0, first = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t x = (uint64_t)v[i].value->value.i;

		ret[i] = x - predicted(&v[i], old, predictor, last) - first;
		last = x;
		if (i == 0 && predictor != PREDICT_LAST) first = ret[0];
		if (i > 0 && unit != 1 && ret[i]) unit = divisor(magnitude(ret[i]), unit);
	}
	return unit ? unit : 1;
}

/* Integer parts are looked at once for each predictor: a sum of sizes and one gcd. */
static void put_ints(struct encoder *e, const struct place *v, size_t count, bool old)
{
	uint64_t *best = array_of(sizeof(*best), count), *steps = array_of(sizeof(*steps), count),
	         *t;
	uint64_t best_unit = 1;
	size_t best_bytes = SIZE_MAX;
	unsigned best_predictor = 0;

	/* A byte for each and one for the unit: none is better. */
	for (unsigned predictor = 0; predictor < PREDICTORS && best_bytes > count + 1;
	     predictor++) {
		uint64_t unit = int_steps(v, count, old, predictor, steps);
		size_t bytes = varint_size(unit) + varint_size(zigzag(steps[0]));

		for (size_t i = 1; i < count && bytes < best_bytes; i++) {
			steps[i] = divided(steps[i], unit);
			bytes += varint_size(zigzag(steps[i]));
		}
		if (bytes >= best_bytes) continue;
		best_bytes = bytes;
		best_unit = unit;
		best_predictor = predictor;
		t = best;
		best = steps;
		steps = t;
	}
	buf_u8(&e->tail, (uint8_t)best_predictor);
	buf_varint(&e->tail, best_unit);
	for (size_t i = 0; i < count; i++) buf_varint(&e->tail, zigzag(best[i]));
	free(best);
	free(steps);
}

/* The entry of a text in the table of the part, which has *count, a new one if *ret_fresh. */
static size_t text_entry_of(struct encoder *e, struct span s, size_t *count, bool *ret_fresh)
{
	const struct lookup_cell *c;
	size_t at = SIZE_MAX;
	uint32_t h = hash_bytes(e, s.p, s.len);

	*ret_fresh = false;
	while ((c = lookup_next(&e->text_at, h, &at)))
		if (span_equal(e->texts[c->index], s)) return c->index;
	lookup_add(&e->text_at, h, (uint32_t)*count);
	e->texts[*count] = s;
	*ret_fresh = true;
	return (*count)++;
}

static void put_texts(struct encoder *e, const struct place *v, size_t count)
{
	size_t n = 0, last = SIZE_MAX;

	lookup_clear(&e->text_at);
	memset(&e->texts_near, 0, sizeof(e->texts_near));
	for (size_t i = 0; i < count; i++) {
		struct span s = v[i].value->value.s;
		struct near_cell *near = near_at(&e->texts_near, s.p);
		size_t before = last;
		bool fresh = false;

		if (near->room == s.len + 1 && near->p == s.p)
			last = near->index;
		else if (before == SIZE_MAX || !span_equal(e->texts[before], s))
			last = text_entry_of(e, s, &n, &fresh);
		*near = (struct near_cell){s.p, s.len + 1, (uint32_t)last};
		buf_varint(&e->tail, fresh            ? CODE_NEW
		                     : last == before ? CODE_SAME
		                                      : CODE_ENTRY + last);
	}
	for (size_t i = 0; i < n; i++) buf_varint(&e->tail, e->texts[i].len);
	for (size_t i = 0; i < n; i++) buf_add(&e->tail, e->texts[i].p, e->texts[i].len);
}

static void put_part(struct encoder *e, uint8_t type, const struct place *v, size_t count, bool old)
{
	size_t last = SIZE_MAX;

	if (type == VALUE_INT)
		put_ints(e, v, count, old);
	else if (type != TYPE_ID)
		put_texts(e, v, count);
	else
		for (size_t i = 0; i < count; i++) put_id(e, v[i].value->value.s.p, &last);
}

static void put_column(struct encoder *e, const struct column *c)
{
	const struct place *v = &e->plan.places[c->first];
	uint8_t type = wire_type(&v[0].value->value);
	struct place *some;
	bool same = type != VALUE_NULL;

	for (size_t i = 1; same && i < c->count; i++) same = wire_type(&v[i].value->value) == type;
	if (same) {
		buf_u8(&e->tail, type);
		put_part(e, type, v, c->count, c->key & 1);
		return;
	}
	buf_u8(&e->tail, TYPE_MIXED);
	for (size_t i = 0; i < c->count; i++) buf_u8(&e->tail, wire_type(&v[i].value->value));
	some = array_of(sizeof(*some), c->count);
	for (uint8_t t = VALUE_INT; t <= TYPE_ID; t++) {
		size_t n = 0;

		for (size_t i = 0; i < c->count; i++)
			if (wire_type(&v[i].value->value) == t) some[n++] = v[i];
		if (n) put_part(e, t, some, n, c->key & 1);
	}
	free(some);
}

static bool manner_equal(const struct manner *x, const struct manner *y)
{
	return x->flags == y->flags && x->part == y->part && x->parts == y->parts &&
	       memcmp(x->author, y->author, 8) == 0 && x->schema_version == y->schema_version &&
	       x->codes_version == y->codes_version && x->is_signed == y->is_signed;
}

/* Index of a manner, added if new. */
static uint32_t manner_index(struct encoder *e, struct manner *all, size_t *count,
                             const struct changeset *c)
{
	struct manner m = {.flags = c->flags,
	                   .is_signed = c->person_sign.len > 0,
	                   .part = c->part,
	                   .parts = c->parts,
	                   .schema_version = c->schema_version,
	                   .codes_version = c->codes_version};
	const struct lookup_cell *cell;
	size_t at = SIZE_MAX;
	uint64_t author;
	uint32_t h;

	memcpy(m.author, c->author, sizeof(m.author));
	memcpy(&author, m.author, sizeof(author));
	h = hash_pair(e, author + m.is_signed, (uint64_t)m.part << 32 | m.parts);
	while ((cell = lookup_next(&e->manner_at, h, &at)))
		if (manner_equal(&all[cell->index], &m)) return cell->index;
	all[*count] = m;
	lookup_add(&e->manner_at, h, (uint32_t)*count);
	return (uint32_t)(*count)++;
}

static void put_changesets(struct encoder *e, const struct changeset *cs, size_t count,
                           struct buf *out)
{
	struct manner *manners = array_of(sizeof(*manners), count);
	size_t manners_count = 0;

	for (size_t i = 0; i < count; i++) buf_varint(out, run_index(e, cs[i].run));
	for (size_t i = 0; i < count; i++) buf_varint(out, cs[i].ops_count);
	for (size_t i = 0; i < count; i++)
		buf_varint(out, manner_index(e, manners, &manners_count, &cs[i]));
	for (size_t i = 0; i < manners_count; i++) {
		buf_u8(out, manners[i].flags);
		buf_varint(out, manners[i].part);
		buf_varint(out, manners[i].parts);
		buf_add(out, manners[i].author, 8);
		buf_varint(out, manners[i].schema_version);
		buf_varint(out, manners[i].codes_version);
		buf_u8(out, manners[i].is_signed);
	}
	for (size_t i = 0; i < count; i++) buf_add(out, cs[i].person_sign.p, cs[i].person_sign.len);
	free(manners);
}

static uint32_t shape_index(struct encoder *e, const struct op *op, uint64_t run)
{
	struct shape s = {.kind = op->kind, .table = op->table, .slots = op->slots};
	struct plan *p = &e->plan;
	const struct lookup_cell *c;
	size_t at = SIZE_MAX;
	uint32_t h;

	for (size_t i = 0; i < op->olds_count; i++) s.olds |= UINT64_C(1) << op->olds[i].slot;
	s.said = op->kind == OP_INSERT && !op_row_implied(op, run);
	h = hash_pair(e, s.slots ^ ((uint64_t)s.table << 40),
	              s.olds ^ ((uint64_t)s.kind << 50) ^ s.said);
	while ((c = lookup_next(&e->shape_at, h, &at))) {
		const struct shape *o = &p->shapes[c->index];

		if (o->kind == s.kind && o->table == s.table && o->slots == s.slots &&
		    o->olds == s.olds && o->said == s.said)
			return c->index;
	}
	p->shapes[p->shapes_count] = s;
	lookup_add(&e->shape_at, h, (uint32_t)p->shapes_count);
	return (uint32_t)p->shapes_count++;
}

static void put_operations(struct encoder *e, struct buf *out)
{
	struct plan *p = &e->plan;
	int64_t ms = 0;

	for (size_t i = 0; i < p->ops_count; i++) buf_varint(out, p->ops[i].shape);
	for (size_t i = 0; i < p->shapes_count; i++) {
		const struct shape *s = &p->shapes[i];

		buf_u8(out, s->kind);
		buf_varint(out, s->table);
		buf_varint(out, s->slots);
		if (op_has_olds(s->kind)) buf_varint(out, s->olds);
		if (s->kind == OP_INSERT) buf_u8(out, s->said);
	}
	for (size_t i = 0; i < p->ops_count; i++) {
		buf_zigzag(out, op_ms(p->ops[i].op) - ms);
		ms = op_ms(p->ops[i].op);
	}
	for (size_t i = 0; i < p->ops_count; i++) {
		const struct op *op = p->ops[i].op, *before = i ? p->ops[i - 1].op : NULL;
		int64_t counter = (int64_t)stamp_counter(op->stamp);

		if (before && op_ms(before) == op_ms(op))
			counter -= (int64_t)stamp_counter(before->stamp) + 1;
		buf_zigzag(out, counter);
	}
}

static void put_clocks(struct encoder *e)
{
	const struct plan *p = &e->plan;

	for (size_t i = 0; i < p->ops_count; i++)
		if (shape_has_clock(&p->shapes[p->ops[i].shape]))
			buf_varint(&e->tail, p->ops[i].op->groups_count);
	for (int column = 0; column < 4; column++) {
		for (size_t i = 0; i < p->ops_count; i++) {
			const struct op *op = p->ops[i].op;

			for (size_t k = 0; k < op->groups_count; k++) {
				const struct clock_group *g = &op->groups[k];

				if (column == 0)
					buf_varint(&e->tail, run_index(e, g->run));
				else if (column == 1)
					buf_zigzag(&e->tail, op_ms(op) - stamp_ms(g->stamp));
				else if (column == 2)
					buf_varint(&e->tail, stamp_counter(g->stamp));
				else
					buf_varint(&e->tail, g->slots == op->slots ? 0 : g->slots);
			}
		}
	}
}

/* Everything behind the tables of runs and ids, which it fills. */
static void put_tail(struct encoder *e)
{
	const struct plan *p = &e->plan;
	size_t last = SIZE_MAX;

	for (size_t i = 0; i < p->ops_count; i++)
		if (shape_said(&p->shapes[p->ops[i].shape])) put_id(e, p->ops[i].op->row, &last);
	put_clocks(e);
	for (size_t i = 0; i < p->ops_count; i++)
		if (!op_has_fields(p->ops[i].op->kind))
			buf_varint(&e->tail, p->ops[i].op->opaque.len);
	for (size_t i = 0; i < p->ops_count; i++)
		buf_add(&e->tail, p->ops[i].op->opaque.p, p->ops[i].op->opaque.len);
	for (size_t i = 0; i < p->columns_count; i++) put_column(e, &p->columns[i]);
}

/* Of changesets that are well-formed and in bounds. */
static int encode(const struct changeset *cs, size_t count, const uint64_t *runs, size_t runs_count,
                  uint64_t seed, struct buf *out, struct error *err)
{
	struct encoder e = {.seed = seed};
	size_t ops = 0, n = 0, start = out->len, most = 1;
	int rc = 0;

	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): error_set returns no 0, so count has its cs */
	for (size_t i = 0; i < count; i++) ops += cs[i].ops_count;
	buf_init(&e.tail, BODY_BYTES_MAX);
	e.shape_at.epoch = e.manner_at.epoch = e.run_at.epoch = e.id_at.epoch = e.born_at.epoch = 1;
	for (size_t i = 0; i < runs_count; i++) run_index(&e, runs[i]);
	e.runs_own = runs_count;
	e.plan.ops = array_of(sizeof(*e.plan.ops), ops);
	e.plan.shapes = array_of(sizeof(*e.plan.shapes), ops);
	e.plan.ops_count = ops;
	e.stamp_min = UINT64_MAX;
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < cs[i].ops_count; k++) {
			struct op_at *o = &e.plan.ops[n++];
			uint64_t stamp = cs[i].ops[k].stamp;

			if (stamp < e.stamp_min) e.stamp_min = stamp;
			if (stamp > e.stamp_max) e.stamp_max = stamp;
			*o = (struct op_at){&cs[i].ops[k], cs[i].run,
			                    shape_index(&e, &cs[i].ops[k], cs[i].run)};
			e.plan.shapes[o->shape].uses++;
		}
	}
	plan_columns(&e.plan);
	for (size_t i = 0; i < e.plan.columns_count; i++)
		most = e.plan.columns[i].count > most ? e.plan.columns[i].count : most;
	e.texts = array_of(sizeof(*e.texts), most);

	put_tail(&e);
	buf_u8(out, BODY_VERSION);
	put_changesets(&e, cs, count, out);
	put_operations(&e, out);
	buf_varint(out, e.runs_count - e.runs_own);
	for (size_t i = e.runs_own; i < e.runs_count; i++) buf_u64(out, e.runs[i]);
	put_ids(&e, out);
	buf_add(out, e.tail.p, e.tail.len);
	if (e.tail.full || out->full || out->len - start > BODY_BYTES_MAX)
		rc = error_set(err, ERR_LIMIT, NULL, "a body of more than %d bytes",
		               (int)BODY_BYTES_MAX);

	plan_done(&e.plan);
	buf_done(&e.tail);
	free(e.runs);
	free(e.ids);
	free(e.texts);
	free(e.shape_at.cells);
	free(e.manner_at.cells);
	free(e.run_at.cells);
	free(e.id_at.cells);
	free(e.born_at.cells);
	free(e.text_at.cells);
	return rc;
}

static bool runs_distinct(const uint64_t *runs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			if (runs[i] == runs[k]) return false;
	return true;
}

int body_encode(const struct changeset *cs, size_t count, const uint64_t *runs, size_t runs_count,
                struct buf *out, struct error *err)
{
	size_t ops = 0;

	if (count > SEGMENT_CHANGESETS_MAX || runs_count > SEGMENT_NONCES_MAX)
		return error_set(err, ERR_LIMIT, NULL, "%zu changesets of %zu runs", count,
		                 runs_count);
	if (!runs_distinct(runs, runs_count))
		return error_set(err, ERR_INTERNAL, NULL, "a run named twice");
	for (size_t i = 0; i < count; i++) {
		struct error why = {0};
		size_t run = 0;

		if (changeset_check_form(&cs[i], &why))
			return error_set(err, why.code == ERR_LIMIT ? ERR_LIMIT : ERR_INTERNAL,
			                 NULL, "changeset %zu: %s", i, why.detail);
		while (run < runs_count && runs[run] != cs[i].run) run++;
		if (run == runs_count)
			return error_set(err, ERR_INTERNAL, NULL,
			                 "changeset %zu is of no run of the segment", i);
		if (cs[i].seq != cs[0].seq + i)
			return error_set(err, ERR_INTERNAL, NULL,
			                 "changeset %zu: the sequence has a gap", i);
		ops += cs[i].ops_count;
		if (ops > SEGMENT_OPS_MAX)
			return error_set(err, ERR_LIMIT, NULL, "more than %d operations",
			                 (int)SEGMENT_OPS_MAX);
	}
	return encode(cs, count, runs, runs_count, 0, out, err);
}

/* ---- decoder */

struct decoder {
	struct cut in;
	struct arena *arena;
	struct plan plan;
	struct changeset *cs;
	size_t count;
	struct op *ops;
	uint64_t *runs;
	size_t runs_count;
	uint8_t (*ids)[16];
	size_t ids_count, ids_named; /* named: how many of the table were named so far */
	struct span *texts;
	bool memory; /* the arena's bound was met */
};

static void *take(struct decoder *d, size_t size, size_t count)
{
	void *p = d->in.bad || !count ? NULL : arena_take(d->arena, size * count);

	if (!p && count && !d->in.bad) {
		d->memory = true;
		d->in.bad = true;
	}
	return p;
}

static uint64_t bounded(struct decoder *d, uint64_t max)
{
	uint64_t v = cut_varint(&d->in);

	if (v > max) {
		d->in.bad = true;
		return 0;
	}
	return v;
}

/* So many things of at least `bytes` each are still to come: no memory is taken for more. */
static bool fits(struct decoder *d, size_t count, size_t bytes)
{
	if (d->in.bad || count > cut_left(&d->in) / bytes) d->in.bad = true;
	return !d->in.bad;
}

static void get_bytes(struct decoder *d, void *ret, size_t len)
{
	const uint8_t *p = cut_take(&d->in, len);

	if (p) memcpy(ret, p, len);
}

static void get_changesets(struct decoder *d, uint64_t first_seq, const uint64_t *runs, size_t own)
{
	uint32_t *manner_of = NULL;
	struct manner *manners = NULL;
	size_t manners_count = 0, ops = 0;

	if (!fits(d, d->count, 3)) return;
	d->cs = take(d, sizeof(*d->cs), d->count);
	for (size_t i = 0; !d->in.bad && i < d->count; i++) {
		uint64_t run = bounded(d, own ? own - 1 : 0);

		if (!own)
			d->in.bad = true;
		else
			d->cs[i].run = runs[run];
		d->cs[i].seq = first_seq + i;
	}
	for (size_t i = 0; !d->in.bad && i < d->count; i++) {
		d->cs[i].ops_count = bounded(d, CHANGESET_OPS_MAX);
		ops += d->cs[i].ops_count;
	}
	if (ops > SEGMENT_OPS_MAX) d->in.bad = true;
	d->plan.ops_count = ops;
	if (!fits(d, d->count, 1)) return;
	manner_of = array_of(sizeof(*manner_of), d->count);
	for (size_t i = 0; !d->in.bad && i < d->count; i++) {
		manner_of[i] = (uint32_t)bounded(d, manners_count);
		manners_count += manner_of[i] == manners_count;
	}
	manners = array_of(sizeof(*manners), manners_count);
	for (size_t i = 0; !d->in.bad && i < manners_count; i++) {
		struct manner *m = &manners[i];

		m->flags = cut_u8(&d->in);
		m->part = (uint16_t)bounded(d, UINT16_MAX);
		m->parts = (uint16_t)bounded(d, UINT16_MAX);
		get_bytes(d, m->author, 8);
		m->schema_version = (uint32_t)bounded(d, UINT32_MAX);
		m->codes_version = (uint32_t)bounded(d, UINT32_MAX);
		m->is_signed = cut_u8(&d->in);
	}
	for (size_t i = 0; !d->in.bad && i < d->count; i++) {
		struct changeset *c = &d->cs[i];
		const struct manner *m = &manners[manner_of[i]];

		c->flags = m->flags;
		c->part = m->part;
		c->parts = m->parts;
		memcpy(c->author, m->author, 8);
		c->schema_version = m->schema_version;
		c->codes_version = m->codes_version;
		if (m->is_signed) c->person_sign = span_of(cut_take(&d->in, 64), 64);
	}
	free(manner_of);
	free(manners);
}

/* A shape's masks, as far as its kind has them. */
static void get_shape(struct decoder *d, struct shape *s)
{
	s->kind = cut_u8(&d->in);
	s->table = (uint16_t)bounded(d, UINT16_MAX);
	s->slots = cut_varint(&d->in);
	if (op_has_olds(s->kind)) s->olds = cut_varint(&d->in);
	if (s->kind == OP_INSERT) s->said = cut_u8(&d->in);
	if (s->said > 1) d->in.bad = true;
}

static struct field_value *fill_slots(struct field_value **pool, uint64_t slots)
{
	struct field_value *first = *pool;

	for (; slots; slots &= slots - 1) (*pool)++->slot = (uint8_t)__builtin_ctzll(slots);
	return first;
}

/* Operations without ids, clocks and values; places for the values. */
/* NOLINTNEXTLINE(readability-function-cognitive-complexity): a flat row of short loops in wire order */
static void get_operations(struct decoder *d)
{
	struct plan *p = &d->plan;
	struct field_value *pool;
	size_t values = 0, n = 0;
	int64_t ms = 0;

	if (!fits(d, p->ops_count, 3)) return;
	p->ops = array_of(sizeof(*p->ops), p->ops_count);
	d->ops = take(d, sizeof(*d->ops), p->ops_count);
	for (size_t i = 0; !d->in.bad && i < p->ops_count; i++) {
		p->ops[i].op = &d->ops[i];
		p->ops[i].shape = (uint32_t)bounded(d, p->shapes_count);
		p->shapes_count += p->ops[i].shape == p->shapes_count;
	}
	if (!fits(d, p->shapes_count, 3)) return;
	p->shapes = array_of(sizeof(*p->shapes), p->shapes_count);
	for (size_t i = 0; !d->in.bad && i < p->shapes_count; i++) get_shape(d, &p->shapes[i]);
	for (size_t i = 0; !d->in.bad && i < p->ops_count; i++) {
		struct shape *s = &p->shapes[p->ops[i].shape];

		s->uses++;
		if (op_has_fields(s->kind)) values += bits(s->slots) + bits(s->olds);
	}
	/* Two columns of stamps, and a byte at least for each value. */
	if (!fits(d, 2 * p->ops_count + values, 1)) return;
	for (size_t i = 0; !d->in.bad && i < p->ops_count; i++) {
		int64_t step = cut_zigzag(&d->in);

		if (step > (int64_t)(STAMP_MAX >> 12) - ms || step < -ms) {
			d->in.bad = true;
			break;
		}
		ms += step;
		d->ops[i].stamp = (uint64_t)ms << 12;
	}
	for (size_t i = 0; !d->in.bad && i < p->ops_count; i++) {
		int64_t counter = cut_zigzag(&d->in);

		if (counter < -4096 || counter > 4095)
			d->in.bad = true;
		else if (i && op_ms(&d->ops[i - 1]) == op_ms(&d->ops[i]))
			counter += (int64_t)stamp_counter(d->ops[i - 1].stamp) + 1;
		if (counter < 0 || counter > 4095)
			d->in.bad = true;
		else
			d->ops[i].stamp |= (uint64_t)counter;
	}
	pool = take(d, sizeof(*pool), values);
	if (d->in.bad) return;
	for (size_t i = 0; i < d->count; i++) {
		d->cs[i].ops = d->cs[i].ops_count ? &d->ops[n] : NULL;
		for (size_t k = 0; k < d->cs[i].ops_count; k++, n++) {
			struct op *op = &d->ops[n];
			const struct shape *s = &p->shapes[p->ops[n].shape];

			p->ops[n].run = d->cs[i].run;
			op->kind = s->kind;
			op->table = s->table;
			op->slots = s->slots;
			if (!shape_said(s)) id_make(op->stamp, d->cs[i].run, op->row);
			if (!op_has_fields(s->kind)) continue;
			op->values_count = bits(s->slots);
			op->values = op->values_count ? fill_slots(&pool, s->slots) : NULL;
			op->olds_count = bits(s->olds);
			op->olds = op->olds_count ? fill_slots(&pool, s->olds) : NULL;
		}
	}
	plan_columns(p);
}

static void get_runs(struct decoder *d, const uint64_t *runs, size_t own)
{
	size_t more = bounded(d, BODY_BYTES_MAX);

	if (!fits(d, more, 8)) return;
	d->runs = array_of(sizeof(*d->runs), own + more);
	if (own) memcpy(d->runs, runs, own * sizeof(*runs));
	d->runs_count = own + more;
	for (size_t i = own; i < d->runs_count; i++) {
		d->runs[i] = cut_u64(&d->in);
		if (d->runs[i] > RUN_MASK) d->in.bad = true;
	}
}

static void get_ids(struct decoder *d)
{
	uint32_t *tags;
	int64_t *stamps, *of_run, ordinal = 0, last = d->plan.ops_count ? op_ms(&d->ops[0]) : 0;

	d->ids_count = bounded(d, BODY_BYTES_MAX);
	if (!fits(d, d->ids_count, 2)) /* a tag, and one byte more at least */
		return;
	d->ids = take(d, sizeof(*d->ids), d->ids_count);
	tags = array_of(sizeof(*tags), d->ids_count);
	stamps = array_of(sizeof(*stamps), d->ids_count);
	of_run = array_of(sizeof(*of_run), d->runs_count);
	for (size_t i = 0; i < d->ids_count; i++) tags[i] = (uint32_t)bounded(d, d->runs_count + 1);
	for (size_t i = 0; i < d->runs_count; i++) of_run[i] = -1;
	for (size_t i = 0; !d->in.bad && i < d->ids_count; i++) {
		int64_t step, from, *run;

		if (tags[i] < TAG_RUN) continue;
		run = &of_run[tags[i] - TAG_RUN];
		from = *run >= 0 ? *run : last;
		step = cut_zigzag(&d->in);
		if (step > (int64_t)(STAMP_MAX >> 12) - from || step < -from) {
			d->in.bad = true;
			break;
		}
		stamps[i] = *run = last = from + step;
	}
	for (size_t i = 0; !d->in.bad && i < d->ids_count; i++)
		if (tags[i] >= TAG_RUN)
			id_make((uint64_t)stamps[i] << 12 | bounded(d, 4095),
			        d->runs[tags[i] - TAG_RUN], d->ids[i]);
	for (size_t i = 0; !d->in.bad && i < d->ids_count; i++) {
		int64_t step;

		if (tags[i] != TAG_BORN) continue;
		step = cut_zigzag(&d->in);
		if (step < -ordinal || step >= (int64_t)d->plan.ops_count - ordinal) {
			d->in.bad = true;
			break;
		}
		ordinal += step;
		/* A row id that is itself said cannot be one of those: the encoder says so, too. */
		if (shape_said(&d->plan.shapes[d->plan.ops[ordinal].shape])) d->in.bad = true;
		memcpy(d->ids[i], d->ops[ordinal].row, 16);
	}
	for (size_t i = 0; !d->in.bad && i < d->ids_count; i++)
		if (tags[i] == TAG_RAW) get_bytes(d, d->ids[i], 16);
	free(tags);
	free(stamps);
	free(of_run);
}

/* An entry of a table by its code; *named counts the entries named so far. */
static size_t get_code(struct decoder *d, size_t *named, size_t most, size_t *last)
{
	uint64_t code = cut_varint(&d->in);

	if (code == CODE_NEW && *named < most)
		*last = (*named)++;
	else if (code >= CODE_ENTRY && code - CODE_ENTRY < *named)
		*last = (size_t)code - CODE_ENTRY;
	else if (code != CODE_SAME || *last == SIZE_MAX)
		d->in.bad = true;
	return *last;
}

static void get_rows(struct decoder *d)
{
	size_t last = SIZE_MAX;

	for (size_t i = 0; !d->in.bad && i < d->plan.ops_count; i++) {
		if (!shape_said(&d->plan.shapes[d->plan.ops[i].shape])) continue;
		get_code(d, &d->ids_named, d->ids_count, &last);
		if (!d->in.bad) memcpy(d->ops[i].row, d->ids[last], 16);
	}
}

static void get_clocks(struct decoder *d)
{
	size_t total = 0, ops = d->plan.ops_count;
	struct clock_group *g, *end;

	for (size_t i = 0; !d->in.bad && i < ops; i++) {
		if (!shape_has_clock(&d->plan.shapes[d->plan.ops[i].shape])) continue;
		d->ops[i].groups_count = bounded(d, CLOCK_GROUPS_MAX);
		total += d->ops[i].groups_count;
	}
	if (!fits(d, total, 4)) return;
	g = take(d, sizeof(*g), total);
	if (!g) return;
	end = g + total;
	for (size_t i = 0; i < ops; i++) {
		d->ops[i].groups = d->ops[i].groups_count ? g : NULL;
		g += d->ops[i].groups_count;
	}
	g = end - total;
	for (size_t i = 0; !d->in.bad && i < total; i++) {
		size_t run = bounded(d, d->runs_count);

		if (run == d->runs_count)
			d->in.bad = true;
		else
			g[i].run = d->runs[run];
	}
	for (size_t i = 0; !d->in.bad && i < ops; i++) {
		for (size_t k = 0; k < d->ops[i].groups_count; k++) {
			int64_t step = cut_zigzag(&d->in), ms = op_ms(&d->ops[i]);

			if (step > ms || step < ms - (int64_t)(STAMP_MAX >> 12))
				d->in.bad = true;
			else
				d->ops[i].groups[k].stamp = (uint64_t)(ms - step) << 12;
		}
	}
	for (size_t i = 0; !d->in.bad && i < total; i++) g[i].stamp |= bounded(d, 4095);
	for (size_t i = 0; !d->in.bad && i < ops; i++) {
		for (size_t k = 0; k < d->ops[i].groups_count; k++) {
			uint64_t slots = cut_varint(&d->in);

			d->ops[i].groups[k].slots = slots ? slots : d->ops[i].slots;
		}
	}
}

static void get_opaque(struct decoder *d)
{
	for (size_t i = 0; !d->in.bad && i < d->plan.ops_count; i++)
		if (!op_has_fields(d->ops[i].kind))
			d->ops[i].opaque.len = bounded(d, BODY_BYTES_MAX);
	for (size_t i = 0; !d->in.bad && i < d->plan.ops_count; i++)
		if (d->ops[i].opaque.len)
			d->ops[i].opaque.p = cut_take(&d->in, d->ops[i].opaque.len);
}

static void get_ints(struct decoder *d, struct place *v, size_t count, bool old)
{
	unsigned predictor = cut_u8(&d->in);
	uint64_t unit = cut_varint(&d->in), last = 0, first = 0;

	if (predictor >= PREDICTORS || !unit) d->in.bad = true;
	for (size_t i = 0; !d->in.bad && i < count; i++) {
		uint64_t step = (uint64_t)cut_zigzag(&d->in);

		if (i)
			step = step * unit + first;
		else if (predictor != PREDICT_LAST)
			first = step;
		last = step + predicted(&v[i], old, predictor, last);
		v[i].value->value.type = VALUE_INT;
		v[i].value->value.i = (int64_t)last;
	}
}

static void get_texts(struct decoder *d, struct place *v, size_t count, uint8_t type)
{
	size_t named = 0, last = SIZE_MAX;

	for (size_t i = 0; !d->in.bad && i < count; i++) {
		v[i].value->value.type = type;
		v[i].value->value.i = (int64_t)get_code(d, &named, count, &last);
	}
	for (size_t i = 0; !d->in.bad && i < named; i++)
		d->texts[i].len = bounded(d, VALUE_BYTES_MAX);
	for (size_t i = 0; !d->in.bad && i < named; i++)
		d->texts[i].p = cut_take(&d->in, d->texts[i].len);
	for (size_t i = 0; !d->in.bad && i < count; i++) {
		v[i].value->value.s = d->texts[v[i].value->value.i];
		v[i].value->value.i = 0;
	}
}

static void get_part(struct decoder *d, uint8_t type, struct place *v, size_t count, bool old)
{
	size_t last = SIZE_MAX;

	if (type == VALUE_INT) {
		get_ints(d, v, count, old);
	} else if (type != TYPE_ID) {
		get_texts(d, v, count, type);
	} else {
		for (size_t i = 0; !d->in.bad && i < count; i++) {
			get_code(d, &d->ids_named, d->ids_count, &last);
			if (!d->in.bad) v[i].value->value = value_bytes(d->ids[last], 16);
		}
	}
}

static void get_column(struct decoder *d, const struct column *c)
{
	struct place *v = &d->plan.places[c->first], *some;
	uint8_t type = cut_u8(&d->in);
	const uint8_t *types;

	if (type > TYPE_ID) d->in.bad = true;
	if (type != TYPE_MIXED) {
		get_part(d, type, v, c->count, c->key & 1);
		return;
	}
	types = cut_take(&d->in, c->count);
	if (!types) return;
	some = array_of(sizeof(*some), c->count);
	for (uint8_t t = VALUE_INT; t <= TYPE_ID; t++) {
		size_t n = 0;

		for (size_t i = 0; i < c->count; i++)
			if (types[i] == t) some[n++] = v[i];
		if (n) get_part(d, t, some, n, c->key & 1);
	}
	for (size_t i = 0; i < c->count; i++)
		if (types[i] > TYPE_ID) d->in.bad = true;
	free(some);
}

static void get_values(struct decoder *d)
{
	size_t most = 1;

	if (!fits(d, d->plan.places_count, 1)) return;
	for (size_t i = 0; i < d->plan.columns_count; i++)
		most = d->plan.columns[i].count > most ? d->plan.columns[i].count : most;
	d->texts = array_of(sizeof(*d->texts), most);
	for (size_t i = 0; !d->in.bad && i < d->plan.columns_count; i++)
		get_column(d, &d->plan.columns[i]);
}

static int decode(struct span in, uint64_t first_seq, size_t count, const uint64_t *runs,
                  size_t runs_count, struct arena *a, struct changeset **ret, struct error *err)
{
	struct decoder d = {.in = cut_of(in), .arena = a, .count = count};
	int rc = 0;

	if (in.len > BODY_BYTES_MAX || count > SEGMENT_CHANGESETS_MAX ||
	    runs_count > SEGMENT_NONCES_MAX)
		return error_set(err, ERR_LIMIT, NULL, "%zu changesets of %zu runs in %zu bytes",
		                 count, runs_count, in.len);
	if (!runs_distinct(runs, runs_count))
		return error_set(err, ERR_PROTOCOL, NULL, "a run named twice");
	if (cut_u8(&d.in) != BODY_VERSION)
		return error_set(err, ERR_PROTOCOL, NULL, "a body of an unknown version");
	get_changesets(&d, first_seq, runs, runs_count);
	if (!d.in.bad) get_operations(&d);
	if (!d.in.bad) get_runs(&d, runs, runs_count);
	if (!d.in.bad) get_ids(&d);
	if (!d.in.bad) get_rows(&d);
	if (!d.in.bad) get_clocks(&d);
	if (!d.in.bad) get_opaque(&d);
	if (!d.in.bad) get_values(&d);
	if (d.memory)
		rc = error_set(err, ERR_LIMIT, NULL, "a body takes too much memory");
	else if (d.in.bad || cut_left(&d.in))
		rc = error_set(err, ERR_PROTOCOL, NULL, "malformed body");
	plan_done(&d.plan);
	free(d.runs);
	free(d.texts);
	if (!rc) *ret = d.cs;
	return rc;
}

int body_decode_trusted(struct span in, uint64_t first_seq, size_t count, const uint64_t *runs,
                        size_t runs_count, struct arena *a, struct changeset **ret,
                        struct error *err)
{
	return decode(in, first_seq, count, runs, runs_count, a, ret, err);
}

int body_decode_borrowed(struct span in, uint64_t first_seq, size_t count, const uint64_t *runs,
                         size_t runs_count, uint64_t seed, struct arena *a, struct changeset **ret,
                         struct error *err)
{
	struct changeset *cs = NULL;
	struct buf again;
	int rc;

	rc = decode(in, first_seq, count, runs, runs_count, a, &cs, err);
	for (size_t i = 0; !rc && i < count; i++) rc = changeset_check_form(&cs[i], err);
	if (rc) return rc;
	buf_init(&again, in.len);
	rc = encode(cs, count, runs, runs_count, seed, &again, NULL);
	if (rc || !span_equal(buf_span(&again), in))
		rc = error_set(err, ERR_PROTOCOL, NULL, "a body not in canonical form");
	buf_done(&again);
	if (!rc) *ret = cs;
	return rc;
}

int body_decode(struct span in, uint64_t first_seq, size_t count, const uint64_t *runs,
                size_t runs_count, struct arena *a, struct changeset **ret, struct error *err)
{
	uint64_t seed;

	if (in.len > BODY_BYTES_MAX)
		return error_set(err, ERR_LIMIT, NULL, "a body of %zu bytes", in.len);
	in = arena_span(a, in);
	if (a->full) return error_set(err, ERR_LIMIT, NULL, "a body takes too much memory");
	hash_of(in, (uint8_t *)&seed, sizeof(seed));
	return body_decode_borrowed(in, first_seq, count, runs, runs_count, seed, a, ret, err);
}
