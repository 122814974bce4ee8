#include "real.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* ---- large whole numbers ------------------------------------------------------------------- */

/* as many words as the smallest double's denominator times a power of ten or two needs */
enum { WORDS = 40 };

typedef struct large {
    int count; /* words in use; the last is not 0 */
    uint32_t words[WORDS];
} large;

static void
set(large *a, uint64_t number)
{
    a->count = 0;
    for (; number != 0; number >>= 32)
        a->words[a->count++] = (uint32_t)number;
}

static void
multiply(large *a, uint32_t factor)
{
    uint64_t carry = 0;
    for (int i = 0; i < a->count; i++) {
        carry += (uint64_t)a->words[i] * factor;
        a->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0)
        a->words[a->count++] = (uint32_t)carry;
}

static void
shift(large *a, int bits)
{
    for (; bits >= 31; bits -= 31)
        multiply(a, UINT32_C(1) << 31);
    multiply(a, UINT32_C(1) << bits);
}

static void
multiply_by_ten(large *a, int times)
{
    for (; times >= 9; times -= 9)
        multiply(a, 1000000000);
    for (; times > 0; times--)
        multiply(a, 10);
}

static void
add(large *a, const large *b)
{
    uint64_t carry = 0;
    for (int i = 0; i < a->count || i < b->count || carry != 0; i++) {
        if (i == a->count)
            a->words[a->count++] = 0;
        carry += (uint64_t)a->words[i] + (i < b->count ? b->words[i] : 0);
        a->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static int
compare(const large *a, const large *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (int i = a->count - 1; i >= 0; i--)
        if (a->words[i] != b->words[i])
            return a->words[i] < b->words[i] ? -1 : 1;
    return 0;
}

/* a must not be the smaller */
static void
subtract(large *a, const large *b)
{
    uint64_t borrow = 0;
    for (int i = 0; i < a->count; i++) {
        uint64_t take = (i < b->count ? b->words[i] : 0) + borrow;
        borrow = a->words[i] < take;
        a->words[i] = (uint32_t)(a->words[i] - take);
    }
    while (a->count > 0 && a->words[a->count - 1] == 0)
        a->count--;
}

/* ---- digits (Steele and White 1990, "How to Print Floating-Point Numbers Accurately") -------- */

/* a number as rest/unit, and how far it is to the middle between it and its neighbours */
typedef struct fraction {
    large rest, unit, above, below;
} fraction;

/* mantissa * 2^exponent; `edge`: the neighbour below is half as far as the one above */
static void
begin(fraction *f, uint64_t mantissa, int exponent, bool edge)
{
    set(&f->rest, mantissa);
    set(&f->unit, 1);
    set(&f->above, 1);
    set(&f->below, 1);
    shift(&f->rest, 1 + edge + (exponent > 0 ? exponent : 0));
    shift(&f->unit, 1 + edge + (exponent < 0 ? -exponent : 0));
    shift(&f->above, edge + (exponent > 0 ? exponent : 0));
    shift(&f->below, exponent > 0 ? exponent : 0);
}

/* whether everything nearer to the number than to its neighbours is below rest/unit = 1 */
static bool
is_below_one(const fraction *f)
{
    large top = f->rest;
    add(&top, &f->above);
    return compare(&top, &f->unit) <= 0;
}

static void
times_ten(fraction *f)
{
    multiply(&f->rest, 10);
    multiply(&f->above, 10);
    multiply(&f->below, 10);
}

/* makes it a fraction below 1; gives back how many places the point was moved to the left */
static int
scale(fraction *f, int magnitude)
{
    /* log10(2); rounded down, so at most one too few */
    int places = (int)floor(magnitude * 0.30102999566398120 - 1e-9);
    if (places >= 0) {
        multiply_by_ten(&f->unit, places);
    } else {
        multiply_by_ten(&f->rest, -places);
        multiply_by_ten(&f->above, -places);
        multiply_by_ten(&f->below, -places);
    }
    for (; !is_below_one(f); places++)
        multiply(&f->unit, 10);
    return places;
}

/* whether the last digit is to be one more: the nearer, the even one of two as near */
static bool
rounds_up(const fraction *f, int digit, bool low, bool high)
{
    if (low != high)
        return high;
    large twice = f->rest;
    multiply(&twice, 2);
    int than_half = compare(&twice, &f->unit);
    return than_half > 0 || (than_half == 0 && digit % 2 != 0);
}

/* the digits of a fraction below 1; how many */
static int
generate(fraction *f, char *digits)
{
    int count = 0;
    for (;;) {
        int digit = 0;
        times_ten(f);
        for (; compare(&f->rest, &f->unit) >= 0; digit++)
            subtract(&f->rest, &f->unit);
        /* what is left out, or made more, would still be nearer to this number than to others */
        bool low = compare(&f->rest, &f->below) < 0;
        bool high = !is_below_one(f);
        if (low || high)
            digit += rounds_up(f, digit, low, high);
        digits[count++] = (char)('0' + digit);
        if (low || high)
            return count;
    }
}

/* ---- PostgreSQL's layout ------------------------------------------------------------------- */

static size_t
plain(char *to, const char *digits, int count, int places)
{
    if (places <= 0)
        return (size_t)sprintf(to, "0.%.*s%.*s", -places, "0000", count, digits);
    if (count <= places)
        return (size_t)sprintf(to, "%.*s%.*s", count, digits, places - count, "000000000000000");
    return (size_t)sprintf(to, "%.*s.%.*s", places, digits, count - places, digits + places);
}

static size_t
scientific(char *to, const char *digits, int count, int exponent)
{
    return (size_t)sprintf(to, "%c%s%.*se%c%02d", digits[0], count > 1 ? "." : "", count - 1,
                           digits + 1, exponent < 0 ? '-' : '+',
                           exponent < 0 ? -exponent : exponent);
}

/* a finite one above 0 */
static size_t
write_finite(char *to, double real, bool small)
{
    int bits = small ? 24 : 53, least = small ? -149 : -1074, binary;
    uint64_t mantissa = (uint64_t)ldexp(frexp(real, &binary), bits);
    int exponent = binary - bits;
    if (exponent < least) { /* denormal: fewer bits */
        mantissa >>= least - exponent;
        exponent = least;
    }
    bool edge = mantissa == UINT64_C(1) << (bits - 1) && exponent > least;
    fraction f;
    char digits[32];
    begin(&f, mantissa, exponent, edge);
    int places = scale(&f, binary - 1);
    int count = generate(&f, digits);
    int most = small ? 6 : 15;
    if (places - 1 < -4 || places - 1 >= most)
        return scientific(to, digits, count, places - 1);
    return plain(to, digits, count, places);
}

size_t
dbal__postgres_real_write(char *to, double real, bool small)
{
    if (small) /* of a peer that lies it may be none */
        real = (double)(float)real;
    if (isnan(real))
        return (size_t)sprintf(to, "NaN");
    size_t sign = signbit(real) ? 1 : 0;
    if (sign != 0)
        *to++ = '-';
    if (isinf(real))
        return sign + (size_t)sprintf(to, "Infinity");
    if (real == 0)
        return sign + (size_t)sprintf(to, "0");
    return sign + write_finite(to, fabs(real), small);
}
