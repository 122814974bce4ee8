#include "moment.h"

#include <stdio.h>

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
