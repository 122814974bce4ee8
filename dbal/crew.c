#include "dbal/crew.h"

/* Work that takes longer than this each wakes another thread. */
static const int64_t LATE = 100000;                         /* nanoseconds */
static const double LOOK_FIRST = 0.0005, LOOK_MOST = 0.016; /* seconds */

/* What is gathered goes on the line when it is so much, so that nothing waits for a long turn. */
enum { GATHER = 16 };

static void look(dbal__timer *timer);
static void on_give(dbal__task *task);

void
dbal__crew_init(dbal__crew *crew, dbal_loop *loop, void (*wanted)(dbal__crew *crew))
{
    *crew = (dbal__crew){.loop = loop, .wanted = wanted};
    dbal__line_init(&crew->line);
    dbal__list_init(&crew->workers);
    dbal__task_init(&crew->give, on_give);
}

void
dbal__crew_fini(dbal__crew *crew)
{
    dbal__list_remove(&crew->give.link);
    dbal__clock_stop(&crew->loop->ready.clock, &crew->timer);
    dbal__budget_unref(crew->line.budget);
    crew->line.budget = NULL;
}

bool
dbal__crew_limit(dbal__crew *crew, int64_t bytes)
{
    crew->line.budget = dbal__budget_new(bytes);
    return crew->line.budget != NULL;
}

void
dbal__crew_join(dbal__crew *crew, dbal__worker *worker)
{
    dbal__list_push(&crew->workers, &worker->crew);
    crew->looked = dbal__monotonic(); /* it has not had the time yet to take anything */
}

void
dbal__crew_leave(dbal__crew *crew, dbal__worker *worker)
{
    (void)crew;
    dbal__list_remove(&worker->crew);
}

dbal__worker *
dbal__crew_parked(dbal__crew *crew)
{
    for (dbal__list *link = crew->workers.next; link != &crew->workers; link = link->next) {
        dbal__worker *worker = DBAL__OF(link, dbal__worker, crew);
        if (dbal__worker_shares(worker) && dbal__worker_is_parked(worker))
            return worker;
    }
    return NULL;
}

/* how much has been begun, how many are awake for shared work, and how many of these have no other */
static uint64_t
progress(const dbal__crew *crew, unsigned *ret_awake, unsigned *ret_free)
{
    uint64_t taken = 0;
    unsigned awake = 0, free = 0;
    for (dbal__list *link = crew->workers.next; link != &crew->workers; link = link->next) {
        dbal__worker *worker = DBAL__OF(link, dbal__worker, crew);
        unsigned mine = atomic_load_explicit(&worker->taken, memory_order_relaxed);
        taken += mine;
        if (!dbal__worker_shares(worker) || dbal__worker_is_parked(worker))
            continue;
        if (worker->late && worker->seen == mine)
            continue; /* still at something slow */
        awake++;
        free += atomic_load_explicit(&worker->owed, memory_order_relaxed) == 0;
    }
    *ret_awake = awake;
    *ret_free = free;
    return taken;
}

/* Who has been at one thing since the last look will not soon take another. */
static void
find_late(dbal__crew *crew)
{
    for (dbal__list *link = crew->workers.next; link != &crew->workers; link = link->next) {
        dbal__worker *worker = DBAL__OF(link, dbal__worker, crew);
        unsigned taken = atomic_load_explicit(&worker->taken, memory_order_relaxed);
        bool parked = dbal__worker_is_parked(worker);
        worker->late = !parked && worker->seen == taken;
        worker->seen = parked ? taken - 1 : taken;
    }
}

static void
want_more(dbal__crew *crew)
{
    if (crew->wanted != NULL)
        crew->wanted(crew);
}

/* False: there is none to be woken. */
static bool
wake_one(dbal__crew *crew)
{
    dbal__worker *worker = dbal__crew_parked(crew);
    if (worker == NULL)
        return false;
    dbal__list_remove(&worker->crew);
    dbal__list_push_front(&crew->workers, &worker->crew);
    dbal__worker_wake(worker);
    return true;
}

static void
look_later(dbal__crew *crew)
{
    dbal__clock *clock = &crew->loop->ready.clock;
    if (!crew->timer.active && crew->outstanding > 0)
        dbal__clock_start(clock, &crew->timer, dbal__after(dbal__clock_now(clock), crew->delay),
                          look);
}

/* Whether those awake are enough for what waits. True: all of it is taken at once. */
static bool
weigh(dbal__crew *crew)
{
    unsigned awake, free;
    if (dbal__budget_is_spent(crew->line.budget))
        return false; /* they sleep until what is there is taken */
    uint64_t taken = progress(crew, &awake, &free);
    if (awake == 0) {
        crew->taken = taken;
        crew->looked = dbal__monotonic();
        if (wake_one(crew))
            return crew->outstanding <= 1;
        /* one that was asleep just now may have seen the work by itself */
        if (progress(crew, &awake, &free) == taken && awake == 0)
            want_more(crew);
        return false;
    }
    /* one that is awake looks at the line before it sleeps */
    if (dbal__line_count(&crew->line) == 0 || crew->outstanding <= free)
        return true;
    int64_t now = dbal__monotonic();
    int64_t since = now - crew->looked;
    if (since < LATE)
        return false;
    if (since > LATE * (int64_t)(taken - crew->taken + 1) && !wake_one(crew))
        want_more(crew);
    find_late(crew);
    crew->taken = taken;
    crew->looked = now;
    return false;
}

/* A thread may keep answers back for more to come, and then be held up by what was to be quick. */
static void
collect(dbal__crew *crew)
{
    for (dbal__list *link = crew->workers.next; link != &crew->workers; link = link->next) {
        dbal__worker *worker = DBAL__OF(link, dbal__worker, crew);
        if (atomic_load_explicit(&worker->unannounced_count, memory_order_relaxed) != 0) {
            dbal__inbox_wake(crew->loop->inbox);
            return;
        }
    }
}

static void
look(dbal__timer *timer)
{
    dbal__crew *crew = DBAL__OF(timer, dbal__crew, timer);
    collect(crew);
    if (dbal__line_count(&crew->line) != 0)
        weigh(crew);
    crew->delay = crew->delay * 2 < LOOK_MOST ? crew->delay * 2 : LOOK_MOST;
    look_later(crew);
}

/* Something more is on the line. */
static void
see_to_it(dbal__crew *crew)
{
    crew->delay = LOOK_FIRST;
    /* a timer so near costs as much as a quick query does */
    if (!weigh(crew))
        look_later(crew);
}

void
dbal__crew_push(dbal__crew *crew, dbal__work *work)
{
    dbal__crew_give(crew);
    dbal__line_push(&crew->line, work);
    crew->outstanding++;
    see_to_it(crew);
}

void
dbal__crew_give(dbal__crew *crew)
{
    if (crew->gathered == 0)
        return;
    dbal__line_push_all(&crew->line, crew->first, crew->last, crew->gathered);
    crew->gathered = 0;
    see_to_it(crew);
}

static void
on_give(dbal__task *task)
{
    dbal__crew_give(DBAL__OF(task, dbal__crew, give));
}

void
dbal__crew_gather(dbal__crew *crew, dbal__work *work)
{
    if (!dbal__task_is_queued(&crew->give)) {
        dbal__ready_push(&crew->loop->ready, &crew->give);
        dbal__crew_push(crew, work);
        return;
    }
    if (crew->gathered == 0)
        crew->first = work;
    else
        crew->last->next = work;
    crew->last = work;
    crew->outstanding++;
    if (++crew->gathered == GATHER)
        dbal__crew_give(crew);
}

size_t
dbal__crew_waiting(const dbal__crew *crew)
{
    return dbal__line_count(&crew->line) + crew->gathered;
}

void
dbal__crew_returned(dbal__crew *crew)
{
    if (--crew->outstanding == 0)
        dbal__clock_stop(&crew->loop->ready.clock, &crew->timer);
}

void
dbal__crew_took(dbal__crew *crew, size_t bytes)
{
    if (dbal__budget_give_back(crew->line.budget, bytes))
        dbal__crew_rouse(crew);
}

void
dbal__crew_rouse(dbal__crew *crew)
{
    dbal__crew_give(crew);
    if (dbal__line_count(&crew->line) != 0)
        see_to_it(crew);
}
