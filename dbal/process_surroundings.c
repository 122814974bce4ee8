/* What a worker starts with: its program, and as much of the environment as it needs. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dbal/alloc.h"
#include "dbal/process.h"

/* Where the build file has it installed. */
#ifndef DBAL_WORKER_PATH
#define DBAL_WORKER_PATH "/usr/libexec/dbal-worker"
#endif

/*
 * What a client library may want to know; nothing that changes which code a program loads, but for
 * the path to the libraries. A name that ends in an underscore stands for all that begin so.
 */
static const char *const passed_on[] = {"HOME",          "USER",
                                        "LOGNAME",       "PATH",
                                        "LANG",          "LANGUAGE",
                                        "LC_",           "TZ",
                                        "TZDIR",         "TMPDIR",
                                        "SQLITE_TMPDIR", "SSL_",
                                        "KRB5_",         "KRB5CCNAME",
                                        "ODBCINI",       "ODBCSYSINI",
                                        "DBAL_",         "LD_LIBRARY_PATH",
                                        "ASAN_OPTIONS",  "LSAN_OPTIONS",
                                        "TSAN_OPTIONS",  "UBSAN_OPTIONS"};

extern char **environ;

static bool
is_passed_on(const char *variable)
{
    size_t name = strcspn(variable, "=");
    /* libpq's have no underscore behind their beginning */
    if (strncmp(variable, "PG", 2) == 0)
        return true;
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++) {
        size_t size = strlen(passed_on[i]);
        bool all = passed_on[i][size - 1] == '_';
        if (strncmp(variable, passed_on[i], size) == 0 && (all || name == size))
            return true;
    }
    return false;
}

void
dbal__process_environment_free(char **environment)
{
    for (char **one = environment; one != NULL && *one != NULL; one++) {
        explicit_bzero(*one, strlen(*one));
        dbal__free(*one);
    }
    dbal__free(environment);
}

char **
dbal__process_environment(void)
{
    size_t count = 0;
    for (char **one = environ; one != NULL && *one != NULL; one++)
        count += is_passed_on(*one);
    char **environment = dbal__array(count + 1, sizeof *environment), **to = environment;
    for (char **one = environ; environment != NULL && one != NULL && *one != NULL; one++) {
        if (!is_passed_on(*one))
            continue;
        *to = dbal__strdup(*one);
        if (*to++ != NULL)
            continue;
        dbal__process_environment_free(environment);
        return NULL;
    }
    return environment;
}

char *
dbal__process_find_worker(dbal_fault *fault)
{
    /* not with raised privileges: it says which program runs */
    const char *given = secure_getenv("DBAL_WORKER");
    const char *path = given != NULL ? given : DBAL_WORKER_PATH;
    if (path[0] != '/' || access(path, X_OK) != 0) {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, "58P01",
                       "gate process: there is no worker program %s (%s)", path,
                       given != NULL
                           ? "DBAL_WORKER in the environment, an absolute path"
                           : "as installed; DBAL_WORKER in the environment names another");
        return NULL;
    }
    char *copy = dbal__strdup(path);
    if (copy == NULL)
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
    return copy;
}
