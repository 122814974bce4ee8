/*
 * What is left of a deadline is the server's own limit too: what no cancel reaches ends by itself.
 */
#include <stdio.h>
#include <string.h>

#include "tests/faults/postgres/play.h"
#include "tests/lib/proxy.h"

static const char show[] = "show statement_timeout";
static void
begin(int gate, const char *settings)
{
    char all[200];
    snprintf(all, sizeof all, "%s%s%s", gates[gate], settings[0] != '\0' ? "&" : "", settings);
    open_pool(all);
}

/* For a statement with such a time, 0: none, the limit is this. */
static void
is_limited(double timeout, const char *limit)
{
    seen one = finished(timed(show, timeout));
    is_good(&one);
    ck_assert_msg(strcmp(one.text, limit) == 0, "with %g s: %s, and not %s", timeout, one.text,
                  limit);
}

/* ---- how long ---- */

START_TEST(a_deadline_is_a_limit_of_the_servers)
{
    begin(_i, "");
    is_limited(0, "0");
    is_limited(5, "8192ms");
    is_limited(7, "8192ms");
    is_limited(2.5, "8192ms"); /* alike enough */
    is_limited(1, "1024ms");
    is_limited(0.4, "1024ms");
    is_limited(0, "0");
    is_limited(0.4, "512ms"); /* the least there is */
    is_limited(30, "32768ms");
    is_limited(0, "0");
    is_limited(40 * 24 * 3600.0, "0"); /* longer than the server's can be */
}
END_TEST

START_TEST(the_sessions_own_is_never_made_longer)
{
    begin(_i, "statement_timeout=7s");
    is_limited(0, "7s");
    is_limited(60, "7s");
    is_limited(5, "7s");
    is_limited(1, "1024ms");
    is_limited(60, "7s");
    is_limited(1, "1024ms");
    is_limited(0, "7s");
}
END_TEST

START_TEST(the_roles_own_too)
{
    postgres_run(server.url, "alter role postgres set statement_timeout = '2min'");
    begin(_i, "");
    postgres_run(server.url, "alter role postgres reset statement_timeout");
    is_limited(3600, "2min");
    is_limited(5, "8192ms");
    is_limited(0, "2min");
}
END_TEST

/* Its error is as it ever was, also where the statement has a deadline. */
START_TEST(the_sessions_own_has_its_own_error)
{
    begin(_i, "statement_timeout=50ms");
    fails(timed("select pg_sleep(1000)", 0), DBAL_ERROR_OPERATIONAL, "57014");
    fails(timed("select pg_sleep(1000)", 20), DBAL_ERROR_OPERATIONAL, "57014");
}
END_TEST

/* ---- transactions ---- */

static const line limited_lines[] = {
    {show, 0, "0"}, {show, 5, "8192ms"}, {show, 0.5, "512ms"}, {NULL, 0, NULL}};
static const line failing_lines[] = {{show, 0, "0"},
                                     {show, 5, "8192ms"},
                                     {show, 0.5, "512ms"},
                                     {"select 1/0", 0, "!22012"},
                                     {NULL, 0, NULL}};

static void
fails_in_transaction(void)
{
    script one = {.at = failing_lines, .fails = true};
    fails(dbal_pool_transaction(pool, NULL, play, &one), DBAL_ERROR_DATA, "22012");
}

START_TEST(a_transaction_may_set_and_undo_it)
{
    begin(_i, "");
    in_transaction(limited_lines);
    is_limited(0, "0");
    is_limited(0.5, "512ms");
    fails_in_transaction();
    is_limited(30, "32768ms");
    fails_in_transaction();
    is_limited(0, "0");
}
END_TEST

static const line raw_lines[] = {
    {"begin", 0, ""},
    {"set transaction isolation level repeatable read", 5, ""},
    {show, 5, "8192ms"},
    {"savepoint one", 0, ""},
    {show, 0.5, "512ms"},
    {"rollback to savepoint one", 0, ""},
    {show, 0.5, "512ms"},
    {"rollback to savepoint one", 0, ""},
    {show, 0, "0"},
    {"rollback", 0, ""},
    {show, 5, "8192ms"},
    /* nothing can be set in one that has failed; what comes behind it is as it should be */
    {"begin", 0, ""},
    {"select 1/0", 0.5, "!22012"},
    {show, 30, "!25P02"},
    {show, 0, "!25P02"},
    {"commit", 5, "!25P02"},
    {show, 0, "0"},
    {"begin", 0, ""},
    {"select 1/0", 0.5, "!22012"},
    {"rollback", 0, ""},
    {show, 0.5, "512ms"},
    {NULL, 0, NULL}};

START_TEST(a_session_may_do_so_by_hand)
{
    begin(_i, "");
    in_session(raw_lines);
    is_limited(0, "0");
}
END_TEST

/* What a transaction sees is what is there when it first asks, behind its locks. */
static const line lock_lines[] = {{"lock table seen_by in exclusive mode", 20, ""},
                                  {"select count(*) from seen_by", 20, "1"},
                                  {NULL, 0, NULL}};

static bool
someone_waits(void *arg)
{
    (void)arg;
    return postgres_number(server.url, "select count(*) from pg_locks where not granted") > 0;
}

START_TEST(it_takes_no_snapshot)
{
    seen one;
    postgres_run(server.url, "create table if not exists seen_by as select 1 where false");
    PGconn *other = postgres_connect(server.url);
    PQclear(PQexec(other, "begin"));
    PQclear(PQexec(other, "insert into seen_by values (1)"));
    begin(_i, "");
    dbal_transaction_options options = DBAL_TRANSACTION_OPTIONS_INIT;
    options.isolation = DBAL_REPEATABLE_READ;
    script lines = {.at = lock_lines};
    watch(dbal_pool_transaction(pool, &options, play, &lines), &one);
    loop_fixture_until(&fixture, someone_waits, NULL);
    PQclear(PQexec(other, "commit"));
    until_settled(&one);
    is_good(&one);
    PQfinish(other);
    postgres_run(server.url, "drop table seen_by");
}
END_TEST

typedef struct turn {
    seen all[5];
} turn;

static const double turn_times[] = {30, 1, 0, 30, 0};

static dbal_outcome
one_turn(dbal_connection *connection, void *arg)
{
    turn *self = arg;
    dbal_deferred *last = NULL;
    for (int i = 0; i < 5; i++) {
        last = dbal_connection_run(connection, DBAL_QUERY(.sql = show, .timeout = turn_times[i]));
        watch(last, &self->all[i]);
    }
    return dbal_wait(last);
}

/* Those of a turn go down together, each under what it is to have. */
START_TEST(those_of_a_turn_have_each_its_own)
{
    static const char *const limits[] = {"32768ms", "1024ms", "0", "32768ms", "0"};
    begin(_i, "");
    for (int round = 0; round < 3; round++) {
        turn self;
        works(dbal_pool_transaction(pool, NULL, one_turn, &self));
        until_all(self.all, 5);
        for (int i = 0; i < 5; i++) {
            is_good(&self.all[i]);
            ck_assert_str_eq(self.all[i].text, limits[i]);
        }
    }
}
END_TEST

static const line child_lines[] = {
    {"begin", 0, ""},        {show, 0.5, "512ms"}, {"insert into child values (1), (1)", 0.5, ""},
    {"commit", 0, "!23505"}, {show, 0.5, "512ms"}, {NULL, 0, NULL}};

START_TEST(a_commit_that_fails_undoes_it)
{
    postgres_run(server.url,
                 "create table if not exists child (n int unique deferrable initially deferred)");
    begin(_i, "");
    is_limited(30, "32768ms");
    in_session(child_lines);
    is_limited(0, "0");
}
END_TEST

static const line timed_lines[] = {{show, 0, "8192ms"}, {show, 0.5, "512ms"}, {NULL, 0, NULL}};

START_TEST(a_sessions_time_is_one_for_its_statements)
{
    begin(_i, "");
    dbal_session_options options = DBAL_SESSION_OPTIONS_INIT;
    options.timeout = 6;
    script lines = {.at = timed_lines};
    works(dbal_pool_session(pool, &options, play, &lines));
    is_limited(0, "0");
}
END_TEST

/* ---- what the program sets is its own ---- */

typedef struct own {
    const char *sql, *shows;
    bool local; /* it ends with the transaction */
} own;

static const own owns[] = {
    {"set statement_timeout = 12345", "12345ms", false},
    {"set session statement_timeout to '11s'", "11s", false},
    {"set \"statement_timeout\" = 12345", "12345ms", false},
    {"select set_config('statement_timeout', '12345', false)", "12345ms", false},
    {"reset all", "0", false},
    {"set local statement_timeout = 12345", "12345ms", true},
    {"select pg_catalog.set_config('statement_timeout', '12345', true)", "12345ms", true},
};

enum { OWNS = sizeof owns / sizeof owns[0] };

START_TEST(what_the_program_sets_is_left_alone)
{
    begin(_i / OWNS, "");
    const own *one = &owns[_i % OWNS];
    const line lasting[] = {{show, 5, "8192ms"},   {one->sql, 0, ""},       {show, 5, one->shows},
                            {show, 0, one->shows}, {show, 0.5, one->shows}, {NULL, 0, NULL}};
    const line local[] = {{show, 5, "8192ms"},   {"begin", 0, ""},      {one->sql, 0, ""},
                          {show, 5, one->shows}, {show, 0, one->shows}, {show, 0.5, one->shows},
                          {"commit", 0, ""},     {show, 0, "0"},        {show, 5, "8192ms"},
                          {NULL, 0, NULL}};
    in_session(one->local ? local : lasting);
    /* made as new, where that was needed */
    is_limited(0, "0");
    is_limited(0.5, "512ms");
}
END_TEST

/* What is undone brings the limit back that was in force before, which is nobody's any more. */
static const line undone_lines[] = {{show, 0.5, "512ms"},
                                    {"begin", 0, ""},
                                    {"set statement_timeout = 12345", 0, ""},
                                    {show, 0, "12345ms"},
                                    {"rollback", 0, ""},
                                    {show, 0, "0"},
                                    {show, 0.5, "512ms"},
                                    {"begin", 0, ""},
                                    {"savepoint one", 0, ""},
                                    {"set local statement_timeout = 12345", 0, ""},
                                    {show, 5, "12345ms"},
                                    {"rollback to savepoint one", 0, ""},
                                    {show, 0, "0"},
                                    {"commit", 0, ""},
                                    {show, 0.5, "512ms"},
                                    {"begin", 0, ""},
                                    {"select 1/0", 0, "!22012"},
                                    {"reset all", 0, "!25P02"},
                                    {"rollback", 0, ""},
                                    {show, 0, "0"},
                                    {show, 0.5, "512ms"},
                                    {NULL, 0, NULL}};

START_TEST(what_the_program_sets_and_undoes_leaves_none_behind)
{
    begin(_i, "");
    in_session(undone_lines);
    is_limited(0, "0");
}
END_TEST

/* A statement of no session sets nothing that lasts. */
START_TEST(a_block_of_no_session_sets_nothing)
{
    begin(_i, "");
    is_limited(0.5, "512ms");
    works(timed("do $$ begin perform set_config('statement_timeout', '12345', false); end $$", 0));
    is_limited(0, "0");
    is_limited(0.5, "512ms");
}
END_TEST

static dbal_outcome
prepares(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection,
                                           "create temp table if not exists own as "
                                           "select current_setting('statement_timeout') as t",
                                           DBAL_NO_PARAMS));
}

/* Connecting has a limit of its own, of which the server need not know. */
START_TEST(what_belongs_to_a_connect_has_none)
{
    dbal_error *error = NULL;
    pool = dbal_pool_open(fixture.loop, server.url,
                          DBAL_POOL_OPTIONS(.max_size = 1, .on_connect = prepares), &error);
    ck_assert_ptr_nonnull(pool);
    seen one = finished(dbal_pool_query(pool, "select t from own", DBAL_NO_PARAMS));
    is_good(&one);
    ck_assert_str_eq(one.text, "0");
}
END_TEST

/* The pool does not see that it changes the session: it stays as it is, but for that. */
START_TEST(a_block_that_sets_it_is_seen)
{
    static const line lines[] = {{"do $$ begin set statement_timeout = 12345; end $$", 5, ""},
                                 {show, 5, "12345ms"},
                                 {NULL, 0, NULL}};
    begin(_i, "");
    in_session(lines);
    is_limited(0, "12345ms");
    is_limited(1, "12345ms");
}
END_TEST

static const char *const others[] = {
    "set work_mem = '1MB'", "create temp table mine (n int)", "listen jobs",
    "select set_config('app.user', 'statement_timeout', false)", "reset work_mem"};

START_TEST(other_settings_are_no_reason)
{
    enum { OTHERS = sizeof others / sizeof others[0] };
    for (int i = 0; i < OTHERS; i++) {
        begin(_i, "");
        const line lines[] = {{others[i], 0, ""}, {show, 0.5, "512ms"}, {NULL, 0, NULL}};
        in_session(lines);
        is_limited(0, "0");
        finished(dbal_pool_close(pool));
    }
}
END_TEST

static const line leaving_lines[] = {
    {"create temp table mine (n int)", 0, ""}, {show, 0.4, "512ms"}, {NULL, 0, NULL}};

/* DISCARD ALL has no deadline of that kind, and the session's own limit is what it was. */
START_TEST(a_session_is_made_as_new_without_it)
{
    begin(_i, "statement_timeout=7s");
    for (int i = 0; i < 5; i++) {
        in_session(leaving_lines);
        is_limited(0, "7s");
        is_limited(0.4, "512ms");
    }
    ck_assert_uint_eq(counts(pool).resets, 5);
    ck_assert_uint_eq(counts(pool).lost, 0);
}
END_TEST

/* ---- who has none ---- */

static dbal_flow
take_text(dbal_stream *stream, const void *data, size_t size, void *arg)
{
    (void)stream;
    snprintf(arg, 20, "%.*s", (int)(size < 19 ? size : 19), (const char *)data);
    return DBAL_CONTINUE;
}

static char copied[20];

static const char copy_sql[] =
    "copy (select setting from pg_settings where name = 'statement_timeout') to stdout";

static dbal_outcome
copies_next(dbal_outcome in, void *arg)
{
    (void)in;
    return dbal_wait(dbal_connection_copy_out(arg, copy_sql, take_text, copied));
}

static dbal_outcome
copies_inside(dbal_connection *connection, void *arg)
{
    (void)arg;
    dbal_deferred *first = dbal_connection_run(connection, DBAL_QUERY(.sql = show, .timeout = 5));
    return dbal_wait(dbal_deferred_add_callback(first, copies_next, connection));
}

START_TEST(a_copy_has_none)
{
    begin(0, "");
    is_limited(0.4, "512ms");
    works(dbal_pool_copy_out(pool, copy_sql, take_text, copied));
    ck_assert_str_eq(copied, "0\n");
    is_limited(0.4, "512ms");
    copied[0] = '\0';
    works(dbal_pool_transaction(pool, NULL, copies_inside, NULL));
    ck_assert_str_eq(copied, "0\n");
    is_limited(0.4, "512ms");
}
END_TEST

START_TEST(nor_has_what_a_pooler_shares)
{
    begin(_i, "pool_pooler=transaction");
    is_limited(0.5, "0");
}
END_TEST

static dbal_flow
take_rows(dbal_stream *stream, dbal_result *rows, void *arg)
{
    (void)stream;
    snprintf(arg, 20, "%s", dbal_result_text(rows, 0, 0));
    return DBAL_CONTINUE;
}

START_TEST(a_stream_has_one)
{
    char text[20] = "";
    begin(_i, "");
    works(dbal_pool_stream(pool, DBAL_QUERY(.sql = show, .timeout = 0.5), take_rows, text));
    ck_assert_str_eq(text, "512ms");
    works(dbal_pool_stream(pool, DBAL_QUERY(.sql = show), take_rows, text));
    ck_assert_str_eq(text, "0");
}
END_TEST

/* ---- the server ends it by itself ---- */

static const char sleeps[] = "select pg_sleep(1000)";

static void
until_nobody_sleeps(void)
{
    while (postgres_number(server.url, "select count(*) from pg_stat_activity where state = "
                                       "'active' and query = 'select pg_sleep(1000)'") > 0) {
    }
}

/* The program does nothing at all meanwhile. */
START_TEST(when_the_program_hangs)
{
    seen one, behind;
    begin(_i, "");
    is_limited(0, "0");
    watch(timed(sleeps, 0.3), &one);
    until_at_work(sleeps);
    until_nobody_sleeps();
    watch(timed("select 7", 0), &behind);
    until_settled(&one);
    is_bad(&one, DBAL_ERROR_TIMEOUT, "57014", DBAL_EXECUTION_FAILED);
    until_settled(&behind);
    is_good(&behind);
    is_limited(0, "0");
    ck_assert_uint_eq(counts(pool).lost, 0);
}
END_TEST

START_TEST(when_the_cancel_does_not_come_through)
{
    proxy door;
    seen one;
    proxy_start(&door, &server);
    atomic_store(&door.mute, true);
    pool = open_at(door.url, "pool_max_size=1&pool_cancel_timeout=off");
    watch(timed(sleeps, 0.3), &one);
    until_settled(&one);
    is_bad(&one, DBAL_ERROR_TIMEOUT, "57014", DBAL_EXECUTION_FAILED);
    ck_assert_int_ge(atomic_load(&door.cancels), 1);
    finished(dbal_pool_close(pool));
    proxy_stop(&door);
}
END_TEST

START_TEST(when_the_program_is_gone)
{
    proxy door;
    seen one;
    proxy_start(&door, &server);
    pool = open_at(door.url, "pool_max_size=1");
    watch(timed(sleeps, 2), &one);
    until_at_work(sleeps);
    proxy_cut(&door);
    until_settled(&one);
    is_lost(&one, "08006");
    until_nobody_sleeps();
    finished(dbal_pool_close(pool));
    proxy_stop(&door);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("postgres-time-limit");
    postgres_start(&server, NULL);
    play_add(suite, a_deadline_is_a_limit_of_the_servers, GATES);
    play_add(suite, the_sessions_own_is_never_made_longer, GATES);
    play_add(suite, the_roles_own_too, GATES);
    play_add(suite, the_sessions_own_has_its_own_error, GATES);
    play_add(suite, a_transaction_may_set_and_undo_it, GATES);
    play_add(suite, a_session_may_do_so_by_hand, GATES);
    play_add(suite, it_takes_no_snapshot, GATES);
    play_add(suite, those_of_a_turn_have_each_its_own, GATES);
    play_add(suite, a_commit_that_fails_undoes_it, GATES);
    play_add(suite, a_sessions_time_is_one_for_its_statements, GATES);
    play_add(suite, what_the_program_sets_is_left_alone, GATES * OWNS);
    play_add(suite, what_the_program_sets_and_undoes_leaves_none_behind, GATES);
    play_add(suite, a_block_of_no_session_sets_nothing, GATES);
    play_add(suite, what_belongs_to_a_connect_has_none, 1);
    play_add(suite, a_block_that_sets_it_is_seen, GATES);
    play_add(suite, other_settings_are_no_reason, GATES);
    play_add(suite, a_session_is_made_as_new_without_it, GATES);
    play_add(suite, a_copy_has_none, 1);
    play_add(suite, nor_has_what_a_pooler_shares, GATES);
    play_add(suite, a_stream_has_one, GATES);
    play_add(suite, when_the_program_hangs, 2);
    play_add(suite, when_the_cancel_does_not_come_through, 1);
    play_add(suite, when_the_program_is_gone, 1);
    return suite_run(suite);
}
