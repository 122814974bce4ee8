/* All rows, in the order they are measured in. */
#ifndef BENCH_ROWS_TABLE_H
#define BENCH_ROWS_TABLE_H

#include "../row.h"

extern const bench_row *const bench_rows[]; /* NULL at the end */

#endif
