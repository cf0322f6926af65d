#include <unistd.h> /* before base.h, which poisons names that it declares */

#include "common/base.h"

#include "node/command.h"

#include "common/crypt.h"
#include "common/ident.h"
#include "node/file.h"
#include "node/keys.h"
#include "node/place.h"
#include "node/rest.h"
#include "node/status.h"

enum { LINE_BYTES_MAX = 64 * 1024, NAMES_MAX = 128, APPLY_PIECE = 2000 };

/* ---- options */

static bool named(const char *list, const char *name, size_t len, bool *ret_value)
{
	for (const char *p = list; p && *p;) {
		size_t n = strcspn(p, " ");
		bool value = n > 0 && p[n - 1] == '=';
		if (n - value == len && !strncmp(p, name, len)) {
			*ret_value = value;
			return true;
		}
		p += n + (p[n] == ' ');
	}
	return false;
}

static const char options_common[] = "dir= json no-input yes service help version";

const char *call_option_at(const struct call *c, const char *name, size_t n)
{
	for (size_t i = 0; i < c->options_count; i++)
		if (!strcmp(c->options[i].name, name) && n-- == 0) return c->options[i].value;
	return NULL;
}

const char *call_option(const struct call *c, const char *name)
{
	return call_option_at(c, name, 0);
}

int call_option_int(struct call *c, const char *name, int64_t otherwise, int64_t min, int64_t max,
                    int64_t *ret)
{
	const char *text = call_option(c, name);
	char *end = NULL;

	*ret = otherwise;
	if (!text) return 0;
	errno = 0;
	long long v = strtoll(text, &end, 10);
	if (errno || end == text || *end || v < min || v > max)
		return error_set(&c->error, ERR_USAGE, name, "a number from %lld to %lld",
		                 (long long)min, (long long)max);
	*ret = v;
	return 0;
}

int call_usage(struct call *c, const char *field, const char *detail)
{
	return error_set(&c->error, ERR_USAGE, field, "%s", detail);
}

/* ---- the data directory */

int call_failed(struct call *c, int rc)
{
	const struct error *e = c->replica ? replica_error(c->replica) : NULL;

	if (e && e->code == -rc)
		c->error = *e;
	else if (c->store && store_error(c->store)->code == -rc)
		c->error = *store_error(c->store);
	else if (c->error.code != -rc)
		error_set(&c->error, -rc, NULL, NULL);
	return rc;
}

int call_begin(struct call *c)
{
	int rc = replica_begin(c->replica);

	return rc ? call_failed(c, rc) : 0;
}

int call_commit(struct call *c)
{
	int rc = replica_commit(c->replica);

	return rc ? call_undo(c, rc) : 0;
}

int call_undo(struct call *c, int rc)
{
	call_failed(c, rc);
	replica_rollback(c->replica);
	return rc;
}

int call_seal_if_due(struct call *c)
{
	bool sealed;
	int rc;

	if (!replica_cert(c->replica) || !replica_seal_due(c->replica)) return 0;
	rc = call_begin(c);
	if (rc) return rc;
	rc = replica_seal(c->replica, &sealed);
	return rc ? call_undo(c, rc) : call_commit(c);
}

int call_apply_all(struct call *c)
{
	bool more = true;
	int rc = 0;

	while (more && !rc) {
		rc = call_begin(c);
		if (rc) return rc;
		rc = replica_apply(c->replica, APPLY_PIECE, &more);
		rc = rc ? call_undo(c, rc) : call_commit(c);
	}
	return rc;
}

/* ---- talk and data */

static void out(FILE *to, const struct buf *b)
{
	if (b->len) (void)fwrite(b->p, 1, b->len, to);
}

void call_progress_end(struct call *c)
{
	if (c->progress_shown) (void)fputs("\r\x1b[K", stderr);
	c->progress_shown = false;
}

void call_progress(struct call *c, const struct buf *line)
{
	if (!c->terminal || c->json) return;
	(void)fputs("\r\x1b[K", stderr);
	out(stderr, line);
	(void)fflush(stderr);
	c->progress_shown = true;
}

void call_say(struct call *c, const struct buf *line)
{
	call_progress_end(c);
	out(stderr, line);
	(void)fputc('\n', stderr);
}

void call_say_text(struct call *c, const char *line)
{
	call_progress_end(c);
	(void)fprintf(stderr, "%s\n", line);
}

void call_print(struct call *c, struct buf *text)
{
	call_progress_end(c);
	out(stdout, text);
	buf_reset(text);
}

/* ---- who runs it */

struct people call_people(struct call *c)
{
	return (struct people){c->replica, &c->place->config, &c->arena, &c->error};
}

bool call_session_path(struct call *c, struct buf *ret)
{
	const char *named = getenv("JINGUO_SESSION"), *dir = env_runtime_dir();
	char *whole, hex[17];
	uint8_t hash[8];

	if (named && *named) {
		buf_text(ret, named);
		return true;
	}
	whole = realpath(c->dir, NULL);
	if (!dir || !whole) {
		free(whole);
		return false;
	}
	hash_of(span_of(whole, strlen(whole)), hash, sizeof hash);
	hex_text(hash, sizeof hash, hex);
	buf_print(ret, "%s/jinguo-session-%s", dir, hex);
	free(whole);
	return true;
}

static bool as_service(const struct call *c)
{
	const char *said = getenv("JINGUO_SERVICE");

	return call_option(c, "service") != NULL || (said && !strcmp(said, "1"));
}

static int person_of_session(struct call *c, const struct people *p)
{
	uint8_t token[TOKEN_BYTES];
	struct buf path;
	int rc;

	buf_init(&path, 4096);
	if (!call_session_path(c, &path) || !file_exists(buf_cstr(&path)))
		rc = error_set(&c->error, ERR_LOGIN, "", NULL);
	else
		rc = keys_seed_read(buf_cstr(&path), token, &c->error);
	buf_done(&path);
	if (!rc) rc = session_open(p, token, &c->person);
	if (!rc && store_closed(c->store))
		rc = rest_give(c->store, &c->place->env, c->person.rest, &c->error);
	crypt_wipe(token, sizeof token);
	return rc;
}

static int person_of_service(struct call *c, const struct people *p)
{
	if (!c->place->by_service)
		return error_set(&c->error, ERR_LOGIN, "service.key",
		                 "the service's credential is not here");
	service_person(p, &c->person);
	return 0;
}

int call_note(struct call *c, enum trail_verb verb, int outcome, const struct table *t,
              const uint8_t *id, const char *detail)
{
	struct trail_record r = {.verb = (uint8_t)verb,
	                         .outcome = (uint16_t)outcome,
	                         .table = t ? t->number : 0,
	                         .detail = span_of(detail, strlen(detail))};
	int rc = call_begin(c);

	memcpy(r.person, c->person.id, sizeof r.person);
	if (id) memcpy(r.id, id, sizeof r.id);
	if (rc) return rc;
	rc = trail_add(c->replica, &r);
	return rc ? call_undo(c, rc) : call_commit(c);
}

int call_note_read(struct call *c, const struct table *t, const uint8_t *id)
{
	for (size_t i = 0; i < t->fields_count; i++)
		if (t->fields[i].tier >= 3 && person_sees(&c->person, &t->fields[i]))
			return call_note(c, TRAIL_READ, 0, t, id, c->command->name);
	return 0;
}

int call_may(struct call *c, enum may may)
{
	if (person_may(&c->person, may)) return 0;
	(void)call_note(c, TRAIL_DENIED, ERR_NO_PERMISSION, NULL, NULL, c->command->name);
	return error_set(&c->error, ERR_NO_PERMISSION, c->command->name, "%s", c->person.login);
}

static int find_person(struct call *c)
{
	struct people p = call_people(c);
	enum may may = c->command->may;
	bool any = false;
	int rc = accounts_any(&p, &any);

	c->person = (struct person){.kind = PERSON_DEVICE};
	if (rc || !any) return rc;
	if (as_service(c))
		rc = person_of_service(c, &p);
	else if (may == MAY_ANYONE)
		return 0;
	else
		rc = person_of_session(c, &p);
	return rc ? rc : call_may(c, may);
}

const char *call_author(struct call *c, const uint8_t author[PERSON_ID])
{
	static const uint8_t nobody[PERSON_ID];
	struct people p = call_people(c);
	struct account *a = NULL;
	struct person service;

	if (!memcmp(author, nobody, PERSON_ID)) return "";
	service_person(&p, &service);
	if (!memcmp(author, service.id, PERSON_ID)) return word_text(c->language, WORD_WHO_SERVICE);
	if (account_of_author(&p, author, &a) || !a) return "";
	return *a->name ? a->name : a->login;
}

/* What is to be noted is noted before it is done: an act that is cut short has been noted too. */
static int note_begin(struct call *c)
{
	int rc = c->command->trail && !c->noted
	                 ? call_note(c, c->command->trail, 0, NULL, NULL, c->command->name)
	                 : 0;

	c->noted = !rc && c->command->trail;
	return rc;
}

static void note_failure(struct call *c, int rc)
{
	struct error why = c->error;

	if (!c->replica || !c->noted || store_in_transaction(c->store)) return;
	(void)call_note(c, TRAIL_FAILED, -rc, NULL, NULL, c->command->name);
	c->error = why;
}

int call_open(struct call *c, unsigned flags)
{
	int rc;

	if (c->place) return 0;
	if (!c->dir || !*c->dir)
		return error_set(&c->error, ERR_MISSING_OPTION, "dir",
		                 "--dir DIR, or JINGUO_DIR in the environment");
	if ((flags & CALL_CREATE) && !place_exists(c->dir)) {
		rc = place_init(c->dir, &c->error);
		if (rc) return rc;
	}
	rc = place_open(c->dir, flags & CALL_LINK ? PLACE_LINK : 0, c->program->judge, &c->place,
	                &c->error);
	if (rc) return rc;
	c->replica = c->place->replica;
	c->store = c->place->store;
	rc = find_person(c);
	return rc ? rc : note_begin(c);
}

void call_close(struct call *c)
{
	crypt_wipe(&c->person, sizeof c->person);
	if (c->place) place_close(c->place);
	c->place = NULL;
	c->replica = NULL;
	c->store = NULL;
}

static const char *arena_buf(struct call *c, struct buf *b)
{
	const char *text = arena_text(&c->arena, buf_span(b));

	buf_done(b);
	return text;
}

const char *call_number(struct call *c, int64_t n)
{
	struct buf b;

	buf_init(&b, 64);
	buf_print(&b, "%" PRId64, n);
	return arena_buf(c, &b);
}

const char *call_time(struct call *c, int64_t ms)
{
	struct buf b;

	if (!ms) return word_text(c->language, WORD_STATUS_NEVER);
	buf_init(&b, 64);
	time_show(ms, &b);
	return arena_buf(c, &b);
}

const char *call_id(struct call *c, const uint8_t id[16])
{
	char text[ID_TEXT];

	id_text(id, text);
	return arena_text(&c->arena, span_of(text, strlen(text)));
}

bool call_ask(struct call *c, enum word question)
{
	int ch, first;

	if (call_option(c, "yes")) return true;
	if (call_option(c, "no-input") || !isatty(STDIN_FILENO) || !c->terminal) return false;
	(void)fputs(word_text(c->language, question), stderr);
	(void)fflush(stderr);
	first = ch = getchar();
	while (ch != '\n' && ch != EOF) ch = getchar();
	return first == 'y' || first == 'Y';
}

/* ---- errors */

static const char *pick(const struct call *c, const char *zh, const char *en)
{
	return c->language == LANGUAGE_ZH ? zh : en;
}

json_t *json_error(struct call *c, const struct error *e, size_t line)
{
	const struct error_info *info = error_info(e->code);
	json_t *j = json_object();

	if (line) json_object_set_new(j, "line", json_integer((json_int_t)line));
	json_object_set_new(j, "code", json_integer(info->code));
	json_object_set_new(j, "name", json_string(info->name));
	json_object_set_new(j, "field", e->field[0] ? json_string(e->field) : json_null());
	json_object_set_new(j, "rule", json_string(info->name));
	json_object_set_new(j, "message", json_string(pick(c, info->zh, info->en)));
	json_object_set_new(j, "detail", json_span(span_of(e->detail, strlen(e->detail))));
	json_object_set_new(j, "fix", json_string(pick(c, info->fix_zh, info->fix_en)));
	return j;
}

static void report_text(struct call *c, const struct error *e, size_t line)
{
	const struct error_info *info = error_info(e->code);
	struct buf b;

	buf_init(&b, LINE_BYTES_MAX);
	if (line) {
		word_fill(&b, c->language, WORD_ERROR_LINE, call_number(c, (int64_t)line),
		          WORD_END);
		buf_text(&b, ": ");
	}
	buf_print(&b, "%s%s JG-%04d%s:%s%s\n", c->color ? "\x1b[31m" : "",
	          word_text(c->language, WORD_ERROR_HEAD), info->code, c->color ? "\x1b[0m" : "",
	          pick(c, "", " "), pick(c, info->zh, info->en));
	if (e->field[0] || e->detail[0])
		buf_print(&b, "%s:%s%s%s%s\n", word_text(c->language, WORD_ERROR_WHY),
		          pick(c, "", " "), e->field, e->field[0] && e->detail[0] ? ": " : "",
		          e->detail);
	buf_print(&b, "%s:%s%s", word_text(c->language, WORD_ERROR_MEND), pick(c, "", " "),
	          pick(c, info->fix_zh, info->fix_en));
	call_say(c, &b);
	buf_done(&b);
}

void call_report(struct call *c, const struct error *e, size_t line)
{
	if (!c->json) {
		report_text(c, e, line);
		return;
	}
	json_t *j = json_object();
	json_object_set_new(j, "error", json_error(c, e, line));
	call_progress_end(c);
	(void)json_dumpf(j, stderr, JSON_COMPACT);
	(void)fputc('\n', stderr);
	json_decref(j);
}

/* ---- JSON */

json_t *json_id(const uint8_t id[16])
{
	char text[ID_TEXT];

	if (id_is_zero(id)) return json_null();
	id_text(id, text);
	return json_string(text);
}

json_t *json_span(struct span s)
{
	json_t *j = s.len ? json_stringn((const char *)s.p, s.len) : json_string("");

	if (!j) {
		char *hex = mem_alloc(2 * s.len + 1);
		hex_text(s.p, s.len, hex);
		j = json_string(hex);
		free(hex);
	}
	return j;
}

json_t *json_time(int64_t ms)
{
	struct buf b;
	json_t *j;

	if (!ms) return json_null();
	buf_init(&b, 64);
	time_show(ms, &b);
	j = json_span(buf_span(&b));
	buf_done(&b);
	return j;
}

static json_t *json_codes(struct span s)
{
	json_t *list = json_array();

	for (size_t at = 0; at < s.len;) {
		const uint8_t *comma = memchr(s.p + at, ',', s.len - at);
		size_t n = comma ? (size_t)(comma - s.p) - at : s.len - at;
		json_array_append_new(list, json_span(span_of(s.p + at, n)));
		at += n + 1;
	}
	return list;
}

json_t *json_value(const struct field *f, struct value v)
{
	struct buf b;
	json_t *j;

	if (v.type == VALUE_NULL) return json_null();
	if (v.type == VALUE_INT && (!f || f->type == FIELD_INT)) return json_integer(v.i);
	if (v.type == VALUE_INT && f && f->type == FIELD_BOOL) return json_boolean(v.i);
	if (v.type == VALUE_TEXT)
		return f && f->type == FIELD_CODES ? json_codes(v.s) : json_span(v.s);
	if (v.type == VALUE_BYTES && f && f->type == FIELD_REF && v.s.len == 16)
		return json_id(v.s.p);
	buf_init(&b, (size_t)LINE_BYTES_MAX * 4);
	if (f) value_show(f, v, &b);
	j = json_span(buf_span(&b));
	buf_done(&b);
	return j;
}

void call_json(struct call *c, json_t *object)
{
	call_progress_end(c);
	(void)json_dumpf(object, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
	(void)fputc('\n', stdout);
	json_decref(object);
}

int call_items(struct call *c, const char *schema, json_t *items, const char *next)
{
	json_t *j = json_object();
	struct status s = {0};
	struct buf name;

	if (c->replica && status_of(c->replica, &s)) s.complete = false;
	buf_init(&name, 128);
	buf_print(&name, "%s@%d", schema, SCHEMA_VERSION);
	json_object_set_new(j, "schema", json_string(buf_cstr(&name)));
	json_object_set_new(j, "as_of", json_time(env_wall_ms()));
	json_object_set_new(j, "complete", json_boolean(s.complete));
	json_object_set_new(j, "items", items);
	json_object_set_new(j, "next", next ? json_string(next) : json_null());
	buf_done(&name);
	call_json(c, j);
	return 0;
}

/* ---- looking things up */

static int nearest_error(struct call *c, int code, const char *field, const char *typed,
                         const char *const *names, size_t count)
{
	int near = words_nearest(typed, names, count);
	struct buf b;

	buf_init(&b, 512);
	if (near >= 0)
		word_fill(&b, c->language, WORD_NEAREST, names[near], WORD_END);
	else
		buf_print(&b, "%.80s?", typed);
	error_set(&c->error, code, field, "%s", buf_cstr(&b));
	buf_done(&b);
	return -code;
}

int call_find_table(struct call *c, const char *name, const struct table **ret)
{
	const char *names[NAMES_MAX];
	size_t n = 0;

	*ret = schema_table_named(&schema_current, name);
	if (*ret) return 0;
	for (size_t i = 0; i < schema_current.tables_count && n < NAMES_MAX; i++)
		names[n++] = schema_current.tables[i]->name;
	return nearest_error(c, ERR_UNKNOWN_TABLE, "TABLE", name, names, n);
}

int call_find_field(struct call *c, const struct table *t, const char *name,
                    const struct field **ret)
{
	const char *names[NAMES_MAX];
	char field[sizeof c->error.field];
	size_t n = 0;

	*ret = table_field_named(t, name);
	if (*ret) return 0;
	for (size_t i = 0; i < t->fields_count && n < NAMES_MAX; i++)
		names[n++] = t->fields[i].name;
	(void)snprintf(field, sizeof field, "%s.%.24s", t->name, name);
	return nearest_error(c, ERR_UNKNOWN_FIELD, field, name, names, n);
}

struct value view_value(const struct table *t, const struct row_view *v, const char *name)
{
	const struct field *f = table_field_named(t, name);

	assert(f);
	return v ? v->values[f - t->fields] : value_null();
}

int call_find_org(struct call *c, const char *text, unsigned level, uint8_t ret_id[16])
{
	const struct table *t = schema_table(&schema_current, TABLE_ORG_UNIT);
	struct row_where where[2] = {{table_field_named(t, "code"), value_text(text)},
	                             {table_field_named(t, "level"), value_int((int64_t)level)}};
	struct row_view *rows = NULL;
	size_t count = 0;
	int rc;

	if (id_parse(text, ret_id)) return 0;
	if (!division_code_valid(span_of(text, strlen(text))))
		return error_set(&c->error, ERR_DIVISION_CODE, "org", "12 digits or an id");
	rc = store_rows_view(c->store, t, where, level ? 2 : 1, 0, false, NULL, 8, &c->arena, &rows,
	                     &count);
	if (rc) return call_failed(c, rc);
	if (!count)
		return error_set(&c->error, ERR_NOT_FOUND, "org", "no org unit with the code %s",
		                 text);
	if (count > 1) {
		struct buf b;
		buf_init(&b, 200);
		for (size_t i = 0; i < count; i++)
			buf_print(&b, "%s%" PRId64, i ? ", " : "",
			          view_value(t, &rows[i], "level").i);
		error_set(&c->error, ERR_USAGE, "level", "%s stands on the levels %s: say --level",
		          text, buf_cstr(&b));
		buf_done(&b);
		return -ERR_USAGE;
	}
	memcpy(ret_id, rows[0].id, 16);
	return 0;
}

int call_find_row(struct call *c, const char *text, const struct table **ret_table,
                  uint8_t ret_id[16])
{
	uint16_t numbers[TABLES_MAX];
	size_t count = 0;
	int rc;

	if (!id_parse(text, ret_id))
		return call_usage(c, "ID", "an id looks like 0191d3f0-5c1e-7a02-8f3a-1b2c3d4e5f60");
	rc = store_row_tables(c->store, ret_id, numbers, &count);
	if (rc) return call_failed(c, rc);
	for (size_t i = 0; i < count; i++) {
		*ret_table = schema_table(&schema_current, numbers[i]);
		if (*ret_table) return 0;
	}
	return error_set(&c->error, ERR_NOT_FOUND, "ID", "no such record here");
}

int call_parse_value(struct call *c, const struct table *t, const struct field *f, const char *text,
                     struct value *ret)
{
	if (f->type == FIELD_REF && f->ref_table == TABLE_ORG_UNIT && *text) {
		uint8_t id[16];
		int rc = call_find_org(c, text, 0, id);
		if (rc) {
			(void)snprintf(c->error.field, sizeof c->error.field, "%s.%s", t->name,
			               f->name);
			return rc;
		}
		*ret = value_bytes(arena_copy(&c->arena, id, 16), 16);
		return 0;
	}
	return value_parse(t, f, text, &c->arena, ret, &c->error);
}

static struct row_view *org_row(struct call *c, const uint8_t id[16])
{
	const struct table *t = schema_table(&schema_current, TABLE_ORG_UNIT);
	struct row_view *v = NULL;

	return store_row_view(c->store, t, id, &c->arena, &v) ? NULL : v;
}

static const char *org_text(struct call *c, const uint8_t id[16], const char *name)
{
	struct value v =
	        view_value(schema_table(&schema_current, TABLE_ORG_UNIT), org_row(c, id), name);

	return v.type == VALUE_TEXT ? arena_text(&c->arena, v.s) : "";
}

const char *call_org_name(struct call *c, const uint8_t id[16])
{
	return org_text(c, id, "name");
}

const char *call_org_code(struct call *c, const uint8_t id[16])
{
	return org_text(c, id, "code");
}

json_t *json_org(struct call *c, const uint8_t id[16])
{
	const struct table *t = schema_table(&schema_current, TABLE_ORG_UNIT);
	struct row_view *v = org_row(c, id);
	json_t *j = json_object();

	json_object_set_new(j, "id", json_id(id));
	json_object_set_new(j, "code", json_value(NULL, view_value(t, v, "code")));
	json_object_set_new(j, "level", json_value(NULL, view_value(t, v, "level")));
	json_object_set_new(j, "name", json_value(NULL, view_value(t, v, "name")));
	return j;
}

/* ---- help */

static void help_examples(const struct call *c, const struct command *k)
{
	for (const char *p = k->examples; p && *p;) {
		size_t n = strcspn(p, "\n");
		printf("  %s %.*s\n", c->program->name, (int)n, p);
		p += n + (p[n] == '\n');
	}
}

static void help_command(const struct call *c)
{
	const struct command *k = c->command;

	printf("%s:\n", word_text(c->language, WORD_HELP_EXAMPLES));
	if (k->examples)
		help_examples(c, k);
	else
		printf("  %s %s --dir jinguo\n", c->program->name, k->name);
	printf("\n%s\n\n%s: %s %s%s%s\n", pick(c, k->zh, k->en),
	       word_text(c->language, WORD_HELP_USAGE), c->program->name, k->name,
	       k->args ? " " : "", k->args ? k->args : "");
	printf("\n%s:\n", word_text(c->language, WORD_HELP_OPTIONS));
	for (const char *p = k->options; p && *p;) {
		size_t n = strcspn(p, " ");
		bool value = p[n - 1] == '=';
		printf("  --%.*s%s\n", (int)(n - value), p, value ? " VALUE" : "");
		p += n + (p[n] == ' ');
	}
	fputs(word_text(c->language, WORD_HELP_COMMON), stdout);
}

static void help_program(const struct call *c)
{
	struct buf b;
	unsigned examples = 0;

	printf("%s:\n", word_text(c->language, WORD_HELP_EXAMPLES));
	for (const struct command *const *t = c->program->tables; *t; t++)
		for (const struct command *k = *t; k->name; k++) {
			if (!k->examples || examples >= 5) continue;
			examples++;
			printf("  %s %.*s\n", c->program->name, (int)strcspn(k->examples, "\n"),
			       k->examples);
		}
	printf("\n%s\n\n%s:\n", pick(c, c->program->zh, c->program->en),
	       word_text(c->language, WORD_HELP_COMMANDS));
	for (const struct command *const *t = c->program->tables; *t; t++)
		for (const struct command *k = *t; k->name; k++)
			printf("  %-12s %s\n", k->name, pick(c, k->zh, k->en));
	printf("\n%s:\n%s\n", word_text(c->language, WORD_HELP_OPTIONS),
	       word_text(c->language, WORD_HELP_COMMON));
	buf_init(&b, 1024);
	word_fill(&b, c->language, WORD_HELP_MORE, c->program->name, WORD_END);
	puts(buf_cstr(&b));
	buf_done(&b);
}

/* ---- dispatch */

/* The command named by the first one or two words; *ret_words: how many. */
static const struct command *find(const struct program *p, const char *first, const char *second,
                                  size_t *ret_words)
{
	for (const struct command *const *t = p->tables; *t; t++)
		for (const struct command *k = *t; k->name; k++) {
			const char *space = strchr(k->name, ' ');
			if (!space && !strcmp(k->name, first)) {
				*ret_words = 1;
				return k;
			}
			if (space && second &&
			    !strncmp(k->name, first, (size_t)(space - k->name)) &&
			    !first[space - k->name] && !strcmp(space + 1, second)) {
				*ret_words = 2;
				return k;
			}
		}
	return NULL;
}

static int unknown_command(struct call *c, const char *first, const char *second)
{
	const char *names[NAMES_MAX];
	char typed[128];
	size_t n = 0, words = 0;

	for (const struct command *const *t = c->program->tables; *t; t++)
		for (const struct command *k = *t; k->name && n < NAMES_MAX; k++)
			names[n++] = k->name;
	(void)snprintf(typed, sizeof typed, "%s%s%s", first, second ? " " : "",
	               second ? second : "");
	/* One word alone first; then both, for "org imprt". */
	if (words_nearest(first, names, n) < 0 && second && words_nearest(typed, names, n) >= 0)
		words = 1;
	return nearest_error(c, ERR_UNKNOWN_COMMAND, "command", words ? typed : first, names, n);
}

/* An option as --name=value or --name value.  The command decides which there are; it may come after them. */
static int take_option(struct call *c, int argc, char **argv, int *i)
{
	const char *name = argv[*i] + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	bool value = false;
	const char *own = c->command ? c->command->options : NULL;

	if (!named(options_common, name, len, &value) && !named(own, name, len, &value)) {
		const char *names[NAMES_MAX];
		char *list = NULL, *save = NULL, *typed = NULL, field[48];
		size_t n = 0;
		struct buf b;
		buf_init(&b, 4096);
		buf_print(&b, "%s %s", options_common, own ? own : "");
		list = mem_copy_text(buf_cstr(&b));
		for (char *w = strtok_r(list, " ", &save); w && n < NAMES_MAX;
		     w = strtok_r(NULL, " ", &save)) {
			w[strcspn(w, "=")] = 0;
			names[n++] = w;
		}
		typed = mem_copy_text(name);
		typed[len] = 0;
		(void)snprintf(field, sizeof field, "--%.40s", typed);
		nearest_error(c, ERR_USAGE, field, typed, names, n);
		free(typed);
		free(list);
		buf_done(&b);
		return -ERR_USAGE;
	}
	if (c->options_count == CALL_OPTIONS_MAX) return call_usage(c, "", "too many options");
	if (value && !equals && *i + 1 >= argc)
		return error_set(&c->error, ERR_MISSING_OPTION, name, "--%s needs a value", name);
	if (!value && equals)
		return error_set(&c->error, ERR_USAGE, name, "--%.*s takes no value", (int)len,
		                 name);
	c->options[c->options_count++] = (struct call_option){
	        arena_text(&c->words, span_of(name, len)),
	        !value   ? ""
	        : equals ? equals + 1
	                 : argv[++*i],
	};
	return 0;
}

static int take_words(struct call *c, int argc, char **argv)
{
	bool ended = false;

	for (int i = 1; i < argc; i++) {
		int rc = 0;
		if (!ended && !strcmp(argv[i], "--"))
			ended = true;
		else if (!ended && !strcmp(argv[i], "-h"))
			c->options[c->options_count++] = (struct call_option){"help", ""};
		else if (!ended && !strncmp(argv[i], "--", 2))
			rc = take_option(c, argc, argv, &i);
		else if (!ended && argv[i][0] == '-' && argv[i][1])
			rc = error_set(&c->error, ERR_USAGE, argv[i],
			               "options begin with two dashes");
		else if (c->args_count == CALL_ARGS_MAX)
			rc = call_usage(c, "", "too many arguments");
		else
			c->args[c->args_count++] = argv[i];
		if (rc) return rc;
		if (c->options_count == CALL_OPTIONS_MAX)
			return call_usage(c, "", "too many options");
	}
	return 0;
}

/* The first words that are no options say which command it is; its options are known only then. */
static int take_command(struct call *c, int argc, char **argv)
{
	const char *words[2] = {NULL, NULL};
	size_t n = 0, used = 0;

	for (int i = 1; i < argc && n < 2; i++) {
		bool value = false;
		if (!strcmp(argv[i], "--")) break;
		if (!strncmp(argv[i], "--", 2)) {
			const char *name = argv[i] + 2;
			if (!strchr(name, '=') &&
			    named(options_common, name, strlen(name), &value) && value)
				i++;
			continue;
		}
		if (argv[i][0] != '-' || n) words[n++] = argv[i];
	}
	if (!words[0]) return 0;
	c->command = find(c->program, words[0], words[1], &used);
	if (!c->command) return unknown_command(c, words[0], words[1]);
	return (int)used;
}

static int check_args(struct call *c)
{
	const struct command *k = c->command;

	if ((int)c->args_count < k->args_min ||
	    (k->args_max >= 0 && (int)c->args_count > k->args_max)) {
		struct buf b;
		buf_init(&b, 512);
		buf_print(&b, "%s: %s %s %s", word_text(c->language, WORD_HELP_USAGE),
		          c->program->name, k->name, k->args ? k->args : "");
		error_set(&c->error, ERR_USAGE, "", "%s", buf_cstr(&b));
		buf_done(&b);
		return -ERR_USAGE;
	}
	return 0;
}

static int dispatch(struct call *c, int argc, char **argv)
{
	int rc, used = take_command(c, argc, argv);

	if (used < 0) return used;
	rc = take_words(c, argc, argv);
	if (rc) return rc;
	assert(c->args_count >= (size_t)used);
	c->args_count -= (size_t)used;
	memmove(c->args, c->args + used, c->args_count * sizeof c->args[0]);
	c->json = call_option(c, "json") != NULL;
	c->dir = call_option(c, "dir") ? call_option(c, "dir") : getenv("JINGUO_DIR");
	if (call_option(c, "version")) {
		printf("%s %s schema %d\n", c->program->name, JINGUO_VERSION, SCHEMA_VERSION);
		return 0;
	}
	if (!c->command) {
		help_program(c);
		return call_option(c, "help") ? 0 : EXIT_USAGE;
	}
	if (call_option(c, "help")) {
		help_command(c);
		return 0;
	}
	rc = check_args(c);
	return rc ? rc : c->command->run(c);
}

int command_main(const struct program *p, int argc, char **argv)
{
	struct call *c = mem_alloc(sizeof *c);
	const char *no_color = getenv("NO_COLOR");
	int rc;

	c->program = p;
	c->language = words_language(getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG"));
	c->terminal = isatty(STDERR_FILENO);
	c->color = c->terminal && !(no_color && *no_color);
	arena_init(&c->arena, 0);
	arena_init(&c->words, 0);
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json"))
			c->json = true; /* also for errors of the words before it */
	rc = crypt_init() ? error_set(&c->error, ERR_INTERNAL, NULL, "libsodium refuses")
	                  : dispatch(c, argc, argv);
	if (rc < 0) note_failure(c, rc);
	call_close(c);
	if (rc < 0) {
		if (c->error.code != -rc) error_set(&c->error, -rc, NULL, NULL);
		call_report(c, &c->error, 0);
		rc = error_info(-rc)->exit_code;
	}
	call_progress_end(c);
	if (fflush(stdout) || ferror(stdout)) rc = rc ? rc : EXIT_STORAGE;
	arena_done(&c->arena);
	arena_done(&c->words);
	free(c);
	return rc;
}
