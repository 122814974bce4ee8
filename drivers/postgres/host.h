/* The hosts of a connection's options: `host`, `hostaddr` and `port` are lists. */
#ifndef DBAL__POSTGRES_HOST_H
#define DBAL__POSTGRES_HOST_H

#include <dbal/driver.h>

#include "option.h"

/* "" where nothing is given: a name then means the socket folder that libpq was built with. */
typedef struct dbal__postgres_host {
    const char *name;    /* a name, an address, a folder of sockets or an abstract socket */
    const char *address; /* where the name is to be found: it is not looked up */
    const char *port;
} dbal__postgres_host;

typedef struct dbal__postgres_hosts {
    int count;
    dbal__postgres_host *items;
    char *memory;
} dbal__postgres_hosts;

/* False with the fault set: lists that do not fit together, a port that is none, no memory. */
bool dbal__postgres_hosts_read(dbal__postgres_hosts *hosts, const dbal__postgres_options *options,
                               dbal_fault *fault);
void dbal__postgres_hosts_fini(dbal__postgres_hosts *hosts);

#endif
