/* Rows as people or programs read them. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "measure.h"

void bench_report_begin(bool json);
void bench_report_row(bool json, const bench_row *row, const bench_figure *figure);

#endif
