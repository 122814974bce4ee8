/* A pool and what it is made of; the files of this folder share these structs. */
#ifndef DBAL__POOL_H
#define DBAL__POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dbal/channel.h"
#include "dbal/crew.h"
#include "dbal/deferred.h"
#include "dbal/error.h"
#include "dbal/gate.h"
#include "dbal/list.h"
#include "dbal/loop.h"
#include "dbal/moving.h"
#include "dbal/sql.h"
#include "dbal/token.h"
#include "pool/asking.h"
#include "pool/backoff.h"
#include "pool/collect.h"
#include "pool/ear.h"
#include "pool/histograms.h"
#include "pool/holders.h"
#include "pool/hook.h"
#include "pool/journey.h"
#include "pool/lanes.h"
#include "pool/life.h"
#include "pool/limit.h"
#include "pool/plan.h"
#include "pool/settings.h"
#include "pool/slow.h"
#include "pool/spare.h"
#include <dbal/copy.h>
#include <dbal/pool.h>

/* see connection.h */
struct dbal__scope;

/* One place for a connection. */
typedef enum dbal__slot_state {
    DBAL__SLOT_OPENING,
    DBAL__SLOT_OPEN,
    DBAL__SLOT_CLOSING /* or given up: nothing more is handed to it */
} dbal__slot_state;

struct dbal__slot {
    dbal__list link; /* most recently used first */
    dbal_pool *pool;
    dbal__channel *channel;
    dbal__asking *asking; /* before_connect is to say where it goes; or NULL */
    dbal__target *target; /* with before_connect, what it was opened with; a reference */
    int64_t open_by;      /* connect_timeout's end */
    int64_t opened_at;    /* 0: it was not opened yet */
    uint64_t number;      /* never that of another, nor of a ticket */
    dbal__slot_state state;
    unsigned flying; /* jobs handed to it that have not come back; not counted on the crew's line */
    dbal__lane lane; /* of these, the statements on the pool: loop gate */
    bool held;       /* by a session */
    bool proved;     /* something was done there: when it is lost, the next may be better */
    bool placed; /* has a place at the limit that the pool shares with others, if there is one */
    dbal__spared spared;
    bool dirty;       /* its session state is not known: close it instead of using it again */
    bool bare;        /* it was made as new, and on_connect is to run again */
    dbal__hook *hook; /* on_connect runs there, or NULL */
    struct dbal_connection *connection;
    dbal__span span;
    dbal__journey *journey; /* of its connect, or NULL */
    dbal__timer timer; /* connect_timeout; one that closes with nothing left to do: close_timeout */
};

struct dbal_pool {
    dbal__resource resource;
    dbal_loop *loop;
    dbal__driver_entry *driver;
    void *config;
    dbal__target *target; /* with before_connect: where it said last that connects go; else NULL */
    dbal__settings settings;
    dbal_gate_kind gate;
    int threadlevel; /* as the driver declares */
    int entry_level; /* what its entries here are held to */
    unsigned capabilities;
    dbal__sql_table *table;

    bool pulls;      /* thread gate: each connection has a thread, which pulls from the crew */
    dbal__crew crew; /* of those */
    dbal__threads *threads; /* thread gate: its connections move between these; or NULL */
    unsigned width;         /* statements at once in one connection there */
    dbal__worker *worker;   /* driver-thread gate */

    dbal__list slots;
    int open, connecting, held, limit;
    int most;    /* that the database can have */
    int hanging; /* given up, and not come back */
    dbal__lanes lanes;
    dbal__slot *reserved;   /* takes nothing more, for the session at the head of the line */
    bool probed;            /* a connection was opened once: limit and token are known */
    bool serves;            /* it is, and the pool is not paused */
    dbal_error *last_error; /* of connecting */
    unsigned failures;      /* connects in a row that failed, or were good for nothing */
    dbal__backoff backoff;
    dbal__collect collect;
    uint64_t jitter; /* state of the back-off's random numbers */
    dbal__life life;
    dbal__seat seat;
    dbal__watch watch;
    dbal__slow slow;
    dbal__trace trace;
    dbal__histograms *histograms; /* or NULL */
    bool follows;                 /* somebody is told of journeys */
    char *name;
    bool paused;
    double pause_delay; /* until the next look whether anything runs */
    dbal__list pauses;  /* listeners */

    dbal__list tickets;   /* all that was asked for and has not settled */
    dbal__list waiting;   /* of these, those the loop holds back, in order */
    size_t waiting_count; /* on that list */
    size_t stale;        /* on the crew's line, or just taken from there, and not wanted any more */
    size_t waiting_most; /* max_waiting, or none while what waits is to fail */
    dbal_notes notes;    /* of opening connections, which the log has */
    dbal_notes changes;  /* the same, of who changed his connection */
    dbal__spares spares; /* memory for the next ones */
    uint64_t last_job;   /* the number it was given */
    struct dbal__ticket_cursor *cursor; /* the innermost dbal__pool_each_ticket(), or NULL */
    dbal__task serve_task; /* gives out what can be given out, at the end of the turn */

    dbal__token *token;
    double token_timeout; /* seconds to wait for it */
    dbal__list writes;    /* wait for the token, in order */
    size_t writes_count;
    dbal__task writes_task; /* serves them at the end of the turn */
    dbal__claim *claim;     /* or NULL */
    bool claiming, token_held;
    dbal__ticket *writer; /* asks for the connection that writes go to */
    bool writer_busy;     /* it has asked, or has one */
    dbal__slot *writes_slot;
    bool writes_kept;    /* the slot is kept without the token, until the end of the turn */
    unsigned writing;    /* handed down under the token */
    unsigned claims_out; /* claims, the sessions' too, that wait or have been granted just now */
    dbal__timer writes_timer;
    bool upkeep_due; /* goes down with the next writes, or by itself */
    dbal__job keeper;
    dbal__slot *keeper_slot; /* where it is, or NULL */
    dbal__timer upkeep_timer;

    dbal__hearing hearing;

    dbal__list closers, readiers;
    dbal__timer close_timer;
    bool closing, stopped, abandoned, sweeping;
    bool attended;   /* it closes or is paused: what ends may be the last */
    bool close_late; /* close_timeout is over */

    dbal_pool_counts counts;
};

/* Its connections are stepped on the loop, by the driver or by what stands for it. */
static inline bool
dbal__pool_is_native(const dbal_pool *pool)
{
    return pool->gate == DBAL_GATE_LOOP || pool->gate == DBAL_GATE_PROCESS;
}

/* What a ticket asks for. */
typedef enum dbal__ticket_kind {
    DBAL__TICKET_STATEMENT, /* one statement on any connection */
    DBAL__TICKET_SESSION,   /* a connection of one's own */
    DBAL__TICKET_BOUND,     /* one statement on a session's connection */
    DBAL__TICKET_WRITER     /* a connection for the pool's own writes */
} dbal__ticket_kind;

typedef enum dbal__ticket_place {
    DBAL__PLACE_NOWHERE,
    DBAL__PLACE_LIST, /* on one of the loop's lists: waiting, writes, or a connection's queue */
    DBAL__PLACE_LINE, /* on the crew's line, or taken from there */
    DBAL__PLACE_SLOT  /* handed to one connection */
} dbal__ticket_place;

/* One request's place in the order, from asking until it has come back. */
struct dbal__ticket {
    dbal__list all, link;
    dbal_pool *pool;
    dbal__ticket_kind kind;
    dbal__ticket_place place;
    dbal__slot *slot;
    int64_t cost; /* on a lane: nanoseconds that it was expected to take there, else 0 */
    struct dbal_connection *connection; /* BOUND: a reference; SESSION: its own, once it has one */
    union {
        struct {                       /* SESSION */
            dbal__plan plan;           /* what it is for */
            dbal_error_class unwanted; /* why it was stopped while it was being given, or 0 */
        };
        struct {                       /* BOUND */
            struct dbal__scope *scope; /* the one it was made in; a reference */
            bool internal;             /* BEGIN, COMMIT and the like, made here */
            bool flew;                 /* was handed to the connection */
            bool again;                /* has come back for the token and waits for its turn */
            bool soils;                /* changes the session, by its text */
            bool returned;             /* its connection knows that it has come back */
        };
    };
    struct dbal_stream *stream;
    struct dbal__backup *backup;
    struct dbal_copy *copy;  /* into the database; one out of it is a stream */
    dbal_deferred *deferred; /* NULL once it has fired */
    void (*done)(struct dbal__ticket *ticket, dbal_outcome outcome); /* instead of the Deferred */
    void *done_arg;
    dbal__sql *sql;
    dbal__journey *journey;
    char *label;
    bool writes;      /* needs the token */
    bool in_writes;   /* on the list of those that wait for the pool's token */
    bool under_token; /* handed down while the pool holds it */
    bool back;        /* a stream's: the job has come back, its outcome waits for the consumer */
    unsigned moves;   /* times that it went to another connection, its own being lost */
    dbal__spare_size size; /* of its memory, which may be another's later */
    bool on_crew;          /* pushed on the crew's line by itself */
    bool stale;            /* it has settled there */
    dbal_error_class why;  /* 0, or why it was asked to stop: CANCELLED, TIMEOUT, CLOSED */
    dbal__timer timer;
    int64_t asked, token_asked, acquire_by, finish_by, give_up_at, stop_again_at;
    /* a session's that is never handed down ends within it: see dbal__job_init_idle() */
    dbal__job job;
    uint64_t block[]; /* packed parameters */
};

/* Where a walk through the tickets of a pool is. */
typedef struct dbal__ticket_cursor {
    dbal__list *next;
    struct dbal__ticket_cursor *outer;
} dbal__ticket_cursor;

static inline bool
dbal__ticket_has_settled(const dbal__ticket *ticket)
{
    return dbal__list_empty(&ticket->all);
}

/* ---- ticket.c: making, cancelling, settling ---- */

/* NULL, or what is wrong with the time that a caller gives. */
dbal_error *dbal__ticket_wrong_timeout(double timeout);
/* Everything that may be wrong with a query is an error here. NULL with *ret_error set. */
dbal__ticket *dbal__ticket_new(dbal_pool *pool, const dbal_query *query, dbal__ticket_kind kind,
                               dbal_error **ret_error);
/* A statement's text made ready, if it may be one of this kind. NULL with *ret_error set. */
dbal__sql *dbal__ticket_sql(dbal_pool *pool, const char *text, dbal__ticket_kind kind,
                            dbal_error **ret_error);
/* A BOUND one whose parameters were bound and packed before; both are copied. NULL without memory. */
dbal__ticket *dbal__ticket_new_packed(dbal_pool *pool, dbal__sql *sql, const void *block,
                                      size_t size);
/* One that runs the statement with each set of a group, in a thread; see runner.c. */
dbal__ticket *dbal__ticket_new_group(dbal_pool *pool, dbal__sql *sql, dbal__group *group);
dbal__ticket *dbal__ticket_new_session(dbal_pool *pool, double timeout, const char *label);
/* Makes a connection's session as new. NULL without memory. */
dbal__ticket *dbal__ticket_new_reset(dbal_pool *pool);
/* Copies the database, without a deadline; see backup.c for the rest of it. NULL without memory. */
dbal__ticket *dbal__ticket_new_backup(dbal_pool *pool, const char *target);
/* Makes its Deferred and starts its clock. False without memory: the ticket is freed. */
bool dbal__ticket_start(dbal__ticket *ticket);
/* The pool's writer: no Deferred, no clock; used again and again. NULL without memory. */
dbal__ticket *dbal__ticket_new_writer(dbal_pool *pool);
void dbal__ticket_renew(dbal__ticket *writer);
/* Takes back its request for a connection; dbal__writes_refused() when it has. */
void dbal__ticket_withdraw(dbal__ticket *writer);
/* It does not get a connection at once. */
void dbal__ticket_waits(dbal__ticket *ticket);
/* It waits for a connection once more. */
void dbal__ticket_wait_anew(dbal__ticket *ticket);
/* Takes it off whatever list of the loop's it is on; it has not begun. */
void dbal__ticket_take_off(dbal__ticket *ticket);
/* Takes it off the pool's list: it has settled. */
void dbal__ticket_unlink(dbal__ticket *ticket);
/* Its outcome; taken over. The ticket itself is freed when it has come back. */
void dbal__ticket_settle(dbal__ticket *ticket, dbal_outcome outcome);
/* stop.c. Sets its timer to what it waits for next. */
void dbal__ticket_arm(dbal__ticket *ticket);
/* Asks it to stop for a reason; settles at once when it has not begun. */
void dbal__ticket_stop(dbal__ticket *ticket, dbal_error_class why);
/* Fails one that has not begun; false when it has. Takes the error over only then. */
bool dbal__ticket_fail_waiting(dbal__ticket *ticket, dbal_error *error);
void dbal__ticket_free(dbal__ticket *ticket);
const char *dbal__ticket_name(const dbal__ticket *ticket);

/* Says in a fresh error what it is about. */
void dbal__ticket_describe(const dbal__ticket *ticket, dbal_error *error);
/* An error of dbal's own about it; the cause is borrowed and may be NULL. */
dbal_error *dbal__ticket_own_error(const dbal__ticket *ticket, dbal_error_class why,
                                   dbal_execution execution, dbal_error *cause, const char *what);

/* A stream's, whose consumer did not take all. */
dbal_error *dbal__ticket_stopped_error(const dbal__ticket *ticket, dbal_error_class why);

/* ---- finish.c: what becomes of one that has come back ---- */

/* For job->finished. */
void dbal__ticket_finished(dbal__job *job);
/* Settles it, unless it has, and frees it: a stream's when its consumer has taken all. */
void dbal__ticket_end(dbal__ticket *ticket);

/* ---- waiters.c: who gets a connection next ---- */

/* Puts a ticket in line: to run, to wait for a connection, or for the token. */
void dbal__waiters_add(dbal__ticket *ticket);
/* Puts it back where it was in line, when its connection was lost before it was sent. */
void dbal__waiters_return(dbal__ticket *ticket);
/* Gives out what can be given out now. */
void dbal__waiters_serve(dbal_pool *pool);
/* The same, at the end of the turn. */
void dbal__waiters_serve_soon(dbal_pool *pool);
/* NULL, or why nothing more may wait. */
dbal_error *dbal__waiters_refusal(dbal_pool *pool);
/* How much may wait may have changed: with what is open or being opened, and with the back-off. */
void dbal__waiters_limit(dbal_pool *pool);
size_t dbal__waiters_count(const dbal_pool *pool);
/* The same without those that nobody wants any more, as far as is known. */
size_t dbal__waiters_live(const dbal_pool *pool);
/* Fails all that wait. The error is borrowed. */
void dbal__waiters_fail(dbal_pool *pool, dbal_error *error);
/* Takes those that were cancelled off a line that nobody pulls from. */
void dbal__waiters_sweep(dbal_pool *pool);
/* A connection that nobody else is to have, out of turn; or NULL. */
dbal__slot *dbal__waiters_take_idle(dbal_pool *pool);
/* A slot is free for others again. */
void dbal__waiters_release(dbal__slot *slot);
/* The same for one that was taken for what has come to nothing; others get it later in this turn. */
void dbal__waiters_give_back(dbal__slot *slot);
/* Hands a ticket to one connection. */
void dbal__waiters_submit(dbal__ticket *ticket, dbal__slot *slot);

/* ---- writes.c: the write token of statements on the pool ---- */

/* False without memory. */
bool dbal__writes_init(dbal_pool *pool);
void dbal__writes_add(dbal__ticket *ticket);
/* The pool's writer got a connection, or was withdrawn. */
void dbal__writes_granted(dbal_pool *pool, dbal__slot *slot);
void dbal__writes_refused(dbal_pool *pool);
void dbal__writes_serve(dbal_pool *pool);
/* The same, at the end of the turn. */
void dbal__writes_serve_soon(dbal_pool *pool);
void dbal__writes_end_turn(dbal_pool *pool);
/* The error of one that has waited for the token too long. */
dbal_error *dbal__writes_timed_out(const dbal__ticket *ticket);
/* One that ran under the token has come back. */
void dbal__writes_done(dbal_pool *pool);
void dbal__writes_stop(dbal_pool *pool);
/* The connection they went to is gone; a hung one gives nothing back, so that all of them fail. */
void dbal__writes_abandon(dbal_pool *pool, bool hung);

/* ---- upkeep.c: what the database wants done under the token ---- */

/* What a statement under the token has left to do. */
void dbal__upkeep_wanted(dbal_pool *pool, dbal_upkeep when);
/* The job that does it, for the connection of the writes, if it is due; else NULL. */
dbal__job *dbal__upkeep_take(dbal_pool *pool);
void dbal__upkeep_stop(dbal_pool *pool);

/* ---- grow.c: when there are to be more ---- */

/* One connection more, if the pool may have one. */
void dbal__slots_grow(dbal_pool *pool);
void dbal__slots_crew_wants(dbal__crew *crew);
/* Of the threads that connections move between: one is idle, or none could be started. */
void dbal__slots_thread_freed(void *pool);
void dbal__slots_thread_failed(void *pool, int code);
/* The same while something wants one: what waits, or min_size. */
void dbal__slots_grow_if_wanted(dbal_pool *pool);
/* Whether another connect may begin now, whatever the limit. */
bool dbal__slots_may_connect(const dbal_pool *pool);

/* ---- slots.c: the life of connections ---- */

/* It is open, and on_connect is done: others may have it. */
void dbal__slots_opened(dbal__slot *slot);
/* Begins to open one, whatever max_size; NULL: it has failed, or there is no place for it. */
dbal__slot *dbal__slots_open(dbal_pool *pool);
/* Something was done there. */
static inline void
dbal__slot_proved(dbal__slot *slot)
{
    if (slot->proved || slot->state == DBAL__SLOT_OPENING)
        return; /* what on_connect does is a part of connecting */
    slot->pool->failures = 0;
    slot->proved = true;
}

/* Closes it when what it does has ended. */
void dbal__slot_close(dbal__slot *slot);
/* It hangs: it is left behind. */
void dbal__slot_give_up(dbal__slot *slot);
void dbal__slots_close_all(dbal_pool *pool);
/* Gives up what is left, or what has something in flight; the caller tells those. */
void dbal__slots_give_up(dbal_pool *pool, bool busy_only);
bool dbal__slots_join(dbal_pool *pool, int64_t deadline);
/* The pool is never freed, and its connections count no more for others. */
void dbal__slots_leave_places(dbal_pool *pool);
void dbal__slots_free(dbal_pool *pool);
dbal__slot *dbal__slot_of(const dbal__ticket *ticket);

/* It died; what runs there is told by the caller. The error is borrowed. */
void dbal__slot_is_lost(dbal__slot *slot, dbal_error *error);

/* ---- validate.c ---- */

/* True: it was silent for long, and is asked first; what waits is served when it has answered. */
bool dbal__slot_validate(dbal__slot *slot);

/* ---- reset.c ---- */

/* NULL, or why its connections cannot be made as new as the settings want. */
dbal_error *dbal__reset_check(const dbal_pool *pool);
/* Somebody changed his connection and is done with it: counts, and tells the log what becomes of it. */
void dbal__reset_report(dbal_pool *pool, const char *who, bool handed_on);

/* ---- stats.c ---- */

/* Open, and nothing is in it or may be. */
bool dbal__slot_is_idle(const dbal__slot *slot);
int dbal__pool_idle(const dbal_pool *pool);

/* ---- gate.c ---- */

/* Picks it for a pool that has its config, and gets ready what it needs. NULL, or an error. */
dbal_error *dbal__pool_choose_gate(dbal_pool *pool, const char *url);
/* The same for the threads behind it, once max_size is known. */
dbal_error *dbal__pool_set_threads(dbal_pool *pool);
/* NULL, or why it cannot have so many connections with so few of those. */
dbal_error *dbal__pool_check_threads(const dbal_pool *pool, int max_size);

/* ---- pool.c ---- */

/* Goes on with closing when something has ended. */
void dbal__pool_check_closed(dbal_pool *pool);
/* Calls fn for each that has not settled now; it may settle any of them. */
void dbal__pool_each_ticket(dbal_pool *pool, void (*fn)(dbal__ticket *ticket, void *arg),
                            void *arg);
/* The name of what has been at work for longest; "" when nothing is. */
const char *dbal__pool_oldest_at_work(const dbal_pool *pool);
/* Fires the Deferreds of dbal_pool_ready(); the error is borrowed, NULL for a success. */
void dbal__pool_ready_changed(dbal_pool *pool, dbal_error *error);
/* NULL, or a Deferred that has failed since the call cannot be taken; *ret_ok tells. */
dbal_deferred *dbal__pool_refuse(dbal_pool *pool, const char *call, bool *ret_ok);
/* The same for what does not wait for a connection. */
dbal_deferred *dbal__pool_refuse_closed(dbal_pool *pool, const char *call, bool *ret_ok);

/* ---- backup.c ---- */

/* Its ticket is freed, after a success or not. */
void dbal__backup_end(struct dbal__backup *backup, bool ok);

/* ---- stream.c ---- */

/* A stream's job is back. True: its batches are not yet taken; it settles when they are. */
bool dbal__stream_holds(dbal__ticket *ticket);
/* It is asked to stop while its consumer is being called: it ends when that has returned. */
bool dbal__stream_is_giving(const dbal__ticket *ticket);
/* Rows that its consumer was given. */
int64_t dbal__stream_rows(const dbal__ticket *ticket);
/* Its ticket is freed. */
void dbal__stream_end(dbal_stream *stream);
/* Makes a ticket one of a copy out of the database. False without memory. */
bool dbal__stream_attach_copy(dbal__ticket *ticket, dbal_bytes_fn *fn, void *arg);
/* The handle lives as long as this Deferred. The scope's reference goes over; or NULL. */
void dbal__stream_outlive(dbal_stream *stream, dbal_deferred *deferred, struct dbal__scope *scope);
/* Both take NULL. */
dbal_stream *dbal__stream_ref(dbal_stream *stream);
void dbal__stream_unref(dbal_stream *stream);

/* ---- copy.c ---- */

/* Makes a ticket one of a copy into the database. False without memory. */
bool dbal__copy_attach(dbal__ticket *ticket, dbal_copy_fn *room, void *arg);
/* The handle lives as long as this Deferred. The scope's reference goes over. */
void dbal__copy_outlive(dbal_copy *copy, dbal_deferred *deferred, struct dbal__scope *scope);
/* Its ticket is freed. */
void dbal__copy_end(dbal_copy *copy);
/* Both take NULL. */
dbal_copy *dbal__copy_ref(dbal_copy *copy);
void dbal__copy_unref(dbal_copy *copy);
/* The error of one that the program has aborted, when this (borrowed) is what that made; or NULL. */
dbal_error *dbal__copy_aborted(const dbal__ticket *ticket, dbal_error *error);

#endif
