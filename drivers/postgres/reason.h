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

/*
 * Of libpq's message, in its verbose form and in English. `secrets`, NULL at the end, may be said by
 * no text; a short one is not looked for: what stood in its place would tell it.
 */
void dbal__postgres_reason_read(dbal__postgres_reason *reason, const char *message,
                                const char *const *secrets);
/* One of the driver's own: 08001 and passing. */
void dbal__postgres_reason_set(dbal__postgres_reason *reason, dbal_error_class error_class,
                               const char *format, ...) DBAL_PRINTF(3, 4);

#endif
