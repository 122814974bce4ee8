#include "option.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "parameter.h"

/* How SQLite is told. */
typedef enum way {
    FILE_PRAGMA, /* of a new file: set only where it differs, which would write */
    PRAGMA,
    SWITCH, /* of sqlite3_db_config() */
    LIMIT,  /* of sqlite3_limit() */
    OURS    /* it is not told */
} way;

/* Not given, and SQLite's own default stays. */
#define UNSET INT64_MIN

typedef struct option {
    const char *name; /* also the PRAGMA's */
    way how;
    int code;                 /* of a SWITCH or LIMIT */
    int64_t fallback;         /* or UNSET */
    const char *const *words; /* or NULL: a number in this range */
    dbal__sqlite_range range;
} option;

static const char *const switches[] = {"off", "on", NULL};
static const char *const vacuums[] = {"none", "full", "incremental", NULL};
static const char *const stores[] = {"default", "file", "memory", NULL};
static const char *const deletes[] = {"off", "on", "fast", NULL};
static const char *const checks[] = {"off", "quick", "full", NULL};
static const char *const types[] = {"stored", "declared", NULL};

#define A_SIZE(least, most, off, says)                                                             \
    {                                                                                              \
        (least), (most), true, true, (off), (says)                                                 \
    }
#define A_LIMIT(name, code, least)                                                                 \
    {                                                                                              \
        (name), LIMIT, (code), UNSET, NULL,                                                        \
        {                                                                                          \
            (least), INT_MAX, false, false, 0, NULL                                                \
        }                                                                                          \
    }

/* The words of PRAGMAs stand where SQLite's number for them says. */
static const option options[DBAL__SQLITE_OPTIONS] = {
    [DBAL__SQLITE_PAGE_SIZE] = {"page_size",
                                FILE_PRAGMA,
                                0,
                                UNSET,
                                NULL,
                                {512, 65536, true, false, 0,
                                 "that is a power of two from 512 to 64k"}},
    [DBAL__SQLITE_AUTO_VACUUM] = {"auto_vacuum", FILE_PRAGMA, 0, UNSET, vacuums, {0}},
    [DBAL__SQLITE_MMAP_SIZE] = {"mmap_size", PRAGMA, 0, 0, NULL,
                                A_SIZE(0, INT64_C(1) << 40, 0, "from 0 to 1024G, such as 256M")},
    [DBAL__SQLITE_CELL_SIZE_CHECK] = {"cell_size_check", PRAGMA, 0, 1, switches, {0}},
    [DBAL__SQLITE_TEMP_STORE] = {"temp_store", PRAGMA, 0, UNSET, stores, {0}},
    [DBAL__SQLITE_SECURE_DELETE] = {"secure_delete", PRAGMA, 0, UNSET, deletes, {0}},
    [DBAL__SQLITE_RECURSIVE_TRIGGERS] = {"recursive_triggers", PRAGMA, 0, UNSET, switches, {0}},
    [DBAL__SQLITE_JOURNAL_SIZE_LIMIT] = {"journal_size_limit", PRAGMA, 0, UNSET, NULL,
                                         A_SIZE(0, INT64_C(1) << 40, -1,
                                                "from 0 to 1024G, such as 64M")},
    [DBAL__SQLITE_TRUSTED_SCHEMA] =
        {"trusted_schema", SWITCH, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, switches, {0}},
    [DBAL__SQLITE_ENABLE_VIEW] =
        {"enable_view", SWITCH, SQLITE_DBCONFIG_ENABLE_VIEW, UNSET, switches, {0}},
    [DBAL__SQLITE_ENABLE_TRIGGER] =
        {"enable_trigger", SWITCH, SQLITE_DBCONFIG_ENABLE_TRIGGER, UNSET, switches, {0}},
    [DBAL__SQLITE_DEFENSIVE] = {"defensive", OURS, 0, 1, switches, {0}},
    [DBAL__SQLITE_ALLOW_ATTACH] = {"attach", OURS, 0, 1, switches, {0}},
    [DBAL__SQLITE_CHECK] = {"check", OURS, 0, DBAL__SQLITE_CHECK_OFF, checks, {0}},
    [DBAL__SQLITE_TYPES] = {"types", OURS, 0, DBAL__SQLITE_TYPES_STORED, types, {0}},
    /* the least that still lets the driver's own statements, and a schema, be read */
    [DBAL__SQLITE_FIRST_LIMIT] = A_LIMIT("limit_length", SQLITE_LIMIT_LENGTH, 1000),
    A_LIMIT("limit_sql_length", SQLITE_LIMIT_SQL_LENGTH, 1000),
    A_LIMIT("limit_column", SQLITE_LIMIT_COLUMN, 10),
    A_LIMIT("limit_expr_depth", SQLITE_LIMIT_EXPR_DEPTH, 10),
    A_LIMIT("limit_compound_select", SQLITE_LIMIT_COMPOUND_SELECT, 2),
    A_LIMIT("limit_vdbe_op", SQLITE_LIMIT_VDBE_OP, 1000),
    A_LIMIT("limit_function_arg", SQLITE_LIMIT_FUNCTION_ARG, 3),
    A_LIMIT("limit_attached", SQLITE_LIMIT_ATTACHED, 0),
    A_LIMIT("limit_like_pattern_length", SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 10),
    A_LIMIT("limit_variable_number", SQLITE_LIMIT_VARIABLE_NUMBER, 0),
    A_LIMIT("limit_trigger_depth", SQLITE_LIMIT_TRIGGER_DEPTH, 0),
    A_LIMIT("limit_worker_threads", SQLITE_LIMIT_WORKER_THREADS, 0),
};

const char *
dbal__sqlite_option_name(int which)
{
    return which < DBAL__SQLITE_OPTIONS ? options[which].name : NULL;
}

/* ---- reading a URL --------------------------------------------------------------------------------- */

static bool
is_power_of_two(int64_t number)
{
    return (number & (number - 1)) == 0;
}

static bool
read_number(const dbal_url *url, int which, int64_t *ret_value, dbal_fault *fault)
{
    const option *one = &options[which];
    if (!dbal__sqlite_parameter_number(url, one->name, &one->range, ret_value, fault))
        return false;
    if (which != DBAL__SQLITE_PAGE_SIZE || *ret_value == UNSET || is_power_of_two(*ret_value))
        return true;
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "the URL parameter %s cannot be \"%s\": it is a number of bytes %s", one->name,
                   dbal_url_parameter(url, one->name), one->range.says);
    return false;
}

bool
dbal__sqlite_options_read(const dbal_url *url, dbal__sqlite_options *ret_options, dbal_fault *fault)
{
    for (int i = 0; i < DBAL__SQLITE_OPTIONS; i++) {
        const option *one = &options[i];
        int64_t *value = &ret_options->value[i];
        *value = one->fallback;
        ret_options->given[i] = dbal_url_parameter(url, one->name) != NULL;
        if (one->words == NULL && !read_number(url, i, value, fault))
            return false;
        if (one->words == NULL || !ret_options->given[i])
            continue;
        int word = dbal__sqlite_parameter_word(url, one->name, one->words, fault);
        if (word < 0)
            return false;
        *value = word;
    }
    return true;
}

/* ---- telling SQLite -------------------------------------------------------------------------------- */

static int
store_number(void *arg, int columns, char **cells, char **names)
{
    (void)names;
    if (columns == 1 && cells[0] != NULL)
        *(int64_t *)arg = strtoll(cells[0], NULL, 10);
    return 0;
}

/* What a PRAGMA is now; UNSET where this database has no such thing. */
static int
ask(dbal__sqlite_connection *c, const char *name, int64_t *ret_value)
{
    char sql[64];
    *ret_value = UNSET;
    sqlite3_snprintf(sizeof sql, sql, "pragma main.%s", name);
    return sqlite3_exec(c->db, sql, store_number, ret_value, NULL);
}

static int
set_pragma(dbal__sqlite_connection *c, const option *one, int64_t value)
{
    char sql[96];
    if (one->how == FILE_PRAGMA) {
        int64_t now = UNSET;
        int code = c->config->mode == DBAL__SQLITE_RO ? SQLITE_OK : ask(c, one->name, &now);
        if (code != SQLITE_OK || now == UNSET || now == value)
            return code;
    }
    /* by its word: the number is not always taken */
    if (one->words != NULL)
        sqlite3_snprintf(sizeof sql, sql, "pragma %s = %s", one->name, one->words[value]);
    else
        sqlite3_snprintf(sizeof sql, sql, "pragma %s = %lld", one->name, (long long)value);
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL);
}

int
dbal__sqlite_options_set(dbal__sqlite_connection *c)
{
    const dbal__sqlite_options *asked = &c->config->options;
    int code = SQLITE_OK;
    for (int i = 0; i < DBAL__SQLITE_OPTIONS && code == SQLITE_OK; i++) {
        const option *one = &options[i];
        if (asked->value[i] == UNSET)
            continue;
        if (one->how == SWITCH)
            code = sqlite3_db_config(c->db, one->code, (int)asked->value[i], NULL);
        else if (one->how == PRAGMA || one->how == FILE_PRAGMA)
            code = set_pragma(c, one, asked->value[i]);
    }
    return code;
}

/*
 * The name of the file is the third argument; it is missing when it is not a constant. VACUUM
 * attaches a file without a name to work in, which is deleted when it is closed, and of which
 * nobody else knows.
 */
static int
without_attach(void *arg, int action, const char *file, const char *a, const char *b, const char *c)
{
    (void)arg, (void)a, (void)b, (void)c;
    if (action != SQLITE_ATTACH || (file != NULL && file[0] == '\0'))
        return SQLITE_OK;
    return SQLITE_DENY;
}

int
dbal__sqlite_options_lock(dbal__sqlite_connection *c)
{
    const dbal__sqlite_options *asked = &c->config->options;
    for (int i = DBAL__SQLITE_FIRST_LIMIT; i < DBAL__SQLITE_OPTIONS; i++)
        if (asked->value[i] != UNSET)
            sqlite3_limit(c->db, options[i].code, (int)asked->value[i]);
    if (asked->value[DBAL__SQLITE_ALLOW_ATTACH] == 0)
        sqlite3_set_authorizer(c->db, without_attach, NULL);
    int defensive = (int)asked->value[DBAL__SQLITE_DEFENSIVE];
    return sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, defensive, NULL);
}

/* ---- looking again --------------------------------------------------------------------------------- */

/* As it would be written in a URL. */
static void
spell(const option *one, int64_t value, char *to, size_t room)
{
    if (one->words != NULL)
        snprintf(to, room, "%s", one->words[value]);
    else if (one->range.may_be_off && value == one->range.off)
        snprintf(to, room, "off");
    else
        snprintf(to, room, "%" PRId64, value);
}

static bool
is_a_word(const option *one, int64_t value)
{
    int64_t count = 0;
    while (one->words != NULL && one->words[count] != NULL)
        count++;
    return one->words == NULL || (value >= 0 && value < count);
}

/* What SQLite has for it; UNSET when that cannot be known. */
static int64_t
found(dbal__sqlite_connection *c, const option *one)
{
    int64_t value = UNSET;
    int now = 0;
    if (one->how == LIMIT)
        return sqlite3_limit(c->db, one->code, -1);
    if (one->how == SWITCH)
        return sqlite3_db_config(c->db, one->code, -1, &now) == SQLITE_OK ? now : UNSET;
    if (one->how == OURS || ask(c, one->name, &value) != SQLITE_OK)
        return UNSET;
    return value;
}

void
dbal__sqlite_options_compare(dbal__sqlite_connection *c, dbal_opening *opening)
{
    const dbal__sqlite_options *asked = &c->config->options;
    for (int i = 0; i < DBAL__SQLITE_OPTIONS; i++) {
        const option *one = &options[i];
        char is[32], was[32];
        int64_t now = asked->given[i] ? found(c, one) : UNSET;
        if (now == UNSET || now == asked->value[i] || !is_a_word(one, now))
            continue;
        spell(one, now, is, sizeof is);
        spell(one, asked->value[i], was, sizeof was);
        dbal_opening_note(opening, "%s: %s is %s, not %s as the URL asks", c->config->path,
                          one->name, is, was);
    }
}
