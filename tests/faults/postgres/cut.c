/*
 * Lines that are cut, at any byte: what has arrived counts, what was not sent runs elsewhere, and of
 * the rest nothing is claimed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/postgres/fixture.h"
#include "tests/lib/proxy.h"

static proxy door;

START_TEST(cut_in_the_middle_of_a_message)
{
    enum { MANY = 12 };
    chance dice;
    chance_init(&dice);
    postgres_run(server.url, "set client_min_messages = error; drop table if exists cut; create "
                             "table cut(n int primary key)");
    for (unsigned round = 0; round < chance_rounds(60); round++) {
        seen all[MANY];
        char sql[MANY][120];
        pool = open_at(door.url, "pool_max_size=2");
        ck_assert_int_eq(number("select 18"), 18);
        postgres_run(server.url, "truncate cut");
        atomic_store(&door.most, 400 + chance_below(&dice, 4000));
        for (int i = 0; i < MANY; i++) {
            snprintf(sql[i], sizeof sql[i],
                     "insert into cut values (%d) returning n, repeat('x', %u)", i,
                     chance_below(&dice, 600));
            watch(ask(sql[i]), &all[i]);
        }
        /* nothing passes any more, so those that ran elsewhere wait for this */
        pass_time(0.02);
        atomic_store(&door.most, -1);
        until_all(all, MANY);
        for (int i = 0; i < MANY; i++) {
            char look[80];
            snprintf(look, sizeof look, "select count(*) from cut where n = %d", i);
            if (all[i].error_class == 0) {
                ck_assert_int_eq(all[i].value, i);
                ck_assert_int_eq(postgres_number(server.url, look), 1);
            } else {
                ck_assert_msg(all[i].connection_lost && all[i].execution == DBAL_EXECUTION_UNKNOWN,
                              "%s: %s", all[i].sqlstate, all[i].message);
            }
        }
        seen closed;
        watch(dbal_pool_close(pool), &closed);
        until_settled(&closed);
    }
}
END_TEST

START_TEST(answers_come_byte_by_byte)
{
    enum { MANY = 40 };
    seen all[MANY];
    pool = open_at(door.url, "pool_max_size=1");
    ck_assert_int_eq(number("select 18"), 18);
    atomic_store(&door.piece, 1);
    for (int i = 0; i < MANY; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "select %d", i);
        watch(ask(i % 7 == 3 ? "select 1/0" : sql), &all[i]);
    }
    until_all(all, MANY);
    for (int i = 0; i < MANY; i++) {
        if (i % 7 == 3) {
            is_bad(&all[i], DBAL_ERROR_DATA, "22012", DBAL_EXECUTION_FAILED);
            continue;
        }
        is_good(&all[i]);
        ck_assert_int_eq(all[i].value, i);
    }
}
END_TEST

/* The first fills the line, so that those behind it stay here. */
START_TEST(what_was_never_sent_runs_elsewhere)
{
    enum { SIZE = 24 << 20, BEHIND = 10 };
    seen large, behind[BEHIND];
    char *text = malloc(SIZE + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    pool = open_at(door.url, "pool_max_size=1");
    number("drop table if exists moved");
    number("create table moved(n int)");
    atomic_store(&door.held, true);
    watch(dbal_pool_query(pool, "select length($1)", DBAL_PARAMS(dbal_text(text))), &large);
    for (int i = 0; i < BEHIND; i++)
        watch(dbal_pool_query(pool, "insert into moved values ($1)", DBAL_PARAMS(dbal_int64(i))),
              &behind[i]);
    pass_time(0.1);
    proxy_cut(&door);
    atomic_store(&door.held, false);
    until_settled(&large);
    ck_assert(large.connection_lost);
    ck_assert_int_eq(large.execution, DBAL_EXECUTION_UNKNOWN);
    until_all(behind, BEHIND);
    for (int i = 0; i < BEHIND; i++)
        is_good(&behind[i]);
    ck_assert_int_eq(number("select count(*) from moved"), BEHIND);
    free(text);
}
END_TEST

static dbal_outcome
insert_one(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(
        dbal_connection_query(connection, "insert into slow_commit values (1)", DBAL_NO_PARAMS));
}

START_TEST(the_answer_to_a_commit_is_lost)
{
    static const char setup[] =
        "set client_min_messages = error; drop table if exists slow_commit; create table "
        "slow_commit(n int);"
        "create or replace function slow() returns trigger language plpgsql as "
        "$$ begin perform pg_sleep(0.4); return null; end $$;"
        "create constraint trigger slow after insert on slow_commit deferrable initially deferred "
        "for each row execute function slow()";
    seen end;
    postgres_run(server.url, setup);
    pool = open_at(door.url, "pool_max_size=1");
    ck_assert_int_eq(number("select 19"), 19);
    watch(dbal_pool_transaction(pool, NULL, insert_one, NULL), &end);
    until_at_work("commit");
    proxy_cut(&door);
    until_settled(&end);
    is_lost(&end, "08006");
    /* and it was kept */
    pass_time(0.6);
    ck_assert_int_eq(number("select count(*) from slow_commit"), 1);
}
END_TEST

/* ---- copies ---- */

static void
write_rows(dbal_copy *copy, void *arg)
{
    int64_t *rows = arg;
    char row[80];
    do
        snprintf(row, sizeof row, "%lld\n", (long long)*rows);
    while (dbal_copy_write(copy, row, strlen(row)) && ++*rows < 10000000);
}

START_TEST(a_copy_into_the_database_is_cut)
{
    for (int round = 0; round < 5; round++) {
        int64_t rows = 0;
        seen one;
        postgres_run(server.url, "set client_min_messages = error; drop table if exists copied; "
                                 "create table copied(n int)");
        pool = open_at(door.url, "pool_max_size=1");
        ck_assert_int_eq(number("select 23"), 23);
        watch(dbal_pool_copy_in(pool, "copy copied from stdin", write_rows, &rows), &one);
        pass_time(0.02 + 0.02 * round);
        ck_assert_int_gt(rows, 0);
        proxy_cut(&door);
        until_settled(&one);
        ck_assert_int_eq(one.error_class, DBAL_ERROR_OPERATIONAL);
        ck_assert(one.connection_lost);
        /* its end was not sent */
        ck_assert_int_ne(one.execution, DBAL_EXECUTION_UNKNOWN);
        ck_assert_int_eq(number("select 24"), 24);
        ck_assert_int_eq(postgres_number(server.url, "select count(*) from copied"), 0);
    }
}
END_TEST

static dbal_flow
read_bytes(dbal_stream *stream, const void *data, size_t size, void *arg)
{
    (void)stream, (void)data;
    *(size_t *)arg += size;
    return DBAL_CONTINUE;
}

START_TEST(a_copy_out_of_the_database_is_cut)
{
    chance dice;
    chance_init(&dice);
    for (int round = 0; round < 20; round++) {
        size_t bytes = 0;
        seen one;
        pool = open_at(door.url, "pool_max_size=1");
        ck_assert_int_eq(number("select 25"), 25);
        atomic_store(&door.most, 1000 + chance_below(&dice, 300000));
        watch(dbal_pool_copy_out(pool, "copy (select generate_series(1, 100000000)) to stdout",
                                 read_bytes, &bytes),
              &one);
        until_settled(&one);
        atomic_store(&door.most, -1);
        ck_assert_int_eq(one.error_class, DBAL_ERROR_OPERATIONAL);
        ck_assert(one.connection_lost);
        ck_assert_int_eq(number("select 26"), 26);
    }
}
END_TEST

static void
with_door(void)
{
    proxy_start(&door, &server);
}

static void
without_door(void)
{
    proxy_stop(&door);
}

static void
add_with_door(Suite *suite, const TTest *test, int timeout)
{
    TCase *one = tcase_create(test->name);
    tcase_set_timeout(one, timeout);
    tcase_add_checked_fixture(one, with_door, without_door);
    tcase_add_checked_fixture(one, fixture_init, fixture_fini);
    tcase_add_test(one, test);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("postgres-cut");
    postgres_start(&server, NULL);
    add_with_door(suite, cut_in_the_middle_of_a_message, 120);
    add_with_door(suite, answers_come_byte_by_byte, 60);
    add_with_door(suite, what_was_never_sent_runs_elsewhere, 60);
    add_with_door(suite, the_answer_to_a_commit_is_lost, 60);
    add_with_door(suite, a_copy_into_the_database_is_cut, 60);
    add_with_door(suite, a_copy_out_of_the_database_is_cut, 60);
    return suite_run(suite);
}
