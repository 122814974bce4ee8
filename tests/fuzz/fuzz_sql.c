/* Any bytes as SQL, for each dialect: cut up, scanned, rewritten, split. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/error.h"
#include "dbal/sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static dbal_sql_class
classify(const void *config, const char *sql)
{
    dbal_sql_class nothing = {DBAL_SQL_READS, NULL};
    (void)config;
    (void)sql;
    return nothing;
}

/* The tokens never go back and never past the end. */
static void
cut_up(dbal_dialect dialect, const char *text)
{
    const char *cursor = text, *end = text + strlen(text);
    for (;;) {
        dbal_sql_token token = dbal_sql_next(dialect, &cursor);
        if (token.start < text || token.start + token.size > end)
            abort();
        if (token.kind == DBAL_SQL_END)
            break;
        if (token.size == 0)
            abort();
    }
}

static void
split(dbal_dialect dialect, const char *text)
{
    const char *cursor = text, *start, *end = text + strlen(text);
    size_t size;
    while (dbal__sql_split(dialect, &cursor, &start, &size)) {
        if (start < text || start + size > end)
            abort();
    }
}

static void
scan(dbal_dialect dialect, dbal_paramstyle style, const char *text)
{
    dbal_driver driver = {.dialect = dialect, .paramstyle = style, .classify = classify};
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__sql *sql = dbal__sql_new(&driver, NULL, text, &fault);
    if (sql != NULL) {
        if (strlen(sql->text) != sql->size || sql->value_count > strlen(text))
            abort();
        dbal__sql_unref(sql);
    } else if (!dbal_fault_is_set(&fault)) {
        abort();
    }
    dbal_fault_clear(&fault);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    if (size != 0)
        memcpy(text, data, size);
    text[size] = '\0';
    for (int dialect = DBAL_DIALECT_SQLITE; dialect <= DBAL_DIALECT_MYSQL; dialect++) {
        cut_up((dbal_dialect)dialect, text);
        split((dbal_dialect)dialect, text);
        for (int style = DBAL_PARAMSTYLE_DOLLAR; style <= DBAL_PARAMSTYLE_QMARK; style++)
            scan((dbal_dialect)dialect, (dbal_paramstyle)style, text);
    }
    free(text);
    return 0;
}
