#include <string.h>

#include "connection.h"
#include "lost.h"

enum { SOCKET = 0 /* the slot it is watched in */ };

void
dbal__postgres_watch(dbal__postgres_connection *self)
{
    int fd = PQsocket(self->pg);
    if (self->lost)
        return;
    if (fd < 0 || self->ended) { /* libpq has closed it: its number may be another's soon */
        if (self->watched != 0)
            dbal_host_unwatch(self->host, SOCKET);
        self->watched = 0;
        return;
    }
    unsigned wanted = (dbal__postgres_is_held_back(self) ? 0u : DBAL_READABLE) |
                      (self->flushing ? DBAL_WRITABLE : 0u);
    if (wanted == self->watched)
        return;
    self->watched = wanted;
    if (wanted != 0)
        dbal_host_watch(self->host, SOCKET, fd, wanted);
    else
        dbal_host_unwatch(self->host, SOCKET);
}

/*
 * What OpenSSL has decrypted and libpq has not asked for: no event will tell of it. libpq up to
 * 15.18 asks once for each event.
 */
static int
pending(const dbal__postgres_connection *self)
{
    void *ssl = PQsslStruct(self->pg, "OpenSSL");
    return ssl != NULL && self->newer->ssl_pending != NULL ? self->newer->ssl_pending(ssl) : 0;
}

void
dbal__postgres_consume(dbal__postgres_connection *self)
{
    if (self->ended)
        return;
    bool ok = PQconsumeInput(self->pg) != 0;
    if (ok && PQsslInUse(self->pg)) {
        while (ok && pending(self) > 0)
            ok = PQconsumeInput(self->pg) != 0;
    }
    self->ended = !ok || PQstatus(self->pg) == CONNECTION_BAD;
}

void
dbal__postgres_notify(dbal__postgres_connection *self)
{
    PGnotify *told;
    while (!self->lost && (told = PQnotifies(self->pg)) != NULL) {
        dbal_host_notify(self->host, told->relname, told->extra, told->be_pid);
        PQfreemem(told);
    }
}

/*
 * libpq reads when it cannot send all at once: what has come with that no event will tell of, unless
 * more of it comes.
 */
static void
look_for_answers(dbal__postgres_connection *self)
{
    if (PQsslInUse(self->pg) && pending(self) > 0)
        dbal__postgres_consume(self);
    bool awaited =
        dbal__postgres_expect_reading(&self->expect) != NULL && !dbal__postgres_is_held_back(self);
    if (awaited && !PQisBusy(self->pg))
        dbal__postgres_wake(self);
}

void
dbal__postgres_flush(dbal__postgres_connection *self)
{
    int left = PQflush(self->pg);
    self->flushing = left > 0;
    self->ended = self->ended || left < 0;
    if (!self->ended)
        look_for_answers(self);
}

void
dbal__postgres_wake(dbal__postgres_connection *self)
{
    if (self->waking || self->host == NULL)
        return;
    self->waking = true;
    dbal_host_wake(self->host);
}

/*
 * What a server answers with FATAL is the last thing it does: what stands behind was never begun.
 * A pooler's word is not as good, since it may have passed that on already, and one that is not known
 * of, as it pools sessions, may give up a server that goes on with what it has.
 */
static void
spare_others(dbal__postgres_connection *self)
{
    dbal__postgres_expect *expect = &self->expect;
    if (self->answer.fatal[0] == '\0' || !self->answer.own_word || self->config->pooler)
        return;
    for (uint32_t i = expect->read; i != expect->end; i++) {
        dbal__postgres_expected *item = dbal__postgres_expect_at(expect, i);
        if (item->reply != DBAL__POSTGRES_REPLY_QUERY || item->failed || item->answered)
            continue;
        dbal__postgres_lost_before(dbal_request_fault(item->request), self->answer.fatal, true);
        item->failed = true;
    }
}

/* Those whose own fate is known end with it; the core sees to the others. */
static void
end_known(dbal__postgres_connection *self)
{
    dbal__postgres_expect *expect = &self->expect;
    for (uint32_t i = expect->settled; i != expect->end; i++) {
        dbal__postgres_expected *item = dbal__postgres_expect_at(expect, i);
        if (item->reply != DBAL__POSTGRES_REPLY_QUERY || !item->failed)
            continue;
        dbal_request *request = item->request;
        item->request = NULL;
        dbal_fault_set_connection_lost(dbal_request_fault(request), true);
        dbal_request_finish(request, false);
    }
}

void
dbal__postgres_lose(dbal__postgres_connection *self, const char *why)
{
    if (self->lost)
        return;
    self->lost = true;
    dbal_host_unwatch(self->host, SOCKET);
    spare_others(self);
    end_known(self);
    dbal__postgres_copy_lost(self);
    dbal_fault *fault = dbal_host_lost(self->host);
    if (why != NULL)
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08006", "%s", why);
    else
        dbal__postgres_lost(fault, self->pg, &self->notices, self->answer.fatal);
    dbal_fault_set_connection_lost(fault, true);
}
