/*
 * A real MariaDB server of the test program's own, by script/mariadb; who makes it, and how it ends,
 * as in postgres.h.
 */
#ifndef TESTS_LIB_MARIADB_H
#define TESTS_LIB_MARIADB_H

#include <mysql.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/postgres.h"

typedef struct mariadb {
    postgres served; /* its folder, its URL, its processes */
} mariadb;

/* Settings as of the script ("--tcp", "max_connections=20"), NULL at the end; NULL for none. */
void mariadb_start(mariadb *self, const char *const *settings);
void mariadb_remove(mariadb *self);

/* Ends it at once, and starts it again at the same socket and port. */
void mariadb_kill(const mariadb *self);
void mariadb_restart(const mariadb *self);
/* Stops it in the middle of what it does, and lets it go on. */
void mariadb_freeze(const mariadb *self);
void mariadb_thaw(const mariadb *self);

/* A database of its own, where unqualified names are. `url` leads to it. */
typedef struct mariadb_place {
    char name[32], url[224];
} mariadb_place;

void mariadb_place_init(mariadb_place *self, const mariadb *server);
/* With all that is in it; connections that are left are ended. */
void mariadb_place_fini(mariadb_place *self, const mariadb *server);

/* Blocking helpers, by the client library itself, as the administrator. They end the program when
 * they fail. `database` may be NULL. */
MYSQL *mariadb_log_in(const mariadb *self, const char *database);
void mariadb_run(const mariadb *self, const char *database, const char *sql);
/* The first cell, as a number; 0 without rows. */
int64_t mariadb_number(const mariadb *self, const char *database, const char *sql);

#endif
