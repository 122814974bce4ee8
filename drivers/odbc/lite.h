/*
 * SQLite behind its ODBC driver, which says HY000 of whatever fails, and takes a column's type from
 * the first row it ever gave.
 */
#ifndef DBAL__ODBC_LITE_H
#define DBAL__ODBC_LITE_H

#include <sql.h>

/* A better SQLSTATE by SQLite's own result code; the one given when there is none. */
const char *dbal__odbc_lite_sqlstate(const char *sqlstate, SQLINTEGER native, const char *text);

#endif
