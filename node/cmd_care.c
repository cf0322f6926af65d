/*
 * cmd_care.c - verify, audit, backup, conflicts, parked, refused: what a person looks after.
 */
#include "common/base.h"

#include "node/command.h"

#include "common/ident.h"

enum { REPORT_BYTES_MAX = 1 << 20, LIST_MAX = 10000, LINE_MAX = 64 * 1024 };

/* ---- verify, backup */

static void verify_progress(void *ctx, int64_t done, int64_t of)
{
	struct call *c = ctx;
	struct buf b;

	if (!c->terminal || c->json) return;
	buf_init(&b, 256);
	word_fill(&b, c->language, WORD_VERIFY_GOING, call_number(c, done), call_number(c, of),
	          WORD_END);
	call_progress(c, &b);
	buf_done(&b);
}

static json_t *lines_json(const struct buf *report)
{
	json_t *list = json_array();

	for (size_t at = 0; at < report->len;) {
		const uint8_t *end = memchr(report->p + at, '\n', report->len - at);
		size_t n = end ? (size_t)(end - report->p) - at : report->len - at;
		if (n) json_array_append_new(list, json_span(span_of(report->p + at, n)));
		at += n + 1;
	}
	return list;
}

static int run_verify(struct call *c)
{
	struct buf report, line;
	int64_t findings = 0, forks = 0;
	int rc = call_open(c, 0);

	if (rc) return rc;
	buf_init(&report, REPORT_BYTES_MAX);
	buf_init(&line, 512);
	rc = replica_verify(c->replica, &report, &findings, &forks, verify_progress, c);
	if (rc) {
		call_failed(c, rc);
		goto out;
	}
	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "sound", json_boolean(findings == 0));
		json_object_set_new(j, "findings", json_integer(findings));
		json_object_set_new(j, "forks", json_integer(forks));
		json_object_set_new(j, "items", lines_json(&report));
		call_json(c, j);
	} else {
		if (findings)
			word_fill(&line, c->language, WORD_VERIFY_FOUND, call_number(c, findings),
			          WORD_END);
		else
			buf_text(&line, word_text(c->language, WORD_VERIFY_SOUND));
		call_say(c, &line);
		if (forks) {
			buf_reset(&line);
			word_fill(&line, c->language, WORD_VERIFY_FORKS, call_number(c, forks),
			          WORD_END);
			call_say(c, &line);
		}
		call_print(c, &report);
	}
	rc = findings ? EXIT_STORAGE : 0;
out:
	buf_done(&line);
	buf_done(&report);
	return rc;
}

/* ---- audit: what was found to differ, and what became of it */

static const char *const repair_names[] = {
        [REPAIR_ROW] = "row",     [REPAIR_STATE] = "state",     [REPAIR_FIGURE] = "figure",
        [REPAIR_ENTRY] = "entry", [REPAIR_DIFFERS] = "differs", [REPAIR_TAIL] = "unsent"};
static const char *const outcome_names[] = {
        [REPAIR_OPEN] = "open", [REPAIR_OWN] = "own_journal", [REPAIR_PEER] = "peer"};

static json_t *repair_json(struct call *c, const struct repair *x)
{
	const struct table *t = schema_table(&schema_current, x->table);
	const struct error_info *info = error_info(x->cause);
	json_t *j = json_object();
	char hex[40];

	json_object_set_new(j, "what", json_string(repair_names[x->what]));
	json_object_set_new(j, "outcome", json_string(outcome_names[x->outcome]));
	json_object_set_new(j, "at", json_time(x->at_ms));
	json_object_set_new(j, "scope", json_org(c, x->scope));
	json_object_set_new(j, "lane", json_integer(x->lane));
	json_object_set_new(j, "table",
	                    t          ? json_string(t->name)
	                    : x->table ? json_integer(x->table)
	                               : json_null());
	hex_text(x->id, 16, hex);
	json_object_set_new(j, "row",
	                    x->what == REPAIR_ROW || x->what == REPAIR_DIFFERS ? json_id(x->id)
	                                                                       : json_null());
	json_object_set_new(j, "entry",
	                    x->what == REPAIR_ENTRY ? json_integer(x->recv) : json_null());
	json_object_set_new(j, "hash", x->what == REPAIR_ENTRY ? json_string(hex) : json_null());
	json_object_set_new(j, "code", json_integer(info->code));
	json_object_set_new(j, "rule", json_string(info->name));
	return j;
}

static void repair_text(struct call *c, const struct repair *x, struct buf *b)
{
	static const enum word words[] = {
	        [REPAIR_ROW] = WORD_AUDIT_ROW,         [REPAIR_STATE] = WORD_AUDIT_STATE,
	        [REPAIR_FIGURE] = WORD_AUDIT_FIGURE,   [REPAIR_ENTRY] = WORD_AUDIT_ENTRY,
	        [REPAIR_DIFFERS] = WORD_AUDIT_DIFFERS, [REPAIR_TAIL] = WORD_AUDIT_TAIL};
	static const enum word outcomes[] = {[REPAIR_OPEN] = WORD_AUDIT_OPEN,
	                                     [REPAIR_OWN] = WORD_AUDIT_OWN,
	                                     [REPAIR_PEER] = WORD_AUDIT_PEER};
	const struct table *t = schema_table(&schema_current, x->table);
	const char *table = !t                           ? call_number(c, x->table)
	                    : c->language == LANGUAGE_ZH ? t->zh
	                                                 : t->en;

	buf_print(b, "%s ", call_time(c, x->at_ms));
	if (x->what == REPAIR_ROW || x->what == REPAIR_DIFFERS)
		word_fill(b, c->language, words[x->what], table, call_id(c, x->id), WORD_END);
	else if (x->what == REPAIR_ENTRY)
		word_fill(b, c->language, words[x->what], call_number(c, x->recv), WORD_END);
	else
		word_fill(b, c->language, words[x->what], call_org_name(c, x->scope), WORD_END);
	buf_print(b, " (%s)\n", word_text(c->language, outcomes[x->outcome]));
}

static void audit_progress(struct call *c, const struct audit *x)
{
	struct buf b;

	if (!c->terminal || c->json) return;
	buf_init(&b, 256);
	word_fill(&b, c->language, WORD_AUDIT_GOING, call_number(c, x->done), call_number(c, x->of),
	          call_number(c, x->found), call_number(c, x->mended), WORD_END);
	call_progress(c, &b);
	buf_done(&b);
}

/* One piece of work a transaction, so that the daemon goes on beside it. */
static int audit_deep(struct call *c)
{
	struct audit x = {0};
	int rc = 0, tries = 0;

	while (!rc && !x.finished) {
		struct audit before = x;

		rc = call_begin(c);
		if (rc) return rc;
		rc = replica_audit(c->replica, &x);
		if (!rc) rc = call_commit(c);
		if (!rc) {
			audit_progress(c, &x);
			continue;
		}
		call_failed(c, rc);
		if (store_in_transaction(c->store)) replica_rollback(c->replica);
		/* A row that could not even be used: the next transaction begins with rebuilding it. */
		if (rc != -ERR_DATABASE_DAMAGED || tries++ == REPAIRS_MAX) return rc;
		x = before;
		rc = 0;
	}
	call_progress_end(c);
	return rc;
}

static int audit_show(struct call *c, const struct repair *list, size_t count, int64_t open)
{
	struct buf b;

	if (c->json) {
		json_t *items = json_array();
		for (size_t i = 0; i < count; i++)
			json_array_append_new(items, repair_json(c, &list[i]));
		return call_items(c, "audit", items, NULL);
	}
	buf_init(&b, (size_t)LINE_MAX * 4);
	if (count)
		word_fill(&b, c->language, WORD_AUDIT_DONE, call_number(c, (int64_t)count),
		          call_number(c, (int64_t)count - open), call_number(c, open), WORD_END);
	else
		buf_text(&b, word_text(c->language, WORD_AUDIT_SOUND));
	call_say(c, &b);
	buf_reset(&b);
	for (size_t i = 0; i < count; i++) {
		repair_text(c, &list[i], &b);
		call_print(c, &b);
	}
	buf_done(&b);
	return 0;
}

static int run_audit(struct call *c)
{
	struct repair *list = NULL;
	size_t count = 0;
	int64_t open = 0, mended = 0;
	int rc = call_open(c, 0);

	if (!rc && call_option(c, "deep")) rc = audit_deep(c);
	if (rc) return rc;
	rc = replica_repairs(c->replica, &c->arena, &list, &count);
	rc = rc ? rc : replica_repair_counts(c->replica, &open, &mended);
	if (rc) return call_failed(c, rc);
	rc = audit_show(c, list, count, open);
	return rc ? rc : open ? EXIT_PARTLY : 0;
}

static int run_backup(struct call *c)
{
	struct buf b;
	int rc = call_open(c, 0);

	rc = rc ? rc : store_backup(c->store, c->args[0], &c->error);
	if (rc) return rc;
	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "file", json_string(c->args[0]));
		call_json(c, j);
		return 0;
	}
	buf_init(&b, 8192);
	word_fill(&b, c->language, WORD_BACKUP_DONE, c->args[0], WORD_END);
	call_say(c, &b);
	buf_done(&b);
	return 0;
}

/* ---- conflicts */

static const char *field_label(const struct call *c, const struct field *f)
{
	return !f ? "" : c->language == LANGUAGE_ZH ? f->zh : f->en;
}

struct conflict {
	const struct table *table;
	const struct field *field; /* NULL: alive */
	const struct candidate *first;
	struct standing *standing;
	size_t count;
};

static json_t *conflict_json(struct call *c, const struct conflict *k)
{
	json_t *j = json_object(), *values = json_array();
	char hex[40];

	json_object_set_new(j, "id", json_id(k->first->row));
	json_object_set_new(j, "table", json_string(k->table->name));
	json_object_set_new(j, "field",
	                    k->field ? json_string(k->field->name) : json_string("alive"));
	json_object_set_new(j, "kind",
	                    json_string(k->first->kind == CANDIDATE_EDIT_OF_DELETED
	                                        ? "edit_of_deleted"
	                                        : "value"));
	for (size_t i = 0; i < k->count; i++) {
		json_t *v = json_object();
		hex_text(k->standing[i].origin, 16, hex);
		json_object_set_new(v, "value",
		                    person_sees(&c->person, k->field)
		                            ? json_value(k->field, k->standing[i].value)
		                            : json_string(word_text(c->language, WORD_MASKED)));
		json_object_set_new(v, "device", json_string(hex));
		json_object_set_new(v, "at", json_time(stamp_ms(k->standing[i].stamp)));
		json_object_set_new(v, "shown", json_boolean(i == 0));
		json_array_append_new(values, v);
	}
	json_object_set_new(j, "values", values);
	return j;
}

static void conflict_text(struct call *c, const struct conflict *k, struct buf *b)
{
	const char *id = call_id(c, k->first->row);
	const char *table = c->language == LANGUAGE_ZH ? k->table->zh : k->table->en;
	char hex[40];

	if (k->first->kind == CANDIDATE_EDIT_OF_DELETED) {
		word_fill(b, c->language, WORD_CONFLICT_DELETED, table, id,
		          field_label(c, k->field), WORD_END);
		buf_text(b, "\n");
		return;
	}
	word_fill(b, c->language, WORD_CONFLICT_HEAD, table, id, field_label(c, k->field),
	          call_number(c, (int64_t)k->count), WORD_END);
	for (size_t i = 0; i < k->count; i++) {
		hex_text(k->standing[i].origin, 4, hex);
		buf_print(b, "\n  %s ", word_text(c->language, i ? WORD_ALSO : WORD_SHOWN));
		if (!person_sees(&c->person, k->field))
			buf_text(b, word_text(c->language, WORD_MASKED));
		else if (k->field && k->standing[i].value.type != VALUE_NULL)
			value_show(k->field, k->standing[i].value, b);
		buf_print(b, " (%s %s)", hex, call_time(c, stamp_ms(k->standing[i].stamp)));
	}
	buf_text(b, "\n  ");
	word_fill(b, c->language, WORD_CONFLICT_MEND, id, k->field ? k->field->name : "alive",
	          WORD_END);
	buf_text(b, "\n");
}

/* Candidates of one field stand together; each field is shown once. */
static bool same_field(const struct candidate *x, const struct candidate *y)
{
	return x->table == y->table && x->lane == y->lane && x->slot == y->slot &&
	       !memcmp(x->row, y->row, 16);
}

static int run_conflicts(struct call *c)
{
	struct candidate *all = NULL;
	size_t count = 0;
	json_t *items = NULL;
	struct buf b;
	int rc = call_open(c, 0);

	if (rc) return rc;
	rc = store_candidates_list(c->store, LIST_MAX, &c->arena, &all, &count);
	if (rc) return call_failed(c, rc);
	items = c->json ? json_array() : NULL;
	buf_init(&b, (size_t)LINE_MAX * 16);
	for (size_t i = 0; !rc && i < count; i++) {
		struct conflict k = {.table = schema_table(&schema_current, all[i].table),
		                     .first = &all[i]};
		if ((i && same_field(&all[i - 1], &all[i])) || !k.table) continue;
		k.field = table_slot(k.table, all[i].lane, all[i].slot);
		rc = replica_standing(c->replica, all[i].table, all[i].row, all[i].lane,
		                      all[i].slot, &c->arena, &k.standing, &k.count);
		if (rc) break;
		if (items) {
			json_array_append_new(items, conflict_json(c, &k));
			continue;
		}
		conflict_text(c, &k, &b);
		call_print(c, &b);
	}
	buf_done(&b);
	if (rc) {
		json_decref(items);
		return call_failed(c, rc);
	}
	if (items) return call_items(c, "conflict", items, NULL);
	if (!count && c->terminal) call_say_text(c, word_text(c->language, WORD_NONE_FOUND));
	return 0;
}

/* ---- parked and refused */

static json_t *held_json(struct call *c, const struct held *h, bool refused)
{
	const struct table *t = schema_table(&schema_current, h->table);
	const struct error_info *info = error_info(h->cause);
	struct run_info run;
	char hex[40];
	json_t *j = json_object();

	json_object_set_new(j, "id", json_integer(h->id));
	json_object_set_new(j, "row", json_id(h->row));
	json_object_set_new(j, "table", t ? json_string(t->name) : json_integer(h->table));
	json_object_set_new(j, "code", json_integer(info->code));
	json_object_set_new(j, "rule", json_string(info->name));
	json_object_set_new(j, "field", h->field[0] ? json_string(h->field) : json_null());
	json_object_set_new(j, "message",
	                    json_string(c->language == LANGUAGE_ZH ? info->zh : info->en));
	json_object_set_new(j, "fix",
	                    json_string(c->language == LANGUAGE_ZH ? info->fix_zh : info->fix_en));
	json_object_set_new(j, "at", json_time(stamp_ms(h->stamp)));
	json_object_set_new(j, "since", json_time(h->since_ms));
	if (!store_run_get(c->store, h->run, &run)) {
		hex_text(run.origin, 16, hex);
		json_object_set_new(j, "device", json_string(hex));
	}
	if (refused) {
		hex_text(h->by, 16, hex);
		json_object_set_new(j, "by", json_string(hex));
		json_object_set_new(j, "mine", json_boolean(h->mine));
	} else {
		json_object_set_new(j, "wait", json_id(h->wait));
	}
	return j;
}

static void held_text(struct call *c, const struct held *h, bool refused, struct buf *b)
{
	const struct table *t = schema_table(&schema_current, h->table);
	const struct error_info *info = error_info(h->cause);
	const char *table = !t ? "" : c->language == LANGUAGE_ZH ? t->zh : t->en;

	word_fill(b, c->language, WORD_PARKED_LINE, call_number(c, h->id), table,
	          call_id(c, h->row), call_time(c, h->since_ms),
	          c->language == LANGUAGE_ZH ? info->zh : info->en, WORD_END);
	if (h->field[0]) buf_print(b, " %s", h->field);
	if (!refused && !id_is_zero(h->wait)) {
		buf_text(b, " ");
		word_fill(b, c->language, WORD_PARKED_WAITS, call_id(c, h->wait), WORD_END);
	}
	buf_print(b, "\n  %s\n", c->language == LANGUAGE_ZH ? info->fix_zh : info->fix_en);
}

static int show_held(struct call *c, const char *schema, const struct held *held, size_t count,
                     bool refused)
{
	struct buf b;

	if (c->json) {
		json_t *items = json_array();
		for (size_t i = 0; i < count; i++)
			json_array_append_new(items, held_json(c, &held[i], refused));
		return call_items(c, schema, items, NULL);
	}
	buf_init(&b, LINE_MAX);
	for (size_t i = 0; i < count; i++) {
		held_text(c, &held[i], refused, &b);
		call_print(c, &b);
	}
	buf_done(&b);
	if (!count && c->terminal) call_say_text(c, word_text(c->language, WORD_NONE_FOUND));
	return 0;
}

/* --retry ID|all, or the owner's word on a proposal: --accept ID, --refuse ID. */
static int act_on_parked(struct call *c, const char *option)
{
	bool settle = strcmp(option, "retry") != 0;
	int64_t id = 0;
	size_t mended = settle;
	struct buf b;
	int rc = settle || strcmp(call_option(c, option), "all") != 0
	                 ? call_option_int(c, option, 0, 1, INT64_MAX, &id)
	                 : 0;

	rc = rc ? rc : call_begin(c);
	if (rc) return rc;
	rc = settle ? replica_settle(c->replica, id, !strcmp(option, "accept"), c->person.id)
	            : replica_retry(c->replica, id, &mended);
	if (rc) return call_undo(c, rc);
	rc = call_commit(c);
	if (rc) return rc;
	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "mended", json_integer((json_int_t)mended));
		call_json(c, j);
		return 0;
	}
	buf_init(&b, 256);
	word_fill(&b, c->language, WORD_RETRIED, call_number(c, (int64_t)mended), WORD_END);
	call_say(c, &b);
	buf_done(&b);
	return 0;
}

static int run_parked(struct call *c)
{
	static const char *const acts[] = {"retry", "accept", "refuse"};
	struct held *held = NULL;
	size_t count = 0;
	int rc = call_open(c, 0);

	if (rc) return rc;
	for (size_t i = 0; i < ARRAY_COUNT(acts); i++)
		if (call_option(c, acts[i])) {
			rc = call_may(c, i ? MAY_REVIEW : MAY_WRITE);
			if (!rc && i)
				rc = call_note(c, TRAIL_WRITE, 0, NULL, NULL,
				               i == 1 ? "parked --accept" : "parked --refuse");
			return rc ? rc : act_on_parked(c, acts[i]);
		}
	rc = store_parked_list(c->store, 0, LIST_MAX, &c->arena, &held, &count);
	return rc ? call_failed(c, rc) : show_held(c, "parked", held, count, false);
}

static int run_refused(struct call *c)
{
	struct held *held = NULL;
	size_t count = 0;
	int rc = call_open(c, 0);

	if (rc) return rc;
	rc = store_refused_list(c->store, !call_option(c, "all"), LIST_MAX, &c->arena, &held,
	                        &count);
	return rc ? call_failed(c, rc) : show_held(c, "refused", held, count, true);
}

const struct command commands_care[] = {
        {.name = "conflicts",
         .may = MAY_READ,
         .zh = "两处改得不同的值,都已保留。",
         .en = "Values changed differently in two places; all are kept.",
         .args_min = 0,
         .args_max = 0,
         .run = run_conflicts},
        {.name = "parked",
         .may = MAY_READ,
         .zh = "等待关联的记录。",
         .en = "Records that wait for something.",
         .options = "retry= accept= refuse=",
         .examples = "parked --dir jinguo\nparked --retry all --dir jinguo\n"
                     "parked --accept 12 --dir county",
         .args_min = 0,
         .args_max = 0,
         .run = run_parked},
        {.name = "refused",
         .may = MAY_READ,
         .zh = "被退的记录:哪一项、什么规则、怎么改。",
         .en = "Refused records: field, rule and mend.",
         .options = "all",
         .args_min = 0,
         .args_max = 0,
         .run = run_refused},
        {.name = "verify",
         .zh = "核对数据库、签名、状态和数字。",
         .en = "Checks database, chains, signatures, state and figures.",
         .args_min = 0,
         .args_max = 0,
         .run = run_verify},
        {.name = "audit",
         .zh = "列出发现的不一致和修复结果;--deep 逐条核对并修复。",
         .en = "What was found to differ and what was repaired; --deep checks everything and "
               "mends.",
         .options = "deep",
         .examples = "audit --dir jinguo\naudit --deep --dir jinguo",
         .args_min = 0,
         .args_max = 0,
         .run = run_audit},
        {.name = "backup",
         .trail = TRAIL_EXPORT,
         .args = "FILE",
         .zh = "备份数据库到一个新文件。",
         .en = "Copies the database to a new file.",
         .examples = "backup /media/usb/jinguo-2025-03.db --dir jinguo",
         .args_min = 1,
         .args_max = 1,
         .run = run_backup},
        {.name = NULL},
};
