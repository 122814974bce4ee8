#include "pg_point.h"

#include <endian.h>
#include <string.h>

#include "clock.h"
#include "server.h"

static const char *const fill[] = {
    "set client_min_messages = warning",
    "drop table if exists item",
    "create table item (id bigint primary key, name text not null, price bigint not null)",
    ("insert into item select i, 'item number ' || lpad(i::text, 8, '0'), i * 7 % 1000 "
     "from generate_series(1, 100000) i"),
    "vacuum analyze item",
};

void
bench_pg_point_make(void)
{
    bench_server_begin();
    PGconn *pg = bench_server_connect(bench_server_url());
    for (size_t i = 0; i < sizeof fill / sizeof *fill; i++)
        bench_server_execute(pg, fill[i]);
    PQfinish(pg);
}

static bool
ask(void *arg, PGconn *pg)
{
    bench_pg_point *self = arg;
    if (self->around && !self->begun) {
        self->begun = true;
        return PQsendQueryParams(pg, "begin", 0, NULL, NULL, NULL, NULL, 0) == 1;
    }
    if (self->run.to_ask > 0) {
        uint64_t key = htobe64((uint64_t)bench_point_key(&self->run));
        const char *values[] = {(const char *)&key};
        static const int lengths[] = {sizeof key}, formats[] = {1};
        return PQsendQueryPrepared(pg, "it", 1, values, lengths, formats, 1) == 1;
    }
    if (!self->begun)
        return false;
    self->begun = self->around = false;
    return PQsendQueryParams(pg, "commit", 0, NULL, NULL, NULL, NULL, 0) == 1;
}

static void
answer(void *arg, const PGresult *result)
{
    bench_pg_point *self = arg;
    uint64_t price;
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return;
    memcpy(&price, PQgetvalue(result, 0, 1), sizeof price);
    bench_point_answer(&self->run, PQgetvalue(result, 0, 0), (int64_t)be64toh(price));
}

void
bench_pg_point_run(bench_lanes *lanes, int queries, bool around)
{
    bench_pg_point point = {.around = around};
    const bench_asking asking = {ask, answer, &point};
    bench_point_start(&point.run, queries);
    bench_lanes_run(lanes, &asking);
    bench_point_check(&point.run);
}

double
bench_pg_point_rate(bench_lanes *lanes, int queries, bool around)
{
    double began = bench_clock();
    bench_pg_point_run(lanes, queries, around);
    return queries / (bench_clock() - began);
}
