#include "attempt.h"

#include <poll.h>
#include <string.h>

/*
 * As a text, where an empty value is one: in the arrays that libpq takes too, it would let the
 * environment in again, whose host may be another one than this.
 */
typedef struct conninfo {
    char *text;
    size_t size, used;
} conninfo;

static void
put(conninfo *to, const char *keyword, const char *value)
{
    char *at = stpcpy(stpcpy(to->text + to->used, keyword), "='");
    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\')
            *at++ = '\\';
        *at++ = *value;
    }
    to->used = (size_t)(stpcpy(at, "' ") - to->text);
}

static size_t
room_for(const char *keyword, const char *value)
{
    return strlen(keyword) + 2 * strlen(value) + sizeof "='' ";
}

static bool
make_conninfo(conninfo *to, const dbal__postgres_options *options,
              const dbal__postgres_place *place)
{
    const char *const more[][2] = {{"host", place->host},
                                   {"hostaddr", place->address},
                                   {"port", place->port},
                                   {"target_session_attrs", place->target},
                                   {"options", ""}};
    int count = dbal__postgres_option(options, "options") == NULL ? 5 : 4;
    *to = (conninfo){.size = 1};
    for (int i = 0; i < options->count; i++)
        to->size += room_for(options->keywords[i], options->values[i]);
    for (int i = 0; i < count; i++)
        to->size += room_for(more[i][0], more[i][1]);
    to->text = dbal_driver_alloc(to->size);
    if (to->text == NULL)
        return false;
    for (int i = 0; i < options->count; i++)
        put(to, options->keywords[i], options->values[i]);
    for (int i = 0; i < count; i++)
        put(to, more[i][0], more[i][1]);
    return true;
}

static PGconn *
start(const dbal__postgres_attempts *of, const dbal__postgres_place *place)
{
    conninfo text;
    if (!make_conninfo(&text, of->options, place))
        return NULL;
    PGconn *conn = PQconnectStart(text.text);
    explicit_bzero(text.text, text.size);
    dbal_driver_free(text.text);
    return conn;
}

/* Where in words, for what libpq has no message of its own. */
static void
give_up(dbal__postgres_reason *reason, const dbal__postgres_place *place, dbal__postgres_wait how,
        const char *what)
{
    const char *host = place->host[0] != '\0' ? place->host : place->address;
    bool named = host[0] != '\0';
    bool both = place->address[0] != '\0' && strcmp(place->address, host) != 0;
    dbal__postgres_reason_set(
        reason, how == DBAL__POSTGRES_STOPPED ? DBAL_ERROR_OPERATIONAL : DBAL_ERROR_TIMEOUT,
        "connection to server %s%s%s%s%s%s, port %s failed: %s",
        named ? "at \"" : "on the default socket", host, named ? "\"" : "", both ? " (" : "",
        both ? place->address : "", both ? ")" : "", place->port[0] != '\0' ? place->port : "5432",
        how == DBAL__POSTGRES_STOPPED ? "it is not wanted any more" : what);
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
explain(dbal__postgres_reason *reason, const dbal__postgres_attempts *of,
        const dbal__postgres_place *place, PGconn *conn)
{
    const char *const may[] = {
        PQpass(conn), /* also one from a file, which only libpq has read */
        dbal__postgres_option(of->options, "sslpassword"),
    };
    dbal__postgres_context context = {.address = place->address};
    int count = 0;
    for (int i = 0; i < 2; i++)
        if (is_secret(may[i], conn))
            context.secrets[count++] = may[i];
    if (place->host[0] != '\0' && place->address[0] != '\0' &&
        strcmp(place->host, place->address) != 0)
        context.name = place->host;
    dbal__postgres_reason_read(reason, PQerrorMessage(conn), &context);
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
            give_up(reason, place, how,
                    PQstatus(conn) == CONNECTION_STARTED ? "no answer in time"
                                                         : "the login did not end in time");
            return false;
        }
        wanted = PQconnectPoll(conn);
    }
    explain(reason, of, place, conn);
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
    if (log_in(conn, of, place, deadline, reason))
        return conn;
    PQfinish(conn);
    return NULL;
}
