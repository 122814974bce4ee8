/* Instructions of the program for a query, counted by callgrind beside a server with canned answers. */
#include <stdio.h>
#include <unistd.h>

#include "../canned.h"
#include "../place.h"
#include "../program.h"
#include "../row.h"

enum { QUERIES = 5000, PAIRS = 15 };

static const char *url;

/* What the file says that callgrind has left. */
static double
counted(const char *path)
{
    char line[256];
    double instructions = 0;
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "summary: %lf", &instructions) == 1)
            break;
    }
    if (file != NULL)
        fclose(file);
    unlink(path);
    if (instructions <= 0)
        bench_fail("callgrind has counted nothing");
    return instructions;
}

static double
count(const char *whose)
{
    char program[BENCH_PATH], path[BENCH_PATH], out[BENCH_PATH + 32], queries[16];
    bench_program_path("bench-instructions", program);
    bench_place_path("callgrind.out", path);
    snprintf(out, sizeof out, "--callgrind-out-file=%s", path);
    snprintf(queries, sizeof queries, "%d", QUERIES);
    const char *const command[] = {"valgrind",
                                   "-q",
                                   "--tool=callgrind",
                                   "--toggle-collect=bench_counted",
                                   out,
                                   program,
                                   whose,
                                   url,
                                   queries,
                                   NULL};
    bench_program_run("valgrind", command, NULL);
    return counted(path) / QUERIES;
}

static double
limit(void)
{
    return count("hand");
}

static double
dbal(void)
{
    return count("dbal");
}

static void
begin(void)
{
    url = bench_canned_begin();
}

extern const bench_row bench_pg_client_instructions;
const bench_row bench_pg_client_instructions = {
    "pg_client_instructions", "instr/query", true, PAIRS, begin, limit, dbal, bench_canned_end};
