/*
 * URL parameters that say how SQLite itself is to work: PRAGMAs, switches, limits. One table tells
 * what each can be and how SQLite is told.
 */
#ifndef DBAL__SQLITE_OPTION_H
#define DBAL__SQLITE_OPTION_H

#include <stdbool.h>
#include <stdint.h>

#include <dbal/driver.h>

typedef enum dbal__sqlite_option {
    DBAL__SQLITE_PAGE_SIZE,
    DBAL__SQLITE_AUTO_VACUUM,
    DBAL__SQLITE_MMAP_SIZE,
    DBAL__SQLITE_CELL_SIZE_CHECK,
    DBAL__SQLITE_TEMP_STORE,
    DBAL__SQLITE_SECURE_DELETE,
    DBAL__SQLITE_RECURSIVE_TRIGGERS,
    DBAL__SQLITE_JOURNAL_SIZE_LIMIT,
    DBAL__SQLITE_TRUSTED_SCHEMA,
    DBAL__SQLITE_ENABLE_VIEW,
    DBAL__SQLITE_ENABLE_TRIGGER,
    DBAL__SQLITE_DEFENSIVE,
    DBAL__SQLITE_ALLOW_ATTACH,
    DBAL__SQLITE_CHECK,
    DBAL__SQLITE_TYPES,
    DBAL__SQLITE_FIRST_LIMIT,
    DBAL__SQLITE_OPTIONS = DBAL__SQLITE_FIRST_LIMIT + 12
} dbal__sqlite_option;

/* What the last two can be. */
enum { DBAL__SQLITE_CHECK_OFF, DBAL__SQLITE_CHECK_QUICK, DBAL__SQLITE_CHECK_FULL };
enum { DBAL__SQLITE_TYPES_STORED, DBAL__SQLITE_TYPES_DECLARED };

typedef struct dbal__sqlite_options {
    int64_t value[DBAL__SQLITE_OPTIONS]; /* a number, or which of the words */
    bool given[DBAL__SQLITE_OPTIONS];    /* in the URL, and therefore to be looked at again */
} dbal__sqlite_options;

struct dbal__sqlite_connection;

/* An option's name, or NULL at their end. */
const char *dbal__sqlite_option_name(int option);
/* False with the fault set. */
bool dbal__sqlite_options_read(const dbal_url *url, dbal__sqlite_options *ret_options,
                               dbal_fault *fault);

/* What a session begins with; SQLite's code. The defensive switch and the limits are not yet set. */
int dbal__sqlite_options_set(struct dbal__sqlite_connection *c);
/* The rest, which would have stood in the way of opening; SQLite's code. */
int dbal__sqlite_options_lock(struct dbal__sqlite_connection *c);
/* Notes what SQLite took otherwise than asked, at the end of opening. */
void dbal__sqlite_options_compare(struct dbal__sqlite_connection *c, dbal_opening *opening);

#endif
