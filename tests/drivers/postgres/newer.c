/*
 * libpq 17 where only an older one is installed: its functions are defined here, by what the older
 * one has, and each call is counted. That they are found by name and used is what is tested; the
 * real ones are not.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "session.h"
#include "tests/lib/postgres.h"
#include "tests/lib/suite.h"

typedef struct cancel_conn {
    PGcancel *cancel;
    int fd; /* always ready */
} cancel_conn;

static int syncs, chunked, closed, cancels, finished;

int PQsendPipelineSync(PGconn *pg);
int PQsetChunkedRowsMode(PGconn *pg, int rows);
int PQsendClosePrepared(PGconn *pg, const char *name);
cancel_conn *PQcancelCreate(PGconn *pg);
int PQcancelStart(cancel_conn *conn);
PostgresPollingStatusType PQcancelPoll(cancel_conn *conn);
int PQcancelSocket(const cancel_conn *conn);
void PQcancelFinish(cancel_conn *conn);

int
PQsendPipelineSync(PGconn *pg)
{
    syncs++;
    return PQpipelineSync(pg);
}

int
PQsetChunkedRowsMode(PGconn *pg, int rows)
{
    ck_assert_int_gt(rows, 0);
    chunked++;
    return PQsetSingleRowMode(pg);
}

int
PQsendClosePrepared(PGconn *pg, const char *name)
{
    char sql[64];
    closed++;
    snprintf(sql, sizeof sql, "deallocate %s", name);
    return PQsendQueryParams(pg, sql, 0, NULL, NULL, NULL, NULL, 0);
}

cancel_conn *
PQcancelCreate(PGconn *pg)
{
    cancel_conn *conn = malloc(sizeof *conn);
    ck_assert_ptr_nonnull(conn);
    conn->cancel = PQgetCancel(pg);
    conn->fd = eventfd(1, 0);
    return conn;
}

int
PQcancelStart(cancel_conn *conn)
{
    return conn->cancel != NULL;
}

PostgresPollingStatusType
PQcancelPoll(cancel_conn *conn)
{
    char why[256];
    __atomic_add_fetch(&cancels, 1, __ATOMIC_SEQ_CST);
    return PQcancel(conn->cancel, why, sizeof why) ? PGRES_POLLING_OK : PGRES_POLLING_FAILED;
}

int
PQcancelSocket(const cancel_conn *conn)
{
    return conn->fd;
}

void
PQcancelFinish(cancel_conn *conn)
{
    finished++;
    PQfreeCancel(conn->cancel);
    close(conn->fd);
    free(conn);
}

/* ---- what is asked for ---- */

static void
before(void)
{
    session_begin("pool_max_size=1&pool_statement_cache=2");
    syncs = chunked = closed = cancels = finished = 0;
}

static void
after(void)
{
    session_end();
    ck_assert_int_eq(finished, cancels);
}

START_TEST(syncs_that_do_not_flush)
{
    dbal_deferred *some[50];
    for (int i = 0; i < 50; i++)
        some[i] = dbal_pool_query(pool, "select $1 + 1", DBAL_PARAMS(dbal_int64(i)));
    dbal_outcome all =
        loop_fixture_await(&fixture, dbal_gather(fixture.loop, DBAL_GATHER_ALL, 50, some));
    for (int i = 0; i < 50; i++) {
        dbal_result *result = dbal_outcome_result(dbal_outcome_at(all, (size_t)i));
        ck_assert_ptr_nonnull(result);
        ck_assert_int_eq(dbal_result_int64(result, 0, 0), i + 1);
    }
    dbal_outcome_clear(&all);
    ck_assert_int_ge(syncs, 50);
}
END_TEST

static dbal_flow
add_rows(dbal_stream *stream, dbal_result *batch, void *arg)
{
    (void)stream;
    *(size_t *)arg += dbal_result_row_count(batch);
    return DBAL_CONTINUE;
}

START_TEST(rows_in_chunks)
{
    size_t rows = 0;
    ends_well(dbal_pool_stream(pool, DBAL_QUERY(.sql = "select generate_series(1, 5000)"), add_rows,
                               &rows));
    ck_assert_uint_eq(rows, 5000);
    ck_assert_int_gt(chunked, 0);
}
END_TEST

START_TEST(evicted_statements_are_closed)
{
    char sql[40];
    for (int i = 0; i < 12; i++) {
        snprintf(sql, sizeof sql, "select %d", i / 2);
        ck_assert_int_eq(run_number(sql), i / 2);
    }
    ck_assert_int_eq(run_number("select count(*) from pg_prepared_statements"), 2);
    ck_assert_int_ge(closed, 3);
}
END_TEST

static bool
is_at_work(void *arg)
{
    (void)arg;
    return postgres_number(session_url(), "select count(*) from pg_stat_activity where state = "
                                          "'active' and query = 'select pg_sleep(60)'") == 1;
}

START_TEST(cancels_by_their_own_connection)
{
    dbal_deferred *slow =
        dbal_deferred_ref(dbal_pool_query(pool, "select pg_sleep(60)", DBAL_NO_PARAMS));
    loop_fixture_until(&fixture, is_at_work, NULL);
    dbal_deferred_cancel(slow);
    ends_badly(slow, DBAL_ERROR_CANCELLED, "57014");
    dbal_deferred_unref(slow);
    ck_assert_int_ge(cancels, 1);
    RUN("select 1");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("postgres newer");
    suite_add(suite, syncs_that_do_not_flush, before, after);
    suite_add(suite, rows_in_chunks, before, after);
    suite_add(suite, evicted_statements_are_closed, before, after);
    suite_add(suite, cancels_by_their_own_connection, before, after);
    return session_main(suite);
}
