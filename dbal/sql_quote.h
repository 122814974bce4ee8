/* What stands between quotes: strings, blobs, quoted names. */
#ifndef DBAL__SQL_QUOTE_H
#define DBAL__SQL_QUOTE_H

#include <stdbool.h>

#include <dbal/driver.h>

/*
 * The literal or quoted name that begins here, prefix included; false when none does. BROKEN, to
 * the end of the text, when it never ends.
 */
bool dbal__sql_quote_next(dbal_dialect dialect, const char *text, dbal_sql_token *ret_token);

#endif
