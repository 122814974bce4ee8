/*
 * COPY. It has the connection to itself and leaves pipeline mode, in which libpq cannot copy; what
 * is in flight before it (the closing of an evicted statement) is waited for.
 */
#ifndef DBAL__POSTGRES_COPY_H
#define DBAL__POSTGRES_COPY_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/driver.h>

struct dbal__postgres_connection;

typedef enum dbal__postgres_copy_stage {
    DBAL__POSTGRES_COPY_WAITS, /* for the connection to fall silent */
    DBAL__POSTGRES_COPY_ASKED, /* its statement was sent */
    DBAL__POSTGRES_COPY_FEEDS, /* the server takes data */
    DBAL__POSTGRES_COPY_READS, /* the server gives data */
    DBAL__POSTGRES_COPY_ENDS   /* there is no more data: its results follow */
} dbal__postgres_copy_stage;

typedef struct dbal__postgres_copy {
    dbal_request *request; /* the one that has the connection, or NULL */
    dbal__postgres_copy_stage stage;
    int given_back;   /* times that the session's own limit was asked for */
    const char *data; /* what the core has given, and libpq has not got yet */
    size_t left;
    bool sleeps;  /* there is no data, until it is resumed */
    bool over;    /* the server has ended it, though libpq does not say so */
    bool whole;   /* the server may have been told that this was all */
    bool failed;  /* its fault is set */
    bool refused; /* its sink takes no more */
    bool matters; /* it writes, or is in a transaction: it is to come to its end */
    bool stopped; /* its caller wants it to end */
} dbal__postgres_copy;

/* Takes a request that is a copy. */
void dbal__postgres_copy_submit(struct dbal__postgres_connection *self, dbal_request *request);
/* Whether one waits for the answers to what was sent before it. */
bool dbal__postgres_copy_waits(const struct dbal__postgres_connection *self);
/* Looks at what has arrived, before libpq reads it. */
void dbal__postgres_copy_look(struct dbal__postgres_connection *self);
/* Does what can be done now. */
void dbal__postgres_copy_go_on(struct dbal__postgres_connection *self);
/* It is to end. */
void dbal__postgres_copy_cancel(struct dbal__postgres_connection *self);
/* There is data for it, or room. */
void dbal__postgres_copy_resume(struct dbal__postgres_connection *self);
/* The consumer is behind: nothing is to be read. */
bool dbal__postgres_copy_is_held_back(const struct dbal__postgres_connection *self);
/* The connection is gone: ends one of which it is known what became of it. */
void dbal__postgres_copy_lost(struct dbal__postgres_connection *self);

#endif
