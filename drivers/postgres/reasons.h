/* What became of all attempts to connect: one error out of many reasons. */
#ifndef DBAL__POSTGRES_REASONS_H
#define DBAL__POSTGRES_REASONS_H

#include <dbal/driver.h>

#include "reason.h"

typedef struct dbal__postgres_reasons {
    int count;
    bool decided;                /* no other attempt would end otherwise */
    dbal__postgres_reason chief; /* the one that speaks for all */
    char *text;                  /* all of them, "; " between */
    size_t used;
} dbal__postgres_reasons;

/* False without memory, with the fault set. */
bool dbal__postgres_reasons_init(dbal__postgres_reasons *reasons, dbal_fault *fault);
void dbal__postgres_reasons_add(dbal__postgres_reasons *reasons,
                                const dbal__postgres_reason *reason);
/* The error. */
void dbal__postgres_reasons_tell(const dbal__postgres_reasons *reasons, dbal_fault *fault);
void dbal__postgres_reasons_fini(dbal__postgres_reasons *reasons);

#endif
