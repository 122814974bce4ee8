/*
 * One of those that share a Sync is cancelled, runs out of time or dies with its connection: the others
 * have their answers.
 */
#include "tests/faults/postgres/reads.h"
#include "tests/lib/proxy.h"

/* ---- one that is stopped ---- */

static const char pause_sql[] = "select $1::bigint from pg_sleep($2)";

/* One of a turn takes long. */
static dbal_deferred *
pause_in_turn(seen *all, int where, double length, double timeout)
{
    dbal_deferred *slow = NULL;
    get_known(read_at_once, pause_sql);
    for (int i = 0; i < TURN; i++) {
        dbal_deferred *one =
            read_two(pause_sql, i, i == where ? length : 0, i == where ? timeout : 0);
        slow = i == where ? dbal_deferred_ref(one) : slow;
        watch(one, &all[i]);
    }
    return slow;
}

static void
others_are_good(const seen *all, int but)
{
    for (int i = 0; i < TURN; i++) {
        if (i == but)
            continue;
        is_good(&all[i]);
        ck_assert_int_eq(all[i].value, i);
    }
    ck_assert_uint_eq(counts(pool).lost, 0);
}

START_TEST(one_is_cancelled)
{
    seen all[TURN];
    dbal_deferred *slow = pause_in_turn(all, places[_i], 1000, 0);
    pass_time(0.05);
    until_at_work(pause_sql);
    dbal_deferred_cancel(slow);
    until_all(all, TURN);
    is_bad(&all[places[_i]], DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_FAILED);
    others_are_good(all, places[_i]);
    dbal_deferred_unref(slow);
}
END_TEST

START_TEST(the_time_of_one_is_up)
{
    seen all[TURN];
    dbal_deferred_unref(pause_in_turn(all, places[_i], 1000, 0.4));
    until_all(all, TURN);
    is_bad(&all[places[_i]], DBAL_ERROR_TIMEOUT, "57014", DBAL_EXECUTION_FAILED);
    others_are_good(all, places[_i]);
}
END_TEST

/* It has been answered, or it stands behind the one that takes long: that one runs again. */
START_TEST(one_is_cancelled_while_another_is_at_work)
{
    seen all[TURN];
    dbal_deferred *slow = pause_in_turn(all, MIDDLE, 0.5, 0);
    int where = places[_i] == MIDDLE ? MIDDLE + 1 : places[_i];
    seen victim;
    dbal_deferred *target = dbal_deferred_ref(read_two(pause_sql, 77, 0, 0));
    watch(target, &victim); /* in the same turn, the last */
    pass_time(0.05);
    until_at_work(pause_sql);
    dbal_deferred_cancel(target);
    until_settled(&victim);
    is_bad(&victim, DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_FAILED);
    until_all(all, TURN);
    others_are_good(all, -1);
    ck_assert_int_eq(all[where].value, where);
    dbal_deferred_unref(target);
    dbal_deferred_unref(slow);
}
END_TEST

/* It was never sent: the server is not even asked. */
START_TEST(one_is_cancelled_in_its_own_turn)
{
    seen all[TURN];
    dbal_deferred *slow = pause_in_turn(all, places[_i], 1000, 0);
    dbal_deferred_cancel(slow);
    until_all(all, TURN);
    is_bad(&all[places[_i]], DBAL_ERROR_CANCELLED, "57014", DBAL_EXECUTION_NOT_SENT);
    others_are_good(all, places[_i]);
    dbal_deferred_unref(slow);
}
END_TEST

typedef struct hasty {
    ev_timer timer;
    dbal_deferred *deferred;
} hasty;

static void
cancel_now(struct ev_loop *ev, ev_timer *timer, int events)
{
    (void)ev, (void)events;
    dbal_deferred_cancel(((hasty *)timer->data)->deferred);
}

/* Many turns, some of each cancelled at any moment: no other is hit. */
START_TEST(crowds_are_cancelled_at_any_moment)
{
    static const double lengths[] = {0, 0, 0, 0.001, 1000};
    chance dice;
    unsigned cancelled = 0;
    chance_init(&dice);
    get_known(read_at_once, pause_sql);
    for (unsigned round = 0; round < chance_rounds(60); round++) {
        seen all[TURN];
        hasty some[TURN];
        for (int i = 0; i < TURN; i++) {
            double length = lengths[chance_below(&dice, 5)];
            bool ends = length < 1 && chance_below(&dice, 4) != 0;
            some[i].deferred = dbal_deferred_ref(read_two(pause_sql, i, length, 0));
            watch(some[i].deferred, &all[i]);
            ev_now_update(fixture.ev);
            ev_timer_init(&some[i].timer, cancel_now, chance_below(&dice, 3000) / 1e6, 0);
            some[i].timer.data = &some[i];
            if (!ends)
                ev_timer_start(fixture.ev, &some[i].timer);
        }
        until_all(all, TURN);
        for (int i = 0; i < TURN; i++) {
            bool hit = all[i].error_class == DBAL_ERROR_CANCELLED;
            ck_assert_msg(hit || all[i].error_class == 0, "seed %llu: %s",
                          (unsigned long long)dice.seed, all[i].message);
            ck_assert_int_eq(all[i].value, hit ? 0 : i);
            ev_timer_stop(fixture.ev, &some[i].timer);
            dbal_deferred_unref(some[i].deferred);
            cancelled += hit;
        }
    }
    ck_assert_uint_gt(cancelled, 0);
    ck_assert_uint_eq(counts(pool).lost, 0);
}
END_TEST

/* ---- their connection is lost ---- */

START_TEST(terminated_in_the_middle_of_them)
{
    seen all[TURN];
    dbal_deferred_unref(pause_in_turn(all, places[_i], 1000, 0));
    pass_time(0.05);
    terminate(until_at_work(pause_sql));
    until_all(all, TURN);
    is_lost(&all[places[_i]], "57P01");
    /* no Sync has said that those before it are done; those behind it were not begun */
    for (int i = 0; i < places[_i]; i++)
        is_lost(&all[i], "57P01");
    for (int i = places[_i] + 1; i < TURN; i++) {
        is_good(&all[i]);
        ck_assert_int_eq(all[i].value, i);
    }
}
END_TEST

/* A cancel that is never answered holds back what was skipped meanwhile, until the connection goes. */
START_TEST(lost_before_it_was_sent_once_more)
{
    static const char fails[] = "select 100 / ($1::bigint * (random() < 2)::int) from pg_sleep($2)";
    seen slow, skipped, victim;
    proxy door;
    proxy_start(&door, &server);
    pool = open_at(door.url, reads_settings);
    get_known(read_at_once, fails);
    get_known(read_at_once, pause_sql);
    atomic_store(&door.mute, true);
    watch(read_two(fails, 0, 0.3, 0), &slow);
    watch(read_two(pause_sql, 7, 0, 0), &skipped);
    dbal_deferred *target = dbal_deferred_ref(read_two(pause_sql, 8, 0, 0));
    watch(target, &victim);
    pass_time(0.05);
    dbal_deferred_cancel(target);
    dbal_deferred_unref(target);
    until_settled(&slow);
    ck_assert_str_eq(slow.sqlstate, "22012");
    until_settled(&victim);
    ck_assert_int_eq(victim.error_class, DBAL_ERROR_CANCELLED);
    ck_assert_int_eq(skipped.settled, 0);
    until_settled(&skipped);
    is_good(&skipped);
    ck_assert_int_eq(skipped.value, 7);
    ck_assert_uint_eq(counts(pool).lost, 1);
    atomic_store(&door.mute, false);
    proxy_cut(&door); /* for the helper thread that waits for an answer */
    loop_fixture_fini(&fixture);
    proxy_stop(&door);
    loop_fixture_init(&fixture);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("postgres-share-stop");
    postgres_start(&server, NULL);
    reads_add(suite, one_is_cancelled, PLACES);
    reads_add(suite, the_time_of_one_is_up, PLACES);
    reads_add(suite, one_is_cancelled_while_another_is_at_work, PLACES);
    reads_add(suite, one_is_cancelled_in_its_own_turn, PLACES);
    reads_add(suite, crowds_are_cancelled_at_any_moment, 1);
    reads_add(suite, terminated_in_the_middle_of_them, PLACES);
    reads_add(suite, lost_before_it_was_sent_once_more, 1);
    return suite_run(suite);
}
