/*
 * A driver for worker processes to suffer from. `trouble:?level=N&stops=…&open=…`, and statements of a
 * word and its argument, with "read" before it when it is to be taken for one; see trouble.c.
 */
#ifndef TESTS_PROCESS_TROUBLE_H
#define TESTS_PROCESS_TROUBLE_H

#include <dbal/driver.h>

extern const dbal_driver trouble_driver;

#endif
