#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "connection.h"
#include "failure.h"
#include "link.h"
#include "reason.h"

enum { OLDEST = 100500 }; /* MariaDB 10.5, the first with INSERT … RETURNING */

/* Connections of this thread: the library's memory for a thread is given back with the last. */
static _Thread_local unsigned in_thread;

static void
enter_thread(void)
{
    if (in_thread++ == 0)
        mysql_thread_init();
}

static void
leave_thread(void)
{
    if (--in_thread == 0)
        mysql_thread_end();
}

/* ---- one host after the other ----------------------------------------------------------------- */

static dbal__mariadb_error
error_of(MYSQL *mysql)
{
    return (dbal__mariadb_error){mysql_errno(mysql), mysql_sqlstate(mysql), mysql_error(mysql)};
}

static int64_t
share_of_time(const dbal__mariadb_config *config, int left, int64_t deadline)
{
    int64_t now = dbal__mariadb_now();
    int64_t until = deadline == INT64_MAX ? INT64_MAX : now + (deadline - now) / left;
    int seconds = dbal__mariadb_option_number(&config->options, DBAL__MARIADB_CONNECT_TIMEOUT);
    int64_t limit = now + (int64_t)seconds * 1000000000;
    return seconds != 0 && limit < until ? limit : until;
}

static void
say_late(dbal_fault *fault, const char *where, bool stopped)
{
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08001", "cannot connect to MariaDB at %s: %s",
                   where, stopped ? "it is not wanted any more" : "it took longer than allowed");
    dbal_fault_set_retryable(fault, true);
}

/* ---- what the server is asked at the login ------------------------------------------------------ */

/* Some columns, and who is told what is in them. */
typedef struct question {
    const char *columns;
    int count;
    void (*learn)(dbal__mariadb_connection *self, MYSQL_ROW cells);
} question;

static void
learn_time_limit(dbal__mariadb_connection *self, MYSQL_ROW cells)
{
    if (cells[0] != NULL)
        dbal__mariadb_time_limit_learn(&self->time_limit, cells[0]);
}

static void
learn_packet(dbal__mariadb_connection *self, MYSQL_ROW cells)
{
    if (cells[0] != NULL)
        self->packet = strtoul(cells[0], NULL, 10);
}

static void
learn_identity(dbal__mariadb_connection *self, MYSQL_ROW cells)
{
    dbal__mariadb_identity_read(&self->kill.identity, self->mysql, cells);
}

/* False: the server would not answer. */
static bool
ask(dbal__mariadb_connection *self, const question *questions, int count)
{
    char text[512] = "select ";
    size_t size = strlen(text);
    for (int i = 0; i < count; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%s", i > 0 ? ", " : "",
                                 questions[i].columns);
    MYSQL_RES *result = mysql_real_query(self->mysql, text, (unsigned long)size) == 0
                            ? mysql_store_result(self->mysql)
                            : NULL;
    MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
    for (int i = 0; row != NULL && i < count; row += questions[i].count, i++)
        questions[i].learn(self, row);
    mysql_free_result(result);
    return result != NULL;
}

static bool
is_gone(dbal__mariadb_connection *self)
{
    return dbal__mariadb_failure_is_lost(mysql_errno(self->mysql));
}

/*
 * What the session's own limits are, before anything is set but what the URL says, and which server this
 * is. MySQL's has other limits. A server, or who stands between, that does not know one of them refuses
 * all: then each is asked by itself, and what is not known is not used.
 */
static bool
learn(dbal__mariadb_connection *self)
{
    bool limits = mariadb_connection(self->mysql);
    const question all[] = {
        {limits ? "@@max_statement_time" : "null", 1, learn_time_limit},
        {limits ? "@@max_allowed_packet" : "null", 1, learn_packet},
        {dbal__mariadb_identity_columns(self->mysql), 2, learn_identity},
    };
    const int count = sizeof all / sizeof all[0];
    bool told = ask(self, all, count);
    for (int i = 0; i < count && !told && !is_gone(self); i++)
        ask(self, &all[i], 1);
    return !is_gone(self);
}

static bool
set_up(dbal__mariadb_connection *self, dbal__mariadb_wait *wait)
{
    dbal__mariadb_wait_begin(wait);
    bool ok = dbal__mariadb_setup(self) && learn(self);
    dbal__mariadb_wait_end(wait);
    return ok;
}

/* Another host is no cure for a wrong password, say; for one that is full it is. */
static bool
is_final(unsigned code)
{
    return code != 0 && code < 2000 && !dbal__mariadb_failure_is_lost(code) &&
           !dbal__mariadb_reason_of(code, "HY000").retryable;
}

/* False with the fault set; *ret_final: no other host need be tried. */
static bool
try_host(dbal__mariadb_connection *self, int host, dbal_opening *opening, bool *ret_final,
         dbal_fault *fault)
{
    char where[300];
    dbal__mariadb_wait wait = dbal__mariadb_wait_until(
        share_of_time(self->config, self->config->host_count - host, opening->deadline));
    wait.opening = opening;
    if (dbal__mariadb_link(self->config, host, NULL, &wait, &self->mysql) && set_up(self, &wait)) {
        self->kill.host = host;
        self->kill.first = self->mysql;
        return true;
    }
    *ret_final = self->mysql == NULL;
    if (self->mysql == NULL) {
        dbal__mariadb_failure_memory(fault);
        return false;
    }
    dbal__mariadb_host_name(self->config, host, where, sizeof where);
    *ret_final = is_final(mysql_errno(self->mysql));
    if (wait.given_up)
        say_late(fault, where, dbal_opening_stopped(opening));
    else
        dbal__mariadb_failure_open(fault, error_of(self->mysql), where);
    mysql_close(self->mysql);
    self->mysql = NULL;
    return false;
}

static bool
connect_any(dbal__mariadb_connection *self, dbal_opening *opening, dbal_fault *fault)
{
    bool final = false;
    for (int host = 0; host < self->config->host_count && !final; host++) {
        if (dbal_opening_stopped(opening))
            break;
        dbal_fault_clear(fault);
        if (try_host(self, host, opening, &final, fault))
            return true;
    }
    if (!dbal_fault_is_set(fault))
        say_late(fault, "any host", true);
    return false;
}

static void
look_at_server(dbal__mariadb_connection *self, dbal_opening *opening)
{
    unsigned long version = mysql_get_server_version(self->mysql);
    if (!mariadb_connection(self->mysql))
        dbal_opening_note(opening,
                          "the server is not MariaDB but %s: INSERT ... RETURNING and some types "
                          "are not there",
                          mysql_get_server_info(self->mysql));
    else if (version < OLDEST)
        dbal_opening_note(opening,
                          "MariaDB %s is older than 10.5: INSERT ... RETURNING is not there",
                          mysql_get_server_info(self->mysql));
}

/* ---- opening and closing ------------------------------------------------------------------------ */

/* An account's own limit is given by the server when it logs in, and forgotten when it begins anew. */
static bool
set_limit(dbal__mariadb_connection *self)
{
    char text[DBAL__MARIADB_TIME_TEXT];
    if (!self->time_limit.known || self->time_limit.base == 0 ||
        self->config->options.value[DBAL__MARIADB_MAX_STATEMENT_TIME] != NULL)
        return true;
    dbal__mariadb_time_limit_text(&self->time_limit, 0, text);
    return mysql_real_query(self->mysql, text, strlen(text)) == 0;
}

bool
dbal__mariadb_setup(dbal__mariadb_connection *self)
{
    const char *setup = self->config->setup;
    size_t size = mariadb_connection(self->mysql) ? strlen(setup) : self->config->setup_common;
    dbal__mariadb_time_limit_renew(&self->time_limit);
    return mysql_real_query(self->mysql, setup, (unsigned long)size) == 0 && set_limit(self);
}

bool
dbal__mariadb_open(void *connection, dbal_opening *opening, dbal_fault *fault)
{
    dbal__mariadb_connection *self = connection;
    self->config = opening->config;
    self->kill.config = self->config;
    enter_thread();
    self->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->stop_fd < 0)
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "53000", "no descriptor for a connection: %s",
                       strerrordesc_np(errno));
    else if (!dbal__mariadb_cache_init(&self->cache, opening->statement_cache))
        dbal__mariadb_failure_memory(fault);
    else if (connect_any(self, opening, fault)) {
        look_at_server(self, opening);
        opening->max_connections =
            dbal__mariadb_option_number(&self->config->options, DBAL__MARIADB_MAX_CONNECTIONS);
        return true;
    }
    dbal__mariadb_cache_fini(&self->cache);
    if (self->stop_fd >= 0)
        close(self->stop_fd);
    leave_thread();
    return false;
}

void
dbal__mariadb_close(void *connection)
{
    dbal__mariadb_connection *self = connection;
    dbal__mariadb_kill_end(&self->kill);
    dbal__mariadb_cache_fini(&self->cache);
    mysql_close(self->mysql);
    close(self->stop_fd);
    leave_thread();
}
