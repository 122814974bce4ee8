/* What a session has while it waits, what it gets with its connection, and what is kept of it. */
#include <stdlib.h>

#include "dbal/alloc.h"
#include "pool/pool.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/fake_driver.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

/* ---- memory that is not there ---- */

enum { SESSIONS = 3 };

static dbal_outcome
count(dbal_outcome in, void *arg)
{
    (void)in;
    (*(int *)arg)++;
    return dbal_done();
}

static dbal_outcome
work_a_little(dbal_connection *connection, void *arg)
{
    (*(int *)arg)++;
    return dbal_wait(dbal_connection_query(connection, "get", DBAL_NO_PARAMS));
}

/* The pool's close would never end if a connection stayed with a session that has failed. */
static void
scenario(void *arg)
{
    int asked = 0, settled = 0, worked = 0;
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    dbal_loop *loop = dbal_loop_new(ev);
    dbal_pool *one = loop != NULL ? dbal_pool_open(loop, arg, NULL, NULL) : NULL;
    for (int i = 0; one != NULL && i < SESSIONS; i++) {
        dbal_deferred *session = dbal_pool_session(one, NULL, work_a_little, &worked);
        asked += session != NULL;
        dbal_deferred_add_both(session, count, &settled);
    }
    if (one != NULL) {
        ev_run(ev, 0);
        dbal_deferred *end = dbal_pool_close(one);
        asked += end != NULL;
        dbal_deferred_add_both(end, count, &settled);
        ev_run(ev, 0);
    }
    dbal_loop_free(loop);
    ck_assert_int_eq(settled, asked);
    if (alloc_fault_failed() == 0)
        ck_assert_int_eq(worked, SESSIONS);
    ev_loop_destroy(ev);
}

static const char *const urls[] = {
    "fake:memory?pool_max_size=1",
    "fake:memory?pool_max_size=1&level=0",
    "fake:memory?pool_max_size=2&level=2&pool_threads=1",
    "native:memory?pool_max_size=1",
};
enum { URLS = sizeof urls / sizeof urls[0] };

/* What a thread for all connections keeps is there before anything is counted. */
static void
before_memory(void)
{
    fake_drivers_register();
    fake_script_clear(fake_script_get("memory"));
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    dbal_loop *loop = dbal_loop_new(ev);
    ck_assert_ptr_nonnull(dbal_pool_open(loop, urls[1], NULL, NULL));
    dbal_loop_free(loop);
    ev_loop_destroy(ev);
    alloc_fault_install();
}

static void
after_memory(void)
{
    alloc_fault_remove();
}

START_TEST(no_connection_is_lost_without_memory)
{
    alloc_fault_sweep(scenario, (void *)(uintptr_t)urls[_i]);
}
END_TEST

/* ---- memory that is kept ---- */

enum { BURST = 1000, ALWAYS_KEPT = 128 };

static dbal_outcome
do_nothing(dbal_connection *connection, void *arg)
{
    (void)connection, (void)arg;
    return dbal_done();
}

static unsigned
kept(void)
{
    return pool->spares.of[DBAL__SPARE_SHORT].count;
}

/* All wait for one connection at the same time. */
static void
burst(void)
{
    int ended = 0;
    for (int i = 0; i < BURST; i++)
        dbal_deferred_add_both(dbal_pool_session(pool, NULL, do_nothing, NULL), count, &ended);
    unsigned waiting = kept();
    while (ended < BURST)
        ev_run(fixture.ev, EVRUN_NOWAIT);
    settle();
    if (dbal__alloc_may_reuse())
        ck_assert_uint_ge(kept(), waiting + BURST);
}

START_TEST(what_a_burst_has_left_serves_the_next_one)
{
    open_driven("native", "pool_max_size=1");
    burst();
    unsigned left = kept();
    for (int i = 0; i < 10; i++) {
        pass(0.05);
        burst();
        ck_assert_uint_eq(kept(), left);
    }
}
END_TEST

START_TEST(what_nobody_needs_is_freed)
{
    open_driven("native", "pool_max_size=1");
    burst();
    pass(5);
    ck_assert_uint_le(kept(), ALWAYS_KEPT);
    burst();
    good(dbal_pool_close(pool)); /* with more than that */
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("grants");
    TCase *memory = tcase_create("memory");
    tcase_add_checked_fixture(memory, before_memory, after_memory);
    tcase_add_loop_test(memory, no_connection_is_lost_without_memory, 0, URLS);
    tcase_set_timeout(memory, 200);
    suite_add_tcase(suite, memory);
    suite_add(suite, what_a_burst_has_left_serves_the_next_one, pool_fixture_init,
              pool_fixture_fini);
    suite_add(suite, what_nobody_needs_is_freed, pool_fixture_init, pool_fixture_fini);
    return suite_run(suite);
}
