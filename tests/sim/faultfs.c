/*
 * faultfs.c - see faultfs.h.
 *
 * An inode holds its bytes twice: as programs see them, and as they are safe; between the two lies the list of
 * pending changes, in order, with copies of what they wrote.  A sync plays the list on the safe bytes, a power cut
 * plays a part of it.
 */
#include "common/base.h"

#include "tests/sim/faultfs.h"

#include <errno.h>

#include "common/buf.h"
#include "common/store_sqlite.h"
#include "tests/sim/random.h"

enum {
	SECTOR = 512,
	NAMES_MAX = 8, /* database, WAL, journal, and a spare */
	NAME_BYTES = 64,
	SHARES_MAX = 256
};

struct bytes {
	uint8_t *p;
	size_t size, room;
};

struct unsynced {
	bool truncate;        /* to `at`; else a write there */
	size_t at, len, copy; /* place in inode.copies */
};

struct share { /* shared memory of one WAL */
	void *regions[SHARES_MAX];
	void *kept
	        [SHARES_MAX]; /* as it was when a process was killed, until its connections are closed: that scribbles */
	size_t region_bytes;
	unsigned handles;
};

struct inode {
	struct bytes seen, safe, copies;
	struct unsynced *pending;
	size_t pending_count, pending_room;
	struct share *share;
	struct handle *handles;
	unsigned names; /* of now and of the safe directory */
};

struct name {
	char text[NAME_BYTES];    /* "": free */
	struct inode *now, *safe; /* NULL: not there */
};

struct disk {
	struct disk *next;
	unsigned number;
	char database[NAME_BYTES];
	struct random rnd;
	struct name names[NAMES_MAX];
	struct handle *handles;
	unsigned process, processes;
	struct bytes dead; /* by number of the process: 1 */

	bool armed;
	enum disk_fault fault;
	unsigned kinds, of_process;
	int64_t calls_left, times_left;
	uint64_t calls[8], hits, cuts, lost, torn;
	int64_t quota;
	char struck[96];
};

struct handle {
	sqlite3_file base;
	struct disk *disk;
	struct inode *inode;
	struct handle *next, *next_of_inode;
	const char *path; /* SQLite's, unique for each connection */
	char name[NAME_BYTES];
	unsigned process;
	bool sync_directory; /* the next sync is one of the directory too */
	int lock;
	struct share *share;
	uint16_t shared, exclusive; /* slots of the WAL's locks */
};

static struct disk *disks;
static unsigned disks_made;
static int last_errno;

/* ---- bytes */

static void bytes_size(struct bytes *b, size_t size)
{
	if (size > b->room) {
		size_t room = b->room ? b->room : 8192;

		while (room < size) room *= 2;
		b->p = mem_grow(b->p, room);
		b->room = room;
	}
	if (size > b->size) memset(b->p + b->size, 0, size - b->size);
	b->size = size;
}

static void bytes_put(struct bytes *b, size_t at, const uint8_t *p, size_t len)
{
	if (len == 0) return;
	if (at + len > b->size) bytes_size(b, at + len);
	memcpy(b->p + at, p, len);
}

static void bytes_done(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes){0};
}

/* ---- inodes: pending changes */

static struct unsynced *pend(struct inode *n)
{
	if (n->pending_count == n->pending_room) {
		n->pending_room = n->pending_room ? n->pending_room * 2 : 64;
		n->pending = mem_grow(n->pending, n->pending_room * sizeof(*n->pending));
	}
	return &n->pending[n->pending_count++];
}

static void inode_write(struct inode *n, size_t at, const uint8_t *p, size_t len)
{
	struct unsynced *x;

	if (len == 0) return;
	x = pend(n);
	*x = (struct unsynced){.at = at, .len = len, .copy = n->copies.size};
	bytes_put(&n->copies, n->copies.size, p, len);
	bytes_put(&n->seen, at, p, len);
}

static void inode_truncate(struct inode *n, size_t size)
{
	*pend(n) = (struct unsynced){.truncate = true, .at = size};
	bytes_size(&n->seen, size);
}

static void inode_settled(struct inode *n)
{
	n->pending_count = 0;
	n->copies.size = 0;
}

static void play(struct inode *n, const struct unsynced *x)
{
	if (x->truncate)
		bytes_size(&n->safe, x->at);
	else
		bytes_put(&n->safe, x->at, n->copies.p + x->copy, x->len);
}

/* Sector by sector, each with the chance given. */
static void play_torn(struct disk *d, struct inode *n, const struct unsynced *x, unsigned permille)
{
	size_t end = x->at + x->len, at = x->at;

	while (at < end) {
		size_t to = (at / SECTOR + 1) * SECTOR;

		if (to > end) to = end;
		if (random_chance(&d->rnd, permille))
			bytes_put(&n->safe, at, n->copies.p + x->copy + (at - x->at), to - at);
		at = to;
	}
}

/* The platter decides: each change on its own. */
static void play_some(struct disk *d, struct inode *n)
{
	static const unsigned shares[] = {0, 1000, 500, 900, 100};
	unsigned permille = shares[random_below(&d->rnd, ARRAY_COUNT(shares))];
	unsigned tear = random_chance(&d->rnd, 500) ? 0 : 300;
	/* And the way of a disk that writes in order and stops somewhere. */
	size_t stop = random_chance(&d->rnd, 300) ? random_below(&d->rnd, n->pending_count + 1)
	                                          : SIZE_MAX;

	for (size_t i = 0; i < n->pending_count; i++) {
		const struct unsynced *x = &n->pending[i];

		if (!x->truncate && x->len > SECTOR && random_chance(&d->rnd, tear)) {
			d->torn++;
			play_torn(d, n, x, 500);
		} else if (stop != SIZE_MAX ? i < stop : random_chance(&d->rnd, permille)) {
			play(n, x);
		} else {
			d->lost++;
		}
	}
	inode_settled(n);
}

static void share_leave(struct share *s)
{
	if (s == NULL || --s->handles > 0) return;
	for (size_t i = 0; i < SHARES_MAX; i++) {
		free(s->regions[i]);
		free(s->kept[i]);
	}
	free(s);
}

static void share_keep(struct share *s)
{
	for (size_t i = 0; s != NULL && i < SHARES_MAX; i++) {
		if (s->regions[i] == NULL || s->kept[i] != NULL) continue;
		s->kept[i] = mem_alloc(s->region_bytes);
		memcpy(s->kept[i], s->regions[i], s->region_bytes);
	}
}

static void share_restore(struct share *s)
{
	for (size_t i = 0; i < SHARES_MAX; i++) {
		if (s->kept[i] == NULL) continue;
		memcpy(s->regions[i], s->kept[i], s->region_bytes);
		free(s->kept[i]);
		s->kept[i] = NULL;
	}
}

static void inode_drop_unused(struct inode *n)
{
	if (n == NULL || n->names > 0 || n->handles != NULL) return;
	bytes_done(&n->seen);
	bytes_done(&n->safe);
	bytes_done(&n->copies);
	free(n->pending);
	free(n);
}

/* ---- names */

static struct name *name_find(struct disk *d, const char *text, bool make)
{
	struct name *spare = NULL;

	for (size_t i = 0; i < NAMES_MAX; i++) {
		struct name *x = &d->names[i];

		if (strcmp(x->text, text) == 0) return x;
		if (x->now == NULL && x->safe == NULL && spare == NULL) spare = x;
	}
	if (!make) return NULL;
	assert(spare != NULL && strlen(text) < NAME_BYTES);
	memcpy(spare->text, text, strlen(text) + 1);
	return spare;
}

static void name_set(struct inode **at, struct inode *n)
{
	struct inode *was = *at;

	if (was == n) return;
	if (n != NULL) n->names++;
	*at = n;
	if (was == NULL) return;
	was->names--;
	inode_drop_unused(was);
}

/* ---- the machine and its processes */

const char *disk_database(const struct disk *d)
{
	return d->database;
}

static int fs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                   int *ret_flags);
static int fs_delete(sqlite3_vfs *vfs, const char *path, int sync_directory);
static int fs_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret);
static int fs_full_path(sqlite3_vfs *vfs, const char *path, int room, char *ret);
static int fs_randomness(sqlite3_vfs *vfs, int len, char *ret);
static int fs_sleep(sqlite3_vfs *vfs, int us);
static int fs_time(sqlite3_vfs *vfs, double *ret);
static int fs_last_error(sqlite3_vfs *vfs, int len, char *ret);

static void vfs_register(void)
{
	static sqlite3_vfs vfs = {.iVersion = 1,
	                          .szOsFile = (int)sizeof(struct handle),
	                          .mxPathname = NAME_BYTES + 32,
	                          .zName = "faultfs",
	                          .xOpen = fs_open,
	                          .xDelete = fs_delete,
	                          .xAccess = fs_access,
	                          .xFullPathname = fs_full_path,
	                          .xRandomness = fs_randomness,
	                          .xSleep = fs_sleep,
	                          .xCurrentTime = fs_time,
	                          .xGetLastError = fs_last_error};
	int rc;

	store_configure();
	if (sqlite3_vfs_find(vfs.zName) != NULL) return;
	rc = sqlite3_vfs_register(&vfs, /* makeDflt= */ 0);
	assert(rc == SQLITE_OK);
}

struct disk *disk_new(void)
{
	struct disk *d = mem_alloc(sizeof(*d));

	vfs_register();
	d->number = ++disks_made;
	d->quota = -1;
	(void)snprintf(d->database, sizeof(d->database), "faultfs:/%u/jinguo.db", d->number);
	(void)disk_process(d);
	d->next = disks;
	disks = d;
	return d;
}

struct disk *disk_clone(const struct disk *like)
{
	struct disk *d = disk_new();

	for (size_t i = 0; i < NAMES_MAX; i++) {
		const struct name *x = &like->names[i];
		struct inode *n;

		if (x->now == NULL) continue;
		n = mem_alloc(sizeof(*n));
		bytes_put(&n->seen, 0, x->now->seen.p, x->now->seen.size);
		bytes_put(&n->safe, 0, x->now->seen.p, x->now->seen.size);
		memcpy(d->names[i].text, x->text, sizeof(x->text));
		name_set(&d->names[i].now, n);
		name_set(&d->names[i].safe, n);
	}
	return d;
}

void disk_chance(struct disk *d, uint64_t seed)
{
	d->rnd = random_stream(seed, 1);
}

void disk_free(struct disk *d)
{
	struct disk **at = &disks;

	if (d == NULL) return;
	assert(d->handles == NULL);
	for (size_t i = 0; i < NAMES_MAX; i++) {
		name_set(&d->names[i].now, NULL);
		name_set(&d->names[i].safe, NULL);
	}
	while (*at != d) at = &(*at)->next;
	*at = d->next;
	bytes_done(&d->dead);
	free(d);
}

unsigned disk_process(struct disk *d)
{
	d->process = ++d->processes;
	bytes_size(&d->dead, d->process + 1);
	return d->process;
}

void disk_process_is(struct disk *d, unsigned process)
{
	assert(process > 0 && process <= d->processes);
	d->process = process;
}

bool disk_process_alive(const struct disk *d, unsigned process)
{
	return process < d->dead.size && d->dead.p[process] == 0;
}

static bool gone(const struct handle *h)
{
	return !disk_process_alive(h->disk, h->process);
}

/* Shared memory that no living process maps is made anew by the next. */
static void forget_share(struct inode *n)
{
	for (struct handle *h = n->handles; h != NULL; h = h->next_of_inode)
		if (h->share != NULL && !gone(h)) return;
	n->share = NULL; /* those who are gone hold it until they are closed */
}

void disk_kill(struct disk *d, unsigned process)
{
	d->dead.p[process] = 1;
	for (struct handle *h = d->handles; h != NULL; h = h->next) {
		if (h->process != process) continue;
		h->lock = SQLITE_LOCK_NONE;
		h->shared = h->exclusive = 0;
		share_keep(h->share);
		forget_share(h->inode);
	}
}

/* A name whose making or unlinking was never synced: either is possible. */
static void settle_name(struct disk *d, struct name *x)
{
	struct inode *n;

	if (x->now != x->safe && random_chance(&d->rnd, 500)) name_set(&x->safe, x->now);
	name_set(&x->now, x->safe);
	n = x->now;
	if (n == NULL) return;
	play_some(d, n);
	bytes_size(&n->seen, 0);
	bytes_put(&n->seen, 0, n->safe.p, n->safe.size);
}

void disk_power_cut(struct disk *d)
{
	d->cuts++;
	for (struct handle *h = d->handles; h != NULL; h = h->next) disk_kill(d, h->process);
	d->dead.p[d->process] = 1;
	/* Handles of the dead keep the old inodes; whatever survives is a new one. */
	for (size_t i = 0; i < NAMES_MAX; i++) {
		struct name *x = &d->names[i];
		struct inode *copy;

		settle_name(d, x);
		if (x->now == NULL || x->now->handles == NULL) continue;
		copy = mem_alloc(sizeof(*copy));
		bytes_put(&copy->seen, 0, x->now->seen.p, x->now->seen.size);
		bytes_put(&copy->safe, 0, x->now->seen.p, x->now->seen.size);
		name_set(&x->now, copy);
		name_set(&x->safe, copy);
	}
}

/* ---- faults */

void disk_arm(struct disk *d, enum disk_fault fault, unsigned kinds, int64_t calls, int64_t times,
              unsigned process)
{
	assert(calls >= 0 && times > 0);
	d->armed = true;
	d->fault = fault;
	d->kinds = kinds;
	d->calls_left = calls;
	d->times_left = times;
	d->of_process = process;
}

void disk_disarm(struct disk *d)
{
	d->armed = false;
}

enum disk_fault disk_fault(const struct disk *d)
{
	return d->fault;
}

uint64_t disk_hits(const struct disk *d)
{
	return d->hits;
}

uint64_t disk_calls(const struct disk *d, unsigned kinds)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ARRAY_COUNT(d->calls); i++)
		if (kinds >> i & 1) sum += d->calls[i];
	return sum;
}

uint64_t disk_cuts(const struct disk *d)
{
	return d->cuts;
}

uint64_t disk_lost(const struct disk *d)
{
	return d->lost;
}

uint64_t disk_torn(const struct disk *d)
{
	return d->torn;
}

void disk_quota(struct disk *d, int64_t bytes)
{
	d->quota = bytes;
}

static int64_t inode_bytes(const struct inode *n)
{
	int64_t sum = (int64_t)n->seen.size;

	for (size_t i = 0; n->share != NULL && i < SHARES_MAX; i++)
		if (n->share->regions[i] != NULL) sum += (int64_t)n->share->region_bytes;
	return sum;
}

int64_t disk_used(const struct disk *d)
{
	int64_t sum = 0;

	for (size_t i = 0; i < NAMES_MAX; i++)
		if (d->names[i].now != NULL) sum += inode_bytes(d->names[i].now);
	return sum;
}

const char *disk_struck(const struct disk *d)
{
	return d->struck;
}

static const char *call_text(enum disk_call call)
{
	switch (call) {
	case DISK_OPEN:
		return "make";
	case DISK_READ:
		return "read";
	case DISK_WRITE:
		return "write";
	case DISK_SYNC:
		return "sync";
	case DISK_TRUNCATE:
		return "truncate";
	case DISK_DELETE:
		return "delete";
	case DISK_SHARE:
		return "share";
	case DISK_LOCK:
		return "lock";
	case DISK_CHANGES:
	case DISK_ANY:
		break;
	}
	return "?";
}

/* Counts one call.  True: the armed fault strikes it. */
static bool strikes(struct disk *d, unsigned process, enum disk_call call, const char *name,
                    size_t at, size_t len)
{
	d->calls[__builtin_ctz((unsigned)call)]++;
	if (!d->armed || !(d->kinds & (unsigned)call)) return false;
	if (d->of_process != 0 && d->of_process != process) return false;
	if (d->calls_left-- > 0) return false;
	if (--d->times_left == 0) d->armed = false;
	d->hits++;
	(void)snprintf(d->struck, sizeof(d->struck), "%s %s %zu+%zu", call_text(call), name, at,
	               len);
	return true;
}

static int failed(int rc, int because)
{
	last_errno = because;
	return rc;
}

/* The process or the machine ends in this call. */
static int ends(struct disk *d, unsigned process, int rc)
{
	if (d->fault == DISK_KILL)
		disk_kill(d, process);
	else
		disk_power_cut(d);
	return failed(rc, EIO);
}

/* ---- files */

#define HANDLE(FILE) ((struct handle *)(void *)(FILE))

static int file_shm_unmap(sqlite3_file *file, int delete);

static int file_close(sqlite3_file *file)
{
	struct handle *h = HANDLE(file), **at;

	(void)file_shm_unmap(file, /* delete= */ 0);
	for (at = &h->disk->handles; *at != h; at = &(*at)->next) {
	}
	*at = h->next;
	for (at = &h->inode->handles; *at != h; at = &(*at)->next_of_inode) {
	}
	*at = h->next_of_inode;
	inode_drop_unused(h->inode);
	return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *p, int len, sqlite3_int64 at)
{
	struct handle *h = HANDLE(file);
	const struct bytes *b = &h->inode->seen;
	size_t want = (size_t)len, have = (size_t)at < b->size ? b->size - (size_t)at : 0;

	if (gone(h)) return failed(SQLITE_IOERR_READ, EIO);
	if (strikes(h->disk, h->process, DISK_READ, h->name, (size_t)at, want)) {
		if (h->disk->fault == DISK_POWER_CUT || h->disk->fault == DISK_KILL)
			return ends(h->disk, h->process, SQLITE_IOERR_READ);
		/* As the unix VFS: a read is tried on until its end or an error; "short" is said only where the
		 * file ends, since SQLite takes what is missing for zeros. */
		if (h->disk->fault == DISK_SHORT && have > 0)
			memcpy(p, b->p + at,
			       random_below(&h->disk->rnd, have < want ? have : want));
		if (h->disk->fault == DISK_EIO || h->disk->fault == DISK_SHORT)
			return failed(SQLITE_IOERR_CORRUPTFS, EIO);
	}
	if (have > want) have = want;
	if (have > 0) memcpy(p, b->p + at, have);
	if (have == want) return SQLITE_OK;
	memset((uint8_t *)p + have, 0, want - have);
	return SQLITE_IOERR_SHORT_READ;
}

/* Room that may still be taken. */
static int64_t room_left(const struct disk *d)
{
	int64_t used;

	if (d->quota < 0) return INT64_MAX;
	used = disk_used(d);
	return used < d->quota ? d->quota - used : 0;
}

static int file_write(sqlite3_file *file, const void *p, int len, sqlite3_int64 at)
{
	struct handle *h = HANDLE(file);
	struct disk *d = h->disk;
	struct inode *n = h->inode;
	size_t want = (size_t)len, end = (size_t)at + want;
	size_t grows = end > n->seen.size ? end - n->seen.size : 0;
	int64_t room = room_left(d);
	bool full = (int64_t)grows > room;

	if (gone(h)) return failed(SQLITE_IOERR_WRITE, EIO);
	if (strikes(d, h->process, DISK_WRITE, h->name, (size_t)at, want)) {
		size_t part = random_below(&d->rnd, want + 1);

		switch (d->fault) {
		case DISK_POWER_CUT:
			inode_write(n, (size_t)at, p, want); /* and the platter decides */
			return ends(d, h->process, SQLITE_IOERR_WRITE);
		case DISK_KILL:
			inode_write(n, (size_t)at, p, part);
			return ends(d, h->process, SQLITE_IOERR_WRITE);
		case DISK_EIO:
			inode_write(n, (size_t)at, p, part);
			return failed(SQLITE_IOERR_WRITE, EIO);
		case DISK_ENOSPC:
			inode_write(n, (size_t)at, p, part);
			return failed(SQLITE_FULL, ENOSPC);
		case DISK_SHORT:
			break;
		}
	}
	if (full) {
		d->hits++;
		d->fault = DISK_ENOSPC;
		(void)snprintf(d->struck, sizeof(d->struck), "quota at write %s", h->name);
		inode_write(n, (size_t)at, p, want - grows + (size_t)room);
		return failed(SQLITE_FULL, ENOSPC);
	}
	inode_write(n, (size_t)at, p, want);
	return SQLITE_OK;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct handle *h = HANDLE(file);
	struct disk *d = h->disk;

	if (gone(h)) return failed(SQLITE_IOERR_TRUNCATE, EIO);
	if (strikes(d, h->process, DISK_TRUNCATE, h->name, (size_t)size, 0)) {
		switch (d->fault) {
		case DISK_POWER_CUT:
		case DISK_KILL:
			if (random_chance(&d->rnd, 500)) inode_truncate(h->inode, (size_t)size);
			return ends(d, h->process, SQLITE_IOERR_TRUNCATE);
		case DISK_EIO:
			return failed(SQLITE_IOERR_TRUNCATE, EIO);
		case DISK_ENOSPC:
		case DISK_SHORT:
			break;
		}
	}
	inode_truncate(h->inode, (size_t)size);
	return SQLITE_OK;
}

static struct name *name_of(struct disk *d, const struct inode *n)
{
	for (size_t i = 0; i < NAMES_MAX; i++)
		if (d->names[i].now == n) return &d->names[i];
	return NULL;
}

static int file_sync(sqlite3_file *file, int flags)
{
	struct handle *h = HANDLE(file);
	struct disk *d = h->disk;
	struct inode *n = h->inode;
	struct name *x = name_of(d, n);

	(void)flags;
	if (gone(h)) return failed(SQLITE_IOERR_FSYNC, EIO);
	if (strikes(d, h->process, DISK_SYNC, h->name, n->pending_count, 0)) {
		switch (d->fault) {
		case DISK_POWER_CUT:
		case DISK_KILL:
			return ends(d, h->process, SQLITE_IOERR_FSYNC);
		case DISK_EIO:
			play_some(d, n); /* settled: no later sync tries again */
			return failed(SQLITE_IOERR_FSYNC, EIO);
		case DISK_ENOSPC:
		case DISK_SHORT:
			break;
		}
	}
	for (size_t i = 0; i < n->pending_count; i++) play(n, &n->pending[i]);
	inode_settled(n);
	if (x != NULL) name_set(&x->safe, n);
	for (size_t i = 0; h->sync_directory && i < NAMES_MAX; i++)
		name_set(&d->names[i].safe, d->names[i].now);
	h->sync_directory = false;
	return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	struct handle *h = HANDLE(file);

	if (gone(h)) return failed(SQLITE_IOERR_FSTAT, EIO);
	*ret = (sqlite3_int64)h->inode->seen.size;
	return SQLITE_OK;
}

static int most_of_others(const struct handle *h)
{
	int most = SQLITE_LOCK_NONE;

	for (const struct handle *o = h->inode->handles; o != NULL; o = o->next_of_inode)
		if (o != h && o->lock > most) most = o->lock;
	return most;
}

enum { LOCK_PENDING = 3 };

static int file_lock(sqlite3_file *file, int want)
{
	struct handle *h = HANDLE(file);
	int others = most_of_others(h);

	if (gone(h)) return failed(SQLITE_IOERR_LOCK, EIO);
	if (want <= h->lock) return SQLITE_OK;
	if (strikes(h->disk, h->process, DISK_LOCK, h->name, 0, 0)) {
		if (h->disk->fault == DISK_POWER_CUT || h->disk->fault == DISK_KILL)
			return ends(h->disk, h->process, SQLITE_IOERR_LOCK);
		if (h->disk->fault == DISK_EIO) return failed(SQLITE_IOERR_LOCK, EIO);
	}
	if (want == SQLITE_LOCK_SHARED && others >= LOCK_PENDING) return SQLITE_BUSY;
	if (want >= SQLITE_LOCK_RESERVED && others >= SQLITE_LOCK_RESERVED) return SQLITE_BUSY;
	if (want == SQLITE_LOCK_EXCLUSIVE && others >= SQLITE_LOCK_SHARED) {
		h->lock = LOCK_PENDING;
		return SQLITE_BUSY;
	}
	h->lock = want;
	return SQLITE_OK;
}

static int file_unlock(sqlite3_file *file, int to)
{
	struct handle *h = HANDLE(file);

	if (h->lock > to) h->lock = to;
	return SQLITE_OK;
}

static int file_reserved(sqlite3_file *file, int *ret)
{
	*ret = most_of_others(HANDLE(file)) >= SQLITE_LOCK_RESERVED;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int what, void *arg)
{
	if (what == SQLITE_FCNTL_HAS_MOVED) {
		*(int *)arg = name_of(HANDLE(file)->disk, HANDLE(file)->inode) == NULL;
		return SQLITE_OK;
	}
	return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *file)
{
	(void)file;
	return 4096; /* as the unix VFS says */
}

/* As the unix VFS says: a torn write leaves alone what lies beside it, and so does play_torn. */
static int file_traits(sqlite3_file *file)
{
	(void)file;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- shared memory */

static int file_shm_map(sqlite3_file *file, int region, int bytes, int extend, void volatile **ret)
{
	struct handle *h = HANDLE(file);
	struct disk *d = h->disk;
	struct share *s;

	*ret = NULL;
	if (gone(h)) return failed(SQLITE_IOERR_SHMMAP, EIO);
	if (h->share == NULL) {
		if (h->inode->share == NULL) h->inode->share = mem_alloc(sizeof(*s));
		h->share = h->inode->share;
		h->share->handles++;
	}
	s = h->share;
	assert(region < SHARES_MAX);
	if (s->regions[region] == NULL && extend) {
		bool struck = strikes(d, h->process, DISK_SHARE, h->name, (size_t)region, 0);

		if (struck && (d->fault == DISK_POWER_CUT || d->fault == DISK_KILL))
			return ends(d, h->process, SQLITE_IOERR_SHMSIZE);
		if (struck && d->fault == DISK_EIO) return failed(SQLITE_IOERR_SHMSIZE, EIO);
		if ((struck && d->fault == DISK_ENOSPC) || room_left(d) < bytes) {
			d->hits += !struck;
			d->fault = DISK_ENOSPC;
			return failed(SQLITE_IOERR_SHMSIZE, ENOSPC);
		}
		s->region_bytes = (size_t)bytes;
		s->regions[region] = mem_alloc((size_t)bytes);
	}
	*ret = s->regions[region];
	return SQLITE_OK;
}

static int file_shm_lock(sqlite3_file *file, int at, int count, int flags)
{
	struct handle *h = HANDLE(file);
	uint16_t mask = (uint16_t)(((1u << count) - 1u) << at);

	if (flags & SQLITE_SHM_UNLOCK) {
		h->shared &= (uint16_t)~mask;
		h->exclusive &= (uint16_t)~mask;
		return SQLITE_OK;
	}
	if (gone(h)) return failed(SQLITE_IOERR_SHMLOCK, EIO);
	for (const struct handle *o = h->inode->handles; o != NULL; o = o->next_of_inode) {
		if (o == h) continue;
		if (o->exclusive & mask) return SQLITE_BUSY;
		if ((flags & SQLITE_SHM_EXCLUSIVE) && (o->shared & mask)) return SQLITE_BUSY;
	}
	if (flags & SQLITE_SHM_EXCLUSIVE)
		h->exclusive |= mask;
	else
		h->shared |= mask;
	return SQLITE_OK;
}

static void file_shm_barrier(sqlite3_file *file)
{
	(void)file; /* one thread */
}

static int file_shm_unmap(sqlite3_file *file, int delete)
{
	struct handle *h = HANDLE(file);

	(void)delete; /* what nobody maps is made anew in any case */
	if (h->share == NULL) return SQLITE_OK;
	if (gone(h)) share_restore(h->share);
	if (h->inode->share == h->share && h->share->handles == 1) h->inode->share = NULL;
	share_leave(h->share);
	h->share = NULL;
	h->shared = h->exclusive = 0;
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {.iVersion = 2,
                                           .xClose = file_close,
                                           .xRead = file_read,
                                           .xWrite = file_write,
                                           .xTruncate = file_truncate,
                                           .xSync = file_sync,
                                           .xFileSize = file_size,
                                           .xLock = file_lock,
                                           .xUnlock = file_unlock,
                                           .xCheckReservedLock = file_reserved,
                                           .xFileControl = file_control,
                                           .xSectorSize = file_sector,
                                           .xDeviceCharacteristics = file_traits,
                                           .xShmMap = file_shm_map,
                                           .xShmLock = file_shm_lock,
                                           .xShmBarrier = file_shm_barrier,
                                           .xShmUnmap = file_shm_unmap};

/* ---- the file system */

/* "/12/jinguo.db-wal": disk 12, file jinguo.db-wal. */
static struct disk *disk_of(const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char *end = NULL;
	unsigned long number = path[0] == '/' ? strtoul(path + 1, &end, 10) : 0;

	if (slash == NULL || end == NULL || end == path + 1 || *end != '/') return NULL;
	*ret_name = slash + 1;
	for (struct disk *d = disks; d != NULL; d = d->next)
		if (d->number == number) return d;
	return NULL;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* The WAL and the journal of a connection are its process's, whenever it opens or deletes them. */
static unsigned process_of(const struct disk *d, const char *path)
{
	const char *database;

	if (!ends_with(path, "-wal") && !ends_with(path, "-journal")) return d->process;
	database = sqlite3_filename_database(path);
	for (const struct handle *h = d->handles; h != NULL; h = h->next)
		if (h->path == database) return h->process;
	return d->process;
}

static void handle_open(struct handle *h, struct disk *d, struct inode *n, const char *path,
                        const char *name, unsigned process)
{
	assert(n != NULL);
	*h = (struct handle){.base.pMethods = &methods,
	                     .disk = d,
	                     .inode = n,
	                     .next = d->handles,
	                     .next_of_inode = n->handles,
	                     .path = path,
	                     .process = process};
	(void)snprintf(h->name, sizeof(h->name), "%s", name);
	d->handles = h;
	n->handles = h;
}

static int fs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                   int *ret_flags)
{
	const char *text = NULL;
	struct disk *d = path != NULL ? disk_of(path, &text) : NULL;
	struct name *x;
	unsigned process;

	(void)vfs;
	file->pMethods = NULL;
	if (d == NULL) return failed(SQLITE_CANTOPEN, ENOENT); /* temporary files lie in memory */
	process = process_of(d, path);
	if (!disk_process_alive(d, process)) return failed(SQLITE_CANTOPEN, EIO);
	x = name_find(d, text, /* make= */ (flags & SQLITE_OPEN_CREATE) != 0);
	if (x == NULL || (x->now == NULL && !(flags & SQLITE_OPEN_CREATE)))
		return failed(SQLITE_CANTOPEN, ENOENT);
	if (x->now == NULL) {
		bool struck = strikes(d, process, DISK_OPEN, text, 0, 0);
		bool dies = struck && (d->fault == DISK_POWER_CUT || d->fault == DISK_KILL);

		if (struck && d->fault == DISK_EIO) return failed(SQLITE_CANTOPEN, EIO);
		if (struck && d->fault == DISK_ENOSPC) return failed(SQLITE_CANTOPEN, ENOSPC);
		name_set(&x->now, mem_alloc(sizeof(struct inode)));
		if (dies) return ends(d, process, SQLITE_CANTOPEN);
	}
	handle_open(HANDLE(file), d, x->now, path, text, process);
	/* As the unix VFS does for what it may have made. */
	HANDLE(file)->sync_directory = (flags & SQLITE_OPEN_CREATE) &&
	                               (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL));
	if (ret_flags != NULL) *ret_flags = flags;
	return SQLITE_OK;
}

static int fs_delete(sqlite3_vfs *vfs, const char *path, int sync_directory)
{
	const char *text;
	struct disk *d = disk_of(path, &text);
	struct name *x = d != NULL ? name_find(d, text, /* make= */ false) : NULL;
	unsigned process;

	(void)vfs;
	if (x == NULL || x->now == NULL) return failed(SQLITE_IOERR_DELETE_NOENT, ENOENT);
	process = process_of(d, path);
	if (!disk_process_alive(d, process)) return failed(SQLITE_IOERR_DELETE, EIO);
	if (strikes(d, process, DISK_DELETE, text, 0, 0)) {
		if (d->fault == DISK_EIO) return failed(SQLITE_IOERR_DELETE, EIO);
		if (d->fault == DISK_POWER_CUT || d->fault == DISK_KILL) {
			if (random_chance(&d->rnd, 500)) name_set(&x->now, NULL);
			return ends(d, process, SQLITE_IOERR_DELETE);
		}
	}
	name_set(&x->now, NULL);
	if (sync_directory) name_set(&x->safe, NULL);
	return SQLITE_OK;
}

static int fs_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
	const char *text;
	struct disk *d = disk_of(path, &text);
	const struct name *x = d != NULL ? name_find(d, text, /* make= */ false) : NULL;

	(void)vfs;
	*ret = x != NULL && x->now != NULL &&
	       (flags != SQLITE_ACCESS_EXISTS || x->now->seen.size > 0);
	return SQLITE_OK;
}

static int fs_full_path(sqlite3_vfs *vfs, const char *path, int room, char *ret)
{
	(void)vfs;
	return snprintf(ret, (size_t)room, "%s", path) < room ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int fs_randomness(sqlite3_vfs *vfs, int len, char *ret)
{
	(void)vfs;
	memset(ret, 0x5a, (size_t)len);
	return len;
}

static int fs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us; /* nobody else runs meanwhile: waiting is over at once */
}

static int fs_time(sqlite3_vfs *vfs, double *ret)
{
	(void)vfs;
	*ret = 2461041.5; /* 2026-01-01, where the worlds begin */
	return SQLITE_OK;
}

static int fs_last_error(sqlite3_vfs *vfs, int len, char *ret)
{
	(void)vfs;
	if (len > 0 && ret != NULL) ret[0] = '\0';
	return last_errno;
}
