/* What a session leaves behind on its connection, and how the next is kept from it: the setting `reset`. */
#include <stdio.h>
#include <string.h>

#include "dbal/outcome.h"
#include "dbal/sql_utf8.h"
#include "pool/connection.h"

enum { SHOWN = 200 };

static bool
is_possible(const dbal_pool *pool)
{
    const dbal_driver *driver = pool->driver->driver;
    return dbal__pool_is_native(pool) ? driver->native->reset != NULL
                                      : driver->blocking->reset != NULL;
}

dbal_error *
dbal__reset_check(const dbal_pool *pool)
{
    if (pool->settings.reset != DBAL_RESET_FULL || is_possible(pool))
        return NULL;
    return dbal_error_new(DBAL_ERROR_INTERFACE,
                          "reset: the driver %s cannot make a session as new, as full wants it",
                          pool->driver->driver->name);
}

/* ---- reports ---- */

/* In a line: without line breaks, and not too long. */
static void
show(const char *text, char *room)
{
    size_t whole = strlen(text), size = dbal__utf8_clip(text, whole, SHOWN);
    for (size_t i = 0; i < size; i++)
        room[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
    strcpy(room + size, size < whole ? "…" : "");
}

void
dbal__reset_report(dbal_pool *pool, const char *who, bool handed_on)
{
    char shown[SHOWN + 4];
    pool->counts.dirty_sessions++;
    show(who, shown);
    if (dbal__notes_add(&pool->changes, shown))
        dbal__ready_log(&pool->loop->ready, handed_on ? DBAL_LOG_WARNING : DBAL_LOG_INFO,
                        "%s left its connection changed%s; that is told once", shown,
                        handed_on ? ", and others have it so (reset=none)" : "");
}

static void
report(const dbal_connection *connection)
{
    dbal_pool *pool = connection->pool;
    const char *label = connection->ticket != NULL ? connection->ticket->label : NULL;
    const char *sql = connection->soiler != NULL ? connection->soiler->source : "a session";
    dbal__reset_report(pool, label != NULL ? label : sql, pool->settings.reset == DBAL_RESET_NONE);
}

/* ---- what becomes of it ---- */

/* Whether the next should not have it as it is. */
static bool
wants_reset(const dbal_connection *connection)
{
    bool unclean = connection->dirty || connection->spoiled || connection->in_transaction;
    return unclean ||
           (connection->pool->settings.reset == DBAL_RESET_FULL && connection->last != NULL);
}

bool
dbal__reset_begin(dbal_connection *connection,
                  void (*done)(dbal__ticket *ticket, dbal_outcome outcome), void *arg)
{
    dbal_pool *pool = connection->pool;
    if (connection->lost)
        return false;
    if (connection->dirty && !connection->prepares)
        report(connection);
    if (connection->prepares || pool->settings.reset == DBAL_RESET_NONE) {
        connection->dirty = connection->spoiled;
        return false;
    }
    if (!wants_reset(connection))
        return false;
    dbal__ticket *ticket = is_possible(pool) ? dbal__ticket_new_reset(pool) : NULL;
    if (ticket == NULL) {
        connection->dirty = true;
        return false;
    }
    dbal__connection_start_control(connection, ticket, true, done, arg);
    return true;
}

void
dbal__reset_done(dbal_connection *connection, dbal_outcome outcome)
{
    /* one that cannot be made as new is closed when it is given back */
    connection->dirty = dbal_outcome_error(outcome) != NULL;
    connection->pool->counts.resets += !connection->dirty;
    if (connection->slot != NULL)
        connection->slot->bare = connection->pool->settings.on_connect != NULL;
    dbal__outcome_fini(outcome);
}
