#include "check.h"

#include <string.h>

/* The first row says what is wrong, or "ok". */
static int
take_first(void *arg, int columns, char **cells, char **names)
{
    char *damage = arg;
    (void)names;
    if (columns == 1 && cells[0] != NULL && damage[0] == '\0')
        sqlite3_snprintf(DBAL__SQLITE_DAMAGE, damage, "%s", cells[0]);
    return 0;
}

/*
 * Before anything else is done with it. Connections that open at the same time may all look; once
 * one has found nothing, no other does.
 */
int
dbal__sqlite_check(dbal__sqlite_connection *c, char ret_damage[DBAL__SQLITE_DAMAGE])
{
    const dbal__sqlite_config *config = c->config;
    int64_t how = config->options.value[DBAL__SQLITE_CHECK];
    if (how == DBAL__SQLITE_CHECK_OFF || atomic_load(config->was_checked))
        return SQLITE_OK;
    int code = sqlite3_exec(c->db,
                            how == DBAL__SQLITE_CHECK_QUICK ? "pragma quick_check(1)"
                                                            : "pragma integrity_check(1)",
                            take_first, ret_damage, NULL);
    if (code != SQLITE_OK) {
        ret_damage[0] = '\0';
        return code;
    }
    if (strcmp(ret_damage, "ok") != 0)
        return SQLITE_CORRUPT;
    ret_damage[0] = '\0';
    atomic_store(config->was_checked, true);
    return SQLITE_OK;
}
