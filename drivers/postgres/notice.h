/* What a server says besides its answers. */
#ifndef DBAL__POSTGRES_NOTICE_H
#define DBAL__POSTGRES_NOTICE_H

#include <stdbool.h>

#include "libpq.h"

enum { DBAL__POSTGRES_NOTICES = 64, DBAL__POSTGRES_NOTICE_TEXT = 1000 };

typedef struct dbal__postgres_notice {
    char severity[12]; /* NOTICE, WARNING, FATAL …, in English */
    char sqlstate[6];  /* "" when the server gives none */
    char *text;        /* cut short; of dbal_driver_alloc() */
} dbal__postgres_notice;

/*
 * The last of them, and the last that tells of a connection's end: an idle one that is closed by
 * its server gets no other explanation. Lives longer than the PGconn that writes into it.
 */
typedef struct dbal__postgres_notices {
    dbal__postgres_notice ring[DBAL__POSTGRES_NOTICES];
    int first, count;
    bool confused;         /* libpq itself has complained: of an answer to nothing, say */
    unsigned long dropped; /* those that were not taken in time, or that there was no memory for */
    char end_sqlstate[6];  /* of the last FATAL one, or one of class 57P; "": there was none */
    char end_text[DBAL__POSTGRES_NOTICE_TEXT + 1];
} dbal__postgres_notices;

/* From now on they are copied there; NULL: forgotten. Nothing is written anywhere else. */
void dbal__postgres_notices_receive(dbal__postgres_notices *notices, PGconn *conn);
/* The oldest; its text is the caller's to free. False: there is none. */
bool dbal__postgres_notices_take(dbal__postgres_notices *notices,
                                 dbal__postgres_notice *ret_notice);
/* Frees what they hold; the PGconn is gone, or told to forget. */
void dbal__postgres_notices_fini(dbal__postgres_notices *notices);

#endif
