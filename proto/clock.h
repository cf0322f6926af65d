/*
 * clock.h - the causal clock of one row in one lane: groups of {run, stamp, slots, live}.
 *
 * "For these slots, everything this run wrote up to this stamp is accounted for"; `live` are the slots of the group whose
 * value named (run, stamp) still stands.  A standing value of a run always has exactly the stamp that the clock
 * holds for that run in that slot: whatever would raise the clock past it also covers it.  So live bits are all that is needed to name
 * the values that stand.
 * The creation of a UUIDv7 row is in every clock unsaid; its values stand in the slots that no group mentions.
 *
 * Stored form (opaque to the store): per group varint run ordinal, zigzag stamp minus base, varint slots, varint
 * live; base is the stamp in the row's id for v7 rows, else 0.  Groups sorted by (run, stamp).  Full run ids in memory, in
 * comparison and hashes; local ordinals only on disk.
 */
#ifndef PROTO_CLOCK_H
#define PROTO_CLOCK_H

#include "common/store.h"
#include "proto/changeset.h"

struct clock_mark {
	uint64_t run, stamp, slots, live;
};
struct clock {
	struct clock_mark
	        *marks; /* sorted by (run, stamp); no empty slots; live is a subset of slots */
	size_t count, room;
};

/* Reads the stored form; room for `more` further marks is taken from the arena.  -ERR_DATABASE_DAMAGED where that is none
 * that clock_store wrote. */
int clock_load(struct store *st, const uint8_t row[16], struct span stored, size_t more,
               struct arena *a, struct clock *ret);
int clock_store(struct store *st, const uint8_t row[16], const struct clock *c, struct buf *out);

/*
 * A change (run, stamp) that writes `slots`, its author having seen `groups`: drops what it covers, adds its own name
 * where the clock does not cover it already, joins.  Returns the slots in which its value is new and stands.
 */
uint64_t clock_join(struct clock *c, struct arena *a, uint64_t run, uint64_t stamp, uint64_t slots,
                    const struct clock_group *groups, size_t groups_count);
/* Is (run, stamp) accounted for in all of `slots`? */
bool clock_covers(const struct clock *c, uint64_t run, uint64_t stamp, uint64_t slots);
/* All slots that some mark mentions: the creation's values stand in the others. */
uint64_t clock_mentions(const struct clock *c);
/* The standing value of highest rank (stamp, then run) in a slot; NULL: none (or the creation's). */
const struct clock_mark *clock_shown(const struct clock *c, unsigned slot);
/* What an author who sees this clock says when writing `slots`: groups in changeset form, without the own run. */
size_t clock_seen(const struct clock *c, uint64_t slots, uint64_t own_run, struct arena *a,
                  struct clock_group **ret);
/* Additive state hash of one row in one lane: BLAKE2b-128 of (table, lane, row, marks). */
void clock_hash(uint16_t table, unsigned lane, const uint8_t row[16], const struct clock *c,
                uint8_t ret[STATE_BYTES]);

/* 128-bit little-endian arithmetic of state hashes. */
void state_add(uint8_t sum[STATE_BYTES], const uint8_t add[STATE_BYTES]);
void state_subtract(uint8_t sum[STATE_BYTES], const uint8_t less[STATE_BYTES]);

#endif
