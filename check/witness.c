#include "check/witness.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check/seat.h"
#include "check/secret.h"
#include "check/sink.h"
#include "check/trial.h"

bool witness_moves;

static const dbal_driver *real;
static dbal_driver proxy;
static dbal_blocking blocking;
static dbal_native native;

/* ---- an entry, here or in a thread of its own ---- */

/* What is called, with what, and what came of it. */
typedef struct entry {
    seat *at;
    const char *name;
    bool (*call)(struct entry *self);
    bool ok, done;
    dbal_opening *opening;
    dbal_request *request;
    dbal_fault *fault;
    dbal_share share;
    bool keep;
} entry;

static bool call_open(entry *self);
static bool call_close(entry *self);

static void
do_enter(entry *self)
{
    seat_enter(self->at, self->name);
    self->ok = self->call(self);
    seat_leave(self->at);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;

static void *
do_enter_elsewhere(void *arg)
{
    entry *self = arg;
    do_enter(self);
    pthread_mutex_lock(&lock);
    self->done = true;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&lock);
    return NULL;
}

/*
 * In a new thread. The one before is there until it has been in, so that the two are told apart by
 * whatever means: the system gives the name of a thread that is gone to the next.
 */
static bool
enter_elsewhere(entry *self, bool ends)
{
    pthread_t thread, before;
    if (pthread_create(&thread, NULL, do_enter_elsewhere, self) != 0)
        return false;
    pthread_mutex_lock(&lock);
    while (!self->done)
        pthread_cond_wait(&moved, &lock);
    bool has_before = self->at->has_last;
    before = self->at->last;
    self->at->last = thread;
    self->at->has_last = !ends && (self->call != call_open || self->ok);
    bool goes = !self->at->has_last;
    pthread_mutex_unlock(&lock);
    if (has_before)
        pthread_join(before, NULL);
    if (goes)
        pthread_join(thread, NULL);
    return true;
}

static bool
enter(entry self)
{
    bool moves = witness_moves && self.at->threadlevel >= 2;
    if (!moves || !enter_elsewhere(&self, self.call == call_close))
        do_enter(&self);
    if (!self.ok && self.fault != NULL && !dbal_fault_is_set(self.fault) &&
        (self.request == NULL ||
         !(sink_stopped(self.request) || dbal_request_stopped(self.request))))
        trial_breach("%s() returned false without a fault", self.name);
    return self.ok;
}

/* ---- the blocking face ---- */

static bool
library_init(dbal_fault *fault)
{
    bool ok = real->blocking->library_init(fault);
    if (!ok && !dbal_fault_is_set(fault))
        trial_breach("library_init() returned false without a fault");
    return ok;
}

static bool
call_open(entry *self)
{
    return real->blocking->open(self->at->connection, self->opening, self->fault);
}

static bool
open_one(void *connection, dbal_opening *opening, dbal_fault *fault)
{
    seat *at = seat_of(connection);
    at->threadlevel = real->threadlevel != NULL ? real->threadlevel(opening->config) : 0;
    at->capabilities = real->capabilities(opening->config);
    bool ok = enter(
        (entry){.at = at, .name = "open", .call = call_open, .opening = opening, .fault = fault});
    atomic_store(&at->open, ok);
    return ok;
}

static bool
call_close(entry *self)
{
    real->blocking->close(self->at->connection);
    return true;
}

static void
close_one(void *connection)
{
    seat *at = seat_of(connection);
    if (!atomic_exchange(&at->open, false))
        trial_breach("close: of a connection that was not open (the gate's fault)");
    enter((entry){.at = at, .name = "close", .call = call_close});
    atomic_store(&at->closing, true);
}

static bool
call_run(entry *self)
{
    return real->blocking->run(self->at->connection, self->request, self->fault);
}

static bool
call_backup(entry *self)
{
    return real->blocking->backup(self->at->connection, self->request, self->fault);
}

/* seconds that one may go on after its deadline: on a slow machine all takes longer */
static double
grace(void)
{
    return trial_patience > 10 ? trial_patience / 10 : 1;
}

static double
late(const dbal_request *request)
{
    struct timespec now;
    int64_t deadline = dbal_request_deadline(request);
    clock_gettime(CLOCK_MONOTONIC, &now);
    double since = (double)(now.tv_sec * INT64_C(1000000000) + now.tv_nsec - deadline) / 1e9;
    return deadline == INT64_MAX ? 0 : since;
}

static bool
work(void *connection, dbal_request *request, dbal_fault *fault, bool (*call)(entry *),
     const char *name)
{
    seat *at = seat_of(connection);
    sink_begin(request);
    at->alone = !dbal_request_in_order(request);
    bool ok =
        enter((entry){.at = at, .name = name, .call = call, .request = request, .fault = fault});
    if ((at->capabilities & DBAL_CAN_CANCEL) != 0 && late(request) > grace())
        trial_breach("%s: it went on for %g s and more after its deadline", name, grace());
    sink_end(request, ok);
    return ok;
}

static bool
run(void *connection, dbal_request *request, dbal_fault *fault)
{
    return work(connection, request, fault, call_run, "run");
}

static bool
backup(void *connection, dbal_request *request, dbal_fault *fault)
{
    return work(connection, request, fault, call_backup, "backup");
}

/* comes from outside while another thread is inside */
static void
interrupt(void *connection)
{
    seat *at = seat_of(connection);
    if (!atomic_load(&at->open))
        trial_breach("interrupt: of a connection that was not open (the gate's fault)");
    real->blocking->interrupt(at->connection);
}

static bool
call_ping(entry *self)
{
    return real->blocking->ping(self->at->connection, self->fault);
}

static bool
ping(void *connection, dbal_fault *fault)
{
    return enter(
        (entry){.at = seat_of(connection), .name = "ping", .call = call_ping, .fault = fault});
}

static bool
call_reset(entry *self)
{
    return real->blocking->reset(self->at->connection, self->fault);
}

static bool
reset(void *connection, dbal_fault *fault)
{
    return enter(
        (entry){.at = seat_of(connection), .name = "reset", .call = call_reset, .fault = fault});
}

/* the core asks it from within the same visit as run(), and counts it as no entry by itself */
static bool
call_in_transaction(entry *self)
{
    return real->blocking->in_transaction(self->at->connection);
}

static bool
in_transaction(void *connection)
{
    seat *at = seat_of(connection);
    bool open = enter((entry){.at = at, .name = "in_transaction", .call = call_in_transaction});
    if (open && at->alone)
        trial_breach("a statement of no session left a transaction open");
    return open;
}

static bool
call_share_begin(entry *self)
{
    return real->blocking->share_begin(self->at->connection, self->share, self->request,
                                       self->fault);
}

static bool
share_begin(void *connection, dbal_share what, dbal_request *first, dbal_fault *fault)
{
    return enter((entry){.at = seat_of(connection),
                         .name = "share_begin",
                         .call = call_share_begin,
                         .share = what,
                         .request = first,
                         .fault = fault});
}

static bool
call_share_holds(entry *self)
{
    return real->blocking->share_holds(self->at->connection);
}

static bool
share_holds(void *connection)
{
    return enter(
        (entry){.at = seat_of(connection), .name = "share_holds", .call = call_share_holds});
}

static bool
call_share_end(entry *self)
{
    return real->blocking->share_end(self->at->connection, self->keep, self->fault);
}

static bool
share_end(void *connection, bool keep, dbal_fault *fault)
{
    return enter((entry){.at = seat_of(connection),
                         .name = "share_end",
                         .call = call_share_end,
                         .keep = keep,
                         .fault = fault});
}

static dbal_upkeep
upkeep_wanted(void *connection)
{
    return real->blocking->upkeep_wanted(seat_of(connection)->connection);
}

static bool
call_upkeep(entry *self)
{
    return real->blocking->upkeep(self->at->connection, self->fault);
}

static bool
upkeep(void *connection, dbal_fault *fault)
{
    return enter(
        (entry){.at = seat_of(connection), .name = "upkeep", .call = call_upkeep, .fault = fault});
}

/* ---- the native face: all in the loop's thread ---- */

static void
attach(void *connection, dbal_host *host)
{
    seat *at = seat_of(connection);
    seat_enter(at, "attach");
    real->native->attach(at->connection, host);
    seat_leave(at);
}

static void
detach(void *connection)
{
    seat *at = seat_of(connection);
    seat_enter(at, "detach");
    real->native->detach(at->connection);
    seat_leave(at);
}

static void
submit(void *connection, dbal_request *request)
{
    seat *at = seat_of(connection);
    sink_begin(request);
    seat_enter(at, "submit");
    real->native->submit(at->connection, request);
    seat_leave(at);
}

static void
step(void *connection, int slot, unsigned events)
{
    seat *at = seat_of(connection);
    seat_enter(at, "step");
    real->native->step(at->connection, slot, events);
    seat_leave(at);
}

static void
cancel(void *connection, dbal_request *request)
{
    seat *at = seat_of(connection);
    seat_enter(at, "cancel");
    real->native->cancel(at->connection, request);
    seat_leave(at);
}

static void
resume(void *connection, dbal_request *request)
{
    seat *at = seat_of(connection);
    seat_enter(at, "resume");
    real->native->resume(at->connection, request);
    seat_leave(at);
}

static void
native_reset(void *connection, dbal_request *request)
{
    seat *at = seat_of(connection);
    sink_begin(request);
    seat_enter(at, "reset");
    real->native->reset(at->connection, request);
    seat_leave(at);
}

/* ---- the table ---- */

static void *
configure(const dbal_url *url, dbal_fault *fault)
{
    secret_keep(url);
    void *config = real->configure(url, fault);
    if (config == NULL && !dbal_fault_is_set(fault))
        trial_breach("configure() returned NULL without a fault");
    return config;
}

static unsigned
capabilities(const void *config)
{
    unsigned declared = real->capabilities(config);
    if (config != NULL)
        trial_report->capabilities = declared;
    return declared;
}

/* What it has, it has here too; nothing else. */
static void
fill_faces(void)
{
#define PASS(face, to, function, own) to.function = real->face->function != NULL ? own : NULL
    if (real->blocking != NULL) {
        blocking = *real->blocking;
        PASS(blocking, blocking, library_init, library_init);
        PASS(blocking, blocking, open, open_one);
        PASS(blocking, blocking, close, close_one);
        PASS(blocking, blocking, run, run);
        PASS(blocking, blocking, interrupt, interrupt);
        PASS(blocking, blocking, ping, ping);
        PASS(blocking, blocking, reset, reset);
        PASS(blocking, blocking, in_transaction, in_transaction);
        PASS(blocking, blocking, share_begin, share_begin);
        PASS(blocking, blocking, share_holds, share_holds);
        PASS(blocking, blocking, share_end, share_end);
        PASS(blocking, blocking, upkeep_wanted, upkeep_wanted);
        PASS(blocking, blocking, upkeep, upkeep);
        PASS(blocking, blocking, backup, backup);
        proxy.blocking = &blocking;
    }
    if (real->native != NULL) {
        native = *real->native;
        PASS(native, native, attach, attach);
        PASS(native, native, detach, detach);
        PASS(native, native, submit, submit);
        PASS(native, native, step, step);
        PASS(native, native, cancel, cancel);
        PASS(native, native, resume, resume);
        PASS(native, native, reset, native_reset);
        proxy.native = &native;
    }
#undef PASS
}

bool
witness_register(const char *file)
{
    dbal_error *error = NULL;
    const dbal_driver *(*get)(void) = NULL;
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    void *symbol = handle != NULL ? dlsym(handle, DBAL_DRIVER_ENTRY) : NULL;
    if (symbol == NULL) {
        fprintf(stderr, "%s: %s\n", file, dlerror());
        return false;
    }
    memcpy(&get, &symbol, sizeof get);
    real = get();
    proxy = *real;
    proxy.configure = configure;
    proxy.capabilities = capabilities;
    proxy.connection_size = sizeof(seat) + real->connection_size;
    fill_faces();
    trial_report->has_native = real->native != NULL;
    trial_report->has_run = real->blocking != NULL && real->blocking->run != NULL;
    if (dbal_driver_register(&proxy, &error))
        return true;
    fprintf(stderr, "%s\n", dbal_error_message(error));
    dbal_error_unref(error);
    return false;
}

void
witness_look_at_table(unsigned declared, int threadlevel)
{
    const dbal_blocking *face = real->blocking;
    bool shares = face->share_begin != NULL && face->share_end != NULL;
    const struct {
        unsigned capability;
        bool there;
        const char *what;
    } needs[] = {
        {DBAL_CAN_INTERRUPT, face->interrupt != NULL, "INTERRUPT is declared without interrupt()"},
        {DBAL_CAN_PIPELINE, real->native != NULL, "PIPELINE is declared without a native face"},
        {DBAL_CAN_COPY, real->native != NULL, "COPY is declared without a native face"},
        {DBAL_CAN_NOTIFY, real->native != NULL, "NOTIFY is declared without a native face"},
        {DBAL_CAN_PARALLEL_STATEMENTS, threadlevel >= 3,
         "PARALLEL_STATEMENTS is declared below threadlevel 3"},
        {DBAL_CAN_SHARE_SNAPSHOT, shares, "SHARE_SNAPSHOT is declared without share_begin()"},
        {DBAL_CAN_SHARE_COMMIT, shares && face->share_holds != NULL,
         "SHARE_COMMIT is declared without share_begin() or share_holds()"},
        {DBAL_CAN_BACKUP, face->backup != NULL, "BACKUP is declared without backup()"},
    };
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        if ((declared & needs[i].capability) != 0 && !needs[i].there)
            trial_breach("%s", needs[i].what);
    if (threadlevel < 0 || threadlevel > 3)
        trial_breach("threadlevel %d is declared; there are 0 to 3", threadlevel);
}
