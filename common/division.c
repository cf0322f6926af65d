/*
 * division.c - reads the division file; see division.h for the form and for why parents are looked up
 * by (level, code).  Steps: lines to items, items by level, keys sorted by (code, level, line) without
 * doubles, parents from the top level down.  All of it is O(n log n) whatever the file says.
 */
#include "common/base.h"

#include "common/division.h"

enum { COLUMNS = 4, CODE_LEN = 12, LEVEL_TOP = 2, LEVEL_LOW = 6, LEVELS_END };

static const char *const problem_texts[] = {
        [DIVISION_LINE_LONG] = "the line has more than 512 bytes; left out",
        [DIVISION_COLUMNS] = "the line has not four columns; left out",
        [DIVISION_CODE] = "a code is not 12 digits of a province; left out",
        [DIVISION_LEVEL] = "the level is not 2 to 6; left out",
        [DIVISION_NAME] = "the name is empty, too long or not plain UTF-8; left out",
        [DIVISION_DUPLICATE] = "level and code stand on an earlier line; left out",
        [DIVISION_ORPHAN] = "no row of the parent's code on a higher level; left out",
        [DIVISION_SELF_PARENT] = "names itself as parent; hung under the next higher level",
};

/* One usable line; parent_code[0] is 0 on the top level. */
struct raw {
	struct division item;
	char parent_code[13];
	bool used;     /* hung in the tree */
	bool doubled;  /* an earlier line has the same level and code */
	int32_t final; /* index in the result */
};

struct key {
	char code[13];
	uint8_t level;
	uint32_t raw;
};

struct parse {
	struct raw *raws;
	size_t count;
	struct division_problem *problems;
	size_t problems_count, problems_total;
};

static void problem(struct parse *p, uint32_t line, enum division_problem_kind kind)
{
	p->problems_total++;
	if (p->problems_count == DIVISION_PROBLEMS_MAX) return;
	p->problems[p->problems_count++] =
	        (struct division_problem){line, kind, problem_texts[kind]};
}

/* ---- lines */

static bool take_line(struct span *rest, struct span *ret_line)
{
	const uint8_t *end;
	size_t len;

	if (rest->len == 0) return false;
	end = memchr(rest->p, '\n', rest->len);
	len = end != NULL ? (size_t)(end - rest->p) : rest->len;
	*ret_line = span_of(rest->p, len > 0 && rest->p[len - 1] == '\r' ? len - 1 : len);
	*rest = end != NULL ? span_of(end + 1, rest->len - len - 1) : span_of(rest->p + len, 0);
	return true;
}

static size_t split(struct span line, struct span ret_columns[COLUMNS])
{
	size_t count = 0, from = 0;

	for (size_t i = 0; i <= line.len; i++) {
		if (i < line.len && line.p[i] != '\t') continue;
		if (count == COLUMNS) return COLUMNS + 1;
		ret_columns[count++] = span_of(line.p + from, i - from);
		from = i + 1;
	}
	return count;
}

static bool take_code(struct span s, char ret_code[13])
{
	int province;

	if (s.len != CODE_LEN) return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	province = (s.p[0] - '0') * 10 + (s.p[1] - '0');
	if (province < 11 || province > 91) return false;
	memcpy(ret_code, s.p, CODE_LEN);
	ret_code[CODE_LEN] = 0;
	return true;
}

/* Shortest-form UTF-8 without control characters (RFC 3629). */
static bool name_good(struct span s)
{
	if (s.len == 0 || s.len > DIVISION_NAME_BYTES_MAX) return false;
	for (size_t i = 0; i < s.len;) {
		uint8_t c = s.p[i];
		size_t more = c < 0x80                ? 0
		              : c >= 0xc2 && c < 0xe0 ? 1
		              : c >= 0xe0 && c < 0xf0 ? 2
		              : c >= 0xf0 && c < 0xf5 ? 3
		                                      : s.len;
		uint8_t next = i + 1 < s.len ? s.p[i + 1] : 0;

		if (c < 0x20 || c == 0x7f || more > s.len - i - 1) return false;
		if ((c == 0xe0 && next < 0xa0) || (c == 0xed && next > 0x9f) ||
		    (c == 0xf0 && next < 0x90) || (c == 0xf4 && next > 0x8f) ||
		    (c == 0xc2 && next < 0xa0))
			return false;
		for (size_t k = 1; k <= more; k++)
			if (s.p[i + k] >> 6 != 2) return false;
		i += more + 1;
	}
	return true;
}

static void parse_line(struct parse *p, struct span line, uint32_t number)
{
	struct span columns[COLUMNS];
	struct raw *r = &p->raws[p->count];

	if (line.len > DIVISION_LINE_BYTES_MAX) {
		problem(p, number, DIVISION_LINE_LONG);
	} else if (split(line, columns) != COLUMNS) {
		problem(p, number, DIVISION_COLUMNS);
	} else if (!take_code(columns[0], r->item.code) ||
	           (columns[3].len > 0 && !take_code(columns[3], r->parent_code))) {
		problem(p, number, DIVISION_CODE);
	} else if (columns[1].len != 1 || columns[1].p[0] < '0' + LEVEL_TOP ||
	           columns[1].p[0] > '0' + LEVEL_LOW) {
		problem(p, number, DIVISION_LEVEL);
	} else if (!name_good(columns[2])) {
		problem(p, number, DIVISION_NAME);
	} else {
		if (columns[3].len == 0) r->parent_code[0] = 0;
		r->item.level = (uint8_t)(columns[1].p[0] - '0');
		r->item.name = columns[2];
		r->item.line = number;
		p->count++;
		return;
	}
}

/* Lines that may become items: a bound for memory that is known before any is taken. */
static size_t lines_count(struct span rest)
{
	size_t count = 0;
	struct span line;

	while (take_line(&rest, &line)) count += line.len > 0;
	return count;
}

/* ---- parents */

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int c = memcmp(x->code, y->code, CODE_LEN);

	if (c != 0) return c;
	if (x->level != y->level) return x->level < y->level ? -1 : 1;
	return x->raw < y->raw ? -1 : x->raw > y->raw;
}

static int compare_problems(const void *a, const void *b)
{
	const struct division_problem *x = a, *y = b;

	return x->line < y->line ? -1 : x->line > y->line;
}

/* Sorted, one key for each (code, level): the earliest line has it, the others are marked. */
static size_t make_keys(struct parse *p, struct key *keys)
{
	size_t count = 0;

	for (size_t i = 0; i < p->count; i++) {
		memcpy(keys[i].code, p->raws[i].item.code, sizeof keys[i].code);
		keys[i].level = p->raws[i].item.level;
		keys[i].raw = (uint32_t)i;
	}
	qsort(keys, p->count, sizeof *keys, compare_keys);
	for (size_t i = 0; i < p->count; i++) {
		const struct key *last = count > 0 ? &keys[count - 1] : NULL;

		if (last != NULL && last->level == keys[i].level &&
		    memcmp(last->code, keys[i].code, CODE_LEN) == 0)
			p->raws[keys[i].raw].doubled = true;
		else
			keys[count++] = keys[i];
	}
	return count;
}

/* The used row of this code on the nearest level above `level`; -1: none.  At most five steps back. */
static int64_t parent_of(const struct parse *p, const struct key *keys, size_t count,
                         const char *code, uint8_t level)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = memcmp(keys[middle].code, code, CODE_LEN);

		if (c < 0 || (c == 0 && keys[middle].level < level))
			low = middle + 1;
		else
			high = middle;
	}
	while (low-- > 0 && memcmp(keys[low].code, code, CODE_LEN) == 0)
		if (p->raws[keys[low].raw].used) return keys[low].raw;
	return -1;
}

/* Appends what can be hung to the items; parents are done before their children, level by level. */
static size_t hang_level(struct parse *p, const struct key *keys, size_t keys_count, uint8_t level,
                         bool is_top, struct division *items, size_t count)
{
	for (size_t i = 0; i < p->count; i++) {
		struct raw *r = &p->raws[i];
		int64_t parent;

		if (r->item.level != level) continue;
		if (r->doubled) {
			problem(p, r->item.line, DIVISION_DUPLICATE);
			continue;
		}
		parent = r->parent_code[0] != 0
		                 ? parent_of(p, keys, keys_count, r->parent_code, level)
		                 : -1;
		if (parent < 0 && !(is_top && r->parent_code[0] == 0)) {
			problem(p, r->item.line, DIVISION_ORPHAN);
			continue;
		}
		if (memcmp(r->parent_code, r->item.code, CODE_LEN) == 0)
			problem(p, r->item.line, DIVISION_SELF_PARENT);
		r->used = true;
		r->final = (int32_t)count;
		r->item.parent = parent < 0 ? -1 : p->raws[parent].final;
		assert(r->item.parent < (int32_t)count);
		items[count++] = r->item;
	}
	return count;
}

static int check_header(struct span *rest, struct error *err)
{
	static const char header[] = "code\tlevel\tname\tparent_code";
	struct span line;

	if (rest->len > DIVISION_FILE_BYTES_MAX)
		return error_set(err, ERR_FILE_FORM, "", "the division file has more than 64 MiB");
	if (rest->len >= 3 && memcmp(rest->p, "\xef\xbb\xbf", 3) == 0)
		*rest = span_of(rest->p + 3, rest->len - 3);
	if (!take_line(rest, &line) || line.len != sizeof header - 1 ||
	    memcmp(line.p, header, line.len) != 0)
		return error_set(
		        err, ERR_FILE_FORM, "",
		        "line 1 of a division file is: code level name parent_code, tabs between");
	return 0;
}

int division_parse(struct span file, struct arena *a, struct division_list *ret, struct error *err)
{
	struct parse p = {0};
	struct division *items;
	struct key *keys;
	struct span line;
	size_t room, keys_count, count = 0;
	uint32_t number = 1;
	uint8_t top = LEVEL_LOW;
	int rc = check_header(&file, err);

	if (rc != 0) return rc;
	room = lines_count(file);
	if (room > DIVISION_ITEMS_MAX)
		return error_set(err, ERR_FILE_FORM, "", "the division file has more than %d lines",
		                 DIVISION_ITEMS_MAX);
	p.raws = ARENA_ARRAY(a, struct raw, room + 1);
	keys = ARENA_ARRAY(a, struct key, room + 1);
	items = ARENA_ARRAY(a, struct division, room + 1);
	p.problems = ARENA_ARRAY(a, struct division_problem, DIVISION_PROBLEMS_MAX);
	if (p.raws == NULL || keys == NULL || items == NULL || p.problems == NULL)
		return error_set(err, ERR_FILE_FORM, "",
		                 "the division file is larger than this place allows");
	while (take_line(&file, &line)) {
		number++;
		if (line.len > 0) parse_line(&p, line, number);
	}
	for (size_t i = 0; i < p.count; i++)
		if (p.raws[i].item.level < top) top = p.raws[i].item.level;
	keys_count = make_keys(&p, keys);
	for (uint8_t level = LEVEL_TOP; level < LEVELS_END; level++)
		count = hang_level(&p, keys, keys_count, level, level == top, items, count);
	if (count == 0)
		return error_set(err, ERR_FILE_FORM, "",
		                 "no line of the division file can be used");
	qsort(p.problems, p.problems_count, sizeof *p.problems, compare_problems);
	*ret = (struct division_list){.items = items,
	                              .count = count,
	                              .problems = p.problems,
	                              .problems_count = p.problems_count,
	                              .problems_total = p.problems_total};
	return 0;
}
