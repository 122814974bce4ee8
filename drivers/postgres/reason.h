/* Why one attempt to connect failed: what libpq says of it, taken apart. */
#ifndef DBAL__POSTGRES_REASON_H
#define DBAL__POSTGRES_REASON_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/driver.h>

enum { DBAL__POSTGRES_REASON = 640, DBAL__POSTGRES_REASON_MORE = 320 };

typedef struct dbal__postgres_reason {
    dbal_error_class error_class;
    char sqlstate[6];
    bool passing; /* another time it may succeed */
    bool final;   /* the server was reached and has answered: others are not tried, as with libpq */
    bool unfit;   /* it is none that target_session_attrs asks for */
    char text[DBAL__POSTGRES_REASON]; /* one line, cut short */
    char detail[DBAL__POSTGRES_REASON_MORE], hint[DBAL__POSTGRES_REASON_MORE]; /* "": none */
} dbal__postgres_reason;

/* What a message does not say, or must not. */
typedef struct dbal__postgres_context {
    const char *name, *address; /* libpq knows a host by its address alone, when it is given one */
    /* passwords, NULL at the end; a short one is not looked for: what is put in its place tells it */
    const char *secrets[3];
} dbal__postgres_context;

/* Of libpq's message, in its verbose form and in English; the context may be NULL. */
void dbal__postgres_reason_read(dbal__postgres_reason *reason, const char *message,
                                const dbal__postgres_context *context);
/* One of the driver's own: 08001 and passing. */
void dbal__postgres_reason_set(dbal__postgres_reason *reason, dbal_error_class error_class,
                               const char *format, ...) DBAL_PRINTF(3, 4);

#endif
