#include "hop.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dbal/futex.h"
#include "place.h"

static bench_item *
reversed(bench_item *item)
{
    bench_item *oldest = NULL;
    while (item != NULL) {
        bench_item *next = item->next;
        item->next = oldest;
        oldest = item;
        item = next;
    }
    return oldest;
}

void
bench_hop_flush(bench_hop *hop)
{
    if (hop->fresh == NULL)
        return;
    /* one chain for all; the thread turns round what it takes, so they go in turned round */
    bench_item *oldest = hop->fresh, *newest = reversed(oldest);
    hop->fresh = NULL;
    hop->fresh_end = &hop->fresh;
    bench_item *down = atomic_load_explicit(&hop->down, memory_order_relaxed);
    do {
        oldest->next = down;
    } while (!atomic_compare_exchange_weak(&hop->down, &down, newest));
    if (atomic_load(&hop->parked) == 1 && atomic_exchange(&hop->parked, 0) == 1)
        dbal__futex_wake(&hop->parked);
}

static void
send_back(bench_hop *hop, bench_item *newest, bench_item *oldest)
{
    bench_item *up = atomic_load_explicit(&hop->up, memory_order_relaxed);
    do {
        oldest->next = up;
    } while (!atomic_compare_exchange_weak(&hop->up, &up, newest));
    uint64_t one = 1;
    if (up == NULL && write(hop->watch.fd, &one, sizeof one) < 0)
        bench_fail("an eventfd cannot be written");
}

/* Works on one batch and sends it back as a whole. */
static void
work_on(bench_hop *hop, bench_item *batch)
{
    bool shared = hop->open != NULL && batch->next != NULL;
    bench_item *newest = NULL, *oldest = batch;
    if (shared)
        hop->open();
    while (batch != NULL) {
        bench_item *next = batch->next;
        hop->work(batch);
        batch->next = newest;
        newest = batch;
        batch = next;
    }
    if (shared)
        hop->close();
    send_back(hop, newest, oldest);
}

static void *
live(void *arg)
{
    bench_hop *hop = arg;
    for (;;) {
        bench_item *batch = reversed(atomic_exchange(&hop->down, NULL));
        if (batch != NULL) {
            work_on(hop, batch);
            continue;
        }
        if (atomic_load(&hop->stopping))
            return NULL;
        atomic_store(&hop->parked, 1);
        while (atomic_load(&hop->down) == NULL && !atomic_load(&hop->stopping) &&
               atomic_load(&hop->parked) == 1)
            dbal__futex_wait(&hop->parked, 1, INT64_MAX);
        atomic_store(&hop->parked, 0);
    }
}

static void
on_back(struct ev_loop *loop, ev_io *watcher, int events)
{
    bench_hop *hop = watcher->data;
    uint64_t count;
    (void)loop, (void)events;
    if (read(watcher->fd, &count, sizeof count) < 0)
        return;
    bench_item *item = reversed(atomic_exchange(&hop->up, NULL));
    while (item != NULL) {
        bench_item *next = item->next;
        hop->done(item);
        item = next;
    }
    bench_hop_flush(hop);
}

void
bench_hop_begin(bench_hop *hop, struct ev_loop *loop, void (*work)(bench_item *item),
                void (*done)(bench_item *item))
{
    *hop = (bench_hop){.loop = loop, .work = work, .done = done};
    hop->fresh_end = &hop->fresh;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        bench_fail("no eventfd");
    ev_io_init(&hop->watch, on_back, fd, EV_READ);
    hop->watch.data = hop;
    ev_io_start(loop, &hop->watch);
    if (pthread_create(&hop->thread, NULL, live, hop) != 0)
        bench_fail("no thread");
}

void
bench_hop_share(bench_hop *hop, void (*open)(void), void (*close)(void))
{
    hop->open = open;
    hop->close = close;
}

void
bench_hop_end(bench_hop *hop)
{
    atomic_store(&hop->stopping, true);
    atomic_store(&hop->parked, 0);
    dbal__futex_wake(&hop->parked);
    pthread_join(hop->thread, NULL);
    ev_io_stop(hop->loop, &hop->watch);
    close(hop->watch.fd);
}
