#include "wait.h"

#include <time.h>

/* A stop is seen within a slice, so it must be short; but a long wait should not burn the CPU. */
static const int64_t first_slice = 250000, longest_slice = 10000000;

/* Operations of SQLite's machine between two looks at the stop flag: some tens of microseconds. */
enum { OPERATIONS = 1000, TICKS_PER_CLOCK = 8 };

int64_t
dbal__sqlite_wait_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool
over_at(dbal__sqlite_connection *c, int64_t time)
{
    if ((c->request != NULL && dbal_request_stopped(c->request)) || time >= c->deadline)
        c->stopped = true;
    return c->stopped;
}

bool
dbal__sqlite_wait_over(dbal__sqlite_connection *c)
{
    return over_at(c, c->deadline == INT64_MAX ? 0 : dbal__sqlite_wait_clock());
}

static void
nap(int64_t nanoseconds)
{
    struct timespec t = {nanoseconds / 1000000000, (long)(nanoseconds % 1000000000)};
    nanosleep(&t, NULL);
}

bool
dbal__sqlite_wait_once(dbal__sqlite_connection *c, int count)
{
    int64_t time = dbal__sqlite_wait_clock();
    if (over_at(c, time))
        return false;
    /* one budget for all the locks that a statement meets */
    if (c->busy_since == 0)
        c->busy_since = time;
    int64_t left = c->busy_since + c->busy_timeout - time;
    if (left <= 0)
        return false;
    int64_t slice = first_slice << (count < 6 ? count : 6);
    if (slice > longest_slice)
        slice = longest_slice;
    if (slice > left)
        slice = left;
    if (slice > c->deadline - time)
        slice = c->deadline - time;
    nap(slice);
    return true;
}

static int
on_busy(void *arg, int count)
{
    return dbal__sqlite_wait_once(arg, count) ? 1 : 0;
}

/* Those that ran before it in a shared commit wait for it to end. */
static bool
keeps_others_waiting(dbal__sqlite_connection *c, int64_t time)
{
    if (c->leader == NULL || c->leader == c->request)
        return false;
    if (c->slow_since == 0)
        c->slow_since = time;
    return time - c->slow_since > DBAL__SQLITE_PATIENCE;
}

static int
on_progress(void *arg)
{
    dbal__sqlite_connection *c = arg;
    if (c->request != NULL && dbal_request_stopped(c->request))
        c->stopped = true;
    bool looks = c->deadline != INT64_MAX || c->leader != NULL;
    if (c->stopped || !looks || ++c->ticks % TICKS_PER_CLOCK != 0)
        return c->stopped ? 1 : 0;
    int64_t time = dbal__sqlite_wait_clock();
    if (keeps_others_waiting(c, time))
        c->stopped = true;
    return over_at(c, time) ? 1 : 0;
}

void
dbal__sqlite_wait_install(dbal__sqlite_connection *c)
{
    sqlite3_busy_handler(c->db, on_busy, c);
    sqlite3_progress_handler(c->db, OPERATIONS, on_progress, c);
}

void
dbal__sqlite_wait_begin(dbal__sqlite_connection *c, dbal_request *request, int64_t deadline)
{
    c->request = request;
    c->deadline = deadline;
    c->busy_since = c->slow_since = 0;
    c->stopped = false;
}

void
dbal__sqlite_wait_end(dbal__sqlite_connection *c)
{
    c->request = NULL;
    c->deadline = INT64_MAX;
    c->busy_since = 0;
    c->stopped = false;
}
