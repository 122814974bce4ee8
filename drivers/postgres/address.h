/* The addresses behind a host's name. */
#ifndef DBAL__POSTGRES_ADDRESS_H
#define DBAL__POSTGRES_ADDRESS_H

#include <stdint.h>

#include <dbal/driver.h>

#include "host.h"
#include "reason.h"

enum { DBAL__POSTGRES_ADDRESS = 64 };

typedef struct dbal__postgres_addresses {
    int count;
    char (*items)[DBAL__POSTGRES_ADDRESS]; /* as `hostaddr` takes them; "": the host is no name */
} dbal__postgres_addresses;

/*
 * Looks a name up in a thread of its own, since nothing stops getaddrinfo(): at a deadline
 * (CLOCK_MONOTONIC), or when the opening is stopped, it is left to itself. False with the reason.
 */
bool dbal__postgres_addresses_find(dbal__postgres_addresses *addresses,
                                   const dbal__postgres_host *host, int64_t deadline,
                                   const dbal_opening *opening, dbal__postgres_reason *reason);
void dbal__postgres_addresses_fini(dbal__postgres_addresses *addresses);

#endif
