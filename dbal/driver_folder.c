#include "dbal/driver_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dbal/alloc.h"
#include "dbal/error.h"
#include "dbal/url_parse.h"

static const char variable[] = "DBAL_DRIVER_PATH", before[] = "dbal-", behind[] = ".so";

/* The install's, as the build file has it; NULL in the static library. */
extern const char *const dbal__driver_install_folder;

/* Whoever may write there decides what the program runs. */
static const char *
complaint(const char *folder, bool may_be_missing)
{
    struct stat about;
    if (folder[0] != '/')
        return "it is not absolute";
    if (stat(folder, &about) != 0)
        return may_be_missing && errno == ENOENT ? NULL : strerrordesc_np(errno);
    if (!S_ISDIR(about.st_mode))
        return "it is no folder";
    return (about.st_mode & S_IWOTH) != 0 ? "everybody may write to it" : NULL;
}

static bool
check(const char *folder, bool is_own, dbal_error **ret_error)
{
    const char *wrong = complaint(folder, is_own);
    if (wrong != NULL)
        dbal__error_give(ret_error,
                         dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                                          "%sdriver folder %s: %s",
                                          is_own ? "" : "DBAL_DRIVER_PATH: ", folder, wrong));
    return wrong == NULL;
}

/* An empty one is nobody's wish: it comes of putting something before or behind nothing. */
static bool
split(char *path, const char **folders, size_t *count, dbal_error **ret_error)
{
    for (char *folder; (folder = strsep(&path, ":")) != NULL;) {
        if (*folder == '\0')
            continue;
        if (!check(folder, false, ret_error))
            return false;
        folders[(*count)++] = folder;
    }
    return true;
}

const char **
dbal__driver_folders(dbal_error **ret_error)
{
    const char *own = dbal__driver_install_folder;
    /* who has more rights than their caller does not let the caller choose what to run */
    const char *path = own != NULL ? secure_getenv(variable) : NULL;
    size_t size = path != NULL ? strlen(path) + 1 : 0, most = 2, count = 0;
    for (size_t i = 0; i < size; i++)
        most += path[i] == ':' || path[i] == '\0';
    const char **folders = dbal__zalloc(most * sizeof *folders + size);
    if (folders == NULL) {
        dbal__error_give(ret_error,
                         dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT));
        return NULL;
    }
    if ((path != NULL && !split(memcpy(folders + most, path, size), folders, &count, ret_error)) ||
        (own != NULL && !check(own, true, ret_error))) {
        dbal__free(folders);
        return NULL;
    }
    folders[count] = own;
    return folders;
}

char *
dbal__driver_folder_file(const char *folder, const char *scheme)
{
    char *file =
        dbal__alloc(strlen(folder) + 1 + strlen(before) + strlen(scheme) + strlen(behind) + 1);
    if (file != NULL)
        stpcpy(stpcpy(stpcpy(stpcpy(stpcpy(file, folder), "/"), before), scheme), behind);
    return file;
}

/* The scheme in a file's name, which is cut short for it; NULL when it has none. */
static const char *
scheme_of(char *name)
{
    size_t length = strlen(name), most = strlen(before) + strlen(behind);
    if (length <= most || strncmp(name, before, strlen(before)) != 0 ||
        strcmp(name + length - strlen(behind), behind) != 0)
        return NULL;
    name[length - strlen(behind)] = '\0';
    name += strlen(before);
    return dbal__url_is_scheme(name) ? name : NULL;
}

bool
dbal__driver_folder_each(const char *folder, bool (*fn)(void *arg, const char *scheme), void *arg)
{
    bool more = true;
    DIR *stream = opendir(folder);
    if (stream == NULL)
        return true;
    for (struct dirent *entry; more && (entry = readdir(stream)) != NULL;) {
        const char *scheme = scheme_of(entry->d_name);
        more = scheme == NULL || fn(arg, scheme);
    }
    closedir(stream);
    return more;
}
