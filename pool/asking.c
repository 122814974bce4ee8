#include "pool/asking.h"

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/outcome.h"
#include "dbal/process.h"
#include "dbal/url.h"
#include "pool/pool.h"

/* ---- targets ---- */

struct dbal__target {
    unsigned refs;
    const dbal_driver
        *driver; /* whose config it is; NULL: the pool's own, which is not freed here */
    void *config;
    char *url; /* with its password */
};

dbal__target *
dbal__target_ref(dbal__target *target)
{
    target->refs++;
    return target;
}

void
dbal__target_unref(dbal__target *target)
{
    if (target == NULL || --target->refs > 0)
        return;
    if (target->driver != NULL)
        target->driver->configure_free(target->config);
    if (target->url != NULL)
        explicit_bzero(target->url, strlen(target->url));
    dbal__free(target->url);
    dbal__free(target);
}

const void *
dbal__target_config(const dbal__target *target)
{
    return target->config;
}

dbal__target *
dbal__target_first(const dbal_pool *pool, const char *url)
{
    dbal__target *target = dbal__zalloc(sizeof *target);
    if (target == NULL)
        return NULL;
    *target = (dbal__target){.refs = 1, .config = pool->config, .url = dbal__strdup(url)};
    if (target->url != NULL)
        return target;
    dbal__target_unref(target);
    return NULL;
}

static dbal_error *
no_memory(void)
{
    return dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
}

/* The driver itself, and its config for the pool's URL: on the gate process both are further in. */
static const dbal_driver *
driver_of(const dbal_pool *pool, const void **ret_config)
{
    const dbal__process_config *moved = pool->config;
    bool outside = pool->gate == DBAL_GATE_PROCESS;
    *ret_config = outside ? moved->config : pool->config;
    return outside ? moved->driver : pool->driver->driver;
}

static bool
has_scheme(const dbal_driver *driver, const char *scheme)
{
    const char *const *one = driver->schemes;
    while (*one != NULL && strcmp(*one, scheme) != 0)
        one++;
    return *one != NULL;
}

/* A config of the driver's, which must promise what that of the pool does; NULL with the error set. */
static void *
configure(const dbal_pool *pool, dbal_url *url, dbal_error **ret_error)
{
    const void *own;
    dbal_fault fault = DBAL__FAULT_INIT;
    const dbal_driver *driver = driver_of(pool, &own);
    if (!has_scheme(driver, dbal_url_scheme(url))) {
        *ret_error = dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                                      "its URL is not one of driver %s", driver->name);
        return NULL;
    }
    dbal__url_set_pools_transactions(url, pool->settings.pooler == DBAL_POOLER_TRANSACTION);
    void *config = driver->configure(url, &fault);
    if (config == NULL) {
        *ret_error = dbal__fault_take(&fault);
        return NULL;
    }
    bool same =
        driver->capabilities(config) == driver->capabilities(own) &&
        (driver->threadlevel == NULL || driver->threadlevel(config) == driver->threadlevel(own));
    if (same)
        return config;
    driver->configure_free(config);
    *ret_error = dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                                  "its URL changes what driver %s can do: that takes another pool",
                                  driver->name);
    return NULL;
}

/* On the gate process, what the workers are given. Takes the config over; NULL with the error set. */
static void *
move_out(const dbal_pool *pool, void *config, const char *url, dbal_error **ret_error)
{
    const dbal__process_config *own = pool->config;
    if (config == NULL || pool->gate != DBAL_GATE_PROCESS)
        return config;
    dbal__process_config *moved =
        dbal__process_configure(own->driver, config, url, own->pools_transactions, ret_error);
    if (moved == NULL)
        return NULL;
    moved->max_statements = own->max_statements;
    moved->max_memory = own->max_memory;
    return moved;
}

static dbal__target *
make_target(const dbal_pool *pool, const char *text, dbal_error **ret_error)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal_url *url = dbal__url_new(text, &fault);
    if (url == NULL) {
        *ret_error = dbal__fault_take(&fault);
        return NULL;
    }
    dbal__target *target = dbal__zalloc(sizeof *target);
    char *copy = dbal__strdup(text);
    if (target != NULL && copy != NULL) {
        *target = (dbal__target){.refs = 1, .driver = pool->driver->driver, .url = copy};
        target->config = move_out(pool, configure(pool, url, ret_error), text, ret_error);
    } else {
        *ret_error = no_memory();
    }
    dbal__url_free(url);
    if (target != NULL && target->config != NULL)
        return target;
    if (copy != NULL)
        explicit_bzero(copy, strlen(copy));
    dbal__free(copy);
    dbal__free(target);
    return NULL;
}

/* ---- asking ---- */

struct dbal__asking {
    unsigned refs; /* whoever asks, the task while it is queued, and the Deferred that is awaited */
    dbal_pool *pool; /* NULL: nobody wants to know any more */
    void (*done)(void *owner, dbal__target *target, dbal_error *error);
    void *owner;
    dbal_deferred *awaited; /* a reference, or NULL */
    dbal_error *error;      /* it was stopped, and this is what is told */
    dbal__task task;        /* asks, or tells that it was stopped */
    dbal__timer timer;
};

static void
asking_unref(dbal__asking *self)
{
    if (--self->refs > 0)
        return;
    dbal_error_unref(self->error);
    dbal__free(self);
}

/* Nothing that comes for it is looked at any more. */
static void
leave(dbal__asking *self)
{
    dbal_deferred *awaited = self->awaited;
    dbal__clock_stop(&self->pool->loop->ready.clock, &self->timer);
    self->pool = NULL;
    self->awaited = NULL;
    dbal_deferred_cancel(awaited);
    dbal_deferred_unref(awaited);
}

/* Both are taken over. */
static void
tell(dbal__asking *self, dbal__target *target, dbal_error *error)
{
    leave(self);
    self->done(self->owner, target, error);
    asking_unref(self); /* of whoever asked */
}

static dbal_error *
not_a_url(void)
{
    return dbal__error_make(
        DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
        "a text, by dbal_ok(), or dbal_done() is wanted, and no result or list");
}

/* The outcome is borrowed. */
static dbal__target *
target_of(dbal_pool *pool, dbal_outcome outcome, dbal_error **ret_error)
{
    if (dbal_outcome_error(outcome) != NULL) {
        *ret_error = dbal_error_ref(dbal_outcome_error(outcome));
        return NULL;
    }
    if (dbal_outcome_result(outcome) != NULL || dbal_outcome_count(outcome) > 0) {
        *ret_error = not_a_url();
        return NULL;
    }
    const char *url = outcome.pointer;
    if (url != NULL && strcmp(url, pool->target->url) != 0) {
        dbal__target *target = make_target(pool, url, ret_error);
        if (target == NULL)
            return NULL;
        dbal__target_unref(pool->target);
        pool->target = target;
    }
    return dbal__target_ref(pool->target);
}

/* The outcome is taken over. */
static void
answered(dbal__asking *self, dbal_outcome outcome)
{
    dbal_error *error = NULL;
    dbal__target *target = target_of(self->pool, outcome, &error);
    dbal__outcome_fini(outcome);
    if (target == NULL) {
        dbal_error *cause = error;
        error = dbal_error_wrap(cause, "before_connect: %s", dbal_error_message(cause));
        dbal_error_unref(cause);
    }
    tell(self, target, error);
}

static void
on_answer(dbal_outcome outcome, void *arg)
{
    dbal__asking *self = arg;
    if (self->pool != NULL)
        answered(self, outcome);
    else
        dbal__outcome_fini(outcome);
    asking_unref(self);
}

static void
ask(dbal__asking *self)
{
    dbal_pool *pool = self->pool;
    dbal__ready *ready = &pool->loop->ready;
    dbal_deferred *awaited = dbal__deferred_new(pool->loop, NULL, NULL);
    if (awaited == NULL) {
        tell(self, NULL, no_memory());
        return;
    }
    self->refs++;
    dbal_deferred_ref(awaited);
    self->awaited = dbal_deferred_ref(awaited);
    dbal__deferred_add_taker(awaited, on_answer, self);
    dbal__target *target = dbal__target_ref(pool->target); /* its URL is lent */
    dbal__ready_app_enter(ready);
    dbal_outcome outcome =
        pool->settings.before_connect(target->url, pool->settings.before_connect_arg);
    dbal__ready_app_leave(ready);
    dbal__target_unref(target);
    dbal_deferred_fire(awaited, outcome);
    /* it may have been stopped by what it asked, when there was nothing yet to cancel */
    if (self->pool == NULL)
        dbal_deferred_cancel(awaited);
    dbal_deferred_unref(awaited);
}

static void
on_task(dbal__task *task)
{
    dbal__asking *self = DBAL__OF(task, dbal__asking, task);
    dbal_error *error = self->error;
    self->error = NULL;
    if (error != NULL) {
        self->done(self->owner, NULL, error);
        asking_unref(self); /* of whoever asked */
    } else if (self->pool != NULL) {
        ask(self);
    }
    asking_unref(self);
}

static void
on_timeout(dbal__timer *timer)
{
    dbal__asking *self = DBAL__OF(timer, dbal__asking, timer);
    tell(self, NULL,
         dbal__error_make(DBAL_ERROR_TIMEOUT, "08001", DBAL_EXECUTION_NOT_SENT,
                          "before_connect did not answer within connect_timeout (%g s)",
                          self->pool->settings.connect_timeout));
}

dbal__asking *
dbal__asking_begin(dbal_pool *pool,
                   void (*done)(void *owner, dbal__target *target, dbal_error *error), void *owner)
{
    double limit = pool->settings.connect_timeout;
    dbal__asking *self = dbal__zalloc(sizeof *self);
    if (self == NULL)
        return NULL;
    *self = (dbal__asking){.refs = 2, .pool = pool, .done = done, .owner = owner};
    dbal__task_init(&self->task, on_task);
    dbal__ready_push(&pool->loop->ready, &self->task);
    if (limit >= 0)
        dbal__clock_start(&pool->loop->ready.clock, &self->timer,
                          dbal__after(dbal__loop_now(pool->loop), limit), on_timeout);
    return self;
}

void
dbal__asking_stop(dbal__asking *self)
{
    dbal_pool *pool = self->pool;
    if (pool == NULL)
        return; /* it was, before */
    leave(self);
    self->error = dbal__error_constant(DBAL_ERROR_CLOSED, DBAL_EXECUTION_NOT_SENT);
    if (dbal__task_is_queued(&self->task))
        return;
    self->refs++;
    dbal__ready_push(&pool->loop->ready, &self->task);
}

void
dbal__asking_forget(dbal__asking *self)
{
    if (self == NULL)
        return;
    if (self->pool != NULL)
        leave(self);
    if (dbal__task_is_queued(&self->task)) {
        dbal__list_remove(&self->task.link);
        asking_unref(self);
    }
    asking_unref(self);
}
