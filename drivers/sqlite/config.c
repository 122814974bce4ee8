#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "parameter.h"

const char *const dbal__sqlite_settings[] = {
    /* clang-format off */
    "mode", "mutex", "journal_mode", "synchronous", "busy_timeout", "cache_size", "foreign_keys",
    "sharing", "wal_limit", "vfs",
    /* those of option.c */
    "page_size", "auto_vacuum", "mmap_size", "cell_size_check", "temp_store", "secure_delete",
    "recursive_triggers", "journal_size_limit", "trusted_schema", "enable_view", "enable_trigger",
    "defensive", "attach", "check", "types", "limit_length", "limit_sql_length", "limit_column",
    "limit_expr_depth", "limit_compound_select", "limit_vdbe_op", "limit_function_arg",
    "limit_attached", "limit_like_pattern_length", "limit_variable_number", "limit_trigger_depth",
    "limit_worker_threads", NULL,
    /* clang-format on */
};

enum { BUSY_SECONDS_MAX = 86400 };
static const int64_t BUSY_NANOSECONDS = INT64_C(5000000000);

static const char *const modes[] = {"rwc", "rw", "ro", NULL};
static const char *const mutexes[] = {"none", "full", NULL};
static const char *const switches[] = {"off", "on", NULL};
static const char *const journal_modes[] = {"wal",    "delete", "truncate", "persist",
                                            "memory", "off",    NULL};
static const char *const synchronous_levels[] = {"full", "normal", "extra", "off", NULL};

static bool
only_known(const dbal_url *url, dbal_fault *fault)
{
    for (size_t i = 0; i < dbal_url_parameter_count(url); i++) {
        const char *name = dbal_url_parameter_name(url, i);
        size_t known = 0;
        while (dbal__sqlite_settings[known] != NULL &&
               strcmp(dbal__sqlite_settings[known], name) != 0)
            known++;
        if (dbal__sqlite_settings[known] != NULL)
            continue;
        char list[1024];
        dbal__sqlite_parameter_join(list, sizeof list, dbal__sqlite_settings);
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                       "SQLite has no URL parameter \"%s\": it knows %s", name, list);
        return false;
    }
    return true;
}

static bool
read_numbers(const dbal_url *url, dbal__sqlite_config *config, dbal_fault *fault)
{
    static const dbal__sqlite_range cache_sizes = {
        16 << 10, INT64_C(64) << 30, true, false, 0, "from 16k to 64G, such as 64M"};
    static const dbal__sqlite_range wal_limits = {4 << 20, INT64_C(64) << 30, true,
                                                  true,    INT64_MAX,         "from 4M to 64G"};
    int64_t cache = 0;
    config->busy_timeout = BUSY_NANOSECONDS;
    config->wal_limit = 64 << 20;
    if (!dbal__sqlite_parameter_seconds(url, "busy_timeout", BUSY_SECONDS_MAX,
                                        &config->busy_timeout, fault) ||
        !dbal__sqlite_parameter_number(url, "cache_size", &cache_sizes, &cache, fault) ||
        !dbal__sqlite_parameter_number(url, "wal_limit", &wal_limits, &config->wal_limit, fault))
        return false;
    config->cache_kib = cache >> 10;
    return true;
}

/* the directory's real path, when it has one, so that a later chdir() or symlink changes nothing */
static bool
resolve(const char *path, char *to, size_t room)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    char directory[PATH_MAX], real[PATH_MAX];
    size_t size = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (size >= sizeof directory)
        return false;
    memcpy(directory, path, size);
    directory[size] = '\0';
    if (realpath(size == 0 ? "." : directory, real) != NULL) {
        int used = snprintf(to, room, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
        return used >= 0 && (size_t)used < room;
    }
    /* open() says what is wrong with the directory; here it only becomes absolute */
    if (path[0] != '/' && getcwd(real, sizeof real) == NULL)
        return false;
    int used =
        path[0] == '/' ? snprintf(to, room, "%s", path) : snprintf(to, room, "%s/%s", real, path);
    return used >= 0 && (size_t)used < room;
}

static bool
read_path(const dbal_url *url, char *to, size_t room, dbal_fault *fault)
{
    const char *path = dbal_url_path(url);
    const char *hosts = dbal_url_hosts(url);
    if ((hosts != NULL && hosts[0] != '\0') || dbal_url_user(url) != NULL) {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                       "a sqlite URL has no host: write sqlite:relative/path or "
                       "sqlite:///absolute/path");
        return false;
    }
    if (path[0] == '\0') {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                       "a sqlite URL needs a path: sqlite:bank.db, or sqlite::memory:");
        return false;
    }
    if (strcmp(path, ":memory:") == 0) {
        snprintf(to, room, "%s", path);
        return true;
    }
    if (resolve(path, to, room))
        return true;
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "the path \"%s\" cannot be made absolute: it is too long, or the current "
                   "directory is gone",
                   path);
    return false;
}

/* *value stays as it is when the parameter is not there */
static bool
read_switch(const dbal_url *url, const char *name, bool *value, dbal_fault *fault)
{
    if (dbal_url_parameter(url, name) == NULL)
        return true;
    int word = dbal__sqlite_parameter_word(url, name, switches, fault);
    if (word >= 0)
        *value = word == 1;
    return word >= 0;
}

static bool
read_choices(const dbal_url *url, dbal__sqlite_config *config, dbal_fault *fault)
{
    int mode, mutex, journal, synchronous;
    config->foreign_keys = config->sharing = true;
    if ((mode = dbal__sqlite_parameter_word(url, "mode", modes, fault)) < 0 ||
        (mutex = dbal__sqlite_parameter_word(url, "mutex", mutexes, fault)) < 0 ||
        (journal = dbal__sqlite_parameter_word(url, "journal_mode", journal_modes, fault)) < 0 ||
        (synchronous = dbal__sqlite_parameter_word(url, "synchronous", synchronous_levels, fault)) <
            0 ||
        !read_switch(url, "foreign_keys", &config->foreign_keys, fault) ||
        !read_switch(url, "sharing", &config->sharing, fault))
        return false;
    config->mode = (dbal__sqlite_mode)mode;
    config->full_mutex = mutex == 1;
    config->journal_mode = journal_modes[journal];
    config->journal_given = dbal_url_parameter(url, "journal_mode") != NULL;
    config->synchronous = synchronous_levels[synchronous];
    return true;
}

static bool
read_url(const dbal_url *url, dbal__sqlite_config *config, dbal_fault *fault)
{
    if (!only_known(url, fault) || !read_choices(url, config, fault) ||
        !read_numbers(url, config, fault) ||
        !dbal__sqlite_options_read(url, &config->options, fault))
        return false;
    if (!config->memory || config->mode == DBAL__SQLITE_RWC)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "a database in memory is new and empty: its mode can only be rwc");
    return false;
}

/* what the program, or an extension of its, has registered before */
static bool
is_known_vfs(const char *name, dbal_fault *fault)
{
    if (name == NULL || sqlite3_vfs_find(name) != NULL)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "the URL parameter vfs cannot be \"%s\": no such VFS is registered with SQLite",
                   name);
    return false;
}

static dbal__sqlite_config *
out_of_memory(dbal__sqlite_config *config, dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
    dbal__sqlite_configure_free(config);
    return NULL;
}

void *
dbal__sqlite_configure(const dbal_url *url, dbal_fault *fault)
{
    char path[PATH_MAX];
    const char *vfs = dbal_url_parameter(url, "vfs");
    if (!read_path(url, path, sizeof path, fault) || !is_known_vfs(vfs, fault))
        return NULL;
    size_t size = strlen(path) + 1, more = vfs != NULL ? strlen(vfs) + 1 : 0;
    dbal__sqlite_config *config = dbal_driver_alloc(sizeof *config + size + more);
    if (config == NULL)
        return out_of_memory(config, fault);
    memcpy(config->path, path, size);
    if (vfs != NULL)
        config->vfs = memcpy(config->path + size, vfs, more);
    config->was_there = &config->there;
    config->was_checked = &config->checked;
    config->memory = strcmp(path, ":memory:") == 0;
    if (!read_url(url, config, fault)) {
        dbal__sqlite_configure_free(config);
        return NULL;
    }
    config->log = dbal_driver_alloc(sizeof *config->log);
    if (config->log == NULL ||
        (!config->memory && (config->place = dbal__sqlite_place_get(path)) == NULL))
        return out_of_memory(config, fault);
    dbal__sqlite_log_init(config->log);
    return config;
}

void
dbal__sqlite_configure_free(void *pointer)
{
    dbal__sqlite_config *config = pointer;
    if (config != NULL) {
        dbal_driver_free(config->log);
        dbal__sqlite_place_release(config->place);
    }
    dbal_driver_free(config);
}
