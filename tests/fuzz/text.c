/*
 * text.c - files and words that people or other programs hand in: configuration, division table, values of
 * fields, the witness, a key file.
 */
#include "common/base.h"

#include "tests/fuzz/fuzz.h"

#include "common/division.h"
#include "common/env.h"
#include "common/ident.h"
#include "common/pack.h"
#include "common/validate.h"
#include "node/account.h"
#include "node/command.h"
#include "node/config.h"
#include "node/keys.h"
#include "node/rest.h"

enum { ARENA_MAX = 64 * 1024 * 1024, VALUE_MEMORY_FACTOR = 8 };

/* ---- jinguo.ini: what loads can be changed, and says then what was set, and all else as before */
static void change(const struct buf *in, const struct config *before, const char *key,
                   const char *value)
{
	struct config after;
	struct buf out;

	buf_init(&out, CONFIG_BYTES_MAX);
	if (config_change(buf_span(in), key, value, &out, NULL) == 0 && !out.full) {
		must(config_parse(buf_span(&out), "text", &after, NULL, NULL) == 0);
		must(!strcmp(after.parent, strcmp(key, "link.parent") ? before->parent : value));
		if (!strcmp(key, "sync.seal_ms")) must(after.seal_ms == 777);
		memcpy(after.parent, before->parent, sizeof(after.parent));
		after.seal_ms = before->seal_ms;
		/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): both begin as zeros, padding too */
		must(!memcmp(&after, before, sizeof(after)));
	}
	buf_done(&out);
}

int fuzz_config(const uint8_t *p, size_t len)
{
	struct config c;
	struct buf in, unknown;

	memset(&c, 0, sizeof(c));
	buf_init(&in, CONFIG_BYTES_MAX);
	buf_init(&unknown, CONFIG_BYTES_MAX);
	buf_add(&in, p, len);
	if (!in.full && config_parse(buf_span(&in), "text", &c, &unknown, NULL) == 0) {
		change(&in, &c, "link.parent", "tcp://h:1");
		change(&in, &c, "link.parent", "");
		change(&in, &c, "sync.seal_ms", "777");
	}
	buf_done(&in);
	buf_done(&unknown);
	return 0;
}

int fuzz_division(const uint8_t *p, size_t len)
{
	struct division_list l;
	struct arena a;

	arena_init(&a, ARENA_MAX);
	if (division_parse(span_of(p, len), &a, &l, NULL) == 0) {
		must(l.count > 0 && l.problems_count <= l.problems_total);
		for (size_t i = 0; i < l.count; i++) {
			const struct division *d = &l.items[i];

			must(d->parent < (int32_t)i && d->parent >= -1);
			must(d->parent < 0 || l.items[d->parent].level < d->level);
			must(d->name.p >= p && d->name.p + d->name.len <= p + len);
			must(utf8_valid(d->name) && division_code_valid(span_of(d->code, 12)));
		}
	}
	must_take(&a, DIVISION_MEMORY_FACTOR, len, DIVISION_MEMORY_MORE);
	arena_done(&a);
	return 0;
}

/* ---- FIELD=VALUE, a line each, the table's name on the first line: a row as its author states it */
static const struct table *table_of(struct span name)
{
	for (size_t i = 0; i < schema_current.tables_count; i++)
		if (span_equal(name, span_of(schema_current.tables[i]->name,
		                             strlen(schema_current.tables[i]->name))))
			return schema_current.tables[i];
	return NULL;
}

/* What was read is shown, and means the same when read again. */
static void show_again(const struct table *t, const struct field *f, struct value v,
                       struct arena *a)
{
	struct value again;
	struct buf b;

	buf_init(&b, 8 * 1024 * 1024);
	value_show(f, v, &b);
	must(!b.full);
	must(value_parse(t, f, buf_cstr(&b), a, &again, NULL) == 0);
	must(value_equal(v, again));
	buf_done(&b);
}

static struct span line_of(struct span *rest)
{
	const uint8_t *end = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;
	struct span line = span_of(rest->p, end ? (size_t)(end - rest->p) : rest->len);

	*rest = end ? span_of(end + 1, rest->len - line.len - 1) : span_of(NULL, 0);
	return line;
}

int fuzz_fields(const uint8_t *p, size_t len)
{
	struct span rest = span_of(p, len);
	const struct table *t = table_of(line_of(&rest));
	struct value values[SLOTS_MAX * LANES] = {{0}};
	struct arena texts, a, again;

	if (!t) return 0;
	arena_init(&texts, ARENA_MAX);
	arena_init(&a, ARENA_MAX);
	arena_init(&again, ARENA_MAX);
	while (rest.len) {
		const char *line = arena_text(&texts, line_of(&rest)), *equals = strchr(line, '=');
		const struct field *f =
		        equals ? table_field_named(
		                         t,
		                         arena_text(&texts, span_of(line, (size_t)(equals - line))))
		               : NULL;
		struct value v;
		struct error err = {0};

		if (!f || value_parse(t, f, equals + 1, &a, &v, &err) != 0) continue;
		must(value_check(t, f, v, &err) == 0);
		if (v.type != VALUE_NULL) show_again(t, f, v, &again);
		values[f - t->fields] = v;
	}
	(void)!row_check(t, values, INT64_C(1790000000000), NULL);
	must_take(&a, VALUE_MEMORY_FACTOR, len, 4096);
	arena_done(&texts);
	arena_done(&a);
	arena_done(&again);
	return 0;
}

/* ---- table, field, a value as it travels: whatever a peer puts into a field can be checked and shown */
int fuzz_values(const uint8_t *p, size_t len)
{
	const struct table *t;
	const struct field *f;
	struct reader r;
	struct value v;
	struct buf b;

	if (len < 2) return 0;
	t = schema_current.tables[p[0] % schema_current.tables_count];
	f = &t->fields[p[1] % t->fields_count];
	reader_init(&r, span_of(p + 2, len - 2));
	v = value_read(&r);
	if (!reader_done(&r)) return 0;
	buf_init(&b, 8 * 1024 * 1024);
	value_pack(&b, v);
	must(span_equal(buf_span(&b), span_of(p + 2, len - 2)));
	buf_reset(&b);
	value_show(f, v, &b);
	must(!b.full && b.len <= VALUE_MEMORY_FACTOR * len + 64);
	(void)!value_check(t, f, v, NULL);
	json_decref(json_value(f, v));
	json_decref(json_value(NULL, v));
	buf_done(&b);
	return 0;
}

/* ---- the witness: as it is, and with its checksum put right */
int fuzz_witness(const uint8_t *p, size_t len)
{
	uint8_t record[80];
	struct witness w;
	struct buf b;

	must(crypt_init() == 0);
	buf_init(&b, 256);
	if (witness_unpack(span_of(p, len), &w)) {
		witness_pack(&w, &b);
		must(span_equal(buf_span(&b), span_of(p, len)));
	}
	if (len >= 64) {
		memcpy(record, p, 64);
		hash_of(span_of(record, 64), record + 64, 16);
		buf_reset(&b);
		if (witness_unpack(span_of(record, 80), &w)) {
			witness_pack(&w, &b);
			must(span_equal(buf_span(&b), span_of(record, 80)));
		}
	}
	buf_done(&b);
	return 0;
}

int fuzz_seed(const uint8_t *p, size_t len)
{
	uint8_t seed[32];
	char text[65];

	if (!keys_seed_parse(span_of(p, len), seed)) return 0;
	must(len == 64 || (len == 65 && p[64] == '\n'));
	hex_text(seed, 32, text);
	must(strncasecmp(text, (const char *)p, 64) == 0);
	return 0;
}

/* ---- records of accounts and sessions */
int fuzz_person(const uint8_t *p, size_t len)
{
	struct span in = span_of(p, len);
	struct account_secret a;
	struct session_secret s;
	struct rest_secret rest;
	struct rest_box box;
	struct buf b;

	buf_init(&b, 1024);
	if (account_secret_parse(in, &a)) {
		account_secret_pack(&a, &b);
		must(span_equal(buf_span(&b), in));
	}
	buf_reset(&b);
	if (rest_secret_parse(in, &rest)) {
		rest_secret_pack(&rest, &b);
		must(span_equal(buf_span(&b), in));
	}
	buf_reset(&b);
	if (rest_box_parse(in, &box)) {
		rest_box_pack(&box, &b);
		must(span_equal(buf_span(&b), in));
	}
	buf_reset(&b);
	if (session_secret_parse(in, &s)) {
		session_secret_pack(&s, &b);
		must(span_equal(buf_span(&b), in));
	}
	buf_done(&b);
	return 0;
}
