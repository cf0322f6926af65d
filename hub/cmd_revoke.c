/*
 * cmd_revoke.c - revoke, revoked: a device that is no more, and what is to be looked at of it.
 */
#include "common/base.h"

#include "hub/commands.h"

#include "common/calendar.h"
#include "common/ident.h"
#include "proto/revoke.h"

enum { SCAN = 64, LINE_MAX = 4096 };

static int device_of(struct call *c, const char *text, uint8_t ret[16])
{
	return strlen(text) == 32 && hex_parse(text, ret, 16)
	               ? 0
	               : call_usage(c, "DEVICE", "32 digits, as peers --json names the device");
}

/* ---- what came from it since then: of what was judged, by the time at which it was */

struct review {
	struct call *c;
	uint8_t origin[16];
	int64_t since_ms;
	json_t *items; /* NULL: lines */
	struct buf line;
	size_t count;
};

static void review_op(struct review *v, const struct op *op, int64_t at_ms)
{
	const struct table *t = schema_table(store_schema(v->c->store), op->table);

	v->count++;
	if (v->items) {
		json_t *j = json_object();
		json_object_set_new(j, "table", t ? json_string(t->name) : json_integer(op->table));
		json_object_set_new(j, "id", json_id(op->row));
		json_object_set_new(j, "judged", json_time(at_ms));
		json_array_append_new(v->items, j);
		return;
	}
	buf_print(&v->line, "%s\t%s\t%s\n", call_time(v->c, at_ms), t ? t->name : "?",
	          call_id(v->c, op->row));
	call_print(v->c, &v->line);
}

static int review_segment(struct review *v, const uint8_t hash[32], int64_t at_ms)
{
	struct store *st = v->c->store;
	struct entry *e = NULL;
	struct segment s;
	struct changeset *cs;
	size_t n = 0;
	struct error err = {0};
	struct arena a;
	int64_t recv;
	int rc = store_journal_find(st, hash, &recv);

	arena_init(&a, 0);
	if (!rc && recv) rc = store_journal_get(st, recv, &a, &e);
	if (!rc && e && e->kind == ENTRY_SEGMENT && !memcmp(e->origin, v->origin, 16) &&
	    !segment_open(e->head, e->body, &s, &err) && !segment_changesets(&s, &a, &cs, &n, &err))
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < cs[i].ops_count; k++)
				review_op(v, &cs[i].ops[k], at_ms);
	arena_done(&a);
	return rc;
}

static int review_admission(struct review *v, struct span head, const uint8_t hub[16])
{
	struct admission m;
	struct error err = {0};
	struct arena a;
	uint8_t hash[32], sign[64];
	int rc = 0;

	arena_init(&a, 0);
	if (!admission_open(head, &a, &m, hash, sign, &err) && !memcmp(m.hub, hub, 16) &&
	    m.at_ms >= v->since_ms)
		for (size_t i = 0; i < m.items_count && !rc; i++)
			rc = review_segment(v, m.items[i].segment, m.at_ms);
	arena_done(&a);
	return rc;
}

static int review(struct review *v)
{
	struct feed_filter all = {.all = true, .lane_mask = 0xff};
	const uint8_t *hub = replica_identity(v->c->replica)->origin;
	size_t n = 1;
	int64_t at = 0;
	struct arena a;
	int rc = 0;

	arena_init(&a, 0);
	while (n && !rc) {
		struct entry *entries;

		arena_reset(&a);
		rc = store_journal_scan(v->c->store, &all, at, SCAN, 4 * 1024 * 1024, &a, &entries,
		                        &n);
		for (size_t i = 0; i < n && !rc; i++) {
			at = entries[i].recv;
			if (entries[i].kind == ENTRY_ADMISSION)
				rc = review_admission(v, entries[i].head, hub);
		}
	}
	arena_done(&a);
	return rc ? call_failed(v->c, rc) : 0;
}

/* --since 2025-03-08: 00:00 there. */
static int since_of(struct call *c, int64_t *ret)
{
	const char *text = call_option(c, "since");
	int64_t days;

	*ret = INT64_MAX;
	if (!text) return 0;
	if (!date_parse(text, &days)) return call_usage(c, "since", "a date like 2025-03-08");
	*ret = days * DAY_MS - INT64_C(8) * 3600 * 1000;
	return 0;
}

static int report(struct call *c, const uint8_t origin[16], int64_t since_ms, json_t *j)
{
	struct review v = {.c = c, .since_ms = since_ms, .items = j ? json_array() : NULL};
	struct buf b;
	int rc = 0;

	memcpy(v.origin, origin, 16);
	buf_init(&v.line, LINE_MAX);
	if (since_ms != INT64_MAX) rc = review(&v);
	buf_done(&v.line);
	if (j) {
		json_object_set_new(j, "review", v.items);
		json_object_set_new(j, "review_count", json_integer((json_int_t)v.count));
		call_json(c, j);
		return rc;
	}
	buf_init(&b, 1024);
	word_fill(&b, c->language, WORD_REVOKE_REVIEW, call_number(c, (int64_t)v.count), WORD_END);
	if (!rc && since_ms != INT64_MAX) call_say(c, &b);
	buf_done(&b);
	return rc;
}

/* ---- revoke */

/* Its row in the list of devices, if this level keeps one. */
static int note_row(struct call *c, const uint8_t origin[16])
{
	static const uint8_t program[8];
	const struct table *t = schema_table(store_schema(c->store), TABLE_DEVICE);
	struct row_where where = {table_field_named(t, "origin"), value_bytes(origin, 16)};
	struct field_write field = {table_field_named(t, "revoked"), value_int(env_wall_ms())};
	struct write w = {.kind = WRITE_UPDATE, .table = t, .fields = &field, .fields_count = 1};
	struct row_view *rows;
	size_t count = 0;
	int rc = store_rows_view(c->store, t, &where, 1, 0, false, NULL, 1, &c->arena, &rows,
	                         &count);

	if (rc || !count) return rc;
	memcpy(w.row, rows[0].id, 16);
	rc = replica_write(c->replica, &w, 1, false, program);
	return rc == -ERR_NO_PERMISSION ? 0 : rc;
}

static int run_revoke(struct call *c)
{
	const char *reason = call_option(c, "reason");
	uint8_t origin[16];
	int64_t since_ms;
	int rc = device_of(c, c->args[0], origin);

	if (!rc && (!reason || !*reason))
		rc = error_set(&c->error, ERR_MISSING_OPTION, "reason",
		               "--reason TEXT: what became of it");
	rc = rc ? rc : since_of(c, &since_ms);
	rc = rc ? rc : call_open(c, 0);
	rc = rc ? rc : call_apply_all(c);
	rc = rc ? rc : call_begin(c);
	if (rc) return rc;
	rc = replica_revoke(c->replica, origin, reason);
	rc = rc ? rc : note_row(c, origin);
	if (rc) return call_undo(c, rc);
	rc = call_commit(c);
	if (rc) return rc;
	if (!c->json) {
		call_say_text(c, word_text(c->language, WORD_REVOKED));
		return report(c, origin, since_ms, NULL);
	}
	json_t *j = json_object();
	json_object_set_new(j, "revoked", json_string(c->args[0]));
	return report(c, origin, since_ms, j);
}

/* ---- revoked */

static json_t *revocation_json(struct call *c, const struct revocation *v)
{
	char hex[33];
	struct cert_row *row = NULL;
	json_t *j = json_object();

	hex_text(v->origin, 16, hex);
	json_object_set_new(j, "device", json_string(hex));
	hex_text(v->hub, 16, hex);
	json_object_set_new(j, "by", json_string(hex));
	json_object_set_new(j, "at", json_time(v->at_ms));
	json_object_set_new(j, "reason", json_span(span_of(v->reason, strlen(v->reason))));
	json_object_set_new(j, "branches", json_integer((json_int_t)v->heads_count));
	if (!store_cert_by_origin(c->store, v->origin, &c->arena, &row) && row)
		json_object_set_new(j, "org", json_org(c, row->unit));
	else
		json_object_set_new(j, "org", json_null());
	return j;
}

static int run_revoked(struct call *c)
{
	struct revocation *list;
	size_t count = 0;
	uint8_t origin[16];
	int64_t since_ms;
	struct buf b;
	char hex[33];
	int rc = since_of(c, &since_ms);

	if (!rc && c->args_count) rc = device_of(c, c->args[0], origin);
	rc = rc ? rc : call_open(c, 0);
	if (rc) return rc;
	if (c->args_count) return report(c, origin, since_ms, c->json ? json_object() : NULL);
	rc = replica_revocations(c->replica, &c->words, &list, &count);
	if (rc) return call_failed(c, rc);
	json_t *items = c->json ? json_array() : NULL;
	buf_init(&b, LINE_MAX);
	for (size_t i = 0; i < count; i++) {
		if (items) {
			json_array_append_new(items, revocation_json(c, &list[i]));
			continue;
		}
		hex_text(list[i].origin, 16, hex);
		buf_print(&b, "%s\t%s\t%s\n", hex, call_time(c, list[i].at_ms), list[i].reason);
		call_print(c, &b);
	}
	buf_done(&b);
	return items ? call_items(c, "revoked", items, NULL) : 0;
}

const struct command commands_revoke[] = {
        {.name = "revoke",
         .args = "DEVICE",
         .may = MAY_MANAGE,
         .trail = TRAIL_WRITE,
         .zh = "停用一台被盗、丢失的设备:之前已收的照旧,之后的等人处理;--since "
               "列出失窃以来收到的。",
         .en = "Retires a device that was stolen or lost: what was taken before stays, all else "
               "waits for a person; --since lists what came since.",
         .options = "reason= since=",
         .examples = "revoke 0123456789abcdef0123456789abcdef --reason 电脑被盗 --since 2025-03-08 "
                     "--dir hub",
         .args_min = 1,
         .args_max = 1,
         .run = run_revoke},
        {.name = "revoked",
         .args = "[DEVICE]",
         .may = MAY_REVIEW,
         .zh = "已停用的设备;写明设备和 --since 则列出其间收到的记录。",
         .en = "Devices that were retired; with a device and --since, what came from it since "
               "then.",
         .options = "since=",
         .examples = "revoked --json --dir hub\nrevoked 0123456789abcdef0123456789abcdef --since "
                     "2025-03-08 --dir hub",
         .args_min = 0,
         .args_max = 1,
         .run = run_revoked},
        {.name = NULL},
};
