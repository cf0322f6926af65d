/*
 * match.c - see match.h.
 */
#include "common/base.h"

#include "hub/match.h"

#include "common/crypt.h"
#include "common/env.h"
#include "common/rows.h"
#include "proto/privacy.h"

enum { PAGE = 1000, TOKEN = 16, TEXT_MAX = 256, GROUNDS = 3 };

struct keyed {
	uint8_t hash[TOKEN];
	struct match_person who;
};

struct matching {
	struct replica *r;
	const struct table *t;
	const struct field *name, *birth, *id_type, *id_no, *phone, *state;
	uint8_t key[32];
	struct keyed *tokens[GROUNDS + 1]; /* by ground */
	size_t count[GROUNDS + 1], room[GROUNDS + 1];
};

const char *match_ground_name(enum match_ground ground)
{
	static const char *const names[] = {
	        [MATCH_DOCUMENT] = "document", [MATCH_PHONE] = "phone", [MATCH_BIRTH] = "birth"};
	return names[ground];
}

static struct value value_of(const struct matching *m, const struct row_view *v,
                             const struct field *f)
{
	return v->values[f - m->t->fields];
}

/* The same for how people write one number or name: no blanks and hyphens, capitals; of a telephone no +86.  0: nothing. */
static size_t plain(struct value v, const struct matching *m, const struct field *f,
                    uint8_t ret[TEXT_MAX])
{
	size_t n = 0, from = 0;

	if (v.type != VALUE_TEXT) return 0;
	for (size_t i = 0; i < v.s.len && n < TEXT_MAX; i++) {
		uint8_t c = v.s.p[i];

		if (c == ' ' || c == '\t' || c == '-') continue;
		ret[n++] =
		        c >= 'a' && c <= 'z' ? (uint8_t)(c ^ 0x20) : c; /* of UTF-8, ASCII only */
	}
	if (f == m->phone && n > 3 && !memcmp(ret, "+86", 3)) from = 3;
	memmove(ret, ret + from, n - from);
	return n - from;
}

/* Each part with its length before it, so that no two pairs read the same. */
static void add_part(struct hash *h, const void *p, size_t len)
{
	uint8_t before[2] = {(uint8_t)len, (uint8_t)(len >> 8)};

	hash_add(h, before, sizeof(before));
	hash_add(h, p, len);
}

static void note(struct matching *m, enum match_ground g, const struct row_view *v, const void *one,
                 size_t one_len, const void *two, size_t two_len)
{
	struct keyed *t;
	struct hash h;

	if (m->count[g] == m->room[g]) {
		m->room[g] = m->room[g] * 2 + PAGE;
		m->tokens[g] = mem_grow(m->tokens[g], m->room[g] * sizeof(*t));
	}
	t = &m->tokens[g][m->count[g]++];
	hash_begin(&h, TOKEN);
	hash_add(&h, m->key, sizeof(m->key));
	add_part(&h, one, one_len);
	add_part(&h, two, two_len);
	hash_end(&h, t->hash, TOKEN);
	memcpy(t->who.row, v->id, 16);
	t->who.scope = v->scope;
}

static bool is_gone(struct value state)
{
	return state.type == VALUE_TEXT && (span_equal(state.s, span_of("left", 4)) ||
	                                    span_equal(state.s, span_of("merged", 6)));
}

static int take(void *ctx, const struct row_view *v)
{
	struct matching *m = ctx;
	uint8_t name[TEXT_MAX], other[TEXT_MAX];
	struct value birth = value_of(m, v, m->birth), type = value_of(m, v, m->id_type);
	size_t named, n;
	bool frozen = false;
	int rc = replica_frozen(m->r, v->id, &frozen);

	if (rc || frozen || is_gone(value_of(m, v, m->state))) return rc;
	n = plain(value_of(m, v, m->id_no), m, m->id_no, other);
	if (n)
		note(m, MATCH_DOCUMENT, v, other, n, type.s.p,
		     type.type == VALUE_TEXT ? type.s.len : 0);
	named = plain(value_of(m, v, m->name), m, m->name, name);
	n = plain(value_of(m, v, m->phone), m, m->phone, other);
	if (named && n) note(m, MATCH_PHONE, v, name, named, other, n);
	if (named && birth.type == VALUE_INT)
		note(m, MATCH_BIRTH, v, name, named, &birth.i, sizeof(birth.i));
	crypt_wipe(other, sizeof(other));
	return 0;
}

static int by_hash(const void *x, const void *y)
{
	const struct keyed *a = x, *b = y;
	int c = memcmp(a->hash, b->hash, TOKEN);

	return c ? c : memcmp(a->who.row, b->who.row, 16);
}

static bool holds(const struct match *g, const uint8_t row[16])
{
	size_t lo = 0, hi = g->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = memcmp(g->persons[mid].row, row, 16);

		if (!c) return true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/* Does a surer ground say this already? */
static bool is_said(const struct match *before, size_t count, const struct match *g)
{
	for (size_t i = 0; i < count; i++) {
		size_t k = 0;

		if (before[i].ground == g->ground) break;
		while (k < g->count && holds(&before[i], g->persons[k].row)) k++;
		if (k == g->count) return true;
	}
	return false;
}

static void group(struct matching *m, struct arena *a, struct match *list, size_t *count)
{
	for (enum match_ground g = MATCH_DOCUMENT; g <= MATCH_BIRTH; g++) {
		struct keyed *t = m->tokens[g];
		size_t before = *count;

		if (m->count[g]) qsort(t, m->count[g], sizeof(*t), by_hash);
		for (size_t i = 0, k; i < m->count[g]; i = k) {
			struct match_person *p;
			struct match found = {.ground = g};

			for (k = i + 1; k < m->count[g] && !memcmp(t[k].hash, t[i].hash, TOKEN);)
				k++;
			if (k - i < 2) continue;
			p = ARENA_ARRAY(a, struct match_person, k - i);
			for (size_t j = i; j < k; j++) p[found.count++] = t[j].who;
			found.persons = p;
			if (!is_said(list, before, &found)) list[(*count)++] = found;
		}
	}
}

int match_find(struct replica *r, struct arena *a, struct match **ret, size_t *ret_count)
{
	struct matching m = {.r = r, .t = schema_table(&schema_current, TABLE_VOLUNTEER)};
	size_t most = 0;
	int rc;

	m.name = table_field_named(m.t, "name");
	m.birth = table_field_named(m.t, "birth");
	m.id_type = table_field_named(m.t, "id_type");
	m.id_no = table_field_named(m.t, "id_no");
	m.phone = table_field_named(m.t, "phone");
	m.state = table_field_named(m.t, "vstat");
	env_random(m.key, sizeof(m.key));
	rc = rows_each(replica_store(r), m.t, 0, take, &m);
	for (unsigned g = MATCH_DOCUMENT; g <= MATCH_BIRTH; g++) most += m.count[g] / 2;
	*ret = ARENA_ARRAY(a, struct match, most + 1);
	*ret_count = 0;
	if (!rc) group(&m, a, *ret, ret_count);
	for (unsigned g = MATCH_DOCUMENT; g <= MATCH_BIRTH; g++) {
		if (m.tokens[g]) crypt_wipe(m.tokens[g], m.room[g] * sizeof(*m.tokens[g]));
		free(m.tokens[g]);
	}
	crypt_wipe(m.key, sizeof(m.key));
	return rc;
}
