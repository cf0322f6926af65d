/*
 * device.c - a machine and its daemon.
 */
#include "common/base.h"

#include "tests/sim/device.h"

#include "common/ident.h"
#include "tests/sim/again.h"
#include "tests/sim/held.h"
#include "tests/sim/people.h"
#include "tests/sim/quota.h"
#include "tests/sim/slander.h"
#include "tests/sim/trust.h"
#include "tests/sim/vault.h"
#include "tests/sim/weather.h"

enum { RECONNECT_MS = 2000, SEAL_MS = 2000, APPLY_OPS = 2000, BATCH_MAX = 64, TURNS_MAX = 64 };

/* ---- surroundings */
static int64_t env_now(void *ctx)
{
	const struct device *d = ctx;

	return weather_wall_ms(d) + d->skew_ms;
}

static int64_t env_boot(void *ctx)
{
	const struct device *d = ctx;

	return d->world->now_ms - d->boot_at_ms;
}

static void env_boot_name(void *ctx, uint8_t ret_id[16])
{
	const struct device *d = ctx;

	memcpy(ret_id, d->boot, 16);
}

static void env_bytes(void *ctx, void *p, size_t len)
{
	struct device *d = ctx;

	random_bytes(&d->rnd, p, len);
}

static bool env_witness_read(void *ctx, struct witness *ret)
{
	const struct device *d = ctx;

	if (d->witness_known) *ret = d->witness;
	return d->witness_known;
}

static void env_witness_write(void *ctx, const struct witness *wit)
{
	struct device *d = ctx;

	d->witness = *wit;
	d->witness_known = true;
	d->storage.witness_written = true;
}

static void env_line(void *ctx, const char *line)
{
	struct device *d = ctx;

	coverage_line(&d->world->coverage, line);
	world_tell(d->world, "    %s: %s", d->label, line);
	world_trace(d->world, "%s: %s", d->label, line);
}

const struct schema *device_schema(const struct device *d)
{
	return d->next_schema ? &d->world->things_next.schema : &d->world->things.schema;
}

/* ---- faults */
static int on_storage(void *ctx, const char *what)
{
	struct device *d = ctx;

	d->storage_calls++;
	if (d->dying) return -ERR_STORAGE;
	if (!d->working || d->fault_after < 0 || d->fault_after-- > 0) return 0;
	d->faulted = true;
	world_trace(d->world, "%s: fault %d at %s", d->label, d->fault_code, what);
	if (d->fault_code != 0) return -d->fault_code;
	d->dying = true;
	return -ERR_STORAGE;
}

void device_arm(struct device *d, int64_t calls, int code)
{
	d->fault_after = calls;
	d->fault_code = code;
}

/* ---- life */
struct device *device_new(struct world *w, struct device *parent, int unit, bool hub,
                          bool next_schema)
{
	struct device *d = mem_alloc(sizeof(*d));

	assert(w->devices_count < WORLD_DEVICES_MAX);
	d->world = w;
	d->number = (unsigned)w->devices_count;
	d->parent = parent;
	d->unit = unit;
	d->hub = hub;
	d->next_schema = next_schema;
	d->fault_after = -1;
	d->alive = true;
	d->rnd = random_stream(w->config.seed, 1000 + d->number);
	d->env = (struct env){.ctx = d,
	                      .now_ms = env_now,
	                      .boot_ms = env_boot,
	                      .boot_id = env_boot_name,
	                      .random = env_bytes,
	                      .witness_read = env_witness_read,
	                      .witness_write = env_witness_write,
	                      .trace = env_line};
	(void)snprintf(d->label, sizeof(d->label), "%s%u", hub ? parent ? "county" : "top" : "node",
	               d->number);
	buf_init(&d->cert_bytes, CERT_BYTES_MAX);
	identity_make(&d->env, &d->identity);
	w->devices[w->devices_count++] = d;
	storage_init(d);
	if (storage_open(d, STORAGE_KEEPER, STORE_CREATE, &d->keeper) < 0)
		world_fail(w, "setup", "%s: keeper: %s", d->label, d->err.detail);
	else if (replica_create(d->keeper, &d->env, &d->identity, &d->err) < 0)
		world_fail(w, "setup", "%s: create: %s", d->label, d->err.detail);
	return d;
}

bool device_forsaken(const struct device *d)
{
	for (; d != NULL; d = d->parent)
		if (d->hostile) return true;
	return false;
}

bool world_hostile(const struct world *w)
{
	for (size_t i = 0; i < w->devices_count; i++)
		if (w->devices[i]->hostile) return true;
	return false;
}

void device_free(struct device *d)
{
	if (d == NULL) return;
	replica_close(d->replica);
	store_close(d->store);
	store_close(d->keeper);
	storage_done(d);
	buf_done(&d->cert_bytes);
	free(d->acked.p);
	people_done(d->people);
	free(d->states.cells);
	free(d);
}

struct device *device_twin(struct device *like, unsigned number)
{
	struct device *d = mem_alloc(sizeof(*d));

	d->world = like->world;
	d->number = like->number;
	d->parent = like->parent;
	d->unit = like->unit;
	d->hub = like->hub;
	d->next_schema = like->next_schema;
	d->fault_after = -1;
	d->alive = true;
	d->identity = like->identity;
	d->cert = like->cert;
	buf_init(&d->cert_bytes, CERT_BYTES_MAX);
	buf_add(&d->cert_bytes, like->cert_bytes.p, like->cert_bytes.len);
	d->rnd = random_stream(d->world->config.seed, 100000 + number);
	d->env = like->env;
	d->env.ctx = d;
	(void)snprintf(d->label, sizeof(d->label), "twin%u", number);
	storage_init(d);
	if (storage_open(d, STORAGE_KEEPER, STORE_CREATE, &d->keeper) < 0 ||
	    replica_create(d->keeper, &d->env, &d->identity, &d->err) < 0)
		world_fail(d->world, "setup", "%s: %s", d->label, d->err.detail);
	return d;
}

int device_upgrade(struct device *d)
{
	struct store *keeper = NULL;
	int rc;

	device_kill(d);
	d->next_schema = true;
	rc = storage_open(d, STORAGE_KEEPER, 0, &keeper);
	if (rc < 0) return rc;
	store_close(d->keeper);
	d->keeper = keeper;
	return device_start(d, /* reboot= */ false);
}

static void start_later(struct device *d)
{
	struct world *w = d->world;
	struct random rnd = world_draw(w, DRAWN_WAIT, d->number, (uint64_t)w->now_ms + 1);

	world_at(w, w->now_ms + (w->healed ? 10 : random_range(&rnd, 10, 60000)), AT_START,
	         d->number, 0, 0);
}

/* 0; 1: an error of the disk, or the end of the machine, prevented it: to be started later. */
static int device_open(struct device *d)
{
	struct replica_config config = {.env = &d->env,
	                                .identity = &d->identity,
	                                .judge = d->hub ? &d->judge : NULL,
	                                .piece_bytes = (size_t)d->world->config.piece,
	                                .trail = d->world->config.trails > 0,
	                                .hold = d->hub && d->world->config.held > 0,

	                                .cert_life_ms = trust_life_ms(d->world)};
	bool died;
	int rc;

	storage_arm_open(d);
	rc = storage_open(d, STORAGE_DAEMON, 0, &d->store);
	if (rc == 0) rc = replica_open(&d->replica, d->store, &config, &d->err);
	died = storage_died(d, STORAGE_DAEMON);
	if (rc == 0 && !died) {
		store_set_fault(d->store, on_storage, d);
		return 0;
	}
	if (!died && !d->storage.struck && !d->storage.full) return rc;
	replica_close(d->replica);
	d->replica = NULL;
	if (died) storage_die(d);
	store_close(d->store);
	d->store = NULL;
	storage_after(d);
	start_later(d);
	return 1;
}

int device_start(struct device *d, bool reboot)
{
	struct world *w = d->world;
	struct random rnd = world_draw(w, DRAWN_WAIT, d->number, (uint64_t)w->now_ms);
	int rc;

	if (d->replica != NULL || d->keeper == NULL) return 0;
	if (reboot || d->storage.power_lost) {
		d->witness_known = false;
		random_bytes(&d->rnd, d->boot, 16);
		d->boot_at_ms = w->now_ms - 5000;
		w->counts.reboots++;
		REACHED(w, REBOOT);
		weather_boot(d);
	}
	d->dying = d->faulted = d->storage.power_lost = false;
	d->storage.failed_run = 0;
	d->fault_after = -1;
	rc = device_open(d);
	world_trace(w, "%s start%s %d", d->label, reboot ? " (reboot)" : "", rc);
	if (rc == 1) return 1;
	world_tell(w, "%s starts%s", d->label, reboot ? " after a boot" : "");
	if (rc < 0) {
		world_fail(w, "start", "%s does not start: %d %s", d->label, rc, d->err.detail);
		return rc;
	}
	d->apply_due = true;
	d->correct_due = d->hub;
	d->seal_at_ms = 0;
	device_turn_at(w, d, w->now_ms + 1);
	if (d->parent != NULL && d->joined)
		world_at(w, w->now_ms + 1 + (int64_t)random_below(&rnd, 500), AT_CONNECT, d->number,
		         0, 0);
	return 0;
}

static void leave_all(struct device *d)
{
	for (size_t i = 0; i < d->ends_count; i++) {
		const struct device_end *e = &d->ends[i];

		if (e->conn->ends[e->side].session != NULL) link_leave(d->world, e->conn, e->side);
	}
	d->conn = NULL;
}

static void close_all(struct device *d)
{
	replica_close(d->replica);
	d->replica = NULL;
	store_close(d->store);
	d->store = NULL;
}

/* A commit of which nobody heard may be there all the same. */
static void left_behind(struct device *d)
{
	if (d->storage.disk != NULL && d->keeper != NULL) people_note(d);
	d->ends_count = 0;
}

void device_kill(struct device *d)
{
	struct world *w = d->world;

	if (d->replica == NULL) return;
	world_trace(w, "%s dies", d->label);
	w->counts.crashes++;
	leave_all(d);
	storage_die(d);
	close_all(d);
	storage_after(d);
	left_behind(d);
	d->turn_at_ms = 0;
	start_later(d);
}

/* After an error of the disk, as the reactor does: all sessions go, the database is opened again.  0; 1: in vain, the
 * program is started again later. */
static int device_reopen(struct device *d)
{
	world_trace(d->world, "%s opens its database again", d->label);
	REACHED(d->world, REOPENED);
	leave_all(d);
	close_all(d);
	left_behind(d);
	if (device_open(d) != 0) {
		d->turn_at_ms = 0;
		return 1;
	}
	d->storage.struck = true; /* that is what the error at hand is due to */
	d->apply_due = true;
	d->correct_due = d->hub;
	device_turn_at(d->world, d, d->storage.sick_until_ms);
	if (d->parent != NULL && d->joined)
		world_at(d->world, d->storage.sick_until_ms + 1000, AT_CONNECT, d->number, 0, 0);
	return 0;
}

/* ---- transactions */
static int died_or(struct device *d, int rc, const char *what)
{
	bool injected = d->faulted, died = storage_died(d, STORAGE_DAEMON);

	if (d->dying || died) {
		REACHED(d->world, CRASH_BEFORE);
		world_tell(d->world, "%s dies within a transaction (%s)", d->label, what);
		device_kill(d);
		return 1;
	}
	if (rc >= 0 && injected)
		world_fail(d->world, "swallowed", "%s: %s went on after a storage error", d->label,
		           what);
	d->faulted = false;
	if (rc < 0) {
		bool again = storage_judge(d, rc, what);

		replica_rollback(d->replica);
		if (injected) {
			d->world->counts.disk_full++;
			REACHED(d->world, DISK_FULL);
			world_tell(d->world, "%s: disk full within a transaction (%s)", d->label,
			           what);
		}
		if (again && device_reopen(d) != 0) return 1;
	}
	return rc < 0 ? rc : 0;
}

/* The place of a transaction in the schedule: its millisecond, and which of them. */
static uint64_t work_at(struct device *d)
{
	if (d->worked_ms != d->world->now_ms) d->worked = 0;
	d->worked_ms = d->world->now_ms;
	return (uint64_t)(d->worked_ms - d->world->start_ms) * 64 + (d->worked++ & 63);
}

int device_transaction(struct device *d, const char *what, device_work *work, void *ctx)
{
	struct world *w = d->world;
	struct random after;
	uint64_t at;
	int rc;

	if (d->replica == NULL) return 1;
	at = work_at(d);
	if (!w->healed && d->fault_after < 0) {
		struct random rnd = world_draw(w, DRAWN_CRASH, d->number, at);

		if (random_chance(&rnd, (unsigned)w->config.crash) &&
		    world_allows(w, DRAWN_CRASH, d->number, at))
			device_arm(d, random_range(&rnd, 0, 120), 0);
		else if (random_chance(&rnd, (unsigned)w->config.fault) &&
		         world_allows(w, DRAWN_DISK, d->number, at))
			device_arm(d, random_range(&rnd, 0, 120), ERR_DISK_FULL);
	}
	storage_arm(d, at);
	d->working = true;
	rc = replica_begin(d->replica);
	if (rc == 0) storage_begun(d);
	if (rc == 0) rc = work(d, ctx);
	if (rc == 0) rc = replica_commit(d->replica);
	d->working = false;
	if (rc < 0 && !d->faulted && !d->dying) {
		const struct error *err = replica_error(d->replica);

		world_trace(w, "%s: %s failed: %d %s %s", d->label, what, rc, err ? err->field : "",
		            err ? err->detail : "");
	}
	rc = died_or(d, rc, what);
	if (rc == 0) people_note(d);
	/* Dead after the commit, before anybody heard of it. */
	after = world_draw(w, DRAWN_CRASH_AFTER, d->number, at);
	if (rc == 0 && !w->healed && random_chance(&after, (unsigned)w->config.crash / 4) &&
	    world_allows(w, DRAWN_CRASH_AFTER, d->number, at)) {
		REACHED(w, CRASH_AFTER);
		world_tell(w, "%s dies just after a commit (%s)", d->label, what);
		device_kill(d);
		return 1;
	}
	return rc;
}

static int work_join(struct device *d, void *ctx)
{
	struct span chain[CERT_CHAIN_MAX + 1];
	struct arena a;
	int rc;

	(void)ctx;
	arena_init(&a, 0);
	size_t n = trust_chain(d, &a, chain);
	chain[n++] = buf_span(&d->world->root_bytes);
	rc = replica_join(d->replica, chain, n, d->world->root_fingerprint);
	arena_done(&a);
	return rc;
}

int device_adopt(struct device *d)
{
	int rc = device_transaction(d, "join", work_join, NULL);

	d->joined = rc == 0;
	return rc;
}

static int work_enrol(struct device *d, void *ctx)
{
	const struct device *child = ctx;

	return replica_enrol(d->replica, buf_span(&child->cert_bytes));
}

/* Lanes that may come to rest here: open alone above the county. */
static uint8_t lanes_of(const struct device *d)
{
	return d->hub && d->world->units[d->unit].level < LEVEL_PREFECTURE ? 1 : 7;
}

static int certify(struct device *d)
{
	struct world *w = d->world;
	const struct unit *u = &w->units[d->unit];
	const uint8_t *secret = d->parent ? d->parent->identity.sign_secret : w->root_secret;
	struct error err = {0};

	if (d->cert_bytes.len > 0) return 0;
	d->cert = (struct cert){.role = d->hub ? CERT_HUB : CERT_NODE,
	                        .level = (uint8_t)u->level,
	                        .lanes = lanes_of(d),
	                        .not_before_ms = INT64_C(946684800000),
	                        .not_after_ms = INT64_C(4102444800000)};
	memcpy(d->cert.origin_key, d->identity.sign_public, 32);
	memcpy(d->cert.link_key, d->identity.link_public, 32);
	memcpy(d->cert.unit, u->id, 16);
	memcpy(d->cert.issuer, d->parent ? d->parent->cert.id : w->root.id, 16);
	trust_certify(d);
	return cert_make(&d->cert, secret, &d->cert_bytes, &err);
}

int device_join(struct device *d)
{
	int rc;

	if (d->joined || d->replica == NULL) return 0;
	if (d->parent != NULL && (!d->parent->joined || d->parent->replica == NULL)) return 1;
	if (!trust_able(d)) return 1; /* its parent has run out itself */
	if (certify(d) < 0) {
		world_fail(d->world, "setup", "%s: no certificate", d->label);
		return -1;
	}
	if (d->parent != NULL) {
		rc = device_transaction(d->parent, "enrol", work_enrol, d);
		if (rc != 0) return rc;
		d->parent->seal_at_ms = d->world->now_ms;
		for (size_t i = 0; i < d->parent->ends_count; i++)
			d->parent->ends[i].conn->ends[d->parent->ends[i].side].pump = true;
		device_turn_at(d->world, d->parent, d->world->now_ms + 1);
	}
	rc = device_transaction(d, "join", work_join, NULL);
	if (rc == 0) {
		d->joined = true;
		d->world->counts.joins++;
		world_trace(d->world, "%s joined", d->label);
		world_tell(d->world, "%s joins", d->label);
	}
	return rc;
}

/* ---- sessions */
static void pump_all(struct device *d)
{
	for (size_t i = 0; i < d->ends_count; i++)
		d->ends[i].conn->ends[d->ends[i].side].pump = true;
}

void device_turn_at(struct world *w, struct device *d, int64_t at_ms)
{
	if (d->replica == NULL) return;
	if (at_ms < w->now_ms) at_ms = w->now_ms;
	if (d->turn_at_ms != 0 && d->turn_at_ms <= at_ms) return;
	d->turn_at_ms = at_ms;
	world_at(w, at_ms, AT_TURN, d->number, 0, 0);
}

void device_disconnected(struct world *w, struct device *d)
{
	/* Long worlds call less often: what matters is the number of sessions, not of hours. */
	int64_t least =
	        w->config.hours * 9000 > RECONNECT_MS ? w->config.hours * 9000 : RECONNECT_MS;
	struct random rnd = world_draw(w, DRAWN_WAIT, d->number, UINT64_C(1) << 60 | d->calls);
	int64_t wait;

	least *= 1 + (int64_t)w->conns_count / 200;
	if (w->config.calm > 1) least *= w->config.calm;
	wait = least + (int64_t)random_below(&rnd, (uint64_t)least);

	d->conn = NULL;
	if (w->healed || d->replica == NULL) return;
	/* Most sites call now and then, some stay in touch. */
	if (!random_chance(&rnd, (unsigned)w->config.stay)) wait *= random_range(&rnd, 1, 60);
	world_at(w, w->now_ms + wait, AT_CONNECT, d->number, 0, 0);
}

static void drop_ends(struct device *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->ends_count; i++)
		if (d->ends[i].conn->ends[d->ends[i].side].session != NULL)
			d->ends[kept++] = d->ends[i];
	d->ends_count = kept;
}

static bool end_add(struct device *d, struct conn *c, unsigned side)
{
	if (d->ends_count == DEVICE_ENDS_MAX) drop_ends(d);
	if (d->ends_count == DEVICE_ENDS_MAX) return false;
	d->ends[d->ends_count++] = (struct device_end){c, side};
	return true;
}

/* The hub knows the peer by its link key, as the transport does. */
static bool known_peer(struct device *d, const struct device *peer, struct cert *ret)
{
	struct arena a;
	struct cert_row *row = NULL;
	struct error err = {0};
	bool known;

	arena_init(&a, 0);
	known = store_cert_by_link(d->store, peer->identity.link_public, &a, &row) == 0 &&
	        row != NULL && cert_open(row->body, ret, &err) == 0;
	arena_done(&a);
	return known;
}

static int work_readmit(struct device *d, void *ctx)
{
	const struct device *child = ctx;

	return replica_readmit(d->replica, buf_span(&child->cert_bytes),
	                       child->identity.link_public);
}

/* A hub that forgot its child is shown the certificate that it gave it. */
static int readmit(struct device *d, struct device *child)
{
	int rc = device_transaction(d, "readmit", work_readmit, child);

	if (rc == 0) pump_all(d);
	return rc;
}

void device_connect(struct world *w, struct device *d)
{
	struct device *hub = vault_parent(w, d);
	struct session_config child = {.credit_window = (uint32_t)w->config.window}, parent;
	struct random rnd;
	struct conn *c;
	bool lost;

	if (d->conn != NULL || d->replica == NULL || !d->joined || hub == NULL) return;
	rnd = world_draw(w, DRAWN_LOSS, d->number, ++d->calls);
	if (!w->healed && !world_allows(w, DRAWN_CALL, d->number, d->calls)) {
		device_disconnected(w, d);
		return;
	}
	lost = random_chance(&rnd, (unsigned)w->config.loss);
	if (!w->healed && (w->now_ms < d->offline_until_ms || hub->replica == NULL ||
	                   (lost && world_allows(w, DRAWN_LOSS, d->number, d->calls)))) {
		REACHED(w, LINK_FAILS);
		device_disconnected(w, d);
		return;
	}
	if (hub->replica == NULL) {
		world_at(w, w->now_ms + 100, AT_CONNECT, d->number, 0, 0);
		return;
	}
	weather_speaks(d, &child.protocol_min, &child.protocol_max);
	parent = child;
	parent.parent = true;
	parent.quota = quota_of_world(w);
	weather_speaks(hub, &parent.protocol_min, &parent.protocol_max);
	if ((!known_peer(hub, d, &parent.peer) &&
	     (readmit(hub, d) != 0 || !known_peer(hub, d, &parent.peer))) ||
	    !replica_parent(d->replica, &child.peer)) {
		world_trace(w, "%s is not known to %s", d->label, hub->label);
		w->counts.skipped++;
		device_disconnected(w, d);
		return;
	}
	c = link_open(w, d);
	if (c == NULL) return;
	c->ends[SIDE_PARENT].device = hub;
	c->stay = !w->healed && random_chance(&rnd, (unsigned)w->config.stay);
	child.stay = c->stay;
	parent.stay = true; /* a hub lets its children decide */
	c->ends[SIDE_CHILD].session = session_new(d->replica, &child);
	c->ends[SIDE_PARENT].session = session_new(hub->replica, &parent);
	if (!end_add(d, c, SIDE_CHILD) || !end_add(hub, c, SIDE_PARENT)) {
		world_fail(w, "setup", "too many connections at %s", hub->label);
		return;
	}
	c->ends[SIDE_CHILD].start = true;
	trust_session(c, /* begins= */ true);
	held_session(c, /* begins= */ true);
	d->conn = c;
	d->seal_at_ms = hub->seal_at_ms = w->now_ms;
	w->counts.sessions++;
	world_trace(w, "conn %u: %s to %s%s", c->number, d->label, hub->label,
	            c->stay ? ", stays" : "");
	world_tell(w, "%s calls %s (call %u.%u%s)", d->label, hub->label, d->number, d->calls,
	           c->stay ? ", stays" : "");
	device_turn_at(w, hub, w->now_ms);
	device_turn_at(w, d, w->now_ms + 1);
}

void device_end_sessions(struct device *d)
{
	for (size_t i = 0; i < d->ends_count; i++)
		if (d->ends[i].side == SIDE_CHILD) d->ends[i].conn->ends[SIDE_CHILD].bye = true;
	device_turn_at(d->world, d, d->world->now_ms);
}

/* One step of one session within a transaction; what it wants done is kept until the commit. */
struct step {
	struct conn *conn;
	unsigned side;
	struct session_actions actions;
};
struct steps {
	struct step *p;
	size_t count, room;
};

static int step(struct device *d, struct steps *steps, struct device_end *e,
                enum session_event_kind kind, struct span frame)
{
	struct session_event event = {.kind = kind, .now_ms = env_boot(d), .frame = frame};
	struct step *s;

	if (steps->count == steps->room) {
		steps->room = steps->room ? steps->room * 2 : 16;
		steps->p = mem_grow(steps->p, steps->room * sizeof(*steps->p));
	}
	s = &steps->p[steps->count++];
	*s = (struct step){.conn = e->conn, .side = e->side};
	return session_step(e->conn->ends[e->side].session, &event, &s->actions);
}

/* A further HELLO on a link begins anew, as at a hub's reactor: the one before may have been left over from another link. */
static void greeted_anew(struct device *hub, struct device_end *e, struct span frame)
{
	struct conn_end *end = &e->conn->ends[e->side];
	struct session_config config = {.parent = true,
	                                .stay = true,
	                                .credit_window = (uint32_t)hub->world->config.window,
	                                .quota = quota_of_world(hub->world)};
	struct session_progress p;

	if (e->side != SIDE_PARENT || frame.len < 2 || frame.p[1] != MSG_HELLO) return;
	session_progress(end->session, &p);
	if (p.state == SESSION_NEW ||
	    !known_peer(hub, e->conn->ends[SIDE_CHILD].device, &config.peer))
		return;
	weather_speaks(hub, &config.protocol_min, &config.protocol_max);
	end->anew++;
	end->entries_before += p.entries_out;
	session_free(end->session);
	end->session = session_new(hub->replica, &config);
	hub->session_ended = true;
	REACHED(hub->world, GREETED_ANEW);
}

static int step_end(struct device *d, struct steps *steps, struct device_end *e, unsigned *batch)
{
	struct conn_end *end = &e->conn->ends[e->side];
	struct frame *x;
	int rc = 0;

	if (end->session == NULL) return 0;
	if (end->start) {
		end->start = false;
		rc = step(d, steps, e, EVENT_START, (struct span){0});
	}
	while (rc == 0 && *batch < BATCH_MAX && (x = frames_pop(&end->in)) != NULL) {
		(*batch)++;
		d->apply_due = true;
		greeted_anew(d, e, buf_span(&x->bytes));
		rc = step(d, steps, e, EVENT_FRAME, buf_span(&x->bytes));
		(void)frame_free(x);
		if (steps->p[steps->count - 1].actions.close) return rc;
	}
	if (rc == 0 && end->pump && !end->start) {
		end->pump = false;
		rc = step(d, steps, e, EVENT_PUMP, (struct span){0});
	}
	if (rc == 0 && end->due_ms != 0 && env_boot(d) >= end->due_ms) {
		end->due_ms = 0;
		rc = step(d, steps, e, EVENT_TIMER, (struct span){0});
	}
	if (rc == 0 && end->bye) {
		end->bye = false;
		rc = step(d, steps, e, EVENT_END, (struct span){0});
	}
	return rc;
}

static bool end_has_work(const struct device *d, const struct conn_end *end)
{
	return end->session != NULL &&
	       (end->start || end->pump || end->bye || end->in.count > 0 ||
	        (end->due_ms != 0 && env_boot((void *)(uintptr_t)d) >= end->due_ms));
}

static int work_steps(struct device *d, void *ctx)
{
	unsigned batch = 0;
	int rc = 0;

	for (size_t i = 0; i < d->ends_count && rc == 0; i++)
		rc = step_end(d, ctx, &d->ends[i], &batch);
	return rc;
}

/* A parent keeps one live session per run: the newer one stays. */
static void supersede(struct device *d, struct conn *c)
{
	struct session_progress mine, other;

	if (c->ends[SIDE_PARENT].session == NULL) return;
	session_progress(c->ends[SIDE_PARENT].session, &mine);
	if (mine.state != SESSION_OPEN) return;
	for (size_t i = 0; i < d->ends_count; i++) {
		struct conn *o = d->ends[i].conn;

		if (o == c || d->ends[i].side != SIDE_PARENT || o->number > c->number ||
		    o->ends[SIDE_PARENT].session == NULL ||
		    o->ends[SIDE_CHILD].device != c->ends[SIDE_CHILD].device)
			continue;
		session_progress(o->ends[SIDE_PARENT].session, &other);
		if (other.peer_run != mine.peer_run) continue;
		REACHED(d->world, SUPERSEDED);
		link_leave(d->world, o, SIDE_PARENT);
	}
}

/* A hub that was copied, or restored again and again, may stop until a person names one: it says so to all who call. */
static bool hub_in_doubt(const struct conn *c)
{
	const struct device *hub = c->ends[SIDE_PARENT].device;

	return hub->copied || hub->restored;
}

/* No link between two honest devices ends for what a third one said. */
static void check_cause(struct world *w, const struct conn *c, int code)
{
	if (!world_hostile(w) || device_forsaken(c->ends[SIDE_CHILD].device) ||
	    device_forsaken(c->ends[SIDE_PARENT].device))
		return;
	if (code == ERR_SIGNATURE || code == ERR_UNKNOWN_ORIGIN || code == ERR_CERT_BAD ||
	    code == ERR_CEILING || code == ERR_LIMIT)
		world_fail(w, "link", "%s and %s part with %d", c->ends[0].device->label,
		           c->ends[1].device->label, code);
}

static void release(struct device *d, struct steps *steps)
{
	struct world *w = d->world;

	for (size_t i = 0; i < steps->count; i++) {
		struct step *s = &steps->p[i];
		struct conn_end *end = &s->conn->ends[s->side];

		if (end->session == NULL) continue;
		for (size_t k = 0; k < s->actions.count; k++)
			link_send(w, s->conn, s->side, &s->actions.frames[k].bytes,
			          s->actions.frames[k].priority);
		end->due_ms = s->actions.due_ms;
		if (end->due_ms != 0)
			world_at(w,
			         w->now_ms + (end->due_ms > env_boot(d) ? end->due_ms - env_boot(d)
			                                                : 0),
			         AT_TURN, d->number, 0, 0);
		if (s->actions.close) {
			world_trace(w, "%s closes conn %u: %d", d->label, s->conn->number,
			            s->actions.code);
			check_cause(w, s->conn, s->actions.code);
			w->counts.closed++;
			/* Whatever went wrong before: peers that hear each other come to an end.  (On the
			 * slowest links one message takes longer than the silence that ends a session.) */
			if (s->conn->healthy && !hub_in_doubt(s->conn) &&
			    !device_forsaken(s->conn->ends[SIDE_CHILD].device) &&
			    (!w->config.rate_bytes || w->config.rate_bytes > 20) &&
			    s->actions.code != 0 && s->actions.code != ERR_BUSY)
				world_fail(w, "session", "%s ends a healthy session with %d",
				           d->label, s->actions.code);
			link_leave(w, s->conn, s->side);
		} else if (s->side == SIDE_PARENT) {
			supersede(d, s->conn);
		}
	}
}

size_t device_sessions(struct device *d)
{
	drop_ends(d);
	return d->ends_count;
}

/* Before the next seal, which is to come soon. */
static void correct_soon(struct device *d)
{
	d->correct_due = true;
	if (d->seal_at_ms == 0) d->seal_at_ms = d->world->now_ms + SEAL_MS;
	device_turn_at(d->world, d, d->seal_at_ms);
}

static bool turn_sessions(struct device *d)
{
	struct steps steps = {0};
	bool any = false;
	uint32_t home;
	int rc;

	for (size_t i = 0; i < d->ends_count && !any; i++)
		any = end_has_work(d, &d->ends[i].conn->ends[d->ends[i].side]);
	if (!any) return true;
	home = d->replica ? replica_homecomings(d->replica) : 0;
	rc = device_transaction(d, "sessions", work_steps, &steps);
	if (rc == 0) {
		if (home != replica_homecomings(d->replica)) correct_soon(d);
		release(d, &steps);
	} else if (rc < 0) { /* all that took part are dropped */
		for (size_t i = 0; i < d->ends_count; i++) {
			struct device_end e = d->ends[i];

			for (size_t k = 0; k < steps.count; k++)
				if (steps.p[k].conn == e.conn &&
				    e.conn->ends[e.side].session != NULL)
					link_leave(d->world, e.conn, e.side);
		}
	}
	for (size_t i = 0; i < steps.count; i++) session_actions_done(&steps.p[i].actions);
	free(steps.p);
	return rc != 1;
}

/* ---- the other work of the daemon */
struct applying {
	size_t ops_max;
	bool more;
};

static int work_apply(struct device *d, void *ctx)
{
	struct applying *x = ctx;

	return replica_apply(d->replica, x->ops_max, &x->more);
}

static int work_correct(struct device *d, void *ctx)
{
	(void)ctx;
	return replica_correct(d->replica);
}

static int work_seal(struct device *d, void *ctx)
{
	return replica_seal(d->replica, ctx);
}

static void check_rc(struct device *d, int rc, const char *what)
{
	/* Only an injected fault may make the daemon's own work fail (died_or has cleared and counted it). */
	if (rc < 0 && rc != -ERR_DISK_FULL && !d->storage.struck &&
	    !(rc == -ERR_DATABASE_DAMAGED && d->world->config.damage != 0))
		world_fail(d->world, "engine", "%s: %s: %d %s", d->label, what, rc,
		           replica_error(d->replica) ? replica_error(d->replica)->detail : "");
}

/* A seal closes all: figures first, so that they go with what they count. */
static void check_sealed(struct device *d)
{
	int64_t count = 0, bytes = 0;

	if (store_tail_size(d->keeper, &count, &bytes) == 0 && count > 0)
		world_fail(d->world, "seal", "%s: %" PRId64 " changesets are left by a seal",
		           d->label, count);
}

/* NOLINTNEXTLINE(readability-function-cognitive-complexity): what a daemon does in a turn, in its order */
void device_turn(struct device *d)
{
	struct world *w = d->world;
	bool sealed = false;
	int rc;

	if (d->replica == NULL) return;
	if (d->turn_at_ms != 0 && d->turn_at_ms <= w->now_ms) d->turn_at_ms = 0;
	if (storage_sick(d)) {
		device_turn_at(w, d, d->storage.sick_until_ms);
		return;
	}
	if (d->busy_until_ms > w->now_ms && !w->healed) {
		device_turn_at(w, d, d->busy_until_ms);
		return;
	}
	d->busy_until_ms = w->now_ms + weather_turn_ms(d);
	drop_ends(d);
	if (d->joined && d->seal_at_ms != 0 && d->seal_at_ms <= w->now_ms) {
		if (d->hub && d->correct_due) {
			int64_t mark = slander_mark(d);

			rc = device_transaction(d, "correct", work_correct, NULL);
			if (rc == 1) return;
			check_rc(d, rc, "correct");
			if (rc == 0) slander_check(d, mark);
			d->correct_due = rc < 0;
		}
		d->seal_at_ms = 0;
		rc = device_transaction(d, "seal", work_seal, &sealed);
		if (rc == 1) return;
		check_rc(d, rc, "seal");
		if (rc == 0) check_sealed(d);
		if (rc < 0) {
			d->seal_at_ms = w->now_ms + 1000;
			device_turn_at(w, d, d->seal_at_ms);
		}
		if (sealed) {
			pump_all(d);
			d->apply_due = true;
		}
	}
	if (!turn_sessions(d)) return;
	if (d->apply_due) {
		struct random rnd = world_draw(w, DRAWN_WORK, d->number, (uint64_t)w->now_ms);
		struct applying x = {.ops_max = random_chance(&rnd, 300)
		                                        ? (size_t)random_range(&rnd, 1, 8)
		                                        : APPLY_OPS};

		rc = device_transaction(d, "apply", work_apply, &x);
		if (rc == 1) return;
		check_rc(d, rc, "apply");
		d->apply_due = rc < 0 || x.more;
		if (rc == 0) {
			pump_all(d);
			if (d->hub && !x.more) correct_soon(d);
		}
		if (d->apply_due) device_turn_at(w, d, w->now_ms + 1);
	}
	/* Whatever else called this turn before its time: a seal that is due is not forgotten with it. */
	if (d->joined && d->seal_at_ms != 0) device_turn_at(w, d, d->seal_at_ms);
	for (size_t i = 0; i < d->ends_count; i++)
		if (end_has_work(d, &d->ends[i].conn->ends[d->ends[i].side])) {
			device_turn_at(w, d, w->now_ms + 1);
			return;
		}
}

/* ---- writing */
static bool name_known(const struct names *n, const struct name *x)
{
	for (size_t i = n->count; i-- > 0 && n->count - i < 400;)
		if (n->p[i].run == x->run && n->p[i].stamp == x->stamp && n->p[i].lane == x->lane &&
		    n->p[i].table == x->table && memcmp(n->p[i].row, x->row, 16) == 0)
			return true;
	return false;
}

/* What the tail holds has been promised to a person. */
static void note_acked(struct device *d, struct store *st)
{
	struct arena a;
	struct tail_item *items = NULL;
	size_t count = 0;
	struct error err = {0};

	arena_init(&a, 0);
	if (store_tail_all(st, &a, &items, &count) < 0) count = 0;
	for (size_t i = 0; i < count; i++) {
		struct changeset c;
		struct scope scope = {0};

		if (changeset_read(items[i].changeset, &a, &c, &err) < 0) {
			world_fail(d->world, "tail", "%s: changeset in the tail does not read: %s",
			           d->label, err.detail);
			break;
		}
		if (store_scope_get(st, items[i].scope, &scope) < 0) break;
		for (size_t k = 0; k < c.ops_count; k++) {
			struct name x = {.table = c.ops[k].table,
			                 .lane = items[i].lane,
			                 .run = c.run,
			                 .stamp = c.ops[k].stamp};

			memcpy(x.row, c.ops[k].row, 16);
			memcpy(x.scope, scope.id, 16);
			if (name_known(&d->acked, &x)) continue;
			if (d->acked.count == d->acked.room) {
				d->acked.room = d->acked.room ? d->acked.room * 2 : 64;
				d->acked.p = mem_grow(d->acked.p, d->acked.room * sizeof(x));
			}
			d->acked.p[d->acked.count++] = x;
		}
	}
	arena_done(&a);
}

struct writing {
	struct write *writes;
	size_t count;
	bool whole;
};

static int work_write(struct device *d, void *ctx)
{
	struct writing *x = ctx;
	uint8_t author[8] = {1, 2, 3, 4, 5, 6, 7, (uint8_t)d->number};

	return replica_write(d->replica, x->writes, x->count, x->whole, author);
}

/* A command line on the same database: another process, another connection, the same run. */
static int write_by_command(struct device *d, struct writing *x)
{
	struct replica *daemon = d->replica;
	struct store *st = NULL, *daemon_store = d->store;
	struct replica_config config = {.env = &d->env,
	                                .identity = &d->identity,
	                                .judge = d->hub ? &d->judge : NULL,
	                                .piece_bytes = (size_t)d->world->config.piece,
	                                .trail = d->world->config.trails > 0,
	                                .hold = d->hub && d->world->config.held > 0,

	                                .cert_life_ms = trust_life_ms(d->world)};
	bool died;
	int rc;

	storage_arm_open(d);
	rc = storage_open(d, STORAGE_COMMAND, 0, &st);
	d->replica = NULL;
	if (rc == 0) rc = replica_open(&d->replica, st, &config, &d->err);
	if (rc < 0 && d->storage.disk == NULL)
		world_fail(d->world, "start", "%s: command: %s", d->label, d->err.detail);
	if (rc == 0) rc = replica_begin(d->replica);
	if (rc == 0) storage_begun(d);
	if (rc == 0) rc = work_write(d, x);
	if (rc == 0) rc = replica_commit(d->replica);
	if (rc == 0) vault_wrote(d->world, d, replica_run(d->replica));
	if (rc == 0)
		note_acked(d, st);
	else if (d->replica != NULL)
		replica_rollback(d->replica);
	died = storage_died(d, STORAGE_COMMAND);
	if (!died) (void)storage_judge(d, rc, "command");
	replica_close(d->replica);
	store_close(st);
	d->replica = daemon;
	d->store = daemon_store;
	d->world->counts.commands++;
	REACHED(d->world, COMMAND);
	if (!died) {
		people_note(d);
		return rc;
	}
	if (d->storage.power_lost) device_kill(d); /* the whole machine */
	return 1;
}

int device_write(struct device *d, struct write *writes, size_t count, bool whole, bool by_command)
{
	struct world *w = d->world;
	struct writing x = {writes, count, whole};
	struct random rnd = world_draw(w, DRAWN_WORK, d->number, (uint64_t)w->now_ms + 1);
	int rc;

	if (d->replica == NULL) return 1;
	again_count(d, writes, count, /* sign= */ -1);
	rc = by_command ? write_by_command(d, &x) : device_transaction(d, "write", work_write, &x);
	again_count(d, writes, count, /* sign= */ 1);
	if (rc != 0) return rc;
	if (!by_command) note_acked(d, d->store);
	if (!by_command) vault_wrote(w, d, replica_run(d->replica));
	w->counts.writes++;
	if (d->joined && (d->ends_count > 0 || replica_seal_due(d->replica)) &&
	    d->seal_at_ms == 0) {
		d->seal_at_ms = w->now_ms + (int64_t)random_below(&rnd, SEAL_MS);
		device_turn_at(w, d, d->seal_at_ms);
	}
	return 0;
}
