#include "moment.h"

#include <stdio.h>

static const int64_t microseconds_a_day = INT64_C(86400000000), second = 1000000;
/* 0000-01-01 and 9999-12-31 */
static const int64_t first_day = -719528, last_day = 2932896;

/* ---- the proleptic Gregorian calendar, counted from 0000-03-01, so that leap days end a year ---- */

static void
split_day(int64_t days, MYSQL_TIME *to)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    unsigned day_of_era = (unsigned)(shifted - era * 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * day_of_year + 2) / 153; /* 0 is March */
    to->day = day_of_year - (153 * month + 2) / 5 + 1;
    to->year = (unsigned)(era * 400 + year_of_era + (month >= 10 ? 1 : 0));
    to->month = month < 10 ? month + 3 : month - 9;
}

static int64_t
day_of(const MYSQL_TIME *from)
{
    int64_t year = (int64_t)from->year - (from->month <= 2), month = from->month;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + from->day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void
split_time(int64_t microseconds, MYSQL_TIME *to)
{
    int64_t seconds = microseconds / second;
    to->second_part = (unsigned long)(microseconds % second);
    to->hour = (unsigned)(seconds / 3600);
    to->minute = (unsigned)(seconds / 60 % 60);
    to->second = (unsigned)(seconds % 60);
}

static int64_t
time_of(const MYSQL_TIME *from)
{
    return ((from->hour * INT64_C(60) + from->minute) * 60 + from->second) * second +
           (int64_t)from->second_part;
}

/* ---- values ---------------------------------------------------------------------------------- */

bool
dbal__mariadb_moment_of(dbal_type type, int64_t value, MYSQL_TIME *ret_moment)
{
    int64_t days = value, rest = 0;
    *ret_moment = (MYSQL_TIME){0};
    if (type == DBAL_TIME) {
        ret_moment->time_type = MYSQL_TIMESTAMP_TIME;
        split_time(value, ret_moment);
        return value >= 0 && value < microseconds_a_day;
    }
    ret_moment->time_type = type == DBAL_DATE ? MYSQL_TIMESTAMP_DATE : MYSQL_TIMESTAMP_DATETIME;
    if (type == DBAL_TIMESTAMP) {
        days = value / microseconds_a_day;
        rest = value % microseconds_a_day;
        if (rest < 0) {
            rest += microseconds_a_day;
            days--;
        }
    }
    if (days < first_day || days > last_day)
        return false;
    split_day(days, ret_moment);
    split_time(rest, ret_moment);
    return true;
}

bool
dbal__mariadb_moment_value(dbal_type type, const MYSQL_TIME *moment, int64_t *ret_value)
{
    if (type == DBAL_TIME) {
        *ret_value = time_of(moment);
        return !moment->neg && moment->day == 0 && *ret_value < microseconds_a_day;
    }
    if (moment->month == 0 || moment->day == 0)
        return false;
    int64_t days = day_of(moment);
    *ret_value = type == DBAL_DATE ? days : days * microseconds_a_day + time_of(moment);
    /* with ALLOW_INVALID_DATES there may be a 31st of February, which would be another day */
    MYSQL_TIME again = {0};
    split_day(days, &again);
    return again.month == moment->month && again.day == moment->day;
}

size_t
dbal__mariadb_moment_text(dbal_type type, const MYSQL_TIME *m, char *to)
{
    enum { ROOM = DBAL__MARIADB_MOMENT_MAX };
    int size = 0;
    if (type == DBAL_TIME)
        size = snprintf(to, ROOM, "%s%02u:%02u:%02u", m->neg ? "-" : "", m->day * 24 + m->hour,
                        m->minute, m->second);
    else
        size = snprintf(to, ROOM, "%04u-%02u-%02u", m->year, m->month, m->day);
    if (type == DBAL_TIMESTAMP)
        size += snprintf(to + size, (size_t)(ROOM - size), " %02u:%02u:%02u", m->hour, m->minute,
                         m->second);
    if (type != DBAL_DATE && m->second_part != 0)
        size += snprintf(to + size, (size_t)(ROOM - size), ".%06lu", m->second_part);
    return (size_t)size;
}

/* ---- UUIDs --------------------------------------------------------------------------------------- */

void
dbal__mariadb_uuid_text(const uint8_t *bytes, char *to)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    *to = '\0';
}

static int
hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
dbal__mariadb_uuid_read(const char *text, size_t size, uint8_t *ret_bytes)
{
    if (size != 36)
        return false;
    for (int i = 0; i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
            return false;
        int high = hex(*text++), low = hex(*text++);
        if (high < 0 || low < 0)
            return false;
        ret_bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
