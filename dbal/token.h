/*
 * What only one may hold at a time in this process, whichever pool and loop it is of: the right to
 * write to a database file. Granted in the order of asking; without a lock, since loops of several
 * threads meet here and none may wait for another.
 */
#ifndef DBAL__TOKEN_H
#define DBAL__TOKEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dbal/inbox.h"

typedef struct dbal__token dbal__token;

typedef enum dbal__claim_state {
    DBAL__CLAIM_NONE,
    DBAL__CLAIM_WAITING,
    DBAL__CLAIM_GRANTED,
    DBAL__CLAIM_WITHDRAWN
} dbal__claim_state;

/* A wish for a token, part of whoever has it. From claiming until `granted` or `returned`, it must stay. */
typedef struct dbal__claim {
    struct dbal__claim *next;
    dbal__message message;
    dbal__inbox *inbox;
    atomic_int state;
    void (*granted)(struct dbal__claim *claim); /* on the loop; it is the holder now */
    void (*returned)(
        struct dbal__claim *claim); /* on the loop; it was withdrawn and is free again */
} dbal__claim;

/* The token of that name; lives as long as the process. NULL without memory. */
dbal__token *dbal__token_get(const void *name, size_t size);

void dbal__claim_init(dbal__claim *claim, dbal__inbox *inbox, void (*granted)(dbal__claim *claim),
                      void (*returned)(dbal__claim *claim));
/* True when it is granted here and now: `granted` is not called then. */
bool dbal__token_claim(dbal__token *token, dbal__claim *claim);
/* Gives up waiting. True: `returned` will be called. False: it was granted, `granted` will be called. */
bool dbal__claim_withdraw(dbal__claim *claim);
/* The holder is done; the next in order gets it. */
void dbal__token_release(dbal__token *token);

#endif
