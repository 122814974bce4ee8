/* Servers that refuse, and what is said at a login and settled behind it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connect_fixture.h"
#include "fake_postgres.h"
#include "tests/lib/alloc_fault.h"

static dialled one;
static fake_postgres server, other;
static const char *const shape = "postgresql://me:topsecret@127.0.0.1:%d/bank?sslmode=disable";

static void
meet(fake_postgres_talk *talk, void *arg)
{
    fake_postgres_start(&server, "127.0.0.1", 0, talk, arg);
}

static void
part(void)
{
    dial_end(&one);
    fake_postgres_stop(&server);
}

/* ---- servers that refuse ---- */

static const struct {
    const char *severity, *sqlstate, *text;
    bool retryable;
} refusals[] = {
    {"FATAL", "57P03", "the database system is starting up", true},
    {"SCHWERWIEGEND", "57P03", "das Datenbanksystem startet", true},
    {"FATAL", "53300", "sorry, too many clients already", true},
    {"FATAL", "28P01", "password authentication failed for user \"me\"", false},
    {"FATAL", "28000", "no pg_hba.conf entry", false},
    {"FATAL", "3D000", "database \"bank\" does not exist", false},
    {"FATAL", "57P01", "terminating connection due to administrator command", true},
    {"FATAL", "08P01", "no such database: bank", false},
    {"ERROR", "08P01", "pgbouncer cannot connect to server", true},
    {"FATAL", "XX000", "could not open file", true},
    {"FATAL", "22023", "invalid value for parameter \"TimeZone\": \"x\"", false},
};

static void
refuse(fake_postgres *self, int fd)
{
    const int *which = self->arg;
    if (fake_postgres_hear(self, fd, 'N'))
        fake_postgres_fail(fd, refusals[*which].severity, refusals[*which].sqlstate,
                           refusals[*which].text);
}

START_TEST(what_the_server_says_is_kept)
{
    int which = _i;
    meet(refuse, &which);
    ck_assert(!dial(&one, shape, server.port));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, refusals[_i].sqlstate, refusals[_i].retryable,
                refusals[_i].text);
    ck_assert_str_eq(dbal_error_detail(one.error), "what is behind it");
    ck_assert_ptr_null(strstr(dbal_error_message(one.error), "LOCATION"));
    ck_assert_ptr_null(strstr(dbal_error_message(one.error), refusals[_i].sqlstate));
    ck_assert_int_eq(server.calls, 1);
    part();
}
END_TEST

/* What passes is a reason to ask the next; what does not is the end, as with libpq. */
START_TEST(the_next_is_asked_when_it_passes)
{
    int which = _i;
    meet(refuse, &which);
    fake_postgres_start(&other, "127.0.0.1", 0, fake_postgres_welcome, NULL);
    bool ok = dial(&one, "postgresql://me:topsecret@127.0.0.1:%d,127.0.0.1:%d/bank?sslmode=disable",
                   server.port, other.port);
    ck_assert(ok == refusals[_i].retryable);
    ck_assert_int_eq(other.calls, ok ? 1 : 0);
    part();
    fake_postgres_stop(&other);
}
END_TEST

/* It asks for the password in clear, and throws it into the client's face. */
static void
echo(fake_postgres *self, int fd)
{
    char password[100], text[300];
    if (!fake_postgres_hear(self, fd, 'N') || !fake_postgres_say(fd, 'R', "\0\0\0\3", 4) ||
        !fake_postgres_read(self, fd, 'p', password, sizeof password))
        return;
    snprintf(text, sizeof text, "your password %s is wrong", password);
    fake_postgres_fail(fd, "FATAL", "28P01", text);
}

START_TEST(a_password_that_comes_back_is_hidden)
{
    meet(echo, NULL);
    ck_assert(!dial(&one, shape, server.port));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "28P01", false, "your password *** is wrong");
    dial_no_secret(&one, "topsecret");
    part();
}
END_TEST

START_TEST(no_password)
{
    meet(echo, NULL);
    setenv("PGPASSFILE", "/nonexistent", 1);
    ck_assert(!dial(&one, "postgresql://me@127.0.0.1:%d/bank?sslmode=disable", server.port));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "28P01", false, "no password supplied");
    part();
}
END_TEST

static void
start_tls(fake_postgres *self, int fd)
{
    char hello[5];
    /* its first bytes; the rest may stay where it is */
    if (fake_postgres_hear(self, fd, 'S') && recv(fd, hello, sizeof hello, MSG_WAITALL) == 5 &&
        fake_postgres_send(fd, "no TLS at all, sorry", 20))
        fake_postgres_hold(self, fd);
}

START_TEST(no_tls)
{
    meet(fake_postgres_welcome, NULL);
    ck_assert(!dial(&one, "postgresql://127.0.0.1:%d/bank?sslmode=require", server.port));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", false, "does not support SSL");
    part();
    meet(start_tls, NULL);
    ck_assert(!dial(&one, "postgresql://127.0.0.1:%d/bank?sslmode=require", server.port));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", false, "SSL error");
    part();
}
END_TEST

/* ---- what is sent at the login, and settled behind it ---- */

static void
heard(const char *line)
{
    char all[FAKE_POSTGRES_HEARD + 1] = "\n";
    strcat(all, server.heard);
    ck_assert_msg(strstr(all, line) != NULL, "%s: %s", line, all);
}

START_TEST(what_is_said_at_the_login)
{
    meet(fake_postgres_welcome, NULL);
    dial_ok(&one,
            "postgresql://me@127.0.0.1:%d/bank?sslmode=disable&timezone=Europe/Berlin"
            "&search_path=a%%20b,c%%5Cd&statement_timeout=5s&options=-c%%20geqo=off",
            server.port);
    heard("\nuser=me\n");
    heard("\ndatabase=bank\n");
    heard("\nclient_encoding=UTF8\n");
    heard("\napplication_name=test-postgres-connect\n");
    heard("\noptions=-c DateStyle=ISO -c IntervalStyle=postgres -c TimeZone=UTC -c geqo=off "
          "-c timezone=Europe/Berlin -c search_path=a\\ b,c\\\\d -c statement_timeout=5s\n");
    part();
}
END_TEST

/* All that PgBouncer 1.18 takes at a login. */
START_TEST(what_is_said_to_a_pooler)
{
    meet(fake_postgres_welcome, NULL);
    setenv("PGOPTIONS", "-c geqo=off", 1);
    dial_ok(&one, "postgresql://me@127.0.0.1:%d/bank?sslmode=disable&pool_pooler=transaction",
            server.port);
    ck_assert_str_eq(server.heard,
                     "user=me\ndatabase=bank\napplication_name=test-postgres-connect\n"
                     "client_encoding=UTF8\n");
    ck_assert_uint_eq(one.notes.count, 1);
    ck_assert_ptr_nonnull(strstr(one.notes.texts[0], "pool_pooler=transaction"));
    part();
}
END_TEST

typedef struct session {
    const char *version, *date_style, *zone, *strings;
    const char *answer; /* NULL: as asked; otherwise a SQLSTATE; "": none at all */
} session;

static void
let_in_and_answer(fake_postgres *self, int fd)
{
    const session *how = self->arg;
    if (!fake_postgres_hear(self, fd, 'N') || !fake_postgres_let_in(fd, how->version) ||
        !fake_postgres_status(fd, "DateStyle", how->date_style) ||
        !fake_postgres_status(fd, "TimeZone", how->zone) ||
        !fake_postgres_status(fd, "standard_conforming_strings", how->strings) ||
        !fake_postgres_ready(fd) ||
        !fake_postgres_read(self, fd, 'Q', self->query, sizeof self->query))
        return;
    if (how->answer != NULL && how->answer[0] != '\0')
        fake_postgres_fail(fd, "ERROR", how->answer, "no");
    else if (how->answer == NULL)
        fake_postgres_say(fd, 'C', "SET", 4);
    if (how->answer == NULL || how->answer[0] != '\0')
        fake_postgres_ready(fd);
    fake_postgres_hold(self, fd);
}

static const struct {
    session how;
    const char *parameters, *query;
} sessions[] = {
    {{"15.1", "German, DMY", "UTC", "on", NULL}, "", "SET DateStyle = 'ISO'; "},
    {{"15.1", "ISO, DMY", "Asia/Tokyo", "on", NULL}, "", "SET TimeZone = 'UTC'; "},
    {{"15.1", "ISO, DMY", "UTC", "on", NULL}, "&timezone=a'b", "SET TimeZone = 'a''b'; "},
    {{"15.1", "ISO, DMY", "UTC", "off", NULL}, "", "SET standard_conforming_strings = 'on'; "},
    {{"11.9", "ISO, DMY", "UTC", "on", NULL}, "", "SET extra_float_digits = '3'; "},
    {{"11.9", "SQL, DMY", "UTC", "on", NULL},
     "&pool_pooler=transaction",
     "SET DateStyle = 'ISO'; "},
};

START_TEST(what_is_not_as_it_should_be_is_set)
{
    meet(let_in_and_answer, (void *)&sessions[_i].how);
    dial_ok(&one, "postgresql://127.0.0.1:%d/bank?sslmode=disable%s", server.port,
            sessions[_i].parameters);
    ck_assert_str_eq(server.query, sessions[_i].query);
    part();
}
END_TEST

START_TEST(what_cannot_be_set_is_an_error)
{
    session how = {"15.1", "German, DMY", "UTC", "on", "22023"};
    char url[200];
    meet(let_in_and_answer, &how);
    ck_assert(!dial(&one, shape, server.port));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "22023", false, "no");
    part();
    how.answer = "";
    meet(let_in_and_answer, &how);
    snprintf(url, sizeof url, shape, server.port);
    ck_assert(dial_configure(&one, url));
    ck_assert(!dial_connect(&one, 0.3));
    dial_failed(&one, DBAL_ERROR_TIMEOUT, "08001", true, "did not answer in time");
    ck_assert(one.seconds < 20);
    part();
}
END_TEST

/* ---- notices ---- */

static void
chatter(fake_postgres *self, int fd)
{
    static const char notice[] = "SHINWEIS\0VNOTICE\0C01000\0Mwelcome\0";
    if (!fake_postgres_hear(self, fd, 'N') || !fake_postgres_let_in(fd, "15.1"))
        return;
    for (int i = 0; i < 70; i++)
        if (!fake_postgres_say(fd, 'N', notice, sizeof notice))
            return;
    if (fake_postgres_status(fd, "DateStyle", "ISO, MDY") && fake_postgres_ready(fd) &&
        fake_postgres_fail(fd, "FATAL", "57P01", "terminating connection"))
        fake_postgres_hold(self, fd);
}

START_TEST(notices_are_kept_and_nothing_is_written)
{
    char seen[16];
    int both[2], before = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe2(both, O_NONBLOCK), 0);
    dup2(both[1], STDERR_FILENO);
    meet(chatter, NULL);
    dial_ok(&one, shape, server.port);
    /* the end of an idle connection is told to nobody else */
    while (one.notices.end_sqlstate[0] == '\0' && PQconsumeInput(one.conn) == 1)
        PQisBusy(one.conn);
    dup2(before, STDERR_FILENO);
    ck_assert_int_eq(read(both[0], seen, sizeof seen), -1);
    ck_assert_str_eq(one.notices.end_sqlstate, "57P01");
    ck_assert_str_eq(one.notices.end_text, "terminating connection");
    ck_assert_int_eq(one.notices.count, DBAL__POSTGRES_NOTICES);
    ck_assert_uint_eq(one.notices.dropped, 7);
    dbal__postgres_notice notice;
    int count = 0;
    for (; dbal__postgres_notices_take(&one.notices, &notice); count++) {
        bool last = count == DBAL__POSTGRES_NOTICES - 1;
        ck_assert_str_eq(notice.severity, last ? "FATAL" : "NOTICE");
        ck_assert_str_eq(notice.sqlstate, last ? "57P01" : "01000");
        ck_assert_str_eq(notice.text, last ? "terminating connection" : "welcome");
        dbal_driver_free(notice.text);
    }
    ck_assert_int_eq(count, DBAL__POSTGRES_NOTICES);
    part();
}
END_TEST

/* ---- memory ---- */

static void
dial_starved(void *arg)
{
    dialled starved = {0};
    const fake_postgres *at = arg;
    char url[300];
    snprintf(url, sizeof url,
             "postgresql://me:topsecret@127.0.0.1:%d,two.test:%d,db.test:%d/bank?sslmode=disable"
             "&timezone=a'b&load_balance_hosts=random&target_session_attrs=any",
             at->port, at->port, at->port);
    if (dial_configure(&starved, url))
        dial_connect(&starved, 10);
    /* what libpq says of it is its own, and an error may have had no room for its text */
    ck_assert(starved.conn != NULL || starved.error != NULL);
    dial_end(&starved);
}

START_TEST(without_memory)
{
    session how = {"11.1", "German", "UTC", "on", NULL};
    meet(let_in_and_answer, &how);
    alloc_fault_sweep(dial_starved, &server);
    part();
}
END_TEST

static void
add(Suite *suite, const TTest *test, int count)
{
    TCase *tests = tcase_create(test->name);
    tcase_add_loop_test(tests, test, 0, count);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, dial_forget_environment, NULL);
    suite_add_tcase(suite, tests);
}

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

Suite *
connect_login_suite(void)
{
    Suite *suite = suite_create("postgres logins");
    add(suite, what_the_server_says_is_kept, COUNT(refusals));
    add(suite, the_next_is_asked_when_it_passes, COUNT(refusals));
    add(suite, a_password_that_comes_back_is_hidden, 1);
    add(suite, no_password, 1);
    add(suite, no_tls, 1);
    add(suite, what_is_said_at_the_login, 1);
    add(suite, what_is_said_to_a_pooler, 1);
    add(suite, what_is_not_as_it_should_be_is_set, COUNT(sessions));
    add(suite, what_cannot_be_set_is_an_error, 1);
    add(suite, notices_are_kept_and_nothing_is_written, 1);
    add(suite, without_memory, 1);
    return suite;
}
