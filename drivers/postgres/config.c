#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "libpq.h"
#include "parameter.h"

const char *const dbal__postgres_settings[] = {
    /* clang-format off */
    /* ours */
    "timezone", "search_path", "statement_timeout", "lock_timeout",
    "idle_in_transaction_session_timeout",
    /* libpq's, each where the libpq at hand knows it */
    "host", "hostaddr", "port", "dbname", "user", "password", "passfile", "service", "servicefile",
    "options", "application_name", "fallback_application_name", "client_encoding",
    "connect_timeout", "target_session_attrs", "load_balance_hosts", "keepalives",
    "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "sslmode",
    "sslnegotiation", "sslcompression", "sslcert", "sslkey", "sslcertmode", "sslpassword",
    "sslrootcert", "sslcrl", "sslcrldir", "sslsni", "sslkeylogfile", "ssl_min_protocol_version",
    "ssl_max_protocol_version", "min_protocol_version", "max_protocol_version", "channel_binding",
    "require_auth", "requirepeer", "gssencmode", "krbsrvname", "gsslib", "gssdelegation",
    "scram_client_key", "scram_server_key", "oauth_issuer", "oauth_client_id",
    "oauth_client_secret", "oauth_scope", "replication", "ssl", NULL,
    /* clang-format on */
};

/* Of a session; they go to the server. */
static const char *const session_settings[] = {"timezone",
                                               "search_path",
                                               "statement_timeout",
                                               "lock_timeout",
                                               "idle_in_transaction_session_timeout",
                                               NULL};

static bool
is_one_of(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static bool
out_of_memory(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
    return false;
}

/* ---- what libpq at hand knows -------------------------------------------------------------------- */

static bool
libpq_knows(const PQconninfoOption *known, const char *name)
{
    while (known->keyword != NULL && strcmp(known->keyword, name) != 0)
        known++;
    return known->keyword != NULL;
}

static bool
refuse_unknown(const char *name, dbal_fault *fault)
{
    int version = PQlibVersion();
    char list[1200];
    size_t used = 0;
    if (is_one_of(name, dbal__postgres_settings)) {
        dbal_fault_set(
            fault, DBAL_ERROR_NOT_SUPPORTED, NULL,
            "the URL parameter %s needs another libpq: this one, %d.%d, does not know it", name,
            version / 10000, version % 10000);
        return false;
    }
    for (int i = 0; dbal__postgres_settings[i] != NULL && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ",
                                 dbal__postgres_settings[i]);
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "PostgreSQL has no URL parameter \"%.64s\": it knows %s", name, list);
    return false;
}

/* ---- parameters --------------------------------------------------------------------------------- */

static bool
set_file(dbal__postgres_config *config, const char *name, const char *value, dbal_fault *fault)
{
    char folder[PATH_MAX], path[2 * PATH_MAX];
    if (getcwd(folder, sizeof folder) == NULL || strlen(value) >= PATH_MAX) {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                       "the URL parameter %s cannot be made absolute: it is too long, or the "
                       "current directory is gone",
                       name);
        return false;
    }
    snprintf(path, sizeof path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, value);
    return dbal__postgres_option_set(&config->options, name, path) || out_of_memory(fault);
}

static bool
read_parameter(dbal__postgres_config *config, const PQconninfoOption *known, const char *name,
               const char *value, dbal_fault *fault)
{
    /* as other programs' URLs have it, and libpq */
    if (strcmp(name, "ssl") == 0 && strcmp(value, "true") == 0) {
        name = "sslmode";
        value = "require";
    }
    bool session = is_one_of(name, session_settings);
    bool ours = session || strcmp(name, "load_balance_hosts") == 0;
    if (!ours && !libpq_knows(known, name))
        return refuse_unknown(name, fault);
    if (!dbal__postgres_parameter_check(name, value, fault))
        return false;
    if (strcmp(name, "load_balance_hosts") == 0)
        config->balance = dbal__postgres_parameter_word(name, value);
    else if (dbal__postgres_parameter_is_file(name, value))
        return set_file(config, name, value, fault);
    else
        return dbal__postgres_option_set(session ? &config->settings : &config->options, name,
                                         value) ||
               out_of_memory(fault);
    return true;
}

static bool
read_parameters(dbal__postgres_config *config, const dbal_url *url, dbal_fault *fault)
{
    /* without looking at the environment or a file */
    PQconninfoOption *known = PQconninfoParse("", NULL);
    if (known == NULL)
        return out_of_memory(fault);
    bool ok = true;
    for (size_t i = 0; ok && i < dbal_url_parameter_count(url); i++) {
        const char *name = dbal_url_parameter_name(url, i);
        ok = read_parameter(config, known, name, dbal_url_parameter(url, name), fault);
    }
    PQconninfoFree(known);
    return ok;
}

/* ---- the location -------------------------------------------------------------------------------- */

/* The colon before a port, or NULL: one that was escaped in the URL belongs to the name. */
static const char *
find_port(const char *host, size_t size)
{
    const char *colon = memrchr(host, ':', size);
    for (const char *at = colon; at != NULL && ++at < host + size;)
        if (*at < '0' || *at > '9')
            return NULL;
    return colon;
}

/* `name:port`, `[address]:port` */
static bool
split_host(const char *host, size_t size, char **names, char **ports, dbal_fault *fault)
{
    const char *end = host + size, *close = NULL, *port = NULL;
    if (*host == '[') {
        close = memchr(host, ']', size);
        if (close == NULL || (close + 1 < end && close[1] != ':')) {
            dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                           "a host in the URL that begins with [ is an address with ] behind it");
            return false;
        }
        port = close + 1 < end ? close + 2 : NULL;
        host++;
    } else {
        close = find_port(host, size);
        port = close != NULL ? close + 1 : NULL;
        close = close != NULL ? close : end;
    }
    *names = mempcpy(*names, host, (size_t)(close - host));
    if (port != NULL)
        *ports = mempcpy(*ports, port, (size_t)(end - port));
    return true;
}

/* What a parameter gives goes before what the location gives. */
static bool
read_hosts(dbal__postgres_config *config, const char *hosts, dbal_fault *fault)
{
    if (hosts == NULL)
        return true;
    size_t size = strlen(hosts) + 1;
    char *names = dbal_driver_alloc(2 * size);
    if (names == NULL)
        return out_of_memory(fault);
    char *name = names, *ports = names + size, *port = ports;
    bool ok = true;
    for (;;) {
        size_t one = strcspn(hosts, ",");
        ok = split_host(hosts, one, &name, &port, fault);
        if (!ok || hosts[one] == '\0')
            break;
        hosts += one + 1;
        *name++ = ',';
        *port++ = ',';
    }
    ok = ok && ((dbal__postgres_option_default(&config->options, "host", names) &&
                 dbal__postgres_option_default(&config->options, "port", ports)) ||
                out_of_memory(fault));
    dbal_driver_free(names);
    return ok;
}

static bool
read_location(dbal__postgres_config *config, const dbal_url *url, dbal_fault *fault)
{
    const char *path = dbal_url_path(url);
    if (path[0] != '\0' && path[0] != '/') {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                       "a PostgreSQL URL has two slashes before its host: "
                       "postgresql://host/database, or postgresql:///database");
        return false;
    }
    if (!read_hosts(config, dbal_url_hosts(url), fault))
        return false;
    return (dbal__postgres_option_default(&config->options, "user", dbal_url_user(url)) &&
            dbal__postgres_option_default(&config->options, "password", dbal_url_password(url)) &&
            dbal__postgres_option_default(&config->options, "dbname",
                                          path[0] == '/' ? path + 1 : NULL)) ||
           out_of_memory(fault);
}

/* ---- all of it ----------------------------------------------------------------------------------- */

/* A pooler gives each transaction any of its connections: what one of them was told is lost. */
static bool
check_pooler(const dbal__postgres_config *config, dbal_fault *fault)
{
    const char *refused = NULL;
    if (!config->pooler)
        return true;
    if (dbal__postgres_option(&config->options, "options") != NULL)
        refused = "options";
    for (int i = 0; i < config->settings.count; i++)
        if (strcmp(config->settings.keywords[i], "timezone") != 0)
            refused = config->settings.keywords[i];
    if (refused == NULL)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "the URL parameter %s does not go with pool_pooler=transaction", refused);
    dbal_fault_set_hint(fault, "set it for the role or the database: ALTER ROLE … SET …");
    return false;
}

/* What a service or the environment adds is looked at when it connects. */
static bool
check_hosts(const dbal__postgres_config *config, dbal_fault *fault)
{
    dbal__postgres_hosts hosts;
    const char *port = dbal__postgres_option(&config->options, "port");
    bool elsewhere = dbal__postgres_option(&config->options, "host") == NULL &&
                     dbal__postgres_option(&config->options, "hostaddr") == NULL;
    if (elsewhere && port != NULL && strchr(port, ',') != NULL)
        return true;
    if (!dbal__postgres_hosts_read(&hosts, &config->options, fault))
        return false;
    dbal__postgres_hosts_fini(&hosts);
    return true;
}

void *
dbal__postgres_configure(const dbal_url *url, dbal_fault *fault)
{
    dbal__postgres_config *config = dbal_driver_alloc(sizeof *config);
    if (config == NULL) {
        out_of_memory(fault);
        return NULL;
    }
    config->pooler = dbal_url_pools_transactions(url);
    if (read_parameters(config, url, fault) && read_location(config, url, fault) &&
        check_pooler(config, fault) && check_hosts(config, fault))
        return config;
    dbal__postgres_configure_free(config);
    return NULL;
}

void
dbal__postgres_configure_free(void *pointer)
{
    dbal__postgres_config *config = pointer;
    if (config == NULL)
        return;
    dbal__postgres_options_fini(&config->options);
    dbal__postgres_options_fini(&config->settings);
    dbal_driver_free(config);
}
