/*
 * Numbers, bytes and UUIDs as the server writes them. All that return bool say whether the bytes
 * are such a value; a cell whose bytes are not stays text.
 */
#ifndef DBAL__POSTGRES_DECODE_H
#define DBAL__POSTGRES_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Big-endian, at any address. */
static inline uint16_t
dbal__postgres_decode16(const char *data)
{
    const unsigned char *at = (const unsigned char *)data;
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t
dbal__postgres_decode32(const char *data)
{
    const unsigned char *at = (const unsigned char *)data;
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t
dbal__postgres_decode64(const char *data)
{
    return (uint64_t)dbal__postgres_decode32(data) << 32 | dbal__postgres_decode32(data + 4);
}

static inline double
dbal__postgres_decode_float8(const char *data)
{
    uint64_t bits = dbal__postgres_decode64(data);
    double real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

static inline double
dbal__postgres_decode_float4(const char *data)
{
    uint32_t bits = dbal__postgres_decode32(data);
    float real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

/* Texts are followed by a NUL. */
bool dbal__postgres_decode_bool(const char *text, size_t size, bool *ret_boolean);
bool dbal__postgres_decode_integer(const char *text, size_t size, int64_t *ret_integer);
bool dbal__postgres_decode_real(const char *text, size_t size, double *ret_real);
/* Rounded to what a float4 can hold, as the server has it. */
bool dbal__postgres_decode_real4(const char *text, size_t size, double *ret_real);
bool dbal__postgres_decode_uuid(const char *text, size_t size, uint8_t *ret_uuid);
/* "\x…" or the older escapes; never more bytes than the text has, which `to` has room for. */
bool dbal__postgres_decode_bytea(const char *text, size_t size, uint8_t *to, size_t *ret_size);

#endif
