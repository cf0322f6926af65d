/*
 * cmd_match.c - match: persons who are registered more than once in the county.
 *
 * What is one person a human decides; this shows whom to ask about, and never the numbers that were compared.
 */
#include "common/base.h"

#include "hub/commands.h"

#include "hub/match.h"

enum { TEXT_MAX = 1 << 20 };

static enum word word_of(enum match_ground ground)
{
	static const enum word words[] = {[MATCH_DOCUMENT] = WORD_MATCH_DOCUMENT,
	                                  [MATCH_PHONE] = WORD_MATCH_PHONE,
	                                  [MATCH_BIRTH] = WORD_MATCH_BIRTH};
	return words[ground];
}

struct shown { /* of one person, in the call's arena */
	uint8_t unit[16];
	struct value name, number, state, registered;
};

static int look_up(struct call *c, const struct match_person *p, struct shown *ret)
{
	const struct table *t = schema_table(&schema_current, TABLE_VOLUNTEER);
	struct row_view *v = NULL;
	struct scope s;
	int rc = store_row_view(c->store, t, p->row, &c->arena, &v);

	*ret = (struct shown){0};
	if (rc || !v) return rc;
	rc = store_scope_get(c->store, p->scope, &s);
	if (!rc) memcpy(ret->unit, s.id, 16);
	ret->name = v->values[table_field_named(t, "name") - t->fields];
	ret->number = v->values[table_field_named(t, "volunteer_no") - t->fields];
	ret->state = v->values[table_field_named(t, "vstat") - t->fields];
	ret->registered = v->values[table_field_named(t, "registered") - t->fields];
	return rc;
}

static json_t *person_json(struct call *c, const struct match_person *p, const struct shown *s)
{
	const struct table *t = schema_table(&schema_current, TABLE_VOLUNTEER);
	json_t *j = json_object();

	json_object_set_new(j, "id", json_id(p->row));
	json_object_set_new(j, "org", json_org(c, s->unit));
	json_object_set_new(j, "name", json_value(table_field_named(t, "name"), s->name));
	json_object_set_new(j, "volunteer_no",
	                    json_value(table_field_named(t, "volunteer_no"), s->number));
	json_object_set_new(j, "vstat", json_value(table_field_named(t, "vstat"), s->state));
	json_object_set_new(j, "registered",
	                    json_value(table_field_named(t, "registered"), s->registered));
	return j;
}

static void add_text(struct buf *b, struct value v)
{
	if (v.type == VALUE_TEXT)
		buf_print(b, "\t%.*s", (int)v.s.len, (const char *)v.s.p);
	else
		buf_text(b, "\t-");
}

static int show(struct call *c, const struct match *m, json_t *items)
{
	json_t *persons = json_array();
	struct buf b;
	int rc = 0;

	buf_init(&b, TEXT_MAX);
	if (!c->json) buf_print(&b, "%s\n", word_text(c->language, word_of(m->ground)));
	for (size_t i = 0; i < m->count && !rc; i++) {
		struct shown s;

		rc = look_up(c, &m->persons[i], &s);
		if (!rc && c->json)
			json_array_append_new(persons, person_json(c, &m->persons[i], &s));
		if (rc || c->json) continue;
		buf_print(&b, "  %s %s", call_org_code(c, s.unit), call_org_name(c, s.unit));
		add_text(&b, s.name);
		add_text(&b, s.number);
		buf_print(&b, "\t%s\n", call_id(c, m->persons[i].row));
	}
	if (!rc && c->json) {
		json_array_append_new(items,
		                      json_pack("{s:s, s:o}", "ground",
		                                match_ground_name(m->ground), "persons", persons));
	} else {
		json_decref(persons);
		if (!rc) call_print(c, &b);
	}
	buf_done(&b);
	return rc;
}

static int run_match(struct call *c)
{
	const struct table *t = schema_table(&schema_current, TABLE_VOLUNTEER);
	const struct cert *own;
	struct match *list = NULL;
	json_t *items;
	size_t n = 0;
	int rc = call_open(c, 0);

	if (rc) return rc;
	own = replica_cert(c->replica);
	if (!own || !(own->lanes >> LANE_COUNTY & 1))
		return error_set(&c->error, ERR_NO_PERMISSION, "match",
		                 "persons are known at the county and below");
	if (!person_sees(&c->person, table_field_named(t, "id_no"))) {
		(void)call_note(c, TRAIL_DENIED, ERR_NO_PERMISSION, t, NULL, c->command->name);
		return error_set(&c->error, ERR_NO_PERMISSION, "match", "%s", c->person.login);
	}
	rc = call_note_read(c, t, NULL);
	if (rc) return rc;
	rc = match_find(c->replica, &c->arena, &list, &n);
	if (rc) return call_failed(c, rc);
	items = json_array();
	for (size_t i = 0; i < n && !rc; i++) rc = show(c, &list[i], items);
	if (!rc && c->json) return call_items(c, "match", items, NULL);
	json_decref(items);
	if (rc) return call_failed(c, rc);
	if (!n && c->terminal) call_say_text(c, word_text(c->language, WORD_NONE_FOUND));
	if (n) call_say_text(c, word_text(c->language, WORD_MATCH_NEXT));
	return 0;
}

const struct command commands_match[] = {
        {.name = "match",
         .may = MAY_READ,
         .zh = "找出可能重复登记的志愿者(证件、电话和姓名、姓名和生日相同);比对只在本机进行。",
         .en = "Volunteers who may be registered twice (one document, one telephone and name, one "
               "name and birthday); compared on this machine only.",
         .examples = "match --dir hub\nmatch --json --dir hub",
         .args_min = 0,
         .args_max = 0,
         .run = run_match},
        {.name = NULL},
};
