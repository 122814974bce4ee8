/* A pool's entry points, its beginning and its end. */
#include <limits.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/outcome.h"
#include "dbal/url.h"
#include "pool/connection.h"
#include "pool/listener.h"
#include "pool/pause.h"

enum { TEXTS_MOST = 1024, SIZE_LOOP = 10, SIZE_OTHERS = 4 };

static void begin_closing(dbal__resource *resource, double grace);
static void stop(dbal__resource *resource);
static void join(dbal__resource *resource);
static void free_pool(dbal__resource *resource);

static const dbal__resource_ops resource_ops = {begin_closing, stop, join, free_pool};

static dbal_error *
no_memory(void)
{
    return dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
}

/* ---- opening ---- */

static dbal_error *
find_driver(dbal_pool *pool, const dbal_url *url)
{
    dbal_error *error = NULL;
    pool->driver = dbal__driver_load(dbal_url_scheme(url), &error);
    return error;
}

static dbal_error *
configure(dbal_pool *pool, dbal_url *url)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__url_set_pools_transactions(url, pool->settings.pooler == DBAL_POOLER_TRANSACTION);
    pool->config = pool->driver->driver->configure(url, &fault);
    if (pool->config != NULL)
        return NULL;
    dbal_error *error =
        dbal__error_with_execution(dbal__fault_take(&fault), DBAL_EXECUTION_NOT_SENT);
    dbal__settings_explain(pool->driver->driver, url, error);
    return error;
}

/* What shows the pool from outside. False without memory. */
static bool
set_up_watching(dbal_pool *pool, const char *url)
{
    const dbal__settings *settings = &pool->settings;
    pool->name = settings->name[0] != '\0' ? dbal__strdup(settings->name) : dbal__url_redact(url);
    if (settings->histograms)
        pool->histograms = dbal__histograms_new();
    dbal__trace_init(pool, settings->trace, settings->trace_arg);
    dbal__slow_init(pool);
    pool->follows = pool->histograms != NULL || settings->trace != NULL;
    return pool->name != NULL && (pool->histograms != NULL || !settings->histograms);
}

static dbal_error *
set_up(dbal_pool *pool, const char *text, dbal_url *url, const dbal_pool_options *options)
{
    dbal_error *error = find_driver(pool, url);
    if (error == NULL && !dbal__settings_read(&pool->settings, options, url, &error))
        return error;
    if (error == NULL)
        error = configure(pool, url);
    if (error == NULL)
        error = dbal__pool_choose_gate(pool, text);
    if (error == NULL)
        error = dbal__reset_check(pool);
    if (error != NULL)
        return error;
    if (pool->settings.max_size == 0)
        pool->settings.max_size = pool->gate == DBAL_GATE_LOOP ? SIZE_LOOP : SIZE_OTHERS;
    if (pool->settings.max_size < pool->settings.min_size)
        pool->settings.max_size = pool->settings.min_size;
    pool->limit = pool->settings.max_size;
    error = dbal__pool_set_threads(pool);
    if (error != NULL)
        return error;
    dbal__seat_init(pool, pool->settings.limit);
    if (pool->settings.before_connect != NULL) {
        pool->target = dbal__target_first(pool, text);
        if (pool->target == NULL)
            return no_memory();
    }
    dbal__waiters_limit(pool);
    dbal__lanes_init(&pool->lanes, pool->settings.pipeline_wait);
    pool->table = dbal__sql_table_new(pool->driver->driver, pool->config, TEXTS_MOST);
    return pool->table != NULL && set_up_watching(pool, text) ? NULL : no_memory();
}

static void
serve_writes(dbal__task *task)
{
    dbal__writes_end_turn(DBAL__OF(task, dbal_pool, writes_task));
}

static void
serve_waiters(dbal__task *task)
{
    dbal_pool *pool = DBAL__OF(task, dbal_pool, serve_task);
    dbal__waiters_serve(pool);
    if (pool->pulls)
        dbal__crew_rouse(&pool->crew);
    if (pool->threads != NULL) {
        dbal__slots_grow_if_wanted(pool);
        dbal__replace(pool);
    }
    dbal__pool_check_closed(pool);
}

static dbal_pool *
allocate(dbal_loop *loop)
{
    dbal_pool *pool = dbal__zalloc(sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->resource.ops = &resource_ops;
    pool->loop = loop;
    dbal__spares_init(&pool->spares, &loop->ready.clock);
    pool->jitter = (uint64_t)dbal__monotonic() ^ (uint64_t)(uintptr_t)pool;
    dbal__list_init(&pool->slots);
    dbal__list_init(&pool->tickets);
    dbal__list_init(&pool->waiting);
    dbal__list_init(&pool->closers);
    dbal__hearing_init(pool);
    dbal__list_init(&pool->readiers);
    dbal__list_init(&pool->pauses);
    dbal__life_init(pool);
    dbal__seat_init(pool, NULL);
    pool->most = INT_MAX;
    pool->watch.look_at = DBAL__NEVER;
    dbal__task_init(&pool->writes_task, serve_writes);
    dbal__task_init(&pool->serve_task, serve_waiters);
    dbal__trace_init(pool, NULL, NULL);
    dbal__crew_init(&pool->crew, loop, dbal__slots_crew_wants);
    if (dbal__writes_init(pool))
        return pool;
    dbal__crew_fini(&pool->crew);
    dbal__free(pool);
    return NULL;
}

static void
release(dbal_pool *pool)
{
    dbal__collect_stop(pool);
    dbal__crew_fini(&pool->crew);
    dbal__seat_fini(pool);
    dbal__threads_free(pool->threads);
    dbal__sql_table_free(pool->table);
    dbal__target_unref(pool->target);
    if (pool->config != NULL)
        pool->driver->driver->configure_free(pool->config);
    dbal_error_unref(pool->last_error);
    dbal__notes_fini(&pool->notes);
    dbal__notes_fini(&pool->changes);
    dbal__ticket_free(pool->writer);
    dbal__list_remove(&pool->writes_task.link);
    dbal__list_remove(&pool->serve_task.link);
    dbal__claim_free(pool->claim);
    dbal__hearing_fini(pool);
    dbal__trace_fini(pool);
    dbal__histograms_free(pool->histograms);
    dbal__free(pool->name);
    dbal__spares_fini(&pool->spares); /* the last: what is freed before leaves its memory there */
    dbal__free(pool);
}

static dbal_pool *
open_pool(dbal_loop *loop, const char *text, const dbal_pool_options *options,
          dbal_error **ret_error)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal_url *url = dbal__url_new(text, &fault);
    if (url == NULL) {
        *ret_error = dbal__error_with_execution(dbal__fault_take(&fault), DBAL_EXECUTION_NOT_SENT);
        return NULL;
    }
    dbal_pool *pool = allocate(loop);
    *ret_error = pool != NULL ? set_up(pool, text, url, options) : no_memory();
    dbal__url_free(url);
    if (*ret_error != NULL && pool != NULL) {
        release(pool);
        pool = NULL;
    }
    return pool;
}

dbal_pool *
dbal_pool_open(dbal_loop *loop, const char *url, const dbal_pool_options *options,
               dbal_error **ret_error)
{
    dbal_error *error = NULL;
    dbal_pool *pool = NULL;
    if (loop == NULL) /* dbal_loop_new() had no memory or no descriptors, and nobody looked */
        error = no_memory();
    else if (!dbal__loop_check(loop, "dbal_pool_open"))
        error = dbal__ready_refusal(&loop->ready, "dbal_pool_open");
    else if (loop->ready.closed)
        error = dbal__error_make(DBAL_ERROR_CLOSED, NULL, DBAL_EXECUTION_NOT_SENT,
                                 "the loop is closed");
    else if (url == NULL)
        error = dbal_error_new(DBAL_ERROR_INTERFACE, "dbal_pool_open without a URL");
    else
        pool = open_pool(loop, url, options, &error);
    if (pool == NULL) {
        dbal__error_give(ret_error, error);
        return NULL;
    }
    dbal__loop_add(loop, &pool->resource);
    dbal__helpers_begin(loop->helpers);
    if (dbal__pool_is_native(pool)) {
        dbal__helpers_begin(loop->connects);
        dbal__helpers_begin(loop->cancels);
    }
    if (pool->settings.min_size > 0)
        dbal__slots_grow(pool);
    return pool;
}

/* ---- being ready ---- */

const char *
dbal__pool_oldest_at_work(const dbal_pool *pool)
{
    /* they are listed in the order of asking */
    for (const dbal__list *link = pool->tickets.next; link != &pool->tickets; link = link->next) {
        const dbal__ticket *ticket = DBAL__OF(link, const dbal__ticket, all);
        bool holds = ticket->kind == DBAL__TICKET_SESSION && ticket->connection != NULL &&
                     ticket->connection->slot != NULL;
        if (holds || atomic_load(&ticket->job.state) == DBAL__JOB_RUNNING)
            return dbal__ticket_name(ticket);
    }
    return "";
}

void
dbal__pool_ready_changed(dbal_pool *pool, dbal_error *error)
{
    int wanted = dbal__life_least(pool);
    if (error != NULL || pool->open >= (wanted > 0 ? wanted : 1))
        dbal__listeners_tell(&pool->readiers, error);
}

dbal_deferred *
dbal__pool_refuse(dbal_pool *pool, const char *call, bool *ret_ok)
{
    *ret_ok = false;
    if (!dbal__loop_check(pool->loop, call))
        return NULL;
    dbal_error *refusal = dbal__waiters_refusal(pool);
    if (refusal != NULL)
        return dbal__deferred_failed(pool->loop, refusal);
    *ret_ok = true;
    return NULL;
}

dbal_deferred *
dbal__pool_refuse_closed(dbal_pool *pool, const char *call, bool *ret_ok)
{
    *ret_ok = false;
    if (!dbal__loop_check(pool->loop, call))
        return NULL;
    if (pool->closing || pool->loop->ready.closed)
        return dbal__deferred_failed(pool->loop, dbal__error_make(DBAL_ERROR_CLOSED, NULL,
                                                                  DBAL_EXECUTION_NOT_SENT,
                                                                  "the pool is closed"));
    *ret_ok = true;
    return NULL;
}

dbal_deferred *
dbal_pool_ready(dbal_pool *pool)
{
    bool ok;
    dbal_deferred *refused = dbal__pool_refuse_closed(pool, "dbal_pool_ready", &ok);
    if (!ok)
        return refused;
    dbal_deferred *deferred = dbal__listener_new(pool, &pool->readiers, 0);
    dbal__pool_ready_changed(pool, NULL);
    if (!dbal__list_empty(&pool->readiers))
        dbal__slots_grow(pool);
    return deferred;
}

/* ---- closing ---- */

void
dbal__pool_each_ticket(dbal_pool *pool, void (*fn)(dbal__ticket *ticket, void *arg), void *arg)
{
    uint64_t last = pool->last_job; /* not those that come meanwhile */
    dbal__ticket_cursor cursor = {pool->tickets.next, pool->cursor};
    pool->cursor = &cursor;
    while (cursor.next != &pool->tickets) {
        dbal__ticket *ticket = DBAL__OF(cursor.next, dbal__ticket, all);
        cursor.next = ticket->all.next;
        if (ticket->job.number <= last)
            fn(ticket, arg);
    }
    pool->cursor = cursor.outer;
}

/* Only what hangs is left of its connections. */
static bool
has_no_connection(const dbal_pool *pool)
{
    for (const dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        if (!DBAL__OF(link, const dbal__slot, link)->channel->given_up)
            return false;
    }
    return true;
}

static bool
is_closed(dbal_pool *pool)
{
    return pool->closing && dbal__list_empty(&pool->tickets) && has_no_connection(pool) &&
           dbal__ear_is_gone(pool) && pool->claims_out == 0 && !pool->writer_busy &&
           dbal__crew_waiting(&pool->crew) == 0 && !dbal__seat_is_posted(pool);
}

void
dbal__pool_check_closed(dbal_pool *pool)
{
    if (!pool->attended || pool->resource.closed || pool->cursor != NULL)
        return;
    if (!pool->closing) {
        dbal__pause_check(pool);
        return;
    }
    if (dbal__list_empty(&pool->tickets)) {
        dbal__backoff_stop(pool);
        dbal__seat_leave(pool);
        dbal__writes_serve(pool);
        dbal__slots_close_all(pool);
        dbal__waiters_sweep(pool);
    }
    if (pool->resource.closed || !is_closed(pool))
        return;
    dbal__clock_stop(&pool->loop->ready.clock, &pool->close_timer);
    dbal__threads_end(pool->threads);
    dbal__slow_look(pool, DBAL__NEVER);
    dbal__listeners_tell(&pool->closers, NULL);
    dbal__loop_resource_closed(pool->loop, &pool->resource);
}

static void
stop_one(dbal__ticket *ticket, void *arg)
{
    (void)arg;
    /* those of a session end with it, but for a stream whose consumer makes it wait */
    if (ticket->kind != DBAL__TICKET_BOUND || ticket->back)
        dbal__ticket_stop(ticket, DBAL_ERROR_CLOSED);
}

/* Asks everything that is left to stop. */
static void
stop_tickets(dbal_pool *pool)
{
    dbal__pool_each_ticket(pool, stop_one, NULL);
    dbal__waiters_sweep(pool);
}

static void
settle_one(dbal__ticket *ticket, void *arg)
{
    (void)arg;
    dbal__ticket_settle(ticket,
                        dbal_fail(dbal__error_make(DBAL_ERROR_CLOSED, NULL, DBAL_EXECUTION_UNKNOWN,
                                                   "the pool was closed while this ran")));
    if (ticket->kind == DBAL__TICKET_BOUND)
        dbal__connection_returned(ticket);
}

/* What did not end in time settles as unknown; its memory is left to the thread that has it. */
static void
give_up_rest(dbal_pool *pool, bool busy_only)
{
    dbal__slots_give_up(pool, busy_only);
    dbal__ear_give_up(pool, busy_only);
    dbal__pool_each_ticket(pool, settle_one, NULL);
}

/* First all is asked to stop; when that has had its time too, what is left is given up. */
static void
on_close_timeout(dbal__timer *timer)
{
    dbal_pool *pool = DBAL__OF(timer, dbal_pool, close_timer);
    dbal__clock *clock = &pool->loop->ready.clock;
    double patience = pool->settings.cancel_timeout;
    if (pool->close_late) {
        dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING,
                        "a connection did not end within close_timeout and cancel_timeout: "
                        "it is given up");
        give_up_rest(pool, false);
    } else {
        pool->close_late = true;
        if (patience >= 0)
            /* later than the statements' own, each of which gives up its connection alone */
            dbal__clock_start(clock, &pool->close_timer,
                              dbal__after(dbal__clock_now(clock), patience * 1.25 + 0.1),
                              on_close_timeout);
        stop_tickets(pool);
    }
    dbal__pool_check_closed(pool);
}

static void
begin_closing(dbal__resource *resource, double grace)
{
    dbal_pool *pool = DBAL__OF(resource, dbal_pool, resource);
    dbal__clock *clock = &pool->loop->ready.clock;
    if (pool->resource.closed || pool->stopped)
        return;
    if (!pool->closing) {
        dbal_error *closed = dbal__error_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT);
        pool->closing = pool->attended = true;
        dbal__upkeep_stop(pool);
        dbal__hearing_end(pool);
        dbal__life_stop(pool);
        dbal__pause_stop(pool);
        dbal__yield_rest(pool);
        dbal__listeners_tell(&pool->readiers, closed);
    }
    if (grace >= 0 && !pool->close_late) {
        int64_t at = dbal__after(dbal__clock_now(clock), grace);
        if (!pool->close_timer.active || at < pool->close_timer.at)
            dbal__clock_start(clock, &pool->close_timer, at, on_close_timeout);
    }
    dbal__pool_check_closed(pool);
}

dbal_deferred *
dbal_pool_close(dbal_pool *pool)
{
    if (!dbal__loop_check(pool->loop, "dbal_pool_close"))
        return NULL;
    dbal_deferred *deferred = dbal__listener_new(pool, &pool->closers, 0);
    if (pool->resource.closed || pool->stopped)
        dbal__listeners_tell(&pool->closers, NULL);
    else
        begin_closing(&pool->resource, pool->settings.close_timeout);
    return deferred;
}

static void
stop(dbal__resource *resource)
{
    dbal_pool *pool = DBAL__OF(resource, dbal_pool, resource);
    dbal__clock *clock = &pool->loop->ready.clock;
    pool->closing = pool->stopped = pool->attended = true;
    dbal__backoff_stop(pool);
    dbal__clock_stop(clock, &pool->close_timer);
    dbal__listeners_tell(&pool->readiers,
                         dbal__error_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT));
    dbal__life_stop(pool);
    dbal__pause_stop(pool);
    dbal__hearing_end(pool);
    dbal__seat_leave(pool);
    stop_tickets(pool);
    dbal__writes_stop(pool);
    dbal__slots_close_all(pool);
}

static int64_t
next_event(const dbal_pool *pool, int64_t deadline)
{
    const dbal__clock *clock = &pool->loop->ready.clock;
    int64_t next = clock->driven ? DBAL__NEVER : dbal__clock_next(clock);
    return next < deadline ? next : deadline;
}

static void
join(dbal__resource *resource)
{
    dbal_pool *pool = DBAL__OF(resource, dbal_pool, resource);
    /* nobody steps connections on the loop any more: what is in flight there has no end */
    if (dbal__pool_is_native(pool))
        give_up_rest(pool, true);
    double patience = pool->settings.close_timeout;
    int64_t deadline = patience < 0 ? DBAL__NEVER : dbal__after(dbal__monotonic(), patience);
    if (dbal__seat_is_posted(pool))
        dbal__loop_settle(pool->loop);
    while (!is_closed(pool) && dbal__monotonic() < deadline) {
        dbal__loop_settle(pool->loop);
        dbal__slots_close_all(pool);
        if (!is_closed(pool))
            dbal__inbox_sleep(pool->loop->inbox, next_event(pool, deadline));
    }
    if (!dbal__slots_join(pool, dbal__after(dbal__monotonic(), 0.1)) || !is_closed(pool)) {
        pool->abandoned = true;
        dbal__slots_leave_places(pool);
        dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING,
                        "a connection did not close within close_timeout (%g s): "
                        "its thread is given up",
                        patience);
    }
    if (!dbal__list_empty(&pool->tickets))
        give_up_rest(pool, false);
    dbal__threads_end(pool->threads); /* what is abandoned is not freed */
    dbal__slow_look(pool, DBAL__NEVER);
    dbal__listeners_tell(&pool->closers, NULL);
    resource->closed = true;
}

static void
free_pool(dbal__resource *resource)
{
    dbal_pool *pool = DBAL__OF(resource, dbal_pool, resource);
    dbal__list_remove(&resource->link);
    /* a thread may still come back to it; those of the pool's own have been joined */
    bool in_helpers = !dbal__list_empty(&pool->hearing.ears) ||
                      (dbal__pool_is_native(pool) && !dbal__list_empty(&pool->slots));
    if (pool->abandoned || in_helpers || (pool->hanging > 0 && !pool->pulls)) {
        dbal__slots_leave_places(pool);
        return;
    }
    dbal__slots_free(pool);
    dbal__ear_free(pool);
    release(pool);
}

/* ---- queries ---- */

dbal_deferred *
dbal_pool_run(dbal_pool *pool, const dbal_query *query)
{
    bool ok;
    dbal_error *error = NULL;
    dbal_deferred *refused = dbal__pool_refuse(pool, "dbal_pool_run", &ok);
    if (!ok)
        return refused;
    dbal__ticket *ticket = dbal__ticket_new(pool, query, DBAL__TICKET_STATEMENT, &error);
    if (ticket == NULL)
        return dbal__deferred_failed(pool->loop, error);
    if (!dbal__ticket_start(ticket))
        return NULL;
    dbal_deferred *deferred = ticket->deferred;
    dbal__waiters_add(ticket);
    return deferred;
}

dbal_deferred *
dbal_pool_query(dbal_pool *pool, const char *sql, dbal_params params)
{
    dbal_query query = {.size = sizeof query, .sql = sql, .params = params};
    return dbal_pool_run(pool, &query);
}

bool
dbal_sql_needs_session(dbal_pool *pool, const char *sql)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__sql *known = sql != NULL ? dbal__sql_table_get(pool->table, sql, &fault) : NULL;
    bool needs = known != NULL && (known->sql_class.kinds & DBAL_SQL_SESSION) != 0;
    if (known != NULL)
        dbal__sql_unref(known);
    dbal_fault_clear(&fault);
    return needs;
}

char *
dbal_quote_identifier(dbal_pool *pool, const char *name)
{
    if (name == NULL)
        return NULL;
    return dbal__sql_quote_identifier(pool->driver->driver->dialect, name, strlen(name));
}
