/*
 * command.h - the command line of both programs: commands are data (struct command), found by name,
 * checked against their options and run with one struct call.
 *
 * Contract for scripts (ux.md section 6): names, JSON keys, error codes and exit codes do not vary with
 * the language; data goes to stdout, talk to stderr, progress only to a terminal.
 */
#ifndef NODE_COMMAND_H
#define NODE_COMMAND_H

#include <jansson.h>

#include "common/validate.h"
#include "node/account.h"
#include "node/words.h"
#include "proto/replica.h"
#include "proto/trail.h"

struct call;
struct place;

struct command {
	const char *name;       /* one or two words: "record", "org import" */
	const char *args;       /* for the usage line */
	const char *zh, *en;    /* one sentence */
	const char *options;    /* "json where= by=": a name with = takes a value; NULL none */
	const char *examples;   /* lines without the program's name; NULL none */
	enum trail_verb trail;  /* noted before it begins, and again where it fails; 0: not */
	enum may may;           /* what it asks of who runs it, once there are accounts */
	int args_min, args_max; /* -1: any number */
	/* 0, a positive exit code, or -ERR_x with call->error set (reported by command_main). */
	int (*run)(struct call *c);
};

/* What differs between jinguo-node and jinguo-hub. */
struct program {
	const char *name, *zh, *en;
	bool hub;
	const struct command *const
	        *tables; /* arrays that each end with a command without name; ends with NULL */
	const struct judge *judge; /* NULL at nodes */
};

#define JINGUO_VERSION "0.1.0"

enum { CALL_ARGS_MAX = 256, CALL_OPTIONS_MAX = 64 };
struct call_option {
	const char *name, *value;
};
struct call {
	const struct program *program;
	const struct command *command;
	const char *dir;
	const char *args[CALL_ARGS_MAX];
	size_t args_count;
	struct call_option options[CALL_OPTIONS_MAX];
	size_t options_count;
	bool json, terminal, color;
	enum language language;
	struct place *place;
	struct replica *replica;
	struct store *store;
	struct arena arena; /* as long as the call; record empties it after each line */
	struct arena words; /* names of options: as long as the call */
	struct error error;
	struct person person; /* who runs it: filled by call_open */
	bool progress_shown;
	bool noted; /* the trail has its beginning */
};

/* Parses, runs, reports; returns the exit code. */
int command_main(const struct program *p, int argc, char **argv);

/* ---- options */
const char *call_option(const struct call *c,
                        const char *name); /* value; "" for a flag; NULL: not given */
/* The n-th value of an option that may stand several times. */
const char *call_option_at(const struct call *c, const char *name, size_t n);
int call_option_int(struct call *c, const char *name, int64_t otherwise, int64_t min, int64_t max,
                    int64_t *ret);

/* ---- the data directory */
enum { CALL_CREATE = 1 /* makes the place if there is none */, CALL_LINK = 2 /* owns the links */ };
int call_open(struct call *c, unsigned flags);
void call_close(struct call *c);
int call_failed(struct call *c, int rc); /* takes the replica's or store's error into c->error */
int call_begin(struct call *c);          /* replica_begin and replica_commit with the error taken */
int call_commit(struct call *c);
/* Seals, in a transaction of its own, if a segment's worth waits: so that who records for long without a link does not leave all of it to the
 * session that comes. */
int call_seal_if_due(struct call *c);
/* After a fault within the transaction: takes the error as call_failed does, rolls back, gives rc. */
int call_undo(struct call *c, int rc);
/* Applies all that is journaled, in transactions of its own (none may be open); on a fault the pieces before stay. */
int call_apply_all(struct call *c);
int call_usage(struct call *c, const char *field, const char *detail); /* sets ERR_USAGE */

/* Who runs it, by session, by --service, or nobody; -ERR_LOGIN or -ERR_NO_PERMISSION where the command asks for more. */
struct people call_people(struct call *c);
/* The same for a part of what a command does. */
int call_may(struct call *c, enum may may);
/* Adds to the trail, durable on return: before what it speaks of is done.  id NULL: of no row. */
int call_note(struct call *c, enum trail_verb verb, int outcome, const struct table *t,
              const uint8_t *id, const char *detail);
/* Values of tier T3 of this table are about to be shown. */
int call_note_read(struct call *c, const struct table *t, const uint8_t *id);
/* Whose account an author is, as far as accounts are known here; "" else. */
const char *call_author(struct call *c, const uint8_t author[PERSON_ID]);
bool call_session_path(
        struct call *c,
        struct buf *ret); /* file of the session's token; false: there is no place for it */

/* ---- talk (stderr) and data (stdout) */
void call_say(struct call *c, const struct buf *line); /* a line of talk */
void call_say_text(struct call *c, const char *line);
void call_progress(struct call *c, const struct buf *line); /* only on a terminal; overwritten */
void call_progress_end(struct call *c);
void call_print(struct call *c, struct buf *text);  /* to stdout, then empties the buffer */
const char *call_number(struct call *c, int64_t n); /* text in the arena */
const char *call_time(struct call *c, int64_t ms);  /* RFC 3339, or the word for never when 0 */
const char *call_id(struct call *c, const uint8_t id[16]);
bool call_ask(struct call *c,
              enum word question); /* --yes: true; no terminal or --no-input: false */
/* An error to stderr, in the form asked for; line 0: none. */
void call_report(struct call *c, const struct error *e, size_t line);

/* ---- JSON */
json_t *json_id(const uint8_t id[16]);
json_t *json_time(int64_t ms);    /* null when 0 */
json_t *json_span(struct span s); /* a string; hexadecimal where it is not UTF-8 */
json_t *json_value(const struct field *f, struct value v);
json_t *json_error(struct call *c, const struct error *e, size_t line);
/* Prints {"schema","as_of","complete","items","next"}; takes items. */
int call_items(struct call *c, const char *schema, json_t *items, const char *next);
void call_json(struct call *c, json_t *object); /* prints and takes */

/* ---- looking things up */
/* An org unit by id or division code; level 0: any.  -ERR_NOT_FOUND; -ERR_USAGE when the code stands on several levels. */
int call_find_org(struct call *c, const char *text, unsigned level, uint8_t ret_id[16]);
/* The row with this id and its table. */
int call_find_row(struct call *c, const char *text, const struct table **ret_table,
                  uint8_t ret_id[16]);
int call_find_table(struct call *c, const char *name, const struct table **ret);
int call_find_field(struct call *c, const struct table *t, const char *name,
                    const struct field **ret);
/* Text of a field's value as a person types it; references may be codes or ids. */
int call_parse_value(struct call *c, const struct table *t, const struct field *f, const char *text,
                     struct value *ret);
/* {"id","code","name"} of an org unit, and one line of text for people. */
json_t *json_org(struct call *c, const uint8_t id[16]);
const char *call_org_name(struct call *c, const uint8_t id[16]);
const char *call_org_code(struct call *c, const uint8_t id[16]);
/* The value of a named field of a row. */
struct value view_value(const struct table *t, const struct row_view *v, const char *name);

/* ---- JSON lines (record --json -): a line is an object {"table": NAME, FIELD: VALUE, ...} and a transaction of its
 * own; with atomic all are one.  What fails is reported and counted.  A line is read no further than RECORD_LINE_MAX
 * and takes at most RECORD_MEMORY_FACTOR times its length from jansson (an empty object is 2 bytes of text). */
enum { RECORD_LINE_MAX = 256 * 1024, RECORD_MEMORY_FACTOR = 128 };
int record_lines(struct call *c, FILE *in, bool atomic, json_t *items, size_t *ret_done,
                 size_t *ret_failed);

extern const struct command commands_record[], commands_look[], commands_link[], commands_care[],
        commands_hand[], commands_people[], commands_trail[], commands_privacy[],
        commands_officer[];

#endif
