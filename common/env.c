/*
 * env.c - the real machine's clock, randomness and witness; see env.h.
 *
 * The witness file is named by the database's device and inode, asked anew at
 * each use: the database may be created after us, or be replaced under us, and
 * then it is another one.  All doubts (not ours, short, wrong checksum) count as
 * no witness, because a new run is always safe and a shared one never is.
 * Writing is one pwrite of 80 bytes to tmpfs, under SQLite's write lock.
 */
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BASE_ALLOW_CLOCK
#include "common/base.h"

#include "common/env.h"

#include <stdarg.h>

#include "common/buf.h"
#include "common/crypt.h"
#include "common/ident.h"

enum { RECORD_BYTES = 80, RECORD_SUM = 64, TMPFS = 0x01021994 /* linux/magic.h */ };

struct env_system {
	char *database_path;
	char *witness_dir; /* NULL: nowhere to keep one */
	int witness_fd;    /* -1: not open */
	dev_t dev;         /* the database that witness_fd belongs to */
	ino_t ino;
	uint8_t boot[16];
	int64_t clock_offset_ms;
};

void env_trace(const struct env *env, const char *format, ...)
{
	char line[1024];
	va_list args;

	if (!env->trace) return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	env->trace(env->ctx, line);
}

static int64_t clock_ms(clockid_t clock_id)
{
	struct timespec t = {0, 0};
	int rc = clock_gettime(clock_id, &t);

	assert(rc == 0);
	(void)rc;
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t offset_ms(void)
{
	const char *text = getenv("JINGUO_CLOCK_OFFSET_MS");
	long long v;
	char *end;

	if (!text || !*text) return 0;
	errno = 0;
	v = strtoll(text, &end, 10);
	/* A thousand years either way cannot overflow what is added to it. */
	if (errno || *end || v > INT64_C(31557600000000) || v < -INT64_C(31557600000000)) return 0;
	return v;
}

int64_t env_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME) + offset_ms();
}

int64_t env_boot_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

void env_random(void *p, size_t len)
{
	uint8_t *to = p;

	while (len > 0) {
		ssize_t n = getrandom(to, len, 0);

		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) abort(); /* keys of known bytes are worse than none */
		to += n;
		len -= (size_t)n;
	}
}

void env_sleep_ms(int64_t ms)
{
	struct timespec t;

	if (ms <= 0) return;
	t = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	while (nanosleep(&t, &t) != 0 && errno == EINTR) continue;
}

static int64_t system_now_ms(void *ctx)
{
	const struct env_system *s = ctx;

	return clock_ms(CLOCK_REALTIME) + s->clock_offset_ms;
}

static int64_t system_boot_ms(void *ctx)
{
	(void)ctx;
	return env_boot_ms();
}

static void system_boot_id(void *ctx, uint8_t ret_id[16])
{
	const struct env_system *s = ctx;

	memcpy(ret_id, s->boot, sizeof(s->boot));
}

static void system_random(void *ctx, void *p, size_t len)
{
	(void)ctx;
	env_random(p, len);
}

/* The kernel's id of this boot; where there is none a random one, which draws a new run. */
static void boot_read(uint8_t ret_id[16])
{
	char text[ID_TEXT] = "";
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (f) {
		if (!fgets(text, sizeof(text), f)) text[0] = 0;
		fclose(f);
	}
	if (!id_parse(text, ret_id)) env_random(ret_id, 16);
}

static void witness_close(struct env_system *s)
{
	if (s->witness_fd >= 0) close(s->witness_fd);
	s->witness_fd = -1;
}

/* The descriptor of the witness of today's database, or -1; makes the file where `make` says so. */
static int witness_open(struct env_system *s, bool make)
{
	struct stat database, st;
	struct buf path;
	int fd;

	if (!s->witness_dir || stat(s->database_path, &database) != 0) {
		witness_close(s);
		return -1;
	}
	if (s->witness_fd >= 0 && s->dev == database.st_dev && s->ino == database.st_ino)
		return s->witness_fd;
	witness_close(s);

	buf_init(&path, 8192);
	buf_print(&path, "%s/jinguo-%" PRIx64 "-%" PRIx64, s->witness_dir,
	          (uint64_t)database.st_dev, (uint64_t)database.st_ino);
	fd = path.full ? -1
	               : open(buf_cstr(&path),
	                      O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0), 0600);
	buf_done(&path);
	if (fd < 0) return -1;
	/* /dev/shm is everybody's: a file that another user has laid there is no witness. */
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) {
		close(fd);
		return -1;
	}
	s->witness_fd = fd;
	s->dev = database.st_dev;
	s->ino = database.st_ino;
	return fd;
}

/* 8 magic, 16 boot, 8 run, 16 tag, 8 offset, 8 wall clock; then 16 of BLAKE2b over these 64. */
static void record_sum(const uint8_t *record, uint8_t ret_sum[16])
{
	hash_of(span_of(record, RECORD_SUM), ret_sum, 16);
}

static const char record_magic[8] = "JGwitn1";

bool witness_unpack(struct span record, struct witness *ret)
{
	uint8_t sum[16];
	struct witness w;
	struct cut c;

	if (record.len != RECORD_BYTES || memcmp(record.p, record_magic, 8) != 0) return false;
	record_sum(record.p, sum);
	if (memcmp(record.p + RECORD_SUM, sum, 16) != 0) return false;
	c = cut_of(span_of(record.p, RECORD_SUM));
	cut_take(&c, 8);
	memcpy(w.boot, cut_take(&c, 16), 16);
	w.run = cut_u64(&c);
	memcpy(w.tag, cut_take(&c, 16), 16);
	w.wall_less_boot_ms = (int64_t)cut_u64(&c);
	w.wall_ms = (int64_t)cut_u64(&c);
	assert(!c.bad);
	*ret = w;
	return true;
}

void witness_pack(const struct witness *w, struct buf *out)
{
	size_t at = out->len;
	uint8_t sum[16];

	buf_add(out, record_magic, sizeof(record_magic));
	buf_add(out, w->boot, sizeof(w->boot));
	buf_u64(out, w->run);
	buf_add(out, w->tag, sizeof(w->tag));
	buf_u64(out, (uint64_t)w->wall_less_boot_ms);
	buf_u64(out, (uint64_t)w->wall_ms);
	assert(!out->full);
	record_sum(out->p + at, sum);
	buf_add(out, sum, sizeof(sum));
}

static bool system_witness_read(void *ctx, struct witness *ret)
{
	int fd = witness_open(ctx, /* make= */ false);
	uint8_t record[RECORD_BYTES + 1];
	ssize_t n = fd < 0 ? -1 : pread(fd, record, sizeof(record), 0);

	return n >= 0 && witness_unpack(span_of(record, (size_t)n), ret);
}

static void system_witness_write(void *ctx, const struct witness *w)
{
	struct env_system *s = ctx;
	int fd = witness_open(s, /* make= */ true);
	struct buf record;

	if (fd < 0) return; /* no witness: the next to look draws a new run */
	buf_init(&record, RECORD_BYTES);
	witness_pack(w, &record);
	assert(record.len == RECORD_BYTES && !record.full);
	/* A short write (tmpfs full) fails the checksum; dropping the file says the same sooner. */
	if (pwrite(fd, record.p, record.len, 0) != RECORD_BYTES && ftruncate(fd, 0) != 0)
		witness_close(s);
	buf_done(&record);
}

static bool is_tmpfs(const char *dir)
{
	struct statfs fs;

	return dir && *dir && statfs(dir, &fs) == 0 && fs.f_type == TMPFS &&
	       access(dir, W_OK | X_OK) == 0;
}

const char *env_runtime_dir(void)
{
	const char *dirs[] = {getenv("XDG_RUNTIME_DIR"), "/run/jinguo", "/dev/shm"};

	for (size_t i = 0; i < ARRAY_COUNT(dirs); i++) {
		if (is_tmpfs(dirs[i])) return dirs[i];
	}
	return NULL;
}

struct env_system *env_system_new(const char *database_path, const char *witness_dir,
                                  struct env *ret_env)
{
	struct env_system *s = mem_alloc(sizeof(*s));

	s->database_path = mem_copy_text(database_path);
	s->witness_dir = mem_copy_text(witness_dir ? witness_dir : env_runtime_dir());
	s->witness_fd = -1;
	s->clock_offset_ms = offset_ms();
	boot_read(s->boot);
	*ret_env = (struct env){
	        .ctx = s,
	        .now_ms = system_now_ms,
	        .boot_ms = system_boot_ms,
	        .boot_id = system_boot_id,
	        .random = system_random,
	        .witness_read = system_witness_read,
	        .witness_write = system_witness_write,
	};
	return s;
}

void env_system_free(struct env_system *s)
{
	if (!s) return;
	witness_close(s);
	free(s->database_path);
	free(s->witness_dir);
	free(s);
}
