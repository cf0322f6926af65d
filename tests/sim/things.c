/*
 * things.c - descriptors of the simulator's own tables; the real ones come from schema_current.
 */
#include "common/base.h"

#include "tests/sim/things.h"

enum { WRITE_ALL = 0x7e };

#define SRC "simulator"
#define THING_FIELDS                                                                               \
	{.number = 4,                                                                              \
	 .type = FIELD_INT,                                                                        \
	 .name = "f",                                                                              \
	 .zh = "f",                                                                                \
	 .en = "f",                                                                                \
	 .tier = 1,                                                                                \
	 .source = SRC},                                                                           \
	        {.number = 8,                                                                      \
	         .type = FIELD_TEXT,                                                               \
	         .name = "g",                                                                      \
	         .zh = "g",                                                                        \
	         .en = "g",                                                                        \
	         .tier = 1,                                                                        \
	         .len_max = 64,                                                                    \
	         .source = SRC},                                                                   \
	        {.number = 12,                                                                     \
	         .type = FIELD_REF,                                                                \
	         .name = "to",                                                                     \
	         .zh = "to",                                                                       \
	         .en = "to",                                                                       \
	         .tier = 1,                                                                        \
	         .ref_table = TABLE_THING,                                                         \
	         .source = SRC},                                                                   \
	        {.number = 5,                                                                      \
	         .type = FIELD_TEXT,                                                               \
	         .name = "s",                                                                      \
	         .zh = "s",                                                                        \
	         .en = "s",                                                                        \
	         .tier = 3,                                                                        \
	         .len_max = 120,                                                                   \
	         .source = SRC},                                                                   \
	{                                                                                          \
		.number = 9, .type = FIELD_INT, .name = "h", .zh = "h", .en = "h", .tier = 2,      \
		.source = SRC                                                                      \
	}

static const struct field thing_fields[] = {THING_FIELDS};
static const struct field thing_next_fields[] = {
        THING_FIELDS,
        {.number = 16,
         .type = FIELD_TEXT,
         .name = "later",
         .zh = "later",
         .en = "later",
         .tier = 1,
         .len_max = 64,
         .source = SRC},
        {.number = 13,
         .type = FIELD_TEXT,
         .name = "closed_later",
         .zh = "closed later",
         .en = "closed later",
         .tier = 2,
         .len_max = 64,
         .source = SRC},
};
static const struct field tick_fields[] = {
        {.number = 4,
         .type = FIELD_INT,
         .name = "n",
         .zh = "n",
         .en = "n",
         .tier = 1,
         .source = SRC},
        {.number = 5,
         .type = FIELD_TEXT,
         .name = "who",
         .zh = "who",
         .en = "who",
         .tier = 2,
         .len_max = 120,
         .source = SRC},
};
static const struct field tag_fields[] = {
        {.number = 4,
         .type = FIELD_TEXT,
         .name = "element",
         .zh = "element",
         .en = "element",
         .tier = 1,
         .len_max = 64,
         .source = SRC},
};
static const struct field novel_fields[] = {
        {.number = 4,
         .type = FIELD_INT,
         .name = "n",
         .zh = "n",
         .en = "n",
         .tier = 1,
         .source = SRC},
        {.number = 5,
         .type = FIELD_TEXT,
         .name = "closed_n",
         .zh = "closed n",
         .en = "closed n",
         .tier = 2,
         .len_max = 64,
         .source = SRC},
};

#define TABLE(IDENT, NAME, NUMBER, KIND)                                                           \
	static const struct table table_##IDENT = {                                                \
	        .number = (NUMBER),                                                                \
	        .kind = (KIND),                                                                    \
	        .name = (NAME),                                                                    \
	        .zh = (NAME),                                                                      \
	        .en = (NAME),                                                                      \
	        .fields = IDENT##_fields,                                                          \
	        .fields_count = ARRAY_COUNT(IDENT##_fields),                                       \
	        .writer_levels = WRITE_ALL,                                                        \
	        .source = SRC,                                                                     \
	}

TABLE(thing, "thing", TABLE_THING, TABLE_FIELD);
TABLE(thing_next, "thing", TABLE_THING, TABLE_FIELD);
TABLE(tick, "tick", TABLE_TICK, TABLE_ONCE);
TABLE(tag, "tag", TABLE_TAG, TABLE_SET);
TABLE(novel, "novel", TABLE_NOVEL, TABLE_FIELD);

void things_init(struct things *ret, bool next)
{
	const struct table *more[] = {next ? &table_thing_next : &table_thing, &table_tick,
	                              &table_tag, &table_novel};
	size_t n = 0;

	assert(schema_current.tables_count + ARRAY_COUNT(more) <= THINGS_TABLES_MAX);
	for (; n < schema_current.tables_count; n++) ret->tables[n] = schema_current.tables[n];
	for (size_t i = 0; i < ARRAY_COUNT(more) - (next ? 0 : 1); i++) ret->tables[n++] = more[i];
	ret->schema = (struct schema){
	        .version = schema_current.version + (next ? 1 : 0),
	        .tables = ret->tables,
	        .tables_count = n,
	};
}
