#include "dbal/token.h"

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/list.h"

/*
 * Claims are pushed on a stack by anybody. Whoever holds the token owns the queue behind it too, so
 * that queue needs no lock: it passes from holder to holder.
 */
struct dbal__token {
    dbal__token *next;
    atomic_bool held;
    _Atomic(dbal__claim *) fresh;
    dbal__claim *head, *tail; /* the holder's */
    size_t size;
    uint8_t name[];
};

/* Grows at the front and never shrinks. */
static _Atomic(dbal__token *) tokens;

static dbal__token *
find(dbal__token *from, const void *name, size_t size)
{
    for (; from != NULL; from = from->next) {
        if (from->size == size && memcmp(from->name, name, size) == 0)
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
    if (atomic_load(&claim->state) == DBAL__CLAIM_GRANTED) {
        claim->granted(claim);
    } else {
        atomic_store(&claim->state, DBAL__CLAIM_NONE);
        claim->returned(claim);
    }
}

void
dbal__claim_init(dbal__claim *claim, dbal__inbox *inbox, void (*granted)(dbal__claim *claim),
                 void (*returned)(dbal__claim *claim))
{
    memset(claim, 0, sizeof *claim);
    claim->message.deliver = deliver;
    claim->inbox = inbox;
    atomic_init(&claim->state, DBAL__CLAIM_NONE);
    claim->granted = granted;
    claim->returned = returned;
}

/* the holder's: the oldest claim */
static dbal__claim *
next_claim(dbal__token *token)
{
    if (token->head == NULL) {
        dbal__claim *claim = atomic_exchange(&token->fresh, NULL);
        token->tail = claim;
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

/* Sends a claim home; after this it may be gone. False: its loop is closed. */
static bool
send_home(dbal__claim *claim)
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
        int waiting = DBAL__CLAIM_WAITING;
        if (!atomic_compare_exchange_strong(&claim->state, &waiting, DBAL__CLAIM_GRANTED)) {
            send_home(claim);
            continue;
        }
        if (claim == mine)
            return true;
        if (send_home(claim))
            return false;
    }
}

bool
dbal__token_claim(dbal__token *token, dbal__claim *claim)
{
    atomic_store(&claim->state, DBAL__CLAIM_WAITING);
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
    int waiting = DBAL__CLAIM_WAITING;
    return atomic_compare_exchange_strong(&claim->state, &waiting, DBAL__CLAIM_WITHDRAWN);
}

void
dbal__token_release(dbal__token *token)
{
    pass_on(token, NULL);
}
