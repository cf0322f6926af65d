/*
 * place.h - a data directory, open: jinguo.db, sign.key, link.key, service.key, jinguo.ini, link.lock.
 *
 * Commands and the daemon share the database (SQLite's locks); only one process at a time may own the
 * links to other machines: `run` and `sync` take link.lock (flock), which the kernel gives back whatever happens.
 */
#ifndef NODE_PLACE_H
#define NODE_PLACE_H

#include "common/env.h"
#include "common/store.h"
#include "node/config.h"
#include "proto/replica.h"

enum { PLACE_PATH = 1024 };
enum place_flags {
	PLACE_LINK = 1,     /* owns the links: -ERR_BUSY when another process does */
	PLACE_READ_ONLY = 2 /* the database is opened read-only (no replica_begin) */
};

struct place {
	char dir[PLACE_PATH];
	struct env_system *system;
	struct env env;
	struct config config;
	struct identity identity;
	struct store *store;
	struct replica *replica;
	const struct judge *judge;
	bool read_only;
	bool by_service; /* the service's credential opened what lies closed (rest.h) */
	int lock_fd;     /* -1: not owner of the links */
};

/* Makes a new one: directory 0700 (may exist, if empty of ours), keys, database, jinguo.ini.
 * -ERR_EXISTS: there is one already. */
int place_init(const char *dir, struct error *err);
/* -ERR_NO_DIRECTORY: nothing there (the mend is `init`).  judge: hubs, else NULL; borrowed.  A judge needs the replica that
 * it is asked about only in the call. */
int place_open(const char *dir, unsigned flags, const struct judge *judge, struct place **ret,
               struct error *err);
/* For a directory with the database of a hub (a backup) and no keys: writes those that were kept for the recovery key whose
 * secret this is (rest.h).  -ERR_KEYS: none were. */
int place_recover_keys(const char *dir, const uint8_t seed[32], struct error *err);
void place_close(struct place *p); /* accepts NULL */
/* The database again, after an error of the disk: store and replica are other ones, what used them must be gone.  On error
 * both are NULL, and it may be tried again. */
int place_reopen(struct place *p, struct error *err);
bool place_exists(const char *dir);
/* Is another process the owner of the links (a daemon runs)?  Asks without keeping the lock. */
bool place_link_busy(const struct place *p);
int place_link_take(struct place *p, struct error *err);
/* jinguo.ini again (a command of another process changed it), and one key of it set. */
int place_config_reload(struct place *p, struct error *err);
int place_config_set(struct place *p, const char *key, const char *value, struct error *err);
bool place_file(const struct place *p, const char *name, char *ret_path, size_t room);

#endif
