/* A driver in a shared object. */
#ifndef DBAL__DRIVER_FILE_H
#define DBAL__DRIVER_FILE_H

#include <dbal/driver.h>
#include <dbal/error.h>

/*
 * The driver in a file, checked. The file stays loaded to the end of the process, whether it was of
 * use or not. Any thread; several may load the same one at once, and each gets the same driver.
 */
const dbal_driver *dbal__driver_file_open(const char *file, dbal_error **ret_error);

#endif
