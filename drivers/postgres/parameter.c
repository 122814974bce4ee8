#include "parameter.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const ssl_modes[] = {"disable",   "allow",       "prefer", "require",
                                        "verify-ca", "verify-full", NULL};
static const char *const degrees[] = {"disable", "prefer", "require", NULL};
static const char *const targets[] = {"any",     "read-write",     "read-only", "primary",
                                      "standby", "prefer-standby", NULL};
static const char *const balances[] = {"disable", "random", NULL};
static const char *const switches[] = {"0", "1", NULL};

static const struct {
    const char *name;
    const char *const *words;
} choices[] = {
    {"sslmode", ssl_modes},           {"channel_binding", degrees},
    {"gssencmode", degrees},          {"target_session_attrs", targets},
    {"load_balance_hosts", balances}, {"keepalives", switches},
};

static const char *const *
words_of(const char *name)
{
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
        if (strcmp(choices[i].name, name) == 0)
            return choices[i].words;
    return NULL;
}

const char *
dbal__postgres_parameter_word(const char *name, const char *value)
{
    const char *const *words = words_of(name);
    while (words != NULL && *words != NULL && strcmp(*words, value) != 0)
        words++;
    return words != NULL ? *words : NULL;
}

static bool
refuse(const char *name, const char *value, const char *what, dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "the URL parameter %s cannot be \"%.80s\": it is %s", name, value, what);
    return false;
}

static bool
check_word(const char *name, const char *value, dbal_fault *fault)
{
    char list[128] = "one of ";
    size_t used = strlen(list);
    if (dbal__postgres_parameter_word(name, value) != NULL)
        return true;
    const char *const *words = words_of(name);
    for (int i = 0; words[i] != NULL && used < sizeof list; i++)
        used +=
            (size_t)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ", words[i]);
    return refuse(name, value, list, fault);
}

/* by hand, because strtod() follows the locale */
bool
dbal__postgres_parameter_seconds(const char *text, int64_t *ret_nanoseconds)
{
    int64_t whole = 0, part = 0, unit = 1000000000;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && whole <= INT32_MAX; at++)
        whole = whole * 10 + (*at - '0');
    if (at == text || whole > INT32_MAX)
        return false;
    if (*at == '.') {
        for (at++; *at >= '0' && *at <= '9' && unit > 1; at++) {
            unit /= 10;
            part += (*at - '0') * unit;
        }
    }
    if (*at != '\0')
        return false;
    *ret_nanoseconds = whole * 1000000000 + part;
    return true;
}

static bool
is_number(const char *text)
{
    int64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && number <= INT32_MAX; at++)
        number = number * 10 + (*at - '0');
    return at != text && *at == '\0' && number <= INT32_MAX;
}

static bool
is_one_of(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

bool
dbal__postgres_parameter_is_file(const char *name, const char *value)
{
    static const char *const files[] = {"passfile", "sslcert",   "sslkey",      "sslrootcert",
                                        "sslcrl",   "sslcrldir", "servicefile", NULL};
    if (!is_one_of(name, files) || value[0] == '/' || value[0] == '\0')
        return false;
    /* the system's own certificates; a key that an engine of OpenSSL's keeps */
    return !(strcmp(name, "sslrootcert") == 0 && strcmp(value, "system") == 0) &&
           !(strcmp(name, "sslkey") == 0 && strchr(value, ':') != NULL);
}

bool
dbal__postgres_parameter_check(const char *name, const char *value, dbal_fault *fault)
{
    static const char *const numbers[] = {"keepalives_idle", "keepalives_interval",
                                          "keepalives_count", "tcp_user_timeout", NULL};
    int64_t seconds;
    if (*value == '\0')
        return true;
    if (words_of(name) != NULL)
        return check_word(name, value, fault);
    if (is_one_of(name, numbers) && !is_number(value))
        return refuse(name, value, "a whole number", fault);
    if (strcmp(name, "connect_timeout") == 0 && !dbal__postgres_parameter_seconds(value, &seconds))
        return refuse(name, value, "a number of seconds, 0 for no limit", fault);
    if (strcmp(name, "client_encoding") == 0 && strcasecmp(value, "utf8") != 0 &&
        strcasecmp(value, "utf-8") != 0)
        return refuse(name, value, "UTF8, which dbal's texts are", fault);
    if (strcmp(name, "replication") == 0)
        return refuse(name, value, "for replicas alone", fault);
    return true;
}
