/* The ODBC driver's table. */
#ifndef DBAL__DRIVERS_ODBC_H
#define DBAL__DRIVERS_ODBC_H

#include <dbal/driver.h>

extern const dbal_driver dbal_odbc_driver;

#endif
