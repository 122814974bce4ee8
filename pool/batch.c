/*
 * One statement with many sets of parameters, all or nothing: a transaction, or inside one a
 * savepoint, whose work hands the sets down a few at a time and notes what each did.
 */
#include <stdio.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/outcome.h"
#include "dbal/result.h"
#include "dbal/sets.h"
#include "pool/connection.h"

/*
 * What is on its way at once. To a thread: groups of sets, so that it has the next one while the
 * loop looks at the one before. On the loop: sets, as many as a connection is handed statements.
 */
enum { GROUPS = 3, SETS = 16, NAME_ROOM = 40 };

/* A group, or one set, on its way. */
typedef struct flight {
    struct batch *batch;
    size_t index;           /* of its first set */
    dbal_deferred *running; /* a reference, until it is back */
    dbal__group *group;     /* a reference; what became of its sets */
    bool back;
} flight;

typedef struct batch {
    unsigned refs; /* the scope's, and one for each flight */
    dbal_pool *pool;
    dbal__sql *sql;
    dbal__sets sets;
    dbal__group *group;         /* on the loop: whose sets go next; a reference */
    size_t count, handed, done; /* sets: all, handed down, with a row */
    size_t begun, ended;        /* flights: begun, and of these with their rows */
    unsigned out;               /* flights that are not back */
    int64_t affected, id;
    dbal_deferred *deferred; /* the caller's */
    dbal_deferred *inner;    /* the transaction's or savepoint's; a reference */
    dbal_deferred *working;  /* what the work waits for, until it fires */
    dbal__scope *scope;      /* the one that the sets run in; a reference */
    dbal_result *result;
    dbal_error *error; /* the first set's that failed */
    size_t failed;     /* which */
    bool cancelled, feeding;
    flight flights[SETS]; /* each at its number modulo SETS */
} batch;

static void
unref(batch *self)
{
    if (self == NULL || --self->refs > 0)
        return;
    if (self->sql != NULL)
        dbal__sql_unref(self->sql);
    dbal__sets_fini(&self->sets);
    dbal__group_unref(self->group);
    for (size_t i = 0; i < SETS; i++)
        dbal__group_unref(self->flights[i].group);
    dbal_deferred_unref(self->inner);
    dbal__scope_unref(self->scope);
    dbal_result_unref(self->result);
    dbal_error_unref(self->error);
    dbal__free(self);
}

/* The error of one set, saying which; takes it over. */
static dbal_error *
of_set(dbal_error *error, size_t index)
{
    char name[NAME_ROOM];
    snprintf(name, sizeof name, "sets[%zu]", index);
    dbal_error *copy = dbal__error_copy(error, dbal_error_execution(error));
    dbal__error_set_label(copy, name);
    dbal_error_unref(error);
    return copy;
}

/* ---- running ---- */

static dbal_outcome
outcome_of(batch *self)
{
    if (self->error != NULL) {
        dbal_error *error = self->error;
        self->error = NULL;
        return dbal_fail(of_set(error, self->failed));
    }
    if (self->done < self->count)
        return dbal__fail_constant(DBAL_ERROR_CANCELLED, DBAL_EXECUTION_FAILED);
    dbal_result *result = self->result;
    self->result = NULL;
    dbal__result_set_affected(result, self->affected);
    dbal__result_set_last_insert_id(result, self->id);
    if (dbal__result_is_large(result))
        dbal__result_set_reaper(result, dbal__helpers_reaper(self->pool->loop->helpers));
    return dbal_ok_result(result);
}

/* A set that was handed down earlier says more than one behind it, and all the rest is in vain. */
static void
note_error(batch *self, dbal_error *error, size_t index)
{
    if (self->error != NULL && self->failed < index) {
        dbal_error_unref(error);
        return;
    }
    dbal_error_unref(self->error);
    self->error = error;
    self->failed = index;
    for (size_t i = 0; i < SETS; i++)
        if (self->flights[i].group != NULL)
            atomic_store(&self->flights[i].group->doomed, true);
}

static bool
add_row(batch *self, int64_t affected, int64_t id)
{
    self->affected += affected;
    if (id != 0)
        self->id = id;
    return dbal__result_add_integer(self->result, DBAL_INT64, affected) == DBAL__FITS &&
           dbal__result_add_integer(self->result, id != 0 ? DBAL_INT64 : DBAL_NULL, id) ==
               DBAL__FITS &&
           dbal__result_end_row(self->result) == DBAL__FITS;
}

static void
add_rows_of(batch *self, const dbal__group *group)
{
    for (size_t i = 0; i < group->done; i++, self->done++)
        if (!add_row(self, group->each[i].affected, group->each[i].id)) {
            note_error(self, dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_FAILED),
                       self->done);
            return;
        }
}

/* In their order: one may be back before another that was begun earlier. */
static void
add_rows(batch *self)
{
    while (self->error == NULL && self->ended < self->begun) {
        flight *one = &self->flights[self->ended % SETS];
        if (!one->back)
            return;
        add_rows_of(self, one->group);
        self->ended++;
    }
}

static void
note(flight *one, dbal_outcome outcome)
{
    batch *self = one->batch;
    dbal__group *group = one->group;
    dbal_error *error = dbal_outcome_error(outcome);
    if (dbal_outcome_result(outcome) != NULL)
        dbal__group_keep(group, dbal_outcome_result(outcome));
    /* the pool has counted one */
    size_t done = group->done;
    self->pool->counts.queries += done > 1 ? done - 1 : 0;
    if (error != NULL)
        note_error(self, dbal_error_ref(error), one->index + done);
    else if (group->gave_rows)
        note_error(self,
                   dbal__error_make(DBAL_ERROR_NOT_SUPPORTED, "0A000", DBAL_EXECUTION_FAILED,
                                    "the statement gives rows, and a batch keeps none"),
                   one->index + done);
    dbal__outcome_fini(outcome);
}

static void go_on(batch *self);

static void
on_flight(dbal_outcome outcome, void *arg)
{
    flight *one = arg;
    batch *self = one->batch;
    one->running = dbal_deferred_unref(one->running);
    one->back = true;
    self->out--;
    note(one, outcome);
    add_rows(self);
    go_on(self);
    unref(self);
}

/* The next set by itself, and a group to keep what becomes of it. NULL without memory. */
static dbal__ticket *
next_set(batch *self, dbal__group **ret_group)
{
    size_t size;
    *ret_group = dbal__group_of_one();
    if (*ret_group == NULL)
        return NULL;
    if (self->group == NULL)
        self->group = dbal__sets_take(&self->sets);
    const void *block = dbal__group_walk(self->group, &size);
    dbal__ticket *ticket = dbal__ticket_new_packed(self->pool, self->sql, block, size);
    if (self->group->at == self->group->end) {
        dbal__group_unref(self->group);
        self->group = NULL;
    }
    return ticket;
}

static dbal__ticket *
next_group(batch *self, dbal__group **ret_group)
{
    *ret_group = dbal__sets_take(&self->sets);
    return dbal__ticket_new_group(self->pool, self->sql, *ret_group);
}

static bool
on_loop(const batch *self)
{
    return dbal__pool_is_native(self->pool);
}

static void
hand_down(batch *self)
{
    flight *one = &self->flights[self->begun % SETS];
    dbal__group *group;
    dbal__ticket *ticket = on_loop(self) ? next_set(self, &group) : next_group(self, &group);
    dbal__ticket *added = NULL;
    if (ticket == NULL) {
        dbal__group_unref(group);
        note_error(self, dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT),
                   self->handed);
        return;
    }
    dbal__group_unref(one->group);
    *one = (flight){.batch = self, .index = self->handed, .group = group};
    self->handed += group->count;
    self->begun++;
    self->out++;
    self->refs++;
    dbal_deferred *running = dbal__connection_add_ticket(self->scope, ticket, &added);
    one->running = dbal_deferred_ref(running);
    dbal__deferred_add_taker(running, on_flight, one);
}

static bool
wants_more(const batch *self)
{
    size_t most = on_loop(self) ? SETS : GROUPS;
    return self->handed < self->count && self->begun - self->ended < most && self->error == NULL &&
           !self->cancelled;
}

static void
finish(batch *self)
{
    dbal_deferred *working = self->working;
    self->working = NULL;
    if (working != NULL)
        dbal_deferred_fire(working, outcome_of(self));
}

/* Hands down what may be, or ends when all that was has come back. */
static void
go_on(batch *self)
{
    dbal_connection *connection = self->scope->connection;
    if (self->feeding)
        return;
    self->feeding = true;
    if (connection->lost && self->handed < self->count)
        note_error(self, dbal__error_lost(NULL, DBAL_EXECUTION_NOT_SENT), self->handed);
    while (wants_more(self))
        hand_down(self);
    self->feeding = false;
    if (self->out == 0)
        finish(self);
    else
        dbal__connection_pump(connection);
}

static void
cancel_work(dbal_deferred *deferred, void *arg)
{
    batch *self = arg;
    (void)deferred;
    self->cancelled = true;
    self->refs++;
    for (size_t i = 0; i < SETS; i++)
        dbal_deferred_cancel(self->flights[i].running);
    unref(self);
}

/* The work of the transaction or savepoint. */
static dbal_outcome
run(dbal_connection *connection, void *arg)
{
    batch *self = arg;
    dbal_deferred *working = dbal__deferred_new(self->pool->loop, cancel_work, self);
    if (working == NULL)
        return dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
    self->working = working;
    self->scope = dbal__scope_ref(dbal__connection_working(connection));
    go_on(self);
    return dbal_wait(working);
}

/* ---- making ---- */

/* The transaction or savepoint is over. */
static void
on_end(dbal_outcome outcome, void *arg)
{
    batch *self = arg;
    dbal_deferred *deferred = self->deferred;
    self->deferred = NULL;
    dbal_deferred_fire(deferred, outcome);
    unref(self);
}

static void
cancel(dbal_deferred *deferred, void *arg)
{
    (void)deferred;
    dbal_deferred_cancel(((batch *)arg)->inner);
}

static dbal_error *
no_memory(void)
{
    return dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
}

/* NULL, or what is wrong with one of the sets. */
static dbal_error *
pack(batch *self, const dbal_params *sets)
{
    const dbal_driver *driver = self->pool->driver->driver;
    size_t values = self->sql->value_count;
    uint32_t *order = dbal__array(values > 0 ? values : 1, sizeof *order);
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal_error *error = order == NULL ? no_memory() : NULL;
    for (size_t i = 0; i < self->count && error == NULL; i++) {
        if (!dbal__sql_bind(self->sql, driver, self->pool->config, sets[i], order, &fault))
            error = of_set(
                dbal__error_with_execution(dbal__fault_take(&fault), DBAL_EXECUTION_NOT_SENT), i);
        else if (!dbal__sets_add(&self->sets, sets[i].values, order, values))
            error = no_memory();
    }
    dbal_fault_clear(&fault);
    dbal__free(order);
    return error;
}

/* NULL, or what is wrong with the call; sets what it is made of. */
static dbal_error *
fill(batch *self, const char *sql, dbal__ticket_kind kind, const dbal_params *sets)
{
    dbal_error *error = NULL;
    if (sql == NULL)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "a batch without sql");
    if (sets == NULL && self->count > 0)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "a batch that has a count but no sets");
    self->sql = dbal__ticket_sql(self->pool, sql, kind, &error);
    if (self->sql == NULL)
        return error;
    self->result = dbal__result_new(SIZE_MAX);
    if (self->result == NULL ||
        dbal__result_add_column(self->result, "affected", DBAL_INT64) != DBAL__FITS ||
        dbal__result_add_column(self->result, "last_insert_id", DBAL_INT64) != DBAL__FITS)
        return no_memory();
    error = pack(self, sets);
    if (error != NULL)
        dbal__error_set_where(error, sql);
    return error;
}

/* Takes it over when it fails, or has nothing to do; *ret_self is then NULL. */
static dbal_deferred *
make(dbal_pool *pool, const char *sql, dbal__ticket_kind kind, size_t count,
     const dbal_params *sets, batch **ret_self)
{
    batch *self = dbal__zalloc(sizeof *self);
    *ret_self = NULL;
    if (self == NULL)
        return dbal__deferred_failed(pool->loop, no_memory());
    self->refs = 1;
    self->pool = pool;
    self->count = count;
    dbal_error *error = fill(self, sql, kind, sets);
    dbal_deferred *deferred = error == NULL ? dbal__deferred_new(pool->loop, cancel, self)
                                            : dbal__deferred_failed(pool->loop, error);
    if (deferred != NULL && error == NULL && count > 0) {
        self->deferred = deferred;
        *ret_self = self;
        return deferred;
    }
    if (deferred != NULL && error == NULL)
        dbal_deferred_fire(deferred, outcome_of(self));
    unref(self);
    return deferred;
}

static void
start(batch *self, dbal_deferred *inner)
{
    self->inner = dbal_deferred_ref(inner);
    dbal__deferred_add_taker(inner, on_end, self);
}

dbal_deferred *
dbal_pool_batch(dbal_pool *pool, const char *sql, size_t count, const dbal_params *sets)
{
    bool ok;
    batch *self;
    dbal_deferred *refused = dbal__pool_refuse(pool, "dbal_pool_batch", &ok);
    if (!ok)
        return refused;
    dbal_deferred *deferred = make(pool, sql, DBAL__TICKET_STATEMENT, count, sets, &self);
    if (self == NULL)
        return deferred;
    dbal_transaction_options options = DBAL_TRANSACTION_OPTIONS_INIT;
    if (pool->settings.query_timeout > 0)
        options.timeout = pool->settings.query_timeout;
    start(self, dbal_pool_transaction(pool, &options, run, self));
    return deferred;
}

dbal_deferred *
dbal_connection_batch(dbal_connection *connection, const char *sql, size_t count,
                      const dbal_params *sets)
{
    dbal_pool *pool = connection->pool;
    batch *self;
    if (!dbal__loop_check(pool->loop, "dbal_connection_batch"))
        return NULL;
    dbal_error *error = dbal__connection_refusal(connection, "dbal_connection_batch");
    if (error != NULL)
        return dbal__deferred_failed(pool->loop, error);
    dbal_deferred *deferred = make(pool, sql, DBAL__TICKET_BOUND, count, sets, &self);
    if (deferred == NULL)
        return NULL;
    /* the work's end waits for it, as for a statement */
    dbal__scope *scope = dbal__scope_ref(dbal__connection_working(connection));
    scope->pending++;
    dbal__deferred_watch(deferred, dbal__scope_watch, scope);
    if (self == NULL)
        return deferred;
    bool inside = connection->in_transaction || dbal__scope_has_transaction(connection->scope);
    start(self, inside ? dbal_connection_savepoint(connection, run, self)
                       : dbal_connection_transaction(connection, NULL, run, self));
    return deferred;
}
