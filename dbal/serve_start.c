#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dbal/child.h"
#include "dbal/serve.h"

static int tell_at = -1;
static pid_t mine;

/* Only what a signal handler may do. */
static void
tell(uint32_t number, uint32_t status)
{
    struct {
        dbal__frame frame;
        uint32_t number, status;
    } last = {.frame = {.size = 2 * sizeof(uint32_t), .kind = DBAL__FRAME_DYING},
              .number = number,
              .status = status};
    if (tell_at >= 0 && getpid() == mine)
        send(tell_at, &last, sizeof last, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
on_signal(int number)
{
    tell((uint32_t)number, 0);
    signal(number, SIG_DFL);
    raise(number);
}

/* A library may have called exit(). */
static void
on_leaving(int status, void *arg)
{
    (void)arg;
    tell(0, (uint32_t)status);
}

/* Its status may be taken by somebody who does not tell, so it says itself what it dies of. */
static void
say_last_words(void)
{
    static const int deadly[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTERM};
    static char stack[64 * 1024];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESETHAND};
    struct sigaction old;
    sigaltstack(&other, NULL);
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        /* a sanitizer has more to say */
        if (sigaction(deadly[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(deadly[i], &action, NULL);
    on_exit(on_leaving, NULL);
}

void
dbal__serve_begin(int data)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none); /* there are passwords in its memory */
#ifdef SYS_close_range
    syscall(SYS_close_range, (unsigned)DBAL__CHILD_MARK + 1, ~0u, 0u);
#endif
    signal(SIGPIPE, SIG_IGN);
    mine = getpid();
    tell_at = data;
    say_last_words();
}

void
dbal__serve_end(void)
{
    tell_at = -1;
}
