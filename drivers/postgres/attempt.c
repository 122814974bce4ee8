#include "attempt.h"

#include <poll.h>
#include <string.h>

static bool
set_place(dbal__postgres_options *options, const dbal__postgres_place *place)
{
    return dbal__postgres_option_set(options, "host", place->host) &&
           dbal__postgres_option_set(options, "hostaddr", place->address) &&
           dbal__postgres_option_set(options, "port", place->port) &&
           dbal__postgres_option_set(options, "target_session_attrs", place->target);
}

static PGconn *
start(const dbal__postgres_attempts *of, const dbal__postgres_place *place)
{
    dbal__postgres_options options;
    if (!dbal__postgres_options_copy(&options, of->options))
        return NULL;
    PGconn *conn = NULL;
    if (set_place(&options, place))
        conn = PQconnectStartParams(options.keywords, options.values, 0);
    dbal__postgres_options_fini(&options);
    return conn;
}

/* Where in words, for what libpq has no message of its own. */
static void
late(dbal__postgres_reason *reason, const dbal__postgres_place *place, const char *what)
{
    const char *host = place->host[0] != '\0' ? place->host : place->address;
    bool both = place->address[0] != '\0' && strcmp(place->address, host) != 0;
    dbal__postgres_reason_set(
        reason, DBAL_ERROR_TIMEOUT, "connection to server %s%s%s%s%s%s, port %s failed: %s",
        host[0] != '\0' ? "at \"" : "on the default socket", host, host[0] != '\0' ? "\"" : "",
        both ? " (" : "", both ? place->address : "", both ? ")" : "",
        place->port[0] != '\0' ? place->port : "5432", what);
}

static bool
is_same(const char *secret, const char *name)
{
    return name != NULL && strcmp(secret, name) == 0;
}

/* A password that is the user's name is shown as that. */
static bool
is_secret(const char *secret, PGconn *conn)
{
    return secret != NULL && !is_same(secret, PQuser(conn)) && !is_same(secret, PQdb(conn)) &&
           !is_same(secret, PQhost(conn));
}

static void
explain(dbal__postgres_reason *reason, const dbal__postgres_attempts *of, PGconn *conn)
{
    const char *const may[] = {
        PQpass(conn), /* also one from a file, which only libpq has read */
        dbal__postgres_option(of->options, "sslpassword"),
    };
    const char *secrets[3] = {NULL};
    int count = 0;
    for (int i = 0; i < 2; i++)
        if (is_secret(may[i], conn))
            secrets[count++] = may[i];
    dbal__postgres_reason_read(reason, PQerrorMessage(conn), secrets);
}

/* libpq may take another socket with each step, also under the same number. */
static bool
log_in(PGconn *conn, const dbal__postgres_attempts *of, const dbal__postgres_place *place,
       int64_t deadline, dbal__postgres_reason *reason)
{
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    while (PQstatus(conn) != CONNECTION_BAD && wanted != PGRES_POLLING_FAILED) {
        if (wanted == PGRES_POLLING_OK)
            return true;
        dbal__postgres_wait how = dbal__postgres_wait_for(
            PQsocket(conn), wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline,
            of->opening);
        if (how != DBAL__POSTGRES_READY) {
            late(reason, place,
                 how == DBAL__POSTGRES_STOPPED          ? "it is not wanted any more"
                 : PQstatus(conn) == CONNECTION_STARTED ? "no answer in time"
                                                        : "it did not let in within the time");
            return false;
        }
        wanted = PQconnectPoll(conn);
    }
    explain(reason, of, conn);
    return false;
}

PGconn *
dbal__postgres_attempt(const dbal__postgres_attempts *of, const dbal__postgres_place *place,
                       int64_t deadline, dbal__postgres_reason *reason)
{
    PGconn *conn = start(of, place);
    if (conn == NULL) {
        dbal__postgres_reason_set(reason, DBAL_ERROR_NO_MEMORY, "out of memory");
        return NULL;
    }
    dbal__postgres_notices_receive(of->notices, conn);
    /* for the SQLSTATE: there is no result to ask for it */
    PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
    if (log_in(conn, of, place, deadline, reason)) {
        PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
        return conn;
    }
    PQfinish(conn);
    return NULL;
}
