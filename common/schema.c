/*
 * schema.c - walks over the descriptors: look-ups, the self-check, and the forms that are made from
 * them (DDL, JSON, data dictionary).  Nothing here knows a table by name.
 *
 * Look-ups start where the descriptor stands if numbers run without gaps (tables by number, fields of
 * a lane by slot) and go round from there: almost always the first or one of the next few entries,
 * never wrong, and no index that would have to be built before threads start.
 */
#include "common/base.h"

#include "common/schema.h"

#include <stdarg.h>

#include "common/codes.h"

static const char *const type_names[] = {
        [FIELD_TEXT] = "text",   [FIELD_INT] = "int",     [FIELD_BOOL] = "bool",
        [FIELD_DATE] = "date",   [FIELD_TIME] = "time",   [FIELD_MONTH] = "month",
        [FIELD_CODE] = "code",   [FIELD_CODES] = "codes", [FIELD_REF] = "ref",
        [FIELD_BYTES] = "bytes",
};
static const char *const merge_names[] = {
        [MERGE_FIELD] = "field", [MERGE_OWNED] = "owned", [MERGE_DERIVED] = "derived"};
static const char *const kind_names[] = {[TABLE_FIELD] = "field",
                                         [TABLE_ONCE] = "once",
                                         [TABLE_SET] = "set",
                                         [TABLE_SYSTEM] = "system"};
static const char *const lane_names[LANES] = {"open", "county", "sealed", "reserved"};
static const char *const rule_names[] = {"citizen_id",  "division_code", "phone",        "uscc",
                                         "day_minutes", "envelope",      "envelope_keys"};

/* The lowest and the highest tier of a lane (architecture section 6). */
static const uint8_t lane_tier_min[LANES] = {0, 2, 4, 0};
static const uint8_t lane_tier_max[LANES] = {1, 3, 4, 0};

static_assert(ARRAY_COUNT(type_names) == FIELD_BYTES + 1, "a name for each type");

const struct table *schema_table(const struct schema *s, uint16_t number)
{
	size_t start = number > 0 && number <= s->tables_count ? number - 1u : 0;

	for (size_t n = 0; n < s->tables_count; n++) {
		size_t i = start + n < s->tables_count ? start + n : start + n - s->tables_count;

		if (s->tables[i]->number == number) return s->tables[i];
	}
	return NULL;
}

const struct table *schema_table_named(const struct schema *s, const char *name)
{
	for (size_t i = 0; i < s->tables_count; i++)
		if (strcmp(s->tables[i]->name, name) == 0) return s->tables[i];
	return NULL;
}

const struct field *table_field(const struct table *t, uint8_t number)
{
	size_t slot = number >> 2;
	size_t start = slot > 0 && slot <= t->fields_count ? slot - 1 : 0;

	for (size_t n = 0; n < t->fields_count; n++) {
		size_t i = start + n < t->fields_count ? start + n : start + n - t->fields_count;

		if (t->fields[i].number == number) return &t->fields[i];
	}
	return NULL;
}

const struct field *table_field_named(const struct table *t, const char *name)
{
	for (size_t i = 0; i < t->fields_count; i++)
		if (strcmp(t->fields[i].name, name) == 0) return &t->fields[i];
	return NULL;
}

const struct field *table_slot(const struct table *t, unsigned lane, unsigned slot)
{
	if (lane >= LANES || slot == 0 || slot >= SLOTS_MAX) return NULL;
	return table_field(t, (uint8_t)(slot << 2 | lane));
}

uint64_t table_slots(const struct table *t, unsigned lane)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < t->fields_count; i++)
		if (field_lane(&t->fields[i]) == lane)
			mask |= 1 | UINT64_C(1) << field_slot(&t->fields[i]);
	return mask;
}

uint64_t table_figure_slots(const struct table *t, unsigned lane)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < t->fields_count; i++)
		if (t->fields[i].figure && field_lane(&t->fields[i]) == lane)
			mask |= 1 | UINT64_C(1) << field_slot(&t->fields[i]);
	return mask;
}

const struct code *code_find(const struct code_list *l, struct span code)
{
	for (size_t i = 0; i < l->count; i++) {
		size_t len = strlen(l->codes[i].code);

		if (len == code.len && len > 0 && memcmp(l->codes[i].code, code.p, len) == 0)
			return &l->codes[i];
	}
	return NULL;
}

/* ---- self-check */

static const char *wrong(const char *format, ...) PRINTF_LIKE(1, 2);
static const char *wrong(const char *format, ...)
{
	static _Thread_local char text[240];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return text;
}

static bool is_identifier(const char *name)
{
	if (name == NULL || name[0] < 'a' || name[0] > 'z') return false;
	for (const char *c = name; *c != 0; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_'))
			return false;
	return strlen(name) <= 40;
}

static bool is_filled(const char *text)
{
	return text != NULL && text[0] != 0;
}

/* Columns that every table has (schema_ddl). */
static bool is_reserved_column(const char *name)
{
	static const char *const stems[] = {"alive", "clock", "extra"};

	if (strcmp(name, "id") == 0 || strcmp(name, "scope") == 0 || strcmp(name, "rowid") == 0)
		return true;
	for (size_t i = 0; i < ARRAY_COUNT(stems); i++) {
		size_t len = strlen(stems[i]);

		if (strncmp(name, stems[i], len) == 0 && name[len] >= '0' && name[len] <= '9' &&
		    name[len + 1] == 0)
			return true;
	}
	return false;
}

static const char *check_codes(const struct code_list *l)
{
	if (!is_identifier(l->name)) return wrong("a code list has no proper name");
	if (l->count == 0 || !is_filled(l->source))
		return wrong("code list %s: no codes or no source", l->name);
	for (size_t i = 0; i < l->count; i++) {
		const struct code *c = &l->codes[i];

		if (!is_filled(c->code) || strchr(c->code, ',') != NULL || strlen(c->code) > 40)
			return wrong("code list %s: entry %zu has no proper code", l->name, i);
		if (!is_filled(c->zh) || !is_filled(c->en) || c->tier > 4)
			return wrong("code %s.%s: label missing or tier wrong", l->name, c->code);
		for (size_t j = 0; j < i; j++)
			if (strcmp(l->codes[j].code, c->code) == 0)
				return wrong("code %s.%s stands twice", l->name, c->code);
	}
	return NULL;
}

static bool list_fits(const struct code_list *l, unsigned lane)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->codes[i].tier <= lane_tier_max[lane]) return true;
	return false;
}

/* A row reaches the replicas that one of its lanes reaches: where the referring field is, some lane of
 * the target must be, or a reference would park its record for ever. */
static bool reference_reaches(const struct table *target, unsigned lane)
{
	for (unsigned l = 0; l <= lane; l++)
		if (table_slots(target, l) != 0) return true;
	return false;
}

static bool rule_known(const char *rule)
{
	for (size_t i = 0; i < ARRAY_COUNT(rule_names); i++)
		if (strcmp(rule, rule_names[i]) == 0) return true;
	return false;
}

static const char *check_type(const struct schema *s, const struct table *t, const struct field *f)
{
	bool has_list = f->type == FIELD_CODE || f->type == FIELD_CODES;
	bool has_length = f->type == FIELD_TEXT || f->type == FIELD_BYTES;

	if (has_list != (f->codes != NULL))
		return wrong("%s.%s: a code list belongs to code fields, and only to them", t->name,
		             f->name);
	if (f->codes != NULL) {
		const char *bad = check_codes(f->codes);

		if (bad != NULL) return bad;
		if (!list_fits(f->codes, field_lane(f)))
			return wrong("%s.%s: no code of list %s may stand in its lane", t->name,
			             f->name, f->codes->name);
	}
	if ((f->type == FIELD_REF) != (f->ref_table != 0))
		return wrong("%s.%s: a target belongs to references, and only to them", t->name,
		             f->name);
	if (f->ref_table != 0) {
		const struct table *target = schema_table(s, f->ref_table);

		if (target == NULL) return wrong("%s.%s refers to no table", t->name, f->name);
		if (!reference_reaches(target, field_lane(f)))
			return wrong("%s.%s refers to %s, which does not travel as far", t->name,
			             f->name, target->name);
	}
	if (f->len_max > VALUE_BYTES_MAX || (f->len_max != 0 && !has_length))
		return wrong("%s.%s: length out of place or too large", t->name, f->name);
	if (f->min > f->max) return wrong("%s.%s: min above max", t->name, f->name);
	if (f->rule != NULL &&
	    (!rule_known(f->rule) ||
	     (f->type != FIELD_TEXT && f->type != FIELD_INT && f->type != FIELD_BYTES)))
		return wrong("%s.%s: unknown rule, or a rule on a type that has none", t->name,
		             f->name);
	return NULL;
}

static const char *check_field(const struct schema *s, const struct table *t, size_t i)
{
	const struct field *f = &t->fields[i];
	unsigned lane = field_lane(f);

	if (!is_identifier(f->name))
		return wrong("%s: field %u has no proper name", t->name, f->number);
	if (is_reserved_column(f->name))
		return wrong("%s.%s: the engine has this column", t->name, f->name);
	if (f->number < 4) return wrong("%s.%s: numbers 0..3 are alive", t->name, f->name);
	if (lane == LANE_RESERVED) return wrong("%s.%s: lane 3 is reserved", t->name, f->name);
	if (f->tier < lane_tier_min[lane] || f->tier > lane_tier_max[lane])
		return wrong("%s.%s: tier %u does not fit lane %s", t->name, f->name, f->tier,
		             lane_names[lane]);
	if (!is_filled(f->zh) || !is_filled(f->en))
		return wrong("%s.%s: label missing", t->name, f->name);
	if (!is_filled(f->source)) return wrong("%s.%s: source missing", t->name, f->name);
	if ((unsigned)f->type > FIELD_BYTES || (unsigned)f->merge > MERGE_DERIVED)
		return wrong("%s.%s: unknown type or merge kind", t->name, f->name);
	if ((f->merge == MERGE_OWNED) !=
	    (f->owner_level >= LEVEL_NATION && f->owner_level <= LEVEL_COMMUNITY))
		return wrong("%s.%s: an owner belongs to owned fields, and only to them", t->name,
		             f->name);
	if (lane == LANE_SEALED && f->type != FIELD_REF && f->rule == NULL)
		return wrong("%s.%s: the sealed lane has references and envelopes", t->name,
		             f->name);
	if (f->figure && (lane == LANE_SEALED || f->merge == MERGE_DERIVED))
		return wrong("%s.%s cannot be the input of a figure", t->name, f->name);
	for (size_t j = 0; j < i; j++) {
		if (t->fields[j].number == f->number)
			return wrong("%s: field number %u stands twice", t->name, f->number);
		if (strcmp(t->fields[j].name, f->name) == 0)
			return wrong("%s.%s stands twice", t->name, f->name);
	}
	return check_type(s, t, f);
}

static const char *check_table(const struct schema *s, size_t i)
{
	const struct table *t = s->tables[i];

	if (!is_identifier(t->name)) return wrong("table %u has no proper name", t->number);
	if (t->number == 0 || t->number >= TABLES_MAX)
		return wrong("%s: number out of range", t->name);
	if (t->fields_count == 0 || (unsigned)t->kind > TABLE_SYSTEM)
		return wrong("%s: no fields, or unknown kind", t->name);
	if (!is_filled(t->zh) || !is_filled(t->en)) return wrong("%s: label missing", t->name);
	if (!is_filled(t->source)) return wrong("%s: source missing", t->name);
	if (t->writer_levels == 0 || (t->writer_levels & ~0x7eu) != 0)
		return wrong("%s: no level may write, or an unknown one", t->name);
	for (size_t j = 0; j < i; j++) {
		if (s->tables[j]->number == t->number)
			return wrong("table number %u stands twice", t->number);
		if (strcmp(s->tables[j]->name, t->name) == 0)
			return wrong("table %s stands twice", t->name);
	}
	for (size_t j = 0; j < t->fields_count; j++) {
		const char *bad = check_field(s, t, j);

		if (bad != NULL) return bad;
	}
	return NULL;
}

const char *schema_check(const struct schema *s)
{
	for (size_t i = 0; i < s->tables_count; i++) {
		const char *bad = check_table(s, i);

		if (bad != NULL) return bad;
	}
	for (size_t i = 0; i < code_lists_count; i++) {
		const char *bad = check_codes(code_lists[i]);

		if (bad != NULL) return bad;
		for (size_t j = 0; j < i; j++)
			if (strcmp(code_lists[j]->name, code_lists[i]->name) == 0)
				return wrong("code list %s stands twice", code_lists[i]->name);
	}
	return NULL;
}

/* ---- DDL */

/*
 * One table per descriptor (columns BLOB, so that SQLite converts nothing: a replica keeps exactly what was signed): id, scope, the fields in descriptor order, then alive, clock and extra of
 * each lane that the table has fields in.  Field names are always quoted, because good names ("in",
 * "left", "end") are SQL words.
 */
static void table_ddl(const struct table *t, struct buf *out)
{
	static const char *const engine_columns[] = {"alive", "clock", "extra"};

	buf_print(out, "CREATE TABLE %s(id BLOB PRIMARY KEY NOT NULL, scope INTEGER NOT NULL",
	          t->name);
	for (size_t i = 0; i < t->fields_count; i++)
		buf_print(out, ", \"%s\" BLOB", t->fields[i].name);
	for (size_t c = 0; c < ARRAY_COUNT(engine_columns); c++)
		for (unsigned lane = 0; lane < LANE_RESERVED; lane++)
			if (table_slots(t, lane) != 0)
				buf_print(out, ", %s%u BLOB", engine_columns[c], lane);
	buf_text(out, ");\n");
	buf_print(out, "CREATE INDEX %s_scope ON %s(scope, id);\n", t->name, t->name);
	for (size_t i = 0; i < t->fields_count; i++)
		if (t->fields[i].indexed)
			buf_print(out, "CREATE INDEX %s_%s ON %s(scope, \"%s\");\n", t->name,
			          t->fields[i].name, t->name, t->fields[i].name);
}

void schema_ddl(const struct schema *s, struct buf *out)
{
	for (size_t i = 0; i < s->tables_count; i++) table_ddl(s->tables[i], out);
}

/* ---- JSON */

static void json_text(struct buf *out, const char *text)
{
	if (text == NULL) {
		buf_text(out, "null");
		return;
	}
	buf_u8(out, '"');
	for (const char *c = text; *c != 0; c++) {
		if (*c == '"' || *c == '\\') {
			buf_u8(out, '\\');
			buf_u8(out, (uint8_t)*c);
		} else if ((unsigned char)*c < 0x20) {
			buf_print(out, "\\u%04x", (unsigned)(unsigned char)*c);
		} else {
			buf_u8(out, (uint8_t)*c);
		}
	}
	buf_u8(out, '"');
}

static void json_member(struct buf *out, const char *name, const char *text)
{
	buf_print(out, "\"%s\":", name);
	json_text(out, text);
	buf_u8(out, ',');
}

static void json_field(const struct schema *s, const struct field *f, struct buf *out)
{
	const struct table *target = f->ref_table != 0 ? schema_table(s, f->ref_table) : NULL;

	buf_print(out, "{\"number\":%u,\"lane\":%u,\"tier\":%u,", f->number, field_lane(f),
	          f->tier);
	json_member(out, "name", f->name);
	json_member(out, "type", type_names[f->type]);
	json_member(out, "merge", merge_names[f->merge]);
	json_member(out, "zh", f->zh);
	json_member(out, "en", f->en);
	if (f->merge == MERGE_OWNED) buf_print(out, "\"owner_level\":%u,", f->owner_level);
	if (f->unit != NULL) json_member(out, "unit", f->unit);
	if (f->codes != NULL) json_member(out, "codes", f->codes->name);
	if (target != NULL) json_member(out, "ref", target->name);
	if (f->rule != NULL) json_member(out, "rule", f->rule);
	if (f->type == FIELD_TEXT || f->type == FIELD_BYTES)
		buf_print(out, "\"len_max\":%u,", f->len_max != 0 ? f->len_max : 255u);
	if (f->min < f->max)
		buf_print(out, "\"min\":%" PRId64 ",\"max\":%" PRId64 ",", f->min, f->max);
	buf_print(out, "\"required\":%s,\"indexed\":%s,\"figure\":%s,\"source\":",
	          f->required ? "true" : "false", f->indexed ? "true" : "false",
	          f->figure ? "true" : "false");
	json_text(out, f->source);
	buf_u8(out, '}');
}

static void json_table(const struct schema *s, const struct table *t, struct buf *out)
{
	const char *comma = "";

	buf_print(out, "{\"number\":%u,", t->number);
	json_member(out, "name", t->name);
	json_member(out, "kind", kind_names[t->kind]);
	json_member(out, "zh", t->zh);
	json_member(out, "en", t->en);
	json_member(out, "source", t->source);
	buf_text(out, "\"writer_levels\":[");
	for (unsigned level = LEVEL_NATION; level <= LEVEL_COMMUNITY; level++) {
		if ((t->writer_levels >> level & 1) == 0) continue;
		buf_print(out, "%s%u", comma, level);
		comma = ",";
	}
	buf_text(out, "],\"fields\":[");
	for (size_t i = 0; i < t->fields_count; i++) {
		if (i > 0) buf_u8(out, ',');
		json_field(s, &t->fields[i], out);
	}
	buf_text(out, "]}");
}

static void json_codes(const struct code_list *l, struct buf *out)
{
	json_text(out, l->name);
	buf_text(out, ":[");
	for (size_t i = 0; i < l->count; i++) {
		if (i > 0) buf_u8(out, ',');
		buf_u8(out, '{');
		json_member(out, "code", l->codes[i].code);
		json_member(out, "zh", l->codes[i].zh);
		json_member(out, "en", l->codes[i].en);
		buf_print(out, "\"tier\":%u}", l->codes[i].tier);
	}
	buf_u8(out, ']');
}

void schema_json(const struct schema *s, struct buf *out)
{
	buf_print(out, "{\"version\":%" PRIu32 ",\"codes_version\":%d,\"tables\":[", s->version,
	          CODES_VERSION);
	for (size_t i = 0; i < s->tables_count; i++) {
		if (i > 0) buf_u8(out, ',');
		json_table(s, s->tables[i], out);
	}
	buf_text(out, "],\"codes\":{");
	for (size_t i = 0; i < code_lists_count; i++) {
		if (i > 0) buf_u8(out, ',');
		json_codes(code_lists[i], out);
	}
	buf_text(out, "}}\n");
}

/* ---- data dictionary */

static void markdown_cell(struct buf *out, const char *text)
{
	buf_u8(out, ' ');
	for (const char *c = text; *c != 0; c++) {
		if (*c == '|') buf_u8(out, '\\');
		buf_u8(out, (uint8_t)*c);
	}
	buf_text(out, " |");
}

static void markdown_type(const struct schema *s, const struct field *f, struct buf *out)
{
	const struct table *target = f->ref_table != 0 ? schema_table(s, f->ref_table) : NULL;
	bool dated = f->type == FIELD_DATE || f->type == FIELD_TIME || f->type == FIELD_MONTH;

	buf_print(out, " %s", type_names[f->type]);
	if (f->codes != NULL) buf_print(out, " of `%s`", f->codes->name);
	if (target != NULL) buf_print(out, " to `%s`", target->name);
	if (f->type == FIELD_TEXT || f->type == FIELD_BYTES)
		buf_print(out, ", at most %u bytes", f->len_max != 0 ? f->len_max : 255u);
	if (f->min < f->max && !dated) {
		if (f->type == FIELD_CODES)
			buf_print(out, ", at most %" PRId64, f->max);
		else
			buf_print(out, ", %" PRId64 "..%" PRId64, f->min, f->max);
	}
	if (f->unit != NULL) buf_print(out, " %s", f->unit);
	if (f->rule != NULL) buf_print(out, ", rule `%s`", f->rule);
	buf_text(out, " | ");
}

static void markdown_marks(const struct field *f, struct buf *out)
{
	const char *gap = " ";

	if (f->required) {
		buf_print(out, "%srequired", gap);
		gap = ", ";
	}
	if (f->indexed) {
		buf_print(out, "%sindexed", gap);
		gap = ", ";
	}
	if (f->figure) {
		buf_print(out, "%sfigure", gap);
		gap = ", ";
	}
	if (f->merge == MERGE_OWNED) buf_print(out, "%sowned by level %u", gap, f->owner_level);
	if (f->merge == MERGE_DERIVED) buf_print(out, "%sderived", gap);
	buf_text(out, " |");
}

static void markdown_fields(const struct schema *s, const struct table *t, struct buf *out)
{
	buf_text(out, "| no. | field | 名称 | English | type | tier | lane | marks | source |\n");
	buf_text(out, "|---|---|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < t->fields_count; i++) {
		const struct field *f = &t->fields[i];

		buf_print(out, "| %u | `%s` |", f->number, f->name);
		markdown_cell(out, f->zh);
		markdown_cell(out, f->en);
		markdown_type(s, f, out);
		buf_print(out, "T%u | %s |", f->tier, lane_names[field_lane(f)]);
		markdown_marks(f, out);
		markdown_cell(out, f->source);
		buf_u8(out, '\n');
	}
}

static void markdown_table(const struct schema *s, const struct table *t, struct buf *out)
{
	buf_print(out, "\n## %u `%s` %s (%s)\n\nKind: %s. Levels that may insert:", t->number,
	          t->name, t->zh, t->en, kind_names[t->kind]);
	for (unsigned level = LEVEL_NATION; level <= LEVEL_COMMUNITY; level++)
		if ((t->writer_levels >> level & 1) != 0) buf_print(out, " %u", level);
	buf_print(out, ". Source: %s.\n\n", t->source);
	markdown_fields(s, t, out);
}

static void markdown_content(const struct schema *s, const struct table *t, struct buf *out)
{
	buf_print(out,
	          "\n# Inside envelopes\n\n## `%s` %s (%s)\n\nNo table: these values stand in "
	          "no column, only in the envelopes of `case_record`. Source: %s.\n\n",
	          t->name, t->zh, t->en, t->source);
	markdown_fields(s, t, out);
}

void schema_markdown(const struct schema *s, struct buf *out)
{
	buf_print(out,
	          "# Data dictionary\n\nPrinted by the program from `common/tables.c` and "
	          "`common/codes.c`; do not edit.\nSchema version %" PRIu32
	          ", code lists version %d.\n",
	          s->version, CODES_VERSION);
	for (size_t i = 0; i < s->tables_count; i++) markdown_table(s, s->tables[i], out);
	markdown_content(s, &table_case_content, out);
	buf_text(out, "\n# Code lists\n");
	for (size_t i = 0; i < code_lists_count; i++) {
		const struct code_list *l = code_lists[i];

		buf_print(out,
		          "\n## `%s`\n\nSource: %s.\n\n| code | 名称 | English | tier "
		          "|\n|---|---|---|---|\n",
		          l->name, l->source);
		for (size_t j = 0; j < l->count; j++) {
			buf_print(out, "| `%s` |", l->codes[j].code);
			markdown_cell(out, l->codes[j].zh);
			markdown_cell(out, l->codes[j].en);
			buf_print(out, " T%u |\n", l->codes[j].tier);
		}
	}
}
