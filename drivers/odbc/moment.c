#include "moment.h"

#include <stdio.h>
#include <string.h>

static const int64_t day_length = INT64_C(86400000000);
/* 0001-01-01 and 9999-12-31, the first and last that ODBC can tell */
static const int64_t first_day = -719162, last_day = 2932896;

/* ---- writing ----------------------------------------------------------------------------------- */

/* The proleptic Gregorian calendar, counted from 0000-03-01, so that leap days end a year. */
static size_t
write_date(int64_t days, char *to)
{
    int64_t shifted = days + 719468;
    int64_t era = shifted / 146097;
    unsigned day_of_era = (unsigned)(shifted - era * 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * day_of_year + 2) / 153; /* 0 is March */
    unsigned day = day_of_year - (153 * month + 2) / 5 + 1;
    int year = (int)(era * 400 + year_of_era) + (month >= 10 ? 1 : 0);
    month = month < 10 ? month + 3 : month - 9;
    return (size_t)snprintf(to, DBAL__ODBC_MOMENT_MAX, "%04d-%02u-%02u", year, month, day);
}

static size_t
write_time(int64_t microseconds, char *to)
{
    unsigned seconds = (unsigned)(microseconds / 1000000);
    unsigned fraction = (unsigned)(microseconds % 1000000);
    int size = snprintf(to, DBAL__ODBC_MOMENT_MAX / 2, "%02u:%02u:%02u", seconds / 3600,
                        seconds / 60 % 60, seconds % 60);
    if (fraction != 0)
        size += snprintf(to + size, DBAL__ODBC_MOMENT_MAX / 4, ".%06u", fraction);
    return (size_t)size;
}

size_t
dbal__odbc_moment_write(char *to, dbal_type type, int64_t value)
{
    if (type == DBAL_TIME)
        return value >= 0 && value < day_length ? write_time(value, to) : 0;
    int64_t days = value, rest = 0;
    if (type == DBAL_TIMESTAMP) {
        days = value / day_length;
        rest = value % day_length;
        if (rest < 0) {
            rest += day_length;
            days--;
        }
    }
    if (days < first_day || days > last_day)
        return 0;
    size_t size = write_date(days, to);
    if (type == DBAL_DATE)
        return size;
    to[size++] = ' ';
    return size + write_time(rest, to + size);
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* what is left of a text */
typedef struct span {
    const char *at, *end;
} span;

/* exactly so many digits, moved over */
static bool
number(span *in, int count, int64_t *ret_number)
{
    int64_t sum = 0;
    for (; count > 0; count--, in->at++) {
        if (in->at == in->end || *in->at < '0' || *in->at > '9')
            return false;
        sum = sum * 10 + (*in->at - '0');
    }
    *ret_number = sum;
    return true;
}

static bool
skip(span *in, char c)
{
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

static bool
read_date(span *in, int64_t *ret_days)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;
    if (!number(in, 4, &year) || !skip(in, '-') || !number(in, 2, &month) || !skip(in, '-') ||
        !number(in, 2, &day) || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day > lengths[month - 1] + (month == 2 && leap ? 1 : 0))
        return false;
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    *ret_days = era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
                day_of_year - 719468;
    return true;
}

/* ".7" and as many digits as a database has; what is finer than a microsecond is cut off */
static bool
read_fraction(span *in, int64_t *ret_microseconds)
{
    int64_t unit = 100000;
    *ret_microseconds = 0;
    if (!skip(in, '.'))
        return true;
    for (; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++, unit /= 10)
        *ret_microseconds += (*in->at - '0') * unit;
    return in->at[-1] != '.';
}

static bool
read_time(span *in, int64_t *ret_microseconds)
{
    int64_t hour, minute, second, fraction;
    if (!number(in, 2, &hour) || !skip(in, ':') || !number(in, 2, &minute) || !skip(in, ':') ||
        !number(in, 2, &second) || !read_fraction(in, &fraction) || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    *ret_microseconds = ((hour * 60 + minute) * 60 + second) * 1000000 + fraction;
    return true;
}

bool
dbal__odbc_moment_read(dbal_type type, const char *text, size_t size, int64_t *ret_value)
{
    span in = {text, text + size};
    int64_t days = 0, time = 0;
    if (type != DBAL_TIME && !read_date(&in, &days))
        return false;
    if (type == DBAL_TIMESTAMP && !skip(&in, ' ') && !skip(&in, 'T'))
        return false;
    if (type != DBAL_DATE && !read_time(&in, &time))
        return false;
    *ret_value = type == DBAL_DATE ? days : days * day_length + time;
    return in.at == in.end;
}
