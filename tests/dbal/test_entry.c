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
    atomic_store(&connection.life, DBAL__ENTRY_OPEN);
    atomic_store(&second.life, DBAL__ENTRY_OPEN);
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
expect_in(const char *the_operation, unsigned count, const char *text, uintptr_t here,
          uintptr_t other)
{
    ck_assert_uint_eq(breaches, count * CHECKED);
    if (breaches == 0)
        return;
    ck_assert_str_eq(driver, "fake");
    ck_assert_str_eq(operation, the_operation);
    ck_assert_msg(strstr(what, text) != NULL, "\"%s\" says nothing of \"%s\"", what, text);
    ck_assert_uint_eq(this_thread, here);
    ck_assert_uint_eq(other_thread, other);
}

static void
expect(unsigned count, const char *text, uintptr_t here, uintptr_t other)
{
    expect_in("run", count, text, here, other);
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

/* ---- the order, at every level ---- */

static void
open_and_close(dbal__entry *one, int level)
{
    dbal__entry_open_begin(&whole, one, level, "fake");
    dbal__entry_open_end(&whole, one, level, true);
    visit(one, level);
    dbal__entry_close_begin(&whole, one, level, "fake");
    dbal__entry_close_end(&whole, one, level);
}

static void
set_up(int level)
{
    setup();
    memset(&connection, 0, sizeof connection);
    dbal__entry_library_begin(&whole, level, "fake", true);
    dbal__entry_library_end(&whole, level, true);
}

START_TEST(whole_life_of_a_connection)
{
    for (int level = -1; level <= 3; level++) {
        set_up(level);
        dbal__entry failed = {0};
        dbal__entry_open_begin(&whole, &failed, level, "fake");
        dbal__entry_open_end(&whole, &failed, level, false);
        open_and_close(&connection, level);
        if (level > 0) {
            dbal__entry_library_begin(&whole, level, "fake", false);
            dbal__entry_library_end(&whole, level, false);
        }
        ck_assert_uint_eq(breaches, 0);
    }
}
END_TEST

START_TEST(use_of_what_is_not_open)
{
    for (int level = 0; level <= 3; level++) {
        set_up(level);
        visit(&connection, level);
        expect(1, "is not open", self(), level == 1 ? self() : 0);
        set_up(level);
        open_and_close(&connection, level);
        visit(&connection, level);
        expect(1, "is closed", self(), level == 1 ? self() : 0);
    }
}
END_TEST

START_TEST(opened_or_closed_twice)
{
    for (int level = 0; level <= 3; level++) {
        set_up(level);
        open_and_close(&connection, level);
        dbal__entry_open_begin(&whole, &connection, level, "fake");
        expect_in("open", 1, "is closed", self(), level == 1 ? self() : 0);
        set_up(level);
        open_and_close(&connection, level);
        dbal__entry_close_begin(&whole, &connection, level, "fake");
        expect_in("close", 1, "is closed", self(), level == 1 ? self() : 0);
    }
}
END_TEST

START_TEST(close_while_a_statement_runs_at_level_3)
{
    dbal__entry_begin(&whole, &connection, 3, "fake", "run");
    dbal__entry_close_begin(&whole, &connection, 3, "fake");
    expect_in("close", 1, "something runs", self(), 0);
}
END_TEST

START_TEST(statement_while_it_is_being_closed_at_level_3)
{
    dbal__entry_close_begin(&whole, &connection, 3, "fake");
    visit(&connection, 3);
    expect(1, "is being closed", self(), 0);
}
END_TEST

START_TEST(interrupt_while_a_statement_runs)
{
    for (int level = 0; level <= 3; level++) {
        setup();
        dbal__entry_begin(&whole, &connection, level, "fake", "run");
        dbal__entry_interrupt_begin(&connection, "fake");
        dbal__entry_interrupt_end(&connection);
        dbal__entry_end(&whole, &connection, level);
        ck_assert_uint_eq(breaches, 0);
    }
}
END_TEST

START_TEST(interrupt_of_nothing)
{
    dbal__entry_interrupt_begin(&connection, "fake");
    expect_in("interrupt", 1, "nothing runs", self(), 0);
}
END_TEST

START_TEST(interrupt_while_it_is_being_closed)
{
    dbal__entry_close_begin(&whole, &connection, 3, "fake");
    dbal__entry_interrupt_begin(&connection, "fake");
    expect_in("interrupt", 1, "is being closed", self(), 0);
}
END_TEST

START_TEST(close_while_it_is_being_interrupted)
{
    dbal__entry_begin(&whole, &connection, 3, "fake", "run");
    dbal__entry_interrupt_begin(&connection, "fake");
    dbal__entry_end(&whole, &connection, 3);
    dbal__entry_close_begin(&whole, &connection, 3, "fake");
    expect_in("close", 1, "being interrupted", self(), 0);
}
END_TEST

START_TEST(library_set_up_twice)
{
    for (int level = 0; level <= 3; level++) {
        set_up(level);
        dbal__entry_library_begin(&whole, level, "fake", true);
        expect_in("library_init", 1, "set up already", self(), level == 0 ? self() : 0);
    }
}
END_TEST

START_TEST(library_taken_down_while_a_connection_is_open)
{
    set_up(1);
    dbal__entry_open_begin(&whole, &connection, 1, "fake");
    dbal__entry_open_end(&whole, &connection, 1, true);
    dbal__entry_library_begin(&whole, 1, "fake", false);
    expect_in("library_exit", 1, "connections are open", self(), 0);
}
END_TEST

START_TEST(library_taken_down_at_level_0)
{
    set_up(0);
    dbal__entry_library_begin(&whole, 0, "fake", false);
    expect_in("library_exit", 1, "stays set up", self(), self());
}
END_TEST

START_TEST(connection_opened_without_the_library)
{
    memset(&connection, 0, sizeof connection);
    dbal__entry_open_begin(&whole, &connection, 3, "fake");
    expect_in("open", 1, "not set up", self(), 0);
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
        whole_life_of_a_connection,
        use_of_what_is_not_open,
        opened_or_closed_twice,
        close_while_a_statement_runs_at_level_3,
        statement_while_it_is_being_closed_at_level_3,
        interrupt_while_a_statement_runs,
        interrupt_of_nothing,
        interrupt_while_it_is_being_closed,
        close_while_it_is_being_interrupted,
        library_set_up_twice,
        library_taken_down_while_a_connection_is_open,
        library_taken_down_at_level_0,
        connection_opened_without_the_library,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], setup, teardown);
    return suite_run(suite);
}
