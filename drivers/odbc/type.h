/* ODBC's SQL types as dbal's. */
#ifndef DBAL__ODBC_TYPE_H
#define DBAL__ODBC_TYPE_H

#include <sql.h>

#include <dbal/driver.h>

/* TEXT for what dbal has no type for. */
dbal_type dbal__odbc_type_of(SQLSMALLINT type);

#endif
