#include "spell.h"

#include <string.h>

#include "moment.h"
#include "real.h"
#include "type.h"

static size_t
spell_timestamp(char *to, int64_t moment, bool zone)
{
    int64_t days = moment / DBAL__POSTGRES_DAY, time = moment % DBAL__POSTGRES_DAY;
    if (time < 0) {
        days--;
        time += DBAL__POSTGRES_DAY;
    }
    return dbal__postgres_timestamp_write(to, days, time, zone);
}

/* "\x" and two digits for each byte, as bytea_output=hex has it */
static size_t
spell_bytea(char *to, size_t room, dbal_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes.data;
    size_t size = 2 + 2 * bytes.size;
    if (size >= room)
        return size;
    *to++ = '\\';
    *to++ = 'x';
    for (size_t i = 0; i < bytes.size; i++) {
        *to++ = digits[from[i] >> 4];
        *to++ = digits[from[i] & 15];
    }
    *to = '\0';
    return size;
}

size_t
dbal__postgres_spell(char *to, size_t room, uint32_t kind, dbal_value value)
{
    switch (value.type) {
    case DBAL_BOOL:
        to[0] = value.as.boolean ? 't' : 'f';
        to[1] = '\0';
        return 1;
    case DBAL_DOUBLE:
        return dbal__postgres_real_write(to, value.as.real, kind == DBAL__POSTGRES_FLOAT4);
    case DBAL_DATE:
        return dbal__postgres_date_write(to, value.as.integer);
    case DBAL_TIME:
        return dbal__postgres_time_write(to, value.as.integer);
    case DBAL_TIMESTAMP:
        return spell_timestamp(to, value.as.integer, kind == DBAL__POSTGRES_TIMESTAMPTZ);
    case DBAL_BLOB:
        return spell_bytea(to, room, value.as.bytes);
    default: /* dbal writes integers and UUIDs the same way */
        return 0;
    }
}
