/* Drivers that are found by their URL scheme, in shared objects. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "dbal/alloc.h"
#include "dbal/driver.h"
#include "dbal/driver_file.h"
#include "dbal/driver_folder.h"
#include "dbal/error.h"
#include "dbal/url_parse.h"

static void
give_no_memory(dbal_error **ret_error)
{
    dbal__error_give(ret_error,
                     dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
}

/* ---- what to say when there is none ---- */

/* "fake, sqlite": grows; NULL when it is empty */
typedef struct names {
    char *text;
    size_t size; /* with its NUL */
} names;

static bool
has_name(const names *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list->text; at != NULL; at = strstr(at, ", ")) {
        at += at == list->text ? 0 : 2;
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

static bool
add_name(void *arg, const char *name)
{
    names *list = arg;
    if (has_name(list, name))
        return true;
    size_t length = strlen(name) + (list->text != NULL ? 2 : 1);
    char *text = dbal__realloc(list->text, list->size + length);
    if (text == NULL)
        return false;
    char *at = text;
    if (list->text != NULL)
        at = stpcpy(text + list->size - 1, ", ");
    strcpy(at, name);
    list->size = (size_t)(at - text) + strlen(name) + 1;
    list->text = text;
    return true;
}

/* The schemes of the drivers that are here, and of those that could be loaded; not one is opened. */
static bool
add_all_names(names *list, const char *const *folders)
{
    for (dbal__driver_entry *entry = dbal__driver_first(); entry != NULL; entry = entry->next) {
        for (const char *const *scheme = entry->driver->schemes; *scheme != NULL; scheme++) {
            if (!add_name(list, *scheme))
                return false;
        }
    }
    for (; *folders != NULL; folders++) {
        if (!dbal__driver_folder_each(*folders, add_name, list))
            return false;
    }
    return true;
}

/* "/a, /b" */
static bool
add_folders(names *list, const char *const *folders)
{
    for (; *folders != NULL; folders++) {
        if (!add_name(list, *folders))
            return false;
    }
    return true;
}

static void
refuse_unknown(const char *scheme, const char *const *folders, dbal_error **ret_error)
{
    names schemes = {0}, places = {0};
    if (!add_all_names(&schemes, folders) || !add_folders(&places, folders))
        give_no_memory(ret_error);
    else
        dbal__error_give(
            ret_error,
            dbal__error_make(
                DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                "no driver for URLs that begin with %s:; there are drivers for: %s%s%s%s%s", scheme,
                schemes.text != NULL ? schemes.text : "nothing",
                places.text != NULL ? "; looked for dbal-" : "", places.text != NULL ? scheme : "",
                places.text != NULL ? ".so in " : "; this program has all of its drivers built in",
                places.text != NULL ? places.text : ""));
    dbal__free(schemes.text);
    dbal__free(places.text);
}

/* ---- finding and loading ---- */

/* The first file of the name, owned; NULL when there is none, with the error set when that is unknown. */
static char *
find_file(const char *scheme, const char *const *folders, dbal_error **ret_error)
{
    struct stat about;
    for (; *folders != NULL; folders++) {
        char *file = dbal__driver_folder_file(*folders, scheme);
        if (file == NULL) {
            give_no_memory(ret_error);
            return NULL;
        }
        /* what is there and cannot be used is an error, and no reason to go on to another */
        if (stat(file, &about) == 0 ||
            (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG))
            return file;
        dbal__free(file);
    }
    return NULL;
}

static bool
has_scheme(const dbal_driver *driver, const char *scheme)
{
    const char *const *known = driver->schemes;
    while (*known != NULL && strcasecmp(*known, scheme) != 0)
        known++;
    return *known != NULL;
}

dbal__driver_entry *
dbal__driver_load_file(const char *file, const char *scheme, dbal_error **ret_error)
{
    const dbal_driver *driver = dbal__driver_file_open(file, ret_error);
    if (driver == NULL)
        return NULL;
    if (scheme == NULL || has_scheme(driver, scheme))
        return dbal__driver_add(driver, file, ret_error);
    dbal__error_give(ret_error,
                     dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                                      "driver file %s: its driver %s is for URLs that begin with "
                                      "%s:, not %s:",
                                      file, driver->name, driver->schemes[0], scheme));
    return NULL;
}

/*
 * No lock is held while a file is loaded: that runs code of others. When two threads load the same
 * one both get the same driver, and it is added once.
 */
dbal__driver_entry *
dbal__driver_load(const char *scheme, dbal_error **ret_error)
{
    dbal__driver_entry *entry = dbal__driver_find(scheme);
    if (entry != NULL)
        return entry;
    dbal_error *error = NULL;
    const char **folders = dbal__driver_folders(ret_error);
    if (folders == NULL)
        return NULL;
    char *file = find_file(scheme, folders, &error);
    if (file != NULL)
        entry = dbal__driver_load_file(file, scheme, &error);
    else if (error == NULL)
        refuse_unknown(scheme, folders, &error);
    dbal__free(file);
    dbal__free(folders);
    if (error != NULL)
        dbal__error_give(ret_error, error);
    return entry;
}
