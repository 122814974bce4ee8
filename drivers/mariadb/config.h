/* What a URL says of connections, once for a pool. */
#ifndef DBAL__MARIADB_CONFIG_H
#define DBAL__MARIADB_CONFIG_H

#include <stdbool.h>

#include <dbal/driver.h>

#include "option.h"

typedef struct dbal__mariadb_host {
    const char *name; /* or address; NULL: a Unix socket */
    unsigned port;
} dbal__mariadb_host;

typedef struct dbal__mariadb_config {
    dbal__mariadb_options options;
    int host_count; /* at least one */
    dbal__mariadb_host *hosts;
    const char *user, *password, *database; /* NULL: not given */
    char *setup;                            /* the statement that a session begins with */
    size_t setup_common;                    /* how much of it MySQL knows too */
    char *memory;                           /* of the texts above */
    size_t memory_size;
} dbal__mariadb_config;

/* See dbal_driver.configure. */
void *dbal__mariadb_configure(const dbal_url *url, dbal_fault *fault);
void dbal__mariadb_configure_free(void *config);

/* In words, for messages: "127.0.0.1:3306", or the socket's path. */
void dbal__mariadb_host_name(const dbal__mariadb_config *config, int host, char *to, size_t room);

#endif
