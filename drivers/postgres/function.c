#include "function.h"

typedef dbal__postgres_token token;

static const struct {
    const char *name;
    unsigned kinds;
} functions[] = {
    {"nextval", DBAL_SQL_WRITES},
    {"setval", DBAL_SQL_WRITES},
    {"pg_notify", DBAL_SQL_WRITES},
    {"pg_logical_emit_message", DBAL_SQL_WRITES},
    {"currval", DBAL__POSTGRES_SEQUENCE},
    {"lastval", DBAL__POSTGRES_SEQUENCE},
    {"setseed", DBAL_SQL_SESSION},
    {"pg_advisory_lock", DBAL_SQL_SESSION},
    {"pg_advisory_lock_shared", DBAL_SQL_SESSION},
    {"pg_try_advisory_lock", DBAL_SQL_SESSION},
    {"pg_try_advisory_lock_shared", DBAL_SQL_SESSION},
    {"pg_advisory_unlock", DBAL_SQL_SESSION},
    {"pg_advisory_unlock_shared", DBAL_SQL_SESSION},
    {"pg_advisory_unlock_all", DBAL_SQL_SESSION},
    {"pg_advisory_xact_lock", DBAL_SQL_UNSHARED},
    {"pg_advisory_xact_lock_shared", DBAL_SQL_UNSHARED},
    {"pg_try_advisory_xact_lock", DBAL_SQL_UNSHARED},
    {"pg_try_advisory_xact_lock_shared", DBAL_SQL_UNSHARED},
    {"pg_export_snapshot", DBAL_SQL_UNSHARED},
    {"pg_backup_start", DBAL_SQL_SESSION},
    {"pg_backup_stop", DBAL_SQL_SESSION},
    {"pg_replication_origin_session_setup", DBAL_SQL_SESSION},
    {"pg_replication_origin_session_reset", DBAL_SQL_SESSION},
};

/* whether set_config()'s last argument is plainly true, so that it ends with the statement */
static bool
is_local(const char *cursor)
{
    unsigned depth = 0;
    token before = {.kind = DBAL_SQL_END};
    for (token t = dbal__postgres_next(&cursor); !dbal__postgres_is_end(t);
         before = t, t = dbal__postgres_next(&cursor)) {
        if (dbal__postgres_is_byte(t, '('))
            depth++;
        else if (dbal__postgres_is_byte(t, ')') && --depth == 0)
            return dbal__postgres_is(before, "true");
    }
    return false;
}

/* behind FROM and the like, `pg_temp.` names what is the session's */
static unsigned
temporary(token t, const char *cursor)
{
    return dbal__postgres_is_name(t, "pg_temp") &&
                   dbal__postgres_is_byte(dbal__postgres_peek(cursor), '.')
               ? DBAL_SQL_SESSION
               : 0;
}

unsigned
dbal__postgres_function_kinds(token t, const char *cursor)
{
    /* most words begin with other letters, and need not be looked up */
    if ((t.kind != DBAL_SQL_WORD || strchr("CLNPSclnps", *t.start) == NULL) &&
        t.kind != DBAL_SQL_IDENTIFIER)
        return 0;
    if (!dbal__postgres_is_byte(dbal__postgres_peek(cursor), '('))
        return temporary(t, cursor);
    if (dbal__postgres_is_name(t, "set_config"))
        return is_local(cursor) ? 0 : DBAL_SQL_SESSION;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (!dbal__postgres_is_name(t, functions[i].name))
            continue;
        return functions[i].kinds;
    }
    return 0;
}
