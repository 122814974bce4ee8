#include "moment.h"

#include <stdio.h>
#include <string.h>

static const int64_t microseconds_a_day = INT64_C(86400000000);
/* 0000-01-01 and 9999-12-31, the first and last that SQLite's date functions know */
static const int64_t first_day = -719528, last_day = 2932896;

/* The proleptic Gregorian calendar, counted from 0000-03-01, so that leap days end a year. */
static size_t
write_date(int64_t days, char *to)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    unsigned day_of_era = (unsigned)(shifted - era * 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * day_of_year + 2) / 153; /* 0 is March */
    unsigned day = day_of_year - (153 * month + 2) / 5 + 1;
    int year = (int)(era * 400 + year_of_era) + (month >= 10 ? 1 : 0);
    month = month < 10 ? month + 3 : month - 9;
    return (size_t)snprintf(to, DBAL__SQLITE_MOMENT_MAX, "%04d-%02u-%02u", year, month, day);
}

static size_t
write_time(int64_t microseconds, char *to)
{
    unsigned seconds = (unsigned)(microseconds / 1000000);
    unsigned fraction = (unsigned)(microseconds % 1000000);
    int size = snprintf(to, DBAL__SQLITE_MOMENT_MAX / 2, "%02u:%02u:%02u", seconds / 3600,
                        seconds / 60 % 60, seconds % 60);
    if (fraction != 0)
        size += snprintf(to + size, DBAL__SQLITE_MOMENT_MAX / 4, ".%06u", fraction);
    return (size_t)size;
}

size_t
dbal__sqlite_moment_text(dbal_type type, int64_t value, char *to)
{
    if (type == DBAL_TIME)
        return value >= 0 && value < microseconds_a_day ? write_time(value, to) : 0;
    int64_t days = value, rest = 0;
    if (type == DBAL_TIMESTAMP) {
        days = value / microseconds_a_day;
        rest = value % microseconds_a_day;
        if (rest < 0) {
            rest += microseconds_a_day;
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

/* ---- reading ------------------------------------------------------------------------------------- */

/* So many digits; -1 when there is something else. */
static int64_t
digits(const char *text, int count)
{
    int64_t number = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

/* Days since 1970-01-01; what is no date gives any number, whose text is another. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static bool
read_date(const char *text, int64_t *ret_days)
{
    int64_t year = digits(text, 4), month = digits(text + 5, 2), day = digits(text + 8, 2);
    if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    *ret_days = days_of(year, month, day);
    return true;
}

/* 8 characters, or 15 with a fraction */
static bool
read_time(const char *text, size_t size, int64_t *ret_microseconds)
{
    int64_t hour = digits(text, 2), minute = digits(text + 3, 2), second = digits(text + 6, 2);
    int64_t fraction = size == 15 ? digits(text + 9, 6) : 0;
    if (hour < 0 || minute < 0 || second < 0 || fraction < 0)
        return false;
    *ret_microseconds = ((hour * 60 + minute) * 60 + second) * 1000000 + fraction;
    return true;
}

bool
dbal__sqlite_moment_read(dbal_type type, const char *text, size_t size, int64_t *ret_value)
{
    size_t date = type == DBAL_TIME ? 0 : 10, time = type == DBAL_DATE ? 0 : 8;
    size_t between = type == DBAL_TIMESTAMP ? 1 : 0, whole = date + between + time;
    int64_t days = 0, rest = 0;
    char again[DBAL__SQLITE_MOMENT_MAX];
    if (size != whole && (time == 0 || size != whole + 7))
        return false;
    if ((date != 0 && !read_date(text, &days)) ||
        (time != 0 && !read_time(text + date + between, size - date - between, &rest)))
        return false;
    int64_t value = type == DBAL_DATE ? days : days * microseconds_a_day + rest;
    /* whatever was not looked at, signs, the length of months, is seen here */
    if (dbal__sqlite_moment_text(type, value, again) != size || memcmp(again, text, size) != 0)
        return false;
    *ret_value = value;
    return true;
}

void
dbal__sqlite_uuid_text(const uint8_t *bytes, char *to)
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
dbal__sqlite_uuid_read(const char *text, size_t size, uint8_t *ret_bytes)
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
