/* Measures dbal beside what could be written by hand: see docs/bench.md. */
#include <stdio.h>
#include <string.h>

#include "measure.h"
#include "place.h"
#include "report.h"
#include "rows/table.h"
#include "server.h"

enum { UNUSABLE = 2 };

typedef struct arguments {
    bool json;
    const char *folder;
    char **names;
    int name_count;
} arguments;

static const bench_row *
find(const char *name)
{
    for (const bench_row *const *row = bench_rows; *row != NULL; row++) {
        if (strcmp((*row)->name, name) == 0)
            return *row;
    }
    return NULL;
}

static int
usage(void)
{
    fprintf(stderr, "usage: bench/run [--json] [--dir DIR] [names ...]\nnames:");
    for (const bench_row *const *row = bench_rows; *row != NULL; row++)
        fprintf(stderr, " %s", (*row)->name);
    fprintf(stderr, "\n");
    return UNUSABLE;
}

/* Keeps the names, moved to the front of argv. */
static bool
parse(int argc, char **argv, arguments *ret)
{
    arguments given = {.names = argv + 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            given.json = true;
        else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc)
            given.folder = argv[++i];
        else if (strncmp(argv[i], "--dir=", 6) == 0)
            given.folder = argv[i] + 6;
        else if (argv[i][0] != '-' && find(argv[i]) != NULL)
            given.names[given.name_count++] = argv[i];
        else {
            fprintf(stderr, "bench: what is %s?\n", argv[i]);
            return false;
        }
    }
    *ret = given;
    return true;
}

static void
measure(const bench_row *row, bool json)
{
    bench_figure figure = bench_measure(row);
    bench_report_row(json, row, &figure);
}

int
main(int argc, char **argv)
{
    arguments given;
    if (!parse(argc, argv, &given))
        return usage();
    bench_place_begin(given.folder);
    bench_report_begin(given.json);
    for (int i = 0; i < given.name_count; i++)
        measure(find(given.names[i]), given.json);
    for (const bench_row *const *row = bench_rows; given.name_count == 0 && *row != NULL; row++)
        measure(*row, given.json);
    bench_server_end();
    bench_place_end();
    return 0;
}
