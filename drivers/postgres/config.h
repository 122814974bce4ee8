/* What a URL asks of PostgreSQL, read once for a pool; immutable afterwards. */
#ifndef DBAL__POSTGRES_CONFIG_H
#define DBAL__POSTGRES_CONFIG_H

#include <stdbool.h>

#include <dbal/driver.h>

#include "option.h"

typedef struct dbal__postgres_config {
    dbal__postgres_options options;  /* for libpq, as far as the URL gives them; with a password */
    dbal__postgres_options settings; /* of the session: timezone, search_path, … */
    const char
        *balance; /* load_balance_hosts, a constant; ours, since libpq 15 has none; or NULL */
    bool pooler;  /* one of transactions is in between: sessions have nothing of their own */
} dbal__postgres_config;

/* the names of the URL parameters, NULL at the end */
extern const char *const dbal__postgres_settings[];

void *dbal__postgres_configure(const dbal_url *url, dbal_fault *fault);
void dbal__postgres_configure_free(void *config);

#endif
