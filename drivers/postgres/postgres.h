/* The PostgreSQL driver's table. */
#ifndef DBAL__DRIVERS_POSTGRES_H
#define DBAL__DRIVERS_POSTGRES_H

#include <dbal/driver.h>

extern const dbal_driver dbal_postgres_driver;

#endif
