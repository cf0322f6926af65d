/*
 * changeset.h - what one local transaction did to one stream (origin, scope, lane), and its two forms:
 * the row form (one changeset, msgpack; the open tail) and the columnar body (many changesets; segments).
 *
 * Both forms are exact: decode(encode(x)) == x, and decode refuses whatever encode would not write
 * (canonical), reads nothing past its input and takes at most CHANGESET_MEMORY_FACTOR times the input
 * from the arena (the arena's bound is checked before memory is taken).
 */
#ifndef PROTO_CHANGESET_H
#define PROTO_CHANGESET_H

#include "common/error.h"
#include "common/schema.h"
#include "common/value.h"

enum {
	BODY_BYTES_MAX = 256 * 1024, /* plain body, before compression */
	SEGMENT_CHANGESETS_MAX = 1000,
	CHANGESET_OPS_MAX = 4096,
	CHANGESET_PARTS_MAX = 64, /* all are in memory at once when they are applied */
	SEGMENT_OPS_MAX = 16384,
	CLOCK_GROUPS_MAX = 256,
	SEGMENT_NONCES_MAX = 16,
	CHANGESET_MEMORY_FACTOR = 64 /* arena bytes per byte of input, stated maximum */
};

/* Kinds of operations, numbered for ever; unknown kinds are kept and forwarded, never merged. */
enum op_kind {
	OP_INSERT = 1,
	OP_UPDATE = 2,
	OP_IMAGE = 3,
	OP_PROPOSAL = 4,
	OP_SEALED = 5,
	OP_ERASE = 6,
	OP_CUSTODY = 7
};

/* "For these slots, everything this run wrote up to this stamp is accounted for." */
struct clock_group {
	uint64_t run, stamp, slots;
};

struct field_value {
	uint8_t slot;
	struct value value;
};

/*
 * One operation on one row in one lane.  Its name is (row, lane, run, stamp); the run is the changeset's.
 * INSERT of a row whose id is a UUIDv7 of (stamp, run): stamp equals id_stamp(row), groups_count is 0:
 * the creation is in every clock of the row without being said.  INSERT of a derived id (UUIDv8) and
 * UPDATE carry their author's clock for the written slots in `groups` (sorted by run, then stamp,
 * without empty masks; the own run's earlier stamps and the creation of a v7 row are not said; empty:
 * "still as created").
 * values: sorted by slot, one for each bit of `slots`; an INSERT leaves out fields that are null (absent
 * means default; of a derived id a null may stand where a value was erased: the clock says that it was written) and writes alive (slot 0) as value_int(1) without saying it: bit 0 is never set in an
 * INSERT of a v7 row; an INSERT of a derived id says it only if it is not 1.
 * olds: for slots that are figure inputs and are changed by an UPDATE: the value before, sorted by slot.
 */
struct op {
	uint8_t kind; /* enum op_kind */
	uint16_t table;
	uint8_t row[16];
	uint64_t stamp;
	uint64_t slots; /* written slots of the lane */
	struct field_value *values;
	size_t values_count;
	struct field_value *olds;
	size_t olds_count;
	struct clock_group *groups;
	size_t groups_count;
	struct span
	        opaque; /* kinds above OP_UPDATE (IMAGE, SEALED, ERASE, CUSTODY, unknown): bytes, carried as they are;
	                           * OP_PROPOSAL has the shape of an UPDATE */
};

enum changeset_flags { CHANGESET_WHOLE = 1 /* stands or falls together */ };

struct changeset {
	uint64_t seq;         /* in the stream; consecutive within a segment; 0 in the tail */
	uint64_t run;         /* on the wire: index into the segment's nonces */
	uint16_t part, parts; /* 1/1, or part i of n of a transaction larger than a segment */
	uint8_t flags;
	uint8_t author[8];       /* person id; zeros: none stated */
	struct span person_sign; /* 64 bytes or empty */
	uint32_t schema_version, codes_version;
	struct op *ops;
	size_t ops_count;
};

/* Of two different changes of one name the one with the greater rank stands: hash-16 of the row form of a changeset that holds
 * the operation alone: part 1 of 1, all else zero. */
void op_rank(const struct op *op, uint8_t ret[16]);

/* Row form, for the tail (run in full, 8 bytes). */
void changeset_pack(const struct changeset *c, struct buf *out);
int changeset_read(struct span in, struct arena *a, struct changeset *ret, struct error *err);

/*
 * Columnar body.  runs[]: the runs of the segment's nonces, in order; each changeset's run is one of
 * them.  first_seq: sequence of the first (the others follow).
 * encode appends to out (full or a run that is not in runs: -ERR_LIMIT / -ERR_INTERNAL).
 */
int body_encode(const struct changeset *cs, size_t count, const uint64_t *runs, size_t runs_count,
                struct buf *out, struct error *err);
int body_decode(struct span in, uint64_t first_seq, size_t count, const uint64_t *runs,
                size_t runs_count, struct arena *a, struct changeset **ret, struct error *err);

bool changeset_equal(const struct changeset *x, const struct changeset *y); /* tests */

#endif
