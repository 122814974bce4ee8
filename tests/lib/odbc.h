/*
 * unixODBC's files of a test program's own: the system's are neither read nor written. Made in main()
 * they serve all tests, also those that Check forks.
 */
#ifndef TESTS_LIB_ODBC_H
#define TESTS_LIB_ODBC_H

#include <stddef.h>
#include <sys/types.h>

#include "tests/lib/scratch.h"

typedef struct odbc_files {
    char folder[SCRATCH_PATH];
    pid_t owner;
} odbc_files;

/* What odbcinst.ini says of SQLite's and PostgreSQL's ODBC drivers: the sections SQLite and PostgreSQL. */
extern const char odbc_drivers[];

/* Writes odbcinst.ini and odbc.ini, and lets unixODBC find them. They are gone when the maker ends. */
void odbc_files_make(odbc_files *self, const char *drivers, const char *sources);
void odbc_files_remove(odbc_files *self);

/* The odbc URL that logs in as libpq's does, by that entry of odbcinst.ini. */
void odbc_url_of_postgres(const char *driver, const char *postgres_url, char *url, size_t size);

#endif
