#include "check/secret.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *password;
static bool is_elsewhere; /* in a part of the URL that may be shown */

static bool
holds(const char *part, const char *text)
{
    return part != NULL && strstr(part, text) != NULL;
}

void
secret_keep(const dbal_url *url)
{
    const char *now = dbal_url_password(url);
    pthread_mutex_lock(&lock);
    free(password);
    password = now != NULL && strlen(now) > 3 ? strdup(now) : NULL;
    is_elsewhere = password != NULL &&
                   (holds(dbal_url_user(url), password) || holds(dbal_url_hosts(url), password) ||
                    holds(dbal_url_path(url), password));
    pthread_mutex_unlock(&lock);
}

bool
secret_hide(char *text)
{
    static const char instead[] = "***";
    bool any = false;
    pthread_mutex_lock(&lock);
    for (char *at = text; password != NULL && (at = strstr(at, password)) != NULL;) {
        char *rest = at + strlen(password);
        memcpy(at, instead, sizeof instead - 1);
        at += sizeof instead - 1;
        memmove(at, rest, strlen(rest) + 1);
        any = true;
    }
    bool shown = any && !is_elsewhere;
    pthread_mutex_unlock(&lock);
    return shown;
}
