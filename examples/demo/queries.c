/* The concurrent part: hundreds of queries of mixed cost at once, and a clock that watches. */
#include <stdio.h>
#include <string.h>

#include "demo.h"

static const double tick_seconds = 0.001;

/* ---- the clock ---- */

static void
arm(demo *self)
{
    self->due = demo_now() + tick_seconds;
    ev_now_update(self->ev);
    ev_timer_set(&self->tick, tick_seconds, 0);
    ev_timer_start(self->ev, &self->tick);
}

static void
on_tick(struct ev_loop *ev, ev_timer *timer, int events)
{
    demo *self = timer->data;
    double late = demo_now() - self->due;
    (void)ev;
    (void)events;
    if (late > self->lateness)
        self->lateness = late;
    arm(self);
}

/* ---- the queries ---- */

static void
count_steps(char *sql, size_t size)
{
    snprintf(sql, size,
             "with recursive n(i) as (select 1 union all select i + 1 from n where i < $1) "
             "select count(*) from n");
}

static dbal_deferred *
ask(demo *self, const question *q)
{
    const char *table = self->table;
    dbal_value value = dbal_int64(q->expected->code);
    char sql[256];
    switch (q->cost) {
    case LONG:
        count_steps(sql, sizeof sql);
        value = dbal_int64(self->steps);
        break;
    case LARGE:
        snprintf(sql, sizeof sql,
                 "select a.code, b.code, a.category from %s a cross join %s b limit $1", table,
                 table);
        value = dbal_int64((int64_t)self->large);
        break;
    case GROUP:
        snprintf(sql, sizeof sql,
                 "select category, count(*) from %s where code >= $1 group by category", table);
        value = dbal_int64(0);
        break;
    case SEARCH:
        snprintf(sql, sizeof sql,
                 "select count(*) from %s where name like '%%ARROW%%' and code <> $1", table);
        break;
    default:
        snprintf(sql, sizeof sql, "select name, category from %s where code = $1", table);
    }
    return dbal_pool_query(self->pool, sql, DBAL_PARAMS(value));
}

static int64_t
sum(dbal_result *rows, size_t column)
{
    int64_t all = 0;
    for (size_t i = 0; i < dbal_result_row_count(rows); i++)
        all += dbal_result_int64(rows, i, column);
    return all;
}

/* Whether an answer is what it must be. */
static bool
right(const demo *self, const question *q, dbal_result *rows)
{
    size_t count = dbal_result_row_count(rows);
    switch (q->cost) {
    case LONG:
        return count == 1 && dbal_result_int64(rows, 0, 0) == self->steps;
    case LARGE:
        return count == self->large;
    case GROUP:
        return sum(rows, 1) == (int64_t)self->count;
    case SEARCH:
        return count == 1 && dbal_result_int64(rows, 0, 0) > 0;
    default:
        return count == 1 && strcmp(dbal_result_text(rows, 0, 0), q->expected->name) == 0 &&
               strcmp(dbal_result_text(rows, 0, 1), q->expected->category) == 0;
    }
}

static dbal_outcome
answered(dbal_outcome in, void *arg)
{
    question *q = arg;
    demo *self = q->demo;
    tally *one = &self->tallies[q->cost];
    if (!right(self, q, dbal_outcome_result(in)))
        return dbal_fail(
            dbal_error_new(DBAL_ERROR_APPLICATION, "a wrong answer, of cost %d", (int)q->cost));
    one->last = demo_now() - self->asked;
    if (one->answers++ == 0)
        one->first = one->last;
    if (++self->answered % 100 == 0)
        fprintf(stderr, "%d of %d queries answered after %.2f s\n", self->answered, DEMO_QUERIES,
                one->last);
    return dbal_done();
}

static cost
cost_of(int i)
{
    if (i < 2)
        return i == 0 ? LONG : LARGE;
    if (i % 50 == 2)
        return GROUP;
    return i % 10 == 3 ? SEARCH : POINT;
}

static dbal_outcome
stop(dbal_outcome in, void *arg)
{
    demo *self = arg;
    (void)in;
    ev_timer_stop(self->ev, &self->tick);
    self->took = demo_now() - self->asked;
    dbal_loop_stats(self->loop, &self->loop_counts);
    return demo_go_on(self);
}

static dbal_outcome
ask_all(demo *self)
{
    dbal_deferred *all[DEMO_QUERIES];
    ev_init(&self->tick, on_tick);
    self->tick.data = self;
    arm(self);
    self->asked = demo_now();
    for (int i = 0; i < DEMO_QUERIES; i++) {
        question *q = &self->questions[i];
        /* a prime: neighbours in time are not neighbours in the table */
        *q = (question){self, cost_of(i), &self->characters[(size_t)i * 7919 % self->count]};
        all[i] = ask(self, q);
        dbal_deferred_add_callback(all[i], answered, q);
        dbal_deferred_add_errback(all[i], demo_failed, self);
    }
    return dbal_wait(dbal_deferred_add_both(
        dbal_gather(self->loop, DBAL_GATHER_ALL, DEMO_QUERIES, all), stop, self));
}

/* ---- how far to count for a query that takes seconds ---- */

dbal_outcome
demo_calibrate(dbal_outcome in, void *arg)
{
    demo *self = arg;
    char sql[160];
    (void)in;
    fprintf(stderr, "%zu rows loaded\n", self->sent);
    count_steps(sql, sizeof sql);
    self->steps = 500000;
    self->asked = demo_now();
    return dbal_wait(dbal_pool_query(self->pool, sql, DBAL_PARAMS(dbal_int64(self->steps))));
}

dbal_outcome
demo_ask(dbal_outcome in, void *arg)
{
    demo *self = arg;
    double seconds = demo_now() - self->asked, wanted = self->quick ? 0.2 : 2.5;
    (void)in;
    self->steps = (int64_t)((double)self->steps * wanted / (seconds > 1e-3 ? seconds : 1e-3));
    self->large = self->quick ? 100000 : 1000000;
    if (self->count < 1000 && self->large > self->count * self->count)
        self->large = self->count * self->count;
    return ask_all(self);
}
