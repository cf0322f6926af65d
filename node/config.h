/*
 * config.h - jinguo.ini of the data directory (inih, confined to config.c).
 *
 *     [link]   listen parent parent_key public connect_timeout_ms welcome_timeout_ms backoff_min_ms
 *              backoff_max_ms handshake_ivl_ms heartbeat_ms credit_window descriptors_max
 *     [sync]   seal_ms apply_ops apply_ms correct_ms retry_ms audit_ms
 *     [people] service argon_kib argon_passes session_ms session_idle_ms lock_after lock_ms
 *     [hub]    strangers_per_minute hold_restored cert_days welcomes_per_second quota_mb_day quota_mb_all
 *              quota_parked quota_runs
 *
 * Everything has a default, so that an empty file is a good one; every timer is here, so that tests can
 * shorten them.  Unknown keys are reported, never an error: a newer program's file must not stop an older one.
 */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "common/buf.h"
#include "common/error.h"

enum { CONFIG_ENDPOINT = 128, CONFIG_PATH = 160, CONFIG_BYTES_MAX = 64 * 1024 };

struct config {
	char listen
	        [CONFIG_ENDPOINT]; /* hubs: tcp://ADDRESS:PORT, PORT may be * ; "" does not listen */
	char parent[CONFIG_ENDPOINT]; /* tcp://host:port; "" not joined, or a root */
	char public[CONFIG_ENDPOINT]; /* what invitations name; "": listen */
	uint8_t parent_key[32]; /* CURVE key of the parent, pinned at joining; hex in the file */
	bool has_parent_key;
	uint32_t connect_timeout_ms;   /* TCP and CURVE: 10000 */
	uint32_t welcome_timeout_ms;   /* HELLO to WELCOME, then silence while waiting: 30000 */
	uint32_t backoff_min_ms;       /* 3000 */
	uint32_t backoff_max_ms;       /* 600000 */
	uint32_t handshake_ivl_ms;     /* 15000 */
	uint32_t heartbeat_ms;         /* 0: none (metered links) */
	uint32_t credit_window;        /* bytes: 1 MiB */
	uint32_t descriptors_max;      /* 0: RLIMIT_NOFILE */
	uint32_t seal_ms;              /* 2000 */
	uint32_t apply_ops;            /* operations in one apply transaction: 10000 */
	uint32_t apply_ms;             /* or this long: 100 */
	uint32_t correct_ms;           /* corrections follow quiet of this length: 1000 */
	uint32_t retry_ms;             /* after an error of the store: 5000 */
	uint32_t audit_ms;             /* all rows are held against the journal so often: 24 h */
	uint32_t strangers_per_minute; /* wrong secrets answered: 30 */
	uint32_t hold_restored;        /* restored or copied children wait for peers --release: 1 */
	uint32_t cert_days;            /* certificates that this hub issues: 730 */
	char service[CONFIG_PATH];     /* file of the service's credential; "": service.key */
	uint32_t argon_kib, argon_passes; /* a password's cost: 65536 KiB, 3 passes */
	uint32_t session_ms;              /* a session ends: 12 h */
	uint32_t session_idle_ms;         /* or after so long without use: 30 min */
	uint32_t lock_after, lock_ms;     /* wrong passwords: 5, then 60000, doubling to an hour */
	/* What is taken of one device (hubs: 256 times; 0: no limit): MiB a day and in all, 64 and 4096; its records that wait
	 * here, 50000; its new runs a day, 500. */
	uint32_t quota_mb_day, quota_mb_all, quota_parked, quota_runs;
	uint32_t welcomes_per_second; /* the others are told when to come again: 2000 */
};

void config_default(struct config *ret);
/* A missing file gives the defaults.  unknown (may be NULL) gets a line "section.key" for each unknown key.
 * -ERR_CONFIG naming key and what it must be. */
int config_load(const char *path, struct config *ret, struct buf *unknown, struct error *err);
/* The same of a text; `name` stands for it in messages.  Refuses a byte 0 and
 * lines of more than 190 bytes that are no comment.  Takes as many bytes as the text.  *ret only on success. */
int config_parse(struct span text, const char *name, struct config *ret, struct buf *unknown,
                 struct error *err);
/* config_set of a text, appended to out. */
int config_change(struct span text, const char *key, const char *value, struct buf *out,
                  struct error *err);
/* Sets one key ("link.parent") and keeps every other line and comment; value "" removes the key.  Atomic.
 * Unknown keys and bad values are refused. */
int config_set(const char *path, const char *key, const char *value, struct error *err);
/* Is it tcp://HOST:PORT (PORT 1..65535, or * when may_be_any)? */
bool config_endpoint_ok(const char *text, bool may_be_any);

#endif
