#include "config.h"

#include <string.h>
#include <strings.h>

#include "attribute.h"
#include "secret.h"

/* what SQLDriverConnect() takes, with room for what a driver adds */
enum { LONGEST = 16384 };

static bool
fail(dbal_fault *fault, const char *text)
{
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL, "%s", text);
    return false;
}

/* a parameter's value, whatever the case of its name, as ODBC has it; or NULL */
static const char *
find(const dbal_url *url, const char *name)
{
    for (size_t i = 0; i < dbal_url_parameter_count(url); i++) {
        const char *given = dbal_url_parameter_name(url, i);
        if (strcasecmp(given, name) == 0)
            return dbal_url_parameter(url, given);
    }
    return NULL;
}

static bool
check(const dbal_url *url, dbal_fault *fault)
{
    const char *hosts = dbal_url_hosts(url);
    bool named = dbal_url_path(url)[0] != '\0';
    if ((hosts != NULL && hosts[0] != '\0') || dbal_url_user(url) != NULL)
        return fail(fault, "an odbc URL has no host and no user: write odbc:DSN?UID=…&PWD=…");
    if (named && (find(url, "driver") != NULL || find(url, "dsn") != NULL))
        return fail(fault, "an odbc URL names a data source or a driver, not both");
    if (!named && find(url, "driver") == NULL && find(url, "dsn") == NULL &&
        find(url, "filedsn") == NULL)
        return fail(fault, "an odbc URL names a data source, odbc:DSN, or a driver, "
                           "odbc:?driver=SQLite3&database=bank.db");
    for (size_t i = 0; i < dbal_url_parameter_count(url); i++)
        if (!dbal__odbc_attribute_is_name(dbal_url_parameter_name(url, i)))
            return fail(fault,
                        "an odbc URL has a parameter whose name cannot stand in a connection "
                        "string");
    return true;
}

static size_t
room(const dbal_url *url)
{
    size_t sum = dbal__odbc_attribute_room("DSN", dbal_url_path(url)) + 1;
    for (size_t i = 0; i < dbal_url_parameter_count(url); i++) {
        const char *name = dbal_url_parameter_name(url, i);
        sum += dbal__odbc_attribute_room(name, dbal_url_parameter(url, name));
    }
    return sum;
}

/* of the passwords' list */
static size_t
secret_room(const dbal_url *url)
{
    size_t sum = dbal__odbc_secret_room(dbal_url_path(url)) + 1;
    for (size_t i = 0; i < dbal_url_parameter_count(url); i++)
        sum += dbal__odbc_secret_room(dbal_url_parameter(url, dbal_url_parameter_name(url, i)));
    return sum;
}

static void
write_secrets(const dbal_url *url, char *to)
{
    to = dbal__odbc_secret_write(to, "DSN", dbal_url_path(url));
    for (size_t i = 0; i < dbal_url_parameter_count(url); i++) {
        const char *name = dbal_url_parameter_name(url, i);
        to = dbal__odbc_secret_write(to, name, dbal_url_parameter(url, name));
    }
    *to = '\0';
}

static void
write(const dbal_url *url, dbal__odbc_config *config)
{
    char *to = config->string;
    if (dbal_url_path(url)[0] != '\0')
        to = dbal__odbc_attribute_write(to, "DSN", dbal_url_path(url));
    for (size_t i = 0; i < dbal_url_parameter_count(url); i++) {
        const char *name = dbal_url_parameter_name(url, i);
        to = dbal__odbc_attribute_write(to, name, dbal_url_parameter(url, name));
    }
    *to = '\0';
    config->size = (size_t)(to - config->string);
}

void *
dbal__odbc_configure(const dbal_url *url, dbal_fault *fault)
{
    if (!check(url, fault))
        return NULL;
    size_t most = room(url), more = secret_room(url);
    if (most > LONGEST) {
        fail(fault, "an odbc URL is too long for a connection string");
        return NULL;
    }
    dbal__odbc_config *config = dbal_driver_alloc(sizeof *config + most + more);
    if (config == NULL) {
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
        return NULL;
    }
    write(url, config);
    config->room = most + more;
    write_secrets(url, config->string + most);
    config->secrets = config->string + most;
    const char *dsn = dbal_url_path(url)[0] != '\0' ? dbal_url_path(url) : find(url, "dsn");
    config->threading = dbal__odbc_threading_of(dsn, find(url, "driver"));
    return config;
}

void
dbal__odbc_configure_free(void *pointer)
{
    dbal__odbc_config *config = pointer;
    if (config != NULL)
        explicit_bzero(config->string, config->room);
    dbal_driver_free(config);
}
