/* Of the wire server: one connection, and what is said on it. */
#ifndef TESTS_LIB_WIRE_LINE_H
#define TESTS_LIB_WIRE_LINE_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/wire_server.h"

enum { TEXT = 400, NAMES = 64 };

typedef struct line {
    wire_server *of;
    int fd;
    char *out; /* said when the other side has to wait for it */
    size_t size, room, message;
    size_t piece; /* bytes that are written at once; 0: all */
    char names[NAMES][24], texts[NAMES][TEXT];
    int name_count;
    char bound[TEXT]; /* the statement that is to be executed */
    char status;      /* of the transaction */
    int readies;      /* at the next Sync */
    bool skips;       /* until the next Sync, as behind an error */
    bool refuses;     /* to commit there */
    void (*idle)(struct line *self);
    bool over; /* to be closed when all is said */
} line;

static inline void
fail(const char *what)
{
    fprintf(stderr, "tests/lib/wire_server: %s: %s\n", what, strerror(errno));
    abort();
}

static inline void
put(line *self, const void *data, size_t size)
{
    if (self->size + size > self->room) {
        self->room = 2 * (self->size + size);
        self->out = realloc(self->out, self->room);
        if (self->out == NULL)
            fail("out");
    }
    memcpy(self->out + self->size, data, size);
    self->size += size;
}

static inline void
put_text(line *self, const char *text)
{
    put(self, text, strlen(text) + 1);
}

static inline void
put_int(line *self, uint32_t value)
{
    uint32_t wire = htonl(value);
    put(self, &wire, sizeof wire);
}

static inline void
put_short(line *self, uint16_t value)
{
    uint16_t wire = htons(value);
    put(self, &wire, sizeof wire);
}

static inline void
begin(line *self, char type)
{
    put(self, &type, 1);
    self->message = self->size;
    put_int(self, 0);
}

static inline void
end_as(line *self, uint32_t length)
{
    length = htonl(length);
    memcpy(self->out + self->message, &length, sizeof length);
}

static inline void
end(line *self)
{
    end_as(self, (uint32_t)(self->size - self->message));
}

static inline void
say(line *self, char type, const char *text)
{
    begin(self, type);
    if (text != NULL)
        put_text(self, text);
    end(self);
}

static inline void
say_failure(line *self, char type, const char *severity, const char *state, const char *text)
{
    begin(self, type);
    put(self, "S", 1), put_text(self, severity);
    put(self, "V", 1), put_text(self, severity);
    put(self, "C", 1), put_text(self, state);
    put(self, "M", 1), put_text(self, text);
    put(self, "", 1);
    end(self);
}

static inline void
say_columns(line *self, int count, uint32_t type, uint16_t format)
{
    begin(self, 'T');
    put_short(self, (uint16_t)count);
    for (int i = 0; i < count; i++) {
        put_text(self, "t");
        put_int(self, 0), put_short(self, 0), put_int(self, type);
        put_short(self, (uint16_t)-1), put_int(self, (uint32_t)-1), put_short(self, format);
    }
    end(self);
}

static inline void
begin_row(line *self, int columns, uint32_t size)
{
    begin(self, 'D');
    put_short(self, (uint16_t)columns);
    put_int(self, size);
}

static inline void
say_row(line *self)
{
    begin_row(self, 1, (uint32_t)strlen(self->bound));
    put(self, self->bound, strlen(self->bound));
    end(self);
}

static inline void
say_rows(line *self)
{
    say_row(self);
    say(self, 'C', "SELECT 1");
}

static inline void
say_ready(line *self)
{
    begin(self, 'Z');
    put(self, &self->status, 1);
    end(self);
}

static inline void
say_status(line *self, const char *name, const char *value)
{
    begin(self, 'S');
    put_text(self, name), put_text(self, value);
    end(self);
}

#endif
