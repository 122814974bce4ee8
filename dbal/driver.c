#include "dbal/driver.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "dbal/alloc.h"
#include "dbal/error.h"
#include "dbal/fork.h"

/* which drivers are built in is the build file's business alone */
extern const dbal_driver *const dbal__built_in_drivers[];

typedef struct library {
    struct library *next;
    unsigned generation; /* of the process: the thread is not there in the child of a fork */
    dbal__worker *worker;
    char name[];
} library;

/* Grows at the front and never shrinks, so that it is read without a lock. */
static _Atomic(dbal__driver_entry *) drivers;
static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static bool built_in_done;
static library *libraries;

/* A fork waits until nobody is in here, so that the child finds it unlocked. */
static void
lock_registry(void)
{
    pthread_mutex_lock(&registry);
}

static void
unlock_registry(void)
{
    pthread_mutex_unlock(&registry);
}

static void
watch_forks(void)
{
    pthread_atfork(lock_registry, unlock_registry, unlock_registry);
}

static dbal__driver_entry *
find(const char *scheme)
{
    dbal__driver_entry *entry = atomic_load(&drivers);
    for (; entry != NULL; entry = entry->next) {
        for (const char *const *known = entry->driver->schemes; *known != NULL; known++) {
            if (strcasecmp(*known, scheme) == 0)
                return entry;
        }
    }
    return NULL;
}

static dbal__driver_entry *
add(const dbal_driver *driver, const char *file)
{
    size_t size = file != NULL ? strlen(file) + 1 : 0;
    dbal__driver_entry *entry = dbal__zalloc(sizeof *entry + size);
    if (entry == NULL)
        return NULL;
    entry->driver = driver;
    if (file != NULL)
        entry->file = memcpy(entry + 1, file, size);
    pthread_mutex_init(&entry->lock, NULL);
    entry->next = atomic_load(&drivers);
    atomic_store(&drivers, entry);
    return entry;
}

/* with the registry's lock */
static void
add_built_in(void)
{
    if (built_in_done)
        return;
    built_in_done = true;
    for (const dbal_driver *const *driver = dbal__built_in_drivers; *driver != NULL; driver++) {
        if (find((*driver)->schemes[0]) == NULL && add(*driver, NULL) == NULL)
            built_in_done = false;
    }
}

/* once with the lock, before anything is found or added */
static void
lock_ready_registry(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&registry);
    add_built_in();
}

dbal__driver_entry *
dbal__driver_find(const char *scheme)
{
    dbal__driver_entry *entry = find(scheme);
    if (entry != NULL)
        return entry;
    lock_ready_registry();
    pthread_mutex_unlock(&registry);
    return find(scheme);
}

dbal__driver_entry *
dbal__driver_first(void)
{
    lock_ready_registry();
    pthread_mutex_unlock(&registry);
    return atomic_load(&drivers);
}

/* Gives ret_error what is wrong with a driver, which is named by its file when it has one. */
static void
refuse(dbal_error **ret_error, const char *name, const char *file, const char *wrong)
{
    dbal__error_give(ret_error,
                     dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                                      "driver %s%s: %s", file != NULL ? "file " : "",
                                      file != NULL ? file : name, wrong));
}

/* with the registry's lock: the scheme of it that another driver has, or NULL */
static const char *
taken_scheme(const dbal_driver *driver)
{
    for (const char *const *scheme = driver->schemes; *scheme != NULL; scheme++) {
        dbal__driver_entry *entry = find(*scheme);
        if (entry != NULL && entry->driver != driver)
            return *scheme;
    }
    return NULL;
}

dbal__driver_entry *
dbal__driver_add(const dbal_driver *driver, const char *file, dbal_error **ret_error)
{
    char room[160];
    const char *wrong = dbal__driver_complaint(driver, room, sizeof room);
    if (wrong != NULL) {
        /* whose table is of another make may have anything where its name should be */
        refuse(ret_error, wrong != room && driver->name != NULL ? driver->name : "?", file, wrong);
        return NULL;
    }
    lock_ready_registry();
    const char *taken = taken_scheme(driver);
    dbal__driver_entry *entry = taken == NULL ? find(driver->schemes[0]) : NULL;
    if (taken == NULL && entry == NULL)
        entry = add(driver, file);
    pthread_mutex_unlock(&registry);
    if (taken != NULL) {
        snprintf(room, sizeof room, "the URL scheme %.80s belongs to another driver", taken);
        refuse(ret_error, driver->name, file, room);
    } else if (entry == NULL)
        dbal__error_give(ret_error,
                         dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
    return entry;
}

bool
dbal_driver_register(const dbal_driver *driver, dbal_error **ret_error)
{
    return dbal__driver_add(driver, NULL, ret_error) != NULL;
}

bool
dbal__driver_use(dbal__driver_entry *entry, int threadlevel, dbal_fault *fault)
{
    const dbal_driver *driver = entry->driver;
    bool ok = true;
    pthread_mutex_lock(&entry->lock);
    if (!entry->initialized) {
        dbal__entry_library_begin(&entry->entry, threadlevel, driver->name, true);
        if (driver->blocking->library_init != NULL)
            ok = driver->blocking->library_init(fault);
        dbal__entry_library_end(&entry->entry, threadlevel, ok);
    }
    if (ok) {
        entry->initialized = true;
        entry->users++;
    }
    pthread_mutex_unlock(&entry->lock);
    return ok;
}

void
dbal__driver_unuse(dbal__driver_entry *entry, int threadlevel)
{
    const dbal_driver *driver = entry->driver;
    pthread_mutex_lock(&entry->lock);
    /* at level 0 the library stays set up: its one thread lives as long as the process */
    if (--entry->users == 0 && threadlevel > 0) {
        dbal__entry_library_begin(&entry->entry, threadlevel, driver->name, false);
        if (driver->blocking->library_exit != NULL)
            driver->blocking->library_exit();
        dbal__entry_library_end(&entry->entry, threadlevel, false);
        entry->initialized = false;
    }
    pthread_mutex_unlock(&entry->lock);
}

/* with the registry's lock */
static library *
library_make(const char *name)
{
    library *made = dbal__zalloc(sizeof *made + strlen(name) + 1);
    if (made == NULL)
        return NULL;
    strcpy(made->name, name);
    made->generation = dbal__fork_generation();
    made->worker = dbal__worker_start(NULL, false, "dbal-driver", NULL);
    if (made->worker == NULL) {
        dbal__free(made);
        return NULL;
    }
    made->next = libraries;
    libraries = made;
    return made;
}

dbal__worker *
dbal__driver_thread(const char *name, bool *ret_hung)
{
    pthread_mutex_lock(&registry);
    library *one = libraries;
    while (one != NULL &&
           (one->generation != dbal__fork_generation() || strcmp(one->name, name) != 0))
        one = one->next;
    if (one == NULL)
        one = library_make(name);
    *ret_hung = one != NULL && atomic_load(&one->worker->given_up);
    dbal__worker *worker = one != NULL && !*ret_hung ? one->worker : NULL;
    pthread_mutex_unlock(&registry);
    return worker;
}

dbal__worker *
dbal__driver_thread_again(dbal__worker *worker, bool *ret_hung)
{
    *ret_hung = worker == NULL || atomic_load(&worker->given_up);
    return *ret_hung ? NULL : worker;
}

void
dbal__driver_thread_give_up(dbal__worker *worker)
{
    if (worker != NULL)
        atomic_store(&worker->given_up, true);
}
