/* What one result means for the request that it answers. */
#ifndef DBAL__POSTGRES_ANSWER_H
#define DBAL__POSTGRES_ANSWER_H

#include <stdbool.h>

#include "expect.h"
#include "libpq.h"
#include "statement.h"

typedef enum dbal__postgres_answered {
    DBAL__POSTGRES_ANSWER_TAKEN,
    DBAL__POSTGRES_ANSWER_MORE,    /* there are rows left: dbal__postgres_answer_rows() */
    DBAL__POSTGRES_ANSWER_LOST,    /* it is libpq's own error: the connection is gone */
    DBAL__POSTGRES_ANSWER_CONFUSED /* nobody asked for that */
} dbal__postgres_answered;

/* A result whose rows are taken piece by piece. */
typedef struct dbal__postgres_answer {
    PGresult *rest; /* or NULL */
    int taken;      /* of its rows */
    char fatal[6];  /* SQLSTATE of the last FATAL error, or "" */
    bool own_word;  /* it is the server's own, and so the last thing that it does */
} dbal__postgres_answer;

/* A result; what it has no more use for is to be cleared: that is *ret_clear, or NULL. */
dbal__postgres_answered dbal__postgres_answer_take(dbal__postgres_answer *answer,
                                                   dbal__postgres_expected *item,
                                                   dbal__postgres_columns *columns,
                                                   PGresult *result, PGresult **ret_clear);
/* More rows of answer->rest. */
dbal__postgres_answered dbal__postgres_answer_rows(dbal__postgres_answer *answer,
                                                   dbal__postgres_expected *item,
                                                   dbal__postgres_columns *columns,
                                                   PGresult **ret_clear);
/*
 * Its sink takes no more: whether the server may be made to stop. What it writes, it is to write all the
 * same, and a transaction is not to end with it: then what still comes is dropped.
 */
bool dbal__postgres_answer_may_stop(const dbal__postgres_expected *item);
/* What has come to its end: whether it is a success. */
bool dbal__postgres_answer_succeeded(const dbal__postgres_expected *item);
/* It was not executed, or undone, for no fault of its own: it is sent once more. */
void dbal__postgres_answer_skip(dbal__postgres_expected *item);
/* An error that comes behind the answer, when all was to be committed. False: it is libpq's own. */
bool dbal__postgres_answer_error(dbal__postgres_answer *answer, dbal__postgres_expected *item,
                                 const PGresult *result);

#endif
