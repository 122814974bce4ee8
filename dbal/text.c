#include "dbal/text.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t DAY = INT64_C(86400000000); /* microseconds */

bool
dbal__text_to_int64(const char *text, size_t size, int64_t *ret_integer)
{
    if (size == 0 || memchr(text, '\0', size) != NULL || strspn(text, "+-0123456789") != size)
        return false;
    char *end;
    errno = 0;
    long long integer = strtoll(text, &end, 10);
    if (errno != 0 || end != text + size)
        return false;
    *ret_integer = integer;
    return true;
}

bool
dbal__text_to_double(const char *text, size_t size, double *ret_real)
{
    if (size == 0 || memchr(text, '\0', size) != NULL || strspn(text, "+-.0123456789eE") != size)
        return false;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c == (locale_t)0)
        return false;
    char *end;
    double real = strtod_l(text, &end, c);
    freelocale(c);
    if (end != text + size || !isfinite(real))
        return false;
    *ret_real = real;
    return true;
}

bool
dbal__text_to_bool(const char *text, size_t size, bool *ret_boolean)
{
    static const char *const yes[] = {"1", "t", "true"};
    static const char *const no[] = {"0", "f", "false"};
    for (size_t i = 0; i < 3; i++) {
        if (strlen(yes[i]) == size && memcmp(text, yes[i], size) == 0) {
            *ret_boolean = true;
            return true;
        }
        if (strlen(no[i]) == size && memcmp(text, no[i], size) == 0) {
            *ret_boolean = false;
            return true;
        }
    }
    return false;
}

/* days since 1970-01-01 of a day in the Gregorian calendar */
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

static void
date_of(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *ret_day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *ret_month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

/* a run of digits of a given length, moved over */
static bool
digits(const char **at, int count, int *ret_number)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return false;
        number = number * 10 + (c - '0');
    }
    *at += count;
    *ret_number = number;
    return true;
}

static bool
skip(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

static bool
read_date(const char **at, int64_t *ret_days)
{
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    if (!digits(at, 4, &year) || !skip(at, '-') || !digits(at, 2, &month) || !skip(at, '-') ||
        !digits(at, 2, &day))
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12 || day < 1 || day > lengths[month - 1] ||
        (month == 2 && day == 29 && !leap))
        return false;
    *ret_days = days_of(year, month, day);
    return true;
}

/* up to six digits after the point; more must be zeros */
static bool
read_fraction(const char **at, int64_t *ret_microseconds)
{
    int64_t unit = 100000, sum = 0;
    if (!skip(at, '.'))
        return true;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; ++*at, unit /= 10) {
        if (unit == 0 && **at != '0')
            return false;
        sum += (**at - '0') * unit;
    }
    *ret_microseconds += sum;
    return true;
}

static bool
read_time(const char **at, int64_t *ret_microseconds)
{
    int hour, minute, second = 0;
    if (!digits(at, 2, &hour) || !skip(at, ':') || !digits(at, 2, &minute))
        return false;
    bool seconds = skip(at, ':');
    if (seconds && !digits(at, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *ret_microseconds = ((hour * INT64_C(60) + minute) * 60 + second) * 1000000;
    /* without seconds a fraction would be one of a minute */
    return !seconds || read_fraction(at, ret_microseconds);
}

/* Z, or ±hh[:mm] */
static bool
read_offset(const char **at, int64_t *ret_microseconds)
{
    int hour, minute = 0;
    *ret_microseconds = 0;
    if (**at == '\0' || skip(at, 'Z'))
        return true;
    bool west = **at == '-';
    if (!skip(at, '+') && !skip(at, '-'))
        return false;
    if (!digits(at, 2, &hour))
        return false;
    if (**at != '\0') {
        skip(at, ':');
        if (!digits(at, 2, &minute))
            return false;
    }
    if (hour > 23 || minute > 59)
        return false;
    int64_t offset = (hour * INT64_C(60) + minute) * 60000000;
    *ret_microseconds = west ? -offset : offset;
    return true;
}

static bool
read_timestamp(const char **at, int64_t *ret_microseconds)
{
    int64_t days, time = 0, offset = 0;
    if (!read_date(at, &days))
        return false;
    if (**at != '\0') {
        if (!skip(at, ' ') && !skip(at, 'T'))
            return false;
        if (!read_time(at, &time) || !read_offset(at, &offset))
            return false;
    }
    *ret_microseconds = days * DAY + time - offset;
    return true;
}

bool
dbal__text_to_moment(dbal_type type, const char *text, size_t size, int64_t *ret_value)
{
    const char *at = text;
    int64_t value = 0;
    bool good;

    if (type == DBAL_DATE)
        good = read_date(&at, &value);
    else if (type == DBAL_TIME)
        good = read_time(&at, &value);
    else
        good = read_timestamp(&at, &value);
    if (!good || at != text + size)
        return false;
    *ret_value = value;
    return true;
}

static size_t
spell_date(char *to, int64_t days)
{
    int64_t year;
    int month, day;
    date_of(days, &year, &month, &day);
    return (size_t)snprintf(to, DBAL__TEXT_MAX, "%04" PRId64 "-%02d-%02d", year, month, day);
}

static size_t
spell_time(char *to, int64_t microseconds)
{
    int64_t seconds = microseconds / 1000000, rest = microseconds % 1000000;
    int size = snprintf(to, 32, "%02d:%02d:%02d", (int)(seconds / 3600 % 100),
                        (int)(seconds / 60 % 60), (int)(seconds % 60));
    if (rest != 0)
        size += snprintf(to + size, 16, ".%06d", (int)rest);
    return (size_t)size;
}

size_t
dbal__text_of_integer(char *to, dbal_type type, int64_t integer)
{
    if (type == DBAL_DATE && integer > -1000000000 && integer < 1000000000)
        return spell_date(to, integer);
    if (type == DBAL_TIME && integer >= 0 && integer <= DAY)
        return spell_time(to, integer);
    if (type == DBAL_TIMESTAMP) {
        int64_t days = integer / DAY - (integer % DAY < 0);
        size_t size = spell_date(to, days);
        to[size++] = ' ';
        return size + spell_time(to + size, (integer % DAY + DAY) % DAY);
    }
    return (size_t)snprintf(to, DBAL__TEXT_MAX, "%" PRId64, integer);
}

size_t
dbal__text_of_double(char *to, double real)
{
    if (isnan(real))
        return (size_t)snprintf(to, DBAL__TEXT_MAX, "NaN");
    if (isinf(real))
        return (size_t)snprintf(to, DBAL__TEXT_MAX, real < 0 ? "-Inf" : "Inf");
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t old = c != (locale_t)0 ? uselocale(c) : (locale_t)0;
    int size = snprintf(to, DBAL__TEXT_MAX - 2, "%.15g", real);
    if (c != (locale_t)0) {
        uselocale(old);
        freelocale(c);
    }
    if (strchr(to, '.') != NULL)
        return (size_t)size;
    char *exponent = strchr(to, 'e');
    char *place = exponent != NULL ? exponent : to + size;
    memmove(place + 2, place, strlen(place) + 1);
    memcpy(place, ".0", 2);
    return (size_t)size + 2;
}

size_t
dbal__text_of_uuid(char *to, const uint8_t *bytes)
{
    char *at = to;
    for (int i = 0; i < 16; i++) {
        at += snprintf(at, 3, "%02x", bytes[i]);
        if (i == 3 || i == 5 || i == 7 || i == 9)
            *at++ = '-';
    }
    *at = '\0';
    return (size_t)(at - to);
}
