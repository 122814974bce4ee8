#include "report.h"

#include <stdio.h>

#include "disk.h"

static const char *const head = "%-26s %12s %12s %7s  %-12s %7s %7s %6s%s\n";

void
bench_report_begin(bool json)
{
    if (!json)
        printf(head, "name", "limit", "dbal", "ratio", "unit", "low", "high", "pairs", "");
}

/* Three digits that count, more where the number is large. */
static const char *
number(double value, char text[32])
{
    int digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
    snprintf(text, 32, "%.*f", digits, value);
    return text;
}

/* What the row's target is worth here. */
static const char *
note_on_sync(const bench_figure *figure, char text[64])
{
    text[0] = '\0';
    if (figure->sync > 0)
        snprintf(text, 64, "  sync %.0f us%s", figure->sync * 1e6,
                 figure->sync < bench_disk_slow ? ": too fast a disk for the target" : "");
    return text;
}

static void
print_line(const bench_row *row, const bench_figure *figure)
{
    char limit[32] = "", dbal[32], ratio[32] = "", low[32] = "", high[32] = "";
    if (row->limit != NULL) {
        number(figure->limit, limit);
        snprintf(ratio, sizeof ratio, "%.3f", figure->ratio);
        snprintf(low, sizeof low, "%.3f", figure->low);
        snprintf(high, sizeof high, "%.3f", figure->high);
    }
    char pairs[16], note[64];
    snprintf(pairs, sizeof pairs, "%d", figure->pairs);
    printf(head, row->name, limit, number(figure->dbal, dbal), ratio, row->unit, low, high, pairs,
           note_on_sync(figure, note));
}

static void
print_json(const bench_row *row, const bench_figure *figure)
{
    printf("{\"name\": \"%s\", ", row->name);
    if (row->limit != NULL)
        printf("\"limit\": %.6g, \"dbal\": %.6g, \"ratio\": %.4f, \"unit\": \"%s\", "
               "\"low\": %.4f, \"high\": %.4f",
               figure->limit, figure->dbal, figure->ratio, row->unit, figure->low, figure->high);
    else
        printf("\"limit\": null, \"dbal\": %.6g, \"ratio\": null, \"unit\": \"%s\", "
               "\"low\": null, \"high\": null",
               figure->dbal, row->unit);
    printf(", \"pairs\": %d", figure->pairs);
    if (figure->sync > 0)
        printf(", \"sync_us\": %.1f, \"target_holds\": %s", figure->sync * 1e6,
               figure->sync < bench_disk_slow ? "false" : "true");
    printf("}\n");
}

void
bench_report_row(bool json, const bench_row *row, const bench_figure *figure)
{
    if (json)
        print_json(row, figure);
    else
        print_line(row, figure);
    fflush(stdout);
}
