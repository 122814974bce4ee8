/* Errors: immutable once made; a fault is one being put together. */
#ifndef DBAL__ERROR_H
#define DBAL__ERROR_H

#include <dbal/driver.h>
#include <dbal/error.h>

struct dbal_fault {
    dbal_error *error; /* NULL: not set */
    bool needs_token;
};

#define DBAL__FAULT_INIT                                                                           \
    {                                                                                              \
        NULL, false                                                                                \
    }

/* The error of a class that cannot fail to be made: constant, its message general. */
dbal_error *dbal__error_constant(dbal_error_class error_class, dbal_execution execution);

/* dbal_error_new() with what the core knows; never NULL. */
dbal_error *dbal__error_make(dbal_error_class error_class, const char *sqlstate,
                             dbal_execution execution, const char *format, ...) DBAL_PRINTF(4, 5);

/* Sets *ret_error, when there is such a place, to a new error of a class. */
void dbal__error_give(dbal_error **ret_error, dbal_error *error);

/* A copy of its own, with another execution; the error is borrowed. */
dbal_error *dbal__error_copy(dbal_error *error, dbal_execution execution);
/* The same error, or a copy when its execution is another; takes over the reference. */
dbal_error *dbal__error_with_execution(dbal_error *error, dbal_execution execution);

/* A new error of another class and message, with `cause` (borrowed, may be NULL) under it. */
dbal_error *dbal__error_because(dbal_error *cause, dbal_error_class error_class,
                                const char *sqlstate, dbal_execution execution, const char *format,
                                ...) DBAL_PRINTF(5, 6);

/* No thread could be started for a connection: an errno. */
dbal_error *dbal__error_no_thread(int code);
/* A connection that is gone; the cause is borrowed and may be NULL. */
dbal_error *dbal__error_lost(dbal_error *cause, dbal_execution execution);

/* These change a fresh error, which nobody else has seen yet. */
void dbal__error_set_retryable(dbal_error *error);
void dbal__error_set_hint(dbal_error *error, const char *text);
void dbal__error_set_position(dbal_error *error, int position);

/* Where it came from (the label or SQL of a statement), for the log alone; copied, cut short. */
void dbal__error_set_where(dbal_error *error, const char *where);
/* Puts the program's own name for it before the message; keeps it as it is without memory. */
void dbal__error_set_label(dbal_error *error, const char *label);
const char *dbal__error_where(const dbal_error *error);

/* Takes the error out of a fault; one that was never set gives INTERNAL. Never NULL. */
dbal_error *dbal__fault_take(dbal_fault *fault);

#endif
