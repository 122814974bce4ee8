/* Which gate a pool passes: by its driver's level and faces, and by what was asked for; how many threads. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

enum { LEVEL_LEAST = -1, LEVELS = 6 };

/* What comes of a wish at the levels -1 to 4: the gate, or the error, where %s is the driver. */
typedef struct choice {
    const char *scheme, *wanted;
    const char *outcomes[LEVELS];
} choice;

#define NONE(level) "driver %s declares threadlevel " level ": 0 to 3 are"
#define NO_FACE(level)                                                                             \
    "gate loop is not for driver %s at threadlevel " level ": the driver has no native face"
#define TOO_LOW(level)                                                                             \
    "gate loop is not for driver %s at threadlevel " level                                         \
    ": a connection that moves between threads needs threadlevel 2"
#define ALONE                                                                                      \
    "gate thread is not for driver %s at threadlevel 0: threads may not share a driver of "        \
    "threadlevel 0"

static const choice choices[] = {
    {"fake", "auto", {NONE("-1"), "driver-thread", "thread", "thread", "thread", NONE("4")}},
    {"fake",
     "loop",
     {NONE("-1"), NO_FACE("0"), NO_FACE("1"), NO_FACE("2"), NO_FACE("3"), NONE("4")}},
    {"fake", "thread", {NONE("-1"), ALONE, "thread", "thread", "thread", NONE("4")}},
    {"fake",
     "driver-thread",
     {NONE("-1"), "driver-thread", "driver-thread", "driver-thread", "driver-thread", NONE("4")}},
    {"native", "auto", {NONE("-1"), "driver-thread", "thread", "loop", "loop", NONE("4")}},
    {"native", "loop", {NONE("-1"), TOO_LOW("0"), TOO_LOW("1"), "loop", "loop", NONE("4")}},
    {"native", "thread", {NONE("-1"), ALONE, "thread", "thread", "thread", NONE("4")}},
    {"native",
     "driver-thread",
     {NONE("-1"), "driver-thread", "driver-thread", "driver-thread", "driver-thread", NONE("4")}},
};

static void
check(const choice *one, int level, const char *outcome)
{
    char url[128], expected[200];
    dbal_error *error = NULL;
    snprintf(url, sizeof url, "%s:pool?level=%d&pool_gate=%s", one->scheme, level, one->wanted);
    pool = dbal_pool_open(fixture.loop, url, NULL, &error);
    if (strstr(outcome, "%s") == NULL) {
        ck_assert_msg(pool != NULL, "%s: %s", url, dbal_error_message(error));
        ck_assert_msg(strcmp(counts_now().gate, outcome) == 0, "%s: %s", url, counts_now().gate);
        ck_assert_int_eq(counts_now().threadlevel, level);
        ck_assert_int_eq(number("get"), 0);
        good(dbal_pool_close(pool));
        return;
    }
    const char *at = strstr(outcome, "%s");
    snprintf(expected, sizeof expected, "%.*s%s%s", (int)(at - outcome), outcome, one->scheme,
             at + 2);
    ck_assert_msg(pool == NULL, "%s", url);
    ck_assert_str_eq(dbal_error_message(error), expected);
    dbal_error_unref(error);
}

START_TEST(gate_is_chosen_by_level_face_and_wish)
{
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        for (int at = 0; at < LEVELS; at++)
            check(&choices[i], LEVEL_LEAST + at, choices[i].outcomes[at]);
    }
}
END_TEST

START_TEST(a_gate_that_there_is_not)
{
    dbal_error *error = NULL;
    ck_assert_ptr_null(dbal_pool_open(fixture.loop, "fake:pool?pool_gate=wall", NULL, &error));
    ck_assert_str_eq(dbal_error_message(error),
                     "pool_gate: \"wall\" is not a value for it: auto, loop, thread, "
                     "driver-thread, process are");
    dbal_error_unref(error);
}
END_TEST

/* ---- threads ---- */

typedef struct wish {
    const char *parameters;
    const char *refused; /* NULL: it is not */
} wish;

static const wish wishes[] = {
    {"level=1&pool_threads=4", NULL},
    {"level=1&pool_threads=3&pool_max_size=3", NULL},
    {"level=2&pool_threads=1", NULL},
    {"level=2&pool_threads=4", NULL},
    {"level=3&pool_threads=1", NULL},
    {"level=3&parallel=on&pool_threads=8&pool_max_size=2", NULL},
    {"level=2&pool_min_size=9&pool_threads=8", NULL},
    {"level=0&pool_threads=1",
     "threads 1 must not be below max_size 4: connections of driver fake do not move between "
     "threads at threadlevel 0"},
    {"level=1&pool_threads=2&pool_max_size=3",
     "threads 2 must not be below max_size 3: connections of driver fake do not move between "
     "threads at threadlevel 1"},
    {"level=1&pool_threads=5",
     "threads 5 is above max_size 4: driver fake runs one statement of a connection at a time"},
    {"level=2&pool_threads=3&pool_max_size=2",
     "threads 3 is above max_size 2: driver fake runs one statement of a connection at a time"},
    {"level=3&pool_threads=3&pool_max_size=2",
     "threads 3 is above max_size 2: driver fake runs one statement of a connection at a time"},
    {"level=2&parallel=on&pool_threads=3&pool_max_size=2",
     "threads 3 is above max_size 2: driver fake runs one statement of a connection at a time"},
    {"level=2&pool_threads=0", "pool_threads: 0 is out of range (1 to 10000)"},
    {"level=2&pool_threads=10001", "pool_threads: 10001 is out of range (1 to 10000)"},
    {"level=2&pool_threads=off", "pool_threads: \"off\" is not a value for it: a whole number"},
    {"level=2&pool_threads=1.5", "pool_threads: \"1.5\" is not a value for it: a whole number"},
};

START_TEST(how_many_threads_there_may_be)
{
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        const wish *one = &wishes[i];
        char url[256];
        dbal_error *error = NULL;
        snprintf(url, sizeof url, "fake:pool?%s", one->parameters);
        dbal_pool *made = dbal_pool_open(fixture.loop, url, NULL, &error);
        ck_assert_msg((made != NULL) == (one->refused == NULL), "%s: %s", url,
                      error != NULL ? dbal_error_message(error) : "");
        if (one->refused != NULL) {
            ck_assert_str_eq(dbal_error_message(error), one->refused);
            ck_assert(dbal_error_is(error, DBAL_ERROR_INTERFACE));
        }
        dbal_error_unref(error);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("gates");
    suite_add(suite, gate_is_chosen_by_level_face_and_wish, pool_fixture_init, pool_fixture_fini);
    suite_add(suite, a_gate_that_there_is_not, pool_fixture_init, pool_fixture_fini);
    suite_add(suite, how_many_threads_there_may_be, pool_fixture_init, pool_fixture_fini);
    return suite_run(suite);
}
