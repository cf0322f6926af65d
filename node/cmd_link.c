/*
 * cmd_link.c - init, join, sync, run, status: what concerns the device and its parent.
 */
#include "common/base.h"

#include "node/command.h"

#include "common/ident.h"
#include "node/join.h"
#include "node/place.h"
#include "node/reactor.h"
#include "node/serve.h"
#include "node/status.h"

enum { TOKEN_BYTES_MAX = 4096 };

/* ---- init */

static int run_init(struct call *c)
{
	struct buf b;
	int rc;

	if (c->dir && place_exists(c->dir))
		return error_set(&c->error, ERR_EXISTS, "dir", "there is a data directory already");
	rc = call_open(c, CALL_CREATE);
	if (rc) return rc;
	if (c->json) {
		char hex[40];
		json_t *j = json_object();
		hex_text(replica_identity(c->replica)->origin, 16, hex);
		json_object_set_new(j, "device", json_string(hex));
		call_json(c, j);
		return 0;
	}
	buf_init(&b, 2048);
	word_fill(&b, c->language, WORD_INIT_DONE, c->dir, WORD_END);
	call_say(c, &b);
	buf_done(&b);
	return 0;
}

/* ---- join */

static int read_token(struct call *c, char *ret, size_t room)
{
	const char *given = c->args[0];
	FILE *f = stdin;
	size_t n;

	if (!strncmp(given, "JG1-", 4))
		return error_set(&c->error, ERR_USAGE, "FILE",
		                 "an invitation on the command line is seen by everybody here: "
		                 "give a file, or - and paste it; ask for a new one");
	if (strcmp(given, "-") != 0) f = fopen(given, "rbe");
	if (!f)
		return error_set(&c->error, ERR_TOKEN_FORM, "FILE", "%s: %s", given,
		                 strerror(errno));
	n = fread(ret, 1, room - 1, f);
	ret[n] = 0;
	if (f != stdin) (void)fclose(f);
	return n == room - 1 ? error_set(&c->error, ERR_TOKEN_FORM, "TOKEN", "too long") : 0;
}

static int join_done(struct call *c, const struct join_result *r, const struct token *t)
{
	struct buf b;

	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "joined", json_true());
		json_object_set_new(j, "again", json_boolean(r->again));
		json_object_set_new(j, "code", json_string(t->code));
		json_object_set_new(j, "name", json_span(span_of(t->name, strlen(t->name))));
		json_object_set_new(j, "org_id", json_id(r->cert.unit));
		json_object_set_new(j, "valid_to", json_time(r->cert.not_after_ms));
		call_json(c, j);
		return 0;
	}
	buf_init(&b, 1024);
	word_fill(&b, c->language, WORD_JOIN_DONE, t->code, t->name, WORD_END);
	call_say(c, &b);
	buf_done(&b);
	return 0;
}

static int run_join(struct call *c)
{
	char text[TOKEN_BYTES_MAX];
	struct token t;
	struct join_result result;
	struct buf b;
	int64_t limit = 0;
	int rc = read_token(c, text, sizeof text);

	rc = rc ? rc : token_parse(text, &t, &c->error);
	rc = rc ? rc : call_option_int(c, "timeout", 0, 0, 3600, &limit);
	rc = rc ? rc : call_open(c, CALL_CREATE | CALL_LINK);
	if (rc) return rc;
	buf_init(&b, 1024);
	word_fill(&b, c->language, WORD_JOIN_TO, t.code, t.name, WORD_END);
	if (c->terminal && !c->json) call_say(c, &b);
	buf_done(&b);
	rc = join_redeem(c->place, &t, c->program->hub ? CERT_HUB : CERT_NODE,
	                 (uint32_t)limit * 1000, &result, &c->error);
	if (rc == -ERR_APPROVAL) {
		char code[7];

		token_code(t.secret, c->place->identity.sign_public, c->place->identity.link_public,
		           code);
		buf_init(&b, 1024);
		word_fill(&b, c->language, WORD_JOIN_CODE, code, WORD_END);
		if (!c->json) call_say(c, &b);
		buf_done(&b);
		error_set(&c->error, ERR_APPROVAL, "code", "%s", code);
	}
	return rc ? rc : join_done(c, &result, &t);
}

/* ---- sync */

static void sync_progress(void *ctx, const struct reactor_progress *p)
{
	struct call *c = ctx;
	struct buf b;

	if (!c->terminal || c->json) return;
	buf_init(&b, 512);
	word_fill(&b, c->language, WORD_SYNC_GOING, call_number(c, p->session.acked),
	          call_number(c, p->session.to_send), call_number(c, p->session.entries_in),
	          WORD_END);
	call_progress(c, &b);
	buf_done(&b);
}

static void link_remember(struct call *c, int code)
{
	const struct env *env = replica_env(c->replica);
	int before = 0;

	if (!status_link_code(c->store, &before) && before == code) return;
	if (replica_begin(c->replica)) return;
	if (status_link_put(c->store, code, env->now_ms(env->ctx)) || replica_commit(c->replica))
		replica_rollback(c->replica);
}

static json_t *sync_json(const struct reactor_result *r, const struct status *s)
{
	json_t *j = json_object();

	json_object_set_new(j, "sent", json_integer(r->session.entries_out));
	json_object_set_new(j, "received", json_integer(r->session.entries_in));
	json_object_set_new(j, "bytes_in", json_integer((json_int_t)r->session.bytes_in));
	json_object_set_new(j, "bytes_out", json_integer((json_int_t)r->session.bytes_out));
	json_object_set_new(j, "round_trips", json_integer((json_int_t)r->session.round_trips));
	json_object_set_new(j, "agreed", json_boolean(r->session.agreed));
	json_object_set_new(j, "unsent", json_integer(s->facts.counts.unsent));
	json_object_set_new(j, "lamp", json_string(s->name));
	json_object_set_new(j, "complete", json_boolean(s->complete));
	return j;
}

static int run_sync(struct call *c)
{
	struct reactor_config config = {
	        .once = true, .no_listen = true, .ctx = c, .progress = sync_progress};
	struct reactor_result result = {0};
	struct status s;
	struct buf b;
	int64_t limit = 0;
	int rc = call_option_int(c, "timeout", 0, 0, 86400, &limit);

	rc = rc ? rc : call_open(c, CALL_LINK);
	if (rc) return rc;
	config.place = c->place;
	config.limit_ms = (uint32_t)limit * 1000;
	rc = reactor_run(&config, &result, &c->error);
	c->replica = c->place->replica;
	c->store = c->place->store;
	call_progress_end(c);
	link_remember(c, -rc);
	if (rc) return rc;
	rc = status_of(c->replica, &s);
	if (rc) return call_failed(c, rc);
	if (c->json) {
		call_json(c, sync_json(&result, &s));
		return 0;
	}
	buf_init(&b, 1024);
	if (result.session.agreed)
		word_fill(&b, c->language, WORD_SYNC_DONE,
		          call_number(c, result.session.entries_out),
		          call_number(c, result.session.entries_in),
		          call_number(
		                  c, (int64_t)(result.session.bytes_in + result.session.bytes_out)),
		          WORD_END);
	else
		word_fill(&b, c->language, WORD_SYNC_WAITS,
		          call_number(c, result.session.entries_out),
		          call_number(c, result.session.entries_in), WORD_END);
	call_say(c, &b);
	buf_done(&b);
	if (result.session.agreed) call_say_text(c, word_text(c->language, WORD_SYNC_SAME));
	return 0;
}

/* ---- run */

static void run_note(void *ctx, int code, const char *text)
{
	struct call *c = ctx;

	if (code) {
		struct error e = {.code = code};
		(void)snprintf(e.detail, sizeof e.detail, "%s", text);
		call_report(c, &e, 0);
	} else {
		call_say_text(c, text);
	}
}

int serve_run(struct call *c, const struct reactor_strangers *strangers)
{
	struct reactor_config config = {
	        .place = c->place, .strangers = strangers, .ctx = c, .note = run_note};
	struct reactor_result result;
	int rc = reactor_run(&config, &result, &c->error);

	c->replica = c->place->replica; /* it may have opened the database again */
	c->store = c->place->store;
	return rc;
}

static int run_run(struct call *c)
{
	int rc = call_open(c, CALL_CREATE | CALL_LINK);

	return rc ? rc : serve_run(c, NULL);
}

/* ---- status */

static json_t *states_json(struct call *c, const struct status_facts *f)
{
	enum told told[TOLD_COUNT];
	size_t n = status_told(f, told);
	json_t *list = json_array();
	struct buf text;

	buf_init(&text, 4096);
	for (size_t i = 0; i < n; i++) {
		json_t *j = json_object();

		buf_reset(&text);
		told_text(told[i], f, c->language, &text);
		json_object_set_new(j, "state", json_string(told_name(told[i])));
		json_object_set_new(j, "text", json_span(buf_span(&text)));
		json_object_set_new(j, "next", json_string(told_next(told[i], c->language)));
		json_array_append_new(list, j);
	}
	buf_done(&text);
	return list;
}

/* Each on a line, with what to do. */
static void states_print(struct call *c, const struct status_facts *f, struct buf *b)
{
	enum told told[TOLD_COUNT];
	size_t n = status_told(f, told);

	for (size_t i = 0; i < n; i++) {
		buf_text(b, "\n- ");
		told_text(told[i], f, c->language, b);
		buf_print(b, "\n  %s: %s", word_text(c->language, WORD_STATUS_NEXT),
		          told_next(told[i], c->language));
	}
}

/* Who says that another copy of this device is alive; false: nobody does, or who says so is not known here. */
static bool claimer(struct call *c, const struct status_facts *f, struct cert *ret)
{
	struct cert_row *row = NULL;
	struct error err = {0};

	return f->copies.copied_ms &&
	       store_cert_by_origin(replica_store(c->replica), f->copies.told_by, &c->arena,
	                            &row) == 0 &&
	       row && cert_open(row->body, ret, &err) == 0;
}

static json_t *claimer_json(struct call *c, const struct status_facts *f)
{
	struct cert cert;
	char hex[40];
	json_t *j;

	if (!f->copies.copied_ms) return json_null();
	j = json_object();
	hex_text(f->copies.told_by, 16, hex);
	json_object_set_new(j, "device", json_string(hex));
	json_object_set_new(j, "org", claimer(c, f, &cert) ? json_org(c, cert.unit) : json_null());
	return j;
}

static void claimer_print(struct call *c, const struct status_facts *f, struct buf *b)
{
	struct cert cert;
	char hex[40];

	if (!f->copies.copied_ms) return;
	hex_text(f->copies.told_by, 16, hex);
	buf_print(b, "\n%s: %s", word_text(c->language, WORD_STATUS_TOLD_BY), hex);
	if (claimer(c, f, &cert)) buf_print(b, " %s %s", cert.code, call_org_name(c, cert.unit));
}

/* What the hubs above the parent say that they have of us. */
static json_t *above_json(struct call *c, const struct status_facts *f)
{
	json_t *list = json_array();
	char hex[40];

	for (size_t i = 0; i < f->heads_count; i++) {
		const struct head *h = &f->heads[i];
		json_t *j = json_object();

		hex_text(h->hub, 16, hex);
		json_object_set_new(j, "device", json_string(hex));
		json_object_set_new(j, "org", json_org(c, h->unit));
		json_object_set_new(j, "sealed", json_integer(h->sealed));
		json_object_set_new(j, "arrived", json_integer(h->came));
		json_object_set_new(j, "late", json_integer(h->late));
		json_object_set_new(j, "said_at", h->said ? json_time(h->said_ms) : json_null());
		json_array_append_new(list, j);
	}
	return list;
}

static void above_print(struct call *c, const struct status_facts *f, struct buf *b)
{
	for (size_t i = 0; i < f->heads_count; i++) {
		const struct head *h = &f->heads[i];

		word_fill(b, c->language, WORD_STATUS_ABOVE, call_org_name(c, h->unit),
		          call_number(c, h->came), call_number(c, h->sealed),
		          h->said ? call_time(c, h->said_ms) : "-", WORD_END);
		buf_text(b, "\n");
	}
}

static json_t *corrections_json(const struct corrections *n)
{
	json_t *j = json_object();

	json_object_set_new(j, "standing", json_integer(n->standing));
	json_object_set_new(j, "objected", json_integer(n->objected));
	json_object_set_new(j, "answered", json_integer(n->answered));
	return j;
}

static void corrections_print(struct call *c, const struct corrections *n, struct buf *b)
{
	if (!n->standing) return;
	word_fill(b, c->language, WORD_STATUS_CORRECTED, call_number(c, n->standing),
	          call_number(c, n->objected), call_number(c, n->answered), WORD_END);
	buf_print(b, "\n  %s: %s\n", word_text(c->language, WORD_STATUS_NEXT),
	          word_text(c->language, WORD_NEXT_CORRECTED));
}

static json_t *status_json(struct call *c, const struct status *s)
{
	const struct status_facts *f = &s->facts;
	const struct replica_counts *n = &f->counts;
	const struct cert *cert = replica_cert(c->replica);
	char hex[40];
	struct buf text;
	json_t *j = json_object();

	hex_text(replica_identity(c->replica)->origin, 16, hex);
	json_object_set_new(j, "schema", json_string("status@1"));
	json_object_set_new(j, "as_of", json_time(f->now_ms));
	json_object_set_new(j, "device", json_string(hex));
	(void)snprintf(hex, sizeof hex, "%016" PRIx64, replica_run(c->replica));
	json_object_set_new(j, "run", json_string(hex));
	json_object_set_new(j, "role", json_string(c->program->hub ? "hub" : "node"));
	json_object_set_new(j, "joined", json_boolean(f->joined));
	json_object_set_new(j, "org", cert ? json_org(c, cert->unit) : json_null());
	json_object_set_new(j, "unsent", json_integer(n->unsent));
	json_object_set_new(j, "received", json_integer(n->received));
	json_object_set_new(j, "merged", json_integer(n->merged));
	json_object_set_new(j, "refused", json_integer(n->refused));
	json_object_set_new(j, "parked", json_integer(n->parked));
	json_object_set_new(j, "waiting", json_integer(n->waiting));
	json_object_set_new(j, "unapplied", json_integer(n->unapplied));
	json_object_set_new(j, "conflicts", json_integer(n->conflicts));
	json_object_set_new(j, "gaps", json_integer(n->gaps));
	json_object_set_new(j, "alarms", json_integer(n->alarms));
	json_object_set_new(j, "journal", json_integer(n->journal));
	json_object_set_new(j, "runs", json_integer(n->runs));
	json_object_set_new(j, "restored", json_boolean(n->restored));
	json_object_set_new(j, "last_contact", json_time(f->parent.last_contact_ms));
	json_object_set_new(j, "agreed", json_time(f->parent.agreed_ms));
	json_object_set_new(j, "clock_offset_ms",
	                    f->parent_known ? json_integer(f->parent.clock_offset_ms)
	                                    : json_null());
	json_object_set_new(j, "disk_free",
	                    f->disk_free == INT64_MAX ? json_null() : json_integer(f->disk_free));
	json_object_set_new(j, "valid_to", json_time(f->not_after_ms));
	if (f->hub) {
		json_object_set_new(j, "children", json_integer(f->children));
		json_object_set_new(j, "children_missing", json_integer(f->children_missing));
	}
	json_object_set_new(j, "unadmitted", json_integer(n->unadmitted));
	json_object_set_new(j, "copied_since", json_time(f->copies.copied_ms));
	json_object_set_new(j, "copied_told_by", claimer_json(c, f));
	json_object_set_new(j, "set_aside", json_time(f->copies.aside_ms));
	json_object_set_new(j, "survivor", json_boolean(f->copies.survivor && !f->copies.aside));
	json_object_set_new(j, "above", above_json(c, f));
	json_object_set_new(j, "corrections", corrections_json(&f->corrections));
	json_object_set_new(j, "states", states_json(c, f));
	buf_init(&text, 2048);
	status_text(s, c->language, &text);
	json_object_set_new(j, "lamp", json_string(s->name));
	json_object_set_new(j, "colour", json_string(s->colour));
	json_object_set_new(j, "lamp_text", json_span(buf_span(&text)));
	json_object_set_new(j, "own_complete", json_boolean(s->own_complete));
	json_object_set_new(j, "complete", json_boolean(s->complete));
	buf_done(&text);
	return j;
}

static void status_line(struct call *c, struct buf *b, enum word w, int64_t n)
{
	buf_print(b, "%s: %" PRId64 "\n", word_text(c->language, w), n);
}

static void status_print(struct call *c, const struct status *s)
{
	const struct status_facts *f = &s->facts;
	const struct cert *cert = replica_cert(c->replica);
	char hex[40];
	struct buf b;

	buf_init(&b, 8192);
	status_text(s, c->language, &b);
	states_print(c, f, &b);
	claimer_print(c, f, &b);
	hex_text(replica_identity(c->replica)->origin, 16, hex);
	buf_print(&b, "\n%s: %s\n", word_text(c->language, WORD_STATUS_DEVICE), hex);
	if (cert)
		buf_print(&b, "%s: %s %s\n", word_text(c->language, WORD_STATUS_ORG), cert->code,
		          call_org_name(c, cert->unit));
	status_line(c, &b, WORD_STATUS_UNSENT, f->counts.unsent);
	status_line(c, &b, WORD_STATUS_RECEIVED, f->counts.received);
	status_line(c, &b, WORD_STATUS_MERGED, f->counts.merged);
	status_line(c, &b, WORD_STATUS_REFUSED, f->counts.refused);
	status_line(c, &b, WORD_STATUS_PARKED, f->counts.parked);
	status_line(c, &b, WORD_STATUS_CONFLICTS, f->counts.conflicts);
	buf_print(&b, "%s: %s\n", word_text(c->language, WORD_STATUS_CONTACT),
	          call_time(c, f->parent.last_contact_ms));
	if (f->parent_known) status_line(c, &b, WORD_STATUS_CLOCK, f->parent.clock_offset_ms);
	above_print(c, f, &b);
	corrections_print(c, &f->corrections, &b);
	call_print(c, &b);
	buf_done(&b);
}

static int run_status(struct call *c)
{
	struct status s;
	int rc = call_open(c, 0);

	if (rc) return rc;
	rc = status_of(c->replica, &s);
	if (rc) return call_failed(c, rc);
	if (c->json)
		call_json(c, status_json(c, &s));
	else
		status_print(c, &s);
	return call_option(c, "check") && !s.complete ? EXIT_NOT_COMPLETE : 0;
}

#define JOIN                                                                                       \
	{                                                                                          \
		.name = "join", .args = "FILE | -", .zh = "入网:使用上级的邀请。",                 \
		.en = "Joins by an invitation.",                                                   \
		.options = "timeout=", .examples = "join - --dir jinguo <invitation.txt",          \
		.args_min = 1, .args_max = 1, .run = run_join                                      \
	}
#define SYNC                                                                                       \
	{                                                                                          \
		.name = "sync", .zh = "现在同步一次。", .en = "One session with the parent, now.", \
		.options = "timeout=", .examples = "sync --dir jinguo", .args_min = 0,             \
		.args_max = 0, .run = run_sync                                                     \
	}
#define STATUS                                                                                     \
	{                                                                                          \
		.name = "status", .zh = "同步状态。", .en = "The state of synchronisation.",       \
		.options = "check",                                                                \
		.examples = "status --json --dir jinguo\nstatus --check --dir jinguo",             \
		.args_min = 0, .args_max = 0, .run = run_status                                    \
	}

/* A hub's init and run are its own. */
const struct command commands_link[] = {
        JOIN,
        SYNC,
        STATUS,
        {.name = NULL},
};

const struct command commands_node[] = {
        {.name = "init",
         .zh = "建立数据目录。",
         .en = "Makes a data directory.",
         .examples = "init --dir jinguo",
         .args_min = 0,
         .args_max = 0,
         .run = run_init},
        {.name = "run",
         .zh = "常驻运行,自动同步。",
         .en = "Runs and synchronises until it is stopped.",
         .args_min = 0,
         .args_max = 0,
         .run = run_run},
        {.name = NULL},
};
