/* A prepared statement, with the memory that its parameters and rows go through. */
#ifndef DBAL__MARIADB_STATEMENT_H
#define DBAL__MARIADB_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mysql.h>

#include <dbal/driver.h>

#include "meaning.h"
#include "type.h"

/* A parameter that is not bytes of the request's own. */
typedef union dbal__mariadb_slot {
    int64_t integer;
    double real;
    MYSQL_TIME moment;
    char text[40];
} dbal__mariadb_slot;

/* Where the cells of a column arrive. */
typedef struct dbal__mariadb_cell {
    dbal__mariadb_kind kind;
    union {
        int64_t integer;
        double real;
        float single;
        MYSQL_TIME moment;
    } as;
    char *data; /* of texts and bytes */
    size_t room;
    unsigned long length;
    my_bool is_null, is_cut;
} dbal__mariadb_cell;

typedef struct dbal__mariadb_statement dbal__mariadb_statement;
struct dbal__mariadb_statement {
    dbal__mariadb_statement *newer, *older, *next; /* next: of its bucket */
    MYSQL_STMT *stmt;
    dbal__mariadb_meaning meaning;
    bool cached;
    bool stale; /* its columns have changed: to be prepared anew next time */
    int parameters;
    MYSQL_BIND *given;         /* `parameters` of them */
    dbal__mariadb_slot *slots; /* as many */
    int columns;               /* 0: it gives no rows, or none were seen yet */
    bool bound;                /* the library knows where the running one's cells go */
    MYSQL_BIND *taken;         /* `columns` of them */
    dbal__mariadb_cell *cells; /* as many */
    dbal_columns *shared;      /* names and types, for all its results */
    char *names;               /* what `shared` was made of, one behind the other */
    size_t names_size;
    uint64_t hash;
    size_t size;
    char text[]; /* not NUL-terminated */
};

/* One that is in no cache and not prepared; NULL without memory. */
dbal__mariadb_statement *dbal__mariadb_statement_new(const char *text, size_t size, uint64_t hash);
/* Makes room for its parameters; false without memory. */
bool dbal__mariadb_statement_reserve(dbal__mariadb_statement *statement, int parameters);
/* Closes it at the server too. */
void dbal__mariadb_statement_free(dbal__mariadb_statement *statement);
/* Forgets its columns. */
void dbal__mariadb_statement_forget_columns(dbal__mariadb_statement *statement);

#endif
