/*
 * error.h - what can go wrong, once: number, name, words in two languages, exit code, HTTP status.
 *
 * Functions return 0 or -ERR_X; the sentence for a person is made where the facts are known, in a
 * struct error, and carries no personal data (no value of a T2+ field is ever put into it).  Numbers
 * (JG-1101) are for the telephone: 1 people, 2 service, 3 review and money, 4 identity, 5 sync,
 * 6 machine, 7 files, 8 usage; never reused (ux.md section 5).  The list is in error_list.h.
 */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

#include "common/base.h"

enum error_code {
	ERR_NONE = 0,
#define ERROR(NAME, NUMBER, TEXT_NAME, EXIT, HTTP, ZH, EN, FIX_ZH, FIX_EN) ERR_##NAME = (NUMBER),
#include "common/error_list.h"
#undef ERROR
};

/* Exit codes are a contract for scripts (ux.md section 6). */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_UNEXPECTED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 3,
	EXIT_REFUSED = 4,
	EXIT_CONFLICT = 5,
	EXIT_UNREACHABLE = 6,
	EXIT_BUSY = 7,
	EXIT_NO_PERMISSION = 8,
	EXIT_STORAGE = 9,
	EXIT_PARTLY = 10,
	EXIT_VERSION = 11,
	EXIT_NOT_COMPLETE = 12
};

struct error {
	int code;         /* enum error_code; 0: none */
	char field[48];   /* table.field or option concerned; "" if none */
	char detail[240]; /* the facts, English, no personal data; "" if none */
};

struct error_info {
	int code;
	const char *name; /* id_check: the stable word for scripts */
	int exit_code, http;
	const char *zh, *en, *fix_zh, *fix_en;
};

/* Never NULL: an unknown code gives the entry of ERR_INTERNAL. */
const struct error_info *error_info(int code);
size_t error_count(void);
const struct error_info *error_at(size_t i); /* all entries, by number */

/* Sets *err (may be NULL) and returns -code, so that a caller can `return error_set(...)`. */
int error_set(struct error *err, int code, const char *field, const char *format, ...)
        PRINTF_LIKE(4, 5);
/* Puts "prefix: " before the detail of an error that is set; keeps its code.  Returns -err->code. */
int error_prefix(struct error *err, const char *prefix);

#endif
