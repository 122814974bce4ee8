/* The SQLite driver's table. */
#ifndef DBAL__DRIVERS_SQLITE_H
#define DBAL__DRIVERS_SQLITE_H

#include <dbal/driver.h>

extern const dbal_driver dbal_sqlite_driver;

#endif
