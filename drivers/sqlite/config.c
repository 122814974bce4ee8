#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const dbal__sqlite_settings[] = {
    "mode",       "mutex",        "journal_mode", "synchronous", "busy_timeout",
    "cache_size", "foreign_keys", "sharing",      "wal_limit",   NULL,
};

enum { BUSY_SECONDS_MAX = 86400 };
static const int64_t cache_min = 16 << 10, cache_max = INT64_C(64) << 30;
static const int64_t wal_min = 4 << 20, wal_default = 64 << 20;
static const int64_t second = 1000000000;

static const char *const modes[] = {"rwc", "rw", "ro", NULL};
static const char *const mutexes[] = {"none", "full", NULL};
static const char *const switches[] = {"off", "on", NULL};
static const char *const journal_modes[] = {"wal",    "delete", "truncate", "persist",
                                            "memory", "off",    NULL};
static const char *const synchronous_levels[] = {"full", "normal", "extra", "off", NULL};

/* "a, b, c" */
static void
join(char *to, size_t room, const char *const *words)
{
    size_t used = 0;
    to[0] = '\0';
    for (size_t i = 0; words[i] != NULL && used < room; i++)
        used += (size_t)snprintf(to + used, room - used, "%s%s", i == 0 ? "" : ", ", words[i]);
}

/* an index into `words`: the first when the parameter is not there, -1 when it has another value */
static int
choose(const dbal_url *url, const char *name, const char *const *words, dbal_fault *fault)
{
    const char *value = dbal_url_parameter(url, name);
    if (value == NULL)
        return 0;
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(value, words[i]) == 0)
            return i;
    char known[128];
    join(known, sizeof known, words);
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "the URL parameter %s cannot be \"%s\": it is one of %s", name, value, known);
    return -1;
}

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
        char list[256];
        join(list, sizeof list, dbal__sqlite_settings);
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                       "SQLite has no URL parameter \"%s\": it knows %s", name, list);
        return false;
    }
    return true;
}

/* digits, and at most nine after a point: by hand, because strtod() follows the locale */
static bool
parse_seconds(const char *text, int64_t *ret_nanoseconds)
{
    int64_t whole = 0, part = 0, unit = second;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && whole <= BUSY_SECONDS_MAX; at++)
        whole = whole * 10 + (*at - '0');
    if (at == text || whole > BUSY_SECONDS_MAX)
        return false;
    if (*at == '.') {
        for (at++; *at >= '0' && *at <= '9' && unit > 1; at++) {
            unit /= 10;
            part += (*at - '0') * unit;
        }
    }
    if (*at != '\0')
        return false;
    *ret_nanoseconds = whole * second + part;
    return *ret_nanoseconds <= BUSY_SECONDS_MAX * second;
}

static bool
read_busy_timeout(const dbal_url *url, int64_t *ret_nanoseconds, dbal_fault *fault)
{
    const char *value = dbal_url_parameter(url, "busy_timeout");
    if (value == NULL)
        *ret_nanoseconds = 5 * second;
    else if (strcmp(value, "off") == 0)
        *ret_nanoseconds = 0;
    else if (!parse_seconds(value, ret_nanoseconds)) {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                       "the URL parameter busy_timeout cannot be \"%s\": it is a number of "
                       "seconds from 0 to %d, or off",
                       value, BUSY_SECONDS_MAX);
        return false;
    }
    return true;
}

/* bytes, with k, M or G behind them */
static bool
parse_size(const char *text, int64_t *ret_bytes)
{
    int64_t bytes = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && bytes <= cache_max; at++)
        bytes = bytes * 10 + (*at - '0');
    if (at == text || bytes > cache_max)
        return false;
    int shift = *at == 'k' ? 10 : *at == 'M' ? 20 : *at == 'G' ? 30 : 0;
    if (shift != 0)
        at++;
    if (*at != '\0' || bytes > cache_max >> shift)
        return false;
    *ret_bytes = bytes << shift;
    return true;
}

static bool
read_cache_size(const dbal_url *url, int64_t *ret_kib, dbal_fault *fault)
{
    const char *value = dbal_url_parameter(url, "cache_size");
    int64_t bytes = 0;
    if (value != NULL && (!parse_size(value, &bytes) || bytes < cache_min)) {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                       "the URL parameter cache_size cannot be \"%s\": it is a number of bytes "
                       "from 16k to 64G, such as 64M",
                       value);
        return false;
    }
    *ret_kib = bytes >> 10;
    return true;
}

static bool
read_wal_limit(const dbal_url *url, int64_t *ret_bytes, dbal_fault *fault)
{
    const char *value = dbal_url_parameter(url, "wal_limit");
    *ret_bytes = wal_default;
    if (value == NULL)
        return true;
    if (strcmp(value, "off") == 0)
        *ret_bytes = INT64_MAX;
    else if (!parse_size(value, ret_bytes) || *ret_bytes < wal_min) {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                       "the URL parameter wal_limit cannot be \"%s\": it is a number of bytes "
                       "from 4M to 64G, or off",
                       value);
        return false;
    }
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

static bool
read_choices(const dbal_url *url, dbal__sqlite_config *config, dbal_fault *fault)
{
    int mode = choose(url, "mode", modes, fault);
    int mutex = mode < 0 ? -1 : choose(url, "mutex", mutexes, fault);
    int journal = mutex < 0 ? -1 : choose(url, "journal_mode", journal_modes, fault);
    int sync = journal < 0 ? -1 : choose(url, "synchronous", synchronous_levels, fault);
    const char *given = dbal_url_parameter(url, "foreign_keys");
    int keys = sync < 0 ? -1 : given == NULL ? 1 : choose(url, "foreign_keys", switches, fault);
    given = dbal_url_parameter(url, "sharing");
    int sharing = keys < 0 ? -1 : given == NULL ? 1 : choose(url, "sharing", switches, fault);
    if (sharing < 0)
        return false;
    config->mode = (dbal__sqlite_mode)mode;
    config->full_mutex = mutex == 1;
    config->journal_mode = journal_modes[journal];
    config->synchronous = synchronous_levels[sync];
    config->foreign_keys = keys == 1;
    config->sharing = sharing == 1;
    return true;
}

static bool
read_url(const dbal_url *url, dbal__sqlite_config *config, dbal_fault *fault)
{
    if (!only_known(url, fault) || !read_wal_limit(url, &config->wal_limit, fault) ||
        !read_choices(url, config, fault) ||
        !read_busy_timeout(url, &config->busy_timeout, fault) ||
        !read_cache_size(url, &config->cache_kib, fault))
        return false;
    if (!config->memory || config->mode == DBAL__SQLITE_RWC)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "a database in memory is new and empty: its mode can only be rwc");
    return false;
}

void *
dbal__sqlite_configure(const dbal_url *url, dbal_fault *fault)
{
    char path[PATH_MAX];
    if (!read_path(url, path, sizeof path, fault))
        return NULL;
    size_t size = strlen(path) + 1;
    dbal__sqlite_config *config = dbal_driver_alloc(sizeof *config + size);
    if (config == NULL) {
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
        return NULL;
    }
    memcpy(config->path, path, size);
    config->memory = strcmp(path, ":memory:") == 0;
    config->log = dbal_driver_alloc(sizeof *config->log);
    if (config->log == NULL) {
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
        dbal_driver_free(config);
        return NULL;
    }
    dbal__sqlite_log_init(config->log);
    if (read_url(url, config, fault))
        return config;
    dbal__sqlite_configure_free(config);
    return NULL;
}

void
dbal__sqlite_configure_free(void *config)
{
    if (config != NULL)
        dbal_driver_free(((dbal__sqlite_config *)config)->log);
    dbal_driver_free(config);
}
