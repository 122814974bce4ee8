/* What an ODBC driver's messages hold besides words. */
#ifndef DBAL__ODBC_MESSAGE_H
#define DBAL__ODBC_MESSAGE_H

#include <dbal/driver.h>

/* Takes off what names who says it, PostgreSQL's detail, which shows values, and line breaks. */
void dbal__odbc_message_strip(char *text);
/* A copy without what stands in quotes and is among the request's parameters; NULL: it has none. */
void dbal__odbc_message_hide(const char *text, const dbal_request *request, char *to, size_t room);

#endif
