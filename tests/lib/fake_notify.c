#include "tests/lib/fake_notify.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/fake_run.h"

/* with the lock; the place of a channel, or of "" for a free one; NULL: there is none */
static char *
find(fake_hearer *hearer, const char *channel)
{
    for (int i = 0; i < FAKE_CHANNELS; i++) {
        if (strcmp(hearer->channels[i], channel) == 0)
            return hearer->channels[i];
    }
    return NULL;
}

static bool
listen(fake_run *run, const char *channel)
{
    fake_script *script = run->session->script;
    fake_hearer *hearer = &run->session->hearer;
    pthread_mutex_lock(&script->lock);
    char *place = find(hearer, channel);
    if (place == NULL)
        place = find(hearer, "");
    if (place != NULL)
        snprintf(place, FAKE_CHANNEL, "%s", channel);
    if (place != NULL && !hearer->listed) {
        hearer->listed = true;
        hearer->next = script->hearers;
        script->hearers = hearer;
    }
    pthread_mutex_unlock(&script->lock);
    return place != NULL;
}

void
fake_hearer_end(fake_hearer *hearer, fake_script *script)
{
    pthread_mutex_lock(&script->lock);
    for (fake_hearer **at = &script->hearers; *at != NULL; at = &(*at)->next) {
        if (*at == hearer) {
            *at = hearer->next;
            break;
        }
    }
    hearer->listed = false;
    pthread_mutex_unlock(&script->lock);
}

/* A name without its quotes. */
static void
take_channel(fake_run *run, char *ret_channel)
{
    char quoted[FAKE_CHANNEL], *to = ret_channel;
    fake_run_text(run, quoted, sizeof quoted);
    for (const char *from = quoted; *from != '\0'; from++) {
        if (*from == '"' && (from == quoted || from[1] != '"'))
            continue;
        *to++ = *from;
        from += *from == '"';
    }
    *to = '\0';
}

void
fake_run_listen(fake_run *run)
{
    char channel[FAKE_CHANNEL];
    take_channel(run, channel);
    if (strcmp(channel, "forbidden") == 0)
        fake_run_fail(run, DBAL_ERROR_OPERATIONAL, "25006", "the fake does not let it listen");
    else if (run->session->hearer.tell == NULL || !listen(run, channel))
        fake_run_fail(run, DBAL_ERROR_NOT_SUPPORTED, "0A000", "nobody hears here");
}

void
fake_script_lose_hearers(fake_script *script)
{
    pthread_mutex_lock(&script->lock);
    for (fake_hearer *one = script->hearers; one != NULL; one = one->next)
        one->lose(one->arg);
    pthread_mutex_unlock(&script->lock);
}

void
fake_run_unlisten(fake_run *run)
{
    char channel[FAKE_CHANNEL];
    fake_script *script = run->session->script;
    take_channel(run, channel);
    pthread_mutex_lock(&script->lock);
    char *place = find(&run->session->hearer, channel);
    if (place != NULL)
        place[0] = '\0';
    pthread_mutex_unlock(&script->lock);
}

void
fake_run_notify(fake_run *run)
{
    char channel[FAKE_CHANNEL], payload[8001];
    fake_script *script = run->session->script;
    take_channel(run, channel);
    fake_run_text(run, payload, sizeof payload);
    pthread_mutex_lock(&script->lock);
    for (fake_hearer *one = script->hearers; one != NULL; one = one->next) {
        if (find(one, channel) != NULL)
            one->tell(one->arg, channel, payload);
    }
    pthread_mutex_unlock(&script->lock);
}
