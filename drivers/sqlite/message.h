/* SQLite's error messages: for SQLITE_ERROR they are all there is to tell one from another. */
#ifndef DBAL__SQLITE_MESSAGE_H
#define DBAL__SQLITE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/driver.h>

typedef struct dbal__sqlite_message {
    dbal_error_class error_class;
    const char *sqlstate;
} dbal__sqlite_message;

/* What a message means, `otherwise` when it is not a known one. */
dbal__sqlite_message dbal__sqlite_message_find(const char *text, dbal__sqlite_message otherwise);

/* Copies a message without what may be a parameter's value, as in `fts5: syntax error near "…"`. */
void dbal__sqlite_message_hide(const char *text, const dbal_request *request, char *to,
                               size_t room);

/* "t.a" out of "UNIQUE constraint failed: t.a"; false when it names nothing. */
bool dbal__sqlite_message_constraint(const char *text, char *to, size_t room);

#endif
