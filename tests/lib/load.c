#include "tests/lib/load.h"

#include <stdio.h>

static void ask(load *self);

static dbal_outcome
look(dbal_outcome in, void *arg)
{
    load *self = arg;
    dbal_error *error = dbal_outcome_error(in);
    if (error != NULL && self->failed++ == 0)
        snprintf(self->why, sizeof self->why, "%s", dbal_error_message(error));
    self->done++;
    return dbal_done();
}

static void
next(void *arg)
{
    load *self = arg;
    if (self->over)
        self->callers--;
    else
        ask(self);
}

static dbal_outcome
both(dbal_connection *connection, void *arg)
{
    load *self = arg;
    dbal_connection_query(connection, self->write, DBAL_NO_PARAMS);
    return dbal_wait(dbal_connection_query(connection, self->read, DBAL_NO_PARAMS));
}

static void
ask(load *self)
{
    dbal_deferred *deferred;
    int kind = self->asked++ % 8;
    if (kind == 0)
        deferred = dbal_pool_transaction(self->pool, NULL, both, self);
    else
        deferred =
            dbal_pool_query(self->pool, kind == 4 ? self->write : self->read, DBAL_NO_PARAMS);
    dbal_deferred_add_both(deferred, look, self);
    dbal_deferred_add_finally(deferred, next, self);
}

void
load_begin(load *self, dbal_pool *pool, int callers, const char *read, const char *write)
{
    *self = (load){.pool = pool, .read = read, .write = write, .callers = callers};
    for (int i = 0; i < callers; i++)
        ask(self);
}

void
load_end(load *self)
{
    self->over = true;
}
