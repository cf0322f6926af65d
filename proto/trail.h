/*
 * trail.h - what was done at this device that somebody may ask about: sensitive reads, privileged acts, enrolments,
 * refusals, exports; an append-only list in the own database, each record naming the hash of the one before.
 *
 * The list itself stays here.  Its head (number and hash of the last record) is stated in a row of the table `trail_head` at
 * each seal that finds it changed, so it lies in a segment that this device signed and, from there on, in the journal of
 * its parent, who signs an admission over that segment; to a hub, whose segments nobody admits, the parent answers with
 * a row of its own.  Whoever edits or cuts the list afterwards cannot take those back.
 *
 * No record holds what was read or written: only who, when, what kind of act, and of which row.
 */
#ifndef PROTO_TRAIL_H
#define PROTO_TRAIL_H

#include "proto/replica.h"

enum trail_verb {
	TRAIL_NONE = 0,
	TRAIL_READ = 1,  /* values of tier T3 were shown */
	TRAIL_WRITE = 2, /* a privileged act began; `detail` is its command */
	TRAIL_ENROL = 3, /* a certificate was issued: id is the origin */
	TRAIL_REFUSED =
	        4, /* records of a child's segment were refused: id begins its hash, detail counts them */
	TRAIL_EXPORT = 5, /* data left in a file */
	TRAIL_LOGIN = 6,
	TRAIL_DENIED = 7, /* somebody asked for what they may not */
	TRAIL_FAILED = 8, /* an act that had begun did not come about; outcome says why */
	TRAIL_ERASE = 9   /* a person's data went: id is the row of the consent or of the person */
};
enum { TRAIL_DETAIL_MAX = 200, TRAIL_BYTES_MAX = 512 };

struct trail_record {
	uint64_t seq; /* from 1 */
	int64_t at_ms;
	uint8_t person[8]; /* zeros: the machine */
	uint8_t verb;
	uint16_t outcome; /* enum error_code; 0: done, or begun */
	uint16_t table;   /* 0: none */
	uint8_t id[16];
	struct span detail; /* text */
	uint8_t prev[32];   /* hash of the record before; zeros: none */
};
void trail_pack(const struct trail_record *t, struct buf *out);
bool trail_parse(struct span s, struct trail_record *ret); /* detail borrows from s */

/* In a transaction; seq, at_ms and prev are filled.  Does nothing where the replica keeps no trail (replica_config). */
int trail_add(struct replica *r, const struct trail_record *like);
int trail_list(struct replica *r, uint64_t after, size_t limit, struct arena *a,
               struct trail_record **ret, size_t *ret_count);

/* A statement of a head. */
struct trail_head {
	uint8_t origin[16], by[16]; /* whose; who states it */
	uint64_t seq;
	uint8_t hash[32];
	bool signed_above; /* admitted by the parent, or the parent's own word */
};
/* Those of one device, by number. */
int trail_heads(struct replica *r, const uint8_t origin[16], struct arena *a,
                struct trail_head **ret, size_t *ret_count);

enum trail_fault_what {
	TRAIL_EDITED = 1, /* the record is not what its hash, or the next one, says */
	TRAIL_CUT = 2,    /* records from this number on are missing, others follow */
	TRAIL_ENDS = 3,   /* a head of this number was stated, and the list ends before it */
	TRAIL_DIFFERS = 4 /* the record of this number is another than the one that was stated */
};
struct trail_fault {
	uint8_t what;
	uint64_t seq;
	int64_t at_ms;     /* of the nearest record before; 0: none */
	bool signed_above; /* told by the parent's word, not by our own alone */
};
enum { TRAIL_FAULTS_MAX = 100 };
struct trail_report {
	uint64_t records, heads,
	        signed_seq; /* signed_seq: the newest head that the parent signed */
	struct trail_fault faults[TRAIL_FAULTS_MAX];
	size_t faults_count; /* may be more than were kept */
};
/* The own list, from its first record, against its chain and every head that was stated of it. */
int trail_verify(struct replica *r, struct trail_report *ret);

/* ---- for the engine: states the head (seal.c); answers to heads of hubs below (apply.c) */
int trail_state(struct replica *r);
int trail_seen(struct replica *r, const uint8_t row[16]);
int trail_countersign(struct replica *r);

#endif
