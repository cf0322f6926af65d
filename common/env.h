/*
 * env.h - the surroundings that vary: clock, randomness, the witness outside the database, trace.
 * Injected, so that the simulator can repeat a run.  env_system() is the only place that asks the
 * machine (env.c alone may call the clock and the random source).
 */
#ifndef COMMON_ENV_H
#define COMMON_ENV_H

#include "common/buf.h"

/*
 * The witness: memory outside the data directory, lost at reboot, that a restored, copied or resumed
 * database does not have (architecture section 2, "run").  Compared inside every write transaction and
 * written before the commit; any mismatch draws a new run before anything is written.
 */
struct witness {
	uint8_t boot[16];          /* the machine's boot id */
	uint64_t run;              /* the run that wrote last */
	uint8_t tag[16];           /* random tag of the last commit */
	int64_t wall_less_boot_ms; /* wall clock minus boot clock */
	int64_t wall_ms;           /* wall clock at the last commit */
};

struct env {
	void *ctx;
	int64_t (*now_ms)(void *ctx);  /* wall clock, ms since 1970; may jump */
	int64_t (*boot_ms)(void *ctx); /* ms since boot, monotonic */
	void (*boot_id)(void *ctx, uint8_t ret_id[16]);
	void (*random)(void *ctx, void *p, size_t len);
	/* true and *ret if there is a witness for this database; false: none (reboot, no tmpfs). */
	bool (*witness_read)(void *ctx, struct witness *ret);
	void (*witness_write)(void *ctx, const struct witness *w);
	void (*trace)(void *ctx, const char *line); /* NULL: no trace */
};

void env_trace(const struct env *env, const char *format, ...) PRINTF_LIKE(2, 3);

/* The witness as a file: 80 bytes, the last 16 a checksum.  Anything else is no witness. */
void witness_pack(const struct witness *w, struct buf *out);
bool witness_unpack(struct span record, struct witness *ret);

struct env_system;
/*
 * The real machine.  The witness of the database at `database_path` lies in witness_dir (NULL: the
 * first of $XDG_RUNTIME_DIR, /run/jinguo, /dev/shm that is a tmpfs and writable), in a file named after
 * the database's device and inode.  JINGUO_CLOCK_OFFSET_MS in the environment shifts the wall clock
 * (tests).  Takes nothing; the caller frees with env_system_free.
 */
struct env_system *env_system_new(const char *database_path, const char *witness_dir,
                                  struct env *ret_env);
void env_system_free(struct env_system *s);
/* The directory of this user that does not outlive a boot, found as for the witness; NULL: there is none. */
const char *env_runtime_dir(void);

/* Wall clock and randomness for places outside the engine that have no env (command lines, tests). */
int64_t env_wall_ms(void);
int64_t env_boot_ms(void);
void env_random(void *p, size_t len);
void env_sleep_ms(int64_t ms);

#endif
