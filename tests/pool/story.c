#include "tests/pool/story.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void
story_clear(story *self)
{
    self->count = 0;
    self->also = NULL;
}

void
story_add(const dbal_trace_event *event, void *arg)
{
    story *self = arg;
    ck_assert_uint_eq(event->size, sizeof *event);
    ck_assert_uint_lt(self->count, STORY_EVENTS);
    story_event *one = &self->events[self->count++];
    *one = (story_event){
        .phase = event->phase,
        .begins = event->begins,
        .failed = event->error != NULL,
        .id = event->id,
        .session = event->session,
        .at = event->at,
        .took = event->took,
        .rows = event->rows,
    };
    if (event->error != NULL)
        ck_assert_str_ne(dbal_error_message(event->error), "");
    snprintf(one->label, sizeof one->label, "%s", event->label != NULL ? event->label : "");
    snprintf(one->sql, sizeof one->sql, "%s", event->sql != NULL ? event->sql : "");
    if (self->also != NULL)
        self->also(one);
}

const story_event *
story_find(const story *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++) {
        const story_event *one = &self->events[i];
        if (strcmp(one->sql[0] != '\0' ? one->sql : one->label, name) == 0)
            return one;
    }
    ck_abort_msg("nothing was told of %s", name);
    return NULL;
}

const char *
story_of_id(const story *self, uint64_t id)
{
    static char texts[4][512];
    static unsigned next;
    char *text = texts[next++ % 4];
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < self->count && at < sizeof texts[0]; i++) {
        const story_event *one = &self->events[i];
        if (one->id == id)
            at += (size_t)snprintf(text + at, sizeof texts[0] - at, "%s%c%s ",
                                   dbal_phase_name(one->phase), one->begins ? '(' : ')',
                                   one->failed ? "!" : "");
    }
    return text;
}

const char *
story_of(const story *self, const char *name)
{
    return story_of_id(self, story_find(self, name)->id);
}

size_t
story_begun(const story *self, dbal_phase phase)
{
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        count += self->events[i].begins && self->events[i].phase == phase;
    return count;
}

/* The event before this one of the same id, or NULL. */
static const story_event *
before(const story *self, size_t index)
{
    for (size_t i = index; i-- > 0;) {
        if (self->events[i].id == self->events[index].id)
            return &self->events[i];
    }
    return NULL;
}

static bool
is_last(const story *self, size_t index)
{
    for (size_t i = index + 1; i < self->count; i++) {
        if (self->events[i].id == self->events[index].id)
            return false;
    }
    return true;
}

/* A phase that may follow another. */
static bool
may_follow(const story_event *last, const story_event *one)
{
    if (last == NULL)
        return one->phase == DBAL_PHASE_QUEUE || one->phase == DBAL_PHASE_CONNECT;
    switch (one->phase) {
    case DBAL_PHASE_QUEUE: /* it goes to another connection, or has found that it writes */
        return last->phase == DBAL_PHASE_EXECUTE ||
               (last->phase == DBAL_PHASE_VALIDATE && last->failed);
    case DBAL_PHASE_VALIDATE:
        return last->phase == DBAL_PHASE_QUEUE && !last->failed;
    case DBAL_PHASE_EXECUTE:
    case DBAL_PHASE_RESET:
        return (last->phase == DBAL_PHASE_QUEUE || last->phase == DBAL_PHASE_VALIDATE) &&
               !last->failed;
    case DBAL_PHASE_FETCH:
        return last->phase == DBAL_PHASE_EXECUTE && !last->failed;
    default:
        return false;
    }
}

void
story_check(const story *self)
{
    for (size_t i = 0; i < self->count; i++) {
        const story_event *one = &self->events[i], *last = before(self, i);
        const char *all = story_of_id(self, one->id);
        if (one->begins) {
            ck_assert_msg(last == NULL || !last->begins, "%s: %s", one->sql, all);
            ck_assert_msg(may_follow(last, one), "%s: %s", one->sql, all);
            ck_assert_msg(!is_last(self, i), "%s does not end: %s", one->sql, all);
            ck_assert(!one->failed && one->took == 0 && one->rows == 0);
        } else {
            ck_assert_msg(last != NULL && last->begins && last->phase == one->phase, "%s: %s",
                          one->sql, all);
            ck_assert_double_ge(one->took, 0);
            ck_assert_msg(one->took == 0 || fabs(one->at - last->at - one->took) < 1e-5,
                          "%s: %s: %.9f, %.9f", one->sql, all, one->at - last->at, one->took);
            ck_assert_str_eq(one->sql, last->sql);
            ck_assert_str_eq(one->label, last->label);
            ck_assert_uint_eq(one->session, last->session);
        }
    }
}
