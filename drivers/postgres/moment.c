#include "moment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- the calendar: days since 1970-01-01, years before 1 counted 0, -1, … -------------------- */

static int64_t
days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int64_t
date_of(int64_t days, int *ret_month, int *ret_day)
{
    /* first the eras, so that no count of days is too great */
    int64_t era = days / 146097 + 4;
    int64_t day_of_era = days % 146097 + 135080; /* 719468 is 4 eras and so many days */
    if (day_of_era < 0) {
        day_of_era += 146097;
        era--;
    } else if (day_of_era >= 146097) {
        day_of_era -= 146097;
        era++;
    }
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *ret_day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *ret_month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    return year_of_era + era * 400 + (*ret_month <= 2);
}

static bool
is_date(int64_t year, int month, int day)
{
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month >= 1 && month <= 12 && day >= 1 && day <= lengths[month - 1] &&
           (month != 2 || day != 29 || leap);
}

/* ---- reading ------------------------------------------------------------------------------- */

/* what is left of a text */
typedef struct span {
    const char *at, *end;
} span;

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* `least` to `most` digits, moved over */
static bool
number(span *in, int least, int most, int64_t *ret_number)
{
    int64_t sum = 0;
    int count = 0;
    for (; count < most && in->at < in->end && is_digit(*in->at); count++)
        sum = sum * 10 + (*in->at++ - '0');
    *ret_number = sum;
    return count >= least;
}

static bool
skip(span *in, char c)
{
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

/* takes " BC" off the end */
static bool
before_christ(span *in)
{
    if (in->end - in->at < 3 || memcmp(in->end - 3, " BC", 3) != 0)
        return false;
    in->end -= 3;
    return true;
}

static bool
read_date(span *in, bool bc, int64_t *ret_days)
{
    int64_t year, month, day;
    if (!number(in, 4, 7, &year) || !skip(in, '-') || !number(in, 2, 2, &month) || !skip(in, '-') ||
        !number(in, 2, 2, &day))
        return false;
    if (bc)
        year = 1 - year;
    if (!is_date(year, (int)month, (int)day))
        return false;
    *ret_days = days_of(year, (int)month, (int)day);
    return true;
}

/* ".789": microseconds; none when there is no point */
static bool
read_fraction(span *in, int64_t *ret_microseconds)
{
    *ret_microseconds = 0;
    if (!skip(in, '.'))
        return true;
    const char *start = in->at;
    if (!number(in, 1, 6, ret_microseconds))
        return false;
    for (ptrdiff_t places = in->at - start; places < 6; places++)
        *ret_microseconds *= 10;
    return true;
}

static bool
read_time(span *in, int64_t *ret_microseconds)
{
    int64_t hour, minute, second, fraction;
    if (!number(in, 2, 2, &hour) || !skip(in, ':') || !number(in, 2, 2, &minute) ||
        !skip(in, ':') || !number(in, 2, 2, &second) || !read_fraction(in, &fraction))
        return false;
    *ret_microseconds = ((hour * 60 + minute) * 60 + second) * 1000000 + fraction;
    return minute <= 59 && second <= 59 && *ret_microseconds <= DBAL__POSTGRES_DAY;
}

/* "+02", "-03:30", "+00:19:32" or nothing */
static bool
read_offset(span *in, int64_t *ret_microseconds)
{
    int64_t hour, minute = 0, second = 0;
    *ret_microseconds = 0;
    if (in->at == in->end)
        return true;
    bool west = *in->at == '-';
    if (!skip(in, '+') && !skip(in, '-'))
        return false;
    if (!number(in, 2, 2, &hour) || (skip(in, ':') && !number(in, 2, 2, &minute)) ||
        (skip(in, ':') && !number(in, 2, 2, &second)))
        return false;
    *ret_microseconds = ((hour * 60 + minute) * 60 + second) * (west ? -1000000 : 1000000);
    return minute <= 59 && second <= 59;
}

bool
dbal__postgres_date_read(const char *text, size_t size, int64_t *ret_days)
{
    span in = {text, text + size};
    int64_t days;
    bool bc = before_christ(&in);
    if (!read_date(&in, bc, &days) || in.at != in.end)
        return false;
    *ret_days = days;
    return true;
}

bool
dbal__postgres_time_read(const char *text, size_t size, int64_t *ret_microseconds)
{
    span in = {text, text + size};
    int64_t microseconds;
    if (!read_time(&in, &microseconds) || in.at != in.end)
        return false;
    *ret_microseconds = microseconds;
    return true;
}

bool
dbal__postgres_timestamp_read(const char *text, size_t size, int64_t *ret_microseconds)
{
    span in = {text, text + size};
    int64_t days, time, offset, sum;
    bool bc = before_christ(&in);
    if (!read_date(&in, bc, &days) || !skip(&in, ' ') || !read_time(&in, &time) ||
        !read_offset(&in, &offset) || in.at != in.end)
        return false;
    /* from the day's nearer end to 1970, or the first day that fits would seem not to */
    int64_t rest = time - offset - (days < 0 ? DBAL__POSTGRES_DAY : 0);
    if (__builtin_mul_overflow(days + (days < 0), DBAL__POSTGRES_DAY, &sum) ||
        __builtin_add_overflow(sum, rest, &sum))
        return false;
    *ret_microseconds = sum;
    return true;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* the date without its era */
static size_t
write_date(char *to, int64_t days, bool *ret_bc)
{
    int month, day;
    int64_t year = date_of(days, &month, &day);
    *ret_bc = year <= 0;
    return (size_t)snprintf(to, 32, "%04" PRId64 "-%02d-%02d", *ret_bc ? 1 - year : year, month,
                            day);
}

size_t
dbal__postgres_date_write(char *to, int64_t days)
{
    bool bc;
    size_t size = write_date(to, days, &bc);
    return size + (size_t)sprintf(to + size, "%s", bc ? " BC" : "");
}

size_t
dbal__postgres_time_write(char *to, int64_t microseconds)
{
    int64_t seconds = microseconds / 1000000, rest = microseconds % 1000000;
    int size = sprintf(to, "%02d:%02d:%02d", (int)(seconds / 3600 % 100), (int)(seconds / 60 % 60),
                       (int)(seconds % 60));
    if (rest == 0)
        return (size_t)size;
    size += sprintf(to + size, ".%06d", (int)rest);
    while (to[size - 1] == '0')
        size--;
    to[size] = '\0';
    return (size_t)size;
}

size_t
dbal__postgres_timestamp_write(char *to, int64_t days, int64_t microseconds, bool zone)
{
    bool bc;
    size_t size = write_date(to, days, &bc);
    to[size++] = ' ';
    size += dbal__postgres_time_write(to + size, microseconds);
    return size + (size_t)sprintf(to + size, "%s%s", zone ? "+00" : "", bc ? " BC" : "");
}
