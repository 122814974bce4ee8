/* The driver that the pool sees instead of the one that its workers run. */
#include "dbal/process.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dbal/alloc.h"
#include "dbal/error.h"

typedef struct stand_in {
    struct stand_in *next;
    dbal__driver_entry entry;
    dbal_driver driver;
    dbal_blocking blocking;
    const dbal_driver *inner;
} stand_in;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static stand_in *stand_ins;

static const dbal__process_config *
of(const void *config)
{
    return config;
}

static void *
configure(const dbal_url *url, dbal_fault *fault)
{
    (void)url;
    dbal_fault_set(fault, DBAL_ERROR_INTERNAL, NULL, "a worker's config is made by its pool");
    return NULL;
}

static void
configure_free(void *config)
{
    dbal__process_config *self = config;
    if (self->config != NULL)
        self->driver->configure_free(self->config);
    dbal__process_environment_free(self->environment);
    dbal__free(self->worker);
    if (self->url != NULL)
        explicit_bzero(self->url, strlen(self->url));
    dbal__free(self->url);
    dbal__free(self->directory);
    dbal__free(self);
}

/* Of the connection here, which is ours; what the workers may do in threads is the inner driver's. */
static int
threadlevel(const void *config)
{
    (void)config;
    return 2;
}

static unsigned
capabilities(const void *config)
{
    const dbal__process_config *self = of(config);
    const unsigned threads_only = DBAL_CAN_SHARE_SNAPSHOT | DBAL_CAN_SHARE_COMMIT |
                                  DBAL_CAN_INTERRUPT | DBAL_CAN_PARALLEL_STATEMENTS |
                                  DBAL_CAN_DETACHED_RESULTS;
    return (self->driver->capabilities(self->config) & ~threads_only) | DBAL_CAN_PIPELINE;
}

static dbal_sql_class
classify(const void *config, const char *sql)
{
    return of(config)->driver->classify(of(config)->config, sql);
}

static const char *
begin(const void *config, dbal_isolation isolation, bool read_only, bool deferrable,
      dbal_fault *fault)
{
    return of(config)->driver->begin(of(config)->config, isolation, read_only, deferrable, fault);
}

/* A backup is told to the worker as any other request. */
static bool
no_backup(void *connection, dbal_request *request, dbal_fault *fault)
{
    (void)connection, (void)request;
    dbal_fault_set(fault, DBAL_ERROR_INTERNAL, NULL, "a backup came to the wrong face");
    return false;
}

static void
dress(stand_in *one, const dbal_driver *inner)
{
    one->inner = inner;
    one->blocking = (dbal_blocking){.size = sizeof one->blocking,
                                    .open = dbal__process_open,
                                    .close = dbal__process_close,
                                    .backup = inner->blocking->backup != NULL ? no_backup : NULL};
    one->driver = *inner;
    one->driver.size = sizeof one->driver;
    one->driver.connection_size = sizeof(dbal__process);
    one->driver.configure = configure;
    one->driver.configure_free = configure_free;
    one->driver.threadlevel = threadlevel;
    one->driver.capabilities = capabilities;
    one->driver.classify = classify;
    one->driver.begin = begin;
    one->driver.blocking = &one->blocking;
    one->driver.native = inner->blocking->reset != NULL ? &dbal__process_native
                                                        : &dbal__process_native_without_reset;
    one->entry.driver = &one->driver;
    pthread_mutex_init(&one->entry.lock, NULL);
}

dbal__driver_entry *
dbal__process_driver(dbal__driver_entry *inner)
{
    pthread_mutex_lock(&lock);
    stand_in *one = stand_ins;
    while (one != NULL && one->inner != inner->driver)
        one = one->next;
    if (one == NULL && (one = dbal__zalloc(sizeof *one)) != NULL) {
        dress(one, inner->driver);
        one->next = stand_ins;
        stand_ins = one;
    }
    pthread_mutex_unlock(&lock);
    return one != NULL ? &one->entry : NULL;
}

/* NULL without memory, or where there is none. */
static char *
working_directory(void)
{
    char path[PATH_MAX];
    return dbal__strdup(getcwd(path, sizeof path) != NULL ? path : "/");
}

static dbal_error *
no_memory(void)
{
    return dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
}

dbal__process_config *
dbal__process_configure(const dbal_driver *driver, void *config, const char *url,
                        bool pools_transactions, dbal_error **ret_error)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__process_config *self = dbal__zalloc(sizeof *self);
    if (self == NULL) {
        driver->configure_free(config);
        *ret_error = no_memory();
        return NULL;
    }
    *self = (dbal__process_config){.driver = driver,
                                   .config = config,
                                   .worker = dbal__process_find_worker(&fault),
                                   .url = dbal__strdup(url),
                                   .directory = working_directory(),
                                   .environment = dbal__process_environment(),
                                   .pools_transactions = pools_transactions};
    bool whole = self->worker != NULL && self->url != NULL && self->directory != NULL &&
                 self->environment != NULL;
    if (whole)
        return self;
    *ret_error = self->worker == NULL ? dbal__fault_take(&fault) : no_memory();
    *ret_error = dbal__error_with_execution(*ret_error, DBAL_EXECUTION_NOT_SENT);
    configure_free(self);
    return NULL;
}
