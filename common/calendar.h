/*
 * calendar.h - proleptic Gregorian calendar, years 1 to 9999; dates are days since 1970-01-01, times ms
 * since 1970, months year*100+month.  Where a time has to become a day it is the day in +08:00, the one
 * zone of China.  Parsers take the whole text or nothing and write only on success.
 */
#ifndef COMMON_CALENDAR_H
#define COMMON_CALENDAR_H

#include "common/buf.h"

#define DAY_MS   INT64_C(86400000)
#define CHINA_MS INT64_C(28800000) /* +08:00, no summer time */

bool date_real(int year, int month, int day);
int64_t date_days(int year, int month, int day);
void date_civil(int64_t days, int *ret_year, int *ret_month, int *ret_day);
bool date_parse(const char *text, int64_t *ret_days); /* YYYY-MM-DD, a real date */
void date_show(int64_t days, struct buf *out); /* a plain number outside of years 1 to 9999 */
bool time_parse(const char *text,
                int64_t *ret_ms); /* RFC 3339, or YYYY-MM-DDTHH:MM[:SS] taken as +08:00 */
void time_show(int64_t ms, struct buf *out);            /* RFC 3339, +08:00 */
bool month_parse(const char *text, int64_t *ret_month); /* YYYY-MM */
int64_t date_of_ms(int64_t ms);
int64_t month_of_ms(int64_t ms);
int64_t month_of_days(int64_t days);

#endif
