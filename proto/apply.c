/*
 * apply.c - the second step of taking in: journal entries, in order, are admitted and merged.
 *
 * The apply position moves in the same transaction.  Everything here is idempotent.  What cannot be applied
 * is parked, record by record, with its cause and what it waits for; other records flow.
 * Waking goes through a queue, not recursion: chains of waiting records are as long as hostile peers like.
 */
#include "common/base.h"

#include "proto/engine.h"
#include "proto/trail.h"

#include "common/ident.h"

enum {
	SCAN_ENTRIES = 64,
	SCAN_BYTES = 4 * 1024 * 1024,
	OP_MEMORY_MAX = 256 * 1024, /* what operations of one entry may leave behind in memory */
	WOKEN_PAGE = 4096,          /* records that are tried before the next ones are read */
	HELD_OPEN_MAX = 2,          /* segments kept open while their parked records are tried */
	FORESIGHT_MS = 60 * 60 * 1000
};

/* One operation with its place. */
struct record {
	const struct op *op;
	const struct changeset *changeset;
	uint64_t run;
	uint32_t scope, ordinal;
	unsigned lane;
	int64_t recv;
	const uint8_t *origin;
	const uint8_t *segment; /* its hash; parked records only */
	const struct cert *author;
};

/* Ids that came into being in this apply: records may be waiting for them.  An id stands in the queue once, however many
 * of its records came through. */
struct woken {
	uint8_t (*ids)[16];
	size_t done, count, room;
	uint32_t *index; /* place in the queue + 1, hashed by id; twice as many as there is room */
};

/* A segment whose parked records are tried: thousands of them may lie in one, and it is unpacked once. */
struct held_segment {
	int64_t recv; /* 0: none */
	struct arena arena;
	struct segment s;
	struct changeset *cs;
	size_t n;
	struct cert author;
	uint8_t origin[16];
	uint32_t scope;
	unsigned lane;
};

/* Rows in which one name stands for two changes: seen to when all words of this apply are journaled. */
struct twice {
	struct twice *next;
	uint16_t table;
	unsigned lane;
	uint32_t scope;
	uint8_t row[16];
};

enum { CREATED_MAX = 50, EDITED_MAX = 1024 };

/* Rows that come into being, as nearly all do: written together (store_rows_insert_later), with what hangs on
 * them once the store has said which of them were fresh. */
struct created {
	struct row row;
	const struct table *table;
	unsigned lane;
	bool fresh;
	int64_t recv;
	uint32_t ordinal;
	struct record rec;
};

/* Creations of rows that lay in another scope already: found when they are written, so that the others cost no look. */
struct second {
	struct second *next;
	int64_t recv;
	uint32_t ordinal;
};

/*
 * An accepted edit that waits to be written (lane_edit): if the same run writes the same fields of the row once more in this
 * entry, as happens where people correct themselves, the last one is written for all of them - it covers the others, so
 * that the outcome is the same.
 */
struct edited {
	struct record rec;
	uint16_t next; /* place + 1 of a later edit of the same row; 0: none */
	bool first, judged;
};

struct applying {
	struct replica *r;
	struct woken woken;
	size_t ops; /* operations looked at, merged or not */
	struct held_segment held[HELD_OPEN_MAX];
	size_t held_next;
	struct twice *twice;
	struct created created[CREATED_MAX];
	size_t created_count;
	struct second *seconds;
	struct edited *edited; /* of one lane of one table */
	size_t edited_count;
	uint16_t *
	        edited_at; /* place + 1 of the last one of a row, hashed by id; twice as many as there is room */
	struct admission_item *item; /* that the verdicts go to; NULL: not one of exceptions */
	bool singly; /* rows that come into being are looked at before they are written */
	const struct table *
	        last; /* the table that was asked for last, and what of the lane this build knows */
	uint64_t last_slots, last_figures;
	uint16_t last_table; /* 0: none yet */
	unsigned last_lane;
	int64_t revoked_recv; /* the segment of which this was asked last */
	bool revoked,
	        let_in; /* its author is, and it is not of before; a person says so of these records */
};

static size_t woken_slot(const struct woken *w, const uint8_t id[16])
{
	size_t mask = 2 * w->room - 1, at;
	uint64_t h[2];
	memcpy(h, id, 16);
	at = (size_t)((h[0] ^ h[1] * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & mask;
	while (w->index[at] && memcmp(w->ids[w->index[at] - 1], id, 16) != 0) at = (at + 1) & mask;
	return at;
}

static void woken_grow(struct applying *x)
{
	struct woken *w = &x->woken;
	struct woken old = *w;
	size_t left = old.count - old.done, room = old.room ? old.room : 16;
	/* What is done leaves room; half of it free is enough. */
	w->room = left > room / 2 ? room * 2 : room;
	w->ids = ARENA_ARRAY(&x->r->tx, uint8_t[16], w->room);
	/* cppcheck-suppress AssignmentIntegerToAddress ; it takes the type in the macro for a value */
	w->index = ARENA_ARRAY(&x->r->tx, uint32_t, 2 * w->room);
	w->count = left;
	w->done = 0;
	for (size_t i = 0; i < w->count; i++) {
		memcpy(w->ids[i], old.ids[old.done + i], 16);
		w->index[woken_slot(w, w->ids[i])] = (uint32_t)i + 1;
	}
}

static void wake(struct applying *x, const uint8_t id[16])
{
	struct woken *w = &x->woken;
	if (!x->r->parked_any) return;
	if (w->count == w->room) woken_grow(x);
	size_t at = woken_slot(w, id);
	if (w->index[at] > w->done) return; /* its turn is still to come */
	memcpy(w->ids[w->count++], id, 16);
	w->index[at] = (uint32_t)w->count;
}

static int run_ord(struct replica *r, uint64_t run, uint32_t *ret)
{
	return store_run_ord(r->st, run, ret);
}

static int held_of(struct replica *r, const struct record *rec, int code, const char *field,
                   struct held *ret)
{
	*ret = (struct held){.recv = rec->recv,
	                     .ordinal = rec->ordinal,
	                     .scope = rec->scope,
	                     .table = rec->op->table,
	                     .lane = (uint8_t)rec->lane,
	                     .stamp = rec->op->stamp,
	                     .cause = code,
	                     .since_ms = r->env->now_ms(r->env->ctx)};
	memcpy(ret->row, rec->op->row, 16);
	snprintf(ret->field, sizeof(ret->field), "%s", field ? field : "");
	return run_ord(r, rec->run, &ret->run);
}

static int park(struct applying *x, const struct record *rec, int code, const char *field,
                const uint8_t wait[16], bool admitted)
{
	struct held h;
	int rc = held_of(x->r, rec, code, field, &h);
	x->ops++;
	h.admitted = admitted;
	if (wait) memcpy(h.wait, wait, 16);
	x->r->parked_any = true;
	env_trace(x->r->env, "parked: cause %d, table %u", code, (unsigned)rec->op->table);
	return rc ? rc : store_parked_add(x->r->st, &h);
}

/* Our word on a segment goes where the segment goes; and to its author, who may have spoken of a scope that is not sent to
 * him: he would never hear that it was refused. */
static int say(struct replica *r, const struct cert *author, uint32_t scope, unsigned lane,
               const struct admission_item *item)
{
	uint32_t unit, at;
	struct scope s;
	int rc = admit_say(r, scope, lane, item);
	rc = rc ? rc : store_scope_ord(r->st, author->unit, true, &unit);
	at = rc ? 0 : unit;
	for (unsigned depth = 0; !rc && at && at != scope && depth < 12; depth++) {
		rc = store_scope_get(r->st, at, &s);
		at = rc ? 0 : s.parent;
	}
	return rc || at == scope ? rc : admit_say(r, unit, lane, item);
}

/* ---- figures of what is refused */

static void put_values(struct value *v, const struct field_value *values, size_t n)
{
	for (size_t i = 0; i < n; i++) v[values[i].slot] = values[i].value;
}

/* What the author's figures claim through this operation: f(after) - f(before) as he held the row. */
static int add_claim(struct replica *r, const struct lane_state *l, const struct record *rec,
                     int64_t sign)
{
	struct figure_cell was[FIGURE_CELLS_MAX], is[FIGURE_CELLS_MAX];
	struct cell cells[2 * FIGURE_CELLS_MAX];
	struct value *before = ARENA_ARRAY(&r->scratch, struct value, SLOTS_MAX);
	struct value *after = ARENA_ARRAY(&r->scratch, struct value, SLOTS_MAX);
	size_t n = 0, w = 0;
	if (!engine_custodian(r) || !l->table || rec->op->kind > OP_UPDATE) return 0;
	if (rec->op->kind == OP_INSERT) {
		after[0] = value_int(1);
	} else {
		memcpy(before, l->v, sizeof(l->v));
		put_values(before, rec->op->olds, rec->op->olds_count);
		memcpy(after, before, sizeof(l->v));
		w = figure_cells(l->table, l->lane, before, was);
	}
	put_values(after, rec->op->values, rec->op->values_count);
	size_t i = figure_cells(l->table, l->lane, after, is);
	for (size_t k = 0; k < w; k++)
		cells[n++] = (struct cell){.scope = rec->scope,
		                           .month = was[k].month,
		                           .kind = was[k].kind,
		                           .refused = -was[k].amount * sign};
	for (size_t k = 0; k < i; k++)
		cells[n++] = (struct cell){.scope = rec->scope,
		                           .month = is[k].month,
		                           .kind = is[k].kind,
		                           .refused = is[k].amount * sign};
	return n ? store_cells_add(r->st, cells, n) : 0;
}

/* ---- rows that come into being */

/* The table, if this build knows it and all the fields that the operation writes. */
static const struct table *table_known(struct applying *x, const struct record *rec)
{
	if (rec->op->table != x->last_table || rec->lane != x->last_lane) {
		x->last = schema_table(store_schema(x->r->st), rec->op->table);
		x->last_table = rec->op->table;
		x->last_lane = rec->lane;
		x->last_slots =
		        x->last && rec->lane < LANE_RESERVED ? table_slots(x->last, rec->lane) : 0;
		x->last_figures = x->last_slots ? table_figure_slots(x->last, rec->lane) : 0;
	}
	return x->last_slots && !(rec->op->slots & ~x->last_slots) ? x->last : NULL;
}

/* Does the operation do nothing but create its row in a table and in fields that this build knows?  Org units and figures
 * have more hanging on them. */
static const struct table *creates(struct applying *x, const struct record *rec)
{
	if (!op_creates(rec->op, rec->run) || rec->op->table == TABLE_ORG_UNIT ||
	    rec->op->table == TABLE_FIGURE)
		return NULL;
	return table_known(x, rec);
}

static int note_twice(struct applying *x, const struct record *rec)
{
	struct twice *t = x->twice;
	while (t && (t->lane != rec->lane || t->table != rec->op->table ||
	             memcmp(t->row, rec->op->row, 16) != 0))
		t = t->next;
	if (t) return 0;
	t = ARENA_ARRAY(&x->r->tx, struct twice, 1);
	*t = (struct twice){
	        .next = x->twice, .table = rec->op->table, .lane = rec->lane, .scope = rec->scope};
	memcpy(t->row, rec->op->row, 16);
	x->twice = t;
	return 0;
}

/* The end of an apply: all that was said is journaled, and what the said names stand for is decided by all that is known. */
static int finish(struct applying *x)
{
	int rc = admit_flush(x->r);
	for (struct twice *t = x->twice; t && !rc; t = t->next)
		rc = admit_twice(x->r, t->table, t->lane, t->row, t->scope);
	x->twice = NULL;
	return rc;
}

/* The row is here already, by this very creation unless it says something else.  If it lies in another scope, this creation was
 * said twice: the first one counts. */
static int created_before(struct applying *x, const struct created *c, struct lane_state *l)
{
	const struct record *rec = &c->rec;
	bool differs;
	int rc = lane_load(x->r, rec->op->table, rec->lane, rec->op->row, l);
	if (rc || !l->exists) return rc;
	if (l->scope == rec->scope) {
		rc = lane_differs(x->r, l, rec->op, rec->run, &differs);
		return rc || !differs ? rc : note_twice(x, rec);
	}
	engine_alarm(x->r, "one row created in two scopes");
	struct second *s = ARENA_ARRAY(&x->r->tx, struct second, 1);
	*s = (struct second){.next = x->seconds, .recv = c->recv, .ordinal = c->ordinal};
	x->seconds = s;
	return 0;
}

static int settle_created(struct applying *x)
{
	struct lane_state *again = NULL;
	size_t n = x->created_count;
	int rc = n ? store_rows_settle(x->r->st) : 0;
	x->created_count = 0;
	for (size_t i = 0; i < n && !rc; i++) {
		struct created *c = &x->created[i];
		if (!c->fresh) { /* merged before, or by another insert: the creation stands where nothing else does */
			if (!again) again = ARENA_ARRAY(&x->r->scratch, struct lane_state, 1);
			rc = created_before(x, c, again);
			continue;
		}
		rc = lane_created(x->r, c->table, c->lane, &c->row);
		wake(x, c->row.id);
	}
	return rc ? engine_fail(x->r, rc) : 0;
}

static int settle_edited(struct applying *x);

/* Writes what waits. */
static int settle(struct applying *x)
{
	int rc = settle_created(x);
	return rc ? rc : settle_edited(x);
}

/* Memory of operations that are done with: an entry may hold thousands, and each may read a whole row. */
static int forget(struct applying *x, const struct arena_mark *m)
{
	if (x->r->scratch.bytes - m->bytes < OP_MEMORY_MAX) return 0;
	int rc = settle(x);
	arena_rewind(&x->r->scratch, m);
	return rc;
}

static int create(struct applying *x, const struct record *rec, const struct table *t)
{
	int rc = x->created_count == CREATED_MAX ? settle_created(x) : 0;
	if (rc) return rc;
	struct created *c = &x->created[x->created_count];
	*c = (struct created){.row.scope = rec->scope,
	                      .table = t,
	                      .lane = rec->lane,
	                      .recv = rec->recv,
	                      .ordinal = rec->ordinal,
	                      .rec = *rec};
	memcpy(c->row.id, rec->op->row, 16);
	c->row.v = ARENA_ARRAY(&x->r->scratch, struct value,
	                       store_slots(x->r->st, t->number, rec->lane));
	c->row.v[0] = value_int(1);
	put_values(c->row.v, rec->op->values, rec->op->values_count);
	x->created_count++;
	rc = store_rows_insert_later(x->r->st, t->number, rec->lane, &c->row, &c->fresh);
	return rc ? engine_fail(x->r, rc) : 0;
}

/* ---- edits that meet no other */

/* May the operation be one?  Its clock speaks of no time that is still to come, and no figure counts what it writes. */
static const struct table *edits(struct applying *x, const struct record *rec)
{
	const struct op *op = rec->op;
	if (x->singly || op->kind != OP_UPDATE || op->table == TABLE_ORG_UNIT ||
	    op->table == TABLE_FIGURE || op->table == TABLE_CORRECTION)
		return NULL;
	const struct table *t = table_known(x, rec);
	if (!t || (engine_custodian(x->r) && (op->slots & x->last_figures & ~UINT64_C(1))))
		return NULL;
	uint64_t now = op->groups_count
	                       ? stamp_of_ms(x->r->env->now_ms(x->r->env->ctx) + FORESIGHT_MS)
	                       : 0;
	for (size_t i = 0; i < op->groups_count; i++)
		if (op->groups[i].stamp > now) return NULL;
	return t;
}

/* Nothing but edits of the same lane of the same table is done while some wait. */
static int settle_before(struct applying *x, const struct record *rec, const struct table *t)
{
	const struct record *waits = x->edited_count ? &x->edited[0].rec : NULL;
	if (!waits || (t && waits->op->table == rec->op->table && waits->lane == rec->lane))
		return 0;
	return settle(x);
}

static size_t edited_slot(const struct applying *x, const uint8_t row[16])
{
	uint64_t h[2];
	memcpy(h, row, 16);
	size_t at = (size_t)(((h[0] ^ h[1]) * UINT64_C(0x9e3779b97f4a7c15)) >> 40);
	for (at %= 2 * EDITED_MAX; x->edited_at[at]; at = (at + 1) % (2 * EDITED_MAX))
		if (!memcmp(x->edited[x->edited_at[at] - 1].rec.op->row, row, 16)) break;
	return at;
}

/* Does the later one cover the earlier one, and whatever that one did? */
static bool edit_follows(const struct record *was, const struct record *is)
{
	return was->run == is->run && was->scope == is->scope && was->op->slots == is->op->slots &&
	       was->op->stamp < is->op->stamp && !was->op->groups_count && !is->op->groups_count;
}

static int edit_later(struct applying *x, const struct record *rec, bool judged)
{
	if (!x->edited) {
		x->edited = mem_alloc(EDITED_MAX * sizeof(*x->edited));
		x->edited_at = mem_alloc(2 * EDITED_MAX * sizeof(*x->edited_at));
	}
	size_t at = edited_slot(x, rec->op->row);
	struct edited *was = x->edited_at[at] ? &x->edited[x->edited_at[at] - 1] : NULL;
	if (x->edited_count == EDITED_MAX || (was && !edit_follows(&was->rec, rec))) {
		int rc = settle(x);
		if (rc) return rc;
		at = edited_slot(x, rec->op->row);
		was = NULL;
	}
	x->edited[x->edited_count++] =
	        (struct edited){.rec = *rec, .first = !was, .judged = judged};
	x->edited_at[at] = (uint16_t)x->edited_count;
	if (was) was->next = x->edited_at[at];
	return 0;
}

/* ---- merging one accepted record */

/* Has a change of the row lost its name to another?  What has lost it once does not come in by a later word. */
static int name_lost(struct replica *r, const struct record *rec, bool *ret)
{
	int64_t twice = 0;
	int rc = r->parked_any ? store_parked_twice(r->st, rec->op->row, rec->lane, &twice) : 0;
	*ret = twice > 0;
	return rc;
}

/* loaded: the row as it stands; NULL: not looked at yet. */
static int merge_now(struct applying *x, const struct record *rec, struct lane_state *loaded)
{
	struct replica *r = x->r;
	bool applied, refused = false;
	uint32_t ord;
	x->ops++;
	if (rec->op->kind > OP_UPDATE)
		return 0; /* kept and forwarded; not merged by this version */
	const struct table *t = creates(x, rec);
	int rc = run_ord(r, rec->run, &ord);
	rc = rc ? rc
	        : store_refused_get(r->st, rec->op->table, rec->op->row, rec->lane, ord,
	                            rec->op->stamp, &refused);
	if (rc) return engine_fail(r, rc);
	if (t && !refused) return create(x, rec, t);
	struct lane_state *l = loaded ? loaded : ARENA_ARRAY(&r->scratch, struct lane_state, 1);
	rc = loaded ? 0 : lane_load(r, rec->op->table, rec->lane, rec->op->row, l);
	if (!rc && refused) { /* by another hub, or before a restore: accepted by any is accepted */
		env_trace(r->env, "refused before, accepted now: table %u",
		          (unsigned)rec->op->table);
		rc = store_refused_remove(r->st, rec->op->table, rec->op->row, rec->lane, ord,
		                          rec->op->stamp);
		rc = rc ? rc : add_claim(r, l, rec, -1);
	}
	if (!rc && l->exists && l->scope != rec->scope) {
		engine_alarm(r, "a change of a row in the name of another scope");
		return park(x, rec, ERR_NOT_YOURS, NULL, NULL, /* admitted= */ true);
	}
	bool differs = false;
	rc = rc ? rc : lane_differs(r, l, rec->op, rec->run, &differs);
	if (!rc && !differs && l->exists) rc = name_lost(r, rec, &differs);
	if (!rc && differs) return note_twice(x, rec);
	if (rc || (lane_knows(l, rec->op, rec->run) && !rec->op->groups_count)) return rc;
	/* Nobody judged it who would have kept the row within its bounds. */
	if (lane_outgrown(l, rec->op, rec->run, 2 * ROW_MARKS_MAX, 2 * ROW_BYTES_MAX)) {
		engine_alarm(r, "a row that outgrows its bounds");
		return park(x, rec, ERR_LIMIT, NULL, NULL, /* admitted= */ true);
	}
	rc = lane_merge(r, l, rec->op, rec->run, rec->scope, &applied);
	if (rc) return rc;
	if (!applied)
		return park(x, rec, ERR_MISSING_ROW, NULL, rec->op->row, /* admitted= */ true);
	rc = lane_save(r, l, op_written(rec->op));
	if (!rc && !l->existed) wake(x, rec->op->row);
	return rc;
}

static int refused_before(struct replica *r, const struct record *rec, bool *ret)
{
	uint32_t ord = 0;
	int rc = run_ord(r, rec->run, &ord);
	rc = rc ? rc
	        : store_refused_get(r->st, rec->op->table, rec->op->row, rec->lane, ord,
	                            rec->op->stamp, ret);
	if (!rc && !*ret) rc = name_lost(r, rec, ret);
	return rc ? engine_fail(r, rc) : 0;
}

static int merge_record(struct applying *x, const struct record *rec)
{
	const struct table *edit = edits(x, rec);
	bool refused = false;
	int rc = settle_before(x, rec, edit);
	if (!rc && edit) rc = refused_before(x->r, rec, &refused);
	if (rc || !edit || refused) return rc ? rc : merge_now(x, rec, /* loaded= */ NULL);
	x->ops++;
	return edit_later(x, rec, /* judged= */ false);
}

/* ---- judging */

/* Does another parked record of the row go first?  The row's creation is not held by what waits for it. */
static int stands_behind(struct applying *x, const struct record *rec, bool row_here, bool *ret)
{
	struct store *st = x->r->st;
	*ret = false;
	if (!x->r->parked_any) return 0;
	return rec->op->kind == OP_INSERT && !row_here
	               ? store_parked_holds_row(st, rec->op->row, rec->lane, rec->recv,
	                                        rec->ordinal, ret)
	               : store_parked_on_row(st, rec->op->row, rec->lane, rec->recv, rec->ordinal,
	                                     ret);
}

/* Does he say that he saw what another's run wrote, later than anybody can have seen?  Such a clock would swallow what that
 * run is still to write.  An author learns of others' changes through us: so we know them, or they are of our time. */
static int foresees(struct applying *x, const struct record *rec, const struct lane_state *l,
                    bool *ret)
{
	uint64_t now = stamp_of_ms(x->r->env->now_ms(x->r->env->ctx) + FORESIGHT_MS);
	int rc = 0;
	*ret = false;
	for (size_t i = 0; i < rec->op->groups_count && !rc && !*ret; i++) {
		const struct clock_group *g = &rec->op->groups[i];
		struct run_info info = {0};
		bool seen = g->run == rec->run || g->stamp <= now;
		for (size_t k = 0; k < l->clock.count && !seen; k++)
			seen = l->clock.marks[k].run == g->run &&
			       l->clock.marks[k].stamp >= g->stamp;
		if (seen) continue;
		rc = run_ord(x->r, g->run, &info.ord);
		if (!rc && info.ord) rc = store_run_get(x->r->st, info.ord, &info);
		*ret = memcmp(info.origin, rec->origin, 16) != 0; /* an earlier run of his own */
	}
	return rc;
}

/* What the program itself does not take, whatever the rules of the table are: a row has a scope, and an end. */
static int judge_row(struct applying *x, const struct record *rec, const struct lane_state *l,
                     struct judgement *ret)
{
	bool too_late = false;
	int rc = foresees(x, rec, l, &too_late);
	if (l->exists && l->scope != rec->scope)
		*ret = (struct judgement){.code = ERR_NOT_YOURS};
	else if (too_late)
		*ret = (struct judgement){.code = ERR_PROTOCOL};
	else if (lane_outgrown(l, rec->op, rec->run, ROW_MARKS_MAX, ROW_BYTES_MAX))
		*ret = (struct judgement){.code = ERR_LIMIT};
	return rc;
}

/* What a revoked device signed beyond what its parent had judged before waits for a person, who lets it in by number. */
static int ask_judge(struct applying *x, const struct record *rec, const struct judged *j,
                     struct judgement *ret)
{
	struct replica *r = x->r;
	if (x->revoked_recv != rec->recv) {
		struct entry *e = NULL;
		x->revoked = false;
		int rc = store_journal_get(r->st, rec->recv, &r->scratch, &e);
		if (!rc && e && rec->author)
			rc = engine_revoked(r, rec->author, e->hash, &x->revoked);
		if (rc) return rc;
		x->revoked_recv = rec->recv;
	}
	if (x->revoked && !x->let_in) {
		*ret = (struct judgement){.accepted = 2, .code = ERR_REVOKED};
		return 0;
	}
	return r->judge->op(r->judge->ctx, r, j, ret);
}

static int judge_record(struct applying *x, const struct record *rec, struct lane_state *l,
                        struct judgement *ret)
{
	struct replica *r = x->r;
	struct row row = {.scope = l->scope, .v = l->v};
	struct judged j = {.author = rec->author,
	                   .op = rec->op,
	                   .changeset = rec->changeset,
	                   .run = rec->run,
	                   .lane = rec->lane,
	                   .row = l->exists ? &row : NULL};
	bool parked = false;
	*ret = (struct judgement){.accepted = 1};
	bool differs = false; /* one that only has the name of what is known is judged for itself */
	int rc = lane_differs(x->r, l, rec->op, rec->run, &differs);
	if (rc || (!differs && lane_knows(l, rec->op, rec->run) && l->scope == rec->scope))
		return rc;
	rc = stands_behind(x, rec, l->exists, &parked);
	if (rc) return rc;
	if (parked) {
		*ret = (struct judgement){.accepted = 2, .code = ERR_BEHIND};
		memcpy(ret->wait, rec->op->row, 16);
		return 0;
	}
	memcpy(row.id, rec->op->row, 16);
	rc = engine_scope_id(r, rec->scope, j.scope);
	if (!rc && !l->exists && (rec->op->kind == OP_UPDATE || rec->op->kind == OP_PROPOSAL)) {
		bool refused = false;
		uint32_t ord = 0;
		if (id_is_created(rec->op->row)) rc = run_ord(r, id_run(rec->op->row), &ord);
		if (!rc && ord)
			rc = store_refused_get(r->st, rec->op->table, rec->op->row, rec->lane, ord,
			                       id_stamp(rec->op->row), &refused);
		/* Nothing waits for a row that its author could not change if it came. */
		if (!rc && !refused && r->judge) rc = ask_judge(x, rec, &j, ret);
		if (rc || ret->accepted == 0) return rc;
		*ret = (struct judgement){.accepted = refused ? 0 : 2,
		                          .code = refused ? ERR_REFUSED : ERR_MISSING_ROW};
		memcpy(ret->wait, rec->op->row, 16);
		return rc;
	}
	if (!rc && r->judge)
		rc = ask_judge(x, rec, &j, ret);
	else if (!rc && rec->op->kind == OP_PROPOSAL)
		*ret = (struct judgement){.accepted = 2, .code = ERR_PROPOSAL};
	if (!rc && ret->accepted == 1) rc = judge_row(x, rec, l, ret);
	return rc;
}

static const char *field_name(struct replica *r, uint16_t table, uint8_t number)
{
	const struct table *t = schema_table(store_schema(r->st), table);
	const struct field *f = t && number ? table_field(t, number) : NULL;
	return f ? f->name : "";
}

static int refuse_record(struct applying *x, const struct record *rec, const struct lane_state *l,
                         int code, uint8_t field, const uint8_t by[16], bool mine)
{
	struct held h;
	bool before = false;
	x->ops++;
	int rc = held_of(x->r, rec, code, field_name(x->r, rec->op->table, field), &h);
	rc = rc ? rc : store_refused_get(x->r->st, h.table, h.row, h.lane, h.run, h.stamp, &before);
	if (rc || before) return rc;
	memcpy(h.by, by, 16);
	h.mine = mine;
	rc = store_refused_add(x->r->st, &h);
	env_trace(x->r->env, "refused: cause %d, table %u", code, (unsigned)rec->op->table);
	return rc || !l ? rc : add_claim(x->r, l, rec, 1);
}

/* Judges a creation as that of a row that is not here: if it is accepted, it is so in any case, for a row that is here
 * already was created by this very operation.  If not, the row is to be looked at. */
static int judge_creation(struct applying *x, const struct record *rec, struct judgement *ret,
                          bool *ret_asked)
{
	struct replica *r = x->r;
	struct judged j = {.author = rec->author,
	                   .op = rec->op,
	                   .changeset = rec->changeset,
	                   .run = rec->run,
	                   .lane = rec->lane};
	bool parked = false;
	*ret = (struct judgement){.accepted = 1};
	int rc = stands_behind(x, rec, /* row_here= */ false, &parked);
	rc = rc ? rc : engine_scope_id(r, rec->scope, j.scope);
	if (!rc && !parked && r->judge) rc = ask_judge(x, rec, &j, ret);
	*ret_asked = !parked; /* what waits on this row goes first: it may be the same creation */
	return rc;
}

/* Judges an edit as that of a row that is here as its author says.  If it is refused or held, and if the row turns out to be
 * another when it is written, the row is to be looked at. */
static int admit_edit(struct applying *x, const struct record *rec, bool *ret_done)
{
	struct replica *r = x->r;
	struct row row = {.scope = rec->scope};
	struct judged j = {.author = rec->author,
	                   .op = rec->op,
	                   .changeset = rec->changeset,
	                   .run = rec->run,
	                   .lane = rec->lane,
	                   .row = &row,
	                   .unread = true};
	struct judgement said = {.accepted = 1};
	bool not_now = false;
	uint32_t ord = 0;
	*ret_done = false;
	int rc = stands_behind(x, rec, /* row_here= */ true, &not_now);
	rc = rc || not_now ? rc : run_ord(r, rec->run, &ord);
	if (!rc && !not_now)
		rc = store_refused_get(r->st, rec->op->table, rec->op->row, rec->lane, ord,
		                       rec->op->stamp, &not_now);
	if (!rc && !not_now) rc = name_lost(r, rec, &not_now);
	if (rc || not_now) return rc ? engine_fail(r, rc) : 0;
	memcpy(row.id, rec->op->row, 16);
	rc = engine_scope_id(r, rec->scope, j.scope);
	if (!rc && r->judge) rc = ask_judge(x, rec, &j, &said);
	if (rc || said.accepted != 1) return rc ? engine_fail(r, rc) : 0;
	*ret_done = true;
	x->ops++;
	return edit_later(x, rec, /* judged= */ true);
}

/* Judges one record; *ret says what the admission will say of it. */
static int admit_now(struct applying *x, const struct record *rec, struct verdict *ret)
{
	struct judgement j;
	bool asked = false;
	int rc = 0;
	*ret = (struct verdict){.ordinal = rec->ordinal, .accepted = 1};
	if (!x->singly && creates(x, rec)) rc = judge_creation(x, rec, &j, &asked);
	if (rc) return engine_fail(x->r, rc);
	if (asked && j.accepted == 1) return merge_now(x, rec, /* loaded= */ NULL);
	struct lane_state *l = ARENA_ARRAY(&x->r->scratch, struct lane_state, 1);
	rc = lane_load(x->r, rec->op->table, rec->lane, rec->op->row, l);
	if (!rc && (!asked || l->exists)) rc = judge_record(x, rec, l, &j);
	if (rc) return rc;
	*ret = (struct verdict){
	        .ordinal = rec->ordinal, .accepted = j.accepted, .code = j.code, .field = j.field};
	if (j.accepted == 1) return merge_now(x, rec, l);
	if (j.accepted == 2)
		return park(x, rec, j.code, field_name(x->r, rec->op->table, j.field), j.wait,
		            /* admitted= */ false);
	rc = refuse_record(x, rec, l, j.code, j.field, x->r->id->origin, /* mine= */ false);
	wake(x, rec->op->row); /* what waited behind it is not to wait for ever */
	return rc;
}

static int admit_record(struct applying *x, const struct record *rec, struct verdict *ret)
{
	bool may_wait = x->item && (!x->r->judge || x->r->judge->unread), waits = false;
	const struct table *edit = may_wait ? edits(x, rec) : NULL;
	int rc = settle_before(x, rec, edit);
	if (!rc && edit) rc = admit_edit(x, rec, &waits);
	if (!rc && edit && !waits) rc = settle(x);
	*ret = (struct verdict){.ordinal = rec->ordinal, .accepted = 1};
	return rc || waits ? rc : admit_now(x, rec, ret);
}

static void item_put(struct admission_item *item, struct verdict v)
{
	size_t at = item->verdicts_count;
	while (at && item->verdicts[at - 1].ordinal >= v.ordinal) at--;
	if (at == item->verdicts_count || item->verdicts[at].ordinal != v.ordinal) {
		memmove(&item->verdicts[at + 1], &item->verdicts[at],
		        (item->verdicts_count - at) * sizeof(v));
		item->verdicts_count++;
	}
	item->verdicts[at] = v;
}

/* The row is not as it was thought to be: each edit by itself, in their order. */
static int take_singly(struct applying *x, size_t i)
{
	int rc = 0;
	for (size_t at = i + 1; at && !rc; at = x->edited[at - 1].next) {
		const struct edited *e = &x->edited[at - 1];
		struct verdict v = {0};
		rc = e->judged ? admit_now(x, &e->rec, &v)
		               : merge_now(x, &e->rec, /* loaded= */ NULL);
		if (!rc && e->judged && v.accepted != 1) item_put(x->item, v);
	}
	return rc;
}

static int settle_edited(struct applying *x)
{
	size_t n = x->edited_count;
	int rc = 0;
	if (!n) return 0;
	x->edited_count = 0;
	memset(x->edited_at, 0, 2 * EDITED_MAX * sizeof(*x->edited_at));
	for (size_t i = 0; i < n && !rc; i++) {
		const struct edited *e = &x->edited[i];
		bool done;
		if (!e->first) continue;
		while (e->next) e = &x->edited[e->next - 1];
		rc = lane_edit(x->r, e->rec.lane, e->rec.op, e->rec.run, e->rec.scope, &done);
		if (!rc && !done) rc = take_singly(x, i);
	}
	return rc;
}

/* ---- changesets that stand or fall together */

/* Records that are judged together, whatever segments they lie in. */
struct together {
	struct record *recs;
	size_t count;
};

static struct together together_of(struct applying *x, const struct record *first,
                                   const struct changeset *c)
{
	struct together t = {ARENA_ARRAY(&x->r->scratch, struct record, c->ops_count + 1),
	                     c->ops_count};
	for (size_t k = 0; k < c->ops_count; k++) {
		t.recs[k] = *first;
		t.recs[k].op = &c->ops[k];
		t.recs[k].ordinal = first->ordinal + (uint32_t)k;
	}
	return t;
}

/* Is the id one that these records themselves bring into being? */
static bool brings(const struct together *t, const uint8_t id[16])
{
	for (size_t k = 0; k < t->count; k++)
		if (t->recs[k].op->kind == OP_INSERT && !memcmp(t->recs[k].op->row, id, 16))
			return true;
	return false;
}

/* One verdict for all: a refusal, else the first that holds, else acceptance. */
static int judge_whole(struct applying *x, const struct together *t, struct judgement *ret)
{
	const struct arena_mark memory = arena_mark(&x->r->scratch);
	*ret = (struct judgement){.accepted = 1};
	for (size_t k = 0; k < t->count && ret->accepted; k++) {
		const struct record *rec = &t->recs[k];
		int forgot = forget(x, &memory);
		if (forgot) return forgot;
		struct lane_state *l = ARENA_ARRAY(&x->r->scratch, struct lane_state, 1);
		struct judgement j;
		int rc = lane_load(x->r, rec->op->table, rec->lane, rec->op->row, l);
		rc = rc ? rc : judge_record(x, rec, l, &j);
		if (rc) return rc;
		if (j.accepted == 2 && brings(t, j.wait))
			continue; /* what it waits for comes with it */
		if (j.accepted == 0 || (j.accepted == 2 && ret->accepted == 1)) *ret = j;
	}
	return 0;
}

/* verdicts: one for each record, in their order. */
static int admit_whole(struct applying *x, const struct together *t, struct verdict *verdicts)
{
	struct judgement j;
	const struct arena_mark memory = arena_mark(&x->r->scratch);
	int rc = judge_whole(x, t, &j);
	if (!rc && j.accepted != 1)
		env_trace(x->r->env, "whole: %s, cause %d", j.accepted ? "held" : "refused",
		          j.code);
	for (size_t k = 0; k < t->count && !rc; k++) {
		const struct record *rec = &t->recs[k];
		verdicts[k] = (struct verdict){.ordinal = rec->ordinal,
		                               .accepted = j.accepted,
		                               .code = j.code,
		                               .field = j.field};
		if (j.accepted == 1) {
			rc = merge_record(x, rec);
		} else if (j.accepted == 2) {
			rc = park(x, rec, j.code, field_name(x->r, rec->op->table, j.field), j.wait,
			          /* admitted= */ false);
		} else {
			struct lane_state *l = ARENA_ARRAY(&x->r->scratch, struct lane_state, 1);
			rc = lane_load(x->r, rec->op->table, rec->lane, rec->op->row, l);
			rc = rc ? rc
			        : refuse_record(x, rec, l, j.code, j.field, x->r->id->origin,
			                        /* mine= */ false);
			wake(x, rec->op->row);
		}
		rc = rc ? rc : forget(x, &memory);
	}
	return rc;
}

/* ---- waking what waited */

static int record_at(struct replica *r, const struct held *h, struct record *rec,
                     const struct changeset **ret_changeset, bool *ret_found)
{
	struct entry *e;
	struct segment s;
	struct changeset *cs;
	struct cert *author = ARENA_ARRAY(&r->scratch, struct cert, 1);
	size_t n = 0;
	uint32_t ordinal = 0;
	bool known;
	*ret_found = false;
	int rc = store_journal_get(r->st, h->recv, &r->scratch, &e);
	if (rc || !e || !entry_is_segment(e) || !entry_sound(e)) return rc;
	rc = entry_segment(e, &s, &r->err);
	rc = rc ? rc : segment_changesets(&s, &r->scratch, &cs, &n, &r->err);
	rc = rc ? rc : engine_cert_of(r, e->origin, author, &known);
	for (size_t i = 0; i < n && !rc; i++) {
		if (h->ordinal >= ordinal + cs[i].ops_count) {
			ordinal += (uint32_t)cs[i].ops_count;
			continue;
		}
		*rec = (struct record){.op = &cs[i].ops[h->ordinal - ordinal],
		                       .changeset = &cs[i],
		                       .run = cs[i].run,
		                       .scope = e->scope,
		                       .lane = e->lane,
		                       .ordinal = h->ordinal,
		                       .recv = e->recv,
		                       .origin = e->origin,
		                       .author = author};
		*ret_found = true;
		if (ret_changeset) *ret_changeset = &cs[i];
		break;
	}
	return rc;
}

static int segment_hash_at(struct replica *r, int64_t recv, uint8_t ret[32])
{
	struct entry *e;
	int rc = store_journal_get(r->st, recv, &r->scratch, &e);
	if (!rc && e) memcpy(ret, e->hash, 32);
	return rc;
}

/* The same for one record after another of the same segment. */
static int record_held(struct applying *x, const struct held *h, struct record *rec,
                       const struct changeset **ret_changeset, bool *ret_found)
{
	struct replica *r = x->r;
	struct held_segment *s = NULL;
	bool known;
	int rc = 0;
	for (size_t i = 0; i < HELD_OPEN_MAX && h->recv; i++)
		if (x->held[i].recv == h->recv) s = &x->held[i];
	*ret_found = false;
	if (!s) {
		struct entry *e;
		s = &x->held[x->held_next++ % HELD_OPEN_MAX];
		s->recv = 0;
		arena_reset(&s->arena);
		rc = store_journal_get(r->st, h->recv, &s->arena, &e);
		if (rc || !e || !entry_is_segment(e) || !entry_sound(e)) return rc;
		rc = entry_segment(e, &s->s, &r->err);
		rc = rc ? rc : segment_changesets(&s->s, &s->arena, &s->cs, &s->n, &r->err);
		rc = rc ? rc : engine_cert_of(r, e->origin, &s->author, &known);
		if (rc) return rc;
		memcpy(s->origin, e->origin, 16);
		s->scope = e->scope;
		s->lane = e->lane;
		s->recv = h->recv;
	}
	uint32_t ordinal = 0;
	for (size_t i = 0; i < s->n; i++) {
		if (h->ordinal >= ordinal + s->cs[i].ops_count) {
			ordinal += (uint32_t)s->cs[i].ops_count;
			continue;
		}
		*rec = (struct record){.op = &s->cs[i].ops[h->ordinal - ordinal],
		                       .changeset = &s->cs[i],
		                       .run = s->cs[i].run,
		                       .scope = s->scope,
		                       .lane = s->lane,
		                       .ordinal = h->ordinal,
		                       .recv = h->recv,
		                       .origin = s->origin,
		                       .segment = s->s.hash,
		                       .author = &s->author};
		*ret_found = true;
		*ret_changeset = &s->cs[i];
		break;
	}
	return 0;
}

static void applying_done(struct applying *x)
{
	free(x->edited);
	free(x->edited_at);
	for (size_t i = 0; i < HELD_OPEN_MAX; i++) arena_done(&x->held[i].arena);
}

static int still_parked(struct replica *r, const struct held *h, bool *ret)
{
	struct held *list;
	size_t n;
	int rc = store_parked_list(r->st, h->id - 1, 1, &r->scratch, &list, &n);
	*ret = !rc && n && list[0].id == h->id;
	return rc;
}

static int try_whole(struct applying *x, const struct held *h, struct record *rec,
                     const struct changeset *c, bool *ret_through)
{
	struct admission_item item = {.mode = ADMIT_ONLY, .verdicts_count = c->ops_count};
	uint32_t first = rec->ordinal - (uint32_t)(rec->op - c->ops);
	item.verdicts = ARENA_ARRAY(&x->r->tx, struct verdict, c->ops_count);
	rec->ordinal = first;
	int rc = store_parked_drop(x->r->st, h->recv, first, c->ops_count);
	struct together all = together_of(x, rec, c);
	rc = rc ? rc : admit_whole(x, &all, item.verdicts);
	if (rc || item.verdicts[0].accepted == 2) return rc;
	*ret_through = true;
	for (size_t i = 0; i < c->ops_count; i++) wake(x, c->ops[i].row); /* what stood behind it */
	memcpy(item.segment, rec->segment, 32);
	return say(x->r, rec->author, rec->scope, rec->lane, &item);
}

static int try_held(struct applying *x, const struct held *h, bool *ret_through)
{
	struct replica *r = x->r;
	struct record rec;
	const struct changeset *c = NULL;
	bool found, there;
	*ret_through = false;
	int rc = still_parked(r, h, &there);
	if (rc || !there) return rc;
	x->ops++;
	rc = record_held(x, h, &rec, &c, &found);
	if (rc || !found) return rc;
	if (h->cause == ERR_PART) return 0; /* goes with its other parts */
	if (!h->admitted && (c->flags & CHANGESET_WHOLE))
		return try_whole(x, h, &rec, c, ret_through);
	rc = store_parked_remove(r->st, h->id);
	if (rc) return rc;
	if (h->admitted) {
		struct lane_state *l = ARENA_ARRAY(&r->scratch, struct lane_state, 1);
		rc = lane_load(r, rec.op->table, rec.lane, rec.op->row, l);
		*ret_through = !rc && l->exists;
		return rc ? rc : merge_record(x, &rec);
	}
	struct verdict v = {0};
	struct admission_item item = {.mode = ADMIT_ONLY, .verdicts_count = 1};
	rc = admit_record(x, &rec, &v);
	if (rc || v.accepted == 2) return rc;
	*ret_through = true;
	item.verdicts = arena_copy(&r->tx, &v, sizeof(v));
	memcpy(item.segment, rec.segment, 32);
	rc = say(r, rec.author, rec.scope, rec.lane, &item);
	wake(x, rec.op->row); /* what stood behind it */
	return rc;
}

/* All that waits for one id, by place: what stands behind another comes after it, so one walk is enough. */
static int drain_one(struct applying *x, const uint8_t id[16])
{
	const struct arena_mark memory = arena_mark(&x->r->scratch);
	struct held last = {.recv = -1};
	int rc = 0;
	for (size_t n = WOKEN_PAGE; n == WOKEN_PAGE && !rc;) {
		struct held *h;
		rc = store_parked_by_wait(x->r->st, id, last.recv, last.ordinal, WOKEN_PAGE,
		                          &x->r->scratch, &h, &n);
		if (rc || !n) break;
		const struct arena_mark page = arena_mark(&x->r->scratch);
		last = h[n - 1];
		x->singly = true; /* what is said of it is said at once */
		for (size_t k = 0; k < n && !rc; k++) {
			bool through;
			rc = try_held(x, &h[k], &through);
			env_trace(x->r->env, "woken: %s", through ? "through" : "still held");
			rc = rc ? rc : settle(x);
			rc = rc ? rc : forget(x, &page);
		}
		x->singly = false;
		arena_rewind(&x->r->scratch, &memory);
	}
	return rc;
}

static int drain_woken(struct applying *x)
{
	int rc = x->r->parked_any ? settle(x) : 0;
	while (x->woken.done < x->woken.count && !rc) {
		uint8_t id[16];
		memcpy(id, x->woken.ids[x->woken.done++], 16);
		rc = drain_one(x, id);
	}
	return rc;
}

/* ---- parts of a transaction larger than a segment: applied when all are here */

struct part {
	struct held held;
	struct record first;
	const struct changeset *c;
};

/* What the k-th part of a transaction waits for: a name for all parts and this number, so that each is found by itself,
 * whatever else a peer may park. */
static void part_id(const struct record *first, const struct changeset *c, size_t k,
                    uint8_t ret[16])
{
	uint8_t place[8 + 8 + 4 + 1 + 2];
	uint64_t seq = c->seq - c->part;
	for (size_t i = 0; i < 8; i++) place[i] = (uint8_t)(seq >> (8 * i));
	for (size_t i = 0; i < 8; i++) place[8 + i] = (uint8_t)(c->run >> (8 * i));
	for (size_t i = 0; i < 4; i++) place[16 + i] = (uint8_t)(first->scope >> (8 * i));
	place[20] = (uint8_t)first->lane;
	place[21] = (uint8_t)k;
	place[22] = (uint8_t)(k >> 8);
	struct span parts[] = {{first->origin, 16}, {place, sizeof(place)}};
	id_derive("parts", parts, ARRAY_COUNT(parts), ret);
}

static int part_get(struct applying *x, const uint8_t id[16], struct held **ret, bool *ret_there)
{
	size_t n = 0;
	int rc = store_parked_by_wait(x->r->st, id, -1, 0, 1, &x->r->scratch, ret, &n);
	*ret_there = !rc && n;
	return rc;
}

/* The parts that are here, by number; *ret_all: none is missing.  Neighbours first: while parts come one after the other,
 * one look tells that there are more to come. */
static int parts_here(struct applying *x, const struct record *first, const struct changeset *c,
                      struct part **ret, bool *ret_all)
{
	size_t count = c->parts, own = c->part - 1u;
	const struct arena_mark memory = arena_mark(&x->r->scratch);
	struct part *parts = ARENA_ARRAY(&x->r->scratch, struct part, count);
	int rc = 0;
	*ret_all = true;
	for (size_t i = 0; i <= count && !rc && *ret_all; i++) {
		size_t k = i ? (own + i) % count : (own + count - 1) % count;
		uint8_t id[16];
		struct held *h;
		part_id(first, c, k + 1, id);
		rc = part_get(x, id, &h, ret_all);
		if (!rc && *ret_all) parts[k].held = *h;
	}
	for (size_t k = 0; k < count && !rc && *ret_all; k++) {
		struct part *p = &parts[k];
		rc = record_at(x->r, &p->held, &p->first, &p->c, ret_all);
		/* A writer who says a different number of parts in each is not believed in any. */
		*ret_all = *ret_all && p->c->part == k + 1 && p->c->parts == count;
	}
	if (!*ret_all) arena_rewind(&x->r->scratch, &memory);
	*ret = parts;
	return rc;
}

static int say_parts(struct applying *x, const struct part *parts, size_t count,
                     const struct verdict *verdicts)
{
	int rc = 0;
	size_t at = 0;
	for (size_t i = 0; i < count && !rc; i++) {
		size_t n = parts[i].c->ops_count;
		struct admission_item item = {.mode = ADMIT_ONLY, .verdicts_count = n};
		item.verdicts = arena_copy(&x->r->tx, &verdicts[at], n * sizeof(*verdicts));
		at += n;
		rc = segment_hash_at(x->r, parts[i].first.recv, item.segment);
		rc = rc ? rc
		        : say(x->r, parts[i].first.author, parts[i].first.scope,
		              parts[i].first.lane, &item);
	}
	return rc;
}

static int release_parts(struct applying *x, const struct part *parts, size_t count, bool judged)
{
	struct together all = {0};
	size_t total = 0;
	int rc = 0;
	for (size_t i = 0; i < count; i++) total += parts[i].c->ops_count;
	env_trace(x->r->env, "parts: released, %zu of them", count);
	all.recs = ARENA_ARRAY(&x->r->scratch, struct record, total + 1);
	struct verdict *verdicts = ARENA_ARRAY(&x->r->scratch, struct verdict, total + 1);
	for (size_t i = 0; i < count && !rc; i++) {
		struct together t = together_of(x, &parts[i].first, parts[i].c);
		memcpy(&all.recs[all.count], t.recs, t.count * sizeof(*t.recs));
		all.count += t.count;
		rc = store_parked_remove(x->r->st, parts[i].held.id);
	}
	const struct arena_mark memory = arena_mark(&x->r->scratch);
	x->singly = true;
	if (rc || judged)
		for (size_t k = 0; k < total && !rc; k++) {
			rc = merge_record(x, &all.recs[k]);
			rc = rc ? rc : forget(x, &memory);
		}
	else if (parts[0].c->flags & CHANGESET_WHOLE)
		rc = admit_whole(x, &all, verdicts);
	else
		for (size_t k = 0; k < total && !rc; k++) {
			rc = admit_record(x, &all.recs[k], &verdicts[k]);
			rc = rc ? rc : forget(x, &memory);
		}
	x->singly = false;
	/* What stood behind a part that came before its time. */
	for (size_t k = 0; k < total && !rc; k++) wake(x, all.recs[k].op->row);
	return rc || judged ? rc : say_parts(x, parts, count, verdicts);
}

/* One part came.  verdicts: what the admission says of it for now; NULL: a hub's own, which nobody judges. */
static int take_part(struct applying *x, const struct record *first, const struct changeset *c,
                     struct verdict *verdicts)
{
	uint8_t id[16];
	struct part *parts;
	bool all;
	part_id(first, c, c->part, id);
	for (size_t k = 0; k < c->ops_count && verdicts; k++)
		verdicts[k] = (struct verdict){
		        .ordinal = first->ordinal + (uint32_t)k, .accepted = 2, .code = ERR_PART};
	int rc = park(x, first, ERR_PART, NULL, id, /* admitted= */ !verdicts);
	rc = rc ? rc : parts_here(x, first, c, &parts, &all);
	return rc || !all ? rc : release_parts(x, parts, c->parts, /* judged= */ !verdicts);
}

/* ---- entries */

struct opened {
	struct segment s;
	struct changeset *cs;
	size_t n;
	struct cert author;
	struct words words;
};

static int open_entry(struct replica *r, const struct entry *e, struct opened *ret)
{
	bool known;
	int rc = entry_segment(e, &ret->s, &r->err);
	ret->cs = rc ? NULL : opened_find(r, e->hash);
	ret->n = ret->s.head.count;
	if (!rc && !ret->cs)
		rc = segment_changesets(&ret->s, &r->scratch, &ret->cs, &ret->n, &r->err);
	rc = rc ? rc : engine_cert_of(r, e->origin, &ret->author, &known);
	rc = rc ? rc : words_load(r, e->hash, &ret->author, e->scope, &r->scratch, &ret->words);
	return rc;
}

static struct record record_of(const struct entry *e, const struct opened *o, size_t i, size_t k,
                               uint32_t ordinal)
{
	return (struct record){.op = &o->cs[i].ops[k],
	                       .changeset = &o->cs[i],
	                       .run = o->cs[i].run,
	                       .scope = e->scope,
	                       .ordinal = ordinal,
	                       .lane = e->lane,
	                       .recv = e->recv,
	                       .origin = e->origin,
	                       .author = &o->author};
}

/* Creations that turned out to be second ones: refused after all. */
static void take_back(struct applying *x, int64_t recv, struct admission_item *item)
{
	for (struct second *s = x->seconds; s; s = s->next)
		if (s->recv == recv)
			item_put(item,
			         (struct verdict){.ordinal = s->ordinal, .code = ERR_NOT_YOURS});
}

/* A segment of our own child: judge what no word has settled, and say so. */
/* NOLINTNEXTLINE(readability-function-cognitive-complexity): one walk; its two cases share the ordinal */
static int take_childs(struct applying *x, const struct entry *e, struct opened *o)
{
	struct admission_item item = {.mode = o->words.count ? ADMIT_ONLY : ADMIT_ALL_BUT};
	size_t total = 0;
	uint32_t ordinal = 0;
	int rc = 0;
	for (size_t i = 0; i < o->n; i++) total += o->cs[i].ops_count;
	item.verdicts = ARENA_ARRAY(&x->r->scratch, struct verdict, total + 1);
	memcpy(item.segment, e->hash, 32);
	x->item = item.mode == ADMIT_ALL_BUT ? &item : NULL;
	const struct arena_mark memory = arena_mark(&x->r->scratch);
	for (size_t i = 0; i < o->n && !rc; i++) {
		const struct changeset *c = &o->cs[i];
		bool waits = words_verdict(&o->words, ordinal, NULL, NULL) == VERDICT_WAITS;
		bool part = c->parts > 1 && !words_judged(&o->words, ordinal, c->ops_count);
		/* Judged when all parts were here, perhaps by us before our disk went back: it waits for them no more. */
		if (c->parts > 1 && !part)
			rc = store_parked_drop(x->r->st, e->recv, ordinal, c->ops_count);
		if (rc) break;
		if (part || (waits && (c->flags & CHANGESET_WHOLE))) {
			rc = settle(x);
			if (rc) break;
			struct record first = record_of(e, o, i, 0, ordinal);
			struct verdict *said = &item.verdicts[item.verdicts_count];
			struct together all = together_of(x, &first, c);
			rc = part ? take_part(x, &first, c, said) : admit_whole(x, &all, said);
			if (!rc && (said[0].accepted != 1 || item.mode == ADMIT_ONLY))
				item.verdicts_count += c->ops_count;
			ordinal += (uint32_t)c->ops_count;
			rc = rc ? rc : drain_woken(x);
			rc = rc ? rc : forget(x, &memory);
			continue;
		}
		for (size_t k = 0; k < c->ops_count && !rc; k++, ordinal++) {
			struct record rec = record_of(e, o, i, k, ordinal);
			struct verdict v = {0};
			enum record_verdict known = words_verdict(&o->words, ordinal, NULL, NULL);
			if (known == VERDICT_REFUSED) continue;
			if (known == VERDICT_ACCEPTED) {
				rc = merge_record(x, &rec);
			} else {
				rc = admit_record(x, &rec, &v);
				if (!rc && (v.accepted != 1 || item.mode == ADMIT_ONLY))
					item.verdicts[item.verdicts_count++] = v;
			}
			rc = rc ? rc : drain_woken(x);
			rc = rc ? rc : forget(x, &memory);
		}
	}
	rc = rc ? rc : settle(x);
	x->item = NULL;
	if (!rc) take_back(x, e->recv, &item);
	if (rc || (item.mode == ADMIT_ONLY && !item.verdicts_count)) return rc;
	item = admit_list(x->r, &item, total);
	return say(x->r, &o->author, e->scope, e->lane, &item);
}

/* What a hub states outside its own subtree is held, with an alarm, for a person. */
static int hold_foreign(struct applying *x, const struct entry *e, const struct opened *o)
{
	uint32_t ordinal = 0;
	int rc = 0;
	engine_alarm(x->r, "a hub speaks of a scope that is not its own");
	for (size_t i = 0; i < o->n && !rc; i++)
		for (size_t k = 0; k < o->cs[i].ops_count && !rc; k++, ordinal++) {
			struct record rec = record_of(e, o, i, k, ordinal);
			rc = park(x, &rec, ERR_NOT_YOURS, NULL, NULL, /* admitted= */ true);
		}
	return rc;
}

/* Does a hub below us hang a unit below one that is not its own? */
static int takes_unit(struct applying *x, const struct record *rec, bool *ret)
{
	const struct table *t = schema_table(store_schema(x->r->st), TABLE_ORG_UNIT);
	const struct field *f = t ? table_field_named(t, "parent") : NULL;
	uint32_t parent = 0;
	int rc = 0;
	*ret = false;
	if (!f || rec->op->table != TABLE_ORG_UNIT || rec->op->kind > OP_UPDATE ||
	    rec->lane != LANE_OPEN || !memcmp(rec->op->row, rec->author->unit, 16))
		return 0;
	for (size_t i = 0; i < rec->op->values_count && !rc; i++) {
		struct value v = rec->op->values[i].value;
		if (rec->op->values[i].slot != field_slot(f) || v.type != VALUE_BYTES ||
		    v.s.len != 16)
			continue;
		rc = store_scope_ord(x->r->st, v.s.p, false, &parent);
		if (!rc && parent) rc = engine_outside_hub(x->r, rec->author, parent, ret);
	}
	return rc;
}

/* A segment that others judge, or nobody: merges what is accepted, annuls what was refused of our own. */
/* NOLINTNEXTLINE(readability-function-cognitive-complexity): one walk; its cases share the ordinal */
static int take_words(struct applying *x, const struct entry *e, struct opened *o)
{
	struct replica *r = x->r;
	bool free_of_words = o->author.role == CERT_HUB,
	     mine = !memcmp(e->origin, r->id->origin, 16);
	uint32_t ordinal = 0;
	int rc = 0;
	if (!free_of_words && !o->words.count) return store_waiting_set(r->st, e->recv, true);
	rc = store_waiting_set(r->st, e->recv, false);
	bool outside = false;
	if (!rc && free_of_words && !mine)
		rc = engine_outside_hub(r, &o->author, e->scope, &outside);
	if (!rc && outside) return hold_foreign(x, e, o);
	const struct arena_mark memory = arena_mark(&x->r->scratch);
	for (size_t i = 0; i < o->n && !rc; i++) {
		if (free_of_words && o->cs[i].parts > 1) {
			rc = settle(x);
			if (rc) break;
			struct record first = record_of(e, o, i, 0, ordinal);
			rc = take_part(x, &first, &o->cs[i], /* verdicts= */ NULL);
			ordinal += (uint32_t)o->cs[i].ops_count;
			rc = rc ? rc : forget(x, &memory);
			continue;
		}
		for (size_t k = 0; k < o->cs[i].ops_count && !rc; k++, ordinal++) {
			struct record rec = record_of(e, o, i, k, ordinal);
			const struct verdict *said = NULL;
			const uint8_t *by = NULL;
			enum record_verdict v =
			        free_of_words ? VERDICT_ACCEPTED
			                      : words_verdict(&o->words, ordinal, &said, &by);
			bool taken = false;
			if (free_of_words && !mine) rc = takes_unit(x, &rec, &taken);
			if (!rc && taken) {
				engine_alarm(r, "a hub takes a unit that is not its own");
				rc = park(x, &rec, ERR_NOT_YOURS, NULL, NULL, /* admitted= */ true);
			} else if (!rc && v == VERDICT_ACCEPTED) {
				rc = merge_record(x, &rec);
			} else if (!rc && v == VERDICT_REFUSED) {
				rc = settle(x);
				if (rc) break;
				rc = refuse_record(x, &rec, NULL, said->code, said->field, by,
				                   mine);
				if (!rc && mine && rec.op->kind <= OP_UPDATE)
					rc = admit_annul(r, rec.op->table, rec.lane, rec.op->row,
					                 rec.scope);
			}
			rc = rc ? rc : drain_woken(x);
			rc = rc ? rc : forget(x, &memory);
		}
	}
	return rc;
}

static int take_segment(struct applying *x, const struct entry *e)
{
	struct opened *o = ARENA_ARRAY(&x->r->scratch, struct opened, 1);
	/* Damaged bytes are named, and taken when a peer has sent them again. */
	if (!opened_find(x->r, e->hash) && !entry_sound(e)) return repair_entry_damaged(x->r, e);
	int rc = open_entry(x->r, e, o);
	if (rc || o->words.damaged) return rc;
	if (o->author.role != CERT_HUB && replica_is_parent_of(x->r, &o->author))
		return take_childs(x, e, o);
	return take_words(x, e, o);
}

/* Is this the hub that judges what we write?  (Those above it may speak too, and are looked into.) */
static bool mine_to_judge(struct replica *r, const uint8_t hub[16])
{
	struct cert parent;
	uint8_t origin[16];
	if (!replica_parent(r, &parent)) return false;
	origin_of(parent.origin_key, origin);
	return !memcmp(origin, hub, 16);
}

/* Is this admission the first word on a segment?  Several may have come before any was applied; a hole is noted among them
 * and is no word. */
static int first_word(struct replica *r, int64_t recv, const int64_t *recvs, size_t n, bool *ret)
{
	int rc = 0;
	*ret = true;
	for (size_t i = 0; i < n && recvs[i] < recv && *ret && !rc; i++) {
		struct entry *e;
		rc = store_journal_get(r->st, recvs[i], &r->scratch, &e);
		*ret = !rc && !(e && e->kind == ENTRY_ADMISSION);
	}
	return rc;
}

static int speaks_of_others(struct replica *r, const uint8_t hub[16], uint32_t scope, bool *ret)
{
	struct cert speaker;
	bool known;
	*ret = false;
	int rc = engine_cert_of(r, hub, &speaker, &known);
	return rc || !known ? rc : engine_outside_hub(r, &speaker, scope, ret);
}

static bool accepts(const struct admission_item *item)
{
	bool any = item->mode == ADMIT_ALL_BUT;
	for (size_t i = 0; i < item->verdicts_count && !any; i++)
		any = item->verdicts[i].accepted == 1;
	return any;
}

static int take_admission(struct applying *x, const struct entry *e)
{
	struct replica *r = x->r;
	struct admission m;
	uint8_t hash[32], sign[64];
	if (!e->from && !memcmp(e->origin, r->id->origin, 16))
		return 0; /* our own word: acted on when it was said */
	if (!entry_sound(e)) return repair_entry_damaged(r, e);
	int rc = admission_open(e->head, &r->scratch, &m, hash, sign, &r->err);
	for (size_t i = 0; i < m.items_count && !rc; i++) {
		int64_t recv, *recvs;
		struct entry *s;
		size_t words;
		bool outside;
		rc = store_journal_find(r->st, m.items[i].segment, &recv);
		if (rc || !recv || recv > r->s.applied) continue;
		rc = store_journal_get(r->st, recv, &r->scratch, &s);
		rc = rc ? rc : store_words(r->st, m.items[i].segment, &r->scratch, &recvs, &words);
		if (rc || !s || !entry_is_segment(s)) continue;
		bool first = s->merged;
		for (size_t k = 0; k < i; k++)
			first &= memcmp(m.items[k].segment, m.items[i].segment, 32) != 0;
		if (first) rc = first_word(r, e->recv, recvs, words, &first);
		if (rc) break;
		rc = speaks_of_others(r, e->origin, s->scope, &outside);
		if (!rc && outside && accepts(&m.items[i]))
			engine_alarm(r, "a hub accepts what is not its own");
		if (rc) break;
		if (first) r->s.merged += s->count;
		if (s->merged && m.items[i].mode == ADMIT_ALL_BUT && !m.items[i].verdicts_count &&
		    words == 1 && mine_to_judge(r, m.hub)) { /* all as we merged it ourselves */
			rc = store_waiting_set(r->st, recv, false);
			continue;
		}
		rc = take_segment(x, s);
	}
	return rc;
}

static int take_entry(struct applying *x, const struct entry *e)
{
	if (entry_is_segment(e)) return e->merged ? 0 : take_segment(x, e);
	return e->kind == ENTRY_ADMISSION ? take_admission(x, e) : 0;
}

int engine_wake(struct replica *r, const uint8_t id[16])
{
	struct applying x = {.r = r};
	wake(&x, id);
	int rc = drain_woken(&x);
	rc = rc ? rc : settle(&x);
	applying_done(&x);
	return rc;
}

int engine_retake(struct replica *r, int64_t recv)
{
	struct applying x = {.r = r};
	struct entry *e;
	int rc = store_journal_get(r->st, recv, &r->tx, &e);
	if (!rc && e && entry_is_segment(e) && !(e->merged && replica_is_hub(r)))
		rc = take_segment(&x, e); /* of our own: words may have come meanwhile */
	else if (!rc && e)
		rc = take_entry(&x, e);
	rc = rc ? rc : settle(&x);
	rc = rc ? rc : drain_woken(&x);
	rc = rc ? rc : admit_flush(r);
	applying_done(&x);
	return rc ? engine_fail(r, rc) : 0;
}

int replica_apply(struct replica *r, size_t ops_max, bool *ret_more)
{
	struct applying x = {.r = r};
	struct feed_filter everything = {.all = true, .lane_mask = 0xff};
	struct arena a;
	bool more = true;
	int rc = 0;
	arena_init(&a, 0);
	while (more && !rc && x.ops < ops_max) {
		struct entry *entries;
		size_t n;
		rc = store_journal_scan(r->st, &everything, r->s.applied, SCAN_ENTRIES, SCAN_BYTES,
		                        &a, &entries, &n);
		more = !rc && n > 0;
		for (size_t i = 0; i < n && !rc && x.ops < ops_max; i++) {
			rc = take_entry(&x, &entries[i]);
			rc = rc ? rc : settle(&x);
			rc = rc ? rc : drain_woken(&x);
			r->s.applied = entries[i].recv;
			x.ops++;
			arena_reset(&r->scratch);
		}
		arena_reset(&a);
	}
	rc = rc ? rc : finish(&x);
	rc = rc ? rc : trail_countersign(r);
	applying_done(&x);
	arena_done(&a);
	if (ret_more) *ret_more = more;
	return rc ? engine_fail(r, rc) : 0;
}

/* Parked as they are now: one that stays parked gets a new number, and is not to be met again. */
static int parked_now(struct replica *r, int64_t only, struct held **ret, size_t *ret_count)
{
	struct held *all = NULL, *page;
	size_t count = 0, n = 1;
	int64_t after = only ? only - 1 : 0;
	int rc = 0;
	while (n && !rc && !(only && count)) {
		rc = store_parked_list(r->st, after, only ? 1 : 256, &r->tx, &page, &n);
		if (rc || !n) break;
		struct held *more = ARENA_ARRAY(&r->tx, struct held, count + n);
		if (count) memcpy(more, all, count * sizeof(*more));
		memcpy(&more[count], page, n * sizeof(*more));
		all = more;
		count += n;
		after = page[n - 1].id;
	}
	*ret = all;
	*ret_count = count;
	return rc;
}

int replica_retry(struct replica *r, int64_t parked_id, size_t *ret_mended)
{
	struct applying x = {.r = r};
	struct held *h = NULL;
	size_t n = 0;
	*ret_mended = 0;
	int rc = parked_now(r, parked_id, &h, &n);
	if (!rc && parked_id && (!n || h[0].id != parked_id))
		return error_set(&r->err, ERR_NOT_FOUND, "", "no parked record has this number");
	for (size_t i = 0; i < n && !rc; i++) {
		bool through;
		/* A hub spoke of what is not its own, or a device that is revoked: that takes a person's word, for each. */
		if (!parked_id && (h[i].cause == ERR_NOT_YOURS || h[i].cause == ERR_REVOKED))
			continue;
		if (h[i].cause == ERR_ONE_NAME_TWICE)
			continue; /* its name is taken: it is to be recorded again by hand */
		x.singly = true;
		x.let_in = parked_id && h[i].cause == ERR_REVOKED;
		rc = try_held(&x, &h[i], &through);
		*ret_mended += !rc && through;
		rc = rc ? rc : settle(&x);
		rc = rc ? rc : drain_woken(&x);
	}
	rc = rc ? rc : finish(&x);
	applying_done(&x);
	return rc ? engine_fail(r, rc) : 0;
}

/* The owner's own edit, with the values that were proposed. */
static int take_proposal(struct replica *r, const struct record *rec, const uint8_t author[8])
{
	const struct table *t = schema_table(store_schema(r->st), rec->op->table);
	struct field_write *fields = ARENA_ARRAY(&r->tx, struct field_write, SLOTS_MAX);
	struct write w = {.kind = WRITE_UPDATE, .table = t, .fields = fields};
	memcpy(w.row, rec->op->row, 16);
	for (size_t i = 0; t && i < rec->op->values_count; i++) {
		const struct field *f = table_slot(t, rec->lane, rec->op->values[i].slot);
		if (f)
			fields[w.fields_count++] = (struct field_write){
			        f, value_copy(&r->tx, rec->op->values[i].value)};
	}
	if (!w.fields_count)
		return error_set(&r->err, ERR_VERSION, "",
		                 "the proposal is about fields that this program does not know");
	return replica_write(r, &w, 1, /* whole= */ false, author);
}

int replica_settle(struct replica *r, int64_t parked_id, bool accept, const uint8_t author[8])
{
	struct applying x = {.r = r};
	struct held *h;
	struct record rec;
	size_t n;
	bool found = false;
	int rc = store_parked_list(r->st, parked_id - 1, 1, &r->scratch, &h, &n);
	if (!rc && n && h[0].id == parked_id && h[0].cause == ERR_PROPOSAL)
		rc = record_at(r, &h[0], &rec, /* ret_changeset= */ NULL, &found);
	if (rc || !found)
		return rc ? engine_fail(r, rc)
		          : error_set(&r->err, ERR_NOT_FOUND, "",
		                      "no proposal with this number waits here");
	struct verdict v = {
	        .ordinal = rec.ordinal, .accepted = accept, .code = accept ? 0 : ERR_OWNED};
	struct admission_item item = {.mode = ADMIT_ONLY, .verdicts = &v, .verdicts_count = 1};
	rc = store_parked_remove(r->st, parked_id);
	rc = rc ? rc : segment_hash_at(r, rec.recv, item.segment);
	if (!rc && accept)
		rc = take_proposal(r, &rec, author);
	else if (!rc)
		rc = refuse_record(&x, &rec, NULL, v.code, 0, r->id->origin, /* mine= */ false);
	rc = rc ? rc : say(r, rec.author, rec.scope, rec.lane, &item);
	wake(&x, rec.op->row);
	rc = rc ? rc : drain_woken(&x);
	rc = rc ? rc : finish(&x);
	applying_done(&x);
	return rc ? engine_fail(r, rc) : 0;
}

int replica_held_op(struct replica *r, const struct held *h, struct arena *a, const struct op **ret)
{
	struct record rec;
	bool found;
	*ret = NULL;
	(void)a; /* the operation lives in the transaction's memory, as all that is read in one */
	int rc = record_at(r, h, &rec, /* ret_changeset= */ NULL, &found);
	if (!rc && found) *ret = rec.op;
	return rc ? engine_fail(r, rc) : 0;
}
