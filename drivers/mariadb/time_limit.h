/*
 * What is left of a statement's deadline, as the session's max_statement_time: a backstop for what no
 * KILL reaches. It never comes before the deadline, and at most at about four times the rest: a power
 * of two, so that statements whose deadlines are alike need no setting of their own.
 */
#ifndef DBAL__MARIADB_TIME_LIMIT_H
#define DBAL__MARIADB_TIME_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "meaning.h"

typedef struct dbal__mariadb_time_limit {
    bool known;    /* what the session's own is; else nothing is ever set */
    bool alone;    /* the program has set its own: nothing is set but given back */
    bool took;     /* the server lets it be set */
    bool unknown;  /* what is in force */
    int base;      /* the session's own, in milliseconds, 0: none */
    int present;   /* 0: the session's own */
    char text[32]; /* the session's own, as the server writes it: no digit is lost */
} dbal__mariadb_time_limit;

enum { DBAL__MARIADB_TIME_TEXT = 160 };

/* The session's own is this, in seconds; what is no number switches it off. */
void dbal__mariadb_time_limit_learn(dbal__mariadb_time_limit *limit, const char *seconds);

/*
 * Whether the limit is to be set before a statement runs, and to what; 0: the session's own. INT64_MAX
 * for those whose time nothing is said of.
 */
bool dbal__mariadb_time_limit_wants(const dbal__mariadb_time_limit *limit, int64_t now,
                                    int64_t deadline, int *ret_limit);
/* Whether the statement asks for what a SET before it would change. */
bool dbal__mariadb_time_limit_disturbs(const char *sql);
/* What sets it. */
void dbal__mariadb_time_limit_text(const dbal__mariadb_time_limit *limit, int value,
                                   char to[DBAL__MARIADB_TIME_TEXT]);
/* That was done, or has failed, which says nothing of what is in force. */
void dbal__mariadb_time_limit_set(dbal__mariadb_time_limit *limit, int value, bool ok);

/*
 * The server would end a COMMIT too, or what undoes: such a statement gets the session's own limit, in
 * its own text. False: it is none, or has that limit already, or is too long.
 */
bool dbal__mariadb_time_limit_exempt(const dbal__mariadb_time_limit *limit,
                                     dbal__mariadb_control control, const char *sql,
                                     char to[DBAL__MARIADB_TIME_TEXT]);

/* The session is as new. */
void dbal__mariadb_time_limit_renew(dbal__mariadb_time_limit *limit);

#endif
