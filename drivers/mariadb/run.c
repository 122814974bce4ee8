/* One statement, from its text to its end. */
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include <errmsg.h>
#include <mysqld_error.h>

#include "begin.h"
#include "bind.h"
#include "connection.h"
#include "failure.h"
#include "reason.h"
#include "rows.h"
#include "text.h"

typedef dbal__mariadb_connection connection;
typedef dbal__mariadb_statement statement;

/* ---- the transaction ------------------------------------------------------------------------- */

bool
dbal__mariadb_is_in_transaction(const connection *self)
{
    return (self->mysql->server_status & SERVER_STATUS_IN_TRANS) != 0;
}

bool
dbal__mariadb_in_transaction(void *pointer)
{
    const connection *self = pointer;
    return self->ended != DBAL__MARIADB_NOT_ENDED || dbal__mariadb_is_in_transaction(self);
}

/* Until its end is said, nothing may commit by itself. */
static bool
run_ended(connection *self, dbal__mariadb_control control, dbal_fault *fault)
{
    dbal__mariadb_ended how = self->ended;
    bool commits = control == DBAL__MARIADB_COMMITS, undoes = control == DBAL__MARIADB_ROLLS_BACK;
    if (commits || undoes)
        self->ended = DBAL__MARIADB_NOT_ENDED;
    if ((how == DBAL__MARIADB_UNDONE && undoes) || (how == DBAL__MARIADB_KEPT && commits))
        return true;
    if (how == DBAL__MARIADB_GONE) {
        dbal_fault_set(
            fault, DBAL_ERROR_OPERATIONAL, "25000",
            "the transaction was ended by a program that ran in it: nobody knows what of "
            "it is kept, and nothing runs until it is ended");
        if (commits || undoes)
            dbal_fault_set_execution(fault, DBAL_EXECUTION_UNKNOWN);
    } else if (how == DBAL__MARIADB_UNDONE)
        dbal_fault_set(
            fault, DBAL_ERROR_OPERATIONAL, "25P02",
            "the transaction was ended by the database after an error: nothing of it was "
            "kept, and nothing runs until it is rolled back");
    else
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "25000",
                       "the transaction was committed by a statement in it: what it did before is "
                       "kept, and nothing runs until it is ended");
    return false;
}

static bool
may_run(connection *self, const dbal__mariadb_meaning *meaning, const dbal_request *request,
        dbal_fault *fault)
{
    bool ends = meaning->control == DBAL__MARIADB_COMMITS_BY_ITSELF ||
                meaning->control == DBAL__MARIADB_BEGINS;
    if ((meaning->kinds & DBAL_SQL_WRITES) != 0 && dbal_request_read_only(request)) {
        dbal__mariadb_failure_promise(fault);
        return false;
    }
    if (!ends || !dbal__mariadb_is_in_transaction(self))
        return true;
    dbal_fault_set(fault, DBAL_ERROR_PROGRAMMING, "25001",
                   "MariaDB would commit the transaction that is open before it ran this");
    dbal_fault_set_hint(fault, "run it outside of transactions");
    dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
    return false;
}

/* ---- stopping --------------------------------------------------------------------------------- */

void
dbal__mariadb_interrupt(void *pointer)
{
    connection *self = pointer;
    eventfd_write(self->stop_fd, 1);
}

/* Called by the wait for the server; see dbal__mariadb_wait. */
static int64_t
on_stop(void *arg)
{
    connection *self = arg;
    eventfd_t count;
    eventfd_read(self->stop_fd, &count);
    if (!dbal_request_stopped(self->request) && self->kill.since == 0)
        return INT64_MAX;
    return dbal__mariadb_kill_send(&self->kill);
}

/* How a run ended that has not failed. */
typedef struct course {
    dbal__mariadb_wait wait;
    dbal__mariadb_taken taken;
    bool level_left;           /* an isolation level was set, and the transaction has not begun */
    bool may_be_done;          /* it was given up, but has changed what it changes, or may have */
    dbal__mariadb_error error; /* with FAILED: the texts below */
    char sqlstate[SQLSTATE_LENGTH + 1], message[MYSQL_ERRMSG_SIZE];
} course;

/* ---- running a prepared statement ------------------------------------------------------------ */

static dbal__mariadb_taken
fail_with(course *c, unsigned code, const char *sqlstate, const char *message)
{
    snprintf(c->sqlstate, sizeof c->sqlstate, "%s", sqlstate);
    snprintf(c->message, sizeof c->message, "%s", message);
    c->error = (dbal__mariadb_error){code, c->sqlstate, c->message};
    c->taken = DBAL__MARIADB_FAILED;
    return c->taken;
}

static dbal__mariadb_taken
fail_plainly(course *c, MYSQL *mysql)
{
    return fail_with(c, mysql_errno(mysql), mysql_sqlstate(mysql), mysql_error(mysql));
}

/* An error among the rows is known to the connection alone. What comes next forgets either. */
static dbal__mariadb_taken
fail(connection *self, course *c, statement *s)
{
    unsigned code = mysql_stmt_errno(s->stmt);
    if (code == 0)
        return fail_plainly(c, self->mysql);
    return fail_with(c, code, mysql_stmt_sqlstate(s->stmt), mysql_stmt_error(s->stmt));
}

/* Rows are taken as they come; `*ret_rows`: how many. */
static dbal__mariadb_taken
take_rows(connection *self, course *c, statement *s, int64_t *ret_rows)
{
    bool truth = dbal__mariadb_option_is(&self->config->options, DBAL__MARIADB_TINYINT1, "bool");
    dbal__mariadb_taken taken = dbal__mariadb_rows_begin(s, self->request, truth);
    int code = 0;
    while (taken == DBAL__MARIADB_TAKEN) {
        code = mysql_stmt_fetch(s->stmt);
        if (code != 0 && code != MYSQL_DATA_TRUNCATED)
            break;
        ++*ret_rows;
        taken = dbal__mariadb_rows_take(s, self->request);
        if (taken == DBAL__MARIADB_FAILED)
            return fail(self, c, s);
    }
    return taken == DBAL__MARIADB_TAKEN && code != MYSQL_NO_DATA ? fail(self, c, s) : taken;
}

/* The rest of the rows is not wanted; what a RETURNING shows has to be done all the same. */
static bool
is_wanted(const connection *self, const statement *s)
{
    return (s->meaning.kinds & DBAL_SQL_WRITES) != 0 && dbal_request_satisfied(self->request);
}

/* Tells the server of it, and reads over what is left. */
static void
give_up(connection *self, course *c, statement *s)
{
    bool writes = (s->meaning.kinds & DBAL_SQL_WRITES) != 0, wanted = is_wanted(self, s);
    dbal__mariadb_taken taken = c->taken;
    if (!wanted)
        c->wait.again = dbal__mariadb_kill_send(&self->kill);
    c->may_be_done = writes;
    if (dbal__mariadb_rows_drain(s))
        return;
    fail(self, c, s);
    c->may_be_done = writes && dbal__mariadb_failure_is_lost(c->error.code);
    if (!wanted)
        c->taken = taken;
}

/* A procedure's further results. */
static dbal__mariadb_taken
drop_others(connection *self, course *c, statement *s)
{
    while (mysql_stmt_more_results(s->stmt)) {
        mysql_stmt_free_result(s->stmt);
        if (mysql_stmt_next_result(s->stmt) > 0)
            return fail(self, c, s);
    }
    return DBAL__MARIADB_TAKEN;
}

static void
tell_changes(dbal_request *request, statement *s, bool gave_rows, int64_t rows)
{
    if ((s->meaning.kinds & DBAL_SQL_WRITES) == 0 ||
        s->meaning.control == DBAL__MARIADB_COMMITS_BY_ITSELF)
        return;
    int64_t affected = gave_rows ? rows : (int64_t)mysql_stmt_affected_rows(s->stmt);
    if (affected >= 0)
        dbal_request_affected(request, affected);
    /* with rows no id is sent: what the library knows is of a statement before */
    uint64_t id = gave_rows ? 0 : mysql_stmt_insert_id(s->stmt);
    if (s->meaning.control == DBAL__MARIADB_MAKES && id != 0 && id <= INT64_MAX)
        dbal_request_last_insert_id(request, (int64_t)id);
}

static dbal__mariadb_taken
execute(connection *self, course *c, statement *s)
{
    int64_t rows = 0;
    self->was_sent = true;
    /* has the library take all that is told of the columns: else it keeps what it was told when the
     * statement was prepared, and fails when there are more of them since */
    s->stmt->field_count = 0;
    if (mysql_stmt_execute(s->stmt) != 0)
        return fail(self, c, s);
    bool gives_rows = mysql_stmt_field_count(s->stmt) != 0;
    c->taken = gives_rows ? take_rows(self, c, s, &rows) : DBAL__MARIADB_TAKEN;
    if (c->taken == DBAL__MARIADB_REFUSED || c->taken == DBAL__MARIADB_NO_MEMORY)
        give_up(self, c, s);
    if (c->taken == DBAL__MARIADB_TAKEN)
        tell_changes(self->request, s, gives_rows, rows);
    if (c->taken != DBAL__MARIADB_FAILED) {
        dbal__mariadb_taken taken = c->taken, others = drop_others(self, c, s);
        bool failed = others == DBAL__MARIADB_FAILED && is_wanted(self, s);
        c->taken = taken == DBAL__MARIADB_TAKEN || failed ? others : taken;
    }
    if (gives_rows) {
        dbal__mariadb_rows_end(s);
        mysql_stmt_free_result(s->stmt);
    }
    return c->taken;
}

/* ---- preparing it ---------------------------------------------------------------------------- */

/* 0, or the error's number */
static unsigned
prepare(connection *self, course *c, statement *s)
{
    size_t size;
    const char *sql = dbal_request_sql(self->request, &size);
    if (s->stmt == NULL)
        s->stmt = mysql_stmt_init(self->mysql);
    if (s->stmt == NULL) {
        c->taken = DBAL__MARIADB_NO_MEMORY;
        return CR_OUT_OF_MEMORY;
    }
    if (mysql_stmt_prepare(s->stmt, sql, (unsigned long)size) == 0)
        return 0;
    fail(self, c, s);
    return c->error.code;
}

/* The server keeps so many of all its clients: those of this one make room. */
static unsigned
prepare_in_room(connection *self, course *c, statement *s)
{
    unsigned code = prepare(self, c, s);
    if (code != ER_MAX_PREPARED_STMT_COUNT_REACHED || self->cache.count == 0)
        return code;
    dbal__mariadb_cache_trim(&self->cache, 0);
    return prepare(self, c, s);
}

static bool
has_room(statement *s, dbal_fault *fault)
{
    if (dbal__mariadb_statement_reserve(s, (int)mysql_stmt_param_count(s->stmt)))
        return true;
    dbal__mariadb_failure_memory(fault);
    return false;
}

/* ---- by its text ------------------------------------------------------------------------------- */

static void
run_text(connection *self, course *c, dbal__mariadb_control control)
{
    size_t size;
    const char *then, *sql = dbal_request_sql(self->request, &size);
    const char *first = dbal__mariadb_begin_first(sql, &then);
    char exempt[DBAL__MARIADB_TIME_TEXT];
    if (dbal__mariadb_time_limit_exempt(&self->time_limit, control, sql, exempt))
        c->taken = dbal__mariadb_text(self, exempt, strlen(exempt), self->request);
    else if (first == NULL)
        c->taken = dbal__mariadb_text(self, sql, size, self->request);
    else if (dbal__mariadb_command(self, first) && dbal__mariadb_command(self, then))
        c->taken = DBAL__MARIADB_TAKEN;
    else
        c->taken = DBAL__MARIADB_FAILED;
    c->level_left = first != NULL && c->taken != DBAL__MARIADB_TAKEN;
    if (c->taken == DBAL__MARIADB_FAILED)
        fail_plainly(c, self->mysql);
}

/* They give nothing that would need the other protocol, which takes a round trip more. */
static bool
is_command(const dbal__mariadb_meaning *meaning, const dbal_request *request)
{
    switch (meaning->control) {
    case DBAL__MARIADB_BEGINS:
    case DBAL__MARIADB_COMMITS:
    case DBAL__MARIADB_ROLLS_BACK:
    case DBAL__MARIADB_STEPS:
    case DBAL__MARIADB_SETS:
    case DBAL__MARIADB_SETS_LIMIT:
    case DBAL__MARIADB_SETS_ROLE:
    case DBAL__MARIADB_HELPS:
        return dbal_request_parameter_count(request) == 0;
    default:
        return false;
    }
}

/* ---- all of it ---------------------------------------------------------------------------------- */

/* False: it did not come to running, and the fault says why. */
static bool
run_fresh(connection *self, course *c, statement *s, dbal_fault *fault)
{
    unsigned code = prepare_in_room(self, c, s);
    if (code == ER_UNSUPPORTED_PS && dbal_request_parameter_count(self->request) == 0) {
        run_text(self, c, s->meaning.control);
        return true;
    }
    if (code != 0)
        return true;
    if (!has_room(s, fault) || !dbal__mariadb_bind(s, self->request, fault))
        return false;
    int most = dbal_request_statement_cache(self->request);
    if (most > 0 && (s->meaning.kinds & DBAL_SQL_UNSHARED) == 0)
        dbal__mariadb_cache_add(&self->cache, s);
    execute(self, c, s);
    return true;
}

static bool
run_known(connection *self, course *c, statement *s, dbal_fault *fault)
{
    if (!dbal__mariadb_bind(s, self->request, fault))
        return false;
    execute(self, c, s);
    return true;
}

/* Whether a statement that has failed so is of no more use. */
static bool
is_spoilt(unsigned code)
{
    return code >= CR_MIN_ERROR || code == ER_UNKNOWN_STMT_HANDLER || code == ER_NEED_REPREPARE;
}

/* The second: a KILL while the server looks for a table, of SEQUENCE say, that it has not opened yet. */
static bool
is_killed(unsigned code)
{
    return code == ER_QUERY_INTERRUPTED || code == ER_SQL_DISCOVER_ERROR;
}

/* What was only prepared has done nothing, whatever became of the connection. */
static void
fail_as(const connection *self, const course *c, dbal_fault *fault)
{
    unsigned code = c->error.code;
    bool large = code == CR_NET_PACKET_TOO_LARGE || code == ER_NET_PACKET_TOO_LARGE;
    dbal__mariadb_failure(fault, c->error, self->request);
    if (!self->was_sent && !large && dbal__mariadb_failure_is_lost(code))
        dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
}

/* The server has ended it behind its deadline: by dbal's limit, or it need not be told apart any more. */
static bool
is_late(const connection *self, unsigned code)
{
    return code == DBAL__MARIADB_STATEMENT_TIME &&
           dbal__mariadb_now() >= dbal_request_deadline(self->request);
}

/* True: it ended well. */
static bool
conclude(connection *self, course *c, dbal_fault *fault)
{
    /* whatever is said of the statement */
    self->lost = self->lost || c->wait.given_up || dbal__mariadb_failure_is_lost(c->error.code);
    if (c->taken == DBAL__MARIADB_TAKEN)
        return true;
    if (c->taken == DBAL__MARIADB_REFUSED && dbal_request_satisfied(self->request))
        return true;
    bool stopped = dbal_request_stopped(self->request), late = is_late(self, c->error.code);
    if (c->taken == DBAL__MARIADB_NO_MEMORY) {
        dbal__mariadb_failure_memory(fault);
        if (self->was_sent)
            dbal_fault_set_execution(fault, DBAL_EXECUTION_UNKNOWN);
    } else if (c->taken == DBAL__MARIADB_FAILED && !late && !(stopped && is_killed(c->error.code)))
        fail_as(self, c, fault);
    else if (stopped || late)
        dbal__mariadb_failure_stopped(fault);
    if (c->may_be_done && dbal_fault_is_set(fault))
        dbal_fault_set_execution(fault, DBAL_EXECUTION_UNKNOWN);
    return false;
}

/* ---- its time --------------------------------------------------------------------------------- */

/* Whether the statement can go on, after what was set for it; else the fault says why. */
static bool
is_set(connection *self, course *c, int value, dbal_fault *fault)
{
    dbal__mariadb_time_limit *limit = &self->time_limit;
    char text[DBAL__MARIADB_TIME_TEXT];
    dbal__mariadb_time_limit_text(limit, value, text);
    bool ok = dbal__mariadb_command(self, text);
    dbal__mariadb_time_limit_set(limit, value, ok);
    if (ok)
        return true;
    fail_plainly(c, self->mysql);
    unsigned code = c->error.code;
    /* who stands between may not let it through: then nothing was ever set */
    if (!limit->took && !dbal__mariadb_failure_is_lost(code) && !is_killed(code)) {
        limit->known = limit->unknown = false;
        c->error.code = 0;
        c->taken = DBAL__MARIADB_TAKEN;
        return true;
    }
    return conclude(self, c, fault);
}

/* What sets the session's own limit is to find it, and what ends a transaction is not to be ended. */
static bool
is_in_time(connection *self, course *c, const dbal__mariadb_meaning *meaning, dbal_fault *fault)
{
    dbal__mariadb_time_limit *limit = &self->time_limit;
    const char *sql = dbal_request_sql(self->request, NULL);
    int64_t deadline = dbal_request_deadline(self->request);
    char text[DBAL__MARIADB_TIME_TEXT];
    int value;
    if (meaning->control == DBAL__MARIADB_SETS_LIMIT || meaning->control == DBAL__MARIADB_SETS_ROLE)
        limit->alone = true;
    if (meaning->control == DBAL__MARIADB_COMMITS || meaning->control == DBAL__MARIADB_ROLLS_BACK)
        deadline = INT64_MAX;
    if ((limit->present == 0 && !limit->unknown && deadline == INT64_MAX) ||
        dbal__mariadb_time_limit_disturbs(sql) ||
        dbal__mariadb_time_limit_exempt(limit, meaning->control, sql, text) ||
        !dbal__mariadb_time_limit_wants(limit, dbal__mariadb_now(), deadline, &value))
        return true;
    return is_set(self, c, value, fault);
}

/* Runs the statement; what is said of it is the handle's, and is copied before it is closed. */
static bool
run(connection *self, course *c, statement *s, const dbal__mariadb_meaning *meaning,
    dbal_fault *fault)
{
    size_t size;
    const char *sql = dbal_request_sql(self->request, &size);
    bool began = true;
    if (is_command(meaning, self->request)) {
        run_text(self, c, meaning->control);
        return conclude(self, c, fault);
    }
    bool known = s != NULL;
    if (!known)
        s = dbal__mariadb_statement_new(sql, size, dbal_request_hash(self->request));
    if (s == NULL) {
        dbal__mariadb_failure_memory(fault);
        return false;
    }
    s->meaning = *meaning;
    began = known ? run_known(self, c, s, fault) : run_fresh(self, c, s, fault);
    bool ok = began && conclude(self, c, fault);
    if (s->cached && (s->stale || is_spoilt(c->error.code)))
        dbal__mariadb_cache_remove(&self->cache, s);
    if (!s->cached)
        dbal__mariadb_statement_free(s);
    return ok;
}

/*
 * A KILL that came too late waits for the next statement: let it be one that nobody misses. Its
 * answer also tells what has become of the transaction, which that to a failed statement does not.
 * Where no transaction is to be open, a rollback takes back the level that was set for one.
 */
static void
sweep(connection *self, const char *sql)
{
    static const int64_t patience = INT64_C(5000000000);
    dbal__mariadb_wait wait = dbal__mariadb_wait_until(dbal__mariadb_now() + patience);
    dbal__mariadb_wait_begin(&wait);
    for (int i = 0; i < 2; i++)
        if (dbal__mariadb_command(self, sql) || mysql_errno(self->mysql) != ER_QUERY_INTERRUPTED)
            break;
    dbal__mariadb_wait_end(&wait);
    self->lost = self->lost || mysql_errno(self->mysql) != 0;
}

/*
 * How a transaction has ended that nobody ended. A deadlock undoes all of it; else an error does so only
 * to what is no program: a procedure may have committed or rolled back before it failed, or without.
 */
static dbal__mariadb_ended
ended_by(const course *c, const dbal__mariadb_meaning *meaning, bool ok)
{
    bool program = (meaning->kinds & DBAL_SQL_UNSHARED) != 0;
    if (!ok && (!program || c->error.code == ER_LOCK_DEADLOCK))
        return DBAL__MARIADB_UNDONE;
    if (ok &&
        (meaning->control == DBAL__MARIADB_COMMITS_BY_ITSELF ||
         meaning->control == DBAL__MARIADB_SETS || meaning->control == DBAL__MARIADB_SETS_LIMIT ||
         meaning->control == DBAL__MARIADB_SETS_ROLE))
        return DBAL__MARIADB_KEPT;
    return DBAL__MARIADB_GONE;
}

static void
settle(connection *self, const course *c, const dbal__mariadb_meaning *meaning, bool was_open,
       bool ok)
{
    bool killed = dbal__mariadb_kill_end(&self->kill);
    self->lost = self->lost || self->kill.doubts;
    /* a procedure may have begun one before it failed */
    bool may_begin = self->was_sent && (meaning->kinds & DBAL_SQL_UNSHARED) != 0;
    if (!self->lost && (killed || c->level_left || (!ok && (was_open || may_begin))))
        sweep(self, c->level_left ? "rollback" : "do 0");
    if (ok && meaning->control == DBAL__MARIADB_MOVES)
        self->moved = true;
    if (self->was_sent && meaning->control == DBAL__MARIADB_SETS_ROLE)
        self->in_role = true;
    bool ends =
        meaning->control == DBAL__MARIADB_COMMITS || meaning->control == DBAL__MARIADB_ROLLS_BACK;
    if (was_open && !ends && !self->lost && !dbal__mariadb_is_in_transaction(self))
        self->ended = ended_by(c, meaning, ok);
}

static bool
run_waited(connection *self, statement *s, const dbal__mariadb_meaning *meaning, dbal_fault *fault)
{
    eventfd_t count;
    course c = {.wait = dbal__mariadb_wait_until(INT64_MAX), .taken = DBAL__MARIADB_TAKEN};
    eventfd_read(self->stop_fd, &count);
    if (dbal_request_stopped(self->request)) {
        dbal__mariadb_failure_stopped(fault);
        return false;
    }
    c.wait.stop_fd = self->stop_fd;
    c.wait.stop = on_stop;
    c.wait.arg = self;
    bool was_open = dbal__mariadb_is_in_transaction(self);
    dbal__mariadb_wait_begin(&c.wait);
    bool ok = is_in_time(self, &c, meaning, fault) && run(self, &c, s, meaning, fault);
    dbal__mariadb_cache_trim(&self->cache, dbal_request_statement_cache(self->request));
    dbal__mariadb_wait_end(&c.wait);
    settle(self, &c, meaning, was_open, ok);
    return ok;
}

bool
dbal__mariadb_run(void *pointer, dbal_request *request, dbal_fault *fault)
{
    connection *self = pointer;
    size_t size;
    const char *sql = dbal_request_sql(request, &size);
    if (self->lost) {
        dbal__mariadb_failure_lost(fault, false);
        return false;
    }
    statement *s = dbal__mariadb_cache_get(&self->cache, sql, size, dbal_request_hash(request));
    dbal__mariadb_meaning meaning = s != NULL ? s->meaning : dbal__mariadb_meaning_of(sql);
    if (self->ended != DBAL__MARIADB_NOT_ENDED)
        return run_ended(self, meaning.control, fault);
    if (!may_run(self, &meaning, request, fault))
        return false;
    self->request = request;
    if (!dbal__mariadb_bind_fits(request, self->packet, fault)) {
        self->request = NULL;
        return false;
    }
    self->was_sent = false;
    bool ok = run_waited(self, s, &meaning, fault);
    self->request = NULL;
    return ok;
}
