/*
 * In a worker process: its connection, and the one request that it runs. The main thread has the
 * driver, all of it; another hears what comes beside the requests: stop, and go on.
 */
#ifndef DBAL__SERVE_H
#define DBAL__SERVE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dbal/driver.h"
#include "dbal/mark.h"
#include "dbal/parcel.h"

/* Batches of a stream that may be on their way. */
enum { DBAL__SERVE_WINDOW = 2 };

/* Requests that were stopped before they began, remembered at once. */
enum { DBAL__SERVE_CANCELLED = 256 };

/* Statements whose time is remembered. */
enum { DBAL__SERVE_KNOWN = 64 };

/* What a statement took, on average (ns). */
typedef struct dbal__known {
    uint64_t hash;
    int64_t mean;
} dbal__known;

typedef struct dbal__server {
    int data, control;
    int parent; /* readable when the application has ended, or -1 */
    int alarm;  /* readable when answers have been held back for long, or -1 */
    dbal__driver_entry *entry;
    const dbal_driver *driver;
    void *config;
    int threadlevel;
    bool interruptible;
    void *connection;
    dbal_opening opening;
    dbal_notes notes;
    char *in; /* what was read ahead */
    size_t in_at, in_size;
    char *body; /* of the frame that was taken last */
    size_t body_room;
    dbal__ink out;
    size_t
        held; /* bytes of it that are answers, to be sent with the next; see dbal__serve_rescue() */
    int64_t held_since; /* when the first of them was there */
    bool late;          /* the alarm came between two requests; with the guard */
    dbal__known known[DBAL__SERVE_KNOWN];
    dbal__mark *mark;
    bool lost;    /* nobody reads what is written; the main thread's */
    bool dead;    /* its connection is lost, and is not entered but to be closed */
    bool bounces; /* a session's statement went back for the token: so do those behind it */
    /* of both threads */
    pthread_mutex_t guard;
    pthread_cond_t changed;
    uint64_t current;                          /* the request that runs, or 0 */
    uint64_t cancelled[DBAL__SERVE_CANCELLED]; /* those that are to be stopped, by their number */
    dbal_request *request;
    unsigned credit; /* batches that it may send */
    bool enough;     /* its consumer wants no more */
    bool gone;       /* the application */
} dbal__server;

/* ---- serve_start.c: what the process is like ---- */

/* Its limits, its descriptors, and what happens when it dies. */
void dbal__serve_begin(int data);
/* It ends as it should: nobody has to be told. */
void dbal__serve_end(void);

/* ---- serve_wire.c ---- */

/* The next frame, its body in server->body. False: there is none, or it is broken. */
bool dbal__serve_receive(dbal__server *server, dbal__frame *ret_frame);
/*
 * Sends the frame in server->out, behind those that were held back; a long one through shared memory.
 * False: there is no memory for it, it was not sent. Nobody who reads it is no failure.
 */
bool dbal__serve_send(dbal__server *server);
/* The same later: with the next, or before anything is waited for. */
bool dbal__serve_hold(dbal__server *server);
/* Sends what was held back. */
void dbal__serve_flush(dbal__server *server);
/*
 * In the other thread, with the guard, while a request runs: sends what was held back for it. The main
 * thread touches neither then, but for a stream, before which nothing is held back.
 */
void dbal__serve_rescue(dbal__server *server);
/* Whether the next request, or some of it, is here already. */
bool dbal__serve_has_more(const dbal__server *server);

/* ---- serve_control.c: the other thread ---- */

bool dbal__serve_listen(dbal__server *server);
/* A request begins, or ends (0). False: it was stopped before. */
bool dbal__serve_set_current(dbal__server *server, uint64_t number, dbal_request *request);
/* Waits until one batch more may be sent; false: it is not wanted. */
bool dbal__serve_await_credit(dbal__server *server);

/* ---- serve_request.c ---- */

/* Runs one and answers it. False: the frame is none. */
bool dbal__serve_request(dbal__server *server, const dbal__frame *frame);

#endif
