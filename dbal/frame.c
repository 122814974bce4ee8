#include "dbal/frame.h"

#include <string.h>

#include "dbal/alloc.h"

/* How a text that is not there is written. */
static const uint32_t NO_TEXT = UINT32_MAX;

dbal__frame_state
dbal__frame_parse(const void *data, size_t size, size_t most, dbal__frame *ret_frame)
{
    dbal__frame frame;
    if (size < sizeof frame)
        return DBAL__FRAME_PARTIAL;
    memcpy(&frame, data, sizeof frame);
    if (frame.kind < DBAL__FRAME_OPEN || frame.kind >= DBAL__FRAME_KINDS || frame.size > most)
        return DBAL__FRAME_BROKEN;
    bool shared = frame.flags == DBAL__FRAME_SHARED;
    if (frame.flags != 0 && (!shared || frame.size != sizeof(uint64_t)))
        return DBAL__FRAME_BROKEN;
    *ret_frame = frame;
    return size - sizeof frame < frame.size ? DBAL__FRAME_PARTIAL : DBAL__FRAME_WHOLE;
}

/* ---- writing ------------------------------------------------------------------------------------- */

void
dbal__ink_fini(dbal__ink *ink)
{
    dbal__free(ink->data);
    *ink = (dbal__ink){.data = NULL};
}

static bool
grow(dbal__ink *ink, size_t size)
{
    size_t room = ink->room < 512 ? 512 : ink->room;
    while (room - ink->size < size) {
        if (room > SIZE_MAX / 4)
            return false;
        room *= 2;
    }
    char *data = dbal__realloc(ink->data, room);
    if (data == NULL)
        return false;
    ink->data = data;
    ink->room = room;
    return true;
}

char *
dbal__ink_reserve(dbal__ink *ink, size_t size)
{
    if (ink->failed)
        return NULL;
    if (ink->room - ink->size < size && !grow(ink, size)) {
        ink->failed = true;
        return NULL;
    }
    char *place = ink->data + ink->size;
    ink->size += size;
    return place;
}

void
dbal__ink_bytes(dbal__ink *ink, const void *data, size_t size)
{
    char *place = dbal__ink_reserve(ink, size);
    if (place != NULL && size != 0)
        memcpy(place, data, size);
}

void
dbal__ink_u8(dbal__ink *ink, uint8_t number)
{
    dbal__ink_bytes(ink, &number, sizeof number);
}

void
dbal__ink_u32(dbal__ink *ink, uint32_t number)
{
    dbal__ink_bytes(ink, &number, sizeof number);
}

void
dbal__ink_u64(dbal__ink *ink, uint64_t number)
{
    dbal__ink_bytes(ink, &number, sizeof number);
}

void
dbal__ink_double(dbal__ink *ink, double number)
{
    dbal__ink_bytes(ink, &number, sizeof number);
}

void
dbal__ink_text(dbal__ink *ink, const char *text)
{
    size_t size = text != NULL ? strlen(text) : NO_TEXT;
    if (size >= NO_TEXT) {
        dbal__ink_u32(ink, NO_TEXT);
        return;
    }
    dbal__ink_u32(ink, (uint32_t)size);
    dbal__ink_bytes(ink, text, size + 1);
}

size_t
dbal__ink_begin(dbal__ink *ink, dbal__frame_kind kind, uint64_t number)
{
    dbal__frame frame = {.kind = (uint16_t)kind, .number = number};
    size_t begin = ink->size;
    dbal__ink_bytes(ink, &frame, sizeof frame);
    return begin;
}

void
dbal__ink_end(dbal__ink *ink, size_t begin)
{
    if (ink->failed)
        return;
    size_t size = ink->size - begin - sizeof(dbal__frame);
    uint32_t kept = (uint32_t)size;
    if (size > UINT32_MAX)
        ink->failed = true;
    else
        memcpy(ink->data + begin + offsetof(dbal__frame, size), &kept, sizeof kept);
}

/* ---- reading ------------------------------------------------------------------------------------- */

const void *
dbal__eye_bytes(dbal__eye *eye, size_t size)
{
    if (eye->broken || dbal__eye_left(eye) < size) {
        eye->broken = true;
        return NULL;
    }
    const char *place = eye->at;
    eye->at += size;
    return place;
}

#define READ(type)                                                                                 \
    type number = 0;                                                                               \
    const void *place = dbal__eye_bytes(eye, sizeof number);                                       \
    if (place != NULL)                                                                             \
        memcpy(&number, place, sizeof number);                                                     \
    return number

uint8_t
dbal__eye_u8(dbal__eye *eye)
{
    READ(uint8_t);
}

uint32_t
dbal__eye_u32(dbal__eye *eye)
{
    READ(uint32_t);
}

uint64_t
dbal__eye_u64(dbal__eye *eye)
{
    READ(uint64_t);
}

double
dbal__eye_double(dbal__eye *eye)
{
    READ(double);
}

const char *
dbal__eye_text(dbal__eye *eye)
{
    uint32_t size = dbal__eye_u32(eye);
    if (eye->broken || size == NO_TEXT)
        return NULL;
    const char *text = dbal__eye_bytes(eye, (size_t)size + 1);
    if (text == NULL)
        return NULL;
    if (text[size] == '\0' && memchr(text, '\0', size) == NULL)
        return text;
    eye->broken = true;
    return NULL;
}
