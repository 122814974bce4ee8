#include <string.h>

#include "bind.h"
#include "connection.h"
#include "failure.h"
#include "rows.h"
#include "wait.h"

static bool
in_sqlite_transaction(dbal__sqlite_connection *c)
{
    return sqlite3_get_autocommit(c->db) == 0;
}

/* ---- compiling ------------------------------------------------------------------------------- */

static bool
fail(dbal_fault *fault, dbal_error_class error_class, const char *sqlstate, const char *text)
{
    dbal_fault_set(fault, error_class, sqlstate, "%s", text);
    return false;
}

/* whether a writing statement may run now; if not, it has done nothing yet */
static bool
may_write(dbal__sqlite_connection *c, dbal_request *request, dbal_fault *fault)
{
    if (dbal_request_read_only(request)) {
        dbal__sqlite_failure_promise(fault);
        return false;
    }
    if (c->has_token && !dbal_request_has_token(request)) {
        dbal_fault_set_needs_token(fault);
        return false;
    }
    return true;
}

/* what can be refused before SQLite sees the text: preparing some PRAGMAs runs them */
static bool
may_compile(dbal__sqlite_connection *c, const dbal__sqlite_meaning *meaning, dbal_request *request,
            dbal_fault *fault)
{
    if ((meaning->kinds & DBAL_SQL_REFUSED) != 0) {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL, "not to be set by a statement: use %s",
                       meaning->instead);
        return false;
    }
    if ((meaning->kinds & DBAL_SQL_WRITES) != 0 && !may_write(c, request, fault))
        return false;
    int most = sqlite3_limit(c->db, SQLITE_LIMIT_VARIABLE_NUMBER, -1);
    if (dbal_request_parameter_count(request) <= (size_t)most)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_PROGRAMMING, "54023",
                   "%zu parameters are more than SQLite takes (%d)",
                   dbal_request_parameter_count(request), most);
    return false;
}

/* Worth keeping; a PRAGMA must not be kept, since it is preparing that runs it. */
static bool
may_cache(dbal__sqlite_verb verb)
{
    switch (verb) {
    case DBAL__SQLITE_READ:
    case DBAL__SQLITE_INSERT:
    case DBAL__SQLITE_CHANGE:
    case DBAL__SQLITE_BEGIN:
    case DBAL__SQLITE_COMMIT:
    case DBAL__SQLITE_ROLLBACK:
    case DBAL__SQLITE_SAVEPOINT:
    case DBAL__SQLITE_RELEASE:
        return true;
    default:
        return false;
    }
}

static bool
is_explained(sqlite3_stmt *stmt)
{
    return sqlite3_stmt_isexplain(stmt) != 0;
}

/* What SQLite calls writing, and is none of this file's: into another file, or temporary. */
static bool
spares_file(const dbal__sqlite_meaning *meaning)
{
    return meaning->verb == DBAL__SQLITE_PRAGMA || meaning->verb == DBAL__SQLITE_COPY ||
           (meaning->verb == DBAL__SQLITE_SCHEMA && (meaning->kinds & DBAL_SQL_SESSION) != 0);
}

/* Nothing that could be in a schema cures these. */
static bool
is_malformed(const char *message)
{
    return strstr(message, "syntax error") != NULL || strstr(message, "incomplete input") != NULL ||
           strstr(message, "unrecognized token") != NULL;
}

/*
 * What does not compile may be wrong only by the schema as this connection knows it, which another
 * has changed since. SQLite looks again after some errors; here it is after all.
 */
static int
prepare(dbal__sqlite_connection *c, dbal__sqlite_statement *s, const char *sql, bool keep,
        const char **ret_tail)
{
    unsigned flags = keep ? SQLITE_PREPARE_PERSISTENT : 0;
    int size = (int)s->size + 1;
    int code = sqlite3_prepare_v3(c->db, sql, size, flags, &s->stmt, ret_tail);
    bool schema = (code & 0xff) == SQLITE_ERROR || (code & 0xff) == SQLITE_SCHEMA;
    if (!schema)
        return code;
    /* with an old schema, or none read yet, SQLite says SQLITE_SCHEMA of some, however often it is asked */
    if (is_malformed(sqlite3_errmsg(c->db)))
        return SQLITE_ERROR;
    sqlite3_exec(c->db, "select 1 from sqlite_schema limit 0", NULL, NULL, NULL);
    return sqlite3_prepare_v3(c->db, sql, size, flags, &s->stmt, ret_tail);
}

/* fills a new statement; false with the fault set */
static bool
compile(dbal__sqlite_connection *c, dbal__sqlite_statement *s, const char *sql, bool keep,
        dbal_fault *fault)
{
    const char *tail = NULL;
    int code = prepare(c, s, sql, keep, &tail);
    if (code != SQLITE_OK) {
        dbal__sqlite_failure_compile(c, code, fault);
        return false;
    }
    if (s->stmt == NULL)
        return fail(fault, DBAL_ERROR_PROGRAMMING, "42601", "there is no statement in the text");
    if (!dbal__sqlite_meaning_is_empty(tail)) {
        fail(fault, DBAL_ERROR_PROGRAMMING, "42601", "there is more than one statement");
        dbal_fault_set_position(fault, (int)(tail - sql) + 1);
        return false;
    }
    s->parameters = sqlite3_bind_parameter_count(s->stmt);
    s->writes =
        (s->meaning.kinds & DBAL_SQL_WRITES) != 0 ||
        (!spares_file(&s->meaning) && !is_explained(s->stmt) && !sqlite3_stmt_readonly(s->stmt));
    return true;
}

static dbal__sqlite_statement *
make_statement(dbal__sqlite_connection *c, dbal_request *request,
               const dbal__sqlite_meaning *meaning, dbal_fault *fault)
{
    size_t size;
    const char *sql = dbal_request_sql(request, &size);
    int most = dbal_request_statement_cache(request);
    if (size >= (size_t)sqlite3_limit(c->db, SQLITE_LIMIT_SQL_LENGTH, -1)) {
        fail(fault, DBAL_ERROR_DATA, "54000", "the statement is longer than SQLite allows");
        return NULL;
    }
    dbal__sqlite_statement *s = dbal__sqlite_statement_new(sql, size, dbal_request_hash(request));
    if (s == NULL) {
        dbal__sqlite_failure_memory(fault);
        return NULL;
    }
    s->meaning = *meaning;
    bool keep = most > 0 && may_cache(meaning->verb);
    if (!compile(c, s, sql, keep, fault)) {
        dbal__sqlite_statement_free(s);
        return NULL;
    }
    if (keep)
        dbal__sqlite_cache_add(&c->cache, s, most);
    return s;
}

/* ---- running ----------------------------------------------------------------------------------- */

/* how a run ended, when SQLite did not fail */
static const int refused = -1, no_memory = -2, untold = -3;

static int
give_up(dbal__sqlite_connection *c, dbal__sqlite_statement *s, dbal__sqlite_taken taken)
{
    if (s->writes) {
        /*
         * All its rows are made by now, and a reset would keep them: an interrupt undoes them. It
         * cannot hit another statement, since SQLite forgets it when none is running.
         */
        sqlite3_interrupt(c->db);
        sqlite3_step(s->stmt);
    }
    return taken == DBAL__SQLITE_NO_MEMORY ? no_memory : refused;
}

static bool
gives_declared_types(const dbal__sqlite_connection *c)
{
    return c->config->options.value[DBAL__SQLITE_TYPES] == DBAL__SQLITE_TYPES_DECLARED;
}

/* steps to the end; SQLITE_DONE, SQLite's failure, or one of the above */
static int
step_through(dbal__sqlite_connection *c, dbal__sqlite_statement *s, dbal_request *request)
{
    int code = sqlite3_step(s->stmt);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return code;
    dbal__sqlite_taken taken = dbal__sqlite_rows_columns(s, request);
    bool declared = s->converts && gives_declared_types(c);
    while (code == SQLITE_ROW && taken == DBAL__SQLITE_TAKEN) {
        taken = declared ? dbal__sqlite_rows_take_declared(s, request)
                         : dbal__sqlite_rows_take(s->stmt, s->columns, request);
        if (taken == DBAL__SQLITE_TAKEN)
            code = sqlite3_step(s->stmt);
    }
    if (taken == DBAL__SQLITE_TAKEN)
        return code;
    if (taken == DBAL__SQLITE_NO_MEMORY && s->writes && code == SQLITE_DONE)
        return untold; /* it is done, and there is no memory to say so */
    if (taken != DBAL__SQLITE_REFUSED || !dbal_request_satisfied(request))
        return give_up(c, s, taken);
    /* nobody wants more rows; what a RETURNING shows has to be done all the same */
    while (s->writes && code == SQLITE_ROW)
        code = sqlite3_step(s->stmt);
    return code == SQLITE_ROW ? SQLITE_DONE : code;
}

static void
report_changes(dbal__sqlite_connection *c, dbal__sqlite_verb verb, dbal_request *request)
{
    if (verb != DBAL__SQLITE_INSERT && verb != DBAL__SQLITE_CHANGE)
        return;
#if SQLITE_VERSION_NUMBER >= 3037000
    int64_t changes = sqlite3_changes64(c->db);
#else
    int64_t changes = sqlite3_changes(c->db);
#endif
    dbal_request_affected(request, changes);
    /* else it was a trigger that made a row, and the id is of a statement before */
    int64_t id = sqlite3_last_insert_rowid(c->db);
    bool made = c->inserted && (id != c->id_before || c->same_id);
    if (verb == DBAL__SQLITE_INSERT && made && changes != 0)
        dbal_request_last_insert_id(request, id);
}

/* false; the fault says why, unless the sink knows better */
static bool
report_failure(dbal__sqlite_connection *c, dbal__sqlite_statement *s, int code, bool commits,
               dbal_fault *fault)
{
    if (code == no_memory || code == untold)
        dbal__sqlite_failure_memory(fault);
    else if (code != refused)
        dbal__sqlite_failure_step(c, code, s->meaning.verb, commits, fault);
    else if (dbal__sqlite_wait_over(c))
        dbal__sqlite_failure_stopped(fault);
    if (code == untold)
        dbal_fault_set_execution(fault, DBAL_EXECUTION_UNKNOWN);
    return false;
}

static bool
ends_transaction(dbal__sqlite_verb verb)
{
    return verb == DBAL__SQLITE_COMMIT || verb == DBAL__SQLITE_ROLLBACK;
}

static bool
run_statement(dbal__sqlite_connection *c, dbal__sqlite_statement *s, dbal_request *request,
              dbal_fault *fault)
{
    dbal__sqlite_verb verb = s->meaning.verb;
    bool was_open = in_sqlite_transaction(c);
    bool commits =
        (s->writes && !was_open) || verb == DBAL__SQLITE_COMMIT || verb == DBAL__SQLITE_RELEASE;
    c->inserted = c->same_id = false;
    if (verb == DBAL__SQLITE_INSERT)
        c->id_before = sqlite3_last_insert_rowid(c->db);
    bool borrowed;
    bool ok = dbal__sqlite_bind(c, s->stmt, request, &borrowed, fault);
    if (ok) {
        int code = step_through(c, s, request);
        ok = code == SQLITE_DONE;
        if (ok)
            report_changes(c, verb, request);
        else
            report_failure(c, s, code, commits, fault);
    }
    sqlite3_reset(s->stmt);
    if (borrowed) /* else the next run binds over them */
        sqlite3_clear_bindings(s->stmt);
    if (!ok && was_open && !c->sharing && !in_sqlite_transaction(c) && !ends_transaction(verb))
        c->tx_lost = true;
    c->lasting = c->lasting || s->meaning.lasts;
    return ok;
}

static bool
check_parameters(int wanted, dbal_request *request, dbal_fault *fault)
{
    size_t given = dbal_request_parameter_count(request);
    if (given == (size_t)wanted)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_PROGRAMMING, "07001",
                   "the statement has %d parameters, and %zu values were given", wanted, given);
    return false;
}

/* PRAGMA busy_timeout, which would replace the busy handler and with it the way to stop a wait */
static bool
run_busy_timeout(dbal__sqlite_connection *c, const dbal__sqlite_meaning *meaning,
                 dbal_request *request, dbal_fault *fault)
{
    enum { MILLISECONDS_MAX = 86400000 };
    if (meaning->goes_on)
        return fail(fault, DBAL_ERROR_PROGRAMMING, "42601", "there is more than one statement");
    if (!check_parameters(0, request, fault))
        return false;
    if (meaning->has_value) {
        int64_t ms = meaning->milliseconds;
        c->busy_timeout = (ms < MILLISECONDS_MAX ? ms : MILLISECONDS_MAX) * 1000000;
    }
    return dbal_request_column(request, "timeout", DBAL_NULL) &&
           dbal_request_integer(request, DBAL_INT64, c->busy_timeout / 1000000) &&
           (dbal_request_row(request) || dbal_request_satisfied(request));
}

/* While a transaction is lost, only its end is accepted, so that nothing commits by itself. */
static bool
run_lost(dbal__sqlite_connection *c, dbal_request *request, dbal_fault *fault)
{
    dbal__sqlite_verb verb = dbal__sqlite_meaning_of(dbal_request_sql(request, NULL)).verb;
    if (ends_transaction(verb))
        c->tx_lost = false;
    if (verb == DBAL__SQLITE_ROLLBACK)
        return true;
    dbal__sqlite_failure_lost(fault);
    return false;
}

static bool
run_new(dbal__sqlite_connection *c, dbal_request *request, dbal_fault *fault)
{
    dbal__sqlite_meaning meaning = dbal__sqlite_meaning_of(dbal_request_sql(request, NULL));
    if (!may_compile(c, &meaning, request, fault))
        return false;
    if (meaning.verb == DBAL__SQLITE_BUSY_TIMEOUT)
        return run_busy_timeout(c, &meaning, request, fault);
    /* preparing it runs it, whatever is found to be wrong then */
    if (meaning.verb == DBAL__SQLITE_PRAGMA)
        c->lasting = c->lasting || meaning.lasts;
    dbal__sqlite_statement *s = make_statement(c, request, &meaning, fault);
    if (s == NULL)
        return false;
    bool ok = check_parameters(s->parameters, request, fault) &&
              (!s->writes || may_write(c, request, fault)) && run_statement(c, s, request, fault);
    if (!s->cached)
        dbal__sqlite_statement_free(s);
    return ok;
}

static bool
run(dbal__sqlite_connection *c, dbal_request *request, dbal_fault *fault)
{
    if (dbal__sqlite_wait_over(c)) {
        dbal__sqlite_failure_stopped(fault);
        return false;
    }
    if (c->tx_lost)
        return run_lost(c, request, fault);
    size_t size;
    const char *sql = dbal_request_sql(request, &size);
    dbal__sqlite_statement *s =
        dbal__sqlite_cache_get(&c->cache, sql, size, dbal_request_hash(request));
    if (s == NULL)
        return run_new(c, request, fault);
    return check_parameters(s->parameters, request, fault) &&
           (!s->writes || may_write(c, request, fault)) && run_statement(c, s, request, fault);
}

/* Pages that were found damaged are read again next time: the file may have been restored since. */
static void
forget_damage(dbal__sqlite_connection *c)
{
    int primary = sqlite3_errcode(c->db) & 0xff;
    if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB)
        sqlite3_db_release_memory(c->db);
}

bool
dbal__sqlite_run(void *connection, dbal_request *request, dbal_fault *fault)
{
    dbal__sqlite_connection *c = connection;
    dbal__sqlite_wait_begin(c, request, dbal_request_deadline(request));
    /* what statements share looks once for them all */
    bool stays = c->sharing || dbal__sqlite_place_check(c->config->place, &c->files, fault);
    bool ok = stays && run(c, request, fault);
    if (!ok)
        forget_damage(c);
    dbal__sqlite_wait_end(c);
    return ok;
}

bool
dbal__sqlite_in_transaction(void *connection)
{
    dbal__sqlite_connection *c = connection;
    return c->tx_lost || (!c->sharing && in_sqlite_transaction(c));
}
