/* Servers for whoever connects: one with TLS and passwords, a standby without, and a pooler. */
#ifndef TESTS_POSTGRES_CONNECT_SERVERS_H
#define TESTS_POSTGRES_CONNECT_SERVERS_H

#include "connect_fixture.h"
#include "tests/lib/postgres.h"

typedef struct connect_servers {
    postgres bank, standby, pooler;
    int bank_port, standby_port;
    char files[64]; /* a folder with ca.crt, other.crt, client.crt, client.key, locked.key */
} connect_servers;

extern connect_servers servers;

/*
 * In main(). The bank's database is bank; teller has the password topsecret, and so have tlsonly,
 * who needs TLS, limited, who may be there once, stranger, who may not come by TCP, and odd, whose
 * sessions have other styles. certuser needs a certificate. On the bank's socket, and everywhere on
 * the standby, postgres is trusted.
 */
void connect_servers_start(void);
void connect_servers_remove(void);

/* Writes a file into `files`, for its owner alone; its path, good until the next call. */
const char *connect_servers_file(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
