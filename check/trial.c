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
#include <sys/prctl.h>
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
    /* threads of the driver may be anywhere, also in a file of theirs: nothing more is put in order */
    fflush(stdout);
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

/* ---- in the child ---- */

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

/* Not longer than the one who began it, whatever ends that. */
static void
follow(pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
}

/* ---- signals ---- */

static const int ENDING[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
enum { ENDINGS = sizeof ENDING / sizeof ENDING[0] };

static sigset_t before, awaited;
static int interrupted;

void
trial_begin(void)
{
    struct sigaction now;
    /* whoever ignores it hears of no child */
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGCHLD);
    for (int i = 0; i < ENDINGS; i++)
        if (sigaction(ENDING[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(&awaited, ENDING[i]);
    sigprocmask(SIG_BLOCK, &awaited, &before);
}

int
trial_interrupted(void)
{
    return interrupted;
}

void
trial_die(void)
{
    sigset_t one;
    int by = interrupted != 0 ? interrupted : SIGTERM;
    fflush(NULL);
    sigemptyset(&one);
    sigaddset(&one, by);
    signal(by, SIG_DFL);
    raise(by);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    _exit(128 + by);
}

/* ---- in the parent ---- */

typedef enum waited { WAITED_ENDED, WAITED_TOO_LONG, WAITED_INTERRUPTED } waited;

static waited
await(pid_t child, int *ret_status)
{
    struct timespec now, end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)(trial_patience * 6) + 1;
    while (waitpid(child, ret_status, WNOHANG) != child) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec >= end.tv_sec)
            return WAITED_TOO_LONG;
        int came =
            sigtimedwait(&awaited, NULL, &(struct timespec){.tv_sec = end.tv_sec - now.tv_sec});
        if (came > 0 && came != SIGCHLD) {
            interrupted = came;
            return WAITED_INTERRUPTED;
        }
    }
    return WAITED_ENDED;
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

static void
watch(report *of, pid_t child)
{
    int status = 0;
    waited how = await(child, &status);
    if (how != WAITED_ENDED) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        status = 0;
        of->verdict = how == WAITED_TOO_LONG ? VERDICT_BROKEN : VERDICT_UNASKED;
        snprintf(of->why, sizeof of->why, "it had not ended after %g s", trial_patience * 6);
    }
    if (how == WAITED_INTERRUPTED)
        strcpy(of->why, "it was interrupted");
    kill(-child, SIGKILL); /* workers that it may have left */
    judge(of, status);
}

static void
leave_untried(report *into)
{
    *into = (report){.verdict = VERDICT_UNASKED};
    snprintf(into->why, sizeof into->why, "no process can be had for it: %s", strerror(errno));
}

void
trial_run(report *into, void (*body)(void *arg), void *arg, bool loud)
{
    report *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        leave_untried(into);
        return;
    }
    shared->verdict = VERDICT_BROKEN; /* unless it says something else */
    strcpy(shared->why, "the process ended by itself");
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        follow(parent);
        sigprocmask(SIG_SETMASK, &before, NULL);
        trial_report = shared;
        run(body, arg, loud);
    }
    if (child < 0) {
        leave_untried(into);
    } else {
        watch(shared, child);
        memcpy(into, shared, sizeof *into);
    }
    munmap(shared, sizeof *shared);
}
