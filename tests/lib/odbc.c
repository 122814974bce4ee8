#include "tests/lib/odbc.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* where Debian has them: unixODBC looks there by itself */
const char odbc_drivers[] = "[SQLite]\nDriver = libsqlite3odbc.so\nThreading = 2\n"
                            "[PostgreSQL]\nDriver = psqlodbcw.so\nThreading = 1\n";

static odbc_files *made;

/* PostgreSQL's ODBC driver 13.02 keeps 48 bytes of what it learns for SQLDescribeCol() */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
    return "leak:psqlodbcw.so\n";
}

static void
write_file(const odbc_files *self, const char *name, const char *text)
{
    char path[SCRATCH_PATH + 32];
    snprintf(path, sizeof path, "%s/%s", self->folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) == EOF || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void
at_exit(void)
{
    if (made != NULL)
        odbc_files_remove(made);
}

void
odbc_files_make(odbc_files *self, const char *drivers, const char *sources)
{
    char path[SCRATCH_PATH + 32];
    const char *temporary = getenv("TMPDIR");
    snprintf(self->folder, sizeof self->folder, "%s/dbal-odbc-XXXXXX",
             temporary != NULL ? temporary : "/tmp");
    if (mkdtemp(self->folder) == NULL) { /* not scratch_make(), which is a test's */
        perror(self->folder);
        exit(1);
    }
    self->owner = getpid();
    write_file(self, "odbcinst.ini", drivers);
    write_file(self, "odbc.ini", sources);
    strcat(strcpy(path, self->folder), "/odbc.ini");
    setenv("ODBCSYSINI", self->folder, 1);
    setenv("ODBCINI", path, 1);
    if (made == NULL)
        atexit(at_exit);
    made = self;
}

void
odbc_files_remove(odbc_files *self)
{
    if (self->owner != getpid())
        return;
    static const char *const names[] = {"odbcinst.ini", "odbc.ini"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[SCRATCH_PATH + 32];
        snprintf(path, sizeof path, "%s/%s", self->folder, names[i]);
        unlink(path);
    }
    rmdir(self->folder);
    made = NULL;
}

static const char *
value_of(const PQconninfoOption *options, const char *name)
{
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, name) == 0 && options->val != NULL)
            return options->val;
    return "";
}

void
odbc_url_of_postgres(const char *driver, const char *postgres_url, char *url, size_t size)
{
    PQconninfoOption *options = PQconninfoParse(postgres_url, NULL);
    if (options == NULL) {
        fprintf(stderr, "%s is no URL of libpq's\n", postgres_url);
        exit(1);
    }
    snprintf(url, size, "odbc:?driver=%s&Servername=%s&Port=%s&Database=%s&UID=%s", driver,
             value_of(options, "host"), value_of(options, "port"), value_of(options, "dbname"),
             value_of(options, "user"));
    PQconninfoFree(options);
}
