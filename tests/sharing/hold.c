#include "tests/sharing/hold.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "tests/sharing/sharing.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool open;
static int arrived;
static atomic_int naps;

static void
hold(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    pthread_mutex_lock(&lock);
    arrived++;
    while (!open)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    sqlite3_result_int64(context, sqlite3_value_int64(values[0]));
}

static int
add_function(sqlite3 *db, const char **message, const void *routines)
{
    (void)message, (void)routines;
    return sqlite3_create_function_v2(db, "hold", 1, SQLITE_UTF8, NULL, hold, NULL, NULL, NULL);
}

void
hold_init(void)
{
    sqlite3_auto_extension((void (*)(void))add_function);
    hold_release();
}

void
hold_close(void)
{
    pthread_mutex_lock(&lock);
    open = false;
    arrived = 0;
    pthread_mutex_unlock(&lock);
    atomic_store(&naps, 0);
}

void
hold_release(void)
{
    pthread_mutex_lock(&lock);
    open = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

int
hold_arrived(void)
{
    pthread_mutex_lock(&lock);
    int count = arrived;
    pthread_mutex_unlock(&lock);
    return count;
}

static bool
has_arrived(void *arg)
{
    (void)arg;
    return hold_arrived() > 0;
}

void
hold_await(void)
{
    loop_fixture_until(&fixture, has_arrived, NULL);
}

/* The driver naps between two looks at a lock: what counts how often it has looked. */
int
nanosleep(const struct timespec *wanted, struct timespec *left)
{
    atomic_fetch_add(&naps, 1);
    int code = clock_nanosleep(CLOCK_REALTIME, 0, wanted, left);
    if (code == 0)
        return 0;
    errno = code;
    return -1;
}

static bool
has_napped(void *arg)
{
    return atomic_load(&naps) >= *(int *)arg;
}

void
hold_await_naps(int count)
{
    loop_fixture_until(&fixture, has_napped, &count);
}
