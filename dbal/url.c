#include "dbal/url.h"

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/url_parse.h"

void
dbal__url_free(dbal_url *url)
{
    if (url == NULL)
        return;
    if (url->memory != NULL)
        explicit_bzero(url->memory, url->memory_size); /* a password may be in it */
    dbal__free(url->memory);
    dbal__free(url->parameters.items);
    dbal__free(url->settings.items);
    dbal__free(url);
}

const char *
dbal_url_scheme(const dbal_url *url)
{
    return url->scheme;
}

const char *
dbal_url_path(const dbal_url *url)
{
    return url->path;
}

const char *
dbal_url_user(const dbal_url *url)
{
    return url->user;
}

const char *
dbal_url_password(const dbal_url *url)
{
    return url->password;
}

const char *
dbal_url_hosts(const dbal_url *url)
{
    return url->hosts;
}

size_t
dbal_url_parameter_count(const dbal_url *url)
{
    return url->parameters.count;
}

const char *
dbal_url_parameter_name(const dbal_url *url, size_t index)
{
    return index < url->parameters.count ? url->parameters.items[index].name : NULL;
}

const char *
dbal_url_parameter(const dbal_url *url, const char *name)
{
    for (size_t i = 0; i < url->parameters.count; i++)
        if (strcmp(url->parameters.items[i].name, name) == 0)
            return url->parameters.items[i].value;
    return NULL;
}

size_t
dbal__url_setting_count(const dbal_url *url)
{
    return url->settings.count;
}

const char *
dbal__url_setting_name(const dbal_url *url, size_t index)
{
    return index < url->settings.count ? url->settings.items[index].name : NULL;
}

const char *
dbal__url_setting_value(const dbal_url *url, size_t index)
{
    return index < url->settings.count ? url->settings.items[index].value : NULL;
}

bool
dbal_url_pools_transactions(const dbal_url *url)
{
    return url->pools_transactions;
}

void
dbal__url_set_pools_transactions(dbal_url *url, bool pools)
{
    url->pools_transactions = pools;
}
