#include "check/rounds.h"

#include <dirent.h>
#include <time.h>

#include "check/sink.h"
#include "tests/contract/contract.h"

static long
count_in(const char *folder)
{
    long count = 0;
    DIR *list = opendir(folder);
    while (list != NULL && readdir(list) != NULL)
        count++;
    if (list != NULL)
        closedir(list);
    return count;
}

/* A loop and a pool that come and go, with statements that succeed, fail and are cancelled. */
static void
one_round(const char *settings)
{
    const contract_sql *sql = target->sql;
    const char *failing = sql->syntax != NULL ? sql->syntax : "there is no such statement";
    loop_fixture kept = fixture;
    loop_fixture_init(&fixture);
    dbal_pool *mine = contract_open(fixture.loop, settings);
    dbal_outcome outcome;
    for (int i = 0; i < 8; i++) {
        const char *asked = i % 4 == 3 ? failing : i % 2 != 0 ? sql->get : sql->echo;
        if (asked == NULL)
            continue;
        dbal_value one = dbal_int64(i);
        bool with = asked == sql->echo;
        dbal_deferred *query = dbal_deferred_ref(
            dbal_pool_query(mine, asked, (dbal_params){with ? 1 : 0, with ? &one : NULL}));
        if (i == 5)
            dbal_deferred_cancel(query);
        outcome = loop_fixture_await(&fixture, query);
        dbal_outcome_clear(&outcome);
        dbal_deferred_unref(query);
    }
    good(dbal_pool_close(mine));
    loop_fixture_fini(&fixture);
    fixture = kept;
}

/* What is left after so many rounds, when there is no more to come. */
static long
left_of(long (*count)(void), long most)
{
    for (int i = 0; i < 60 && count() > most; i++)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    return count();
}

static long
descriptors(void)
{
    return count_in("/proc/self/fd");
}

static long
threads(void)
{
    return count_in("/proc/self/task");
}

static void
check_growth(long (*count)(void), const char *what)
{
    enum { WARM = 3, ROUNDS = 12 };
    for (int i = 0; i < WARM; i++)
        one_round("pool_max_size=2");
    long before = left_of(count, 0);
    for (int i = 0; i < ROUNDS; i++)
        one_round("pool_max_size=2");
    long more = left_of(count, before + ROUNDS / 2) - before;
    if (more >= ROUNDS - 1)
        trial_fail("%ld more %s after %d more pools that were closed", more, what, (int)ROUNDS);
}

START_TEST(no_memory_is_kept)
{
    check_growth(sink_blocks, "blocks of dbal_driver_alloc()");
}
END_TEST

START_TEST(no_descriptor_is_kept)
{
    check_growth(descriptors, "descriptors");
}
END_TEST

START_TEST(no_thread_is_kept)
{
    check_growth(threads, "threads");
}
END_TEST

static dbal_outcome
many(dbal_connection *connection, void *arg)
{
    const char *sql = arg;
    dbal_deferred *last = NULL;
    for (int i = 0; i < 64; i++)
        last = dbal_connection_query(connection, sql, DBAL_NO_PARAMS);
    return dbal_wait(last);
}

START_TEST(statements_on_one_connection_keep_nothing)
{
    char *sql = (char *)(uintptr_t)SQL(get);
    for (int i = 0; i < 3; i++)
        good(dbal_pool_session(pool, NULL, many, sql));
    long before = sink_blocks();
    for (int i = 0; i < 3; i++)
        good(dbal_pool_session(pool, NULL, many, sql));
    if (sink_blocks() - before > 96)
        trial_fail("%ld more blocks of dbal_driver_alloc() after 192 more statements",
                   sink_blocks() - before);
}
END_TEST

void
add_rounds(Suite *suite)
{
    contract_add(suite, no_memory_is_kept);
    contract_add(suite, no_descriptor_is_kept);
    contract_add(suite, no_thread_is_kept);
    contract_add(suite, statements_on_one_connection_keep_nothing);
}
