/*
 * envelope.h - what a sealed record says, closed to the keys of officers: form, and closing.
 *
 * Who carries an envelope cannot read it, and no program here but the node's can open one (node/unseal.h): a hub has no code for
 * it.  The content is padded to one of four sizes and closed under a random key; the key is closed to each recipient.  An
 * envelope belongs to one place, a row's field, and opens nowhere else.  Layout, sizes and the reasons: proto/README.md,
 * "Envelope".
 */
#ifndef COMMON_ENVELOPE_H
#define COMMON_ENVELOPE_H

#include "common/crypt.h"
#include "common/error.h"

enum envelope_kind {
	ENVELOPE_CONTENT = 1, /* keys and content */
	ENVELOPE_KEYS =
	        2 /* keys alone, of another record's content: for an officer who came later */
};
enum {
	ENVELOPE_RECIPIENTS_MAX = 16,
	ENVELOPE_ID = 8,
	ENVELOPE_WRAP = ENVELOPE_ID + SEAL_KEY + BOX_MORE, /* of one recipient */
	ENVELOPE_CONTENT_MAX = 49152 - 1,
	ENVELOPE_BYTES_MAX = 52 * 1024
};

struct envelope {
	enum envelope_kind kind;
	uint8_t author[8];  /* person */
	uint8_t commit[32]; /* names the content's key, and says nothing of it */
	size_t recipients;
	const uint8_t *wraps; /* ENVELOPE_WRAP each, in order of ids; borrowed as the rest is */
	struct span head;     /* all before the sealed bytes */
	const uint8_t *nonce; /* CONTENT: SEAL_NONCE bytes */
	struct span sealed;   /* CONTENT: with its tag */
};
/* Form only: one encoding, sizes, order; false: it is none.  Takes no memory. */
bool envelope_parse(struct span in, struct envelope *ret);

/* Where an envelope stands.  of: the row that its own row speaks of. */
struct envelope_place {
	uint16_t table;
	uint8_t field;
	uint8_t row[16], of[16];
};
/* What the content is closed about: head and place. */
void envelope_about(struct span head, const struct envelope_place *at, struct buf *out);
void envelope_id(const uint8_t link_key[LINK_KEY], uint8_t ret[ENVELOPE_ID]);
void envelope_commit(const uint8_t key[SEAL_KEY], uint8_t ret[32]);
/* The wrap of one recipient; NULL: the envelope is not for this key. */
const uint8_t *envelope_wrap(const struct envelope *e, const uint8_t link_key[LINK_KEY]);

/* Who closes one: chance for key, nonce and boxes, all drawn here. */
struct envelope_chance {
	void (*random)(void *ctx, void *ret, size_t len);
	void *ctx;
};
/*
 * Closes content to these keys (no two the same), or (KEYS) a key that the caller has opened.  -ERR_LIMIT: no recipient, too
 * many, or a content above ENVELOPE_CONTENT_MAX.  The copy that was padded is wiped.
 */
int envelope_close(const struct envelope_place *at, const uint8_t author[8],
                   const uint8_t (*to)[LINK_KEY], size_t count, struct span content,
                   const struct envelope_chance *chance, struct buf *out, struct error *err);
int envelope_close_key(const uint8_t author[8], const uint8_t (*to)[LINK_KEY], size_t count,
                       const uint8_t key[SEAL_KEY], const struct envelope_chance *chance,
                       struct buf *out, struct error *err);

#endif
