/*
 * The other end of a native fake's socket: a thread that reads statements and writes their answers
 * in pieces. Its mutable state is the thread's, but for what is atomic.
 */
#ifndef TESTS_LIB_FAKE_SERVER_H
#define TESTS_LIB_FAKE_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/fake_config.h"
#include "tests/lib/fake_words.h"

enum { FAKE_SOCKETS = 64, FAKE_STOPS = 1024 };

/* What is sent: this, the SQL with its NUL, and each value with its bytes behind it. */
typedef struct fake_ask {
    uint32_t number; /* of the statement, from 0 */
    uint32_t sql_size, count;
    bool read_only, has_token;
} fake_ask;

/* What is sent of a copy: this, and its bytes behind it. */
typedef enum fake_piece_kind { FAKE_PIECE_DATA, FAKE_PIECE_END, FAKE_PIECE_ABORT } fake_piece_kind;

typedef struct fake_piece {
    fake_piece_kind kind;
    uint32_t size;
} fake_piece;

typedef struct fake_server {
    const fake_config *config;
    fake_session session;
    pthread_t thread;
    int out;              /* where answers go */
    int in[FAKE_SOCKETS]; /* where statements come from: the first until its end, then the next */
    int in_count;
    uint32_t number;      /* of the statement that runs */
    unsigned pieces;      /* counts what was written, to vary its size */
    fake_piece piece;     /* what is left of one that is being read */
    pthread_mutex_t lock; /* of writing */
    char *buffer;         /* written soon */
    size_t size, room;
    atomic_bool closing;
    atomic_bool stops[FAKE_STOPS]; /* by the statement's number */
    atomic_int spare; /* the client's end of a new socket, to be taken when SWAP comes; or -1 */
} fake_server;

/* Starts it; the client's end, nonblocking, or -1. */
int fake_server_start(fake_server *server, const fake_config *config);
/* After the client's end was closed: waits for its end. */
void fake_server_stop(fake_server *server);

/* Whether a value has bytes behind it, and how many. */
size_t fake_value_bytes(const dbal_value *value, const void **ret_data);

#endif
