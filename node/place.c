/*
 * place.c - see place.h.
 */
#include <unistd.h> /* declares sleep: before base.h, which poisons it */

#include "common/base.h"

#include "node/place.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/crypt.h"
#include "node/file.h"
#include "node/keys.h"
#include "node/rest.h"

#define DATABASE "jinguo.db"
#define SETTINGS "jinguo.ini"
#define LOCK     "link.lock"

enum { FILE_PATH = PLACE_PATH + 32 };

static const char first_settings[] = "; Jinguo (巾帼): every key has a default; see jinguo.ini(5)\n"
                                     "[link]\n"
                                     "[sync]\n";

bool place_file(const struct place *p, const char *name, char *ret_path, size_t room)
{
	return file_path(p->dir, name, ret_path, room);
}

bool place_exists(const char *dir)
{
	char path[FILE_PATH];

	return file_path(dir, DATABASE, path, sizeof(path)) && file_exists(path);
}

static int place_name(struct place *p, const char *dir, struct error *err)
{
	if (!*dir || strlen(dir) >= sizeof(p->dir))
		return error_set(err, ERR_NO_DIRECTORY, "",
		                 "the path of the data directory is empty or too long");
	memcpy(p->dir, dir, strlen(dir) + 1);
	return 0;
}

static void path_of(const struct place *p, const char *name, char ret_path[FILE_PATH])
{
	bool fits = place_file(p, name, ret_path, FILE_PATH);

	assert(fits); /* dir is shorter than PLACE_PATH, our names are short */
	(void)fits;
}

/* ---- the one owner of the links */

static int lock_file(const struct place *p)
{
	char path[FILE_PATH];

	path_of(p, LOCK, path);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int place_link_take(struct place *p, struct error *err)
{
	int fd;

	if (p->lock_fd >= 0) return 0;
	fd = lock_file(p);
	if (fd < 0)
		return error_set(err, ERR_STORAGE, "", "%s/%s: %s", p->dir, LOCK, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		int cause = errno;

		close(fd);
		if (cause == EWOULDBLOCK)
			return error_set(
			        err, ERR_BUSY, "",
			        "another process (the service?) holds the links of this directory");
		return error_set(err, ERR_STORAGE, "", "%s/%s: %s", p->dir, LOCK, strerror(cause));
	}
	p->lock_fd = fd;
	return 0;
}

bool place_link_busy(const struct place *p)
{
	bool busy = false;
	int fd;

	if (p->lock_fd >= 0) return false;
	fd = lock_file(p);
	if (fd < 0) return false;
	if (flock(fd, LOCK_SH | LOCK_NB)) busy = errno == EWOULDBLOCK;
	close(fd);
	return busy;
}

/* ---- configuration */

int place_config_reload(struct place *p, struct error *err)
{
	char path[FILE_PATH];

	path_of(p, SETTINGS, path);
	return config_load(path, &p->config, /* unknown= */ NULL, err);
}

int place_config_set(struct place *p, const char *key, const char *value, struct error *err)
{
	char path[FILE_PATH];
	int rc;

	path_of(p, SETTINGS, path);
	rc = config_set(path, key, value, err);
	return rc ? rc : place_config_reload(p, err);
}

/* ---- making and opening */

static int init_database(struct place *p, const char *database, struct error *err)
{
	int rc = store_open(database, &schema_current, STORE_CREATE, &p->store, err);

	if (rc) return rc;
	/* Only now has the file the device and inode that the witness is named after. */
	p->system = env_system_new(database, /* witness_dir= */ NULL, &p->env);
	rc = keys_make(p->dir, &p->env, &p->identity, err);
	rc = rc ? rc : replica_create(p->store, &p->env, &p->identity, err);
	return rc ? rc
	          : rest_open(p->store, &p->env, p->dir, p->config.service, false, &p->by_service,
	                      err);
}

/* What a failed init leaves, so that it can be tried again; keys were never used by anyone. */
static void init_undo(const struct place *p)
{
	static const char *const names[] = {DATABASE,   DATABASE "-wal", DATABASE "-shm",
	                                    "sign.key", "link.key",      "service.key"};
	char path[FILE_PATH];

	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		path_of(p, names[i], path);
		(void)unlink(path);
	}
}

int place_init(const char *dir, struct error *err)
{
	static const char *const ours[] = {DATABASE, "sign.key", "link.key", "service.key"};
	struct place *p = mem_alloc(sizeof(*p));
	char path[FILE_PATH];
	mode_t mask;
	int rc;

	p->lock_fd = -1;
	rc = place_name(p, dir, err);
	if (rc) goto out;
	if (mkdir(dir, 0700) && errno != EEXIST) {
		rc = error_set(err, ERR_NO_DIRECTORY, "", "%s: %s", dir, strerror(errno));
		goto out;
	}
	for (size_t i = 0; i < ARRAY_COUNT(ours); i++) {
		path_of(p, ours[i], path);
		if (file_exists(path)) {
			rc = error_set(err, ERR_EXISTS, "", "%s", path);
			goto out;
		}
	}
	rc = place_link_take(p, err); /* two that initialise at once */
	if (rc) goto out;
	path_of(p, SETTINGS, path);
	if (!file_exists(path))
		rc = file_write(path, span_of(first_settings, sizeof(first_settings) - 1), 0644,
		                err);
	rc = rc ? rc : place_config_reload(p, err);
	if (rc) goto out;
	path_of(p, DATABASE, path);
	mask = umask(077);
	rc = init_database(p, path, err);
	(void)umask(mask);
	if (rc) {
		store_close(p->store);
		p->store = NULL;
		init_undo(p);
	}
out:
	place_close(p);
	return rc;
}

int place_reopen(struct place *p, struct error *err)
{
	struct replica_config config = {.env = &p->env,
	                                .identity = &p->identity,
	                                .judge = p->judge,
	                                .trail = true,
	                                .hold = p->config.hold_restored != 0,
	                                .cert_life_ms =
	                                        (int64_t)p->config.cert_days * 24 * 3600 * 1000};
	char path[FILE_PATH];
	int rc;

	replica_close(p->replica);
	store_close(p->store);
	p->replica = NULL;
	p->store = NULL;
	path_of(p, DATABASE, path);
	rc = store_open(path, &schema_current,
	                (p->read_only ? STORE_READ_ONLY : 0U) | (p->judge ? 0U : STORE_SMALL),
	                &p->store, err);
	if (!rc)
		rc = rest_open(p->store, &p->env, p->dir, p->config.service, p->read_only,
		               &p->by_service, err);
	if (!rc) rc = replica_open(&p->replica, p->store, &config, err);
	if (!rc && !p->read_only) rc = rest_recovery_follow(p->replica, p->dir, err);
	if (rc) {
		store_close(p->store);
		p->store = NULL;
	}
	return rc;
}

static int open_all(struct place *p, unsigned flags, const struct judge *judge, struct error *err)
{
	char path[FILE_PATH];
	int rc = place_config_reload(p, err);

	if (!rc) rc = keys_load(p->dir, &p->identity, err);
	if (!rc && (flags & PLACE_LINK)) rc = place_link_take(p, err);
	if (rc) return rc;
	path_of(p, DATABASE, path);
	p->system = env_system_new(path, /* witness_dir= */ NULL, &p->env);
	p->judge = judge;
	p->read_only = (flags & PLACE_READ_ONLY) != 0;
	return place_reopen(p, err);
}

int place_open(const char *dir, unsigned flags, const struct judge *judge, struct place **ret,
               struct error *err)
{
	struct place *p = mem_alloc(sizeof(*p));
	int rc;

	p->lock_fd = -1;
	rc = place_name(p, dir, err);
	if (!rc && !place_exists(dir))
		rc = error_set(err, ERR_NO_DIRECTORY, "", "%s holds no %s", dir, DATABASE);
	if (!rc) rc = open_all(p, flags, judge, err);
	if (rc) {
		place_close(p);
		return rc;
	}
	*ret = p;
	return 0;
}

int place_recover_keys(const char *dir, const uint8_t seed[32], struct error *err)
{
	struct store *st = NULL;
	char path[FILE_PATH];
	int rc;

	if (!place_exists(dir) || !file_path(dir, DATABASE, path, sizeof(path)))
		return error_set(err, ERR_NO_DIRECTORY, "", "%s holds no %s", dir, DATABASE);
	rc = store_open(path, &schema_current, STORE_READ_ONLY, &st, err);
	rc = rc ? rc : rest_recovery_keys(st, seed, dir, err);
	store_close(st);
	if (rc == -ERR_NOT_FOUND)
		rc = error_set(err, ERR_KEYS, "", "%s: none, and none kept in its database", dir);
	return rc;
}

void place_close(struct place *p)
{
	if (!p) return;
	replica_close(p->replica);
	store_close(p->store);
	env_system_free(p->system);
	if (p->lock_fd >= 0) close(p->lock_fd);
	crypt_wipe(&p->identity, sizeof(p->identity));
	free(p);
}
