/*
 * changes.h - changesets for the tests of the formats: random ones that use every corner of the
 * rules, and rows like those of life.  Seeded: the same seed gives the same changesets,
 * by every compiler; so two dice never stand in one expression, whose order C leaves open.
 */
#ifndef TESTS_SUPPORT_CHANGES_H
#define TESTS_SUPPORT_CHANGES_H

#include "common/buf.h"
#include "proto/changeset.h"

struct dice {
	uint64_t state; /* splitmix64 */
};
uint64_t dice_next(struct dice *d);
uint64_t dice_below(struct dice *d, uint64_t n); /* 0..n-1; n > 0 */
void dice_fill(struct dice *d, void *p, size_t len);

/* One origin's runs, with their nonces. */
struct changes_origin {
	uint8_t secret[64], key[32], origin[16];
	uint8_t nonces[SEGMENT_NONCES_MAX][8];
	uint64_t runs[SEGMENT_NONCES_MAX];
	uint8_t runs_count;
};
void changes_origin(struct dice *d, size_t runs_count, struct changes_origin *ret);

/* `count` changesets with up to `ops_max` operations each, sequences from first_seq. */
struct changeset *changes_random(struct dice *d, struct arena *a, const struct changes_origin *o,
                                 uint64_t first_seq, size_t count, size_t ops_max);

/* County-lane participation rows, one to a transaction; 12 columns. */
struct changes_place {
	uint8_t volunteers[174][16], activities[48][16];
	uint64_t now_ms;
};
void changes_place(struct dice *d, struct changes_place *ret);
struct changeset *changes_participation(struct dice *d, struct arena *a,
                                        const struct changes_origin *o, struct changes_place *place,
                                        size_t count);
/* One-column updates of rows that were made a while ago by a few runs. */
struct changeset *changes_updates(struct dice *d, struct arena *a, const struct changes_origin *o,
                                  struct changes_place *place, size_t count);
/* Bytes of the rows in plain msgpack: id and values, an array each. */
size_t changes_plain(const struct changeset *cs, size_t count);

#endif
