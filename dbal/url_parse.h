/* What a URL is cut into. */
#ifndef DBAL__URL_PARSE_H
#define DBAL__URL_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "dbal/url.h"

typedef struct dbal__url_pair {
    const char *name, *value;
} dbal__url_pair;

typedef struct dbal__url_pairs {
    dbal__url_pair *items;
    size_t count;
} dbal__url_pairs;

struct dbal_url {
    char *memory; /* the text, cut up and decoded in place; what follows points into it */
    size_t memory_size;
    const char *scheme, *path, *user, *password, *hosts;
    dbal__url_pairs parameters, settings;
    bool pools_transactions; /* a setting of the pool's that the driver has to know */
};

/* Whether a URL may begin so. */
bool dbal__url_is_scheme(const char *scheme);

#endif
