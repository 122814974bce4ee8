/*
 * What every driver must do, behind every gate that it may pass. A target is a database to ask, with
 * its own spelling of what is asked and its declared quirks.
 */
#ifndef TESTS_CONTRACT_CONTRACT_H
#define TESTS_CONTRACT_CONTRACT_H

#include <check.h>
#include <dbal.h>

#include "tests/lib/loop_await.h"

/* Statements of one database. */
typedef struct contract_sql {
    const char *create; /* a script that makes what the others need, or NULL */
    const char *drop;   /* one that removes it, whether it is there or not; where a place stays */
    const char *rows;   /* so many rows as $1, with one column n, from 1 */
    const char *echo;   /* $1 */
    const char *echo_blob; /* the same for one of bytes, where that needs to be said; or NULL */
    const char *echo_both; /* $2, $1 */
    const char *by_name;   /* :b, :a */
    const char *add;       /* adds $1 to the one number there is */
    const char *gain;      /* the same, but fails with 23502 when it is negative */
    const char *gain_name; /* the same with :much */
    const char *insert;    /* makes a row with the id $1, from 2 */
    const char *returning; /* the same, and gives the id back; or NULL */
    const char *add_two;   /* adds 2, without a parameter */
    const char *get;       /* that number */
    const char *array;     /* how many elements the array $1 has; or NULL */
    const char *duplicate; /* violates a unique constraint */
    const char *syntax;    /* is no SQL */
    int syntax_position;
    const char *backup;     /* a target for a backup, or NULL: a file beside the place */
    const char *reads;      /* as rows, but out of the database, whose state it keeps; or NULL */
    const char *checkpoint; /* gives 0 when nobody keeps an old state, else 1; with `reads` */
    const char *endless;    /* runs until it is stopped */
    const char *begin, *rollback;
    const char *setting;  /* changes the session so that `changed` gives a 1 */
    const char *changed;  /* 0 in a new session */
    const char *copy_in;  /* takes whole numbers from 2, one a line */
    const char *copied;   /* how many of them are there */
    const char *copy_bad; /* the same, which fails with 22P02 at the fourth line, "four" */
    const char *copy_out, *copy_much; /* the numbers 1 to 3, and very many */
    const char *notify;               /* tells "contract" of "told" */
} contract_sql;

enum contract_quirk {
    CONTRACT_UNTYPED = 1,      /* values lose the finer type that they had as parameters */
    CONTRACT_ONE = 2,          /* there can be one connection only */
    CONTRACT_FORGETS = 4,      /* the database is gone with its last connection */
    CONTRACT_PRIVATE = 8,      /* another pool has a database of its own */
    CONTRACT_NO_BACKUP = 32,   /* it cannot be copied */
    CONTRACT_NO_NUL = 64,      /* a text can hold no NUL byte */
    CONTRACT_ZONED = 128,      /* the text of a moment names its zone */
    CONTRACT_SPOILS = 256,     /* a failed statement spoils its transaction, also a handled one */
    CONTRACT_ANY_JSON = 1024,  /* JSON as a parameter is whatever is wanted where it stands */
    CONTRACT_NO_COPY = 2048,   /* there are no copies in bulk */
    CONTRACT_NO_NOTIFY = 4096, /* nobody can listen */
    CONTRACT_STAYS = 8192,     /* the place is not new for each test */
    CONTRACT_FINITE = 16384,   /* a double is a finite number */
    CONTRACT_ROUNDS = 32768,   /* a double keeps fifteen digits */
    CONTRACT_GATHERS = 65536,  /* all rows are there before the first is given */
    CONTRACT_GUESSES = 131072, /* parameters have no type but what the statement gives them: text */
    CONTRACT_NO_IDS = 512,     /* a row's id is not told unless it is asked for */
};

/* Where the database is; new for each test. */
enum contract_where {
    CONTRACT_NAMED,   /* in this process */
    CONTRACT_NOWHERE, /* the scheme says all */
    CONTRACT_FILE,    /* a file in a new folder */
    CONTRACT_SERVER,  /* a schema of a real server, which this program starts */
    CONTRACT_MARIADB, /* a database of such a server */
};

typedef struct contract_target {
    const char *name;
    const char *scheme; /* and what follows up to the place */
    enum contract_where where;
    const char *parameters; /* of the URL, behind "?", or "" */
    const contract_sql *sql;
    unsigned quirks;
    const char *gate; /* the one that is expected */
    int threadlevel;
} contract_target;

extern const contract_target contract_targets[];

/* How something is said to this target; one that has no words for it cannot be asked: the test ends. */
#define SQL(what) contract_said(target->sql->what, #what)
const char *contract_said(const char *sql, const char *what);
/* A transaction on the pool, for a target that knows how one begins. */
#define transaction(...) ((void)SQL(begin), dbal_pool_transaction(pool, __VA_ARGS__))

/* The target that this process tests; its pool, new for each test. */
extern const contract_target *target;
extern loop_fixture fixture;
extern dbal_pool *pool;

/* What all tests share: the server. In main(). */
void contract_begin(void);
/* Where the database is that a test has: made for it, and removed after it. */
void contract_place_make(void);
void contract_place_remove(void);

/* Removes what the tests made there, with `pool`, where there are words for it. */
void contract_drop(void);

/* The target's URL, with settings behind its parameters ("" for none); to be freed. */
char *contract_url(const char *settings);
/* The text that a format gives; to be freed. */
char *contract_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Frees a URL, and gives it with one setting more behind it, or as it is for "". */
char *contract_url_add(char *url, const char *setting);
/* Where a backup may go to; there is nothing yet, and what gets there is removed in the end. */
const char *contract_backup_target(void);
/* One more pool on the same database, with such settings. */
dbal_pool *contract_open(dbal_loop *loop, const char *settings);

/* Statements in one text, each with a semicolon behind it, up to a NULL; to be freed. */
char *contract_script(const char *const statements[]);

/* Runs a Deferred to its end. */
void good(dbal_deferred *deferred);
void bad(dbal_deferred *deferred, dbal_error_class error_class, const char *sqlstate,
         dbal_execution execution);
/* The same for an outcome, which they clear. */
void good_outcome(dbal_outcome outcome);
void bad_outcome(dbal_outcome outcome, dbal_error_class error_class, const char *sqlstate,
                 dbal_execution execution);
/*
 * Times out what is asked for while it runs. On a slow machine its time may be up before it has begun:
 * then it is asked for again, with more.
 */
void contract_time_out(dbal_deferred *(*ask)(double timeout, void *arg), void *arg);
/* The one integer that a query gives. */
int64_t number(const char *sql);
/* The database's one number. */
int64_t value_now(void);
dbal_deferred *add_to_value(int64_t much);
/* Waits until a statement runs. */
void until_running(void);
/* Has run: counts into arg, an int. For dbal_deferred_add_both(); handles errors. */
dbal_outcome count_settled(dbal_outcome in, void *arg);
dbal_outcome swallow(dbal_outcome in, void *arg);

void contract_add(Suite *suite, const TTest *test);

void add_statements(Suite *suite);
void add_values(Suite *suite);
void add_transactions(Suite *suite);
void add_batches(Suite *suite);
void add_backups(Suite *suite);
void add_copies(Suite *suite);
void add_notifications(Suite *suite);
void add_stops(Suite *suite);
void add_streams(Suite *suite);
void add_pools(Suite *suite);
void add_memory(Suite *suite);
void add_schedules(Suite *suite);

#endif
