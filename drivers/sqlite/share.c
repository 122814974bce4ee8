/*
 * A transaction that several statements of a pool share. Outside of one SQLite takes and gives back
 * its locks for each, which costs more than a small read does, and syncs its log for each write.
 */
#include "connection.h"
#include "failure.h"
#include "wait.h"

/* What is begun must be ended, memory or not: all statements for it are made before. SQLite's code. */
static int
prepare_kept(dbal__sqlite_connection *c)
{
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } kept[] = {{&c->begin, "begin"},
                {&c->begin_writing, "begin immediate"},
                {&c->commit, "commit"},
                {&c->rollback, "rollback"}};
    int code = SQLITE_OK;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0] && code == SQLITE_OK; i++)
        if (*kept[i].stmt == NULL)
            code = sqlite3_prepare_v3(c->db, kept[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
                                      kept[i].stmt, NULL);
    return code;
}

static int
run_kept(sqlite3_stmt *stmt)
{
    sqlite3_step(stmt);
    return sqlite3_reset(stmt);
}

static bool
in_sqlite_transaction(const dbal__sqlite_connection *c)
{
    return sqlite3_get_autocommit(c->db) == 0;
}

/* the snapshot itself is taken by the first read, so that one more lock is saved */
static int
begin(dbal__sqlite_connection *c, dbal_share what)
{
    int code = prepare_kept(c);
    if (code != SQLITE_OK)
        return code;
    return run_kept(what == DBAL_SHARE_SNAPSHOT ? c->begin : c->begin_writing);
}

bool
dbal__sqlite_share_begin(void *connection, dbal_share what, dbal_request *first, dbal_fault *fault)
{
    dbal__sqlite_connection *c = connection;
    if (c->tx_lost || in_sqlite_transaction(c)) {
        dbal_fault_set(fault, DBAL_ERROR_INTERNAL, "25001", "a transaction is open already");
        return false;
    }
    if (!dbal__sqlite_place_check(c->config->place, &c->files, fault))
        return false;
    dbal__sqlite_wait_begin(c, first, dbal_request_deadline(first));
    int code = begin(c, what);
    if (code != SQLITE_OK)
        dbal__sqlite_failure_step(c, code, DBAL__SQLITE_BEGIN, false, fault);
    dbal__sqlite_wait_end(c);
    c->sharing = code == SQLITE_OK;
    c->leader = c->sharing && what == DBAL_SHARE_COMMIT ? first : NULL;
    return c->sharing;
}

/*
 * A violated deferred foreign key would fail at the COMMIT, for all and not only for the one whose
 * it is; or another statement might cure it, which by itself would have come too late.
 */
static bool
is_violated(dbal__sqlite_connection *c)
{
    int open = 0, unused;
    sqlite3_db_status(c->db, SQLITE_DBSTATUS_DEFERRED_FKS, &open, &unused, 0);
    return open != 0;
}

bool
dbal__sqlite_share_holds(void *connection)
{
    dbal__sqlite_connection *c = connection;
    return in_sqlite_transaction(c) && !is_violated(c);
}

/* Whatever happened, no transaction stays open: SQLite ended it, or it is rolled back here. */
static void
leave(dbal__sqlite_connection *c, dbal_fault *fault)
{
    if (in_sqlite_transaction(c))
        run_kept(c->rollback);
    if (!in_sqlite_transaction(c))
        return;
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "58000", "a transaction could not be ended: %s",
                   sqlite3_errmsg(c->db));
    dbal_fault_set_connection_lost(fault, true);
    dbal_fault_set_execution(fault, DBAL_EXECUTION_UNKNOWN);
}

bool
dbal__sqlite_share_end(void *connection, bool keep, dbal_fault *fault)
{
    dbal__sqlite_connection *c = connection;
    bool writes = c->leader != NULL;
    c->sharing = false;
    c->leader = NULL;
    if (!writes && !in_sqlite_transaction(c))
        return true; /* a read that failed has ended it */
    /* not into a file that is gone: they all go to another connection */
    bool stays = !writes || !keep || dbal__sqlite_place_check(c->config->place, &c->files, fault);
    if (!keep || !stays) {
        leave(c, fault);
        return stays && !in_sqlite_transaction(c);
    }
    /* nobody can stop it here: rather than wait for a lock for long, each commits by itself */
    dbal__sqlite_wait_begin(c, NULL, dbal__sqlite_wait_clock() + DBAL__SQLITE_PATIENCE);
    int code = run_kept(c->commit);
    if (code != SQLITE_OK) {
        dbal__sqlite_failure_step(c, code, DBAL__SQLITE_COMMIT, true, fault);
        leave(c, fault);
    }
    dbal__sqlite_wait_end(c);
    return code == SQLITE_OK;
}
