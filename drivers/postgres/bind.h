/* A request's parameters as PQsendQueryParams() and PQsendQueryPrepared() want them. */
#ifndef DBAL__POSTGRES_BIND_H
#define DBAL__POSTGRES_BIND_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/driver.h>

#include "libpq.h"

/* What the protocol's 16 bits can count. */
enum { DBAL__POSTGRES_MOST_PARAMETERS = 65535 };

/*
 * The arrays are as long as `count` and good until the next bind; texts and blobs are the
 * request's own. Zeroed: nothing bound yet. Memory is kept from one request to the next.
 */
typedef struct dbal__postgres_bound {
    int count;
    Oid *types; /* 0: the server chooses, by where the parameter stands */
    const char **values;
    int *lengths;
    int *formats;
    /* private */
    int room;
    char *bytes;
    size_t bytes_room;
} dbal__postgres_bound;

/* False: the fault is set, for something that was not sent. */
bool dbal__postgres_bind(dbal__postgres_bound *bound, const dbal_request *request,
                         dbal_fault *fault);
void dbal__postgres_bound_fini(dbal__postgres_bound *bound);

#endif
