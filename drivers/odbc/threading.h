/* What odbcinst.ini says of an ODBC driver's threads. */
#ifndef DBAL__ODBC_THREADING_H
#define DBAL__ODBC_THREADING_H

/* What the entry Threading tells unixODBC to take locks for, and so what the driver cannot do itself. */
typedef enum dbal__odbc_threading {
    DBAL__ODBC_LOCKS_NOTHING,     /* threads may do as they like */
    DBAL__ODBC_LOCKS_STATEMENT,   /* one thread at a time for a statement */
    DBAL__ODBC_LOCKS_CONNECTION,  /* … for a connection with all of its statements */
    DBAL__ODBC_LOCKS_ENVIRONMENT, /* … for everything */
} dbal__odbc_threading;

/*
 * The entry of a data source's driver, or of the driver with that name; the one of [ODBC] when it has
 * none; or unixODBC's default. `driver` may be NULL, or a shared object's path.
 */
dbal__odbc_threading dbal__odbc_threading_of(const char *dsn, const char *driver);

/* PEP 249 counts what may be shared, not what is locked: the other way round. */
int dbal__odbc_threading_level(dbal__odbc_threading threading);

#endif
