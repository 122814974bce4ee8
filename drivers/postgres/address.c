#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "wait.h"

/* The most that may be under way at a time: those that hang are waited for by nobody. */
enum { LOOKUPS = 32 };
static atomic_int lookups;

/* What a thread looks up; it goes with the last of the two that know it. */
typedef struct lookup {
    atomic_int refs;
    int done;          /* an eventfd: readable when the answer is there */
    atomic_bool there; /* the same, for the memory that it is in */
    int code, number;  /* of getaddrinfo(), and errno with it */
    struct addrinfo *found;
    char name[];
} lookup;

static void
unref(lookup *one)
{
    if (atomic_fetch_sub(&one->refs, 1) != 1)
        return;
    if (one->found != NULL)
        freeaddrinfo(one->found);
    close(one->done);
    dbal_driver_free(one);
}

static lookup *
make(const char *name)
{
    size_t size = strlen(name) + 1;
    lookup *one = dbal_driver_alloc(sizeof *one + size);
    if (one == NULL)
        return NULL;
    memcpy(one->name, name, size);
    atomic_init(&one->refs, 2);
    one->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (one->done >= 0)
        return one;
    dbal_driver_free(one);
    return NULL;
}

static void *
look_up(void *arg)
{
    lookup *one = arg;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    one->code = getaddrinfo(one->name, NULL, &hints, &one->found);
    one->number = errno;
    atomic_store(&one->there, true);
    eventfd_write(one->done, 1);
    unref(one);
    atomic_fetch_sub(&lookups, 1);
    return NULL;
}

/* Detached, and deaf to all signals. 0, or an errno. */
static int
start(lookup *one)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    int code = pthread_attr_init(&attributes);
    if (code != 0)
        return code;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&thread, &attributes, look_up, one);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return code;
}

static lookup *
begin(const char *name, dbal__postgres_reason *reason)
{
    if (atomic_fetch_add(&lookups, 1) >= LOOKUPS) {
        atomic_fetch_sub(&lookups, 1);
        dbal__postgres_reason_set(reason, DBAL_ERROR_OPERATIONAL,
                                  "host \"%s\": %d look-ups of names are hanging already", name,
                                  LOOKUPS);
        return NULL;
    }
    lookup *one = make(name);
    int code = one != NULL ? start(one) : ENOMEM;
    if (code == 0)
        return one;
    atomic_fetch_sub(&lookups, 1);
    if (one != NULL) {
        atomic_store(&one->refs, 1);
        unref(one);
    }
    dbal__postgres_reason_set(reason, DBAL_ERROR_OPERATIONAL,
                              "host \"%s\": no thread to look it up: %s", name, strerror(code));
    return NULL;
}

static bool
add(dbal__postgres_addresses *addresses, const struct addrinfo *one)
{
    char *to = addresses->items[addresses->count];
    if (getnameinfo(one->ai_addr, one->ai_addrlen, to, DBAL__POSTGRES_ADDRESS, NULL, 0,
                    NI_NUMERICHOST) != 0)
        return false;
    for (int i = 0; i < addresses->count; i++)
        if (strcmp(addresses->items[i], to) == 0)
            return false;
    addresses->count++;
    return true;
}

static bool
reserve(dbal__postgres_addresses *addresses, size_t count, dbal__postgres_reason *reason)
{
    addresses->count = 0;
    addresses->items = dbal_driver_alloc(count * sizeof *addresses->items);
    if (addresses->items != NULL)
        return true;
    dbal__postgres_reason_set(reason, DBAL_ERROR_NO_MEMORY, "out of memory");
    return false;
}

/* A name that was there before is expected to come back: whoever runs the server may have taken it away. */
static bool
take(dbal__postgres_addresses *addresses, const lookup *one, bool again,
     dbal__postgres_reason *reason)
{
    size_t count = 0;
    if (!atomic_load(&one->there) || one->code != 0) {
        dbal__postgres_reason_set(
            reason, DBAL_ERROR_OPERATIONAL, "host \"%s\" cannot be looked up: %s", one->name,
            one->code == EAI_SYSTEM ? strerror(one->number) : gai_strerror(one->code));
        reason->passing = one->code != EAI_NONAME || again;
        return false;
    }
    for (struct addrinfo *each = one->found; each != NULL; each = each->ai_next)
        count++;
    if (!reserve(addresses, count, reason))
        return false;
    for (struct addrinfo *each = one->found; each != NULL; each = each->ai_next)
        add(addresses, each);
    return true;
}

/* Where it is without a look-up: "" for a socket's folder; NULL: it has to be looked up. */
static const char *
known_address(const dbal__postgres_host *host)
{
    struct in6_addr address;
    const char *name = host->name;
    if (host->address[0] != '\0')
        return host->address;
    if (name[0] == '\0' || name[0] == '/' || name[0] == '@')
        return "";
    return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1
               ? name
               : NULL;
}

static void
give_up(dbal__postgres_reason *reason, const char *name, dbal__postgres_wait how)
{
    bool stopped = how == DBAL__POSTGRES_STOPPED;
    dbal__postgres_reason_set(reason, stopped ? DBAL_ERROR_OPERATIONAL : DBAL_ERROR_TIMEOUT,
                              "host \"%s\" could not be looked up: %s", name,
                              stopped ? "it is not wanted any more" : "no answer in time");
}

bool
dbal__postgres_addresses_find(dbal__postgres_addresses *addresses, const dbal__postgres_host *host,
                              int64_t deadline, const dbal_opening *opening,
                              dbal__postgres_reason *reason)
{
    const char *known = known_address(host);
    if (known != NULL) {
        if (!reserve(addresses, 1, reason))
            return false;
        strncat(addresses->items[0], known, DBAL__POSTGRES_ADDRESS - 1);
        addresses->count = 1;
        return true;
    }
    lookup *one = begin(host->name, reason);
    if (one == NULL)
        return false;
    dbal__postgres_wait how = dbal__postgres_wait_for(one->done, POLLIN, deadline, opening);
    bool ok = how == DBAL__POSTGRES_READY && take(addresses, one, opening->again, reason);
    if (how != DBAL__POSTGRES_READY)
        give_up(reason, one->name, how);
    unref(one);
    return ok;
}

void
dbal__postgres_addresses_fini(dbal__postgres_addresses *addresses)
{
    dbal_driver_free(addresses->items);
    *addresses = (dbal__postgres_addresses){0};
}
