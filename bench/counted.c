#include "counted.h"

#include <stdio.h>
#include <unistd.h>

#include "place.h"
#include "program.h"

/* What the file says that callgrind has left. */
static double
read_count(const char *path)
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

double
bench_counted_run(const char *name, const char *whose, const char *url, int queries)
{
    char program[BENCH_PATH], path[BENCH_PATH], out[BENCH_PATH + 32], count[16];
    bench_program_path(name, program);
    bench_place_path("callgrind.out", path);
    snprintf(out, sizeof out, "--callgrind-out-file=%s", path);
    snprintf(count, sizeof count, "%d", queries);
    const char *const command[] = {"valgrind",
                                   "-q",
                                   "--tool=callgrind",
                                   "--toggle-collect=bench_counted",
                                   out,
                                   program,
                                   whose,
                                   url,
                                   count,
                                   NULL};
    bench_program_run("valgrind", command, NULL);
    return read_count(path) / queries;
}
