#include "dbal/module.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/alloc.h"
#include <dbal/module.h>

typedef void *entry_function(const void *data, size_t size, size_t *ret_size,
                             const char **ret_error);

typedef struct connection {
    entry_function *call;
    const char *file; /* the config's */
} connection;

char *
dbal__module_url(const char *path)
{
    static const char hex[] = "0123456789ABCDEF", plain[] = "/-_.~";
    char *url = dbal__alloc(sizeof DBAL__MODULE_SCHEME ":" + 3 * strlen(path));
    if (url == NULL)
        return NULL;
    char *to = stpcpy(url, DBAL__MODULE_SCHEME ":");
    for (const char *from = path; *from != '\0'; from++) {
        unsigned char byte = (unsigned char)*from;
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                      (byte >= '0' && byte <= '9');
        if (letter || strchr(plain, byte) != NULL) {
            *to++ = (char)byte;
            continue;
        }
        *to++ = '%';
        *to++ = hex[byte >> 4];
        *to++ = hex[byte & 15];
    }
    *to = '\0';
    return url;
}

static const char *
version(void)
{
    return "";
}

/* The path is all that there is to it. */
static void *
configure(const dbal_url *url, dbal_fault *fault)
{
    char *file = dbal__strdup(dbal_url_path(url));
    if (file == NULL)
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
    return file;
}

/* Nothing is known of it: in its process one thread enters it. */
static int
threadlevel(const void *config)
{
    (void)config;
    return 0;
}

static unsigned
capabilities(const void *config)
{
    (void)config;
    return 0;
}

static dbal_sql_class
classify(const void *config, const char *sql)
{
    (void)config, (void)sql;
    return (dbal_sql_class){.kinds = DBAL_SQL_READS};
}

static const char *
begin(const void *config, dbal_isolation isolation, bool read_only, bool deferrable,
      dbal_fault *fault)
{
    (void)config, (void)isolation, (void)read_only, (void)deferrable;
    dbal_fault_set(fault, DBAL_ERROR_NOT_SUPPORTED, "0A000", "a module has no transactions");
    return NULL;
}

/* The dynamic linker names the file too. */
static const char *
without_name(const char *wrong, const char *file)
{
    size_t length = strlen(file);
    bool named = strncmp(wrong, file, length) == 0 && strncmp(wrong + length, ": ", 2) == 0;
    return named ? wrong + length + 2 : wrong;
}

static bool
refuse(const connection *self, dbal_fault *fault, const char *wrong)
{
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL, "module %s: %s", self->file,
                   wrong != NULL ? without_name(wrong, self->file) : "it cannot be loaded");
    return false;
}

static bool
open_module(void *connection_memory, dbal_opening *opening, dbal_fault *fault)
{
    connection *self = connection_memory;
    self->file = opening->config;
    void *object = dlopen(self->file, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL)
        return refuse(self, fault, dlerror());
    *(void **)(void *)&self->call = dlsym(object, DBAL_MODULE_ENTRY);
    if (self->call == NULL)
        return refuse(self, fault, "it has no function " DBAL_MODULE_ENTRY);
    return true;
}

/* Its process ends: nothing has to be unloaded. */
static void
close_module(void *connection_memory)
{
    (void)connection_memory;
}

static bool
tell(dbal_request *request, const void *answer, size_t size)
{
    return dbal_request_column(request, "answer", DBAL_BLOB) &&
           dbal_request_bytes(request, DBAL_BLOB, answer, size) && dbal_request_row(request);
}

static bool
run(void *connection_memory, dbal_request *request, dbal_fault *fault)
{
    connection *self = connection_memory;
    dbal_value data = dbal_request_parameter(request, 0);
    const char *wrong = NULL;
    size_t size = 0;
    void *answer = self->call(data.as.bytes.data, data.as.bytes.size, &size, &wrong);
    if (answer == NULL)
        dbal_fault_set(fault, DBAL_ERROR_APPLICATION, NULL, "%s",
                       wrong != NULL ? wrong : "the module's function failed, and says not why");
    bool ok = answer != NULL && tell(request, answer, size);
    free(answer);
    return ok;
}

static bool
in_transaction(void *connection_memory)
{
    (void)connection_memory;
    return false;
}

static const char *const schemes[] = {DBAL__MODULE_SCHEME, NULL};
static const char *const settings[] = {NULL};
static const dbal_blocking blocking = {
    .size = sizeof blocking,
    .open = open_module,
    .close = close_module,
    .run = run,
    .in_transaction = in_transaction,
};
static const dbal_driver driver = {
    .size = sizeof driver,
    .abi = DBAL_DRIVER_ABI,
    .name = "module",
    .schemes = schemes,
    .settings = settings,
    .connection_size = sizeof(connection),
    .version = version,
    .configure = configure,
    .configure_free = dbal__free,
    .threadlevel = threadlevel,
    .capabilities = capabilities,
    .classify = classify,
    .begin = begin,
    .blocking = &blocking,
};

dbal__driver_entry dbal__module_entry = {.driver = &driver, .lock = PTHREAD_MUTEX_INITIALIZER};
