/*
 * What an application and its worker processes say to each other: frames of a header and a body, in
 * this machine's byte order. Both ends are of one build, which their first frames prove. Nothing that
 * is read is believed: every length is checked against the bytes that are there.
 */
#ifndef DBAL__FRAME_H
#define DBAL__FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The number of this format: one end with another is refused. */
enum { DBAL__WIRE_VERSION = 2 };
#define DBAL__WIRE_MAGIC 0x4c414244u /* "DBAL" */

typedef enum dbal__frame_kind {
    /* to the worker, where its statements come */
    DBAL__FRAME_OPEN = 1,
    DBAL__FRAME_RUN,
    DBAL__FRAME_RESET,
    DBAL__FRAME_UPKEEP,
    DBAL__FRAME_BACKUP,
    /* to the worker, beside them */
    DBAL__FRAME_CANCEL,
    DBAL__FRAME_ENOUGH, /* a stream's consumer wants no more */
    DBAL__FRAME_MORE,   /* it has taken a batch */
    /* from the worker */
    DBAL__FRAME_HELLO,
    DBAL__FRAME_OPENED,
    DBAL__FRAME_FAILED, /* to open */
    DBAL__FRAME_ROWS,   /* a batch of a stream */
    DBAL__FRAME_DONE,   /* a request has ended, with all its rows but a stream's */
    DBAL__FRAME_DYING,  /* its body is the number of the signal, or 0 and the exit status */
    DBAL__FRAME_KINDS
} dbal__frame_kind;

/* The body lies in shared memory, whose descriptor comes along; here is only how long it is. */
enum { DBAL__FRAME_SHARED = 1 };

/* What goes through a socket is no longer; longer answers are shared. */
enum { DBAL__FRAME_INSIDE = 64 * 1024 };

typedef struct dbal__frame {
    uint32_t size; /* of the body */
    uint16_t kind;
    uint16_t flags;
    uint64_t number; /* the request's */
} dbal__frame;

typedef enum dbal__frame_state {
    DBAL__FRAME_PARTIAL, /* more bytes are needed */
    DBAL__FRAME_WHOLE,
    DBAL__FRAME_BROKEN /* nothing sensible can follow */
} dbal__frame_state;

/* The frame that some bytes begin with; a body may have so many at most. */
dbal__frame_state dbal__frame_parse(const void *data, size_t size, size_t most,
                                    dbal__frame *ret_frame);

/* ---- bytes being written ---- */

typedef struct dbal__ink {
    char *data;
    size_t size, room;
    bool failed; /* without memory: what was written since is worth nothing */
} dbal__ink;

void dbal__ink_fini(dbal__ink *ink);
/* Room for so many bytes more, or NULL. */
char *dbal__ink_reserve(dbal__ink *ink, size_t size);
void dbal__ink_bytes(dbal__ink *ink, const void *data, size_t size);
void dbal__ink_u8(dbal__ink *ink, uint8_t number);
void dbal__ink_u32(dbal__ink *ink, uint32_t number);
void dbal__ink_u64(dbal__ink *ink, uint64_t number);
void dbal__ink_double(dbal__ink *ink, double number);
/* With its NUL; NULL is told from "". */
void dbal__ink_text(dbal__ink *ink, const char *text);
/* Begins a frame; the size of its body is known at its end. Gives back where it begins. */
size_t dbal__ink_begin(dbal__ink *ink, dbal__frame_kind kind, uint64_t number);
void dbal__ink_end(dbal__ink *ink, size_t begin);

/* ---- bytes being read ---- */

typedef struct dbal__eye {
    const char *at, *end;
    bool broken; /* something was not there: all that was read since is 0 */
} dbal__eye;

static inline size_t
dbal__eye_left(const dbal__eye *eye)
{
    return (size_t)(eye->end - eye->at);
}

/* So many bytes, or NULL. */
const void *dbal__eye_bytes(dbal__eye *eye, size_t size);
uint8_t dbal__eye_u8(dbal__eye *eye);
uint32_t dbal__eye_u32(dbal__eye *eye);
uint64_t dbal__eye_u64(dbal__eye *eye);
double dbal__eye_double(dbal__eye *eye);
/* A text with its NUL, or NULL when there was none or it is broken. */
const char *dbal__eye_text(dbal__eye *eye);

#endif
