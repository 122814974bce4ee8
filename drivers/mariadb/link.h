/* A connection of the client library's, with all that a URL says of it. */
#ifndef DBAL__MARIADB_LINK_H
#define DBAL__MARIADB_LINK_H

#include <stdbool.h>

#include <mysql.h>

#include "config.h"
#include "wait.h"

/*
 * Connects to one of the hosts, at the one address if that is not NULL and nothing is encrypted, whose
 * certificate would be the name's; as long as the wait allows, which is begun and ended here. Whether
 * it worked; the handle is made in either case, but for lack of memory: NULL then.
 */
bool dbal__mariadb_link(const dbal__mariadb_config *config, int host, const char *address,
                        dbal__mariadb_wait *wait, MYSQL **ret_mysql);

#endif
