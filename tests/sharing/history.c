#include "tests/sharing/history.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS = HISTORY_MOST / 64 };

typedef struct state {
    int64_t values[HISTORY_REGISTERS];
} state;

/* A call or an answer, in the order of time. */
typedef struct entry {
    struct entry *before, *behind;
    struct entry *answer; /* of a call; NULL: this is one */
    const operation *operation;
    size_t number;
    uint64_t when;
} entry;

/* Where the search was once: what had taken effect, and what it came to. */
typedef struct visit {
    struct visit *next;
    uint64_t done[WORDS];
    state now;
} visit;

enum { BUCKETS = 1 << 16 };

typedef struct search {
    uint64_t done[WORDS];
    state now;
    entry head;
    visit *visits[BUCKETS];
    struct {
        entry *call;
        state before;
    } stack[HISTORY_MOST];
    size_t depth;
} search;

/* ---- what operations do ------------------------------------------------------------------------------ */

/* True when its answer is what it would have been here. */
static bool
apply(const operation *one, const state *from, state *ret_to)
{
    int64_t here = from->values[one->at], there = from->values[one->other], sum = 0;
    *ret_to = *from;
    switch (one->kind) {
    case OPERATION_READ:
        return one->answer == here;
    case OPERATION_ADD:
        ret_to->values[one->at] += one->amount;
        return one->answer == here + one->amount;
    case OPERATION_SET:
        ret_to->values[one->at] = one->amount;
        return one->answer == 1;
    case OPERATION_SWAP:
        if (here == one->expected)
            ret_to->values[one->at] = one->amount;
        return one->answer == (here == one->expected);
    case OPERATION_TRANSFER:
        ret_to->values[one->at] += one->amount;
        ret_to->values[one->other] -= one->amount;
        return one->answer == ret_to->values[one->at < one->other ? one->at : one->other];
    case OPERATION_DIFFERENCE:
        return one->answer == here - there;
    default:
        for (int i = 0; i < HISTORY_REGISTERS; i++)
            sum += from->values[i];
        return one->answer == sum;
    }
}

/* Whatever the state in which its answer is right. */
static bool
changes_nothing(const operation *one)
{
    return one->kind == OPERATION_READ || one->kind == OPERATION_DIFFERENCE ||
           one->kind == OPERATION_SUM || (one->kind == OPERATION_SWAP && one->answer == 0);
}

/* ---- what was tried ---------------------------------------------------------------------------------- */

static size_t
bucket_of(const uint64_t *done, const state *now)
{
    uint64_t hash = 0;
    for (int i = 0; i < WORDS; i++)
        hash = (hash ^ done[i]) * UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < HISTORY_REGISTERS; i++)
        hash = (hash ^ (hash >> 29) ^ (uint64_t)now->values[i]) * UINT64_C(0xbf58476d1ce4e5b9);
    return (hash >> 32) % BUCKETS;
}

/* False when the search was there before. */
static bool
visit_once(search *self, const uint64_t *done, const state *now)
{
    visit **bucket = &self->visits[bucket_of(done, now)];
    for (const visit *one = *bucket; one != NULL; one = one->next)
        if (memcmp(one->done, done, sizeof one->done) == 0 &&
            memcmp(&one->now, now, sizeof *now) == 0)
            return false;
    visit *one = malloc(sizeof *one);
    if (one == NULL)
        abort();
    one->next = *bucket;
    memcpy(one->done, done, sizeof one->done);
    one->now = *now;
    *bucket = one;
    return true;
}

static void
forget(search *self)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (visit *one = self->visits[i], *next; one != NULL; one = next) {
            next = one->next;
            free(one);
        }
}

/* ---- the search -------------------------------------------------------------------------------------- */

static void
take_out(entry *one)
{
    one->before->behind = one->behind;
    if (one->behind != NULL)
        one->behind->before = one->before;
}

static void
put_back(entry *one)
{
    one->before->behind = one;
    if (one->behind != NULL)
        one->behind->before = one;
}

/* Lets it take effect now, unless that was tried. */
static bool
step(search *self, entry *call)
{
    state to;
    uint64_t done[WORDS];
    if (!apply(call->operation, &self->now, &to))
        return false;
    memcpy(done, self->done, sizeof done);
    done[call->number / 64] |= UINT64_C(1) << call->number % 64;
    if (!visit_once(self, done, &to))
        return false;
    self->stack[self->depth].call = call;
    self->stack[self->depth++].before = self->now;
    memcpy(self->done, done, sizeof done);
    self->now = to;
    take_out(call);
    take_out(call->answer);
    return true;
}

static entry *
undo_last(search *self)
{
    entry *call = self->stack[--self->depth].call;
    self->now = self->stack[self->depth].before;
    self->done[call->number / 64] &= ~(UINT64_C(1) << call->number % 64);
    put_back(call->answer);
    put_back(call);
    return call;
}

/*
 * What took effect last takes it later. One that changes nothing need not: if all can be explained
 * with it later, then also with it here, where its answer was right.
 */
static entry *
step_back(search *self)
{
    entry *call = undo_last(self);
    while (changes_nothing(call->operation) && self->depth > 0)
        call = undo_last(self);
    return changes_nothing(call->operation) ? NULL : call->behind;
}

/* A call that changes nothing and may take effect now, or NULL. */
static entry *
find_idle(search *self)
{
    state to;
    for (entry *at = self->head.behind; at != NULL && at->answer != NULL; at = at->behind)
        if (changes_nothing(at->operation) && apply(at->operation, &self->now, &to))
            return at;
    return NULL;
}

/* Lets all take effect that change nothing and have seen this. False: it was tried. */
static bool
settle(search *self)
{
    entry *idle;
    while ((idle = find_idle(self)) != NULL)
        if (!step(self, idle))
            return false;
    return true;
}

static bool
run(search *self)
{
    entry *at = settle(self) ? self->head.behind : NULL;
    while (self->head.behind != NULL) {
        if (at == NULL)
            return false;
        if (at->answer != NULL && !step(self, at))
            at = at->behind;
        else if (at->answer != NULL)
            at = settle(self) ? self->head.behind : step_back(self);
        else if (self->depth == 0)
            return false; /* it has been answered, and could not have taken effect before */
        else
            at = step_back(self);
    }
    return true;
}

/* ---- the order of time ------------------------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
    uint64_t first = (*(entry *const *)a)->when, second = (*(entry *const *)b)->when;
    return first < second ? -1 : first > second;
}

static void
link_up(search *self, entry *entries, size_t count)
{
    entry **order = malloc(count * sizeof *order);
    entry *last = &self->head;
    if (order == NULL)
        abort();
    for (size_t i = 0; i < count; i++)
        order[i] = &entries[i];
    qsort(order, count, sizeof *order, compare);
    for (size_t i = 0; i < count; i++) {
        order[i]->before = last;
        last->behind = order[i];
        last = order[i];
    }
    last->behind = NULL;
    free(order);
}

bool
history_is_linearizable(const operation *operations, size_t count)
{
    if (count == 0)
        return true;
    if (count > HISTORY_MOST)
        abort();
    search *self = calloc(1, sizeof *self);
    entry *entries = calloc(2 * count, sizeof *entries);
    if (self == NULL || entries == NULL)
        abort();
    for (size_t i = 0; i < count; i++) {
        const operation *one = &operations[i];
        entries[2 * i] = (entry){.operation = one, .number = i, .when = one->called};
        entries[2 * i].answer = &entries[2 * i + 1];
        entries[2 * i + 1] = (entry){.operation = one, .number = i, .when = one->answered};
    }
    link_up(self, entries, 2 * count);
    bool is = run(self);
    forget(self);
    free(entries);
    free(self);
    return is;
}
