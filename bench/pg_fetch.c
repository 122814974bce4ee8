#include "pg_fetch.h"

#include "server.h"

enum { NAME = 20 };

const char bench_pg_fetch_sql[] = "select id, price, name from cell";
static const char *const fill =
    "create table if not exists cell as select i::int as id, i * 1.25::float8 as price, "
    "'item number ' || lpad(i::text, 8, '0') as name from generate_series(1, 1000000) i";

void
bench_pg_fetch_make(void)
{
    bench_server_begin();
    PGconn *pg = bench_server_connect(bench_server_url());
    bench_server_execute(pg, "set client_min_messages = warning");
    bench_server_execute(pg, fill);
    bench_server_execute(pg, "vacuum analyze cell");
    PQfinish(pg);
}

void
bench_pg_cells_check(const bench_pg_cells *cells)
{
    int64_t rows = BENCH_PG_ROWS, ids = rows * (rows + 1) / 2;
    if (cells->rows != rows || cells->ids != ids || cells->prices != (double)ids * 1.25 ||
        cells->bytes != (size_t)rows * (NAME + 1))
        bench_fail("the rows were others");
}

/* ---- dbal ---- */

static dbal_flow
take(dbal_stream *stream, dbal_result *rows, void *arg)
{
    bench_pg_fetching *fetch = arg;
    (void)stream;
    for (size_t i = 0, count = dbal_result_row_count(rows); i < count; i++) {
        size_t size;
        const char *name = dbal_result_textn(rows, i, 2, &size);
        bench_pg_cells_add(&fetch->cells, dbal_result_int64(rows, i, 0),
                           dbal_result_double(rows, i, 1), name, size);
    }
    return DBAL_CONTINUE;
}

static dbal_outcome
ended(dbal_outcome in, void *arg)
{
    bench_pg_fetching *fetch = arg;
    const dbal_error *error = dbal_outcome_error(in);
    if (error != NULL)
        bench_fail("%s", dbal_error_message(error));
    ev_break(fetch->ev, EVBREAK_ONE);
    return in;
}

void
bench_pg_fetch_run(bench_pg_fetching *fetch)
{
    fetch->cells = (bench_pg_cells){0};
    dbal_deferred *all =
        dbal_pool_stream(fetch->pool, DBAL_QUERY(.sql = bench_pg_fetch_sql), take, fetch);
    dbal_deferred_add_both(all, ended, fetch);
    ev_run(fetch->ev, 0);
    bench_pg_cells_check(&fetch->cells);
}

void
bench_pg_fetch_begin(bench_pg_fetching *fetch, const char *url)
{
    dbal_error *error = NULL;
    fetch->ev = ev_loop_new(EVFLAG_AUTO);
    fetch->loop = dbal_loop_new(fetch->ev);
    fetch->pool = dbal_pool_open(fetch->loop, url, DBAL_POOL_OPTIONS(.max_size = 1), &error);
    if (fetch->pool == NULL)
        bench_fail("%s", dbal_error_message(error));
}

void
bench_pg_fetch_end(bench_pg_fetching *fetch)
{
    dbal_loop_free(fetch->loop);
    ev_loop_destroy(fetch->ev);
}
