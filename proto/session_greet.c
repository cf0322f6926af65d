/*
 * session_greet.c - HELLO and WELCOME: who is met, by which run, from where each side goes on.
 */
#include "common/base.h"

#include "proto/session_parts.h"

#include "common/crypt.h"
#include "common/ident.h"
#include "common/pack.h"

static int begin_work(struct session *s)
{
	bool sealed;
	int rc = replica_correct(s->r);
	return rc ? rc : replica_seal(s->r, &sealed);
}

int session_say_hello(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_HELLO};
	struct msg_hello *h = &m.hello;
	struct peer p;
	int rc = begin_work(s);
	rc = rc ? rc : session_peer_load(s, &p);
	s->p.peer_run = rc ? 0 : p.run;
	if (!rc && s->p.peer_run) {
		rc = session_marks_load(s, s->p.peer_run, 0);
		rc = rc ? rc : store_run_ord(s->r->st, s->p.peer_run, &s->peer_ord);
	}
	rc = rc ? rc : session_last_own_run(s, &h->last_run);
	rc = rc ? rc : session_open_feed(s);
	rc = rc ? rc : session_digest_now(s, h->state);
	uint8_t told_filter[8];
	bool told = false;
	rc = rc ? rc : session_recall(s, "told", told_filter, sizeof(told_filter), &told);
	if (rc) return rc;
	h->protocol_min = s->c.protocol_min;
	h->protocol_max = s->c.protocol_max;
	h->run = s->r->s.run;
	memcpy(h->cert, s->r->cert.id, 8);
	struct copies met;
	struct own_copies own;
	rc = replica_copies(s->r, s->peer_origin, &met);
	rc = rc ? rc : replica_own_copies(s->r, &own);
	if (rc) return rc;
	h->other = session_other_of(&met);
	h->survivor = own.survivor;
	h->schema_version = s->c.schema_version;
	h->cursor.mark = session_marks_newest(s);
	memcpy(s->hello_filter, h->cursor.mark.filter, 8);
	s->hello_last_run = h->last_run;
	if (!told || memcmp(told_filter, s->feed.id, 8) != 0) memcpy(h->filter, s->feed.id, 8);
	h->clock_ms = s->r->env->now_ms(s->r->env->ctx);
	s->in_granted = s->c.credit_window;
	h->credit = s->in_granted == CREDIT_DEFAULT ? 0 : s->in_granted;
	s->r->env->random(s->r->env->ctx, &s->hello_nonce, sizeof(s->hello_nonce));
	s->hello_nonce |= 1; /* 0 means none */
	h->nonce = s->hello_nonce;
	memcpy(s->said.state, h->state, 16);
	s->said.acked = h->cursor.mark.pos;
	s->state = SESSION_GREETED;
	session_send(s, a, &m, FRAME_CONTROL);
	return 0;
}

void session_ask_run(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_ASK};
	m.ask = (struct msg_ask){.session = s->nonce, .what = ASK_RUN};
	for (size_t i = 0; i < 8; i++) m.ask.id[i] = (uint8_t)(s->p.peer_run >> (8 * i));
	session_send(s, a, &m, FRAME_CONTROL);
}

int session_send_marks(struct session *s, struct session_actions *a)
{
	struct message m = {.type = MSG_MARKS};
	m.marks.session = s->nonce;
	m.marks.count = s->marks_count;
	memcpy(m.marks.marks, s->marks, s->marks_count * sizeof(*s->marks));
	session_send(s, a, &m, FRAME_CONTROL);
	return 0;
}

int session_note_restored(struct session *s)
{
	struct peer p;
	int rc = session_peer_load(s, &p);
	struct copies c;
	p.restored = true;
	rc = rc ? rc : store_peer_put(s->r->st, &p);
	rc = rc ? rc : replica_copies(s->r, s->peer_origin, &c);
	c.back_ms = session_wall_ms(s);
	return rc ? rc : replica_copies_keep(s->r, s->peer_origin, &c);
}

/*
 * Our journal went back under the present run.  As a rule the witness shows that a disk was restored, and the present run
 * began after that.  A machine image that was resumed with nothing to show it goes on under a run that peers have heard more
 * of; what they keep as coming from this run would never come home.  So another run is drawn, and the session begins anew.
 */
static int went_back(struct session *s, struct session_actions *a)
{
	env_trace(s->r->env, "session: went back under a running run");
	int rc = engine_went_back(s->r);
	return rc ? rc : session_refuse(s, a, ERR_BUSY);
}

/* A cursor on us that we do not know was heard under our present run, says the peer.  Believed once for each run: its word
 * costs us all our sessions. */
int session_on_ask_run(struct session *s, const struct msg_ask *k, struct session_actions *a)
{
	uint64_t said, found = 0;
	struct span m;
	struct cut c = cut_of(span_of(k->id, sizeof(k->id)));
	said = cut_u64(&c);
	int rc = store_meta_get(s->r->st, "back", &s->memory, &m);
	if (!rc && m.len == sizeof(found)) memcpy(&found, m.p, sizeof(found));
	return rc || said != s->r->s.run || found == s->r->s.run ? rc : went_back(s, a);
}

/* Parent: the child is there. */
/* NOLINTNEXTLINE(readability-function-cognitive-complexity): the checks and steps of one greeting, in their order */
int session_on_hello(struct session *s, const struct msg_hello *h, struct session_actions *a)
{
	struct message m = {.type = MSG_WELCOME};
	struct msg_welcome *w = &m.welcome;
	if (!s->c.parent || s->state != SESSION_NEW) return session_refuse(s, a, ERR_PROTOCOL);
	if (h->protocol_min > s->c.protocol_max || h->protocol_max < s->c.protocol_min)
		return session_refuse(s, a, ERR_VERSION);
	bool foreign, taken, last_taken = false;
	int rc = session_look_at_cert(s, h->cert, &foreign);
	if (!rc && foreign) return session_refuse(s, a, ERR_CERT_BAD);
	rc = rc ? rc : session_run_taken(s, h->run, &taken);
	if (!rc && h->last_run) rc = session_run_taken(s, h->last_run, &last_taken);
	if (rc) return rc;
	if (taken || last_taken || h->run <= RUN_NOBODY || h->run > RUN_MASK ||
	    h->last_run > RUN_MASK)
		return session_refuse(s, a, ERR_PROTOCOL);
	s->hello_nonce = h->nonce;
	struct copies met;
	struct own_copies own;
	bool two = false;
	rc = replica_copies(s->r, s->peer_origin, &met);
	rc = rc ? rc : session_told_of_other(s, h->other, h->survivor);
	rc = rc ? rc : replica_own_copies(s->r, &own);
	if (rc) return rc;
	if (met.survivor >
	    h->survivor) { /* one that was set aside: what it holds is handed in as a file */
		session_say_named(s, a, h->nonce, met.statement);
		return session_refuse_later(s, a, ERR_SET_ASIDE);
	}
	if (replica_stopped(s->r)) return session_refuse_later(s, a, replica_stopped(s->r));
	s->p.peer_run = h->run;
	s->peer_last = h->last_run;
	uint32_t run_known = 0;
	rc = store_run_ord(s->r->st, h->run, &run_known);
	bool new_run = !run_known;
	rc = rc ? rc : session_meet(s, &met, /* sure= */ false, &two);
	s->met_before = met.lines_count ? met.lines[0].tip : 0;
	rc = rc ? rc : session_patience_recall(s);
	rc = rc ? rc : begin_work(s);
	rc = rc ? rc : session_marks_load(s, h->run, h->last_run);
	rc = rc ? rc
	        : session_greet_peer(s, h->clock_ms, h->schema_version,
	                             s->c.protocol_max < h->protocol_max ? s->c.protocol_max
	                                                                 : h->protocol_max,
	                             h->state, /* w= */ NULL);
	rc = rc ? rc : session_last_own_run(s, &w->last_run);
	rc = rc ? rc : session_keep_own_run(s);
	rc = rc ? rc : session_confirm(s, &h->cursor.mark, &w->confirmed);
	if (!rc && w->confirmed) rc = session_forgot_ours(s, h->cursor.mark.pos);
	rc = rc ? rc : session_open_feed(s);
	rc = rc ? rc : session_digest_now(s, w->state);
	if (rc) return rc;
	s->nonce = h->nonce;
	w->protocol = s->c.protocol_max < h->protocol_max ? s->c.protocol_max : h->protocol_max;
	w->run = s->r->s.run;
	w->other = session_other_of(&met);
	s->told_other = w->other != 0;
	s->met_seen = s->r->met_changed;
	w->survivor = own.survivor;
	w->schema_version = s->c.schema_version;
	w->cursor.mark = session_marks_newest(s);
	if (memcmp(h->cursor.mark.filter, s->feed.id, 8) != 0) memcpy(w->filter, s->feed.id, 8);
	w->clock_ms = s->r->env->now_ms(s->r->env->ctx);
	w->session = s->nonce;
	s->in_granted = s->c.credit_window;
	w->credit = s->in_granted == CREDIT_DEFAULT ? 0 : s->in_granted;
	struct msg_state held = {0};
	rc = session_held_for_peer(s, &held);
	w->unsettled = held.parked || held.refused;
	rc = rc ? rc : session_quota_count(s, /* bytes= */ 0, /* runs= */ new_run);
	if (rc) return rc;
	if (s->over) s->in_granted = w->credit = 1; /* leave to show that there is something */
	session_grant(s, h->credit ? h->credit : CREDIT_DEFAULT);
	static const uint8_t as_before[8];
	memcpy(s->in_filter,
	       memcmp(h->filter, as_before, 8) != 0 ? h->filter : session_marks_newest(s).filter,
	       8);
	memcpy(s->heard_state, h->state, 16);
	memcpy(s->said.state, w->state, 16);
	s->said.acked = w->cursor.mark.pos;
	s->said.parked = held.parked;
	s->said.refused = held.refused;
	s->in_open = true;
	s->state = SESSION_OPEN;
	session_open_repair(s, w->protocol);
	/* Whoever is in doubt has to answer. */
	rc = w->confirmed && !s->doubt ? session_nothing_for(s, &h->cursor.mark, &w->idle) : 0;
	bool wants = false;
	if (!rc && s->descent)
		rc = descent_wants(s->r, &s->c.peer, memcmp(w->state, h->state, 16) != 0, &wants);
	w->idle = w->idle && !wants;
	s->said_idle = w->idle &&
	               !memcmp(w->state, h->state, 16); /* WELCOME has said all there is to say */
	if (rc) return rc;
	session_send(s, a, &m, FRAME_CONTROL);
	rc = met.survivor < h->survivor ? session_ask_named(s, a) : 0;
	if (rc || w->confirmed) return rc ? rc : session_out_start(s, &h->cursor.mark);
	env_trace(s->r->env, "session: cursor not confirmed, the child's");
	s->r->s.restored = true; /* our journal went back */
	return session_note_restored(s);
}

/* Child: the parent answered. */
int session_on_welcome(struct session *s, const struct msg_welcome *w, struct session_actions *a)
{
	struct message m = {.type = MSG_ASK};
	bool ours, same_run = s->marks_count && w->run == s->p.peer_run;
	if (s->c.parent || s->state != SESSION_GREETED || w->session != s->hello_nonce)
		return 0; /* of another session: dropped */
	if (w->retry_after_s) {
		a->retry_after_s = w->retry_after_s;
		return session_close(s, a, ERR_BUSY);
	}
	if (w->protocol < s->c.protocol_min || w->protocol > s->c.protocol_max)
		return session_refuse(s, a, ERR_VERSION);
	bool taken, last_taken = false;
	int rc = session_run_taken(s, w->run, &taken);
	if (!rc && w->last_run) rc = session_run_taken(s, w->last_run, &last_taken);
	if (rc) return rc;
	if (taken || last_taken || w->run <= RUN_NOBODY || w->run > RUN_MASK ||
	    w->last_run > RUN_MASK)
		return session_refuse(s, a, ERR_PROTOCOL);
	s->nonce = w->session;
	session_open_repair(s, w->protocol);
	s->p.round_trips++;
	struct copies met;
	bool two = false;
	int told = session_told_of_other(s, w->other, w->survivor);
	told = told ? told : replica_copies(s->r, s->peer_origin, &met);
	if (told) return told;
	if (met.survivor > w->survivor) {
		session_say_named(s, a, s->nonce, met.statement);
		return session_refuse(s, a, ERR_SET_ASIDE);
	}
	rc = session_marks_follow(s, w->run, w->last_run);
	rc = rc ? rc
	        : session_greet_peer(s, w->clock_ms, w->schema_version, w->protocol, w->state, w);
	rc = rc ? rc : session_keep_own_run(s);
	rc = rc ? rc : session_open_feed(s);
	rc = rc ? rc : session_remember_filter(s, w->cursor.mark.filter);
	rc = rc ? rc : session_confirm(s, &w->cursor.mark, &ours);
	if (rc) return rc;
	/* Before its data is taken: what it keeps as coming from this run is passed over by a cursor that is told under this run.
	 * Where we know of no run told to it, it may have been this one. */
	if (!ours && (!s->hello_last_run || s->hello_last_run == s->r->s.run)) {
		s->r->s.restored = true;
		return went_back(s, a);
	}
	static const uint8_t as_before[8];
	session_grant(s, w->credit ? w->credit : CREDIT_DEFAULT);
	memcpy(s->in_filter, memcmp(w->filter, as_before, 8) != 0 ? w->filter : s->hello_filter, 8);
	memcpy(s->heard_state, w->state, 16);
	s->said_idle = s->heard_idle = w->idle && !memcmp(w->state, s->said.state, 16);
	s->heard_acked = ours ? w->cursor.mark.pos : 0;
	s->heard.parked = w->unsettled;
	s->in_open = true;
	s->state = SESSION_OPEN;
	s->peer_last = w->last_run;
	rc = session_meet(s, &met, /* sure= */ true, &two);
	if (!rc && met.survivor < w->survivor) rc = session_ask_named(s, a);
	if (rc) return rc;
	if (two) return session_refuse(s, a, ERR_BUSY); /* greet again, and say so */
	rc = session_ask_renewal(s, w, a);
	if (rc) return rc;
	if (!w->confirmed && same_run) session_ask_run(s, a); /* and its run went on */
	if (!w->confirmed)                                    /* the parent's journal went back */
		rc = session_send_marks(s, a);
	if (!rc && ours) return session_out_start(s, &w->cursor.mark);
	if (rc) return rc;
	env_trace(s->r->env, "session: cursor not confirmed, the parent's");
	s->r->s.restored = true; /* our journal went back: this disk is a restored or copied one */
	rc = session_note_restored(s);
	if (rc) return rc;
	m.ask = (struct msg_ask){.session = s->nonce, .what = ASK_MARKS};
	session_send(s, a, &m, FRAME_CONTROL);
	return 0;
}

/* Sender: the receiver's older cursors; go on from the newest on which both agree. */
int session_on_marks(struct session *s, const struct msg_marks *k, struct session_actions *a)
{
	struct message m = {.type = MSG_PLACE};
	struct mark at = {0};
	/* Once is enough: each time we begin anew from there. */
	if (s->marks_heard) return session_refuse(s, a, ERR_PROTOCOL);
	s->marks_heard = true;
	for (size_t i = k->count; i-- > 0;) {
		bool ours;
		int rc = session_confirm(s, &k->marks[i], &ours);
		if (rc) return rc;
		if (ours) {
			at = k->marks[i];
			break;
		}
	}
	m.place = (struct msg_place){.session = s->nonce, .mark = at, .restart = true};
	memcpy(m.place.mark.filter, s->feed.id, 8);
	m.place.number = ++s->out_number;
	session_send(s, a, &m, FRAME_BULK); /* never past the DATA before it */
	s->place_unheard = true;
	return session_out_start(s, &at);
}
