/*
 * Which server a connection has come to, and since when that server runs: connections are numbered
 * anew by each. Who stands between may lead two connections to two servers.
 */
#ifndef DBAL__MARIADB_IDENTITY_H
#define DBAL__MARIADB_IDENTITY_H

#include <stdbool.h>

#include <mysql.h>

typedef struct dbal__mariadb_identity {
    char server[160]; /* "": nobody knows */
    unsigned long id; /* the connection's number at the server */
} dbal__mariadb_identity;

/* The two columns that tell, for a SELECT. */
const char *dbal__mariadb_identity_columns(MYSQL *mysql);
/* What a row's cells of those say of the connection that it came by. */
void dbal__mariadb_identity_read(dbal__mariadb_identity *identity, MYSQL *mysql, MYSQL_ROW cells);

/* Whether the connection is at that server, which is asked; within a wait. */
bool dbal__mariadb_identity_is(const dbal__mariadb_identity *identity, MYSQL *mysql);

#endif
