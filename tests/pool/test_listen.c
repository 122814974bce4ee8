/* Listening: told at once, in order, again after a loss, never after the end. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/alloc_fault.h"
#include "tests/lib/fake_server.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

/* What a listener was told, as one text: L, G, and each payload, with a | behind. */
typedef struct hearer {
    char told[4096];
    int count;
    double gap;
    int pid;
    const char *cancels_at; /* the listening below is cancelled when it hears this */
    dbal_deferred *listening;
    seen end;
} hearer;

static void
hear(const dbal_notification *notification, void *arg)
{
    hearer *self = arg;
    size_t used = strlen(self->told);
    const char *text = notification->kind == DBAL_NOTIFICATION_LISTENING ? "L"
                       : notification->kind == DBAL_NOTIFICATION_GAP     ? "G"
                                                                         : notification->payload;
    ck_assert_ptr_nonnull(notification->channel);
    ck_assert_int_eq(notification->kind == DBAL_NOTIFICATION_MESSAGE,
                     notification->payload != NULL);
    snprintf(self->told + used, sizeof self->told - used, "%s|", text);
    self->count++;
    if (notification->kind == DBAL_NOTIFICATION_GAP)
        self->gap = notification->gap;
    if (notification->kind == DBAL_NOTIFICATION_MESSAGE)
        self->pid = notification->pid;
    if (self->cancels_at != NULL && strcmp(text, self->cancels_at) == 0)
        dbal_deferred_cancel(self->listening);
}

static void
listen_on(hearer *self, const char *channel)
{
    *self = (hearer){.count = 0, .cancels_at = self->cancels_at};
    self->listening = dbal_deferred_ref(dbal_pool_listen(pool, channel, hear, self));
    watch(self->listening, &self->end);
}

static void
stop_listening(hearer *self)
{
    dbal_deferred_cancel(self->listening);
    self->listening = dbal_deferred_unref(self->listening);
    until_settled(&self->end);
    ck_assert_int_eq(self->end.error_class, 0);
}

typedef struct count_wanted {
    const hearer *self;
    int count;
} count_wanted;

static bool
has_heard(void *arg)
{
    const count_wanted *one = arg;
    return one->self->count >= one->count;
}

static void
until_told(const hearer *self, int count)
{
    count_wanted one = {self, count};
    loop_fixture_until(&fixture, has_heard, &one);
}

static void
before(void)
{
    pool_fixture_init();
    open_pool("native", "pool_max_size=1");
    good(dbal_pool_ready(pool));
}

START_TEST(what_is_told_is_heard)
{
    hearer one = {.count = 0};
    listen_on(&one, "jobs");
    until_told(&one, 1);
    good(ask("notify \"jobs\" 'first'"));
    good(ask("notify \"other\" 'nobody'"));
    good(ask("notify \"jobs\" ''"));
    until_told(&one, 3);
    ck_assert_str_eq(one.told, "L|first||");
    ck_assert_int_eq(one.pid, 4711);
    ck_assert_int_eq(one.end.settled, 0);
    /* it has a connection that is none of the pool's */
    ck_assert_int_eq(counts_now().connections, 1);
    ck_assert_int_eq(counts_now().idle, 1);
    ck_assert_int_eq(fake_script_count(script, &script->live), 2);
    stop_listening(&one);
    until_count(&script->closes, 1);
    ck_assert_int_eq(fake_script_count(script, &script->live), 1);
    good(ask("notify \"jobs\" 'late'"));
    settle();
    ck_assert_str_eq(one.told, "L|first||");
}
END_TEST

START_TEST(a_name_is_taken_as_it_is)
{
    hearer one = {.count = 0};
    listen_on(&one, "a \"B\" c");
    until_told(&one, 1);
    ck_assert(fake_script_ran(script, "listen \"a \"\"B\"\" c\"|"));
    good(ask("notify \"a \"\"B\"\" c\" 'x'"));
    until_told(&one, 2);
    stop_listening(&one);
}
END_TEST

START_TEST(a_large_payload)
{
    static char sql[9000], payload[8001];
    hearer one = {.count = 0};
    memset(payload, 'x', 7999);
    snprintf(sql, sizeof sql, "notify \"jobs\" '%s'", payload);
    listen_on(&one, "jobs");
    until_told(&one, 1);
    good(ask(sql));
    until_told(&one, 2);
    ck_assert_uint_ge(strlen(one.told), 4000);
    stop_listening(&one);
}
END_TEST

START_TEST(several_listen_to_one_channel_and_to_several)
{
    hearer all[4] = {{.count = 0}};
    listen_on(&all[0], "a");
    listen_on(&all[1], "a");
    listen_on(&all[2], "b");
    for (int i = 0; i < 3; i++)
        until_told(&all[i], 1);
    listen_on(&all[3], "a"); /* the database has been asked already */
    until_told(&all[3], 1);
    good(ask("notify \"a\" 'x'"));
    good(ask("notify \"b\" 'y'"));
    for (int i = 0; i < 4; i++)
        until_told(&all[i], 2);
    ck_assert_str_eq(all[0].told, "L|x|");
    ck_assert_str_eq(all[1].told, "L|x|");
    ck_assert_str_eq(all[2].told, "L|y|");
    ck_assert_str_eq(all[3].told, "L|x|");
    ck_assert_int_eq(fake_script_count(script, &script->live), 2);
    ck_assert_int_eq(fake_script_count(script, &script->runs), 4);
    stop_listening(&all[0]);
    stop_listening(&all[2]);
    until_count(&script->runs, 5); /* UNLISTEN, for there are others */
    good(ask("notify \"a\" 'z'"));
    until_told(&all[1], 3);
    until_told(&all[3], 3);
    stop_listening(&all[1]);
    stop_listening(&all[3]);
    until_count(&script->closes, 1);
}
END_TEST

START_TEST(one_that_comes_while_its_channel_is_given_up)
{
    hearer a = {.count = 0}, b = {.count = 0}, again = {.count = 0};
    listen_on(&a, "a");
    listen_on(&b, "b");
    until_told(&a, 1);
    until_told(&b, 1);
    dbal_deferred_cancel(b.listening); /* UNLISTEN is on its way */
    dbal_deferred_unref(b.listening);
    listen_on(&again, "b");
    until_told(&again, 1);
    good(ask("notify \"b\" 'x'"));
    until_told(&again, 2);
    ck_assert_str_eq(again.told, "L|x|");
    ck_assert_str_eq(b.told, "L|");
    stop_listening(&a);
    stop_listening(&again);
}
END_TEST

START_TEST(cancelled_inside_its_own_function)
{
    hearer one = {.cancels_at = "x"}, other = {.count = 0};
    listen_on(&one, "jobs");
    listen_on(&other, "jobs");
    until_told(&other, 1);
    good(ask("notify \"jobs\" 'x'"));
    good(ask("notify \"jobs\" 'y'"));
    until_told(&other, 3);
    until_settled(&one.end);
    ck_assert_int_eq(one.end.error_class, 0);
    ck_assert_str_eq(one.told, "L|x|");
    ck_assert_str_eq(other.told, "L|x|y|");
    dbal_deferred_unref(one.listening);
    one = (hearer){.cancels_at = "L"};
    listen_on(&one, "jobs");
    until_settled(&one.end);
    ck_assert_str_eq(one.told, "L|");
    dbal_deferred_unref(one.listening);
    stop_listening(&other);
}
END_TEST

/* one ends the listening of those before and behind it */
START_TEST(cancelled_by_another_that_hears)
{
    hearer all[3] = {{.cancels_at = "x"}, {.cancels_at = "x"}, {.count = 0}};
    for (int i = 0; i < 3; i++)
        listen_on(&all[i], "jobs");
    for (int i = 0; i < 3; i++)
        until_told(&all[i], 1);
    dbal_deferred *mine = all[0].listening;
    all[0].listening = all[1].listening; /* the first cancels the second, which would itself … */
    good(ask("notify \"jobs\" 'x'"));
    until_told(&all[2], 2);
    ck_assert_str_eq(all[0].told, "L|x|");
    ck_assert_str_eq(all[1].told, "L|");
    ck_assert_int_eq(all[1].end.settled, 1);
    dbal_deferred_unref(all[1].listening);
    all[0].listening = mine;
    stop_listening(&all[0]);
    stop_listening(&all[2]);
}
END_TEST

START_TEST(cancelled_before_there_is_a_connection)
{
    hearer one = {.count = 0};
    script->hang_open = true;
    listen_on(&one, "jobs");
    settle();
    stop_listening(&one);
    fake_script_open_gate(script, "open");
    until_count(&script->closes, 1);
    ck_assert_int_eq(one.count, 0);
}
END_TEST

START_TEST(after_a_loss_it_listens_again_and_tells_of_the_gap)
{
    hearer one = {.count = 0}, other = {.count = 0};
    loop_fixture_drive(&fixture);
    listen_on(&one, "jobs");
    listen_on(&other, "others");
    until_told(&one, 1);
    until_told(&other, 1);
    good(ask("notify \"jobs\" 'before'"));
    fake_script_lose_hearers(script);
    until_count(&script->closes, 1);
    settle();
    ck_assert_str_eq(one.told, "L|before|");
    loop_fixture_advance(&fixture, 5);
    until_told(&one, 4);
    until_told(&other, 3);
    good(ask("notify \"jobs\" 'behind'"));
    until_told(&one, 5);
    ck_assert_str_eq(one.told, "L|before|G|L|behind|");
    ck_assert_str_eq(other.told, "L|G|L|");
    ck_assert_double_ge(one.gap, 5);
    ck_assert_double_le(one.gap, 6);
    ck_assert_int_eq(one.end.settled, 0);
    ck_assert_uint_eq(counts_now().lost, 1);
    stop_listening(&one);
    stop_listening(&other);
}
END_TEST

static bool
has_failed_to_connect(void *arg)
{
    return counts_now().connect_errors >= (uint64_t) * (int *)arg;
}

START_TEST(it_tries_again_as_long_as_there_is_hope)
{
    hearer one = {.count = 0};
    loop_fixture_drive(&fixture);
    script->fail_open_from = 2;
    script->fail_open_to = 5;
    listen_on(&one, "jobs");
    for (int i = 1; i <= 4; i++) {
        loop_fixture_until(&fixture, has_failed_to_connect, &i);
        loop_fixture_advance(&fixture, 2);
    }
    until_told(&one, 1);
    ck_assert_str_eq(one.told, "L|");
    ck_assert_int_eq(one.end.settled, 0);
    ck_assert_uint_eq(counts_now().connect_errors, 4);
    stop_listening(&one);
}
END_TEST

START_TEST(without_hope_it_fails)
{
    hearer one = {.count = 0};
    script->fail_open_from = 2;
    script->fail_open_to = 100;
    script->fail_open_for_good = true;
    listen_on(&one, "jobs");
    until_settled(&one.end);
    ck_assert_int_eq(one.end.error_class, DBAL_ERROR_OPERATIONAL);
    ck_assert_int_eq(one.end.execution, DBAL_EXECUTION_NOT_SENT);
    dbal_deferred_unref(one.listening);
    ck_assert_int_eq(fake_script_count(script, &script->opens), 2);
}
END_TEST

START_TEST(a_channel_that_is_refused_fails_alone)
{
    hearer one = {.count = 0}, refused = {.count = 0};
    listen_on(&one, "jobs");
    listen_on(&refused, "forbidden");
    until_settled(&refused.end);
    ck_assert_int_eq(refused.end.error_class, DBAL_ERROR_OPERATIONAL);
    dbal_deferred_unref(refused.listening);
    until_told(&one, 1);
    good(ask("notify \"jobs\" 'x'"));
    until_told(&one, 2);
    stop_listening(&one);
    until_count(&script->closes, 1);
    ck_assert_int_eq(refused.count, 0);
}
END_TEST

START_TEST(a_connect_that_hangs_is_given_up_and_tried_again)
{
    hearer one = {.count = 0};
    pool = NULL;
    open_driven("native", "pool_connect_timeout=2");
    int opens = fake_script_count(script, &script->opens);
    int closes = fake_script_count(script, &script->closes);
    script->hang_open = true;
    listen_on(&one, "jobs");
    until_count(&script->opens, opens + 1);
    settle();
    script->hang_open = false;
    loop_fixture_advance(&fixture, 3);
    settle();
    loop_fixture_advance(&fixture, 1);
    until_told(&one, 1);
    fake_script_open_gate(script, "open");
    stop_listening(&one);
    until_count(&script->closes, closes + 2); /* the one given up closes in its own time */
}
END_TEST

START_TEST(the_pool_closed_ends_it_well)
{
    hearer one = {.count = 0}, early = {.count = 0};
    listen_on(&one, "jobs");
    until_told(&one, 1);
    listen_on(&early, "others");
    good(dbal_pool_close(pool));
    until_settled(&one.end);
    until_settled(&early.end);
    ck_assert_int_eq(one.end.error_class, 0);
    ck_assert_int_eq(early.end.error_class, 0);
    ck_assert_int_eq(fake_script_count(script, &script->live), 0);
    dbal_deferred_unref(one.listening);
    dbal_deferred_unref(early.listening);
    bad(dbal_pool_listen(pool, "jobs", hear, &one), DBAL_ERROR_CLOSED, "", DBAL_EXECUTION_NOT_SENT,
        NULL);
}
END_TEST

START_TEST(the_loop_freed_while_it_listens)
{
    hearer one = {.count = 0}, early = {.count = 0};
    listen_on(&one, "jobs");
    until_told(&one, 1);
    listen_on(&early, "others"); /* is on its way */
    dbal_loop_free(fixture.loop);
    fixture.loop = NULL;
    ck_assert_int_eq(one.end.settled, 1);
    ck_assert_int_eq(early.end.settled, 1);
    dbal_deferred_unref(one.listening);
    dbal_deferred_unref(early.listening);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    char name[65];
    hearer one = {.count = 0};
    memset(name, 'x', 64);
    name[64] = '\0';
    bad(dbal_pool_listen(pool, name, hear, &one), DBAL_ERROR_INTERFACE, "", DBAL_EXECUTION_NOT_SENT,
        "63 bytes");
    bad(dbal_pool_listen(pool, "", hear, &one), DBAL_ERROR_INTERFACE, "", DBAL_EXECUTION_NOT_SENT,
        NULL);
    bad(dbal_pool_listen(pool, NULL, hear, &one), DBAL_ERROR_INTERFACE, "", DBAL_EXECUTION_NOT_SENT,
        NULL);
    bad(dbal_pool_listen(pool, "\xff", hear, &one), DBAL_ERROR_INTERFACE, "",
        DBAL_EXECUTION_NOT_SENT, "UTF-8");
    bad(dbal_pool_listen(pool, "jobs", NULL, &one), DBAL_ERROR_INTERFACE, "",
        DBAL_EXECUTION_NOT_SENT, NULL);
    bad(ask("listen \"jobs\""), DBAL_ERROR_PROGRAMMING, "25001", DBAL_EXECUTION_NOT_SENT,
        "dbal_pool_listen()");
    open_pool("native", "pool_gate=thread");
    bad(dbal_pool_listen(pool, "jobs", hear, &one), DBAL_ERROR_NOT_SUPPORTED, "0A000",
        DBAL_EXECUTION_NOT_SENT, "gate thread");
    open_pool("fake", "");
    bad(dbal_pool_listen(pool, "jobs", hear, &one), DBAL_ERROR_NOT_SUPPORTED, "0A000",
        DBAL_EXECUTION_NOT_SENT, "driver fake");
}
END_TEST

/* ---- without memory ---- */

typedef struct tally {
    int asked, settled, heard;
    dbal_loop *loop;
    dbal_pool *pool;
    dbal_deferred *listening[3];
} tally;

static void
settled(void *arg)
{
    ((tally *)arg)->settled++;
}

static dbal_outcome
swallow(dbal_outcome in, void *arg)
{
    (void)in, (void)arg;
    return dbal_done();
}

static dbal_deferred *
count(tally *self, dbal_deferred *deferred)
{
    self->asked++;
    dbal_deferred_add_errback(deferred, swallow, NULL);
    dbal_deferred_add_finally(deferred, settled, self);
    return deferred;
}

static void
stop_all(tally *self)
{
    for (int i = 0; i < 3; i++)
        dbal_deferred_cancel(self->listening[i]);
}

static dbal_outcome
not_said(dbal_outcome in, void *arg)
{
    (void)in;
    stop_all(arg);
    return dbal_done();
}

/* Once it listens somebody says something, and that may be missed, which ends it too. */
static void
hear_once(const dbal_notification *notification, void *arg)
{
    tally *self = arg;
    self->heard++;
    dbal_deferred *said =
        notification->kind == DBAL_NOTIFICATION_LISTENING
            ? dbal_pool_query(self->pool, "notify \"a\" 'x' notify \"b\" 'x'", DBAL_NO_PARAMS)
            : NULL;
    dbal_deferred_add_errback(said, not_said, self);
    if (said == NULL)
        stop_all(self);
}

static void
scenario(void *arg)
{
    static const char *const names[] = {"a", "a", "b"};
    tally self = {.asked = 0};
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    log_lines log = {.count = 0};
    (void)arg;
    self.loop = dbal_loop_new(ev);
    if (self.loop != NULL) {
        dbal_loop_set_log(self.loop, log_lines_add, &log);
        self.pool = dbal_pool_open(self.loop, "native:memory", NULL, NULL);
    }
    if (self.pool != NULL) {
        for (int i = 0; i < 3; i++)
            self.listening[i] = dbal_deferred_ref(
                count(&self, dbal_pool_listen(self.pool, names[i], hear_once, &self)));
        ev_run(ev, 0);
        count(&self, dbal_pool_close(self.pool));
        ev_run(ev, 0);
        ck_assert_int_eq(self.settled, self.asked);
    }
    for (int i = 0; i < 3; i++)
        dbal_deferred_unref(self.listening[i]);
    dbal_loop_free(self.loop);
    ck_assert_int_eq(self.settled, self.asked);
    ev_loop_destroy(ev);
}

START_TEST(nothing_is_lost_without_memory)
{
    alloc_fault_sweep(scenario, NULL);
}
END_TEST

/* What cannot be asked for closes the connection, and those that still listen get another one. */
START_TEST(one_given_up_without_memory_takes_no_other_along)
{
    hearer stays = {.count = 0}, goes = {.count = 0};
    listen_on(&stays, "a");
    until_told(&stays, 1);
    for (unsigned long nth = 1; nth < 20; nth++) {
        listen_on(&goes, "b");
        until_told(&goes, 1);
        settle();
        int told = stays.count;
        alloc_fault_install();
        alloc_fault_fail(nth);
        stop_listening(&goes);
        settle();
        alloc_fault_remove();
        good(ask("notify \"a\" 'x'"));
        until_told(&stays, told + 1); /* that, or that it has missed something */
        stays.told[0] = '\0';
    }
    stop_listening(&stays);
}
END_TEST

static void
add(Suite *suite, const TTest *test)
{
    suite_add(suite, test, before, pool_fixture_fini);
}

int
main(void)
{
    Suite *suite = suite_create("listen");
    add(suite, what_is_told_is_heard);
    add(suite, a_name_is_taken_as_it_is);
    add(suite, a_large_payload);
    add(suite, several_listen_to_one_channel_and_to_several);
    add(suite, one_that_comes_while_its_channel_is_given_up);
    add(suite, cancelled_inside_its_own_function);
    add(suite, cancelled_by_another_that_hears);
    add(suite, cancelled_before_there_is_a_connection);
    add(suite, after_a_loss_it_listens_again_and_tells_of_the_gap);
    add(suite, it_tries_again_as_long_as_there_is_hope);
    add(suite, without_hope_it_fails);
    add(suite, a_channel_that_is_refused_fails_alone);
    add(suite, a_connect_that_hangs_is_given_up_and_tried_again);
    add(suite, the_pool_closed_ends_it_well);
    add(suite, the_loop_freed_while_it_listens);
    add(suite, what_cannot_be_is_refused);
    add(suite, nothing_is_lost_without_memory);
    add(suite, one_given_up_without_memory_takes_no_other_along);
    return suite_run(suite);
}
