/*
 * copies.h - a device of which two copies are alive, and a hub of which one was named the survivor.
 *
 * Both sides of a session tell their run and the run that they last told this peer.  From these a peer keeps *lines*: runs
 * of which each told the one before it.  A restored device forks a line and the old end is never heard of again.  When a
 * run that another had followed, or the end of another line, comes back, two databases are alive: no device returns to a run
 * that it has left.  That is taken as true only in a session in which the peer has answered, since a greeting may be late.
 *
 * A named survivor is a number: 48 bits ms, 16 bits chance, larger than any that its hub knew; the greatest holds.
 * Its statement, signed by the hub's key: "JGN", format 1, suite 1, origin 16, number u64, signature 64.
 */
#ifndef PROTO_COPIES_H
#define PROTO_COPIES_H

#include "proto/replica.h"

enum {
	COPIES_LINES_MAX = 8, /* alive at once; the one not met for longest goes */
	COPIES_PAST_MAX = 32, /* runs left behind that are remembered */
	NAMED_BYTES = 3 + 1 + 1 + 16 + 8 + 64,
	COPIES_REASON_MAX = 120
};
struct copies_line {
	uint64_t tip;
	int64_t met_ms; /* when this run was met first */
};
/* What is known of a peer. */
struct copies {
	struct copies_line lines[COPIES_LINES_MAX]; /* the last met first */
	size_t lines_count;
	uint64_t past[COPIES_PAST_MAX]; /* a ring */
	size_t past_count, past_next;
	int64_t copied_ms;    /* since when two are known to be alive; 0: no */
	int64_t dismissed_ms; /* a person said that it is no matter */
	char reason[COPIES_REASON_MAX + 1];
	size_t released; /* how many lines there were when a person released all of them (replica_release); 0: not since copied_ms */
	uint64_t survivor; /* number of the peer's statement; 0 none */
	uint8_t statement[NAMED_BYTES];
	int64_t back_ms; /* when a cursor between us was last found untrue: one of us was restored */
	int64_t forks, forked_ms; /* streams of this origin that went on in two ways */
};
/* What a device knows of itself. */
struct own_copies {
	int64_t copied_ms;   /* since when it knows of another copy; 0: of none */
	uint64_t other;      /* a run of it, as told */
	uint8_t told_by[16]; /* origin of who told it */
	uint64_t survivor;   /* its own statement; 0 none */
	uint8_t statement[NAMED_BYTES];
	uint64_t aside; /* another was named with this number; 0 */
	int64_t aside_ms;
};

/* Run r comes, and told `last` before (0: nothing); sure: it has answered in this session.  *ret_doubt: to be asked again
 * when it is sure; *ret_changed: to be kept; true: just now it became known that two are alive. */
bool copies_meet(struct copies *c, uint64_t run, uint64_t last, int64_t now_ms, bool sure,
                 bool *ret_doubt, bool *ret_changed);
/* Only the newest line is alive: one of the copies is gone, or was set aside. */
void copies_collapse(struct copies *c);
/* Did a person release it who knew of as many copies as there are now?  Then what these say of each other's work, which every
 * one of them took for its own, is nothing new; one more of them is. */
bool copies_released(const struct copies *c);

void named_make(const uint8_t origin[16], uint64_t number, const uint8_t sign_secret[64],
                uint8_t ret[NAMED_BYTES]);
/* Form and signature. */
int named_open(struct span in, const uint8_t public_key[32], uint8_t ret_origin[16],
               uint64_t *ret_number, struct error *err);

int replica_copies(struct replica *r, const uint8_t origin[16], struct copies *ret);
int replica_copies_keep(struct replica *r, const uint8_t origin[16], const struct copies *c);
int replica_own_copies(struct replica *r, struct own_copies *ret);
int replica_own_copies_keep(struct replica *r, const struct own_copies *c);
/* Changes whenever a run of a peer was met that is new: the driver then pumps the other sessions of this peer's key. */
uint32_t replica_met(const struct replica *r);
/* A hub that knows of another copy of itself, or was set aside, takes nothing from below: its code, or 0. */
int replica_stopped(struct replica *r);
/* This copy is the one: draws a new run, states it.  Inside a transaction. */
int replica_survive(struct replica *r);
/* A person says that the copies of a device are no matter any more; of the own origin: that there is no other. */
int replica_copies_dismiss(struct replica *r, const uint8_t origin[16], const char *reason);
/* A segment of another origin was entered: does its stream fork here? */
int copies_note_stream(struct replica *r, const struct segment_head *h, const uint8_t hash[32],
                       bool fills_gap);

#endif
