/*
 * Sees every entry into the blocking fake: which call, of which connection, in which thread, from when
 * to when. Afterwards it judges, by rules of its own, whether a threadlevel was kept to.
 */
#ifndef TESTS_LIB_WITNESS_H
#define TESTS_LIB_WITNESS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum witness_call {
    WITNESS_INIT,
    WITNESS_EXIT,
    WITNESS_OPEN,
    WITNESS_CLOSE,
    WITNESS_USE,
    WITNESS_INTERRUPT
} witness_call;

/* What it saw. */
typedef struct witness_report {
    unsigned violations;
    char first[160]; /* of these; "" when there are none */
    size_t calls;
    unsigned threads;  /* that were in the driver, but for those that interrupt */
    unsigned most;     /* threads that one connection was in */
    unsigned together; /* calls in one connection at once */
    unsigned interrupts;
} witness_report;

/* From now on; what was seen before is forgotten. */
void witness_watch(void);
/* Ends it: judges what was seen. The library may be set up already when it began. */
witness_report witness_judge(int level, bool parallel);

/* The fake's; connection: NULL for the library. */
void witness_enter(const void *connection, witness_call call);
/* ok: of an open or init. */
void witness_leave(const void *connection, witness_call call, bool ok);

#endif
