/* A public gate: its threads, and the calls that pass it. */
#ifndef DBAL__GATE_CALLS_H
#define DBAL__GATE_CALLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "dbal/crew.h"
#include "dbal/gate.h"
#include "dbal/loop.h"

struct dbal_gate {
    dbal__resource resource;
    dbal_loop *loop;
    dbal__inbox *inbox; /* the loop's; a reference */
    int level;
    dbal_gate_kind kind;
    int most_threads, max_waiting;
    double close_timeout;
    dbal__crew crew;        /* thread gate: calls without an object, or at level 3 */
    dbal__worker **workers; /* thread gate: most_threads of them, NULL where none was started */
    int worker_count;       /* that are not NULL */
    dbal__worker *only;     /* driver-thread */
    dbal__list calls;       /* all that have not come back */
    atomic_size_t waiting;  /* of these, not reached by a thread yet */
    struct dbal__gate_module *module; /* process gate; else NULL. See gate_module.h */
    dbal__list closers;
    dbal__timer close_timer;
    bool closing, stopped, abandoned;
};

/* Settles the calls that have not begun, and never will. */
void dbal__gate_drop_waiting(dbal_gate *gate);
/* Settles those that run as unknown: their threads are given up. How many they were. */
unsigned dbal__gate_give_up_calls(dbal_gate *gate);
/* Fires the Deferreds of dbal_gate_close() when nothing is left. */
void dbal__gate_check_closed(dbal_gate *gate);
/* For the crew: work waits and nobody is free. */
void dbal__gate_wants_thread(dbal__crew *crew);

#endif
