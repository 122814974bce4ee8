/* More than fits: statements both ways, a slow consumer, a talkative server. Memory stays bounded. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/faults/postgres/fixture.h"

enum { MEGABYTE = 1 << 20 };

/* A sanitizer keeps what was freed. */
static bool
counts_memory(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return false;
#endif
#endif
    return getenv("DBAL_TEST_VALGRIND") == NULL;
}

static void
grew_less(size_t before, size_t most)
{
    size_t now = resident();
    if (counts_memory())
        ck_assert_msg(now < before + most, "grew by %zu kB", (now - before) / 1024);
}

/* ---- both ways ---- */

enum { IN = 8000, OUT = 50000, OPEN = 500 };

typedef struct pump {
    int asked, done, total;
    char text[IN + 1];
    size_t worst;
    bool over;
} pump;

static void ask_more(pump *self);

static dbal_outcome
has_answer(dbal_outcome in, void *arg)
{
    pump *self = arg;
    dbal_result *result = dbal_outcome_result(in);
    size_t size = 0;
    ck_assert_msg(result != NULL, "%s", dbal_error_message(dbal_outcome_error(in)));
    dbal_result_textn(result, 0, 0, &size);
    ck_assert_uint_eq(size, OUT);
    ck_assert_int_eq(dbal_result_int64(result, 0, 1), IN);
    self->done++;
    self->over = self->done == self->total;
    if (self->done % 100 == 0 && resident() > self->worst)
        self->worst = resident();
    ask_more(self);
    return dbal_done();
}

static void
ask_more(pump *self)
{
    for (; self->asked < self->total && self->asked - self->done < OPEN; self->asked++)
        dbal_deferred_add_both(dbal_pool_query(pool, "select repeat('x', 50000), length($1)",
                                               DBAL_PARAMS(dbal_text(self->text))),
                               has_answer, self);
}

START_TEST(thousands_of_large_statements_both_ways)
{
    static pump self;
    self = (pump){.total = is_full_run() ? 10000 : 2500};
    memset(self.text, 'x', IN);
    open_pool("pool_max_size=4");
    size_t before = resident();
    ask_more(&self);
    pass_time(0.2);
    postgres_freeze(&server);
    pass_time(0.3);
    postgres_thaw(&server);
    for (int turn = 0; turn < 10 && !self.over; turn++) {
        double end = seconds() + 20;
        while (!self.over && seconds() < end)
            pass_time(0.05);
    }
    ck_assert(self.over);
    ck_assert_uint_eq(counts(pool).lost, 0);
    if (counts_memory())
        ck_assert_msg(self.worst < before + 80 * MEGABYTE, "grew by %zu kB",
                      (self.worst - before) / 1024);
}
END_TEST

/* ---- a slow consumer ---- */

typedef struct sipper {
    ev_timer timer;
    dbal_stream *stream;
    int64_t rows;
    unsigned batches;
    size_t before;
} sipper;

static void
sip(struct ev_loop *ev, ev_timer *timer, int events)
{
    sipper *self = timer->data;
    (void)ev, (void)events;
    dbal_stream_resume(self->stream);
}

static dbal_flow
take(dbal_stream *stream, dbal_result *batch, void *arg)
{
    sipper *self = arg;
    self->stream = stream;
    self->rows += (int64_t)dbal_result_row_count(batch);
    if (++self->batches % 64 == 0)
        grew_less(self->before, 32 * MEGABYTE);
    if (self->batches % 4 != 0)
        return DBAL_CONTINUE;
    ev_timer_init(&self->timer, sip, 0.001, 0);
    self->timer.data = self;
    ev_timer_start(fixture.ev, &self->timer);
    return DBAL_PAUSE;
}

START_TEST(a_large_stream_and_a_slow_consumer)
{
    sipper self = {.rows = 0};
    char sql[100];
    seen one;
    int64_t rows = is_full_run() ? 1000000 : 200000;
    snprintf(sql, sizeof sql, "select generate_series(1, %lld), repeat('x', 1000)",
             (long long)rows);
    open_pool("pool_max_size=1");
    self.before = resident();
    watch(dbal_pool_stream(pool, DBAL_QUERY(.sql = sql), take, &self), &one);
    while (one.settled == 0)
        pass_time(0.05);
    is_good(&one);
    ck_assert_int_eq(self.rows, rows);
    grew_less(self.before, 32 * MEGABYTE);
}
END_TEST

/* A large value's memory goes with its connection, if not before. */
START_TEST(a_large_value_is_not_kept)
{
    seen one, closed;
    open_pool("pool_max_size=1");
    size_t before = resident();
    watch(ask("select repeat('x', 50000000)"), &one);
    until_settled(&one);
    is_good(&one);
    watch(dbal_pool_close(pool), &closed);
    until_settled(&closed);
    pass_time(0.1);
    grew_less(before, 16 * MEGABYTE);
}
END_TEST

/* ---- a talkative server ---- */

static seen asked_by_log;
static unsigned heard;

static void
hear(void *arg, dbal_log_level level, const char *message)
{
    (void)arg, (void)level;
    if (strncmp(message, "slow query: ", 12) == 0)
        return; /* on a slow machine */
    ck_assert_ptr_nonnull(strstr(message, "it is said "));
    if (heard++ == 0)
        watch(ask("select 33"), &asked_by_log);
}

START_TEST(a_hundred_thousand_notices)
{
    static const char noisy[] =
        "create or replace function noisy(n int) returns int language plpgsql as $$ begin "
        "for i in 1..n loop raise notice 'it is said %', i; end loop; return n; end $$";
    char path[] = "/tmp/dbal-stderr-XXXXXX";
    seen one;
    postgres_run(server.url, noisy);
    open_pool("pool_max_size=2");
    dbal_loop_set_log(fixture.loop, hear, NULL);
    int file = mkstemp(path), kept = dup(STDERR_FILENO);
    ck_assert_int_ge(file, 0);
    size_t before = resident();
    dup2(file, STDERR_FILENO);
    watch(ask("select noisy(100000)"), &one);
    while (one.settled == 0)
        pass_time(0.05);
    dup2(kept, STDERR_FILENO);
    close(kept);
    is_good(&one);
    ck_assert_int_eq(one.value, 100000);
    grew_less(before, 16 * MEGABYTE);
    ck_assert_int_eq(lseek(file, 0, SEEK_END), 0);
    close(file);
    unlink(path);
    ck_assert_uint_gt(heard, 0);
    until_settled(&asked_by_log);
    is_good(&asked_by_log);
    ck_assert_int_eq(asked_by_log.value, 33);
    dbal_loop_set_log(fixture.loop, log_lines_add, &fixture.log);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("postgres-pressure");
    postgres_start(&server, NULL);
    hunt_add(suite, thousands_of_large_statements_both_ways, 250);
    hunt_add(suite, a_large_stream_and_a_slow_consumer, 200);
    hunt_add(suite, a_large_value_is_not_kept, 60);
    hunt_add(suite, a_hundred_thousand_notices, 100);
    return suite_run(suite);
}
