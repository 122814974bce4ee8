#include "dbal/interruption.h"

#include "dbal/alloc.h"

/* one on its way */
typedef struct interruption {
    dbal__errand errand;
    dbal__interruptions *all;
    dbal__runner *runner;
    uint64_t number; /* of the job that is meant */
} interruption;

static void
do_interrupt(dbal__errand *errand)
{
    interruption *one = DBAL__OF(errand, interruption, errand);
    dbal__runner_interrupt(one->runner, one->number);
}

static void
did_interrupt(dbal__errand *errand)
{
    interruption *one = DBAL__OF(errand, interruption, errand);
    dbal__interruptions *all = one->all;
    dbal__free(one);
    if (--all->count == 0 && all->over != NULL)
        all->over(all->owner);
}

void
dbal__interruptions_send(dbal__interruptions *all, dbal__runner *runner, uint64_t number)
{
    interruption *one = dbal__zalloc(sizeof *one);
    if (one == NULL)
        return; /* the stop flag is still seen by drivers that look */
    *one = (interruption){.errand = {.run = do_interrupt, .done = did_interrupt},
                          .all = all,
                          .runner = runner,
                          .number = number};
    if (dbal__helpers_send(all->loop->helpers, &one->errand))
        all->count++;
    else
        dbal__free(one);
}

void
dbal__interruptions_end(dbal__interruptions *all, void (*over)(void *owner), void *owner)
{
    all->over = over;
    all->owner = owner;
    if (all->count == 0)
        over(owner);
}
