#include "parameter.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const int64_t second = 1000000000;

void
dbal__sqlite_parameter_join(char *to, size_t room, const char *const *words)
{
    size_t used = 0;
    to[0] = '\0';
    for (size_t i = 0; words[i] != NULL && used < room; i++)
        used += (size_t)snprintf(to + used, room - used, "%s%s", i == 0 ? "" : ", ", words[i]);
}

int
dbal__sqlite_parameter_word(const dbal_url *url, const char *name, const char *const *words,
                            dbal_fault *fault)
{
    const char *value = dbal_url_parameter(url, name);
    if (value == NULL)
        return 0;
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(value, words[i]) == 0)
            return i;
    char known[128];
    dbal__sqlite_parameter_join(known, sizeof known, words);
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "the URL parameter %s cannot be \"%s\": it is one of %s", name, value, known);
    return -1;
}

/* digits, and at most nine after a point: by hand, because strtod() follows the locale */
static bool
parse_seconds(const char *text, int most, int64_t *ret_nanoseconds)
{
    int64_t whole = 0, part = 0, unit = second;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && whole <= most; at++)
        whole = whole * 10 + (*at - '0');
    if (at == text || whole > most)
        return false;
    if (*at == '.') {
        for (at++; *at >= '0' && *at <= '9' && unit > 1; at++) {
            unit /= 10;
            part += (*at - '0') * unit;
        }
    }
    if (*at != '\0' || whole * second + part > most * second)
        return false;
    *ret_nanoseconds = whole * second + part;
    return true;
}

bool
dbal__sqlite_parameter_seconds(const dbal_url *url, const char *name, int most,
                               int64_t *ret_nanoseconds, dbal_fault *fault)
{
    const char *value = dbal_url_parameter(url, name);
    if (value == NULL)
        return true;
    if (strcmp(value, "off") == 0) {
        *ret_nanoseconds = 0;
        return true;
    }
    if (parse_seconds(value, most, ret_nanoseconds))
        return true;
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "the URL parameter %s cannot be \"%s\": it is a number of seconds from 0 to "
                   "%d, or off",
                   name, value, most);
    return false;
}

/* digits, and for a size k, M or G behind them */
static bool
parse_number(const char *text, bool size, int64_t most, int64_t *ret_number)
{
    int64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && number <= most; at++)
        number = number * 10 + (*at - '0');
    if (at == text || number > most)
        return false;
    int shift = !size ? 0 : *at == 'k' ? 10 : *at == 'M' ? 20 : *at == 'G' ? 30 : 0;
    if (shift != 0)
        at++;
    if (*at != '\0' || number > most >> shift)
        return false;
    *ret_number = number << shift;
    return true;
}

static void
refuse_number(const char *name, const char *value, const dbal__sqlite_range *range,
              dbal_fault *fault)
{
    char bounds[64];
    snprintf(bounds, sizeof bounds, "from %" PRId64 " to %" PRId64, range->least, range->most);
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "the URL parameter %s cannot be \"%s\": it is a number %s%s%s", name, value,
                   range->size ? "of bytes " : "", range->says != NULL ? range->says : bounds,
                   range->may_be_off ? ", or off" : "");
}

bool
dbal__sqlite_parameter_number(const dbal_url *url, const char *name,
                              const dbal__sqlite_range *range, int64_t *ret_number,
                              dbal_fault *fault)
{
    const char *value = dbal_url_parameter(url, name);
    int64_t number = 0;
    if (value == NULL)
        return true;
    if (range->may_be_off && strcmp(value, "off") == 0)
        number = range->off;
    else if (!parse_number(value, range->size, range->most, &number) || number < range->least) {
        refuse_number(name, value, range, fault);
        return false;
    }
    *ret_number = number;
    return true;
}
