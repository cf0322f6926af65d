/*
 * account.h - the people who act at this place: accounts, passwords, lock-out, sessions, and what each role may do.
 *
 * An account is a row of the table `account` (its key, roles and name travel) and a secret of this database alone: the
 * person's signing seed, and the key of what lies closed on this disk (common/store.h, "rest"), sealed under a key that
 * Argon2id makes of the password.  A session is the same two sealed under a random token, which lies in a file outside
 * the data directory that does not outlive a boot.  Nothing here opens without one of them.
 *
 * Roles and what must be apart: domain.md 4.6.
 */
#ifndef NODE_ACCOUNT_H
#define NODE_ACCOUNT_H

#include "common/crypt.h"
#include "node/config.h"
#include "proto/replica.h"

/* In the order of codes_account_role. */
enum role {
	ROLE_HEAD = 1 << 0,
	ROLE_RECORDER = 1 << 1,
	ROLE_LIAISON = 1 << 2,
	ROLE_ADMIN = 1 << 3,
	ROLE_REVIEWER = 1 << 4,
	ROLE_FINANCE = 1 << 5,
	ROLE_RIGHTS = 1 << 6,
	ROLE_DATA = 1 << 7,
	ROLE_BUSINESS = 1 << 8,
	ROLE_ASSESSOR = 1 << 9,
	ROLE_AUDITOR = 1 << 10
};
enum {
	ROLES_MANAGE = ROLE_HEAD | ROLE_ADMIN | ROLE_BUSINESS,
	ROLES_REVIEW = ROLES_MANAGE | ROLE_REVIEWER | ROLE_ASSESSOR,
	ROLES_SENSITIVE = /* see values of tier T3 */
	ROLE_HEAD | ROLE_RECORDER | ROLE_LIAISON | ROLE_ADMIN | ROLE_REVIEWER | ROLE_RIGHTS
};

/* What a command asks of who runs it. */
enum may {
	MAY_ANYONE = 0, /* needs nobody: the service's own work, or nothing that is private */
	MAY_READ,
	MAY_WRITE,  /* not an auditor */
	MAY_AUDIT,  /* reads what others did; not the service */
	MAY_REVIEW, /* decides about others' records; not the service */
	MAY_MANAGE  /* accounts, enrolment, keys; not the service */
};

enum person_kind {
	PERSON_DEVICE, /* nobody has an account here: the machine itself, which may do all that its certificate may */
	PERSON_SERVICE, /* scripts, by the credential */
	PERSON_ACCOUNT
};
enum {
	PERSON_ID = 8,
	LOGIN_MAX = 40,
	NAME_BYTES_MAX = 90,
	PASSWORD_MIN = 8,
	PASSWORD_MAX = 256,
	TOKEN_BYTES = 32
};
struct person {
	enum person_kind kind;
	uint8_t id[PERSON_ID]; /* author of changesets; zeros: PERSON_DEVICE */
	unsigned roles;
	char login[LOGIN_MAX + 1];
	uint8_t sign_public[32], sign_secret[64]; /* PERSON_ACCOUNT */
	uint8_t rest[SEAL_KEY];                   /* of the disk; PERSON_ACCOUNT */
};
bool person_may(const struct person *p, enum may may);
bool person_sees(const struct person *p, const struct field *f); /* NULL: alive */

/* ---- the two records of a person (formats: account.c); the fuzzer `person` reads both */
enum { SEALED_PAIR = 64 + SEAL_TAG };
struct account_secret {
	char login[LOGIN_MAX + 1], name[NAME_BYTES_MAX + 1];
	uint8_t salt[PASSWORD_SALT], nonce[SEAL_NONCE], sealed[SEALED_PAIR]; /* seed 32, rest 32 */
	uint32_t passes, kib;
	uint32_t failures;
	int64_t locked_until_ms;
};
struct session_secret {
	uint8_t person[PERSON_ID], nonce[SEAL_NONCE], sealed[SEALED_PAIR];
	int64_t made_ms, used_ms;
};
void account_secret_pack(const struct account_secret *s, struct buf *out);
bool account_secret_parse(struct span s, struct account_secret *ret);
void session_secret_pack(const struct session_secret *s, struct buf *out);
bool session_secret_parse(struct span s, struct session_secret *ret);

/* ---- working with them; errors of the store, and those named in error.h, in *err */
struct people {
	struct replica *r;
	const struct config *config;
	struct arena *arena;
	struct error *err;
};
struct account {
	uint8_t row[16], person[PERSON_ID], key[32];
	unsigned roles;
	bool disabled;
	bool here; /* it has its secret in this database: it can log in */
	const char *login, *name;
};
int accounts_any(const struct people *p, bool *ret_any);
int accounts_list(const struct people *p, struct account **ret, size_t *ret_count); /* own unit */
/* One that can log in here; -ERR_NOT_FOUND. */
int account_find(const struct people *p, const char *login, struct account *ret);
/* The account of an author, of any unit whose accounts are known here; NULL: none. */
int account_of_author(const struct people *p, const uint8_t person[PERSON_ID],
                      struct account **ret);
/* "head,recorder" to bits; refuses what no person, or nobody of this level, may have together. */
int roles_parse(const struct people *p, const char *text, unsigned *ret);
void roles_text(unsigned roles, struct buf *out); /* as stored */
unsigned roles_of(struct span s);                 /* of what is stored; unknown ones are none */
int account_add(const struct people *p, const struct person *by, const char *login,
                const char *name, unsigned roles, struct span password, uint8_t ret_row[16]);
int account_set_roles(const struct people *p, const struct person *by, const struct account *a,
                      unsigned roles);
int account_disable(const struct people *p, const struct person *by, const struct account *a);
int account_unlock(const struct people *p, const struct account *a);
/* A forgotten password cannot be found again: the account ends, and one with new keys takes its name and roles. */
int account_reset(const struct people *p, const struct person *by, const struct account *a,
                  struct span password);
/* The right password opens a session.  Wrong: counted, and after `people.lock_after` of them locked for a while that
 * doubles, at most an hour. */
int account_login(const struct people *p, const char *login, struct span password,
                  uint8_t ret_token[TOKEN_BYTES]);
int account_password(const struct people *p, const struct account *a, struct span old,
                     struct span fresh);
/* Who a token stands for; -ERR_LOGIN where it stands for nobody (any more). */
int session_open(const struct people *p, const uint8_t token[TOKEN_BYTES], struct person *ret);
int session_end(const struct people *p, const uint8_t token[TOKEN_BYTES]);
/* The author that scripts are told by. */
void service_person(const struct people *p, struct person *ret);

#endif
