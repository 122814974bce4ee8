#include "threading.h"

#include <stdbool.h>
#include <stddef.h>

#include <sql.h>

#include <odbcinst.h>

enum { NAME = 1024 };

/* false when there is none, or one that is none of unixODBC's: then it takes the next in line */
static bool
entry(const char *section, dbal__odbc_threading *ret_threading)
{
    char text[16];
    if (section[0] == '\0')
        return false;
    SQLGetPrivateProfileString(section, "Threading", "", text, sizeof text, "ODBCINST.INI");
    if (text[0] < '0' || text[0] > '3' || text[1] != '\0')
        return false;
    *ret_threading = (dbal__odbc_threading)(text[0] - '0');
    return true;
}

dbal__odbc_threading
dbal__odbc_threading_of(const char *dsn, const char *driver)
{
    /* unixODBC's own since 2.3.0: "drivers are expected to be thread safe now" */
    dbal__odbc_threading threading = DBAL__ODBC_LOCKS_NOTHING;
    char name[NAME] = "";
    if (driver == NULL && dsn != NULL)
        SQLGetPrivateProfileString(dsn, "Driver", "", name, sizeof name, "ODBC.INI");
    if (!entry(driver != NULL ? driver : name, &threading))
        entry("ODBC", &threading);
    return threading;
}

int
dbal__odbc_threading_level(dbal__odbc_threading threading)
{
    return 3 - (int)threading;
}
