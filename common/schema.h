/*
 * schema.h - every table described once, as const data.  From it come DDL, validation, the wire, the
 * command line, JSON metadata and the data dictionary.
 *
 * Numbers of tables and fields are stable and never reused.  A field's number says its lane (number
 * mod 4), so that a build that does not know the field still enforces its ceiling.  Numbers 0..3 are
 * `alive` of lanes 0..3.  Inside a lane a field has the slot number/4 (0..63), slot 0 being `alive`:
 * field masks of operations are 64-bit masks of slots of their lane.
 */
#ifndef COMMON_SCHEMA_H
#define COMMON_SCHEMA_H

#include "common/buf.h"
#include "common/error.h"
#include "common/value.h"

enum lane { LANE_OPEN = 0, LANE_COUNTY = 1, LANE_SEALED = 2, LANE_RESERVED = 3, LANES = 4 };
enum { SCHEMA_VERSION = 1, CODES_VERSION = 1, SLOTS_MAX = 64, TABLES_MAX = 256 };

enum field_type {
	FIELD_TEXT,  /* value text */
	FIELD_INT,   /* value int */
	FIELD_BOOL,  /* value int 0/1 */
	FIELD_DATE,  /* value int: days since 1970-01-01; text form YYYY-MM-DD */
	FIELD_TIME,  /* value int: ms since 1970; text form RFC 3339 */
	FIELD_MONTH, /* value int: year*100+month; text form YYYY-MM */
	FIELD_CODE,  /* value text: one code of the list */
	FIELD_CODES, /* value text: codes joined by ',' in list order */
	FIELD_REF,   /* value bytes 16: a row of ref_table */
	FIELD_BYTES  /* value bytes; text form hexadecimal */
};

enum merge_kind { MERGE_FIELD, MERGE_OWNED, MERGE_DERIVED };
enum table_kind {
	TABLE_FIELD,
	TABLE_ONCE /* insert only */,
	TABLE_SET /* id = hash(owner, element) */,
	TABLE_SYSTEM /* written by the engine only: figure, correction */
};

enum level {
	LEVEL_NATION = 1,
	LEVEL_PROVINCE,
	LEVEL_PREFECTURE,
	LEVEL_COUNTY,
	LEVEL_TOWNSHIP,
	LEVEL_COMMUNITY
};

struct code {
	const char *code, *zh, *en;
	uint8_t tier; /* 0..4: codes of tier 3 up never stand in an open field */
};
struct code_list {
	const char *name;
	const struct code *codes;
	size_t count;
	const char *source;
};

struct field {
	uint8_t number; /* 4..255; number & 3 is the lane */
	enum field_type type;
	enum merge_kind merge;
	uint8_t tier;        /* T0..T4; lane open: <=1, county: 2..3, sealed: 4 */
	uint8_t owner_level; /* MERGE_OWNED: the level that may write (enum level) */
	bool required;       /* the author's check only */
	bool indexed;        /* a database index (prefixed by scope) */
	bool figure; /* an input of a figure: operations that change it carry the old value */
	uint16_t ref_table;  /* FIELD_REF: table number */
	uint32_t len_max;    /* text and bytes: bytes; 0: 255 */
	int64_t min, max;    /* ints, when min < max; FIELD_CODES: how many codes */
	const char *name;    /* column and JSON key */
	const char *unit;    /* min, fen, persons ...; NULL none */
	const char *zh, *en; /* labels */
	const struct code_list *codes;
	const char *
	        rule; /* extra check by name: citizen_id, division_code, phone, uscc, day_minutes, envelope, envelope_keys; NULL none */
	const char *source; /* where field or rule comes from */
};

struct table {
	uint16_t number; /* 1..TABLES_MAX-1 */
	enum table_kind kind;
	const char *name, *zh, *en;
	const struct field *fields;
	size_t fields_count;
	uint8_t writer_levels; /* bit (1 << level): org unit levels whose devices may insert */
	const char *source;
};

/* The numbers of the first tables (a contract of the wire). */
enum table_number {
	TABLE_ORG_UNIT = 1,
	TABLE_SITE = 2,
	TABLE_DEVICE = 3,
	TABLE_VOLUNTEER = 4,
	TABLE_TEAM = 5,
	TABLE_TEAM_MEMBER = 6,
	TABLE_ACTIVITY = 7,
	TABLE_PARTICIPATION = 8,
	TABLE_FIGURE = 9,
	TABLE_CORRECTION = 10,
	TABLE_STATEMENT = 11,
	TABLE_OBJECTION = 12,
	TABLE_ACCOUNT = 20,
	TABLE_TRAIL = 21,
	TABLE_RECOVERY_KEY = 22,
	TABLE_PERSON_CERT = 23,
	TABLE_REVIEW_STEP = 24,
	TABLE_ARRIVAL = 30,
	TABLE_OFFICER = 40,
	TABLE_RESTRICTED_CASE = 41,
	TABLE_CASE_RECORD = 42,
	TABLE_CASE_KEY = 43,
	TABLE_BROKEN_GLASS = 44,
	TABLE_WITHDRAWAL = 50,
	TABLE_ERASURE = 51
};

/* A build's view of the schema: tests run older and newer ones side by side (schema_mix). */
struct schema {
	uint32_t version;
	const struct table *const *tables;
	size_t tables_count;
};
extern const struct schema schema_current;
/* What an envelope of case_record says: described as a table is, and no table: its values stand nowhere but inside. */
extern const struct table table_case_content;

const struct table *schema_table(const struct schema *s, uint16_t number); /* NULL: unknown */
const struct table *schema_table_named(const struct schema *s,
                                       const char *name);               /* NULL: unknown */
const struct field *table_field(const struct table *t, uint8_t number); /* NULL: unknown */
const struct field *table_field_named(const struct table *t, const char *name);
/* The field of a lane's slot (slot 0 is alive: NULL, as for unknown fields). */
const struct field *table_slot(const struct table *t, unsigned lane, unsigned slot);
uint64_t table_slots(const struct table *t,
                     unsigned lane); /* mask of known slots, alive included; 0: no fields in it */
uint64_t table_figure_slots(
        const struct table *t,
        unsigned lane); /* mask of slots that are figure inputs (alive included if any) */
static inline unsigned field_lane(const struct field *f)
{
	return f->number & 3u;
}
static inline unsigned field_slot(const struct field *f)
{
	return f->number >> 2;
}
const struct code *code_find(const struct code_list *l, struct span code);

/* Self-check of the descriptors (names unique, lanes fit tiers, labels and sources present,
 * references reachable): NULL, or the sentence that says what is wrong (static storage). */
const char *schema_check(const struct schema *s);
void schema_ddl(const struct schema *s,
                struct buf *out); /* SQLite DDL of the domain tables, see store.h */
void schema_json(const struct schema *s, struct buf *out);
void schema_markdown(const struct schema *s, struct buf *out); /* the data dictionary */

#endif
