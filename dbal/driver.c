#include "dbal/driver.h"

#include <stdatomic.h>
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

static const char *
complaint(const dbal_driver *driver)
{
    const dbal_blocking *blocking = driver->blocking;
    if (driver->abi != DBAL_DRIVER_ABI || driver->size < sizeof *driver)
        return "it was built for another version of dbal/driver.h";
    if (driver->name == NULL || driver->schemes == NULL || driver->schemes[0] == NULL)
        return "it has no name or no URL scheme";
    if (driver->configure == NULL || driver->configure_free == NULL || driver->classify == NULL ||
        driver->begin == NULL || driver->capabilities == NULL || driver->version == NULL)
        return "a function is missing";
    if (blocking == NULL || blocking->size < sizeof *blocking || blocking->open == NULL ||
        blocking->close == NULL)
        return "it cannot open and close";
    if ((blocking->share_begin == NULL) != (blocking->share_end == NULL))
        return "it can begin to share a transaction, or end it, but not both";
    if ((blocking->upkeep_wanted == NULL) != (blocking->upkeep == NULL))
        return "it can want upkeep, or do it, but not both";
    if (driver->native == NULL && (blocking->run == NULL || blocking->in_transaction == NULL))
        return "it has neither a whole blocking face nor a native one";
    if (driver->native != NULL && driver->native->size < sizeof *driver->native)
        return "its native face was built for another version of dbal/driver.h";
    return NULL;
}

bool
dbal__driver_can_share(const dbal_driver *driver, unsigned capabilities)
{
    const dbal_blocking *blocking = driver->blocking;
    bool any = (capabilities & (DBAL_CAN_SHARE_SNAPSHOT | DBAL_CAN_SHARE_COMMIT)) != 0;
    bool commits = (capabilities & DBAL_CAN_SHARE_COMMIT) != 0;
    return (!any || blocking->share_begin != NULL) && (!commits || blocking->share_holds != NULL);
}

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

static bool
add(const dbal_driver *driver)
{
    dbal__driver_entry *entry = dbal__zalloc(sizeof *entry);
    if (entry == NULL)
        return false;
    entry->driver = driver;
    pthread_mutex_init(&entry->lock, NULL);
    entry->next = atomic_load(&drivers);
    atomic_store(&drivers, entry);
    return true;
}

/* with the registry's lock */
static void
add_built_in(void)
{
    if (built_in_done)
        return;
    built_in_done = true;
    for (const dbal_driver *const *driver = dbal__built_in_drivers; *driver != NULL; driver++) {
        if (!add(*driver))
            built_in_done = false;
    }
}

dbal__driver_entry *
dbal__driver_find(const char *scheme)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    dbal__driver_entry *entry = find(scheme);
    if (entry != NULL)
        return entry;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&registry);
    add_built_in();
    pthread_mutex_unlock(&registry);
    return find(scheme);
}

bool
dbal_driver_register(const dbal_driver *driver, dbal_error **ret_error)
{
    const char *wrong = complaint(driver);
    if (wrong != NULL) {
        dbal__error_give(ret_error,
                         dbal_error_new(DBAL_ERROR_INTERFACE, "driver %s: %s",
                                        driver->name != NULL ? driver->name : "?", wrong));
        return false;
    }
    pthread_mutex_lock(&registry);
    add_built_in();
    const char *taken = NULL;
    for (const char *const *scheme = driver->schemes; *scheme != NULL && taken == NULL; scheme++) {
        dbal__driver_entry *entry = find(*scheme);
        if (entry != NULL && entry->driver != driver)
            taken = *scheme;
    }
    bool known = find(driver->schemes[0]) != NULL;
    bool added = taken == NULL && (known || add(driver));
    pthread_mutex_unlock(&registry);
    if (taken != NULL)
        dbal__error_give(ret_error,
                         dbal_error_new(DBAL_ERROR_INTERFACE,
                                        "driver %s: the URL scheme %s belongs to another driver",
                                        driver->name, taken));
    else if (!added)
        dbal__error_give(ret_error,
                         dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
    return added;
}

char *
dbal__driver_schemes(void)
{
    size_t size = 1;
    for (dbal__driver_entry *entry = atomic_load(&drivers); entry != NULL; entry = entry->next) {
        for (const char *const *scheme = entry->driver->schemes; *scheme != NULL; scheme++)
            size += strlen(*scheme) + 2;
    }
    char *text = dbal__alloc(size), *at = text;
    if (text == NULL)
        return NULL;
    *at = '\0';
    for (dbal__driver_entry *entry = atomic_load(&drivers); entry != NULL; entry = entry->next) {
        for (const char *const *scheme = entry->driver->schemes; *scheme != NULL; scheme++) {
            if (at != text)
                at = stpcpy(at, ", ");
            at = stpcpy(at, *scheme);
        }
    }
    return text;
}

bool
dbal__driver_use(dbal__driver_entry *entry, int threadlevel, dbal_fault *fault)
{
    const dbal_driver *driver = entry->driver;
    bool ok = true;
    pthread_mutex_lock(&entry->lock);
    if (!entry->initialized && driver->blocking->library_init != NULL) {
        dbal__entry whole_connection = {0};
        dbal__entry_begin(&entry->entry, &whole_connection, threadlevel, driver->name,
                          "library_init");
        ok = driver->blocking->library_init(fault);
        dbal__entry_end(&entry->entry, &whole_connection, threadlevel);
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
        if (driver->blocking->library_exit != NULL)
            driver->blocking->library_exit();
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
