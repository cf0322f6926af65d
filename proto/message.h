/*
 * message.h - the messages of a session, msgpack arrays [type, ...]; form only, no meaning.
 * The meaning is session.c; README.md is the specification.
 */
#ifndef PROTO_MESSAGE_H
#define PROTO_MESSAGE_H

#include "common/store.h"
#include "proto/cert.h"
#include "proto/entry.h"

enum {
	PROTOCOL_MIN = 1,
	PROTOCOL_MAX = 3,
	PROTOCOL_REPAIR = 2, /* from here on: RANGE, TALLY, NAMES, AGAIN */
	PROTOCOL_RENEW = 3,  /* from here on: RENEW */
	MARKS_MAX = 33,
	MESSAGE_MEMORY_FACTOR = 2,      /* arena bytes per byte of a message, stated maximum, */
	MESSAGE_MEMORY_BASE = 20 * 1024 /* and this many beside */
};

enum message_type {
	MSG_HELLO = 1,   /* child -> parent, opens */
	MSG_WELCOME = 2, /* parent -> child */
	MSG_REFUSE = 3,  /* either, ends: code, retry-after */
	MSG_DATA = 4,    /* one journal entry */
	MSG_ACK = 5,     /* cumulative: durable up to; credit up to */
	MSG_PLACE = 6,   /* sender's feed is exhausted up to this place (or: start from here) */
	MSG_MARKS = 7,   /* receiver's older cursors (answer to ASK_MARKS) */
	MSG_ASK = 8,     /* what: marks, certificate */
	MSG_STATE = 9,   /* state digest and counts, when idle */
	MSG_BYE = 10,
	MSG_CERT = 11, /* a certificate asked for */
	MSG_NAMED =
	        12, /* who was named the survivor: the sender (asked for), or another than the receiver */
	MSG_RANGE = 13, /* child: what do these ranges of rows add up to with you? */
	MSG_TALLY = 14, /* the answer */
	MSG_NAMES = 15, /* rows that differ; entries held, entries wanted */
	MSG_JOIN = 16,  /* stranger -> hub: redeems a token */
	MSG_JOINED = 17,
	MSG_AGAIN = 18, /* an entry that was wanted, beside the cursor */
	MSG_RENEW = 19  /* child: its certificate runs out, or its address is another */
};

struct cursor {
	struct mark mark; /* pos 0: start */
};

struct msg_hello {
	uint16_t protocol_min, protocol_max;
	uint64_t run, last_run; /* last_run: run of the last session with this peer; 0 none */
	uint8_t cert[8];        /* first bytes of its certificate id */
	uint32_t schema_version;
	uint64_t other;       /* copies.h: another run of the receiver is alive; 0 */
	struct cursor cursor; /* its place in the parent's journal */
	uint64_t survivor;    /* copies.h: the sender was named the survivor of its copies; 0 */
	uint8_t filter[8];    /* what it will send: feed.c; zeros: as in the parent's cursor */
	uint8_t state[16];    /* digest of the shared scopes and lanes */
	int64_t clock_ms;
	uint64_t credit; /* bytes of DATA it takes from the start of the session; 0: 1 MiB */
	uint64_t nonce;  /* becomes the session's nonce; not 0 */
};
struct msg_welcome {
	uint16_t protocol;
	uint64_t run, last_run;
	uint32_t schema_version;
	uint64_t other, survivor; /* as in HELLO */
	struct cursor cursor;     /* its place in the child's journal */
	uint8_t filter[8];        /* zeros: as in the cursor of HELLO */
	uint8_t state[16];
	int64_t clock_ms;
	uint64_t nonce, session; /* reserved, 0; the session's nonce, which is HELLO's */
	uint64_t credit;         /* as in HELLO */
	int64_t safe; /* child's journal position below which every backup of the parent reaches; 0 */
	uint32_t retry_after_s; /* 0: go on */
	uint8_t cert[8];        /* of the hub */
	bool confirmed;         /* the child's cursor was confirmed; false: send MARKS */
	bool idle;              /* the parent has nothing to send or to apply */
	bool unsettled;         /* work of this child waits here unapplied, parked or refused */
};
struct msg_refuse {
	uint64_t session; /* 0 before WELCOME */
	int code;
	uint32_t retry_after_s;
	uint16_t protocol_min, protocol_max;
};
struct msg_data {
	uint64_t session;
	uint32_t
	        number; /* of the ordered message (DATA, PLACE) in this direction, from 1: one that was lost is noticed */
	int64_t pos;         /* the sender's journal position */
	uint8_t rolling[16]; /* after it */
	uint8_t kind;        /* enum entry_kind */
	struct span head,
	        body; /* DATA of a segment: head is sent short, see README.md; read gives the long form */
};
struct msg_ack {
	uint64_t session;
	int64_t pos;     /* durable in the receiver's journal up to this position of the sender's */
	uint64_t credit; /* absolute: bytes of DATA messages since the session began */
};
struct msg_place {
	uint64_t session;
	uint32_t number;  /* as in DATA, which it never overtakes */
	struct mark mark; /* filter: what the feed admitted */
	bool restart;     /* the receiver's cursor was not confirmed: go on from here */
};
struct msg_marks {
	uint64_t session;
	struct mark marks[MARKS_MAX];
	size_t count;
};
enum ask_what {
	ASK_MARKS = 1,
	ASK_CERT = 2,
	ASK_NAMED = 3,
	ASK_RUN = 4 /* your journal went back under this run: draw another */
};
struct msg_ask {
	uint64_t session;
	uint8_t what,
	        id[8]; /* ASK_CERT: first bytes of a certificate id or origin; ASK_RUN: run, u64 */
};
struct msg_state {
	uint64_t session;
	uint8_t state[16];
	int64_t acked; /* the sender of STATE has journaled the peer's entries up to here */
	int64_t unapplied, parked, refused; /* of the peer's work, at the sender of STATE */
	bool idle;                          /* nothing to send, nothing to apply */
	bool reply;                         /* answer to a STATE: not to be answered */
};
struct msg_bye {
	uint64_t session;
};
struct msg_cert {
	uint64_t session;
	struct span cert;
};
/* STATE of a parent, unapplied: what it does not know, or does not give. */
enum state_unapplied {
	STATE_ALL = 0,
	STATE_PLACE_UNKNOWN = 1, /* which scopes both share */
	STATE_WITHHELD = 2,      /* a person has to release the child first */
	STATE_EXPIRED = 3        /* until its certificate is renewed */
};
struct msg_renew {
	uint64_t session;
	char endpoint[128]; /* of a hub; "" */
};
struct msg_named {
	uint64_t session;
	struct span statement; /* copies.h */
};
struct msg_join {
	uint8_t secret[16], origin_key[32], link_key[32],
	        proof[64]; /* proof: origin key signs BLAKE2b-256("jinguo join", secret, both keys) */
	uint16_t protocol_min, protocol_max;
};
struct msg_joined {
	struct span chain[CERT_CHAIN_MAX]; /* own certificate first, root last */
	size_t chain_count;
	int64_t clock_ms;
};

/*
 * Ranges (README.md, "Repair").  A key is 10 bytes: of a row its table (big-endian) and the first 8 bytes of its id; of a
 * scope and lane a hash.  A range is the keys from lo on, below hi, cut at its inner bounds.
 */
enum {
	KEY_BYTES = 10,
	TAG_BYTES = 8,
	RANGES_MAX = 64,
	RANGE_BOUNDS_MAX = 15,
	RANGE_LEAVES_MAX = 16,
	PARTS_ASKED_MAX = 512,
	LEAF_MAX = 64,
	NAMES_ROWS_MAX = 256,
	NAMES_HASHES_MAX = 64
};
struct range {
	uint8_t lo[KEY_BYTES], hi[KEY_BYTES];
	uint8_t bounds_count,
	        bounds[RANGE_BOUNDS_MAX][KEY_BYTES]; /* none: its items are asked for */
};
struct msg_range {
	uint64_t session;
	uint32_t number; /* of the question in the session, from 1 */
	bool scopes;     /* the items are scopes and lanes; else rows of one */
	uint8_t scope[16], lane;
	struct range *ranges;
	size_t count;
};
struct leaf_scope {
	uint8_t id[16], lane;
};
struct range_sum {       /* of one range */
	bool leaf, more; /* more: items from `from` on are not said */
	uint8_t from[KEY_BYTES];
	size_t count;               /* parts, or items of a leaf */
	uint8_t (*tags)[TAG_BYTES]; /* fingerprints of the parts; tags of the items */
	struct leaf_scope *scopes;  /* of a leaf of scopes */
};
struct msg_tally {
	uint64_t session;
	uint32_t number;
	bool scopes;
	struct range_sum *sums;
	size_t count;
};
enum names_what {
	NAMES_DIFFER = 1, /* these rows differ: hold them against your journal; answered by TOLD */
	NAMES_TOLD = 2,   /* done; the rows that were named by tag only */
	NAMES_HELD =
	        3, /* entries that speak of the rows; answered by WANT and by HELD of the other side */
	NAMES_WANT = 4, /* entries wanted; answered by AGAIN for each that may be sent, then DONE */
	NAMES_DONE = 5,
	NAMES_AGAIN =
	        6 /* as DIFFER, of rows that still differ though both did so; answered by TOLD and HELD */
};
struct named_row {
	uint16_t table;
	uint8_t id[16];
};
struct msg_names {
	uint64_t session;
	uint8_t what; /* enum names_what */
	uint8_t scope[16], lane;
	uint8_t state[16]; /* digest of the sender */
	struct named_row *rows;
	size_t rows_count;
	uint8_t (*tags)[TAG_BYTES];
	size_t tags_count;
	uint8_t (*hashes)[32];
	size_t hashes_count;
};
struct msg_again {
	uint64_t session;
	uint8_t kind;
	struct span head, body;
};

struct message {
	uint8_t type;
	union {
		struct msg_hello hello;
		struct msg_welcome welcome;
		struct msg_refuse refuse;
		struct msg_data data;
		struct msg_ack ack;
		struct msg_place place;
		struct msg_marks marks;
		struct msg_ask ask;
		struct msg_state state;
		struct msg_bye bye;
		struct msg_cert cert;
		struct msg_renew renew;
		struct msg_named named;
		struct msg_range range;
		struct msg_tally tally;
		struct msg_names names;
		struct msg_again again;
		struct msg_join join;
		struct msg_joined joined;
	};
};

/* ranges.c: forms of the messages of repair, for message.c. */
void range_pack(const struct msg_range *m, struct buf *out);
void tally_pack(const struct msg_tally *m, struct buf *out);
void names_pack(const struct msg_names *m, struct buf *out);
void range_read(struct reader *r, struct arena *a, struct msg_range *m);
void tally_read(struct reader *r, struct arena *a, struct msg_tally *m);
void names_read(struct reader *r, struct arena *a, struct msg_names *m);

/*
 * What a sender and a receiver of DATA both remember of one direction of one session, so that what
 * repeats is sent short: origins and scopes already named, the last segment of each stream.  Zeroed at
 * the start of a session; bounded; message_done() frees it.
 */
struct short_form {
	struct short_memory *memory;
};
void short_form_done(struct short_form *s);

/* Appends the message.  DATA needs the sender's short form; others pass NULL. */
void message_pack(const struct message *m, struct short_form *s, struct buf *out);
/* Borrows from `in` and the arena.  Unknown types and any malformed byte: -ERR_PROTOCOL, naming what. */
int message_read(struct span in, struct short_form *s, struct arena *a, struct message *ret,
                 struct error *err);

#endif
