#include "settle.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SHORTEST_EXACT = 120000 }; /* from this version on doubles are written so by themselves */

static const char *
status(PGconn *conn, const char *name)
{
    const char *value = PQparameterStatus(conn, name);
    return value != NULL ? value : "";
}

static bool
is_wrong(PGconn *conn, const char *name, const char *wanted)
{
    const char *value = status(conn, name);
    return value[0] != '\0' && strcasecmp(value, wanted) != 0;
}

/* Only the URL is sure to be meant; what the environment says, libpq has sent. */
static const char *
wanted_zone(const dbal__postgres_config *config)
{
    const char *zone = dbal__postgres_option(&config->settings, "timezone");
    if (zone != NULL)
        return zone;
    return getenv("PGTZ") != NULL ? NULL : "UTC";
}

/* A text of SETs, or of one SELECT that does the same. */
typedef struct list {
    char *text, *to; /* NULL without memory */
    bool calls;
} list;

/* The value is quoted. */
static void
put(list *out, const char *name, const char *value)
{
    if (!out->calls) {
        out->to = stpcpy(stpcpy(stpcpy(out->to, "SET "), name), " = ");
        out->to = stpcpy(stpcpy(out->to, value), "; ");
        return;
    }
    out->to = stpcpy(out->to, out->to == out->text ? "SELECT " : ", ");
    out->to = stpcpy(stpcpy(stpcpy(out->to, "pg_catalog.set_config('"), name), "', ");
    out->to = stpcpy(stpcpy(out->to, value), ", false)");
}

/* "" when all is as it should be; NULL without memory. Of dbal_driver_alloc(). */
static char *
make_sql(PGconn *conn, const dbal__postgres_config *config, bool calls)
{
    const char *zone = wanted_zone(config);
    char *quoted = NULL;
    if (zone != NULL && is_wrong(conn, "TimeZone", zone)) {
        quoted = PQescapeLiteral(conn, zone, strlen(zone));
        if (quoted == NULL)
            return NULL;
    }
    list out = {.text = dbal_driver_alloc(512 + (quoted != NULL ? strlen(quoted) : 0)),
                .calls = calls};
    if ((out.to = out.text) != NULL) {
        if (strncmp(status(conn, "DateStyle"), "ISO", 3) != 0)
            put(&out, "DateStyle", "'ISO'");
        if (is_wrong(conn, "client_encoding", "UTF8"))
            put(&out, "client_encoding", "'UTF8'");
        /* the statement is cut into tokens as if it were on */
        if (is_wrong(conn, "standard_conforming_strings", "on"))
            put(&out, "standard_conforming_strings", "'on'");
        if (PQserverVersion(conn) < SHORTEST_EXACT && !config->pooler)
            put(&out, "extra_float_digits", "'3'");
        if (quoted != NULL)
            put(&out, "TimeZone", quoted);
    }
    PQfreemem(quoted);
    return out.text;
}

char *
dbal__postgres_settle_again(PGconn *conn, const dbal__postgres_config *config)
{
    return make_sql(conn, config, true);
}

static bool
fail(PGconn *conn, dbal__postgres_wait how, dbal__postgres_reason *reason)
{
    if (how == DBAL__POSTGRES_READY)
        dbal__postgres_reason_read(reason, PQerrorMessage(conn), NULL);
    else
        dbal__postgres_reason_set(reason, DBAL_ERROR_TIMEOUT,
                                  "the server let in, but did not answer in time");
    return false;
}

/* The next result, NULL at the end. False when it did not come. */
static bool
next(PGconn *conn, int64_t deadline, const dbal_opening *opening, PGresult **ret_result,
     dbal__postgres_reason *reason)
{
    for (;;) {
        int flushed = PQflush(conn);
        if (flushed == 0 && !PQisBusy(conn))
            break;
        dbal__postgres_wait how = dbal__postgres_wait_for(
            PQsocket(conn), flushed == 0 ? POLLIN : POLLIN | POLLOUT, deadline, opening);
        if (flushed < 0 || how != DBAL__POSTGRES_READY || PQconsumeInput(conn) == 0)
            return fail(conn, how, reason);
    }
    *ret_result = PQgetResult(conn);
    return true;
}

static bool
run(PGconn *conn, const char *sql, int64_t deadline, const dbal_opening *opening,
    dbal__postgres_reason *reason)
{
    bool ok = PQsendQuery(conn, sql) == 1;
    if (!ok)
        return fail(conn, DBAL__POSTGRES_READY, reason);
    for (PGresult *result;;) {
        if (!next(conn, deadline, opening, &result, reason))
            return false;
        if (result == NULL)
            return ok;
        if (ok && PQresultStatus(result) != PGRES_COMMAND_OK) {
            ok = false;
            dbal__postgres_reason_read(reason, PQresultErrorMessage(result), NULL);
        }
        PQclear(result);
    }
}

bool
dbal__postgres_settle(PGconn *conn, const dbal__postgres_config *config, int64_t deadline,
                      const dbal_opening *opening, dbal__postgres_reason *reason)
{
    char *sql = make_sql(conn, config, false);
    if (sql == NULL) {
        dbal__postgres_reason_set(reason, DBAL_ERROR_NO_MEMORY, "out of memory");
        return false;
    }
    if (sql[0] == '\0') {
        dbal_driver_free(sql);
        return true;
    }
    PQsetnonblocking(conn, 1);
    bool ok = run(conn, sql, deadline, opening, reason);
    PQsetnonblocking(conn, 0);
    dbal_driver_free(sql);
    return ok;
}
