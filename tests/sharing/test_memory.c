/*
 * Without memory: the nth allocation fails, for all n, in a burst of writes that share commits and
 * one of reads that share snapshots. Each settles once, what is reported is true, nothing is lost.
 */
#include <stdio.h>

#include "tests/lib/alloc_fault.h"
#include "tests/lib/suite.h"
#include "tests/sharing/sharing.h"

enum { BURST = 6, READS = 4 };

typedef struct tally {
    int asked, settled;
    int64_t sure, maybe; /* bits of rows: reported as added; of which nobody knows */
} tally;

typedef struct one {
    tally *tally;
    int bit; /* of its row, or -1 */
} one;

static one ones[(2 + READS) * BURST];

static dbal_outcome
look(dbal_outcome in, void *arg)
{
    one *self = arg;
    dbal_error *error = dbal_outcome_error(in);
    if (self->bit >= 0 && error == NULL)
        self->tally->sure |= INT64_C(1) << self->bit;
    else if (self->bit >= 0 && dbal_error_execution(error) == DBAL_EXECUTION_UNKNOWN)
        self->tally->maybe |= INT64_C(1) << self->bit;
    return dbal_done();
}

static void
settled(void *arg)
{
    ((tally *)arg)->settled++;
}

static void
watch(tally *self, dbal_deferred *deferred, int bit)
{
    one *slot = &ones[self->asked++];
    *slot = (one){self, bit};
    dbal_deferred_add_both(deferred, look, slot);
    dbal_deferred_add_finally(deferred, settled, self);
}

/* Twice, so that the second burst knows its statements; one of each ends the transaction. */
static void
ask_all(tally *self, dbal_pool *pool, int from)
{
    for (int i = from; i < from + BURST; i++) {
        if (i % BURST == 3)
            watch(self,
                  dbal_pool_query(pool, "insert or rollback into t values (-1)", DBAL_NO_PARAMS),
                  -1);
        else
            watch(self,
                  dbal_pool_query(pool, "insert into t values ($1)", DBAL_PARAMS(dbal_int64(i))),
                  i);
    }
}

static void
ask_reads(tally *self, dbal_pool *pool)
{
    for (int i = 0; i < BURST; i++)
        watch(self, dbal_pool_query(pool, "select count(*) from t", DBAL_NO_PARAMS), -1);
}

static uint64_t commits, snapshots;

static void
check_rows(const tally *self)
{
    sqlite3 *outsider = outsider_open("one");
    int64_t there = outsider_number(outsider, "select sum(1 << id) from t where id >= 0");
    ck_assert_int_eq(self->sure & ~there, 0);
    ck_assert_int_eq(there & ~(self->sure | self->maybe), 0);
    outsider_run(outsider, "delete from t where id >= 0");
    sqlite3_close(outsider);
}

static void
run(dbal_pool *pool, struct ev_loop *ev, tally *self)
{
    ask_all(self, pool, 0);
    ev_run(ev, 0);
    ask_all(self, pool, BURST);
    ev_run(ev, 0);
    for (int i = 0; i < READS; i++) {
        ask_reads(self, pool);
        ev_run(ev, 0);
    }
    commits += sharing_counts(pool).shared_commits;
    snapshots += sharing_counts(pool).shared_snapshots;
}

static void
scenario(void *arg)
{
    tally self = {.asked = 0};
    (void)arg;
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    log_lines log = {.count = 0};
    dbal_loop *loop = dbal_loop_new(ev);
    dbal_pool *pool = NULL;
    if (loop != NULL) {
        char url[160];
        dbal_loop_set_log(loop, log_lines_add, &log);
        snprintf(url, sizeof url, "sqlite://%s/one?pool_max_size=1&synchronous=off", folder);
        pool = dbal_pool_open(loop, url, NULL, NULL);
    }
    if (pool != NULL)
        run(pool, ev, &self);
    dbal_loop_free(loop);
    ck_assert_int_eq(self.settled, self.asked);
    ev_loop_destroy(ev);
    check_rows(&self);
}

START_TEST(nothing_is_lost_without_memory)
{
    sqlite3 *outsider = outsider_open("one");
    outsider_run(outsider, "pragma journal_mode = wal; create table t (id integer primary key);"
                           "insert into t values (-1)");
    sqlite3_close(outsider);
    /* what a process has only once is there before, and stays */
    dbal_pool *other = sharing_open(fixture.loop, "one", "");
    commits = snapshots = 0;
    alloc_fault_sweep(scenario, NULL);
    sharing_close(other);
    ck_assert_uint_gt(commits, 0);
    ck_assert_uint_gt(snapshots, 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sharing, memory");
    sharing_add(suite, nothing_is_lost_without_memory);
    return suite_run(suite);
}
