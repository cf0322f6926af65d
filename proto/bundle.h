/*
 * bundle.h - journal entries in a file: what a copy that was set aside, or a device that is replaced, hands in.
 *
 * Little-endian: "JGB", format 1, origin 16 (who wrote it), time i64, entries u64;
 * each entry: kind u8 (not 0), head length u32, body length u32, head, body;
 * the end: 0 u8, BLAKE2b-256 of all before.
 *
 * Each entry is checked as one from a peer, so a file that was cut is of use up to the cut; the hash tells that nothing is
 * missing.  Reading takes whole entries from bytes that come in any pieces, and holds one entry at a time.
 */
#ifndef PROTO_BUNDLE_H
#define PROTO_BUNDLE_H

#include "proto/entry.h"
#include "proto/replica.h"

enum {
	BUNDLE_HEAD_BYTES = 3 + 1 + 16 + 8 + 8,
	BUNDLE_ENTRY_BYTES = 9,      /* before head and body */
	BUNDLE_FEED_MAX = 64 * 1024, /* bytes at a time */
	BUNDLE_PENDING_MAX =
	        BUNDLE_ENTRY_BYTES + MESSAGE_BYTES_MAX + BODY_SQUEEZED_MAX + BUNDLE_FEED_MAX,
	BUNDLE_OUT_MAX = 1024 * 1024 /* that the writer appends at once, at most */
};

/* The format alone; the hash goes over all that was put. */
void bundle_put_head(struct hash *h, const uint8_t origin[16], int64_t at_ms, uint64_t entries,
                     struct buf *out);
void bundle_put_entry(struct hash *h, unsigned kind, struct span head, struct span body,
                      struct buf *out);
void bundle_put_end(struct hash *h, struct buf *out);

struct bundle_writer {
	struct hash hash;
	int64_t next, last; /* journal positions */
	size_t certs_left;  /* of the own chain, said before the journal */
};
/* The open tail is sealed before, in a transaction; what comes later is not in the file. */
int bundle_begin(struct replica *r, struct bundle_writer *w, struct buf *out);
/* Appends some entries; *ret_done: that was all, with the end. */
int bundle_more(struct replica *r, struct bundle_writer *w, struct buf *out, bool *ret_done);

struct bundle_reader {
	struct hash hash;
	struct buf pending; /* bytes not yet taken */
	size_t taken;
	bool begun, ended;
	uint8_t origin[16];
	int64_t at_ms;
	uint64_t entries, read;
};
struct bundle_entry { /* borrowed until the next call */
	uint8_t kind;
	struct span head, body;
};
void bundle_reader_init(struct bundle_reader *b);
void bundle_reader_done(struct bundle_reader *b);
/* At most BUNDLE_FEED_MAX bytes, when bundle_next has asked for more. */
void bundle_feed(struct bundle_reader *b, struct span bytes);
/* 1: an entry; 0: more bytes are needed, or (b->ended) that was all; -ERR_FILE_FORM, -ERR_NEWER_FILE. */
int bundle_next(struct bundle_reader *b, struct bundle_entry *ret, struct error *err);

/* An entry out of a file: into the journal, from nobody.  *ret_new false: known; *ret_refused: the code with which a peer's
 * entry would have ended its session, 0 none: the others go on.  Inside a transaction; -ERR_x of the store. */
int bundle_take(struct replica *r, const struct bundle_entry *e, bool *ret_new, int *ret_refused);

#endif
