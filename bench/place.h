/* The folder that database files go to, and what to do when a measurement is impossible. */
#ifndef BENCH_PLACE_H
#define BENCH_PLACE_H

enum { BENCH_PATH = 4096 };

/* Makes a folder of its own in `parent`, or where temporary files go. It goes with the program. */
void bench_place_begin(const char *parent);
/* The path of a file in it. */
void bench_place_path(const char *name, char path[BENCH_PATH]);
/* Removes it. */
void bench_place_end(void);
/* Says what is wrong, cleans up and ends the program with 1. */
void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
