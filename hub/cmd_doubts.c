/*
 * cmd_doubts.c - doubts: which numbers rest on a lower hub's word alone, or contradict what is held here.
 */
#include "common/base.h"

#include "hub/commands.h"

#include "common/ident.h"
#include "hub/doubt.h"
#include "proto/figure.h"

enum { TEXT_MAX = 16 * 1024 };

static enum word word_of(enum doubt_kind kind)
{
	static const enum word words[] = {[DOUBT_CONTRADICTED] = WORD_DOUBT_CONTRADICTED,
	                                  [DOUBT_CORRECTED] = WORD_DOUBT_CORRECTED,
	                                  [DOUBT_HUB_FIGURE] = WORD_DOUBT_HUB_FIGURE,
	                                  [DOUBT_UNIT] = WORD_DOUBT_UNIT,
	                                  [DOUBT_OFFENCE] = WORD_DOUBT_OFFENCE,
	                                  [DOUBT_OBJECTED] = WORD_DOUBT_OBJECTED};
	return words[kind];
}

static json_t *doubt_json(struct call *c, const struct doubt *d)
{
	json_t *j = json_object();
	char text[40];

	json_object_set_new(j, "kind", json_string(doubt_name(d->kind)));
	json_object_set_new(j, "org", json_org(c, d->unit));
	hex_text(d->device, 16, text);
	json_object_set_new(j, "device", id_is_zero(d->device) ? json_null() : json_string(text));
	(void)snprintf(text, sizeof text, "%04d-%02d", (int)(d->month / 100),
	               (int)(d->month % 100));
	json_object_set_new(j, "month", d->month ? json_string(text) : json_null());
	json_object_set_new(j, "figure",
	                    d->figure ? json_string(figure_name(d->figure)) : json_null());
	json_object_set_new(j, "said", json_integer(d->said));
	json_object_set_new(j, "held", json_integer(d->held));
	json_object_set_new(j, "cause", d->cause[0] ? json_string(d->cause) : json_null());
	json_object_set_new(j, "code", d->code ? json_integer(d->code) : json_null());
	json_object_set_new(j, "id", id_is_zero(d->row) ? json_null() : json_id(d->row));
	json_object_set_new(j, "reason", d->reason[0] ? json_string(d->reason) : json_null());
	json_object_set_new(j, "answer", d->answer[0] ? json_string(d->answer) : json_null());
	return j;
}

static void doubt_text(struct call *c, const struct doubt *d, struct buf *b)
{
	const struct error_info *info = error_info(d->code);
	char hex[40];

	hex_text(d->device, 16, hex);
	buf_print(b, "%s %s ", call_org_code(c, d->unit), call_org_name(c, d->unit));
	if (d->month)
		buf_print(b, "%04d-%02d %s ", (int)(d->month / 100), (int)(d->month % 100),
		          figure_name(d->figure));
	word_fill(b, c->language, word_of(d->kind), call_number(c, d->said),
	          d->kind == DOUBT_OBJECTED ? d->reason : call_number(c, d->held),
	          id_is_zero(d->device) ? "-" : hex, WORD_END);
	if (d->cause[0]) buf_print(b, " (%s)", d->cause);
	if (d->answer[0])
		buf_print(b, " [%s: %s]", word_text(c->language, WORD_DOUBT_ANSWER), d->answer);
	else if (d->kind == DOUBT_OBJECTED && replica_cert(c->replica)->level == LEVEL_COUNTY)
		word_fill(b, c->language, WORD_DOUBT_ANSWER_NEXT, call_id(c, d->row),
		          d->closed ? "closed_answer" : "answer", WORD_END);
	if (d->code) buf_print(b, " %s", c->language == LANGUAGE_ZH ? info->zh : info->en);
	buf_text(b, "\n");
}

static int run_doubts(struct call *c)
{
	struct tree tree = {0};
	struct summary sum = {0};
	struct doubt *list = NULL;
	size_t count = 0;
	struct buf b;
	int rc = call_open(c, 0);

	if (rc) return rc;
	if (!replica_cert(c->replica))
		return error_set(&c->error, ERR_NOT_JOINED, NULL,
		                 "this hub has no certificate yet");
	rc = tree_load(c->store, &c->arena, &tree);
	rc = rc ? rc : summary_load(c->store, &c->arena, &sum);
	rc = rc ? rc : doubts_find(c->replica, &tree, &sum, &c->arena, &list, &count);
	if (rc) return call_failed(c, rc);
	if (c->json) {
		json_t *items = json_array();
		for (size_t i = 0; i < count; i++)
			json_array_append_new(items, doubt_json(c, &list[i]));
		return call_items(c, "doubt", items, NULL);
	}
	buf_init(&b, TEXT_MAX);
	for (size_t i = 0; i < count; i++) {
		doubt_text(c, &list[i], &b);
		call_print(c, &b);
	}
	buf_done(&b);
	if (!count && c->terminal) call_say_text(c, word_text(c->language, WORD_NONE_FOUND));
	return 0;
}

const struct command commands_doubts[] = {
        {.name = "doubts",
         .may = MAY_READ,
         .zh = "哪些数字只凭下级一句话,或与这里的记录不符。",
         .en = "Which numbers rest on a lower hub's word alone, or contradict the records here.",
         .examples = "doubts --dir hub\ndoubts --json --dir hub",
         .args_min = 0,
         .args_max = 0,
         .run = run_doubts},
        {.name = NULL},
};
