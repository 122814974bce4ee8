/*
 * How far a statement goes: which `;` ends it. One inside the body of a trigger or routine does not.
 */
#ifndef DBAL__SQL_EXTENT_H
#define DBAL__SQL_EXTENT_H

#include <stdbool.h>

#include <dbal/driver.h>

typedef enum dbal__sql_body {
    DBAL__SQL_BODY_START,    /* nothing but EXPLAIN so far */
    DBAL__SQL_BODY_CREATE,   /* behind CREATE, before what is created */
    DBAL__SQL_BODY_NONE,     /* every `;` ends it */
    DBAL__SQL_BODY_TRIGGER,  /* SQLite: from BEGIN to `; END` */
    DBAL__SQL_BODY_FUNCTION, /* PostgreSQL: from BEGIN ATOMIC to its END */
    DBAL__SQL_BODY_RULE,     /* PostgreSQL: statements between parentheses */
    DBAL__SQL_BODY_ROUTINE   /* MySQL: from BEGIN to its END */
} dbal__sql_body;

typedef struct dbal__sql_extent {
    dbal_dialect dialect;
    dbal__sql_body body;
    unsigned head;           /* tokens since CREATE */
    unsigned depth;          /* BEGIN and CASE, or parentheses, that are open */
    bool ending;             /* END came: what follows tells of what */
    dbal_sql_token previous; /* END at first */
} dbal__sql_extent;

void dbal__sql_extent_init(dbal__sql_extent *extent, dbal_dialect dialect);
/* Takes the statement's next token; true when it is the `;` that ends it. */
bool dbal__sql_extent_feed(dbal__sql_extent *extent, dbal_sql_token token);

#endif
