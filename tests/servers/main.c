/* The servers that other tests stand on: there, in trouble when told, and gone in the end. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/postgres.h"
#include "tests/lib/suite.h"

static postgres server, bouncer;
static postgres_place place;

static void
before(void)
{
    postgres_heal(&server);
    postgres_place_init(&place, &server);
}

static void
after(void)
{
    postgres_heal(&server);
    postgres_place_fini(&place, &server);
}

START_TEST(each_test_has_a_place_of_its_own)
{
    postgres_run(place.url, "create table thing(n int); insert into thing values (7)");
    ck_assert_int_eq(postgres_number(place.url, "select n from thing"), 7);
    ck_assert_int_eq(postgres_number(server.url, "select count(*) from pg_class where relname = "
                                                 "'thing' and pg_table_is_visible(oid)"),
                     0);
}
END_TEST

START_TEST(nothing_is_left_of_a_place)
{
    postgres_place other;
    PGconn *left;
    postgres_place_init(&other, &server);
    postgres_run(other.url, "create table thing(n int)");
    left = postgres_connect(other.url);
    PQclear(PQexec(left, "begin; lock table thing"));
    postgres_place_fini(&other, &server);
    PQfinish(left);
    ck_assert_int_eq(postgres_number(server.url, "select count(*) from pg_class where relname = "
                                                 "'thing'"),
                     0);
}
END_TEST

START_TEST(it_stops_and_comes_back)
{
    static const char *const hows[] = {"fast", "immediate"};
    postgres_run(place.url, "create table thing(n int)");
    for (int i = 0; i < 2; i++) {
        postgres_stop(&server, hows[i]);
        ck_assert_int_eq(PQping(server.url), PQPING_NO_RESPONSE);
        postgres_restart(&server, hows[i]);
        ck_assert_int_eq(postgres_number(place.url, "select count(*) from thing"), 0);
    }
}
END_TEST

START_TEST(killed_with_one_at_work_it_comes_back)
{
    PGconn *busy = postgres_connect(place.url);
    ck_assert_int_eq(PQsendQuery(busy,
                                 "with recursive e(i) as (select 1 union all select 1 - i from e) "
                                 "select max(i) from e"),
                     1);
    postgres_kill(&server);
    postgres_heal(&server);
    PQclear(PQgetResult(busy));
    ck_assert_int_eq(PQstatus(busy), CONNECTION_BAD);
    ck_assert_int_eq(postgres_number(place.url, "select 1"), 1);
    PQfinish(busy);
}
END_TEST

START_TEST(frozen_it_does_not_answer)
{
    PGconn *connection = postgres_connect(place.url);
    struct timeval none = {0, 0};
    fd_set readable;
    postgres_freeze(&server);
    ck_assert_int_eq(PQsendQuery(connection, "select 1"), 1);
    FD_ZERO(&readable);
    FD_SET(PQsocket(connection), &readable);
    ck_assert_int_eq(select(PQsocket(connection) + 1, &readable, NULL, NULL, &none), 0);
    postgres_thaw(&server);
    PGresult *result = PQgetResult(connection);
    ck_assert_int_eq(PQresultStatus(result), PGRES_TUPLES_OK);
    PQclear(result);
    PQfinish(connection);
}
END_TEST

START_TEST(a_frozen_one_can_be_stopped)
{
    postgres_freeze(&server);
    postgres_stop(&server, "fast");
    postgres_restart(&server, "fast");
    ck_assert_int_eq(postgres_number(server.url, "select 1"), 1);
}
END_TEST

START_TEST(a_bouncer_lets_all_in)
{
    char url[192];
    postgres_place_url(&place, &bouncer, url, sizeof url);
    postgres_run(place.url, "create table thing(n int)");
    ck_assert_int_eq(postgres_number(url, "select count(*) from thing"), 0);
    postgres_restart(&bouncer, "fast");
    ck_assert_int_eq(postgres_number(url, "select count(*) from thing"), 0);
    ck_assert_int_eq(postgres_number(bouncer.url, "select 1"), 1);
}
END_TEST

START_TEST(settings_are_heard)
{
    static const char *const settings[] = {"--tcp", "max_connections=7", "application_name=it's",
                                           NULL};
    static postgres own;
    postgres_start(&own, settings);
    ck_assert_ptr_nonnull(strstr(own.url, "@127.0.0.1:"));
    ck_assert_int_eq(postgres_number(own.url, "show max_connections"), 7);
    postgres_place_init(&place, &own);
    ck_assert_int_eq(postgres_number(place.url, "select (current_user like 't%')::int"), 1);
    postgres_remove(&own);
    postgres_place_init(&place, &server);
}
END_TEST

/* The folder's name, from a process that ends badly with a server on its hands. */
START_TEST(it_goes_with_a_program_that_is_killed)
{
    postgres lost;
    int channel[2];
    ck_assert_int_eq(pipe(channel), 0);
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    pid_t child = fork();
    if (child == 0) {
        postgres_start(&lost, NULL);
        if (write(channel[1], &lost, sizeof lost) == (ssize_t)sizeof lost)
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    ck_assert_int_eq(read(channel[0], &lost, sizeof lost), (ssize_t)sizeof lost);
    close(channel[0]);
    close(channel[1]);
    /* its supervisor is ours now: the last one left */
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(waitpid(lost.supervisor, NULL, 0), lost.supervisor);
    ck_assert_int_eq(access(lost.folder, F_OK), -1);
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("servers");
    postgres_start(&server, NULL);
    postgres_bouncer_start(&bouncer, &server, NULL);
    suite_add(suite, each_test_has_a_place_of_its_own, before, after);
    suite_add(suite, nothing_is_left_of_a_place, before, after);
    suite_add(suite, it_stops_and_comes_back, before, after);
    suite_add(suite, killed_with_one_at_work_it_comes_back, before, after);
    suite_add(suite, frozen_it_does_not_answer, before, after);
    suite_add(suite, a_frozen_one_can_be_stopped, before, after);
    suite_add(suite, a_bouncer_lets_all_in, before, after);
    suite_add(suite, settings_are_heard, before, after);
    suite_add(suite, it_goes_with_a_program_that_is_killed, before, after);
    return suite_run(suite);
}
