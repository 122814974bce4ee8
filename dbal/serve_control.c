/*
 * What the application says beside its requests. It is heard while a request runs: to stop it, or
 * that a stream may go on. When the application is gone, so is the worker, whatever its driver does.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "dbal/serve.h"

/* How long the driver may take to end when the application has ended (ms). */
enum { GRACE = 2000 };

/* With the guard, so that it hits no other request than the one that is meant. */
static void
stop_current(dbal__server *server)
{
    if (server->request == NULL)
        return;
    atomic_store_explicit(&server->request->stopped, true, memory_order_release);
    if (server->interruptible)
        server->driver->blocking->interrupt(server->connection);
}

static void
hear(dbal__server *server, const dbal__frame *frame)
{
    pthread_mutex_lock(&server->guard);
    if (frame->kind == DBAL__FRAME_CANCEL)
        server->cancelled[frame->number % DBAL__SERVE_CANCELLED] = frame->number;
    if (frame->number != server->current)
        dbal__serve_rescue(server); /* it may have ended already */
    if (frame->number == server->current && server->current != 0) {
        if (frame->kind == DBAL__FRAME_CANCEL)
            stop_current(server);
        else if (frame->kind == DBAL__FRAME_ENOUGH)
            server->enough = true;
        else if (frame->kind == DBAL__FRAME_MORE)
            server->credit++;
        pthread_cond_broadcast(&server->changed);
    }
    pthread_mutex_unlock(&server->guard);
}

static void
on_alarm(dbal__server *server)
{
    uint64_t count;
    if (read(server->alarm, &count, sizeof count) < 0)
        return; /* it was set anew */
    pthread_mutex_lock(&server->guard);
    if (server->current == 0)
        server->late = true; /* what is held now goes before the next begins */
    else
        dbal__serve_rescue(server);
    pthread_mutex_unlock(&server->guard);
}

static void
leave(dbal__server *server)
{
    pthread_mutex_lock(&server->guard);
    server->gone = true;
    stop_current(server);
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->guard);
    /* the main thread sees it too, when the driver lets it, and ends the process */
    shutdown(server->data, SHUT_RDWR);
    poll(NULL, 0, GRACE);
    dbal__serve_end();
    _exit(1);
}

static void *
listen_on(void *arg)
{
    dbal__server *server = arg;
    for (;;) {
        struct pollfd all[] = {{.fd = server->control, .events = POLLIN},
                               {.fd = server->parent, .events = POLLIN},
                               {.fd = server->alarm, .events = POLLIN}};
        dbal__frame frame;
        if (poll(all, 3, -1) < 0 && errno == EINTR)
            continue;
        if (all[1].revents != 0)
            break;
        if (all[2].revents != 0)
            on_alarm(server);
        if (all[0].revents == 0)
            continue;
        ssize_t got = recv(server->control, &frame, sizeof frame, MSG_WAITALL);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != (ssize_t)sizeof frame)
            break;
        hear(server, &frame);
    }
    leave(server);
    return NULL;
}

bool
dbal__serve_listen(dbal__server *server)
{
    pthread_t thread;
    server->alarm = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (dbal__thread_start(&thread, listen_on, server) != 0)
        return false;
    pthread_detach(thread);
    return true;
}

bool
dbal__serve_set_current(dbal__server *server, uint64_t number, dbal_request *request)
{
    if (number != 0)
        atomic_store_explicit(&server->mark->begun, number, memory_order_release);
    pthread_mutex_lock(&server->guard);
    if (number != 0 && server->late) {
        server->late = false;
        dbal__serve_flush(server);
    }
    server->current = number;
    server->request = request;
    server->credit = DBAL__SERVE_WINDOW;
    server->enough = false;
    bool stopped = number != 0 &&
                   (server->gone || server->cancelled[number % DBAL__SERVE_CANCELLED] == number);
    pthread_mutex_unlock(&server->guard);
    return !stopped;
}

bool
dbal__serve_await_credit(dbal__server *server)
{
    pthread_mutex_lock(&server->guard);
    while (server->credit == 0 && !server->enough && !server->gone &&
           !dbal_request_stopped(server->request))
        pthread_cond_wait(&server->changed, &server->guard);
    bool wanted = !server->enough && !server->gone && !dbal_request_stopped(server->request);
    if (wanted)
        server->credit--;
    pthread_mutex_unlock(&server->guard);
    return wanted;
}
