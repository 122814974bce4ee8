/* Pools that share a limit, through random schedules: it is kept to, and none starves. */
#include <stdio.h>

#include "tests/lib/chance.h"
#include "tests/pool/limit_fixture.h"

enum { STEPS = 100, WORK = 60, PLACES = 3 };

/* One schedule: what was asked for, and what is held. */
typedef struct schedule {
    chance chance;
    int pools;
    seen seen[WORK];
    dbal_deferred *asked[WORK];
    int count;
    holder holders[WORK];
    dbal_deferred *sessions[WORK]; /* NULL: it was ended */
    int session_count;
} schedule;

static dbal_outcome
swallow(dbal_outcome in, void *arg)
{
    (void)in, (void)arg;
    return dbal_done();
}

static unsigned
any(schedule *self, unsigned below)
{
    return chance_below(&self->chance, below);
}

static void
open_some(schedule *self, int target)
{
    static const char *const kinds[] = {"", "&pool_min_size=1", "&pool_min_size=2",
                                        "&pool_pipeline_depth=1"};
    self->pools = 2 + (int)any(self, MOST - 1);
    limit = dbal_limit_new(1 + (int)any(self, PLACES), NULL);
    for (int i = 0; i < self->pools; i++) {
        char text[120];
        snprintf(text, sizeof text, "pool_acquire_timeout=off&pool_close_timeout=off%s",
                 kinds[any(self, sizeof kinds / sizeof kinds[0])]);
        pools[i] = open_on(fixture.loop, target, text);
        ck_assert_ptr_nonnull(pools[i]);
    }
    pool = pools[0];
}

static void
ask_one(schedule *self)
{
    static const char *const words[] = {"get", "add 1", "bytes 5000", "lose"};
    if (self->count == WORK)
        return;
    dbal_deferred *asked = ask_of((int)any(self, (unsigned)self->pools), words[any(self, 4)]);
    self->asked[self->count] = dbal_deferred_ref(asked);
    watch(asked, &self->seen[self->count]);
    self->count++;
}

static void
cancel_one(schedule *self)
{
    if (self->count > 0)
        dbal_deferred_cancel(self->asked[any(self, (unsigned)self->count)]);
}

static void
begin_session(schedule *self)
{
    if (self->session_count == WORK)
        return;
    holder *one = &self->holders[self->session_count];
    pool = pools[any(self, (unsigned)self->pools)];
    self->sessions[self->session_count++] = dbal_deferred_ref(hold(one));
}

/* Granted or not. */
static void
end_session(schedule *self, int i)
{
    dbal_deferred *session = self->sessions[i];
    self->sessions[i] = NULL;
    if (session == NULL)
        return;
    let_go(&self->holders[i]);
    dbal_deferred_cancel(session);
    dbal_deferred_unref(session);
}

static void
end_some_session(schedule *self)
{
    if (self->session_count > 0)
        end_session(self, (int)any(self, (unsigned)self->session_count));
}

/* Its connections are made anew, or may be more or fewer. */
static void
shake_one(schedule *self)
{
    dbal_pool *one = pools[any(self, (unsigned)self->pools)];
    int least = (int)any(self, 3);
    if (any(self, 2) == 0)
        dbal_deferred_add_errback(dbal_pool_drain(one), swallow, NULL);
    else
        dbal_pool_resize(one, least, least + 1 + (int)any(self, 4), NULL);
}

static void
step(schedule *self)
{
    static const double times[] = {0, 0.001, 0.02, 0.3};
    switch (any(self, 9)) {
    case 0:
    case 1:
    case 2:
        ask_one(self);
        break;
    case 3:
        cancel_one(self);
        break;
    case 4:
        begin_session(self);
        break;
    case 5:
        end_some_session(self);
        break;
    case 6:
        dbal_limit_resize(limit, 1 + (int)any(self, PLACES));
        break;
    case 7:
        shake_one(self);
        break;
    default:
        let_pass(times[any(self, 4)]);
        break;
    }
    if (any(self, 2) == 0)
        settle();
}

static void
all_come_to_an_end(schedule *self)
{
    for (int i = 0; i < self->session_count; i++)
        end_session(self, i);
    for (int i = 0; i < self->session_count; i++)
        until_settled_in_time(&self->holders[i].end);
    for (int i = 0; i < self->count; i++) {
        until_settled_in_time(&self->seen[i]);
        dbal_deferred_unref(self->asked[i]);
        dbal_error_class found = self->seen[i].error_class;
        ck_assert_msg(found == 0 || found == DBAL_ERROR_CANCELLED ||
                          found == DBAL_ERROR_OPERATIONAL, /* it was lost */
                      "DBAL_TEST_SEED=%llu", (unsigned long long)self->chance.seed);
    }
    for (int i = 0; i < self->pools; i++) {
        seen closed;
        watch(dbal_pool_close(pools[i]), &closed);
        until_settled_in_time(&closed);
    }
    ck_assert_int_eq(dbal_limit_used(limit), 0);
    dbal_limit_unref(limit);
}

START_TEST(whatever_comes_none_starves)
{
    chance all;
    chance_init(&all);
    fprintf(stderr, "limit: DBAL_TEST_SEED=%llu\n", (unsigned long long)all.seed);
    unsigned rounds = chance_rounds(50);
    dbal_loop_set_log(fixture.loop, no_log, NULL);
    loop_fixture_drive(&fixture);
    for (unsigned round = 0; round < rounds; round++) {
        schedule self = {.count = 0};
        chance_split(&self.chance, &all, round);
        open_some(&self, _i);
        for (int i = 0; i < STEPS; i++)
            step(&self);
        all_come_to_an_end(&self);
        ck_assert_int_le(fake_script_count(script, &script->most_live), PLACES);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("limit chance");
    add(suite, whatever_comes_none_starves, TARGETS);
    return suite_run(suite);
}
