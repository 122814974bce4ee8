#include "with_zdb.h"

#include <stdio.h>
#include <string.h>

#include "../clock.h"
#include "../database.h"
#include "../place.h"

/* ---- in a thread --------------------------------------------------------------------------------- */

static void
run_select(PreparedStatement_T statement, bench_point *point)
{
    PreparedStatement_setLLong(statement, 1, point->key);
    ResultSet_T rows = PreparedStatement_executeQuery(statement);
    while (ResultSet_next(rows)) {
        snprintf(point->name, sizeof point->name, "%s", ResultSet_getString(rows, 1));
        point->price = ResultSet_getLLong(rows, 2);
    }
}

static void
run_insert(Connection_T connection, PreparedStatement_T statement, bench_insert *insert)
{
    PreparedStatement_setLLong(statement, 1, insert->code);
    PreparedStatement_setString(statement, 2, bench_insert_name);
    PreparedStatement_execute(statement);
    insert->changed = PreparedStatement_rowsChanged(statement);
    insert->id = Connection_lastRowId(connection);
}

static PreparedStatement_T
prepare(const peers_zdb *zdb, Connection_T connection)
{
    return Connection_prepareStatement(connection, "%s",
                                       zdb->inserts ? bench_insert_sql : bench_point_sql);
}

static void
run(Connection_T connection, PreparedStatement_T statement, peers_query *query)
{
    if (query->zdb->inserts)
        run_insert(connection, statement, &query->insert);
    else
        run_select(statement, &query->point);
}

static Connection_T
get(const peers_zdb *zdb)
{
    Connection_T connection = ConnectionPool_getConnection(zdb->pool);
    if (connection == NULL)
        bench_fail("libzdb gave no connection");
    return connection;
}

static void
live_keeping(peers_threads *threads)
{
    const peers_zdb *zdb = threads->arg;
    peers_job *job;
    Connection_T connection = get(zdb);
    PreparedStatement_T statement = prepare(zdb, connection);
    while ((job = peers_threads_take(threads)) != NULL) {
        run(connection, statement, (peers_query *)(void *)job);
        peers_threads_return(threads, job);
    }
    Connection_close(connection);
}

static void
live_getting(peers_threads *threads)
{
    const peers_zdb *zdb = threads->arg;
    peers_job *job;
    while ((job = peers_threads_take(threads)) != NULL) {
        Connection_T connection = get(zdb);
        run(connection, prepare(zdb, connection), (peers_query *)(void *)job);
        Connection_close(connection);
        peers_threads_return(threads, job);
    }
}

static void
live(peers_threads *threads)
{
    const peers_zdb *zdb = threads->arg;
    TRY
    {
        if (zdb->keeps)
            live_keeping(threads);
        else
            live_getting(threads);
    }
    ELSE
    {
        bench_fail("libzdb: %s", Exception_frame.message);
    }
    END_TRY;
}

/* ---- on the loop --------------------------------------------------------------------------------- */

static bool
to_give(const peers_zdb *zdb)
{
    return (zdb->inserts ? zdb->rows.to_give : zdb->points.to_ask) > 0;
}

static bool
all_answered(const peers_zdb *zdb)
{
    return (zdb->inserts ? zdb->rows.to_answer : zdb->points.to_answer) == 0;
}

static void
give(peers_query *query)
{
    peers_zdb *zdb = query->zdb;
    if (zdb->inserts)
        query->insert.code = bench_insert_code(&zdb->rows);
    else
        query->point.key = bench_point_key(&zdb->points);
    peers_threads_give(&zdb->crew, &query->job);
}

static void
done(peers_job *job)
{
    peers_query *query = (peers_query *)(void *)job;
    peers_zdb *zdb = query->zdb;
    if (zdb->inserts)
        bench_insert_answer(&zdb->rows, &query->insert);
    else
        bench_point_answer(&zdb->points, query->point.name, query->point.price);
    if (to_give(zdb))
        give(query);
    else if (all_answered(zdb))
        ev_break(zdb->crew.loop, EVBREAK_ONE);
}

double
peers_zdb_rate(peers_zdb *zdb, int queries)
{
    double began = bench_clock();
    if (zdb->inserts)
        bench_insert_start(&zdb->rows, queries);
    else
        bench_point_start(&zdb->points, queries);
    for (int i = 0; i < PEERS_FLIGHT; i++)
        give(&zdb->queries[i]);
    ev_run(zdb->crew.loop, 0);
    double took = bench_clock() - began;
    if (zdb->inserts)
        bench_insert_check(&zdb->rows, queries);
    else
        bench_point_check(&zdb->points);
    return queries / took;
}

/* set as dbal's driver sets it, as far as it makes a difference to the speed */
static void
open_pool(peers_zdb *zdb, const char *file)
{
    char path[BENCH_PATH], url[BENCH_PATH * 3 + 128], escaped[BENCH_PATH * 3];
    bench_place_path(file, path);
    bench_database_escape(path, escaped);
    snprintf(url, sizeof url,
             "sqlite://%s?journal_mode=wal&synchronous=full&cache_size=-65536&foreign_keys=on",
             escaped);
    zdb->url = URL_new(url);
    zdb->pool = ConnectionPool_new(zdb->url);
    ConnectionPool_setInitialConnections(zdb->pool, zdb->threads);
    ConnectionPool_setMaxConnections(zdb->pool, zdb->threads);
    TRY
    {
        ConnectionPool_start(zdb->pool);
    }
    ELSE
    {
        bench_fail("libzdb: %s", Exception_frame.message);
    }
    END_TRY;
}

void
peers_zdb_begin(peers_zdb *zdb, const char *file)
{
    static const bench_insert_kind full = {"full", false};
    if (zdb->inserts)
        bench_insert_make(file, &zdb->rows, &full);
    open_pool(zdb, file);
    for (int i = 0; i < PEERS_FLIGHT; i++)
        zdb->queries[i].zdb = zdb;
    zdb->crew =
        (peers_threads){.loop = ev_loop_new(EVFLAG_AUTO), .live = live, .done = done, .arg = zdb};
    peers_threads_begin(&zdb->crew, zdb->threads);
}

void
peers_zdb_end(peers_zdb *zdb)
{
    peers_threads_end(&zdb->crew);
    ev_loop_destroy(zdb->crew.loop);
    ConnectionPool_stop(zdb->pool);
    ConnectionPool_free(&zdb->pool);
    URL_free(&zdb->url);
}
