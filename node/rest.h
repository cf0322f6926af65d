/*
 * rest.h - the key of what lies closed on this disk (common/store.h), and who may open it.
 *
 * The key is random, made once, and lies nowhere in clear.  It is kept in the table `secret`
 *   for the service: under a credential, a file outside the database (service.key, or where people.service says),
 *   for each account: under her password (account.h),
 *   for the county's recovery key: in a box that only its offline secret opens.
 * So a copied database shows nothing of it; one copied with its directory shows all, which is why the credential may lie
 * elsewhere (systemd's credentials, another disk).
 */
#ifndef NODE_REST_H
#define NODE_REST_H

#include "node/place.h"

/* The records (formats: rest.c); the fuzzer `person` reads both. */
struct rest_secret { /* rest:service */
	uint8_t nonce[SEAL_NONCE], sealed[SEAL_KEY + SEAL_TAG];
};
struct rest_box { /* rest:recovery, and of a hub rest:sign and rest:link */
	uint8_t to[LINK_KEY], box[SEAL_KEY + BOX_MORE];
};
void rest_secret_pack(const struct rest_secret *s, struct buf *out);
bool rest_secret_parse(struct span s, struct rest_secret *ret);
void rest_box_pack(const struct rest_box *b, struct buf *out);
bool rest_box_parse(struct span s, struct rest_box *ret);

/*
 * After the store was opened: gives it its key, by the service's credential.  The first time of a database key and
 * credential are made, and what lay open is closed.  Without the credential the store stays closed (store_closed): a
 * person's session may open it.  *ret_service: the credential was there and is the right one.
 */
int rest_open(struct store *st, const struct env *env, const char *dir, const char *service,
              bool read_only, bool *ret_service, struct error *err);
/* A key from elsewhere: a session, the recovery. */
int rest_give(struct store *st, const struct env *env, const uint8_t key[SEAL_KEY],
              struct error *err);
/* A new credential for the service, in the place of one that was lost: refuses to overwrite a file.  The store is open. */
int rest_service_new(struct store *st, const struct env *env, const char *dir, const char *service,
                     struct error *err);
/* Keeps the key in a box for the county's recovery key, where that is another than before. */
int rest_recovery_keep(struct store *st, const uint8_t to[LINK_KEY], struct error *err);
/*
 * Keeps it for the recovery key that holds here: the newest that the own unit or the parent's states.  A hub keeps the seeds
 * of its own keys (keys.h) for that of its own unit as well: a backup and the file in the safe bring it back when its disk
 * dies, and nobody below has to join anew.  A site does not: whoever has its backup and the county's key could sign for it.
 */
int rest_recovery_follow(struct replica *r, const char *dir, struct error *err);
/* Opens that box; ret: the key. */
int rest_recovery_open(struct store *st, const uint8_t seed[32], uint8_t ret[SEAL_KEY],
                       struct error *err);
/* Writes sign.key and link.key of a hub that were kept for it, where they are not there.  -ERR_EXISTS: another one is;
 * -ERR_NOT_FOUND: none was kept. */
int rest_recovery_keys(struct store *st, const uint8_t seed[32], const char *dir,
                       struct error *err);

#endif
