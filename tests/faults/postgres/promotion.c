/*
 * A primary that goes, and its standby that takes over, behind a list of hosts: work goes on by itself,
 * nothing that was acknowledged is lost, and who was refused is told what became of it.
 */
#include <stdio.h>
#include <string.h>

#include "tests/faults/postgres/fixture.h"

static postgres first, second;

/* Both, as they are looked for: the one that can be written to. */
static void
open_both(const char *parameters)
{
    char url[512];
    snprintf(url, sizeof url,
             "postgresql:///postgres?host=%s,%s&port=5432,5432&user=postgres&"
             "target_session_attrs=read-write",
             first.folder, second.folder);
    pool = open_at(url, parameters);
}

/* A commit waits for the standby, so that what was acknowledged is there too. */
static void
start_both(void)
{
    char of[80];
    const char *settings[] = {of, NULL};
    postgres_start(&first, NULL);
    snprintf(of, sizeof of, "standby_of=%s", first.folder);
    postgres_start(&second, settings);
    postgres_run(first.url, "create table log(n int primary key)");
    postgres_run(first.url, "alter system set synchronous_standby_names = '*'");
    postgres_run(first.url, "select pg_reload_conf()");
    while (postgres_number(first.url, "select count(*) from pg_stat_replication "
                                      "where sync_state = 'sync'") == 0)
        pass_time(0.01);
}

static void
promote(void)
{
    postgres_run(second.url, "alter system reset synchronous_standby_names");
    postgres_run(second.url, "select pg_reload_conf()");
    ck_assert_int_eq(postgres_number(second.url, "select pg_promote()::int"), 1);
}

enum { MOST = 4000, AT_ONCE = 32 };

/* Writes one after another, AT_ONCE at a time. */
typedef struct writers {
    int begun, acknowledged, last; /* `last`: no more begin behind this one */
    seen all[MOST];
} writers;

static writers work;

static void write_next(void);

static dbal_outcome
on_written(dbal_outcome in, void *arg)
{
    (void)arg;
    work.acknowledged += in.kind == DBAL_OUTCOME_VALUE;
    write_next();
    return in;
}

static void
write_next(void)
{
    int n = work.begun;
    if (n == work.last)
        return;
    work.begun++;
    dbal_deferred *one =
        dbal_pool_query(pool, "insert into log values ($1)", DBAL_PARAMS(dbal_int64(n)));
    watch(dbal_deferred_add_both(one, on_written, NULL), &work.all[n]);
}

static bool
are_acknowledged(void *arg)
{
    ck_assert_int_lt(work.begun, MOST);
    return work.acknowledged >= *(int *)arg;
}

static void
until_acknowledged(int count)
{
    loop_fixture_until(&fixture, are_acknowledged, &count);
}

/* What each was told is true in the one that took over. */
static void
look_at_log(void)
{
    for (int i = 0; i < work.begun; i++) {
        char sql[64];
        const seen *one = &work.all[i];
        snprintf(sql, sizeof sql, "select count(*) from log where n = %d", i);
        int64_t rows = number(sql);
        if (one->error_class == 0)
            ck_assert_msg(rows == 1, "%d was acknowledged, and is lost", i);
        else if (one->execution != DBAL_EXECUTION_UNKNOWN)
            ck_assert_msg(rows == 0, "%d was refused (%s), and is there", i, one->message);
    }
}

START_TEST(a_standby_takes_over)
{
    static const char *const how[] = {"immediate", "fast"};
    memset(&work, 0, sizeof work);
    work.last = MOST;
    start_both();
    open_both("pool_max_size=4&pool_min_size=2");
    for (int i = 0; i < AT_ONCE; i++)
        write_next();
    until_acknowledged(300);
    postgres_stop(&first, how[_i]);
    pass_time(0.5); /* nobody can be written to: the standby is found, and is none */
    promote();
    double promoted = seconds();
    uint64_t refused = counts(pool).connect_errors;
    until_acknowledged(work.acknowledged + 300);
    ck_assert_double_lt(seconds() - promoted, 10);
    ck_assert_uint_ge(refused, 1);
    ck_assert_uint_le(counts(pool).connect_errors, 15); /* no storm */
    work.last = work.begun;
    until_all(work.all, work.begun);
    ck_assert_int_eq(number("select pg_is_in_recovery()::int"), 0);
    look_at_log();
    dbal_outcome end = loop_fixture_await(&fixture, dbal_pool_close(pool));
    dbal_outcome_clear(&end);
    postgres_remove(&second);
    postgres_remove(&first);
}
END_TEST

/* Reads need no primary: with `any` the standby serves them all the time. */
START_TEST(reads_go_on_at_the_standby)
{
    seen all[20];
    char url[512];
    start_both();
    snprintf(url, sizeof url, "postgresql:///postgres?host=%s,%s&port=5432,5432&user=postgres",
             first.folder, second.folder);
    pool = open_at(url, "pool_max_size=2");
    ck_assert_int_eq(number("select pg_is_in_recovery()::int"), 0);
    postgres_stop(&first, "immediate");
    for (int i = 0; i < 20; i++)
        watch(ask("select pg_is_in_recovery()::int"), &all[i]);
    until_all(all, 20);
    ck_assert_int_eq(number("select pg_is_in_recovery()::int"), 1);
    seen refused;
    watch(ask("insert into log values (1)"), &refused);
    until_settled(&refused);
    is_bad(&refused, DBAL_ERROR_OPERATIONAL, "25006", DBAL_EXECUTION_FAILED);
    dbal_outcome end = loop_fixture_await(&fixture, dbal_pool_close(pool));
    dbal_outcome_clear(&end);
    postgres_remove(&second);
    postgres_remove(&first);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("promotion");
    TCase *tcase = tcase_create("a_standby_takes_over");
    postgres_start(&server, NULL);
    tcase_add_checked_fixture(tcase, fixture_init, fixture_fini);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_standby_takes_over, 0, 2);
    suite_add_tcase(suite, tcase);
    hunt_add(suite, reads_go_on_at_the_standby, 120);
    return suite_run(suite);
}
