/*
 * The driver that workers have instead of a database's when they call a module's function: one
 * parameter, a blob, goes in, and one cell comes out. See <dbal/module.h>.
 */
#ifndef DBAL__MODULE_H
#define DBAL__MODULE_H

#include <stdbool.h>

#include "dbal/driver.h"

/* Not among the drivers that a URL can name: only workers look for it. */
#define DBAL__MODULE_SCHEME "module"
extern dbal__driver_entry dbal__module_entry;

/* `module:` and the path; owned, NULL without memory. */
char *dbal__module_url(const char *path);

#endif
