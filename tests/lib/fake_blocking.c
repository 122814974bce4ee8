/* The blocking fake: does what its script's words say, in whatever thread it is entered. */
#include "tests/lib/fake_driver.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fake_config.h"
#include "tests/lib/fake_share.h"
#include "tests/lib/fake_words.h"
#include "tests/lib/witness.h"

typedef struct connection {
    const fake_config *config;
    fake_session session;
    atomic_bool inside, struck; /* a statement runs; an interrupt has hit it */
} connection;

/* A statement that runs; with parallel=on there may be several. */
typedef struct running {
    connection *on;
    dbal_request *request;
    dbal_fault *fault;
    bool failed;
} running;

static bool
open_fake(void *arg, dbal_opening *opening, dbal_fault *fault)
{
    connection *self = arg;
    const fake_config *config = opening->config;
    witness_enter(self, WITNESS_OPEN);
    fake_script_enter(config->script);
    bool ok = fake_begin_open(config, opening, fault);
    if (ok) {
        self->config = config;
        self->session.script = config->script;
        fake_describe(config, opening);
        fake_script_add(config->script, &config->script->live, 1);
    }
    fake_script_leave(config->script);
    witness_leave(self, WITNESS_OPEN, ok);
    return ok;
}

static void
close_fake(void *arg)
{
    connection *self = arg;
    fake_script *script = self->config->script;
    witness_enter(self, WITNESS_CLOSE);
    fake_script_enter(script);
    fake_begin_close(self->config);
    fake_script_add(script, &script->live, -1);
    fake_script_leave(script);
    witness_leave(self, WITNESS_CLOSE, true);
    fake_script_add(script, &script->closes, 1);
}

static bool
is_stopped(void *arg)
{
    running *self = arg;
    return self->on->config->blunt ? atomic_load(&self->on->struck)
                                   : dbal_request_stopped(self->request);
}

static bool
emit(void *arg, const fake_frame *frame, const void *data)
{
    running *self = arg;
    if (frame->kind == FAKE_LOST) {
        dbal_fault_set(self->fault, DBAL_ERROR_OPERATIONAL, "08006",
                       "the fake lost its connection");
        dbal_fault_set_connection_lost(self->fault, true);
        dbal_fault_set_execution(self->fault, DBAL_EXECUTION_UNKNOWN);
    }
    self->failed = self->failed || frame->kind == FAKE_FAILED || frame->kind == FAKE_LOST;
    bool more = fake_frame_apply(frame, data, self->request, self->fault);
    self->failed = self->failed || !more;
    return more;
}

static bool
run_text(connection *self, const char *sql, dbal_request *request, dbal_fault *fault)
{
    fake_script *script = self->config->script;
    size_t count = dbal_request_parameter_count(request);
    dbal_value *values = calloc(count + 1, sizeof *values);
    if (values == NULL)
        abort();
    for (size_t i = 0; i < count; i++)
        values[i] = dbal_request_parameter(request, i);
    running one = {.on = self, .request = request, .fault = fault};
    fake_session before, session;
    memcpy(&before, &self->session, sizeof before);
    memcpy(&session, &before, sizeof session);
    fake_call call = {.sql = sql,
                      .values = values,
                      .count = count,
                      .read_only = dbal_request_read_only(request),
                      .needs_token = self->config->token,
                      .has_token = dbal_request_has_token(request),
                      .polls = !self->config->interrupt,
                      .stopped = is_stopped,
                      .emit = emit,
                      .arg = &one};
    witness_enter(self, WITNESS_USE);
    fake_script_enter(script);
    fake_script_add(script, &script->flying, 1);
    atomic_store(&self->struck, false);
    atomic_store(&self->inside, true);
    fake_session_run(&session, &call);
    /* of statements that run at once none leaves anything in the session */
    if (memcmp(&session, &before, sizeof session) != 0)
        memcpy(&self->session, &session, sizeof session);
    atomic_store(&self->inside, false);
    fake_script_add(script, &script->flying, -1);
    fake_script_leave(script);
    witness_leave(self, WITNESS_USE, true);
    free(values);
    return !one.failed;
}

static bool
run_fake(void *arg, dbal_request *request, dbal_fault *fault)
{
    return run_text(arg, dbal_request_sql(request, NULL), request, fault);
}

/* Where to is what to do. */
static bool
backup_fake(void *arg, dbal_request *request, dbal_fault *fault)
{
    return run_text(arg, dbal_request_parameter(request, 0).as.bytes.data, request, fault);
}

static void
interrupt_fake(void *arg)
{
    connection *self = arg;
    witness_enter(self, WITNESS_INTERRUPT);
    if (self->config->script->hang_interrupt)
        fake_script_wait(self->config->script, "interrupt", NULL, NULL, false);
    if (atomic_load(&self->inside))
        atomic_store(&self->struck, true);
    fake_script_add(self->config->script, &self->config->script->interrupts, 1);
    witness_leave(self, WITNESS_INTERRUPT, true);
}

static bool
ping_fake(void *arg, dbal_fault *fault)
{
    const fake_config *config = ((connection *)arg)->config;
    fake_script *script = config != NULL ? config->script : NULL;
    witness_enter(arg, WITNESS_USE);
    if (script == NULL) { /* it was never opened, and the witness knows */
        witness_leave(arg, WITNESS_USE, true);
        return true;
    }
    fake_script_add(script, &script->pings, 1);
    bool ok = fake_script_count(script, &script->fail_ping) == 0 ||
              fake_script_add(script, &script->fail_ping, -1) < 0;
    if (!ok)
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "57P01", "the fake's server has gone");
    witness_leave(arg, WITNESS_USE, ok);
    return ok;
}

static bool
reset_fake(void *arg, dbal_fault *fault)
{
    connection *self = arg;
    fake_script *script = self->config->script;
    witness_enter(self, WITNESS_USE);
    fake_script_add(script, &script->resets, 1);
    bool ok = !script->fail_reset;
    if (ok) {
        self->session.changed = self->session.in_transaction = false;
        self->session.delta = 0;
        self->session.savepoints = 0;
    } else {
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "58000", "the fake does not reset");
    }
    witness_leave(self, WITNESS_USE, ok);
    return ok;
}

static bool
in_transaction(void *arg)
{
    connection *self = arg;
    witness_enter(self, WITNESS_USE);
    bool is = self->session.in_transaction;
    witness_leave(self, WITNESS_USE, true);
    return is;
}

static bool
share_begin(void *arg, dbal_share what, dbal_request *first, dbal_fault *fault)
{
    connection *self = arg;
    witness_enter(self, WITNESS_USE);
    fake_script_enter(self->config->script);
    bool ok = fake_share_begin(&self->session, what, first, fault);
    fake_script_leave(self->config->script);
    witness_leave(self, WITNESS_USE, ok);
    return ok;
}

static bool
share_holds(void *arg)
{
    witness_enter(arg, WITNESS_USE);
    bool holds = fake_share_holds(&((connection *)arg)->session);
    witness_leave(arg, WITNESS_USE, true);
    return holds;
}

static bool
share_end(void *arg, bool keep, dbal_fault *fault)
{
    connection *self = arg;
    witness_enter(self, WITNESS_USE);
    fake_script_enter(self->config->script);
    bool ok = fake_share_end(&self->session, keep, fault);
    fake_script_leave(self->config->script);
    witness_leave(self, WITNESS_USE, ok);
    return ok;
}

static bool
library_init(dbal_fault *fault)
{
    (void)fault;
    witness_enter(NULL, WITNESS_INIT);
    witness_leave(NULL, WITNESS_INIT, true);
    return true;
}

static void
library_exit(void)
{
    witness_enter(NULL, WITNESS_EXIT);
    witness_leave(NULL, WITNESS_EXIT, true);
}

static const char *
version(void)
{
    return "1";
}

static unsigned
capabilities(const void *config)
{
    unsigned can = DBAL_CAN_CANCEL | DBAL_CAN_STREAM | DBAL_CAN_SAVEPOINT |
                   DBAL_CAN_LAST_INSERT_ID | DBAL_CAN_BACKUP;
    const fake_config *self = fake_config_of(config);
    can |= self->parallel ? DBAL_CAN_PARALLEL_STATEMENTS : 0u;
    can |= self->sharing ? DBAL_CAN_SHARE_SNAPSHOT : 0u;
    can |= self->sharing && self->token ? DBAL_CAN_SHARE_COMMIT : 0u;
    return can | (self->interrupt ? DBAL_CAN_INTERRUPT : 0u);
}

static const char *const schemes[] = {"fake", NULL};

static const dbal_blocking blocking = {
    .size = sizeof(dbal_blocking),
    .library_init = library_init,
    .library_exit = library_exit,
    .open = open_fake,
    .close = close_fake,
    .run = run_fake,
    .interrupt = interrupt_fake,
    .ping = ping_fake,
    .reset = reset_fake,
    .in_transaction = in_transaction,
    .share_begin = share_begin,
    .share_holds = share_holds,
    .share_end = share_end,
    .backup = backup_fake,
};

const dbal_driver fake_blocking_driver = {
    .size = sizeof(dbal_driver),
    .abi = DBAL_DRIVER_ABI,
    .name = "fake",
    .schemes = schemes,
    .settings = fake_settings,
    .dialect = DBAL_DIALECT_POSTGRESQL,
    .paramstyle = DBAL_PARAMSTYLE_DOLLAR,
    .connection_size = sizeof(connection),
    .version = version,
    .configure = fake_configure,
    .configure_free = fake_configure_free,
    .threadlevel = fake_threadlevel,
    .capabilities = capabilities,
    .classify = fake_classify,
    .begin = fake_begin,
    .blocking = &blocking,
};
