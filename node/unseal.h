/*
 * unseal.h - opens envelopes (common/envelope.h).  Linked into the node's program alone: a hub carries envelopes and contains no
 * code that opens one, which `tests/suite_sealed.py` sees in its symbols.
 */
#ifndef NODE_UNSEAL_H
#define NODE_UNSEAL_H

#include "common/envelope.h"

/* The content's key, of either kind of envelope; false: not closed to this key, or not what it says.  The caller wipes it. */
NODISCARD bool unseal_key(const struct envelope *e, const uint8_t link_public[LINK_KEY],
                          const uint8_t link_secret[LINK_KEY], uint8_t ret_key[SEAL_KEY]);
/* The content, into a buffer of ENVELOPE_CONTENT_MAX that has its room already (so that no copy is left behind); false: another
 * key, altered, or moved here from another place.  The caller wipes it. */
NODISCARD bool unseal_content(const struct envelope *e, const struct envelope_place *at,
                              const uint8_t key[SEAL_KEY], struct buf *ret);

#endif
