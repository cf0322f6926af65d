/*
 * validate.h - a person's words to values and back, and the checks that people need.
 * Each refusal names field, rule and mend by its code; no value of a T2+ field is put into the error.
 */
#ifndef COMMON_VALIDATE_H
#define COMMON_VALIDATE_H

#include "common/calendar.h"
#include "common/schema.h"

/* Text as typed -> value (borrowed from text or from the arena).  "" is null. */
int value_parse(const struct table *t, const struct field *f, const char *text, struct arena *a,
                struct value *ret, struct error *err);
/* Value -> text as typed (appended). */
void value_show(const struct field *f, struct value v, struct buf *out);
/* One field's own rules: type, range, code list and its tier, length, UTF-8, rule by name; free text
 * in open fields refuses valid citizen numbers and mobile numbers. */
int value_check(const struct table *t, const struct field *f, struct value v, struct error *err);
/* A new row as its author states it: required fields, rules across fields of one row (under 14 without
 * guardian, out after in, minutes within the stay, open code in a closed field ...).  values[i]
 * belongs to t->fields[i]; now_ms for "not in the future". */
int row_check(const struct table *t, const struct value *values, int64_t now_ms, struct error *err);

bool citizen_id_valid(struct span id); /* GB 11643-1999: 18 characters, check digit, a real date */
/* Does a text hold a valid one, its digits in groups or full width too? */
bool text_holds_citizen_id(struct span text);
bool citizen_id_birth(struct span id, int64_t *ret_days); /* date of birth of a valid number */
bool division_code_valid(struct span code);               /* 12 digits, province 11..91 */
bool uscc_valid(struct span code);                        /* GB 32100-2015 */
bool mobile_valid(struct span phone);                     /* 11 digits, 1[3-9] */

#endif
