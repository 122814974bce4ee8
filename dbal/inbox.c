#include "dbal/inbox.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dbal/alloc.h"
#include "dbal/clock.h"

/* the head of a closed inbox */
static dbal__message closed;

dbal__inbox *
dbal__inbox_new(void)
{
    dbal__inbox *inbox = dbal__alloc(sizeof *inbox);
    if (inbox == NULL)
        return NULL;
    inbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (inbox->fd < 0) {
        dbal__free(inbox);
        return NULL;
    }
    atomic_init(&inbox->refs, 1);
    atomic_init(&inbox->head, NULL);
    atomic_init(&inbox->signalled, false);
    return inbox;
}

dbal__inbox *
dbal__inbox_ref(dbal__inbox *inbox)
{
    atomic_fetch_add_explicit(&inbox->refs, 1, memory_order_relaxed);
    return inbox;
}

void
dbal__inbox_unref(dbal__inbox *inbox)
{
    if (inbox == NULL || atomic_fetch_sub_explicit(&inbox->refs, 1, memory_order_acq_rel) != 1)
        return;
    close(inbox->fd);
    dbal__free(inbox);
}

bool
dbal__inbox_push(dbal__inbox *inbox, dbal__message *message)
{
    dbal__message *head = atomic_load_explicit(&inbox->head, memory_order_relaxed);
    do {
        if (head == &closed)
            return false;
        message->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&inbox->head, &head, message,
                                                    memory_order_release, memory_order_relaxed));
    return true;
}

void
dbal__inbox_wake(dbal__inbox *inbox)
{
    /* either the loop's take sees the message, or this sees that it has acknowledged */
    if (atomic_exchange(&inbox->signalled, true))
        return;
    uint64_t one = 1;
    ssize_t written = write(inbox->fd, &one, sizeof one);
    (void)written; /* fails only when the counter is full, and then the loop is awake */
}

void
dbal__inbox_acknowledge(dbal__inbox *inbox)
{
    uint64_t count;
    ssize_t got = read(inbox->fd, &count, sizeof count);
    (void)got;
    /* an exchange, not a store: it must see what was pushed before the signal that it forgets */
    atomic_exchange(&inbox->signalled, false);
}

void
dbal__inbox_sleep(dbal__inbox *inbox, int64_t deadline)
{
    struct pollfd one = {.fd = inbox->fd, .events = POLLIN};
    struct timespec left = {0, 0};
    int64_t rest = deadline == INT64_MAX ? INT64_MAX : deadline - dbal__monotonic();
    if (rest > 0)
        left =
            (struct timespec){(time_t)(rest / 1000000000 < 1000000 ? rest / 1000000000 : 1000000),
                              (long)(rest % 1000000000)};
    if (ppoll(&one, 1, &left, NULL) > 0)
        dbal__inbox_acknowledge(inbox);
}

static dbal__message *
reversed(dbal__message *message)
{
    dbal__message *oldest = NULL;
    while (message != NULL && message != &closed) {
        dbal__message *next = message->next;
        message->next = oldest;
        oldest = message;
        message = next;
    }
    return oldest;
}

dbal__message *
dbal__inbox_take(dbal__inbox *inbox)
{
    dbal__message *head = atomic_load_explicit(&inbox->head, memory_order_relaxed);
    if (head == NULL || head == &closed)
        return NULL;
    return reversed(atomic_exchange(&inbox->head, NULL));
}

dbal__message *
dbal__inbox_close(dbal__inbox *inbox)
{
    return reversed(atomic_exchange(&inbox->head, &closed));
}
