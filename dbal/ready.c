#include "dbal/ready.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "dbal/error.h"
#include "dbal/fork.h"

/* How long one drain may take before the loop's other watchers get their turn. */
static const int64_t SLICE = 500000; /* nanoseconds */
enum { STEPS = 16 };

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
    ready->generation = dbal__fork_generation();
    ready->log = log_to_stderr;
    atomic_init(&ready->owner, (uintptr_t)pthread_self());
}

void
dbal__ready_begin_slice(dbal__ready *ready)
{
    ready->slice_end = dbal__monotonic() + SLICE;
    ready->steps = 0;
}

bool
dbal__ready_spent(dbal__ready *ready)
{
    if (++ready->steps < STEPS)
        return false;
    ready->steps = 0;
    return dbal__monotonic() >= ready->slice_end;
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

void
dbal__ready_retain(dbal__ready *ready)
{
    if (ready->unsettled++ == 0 && ready->keep != NULL)
        ready->keep(ready, true);
}

void
dbal__ready_release(dbal__ready *ready)
{
    if (--ready->unsettled == 0 && ready->keep != NULL)
        ready->keep(ready, false);
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
dbal__ready_check(dbal__ready *ready, const char *call)
{
    if (atomic_load_explicit(&ready->owner, memory_order_relaxed) == (uintptr_t)pthread_self() &&
        ready->generation == dbal__fork_generation())
        return true;
    dbal__ready_log(ready, DBAL_LOG_ERROR, "%s refused: %s", call, reason(ready));
    return false;
}

dbal_error *
dbal__ready_refusal(dbal__ready *ready, const char *call)
{
    return dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT, "%s: %s", call,
                            reason(ready));
}
