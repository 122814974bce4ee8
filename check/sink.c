#include "check/sink.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check/secret.h"
#include "check/trial.h"

/* a request that the driver has */
typedef struct live {
    struct live *next;
    dbal_request *request;
    size_t columns, cells, rows;
    bool stopped;
} live;

enum { BUCKETS = 256 };

static live *buckets[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_long blocks;
static bool watching;

void
sink_watch(void)
{
    watching = true;
}

/* ---- which there are ---- */

static live **
find(const dbal_request *request)
{
    live **at = &buckets[((uintptr_t)request >> 5) % BUCKETS];
    while (*at != NULL && (*at)->request != request)
        at = &(*at)->next;
    return at;
}

void
sink_begin(dbal_request *request)
{
    pthread_mutex_lock(&lock);
    live **at = find(request), *one = *at;
    if (one == NULL)
        one = *at = calloc(1, sizeof *one);
    if (one == NULL)
        abort();
    *one = (live){.next = one->next, .request = request};
    pthread_mutex_unlock(&lock);
}

void
sink_end(dbal_request *request, bool ok)
{
    pthread_mutex_lock(&lock);
    live **at = find(request), *one = *at;
    if (one != NULL) {
        if (ok && one->cells != 0 && !one->stopped)
            trial_breach("a request ended with a row that was not ended");
        *at = one->next;
        free(one);
    }
    pthread_mutex_unlock(&lock);
}

bool
sink_stopped(dbal_request *request)
{
    pthread_mutex_lock(&lock);
    live *one = *find(request);
    bool stopped = one != NULL && one->stopped;
    pthread_mutex_unlock(&lock);
    return stopped;
}

/* NULL, and told, when the driver may not speak of it any more. With the lock, if any. */
static live *
get(dbal_request *request, const char *call)
{
    static live anything;
    pthread_mutex_lock(&lock);
    live *one = *find(request);
    anything = (live){.columns = SIZE_MAX / 2};
    if (!watching)
        one = &anything;
    if (one == NULL)
        trial_breach("%s of a request that had ended", call);
    else if (one->stopped && strcmp(call, "dbal_request_row()") == 0)
        trial_breach("rows were added after a call had said to stop");
    if (one == NULL)
        pthread_mutex_unlock(&lock);
    return one;
}

/* What the library said of it. */
static bool
put(dbal_request *request, bool go_on)
{
    if (go_on)
        return true;
    pthread_mutex_lock(&lock);
    live *one = *find(request);
    if (one != NULL)
        one->stopped = true;
    pthread_mutex_unlock(&lock);
    return false;
}

/* ---- two that meet ---- */

bool sink_meets;
static pthread_cond_t met = PTHREAD_COND_INITIALIZER;
static unsigned waiting, meetings;

/* with the lock */
static void
meet(void)
{
    struct timespec end;
    unsigned mine = meetings;
    if (!sink_meets)
        return;
    if (waiting > 0) {
        waiting = 0;
        meetings++;
        pthread_cond_broadcast(&met);
        return;
    }
    waiting++;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += 5000000;
    if (end.tv_nsec >= 1000000000)
        end = (struct timespec){end.tv_sec + 1, end.tv_nsec - 1000000000};
    while (mine == meetings && pthread_cond_timedwait(&met, &lock, &end) == 0) {
    }
    if (mine == meetings)
        waiting = 0;
}

/* ---- the calls ---- */

#define REAL(function)                                                                             \
    static _Atomic(__typeof__(function) *) found;                                                  \
    __typeof__(function) *real = atomic_load(&found);                                              \
    if (real == NULL)                                                                              \
    atomic_store(&found, real = (__typeof__(function) *)dlsym(RTLD_NEXT, #function))

static void
add_columns(live *one, size_t count)
{
    if (one->rows > 0 || one->cells > 0)
        trial_breach("a column was added after the first row had begun");
    if (one->columns == 0)
        meet();
    one->columns += count;
}

DBAL_DRIVER_VISIBLE bool
dbal_request_column(dbal_request *request, const char *name, dbal_type type)
{
    REAL(dbal_request_column);
    live *one = get(request, "dbal_request_column()");
    if (one == NULL)
        return false;
    add_columns(one, 1);
    pthread_mutex_unlock(&lock);
    return put(request, real(request, name, type));
}

DBAL_DRIVER_VISIBLE dbal_columns *
dbal_columns_new(size_t count, const char *const *names, const dbal_type *types)
{
    REAL(dbal_columns_new);
    if (count == 0)
        trial_breach("dbal_columns_new() of no column");
    return real(count, names, types);
}

DBAL_DRIVER_VISIBLE bool
dbal_request_columns(dbal_request *request, dbal_columns *columns)
{
    REAL(dbal_request_columns);
    live *one = get(request, "dbal_request_columns()");
    if (one == NULL)
        return false;
    add_columns(one, SIZE_MAX / 2); /* nobody knows */
    pthread_mutex_unlock(&lock);
    return put(request, real(request, columns));
}

static bool
cell(dbal_request *request, const char *call)
{
    live *one = get(request, call);
    if (one == NULL)
        return false;
    if (++one->cells > one->columns)
        trial_breach("a row has more cells than there are columns");
    pthread_mutex_unlock(&lock);
    return true;
}

DBAL_DRIVER_VISIBLE bool
dbal_request_null(dbal_request *request)
{
    REAL(dbal_request_null);
    return cell(request, "dbal_request_null()") && put(request, real(request));
}

DBAL_DRIVER_VISIBLE bool
dbal_request_integer(dbal_request *request, dbal_type type, int64_t value)
{
    REAL(dbal_request_integer);
    return cell(request, "dbal_request_integer()") && put(request, real(request, type, value));
}

DBAL_DRIVER_VISIBLE bool
dbal_request_real(dbal_request *request, double value)
{
    REAL(dbal_request_real);
    return cell(request, "dbal_request_real()") && put(request, real(request, value));
}

DBAL_DRIVER_VISIBLE bool
dbal_request_bytes(dbal_request *request, dbal_type type, const void *data, size_t size)
{
    REAL(dbal_request_bytes);
    return cell(request, "dbal_request_bytes()") && put(request, real(request, type, data, size));
}

DBAL_DRIVER_VISIBLE bool
dbal_request_row(dbal_request *request)
{
    REAL(dbal_request_row);
    live *one = get(request, "dbal_request_row()");
    if (one == NULL)
        return false;
    if (one->columns < SIZE_MAX / 2 && one->cells != one->columns)
        trial_breach("a row was ended with %zu cells, of %zu columns", one->cells, one->columns);
    one->cells = 0;
    one->rows++;
    pthread_mutex_unlock(&lock);
    return put(request, real(request));
}

DBAL_DRIVER_VISIBLE bool
dbal_request_restart(dbal_request *request)
{
    REAL(dbal_request_restart);
    live *one = get(request, "dbal_request_restart()");
    if (one == NULL)
        return false;
    one->columns = one->cells = one->rows = 0;
    pthread_mutex_unlock(&lock);
    return real(request);
}

DBAL_DRIVER_VISIBLE bool
dbal_request_copy_data(dbal_request *request, const void *data, size_t size)
{
    REAL(dbal_request_copy_data);
    if (get(request, "dbal_request_copy_data()") == NULL)
        return false;
    pthread_mutex_unlock(&lock);
    return put(request, real(request, data, size));
}

DBAL_DRIVER_VISIBLE void
dbal_request_affected(dbal_request *request, int64_t rows)
{
    REAL(dbal_request_affected);
    if (get(request, "dbal_request_affected()") == NULL)
        return;
    pthread_mutex_unlock(&lock);
    real(request, rows);
}

DBAL_DRIVER_VISIBLE void
dbal_request_last_insert_id(dbal_request *request, int64_t id)
{
    REAL(dbal_request_last_insert_id);
    if (get(request, "dbal_request_last_insert_id()") == NULL)
        return;
    pthread_mutex_unlock(&lock);
    real(request, id);
}

DBAL_DRIVER_VISIBLE void
dbal_request_finish(dbal_request *request, bool ok)
{
    REAL(dbal_request_finish);
    if (get(request, "dbal_request_finish()") == NULL)
        return;
    pthread_mutex_unlock(&lock);
    bool may = ok || sink_stopped(request) || dbal_request_stopped(request) ||
               dbal_fault_is_set(dbal_request_fault(request));
    if (!may && watching)
        trial_breach("dbal_request_finish() said that it failed, and no reason");
    sink_end(request, ok);
    real(request, ok);
}

/* ---- faults ---- */

static bool
is_sqlstate(const char *state)
{
    size_t size = strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return size == 5 && state[5] == '\0';
}

DBAL_DRIVER_VISIBLE void
dbal_fault_set(dbal_fault *fault, dbal_error_class error_class, const char *sqlstate,
               const char *format, ...)
{
    char text[2048];
    va_list list;
    REAL(dbal_fault_set);
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (sqlstate != NULL && !is_sqlstate(sqlstate))
        trial_breach("\"%s\" is no SQLSTATE: five digits or capital letters", sqlstate);
    if (text[0] == '\0')
        trial_breach("dbal_fault_set() with an empty message");
    if (secret_hide(text))
        trial_breach("the message of an error has the password");
    real(fault, error_class, sqlstate, "%s", text);
}

/* ---- memory ---- */

long
sink_blocks(void)
{
    return atomic_load(&blocks);
}

DBAL_DRIVER_VISIBLE void *
dbal_driver_alloc(size_t size)
{
    REAL(dbal_driver_alloc);
    void *made = real(size);
    if (made != NULL)
        atomic_fetch_add(&blocks, 1);
    return made;
}

DBAL_DRIVER_VISIBLE void *
dbal_driver_realloc(void *pointer, size_t size)
{
    REAL(dbal_driver_realloc);
    void *made = real(pointer, size);
    if (made != NULL && pointer == NULL)
        atomic_fetch_add(&blocks, 1);
    return made;
}

DBAL_DRIVER_VISIBLE void
dbal_driver_free(void *pointer)
{
    REAL(dbal_driver_free);
    if (pointer != NULL)
        atomic_fetch_sub(&blocks, 1);
    real(pointer);
}
