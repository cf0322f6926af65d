/*
 * cmd_privacy.c - privacy report: what this place holds of a person, where it lies, where it goes, and who read it here.
 *
 * A person has a right to know it (个人信息保护法 art. 45, 48).  The report names kinds of things and counts, never values: what the record says
 * is for `show`.  It speaks of this place; the place above answers for itself, and the report says which those are.
 */
#include "common/base.h"

#include "node/command.h"

#include "common/ident.h"
#include "proto/privacy.h"

enum { READS_PAGE = 500, ROWS_MAX = 100000 };

struct report {
	struct call *c;
	const struct table *table;
	uint8_t id[16];
	uint32_t scope;
	json_t *fields, *referring, *reads, *changes;
	size_t entries;
};

/* The fields that say something, with their tier and how they lie. */
static int fields_of(struct report *r)
{
	struct row_view *v = NULL;
	int rc = store_row_view(r->c->store, r->table, r->id, &r->c->arena, &v);

	if (rc || !v) return rc ? call_failed(r->c, rc) : 0;
	r->scope = v->scope;
	for (size_t i = 0; i < r->table->fields_count; i++) {
		const struct field *f = &r->table->fields[i];
		json_t *j;

		if (v->values[i].type == VALUE_NULL) continue;
		j = json_object();
		json_object_set_new(j, "field", json_string(f->name));
		json_object_set_new(j, "tier", json_integer(f->tier));
		json_object_set_new(j, "lane", json_integer(field_lane(f)));
		json_object_set_new(j, "closed", json_boolean(f->tier >= 3));
		json_array_append_new(r->fields, j);
	}
	return 0;
}

/* Rows of other tables that point to this one. */
static int referring_to(struct report *r)
{
	int rc = 0;

	for (size_t i = 0; i < schema_current.tables_count && !rc; i++) {
		const struct table *t = schema_current.tables[i];
		for (size_t k = 0; k < t->fields_count && !rc; k++) {
			const struct field *f = &t->fields[k];
			struct row_where where = {f, value_bytes(r->id, 16)};
			struct row_view *rows;
			struct arena a;
			size_t n = 0;

			if (f->type != FIELD_REF || f->ref_table != r->table->number) continue;
			arena_init(&a, 0);
			rc = store_rows_view(r->c->store, t, &where, 1, 0, /* all= */ true, NULL,
			                     ROWS_MAX, &a, &rows, &n);
			arena_done(&a);
			if (rc || !n) continue;
			json_t *j = json_object();
			json_object_set_new(j, "table", json_string(t->name));
			json_object_set_new(j, "field", json_string(f->name));
			json_object_set_new(j, "records", json_integer((json_int_t)n));
			json_array_append_new(r->referring, j);
		}
	}
	return rc ? call_failed(r->c, rc) : 0;
}

/* Its history in the journal: what every holder of these segments has too. */
static int changes_of(struct report *r)
{
	struct history_item *items;
	size_t n;
	int64_t last = -1;
	int rc = replica_history(r->c->replica, r->id, &r->c->arena, &items, &n);

	if (rc) return call_failed(r->c, rc);
	for (size_t i = 0; i < n; i++) {
		char hex[33];
		json_t *j = json_object();

		if (items[i].recv && items[i].recv != last) r->entries++;
		last = items[i].recv ? items[i].recv : last;
		hex_text(items[i].origin, 16, hex);
		json_object_set_new(j, "at", json_time(stamp_ms(items[i].op->stamp)));
		json_object_set_new(j, "device", json_string(hex));
		json_object_set_new(j, "lane", json_integer(items[i].lane));
		json_object_set_new(j, "by", json_string(call_author(r->c, items[i].author)));
		json_array_append_new(r->changes, j);
	}
	return 0;
}

/* From the trail: who was shown this row, or a list of its table. */
static int reads_of(struct report *r)
{
	uint64_t after = 0;
	size_t n = 1;
	int rc = 0;

	while (!rc && n) {
		struct trail_record *t;
		struct arena a;

		arena_init(&a, 0);
		rc = trail_list(r->c->replica, after, READS_PAGE, &a, &t, &n);
		for (size_t i = 0; !rc && i < n; i++) {
			after = t[i].seq;
			if (t[i].verb != TRAIL_READ || t[i].table != r->table->number ||
			    (!id_is_zero(t[i].id) && memcmp(t[i].id, r->id, 16) != 0))
				continue;
			json_t *j = json_object();
			json_object_set_new(j, "at", json_time(t[i].at_ms));
			json_object_set_new(j, "by", json_string(call_author(r->c, t[i].person)));
			json_object_set_new(j, "whole_table", json_boolean(id_is_zero(t[i].id)));
			json_array_append_new(r->reads, j);
		}
		arena_done(&a);
	}
	return rc ? call_failed(r->c, rc) : 0;
}

/* The places that hold it by rule: its own unit's devices and, by its lanes, those above. */
static json_t *held_by(struct report *r)
{
	json_t *list = json_array();
	struct scope s;
	struct cert parent;

	if (r->scope && !store_scope_get(r->c->store, r->scope, &s))
		json_array_append_new(list, json_org(r->c, s.id));
	if (replica_parent(r->c->replica, &parent) && (parent.lanes >> LANE_COUNTY & 1))
		json_array_append_new(list, json_org(r->c, parent.unit));
	return list;
}

static void say_count(struct buf *b, const struct call *c, enum word w, size_t n)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%zu", n);
	word_fill(b, c->language, w, text, WORD_END);
	buf_text(b, "\n");
}

static void print_text(struct report *r, json_t *held, bool frozen)
{
	struct call *c = r->c;
	struct buf b;
	size_t i;
	json_t *j;

	buf_init(&b, 1 << 20);
	if (frozen) buf_print(&b, "%s\n", word_text(c->language, WORD_FROZEN));
	say_count(&b, c, WORD_PRIVACY_FIELDS, json_array_size(r->fields));
	json_array_foreach(r->fields, i, j)
	{
		buf_print(&b, "  %s\tT%d%s\n", json_string_value(json_object_get(j, "field")),
		          (int)json_integer_value(json_object_get(j, "tier")),
		          json_is_true(json_object_get(j, "closed")) ? "\t*" : "");
	}
	json_array_foreach(r->referring, i, j)
	{
		buf_print(&b, "  %s.%s: %d\n", json_string_value(json_object_get(j, "table")),
		          json_string_value(json_object_get(j, "field")),
		          (int)json_integer_value(json_object_get(j, "records")));
	}
	say_count(&b, c, WORD_PRIVACY_ENTRIES, r->entries);
	json_array_foreach(held, i, j)
	{
		const char *name = json_string_value(json_object_get(j, "name"));
		buf_print(&b, "  %s\n", name ? name : "");
	}
	say_count(&b, c, WORD_PRIVACY_READS, json_array_size(r->reads));
	json_array_foreach(r->reads, i, j)
	{
		buf_print(&b, "  %s\t%s\n", json_string_value(json_object_get(j, "at")),
		          json_string_value(json_object_get(j, "by")));
	}
	call_print(c, &b);
	buf_done(&b);
}

static int run_report(struct call *c)
{
	struct report r = {.c = c};
	json_t *held, *j;
	bool frozen = false, erased = false;
	int rc = call_open(c, 0);

	rc = rc ? rc : call_find_row(c, c->args[0], &r.table, r.id);
	if (rc) return rc;
	r.fields = json_array();
	r.referring = json_array();
	r.reads = json_array();
	r.changes = json_array();
	rc = fields_of(&r);
	rc = rc ? rc : referring_to(&r);
	rc = rc ? rc : changes_of(&r);
	rc = rc ? rc : reads_of(&r);
	rc = rc ? rc : replica_frozen(c->replica, r.id, &frozen);
	rc = rc ? rc : replica_erased(c->replica, r.id, 0, &erased);
	held = held_by(&r);
	if (!rc && !c->json) print_text(&r, held, frozen);
	j = json_object();
	json_object_set_new(j, "id", json_id(r.id));
	json_object_set_new(j, "table", json_string(r.table->name));
	json_object_set_new(j, "frozen", json_boolean(frozen));
	json_object_set_new(j, "erased", json_boolean(erased));
	json_object_set_new(j, "fields", r.fields);
	json_object_set_new(j, "referring", r.referring);
	json_object_set_new(j, "entries", json_integer((json_int_t)r.entries));
	json_object_set_new(j, "changes", r.changes);
	json_object_set_new(j, "held_by", held);
	json_object_set_new(j, "reads", r.reads);
	if (!rc && c->json)
		call_json(c, j);
	else
		json_decref(j);
	return rc;
}

/* ---- withdraw, resume */

static int find_person(struct call *c, uint8_t ret[16], uint8_t ret_scope[16])
{
	const struct table *t = NULL;
	struct row_view *v = NULL;
	struct scope s;
	int rc = call_find_row(c, c->args[0], &t, ret);

	if (rc) return rc;
	if (t->number != TABLE_VOLUNTEER) return call_usage(c, "ID", "the id of a volunteer");
	rc = store_row_view(c->store, t, ret, &c->arena, &v);
	rc = rc || !v ? rc : store_scope_get(c->store, v->scope, &s);
	if (rc) return call_failed(c, rc);
	if (!v) return error_set(&c->error, ERR_NOT_FOUND, "ID", "no such record here");
	memcpy(ret_scope, s.id, 16);
	return 0;
}

static int write_one(struct call *c, struct write *w, enum word said)
{
	int rc = call_begin(c);

	if (rc) return rc;
	rc = replica_write(c->replica, w, 1, false, c->person.id);
	rc = rc ? call_undo(c, rc) : call_commit(c);
	if (!rc && c->json)
		call_json(c, json_pack("{s:o, s:b}", "id", json_id(w->row), "frozen",
		                       said == WORD_PRIVACY_WITHDRAWN));
	else if (!rc)
		call_say_text(c, word_text(c->language, said));
	return rc;
}

/* The day in +08:00, the one zone of the domain. */
static int64_t day_here(int64_t ms)
{
	return (ms + INT64_C(8) * 60 * 60 * 1000) / (INT64_C(24) * 60 * 60 * 1000);
}

static int run_withdraw(struct call *c)
{
	const struct table *t = schema_table(&schema_current, TABLE_WITHDRAWAL);
	const char *on = call_option(c, "on");
	struct field_write f[2] = {{table_field_named(t, "person"), value_null()},
	                           {table_field_named(t, "withdrawn"), value_null()}};
	struct write w = {.kind = WRITE_INSERT, .table = t, .has_id = true, .fields = f};
	struct row_view *before = NULL;
	uint8_t person[16];
	int rc = call_open(c, 0);

	rc = rc ? rc : find_person(c, person, w.scope);
	if (rc) return rc;
	f[0].value = value_bytes(person, 16);
	f[1].value = value_int(day_here(env_wall_ms()));
	if (on) rc = call_parse_value(c, t, f[1].field, on, &f[1].value);
	if (rc) return rc;
	w.fields_count = ARRAY_COUNT(f);
	withdrawal_id(person, w.row);
	rc = store_row_view(c->store, t, w.row, &c->arena, &before);
	if (rc) return call_failed(c, rc);
	if (before && !before->dead)
		return error_set(&c->error, ERR_EXISTS, "ID", "consent was withdrawn before");
	if (before) { /* given again since: the row that said so lives again */
		w.kind = WRITE_RESTORE;
		w.fields_count = 0;
	}
	return write_one(c, &w, WORD_PRIVACY_WITHDRAWN);
}

static int run_resume(struct call *c)
{
	struct write w = {.kind = WRITE_DELETE,
	                  .table = schema_table(&schema_current, TABLE_WITHDRAWAL)};
	uint8_t person[16], scope[16];
	int rc = call_open(c, 0);

	rc = rc ? rc : find_person(c, person, scope);
	if (rc) return rc;
	withdrawal_id(person, w.row);
	return write_one(c, &w, WORD_PRIVACY_RESUMED);
}

/* ---- erase */

enum { ERASE_MAX = 4096 }; /* records of one person in one transaction */

struct erasing_call {
	struct call *c;
	const struct table *table;
	const char *cause;
	struct write *writes;
	size_t count;
	bool more;
};

/* One record named, unless it was before. */
static int name_row(struct erasing_call *x, const uint8_t id[16], uint32_t scope)
{
	struct call *c = x->c;
	struct field_write *f;
	struct write *w;
	struct scope s;
	bool erased;
	int rc = replica_erased(c->replica, id, scope, &erased);

	if (rc || erased) return rc;
	for (size_t i = 0; i < x->count; i++)
		if (!memcmp(x->writes[i].fields[0].value.s.p, id, 16)) return 0;
	if (x->count == ERASE_MAX) {
		x->more = true;
		return 0;
	}
	rc = store_scope_get(c->store, scope, &s);
	if (rc) return rc;
	f = ARENA_ARRAY(&c->arena, struct field_write, 2);
	f[0] = (struct field_write){table_field_named(x->table, "target"),
	                            value_bytes(arena_copy(&c->arena, id, 16), 16)};
	f[1] = (struct field_write){table_field_named(x->table, "cause"), value_text(x->cause)};
	w = &x->writes[x->count++];
	*w = (struct write){.kind = WRITE_INSERT,
	                    .table = x->table,
	                    .has_id = true,
	                    .fields = f,
	                    .fields_count = 2};
	erasure_id(id, w->row);
	memcpy(w->scope, s.id, 16);
	return 0;
}

/* Does an erasure blank anything in a row of this table? */
static bool says_of_persons(const struct table *t)
{
	return (table_slots(t, LANE_COUNTY) & erasable_slots(t, LANE_COUNTY)) != 0;
}

/* Her own row, and what refers to her and says more than that it does. */
static int name_rows(struct erasing_call *x, const struct table *of, const uint8_t id[16])
{
	struct row_view *own = NULL;
	int rc = store_row_view(x->c->store, of, id, &x->c->arena, &own);

	if (!rc && own) rc = name_row(x, id, own->scope);
	for (size_t i = 0; i < schema_current.tables_count && !rc; i++) {
		const struct table *t = schema_current.tables[i];
		for (size_t k = 0; k < t->fields_count && !rc && says_of_persons(t); k++) {
			struct row_where where = {&t->fields[k], value_bytes(id, 16)};
			struct row_view *rows = NULL;
			size_t n = 0;

			/* A team has a leader, an activity one in charge: what it says is not of her. */
			if (t->fields[k].type != FIELD_REF ||
			    t->fields[k].ref_table != of->number || !t->fields[k].required)
				continue;
			rc = store_rows_view(x->c->store, t, &where, 1, 0, /* all= */ true, NULL,
			                     ROWS_MAX, &x->c->arena, &rows, &n);
			for (size_t r = 0; r < n && !rc; r++)
				rc = name_row(x, rows[r].id, rows[r].scope);
		}
	}
	return rc ? call_failed(x->c, rc) : 0;
}

static int erase_named(struct erasing_call *x)
{
	struct call *c = x->c;
	int rc = call_begin(c);

	if (rc) return rc;
	rc = replica_write(c->replica, x->writes, x->count, false, c->person.id);
	return rc ? call_undo(c, rc) : call_commit(c);
}

static int run_erase(struct call *c)
{
	const char *cause = call_option(c, "cause");
	struct erasing_call x = {
	        .c = c, .table = schema_table(&schema_current, TABLE_ERASURE), .cause = cause};
	const struct table *of = NULL;
	size_t erased = 0;
	uint8_t id[16];
	int rc = call_open(c, 0);

	rc = rc ? rc : call_find_row(c, c->args[0], &of, id);
	if (!rc && !cause)
		rc = error_set(&c->error, ERR_MISSING_OPTION, "cause", "term, request or order");
	if (rc) return rc;
	x.writes = ARENA_ARRAY(&c->arena, struct write, ERASE_MAX);
	rc = name_rows(&x, of, id);
	if (!rc && !x.count) rc = error_set(&c->error, ERR_ERASED, "ID", "it was erased before");
	if (!rc && !call_ask(c, WORD_ASK_ERASE))
		rc = error_set(&c->error, ERR_USAGE, "", "not confirmed; scripts use --yes");
	/* What is more than one transaction takes is named by the next; killed between, the command is given again. */
	while (!rc && x.count) {
		rc = erase_named(&x);
		erased += rc ? 0 : x.count;
		x.count = 0;
		if (!rc && x.more) {
			x.more = false;
			rc = name_rows(&x, of, id);
		}
	}
	rc = rc ? rc : call_note(c, TRAIL_ERASE, 0, of, id, cause);
	if (rc) return rc;
	if (c->json) {
		call_json(c, json_pack("{s:o, s:I}", "id", json_id(id), "records",
		                       (json_int_t)erased));
		return 0;
	}
	struct buf b;
	buf_init(&b, 1024);
	say_count(&b, c, WORD_PRIVACY_ERASED, erased);
	call_print(c, &b);
	buf_done(&b);
	return 0;
}

const struct command commands_privacy[] = {
        {.name = "privacy report",
         .trail = TRAIL_WRITE,
         .may = MAY_AUDIT,
         .args = "ID",
         .zh = "一个人的信息在本机存了什么、在哪里、给了谁、谁看过(不显示内容)。",
         .en = "What is held here of a person, where it lies and goes, and who read it (no "
               "values).",
         .examples = "privacy report 0191d3f0-5c1e-7a02-8f3a-1b2c3d4e5f60 --dir jinguo",
         .args_min = 1,
         .args_max = 1,
         .run = run_report},
        {.name = "privacy withdraw",
         .trail = TRAIL_WRITE,
         .may = MAY_WRITE,
         .args = "ID",
         .zh = "登记志愿者撤回同意:其信息冻结,只保存不使用。",
         .en = "A volunteer withdrew consent: what is held of them is frozen, kept and not used.",
         .options = "on=",
         .examples = "privacy withdraw 0191d3f0-5c1e-7a02-8f3a-1b2c3d4e5f60 --on 2026-03-01 "
                     "--dir jinguo",
         .args_min = 1,
         .args_max = 1,
         .run = run_withdraw},
        {.name = "privacy resume",
         .trail = TRAIL_WRITE,
         .may = MAY_WRITE,
         .args = "ID",
         .zh = "登记志愿者重新同意:解除冻结。",
         .en = "The volunteer consents again: no longer frozen.",
         .examples = "privacy resume 0191d3f0-5c1e-7a02-8f3a-1b2c3d4e5f60 --dir jinguo",
         .args_min = 1,
         .args_max = 1,
         .run = run_resume},
        {.name = "privacy erase",
         .trail = TRAIL_WRITE,
         .may = MAY_MANAGE,
         .args = "ID",
         .zh = "依法删除一个人的信息(县级):内容在各处清除,编号和计数保留,不可恢复。",
         .en = "Erases by law what is held of a person (county): gone everywhere, numbers and "
               "counts stay; it cannot be undone.",
         .options = "cause= yes",
         .examples = "privacy erase 0191d3f0-5c1e-7a02-8f3a-1b2c3d4e5f60 --cause term --yes "
                     "--dir jinguo",
         .args_min = 1,
         .args_max = 1,
         .run = run_erase},
        {.name = NULL},
};
