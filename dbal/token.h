/*
 * What only one may hold at a time in this process, whichever pool and loop it is of: the right to
 * write to a database file. Granted in the order of asking; without a lock, since loops of several
 * threads meet here and none may wait for another.
 */
#ifndef DBAL__TOKEN_H
#define DBAL__TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "dbal/inbox.h"

typedef struct dbal__token dbal__token;
/* A wish for a token. Its maker's, but for the time between claiming and being granted it. */
typedef struct dbal__claim dbal__claim;

/* The token of that name; lives as long as the process. NULL without memory. */
dbal__token *dbal__token_get(const void *name, size_t size);

/* `granted` is called on the loop when it is the holder. NULL without memory. */
dbal__claim *dbal__claim_new(dbal__inbox *inbox, void (*granted)(void *arg), void *arg);
/* One that waits for nothing. */
void dbal__claim_free(dbal__claim *claim);
/* True when it is granted here and now: `granted` is not called then. */
bool dbal__token_claim(dbal__token *token, dbal__claim *claim);
/*
 * Gives up waiting. True: the claim is gone, and whoever comes upon it in the queue frees it. False:
 * it has been granted, and `granted` will be called.
 */
bool dbal__claim_withdraw(dbal__claim *claim);
/* The holder is done; the next in order gets it. */
void dbal__token_release(dbal__token *token);

#endif
