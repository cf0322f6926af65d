/*
 * descent.h - where the digests of two peers differ at rest: by ranges down to the rows, and what is done about them
 * (README.md, "Repair").  A part of a session; inside this room only.
 *
 * The child asks, the parent answers.  Both hold the rows that differ against their own journals (repair.c); where that does
 * not help, each sends the other the entries that it lacks, by their hashes.  Everything is bounded: questions,
 * rows and entries of a session, rows looked at in one step; the rest is for the next session.
 */
#ifndef PROTO_DESCENT_H
#define PROTO_DESCENT_H

#include "proto/engine.h"

struct descent;
struct descent_link {
	struct replica *r;
	bool parent;              /* we are the parent's side */
	const struct cert *peer;  /* borrowed, as are the others */
	const struct feed *feed;  /* what may go to the peer */
	const uint32_t *peer_ord; /* of its run */
	void *ctx;
	void (*send)(void *ctx, const struct message *m); /* session numbers are filled in there */
};

struct descent *descent_new(const struct descent_link *link, uint64_t session);
void descent_free(struct descent *d); /* accepts NULL */

/* Is there anything that we would ask a peer for: damaged entries, gaps? */
int descent_wants(struct replica *r, const struct cert *peer, bool differ, bool *ret);
/* Asks for it, once in a session; nothing to ask: nothing happens. */
int descent_ask(struct descent *d, const uint8_t peers[STATE_BYTES]);
/* Child: both sides are at rest and differ. */
int descent_begin(struct descent *d, const uint8_t own[STATE_BYTES],
                  const uint8_t peers[STATE_BYTES], bool *ret_begun);
/* RANGE, TALLY, NAMES, AGAIN.  -ERR_PROTOCOL: the peer's fault. */
int descent_message(struct descent *d, const struct message *m);
/* A piece of work, if there is one; *ret_more: at once again. */
int descent_step(struct descent *d, bool *ret_more);
/* Is something under way that is to end before the session does? */
bool descent_busy(const struct descent *d);
/* The peer's digest, as it said last in this; false: it said none. */
bool descent_heard(struct descent *d, uint8_t ret[STATE_BYTES]);

#endif
