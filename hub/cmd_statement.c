/*
 * cmd_statement.c - statement: what a county says openly of the kinds of service that stay with it, and what the province reads.
 */
#include "common/base.h"

#include "hub/commands.h"

#include "common/codes.h"
#include "common/env.h"
#include "common/ident.h"
#include "hub/statement.h"
#include "hub/tree.h"

enum { TEXT_MAX = 1 << 20, WRITES_MAX = (STATEMENT_SERVICES_MAX + 1) * STATEMENT_METRICS };

static const struct table *statements(void)
{
	return schema_table(&schema_current, TABLE_STATEMENT);
}

static const char *service_code(const struct statement *s, size_t i)
{
	return i < s->services ? s->service[i]->code : "";
}

/* ---- what one unit says */

static json_t *cell_json(const struct statement *s, size_t i, unsigned m, bool counted)
{
	const struct statement_cell *c = &s->cell[i][m];
	json_t *j = json_object();

	json_object_set_new(j, "service",
	                    i < s->services ? json_string(service_code(s, i)) : json_null());
	json_object_set_new(j, "metric", json_string(statement_metric_name(m)));
	json_object_set_new(j, "value", c->hidden ? json_null() : json_integer(c->value));
	json_object_set_new(j, "hidden", json_boolean(c->hidden));
	json_object_set_new(j, "stated", json_boolean(c->stated && !counted));
	return j;
}

static void cells_text(struct call *c, const struct statement *s, struct buf *b)
{
	bool zh = c->language == LANGUAGE_ZH;

	for (size_t i = 0; i <= s->services; i++) {
		buf_print(b, "  %-2s %s", service_code(s, i),
		          i == s->services ? word_text(c->language, WORD_STATEMENT_ALL)
		          : zh             ? s->service[i]->zh
		                           : s->service[i]->en);
		for (unsigned m = 0; m < STATEMENT_METRICS; m++) {
			const struct code *k =
			        code_find(&codes_metric, span_of(statement_metric_name(m),
			                                         strlen(statement_metric_name(m))));
			buf_print(b, "\t%s ", zh ? k->zh : k->en);
			if (s->cell[i][m].hidden)
				buf_text(b, "-");
			else
				buf_print(b, "%" PRId64, s->cell[i][m].value);
		}
		buf_text(b, "\n");
	}
}

static void show(struct call *c, const uint8_t unit[16], const struct statement *s, bool counted,
                 json_t *items)
{
	struct buf b;

	for (size_t i = 0; c->json && i <= s->services; i++)
		for (unsigned m = 0; m < STATEMENT_METRICS; m++) {
			json_t *j = cell_json(s, i, m, counted);

			json_object_set_new(j, "org", json_org(c, unit));
			json_array_append_new(items, j);
		}
	if (c->json) return;
	buf_init(&b, TEXT_MAX);
	buf_print(&b, "%s %s\n", call_org_code(c, unit), call_org_name(c, unit));
	cells_text(c, s, &b);
	call_print(c, &b);
	buf_done(&b);
}

/* ---- stating, by who holds the county lane */

struct stating {
	struct write writes[WRITES_MAX];
	struct field_write fields[WRITES_MAX][4];
	size_t count;
};

static int row_is_there(struct call *c, const uint8_t id[16], bool *ret)
{
	struct row_view *v = NULL;
	int rc = store_row_view(c->store, statements(), id, &c->arena, &v);

	*ret = v != NULL;
	return rc ? call_failed(c, rc) : 0;
}

static int add_cell(struct call *c, struct stating *x, const struct statement *s,
                    const struct statement *before, size_t i, unsigned m)
{
	const struct table *t = statements();
	const struct statement_cell *now = &s->cell[i][m], *was = &before->cell[i][m];
	const char *service = service_code(s, i), *metric = statement_metric_name(m);
	struct field_write *f = x->fields[x->count];
	struct write *w = &x->writes[x->count];
	size_t n = 0;
	bool there;
	int rc;

	if (was->stated && was->hidden == now->hidden && (now->hidden || was->value == now->value))
		return 0;
	*w = (struct write){.kind = WRITE_UPDATE, .table = t, .has_id = true, .fields = f};
	statement_row_id(replica_cert(c->replica)->unit, s->quarter, service, metric, w->row);
	rc = row_is_there(c, w->row, &there);
	if (rc) return rc;
	if (!there) {
		w->kind = WRITE_INSERT;
		f[n++] = (struct field_write){table_field_named(t, "quarter"),
		                              value_int(s->quarter)};
		f[n++] = (struct field_write){table_field_named(t, "metric"), value_text(metric)};
		if (*service)
			f[n++] = (struct field_write){table_field_named(t, "service"),
			                              value_text(service)};
	}
	if (there || !now->hidden)
		f[n++] = (struct field_write){table_field_named(t, "value"),
		                              now->hidden ? value_null() : value_int(now->value)};
	w->fields_count = n;
	x->count++;
	return 0;
}

static int state_all(struct call *c, const struct statement *s, const struct statement *before)
{
	struct stating *x = ARENA_ARRAY(&c->arena, struct stating, 1);
	int rc = 0;

	for (size_t i = 0; i <= s->services && !rc; i++)
		for (unsigned m = 0; m < STATEMENT_METRICS && !rc; m++)
			rc = add_cell(c, x, s, before, i, m);
	if (rc || !x->count) return rc;
	rc = call_begin(c);
	if (rc) return rc;
	rc = replica_write(c->replica, x->writes, x->count, /* whole= */ true, c->person.id);
	return rc ? call_undo(c, rc) : call_commit(c);
}

static int run_holder(struct call *c, int64_t quarter, json_t *items)
{
	const struct cert *own = replica_cert(c->replica);
	struct statement *s = ARENA_ARRAY(&c->arena, struct statement, 2);
	int rc;

	if (quarter >= statement_quarter_of(env_wall_ms()))
		return call_usage(c, "quarter", "a quarter that is over");
	rc = statement_stated(c->store, replica_own_scope(c->replica), quarter, &s[0]);
	rc = rc ? rc : statement_count(c->store, quarter, &s[1]);
	if (rc) return call_failed(c, rc);
	statement_hide(&s[1], &s[0]);
	if (call_option(c, "state")) {
		rc = call_may(c, MAY_WRITE);
		rc = rc ? rc
		        : call_note(c, TRAIL_WRITE, 0, statements(), NULL, "statement --state");
		rc = rc ? rc : state_all(c, &s[1], &s[0]);
		rc = rc ? rc
		        : statement_stated(c->store, replica_own_scope(c->replica), quarter, &s[1]);
		if (rc) return rc;
	}
	show(c, own->unit, &s[1], !call_option(c, "state"), items);
	if (!call_option(c, "state")) call_say_text(c, word_text(c->language, WORD_STATEMENT_NEXT));
	return 0;
}

/* ---- reading, above it */

static int run_above(struct call *c, int64_t quarter, json_t *items)
{
	struct tree tree = {0};
	size_t silent = 0, said = 0;
	int rc = tree_load(c->store, &c->arena, &tree);
	struct statement *s = ARENA_ARRAY(&c->arena, struct statement, 1);

	if (rc) return call_failed(c, rc);
	if (call_option(c, "state"))
		return error_set(&c->error, ERR_NO_PERMISSION, "state",
		                 "the county states what it holds");
	for (size_t i = 0; i < tree.count; i++) {
		bool any = false;

		if (tree.units[i].level != LEVEL_COUNTY) continue;
		rc = statement_stated(c->store, tree.units[i].scope, quarter, s);
		if (rc) return call_failed(c, rc);
		for (size_t k = 0; k <= s->services; k++)
			for (unsigned m = 0; m < STATEMENT_METRICS; m++)
				any |= s->cell[k][m].stated;
		silent += !any;
		said += any;
		if (any) show(c, tree.units[i].id, s, false, items);
	}
	if (!c->json) {
		struct buf b;

		buf_init(&b, TEXT_MAX);
		word_fill(&b, c->language, WORD_STATEMENT_SILENT, call_number(c, (int64_t)said),
		          call_number(c, (int64_t)silent), WORD_END);
		call_say(c, &b);
		buf_done(&b);
	}
	return 0;
}

static int run_statement(struct call *c)
{
	const char *text = call_option(c, "quarter");
	const struct cert *own;
	int64_t quarter = text ? statement_quarter(text) : 0;
	json_t *items;
	int rc;

	if (!quarter) return call_usage(c, "quarter", "as 2025Q3");
	rc = call_open(c, 0);
	if (rc) return rc;
	own = replica_cert(c->replica);
	if (!own)
		return error_set(&c->error, ERR_NOT_JOINED, NULL,
		                 "this hub has no certificate yet");
	items = json_array();
	rc = own->lanes >> LANE_COUNTY & 1 ? run_holder(c, quarter, items)
	                                   : run_above(c, quarter, items);
	if (!rc && c->json) return call_items(c, "statement", items, NULL);
	json_decref(items);
	return rc;
}

const struct command commands_statement[] = {
        {.name = "statement",
         .options = "quarter= state",
         .may = MAY_READ,
         .zh = "按季度公开不公开类服务的全县数字(5 以下不显示);--state 由县级公布。",
         .en = "What the county states openly, per quarter, of kinds of service that stay with it "
               "(nothing below 5); --state states it.",
         .examples = "statement --quarter 2025Q3 --dir hub\n"
                     "statement --quarter 2025Q3 --state --dir hub",
         .args_min = 0,
         .args_max = 0,
         .run = run_statement},
        {.name = NULL},
};
