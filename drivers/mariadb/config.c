#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT = 3306, PORT_MOST = 65535 };

/* ---- one block for all texts ---------------------------------------------------------------- */

static size_t
room_of(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static const char *
keep(char **to, const char *text)
{
    char *kept = *to;
    if (text == NULL)
        return NULL;
    *to = stpcpy(kept, text) + 1;
    return kept;
}

/* ---- hosts ------------------------------------------------------------------------------------ */

static int
count_of(const char *list)
{
    int count = 1;
    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

/* The port behind a name or an address in brackets, cut off; false when it is none. */
static bool
cut_port(char *name, unsigned *ret_port)
{
    char *bracket = strchr(name, ']'), *colon = strchr(bracket != NULL ? bracket : name, ':'), *end;
    *ret_port = PORT;
    if (colon != NULL) {
        unsigned long port = strtoul(colon + 1, &end, 10);
        if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port == 0 || port > PORT_MOST)
            return false;
        *ret_port = (unsigned)port;
        *colon = '\0';
    }
    if (bracket != NULL) {
        *bracket = '\0';
        memmove(name, name + 1, strlen(name));
    }
    return *name != '\0';
}

static bool
read_hosts(dbal__mariadb_config *config, char *list, dbal_fault *fault)
{
    for (int i = 0; list != NULL; i++) {
        char *name = strsep(&list, ",");
        if (!cut_port(name, &config->hosts[i].port)) {
            dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                           "the URL's host \"%.60s\" is none: it is a name or an address, and "
                           "maybe a port from 1 to 65535",
                           name);
            return false;
        }
        config->hosts[i].name = name;
    }
    return true;
}

void
dbal__mariadb_host_name(const dbal__mariadb_config *config, int host, char *to, size_t room)
{
    const dbal__mariadb_host *one = &config->hosts[host];
    const char *socket = config->options.value[DBAL__MARIADB_SOCKET];
    if (one->name != NULL)
        snprintf(to, room, "%s:%u", one->name, one->port);
    else
        snprintf(to, room, "%s", socket != NULL ? socket : "the server's usual socket");
}

/* ---- the session --------------------------------------------------------------------------- */

/* Room for what write_setup() writes besides the modes. */
enum { SETUP_ROOM = 400 };

static int
add_number(const dbal__mariadb_options *options, dbal__mariadb_option which, char *to, size_t room)
{
    const char *value = options->value[which];
    return value == NULL ? 0
                         : snprintf(to, room, ", %s = %s", dbal__mariadb_settings[which], value);
}

/*
 * Strict, so that nothing is cut or rounded in silence, and in UTC. A recursion that stops at its
 * thousandth row, which is what MariaDB does unless told, would be a wrong answer: statements are
 * bounded by time.
 */
static bool
write_setup(dbal__mariadb_config *config, const dbal__mariadb_options *options)
{
    const char *modes = options->value[DBAL__MARIADB_SQL_MODE];
    if (modes == NULL)
        modes = "STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,"
                "NO_ENGINE_SUBSTITUTION";
    size_t room = strlen(modes) + SETUP_ROOM, used;
    char *setup = config->setup = dbal_driver_alloc(room);
    if (setup == NULL)
        return false;
    used = (size_t)snprintf(
        setup, room, "set names utf8mb4, autocommit = 1, time_zone = '+00:00', sql_mode = '%s'",
        modes);
    used += (size_t)add_number(options, DBAL__MARIADB_INNODB_LOCK_WAIT_TIMEOUT, setup + used,
                               room - used);
    used += (size_t)add_number(options, DBAL__MARIADB_LOCK_WAIT_TIMEOUT, setup + used, room - used);
    config->setup_common = used;
    used += (size_t)snprintf(setup + used, room - used, ", max_recursive_iterations = 4294967295");
    add_number(options, DBAL__MARIADB_MAX_STATEMENT_TIME, setup + used, room - used);
    return true;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void *
out_of_memory(dbal__mariadb_config *config, dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
    dbal__mariadb_configure_free(config);
    return NULL;
}

/* The database's name, or NULL: the path without its slash. */
static const char *
database_of(const dbal_url *url)
{
    const char *path = dbal_url_path(url);
    path += *path == '/';
    return *path != '\0' ? path : NULL;
}

static bool
fill(dbal__mariadb_config *config, const dbal_url *url, dbal_fault *fault)
{
    dbal__mariadb_options *options = &config->options;
    const char *hosts = dbal_url_hosts(url), *user = dbal_url_user(url);
    const char *password = dbal_url_password(url);
    char *at = config->memory;
    config->user = keep(&at, user != NULL ? user : options->value[DBAL__MARIADB_USER]);
    config->password =
        keep(&at, password != NULL ? password : options->value[DBAL__MARIADB_PASSWORD]);
    config->database = keep(&at, database_of(url));
    for (int i = 0; i < DBAL__MARIADB_OPTIONS; i++)
        options->value[i] = keep(&at, options->value[i]);
    if (options->value[DBAL__MARIADB_SOCKET] != NULL || hosts == NULL || *hosts == '\0')
        return true;
    return read_hosts(config, (char *)keep(&at, hosts), fault);
}

static size_t
memory_for(const dbal_url *url, const dbal__mariadb_options *options)
{
    size_t size = room_of(dbal_url_user(url)) + room_of(dbal_url_password(url)) +
                  room_of(dbal_url_path(url)) + room_of(dbal_url_hosts(url)) + 1;
    /* two of them also where they stand for what the URL does not say */
    for (int i = 0; i < DBAL__MARIADB_OPTIONS; i++)
        size += 2 * room_of(options->value[i]);
    return size;
}

static bool
refuse_both(const dbal_url *url, const dbal__mariadb_options *options, dbal_fault *fault)
{
    const char *hosts = dbal_url_hosts(url);
    if (hosts == NULL || *hosts == '\0' || options->value[DBAL__MARIADB_SOCKET] == NULL)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "the URL names both a host and a socket: it is one or the other");
    return false;
}

void *
dbal__mariadb_configure(const dbal_url *url, dbal_fault *fault)
{
    dbal__mariadb_options options;
    const char *hosts = dbal_url_hosts(url);
    if (!dbal__mariadb_options_read(url, &options, fault) || !refuse_both(url, &options, fault))
        return NULL;
    dbal__mariadb_config *config = dbal_driver_alloc(sizeof *config);
    if (config == NULL)
        return out_of_memory(config, fault);
    config->options = options;
    config->host_count = hosts != NULL && *hosts != '\0' ? count_of(hosts) : 1;
    config->hosts = dbal_driver_alloc((size_t)config->host_count * sizeof *config->hosts);
    config->memory_size = memory_for(url, &options);
    config->memory = dbal_driver_alloc(config->memory_size);
    if (config->hosts == NULL || config->memory == NULL || !write_setup(config, &options))
        return out_of_memory(config, fault);
    if (!fill(config, url, fault)) {
        dbal__mariadb_configure_free(config);
        return NULL;
    }
    return config;
}

void
dbal__mariadb_configure_free(void *pointer)
{
    dbal__mariadb_config *config = pointer;
    if (config == NULL)
        return;
    if (config->memory != NULL)
        explicit_bzero(config->memory, config->memory_size);
    dbal_driver_free(config->memory);
    dbal_driver_free(config->hosts);
    dbal_driver_free(config->setup);
    dbal_driver_free(config);
}
