/*
 * A server that speaks PostgreSQL's protocol, on loopback, and misbehaves as a statement says: "select
 * 'x' -- WORD". Without a word of its own (see wire_words) its answer is one row with the statement's
 * text. What is asked to be cancelled goes on all the same.
 */
#ifndef TESTS_LIB_WIRE_SERVER_H
#define TESTS_LIB_WIRE_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

/* What it can be told, NULL at the end. */
extern const char *const wire_words[];

typedef struct wire_server {
    char url[120];
    atomic_int logins, cancels; /* taken */
    atomic_bool sets_nothing;   /* SET fails */
    atomic_int stopped;         /* how often what is stopped once was asked */
    atomic_int asked, limits;   /* SHOW and SET of statement_timeout, taken */
    atomic_int limit;           /* the last one; 0: taken back */
    atomic_bool is_standby;     /* says so at logins */
    int listener, end;          /* end: an eventfd */
    pthread_t thread;
    atomic_int lines; /* threads that serve */
} wire_server;

void wire_server_start(wire_server *self);
void wire_server_stop(wire_server *self);

#endif
