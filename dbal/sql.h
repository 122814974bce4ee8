/* SQL text: cut into tokens, its parameters found and written as a driver wants them. */
#ifndef DBAL__SQL_H
#define DBAL__SQL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/driver.h>

#include "dbal/sql_names.h"
#include "dbal/sql_utf8.h"

/*
 * A statement made ready for one driver: immutable but for what is learnt of it, counted (not
 * atomically: refs are taken and dropped on the loop). Everything that depends on the text alone is found once
 * here, so that a statement met again costs a look-up.
 * What the loop writes for each query and what the thread that runs it writes have cache lines of their
 * own, apart from what both only read.
 */
typedef struct dbal__sql {
    uint64_t hash; /* of the original text */
    char *source;  /* as the program wrote it */
    size_t source_size;
    const char *text; /* as the driver wants it; == source when nothing had to change */
    size_t size;
    /* values the driver binds: with QMARK one for each use, else one for each number */
    size_t value_count;
    /* QMARK: which parameter (from 0) each value is; NULL when value i is parameter i */
    uint32_t *numbers;
    size_t param_count; /* different parameters: the highest $n, or the number of different names */
    const char **names; /* param_count names, when written as :name; else NULL */
    dbal_sql_class sql_class;
    dbal__sql_names index;        /* what finds a name, and owns `names` */
    struct dbal__sql_edit *edits; /* where `text` is not `source`: one for each use; else NULL */
    size_t edit_count;
    char apart[64];
    unsigned refs;
    int8_t doubt; /* loop gate: how often in a row `mean` was too low, or, below 0, too high */
    char apart_too[64];
    /* what was learnt of it where it ran */
    _Atomic(int64_t) mean; /* running average of its time, nanoseconds; 0 until known */
    atomic_bool alone; /* it broke a commit that others shared: it runs by itself from then on */
} dbal__sql;

/*
 * Scans a statement. NULL with the fault set: empty text, a second statement (42601), a quote that
 * never ends, `$n` and `:name` mixed, `$0` or a gap in the numbers, more than driver->max_parameters,
 * text that is not UTF-8. The position in the fault is the 1-based byte in `text`.
 */
dbal__sql *dbal__sql_new(const dbal_driver *driver, const void *config, const char *text,
                         dbal_fault *fault);
dbal__sql *dbal__sql_ref(dbal__sql *sql);
void dbal__sql_unref(dbal__sql *sql);

/*
 * Whether these parameters fit: as many as it has, names where it has names (and only there), each
 * known name once, no text with bad UTF-8, arrays only if the driver can. Sets `ret_order[i]` to
 * the index in params.values of the i-th value to bind; room for value_count. False with the fault set.
 */
bool dbal__sql_bind(const dbal__sql *sql, const dbal_driver *driver, const void *config,
                    dbal_params params, uint32_t *ret_order, dbal_fault *fault);

/* Takes the time of a run (ns) into its average; any thread. */
void dbal__sql_learn(dbal__sql *sql, int64_t took);

/* A position in the driver's text (1-based byte) as one in the source; 0 stays 0. */
int dbal__sql_position(const dbal__sql *sql, const dbal_driver *driver, int position);

/* One statement of a script: its size in bytes from `text` (without the `;`), and where the next
 * begins; false at the end. BEGIN … END of a trigger is one statement where the dialect has them. */
bool dbal__sql_split(dbal_dialect dialect, const char **cursor, const char **ret_start,
                     size_t *ret_size);

/* A name between quotes, doubled where it has them; NULL when it holds NUL, is not UTF-8, or no memory. */
char *dbal__sql_quote_identifier(dbal_dialect dialect, const char *name, size_t size);

/* A bounded table of statements already met; least recently used ones go. Loop's thread. */
typedef struct dbal__sql_table dbal__sql_table;
dbal__sql_table *dbal__sql_table_new(const dbal_driver *driver, const void *config, size_t most);
void dbal__sql_table_free(dbal__sql_table *table);
/* A reference to a statement for this text, from the table or new; NULL with the fault set. */
dbal__sql *dbal__sql_table_get(dbal__sql_table *table, const char *text, dbal_fault *fault);

#endif
