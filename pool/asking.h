/*
 * Asking the program, by before_connect, where a connect is to go: for passwords that change. What
 * it names is kept as a target: a URL and the driver's config for it, which lives as long as what was
 * opened with it.
 */
#ifndef DBAL__ASKING_H
#define DBAL__ASKING_H

#include <dbal/error.h>

struct dbal_pool;

/* Where connects go; counted. */
typedef struct dbal__target dbal__target;

dbal__target *dbal__target_ref(dbal__target *target);
/* Takes NULL. */
void dbal__target_unref(dbal__target *target);
/* The driver's config. */
const void *dbal__target_config(const dbal__target *target);
/* That of the pool's own URL and config, which stays the pool's. NULL without memory. */
dbal__target *dbal__target_first(const struct dbal_pool *pool, const char *url);

/* One question, from asking until its answer was handed on. */
typedef struct dbal__asking dbal__asking;

/*
 * Asks, from the loop, with connect_timeout. `done` is told once, from the loop: a reference to a
 * target, or an error to own. NULL without memory.
 */
dbal__asking *dbal__asking_begin(struct dbal_pool *pool,
                                 void (*done)(void *owner, dbal__target *target, dbal_error *error),
                                 void *owner);
/* The answer is not wanted any more: `done` is told of an error, soon. */
void dbal__asking_stop(dbal__asking *asking);
/* The same, but nobody is told. Takes NULL. */
void dbal__asking_forget(dbal__asking *asking);

#endif
