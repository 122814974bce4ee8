#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>

enum {
    SLICE = 20, /* ms: how long it takes until a stop of opening is seen */
    TLS = 5     /* the library's own timeout where it waits for an encrypted socket */
};
/* With nobody at work there is nobody to stop it: farewells, mostly. */
static const int64_t idle_wait = INT64_C(5000000000), millisecond = 1000000;

static _Thread_local dbal__mariadb_wait *current;

int64_t
dbal__mariadb_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

dbal__mariadb_wait
dbal__mariadb_wait_until(int64_t deadline)
{
    return (dbal__mariadb_wait){.deadline = deadline, .stop_fd = -1, .again = INT64_MAX};
}

void
dbal__mariadb_wait_begin(dbal__mariadb_wait *wait)
{
    wait->before = current;
    current = wait;
}

void
dbal__mariadb_wait_end(dbal__mariadb_wait *wait)
{
    current = wait->before;
}

/* Milliseconds, -1 for ever. */
static int
slice_of(const dbal__mariadb_wait *wait, int64_t now, bool tls)
{
    int64_t until = wait->deadline < wait->again ? wait->deadline : wait->again;
    int most = tls ? TLS : wait->opening != NULL ? SLICE : -1;
    if (until == INT64_MAX)
        return most;
    int64_t left = until <= now ? 0 : (until - now + millisecond - 1) / millisecond;
    if (most >= 0 && left > most)
        return most;
    return left > 3600000 ? 3600000 : (int)left;
}

/* 1: the library may go on; 0: it must give up; -1: nothing has happened */
static int
look(dbal__mariadb_wait *wait, const struct pollfd *fds, int found, bool tls)
{
    int64_t now = dbal__mariadb_now();
    if ((wait->stop_fd >= 0 && fds[1].revents != 0) || now >= wait->again)
        wait->again = wait->stop(wait->arg);
    if (wait->again < 0 || (wait->opening != NULL && dbal_opening_stopped(wait->opening)))
        return 0;
    if (fds[0].revents != 0)
        return 1;
    if (now >= wait->deadline)
        return 0;
    /* what it waits for there may be room to write, though it says to read: it shall try again */
    return tls && found == 0 ? 1 : -1;
}

/* Encrypted, the library would wait in read() itself. */
static void
stay_here(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) == 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static int
on_wait(my_socket fd, my_bool is_read, int timeout)
{
    dbal__mariadb_wait idle = dbal__mariadb_wait_until(0);
    dbal__mariadb_wait *wait = current != NULL ? current : &idle;
    bool tls = timeout == TLS;
    int seen = -1;
    if (wait == &idle)
        idle.deadline = dbal__mariadb_now() + idle_wait;
    stay_here(fd);
    while (seen < 0) {
        struct pollfd fds[2] = {{.fd = fd, .events = is_read ? POLLIN : POLLOUT},
                                {.fd = wait->stop_fd, .events = POLLIN}};
        int found = poll(fds, 2, slice_of(wait, dbal__mariadb_now(), tls));
        if (found < 0 && errno != EINTR)
            break;
        seen = found < 0 ? -1 : look(wait, fds, found, tls);
    }
    if (seen > 0)
        return 1;
    wait->given_up = true;
    errno = ETIMEDOUT;
    return -1;
}

void
dbal__mariadb_wait_install(MYSQL *mysql)
{
    mysql_optionsv(mysql, MARIADB_OPT_IO_WAIT, on_wait);
}
