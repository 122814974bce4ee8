#include "tests/lib/fake_words.h"

#include "tests/lib/fake_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIALECT FAKE_DIALECT

static const struct {
    const char *word;
    unsigned kinds;
    const char *instead;
} classes[] = {
    {"add", DBAL_SQL_WRITES, NULL},
    {"gain", DBAL_SQL_WRITES, NULL},
    {"begin", DBAL_SQL_SESSION | DBAL_SQL_BEGINS, "dbal_pool_transaction()"},
    {"commit", DBAL_SQL_SESSION, "dbal_pool_transaction()"},
    {"rollback", DBAL_SQL_SESSION, "dbal_pool_transaction()"},
    {"savepoint", DBAL_SQL_SESSION, "dbal_connection_savepoint()"},
    {"release", DBAL_SQL_SESSION, "dbal_connection_savepoint()"},
    {"setting", DBAL_SQL_SESSION, "dbal_pool_session()"},
    {"clean", DBAL_SQL_SESSION, "dbal_pool_session()"},
    {"forbidden", DBAL_SQL_REFUSED, "something else"},
    {"load", DBAL_SQL_WRITES | DBAL_SQL_COPY_IN, NULL},
    {"unload", DBAL_SQL_READS | DBAL_SQL_COPY_OUT, NULL},
    {"listen", DBAL_SQL_SESSION, "dbal_pool_listen()"},
    {"unlisten", DBAL_SQL_SESSION, "dbal_pool_listen()"},
    {"notify", DBAL_SQL_WRITES, NULL},
};

dbal_sql_class
fake_classify(const void *config, const char *sql)
{
    (void)config;
    dbal_sql_token token = dbal_sql_next(DIALECT, &sql);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (dbal_sql_token_is(token, classes[i].word))
            return (dbal_sql_class){classes[i].kinds, classes[i].instead};
    }
    return (dbal_sql_class){DBAL_SQL_READS, NULL};
}

const char *
fake_begin(const void *config, dbal_isolation isolation, bool read_only, bool deferrable,
           dbal_fault *fault)
{
    (void)config, (void)isolation, (void)deferrable, (void)read_only, (void)fault;
    return "begin";
}

typedef fake_run run;

void
fake_run_emit(run *self, const fake_frame *frame, const void *data)
{
    if (!self->over && !self->call->emit(self->call->arg, frame, data))
        self->over = true;
}

void
fake_run_fail(run *self, dbal_error_class error_class, const char *sqlstate, const char *message)
{
    fake_frame frame = {.kind = FAKE_FAILED,
                        .size = (uint32_t)strlen(message),
                        .error_class = error_class,
                        .in_transaction = self->session->in_transaction,
                        .retryable = strncmp(sqlstate, "40", 2) == 0};
    snprintf(frame.sqlstate, sizeof frame.sqlstate, "%s", sqlstate);
    if (error_class == DBAL_ERROR_PROGRAMMING)
        frame.position = (int)(self->word.start - self->call->sql) + 1;
    fake_run_emit(self, &frame, message);
    self->over = true;
}

/* ---- operands ---- */

/* What stands behind the word, as text without quotes. */
void
fake_run_text(run *self, char *ret_text, size_t size)
{
    dbal_sql_token token = dbal_sql_next(DIALECT, &self->cursor);
    size_t skip = token.kind == DBAL_SQL_STRING ? 1 : 0;
    snprintf(ret_text, size, "%.*s", (int)(token.size - 2 * skip), token.start + skip);
}

static dbal_value
parameter(const run *self, dbal_sql_token token)
{
    long number = strtol(token.start + 1, NULL, 10);
    return number >= 1 && (size_t)number <= self->call->count ? self->call->values[number - 1]
                                                              : dbal_null();
}

int64_t
fake_run_number(run *self)
{
    dbal_sql_token token = dbal_sql_next(DIALECT, &self->cursor);
    return token.kind == DBAL_SQL_PARAMETER ? parameter(self, token).as.integer
                                            : strtoll(token.start, NULL, 10);
}

/* ---- rows ---- */

static void
emit_column(run *self, const char *name, dbal_type type)
{
    fake_frame frame = {.kind = FAKE_COLUMN, .type = type, .size = (uint32_t)strlen(name)};
    fake_run_emit(self, &frame, name);
}

static void
emit_cell(run *self, dbal_value value)
{
    fake_frame frame = {.kind = FAKE_CELL, .type = value.type};
    const void *data = NULL;
    switch (value.type) {
    case DBAL_NULL:
        break;
    case DBAL_BOOL:
        frame.integer = value.as.boolean;
        break;
    case DBAL_INT64:
    case DBAL_DATE:
    case DBAL_TIME:
    case DBAL_TIMESTAMP:
        frame.integer = value.as.integer;
        break;
    case DBAL_DOUBLE:
        frame.real = value.as.real;
        break;
    case DBAL_UUID:
        frame.size = sizeof value.as.uuid;
        data = value.as.uuid;
        break;
    default:
        frame.size = (uint32_t)value.as.bytes.size;
        data = value.as.bytes.data;
        break;
    }
    fake_run_emit(self, &frame, data);
}

static void
emit_row(run *self)
{
    fake_frame frame = {.kind = FAKE_ROW};
    fake_run_emit(self, &frame, NULL);
}

static void
do_rows(run *self)
{
    int64_t count = fake_run_number(self);
    emit_column(self, "n", DBAL_INT64);
    for (int64_t i = 1; i <= count && !self->over; i++) {
        if (self->call->stopped(self->call->arg)) {
            fake_run_fail(self, DBAL_ERROR_CANCELLED, "57014", "the fake was stopped");
            return;
        }
        emit_cell(self, dbal_int64(i));
        emit_row(self);
    }
}

static void
do_progress(run *self)
{
    int64_t done = fake_run_number(self), total = fake_run_number(self);
    if (!self->headed) {
        emit_column(self, "done", DBAL_INT64);
        emit_column(self, "total", DBAL_INT64);
        self->headed = true;
    }
    emit_cell(self, dbal_int64(done));
    emit_cell(self, dbal_int64(total));
    emit_row(self);
}

static void
do_echo(run *self)
{
    const char *from = self->cursor;
    dbal_sql_token token;
    int columns = 0;
    while ((token = dbal_sql_next(DIALECT, &self->cursor)).kind != DBAL_SQL_END) {
        char name[16];
        if (token.kind != DBAL_SQL_PARAMETER)
            continue;
        snprintf(name, sizeof name, "c%d", ++columns);
        emit_column(self, name, parameter(self, token).type);
    }
    for (self->cursor = from; (token = dbal_sql_next(DIALECT, &self->cursor)).kind != DBAL_SQL_END;)
        if (token.kind == DBAL_SQL_PARAMETER)
            emit_cell(self, parameter(self, token));
    emit_row(self);
}

static void
do_get(run *self)
{
    emit_column(self, "n", DBAL_INT64);
    emit_cell(self, dbal_int64(fake_script_value(self->session->script) + self->session->delta));
    emit_row(self);
}

static void
do_bytes(run *self)
{
    size_t size = (size_t)fake_run_number(self);
    char *bytes = calloc(1, size + 1);
    if (bytes == NULL)
        abort();
    emit_column(self, "bytes", DBAL_BLOB);
    emit_cell(self, dbal_blob(bytes, size));
    emit_row(self);
    free(bytes);
}

/* ---- writing ---- */

void
fake_session_keep(fake_session *session)
{
    pthread_mutex_lock(&session->script->lock);
    session->script->value += session->delta;
    pthread_mutex_unlock(&session->script->lock);
    session->delta = 0;
}

void
fake_run_add(run *self, int64_t number)
{
    self->session->delta += number;
    if (!self->session->in_transaction && !self->session->shares)
        fake_session_keep(self->session);
    self->affected = 1;
    self->id = number;
}

bool
fake_run_may_write(run *self)
{
    if (self->call->read_only) {
        fake_run_fail(self, DBAL_ERROR_OPERATIONAL, "25006",
                      "it was promised that nothing changes");
        return false;
    }
    return true;
}

static void
do_add(run *self)
{
    int64_t number = fake_run_number(self);
    if (!fake_run_may_write(self))
        return;
    if (self->call->needs_token && !self->call->has_token)
        fake_run_fail(self, DBAL_ERROR_INTERNAL, "XX000", "a write came without the write token");
    else
        fake_run_add(self, number);
}

static void
do_gain(run *self)
{
    const char *from = self->cursor;
    if (fake_run_number(self) < 0) {
        fake_run_fail(self, DBAL_ERROR_INTEGRITY, "23502", "a gain is not negative");
        return;
    }
    self->cursor = from;
    do_add(self);
}

static void
do_sneak(run *self)
{
    if (!fake_run_may_write(self))
        return;
    if (self->call->needs_token && !self->call->has_token) {
        fake_frame frame = {.kind = FAKE_FAILED,
                            .error_class = DBAL_ERROR_OPERATIONAL,
                            .in_transaction = self->session->in_transaction,
                            .needs_token = true,
                            .sqlstate = "55000"};
        fake_run_emit(self, &frame, "");
        self->over = true;
        return;
    }
    fake_run_add(self, 1);
}

/* ---- the connection's end ---- */

static void
emit_kind(run *self, fake_frame_kind kind)
{
    fake_frame frame = {.kind = kind};
    fake_run_emit(self, &frame, NULL);
}

static void
break_share(fake_session *session)
{
    if (!session->shares)
        return;
    session->broken = true;
    session->delta = 0;
}

static void
lose(run *self)
{
    emit_kind(self, FAKE_LOST);
    self->session->lost = true;
    break_share(self->session);
    self->over = true;
}

/* ---- transactions ---- */

static void
do_begin(run *self)
{
    if (self->session->in_transaction)
        fake_run_fail(self, DBAL_ERROR_PROGRAMMING, "25001", "a transaction is open");
    self->session->in_transaction = true;
}

static void
end_transaction(fake_session *session)
{
    session->delta = 0;
    session->savepoints = 0;
    session->in_transaction = false;
}

static void
do_commit(run *self)
{
    fake_session *session = self->session;
    fake_script *script = session->script;
    if (!session->in_transaction) {
        fake_run_fail(self, DBAL_ERROR_PROGRAMMING, "25P01", "no transaction is open");
        return;
    }
    int number = fake_script_add(script, &script->commits, 1);
    if (number == script->fail_commit)
        session->delta = 0;
    fake_session_keep(session);
    end_transaction(session);
    if (number == script->fail_commit)
        fake_run_fail(self, DBAL_ERROR_OPERATIONAL, "40001", "the fake could not serialize it");
    if (number == script->lose_commit)
        lose(self);
}

static int
find_savepoint(run *self)
{
    fake_session *session = self->session;
    char name[FAKE_NAME];
    fake_run_text(self, name, sizeof name);
    if (strcmp(name, "savepoint") == 0)
        fake_run_text(self, name, sizeof name);
    for (int i = session->savepoints - 1; i >= 0; i--) {
        if (strcmp(session->stack[i].name, name) == 0)
            return i;
    }
    fake_run_fail(self, DBAL_ERROR_PROGRAMMING, "3B001", "no such savepoint");
    return -1;
}

static void
do_rollback(run *self)
{
    fake_session *session = self->session;
    const char *ahead = self->cursor;
    if (dbal_sql_token_is(dbal_sql_next(DIALECT, &ahead), "to")) {
        self->cursor = ahead;
        int at = find_savepoint(self);
        if (at >= 0) {
            session->delta = session->stack[at].delta;
            session->savepoints = at + 1;
        }
    } else if (!session->in_transaction) {
        fake_run_fail(self, DBAL_ERROR_PROGRAMMING, "25P01", "no transaction is open");
    } else {
        end_transaction(session);
    }
}

static void
do_savepoint(run *self)
{
    fake_session *session = self->session;
    char name[FAKE_NAME];
    fake_run_text(self, name, sizeof name);
    if (session->savepoints == FAKE_SAVEPOINTS) {
        fake_run_fail(self, DBAL_ERROR_PROGRAMMING, "54000", "too many savepoints");
        return;
    }
    snprintf(session->stack[session->savepoints].name, FAKE_NAME, "%s", name);
    session->stack[session->savepoints++].delta = session->delta;
}

static void
do_release(run *self)
{
    int at = find_savepoint(self);
    if (at >= 0)
        self->session->savepoints = at;
}

/* ---- the rest ---- */

void
fake_run_flush(run *self)
{
    if (self->call->flush != NULL)
        self->call->flush(self->call->arg);
}

static void
do_wait(run *self)
{
    char gate[FAKE_NAME];
    fake_run_text(self, gate, sizeof gate);
    fake_run_flush(self);
    if (!fake_script_wait(self->session->script, gate, self->call->stopped, self->call->arg,
                          self->call->polls)) {
        fake_run_fail(self, DBAL_ERROR_CANCELLED, "57014", "the fake was stopped");
        if (self->session->script->stop_breaks)
            break_share(self->session);
    }
}

static void
do_hang(run *self)
{
    char gate[FAKE_NAME];
    fake_run_text(self, gate, sizeof gate);
    fake_run_flush(self);
    fake_script_wait(self->session->script, gate, self->call->closed, self->call->arg, true);
}

static void
do_fail(run *self)
{
    char sqlstate[8];
    dbal_error_class error_class = DBAL_ERROR_OPERATIONAL;
    fake_run_text(self, sqlstate, sizeof sqlstate);
    if (strncmp(sqlstate, "23", 2) == 0)
        error_class = DBAL_ERROR_INTEGRITY;
    else if (strncmp(sqlstate, "22", 2) == 0)
        error_class = DBAL_ERROR_DATA;
    fake_run_fail(self, error_class, sqlstate, "the fake failed as it was told");
}

static void
do_break(run *self)
{
    if (fake_run_number(self) != 0)
        break_share(self->session);
}

static void
do_setting(run *self)
{
    self->session->changed = true;
}

static void
do_secret(run *self)
{
    self->session->changed = self->soiled = true;
    self->cleaned = false;
}

static void
do_clean(run *self)
{
    self->session->changed = self->soiled = false;
    self->cleaned = true;
}

static void
do_reset(run *self)
{
    fake_script *script = self->session->script;
    fake_script_add(script, &script->resets, 1);
    if (script->hang_reset)
        fake_script_wait(script, "reset", self->call->closed, self->call->arg, true);
    if (script->fail_reset)
        fake_run_fail(self, DBAL_ERROR_OPERATIONAL, "58000", "the fake does not reset");
    else
        self->session->changed = false;
}

static void
do_changed(run *self)
{
    emit_column(self, "changed", DBAL_INT64);
    emit_cell(self, dbal_int64(self->session->changed));
    emit_row(self);
}

static void
do_nothing(run *self)
{
    (void)self;
}

static void
do_lose(run *self)
{
    const char *ahead = self->cursor;
    if (dbal_sql_next(DIALECT, &ahead).kind == DBAL_SQL_PARAMETER && fake_run_number(self) == 0)
        return;
    lose(self);
}

static void
do_swap(run *self)
{
    emit_kind(self, FAKE_SWAP);
}

static void
do_early(run *self)
{
    emit_kind(self, FAKE_EARLY);
}

static void
do_tick(run *self)
{
    emit_kind(self, FAKE_TICK);
}

static void
do_errand(run *self)
{
    emit_kind(self, FAKE_ERRAND);
}

static const struct {
    const char *word;
    void (*run)(run *self);
} words[] = {
    {"rows", do_rows},           {"echo", do_echo},
    {"progress", do_progress},   {"get", do_get},
    {"bytes", do_bytes},         {"add", do_add},
    {"gain", do_gain},           {"sneak", do_sneak},
    {"begin", do_begin},         {"commit", do_commit},
    {"rollback", do_rollback},   {"wait", do_wait},
    {"savepoint", do_savepoint}, {"release", do_release},
    {"hang", do_hang},           {"fail", do_fail},
    {"setting", do_setting},     {"lose", do_lose},
    {"break", do_break},         {"forbidden", do_nothing},
    {"swap", do_swap},           {"early", do_early},
    {"tick", do_tick},           {"errand", do_errand},
    {"changed", do_changed},     {"load", fake_run_load},
    {"unload", fake_run_unload}, {"listen", fake_run_listen},
    {"notify", fake_run_notify}, {"unlisten", fake_run_unlisten},
    {"changed", do_changed},     {"secret", do_secret},
    {"clean", do_clean},         {"reset", do_reset},
};

static void
do_word(run *self)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (dbal_sql_token_is(self->word, words[i].word)) {
            words[i].run(self);
            return;
        }
    }
    fake_run_fail(self, DBAL_ERROR_PROGRAMMING, "42601", "not a word that the fake knows");
}

void
fake_session_run(fake_session *session, const fake_call *call)
{
    fake_script *script = session->script;
    run self = {.session = session, .call = call, .cursor = call->sql, .affected = -1, .id = -1};
    self.word.start = call->sql;
    fake_script_trace(script, call->sql);
    if (fake_script_add(script, &script->runs, 1) == script->fail_run)
        fake_run_fail(&self, DBAL_ERROR_OPERATIONAL, "58000", "the fake failed as it was planned");
    while (!self.over) {
        self.word = dbal_sql_next(DIALECT, &self.cursor);
        if (self.word.kind == DBAL_SQL_END)
            break;
        if (self.word.kind != DBAL_SQL_SEMICOLON)
            do_word(&self);
    }
    fake_frame done = {.kind = FAKE_DONE,
                       .affected = self.affected,
                       .id = self.id,
                       .in_transaction = session->in_transaction,
                       .soiled = self.soiled,
                       .cleaned = self.cleaned};
    fake_run_emit(&self, &done, NULL);
}
