/*
 * The gate proves its own promise: each entry into a driver is checked against its declared
 * threadlevel. In release builds nothing is left of it.
 */
#ifndef DBAL__ENTRY_H
#define DBAL__ENTRY_H

#include <stdatomic.h>
#include <stdint.h>

#include <dbal/driver.h>

/* One thing that the level speaks of: a driver (level 0), a connection (1 and 2). */
typedef struct dbal__entry {
    atomic_uintptr_t inside; /* the thread that is in it now */
    atomic_uintptr_t home;   /* the only one that may be, once it was entered */
} dbal__entry;

/* What a breach does: default, says what happened on stderr and aborts. Tests set their own. */
typedef void dbal__breach_fn(const char *driver, const char *operation, const char *what,
                             uintptr_t this_thread, uintptr_t other_thread);
void dbal__entry_set_breach(dbal__breach_fn *breach);

#ifdef DBAL_CHECKS
void dbal__entry_begin(dbal__entry *whole, dbal__entry *connection, int threadlevel,
                       const char *driver, const char *operation);
void dbal__entry_end(dbal__entry *whole, dbal__entry *connection, int threadlevel);
#else
static inline void
dbal__entry_begin(dbal__entry *whole, dbal__entry *connection, int threadlevel, const char *driver,
                  const char *operation)
{
    (void)whole;
    (void)connection;
    (void)threadlevel;
    (void)driver;
    (void)operation;
}
static inline void
dbal__entry_end(dbal__entry *whole, dbal__entry *connection, int threadlevel)
{
    (void)whole;
    (void)connection;
    (void)threadlevel;
}
#endif

#endif
