/*
 * Drivers that do not do what they declare: the installed fake, but for one lie, LIE, which the build file
 * names. Each is an object of its own, dbal-lie-….so; "none" tells the truth.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drivers/fake/words.h"

extern const dbal_driver dbal_fake_driver;

typedef struct liar {
    fake_connection honest;
    pthread_t opener;
    bool begun;          /* by a statement of its program's */
    dbal_request *ended; /* a request of the past */
} liar;

static bool
is(const char *lie)
{
    return strcmp(LIE, lie) == 0;
}

static bool
says(dbal_request *request, const char *word)
{
    const char *sql = dbal_request_sql(request, NULL);
    return dbal_sql_token_is(dbal_sql_next(DBAL_DIALECT_POSTGRESQL, &sql), word);
}

static bool
refuse(dbal_fault *fault, const char *why)
{
    dbal_fault_set(fault, DBAL_ERROR_INTERNAL, "XX000", "%s", why);
    return false;
}

static bool
run_honestly(void *arg, dbal_request *request, dbal_fault *fault)
{
    return dbal_fake_driver.blocking->run(arg, request, fault);
}

/* ---- about threads ---- */

static bool
run_pinned(void *arg, dbal_request *request, dbal_fault *fault)
{
    liar *self = arg;
    if (!pthread_equal(self->opener, pthread_self()))
        return refuse(fault,
                      "objects of the library may be used in the thread that made them only");
    return run_honestly(arg, request, fault);
}

/* The transaction is kept for the thread. */
static bool
run_with_thread_local(void *arg, dbal_request *request, dbal_fault *fault)
{
    static _Thread_local bool in_transaction;
    liar *self = arg;
    self->honest.in_transaction = in_transaction;
    bool ok = run_honestly(arg, request, fault);
    in_transaction = self->honest.in_transaction;
    return ok;
}

/* Where it keeps its parameter is one place for all connections. */
static bool
run_with_global(dbal_request *request)
{
    static volatile int64_t shared;
    shared = dbal_request_parameter(request, 0).as.integer;
    return dbal_request_column(request, "n", DBAL_INT64) &&
           dbal_request_integer(request, DBAL_INT64, shared) && dbal_request_row(request);
}

/* ---- about stopping ---- */

static bool
run_deaf(dbal_fault *fault)
{
    sleep(3600);
    return refuse(fault, "it was a long time");
}

static bool
run_late(void *arg, dbal_request *request, dbal_fault *fault)
{
    bool ok = run_honestly(arg, request, fault);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 500000000}, NULL);
    return ok;
}

/* ---- about requests ---- */

static bool
run_after_the_end(void *arg, dbal_request *request, dbal_fault *fault)
{
    liar *self = arg;
    if (self->ended != NULL && self->ended != request)
        dbal_request_row(self->ended);
    bool ok = run_honestly(arg, request, fault);
    self->ended = request;
    return ok;
}

static bool
run_on_and_on(dbal_request *request)
{
    int64_t count = dbal_request_parameter(request, 0).as.integer;
    bool more = dbal_request_column(request, "n", DBAL_INT64);
    for (int64_t i = 1; i <= count && i < 100000; i++) {
        dbal_request_integer(request, DBAL_INT64, i);
        more = dbal_request_row(request);
    }
    return more || dbal_request_satisfied(request);
}

static bool
run_wide(dbal_request *request)
{
    return dbal_request_column(request, "n", DBAL_INT64) &&
           dbal_request_integer(request, DBAL_INT64, 0) &&
           dbal_request_integer(request, DBAL_INT64, 0) && dbal_request_row(request);
}

static bool
run_without_sqlstate(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_INTEGRITY, "dup", "it is there already");
    return false;
}

static bool
run_with_password(dbal_fault *fault)
{
    return refuse(fault, "it is there, by password geheim99");
}

/* ---- about what is written ---- */

static bool
write_all_the_same(liar *self, dbal_request *request)
{
    int64_t number = dbal_request_parameter(request, 0).as.integer;
    if (self->honest.in_transaction)
        self->honest.delta += number;
    else
        fake_store_add(self->honest.config->store, number);
    dbal_request_affected(request, 1);
    return true;
}

/* A transaction is opened for each statement, and not ended. */
static bool
run_and_keep_open(void *arg, dbal_request *request, dbal_fault *fault)
{
    liar *self = arg;
    self->begun = self->begun || says(request, "begin");
    if (says(request, "commit") || says(request, "rollback"))
        self->begun = false;
    self->honest.in_transaction =
        says(request, "begin") ? false : self->honest.in_transaction || says(request, "add");
    return run_honestly(arg, request, fault);
}

static bool
rolls_back_to(dbal_request *request)
{
    return says(request, "rollback") && strstr(dbal_request_sql(request, NULL), "to ") != NULL;
}

/* ---- the table ---- */

static bool
run(void *arg, dbal_request *request, dbal_fault *fault)
{
    if (is("pinned"))
        return run_pinned(arg, request, fault);
    if (is("thread-local"))
        return run_with_thread_local(arg, request, fault);
    if (is("global") && says(request, "echo") &&
        strcmp(dbal_request_sql(request, NULL), "echo $1") == 0 &&
        dbal_request_parameter(request, 0).type == DBAL_INT64)
        return run_with_global(request);
    if (is("deaf") && says(request, "hang"))
        return run_deaf(fault);
    if (is("late") && says(request, "hang"))
        return run_late(arg, request, fault);
    if (is("after-the-end"))
        return run_after_the_end(arg, request, fault);
    if (is("on-and-on") && says(request, "rows"))
        return run_on_and_on(request);
    if (is("wide") && says(request, "get"))
        return run_wide(request);
    if (is("sqlstate") && says(request, "fail"))
        return run_without_sqlstate(fault);
    if (is("password") && says(request, "get"))
        return run_with_password(fault);
    if (is("no-reason") && says(request, "fail"))
        return false;
    if (is("writes") && says(request, "add") && dbal_request_read_only(request))
        return write_all_the_same(arg, request);
    if (is("left-open") || is("unseen"))
        return run_and_keep_open(arg, request, fault);
    if (is("ids") && says(request, "add"))
        return write_all_the_same(arg, request);
    if ((is("savepoint") && rolls_back_to(request)) || (is("returning") && says(request, "row")))
        return true;
    if (is("crash") && says(request, "changed"))
        abort();
    return run_honestly(arg, request, fault);
}

static bool
open_liar(void *arg, dbal_opening *opening, dbal_fault *fault)
{
    liar *self = arg;
    self->opener = pthread_self();
    if (is("memory"))
        dbal_driver_alloc(100);
    if (is("descriptor"))
        dup(STDIN_FILENO);
    return dbal_fake_driver.blocking->open(arg, opening, fault);
}

static bool
in_transaction(void *arg)
{
    liar *self = arg;
    return is("unseen") ? self->begun : self->honest.in_transaction;
}

static unsigned
capabilities(const void *config)
{
    unsigned honest = dbal_fake_driver.capabilities(config);
    if (is("no-stream"))
        honest &= ~(unsigned)DBAL_CAN_STREAM;
    return honest | (is("array") ? DBAL_CAN_ARRAY : 0u) | (is("copy") ? DBAL_CAN_COPY : 0u) |
           (is("parallel") ? DBAL_CAN_PARALLEL_STATEMENTS : 0u);
}

static const char *const schemes[] = {"lie-" LIE, NULL};
static dbal_blocking blocking;
static dbal_driver driver;

/* It is the linker that does this before there is a second thread in here. */
__attribute__((constructor)) static void
fill(void)
{
    blocking = *dbal_fake_driver.blocking;
    blocking.open = open_liar;
    blocking.run = run;
    blocking.in_transaction = in_transaction;
    if (is("interrupt"))
        blocking.interrupt = NULL;
    driver = dbal_fake_driver;
    driver.name = "lie-" LIE;
    driver.schemes = schemes;
    driver.connection_size = sizeof(liar);
    driver.capabilities = capabilities;
    driver.blocking = &blocking;
}

DBAL_DRIVER_MODULE(driver);
