/*
 * The replies that are expected, in order. libpq keeps a queue of its own, but a confused server or
 * pooler can get that out of step; each reply is held against ours, so that nobody is ever given
 * somebody else's rows.
 */
#ifndef DBAL__POSTGRES_EXPECT_H
#define DBAL__POSTGRES_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

#include <dbal/driver.h>

#include "statement.h"

typedef enum dbal__postgres_reply {
    DBAL__POSTGRES_REPLY_GUARD,   /* to what makes a transaction read-only, for what is behind it */
    DBAL__POSTGRES_REPLY_PREPARE, /* to Parse, for the query behind it */
    DBAL__POSTGRES_REPLY_QUERY,
    DBAL__POSTGRES_REPLY_RESET, /* to what makes the session as new; its request has no text */
    DBAL__POSTGRES_REPLY_CLOSE, /* to the closing of a statement that was evicted */
    DBAL__POSTGRES_REPLY_LIMIT, /* to what sets statement_timeout, or asks for it */
    DBAL__POSTGRES_REPLY_SYNC
} dbal__postgres_reply;

/* What an answer did to the transaction. AND CHAIN is none: the next one is open at once. */
typedef enum dbal__postgres_turn {
    DBAL__POSTGRES_TURN_NONE,
    DBAL__POSTGRES_TURN_BEGAN,
    DBAL__POSTGRES_TURN_ENDED
} dbal__postgres_turn;

typedef struct dbal__postgres_expected {
    dbal__postgres_reply reply;
    dbal__postgres_turn turn;
    bool answered;         /* a result came; what ends it is still to come */
    bool failed;           /* its request's fault is set */
    bool begun;            /* its columns were told */
    bool refused;          /* its sink takes no more */
    bool stopped;          /* its caller wants it to end */
    bool exposed;          /* a cancel that was meant for another one may have hit it */
    bool single;           /* rows come one by one */
    bool again;            /* to be sent once more instead of failing */
    bool tried;            /* it was sent before */
    bool in_transaction;   /* it was sent inside one */
    bool shared;           /* others may have the same Sync, who must not notice */
    unsigned named;        /* the number of the name that it was sent with; 0: none */
    unsigned prepared;     /* under which number, in binary; 0: otherwise */
    dbal_request *request; /* of QUERY and what is for it */
    dbal_fault *fault;     /* the request's */
    dbal__postgres_statement *statement; /* counted as flying; or NULL */
} dbal__postgres_expected;

/* A request that has not been sent. */
typedef struct dbal__postgres_unsent {
    dbal_request *request;
    bool tried; /* it was sent before, by a name that was of no use any more */
    bool alone; /* it has failed, or been undone, with others: it gets a Sync of its own */
} dbal__postgres_unsent;

typedef struct dbal__postgres_expect {
    dbal__postgres_expected *items; /* a ring */
    uint32_t mask;                  /* its size - 1 */
    uint32_t settled, read, end;    /* numbers: oldest not settled, the one being read, the next */
    dbal__postgres_unsent *unsent;  /* another ring */
    uint32_t unsent_mask, unsent_first, unsent_end;
    uint32_t stopped; /* how many of the items are to end */
} dbal__postgres_expect;

/* False without memory. */
bool dbal__postgres_expect_init(dbal__postgres_expect *expect);
void dbal__postgres_expect_fini(dbal__postgres_expect *expect);
/* Room for so many more replies; false without memory. */
bool dbal__postgres_expect_reserve(dbal__postgres_expect *expect, uint32_t count);

static inline dbal__postgres_expected *
dbal__postgres_expect_at(const dbal__postgres_expect *expect, uint32_t number)
{
    return &expect->items[number & expect->mask];
}

/* The one whose reply comes next, or NULL. */
static inline dbal__postgres_expected *
dbal__postgres_expect_reading(const dbal__postgres_expect *expect)
{
    return expect->read != expect->end ? dbal__postgres_expect_at(expect, expect->read) : NULL;
}

/* One more; there is room for it. */
static inline dbal__postgres_expected *
dbal__postgres_expect_push(dbal__postgres_expect *expect, dbal__postgres_reply reply)
{
    dbal__postgres_expected *item = dbal__postgres_expect_at(expect, expect->end++);
    *item = (dbal__postgres_expected){.reply = reply};
    return item;
}

static inline bool
dbal__postgres_expect_has_unsent(const dbal__postgres_expect *expect)
{
    return expect->unsent_first != expect->unsent_end;
}

static inline uint32_t
dbal__postgres_expect_unsent_count(const dbal__postgres_expect *expect)
{
    return expect->unsent_end - expect->unsent_first;
}

/* Makes room for one more, before or behind the others; false without memory. */
bool dbal__postgres_expect_hold(dbal__postgres_expect *expect, dbal__postgres_unsent one,
                                bool first);
dbal__postgres_unsent dbal__postgres_expect_release(dbal__postgres_expect *expect);
/* Takes an unsent request out; false when it is not there. */
bool dbal__postgres_expect_remove(dbal__postgres_expect *expect, const dbal_request *request);
/*
 * Its caller wants a sent request to end; false when it is not there. What prepares it stands before
 * it.
 */
bool dbal__postgres_expect_stop(dbal__postgres_expect *expect, const dbal_request *request);
/*
 * Whether what the server is at work on holds one that is to end. The server keeps back the answers
 * to those before it until it comes to their Sync.
 */
bool dbal__postgres_expect_is_stopping(const dbal__postgres_expect *expect);

#endif
