/* What a URL leaves open: service file, environment, libpq's own defaults, and ours. */
#ifndef DBAL__POSTGRES_DEFAULTS_H
#define DBAL__POSTGRES_DEFAULTS_H

#include <dbal/driver.h>

#include "config.h"

/*
 * All options as libpq would have them, but the hosts' names not looked up. Reads files and the
 * environment. False with the fault set; otherwise the caller has to free them.
 */
bool dbal__postgres_defaults(const dbal__postgres_config *config, dbal__postgres_options *options,
                             dbal_opening *opening, dbal_fault *fault);

#endif
