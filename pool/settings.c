#include "pool/settings.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "dbal/error.h"
#include "dbal/sql_utf8.h"
#include "dbal/text.h"

typedef enum kind { COUNT, SECONDS, BYTES, WORD, SWITCH, TEXT } kind;

/* One setting: where it stands in the options and in the settings, and what it may be. */
typedef struct setting {
    const char *name;
    kind kind;
    size_t option, place;
    double least, most;
    double standard;
    bool may_be_off;
    bool most_when_off;       /* a COUNT: off is no limit; else it is none at all */
    const char *const *words; /* of a WORD, which is kept as an enumeration: by their numbers */
} setting;

static const char *const gates[] = {"auto", "loop", "thread", "driver-thread", "process", NULL};
static const char *const switches[] = {"off", "on", NULL};
static const char *const poolers[] = {"none", "transaction", NULL};
static const char *const resets[] = {"auto", "full", "none", NULL};

#define AT(field) offsetof(dbal_pool_options, field), offsetof(dbal__settings, field)

static const setting known[] = {
    {"acquire_timeout", SECONDS, AT(acquire_timeout), 0, 1e9, 30, true},
    {"backoff", SECONDS, AT(backoff), 0.1, 1e9, 30, false},
    {"cancel_timeout", SECONDS, AT(cancel_timeout), 0, 1e9, 2, true},
    {"close_timeout", SECONDS, AT(close_timeout), 0, 1e9, 15, true},
    {"connect_timeout", SECONDS, AT(connect_timeout), 0.001, 1e9, 20, true},
    {"fail_fast", SWITCH, AT(fail_fast), 0, 1, 0, false, false, switches},
    {"gate", WORD, AT(gate), DBAL_GATE_AUTO, DBAL_GATE_PROCESS, 0, false, false, gates},
    {"histograms", SWITCH, AT(histograms), 0, 1, 0, false, false, switches},
    {"idle_timeout", SECONDS, AT(idle_timeout), 1, 1e9, 600, true},
    {"leak_after", SECONDS, AT(leak_after), 0.1, 1e9, DBAL_OFF, true},
    {"max_lifetime", SECONDS, AT(max_lifetime), 1, 1e9, 1800, true},
    {"max_memory", BYTES, AT(max_memory), 1048576, 1e15, DBAL_OFF, true},
    {"max_result_bytes", BYTES, AT(max_result_bytes), 4096, 1e15, 256.0 * 1024 * 1024, true},
    {"max_size", COUNT, AT(max_size), 1, 10000, 0, false},
    {"max_statements", COUNT, AT(max_statements), 1, INT_MAX, DBAL_OFF, true},
    {"max_waiting", COUNT, AT(max_waiting), 1, INT_MAX, 10000, true, true},
    {"memory_budget", BYTES, AT(memory_budget), 65536, 1e15, 64.0 * 1024 * 1024, true},
    {"min_size", COUNT, AT(min_size), 0, 10000, 0, false},
    {"name", TEXT, AT(name), 0, 0, 0, false},
    {"pipeline_depth", COUNT, AT(pipeline_depth), 1, 10000, 64, false},
    {"pipeline_wait", SECONDS, AT(pipeline_wait), 0, 1e9, 0.0002, false},
    {"pooler", WORD, AT(pooler), DBAL_POOLER_NONE, DBAL_POOLER_TRANSACTION, 0, false, false,
     poolers},
    {"prepare_after", COUNT, AT(prepare_after), 1, 1000000, 2, false},
    {"query_timeout", SECONDS, AT(query_timeout), 0.001, 1e9, DBAL_OFF, true},
    {"reset", WORD, AT(reset), DBAL_RESET_AUTO, DBAL_RESET_NONE, 0, false, false, resets},
    {"slow_acquire", SECONDS, AT(slow_acquire), 0.001, 1e9, 2, true},
    {"slow_query", SECONDS, AT(slow_query), 0.001, 1e9, 1, true},
    {"statement_cache", COUNT, AT(statement_cache), 0, 100000, 100, true},
    {"threads", COUNT, AT(threads), 1, 10000, 0, false},
    {"validate_after", SECONDS, AT(validate_after), 0.001, 1e9, 1, true},
};

enum { KNOWN = sizeof known / sizeof known[0] };

static const char *
list_known(char *text, size_t size)
{
    size_t at = 0;
    for (int i = 0; i < KNOWN && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%spool_%s", i > 0 ? ", " : "", known[i].name);
    return text;
}

static void
store(dbal__settings *settings, const setting *one, double value)
{
    void *place = (char *)settings + one->place;
    switch (one->kind) {
    case COUNT:
        *(int *)place = value >= 0 ? (int)value : one->most_when_off ? INT_MAX : 0;
        break;
    case SECONDS:
        *(double *)place = value;
        break;
    case BYTES:
        *(int64_t *)place = value < 0 ? INT64_MAX / 4 : (int64_t)value;
        break;
    case WORD:
        *(int *)place = (int)value;
        break;
    case SWITCH:
        *(bool *)place = value != 0;
        break;
    case TEXT:
        break; /* see take_text() */
    }
}

/* NULL, or what is wrong with a text. */
static dbal_error *
take_text(dbal__settings *settings, const char *prefix, const setting *one, const char *text)
{
    size_t size = strlen(text);
    bool good = size > 0 && size < DBAL__NAME_ROOM && dbal__utf8_valid(text, size);
    for (size_t i = 0; good && i < size; i++)
        good = (unsigned char)text[i] >= ' ' && text[i] != 0x7f;
    if (!good)
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "%s%s: 1 to %d bytes of UTF-8 without control characters are wanted",
                              prefix, one->name, DBAL__NAME_ROOM - 1);
    memcpy((char *)settings + one->place, text, size + 1);
    return NULL;
}

/* NULL, or what is wrong with a value; `prefix` is what its name has before it, where it came from */
static dbal_error *
check(const char *prefix, const setting *one, double value)
{
    if (value == DBAL_OFF && one->may_be_off)
        return NULL;
    if (isnan(value) || value < one->least || value > one->most)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "%s%s: %g is out of range (%g to %g%s)", prefix,
                              one->name, value, one->least, one->most,
                              one->may_be_off ? ", or off" : "");
    return NULL;
}

static double
option_value(const dbal_pool_options *options, const setting *one)
{
    const void *place = (const char *)options + one->option;
    switch (one->kind) {
    case COUNT:
        return *(const int *)place;
    case SECONDS:
        return *(const double *)place;
    case BYTES:
        return (double)*(const int64_t *)place;
    case SWITCH:
        return *(const bool *)place;
    default:
        return *(const int *)place;
    }
}

static dbal_error *
take_options(dbal__settings *settings, const dbal_pool_options *options)
{
    for (int i = 0; i < KNOWN; i++) {
        if (known[i].kind == TEXT) {
            const char *text = *(const char *const *)((const char *)options + known[i].option);
            dbal_error *error = text != NULL ? take_text(settings, "", &known[i], text) : NULL;
            if (error != NULL)
                return error;
            continue;
        }
        double value = option_value(options, &known[i]);
        if (value == 0)
            continue; /* default */
        dbal_error *error = check("", &known[i], value);
        if (error != NULL)
            return error;
        store(settings, &known[i], value);
    }
    return NULL;
}

static bool
read_word(const setting *one, const char *text, double *ret_value)
{
    for (int i = 0; one->words[i] != NULL; i++) {
        if (strcmp(text, one->words[i]) == 0) {
            *ret_value = i;
            return true;
        }
    }
    return false;
}

static dbal_error *
not_a_word(const setting *one, const char *text)
{
    char words[100] = "";
    for (int i = 0; one->words[i] != NULL; i++) {
        size_t at = strlen(words);
        snprintf(words + at, sizeof words - at, "%s%s", i > 0 ? ", " : "", one->words[i]);
    }
    return dbal_error_new(DBAL_ERROR_INTERFACE, "pool_%s: \"%s\" is not a value for it: %s are",
                          one->name, text, words);
}

static double
unit_of(char letter)
{
    switch (letter) {
    case 'k':
        return 1024.0;
    case 'M':
        return 1024.0 * 1024;
    case 'G':
        return 1024.0 * 1024 * 1024;
    default:
        return 1;
    }
}

/* a number with k, M or G behind it, or off */
static bool
read_number(const setting *one, const char *text, double *ret_value)
{
    double value;
    if (strcmp(text, "off") == 0) {
        *ret_value = DBAL_OFF;
        return one->may_be_off;
    }
    if (strspn(text, "0123456789.") == 0)
        return false;
    size_t size = strlen(text);
    double unit = one->kind == BYTES && size > 0 ? unit_of(text[size - 1]) : 1;
    /* not strtod(), which follows the locale */
    if (!dbal__text_to_double(text, size - (unit != 1), &value))
        return false;
    *ret_value = value * unit;
    return one->kind == SECONDS || *ret_value == floor(*ret_value);
}

static dbal_error *
take_parameter(dbal__settings *settings, const char *name, const char *text)
{
    static const char *const wanted[] = {
        [COUNT] = "a whole number",
        [SECONDS] = "seconds, as 0.5",
        [BYTES] = "bytes, as 64k, 256M or 1G",
    };
    char names[1000];
    double value = 0;
    for (int i = 0; i < KNOWN; i++) {
        const setting *one = &known[i];
        if (strcmp(one->name, name) != 0)
            continue;
        if (one->kind == TEXT)
            return take_text(settings, "pool_", one, text);
        if (one->words != NULL && !read_word(one, text, &value))
            return not_a_word(one, text);
        if (one->words == NULL && !read_number(one, text, &value))
            return dbal_error_new(DBAL_ERROR_INTERFACE,
                                  "pool_%s: \"%s\" is not a value for it: %s%s", name, text,
                                  wanted[one->kind], one->may_be_off ? ", or off" : "");
        dbal_error *error = check("pool_", one, value);
        if (error == NULL)
            store(settings, one, value);
        return error;
    }
    return dbal_error_new(DBAL_ERROR_INTERFACE, "unknown setting pool_%s; known are: %s", name,
                          list_known(names, sizeof names));
}

static dbal_error *
compare(int min_size, int max_size)
{
    if (min_size <= max_size)
        return NULL;
    return dbal_error_new(DBAL_ERROR_INTERFACE, "min_size %d is above max_size %d", min_size,
                          max_size);
}

/* NULL: there is none. */
static const setting *
find(const char *name)
{
    for (int i = 0; i < KNOWN; i++) {
        if (strcmp(known[i].name, name) == 0)
            return &known[i];
    }
    return NULL;
}

static bool
driver_knows(const dbal_driver *driver, const char *name)
{
    for (const char *const *one = driver->settings; one != NULL && *one != NULL; one++) {
        if (strcmp(*one, name) == 0)
            return true;
    }
    return false;
}

void
dbal__settings_explain(const dbal_driver *driver, const dbal_url *url, dbal_error *error)
{
    char hint[160];
    if (!dbal_error_is(error, DBAL_ERROR_INTERFACE))
        return;
    for (size_t i = 0; i < dbal_url_parameter_count(url); i++) {
        const char *name = dbal_url_parameter_name(url, i);
        if (find(name) == NULL || driver_knows(driver, name) ||
            strstr(dbal_error_message(error), name) == NULL)
            continue;
        snprintf(hint, sizeof hint, "%s is a setting of the pool: in a URL it is pool_%s", name,
                 name);
        dbal__error_set_hint(error, hint);
    }
}

dbal_error *
dbal__settings_check_sizes(int min_size, int max_size)
{
    dbal_error *error = check("", find("min_size"), min_size);
    if (error == NULL)
        error = check("", find("max_size"), max_size);
    return error != NULL ? error : compare(min_size, max_size);
}

bool
dbal__settings_read(dbal__settings *settings, const dbal_pool_options *options, const dbal_url *url,
                    dbal_error **ret_error)
{
    dbal_pool_options given;
    memset(&given, 0, sizeof given);
    memset(settings, 0, sizeof *settings);
    if (options != NULL && options->size == 0) {
        *ret_error = dbal_error_new(DBAL_ERROR_INTERFACE,
                                    "the options do not say their size: make them with "
                                    "DBAL_POOL_OPTIONS() or DBAL_POOL_OPTIONS_INIT");
        return false;
    }
    if (options != NULL)
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
    for (int i = 0; i < KNOWN; i++)
        store(settings, &known[i], known[i].standard);
    settings->max_size = 0;
    settings->limit = given.limit;
    settings->before_connect = given.before_connect;
    settings->before_connect_arg = given.before_connect_arg;
    settings->on_connect = given.on_connect;
    settings->on_connect_arg = given.on_connect_arg;
    settings->on_acquire = given.on_acquire;
    settings->on_release = given.on_release;
    settings->on_close = given.on_close;
    settings->hook_arg = given.hook_arg;
    settings->trace = given.trace;
    settings->trace_arg = given.trace_arg;
    dbal_error *error = take_options(settings, &given);
    for (size_t i = 0; error == NULL && i < dbal__url_setting_count(url); i++)
        error = take_parameter(settings, dbal__url_setting_name(url, i),
                               dbal__url_setting_value(url, i));
    if (error == NULL && settings->max_size != 0)
        error = compare(settings->min_size, settings->max_size);
    if (error == NULL)
        return true;
    *ret_error = error;
    return false;
}
