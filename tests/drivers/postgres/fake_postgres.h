/* A server that speaks PostgreSQL's protocol as badly as a test wants it to, on loopback. */
#ifndef TESTS_POSTGRES_FAKE_POSTGRES_H
#define TESTS_POSTGRES_FAKE_POSTGRES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { FAKE_POSTGRES_HEARD = 8192 };

typedef struct fake_postgres fake_postgres;

/* One connection, in the server's thread; it is closed when this returns. */
typedef void fake_postgres_talk(fake_postgres *server, int fd);

struct fake_postgres {
    fake_postgres_talk *talk;
    void *arg;
    int port;
    atomic_int calls;                /* connections taken */
    char heard[FAKE_POSTGRES_HEARD]; /* the last startup packet's, "name=value\n" */
    char query[FAKE_POSTGRES_HEARD]; /* the last simple query */
    int listener, end;               /* end: an eventfd */
    pthread_t thread;
};

/* Listens on an address of 127.0.0.0/8, at `port`, or any with 0. */
void fake_postgres_start(fake_postgres *server, const char *address, int port,
                         fake_postgres_talk *talk, void *arg);
void fake_postgres_stop(fake_postgres *server);

/* ---- what talks are made of; each false when the other end is gone, or the server is stopped ---- */

/* Reads the startup packet into `heard`; TLS is declined before, or taken up with `tls` 'S'. */
bool fake_postgres_hear(fake_postgres *server, int fd, char tls);
bool fake_postgres_send(int fd, const void *data, size_t size);
/* A message: its type, and what it says. */
bool fake_postgres_say(int fd, char type, const void *body, size_t size);
/* An ErrorResponse; the severity in the server's language, with the English one beside it. */
bool fake_postgres_fail(int fd, const char *severity, const char *sqlstate, const char *text);
/* A ParameterStatus. */
bool fake_postgres_status(int fd, const char *name, const char *value);
/* Authentication is over; what follows a login, up to ReadyForQuery. */
bool fake_postgres_let_in(int fd, const char *version);
bool fake_postgres_ready(int fd);
/* Reads a message whose type is given: its body into `to`, NUL-terminated. */
bool fake_postgres_read(fake_postgres *server, int fd, char type, char *to, size_t room);
/* A talk: lets everybody in, and holds the connection. */
void fake_postgres_welcome(fake_postgres *server, int fd);
/* Until the other end closes or the server is stopped. */
void fake_postgres_hold(fake_postgres *server, int fd);

#endif
