/*
 * check.c - views and the comparisons; figures are in tally.c.
 */
#include "common/base.h"

#include "tests/sim/check.h"

#include <unistd.h>

#include "common/ident.h"
#include "proto/engine.h"
#include "tests/sim/again.h"
#include "tests/sim/damage.h"
#include "tests/sim/tally.h"
#include "tests/sim/vault.h"
#include "tests/sim/workload.h"

/* ---- decoded entries */
struct decoded {
	struct decoded *next;
	uint8_t hash[32], bytes[32]; /* bytes: of a body that was restated, zeros else */
	struct record *ops;          /* of a segment, by ordinal */
	size_t ops_count;
	struct admission admission;
	bool is_admission;
};
enum { CHEST_BUCKETS = 4096 };
struct chest {
	struct arena arena;
	struct decoded *buckets[CHEST_BUCKETS];
};

struct chest *chest_new(void)
{
	struct chest *c = mem_alloc(sizeof(*c));

	arena_init(&c->arena, 0);
	return c;
}

void chest_free(struct chest *c)
{
	if (c != NULL) arena_done(&c->arena);
	free(c);
}

static int decode_segment(struct chest *c, const struct entry *e, struct decoded *x,
                          struct error *err)
{
	struct segment s;
	struct changeset *cs;
	size_t n = 0, k = 0;
	struct entry kept = *e; /* what is decoded borrows from it */
	int rc;

	kept.head = arena_span(&c->arena, e->head);
	kept.body = arena_span(&c->arena, e->body);
	rc = entry_segment(&kept, &s, err);

	if (rc == 0) rc = segment_changesets(&s, &c->arena, &cs, &n, err);
	if (rc < 0) return rc;
	for (size_t i = 0; i < n; i++) x->ops_count += cs[i].ops_count;
	x->ops = ARENA_ARRAY(&c->arena, struct record, x->ops_count + 1);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < cs[i].ops_count; j++) {
			x->ops[k] = (struct record){.op = &cs[i].ops[j],
			                            .run = cs[i].run,
			                            .lane = s.head.lane,
			                            .whole = cs[i].flags & CHANGESET_WHOLE ? &cs[i]
			                                                                   : NULL};
			memcpy(x->ops[k++].scope, s.head.scope, 16);
		}
	return 0;
}

static struct decoded *decode(struct chest *c, struct world *w, const struct entry *e)
{
	struct decoded **bucket =
	        &c->buckets[(e->hash[0] | (unsigned)e->hash[1] << 8) % CHEST_BUCKETS];
	struct decoded *x;
	struct error err = {0};
	uint8_t hash[32], sign[64], bytes[32] = {0};
	int rc = 0;

	/* A segment that was cut has other bytes at each who cut it, under the segment's hash. */
	if (e->kind == ENTRY_HOLE && entry_is_segment(e)) memcpy(bytes, e->body.p, 32);
	for (x = *bucket; x != NULL; x = x->next)
		if (memcmp(x->hash, e->hash, 32) == 0 && memcmp(x->bytes, bytes, 32) == 0) return x;
	x = ARENA_ARRAY(&c->arena, struct decoded, 1);
	memcpy(x->hash, e->hash, 32);
	memcpy(x->bytes, bytes, 32);
	x->next = *bucket;
	*bucket = x;
	if (entry_is_segment(e)) {
		rc = decode_segment(c, e, x, &err);
	} else if (e->kind == ENTRY_ADMISSION) {
		rc = admission_open(arena_span(&c->arena, e->head), &c->arena, &x->admission, hash,
		                    sign, &err);
		x->is_admission = rc == 0;
	}
	if (rc < 0)
		world_fail(w, "journal", "an entry of kind %u does not read: %s", (unsigned)e->kind,
		           err.detail);
	return x;
}

/* ---- views */
struct segment_words {
	uint8_t hash[32];
	unsigned *words; /* by ordinal */
};

static int compare_u64(uint64_t x, uint64_t y)
{
	return x < y ? -1 : x > y;
}

static int compare_name(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	int c = memcmp(x->op->row, y->op->row, 16);

	if (c == 0) c = compare_u64(x->op->table, y->op->table);
	if (c == 0) c = compare_u64(x->lane, y->lane);
	if (c == 0) c = compare_u64(x->op->stamp, y->op->stamp);
	if (c == 0) c = compare_u64(x->run, y->run);
	return c;
}

/* An attacker may say one name in two scopes. */
static int compare_record(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	int c = compare_name(x, y);

	return c != 0 ? c : memcmp(x->scope, y->scope, 16);
}

static struct record *view_add(struct view *v, const struct record *r, unsigned words)
{
	struct record *x;

	if (v->count == v->room) {
		v->room = v->room ? v->room * 2 : 256;
		v->records = mem_grow(v->records, v->room * sizeof(*v->records));
	}
	x = &v->records[v->count++];
	*x = *r;
	x->words = words;
	return x;
}

bool record_merges(const struct record *r)
{
	if (r->words & WORD_STRAY) return false;
	if (r->words & WORD_ACCEPTED) return true;
	if (r->words & WORD_REFUSED) return false;
	return (r->words & (WORD_HUB | WORD_MINE)) != 0;
}

static const struct device *device_of(const struct world *w, const uint8_t origin[16])
{
	for (size_t i = 0; i < w->devices_count; i++)
		if (memcmp(w->devices[i]->identity.origin, origin, 16) == 0) return w->devices[i];
	return NULL;
}

/* What one admission says of an operation of a segment that it names. */
static unsigned said(const struct admission_item *item, uint32_t ordinal)
{
	for (size_t i = 0; i < item->verdicts_count; i++)
		if (item->verdicts[i].ordinal == ordinal)
			return item->verdicts[i].accepted == 1   ? WORD_ACCEPTED
			       : item->verdicts[i].accepted == 0 ? WORD_REFUSED
			                                         : WORD_HELD;
	return item->mode == ADMIT_ALL_BUT ? WORD_ACCEPTED : 0;
}

/* What words of this hub on this author's work in this scope count: all; of what is not its own, refusals; none. */
static unsigned speaks(const struct world *w, const struct device *hub, const uint8_t scope[16],
                       const struct device *author)
{
	int unit = world_unit_find(w, scope);
	bool own =
	        id_is_zero(scope) || (unit >= 0 && hub != NULL && world_under(w, unit, hub->unit));

	for (; author != NULL && hub != NULL; author = author->parent)
		if (author == hub) return own ? ~0u : WORD_REFUSED;
	return 0;
}

struct known_entry {
	struct decoded *x;
	const struct device *author; /* of a segment; NULL: enrolled by an attacker */
	unsigned base;               /* WORD_MINE, WORD_HUB */
	bool segment;
};

static int compare_known(const void *a, const void *b)
{
	const struct known_entry *x = a, *y = b;

	return memcmp(x->x->hash, y->x->hash, 32);
}

static const struct known_entry *find_known(const struct known_entry *k, size_t n,
                                            const uint8_t hash[32])
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = memcmp(hash, k[mid].x->hash, 32);

		if (c == 0) return &k[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

static void gather(struct view *v, const struct known_entry *known, size_t n)
{
	const struct world *w = v->device->world;
	unsigned **words = mem_alloc((n + 1) * sizeof(*words));

	for (size_t i = 0; i < n; i++)
		words[i] = known[i].segment
		                   ? mem_alloc((known[i].x->ops_count + 1) * sizeof(**words))
		                   : NULL;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0;
		     known[i].x->is_admission && k < known[i].x->admission.items_count; k++) {
			const struct admission_item *item = &known[i].x->admission.items[k];
			const struct known_entry *s = find_known(known, n, item->segment);
			unsigned counts;

			if (s == NULL || words[s - known] == NULL || s->x->ops_count == 0) continue;
			counts = speaks(w, device_of(w, known[i].x->admission.hub),
			                s->x->ops[0].scope, s->author);
			for (size_t o = 0; o < s->x->ops_count; o++)
				words[s - known][o] |= said(item, (uint32_t)o) & counts;
		}
	for (size_t i = 0; i < n; i++) {
		for (size_t o = 0; known[i].segment && o < known[i].x->ops_count; o++)
			(void)view_add(v, &known[i].x->ops[o], known[i].base | words[i][o]);
		free(words[i]);
	}
	free(words);
}

/* Named by an entry that is here; whether it is here itself is seen at the end. */
static void note_missing(struct view *v, const uint8_t segment[32])
{
	v->missing = mem_grow(v->missing, (v->missing_count + 1) * 32);
	memcpy(v->missing[v->missing_count++], segment, 32);
}

static int load_journal(struct chest *c, struct device *d, struct view *v)
{
	struct arena a;
	struct known_entry *known;
	int64_t head = 0;
	static const uint8_t none[32];
	uint8_t rolling[ROLLING_BYTES];
	size_t n = 0, missing = 0;
	int rc = store_journal_head(d->keeper, &head, rolling);

	if (rc < 0) return rc;
	arena_init(&a, 0);
	known = mem_alloc(((size_t)head + 1) * sizeof(*known));
	for (int64_t recv = 1; recv <= head && rc == 0; recv++) {
		struct entry *e = NULL;
		const struct device *author;

		if (recv % 64 == 0) arena_reset(&a);
		rc = store_journal_get(d->keeper, recv, &a, &e);
		if (rc < 0) break;
		if (e == NULL) {
			world_fail(d->world, "journal", "%s: no entry %" PRId64 " of %" PRId64,
			           d->label, recv, head);
			rc = -1;
			break;
		}
		v->entries++;
		v->segments += entry_is_segment(e);
		v->holes += !entry_is_segment(e) && e->kind == ENTRY_HOLE;
		if (!entry_sound(e)) {
			world_fail(d->world, "journal", "%s: entry %" PRId64 " is damaged",
			           d->label, recv);
			rc = -1;
			break;
		}
		author = device_of(d->world, e->origin);
		known[n] = (struct known_entry){.x = decode(c, d->world, e),
		                                .segment = entry_is_segment(e)};
		if (e->merged) known[n].base |= WORD_MINE;
		known[n].author = author;
		if (author != NULL && author->hub && known[n].segment &&
		    known[n].x->ops_count > 0 &&
		    speaks(d->world, author, known[n].x->ops[0].scope, author) == ~0u)
			known[n].base |= WORD_HUB;
		if (author == NULL || author->hostile) known[n].base |= WORD_EVIL;
		if (entry_is_segment(e) && memcmp(e->prev, none, 32) != 0) note_missing(v, e->prev);
		const struct admission *words = &known[n].x->admission;
		for (size_t k = 0; known[n].x->is_admission && k < words->items_count; k++)
			note_missing(v, words->items[k].segment);
		n++;
	}
	qsort(known, n, sizeof(*known), compare_known);
	for (size_t i = 0, all = v->missing_count; i < all; i++)
		if (find_known(known, n, v->missing[i]) == NULL)
			memmove(v->missing[missing++], v->missing[i], 32);
	v->missing_count = missing;
	gather(v, known, n);
	free(known);
	arena_done(&a);
	return rc;
}

static int load_tail(struct chest *c, struct device *d, struct view *v)
{
	struct tail_item *items = NULL;
	size_t n = 0;
	struct error err = {0};
	int rc = store_tail_all(d->keeper, &c->arena, &items, &n);

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct changeset cs;
		struct scope scope = {0};

		rc = changeset_read(items[i].changeset, &c->arena, &cs, &err);
		if (rc == 0) rc = store_scope_get(d->keeper, items[i].scope, &scope);
		for (size_t k = 0; k < cs.ops_count && rc == 0; k++) {
			struct record r = {.op = &cs.ops[k], .run = cs.run, .lane = items[i].lane};

			memcpy(r.scope, scope.id, 16);
			(void)view_add(v, &r, WORD_MINE | (d->hub ? WORD_HUB : 0u));
		}
	}
	return rc;
}

/* A row lies where its insert put it. */
static void note_strays(struct view *v)
{
	for (size_t from = 0, to; from < v->count; from = to) {
		const struct record *insert = NULL, *first = &v->records[from];

		for (to = from; to < v->count && v->records[to].lane == first->lane &&
		                memcmp(v->records[to].op->row, first->op->row, 16) == 0;
		     to++)
			if (insert == NULL && v->records[to].op->kind == OP_INSERT &&
			    record_merges(&v->records[to]))
				insert = &v->records[to];
		for (size_t i = from; insert != NULL && i < to; i++)
			if (memcmp(v->records[i].scope, insert->scope, 16) != 0)
				v->records[i].words |= WORD_STRAY;
	}
}

/* Of those of one name: what all segments with the same bytes have heard together; of different ones, the one of highest rank
 * among those that merge. */
static struct record one_of(struct record *r, size_t n, bool *clash)
{
	const struct record *best = &r[0];
	bool differ = false;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++) {
			if (op_same(r[i].op, r[k].op))
				r[i].words |= r[k].words;
			else
				differ = true;
		}
	/* What an attacker says under one name is no mistake of anybody's. */
	*clash |= differ && !(r[0].words & WORD_EVIL);
	for (size_t i = 1; i < n && differ; i++) {
		uint8_t mine[16], other[16];

		op_rank(r[i].op, mine);
		op_rank(best->op, other);
		if (record_merges(&r[i]) != record_merges(best) ? record_merges(&r[i])
		                                                : memcmp(mine, other, 16) > 0)
			best = &r[i];
	}
	return *best;
}

int view_load(struct chest *c, struct device *d, struct view *ret)
{
	size_t kept = 0;
	int rc;

	*ret = (struct view){.device = d};
	rc = load_journal(c, d, ret);
	if (rc == 0) rc = load_tail(c, d, ret);
	if (rc < 0) {
		world_fail(d->world, "journal", "%s: journal or tail does not read: %d %s",
		           d->label, rc, store_error(d->keeper)->detail);
		view_done(ret);
		return -1;
	}
	if (ret->count > 0) qsort(ret->records, ret->count, sizeof(*ret->records), compare_record);
	for (size_t i = 0, n; i < ret->count; i += n) {
		for (n = 1; i + n < ret->count &&
		            compare_record(&ret->records[i], &ret->records[i + n]) == 0;)
			n++;
		ret->records[kept++] = one_of(&ret->records[i], n, &ret->clash);
	}
	ret->count = kept;
	note_strays(ret);
	for (size_t i = 0; i < kept; i++) {
		const struct record *r = &ret->records[i];

		if (record_merges(r)) oracle_add(&ret->oracle, r->scope, r->lane, r->run, r->op);
	}
	oracle_settle(&ret->oracle);
	if (d->world->failed_rule[0] == '\0') return 0;
	view_done(ret);
	return -1;
}

void view_done(struct view *v)
{
	oracle_done(&v->oracle);
	free(v->missing);
	free(v->records);
	v->records = NULL;
	v->missing = NULL;
	v->missing_count = 0;
	v->count = v->room = 0;
}

static const struct record *view_find(const struct view *v, const struct record *r)
{
	return v->count == 0 ? NULL : bsearch(r, v->records, v->count, sizeof(*r), compare_record);
}

/* ---- rows against the view */
static bool is_alive(struct value v)
{
	return v.type == VALUE_INT && v.i == 1;
}

static void say_value(struct value v, char *out, size_t len)
{
	if (v.type == VALUE_INT)
		(void)snprintf(out, len, "%" PRId64, v.i);
	else if (v.type == VALUE_NULL)
		(void)snprintf(out, len, "null");
	else
		(void)snprintf(out, len, "%.*s", (int)(v.s.len < 40 ? v.s.len : 40),
		               v.type == VALUE_TEXT ? (const char *)v.s.p : "(bytes)");
}

struct holding { /* candidates of a replica, and its run ordinals */
	struct candidate *c;
	size_t count;
};

/* A resumed image may give one id to rows of two tables. */
static bool is_of(const struct candidate *c, const struct oracle_row *row, unsigned slot)
{
	return c->kind != CANDIDATE_EDIT_OF_DELETED && c->table == row->table &&
	       c->lane == row->lane && c->slot == slot && memcmp(c->row, row->id, 16) == 0;
}

static size_t candidates_of(const struct holding *h, const struct oracle_row *row, unsigned slot)
{
	size_t n = 0;

	for (size_t i = 0; i < h->count; i++) n += is_of(&h->c[i], row, slot);
	return n;
}

static bool candidate_there(struct device *d, const struct holding *h, const struct oracle_row *row,
                            unsigned slot, const struct oracle_value *want)
{
	for (size_t i = 0; i < h->count; i++) {
		struct run_info info = {0};

		if (!is_of(&h->c[i], row, slot) || h->c[i].stamp != want->stamp) continue;
		if (store_run_get(d->keeper, h->c[i].run, &info) == 0 && info.run == want->run)
			return slot == 0 ? is_alive(h->c[i].value) == is_alive(want->value)
			                 : value_equal(h->c[i].value, want->value);
	}
	return false;
}

/* For a person: everything that the replica holds about a row. */
static void dump_row(struct world *w, const struct view *v, const struct oracle_row *row)
{
	for (size_t i = 0; w->trace_print && i < v->count; i++) {
		const struct record *r = &v->records[i];
		char value[64];

		if (r->lane != row->lane || memcmp(r->op->row, row->id, 16) != 0) continue;
		(void)fprintf(stderr,
		              "  kind %u run %" PRIx64 " stamp %" PRIx64 " words %u:", r->op->kind,
		              r->run, r->op->stamp, r->words);
		for (size_t k = 0; k < r->op->values_count; k++) {
			say_value(r->op->values[k].value, value, sizeof(value));
			(void)fprintf(stderr, " %u=%s", r->op->values[k].slot, value);
		}
		for (size_t k = 0; k < r->op->groups_count; k++)
			(void)fprintf(stderr, " saw %" PRIx64 ".%" PRIx64 "/%" PRIx64,
			              r->op->groups[k].run, r->op->groups[k].stamp,
			              r->op->groups[k].slots);
		(void)fprintf(stderr, "\n");
	}
}

static void check_slot(struct world *w, const struct view *v, const struct table *t,
                       const struct oracle_row *row, const struct row *have,
                       const struct holding *h, unsigned slot)
{
	struct oracle_value standing[ORACLE_STANDING_MAX];
	size_t n = oracle_standing(&v->oracle, row, slot, standing);
	bool set = slot == 0 && t->kind == TABLE_SET;
	struct value want = oracle_shown(&v->oracle, row, slot, set);
	char text[2][64], id[ID_TEXT];

	id_text(row->id, id);
	if (slot == 0 ? is_alive(want) != is_alive(have->v[0])
	              : !value_equal(want, have->v[slot])) {
		say_value(want, text[0], sizeof(text[0]));
		say_value(have->v[slot], text[1], sizeof(text[1]));
		world_fail(w, "value",
		           "%s: %s %s lane %u slot %u shows %s, oracle says %s (%zu stand)",
		           v->device->label, t->name, id, row->lane, slot, text[1], text[0], n);
		dump_row(w, v, row);
		return;
	}
	if (n > 1) {
		w->counts.conflicts++;
		REACHED(w, REST_CONFLICT);
	}
	if (set) return;
	if (candidates_of(h, row, slot) != (n > 1 ? n - 1 : 0)) {
		world_fail(w, "candidates",
		           "%s: %s %s lane %u slot %u has %zu candidates, oracle says %zu",
		           v->device->label, t->name, id, row->lane, slot,
		           candidates_of(h, row, slot), n > 1 ? n - 1 : 0);
		dump_row(w, v, row);
		return;
	}
	for (size_t i = 1; i < n; i++)
		if (!candidate_there(v->device, h, row, slot, &standing[i]))
			world_fail(w, "candidates",
			           "%s: %s %s lane %u slot %u: candidate %" PRIx64 ".%" PRIx64
			           " is missing",
			           v->device->label, t->name, id, row->lane, slot, standing[i].run,
			           standing[i].stamp);
}

static void check_table(struct world *w, const struct view *v, const struct table *t, unsigned lane,
                        const struct holding *h)
{
	struct arena a;
	struct row *rows = NULL;
	struct scope scope = {0};
	size_t n = 0, seen = 0, want = 0, slots = store_slots(v->device->keeper, t->number, lane);
	uint64_t mask = table_slots(t, lane);
	char id[ID_TEXT];

	arena_init(&a, 0);
	if (store_rows_scan(v->device->keeper, t->number, lane, 0, NULL, 1u << 20, &a, &rows, &n) <
	    0)
		n = 0;
	for (size_t i = 0; i < v->oracle.rows_count; i++)
		want += v->oracle.rows[i].exists && v->oracle.rows[i].table == t->number &&
		        v->oracle.rows[i].lane == lane;
	for (size_t i = 0; i < n && w->failed_rule[0] == '\0'; i++) {
		const struct oracle_row *row =
		        oracle_find_in(&v->oracle, t->number, rows[i].id, lane);

		id_text(rows[i].id, id);
		if (row == NULL || !row->exists || row->table != t->number) {
			world_fail(w, "rows", "%s: %s %s lane %u is there, oracle has no insert",
			           v->device->label, t->name, id, lane);
			break;
		}
		seen++;
		w->counts.rows++;
		if (scope.ord != rows[i].scope &&
		    store_scope_get(v->device->keeper, rows[i].scope, &scope) < 0)
			break;
		if (memcmp(scope.id, row->scope, 16) != 0)
			world_fail(w, "rows", "%s: %s %s lane %u stands in another scope",
			           v->device->label, t->name, id, lane);
		for (unsigned slot = 0; slot < slots; slot++)
			if (mask >> slot & 1) check_slot(w, v, t, row, &rows[i], h, slot);
	}
	for (size_t i = 0; seen != want && i < v->oracle.rows_count && w->failed_rule[0] == '\0';
	     i++) {
		const struct oracle_row *row = &v->oracle.rows[i];
		bool there = false;

		if (!row->exists || row->table != t->number || row->lane != lane) continue;
		for (size_t k = 0; k < n && !there; k++)
			there = memcmp(rows[k].id, row->id, 16) == 0;
		id_text(row->id, id);
		if (!there)
			world_fail(w, "rows", "%s: %s %s lane %u should be there and is not",
			           v->device->label, t->name, id, lane);
	}
	arena_done(&a);
}

void check_rows(struct world *w, const struct view *v)
{
	const struct schema *s = device_schema(v->device);
	struct holding h = {0};
	struct arena a;

	arena_init(&a, 0);
	if (v->clash && !vault_blind(w))
		world_fail(w, "names", "%s: one name, two changes", v->device->label);
	if (store_candidates_list(v->device->keeper, 1u << 20, &a, &h.c, &h.count) < 0)
		world_fail(w, "candidates", "%s: candidates do not read", v->device->label);
	for (size_t i = 0; i < s->tables_count; i++)
		for (unsigned lane = 0; lane < LANE_RESERVED && w->failed_rule[0] == '\0'; lane++)
			if (table_slots(s->tables[i], lane) != 0)
				check_table(w, v, s->tables[i], lane, &h);
	arena_done(&a);
}

/* ---- promises */
bool view_holds(const struct view *v, const struct name *x)
{
	struct op op = {.table = x->table, .stamp = x->stamp};
	struct record r = {.op = &op, .run = x->run, .lane = x->lane};

	memcpy(op.row, x->row, 16);
	return v->count > 0 && bsearch(&r, v->records, v->count, sizeof(r), compare_name) != NULL;
}

void check_acked(struct world *w, const struct view *v, bool rest)
{
	const struct device *d = v->device;

	for (size_t i = 0; i < d->acked.count; i++) {
		const struct name *x = &d->acked.p[i];
		char id[ID_TEXT];

		if (x->away && !rest) continue;
		if (view_holds(v, x)) {
			if (x->away) REACHED(w, CAME_HOME);
			continue;
		}
		id_text(x->row, id);
		world_fail(w, "durable",
		           "%s: recorded change %s lane %u run %" PRIx64 " stamp %" PRIx64
		           " is gone%s",
		           d->label, id, x->lane, x->run, x->stamp,
		           x->away ? ": it did not come home" : "");
		return;
	}
}

static void check_received(struct world *w, struct device *child, bool rest)
{
	struct arena a;
	struct peer peer = {0};
	const struct device *copy = child->parent ? vault_copy(w, child->parent) : NULL;
	bool known = false;

	/* A parent that was restored has not heard of the child yet, nor the child of it; and a copy is a parent. */
	if (child->parent == NULL || !child->joined) return;
	if (!rest && (child->parent->restored || (copy != NULL && copy->restored))) return;
	if (store_peer_get(child->keeper, child->parent->identity.origin, &peer, &known) < 0 ||
	    !known)
		return;
	arena_init(&a, 0);
	for (int64_t recv = 1; recv <= peer.acked; recv++) {
		struct entry *e = NULL;
		int64_t there = 0;

		if (recv % 64 == 0) arena_reset(&a);
		if (store_journal_get(child->keeper, recv, &a, &e) < 0 || e == NULL) break;
		if (memcmp(e->origin, child->identity.origin, 16) != 0 || !entry_is_segment(e) ||
		    !(child->parent->cert.lanes >> e->lane & 1))
			continue;
		if (store_journal_find(child->parent->keeper, e->hash, &there) < 0 || there != 0)
			continue;
		/* Of a hub with a copy either may have acknowledged it. */
		if (copy != NULL &&
		    (store_journal_find(copy->keeper, e->hash, &there) < 0 || there != 0))
			continue;
		world_fail(w, "received",
		           "%s: entry %" PRId64 " was acknowledged up to %" PRId64
		           " and is not at %s",
		           child->label, recv, peer.acked, child->parent->label);
		break;
	}
	arena_done(&a);
}

bool check_entitled(const struct device *d, const uint8_t scope[16], unsigned lane)
{
	int unit = id_is_zero(scope) ? d->unit : world_unit_find(d->world, scope);

	if (unit < 0 || !(d->cert.lanes >> lane & 1)) return false;
	if (unit == d->unit || (d->hub && world_under(d->world, unit, d->unit))) return true;
	return lane == LANE_OPEN && world_under(d->world, d->unit, unit); /* an ancestor's */
}

/* Every change that any living replica holds is at every device that is entitled to it, with the same verdict. */
static void check_complete(struct world *w, const struct view *views, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < views[i].count && w->failed_rule[0] == '\0'; k++) {
			const struct record *r = &views[i].records[k];

			for (size_t j = 0; j < n; j++) {
				const struct record *o;
				char id[ID_TEXT];

				if (j == i || !check_entitled(views[j].device, r->scope, r->lane))
					continue;
				o = view_find(&views[j], r);
				id_text(r->op->row, id);
				/* What nobody admitted its author may withdraw, towards one side only if he likes: who got
				 * the hole first has no use for the segment. */
				if (o == NULL && r->words == WORD_EVIL) continue;
				if (o == NULL)
					world_fail(w, "absent",
					           "%s holds table %u %s lane %u stamp %" PRIx64
					           ", %s does not",
					           views[i].device->label, (unsigned)r->op->table,
					           id, r->lane, r->op->stamp,
					           views[j].device->label);
				/* Of two changes of one name each replica's view has the one that stands there, and one that its
				 * author holds for his own may still wait here. */
				else if (op_same(o->op, r->op) &&
				         ((o->words ^ r->words) & (WORD_ACCEPTED | WORD_REFUSED)) !=
				                 0)
					world_fail(w, "verdict",
					           "%s: table %u %s lane %u: words %u, at %s %u",
					           views[i].device->label, (unsigned)r->op->table,
					           id, r->lane, r->words, views[j].device->label,
					           o->words);
			}
		}
}

/* Who stands behind another that waits may be stood behind himself, and of a changeset that stands or falls together all wait
 * for what one waits for: which of the records wait, over however many others, for something else than their like? */
static const uint8_t *behind_something(struct arena *a, const struct held *held, size_t count)
{
	uint8_t *grounded = arena_take(a, count + 1);
	bool more = true;

	for (size_t i = 0; i < count; i++) grounded[i] = held[i].cause != ERR_BEHIND;
	while (more) {
		more = false;
		for (size_t i = 0; i < count; i++)
			for (size_t k = 0; k < count && !grounded[i]; k++) {
				grounded[i] = grounded[k] && held[k].lane == held[i].lane &&
				              (memcmp(held[k].row, held[i].row, 16) == 0 ||
				               memcmp(held[k].row, held[i].wait, 16) == 0);
				more |= grounded[i] != 0;
			}
	}
	return grounded;
}

/* Nothing waits without a cause that is still true. */
static void check_waiting(struct world *w, const struct view *v, const struct view *views, size_t n)
{
	struct device *d = v->device;
	struct arena a;
	struct held *held = NULL;
	const uint8_t *grounded;
	size_t count = 0;

	for (size_t i = 0; i < v->count && d->joined; i++) {
		const struct record *r = &v->records[i];
		char id[ID_TEXT];

		if ((r->words &
		     (WORD_ACCEPTED | WORD_REFUSED | WORD_HUB | WORD_HELD | WORD_EVIL)) != 0)
			continue;
		id_text(r->op->row, id);
		world_fail(w, "waits",
		           "%s: table %u %s lane %u stamp %" PRIx64 " has no word of any hub",
		           d->label, (unsigned)r->op->table, id, r->lane, r->op->stamp);
		return;
	}
	arena_init(&a, 0);
	if (store_parked_list(d->keeper, 0, 1u << 16, &a, &held, &count) < 0) count = 0;
	grounded = behind_something(&a, held, count);
	for (size_t i = 0; i < count; i++) {
		uint16_t tables[TABLES_MAX];
		size_t there = 0;
		const struct oracle_row *row =
		        oracle_find_in(&v->oracle, held[i].table, held[i].row, held[i].lane);
		char id[ID_TEXT];

		w->counts.parks++;
		REACHED(w, REST_PARKED);
		id_text(held[i].row, id);
		if (held[i].cause == ERR_MISSING_REF &&
		    store_row_tables(d->keeper, held[i].wait, tables, &there) == 0 && there > 0)
			world_fail(w, "parked", "%s: %s waits for a row that is there", d->label,
			           id);
		/* Of a changeset that stands or falls together all wait for the row that one waits for. */
		if (held[i].cause == ERR_MISSING_ROW && row != NULL && row->exists &&
		    memcmp(held[i].wait, held[i].row, 16) == 0)
			world_fail(w, "parked",
			           "%s: an update of %s waits for its row, which is there",
			           d->label, id);
		if (held[i].cause == ERR_BEHIND) {
			if (!grounded[i]) {
				world_fail(w, "parked",
				           "%s: a change of %s lane %u waits behind nothing",
				           d->label, id, (unsigned)held[i].lane);
				if (row != NULL) dump_row(w, v, row);
				for (size_t k = 0; w->trace_print && k < count; k++)
					(void)fprintf(stderr,
					              "  held %" PRId64 ": recv %" PRId64
					              ".%u cause %d stamp %" PRIx64
					              " wait %02x%02x admitted %u\n",
					              held[k].id, held[k].recv, held[k].ordinal,
					              held[k].cause, held[k].stamp,
					              held[k].wait[14], held[k].wait[15],
					              held[k].admitted);
			}
		}
	}
	arena_done(&a);
	(void)views;
	(void)n;
}

/* ---- hashes and ceilings */
/* After a machine image was resumed unseen two changes may bear one name until both sides have met: what they say tells them apart. */
static void hash_said(struct hash *h, const struct op *op)
{
	hash_add(h, &op->table, sizeof(op->table));
	hash_add(h, &op->kind, sizeof(op->kind));
	for (size_t i = 0; i < op->values_count; i++) {
		const struct field_value *f = &op->values[i];

		hash_add(h, &f->slot, sizeof(f->slot));
		hash_add(h, &f->value.type, sizeof(f->value.type));
		if (f->value.type == VALUE_INT)
			hash_add(h, &f->value.i, sizeof(f->value.i));
		else
			hash_add(h, f->value.s.p, f->value.s.len);
	}
}

static void digest_of(const struct view *v, bool blind, const uint8_t scope[16], unsigned lane,
                      uint8_t ret_ops[16], uint8_t ret_rows[16])
{
	struct hash ops, rows;
	struct oracle_value standing[ORACLE_STANDING_MAX];

	hash_begin(&ops, 16);
	hash_begin(&rows, 16);
	for (size_t i = 0; i < v->oracle.rows_count; i++) {
		const struct oracle_row *row = &v->oracle.rows[i];

		if (!row->exists || row->lane != lane || memcmp(row->scope, scope, 16) != 0)
			continue;
		for (size_t k = row->first; k < row->first + row->count; k++) {
			hash_add(&ops, row->id, 16);
			hash_add(&ops, &v->oracle.ops[k].run, 8);
			hash_add(&ops, &v->oracle.ops[k].op->stamp, 8);
			if (blind) hash_said(&ops, v->oracle.ops[k].op);
		}
		for (unsigned slot = 0; slot < SLOTS_MAX; slot++) {
			size_t n = oracle_standing(&v->oracle, row, slot, standing);

			for (size_t k = 0; k < n; k++) {
				/* A creation is in every clock without being said; what was erased of it, it
				 * leaves out, and who has not heard of that yet agrees all the same. */
				if (id_is_created(row->id) && standing[k].run == id_run(row->id) &&
				    standing[k].stamp == id_stamp(row->id))
					continue;
				hash_add(&rows, row->id, 16);
				hash_add(&rows, &slot, sizeof(slot));
				hash_add(&rows, &standing[k].run, 8);
				hash_add(&rows, &standing[k].stamp, 8);
			}
		}
	}
	hash_end(&ops, ret_ops, 16);
	hash_end(&rows, ret_rows, 16);
}

struct seen_state {
	uint8_t state[STATE_BYTES], ops[16], rows[16];
	const struct device *device;
};

static void check_states(struct world *w, const struct view *views, size_t n)
{
	struct seen_state *seen = mem_alloc((n + 1) * sizeof(*seen));

	for (size_t u = 0; u < w->units_count; u++)
		for (unsigned lane = 0; lane < 2; lane++) {
			size_t count = 0;

			for (size_t i = 0; i < n; i++) {
				struct seen_state *s = &seen[count];
				uint32_t ord = 0;

				if (!check_entitled(views[i].device, w->units[u].id, lane))
					continue;
				if (store_scope_ord(views[i].device->keeper, w->units[u].id, false,
				                    &ord) < 0)
					continue;
				memset(s, 0, sizeof(*s));
				if (ord != 0 && store_state_get(views[i].device->keeper, ord, lane,
				                                s->state) < 0)
					continue;
				s->device = views[i].device;
				digest_of(&views[i], vault_blind(w), w->units[u].id, lane, s->ops,
				          s->rows);
				count++;
			}
			for (size_t i = 1; i < count; i++) {
				bool state = memcmp(seen[i].state, seen[0].state, STATE_BYTES) == 0;

				if (state && memcmp(seen[i].rows, seen[0].rows, 16) != 0)
					world_fail(w, "hash",
					           "unit %zu lane %u: equal state hash, other rows "
					           "at %s and %s",
					           u, lane, seen[0].device->label,
					           seen[i].device->label);
				if (!state && memcmp(seen[i].ops, seen[0].ops, 16) == 0)
					world_fail(w, "hash",
					           "unit %zu lane %u: equal changes, other state "
					           "hash at %s and %s",
					           u, lane, seen[0].device->label,
					           seen[i].device->label);
			}
		}
	free(seen);
}

static void check_file(struct world *w, struct device *d)
{
	char path[96];
	struct error err = {0};
	FILE *f;
	uint8_t *bytes;
	long len;

	(void)snprintf(path, sizeof(path), "/dev/shm/jinguo-sim-%ld-%u.db", (long)getpid(),
	               d->number);
	(void)unlink(path);
	if (store_backup(d->keeper, path, &err) < 0) {
		world_fail(w, "ceiling", "%s: backup: %s", d->label, err.detail);
		return;
	}
	f = fopen(path, "rb");
	if (f == NULL) return;
	(void)fseek(f, 0, SEEK_END);
	len = ftell(f);
	(void)fseek(f, 0, SEEK_SET);
	bytes = mem_alloc((size_t)len + 1);
	if (fread(bytes, 1, (size_t)len, f) == (size_t)len &&
	    memmem(bytes, (size_t)len, CANARY, strlen(CANARY)) != NULL)
		world_fail(w, "ceiling", "%s: bytes of a closed lane lie in its database",
		           d->label);
	free(bytes);
	(void)fclose(f);
	(void)unlink(path);
}

/* No byte of a closed lane above its ceiling: headers, tables, the whole file. */
static void check_ceiling(struct world *w, const struct view *v, bool file)
{
	for (size_t i = 0; i < v->count; i++)
		if (!(v->device->cert.lanes >> v->records[i].lane & 1)) {
			world_fail(w, "ceiling", "%s holds a change of lane %u", v->device->label,
			           v->records[i].lane);
			return;
		}
	if (file && v->device->cert.lanes == 1) check_file(w, v->device);
}

/* ---- all together */
static bool applied_all(struct device *d)
{
	struct replica_counts counts = {0};

	return d->replica != NULL && replica_counts(d->replica, &counts) == 0 &&
	       counts.unapplied == 0;
}

/* What is missing is said, at any time, and nothing else. */
static void check_gaps(struct world *w, const struct view *v)
{
	struct device *d = v->device;
	int64_t gaps = 0;

	/* What stands here as a hole is not missing: holes are links of the chain. */
	if (v->holes > 0 || store_journal_gaps(d->keeper, &gaps) < 0) return;
	if ((size_t)gaps != v->missing_count)
		world_fail(w, "gaps", "%s says %" PRId64 " gaps, its journal has %zu", d->label,
		           gaps, v->missing_count);
}

/* At rest: what is missing lay on lost disks alone. */
static void check_missing(struct world *w, const struct view *v, const struct view *views, size_t n)
{
	for (size_t i = 0; i < v->missing_count; i++)
		for (size_t k = 0; k < n; k++) {
			int64_t there = 0;

			if (store_journal_find(views[k].device->keeper, v->missing[i], &there) <
			            0 ||
			    there == 0)
				continue;
			world_fail(w, "gaps", "%s misses a segment that %s has", v->device->label,
			           views[k].device->label);
		}
	if (v->missing_count > 0) REACHED(w, GAP_FOR_GOOD);
}

static size_t load_all(struct world *w, struct chest *c, struct view *views)
{
	size_t n = 0;

	for (size_t i = 0; i < w->devices_count; i++)
		if (w->devices[i]->alive && w->devices[i]->joined && !w->devices[i]->damaged &&
		    !device_forsaken(w->devices[i]) && view_load(c, w->devices[i], &views[n]) == 0)
			n++;
	return n;
}

void check_midway(struct world *w, struct chest *c)
{
	struct view *views = mem_alloc(WORLD_DEVICES_MAX * sizeof(*views));
	size_t n = load_all(w, c, views), whole = 0;

	for (size_t i = 0; i < n; i++) {
		check_acked(w, &views[i], /* rest= */ false);
		check_received(w, views[i].device, /* rest= */ false);
		check_ceiling(w, &views[i], /* file= */ false);
		if (!views[i].device->damaged) check_gaps(w, &views[i]);
		if (!applied_all(views[i].device)) {
			view_done(&views[i]);
			continue;
		}
		check_rows(w, &views[i]);
		again_states(w, &views[i]);
		again_deleted(w, &views[i]);
		again_summary(w, &views[i]);
		again_whole(w, &views[i]);
		views[whole++] = views[i];
	}
	check_states(w, views, whole);
	for (size_t i = 0; i < whole; i++) view_done(&views[i]);
	free(views);
}

void check_rest(struct world *w, struct chest *c)
{
	struct view *views = mem_alloc(WORLD_DEVICES_MAX * sizeof(*views));

	for (size_t i = 0; i < w->devices_count; i++) /* at rest all of it is mended */
		w->devices[i]->damaged = false;
	size_t n = load_all(w, c, views);

	for (size_t i = 0; i < n; i++) {
		struct replica_counts counts = {0};

		if (views[i].device->replica == NULL ||
		    replica_counts(views[i].device->replica, &counts) < 0)
			continue;
		if (counts.unapplied != 0 || counts.tail != 0)
			world_fail(w, "rest",
			           "%s rests with %" PRId64 " unapplied and %" PRId64
			           " in the tail",
			           views[i].device->label, counts.unapplied, counts.tail);
		if (!world_hostile(w)) {
			check_gaps(w, &views[i]);
			check_missing(w, &views[i], views, n);
		}
		w->counts.runs += (uint64_t)counts.runs;
		check_acked(w, &views[i], /* rest= */ true);
		check_received(w, views[i].device, /* rest= */ true);
		check_rows(w, &views[i]);
		/* A second way to what check_rows says, and dear: in some worlds. */
		if (w->config.damage > 0 || w->config.seed % 4 == 0)
			damage_check_sound(w, views[i].device);
		again_states(w, &views[i]);
		again_deleted(w, &views[i]);
		again_summary(w, &views[i]);
		again_whole(w, &views[i]);
		again_figures(w, &views[i]);
		if (counts.alarms != 0 && !world_hostile(w) && !vault_blind(w))
			world_fail(w, "alarms",
			           "%s: %" PRId64 " alarms, and all who spoke are honest",
			           views[i].device->label, counts.alarms);
		check_ceiling(w, &views[i], /* file= */ true);
	}
	check_complete(w, views, n);
	for (size_t i = 0; i < n; i++) check_waiting(w, &views[i], views, n);
	check_states(w, views, n);
	for (size_t i = 0; i < n; i++) tally_check(w, &views[i], views, n);
	for (size_t i = 0; i < n; i++) view_done(&views[i]);
	free(views);
}
