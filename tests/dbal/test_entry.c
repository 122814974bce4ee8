/* The check that the gates keep to the declared threadlevel: what it reports, and what it does not. */
#include <pthread.h>
#include <string.h>

#include "dbal/entry.h"
#include "tests/lib/suite.h"

#ifdef DBAL_CHECKS
static const unsigned CHECKED = 1;
#else
static const unsigned CHECKED = 0;
#endif

static unsigned breaches;
static char driver[32], operation[32], what[128];
static uintptr_t this_thread, other_thread;

static void
breach(const char *the_driver, const char *the_operation, const char *the_what, uintptr_t here,
       uintptr_t other)
{
    breaches++;
    strncpy(driver, the_driver, sizeof driver - 1);
    strncpy(operation, the_operation, sizeof operation - 1);
    strncpy(what, the_what, sizeof what - 1);
    this_thread = here;
    other_thread = other;
}

static dbal__entry whole, connection, second;

static void
setup(void)
{
    memset(&whole, 0, sizeof whole);
    memset(&connection, 0, sizeof connection);
    memset(&second, 0, sizeof second);
    breaches = 0;
    dbal__entry_set_breach(breach);
}

static void
teardown(void)
{
    dbal__entry_set_breach(NULL);
}

/* Enters and leaves. */
static void
visit(dbal__entry *one, int level)
{
    dbal__entry_begin(&whole, one, level, "fake", "run");
    dbal__entry_end(&whole, one, level);
}

typedef struct visitor {
    dbal__entry *one;
    int level;
    uintptr_t self;
} visitor;

static void *
visit_elsewhere(void *arg)
{
    visitor *guest = arg;
    guest->self = (uintptr_t)pthread_self();
    visit(guest->one, guest->level);
    return NULL;
}

/* The same in another thread; what that thread was. */
static uintptr_t
visit_from_another_thread(dbal__entry *one, int level)
{
    visitor guest = {.one = one, .level = level};
    pthread_t thread;
    pthread_create(&thread, NULL, visit_elsewhere, &guest);
    pthread_join(thread, NULL);
    return guest.self;
}

static void
expect(unsigned count, const char *text, uintptr_t here, uintptr_t other)
{
    ck_assert_uint_eq(breaches, count * CHECKED);
    if (breaches == 0)
        return;
    ck_assert_str_eq(driver, "fake");
    ck_assert_str_eq(operation, "run");
    ck_assert_msg(strstr(what, text) != NULL, "\"%s\" says nothing of \"%s\"", what, text);
    ck_assert_uint_eq(this_thread, here);
    ck_assert_uint_eq(other_thread, other);
}

static uintptr_t
self(void)
{
    return (uintptr_t)pthread_self();
}

START_TEST(one_thread_may_come_again_and_again_at_every_level)
{
    for (int level = -1; level <= 3; level++) {
        for (int i = 0; i < 3; i++) {
            visit(&connection, level);
            visit(&second, level);
        }
    }
    ck_assert_uint_eq(breaches, 0);
}
END_TEST

START_TEST(another_thread_in_a_driver_of_level_0)
{
    visit(&connection, 0);
    uintptr_t other = visit_from_another_thread(&second, 0);
    expect(1, "belongs to another thread", other, self());
}
END_TEST

START_TEST(driver_that_declares_nothing_is_of_level_0)
{
    visit(&connection, -1);
    uintptr_t other = visit_from_another_thread(&second, -1);
    expect(1, "belongs to another thread", other, self());
}
END_TEST

START_TEST(another_thread_in_a_connection_of_level_1)
{
    visit(&connection, 1);
    visit_from_another_thread(&second, 1);
    ck_assert_uint_eq(breaches, 0);
    uintptr_t other = visit_from_another_thread(&connection, 1);
    expect(1, "belongs to another thread", other, self());
}
END_TEST

START_TEST(connection_of_level_2_may_move_between_threads)
{
    visit(&connection, 2);
    visit_from_another_thread(&connection, 2);
    visit(&connection, 2);
    ck_assert_uint_eq(breaches, 0);
}
END_TEST

START_TEST(two_threads_at_once_in_a_connection_of_level_2)
{
    dbal__entry_begin(&whole, &connection, 2, "fake", "run");
    uintptr_t other = visit_from_another_thread(&connection, 2);
    expect(1, "at the same time", other, self());
    dbal__entry_end(&whole, &connection, 2);
    visit_from_another_thread(&connection, 2);
    ck_assert_uint_eq(breaches, CHECKED);
}
END_TEST

/* It is at the same time, and by a thread to which the connection does not belong. */
START_TEST(two_threads_at_once_in_a_connection_of_level_1)
{
    dbal__entry_begin(&whole, &connection, 1, "fake", "run");
    uintptr_t other = visit_from_another_thread(&connection, 1);
    expect(2, "belongs to another thread", other, self());
    dbal__entry_end(&whole, &connection, 1);
}
END_TEST

START_TEST(two_threads_at_once_in_two_connections)
{
    for (int level = 1; level <= 3; level++) {
        setup();
        dbal__entry_begin(&whole, &connection, level, "fake", "run");
        visit_from_another_thread(&second, level);
        dbal__entry_end(&whole, &connection, level);
        ck_assert_uint_eq(breaches, 0);
    }
}
END_TEST

START_TEST(driver_entered_again_from_inside)
{
    for (int level = 0; level <= 2; level++) {
        setup();
        dbal__entry_begin(&whole, &connection, level, "fake", "open");
        dbal__entry_begin(&whole, &connection, level, "fake", "run");
        expect(1, "from inside", self(), self());
        dbal__entry_end(&whole, &connection, level);
    }
}
END_TEST

/* At level 0 it is the driver that is entered, whatever the connection. */
START_TEST(driver_of_level_0_entered_again_by_another_connection)
{
    dbal__entry_begin(&whole, &connection, 0, "fake", "open");
    dbal__entry_begin(&whole, &second, 0, "fake", "run");
    expect(1, "from inside", self(), self());
    dbal__entry_end(&whole, &connection, 0);
}
END_TEST

START_TEST(anything_goes_at_level_3)
{
    dbal__entry_begin(&whole, &connection, 3, "fake", "run");
    dbal__entry_begin(&whole, &connection, 3, "fake", "run");
    visit_from_another_thread(&connection, 3);
    dbal__entry_end(&whole, &connection, 3);
    dbal__entry_end(&whole, &connection, 3);
    ck_assert_uint_eq(breaches, 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("entry");
    const TTest *const tests[] = {
        one_thread_may_come_again_and_again_at_every_level,
        another_thread_in_a_driver_of_level_0,
        driver_that_declares_nothing_is_of_level_0,
        another_thread_in_a_connection_of_level_1,
        connection_of_level_2_may_move_between_threads,
        two_threads_at_once_in_a_connection_of_level_2,
        two_threads_at_once_in_a_connection_of_level_1,
        two_threads_at_once_in_two_connections,
        driver_entered_again_from_inside,
        driver_of_level_0_entered_again_by_another_connection,
        anything_goes_at_level_3,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
