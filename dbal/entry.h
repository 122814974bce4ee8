/*
 * The gate proves its own promise: each entry into a driver is checked against its declared
 * threadlevel, and against the order that driver.h promises, whatever the level: a library is set up
 * once, only what is open is used, and nothing is in a connection that is being closed. In release
 * builds nothing is left of it, unless they are made with -Dchecks=enabled.
 */
#ifndef DBAL__ENTRY_H
#define DBAL__ENTRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <dbal/driver.h>

/* What becomes of a connection. */
enum {
    DBAL__ENTRY_SHUT,
    DBAL__ENTRY_OPENING,
    DBAL__ENTRY_OPEN,
    DBAL__ENTRY_CLOSING,
    DBAL__ENTRY_GONE
};

/* One thing that the level speaks of: a driver (level 0), a connection (the others). */
typedef struct dbal__entry {
    atomic_uintptr_t inside; /* the thread that is in it now */
    atomic_uintptr_t home;   /* the only one that may be, once it was entered */
    atomic_int users;        /* calls that are in a connection; connections of a driver */
    atomic_int life;         /* of a connection, see above */
    atomic_int interrupters; /* of a connection */
    atomic_bool set_up;      /* of a driver: its library */
} dbal__entry;

/* What a breach does: default, says what happened on stderr and aborts. Tests set their own. */
typedef void dbal__breach_fn(const char *driver, const char *operation, const char *what,
                             uintptr_t this_thread, uintptr_t other_thread);
void dbal__entry_set_breach(dbal__breach_fn *breach);

#ifdef DBAL_CHECKS
/* Around each call in which a connection is used. */
void dbal__entry_begin(dbal__entry *whole, dbal__entry *connection, int threadlevel,
                       const char *driver, const char *operation);
void dbal__entry_end(dbal__entry *whole, dbal__entry *connection, int threadlevel);
/* The same for open(), which may fail, and for close(). */
void dbal__entry_open_begin(dbal__entry *whole, dbal__entry *connection, int threadlevel,
                            const char *driver);
void dbal__entry_open_end(dbal__entry *whole, dbal__entry *connection, int threadlevel, bool ok);
void dbal__entry_close_begin(dbal__entry *whole, dbal__entry *connection, int threadlevel,
                             const char *driver);
void dbal__entry_close_end(dbal__entry *whole, dbal__entry *connection, int threadlevel);
/* interrupt(), which alone may come from any thread while another is inside. */
void dbal__entry_interrupt_begin(dbal__entry *connection, const char *driver);
void dbal__entry_interrupt_end(dbal__entry *connection);
/* library_init(), which may fail, and library_exit(). */
void dbal__entry_library_begin(dbal__entry *whole, int threadlevel, const char *driver, bool init);
void dbal__entry_library_end(dbal__entry *whole, int threadlevel, bool set_up);
#else
#define dbal__entry_begin(whole, connection, threadlevel, driver, operation)                       \
    ((void)(whole), (void)(connection), (void)(threadlevel), (void)(driver), (void)(operation))
#define dbal__entry_end(whole, connection, threadlevel)                                            \
    ((void)(whole), (void)(connection), (void)(threadlevel))
#define dbal__entry_open_begin(whole, connection, threadlevel, driver)                             \
    ((void)(whole), (void)(connection), (void)(threadlevel), (void)(driver))
#define dbal__entry_open_end(whole, connection, threadlevel, ok)                                   \
    ((void)(whole), (void)(connection), (void)(threadlevel), (void)(ok))
#define dbal__entry_close_begin(whole, connection, threadlevel, driver)                            \
    ((void)(whole), (void)(connection), (void)(threadlevel), (void)(driver))
#define dbal__entry_close_end(whole, connection, threadlevel)                                      \
    ((void)(whole), (void)(connection), (void)(threadlevel))
#define dbal__entry_interrupt_begin(connection, driver) ((void)(connection), (void)(driver))
#define dbal__entry_interrupt_end(connection) ((void)(connection))
#define dbal__entry_library_begin(whole, threadlevel, driver, init)                                \
    ((void)(whole), (void)(threadlevel), (void)(driver), (void)(init))
#define dbal__entry_library_end(whole, threadlevel, set_up)                                        \
    ((void)(whole), (void)(threadlevel), (void)(set_up))
#endif

#endif
