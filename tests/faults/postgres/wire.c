/*
 * Servers and poolers that do not keep to the protocol: every Deferred settles within its time, none
 * with another one's rows, and the pool goes on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/faults/postgres/fixture.h"
#include "tests/lib/wire_server.h"

static wire_server wire;

/* libpq itself loses the columns it was told of when a Sync or a COPY comes instead of rows. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
    return "leak:PQmakeEmptyPGresult\n";
}

enum { FLIGHT = 6 };

static const double TIMEOUT = 0.5, PATIENCE = 3;

/* One of a flight misbehaves. */
static void
fly(const char *word, int place, unsigned round)
{
    seen all[FLIGHT];
    char sql[FLIGHT][100];
    seen ready;
    watch(dbal_pool_ready(pool), &ready);
    until_settled(&ready);
    double began = seconds();
    for (int i = 0; i < FLIGHT; i++) {
        snprintf(sql[i], sizeof sql[i], "select 'q%d of %s'%s%s", i, word, i == place ? " -- " : "",
                 i == place ? word : "");
        watch(dbal_pool_run(pool, DBAL_QUERY(.sql = sql[i], .timeout = TIMEOUT)), &all[i]);
    }
    until_all(all, FLIGHT);
    ck_assert_msg(seconds() - began < PATIENCE, "%s at %d took %g s", word, place,
                  seconds() - began);
    for (int i = 0; i < FLIGHT; i++)
        ck_assert_msg(all[i].error_class != 0 || all[i].rows == 0 ||
                          strncmp(all[i].text, sql[i], sizeof all[i].text - 1) == 0,
                      "%s at %d, round %u: %s has got %s", word, place, round, sql[i], all[i].text);
    /* those before it have nothing to do with it */
    for (int i = 0; i < place && strncmp(word, "idle", 4) != 0; i++)
        ck_assert_msg(all[i].error_class == 0 && all[i].rows == 1, "%s at %d: %s: %s", word, place,
                      sql[i], all[i].message);
}

/* The same among those that share a Sync: what they say is their parameter. */
static void
fly_together(const char *word, int place)
{
    seen all[FLIGHT];
    char text[FLIGHT][100];
    double began = seconds();
    for (int i = 0; i < FLIGHT; i++) {
        snprintf(text[i], sizeof text[i], "'q%d of %s'%s%s", i, word, i == place ? " -- " : "",
                 i == place ? word : "");
        watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "select $1", .timeout = TIMEOUT,
                                             .params = DBAL_PARAMS(dbal_text(text[i])),
                                             .read_only = true)),
              &all[i]);
    }
    until_all(all, FLIGHT);
    ck_assert_msg(seconds() - began < PATIENCE, "%s at %d together took %g s", word, place,
                  seconds() - began);
    bool fails_alone = strcmp(word, "error") == 0 || strcmp(word, "commit_error") == 0;
    for (int i = 0; i < FLIGHT; i++) {
        ck_assert_msg(all[i].error_class != 0 || all[i].rows == 0 ||
                          strncmp(all[i].text, text[i], sizeof all[i].text - 1) == 0,
                      "%s at %d together: %s has got %s", word, place, text[i], all[i].text);
        ck_assert_msg(!fails_alone || (i == place) == (all[i].error_class != 0),
                      "%s at %d together: %s: %s", word, place, text[i], all[i].message);
    }
}

static void
misbehave_together(const char *word)
{
    for (int place = 0; place < FLIGHT; place += 2) {
        seen one;
        pool = open_at(wire.url, "pool_max_size=1&pool_cancel_timeout=0.2&pool_pipeline_wait=1");
        for (int i = 0; i < 3; i++) {
            watch(dbal_pool_query(pool, "select $1", DBAL_PARAMS(dbal_text("known"))), &one);
            until_settled(&one);
            is_good(&one);
        }
        for (int round = 0; round < 2; round++)
            fly_together(word, place);
        watch(dbal_pool_query(pool, "select $1", DBAL_PARAMS(dbal_text("after"))), &one);
        until_settled(&one);
        ck_assert_msg(one.error_class == 0 && strcmp(one.text, "after") == 0, "after %s: %s %s",
                      word, one.text, one.message);
        watch(dbal_pool_close(pool), &one);
        until_settled(&one);
    }
}

static void
misbehave(const char *word)
{
    for (int place = 0; place < FLIGHT; place += 2) {
        char sql[100];
        seen after, closed;
        pool = open_at(wire.url, "pool_max_size=1&pool_cancel_timeout=0.2");
        for (unsigned round = 0; round < 3; round++)
            fly(word, place, round);
        snprintf(sql, sizeof sql, "select 'after %s at %d'", word, place);
        watch(dbal_pool_run(pool, DBAL_QUERY(.sql = sql, .timeout = 3)), &after);
        until_settled(&after);
        ck_assert_msg(after.error_class == 0 && strcmp(after.text, sql) == 0, "%s: %s %s", sql,
                      after.text, after.message);
        watch(dbal_pool_close(pool), &closed);
        until_settled(&closed);
    }
}

START_TEST(every_misbehaviour_at_every_place)
{
    const char *only = getenv("DBAL_TEST_WORD");
    /* an answer too many with an end of its own is just like that to the next statement */
    if (strcmp(wire_words[_i], "idle_rows") != 0)
        misbehave(only != NULL ? only : wire_words[_i]);
}
END_TEST

START_TEST(every_misbehaviour_among_those_that_share)
{
    const char *only = getenv("DBAL_TEST_WORD");
    if (strncmp(wire_words[_i], "idle_", 5) != 0)
        misbehave_together(only != NULL ? only : wire_words[_i]);
}
END_TEST

/* What cannot be made to read only does not run; each is told why, and none waits for ever. */
START_TEST(a_server_that_knows_no_such_transaction)
{
    seen all[FLIGHT], other;
    pool = open_at(wire.url, "pool_max_size=1&pool_pipeline_wait=1");
    for (int round = 0; round < 4; round++) {
        atomic_store(&wire.sets_nothing, round % 2 == 1);
        for (int i = 0; i < FLIGHT; i++)
            watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "select 'read'", .read_only = true)),
                  &all[i]);
        watch(ask("select 'other'"), &other);
        until_all(all, FLIGHT);
        until_settled(&other);
        for (int i = 0; i < FLIGHT; i++)
            ck_assert_msg(strcmp(all[i].sqlstate, round % 2 == 1 ? "42704" : "") == 0, "%s",
                          all[i].message);
        is_good(&other);
    }
    ck_assert_uint_eq(counts(pool).lost, 0);
}
END_TEST

/* Nothing is in flight, so that it may not be taken for the answer to what is asked next. */
START_TEST(what_comes_when_nothing_is_asked)
{
    static const char *const words[] = {"idle_rows", "idle_row", "idle_error", "idle_garbage"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        pool = open_at(wire.url, "pool_max_size=1&pool_cancel_timeout=0.2");
        for (int round = 0; round < 10; round++) {
            seen one, two;
            char sql[100], next[100];
            snprintf(sql, sizeof sql, "select 'asked' -- %s", words[i]);
            snprintf(next, sizeof next, "select 'next %d'", round);
            watch(dbal_pool_run(pool, DBAL_QUERY(.sql = sql, .timeout = 1)), &one);
            until_settled(&one);
            if (round % 2 == 0)
                pass_time(0.01);
            watch(dbal_pool_run(pool, DBAL_QUERY(.sql = next, .timeout = 1)), &two);
            until_settled(&two);
            /* the connection is none to trust: what is seen in time goes to another */
            if (round % 2 == 0)
                is_good(&two);
            ck_assert_msg(two.error_class != 0 || strcmp(two.text, next) == 0, "%s: %s has got %s",
                          words[i], next, two.text);
        }
    }
}
END_TEST

static bool
has_opened(void *arg)
{
    return counts(pool).opened == *(uint64_t *)arg && counts(pool).connections == 1;
}

/*
 * A server that has become a standby since the login is left, by one connection after another: what it
 * was is elsewhere now. One that only refuses, or was a standby at the login, is what was asked for.
 */
START_TEST(a_server_that_has_become_a_standby_is_left)
{
    seen one;
    uint64_t two = 2;
    pool = open_at(wire.url, "pool_max_size=1&pool_min_size=1");
    watch(ask("select 'write' -- read_only"), &one);
    until_settled(&one);
    is_bad(&one, DBAL_ERROR_OPERATIONAL, "25006", DBAL_EXECUTION_FAILED);
    ck_assert_uint_eq(counts(pool).opened, 1);
    watch(ask("select 'write' -- demoted"), &one);
    atomic_store(&wire.is_standby, true);
    until_settled(&one);
    is_bad(&one, DBAL_ERROR_OPERATIONAL, "25006", DBAL_EXECUTION_FAILED);
    loop_fixture_until(&fixture, has_opened, &two);
    ck_assert_uint_eq(counts(pool).lost, 0);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "has become a standby"), 1);
    watch(ask("select 'write' -- demoted"), &one);
    until_settled(&one);
    watch(ask("select 'read'"), &one);
    until_settled(&one);
    is_good(&one);
    ck_assert_uint_eq(counts(pool).opened, 2);
    atomic_store(&wire.is_standby, false);
}
END_TEST

/* A transaction that nobody knows of is nobody's place to be. */
static void
hide_a_transaction(const char *word)
{
    seen hidden, behind[3], after;
    char sql[80];
    pool = open_at(wire.url, "pool_max_size=1");
    snprintf(sql, sizeof sql, "select 'hidden' -- %s", word);
    watch(ask(sql), &hidden);
    for (int i = 0; i < 3; i++)
        watch(ask("select 'behind'"), &behind[i]);
    until_settled(&hidden);
    until_all(behind, 3);
    for (int i = 0; i < 3; i++)
        ck_assert(behind[i].error_class == 0 || behind[i].connection_lost ||
                  strcmp(behind[i].sqlstate, "25001") == 0);
    watch(ask("select 'after'"), &after);
    until_settled(&after);
    is_good(&after);
    ck_assert_uint_eq(counts(pool).lost, 1);
    ck_assert_uint_eq(counts(pool).opened, 2);
}

START_TEST(a_lane_with_a_hidden_transaction_is_given_up)
{
    hide_a_transaction("begin");
    hide_a_transaction("transaction");
}
END_TEST

/*
 * FATAL that says nothing of the server's source comes from in between (PgBouncer's query_timeout, say):
 * the server may well go on with what it was sent, which must not be run once more.
 */
START_TEST(what_is_said_in_between_is_not_the_servers_last_word)
{
    seen fatal, behind[3], after;
    pool = open_at(wire.url, "pool_max_size=1");
    watch(ask("select 'warm'"), &after);
    until_settled(&after);
    watch(ask("select 'first' -- fatal"), &fatal);
    for (int i = 0; i < 3; i++)
        watch(ask("select 'behind'"), &behind[i]);
    until_settled(&fatal);
    until_all(behind, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert(behind[i].connection_lost);
        ck_assert_int_eq(behind[i].execution, DBAL_EXECUTION_UNKNOWN);
    }
    watch(ask("select 'after'"), &after);
    until_settled(&after);
    is_good(&after);
}
END_TEST

START_TEST(floods_need_no_memory)
{
    static const char *const words[] = {"flood", "statuses", "notifies"};
    pool = open_at(wire.url, "pool_max_size=1");
    for (int warm = 0; warm < 2; warm++) {
        size_t before = resident();
        for (int i = 0; i < 30; i++) {
            seen one;
            char sql[100];
            snprintf(sql, sizeof sql, "select 'wet' -- %s", words[i % 3]);
            watch(ask(sql), &one);
            until_settled(&one);
            is_good(&one);
        }
        if (warm == 1 && getenv("DBAL_TEST_FULL") == NULL)
            ck_assert_uint_lt(resident(), before + (16u << 20));
    }
}
END_TEST

static void
with_wire(void)
{
    wire_server_start(&wire);
    loop_fixture_init(&fixture);
}

static void
without_wire(void)
{
    loop_fixture_fini(&fixture);
    wire_server_stop(&wire);
}

int
main(void)
{
    Suite *suite = suite_create("postgres-wire");
    int words = 0;
    while (wire_words[words] != NULL)
        words++;
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_checked_fixture(all, with_wire, without_wire);
    tcase_add_loop_test(all, every_misbehaviour_at_every_place, 0, words);
    tcase_add_loop_test(all, every_misbehaviour_among_those_that_share, 0, words);
    suite_add_tcase(suite, all);
    suite_add(suite, a_server_that_knows_no_such_transaction, with_wire, without_wire);
    suite_add(suite, what_comes_when_nothing_is_asked, with_wire, without_wire);
    suite_add(suite, a_server_that_has_become_a_standby_is_left, with_wire, without_wire);
    suite_add(suite, a_lane_with_a_hidden_transaction_is_given_up, with_wire, without_wire);
    suite_add(suite, what_is_said_in_between_is_not_the_servers_last_word, with_wire, without_wire);
    suite_add(suite, floods_need_no_memory, with_wire, without_wire);
    return suite_run(suite);
}
