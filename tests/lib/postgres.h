/*
 * A real PostgreSQL server of the test program's own, and a PgBouncer, by script/postgres and
 * script/pgbouncer. Made in main() it serves all tests, also those that Check forks; made in a test
 * it is that test's. It is removed when its maker ends, whatever ends it. What cannot be had (no
 * server program, a failing command) ends the program with a message: it is no test's failure and
 * no reason to skip one.
 */
#ifndef TESTS_LIB_POSTGRES_H
#define TESTS_LIB_POSTGRES_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct postgres {
    const char *script;        /* the one that looks after it */
    char folder[64], url[192]; /* folder: "" when there is none */
    pid_t owner, supervisor;
    int hold; /* open as long as it is needed */
} postgres;

/* Settings as of the script ("--tcp", "max_connections=20"), NULL at the end; NULL for none. */
void postgres_start(postgres *self, const char *const *settings);
/* A server of another kind, by a script that is told the same things; `first`: a setting before the others, or NULL. */
void postgres_serve(postgres *self, const char *script, const char *kind, const char *first,
                    const char *const *settings);
/* In front of a server; one connection string logs in to either but for host and port. */
void postgres_bouncer_start(postgres *self, const postgres *server, const char *const *settings);
void postgres_remove(postgres *self);

/* how: "fast" or "immediate". */
void postgres_stop(const postgres *self, const char *how);
/* Starts it again, stopped or not, at the same socket and port. */
void postgres_restart(const postgres *self, const char *how);
/* Kills the first process (-9): the others notice when they are idle next. */
void postgres_kill(const postgres *self);
/* Stops all its processes in the middle of what they do, and lets them go on. */
void postgres_freeze(const postgres *self);
void postgres_thaw(const postgres *self);
/* Sends all its processes a signal; how many there are. */
int postgres_signal(const postgres *self, int number);
/* For the next test, whatever this one has done: thaws it, and starts it if it does not run. */
void postgres_heal(const postgres *self);

/*
 * A role (a superuser) with a schema of its own, where its unqualified names are: cheap, and the
 * next test finds nothing of it. `url` logs in as it.
 */
typedef struct postgres_place {
    char role[32], url[192];
} postgres_place;

void postgres_place_init(postgres_place *self, const postgres *server);
/* With all that is in it; its connections that are left are ended. */
void postgres_place_fini(postgres_place *self, const postgres *server);
/* The same place through another door: a bouncer. */
void postgres_place_url(const postgres_place *self, const postgres *door, char *url, size_t size);

/* Blocking helpers, by libpq itself. They end the program when they fail. */
PGconn *postgres_connect(const char *url);
void postgres_run(const char *url, const char *sql);
/* The first cell, as a number. */
int64_t postgres_number(const char *url, const char *sql);

#endif
