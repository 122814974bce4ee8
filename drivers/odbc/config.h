/* What a URL asks of ODBC, read once for a pool; immutable afterwards. */
#ifndef DBAL__ODBC_CONFIG_H
#define DBAL__ODBC_CONFIG_H

#include <dbal/driver.h>

#include "threading.h"

typedef struct dbal__odbc_config {
    dbal__odbc_threading threading;
    size_t size;         /* of the connection string, in bytes */
    size_t room;         /* of it and what is behind it */
    const char *secrets; /* a list of its passwords, behind it; see secret.h */
    char string[];       /* the connection string: never to be shown */
} dbal__odbc_config;

void *dbal__odbc_configure(const dbal_url *url, dbal_fault *fault);
void dbal__odbc_configure_free(void *config);

#endif
