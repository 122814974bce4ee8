/* A deadline that the server knows of ends nobody else: statements at random, beside one another. */
#include <stdio.h>

#include "tests/faults/postgres/play.h"
#include "tests/lib/chance.h"

typedef struct guest {
    double timeout;
    bool to_cancel;
    dbal_deferred *deferred;
    ev_timer timer;
    seen end;
} guest;

static void
cancel_guest(struct ev_loop *ev, ev_timer *timer, int events)
{
    guest *one = timer->data;
    (void)ev, (void)events;
    dbal_deferred_cancel(one->deferred);
}

static void
invite(guest *one, chance *dice, int number)
{
    static const double times[] = {0, 0, 0.02, 0.05, 8, 60};
    /* one in so many sleeps for longer than the shortest limit */
    double nap = chance_below(dice, 24) == 0 ? 0.6 : chance_below(dice, 2) * 0.001;
    *one =
        (guest){.timeout = times[chance_below(dice, 6)], .to_cancel = chance_below(dice, 5) == 0};
    dbal_deferred *asked = dbal_pool_run(
        pool, DBAL_QUERY(.sql = "select $1::bigint from pg_sleep($2)", .timeout = one->timeout,
                         .params = DBAL_PARAMS(dbal_int64(number), dbal_double(nap)),
                         .read_only = chance_below(dice, 2) == 0));
    one->deferred = dbal_deferred_ref(asked);
    watch(asked, &one->end);
    if (!one->to_cancel)
        return;
    ev_now_update(fixture.ev);
    ev_timer_init(&one->timer, cancel_guest, chance_below(dice, 60000) / 1e6, 0);
    one->timer.data = one;
    ev_timer_start(fixture.ev, &one->timer);
}

static void
see_off(guest *one, int number, uint64_t seed)
{
    ev_timer_stop(fixture.ev, &one->timer);
    dbal_deferred_unref(one->deferred);
    bool good = one->end.error_class == 0 && one->end.value == number;
    bool cancelled = one->to_cancel && one->end.error_class == DBAL_ERROR_CANCELLED;
    bool late = one->timeout > 0 && one->timeout < 1 && one->end.error_class == DBAL_ERROR_TIMEOUT;
    ck_assert_msg(good || cancelled || late, "with %g s, seed %llu: %s %s: %s", one->timeout,
                  (unsigned long long)seed, dbal_error_class_name(one->end.error_class),
                  one->end.sqlstate, one->end.message);
}

/* What has no deadline, or a later one, stands among others whose limits are shorter than it takes. */
START_TEST(limits_end_nobody_else)
{
    enum { CROWD = 16 };
    static const char *const sizes[] = {"pool_max_size=1", "pool_max_size=3",
                                        "pool_max_size=3&pool_gate=thread"};
    chance dice;
    char settings[100];
    chance_init(&dice);
    snprintf(settings, sizeof settings, "%s&pool_cancel_timeout=off&pool_pipeline_wait=1",
             sizes[_i]);
    open_pool(settings);
    for (unsigned round = chance_rounds(10); round > 0; round--) {
        guest all[CROWD];
        for (int i = 0; i < CROWD; i++)
            invite(&all[i], &dice, i);
        for (int i = 0; i < CROWD; i++)
            until_settled(&all[i].end);
        for (int i = 0; i < CROWD; i++)
            see_off(&all[i], i, dice.seed);
    }
    seen last = finished(timed("show statement_timeout", 0));
    is_good(&last);
    ck_assert_str_eq(last.text, "0");
    ck_assert_uint_eq(counts(pool).lost, 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("postgres-time-others");
    postgres_start(&server, NULL);
    play_add(suite, limits_end_nobody_else, 3);
    return suite_run(suite);
}
