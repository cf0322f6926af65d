/*
 * root.h - the root of a province: made and used on a machine that is never on a network, kept in a safe.
 *
 * Two roots are made at once, each a file: the one that signs, and its spare, which the first names from the start, so that
 * every device that pins the first also takes the spare when the first is lost or in foreign hands.  Three lines of text pass
 * between the safe and the province's hub, by USB stick or printed (proto/README.md, "Root"):
 *
 *     root file   "JGR1-" msgpack [bin 32 seed, bin certificate, name]         secret
 *     request     "JGQ1-" msgpack [bin 32 Ed25519 key, bin 32 Curve25519 key, endpoint, bin 64 proof]
 *     answer      "JGC1-" msgpack [bin certificate of the hub, bin certificate of the root, name]
 */
#ifndef HUB_ROOT_H
#define HUB_ROOT_H

#include "node/place.h"

enum { ROOT_TEXT_MAX = 4096, ROOT_YEARS = 20, ROOT_HUB_DAYS = 2 * 365, ROOT_NAME = 97 };

/* What is in a root file. */
struct root {
	uint8_t seed[32];
	struct cert cert;
	struct buf bytes; /* of the certificate */
	char name[ROOT_NAME];
};
/*
 * Makes both from what was drawn for them.  code: 12 digits, the level follows from its zeros; the id of the unit's row is derived from key and code, since
 * only a device with a certificate writes the row.  root_done forgets the secrets.
 */
int root_make(const uint8_t seeds[2][32], int64_t now_ms, const char *code, const char *name,
              struct root *ret_root, struct root *ret_spare, struct error *err);
void root_done(struct root *r);
void root_text(const struct root *r, struct buf *out);
int root_parse(const char *text, struct root *ret, struct error *err);

/* The hub's side: what it asks for, in its own words and with proof that the key is its own. */
int root_request(const struct place *p, struct buf *out, struct error *err);
int root_request_parse(const char *text, struct cert *ret_hub, struct error *err);
/* In the safe: the certificate of the province's issuing key, valid for so many days (0: two years). */
int root_sign(const struct root *r, const char *request, int64_t now_ms, int64_t days,
              struct buf *out, struct error *err);

struct root_answer {
	struct buf bytes[2]; /* certificates of the hub and of the root */
	struct cert hub, root;
	char name[ROOT_NAME];
};
int root_answer_parse(const char *text, struct root_answer *ret, struct error *err);
void root_answer_done(struct root_answer *a);
/* The hub takes it: the first time it joins, pins this root and writes its unit's row; later it renews (same root, or its
 * spare).  *ret_renewed: which. */
int root_take(struct place *p, const struct root_answer *a, bool *ret_renewed, struct error *err);

#endif
