/* What is known to be wrong with versions of libpq. */
#ifndef DBAL__POSTGRES_VERSION_H
#define DBAL__POSTGRES_VERSION_H

#include <stdbool.h>

/* Of a version as PQlibVersion() gives it, over TLS or not; a constant, NULL: nothing. */
const char *dbal__postgres_version_note(int version, bool tls);

#endif
