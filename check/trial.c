#include "check/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static report nobody_reads;
report *trial_report = &nobody_reads;
double trial_patience = 10;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void
settle(verdict came, const char *format, va_list list)
{
    vsnprintf(trial_report->why, sizeof trial_report->why, format, list);
    trial_report->verdict = came;
    /* threads of the driver may be anywhere: nothing is put in order */
    fflush(NULL);
    _exit(0);
}

void
trial_end(verdict came, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    settle(came, format, list);
    abort();
}

void
trial_fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    settle(VERDICT_BROKEN, format, list);
    abort();
}

void
trial_breach(const char *format, ...)
{
    char text[REPORT_TEXT];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    pthread_mutex_lock(&lock);
    unsigned count = atomic_load(&trial_report->breaches), at = 0;
    while (at < count && strcmp(trial_report->breach[at], text) != 0)
        at++;
    if (at == count && count < REPORT_BREACHES) {
        strcpy(trial_report->breach[count], text);
        atomic_store(&trial_report->breaches, count + 1);
    }
    pthread_mutex_unlock(&lock);
}

/* In the child. */
_Noreturn static void
run(void (*body)(void *arg), void *arg, bool loud)
{
    int nowhere = loud ? -1 : open("/dev/null", O_WRONLY);
    if (nowhere >= 0) {
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        close(nowhere);
    }
    body(arg);
    trial_end(VERDICT_HOLDS, "%s", "");
}

/* Waits for it; false when that took too long. */
static bool
await(pid_t child, int *ret_status, const sigset_t *children)
{
    struct timespec now, end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)(trial_patience * 6) + 1;
    while (waitpid(child, ret_status, WNOHANG) != child) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec >= end.tv_sec)
            return false;
        sigtimedwait(children, NULL, &(struct timespec){.tv_sec = end.tv_sec - now.tv_sec});
    }
    return true;
}

static void
judge(report *of, int status)
{
    if (WIFSIGNALED(status)) {
        of->verdict = VERDICT_BROKEN;
        snprintf(of->why, sizeof of->why, "the process was killed by signal %d, %s",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    if (of->verdict == VERDICT_BROKEN || atomic_load(&of->breaches) == 0)
        return;
    of->verdict = VERDICT_BROKEN;
    snprintf(of->why, sizeof of->why, "%s", of->breach[0]);
}

void
trial_run(report *into, void (*body)(void *arg), void *arg, bool loud)
{
    int status = 0;
    sigset_t children, before;
    report *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return;
    shared->verdict = VERDICT_BROKEN; /* unless it says something else */
    strcpy(shared->why, "the process ended by itself");
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, &before);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        setpgid(0, 0);
        trial_report = shared;
        run(body, arg, loud);
    }
    if (child > 0 && !await(child, &status, &children)) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        status = 0;
        shared->verdict = VERDICT_BROKEN;
        snprintf(shared->why, sizeof shared->why, "it had not ended after %g s",
                 trial_patience * 6);
    }
    if (child > 0)
        kill(-child, SIGKILL); /* workers that it may have left */
    sigprocmask(SIG_SETMASK, &before, NULL);
    judge(shared, status);
    memcpy(into, shared, sizeof *into);
    munmap(shared, sizeof *shared);
}
