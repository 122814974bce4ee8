/* Many statements in one text, one after the other, until one fails. */
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/outcome.h"
#include "pool/connection.h"

typedef struct script {
    dbal__scope *scope; /* the one it was made in; a reference */
    char *text;
    const char *cursor;
    dbal_deferred *deferred, *running;
    dbal__outcomes *outcomes;
    size_t room;
    bool cancelled;
} script;

static void next(script *self);

static void
end(script *self, dbal_outcome outcome)
{
    dbal_deferred *deferred = self->deferred;
    dbal__outcomes_free(self->outcomes);
    dbal_deferred_unref(self->running);
    dbal__free(self->text);
    dbal__scope_unref(self->scope);
    dbal__free(self);
    dbal_deferred_fire(deferred, outcome);
}

static bool
keep(script *self, dbal_outcome outcome)
{
    if (self->outcomes->count == self->room) {
        size_t room = self->room * 2;
        dbal__outcomes *more =
            dbal__realloc(self->outcomes, sizeof *more + room * sizeof(dbal_outcome));
        if (more == NULL)
            return false;
        self->outcomes = more;
        self->room = room;
    }
    self->outcomes->items[self->outcomes->count++] = outcome;
    return true;
}

static void
on_statement(dbal_outcome outcome, void *arg)
{
    script *self = arg;
    self->running = dbal_deferred_unref(self->running);
    if (outcome.kind == DBAL_OUTCOME_ERROR) {
        end(self, outcome);
    } else if (!keep(self, outcome)) {
        dbal__outcome_fini(outcome);
        end(self, dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_UNKNOWN));
    } else {
        next(self);
    }
}

static void
next(script *self)
{
    dbal_pool *pool = self->scope->connection->pool;
    const char *start;
    size_t size;
    if (self->cancelled) {
        end(self, dbal__fail_constant(DBAL_ERROR_CANCELLED, self->outcomes->count == 0
                                                                ? DBAL_EXECUTION_NOT_SENT
                                                                : DBAL_EXECUTION_UNKNOWN));
        return;
    }
    if (!dbal__sql_split(pool->driver->driver->dialect, &self->cursor, &start, &size)) {
        dbal__outcomes *outcomes = self->outcomes;
        self->outcomes = NULL;
        end(self, dbal__ok_outcomes(outcomes));
        return;
    }
    char *statement = dbal__strndup(start, size);
    if (statement == NULL) {
        end(self, dbal__fail_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
        return;
    }
    dbal_query query = {.size = sizeof query, .sql = statement};
    dbal__ticket *ticket = NULL;
    dbal_deferred *running = dbal__connection_add_in(self->scope, &query, &ticket);
    dbal__free(statement);
    self->running = dbal_deferred_ref(running);
    dbal__deferred_add_taker(running, on_statement, self);
    if (ticket != NULL)
        dbal__connection_pump(self->scope->connection);
}

static void
cancel(dbal_deferred *deferred, void *arg)
{
    script *self = arg;
    (void)deferred;
    self->cancelled = true;
    dbal_deferred_cancel(self->running);
}

static script *
make(dbal_connection *connection, const char *sql)
{
    script *self = dbal__zalloc(sizeof *self);
    if (self == NULL)
        return NULL;
    self->room = 8;
    self->text = dbal__strdup(sql);
    self->outcomes = dbal__outcomes_new(self->room);
    if (self->text == NULL || self->outcomes == NULL) {
        dbal__free(self->text);
        dbal__outcomes_free(self->outcomes);
        dbal__free(self);
        return NULL;
    }
    self->outcomes->count = 0;
    self->cursor = self->text;
    self->scope = dbal__scope_ref(dbal__connection_working(connection));
    return self;
}

dbal_deferred *
dbal_connection_script(dbal_connection *connection, const char *sql)
{
    dbal_loop *loop = connection->pool->loop;
    if (!dbal__loop_check(loop, "dbal_connection_script"))
        return NULL;
    dbal_error *error = dbal__connection_refusal(connection, "dbal_connection_script");
    script *self = error == NULL && sql != NULL ? make(connection, sql) : NULL;
    dbal_deferred *deferred = self != NULL ? dbal__deferred_new(loop, cancel, self) : NULL;
    if (deferred == NULL) {
        if (self != NULL) {
            dbal__free(self->text);
            dbal__outcomes_free(self->outcomes);
            dbal__scope_unref(self->scope);
            dbal__free(self);
        }
        if (error == NULL)
            error = sql == NULL
                        ? dbal_error_new(DBAL_ERROR_INTERFACE, "a script without sql")
                        : dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
        return dbal__deferred_failed(loop, error);
    }
    self->deferred = deferred;
    /* the work's end waits for it, as for a statement */
    self->scope->pending++;
    dbal__deferred_watch(deferred, dbal__scope_watch, dbal__scope_ref(self->scope));
    next(self);
    return deferred;
}
