/* What a statement's text says before the server sees it. */
#ifndef DBAL__MARIADB_MEANING_H
#define DBAL__MARIADB_MEANING_H

#include <dbal/driver.h>

/* What it does to the transaction or session that it runs in. */
typedef enum dbal__mariadb_control {
    DBAL__MARIADB_PLAIN,
    DBAL__MARIADB_MAKES,            /* INSERT, REPLACE: it may make a row's id */
    DBAL__MARIADB_BEGINS,           /* BEGIN, START TRANSACTION */
    DBAL__MARIADB_COMMITS,          /* COMMIT */
    DBAL__MARIADB_ROLLS_BACK,       /* ROLLBACK, but not to a savepoint */
    DBAL__MARIADB_STEPS,            /* savepoints */
    DBAL__MARIADB_SETS,             /* SET */
    DBAL__MARIADB_SETS_LIMIT,       /* SET max_statement_time */
    DBAL__MARIADB_SETS_ROLE,        /* SET ROLE, which nothing takes back */
    DBAL__MARIADB_HELPS,            /* HELP: the server prepares it, and then says nothing */
    DBAL__MARIADB_MOVES,            /* USE */
    DBAL__MARIADB_COMMITS_BY_ITSELF /* what MariaDB commits the open transaction for */
} dbal__mariadb_control;

typedef struct dbal__mariadb_meaning {
    dbal__mariadb_control control;
    unsigned kinds;      /* of dbal_sql_kind */
    const char *instead; /* see dbal_sql_class */
} dbal__mariadb_meaning;

dbal__mariadb_meaning dbal__mariadb_meaning_of(const char *sql);
/* See dbal_driver.classify. */
dbal_sql_class dbal__mariadb_classify(const void *config, const char *sql);

#endif
