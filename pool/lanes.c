#include "pool/lanes.h"

#include <stdlib.h>

#include "pool/pool.h"

/* What a statement counts for: nothing is free, and what takes an hour is no slower than a second. */
static const int64_t COST_LEAST = 1000, COST_MOST = 1000000000;
/* Statements on one thread for all connections that may be handed to one of them. */
enum { DRIVER_THREAD_DEPTH = 64 };
/* So many quick ones take as long as one may be expected to wait. */
enum { QUICK_BESIDE = 4 };
/* Times in a row that an estimate must have been wrong before it moves. */
enum { DOUBTS = 2 };
/* Statements of which nothing at all is known, on a lane that is not to be waited for. */
enum { UNKNOWN_TOGETHER = 4 };
/*
 * With fewer in flight than this, what the loop spends on a lane is mostly for reading and writing at
 * all; and estimates tend to be too high, since others may have been served meanwhile.
 */
enum { FEW = 16 };
/* What lanes may be filled to when there is one less of them: with few in flight, and with many. */
static const double ENOUGH_OF_FEW = 0.8, ENOUGH = 0.5;
/* So long a lane that has run dry counts as one at work: what comes next was caused by its answers. */
static const int64_t WARM = 200000; /* nanoseconds */

void
dbal__lanes_init(dbal__lanes *lanes, double pipeline_wait)
{
    lanes->wait_most = dbal__nanoseconds(pipeline_wait);
}

unsigned
dbal__lanes_depth(const dbal_pool *pool)
{
    if (pool->gate == DBAL_GATE_DRIVER_THREAD)
        return DRIVER_THREAD_DEPTH;
    if (pool->threads != NULL)
        return pool->width;
    return (pool->capabilities & DBAL_CAN_PIPELINE) != 0 ? (unsigned)pool->settings.pipeline_depth
                                                         : 1;
}

static int64_t
clamped(int64_t cost)
{
    return cost < COST_LEAST ? COST_LEAST : cost > COST_MOST ? COST_MOST : cost;
}

static int64_t
mean_of(const dbal__ticket *ticket)
{
    return ticket->sql != NULL ? atomic_load_explicit(&ticket->sql->mean, memory_order_relaxed)
                               : COST_MOST; /* a backup */
}

/*
 * What only reads may share a transaction with others, whose answers come together: as long as it is
 * quick beside what anyone may be made to wait.
 */
static bool
may_share(const dbal__ticket *ticket)
{
    int64_t mean = mean_of(ticket);
    return ticket->job.request.read_only && ticket->stream == NULL && ticket->sql != NULL &&
           ticket->sql->sql_class.kinds == DBAL_SQL_READS && mean > 0 &&
           mean <= ticket->pool->lanes.wait_most / QUICK_BESIDE;
}

static int64_t
expected_cost(const dbal__ticket *ticket)
{
    const dbal_pool *pool = ticket->pool;
    int64_t cost = mean_of(ticket);
    if (cost == 0)
        cost = pool->lanes.median;
    if (cost == 0)
        cost = pool->lanes.wait_most / UNKNOWN_TOGETHER;
    return clamped(cost);
}

/*
 * How long one more would wait on a busy lane. The one that runs counts for what is left of it, or,
 * when it takes longer than thought, for as long again as it has taken.
 */
static int64_t
wait_on(const dbal__slot *slot, int64_t now)
{
    const dbal__lane *lane = &slot->lane;
    if (dbal__list_empty(&lane->flying))
        return COST_MOST; /* something else runs there: nothing is known of it */
    int64_t cost = DBAL__OF(lane->flying.next, const dbal__ticket, link)->cost;
    int64_t taken = now - lane->since;
    return lane->load - cost + (taken > cost / 2 ? taken : cost - taken);
}

/* How much may be expected to be waited for on a lane with so many, where `part` of it is used. */
static bool
is_within(const dbal_pool *pool, double wait, double flying, double part)
{
    return wait < part * (flying < FEW ? 2 : 1) * (double)pool->lanes.wait_most;
}

/*
 * The lanes that one more may join. Those where it would wait are left out of what is reckoned: one
 * with something slow in it is no help to the others, however long that takes.
 */
typedef struct choice {
    dbal__slot *idle;          /* the last used of those with nothing to do, or NULL */
    dbal__slot *shortest;      /* of those at work where one more would wait; or NULL */
    int64_t least;             /* for so long */
    dbal__slot *fewest, *next; /* of those that one more need not wait for, or NULL */
    dbal__slot *last;          /* of these: not used for the longest time */
    int64_t wait;              /* what is waited for on them together */
    unsigned busy, flying;     /* how many they are, and what is on its way on them */
} choice;

static void
weigh(const dbal_pool *pool, choice *all, dbal__slot *slot, int64_t wait)
{
    if (!is_within(pool, (double)wait, slot->flying, 1)) {
        if (all->shortest == NULL || wait < all->least) {
            all->shortest = slot;
            all->least = wait;
        }
        return;
    }
    all->busy++;
    all->flying += slot->flying;
    all->wait += wait;
    all->last = slot;
    if (all->fewest == NULL || slot->flying < all->fewest->flying) {
        all->next = all->fewest;
        all->fewest = slot;
    } else if (all->next == NULL || slot->flying < all->next->flying) {
        all->next = slot;
    }
}

/* Whether one lane less would do for all that is on its way, and for some more. */
static bool
has_one_too_many(const dbal_pool *pool, const choice *all)
{
    if (all->busy < 2)
        return false;
    double lanes = all->busy - 1, flying = all->flying / lanes;
    return is_within(pool, (double)all->wait / lanes, flying,
                     flying < FEW ? ENOUGH_OF_FEW : ENOUGH);
}

static choice
look_over(dbal_pool *pool, int64_t now)
{
    choice all = {.idle = NULL};
    unsigned depth = dbal__lanes_depth(pool);
    /* the last used first */
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        dbal__slot *slot = DBAL__OF(link, dbal__slot, link);
        if (slot->state != DBAL__SLOT_OPEN || slot->held || slot == pool->reserved ||
            slot->lane.taken || slot->flying >= depth)
            continue;
        if (slot->flying != 0)
            weigh(pool, &all, slot, wait_on(slot, now));
        else if (now < slot->lane.warm_until && pool->lanes.wait_most > 0)
            weigh(pool, &all, slot, 0);
        else if (all.idle == NULL)
            all.idle = slot;
    }
    return all;
}

/*
 * All that are at work have about as much to do, so that the server's processes and the loop have many
 * at a time; when there are too many of them, one is let run dry.
 */
dbal__slot *
dbal__lanes_choose(dbal_pool *pool, int64_t now)
{
    choice all = look_over(pool, now);
    if (all.fewest != NULL)
        return all.fewest == all.last && all.next != NULL && has_one_too_many(pool, &all)
                   ? all.next
                   : all.fewest;
    if (all.idle != NULL)
        return all.idle;
    if (all.shortest != NULL) {
        pool->lanes.wished = pool->open < pool->limit;
        dbal__slots_grow(pool);
    }
    return all.shortest;
}

void
dbal__lanes_join(dbal__ticket *ticket, dbal__slot *slot, int64_t now)
{
    dbal__lane *lane = &slot->lane;
    if (dbal__list_empty(&lane->flying)) {
        lane->since = now;
        lane->sharers = ++slot->pool->lanes.busy;
    }
    lane->taken = ticket->stream != NULL || ticket->backup != NULL;
    ticket->cost = expected_cost(ticket);
    ticket->job.request.may_share = may_share(ticket);
    lane->load += ticket->cost;
    dbal__list_push(&lane->flying, &ticket->link);
}

/* ---- learning ---- */

/*
 * Lanes at work together share the server's processors and this loop, nobody knows how much: what
 * took so long took something between that and its share of it. Only what is outside teaches; else
 * more lanes would make every statement seem slower, and so ask for more lanes still. And only when
 * it is so again and again: one that was held up by others on the machine must not count, as nothing
 * inside would ever take it back.
 */
static void
learn(dbal__sql *sql, int64_t took, int sharers)
{
    int64_t mean = atomic_load_explicit(&sql->mean, memory_order_relaxed);
    int64_t least = took / sharers;
    int way = mean < least ? 1 : mean > took ? -1 : 0;
    int doubt = sql->doubt + way;
    if (way == 0)
        doubt -= (doubt > 0) - (doubt < 0);
    if (mean == 0 || abs(doubt) > DOUBTS) {
        dbal__sql_learn(sql, way < 0 ? took : least);
        doubt -= way;
    }
    sql->doubt = (int8_t)doubt;
}

/* A step towards it from where the estimate is; half of the steps go up when it is the median. */
static void
move_median(dbal__lanes *lanes, int64_t took)
{
    if (lanes->median == 0)
        lanes->median = clamped(took);
    else if (took > lanes->median)
        lanes->median += lanes->median / 16;
    else if (took < lanes->median)
        lanes->median -= lanes->median / 16;
}

/* The statement that a job is of, when it has run on a lane; else NULL. */
static dbal__ticket *
ticket_of(dbal__list *link)
{
    dbal__job *job = DBAL__OF(link, dbal__job, link);
    dbal__ticket *ticket = DBAL__OF(job, dbal__ticket, job);
    return job->kind == DBAL__JOB_STATEMENT && job->ended != 0 && ticket->cost != 0 ? ticket : NULL;
}

/* Those that ended together, and what is known of them. */
typedef struct landing {
    int64_t known;   /* what those that are known were expected to take */
    int64_t last;    /* when they came; 0 when there are none */
    int64_t unknown; /* how many are met for the first time */
    bool streams;    /* whose consumers had a say in how long it took */
} landing;

static landing
look_at(const dbal__list *jobs)
{
    landing all = {.known = 0};
    for (dbal__list *link = jobs->next; link != jobs; link = link->next) {
        const dbal__ticket *ticket = ticket_of(link);
        if (ticket == NULL)
            continue;
        all.last = ticket->job.ended;
        all.streams = all.streams || ticket->stream != NULL;
        if (mean_of(ticket) == 0)
            all.unknown++;
        else
            all.known += ticket->cost;
    }
    return all;
}

/* What was spent on them is shared out as was expected; what is unknown gets what others leave. */
static void
learn_from(dbal__slot *slot, const dbal__list *jobs, const landing *all)
{
    const dbal__lane *lane = &slot->lane;
    dbal__lanes *lanes = &slot->pool->lanes;
    int sharers = lane->sharers > lanes->busy ? lane->sharers : lanes->busy;
    int64_t spent = all->last - lane->since;
    int64_t left = spent > all->known ? spent - all->known : 0;
    double ratio = all->unknown == 0 ? (double)spent / (double)all->known : 0;
    for (dbal__list *link = jobs->next; link != jobs; link = link->next) {
        const dbal__ticket *ticket = ticket_of(link);
        if (ticket == NULL)
            continue;
        if (all->unknown == 0)
            learn(ticket->sql, (int64_t)((double)ticket->cost * ratio), sharers);
        else if (mean_of(ticket) == 0)
            learn(ticket->sql, left / all->unknown, sharers);
        move_median(lanes, mean_of(ticket));
    }
}

void
dbal__lanes_landed(dbal__slot *slot, const dbal__list *jobs)
{
    dbal__lane *lane = &slot->lane;
    landing all = look_at(jobs);
    if (all.last == 0)
        return;
    if (slot->state == DBAL__SLOT_OPEN && !all.streams)
        learn_from(slot, jobs, &all);
    for (dbal__list *link = jobs->next; link != jobs; link = link->next) {
        dbal__ticket *ticket = ticket_of(link);
        if (ticket != NULL)
            dbal__lanes_leave(ticket);
    }
    lane->since = all.last;
    lane->warm_until = all.last + WARM;
    lane->sharers = slot->pool->lanes.busy;
}

void
dbal__lanes_leave(dbal__ticket *ticket)
{
    dbal__slot *slot = ticket->slot;
    if (ticket->cost == 0)
        return;
    dbal__list_remove(&ticket->link);
    slot->lane.load -= ticket->cost;
    ticket->cost = 0;
    if (!dbal__list_empty(&slot->lane.flying))
        return;
    slot->lane.taken = false;
    dbal__lanes *lanes = &slot->pool->lanes;
    if (--lanes->busy == 0)
        lanes->wished = false; /* nothing stands there any more */
}

void
dbal__lanes_drop(dbal__slot *slot)
{
    while (!dbal__list_empty(&slot->lane.flying))
        dbal__lanes_leave(DBAL__OF(slot->lane.flying.next, dbal__ticket, link));
}
