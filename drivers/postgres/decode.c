#include "decode.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

bool
dbal__postgres_decode_bool(const char *text, size_t size, bool *ret_boolean)
{
    if (size != 1 || (*text != 't' && *text != 'f'))
        return false;
    *ret_boolean = *text == 't';
    return true;
}

bool
dbal__postgres_decode_integer(const char *text, size_t size, int64_t *ret_integer)
{
    const char *at = text, *end = text + size;
    bool negative = size != 0 && *at == '-';
    at += negative;
    /* what has nineteen digits fits into 64 bits without a sign */
    if (at == end || end - at > 19)
        return false;
    uint64_t sum = 0;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        sum = sum * 10 + (uint64_t)(*at - '0');
    }
    if (sum > (uint64_t)INT64_MAX + negative)
        return false;
    *ret_integer = (int64_t)(negative ? 0 - sum : sum);
    return true;
}

/* ---- floating point ------------------------------------------------------------------------ */

static bool
special(const char *text, size_t size, double *ret_real)
{
    if (size == 3 && memcmp(text, "NaN", 3) == 0)
        *ret_real = (double)NAN;
    else if (size == 8 && memcmp(text, "Infinity", 8) == 0)
        *ret_real = (double)INFINITY;
    else if (size == 9 && memcmp(text, "-Infinity", 9) == 0)
        *ret_real = -(double)INFINITY;
    else
        return false;
    return true;
}

/* digits, moved over; their number's last decimal places, as many as 64 bits hold */
static size_t
digits(const char **at, uint64_t *sum)
{
    const char *start = *at;
    for (; **at >= '0' && **at <= '9'; ++*at)
        *sum = *sum * 10 + (uint64_t)(**at - '0');
    return (size_t)(*at - start);
}

/* Up to fifteen digits times or through a power of ten that a double holds: one rounding. */
static bool
simple(const char *text, size_t size, double *ret_real)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *at = text;
    bool negative = *at == '-';
    at += negative;
    uint64_t sum = 0;
    size_t whole = digits(&at, &sum), places = 0;
    if (*at == '.') {
        at++;
        places = digits(&at, &sum);
    }
    if (at != text + size || whole == 0 || whole + places > 15)
        return false;
    double real = (double)sum / powers[places];
    *ret_real = negative ? -real : real;
    return true;
}

/* the program's locale may write numbers with a comma */
static bool
general(const char *text, size_t size, bool small, double *ret_real)
{
    if (size == 0 || strspn(text, "+-.0123456789eE") != size)
        return false;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c == (locale_t)0)
        return false;
    char *end;
    double real = small ? (double)strtof_l(text, &end, c) : strtod_l(text, &end, c);
    freelocale(c);
    if (end != text + size || !isfinite(real))
        return false;
    *ret_real = real;
    return true;
}

bool
dbal__postgres_decode_real(const char *text, size_t size, double *ret_real)
{
    return simple(text, size, ret_real) || general(text, size, false, ret_real) ||
           special(text, size, ret_real);
}

bool
dbal__postgres_decode_real4(const char *text, size_t size, double *ret_real)
{
    return general(text, size, true, ret_real) || special(text, size, ret_real);
}

/* ---- bytes --------------------------------------------------------------------------------- */

/* a digit's value, or a negative number */
static int
hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
pair(const char *text, uint8_t *ret_byte)
{
    int high = hex(text[0]), low = high < 0 ? -1 : hex(text[1]);
    *ret_byte = (uint8_t)((unsigned)high << 4 | (unsigned)low);
    return low >= 0;
}

bool
dbal__postgres_decode_uuid(const char *text, size_t size, uint8_t *ret_uuid)
{
    const char *at = text;
    if (size != 36)
        return false;
    for (int i = 0; i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *at++ != '-')
            return false;
        if (!pair(at, &ret_uuid[i]))
            return false;
        at += 2;
    }
    return true;
}

static bool
octal(const char *at, const char *end, uint8_t *ret_byte)
{
    if (end - at < 3 || at[0] < '0' || at[0] > '3' || at[1] < '0' || at[1] > '7' || at[2] < '0' ||
        at[2] > '7')
        return false;
    *ret_byte = (uint8_t)((at[0] - '0') << 6 | (at[1] - '0') << 3 | (at[2] - '0'));
    return true;
}

/* with bytea_output=escape: `\\` and `\ooo`, else the bytes themselves */
static bool
escaped(const char *at, const char *end, uint8_t *to, size_t *ret_size)
{
    uint8_t *start = to;
    while (at < end) {
        if (*at != '\\') {
            *to++ = (uint8_t)*at++;
        } else if (end - at >= 2 && at[1] == '\\') {
            *to++ = '\\';
            at += 2;
        } else if (octal(at + 1, end, to)) {
            to++;
            at += 4;
        } else {
            return false;
        }
    }
    *ret_size = (size_t)(to - start);
    return true;
}

bool
dbal__postgres_decode_bytea(const char *text, size_t size, uint8_t *to, size_t *ret_size)
{
    if (size < 2 || text[0] != '\\' || text[1] != 'x')
        return escaped(text, text + size, to, ret_size);
    if (size % 2 != 0)
        return false;
    for (size_t i = 2; i < size; i += 2)
        if (!pair(text + i, to++))
            return false;
    *ret_size = size / 2 - 1;
    return true;
}
