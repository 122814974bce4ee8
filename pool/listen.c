/*
 * Who listens on a pool, and what they are told: in the order in which it came, from the loop. The
 * connection behind it is in ear.c.
 */
#include <dbal/notification.h>

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/outcome.h"
#include "dbal/sql_utf8.h"
#include "pool/ear.h"
#include "pool/pool.h"

/* Databases cut longer names short, and then tell of another channel. */
enum { NAME_MOST = 63 };

typedef struct listener {
    unsigned refs;   /* its place in the list's, and the telling's */
    dbal__list link; /* by itself once it has left */
    dbal_pool *pool;
    dbal__topic *topic; /* a reference */
    dbal_notification_fn *fn;
    void *arg;
    dbal_deferred *deferred;
    bool listening; /* it was told so, and of no loss since */
    bool heard;     /* it was told so once */
} listener;

/* ---- topics ---- */

void
dbal__topic_ref(dbal__topic *topic)
{
    topic->refs++;
}

void
dbal__topic_unref(dbal__topic *topic)
{
    if (--topic->refs > 0)
        return;
    dbal__free(topic->sql);
    dbal__free(topic);
}

void
dbal__topic_drop(dbal__topic *topic)
{
    dbal__list_remove(&topic->link);
    dbal__topic_unref(topic);
}

static dbal__topic *
find(const dbal_pool *pool, const char *name)
{
    const dbal__list *topics = &pool->hearing.topics;
    for (dbal__list *link = topics->next; link != topics; link = link->next) {
        dbal__topic *topic = DBAL__OF(link, dbal__topic, link);
        if (strcmp(topic->name, name) == 0)
            return topic;
    }
    return NULL;
}

static char *
make_sql(const dbal_pool *pool, const char *name)
{
    char *quoted = dbal__sql_quote_identifier(pool->driver->driver->dialect, name, strlen(name));
    char *sql = quoted != NULL ? dbal__alloc(strlen(quoted) + sizeof "unlisten ") : NULL;
    if (sql != NULL)
        stpcpy(stpcpy(sql, "unlisten "), quoted);
    dbal__free(quoted);
    return sql;
}

static void
news_init(dbal__news *news, dbal__topic *topic, dbal__news_kind kind)
{
    dbal__list_init(&news->link);
    news->topic = topic;
    news->kind = kind;
    news->payload = NULL;
    news->pid = 0;
}

static dbal__topic *
topic_new(dbal_pool *pool, const char *name)
{
    dbal__topic *topic = dbal__zalloc(sizeof *topic + strlen(name) + 1);
    if (topic == NULL)
        return NULL;
    topic->sql = make_sql(pool, name);
    if (topic->sql == NULL) {
        dbal__free(topic);
        return NULL;
    }
    topic->refs = 1;
    strcpy(topic->name, name);
    dbal__list_init(&topic->listeners);
    news_init(&topic->listening, topic, DBAL__NEWS_LISTENING);
    news_init(&topic->lost, topic, DBAL__NEWS_LOST);
    news_init(&topic->missed, topic, DBAL__NEWS_MISSED);
    dbal__list_init(&topic->link);
    dbal__list_push(&pool->hearing.topics, &topic->link);
    return topic;
}

/* ---- telling ---- */

static void
tell_soon(dbal_pool *pool)
{
    if (!dbal__task_is_queued(&pool->hearing.task))
        dbal__ready_push(&pool->loop->ready, &pool->hearing.task);
}

static void
add_news(dbal_pool *pool, dbal__news *news)
{
    if (dbal__list_empty(&news->link))
        dbal__topic_ref(news->topic);
    else
        dbal__list_remove(&news->link); /* what is to be told last counts */
    dbal__list_push(&pool->hearing.news, &news->link);
    tell_soon(pool);
}

static void
unref(listener *self)
{
    if (--self->refs > 0)
        return;
    dbal__topic_unref(self->topic);
    dbal__free(self);
}

/* Unless it has left: what it is told may make it leave. */
static void
tell(listener *self, dbal_notification notification)
{
    dbal__ready *ready = &self->pool->loop->ready;
    if (dbal__list_empty(&self->link))
        return;
    notification.channel = self->topic->name;
    dbal__ready_app_enter(ready);
    self->fn(&notification, self->arg);
    dbal__ready_app_leave(ready);
}

static void
tell_listening(listener *self)
{
    dbal_notification listening = {.kind = DBAL_NOTIFICATION_LISTENING};
    dbal_notification gap = {.kind = DBAL_NOTIFICATION_GAP, .gap = self->topic->gap};
    if (self->listening)
        return;
    if (self->heard)
        tell(self, gap);
    self->heard = self->listening = true;
    tell(self, listening);
}

static void
tell_one(listener *self, const dbal__news *news)
{
    dbal_notification message = {
        .kind = DBAL_NOTIFICATION_MESSAGE, .payload = news->payload, .pid = news->pid};
    dbal_notification missed = {.kind = DBAL_NOTIFICATION_GAP};
    switch (news->kind) {
    case DBAL__NEWS_LISTENING:
        tell_listening(self);
        break;
    case DBAL__NEWS_LOST:
        self->listening = false;
        break;
    case DBAL__NEWS_MESSAGE:
        if (self->listening)
            tell(self, message);
        break;
    case DBAL__NEWS_MISSED:
        if (self->listening)
            tell(self, missed);
        break;
    }
}

/* Those that come meanwhile, and those that leave, are seen as they are then. */
static void
tell_all(dbal__hearing *hearing, const dbal__news *news)
{
    dbal__list *all = &news->topic->listeners;
    hearing->next = all->next;
    while (hearing->next != all) {
        listener *self = DBAL__OF(hearing->next, listener, link);
        hearing->next = hearing->next->next;
        self->refs++;
        tell_one(self, news);
        unref(self);
    }
    hearing->next = NULL;
}

static void
on_task(dbal__task *task)
{
    dbal_pool *pool = DBAL__OF(task, dbal_pool, hearing.task);
    dbal__hearing *hearing = &pool->hearing;
    if (hearing->next != NULL)
        return; /* inside what is being told: that goes on with the rest */
    dbal__list *link;
    while ((link = dbal__list_pop(&hearing->news)) != NULL) {
        dbal__news *news = DBAL__OF(link, dbal__news, link);
        dbal__topic *topic = news->topic;
        tell_all(hearing, news);
        if (news->kind == DBAL__NEWS_MESSAGE)
            dbal__free(news);
        dbal__topic_unref(topic);
    }
}

void
dbal__topic_is_on(dbal_pool *pool, dbal__topic *topic)
{
    if (topic->on)
        return;
    topic->on = true;
    topic->gap = (double)(dbal__loop_now(pool->loop) - topic->lost_at) / 1e9;
    add_news(pool, &topic->listening);
}

void
dbal__topic_is_off(dbal_pool *pool, dbal__topic *topic)
{
    if (!topic->on)
        return;
    topic->on = false;
    topic->lost_at = dbal__loop_now(pool->loop);
    add_news(pool, &topic->lost);
}

void
dbal__hearing_told(dbal_pool *pool, const char *name, const char *payload, int pid)
{
    dbal__topic *topic = find(pool, name);
    if (topic == NULL || !topic->on || dbal__list_empty(&topic->listeners))
        return;
    size_t size = strlen(payload) + 1;
    dbal__news *news = dbal__alloc(sizeof *news + size);
    if (news == NULL) {
        add_news(pool, &topic->missed);
        return;
    }
    news_init(news, topic, DBAL__NEWS_MESSAGE);
    news->pid = pid;
    news->payload = memcpy(news + 1, payload, size);
    add_news(pool, news);
}

/* ---- listeners ---- */

/* It is told nothing more. */
static void
leave(listener *self, dbal_outcome outcome)
{
    dbal__hearing *hearing = &self->pool->hearing;
    dbal_deferred *deferred = self->deferred;
    if (hearing->next == &self->link)
        hearing->next = self->link.next;
    dbal__list_remove(&self->link);
    self->deferred = NULL;
    unref(self);
    dbal_deferred_fire(deferred, outcome);
}

static void
leave_all(dbal__topic *topic, dbal_error *error)
{
    while (!dbal__list_empty(&topic->listeners)) {
        listener *self = DBAL__OF(topic->listeners.next, listener, link);
        leave(self, error != NULL ? dbal_fail(dbal_error_ref(error)) : dbal_done());
    }
}

void
dbal__topic_fail(dbal__topic *topic, dbal_error *error)
{
    leave_all(topic, error);
}

static void
cancel(dbal_deferred *deferred, void *arg)
{
    listener *self = arg;
    dbal_pool *pool = self->pool;
    (void)deferred;
    leave(self, dbal_done());
    dbal__ear_adjust(pool);
}

/* NULL, or why nobody can listen so. */
static dbal_error *
refusal(const dbal_pool *pool, const char *channel, dbal_notification_fn *fn)
{
    const dbal_driver *driver = pool->driver->driver;
    size_t size = channel != NULL ? strlen(channel) : 0;
    if ((pool->capabilities & DBAL_CAN_NOTIFY) == 0 || driver->native == NULL)
        return dbal__error_make(DBAL_ERROR_NOT_SUPPORTED, "0A000", DBAL_EXECUTION_NOT_SENT,
                                "driver %s cannot listen here", driver->name);
    if (pool->gate != DBAL_GATE_LOOP)
        return dbal__error_make(DBAL_ERROR_NOT_SUPPORTED, "0A000", DBAL_EXECUTION_NOT_SENT,
                                "driver %s can listen on gate loop, not on gate %s", driver->name,
                                dbal__gate_kind_name(pool->gate));
    if (fn == NULL)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "there is no function to be told");
    if (size == 0 || size > NAME_MOST || !dbal__utf8_valid(channel, size))
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "the name of a channel has 1 to %d bytes, in UTF-8", NAME_MOST);
    if (pool->closing || pool->loop->ready.closed)
        return dbal__error_make(DBAL_ERROR_CLOSED, NULL, DBAL_EXECUTION_NOT_SENT,
                                "the pool is closed");
    return NULL;
}

static listener *
make(dbal_pool *pool, const char *channel, dbal_notification_fn *fn, void *arg)
{
    listener *self = dbal__zalloc(sizeof *self);
    dbal__topic *topic = self != NULL ? find(pool, channel) : NULL;
    if (self != NULL && topic == NULL)
        topic = topic_new(pool, channel);
    if (topic == NULL) {
        dbal__free(self);
        return NULL;
    }
    dbal__topic_ref(topic);
    *self = (listener){.refs = 1, .pool = pool, .topic = topic, .fn = fn, .arg = arg};
    dbal__list_init(&self->link);
    return self;
}

dbal_deferred *
dbal_pool_listen(dbal_pool *pool, const char *channel, dbal_notification_fn *fn, void *arg)
{
    if (!dbal__loop_check(pool->loop, "dbal_pool_listen"))
        return NULL;
    dbal_error *error = refusal(pool, channel, fn);
    listener *self = error == NULL ? make(pool, channel, fn, arg) : NULL;
    if (self == NULL)
        return dbal__deferred_failed(
            pool->loop, error != NULL
                            ? error
                            : dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
    dbal_deferred *deferred = self->deferred = dbal__deferred_new(pool->loop, cancel, self);
    if (deferred == NULL) {
        unref(self);
        dbal__ear_adjust(pool); /* nobody may listen to its topic */
        return NULL;
    }
    dbal__list_push(&self->topic->listeners, &self->link);
    if (self->topic->on)
        add_news(pool, &self->topic->listening);
    dbal__ear_adjust(pool);
    return deferred;
}

/* ---- for the pool ---- */

void
dbal__hearing_init(dbal_pool *pool)
{
    dbal__list_init(&pool->hearing.topics);
    dbal__list_init(&pool->hearing.ears);
    dbal__list_init(&pool->hearing.news);
    dbal__task_init(&pool->hearing.task, on_task);
}

void
dbal__hearing_end(dbal_pool *pool)
{
    dbal__list *topics = &pool->hearing.topics;
    for (dbal__list *link = topics->next; link != topics; link = link->next)
        leave_all(DBAL__OF(link, dbal__topic, link), NULL);
    dbal__ear_adjust(pool);
}

void
dbal__hearing_fini(dbal_pool *pool)
{
    dbal__hearing *hearing = &pool->hearing;
    dbal__list *link;
    dbal__list_remove(&hearing->task.link);
    while ((link = dbal__list_pop(&hearing->news)) != NULL) {
        dbal__news *news = DBAL__OF(link, dbal__news, link);
        dbal__topic *topic = news->topic;
        if (news->kind == DBAL__NEWS_MESSAGE)
            dbal__free(news);
        dbal__topic_unref(topic);
    }
    while (!dbal__list_empty(&hearing->topics))
        dbal__topic_drop(DBAL__OF(hearing->topics.next, dbal__topic, link));
}
