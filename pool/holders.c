#include "pool/holders.h"

#include <stdio.h>
#include <string.h>

#include "pool/connection.h"

/* Seconds that a pool stands still before it is told; bytes of SQL and of all that are shown. */
static const double STILL = 1;
enum { SQL_SHOWN = 80, NAME_SHOWN = 60, TEXT = 800 };

static double
age_of(const dbal_connection *connection)
{
    int64_t age = dbal__loop_now(connection->pool->loop) - connection->since;
    return age > 0 ? (double)age / 1e9 : 0; /* it is known roughly */
}

/* Its statements wait for the write token of others, or run. */
static bool
executes(const dbal_connection *connection)
{
    return connection->flying > 0 || connection->claiming;
}

/* At most so many bytes of a text, and no part of a character. */
static int
shown(const char *text, int most)
{
    size_t size = strlen(text);
    if (size <= (size_t)most)
        return (int)size;
    while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
        most--;
    return most;
}

static const char *
name_of(const dbal_connection *connection)
{
    return connection->ticket != NULL ? dbal__ticket_name(connection->ticket) : "session";
}

/* `cart, 12.3 s, idle, last: select 1` */
static void
describe(const dbal_connection *connection, char *text, size_t size)
{
    const char *name = name_of(connection);
    const dbal__sql *doing = dbal__connection_doing(connection);
    const char *sql = doing != NULL ? doing->source : "";
    int most = shown(sql, SQL_SHOWN);
    snprintf(text, size, "%.*s, %.3g s, %s%s%.*s%s", shown(name, NAME_SHOWN), name,
             age_of(connection), executes(connection) ? "executing" : "idle",
             sql[0] != '\0' ? ", last: " : "", most, sql, sql[most] != '\0' ? "…" : "");
}

/* The connection that a slot's session has, or NULL. */
static dbal_connection *
holder_at(const dbal__list *link)
{
    return DBAL__OF(link, const dbal__slot, link)->connection;
}

/* ---- for errors ---- */

static const dbal_connection *
oldest(const dbal_pool *pool)
{
    const dbal_connection *best = NULL;
    for (const dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        const dbal_connection *one = holder_at(link);
        if (one != NULL && (best == NULL || one->since < best->since))
            best = one;
    }
    return best;
}

dbal_error *
dbal__holders_exhausted(const dbal__ticket *ticket)
{
    dbal_pool *pool = ticket->pool;
    int64_t now = dbal__loop_now(pool->loop);
    const dbal_connection *holder = oldest(pool);
    char session[TEXT / 2] = "", cause[TEXT / 2] = "", threads[32] = "", places[80];
    dbal__seat_describe(pool, places, sizeof places);
    if (holder != NULL)
        describe(holder, session, sizeof session);
    if (pool->last_error != NULL)
        snprintf(cause, sizeof cause, "; last connect error, %.3g s ago: %s",
                 (double)(now - pool->backoff.error_at) / 1e9,
                 dbal_error_message(pool->last_error));
    if (pool->threads != NULL)
        snprintf(threads, sizeof threads, " on %d thread%s", pool->settings.threads,
                 pool->settings.threads == 1 ? "" : "s");
    dbal_error *error = dbal__error_because(
        pool->last_error, DBAL_ERROR_POOL_EXHAUSTED, "53300", DBAL_EXECUTION_NOT_SENT,
        "no connection became free in %.3g s: %d open of at most %d%s, %d in sessions, %d in use, "
        "%d connecting, %zu waiting%s%s%s%s%s",
        (double)(now - ticket->asked) / 1e9, pool->open, pool->limit, threads, pool->held,
        pool->open - dbal__pool_idle(pool), pool->connecting, dbal__waiters_live(pool), places,
        pool->paused ? "; the pool is paused" : "", cause,
        holder != NULL ? "; oldest session: " : "", session);
    dbal__ticket_describe(ticket, error);
    return error;
}

/* ---- for the program ---- */

typedef struct telling {
    dbal_holder_fn *fn;
    void *arg;
    size_t count;
} telling;

static void
tell_one(dbal__ticket *ticket, void *arg)
{
    telling *one = arg;
    dbal_connection *connection = ticket->connection;
    if (ticket->kind != DBAL__TICKET_SESSION || connection == NULL || connection->slot == NULL)
        return;
    dbal__sql *sql = dbal__connection_doing(connection);
    dbal_holder holder = {
        .size = sizeof holder,
        .label = ticket->label,
        .age = age_of(connection),
        .sql = sql != NULL ? sql->source : NULL,
        .executing = executes(connection),
        .id = connection->number,
    };
    one->count++;
    if (one->fn == NULL)
        return;
    dbal_loop *loop = ticket->pool->loop;
    dbal__connection_ref(connection);
    if (sql != NULL)
        dbal__sql_ref(sql); /* its statement may be ended */
    dbal__loop_enter(loop); /* so that it does not free it */
    dbal__ready_app_enter(&loop->ready);
    one->fn(&holder, one->arg);
    dbal__ready_app_leave(&loop->ready);
    dbal__loop_leave(loop);
    dbal__sql_unref(sql);
    dbal__connection_unref(connection);
}

size_t
dbal_pool_holders(dbal_pool *pool, dbal_holder_fn *fn, void *arg)
{
    telling one = {.fn = fn, .arg = arg};
    if (!dbal__loop_check(pool->loop, "dbal_pool_holders"))
        return 0;
    dbal__pool_each_ticket(pool, tell_one, &one);
    dbal__pool_check_closed(pool);
    return one.count;
}

/* ---- for the log ---- */

/* So many of these connections can be in sessions at once. */
static int
most_held(const dbal_pool *pool, int connections)
{
    bool fewer = pool->threads != NULL && pool->settings.threads < connections;
    return fewer ? pool->settings.threads : connections;
}

void
dbal__watch_granted(dbal_connection *connection)
{
    dbal_pool *pool = connection->pool;
    dbal__watch *self = &pool->watch;
    connection->since = dbal__clock_roughly(&pool->loop->ready.clock);
    int64_t asked = connection->ticket->asked; /* 0: it did not wait */
    if (asked != 0 && connection->since - asked >= pool->slow.acquire)
        dbal__slow_waited(connection->ticket, false);
    self->stirs++;
    if (pool->settings.leak_after >= 0)
        dbal__life_arm(pool, dbal__after(connection->since, pool->settings.leak_after));
    if (pool->held < most_held(pool, pool->limit) || self->look_at != DBAL__NEVER)
        return;
    self->waited = self->told = false;
    self->seen = self->stirs;
    self->look_at = dbal__after(connection->since, STILL);
    dbal__life_arm(pool, self->look_at);
}

/* Sessions that are held for too long, each once; when the next one will be. */
static int64_t
look_for_leaks(dbal_pool *pool, int64_t now)
{
    double limit = pool->settings.leak_after;
    int64_t next = DBAL__NEVER;
    for (const dbal__list *link = pool->slots.next; limit >= 0 && link != &pool->slots;
         link = link->next) {
        dbal_connection *one = holder_at(link);
        if (one == NULL || one->reported)
            continue;
        int64_t due = dbal__after(one->since, limit);
        if (due > now) {
            next = due < next ? due : next;
            continue;
        }
        char text[TEXT / 2];
        one->reported = true;
        describe(one, text, sizeof text);
        dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING,
                        "a session is held for longer than leak_after (%g s): %s", limit, text);
    }
    return next;
}

/* Every connection or thread is held, and nothing runs. */
static bool
stands(const dbal_pool *pool)
{
    if (pool->open == 0 || pool->held < most_held(pool, pool->open) || pool->connecting > 0)
        return false;
    for (const dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        const dbal__slot *slot = DBAL__OF(link, const dbal__slot, link);
        if (slot->state != DBAL__SLOT_OPEN)
            continue;
        if (pool->threads != NULL && !slot->held && slot->flying == 0)
            continue;
        if (slot->connection == NULL || slot->flying > 0 || executes(slot->connection))
            return false;
    }
    return true;
}

static void
tell_that_it_stands(dbal_pool *pool)
{
    char text[TEXT];
    size_t at = 0;
    for (const dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        char one[TEXT / 2];
        if (holder_at(link) == NULL)
            continue;
        describe(holder_at(link), one, sizeof one);
        if (at + strlen(one) + 8 > sizeof text) {
            strcpy(text + at, "; …");
            break;
        }
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", at > 0 ? "; " : "", one);
    }
    dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING,
                    "%zu wait, and all %s (%d) are in sessions that run nothing: does one "
                    "wait for another of the same pool? %s",
                    dbal__waiters_live(pool), pool->threads != NULL ? "threads" : "connections",
                    pool->held, text);
}

static int64_t
look_for_standstill(dbal_pool *pool, int64_t now)
{
    dbal__watch *self = &pool->watch;
    if (now < self->look_at)
        return self->look_at;
    self->look_at = DBAL__NEVER;
    if (pool->held < most_held(pool, pool->limit) && !stands(pool))
        return DBAL__NEVER;
    bool waits = dbal__waiters_live(pool) > 0, still = self->seen == self->stirs;
    if (!still)
        self->told = false;
    if (still && waits && self->waited && !self->told && !pool->paused && stands(pool)) {
        self->told = true;
        tell_that_it_stands(pool);
    }
    self->seen = self->stirs;
    self->waited = waits;
    self->look_at = dbal__after(now, STILL);
    return self->look_at;
}

int64_t
dbal__watch_look(dbal_pool *pool, int64_t now)
{
    int64_t leak = look_for_leaks(pool, now), still = look_for_standstill(pool, now);
    return leak < still ? leak : still;
}
