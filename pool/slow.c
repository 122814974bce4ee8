#include "pool/slow.h"

#include <stdio.h>
#include <string.h>

#include "dbal/sql_utf8.h"
#include "pool/connection.h"
#include "pool/pool.h"

/* Lines of one kind in a second; the others are counted. */
enum { LINES = 10 };
static const double SECOND = 1;
enum { SQL_SHOWN = 400, LABEL_SHOWN = 60, TEXT = 512 };

/* How much later than it was the time of asking may be (ns). */
enum { NEAR = 10000000 };

static int64_t
limit_of(double seconds)
{
    return seconds < 0 ? DBAL__NEVER : dbal__nanoseconds(seconds);
}

void
dbal__slow_init(dbal_pool *pool)
{
    dbal__slow *slow = &pool->slow;
    slow->query = limit_of(pool->settings.slow_query);
    slow->acquire = limit_of(pool->settings.slow_acquire);
    /* in the threads' gates the time of asking is known roughly alone: what is near is looked at closely */
    slow->least = slow->query < slow->acquire ? slow->query : slow->acquire;
    if (slow->least != DBAL__NEVER)
        slow->least -= slow->least < NEAR ? slow->least : NEAR;
}

/* ---- lines ---- */

static void
tell_hidden(dbal_pool *pool, dbal__slow_lines *lines, const char *what)
{
    if (lines->hidden > 0)
        dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING,
                        "%s: %llu more in that second are not shown", what,
                        (unsigned long long)lines->hidden);
    *lines = (dbal__slow_lines){.until = 0};
}

static const char queries_name[] = "slow query", acquires_name[] = "slow acquire";

int64_t
dbal__slow_look(dbal_pool *pool, int64_t now)
{
    dbal__slow *slow = &pool->slow;
    if (slow->queries.until <= now)
        tell_hidden(pool, &slow->queries, queries_name);
    if (slow->acquires.until <= now)
        tell_hidden(pool, &slow->acquires, acquires_name);
    int64_t query = slow->queries.hidden > 0 ? slow->queries.until : DBAL__NEVER;
    int64_t acquire = slow->acquires.hidden > 0 ? slow->acquires.until : DBAL__NEVER;
    return query < acquire ? query : acquire;
}

/* Whether one more line may be written. */
static bool
may_tell(dbal_pool *pool, dbal__slow_lines *lines, const char *what)
{
    int64_t now = dbal__loop_now(pool->loop);
    if (lines->until <= now) {
        tell_hidden(pool, lines, what);
        lines->until = dbal__after(now, SECOND);
    }
    if (lines->told < LINES) {
        lines->told++;
        return true;
    }
    if (lines->hidden++ == 0)
        dbal__life_arm(pool, lines->until);
    return false;
}

/* A text in a line: without line breaks, and not too long. */
static const char *
shown(const char *text, size_t most, char *room)
{
    size_t whole = strlen(text), size = dbal__utf8_clip(text, whole, most);
    for (size_t i = 0; i < size; i++)
        room[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
    strcpy(room + size, size < whole ? "…" : "");
    return room;
}

static const char *
label_of(const dbal__ticket *ticket)
{
    const dbal_connection *connection = ticket->connection;
    if (ticket->label == NULL && connection != NULL && connection->ticket != NULL)
        return connection->ticket->label;
    return ticket->label;
}

/* `cart: select 1`, as far as there is either. */
static void
describe(const dbal__ticket *ticket, char *text, size_t size)
{
    char label[LABEL_SHOWN + 4], sql[SQL_SHOWN + 4];
    const char *name = label_of(ticket);
    if (name == NULL && ticket->sql == NULL)
        name = "session";
    snprintf(text, size, "%s%s%s", name != NULL ? shown(name, LABEL_SHOWN, label) : "",
             name != NULL && ticket->sql != NULL ? ": " : "",
             ticket->sql != NULL ? shown(ticket->sql->source, SQL_SHOWN, sql) : "");
}

static double
seconds(int64_t nanoseconds)
{
    return nanoseconds > 0 ? (double)nanoseconds / 1e9 : 0;
}

/* ---- queries ---- */

static void
tell_query(dbal__ticket *ticket, const char *times)
{
    dbal_pool *pool = ticket->pool;
    char text[TEXT];
    pool->counts.slow_queries++;
    if (!may_tell(pool, &pool->slow.queries, queries_name))
        return;
    describe(ticket, text, sizeof text);
    dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING, "%s: %s: %s", queries_name, times, text);
}

static void
tell_ended_query(dbal__ticket *ticket)
{
    const dbal__job *job = &ticket->job;
    char times[200];
    int64_t first = job->request.first_row;
    double waited = seconds(job->began - ticket->asked), ran = seconds(job->ended - job->began);
    /* when the first row came is known where somebody follows it */
    if (first != 0)
        snprintf(times, sizeof times, "waited %.3f s, executed %.3f s, fetched %.3f s", waited,
                 seconds(first - job->began), seconds(job->ended - first));
    else
        snprintf(times, sizeof times, "waited %.3f s, ran %.3f s", waited, ran);
    tell_query(ticket, times);
}

void
dbal__slow_given_up(dbal__ticket *ticket)
{
    char times[100];
    int64_t taken = dbal__loop_now(ticket->pool->loop) - ticket->asked;
    if (taken < ticket->pool->slow.query || ticket->kind == DBAL__TICKET_SESSION)
        return;
    snprintf(times, sizeof times, "not ended %.3f s after it was asked for", seconds(taken));
    tell_query(ticket, times);
}

/* ---- acquires ---- */

static void
tell_acquire(dbal__ticket *ticket, int64_t waited, const char *in_vain)
{
    dbal_pool *pool = ticket->pool;
    char text[TEXT], places[80];
    pool->counts.slow_acquires++;
    if (!may_tell(pool, &pool->slow.acquires, acquires_name))
        return;
    describe(ticket, text, sizeof text);
    dbal__seat_describe(pool, places, sizeof places);
    dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING,
                    "%s: waited %.3f s for a connection%s (now %d open of at most %d, %d in "
                    "sessions, %zu waiting%s): %s",
                    acquires_name, seconds(waited), in_vain, pool->open, pool->limit, pool->held,
                    dbal__waiters_live(pool), places, text);
}

void
dbal__slow_waited(dbal__ticket *ticket, bool in_vain)
{
    int64_t waited = dbal__loop_now(ticket->pool->loop) - ticket->asked;
    if (ticket->kind == DBAL__TICKET_BOUND || ticket->asked == 0 ||
        waited < ticket->pool->slow.acquire)
        return;
    tell_acquire(ticket, waited, in_vain ? " in vain" : "");
}

void
dbal__slow_ended(dbal__ticket *ticket)
{
    const dbal__job *job = &ticket->job;
    const dbal__slow *slow = &ticket->pool->slow;
    /* a backup takes long by itself */
    if (job->kind == DBAL__JOB_BACKUP || job->began == 0)
        return;
    int64_t waited = job->began - ticket->asked;
    if (ticket->kind == DBAL__TICKET_STATEMENT && waited >= slow->acquire)
        tell_acquire(ticket, waited, "");
    if (job->ended - job->began >= slow->query)
        tell_ended_query(ticket);
}
