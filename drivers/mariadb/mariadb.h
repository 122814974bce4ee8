/* The driver's table. */
#ifndef DBAL__MARIADB_H
#define DBAL__MARIADB_H

#include <dbal/driver.h>

extern const dbal_driver dbal_mariadb_driver;

#endif
