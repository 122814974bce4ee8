/* What the server's messages hold besides words. */
#ifndef DBAL__MARIADB_MESSAGE_H
#define DBAL__MARIADB_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/driver.h>

/* A copy without values: of what stands in quotes, the first when `first` is set, and what is among
 * the request's parameters. */
void dbal__mariadb_message_hide(const char *message, const dbal_request *request, bool first,
                                char *to, size_t room);
/* The violated constraint's or column's name; false when there is none. */
bool dbal__mariadb_message_constraint(const char *message, char *to, size_t room);
/* Where a syntax error is, as a 1-based byte of the text; 0: unknown. */
int dbal__mariadb_message_position(const char *message, const char *sql);

#endif
