/*
 * cmd_peers.c - peers, coverage, summary: what a hub knows of those below.
 */
#include "common/base.h"

#include "hub/commands.h"

#include "common/ident.h"
#include "hub/coverage.h"
#include "hub/summary.h"
#include "hub/tree.h"
#include "node/status.h"
#include "proto/figure.h"

enum { MISSING_LISTED = 200, LINE_MAX = 16 * 1024, MONTH_FIRST = 190001, MONTH_LAST = 219912 };

/* ---- peers */

struct peer_line {
	struct cert cert;
	struct peer peer;
	struct child_facts facts;
	bool seen, agrees;
	int64_t revoked_ms;
};

static json_int_t runs_alive(const struct peer_line *p)
{
	return !p->seen                    ? 0
	       : p->facts.copies.copied_ms ? (json_int_t)p->facts.copies.lines_count
	                                   : 1;
}

static json_t *states_json(struct call *c, const struct peer_line *p)
{
	enum told told[TOLD_COUNT];
	size_t n = status_told_child(&p->facts, told);
	json_t *list = json_array();
	struct buf text;

	buf_init(&text, 4096);
	for (size_t i = 0; i < n; i++) {
		json_t *j = json_object();

		buf_reset(&text);
		told_text_child(told[i], &p->facts, c->language, &text);
		json_object_set_new(j, "state", json_string(told_name(told[i])));
		json_object_set_new(j, "text", json_span(buf_span(&text)));
		json_object_set_new(j, "next", json_string(told_next_child(told[i], c->language)));
		json_array_append_new(list, j);
	}
	buf_done(&text);
	return list;
}

static json_t *peer_json(struct call *c, const struct peer_line *p)
{
	char hex[40];
	uint8_t origin[16];
	json_t *j = json_object();

	origin_of(p->cert.origin_key, origin);
	hex_text(origin, 16, hex);
	json_object_set_new(j, "device", json_string(hex));
	json_object_set_new(j, "role", json_string(p->cert.role == CERT_HUB ? "hub" : "node"));
	json_object_set_new(j, "org", json_org(c, p->cert.unit));
	json_object_set_new(j, "agreed", json_boolean(p->agrees));
	json_object_set_new(j, "agreed_at", json_time(p->peer.agreed_ms));
	json_object_set_new(j, "last_contact", json_time(p->peer.last_contact_ms));
	json_object_set_new(j, "clock_offset_ms",
	                    p->seen ? json_integer(p->peer.clock_offset_ms) : json_null());
	json_object_set_new(j, "acked", json_integer(p->peer.acked));
	json_object_set_new(j, "unapplied", json_integer(p->peer.unapplied));
	json_object_set_new(j, "parked", json_integer(p->peer.parked));
	json_object_set_new(j, "refused", json_integer(p->peer.refused));
	json_object_set_new(j, "bytes_in", json_integer(p->peer.bytes_in));
	json_object_set_new(j, "bytes_out", json_integer(p->peer.bytes_out));
	json_object_set_new(j, "schema_version", json_integer((json_int_t)p->peer.schema_version));
	json_object_set_new(j, "restored", json_boolean(p->peer.restored));
	json_object_set_new(j, "restored_at", json_time(p->facts.copies.back_ms));
	json_object_set_new(j, "copied_since", json_time(p->facts.copies.copied_ms));
	json_object_set_new(j, "runs_alive", json_integer(runs_alive(p)));
	json_object_set_new(j, "forks", json_integer(p->facts.copies.forks));
	json_object_set_new(j, "forked_at", json_time(p->facts.copies.forked_ms));
	json_object_set_new(j, "dismissed", json_time(p->facts.copies.dismissed_ms));
	json_object_set_new(
	        j, "dismissed_why",
	        p->facts.copies.reason[0]
	                ? json_span(span_of(p->facts.copies.reason, strlen(p->facts.copies.reason)))
	                : json_null());
	json_object_set_new(j, "parked_here", json_integer(p->facts.parked));
	json_object_set_new(j, "refused_here", json_integer(p->facts.refused));
	json_object_set_new(j, "quota_code", json_integer(p->facts.quota.code));
	json_object_set_new(j, "quota_bytes_today", json_integer((json_int_t)p->facts.quota.bytes));
	json_object_set_new(j, "offences", json_integer(p->facts.offence.count));
	json_object_set_new(j, "offence_code", json_integer(p->facts.offence.code));
	json_object_set_new(j, "offence_at", json_time(p->facts.offence.at_ms));
	json_object_set_new(j, "states", states_json(c, p));
	json_object_set_new(j, "revoked", json_time(p->revoked_ms));
	json_object_set_new(j, "held", json_time(p->facts.held_ms));
	json_object_set_new(j, "valid_to", json_time(p->cert.not_after_ms));
	return j;
}

static void peer_text(struct call *c, const struct peer_line *p, struct buf *b)
{
	enum told told[TOLD_COUNT];
	uint8_t origin[16];
	char hex[40];
	enum word state = p->revoked_ms      ? WORD_PEER_REVOKED
	                  : !p->seen         ? WORD_PEER_NEVER
	                  : p->facts.held_ms ? WORD_PEER_HELD
	                  : p->agrees        ? WORD_PEER_AGREED
	                                     : WORD_PEER_BEHIND;

	buf_print(b, "%s\t%s\t%s\t%s\t%s\n", call_org_code(c, p->cert.unit),
	          call_org_name(c, p->cert.unit), p->cert.role == CERT_HUB ? "hub" : "node",
	          word_text(c->language, state), call_time(c, p->peer.last_contact_ms));
	size_t n = status_told_child(&p->facts, told);
	for (size_t i = 0; i < n; i++) {
		origin_of(p->cert.origin_key, origin);
		hex_text(origin, 16, hex);
		buf_print(b, "- %s ", hex);
		told_text_child(told[i], &p->facts, c->language, b);
		buf_print(b, "\n  %s: %s\n", word_text(c->language, WORD_STATUS_NEXT),
		          told_next_child(told[i], c->language));
	}
}

/* --dismiss DEVICE --reason TEXT: its copies are no matter any more. */
static int dismiss(struct call *c)
{
	const char *device = call_option(c, "dismiss"), *reason = call_option(c, "reason");
	uint8_t origin[16];
	struct copies copies;
	int rc;

	if (!reason || !*reason)
		return error_set(&c->error, ERR_MISSING_OPTION, "reason",
		                 "--reason TEXT: what became of the other copy");
	if (strlen(device) != 32 || !hex_parse(device, origin, 16))
		return call_usage(c, "dismiss", "32 digits, as peers --json names the device");
	rc = call_begin(c);
	if (rc) return rc;
	rc = replica_copies(c->replica, origin, &copies);
	if (!rc && !copies.lines_count)
		rc = error_set(&c->error, ERR_NOT_FOUND, "dismiss", "this device was never met");
	else
		rc = rc ? rc : replica_copies_dismiss(c->replica, origin, reason);
	if (rc) {
		if (c->error.code != -rc) call_failed(c, rc);
		replica_rollback(c->replica);
		return rc;
	}
	rc = call_commit(c);
	if (rc) return rc;
	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "dismissed", json_string(device));
		call_json(c, j);
	} else {
		call_say_text(c, word_text(c->language, WORD_DISMISSED));
	}
	return 0;
}

/* --release DEVICE --reason TEXT: it was restored, and stands where it belongs. */
static int release(struct call *c)
{
	const char *device = call_option(c, "release"), *reason = call_option(c, "reason");
	uint8_t origin[16];
	int rc;

	if (!reason || !*reason)
		return error_set(&c->error, ERR_MISSING_OPTION, "reason",
		                 "--reason TEXT: how you know where this computer is");
	if (strlen(device) != 32 || !hex_parse(device, origin, 16))
		return call_usage(c, "release", "32 digits, as peers --json names the device");
	rc = call_begin(c);
	if (rc) return rc;
	rc = replica_release(c->replica, origin);
	if (rc) return call_undo(c, rc);
	rc = call_commit(c);
	if (!rc) call_say_text(c, word_text(c->language, WORD_RELEASED));
	return rc;
}

static int run_peers(struct call *c)
{
	const struct cert *own;
	struct cert_row *rows = NULL;
	size_t count = 0;
	json_t *items = NULL;
	struct buf b;
	int rc = call_open(c, 0);

	if (rc) return rc;
	own = replica_cert(c->replica);
	if (!own)
		return error_set(&c->error, ERR_NOT_JOINED, NULL,
		                 "this hub has no certificate yet");
	if (call_option(c, "release")) {
		rc = call_may(c, MAY_MANAGE);
		return rc ? rc : release(c);
	}
	if (call_option(c, "dismiss")) {
		rc = call_may(c, MAY_REVIEW);
		rc = rc ? rc : call_note(c, TRAIL_WRITE, 0, NULL, NULL, "peers --dismiss");
		return rc ? rc : dismiss(c);
	}
	rc = replica_children(c->replica, &c->arena, &rows, &count);
	items = c->json ? json_array() : NULL;
	buf_init(&b, LINE_MAX);
	for (size_t i = 0; !rc && i < count; i++) {
		struct peer_line p = {.revoked_ms = rows[i].revoked_ms};
		if (cert_open(rows[i].body, &p.cert, NULL)) continue;
		rc = status_child(c->replica, &p.cert, &p.seen, &p.peer, &p.agrees);
		rc = rc ? rc : status_child_facts(c->replica, &p.cert, &p.facts);
		if (rc) break;
		if (!p.seen) p.peer = (struct peer){0};
		if (items) {
			json_array_append_new(items, peer_json(c, &p));
			continue;
		}
		peer_text(c, &p, &b);
		call_print(c, &b);
	}
	buf_done(&b);
	if (rc) {
		json_decref(items);
		return call_failed(c, rc);
	}
	return items ? call_items(c, "peer", items, NULL) : 0;
}

/* ---- options of both */

static int parse_month(struct call *c, const char *name, int64_t *ret)
{
	const char *text = call_option(c, name);
	int64_t days;
	struct buf b;
	bool good;

	if (!text) return 0;
	buf_init(&b, 32);
	buf_print(&b, "%.16s-01", text);
	good = strlen(text) == 7 && date_parse(buf_cstr(&b), &days);
	buf_done(&b);
	if (!good) return call_usage(c, name, "a month like 2025-03");
	*ret = month_of_days(days);
	return 0;
}

static int parse_period(struct call *c, int64_t *ret_from, int64_t *ret_to)
{
	int rc;

	*ret_from = MONTH_FIRST;
	*ret_to = MONTH_LAST;
	rc = parse_month(c, "from", ret_from);
	rc = rc ? rc : parse_month(c, "to", ret_to);
	if (!rc && call_option(c, "month")) {
		rc = parse_month(c, "month", ret_from);
		*ret_to = *ret_from;
	}
	return rc;
}

static int parse_level(struct call *c, unsigned otherwise, unsigned *ret)
{
	static const char *const names[] = {
	        [LEVEL_NATION] = "nation",         [LEVEL_PROVINCE] = "province",
	        [LEVEL_PREFECTURE] = "prefecture", [LEVEL_COUNTY] = "county",
	        [LEVEL_TOWNSHIP] = "township",     [LEVEL_COMMUNITY] = "community",
	};
	const char *by = call_option(c, "by");

	*ret = otherwise;
	if (!by) return 0;
	for (unsigned i = LEVEL_NATION; i <= LEVEL_COMMUNITY; i++)
		if (!strcmp(by, names[i])) {
			*ret = i;
			return 0;
		}
	return call_usage(c, "by", "county, township or community (also prefecture, province)");
}

static json_t *month_json(int64_t month)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%04d-%02d", (int)(month / 100), (int)(month % 100));
	return json_string(text);
}

static json_t *unit_json(const struct unit *u)
{
	json_t *j = json_object();

	json_object_set_new(j, "id", json_id(u->id));
	json_object_set_new(j, "code", json_string(u->code));
	json_object_set_new(j, "level", json_integer(u->level));
	json_object_set_new(j, "name", json_span(span_of(u->name, strlen(u->name))));
	return j;
}

/* ---- coverage */

static json_t *coverage_json(const struct unit *u, const struct coverage_item *x)
{
	json_t *j = unit_json(u);

	json_object_set_new(j, "sites", json_integer(x->sites));
	json_object_set_new(j, "with_node", json_integer(x->with_node));
	json_object_set_new(j, "active", json_integer(x->active));
	json_object_set_new(j, "not_covered", json_integer(x->sites - x->with_node));
	json_object_set_new(j, "volunteers", json_integer(x->volunteers));
	json_object_set_new(j, "activities", json_integer(x->activities));
	json_object_set_new(j, "participations", json_integer(x->participations));
	json_object_set_new(j, "minutes", json_integer(x->minutes));
	json_object_set_new(j, "settled", json_boolean(x->settled));
	return j;
}

static void coverage_text(struct call *c, const struct unit *u, const struct coverage_item *x,
                          struct buf *b)
{
	buf_print(b,
	          "%s\t%s\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%" PRId64
	          "\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "%s%s\n",
	          u->code, u->name, x->sites, x->with_node, x->active, x->sites - x->with_node,
	          x->volunteers, x->activities, x->participations, x->minutes,
	          x->settled ? "" : "\t",
	          x->settled ? "" : word_text(c->language, WORD_SUMMARY_UNSETTLED));
}

/* The line of talk under every table of numbers. */
static void say_as_of(struct call *c, size_t missing)
{
	struct buf b;

	buf_init(&b, 512);
	word_fill(&b, c->language, WORD_DATA_AS_OF, call_time(c, env_wall_ms()),
	          call_number(c, (int64_t)missing), WORD_END);
	if (c->terminal) call_say(c, &b);
	buf_done(&b);
}

/* Of communities themselves the long way: one by one is what was asked for. */
static int coverage_of_communities(struct call *c, int64_t from, int64_t to, struct tree *ret_tree,
                                   struct coverage_item **ret, size_t *ret_count,
                                   size_t *ret_missing)
{
	struct summary sum = {0};
	struct missing *missing = NULL;
	int rc = tree_load(c->store, &c->arena, ret_tree);

	rc = rc ? rc : summary_cells(c->store, from, to, FIGURE_MINUTES, &c->arena, &sum);
	rc = rc ? rc
	        : coverage_make(ret_tree, &sum, LEVEL_COMMUNITY, from, to, &c->arena, ret,
	                        ret_count);
	return rc ? rc : summary_missing(c->replica, ret_tree, &c->arena, &missing, ret_missing);
}

static int coverage_of_places(struct call *c, unsigned level, int64_t from, int64_t to,
                              struct tree *ret_tree, struct coverage_item **ret, size_t *ret_count,
                              size_t *ret_missing)
{
	struct fold *folds = NULL;
	size_t n = 0;
	int rc = store_folds(c->store, from, to, &c->arena, &folds, &n);

	rc = rc ? rc : tree_load_places(c->store, folds, n, &c->arena, ret_tree);
	rc = rc ? rc : coverage_make_folded(ret_tree, folds, n, level, &c->arena, ret, ret_count);
	return rc ? rc
	          : summary_missing_count(c->replica, ret_tree, folds, n, &c->arena, ret_missing);
}

static int run_coverage(struct call *c)
{
	struct tree tree = {0};
	struct coverage_item *x = NULL;
	size_t count = 0, missing_count = 0;
	unsigned level = LEVEL_COUNTY;
	int64_t from, to;
	json_t *items = NULL;
	struct buf b;
	int rc = parse_level(c, LEVEL_COUNTY, &level);

	rc = rc ? rc : parse_period(c, &from, &to);
	rc = rc ? rc : call_open(c, 0);
	if (rc) return rc;
	rc = level == LEVEL_COMMUNITY
	             ? coverage_of_communities(c, from, to, &tree, &x, &count, &missing_count)
	             : coverage_of_places(c, level, from, to, &tree, &x, &count, &missing_count);
	if (rc) return call_failed(c, rc);
	if (c->json) {
		items = json_array();
		for (size_t i = 0; i < count; i++)
			json_array_append_new(items, coverage_json(&tree.units[x[i].unit], &x[i]));
		return call_items(c, "coverage", items, NULL);
	}
	buf_init(&b, LINE_MAX);
	buf_print(&b, "%s\n", word_text(c->language, WORD_COVERAGE_HEAD));
	call_print(c, &b);
	for (size_t i = 0; i < count; i++) {
		coverage_text(c, &tree.units[x[i].unit], &x[i], &b);
		call_print(c, &b);
	}
	buf_done(&b);
	say_as_of(c, missing_count);
	return 0;
}

/* ---- summary */

enum { MISSING_SHOWN = 20 /* lines for a person; --json has them all */ };

struct summing {
	struct call *c;
	struct tree tree;
	struct summary sum;
	struct missing *missing;
	size_t missing_count;
	bool explain;
	int64_t from, to;
	unsigned kind; /* 0: all */
	int32_t org;   /* index of the unit at or below which; -1: all */
};

/* The org unit of the device: its certificate says; zeros when it is not here. */
static void device_unit(struct call *c, const uint8_t origin[16], uint8_t ret[16])
{
	struct cert_row *row = NULL;

	memset(ret, 0, 16);
	if (!store_cert_by_origin(c->store, origin, &c->arena, &row) && row)
		memcpy(ret, row->unit, 16);
}

/* Who wrote this correction last. */
static void corrected_by(struct call *c, const uint8_t row[16], uint8_t ret_origin[16])
{
	struct history_item *items = NULL;
	size_t count = 0;

	memset(ret_origin, 0, 16);
	if (!replica_history(c->replica, row, &c->arena, &items, &count) && count)
		memcpy(ret_origin, items[count - 1].origin, 16);
}

static json_t *part_json(struct call *c, const struct summary_part *p)
{
	uint8_t unit[16], origin[16];
	char hex[40];
	json_t *j = json_object();

	if (p->correction)
		corrected_by(c, p->row, origin);
	else
		memcpy(origin, p->origin, 16);
	device_unit(c, origin, unit);
	hex_text(origin, 16, hex);
	json_object_set_new(j, "id", json_id(p->row));
	json_object_set_new(j, "value", json_integer(p->value));
	json_object_set_new(j, "device", json_string(hex));
	json_object_set_new(j, "org", id_is_zero(unit) ? json_null() : json_org(c, unit));
	if (p->correction) {
		json_object_set_new(j, "cause", json_string(p->cause));
		json_object_set_new(j, "base", json_integer(p->base));
	}
	return j;
}

static const struct unit *cell_unit(struct summing *s, const struct summary_cell *cell)
{
	struct scope scope;

	return store_scope_get(s->c->store, cell->scope, &scope) ? NULL
	                                                         : tree_find(&s->tree, scope.id);
}

static bool wanted(const struct summing *s, const struct summary_cell *cell, const struct unit *u)
{
	return cell->month >= s->from && cell->month <= s->to &&
	       (!s->kind || s->kind == cell->kind) &&
	       (s->org < 0 || (u && tree_below(&s->tree, (int32_t)(u - s->tree.units), s->org)));
}

static json_t *cell_json(struct summing *s, const struct summary_cell *cell, const struct unit *u)
{
	json_t *j = json_object();

	json_object_set_new(j, "org", u ? unit_json(u) : json_null());
	json_object_set_new(j, "month", month_json(cell->month));
	json_object_set_new(j, "kind", json_string(figure_name(cell->kind)));
	json_object_set_new(j, "stated", json_integer(cell->stated));
	json_object_set_new(j, "corrected", json_integer(cell->corrected));
	json_object_set_new(j, "total", json_integer(cell->stated + cell->corrected));
	json_object_set_new(j, "settled", json_boolean(cell->settled));
	if (s->explain) {
		json_t *stated = json_array(), *corrections = json_array();
		for (size_t i = 0; i < cell->parts_count; i++)
			json_array_append_new(cell->parts[i].correction ? corrections : stated,
			                      part_json(s->c, &cell->parts[i]));
		json_object_set_new(j, "figures", stated);
		json_object_set_new(j, "corrections", corrections);
	}
	return j;
}

static const char *missing_name(enum missing_why why)
{
	switch (why) {
	case MISSING_NO_NODE:
		return "no_node";
	case MISSING_NEVER:
		return "never_seen";
	case MISSING_NO_AGREEMENT:
		break;
	}
	return "no_agreement";
}

static json_t *missing_json(const struct summing *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->missing_count; i++) {
		const struct missing *m = &s->missing[i];
		if (!s->explain && i >= MISSING_LISTED) break;
		json_t *j = unit_json(&s->tree.units[m->unit]);
		json_object_set_new(j, "why", json_string(missing_name(m->why)));
		json_object_set_new(j, "last_contact", json_time(m->last_contact_ms));
		json_array_append_new(list, j);
	}
	return list;
}

/* One total per kind over all cells shown: what a province reports. */
static json_t *totals_json(struct summing *s)
{
	int64_t stated[FIGURE_KINDS] = {0}, corrected[FIGURE_KINDS] = {0};
	bool any[FIGURE_KINDS] = {false}, settled[FIGURE_KINDS];
	json_t *list = json_array();

	for (unsigned k = 0; k < FIGURE_KINDS; k++) settled[k] = true;
	for (size_t i = 0; i < s->sum.count; i++) {
		const struct summary_cell *cell = &s->sum.cells[i];
		if (!wanted(s, cell, cell_unit(s, cell))) continue;
		any[cell->kind] = true;
		stated[cell->kind] += cell->stated;
		corrected[cell->kind] += cell->corrected;
		settled[cell->kind] = settled[cell->kind] && cell->settled;
	}
	for (unsigned k = 1; k < FIGURE_KINDS; k++) {
		if (!any[k]) continue;
		json_t *j = json_object();
		json_object_set_new(j, "kind", json_string(figure_name(k)));
		json_object_set_new(j, "stated", json_integer(stated[k]));
		json_object_set_new(j, "corrected", json_integer(corrected[k]));
		json_object_set_new(j, "total", json_integer(stated[k] + corrected[k]));
		json_object_set_new(j, "settled", json_boolean(settled[k]));
		json_array_append_new(list, j);
	}
	return list;
}

static int summary_json(struct summing *s)
{
	struct status status = {0};
	json_t *j = json_object(), *items = json_array();
	int rc = status_of(s->c->replica, &status);

	for (size_t i = 0; i < s->sum.count; i++) {
		const struct summary_cell *cell = &s->sum.cells[i];
		const struct unit *u = cell_unit(s, cell);
		if (wanted(s, cell, u)) json_array_append_new(items, cell_json(s, cell, u));
	}
	json_object_set_new(j, "schema", json_string("summary@1"));
	json_object_set_new(j, "as_of", json_time(env_wall_ms()));
	json_object_set_new(j, "complete",
	                    json_boolean(!rc && status.complete && s->missing_count == 0));
	json_object_set_new(j, "items", items);
	json_object_set_new(j, "totals", totals_json(s));
	json_object_set_new(j, "missing", missing_json(s));
	json_object_set_new(j, "missing_count", json_integer((json_int_t)s->missing_count));
	json_object_set_new(j, "next", json_null());
	call_json(s->c, j);
	return 0;
}

static const char *kind_label(const struct call *c, unsigned kind)
{
	const struct field *f =
	        table_field_named(schema_table(&schema_current, TABLE_FIGURE), "kind");
	const char *name = figure_name(kind);
	const struct code *code = code_find(f->codes, span_of(name, strlen(name)));

	return !code ? name : c->language == LANGUAGE_ZH ? code->zh : code->en;
}

static void explain_text(struct summing *s, const struct summary_cell *cell, struct buf *b)
{
	struct call *c = s->c;
	uint8_t unit[16];
	char hex[40];

	for (size_t i = 0; i < cell->parts_count; i++) {
		const struct summary_part *p = &cell->parts[i];
		if (p->correction) {
			word_fill(b, c->language, WORD_SUMMARY_CORRECTED, call_number(c, p->value),
			          p->cause, call_number(c, p->base), WORD_END);
		} else {
			device_unit(c, p->origin, unit);
			hex_text(p->origin, 4, hex);
			word_fill(b, c->language, WORD_SUMMARY_STATED, call_number(c, p->value),
			          call_org_name(c, unit), hex, WORD_END);
		}
		buf_text(b, "\n");
	}
}

static void missing_text(struct summing *s)
{
	struct call *c = s->c;
	struct buf b, why;

	buf_init(&b, LINE_MAX);
	buf_init(&why, LINE_MAX);
	for (size_t i = 0; i < s->missing_count && i < MISSING_SHOWN && s->explain; i++) {
		const struct missing *m = &s->missing[i];
		const struct unit *u = &s->tree.units[m->unit];
		buf_reset(&why);
		if (m->why == MISSING_NO_AGREEMENT)
			word_fill(&why, c->language, WORD_MISSING_NO_AGREEMENT,
			          call_time(c, m->last_contact_ms), WORD_END);
		else
			buf_text(&why, word_text(c->language, m->why == MISSING_NEVER
			                                              ? WORD_MISSING_NEVER
			                                              : WORD_MISSING_NO_NODE));
		word_fill(&b, c->language, WORD_SUMMARY_MISSING, u->code, u->name, buf_cstr(&why),
		          WORD_END);
		buf_text(&b, "\n");
		call_print(c, &b);
	}
	if (s->explain && s->missing_count > MISSING_SHOWN) {
		word_fill(&b, c->language, WORD_SUMMARY_MORE,
		          call_number(c, (int64_t)(s->missing_count - MISSING_SHOWN)), WORD_END);
		buf_text(&b, "\n");
		call_print(c, &b);
	}
	buf_done(&why);
	buf_done(&b);
	say_as_of(c, s->missing_count);
}

static int summary_text(struct summing *s)
{
	struct call *c = s->c;
	struct buf b;

	buf_init(&b, (size_t)1 << 20);
	buf_print(&b, "%s\n", word_text(c->language, WORD_SUMMARY_HEAD));
	call_print(c, &b);
	for (size_t i = 0; i < s->sum.count; i++) {
		const struct summary_cell *cell = &s->sum.cells[i];
		const struct unit *u = cell_unit(s, cell);
		if (!wanted(s, cell, u)) continue;
		buf_print(&b, "%s\t%s\t%04d-%02d\t%s\t%" PRId64 "\t%+" PRId64 "\t%" PRId64 "%s%s\n",
		          u ? u->code : "", u ? u->name : "", (int)(cell->month / 100),
		          (int)(cell->month % 100), kind_label(c, cell->kind), cell->stated,
		          cell->corrected, cell->stated + cell->corrected,
		          cell->settled ? "" : "\t",
		          cell->settled ? "" : word_text(c->language, WORD_SUMMARY_UNSETTLED));
		if (s->explain) explain_text(s, cell, &b);
		call_print(c, &b);
	}
	buf_done(&b);
	missing_text(s);
	return 0;
}

/* With --org, only the sites of that unit are missing from its numbers. */
static void keep_missing_below(struct summing *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->missing_count; i++)
		if (s->missing[i].unit == s->org ||
		    tree_below(&s->tree, s->missing[i].unit, s->org))
			s->missing[kept++] = s->missing[i];
	s->missing_count = kept;
}

static int run_summary(struct call *c)
{
	struct summing *s = arena_take(&c->words, sizeof *s);
	const char *kind = call_option(c, "kind"), *org = call_option(c, "org");
	uint8_t id[16];
	int rc;

	s->c = c;
	s->explain = call_option(c, "explain") != NULL;
	s->org = -1;
	if (kind && !(s->kind = figure_kind_named(span_of(kind, strlen(kind)))))
		return call_usage(c, "kind", "a kind of figure, like activities or minutes");
	rc = parse_period(c, &s->from, &s->to);
	rc = rc ? rc : call_open(c, 0);
	rc = rc || !org ? rc : call_find_org(c, org, 0, id);
	if (rc) return rc;
	rc = tree_load(c->store, &c->words, &s->tree);
	rc = rc ? rc : summary_load(c->store, &c->words, &s->sum);
	rc = rc ? rc
	        : summary_missing(c->replica, &s->tree, &c->words, &s->missing, &s->missing_count);
	if (rc) return call_failed(c, rc);
	if (org) {
		struct unit *u = tree_find(&s->tree, id);
		if (!u) return error_set(&c->error, ERR_NOT_FOUND, "org", "no such org unit here");
		s->org = (int32_t)(u - s->tree.units);
		keep_missing_below(s);
	}
	return c->json ? summary_json(s) : summary_text(s);
}

const struct command commands_peers[] = {
        {.name = "peers",
         .may = MAY_READ,
         .zh = "下级设备:最近联系、是否一致。",
         .en = "Devices below: last contact, agreement.",
         .options = "dismiss= release= reason=",
         .examples =
                 "peers --dir hub\n"
                 "peers --dismiss 0123456789abcdef0123456789abcdef --reason 旧电脑已收回 --dir hub",
         .args_min = 0,
         .args_max = 0,
         .run = run_peers},
        {.name = "coverage",
         .may = MAY_READ,
         .zh = "覆盖:哪些社区已入网、有活动。",
         .en = "Coverage: communities with a node, active ones, and those without.",
         .options = "by= month= from= to=",
         .examples = "coverage --by township --month 2025-03 --json --dir hub",
         .args_min = 0,
         .args_max = 0,
         .run = run_coverage},
        {.name = "summary",
         .may = MAY_READ,
         .zh = "汇总:数字及其由来。",
         .en = "The figures, and with --explain where each comes from.",
         .options = "explain org= kind= month= from= to=",
         .examples = "summary --explain --kind minutes --dir hub",
         .args_min = 0,
         .args_max = 0,
         .run = run_summary},
        {.name = NULL},
};
