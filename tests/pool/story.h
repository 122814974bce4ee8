/* What a pool's trace function was told, and whether it can be true. */
#ifndef TESTS_POOL_STORY_H
#define TESTS_POOL_STORY_H

#include <dbal.h>

enum { STORY_EVENTS = 4096, STORY_TEXT = 64 };

typedef struct story_event {
    dbal_phase phase;
    bool begins, failed;
    uint64_t id, session;
    double at, took;
    int64_t rows;
    char label[STORY_TEXT], sql[STORY_TEXT];
} story_event;

typedef struct story {
    size_t count;
    story_event events[STORY_EVENTS];
    void (*also)(const story_event *event); /* what else is done when it is told, or NULL */
} story;

/* A dbal_trace_fn; arg is the story. */
void story_add(const dbal_trace_event *event, void *arg);
/* As new. */
void story_clear(story *self);

/* The first event of a statement, or of a session by its label; fails the test when there is none. */
const story_event *story_find(const story *self, const char *sql);
/*
 * The events of what was told first of this name: `queue( queue) execute( execute)! `, with `!` for
 * what failed.
 */
const char *story_of(const story *self, const char *name);
/* The same by its id. */
const char *story_of_id(const story *self, uint64_t id);
/* How many events are of a phase's beginning. */
size_t story_begun(const story *self, dbal_phase phase);
/*
 * Each that began has ended, in order: its phases follow one another, time does not go back, and an
 * end says how long it was. Fails the test when not.
 */
void story_check(const story *self);

#endif
