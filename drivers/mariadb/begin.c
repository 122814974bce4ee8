#include "begin.h"

#include <string.h>

#define START "start transaction"
#define READ_ONLY START " read only"
#define SET(level) "set transaction isolation level " level

static const char *const levels[] = {
    [DBAL_READ_COMMITTED] = SET("read committed"),
    [DBAL_REPEATABLE_READ] = SET("repeatable read"),
    [DBAL_SERIALIZABLE] = SET("serializable"),
};

#define BOTH(level)                                                                                \
    {                                                                                              \
        START " /* " level " */", READ_ONLY " /* " level " */"                                     \
    }
/* What is not said is the session's default; what is said in a comment, the driver sees to. */
static const char *const statements[][2] = {
    [DBAL_ISOLATION_DEFAULT] = {START, READ_ONLY},
    [DBAL_READ_COMMITTED] = BOTH("read committed"),
    [DBAL_REPEATABLE_READ] = BOTH("repeatable read"),
    [DBAL_SERIALIZABLE] = BOTH("serializable"),
};
enum { LEVELS = sizeof statements / sizeof statements[0] };

const char *
dbal__mariadb_begin(const void *config, dbal_isolation isolation, bool read_only, bool deferrable,
                    dbal_fault *fault)
{
    (void)config, (void)deferrable; /* a consistent snapshot never waits and never fails */
    if ((size_t)isolation >= LEVELS) {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL, "there is no isolation level %d",
                       (int)isolation);
        return NULL;
    }
    return statements[isolation][read_only];
}

const char *
dbal__mariadb_begin_first(const char *sql, const char **ret_then)
{
    for (int level = 0; level < LEVELS; level++)
        for (int read_only = 0; read_only < 2; read_only++)
            if (levels[level] != NULL && strcmp(sql, statements[level][read_only]) == 0) {
                *ret_then = read_only ? READ_ONLY : START;
                return levels[level];
            }
    return NULL;
}
