#include "dbal/sql.h"

#include <limits.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/sql_hash.h"
#include "dbal/sql_refusal.h"
#include "dbal/sql_rewrite.h"
#include "dbal/sql_scan.h"
#include "dbal/sql_utf8.h"

/* Positions are ints, and rewriting makes text longer. */
enum { SOURCE_MOST = INT_MAX / 16 };

static bool
check_text(const char *text, size_t size, dbal_fault *fault)
{
    if (size > SOURCE_MOST) {
        dbal__sql_refuse(fault, DBAL_ERROR_PROGRAMMING, "54000", 0, NULL,
                         "the SQL is too long: %zu bytes", size);
        return false;
    }
    size_t valid = dbal__utf8_span(text, size);
    if (valid == size)
        return true;
    dbal__sql_refuse(fault, DBAL_ERROR_DATA, "22021", valid + 1, NULL,
                     "the SQL is not UTF-8 at byte %zu", valid + 1);
    return false;
}

/* The first number from 0 that no use has; `seen` has a zeroed byte for each use. */
static uint32_t
first_unused(const dbal__sql_uses *uses, unsigned char *seen)
{
    for (size_t i = 0; i < uses->count; i++)
        if (uses->items[i].number < uses->count)
            seen[uses->items[i].number] = 1;
    uint32_t first = 0;
    while (first < uses->count && seen[first])
        first++;
    return first;
}

static const dbal__sql_use *
highest_use(const dbal__sql_uses *uses)
{
    const dbal__sql_use *highest = NULL;
    for (size_t i = 0; i < uses->count; i++)
        if (highest == NULL || uses->items[i].number > highest->number)
            highest = &uses->items[i];
    return highest;
}

/* $1 to $n, each used: a gap is a slip of the pen, and no type could be found for it. */
static bool
number_parameters(dbal__sql *sql, const dbal__sql_uses *uses, dbal_fault *fault)
{
    const dbal__sql_use *highest = highest_use(uses);
    if (highest == NULL)
        return true;
    unsigned char *seen = dbal__array(uses->count, 1);
    if (seen == NULL) {
        dbal__sql_refuse_memory(fault);
        return false;
    }
    uint32_t unused = first_unused(uses, seen);
    dbal__free(seen);
    sql->param_count = (size_t)highest->number + 1;
    if (unused >= sql->param_count)
        return true;
    dbal__sql_refuse(fault, DBAL_ERROR_PROGRAMMING, "42601", highest->start + 1, NULL,
                     "the statement has %.*s but no $%u",
                     (int)(highest->size < DBAL__SQL_SHOWN ? highest->size : DBAL__SQL_SHOWN),
                     sql->source + highest->start, unused + 1);
    return false;
}

static bool
name_parameters(dbal__sql *sql, dbal__sql_uses *uses, dbal_fault *fault)
{
    if (!dbal__sql_names_init(&sql->index, sql->source, uses)) {
        dbal__sql_refuse_memory(fault);
        return false;
    }
    sql->names = sql->index.items;
    sql->param_count = sql->index.count;
    return true;
}

static bool
is_identity(const dbal__sql_uses *uses)
{
    for (size_t i = 0; i < uses->count; i++)
        if (uses->items[i].number != i)
            return false;
    return true;
}

/* Which parameter each value is. */
static bool
count_values(dbal__sql *sql, const dbal_driver *driver, const dbal__sql_uses *uses,
             dbal_fault *fault)
{
    bool each = driver->paramstyle == DBAL_PARAMSTYLE_QMARK;
    sql->value_count = each ? uses->count : sql->param_count;
    if (driver->max_parameters > 0 && sql->value_count > (size_t)driver->max_parameters) {
        dbal__sql_refuse(fault, DBAL_ERROR_PROGRAMMING, "54023", 0, NULL,
                         "the statement has %zu parameters, more than the %d that are possible",
                         sql->value_count, driver->max_parameters);
        return false;
    }
    if (!each || is_identity(uses))
        return true;
    sql->numbers = dbal__array(uses->count, sizeof *sql->numbers);
    if (sql->numbers == NULL) {
        dbal__sql_refuse_memory(fault);
        return false;
    }
    for (size_t i = 0; i < uses->count; i++)
        sql->numbers[i] = uses->items[i].number;
    return true;
}

static bool
fill(dbal__sql *sql, const dbal_driver *driver, const char *text, size_t size, dbal__sql_uses *uses,
     dbal_fault *fault)
{
    sql->refs = 1;
    sql->hash = dbal__sql_hash(text, size);
    sql->source_size = size;
    sql->source = dbal__strndup(text, size);
    if (sql->source == NULL) {
        dbal__sql_refuse_memory(fault);
        return false;
    }
    if (uses->named ? !name_parameters(sql, uses, fault) : !number_parameters(sql, uses, fault))
        return false;
    if (!count_values(sql, driver, uses, fault))
        return false;
    if (!dbal__sql_rewrite(sql, driver->paramstyle, uses)) {
        dbal__sql_refuse_memory(fault);
        return false;
    }
    return true;
}

static dbal__sql *
make(const dbal_driver *driver, const char *text, size_t size, dbal__sql_uses *uses,
     dbal_fault *fault)
{
    dbal__sql *sql = dbal__zalloc(sizeof *sql);
    if (sql == NULL) {
        dbal__sql_refuse_memory(fault);
        return NULL;
    }
    if (fill(sql, driver, text, size, uses, fault))
        return sql;
    dbal__sql_unref(sql);
    return NULL;
}

dbal__sql *
dbal__sql_new(const dbal_driver *driver, const void *config, const char *text, dbal_fault *fault)
{
    if (text == NULL)
        text = "";
    size_t size = strlen(text);
    dbal__sql_uses uses = {0};
    dbal__sql *sql = NULL;
    if (check_text(text, size, fault) && dbal__sql_uses_find(&uses, driver->dialect, text, fault))
        sql = make(driver, text, size, &uses, fault);
    dbal__sql_uses_fini(&uses);
    if (sql != NULL && driver->classify != NULL)
        sql->sql_class = driver->classify(config, sql->source);
    return sql;
}

dbal__sql *
dbal__sql_ref(dbal__sql *sql)
{
    sql->refs++;
    return sql;
}

void
dbal__sql_unref(dbal__sql *sql)
{
    if (sql == NULL || --sql->refs != 0)
        return;
    if (sql->text != sql->source)
        dbal__free((char *)sql->text);
    dbal__free(sql->source);
    dbal__free(sql->numbers);
    dbal__free(sql->edits);
    dbal__sql_names_fini(&sql->index);
    dbal__free(sql);
}

/*
 * One run that was held up, by another process perhaps, must not make it seem slow: what is longer
 * than before counts as twice as long at most, so that it takes some runs to become slow.
 */
void
dbal__sql_learn(dbal__sql *sql, int64_t took)
{
    int64_t mean = atomic_load_explicit(&sql->mean, memory_order_relaxed);
    if (took < 1)
        took = 1;
    if (mean != 0 && took > 2 * mean)
        took = 2 * mean;
    mean = mean == 0 ? took : (mean * 7 + took + 7) / 8;
    atomic_store_explicit(&sql->mean, mean, memory_order_relaxed);
}
