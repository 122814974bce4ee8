#include "dbal/sql_utf8.h"

#include <stdint.h>
#include <string.h>

/* Eight bytes at a time as long as none has its high bit set: most text is ASCII. */
static size_t
ascii_span(const unsigned char *bytes, size_t size)
{
    size_t at = 0;
    while (size - at >= 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        if ((word & UINT64_C(0x8080808080808080)) != 0)
            break;
        at += 8;
    }
    while (at < size && bytes[at] < 0x80)
        at++;
    return at;
}

static bool
is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The second byte's range keeps out overlong forms, surrogates and what is above U+10FFFF. */
static bool
second_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return is_continuation(second);
    }
}

/* The size of the character that begins here with a byte above 0x7f; 0 when it is not one. */
static size_t
character_size(const unsigned char *bytes, size_t size)
{
    unsigned char first = bytes[0];
    size_t wanted = first >= 0xc2 && first <= 0xdf   ? 2
                    : first >= 0xe0 && first <= 0xef ? 3
                    : first >= 0xf0 && first <= 0xf4 ? 4
                                                     : 0;
    if (wanted == 0 || wanted > size || !second_fits(first, bytes[1]))
        return 0;
    for (size_t i = 2; i < wanted; i++)
        if (!is_continuation(bytes[i]))
            return 0;
    return wanted;
}

size_t
dbal__utf8_span(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    size_t at = 0;
    for (;;) {
        if (at < size)
            at += ascii_span(bytes + at, size - at);
        if (at == size)
            return at;
        size_t step = character_size(bytes + at, size - at);
        if (step == 0)
            return at;
        at += step;
    }
}

bool
dbal__utf8_valid(const void *data, size_t size)
{
    return dbal__utf8_span(data, size) == size;
}

size_t
dbal__utf8_clip(const char *text, size_t size, size_t most)
{
    if (size <= most)
        return size;
    while (most > 0 && is_continuation((unsigned char)text[most]))
        most--;
    return most;
}
