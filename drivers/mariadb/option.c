#include "option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum shape { TEXT, NUMBER, SECONDS, SWITCH, TYPES, MODES } shape;

static const struct {
    shape shape;
    int most; /* of numbers */
} shapes[DBAL__MARIADB_OPTIONS] = {
    [DBAL__MARIADB_COMPRESS] = {SWITCH, 0},
    [DBAL__MARIADB_CONNECT_TIMEOUT] = {SECONDS, 3600},
    [DBAL__MARIADB_INNODB_LOCK_WAIT_TIMEOUT] = {SECONDS, 100000000},
    [DBAL__MARIADB_LOCK_WAIT_TIMEOUT] = {SECONDS, 31536000},
    [DBAL__MARIADB_MAX_CONNECTIONS] = {NUMBER, 100000},
    [DBAL__MARIADB_MAX_STATEMENT_TIME] = {SECONDS, 31536000},
    [DBAL__MARIADB_SQL_MODE] = {MODES, 0},
    [DBAL__MARIADB_SSL] = {SWITCH, 0},
    [DBAL__MARIADB_SSL_VERIFY_SERVER_CERT] = {SWITCH, 0},
    [DBAL__MARIADB_TINYINT1] = {TYPES, 0},
};

/* in the order of the numbers */
const char *const dbal__mariadb_settings[] = {"compress",
                                              "connect_timeout",
                                              "innodb_lock_wait_timeout",
                                              "lock_wait_timeout",
                                              "max_connections",
                                              "max_statement_time",
                                              "password",
                                              "socket",
                                              "sql_mode",
                                              "ssl",
                                              "ssl_ca",
                                              "ssl_capath",
                                              "ssl_cert",
                                              "ssl_cipher",
                                              "ssl_crl",
                                              "ssl_crlpath",
                                              "ssl_key",
                                              "ssl_verify_server_cert",
                                              "tinyint1",
                                              "tls_version",
                                              "user",
                                              NULL};

_Static_assert(sizeof dbal__mariadb_settings / sizeof dbal__mariadb_settings[0] ==
                   DBAL__MARIADB_OPTIONS + 1,
               "a name for each option");

static bool
refuse(const char *name, const char *value, const char *what, dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "the URL parameter %s cannot be \"%.60s\": it is %s", name, value, what);
    return false;
}

static bool
is_either(const char *value, const char *one, const char *other)
{
    return strcmp(value, one) == 0 || strcmp(value, other) == 0;
}

static bool
is_number(const char *value, int least, int most)
{
    size_t size = strspn(value, "0123456789");
    return size > 0 && size < 10 && value[size] == '\0' && atoi(value) >= least &&
           atoi(value) <= most;
}

/* Names of modes. Two of them would have the server cut SQL into other tokens than dbal does. */
static bool
check_modes(const char *name, const char *value, dbal_fault *fault)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_,0123456789";
    static const char *const banned[] = {"ansi", "no_backslash", "oracle",     "mssql",
                                         "db2",  "maxdb",        "postgresql", NULL};
    if (value[strspn(value, letters)] != '\0')
        return refuse(name, value, "a list of modes with commas between them", fault);
    for (size_t i = 0; banned[i] != NULL; i++)
        if (strcasestr(value, banned[i]) != NULL)
            return refuse(name, value,
                          "without modes that change how SQL is read (ANSI_QUOTES, "
                          "NO_BACKSLASH_ESCAPES and those that contain them)",
                          fault);
    return true;
}

static bool
check(int which, const char *value, dbal_fault *fault)
{
    const char *name = dbal__mariadb_settings[which];
    char range[64];
    switch (shapes[which].shape) {
    case SWITCH:
        return is_either(value, "on", "off") || refuse(name, value, "on or off", fault);
    case TYPES:
        return is_either(value, "int", "bool") || refuse(name, value, "int or bool", fault);
    case NUMBER:
    case SECONDS:
        snprintf(range, sizeof range, "a number %sfrom 1 to %d",
                 shapes[which].shape == SECONDS ? "of seconds " : "", shapes[which].most);
        return is_number(value, 1, shapes[which].most) || refuse(name, value, range, fault);
    case MODES:
        return check_modes(name, value, fault);
    default:
        return true;
    }
}

static bool
is_known(const char *name)
{
    for (int i = 0; i < DBAL__MARIADB_OPTIONS; i++)
        if (strcmp(name, dbal__mariadb_settings[i]) == 0)
            return true;
    return false;
}

static bool
all_known(const dbal_url *url, dbal_fault *fault)
{
    char known[400];
    size_t used = 0;
    for (size_t i = 0; i < dbal_url_parameter_count(url); i++) {
        const char *name = dbal_url_parameter_name(url, i);
        if (is_known(name))
            continue;
        for (int j = 0; j < DBAL__MARIADB_OPTIONS && used < sizeof known; j++)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", j > 0 ? ", " : "",
                                     dbal__mariadb_settings[j]);
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                       "unknown URL parameter %.60s; known are: %s", name, known);
        return false;
    }
    return true;
}

bool
dbal__mariadb_options_read(const dbal_url *url, dbal__mariadb_options *ret_options,
                           dbal_fault *fault)
{
    if (!all_known(url, fault))
        return false;
    for (int i = 0; i < DBAL__MARIADB_OPTIONS; i++) {
        const char *value = dbal_url_parameter(url, dbal__mariadb_settings[i]);
        ret_options->value[i] = value;
        if (value != NULL && !check(i, value, fault))
            return false;
    }
    return true;
}

bool
dbal__mariadb_option_is(const dbal__mariadb_options *options, dbal__mariadb_option which,
                        const char *word)
{
    const char *value = options->value[which];
    return value != NULL && strcmp(value, word) == 0;
}

bool
dbal__mariadb_options_encrypt(const dbal__mariadb_options *options)
{
    if (options->value[DBAL__MARIADB_SSL] != NULL)
        return dbal__mariadb_option_is(options, DBAL__MARIADB_SSL, "on");
    for (int i = DBAL__MARIADB_SSL_CA; i <= DBAL__MARIADB_SSL_KEY; i++)
        if (options->value[i] != NULL)
            return true;
    return options->value[DBAL__MARIADB_TLS_VERSION] != NULL ||
           dbal__mariadb_option_is(options, DBAL__MARIADB_SSL_VERIFY_SERVER_CERT, "on");
}

int
dbal__mariadb_option_number(const dbal__mariadb_options *options, dbal__mariadb_option which)
{
    const char *value = options->value[which];
    return value != NULL ? atoi(value) : 0;
}
