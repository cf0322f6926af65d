/*
 * keys.h - a device's secret keys in its data directory: sign.key and link.key, a 32-byte seed in hex each.
 *
 * Never in the database: a backup or a copy of it for support must not carry the device's identity.
 * Mode 0600; a file that others may read is refused (ERR_KEYS), for then it must be taken as known.
 */
#ifndef NODE_KEYS_H
#define NODE_KEYS_H

#include "common/env.h"
#include "common/error.h"
#include "proto/replica.h"

/* Draws both keys and writes them; refuses where either file exists. */
int keys_make(const char *dir, const struct env *env, struct identity *ret, struct error *err);
int keys_load(const char *dir, struct identity *ret, struct error *err);
bool keys_exist(const char *dir); /* both of them */
/* The two seeds as they stand in the files: for the recovery of a hub alone (rest.h).  The caller wipes them. */
int keys_seeds(const char *dir, uint8_t ret_sign[32], uint8_t ret_link[32], struct error *err);
/* Writes those of the two files that are not there (a disk was full after the first); refuses where one holds another key. */
int keys_write(const char *dir, const uint8_t sign[32], const uint8_t link[32], struct error *err);
/*
 * The service's credential: service.key of the data directory, or the file that the settings name ("people.service").
 * make: drawn and written where there is none.  -ERR_KEYS, -ERR_FILE_READ.
 */
int keys_service(const char *dir, const char *path, bool make, const struct env *env,
                 uint8_t ret_seed[32], struct error *err);
/* One seed in a file of its own. */
int keys_seed_write(const char *path, const uint8_t seed[32], struct error *err);
/* The content of such a file: 64 hexadecimal digits, one line end or none. */
bool keys_seed_parse(struct span text, uint8_t ret_seed[32]);
int keys_seed_read(const char *path, uint8_t ret_seed[32], struct error *err);

#endif
