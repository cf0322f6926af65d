/*
 * cmd_case.c - case seal, case open, case rewrap: restricted cases, whose contents nobody reads but officers.  A command of the
 * node's program alone; at a county it is run on the hub's directory by the officer who is logged in there.
 *
 * What is to be sealed comes by stdin and is closed before anything is written: no table, journal, log or command line has
 * it in clear.  A reading is noted before it is done.
 */
#include "common/base.h"

#include "node/command.h"

#include <unistd.h>

#include "common/ident.h"
#include "node/dossier.h"
#include "node/keys.h"
#include "node/serve.h"
#include "node/unseal.h"
#include "proto/officer.h"
#include "proto/person.h"

enum {
	INPUT_MAX = 64 * 1024,
	PAGE = 1000,
	SHOW_MAX = 1 << 20,
	ROLES_CASES = ROLE_LIAISON | ROLE_RIGHTS
};

/* Memory that held something sealed: all its room at once, so that growing leaves no copy behind. */
static void closed_init(struct buf *b, size_t bytes_max)
{
	buf_init(b, bytes_max);
	(void)buf_take(b, bytes_max);
	buf_reset(b);
}

static void closed_done(struct buf *b)
{
	if (b->p) crypt_wipe(b->p, b->room);
	buf_done(b);
}

static const struct table *records_table(void)
{
	return schema_table(&schema_current, TABLE_CASE_RECORD);
}

static const struct table *keys_table(void)
{
	return schema_table(&schema_current, TABLE_CASE_KEY);
}

/* A person with a key of her own, in a role that hears of cases. */
static int need_officer(struct call *c)
{
	if (c->person.kind != PERSON_ACCOUNT)
		return error_set(&c->error, ERR_UNSIGNED, "", "by a person who is logged in");
	if (c->person.roles & ROLES_CASES) return 0;
	(void)call_note(c, TRAIL_DENIED, ERR_NO_PERMISSION, NULL, NULL, c->command->name);
	return error_set(&c->error, ERR_NO_PERMISSION, c->command->name, "%s", c->person.login);
}

static void person_keys(const struct call *c, struct officer_keys *ret)
{
	uint8_t seed[32];

	memcpy(seed, c->person.sign_secret,
	       sizeof seed); /* Ed25519: the secret begins with its seed */
	officer_keys(seed, ret);
	crypt_wipe(seed, sizeof seed);
}

static void draw(void *ctx, void *ret, size_t len)
{
	const struct env *env = ctx;

	env->random(env->ctx, ret, len);
}

static struct envelope_chance chance_of(struct call *c)
{
	return (struct envelope_chance){draw, &c->place->env};
}

static int open_case(struct call *c, struct row_view **ret)
{
	const struct table *t = NULL;
	uint8_t id[16];
	int rc = call_find_row(c, c->args[0], &t, id);

	if (!rc && t->number != TABLE_RESTRICTED_CASE)
		rc = error_set(&c->error, ERR_NOT_FOUND, "CASE", "this is no restricted case");
	if (rc) return rc;
	rc = store_row_view(c->store, t, id, &c->arena, ret);
	if (rc) return call_failed(c, rc);
	return *ret ? 0 : error_set(&c->error, ERR_NOT_FOUND, "CASE", "no such record here");
}

/* ---- seal */

static int add_field(struct call *c, struct dossier *d, const char *name, const char *text)
{
	const struct table *t = &table_case_content;
	const struct field *f = table_field_named(t, name);
	struct value v;
	size_t at = d->count;
	int rc;

	if (!f) return error_set(&c->error, ERR_UNKNOWN_FIELD, t->name, "%.40s", name);
	rc = value_parse(t, f, text, &c->arena, &v, &c->error);
	if (rc || v.type == VALUE_NULL) return rc;
	if (d->count == DOSSIER_FIELDS_MAX) return call_usage(c, f->name, "too many fields");
	while (at > 0 && d->fields[at - 1]->number > f->number) at--;
	if (at > 0 && d->fields[at - 1] == f) return call_usage(c, f->name, "it stands twice");
	for (size_t i = d->count; i > at; i--) {
		d->fields[i] = d->fields[i - 1];
		d->values[i] = d->values[i - 1];
	}
	d->fields[at] = f;
	d->values[at] = v;
	d->count++;
	return 0;
}

/* FIELD=VALUE, a line each; \n in a value is a line end. */
static int parse_lines(struct call *c, char *text, struct dossier *d)
{
	int rc = 0;

	for (char *line = text, *next; line && *line && !rc; line = next) {
		char *equals, *to;

		next = strchr(line, '\n');
		if (next) *next++ = 0;
		if (!*line) continue;
		equals = strchr(line, '=');
		if (!equals) return call_usage(c, "-", "FIELD=VALUE, a line each");
		*equals = 0;
		to = equals + 1;
		for (const char *from = to; (*to = *from) != 0; from++, to++) {
			if (from[0] != '\\' || (from[1] != 'n' && from[1] != '\\')) continue;
			*to = from[1] == 'n' ? '\n' : '\\';
			from++;
		}
		rc = add_field(c, d, line, equals + 1);
	}
	return rc;
}

static int read_input(struct call *c, struct buf *ret)
{
	uint8_t *p = buf_take(ret, INPUT_MAX - 1);
	size_t len = 0;
	ssize_t n = 1;

	if (!p) return error_set(&c->error, ERR_INTERNAL, "-", "no room");
	while (n > 0 && len < INPUT_MAX - 1) {
		n = read(STDIN_FILENO, p + len, INPUT_MAX - 1 - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	if (n < 0) return error_set(&c->error, ERR_FILE_READ, "-", "%s", strerror(errno));
	if (n > 0)
		return error_set(&c->error, ERR_TOO_LONG, "-", "at most %d bytes", INPUT_MAX - 2);
	if (memchr(p, 0, len)) return error_set(&c->error, ERR_NOT_UTF8, "-", "a zero byte");
	ret->len = len;
	p[len] = 0;
	return 0;
}

static int check_content(struct call *c, const struct dossier *d)
{
	struct value whole[DOSSIER_FIELDS_MAX] = {{0}};
	const struct env *env = &c->place->env;

	for (size_t i = 0; i < d->count; i++)
		whole[d->fields[i] - table_case_content.fields] = d->values[i];
	return row_check(&table_case_content, whole, env->now_ms(env->ctx), &c->error);
}

/* Writes one sealed row in the scope of what it speaks of; signed by the person. */
static int write_sealed(struct call *c, const struct table *t, const struct envelope_place *at,
                        uint32_t scope, const struct buf *envelope)
{
	struct field_write f[] = {
	        {table_field_named(t, "of"), value_bytes(at->of, 16)},
	        {table_field_named(t, "sealed"), value_bytes(envelope->p, envelope->len)},
	};
	struct write w = {.kind = WRITE_INSERT,
	                  .table = t,
	                  .has_id = true,
	                  .fields = f,
	                  .fields_count = ARRAY_COUNT(f)};
	struct scope s;
	int rc = store_scope_get(c->store, scope, &s);

	if (rc) return rc;
	memcpy(w.row, at->row, 16);
	memcpy(w.scope, s.id, 16);
	replica_sign_as(c->replica, c->person.sign_secret);
	rc = replica_write(c->replica, &w, 1, false, c->person.id);
	replica_sign_as(c->replica, NULL);
	return rc;
}

static struct envelope_place place_of(struct call *c, const struct table *t, const uint8_t of[16])
{
	struct envelope_place at = {.table = t->number,
	                            .field = table_field_named(t, "sealed")->number};
	uint8_t chance[16];
	struct span parts[] = {{of, 16}, {chance, 16}};

	assert(of);
	draw(&c->place->env, chance, sizeof chance);
	memcpy(at.of, of, 16);
	id_derive("sealed", parts, 2, at.row);
	return at;
}

static int seal(struct call *c, const struct row_view *of, struct dossier *d, uint8_t ret[16])
{
	const struct table *t = records_table();
	struct envelope_place at = place_of(c, t, of->id);
	struct envelope_chance chance = chance_of(c);
	struct buf content, envelope;
	uint8_t(*to)[LINK_KEY] = NULL;
	size_t count = 0;
	int rc;

	closed_init(&content, ENVELOPE_CONTENT_MAX);
	buf_init(&envelope, ENVELOPE_BYTES_MAX);
	memcpy(d->key, c->person.sign_public, 32);
	rc = dossier_pack(d, &at, c->person.sign_secret, &content, &c->error);
	if (rc) goto out;
	rc = call_begin(c);
	if (rc) goto out;
	rc = replica_recipients(c->replica, of->scope, &c->arena, &to, &count);
	rc = rc ? rc
	        : envelope_close(&at, c->person.id, (const uint8_t(*)[LINK_KEY])to, count,
	                         buf_span(&content), &chance, &envelope, &c->error);
	rc = rc ? rc : write_sealed(c, t, &at, of->scope, &envelope);
	rc = rc ? call_undo(c, rc) : call_commit(c);
	memcpy(ret, at.row, 16);
out:
	closed_done(&content);
	buf_done(&envelope);
	return rc;
}

static int run_seal(struct call *c)
{
	struct dossier d = {.count = 0};
	struct row_view *of = NULL;
	struct buf input, b;
	uint8_t row[16];
	int rc;

	closed_init(&input, INPUT_MAX);
	rc = call_open(c, 0);
	rc = rc ? rc : need_officer(c);
	rc = rc ? rc : open_case(c, &of);
	rc = rc ? rc : read_input(c, &input);
	rc = rc ? rc : parse_lines(c, (char *)input.p, &d);
	rc = rc ? rc : check_content(c, &d);
	rc = rc ? rc : seal(c, of, &d, row);
	closed_done(&input);
	if (rc) return rc;
	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "id", json_id(row));
		call_json(c, j);
		return 0;
	}
	if (c->terminal) call_say_text(c, word_text(c->language, WORD_CASE_SEALED));
	buf_init(&b, 64);
	buf_print(&b, "%s\n", call_id(c, row));
	call_print(c, &b);
	buf_done(&b);
	return 0;
}

/* ---- opening */

struct reader_key {
	struct officer_keys keys;
	bool recovery;
};

/* All of them, however many somebody may have added: an officer's own must not lie behind a limit. */
static int rows_of(struct call *c, const struct table *t, const uint8_t of[16],
                   struct row_view **ret, size_t *ret_count)
{
	struct row_where where = {table_field_named(t, "of"), value_bytes(of, 16)};
	struct row_view *all = NULL, *page;
	const uint8_t *after = NULL;
	size_t count = 0, n = PAGE;
	int rc = 0;

	while (n == PAGE) {
		rc = store_rows_view(c->store, t, &where, 1, /* scope= */ 0, /* all= */ true, after,
		                     PAGE, &c->arena, &page, &n);
		if (rc) break;
		struct row_view *more = ARENA_ARRAY(&c->arena, struct row_view, count + n + 1);

		if (all) memcpy(more, all, count * sizeof *all);
		if (n) memcpy(more + count, page, n * sizeof *page);
		all = more;
		count += n;
		if (n) after = page[n - 1].id;
	}
	*ret = all;
	*ret_count = count;
	return rc ? call_failed(c, rc) : 0;
}

static bool envelope_of(const struct table *t, const struct row_view *v, struct envelope *ret)
{
	struct value sealed = view_value(t, v, "sealed");

	return sealed.type == VALUE_BYTES && envelope_parse(sealed.s, ret);
}

/* The key of a record's content: from its own envelope, or from one of the keys that were added later. */
static int key_of(struct call *c, const struct reader_key *k, const struct row_view *record,
                  const struct envelope *e, uint8_t ret[SEAL_KEY], bool *ret_found)
{
	struct row_view *more = NULL;
	size_t n = 0;
	int rc = rows_of(c, keys_table(), record->id, &more, &n);

	*ret_found = !rc && unseal_key(e, k->keys.link_public, k->keys.link_secret, ret);
	for (size_t i = 0; i < n && !rc && !*ret_found; i++) {
		struct envelope added;

		*ret_found = envelope_of(keys_table(), &more[i], &added) &&
		             !memcmp(added.commit, e->commit, sizeof e->commit) &&
		             unseal_key(&added, k->keys.link_public, k->keys.link_secret, ret);
	}
	return rc;
}

static struct envelope_place place_read(const struct row_view *v)
{
	const struct table *t = records_table();
	struct envelope_place at = {.table = t->number,
	                            .field = table_field_named(t, "sealed")->number};
	struct value of = view_value(t, v, "of");

	memcpy(at.row, v->id, 16);
	if (of.type == VALUE_BYTES && of.s.len == 16) memcpy(at.of, of.s.p, 16);
	return at;
}

/* Whose word it is: certified as an officer here, or a name without that. */
static int author_of(struct call *c, const uint8_t key[32], json_t *j)
{
	struct officer_row *all = NULL;
	uint8_t person[8];
	char hex[17];
	size_t n = 0;
	bool certified = false;
	int rc = replica_officers(c->replica, &c->arena, &all, &n);

	for (size_t i = 0; i < n; i++)
		certified |= !memcmp(all[i].o.sign_key, key, 32) && all[i].cause != ERR_CERT_BAD;
	person_of(key, person);
	hex_text(person, 8, hex);
	json_object_set_new(j, "by", json_string(hex));
	json_object_set_new(j, "by_name", json_string(call_author(c, person)));
	json_object_set_new(j, "certified", json_boolean(certified));
	return rc ? call_failed(c, rc) : 0;
}

static int record_json(struct call *c, const struct row_view *v, const struct dossier *d,
                       json_t *items)
{
	json_t *j = json_object(), *said = json_object();
	int rc;

	json_object_set_new(j, "id", json_id(v->id));
	json_object_set_new(j, "opened", json_true());
	json_object_set_new(j, "signed", json_boolean(d->signed_well));
	rc = author_of(c, d->key, j);
	for (size_t i = 0; i < d->count; i++)
		if (d->fields[i])
			json_object_set_new(said, d->fields[i]->name,
			                    json_value(d->fields[i], d->values[i]));
	json_object_set_new(j, "content", said);
	json_array_append_new(items, j);
	return rc;
}

static void closed_json(const struct row_view *v, int code, json_t *items)
{
	json_t *j = json_object();

	json_object_set_new(j, "id", json_id(v->id));
	json_object_set_new(j, "opened", json_false());
	json_object_set_new(j, "code", json_integer(code));
	json_array_append_new(items, j);
}

/* *ret_opened counts what could be opened. */
static int open_record(struct call *c, const struct reader_key *k, const struct row_view *v,
                       json_t *items, size_t *ret_opened)
{
	struct envelope_place at = place_read(v);
	uint8_t key[SEAL_KEY];
	struct envelope e;
	struct dossier d;
	struct buf content;
	bool found = false, good;
	int rc;

	if (!envelope_of(records_table(), v, &e)) {
		closed_json(v, ERR_ENVELOPE, items);
		return 0;
	}
	rc = key_of(c, k, v, &e, key, &found);
	if (rc) return rc;
	if (!found) {
		closed_json(v, ERR_NOT_FOR_YOU, items);
		return 0;
	}
	/* Noted before it is done, so that a reading that is cut short was noted too. */
	rc = call_note(c, TRAIL_READ, 0, records_table(), v->id, c->command->name);
	closed_init(&content, ENVELOPE_CONTENT_MAX + 1);
	good = !rc && unseal_content(&e, &at, key, &content) &&
	       dossier_parse(buf_span(&content), &at, &d);
	crypt_wipe(key, sizeof key);
	if (!rc && good) rc = record_json(c, v, &d, items);
	if (!rc && !good) closed_json(v, ERR_ENVELOPE, items);
	*ret_opened += good;
	closed_done(&content);
	return rc;
}

static void show(struct call *c, const json_t *items)
{
	const char *name;
	json_t *j, *v;
	struct buf b;
	size_t i;

	buf_init(&b, SHOW_MAX);
	json_array_foreach(items, i, j)
	{
		buf_print(&b, "%s\t%s", json_string_value(json_object_get(j, "id")),
		          json_is_true(json_object_get(j, "opened"))
		                  ? json_string_value(json_object_get(j, "by_name"))
		                  : word_text(c->language, WORD_CASE_CLOSED));
		if (json_is_true(json_object_get(j, "opened")) &&
		    (!json_is_true(json_object_get(j, "signed")) ||
		     !json_is_true(json_object_get(j, "certified"))))
			buf_print(&b, "\t%s", word_text(c->language, WORD_CASE_UNSIGNED));
		buf_text(&b, "\n");
		json_object_foreach(json_object_get(j, "content"), name, v)
		{
			const struct field *f = table_field_named(&table_case_content, name);
			char *text = json_dumps(v, JSON_ENCODE_ANY);

			buf_print(&b, "  %s: %s\n", c->language == LANGUAGE_ZH ? f->zh : f->en,
			          json_is_string(v) ? json_string_value(v) : text);
			free(text);
		}
	}
	call_print(c, &b);
	closed_done(&b);
}

/* ---- breaking the glass */

/* The reason is said in the open, for every level, before anything is read. */
static int say_broken(struct call *c, const char *reason, size_t records)
{
	const struct table *t = schema_table(&schema_current, TABLE_BROKEN_GLASS);
	struct field_write f[] = {
	        {table_field_named(t, "by"), value_bytes(c->person.id, PERSON_ID)},
	        {table_field_named(t, "reason"), value_text(reason)},
	        {table_field_named(t, "records"), value_int((int64_t)records)},
	};
	struct write w = {
	        .kind = WRITE_INSERT, .table = t, .fields = f, .fields_count = ARRAY_COUNT(f)};
	int rc = call_begin(c);

	if (rc) return rc;
	replica_sign_as(c->replica, c->person.sign_secret);
	rc = replica_write(c->replica, &w, 1, false, c->person.id);
	replica_sign_as(c->replica, NULL);
	rc = rc ? call_undo(c, rc) : call_commit(c);
	return rc ? rc : call_note(c, TRAIL_WRITE, 0, t, w.row, "case open --recovery");
}

static int reader_of(struct call *c, size_t records, struct reader_key *ret)
{
	const char *file = call_option(c, "recovery"), *reason = call_option(c, "reason");
	uint8_t seed[32];
	int rc;

	*ret = (struct reader_key){.recovery = file != NULL};
	if (!file) {
		person_keys(c, &ret->keys);
		return 0;
	}
	rc = keys_seed_read(file, seed, &c->error);
	rc = rc ? rc : say_broken(c, reason, records);
	if (!rc) officer_keys(seed, &ret->keys);
	crypt_wipe(seed, sizeof seed);
	return rc;
}

static int may_read(struct call *c)
{
	if (!call_option(c, "recovery")) return need_officer(c);
	if (!call_option(c, "reason") || !*call_option(c, "reason"))
		return error_set(&c->error, ERR_MISSING_OPTION, "reason",
		                 "--reason TEXT: every level above will read it");
	if (c->person.kind != PERSON_ACCOUNT)
		return error_set(&c->error, ERR_UNSIGNED, "", "by a person who is logged in");
	return 0;
}

static int run_open(struct call *c)
{
	struct row_view *of = NULL, *rows = NULL;
	struct reader_key k = {.recovery = false};
	json_t *items = json_array();
	size_t n = 0, opened = 0;
	int rc = call_open(c, 0);

	rc = rc ? rc : may_read(c);
	rc = rc ? rc : open_case(c, &of);
	rc = rc ? rc : rows_of(c, records_table(), of->id, &rows, &n);
	if (!rc && !n) rc = error_set(&c->error, ERR_NOT_FOUND, "CASE", "nothing is sealed in it");
	rc = rc ? rc : reader_of(c, n, &k);
	for (size_t i = 0; i < n && !rc; i++) rc = open_record(c, &k, &rows[i], items, &opened);
	crypt_wipe(&k, sizeof k);
	if (!rc && !opened) {
		(void)call_note(c, TRAIL_DENIED, ERR_NOT_FOR_YOU, records_table(), of->id,
		                c->command->name);
		rc = error_set(&c->error, ERR_NOT_FOR_YOU, "CASE", "%s", c->person.login);
	}
	if (rc) {
		json_decref(items);
		return rc;
	}
	if (c->json) return call_items(c, "case_content", items, NULL);
	show(c, items);
	json_decref(items);
	return 0;
}

/* ---- to an officer who came later */

/* Of those who may be sealed to now, whom the record does not reach yet. */
static int missing(struct call *c, const struct row_view *record, const struct envelope *e,
                   uint8_t (**ret)[LINK_KEY], size_t *ret_count)
{
	struct row_view *more = NULL;
	uint8_t(*to)[LINK_KEY] = NULL;
	size_t n = 0, count = 0, kept = 0;
	int rc = replica_recipients(c->replica, record->scope, &c->arena, &to, &count);

	if (rc) return call_failed(c, rc);
	rc = rows_of(c, keys_table(), record->id, &more, &n);
	for (size_t i = 0; i < count && !rc; i++) {
		bool there = envelope_wrap(e, to[i]) != NULL;

		for (size_t m = 0; m < n && !there; m++) {
			struct envelope added;

			/* What somebody made up for another key does not count as done. */
			there = envelope_of(keys_table(), &more[m], &added) &&
			        !memcmp(added.commit, e->commit, sizeof e->commit) &&
			        envelope_wrap(&added, to[i]) != NULL;
		}
		if (!there) memmove(to[kept++], to[i], LINK_KEY);
	}
	*ret = to;
	*ret_count = kept;
	return rc;
}

static int rewrap(struct call *c, const struct reader_key *k, const struct row_view *v,
                  size_t *ret_done, size_t *ret_closed)
{
	struct envelope_place at = place_of(c, keys_table(), v->id);
	struct envelope_chance chance = chance_of(c);
	uint8_t(*to)[LINK_KEY] = NULL, key[SEAL_KEY];
	struct buf envelope;
	struct envelope e;
	size_t count = 0;
	bool found = false;
	int rc;

	if (!envelope_of(records_table(), v, &e)) return 0;
	rc = missing(c, v, &e, &to, &count);
	if (rc || !count) return rc;
	rc = key_of(c, k, v, &e, key, &found);
	*ret_closed += !found;
	if (rc || !found) return rc;
	buf_init(&envelope, ENVELOPE_BYTES_MAX);
	rc = call_note(c, TRAIL_WRITE, 0, records_table(), v->id, c->command->name);
	rc = rc ? rc
	        : envelope_close_key(c->person.id, (const uint8_t(*)[LINK_KEY])to, count, key,
	                             &chance, &envelope, &c->error);
	crypt_wipe(key, sizeof key);
	rc = rc ? rc : call_begin(c);
	if (!rc) {
		rc = write_sealed(c, keys_table(), &at, v->scope, &envelope);
		rc = rc ? call_undo(c, rc) : call_commit(c);
	}
	*ret_done += !rc;
	buf_done(&envelope);
	return rc;
}

static int run_rewrap(struct call *c)
{
	struct row_view *of = NULL, *rows = NULL;
	struct reader_key k = {.recovery = false};
	size_t n = 0, done = 0, closed = 0;
	struct buf b;
	int rc = call_open(c, 0);

	rc = rc ? rc : need_officer(c);
	rc = rc ? rc : open_case(c, &of);
	rc = rc ? rc : rows_of(c, records_table(), of->id, &rows, &n);
	if (!rc) person_keys(c, &k.keys);
	for (size_t i = 0; i < n && !rc; i++) rc = rewrap(c, &k, &rows[i], &done, &closed);
	crypt_wipe(&k, sizeof k);
	if (!rc && closed && !done)
		rc = error_set(&c->error, ERR_NOT_FOR_YOU, "CASE", "%s", c->person.login);
	if (rc) return rc;
	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "rewrapped", json_integer((json_int_t)done));
		json_object_set_new(j, "closed", json_integer((json_int_t)closed));
		call_json(c, j);
		return 0;
	}
	buf_init(&b, 256);
	word_fill(&b, c->language, WORD_CASE_REWRAPPED, call_number(c, (int64_t)done),
	          call_number(c, (int64_t)closed), WORD_END);
	call_say(c, &b);
	buf_done(&b);
	return 0;
}

const struct command commands_case[] = {
        {.name = "case seal",
         .args = "CASE",
         .may = MAY_WRITE,
         .zh = "把一份个案记录密封到权益专员和离线恢复公钥:内容从标准输入读入,每行一项“字段=值”。",
         .en = "Seals a record of a restricted case to the officers and the offline recovery key: "
               "FIELD=VALUE lines on stdin.",
         .examples = "case seal 0191d3f0-5c1e-7a02-8f3a-1b2c3d4e5f60 --dir jinguo <case.txt",
         .args_min = 1,
         .args_max = 1,
         .run = run_seal},
        {.name = "case open",
         .args = "CASE",
         .may = MAY_READ,
         .zh = "用自己的密钥打开个案的密封记录,每次记入日志;--recovery "
               "文件 --reason 理由:用离线恢复密钥破封,理由各级可见。",
         .en = "Opens the sealed records of a case with one's own key, and notes it; --recovery "
               "FILE "
               "--reason TEXT breaks the glass, and every level reads why.",
         .options = "recovery= reason=",
         .examples = "case open 0191d3f0-5c1e-7a02-8f3a-1b2c3d4e5f60 --dir hub\n"
                     "case open 0191d3f0-5c1e-7a02-8f3a-1b2c3d4e5f60 --recovery safe.key --reason "
                     "专员离职,当事人有危险 --dir hub",
         .args_min = 1,
         .args_max = 1,
         .run = run_open},
        {.name = "case rewrap",
         .args = "CASE",
         .may = MAY_WRITE,
         .zh = "把能打开的密封记录转封给后来的专员:另记一条密钥,原密封件不动。",
         .en = "Gives the keys of sealed records that one can open to officers who came later: a "
               "record of its own, the envelopes untouched.",
         .examples = "case rewrap 0191d3f0-5c1e-7a02-8f3a-1b2c3d4e5f60 --dir hub",
         .args_min = 1,
         .args_max = 1,
         .run = run_rewrap},
        {.name = NULL},
};
