/* A URL: scheme, authority, path, parameters; the pool's own settings kept apart. */
#ifndef DBAL__URL_H
#define DBAL__URL_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/driver.h>

/* A copy in memory of its own, percent-decoded; NULL with the fault set. */
dbal_url *dbal__url_new(const char *text, dbal_fault *fault);
void dbal__url_free(dbal_url *url);

/* The settings after `pool_`, without that prefix. */
size_t dbal__url_setting_count(const dbal_url *url);
const char *dbal__url_setting_name(const dbal_url *url, size_t index);
const char *dbal__url_setting_value(const dbal_url *url, size_t index);

/* Tells the driver of a pooler, see dbal_url_pools_transactions(). */
void dbal__url_set_pools_transactions(dbal_url *url, bool pools);

/* The URL as it may be shown: no password, no parameter that holds one. NULL without memory. */
char *dbal__url_redact(const char *text);

#endif
