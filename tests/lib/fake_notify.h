/* Who hears of what is said with NOTIFY: the sessions that listen, of all connections of a script. */
#ifndef TESTS_LIB_FAKE_NOTIFY_H
#define TESTS_LIB_FAKE_NOTIFY_H

#include <stdbool.h>

enum { FAKE_CHANNELS = 8, FAKE_CHANNEL = 64 };

typedef struct fake_hearer {
    struct fake_hearer *next;
    bool listed;
    /* under the script's lock, in the thread of who notifies; NULL: this one cannot hear */
    void (*tell)(void *arg, const char *channel, const char *payload);
    void (*lose)(void *arg); /* the same: its connection is to end */
    void *arg;
    char channels[FAKE_CHANNELS][FAKE_CHANNEL]; /* "" for none */
} fake_hearer;

struct fake_script;
/* Hears nothing more. */
void fake_hearer_end(fake_hearer *hearer, struct fake_script *script);

#endif
