/*
 * validate.c - words to values and back, and the checks that people need.
 *
 * Two kinds of check, kept apart: one field by itself (value_check, also run by value_parse, so that
 * a form can speak while it is filled in) and one whole row as its author states it (row_check).
 * Rules that need other rows or other people (overlap, caps, second person) are not here but where
 * the rows are.  A refusal names the field and the rule and repeats nothing that was typed: the
 * sentence may be logged, the value may not.
 */
#include "common/base.h"

#include "common/validate.h"

#include "common/envelope.h"
#include "common/ident.h"

enum {
	LEN_MAX_DEFAULT = 255,
	MINUTES_OF_DAY = 1440,
	GUARDIAN_YEARS = 14,         /* 个人信息保护法 art.31: under 14 */
	CLOCK_TOLERANCE_MS = 600000, /* domain rule 7: at most 10 minutes ahead */
};

/* ---- refusals */

static int refuse(struct error *err, int code, const struct table *t, const struct field *f,
                  const char *rule)
{
	char name[sizeof err->field];

	(void)snprintf(name, sizeof name, "%s.%s", t->name, f->name);
	return error_set(err, code, name, "%s", rule);
}

/* ---- characters */

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool all_digits(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_digit(s.p[i])) return false;
	return s.len > 0;
}

/* Length of the UTF-8 character at p (RFC 3629: shortest form, no surrogates, to U+10FFFF); 0: none. */
static size_t utf8_char(const uint8_t *p, size_t len, uint32_t *ret_c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = p[0] < 0x80       ? 1
	           : p[0] >> 5 == 6  ? 2
	           : p[0] >> 4 == 14 ? 3
	           : p[0] >> 3 == 30 ? 4
	                             : 0;
	uint32_t c;

	if (n == 0 || n > len) return 0;
	c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2) return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least[n] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff) return 0;
	*ret_c = c;
	return n;
}

/* 0, -ERR_NOT_UTF8, or -ERR_FIELD_FORM for control characters other than tab and newline. */
static int text_form(struct span s)
{
	for (size_t i = 0, n; i < s.len; i += n) {
		uint32_t c;

		n = utf8_char(s.p + i, s.len - i, &c);
		if (n == 0) return -ERR_NOT_UTF8;
		if ((c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7f && c < 0xa0))
			return -ERR_FIELD_FORM;
	}
	return 0;
}

/* ---- numbers of persons, places, organisations */

bool citizen_id_valid(struct span id)
{
	int64_t days;

	return citizen_id_birth(id, &days);
}

/* Weights and check characters: GB 11643-1999 (ISO 7064 mod 11-2). */
bool citizen_id_birth(struct span id, int64_t *ret_days)
{
	static const int weights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
	int sum = 0, year, month, day;

	if (id.len != 18 || !all_digits(span_of(id.p, 17))) return false;
	for (size_t i = 0; i < ARRAY_COUNT(weights); i++) sum += weights[i] * (id.p[i] - '0');
	if (id.p[17] != (uint8_t) "10X98765432"[sum % 11]) return false;
	year = (id.p[6] - '0') * 1000 + (id.p[7] - '0') * 100 + (id.p[8] - '0') * 10 +
	       (id.p[9] - '0');
	month = (id.p[10] - '0') * 10 + (id.p[11] - '0');
	day = (id.p[12] - '0') * 10 + (id.p[13] - '0');
	if (!date_real(year, month, day)) return false;
	*ret_days = date_days(year, month, day);
	return true;
}

bool division_code_valid(struct span code)
{
	int province;

	if (code.len != 12 || !all_digits(code)) return false;
	province = (code.p[0] - '0') * 10 + (code.p[1] - '0');
	return province >= 11 && province <= 91;
}

/* 18 characters of 31, weights 3^i mod 31 (GB 32100-2015). */
bool uscc_valid(struct span code)
{
	static const char digits[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
	unsigned sum = 0, weight = 1, last = 0;

	if (code.len != 18) return false;
	for (size_t i = 0; i < 18; i++) {
		const char *at = code.p[i] != 0 ? strchr(digits, code.p[i]) : NULL;

		if (at == NULL) return false;
		last = (unsigned)(at - digits);
		if (i < 17) sum += last * weight;
		weight = weight * 3 % 31;
	}
	return last == (31 - sum % 31) % 31;
}

bool mobile_valid(struct span phone)
{
	return phone.len == 11 && all_digits(phone) && phone.p[0] == '1' && phone.p[1] >= '3';
}

/* A telephone as people write it: digits with + - ( ) and blanks between; 3 (short numbers) to 20 digits.
 * Eleven digits that start with 1 are a mobile number and must look like one. */
static bool phone_form(struct span s)
{
	uint8_t digits[20];
	size_t count = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (is_digit(s.p[i])) {
			if (count == sizeof digits) return false;
			digits[count++] = s.p[i];
		} else if (s.p[i] == 0 || strchr("+-() ", s.p[i]) == NULL) {
			return false;
		}
	}
	if (count == 11 && digits[0] == '1') return mobile_valid(span_of(digits, count));
	return count >= 3;
}

/* ---- private text in open fields */

/* The digit, X or separator at s.p[*at], full-width forms included; moves *at.  '?': anything else. */
static char plain_char(struct span s, size_t *at)
{
	uint32_t c = 0;
	size_t n = utf8_char(s.p + *at, s.len - *at, &c);

	*at += n > 0 ? n : 1;
	if (n == 0) return '?';
	if (c >= 0xff01 && c <= 0xff5e) c -= 0xfee0;
	if (c == 0x3000 || c == 0xa0) c = ' ';
	if (c == 'x') c = 'X';
	if (c == 0x2010 || c == 0x2011 || c == 0x2012 || c == 0x2013 || c == 0x2014) c = '-';
	if ((c >= '0' && c <= '9') || c == 'X' || c == ' ' || c == '-' || c == '.') return (char)c;
	return '?';
}

static bool is_gap(char c)
{
	return c == ' ' || c == '-' || c == '.';
}

/* Does a citizen number or mobile number start here?  Digits may stand in groups with one separator
 * between them ("138 0013 8000"); a number must end where its digits end. */
static bool private_at(struct span s, size_t at, bool mobiles)
{
	uint8_t digits[18];
	size_t count = 0;

	while (count < sizeof digits && at < s.len) {
		size_t next = at;
		char c = plain_char(s, &next);

		if (is_gap(c) && next < s.len && count > 0) c = plain_char(s, &next);
		if (!is_digit((uint8_t)c) && !(c == 'X' && count == 17)) break;
		digits[count++] = (uint8_t)c;
		at = next;
		/* A mobile number ends at 11, or 13 with the country code; then no digit may touch it. */
		if (mobiles && (count == 11 || count == 13)) {
			size_t skip = count - 11;
			size_t peek = at;
			bool ends = at >= s.len || !is_digit((uint8_t)plain_char(s, &peek));

			if (ends && (skip == 0 || memcmp(digits, "86", 2) == 0) &&
			    mobile_valid(span_of(digits + skip, 11)))
				return true;
		}
	}
	if (count != sizeof digits || !citizen_id_valid(span_of(digits, count))) return false;
	return at >= s.len || !is_digit((uint8_t)plain_char(s, &at));
}

static bool holds_private_text(struct span s, bool mobiles)
{
	bool after_digit = false;

	for (size_t at = 0; at < s.len;) {
		size_t here = at;
		bool digit = is_digit((uint8_t)plain_char(s, &at));

		if (digit && !after_digit && private_at(s, here, mobiles)) return true;
		after_digit = digit;
	}
	return false;
}

bool text_holds_citizen_id(struct span s)
{
	return s.len >= 18 && holds_private_text(s, /* mobiles= */ false);
}

/* ---- one field */

static uint8_t lane_code_tier_max(const struct field *f)
{
	return field_lane(f) == LANE_OPEN ? 1 : field_lane(f) == LANE_COUNTY ? 3 : 4;
}

static int check_code(const struct table *t, const struct field *f, struct span code,
                      struct error *err)
{
	const struct code *c = code_find(f->codes, code);

	if (c == NULL)
		return refuse(err, ERR_CODE_UNKNOWN, t, f,
		              "the code is not in the list of this field");
	if (c->tier > lane_code_tier_max(f))
		return refuse(err, ERR_CODE_TIER, t, f,
		              "codes of this tier do not stand in this field");
	return 0;
}

static int check_codes(const struct table *t, const struct field *f, struct span s,
                       struct error *err)
{
	const struct code *before = NULL;
	int64_t count = 0;

	for (size_t from = 0; from <= s.len;) {
		const uint8_t *comma = from < s.len ? memchr(s.p + from, ',', s.len - from) : NULL;
		size_t to = comma != NULL ? (size_t)(comma - s.p) : s.len;
		struct span code = s.len > 0 ? span_of(s.p + from, to - from) : s;
		int rc = check_code(t, f, code, err);
		const struct code *c;

		if (rc != 0) return rc;
		c = code_find(f->codes, code);
		if (before != NULL && c <= before)
			return refuse(err, ERR_FIELD_FORM, t, f,
			              "codes stand once each, in the order of the list");
		before = c;
		count++;
		from = to + 1;
	}
	if (f->min < f->max && count > f->max)
		return refuse(err, ERR_RANGE, t, f, "too many codes");
	return 0;
}

static int check_rule(const struct table *t, const struct field *f, struct span s,
                      struct error *err)
{
	if (strcmp(f->rule, "division_code") == 0 && !division_code_valid(s))
		return refuse(err, ERR_DIVISION_CODE, t, f, "a division code has 12 digits");
	if (strcmp(f->rule, "phone") == 0 && !phone_form(s))
		return refuse(err, ERR_FIELD_FORM, t, f, "not a telephone number");
	if (strcmp(f->rule, "uscc") == 0 && !uscc_valid(s))
		return refuse(err, ERR_FIELD_FORM, t, f,
		              "the credit code's check character does not fit");
	/* Other documents have other forms: row_check knows which document it is. */
	if (strcmp(f->rule, "citizen_id") == 0 && s.len == 18 && all_digits(span_of(s.p, 17)) &&
	    !citizen_id_valid(s))
		return refuse(err, ERR_ID_CHECK, t, f,
		              "date or check character of the number do not fit");
	return 0;
}

static int check_text(const struct table *t, const struct field *f, struct span s, bool ruled,
                      struct error *err)
{
	size_t len_max = f->len_max != 0 ? f->len_max : LEN_MAX_DEFAULT;
	int rc;

	if (s.len > len_max) return refuse(err, ERR_TOO_LONG, t, f, "longer than the field");
	rc = text_form(s);
	if (rc != 0) return refuse(err, -rc, t, f, "not plain UTF-8 text");
	if (f->type == FIELD_CODE) return check_code(t, f, s, err);
	if (f->type == FIELD_CODES) return check_codes(t, f, s, err);
	if (f->rule != NULL && ruled) {
		rc = check_rule(t, f, s, err);
		if (rc != 0) return rc;
	}
	if (field_lane(f) == LANE_OPEN && holds_private_text(s, /* mobiles= */ true))
		return refuse(err, ERR_PRIVATE_TEXT, t, f,
		              "identity and mobile numbers do not stand in open fields");
	return 0;
}

static int check_int(const struct table *t, const struct field *f, int64_t i, struct error *err)
{
	if (f->rule != NULL && strcmp(f->rule, "day_minutes") == 0 && i > MINUTES_OF_DAY)
		return refuse(err, ERR_OVER_DAY, t, f, "more than 24 hours in a day");
	if (f->type == FIELD_BOOL && i != 0 && i != 1)
		return refuse(err, ERR_FIELD_FORM, t, f, "not yes or no");
	if (f->type == FIELD_MONTH && (i < 100 || i % 100 < 1 || i % 100 > 12))
		return refuse(err, ERR_DATE_FORM, t, f, "not a month");
	if (f->min < f->max && (i < f->min || i > f->max))
		return refuse(err, ERR_RANGE, t, f, "outside the range of the field");
	return 0;
}

/* The form is all that can be held against it by who has no key. */
static int check_envelope(const struct table *t, const struct field *f, struct span s,
                          struct error *err)
{
	bool keys = strcmp(f->rule, "envelope_keys") == 0;
	struct envelope e;

	if (!envelope_parse(s, &e)) return refuse(err, ERR_ENVELOPE, t, f, "not an envelope");
	if ((e.kind == ENVELOPE_KEYS) != keys)
		return refuse(err, ERR_ENVELOPE, t, f, "an envelope of another kind");
	return 0;
}

static int check_bytes(const struct table *t, const struct field *f, struct span s,
                       struct error *err)
{
	size_t len_max = f->len_max != 0 ? f->len_max : LEN_MAX_DEFAULT;

	if (f->type == FIELD_REF && s.len != ID_BYTES)
		return refuse(err, ERR_FIELD_FORM, t, f, "an id has 16 bytes");
	if (f->rule != NULL) return check_envelope(t, f, s, err);
	if (s.len > len_max) return refuse(err, ERR_TOO_LONG, t, f, "longer than the field");
	return 0;
}

static enum value_type field_value_type(const struct field *f)
{
	switch (f->type) {
	case FIELD_TEXT:
	case FIELD_CODE:
	case FIELD_CODES:
		return VALUE_TEXT;
	case FIELD_REF:
	case FIELD_BYTES:
		return VALUE_BYTES;
	case FIELD_INT:
	case FIELD_BOOL:
	case FIELD_DATE:
	case FIELD_TIME:
	case FIELD_MONTH:
		break;
	}
	return VALUE_INT;
}

/* ruled: whether the field's named rule applies (row_check may know that it does not). */
static int check_value(const struct table *t, const struct field *f, struct value v, bool ruled,
                       struct error *err)
{
	if (v.type == VALUE_NULL) return 0;
	if (v.type != field_value_type(f))
		return refuse(err, ERR_FIELD_FORM, t, f, "a value of another type");
	if (v.type == VALUE_TEXT) return check_text(t, f, v.s, ruled, err);
	if (v.type == VALUE_BYTES) return check_bytes(t, f, v.s, err);
	return check_int(t, f, v.i, err);
}

int value_check(const struct table *t, const struct field *f, struct value v, struct error *err)
{
	return check_value(t, f, v, /* ruled= */ true, err);
}

/* ---- words to values */

/* Without blanks (the ideographic space too) at both ends. */
static struct span trimmed(const char *text)
{
	struct span s = span_of(text, strlen(text));

	for (;;) {
		size_t head = s.len == 0                                          ? 0
		              : s.p[0] != 0 && strchr(" \t\r\n", s.p[0]) != NULL  ? 1
		              : s.len >= 3 && memcmp(s.p, "\xe3\x80\x80", 3) == 0 ? 3
		                                                                  : 0;
		size_t tail = 0;

		s = span_of(s.p + head, s.len - head);
		if (s.len > 0 && strchr(" \t\r\n", s.p[s.len - 1]) != NULL)
			tail = 1;
		else if (s.len >= 3 && memcmp(s.p + s.len - 3, "\xe3\x80\x80", 3) == 0)
			tail = 3;
		s.len -= tail;
		if (head == 0 && tail == 0) return s;
	}
}

static bool parse_int(struct span s, int64_t *ret)
{
	bool minus = s.len > 0 && s.p[0] == '-';
	int64_t v = 0;
	size_t i = minus ? 1 : 0;

	if (i >= s.len) return false;
	for (; i < s.len; i++) {
		if (!is_digit(s.p[i]) || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_sub_overflow(v, s.p[i] - '0', &v))
			return false;
	}
	/* Built negative, because INT64_MIN has no positive twin. */
	if (!minus && __builtin_sub_overflow((int64_t)0, v, &v)) return false;
	*ret = v;
	return true;
}

static bool parse_bool(const char *text, int64_t *ret)
{
	static const char *const yes[] = {"1", "true", "yes", "y", "是", "有"};
	static const char *const no[] = {"0", "false", "no", "n", "否", "无"};

	for (size_t i = 0; i < ARRAY_COUNT(yes); i++) {
		bool is_yes = strcmp(text, yes[i]) == 0;

		if (!is_yes && strcmp(text, no[i]) != 0) continue;
		*ret = is_yes;
		return true;
	}
	return false;
}

static bool span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

/* A code, or its label in either language: people paste what their tables say. */
static const struct code *code_typed(const struct code_list *l, struct span s)
{
	const struct code *c = s.len > 0 ? code_find(l, s) : NULL;

	for (size_t i = 0; c == NULL && s.len > 0 && i < l->count; i++)
		if (span_is(s, l->codes[i].zh) || span_is(s, l->codes[i].en)) c = &l->codes[i];
	return c;
}

/* Length of the separator at s.p[at]: comma, full-width comma, ideographic comma, semicolon, blank; 0: none. */
static size_t separator_at(struct span s, size_t at)
{
	static const char *const wide[] = {"，", "、", "；"};

	if (s.p[at] != 0 && strchr(",; ", s.p[at]) != NULL) return 1;
	for (size_t i = 0; i < ARRAY_COUNT(wide); i++)
		if (s.len - at >= 3 && memcmp(s.p + at, wide[i], 3) == 0) return 3;
	return 0;
}

static int parse_codes(const struct table *t, const struct field *f, struct span s, struct arena *a,
                       struct value *ret, struct error *err)
{
	uint64_t chosen = 0;
	size_t bytes = 0, len = 0;
	char *text;

	assert(f->codes->count <= 64);
	for (size_t from = 0, at = 0; at <= s.len;) {
		size_t gap = at < s.len ? separator_at(s, at) : 1;
		const struct code *c;

		if (gap == 0) {
			at++;
			continue;
		}
		if (at > from) {
			c = code_typed(f->codes, span_of(s.p + from, at - from));
			if (c == NULL)
				return refuse(err, ERR_CODE_UNKNOWN, t, f,
				              "a code is not in the list of this field");
			chosen |= UINT64_C(1) << (c - f->codes->codes);
		}
		at += gap;
		from = at;
	}
	for (size_t i = 0; i < f->codes->count; i++)
		if ((chosen >> i & 1) != 0) bytes += strlen(f->codes->codes[i].code) + 1;
	if (bytes == 0) {
		*ret = value_null();
		return 0;
	}
	text = arena_take(a, bytes);
	if (text == NULL) return refuse(err, ERR_TOO_LONG, t, f, "no room left for this input");
	for (size_t i = 0; i < f->codes->count; i++) {
		size_t n = strlen(f->codes->codes[i].code);

		if ((chosen >> i & 1) == 0) continue;
		if (len > 0) text[len++] = ',';
		memcpy(text + len, f->codes->codes[i].code, n);
		len += n;
	}
	assert(len < bytes);
	*ret = value_text(text);
	return 0;
}

static int parse_bytes(const struct table *t, const struct field *f, const char *text,
                       struct arena *a, struct value *ret, struct error *err)
{
	size_t len = strlen(text);
	size_t bytes = f->type == FIELD_REF ? ID_BYTES : len / 2;
	uint8_t *p;

	if (len > (size_t)2 * VALUE_BYTES_MAX)
		return refuse(err, ERR_TOO_LONG, t, f, "longer than the field");
	p = arena_take(a, bytes + 1);
	if (p == NULL) return refuse(err, ERR_TOO_LONG, t, f, "no room left for this input");
	if (f->type == FIELD_REF && len == ID_TEXT - 1) {
		if (!id_parse(text, p)) return refuse(err, ERR_FIELD_FORM, t, f, "not an id");
	} else if (len != bytes * 2 || !hex_parse(text, p, bytes)) {
		return refuse(err, ERR_FIELD_FORM, t, f, "not hexadecimal");
	}
	*ret = value_bytes(p, bytes);
	return 0;
}

/* Numbers, yes/no, days, times: `text` is trimmed and ends with 0. */
static int parse_scalar(const struct table *t, const struct field *f, const char *text,
                        struct value *ret, struct error *err)
{
	int64_t i = 0;
	bool good = false, dated = false;

	switch (f->type) {
	case FIELD_INT:
		good = parse_int(span_of(text, strlen(text)), &i);
		break;
	case FIELD_BOOL:
		good = parse_bool(text, &i);
		break;
	case FIELD_DATE:
		good = date_parse(text, &i);
		dated = true;
		break;
	case FIELD_TIME:
		good = time_parse(text, &i);
		dated = true;
		break;
	case FIELD_MONTH:
		good = month_parse(text, &i);
		dated = true;
		break;
	case FIELD_TEXT:
	case FIELD_CODE:
	case FIELD_CODES:
	case FIELD_REF:
	case FIELD_BYTES:
		break;
	}
	if (!good && dated)
		return refuse(err, ERR_DATE_FORM, t, f,
		              "not a date or time of this form, or no real one");
	if (!good) return refuse(err, ERR_FIELD_FORM, t, f, "not a number, or not yes or no");
	*ret = value_int(i);
	return 0;
}

static int parse_text(const struct table *t, const struct field *f, struct span s, struct arena *a,
                      struct value *ret, struct error *err)
{
	uint8_t *copy;

	*ret = (struct value){.type = VALUE_TEXT, .s = s};
	/* The check character of an identity number is a capital X. */
	if (f->rule != NULL && strcmp(f->rule, "citizen_id") == 0 && s.len == 18 &&
	    s.p[17] == 'x') {
		copy = arena_copy(a, s.p, s.len);
		if (copy == NULL)
			return refuse(err, ERR_TOO_LONG, t, f, "no room left for this input");
		copy[17] = 'X';
		ret->s.p = copy;
	}
	return 0;
}

int value_parse(const struct table *t, const struct field *f, const char *text, struct arena *a,
                struct value *ret, struct error *err)
{
	struct span s = trimmed(text != NULL ? text : "");
	struct value v = value_null();
	const struct code *c;
	char *typed;
	int rc = 0;

	if (s.len == 0) {
		*ret = v;
		return 0;
	}
	if (s.len > 2 * (size_t)VALUE_BYTES_MAX)
		return refuse(err, ERR_TOO_LONG, t, f, "longer than the field");
	if (f->type == FIELD_TEXT) {
		rc = parse_text(t, f, s, a, &v, err);
	} else if (f->type == FIELD_CODE) {
		c = code_typed(f->codes, s);
		if (c == NULL)
			return refuse(err, ERR_CODE_UNKNOWN, t, f,
			              "the code is not in the list of this field");
		v = value_text(c->code);
	} else if (f->type == FIELD_CODES) {
		rc = parse_codes(t, f, s, a, &v, err);
	} else {
		typed = arena_text(a, s);
		if (typed == NULL)
			return refuse(err, ERR_TOO_LONG, t, f, "no room left for this input");
		rc = field_value_type(f) == VALUE_BYTES ? parse_bytes(t, f, typed, a, &v, err)
		                                        : parse_scalar(t, f, typed, &v, err);
	}
	if (rc == 0) rc = value_check(t, f, v, err);
	if (rc == 0) *ret = v;
	return rc;
}

static void show_bytes(const struct field *f, struct span s, struct buf *out)
{
	char id[ID_TEXT];

	if (f->type == FIELD_REF && s.len == ID_BYTES) {
		id_text(s.p, id);
		buf_text(out, id);
		return;
	}
	for (size_t i = 0; i < s.len; i++) buf_print(out, "%02x", s.p[i]);
}

void value_show(const struct field *f, struct value v, struct buf *out)
{
	if (v.type == VALUE_NULL) return;
	if (v.type == VALUE_TEXT) {
		buf_add(out, v.s.p, v.s.len);
	} else if (v.type == VALUE_BYTES) {
		show_bytes(f, v.s, out);
	} else if (f->type == FIELD_DATE) {
		date_show(v.i, out);
	} else if (f->type == FIELD_TIME) {
		time_show(v.i, out);
	} else if (f->type == FIELD_MONTH && v.i >= 0) {
		buf_print(out, "%04" PRId64 "-%02" PRId64, v.i / 100, v.i % 100);
	} else {
		buf_print(out, "%" PRId64, v.i);
	}
}

/* ---- one row */

struct stated {
	const struct table *t;
	const struct value *values;
	int64_t now_ms;
	struct error *err;
};

static struct value stated_value(const struct stated *r, const char *name)
{
	const struct field *f = table_field_named(r->t, name);

	return f == NULL ? value_null() : r->values[f - r->t->fields];
}

static bool stated_int(const struct stated *r, const char *name, int64_t *ret)
{
	struct value v = stated_value(r, name);

	if (v.type != VALUE_INT) return false;
	*ret = v.i;
	return true;
}

static bool is_stated(const struct stated *r, const char *name)
{
	struct value v = stated_value(r, name);

	return v.type == VALUE_INT || (v.type != VALUE_NULL && v.s.len > 0);
}

static bool stated_is(const struct stated *r, const char *name, const char *text)
{
	struct value v = stated_value(r, name);

	return v.type == VALUE_TEXT && span_is(v.s, text);
}

static int refuse_named(const struct stated *r, int code, const char *name, const char *rule)
{
	const struct field *f = table_field_named(r->t, name);

	assert(f != NULL);
	return refuse(r->err, code, r->t, f, rule);
}

static int64_t today(const struct stated *r)
{
	return date_of_ms(r->now_ms);
}

/* The first day on which a person born then is 14 (29 February: 1 March). */
static int64_t guardian_until(int64_t birth)
{
	int year, month, day;

	date_civil(birth, &year, &month, &day);
	return date_days(year + GUARDIAN_YEARS, month, day);
}

static int order_check(const struct stated *r, const char *first, const char *second,
                       bool may_equal)
{
	int64_t a, b;

	if (!stated_int(r, first, &a) || !stated_int(r, second, &b)) return 0;
	if (b > a || (may_equal && b == a)) return 0;
	return refuse_named(r, ERR_RANGE, second, "the end lies before the beginning");
}

static int day_not_future(const struct stated *r, const char *name)
{
	int64_t day;

	if (!stated_int(r, name, &day) || day <= today(r)) return 0;
	return refuse_named(r, ERR_FUTURE, name, "the day lies in the future");
}

static bool id_is_citizen(const struct stated *r)
{
	return stated_is(r, "id_type", "01");
}

static int check_volunteer(const struct stated *r)
{
	struct value id = stated_value(r, "id_no");
	int64_t birth = 0, birth_of_id;
	bool born = stated_int(r, "birth", &birth);
	int rc;

	if (id.type == VALUE_TEXT && id_is_citizen(r)) {
		bool male;

		if (!citizen_id_birth(id.s, &birth_of_id))
			return refuse_named(r, ERR_ID_CHECK, "id_no",
			                    "date or check character of the number do not fit");
		if (born && birth != birth_of_id)
			return refuse_named(r, ERR_ID_CHECK, "birth",
			                    "differs from the date in the number");
		male = (id.s.p[16] - '0') % 2 == 1;
		if (stated_is(r, "sex", male ? "2" : "1"))
			return refuse_named(r, ERR_ID_CHECK, "sex",
			                    "differs from the sex in the number");
		birth = birth_of_id;
		born = true;
	}
	if (born && birth > today(r))
		return refuse_named(r, ERR_FUTURE, is_stated(r, "birth") ? "birth" : "id_no",
		                    "the day lies in the future");
	if (born && guardian_until(birth) > today(r)) {
		if (!is_stated(r, "guardian"))
			return refuse_named(r, ERR_GUARDIAN, "guardian",
			                    "under 14 a guardian consents");
		if (!is_stated(r, "guardian_consent"))
			return refuse_named(r, ERR_GUARDIAN, "guardian_consent",
			                    "under 14 a guardian consents");
	}
	rc = day_not_future(r, "guardian_consent");
	if (rc == 0) rc = day_not_future(r, "oath");
	if (rc == 0) rc = day_not_future(r, "registered");
	if (rc == 0 && born) rc = order_check(r, "birth", "registered", /* may_equal= */ true);
	return rc;
}

static bool code_is_closed(const struct stated *r, const char *name)
{
	const struct field *f = table_field_named(r->t, name);
	struct value v = stated_value(r, name);
	const struct code *c = f != NULL && v.type == VALUE_TEXT ? code_find(f->codes, v.s) : NULL;

	return c != NULL && c->tier > 1;
}

/*
 * A kind of service is open or closed, and so are the facts that figures count: an activity of a closed
 * kind stands in the county lane only.  Anything said in the open lane would make an open row of it, and who
 * counts open rows against open totals would learn how many closed ones there are.
 */
static int check_activity(const struct stated *r)
{
	static const char *const closed_names[] = {"closed_start", "closed_end",
	                                           "closed_households", "closed_title"};
	int rc = order_check(r, "start", "end", /* may_equal= */ false);

	if (rc == 0) rc = order_check(r, "closed_start", "closed_end", /* may_equal= */ false);
	if (rc != 0) return rc;
	if (!is_stated(r, "act_closed")) {
		if (!is_stated(r, "act"))
			return refuse_named(r, ERR_REQUIRED, "act", "a kind of service is needed");
		for (size_t i = 0; i < ARRAY_COUNT(closed_names); i++)
			if (is_stated(r, closed_names[i]))
				return refuse_named(r, ERR_CODE_TIER, closed_names[i],
				                    "only for activities of a closed kind");
		return 0;
	}
	if (!code_is_closed(r, "act_closed"))
		return refuse_named(r, ERR_CODE_TIER, "act_closed",
		                    "an open kind stands in the open field");
	for (size_t i = 0; i < r->t->fields_count; i++) {
		const struct field *f = &r->t->fields[i];
		if (field_lane(f) == LANE_OPEN && is_stated(r, f->name))
			return refuse_named(
			        r, ERR_CODE_TIER, f->name,
			        "an activity of a closed kind says nothing in open fields");
	}
	if (!is_stated(r, "closed_start"))
		return refuse_named(r, ERR_REQUIRED, "closed_start", "a value is needed");
	return 0;
}

static int check_participation(const struct stated *r)
{
	int64_t in = 0, out = 0, minutes = 0, pause = 0, latest_ms = r->now_ms + CLOCK_TOLERANCE_MS;
	bool has_in = stated_int(r, "in", &in), has_out = stated_int(r, "out", &out);
	bool has_minutes = stated_int(r, "minutes", &minutes);
	int rc;

	if (has_in && in > latest_ms)
		return refuse_named(r, ERR_FUTURE, "in", "the time lies in the future");
	if (has_out && out > latest_ms)
		return refuse_named(r, ERR_FUTURE, "out", "the time lies in the future");
	rc = order_check(r, "in", "out", /* may_equal= */ false);
	if (rc != 0) return rc;
	if (has_in && has_out && out - in > DAY_MS)
		return refuse_named(r, ERR_OVER_DAY, "out", "more than 24 hours");
	(void)stated_int(r, "break_min", &pause);
	if (has_in && has_out && has_minutes && minutes > (out - in) / 60000 - pause)
		return refuse_named(r, ERR_RANGE, "minutes",
		                    "more than the stay without the break");
	if (has_in && has_minutes && !has_out && in + minutes * 60000 > latest_ms)
		return refuse_named(r, ERR_FUTURE, "minutes",
		                    "the service would end in the future");
	if (stated_is(r, "hstat", "2") && has_minutes && minutes < 1)
		return refuse_named(r, ERR_RANGE, "minutes",
		                    "effective hours have at least one minute");
	return 0;
}

/* Required by the descriptor; an activity of a closed kind has no open fields. */
static bool is_required(const struct stated *r, const struct field *f)
{
	if (!f->required) return false;
	return !(r->t->number == TABLE_ACTIVITY && field_lane(f) == LANE_OPEN &&
	         is_stated(r, "act_closed"));
}

static int check_across(const struct stated *r)
{
	switch (r->t->number) {
	case TABLE_ORG_UNIT:
		return order_check(r, "valid_from", "valid_to", /* may_equal= */ true);
	case TABLE_DEVICE:
		return order_check(r, "enrolled", "revoked", /* may_equal= */ true);
	case TABLE_VOLUNTEER:
		return check_volunteer(r);
	case TABLE_TEAM_MEMBER:
		return order_check(r, "joined", "left", /* may_equal= */ true);
	case TABLE_ACTIVITY:
		return check_activity(r);
	case TABLE_PARTICIPATION:
		return check_participation(r);
	default:
		return 0;
	}
}

int row_check(const struct table *t, const struct value *values, int64_t now_ms, struct error *err)
{
	struct stated r = {t, values, now_ms, err};
	int rc;

	for (size_t i = 0; i < t->fields_count; i++) {
		const struct field *f = &t->fields[i];
		bool ruled =
		        f->rule == NULL || strcmp(f->rule, "citizen_id") != 0 || id_is_citizen(&r);

		if (is_required(&r, f) && !is_stated(&r, f->name))
			return refuse(err, ERR_REQUIRED, t, f, "a value is needed");
		rc = check_value(t, f, values[i], ruled, err);
		if (rc != 0) return rc;
	}
	return check_across(&r);
}
