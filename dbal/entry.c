#include "dbal/entry.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void
say_and_abort(const char *driver, const char *operation, const char *what, uintptr_t this_thread,
              uintptr_t other_thread)
{
    fprintf(stderr,
            "dbal: threadlevel breach in driver %s, %s: %s (this thread %#lx, other %#lx)\n",
            driver, operation, what, (unsigned long)this_thread, (unsigned long)other_thread);
    abort();
}

static _Atomic(dbal__breach_fn *) breach_fn = say_and_abort;

void
dbal__entry_set_breach(dbal__breach_fn *breach)
{
    atomic_store(&breach_fn, breach != NULL ? breach : say_and_abort);
}

#ifdef DBAL_CHECKS
static void
report(const char *driver, const char *operation, const char *what, uintptr_t other)
{
    atomic_load (&breach_fn)(driver, operation, what, (uintptr_t)pthread_self(), other);
}

static void
enter(dbal__entry *entry, bool pinned, const char *driver, const char *operation)
{
    uintptr_t self = (uintptr_t)pthread_self();
    uintptr_t nobody = 0;
    if (!atomic_compare_exchange_strong(&entry->inside, &nobody, self))
        report(driver, operation,
               nobody == self ? "it was entered again from inside"
                              : "another thread is inside at the same time",
               nobody);
    uintptr_t home = 0;
    if (pinned && !atomic_compare_exchange_strong(&entry->home, &home, self) && home != self)
        report(driver, operation, "it belongs to another thread", home);
}

void
dbal__entry_begin(dbal__entry *whole, dbal__entry *connection, int threadlevel, const char *driver,
                  const char *operation)
{
    if (threadlevel <= 0)
        enter(whole, true, driver, operation);
    else if (threadlevel <= 2)
        enter(connection, threadlevel == 1, driver, operation);
}

void
dbal__entry_end(dbal__entry *whole, dbal__entry *connection, int threadlevel)
{
    if (threadlevel <= 0)
        atomic_store(&whole->inside, 0);
    else if (threadlevel <= 2)
        atomic_store(&connection->inside, 0);
}
#endif
