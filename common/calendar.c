/*
 * calendar.c - dates, times and months as numbers and as text.
 *
 * The C library's calendar depends on the machine's time zone and is poisoned (base.h); China has one
 * zone and no summer time, so a few lines are enough and every machine computes the same.  Algorithms
 * of days and civil dates: Howard Hinnant, chrono-compatible low-level date algorithms.
 */
#include "common/base.h"

#include "common/calendar.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int64_t date_days(int year, int month, int day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

void date_civil(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era =
	        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
	        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t m = (5 * day_of_year + 2) / 153;
	int month = (int)(m < 10 ? m + 3 : m - 9);

	*ret_day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
	*ret_month = month;
	*ret_year = (int)(year_of_era + era * 400 + (month <= 2));
}

bool date_real(int year, int month, int day)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return false;
	return day <= lengths[month - 1] + (month == 2 && leap);
}

/* Reads exactly `count` digits at *p and moves past them; false leaves *p anywhere. */
static bool take_digits(const char **p, int count, int *ret)
{
	int v = 0;

	for (int i = 0; i < count; i++, (*p)++) {
		if (!is_digit(**p)) return false;
		v = v * 10 + (**p - '0');
	}
	*ret = v;
	return true;
}

static bool take_char(const char **p, char c)
{
	if (**p != c) return false;
	(*p)++;
	return true;
}

static bool take_date(const char **p, int64_t *ret_days)
{
	int year, month, day;

	if (!take_digits(p, 4, &year) || !take_char(p, '-') || !take_digits(p, 2, &month) ||
	    !take_char(p, '-') || !take_digits(p, 2, &day) || !date_real(year, month, day))
		return false;
	*ret_days = date_days(year, month, day);
	return true;
}

bool date_parse(const char *text, int64_t *ret_days)
{
	int64_t days;

	if (!take_date(&text, &days) || *text != 0) return false;
	*ret_days = days;
	return true;
}

/* Seconds, fraction (to the millisecond, further digits are cut) behind HH:MM. */
static bool take_seconds(const char **p, int64_t *ret_ms)
{
	int second, scale = 100;
	int64_t ms = 0;

	if (!take_digits(p, 2, &second) || second > 59) return false;
	if (take_char(p, '.')) {
		if (!is_digit(**p)) return false;
		for (; is_digit(**p); (*p)++, scale /= 10) ms += (int64_t)(**p - '0') * scale;
	}
	*ret_ms = (int64_t)second * 1000 + ms;
	return true;
}

static bool take_offset(const char **p, int64_t *ret_ms)
{
	int sign = **p == '-' ? -1 : 1;
	int hour, minute;

	if (take_char(p, 'Z') || take_char(p, 'z')) {
		*ret_ms = 0;
		return true;
	}
	if (!take_char(p, '+') && !take_char(p, '-')) return false;
	if (!take_digits(p, 2, &hour) || !take_char(p, ':') || !take_digits(p, 2, &minute) ||
	    hour > 23 || minute > 59)
		return false;
	*ret_ms = sign * (int64_t)(hour * 60 + minute) * 60000;
	return true;
}

bool time_parse(const char *text, int64_t *ret_ms)
{
	const char *p = text;
	int64_t days, second_ms = 0, offset_ms = CHINA_MS;
	int hour, minute;
	bool seconds;

	if (!take_date(&p, &days)) return false;
	if (!take_char(&p, 'T') && !take_char(&p, 't') && !take_char(&p, ' ')) return false;
	if (!take_digits(&p, 2, &hour) || !take_char(&p, ':') || !take_digits(&p, 2, &minute) ||
	    hour > 23 || minute > 59)
		return false;
	seconds = take_char(&p, ':');
	if (seconds && !take_seconds(&p, &second_ms)) return false;
	if (*p != 0 && (!seconds || !take_offset(&p, &offset_ms))) return false;
	if (*p != 0) return false;
	*ret_ms = days * DAY_MS + (int64_t)(hour * 60 + minute) * 60000 + second_ms - offset_ms;
	return true;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Years 1 to 9999; other values (a damaged database) are shown as plain numbers. */
static bool days_showable(int64_t days)
{
	return days >= date_days(1, 1, 1) && days <= date_days(9999, 12, 31);
}

void date_show(int64_t days, struct buf *out)
{
	int year, month, day;

	if (!days_showable(days)) {
		buf_print(out, "%" PRId64, days);
		return;
	}
	date_civil(days, &year, &month, &day);
	buf_print(out, "%04d-%02d-%02d", year, month, day);
}

void time_show(int64_t ms, struct buf *out)
{
	int64_t days, rest;

	if (!days_showable(floor_div(ms, DAY_MS)) || !days_showable(floor_div(ms, DAY_MS) + 1)) {
		buf_print(out, "%" PRId64, ms);
		return;
	}
	days = floor_div(ms + CHINA_MS, DAY_MS);
	rest = ms + CHINA_MS - days * DAY_MS;
	assert(rest >= 0 && rest < DAY_MS);
	date_show(days, out);
	buf_print(out, "T%02d:%02d:%02d", (int)(rest / 3600000), (int)(rest / 60000 % 60),
	          (int)(rest / 1000 % 60));
	if (rest % 1000 != 0) buf_print(out, ".%03d", (int)(rest % 1000));
	buf_text(out, "+08:00");
}

int64_t month_of_days(int64_t days)
{
	int year, month, day;

	date_civil(days, &year, &month, &day);
	return (int64_t)year * 100 + month;
}

int64_t date_of_ms(int64_t ms)
{
	/* Divide before the shift to +08:00: no ms of int64_t may overflow. */
	return floor_div(floor_div(ms, 1000) + CHINA_MS / 1000, DAY_MS / 1000);
}

int64_t month_of_ms(int64_t ms)
{
	return month_of_days(date_of_ms(ms));
}

bool month_parse(const char *text, int64_t *ret_month)
{
	const char *p = text;
	int year, month;

	if (!take_digits(&p, 4, &year) || !take_char(&p, '-') || !take_digits(&p, 2, &month) ||
	    *p != 0)
		return false;
	if (!date_real(year, month, 1)) return false;
	*ret_month = (int64_t)year * 100 + month;
	return true;
}
