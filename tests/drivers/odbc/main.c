#include "tests/drivers/odbc/fixture.h"

#include "tests/lib/suite.h"

/* sections that a test needs: unixODBC keeps what it has read for a while, so they are all there */
static const char drivers[] = "[SQLite]\nDriver = libsqlite3odbc.so\nThreading = 2\n"
                              "[PostgreSQL]\nDriver = psqlodbcw.so\nThreading = 1\n"
                              "[Uncancelled]\nDriver = psqlodbcw.so\nThreading = 3\n"
                              "[Zero]\nDriver = libsqlite3odbc.so\nThreading = 0\n"
                              "[One]\nDriver = libsqlite3odbc.so\nThreading = 1\n"
                              "[Two]\nDriver = libsqlite3odbc.so\nThreading = 2\n"
                              "[Three]\nDriver = libsqlite3odbc.so\nThreading = 3\n"
                              "[Silent]\nDriver = libsqlite3odbc.so\n"
                              "[Odd]\nDriver = libsqlite3odbc.so\nThreading = 9\n"
                              "[Gone]\nDriver = /nowhere/libgone.so\nThreading = 2\n"
                              "[Bad]\nDriver = " BAD_DRIVER "\nThreading = 1\n";
static const char sources[] = "[threes]\nDriver = Three\nDatabase = :memory:\n"
                              "[gone]\nDriver = Gone\n";

int
main(void)
{
    static odbc_files files;
    odbc_files_make(&files, drivers, sources);
    postgres_start(&server, NULL);
    Suite *suite = suite_create("odbc");
    add_bad(suite);
    add_config(suite);
    add_failure(suite);
    add_limits(suite);
    add_meaning(suite);
    add_transaction(suite);
    add_types(suite);
    return suite_run(suite);
}
