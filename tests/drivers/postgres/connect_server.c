/* Real servers: passwords, files, environment, settings, and which of several is taken. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connect_servers.h"
#include "tests/lib/loop_fixture.h"
#include <dbal/pool.h>

static dialled one;

/* As a role of the bank's, by TCP without TLS. */
static bool
as(const char *role, const char *password, const char *database, const char *more)
{
    return dial(&one, "postgresql://%s:%s@127.0.0.1:%d/%s?sslmode=disable%s", role, password,
                servers.bank_port, database, more);
}

static void
let_in(void)
{
    ck_assert_msg(one.conn != NULL, "%s", one.conn == NULL ? dbal_error_message(one.error) : "");
}

static void
shows(const char *name, const char *value)
{
    char sql[100];
    snprintf(sql, sizeof sql, "show %s", name);
    PGresult *result = PQexec(one.conn, sql);
    ck_assert_str_eq(PQgetvalue(result, 0, 0), value);
    PQclear(result);
}

START_TEST(a_socket)
{
    dial_ok(&one, "postgresql:///bank?host=%s&port=%d&user=postgres", servers.bank.folder,
            servers.bank_port);
    shows("client_encoding", "UTF8");
    shows("datestyle", "ISO, MDY");
    shows("intervalstyle", "postgres");
    shows("timezone", "UTC");
    shows("standard_conforming_strings", "on");
    shows("application_name", "test-postgres-servers");
    ck_assert_uint_eq(one.notes.count, 0);
    dial_end(&one);
}
END_TEST

START_TEST(scram)
{
    as("teller", "topsecret", "bank", "");
    let_in();
    ck_assert_int_eq(PQconnectionUsedPassword(one.conn), 1);
    as("teller", "wrongsecret", "bank", "");
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "28P01", false, "authentication failed");
    dial_no_secret(&one, "wrongsecret");
    as("nobody", "topsecret", "bank", "");
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "28P01", false, "authentication failed");
    dial_end(&one);
}
END_TEST

/* Asked with TLS first, and then without: both answers are told. */
START_TEST(a_wrong_password_where_tls_is_preferred)
{
    ck_assert(!dial(&one, "postgresql://tlsonly:wrongsecret@127.0.0.1:%d/bank", servers.bank_port));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "28P01", false, "authentication failed");
    ck_assert_ptr_nonnull(strstr(dbal_error_message(one.error), "pg_hba.conf rejects"));
    dial_no_secret(&one, "wrongsecret");
    dial_end(&one);
}
END_TEST

START_TEST(refusals)
{
    as("teller", "topsecret", "nothing", "");
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "3D000", false, "\"nothing\" does not exist");
    as("teller", "topsecret", "closed", "");
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "55000", false, "not currently accepting");
    as("stranger", "topsecret", "bank", "");
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "28000", false, "pg_hba.conf rejects");
    as("teller", "topsecret", "bank", "&options=-c%20nonsense=1");
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "42704", false, "nonsense");
    as("teller", "topsecret", "bank", "&timezone=Nowhere");
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "22023", false, "Nowhere");
    dial_end(&one);
}
END_TEST

START_TEST(too_many)
{
    dialled first = {0};
    dial_ok(&first, "postgresql://limited:topsecret@127.0.0.1:%d/bank?sslmode=disable",
            servers.bank_port);
    as("limited", "topsecret", "bank", "");
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "53300", true, "too many connections");
    dial_end(&one);
    dial_end(&first);
}
END_TEST

START_TEST(settings)
{
    as("odd", "topsecret", "bank",
       "&search_path=a,%22b%20c%22&statement_timeout=7s&lock_timeout=1min&timezone=Europe/Berlin"
       "&idle_in_transaction_session_timeout=5s&application_name=mine&options=-c%20geqo%3Doff");
    let_in();
    shows("search_path", "a,\"b c\"");
    shows("statement_timeout", "7s");
    shows("lock_timeout", "1min");
    shows("idle_in_transaction_session_timeout", "5s");
    shows("timezone", "Europe/Berlin");
    shows("geqo", "off");
    shows("application_name", "mine");
    shows("datestyle", "ISO, MDY");
    shows("intervalstyle", "postgres");
    shows("standard_conforming_strings", "on");
    dial_end(&one);
}
END_TEST

/* ---- files ---- */

START_TEST(a_password_file)
{
    const char *path = connect_servers_file("pass",
                                            "db.test:%d:bank:teller:topsecret\n"
                                            "other.test:*:*:*:wrongsecret\n",
                                            servers.bank_port);
    dial_ok(&one, "postgresql://teller@db.test:%d/bank?passfile=%s", servers.bank_port, path);
    ck_assert(!dial(&one, "postgresql://teller@other.test:%d/bank?passfile=%s&sslmode=disable",
                    servers.bank_port, path));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "28P01", false, "authentication failed");
    dial_no_secret(&one, "wrongsecret");
    setenv("PGPASSFILE", path, 1);
    dial_ok(&one, "postgresql://teller@db.test:%d/bank", servers.bank_port);
    dial_end(&one);
}
END_TEST

START_TEST(a_password_file_that_others_may_read)
{
    char seen[16];
    int both[2], before = dup(STDERR_FILENO);
    const char *path = connect_servers_file("open", "*:*:*:*:topsecret\n");
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert_int_eq(pipe(both), 0);
    dup2(both[1], STDERR_FILENO);
    dial(&one, "postgresql://teller@db.test:%d/bank?passfile=%s", servers.bank_port, path);
    dup2(before, STDERR_FILENO);
    close(both[1]);
    ck_assert_int_eq(read(both[0], seen, sizeof seen), 0);
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "28P01", false, "no password supplied");
    ck_assert_uint_eq(one.notes.count, 1);
    ck_assert_ptr_nonnull(strstr(one.notes.texts[0], "its mode should be 0600"));
    dial_end(&one);
}
END_TEST

START_TEST(a_service_file)
{
    const char *path =
        connect_servers_file("services",
                             "[bank]\nhost=127.0.0.1\nport=%d\nuser=teller\npassword=topsecret\n"
                             "dbname=bank\nsslmode=disable\napplication_name=service\n"
                             "[two]\nhost=127.0.0.1,127.0.0.1\nport=%d,%d\nuser=postgres\n"
                             "dbname=postgres\ntarget_session_attrs=standby\nsslmode=disable\n"
                             "[bad]\ncolour=red\n",
                             servers.bank_port, servers.bank_port, servers.standby_port);
    setenv("PGSERVICEFILE", path, 1);
    dial_ok(&one, "postgresql:///?service=bank");
    shows("application_name", "service");
    ck_assert_str_eq(PQdb(one.conn), "bank");
    dial_ok(&one, "postgresql:///postgres?service=bank&application_name=url");
    shows("application_name", "url");
    ck_assert_str_eq(PQdb(one.conn), "postgres");
    ck_assert(!dial(&one, "postgresql:///?service=none"));
    dial_failed(&one, DBAL_ERROR_INTERFACE, "", false, "service \"none\" not found");
    ck_assert(!dial(&one, "postgresql:///?service=bad"));
    dial_failed(&one, DBAL_ERROR_INTERFACE, "", false, "service file");
    setenv("PGSERVICE", "bank", 1);
    dial_ok(&one, "postgresql://");
    shows("application_name", "service");
    setenv("PGSERVICEFILE", "/nonexistent", 1);
    ck_assert(!dial(&one, "postgresql:///?service=bank"));
    dial_failed(&one, DBAL_ERROR_INTERFACE, "", false, "service");
    dial_end(&one);
}
END_TEST

START_TEST(hosts_of_a_service)
{
    const char *path =
        connect_servers_file("hosts",
                             "[two]\nhost=127.0.0.1,db.test\nport=1,%d\nuser=teller\n"
                             "password=topsecret\ndbname=bank\nconnect_timeout=3\n",
                             servers.bank_port);
    setenv("PGSERVICEFILE", path, 1);
    dial_ok(&one, "postgresql:///?service=two");
    ck_assert_str_eq(PQhost(one.conn), "db.test");
    dial_end(&one);
}
END_TEST

/* ---- the environment ---- */

START_TEST(the_environment)
{
    char port[16];
    snprintf(port, sizeof port, "%d", servers.bank_port);
    setenv("PGHOST", "127.0.0.1", 1);
    setenv("PGPORT", port, 1);
    setenv("PGUSER", "teller", 1);
    setenv("PGPASSWORD", "topsecret", 1);
    setenv("PGDATABASE", "bank", 1);
    setenv("PGAPPNAME", "env", 1);
    setenv("PGSSLMODE", "disable", 1);
    setenv("PGDATESTYLE", "German", 1);
    setenv("PGTZ", "Asia/Tokyo", 1);
    setenv("PGOPTIONS", "-c geqo=off", 1);
    dial_ok(&one, "postgresql://");
    shows("application_name", "env");
    shows("datestyle", "ISO, DMY");
    shows("timezone", "Asia/Tokyo");
    shows("geqo", "off");
    dial_ok(&one, "postgresql://?timezone=Europe/Berlin&application_name=url");
    shows("application_name", "url");
    shows("timezone", "Europe/Berlin");
    setenv("PGCONNECT_TIMEOUT", "soon", 1);
    ck_assert(!dial(&one, "postgresql://"));
    dial_failed(&one, DBAL_ERROR_INTERFACE, "", false, "connect_timeout cannot be \"soon\"");
    unsetenv("PGCONNECT_TIMEOUT");
    setenv("PGTARGETSESSIONATTRS", "master", 1);
    ck_assert(!dial(&one, "postgresql://"));
    dial_failed(&one, DBAL_ERROR_INTERFACE, "", false, "target_session_attrs cannot be \"master\"");
    dial_end(&one);
}
END_TEST

/* What is left open in one of several hosts is libpq's own default, not the environment's. */
START_TEST(the_environment_is_not_let_in_by_the_back_door)
{
    setenv("PGHOST", "/elsewhere", 1);
    setenv("PGPORT", "7", 1);
    ck_assert(!dial(&one, "postgresql://127.0.0.1:1,127.0.0.1:2,:3,127.0.0.1/bank"));
    const char *message = dbal_error_message(one.error);
    ck_assert_ptr_null(strstr(message, "/elsewhere"));
    ck_assert_ptr_nonnull(strstr(message, ".s.PGSQL.3\""));
    ck_assert_ptr_null(strstr(message, "port 7"));
    dial_end(&one);
}
END_TEST

/* ---- several hosts ---- */

START_TEST(which_of_several)
{
    static const struct {
        const char *attrs;
        bool standby;
    } wanted[] = {{"any", true},      {"read-write", false}, {"read-only", true},
                  {"primary", false}, {"standby", true},     {"prefer-standby", true}};
    char socket[128], *to = socket;
    for (const char *from = servers.bank.folder; *from != '\0'; from++)
        to += sprintf(to, *from == '/' ? "%%2F" : "%c", *from);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        bool ok = dial(&one,
                       "postgresql://postgres@127.0.0.1:%d,%s:%d/postgres"
                       "?sslmode=disable&target_session_attrs=%s",
                       servers.standby_port, socket, servers.bank_port, wanted[i].attrs);
        ck_assert_msg(ok, "%s: %s", wanted[i].attrs, ok ? "" : dbal_error_message(one.error));
        ck_assert_msg((strcmp(PQparameterStatus(one.conn, "in_hot_standby"), "on") == 0) ==
                          wanted[i].standby,
                      "%s", wanted[i].attrs);
    }
    dial_end(&one);
}
END_TEST

START_TEST(none_of_several)
{
    ck_assert(!dial(&one,
                    "postgresql://teller:topsecret@127.0.0.1:1,db.test:%d/bank"
                    "?sslmode=disable&target_session_attrs=standby",
                    servers.bank_port));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", true, "server is not in hot standby mode");
    ck_assert_ptr_nonnull(strstr(dbal_error_message(one.error), "refused"));
    ck_assert(!dial(&one,
                    "postgresql://postgres@127.0.0.1:%d/postgres?target_session_attrs=read-write",
                    servers.standby_port));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", true, "session is read-only");
    dial_end(&one);
}
END_TEST

/* The next best, and those that were not reached are not waited for again. */
START_TEST(no_standby_to_be_preferred)
{
    dial_ok(&one,
            "postgresql://teller:topsecret@127.0.0.1:1,db.test:%d/bank"
            "?sslmode=disable&target_session_attrs=prefer-standby",
            servers.bank_port);
    ck_assert_str_eq(PQhost(one.conn), "db.test");
    ck_assert(!dial(&one, "postgresql://teller:topsecret@127.0.0.1:1,127.0.0.1:2/bank"
                          "?sslmode=disable&target_session_attrs=prefer-standby"));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", true, "none of 2 attempts");
    dial_end(&one);
}
END_TEST

START_TEST(one_that_is_frozen)
{
    char url[300];
    postgres_freeze(&servers.standby);
    snprintf(url, sizeof url, "postgresql://postgres@127.0.0.1:%d/postgres?sslmode=disable",
             servers.standby_port);
    ck_assert(dial_configure(&one, url));
    ck_assert(!dial_connect(&one, 0.4));
    dial_failed(&one, DBAL_ERROR_TIMEOUT, "08001", true, "in time");
    ck_assert(one.seconds < 20);
    snprintf(url, sizeof url,
             "postgresql://teller:topsecret@127.0.0.1:%d,127.0.0.1:%d/bank?sslmode=disable",
             servers.standby_port, servers.bank_port);
    ck_assert(dial_configure(&one, url));
    ck_assert_msg(dial_connect(&one, 6), "%s", dbal_error_message(one.error));
    postgres_thaw(&servers.standby);
    dial_end(&one);
}
END_TEST

/* ---- what is in between ---- */

START_TEST(a_pooler)
{
    dial_ok(&one, "%s&pool_pooler=transaction", servers.pooler.url);
    ck_assert(!dial(&one, "%s", servers.pooler.url));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08P01", false, "unsupported startup parameter");
    setenv("PGDATESTYLE", "German", 1);
    dial_ok(&one, "%s&pool_pooler=transaction&timezone=Asia/Tokyo", servers.pooler.url);
    shows("datestyle", "ISO, DMY");
    shows("timezone", "Asia/Tokyo");
    dial_end(&one);
}
END_TEST

static int
socket_option(int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    getsockopt(PQsocket(one.conn), level, name, &value, &size);
    return value;
}

START_TEST(a_vanished_server_is_noticed)
{
    as("teller", "topsecret", "bank", "");
    let_in();
    ck_assert_int_eq(socket_option(SOL_SOCKET, SO_KEEPALIVE), 1);
    ck_assert_int_eq(socket_option(IPPROTO_TCP, TCP_KEEPIDLE), 30);
    ck_assert_int_eq(socket_option(IPPROTO_TCP, TCP_KEEPINTVL), 10);
    ck_assert_int_eq(socket_option(IPPROTO_TCP, TCP_KEEPCNT), 3);
    ck_assert_int_eq(socket_option(IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
    as("teller", "topsecret", "bank", "&keepalives_idle=7&tcp_user_timeout=1000");
    let_in();
    ck_assert_int_eq(socket_option(IPPROTO_TCP, TCP_KEEPIDLE), 7);
    ck_assert_int_eq(socket_option(IPPROTO_TCP, TCP_USER_TIMEOUT), 1000);
    dial_end(&one);
}
END_TEST

START_TEST(notices)
{
    as("teller", "topsecret", "bank", "");
    let_in();
    PQclear(PQexec(one.conn, "do $$ begin for i in 1..100000 loop raise notice 'it is %', i; "
                             "end loop; end $$"));
    ck_assert_int_eq(one.notices.count, DBAL__POSTGRES_NOTICES);
    ck_assert_uint_eq(one.notices.dropped, 100000 - DBAL__POSTGRES_NOTICES);
    dbal__postgres_notice notice;
    ck_assert(dbal__postgres_notices_take(&one.notices, &notice));
    ck_assert_str_eq(notice.text, "it is 99937");
    dbal_driver_free(notice.text);
    dial_end(&one);
}
END_TEST

/* ---- a password that changes ---- */

/* By the socket, where nobody asks for a password. */
static const char *
by_socket(const char *more)
{
    static char url[300];
    snprintf(url, sizeof url, "postgresql:///bank?host=%s&port=%d&user=postgres%s",
             servers.bank.folder, servers.bank_port, more);
    return url;
}

static void
rule(const char *sql)
{
    postgres_run(by_socket(""), sql);
}

/* What the vault has: a URL, handed out with one password after another. */
static dbal_outcome
from_vault(const char *url, void *arg)
{
    int *asked = arg;
    char *next = NULL;
    (void)url;
    ck_assert_int_gt(asprintf(&next,
                              "postgresql://rotated:secret%d@127.0.0.1:%d/bank?sslmode=disable",
                              ++*asked, servers.bank_port),
                     0);
    return dbal_ok(next, free);
}

static void
ask_for(loop_fixture *fixture, dbal_deferred *deferred, dbal_error_class error_class)
{
    dbal_outcome outcome = loop_fixture_await(fixture, deferred);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_msg((error == NULL ? 0 : dbal_error_kind(error)) == error_class, "%s",
                  dbal_error_message(error));
    dbal_outcome_clear(&outcome);
}

START_TEST(a_password_that_changes)
{
    loop_fixture fixture;
    int asked = 0;
    rule("create role rotated login password 'secret1'");
    loop_fixture_init(&fixture);
    dbal_pool *pool = dbal_pool_open(fixture.loop, "postgresql:",
                                     DBAL_POOL_OPTIONS(.max_size = 1, .before_connect = from_vault,
                                                       .before_connect_arg = &asked),
                                     NULL);
    ask_for(&fixture, dbal_pool_query(pool, "select 1", DBAL_NO_PARAMS), 0);
    rule("alter role rotated password 'secret2'");
    ask_for(&fixture, dbal_pool_drain(pool), 0);
    ask_for(&fixture, dbal_pool_query(pool, "select 1", DBAL_NO_PARAMS), 0);
    ck_assert_int_eq(asked, 2);
    ask_for(&fixture, dbal_pool_close(pool), 0);
    loop_fixture_fini(&fixture);
    rule("drop role rotated");
}
END_TEST

/* ---- validate_after ---- */

/* In threads nobody watches a connection that does nothing: it is asked. */
START_TEST(one_that_the_server_has_ended_is_not_used)
{
    loop_fixture fixture;
    char sql[100];
    loop_fixture_init(&fixture);
    dbal_pool *pool = dbal_pool_open(
        fixture.loop, by_socket("&pool_gate=thread&pool_max_size=1&pool_validate_after=0.001"),
        NULL, NULL);
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_query(pool, "select pg_backend_pid()", DBAL_NO_PARAMS));
    long long pid = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%lld)", pid);
    rule(sql);
    snprintf(sql, sizeof sql, "select count(*) from pg_stat_activity where pid = %lld", pid);
    while (postgres_number(by_socket(""), sql) != 0) {
    }
    ask_for(&fixture, dbal_pool_query(pool, "create table kept(n int)", DBAL_NO_PARAMS), 0);
    ask_for(&fixture, dbal_pool_query(pool, "drop table kept", DBAL_NO_PARAMS), 0);
    ask_for(&fixture, dbal_pool_close(pool), 0);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "a connection was lost"), 1);
    loop_fixture_fini(&fixture);
}
END_TEST

Suite *
connect_server_suite(void)
{
    const TTest *const tests[] = {
        a_socket,
        scram,
        a_wrong_password_where_tls_is_preferred,
        refusals,
        too_many,
        settings,
        a_password_file,
        a_password_that_changes,
        a_password_file_that_others_may_read,
        a_service_file,
        hosts_of_a_service,
        the_environment,
        the_environment_is_not_let_in_by_the_back_door,
        which_of_several,
        none_of_several,
        no_standby_to_be_preferred,
        one_that_is_frozen,
        a_pooler,
        a_vanished_server_is_noticed,
        notices,
        one_that_the_server_has_ended_is_not_used,
    };
    Suite *suite = suite_create("postgres servers");
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        TCase *one_case = tcase_create(tests[i]->name);
        tcase_add_test(one_case, tests[i]);
        tcase_set_timeout(one_case, 60);
        tcase_add_checked_fixture(one_case, dial_forget_environment, NULL);
        suite_add_tcase(suite, one_case);
    }
    return suite;
}
