/* What a statement's text says before the server sees it. */
#ifndef DBAL__POSTGRES_MEANING_H
#define DBAL__POSTGRES_MEANING_H

#include <dbal/driver.h>

/* What it does to the transaction or session that it runs in. */
typedef enum dbal__postgres_control {
    DBAL__POSTGRES_PLAIN,
    DBAL__POSTGRES_BEGINS,          /* BEGIN, START TRANSACTION */
    DBAL__POSTGRES_COMMITS,         /* COMMIT, END */
    DBAL__POSTGRES_ROLLS_BACK,      /* ROLLBACK, ABORT */
    DBAL__POSTGRES_ROLLS_BACK_TO,   /* a savepoint */
    DBAL__POSTGRES_SAVEPOINTS,      /* SAVEPOINT */
    DBAL__POSTGRES_RELEASES,        /* RELEASE */
    DBAL__POSTGRES_PREPARES,        /* PREPARE TRANSACTION: ends it too */
    DBAL__POSTGRES_COPIES,          /* COPY through the connection, in or out: not in a pipeline */
    DBAL__POSTGRES_CHANGES_SESSION, /* SET, LISTEN, PREPARE, temporary tables, advisory locks … */
    DBAL__POSTGRES_DISCARDS         /* DISCARD, DEALLOCATE: prepared statements may be gone */
} dbal__postgres_control;

typedef struct dbal__postgres_meaning {
    dbal__postgres_control control;
    unsigned kinds;      /* of dbal_sql_kind */
    const char *instead; /* see dbal_sql_class */
    bool chains;         /* COMMIT or ROLLBACK AND CHAIN: the next transaction is open at once */
} dbal__postgres_meaning;

dbal__postgres_meaning dbal__postgres_meaning_of(const char *sql);

dbal__postgres_control dbal__postgres_control_of(const char *sql);
/* See dbal_driver.classify. */
dbal_sql_class dbal__postgres_classify(const void *config, const char *sql);

#endif
