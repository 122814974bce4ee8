/* The connection on which a pool listens, and what it listens to; see listen.c for who hears it. */
#ifndef DBAL__EAR_H
#define DBAL__EAR_H

#include <stdbool.h>
#include <stdint.h>

#include "dbal/clock.h"
#include "dbal/error.h"
#include "dbal/list.h"
#include "dbal/ready.h"
#include "pool/asking.h"

struct dbal_pool;

typedef struct dbal__topic dbal__topic;

/* Something to be told, in the order in which it came. */
typedef enum dbal__news_kind {
    DBAL__NEWS_LISTENING,
    DBAL__NEWS_LOST,
    DBAL__NEWS_MISSED, /* for lack of memory; these three are parts of their topic */
    DBAL__NEWS_MESSAGE
} dbal__news_kind;

typedef struct dbal__news {
    dbal__list link;
    dbal__topic *topic; /* a reference while it is in line */
    dbal__news_kind kind;
    int pid;
    char *payload; /* behind it; NULL when it is no message */
} dbal__news;

/* One channel of the database's, and those who listen on it. */
struct dbal__topic {
    unsigned refs;
    dbal__list link;
    dbal__list listeners;
    bool on; /* the database has been asked, and has said yes */
    int64_t lost_at;
    double gap; /* seconds it was not on, the last time */
    dbal__news listening, lost, missed;
    char *sql; /* UNLISTEN "name"; without its first two letters it is the LISTEN */
    char name[];
};

/* A pool's. */
typedef struct dbal__hearing {
    dbal__list topics;
    dbal__list ears;       /* all, also those that are being closed */
    struct dbal__ear *ear; /* the one in use, or NULL */
    dbal__asking *asking;  /* before_connect is to say where that goes; or NULL */
    dbal__timer retry;
    unsigned failures; /* in a row */
    dbal__list news;   /* to be told */
    dbal__task task;   /* tells it */
    dbal__list *next;  /* the listener after the one that is being told; NULL: none is */
} dbal__hearing;

/* ---- listen.c ---- */

void dbal__hearing_init(struct dbal_pool *pool);
/* Ends all listening, as a success. */
void dbal__hearing_end(struct dbal_pool *pool);
void dbal__hearing_fini(struct dbal_pool *pool);
/* The database listens for us now. */
void dbal__topic_is_on(struct dbal_pool *pool, dbal__topic *topic);
/* It does not any more. */
void dbal__topic_is_off(struct dbal_pool *pool, dbal__topic *topic);
/* Its listeners fail; the error is borrowed. */
void dbal__topic_fail(dbal__topic *topic, dbal_error *error);
void dbal__topic_ref(dbal__topic *topic);
void dbal__topic_unref(dbal__topic *topic);
/* Nobody listens any more, and the database knows it. */
void dbal__topic_drop(dbal__topic *topic);
/* The database has told something. */
void dbal__hearing_told(struct dbal_pool *pool, const char *name, const char *payload, int pid);

/* ---- ear.c ---- */

/* Brings what the database does for us into line with who listens. */
void dbal__ear_adjust(struct dbal_pool *pool);
/* Nothing of it is left but what hangs. */
bool dbal__ear_is_gone(const struct dbal_pool *pool);
/* Leaves behind what has not ended, or what has something in flight. */
void dbal__ear_give_up(struct dbal_pool *pool, bool busy_only);
void dbal__ear_free(struct dbal_pool *pool);

#endif
