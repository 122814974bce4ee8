/* Numbers and moments as text and back: edges, and round trips. */
#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/text.h"
#include "tests/lib/chance.h"
#include "tests/lib/suite.h"

static const int64_t DAY = INT64_C(86400000000), HOUR = INT64_C(3600000000);

/* Texts are always followed by a NUL, as results keep them. */
#define BYTES(text) text, sizeof(text) - 1

static void
is_int64(const char *text, int64_t expected)
{
    int64_t got = 77;
    ck_assert_msg(dbal__text_to_int64(text, strlen(text), &got), "%s", text);
    ck_assert_msg(got == expected, "%s gives %" PRId64, text, got);
}

static void
no_int64(const char *text, size_t size)
{
    int64_t got = 77;
    ck_assert_msg(!dbal__text_to_int64(text, size, &got) && got == 77, "%s", text);
}

START_TEST(whole_numbers)
{
    is_int64("0", 0);
    is_int64("-0", 0);
    is_int64("+12", 12);
    is_int64("000000000000000000000000012", 12);
    is_int64("9223372036854775807", INT64_MAX);
    is_int64("-9223372036854775808", INT64_MIN);
    no_int64(BYTES("9223372036854775808"));
    no_int64(BYTES("-9223372036854775809"));
    no_int64(BYTES(""));
    no_int64(BYTES("-"));
    no_int64(BYTES("+-1"));
    no_int64(BYTES("1-"));
    no_int64(BYTES(" 1"));
    no_int64(BYTES("1 "));
    no_int64(BYTES("1.0"));
    no_int64(BYTES("1e5"));
    no_int64(BYTES("0x10"));
    no_int64(BYTES("1\0"));
    no_int64(BYTES("1\0002"));
}
END_TEST

static void
is_double(const char *text, double expected)
{
    double got = 77;
    ck_assert_msg(dbal__text_to_double(text, strlen(text), &got) && got == expected,
                  "%s gives %.17g", text, got);
}

static void
no_double(const char *text, size_t size)
{
    double got = 77;
    ck_assert_msg(!dbal__text_to_double(text, size, &got) && got == 77, "%s", text);
}

START_TEST(decimal_numbers)
{
    is_double("1e5", 100000);
    is_double("1E+5", 100000);
    is_double("-1.5", -1.5);
    is_double(".5", 0.5);
    is_double("5.", 5);
    is_double("1e308", 1e308);
    is_double("1.7976931348623157e308", DBL_MAX);
    is_double("5e-324", 5e-324);
    no_double(BYTES("1e309"));
    no_double(BYTES("-1e309"));
    no_double(BYTES(""));
    no_double(BYTES("."));
    no_double(BYTES("e5"));
    no_double(BYTES("1e"));
    no_double(BYTES("1.2.3"));
    no_double(BYTES("inf"));
    no_double(BYTES("nan"));
    no_double(BYTES("0x1p3"));
    no_double(BYTES(" 1"));
    no_double(BYTES("1 "));
    no_double(BYTES("1,5"));
    no_double(BYTES("1\0"));
}
END_TEST

START_TEST(truth_values)
{
    static const char *const no[] = {"", "T", "yes", "tru", "truee", "10", "on"};
    bool got = false;
    ck_assert(dbal__text_to_bool(BYTES("t"), &got) && got);
    ck_assert(dbal__text_to_bool(BYTES("false"), &got) && !got);
    ck_assert(dbal__text_to_bool(BYTES("true"), &got) && got);
    ck_assert(dbal__text_to_bool(BYTES("f"), &got) && !got);
    ck_assert(dbal__text_to_bool(BYTES("1"), &got) && got);
    ck_assert(dbal__text_to_bool(BYTES("0"), &got) && !got);
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        ck_assert_msg(!dbal__text_to_bool(no[i], strlen(no[i]), &got), "%s", no[i]);
    ck_assert(!dbal__text_to_bool(BYTES("t\0"), &got));
}
END_TEST

static void
spells_double(double real, const char *expected)
{
    char text[DBAL__TEXT_MAX];
    size_t size = dbal__text_of_double(text, real);
    ck_assert_str_eq(text, expected);
    ck_assert_uint_eq(size, strlen(expected));
}

START_TEST(doubles_are_spelled_with_a_point)
{
    spells_double(0, "0.0");
    spells_double(1, "1.0");
    spells_double(-1.5, "-1.5");
    spells_double(0.1, "0.1");
    spells_double(1e20, "1.0e+20");
    spells_double(1.5e-300, "1.5e-300");
    spells_double(1e308, "1.0e+308");
    spells_double(123456789012345, "123456789012345.0");
    spells_double(1234567890123456, "1.23456789012346e+15");
    spells_double(NAN, "NaN");
    spells_double(INFINITY, "Inf");
    spells_double(-INFINITY, "-Inf");
}
END_TEST

/* Only where the system has such a locale. */
START_TEST(locale_of_the_process_does_not_matter)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (setlocale(LC_ALL, names[i]) == NULL)
            continue;
        spells_double(1.5, "1.5");
        is_double("1.5", 1.5);
        no_double(BYTES("1,5"));
    }
    setlocale(LC_ALL, "C");
}
END_TEST

START_TEST(fifteen_digits_survive_a_round_trip)
{
    chance luck;
    chance_init(&luck);
    for (unsigned i = chance_rounds(3000); i > 0; i--) {
        char text[DBAL__TEXT_MAX], digits[32];
        double real, back;
        snprintf(digits, sizeof digits, "%s%" PRIu64 "e%d", chance_below(&luck, 2) ? "-" : "",
                 chance_next(&luck) % UINT64_C(1000000000000000),
                 (int)chance_below(&luck, 560) - 290);
        ck_assert(dbal__text_to_double(digits, strlen(digits), &real));
        size_t size = dbal__text_of_double(text, real);
        ck_assert_msg(dbal__text_to_double(text, size, &back) && back == real && strchr(text, '.'),
                      "seed %" PRIu64 ": %s becomes %s", luck.seed, digits, text);
    }
}
END_TEST

/* moments */

static void
is_moment(dbal_type type, const char *text, int64_t expected)
{
    int64_t got = 77;
    ck_assert_msg(dbal__text_to_moment(type, text, strlen(text), &got), "%s", text);
    ck_assert_msg(got == expected, "%s gives %" PRId64 ", not %" PRId64, text, got, expected);
}

static void
no_moments(dbal_type type, const char *const *texts, size_t count)
{
    int64_t got = 77;
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(!dbal__text_to_moment(type, texts[i], strlen(texts[i]), &got) && got == 77,
                      "%s gives %" PRId64, texts[i], got);
}

#define NO_MOMENTS(type, ...)                                                                      \
    do {                                                                                           \
        static const char *const texts[] = {__VA_ARGS__};                                          \
        no_moments(type, texts, sizeof texts / sizeof texts[0]);                                   \
    } while (0)

START_TEST(dates)
{
    is_moment(DBAL_DATE, "1970-01-01", 0);
    is_moment(DBAL_DATE, "1969-12-31", -1);
    is_moment(DBAL_DATE, "2000-02-29", 11016);
    is_moment(DBAL_DATE, "2000-03-01", 11017);
    is_moment(DBAL_DATE, "1900-03-01", -25508);
    is_moment(DBAL_DATE, "0000-02-29", -719469);
    is_moment(DBAL_DATE, "0000-01-01", -719528);
    is_moment(DBAL_DATE, "9999-12-31", 2932896);
    NO_MOMENTS(DBAL_DATE, "", "2026", "2026-11", "2026-1-1", "26-01-01", "2026-00-01", "2026-13-01",
               "2026-01-00", "2026-01-32", "2026-04-31", "2025-02-29", "1900-02-29", "2100-02-29",
               "2026-02-30", "2026/01/01", " 2026-01-01", "2026-01-01 ", "2026-01-01x",
               "2026-01-01 00:00:00", "-001-01-01", "10000-01-01", "2026-0a-01");
}
END_TEST

START_TEST(times_of_day)
{
    is_moment(DBAL_TIME, "00:00", 0);
    is_moment(DBAL_TIME, "00:00:00", 0);
    is_moment(DBAL_TIME, "12:34:56.789", 12 * HOUR + 34 * HOUR / 60 + 56789000);
    is_moment(DBAL_TIME, "23:59:59.999999", DAY - 1);
    is_moment(DBAL_TIME, "00:00:00.000001", 1);
    is_moment(DBAL_TIME, "00:00:00.1", 100000);
    is_moment(DBAL_TIME, "00:00:00.1234560000", 123456);
    NO_MOMENTS(DBAL_TIME, "", "12", "12:", "12:3", "1:02", "24:00:00", "12:60:00", "12:00:60",
               "12:00:00.", "12:00:00.x", "12:00:00.1234567", "12:00:0", "12:00:00 ", " 12:00:00",
               "12:34.5", "-1:00:00", "12-00-00", "12:00:00Z");
}
END_TEST

START_TEST(timestamps_and_their_offsets)
{
    is_moment(DBAL_TIMESTAMP, "1970-01-01", 0);
    is_moment(DBAL_TIMESTAMP, "1970-01-01 00:00:00", 0);
    is_moment(DBAL_TIMESTAMP, "1970-01-01T00:00:01.5Z", 1500000);
    is_moment(DBAL_TIMESTAMP, "1969-12-31 23:59:59.999999", -1);
    is_moment(DBAL_TIMESTAMP, "1970-01-01 02:00:00+02", 0);
    is_moment(DBAL_TIMESTAMP, "1970-01-01 00:00:00-05:30", 5 * HOUR + HOUR / 2);
    is_moment(DBAL_TIMESTAMP, "1970-01-01 05:30:00+0530", 0);
    is_moment(DBAL_TIMESTAMP, "1970-01-01 00:00+00:00", 0);
    is_moment(DBAL_TIMESTAMP, "0000-01-01 00:00:00", -719528 * DAY);
    is_moment(DBAL_TIMESTAMP, "9999-12-31 23:59:59.999999", 2932897 * DAY - 1);
    NO_MOMENTS(DBAL_TIMESTAMP, "", "1970-01-01 ", "1970-01-01T", "1970-01-01x00:00:00",
               "1970-01-01 24:00:00", "1970-01-01 00:00:00+", "1970-01-01 00:00:00+1",
               "1970-01-01 00:00:00+01:", "1970-01-01 00:00:00+01:6", "1970-01-01 00:00:00+24",
               "1970-01-01 00:00:00+01:60", "1970-01-01 00:00:00 +01", "1970-01-01 00:00:00Zx",
               "1970-01-01 00:00:00ZZ", "1970-02-29 00:00:00", "infinity", "now");
    int64_t got = 77;
    ck_assert(!dbal__text_to_moment(DBAL_TIMESTAMP, BYTES("1970-01-01\0"), &got));
    ck_assert(!dbal__text_to_moment(DBAL_TIMESTAMP, BYTES("1970-01-01\0 00:00:00"), &got));
}
END_TEST

static void
spells(dbal_type type, int64_t integer, const char *expected)
{
    char text[DBAL__TEXT_MAX];
    size_t size = dbal__text_of_integer(text, type, integer);
    ck_assert_str_eq(text, expected);
    ck_assert_uint_eq(size, strlen(expected));
}

START_TEST(integers_and_moments_are_spelled)
{
    spells(DBAL_INT64, INT64_MIN, "-9223372036854775808");
    spells(DBAL_INT64, INT64_MAX, "9223372036854775807");
    spells(DBAL_DATE, 0, "1970-01-01");
    spells(DBAL_DATE, -719528, "0000-01-01");
    spells(DBAL_DATE, 2932897, "10000-01-01");
    spells(DBAL_TIME, 0, "00:00:00");
    spells(DBAL_TIME, 1, "00:00:00.000001");
    spells(DBAL_TIME, DAY - 1, "23:59:59.999999");
    spells(DBAL_TIMESTAMP, -1, "1969-12-31 23:59:59.999999");
    spells(DBAL_TIMESTAMP, 0, "1970-01-01 00:00:00");
    spells(DBAL_TIMESTAMP, -DAY, "1969-12-31 00:00:00");
}
END_TEST

/* Whatever a database may hold: no text may exceed its room, and none may overflow. */
START_TEST(every_integer_has_a_text_that_fits)
{
    static const int64_t edges[] = {INT64_MIN,
                                    INT64_MIN + 1,
                                    -1,
                                    0,
                                    1,
                                    INT64_MAX - 1,
                                    INT64_MAX,
                                    INT64_C(999999999),
                                    INT64_C(-999999999),
                                    INT64_C(86400000001)};
    static const dbal_type types[] = {DBAL_BOOL, DBAL_INT64, DBAL_DATE, DBAL_TIME, DBAL_TIMESTAMP};
    chance luck;
    chance_init(&luck);
    for (unsigned i = 0; i < 2000; i++) {
        int64_t integer =
            i < sizeof edges / sizeof edges[0] ? edges[i] : (int64_t)chance_next(&luck);
        for (size_t j = 0; j < sizeof types / sizeof types[0]; j++) {
            char text[DBAL__TEXT_MAX];
            size_t size = dbal__text_of_integer(text, types[j], integer);
            ck_assert_msg(size == strlen(text) && size > 0 && size < DBAL__TEXT_MAX,
                          "seed %" PRIu64 ": %" PRId64, luck.seed, integer);
        }
    }
}
END_TEST

static void
round_trip(dbal_type type, int64_t value, uint64_t seed)
{
    char text[DBAL__TEXT_MAX];
    int64_t back = 77;
    size_t size = dbal__text_of_integer(text, type, value);
    bool good = type == DBAL_INT64 ? dbal__text_to_int64(text, size, &back)
                                   : dbal__text_to_moment(type, text, size, &back);
    ck_assert_msg(good && back == value, "seed %" PRIu64 ": %" PRId64 " becomes %s, %" PRId64, seed,
                  value, text, back);
}

START_TEST(integers_and_moments_survive_a_round_trip)
{
    chance luck;
    chance_init(&luck);
    /* every day of the years that four digits have */
    for (int64_t day = -719528; day <= 2932896; day += 1 + chance_below(&luck, 200))
        round_trip(DBAL_DATE, day, luck.seed);
    for (unsigned i = chance_rounds(20000); i > 0; i--) {
        int64_t day = (int64_t)chance_below(&luck, 3652425) - 719528;
        int64_t time = (int64_t)(chance_next(&luck) % (uint64_t)DAY);
        if (chance_below(&luck, 2))
            time -= time % 1000000;
        round_trip(DBAL_INT64, (int64_t)chance_next(&luck) >> chance_below(&luck, 64), luck.seed);
        round_trip(DBAL_TIME, time, luck.seed);
        round_trip(DBAL_TIMESTAMP, day * DAY + time, luck.seed);
    }
}
END_TEST

START_TEST(uuid_is_spelled_in_five_groups)
{
    static const uint8_t bytes[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                      0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
    char text[DBAL__TEXT_MAX];
    ck_assert_uint_eq(dbal__text_of_uuid(text, bytes), 36);
    ck_assert_str_eq(text, "01234567-89ab-cdef-fedc-ba9876543210");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("text");
    const TTest *const tests[] = {
        whole_numbers,
        decimal_numbers,
        truth_values,
        doubles_are_spelled_with_a_point,
        locale_of_the_process_does_not_matter,
        fifteen_digits_survive_a_round_trip,
        dates,
        times_of_day,
        timestamps_and_their_offsets,
        integers_and_moments_are_spelled,
        every_integer_has_a_text_that_fits,
        integers_and_moments_survive_a_round_trip,
        uuid_is_spelled_in_five_groups,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], NULL, NULL);
    return suite_run(suite);
}
