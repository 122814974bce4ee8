#include "measure.h"

#include <stddef.h>

#include "disk.h"
#include "quantile.h"

enum { PAIRS = 21, PAIRS_MOST = 101, WARM = 2 };

static void
run_pair(const bench_row *row, bool limit_first, double *ret_limit, double *ret_dbal)
{
    *ret_limit = 0;
    if (limit_first && row->limit != NULL)
        *ret_limit = row->limit();
    *ret_dbal = row->dbal();
    if (!limit_first && row->limit != NULL)
        *ret_limit = row->limit();
}

static double
ratio_of(const bench_row *row, double limit, double dbal)
{
    return row->cost ? limit / dbal : dbal / limit;
}

bench_figure
bench_measure(const bench_row *row)
{
    double limits[PAIRS_MOST], ours[PAIRS_MOST], ratios[PAIRS_MOST];
    int pairs = row->pairs != 0 ? row->pairs : PAIRS;

    double sync = row->syncs ? bench_disk_sync() : 0;
    row->begin();
    for (int i = 0; i < WARM; i++)
        run_pair(row, i % 2 == 0, &limits[0], &ours[0]);
    for (int i = 0; i < pairs; i++) {
        run_pair(row, i % 2 == 0, &limits[i], &ours[i]);
        ratios[i] = ratio_of(row, limits[i], ours[i]);
    }
    row->end();
    return (bench_figure){
        .limit = bench_quantile(limits, pairs, 0.5),
        .dbal = bench_quantile(ours, pairs, 0.5),
        .ratio = bench_quantile(ratios, pairs, 0.5),
        .low = bench_quantile(ratios, pairs, 0.25),
        .high = bench_quantile(ratios, pairs, 0.75),
        .pairs = pairs,
        .sync = sync,
    };
}
