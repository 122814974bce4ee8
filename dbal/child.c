#include "dbal/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dbal/clock.h"

/* Above the numbers that the worker's ends get, so that none is overwritten before it is copied. */
enum { FIRST_FREE = 10 };

/* Where there is nothing to wait on: looks that often (ms). */
enum { LOOK_AGAIN = 5 };

static int
open_handle(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0u); /* close-on-exec by itself */
#else
    (void)pid;
    return -1;
#endif
}

static void
close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ours[0] for us, ours[1] for it */
static bool
make_pair(int *pair)
{
    int made[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, made) != 0)
        return false;
    pair[0] = made[0];
    pair[1] = fcntl(made[1], F_DUPFD_CLOEXEC, FIRST_FREE);
    int code = errno;
    close(made[1]);
    errno = code;
    if (pair[1] >= 0)
        return true;
    close_one(&pair[0]);
    return false;
}

/* What it is given, at our numbers. */
typedef struct gifts {
    int data, control, mark;
} gifts;

static int
prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, const gifts *given)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int code = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    if (code == 0)
        code = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(actions, given->data, DBAL__CHILD_DATA);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(actions, given->control, DBAL__CHILD_CONTROL);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(actions, given->mark, DBAL__CHILD_MARK);
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
    if (code == 0)
        code = posix_spawn_file_actions_addclosefrom_np(actions, DBAL__CHILD_MARK + 1);
#endif
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    /* a session of its own: what the terminal sends to the application is not for it */
    posix_spawnattr_setflags(attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    return code;
}

static int
spawn(dbal__child *child, const char *path, char *const *environment, const gifts *given)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *const arguments[] = {(char *)(uintptr_t)path, NULL};
    int code = posix_spawn_file_actions_init(&actions);
    if (code != 0)
        return code;
    code = posix_spawnattr_init(&attributes);
    if (code == 0) {
        code = prepare(&actions, &attributes, given);
        if (code == 0)
            code = posix_spawn(&child->pid, path, &actions, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

/* A mark that the worker can be given, at a number above those that it gets. */
static bool
make_mark(dbal__child *child, int *ret_fd)
{
    int made;
    child->mark = dbal__mark_make(&made);
    if (child->mark == NULL)
        return false;
    *ret_fd = fcntl(made, F_DUPFD_CLOEXEC, FIRST_FREE);
    int code = errno;
    close(made);
    errno = code;
    return *ret_fd >= 0;
}

static void
drop_mark(dbal__child *child)
{
    dbal__mark_free(child->mark);
    child->mark = NULL;
}

int
dbal__child_start(dbal__child *child, const char *path, char *const *environment)
{
    int data[2] = {-1, -1}, control[2] = {-1, -1}, mark = -1;
    *child =
        (dbal__child){.watch = -1, .data = -1, .control = -1, .told_signal = -1, .told_status = -1};
    int code = make_pair(data) && make_pair(control) && make_mark(child, &mark) ? 0 : errno;
    if (code == 0)
        code = spawn(child, path, environment, &(gifts){data[1], control[1], mark});
    close_one(&data[1]);
    close_one(&control[1]);
    close_one(&mark);
    if (code != 0) {
        child->pid = 0;
        drop_mark(child);
        close_one(&data[0]);
        close_one(&control[0]);
        return code;
    }
    child->data = data[0];
    child->control = control[0];
    /* without one, or when it has ended already and somebody took its status, its socket tells */
    child->handle = open_handle(child->pid);
    child->watch = child->handle >= 0 ? open_handle(child->pid) : -1;
    return 0;
}

bool
dbal__child_has_ended(dbal__child *child)
{
    siginfo_t info = {.si_pid = 0};
    if (child->pid == 0 || child->ended)
        return true;
#ifdef SYS_pidfd_open
    int got = child->handle >= 0
                  ? waitid((idtype_t)P_PIDFD, (id_t)child->handle, &info, WEXITED | WNOHANG)
                  : waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG);
#else
    int got = waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG);
#endif
    if (got == 0 && info.si_pid == 0)
        return false;
    child->ended = got == 0 || errno == ECHILD;
    if (got == 0) {
        child->known = true;
        child->code = info.si_code;
        child->status = info.si_status;
    }
    return child->ended;
}

bool
dbal__child_wait(dbal__child *child, int64_t deadline)
{
    while (!dbal__child_has_ended(child)) {
        int64_t left = deadline == DBAL__NEVER ? 1000000000 : deadline - dbal__monotonic();
        if (left <= 0)
            return false;
        int wait = (int)(left < 1000000000 ? left / 1000000 + 1 : 1000);
        struct pollfd one = {.fd = child->handle, .events = POLLIN};
        poll(&one, 1, child->handle >= 0 || wait < LOOK_AGAIN ? wait : LOOK_AGAIN);
    }
    return true;
}

void
dbal__child_kill(dbal__child *child)
{
    if (dbal__child_has_ended(child))
        return;
#ifdef SYS_pidfd_send_signal
    if (child->handle >= 0) {
        syscall(SYS_pidfd_send_signal, child->handle, SIGKILL, NULL, 0u);
        return;
    }
#endif
    kill(child->pid, SIGKILL);
}

static const char *
signal_name(int number)
{
    const char *name = sigdescr_np(number);
    return name != NULL ? name : "unknown";
}

void
dbal__child_describe(const dbal__child *child, char *text, size_t size)
{
    bool by_signal = child->known && child->code != CLD_EXITED;
    if (by_signal || (!child->known && child->told_signal > 0)) {
        int number = by_signal ? child->status : child->told_signal;
        snprintf(text, size, "was killed by signal %d (%s)", number, signal_name(number));
    } else if (child->known || child->told_status >= 0) {
        snprintf(text, size, "exited with status %d",
                 child->known ? child->status : child->told_status);
    } else if (child->ended) {
        snprintf(text, size, "ended, and its exit status was taken by another");
    } else {
        snprintf(text, size, "closed its socket");
    }
}

uint64_t
dbal__child_begun(const dbal__child *child)
{
    return child->mark != NULL ? atomic_load_explicit(&child->mark->begun, memory_order_acquire)
                               : 0;
}

void
dbal__child_unwatch(dbal__child *child)
{
    close_one(&child->watch);
    close_one(&child->data);
}

void
dbal__child_fini(dbal__child *child)
{
    dbal__child_unwatch(child);
    close_one(&child->handle);
    close_one(&child->control);
    drop_mark(child);
}
