/* White space and comments: what stands between tokens. */
#ifndef DBAL__SQL_BLANK_H
#define DBAL__SQL_BLANK_H

#include <dbal/driver.h>

/* Behind white space and comments; at the start of a comment that never ends. */
const char *dbal__sql_blank_skip(dbal_dialect dialect, const char *text);
/* Whether MySQL would run what is in this comment: its size up to the code, or 0. */
size_t dbal__sql_conditional_size(dbal_dialect dialect, const char *text);

#endif
