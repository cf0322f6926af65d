/*
 * vault.c - copies of databases, and the machines around them.
 */
#include "common/base.h"

#include "tests/sim/vault.h"

#include "proto/bundle.h"
#include "proto/copies.h"
#include "tests/sim/closed.h"
#include "tests/sim/copy.h"

enum { STREAM_VAULT = 81, RUNS_MAX = 4096, WRITERS_MAX = 8 };
enum { HOUR_MS = 3600 * 1000 };
enum what {
	VAULT_KEEP = 1,
	VAULT_RESTORE,
	VAULT_CLONE,
	VAULT_SWAP,
	VAULT_IMAGE,
	VAULT_RESUME,
	VAULT_CARRY
};

struct image {             /* a disk, and what a running machine has beside it */
	struct copy *disk; /* NULL: none */
	int64_t at_ms, boot_at_ms, skew_ms;
	struct random rnd;
	struct witness witness;
	bool witness_known, joined, damaged;
	uint8_t boot[16];
	unsigned life;
};
struct safe { /* of one device */
	struct image kept[VAULT_GENERATIONS], image;
	size_t next;
	unsigned life;                 /* counts what happened to its disk: who wrote under a run */
	struct device *copy_of, *copy; /* of hubs: another machine with the same keys */
	bool turn;
};
struct writer { /* who wrote under a run */
	uint64_t run;
	const struct device *device;
	unsigned life;
};
struct vault {
	struct world *w;
	struct chest *chest;
	struct workload *load;
	struct random rnd;
	struct safe safes[WORLD_DEVICES_MAX];
	struct writer writers[RUNS_MAX];
	size_t writers_count;
	unsigned clones, lives;
	bool at_home;
	bool hubs_copied, blind;
};

/* ---- configuration */
static int64_t some(struct random *rnd, unsigned permille, int64_t most)
{
	return random_chance(rnd, permille) ? random_range(rnd, 1, most) : 0;
}

void vault_config(uint64_t seed, struct config *c)
{
	struct random rnd = random_stream(seed, STREAM_VAULT);

	/* Whole disks are exchanged in memory; what a disk does with unsynced pages, and what
	 * is changed behind the engine's back, who lies, and certificates that run out, are other kinds of world. */
	if (c->disk != 0 || c->damage != 0 || c->malice != 0 || c->life != 0 ||
	    random_chance(&rnd, 450))
		return;
	c->restore = some(&rnd, 600, 5);
	c->clone = some(&rnd, 250, 2);
	c->swap = some(&rnd, 250, 2);
	c->resume = some(&rnd, 300, 3);
	c->late_segment = some(&rnd, 250, 4);
	if (c->clone != 0 && random_chance(&rnd, 700)) /* weeks */
		c->hours = random_range(&rnd, 14 * 24, 60 * 24);
}

/* ---- databases */
static struct safe *safe_of(struct vault *v, const struct device *d)
{
	return &v->safes[d->number];
}

static void image_drop(struct image *c)
{
	copy_free(c->disk);
	*c = (struct image){0};
}

static void image_take(struct vault *v, struct device *d, struct image *ret)
{
	image_drop(ret);
	*ret = (struct image){.disk = copy_take(d->keeper),
	                      .at_ms = v->w->now_ms,
	                      .boot_at_ms = d->boot_at_ms,
	                      .skew_ms = d->skew_ms,
	                      .rnd = d->rnd,
	                      .witness = d->witness,
	                      .witness_known = d->witness_known,
	                      .joined = d->joined,
	                      .damaged = d->damaged,
	                      .life = safe_of(v, d)->life};
	memcpy(ret->boot, d->boot, 16);
	if (ret->disk == NULL) world_fail(v->w, "vault", "%s: no copy of its database", d->label);
}

/* The device is down. */
static void disk_put(struct vault *v, struct device *d, const struct copy *from)
{
	struct store *keeper = NULL;

	assert(d->replica == NULL && d->store == NULL);
	if (from == NULL || !copy_put(from, d->keeper)) {
		world_fail(v->w, "vault", "%s: its database is not replaced", d->label);
		return;
	}
	if (store_open(d->path, device_schema(d), STORE_MEMORY_VFS, &keeper, &d->err) < 0 ||
	    closed_give(d, keeper) != 0) {
		world_fail(v->w, "vault", "%s: %s", d->label, d->err.detail);
		return;
	}
	store_close(d->keeper);
	d->keeper = keeper;
}

/* ---- life */
struct vault *vault_new(struct world *w, struct chest *chest, struct workload *load)
{
	struct vault *v = mem_alloc(sizeof(*v));

	v->w = w;
	v->chest = chest;
	v->load = load;
	v->rnd = random_stream(w->config.seed, STREAM_VAULT + 1000);
	w->vault = v;
	return v;
}

void vault_free(struct vault *v)
{
	if (v == NULL) return;
	for (size_t i = 0; i < WORLD_DEVICES_MAX; i++) {
		for (size_t k = 0; k < VAULT_GENERATIONS; k++) image_drop(&v->safes[i].kept[k]);
		image_drop(&v->safes[i].image);
	}
	v->w->vault = NULL;
	free(v);
}

static void down(struct device *d)
{
	if (d->replica != NULL) device_kill(d);
}

static void up(struct device *d, bool reboot)
{
	(void)device_start(d, reboot);
	if (!d->joined) world_at(d->world, d->world->now_ms + 10, AT_JOIN, d->number, 0, 0);
}

/* ---- promises */
static bool held_anywhere(const struct view *views, size_t n, const struct name *x)
{
	for (size_t i = 0; i < n; i++)
		if (view_holds(&views[i], x)) return true;
	return false;
}

/* After disks have changed: what is on no disk left in the world is forgotten; what is not on the device's own is
 * expected to come home. */
static void promises(struct vault *v)
{
	struct world *w = v->w;
	struct view *views = mem_alloc(WORLD_DEVICES_MAX * sizeof(*views));
	size_t n = 0;

	for (; n < w->devices_count; n++)
		if (view_load(v->chest, w->devices[n], &views[n]) < 0) break;
	for (size_t i = 0; i < n && n == w->devices_count; i++) {
		struct names *names = &w->devices[i]->acked;
		size_t kept = 0;

		for (size_t k = 0; k < names->count; k++) {
			struct name x = names->p[k];

			x.away = !view_holds(&views[i], &x);
			if (x.away && !held_anywhere(views, n, &x)) {
				REACHED(w, LOST_FOR_GOOD);
				continue;
			}
			names->p[kept++] = x;
		}
		names->count = kept;
	}
	for (size_t i = 0; i < n; i++) view_done(&views[i]);
	free(views);
}

void vault_wrote(struct world *w, struct device *d, uint64_t run)
{
	struct vault *v = w->vault;

	if (v == NULL || run == 0 || d->number >= w->devices_count || w->devices[d->number] != d)
		return;
	for (size_t i = v->writers_count; i-- > 0;) {
		const struct writer *x = &v->writers[i];

		if (x->run != run) continue;
		if (x->device != d || x->life != safe_of(v, d)->life)
			world_fail(w, "runs", "%s writes under run %" PRIx64 ", as %s did",
			           d->label, run, x->device->label);
		return;
	}
	if (v->writers_count < RUNS_MAX)
		v->writers[v->writers_count++] =
		        (struct writer){.run = run, .device = d, .life = safe_of(v, d)->life};
}

bool vault_at_home(const struct world *w)
{
	return w->vault != NULL && w->vault->at_home;
}

bool vault_blind(const struct world *w)
{
	return w->vault != NULL && w->vault->blind;
}

/* ---- backups */
void vault_keep(struct vault *v, struct device *d)
{
	struct safe *s = safe_of(v, d);

	image_take(v, d, &s->kept[s->next++ % VAULT_GENERATIONS]);
	world_trace(v->w, "%s: backup %zu", d->label, s->next);
}

static struct image *generation(struct vault *v, const struct device *d, size_t n)
{
	struct safe *s = safe_of(v, d);

	return n < s->next && n < VAULT_GENERATIONS
	               ? &s->kept[(s->next - 1 - n) % VAULT_GENERATIONS]
	               : NULL;
}

static void reached_restore(struct world *w, const struct device *d)
{
	w->counts.restores++;
	if (!d->hub)
		REACHED(w, RESTORED_NODE);
	else if (d->parent != NULL)
		REACHED(w, RESTORED_COUNTY);
	else
		REACHED(w, RESTORED_TOP);
}

bool vault_restore(struct vault *v, struct device *const *devices, size_t count, size_t n,
                   bool witness)
{
	struct world *w = v->w;

	for (size_t i = 0; i < count; i++)
		if (generation(v, devices[i], n) == NULL) return false;
	for (size_t i = 0; i < count; i++) {
		struct device *d = devices[i];
		const struct image *c = generation(v, d, n);

		down(d);
		disk_put(v, d, c->disk);
		d->joined = c->joined;
		d->damaged = c->damaged;
		d->restored = true;
		/* Nothing was written since: the witness is true, and the run goes on. */
		if (!witness || memcmp(d->witness.tag, c->witness.tag, 16) != 0)
			safe_of(v, d)->life = ++v->lives;
		if (!witness) d->witness_known = false;
		reached_restore(w, d);
		if (n == VAULT_GENERATIONS - 1) REACHED(w, RESTORED_OLDEST);
		if (!c->joined) REACHED(w, RESTORED_UNJOINED);
		world_trace(w, "%s: restored to %" PRId64, d->label, c->at_ms - w->start_ms);
	}
	if (count > 1) REACHED(w, RESTORED_TWO);
	promises(v);
	for (size_t i = 0; i < count; i++) up(devices[i], /* reboot= */ false);
	return true;
}

/* ---- copies */
struct device *vault_clone(struct vault *v, struct device *like)
{
	struct world *w = v->w;
	struct device *d;
	struct copy *disk;

	if (w->devices_count == WORLD_DEVICES_MAX || !like->joined) return NULL;
	d = device_twin(like, 1 + v->clones++);
	d->number = (unsigned)w->devices_count;
	w->devices[w->devices_count++] = d;
	disk = copy_take(like->keeper);
	disk_put(v, d, disk);
	copy_free(disk);
	d->joined = d->copied = like->copied = true;
	d->damaged = like->damaged;
	d->skew_ms = like->skew_ms;
	workload_judge(d);
	d->acked.p = mem_alloc((like->acked.count + 1) * sizeof(*d->acked.p));
	d->acked.room = like->acked.count + 1;
	d->acked.count = like->acked.count;
	if (like->acked.count)
		memcpy(d->acked.p, like->acked.p, like->acked.count * sizeof(*d->acked.p));
	safe_of(v, d)->copy_of = like;
	safe_of(v, like)->copy = d;
	v->hubs_copied |= d->hub;
	w->counts.copies++;
	if (d->hub)
		REACHED(w, CLONED_HUB);
	else
		REACHED(w, CLONED_NODE);
	world_trace(w, "%s: a copy of %s", d->label, like->label);
	up(d, /* reboot= */ true);
	return d;
}

struct device *vault_parent(struct world *w, struct device *child)
{
	struct vault *v = w->vault;
	struct safe *s;

	if (v == NULL || child->parent == NULL) return child->parent;
	s = safe_of(v, child->parent);
	if (s->copy == NULL) return child->parent;
	s = safe_of(v, child);
	s->turn = !s->turn;
	return s->turn ? safe_of(v, child->parent)->copy : child->parent;
}

struct device *vault_copy(struct world *w, const struct device *hub)
{
	const struct safe *s = w->vault ? &w->vault->safes[hub->number] : NULL;

	return s == NULL ? NULL : s->copy;
}

bool vault_hubs_copied(const struct world *w)
{
	return w->vault != NULL && w->vault->hubs_copied;
}

/* As out of a file (bundle.h). */
static int take(struct device *d, const struct entry *e, bool *fresh, int *refused)
{
	struct bundle_entry b = {.kind = (uint8_t)e->kind, .head = e->head, .body = e->body};

	return bundle_take(d->replica, &b, fresh, refused);
}

static int work_hand_in(struct device *d, void *ctx)
{
	struct device *from = ctx;
	bool fresh;
	struct arena a;
	uint8_t rolling[ROLLING_BYTES];
	int64_t head = 0;
	int refused = 0, rc = store_journal_head(from->keeper, &head, rolling);

	arena_init(&a, 0);
	for (int64_t recv = 1; recv <= head && rc == 0 && refused == 0; recv++) {
		struct entry *e = NULL;

		rc = store_journal_get(from->keeper, recv, &a, &e);
		if (rc == 0 && e != NULL) rc = take(d, e, &fresh, &refused);
		arena_reset(&a);
	}
	arena_done(&a);
	return rc ? rc : -refused;
}

static int work_survive(struct device *d, void *ctx)
{
	(void)ctx;
	return replica_survive(d->replica);
}

/* A person names one of the two; the other is switched off, and what only it held is handed in. */
static void survive(struct device *d, struct device *other)
{
	struct world *w = d->world;
	struct names *to = &d->acked, *from = &other->acked;

	(void)vault_seal(other);
	if (d->replica == NULL || !d->joined) return;
	if (device_transaction(d, "survive", work_survive, NULL) != 0 ||
	    device_transaction(d, "hand in", work_hand_in, other) != 0)
		world_fail(w, "vault", "%s: the journal of %s is not taken: %s", d->label,
		           other->label,
		           replica_error(d->replica) ? replica_error(d->replica)->detail : "");
	device_kill(other);
	other->alive = false;
	to->p = mem_grow(to->p, (to->count + from->count + 1) * sizeof(*to->p));
	to->room = to->count + from->count + 1;
	for (size_t i = 0; i < from->count; i++) {
		to->p[to->count] = from->p[i];
		to->p[to->count++].away = true;
	}
	d->apply_due = true;
	device_turn_at(w, d, w->now_ms + 1);
	world_trace(w, "%s survives %s", d->label, other->label);
	REACHED(w, SURVIVOR);
}

/* A hub that was restored twice, the second time to a younger backup, looks like two that are alive: a person's word. */
static bool waits(const struct device *d)
{
	return d->hub && d->alive && d->replica != NULL && d->restored &&
	       replica_stopped(d->replica);
}

static void take_up(struct device *d)
{
	if (!waits(d)) return;
	if (device_transaction(d, "survive", work_survive, NULL) == 0) REACHED(d->world, TAKEN_UP);
}

bool vault_waits(struct world *w)
{
	bool ret = false;

	for (size_t i = 0; w->vault != NULL && i < w->devices_count; i++)
		ret |= waits(w->devices[i]);
	return ret;
}

void vault_heal(struct world *w)
{
	for (size_t i = 0; w->vault != NULL && i < w->devices_count; i++) {
		struct safe *s = &w->vault->safes[i];

		if (w->devices[i]->hub && s->copy != NULL) {
			survive(w->devices[i], s->copy);
			s->copy = NULL;
		}
		take_up(w->devices[i]);
	}
}

/* ---- swaps and images */
#define SWAP(X, Y)                                                                                 \
	do {                                                                                       \
		__typeof__(X) was = X;                                                             \
		(X) = (Y);                                                                         \
		(Y) = was;                                                                         \
	} while (0)

void vault_swap(struct vault *v, struct device *a, struct device *b, bool found)
{
	struct world *w = v->w;
	uint8_t boot[16];

	down(a);
	down(b);
	/* Each machine keeps what is its own: all but the disk. */
	memcpy(boot, a->boot, 16);
	memcpy(a->boot, b->boot, 16);
	memcpy(b->boot, boot, 16);
	SWAP(a->boot_at_ms, b->boot_at_ms);
	SWAP(a->skew_ms, b->skew_ms);
	SWAP(a->rnd, b->rnd);
	SWAP(a->witness, b->witness);
	SWAP(a->witness_known, b->witness_known);
	if (!found) a->witness_known = b->witness_known = false;
	safe_of(v, a)->life = ++v->lives;
	safe_of(v, b)->life = ++v->lives;
	if (found)
		REACHED(w, SWAPPED_FOUND);
	else
		REACHED(w, SWAPPED_LOST);
	world_trace(w, "%s and %s swap their disks", a->label, b->label);
	up(a, /* reboot= */ false);
	up(b, /* reboot= */ false);
}

void vault_image(struct vault *v, struct device *d)
{
	image_take(v, d, &safe_of(v, d)->image);
	world_trace(v->w, "%s: image", d->label);
}

bool vault_resume(struct vault *v, struct device *d, bool shown)
{
	struct world *w = v->w;
	struct image *c = &safe_of(v, d)->image;
	int64_t passed = w->now_ms - c->at_ms;

	if (c->disk == NULL) return false;
	down(d);
	disk_put(v, d, c->disk);
	memcpy(d->boot, c->boot, 16);
	d->boot_at_ms = c->boot_at_ms + passed; /* the boot clock stood still meanwhile */
	d->skew_ms = c->skew_ms;
	if (!shown) d->skew_ms -= passed;
	d->rnd = c->rnd;
	d->witness = c->witness;
	d->witness_known = c->witness_known;
	d->joined = c->joined;
	d->damaged = c->damaged;
	d->restored = true;
	int64_t rate =
	        d->face.set ? d->face.rate : 1000; /* a clock that stands still shows nothing */
	/* What the engine takes for a jump; one that loses time was behind by what it had lost since the last commit. */
	if (shown && rate >= 1000 && passed * rate / 1000 > 60 * 1000) {
		safe_of(v, d)->life = ++v->lives;
		REACHED(w, RESUMED_SEEN);
	} else {
		safe_of(v, d)->life = c->life;
		v->blind = true;
		REACHED(w, RESUMED_BLIND);
	}
	w->counts.restores++;
	world_trace(w, "%s: resumed as of %" PRId64 "%s", d->label, c->at_ms - w->start_ms,
	            shown ? "" : ", unseen");
	promises(v);
	up(d, /* reboot= */ false);
	return true;
}

/* ---- by another way */
static int work_seal(struct device *d, void *ctx)
{
	return replica_seal(d->replica, ctx);
}

/* So many transactions are recorded here, with this file's dice. */
static void write_some(struct vault *v, struct device *d, int64_t count)
{
	struct random keep = v->w->work;
	uint64_t until = v->w->counts.writes + (uint64_t)count;

	v->w->work = v->rnd;
	v->at_home = true;
	for (unsigned tries = 0; tries < 12 && v->w->counts.writes < until && d->replica != NULL;
	     tries++)
		workload_write_at(v->w, v->load, d);
	v->at_home = false;
	v->rnd = v->w->work;
	v->w->work = keep;
}

struct carrying {
	struct entry *e;
	bool fresh;
};

static int work_append(struct device *d, void *ctx)
{
	struct carrying *x = ctx;
	int refused = 0, rc = take(d, x->e, &x->fresh, &refused);

	return rc ? rc : -refused;
}

/* The newest own segment with one before it, neither of which is at the hub. */
static struct entry *newest_far(struct device *d, struct device *hub, struct arena *a)
{
	uint8_t rolling[ROLLING_BYTES];
	int64_t head = 0;

	if (store_journal_head(d->keeper, &head, rolling) < 0) return NULL;
	for (int64_t recv = head; recv > 0; recv--) {
		struct entry *e = NULL;
		int64_t it = 0, before = 0, here = 0;

		if (store_journal_get(d->keeper, recv, a, &e) < 0 || e == NULL) return NULL;
		if (e->kind != ENTRY_SEGMENT || memcmp(e->origin, d->identity.origin, 16) != 0 ||
		    !(hub->cert.lanes >> e->lane & 1) ||
		    store_journal_find(hub->keeper, e->hash, &it) < 0 || it != 0 ||
		    store_journal_find(hub->keeper, e->prev, &before) < 0 || before != 0 ||
		    store_journal_find(d->keeper, e->prev, &here) < 0 || here == 0)
			continue;
		return e;
	}
	return NULL;
}

bool vault_seal(struct device *d)
{
	bool sealed = false;

	return d->replica != NULL && device_transaction(d, "seal", work_seal, &sealed) == 0 &&
	       sealed;
}

bool vault_carry(struct vault *v, struct device *d, struct device *hub)
{
	struct carrying x = {0};
	struct arena a;
	int rc = 1;

	arena_init(&a, 0);
	if (d->replica != NULL && hub->replica != NULL && hub->joined) x.e = newest_far(d, hub, &a);
	if (x.e != NULL) rc = device_transaction(hub, "carry", work_append, &x);
	if (rc == 0 && x.fresh) {
		REACHED(v->w, LATE_SEGMENT);
		world_trace(v->w, "%s carries a segment to %s", d->label, hub->label);
		hub->apply_due = true;
		device_turn_at(v->w, hub, v->w->now_ms + 1);
	}
	arena_done(&a);
	return rc == 0 && x.fresh;
}

/* ---- in seeds */
static struct device *any_device(struct vault *v)
{
	return v->w->devices[random_below(&v->rnd, v->w->devices_count)];
}

static struct device *any_node(struct vault *v)
{
	for (unsigned tries = 0; tries < 8; tries++) {
		struct device *d = any_device(v);

		if (!d->hub) return d;
	}
	return NULL;
}

/* One machine, or two of one branch, of which there are backups. */
static void restore_some(struct vault *v)
{
	struct device *d = any_device(v), *two[2] = {d, d->parent};
	size_t count = d->parent != NULL && random_chance(&v->rnd, 400) ? 2 : 1, n;

	/* a device and the province above its county */
	if (count == 2 && two[1]->parent != NULL && random_chance(&v->rnd, 300))
		two[1] = two[1]->parent;
	n = random_below(&v->rnd, VAULT_GENERATIONS);
	for (; n > 0 &&
	       (generation(v, two[0], n) == NULL || generation(v, two[count - 1], n) == NULL);)
		n--;
	(void)vault_restore(v, two, count, n, random_chance(&v->rnd, 500));
}

static void clone_some(struct vault *v)
{
	struct device *d = any_device(v), *twin;
	int64_t days = 24 * (int64_t)HOUR_MS;

	if (!d->joined || safe_of(v, d)->copy != NULL || safe_of(v, d)->copy_of != NULL) return;
	twin = vault_clone(v, d);
	if (twin == NULL || twin->hub || !random_chance(&v->rnd, 700)) return;
	/* Both work on without any link. */
	d->offline_until_ms = v->w->now_ms + random_range(&v->rnd, 1, 21) * days;
	twin->offline_until_ms = v->w->now_ms + random_range(&v->rnd, 1, 21) * days;
}

static void image_some(struct vault *v)
{
	struct device *d = any_device(v);
	int64_t most = random_chance(&v->rnd, 500) ? 10 * 60 * 1000 : 4 * (int64_t)HOUR_MS;

	if (d->replica == NULL) return;
	vault_image(v, d);
	/* At the very moment, as after it is resumed: stamps of the same names. */
	write_some(v, d, random_range(&v->rnd, 1, 3));
	world_at(v->w, v->w->now_ms + 10, AT_CONNECT, d->number, 0, 0);
	world_at(v->w, v->w->now_ms + random_range(&v->rnd, 100, most), AT_VAULT, d->number,
	         VAULT_RESUME, 0);
}

static void resume(struct vault *v, struct device *d)
{
	if (!vault_resume(v, d, random_chance(&v->rnd, 300))) return;
	write_some(v, d, random_range(&v->rnd, 1, 3));
	image_drop(&safe_of(v, d)->image);
}

static void carry_some(struct vault *v)
{
	struct device *d = any_node(v), *hub = d ? d->parent : NULL;

	if (d == NULL || hub == NULL || !d->joined || d->replica == NULL) return;
	if (hub->parent != NULL && random_chance(&v->rnd, 400)) hub = hub->parent;
	for (unsigned i = 0; i < 2; i++) {
		write_some(v, d, 2);
		(void)vault_seal(d);
	}
	(void)vault_carry(v, d, hub);
}

void vault_event(struct vault *v, const struct event *e)
{
	struct device *a = any_node(v), *b = any_node(v);

	if (v->w->healed) return;
	switch ((enum what)e->conn) {
	case VAULT_KEEP:
		vault_keep(v, v->w->devices[e->device]);
		break;
	case VAULT_RESTORE:
		restore_some(v);
		break;
	case VAULT_CLONE:
		clone_some(v);
		break;
	case VAULT_SWAP:
		if (a != NULL && b != NULL && a != b)
			vault_swap(v, a, b, random_chance(&v->rnd, 500));
		break;
	case VAULT_IMAGE:
		image_some(v);
		break;
	case VAULT_RESUME:
		resume(v, v->w->devices[e->device]);
		break;
	case VAULT_CARRY:
		carry_some(v);
		break;
	default:
		assert(false);
	}
}

static void plan(struct vault *v, int64_t from_ms, int64_t until_ms, int64_t count, enum what what)
{
	for (int64_t i = 0; i < count; i++)
		world_at(v->w, random_range(&v->rnd, from_ms, until_ms), AT_VAULT, 0, what, 0);
}

void vault_plan(struct vault *v, int64_t from_ms, int64_t until_ms)
{
	const struct config *c = &v->w->config;
	int64_t first = from_ms + (until_ms - from_ms) / 8;

	for (unsigned i = 0; c->restore > 0 && i < v->w->devices_count; i++)
		for (int64_t k = random_range(&v->rnd, 1, 5); k > 0; k--)
			world_at(v->w, random_range(&v->rnd, from_ms, until_ms), AT_VAULT, i,
			         VAULT_KEEP, 0);
	plan(v, first, until_ms, c->restore, VAULT_RESTORE);
	plan(v, from_ms, until_ms, c->clone, VAULT_CLONE);
	plan(v, from_ms, until_ms, c->swap, VAULT_SWAP);
	plan(v, from_ms, until_ms, c->resume, VAULT_IMAGE);
	plan(v, first, until_ms, c->late_segment, VAULT_CARRY);
}
