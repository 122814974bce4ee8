/*
 * The connection on which a pool listens: one beside the pool's own, opened when somebody listens,
 * closed when nobody does, and opened anew when it is lost. It asks for one channel at a time.
 */
#include <math.h>
#include <string.h>

#include "dbal/alloc.h"
#include "pool/ear.h"
#include "pool/pool.h"

/* The wait after one that failed or was lost: doubled each time, with full jitter. */
static const double BACKOFF_FIRST = 0.1, BACKOFF_MOST = 1;
/* What may hang at once before no more is tried. */
enum { HANGING_MOST = 4 };

typedef enum ear_state { OPENING, OPEN, CLOSING } ear_state;

typedef struct dbal__ear {
    dbal__list link;
    dbal_pool *pool;
    dbal__channel *channel;
    dbal__target *target; /* with before_connect, what it was opened with; a reference */
    ear_state state;
    dbal__timer timer; /* of opening, of what was asked, and of closing */
    dbal__job job;
    dbal__topic *asked; /* what the job is about; a reference, or NULL */
    bool listens;       /* it is a LISTEN */
} ear;

static void
ear_free(ear *self)
{
    dbal__clock_stop(&self->pool->loop->ready.clock, &self->timer);
    dbal__list_remove(&self->link);
    if (self->asked != NULL) {
        dbal__sql_unref(self->job.request.sql);
        dbal__request_fini(&self->job.request);
        dbal__topic_unref(self->asked);
    }
    if (self->channel != NULL)
        self->channel->ops->free(self->channel);
    dbal__target_unref(self->target);
    dbal__free(self);
}

/* ---- its end ---- */

static void
on_closed(dbal__channel *channel)
{
    ear *self = channel->owner;
    dbal_pool *pool = self->pool;
    pool->hanging -= channel->given_up;
    ear_free(self);
    dbal__pool_check_closed(pool);
}

/* It is not the one in use any more; what it listened to is off. */
static void
retire(ear *self)
{
    dbal_pool *pool = self->pool;
    self->state = CLOSING;
    if (pool->hearing.ear != self)
        return;
    pool->hearing.ear = NULL;
    dbal__list *topics = &pool->hearing.topics;
    for (dbal__list *link = topics->next; link != topics; link = link->next)
        dbal__topic_is_off(pool, DBAL__OF(link, dbal__topic, link));
}

static void
abandon(ear *self)
{
    retire(self);
    self->pool->hanging++;
    self->pool->loop->abandoned++;
    self->channel->ops->give_up(self->channel);
}

static void
on_retry(dbal__timer *timer)
{
    dbal__ear_adjust(DBAL__OF(timer, dbal_pool, hearing.retry));
}

static void
back_off(dbal_pool *pool)
{
    dbal__clock *clock = &pool->loop->ready.clock;
    unsigned failures = pool->hearing.failures++;
    double delay = BACKOFF_FIRST * exp2(failures > 16 ? 16 : failures);
    if (delay > BACKOFF_MOST)
        delay = BACKOFF_MOST;
    delay *= dbal__pool_jitter(pool);
    dbal__clock_start(clock, &pool->hearing.retry, dbal__after(dbal__clock_now(clock), delay),
                      on_retry);
}

static void
on_timeout(dbal__timer *timer)
{
    ear *self = DBAL__OF(timer, ear, timer);
    dbal_pool *pool = self->pool;
    bool current = self == pool->hearing.ear;
    if (self->channel->given_up)
        return; /* the pool has done so, as it closes */
    if (self->state == OPENING)
        pool->counts.connect_errors++;
    abandon(self);
    if (current)
        back_off(pool);
}

/* Something is begun that should not take longer than a connect. */
static void
set_limit(ear *self)
{
    double limit = self->pool->settings.connect_timeout;
    dbal__clock *clock = &self->pool->loop->ready.clock;
    /* a little later than the driver's own deadline, whose error says more */
    if (limit >= 0)
        dbal__clock_start(clock, &self->timer,
                          dbal__after(dbal__clock_now(clock), limit + limit / 8), on_timeout);
}

static void
close_ear(ear *self)
{
    bool opening = self->state == OPENING;
    retire(self);
    set_limit(self);
    /* one that is being opened is closed when that has ended */
    if (opening)
        dbal__channel_stop_opening(self->channel);
    else
        self->channel->ops->close(self->channel);
}

static void
on_lost(dbal__channel *channel, dbal_error *error)
{
    ear *self = channel->owner;
    dbal_pool *pool = self->pool;
    if (self->state != CLOSING) {
        pool->counts.lost++;
        dbal__ready_log(&pool->loop->ready, DBAL_LOG_WARNING,
                        "the connection that listens was lost: %s", dbal_error_message(error));
        retire(self);
        back_off(pool);
    }
    dbal_error_unref(error);
}

/* ---- what it asks ---- */

static void
ask_failed(ear *self, bool listens, dbal__topic *topic, dbal_error *error)
{
    dbal_pool *pool = self->pool;
    if (self != pool->hearing.ear)
        return; /* lost, or closed, meanwhile */
    if (listens) {
        dbal__topic_fail(topic, error);
        return;
    }
    /* nobody knows what it listens to now */
    close_ear(self);
}

static void
on_answer(dbal__job *job)
{
    ear *self = DBAL__OF(job, ear, job);
    dbal_pool *pool = self->pool;
    dbal__topic *topic = self->asked;
    bool current = self == pool->hearing.ear, listens = self->listens;
    dbal_error *error = job->error;
    if (self->state != CLOSING)
        dbal__clock_stop(&pool->loop->ready.clock, &self->timer);
    self->asked = NULL;
    dbal__sql_unref(job->request.sql);
    job->request.sql = NULL;
    if (!job->ok) {
        ask_failed(self, listens, topic, error);
    } else if (current) {
        pool->hearing.failures = 0;
        if (listens)
            dbal__topic_is_on(pool, topic);
    }
    dbal_error_unref(error);
    dbal__request_fini(&job->request);
    dbal__topic_unref(topic);
    dbal__ear_adjust(pool);
}

static void
ask(ear *self, dbal__topic *topic, bool listens)
{
    dbal_pool *pool = self->pool;
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__sql *sql = dbal__sql_table_get(pool->table, topic->sql + (listens ? 2 : 0), &fault);
    if (sql == NULL) {
        dbal_error *error =
            dbal__error_with_execution(dbal__fault_take(&fault), DBAL_EXECUTION_NOT_SENT);
        dbal__topic_ref(topic);
        ask_failed(self, listens, topic, error);
        dbal__topic_unref(topic);
        dbal_error_unref(error);
        return;
    }
    dbal__job *job = &self->job;
    dbal__job_init(job, on_answer);
    job->number = ++pool->last_job;
    job->request.sql = sql;
    job->request.block = "";
    job->request.statement_cache = pool->settings.statement_cache;
    job->request.max_result_bytes = (size_t)pool->settings.max_result_bytes;
    dbal__topic_ref(topic);
    self->asked = topic;
    self->listens = listens;
    topic->on = topic->on && listens; /* who comes now has to wait */
    set_limit(self);
    self->channel->ops->submit(self->channel, job);
}

/* The next channel that the database is to begin or to cease to tell of. */
static void
ask_next(ear *self)
{
    dbal__list *topics = &self->pool->hearing.topics;
    dbal__list *link = topics->next;
    while (link != topics && self->asked == NULL && self->state == OPEN) {
        dbal__topic *topic = DBAL__OF(link, dbal__topic, link);
        bool wanted = !dbal__list_empty(&topic->listeners);
        link = link->next;
        if (wanted != topic->on)
            ask(self, topic, wanted);
        else if (!wanted)
            dbal__topic_drop(topic);
    }
}

/* ---- its beginning ---- */

static bool
somebody_listens(const dbal__hearing *hearing)
{
    const dbal__list *topics = &hearing->topics;
    for (const dbal__list *link = topics->next; link != topics; link = link->next) {
        if (!dbal__list_empty(&DBAL__OF(link, const dbal__topic, link)->listeners))
            return true;
    }
    return false;
}

static void
fail_all(dbal_pool *pool, dbal_error *error)
{
    dbal__list *topics = &pool->hearing.topics;
    for (dbal__list *link = topics->next; link != topics; link = link->next)
        dbal__topic_fail(DBAL__OF(link, dbal__topic, link), error);
    dbal__ear_adjust(pool);
}

/* A connect failed. One that cannot pass is the end of all listening. Takes the error over. */
static void
open_failed(dbal_pool *pool, dbal_error *error)
{
    bool passing = dbal_error_retryable(error) || dbal_error_is(error, DBAL_ERROR_TIMEOUT);
    error = dbal__error_with_execution(error, DBAL_EXECUTION_NOT_SENT);
    pool->counts.connect_errors++;
    if (passing)
        back_off(pool);
    else
        fail_all(pool, error);
    dbal_error_unref(error);
}

static void
on_opened(dbal__channel *channel, dbal_error *error)
{
    ear *self = channel->owner;
    dbal_pool *pool = self->pool;
    if (self->state != OPENING) {
        /* nobody wants it any more; when it was given up, on_closed comes by itself */
        if (!channel->given_up && error == NULL)
            channel->ops->close(channel);
        else if (!channel->given_up)
            on_closed(channel);
        dbal_error_unref(error);
        return;
    }
    dbal__clock_stop(&pool->loop->ready.clock, &self->timer);
    if (error != NULL) {
        pool->hearing.ear = NULL;
        ear_free(self);
        open_failed(pool, error);
        return;
    }
    self->state = OPEN;
    pool->counts.opened++;
    dbal__ear_adjust(pool);
}

/* In the driver: only kept here. */
static void
on_notified(dbal__channel *channel, const char *name, const char *payload, int pid)
{
    ear *self = channel->owner;
    dbal_pool *pool = self->pool;
    if (self != pool->hearing.ear)
        return;
    /* it listens, though the answer is not here yet */
    if (self->asked != NULL && self->listens && strcmp(self->asked->name, name) == 0)
        dbal__topic_is_on(pool, self->asked);
    dbal__hearing_told(pool, name, payload, pid);
}

static bool
start(ear *self, dbal_error **ret_error)
{
    dbal_pool *pool = self->pool;
    dbal__channel *channel = self->channel = dbal__native_new(pool->loop, pool->driver);
    if (channel == NULL)
        return false;
    double limit = pool->settings.connect_timeout;
    channel->owner = self;
    channel->threadlevel = pool->threadlevel;
    channel->capabilities = pool->capabilities;
    channel->opening.config =
        self->target != NULL ? dbal__target_config(self->target) : pool->config;
    channel->opening.again = pool->probed;
    channel->opening.statement_cache = pool->settings.statement_cache;
    channel->opening.prepare_after = pool->settings.prepare_after;
    channel->opening.deadline = limit < 0 ? DBAL__NEVER : dbal__after(dbal__monotonic(), limit);
    channel->opened = on_opened;
    channel->closed = on_closed;
    channel->lost = on_lost;
    channel->notified = on_notified;
    return channel->ops->open(channel, ret_error);
}

/* The target is taken over, or NULL. */
static void
open_ear(dbal_pool *pool, dbal__target *target)
{
    dbal_error *error = NULL;
    if (pool->hanging >= pool->limit + HANGING_MOST) {
        dbal__target_unref(target);
        back_off(pool);
        return;
    }
    ear *self = dbal__zalloc(sizeof *self);
    if (self == NULL) {
        dbal__target_unref(target);
    } else {
        self->pool = pool;
        self->target = target;
        dbal__list_push(&pool->hearing.ears, &self->link);
        if (start(self, &error)) {
            pool->hearing.ear = self;
            set_limit(self);
            return;
        }
        ear_free(self);
    }
    open_failed(pool, error != NULL
                          ? error
                          : dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
}

static void
on_asked(void *owner, dbal__target *target, dbal_error *error)
{
    dbal_pool *pool = owner;
    pool->hearing.asking = NULL;
    if (error == NULL && somebody_listens(&pool->hearing)) {
        open_ear(pool, target);
        return;
    }
    dbal__target_unref(target);
    if (error != NULL && somebody_listens(&pool->hearing))
        open_failed(pool, error);
    else
        dbal_error_unref(error);
    dbal__pool_check_closed(pool);
}

static void
begin_open(dbal_pool *pool)
{
    if (pool->settings.before_connect == NULL) {
        open_ear(pool, NULL);
        return;
    }
    pool->hearing.asking = dbal__asking_begin(pool, on_asked, pool);
    if (pool->hearing.asking == NULL)
        open_failed(pool, dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
}

/* ---- for listen.c and the pool ---- */

void
dbal__ear_adjust(dbal_pool *pool)
{
    dbal__hearing *hearing = &pool->hearing;
    if (!somebody_listens(hearing)) {
        dbal__clock_stop(&pool->loop->ready.clock, &hearing->retry);
        if (hearing->ear != NULL)
            close_ear(hearing->ear);
        if (hearing->asking != NULL)
            dbal__asking_stop(hearing->asking);
        while (!dbal__list_empty(&hearing->topics))
            dbal__topic_drop(DBAL__OF(hearing->topics.next, dbal__topic, link));
    } else if (hearing->ear != NULL) {
        ask_next(hearing->ear);
        if (hearing->ear == NULL || !somebody_listens(hearing))
            dbal__ear_adjust(pool); /* for lack of memory it was closed, or the last has failed */
    } else if (!hearing->retry.active && hearing->asking == NULL) {
        begin_open(pool);
    }
}

bool
dbal__ear_is_gone(const dbal_pool *pool)
{
    const dbal__list *ears = &pool->hearing.ears;
    if (pool->hearing.asking != NULL)
        return false;
    for (const dbal__list *link = ears->next; link != ears; link = link->next) {
        if (!DBAL__OF(link, const ear, link)->channel->given_up)
            return false;
    }
    return true;
}

void
dbal__ear_give_up(dbal_pool *pool, bool busy_only)
{
    dbal__list *ears = &pool->hearing.ears;
    for (dbal__list *link = ears->next; link != ears; link = link->next) {
        ear *self = DBAL__OF(link, ear, link);
        if (!self->channel->given_up && (!busy_only || self->asked != NULL))
            abandon(self);
    }
}

void
dbal__ear_free(dbal_pool *pool)
{
    dbal__asking_forget(pool->hearing.asking);
    while (!dbal__list_empty(&pool->hearing.ears))
        ear_free(DBAL__OF(pool->hearing.ears.next, ear, link));
}
