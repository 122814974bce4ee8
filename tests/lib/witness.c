#include "tests/lib/witness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct event {
    const void *connection;
    witness_call call;
    bool begins, ok;
    unsigned thread; /* a number that no other thread ever gets */
} event;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool watching, library_up;
static event *events;
static size_t count, room;

static unsigned
this_thread(void)
{
    static atomic_uint last;
    static _Thread_local unsigned number;
    if (number == 0)
        number = atomic_fetch_add(&last, 1) + 1;
    return number;
}

void
witness_watch(void)
{
    pthread_mutex_lock(&lock);
    watching = true;
    count = 0;
    pthread_mutex_unlock(&lock);
}

static void
note(const event *seen)
{
    pthread_mutex_lock(&lock);
    if (!watching && !seen->begins && seen->ok && seen->call <= WITNESS_EXIT)
        library_up = seen->call == WITNESS_INIT;
    if (watching && count == room) {
        room = room * 2 + 1024;
        events = realloc(events, room * sizeof *events);
        if (events == NULL)
            abort();
    }
    if (watching)
        events[count++] = *seen;
    pthread_mutex_unlock(&lock);
}

void
witness_enter(const void *connection, witness_call call)
{
    note(&(event){connection, call, true, true, this_thread()});
}

void
witness_leave(const void *connection, witness_call call, bool ok)
{
    note(&(event){connection, call, false, ok, this_thread()});
}

/* ---- judging ---------------------------------------------------------------------------------------- */

enum { CONNECTIONS = 256, THREADS = 64 };

typedef enum life { SHUT, OPENING, OPEN, CLOSING } life;

/* What is known of a connection, or of the driver as a whole. */
typedef struct subject {
    const void *connection;
    life life;
    unsigned users, interrupters;
    unsigned home; /* the first thread that was inside */
    unsigned threads[THREADS], thread_count;
} subject;

typedef struct court {
    int level;
    bool parallel, up;
    unsigned open;
    subject whole;
    subject subjects[CONNECTIONS];
    size_t subject_count;
    witness_report report;
} court;

static void
accuse(court *self, const event *seen, const char *what)
{
    static const char *const names[] = {"init", "exit", "open", "close", "use", "interrupt"};
    if (self->report.violations++ == 0)
        snprintf(self->report.first, sizeof self->report.first, "%s by thread %u: %s",
                 names[seen->call], seen->thread, what);
}

static subject *
subject_of(court *self, const event *seen)
{
    for (size_t i = 0; i < self->subject_count; i++) {
        if (self->subjects[i].connection == seen->connection)
            return &self->subjects[i];
    }
    if (self->subject_count == CONNECTIONS)
        abort();
    subject *one = &self->subjects[self->subject_count++];
    *one = (subject){.connection = seen->connection};
    return one;
}

static void
keep_thread(subject *one, unsigned thread)
{
    for (unsigned i = 0; i < one->thread_count; i++) {
        if (one->threads[i] == thread)
            return;
    }
    if (one->thread_count < THREADS)
        one->threads[one->thread_count++] = thread;
    if (one->home == 0)
        one->home = thread;
}

/* Whether this thread may be in there, and now. */
static void
check_level(court *self, subject *one, const event *seen)
{
    bool alone = self->level < 3 || !self->parallel;
    if (self->level <= 0 && self->whole.users > 0)
        accuse(self, seen, "somebody is in the driver");
    if (alone && one->users > 0)
        accuse(self, seen, "somebody is in the connection");
    keep_thread(one, seen->thread);
    keep_thread(&self->whole, seen->thread);
    if (self->level <= 0 && self->whole.home != seen->thread)
        accuse(self, seen, "the driver belongs to another thread");
    if (self->level == 1 && one->home != seen->thread)
        accuse(self, seen, "the connection belongs to another thread");
}

static void
begin(court *self, subject *one, const event *seen)
{
    if (seen->call == WITNESS_INTERRUPT) {
        /* a statement may be just about to begin, or have ended just now */
        if (one->life != OPEN)
            accuse(self, seen, "it is not open");
        one->interrupters++;
        self->report.interrupts++;
        return;
    }
    if (seen->call == WITNESS_OPEN && one->life == SHUT)
        one->home = one->thread_count = 0; /* another one, in the same memory */
    check_level(self, one, seen);
    one->users++;
    self->whole.users++;
    if (one->users > self->report.together)
        self->report.together = one->users;
    if (seen->call == WITNESS_OPEN && (one->life != SHUT || !self->up))
        accuse(self, seen, self->up ? "it is open" : "the library is not set up");
    if (seen->call == WITNESS_OPEN)
        one->life = OPENING;
    if (seen->call == WITNESS_USE && one->life != OPEN)
        accuse(self, seen, "it is not open");
    if (seen->call != WITNESS_CLOSE)
        return;
    if (one->life != OPEN || one->users > 1 || one->interrupters > 0)
        accuse(self, seen, one->life != OPEN ? "it is not open" : "something is in there");
    one->life = CLOSING;
}

static void
end(court *self, subject *one, const event *seen)
{
    if (seen->call == WITNESS_INTERRUPT) {
        if (one->life != OPEN)
            accuse(self, seen, "it was closed meanwhile");
        one->interrupters--;
        return;
    }
    one->users--;
    self->whole.users--;
    if (one->thread_count > self->report.most)
        self->report.most = one->thread_count;
    if (seen->call == WITNESS_OPEN) {
        one->life = seen->ok ? OPEN : SHUT;
        self->open += seen->ok;
    } else if (seen->call == WITNESS_CLOSE) {
        one->life = SHUT;
        self->open--;
    }
}

static void
judge_library(court *self, const event *seen)
{
    bool init = seen->call == WITNESS_INIT;
    if (!seen->begins) {
        self->whole.users--;
        self->up = init && seen->ok;
        return;
    }
    if (self->level <= 0)
        check_level(self, &self->whole, seen);
    self->whole.users++;
    if (self->up == init)
        accuse(self, seen, init ? "it is set up" : "it is not set up");
    if (!init && (self->open > 0 || self->level <= 0))
        accuse(self, seen, "it is needed");
}

witness_report
witness_judge(int level, bool parallel)
{
    court *self = calloc(1, sizeof *self);
    if (self == NULL)
        abort();
    pthread_mutex_lock(&lock);
    watching = false;
    self->level = level;
    self->parallel = parallel;
    self->up = library_up;
    self->report.calls = count;
    for (size_t i = 0; i < count; i++) {
        if (events[i].connection == NULL)
            judge_library(self, &events[i]);
        else if (events[i].begins)
            begin(self, subject_of(self, &events[i]), &events[i]);
        else
            end(self, subject_of(self, &events[i]), &events[i]);
    }
    library_up = self->up;
    self->report.threads = self->whole.thread_count;
    free(events);
    events = NULL;
    count = room = 0;
    pthread_mutex_unlock(&lock);
    witness_report report = self->report;
    free(self);
    return report;
}
