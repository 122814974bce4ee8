/* The list of drivers that a program may see. */
#include <dbal/drivers.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dbal/alloc.h"
#include "dbal/driver.h"
#include "dbal/driver_folder.h"
#include "dbal/error.h"
#include "dbal/gate.h"
#include "dbal/sql_char.h"
#include "dbal/url_parse.h"

/* one of the list, and what it owns */
typedef struct item {
    dbal_driver_info info; /* the first: the list points here */
    dbal_error *error;     /* has info.problem */
    char *file, *name;     /* of a file that is of no use */
} item;

/* while it is made; NULL at its end */
typedef struct list {
    item **items;
    size_t count, room;
    const char *folder; /* that is being looked through */
} list;

static void
give_no_memory(dbal_error **ret_error)
{
    dbal__error_give(ret_error,
                     dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
}

/* ---- loading one ---- */

bool
dbal_driver_load(const char *scheme, dbal_error **ret_error)
{
    char *lower = dbal__strdup(scheme);
    if (lower == NULL) {
        give_no_memory(ret_error);
        return false;
    }
    for (char *c = lower; *c != '\0'; c++)
        *c = dbal__sql_lower(*c);
    bool loaded = false;
    if (dbal__url_is_scheme(lower))
        loaded = dbal__driver_load(lower, ret_error) != NULL;
    else
        dbal__error_give(ret_error,
                         dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                                          "\"%.80s\" is no URL scheme", scheme));
    dbal__free(lower);
    return loaded;
}

/* ---- what is said of one ---- */

static void
free_item(item *one)
{
    dbal_error_unref(one->error);
    dbal__free(one->file);
    dbal__free(one->name);
    dbal__free(one);
}

static void
describe_gates(dbal_driver_info *info, const dbal_driver *driver)
{
    const char *why = NULL;
    bool native = driver->native != NULL;
    for (int kind = DBAL_GATE_AUTO; kind <= DBAL_GATE_PROCESS; kind++) {
        dbal_gate_kind gate =
            dbal__gate_choose(info->threadlevel, native, (dbal_gate_kind)kind, &why);
        if (gate == DBAL_GATE_AUTO || (gate != DBAL_GATE_LOOP && driver->blocking->run == NULL))
            continue;
        info->gates |= 1u << gate;
        if (kind == DBAL_GATE_AUTO)
            info->gate = gate;
    }
}

static void
describe(dbal_driver_info *info, const dbal__driver_entry *entry)
{
    const dbal_driver *driver = entry->driver;
    info->name = driver->name;
    info->version = driver->version();
    info->schemes = driver->schemes;
    info->file = entry->file;
    info->threadlevel = driver->threadlevel != NULL ? driver->threadlevel(NULL) : 0;
    info->capabilities = driver->capabilities(NULL);
    if (info->threadlevel < 0 || info->threadlevel > 3)
        info->problem = "it declares a threadlevel beyond 0 to 3";
    else
        describe_gates(info, driver);
}

/* ---- the list ---- */

static item *
add_item(list *to)
{
    if (to->count + 1 >= to->room) {
        size_t room = to->room != 0 ? 2 * to->room : 8;
        item **items = dbal__realloc(to->items, room * sizeof *items);
        if (items == NULL)
            return NULL;
        items[to->count] = NULL;
        to->items = items;
        to->room = room;
    }
    item *one = dbal__zalloc(sizeof *one);
    if (one == NULL)
        return NULL;
    one->info.size = sizeof one->info;
    to->items[to->count++] = one;
    to->items[to->count] = NULL;
    return one;
}

static bool
add_here(list *to)
{
    for (dbal__driver_entry *entry = dbal__driver_first(); entry != NULL; entry = entry->next) {
        item *one = add_item(to);
        if (one == NULL)
            return false;
        describe(&one->info, entry);
    }
    return true;
}

/* A file that is of no use, unless the reason is that there was no memory. */
static bool
add_broken(list *to, const char *scheme, const char *file, dbal_error *error)
{
    static const char *const no_schemes[] = {NULL};
    item *one = dbal_error_is(error, DBAL_ERROR_NO_MEMORY) ? NULL : add_item(to);
    if (one == NULL)
        return false;
    one->info.schemes = no_schemes;
    one->info.name = one->name = dbal__strdup(scheme);
    one->info.file = one->file = dbal__strdup(file);
    one->info.problem = dbal_error_message(error);
    one->error = dbal_error_ref(error);
    return one->name != NULL && one->file != NULL;
}

static bool
is_broken_already(const list *in, const char *scheme)
{
    for (size_t i = 0; i < in->count; i++) {
        if (strcasecmp(in->items[i]->info.name, scheme) == 0)
            return true;
    }
    return false;
}

/* A name in a later folder is not what a pool would find; one that is here already neither. */
static bool
load_one(void *arg, const char *scheme)
{
    list *to = arg;
    if (dbal__driver_find(scheme) != NULL || is_broken_already(to, scheme))
        return true;
    dbal_error *error = NULL;
    char *file = dbal__driver_folder_file(to->folder, scheme);
    bool ok = file != NULL;
    if (ok && dbal__driver_load_file(file, scheme, &error) == NULL)
        ok = add_broken(to, scheme, file, error);
    dbal_error_unref(error);
    dbal__free(file);
    return ok;
}

static int
by_name(const void *left, const void *right)
{
    const item *const *a = left, *const *b = right;
    return strcmp((*a)->info.name, (*b)->info.name);
}

const dbal_driver_info *const *
dbal_drivers(dbal_drivers_which which, dbal_error **ret_error)
{
    list made = {0};
    bool ok = true;
    const char **folders = which == DBAL_DRIVERS_ALL ? dbal__driver_folders(ret_error) : NULL;
    if (which == DBAL_DRIVERS_ALL && folders == NULL)
        return NULL;
    for (const char **folder = folders; ok && folder != NULL && *folder != NULL; folder++) {
        made.folder = *folder;
        ok = dbal__driver_folder_each(*folder, load_one, &made);
    }
    dbal__free(folders);
    ok = ok && add_here(&made);
    if (ok && made.items == NULL)
        made.items = dbal__zalloc(sizeof *made.items);
    const dbal_driver_info *const *drivers = (const dbal_driver_info *const *)(void *)made.items;
    if (ok && drivers != NULL) {
        qsort(made.items, made.count, sizeof *made.items, by_name);
        return drivers;
    }
    dbal_drivers_free(drivers);
    give_no_memory(ret_error);
    return NULL;
}

void
dbal_drivers_free(const dbal_driver_info *const *drivers)
{
    item *const *items = (item *const *)(const void *)drivers;
    for (item *const *one = items; one != NULL && *one != NULL; one++)
        free_item(*one);
    dbal__free((void *)(uintptr_t)items);
}
