/* Transactions: what ends them unasked, deadlocks, isolation; and how a session becomes as new. */
#include "session.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/suite.h"

static void
before(void)
{
    session_begin("pool_max_size=2");
    RUN("create table t(id int primary key, n int)");
    RUN("insert into t values (1, 0), (2, 0)");
}

/* One statement after the other, each with the SQLSTATE that it is to fail with; NULL: none. */
typedef struct step {
    const char *sql, *fails;
    char state[6];
} step;

static dbal_outcome
note(dbal_outcome in, void *arg)
{
    step *one = arg;
    dbal_error *error = dbal_outcome_error(in);
    snprintf(one->state, sizeof one->state, "%s", error != NULL ? dbal_error_sqlstate(error) : "");
    return dbal_done();
}

static dbal_outcome
take_steps(dbal_connection *connection, void *arg)
{
    dbal_deferred *last = NULL;
    for (step *one = arg; one->sql != NULL; one++) {
        last = dbal_connection_query(connection, one->sql, DBAL_NO_PARAMS);
        dbal_deferred_add_both(last, note, one);
    }
    return dbal_wait(last);
}

static void
check_steps(const step *steps)
{
    for (; steps->sql != NULL; steps++)
        ck_assert_msg(strcmp(steps->state, steps->fails != NULL ? steps->fails : "") == 0,
                      "%s: '%s'", steps->sql, steps->state);
}

START_TEST(ddl_is_refused_in_a_transaction)
{
    step steps[] = {{"update t set n = n + 1 where id = 1", NULL, ""},
                    {"create table other(n int)", "25001", ""},
                    {"truncate table t", "25001", ""},
                    {"lock tables t write", "25001", ""},
                    {"begin", "25001", ""},
                    {"create temporary table mine(n int)", NULL, ""},
                    {"insert into mine values (1)", NULL, ""},
                    {"drop temporary table mine", NULL, ""},
                    {"select * from nowhere", "42P01", ""},
                    {"update t set n = n + 1 where id = 1", NULL, ""},
                    {NULL, NULL, ""}};
    ends_well(dbal_pool_transaction(pool, NULL, take_steps, steps));
    check_steps(steps);
    ck_assert_int_eq(run_number("select n from t where id = 1"), 2);
}
END_TEST

static void
ends_unknown(dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    ck_assert_ptr_nonnull(dbal_outcome_error(outcome));
    ck_assert_int_eq(dbal_error_execution(dbal_outcome_error(outcome)), DBAL_EXECUTION_UNKNOWN);
    outcome_is(outcome, DBAL_ERROR_OPERATIONAL, "25000");
}

START_TEST(what_commits_behind_the_back_ends_it_visibly)
{
    RUN("create procedure commits() begin update t set n = 5; commit; end");
    step steps[] = {{"update t set n = 4 where id = 1", NULL, ""},
                    {"call commits()", NULL, ""},
                    {"update t set n = 6", "25000", ""},
                    {NULL, NULL, ""}};
    /* it may as well have rolled back */
    ends_unknown(dbal_pool_transaction(pool, NULL, take_steps, steps));
    check_steps(steps);
    ck_assert_int_eq(run_number("select sum(n) from t"), 10);
}
END_TEST

START_TEST(what_rolls_back_behind_the_back_is_no_success)
{
    RUN("create procedure undoes() rollback");
    step steps[] = {{"update t set n = 4 where id = 1", NULL, ""},
                    {"call undoes()", NULL, ""},
                    {NULL, NULL, ""}};
    ends_unknown(dbal_pool_transaction(pool, NULL, take_steps, steps));
    check_steps(steps);
    ck_assert_int_eq(run_number("select sum(n) from t"), 0);
}
END_TEST

/* What it did before it failed is kept, so that a rollback must not be a success. */
START_TEST(what_commits_and_fails_is_not_undone)
{
    RUN("create procedure fails() begin update t set n = 5; commit; "
        "signal sqlstate '45000'; end");
    step steps[] = {
        {"call fails()", "45000", ""}, {"update t set n = 6", "25000", ""}, {NULL, NULL, ""}};
    ends_unknown(dbal_pool_transaction(pool, NULL, take_steps, steps));
    check_steps(steps);
    ck_assert_int_eq(run_number("select sum(n) from t"), 10);
}
END_TEST

static dbal_outcome
fail_after_commit(dbal_connection *connection, void *arg)
{
    dbal_deferred_add_both(dbal_connection_query(connection, "call commits()", DBAL_NO_PARAMS),
                           note, arg);
    return dbal_wait(dbal_connection_query(connection, "select * from nowhere", DBAL_NO_PARAMS));
}

/* The server's error does not say that a transaction is open. */
START_TEST(one_that_a_failed_procedure_began_is_found)
{
    RUN("create procedure begins() begin start transaction; update t set n = 5; "
        "signal sqlstate '45000'; end");
    step steps[] = {{"call begins()", "45000", ""},
                    {"begin", "25001", ""},
                    {"rollback", NULL, ""},
                    {NULL, NULL, ""}};
    ends_well(dbal_pool_session(pool, NULL, take_steps, steps));
    check_steps(steps);
    ck_assert_int_eq(run_number("select sum(n) from t"), 0);
}
END_TEST

START_TEST(a_rollback_that_cannot_undo_is_no_success)
{
    step ignored = {"", NULL, ""};
    RUN("create procedure commits() begin update t set n = 5; commit; end");
    ends_badly(dbal_pool_transaction(pool, NULL, fail_after_commit, &ignored),
               DBAL_ERROR_OPERATIONAL, "25000");
    /* and its connection is of use, or another is */
    ck_assert_int_eq(run_number("select sum(n) from t"), 10);
}
END_TEST

/* ---- deadlocks ---- */

/* Two transactions that each have what the other wants next: neither goes on before both have. */
typedef struct crossing crossing;
struct crossing {
    const char *first, *second;
    step *after; /* what is tried when the second has failed, or NULL: it is not handled */
    crossing *other;
    int attempts;
    bool has_first;
    dbal_deferred *go;
    dbal_connection *connection;
};

static dbal_outcome
go_on(dbal_outcome in, void *arg)
{
    crossing *self = arg;
    if (dbal_outcome_error(in) == NULL)
        return in;
    ck_assert_str_eq(dbal_error_sqlstate(dbal_outcome_error(in)), "40001");
    return take_steps(self->connection, self->after);
}

static dbal_outcome
want_second(dbal_outcome in, void *arg)
{
    crossing *self = arg;
    if (dbal_outcome_error(in) != NULL)
        return in;
    dbal_deferred *second = dbal_connection_query(self->connection, self->second, DBAL_NO_PARAMS);
    if (self->after != NULL)
        dbal_deferred_add_both(second, go_on, self);
    return dbal_wait(second);
}

static dbal_outcome
got_first(dbal_outcome in, void *arg)
{
    crossing *self = arg;
    if (dbal_outcome_error(in) != NULL || self->attempts > 1)
        return in;
    self->has_first = true;
    if (self->other->has_first) {
        dbal_deferred_fire(self->other->go, dbal_done());
        return in;
    }
    self->go = dbal_deferred_new(fixture.loop, NULL, NULL);
    return dbal_wait(self->go);
}

static dbal_outcome
lock_both(dbal_connection *connection, void *arg)
{
    crossing *self = arg;
    self->attempts++;
    self->connection = connection;
    dbal_deferred *one = dbal_connection_query(connection, self->first, DBAL_NO_PARAMS);
    dbal_deferred_add_callback(one, got_first, self);
    dbal_deferred_add_callback(one, want_second, self);
    return dbal_wait(one);
}

/* The light one is the server's choice, since it has changed less. */
static void
cross(step *after, int retries)
{
    crossing heavy = {.first = "update t set n = n + 1 where id > 1",
                      .second = "update t set n = n + 1 where id = 1"};
    crossing light = {.first = "update t set n = n + 1 where id = 1",
                      .second = "update t set n = n + 1 where id = 2",
                      .after = after,
                      .other = &heavy};
    heavy.other = &light;
    RUN("insert into t select seq, 0 from seq_10_to_500");
    dbal_deferred *works[2];
    works[0] = dbal_deferred_ref(
        dbal_pool_transaction(pool, DBAL_TRANSACTION(.retries = 0), lock_both, &heavy));
    works[1] = dbal_deferred_ref(
        dbal_pool_transaction(pool, DBAL_TRANSACTION(.retries = retries), lock_both, &light));
    ends_well(works[0]);
    if (after == NULL)
        ends_well(works[1]);
    else /* the error was handled, but nothing is left to commit */
        ends_badly(works[1], DBAL_ERROR_OPERATIONAL, "25P02");
    for (int i = 0; i < 2; i++)
        dbal_deferred_unref(works[i]);
    ck_assert_int_eq(light.attempts, 1 + retries);
}

START_TEST(a_deadlock_is_run_again)
{
    cross(NULL, 1);
    ck_assert_int_eq(run_number("select sum(n) from t where id <= 2"), 4);
}
END_TEST

/* The server has undone the whole transaction: nothing behind that may commit by itself. */
START_TEST(a_deadlock_that_was_handled_ends_it_all_the_same)
{
    step after[] = {{"update t set n = 1000 where id = 400", "25P02", ""}, {NULL, NULL, ""}};
    cross(after, 0);
    check_steps(after);
    ck_assert_int_eq(run_number("select max(n) from t"), 1);
}
END_TEST

/* ---- isolation ---- */

/* Between two reads of a transaction somebody else changes the row, or tries to. */
typedef struct isolated {
    dbal_connection *connection;
    bool kept_out;
} isolated;

static dbal_outcome
meddle(dbal_outcome in, void *arg)
{
    isolated *self = arg;
    MYSQL *other = mariadb_log_in(&server, place.name);
    mysql_query(other, "set innodb_lock_wait_timeout = 0");
    self->kept_out = mysql_query(other, "update t set n = n + 1 where id = 1") != 0;
    mysql_close(other);
    (void)in;
    return dbal_wait(
        dbal_connection_query(self->connection, "select n from t where id = 1", DBAL_NO_PARAMS));
}

static dbal_outcome
read_twice(dbal_connection *connection, void *arg)
{
    isolated *self = arg;
    self->connection = connection;
    dbal_deferred *first =
        dbal_connection_query(connection, "select n from t where id = 1", DBAL_NO_PARAMS);
    dbal_deferred_add_callback(first, meddle, self);
    return dbal_wait(first);
}

START_TEST(levels_of_isolation)
{
    static const struct {
        dbal_isolation isolation;
        bool read_only;
        int sees;
        bool keeps_out;
    } levels[] = {{DBAL_ISOLATION_DEFAULT, false, 0, false},
                  {DBAL_READ_COMMITTED, false, 1, false},
                  {DBAL_READ_COMMITTED, true, 1, false},
                  {DBAL_REPEATABLE_READ, false, 0, false},
                  {DBAL_SERIALIZABLE, false, 0, true}};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        isolated self = {.kept_out = false};
        RUN("update t set n = 0");
        dbal_outcome outcome = loop_fixture_await(
            &fixture, dbal_pool_transaction(pool,
                                            DBAL_TRANSACTION(.isolation = levels[i].isolation,
                                                             .read_only = levels[i].read_only),
                                            read_twice, &self));
        dbal_result *rows = dbal_outcome_result(outcome);
        ck_assert_msg(rows != NULL, "%s", dbal_error_message(dbal_outcome_error(outcome)));
        ck_assert_int_eq(dbal_result_int64(rows, 0, 0), levels[i].sees);
        ck_assert(self.kept_out == levels[i].keeps_out);
        dbal_outcome_clear(&outcome);
    }
}
END_TEST

/* The library's, but for the test below: no server fails there by itself. */
static atomic_bool does_not_start;

int STDCALL
mysql_real_query(MYSQL *mysql, const char *sql, unsigned long size)
{
    static const char start[] = "start transaction", fails[] = "signal sqlstate '45000'";
    int (*real)(MYSQL * mysql, const char *sql, unsigned long size);
    *(void **)&real = dlsym(RTLD_NEXT, "mysql_real_query");
    if (atomic_load(&does_not_start) && strncmp(sql, start, sizeof start - 1) == 0)
        return real(mysql, fails, sizeof fails - 1);
    return real(mysql, sql, size);
}

START_TEST(a_level_that_nothing_began_with_is_taken_back)
{
    isolated self = {.kept_out = false};
    dbal_pool *wide = pool;
    pool = session_open("pool_max_size=1");
    int64_t connection = run_number("select connection_id()");
    atomic_store(&does_not_start, true);
    ends_badly(dbal_pool_transaction(pool, DBAL_TRANSACTION(.isolation = DBAL_READ_COMMITTED),
                                     read_twice, &self),
               DBAL_ERROR_OPERATIONAL, "45000");
    atomic_store(&does_not_start, false);
    ck_assert_int_eq(run_number("select connection_id()"), connection);
    dbal_outcome outcome =
        loop_fixture_await(&fixture, dbal_pool_transaction(pool, NULL, read_twice, &self));
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert_msg(rows != NULL, "%s", dbal_error_message(dbal_outcome_error(outcome)));
    ck_assert_int_eq(dbal_result_int64(rows, 0, 0), 0);
    ck_assert(!self.kept_out);
    dbal_outcome_clear(&outcome);
    pool = wide;
}
END_TEST

START_TEST(a_read_only_transaction_does_not_write)
{
    step steps[] = {
        {"select n from t", NULL, ""}, {"update t set n = 9", "25006", ""}, {NULL, NULL, ""}};
    ends_well(dbal_pool_transaction(pool, DBAL_TRANSACTION(.read_only = true), take_steps, steps));
    check_steps(steps);
}
END_TEST

/* ---- sessions ---- */

START_TEST(a_session_leaves_nothing_behind)
{
    step steps[] = {{"set @x = 7, sql_mode = '', time_zone = '+05:00'", NULL, ""},
                    {"create temporary table mine(n int)", NULL, ""},
                    {"select get_lock('a', 1)", NULL, ""},
                    {"use information_schema", NULL, ""},
                    {NULL, NULL, ""}};
    dbal_pool *wide = pool;
    pool = session_open("pool_max_size=1");
    ends_well(dbal_pool_session(pool, NULL, take_steps, steps));
    check_steps(steps);
    ck_assert_int_eq(run_number("select @@sql_mode <> '' and @@time_zone = '+00:00' and "
                                "is_free_lock('a') = 1 and database() like 't%'"),
                     1);
    run_fails("select * from mine", DBAL_ERROR_PROGRAMMING, "42P01");
    pool = wide;
}
END_TEST

START_TEST(a_program_leaves_nothing_behind)
{
    static const char *const programs[] = {"begin not atomic set sql_mode = ''; end",
                                           "if 1 then set sql_mode = ''; end if",
                                           "begin not atomic set sql_mode = ''"};
    static const char *const states[] = {"42601", "42601", "25001"};
    dbal_pool *wide = pool;
    pool = session_open("pool_max_size=1");
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        run_fails(programs[i], DBAL_ERROR_PROGRAMMING, states[i]);
        ck_assert_int_eq(run_number("select @@sql_mode <> ''"), 1);
    }
    pool = wide;
}
END_TEST

START_TEST(without_a_database_a_session_that_chose_one_is_closed)
{
    char url[300];
    step steps[] = {{"use information_schema", NULL, ""}, {NULL, NULL, ""}};
    char *name = strstr(place.url, place.name);
    snprintf(url, sizeof url, "%.*s?pool_max_size=1", (int)(name - place.url), place.url);
    pool = session_open_url(url);
    ends_well(dbal_pool_session(pool, NULL, take_steps, steps));
    check_steps(steps);
    ck_assert_int_eq(run_number("select database() is null"), 1);
}
END_TEST

void
add_transactions(Suite *suite)
{
    suite_add(suite, ddl_is_refused_in_a_transaction, before, session_end);
    suite_add(suite, what_commits_behind_the_back_ends_it_visibly, before, session_end);
    suite_add(suite, what_rolls_back_behind_the_back_is_no_success, before, session_end);
    suite_add(suite, what_commits_and_fails_is_not_undone, before, session_end);
    suite_add(suite, one_that_a_failed_procedure_began_is_found, before, session_end);
    suite_add(suite, a_rollback_that_cannot_undo_is_no_success, before, session_end);
    suite_add(suite, a_deadlock_is_run_again, before, session_end);
    suite_add(suite, a_deadlock_that_was_handled_ends_it_all_the_same, before, session_end);
    suite_add(suite, levels_of_isolation, before, session_end);
    suite_add(suite, a_level_that_nothing_began_with_is_taken_back, before, session_end);
    suite_add(suite, a_read_only_transaction_does_not_write, before, session_end);
    suite_add(suite, a_session_leaves_nothing_behind, before, session_end);
    suite_add(suite, a_program_leaves_nothing_behind, before, session_end);
    suite_add(suite, without_a_database_a_session_that_chose_one_is_closed, before, session_end);
}
