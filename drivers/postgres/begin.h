/* The statement that begins a transaction. */
#ifndef DBAL__POSTGRES_BEGIN_H
#define DBAL__POSTGRES_BEGIN_H

#include <dbal/driver.h>

/* See dbal_driver.begin. */
const char *dbal__postgres_begin(const void *config, dbal_isolation isolation, bool read_only,
                                 bool deferrable, dbal_fault *fault);

#endif
