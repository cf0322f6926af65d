/*
 * malice.h - an attacker: he has a device's real keys and certificate, and makes with tools of his own what the engine would
 * never make.
 *
 * By hand, for suites: segments, admissions, holes and certificates of any content, handed to a device as a peer hands them
 * (malice_hand), and sessions that he speaks message by message (malice_call).  By the swarm (malice_strike): some devices of
 * a world are in his hands, and do one evil thing after another while they go on with their ordinary work.
 */
#ifndef TESTS_SIM_MALICE_H
#define TESTS_SIM_MALICE_H

#include "proto/session.h"
#include "tests/sim/device.h"

struct malice {
	struct device *device; /* in whose name */
	struct random rnd;
	struct arena arena; /* all that he makes */
	uint8_t nonce[8];   /* of the run that he writes under */
	uint64_t run, seal, seq, stamp;
	uint8_t prev[32];      /* the segment before, as he says */
	uint8_t as_origin[16]; /* the origin that he writes into headers; his own unless changed */
	uint8_t awaited[16];   /* the row that his parked records wait for */
};
struct malice_entry {
	unsigned kind;
	struct span head, body;
	uint8_t hash[32]; /* of a segment */
};

void malice_init(struct malice *m, struct device *device, uint64_t stream);
void malice_done(struct malice *m);
void malice_new_run(struct malice *m);

/* Operations: created rows have his run and the next of his stamps. */
struct op *malice_ops(struct malice *m, size_t count);
void malice_insert(struct malice *m, struct op *op, uint16_t table, uint64_t slots,
                   const struct value *values);
void malice_update(struct malice *m, struct op *op, uint16_t table, const uint8_t row[16],
                   uint64_t slots, const struct value *values);

/* One segment of one changeset, or of these; 0 or what segment_make says. */
int malice_segment(struct malice *m, const uint8_t scope[16], unsigned lane, struct op *ops,
                   size_t count, struct malice_entry *ret);
int malice_segment_of(struct malice *m, const uint8_t scope[16], unsigned lane,
                      struct changeset *cs, size_t count, struct malice_entry *ret);
void malice_admission(struct malice *m, const uint8_t scope[16], unsigned lane,
                      const uint8_t segment[32], bool accept, struct malice_entry *ret);
/* A hole for a segment, of which he has the header. */
void malice_hole(struct malice *m, const struct malice_entry *segment, struct malice_entry *ret);
/* A certificate that he issues as the hub that he is. */
void malice_cert(struct malice *m, struct cert *c, struct malice_entry *ret);
/* Signs anything as if it were a segment's header: for bytes that no tool makes. */
void malice_sign(struct malice *m, struct buf *head);

/* Hands it over in a transaction of its own: what replica_append says, or 1 when the machine died. */
int malice_hand(struct malice *m, struct device *to, const struct malice_entry *e);
/* Applies all that is there; *ret_calls: storage calls of the largest transaction (NULL: not asked). */
int malice_apply(struct device *d, size_t *ret_calls);
int malice_entry_at(struct malice *m, struct device *d, int64_t recv, struct malice_entry *ret);

/* A session with `to`, its parent's side, spoken by hand within one transaction a message. */
struct malice_call {
	struct malice *m;
	struct device *to;
	struct session *session;
	struct short_form form, heard;
	uint64_t nonce;
	uint32_t number;
	bool closed;
	int code;             /* why it closed */
	size_t frames, bytes; /* that came back */
	struct msg_welcome welcome;
	size_t data;
};
void malice_call_init(struct malice_call *c, struct malice *m, struct device *to);
void malice_call_done(struct malice_call *c);
void malice_hello(struct malice_call *c, uint64_t run, uint64_t last_run, uint64_t credit);
/* Sends a message; the session's nonce is filled in by the caller (c->nonce). */
void malice_say(struct malice_call *c, const struct message *msg);
void malice_data(struct malice_call *c, const struct malice_entry *e, int64_t pos);

/* ---- by the swarm */
int64_t
malice_config(const struct config *c); /* how often he strikes; draws from a stream of its own */
void malice_begin(struct world *w, int64_t end_ms);
void malice_strike(struct world *w);
void malice_end(struct world *w);

#endif
