/*
 * session_parts.h - what the parts of a session (session*.c) share: its struct, and what each part does for the others.
 *
 * No other file includes this.  rc is 0 or -ERR_x of the engine, which ends the session without a word; what a peer did
 * wrong is session_refuse.  The call's frames go into the actions of the step under way.
 */
#ifndef PROTO_SESSION_PARTS_H
#define PROTO_SESSION_PARTS_H

#include "proto/copies.h"
#include "proto/descent.h"
#include "proto/session.h"

enum { CREDIT_DEFAULT = 1024 * 1024 /* bytes; said as 0 in HELLO and WELCOME */ };

struct session {
	struct replica *r;
	struct session_config c;
	enum session_state state;
	struct session_progress p;
	uint8_t peer_origin[16];
	uint64_t nonce, hello_nonce, hello_last_run;
	uint64_t own_run; /* as told to the peer */
	uint32_t peer_ord;
	int64_t heard_ms, due_ms;
	uint8_t patience;    /* how often the time of silence is doubled with this peer */
	bool eased;          /* the work of this session was done: less patience the next time */
	struct arena memory; /* of one step */
	bool looked;         /* into what differs */
	bool renewing;       /* child: RENEW was said and not answered */
	bool renewed;        /* parent: answered one */
	struct descent *descent;      /* NULL: the peer knows nothing of repair */
	struct session_actions *step; /* of the step under way, for it */

	/* sending */
	struct feed feed, old_feed;
	uint32_t feeds_seen;
	bool out_open, rescanning, out_told;
	int64_t out_pos, out_last, rescan_until;
	uint64_t credit, data_out; /* absolute bytes of DATA: granted, sent */
	uint64_t window; /* the first grant: who grants more has taken what is beyond it */
	unsigned asks;   /* of the peer in this session */
	bool marks_heard;
	bool shown,
	        taken_up; /* our certificate, to a parent that has forgotten us, which keeps it now */
	bool place_unheard; /* we said where to begin anew: until that is answered, positions that the peer names are of a journal
	                       that is gone */
	int64_t owed_sent
	        [OWED_MAX]; /* sent and not acknowledged: what was damaged when its turn came */
	size_t owed_sent_count;
	uint64_t owed_bytes; /* data_out behind it */
	bool place_due;      /* a widened filter was caught up with: the cursor takes its id */
	struct short_form out_form, in_form;

	/* receiving */
	bool in_open;
	struct mark marks[MARKS_MAX];
	size_t marks_count;
	bool marks_moved; /* in this session, from the peer's last run */
	uint8_t in_filter[8], hello_filter[8];
	uint64_t in_granted, in_bytes;
	int over;         /* parent: the quota that is used up; nothing more is taken */
	bool over_wanted; /* and the child has more to send */
	bool over_left; /* and something of it was left with the child: no place behind it counts */
	uint32_t in_number, out_number; /* ordered messages: DATA and PLACE */

	uint64_t counted_in, counted_out; /* bytes already in struct peer */

	uint32_t met_seen;
	bool told_other; /* WELCOME has said that two of the peer are alive */
	bool named_asked,
	        named_due; /* who of its copies survives: until that came, we do not leave */
	bool doubt; /* the peer's run may be that of a copy: to be believed once it has answered */
	uint64_t peer_last, met_before; /* the peer's run that was met last when WELCOME went out */

	/* agreement */
	struct msg_state said; /* or what HELLO and WELCOME said to the same end */
	uint8_t heard_state[16];
	bool heard_idle, said_idle;
	bool heard_fresh; /* no DATA came since the peer said its state */
	int64_t heard_acked;
	struct msg_state heard;
};

/* ---- session.c */
/* priority: FRAME_CONTROL or FRAME_BULK; returns the bytes of the message. */
size_t session_send(struct session *s, struct session_actions *a, const struct message *m,
                    int priority);
/* code: why, 0 for an end that both want; for the driver and for people. */
int session_close(struct session *s, struct session_actions *a, int code);
/* What a peer did wrong, or what does not fit: said to it, then the end. */
int session_refuse(struct session *s, struct session_actions *a, int code);
/* The same, and when it may come again; 0: at once. */
int session_refuse_after(struct session *s, struct session_actions *a, int code,
                         uint32_t retry_after_s);
/* If the protocol of the two has it. */
void session_open_repair(struct session *s, uint16_t protocol);

/* ---- session_peer.c */
/* A value that session_remember kept of this peer under `what`; unknown if it has another length. */
int session_recall(struct session *s, const char *what, void *ret, size_t len, bool *ret_known);
int session_remember(struct session *s, const char *what, const void *p, size_t len);
/* Our run as the peer was told it last; 0: never. */
int session_last_own_run(struct session *s, uint64_t *ret);
/* Before anything of ours can have reached the peer under the new run. */
int session_keep_own_run(struct session *s);
/* Now, for what is kept; never 0, which stands for never. */
int64_t session_wall_ms(const struct session *s);
/* What is kept of the peer, with the bytes of this session so far added; the caller puts it back. */
int session_peer_load(struct session *s, struct peer *ret);
/* How often the time of silence is doubled with this peer, session after session. */
int session_patience_recall(struct session *s);
int session_patience_change(struct session *s, int by);
/* How long the peer may say nothing. */
int64_t session_silence_ms(const struct session *s);
/* Keeps what the greeting said; w: WELCOME, at the child. */
int session_greet_peer(struct session *s, int64_t clock_ms, uint32_t schema, uint16_t protocol,
                       const uint8_t state[16], const struct msg_welcome *w);

/* ---- session_take.c */
/* Our cursor on the peer's run; where there is none, as it stood under its last run. */
int session_marks_load(struct session *s, uint64_t run, uint64_t last_run);
/* Does this run belong to another device? */
int session_run_taken(struct session *s, uint64_t run, bool *ret);
/* Child: WELCOME names the parent's run; the cursor that HELLO told goes on under it. */
int session_marks_follow(struct session *s, uint64_t run, uint64_t last_run);
/* Zeros where there is no mark. */
struct mark session_marks_newest(const struct session *s);
/* Of the parent's child: what came counts today; s->over is set when that is too much. */
int session_quota_count(struct session *s, uint64_t bytes, uint64_t runs);
int session_on_place(struct session *s, const struct msg_place *p, struct session_actions *a);
int session_on_data(struct session *s, const struct msg_data *d, size_t frame_bytes,
                    struct session_actions *a);

/* ---- session_give.c */
/* Is the mark one of our journal as it is now? */
int session_confirm(struct session *s, const struct mark *m, bool *ret);
/* Absolute bytes of DATA that the peer takes; never less than before, bounded beyond what was sent. */
void session_grant(struct session *s, uint64_t credit);
/* From this mark on goes what the feed admits; a widened feed is caught up with first. */
int session_out_start(struct session *s, const struct mark *at);
/* As much as credit and a step allow; due at once if there is more. */
int session_pump(struct session *s, struct session_actions *a);
/* Has all that is here for the peer been sent? */
int session_out_done(struct session *s, bool *ret);
/* Parent: the child takes its run for new to us, and we had heard of it: its disk may have gone back. */
bool session_may_be_back(const struct session *s);
int session_open_feed(struct session *s);
/* Is there nothing behind this mark for the peer? */
int session_nothing_for(struct session *s, const struct mark *at, bool *ret);
/* Parent: the child's place in our journal is before what it had acknowledged: its disk is one of before. */
int session_forgot_ours(struct session *s, int64_t pos);
/* The filter that the parent's cursor knows us by: HELLO need not repeat it. */
int session_remember_filter(struct session *s, const uint8_t filter[8]);
/* Durable at the peer up to this position of ours. */
int session_hear_acked(struct session *s, int64_t pos);
int session_on_ack(struct session *s, const struct msg_ack *k);
/* A feed that changed under an open session: the session ends, to start anew with the new filter. */
int session_on_feeds(struct session *s, struct session_actions *a);

/* ---- session_agree.c */
/* Of all that the two share. */
int session_digest_now(struct session *s, uint8_t ret[16]);
/* Both digests are equal and nothing is on its way: kept with the time. */
int session_agreed_now(struct session *s);
/* Counts of what is parked and refused here of the peer's scopes. */
int session_held_for_peer(struct session *s, struct msg_state *ret);
/* enum state_unapplied: what keeps equal digests from being an agreement. */
int session_state_unsaid(struct session *s, unsigned *ret);
/* Says how things stand when we are idle and what we said last is no longer so; begins an audit where digests differ. */
int session_tell_state(struct session *s, struct session_actions *a);
int session_on_state(struct session *s, const struct msg_state *st);

/* ---- session_copies.c */
/* Refused for now: the peer is told when to come again. */
int session_refuse_later(struct session *s, struct session_actions *a, int code);
/* The same, since another of the same device takes its place at the hub. */
int session_yield(struct session *s, struct session_actions *a);
void session_say_named(struct session *s, struct session_actions *a, uint64_t session,
                       const uint8_t statement[NAMED_BYTES]);
/* A peer tells that it met another copy of us; believed or not by what it has heard of a person's word. */
int session_told_of_other(struct session *s, uint64_t other, uint64_t survivor);
/* The peer's run is met: are two alive, and was it the one that was set aside? */
int session_meet(struct session *s, struct copies *c, bool sure, bool *ret_two);
uint64_t session_other_of(const struct copies *c);
/* The peer has answered as only the one that lives can. */
int session_dispel_doubt(struct session *s, struct session_actions *a);
/* Another session met a copy of this peer meanwhile. */
int session_look_at_met(struct session *s, struct session_actions *a);
int session_on_ask_named(struct session *s, struct session_actions *a);
/* Who survives, if the peer knows and we do not. */
int session_ask_named(struct session *s, struct session_actions *a);
int session_on_named(struct session *s, const struct msg_named *n, struct session_actions *a);

/* ---- session_cert.c */
/* Sends the certificates without which the peer cannot check this entry, each once. */
int session_introduce(struct session *s, struct session_actions *a, const struct entry *e);
/* The child names its newest certificate; one unknown here was given before our disk went back. */
int session_look_at_cert(struct session *s, const uint8_t id[8], bool *ret_foreign);
/* RENEW, where the certificate runs out soon or the address is another; once a day. */
int session_ask_renewal(struct session *s, const struct msg_welcome *w, struct session_actions *a);
int session_on_renew(struct session *s, const struct msg_renew *m, struct session_actions *a);
int session_on_cert(struct session *s, const struct msg_cert *c, struct session_actions *a);
/* To a parent that does not know us any more. */
int session_show_cert(struct session *s, struct session_actions *a);

/* ---- session_greet.c */
int session_say_hello(struct session *s, struct session_actions *a);
/* Tells the child that its journal went back under its present run: it is to draw another. */
void session_ask_run(struct session *s, struct session_actions *a);
/* Our whole cursor, for a peer that could not confirm its newest mark. */
int session_send_marks(struct session *s, struct session_actions *a);
/* The peer's journal went back: kept for people, and of the peer's copies. */
int session_note_restored(struct session *s);
int session_on_ask_run(struct session *s, const struct msg_ask *k, struct session_actions *a);
int session_on_hello(struct session *s, const struct msg_hello *h, struct session_actions *a);
int session_on_welcome(struct session *s, const struct msg_welcome *w, struct session_actions *a);
int session_on_marks(struct session *s, const struct msg_marks *k, struct session_actions *a);

#endif
