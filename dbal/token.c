#include "dbal/token.h"

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/fork.h"
#include "dbal/list.h"

enum { IDLE, WAITING, GRANTED, WITHDRAWN };

struct dbal__claim {
    struct dbal__claim *next;
    dbal__message message;
    dbal__inbox *inbox; /* a reference */
    atomic_int state;
    void (*granted)(void *arg);
    void *arg;
};

/*
 * Claims are pushed on a stack by anybody. Whoever holds the token owns the queue behind it too, so
 * that queue needs no lock: it passes from holder to holder.
 */
struct dbal__token {
    dbal__token *next;
    atomic_bool held;
    _Atomic(dbal__claim *) fresh;
    dbal__claim *head; /* the holder's: oldest first */
    unsigned
        generation; /* of the process: what the parent of a fork holds is no concern of the child's */
    size_t size;
    uint8_t name[];
};

/* Grows at the front and never shrinks. */
static _Atomic(dbal__token *) tokens;

static dbal__token *
find(dbal__token *from, const void *name, size_t size)
{
    for (; from != NULL; from = from->next) {
        if (from->generation == dbal__fork_generation() && from->size == size &&
            memcmp(from->name, name, size) == 0)
            return from;
    }
    return NULL;
}

dbal__token *
dbal__token_get(const void *name, size_t size)
{
    dbal__token *first = atomic_load(&tokens), *token = find(first, name, size);
    if (token != NULL)
        return token;
    dbal__token *fresh = dbal__zalloc(sizeof *fresh + size);
    if (fresh == NULL)
        return NULL;
    fresh->generation = dbal__fork_generation();
    fresh->size = size;
    memcpy(fresh->name, name, size);
    do {
        token = find(first, name, size);
        if (token != NULL) {
            dbal__free(fresh);
            return token;
        }
        fresh->next = first;
    } while (!atomic_compare_exchange_weak(&tokens, &first, fresh));
    return fresh;
}

static void
deliver(dbal__message *message)
{
    dbal__claim *claim = DBAL__OF(message, dbal__claim, message);
    atomic_store(&claim->state, IDLE);
    claim->granted(claim->arg);
}

dbal__claim *
dbal__claim_new(dbal__inbox *inbox, void (*granted)(void *arg), void *arg)
{
    dbal__claim *claim = dbal__zalloc(sizeof *claim);
    if (claim == NULL)
        return NULL;
    claim->message.deliver = deliver;
    claim->inbox = dbal__inbox_ref(inbox);
    atomic_init(&claim->state, IDLE);
    claim->granted = granted;
    claim->arg = arg;
    return claim;
}

void
dbal__claim_free(dbal__claim *claim)
{
    if (claim == NULL)
        return;
    dbal__inbox_unref(claim->inbox);
    dbal__free(claim);
}

/* the holder's: the oldest claim */
static dbal__claim *
next_claim(dbal__token *token)
{
    if (token->head == NULL) {
        dbal__claim *claim = atomic_exchange(&token->fresh, NULL);
        while (claim != NULL) {
            dbal__claim *older = claim->next;
            claim->next = token->head;
            token->head = claim;
            claim = older;
        }
    }
    dbal__claim *first = token->head;
    if (first != NULL)
        token->head = first->next;
    return first;
}

/* Lets its loop know; after this it may be gone. False: the loop is closed. */
static bool
tell(dbal__claim *claim)
{
    dbal__inbox *inbox = dbal__inbox_ref(claim->inbox);
    bool sent = dbal__inbox_push(inbox, &claim->message);
    if (sent)
        dbal__inbox_wake(inbox);
    dbal__inbox_unref(inbox);
    return sent;
}

/* The holder passes it on. True when `mine` got it. */
static bool
pass_on(dbal__token *token, dbal__claim *mine)
{
    for (;;) {
        dbal__claim *claim = next_claim(token);
        if (claim == NULL) {
            atomic_store(&token->held, false);
            /* one that came in between has seen it held: look again */
            if (atomic_load(&token->fresh) == NULL || atomic_exchange(&token->held, true))
                return false;
            continue;
        }
        int waiting = WAITING;
        if (!atomic_compare_exchange_strong(&claim->state, &waiting, GRANTED)) {
            dbal__claim_free(claim); /* withdrawn */
            continue;
        }
        if (claim == mine) {
            atomic_store(&claim->state, IDLE);
            return true;
        }
        if (tell(claim))
            return false;
    }
}

bool
dbal__token_claim(dbal__token *token, dbal__claim *claim)
{
    atomic_store(&claim->state, WAITING);
    claim->next = atomic_load(&token->fresh);
    while (!atomic_compare_exchange_weak(&token->fresh, &claim->next, claim)) {
    }
    if (atomic_exchange(&token->held, true))
        return false;
    return pass_on(token, claim);
}

bool
dbal__claim_withdraw(dbal__claim *claim)
{
    int waiting = WAITING;
    return atomic_compare_exchange_strong(&claim->state, &waiting, WITHDRAWN);
}

void
dbal__token_release(dbal__token *token)
{
    pass_on(token, NULL);
}
