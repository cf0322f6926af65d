/*
 * division.h - the division file: the tree of provinces, cities, counties, townships and communities
 * that a hub is set up from (deploy/data/README.md says where the shipped ones come from).
 *
 * Plain bytes, tab-separated, one line each (at most 512 bytes), the first line being
 *
 *	code level name parent_code
 *
 * code: 12 digits; level: 2..6 (enum level); parent_code: 12 digits, empty on the top level.  CRLF, a byte
 * order mark and empty lines are accepted.
 *
 * Real files are unclean: a code may stand on several levels at once (a city without county level, an
 * extract that pads a gap), and a row may name itself as its parent.  So a row is (level, code), and its
 * parent is the row of that code on the nearest level above its own.  A parent is therefore always higher
 * than its child: no file can make a loop.  What cannot be hung is reported and left out; the rest is used.
 */
#ifndef COMMON_DIVISION_H
#define COMMON_DIVISION_H

#include "common/buf.h"
#include "common/error.h"

enum {
	DIVISION_LINE_BYTES_MAX = 512,
	DIVISION_NAME_BYTES_MAX = 120,
	DIVISION_FILE_BYTES_MAX = 64 * 1024 * 1024,
	DIVISION_ITEMS_MAX = 1000000, /* China has about 665,000 */
	DIVISION_PROBLEMS_MAX = 1000, /* listed; more are counted */
	/* Arena bytes per byte of the file, and what it takes besides: a line has two bytes at least. */
	DIVISION_MEMORY_FACTOR = 80,
	DIVISION_MEMORY_MORE = 32 * 1024
};

enum division_problem_kind {
	DIVISION_LINE_LONG,  /* more than 512 bytes: left out */
	DIVISION_COLUMNS,    /* not four columns: left out */
	DIVISION_CODE,       /* code or parent code is not 12 digits of a province: left out */
	DIVISION_LEVEL,      /* not 2..6: left out */
	DIVISION_NAME,       /* empty, too long, not UTF-8, or with control characters: left out */
	DIVISION_DUPLICATE,  /* level and code stand on an earlier line: left out */
	DIVISION_ORPHAN,     /* no usable row of the parent's code above: left out */
	DIVISION_SELF_PARENT /* names itself: hung under the next higher level with that code */
};

struct division {
	char code[13];
	uint8_t level;    /* enum level */
	int32_t parent;   /* index into items, always smaller than the own one; -1: top */
	uint32_t line;    /* from 1 */
	struct span name; /* borrowed from the file */
};

struct division_problem {
	uint32_t line;
	enum division_problem_kind kind;
	const char *text; /* English, constant; repeats nothing from the file */
};

struct division_list {
	struct division *items; /* by level, then by line */
	size_t count;
	struct division_problem *problems; /* by line; at most DIVISION_PROBLEMS_MAX */
	size_t problems_count;             /* listed */
	size_t problems_total;             /* found */
};

/* Items and problems lie in the arena, names in the file.  -ERR_FILE_FORM if the header is another one,
 * the file is too large, or no line of it can be used; *ret is then unchanged. */
NODISCARD int division_parse(struct span file, struct arena *a, struct division_list *ret,
                             struct error *err);

#endif
