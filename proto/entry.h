/*
 * entry.h - what a journal holds and links carry: segments, admissions, holes, certificates.
 * Signed long forms are fixed little-endian layouts (stated in README.md with golden bytes).
 * Decoding is static checking: bytes, lengths, hashes, signatures; nothing that looks at other rows.
 */
#ifndef PROTO_ENTRY_H
#define PROTO_ENTRY_H

#include "common/crypt.h"
#include "common/error.h"
#include "proto/changeset.h"

enum entry_kind {
	ENTRY_SEGMENT = 1,
	ENTRY_ADMISSION = 2,
	ENTRY_HOLE = 3,
	ENTRY_CERT = 4,
	ENTRY_REVOKE = 5
}; /* unknown kinds are carried */
enum {
	FORMAT_1 = 1,
	SUITE_1 = 1,
	ALSO_TO_MAX = 4,
	HEAD_BYTES_MAX = 512,
	BODY_SQUEEZED_MAX = 256 * 1024,
	MESSAGE_BYTES_MAX = 320 * 1024
};
enum segment_flags { SEGMENT_SHARED = 1 /* goes to children of the scope also in closed lanes */ };

/* Segment header, signed by its origin over its hash.  body_hash is of the squeezed body as carried. */
struct segment_head {
	uint8_t format, suite, lane, flags;
	uint32_t dictionary;
	uint8_t origin[16], scope[16];
	uint8_t also_count, also[ALSO_TO_MAX][16];
	uint64_t seal; /* number of the seal at its device, from 1 */
	uint16_t k, n; /* k-th of n segments of this seal in this lane */
	uint8_t nonces_count, nonces[SEGMENT_NONCES_MAX][8];
	uint64_t seq_first;
	uint32_t count;       /* changesets */
	uint32_t plain_bytes; /* length of the body before compression */
	uint8_t prev[32];     /* hash of the segment before; zeros: the first */
	uint8_t body_hash[32];
};
void segment_head_pack(const struct segment_head *h,
                       struct buf *out); /* the signed bytes, without signature */
int segment_head_read(struct span in, struct segment_head *ret,
                      struct error *err);             /* exactly one, canonical */
void segment_hash(struct span head, uint8_t ret[32]); /* BLAKE2b-256 of the signed bytes */

/* A whole segment: head (signed bytes), signature, squeezed body. */
struct segment {
	struct segment_head head;
	uint8_t hash[32], sign[64];
	struct span body;
};
/* Encodes, squeezes, hashes and signs.  head.body_hash, plain_bytes, count, seq_first, nonces are filled here
 * from the changesets and runs; nonces[i] belongs to runs[i].  out_head gets the signed bytes followed by the
 * signature (this is `entry.head` of the store), out_body the squeezed body. */
int segment_make(struct segment_head *h, const struct changeset *cs, const uint64_t *runs,
                 const uint8_t sign_secret[64], struct buf *out_head, struct buf *out_body,
                 uint8_t ret_hash[32], struct error *err);
/* From stored bytes (head with its signature behind it).  Borrows. Checks form only. */
int segment_open(struct span head, struct span body, struct segment *ret, struct error *err);
/* Static check: body hash, signature by public_key, body decodes, lane of every known field, op limits, runs of the
 * ops derive from origin and nonces, UUIDv7 inserts name a run of this segment.
 * -ERR_SIGNATURE: not to be journaled.  Any other error: becomes a hole with this cause. */
int segment_check(const struct segment *s, const uint8_t public_key[32], struct arena *a,
                  struct error *err);
/* The same; *ret: the changesets, borrowed from what is copied into the arena. */
int segment_check_open(const struct segment *s, const uint8_t public_key[32], struct arena *a,
                       struct changeset **ret, struct error *err);
/* The changesets of a checked segment. */
int segment_changesets(const struct segment *s, struct arena *a, struct changeset **ret,
                       size_t *ret_count, struct error *err);
void segment_runs(const struct segment_head *h, uint64_t ret_runs[SEGMENT_NONCES_MAX]);

/* ---- admission: a hub's signed word on segments of its own children */
enum admission_mode {
	ADMIT_ALL_BUT = 0 /* everything is accepted but what is listed */,
	ADMIT_ONLY = 1 /* speaks only of what is listed */
};
struct verdict {
	uint32_t ordinal; /* of the operation, counted over all changesets of the segment from 0 */
	uint8_t accepted; /* 1 accepted; 0 refused; 2 held: parked, a later admission will speak of it */
	int code;         /* enum error_code, for refused and held */
	uint8_t field; /* field number concerned; 0 none */
};
struct admission_item {
	uint8_t segment[32];
	uint8_t mode;
	struct verdict *verdicts; /* sorted by ordinal */
	size_t verdicts_count;
};
struct admission {
	uint8_t hub[16], scope[16];
	uint8_t lane;
	int64_t at_ms;
	uint64_t number; /* of the admission at its hub, from 1: two with equal content differ */
	struct admission_item *items;
	size_t items_count;
};
enum {
	ADMISSION_ITEMS_MAX = 256,
	ADMISSION_BYTES_MAX = 64 * 1024,
	ADMISSION_MEMORY_FACTOR = 4 /* arena bytes per byte of input, stated maximum */
};
/* out: signed bytes followed by the signature; ret_hash over the signed bytes. */
int admission_make(const struct admission *m, const uint8_t sign_secret[64], struct buf *out,
                   uint8_t ret_hash[32], struct error *err);
int admission_open(struct span in, struct arena *a, struct admission *ret, uint8_t ret_hash[32],
                   uint8_t ret_sign[64], struct error *err);

/* ---- hole: a segment's signed header without its body */
struct hole {
	struct span head; /* signed bytes of the segment and its signature */
	struct segment_head segment;
	uint8_t segment_hash[32];
	int cause; /* enum error_code */
	uint8_t remover[16];
	int64_t at_ms;
	struct span
	        restated; /* body restated by the remover: its plain length u32, then squeezed; empty */
};
int hole_make(const struct hole *h, const uint8_t sign_secret[64], struct buf *out,
              uint8_t ret_hash[32], struct error *err);
int hole_open(struct span in, struct hole *ret, uint8_t ret_hash[32], uint8_t ret_sign[64],
              struct error *err);

/* The signed part of an admission or hole is everything before the last 64 bytes; checks the signature. */
int entry_check_sign(struct span in, const uint8_t public_key[32], struct error *err);

#endif
