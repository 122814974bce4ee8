/* A connection to a database that is none. */
#ifndef DRIVERS_FAKE_CONNECTION_H
#define DRIVERS_FAKE_CONNECTION_H

#include <stdatomic.h>

#include <dbal/driver.h>

#include "config.h"

enum { FAKE_SAVEPOINTS = 16, FAKE_NAME = 64 };

typedef struct fake_connection {
    const fake_config *config;
    atomic_bool struck; /* by an interrupt, while it runs */
    bool lost;
    bool in_transaction, changed;
    int64_t statements;
    int64_t delta; /* added in the transaction */
    int savepoints;
    struct {
        char name[FAKE_NAME];
        int64_t delta;
    } stack[FAKE_SAVEPOINTS];
} fake_connection;

/* The session is as new: nothing is open. */
void fake_connection_reset(fake_connection *self);

#endif
