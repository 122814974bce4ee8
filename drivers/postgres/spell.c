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

size_t
dbal__postgres_spell(char *to, uint32_t kind, dbal_value value)
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
    default: /* dbal writes integers and UUIDs the same way */
        return 0;
    }
}
