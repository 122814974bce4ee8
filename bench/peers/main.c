/* Measures dbal beside what a program would do without it: see docs/bench.md. */
#include <stdio.h>
#include <string.h>

#include "../disk.h"
#include "../insert.h"
#include "../place.h"
#include "../point.h"
#include "../quantile.h"
#include "with_zdb.h"

/* a slower one gets fewer queries, so that all have about as long */
enum { TURNS = 15, THREADS = 4, SELECTS = 40000, ZDB_SELECTS = 10000 };
enum { INSERTS = 12800, SINGLE_INSERTS = 1500, ZDB_INSERTS = 500 };

typedef struct contestant {
    const char *name;
    double (*rate)(void *self);
    void *self;
} contestant;

/* Each has its turn TURNS times, and none is always the first. */
static void
contest(const char *title, const contestant *all, int count)
{
    enum { MOST = 8 };
    double rates[MOST][TURNS];
    printf("\n%s\n%-46s %10s %10s %10s %8s\n", title, "", "median", "low", "high", "of loop");
    for (int i = 0; i < count; i++)
        all[i].rate(all[i].self);
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < count; i++) {
            int who = (i + turn) % count;
            rates[who][turn] = all[who].rate(all[who].self);
        }
    }
    double loop = bench_quantile(rates[0], TURNS, 0.5);
    for (int i = 0; i < count; i++) {
        double median = bench_quantile(rates[i], TURNS, 0.5);
        printf("%-46s %10.0f %10.0f %10.0f %8.2f\n", all[i].name, median,
               bench_quantile(rates[i], TURNS, 0.25), bench_quantile(rates[i], TURNS, 0.75),
               median / loop);
    }
    fflush(stdout);
}

/* ---- selects ---- */

static double
select_plainly(void *self)
{
    return bench_point_plain_rate(self, SELECTS);
}

static double
select_by_zdb(void *self)
{
    return peers_zdb_rate(self, ZDB_SELECTS);
}

static double
select_by_dbal(void *self)
{
    return bench_point_dbal_rate(self, SELECTS, PEERS_FLIGHT);
}

static void
contest_selects(void)
{
    static bench_point_hand hand;
    static bench_point_dbal dbal;
    static peers_zdb one = {.threads = 1, .keeps = true}, many = {.threads = THREADS};
    static peers_zdb keeping = {.threads = THREADS, .keeps = true};
    const contestant all[] = {
        {"plain loop, blocking", select_plainly, &hand},
        {"libzdb, 4 threads, a connection for each query", select_by_zdb, &many},
        {"libzdb, 4 threads that keep connections", select_by_zdb, &keeping},
        {"libzdb, 1 thread that keeps a connection", select_by_zdb, &one},
        {"dbal", select_by_dbal, &dbal},
    };
    bench_point_make();
    bench_point_open(&hand);
    peers_zdb_begin(&one, bench_point_file);
    peers_zdb_begin(&many, bench_point_file);
    peers_zdb_begin(&keeping, bench_point_file);
    bench_point_dbal_begin(&dbal);
    contest("point selects a second, 64 in flight", all, sizeof all / sizeof *all);
    bench_point_close(&hand);
    peers_zdb_end(&one);
    peers_zdb_end(&many);
    peers_zdb_end(&keeping);
    bench_point_dbal_end(&dbal);
}

/* ---- inserts ---- */

static double
insert_plainly(void *self)
{
    return bench_insert_plain_rate(self, SINGLE_INSERTS);
}

static double
insert_by_zdb(void *self)
{
    return peers_zdb_rate(self, ZDB_INSERTS);
}

static double
insert_by_dbal(void *self)
{
    return bench_insert_dbal_rate(self, INSERTS, PEERS_FLIGHT);
}

static void
contest_inserts(void)
{
    static const bench_insert_kind full = {"full", false};
    static bench_insert_hand hand;
    static bench_insert_dbal dbal;
    static peers_zdb one = {.threads = 1, .keeps = true, .inserts = true};
    static peers_zdb many = {.threads = THREADS, .inserts = true};
    const contestant all[] = {
        {"plain loop, blocking", insert_plainly, &hand},
        {"libzdb, 4 threads, a connection for each query", insert_by_zdb, &many},
        {"libzdb, 1 thread that keeps a connection", insert_by_zdb, &one},
        {"dbal", insert_by_dbal, &dbal},
    };
    bench_insert_open(&hand, &full);
    peers_zdb_begin(&one, "insert-zdb-one.db");
    peers_zdb_begin(&many, "insert-zdb-many.db");
    bench_insert_dbal_begin(&dbal, &full);
    contest("autocommit inserts a second, synchronous=full, 64 in flight", all,
            sizeof all / sizeof *all);
    bench_insert_close(&hand);
    peers_zdb_end(&one);
    peers_zdb_end(&many);
    bench_insert_dbal_end(&dbal);
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: bench-peers DIR\n");
        return 2;
    }
    bench_place_begin(argv[1]);
    const char *version = ConnectionPool_version();
    printf("%.*s, SQLite %s, fsync %.0f us\n", (int)strcspn(version, " "), version,
           sqlite3_libversion(), bench_disk_sync() * 1e6);
    contest_selects();
    contest_inserts();
    bench_place_end();
    return 0;
}
