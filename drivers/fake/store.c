#include "store.h"

#include <string.h>
#include <time.h>

#include <dbal/driver.h>

/* seconds after which a sleeper looks by itself, when nobody can rouse it */
static const double LOOK = 0.02;

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static fake_store *stores;

static fake_store *
make(const char *name)
{
    pthread_condattr_t monotonic;
    fake_store *made = dbal_driver_alloc(sizeof *made + strlen(name) + 1);
    if (made == NULL)
        return NULL;
    strcpy(made->name, name);
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&made->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    made->next = stores;
    stores = made;
    return made;
}

fake_store *
fake_store_get(const char *name)
{
    pthread_mutex_lock(&registry);
    fake_store *store = stores;
    while (store != NULL && strcmp(store->name, name) != 0)
        store = store->next;
    if (store == NULL)
        store = make(name);
    pthread_mutex_unlock(&registry);
    return store;
}

void
fake_store_add(fake_store *store, int64_t number)
{
    pthread_mutex_lock(&store->lock);
    store->number += number;
    pthread_mutex_unlock(&store->lock);
}

int64_t
fake_store_number(fake_store *store)
{
    pthread_mutex_lock(&store->lock);
    int64_t number = store->number;
    pthread_mutex_unlock(&store->lock);
    return number;
}

unsigned
fake_store_attempt(fake_store *store)
{
    pthread_mutex_lock(&store->lock);
    unsigned before = store->attempts++;
    pthread_mutex_unlock(&store->lock);
    return before;
}

/* ---- sleeping ---- */

static int64_t
now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* with the lock: until this time, or until somebody rouses all */
static void
doze(fake_store *store, int64_t until)
{
    struct timespec time = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
    pthread_cond_timedwait(&store->changed, &store->lock, &time);
}

static int64_t
earlier(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

bool
fake_store_sleep(fake_store *store, double seconds, int64_t until, bool (*stopped)(const void *arg),
                 const void *arg)
{
    int64_t end = seconds < 0 ? INT64_MAX : now() + (int64_t)(seconds * 1e9), at;
    bool stop = false;
    pthread_mutex_lock(&store->lock);
    while (!(stop = stopped != NULL && stopped(arg)) && (at = now()) < earlier(end, until))
        doze(store, earlier(earlier(end, until), at + (int64_t)(LOOK * 1e9)));
    pthread_mutex_unlock(&store->lock);
    return !stop && end <= until;
}

void
fake_store_rouse(fake_store *store)
{
    pthread_mutex_lock(&store->lock);
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
}
