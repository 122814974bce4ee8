/*
 * A door to a real PostgreSQL server, on loopback, that a test can shut, hold or make narrow. What
 * asks to cancel a statement is told from what logs in.
 */
#ifndef TESTS_LIB_PROXY_H
#define TESTS_LIB_PROXY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "tests/lib/postgres.h"

enum { PROXY_LINES = 256 };

typedef struct proxy_line {
    int client, server; /* -1: none */
    bool begun;         /* its first packet was seen */
    char up[16384], down[16384];
    int up_size, down_size; /* bytes that wait */
    long long passed;       /* bytes to the client */
} proxy_line;

typedef struct proxy {
    char url[192];
    atomic_int logins, cancels; /* taken */
    atomic_bool mute;           /* cancels are taken, and never passed on or answered */
    atomic_bool held;           /* nothing passes, either way */
    atomic_int piece;           /* bytes passed to a client at once; 0: all there are */
    atomic_llong most;          /* a client is cut off after so many bytes; -1: never */
    atomic_bool cut;            /* cuts all off, once */
    atomic_bool closed;         /* takes, and cuts off at once */
    const postgres *of;
    int listener, end;
    pthread_t thread;
    proxy_line *lines;
} proxy;

void proxy_start(proxy *self, const postgres *server);
void proxy_stop(proxy *self);
/* Cuts all lines now; returns when that is done. */
void proxy_cut(proxy *self);

#endif
