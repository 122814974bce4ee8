/*
 * The process gate: each connection is a worker process, which has the driver and its connection. To
 * the pool it is a driver like any other, with a native face: what it submits is written to a socket,
 * and what the worker answers is read from it, on the loop, without ever blocking there.
 */
#ifndef DBAL__PROCESS_H
#define DBAL__PROCESS_H

#include <stdint.h>

#include "dbal/child.h"
#include "dbal/driver.h"
#include "dbal/parcel.h"

/* What all workers of a pool are given; made once for a pool. */
typedef struct dbal__process_config {
    const dbal_driver *driver; /* the one that the workers run */
    void *config;              /* of that driver, in this process: for what a text tells */
    char *worker;              /* the program's path */
    char *url, *directory;     /* as the application has them */
    bool pools_transactions;
    char **environment;
    int64_t max_statements, max_memory; /* after which a worker is replaced; 0: never */
} dbal__process_config;

/*
 * The driver whose connections are workers that run another; one for each, and it lives as long as
 * the process. NULL without memory.
 */
dbal__driver_entry *dbal__process_driver(dbal__driver_entry *inner);
/*
 * Its config for a URL (with all its parameters). Takes over the inner driver's, also on failure.
 * Reads the environment and the working directory. NULL with *ret_error set.
 */
dbal__process_config *dbal__process_configure(const dbal_driver *driver, void *config,
                                              const char *url, bool pools_transactions,
                                              dbal_error **ret_error);

/* ---- process_surroundings.c: what a worker starts with ---- */

/* The worker's program; owned, NULL with the fault set when there is none. */
char *dbal__process_find_worker(dbal_fault *fault);
/* What it may know of the environment; owned with its strings, NULL without memory. */
char **dbal__process_environment(void);
void dbal__process_environment_free(char **environment);

/* ---- the connection ---- */

/* What it is with one that is being lost. */
typedef enum dbal__process_state {
    DBAL__PROCESS_WORKS,
    DBAL__PROCESS_ENDS, /* its socket has closed: its status is waited for, a moment */
    DBAL__PROCESS_LOST  /* and the core knows */
} dbal__process_state;

/* A request that the worker has, or is to have. */
typedef struct dbal__flight {
    dbal_request *request;
    uint64_t number;
    bool ignored;   /* its rows are not wanted any more */
    bool cancelled; /* the worker was told to stop it, maybe before it could hear that */
    bool harmless;  /* it only reads, and can be run once more */
} dbal__flight;

typedef struct dbal__process {
    const dbal__process_config *config;
    const void *stop; /* see dbal_opening_stopped() */
    dbal__child child;
    dbal_host *host;
    dbal__process_state state;
    unsigned watched;      /* events of the data socket */
    dbal__flight *flights; /* a ring: the worker takes and answers them in their order */
    size_t first, flying, room;
    size_t written; /* how many of them are in the socket or in `out` */
    bool killed;    /* since it is at what was cancelled and its driver cannot stop */
    bool peaceful;  /* all that was asked is answered: it can be closed in peace */
    uint64_t last;  /* number that was given */
    uint64_t statements;
    dbal__ink out;
    size_t out_at;
    char *in; /* DBAL__FRAME_INSIDE and a header */
    size_t in_size, in_at;
    int passed; /* a descriptor that came and whose frame is not here yet, or -1 */
    /* the answer that is being read */
    dbal__frame frame;
    const void *shared;
    size_t shared_size;
    dbal__unpacker rows;
    bool unpacking, paused;
    dbal__verdict verdict; /* of a DONE whose rows are being read */
    dbal__columns_memory columns;
    char reason[200]; /* why it is lost, when that is more than its end */
} dbal__process;

/* ---- process_open.c: in a helper thread ---- */

bool dbal__process_open(void *connection, dbal_opening *opening, dbal_fault *fault);
void dbal__process_close(void *connection);
/* What a worker says in its last moment. */
void dbal__process_note_death(dbal__process *self, dbal__eye *body);

/* ---- process_wire.c: bytes in and out ---- */

/* Writes what it can now. False: the other end is gone. */
bool dbal__process_flush(dbal__process *self);
typedef enum dbal__process_got {
    DBAL__PROCESS_SOME,
    DBAL__PROCESS_NOTHING, /* for now */
    DBAL__PROCESS_END,     /* the other end is gone */
    DBAL__PROCESS_GARBAGE
} dbal__process_got;
/* Reads what is there, as far as there is room. */
dbal__process_got dbal__process_fill(dbal__process *self);
/*
 * The next whole frame's body: WHOLE with *ret_body, which is good until the next call. BROKEN: what
 * came is no frame, self->reason says why.
 */
dbal__frame_state dbal__process_next(dbal__process *self, dbal__frame *ret_frame,
                                     dbal__eye *ret_body);
/* Its body has been read. */
void dbal__process_drop(dbal__process *self);
/* Something to the worker beside its statements; may be lost when it does not read. */
void dbal__process_tell(dbal__process *self, dbal__frame_kind kind, uint64_t number);

/* ---- process_face.c: on the loop ---- */

extern const dbal_native dbal__process_native, dbal__process_native_without_reset;

#endif
