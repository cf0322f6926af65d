#include "common/base.h"

#include "node/status.h"

#include "common/validate.h"

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

enum { CERT_SOON_DAYS = 30 };

const char *lamp_name(enum lamp lamp)
{
	return lamps[lamp].name;
}

/* Hashes of every shared scope and lane equal at the last contact, and nothing written since. */
static bool agrees(const struct status_facts *f)
{
	return f->root || (f->parent_known && f->parent.agreed_ms > 0 && f->parent_same);
}

/* "Complete" towards the own parent, as ux.md section 4 defines it. */
static bool own_complete(const struct status_facts *f)
{
	const struct replica_counts *n = &f->counts;

	if (!f->joined || f->revoked || n->restored || n->gaps || n->unstated || n->refused ||
	    n->parked || n->waiting || n->unapplied || n->unadmitted)
		return false;
	if (f->root) return true;
	return !n->unsent && !n->tail && !n->received && agrees(f) && !f->parent.refused &&
	       !f->parent.parked && !f->parent.unapplied;
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
		return n->restored || n->alarms > 0;
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
		return false; /* no repair in this version: `differs` shows as checking */
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
	rc = store_certs(replica_store(r), &a, &rows, &count);
	for (size_t i = 0; !rc && i < count; i++) {
		struct cert c;
		struct peer peer;
		bool seen, same;
		if (memcmp(rows[i].issuer, replica_cert(r)->id, 16) != 0 || rows[i].revoked_ms ||
		    !memcmp(rows[i].id, replica_cert(r)->id, 16) ||
		    cert_open(rows[i].body, &c, NULL))
			continue;
		rc = status_child(r, &c, &seen, &peer, &same);
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

int status_collect(struct replica *r, struct status_facts *ret)
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
	if (!rc && cert) rc = collect_parent(r, ret);
	if (!rc && cert) rc = collect_revoked(r, ret);
	if (!rc && cert && !ret->root) rc = status_link_code(replica_store(r), &ret->link_code);
	if (!rc && cert && ret->hub) rc = collect_children(r, ret);
	return rc;
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
		buf_text(out, word_text(l, WORD_LAMP_IDENTITY));
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
		fill_number(out, l, WORD_LAMP_REPAIRING, n->gaps);
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
