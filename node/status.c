#include "common/base.h"

#include "node/status.h"

#include "common/validate.h"
#include "proto/message.h"

static const struct {
	const char *name, *colour;
} lamps[LAMP_COUNT] = {
        [LAMP_DISK_FULL] = {"disk_full", "red"},
        [LAMP_REVOKED] = {"revoked", "red"},
        [LAMP_IDENTITY] = {"identity", "red"},
        [LAMP_REFUSED] = {"refused", "amber"},
        [LAMP_CERT_EXPIRED] = {"cert_expired", "amber"},
        [LAMP_CLOCK] = {"clock", "amber"},
        [LAMP_WRONG_PEER] = {"wrong_peer", "amber"},
        [LAMP_VERSION] = {"version", "amber"},
        [LAMP_DISK_LOW] = {"disk_low", "amber"},
        [LAMP_CERT_SOON] = {"cert_soon", "amber"},
        [LAMP_UNJOINED] = {"unjoined", "grey"},
        [LAMP_UNAPPROVED] = {"unapproved", "grey"},
        [LAMP_REPAIRING] = {"repairing", "blue"},
        [LAMP_SENDING] = {"sending", "blue"},
        [LAMP_OFFLINE] = {"offline", "grey"},
        [LAMP_PENDING] = {"pending", "blue"},
        [LAMP_CHECKING] = {"checking", "blue"},
        [LAMP_COMPLETE] = {"complete", "green"},
};

enum { CERT_SOON_DAYS = 30, PARKED_LOOKED_AT = 2000 };

static void fill_number(struct buf *out, enum language l, enum word w, int64_t n);
static void fill_time(struct buf *out, enum language l, enum word w, int64_t ms);

const char *lamp_name(enum lamp lamp)
{
	return lamps[lamp].name;
}

/* Hashes of every shared scope and lane equal at the last contact, and nothing written since. */
static bool agrees(const struct status_facts *f)
{
	return f->root || (f->parent_known && f->parent.agreed_ms > 0 && f->parent_same);
}

/* The parent gives the open lane only, until a person there has released this device. */
static bool withheld(const struct status_facts *f)
{
	return !f->root && f->parent_known && f->parent.unapplied == STATE_WITHHELD;
}

/* "Complete" towards the own parent, as ux.md section 4 defines it. */
static bool own_complete(const struct status_facts *f)
{
	const struct replica_counts *n = &f->counts;

	if (!f->joined || f->revoked || f->copies.copied_ms || f->copies.aside || n->restored ||
	    n->gaps || n->unstated || n->refused || n->parked || n->waiting || n->unapplied ||
	    n->unadmitted || n->differing)
		return false;
	if (f->root) return true;
	return f->placed && !n->unsent && !n->tail && !n->received && agrees(f) &&
	       !f->parent.refused && !f->parent.parked && !f->parent.unapplied;
}

static bool holds(const struct status_facts *f, enum lamp lamp, bool complete)
{
	const struct replica_counts *n = &f->counts;
	int64_t left = f->not_after_ms - f->now_ms;
	int64_t off = f->parent.clock_offset_ms;

	switch (lamp) {
	case LAMP_DISK_FULL:
		return f->disk_free < STATUS_DISK_FULL;
	case LAMP_REVOKED:
		return f->revoked || f->link_code == ERR_REVOKED;
	case LAMP_IDENTITY:
		return n->restored || n->alarms > 0 || f->copies.copied_ms || f->copies.aside ||
		       withheld(f);
	case LAMP_REFUSED:
		return n->refused > 0;
	case LAMP_CERT_EXPIRED:
		return f->joined && left <= 0;
	case LAMP_CLOCK:
		return f->parent_known && (off > STATUS_CLOCK_MS || off < -STATUS_CLOCK_MS);
	case LAMP_WRONG_PEER:
		return f->link_code == ERR_WRONG_PEER || f->link_code == ERR_WRONG_KEY;
	case LAMP_VERSION:
		return f->link_code == ERR_VERSION;
	case LAMP_DISK_LOW:
		return f->disk_free >= STATUS_DISK_FULL && f->disk_free < STATUS_DISK_LOW;
	case LAMP_CERT_SOON:
		return f->joined && left > 0 && left < CERT_SOON_DAYS * STATUS_DAY_MS;
	case LAMP_UNJOINED:
		return !f->joined;
	case LAMP_UNAPPROVED:
		return f->joined && f->unapproved;
	case LAMP_REPAIRING:
		return f->joined && n->differing > 0;
	case LAMP_SENDING:
		return f->joined && f->sending;
	case LAMP_OFFLINE:
		return f->joined && !f->root && f->link_code == ERR_UNREACHABLE;
	case LAMP_PENDING:
		return f->joined && !f->root && n->unsent > 0;
	case LAMP_CHECKING:
		return f->joined && !complete;
	case LAMP_COMPLETE:
		return complete;
	case LAMP_COUNT:
		break;
	}
	return false;
}

void status_judge(const struct status_facts *f, struct status *ret)
{
	unsigned found = 0;

	*ret = (struct status){.facts = *f, .lamp = LAMP_CHECKING, .own_complete = own_complete(f)};
	ret->complete = ret->own_complete && (!f->hub || f->children_missing == 0);
	for (enum lamp l = LAMP_DISK_FULL; l < LAMP_COUNT; l++) {
		if (!holds(f, l, ret->own_complete)) continue;
		if (!found++) ret->lamp = l;
		/* Of the states of sending, one is enough to name. */
		if (l >= LAMP_SENDING) break;
	}
	ret->name = lamps[ret->lamp].name;
	ret->colour = lamps[ret->lamp].colour;
	/* Green is for what is true today, and at a hub for all below it. */
	if (ret->lamp == LAMP_COMPLETE &&
	    (!ret->complete || (!f->root && f->now_ms - f->parent.last_contact_ms > STATUS_DAY_MS)))
		ret->colour = "grey";
	ret->more = found > 1 ? found - 1 : 0;
}

int status_child(struct replica *r, const struct cert *child, bool *ret_seen, struct peer *ret_peer,
                 bool *ret_agrees)
{
	uint8_t origin[16], digest[16];
	int rc;

	origin_of(child->origin_key, origin);
	*ret_agrees = false;
	rc = store_peer_get(replica_store(r), origin, ret_peer, ret_seen);
	if (rc || !*ret_seen || !ret_peer->agreed_ms) return rc;
	/* Equal digests of what it may have are not an agreement while it does not get the rest. */
	unsigned withheld = STATE_ALL;
	rc = replica_withheld(r, child, &withheld);
	if (rc || withheld != STATE_ALL) return rc;
	rc = replica_digest(r, child, digest);
	if (rc) return rc;
	*ret_agrees = !memcmp(digest, ret_peer->state, sizeof digest) && !ret_peer->restored &&
	              !ret_peer->unapplied;
	return 0;
}

static int collect_children(struct replica *r, struct status_facts *f)
{
	struct cert_row *rows;
	struct arena a;
	size_t count;
	int rc;

	arena_init(&a, 0);
	rc = replica_children(r, &a, &rows, &count);
	for (size_t i = 0; !rc && i < count; i++) {
		struct cert c;
		struct peer peer;
		bool seen, same;
		if (rows[i].revoked_ms || cert_open(rows[i].body, &c, NULL)) continue;
		struct copies copies;
		rc = status_child(r, &c, &seen, &peer, &same);
		rc = rc ? rc : replica_copies(r, rows[i].origin, &copies);
		int64_t held_ms = 0;
		rc = rc ? rc : replica_held(r, rows[i].origin, &held_ms);
		f->children_copied += !rc && copies.copied_ms;
		f->children_held += !rc && held_ms;
		f->children++;
		f->children_missing += !same;
	}
	arena_done(&a);
	return rc;
}

int status_link_code(struct store *st, int *ret)
{
	struct span code = {NULL, 0};
	struct arena a;
	int rc;

	*ret = 0;
	arena_init(&a, 4096);
	rc = store_meta_get(st, "link_code", &a, &code);
	if (!rc && code.len == STATUS_LINK_BYTES) {
		struct cut cut = cut_of(code);
		*ret = (int)cut_u32(&cut);
	}
	arena_done(&a);
	return rc;
}

int status_link_put(struct store *st, int code, int64_t now_ms)
{
	struct buf b;
	int rc;

	buf_init(&b, STATUS_LINK_BYTES);
	buf_u32(&b, (uint32_t)code);
	buf_u64(&b, (uint64_t)now_ms);
	rc = store_meta_put(st, "link_code", buf_span(&b));
	buf_done(&b);
	return rc;
}

static int collect_parent(struct replica *r, struct status_facts *f)
{
	struct cert parent;
	uint8_t origin[16], digest[16];
	int rc;

	f->root = !replica_parent(r, &parent) || parent.role == CERT_ROOT;
	if (f->root) return 0;
	origin_of(parent.origin_key, origin);
	rc = store_peer_get(replica_store(r), origin, &f->parent, &f->parent_known);
	if (rc || !f->parent_known) return rc;
	rc = replica_digest(r, &parent, digest);
	f->parent_same = !rc && !memcmp(digest, f->parent.state, sizeof digest);
	return rc;
}

static int collect_revoked(struct replica *r, struct status_facts *f)
{
	struct cert_row *own = NULL;
	struct arena a;
	int rc;

	arena_init(&a, 0);
	rc = store_cert_by_id(replica_store(r), replica_cert(r)->id, &a, &own);
	f->revoked = !rc && own && own->revoked_ms != 0;
	arena_done(&a);
	return rc;
}

/* What is parked here waits for what?  The causes of the first of them. */
static int collect_waits(struct replica *r, struct status_facts *f)
{
	struct held *held;
	struct arena a;
	size_t count;
	int rc;

	arena_init(&a, 0);
	rc = store_parked_list(replica_store(r), 0, PARKED_LOOKED_AT, &a, &held, &count);
	for (size_t i = 0; !rc && i < count; i++) {
		size_t k = 0;

		while (k < f->waits_count && f->waits[k].cause != held[i].cause) k++;
		if (k == STATUS_WAITS_MAX) continue;
		if (k == f->waits_count) f->waits[f->waits_count++].cause = held[i].cause;
		f->waits[k].count++;
	}
	arena_done(&a);
	return rc;
}

static int collect_heads(struct replica *r, struct status_facts *f)
{
	struct head *heads = NULL;
	size_t count = 0;
	struct arena a;
	int rc;

	arena_init(&a, 0);
	rc = replica_heads(r, &a, &heads, &count);
	for (size_t i = 0; !rc && i < count && i < STATUS_HEADS_MAX; i++)
		f->heads[f->heads_count++] = heads[i];
	arena_done(&a);
	return rc;
}

static int collect(struct replica *r, struct status_facts *ret)
{
	const struct env *env = replica_env(r);
	const struct cert *cert = replica_cert(r);
	int rc;

	*ret = (struct status_facts){
	        .now_ms = env->now_ms(env->ctx),
	        .disk_free = store_disk_free(replica_store(r)),
	        .joined = cert != NULL,
	        .hub = replica_is_hub(r),
	        .not_after_ms = cert ? cert->not_after_ms : 0,
	};
	rc = replica_counts(r, &ret->counts);
	rc = rc ? rc : replica_own_copies(r, &ret->copies);
	if (!rc && ret->counts.parked) rc = collect_waits(r, ret);
	if (!rc && cert) rc = collect_parent(r, ret);
	if (!rc && cert) rc = replica_place_known(r, &ret->placed);
	if (!rc && cert) rc = collect_revoked(r, ret);
	if (!rc && cert && !ret->root) rc = status_link_code(replica_store(r), &ret->link_code);
	if (!rc && cert && ret->hub) rc = collect_children(r, ret);
	if (!rc && cert) rc = collect_heads(r, ret);
	if (!rc && cert && !ret->hub) rc = corrections_count(r, &ret->corrections);
	return rc;
}

/* Of one moment: between two looks the service could seal what is open, and it would be counted in neither place. */
int status_collect(struct replica *r, struct status_facts *ret)
{
	bool within = false;
	int rc = replica_look(r, &within);

	if (rc) return rc;
	rc = collect(r, ret);
	replica_look_end(r, within);
	return rc;
}

/* ---- what is told beside the lamp */

static const struct {
	const char *name;
	enum word text, next, next_child;
} tolds[TOLD_COUNT] = {
        [TOLD_RESTORED] = {"restored", WORD_TOLD_RESTORED, WORD_NEXT_RESTORED, WORD_NEXT_RESTORED},
        [TOLD_COPIED] = {"copied", WORD_TOLD_COPIED, WORD_NEXT_COPIED, WORD_NEXT_COPIED_CHILD},
        [TOLD_STOPPED] = {"stopped", WORD_TOLD_STOPPED, WORD_NEXT_STOPPED, WORD_NEXT_STOPPED},
        [TOLD_SET_ASIDE] = {"set_aside", WORD_TOLD_SET_ASIDE, WORD_NEXT_SET_ASIDE,
                            WORD_NEXT_SET_ASIDE},
        [TOLD_BELOW_COPIED] = {"below_copied", WORD_TOLD_BELOW_COPIED, WORD_NEXT_BELOW_COPIED,
                               WORD_NEXT_BELOW_COPIED},
        [TOLD_HELD] = {"held", WORD_TOLD_HELD, WORD_NEXT_HELD, WORD_NEXT_HELD_CHILD},
        [TOLD_BELOW_HELD] = {"below_held", WORD_TOLD_BELOW_HELD, WORD_NEXT_BELOW_HELD,
                             WORD_NEXT_BELOW_HELD},
        [TOLD_AWAITED] = {"awaited", WORD_TOLD_AWAITED, WORD_NEXT_AWAITED, WORD_NEXT_AWAITED},
        [TOLD_CLOCK] = {"clock", WORD_TOLD_CLOCK, WORD_NEXT_CLOCK, WORD_NEXT_CLOCK_CHILD},
        [TOLD_REFUSED] = {"refused", WORD_TOLD_REFUSED, WORD_NEXT_REFUSED, WORD_NEXT_REFUSED_CHILD},
        [TOLD_WAITS_HERE] = {"waits_here", WORD_TOLD_WAITS_HERE, WORD_NEXT_WAITS_HERE,
                             WORD_NEXT_WAITS_HERE},
        [TOLD_WAITS_ABOVE] = {"waits_above", WORD_TOLD_WAITS_ABOVE, WORD_NEXT_WAITS_ABOVE,
                              WORD_NEXT_WAITS_ABOVE},
        [TOLD_NOT_ARRIVED] = {"not_arrived", WORD_TOLD_NOT_ARRIVED, WORD_NEXT_NOT_ARRIVED,
                              WORD_NEXT_NOT_ARRIVED},
        [TOLD_QUOTA] = {"quota", WORD_TOLD_QUOTA, WORD_NEXT_QUOTA, WORD_NEXT_QUOTA_CHILD},
        [TOLD_OFFENCE] = {"offence", WORD_TOLD_OFFENCE, WORD_NEXT_OFFENCE, WORD_NEXT_OFFENCE},
};

const char *told_name(enum told t)
{
	return tolds[t].name;
}

const char *told_next(enum told t, enum language l)
{
	return word_text(l, tolds[t].next);
}

const char *told_next_child(enum told t, enum language l)
{
	return word_text(l, tolds[t].next_child);
}

static bool clock_off(const struct peer *p)
{
	return p->clock_offset_ms > STATUS_CLOCK_MS || p->clock_offset_ms < -STATUS_CLOCK_MS;
}

/* The hub that lacks most says how much. */
static int64_t late(const struct status_facts *f)
{
	int64_t most = 0;

	for (size_t i = 0; i < f->heads_count; i++)
		if (f->heads[i].late > most) most = f->heads[i].late;
	return most;
}

static bool is_quota(int code)
{
	return code == ERR_QUOTA_DAY || code == ERR_QUOTA_JOURNAL || code == ERR_QUOTA_PARKED ||
	       code == ERR_QUOTA_RUNS;
}

static void text_error(int code, enum language l, struct buf *out)
{
	const struct error_info *info = error_info(code);

	buf_text(out, l == LANGUAGE_ZH ? info->zh : info->en);
}

static bool told_holds(const struct status_facts *f, enum told t)
{
	switch (t) {
	case TOLD_RESTORED:
		return f->counts.restored && !withheld(f); /* nothing comes back by itself then */
	case TOLD_HELD:
		return withheld(f);
	case TOLD_COPIED:
		return f->copies.copied_ms && !f->hub && !f->copies.aside;
	case TOLD_STOPPED:
		return f->copies.copied_ms && f->hub && !f->copies.aside;
	case TOLD_SET_ASIDE:
		return f->copies.aside != 0;
	case TOLD_BELOW_COPIED:
		return f->children_copied > 0;
	case TOLD_BELOW_HELD:
		return f->children_held > 0;
	case TOLD_AWAITED:
		return f->counts.awaited > 0;
	case TOLD_CLOCK:
		return f->parent_known && clock_off(&f->parent);
	case TOLD_REFUSED:
		return f->counts.refused > 0;
	case TOLD_WAITS_HERE:
		return f->counts.parked > 0;
	case TOLD_WAITS_ABOVE:
		return f->parent_known && f->parent.parked > 0;
	case TOLD_NOT_ARRIVED:
		return late(f) > 0;
	case TOLD_QUOTA:
		return is_quota(f->link_code);
	case TOLD_OFFENCE:
	case TOLD_COUNT:
		break;
	}
	return false;
}

size_t status_told(const struct status_facts *f, enum told ret[TOLD_COUNT])
{
	/* The gravest first, as at the lamp. */
	static const enum told order[TOLD_COUNT] = {
	        TOLD_SET_ASIDE,    TOLD_STOPPED,     TOLD_COPIED,      TOLD_HELD,    TOLD_RESTORED,
	        TOLD_BELOW_COPIED, TOLD_BELOW_HELD,  TOLD_AWAITED,     TOLD_REFUSED, TOLD_CLOCK,
	        TOLD_WAITS_HERE,   TOLD_WAITS_ABOVE, TOLD_NOT_ARRIVED, TOLD_QUOTA,   TOLD_OFFENCE};
	size_t n = 0;

	for (size_t i = 0; i < TOLD_COUNT; i++)
		if (told_holds(f, order[i])) ret[n++] = order[i];
	return n;
}

/* "3 of: it waits for a record that it refers to; ..." */
static void text_waits(const struct status_facts *f, enum language l, struct buf *out)
{
	for (size_t i = 0; i < f->waits_count; i++) {
		const struct error_info *info = error_info(f->waits[i].cause);
		const char *text = l == LANGUAGE_ZH ? info->zh : info->en;

		buf_print(out, "%s%" PRId64 " × ",
		          i                  ? " "
		          : l == LANGUAGE_ZH ? ":"
		                             : ": ",
		          f->waits[i].count);
		buf_text(out, text);
	}
}

static int64_t minutes_off(const struct peer *p)
{
	return (p->clock_offset_ms < 0 ? -p->clock_offset_ms : p->clock_offset_ms) / 60000;
}

void told_text(enum told t, const struct status_facts *f, enum language l, struct buf *out)
{
	switch (t) {
	case TOLD_COPIED:
	case TOLD_STOPPED:
		fill_time(out, l, tolds[t].text, f->copies.copied_ms);
		break;
	case TOLD_SET_ASIDE:
		fill_time(out, l, tolds[t].text, f->copies.aside_ms);
		break;
	case TOLD_BELOW_COPIED:
		fill_number(out, l, tolds[t].text, f->children_copied);
		break;
	case TOLD_BELOW_HELD:
		fill_number(out, l, tolds[t].text, f->children_held);
		break;
	case TOLD_AWAITED:
		fill_number(out, l, tolds[t].text, f->counts.awaited);
		break;
	case TOLD_CLOCK:
		fill_number(out, l, tolds[t].text, minutes_off(&f->parent));
		break;
	case TOLD_REFUSED:
		fill_number(out, l, tolds[t].text, f->counts.refused);
		break;
	case TOLD_WAITS_HERE:
		fill_number(out, l, tolds[t].text, f->counts.parked);
		text_waits(f, l, out);
		break;
	case TOLD_WAITS_ABOVE:
		fill_number(out, l, tolds[t].text, f->parent.parked);
		break;
	case TOLD_NOT_ARRIVED:
		fill_number(out, l, tolds[t].text, late(f));
		break;
	case TOLD_QUOTA:
		fill_number(out, l, tolds[t].text, f->counts.unsent);
		text_error(f->link_code, l, out);
		break;
	case TOLD_RESTORED:
	case TOLD_HELD:
	case TOLD_OFFENCE:
	case TOLD_COUNT:
		buf_text(out, word_text(l, tolds[t == TOLD_HELD ? t : TOLD_RESTORED].text));
		break;
	}
}

/* ---- of one child */

size_t status_told_child(const struct child_facts *f, enum told ret[TOLD_COUNT])
{
	size_t n = 0;

	if (f->offence.count) ret[n++] = TOLD_OFFENCE;
	if (f->quota.code) ret[n++] = TOLD_QUOTA;
	if (f->copies.copied_ms) ret[n++] = TOLD_COPIED;
	if (f->held_ms)
		ret[n++] = TOLD_HELD;
	else if (f->peer.restored)
		ret[n++] = TOLD_RESTORED;
	if (f->refused) ret[n++] = TOLD_REFUSED;
	if (clock_off(&f->peer)) ret[n++] = TOLD_CLOCK;
	if (f->parked) ret[n++] = TOLD_WAITS_HERE;
	return n;
}

void told_text_child(enum told t, const struct child_facts *f, enum language l, struct buf *out)
{
	char alive[32];
	struct buf since;

	switch (t) {
	case TOLD_COPIED:
		buf_init(&since, 64);
		time_show(f->copies.copied_ms, &since);
		(void)snprintf(alive, sizeof alive, "%zu", f->copies.lines_count);
		word_fill(out, l, WORD_TOLD_COPIED_CHILD, alive, buf_cstr(&since), WORD_END);
		buf_done(&since);
		break;
	case TOLD_RESTORED:
		fill_time(out, l, WORD_TOLD_RESTORED_CHILD, f->copies.back_ms);
		break;
	case TOLD_HELD:
		fill_time(out, l, WORD_TOLD_HELD_CHILD, f->held_ms);
		break;
	case TOLD_REFUSED:
		fill_number(out, l, WORD_TOLD_REFUSED, f->refused);
		break;
	case TOLD_CLOCK:
		fill_number(out, l, WORD_TOLD_CLOCK_CHILD, minutes_off(&f->peer));
		break;
	case TOLD_WAITS_HERE:
		fill_number(out, l, WORD_TOLD_WAITS_HERE, f->parked);
		break;
	case TOLD_OFFENCE:
		fill_number(out, l, WORD_TOLD_OFFENCE, f->offence.count);
		buf_text(out, l == LANGUAGE_ZH ? ":" : ": ");
		text_error(f->offence.code, l, out);
		break;
	case TOLD_QUOTA:
		fill_number(out, l, WORD_TOLD_QUOTA_CHILD, (int64_t)(f->quota.bytes >> 10));
		text_error(f->quota.code, l, out);
		break;
	case TOLD_STOPPED:
	case TOLD_SET_ASIDE:
	case TOLD_BELOW_COPIED:
	case TOLD_BELOW_HELD:
	case TOLD_AWAITED:
	case TOLD_WAITS_ABOVE:
	case TOLD_NOT_ARRIVED:
	case TOLD_COUNT:
		break;
	}
}

int status_child_facts(struct replica *r, const struct cert *child, struct child_facts *ret)
{
	uint8_t origin[16];
	uint32_t unit;
	struct scope scope;
	bool seen;
	int rc;

	*ret = (struct child_facts){0};
	origin_of(child->origin_key, origin);
	rc = store_peer_get(replica_store(r), origin, &ret->peer, &seen);
	if (!rc && !seen) ret->peer = (struct peer){0};
	rc = rc ? rc : replica_copies(r, origin, &ret->copies);
	rc = rc ? rc : replica_held(r, origin, &ret->held_ms);
	rc = rc ? rc : replica_offence(r, origin, &ret->offence);
	rc = rc ? rc : quota_use_get(r, origin, &ret->quota);
	rc = rc ? rc : store_scope_ord(replica_store(r), child->unit, false, &unit);
	if (rc || !unit) return rc;
	rc = store_scope_get(replica_store(r), unit, &scope);
	return rc ? rc
	          : store_held_counts(replica_store(r), scope.feed, &ret->parked, &ret->refused);
}

int status_of(struct replica *r, struct status *ret)
{
	struct status_facts f;
	int rc = status_collect(r, &f);

	if (!rc) status_judge(&f, ret);
	return rc;
}

static void fill_number(struct buf *out, enum language l, enum word w, int64_t n)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%" PRId64, n);
	word_fill(out, l, w, text, WORD_END);
}

static void fill_time(struct buf *out, enum language l, enum word w, int64_t ms)
{
	struct buf t;

	buf_init(&t, 64);
	time_show(ms, &t);
	word_fill(out, l, w, buf_cstr(&t), WORD_END);
	buf_done(&t);
}

static void text_complete(const struct status *s, enum language l, struct buf *out)
{
	const struct status_facts *f = &s->facts;
	int64_t when = f->root ? f->now_ms : f->parent.agreed_ms;

	if (!s->complete)
		fill_number(out, l, WORD_LAMP_CHILDREN, f->children_missing);
	else
		fill_time(out, l,
		          f->now_ms - when > STATUS_DAY_MS ? WORD_LAMP_OLD : WORD_LAMP_COMPLETE,
		          when);
}

/* The gravest first: that this copy is not the one, that there are two, that it was restored. */
static void text_identity(const struct status_facts *f, enum language l, struct buf *out)
{
	enum told told[TOLD_COUNT];

	if (status_told(f, told) && told[0] < TOLD_BELOW_COPIED)
		told_text(told[0], f, l, out);
	else
		buf_text(out, word_text(l, WORD_LAMP_IDENTITY));
}

void status_text(const struct status *s, enum language l, struct buf *out)
{
	const struct status_facts *f = &s->facts;
	const struct replica_counts *n = &f->counts;
	int64_t off = f->parent.clock_offset_ms;
	char sent[32], all[32];

	switch (s->lamp) {
	case LAMP_DISK_FULL:
		buf_text(out, word_text(l, WORD_LAMP_DISK_FULL));
		break;
	case LAMP_REVOKED:
		buf_text(out, word_text(l, WORD_LAMP_REVOKED));
		break;
	case LAMP_IDENTITY:
		text_identity(f, l, out);
		break;
	case LAMP_REFUSED:
		fill_number(out, l, WORD_LAMP_REFUSED, n->refused);
		break;
	case LAMP_CERT_EXPIRED:
		buf_text(out, word_text(l, WORD_LAMP_CERT_EXPIRED));
		break;
	case LAMP_CLOCK:
		fill_number(out, l, WORD_LAMP_CLOCK, (off < 0 ? -off : off) / 60000);
		break;
	case LAMP_WRONG_PEER:
		buf_text(out, word_text(l, WORD_LAMP_WRONG_PEER));
		break;
	case LAMP_VERSION:
		buf_text(out, word_text(l, WORD_LAMP_VERSION));
		break;
	case LAMP_DISK_LOW:
		fill_number(out, l, WORD_LAMP_DISK_LOW, f->disk_free >> 30);
		break;
	case LAMP_CERT_SOON:
		fill_number(out, l, WORD_LAMP_CERT_SOON,
		            (f->not_after_ms - f->now_ms) / STATUS_DAY_MS);
		break;
	case LAMP_UNJOINED:
		fill_number(out, l, WORD_LAMP_UNJOINED, n->unsent);
		break;
	case LAMP_UNAPPROVED:
		buf_text(out, word_text(l, WORD_LAMP_UNAPPROVED));
		break;
	case LAMP_REPAIRING:
		(void)snprintf(sent, sizeof sent, "%" PRId64, n->differing + n->mended);
		(void)snprintf(all, sizeof all, "%" PRId64, n->mended);
		word_fill(out, l, WORD_LAMP_REPAIRING, sent, all, WORD_END);
		break;
	case LAMP_SENDING:
		(void)snprintf(sent, sizeof sent, "%" PRId64, f->parent.acked);
		(void)snprintf(all, sizeof all, "%" PRId64, n->journal);
		word_fill(out, l, WORD_LAMP_SENDING, sent, all, WORD_END);
		break;
	case LAMP_OFFLINE:
		fill_number(out, l, WORD_LAMP_OFFLINE, n->unsent);
		break;
	case LAMP_PENDING:
		fill_number(out, l, WORD_LAMP_PENDING, n->unsent);
		break;
	case LAMP_CHECKING:
		buf_text(out, word_text(l, WORD_LAMP_CHECKING));
		break;
	case LAMP_COMPLETE:
		text_complete(s, l, out);
		break;
	case LAMP_COUNT:
		break;
	}
	if (s->more) {
		buf_text(out, l == LANGUAGE_ZH ? ";" : "; ");
		fill_number(out, l, WORD_STATUS_MORE, s->more);
	}
}
