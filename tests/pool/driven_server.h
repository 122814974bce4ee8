/*
 * A database in driven time, `driven:`: connects, answers and closes come by the loop's clock, on the
 * loop's thread, as a seed has it; so that years pass in seconds, and pass again the same way. What
 * the loop would give to a helper thread comes here: its program wraps dbal__helpers_send().
 */
#ifndef TESTS_POOL_DRIVEN_SERVER_H
#define TESTS_POOL_DRIVEN_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "dbal/clock.h"
#include "tests/lib/chance.h"

typedef enum driven_mood {
    DRIVEN_WELL,
    DRIVEN_SLOW,   /* connects take longer than some programs wait, answers a second */
    DRIVEN_DOWN,   /* refuses connects, and what was open is lost */
    DRIVEN_SILENT, /* nothing comes back, until the network says so */
    DRIVEN_FULL,   /* takes no more connections */
    DRIVEN_LOCKED, /* wrong password */
    DRIVEN_MOODS
} driven_mood;

typedef struct driven_server {
    chance luck;
    driven_mood mood;
    dbal__clock *clock;
    int live;       /* connections open, attached or not */
    int errands;    /* connects and closes on their way */
    int most;       /* live at once, ever */
    uint64_t ended; /* statements */
    /* Whether a statement of a session, or of none (0), may run where one of another ran last. */
    bool (*may_follow)(int64_t last, int64_t next);
    /* A session's statement runs on that connection. */
    void (*works)(int64_t session, unsigned connection);
} driven_server;

extern driven_server server;

void driven_server_register(void);
/* `look` reads; `work $1` is session $1's; `setting` leaves a session changed. */
void driven_server_begin(const chance *luck, dbal__clock *clock);
/* From now on; what is open may be lost by it. */
void driven_server_change(driven_mood mood);

#endif
