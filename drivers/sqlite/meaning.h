/* What a statement's text says before SQLite sees it: preparing some PRAGMAs already runs them. */
#ifndef DBAL__SQLITE_MEANING_H
#define DBAL__SQLITE_MEANING_H

#include <stdbool.h>
#include <stdint.h>

#include <dbal/driver.h>

typedef enum dbal__sqlite_verb {
    DBAL__SQLITE_OTHER,
    DBAL__SQLITE_READ,   /* SELECT, VALUES, EXPLAIN */
    DBAL__SQLITE_INSERT, /* REPLACE too */
    DBAL__SQLITE_CHANGE, /* UPDATE, DELETE */
    DBAL__SQLITE_BEGIN,
    DBAL__SQLITE_COMMIT,
    DBAL__SQLITE_ROLLBACK,
    DBAL__SQLITE_SAVEPOINT, /* ROLLBACK TO too */
    DBAL__SQLITE_RELEASE,
    DBAL__SQLITE_PRAGMA,
    DBAL__SQLITE_BUSY_TIMEOUT, /* the PRAGMA of that name */
    DBAL__SQLITE_ATTACH,       /* DETACH too */
    DBAL__SQLITE_SCHEMA,       /* CREATE, DROP, VACUUM … */
    DBAL__SQLITE_COPY          /* VACUUM INTO: reads this database, writes another file */
} dbal__sqlite_verb;

typedef struct dbal__sqlite_meaning {
    dbal__sqlite_verb verb;
    unsigned kinds;       /* of dbal_sql_kind */
    const char *instead;  /* see dbal_sql_class */
    bool lasts;           /* leaves something in the session that ROLLBACK does not undo */
    bool has_value;       /* of PRAGMA busy_timeout */
    int64_t milliseconds; /* of PRAGMA busy_timeout */
    bool goes_on;         /* something stands behind PRAGMA busy_timeout */
} dbal__sqlite_meaning;

dbal__sqlite_meaning dbal__sqlite_meaning_of(const char *sql);

/* whether nothing but white space, comments and semicolons is left */
bool dbal__sqlite_meaning_is_empty(const char *sql);

dbal_sql_class dbal__sqlite_classify(const void *config, const char *sql);

#endif
