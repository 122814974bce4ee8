/* Words of transactions: what is added in one counts when it is committed. */
#include <stdio.h>
#include <string.h>

#include "words.h"

void
fake_connection_reset(fake_connection *self)
{
    self->in_transaction = self->changed = false;
    self->savepoints = 0;
    self->delta = 0;
}

static void
end(fake_connection *self)
{
    self->in_transaction = false;
    self->savepoints = 0;
    self->delta = 0;
}

/* False, and it fails, when there is none. */
static bool
is_open(fake_run *run)
{
    if (!run->connection->in_transaction)
        fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "25P01", "no transaction is open");
    return run->connection->in_transaction;
}

void
fake_run_begin(fake_run *run)
{
    if (run->connection->in_transaction)
        fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "25001", "a transaction is open");
    run->connection->in_transaction = true;
}

void
fake_run_commit(fake_run *run)
{
    if (!is_open(run))
        return;
    fake_store_add(run->connection->config->store, run->connection->delta);
    end(run->connection);
}

static int
find(fake_run *run)
{
    char name[FAKE_NAME];
    fake_connection *self = run->connection;
    fake_run_text(run, name, sizeof name);
    if (strcmp(name, "savepoint") == 0)
        fake_run_text(run, name, sizeof name);
    for (int i = self->savepoints - 1; i >= 0; i--)
        if (strcmp(self->stack[i].name, name) == 0)
            return i;
    fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "3B001", "there is no savepoint %s", name);
    return -1;
}

/* rollback, or rollback to savepoint x */
void
fake_run_rollback(fake_run *run)
{
    const char *ahead = run->cursor;
    fake_connection *self = run->connection;
    if (!dbal_sql_token_is(dbal_sql_next(DBAL_DIALECT_POSTGRESQL, &ahead), "to")) {
        if (is_open(run))
            end(self);
        return;
    }
    run->cursor = ahead;
    int at = find(run);
    if (at >= 0) {
        self->delta = self->stack[at].delta;
        self->savepoints = at + 1;
    }
}

void
fake_run_savepoint(fake_run *run)
{
    fake_connection *self = run->connection;
    char name[FAKE_NAME];
    fake_run_text(run, name, sizeof name);
    if (self->savepoints == FAKE_SAVEPOINTS) {
        fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "54000", "more than %d savepoints",
                      (int)FAKE_SAVEPOINTS);
        return;
    }
    memcpy(self->stack[self->savepoints].name, name, sizeof name);
    self->stack[self->savepoints++].delta = self->delta;
}

void
fake_run_release(fake_run *run)
{
    int at = find(run);
    if (at >= 0)
        run->connection->savepoints = at;
}
