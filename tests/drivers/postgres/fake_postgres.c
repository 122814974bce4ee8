#include "fake_postgres.h"

#include <arpa/inet.h>
#include <check.h>
#include <endian.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint32_t ssl_request = 80877103;

/* ---- the server ---- */

/* Whether there is something to read, before the server is stopped. */
static bool
wait_readable(const fake_postgres *server, int fd)
{
    struct pollfd both[2] = {{.fd = fd, .events = POLLIN}, {.fd = server->end, .events = POLLIN}};
    poll(both, 2, -1);
    return both[1].revents == 0;
}

static void *
serve(void *arg)
{
    fake_postgres *server = arg;
    while (wait_readable(server, server->listener)) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        atomic_fetch_add(&server->calls, 1);
        server->talk(server, fd);
        close(fd);
    }
    return NULL;
}

void
fake_postgres_start(fake_postgres *server, const char *address, int port, fake_postgres_talk *talk,
                    void *arg)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof name;
    int on = 1;
    memset(server, 0, sizeof *server);
    server->talk = talk;
    server->arg = arg;
    server->end = eventfd(0, EFD_CLOEXEC);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ck_assert_int_eq(inet_pton(AF_INET, address, &name.sin_addr), 1);
    ck_assert_int_eq(bind(server->listener, (struct sockaddr *)&name, sizeof name), 0);
    ck_assert_int_eq(listen(server->listener, 16), 0);
    getsockname(server->listener, (struct sockaddr *)&name, &size);
    server->port = ntohs(name.sin_port);
    ck_assert_int_eq(pthread_create(&server->thread, NULL, serve, server), 0);
}

void
fake_postgres_stop(fake_postgres *server)
{
    eventfd_write(server->end, 1);
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->end);
}

/* ---- what it says ---- */

bool
fake_postgres_send(int fd, const void *data, size_t size)
{
    const char *from = data;
    while (size > 0) {
        ssize_t sent = send(fd, from, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        from += sent;
        size -= (size_t)sent;
    }
    return true;
}

bool
fake_postgres_say(int fd, char type, const void *body, size_t size)
{
    char head[5] = {type};
    uint32_t length = htobe32((uint32_t)size + 4);
    memcpy(head + 1, &length, 4);
    return fake_postgres_send(fd, head, 5) && fake_postgres_send(fd, body, size);
}

static char *
put(char *to, char code, const char *text)
{
    *to = code;
    return stpcpy(to + 1, text) + 1;
}

bool
fake_postgres_fail(int fd, const char *severity, const char *sqlstate, const char *text)
{
    static char body[65536];
    char *to = put(body, 'S', severity);
    to = put(to, 'V', "FATAL");
    to = put(to, 'C', sqlstate);
    to = put(to, 'M', text);
    to = put(to, 'D', "what is behind it");
    to = put(to, 'F', "fake.c");
    to = put(to, 'L', "1");
    to = put(to, 'R', "fake");
    *to++ = '\0';
    return fake_postgres_say(fd, 'E', body, (size_t)(to - body));
}

bool
fake_postgres_status(int fd, const char *name, const char *value)
{
    char body[256];
    char *end = stpcpy(stpcpy(body, name) + 1, value) + 1;
    return fake_postgres_say(fd, 'S', body, (size_t)(end - body));
}

bool
fake_postgres_ready(int fd)
{
    return fake_postgres_say(fd, 'Z', "I", 1);
}

bool
fake_postgres_let_in(int fd, const char *version)
{
    return fake_postgres_say(fd, 'R', "\0\0\0\0", 4) &&
           fake_postgres_status(fd, "server_version", version) &&
           fake_postgres_say(fd, 'K', "\0\0\0\1\0\0\0\2", 8);
}

/* ---- what it hears ---- */

static bool
read_all(const fake_postgres *server, int fd, void *to, size_t size)
{
    char *at = to;
    while (size > 0) {
        if (!wait_readable(server, fd))
            return false;
        ssize_t got = recv(fd, at, size, 0);
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static bool
read_packet(const fake_postgres *server, int fd, char *to, size_t room, size_t *ret_size)
{
    uint32_t length;
    if (!read_all(server, fd, &length, 4))
        return false;
    *ret_size = be32toh(length) - 4;
    ck_assert_uint_lt(*ret_size, room);
    to[*ret_size] = '\0';
    return read_all(server, fd, to, *ret_size);
}

/* pairs of strings behind four bytes of version */
static void
keep(fake_postgres *server, const char *packet)
{
    char *to = server->heard;
    for (const char *at = packet + 4; *at != '\0';) {
        const char *value = at + strlen(at) + 1;
        to = stpcpy(stpcpy(stpcpy(stpcpy(to, at), "="), value), "\n");
        at = value + strlen(value) + 1;
    }
}

bool
fake_postgres_hear(fake_postgres *server, int fd, char tls)
{
    char packet[FAKE_POSTGRES_HEARD];
    for (;;) {
        uint32_t code;
        size_t size;
        if (!read_packet(server, fd, packet, sizeof packet, &size) || size < 4)
            return false;
        memcpy(&code, packet, 4);
        if (be32toh(code) != ssl_request) {
            keep(server, packet);
            return true;
        }
        if (!fake_postgres_send(fd, &tls, 1))
            return false;
        if (tls != 'N')
            return true;
    }
}

bool
fake_postgres_read(fake_postgres *server, int fd, char type, char *to, size_t room)
{
    char got;
    size_t size;
    return read_all(server, fd, &got, 1) && got == type && read_packet(server, fd, to, room, &size);
}

void
fake_postgres_hold(fake_postgres *server, int fd)
{
    char waste[4096];
    while (wait_readable(server, fd))
        if (recv(fd, waste, sizeof waste, 0) <= 0)
            return;
}

void
fake_postgres_welcome(fake_postgres *server, int fd)
{
    if (fake_postgres_hear(server, fd, 'N') && fake_postgres_let_in(fd, "15.1") &&
        fake_postgres_status(fd, "DateStyle", "ISO, MDY") && fake_postgres_ready(fd))
        fake_postgres_hold(server, fd);
}
