#include "time_limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Milliseconds. Under the shortest limit its own taking back has to be done too. */
enum { LEAST = 512, MOST = 1 << 30, MILLISECOND = 1000000 };

void
dbal__mariadb_time_limit_learn(dbal__mariadb_time_limit *limit, const char *seconds)
{
    size_t size = strspn(seconds, "0123456789.");
    limit->known = size != 0 && size < sizeof limit->text && seconds[size] == '\0';
    if (!limit->known)
        return;
    strcpy(limit->text, seconds);
    const char *point = strchr(seconds, '.');
    int64_t whole = strtoll(seconds, NULL, 10), base = whole * 1000, unit = 100;
    /* whatever the locale's own point is */
    for (const char *c = point != NULL ? point + 1 : ""; *c >= '0' && *c <= '9'; c++, unit /= 10)
        base += (*c - '0') * unit;
    bool none = strspn(seconds, "0.") == size;
    limit->base = none ? 0 : base < 1 ? 1 : base > MOST ? MOST : (int)base;
}

/*
 * In milliseconds, never less than there are: a little more, since the server's clock may be faster than
 * this one. 0: too many for a limit, or none.
 */
static int64_t
rest_of(int64_t now, int64_t deadline)
{
    if (deadline == INT64_MAX)
        return 0;
    int64_t rest = deadline > now ? (deadline - now - 1) / MILLISECOND + 1 : 0;
    rest += rest / 128;
    return rest > MOST ? 0 : rest > LEAST ? rest : LEAST;
}

bool
dbal__mariadb_time_limit_wants(const dbal__mariadb_time_limit *limit, int64_t now, int64_t deadline,
                               int *ret_limit)
{
    int64_t rest = limit->alone ? 0 : rest_of(now, deadline), wanted = LEAST;
    if (!limit->known)
        return false;
    if (rest == 0) {
        *ret_limit = 0;
        return limit->unknown || limit->present != 0;
    }
    int in_force = limit->present != 0 ? limit->present : limit->base;
    if (!limit->unknown && rest <= in_force && in_force / 4 <= rest)
        return false;
    while (wanted < rest)
        wanted *= 2;
    if (limit->base != 0 && wanted >= limit->base)
        wanted = 0;
    *ret_limit = (int)wanted;
    return limit->unknown || wanted != limit->present;
}

bool
dbal__mariadb_time_limit_disturbs(const char *sql)
{
    return strcasestr(sql, "row_count") != NULL;
}

void
dbal__mariadb_time_limit_text(const dbal__mariadb_time_limit *limit, int value,
                              char to[DBAL__MARIADB_TIME_TEXT])
{
    if (value == 0)
        snprintf(to, DBAL__MARIADB_TIME_TEXT, "set max_statement_time = %s", limit->text);
    else
        snprintf(to, DBAL__MARIADB_TIME_TEXT, "set max_statement_time = %d.%03d", value / 1000,
                 value % 1000);
}

void
dbal__mariadb_time_limit_set(dbal__mariadb_time_limit *limit, int value, bool ok)
{
    limit->unknown = !ok;
    if (!ok)
        return;
    limit->present = value;
    limit->took = true;
}

bool
dbal__mariadb_time_limit_exempt(const dbal__mariadb_time_limit *limit,
                                dbal__mariadb_control control, const char *sql,
                                char to[DBAL__MARIADB_TIME_TEXT])
{
    bool ends = control == DBAL__MARIADB_COMMITS || control == DBAL__MARIADB_ROLLS_BACK;
    if (!ends || (!limit->unknown && limit->present == 0))
        return false;
    return snprintf(to, DBAL__MARIADB_TIME_TEXT, "set statement max_statement_time = %s for %s",
                    limit->text, sql) < DBAL__MARIADB_TIME_TEXT;
}

void
dbal__mariadb_time_limit_renew(dbal__mariadb_time_limit *limit)
{
    limit->present = 0;
    limit->alone = limit->unknown = false;
}
