/*
 * Statements that share a Sync, since they only read: each ends as it would by itself, whatever the
 * others do, and one that was no reader after all has changed nothing.
 */
#include <stdio.h>
#include <string.h>

#include "tests/faults/postgres/reads.h"

/* ---- what is shared ---- */

static const char moment[] = "select (extract(epoch from now()) * 1000000)::bigint";

static int
different(const seen *all, int count)
{
    int found = 0;
    for (int i = 0; i < count; i++) {
        is_good(&all[i]);
        int before = 0;
        while (before < i && all[before].value != all[i].value)
            before++;
        found += before == i;
    }
    return found;
}

START_TEST(those_of_a_turn_are_one_transaction)
{
    seen all[100];
    for (int i = 0; i < 5; i++) { /* nothing is known of it, whoever asks first */
        watch(read_plain(moment), &all[i]);
    }
    until_all(all, 5);
    ck_assert_int_eq(different(all, 5), 5);
    get_known(read_plain, moment);
    for (int i = 0; i < TURN; i++)
        watch(read_plain(moment), &all[i]);
    until_all(all, TURN);
    ck_assert_int_eq(different(all, TURN), 1);
    /* not without end */
    for (int i = 0; i < 60; i++)
        watch(read_plain(moment), &all[i]);
    until_all(all, 60);
    ck_assert_int_eq(different(all, 60), 2);
    for (int i = 0; i < TURN; i++)
        watch(ask(moment), &all[i]);
    until_all(all, TURN);
    ck_assert_int_eq(different(all, TURN), TURN);
}
END_TEST

START_TEST(what_may_write_stands_between_them)
{
    seen all[TURN + 1];
    get_known(read_plain, moment);
    for (int i = 0; i < TURN + 1; i++)
        watch(i == MIDDLE ? ask("insert into t values (1)") : read_plain(moment), &all[i]);
    until_all(all, TURN + 1);
    is_good(&all[MIDDLE]);
    ck_assert_int_eq(different(all, MIDDLE), 1);
    ck_assert_int_eq(different(all + MIDDLE + 1, TURN - MIDDLE), 1);
    ck_assert_int_ne(all[0].value, all[MIDDLE + 1].value);
    ck_assert_int_eq(number("select count(*) from t"), 2);
}
END_TEST

static dbal_flow
read_all(dbal_stream *stream, dbal_result *rows, void *arg)
{
    (void)stream;
    *(int64_t *)arg = dbal_result_int64(rows, 0, 0);
    return DBAL_CONTINUE;
}

START_TEST(a_stream_shares_nothing)
{
    seen all[3];
    int64_t streamed = 0;
    get_known(read_plain, moment);
    watch(read_plain(moment), &all[0]);
    watch(dbal_pool_stream(pool, DBAL_QUERY(.sql = moment, .read_only = true), read_all, &streamed),
          &all[1]);
    watch(read_plain(moment), &all[2]);
    until_all(all, 3);
    is_good(&all[1]);
    ck_assert_int_ne(streamed, 0);
    ck_assert_int_ne(streamed, all[0].value);
    ck_assert_int_ne(streamed, all[2].value);
}
END_TEST

/* ---- one that fails ---- */

START_TEST(only_the_one_that_fails_fails)
{
    seen all[TURN];
    char line[40];
    postgres_run(place.url, "create function noisy(n int) returns int language plpgsql as $$begin "
                            "raise notice 'asked for %;', n; return 100 / (n - 1000); end$$");
    get_known(read_as_one, "select noisy($1::int)");
    fixture.log = (log_lines){.count = 0};
    for (int i = 0; i < TURN; i++)
        watch(read_one("select noisy($1::int)", i == places[_i] ? 1000 : 1100 + i), &all[i]);
    until_all(all, TURN);
    for (int i = 0; i < TURN; i++) {
        if (i == places[_i]) {
            is_bad(&all[i], DBAL_ERROR_DATA, "22012", DBAL_EXECUTION_FAILED);
            continue;
        }
        is_good(&all[i]);
        ck_assert_int_eq(all[i].value, 100 / (100 + i));
        snprintf(line, sizeof line, "asked for %d;", 1100 + i);
        ck_assert_msg(log_lines_count(&fixture.log, line) == 1, "%s ran %u times", line,
                      log_lines_count(&fixture.log, line));
    }
}
END_TEST

START_TEST(all_of_them_fail)
{
    seen all[64];
    get_known(read_as_one, "select 1 / ($1::int - 1)");
    for (int i = 0; i < 64; i++)
        watch(read_as_one("select 1 / ($1::int - 1)"), &all[i]);
    until_all(all, 64);
    for (int i = 0; i < 64; i++)
        is_bad(&all[i], DBAL_ERROR_DATA, "22012", DBAL_EXECUTION_FAILED);
}
END_TEST

/* Every text is new to the server, or not: the one that cannot be prepared is among the others. */
START_TEST(one_that_cannot_be_prepared)
{
    seen all[TURN];
    char sql[TURN][60];
    for (int i = 0; i < TURN; i++) {
        snprintf(sql[i], sizeof sql[i],
                 i == places[_i] ? "select n from nowhere where n <> %d" : "select %d::bigint", i);
        watch(read_plain(sql[i]), &all[i]);
    }
    until_all(all, TURN);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < TURN; i++)
            watch(read_plain(sql[i]), &all[i]);
        until_all(all, TURN);
        for (int i = 0; i < TURN; i++) {
            if (i == places[_i])
                ck_assert_str_eq(all[i].sqlstate, "42P01");
            else
                is_good(&all[i]);
            ck_assert_int_eq(all[i].value, i == places[_i] ? 0 : i);
        }
    }
}
END_TEST

/* Without the loop; not for ever, since it may not have been sent yet. */
static void
rest_until_idle_behind(const char *sql)
{
    char text[200];
    snprintf(text, sizeof text,
             "select count(*) from pg_stat_activity where query = '%s' and state = 'idle'", sql);
    for (int i = 0; i < 20 && postgres_number(server.url, text) == 0; i++) {
    }
}

/*
 * All that comes at once is not read in one turn: it may end between an error and what ends that, and
 * one that was skipped is sent once more right there.
 */
START_TEST(the_reading_of_a_turn_ends_behind_an_error)
{
    enum { FAILS, SKIPPED, LARGE, FAILS_TOO, END, ALL };
    get_known(read_as_one, "select 100 / $1::int");
    get_known(read_as_one, "select $1::bigint");
    for (int rows = 490; rows < 520; rows++) {
        seen all[ALL];
        char sql[60], last[40];
        snprintf(sql, sizeof sql, "select generate_series(1, %d)", rows);
        snprintf(last, sizeof last, "select %d", rows);
        watch(read_one("select 100 / $1::int", 0), &all[FAILS]);
        watch(read_one("select $1::bigint", rows), &all[SKIPPED]);
        watch(ask(sql), &all[LARGE]);
        watch(ask("select 1 / 0"), &all[FAILS_TOO]);
        watch(ask(last), &all[END]);
        ev_run(fixture.ev, EVRUN_NOWAIT); /* they are sent, and all is answered before it goes on */
        rest_until_idle_behind(last);
        until_all(all, ALL);
        ck_assert_str_eq(all[FAILS].sqlstate, "22012");
        ck_assert_int_eq(all[SKIPPED].value, rows);
        is_good(&all[LARGE]);
        ck_assert_uint_eq(all[LARGE].rows, (size_t)rows);
        ck_assert_msg(strcmp(all[FAILS_TOO].sqlstate, "22012") == 0, "%s", all[FAILS_TOO].message);
        ck_assert_int_eq(all[END].value, rows);
    }
    ck_assert_uint_eq(counts(pool).lost, 0);
}
END_TEST

/* ---- one that was no reader ---- */

static const struct {
    const char *make, *sqlstate;
} liars[] = {
    {"insert into t values (1)", "25006"},
    {"perform set_config('transaction_read_only', 'off', true); insert into t values (1)", "25001"},
    {"perform set_config('transaction_read_only', 'off', false); insert into t values (1)",
     "25001"},
    {"set transaction read write; insert into t values (1)", "25001"},
    {"perform set_config('default_transaction_read_only', 'off', false); "
     "insert into t values (1)",
     "25006"},
    {"begin insert into t values (1); exception when others then null; end; "
     "insert into t values (1)",
     "25006"},
    {"perform nextval('s')", "25006"},
    {"execute 'create table made (n int)'", "25006"},
    {"perform n from t for update", "25006"},
    {"perform lo_from_bytea(17, 'x'); insert into t values (1)", "25006"},
};

enum { LIARS = sizeof liars / sizeof liars[0] };

START_TEST(one_that_would_write_is_caught)
{
    seen all[TURN], streamed;
    char sql[400];
    int64_t value = 0;
    snprintf(sql, sizeof sql,
             "create sequence s; create function liar() returns int language plpgsql as "
             "$$begin %s; return 1; end$$",
             liars[_i].make);
    postgres_run(place.url, sql);
    get_known(read_as_one, "select $1::bigint");
    for (int round = 0; round < 5; round++) { /* alone, and in company */
        for (int i = 0; i < TURN; i++)
            watch(i == places[round % 3] ? read_plain("select liar()")
                                         : read_one("select $1::bigint", i),
                  &all[i]);
        until_all(all, TURN);
        for (int i = 0; i < TURN; i++) {
            if (i == places[round % 3])
                ck_assert_msg(strcmp(all[i].sqlstate, liars[_i].sqlstate) == 0, "%s: %s %s",
                              liars[_i].make, all[i].sqlstate, all[i].message);
            else
                is_good(&all[i]);
            ck_assert_int_eq(all[i].value, i == places[round % 3] ? 0 : i);
        }
    }
    watch(dbal_pool_stream(pool, DBAL_QUERY(.sql = "select liar()", .read_only = true), read_all,
                           &value),
          &streamed);
    until_settled(&streamed);
    ck_assert_str_eq(streamed.sqlstate, liars[_i].sqlstate);
    ck_assert_int_eq(postgres_number(place.url, "select count(*) from t"), 1);
    ck_assert_int_eq(postgres_number(place.url, "select is_called::int from s"), 0);
    /* what comes next on that connection may write again */
    number("insert into t values (2) returning n");
    number("select nextval('s')");
    ck_assert_uint_eq(counts(pool).opened, 1);
}
END_TEST

/* ---- what somebody else does meanwhile ---- */

START_TEST(a_table_is_altered)
{
    seen all[TURN];
    get_known(read_plain, "select * from t");
    postgres_run(place.url, "alter table t alter n type text using n || ' as text'");
    for (int i = 0; i < TURN; i++)
        watch(read_plain(i % 4 == 3 ? moment : "select * from t"), &all[i]);
    until_all(all, TURN);
    for (int i = 0; i < TURN; i++) {
        is_good(&all[i]);
        ck_assert_msg(i % 4 == 3 || strcmp(all[i].text, "7 as text") == 0, "%s", all[i].text);
    }
}
END_TEST

START_TEST(the_server_forgets_what_it_has_prepared)
{
    seen all[TURN];
    postgres_run(place.url, "create function forget() returns int language plpgsql as $$begin "
                            "execute 'deallocate all'; return 1; end$$");
    get_known(read_plain, "select * from t");
    get_known(read_as_one, "select $1::bigint");
    number("select forget()");
    for (int i = 0; i < TURN; i++)
        watch(i % 2 == 0 ? read_plain("select * from t") : read_one("select $1::bigint", i),
              &all[i]);
    until_all(all, TURN);
    for (int i = 0; i < TURN; i++) {
        is_good(&all[i]);
        ck_assert_int_eq(all[i].value, i % 2 == 0 ? 7 : i);
    }
}
END_TEST

static bool
has_answered(void *arg)
{
    PGconn *other = arg;
    ck_assert_int_eq(PQconsumeInput(other), 1);
    return PQisBusy(other) == 0;
}

static void
tell(PGconn *other, const char *sql)
{
    PGresult *result = PQexec(other, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s", PQerrorMessage(other));
    PQclear(result);
}

/* The lock that the other one waits for is held by one that shares the Sync. */
START_TEST(a_deadlock_by_ones_company)
{
    seen all[2];
    char url[300];
    postgres_run(place.url, "create table a (n int); create table b (n int)");
    snprintf(url, sizeof url, "%s&options=-cdeadlock_timeout=500", reads_settings);
    pool = open_at(place.url, url);
    get_known(read_plain, "select count(*) from a");
    get_known(read_plain, "select count(*) from b");
    PGconn *other = postgres_connect(place.url);
    tell(other, "set deadlock_timeout = '60s'");
    tell(other, "begin");
    tell(other, "lock table b");
    watch(read_plain("select count(*) from a"), &all[0]);
    watch(read_plain("select count(*) from b"), &all[1]);
    until_at_work("select count(*) from b");
    ck_assert_int_eq(PQsendQuery(other, "lock table a"), 1);
    loop_fixture_until(&fixture, has_answered, other);
    PGresult *result = PQgetResult(other);
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s", PQerrorMessage(other));
    PQclear(result);
    while ((result = PQgetResult(other)) != NULL)
        PQclear(result);
    tell(other, "commit");
    until_all(all, 2);
    is_good(&all[0]);
    is_good(&all[1]);
    PQfinish(other);
}
END_TEST

/* ---- nobody can tell the difference ---- */

static const char *const mixed[] = {
    "select n from t where n = $1::bigint",
    "select 100 / $1::bigint",
    "select nothing from nowhere where $1::bigint = 1",
    "select $1::bigint, repeat('x', 5000)",
    "select n, n * $1::bigint from t order by n limit 50",
    "values ($1::bigint), (null)",
    "select count(*) from t where n < $1::bigint",
    "select $1::bigint::int2",
    "select pick($1::int)",
    "with w as (select $1::bigint as n) select n + 1 from w",
    "select from t where n > $1::bigint",
    "select generate_series(1, $1::bigint)",
};

enum { MIXED = sizeof mixed / sizeof mixed[0] };

START_TEST(reading_only_gives_the_same)
{
    chance dice;
    chance_init(&dice);
    postgres_run(place.url,
                 "insert into t select generate_series(10, 200);"
                 "create function pick(int) returns int language plpgsql as $$begin "
                 "if $1 % 5 = 0 then raise exception 'no %', $1; end if; return $1; end$$");
    dbal_pool *shared = pool, *plain = open_at(place.url, reads_settings);
    for (unsigned round = 0; round < chance_rounds(150); round++) {
        seen one[40], other[40];
        int count = 1 + (int)chance_below(&dice, 40);
        for (int i = 0; i < count; i++) {
            const char *sql = mixed[chance_below(&dice, MIXED)];
            int64_t value = (int64_t)chance_below(&dice, 12);
            value = value == 11 ? 40000 : value;
            pool = shared;
            watch(chance_below(&dice, 8) == 0
                      ? dbal_pool_query(pool, sql, DBAL_PARAMS(dbal_int64(value)))
                      : read_one(sql, value),
                  &one[i]);
            pool = plain;
            watch(dbal_pool_query(pool, sql, DBAL_PARAMS(dbal_int64(value))), &other[i]);
        }
        until_all(one, count);
        until_all(other, count);
        for (int i = 0; i < count; i++)
            ck_assert_msg(one[i].error_class == other[i].error_class &&
                              one[i].execution == other[i].execution &&
                              one[i].rows == other[i].rows &&
                              strcmp(one[i].sqlstate, other[i].sqlstate) == 0 &&
                              strcmp(one[i].message, other[i].message) == 0 &&
                              strcmp(one[i].text, other[i].text) == 0,
                          "seed %llu, round %u: %s%s, %s%s", (unsigned long long)dice.seed, round,
                          one[i].text, one[i].message, other[i].text, other[i].message);
    }
    ck_assert_uint_eq(counts(shared).lost, 0);
}
END_TEST

/* What the cache drops is closed, though it was dropped in the middle of a turn. */
START_TEST(many_texts_stay_within_the_cache)
{
    seen all[TURN];
    char sql[80];
    pool = open_at(place.url, "pool_max_size=1&pool_pipeline_wait=1&pool_statement_cache=10");
    for (int round = 0; round < 24; round++) {
        for (int i = 0; i < TURN; i++) {
            /* twice in a turn: prepared there */
            snprintf(sql, sizeof sql, "select %d::bigint", (round % 4 * TURN + i) / 2);
            watch(read_plain(sql), &all[i]);
        }
        until_all(all, TURN);
        for (int i = 0; i < TURN; i++) {
            is_good(&all[i]);
            ck_assert_int_eq(all[i].value, (round % 4 * TURN + i) / 2);
        }
    }
    for (int i = 0; i < 2 * TURN; i++)
        number("select 1");
    ck_assert_int_le(number("select count(*) from pg_prepared_statements"), 11);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("postgres-share");
    postgres_start(&server, NULL);
    reads_add(suite, those_of_a_turn_are_one_transaction, 1);
    reads_add(suite, what_may_write_stands_between_them, 1);
    reads_add(suite, a_stream_shares_nothing, 1);
    reads_add(suite, only_the_one_that_fails_fails, PLACES);
    reads_add(suite, all_of_them_fail, 1);
    reads_add(suite, the_reading_of_a_turn_ends_behind_an_error, 1);
    reads_add(suite, one_that_cannot_be_prepared, PLACES);
    reads_add(suite, one_that_would_write_is_caught, LIARS);
    reads_add(suite, a_table_is_altered, 1);
    reads_add(suite, the_server_forgets_what_it_has_prepared, 1);
    reads_add(suite, a_deadlock_by_ones_company, 1);
    reads_add(suite, reading_only_gives_the_same, 1);
    reads_add(suite, many_texts_stay_within_the_cache, 1);
    return suite_run(suite);
}
