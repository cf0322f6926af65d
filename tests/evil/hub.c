/*
 * hub.c - a county hub with a patched program, linked from the real one: some of its functions are wrapped (ld --wrap), and
 * do what the file named by JINGUO_EVIL says, a word or a word and an id in hex, read anew each time:
 *
 *   leak          it offers all lanes to the province
 *   alter ORIGIN  it changes a byte in segments of this device on their way up
 *   hide ORIGIN   it keeps back what is of this device and its own words on that, and says that it agrees with
 *                 whatever the province says
 *   inflate       it corrects every number that it touches by a thousand
 *   smuggle       it puts bytes of its county lane into an opaque operation of its own open lane
 */
#include "common/base.h"

#include "common/ident.h"
#include "proto/engine.h"

/* NOLINTBEGIN(readability-identifier-naming,misc-no-recursion): names that the linker makes; pages of nothing are few */
int __wrap_feed_for(struct replica *r, const struct cert *peer, uint32_t run, struct feed *ret);
int __real_feed_for(struct replica *r, const struct cert *peer, uint32_t run, struct feed *ret);
int __wrap_store_journal_scan(struct store *st, const struct feed_filter *f, int64_t after,
                              size_t limit, size_t bytes_max, struct arena *a, struct entry **ret,
                              size_t *ret_count);
int __real_store_journal_scan(struct store *st, const struct feed_filter *f, int64_t after,
                              size_t limit, size_t bytes_max, struct arena *a, struct entry **ret,
                              size_t *ret_count);
void __wrap_message_pack(const struct message *m, struct short_form *form, struct buf *out);
void __real_message_pack(const struct message *m, struct short_form *form, struct buf *out);
int __wrap_message_read(struct span frame, struct short_form *form, struct arena *a,
                        struct message *ret, struct error *err);
int __real_message_read(struct span frame, struct short_form *form, struct arena *a,
                        struct message *ret, struct error *err);
int __wrap_replica_digest(struct replica *r, const struct cert *peer, uint8_t ret[16]);
int __real_replica_digest(struct replica *r, const struct cert *peer, uint8_t ret[16]);
int __wrap_store_cells_dirty(struct store *st, struct arena *a, struct cell **ret,
                             size_t *ret_count);
int __real_store_cells_dirty(struct store *st, struct arena *a, struct cell **ret,
                             size_t *ret_count);
int __wrap_segment_make(struct segment_head *h, const struct changeset *cs, const uint64_t *runs,
                        const uint8_t sign_secret[64], struct buf *out_head, struct buf *out_body,
                        uint8_t ret_hash[32], struct error *err);
int __real_segment_make(struct segment_head *h, const struct changeset *cs, const uint64_t *runs,
                        const uint8_t sign_secret[64], struct buf *out_head, struct buf *out_body,
                        uint8_t ret_hash[32], struct error *err);

static const char secret[] = "SMUGGLEDcanaryJINGUO";

/* Is this the evil of the moment?  origin: of whom, if it is about somebody. */
static bool evil(const char *word, uint8_t origin[16])
{
	const char *path = getenv("JINGUO_EVIL");
	char line[128] = {0}, name[32] = {0}, hex[64] = {0};
	FILE *f = path ? fopen(path, "r") : NULL;

	if (!f) return false;
	if (!fgets(line, sizeof(line), f)) line[0] = '\0';
	(void)fclose(f);
	if (sscanf(line, "%31s %63s", name, hex) < 1 || strcmp(name, word) != 0) return false;
	return !origin || (strlen(hex) == 32 && hex_parse(hex, origin, 16));
}

/* ---- leak */
int __wrap_feed_for(struct replica *r, const struct cert *peer, uint32_t run, struct feed *ret)
{
	int rc = __real_feed_for(r, peer, run, ret);

	if (!rc && ret->filter.all && evil("leak", NULL)) {
		ret->filter.lane_mask = 7;
		ret->id[0] ^= 1; /* another filter: what it admits beyond the old one is sent */
	}
	return rc;
}

/* ---- hide */
static uint8_t heard[16];
static uint64_t
        heard_session; /* with the province, which alone greets with WELCOME; sites say their STATE in others */
static bool has_heard;

static void remember(const struct message *m)
{
	if (m->type == MSG_WELCOME) {
		memcpy(heard, m->welcome.state, 16);
		heard_session = m->welcome.session;
		has_heard = true;
	} else if (m->type == MSG_STATE && has_heard && m->state.session == heard_session) {
		memcpy(heard, m->state.state, 16);
	}
}

int __wrap_message_read(struct span frame, struct short_form *form, struct arena *a,
                        struct message *ret, struct error *err)
{
	int rc = __real_message_read(frame, form, a, ret, err);

	if (!rc) remember(ret);
	return rc;
}

int __wrap_replica_digest(struct replica *r, const struct cert *peer, uint8_t ret[16])
{
	uint8_t whom[16];
	int rc = __real_replica_digest(r, peer, ret);

	if (!rc && has_heard && !replica_is_parent_of(r, peer) && evil("hide", whom))
		memcpy(ret, heard, 16);
	return rc;
}

/* Its own admission would tell of a segment that is missing, and it would be asked for that. */
static bool tells_of(struct store *st, const struct entry *e, const uint8_t whom[16],
                     struct arena *a)
{
	struct admission m;
	uint8_t hash[32], sign[64];
	bool tells = false;

	if (e->kind != ENTRY_ADMISSION || admission_open(e->head, a, &m, hash, sign, NULL) != 0)
		return false;
	for (size_t i = 0; i < m.items_count && !tells; i++) {
		struct entry *segment = NULL;
		int64_t recv = 0;

		tells = store_journal_find(st, m.items[i].segment, &recv) == 0 && recv != 0 &&
		        store_journal_get(st, recv, a, &segment) == 0 && segment != NULL &&
		        memcmp(segment->origin, whom, 16) == 0;
	}
	return tells;
}

int __wrap_store_journal_scan(struct store *st, const struct feed_filter *f, int64_t after,
                              size_t limit, size_t bytes_max, struct arena *a, struct entry **ret,
                              size_t *ret_count)
{
	int rc = __real_store_journal_scan(st, f, after, limit, bytes_max, a, ret, ret_count);
	uint8_t whom[16];
	size_t kept = 0;

	if (rc || !f->all || f->lane_mask == 0xff || !evil("hide", whom)) return rc;
	for (size_t i = 0; i < *ret_count; i++)
		if (memcmp((*ret)[i].origin, whom, 16) != 0 && !tells_of(st, &(*ret)[i], whom, a))
			(*ret)[kept++] = (*ret)[i];
	if (*ret_count && !kept) { /* a page of nothing else: the next one */
		int64_t last = (*ret)[*ret_count - 1].recv;

		return __wrap_store_journal_scan(st, f, last, limit, bytes_max, a, ret, ret_count);
	}
	*ret_count = kept;
	return 0;
}

/* ---- alter */
void __wrap_message_pack(const struct message *m, struct short_form *form, struct buf *out)
{
	struct message copy = *m;
	struct segment s;
	uint8_t whom[16], body[MESSAGE_BYTES_MAX];
	struct error err = {0};

	if (m->type == MSG_DATA && m->data.kind == ENTRY_SEGMENT && m->data.body.len > 8 &&
	    m->data.body.len <= sizeof(body) && evil("alter", whom) &&
	    segment_open(m->data.head, m->data.body, &s, &err) == 0 &&
	    !memcmp(s.head.origin, whom, 16)) {
		memcpy(body, m->data.body.p, m->data.body.len);
		body[m->data.body.len / 2] ^= 1;
		copy.data.body = span_of(body, m->data.body.len);
	}
	__real_message_pack(&copy, form, out);
}

/* ---- inflate */
int __wrap_store_cells_dirty(struct store *st, struct arena *a, struct cell **ret,
                             size_t *ret_count)
{
	int rc = __real_store_cells_dirty(st, a, ret, ret_count);

	if (!rc && evil("inflate", NULL))
		for (size_t i = 0; i < *ret_count; i++) (*ret)[i].truth += 1000;
	return rc;
}

/* ---- smuggle */
int __wrap_segment_make(struct segment_head *h, const struct changeset *cs, const uint64_t *runs,
                        const uint8_t sign_secret[64], struct buf *out_head, struct buf *out_body,
                        uint8_t ret_hash[32], struct error *err)
{
	struct op ops[64];
	struct changeset all[64];

	if (h->lane == LANE_OPEN && h->count <= 64 && cs[0].ops_count < 63 &&
	    evil("smuggle", NULL)) {
		size_t n = cs[0].ops_count;

		memcpy(ops, cs[0].ops, n * sizeof(*ops));
		ops[n] = (struct op){.kind = OP_IMAGE,
		                     .table = TABLE_VOLUNTEER,
		                     .stamp = cs[0].ops[0].stamp,
		                     .opaque = span_of(secret, sizeof(secret) - 1)};
		memcpy(ops[n].row, cs[0].ops[0].row, 16);
		memcpy(all, cs, h->count * sizeof(*all));
		all[0].ops = ops;
		all[0].ops_count = n + 1;
		cs = all;
	}
	return __real_segment_make(h, cs, runs, sign_secret, out_head, out_body, ret_hash, err);
}
/* NOLINTEND(readability-identifier-naming,misc-no-recursion) */
