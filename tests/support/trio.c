/*
 * trio.c - see trio.h.  A daemon in small: each event is a transaction, its frames are released after the commit; applying comes
 * when no frame waits; then the sessions are pumped.
 */
#include <unistd.h> /* before base.h, which poisons names that it declares */

#include "common/base.h"

#include "tests/support/trio.h"

#include <stdarg.h>

#include "common/ident.h"
#include "tests/support/scratch.h"

enum { BOOT_MS = 5000, APPLY_OPS = 10000, TURNS_MAX = 200000, JUMPS_MAX = 64 };
#define START_MS   INT64_C(1740000000000) /* 2025-02-19T21:20:00Z */
#define NOT_BEFORE INT64_C(946684800000)
#define NOT_AFTER  INT64_C(4102444800000)

struct trio_frame {
	struct trio_frame *next;
	struct buf bytes;
};

static void die(const char *format, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fprintf(stderr, "trio: ");
	(void)vfprintf(stderr, format, args);
	(void)fprintf(stderr, "\n");
	va_end(args);
	abort();
}

static void must(const struct trio_device *d, int rc, const char *what)
{
	const struct error *e = d->r ? replica_error(d->r) : NULL;

	if (rc) die("%s: %s: %d %s %s", d->name, what, rc, e ? e->field : "", e ? e->detail : "");
}

/* ---- surroundings */

static int64_t env_now(void *ctx)
{
	const struct trio_device *d = ctx;
	return d->t->now_ms + d->skew_ms;
}

static int64_t env_boot(void *ctx)
{
	const struct trio_device *d = ctx;
	return d->t->now_ms - START_MS + BOOT_MS;
}

static void env_boot_name(void *ctx, uint8_t ret[16])
{
	const struct trio_device *d = ctx;
	memcpy(ret, d->boot, 16);
}

static void env_bytes(void *ctx, void *p, size_t len)
{
	struct trio_device *d = ctx;
	dice_fill(&d->dice, p, len);
}

static bool env_witness_get(void *ctx, struct witness *ret)
{
	const struct trio_device *d = ctx;
	if (d->witness_known) *ret = d->witness;
	return d->witness_known;
}

static void env_witness_put(void *ctx, const struct witness *w)
{
	struct trio_device *d = ctx;
	d->witness = *w;
	d->witness_known = true;
}

static void env_line(void *ctx, const char *line)
{
	const struct trio_device *d = ctx;
	(void)fprintf(stderr, "%s: %s\n", d->name, line);
}

/* ---- devices */

static void device_open(struct trio_device *d)
{
	struct replica_config config = {.env = &d->env, .identity = &d->identity};
	struct error err = {0};

	if (!d->parent || d->cert.role == CERT_HUB) config.judge = &d->judge;
	judge_init(&d->judging, &d->judge);
	if (store_open(d->path, d->schema, d->flags, &d->store, &err) ||
	    replica_open(&d->r, d->store, &config, &err))
		die("%s does not open: %s", d->name, err.detail);
}

static void device_close(struct trio_device *d)
{
	replica_close(d->r);
	store_close(d->store);
	d->r = NULL;
	d->store = NULL;
}

struct trio_device *trio_device_new(struct trio *t, const char *name, struct trio_device *parent,
                                    enum trio_unit unit)
{
	struct trio_device *d = mem_alloc(sizeof(*d));
	struct error err = {0};

	assert(t->devices_count < TRIO_DEVICES_MAX);
	d->t = t;
	d->name = name;
	d->parent = parent;
	d->unit = unit;
	d->schema = &schema_current;
	d->dice.state = dice_next(&t->dice);
	d->env = (struct env){.ctx = d,
	                      .now_ms = env_now,
	                      .boot_ms = env_boot,
	                      .boot_id = env_boot_name,
	                      .random = env_bytes,
	                      .witness_read = env_witness_get,
	                      .witness_write = env_witness_put};
	if (getenv("TRIO_TRACE")) d->env.trace = env_line;
	env_bytes(d, d->boot, 16);
	(void)snprintf(d->path, sizeof(d->path), "trio-%p-%s", (void *)t, name);
	d->flags = STORE_MEMORY_VFS;
	buf_init(&d->cert_bytes, CERT_BYTES_MAX);
	identity_make(&d->env, &d->identity);
	t->devices[t->devices_count++] = d;
	if (store_open(d->path, &schema_current, d->flags | STORE_CREATE, &d->keeper, &err) ||
	    replica_create(d->keeper, &d->env, &d->identity, &err))
		die("%s is not made: %s", name, err.detail);
	return d;
}

void trio_certify(struct trio_device *d, uint8_t role, enum level level, uint8_t lanes)
{
	const struct trio *t = d->t;
	struct error err = {0};

	d->cert = (struct cert){.role = role,
	                        .level = (uint8_t)level,
	                        .lanes = lanes,
	                        .not_before_ms = NOT_BEFORE,
	                        .not_after_ms = NOT_AFTER};
	memcpy(d->cert.origin_key, d->identity.sign_public, 32);
	memcpy(d->cert.link_key, d->identity.link_public, 32);
	memcpy(d->cert.unit, t->units[d->unit], 16);
	memcpy(d->cert.issuer, d->parent ? d->parent->cert.id : t->root.id, 16);
	buf_reset(&d->cert_bytes);
	if (cert_make(&d->cert, d->parent ? d->parent->identity.sign_secret : t->root_secret,
	              &d->cert_bytes, &err))
		die("%s: certificate: %s", d->name, err.detail);
	if (!d->r) device_open(d);
}

/* Ends what was begun, well or not; the result is handed on. */
static int finish(struct trio_device *d, int rc)
{
	rc = rc ? rc : replica_commit(d->r);
	if (rc) replica_rollback(d->r);
	return rc;
}

int trio_enrol(struct trio_device *d)
{
	int rc = replica_begin(d->parent->r);

	return finish(d->parent, rc ? rc : replica_enrol(d->parent->r, buf_span(&d->cert_bytes)));
}

int trio_join(struct trio_device *d)
{
	struct span chain[CERT_CHAIN_MAX];
	size_t n = 0;
	int rc = replica_begin(d->r);

	for (struct trio_device *x = d; x; x = x->parent) chain[n++] = buf_span(&x->cert_bytes);
	chain[n++] = buf_span(&d->t->root_bytes);
	return finish(d, rc ? rc : replica_join(d->r, chain, n, d->t->root_fingerprint));
}

/* Until the hub's own admissions, which applying adds, are applied as well. */
static void apply_all(struct trio_device *d)
{
	struct replica_counts c;
	bool more = true;

	do {
		must(d, replica_begin(d->r), "begin");
		must(d, replica_apply(d->r, APPLY_OPS, &more), "apply");
		must(d, replica_counts(d->r, &c), "counts");
		must(d, finish(d, 0), "commit");
	} while (more || c.unapplied);
	d->apply_due = false;
}

void trio_restart(struct trio_device *d)
{
	device_close(d);
	d->witness_known = false;
	env_bytes(d, d->boot, 16);
	device_open(d);
	apply_all(d);
}

void trio_backup(struct trio_device *d)
{
	struct error err = {0};

	(void)snprintf(d->backup, sizeof(d->backup), "%s/%s-%u", d->t->dir, d->name, d->backups++);
	if (store_backup(d->store, d->backup, &err)) die("%s: backup: %s", d->name, err.detail);
}

struct trio_device *trio_copy(struct trio_device *like, const char *name)
{
	struct trio_device *d = trio_device_new(like->t, name, like->parent, like->unit);

	trio_backup(like);
	d->identity = like->identity;
	d->cert = like->cert;
	buf_reset(&d->cert_bytes);
	buf_add(&d->cert_bytes, like->cert_bytes.p, like->cert_bytes.len);
	memcpy(d->path, like->backup, sizeof(d->path));
	d->flags = 0;
	device_open(d);
	apply_all(d);
	return d;
}

void trio_restore(struct trio_device *d)
{
	assert(d->backup[0]);
	device_close(d);
	memcpy(d->path, d->backup, sizeof(d->path));
	d->flags = 0;
	device_open(d);
	apply_all(d);
}

void trio_lax(struct trio_device *d)
{
	struct trio *t = d->t;
	const struct table *activity = trio_table("activity"), *sealed = trio_table("case_record");

	assert(activity->fields_count <= ARRAY_COUNT(t->lax_fields));
	assert(sealed->fields_count <= ARRAY_COUNT(t->lax_sealed_fields));
	memcpy(t->lax_sealed_fields, sealed->fields,
	       sealed->fields_count * sizeof(*sealed->fields));
	for (size_t i = 0; i < sealed->fields_count; i++) t->lax_sealed_fields[i].rule = NULL;
	t->lax_sealed = *sealed;
	t->lax_sealed.fields = t->lax_sealed_fields;
	memcpy(t->lax_fields, activity->fields, activity->fields_count * sizeof(*activity->fields));
	for (size_t i = 0; i < activity->fields_count; i++)
		if (!strcmp(t->lax_fields[i].name, "hh_served")) t->lax_fields[i].max = INT64_MAX;
	t->lax_activity = *activity;
	t->lax_activity.fields = t->lax_fields;
	for (size_t i = 0; i < schema_current.tables_count; i++)
		t->lax_tables[i] = schema_current.tables[i] == activity ? &t->lax_activity
		                   : schema_current.tables[i] == sealed ? &t->lax_sealed
		                                                        : schema_current.tables[i];
	t->lax = (struct schema){.version = schema_current.version,
	                         .tables = t->lax_tables,
	                         .tables_count = schema_current.tables_count};
	device_close(d);
	d->schema = &t->lax;
	device_open(d);
}

void trio_plant(struct trio_device *d, unsigned kind, unsigned lane, const uint8_t scope[16],
                struct span head, struct span body)
{
	struct entry e = {.kind = (uint8_t)kind,
	                  .lane = (uint8_t)lane,
	                  .merged = true,
	                  .head = head,
	                  .body = body,
	                  .seq_first = 1,
	                  .count = 1,
	                  .seal = 1};
	int64_t recv = 0;

	memcpy(e.origin, d->identity.origin, 16);
	hash_of(kind == ENTRY_CERT ? head : span_of(head.p, head.len - 64), e.hash, 32);
	must(d, replica_begin(d->r), "begin");
	must(d, store_scope_ord(d->store, scope, true, &e.scope), "scope");
	must(d, store_journal_append(d->store, &e, 1, &recv), "plant");
	if (!recv) die("%s: planted what is there already", d->name);
	must(d, finish(d, 0), "commit");
	apply_all(d);
}

/* ---- writing and reading */

const struct table *trio_table(const char *name)
{
	const struct table *t = schema_table_named(&schema_current, name);

	if (!t) die("no table %s", name);
	return t;
}

struct field_write trio_said(const char *table, const char *field, struct value v)
{
	const struct field *f = table_field_named(trio_table(table), field);

	if (!f) die("no field %s.%s", table, field);
	return (struct field_write){f, v};
}

/* Tables and fields of this build become those of the device's program. */
static void as_the_device_has_it(struct trio_device *d, struct write *w)
{
	const struct table *t = schema_table(d->schema, w->table->number);
	struct field_write *f = arena_copy(&d->t->a, w->fields, w->fields_count * sizeof(*f));

	for (size_t i = 0; i < w->fields_count; i++)
		f[i].field = table_field(t, f[i].field->number);
	w->table = t;
	w->fields = f;
}

int trio_write(struct trio_device *d, struct write *w, size_t count, bool whole)
{
	static const uint8_t author[8] = {1};
	int rc;

	d->t->now_ms++;
	rc = replica_begin(d->r);
	for (size_t i = 0; i < count; i++) as_the_device_has_it(d, &w[i]);
	return finish(d, rc ? rc : replica_write(d->r, w, count, whole, author));
}

int trio_insert(struct trio_device *d, const char *table, const struct field_write *f, size_t count,
                uint8_t ret[16])
{
	struct write w = {.kind = WRITE_INSERT,
	                  .table = trio_table(table),
	                  .fields = f,
	                  .fields_count = count};
	int rc = trio_write(d, &w, 1, /* whole= */ false);

	if (!rc && ret) memcpy(ret, w.row, 16);
	return rc;
}

int trio_change(struct trio_device *d, const char *table, const uint8_t row[16], const char *field,
                struct value v)
{
	struct field_write f = trio_said(table, field, v);
	struct write w = {
	        .kind = WRITE_UPDATE, .table = trio_table(table), .fields = &f, .fields_count = 1};

	memcpy(w.row, row, 16);
	return trio_write(d, &w, 1, /* whole= */ false);
}

int trio_delete(struct trio_device *d, const char *table, const uint8_t row[16])
{
	struct write w = {.kind = WRITE_DELETE, .table = trio_table(table)};

	memcpy(w.row, row, 16);
	return trio_write(d, &w, 1, /* whole= */ false);
}

void trio_activity(struct trio_device *d, const char *title, uint8_t ret[16])
{
	struct field_write f[] = {
	        trio_said("activity", "title", value_text(title)),
	        trio_said("activity", "act", value_text("D1")),
	        trio_said("activity", "start", value_int(START_MS - 3600000)),
	        trio_said("activity", "astat", value_text("finished")),
	        trio_said("activity", "hh_served", value_int(3)),
	};
	must(d, trio_insert(d, "activity", f, ARRAY_COUNT(f), ret), "activity");
}

void trio_volunteer(struct trio_device *d, const char *name, uint8_t ret[16])
{
	struct field_write f[] = {
	        trio_said("volunteer", "name", value_text(name)),
	        trio_said("volunteer", "vstat", value_text("active")),
	        trio_said("volunteer", "registered", value_int(START_MS / 86400000 - 30)),
	};
	must(d, trio_insert(d, "volunteer", f, ARRAY_COUNT(f), ret), "volunteer");
}

void trio_participation(struct trio_device *d, const uint8_t volunteer[16], int64_t minutes,
                        uint8_t ret[16])
{
	struct field_write f[] = {
	        trio_said("participation", "volunteer", value_bytes(volunteer, 16)),
	        trio_said("participation", "in", value_int(START_MS - 4 * 3600000)),
	        trio_said("participation", "minutes", value_int(minutes)),
	        trio_said("participation", "hsrc", value_text("1")),
	        trio_said("participation", "hstat", value_text("2")),
	};
	must(d, trio_insert(d, "participation", f, ARRAY_COUNT(f), ret), "participation");
}

void trio_seal(struct trio_device *d)
{
	bool sealed;

	must(d, replica_begin(d->r), "begin");
	must(d, finish(d, replica_seal(d->r, &sealed)), "seal");
	apply_all(d);
}

static struct row_view *view_of(struct trio_device *d, const struct table *t, const uint8_t row[16])
{
	struct row_view *v = NULL;

	must(d, store_begin_read(d->store), "read");
	must(d, store_row_view(d->store, t, row, &d->t->a, &v), "row");
	store_rollback(d->store);
	return v;
}

bool trio_has(struct trio_device *d, const char *table, const uint8_t row[16])
{
	const struct row_view *v = view_of(d, trio_table(table), row);

	return v && !v->dead;
}

struct value trio_value(struct trio_device *d, const char *table, const uint8_t row[16],
                        const char *field)
{
	const struct table *t = trio_table(table);
	const struct row_view *v = view_of(d, t, row);

	return v ? v->values[trio_said(table, field, value_null()).field - t->fields]
	         : value_null();
}

bool trio_shows(struct trio_device *d, const char *table, const uint8_t row[16], const char *field,
                const char *text)
{
	return value_equal(trio_value(d, table, row, field), value_text(text));
}

struct replica_counts trio_counts(struct trio_device *d)
{
	struct replica_counts c;

	must(d, store_begin_read(d->store), "read");
	must(d, replica_counts(d->r, &c), "counts");
	store_rollback(d->store);
	return c;
}

static int64_t sum_of(struct trio_device *d, const char *table, uint32_t scope, const char *kind)
{
	const struct table *t = trio_table(table);
	struct field_write f = trio_said(table, "kind", value_text(kind));
	struct row_where where = {f.field, f.value};
	const struct field *value = trio_said(table, "value", value_null()).field;
	struct row_view *rows;
	size_t n;
	int64_t sum = 0;

	must(d,
	     store_rows_view(d->store, t, &where, 1, scope, false, NULL, 1000, &d->t->a, &rows, &n),
	     table);
	for (size_t i = 0; i < n; i++) sum += rows[i].values[value - t->fields].i;
	return sum;
}

int64_t trio_figure(struct trio_device *d, enum trio_unit unit, const char *kind)
{
	uint32_t scope;
	int64_t sum = 0;

	must(d, store_begin_read(d->store), "read");
	must(d, store_scope_ord(d->store, d->t->units[unit], false, &scope), "scope");
	if (scope) sum = sum_of(d, "figure", scope, kind) + sum_of(d, "correction", scope, kind);
	store_rollback(d->store);
	return sum;
}

size_t trio_parked(struct trio_device *d, struct held **ret)
{
	size_t n;

	must(d, store_begin_read(d->store), "read");
	must(d, store_parked_list(d->store, 0, 1000, &d->t->a, ret, &n), "parked");
	store_rollback(d->store);
	return n;
}

size_t trio_refused(struct trio_device *d, struct held **ret)
{
	size_t n;

	must(d, store_begin_read(d->store), "read");
	must(d, store_refused_list(d->store, false, 1000, &d->t->a, ret, &n), "refused");
	store_rollback(d->store);
	return n;
}

/* ---- links: queues */

static void queue_push(struct trio_queue *q, struct buf *bytes)
{
	struct trio_frame *f = mem_alloc(sizeof(*f));

	f->bytes = *bytes;
	*bytes = (struct buf){0};
	if (q->last)
		q->last->next = f;
	else
		q->first = f;
	q->last = f;
}

static struct trio_frame *queue_pop(struct trio_queue *q)
{
	struct trio_frame *f = q->first;

	if (f) q->first = f->next;
	if (!q->first) q->last = NULL;
	return f;
}

static void frame_free(struct trio_frame *f)
{
	buf_done(&f->bytes);
	free(f);
}

static void queues_empty(struct trio_link *l, enum trio_way way)
{
	struct trio_frame *f;

	for (int priority = FRAME_CONTROL; priority <= FRAME_BULK; priority++)
		while ((f = queue_pop(&l->queues[way][priority]))) frame_free(f);
}

static bool queues_any(const struct trio_link *l, enum trio_way way)
{
	return l->queues[way][FRAME_CONTROL].first || l->queues[way][FRAME_BULK].first;
}

/* ---- links: sessions */

static void session_end(struct trio_link *l, int side, int code)
{
	if (!l->sessions[side]) return;
	session_progress(l->sessions[side], &l->last[side]);
	session_free(l->sessions[side]);
	l->sessions[side] = NULL;
	l->closed[side] = true;
	l->codes[side] = code;
	l->due_ms[side] = 0;
}

static void step(struct trio_link *l, int side, enum session_event_kind kind, struct span frame)
{
	struct trio_device *d = l->ends[side];
	struct session_event e = {.kind = kind, .now_ms = env_boot(d), .frame = frame};
	struct session_actions a = {0};
	int rc;

	if (!l->sessions[side]) return;
	must(d, replica_begin(d->r), "begin");
	rc = finish(d, session_step(l->sessions[side], &e, &a));
	if (rc) {
		l->rcs[side] = rc;
		session_end(l, side, -rc);
	} else {
		for (size_t i = 0; i < a.count; i++)
			queue_push(&l->queues[side][a.frames[i].priority], &a.frames[i].bytes);
		l->due_ms[side] = a.due_ms;
		d->apply_due = true;
		if (a.close) session_end(l, side, a.code);
	}
	session_actions_done(&a);
}

static bool link_peer(struct trio_device *d, const struct trio_device *peer, struct cert *ret)
{
	struct cert_row *row = NULL;
	struct error err = {0};

	must(d, store_cert_by_link(d->store, peer->identity.link_public, &d->t->a, &row), "peer");
	return row && !cert_open(row->body, ret, &err);
}

struct trio_link *trio_link(struct trio_device *child)
{
	struct trio *t = child->t;
	struct trio_link *l = mem_alloc(sizeof(*l));

	assert(t->links_count < TRIO_LINKS_MAX);
	l->t = t;
	l->ends[TRIO_UP] = child;
	l->ends[TRIO_DOWN] = child->parent;
	l->config[TRIO_DOWN].parent = l->config[TRIO_DOWN].stay =
	        true; /* a hub lets its children decide */
	if (!replica_parent(child->r, &l->config[TRIO_UP].peer))
		die("%s has no parent", child->name);
	if (!link_peer(child->parent, child, &l->config[TRIO_DOWN].peer))
		die("%s is not known to %s", child->name, child->parent->name);
	buf_init(&l->trace, 1 << 20);
	t->links[t->links_count++] = l;
	return l;
}

static void link_begin(struct trio_link *l)
{
	l->begun = true;
	for (int side = 0; side < 2; side++)
		l->sessions[side] = session_new(l->ends[side]->r, &l->config[side]);
	step(l, TRIO_UP, EVENT_START, span_of(NULL, 0));
}

static void link_done(struct trio_link *l)
{
	for (int side = 0; side < 2; side++) {
		session_free(l->sessions[side]);
		l->sessions[side] = NULL;
		queues_empty(l, (enum trio_way)side);
	}
	buf_done(&l->trace);
}

unsigned trio_frame_type(struct span frame)
{
	return frame.len > 1 && frame.p[0] >> 4 == 9 && frame.p[1] < 0x80 ? frame.p[1] : 0;
}

static void trace_frame(struct trio_link *l, enum trio_way way, struct span frame)
{
	static const char *const names[] = {
	        [MSG_HELLO] = "HELLO", [MSG_WELCOME] = "WELCOME", [MSG_REFUSE] = "REFUSE",
	        [MSG_DATA] = "DATA",   [MSG_ACK] = "ACK",         [MSG_PLACE] = "PLACE",
	        [MSG_MARKS] = "MARKS", [MSG_ASK] = "ASK",         [MSG_STATE] = "STATE",
	        [MSG_BYE] = "BYE",     [MSG_CERT] = "CERT",       [MSG_NAMED] = "NAMED",
	};
	unsigned type = trio_frame_type(frame);

	buf_print(&l->trace, "%s %s\n", way == TRIO_UP ? "up" : "down",
	          type < ARRAY_COUNT(names) && names[type] ? names[type] : "?");
	l->frames[way]++;
	l->bytes[way] += frame.len;
	l->data[way] += type == MSG_DATA;
}

void trio_cut(struct trio_link *l)
{
	for (int side = 0; side < 2; side++) {
		queues_empty(l, (enum trio_way)side);
		session_end(l, side, ERR_UNREACHABLE);
	}
}

void trio_inject(struct trio_link *l, enum trio_way way, struct span frame)
{
	struct buf b;

	buf_init(&b, frame.len);
	buf_add(&b, frame.p, frame.len);
	queue_push(&l->queues[way][FRAME_CONTROL], &b);
}

void trio_end(struct trio_link *l)
{
	step(l, TRIO_UP, EVENT_END, span_of(NULL, 0));
}

void trio_pump(struct trio_device *d)
{
	trio_seal(d);
	for (size_t i = 0; i < d->t->links_count; i++)
		for (int side = 0; side < 2; side++)
			if (d->t->links[i]->ends[side] == d)
				step(d->t->links[i], side, EVENT_PUMP, span_of(NULL, 0));
}

/* ---- running */

/* One frame of one way; control before bulk. */
static bool deliver(struct trio_link *l, enum trio_way way)
{
	struct trio_frame *f = queue_pop(&l->queues[way][FRAME_CONTROL]);
	enum trio_fate fate = TRIO_PASS;

	if (!f) f = queue_pop(&l->queues[way][FRAME_BULK]);
	if (!f) return false;
	if (l->look) fate = l->look(l, way, &f->bytes);
	if (fate == TRIO_CUT) {
		trio_cut(l);
	} else {
		for (int n = fate == TRIO_TWICE ? 2 : fate == TRIO_PASS; n > 0 && l->sessions[!way];
		     n--) {
			trace_frame(l, way, buf_span(&f->bytes));
			step(l, !way, EVENT_FRAME, buf_span(&f->bytes));
		}
	}
	frame_free(f);
	return true;
}

/* The other side has gone and its last words are heard: the transport would tell. */
static bool leave_alone(struct trio_link *l, int side)
{
	if (!l->sessions[side] || !l->begun || l->sessions[!side] ||
	    queues_any(l, (enum trio_way) !side))
		return false;
	l->alone[side] = true;
	session_end(l, side, 0);
	return true;
}

static bool turn_links(struct trio *t, size_t *frames)
{
	bool any = false;

	for (size_t i = 0; i < t->links_count; i++) {
		struct trio_link *l = t->links[i];
		if (!l->begun) {
			link_begin(l);
			any = true;
		}
		for (int way = TRIO_UP; way <= TRIO_DOWN && *frames; way++)
			if (deliver(l, (enum trio_way)way)) {
				any = true;
				--*frames;
			}
		for (int side = 0; side < 2; side++) any |= leave_alone(l, side);
	}
	return any;
}

static bool turn_devices(struct trio *t)
{
	bool any = false;

	for (size_t i = 0; i < t->devices_count; i++) {
		struct trio_device *d = t->devices[i];
		if (!d->apply_due || !d->r) continue;
		any = true;
		apply_all(d);
		for (size_t k = 0; k < t->links_count; k++)
			for (int side = 0; side < 2; side++)
				if (t->links[k]->ends[side] == d && t->links[k]->sessions[side]) {
					step(t->links[k], side, EVENT_PUMP, span_of(NULL, 0));
					d->apply_due = false; /* a pump takes nothing in */
				}
	}
	return any;
}

/* Timers that are due now; with jump, the clock goes to the next one. */
static bool turn_timers(struct trio *t, bool jump)
{
	int64_t now = t->now_ms - START_MS + BOOT_MS, next = INT64_MAX;
	bool any = false;

	for (size_t i = 0; i < t->links_count; i++)
		for (int side = 0; side < 2; side++)
			if (t->links[i]->sessions[side] && t->links[i]->due_ms[side] &&
			    t->links[i]->due_ms[side] < next)
				next = t->links[i]->due_ms[side];
	if (next == INT64_MAX || (next > now && !jump)) return false;
	if (next > now) t->now_ms += next - now;
	for (size_t i = 0; i < t->links_count; i++)
		for (int side = 0; side < 2; side++) {
			struct trio_link *l = t->links[i];
			if (!l->sessions[side] || !l->due_ms[side] || l->due_ms[side] > next)
				continue;
			l->due_ms[side] = 0;
			step(l, side, EVENT_TIMER, span_of(NULL, 0));
			any = true;
		}
	return any;
}

static void run(struct trio *t, size_t frames, bool jump)
{
	size_t turns = 0, jumps = 0;

	while (frames && turns++ < TURNS_MAX) {
		/* As in life a timer that is due goes before a frame that is still on its way. */
		if (turn_timers(t, /* jump= */ false) || turn_links(t, &frames) || turn_devices(t))
			continue;
		if (!jump || jumps++ >= JUMPS_MAX || !turn_timers(t, /* jump= */ true)) return;
	}
	if (turns >= TURNS_MAX) die("the links do not come to rest");
}

void trio_run(struct trio *t)
{
	run(t, SIZE_MAX, /* jump= */ true);
}

void trio_run_frames(struct trio *t, size_t frames)
{
	run(t, frames, /* jump= */ false);
}

bool trio_sync(struct trio_device *child)
{
	struct trio_link *l = trio_link(child);
	bool well;

	trio_run(child->t);
	well = l->closed[0] && l->closed[1] && !l->codes[0] && !l->codes[1] && !l->rcs[0] &&
	       !l->rcs[1];
	if (!well)
		(void)fprintf(stderr, "trio: %s: session ended with %d/%d, engine %d/%d\n",
		              child->name, l->codes[0], l->codes[1], l->rcs[0], l->rcs[1]);
	link_done(l);
	for (size_t i = 0; i < child->t->links_count; i++)
		if (child->t->links[i] == l)
			child->t->links[i] = child->t->links[--child->t->links_count];
	free(l);
	return well;
}

bool trio_agrees(struct trio_device *child)
{
	struct trio_device *parent = child->parent;
	uint8_t here[16], there[16];

	must(child, store_begin_read(child->store), "read");
	must(child, replica_digest(child->r, &parent->cert, here), "digest");
	store_rollback(child->store);
	must(parent, store_begin_read(parent->store), "read");
	must(parent, replica_digest(parent->r, &child->cert, there), "digest");
	store_rollback(parent->store);
	return !memcmp(here, there, 16) && !trio_counts(child).unapplied &&
	       !trio_counts(parent).unapplied;
}

bool trio_settle(struct trio *t)
{
	bool well = true;

	for (int round = 0; round < 3; round++)
		for (size_t i = t->devices_count; i-- > 0;) {
			struct trio_device *d = t->devices[i];
			if (d->parent && d->r && replica_cert(d->r)) well = trio_sync(d) && well;
		}
	for (size_t i = 0; i < t->devices_count; i++) {
		struct trio_device *d = t->devices[i];
		if (!d->parent || !d->r || !replica_cert(d->r) || trio_agrees(d)) continue;
		(void)fprintf(stderr, "trio: %s and %s differ\n", d->name, d->parent->name);
		well = false;
	}
	return well;
}

/* ---- the world */

static void root_make(struct trio *t)
{
	uint8_t spare[32];
	uint8_t seed[32], link_secret[32];
	struct error err = {0};

	dice_fill(&t->dice, seed, sizeof(seed));
	sign_keypair(seed, t->root_public, t->root_secret);
	cert_fingerprint(t->root_public, t->root_fingerprint);
	t->root = (struct cert){.role = CERT_ROOT,
	                        .level = LEVEL_NATION,
	                        .lanes = 0xf,
	                        .not_before_ms = NOT_BEFORE,
	                        .not_after_ms = NOT_AFTER};
	memcpy(t->root.origin_key, t->root_public, 32);
	seed[31] ^= 1;
	sign_keypair(seed, t->spare_public, t->spare_secret);
	seed[31] ^= 1;
	cert_fingerprint(t->spare_public, spare);
	memcpy(t->root.before, spare, 16);
	link_keypair(seed, t->root.link_key, link_secret);
	memcpy(t->root.unit, t->units[UNIT_PROVINCE], 16);
	buf_init(&t->root_bytes, CERT_BYTES_MAX);
	if (cert_make(&t->root, t->root_secret, &t->root_bytes, &err)) die("root: %s", err.detail);
}

static void unit_write(struct trio *t, enum trio_unit unit, const char *code, const char *name,
                       int64_t level, const uint8_t *parent)
{
	struct field_write f[4] = {
	        trio_said("org_unit", "code", value_text(code)),
	        trio_said("org_unit", "name", value_text(name)),
	        trio_said("org_unit", "level", value_int(level)),
	};
	struct write w = {.kind = WRITE_INSERT,
	                  .table = trio_table("org_unit"),
	                  .has_id = true,
	                  .fields = f,
	                  .fields_count = 3};

	if (parent) f[w.fields_count++] = trio_said("org_unit", "parent", value_bytes(parent, 16));
	memcpy(w.row, t->units[unit], 16);
	must(t->province, trio_write(t->province, &w, 1, /* whole= */ false), name);
}

static void hubs_make(struct trio *t)
{
	trio_certify(t->province, CERT_HUB, LEVEL_PROVINCE, 1);
	must(t->province, trio_join(t->province), "join");
	unit_write(t, UNIT_PROVINCE, "350000000000", "福建省", LEVEL_PROVINCE, NULL);
	unit_write(t, UNIT_COUNTY, "350102000000", "鼓楼区", LEVEL_COUNTY, t->units[UNIT_PROVINCE]);
	unit_write(t, UNIT_SITE, "350102001001", "庆城社区", LEVEL_COMMUNITY,
	           t->units[UNIT_COUNTY]);
	unit_write(t, UNIT_OTHER, "350102001002", "观风亭社区", LEVEL_COMMUNITY,
	           t->units[UNIT_COUNTY]);
	unit_write(t, UNIT_AWAY, "350103000000", "台江区", LEVEL_COUNTY, t->units[UNIT_PROVINCE]);
	trio_certify(t->county, CERT_HUB, LEVEL_COUNTY, 7);
	must(t->county, trio_enrol(t->county), "enrol");
	must(t->county, trio_join(t->county), "join");
	trio_seal(t->province);
	if (!trio_sync(t->county)) die("the county does not sync");
}

struct trio *trio_new(void)
{
	struct trio *t = mem_alloc(sizeof(*t));
	struct span code;

	if (crypt_init()) die("no libsodium");
	t->now_ms = START_MS;
	t->dice.state = 20250219;
	arena_init(&t->a, 0);
	scratch_make("/tmp", "trio", t->dir, sizeof(t->dir));
	for (unsigned i = 0; i < TRIO_UNITS; i++) {
		uint8_t number = (uint8_t)i;
		code = span_of(&number, 1);
		id_derive("trio unit", &code, 1, t->units[i]);
	}
	root_make(t);
	t->province = trio_device_new(t, "province", NULL, UNIT_PROVINCE);
	t->county = trio_device_new(t, "county", t->province, UNIT_COUNTY);
	t->site = trio_device_new(t, "site", t->county, UNIT_SITE);
	t->second = trio_device_new(t, "second", t->county, UNIT_SITE);
	t->other = trio_device_new(t, "other", t->county, UNIT_OTHER);
	hubs_make(t);
	for (size_t i = 2; i < t->devices_count; i++) {
		trio_certify(t->devices[i], CERT_NODE, LEVEL_COMMUNITY, 7);
		must(t->devices[i], trio_enrol(t->devices[i]), "enrol");
		must(t->devices[i], trio_join(t->devices[i]), "join");
	}
	return t;
}

void trio_free(struct trio *t)
{
	if (!t) return;
	for (size_t i = 0; i < t->links_count; i++) {
		link_done(t->links[i]);
		free(t->links[i]);
	}
	for (size_t i = 0; i < t->devices_count; i++) {
		device_close(t->devices[i]);
		store_close(t->devices[i]->keeper);
		buf_done(&t->devices[i]->cert_bytes);
	}
	(void)scratch_remove(t->dir);
	for (size_t i = 0; i < t->devices_count; i++) free(t->devices[i]);
	buf_done(&t->root_bytes);
	arena_done(&t->a);
	free(t);
}
