/* How much is said of deadlines, to a server that counts it. */
#include <stdio.h>
#include <string.h>

#include "tests/faults/postgres/play.h"
#include "tests/lib/wire_server.h"

static wire_server wire;

static void
open_wire(const char *settings)
{
    wire_server_start(&wire);
    pool = open_at(wire.url, settings);
    works(dbal_pool_ready(pool));
}

static void
close_wire(void)
{
    finished(dbal_pool_close(pool));
    wire_server_stop(&wire);
}

static void
has_said(int asked, int limits, int limit)
{
    ck_assert_int_eq(atomic_load(&wire.asked), asked);
    ck_assert_int_eq(atomic_load(&wire.limits), limits);
    ck_assert_int_eq(atomic_load(&wire.limit), limit);
}

static const line two_lines[] = {
    {"select 'a'", 0, "select 'a'"}, {"select 'b'", 0, "select 'b'"}, {NULL, 0, NULL}};

START_TEST(without_deadlines_nothing_is_said)
{

    open_wire(gates[_i]);
    for (int i = 0; i < 10; i++)
        works(timed("select 'x'", 0));
    in_transaction(two_lines);
    has_said(0, 0, 0);
    close_wire();
}
END_TEST

START_TEST(deadlines_that_are_alike_are_said_once)
{
    enum { MANY = 40 };
    seen all[MANY];
    open_wire(gates[_i]);
    for (int i = 0; i < MANY; i++)
        watch(timed("select 'x'", 5 + i * 0.05), &all[i]);
    until_all(all, MANY);
    for (int i = 0; i < MANY; i++)
        is_good(&all[i]);
    has_said(1, 1, 8192);
    for (int i = 0; i < 4; i++)
        works(timed("select 'x'", 0));
    has_said(1, 2, 0);
    close_wire();
}
END_TEST

START_TEST(a_pools_time_is_said_once)
{

    char settings[100];
    snprintf(settings, sizeof settings, "%s&pool_query_timeout=20", gates[_i]);
    open_wire(settings);
    in_transaction(two_lines);
    for (int i = 0; i < 10; i++)
        works(timed("select 'x'", 0));
    for (int i = 0; i < 10; i++)
        in_transaction(two_lines);
    has_said(1, 1, 32768);
    close_wire();
}
END_TEST

/* Statements that share a Sync with others have one limit with them. */
START_TEST(those_that_share_have_one)
{
    enum { MANY = 12 };
    seen all[MANY];
    static const char *const texts[MANY] = {"0", "1", "2", "3", "4",  "5",
                                            "6", "7", "8", "9", "10", "11"};
    open_wire("pool_max_size=1&pool_pipeline_wait=1");
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < MANY; i++) {
            dbal_params params = DBAL_PARAMS(dbal_text(texts[i]));
            watch(dbal_pool_run(pool,
                                DBAL_QUERY(.sql = "select $1", .params = params, .read_only = true,
                                           .timeout = i < MANY / 2 ? 5 : 100)),
                  &all[i]);
        }
        until_all(all, MANY);
        for (int i = 0; i < MANY; i++) {
            is_good(&all[i]);
            ck_assert_str_eq(all[i].text, texts[i]);
        }
    }
    has_said(1, 8, 131072);
    close_wire();
}
END_TEST

/* A server that has no such thing is not asked for it again, and its statements do not suffer. */
START_TEST(a_server_may_have_none)
{
    open_wire(gates[_i]);
    atomic_store(&wire.sets_nothing, true);
    for (int i = 0; i < 5; i++)
        works(timed("select 'x'", 5 + 100 * i));
    ck_assert_int_eq(atomic_load(&wire.asked), 1);
    ck_assert_int_eq(atomic_load(&wire.limits), 1);
    close_wire();
}
END_TEST

/* The limit of the one before is still in force: what has none is not to end by that. */
START_TEST(what_was_hit_by_a_limit_that_stayed_runs_again)
{
    static const char sql[] = "select 'x' -- stopped_once";
    open_wire(gates[_i]);
    works(timed("select 'x'", 5));
    atomic_store(&wire.sets_nothing, true);
    works(timed(sql, 0));
    ck_assert_int_eq(atomic_load(&wire.stopped), 2);
    /* one that was stopped otherwise does not */
    atomic_store(&wire.sets_nothing, false);
    works(timed("select 'x'", 0));
    atomic_store(&wire.stopped, 0);
    fails(timed(sql, 0), DBAL_ERROR_OPERATIONAL, "57014");
    ck_assert_int_eq(atomic_load(&wire.stopped), 1);
    close_wire();
}
END_TEST

START_TEST(a_session_is_made_as_new_without_a_limit)
{
    static const line lines[] = {
        {"set work_mem = 5", 0, ""}, {"select 'a'", 5, "select 'a'"}, {NULL, 0, NULL}};
    open_wire(gates[_i]);
    in_session(lines);
    works(timed("select 'x'", 0));
    ck_assert_uint_eq(counts(pool).resets, 1);
    has_said(1, 2, 0);
    close_wire();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("postgres-time-said");
    postgres_start(&server, NULL);
    play_add(suite, without_deadlines_nothing_is_said, GATES);
    play_add(suite, deadlines_that_are_alike_are_said_once, GATES);
    play_add(suite, a_pools_time_is_said_once, GATES);
    play_add(suite, those_that_share_have_one, 1);
    play_add(suite, a_server_may_have_none, GATES);
    play_add(suite, what_was_hit_by_a_limit_that_stayed_runs_again, GATES);
    play_add(suite, a_session_is_made_as_new_without_a_limit, 1);
    return suite_run(suite);
}
