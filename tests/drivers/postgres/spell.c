#include "drivers/postgres/spell.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/postgres/decode.h"
#include "drivers/postgres/moment.h"
#include "drivers/postgres/real.h"
#include "drivers/postgres/type.h"
#include "tests/lib/chance.h"
#include "values.h"

static void
expect_real(double real, bool small, const char *text)
{
    char to[DBAL__POSTGRES_REAL_MAX];
    ck_assert_uint_eq(dbal__postgres_real_write(to, real, small), strlen(text));
    ck_assert_str_eq(to, text);
}

/* as PostgreSQL 15 writes them */
START_TEST(reals_as_the_server_writes_them)
{
    static const struct {
        double real;
        const char *text;
    } reals[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {100, "100"},
        {0.1, "0.1"},
        {-1.5, "-1.5"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {0.00012345, "0.00012345"},
        {123456.789, "123456.789"},
        {999999999999999, "999999999999999"},
        {1e15, "1e+15"},
        {1e16, "1e+16"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {9007199254740993.0, "9.007199254740992e+15"},
        {1e23, "9.999999999999999e+22"},                  /* the half way is not its own */
        {5.684341886080802e-14, "5.684341886080802e-14"}, /* a power of two */
        {DBL_MAX, "1.7976931348623157e+308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {2.225073858507201e-308, "2.225073858507201e-308"},
        {5e-324, "5e-324"},
        {(double)INFINITY, "Infinity"},
        {-(double)INFINITY, "-Infinity"},
        {(double)NAN, "NaN"},
    };
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        expect_real(reals[i].real, false, reals[i].text);
}
END_TEST

START_TEST(small_reals_as_the_server_writes_them)
{
    expect_real((double)0.1f, true, "0.1");
    expect_real((double)100000.f, true, "100000");
    expect_real((double)1e6f, true, "1e+06");
    expect_real((double)123456.7f, true, "123456.7");
    expect_real((double)0.0001f, true, "0.0001");
    expect_real((double)FLT_MAX, true, "3.4028235e+38");
    expect_real((double)FLT_MIN, true, "1.1754944e-38");
    expect_real((double)1e-45f, true, "1e-45");
    expect_real((double)16777216.f, true, "1.6777216e+07");
    /* none of that size: from a worker that lies */
    expect_real(1e-60, true, "0");
    expect_real(-1e300, true, "-Infinity");
    expect_real(0.1, true, "0.1");
}
END_TEST

/* digits from the first that is not 0 to the last */
static int
significant(const char *text)
{
    int digits = 0, last = 0;
    for (const char *at = text; *at != '\0' && *at != 'e'; at++) {
        if (*at < '0' || *at > '9')
            continue;
        digits += digits != 0 || *at != '0';
        last = *at != '0' ? digits : last;
    }
    return last;
}

/* any bits: read back they are the same, and no shorter text would be */
START_TEST(reals_come_back)
{
    chance random;
    chance_init(&random);
    unsigned rounds = chance_rounds(100000);
    for (unsigned i = 0; i < rounds; i++) {
        char to[DBAL__POSTGRES_REAL_MAX], shorter[64];
        uint64_t bits = chance_next(&random);
        double real, back;
        memcpy(&real, &bits, sizeof real);
        if (!isfinite(real) || real == 0)
            continue;
        size_t size = dbal__postgres_real_write(to, real, false);
        ck_assert_msg(dbal__postgres_decode_real(to, size, &back) && back == real,
                      "seed %" PRIu64 ": %s", random.seed, to);
        int digits = significant(to);
        /* among large whole numbers a shorter one may be just between two, and is neither's */
        if (digits < 2 || (fabs(real) > 0x1p53 && fabs(real) < 1e40))
            continue;
        snprintf(shorter, sizeof shorter, "%.*e", digits - 2, real);
        ck_assert_msg(strtod(shorter, NULL) != real, "seed %" PRIu64 ": %s would do for %s",
                      random.seed, shorter, to);
    }
}
END_TEST

START_TEST(small_reals_come_back)
{
    chance random;
    chance_init(&random);
    unsigned rounds = chance_rounds(100000);
    for (unsigned i = 0; i < rounds; i++) {
        char to[DBAL__POSTGRES_REAL_MAX];
        uint32_t bits = (uint32_t)chance_next(&random);
        float real;
        double back;
        memcpy(&real, &bits, sizeof real);
        if (!isfinite(real))
            continue;
        size_t size = dbal__postgres_real_write(to, (double)real, true);
        ck_assert_msg(dbal__postgres_decode_real4(to, size, &back) && back == (double)real, "%s",
                      to);
    }
}
END_TEST

/* decimals that need only one rounding are read without the C library: both must agree */
START_TEST(simple_decimals_are_read_exactly)
{
    chance random;
    chance_init(&random);
    unsigned rounds = chance_rounds(100000);
    for (unsigned i = 0; i < rounds; i++) {
        char text[64];
        double real;
        uint64_t number = chance_next(&random) % UINT64_C(1000000000000000);
        unsigned places = (unsigned)(chance_next(&random) % 15);
        int size = snprintf(text, sizeof text, "%s%" PRIu64 ".%0*" PRIu64,
                            chance_next(&random) % 2 != 0 ? "-" : "", number >> 30, (int)places + 1,
                            number % 1000);
        ck_assert(dbal__postgres_decode_real(text, (size_t)size, &real));
        ck_assert_msg(real == strtod(text, NULL), "seed %" PRIu64 ": %s", random.seed, text);
    }
}
END_TEST

/* ---- moments --------------------------------------------------------------------------------- */

/* every day for a thousand years around the era's beginning, then in strides to both ends */
START_TEST(days_come_back)
{
    char to[DBAL__POSTGRES_MOMENT_MAX];
    for (int64_t days = -2480000; days < 2145000000; days += days < 0 ? 7 : 99991) {
        int64_t back;
        size_t size = dbal__postgres_date_write(to, days);
        ck_assert_uint_eq(size, strlen(to));
        ck_assert_msg(dbal__postgres_date_read(to, size, &back) && back == days, "%s", to);
    }
}
END_TEST

START_TEST(the_calendar_has_no_year_0)
{
    char to[DBAL__POSTGRES_MOMENT_MAX];
    dbal__postgres_date_write(to, -719162);
    ck_assert_str_eq(to, "0001-01-01");
    dbal__postgres_date_write(to, -719163);
    ck_assert_str_eq(to, "0001-12-31 BC");
    dbal__postgres_date_write(to, -719162 - 366 - 1);
    ck_assert_str_eq(to, "0002-12-31 BC");
    dbal__postgres_date_write(to, 2932897);
    ck_assert_str_eq(to, "10000-01-01");
    /* no server sends these, but a worker process that went wrong may */
    dbal__postgres_date_write(to, INT64_MAX);
    ck_assert_str_eq(to, "25252734927768524-07-27");
    dbal__postgres_date_write(to, INT64_MIN);
    ck_assert_str_eq(to, "25252734927764586-06-07 BC");
}
END_TEST

START_TEST(timestamps_come_back)
{
    chance random;
    chance_init(&random);
    unsigned rounds = chance_rounds(100000);
    char to[DBAL__POSTGRES_MOMENT_MAX];
    for (unsigned i = 0; i < rounds; i++) {
        int64_t moment = (int64_t)(chance_next(&random) >> 1), back;
        moment = i % 3 == 0 ? -(moment % INT64_C(200000000000000000)) : moment;
        dbal_value value = dbal_timestamp(moment);
        uint32_t kind = i % 2 == 0 ? DBAL__POSTGRES_TIMESTAMP : DBAL__POSTGRES_TIMESTAMPTZ;
        size_t size = dbal__postgres_spell(to, sizeof to, kind, value);
        ck_assert_uint_eq(size, strlen(to));
        ck_assert_msg(dbal__postgres_timestamp_read(to, size, &back) && back == moment,
                      "seed %" PRIu64 ": %s", random.seed, to);
    }
}
END_TEST

START_TEST(fractions_end_where_they_are_zero)
{
    char to[DBAL__POSTGRES_MOMENT_MAX];
    dbal__postgres_time_write(to, 0);
    ck_assert_str_eq(to, "00:00:00");
    dbal__postgres_time_write(to, 1);
    ck_assert_str_eq(to, "00:00:00.000001");
    dbal__postgres_time_write(to, 45296700000);
    ck_assert_str_eq(to, "12:34:56.7");
}
END_TEST

START_TEST(a_blob_says_how_much_room_it_needs)
{
    char to[64];
    ck_assert_uint_eq(
        dbal__postgres_spell(to, sizeof to, DBAL__POSTGRES_BYTEA, dbal_blob("\x01\xab", 2)), 6);
    ck_assert_str_eq(to, "\\x01ab");
    static const char bytes[31];
    memset(to, 'x', sizeof to);
    ck_assert_uint_eq(
        dbal__postgres_spell(to, sizeof to, DBAL__POSTGRES_BYTEA, dbal_blob(bytes, 31)), 64);
    ck_assert_int_eq(to[0], 'x');
    ck_assert_uint_eq(
        dbal__postgres_spell(to, sizeof to, DBAL__POSTGRES_BYTEA, dbal_blob(bytes, 30)), 62);
    ck_assert_uint_eq(strlen(to), 62);
}
END_TEST

Suite *
spell_suite(void)
{
    Suite *suite = suite_create("postgres spell");
    suite_add(suite, reals_as_the_server_writes_them, NULL, NULL);
    suite_add(suite, small_reals_as_the_server_writes_them, NULL, NULL);
    suite_add(suite, reals_come_back, NULL, NULL);
    suite_add(suite, small_reals_come_back, NULL, NULL);
    suite_add(suite, simple_decimals_are_read_exactly, NULL, NULL);
    suite_add(suite, days_come_back, NULL, NULL);
    suite_add(suite, the_calendar_has_no_year_0, NULL, NULL);
    suite_add(suite, timestamps_come_back, NULL, NULL);
    suite_add(suite, fractions_end_where_they_are_zero, NULL, NULL);
    suite_add(suite, a_blob_says_how_much_room_it_needs, NULL, NULL);
    return suite;
}
