/* Ways to a server: doors, names, passwords, and those that lead nowhere. */
#include "session.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/suite.h"

static void
before(void)
{
    session_begin("");
}

/* A URL of the server's own, with another start and more behind it. */
static dbal_pool *
open_as(const char *scheme, const char *user, const char *hosts, const char *more)
{
    char url[512];
    snprintf(url, sizeof url, "%s://%s@%s/%s?%s", scheme, user, hosts, place.name, more);
    return session_open_url(url);
}

/* What a first statement comes to, where waiting for the server is not wanted. */
static dbal_deferred *
ask(dbal_pool *at)
{
    return dbal_pool_query(at, "select 1", DBAL_NO_PARAMS);
}

static const char *
host(void)
{
    static char host[40];
    const char *at = strchr(place.url, '@') + 1;
    snprintf(host, sizeof host, "%.*s", (int)strcspn(at, "/"), at);
    return host;
}

START_TEST(by_a_socket_and_by_the_other_scheme)
{
    char more[120];
    snprintf(more, sizeof more, "socket=%s/socket", server.served.folder);
    ends_well(dbal_pool_ready(open_as("mysql", "root", "", more)));
    ends_well(dbal_pool_ready(open_as("mysql", "root", host(), "compress=on")));
}
END_TEST

START_TEST(localhost_is_a_name_like_others)
{
    char hosts[60];
    snprintf(hosts, sizeof hosts, "localhost%s", strchr(host(), ':'));
    ends_well(dbal_pool_ready(open_as("mariadb", "root", hosts, "")));
}
END_TEST

START_TEST(passwords)
{
    mariadb_run(&server, NULL, "create or replace user guard@127.0.0.1 identified by 'se:cr/et'");
    mariadb_run(&server, NULL, "grant all on *.* to guard@127.0.0.1");
    ends_well(dbal_pool_ready(open_as("mariadb", "guard:se%3Acr%2Fet", host(), "")));
    ends_well(dbal_pool_ready(open_as("mariadb", "guard", host(), "password=se%3Acr%2Fet")));
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_ready(open_as("mariadb", "guard:wrongsecret", host(), "")));
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_ptr_null(strstr(dbal_error_message(error), "wrongsecret"));
    ck_assert_int_eq(dbal_error_vendor_code(error), 1045);
    ck_assert(!dbal_error_retryable(error));
    outcome_is(outcome, DBAL_ERROR_OPERATIONAL, "28000");
    mariadb_run(&server, NULL, "drop user guard@127.0.0.1");
}
END_TEST

/* A port of loopback's that nobody listens at, while the descriptor is open. */
static int
closed_port(char *hosts, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    snprintf(hosts, size, "127.0.0.1:%d", ntohs(address.sin_port));
    return fd;
}

START_TEST(nobody_listens)
{
    char hosts[100], more[60];
    int fd = closed_port(hosts, sizeof hosts);
    ends_badly(ask(open_as("mariadb", "root", hosts, "pool_connect_timeout=1&pool_fail_fast=on")),
               DBAL_ERROR_OPERATIONAL, "08001");
    /* but at the next they do */
    snprintf(more, sizeof more, ",%s", host());
    strncat(hosts, more, sizeof hosts - strlen(hosts) - 1);
    ends_well(dbal_pool_ready(open_as("mariadb", "root", hosts, "")));
    close(fd);
}
END_TEST

START_TEST(somebody_listens_and_says_nothing)
{
    char hosts[40];
    int fd = closed_port(hosts, sizeof hosts);
    ck_assert_int_eq(listen(fd, 8), 0);
    dbal_outcome outcome = loop_fixture_await(
        &fixture,
        ask(open_as("mariadb", "root", hosts, "pool_connect_timeout=0.3&pool_fail_fast=on")));
    ck_assert(dbal_outcome_error(outcome) != NULL);
    dbal_outcome_clear(&outcome);
    /* and one that is not wanted any more is given up at once */
    dbal_pool *slow = open_as("mariadb", "root", hosts, "pool_connect_timeout=20");
    dbal_deferred *ready = dbal_deferred_ref(dbal_pool_ready(slow));
    ev_run(fixture.ev, EVRUN_NOWAIT);
    ends_well(dbal_pool_close(slow));
    ends_badly(ready, DBAL_ERROR_CLOSED, "");
    dbal_deferred_unref(ready);
    close(fd);
}
END_TEST

START_TEST(encryption_that_the_server_has_not_is_refused)
{
    dbal_outcome outcome = loop_fixture_await(
        &fixture,
        ask(open_as("mariadb", "root", host(), "ssl=on&pool_connect_timeout=1&pool_fail_fast=on")));
    ck_assert_ptr_nonnull(dbal_outcome_error(outcome));
    dbal_outcome_clear(&outcome);
}
END_TEST

void
add_opening(Suite *suite)
{
    suite_add(suite, by_a_socket_and_by_the_other_scheme, before, session_end);
    suite_add(suite, localhost_is_a_name_like_others, before, session_end);
    suite_add(suite, passwords, before, session_end);
    suite_add(suite, nobody_listens, before, session_end);
    suite_add(suite, somebody_listens_and_says_nothing, before, session_end);
    suite_add(suite, encryption_that_the_server_has_not_is_refused, before, session_end);
}
