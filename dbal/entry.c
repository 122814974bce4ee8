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

/* Who may be inside, and with whom. */
static void
enter_level(dbal__entry *whole, dbal__entry *connection, int threadlevel, const char *driver,
            const char *operation)
{
    if (threadlevel <= 0)
        enter(whole, true, driver, operation);
    else if (threadlevel <= 2)
        enter(connection, threadlevel == 1, driver, operation);
}

static void
leave_level(dbal__entry *whole, dbal__entry *connection, int threadlevel)
{
    if (threadlevel <= 0)
        atomic_store(&whole->inside, 0);
    else if (threadlevel <= 2)
        atomic_store(&connection->inside, 0);
}

static const char *
why_not_open(int life)
{
    static const char *const why[] = {[DBAL__ENTRY_SHUT] = "the connection is not open",
                                      [DBAL__ENTRY_OPENING] = "the connection is being opened",
                                      [DBAL__ENTRY_OPEN] = "the connection is open already",
                                      [DBAL__ENTRY_CLOSING] = "the connection is being closed",
                                      [DBAL__ENTRY_GONE] = "the connection is closed"};
    return why[life];
}

void
dbal__entry_begin(dbal__entry *whole, dbal__entry *connection, int threadlevel, const char *driver,
                  const char *operation)
{
    enter_level(whole, connection, threadlevel, driver, operation);
    /* in this order: whoever closes says so first, and looks then who is here */
    atomic_fetch_add(&connection->users, 1);
    int life = atomic_load(&connection->life);
    if (life != DBAL__ENTRY_OPEN)
        report(driver, operation, why_not_open(life), atomic_load(&connection->home));
}

void
dbal__entry_end(dbal__entry *whole, dbal__entry *connection, int threadlevel)
{
    atomic_fetch_sub(&connection->users, 1);
    leave_level(whole, connection, threadlevel);
}

void
dbal__entry_open_begin(dbal__entry *whole, dbal__entry *connection, int threadlevel,
                       const char *driver)
{
    int life = DBAL__ENTRY_SHUT;
    enter_level(whole, connection, threadlevel, driver, "open");
    if (!atomic_compare_exchange_strong(&connection->life, &life, DBAL__ENTRY_OPENING))
        report(driver, "open", why_not_open(life), atomic_load(&connection->home));
    if (!atomic_load(&whole->set_up))
        report(driver, "open", "its library is not set up", atomic_load(&whole->home));
    atomic_fetch_add(&whole->users, 1);
}

void
dbal__entry_open_end(dbal__entry *whole, dbal__entry *connection, int threadlevel, bool ok)
{
    atomic_store(&connection->life, ok ? DBAL__ENTRY_OPEN : DBAL__ENTRY_GONE);
    if (!ok)
        atomic_fetch_sub(&whole->users, 1);
    leave_level(whole, connection, threadlevel);
}

void
dbal__entry_close_begin(dbal__entry *whole, dbal__entry *connection, int threadlevel,
                        const char *driver)
{
    enter_level(whole, connection, threadlevel, driver, "close");
    int life = atomic_exchange(&connection->life, DBAL__ENTRY_CLOSING);
    if (life != DBAL__ENTRY_OPEN)
        report(driver, "close", why_not_open(life), atomic_load(&connection->home));
    if (atomic_load(&connection->users) > 0)
        report(driver, "close", "something runs in the connection", atomic_load(&connection->home));
    if (atomic_load(&connection->interrupters) > 0)
        report(driver, "close", "something is being interrupted in the connection",
               atomic_load(&connection->home));
}

void
dbal__entry_close_end(dbal__entry *whole, dbal__entry *connection, int threadlevel)
{
    atomic_store(&connection->life, DBAL__ENTRY_GONE);
    atomic_fetch_sub(&whole->users, 1);
    leave_level(whole, connection, threadlevel);
}

void
dbal__entry_interrupt_begin(dbal__entry *connection, const char *driver)
{
    atomic_fetch_add(&connection->interrupters, 1);
    int life = atomic_load(&connection->life);
    if (life != DBAL__ENTRY_OPEN)
        report(driver, "interrupt", why_not_open(life), atomic_load(&connection->home));
    else if (atomic_load(&connection->users) == 0)
        report(driver, "interrupt", "nothing runs in the connection",
               atomic_load(&connection->home));
}

void
dbal__entry_interrupt_end(dbal__entry *connection)
{
    atomic_fetch_sub(&connection->interrupters, 1);
}

void
dbal__entry_library_begin(dbal__entry *whole, int threadlevel, const char *driver, bool init)
{
    const char *operation = init ? "library_init" : "library_exit";
    if (threadlevel <= 0)
        enter(whole, true, driver, operation);
    if (atomic_load(&whole->set_up) == init)
        report(driver, operation, init ? "it is set up already" : "it is not set up",
               atomic_load(&whole->home));
    if (!init && threadlevel <= 0)
        report(driver, operation, "at threadlevel 0 it stays set up", atomic_load(&whole->home));
    if (!init && atomic_load(&whole->users) > 0)
        report(driver, operation, "connections are open", atomic_load(&whole->home));
}

void
dbal__entry_library_end(dbal__entry *whole, int threadlevel, bool set_up)
{
    atomic_store(&whole->set_up, set_up);
    if (threadlevel <= 0)
        atomic_store(&whole->inside, 0);
}
#endif
