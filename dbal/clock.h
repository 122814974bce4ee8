/* One clock under every timer: the system's monotonic one, or one that a test drives. */
#ifndef DBAL__CLOCK_H
#define DBAL__CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define DBAL__NEVER INT64_MAX

/* A timer, part of whatever it is for; zeroed memory is a stopped one. A node of a pairing heap. */
typedef struct dbal__timer {
    struct dbal__timer *child, *next, *prev; /* prev: the parent for a first child */
    int64_t at;
    bool active;
    void (*fire)(struct dbal__timer *timer);
} dbal__timer;

typedef struct dbal__clock {
    dbal__timer *first;
    bool driven;
    int64_t driven_now;
} dbal__clock;

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t dbal__monotonic(void);
/* Seconds as nanoseconds, kept within range; NaN counts as never. */
int64_t dbal__nanoseconds(double seconds);
/* A moment so many seconds after another, without overflow. */
int64_t dbal__after(int64_t moment, double seconds);

int64_t dbal__clock_now(const dbal__clock *clock);
/* For those who are given a clock, in other threads: the system's, whoever drives the loop's. */
extern const dbal__clock dbal__clock_of_threads;
/* Some milliseconds later than now at most, and hardly ever before; takes a fraction of the time. */
int64_t dbal__clock_roughly(const dbal__clock *clock);
/* Starts, or moves, a timer. */
void dbal__clock_start(dbal__clock *clock, dbal__timer *timer, int64_t at,
                       void (*fire)(dbal__timer *timer));
/* Harmless when it is stopped already. */
void dbal__clock_stop(dbal__clock *clock, dbal__timer *timer);
/* When the next one is due, DBAL__NEVER when there is none. */
int64_t dbal__clock_next(const dbal__clock *clock);
/* Fires what is due; each is stopped before. */
void dbal__clock_run(dbal__clock *clock);
/* From now on time only passes by dbal__clock_advance(). */
void dbal__clock_drive(dbal__clock *clock);
/* Moves a driven clock; nothing fires before dbal__clock_run(). */
void dbal__clock_advance(dbal__clock *clock, double seconds);

#endif
