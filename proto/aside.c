/*
 * aside.c - changesets of the tail that no longer read, set aside at a seal so that what was written since can leave.
 *
 * Nobody else ever had them: the rows as they stand in the tables are the only trace of what they said.  So nothing of their
 * scope and lane that the journal does not know is taken away by a repair, as where an entry does not read; the bytes
 * are kept, and people are told.
 */
#include "common/base.h"

#include "proto/engine.h"

enum { ITEM_BYTES = 8 + 4 + 1 }; /* of the list: number in the tail, scope, lane */
static const char list_key[] = "aside";

int aside_put(struct replica *r, const struct tail_item *item)
{
	struct span had;
	struct buf list;
	char key[40];
	int rc = store_meta_get(r->st, list_key, &r->scratch, &had);
	if (rc) return engine_fail(r, rc);
	buf_init(&list, had.len + ITEM_BYTES);
	buf_add(&list, had.p, had.len);
	buf_u64(&list, (uint64_t)item->id);
	buf_u32(&list, item->scope);
	buf_u8(&list, item->lane);
	(void)snprintf(key, sizeof(key), "aside/%" PRId64, item->id);
	rc = store_meta_put(r->st, key, item->changeset);
	rc = rc ? rc : store_meta_put(r->st, list_key, buf_span(&list));
	buf_done(&list);
	return rc ? engine_fail(r, rc) : repair_tail_damaged(r, item);
}

int aside_count(struct replica *r, uint32_t scope, unsigned lane, size_t *ret)
{
	struct span s;
	struct arena a;
	*ret = 0;
	arena_init(&a, 0);
	int rc = store_meta_get(r->st, list_key, &a, &s);
	for (size_t at = 0; !rc && at + ITEM_BYTES <= s.len; at += ITEM_BYTES) {
		const uint8_t *p = s.p + at + 8;
		uint32_t of = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
		              (uint32_t)p[3] << 24;
		*ret += of == scope && p[4] == lane;
	}
	arena_done(&a);
	return rc ? engine_fail(r, rc) : 0;
}
