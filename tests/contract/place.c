/* Where the databases are that this build folder's targets have. */
#include <stdio.h>
#include <string.h>

#include "tests/contract/contract.h"
#include "tests/lib/fake_driver.h"
#include "tests/lib/fake_script.h"
#ifdef TESTS_MARIADB
#include "tests/lib/mariadb.h"
#endif
#include "tests/lib/odbc.h"
#include "tests/lib/postgres.h"
#include "tests/lib/scratch.h"

static char place[256], folder[SCRATCH_PATH];
static postgres server;
static postgres_place schema;
static odbc_files files;

/* ---- MariaDB, where its client library is ---- */

#ifdef TESTS_MARIADB
static mariadb other;
static mariadb_place database;

static void
start_other(void)
{
    static const char *const settings[] = {"max_connections=80", NULL};
    mariadb_start(&other, settings);
}

static const char *
make_other_place(void)
{
    mariadb_place_init(&database, &other);
    return database.url;
}

static void
remove_other_place(void)
{
    mariadb_place_fini(&database, &other);
}
#else
static void
start_other(void)
{
}

static const char *
make_other_place(void)
{
    return "";
}

static void
remove_other_place(void)
{
}
#endif

/* ---- the place ---- */

void
contract_begin(void)
{
    /* some tests open a pool more, or several */
    static const char *const settings[] = {"max_connections=60", NULL};
    if (target->where == CONTRACT_SERVER)
        postgres_start(&server, settings);
    if (target->where == CONTRACT_MARIADB)
        start_other();
    if (strncmp(target->scheme, "odbc:", 5) == 0)
        odbc_files_make(&files, odbc_drivers, "");
}

void
contract_place_make(void)
{
    fake_drivers_register();
    switch (target->where) {
    case CONTRACT_NAMED:
        snprintf(place, sizeof place, "contract");
        fake_script_clear(fake_script_get(place));
        break;
    case CONTRACT_FILE:
        scratch_make(folder, "contract");
        snprintf(place, sizeof place, "%s/db", folder);
        break;
    case CONTRACT_SERVER:
        postgres_place_init(&schema, &server);
        if (strcmp(target->scheme, "odbc:") == 0)
            odbc_url_of_postgres("PostgreSQL", schema.url, place, sizeof place);
        else
            snprintf(place, sizeof place, "%s", schema.url);
        break;
    case CONTRACT_MARIADB:
        snprintf(place, sizeof place, "%s", make_other_place());
        break;
    case CONTRACT_NOWHERE:
        break;
    }
}

void
contract_place_remove(void)
{
    if (target->where == CONTRACT_FILE)
        scratch_remove(folder);
    if (target->where == CONTRACT_SERVER)
        postgres_place_fini(&schema, &server);
    if (target->where == CONTRACT_MARIADB)
        remove_other_place();
}

char *
contract_url(const char *settings)
{
    const char *scheme = strncmp(place, "odbc:", 5) == 0 ? "" : target->scheme;
    char *url = contract_url_add(contract_text("%s%s", scheme, place), target->parameters);
    return contract_url_add(url, settings);
}

const char *
contract_backup_target(void)
{
    static char to[sizeof place + 8];
    if (target->sql->backup != NULL)
        return target->sql->backup;
    snprintf(to, sizeof to, "%s-copy", target->where == CONTRACT_FILE ? place : "/proc/nowhere/db");
    return to;
}

const char *
contract_said(const char *sql, const char *what)
{
    ck_assert_msg(sql != NULL, "%s has no words for %s", target->name, what);
    return sql;
}
