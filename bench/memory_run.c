#include "memory_run.h"

#include <stddef.h>
#include <string.h>

#include "place.h"
#include "program.h"

double
bench_memory_run(const char *what, const char *whose, const char *url)
{
    char program[BENCH_PATH], folder[BENCH_PATH];
    double figure;
    bench_program_path("bench-memory", program);
    bench_place_path("", folder);
    const char *const command[] = {program, what, whose, folder, url, NULL};
    bench_program_run(program, command, &figure);
    return figure;
}
