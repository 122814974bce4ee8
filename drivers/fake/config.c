#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVEL = 2 };

const char *const fake_settings[] = {"connect_delay", "connections", "delay",  "level",
                                     "lose_after",    "refuse",      "script", NULL};

/* A whole number from 0, or what it is unless said. */
static bool
number(const dbal_url *url, const char *name, int64_t most, int64_t otherwise, int64_t *ret_number,
       dbal_fault *fault)
{
    char *end = NULL;
    const char *text = dbal_url_parameter(url, name);
    errno = 0;
    long long value = text != NULL ? strtoll(text, &end, 10) : otherwise;
    bool ok = text == NULL ||
              (*text != '\0' && *end == '\0' && errno == 0 && value >= 0 && value <= most);
    if (!ok)
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                       "%s=%s: it is a whole number from 0 to %lld", name, text, (long long)most);
    *ret_number = value;
    return ok;
}

static bool
is_known(const char *name)
{
    const char *const *known = fake_settings;
    while (*known != NULL && strcmp(*known, name) != 0)
        known++;
    return *known != NULL;
}

/* What is mistyped would leave a test without what it is about. */
static bool
only_known(const dbal_url *url, dbal_fault *fault)
{
    char list[200] = "";
    for (size_t i = 0; i < dbal_url_parameter_count(url); i++) {
        const char *name = dbal_url_parameter_name(url, i);
        if (is_known(name))
            continue;
        for (const char *const *known = fake_settings; *known != NULL; known++) {
            size_t used = strlen(list);
            snprintf(list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "", *known);
        }
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                       "the fake has no URL parameter \"%.64s\": it knows %s", name, list);
        return false;
    }
    return true;
}

static bool
read_url(fake_config *self, const dbal_url *url, dbal_fault *fault)
{
    static const int64_t DAY = 86400000; /* in milliseconds */
    int64_t level, connections, refuse, connect_delay, delay;
    if (!only_known(url, fault) || !number(url, "level", 3, LEVEL, &level, fault) ||
        !number(url, "connections", 1000, 0, &connections, fault) ||
        !number(url, "refuse", UINT32_MAX, 0, &refuse, fault) ||
        !number(url, "lose_after", INT32_MAX, -1, &self->lose_after, fault) ||
        !number(url, "connect_delay", DAY, 0, &connect_delay, fault) ||
        !number(url, "delay", DAY, 0, &delay, fault))
        return false;
    self->level = (int)level;
    self->connections = (int)connections;
    self->refuse = (unsigned)refuse;
    self->connect_delay = (double)connect_delay / 1000;
    self->delay = (double)delay / 1000;
    const char *script = dbal_url_parameter(url, "script");
    self->script = script != NULL ? fake_script_read(script, fault) : NULL;
    if (script != NULL && self->script == NULL)
        return false;
    self->store = fake_store_get(dbal_url_path(url));
    if (self->store == NULL)
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
    return self->store != NULL;
}

void *
fake_configure(const dbal_url *url, dbal_fault *fault)
{
    fake_config *self = dbal_driver_alloc(sizeof *self);
    if (self == NULL)
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
    if (self == NULL || read_url(self, url, fault))
        return self;
    fake_configure_free(self);
    return NULL;
}

void
fake_configure_free(void *config)
{
    fake_config *self = config;
    fake_script_free(self->script);
    dbal_driver_free(self);
}

int
fake_threadlevel(const void *config)
{
    return config != NULL ? ((const fake_config *)config)->level : LEVEL;
}
