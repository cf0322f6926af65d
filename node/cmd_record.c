/*
 * cmd_record.c - record, edit, delete, restore: a person's or a script's words to one local transaction.
 *
 * Every line of `record --json -` is a transaction of its own, durable when its id is printed; with
 * --atomic all lines are one.  A line may name its row ("as") and later lines may point to it ("@name").
 */
#include "common/base.h"

#include "node/command.h"

#include <sys/types.h>

#include "common/ident.h"

enum { FIELDS_MAX = 128, AS_MAX = 64, SEAL_LOOK = 100 /* lines */ };

struct as {
	char name[AS_MAX];
	const struct table *table;
	uint8_t id[16];
};

struct recording {
	struct call *c;
	struct as *as;
	size_t as_count, as_room;
	json_t *items;
	size_t done, failed;
	size_t line;
	bool atomic, broken;
};

/* One write, being put together. */
struct draft {
	struct write write;
	struct field_write fields[FIELDS_MAX];
	char as[AS_MAX];
};

static int draft_value(struct draft *d, struct call *c, const struct field *f, struct value v)
{
	if (d->write.fields_count == FIELDS_MAX) return call_usage(c, f->name, "too many fields");
	d->fields[d->write.fields_count++] = (struct field_write){f, v};
	return 0;
}

static const struct as *as_find(const struct recording *r, const char *name)
{
	for (size_t i = r->as_count; i-- > 0;)
		if (!strcmp(r->as[i].name, name)) return &r->as[i];
	return NULL;
}

/* "@v1" in a reference field: the row of this input that was called v1. */
static int draft_as(struct draft *d, const struct recording *r, const struct field *f,
                    const char *name)
{
	const struct as *as = as_find(r, name);
	struct call *c = r->c;

	if (!as || as->table->number != f->ref_table) {
		char field[sizeof c->error.field];
		(void)snprintf(field, sizeof field, "%s.%s", d->write.table->name, f->name);
		return error_set(&c->error, ERR_NOT_FOUND, field,
		                 "no earlier line that was recorded is called @%.60s%s", name,
		                 as ? " in that table" : "");
	}
	return draft_value(d, c, f, value_bytes(arena_copy(&c->arena, as->id, 16), 16));
}

/* field_name "org", where the table has no such field: the org unit that the row belongs to. */
static bool is_scope(const struct table *t, const char *name)
{
	return !strcmp(name, "org") && !table_field_named(t, name);
}

static int draft_text(struct draft *d, const struct recording *r, const char *name,
                      const char *text)
{
	const struct field *f = NULL;
	struct value v;
	struct call *c = r->c;
	int rc;

	if (is_scope(d->write.table, name) && d->write.kind == WRITE_INSERT)
		return call_find_org(c, text, 0, d->write.scope);
	rc = call_find_field(c, d->write.table, name, &f);
	if (rc) return rc;
	if (f->type == FIELD_REF && text[0] == '@') return draft_as(d, r, f, text + 1);
	text = arena_text(&c->arena,
	                  span_of(text, strlen(text))); /* values borrow it until the write */
	rc = call_parse_value(c, d->write.table, f, text, &v);
	return rc ? rc : draft_value(d, c, f, v);
}

/* FIELD=VALUE words. */
static int draft_words(struct draft *d, const struct recording *r, const char *const *words,
                       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *equals = strchr(words[i], '=');
		int rc;
		if (!equals || equals == words[i])
			return error_set(&r->c->error, ERR_USAGE, "FIELD=VALUE", "%.60s", words[i]);
		const char *name =
		        arena_text(&r->c->arena, span_of(words[i], (size_t)(equals - words[i])));
		rc = draft_text(d, r, name, equals + 1);
		if (rc) return rc;
	}
	return 0;
}

/* ---- JSON lines */

static int draft_json_list(struct draft *d, const struct recording *r, const char *name,
                           json_t *list)
{
	struct buf b;
	size_t i;
	json_t *e;
	int rc = 0;

	buf_init(&b, RECORD_LINE_MAX);
	json_array_foreach(list, i, e)
	{
		if (!json_is_string(e)) {
			rc = error_set(&r->c->error, ERR_JSON_FORM, name, "a list of texts");
			break;
		}
		if (i) buf_text(&b, ",");
		buf_text(&b, json_string_value(e));
	}
	rc = rc ? rc : draft_text(d, r, name, buf_cstr(&b));
	buf_done(&b);
	return rc;
}

static int draft_json_number(struct draft *d, const struct recording *r, const char *name,
                             int64_t n, bool is_bool)
{
	const struct field *f;
	struct call *c = r->c;
	int rc = call_find_field(c, d->write.table, name, &f);

	if (rc) return rc;
	if (f->type == FIELD_INT || f->type == FIELD_BOOL) {
		rc = value_check(d->write.table, f, value_int(n), &c->error);
		return rc ? rc : draft_value(d, c, f, value_int(n));
	}
	if (is_bool) return error_set(&c->error, ERR_FIELD_FORM, name, "not a yes or no");
	return draft_text(d, r, name, call_number(c, n));
}

static int draft_json_field(struct draft *d, const struct recording *r, const char *name, json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_STRING:
		return draft_text(d, r, name, json_string_value(v));
	case JSON_NULL:
		return draft_text(d, r, name, "");
	case JSON_INTEGER:
		return draft_json_number(d, r, name, json_integer_value(v), false);
	case JSON_TRUE:
		return draft_json_number(d, r, name, 1, true);
	case JSON_FALSE:
		return draft_json_number(d, r, name, 0, true);
	case JSON_ARRAY:
		return draft_json_list(d, r, name, v);
	case JSON_REAL:
	case JSON_OBJECT:
		break;
	}
	return error_set(&r->c->error, ERR_JSON_FORM, name,
	                 "a text, a whole number, true, false, null or a list of texts");
}

static int draft_json(struct draft *d, const struct recording *r, const char *line, size_t len)
{
	json_error_t bad;
	json_t *j = json_loadb(line, len, JSON_REJECT_DUPLICATES, &bad), *v;
	struct call *c = r->c;
	const char *table, *as, *key;
	int rc = 0;

	if (!j || !json_is_object(j)) {
		rc = error_set(&c->error, ERR_JSON_FORM, "", "%.160s",
		               j ? "a line is an object {...}" : bad.text);
		goto out;
	}
	table = json_string_value(json_object_get(j, "table"));
	as = json_string_value(json_object_get(j, "as"));
	if (!table) {
		rc = error_set(&c->error, ERR_JSON_FORM, "table", "every line names its table");
		goto out;
	}
	rc = call_find_table(c, table, &d->write.table);
	if (rc) goto out;
	if (as && strlen(as) >= sizeof d->as) {
		rc = error_set(&c->error, ERR_TOO_LONG, "as", "at most %d bytes", AS_MAX - 1);
		goto out;
	}
	if (as) memcpy(d->as, as, strlen(as) + 1);
	json_object_foreach(j, key, v)
	{
		if (!strcmp(key, "table") || !strcmp(key, "as")) continue;
		rc = draft_json_field(d, r, arena_text(&c->arena, span_of(key, strlen(key))), v);
		if (rc) goto out;
	}
out:
	json_decref(j);
	return rc;
}

/* ---- writing */

static int parse_author(struct call *c, uint8_t ret[8])
{
	const char *by = call_option(c, "by");

	memcpy(ret, c->person.id, 8);
	if (by && c->person.kind != PERSON_DEVICE)
		return call_usage(c, "by", "the author is who logged in");
	if (by && !hex_parse(by, ret, 8)) return call_usage(c, "by", "16 hexadecimal digits");
	return 0;
}

static int write_one(struct call *c, struct draft *d, bool own_transaction)
{
	uint8_t author[8];
	int rc = parse_author(c, author);

	if (rc) return rc;
	if (d->write.table->number == TABLE_REVIEW_STEP ||
	    d->write.table->number == TABLE_PERSON_CERT)
		return error_set(&c->error, ERR_UNSIGNED, d->write.table->name,
		                 "by `review` and `account certify`");
	if (d->write.table->number == TABLE_ACCOUNT)
		return error_set(&c->error, ERR_NO_PERMISSION, d->write.table->name,
		                 "accounts are made and changed with `account`");
	if (d->write.table->number == TABLE_OFFICER ||
	    d->write.table->number == TABLE_CASE_RECORD ||
	    d->write.table->number == TABLE_CASE_KEY ||
	    d->write.table->number == TABLE_BROKEN_GLASS)
		return error_set(&c->error, ERR_NO_PERMISSION, d->write.table->name,
		                 "by `case` and `officer`");
	if (d->write.table->number == TABLE_WITHDRAWAL || d->write.table->number == TABLE_ERASURE)
		return error_set(&c->error, ERR_NO_PERMISSION, d->write.table->name,
		                 "by `privacy withdraw`, `resume` and `erase`");
	d->write.fields = d->fields;
	if (own_transaction && (rc = call_begin(c))) return rc;
	rc = replica_write(c->replica, &d->write, 1, false, author);
	if (rc) {
		call_failed(c, rc);
		if (own_transaction) replica_rollback(c->replica);
		return rc;
	}
	return own_transaction ? call_commit(c) : 0;
}

static json_t *item_of(const struct draft *d)
{
	json_t *j = json_object();

	json_object_set_new(j, "id", json_id(d->write.row));
	json_object_set_new(j, "table", json_string(d->write.table->name));
	if (d->as[0]) json_object_set_new(j, "as", json_string(d->as));
	if (d->write.proposal) json_object_set_new(j, "proposal", json_true());
	return j;
}

static void as_add(struct recording *r, const struct draft *d)
{
	if (!d->as[0]) return;
	if (r->as_count == r->as_room) {
		r->as_room = r->as_room ? 2 * r->as_room : 64;
		r->as = mem_grow(r->as, r->as_room * sizeof *r->as);
	}
	struct as *as = &r->as[r->as_count++];
	memcpy(as->name, d->as, sizeof as->name);
	as->table = d->write.table;
	memcpy(as->id, d->write.row, 16);
}

static bool blank(struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if (!line.p[i] || !strchr(" \t\r", line.p[i])) return false;
	return true;
}

/* The next line without its end; false: there is none.  One that is too long makes the buffer full and is
 * read to its end without being kept. */
static bool take_line(FILE *in, struct buf *line)
{
	uint8_t piece[512];
	size_t n = 0;
	int ch;

	buf_reset(line);
	while ((ch = getc_unlocked(in)) != EOF && ch != '\n') {
		piece[n++] = (uint8_t)ch;
		if (n < sizeof piece) continue;
		buf_add(line, piece, n);
		n = 0;
	}
	buf_add(line, piece, n);
	return ch != EOF || line->len || line->full;
}

static int record_line(struct recording *r, const struct buf *line)
{
	struct draft *d = mem_alloc(sizeof *d);
	int rc;

	d->write.kind = WRITE_INSERT;
	rc = line->full
	             ? error_set(&r->c->error, ERR_TOO_LONG, "", "the line has more than 256 KiB")
	             : draft_json(d, r, (const char *)line->p, line->len);
	rc = rc ? rc : write_one(r->c, d, !r->atomic);
	if (rc) {
		r->failed++;
		/* A transaction that failed inside the store is not to be used further. */
		r->broken = true;
		call_report(r->c, &r->c->error, r->line);
	} else {
		r->done++;
		as_add(r, d);
		json_array_append_new(r->items, item_of(d));
	}
	free(d);
	return rc;
}

/* Is it about the input, so that the next line may fare better? */
static bool goes_on(int rc)
{
	int exit_code = error_info(-rc)->exit_code;

	return exit_code != EXIT_STORAGE && exit_code != EXIT_BUSY &&
	       exit_code != EXIT_UNEXPECTED && exit_code != EXIT_VERSION;
}

static int take_lines(struct recording *r, FILE *in)
{
	struct buf line;
	int rc = 0, first = 0;

	if (r->atomic && (rc = call_begin(r->c))) return rc;
	buf_init(&line, RECORD_LINE_MAX);
	while (take_line(in, &line)) {
		r->line++;
		arena_reset(&r->c->arena);
		if (!line.full && blank(buf_span(&line))) continue;
		rc = record_line(r, &line);
		first = first ? first : rc;
		if (rc && (r->atomic || !goes_on(rc))) break;
		/* What was recorded is: a seal that fails is made by the next session. */
		if (!r->atomic && r->line % SEAL_LOOK == 0) (void)call_seal_if_due(r->c);
	}
	buf_done(&line);
	if (r->atomic && r->broken) {
		replica_rollback(r->c->replica);
		json_array_clear(r->items);
		r->done = 0;
	} else if (r->atomic) {
		first = call_commit(r->c);
	}
	(void)call_seal_if_due(r->c);
	return first;
}

int record_lines(struct call *c, FILE *in, bool atomic, json_t *items, size_t *ret_done,
                 size_t *ret_failed)
{
	struct recording r = {.c = c, .items = items, .atomic = atomic};
	int rc = take_lines(&r, in);

	free(r.as);
	*ret_done = r.done;
	*ret_failed = r.failed;
	return rc;
}

static int record_json(struct call *c)
{
	json_t *items = json_array();
	size_t done, failed;
	struct buf b;
	int rc = record_lines(c, stdin, call_option(c, "atomic") != NULL, items, &done, &failed);

	if (rc && !failed) { /* begin or commit */
		json_decref(items);
		return rc;
	}
	buf_init(&b, 512);
	word_fill(&b, c->language, WORD_LINES_DONE, call_number(c, (int64_t)done),
	          call_number(c, (int64_t)failed), WORD_END);
	if (c->terminal) call_say(c, &b);
	buf_done(&b);
	(void)call_items(c, "record", items, NULL);
	if (rc && done) return EXIT_PARTLY;
	return rc ? error_info(-rc)->exit_code : 0;
}

static void say_done(struct call *c, const struct draft *d)
{
	struct buf b;

	buf_init(&b, 512);
	word_fill(&b, c->language, d->write.proposal ? WORD_PROPOSED : WORD_RECORDED,
	          d->write.table->zh && c->language == LANGUAGE_ZH ? d->write.table->zh
	                                                           : d->write.table->en,
	          WORD_END);
	if (c->terminal) call_say(c, &b);
	buf_reset(&b);
	buf_print(&b, "%s\n", call_id(c, d->write.row));
	call_print(c, &b);
	buf_done(&b);
}

static int write_and_show(struct call *c, struct draft *d)
{
	int rc = write_one(c, d, true);

	if (rc) return rc;
	if (c->json) {
		json_t *items = json_array();
		json_array_append_new(items, item_of(d));
		return call_items(c, d->write.table->name, items, NULL);
	}
	say_done(c, d);
	return 0;
}

static int run_record(struct call *c)
{
	struct recording r = {.c = c};
	struct draft *d;
	int rc;

	if (!strcmp(c->args[0], "-")) {
		if (!c->json) return call_usage(c, "-", "record --json -");
		if (c->args_count > 1)
			return call_usage(
			        c, "-", "the records stand in the input, not in the words behind");
		rc = call_open(c, c->program->hub ? 0 : CALL_CREATE);
		return rc ? rc : record_json(c);
	}
	d = mem_alloc(sizeof *d);
	d->write.kind = WRITE_INSERT;
	rc = call_find_table(c, c->args[0], &d->write.table);
	rc = rc ? rc : call_open(c, c->program->hub ? 0 : CALL_CREATE);
	rc = rc ? rc : draft_words(d, &r, c->args + 1, c->args_count - 1);
	rc = rc ? rc : write_and_show(c, d);
	free(d);
	return rc;
}

static int change(struct call *c, enum write_kind kind)
{
	struct recording r = {.c = c};
	struct draft *d = mem_alloc(sizeof *d);
	int rc = call_open(c, 0);

	d->write.kind = kind;
	rc = rc ? rc : call_find_row(c, c->args[0], &d->write.table, d->write.row);
	rc = rc ? rc : draft_words(d, &r, c->args + 1, c->args_count - 1);
	rc = rc ? rc : write_and_show(c, d);
	free(d);
	return rc;
}

static int run_edit(struct call *c)
{
	return change(c, WRITE_UPDATE);
}

static int run_delete(struct call *c)
{
	return change(c, WRITE_DELETE);
}

static int run_restore(struct call *c)
{
	return change(c, WRITE_RESTORE);
}

const struct command commands_record[] = {
        {.name = "record",
         .args = "TABLE FIELD=VALUE... | --json -",
         .zh = "记一笔:存到本机,联网后自动上传。",
         .en = "Records a row here; it is sent when there is a link.",
         .may = MAY_WRITE,
         .options = "atomic by=",
         .examples =
                 "record volunteer name=林秀英 vstat=active registered=2025-03-08 --dir jinguo\n"
                 "record --json - --dir jinguo <rows.jsonl\n"
                 "record --json - --atomic --dir jinguo <rows.jsonl",
         .args_min = 1,
         .args_max = -1,
         .run = run_record},
        {.name = "edit",
         .args = "ID FIELD=VALUE...",
         .zh = "修改一条记录。",
         .en = "Changes fields of a row.",
         .may = MAY_WRITE,
         .options = "by=",
         .examples = "edit 0191d3f0-5c1e-7a02-8f3a-1b2c3d4e5f60 phone=13800000000 --dir jinguo",
         .args_min = 2,
         .args_max = -1,
         .run = run_edit},
        {.name = "delete",
         .args = "ID",
         .zh = "删除一条记录(可恢复)。",
         .en = "Deletes a row; restore brings it back.",
         .may = MAY_WRITE,
         .options = "by=",
         .examples = "delete 0191d3f0-5c1e-7a02-8f3a-1b2c3d4e5f60 --dir jinguo",
         .args_min = 1,
         .args_max = 1,
         .run = run_delete},
        {.name = "restore",
         .args = "ID",
         .zh = "恢复已删除的记录。",
         .en = "Brings a deleted row back.",
         .may = MAY_WRITE,
         .options = "by=",
         .args_min = 1,
         .args_max = 1,
         .run = run_restore},
        {.name = NULL},
};
