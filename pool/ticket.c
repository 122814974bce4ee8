/*
 * A ticket is one request from asking until it has come back. It settles exactly once; it is freed
 * when it has settled and nobody below has it any more, whichever comes last.
 */
#include <math.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/outcome.h"
#include "dbal/result.h"
#include "dbal/value.h"
#include "pool/connection.h"
#include "pool/pool.h"

enum { ORDER_INSIDE = 16 };
/* Bytes of parameters for which nearly every ticket has room. */
enum { ROOM = 64 };
static const double CLOSE = 1;          /* seconds: limits from here on are long */
static const int64_t SLOW = 1000000000; /* the same, in nanoseconds */

const char *
dbal__ticket_name(const dbal__ticket *ticket)
{
    if (ticket->label != NULL)
        return ticket->label;
    return ticket->sql != NULL ? ticket->sql->source : "session";
}

/* Of a session only threads that pull are told; the others' connections are given by the loop. */
static bool
is_handed_down(const dbal_pool *pool, dbal__ticket_kind kind)
{
    return kind != DBAL__TICKET_SESSION || pool->pulls;
}

/* Short: it ends where its job's `work` would begin. */
static dbal__ticket *
take_memory(dbal_pool *pool, bool whole, size_t block_size)
{
    bool few = block_size <= ROOM;
    dbal__spare_size size = !whole ? DBAL__SPARE_SHORT : few ? DBAL__SPARE_WHOLE : DBAL__SPARE_NOT;
    size_t bytes = whole ? sizeof(dbal__ticket) + (few ? ROOM : block_size)
                         : offsetof(dbal__ticket, job) + offsetof(dbal__job, work);
    dbal__ticket *ticket = dbal__spare_take(&pool->spares, size, bytes);
    if (ticket != NULL) {
        dbal__clear(ticket, offsetof(dbal__ticket, job));
        ticket->size = size;
    }
    return ticket;
}

static dbal__ticket *
allocate(dbal_pool *pool, dbal__ticket_kind kind, size_t block_size, const char *label)
{
    bool whole = is_handed_down(pool, kind);
    dbal__ticket *ticket = take_memory(pool, whole, block_size);
    if (ticket == NULL)
        return NULL;
    if (whole)
        dbal__job_init(&ticket->job, dbal__ticket_finished);
    else
        dbal__job_init_idle(&ticket->job);
    ticket->job.number = ++pool->last_job;
    dbal__list_init(&ticket->all);
    dbal__list_init(&ticket->link);
    ticket->pool = pool;
    ticket->kind = kind;
    if (label != NULL && (ticket->label = dbal__strdup(label)) == NULL) {
        dbal__spare_leave(&pool->spares, ticket->size, ticket);
        return NULL;
    }
    return ticket;
}

static void
free_what_it_runs(dbal__ticket *ticket)
{
    dbal__group_unref(ticket->job.group);
    /* what nobody wants any more is not freed by the loop when it is large */
    if (ticket->job.request.result != NULL && dbal__result_is_large(ticket->job.request.result))
        dbal__result_set_reaper(ticket->job.request.result,
                                dbal__helpers_reaper(ticket->pool->loop->helpers));
    dbal__request_fini(&ticket->job.request);
}

void
dbal__ticket_free(dbal__ticket *ticket)
{
    dbal__clock_stop(&ticket->pool->loop->ready.clock, &ticket->timer);
    dbal__ticket_unlink(ticket);
    dbal__list_remove(&ticket->link);
    dbal__stream_end(ticket->stream);
    if (ticket->backup != NULL)
        dbal__backup_end(ticket->backup, ticket->job.ok);
    dbal__copy_end(ticket->copy);
    dbal__connection_forget(ticket);
    if (is_handed_down(ticket->pool, ticket->kind))
        free_what_it_runs(ticket);
    dbal_error_unref(ticket->job.error);
    if (ticket->sql != NULL)
        dbal__sql_unref(ticket->sql);
    dbal__free(ticket->label);
    if (DBAL__SELDOM(ticket->journey != NULL))
        dbal__journey_unref(ticket->journey);
    dbal__spare_leave(&ticket->pool->spares, ticket->size, ticket);
}

void
dbal__ticket_unlink(dbal__ticket *ticket)
{
    for (dbal__ticket_cursor *one = ticket->pool->cursor; one != NULL; one = one->outer) {
        if (one->next == &ticket->all)
            one->next = ticket->all.next;
    }
    dbal__list_remove(&ticket->all);
    if (ticket->pool->closing && !ticket->pool->resource.closed)
        dbal__waiters_serve_soon(ticket->pool); /* it may have been the last */
}

/*
 * Long limits are not missed by the few milliseconds by which they come late when nobody looks at the
 * clock closely. The lanes of the loop gate want to know, of what goes into one.
 */
static int64_t
time_of_asking(const dbal__ticket *ticket, double limit)
{
    const dbal_pool *pool = ticket->pool;
    const dbal__clock *clock = &pool->loop->ready.clock;
    double acquire = pool->settings.acquire_timeout;
    bool session = ticket->kind == DBAL__TICKET_SESSION;
    bool closely = (dbal__pool_is_native(pool) && !session) || (acquire >= 0 && acquire < CLOSE) ||
                   (limit >= 0 && limit < CLOSE) || (session && pool->slow.acquire < SLOW);
    return closely ? dbal__clock_now(clock) : dbal__clock_roughly(clock);
}

/* `limit`: seconds for the whole, below 0: none. */
static void
begin_acquire(dbal__ticket *ticket, double limit)
{
    double acquire = ticket->pool->settings.acquire_timeout;
    ticket->asked = time_of_asking(ticket, limit);
    ticket->acquire_by = acquire < 0 || ticket->kind == DBAL__TICKET_BOUND
                             ? DBAL__NEVER
                             : dbal__after(ticket->asked, acquire);
}

static void
set_deadlines(dbal__ticket *ticket, double timeout)
{
    dbal_pool *pool = ticket->pool;
    double limit = timeout != 0 ? timeout : pool->settings.query_timeout;
    begin_acquire(ticket, limit);
    ticket->finish_by = limit < 0 ? DBAL__NEVER : dbal__after(ticket->asked, limit);
    ticket->give_up_at = DBAL__NEVER;
    if (is_handed_down(pool, ticket->kind))
        ticket->job.request.deadline = ticket->finish_by;
}

/* Needs no clock as long as it does not wait for a connection. */
static void
set_no_deadlines(dbal__ticket *ticket)
{
    ticket->finish_by = ticket->acquire_by = ticket->give_up_at = DBAL__NEVER;
}

/* What a statement may not be, on a pool or anywhere. */
static dbal_error *
check_class(const dbal__sql *sql, dbal__ticket_kind kind)
{
    const char *instead = sql->sql_class.instead;
    unsigned kinds = sql->sql_class.kinds;
    if ((kinds & DBAL_SQL_REFUSED) != 0)
        return dbal__error_make(DBAL_ERROR_PROGRAMMING, "0A000", DBAL_EXECUTION_NOT_SENT,
                                "this statement is refused: use %s",
                                instead != NULL ? instead : "another way");
    if ((kinds & (DBAL_SQL_COPY_IN | DBAL_SQL_COPY_OUT)) != 0)
        return dbal__error_make(DBAL_ERROR_PROGRAMMING, "0A000", DBAL_EXECUTION_NOT_SENT,
                                "this statement copies in bulk: use %s",
                                (kinds & DBAL_SQL_COPY_IN) != 0 ? "dbal_pool_copy_in()"
                                                                : "dbal_pool_copy_out()");
    if ((kinds & DBAL_SQL_SESSION) != 0 && kind == DBAL__TICKET_STATEMENT)
        return dbal__error_make(DBAL_ERROR_PROGRAMMING, "25001", DBAL_EXECUTION_NOT_SENT,
                                "this statement belongs to a session, and a pool has many: use %s",
                                instead != NULL ? instead : "dbal_pool_session()");
    return NULL;
}

static dbal__ticket *
make(dbal_pool *pool, const dbal_query *query, dbal__ticket_kind kind, dbal__sql *sql,
     dbal_fault *fault)
{
    uint32_t inside[ORDER_INSIDE], *order = inside;
    dbal__ticket *ticket = NULL;

    if (sql->value_count > ORDER_INSIDE &&
        (order = dbal__array(sql->value_count, sizeof *order)) == NULL)
        return NULL;
    if (dbal__sql_bind(sql, pool->driver->driver, pool->config, query->params, order, fault)) {
        size_t size = dbal__pack_size(query->params.values, order, sql->value_count);
        ticket = allocate(pool, kind, size, query->label);
        if (ticket != NULL)
            dbal__pack(ticket->block, query->params.values, order, sql->value_count);
    }
    if (order != inside)
        dbal__free(order);
    return ticket;
}

/* Statements on a pool that only read, or only write, and that nothing else is to be said of. */
static dbal_share
may_share(const dbal__ticket *ticket)
{
    const dbal_pool *pool = ticket->pool;
    const dbal__sql *sql = ticket->sql;
    if (ticket->kind != DBAL__TICKET_STATEMENT)
        return DBAL_SHARE_NOTHING;
    if (sql->sql_class.kinds == DBAL_SQL_READS && pool->pulls &&
        (pool->capabilities & DBAL_CAN_SHARE_SNAPSHOT) != 0)
        return DBAL_SHARE_SNAPSHOT;
    if (ticket->writes && sql->sql_class.kinds == DBAL_SQL_WRITES && !atomic_load(&sql->alone) &&
        (pool->capabilities & DBAL_CAN_SHARE_COMMIT) != 0)
        return DBAL_SHARE_COMMIT;
    return DBAL_SHARE_NOTHING;
}

/* Takes over the reference to the statement. */
static void
fill_request(dbal__ticket *ticket, dbal__sql *sql, bool read_only)
{
    dbal_pool *pool = ticket->pool;
    dbal_request *request = &ticket->job.request;
    ticket->sql = sql;
    request->sql = sql;
    request->block = ticket->block;
    request->value_count = sql->value_count;
    request->in_order = ticket->kind == DBAL__TICKET_BOUND;
    request->read_only = read_only;
    request->statement_cache = pool->settings.statement_cache;
    request->max_result_bytes = (size_t)pool->settings.max_result_bytes;
    ticket->writes = (sql->sql_class.kinds & DBAL_SQL_WRITES) != 0 && !read_only;
    ticket->job.share = may_share(ticket);
}

dbal_error *
dbal__ticket_wrong_timeout(double timeout)
{
    if (isnan(timeout))
        return dbal_error_new(DBAL_ERROR_INTERFACE, "a timeout that is NaN");
    if (timeout < 0 && timeout != DBAL_OFF)
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "a timeout of %g s: below 0 there is DBAL_OFF alone, for none",
                              timeout);
    return NULL;
}

static dbal_error *
wrong_query(const dbal_query *query)
{
    if (query->sql == NULL)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "a query without sql");
    return dbal__ticket_wrong_timeout(query->timeout);
}

dbal__ticket *
dbal__ticket_new(dbal_pool *pool, const dbal_query *query, dbal__ticket_kind kind,
                 dbal_error **ret_error)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal_query given = {.size = sizeof given};
    dbal__ticket *ticket = NULL;
    dbal_error *error = NULL;

    if (query == NULL || query->size == 0) {
        *ret_error = dbal_error_new(DBAL_ERROR_INTERFACE, "%s",
                                    query == NULL ? "there is no query"
                                                  : "the query does not say its size: make it with "
                                                    "DBAL_QUERY() or DBAL_QUERY_INIT");
        return NULL;
    }
    if (query->size == sizeof given)
        given = *query;
    else
        memcpy(&given, query, query->size < sizeof given ? query->size : sizeof given);
    error = wrong_query(&given);
    dbal__sql *sql = error == NULL ? dbal__sql_table_get(pool->table, given.sql, &fault) : NULL;
    if (sql != NULL && (error = check_class(sql, kind)) == NULL)
        ticket = make(pool, &given, kind, sql, &fault);
    if (ticket == NULL) {
        if (sql != NULL)
            dbal__sql_unref(sql);
        if (error == NULL && dbal_fault_is_set(&fault)) {
            error = dbal__error_with_execution(dbal__fault_take(&fault), DBAL_EXECUTION_NOT_SENT);
            dbal__error_set_where(error, given.label != NULL ? given.label : given.sql);
            if (given.label != NULL)
                dbal__error_set_label(error, given.label);
        }
        *ret_error = error != NULL
                         ? error
                         : dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
        dbal_fault_clear(&fault);
        return NULL;
    }
    fill_request(ticket, sql, given.read_only);
    set_deadlines(ticket, given.timeout);
    return ticket;
}

dbal__sql *
dbal__ticket_sql(dbal_pool *pool, const char *text, dbal__ticket_kind kind, dbal_error **ret_error)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__sql *sql = dbal__sql_table_get(pool->table, text, &fault);
    dbal_error *error = sql != NULL ? check_class(sql, kind) : NULL;
    if (sql == NULL) {
        error = dbal__error_with_execution(dbal__fault_take(&fault), DBAL_EXECUTION_NOT_SENT);
        dbal__error_set_where(error, text);
    } else if (error != NULL) {
        dbal__sql_unref(sql);
    }
    dbal_fault_clear(&fault);
    if (error == NULL)
        return sql;
    *ret_error = error;
    return NULL;
}

dbal__ticket *
dbal__ticket_new_packed(dbal_pool *pool, dbal__sql *sql, const void *block, size_t size)
{
    dbal__ticket *ticket = allocate(pool, DBAL__TICKET_BOUND, size, NULL);
    if (ticket == NULL)
        return NULL;
    memcpy(ticket->block, block, size);
    fill_request(ticket, dbal__sql_ref(sql), false);
    set_deadlines(ticket, 0);
    return ticket;
}

dbal__ticket *
dbal__ticket_new_group(dbal_pool *pool, dbal__sql *sql, dbal__group *group)
{
    dbal__ticket *ticket = allocate(pool, DBAL__TICKET_BOUND, 0, NULL);
    if (ticket == NULL)
        return NULL;
    fill_request(ticket, dbal__sql_ref(sql), false);
    ticket->job.group = dbal__group_ref(group);
    set_deadlines(ticket, 0);
    return ticket;
}

dbal__ticket *
dbal__ticket_new_session(dbal_pool *pool, double timeout, const char *label)
{
    dbal__ticket *ticket = allocate(pool, DBAL__TICKET_SESSION, 0, label);
    if (ticket == NULL)
        return NULL;
    ticket->job.kind = DBAL__JOB_GRANT;
    if (timeout > 0)
        set_deadlines(ticket, timeout);
    else
        set_no_deadlines(ticket);
    return ticket;
}

dbal__ticket *
dbal__ticket_new_reset(dbal_pool *pool)
{
    dbal__ticket *ticket = allocate(pool, DBAL__TICKET_BOUND, 0, "reset");
    if (ticket == NULL)
        return NULL;
    ticket->job.kind = DBAL__JOB_RESET;
    /* one that takes longer than a connect is not worth it; a thread's cannot be stopped */
    set_deadlines(ticket, dbal__pool_is_native(pool) ? pool->settings.connect_timeout : DBAL_OFF);
    return ticket;
}

dbal__ticket *
dbal__ticket_new_backup(dbal_pool *pool, const char *target)
{
    dbal_value value = dbal_text(target);
    dbal__ticket *ticket =
        allocate(pool, DBAL__TICKET_STATEMENT, dbal__pack_size(&value, NULL, 1), "backup");
    if (ticket == NULL)
        return NULL;
    dbal_request *request = &ticket->job.request;
    dbal__pack(ticket->block, &value, NULL, 1);
    request->block = ticket->block;
    request->value_count = 1;
    request->read_only = true;
    request->max_result_bytes = (size_t)pool->settings.max_result_bytes;
    ticket->job.kind = DBAL__JOB_BACKUP;
    set_deadlines(ticket, DBAL_OFF);
    return ticket;
}

void
dbal__ticket_take_off(dbal__ticket *ticket)
{
    if (ticket->place != DBAL__PLACE_LIST)
        return;
    if (ticket->in_writes) {
        ticket->pool->writes_count--;
        dbal__writes_serve_soon(ticket->pool);
    } else if (ticket->kind != DBAL__TICKET_BOUND) {
        ticket->pool->waiting_count--;
        dbal__waiters_serve_soon(ticket->pool);
    }
    ticket->in_writes = false;
    dbal__list_remove(&ticket->link);
    ticket->place = DBAL__PLACE_NOWHERE;
}

dbal__ticket *
dbal__ticket_new_writer(dbal_pool *pool)
{
    dbal__ticket *ticket = allocate(pool, DBAL__TICKET_WRITER, 0, NULL);
    if (ticket != NULL)
        ticket->job.kind = DBAL__JOB_GRANT;
    return ticket;
}

void
dbal__ticket_renew(dbal__ticket *writer)
{
    atomic_store(&writer->job.state, DBAL__JOB_WAITING);
    writer->job.channel = NULL;
    writer->slot = NULL;
    writer->on_crew = false;
    writer->job.error = dbal_error_unref(writer->job.error);
    writer->job.unsound = false;
    writer->job.asked = 0;
}

void
dbal__ticket_withdraw(dbal__ticket *writer)
{
    if (!dbal__job_cancel(&writer->job) || writer->place != DBAL__PLACE_LIST)
        return;
    dbal__ticket_take_off(writer);
    dbal__writes_refused(writer->pool);
}

/* One that is sent at once never waits for a connection: no timer is set for that. */
static bool
may_be_sent_at_once(const dbal__ticket *ticket)
{
    return ticket->kind == DBAL__TICKET_STATEMENT && dbal__pool_is_native(ticket->pool);
}

void
dbal__ticket_waits(dbal__ticket *ticket)
{
    if (may_be_sent_at_once(ticket) && ticket->why == 0)
        dbal__ticket_arm(ticket);
    if (ticket->kind != DBAL__TICKET_SESSION || ticket->asked != 0)
        return;
    begin_acquire(ticket, DBAL_OFF);
    dbal__ticket_arm(ticket);
}

void
dbal__ticket_wait_anew(dbal__ticket *ticket)
{
    begin_acquire(ticket, DBAL_OFF);
    dbal__ticket_arm(ticket);
}

static void
cancel(dbal_deferred *deferred, void *arg)
{
    (void)deferred;
    dbal__ticket_stop(arg, DBAL_ERROR_CANCELLED);
}

bool
dbal__ticket_start(dbal__ticket *ticket)
{
    if (ticket->done == NULL) {
        ticket->deferred = dbal__deferred_new(ticket->pool->loop, cancel, ticket);
        if (ticket->deferred == NULL) {
            dbal__ticket_free(ticket);
            return false;
        }
    }
    dbal__list_push(&ticket->pool->tickets, &ticket->all);
    if (DBAL__SELDOM(ticket->pool->follows) && ticket->kind != DBAL__TICKET_BOUND)
        dbal__journey_begin(ticket, NULL);
    if (!may_be_sent_at_once(ticket) || ticket->finish_by != DBAL__NEVER)
        dbal__ticket_arm(ticket);
    return true;
}

void
dbal__ticket_settle(dbal__ticket *ticket, dbal_outcome outcome)
{
    dbal_pool *pool = ticket->pool;
    if (dbal__ticket_has_settled(ticket)) {
        dbal__outcome_fini(outcome);
        return;
    }
    dbal__ticket_unlink(ticket);
    dbal__clock_stop(&pool->loop->ready.clock, &ticket->timer);
    if (DBAL__SELDOM(ticket->journey != NULL))
        dbal__journey_end(ticket, outcome);
    if (ticket->kind != DBAL__TICKET_SESSION) {
        pool->counts.queries++;
        pool->counts.errors += outcome.kind == DBAL_OUTCOME_ERROR;
    }
    dbal_deferred *deferred = ticket->deferred;
    ticket->deferred = NULL;
    if (ticket->done != NULL)
        ticket->done(ticket, outcome);
    else if (deferred != NULL)
        dbal_deferred_fire(deferred, outcome);
    else
        dbal__outcome_fini(outcome);
}

void
dbal__ticket_describe(const dbal__ticket *ticket, dbal_error *error)
{
    if (ticket->label != NULL && dbal__error_where(error) == NULL)
        dbal__error_set_label(error, ticket->label);
    dbal__error_set_where(error, dbal__ticket_name(ticket));
}

dbal_error *
dbal__ticket_own_error(const dbal__ticket *ticket, dbal_error_class why, dbal_execution execution,
                       dbal_error *cause, const char *what)
{
    const char *sqlstate = cause != NULL ? dbal_error_sqlstate(cause) : "57014";
    dbal_error *error = dbal__error_because(cause, why, sqlstate, execution, "%s", what);
    dbal__ticket_describe(ticket, error);
    return error;
}
