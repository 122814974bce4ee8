/*
 * What a URL asks for, `fake:NAME?…`; docs/testing.md says what each means to a program.
 */
#ifndef DRIVERS_FAKE_CONFIG_H
#define DRIVERS_FAKE_CONFIG_H

#include <dbal/driver.h>

#include "script.h"
#include "store.h"

typedef struct fake_config {
    fake_store *store;
    fake_script *script;  /* or NULL */
    int level;            /* threadlevel */
    int connections;      /* 0: no limit */
    unsigned refuse;      /* so many connects */
    int64_t lose_after;   /* statements of each connection; -1: never */
    double connect_delay; /* seconds */
    double delay;
} fake_config;

extern const char *const fake_settings[];

void *fake_configure(const dbal_url *url, dbal_fault *fault);
void fake_configure_free(void *config);
int fake_threadlevel(const void *config);

#endif
