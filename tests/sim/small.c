/*
 * small.c - all interleavings.
 */
#include "common/base.h"

#include "tests/sim/small.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ident.h"
#include "tests/sim/play.h"

enum { OPS = 3, STEPS_MAX = 8, FRAMES_MAX = 400, CUT_EARLY = 2, CUT_LATE = 5, ROUNDS = 4 };

/* ---- bounds */
static const enum small_kind all_kinds[] = {SMALL_INSERT, SMALL_EDIT,    SMALL_EDIT_OTHER,
                                            SMALL_DELETE, SMALL_RESTORE, SMALL_REFUSED};
static const enum small_kind few_kinds[] = {SMALL_EDIT, SMALL_DELETE, SMALL_REFUSED};
/* The sites are alike: the first operation at a site is at A. */
static const enum small_place all_places[][3] = {
        {SMALL_A, SMALL_A, SMALL_B},   {SMALL_A, SMALL_B, SMALL_A},   {SMALL_A, SMALL_B, SMALL_HUB},
        {SMALL_A, SMALL_HUB, SMALL_A}, {SMALL_HUB, SMALL_A, SMALL_B},
};
static const enum small_place few_places[][3] = {{SMALL_A, SMALL_B, SMALL_A},
                                                 {SMALL_A, SMALL_B, SMALL_HUB}};
static const enum small_sync all_syncs[] = {SMALL_SYNC_A, SMALL_SYNC_B,     SMALL_TAKE_A,
                                            SMALL_CUT_A,  SMALL_CUT_A_LATE, SMALL_CUT_B_LATE,
                                            SMALL_BOOT_A, SMALL_BOOT_HUB};
static const enum small_sync few_syncs[] = {SMALL_SYNC_A, SMALL_SYNC_B, SMALL_CUT_A_LATE,
                                            SMALL_BOOT_A};

const struct small_bound small_reduced = {
        few_kinds, ARRAY_COUNT(few_kinds), few_places, ARRAY_COUNT(few_places),
        few_syncs, ARRAY_COUNT(few_syncs), 2};
const struct small_bound small_full = {
        all_kinds, ARRAY_COUNT(all_kinds), all_places, ARRAY_COUNT(all_places),
        all_syncs, ARRAY_COUNT(all_syncs), 2};

/* ---- a schedule */
struct small_step {
	bool sync;
	enum small_sync what;
	unsigned op; /* which of the three */
};
struct script {
	enum small_kind kinds[OPS];
	const enum small_place *places;
};
struct shared { /* between the forks */
	uint64_t schedules, failed;
	char first[1200];
};
struct small {
	struct sim *sim;
	const struct small_bound *bound;
	struct script script;
	uint8_t row[16];
	struct device *at[3]; /* by place */
	struct small_step steps[STEPS_MAX];
	size_t count;
	unsigned ops, syncs;
	struct shared *shared;
};

static const char *const kind_words[] = {"inserts", "edits f",  "edits g",
                                         "deletes", "restores", "edits f so that it is refused"};
static const char *const place_words[] = {"A", "B", "the hub"};
static const char *const sync_words[] = {"A syncs",
                                         "B syncs",
                                         "A and the hub exchange, nobody applies",
                                         "B and the hub exchange, nobody applies",
                                         "A syncs, cut after the greeting",
                                         "B syncs, cut after the greeting",
                                         "A syncs, cut amid the entries",
                                         "B syncs, cut amid the entries",
                                         "the hub applies",
                                         "A boots",
                                         "B boots",
                                         "the hub boots"};
static_assert(ARRAY_COUNT(kind_words) == SMALL_KINDS, "a word for each");
static_assert(ARRAY_COUNT(sync_words) == SMALL_SYNCS, "a word for each");

static void say(const struct small *m, char *out, size_t room)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < m->count && n < room; i++) {
		const struct small_step *s = &m->steps[i];

		if (s->sync)
			n += (size_t)snprintf(out + n, room - n, "%s%s", i ? "; " : "",
			                      sync_words[s->what]);
		else
			n += (size_t)snprintf(out + n, room - n, "%s%s %s", i ? "; " : "",
			                      place_words[m->script.places[s->op]],
			                      kind_words[m->script.kinds[s->op]]);
	}
}

/* ---- one session, frame by frame */
struct queue {
	struct buf frames[FRAMES_MAX];
	size_t first, count;
};
struct talk {
	struct device *devices[2];
	struct session *sessions[2];
	struct queue out[2][2]; /* by side, by priority */
	bool closed[2];
	unsigned delivered;
};
struct step_work {
	struct talk *t;
	unsigned side;
	struct session_event event;
	struct session_actions actions;
};

static int work_step(struct device *d, void *ctx)
{
	struct step_work *x = ctx;

	x->event.now_ms = d->env.boot_ms(d->env.ctx);
	return session_step(x->t->sessions[x->side], &x->event, &x->actions);
}

static void talk_step(struct talk *t, unsigned side, enum session_event_kind kind,
                      struct span frame)
{
	struct step_work x = {.t = t, .side = side, .event = {.kind = kind, .frame = frame}};
	int rc;

	if (t->closed[side]) return;
	rc = device_transaction(t->devices[side], "session", work_step, &x);
	if (rc != 0)
		world_fail(t->devices[side]->world, "engine", "%s: a step fails: %d",
		           t->devices[side]->label, rc);
	for (size_t i = 0; i < x.actions.count; i++) {
		struct queue *q = &t->out[side][x.actions.frames[i].priority];

		assert(q->count < FRAMES_MAX);
		q->frames[q->count++] = x.actions.frames[i].bytes;
		x.actions.frames[i].bytes = (struct buf){0};
	}
	t->closed[side] = rc != 0 || x.actions.close;
	session_actions_done(&x.actions);
}

struct apply_work {
	bool more;
};

static int work_apply(struct device *d, void *ctx)
{
	struct apply_work *x = ctx;

	return replica_apply(d->replica, 1000, &x->more);
}

static void apply(struct device *d)
{
	struct apply_work x = {0};

	do {
		int rc = device_transaction(d, "apply", work_apply, &x);

		if (rc != 0) world_fail(d->world, "engine", "%s: applying fails: %d", d->label, rc);
	} while (x.more && d->world->failed_rule[0] == '\0');
}

/* The next frame from one side to the other; false: there is none. */
static bool talk_deliver(struct talk *t, unsigned side, bool applies)
{
	struct queue *q = &t->out[side][FRAME_CONTROL];
	struct buf frame;

	if (q->first == q->count) q = &t->out[side][FRAME_BULK];
	if (q->first == q->count) return false;
	frame = q->frames[q->first++];
	t->delivered++;
	talk_step(t, !side, EVENT_FRAME, buf_span(&frame));
	buf_done(&frame);
	if (applies && !t->closed[!side]) {
		apply(t->devices[!side]);
		talk_step(t, !side, EVENT_PUMP, (struct span){0});
	}
	return true;
}

/* Returns how many frames arrived. */
static unsigned talk(struct small *m, enum small_place site, unsigned cut, bool applies)
{
	struct device *child = m->at[site], *hub = m->at[SMALL_HUB];
	struct talk *t = mem_alloc(sizeof(*t));
	struct session_config up = {.peer = hub->cert},
	                      down = {.peer = child->cert, .parent = true};
	unsigned delivered;
	bool more = true;

	down.stay = true;
	t->devices[SIDE_CHILD] = child;
	t->devices[SIDE_PARENT] = hub;
	t->sessions[SIDE_CHILD] = session_new(child->replica, &up);
	t->sessions[SIDE_PARENT] = session_new(hub->replica, &down);
	talk_step(t, SIDE_CHILD, EVENT_START, (struct span){0});
	while (more && (cut == 0 || t->delivered < cut) && m->sim->world.failed_rule[0] == '\0') {
		more = talk_deliver(t, SIDE_CHILD, applies);
		if (cut == 0 || t->delivered < cut) more |= talk_deliver(t, SIDE_PARENT, applies);
		if (t->delivered >= FRAMES_MAX)
			world_fail(&m->sim->world, "livelock", "a session of %d frames",
			           FRAMES_MAX);
	}
	for (unsigned side = 0; side < 2; side++) {
		session_free(t->sessions[side]);
		for (unsigned p = 0; p < 2; p++)
			for (size_t i = t->out[side][p].first; i < t->out[side][p].count; i++)
				buf_done(&t->out[side][p].frames[i]);
	}
	delivered = t->delivered;
	free(t);
	return delivered;
}

/* ---- steps */
static bool do_op(struct small *m, unsigned op)
{
	struct device *d = m->at[m->script.places[op]];
	enum small_kind kind = m->script.kinds[op];
	const struct schema *schema = device_schema(d);
	const struct table *thing = schema_table(schema, TABLE_THING),
	                   *tag = schema_table(schema, TABLE_TAG);
	struct field_write f = {0};
	struct write wr = {.kind = WRITE_UPDATE, .table = thing, .fields = &f, .fields_count = 1};
	uint8_t element = 1;
	struct span parts[2];

	memcpy(wr.row, m->row, 16);
	switch (kind) {
	case SMALL_INSERT:
		wr.kind = WRITE_INSERT;
		wr.table = tag;
		memcpy(wr.scope, m->sim->world.units[m->at[SMALL_A]->unit].id, 16);
		parts[0] = span_of(wr.scope, 16);
		parts[1] = span_of(&element, 1);
		id_derive("tag", parts, 2, wr.row);
		wr.has_id = true;
		f = (struct field_write){table_field_named(tag, "element"),
		                         value_text(place_words[m->script.places[op]])};
		break;
	case SMALL_EDIT:
		f = (struct field_write){table_field_named(thing, "f"), value_int(100 + op)};
		break;
	case SMALL_EDIT_OTHER:
		f = (struct field_write){table_field_named(thing, "g"),
		                         value_text(op ? op > 1 ? "third" : "second" : "first")};
		break;
	case SMALL_REFUSED:
		f = (struct field_write){table_field_named(thing, "f"), value_int(13 + 29 * op)};
		break;
	case SMALL_DELETE:
	case SMALL_RESTORE:
		wr.kind = kind == SMALL_DELETE ? WRITE_DELETE : WRITE_RESTORE;
		wr.fields_count = 0;
		break;
	case SMALL_KINDS:
		assert(false);
	}
	return device_write(d, &wr, 1, /* whole= */ false, /* by_command= */ false) == 0;
}

static void do_boot(struct device *d)
{
	device_kill(d);
	(void)device_start(d, /* reboot= */ true);
}

static void do_sync(struct small *m, enum small_sync what)
{
	switch (what) {
	case SMALL_SYNC_A:
	case SMALL_SYNC_B:
		(void)talk(m, what == SMALL_SYNC_A ? SMALL_A : SMALL_B, 0, /* applies= */ true);
		break;
	case SMALL_TAKE_A:
	case SMALL_TAKE_B:
		(void)talk(m, what == SMALL_TAKE_A ? SMALL_A : SMALL_B, 0, /* applies= */ false);
		break;
	case SMALL_CUT_A:
	case SMALL_CUT_B:
		(void)talk(m, what == SMALL_CUT_A ? SMALL_A : SMALL_B, CUT_EARLY,
		           /* applies= */ true);
		break;
	case SMALL_CUT_A_LATE:
	case SMALL_CUT_B_LATE:
		(void)talk(m, what == SMALL_CUT_A_LATE ? SMALL_A : SMALL_B, CUT_LATE,
		           /* applies= */ true);
		break;
	case SMALL_APPLY:
		apply(m->at[SMALL_HUB]);
		break;
	case SMALL_BOOT_A:
	case SMALL_BOOT_B:
		do_boot(m->at[what == SMALL_BOOT_A ? SMALL_A : SMALL_B]);
		break;
	case SMALL_BOOT_HUB:
		do_boot(m->at[SMALL_HUB]);
		break;
	case SMALL_SYNCS:
		assert(false);
	}
}

/* ---- exploring */
/* Which devices a step touches, a bit each. */
static unsigned touches(const struct small *m, const struct small_step *s)
{
	static const unsigned of[] = {5, 6, 5, 6, 5, 6, 5, 6, 4, 1, 2, 4};

	static_assert(ARRAY_COUNT(of) == SMALL_SYNCS, "all of them");
	return s->sync ? of[s->what] : 1u << m->script.places[s->op];
}

/* Steps that have nothing to do with each other are played in one order only.  Two operations are never that: their
 * stamps are in their order. */
static bool played_elsewhere(const struct small *m, const struct small_step *next)
{
	const struct small_step *last = m->count ? &m->steps[m->count - 1] : NULL;

	if (last == NULL || (!last->sync && !next->sync)) return false;
	if (touches(m, last) & touches(m, next)) return false;
	return !next->sync || (last->sync && next->what < last->what);
}

/* Sessions without faults until all is said; the last ones must find nothing to do. */
static void rest(struct small *m)
{
	struct world *w = &m->sim->world;
	unsigned frames = 0;

	w->healed = true;
	for (unsigned round = 0; round < ROUNDS && w->failed_rule[0] == '\0'; round++) {
		frames = 0;
		for (unsigned i = SMALL_A; i <= SMALL_B; i++) {
			apply(m->at[SMALL_HUB]);
			w->now_ms += 1000;
			frames += talk(m, (enum small_place)i, 0, /* applies= */ true);
		}
		if (frames == 4) break;
	}
	if (frames != 4)
		world_fail(w, "rest", "after %d rounds of sessions there is still something to say",
		           ROUNDS);
	if (w->failed_rule[0] == '\0') check_rest(w, m->sim->chest);
}

static void finish(struct small *m)
{
	struct world *w = &m->sim->world;
	char text[500];

	if (w->failed_rule[0] == '\0') rest(m);
	m->shared->schedules++;
	if (w->failed_rule[0] == '\0') return;
	say(m, text, sizeof(text));
	if (m->shared->failed++ == 0)
		(void)snprintf(m->shared->first, sizeof(m->shared->first), "%s: %s: %s", text,
		               w->failed_rule, w->failure);
}

static void explore(struct small *m);

/* In a process of its own, which starts from all that has been. */
/* NOLINTNEXTLINE(misc-no-recursion): each step in a process of its own; as deep as a schedule is long */
static void branch(struct small *m, const struct small_step *next)
{
	pid_t pid;
	int status = 0;

	if (played_elsewhere(m, next)) return;
	pid = fork();
	if (pid != 0) {
		if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) m->shared->failed++;
		return;
	}
	m->steps[m->count++] = *next;
	m->sim->world.now_ms += 1000;
	if (next->sync) {
		m->syncs++;
		do_sync(m, next->what);
	} else {
		m->ops++;
		if (!do_op(m, next->op)) _exit(0); /* nobody can do that now */
	}
	explore(m);
	_exit(0);
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void explore(struct small *m)
{
	struct small_step next = {.op = m->ops};

	if (m->sim->world.failed_rule[0] != '\0' ||
	    (m->ops == OPS && m->syncs == m->bound->steps)) {
		finish(m);
		return;
	}
	if (m->ops < OPS) branch(m, &next);
	next.sync = true;
	for (size_t i = 0; i < m->bound->syncs_count && m->syncs < m->bound->steps; i++) {
		next.what = m->bound->syncs[i];
		branch(m, &next);
	}
}

static struct sim *world_new(struct device *ret_at[3], uint8_t ret_row[16])
{
	struct sim *s = play_new(84, 2, 1, 2, 1);
	struct play_field fields[] = {{"f", value_int(1)}, {"g", value_text("begun")}};

	ret_at[SMALL_A] = play_device(s, false, 0);
	ret_at[SMALL_B] = play_device(s, false, 1);
	ret_at[SMALL_HUB] = play_device(s, true, 0);
	s->world.config.latency_ms = 0;
	/* In the county's own scope, so that both sites hold it and may edit it. */
	if (play_insert(ret_at[SMALL_HUB], "thing", fields, 2, ret_row) != 0 || !play_settle(s))
		(void)fprintf(stderr, "small: %s\n", s->world.failure);
	return s;
}

void small_interleavings(const struct small_bound *b, unsigned part, unsigned parts,
                         struct small_result *ret)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct small m = {.bound = b, .shared = shared};
	size_t scripts = b->places_count;

	assert(shared != MAP_FAILED);
	for (unsigned i = 0; i < OPS; i++) scripts *= b->kinds_count;
	m.sim = world_new(m.at, m.row);
	for (size_t i = part; i < scripts; i += parts) {
		size_t z = i / b->places_count;
		pid_t pid;

		m.script.places = b->places[i % b->places_count];
		for (unsigned k = 0; k < OPS; k++, z /= b->kinds_count)
			m.script.kinds[k] = b->kinds[z % b->kinds_count];
		pid = fork();
		if (pid == 0) {
			explore(&m);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) < 0) shared->failed++;
	}
	ret->schedules = shared->schedules;
	ret->failed = shared->failed;
	memcpy(ret->first, shared->first, sizeof(ret->first));
	play_free(m.sim);
	(void)munmap(shared, sizeof(*shared));
}

/* ---- merging alone: three operations by up to three runs, at one replica */
enum { LETTERS_MAX = 4, SCENARIOS_MAX = 40 };

struct letter {
	struct buf head, body;
};
struct letters { /* what one operation was sealed into */
	struct letter p[LETTERS_MAX];
	size_t count;
};
struct merging {
	struct sim *sim;
	struct device *authors[OPS], *reader;
	uint64_t scenarios;
	unsigned twins;
	uint16_t table;
	uint8_t row[16];
	struct letters base, ops[OPS];
};
/* Who writes an operation and which of those before it he has seen. */
struct author {
	unsigned who, saw; /* saw: a bit for each operation */
};

static int work_seal(struct device *d, void *ctx)
{
	(void)ctx;
	return replica_seal(d->replica, &(bool){false});
}

static void letters_done(struct letters *l)
{
	for (size_t i = 0; i < l->count; i++) {
		buf_done(&l->p[i].head);
		buf_done(&l->p[i].body);
	}
	l->count = 0;
}

/* Writes, seals, and takes the segments out of the author's journal.  False: he cannot do that now. */
static bool author_write(struct device *d, struct write *wr, struct letters *ret)
{
	int64_t before = 0, head = 0;
	uint8_t rolling[ROLLING_BYTES];
	struct arena a;
	int rc = store_journal_head(d->keeper, &before, rolling);

	if (rc != 0 || device_write(d, wr, 1, /* whole= */ false, /* by_command= */ false) != 0)
		return false;
	if (device_transaction(d, "seal", work_seal, NULL) != 0 ||
	    store_journal_head(d->keeper, &head, rolling) != 0)
		world_fail(d->world, "engine", "%s does not seal", d->label);
	arena_init(&a, 0);
	for (int64_t recv = before + 1; recv <= head; recv++) {
		struct entry *e = NULL;
		struct letter *l = &ret->p[ret->count];

		if (store_journal_get(d->keeper, recv, &a, &e) != 0 || e == NULL ||
		    e->kind != ENTRY_SEGMENT)
			continue;
		assert(ret->count < LETTERS_MAX);
		ret->count++;
		buf_init(&l->head, MESSAGE_BYTES_MAX);
		buf_init(&l->body, MESSAGE_BYTES_MAX);
		buf_add(&l->head, e->head.p, e->head.len);
		buf_add(&l->body, e->body.p, e->body.len);
	}
	arena_done(&a);
	return true;
}

static int append_letters(struct device *d, const struct letters *l)
{
	int rc = 0;
	bool fresh;

	for (size_t i = 0; i < l->count && rc == 0; i++)
		rc = replica_append(d->replica, ENTRY_SEGMENT, buf_span(&l->p[i].head),
		                    buf_span(&l->p[i].body), /* from= */ 0, &fresh);
	return rc;
}

static int apply_here(struct device *d)
{
	bool more = true;
	int rc = 0;

	while (more && rc == 0) rc = replica_apply(d->replica, 1000, &more);
	return rc;
}

static int work_take(struct device *d, void *ctx)
{
	int rc = append_letters(d, ctx);

	return rc ? rc : apply_here(d);
}

/* One way of delivering: an order, after which of them is applied, which come again at the end. */
struct delivery {
	struct merging *m;
	const unsigned *order;
	unsigned applied_after, again;
	bool keep;
	uint8_t fingerprint[16];
};

static int take_fingerprint(struct merging *m, uint8_t ret[16])
{
	struct device *d = m->reader;
	struct arena a;
	struct hash h;
	uint32_t ord = 0;
	int rc = store_scope_ord(d->store, m->sim->world.units[0].id, false, &ord);

	arena_init(&a, 0);
	hash_begin(&h, 16);
	for (unsigned lane = 0; lane < LANE_SEALED && rc == 0; lane++) {
		uint8_t state[STATE_BYTES] = {0}, ids[1][16];
		struct row *row = NULL;
		struct candidate *c = NULL;
		size_t n = 0, slots = store_slots(d->store, m->table, lane);

		memcpy(ids[0], m->row, 16);
		if (ord != 0) rc = store_state_get(d->store, ord, lane, state);
		hash_add(&h, state, sizeof(state));
		if (slots == 0) continue;
		rc = rc ? rc
		        : store_rows_get(d->store, m->table, lane, (const uint8_t(*)[16])ids, 1, &a,
		                         &row);
		for (size_t s = 0; row != NULL && s < slots && rc == 0; s++) {
			hash_add(&h, &row->v[s].type, sizeof(row->v[s].type));
			if (row->v[s].type == VALUE_INT)
				hash_add(&h, &row->v[s].i, sizeof(row->v[s].i));
			else if (row->v[s].type != VALUE_NULL)
				hash_add(&h, row->v[s].s.p, row->v[s].s.len);
		}
		rc = rc ? rc : store_candidates_get(d->store, m->table, m->row, lane, &a, &c, &n);
		hash_add(&h, &n, sizeof(n));
	}
	hash_end(&h, ret, 16);
	arena_done(&a);
	return rc;
}

static int work_deliver(struct device *d, void *ctx)
{
	struct delivery *x = ctx;
	int rc = append_letters(d, &x->m->base);

	for (unsigned i = 0; i < OPS && rc == 0; i++) {
		rc = append_letters(d, &x->m->ops[x->order[i]]);
		if (rc == 0 && (x->applied_after >> i & 1)) rc = apply_here(d);
	}
	for (unsigned i = 0; i < OPS && rc == 0; i++)
		if (x->again >> i & 1) rc = append_letters(d, &x->m->ops[i]);
	rc = rc ? rc : apply_here(d);
	rc = rc ? rc : take_fingerprint(x->m, x->fingerprint);
	return rc ? rc : x->keep ? 0 : -ERR_BUSY; /* rolled back, for the next way */
}

static const unsigned orders[][OPS] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                       {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

static void deliver_all(struct merging *m, bool full, struct small_result *ret)
{
	struct world *w = &m->sim->world;
	uint8_t first[16] = {0};
	struct view v;

	for (unsigned i = 0; i < ARRAY_COUNT(orders) * 4 * 8 && w->failed_rule[0] == '\0'; i++) {
		struct delivery x = {.m = m,
		                     .order = orders[i / 32],
		                     .applied_after = i / 8 % 4,
		                     .again = i % 8,
		                     .keep = i == ARRAY_COUNT(orders) * 4 * 8 - 1};
		int rc;

		if (!full && x.again != 0 && x.again != 7) continue;
		rc = device_transaction(m->reader, "deliver", work_deliver, &x);
		if (rc != (x.keep ? 0 : -ERR_BUSY))
			world_fail(w, "engine", "a delivery fails: %d", rc);
		if (i == 0) memcpy(first, x.fingerprint, 16);
		if (memcmp(first, x.fingerprint, 16) != 0)
			world_fail(w, "order",
			           "order %u%u%u, applied after %x, again %x: another row",
			           x.order[0], x.order[1], x.order[2], x.applied_after, x.again);
		ret->schedules++;
	}
	if (w->failed_rule[0] == '\0' && view_load(m->sim->chest, m->reader, &v) == 0) {
		check_rows(w, &v);
		view_done(&v);
	}
}

static void draft(const struct merging *m, const struct device *d, enum small_kind kind,
                  unsigned op, struct field_write *f, struct write *wr)
{
	const struct table *t = schema_table(device_schema(d), m->table);
	bool tag = m->table == TABLE_TAG;

	*wr = (struct write){
	        .kind = WRITE_UPDATE, .table = t, .fields = f, .fields_count = 1, .has_id = true};
	memcpy(wr->row, m->row, 16);
	memcpy(wr->scope, d->world->units[0].id, 16);
	*f = (struct field_write){table_field_named(t, tag ? "element" : "f"), value_int(op)};
	if (kind == SMALL_EDIT_OTHER && !tag) f->field = table_field_named(t, "g");
	if (f->field->type == FIELD_TEXT)
		f->value = value_text(op ? op > 1 ? "third" : "second" : "first");
	if (kind == SMALL_INSERT) wr->kind = WRITE_INSERT;
	if (kind == SMALL_DELETE) wr->kind = WRITE_DELETE;
	if (kind == SMALL_RESTORE) wr->kind = WRITE_RESTORE;
	if (kind == SMALL_DELETE || kind == SMALL_RESTORE) wr->fields_count = 0;
}

static struct device *twin_new(struct merging *m, struct device *like)
{
	struct device *d = device_twin(like, m->twins++);

	if (device_start(d, /* reboot= */ true) != 0 || device_adopt(d) != 0)
		world_fail(&m->sim->world, "setup", "no twin");
	return d;
}

static void devices_renew(struct merging *m)
{
	for (unsigned i = 0; i < OPS; i++) {
		device_free(m->authors[i]);
		m->authors[i] = twin_new(m, play_device(m->sim, true, 0));
	}
	device_free(m->reader);
	m->reader = twin_new(m, play_device(m->sim, false, 0));
}

/* False: somebody cannot do what the scenario wants of him. */
static bool write_all(struct merging *m, const enum small_kind kinds[OPS],
                      const struct author authors[OPS])
{
	bool derived = false, written = true;
	struct field_write f;
	struct write wr;

	for (unsigned i = 0; i < OPS; i++) derived |= kinds[i] == SMALL_INSERT;
	m->table = derived ? TABLE_TAG : TABLE_THING;
	if (derived) {
		struct span part = span_of(&m->scenarios, sizeof(m->scenarios));

		id_derive("tag", &part, 1, m->row);
	} else {
		draft(m, m->authors[0], SMALL_EDIT, 9, &f, &wr);
		wr.kind = WRITE_INSERT;
		wr.has_id = false;
		written = author_write(m->authors[0], &wr, &m->base);
		memcpy(m->row, wr.row, 16);
		for (unsigned i = 1; i < OPS; i++)
			(void)device_transaction(m->authors[i], "take", work_take, &m->base);
	}
	for (unsigned i = 0; i < OPS && written; i++) {
		struct device *d = m->authors[authors[i].who];

		m->sim->world.now_ms += 10;
		for (unsigned k = 0; k < i; k++)
			if (authors[i].saw >> k & 1)
				(void)device_transaction(d, "take", work_take, &m->ops[k]);
		draft(m, d, kinds[i], i, &f, &wr);
		written = author_write(d, &wr, &m->ops[i]);
	}
	return written;
}

static void play_scenario(struct merging *m, const enum small_kind kinds[OPS],
                          const struct author authors[OPS], bool full, struct small_result *ret)
{
	struct world *w = &m->sim->world;

	if (m->scenarios++ % SCENARIOS_MAX == 0) devices_renew(m);
	if (write_all(m, kinds, authors)) deliver_all(m, full, ret);
	letters_done(&m->base);
	for (unsigned i = 0; i < OPS; i++) letters_done(&m->ops[i]);
	if (w->failed_rule[0] == '\0') return;
	if (ret->failed++ == 0)
		(void)snprintf(ret->first, sizeof(ret->first),
		               "run %u %s; run %u %s, saw %u; run %u %s, saw %u: %s: %s",
		               authors[0].who, kind_words[kinds[0]], authors[1].who,
		               kind_words[kinds[1]], authors[1].saw, authors[2].who,
		               kind_words[kinds[2]], authors[2].saw, w->failed_rule, w->failure);
	w->failed_rule[0] = w->failure[0] = '\0';
	m->scenarios += SCENARIOS_MAX - m->scenarios % SCENARIOS_MAX;
}

void small_merges(bool full, unsigned part, unsigned parts, struct small_result *ret)
{
	static const enum small_kind some[] = {SMALL_INSERT, SMALL_EDIT, SMALL_DELETE};
	const enum small_kind *kinds = full ? all_kinds : some;
	size_t kinds_count = full ? SMALL_REFUSED : ARRAY_COUNT(some); /* nobody refuses here */
	struct merging m = {0};
	struct device *at[3];
	unsigned n = 0;

	m.sim = world_new(at, m.row);
	for (size_t z = 0; z < kinds_count * kinds_count * kinds_count; z++) {
		enum small_kind k[OPS] = {kinds[z % kinds_count],
		                          kinds[z / kinds_count % kinds_count],
		                          kinds[z / kinds_count / kinds_count]};

		/* Runs are alike: the second operation is of run 0 or 1, the third of at most a new one. */
		for (unsigned who = 0; who < 6; who++)
			for (unsigned saw = 0; saw < 8; saw++) {
				struct author a[OPS] = {
				        {0, 0}, {who / 3, saw & 1}, {who % 3, saw >> 1}};

				if (who == 2 || n++ % parts != part)
					continue; /* no run 2 without run 1 */
				play_scenario(&m, k, a, full, ret);
			}
	}
	for (unsigned i = 0; i < OPS; i++) device_free(m.authors[i]);
	device_free(m.reader);
	play_free(m.sim);
}
