#include <sqlite3.h>

#include "common/base.h"

#include "tests/bench/bench.h"

#include <sys/resource.h>
#include <sys/syscall.h>

#include "common/crypt.h"
#include "common/ident.h"
#include "hub/coverage.h"
#include "proto/session.h"
#include "tests/support/scratch.h"

enum { RUNS = 1, WARM_VOLUNTEERS = 174, WARM_ACTIVITIES = 48, TOWNSHIP_SITES = 15, COST_TIMES = 9 };

static uint8_t root_secret[64], root_public[32], root_fingerprint[32];
static struct cert root;
static struct buf root_bytes;
static char directory[128];

/* ---- printing and clocks */

void bench_value(const char *name, double value, const char *unit)
{
	printf("bench %s %.*f %s\n", name, value < 0.1 ? 4 : value < 100 ? 3 : 0, value, unit);
	fflush(stdout);
}

static int64_t clock_ns(int which)
{
	struct timespec t;

	/* clock_gettime by number: base.h keeps time out of the program, and a bench is about nothing else. */
	if (syscall(SYS_clock_gettime, which, &t) != 0) abort();
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t bench_wall_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t bench_cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void bench_must(int rc, const struct error *err, const char *what)
{
	if (rc == 0) return;
	fprintf(stderr, "bench: %s: %d %s %s\n", what, rc, err ? err->field : "",
	        err ? err->detail : "");
	exit(1);
}

int bench_size(int full, int small)
{
	return getenv("JINGUO_BENCH_SMALL") ? small : full;
}

void pairs_add(struct pairs *p, double ratio)
{
	assert(p->count < ARRAY_COUNT(p->ratio));
	p->ratio[p->count++] = ratio;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct pairs sorted(const struct pairs *p)
{
	struct pairs s = *p;

	qsort(s.ratio, s.count, sizeof(s.ratio[0]), by_value);
	return s;
}

double pairs_median(const struct pairs *p)
{
	struct pairs s = sorted(p);

	assert(s.count > 0);
	return s.count % 2 ? s.ratio[s.count / 2]
	                   : (s.ratio[s.count / 2 - 1] + s.ratio[s.count / 2]) / 2;
}

void pairs_print(const struct pairs *p, const char *name)
{
	struct pairs s = sorted(p);
	char text[96];

	bench_value(name, pairs_median(p), "ratio");
	snprintf(text, sizeof(text), "%s_min", name);
	bench_value(text, s.ratio[0], "ratio");
	snprintf(text, sizeof(text), "%s_max", name);
	bench_value(text, s.ratio[s.count - 1], "ratio");
}

/* ---- machines */

static void remove_directory(void)
{
	if (scratch_remove(directory)) fprintf(stderr, "bench: %s stays\n", directory);
}

const char *bench_directory(void)
{
	const char *base = getenv("JINGUO_BENCH_DIR");

	if (directory[0]) return directory;
	scratch_make(base ? base : "/var/tmp", "bench", directory, sizeof(directory));
	atexit(remove_directory);
	return directory;
}

static void root_make(void)
{
	static const uint8_t seed[32] = {1, 2, 3};
	struct error err = {0};

	if (root_bytes.len) return;
	bench_must(crypt_init(), NULL, "libsodium");
	sign_keypair(seed, root_public, root_secret);
	root = (struct cert){.role = CERT_ROOT,
	                     .level = LEVEL_NATION,
	                     .lanes = 7,
	                     .not_before_ms = INT64_C(946684800000),
	                     .not_after_ms = INT64_C(4102444800000)};
	memcpy(root.origin_key, root_public, 32);
	buf_init(&root_bytes, CERT_BYTES_MAX);
	bench_must(cert_make(&root, root_secret, &root_bytes, &err), &err, "root certificate");
	cert_fingerprint(root_public, root_fingerprint);
}

static void certify(struct cert *c, enum cert_role role, const uint8_t origin_key[32],
                    const uint8_t unit[16], const struct machine *parent, struct buf *out)
{
	struct error err = {0};

	*c = (struct cert){.role = (uint8_t)role,
	                   .level = role == CERT_HUB ? LEVEL_COUNTY : LEVEL_COMMUNITY,
	                   .lanes = 7,
	                   .not_before_ms = INT64_C(946684800000),
	                   .not_after_ms = INT64_C(4102444800000)};
	memcpy(c->origin_key, origin_key, 32);
	memcpy(c->link_key, origin_key, 32); /* no link in a bench that needs one of its own */
	memcpy(c->unit, unit, 16);
	memcpy(c->issuer, parent ? parent->cert.id : root.id, 16);
	buf_init(out, CERT_BYTES_MAX);
	bench_must(cert_make(c, parent ? parent->id.sign_secret : root_secret, out, &err), &err,
	           "certificate");
}

void machine_begin(struct machine *m)
{
	bench_must(replica_begin(m->r), replica_error(m->r), "begin");
}

void machine_commit(struct machine *m)
{
	bench_must(replica_commit(m->r), replica_error(m->r), "commit");
}

void machine_open(struct machine *m, const char *name, struct machine *parent,
                  const uint8_t unit[16])
{
	struct replica_config config;
	struct span chain[3];
	size_t n = 0;

	root_make();
	memset(m, 0, sizeof(*m));
	snprintf(m->path, sizeof(m->path), "%s/%s.db", bench_directory(), name);
	bench_must(store_open(m->path, &schema_current, STORE_CREATE, &m->st, &m->err), &m->err,
	           "open");
	m->system = env_system_new(m->path, NULL, &m->env);
	identity_make(&m->env, &m->id);
	if (getenv("JINGUO_BENCH_OPEN") ==
	    NULL) { /* as a program would: what is private lies closed */
		uint8_t key[32], salt[16];

		env_random(key, sizeof(key));
		env_random(salt, sizeof(salt));
		bench_must(store_rest(m->st, key, salt), store_error(m->st), "closing");
	}
	certify(&m->cert, parent ? CERT_NODE : CERT_HUB, m->id.sign_public, unit, parent,
	        &m->cert_bytes);
	judge_init(&m->judging, &m->judge);
	config = (struct replica_config){
	        .env = &m->env, .identity = &m->id, .judge = parent ? NULL : &m->judge};
	bench_must(replica_create(m->st, &m->env, &m->id, &m->err), &m->err, "create");
	bench_must(replica_open(&m->r, m->st, &config, &m->err), &m->err, "open");
	chain[n++] = buf_span(&m->cert_bytes);
	if (parent) chain[n++] = buf_span(&parent->cert_bytes);
	chain[n++] = buf_span(&root_bytes);
	machine_begin(m);
	bench_must(replica_join(m->r, chain, n, root_fingerprint), replica_error(m->r), "join");
	machine_commit(m);
	if (!parent) return;
	machine_begin(parent);
	bench_must(replica_enrol(parent->r, buf_span(&m->cert_bytes)), replica_error(parent->r),
	           "enrol");
	machine_commit(parent);
}

void machine_close(struct machine *m)
{
	replica_close(m->r);
	store_close(m->st);
	env_system_free(m->system);
	buf_done(&m->cert_bytes);
}

/* ---- sessions */

struct end {
	struct machine *m;
	struct session *s;
	struct session_actions a;
};

static void step_end(struct end *e, enum session_event_kind kind, struct span frame)
{
	struct session_event event = {
	        .kind = kind, .now_ms = e->m->env.boot_ms(e->m->env.ctx), .frame = frame};

	machine_begin(e->m);
	bench_must(session_step(e->s, &event, &e->a), replica_error(e->m->r), "session");
	machine_commit(e->m);
}

static size_t deliver(struct end *from, struct end *to, size_t *ret_frames)
{
	struct session_actions a = from->a;
	size_t bytes = 0;

	from->a = (struct session_actions){0};
	for (size_t i = 0; i < a.count; i++) {
		bytes += a.frames[i].bytes.len;
		++*ret_frames;
		step_end(to, EVENT_FRAME, buf_span(&a.frames[i].bytes));
	}
	session_actions_done(&a);
	return bytes;
}

struct traffic session_run(struct machine *node, struct machine *hub)
{
	struct session_config up = {.peer = hub->cert, .stay = true},
	                      down = {.parent = true, .peer = node->cert, .stay = true};
	struct end child = {.m = node, .s = session_new(node->r, &up)};
	struct end parent = {.m = hub, .s = session_new(hub->r, &down)};
	struct session_progress p;
	struct traffic t = {0};
	size_t quiet = 0;

	step_end(&child, EVENT_START, span_of(NULL, 0));
	while (quiet < 2) {
		size_t before = t.frames;

		t.bytes += deliver(&child, &parent, &t.frames);
		t.bytes += deliver(&parent, &child, &t.frames);
		if (t.frames != before) {
			t.turns++;
			quiet = 0;
			continue;
		}
		hub_apply(hub);
		hub_apply(node);
		step_end(&parent, parent.a.busy ? EVENT_TIMER : EVENT_PUMP, span_of(NULL, 0));
		step_end(&child, child.a.busy ? EVENT_TIMER : EVENT_PUMP, span_of(NULL, 0));
		if (!child.a.count && !parent.a.count && !child.a.busy && !parent.a.busy) quiet++;
	}
	session_progress(child.s, &p);
	t.agreed = p.agreed;
	session_actions_done(&child.a);
	session_actions_done(&parent.a);
	session_free(child.s);
	session_free(parent.s);
	return t;
}

void machine_unit(struct machine *m, const char *code, int level, const uint8_t id[16],
                  const uint8_t *parent)
{
	const struct table *t = schema_table_named(&schema_current, "org_unit");
	struct field_write f[4] = {{table_field_named(t, "code"), value_text(code)},
	                           {table_field_named(t, "name"), value_text("测试单位")},
	                           {table_field_named(t, "level"), value_int(level)}};
	struct write w = {
	        .kind = WRITE_INSERT, .table = t, .has_id = true, .fields = f, .fields_count = 3};

	memcpy(w.row, id, 16);
	if (parent)
		f[w.fields_count++] = (struct field_write){table_field_named(t, "parent"),
		                                           value_bytes(parent, 16)};
	machine_begin(m);
	bench_must(replica_write(m->r, &w, 1, false, NULL), replica_error(m->r), "unit");
	machine_commit(m);
}

void machine_seal(struct machine *m)
{
	bool sealed;

	machine_begin(m);
	bench_must(replica_seal(m->r, &sealed), replica_error(m->r), "seal");
	machine_commit(m);
}

/* ---- sites */

void sites_seal(struct sites *s, size_t which, struct changeset *cs, size_t count,
                struct batch *ret)
{
	struct site *x = &s->sites[which];
	struct segment_head h = {.lane = LANE_COUNTY, .seal = ++x->seal, .k = 1, .n = 1};
	struct error err = {0};

	for (size_t i = 0; i < count; i++) cs[i].seq = x->seq++;
	*ret = (struct batch){.cs = cs, .count = count, .scope = (uint32_t)which + 1};
	memcpy(h.origin, x->o.origin, 16);
	memcpy(h.scope, x->unit, 16);
	memcpy(h.prev, x->prev, 32);
	h.nonces_count = x->o.runs_count;
	memcpy(h.nonces, x->o.nonces, sizeof(h.nonces));
	h.count = (uint32_t)count;
	buf_init(&ret->head, HEAD_BYTES_MAX);
	buf_init(&ret->body, BODY_SQUEEZED_MAX);
	bench_must(segment_make(&h, cs, x->o.runs, x->o.secret, &ret->head, &ret->body, ret->hash,
	                        &err),
	           &err, "segment");
	memcpy(x->prev, ret->hash, 32);
}

/* Codes of the list `act` instead of those that the tests of the formats invented: a judge looks. */
static void real_codes(struct changeset *cs, size_t count)
{
	static const char *const made[] = {"E1", "E4", "F2"}, *const real[] = {"D1", "D4", "0"};

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < ARRAY_COUNT(made); k++)
			if (value_equal(cs[i].ops[0].values[2].value, value_text(made[k])))
				cs[i].ops[0].values[2].value = value_text(real[k]);
}

struct changeset *sites_rows(struct sites *s, size_t which, size_t count, struct arena *a)
{
	struct site *x = &s->sites[which];
	struct changeset *cs = changes_participation(&s->dice, a, &x->o, &x->place, count);

	real_codes(cs, count);
	return cs;
}

void sites_batch(struct sites *s, size_t count, struct arena *a, struct batch *ret)
{
	size_t which = s->next++ % s->count;

	sites_seal(s, which, sites_rows(s, which, count, a), count, ret);
}

void batch_done(struct batch *b)
{
	buf_done(&b->head);
	buf_done(&b->body);
}

static struct changeset created(struct site *x, struct arena *a, uint16_t table, uint8_t id[16],
                                uint64_t i)
{
	struct op *op = arena_take(a, sizeof(*op));
	const struct table *t = schema_table(&schema_current, table);
	const struct field *f = table_field_named(t, table == TABLE_VOLUNTEER ? "phone" : "note");

	op->kind = OP_INSERT;
	op->table = table;
	op->stamp = (x->place.now_ms - UINT64_C(80000000000) + i * 40000) << 12;
	id_make(op->stamp, x->o.runs[0], op->row);
	memcpy(id, op->row, 16);
	op->values = ARENA_ARRAY(a, struct field_value, 1);
	op->values[0] =
	        (struct field_value){(uint8_t)field_slot(f),
	                             value_text(table == TABLE_VOLUNTEER ? "19900001234" : "测试")};
	op->values_count = 1;
	op->slots = UINT64_C(1) << field_slot(f);
	return (struct changeset){.run = x->o.runs[0],
	                          .part = 1,
	                          .parts = 1,
	                          .author = {7},
	                          .schema_version = 1,
	                          .codes_version = 1,
	                          .ops = op,
	                          .ops_count = 1};
}

/* Those whom the rows name: a record whose volunteer is unknown would wait, not merge. */
static void site_people(struct sites *s, size_t which, struct machine *hub)
{
	struct site *x = &s->sites[which];
	struct arena a;
	struct batch b;
	size_t n = 0;

	arena_init(&a, 0);
	struct changeset *cs = ARENA_ARRAY(&a, struct changeset, WARM_VOLUNTEERS + WARM_ACTIVITIES);
	for (size_t i = 0; i < WARM_VOLUNTEERS; i++, n++)
		cs[n] = created(x, &a, TABLE_VOLUNTEER, x->place.volunteers[i], n);
	for (size_t i = 0; i < WARM_ACTIVITIES; i++, n++)
		cs[n] = created(x, &a, TABLE_ACTIVITY, x->place.activities[i], n);
	sites_seal(s, which, cs, n, &b);
	hub_append(hub, &b, 1);
	hub_apply(hub);
	batch_done(&b);
	arena_done(&a);
}

static void enrol(struct machine *hub, const uint8_t key[32], const uint8_t unit[16])
{
	struct cert c;
	struct buf bytes;

	certify(&c, CERT_NODE, key, unit, hub, &bytes);
	machine_begin(hub);
	bench_must(replica_enrol(hub->r, buf_span(&bytes)), replica_error(hub->r), "enrol");
	machine_commit(hub);
	buf_done(&bytes);
}

void sites_open_devices(struct sites *s, struct machine *hub, size_t count, size_t devices,
                        uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->dice.state = seed;
	s->count = count * devices;
	s->sites = mem_alloc(s->count * sizeof(*s->sites));
	for (size_t i = 0; i < s->count; i++) {
		struct site *x = &s->sites[i];

		changes_origin(&s->dice, RUNS, &x->o);
		changes_place(&s->dice, &x->place);
		if (i < count)
			id_make((UINT64_C(1700000000000) + i) << 12, x->o.runs[0], x->unit);
		else
			memcpy(x->unit, s->sites[i % count].unit, 16);
		x->seq = 1;
		enrol(hub, x->o.key, x->unit);
		site_people(s, i, hub);
	}
}

void sites_open(struct sites *s, struct machine *hub, size_t count, uint64_t seed)
{
	sites_open_devices(s, hub, count, 1, seed);
}

void sites_in_tree(const struct sites *s, struct machine *hub, size_t silent, uint64_t seed)
{
	struct dice d = {.state = seed};
	struct changes_origin o;
	uint8_t township[16], unit[16];
	size_t speaking = 0;
	char code[64];

	while (speaking < s->count &&
	       (!speaking || memcmp(s->sites[speaking].unit, s->sites[0].unit, 16) != 0))
		speaking++;
	machine_unit(hub, "350502000000", LEVEL_COUNTY, hub->cert.unit, NULL);
	for (size_t i = 0; i < speaking + silent; i++) {
		changes_origin(&d, RUNS, &o);
		if (i % TOWNSHIP_SITES == 0) {
			id_make((UINT64_C(1500000000000) + i) << 12, o.runs[0], township);
			snprintf(code, sizeof(code), "350502%03zu000", 1 + i / TOWNSHIP_SITES);
			machine_unit(hub, code, LEVEL_TOWNSHIP, township, hub->cert.unit);
		}
		id_make((UINT64_C(1600000000000) + i) << 12, o.runs[0], unit);
		if (i < speaking) memcpy(unit, s->sites[i].unit, 16);
		snprintf(code, sizeof(code), "350502%03zu%03zu", 1 + i / TOWNSHIP_SITES,
		         1 + i % TOWNSHIP_SITES);
		machine_unit(hub, code, LEVEL_COMMUNITY, unit, township);
		if (i >= speaking) enrol(hub, o.key, unit);
	}
}

void sites_close(struct sites *s)
{
	free(s->sites);
}

/* ---- the hub's two steps, each one durable transaction */

void hub_append(struct machine *hub, struct batch *b, size_t count)
{
	machine_begin(hub);
	for (size_t i = 0; i < count; i++) {
		bool fresh;

		bench_must(replica_append(hub->r, ENTRY_SEGMENT, buf_span(&b[i].head),
		                          buf_span(&b[i].body), /* from= */ 1, &fresh),
		           replica_error(hub->r), "append");
		if (!fresh) bench_must(1, NULL, "a segment was taken for a known one");
	}
	machine_commit(hub);
}

void hub_apply(struct machine *hub)
{
	bool more = true;

	while (more) {
		machine_begin(hub);
		bench_must(replica_apply(hub->r, 1000000, &more), replica_error(hub->r), "apply");
		machine_commit(hub);
	}
}

/* ---- what a session and a question cost */

static double coverage_ms(struct machine *hub)
{
	struct coverage_item *items = NULL;
	struct tree tree = {0};
	struct fold *folds = NULL;
	size_t folds_count = 0, count = 0;
	struct arena a;
	int64_t from = bench_wall_ns();

	arena_init(&a, 0);
	int rc = store_folds(hub->st, 202501, 202512, &a, &folds, &folds_count);
	rc = rc ? rc : tree_load_places(hub->st, folds, folds_count, &a, &tree);
	rc = rc ? rc
	        : coverage_make_folded(&tree, folds, folds_count, LEVEL_TOWNSHIP, &a, &items,
	                               &count);
	from = bench_wall_ns() - from;
	bench_must(rc, NULL, "coverage");
	if (!count) bench_must(1, NULL, "coverage of no township");
	arena_done(&a);
	return (double)from / 1e6;
}

void costs_node_open(struct machine *node, const char *name, struct machine *hub)
{
	static const uint8_t village[16] = {9, 1};

	machine_open(node, name, hub, village);
	machine_unit(hub, "350502999001", LEVEL_COMMUNITY, village, hub->cert.unit);
	machine_seal(hub);
	session_run(node, hub);
}

struct costs costs_now(struct machine *node, struct machine *hub)
{
	struct pairs bytes = {0}, noop = {0}, coverage = {0};

	for (int i = 0; i < 3 && !session_run(node, hub).agreed; i++) {
	}
	for (int i = 0; i < COST_TIMES; i++) {
		int64_t from = bench_wall_ns();
		struct traffic t = session_run(node, hub);

		pairs_add(&noop, (double)(bench_wall_ns() - from) / 1e6);
		pairs_add(&bytes, (double)t.bytes);
		if (!t.agreed) bench_must(1, NULL, "a session with nothing to do did not agree");
		pairs_add(&coverage, coverage_ms(hub));
	}
	return (struct costs){.noop_bytes = pairs_median(&bytes),
	                      .noop_ms = pairs_median(&noop),
	                      .coverage_ms = pairs_median(&coverage)};
}

/* ---- plain SQLite: the participation table without what the engine keeps in it */

static void run(sqlite3 *db, const char *sql)
{
	char *message = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK) return;
	fprintf(stderr, "bench: %s: %s\n", sql, message);
	exit(1);
}

static sqlite3_stmt *prepared(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) == SQLITE_OK)
		return s;
	fprintf(stderr, "bench: %s: %s\n", sql, sqlite3_errmsg(db));
	exit(1);
}

void plain_open(struct plain *p, const char *name)
{
	const struct table *t = schema_table(&schema_current, TABLE_PARTICIPATION);
	struct buf ddl, names;
	char path[256], values[256] = "";

	snprintf(path, sizeof(path), "%s/%s.db", bench_directory(), name);
	if (sqlite3_open_v2(path, &p->db,
	                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
	                    NULL) != SQLITE_OK)
		abort();
	run(p->db,
	    "PRAGMA journal_mode = WAL; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
	    "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;"
	    "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
	    "PRAGMA wal_autocheckpoint = 10000;");
	buf_init(&ddl, 65536);
	buf_init(&names, 65536);
	for (size_t i = 0; i < t->fields_count; i++)
		buf_print(&names, ", \"%s\"", t->fields[i].name);
	buf_print(
	        &ddl,
	        "CREATE TABLE participation(id BLOB PRIMARY KEY NOT NULL, scope INTEGER NOT NULL");
	for (size_t i = 0; i < t->fields_count; i++)
		buf_print(&ddl, ", \"%s\" BLOB", t->fields[i].name);
	buf_print(&ddl, "); CREATE INDEX participation_scope ON participation(scope, id);");
	for (size_t i = 0; i < t->fields_count; i++)
		if (t->fields[i].indexed)
			buf_print(&ddl,
			          "CREATE INDEX participation_%s ON participation(scope, \"%s\");",
			          t->fields[i].name, t->fields[i].name);
	run(p->db, buf_cstr(&ddl));
	for (size_t i = 0; i < t->fields_count; i++)
		snprintf(values + strlen(values), sizeof(values) - strlen(values), ", ?%zu", i + 3);
	buf_reset(&ddl);
	buf_print(&ddl, "INSERT INTO participation(id, scope%s) VALUES(?1, ?2%s)", buf_cstr(&names),
	          values);
	p->insert = prepared(p->db, buf_cstr(&ddl));
	p->update = prepared(p->db, "UPDATE participation SET skill = ?2 WHERE id = ?1");
	p->begin = prepared(p->db, "BEGIN IMMEDIATE");
	p->commit = prepared(p->db, "COMMIT");
	buf_done(&ddl);
	buf_done(&names);
}

void plain_close(struct plain *p)
{
	sqlite3_finalize(p->insert);
	sqlite3_finalize(p->update);
	sqlite3_finalize(p->begin);
	sqlite3_finalize(p->commit);
	if (sqlite3_close(p->db) != SQLITE_OK) abort();
}

static void done(struct plain *p, sqlite3_stmt *s)
{
	if (sqlite3_step(s) != SQLITE_DONE) {
		fprintf(stderr, "bench: plain: %s\n", sqlite3_errmsg(p->db));
		exit(1);
	}
	sqlite3_reset(s);
}

static void bind(sqlite3_stmt *s, int i, struct value v)
{
	if (v.type == VALUE_INT)
		sqlite3_bind_int64(s, i, v.i);
	else if (v.type == VALUE_TEXT)
		sqlite3_bind_text(s, i, (const char *)v.s.p, (int)v.s.len, SQLITE_STATIC);
	else
		sqlite3_bind_blob(s, i, v.s.p, (int)v.s.len, SQLITE_STATIC);
}

void plain_insert(struct plain *p, const struct batch *b, size_t count)
{
	done(p, p->begin);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < b[i].count; k++) {
			const struct op *op = &b[i].cs[k].ops[0];

			sqlite3_bind_blob(p->insert, 1, op->row, 16, SQLITE_STATIC);
			sqlite3_bind_int(p->insert, 2, (int)b[i].scope);
			/* Slots of the county lane are 1..13 in the order of the fields; 12 is null. */
			for (size_t v = 0; v < op->values_count; v++)
				bind(p->insert, 2 + op->values[v].slot, op->values[v].value);
			done(p, p->insert);
		}
	done(p, p->commit);
}
