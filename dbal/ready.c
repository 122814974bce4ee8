#include "dbal/ready.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "dbal/error.h"

/* How long one drain may take before the loop's other watchers get their turn. */
static const int64_t SLICE = 500000; /* nanoseconds */
/* The clock is looked at about this often, but after so many steps at the latest. */
static const int64_t GLANCE = 50000; /* nanoseconds */
enum { STEPS_FIRST = 16, STEPS_MOST = 64 };

static void
log_to_stderr(void *arg, dbal_log_level level, const char *message)
{
    (void)arg;
    if (level >= DBAL_LOG_WARNING)
        fprintf(stderr, "dbal: %s\n", message);
}

void
dbal__ready_init(dbal__ready *ready)
{
    memset(ready, 0, sizeof *ready);
    dbal__list_init(&ready->tasks);
    dbal__list_init(&ready->live);
    dbal__list_init(&ready->kept);
    dbal__fork_watch();
    ready->generation = dbal__fork_generation();
    ready->steps = ready->stride = STEPS_FIRST;
    ready->log = log_to_stderr;
    atomic_init(&ready->owner, (uintptr_t)pthread_self());
}

bool
dbal__ready_look(dbal__ready *ready)
{
    int64_t now = dbal__monotonic();
    if (ready->slice_end == DBAL__NEVER) {
        ready->slice_end = now + SLICE;
    } else {
        int64_t took = now - ready->looked;
        if (took < GLANCE / 2 && ready->stride < STEPS_MOST)
            ready->stride *= 2;
        else if (took > GLANCE && ready->stride > 1)
            ready->stride /= 2;
    }
    ready->looked = now;
    ready->steps = ready->stride;
    return now >= ready->slice_end;
}

bool
dbal__ready_drain(dbal__ready *ready)
{
    if (dbal__list_empty(&ready->tasks))
        return false;
    dbal__ready_begin_slice(ready);
    dbal__list *link;
    while ((link = dbal__list_pop(&ready->tasks)) != NULL) {
        dbal__task *task = DBAL__OF(link, dbal__task, link);
        task->run(task);
        if (dbal__ready_spent(ready))
            break;
    }
    return !dbal__list_empty(&ready->tasks);
}

int64_t
dbal__thread_cpu(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t
dbal__thread_switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (uint64_t)usage.ru_nvcsw;
}

void
dbal__ready_app_measure(dbal__ready *ready, bool enter)
{
    if (enter) {
        if (ready->app_depth++ == 0) {
            ready->app_switches_entered = dbal__thread_switches();
            ready->app_entered = dbal__thread_cpu();
        }
    } else if (ready->app_depth > 0 && --ready->app_depth == 0) {
        ready->app_cpu += dbal__thread_cpu() - ready->app_entered;
        ready->app_switches += dbal__thread_switches() - ready->app_switches_entered;
    }
}

void
dbal__ready_log(dbal__ready *ready, dbal_log_level level, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    dbal_log_fn *log = ready->log != NULL ? ready->log : log_to_stderr;
    log(ready->log_arg, level, message);
}

static const char *
reason(dbal__ready *ready)
{
    if (ready->generation != dbal__fork_generation())
        return "the dbal_loop belongs to the parent of this process: make a new one after fork";
    return "the dbal_loop belongs to another thread: "
           "use dbal_loop_call(loop, fn, arg) to run it there";
}

bool
dbal__ready_refuse(dbal__ready *ready, const char *call)
{
    dbal__ready_log(ready, DBAL_LOG_ERROR, "%s refused: %s", call, reason(ready));
    return false;
}

dbal_error *
dbal__ready_refusal(dbal__ready *ready, const char *call)
{
    return dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT, "%s: %s", call,
                            reason(ready));
}
