/*
 * error.c - the table of errors and the words about one; see error.h.
 */
#include "common/base.h"

#include "common/error.h"

#include <stdarg.h>

static const struct error_info errors[] = {
#define ERROR(NAME, NUMBER, TEXT_NAME, EXIT, HTTP, ZH, EN, FIX_ZH, FIX_EN)                         \
	{NUMBER, TEXT_NAME, EXIT, HTTP, ZH, EN, FIX_ZH, FIX_EN},
#include "common/error_list.h"
#undef ERROR
};

size_t error_count(void)
{
	return ARRAY_COUNT(errors);
}

const struct error_info *error_at(size_t i)
{
	assert(i < ARRAY_COUNT(errors));
	return &errors[i];
}

const struct error_info *error_info(int code)
{
	const struct error_info *internal = NULL;

	/* Some eighty entries, looked at only when something went wrong. */
	for (size_t i = 0; i < ARRAY_COUNT(errors); i++) {
		if (errors[i].code == code) return &errors[i];
		if (errors[i].code == ERR_INTERNAL) internal = &errors[i];
	}
	assert(internal);
	return internal;
}

int error_set(struct error *err, int code, const char *field, const char *format, ...)
{
	va_list args;

	assert(code > 0);
	if (!err) return -code;
	*err = (struct error){.code = code};
	if (field) snprintf(err->field, sizeof(err->field), "%s", field);
	if (format) {
		va_start(args, format);
		vsnprintf(err->detail, sizeof(err->detail), format, args);
		va_end(args);
	}
	return -code;
}

int error_prefix(struct error *err, const char *prefix)
{
	struct error old;
	size_t at, room, len;

	if (!err || err->code == ERR_NONE) return 0;
	old = *err;
	snprintf(err->detail, sizeof(err->detail), "%s%s", prefix, old.detail[0] ? ": " : "");
	at = strlen(err->detail);
	room = sizeof(err->detail) - 1 - at;
	len = strlen(old.detail);
	if (len > room) len = room;
	memcpy(err->detail + at, old.detail, len);
	err->detail[at + len] = 0;
	return -err->code;
}
