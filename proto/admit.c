/*
 * admit.c - admissions: what all known words say of a segment, the words of this hub, and annulment.
 *
 * Verdicts are per record; where two admissions speak of one record, accepted by any is accepted.  A
 * refused change is annulled at its author, who merges the row again from his own journal and tail
 * without it (the parent's image would lose what he wrote since).
 */
#include "common/base.h"

#include "common/ident.h"
#include "proto/engine.h"
#include "proto/trail.h"

/* ---- reading words */

int engine_stands_above(struct replica *r, const uint8_t hub[16], const struct cert *below,
                        bool *ret)
{
	struct climb c = {.from = below};
	int rc = 0;
	*ret = false;
	for (unsigned depth = 0; !rc && depth < CERT_CHAIN_MAX && !*ret; depth++) {
		rc = engine_climb(r, &c);
		if (rc || !c.at) break;
		*ret = !memcmp(c.at->origin, hub, 16);
	}
	return rc;
}

/* Does the way up from one scope, as far as the tree is known here, pass another? */
static int passes(struct replica *r, uint32_t from, uint32_t by, bool *ret)
{
	struct scope s;
	int rc = 0;
	*ret = false;
	for (unsigned depth = 0; !rc && from && depth < 12 && !*ret; depth++) {
		*ret = from == by;
		rc = store_scope_get(r->st, from, &s);
		from = rc ? 0 : s.parent;
	}
	return rc;
}

int engine_outside_hub(struct replica *r, const struct cert *hub, uint32_t scope, bool *ret)
{
	uint32_t unit;
	bool own = false, above = false, below = false, ours = false, higher = false;
	uint8_t origin[16];
	origin_of(hub->origin_key, origin);
	*ret = false;
	if (!memcmp(origin, r->id->origin, 16)) return 0;
	int rc = engine_stands_above(r, origin, &r->cert, &above);
	rc = rc ? rc : store_scope_ord(r->st, hub->unit, true, &unit);
	rc = rc || above ? rc : passes(r, scope, unit, &own);
	if (rc || above || own) return rc;
	rc = engine_stands_above(r, r->id->origin, hub, &below);
	rc = rc ? rc : passes(r, scope, r->own_scope, &ours);
	rc = rc ? rc : passes(r, unit, scope, &higher);
	*ret = !below || ours || higher;
	return rc;
}

/* May this hub speak of this author's work in this scope?  Who issued his certificate may, and who stands above in the
 * chain; but of what is not its own a hub may only say no, whomever it gave certificates to. */
static int may_speak(struct replica *r, const uint8_t hub[16], const struct cert *author,
                     uint32_t scope, bool *ret_may, bool *ret_no_only)
{
	struct cert speaker;
	bool known = false;
	*ret_no_only = false;
	int rc = engine_stands_above(r, hub, author, ret_may);
	if (!rc && *ret_may) rc = engine_cert_of(r, hub, &speaker, &known);
	if (!rc && known) rc = engine_outside_hub(r, &speaker, scope, ret_no_only);
	*ret_may = *ret_may && known;
	return rc;
}

/* What an item refuses, and nothing else of it. */
static struct admission_item refusals_of(struct arena *a, const struct admission_item *item)
{
	struct admission_item no = *item;
	no.mode = ADMIT_ONLY;
	no.verdicts = ARENA_ARRAY(a, struct verdict, item->verdicts_count + 1);
	no.verdicts_count = 0;
	for (size_t i = 0; i < item->verdicts_count; i++)
		if (item->verdicts[i].accepted == 0)
			no.verdicts[no.verdicts_count++] = item->verdicts[i];
	return no;
}

/* Verdicts of one admission, at most: with the longest list of items it stays below its limit of bytes. */
enum { VERDICTS_MAX = ADMISSION_BYTES_MAX / 16 };

struct admitting {
	struct admitting *next;
	uint32_t scope;
	unsigned lane;
	struct admission_item items[ADMISSION_ITEMS_MAX];
	size_t rooms
	        [ADMISSION_ITEMS_MAX]; /* verdicts that an item has room for; 0: the list is not ours */
	size_t count, verdicts;
};

static void words_add(struct words *w, struct arena *a, const struct admission_item *item,
                      const struct admission *m)
{
	if (w->count == w->room) {
		size_t room = w->room * 2 + 4;
		struct admission_item *items = ARENA_ARRAY(a, struct admission_item, room);
		int64_t *at_ms = ARENA_ARRAY(a, int64_t, room);
		uint8_t(*hubs)[16] = ARENA_ARRAY(a, uint8_t[16], room);
		if (w->count) {
			memcpy(items, w->items, w->count * sizeof(*items));
			memcpy(at_ms, w->at_ms, w->count * sizeof(*at_ms));
			memcpy(hubs, w->hubs, w->count * sizeof(*hubs));
		}
		w->items = items;
		w->at_ms = at_ms;
		w->hubs = hubs;
		w->room = room;
	}
	w->items[w->count] = *item;
	w->at_ms[w->count] = m->at_ms;
	memcpy(w->hubs[w->count++], m->hub, 16);
}

/* What this hub has said of it in this transaction, and the journal does not have yet. */
static void words_said_now(struct replica *r, const uint8_t segment[32], uint32_t scope,
                           struct arena *a, struct words *w)
{
	struct admission now = {.at_ms = r->env->now_ms(r->env->ctx)};
	memcpy(now.hub, r->id->origin, 16);
	for (struct admitting *m = r->admitting; m; m = m->next)
		for (size_t i = 0; m->scope == scope && i < m->count; i++)
			if (!memcmp(m->items[i].segment, segment, 32))
				words_add(w, a, &m->items[i], &now);
}

int words_load(struct replica *r, const uint8_t segment[32], const struct cert *author,
               uint32_t scope, struct arena *a, struct words *ret)
{
	int64_t *recvs;
	size_t n;
	memset(ret, 0, sizeof(*ret));
	int rc = store_words(r->st, segment, a, &recvs, &n);
	if (rc) return engine_fail(r, rc);
	for (size_t i = 0; i < n; i++) {
		struct entry *e;
		struct admission m;
		uint8_t hash[32], sign[64];
		bool may, no_only;
		rc = store_journal_get(r->st, recvs[i], a, &e);
		if (rc) return engine_fail(r, rc);
		if (!e || e->kind != ENTRY_ADMISSION)
			continue; /* a hole is noted in the same place */
		if (!entry_sound(e)) {
			ret->damaged = true;
			continue;
		}
		rc = may_speak(r, e->origin, author, scope, &may, &no_only);
		rc = rc || !may ? rc : admission_open(e->head, a, &m, hash, sign, &r->err);
		if (rc) return engine_fail(r, rc);
		for (size_t k = 0; may && k < m.items_count; k++)
			if (!memcmp(m.items[k].segment, segment, 32)) {
				struct admission_item item =
				        no_only ? refusals_of(a, &m.items[k]) : m.items[k];
				words_add(ret, a, &item, &m);
			}
	}
	words_said_now(r, segment, scope, a, ret);
	return 0;
}

static const struct verdict *said_of(const struct admission_item *item, uint32_t ordinal)
{
	for (size_t i = 0; i < item->verdicts_count; i++)
		if (item->verdicts[i].ordinal == ordinal) return &item->verdicts[i];
	return NULL;
}

enum record_verdict words_verdict(const struct words *w, uint32_t ordinal,
                                  const struct verdict **ret_said, const uint8_t **ret_hub)
{
	enum record_verdict v = VERDICT_WAITS;
	for (size_t i = 0; i < w->count; i++) {
		const struct verdict *said = said_of(&w->items[i], ordinal);
		if (said ? said->accepted == 1 : w->items[i].mode == ADMIT_ALL_BUT)
			return VERDICT_ACCEPTED;
		if (said && said->accepted == 0) {
			v = VERDICT_REFUSED;
			if (ret_said) *ret_said = said;
			if (ret_hub) *ret_hub = w->hubs[i];
		}
	}
	return v;
}

bool words_judged(const struct words *w, uint32_t first, size_t count)
{
	for (size_t i = 0; i < w->count; i++)
		for (size_t k = 0; k < count; k++) {
			const struct verdict *said = said_of(&w->items[i], first + (uint32_t)k);
			if (said ? said->accepted != 2 || said->code != ERR_PART
			         : w->items[i].mode == ADMIT_ALL_BUT)
				return true;
		}
	return false;
}

/* ---- making words: collected while a batch is applied, journaled at its end */

static struct admitting *admitting_of(struct replica *r, uint32_t scope, unsigned lane)
{
	for (struct admitting *m = r->admitting; m; m = m->next)
		if (m->scope == scope && m->lane == lane) return m;
	struct admitting *m = ARENA_ARRAY(&r->tx, struct admitting, 1);
	m->scope = scope;
	m->lane = lane;
	m->next = r->admitting;
	r->admitting = m;
	return m;
}

static int note_refused(struct replica *r, const struct admission_item *item)
{
	struct trail_record t = {.verb = TRAIL_REFUSED};
	size_t n = 0;
	char text[32];
	for (size_t i = 0; i < item->verdicts_count; i++) {
		if (item->verdicts[i].accepted) continue;
		if (!n++) t.outcome = (uint16_t)item->verdicts[i].code;
	}
	if (!n) return 0;
	(void)snprintf(text, sizeof(text), "%zu", n);
	t.detail = span_of(text, strlen(text));
	memcpy(t.id, item->segment, 16);
	return trail_add(r, &t);
}

static int journal_admission(struct replica *r, struct admitting *m)
{
	struct admission a = {.lane = (uint8_t)m->lane,
	                      .at_ms = r->env->now_ms(r->env->ctx),
	                      .number = ++r->s.admissions,
	                      .items = m->items,
	                      .items_count = m->count};
	struct entry e = {.kind = ENTRY_ADMISSION, .lane = (uint8_t)m->lane, .scope = m->scope};
	struct buf b;
	int64_t recv;
	if (!m->count) return 0;
	buf_init(&b, ADMISSION_BYTES_MAX + SIGN_BYTES);
	memcpy(a.hub, r->id->origin, 16);
	memcpy(e.origin, r->id->origin, 16);
	int rc = engine_scope_id(r, m->scope, a.scope);
	rc = rc ? rc : admission_make(&a, r->id->sign_secret, &b, e.hash, &r->err);
	e.head = buf_span(&b);
	rc = rc ? rc : store_journal_append(r->st, &e, 1, &recv);
	for (size_t i = 0; i < m->count && !rc; i++) {
		rc = store_word_add(r->st, m->items[i].segment, e.recv);
		rc = rc ? rc : note_refused(r, &m->items[i]);
	}
	buf_done(&b);
	m->count = m->verdicts = 0;
	return rc ? engine_fail(r, rc) : 0;
}

int admit_flush(struct replica *r)
{
	int rc = 0;
	for (struct admitting *m = r->admitting; m && !rc; m = m->next)
		rc = journal_admission(r, m);
	r->admitting = NULL;
	return rc;
}

/* Verdicts of two items on one segment in one, by ordinal; of two on one record the later counts.  Mostly the new ones
 * stand behind the others: thousands of records of one segment that are released one by one must not be copied anew for
 * each. */
static void join_item(struct replica *r, struct admitting *m, size_t at,
                      const struct admission_item *item)
{
	struct admission_item *into = &m->items[at];
	size_t total = into->verdicts_count + item->verdicts_count, n = 0, i = 0, k = 0;
	bool behind = into->verdicts_count && item->verdicts_count &&
	              into->verdicts[into->verdicts_count - 1].ordinal < item->verdicts[0].ordinal;
	if (behind && total <= m->rooms[at]) {
		memcpy(&into->verdicts[into->verdicts_count], item->verdicts,
		       item->verdicts_count * sizeof(*item->verdicts));
		into->verdicts_count = total;
		return;
	}
	m->rooms[at] = 2 * total;
	struct verdict *all = ARENA_ARRAY(&r->tx, struct verdict, m->rooms[at]);
	while (i < into->verdicts_count || k < item->verdicts_count) {
		bool older = k == item->verdicts_count ||
		             (i < into->verdicts_count &&
		              into->verdicts[i].ordinal < item->verdicts[k].ordinal);
		if (!older && i < into->verdicts_count &&
		    into->verdicts[i].ordinal == item->verdicts[k].ordinal)
			i++;
		all[n++] = older ? into->verdicts[i++] : item->verdicts[k++];
	}
	into->verdicts = all;
	into->verdicts_count = n;
}

static int say_item(struct replica *r, struct admitting *m, const struct admission_item *item)
{
	size_t at = m->count;
	int rc = 0;
	for (size_t i = 0; i < m->count && at == m->count; i++)
		if (m->items[i].mode == ADMIT_ONLY && item->mode == ADMIT_ONLY &&
		    !memcmp(m->items[i].segment, item->segment, 32))
			at = i;
	bool fits = m->verdicts + item->verdicts_count <= VERDICTS_MAX;
	if (at < m->count && fits) {
		join_item(r, m, at, item);
	} else {
		if (m->count == ADMISSION_ITEMS_MAX || !fits) rc = journal_admission(r, m);
		m->rooms[m->count] = 0;
		m->items[m->count++] = *item;
	}
	m->verdicts += item->verdicts_count;
	return rc;
}

int admit_say(struct replica *r, uint32_t scope, unsigned lane, const struct admission_item *item)
{
	struct admitting *m = admitting_of(r, scope, lane);
	struct admission_item piece = *item;
	int rc = 0;
	/* What speaks of listed records only can be said in pieces. */
	assert(item->mode == ADMIT_ONLY || item->verdicts_count <= VERDICTS_MAX);
	for (size_t at = 0; !rc && (!at || at < item->verdicts_count); at += VERDICTS_MAX) {
		size_t left = item->verdicts_count - at;
		piece.verdicts = item->verdicts + at;
		piece.verdicts_count = left < VERDICTS_MAX ? left : VERDICTS_MAX;
		rc = say_item(r, m, &piece);
	}
	return rc;
}

struct admission_item admit_list(struct replica *r, const struct admission_item *item, size_t ops)
{
	struct admission_item said = *item;
	size_t k = 0;
	if (item->mode == ADMIT_ONLY || item->verdicts_count <= VERDICTS_MAX) {
		said.verdicts = arena_copy(&r->tx, item->verdicts,
		                           item->verdicts_count * sizeof(*item->verdicts));
		return said;
	}
	/* "All but these" is one list and cannot be said in pieces: so each is named, the accepted too. */
	said.mode = ADMIT_ONLY;
	said.verdicts = ARENA_ARRAY(&r->tx, struct verdict, ops);
	said.verdicts_count = ops;
	for (size_t i = 0; i < ops; i++) {
		bool listed = k < item->verdicts_count && item->verdicts[k].ordinal == i;
		said.verdicts[i] = listed ? item->verdicts[k++]
		                          : (struct verdict){.ordinal = (uint32_t)i, .accepted = 1};
	}
	return said;
}

/* ---- all that is known of one row */

struct gathering {
	struct known_op *ops;
	size_t count, room;
};

static int compare_ids(const void *x, const void *y)
{
	return memcmp(x, y, 16);
}

bool row_chosen(const struct row_choice *c, const uint8_t row[16])
{
	if (c->ids) return c->count && bsearch(row, c->ids, c->count, 16, compare_ids);
	if (c->parts <= 1) return true;
	return id_mixed(row) % c->parts == c->part;
}

static struct field_value *values_copy(struct arena *a, const struct field_value *v, size_t n)
{
	struct field_value *copy = arena_copy(a, v, n * sizeof(*v));
	for (size_t i = 0; i < n; i++) copy[i].value = value_copy(a, v[i].value);
	return copy;
}

static struct op *op_copy(struct arena *a, const struct op *o)
{
	struct op *copy = arena_copy(a, o, sizeof(*o));
	copy->values = values_copy(a, o->values, o->values_count);
	copy->olds = values_copy(a, o->olds, o->olds_count);
	copy->groups = arena_copy(a, o->groups, o->groups_count * sizeof(*o->groups));
	copy->opaque = arena_span(a, o->opaque);
	return copy;
}

/* Of a changeset what its operations share. */
static struct changeset *frame_copy(struct arena *a, const struct changeset *c)
{
	struct changeset *copy = arena_copy(a, c, sizeof(*c));
	copy->person_sign = arena_span(a, c->person_sign);
	copy->ops = NULL;
	copy->ops_count = 0;
	return copy;
}

static bool any_chosen(const struct changeset *cs, size_t n, const struct row_choice *c)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < cs[i].ops_count; k++)
			if (row_chosen(c, cs[i].ops[k].row)) return true;
	return false;
}

static void gather_changesets(struct gathering *g, struct arena *a, struct changeset *cs, size_t n,
                              const struct row_choice *c, const struct known_op *like,
                              const struct words *w)
{
	uint32_t ordinal = 0;
	for (size_t i = 0; i < n; i++) {
		const struct changeset *frame = NULL;
		uint32_t first = ordinal;
		for (size_t k = 0; k < cs[i].ops_count; k++, ordinal++) {
			if (!row_chosen(c, cs[i].ops[k].row)) continue;
			if (g->count == g->room) {
				struct known_op *more =
				        ARENA_ARRAY(a, struct known_op, g->room * 2 + 8);
				if (g->count) memcpy(more, g->ops, g->count * sizeof(*more));
				g->ops = more;
				g->room = g->room * 2 + 8;
			}
			struct known_op *o = &g->ops[g->count++];
			if (!frame) frame = frame_copy(a, &cs[i]);
			*o = *like;
			o->op = op_copy(a, &cs[i].ops[k]);
			o->changeset = frame;
			o->run = cs[i].run;
			o->ordinal = ordinal;
			o->first = first;
			o->verdict = like->hub_authored || !w
			                     ? VERDICT_ACCEPTED
			                     : words_verdict(w, ordinal, NULL, NULL);
		}
	}
}

/* spare: memory of one segment, of which only the operations on the rows stay, in the other. */
static int gather_segment(struct replica *r, struct gathering *g, const struct entry *e,
                          const struct row_choice *c, struct arena *a, struct arena *spare,
                          size_t *ret_unread)
{
	struct segment s;
	struct changeset *cs;
	struct words w;
	struct cert author;
	size_t n;
	bool known;
	if (!entry_is_segment(e)) return 0;
	if (!entry_sound(e)) {
		(*ret_unread)++;
		return 0;
	}
	int rc = entry_segment(e, &s, &r->err);
	if (!rc && segment_changesets(&s, spare, &cs, &n, NULL)) { /* no program of ours wrote it */
		(*ret_unread)++;
		return 0;
	}
	if (rc || !any_chosen(cs, n, c)) return rc;
	rc = engine_cert_of(r, e->origin, &author, &known);
	rc = rc ? rc : words_load(r, e->hash, &author, e->scope, spare, &w);
	if (rc) return rc;
	if (w.damaged) (*ret_unread)++;
	struct known_op like = {.recv = e->recv,
	                        .merged = e->merged,
	                        .hub_authored = known && author.role == CERT_HUB};
	memcpy(like.origin, e->origin, 16);
	gather_changesets(g, a, cs, n, c, &like, &w);
	return 0;
}

static int gather_tail(struct replica *r, struct gathering *g, unsigned lane,
                       const struct row_choice *choice, uint32_t scope, struct arena *a,
                       struct arena *page, struct arena *spare, size_t *ret_unread)
{
	struct tail_item *items;
	size_t n, aside = 0;
	int rc = store_tail_all(r->st, page, &items, &n);
	rc = rc ? rc : aside_count(r, scope, lane, &aside);
	*ret_unread += aside;
	for (size_t i = 0; i < n && !rc; i++) {
		if (items[i].lane != lane || items[i].scope != scope) continue;
		struct changeset c;
		struct known_op like = {.merged = true, .hub_authored = replica_is_hub(r)};
		memcpy(like.origin, r->id->origin, 16);
		size_t before = g->count;
		struct error none;
		arena_reset(spare);
		if (changeset_read(items[i].changeset, spare, &c, &none)) {
			(*ret_unread)++;
			continue;
		}
		gather_changesets(g, a, &c, 1, choice, &like, NULL);
		for (size_t k = before; k < g->count; k++)
			g->ops[k].verdict = like.hub_authored ? VERDICT_ACCEPTED : VERDICT_WAITS;
	}
	return rc ? engine_fail(r, rc) : 0;
}

/* ---- what stands of a name */

struct named { /* an operation, and the rank of its bytes among those of its name */
	struct known_op *o;
	uint8_t rank[16];
};

static int compare_name(const void *a, const void *b)
{
	const struct known_op *x = ((const struct named *)a)->o, *y = ((const struct named *)b)->o;
	if (x->run != y->run) return x->run < y->run ? -1 : 1;
	if (x->op->stamp != y->op->stamp) return x->op->stamp < y->op->stamp ? -1 : 1;
	if (x->op->table != y->op->table) return x->op->table < y->op->table ? -1 : 1;
	return memcmp(x->op->row, y->op->row, 16);
}

static int compare_rank(const void *a, const void *b)
{
	return memcmp(((const struct named *)a)->rank, ((const struct named *)b)->rank, 16);
}

/* Are these bytes accepted through any of the segments that hold them?  Else they may be an author's own that wait. */
static bool said_good(const struct named *x, size_t n)
{
	bool waits_merged = false, refused = false;
	for (size_t i = 0; i < n; i++) {
		if (x[i].o->verdict == VERDICT_ACCEPTED) return true;
		waits_merged |= x[i].o->verdict == VERDICT_WAITS && x[i].o->merged;
		refused |= x[i].o->verdict == VERDICT_REFUSED;
	}
	return waits_merged && !refused;
}

/* Those of one name: from the highest rank down, the first that is good stands, and the others that are good give way. */
static void foot_name(struct named *x, size_t n)
{
	bool stands = false;
	if (n > 1) {
		for (size_t i = 0; i < n; i++) op_rank(x[i].o->op, x[i].rank);
		qsort(x, n, sizeof(*x), compare_rank);
	}
	for (size_t end = n, from; end; end = from) {
		for (from = end - 1; from && !compare_rank(&x[from - 1], &x[end - 1]);) from--;
		bool good = said_good(&x[from], end - from);
		for (size_t i = from; i < end; i++)
			x[i].o->footing = !good ? FALLS : stands ? GIVES_WAY : STANDS;
		stands |= good;
	}
}

/* A row may have thousands of changes, all said by one who means to keep us busy: nothing here is done for each pair. */
static void foot_all(struct known_op *ops, size_t n, struct arena *a)
{
	struct named *x = ARENA_ARRAY(a, struct named, n + 1);
	for (size_t i = 0; i < n; i++) x[i].o = &ops[i];
	if (n) qsort(x, n, sizeof(*x), compare_name);
	for (size_t from = 0, end; from < n; from = end) {
		for (end = from + 1; end < n && !compare_name(&x[from], &x[end]);) end++;
		foot_name(&x[from], end - from);
	}
}

int admit_ops_of_rows(struct replica *r, unsigned lane, uint32_t scope, const struct row_choice *c,
                      struct arena *a, struct known_op **ret, size_t *ret_count, size_t *ret_unread)
{
	enum { AT_ONCE = 8 /* segments; each may be as large as a frame */ };
	struct gathering g = {0};
	struct arena page, spare;
	int64_t after = 0;
	int rc = 0;
	*ret_unread = 0;
	arena_init(&page, 0);
	arena_init(&spare, 0);
	for (size_t n = 1; n && !rc;) {
		struct entry *entries;
		rc = store_journal_scope(r->st, scope, lane, after, AT_ONCE, &page, &entries, &n);
		for (size_t i = 0; i < n && !rc; i++) {
			rc = gather_segment(r, &g, &entries[i], c, a, &spare, ret_unread);
			after = entries[i].recv;
			arena_reset(&spare);
		}
		arena_reset(&page);
	}
	rc = rc ? rc : gather_tail(r, &g, lane, c, scope, a, &page, &spare, ret_unread);
	arena_done(&spare);
	arena_done(&page);
	if (!rc) foot_all(g.ops, g.count, a);
	*ret = g.ops;
	*ret_count = g.count;
	return rc ? engine_fail(r, rc) : 0;
}

int admit_ops_of_row(struct replica *r, unsigned lane, const uint8_t row[16], uint32_t scope,
                     struct arena *a, struct known_op **ret, size_t *ret_count)
{
	uint8_t ids[1][16];
	struct row_choice one = {.ids = (const uint8_t(*)[16])ids, .count = 1};
	size_t unread;
	memcpy(ids[0], row, 16);
	return admit_ops_of_rows(r, lane, scope, &one, a, ret, ret_count, &unread);
}

/* ---- annulment */

static int park_twice(struct replica *r, unsigned lane, const struct known_op *o, uint32_t scope)
{
	struct held h = {.recv = o->recv,
	                 .ordinal = o->ordinal,
	                 .scope = scope,
	                 .table = o->op->table,
	                 .lane = (uint8_t)lane,
	                 .admitted = 1,
	                 .stamp = o->op->stamp,
	                 .cause = ERR_ONE_NAME_TWICE,
	                 .since_ms = r->env->now_ms(r->env->ctx)};
	int64_t before, after;
	memcpy(h.row, o->op->row, 16);
	int rc = store_run_ord(r->st, o->run, &h.run);
	rc = rc ? rc : store_parked_count(r->st, &before);
	rc = rc ? rc : store_parked_add(r->st, &h);
	rc = rc ? rc : store_parked_count(r->st, &after);
	if (rc || after == before) return rc;
	r->parked_any = true;
	engine_alarm(r, "two changes of one name");
	env_trace(r->env, "one name twice: table %u, one is parked", (unsigned)o->op->table);
	return 0;
}

/* The row from all that is known of it; twice: what gives way to another of its name is parked. */
static int merge_again(struct replica *r, uint16_t table, unsigned lane, const uint8_t row[16],
                       uint32_t scope, bool twice)
{
	struct arena a;
	struct known_op *ops;
	size_t n = 0, kept = 0, unread = 0;
	uint8_t ids[1][16];
	struct row_choice one = {.ids = (const uint8_t(*)[16])ids, .count = 1};
	memcpy(ids[0], row, 16);
	arena_init(&a, 0);
	struct lane_state *l = ARENA_ARRAY(&a, struct lane_state, 1);
	int rc = lane_load(r, table, lane, row, l);
	rc = rc ? rc : admit_ops_of_rows(r, lane, scope, &one, &a, &ops, &n, &unread);
	if (!rc && unread) { /* not without all that is known: when the bytes are whole again */
		arena_done(&a);
		return repair_row_later(r, scope, lane, table, row);
	}
	rc = rc ? rc : lane_drop(r, l);
	rc = rc ? rc : lane_load(r, table, lane, row, l);
	/* Inserts first: an update meets its row whatever the order of the journal. */
	for (int pass = 0; pass < 2 && !rc; pass++)
		for (size_t i = 0; i < n && !rc; i++) {
			bool applied;
			if ((ops[i].op->kind == OP_INSERT) != (pass == 0) ||
			    ops[i].op->kind > OP_UPDATE || ops[i].op->table != table ||
			    ops[i].footing != STANDS)
				continue;
			rc = lane_merge(r, l, ops[i].op, ops[i].run, scope, &applied);
			kept += !rc && applied && ops[i].merged && ops[i].verdict == VERDICT_WAITS;
		}
	if (!rc && !twice)
		env_trace(r->env, "annulled%s: table %u", kept ? ": later changes stay" : "",
		          (unsigned)table);
	if (!rc && l->exists) rc = lane_save(r, l, ~UINT64_C(0));
	for (size_t i = 0; i < n && !rc && twice; i++)
		if (ops[i].footing == GIVES_WAY) rc = park_twice(r, lane, &ops[i], scope);
	arena_done(&a);
	return rc;
}

int admit_twice(struct replica *r, uint16_t table, unsigned lane, const uint8_t row[16],
                uint32_t scope)
{
	return merge_again(r, table, lane, row, scope, /* twice= */ true);
}

int admit_annul(struct replica *r, uint16_t table, unsigned lane, const uint8_t row[16],
                uint32_t scope)
{
	return merge_again(r, table, lane, row, scope, /* twice= */ false);
}
