/*
 * How the client library waits for the server: through a callback of ours, so that a thread that
 * waits is woken when what it waits for is to stop. It tells the library's connections apart by the
 * thread they are used in, and by who said last what the thread is at.
 */
#ifndef DBAL__MARIADB_WAIT_H
#define DBAL__MARIADB_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include <mysql.h>

#include <dbal/driver.h>

typedef struct dbal__mariadb_wait dbal__mariadb_wait;
struct dbal__mariadb_wait {
    int64_t deadline;            /* when waiting is given up; INT64_MAX: never */
    const dbal_opening *opening; /* what is to be given up when it is not wanted, or NULL */
    int stop_fd;                 /* readable when `stop` is to be called, or -1 */
    /* Does something about it, and says until when it would be called again: INT64_MAX, or a time.
     * -1: waiting is of no use any more. */
    int64_t (*stop)(void *arg);
    void *arg;
    int64_t again; /* when `stop` is to be called next, without being told; INT64_MAX: not */
    bool given_up; /* set when waiting was */
    dbal__mariadb_wait *before;
};

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t dbal__mariadb_now(void);

/* For one that waits so long at most and for nothing else. */
dbal__mariadb_wait dbal__mariadb_wait_until(int64_t deadline);
/* What the thread is at from now on, until its end; they nest. */
void dbal__mariadb_wait_begin(dbal__mariadb_wait *wait);
void dbal__mariadb_wait_end(dbal__mariadb_wait *wait);

/* Has the library wait so; before it connects. */
void dbal__mariadb_wait_install(MYSQL *mysql);

#endif
