/*
 * Without memory: the nth allocation fails, for all n, on a real server. Each Deferred settles once,
 * what is said of a statement is true, and nothing is left.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/faults/postgres/fixture.h"
#include "tests/lib/alloc_fault.h"

enum { INSERTS = 4 };

typedef struct tally {
    int asked, settled;
    unsigned sure, never; /* bits of rows: that are there, that are not */
} tally;

typedef struct row {
    tally *of;
    unsigned bit;
} row;

static dbal_outcome
look(dbal_outcome in, void *arg)
{
    const row *self = arg;
    const dbal_error *error = dbal_outcome_error(in);
    if (error == NULL)
        self->of->sure |= self->bit;
    else if (dbal_error_execution(error) != DBAL_EXECUTION_UNKNOWN)
        self->of->never |= self->bit;
    return dbal_done();
}

static dbal_outcome
swallow(dbal_outcome in, void *arg)
{
    (void)in, (void)arg;
    return dbal_done();
}

static void
has_settled(void *arg)
{
    ((tally *)arg)->settled++;
}

static void
count(tally *self, dbal_deferred *deferred)
{
    self->asked++;
    dbal_deferred_add_errback(deferred, swallow, NULL);
    dbal_deferred_add_finally(deferred, has_settled, self);
}

static dbal_flow
take(dbal_stream *stream, dbal_result *batch, void *arg)
{
    (void)stream, (void)arg;
    return dbal_result_row_count(batch) > 0 ? DBAL_CONTINUE : DBAL_STOP;
}

static void
cancel_later(struct ev_loop *ev, ev_timer *timer, int events)
{
    (void)ev, (void)events;
    dbal_deferred_cancel(timer->data);
}

static PGconn *outsider;

static PGresult *
look_from_outside(const char *sql)
{
    PGresult *result = PQexec(outsider, sql);
    ck_assert_msg(PQresultErrorMessage(result)[0] == '\0', "%s", PQerrorMessage(outsider));
    return result;
}

static void
look_at_rows(const tally *self)
{
    unsigned there = 0;
    PGresult *result = look_from_outside("select n from scarce");
    for (int i = 0; i < PQntuples(result); i++) {
        unsigned bit = 1u << strtoul(PQgetvalue(result, i, 0), NULL, 10);
        ck_assert_uint_eq(there & bit, 0);
        there |= bit;
    }
    PQclear(result);
    ck_assert_uint_eq(self->sure & ~there, 0);
    ck_assert_uint_eq(self->never & there, 0);
}

static void
ask_all(tally *self, dbal_pool *of, row *rows)
{
    for (unsigned i = 0; i < INSERTS; i++) {
        dbal_deferred *one = dbal_pool_run(
            of, DBAL_QUERY(.sql = "insert into scarce values ($1) returning n, 'text'",
                           .params = DBAL_PARAMS(dbal_int64(i)), .timeout = i == 2 ? 60 : 0));
        rows[i] = (row){self, 1u << i};
        dbal_deferred_add_both(one, look, &rows[i]);
        count(self, one);
    }
    count(self, dbal_pool_query(of, "select 1/0", DBAL_NO_PARAMS));
    count(self,
          dbal_pool_stream(of, DBAL_QUERY(.sql = "select generate_series(1, 1200)"), take, self));
    count(self,
          dbal_pool_stream(of, DBAL_QUERY(.sql = "select generate_series(1, 1200)"), take, self));
}

static void
write_rows(dbal_copy *copy, void *arg)
{
    (void)arg;
    dbal_copy_write(copy, "17\n18\n", 6);
    dbal_copy_end(copy);
}

static dbal_flow
read_bytes(dbal_stream *stream, const void *data, size_t size, void *arg)
{
    (void)stream, (void)data, (void)arg;
    return size > 0 ? DBAL_CONTINUE : DBAL_STOP;
}

static void
copy_both_ways(tally *self, dbal_pool *of)
{
    count(self, dbal_pool_copy_in(of, "copy (select 1) to stdout", write_rows, NULL));
    count(self, dbal_pool_copy_in(of, "copy copied from stdin", write_rows, NULL));
    count(self, dbal_pool_copy_out(of, "copy (select generate_series(1, 99)) to stdout", read_bytes,
                                   NULL));
}

/* Those that are known share a Sync, the one that fails among them. */
static void
read_together(tally *self, dbal_pool *of, struct ev_loop *ev)
{
    for (int i = 0; i < 8; i++) {
        count(self, dbal_pool_run(of, DBAL_QUERY(.sql = "select 'read ' || 100 / $1::int",
                                                 .params = DBAL_PARAMS(dbal_int64(i - 3)),
                                                 .read_only = true)));
        if (i < 2)
            ev_run(ev, 0);
    }
}

static void
scenario(void *arg)
{
    tally self = {.asked = 0};
    row rows[INSERTS];
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    dbal_pool *of = NULL;
    ev_timer timer;
    (void)arg;
    PQclear(look_from_outside("truncate scarce"));
    log_lines log = {.count = 0};
    dbal_loop *loop = dbal_loop_new(ev);
    if (loop != NULL) {
        char url[300];
        dbal_loop_set_log(loop, log_lines_add, &log);
        snprintf(url, sizeof url, "%s&pool_max_size=1&pool_pipeline_wait=1", server.url);
        of = dbal_pool_open(loop, url, NULL, NULL);
    }
    if (of != NULL) {
        read_together(&self, of, ev);
        ask_all(&self, of, rows);
        copy_both_ways(&self, of);
        dbal_deferred *slow =
            dbal_deferred_ref(dbal_pool_query(of, "select pg_sleep(1000)", DBAL_NO_PARAMS));
        count(&self, slow);
        ev_timer_init(&timer, cancel_later, 0.012, 0);
        timer.data = slow;
        ev_timer_start(ev, &timer);
        ev_run(ev, 0);
        ev_timer_stop(ev, &timer);
        dbal_deferred_unref(slow);
        count(&self, dbal_pool_close(of));
        ev_run(ev, 0);
    }
    dbal_loop_free(loop);
    ev_loop_destroy(ev);
    ck_assert_int_eq(self.settled, self.asked);
    look_at_rows(&self);
}

START_TEST(nothing_is_lost_without_memory)
{
    /* what is made once for the process is there before: it is not freed */
    fixture_init();
    open_pool("");
    outsider = postgres_connect(server.url);
    alloc_fault_sweep(scenario, NULL);
    PQfinish(outsider);
    fixture_fini();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("postgres-memory");
    postgres_start(&server, NULL);
    postgres_run(server.url, "create table scarce(n int); create table copied(n int)");
    TCase *one = tcase_create("sweep");
    tcase_set_timeout(one, 600);
    tcase_add_test(one, nothing_is_lost_without_memory);
    suite_add_tcase(suite, one);
    return suite_run(suite);
}
