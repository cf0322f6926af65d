/*
 * cmd_org.c - `org import`: the division file into the table org_unit.
 *
 * A unit is matched by level and code (one code may stand on several levels): unchanged units are not
 * touched, renamed or moved ones edited, new ones inserted, those that the file has no longer reported.
 * A unit is its own scope: so a site gets its ancestors and itself, a county its branch, and nobody a
 * sibling.  The price is a stream for each unit (a second for a province of 18,000).
 */
#include <sys/wait.h> /* before base.h, which poisons names that it declares */
#include <unistd.h>

#include "common/base.h"

#include "hub/commands.h"

#include <fcntl.h>

#include "common/division.h"
#include "common/ident.h"
#include "hub/tree.h"

enum { BATCH = 500, READ_STEP = 64 * 1024, FIELDS = 4 };

/* ---- reading */

static int read_all(int fd, struct buf *out)
{
	uint8_t *step = mem_alloc(READ_STEP);
	ssize_t n;

	while ((n = read(fd, step, READ_STEP)) != 0) {
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) break;
		buf_add(out, step, (size_t)n);
		if (out->full) break;
	}
	free(step);
	return n < 0 ? -1 : 0;
}

/* gzip -dc with the open file as its input: no shell, no name on a command line. */
static int read_gzip(int fd, struct buf *out)
{
	int ends[2], status = 0, rc;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC)) return -1;
	child = fork();
	if (child == 0) {
		char program[] = "gzip", option[] = "-dc";
		char *const argv[] = {program, option, NULL};
		if (dup2(fd, STDIN_FILENO) >= 0 && dup2(ends[1], STDOUT_FILENO) >= 0)
			execvp(program, argv);
		_exit(127);
	}
	(void)close(ends[1]);
	rc = child < 0 ? -1 : read_all(ends[0], out);
	(void)close(ends[0]); /* ends a gzip that has more to say than may be read */
	if (child > 0 && waitpid(child, &status, 0) == child && !out->full && status) rc = -1;
	return rc;
}

static int read_file(struct call *c, const char *path, struct buf *out)
{
	static const uint8_t gzip_magic[2] = {0x1f, 0x8b};
	uint8_t magic[2] = {0};
	int rc, fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;

	if (fd < 0) return error_set(&c->error, ERR_FILE_READ, "FILE", "%s", strerror(errno));
	if (pread(fd, magic, 2, 0) == 2 && !memcmp(magic, gzip_magic, 2))
		rc = read_gzip(fd, out);
	else
		rc = read_all(fd, out);
	if (fd != STDIN_FILENO) (void)close(fd);
	if (out->full)
		return error_set(&c->error, ERR_FILE_FORM, "FILE", "more than %d bytes",
		                 DIVISION_FILE_BYTES_MAX);
	return rc ? error_set(&c->error, ERR_FILE_READ, "FILE",
	                      "the file cannot be read to its end")
	          : 0;
}

/* ---- matching */

struct match {
	char code[13];
	unsigned level;
	int32_t unit;
};

struct import {
	struct call *c;
	struct division_list file;
	struct tree tree;
	struct match *matches; /* by code, level */
	uint8_t (*ids)[16];    /* of the file's items, by index */
	bool *seen;            /* tree's units that are in the file */
	struct write writes[BATCH];
	struct field_write fields[BATCH][FIELDS];
	int32_t items[BATCH]; /* item of the write */
	size_t pending;
	const struct table *table;
	int64_t added, changed, same, missing, bad,
	        left_out; /* a self-parent is bad, but not left out */
	json_t *lines, *gone;
};

static int compare_matches(const void *a, const void *b)
{
	const struct match *x = a, *y = b;
	int c = memcmp(x->code, y->code, sizeof x->code);

	return c ? c : x->level < y->level ? -1 : x->level > y->level;
}

static void index_tree(struct import *m)
{
	m->matches = ARENA_ARRAY(&m->c->words, struct match, m->tree.count + 1);
	for (size_t i = 0; i < m->tree.count; i++) {
		memcpy(m->matches[i].code, m->tree.units[i].code, sizeof m->matches[i].code);
		m->matches[i].level = m->tree.units[i].level;
		m->matches[i].unit = (int32_t)i;
	}
	if (m->tree.count) qsort(m->matches, m->tree.count, sizeof *m->matches, compare_matches);
}

static struct unit *match_find(const struct import *m, const struct division *d)
{
	struct match key = {.level = d->level}, *found;

	memcpy(key.code, d->code, sizeof key.code);
	found = m->tree.count
	                ? bsearch(&key, m->matches, m->tree.count, sizeof key, compare_matches)
	                : NULL;
	return found ? &m->tree.units[found->unit] : NULL;
}

/* ---- writing */

static void progress(struct import *m, size_t done)
{
	struct call *c = m->c;
	struct buf b;

	if (!c->terminal || c->json) return;
	buf_init(&b, 256);
	word_fill(&b, c->language, WORD_IMPORT_GOING, call_number(c, (int64_t)done),
	          call_number(c, (int64_t)m->file.count), WORD_END);
	call_progress(c, &b);
	buf_done(&b);
}

static int flush(struct import *m)
{
	static const uint8_t nobody[8];
	struct call *c = m->c;
	int rc;

	if (!m->pending) return 0;
	rc = call_begin(c);
	if (rc) return rc;
	rc = replica_write(c->replica, m->writes, m->pending, false, nobody);
	if (rc) return call_undo(c, rc);
	rc = call_commit(c);
	for (size_t i = 0; !rc && i < m->pending; i++)
		memcpy(m->ids[m->items[i]], m->writes[i].row, 16);
	m->pending = 0;
	return rc;
}

static struct write *next_write(struct import *m, int32_t item, enum write_kind kind)
{
	struct write *w = &m->writes[m->pending];

	*w = (struct write){.kind = kind, .table = m->table, .fields = m->fields[m->pending]};
	m->items[m->pending++] = item;
	return w;
}

static void set_field(struct import *m, struct write *w, const char *name, struct value v)
{
	struct field_write *fields = m->fields[w - m->writes];

	assert(w->fields_count < FIELDS);
	fields[w->fields_count++] = (struct field_write){table_field_named(m->table, name), v};
}

static const uint8_t *parent_of(const struct import *m, size_t i)
{
	const struct division *d = &m->file.items[i];
	const struct cert *own = replica_cert(m->c->replica);

	if (d->parent >= 0) return m->ids[d->parent];
	/* A file of a part of the tree hangs under this hub's own unit. */
	return own && own->level < d->level ? own->unit : NULL;
}

static void write_new(struct import *m, size_t i)
{
	const struct division *d = &m->file.items[i];
	struct write *w = next_write(m, (int32_t)i, WRITE_INSERT);
	const uint8_t *parent = parent_of(m, i);

	set_field(m, w, "code", value_text(d->code));
	set_field(m, w, "level", value_int(d->level));
	set_field(m, w, "name", (struct value){.type = VALUE_TEXT, .s = d->name});
	if (parent) set_field(m, w, "parent", value_bytes(parent, 16));
	m->added++;
}

static bool write_change(struct import *m, size_t i, const struct unit *u)
{
	const struct division *d = &m->file.items[i];
	const uint8_t *parent = parent_of(m, i);
	bool renamed = !span_equal(d->name, span_of(u->name, strlen(u->name)));
	bool moved = d->parent >= 0 && memcmp(parent, u->parent_id, 16) != 0;
	struct write *w;

	if (!renamed && !moved) return false;
	w = next_write(m, (int32_t)i, WRITE_UPDATE);
	memcpy(w->row, u->id, 16);
	if (renamed) set_field(m, w, "name", (struct value){.type = VALUE_TEXT, .s = d->name});
	if (moved) set_field(m, w, "parent", value_bytes(parent, 16));
	m->changed++;
	return true;
}

/* One item: matched, changed or new.  Pending writes go first where their ids may be needed. */
static void import_item(struct import *m, size_t i)
{
	const struct division *d = &m->file.items[i];
	struct unit *u = match_find(m, d);

	if (!u) {
		write_new(m, i);
		return;
	}
	memcpy(m->ids[i], u->id, 16);
	m->seen[u - m->tree.units] = true;
	if (!write_change(m, i, u)) m->same++;
}

/* Items stand by level, parents before children: at a new level what is pending is written, so that the
 * ids of the parents are known. */
static int import_all(struct import *m)
{
	unsigned level = 0;

	for (size_t i = 0; i < m->file.count; i++) {
		int rc = 0;
		if (m->file.items[i].level != level || m->pending == BATCH) rc = flush(m);
		if (rc) return rc;
		if (i % BATCH == 0) progress(m, i);
		level = m->file.items[i].level;
		import_item(m, i);
	}
	return flush(m);
}

/* ---- reporting */

static enum word problem_word(enum division_problem_kind kind)
{
	switch (kind) {
	case DIVISION_DUPLICATE:
		return WORD_IMPORT_DUPLICATE;
	case DIVISION_ORPHAN:
		return WORD_IMPORT_ORPHAN;
	case DIVISION_SELF_PARENT:
		return WORD_IMPORT_SELF;
	case DIVISION_CODE:
		return WORD_IMPORT_CODE;
	case DIVISION_LINE_LONG:
	case DIVISION_COLUMNS:
	case DIVISION_LEVEL:
	case DIVISION_NAME:
		break;
	}
	return WORD_IMPORT_FORM;
}

static const char *problem_name(enum division_problem_kind kind)
{
	static const char *const names[] = {
	        [DIVISION_LINE_LONG] = "line_long", [DIVISION_COLUMNS] = "columns",
	        [DIVISION_CODE] = "code",           [DIVISION_LEVEL] = "level",
	        [DIVISION_NAME] = "name",           [DIVISION_DUPLICATE] = "duplicate",
	        [DIVISION_ORPHAN] = "orphan",       [DIVISION_SELF_PARENT] = "self_parent",
	};
	return names[kind];
}

static void report_problems(struct import *m)
{
	struct call *c = m->c;

	m->bad = m->left_out = (int64_t)m->file.problems_total;
	for (size_t i = 0; i < m->file.problems_count; i++) {
		const struct division_problem *p = &m->file.problems[i];
		m->left_out -= p->kind == DIVISION_SELF_PARENT;
		if (c->json) {
			json_t *j = json_object();
			json_object_set_new(j, "line", json_integer((json_int_t)p->line));
			json_object_set_new(j, "problem", json_string(problem_name(p->kind)));
			json_object_set_new(j, "message", json_string(p->text));
			json_array_append_new(m->lines, j);
			continue;
		}
		struct buf b;
		buf_init(&b, 1024);
		word_fill(&b, c->language, WORD_IMPORT_LINE, call_number(c, (int64_t)p->line),
		          word_text(c->language, problem_word(p->kind)), p->text, WORD_END);
		call_say(c, &b);
		buf_done(&b);
	}
}

/* Units here that lie below a top unit of the file, and that the file does not have. */
static bool is_gone(const struct import *m, size_t unit)
{
	if (m->seen[unit]) return false;
	/* Only the top level has no parents, and it stands first. */
	for (size_t i = 0; i < m->file.count && m->file.items[i].parent < 0; i++) {
		struct unit *top = match_find(m, &m->file.items[i]);
		if (top && tree_below(&m->tree, (int32_t)unit, (int32_t)(top - m->tree.units)))
			return true;
	}
	return false;
}

static void report_gone(struct import *m)
{
	struct call *c = m->c;

	for (size_t i = 0; i < m->tree.count; i++) {
		const struct unit *u = &m->tree.units[i];
		if (!is_gone(m, i)) continue;
		m->missing++;
		if (c->json) {
			json_array_append_new(m->gone, json_org(c, u->id));
			continue;
		}
		struct buf b;
		buf_init(&b, 1024);
		word_fill(&b, c->language, WORD_IMPORT_MISSING, call_number(c, u->level), u->code,
		          u->name, WORD_END);
		call_say(c, &b);
		buf_done(&b);
	}
}

static void report(struct import *m)
{
	struct call *c = m->c;
	struct buf b;

	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "added", json_integer(m->added));
		json_object_set_new(j, "changed", json_integer(m->changed));
		json_object_set_new(j, "unchanged", json_integer(m->same));
		json_object_set_new(j, "missing", m->gone);
		json_object_set_new(j, "missing_count", json_integer(m->missing));
		json_object_set_new(j, "problems", m->lines);
		json_object_set_new(j, "problems_count", json_integer(m->bad));
		json_object_set_new(j, "left_out", json_integer(m->left_out));
		m->gone = m->lines = NULL;
		call_json(c, j);
		return;
	}
	buf_init(&b, 1024);
	word_fill(&b, c->language, WORD_IMPORT_DONE, call_number(c, m->added),
	          call_number(c, m->changed), call_number(c, m->same), call_number(c, m->missing),
	          call_number(c, m->bad), WORD_END);
	call_say(c, &b);
	buf_done(&b);
}

static int run_import(struct call *c)
{
	struct import *m = mem_alloc(sizeof *m);
	struct buf file;
	int rc = call_open(c, 0);

	m->c = c;
	m->table = schema_table(&schema_current, TABLE_ORG_UNIT);
	m->lines = json_array();
	m->gone = json_array();
	buf_init(&file, DIVISION_FILE_BYTES_MAX);
	rc = rc ? rc : read_file(c, c->args[0], &file);
	rc = rc ? rc : division_parse(buf_span(&file), &c->words, &m->file, &c->error);
	if (!rc && (rc = tree_load(c->store, &c->words, &m->tree))) call_failed(c, rc);
	if (rc) goto out;
	index_tree(m);
	m->ids = arena_take(&c->words, 16 * (m->file.count + 1));
	m->seen = arena_take(&c->words, m->tree.count + 1);
	report_problems(m);
	rc = import_all(m);
	if (rc) goto out;
	report_gone(m);
	report(m);
	rc = m->left_out ? EXIT_PARTLY : 0;
out:
	json_decref(m->lines);
	json_decref(m->gone);
	buf_done(&file);
	free(m);
	return rc;
}

const struct command commands_org[] = {
        {.name = "org import",
         .trail = TRAIL_WRITE,
         .may = MAY_MANAGE,
         .args = "FILE | -",
         .zh = "导入区划文件 (code level name parent_code,可为 .gz)。",
         .en = "Imports a division file (code level name parent_code; may be .gz).",
         .examples = "org import divisions-35-fujian.tsv.gz --dir hub",
         .args_min = 1,
         .args_max = 1,
         .run = run_import},
        {.name = NULL},
};
