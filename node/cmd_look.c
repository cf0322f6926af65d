/*
 * cmd_look.c - list, show, history, schema: looking without changing anything.
 */
#include "common/base.h"

#include "node/command.h"

#include "common/ident.h"
#include "proto/privacy.h"

enum { WHERE_MAX = 16, PAGE = 500, SHOW_BYTES_MAX = 1 << 20 };

static const char *label(const struct call *c, const char *zh, const char *en)
{
	return c->language == LANGUAGE_ZH ? zh : en;
}

/* What stands in a field, for who looks. */
static void show_value(const struct call *c, const struct field *f, struct value v, struct buf *b)
{
	if (person_sees(&c->person, f))
		value_show(f, v, b);
	else
		buf_text(b, word_text(c->language, WORD_MASKED));
}

/* ---- list */

/* Did the person withdraw consent?  Then whoever looks is told so. */
static bool is_frozen(const struct call *c, const struct table *t, const struct row_view *v)
{
	bool frozen = false;

	return t->number == TABLE_VOLUNTEER && !replica_frozen(c->replica, v->id, &frozen) &&
	       frozen;
}

static bool is_erased(const struct call *c, const struct row_view *v)
{
	bool erased = false;

	return !replica_erased(c->replica, v->id, v->scope, &erased) && erased;
}

static json_t *row_json(struct call *c, const struct table *t, const struct row_view *v)
{
	uint8_t scope[16] = {0};
	struct scope s;
	json_t *j = json_object();

	if (v->scope && !store_scope_get(c->store, v->scope, &s)) memcpy(scope, s.id, 16);
	json_object_set_new(j, "id", json_id(v->id));
	json_object_set_new(j, "table", json_string(t->name));
	for (size_t i = 0; i < t->fields_count; i++) {
		bool masked =
		        v->values[i].type != VALUE_NULL && !person_sees(&c->person, &t->fields[i]);
		json_object_set_new(j, t->fields[i].name,
		                    masked ? json_string(word_text(c->language, WORD_MASKED))
		                           : json_value(&t->fields[i], v->values[i]));
	}
	if (!json_object_get(j, "org")) {
		const char *code = call_org_code(c, scope);
		json_object_set_new(j, "org", *code ? json_string(code) : json_null());
	}
	json_object_set_new(j, "org_id", json_id(scope));
	json_object_set_new(j, "alive", json_boolean(!v->dead));
	json_object_set_new(j, "erased", json_boolean(is_erased(c, v)));
	if (t->number == TABLE_VOLUNTEER)
		json_object_set_new(j, "frozen", json_boolean(is_frozen(c, t, v)));
	return j;
}

static void row_line(const struct call *c, struct buf *b, const struct table *t,
                     const struct row_view *v)
{
	char id[ID_TEXT];

	id_text(v->id, id);
	buf_text(b, id);
	for (size_t i = 0; i < t->fields_count; i++) {
		if (v->values[i].type == VALUE_NULL) continue;
		buf_print(b, "\t%s=", t->fields[i].name);
		show_value(c, &t->fields[i], v->values[i], b);
	}
	if (is_frozen(c, t, v)) buf_print(b, "\t%s", word_text(c->language, WORD_FROZEN));
	if (is_erased(c, v)) buf_print(b, "\t%s", word_text(c->language, WORD_ERASED));
	buf_text(b, "\n");
}

static int parse_where(struct call *c, const struct table *t, struct row_where *ret,
                       size_t *ret_count)
{
	const char *text;

	*ret_count = 0;
	for (size_t n = 0; (text = call_option_at(c, "where", n)); n++) {
		const char *equals = strchr(text, '=');
		struct row_where *w = &ret[*ret_count];
		int rc;
		if (!equals || *ret_count == WHERE_MAX)
			return call_usage(c, "where", "--where FIELD=VALUE, at most 16");
		rc = call_find_field(c, t,
		                     arena_text(&c->arena, span_of(text, (size_t)(equals - text))),
		                     &w->field);
		rc = rc ? rc : call_parse_value(c, t, w->field, equals + 1, &w->value);
		if (rc) return rc;
		if (!person_sees(&c->person, w->field))
			return error_set(&c->error, ERR_NO_PERMISSION, w->field->name, "%s",
			                 c->person.login);
		(*ret_count)++;
	}
	return 0;
}

struct listing {
	const struct table *table;
	struct row_where where[WHERE_MAX];
	size_t where_count;
	uint32_t scope;
	int64_t limit, shown;
	bool all, more;
	uint8_t after[16];
	bool has_after;
};

static int list_options(struct call *c, struct listing *l)
{
	const char *org = call_option(c, "org"), *after = call_option(c, "after");
	uint8_t id[16];
	int rc = call_find_table(c, c->args[0], &l->table);

	rc = rc ? rc : call_open(c, 0);
	rc = rc ? rc : parse_where(c, l->table, l->where, &l->where_count);
	rc = rc ? rc : call_note_read(c, l->table, NULL);
	rc = rc ? rc : call_option_int(c, "limit", INT64_MAX, 1, INT64_MAX, &l->limit);
	if (rc) return rc;
	if (after && !id_parse(after, l->after)) return call_usage(c, "after", "an id");
	l->has_after = after != NULL;
	l->all = call_option(c, "all") != NULL;
	if (!org) return 0;
	rc = call_find_org(c, org, 0, id);
	rc = rc ? rc : store_scope_ord(c->store, id, false, &l->scope);
	if (!rc && !l->scope)
		return error_set(&c->error, ERR_NOT_FOUND, "org", "nothing of this org unit here");
	return rc;
}

static int run_list(struct call *c)
{
	struct listing l = {0};
	json_t *items = NULL;
	struct buf text;
	int rc = list_options(c, &l);

	if (rc) return rc;
	buf_init(&text, (size_t)SHOW_BYTES_MAX * 4);
	items = c->json ? json_array() : NULL;
	for (;;) {
		struct row_view *rows = NULL;
		size_t count = 0;
		struct arena a;
		arena_init(&a, 0);
		rc = store_rows_view(c->store, l.table, l.where, l.where_count, l.scope, l.all,
		                     l.has_after ? l.after : NULL, PAGE, &a, &rows, &count);
		for (size_t i = 0; !rc && i < count; i++) {
			if (l.shown == l.limit) {
				l.more = true;
				break;
			}
			if (items)
				json_array_append_new(items, row_json(c, l.table, &rows[i]));
			else
				row_line(c, &text, l.table, &rows[i]);
			memcpy(l.after, rows[i].id, 16);
			l.has_after = true;
			l.shown++;
		}
		arena_done(&a);
		if (text.len) call_print(c, &text);
		if (rc || l.more || count < PAGE) break;
	}
	buf_done(&text);
	if (rc) {
		json_decref(items);
		return call_failed(c, rc);
	}
	if (items) return call_items(c, l.table->name, items, l.more ? call_id(c, l.after) : NULL);
	if (!l.shown && c->terminal) call_say_text(c, word_text(c->language, WORD_NONE_FOUND));
	if (l.more) {
		struct buf b;
		buf_init(&b, 256);
		word_fill(&b, c->language, WORD_ROWS_MORE, call_id(c, l.after), WORD_END);
		call_say(c, &b);
		buf_done(&b);
	}
	return 0;
}

/* ---- show */

static void show_text(struct call *c, const struct table *t, const struct row_view *v)
{
	struct buf b;

	buf_init(&b, SHOW_BYTES_MAX);
	buf_print(&b, "%s %s%s%s", label(c, t->zh, t->en), call_id(c, v->id), v->dead ? " " : "",
	          v->dead ? word_text(c->language, WORD_DELETED) : "");
	if (is_frozen(c, t, v)) buf_print(&b, " %s", word_text(c->language, WORD_FROZEN));
	if (is_erased(c, v)) buf_print(&b, " %s", word_text(c->language, WORD_ERASED));
	buf_text(&b, "\n");
	for (size_t i = 0; i < t->fields_count; i++) {
		const struct field *f = &t->fields[i];
		if (v->values[i].type == VALUE_NULL) continue;
		buf_print(&b, "  %s (%s): ", label(c, f->zh, f->en), f->name);
		show_value(c, f, v->values[i], &b);
		if (f->codes && person_sees(&c->person, f) && f->type == FIELD_CODE) {
			const struct code *code = code_find(f->codes, v->values[i].s);
			if (code) buf_print(&b, " %s", label(c, code->zh, code->en));
		}
		buf_text(&b, "\n");
	}
	call_print(c, &b);
	buf_done(&b);
}

static int run_show(struct call *c)
{
	const struct table *t = NULL;
	struct row_view *v = NULL;
	uint8_t id[16];
	int rc = call_open(c, 0);

	rc = rc ? rc : call_find_row(c, c->args[0], &t, id);
	if (rc) return rc;
	rc = store_row_view(c->store, t, id, &c->arena, &v);
	if (rc) return call_failed(c, rc);
	if (!v) return error_set(&c->error, ERR_NOT_FOUND, "ID", "no such record here");
	rc = call_note_read(c, t, id);
	if (rc) return rc;
	if (c->json) {
		json_t *items = json_array();
		json_array_append_new(items, row_json(c, t, v));
		return call_items(c, t->name, items, NULL);
	}
	show_text(c, t, v);
	return 0;
}

/* ---- history */

static const char *const state_names[] = {
        [HISTORY_ADMITTED] = "merged", [HISTORY_REFUSED] = "refused", [HISTORY_WAITS] = "waits",
        [HISTORY_TAIL] = "recorded",   [HISTORY_OWN] = "hub",
};
static const enum word state_words[] = {
        [HISTORY_ADMITTED] = WORD_HISTORY_ADMITTED, [HISTORY_REFUSED] = WORD_HISTORY_REFUSED,
        [HISTORY_WAITS] = WORD_HISTORY_WAITS,       [HISTORY_TAIL] = WORD_HISTORY_TAIL,
        [HISTORY_OWN] = WORD_HISTORY_OWN,
};

/* A tombstone may carry the clock of what its author had seen instead of a 0. */
static bool is_alive(struct value v)
{
	return v.type == VALUE_INT && v.i == 1;
}

enum said { SAID_INSERT, SAID_UPDATE, SAID_DELETE, SAID_RESTORE, SAID_PROPOSAL, SAID_OTHER };
static const struct {
	const char *name;
	enum word word;
} said_words[] = {
        [SAID_INSERT] = {"insert", WORD_OP_INSERT},
        [SAID_UPDATE] = {"update", WORD_OP_UPDATE},
        [SAID_DELETE] = {"delete", WORD_OP_DELETE},
        [SAID_RESTORE] = {"restore", WORD_OP_RESTORE},
        [SAID_PROPOSAL] = {"proposal", WORD_OP_PROPOSAL},
        [SAID_OTHER] = {"other", WORD_OP_OTHER},
};

static enum said op_says(const struct op *op)
{
	if (op->kind == OP_INSERT) return SAID_INSERT;
	if (op->kind == OP_PROPOSAL) return SAID_PROPOSAL;
	if (op->kind != OP_UPDATE) return SAID_OTHER;
	if (op->values_count == 1 && op->values[0].slot == 0)
		return is_alive(op->values[0].value) ? SAID_RESTORE : SAID_DELETE;
	return SAID_UPDATE;
}

/* What one transaction did to a row stands in several lanes under one stamp: people see it once. */
static bool same_act(const struct history_item *x, const struct history_item *y)
{
	return x->run == y->run && x->op->stamp == y->op->stamp && x->op->kind == y->op->kind &&
	       x->state == y->state;
}

/* The org unit of the device that wrote: from its certificate; zeros when there is none yet. */
static void unit_of(struct call *c, const uint8_t origin[16], uint8_t ret[16])
{
	struct cert_row *row = NULL;

	memset(ret, 0, 16);
	if (!store_cert_by_origin(c->store, origin, &c->arena, &row) && row)
		memcpy(ret, row->unit, 16);
}

static void history_fields(struct call *c, json_t *fields, const struct table *t,
                           const struct history_item *h)
{
	for (size_t i = 0; i < h->op->values_count; i++) {
		const struct field *f = table_slot(t, h->lane, h->op->values[i].slot);
		if (h->op->values[i].slot == 0)
			json_object_set_new(fields, "alive",
			                    json_boolean(is_alive(h->op->values[i].value)));
		else if (f)
			json_object_set_new(
			        fields, f->name,
			        person_sees(&c->person, f)
			                ? json_value(f, h->op->values[i].value)
			                : json_string(word_text(c->language, WORD_MASKED)));
	}
}

/* h[0..n) are one act. */
static json_t *history_json(struct call *c, const struct table *t, const struct history_item *h,
                            size_t n)
{
	char hex[40];
	uint8_t unit[16];
	json_t *j = json_object(), *fields = json_object();

	unit_of(c, h->origin, unit);
	hex_text(h->origin, 16, hex);
	json_object_set_new(j, "at", json_time(stamp_ms(h->op->stamp)));
	json_object_set_new(j, "device", json_string(hex));
	json_object_set_new(
	        j, "mine",
	        json_boolean(!memcmp(h->origin, replica_identity(c->replica)->origin, 16)));
	json_object_set_new(j, "org", id_is_zero(unit) ? json_null() : json_org(c, unit));
	hex_text(h->author, 8, hex);
	json_object_set_new(j, "by", strspn(hex, "0") == 16 ? json_null() : json_string(hex));
	json_object_set_new(j, "by_name", json_string(call_author(c, h->author)));
	json_object_set_new(j, "op", json_string(said_words[op_says(h->op)].name));
	json_object_set_new(j, "state", json_string(state_names[h->state]));
	for (size_t i = 0; i < n; i++) history_fields(c, fields, t, &h[i]);
	json_object_set_new(j, "fields", fields);
	return j;
}

static void history_line(struct call *c, struct buf *b, const struct table *t,
                         const struct history_item *h, size_t n)
{
	char hex[40];
	uint8_t unit[16];

	unit_of(c, h->origin, unit);
	hex_text(h->origin, 4, hex);
	const char *by = call_author(c, h->author);
	buf_print(b, "%s %s%s%s%s%s %s", call_time(c, stamp_ms(h->op->stamp)),
	          call_org_name(c, unit), id_is_zero(unit) ? "" : " ", hex, *by ? " " : "", by,
	          word_text(c->language, said_words[op_says(h->op)].word));
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < h[k].op->values_count; i++) {
			const struct field *f = table_slot(t, h[k].lane, h[k].op->values[i].slot);
			if (!f) continue;
			buf_print(b, " %s=", f->name);
			show_value(c, f, h[k].op->values[i].value, b);
		}
	buf_print(b, " [%s]\n", word_text(c->language, state_words[h->state]));
}

static int run_history(struct call *c)
{
	const struct table *t = NULL;
	struct history_item *items = NULL;
	size_t count = 0;
	uint8_t id[16];
	int rc = call_open(c, 0);

	rc = rc ? rc : call_find_row(c, c->args[0], &t, id);
	rc = rc ? rc : call_note_read(c, t, id);
	if (rc) return rc;
	rc = replica_history(c->replica, id, &c->arena, &items, &count);
	if (rc) return call_failed(c, rc);
	json_t *list = c->json ? json_array() : NULL;
	for (size_t i = 0, n; i < count; i += n) {
		struct buf b;
		for (n = 1; i + n < count && same_act(&items[i], &items[i + n]); n++) {
		}
		if (list) {
			json_array_append_new(list, history_json(c, t, &items[i], n));
			continue;
		}
		buf_init(&b, SHOW_BYTES_MAX);
		history_line(c, &b, t, &items[i], n);
		call_print(c, &b);
		buf_done(&b);
	}
	return list ? call_items(c, "history", list, NULL) : 0;
}

/* ---- schema */

static int run_schema(struct call *c)
{
	bool sql = call_option(c, "sql"), markdown = call_option(c, "markdown");
	struct buf b;

	if (c->json + sql + markdown != 1)
		return call_usage(c, "schema", "one of --json, --sql, --markdown");
	buf_init(&b, (size_t)16 << 20);
	if (c->json)
		schema_json(&schema_current, &b);
	else if (sql)
		schema_ddl(&schema_current, &b);
	else
		schema_markdown(&schema_current, &b);
	if (b.len && b.p[b.len - 1] != '\n') buf_text(&b, "\n");
	call_print(c, &b);
	buf_done(&b);
	return 0;
}

const struct command commands_look[] = {
        {.name = "list",
         .may = MAY_READ,
         .args = "TABLE",
         .zh = "列出记录。",
         .en = "Lists rows.",
         .options = "where= org= limit= after= all",
         .examples = "list volunteer --where vstat=active --json --dir jinguo",
         .args_min = 1,
         .args_max = 1,
         .run = run_list},
        {.name = "show",
         .may = MAY_READ,
         .args = "ID",
         .zh = "显示一条记录。",
         .en = "Shows one row.",
         .examples = "show 0191d3f0-5c1e-7a02-8f3a-1b2c3d4e5f60 --dir jinguo",
         .args_min = 1,
         .args_max = 1,
         .run = run_show},
        {.name = "history",
         .may = MAY_READ,
         .args = "ID",
         .zh = "一条记录的历史:谁在什么时候改了什么。",
         .en = "Who changed what in a row, and when.",
         .args_min = 1,
         .args_max = 1,
         .run = run_history},
        {.name = "schema",
         .zh = "数据字典。",
         .en = "The data dictionary.",
         .options = "sql markdown",
         .examples = "schema --markdown >dictionary.md",
         .args_min = 0,
         .args_max = 0,
         .run = run_schema},
        {.name = NULL},
};
