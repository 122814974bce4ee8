#include "tests/lib/fake_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static fake_script *scripts;

static fake_script *
make(const char *name)
{
    pthread_condattr_t monotonic;
    fake_script *script = calloc(1, sizeof *script);
    if (script == NULL)
        abort();
    snprintf(script->name, sizeof script->name, "%s", name);
    pthread_mutex_init(&script->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&script->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    script->next = scripts;
    scripts = script;
    return script;
}

fake_script *
fake_script_get(const char *name)
{
    pthread_mutex_lock(&registry);
    fake_script *script = scripts;
    while (script != NULL && strcmp(script->name, name) != 0)
        script = script->next;
    if (script == NULL)
        script = make(name);
    pthread_mutex_unlock(&registry);
    return script;
}

/* with the lock */
static void
tell(fake_script *script)
{
    pthread_cond_broadcast(&script->changed);
    if (script->ev != NULL)
        ev_async_send(script->ev, &script->nudge);
}

void
fake_script_clear(fake_script *script)
{
    pthread_mutex_lock(&script->lock);
    memset(script->gates, 0, sizeof script->gates);
    script->value = 0;
    script->trace[0] = '\0';
    script->fail_open_from = script->fail_open_to = script->fail_run = 0;
    script->fail_open_for_good = script->fail_open_as_full = script->fail_reset =
        script->hang_open = script->hang_close = script->stop_ends_open = false;
    script->hang_share = script->stop_breaks = false;
    script->fail_share_begin = script->fail_share_end = 0;
    script->fail_commit = script->lose_commit = script->commits = 0;
    script->hang_reset = script->hang_interrupt = false;
    script->share_begins = script->share_ends = script->fail_ping = script->pings = 0;
    script->opens = script->closes = script->runs = script->waiting = script->interrupts =
        script->resets = script->live = script->most_live = 0;
    script->inside = script->most_inside = script->flying = script->most_flying = 0;
    pthread_mutex_unlock(&script->lock);
}

static void
on_nudge(struct ev_loop *ev, ev_async *nudge, int events)
{
    (void)ev, (void)nudge, (void)events;
}

void
fake_script_watch(fake_script *script, struct ev_loop *ev)
{
    pthread_mutex_lock(&script->lock);
    if (script->ev != NULL) {
        ev_ref(script->ev);
        ev_async_stop(script->ev, &script->nudge);
    }
    script->ev = ev;
    if (ev != NULL) {
        ev_async_init(&script->nudge, on_nudge);
        ev_async_start(ev, &script->nudge);
        ev_unref(ev);
    }
    pthread_mutex_unlock(&script->lock);
}

/* with the lock */
static fake_gate *
find_gate(fake_script *script, const char *name)
{
    for (int i = 0; i < FAKE_GATES; i++) {
        fake_gate *gate = &script->gates[i];
        if (gate->name[0] == '\0')
            snprintf(gate->name, sizeof gate->name, "%s", name);
        if (strcmp(gate->name, name) == 0)
            return gate;
    }
    abort();
}

void
fake_script_open_gate(fake_script *script, const char *gate)
{
    pthread_mutex_lock(&script->lock);
    find_gate(script, gate)->open = true;
    tell(script);
    pthread_mutex_unlock(&script->lock);
}

void
fake_script_close_gate(fake_script *script, const char *gate)
{
    pthread_mutex_lock(&script->lock);
    find_gate(script, gate)->open = false;
    pthread_mutex_unlock(&script->lock);
}

int
fake_script_count(fake_script *script, const int *count)
{
    pthread_mutex_lock(&script->lock);
    int now = *count;
    pthread_mutex_unlock(&script->lock);
    return now;
}

int64_t
fake_script_value(fake_script *script)
{
    pthread_mutex_lock(&script->lock);
    int64_t value = script->value;
    pthread_mutex_unlock(&script->lock);
    return value;
}

void
fake_script_forget(fake_script *script)
{
    pthread_mutex_lock(&script->lock);
    script->trace[0] = '\0';
    script->share_begins = script->share_ends = 0;
    pthread_mutex_unlock(&script->lock);
}

bool
fake_script_ran(fake_script *script, const char *statements)
{
    pthread_mutex_lock(&script->lock);
    bool same = strcmp(script->trace, statements) == 0;
    if (!same)
        fprintf(stderr, "ran: %s\nnot: %s\n", script->trace, statements);
    pthread_mutex_unlock(&script->lock);
    return same;
}

int
fake_script_add(fake_script *script, int *count, int by)
{
    pthread_mutex_lock(&script->lock);
    int now = *count += by;
    if (script->live > script->most_live)
        script->most_live = script->live;
    if (script->flying > script->most_flying)
        script->most_flying = script->flying;
    tell(script);
    pthread_mutex_unlock(&script->lock);
    return now;
}

void
fake_script_trace(fake_script *script, const char *sql)
{
    pthread_mutex_lock(&script->lock);
    size_t used = strlen(script->trace);
    snprintf(script->trace + used, sizeof script->trace - used, "%s|", sql);
    pthread_mutex_unlock(&script->lock);
}

void
fake_script_enter(fake_script *script)
{
    pthread_mutex_lock(&script->lock);
    if (++script->inside > script->most_inside)
        script->most_inside = script->inside;
    pthread_mutex_unlock(&script->lock);
}

void
fake_script_leave(fake_script *script)
{
    pthread_mutex_lock(&script->lock);
    script->inside--;
    pthread_mutex_unlock(&script->lock);
}

void
fake_script_rouse(fake_script *script)
{
    pthread_mutex_lock(&script->lock);
    tell(script);
    pthread_mutex_unlock(&script->lock);
}

/* with the lock; comes back at each change, or soon when it polls */
static void
doze(fake_script *script, bool polls)
{
    struct timespec until;
    if (!polls) {
        pthread_cond_wait(&script->changed, &script->lock);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&script->changed, &script->lock, &until);
}

bool
fake_script_wait(fake_script *script, const char *gate, bool (*stopped)(void *arg), void *arg,
                 bool polls)
{
    bool stop = false;
    pthread_mutex_lock(&script->lock);
    fake_gate *one = find_gate(script, gate);
    script->waiting++;
    tell(script);
    while (!one->open && !(stop = stopped != NULL && stopped(arg)))
        doze(script, polls);
    script->waiting--;
    tell(script);
    pthread_mutex_unlock(&script->lock);
    return !stop;
}
