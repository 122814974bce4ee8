/* One PGconn for one address, from its making to its being logged in. */
#ifndef DBAL__POSTGRES_ATTEMPT_H
#define DBAL__POSTGRES_ATTEMPT_H

#include "libpq.h"
#include "notice.h"
#include "option.h"
#include "reason.h"
#include "wait.h"

/* What all attempts of one opening have in common. */
typedef struct dbal__postgres_attempts {
    const dbal__postgres_options *options; /* complete, but for what an attempt sets itself */
    const dbal_opening *opening;
    dbal__postgres_notices *notices; /* or NULL */
} dbal__postgres_attempts;

/* Where one goes; "" for what is not given. */
typedef struct dbal__postgres_place {
    const char *host, *address, *port;
    const char *target; /* target_session_attrs */
} dbal__postgres_place;

/* NULL with the reason, within the deadline. The PGconn is left with verbose messages. */
PGconn *dbal__postgres_attempt(const dbal__postgres_attempts *of, const dbal__postgres_place *place,
                               int64_t deadline, dbal__postgres_reason *reason);

#endif
