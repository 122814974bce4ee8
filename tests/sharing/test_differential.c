/*
 * Whether anybody can tell statements that share from those that do not: the same random statements
 * for both, and each answer, and at last all that is in the files, must be the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/sharing/mix.h"
#include "tests/sharing/sharing.h"

enum { BURST = 200, FOLLOWERS = 100, MOST = BURST + FOLLOWERS, SIDES = 2 };

/* What is asked for in one burst. */
typedef struct order {
    mix mix;
    int next; /* is asked for when this one has settled; 0: nothing */
    char *answers[SIDES];
} order;

static order orders[MOST];
static int count, first_count; /* orders; those that are asked for at once */
static dbal_pool *pools[SIDES];
static int settled[SIDES];
static int sessions; /* underway */
static dbal_pool_counts sums[SIDES];

/* ---- asking ------------------------------------------------------------------------------------------- */

/* One order's place on one side. */
typedef struct place {
    short order, side;
} place;
static place places[MOST][SIDES];

static void ask(place *one);

static void
check_read(const order *one, dbal_outcome in)
{
    dbal_result *rows = dbal_outcome_result(in);
    ck_assert_msg(rows != NULL && dbal_result_row_count(rows) == 1 &&
                      (one->mix.kind != MIX_HOLDS || dbal_result_int64(rows, 0, 0) == 1),
                  "seed %llu: %s: %s", (unsigned long long)luck.seed, one->mix.sql,
                  dbal_error_message(dbal_outcome_error(in)));
}

static dbal_outcome
keep_answer(dbal_outcome in, void *arg)
{
    place *at = arg;
    order *one = &orders[at->order];
    ck_assert_ptr_null(one->answers[at->side]);
    one->answers[at->side] = answer_of(in);
    if (one->mix.kind == MIX_READ || one->mix.kind == MIX_HOLDS)
        check_read(one, in);
    if (one->next != 0)
        ask(&places[one->next][at->side]);
    settled[at->side]++;
    return dbal_done();
}

static void
ask(place *one)
{
    const mix *what = &orders[one->order].mix;
    dbal_deferred_add_both(dbal_pool_query(pools[one->side], what->sql, mix_params(what)),
                           keep_answer, one);
}

/* ---- what goes on beside it ---------------------------------------------------------------------------- */

static dbal_outcome
work_apart(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_script(
        connection, "create temp table mine(n unique); insert into mine values (1), (2);"
                    "attach ':memory:' as beside; create table beside.t(n); begin;"
                    "insert into beside.t select n from mine; insert into mine values (3); commit;"
                    "detach beside; drop table mine"));
}

static dbal_outcome
add_apart(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(
        dbal_connection_query(connection, "update apart set n = n + 1", DBAL_NO_PARAMS));
}

static dbal_outcome
session_ended(dbal_outcome in, void *arg)
{
    (void)arg;
    ck_assert_msg(dbal_outcome_error(in) == NULL, "seed %llu: %s", (unsigned long long)luck.seed,
                  dbal_error_message(dbal_outcome_error(in)));
    sessions--;
    return dbal_done();
}

static void
disturb(bool transaction)
{
    for (int side = 0; side < SIDES; side++) {
        sessions++;
        dbal_deferred_add_both(transaction
                                   ? dbal_pool_transaction(pools[side], NULL, add_apart, NULL)
                                   : dbal_pool_session(pools[side], NULL, work_apart, NULL),
                               session_ended, NULL);
    }
}

/* ---- a burst ------------------------------------------------------------------------------------------- */

static void
add_order(void)
{
    order *one = &orders[count];
    memset(one, 0, sizeof *one);
    mix_make(&one->mix, &luck);
    for (short side = 0; side < SIDES; side++)
        places[count][side] = (place){(short)count, side};
    count++;
}

/* Writes settle in their order, so what is asked for then is asked in the same order on both sides. */
static void
add_followers(void)
{
    for (int i = 0; i < count && count < MOST; i++) {
        mix_kind kind = orders[i].mix.kind;
        if ((kind != MIX_WRITE && kind != MIX_ACT) || !likely(25))
            continue;
        orders[i].next = count;
        add_order();
    }
}

static void
make_burst(void)
{
    static const unsigned sizes[] = {1, 2, 3, 8, 70, BURST};
    unsigned most = sizes[chance_below(&luck, sizeof sizes / sizeof sizes[0])];
    count = 0;
    first_count = 1 + (int)chance_below(&luck, most);
    while (count < first_count)
        add_order();
}

static void
ask_all(bool in_parts)
{
    for (int i = 0; i < first_count; i++) {
        for (int side = 0; side < SIDES; side++)
            ask(&places[i][side]);
        if (in_parts && likely(3))
            disturb(likely(50));
        if (in_parts && likely(10))
            ev_run(fixture.ev, EVRUN_NOWAIT);
    }
}

static bool
all_settled(void *arg)
{
    (void)arg;
    return settled[0] == count && settled[1] == count && sessions == 0;
}

static void
compare_answers(void)
{
    for (int i = 0; i < count; i++) {
        order *one = &orders[i];
        bool same = strcmp(one->answers[0], one->answers[1]) == 0;
        ck_assert_msg(same || (one->mix.kind != MIX_WRITE && one->mix.kind != MIX_MISTAKEN),
                      "seed %llu, %d of %d: %s\nshared: %.999s\nalone:  %.999s",
                      (unsigned long long)luck.seed, i, count, one->mix.sql, one->answers[0],
                      one->answers[1]);
        for (int side = 0; side < SIDES; side++)
            free(one->answers[side]);
    }
}

static void
run_burst(void)
{
    bool in_parts = likely(50);
    make_burst();
    if (!in_parts)
        add_followers();
    settled[0] = settled[1] = 0;
    ask_all(in_parts);
    loop_fixture_until(&fixture, all_settled, NULL);
    compare_answers();
}

/* ---- a pair of databases ------------------------------------------------------------------------------- */

static const char *const names[SIDES] = {"on", "off"};

static void
make_databases(const char *settings)
{
    char parameters[160];
    for (int side = 0; side < SIDES; side++) {
        sqlite3 *outsider = outsider_open(names[side]);
        outsider_run(outsider, "pragma foreign_keys = on");
        outsider_run(outsider, mix_schema);
        sqlite3_close(outsider);
        snprintf(parameters, sizeof parameters, "sharing=%s&pool_max_size=%u&%s", names[side],
                 1 + chance_below(&luck, 4), settings);
        pools[side] = sharing_open(fixture.loop, names[side], parameters);
    }
}

static void
add_counts(int side)
{
    dbal_pool_counts counts = sharing_counts(pools[side]);
    sums[side].shared_snapshots += counts.shared_snapshots;
    sums[side].shared_reads += counts.shared_reads;
    sums[side].shared_commits += counts.shared_commits;
    sums[side].shared_writes += counts.shared_writes;
    sums[side].undone_writes += counts.undone_writes;
}

static void
compare_databases(void)
{
    char *dumps[SIDES];
    for (int side = 0; side < SIDES; side++) {
        add_counts(side);
        sharing_close(pools[side]);
        sqlite3 *outsider = outsider_open(names[side]);
        dumps[side] = outsider_dump(outsider);
        outsider_run(outsider, "pragma journal_mode = delete");
        sqlite3_close(outsider);
        remove(sharing_path(names[side]));
    }
    size_t at = 0;
    while (dumps[0][at] != '\0' && dumps[0][at] == dumps[1][at])
        at++;
    ck_assert_msg(dumps[0][at] == dumps[1][at],
                  "seed %llu: behind %.*s\nshared: %.999s\nalone: %.999s",
                  (unsigned long long)luck.seed, at < 200 ? (int)at : 200,
                  dumps[0] + (at < 200 ? 0 : at - 200), dumps[0] + at, dumps[1] + at);
    free(dumps[0]);
    free(dumps[1]);
}

static void
check_counts(void)
{
    ck_assert_uint_gt(sums[0].shared_commits, 0);
    ck_assert_uint_gt(sums[0].shared_writes, sums[0].shared_commits);
    ck_assert_uint_gt(sums[0].undone_writes, 0);
    ck_assert_uint_gt(sums[0].shared_snapshots, 0);
    ck_assert_uint_gt(sums[0].shared_reads, sums[0].shared_snapshots);
    ck_assert_uint_eq(sums[1].shared_commits + sums[1].shared_writes + sums[1].undone_writes, 0);
    ck_assert_uint_eq(sums[1].shared_snapshots + sums[1].shared_reads, 0);
}

static const char *const settings[] = {
    "synchronous=off",
    "synchronous=off&pool_max_result_bytes=4k",
    "synchronous=normal",
    "synchronous=off&pool_statement_cache=2&cache_size=16k",
    "synchronous=off&pool_gate=driver-thread",
    "synchronous=off&mutex=full",
    "synchronous=off&journal_mode=delete",
};

START_TEST(nobody_can_tell_that_statements_share)
{
    memset(sums, 0, sizeof sums);
    for (unsigned round = 0; round < chance_rounds(14); round++) {
        make_databases(settings[round % (sizeof settings / sizeof settings[0])]);
        for (int burst = 0; burst < 20; burst++)
            run_burst();
        compare_databases();
    }
    check_counts();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sharing, differential");
    sharing_add(suite, nobody_can_tell_that_statements_share);
    return suite_run(suite);
}
