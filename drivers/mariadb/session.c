#include "connection.h"
#include "failure.h"
#include "text.h"

/* nanoseconds: one that answers at all answers within this */
static const int64_t patience = INT64_C(5000000000);

static void
say_why(dbal__mariadb_connection *self, const dbal__mariadb_wait *wait, dbal_fault *fault)
{
    dbal__mariadb_error error = {mysql_errno(self->mysql), mysql_sqlstate(self->mysql),
                                 mysql_error(self->mysql)};
    if (wait->given_up || error.code == 0)
        dbal__mariadb_failure_lost(fault, false);
    else
        dbal__mariadb_failure(fault, error, NULL);
    self->lost = self->lost || wait->given_up || dbal__mariadb_failure_is_lost(error.code);
}

bool
dbal__mariadb_ping(void *connection, dbal_fault *fault)
{
    dbal__mariadb_connection *self = connection;
    dbal__mariadb_wait wait = dbal__mariadb_wait_until(dbal__mariadb_now() + patience);
    dbal__mariadb_wait_begin(&wait);
    bool ok = !self->lost && mysql_ping(self->mysql) == 0;
    dbal__mariadb_wait_end(&wait);
    if (!ok)
        say_why(self, &wait, fault);
    return ok;
}

/* Also undoes a transaction, and frees temporary tables, locks, variables and prepared statements. */
static bool
begin_anew(dbal__mariadb_connection *self)
{
    if (mysql_reset_connection(self->mysql) != 0 || !dbal__mariadb_setup(self))
        return false;
    if (self->moved && mysql_select_db(self->mysql, self->config->database) != 0)
        return false;
    self->moved = false;
    self->ended = DBAL__MARIADB_NOT_ENDED;
    return true;
}

bool
dbal__mariadb_reset(void *connection, dbal_fault *fault)
{
    dbal__mariadb_connection *self = connection;
    dbal__mariadb_wait wait = dbal__mariadb_wait_until(dbal__mariadb_now() + patience);
    if (self->moved && self->config->database == NULL) {
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, NULL,
                       "the session chose a database, which cannot be taken back");
        return false;
    }
    if (self->in_role) {
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, NULL,
                       "the session has set its role, which cannot be taken back");
        return false;
    }
    dbal__mariadb_wait_begin(&wait);
    /* at the server they are gone with the session */
    dbal__mariadb_cache_trim(&self->cache, 0);
    bool ok = !self->lost && begin_anew(self);
    dbal__mariadb_wait_end(&wait);
    if (!ok)
        say_why(self, &wait, fault);
    return ok;
}
