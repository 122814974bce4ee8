#include "option.h"

#include <stdlib.h>
#include <string.h>

#include <dbal/driver.h>

static int
find(const dbal__postgres_options *options, const char *keyword)
{
    for (int i = 0; i < options->count; i++)
        if (strcmp(options->keywords[i], keyword) == 0)
            return i;
    return -1;
}

const char *
dbal__postgres_option(const dbal__postgres_options *options, const char *keyword)
{
    int at = find(options, keyword);
    return at >= 0 ? options->values[at] : NULL;
}

/* The value is in front of its keyword, in one block. */
static void
drop(dbal__postgres_options *options, int at)
{
    char *block = (char *)options->values[at];
    explicit_bzero(block, strlen(block));
    dbal_driver_free(block);
}

static bool
grow(dbal__postgres_options *options)
{
    if (options->count + 1 < options->room)
        return true;
    int room = options->room == 0 ? 32 : options->room * 2;
    size_t size = (size_t)room * sizeof(char *);
    const char **keywords = dbal_driver_realloc(options->keywords, size);
    if (keywords == NULL)
        return false;
    options->keywords = keywords;
    const char **values = dbal_driver_realloc(options->values, size);
    if (values == NULL)
        return false;
    options->values = values;
    options->room = room;
    return true;
}

static void
take_away(dbal__postgres_options *options, int at)
{
    if (at < 0)
        return;
    drop(options, at);
    int last = --options->count;
    options->keywords[at] = options->keywords[last];
    options->values[at] = options->values[last];
    options->keywords[last] = options->values[last] = NULL;
}

bool
dbal__postgres_option_set(dbal__postgres_options *options, const char *keyword, const char *value)
{
    int at = find(options, keyword);
    if (value == NULL || value[0] == '\0') {
        take_away(options, at);
        return true;
    }
    size_t size = strlen(value) + 1, more = strlen(keyword) + 1;
    char *block = dbal_driver_alloc(size + more);
    if (block == NULL || (at < 0 && !grow(options))) {
        dbal_driver_free(block);
        return false;
    }
    memcpy(block, value, size);
    memcpy(block + size, keyword, more);
    if (at >= 0)
        drop(options, at);
    else
        at = options->count++;
    options->values[at] = block;
    options->keywords[at] = block + size;
    options->keywords[options->count] = options->values[options->count] = NULL;
    return true;
}

bool
dbal__postgres_option_default(dbal__postgres_options *options, const char *keyword,
                              const char *value)
{
    return find(options, keyword) >= 0 || dbal__postgres_option_set(options, keyword, value);
}

bool
dbal__postgres_options_copy(dbal__postgres_options *to, const dbal__postgres_options *from)
{
    *to = (dbal__postgres_options){0};
    for (int i = 0; i < from->count; i++) {
        if (dbal__postgres_option_set(to, from->keywords[i], from->values[i]))
            continue;
        dbal__postgres_options_fini(to);
        return false;
    }
    return true;
}

void
dbal__postgres_options_fini(dbal__postgres_options *options)
{
    for (int i = 0; i < options->count; i++)
        drop(options, i);
    dbal_driver_free(options->keywords);
    dbal_driver_free(options->values);
    *options = (dbal__postgres_options){0};
}
