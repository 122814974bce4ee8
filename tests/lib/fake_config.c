#include "tests/lib/fake_config.h"

#include <stdlib.h>
#include <string.h>

const char *const fake_settings[] = {"level",    "interrupt", "token", "connections", "pipeline",
                                     "parallel", "sharing",   "notes", "sole",        NULL};

static int
number(const dbal_url *url, const char *name, int otherwise)
{
    const char *value = dbal_url_parameter(url, name);
    return value != NULL ? atoi(value) : otherwise;
}

static bool
is_on(const dbal_url *url, const char *name, bool otherwise)
{
    const char *value = dbal_url_parameter(url, name);
    return value != NULL ? strcmp(value, "on") == 0 : otherwise;
}

void *
fake_configure(const dbal_url *url, dbal_fault *fault)
{
    if (strcmp(dbal_url_path(url), "refused") == 0) {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL, "the fake refuses its URL");
        return NULL;
    }
    fake_config *config = dbal_driver_alloc(sizeof *config);
    if (config == NULL) {
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
        return NULL;
    }
    bool native = strcmp(dbal_url_scheme(url), "native") == 0;
    config->script = fake_script_get(dbal_url_path(url));
    config->level = number(url, "level", native ? 2 : 1);
    const char *interrupt = dbal_url_parameter(url, "interrupt");
    config->interrupt = interrupt == NULL || strcmp(interrupt, "off") != 0;
    config->blunt = interrupt != NULL && strcmp(interrupt, "blunt") == 0;
    config->token = is_on(url, "token", false);
    config->parallel = is_on(url, "parallel", false);
    config->sharing = is_on(url, "sharing", false);
    config->pipeline = is_on(url, "pipeline", true);
    config->notes = is_on(url, "notes", false);
    config->sole = is_on(url, "sole", false);
    config->connections = number(url, "connections", 0);
    return config;
}

void
fake_configure_free(void *config)
{
    dbal_driver_free(config);
}

const fake_config *
fake_config_of(const void *config)
{
    static const fake_config plain = {.level = 1, .interrupt = true, .pipeline = true};
    return config != NULL ? config : &plain;
}

int
fake_threadlevel(const void *config)
{
    return fake_config_of(config)->level;
}

void
fake_describe(const fake_config *config, dbal_opening *opening)
{
    opening->max_connections = config->connections;
    opening->sole = config->sole;
    if (config->notes) {
        dbal_opening_note(opening, "it is %s, not %s", "old", "new");
        dbal_opening_note(opening, "it is %s, not %s", "old", "new");
        dbal_opening_note(opening, "and slow");
    }
    if (!config->token)
        return;
    strncpy((char *)opening->token, config->script->name, sizeof opening->token);
    opening->token_size = sizeof opening->token;
    opening->token_timeout = 5;
}

static bool
is_stopped(void *arg)
{
    return dbal_opening_stopped(arg);
}

bool
fake_begin_open(const fake_config *config, const dbal_opening *opening, dbal_fault *fault)
{
    fake_script *script = config->script;
    int number = fake_script_add(script, &script->opens, 1);
    bool heeds = script->stop_ends_open;
    if (script->hang_open &&
        !fake_script_wait(script, "open", heeds ? is_stopped : NULL, (void *)opening, heeds)) {
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08001", "the fake was stopped");
        return false;
    }
    if (number < fake_script_count(script, &script->fail_open_from) ||
        number > fake_script_count(script, &script->fail_open_to))
        return true;
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, script->fail_open_as_full ? "53300" : "08001",
                   "the fake does not open");
    dbal_fault_set_retryable(fault, !script->fail_open_for_good);
    return false;
}

void
fake_begin_close(const fake_config *config)
{
    if (config->script->hang_close)
        fake_script_wait(config->script, "close", NULL, NULL, false);
}
