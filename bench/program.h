/* Programs that stand beside this one, or that the system has. */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include "place.h"

/* The path of one that was built with this one. */
void bench_program_path(const char *name, char path[BENCH_PATH]);
/*
 * Runs it, looked for as a shell would, and waits. The number that it writes to *ret_number, unless
 * that is NULL. Ends the program when it fails.
 */
void bench_program_run(const char *name, const char *const *command, double *ret_number);

#endif
