/*
 * What is left of a statement's deadline, as the server's own statement_timeout: a backstop for what
 * no cancel reaches. It never comes before the deadline, and at most at about four times the rest: a
 * power of two, so that statements whose deadlines are alike need no setting of their own.
 */
#ifndef DBAL__POSTGRES_TIME_LIMIT_H
#define DBAL__POSTGRES_TIME_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include <dbal/driver.h>

#include "libpq.h"
#include "meaning.h"
#include "setting.h"

struct dbal__postgres_connection;

typedef struct dbal__postgres_time_limit {
    bool ours;    /* another one than the session's own may be in force */
    bool off;     /* the server has none, or it is not this session's alone */
    bool known;   /* what `base` is */
    bool asking;  /* the answer is to come */
    bool unknown; /* what is in force */
    bool inside;  /* set in the transaction that is open: gone when that is rolled back */
    bool doubted; /* it is to be committed by the reply `commit` */
    bool took;    /* the server lets it be set */
    dbal__postgres_sets alone;   /* the program has set its own: nothing is set but given back */
    dbal__postgres_sets outside; /* the same, when the transaction that is open began */
    int base;                    /* the session's own, in milliseconds, 0: none */
    int present;                 /* 0: the session's own */
    int failures;                /* of asking */
    uint32_t commit, last;       /* numbers of replies; last: to what was last set */
} dbal__postgres_time_limit;

/* What is to be done before a statement. */
typedef enum dbal__postgres_time_step {
    DBAL__POSTGRES_TIME_KEEP,
    DBAL__POSTGRES_TIME_ASK, /* what the session's own is */
    DBAL__POSTGRES_TIME_SET
} dbal__postgres_time_step;

enum { DBAL__POSTGRES_TIME_TEXT = 48 };

/* ---- the state ---- */

/* Whether it matters at all: seldom. */
static inline bool
dbal__postgres_time_limit_matters(const dbal__postgres_time_limit *limit,
                                  const dbal_request *request, dbal__postgres_sets sets)
{
    return limit->ours || sets != DBAL__POSTGRES_SETS_NOT ||
           dbal_request_deadline(request) != INT64_MAX;
}

/* INT64_MAX for statements whose time nothing is said of, and for which base is to be in force. */
dbal__postgres_time_step dbal__postgres_time_limit_step(const dbal__postgres_time_limit *limit,
                                                        int64_t now, int64_t deadline,
                                                        int *ret_limit);
/* By its text such a statement runs under any limit: the server stops none of these. */
bool dbal__postgres_time_limit_is_free(dbal__postgres_control control, int64_t deadline);
/* What is sent for it. */
void dbal__postgres_time_limit_text(dbal__postgres_time_step step, int limit,
                                    char ret_text[DBAL__POSTGRES_TIME_TEXT]);
/* It was sent: in a transaction or not. */
void dbal__postgres_time_limit_sent(dbal__postgres_time_limit *limit, dbal__postgres_time_step step,
                                    int value, bool in_transaction);
/* The answer to one of both. */
void dbal__postgres_time_limit_answer(dbal__postgres_time_limit *limit, const PGresult *result,
                                      bool last);
/* Most statements change nothing of it. */
static inline bool
dbal__postgres_time_limit_is_touched(dbal__postgres_control control, dbal__postgres_sets sets)
{
    return control != DBAL__POSTGRES_PLAIN || sets != DBAL__POSTGRES_SETS_NOT;
}

/*
 * What a statement that was sent will have done to it; whether a commit is awaited that may fail.
 * `in_order`: it is one of a session's.
 */
bool dbal__postgres_time_limit_foresee(dbal__postgres_time_limit *limit,
                                       dbal__postgres_control control, dbal__postgres_sets sets,
                                       bool in_transaction, bool in_order);
/* That commit has come to its end. */
void dbal__postgres_time_limit_committed(dbal__postgres_time_limit *limit, bool ok);
/* The session is made as new. */
void dbal__postgres_time_limit_renew(dbal__postgres_time_limit *limit);

/* ---- on the loop ---- */

/*
 * For both there is room for two more replies. Whether a statement is to wait until it is answered what
 * the session's own limit is: once for a connection, and only when it has a deadline.
 */
bool dbal__postgres_time_limit_asks(struct dbal__postgres_connection *self,
                                    const dbal_request *request);
/* A statement is sent next: says before it what it needs. */
void dbal__postgres_time_limit_join(struct dbal__postgres_connection *self,
                                    const dbal_request *request, dbal__postgres_control control,
                                    dbal__postgres_sets sets);
/* The session's own is to be in force, and nothing is in flight. True: that had to be said. */
bool dbal__postgres_time_limit_gives_back(struct dbal__postgres_connection *self);
/* The reply that is being read has this for a result. */
void dbal__postgres_time_limit_answered(struct dbal__postgres_connection *self,
                                        const PGresult *result);

#endif
