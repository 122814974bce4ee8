/*
 * What a test tells a fake driver to do, and what it saw: one script for each name in the URL
 * (`fake:NAME`). The fakes' statements are words that are done in order:
 *
 *   rows 10, rows $1    so many rows with one column n, from 1
 *   echo $2, $1         its parameters, as one row
 *   get                 the database's one number, as a row
 *   add 5, add $1       adds to that number; a write
 *   gain $1             the same, or fails with 23502 when it is negative
 *   bytes 1000          a row with so many bytes
 *   wait g              until the test opens the gate g, or the statement is stopped
 *   hang g              until the test opens the gate g, or the connection is closed
 *   fail '23505'        fails with that SQLSTATE
 *   progress 5 10       a row of a backup, see below
 *   break 1, break $1   unless it is 0, ends what the statement shares with others; see fake_share.h
 *   lose, lose $1       the connection is lost, in the middle of an answer; not if $1 is 0
 *   sneak               adds 1, which its text did not tell
 *   setting             leaves something behind in the session
 *   secret              the same, which its text does not tell, but the native fake's server
 *   clean               makes the session as new, which the native fake's server tells
 *   changed             whether something was left behind in the session, as a row
 *   forbidden           is refused by its class
 *   begin, commit, rollback, savepoint x, release savepoint x, rollback to savepoint x
 *
 * The target of a backup is done as a statement is.
 *
 * And for the native fake alone:
 *
 *   swap                the rest of the answer comes through another socket of the same number
 *   early               the rest is already read: no descriptor will announce it
 *   tick                the rest waits for a timer
 *   errand              the rest waits for a helper thread
 *   load                a copy into the database: adds the number of its rows
 *   load 3              fails with 22P02, at once, at the fourth row
 *   load after g        takes nothing before the test opens the gate g
 *   load lost           the connection is lost when it has got something
 *   unload 10           a copy out of the database: the rows 1 to 10
 *   listen "x", unlisten "x"       a channel; not "forbidden"
 *   notify "x" 'text'   tells those that listen
 */
#ifndef TESTS_LIB_FAKE_SCRIPT_H
#define TESTS_LIB_FAKE_SCRIPT_H

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { FAKE_GATES = 16, FAKE_NAME = 32, FAKE_TRACE = 16384 };

/* How what is shared begins or ends when it is planned to fail. */
typedef enum fake_trouble {
    FAKE_BUSY,   /* it may be tried again */
    FAKE_PLAIN,  /* nothing was done, and it may not */
    FAKE_UNSURE, /* it may or may not have been done */
    FAKE_GONE    /* the connection is lost with it */
} fake_trouble;

typedef struct fake_gate {
    char name[FAKE_NAME];
    bool open;
} fake_gate;

/* Counts are read with fake_script_count(); plans are set while no connection is open or opening. */
typedef struct fake_script {
    struct fake_script *next;
    char name[FAKE_NAME];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct ev_loop *ev; /* woken at each change, or NULL */
    ev_async nudge;
    fake_gate gates[FAKE_GATES];
    int64_t value;          /* the database's number */
    char trace[FAKE_TRACE]; /* the statements that were run, in order, with a | behind each */

    /* plans; counted from 1 */
    int fail_open_from, fail_open_to; /* these opens fail */
    bool fail_open_for_good;          /* as ones that will not pass */
    bool fail_open_as_full;           /* as of a server that has too many connections */
    int fail_run;                     /* the nth statement */
    int fail_commit;                  /* the nth does nothing and fails with 40001 */
    int lose_commit; /* the nth is done, and the connection is lost before its answer */
    bool fail_reset;
    int fail_ping;              /* so many fail from now on; not native */
    bool hang_reset;            /* until the gate "reset"; native */
    bool hang_open, hang_close; /* until the gate "open" or "close" */
    bool hang_errand;           /* until the gate "errand"; native */
    bool hang_interrupt;        /* until the gate "interrupt"; not native */
    bool stop_ends_open;        /* one that hangs ends when it is not wanted any more */
    bool hang_share;            /* until the gate "share", or the first of them is stopped */
    bool stop_breaks;           /* a stop ends what the statement shares */
    int fail_share_begin, fail_share_end; /* the nth */
    fake_trouble trouble;

    /* what was seen */
    int opens, closes, runs, waiting, interrupts, resets, live, most_live;
    int share_begins, share_ends;
    int commits, pings;
    int errands, errands_refused; /* begun in a helper; not taken by the loop */
    int inside, most_inside;      /* threads in the driver at once */
    int flying, most_flying;      /* statements in the driver at once */
    struct fake_hearer *hearers;
} fake_script;

/* The script of a name, made when it is not there; lives as long as the process. */
fake_script *fake_script_get(const char *name);
/* As new; no connection may be open. */
void fake_script_clear(fake_script *script);
/* From now on each change makes one turn of an event loop; NULL: no more. */
void fake_script_watch(fake_script *script, struct ev_loop *ev);
/* Lets all pass that wait at a gate, now and later, until it is closed again. */
void fake_script_open_gate(fake_script *script, const char *gate);
void fake_script_close_gate(fake_script *script, const char *gate);
/* One of its counts. */
int fake_script_count(fake_script *script, const int *count);
/* Ends the connections that listen. */
void fake_script_lose_hearers(fake_script *script);
/* The database's number. */
int64_t fake_script_value(fake_script *script);
/* Forgets the statements that were run, and how often sharing began and ended. */
void fake_script_forget(fake_script *script);
/* Whether the statements run so far are these, each with a | behind it. */
bool fake_script_ran(fake_script *script, const char *statements);

/* ---- for the fakes ---- */

/* Adds to a count, under the lock; what it is now. */
int fake_script_add(fake_script *script, int *count, int by);
void fake_script_trace(fake_script *script, const char *sql);
/* Around everything in the driver. */
void fake_script_enter(fake_script *script);
void fake_script_leave(fake_script *script);
/* Lets those that wait look again whether they were stopped. */
void fake_script_rouse(fake_script *script);
/* Waits at a gate. False: stopped, as `stopped` says. With `polls` it looks by itself now and then. */
bool fake_script_wait(fake_script *script, const char *gate, bool (*stopped)(void *arg), void *arg,
                      bool polls);

#endif
