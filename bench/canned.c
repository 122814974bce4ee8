#include "canned.h"

#include <endian.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "place.h"

enum { CLIENTS = 16, IN = 256 * 1024, OUT = 1024 * 1024 };
enum { SSL_REQUEST = 80877103, GSS_REQUEST = 80877104 };
enum { TEXT_TYPE = 25, INT8_TYPE = 20 };

static char folder[64], url[256];
static pid_t server;

/* ---- in the server ------------------------------------------------------------------------------- */

typedef struct client {
    int fd;
    bool known, binary; /* logged in; how results are wanted */
    int64_t key;
    size_t size, out;
    unsigned char in[IN];
    char answer[OUT];
} client;

static void
put(client *to, const void *data, size_t size)
{
    memcpy(to->answer + to->out, data, size);
    to->out += size;
}

static void
put_int(client *to, uint32_t value, size_t size)
{
    uint32_t big = htobe32(value << (32 - 8 * size));
    put(to, &big, size);
}

static void
put_text(client *to, const char *text)
{
    put(to, text, strlen(text) + 1);
}

/* Its length is written by end_message(). */
static size_t
message(client *to, char type)
{
    put(to, &type, 1);
    size_t at = to->out;
    put_int(to, 0, 4);
    return at;
}

static void
end_message(client *to, size_t at)
{
    uint32_t size = htobe32((uint32_t)(to->out - at));
    memcpy(to->answer + at, &size, 4);
}

static void
put_message(client *to, char type, const char *text, size_t size)
{
    size_t at = message(to, type);
    put(to, text, size);
    end_message(to, at);
}

static void
put_column(client *to, const char *name, uint32_t type, uint32_t size)
{
    put_text(to, name);
    put_int(to, 0, 4);
    put_int(to, 0, 2);
    put_int(to, type, 4);
    put_int(to, size, 2);
    put_int(to, UINT32_MAX, 4);
    put_int(to, to->binary ? 1 : 0, 2);
}

static void
describe(client *to)
{
    size_t at = message(to, 'T');
    put_int(to, 2, 2);
    put_column(to, "name", TEXT_TYPE, UINT16_MAX);
    put_column(to, "price", INT8_TYPE, 8);
    end_message(to, at);
}

static void
execute(client *to)
{
    static const char name[] = "item number 00000000";
    size_t at = message(to, 'D');
    uint64_t price = (uint64_t)to->key * 7 % 1000, big = htobe64(price);
    put_int(to, 2, 2);
    put_int(to, sizeof name - 1, 4);
    put(to, name, sizeof name - 1);
    if (to->binary) {
        put_int(to, sizeof big, 4);
        put(to, &big, sizeof big);
    } else {
        char text[24];
        int size = snprintf(text, sizeof text, "%d", (int)price);
        put_int(to, (uint32_t)size, 4);
        put(to, text, (size_t)size);
    }
    end_message(to, at);
    put_message(to, 'C', "SELECT 1", 9);
}

static uint32_t
get_int(const unsigned char *from, size_t size)
{
    uint32_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | from[i];
    return value;
}

/* The key is its only parameter, binary. */
static void
take_bind(client *to, const unsigned char *data)
{
    uint64_t key;
    data += strlen((const char *)data) + 1;
    data += strlen((const char *)data) + 1;
    data += 2 + 2 * get_int(data, 2); /* formats */
    data += 2 + 4;                    /* how many values, and the length of this one */
    memcpy(&key, data, sizeof key);
    to->key = (int64_t)be64toh(key);
    data += sizeof key;
    to->binary = get_int(data, 2) > 0 && get_int(data + 2, 2) == 1;
    put_message(to, '2', "", 0);
}

static void
log_in(client *to)
{
    static const char *const settings[][2] = {
        {"server_version", "15.0"},    {"server_encoding", "UTF8"},
        {"client_encoding", "UTF8"},   {"DateStyle", "ISO, MDY"},
        {"TimeZone", "UTC"},           {"integer_datetimes", "on"},
        {"in_hot_standby", "off"},     {"standard_conforming_strings", "on"},
        {"is_superuser", "on"},        {"session_authorization", "postgres"},
        {"IntervalStyle", "postgres"}, {"default_transaction_read_only", "off"},
    };
    put_message(to, 'R', "\0\0\0\0", 4);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        size_t at = message(to, 'S');
        put_text(to, settings[i][0]);
        put_text(to, settings[i][1]);
        end_message(to, at);
    }
    put_message(to, 'K', "\0\0\0\1\0\0\0\1", 8);
    put_message(to, 'Z', "I", 1);
    to->known = true;
}

/* False: it is over. */
static bool
take(client *to, unsigned char type, const unsigned char *data)
{
    switch (type) {
    case 'P':
        put_message(to, '1', "", 0);
        return true;
    case 'B':
        take_bind(to, data);
        return true;
    case 'D':
        if (data[0] == 'S')
            put_message(to, 't', "\0\1\0\0\0\24", 6);
        describe(to);
        return true;
    case 'E':
        execute(to);
        return true;
    case 'C':
        put_message(to, '3', "", 0);
        return true;
    case 'S':
        put_message(to, 'Z', "I", 1);
        return true;
    case 'Q':
        put_message(to, 'C', "SET", 4);
        put_message(to, 'Z', "I", 1);
        return true;
    case 'H':
        return true;
    default:
        return false;
    }
}

static void
greet(client *to, const unsigned char *data)
{
    uint32_t code = get_int(data + 4, 4);
    if (code == SSL_REQUEST || code == GSS_REQUEST)
        put(to, "N", 1);
    else
        log_in(to);
}

/* All the messages that are whole; false: it is over. */
static bool
take_all(client *to)
{
    size_t at = 0;
    for (;;) {
        size_t head = to->known ? 1 : 0;
        if (to->size - at < head + 4)
            break;
        size_t size = head + get_int(to->in + at + head, 4);
        if (to->size - at < size)
            break;
        if (!to->known)
            greet(to, to->in + at);
        else if (!take(to, to->in[at], to->in + at + 5))
            return false;
        at += size;
    }
    memmove(to->in, to->in + at, to->size - at);
    to->size -= at;
    return true;
}

/* One write for each read. */
static bool
serve(client *to)
{
    ssize_t size = read(to->fd, to->in + to->size, IN - to->size);
    if (size <= 0)
        return false;
    to->size += (size_t)size;
    to->out = 0;
    return take_all(to) && (to->out == 0 || write(to->fd, to->answer, to->out) == (ssize_t)to->out);
}

static void
live(int listener)
{
    static client *clients[CLIENTS];
    struct pollfd fds[CLIENTS + 1];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int count = 0;
        fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
        for (int i = 0; i < CLIENTS; i++)
            fds[i + 1] =
                (struct pollfd){.fd = clients[i] != NULL ? clients[i]->fd : -1, .events = POLLIN};
        if (poll(fds, CLIENTS + 1, -1) < 0)
            continue;
        for (int i = 0; i < CLIENTS; i++) {
            if (clients[i] == NULL && fds[0].revents != 0 && count++ == 0 &&
                (clients[i] = calloc(1, sizeof *clients[i])) != NULL) {
                clients[i]->fd = accept(listener, NULL, NULL);
            } else if (clients[i] != NULL && fds[i + 1].revents != 0 && !serve(clients[i])) {
                close(clients[i]->fd);
                free(clients[i]);
                clients[i] = NULL;
            }
        }
    }
}

/* ---- outside of it ------------------------------------------------------------------------------- */

static void
socket_path(char path[128])
{
    snprintf(path, 128, "%s/.s.PGSQL.5432", folder);
}

static int
listen_there(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[128];
    socket_path(path);
    snprintf(address.sun_path, sizeof address.sun_path, "%.107s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, CLIENTS) != 0)
        bench_fail("no socket in %s", folder);
    return fd;
}

const char *
bench_canned_begin(void)
{
    strcpy(folder, "/tmp/dbal-bench-XXXXXX");
    if (mkdtemp(folder) == NULL)
        bench_fail("no folder in /tmp");
    int listener = listen_there();
    server = fork();
    if (server == 0)
        live(listener);
    close(listener);
    if (server < 0)
        bench_fail("no process");
    snprintf(url, sizeof url, "postgresql:///postgres?host=%s&port=5432&user=postgres", folder);
    return url;
}

void
bench_canned_end(void)
{
    char path[128];
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    socket_path(path);
    unlink(path);
    rmdir(folder);
}
