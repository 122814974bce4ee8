/* Connection options in libpq's words: keyword and value. A password may be among them. */
#ifndef DBAL__POSTGRES_OPTION_H
#define DBAL__POSTGRES_OPTION_H

#include <stdbool.h>

typedef struct dbal__postgres_options {
    int count, room;
    const char **keywords, **values; /* as PQconnectStartParams() wants them, NULL at the end */
} dbal__postgres_options;

/* NULL: not given. */
const char *dbal__postgres_option(const dbal__postgres_options *options, const char *keyword);
/* Copies both, over what was given before; an empty or NULL value takes it away. False without memory. */
bool dbal__postgres_option_set(dbal__postgres_options *options, const char *keyword,
                               const char *value);
/* Sets what is not given yet. */
bool dbal__postgres_option_default(dbal__postgres_options *options, const char *keyword,
                                   const char *value);
/* False without memory: `to` is empty then. */
bool dbal__postgres_options_copy(dbal__postgres_options *to, const dbal__postgres_options *from);
/* Wipes and frees them; they are empty afterwards. */
void dbal__postgres_options_fini(dbal__postgres_options *options);

#endif
