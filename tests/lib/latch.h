/* Something that threads wait for: it opens once and stays open. */
#ifndef TESTS_LIB_LATCH_H
#define TESTS_LIB_LATCH_H

#include <pthread.h>
#include <stdbool.h>

typedef struct latch {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool open;
} latch;

#define LATCH_INIT                                                                                 \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false                                 \
    }

void latch_close(latch *one);
void latch_open(latch *one);
bool latch_is_open(latch *one);
/* Ends the program when it does not open in half a minute. */
void latch_wait(latch *one);
/* latch_is_open() for loop_fixture_until(). */
bool latch_opened(void *one);

#endif
