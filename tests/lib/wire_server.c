#include "tests/lib/wire_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/wire_line.h"

enum { CANCEL_CODE = 80877102, TLS_CODE = 80877103, GSS_CODE = 80877104 };

/* ---- saying something ---- */

/* Says all of it; false when nobody hears it. */
static bool
flush(line *self)
{
    size_t said = 0;
    while (said < self->size) {
        size_t count = self->size - said;
        if (self->piece > 0 && count > self->piece)
            count = self->piece;
        struct pollfd fds[2] = {{.fd = self->fd, .events = POLLOUT},
                                {.fd = self->of->end, .events = POLLIN}};
        poll(fds, 2, -1);
        ssize_t put_now = send(self->fd, self->out + said, count, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (fds[1].revents != 0 || (put_now < 0 && errno != EAGAIN))
            return false;
        said += put_now > 0 ? (size_t)put_now : 0;
    }
    self->size = 0;
    self->piece = 0;
    return !self->over;
}

/* ---- misbehaving ---- */

static void
say_idle_rows(line *self)
{
    say_columns(self, 1, 25, 0);
    say_rows(self);
    say_ready(self);
}

static void
say_idle_error(line *self)
{
    say_failure(self, 'E', "ERROR", "XX000", "nobody has asked");
}

static void
say_idle_fatal(line *self)
{
    say_failure(self, 'E', "FATAL", "57P01", "going away");
    self->over = true;
}

static void
say_garbage(line *self)
{
    unsigned state = 7;
    for (int i = 0; i < 3000; i++) {
        char byte = (char)((state = state * 1103515245u + 12345u) >> 16);
        put(self, &byte, 1);
    }
}

const char *const wire_words[] = {
    "two_errors", "two_ready",   "no_ready",        "early_ready",  "no_answer",  "twice",
    "two_ends",   "row_behind",  "unknown",         "bad_length",   "negative",   "absurd",
    "truncated",  "no_columns",  "long_cell",       "flood",        "statuses",   "notifies",
    "garbage",    "half",        "close",           "fatal",        "fatal_open", "begin",
    "copy_in",    "copy_out",    "copy_both",       "suspended",    "empty",      "password",
    "key",        "negotiate",   "late_error",      "late_fatal",   "idle_rows",  "idle_row",
    "idle_error", "idle_fatal",  "idle_garbage",    "bytes",        "error",      "two_columns",
    "binary",     "transaction", "described_again", "commit_error", NULL};

static void
fill(line *self, const char *word)
{
    for (int i = 0; i < 20000; i++) {
        if (strcmp(word, "flood") == 0)
            say_failure(self, 'N', "NOTICE", "00000", "something that nobody wants to know");
        else if (strcmp(word, "statuses") == 0)
            say_status(self, "application_name", i % 2 == 0 ? "one" : "another");
        else {
            begin(self, 'A');
            put_int(self, 1), put_text(self, "channel"), put_text(self, "payload");
            end(self);
        }
    }
    say_rows(self);
}

static void
say_copy(line *self, char type)
{
    begin(self, type);
    put(self, "", 1), put_short(self, 0);
    end(self);
}

/* Lengths and counts that are not true. False: it is no such word. */
static bool
say_untrue(line *self, const char *word)
{
    if (strcmp(word, "bad_length") == 0)
        begin(self, 'D'), end_as(self, 2);
    else if (strcmp(word, "negative") == 0)
        begin(self, 'D'), end_as(self, (uint32_t)-5);
    else if (strcmp(word, "absurd") == 0)
        begin_row(self, 1, 0x7fffff00), end_as(self, 0x7fffff10);
    else if (strcmp(word, "truncated") == 0)
        begin_row(self, 3, 0), end(self);
    else if (strcmp(word, "no_columns") == 0)
        begin(self, 'D'), put_short(self, 0), end(self);
    else if (strcmp(word, "long_cell") == 0)
        begin_row(self, 1, 100), put(self, "short", 5), end(self);
    else
        return false;
    say(self, 'C', "SELECT 1");
    return true;
}

/* What ends badly. False: it is no such word. */
static bool
say_last(line *self, const char *word)
{
    if (strcmp(word, "commit_error") == 0) {
        say_rows(self), self->refuses = true;
    } else if (strcmp(word, "two_errors") == 0) {
        say_failure(self, 'E', "ERROR", "42601", "one");
        say_failure(self, 'E', "ERROR", "42601", "two");
    } else if (strcmp(word, "error") == 0) {
        say_failure(self, 'E', "ERROR", "42601", "one");
        self->skips = true;
    } else if (strcmp(word, "stopped_once") == 0) {
        if (atomic_fetch_add(&self->of->stopped, 1) > 0) {
            say_rows(self);
        } else {
            say_failure(self, 'E', "ERROR", "57014", "canceling statement");
            self->skips = true;
        }
    } else if (strcmp(word, "fatal") == 0 || strcmp(word, "fatal_open") == 0) {
        say_failure(self, 'E', "FATAL", "57P01", "going away");
        self->over = word[5] == '\0';
        self->readies = 0;
    } else if (strcmp(word, "demoted") == 0 || strcmp(word, "read_only") == 0) {
        if (word[0] == 'd')
            say_status(self, "in_hot_standby", "on");
        say_failure(self, 'E', "ERROR", "25006", "cannot do that in a read-only transaction");
        self->skips = true;
    } else if (strcmp(word, "late_error") == 0) {
        say_rows(self), say_failure(self, 'E', "ERROR", "23505", "not unique");
    } else if (strcmp(word, "late_fatal") == 0) {
        say_rows(self), say_failure(self, 'E', "FATAL", "57P01", "going away");
        self->over = true;
        self->readies = 0;
    } else if (strcmp(word, "half") == 0) {
        begin_row(self, 1, 100), put(self, "half", 4), end_as(self, 110);
        self->over = true;
    } else if (strcmp(word, "close") == 0) {
        self->over = true;
    } else {
        return false;
    }
    return true;
}

/* Messages that have no business there, with or behind the answer. */
static void
say_misplaced(line *self, const char *word)
{
    bool ends = strcmp(word, "suspended") != 0 && strcmp(word, "empty") != 0 &&
                strncmp(word, "copy_", 5) != 0 && strcmp(word, "begin") != 0;
    if (strcmp(word, "unknown") == 0)
        say(self, '!', "what is this?");
    else if (strcmp(word, "garbage") == 0)
        say_garbage(self);
    else if (strcmp(word, "copy_in") == 0)
        say_copy(self, 'G');
    else if (strcmp(word, "copy_out") == 0)
        say_copy(self, 'H'), say(self, 'd', "data"), say(self, 'c', NULL);
    else if (strcmp(word, "copy_both") == 0)
        say_copy(self, 'W');
    else if (strcmp(word, "suspended") == 0)
        say_row(self), say(self, 's', NULL);
    else if (strcmp(word, "empty") == 0)
        say(self, 'I', NULL);
    else if (strcmp(word, "password") == 0)
        begin(self, 'R'), put_int(self, 3), end(self);
    else if (strcmp(word, "key") == 0)
        begin(self, 'K'), put_int(self, 4), put_int(self, 5), end(self);
    else if (strcmp(word, "negotiate") == 0)
        begin(self, 'v'), put_int(self, 0), put_int(self, 0), end(self);
    else if (strcmp(word, "early_ready") == 0)
        say_ready(self);
    else if (strcmp(word, "described_again") == 0)
        say_row(self), say_columns(self, 1, 25, 0);
    if (strcmp(word, "transaction") == 0)
        self->status = 'T';
    if (strcmp(word, "begin") == 0)
        self->status = 'T', say(self, 'C', "BEGIN");
    if (ends)
        say_rows(self);
    if (strcmp(word, "twice") == 0)
        say_columns(self, 1, 25, 0), say_rows(self);
    else if (strcmp(word, "two_ends") == 0)
        say(self, 'C', "SELECT 1");
    else if (strcmp(word, "row_behind") == 0)
        say_row(self);
}

static const char *
word_of(const char *sql)
{
    const char *mark = strstr(sql, " -- ");
    return mark != NULL ? mark + 4 : "";
}

static bool
is_setting(const line *self)
{
    return strncmp(self->bound, "set ", 4) == 0;
}

static void
count_limits(line *self)
{
    static const char set[] = "set statement_timeout = ", show[] = "show statement_timeout";
    if (strncmp(self->bound, set, sizeof set - 1) == 0) {
        atomic_fetch_add(&self->of->limits, 1);
        atomic_store(&self->of->limit, atoi(self->bound + sizeof set - 1));
    } else if (strcmp(self->bound, show) == 0) {
        atomic_fetch_add(&self->of->asked, 1);
        strcpy(self->bound, "0");
    }
}

static void
execute(line *self)
{
    const char *word = word_of(self->bound);
    count_limits(self);
    if (is_setting(self)) {
        if ((self->skips = atomic_load(&self->of->sets_nothing)))
            say_failure(self, 'E', "ERROR", "42704", "there is no such setting");
        else
            say(self, 'C', "SET");
        return;
    }
    if (strncmp(word, "idle_", 5) == 0)
        self->idle = strcmp(word, "idle_rows") == 0    ? say_idle_rows
                     : strcmp(word, "idle_row") == 0   ? say_row
                     : strcmp(word, "idle_error") == 0 ? say_idle_error
                     : strcmp(word, "idle_fatal") == 0 ? say_idle_fatal
                                                       : say_garbage;
    bool silent = strcmp(word, "no_answer") == 0;
    self->piece = strcmp(word, "bytes") == 0 ? 1 : self->piece;
    if (strcmp(word, "two_ready") == 0)
        self->readies = 2;
    else if (silent || strcmp(word, "no_ready") == 0)
        self->readies = 0;
    if (silent)
        return;
    if (strcmp(word, "flood") == 0 || strcmp(word, "statuses") == 0 ||
        strcmp(word, "notifies") == 0)
        fill(self, word);
    else if (!say_untrue(self, word) && !say_last(self, word))
        say_misplaced(self, word);
}

static void
describe(line *self)
{
    const char *word = word_of(self->bound);
    bool two = strcmp(word, "two_columns") == 0, binary = strcmp(word, "binary") == 0;
    if (is_setting(self))
        say(self, 'n', NULL);
    else
        say_columns(self, two ? 2 : 1, binary ? 20 : 25, binary ? 1 : 0);
}

/* ---- listening ---- */

/* False when it is over. */
static bool
hear(line *self, void *data, size_t size)
{
    for (size_t heard = 0; heard < size;) {
        struct pollfd fds[2] = {{.fd = self->fd, .events = POLLIN},
                                {.fd = self->of->end, .events = POLLIN}};
        poll(fds, 2, -1);
        if (fds[1].revents != 0)
            return false;
        ssize_t got = recv(self->fd, (char *)data + heard, size - heard, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return false;
        heard += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static void
prepare(line *self, const char *body)
{
    int at = self->name_count < NAMES ? self->name_count : 0;
    for (int i = 0; i < self->name_count; i++)
        at = strcmp(self->names[i], body) == 0 ? i : at;
    if (at == self->name_count)
        self->name_count++;
    snprintf(self->names[at], sizeof self->names[at], "%.23s", body);
    snprintf(self->texts[at], sizeof self->texts[at], "%.399s", body + strlen(body) + 1);
    say(self, '1', NULL);
}

static void
bind_statement(line *self, const char *body)
{
    const char *name = body + strlen(body) + 1;
    self->bound[0] = '\0';
    for (int i = 0; i < self->name_count; i++) {
        if (strcmp(self->names[i], name) == 0)
            memcpy(self->bound, self->texts[i], sizeof self->bound);
    }
    /* what the first parameter holds takes the place of the text */
    const char *at = name + strlen(name) + 1;
    uint16_t formats, values;
    uint32_t length;
    memcpy(&formats, at, sizeof formats);
    at += sizeof formats + 2 * ntohs(formats);
    memcpy(&values, at, sizeof values);
    memcpy(&length, at + sizeof values, sizeof length);
    if (ntohs(values) > 0 && ntohl(length) < TEXT)
        snprintf(self->bound, sizeof self->bound, "%.*s", (int)ntohl(length),
                 at + sizeof values + sizeof length);
    say(self, '2', NULL);
}

static void
end_segment(line *self)
{
    if (self->refuses)
        say_failure(self, 'E', "ERROR", "40001", "not committed");
    for (; self->readies > 0; self->readies--)
        say_ready(self);
    self->readies = 1;
    self->skips = self->refuses = false;
    if (self->idle != NULL)
        self->idle(self);
    self->idle = NULL;
}

/* False: nothing more is heard. */
static bool
take(line *self, char type, const char *body)
{
    if (self->skips && type != 'S')
        return type != 'X';
    if (type == 'P')
        prepare(self, body);
    else if (type == 'B')
        bind_statement(self, body);
    else if (type == 'D')
        describe(self);
    else if (type == 'E')
        execute(self);
    else if (type == 'C')
        say(self, '3', NULL);
    else if (type != 'S')
        return type != 'X';
    if (type != 'S')
        return true;
    end_segment(self);
    return flush(self);
}

static bool
log_in(line *self)
{
    uint32_t head[2];
    char body[2000];
    for (;;) {
        if (!hear(self, head, sizeof head))
            return false;
        if (ntohl(head[1]) != TLS_CODE && ntohl(head[1]) != GSS_CODE)
            break;
        put(self, "N", 1);
        flush(self);
    }
    if (ntohl(head[1]) == CANCEL_CODE) {
        atomic_fetch_add(&self->of->cancels, 1);
        return false;
    }
    size_t rest = ntohl(head[0]) - sizeof head;
    if (rest > sizeof body || !hear(self, body, rest))
        return false;
    atomic_fetch_add(&self->of->logins, 1);
    begin(self, 'R'), put_int(self, 0), end(self);
    say_status(self, "server_version", "15.0");
    say_status(self, "in_hot_standby", atomic_load(&self->of->is_standby) ? "on" : "off");
    say_status(self, "client_encoding", "UTF8");
    say_status(self, "DateStyle", "ISO, MDY");
    say_status(self, "TimeZone", "UTC");
    say_status(self, "standard_conforming_strings", "on");
    say_status(self, "integer_datetimes", "on");
    begin(self, 'K'), put_int(self, 2), put_int(self, 3), end(self);
    say_ready(self);
    return flush(self);
}

static void *
serve(void *arg)
{
    line *self = arg;
    char type, body[8192];
    uint32_t length;
    bool goes_on = log_in(self);
    while (goes_on && hear(self, &type, 1) && hear(self, &length, sizeof length)) {
        size_t rest = ntohl(length) - sizeof length;
        if (rest >= sizeof body || !hear(self, body, rest))
            break;
        body[rest] = '\0';
        goes_on = take(self, type, body);
    }
    /* what was said is to be heard: closed with something unread, the kernel might drop it */
    shutdown(self->fd, SHUT_WR);
    while (hear(self, &type, 1)) {
    }
    close(self->fd);
    free(self->out);
    atomic_fetch_sub(&self->of->lines, 1);
    free(self);
    return NULL;
}

static void *
live(void *arg)
{
    wire_server *self = arg;
    for (;;) {
        struct pollfd fds[2] = {{.fd = self->listener, .events = POLLIN},
                                {.fd = self->end, .events = POLLIN}};
        pthread_t thread;
        poll(fds, 2, -1);
        if (fds[1].revents != 0)
            return NULL;
        line *one = calloc(1, sizeof *one);
        if (one == NULL)
            fail("a line");
        one->of = self;
        one->status = 'I';
        one->readies = 1;
        one->fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
        atomic_fetch_add(&self->lines, 1);
        if (pthread_create(&thread, NULL, serve, one) != 0)
            fail("a thread");
        pthread_detach(thread);
    }
}

/* ---- from start to end ---- */

void
wire_server_start(wire_server *self)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    memset(self, 0, sizeof *self);
    self->end = eventfd(0, EFD_CLOEXEC);
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->end < 0 || self->listener < 0 ||
        bind(self->listener, (struct sockaddr *)&at, size) != 0 ||
        listen(self->listener, 100) != 0 ||
        getsockname(self->listener, (struct sockaddr *)&at, &size) != 0 ||
        pthread_create(&self->thread, NULL, live, self) != 0)
        fail("no listener");
    snprintf(self->url, sizeof self->url,
             "postgresql://wire@127.0.0.1:%d/wire?sslmode=disable&gssencmode=disable",
             ntohs(at.sin_port));
}

void
wire_server_stop(wire_server *self)
{
    eventfd_write(self->end, 1);
    pthread_join(self->thread, NULL);
    while (atomic_load(&self->lines) > 0)
        sched_yield();
    close(self->listener);
    close(self->end);
}
