/* What a statement's text says, whatever the database: what is not known to be harmless writes. */
#ifndef DBAL__ODBC_MEANING_H
#define DBAL__ODBC_MEANING_H

#include <stdbool.h>

#include <dbal/driver.h>

typedef enum dbal__odbc_verb {
    DBAL__ODBC_OTHER,
    DBAL__ODBC_QUERY,  /* SELECT, VALUES, WITH */
    DBAL__ODBC_CHANGE, /* INSERT, UPDATE, DELETE, MERGE, REPLACE */
    DBAL__ODBC_BEGIN,  /* START TRANSACTION too */
    DBAL__ODBC_COMMIT, /* END too */
    DBAL__ODBC_ROLLBACK,
    DBAL__ODBC_ROLLBACK_TO,
    DBAL__ODBC_SAVEPOINT, /* RELEASE too */
    DBAL__ODBC_SETTING    /* what stays in the session */
} dbal__odbc_verb;

typedef struct dbal__odbc_meaning {
    dbal__odbc_verb verb;
    unsigned kinds;      /* of dbal_sql_kind */
    const char *instead; /* see dbal_sql_class */
} dbal__odbc_meaning;

dbal__odbc_meaning dbal__odbc_meaning_of(const char *sql);

/* How a transaction is to begin. */
typedef struct dbal__odbc_beginning {
    dbal_isolation isolation;
    bool read_only;
} dbal__odbc_beginning;

/* Reads a BEGIN. False when it asks for something that ODBC has no call for. */
bool dbal__odbc_meaning_begins(const char *sql, dbal__odbc_beginning *ret_beginning);

dbal_sql_class dbal__odbc_classify(const void *config, const char *sql);

#endif
