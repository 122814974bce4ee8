/* LISTEN and NOTIFY with a real server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"
#include "tests/lib/suite.h"

static void
before(void)
{
    session_begin("pool_max_size=1");
}

static void
after(void)
{
    session_end();
}

/* What a listener was told: L, G, and each payload, with a | behind. */
typedef struct hearer {
    char told[20000];
    int count, pid;
    double gap;
    dbal_deferred *listening;
} hearer;

static void
hear(const dbal_notification *notification, void *arg)
{
    hearer *self = arg;
    size_t used = strlen(self->told);
    const char *text = notification->kind == DBAL_NOTIFICATION_LISTENING ? "L"
                       : notification->kind == DBAL_NOTIFICATION_GAP     ? "G"
                                                                         : notification->payload;
    snprintf(self->told + used, sizeof self->told - used, "%s|", text);
    self->count++;
    if (notification->kind == DBAL_NOTIFICATION_GAP)
        self->gap = notification->gap;
    if (notification->kind == DBAL_NOTIFICATION_MESSAGE)
        self->pid = notification->pid;
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
listen_on(hearer *self, const char *channel)
{
    *self = (hearer){.count = 0};
    self->listening = dbal_deferred_ref(dbal_pool_listen(pool, channel, hear, self));
}

static void
stop_listening(hearer *self)
{
    dbal_deferred_cancel(self->listening);
    ends_well(self->listening);
    dbal_deferred_unref(self->listening);
}

START_TEST(what_is_told_is_heard)
{
    hearer one, other;
    listen_on(&one, "Jobs \"of\" ours");
    listen_on(&other, "jobs");
    until_told(&one, 1);
    until_told(&other, 1);
    RUN("notify \"Jobs \"\"of\"\" ours\", 'first'");
    RUN("notify \"Jobs \"\"of\"\" ours\"");
    RUN("notify Jobs, 'folded'");
    until_told(&one, 3);
    until_told(&other, 2);
    ck_assert_str_eq(one.told, "L|first||");
    ck_assert_str_eq(other.told, "L|folded|");
    ck_assert_int_eq(one.pid, run_number("select pg_backend_pid()"));
    stop_listening(&one);
    stop_listening(&other);
}
END_TEST

START_TEST(many_come_in_their_order)
{
    hearer one;
    char all[20000] = "L|";
    for (int i = 1; i <= 2000; i++)
        sprintf(all + strlen(all), "%d|", i);
    listen_on(&one, "jobs");
    until_told(&one, 1);
    RUN("select pg_notify('jobs', g::text) from generate_series(1, 2000) g");
    until_told(&one, 2001);
    ck_assert_str_eq(one.told, all);
    stop_listening(&one);
}
END_TEST

START_TEST(as_long_as_a_payload_may_be)
{
    hearer one;
    listen_on(&one, "jobs");
    until_told(&one, 1);
    RUN("select pg_notify('jobs', repeat('x', 7999))");
    until_told(&one, 2);
    ck_assert_uint_eq(strlen(one.told), 2 + 7999 + 1);
    stop_listening(&one);
}
END_TEST

static dbal_outcome
says(dbal_connection *connection, void *arg)
{
    bool *rolls_back = arg;
    dbal_connection_query(connection, "notify jobs, 'said'", DBAL_NO_PARAMS);
    if (*rolls_back)
        return dbal_fail(dbal_error_new(DBAL_ERROR_APPLICATION, "no"));
    return dbal_done();
}

START_TEST(what_is_rolled_back_is_not_told)
{
    hearer one;
    bool rolls_back = true;
    listen_on(&one, "jobs");
    until_told(&one, 1);
    ends_badly(dbal_pool_transaction(pool, NULL, says, &rolls_back), DBAL_ERROR_APPLICATION, "");
    rolls_back = false;
    ends_well(dbal_pool_transaction(pool, NULL, says, &rolls_back));
    until_told(&one, 2);
    ck_assert_str_eq(one.told, "L|said|");
    stop_listening(&one);
}
END_TEST

static int64_t
listening(void)
{
    return run_number("select count(*) from pg_stat_activity where query = 'listen \"jobs\"'");
}

/* The server's process may be there for a moment after its last word. */
static void
until_listening(int64_t count)
{
    int64_t now = listening();
    for (int i = 0; i < 10000 && now != count; i++)
        now = listening();
    ck_assert_int_eq(now, count);
}

START_TEST(after_a_loss_it_listens_again)
{
    hearer one;
    listen_on(&one, "jobs");
    until_told(&one, 1);
    for (int i = 1; i <= 3; i++) {
        until_listening(1);
        ck_assert_int_eq(run_number("select count(pg_terminate_backend(pid)) from "
                                    "pg_stat_activity where query = 'listen \"jobs\"'"),
                         1);
        until_told(&one, 3 * i);
        RUN("notify jobs, 'x'");
        until_told(&one, 3 * i + 1);
    }
    ck_assert_str_eq(one.told, "L|G|L|x|G|L|x|G|L|x|");
    ck_assert_double_gt(one.gap, 0);
    ck_assert_double_lt(one.gap, 20);
    stop_listening(&one);
}
END_TEST

START_TEST(when_nobody_listens_its_connection_goes)
{
    hearer one;
    listen_on(&one, "jobs");
    until_told(&one, 1);
    ck_assert_int_eq(listening(), 1);
    stop_listening(&one);
    until_listening(0);
    listen_on(&one, "jobs");
    until_told(&one, 1);
    ends_well(dbal_pool_close(pool));
    ends_well(one.listening);
    dbal_deferred_unref(one.listening);
}
END_TEST

START_TEST(a_database_that_is_not_there_fails)
{
    hearer one;
    char url[512];
    dbal_error *error = NULL;
    const char *base = session_url();
    const char *name = strstr(strstr(base, "://") + 3, "/postgres");
    ck_assert_ptr_nonnull(name);
    snprintf(url, sizeof url, "%.*s/nowhere%s", (int)(name - base), base,
             name + strlen("/postgres"));
    dbal_pool *nowhere = dbal_pool_open(fixture.loop, url, NULL, &error);
    ck_assert_ptr_nonnull(nowhere);
    one = (hearer){.count = 0};
    ends_badly(dbal_pool_listen(nowhere, "jobs", hear, &one), DBAL_ERROR_OPERATIONAL, "3D000");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("postgres listen");
    suite_add(suite, what_is_told_is_heard, before, after);
    suite_add(suite, many_come_in_their_order, before, after);
    suite_add(suite, as_long_as_a_payload_may_be, before, after);
    suite_add(suite, what_is_rolled_back_is_not_told, before, after);
    suite_add(suite, after_a_loss_it_listens_again, before, after);
    suite_add(suite, when_nobody_listens_its_connection_goes, before, after);
    suite_add(suite, a_database_that_is_not_there_fails, before, after);
    return session_main(suite);
}
