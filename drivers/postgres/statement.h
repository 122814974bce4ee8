/*
 * What a connection knows of the statements it was given: their columns, and under which name the
 * server keeps them prepared. Bounded; the one not used for longest goes first.
 */
#ifndef DBAL__POSTGRES_STATEMENT_H
#define DBAL__POSTGRES_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bind.h"
#include "meaning.h"
#include "rows.h"
#include "setting.h"

typedef enum dbal__postgres_prepared {
    DBAL__POSTGRES_NOT_PREPARED,
    DBAL__POSTGRES_PREPARING, /* asked for: the answer is to come */
    DBAL__POSTGRES_PREPARED
} dbal__postgres_prepared;

typedef struct dbal__postgres_statement dbal__postgres_statement;
struct dbal__postgres_statement {
    dbal__postgres_statement *newer, *older, *next; /* next: of its bucket */
    uint64_t hash;
    size_t size;
    int count; /* of parameters */
    unsigned uses;
    unsigned flying; /* sent, not settled */
    bool small;      /* gave few rows when it last ran: they may come at once */
    bool writes;     /* by its text */
    bool chains;     /* COMMIT or ROLLBACK AND CHAIN */
    bool alters;     /* DDL, CALL or DO: the columns of others may be other ones behind it */
    dbal__postgres_prepared prepared;
    dbal__postgres_control control;
    dbal__postgres_sets sets; /* statement_timeout */
    dbal__postgres_columns columns;
    unsigned number; /* of its name */
    char name[16];   /* at the server */
    Oid *types;      /* behind the text */
    char text[];     /* not NUL-terminated */
};

/* The name of a statement that the server is still to close. */
typedef struct dbal__postgres_doomed dbal__postgres_doomed;

typedef struct dbal__postgres_statements {
    dbal__postgres_statement **buckets;
    size_t mask; /* number of buckets - 1 */
    dbal__postgres_statement *newest, *oldest;
    dbal__postgres_doomed *doomed;
    int count, most;
    unsigned after; /* the use of one at which it is prepared */
    bool prepares;  /* the server, and what is in between, keeps prepared statements for us */
    unsigned named; /* names given */
} dbal__postgres_statements;

/* Keeps so many, prepared at their use number `after`; false without memory. */
bool dbal__postgres_statements_init(dbal__postgres_statements *statements, int most, int after,
                                    bool prepares);
void dbal__postgres_statements_fini(dbal__postgres_statements *statements);

/* The statement of a request, bound so, now the newest; NULL: too long, or no memory. */
dbal__postgres_statement *dbal__postgres_statements_get(dbal__postgres_statements *statements,
                                                        const dbal_request *request,
                                                        const dbal__postgres_bound *bound);
/* Drops what is too many and not in flight. */
void dbal__postgres_statements_evict(dbal__postgres_statements *statements);
/* A name that the server is to close; false when there is none. */
bool dbal__postgres_statements_close(dbal__postgres_statements *statements, char ret_name[16]);
/* Whether it is to be prepared at this use. */
bool dbal__postgres_statement_is_due(const dbal__postgres_statements *statements,
                                     const dbal__postgres_statement *statement);
/* The name that the server knows one by. */
void dbal__postgres_statement_name(unsigned number, char ret_name[16]);
/* Gives it a name that the server does not know yet. */
void dbal__postgres_statement_prepare(dbal__postgres_statements *statements,
                                      dbal__postgres_statement *statement);
/* The server keeps it no more, or never did. */
void dbal__postgres_statement_forget(dbal__postgres_statement *statement);
/* The server keeps none of them any more. */
void dbal__postgres_statements_forget(dbal__postgres_statements *statements);
/* They may give other columns from now on: the server is to close those that it keeps. */
void dbal__postgres_statements_doubt(dbal__postgres_statements *statements);

/*
 * Whether its rows may come in binary when it goes by its name: the server keeps the columns of a name,
 * or gives an error. What the text has given before, by no name or another one, may have been of another
 * table.
 */
static inline bool
dbal__postgres_statement_in_binary(const dbal__postgres_statement *statement)
{
    const dbal__postgres_columns *columns = &statement->columns;
    return columns->binary_possible && columns->described == statement->number;
}

/* What the text of a request says; the statement may be NULL. */
dbal__postgres_control dbal__postgres_statement_control(const dbal__postgres_statement *statement,
                                                        const dbal_request *request);
bool dbal__postgres_statement_chains(const dbal__postgres_statement *statement,
                                     const dbal_request *request);
bool dbal__postgres_statement_alters(const dbal__postgres_statement *statement,
                                     const dbal_request *request);
/* Whether it sets statement_timeout. */
dbal__postgres_sets dbal__postgres_statement_sets(const dbal__postgres_statement *statement,
                                                  const dbal_request *request);
/* Whether it may write, by its text. */
bool dbal__postgres_statement_writes(const dbal__postgres_statement *statement,
                                     const dbal_request *request);
/* False, with the fault set, for one that was promised to change nothing, and would. */
bool dbal__postgres_statement_may_run(const dbal__postgres_statement *statement,
                                      const dbal_request *request, dbal_fault *fault);

#endif
