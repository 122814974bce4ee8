#include "tests/lib/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_PACKET = 8, CANCEL_CODE = 80877102, LOOK = 5 /* ms */ };

static void
fail(const char *what)
{
    fprintf(stderr, "tests/lib/proxy: %s: %s\n", what, strerror(errno));
    abort();
}

static void
end_line(proxy_line *line)
{
    if (line->client >= 0)
        close(line->client);
    if (line->server >= 0)
        close(line->server);
    *line = (proxy_line){.client = -1, .server = -1};
}

/* ---- a new one ---- */

static void
take(proxy *self)
{
    int fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    for (int i = 0; i < PROXY_LINES && !atomic_load(&self->closed); i++) {
        if (self->lines[i].client < 0) {
            self->lines[i].client = fd;
            return;
        }
    }
    close(fd);
}

static int
dial(const proxy *self)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%.80s/.s.PGSQL.5432", self->of->folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Its first packet says what it wants. */
static void
begin(proxy *self, proxy_line *line)
{
    uint32_t head[2];
    ssize_t size = recv(line->client, head, sizeof head, MSG_PEEK | MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN)) {
        end_line(line);
        return;
    }
    if (size < FIRST_PACKET)
        return;
    bool cancels = ntohl(head[1]) == CANCEL_CODE;
    atomic_fetch_add(cancels ? &self->cancels : &self->logins, 1);
    line->begun = true;
    if (cancels && atomic_load(&self->mute))
        return;
    line->server = dial(self);
    if (line->server < 0)
        end_line(line);
}

/* ---- passing on ---- */

/* False: the other end is gone. */
static bool
fill(int fd, char *buffer, int *size)
{
    ssize_t got = recv(fd, buffer, 16384, MSG_DONTWAIT);
    if (got > 0)
        *size = (int)got;
    return got > 0 || (got < 0 && errno == EAGAIN);
}

static bool
drain(int fd, char *buffer, int *size, int most, long long *ret_passed)
{
    int count = most > 0 && most < *size ? most : *size;
    ssize_t put = send(fd, buffer, (size_t)count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0)
        return errno == EAGAIN;
    memmove(buffer, buffer + put, (size_t)(*size - put));
    *size -= (int)put;
    *ret_passed += put;
    return true;
}

static void
pass(proxy *self, proxy_line *line, short client, short server)
{
    long long ignored = 0, most = atomic_load(&self->most);
    int piece = atomic_load(&self->piece);
    bool ok = true;
    if ((server & (POLLIN | POLLHUP)) != 0 && line->down_size == 0)
        ok = fill(line->server, line->down, &line->down_size);
    if ((client & (POLLIN | POLLHUP)) != 0 && line->up_size == 0)
        ok = fill(line->client, line->up, &line->up_size) && ok;
    if (line->up_size > 0)
        ok = drain(line->server, line->up, &line->up_size, 0, &ignored) && ok;
    if (most >= 0 && most - line->passed < line->down_size) {
        piece = (int)(most - line->passed);
        ok = ok && piece > 0;
    }
    /* also what came just before the end */
    if (line->down_size > 0 && (ok || piece == 0))
        ok = drain(line->client, line->down, &line->down_size, piece, &line->passed) && ok;
    if (!ok)
        end_line(line);
}

static short
wanted(int incoming, int outgoing)
{
    return (short)((incoming == 0 ? POLLIN : 0) | (outgoing > 0 ? POLLOUT : 0));
}

static void
turn(proxy *self)
{
    struct pollfd fds[2 + 2 * PROXY_LINES];
    bool held = atomic_load(&self->held);
    fds[0] = (struct pollfd){.fd = self->end, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = self->listener, .events = POLLIN};
    for (int i = 0; i < PROXY_LINES; i++) {
        proxy_line *line = &self->lines[i];
        bool off = held && line->begun, mute = line->begun && line->server < 0;
        fds[2 + 2 * i] =
            (struct pollfd){.fd = off ? -1 : line->client,
                            .events = mute ? 0 : wanted(line->up_size, line->down_size)};
        fds[3 + 2 * i] = (struct pollfd){.fd = off ? -1 : line->server,
                                         .events = wanted(line->down_size, line->up_size)};
    }
    poll(fds, 2 + 2 * PROXY_LINES, LOOK);
    for (int i = 0; i < PROXY_LINES; i++) {
        proxy_line *line = &self->lines[i];
        short client = fds[2 + 2 * i].revents, server = fds[3 + 2 * i].revents;
        if (line->client < 0 || (held && line->begun))
            continue;
        if (!line->begun)
            begin(self, line);
        else if (line->server < 0 && client != 0) /* a mute one */
            end_line(line);
        else if (line->server >= 0 && (client | server) != 0)
            pass(self, line, client, server);
    }
    if (fds[1].revents != 0)
        take(self);
}

static void *
live(void *arg)
{
    proxy *self = arg;
    eventfd_t count;
    while (eventfd_read(self->end, &count) != 0) {
        if (atomic_load(&self->cut)) {
            for (int i = 0; i < PROXY_LINES; i++)
                end_line(&self->lines[i]);
            atomic_store(&self->cut, false);
        }
        turn(self);
    }
    return NULL;
}

/* ---- from start to end ---- */

void
proxy_start(proxy *self, const postgres *server)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    memset(self, 0, sizeof *self);
    atomic_init(&self->most, -1);
    self->of = server;
    self->lines = calloc(PROXY_LINES, sizeof *self->lines);
    self->end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->lines == NULL || self->end < 0 || self->listener < 0 ||
        bind(self->listener, (struct sockaddr *)&at, size) != 0 ||
        listen(self->listener, 1024) != 0 ||
        getsockname(self->listener, (struct sockaddr *)&at, &size) != 0)
        fail("no listener");
    for (int i = 0; i < PROXY_LINES; i++)
        self->lines[i].client = self->lines[i].server = -1;
    snprintf(self->url, sizeof self->url,
             "postgresql://postgres@127.0.0.1:%d/postgres?sslmode=disable", ntohs(at.sin_port));
    if (pthread_create(&self->thread, NULL, live, self) != 0)
        fail("no thread");
}

void
proxy_stop(proxy *self)
{
    if (self->lines == NULL)
        return;
    eventfd_write(self->end, 1);
    pthread_join(self->thread, NULL);
    for (int i = 0; i < PROXY_LINES; i++)
        end_line(&self->lines[i]);
    close(self->listener);
    close(self->end);
    free(self->lines);
    self->lines = NULL;
}

void
proxy_cut(proxy *self)
{
    atomic_store(&self->cut, true);
    while (atomic_load(&self->cut))
        sched_yield();
}
