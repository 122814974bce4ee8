#include "dbal/sql_rewrite.h"

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/sql_char.h"

/* The most bytes that one parameter becomes: a space, its sign, ten digits. */
enum { WRITTEN_MOST = 12 };

static char *
write_number(char *to, uint32_t number)
{
    char digits[10];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    while (count > 0)
        *to++ = digits[--count];
    return to;
}

static char *
write_parameter(char *to, dbal_paramstyle style, uint32_t number)
{
    *to++ = style == DBAL_PARAMSTYLE_DOLLAR ? '$' : '?';
    return style == DBAL_PARAMSTYLE_QMARK ? to : write_number(to, number + 1);
}

/* `select:n` must not become the one name `select$1`. */
static bool
needs_space(dbal_paramstyle style, const char *start, const char *to)
{
    return style == DBAL_PARAMSTYLE_DOLLAR && to > start && dbal__sql_is_word(to[-1]);
}

static size_t
write_all(char *start, dbal_paramstyle style, const dbal__sql *sql, const dbal__sql_uses *uses)
{
    char *to = start;
    size_t from = 0;
    for (size_t i = 0; i < uses->count; i++) {
        const dbal__sql_use *use = &uses->items[i];
        to = mempcpy(to, sql->source + from, use->start - from);
        if (needs_space(style, start, to))
            *to++ = ' ';
        dbal__sql_edit *edit = &sql->edits[i];
        edit->text = (uint32_t)(to - start);
        to = write_parameter(to, style, use->number);
        edit->text_end = (uint32_t)(to - start);
        edit->source = use->start;
        from = edit->source_end = use->start + use->size;
    }
    to = mempcpy(to, sql->source + from, sql->source_size - from);
    *to = '\0';
    return (size_t)(to - start);
}

bool
dbal__sql_rewrite(dbal__sql *sql, dbal_paramstyle style, const dbal__sql_uses *uses)
{
    sql->text = sql->source;
    sql->size = sql->source_size;
    if (uses->count == 0 || (style == DBAL_PARAMSTYLE_DOLLAR && !uses->named))
        return true;
    char *text = dbal__alloc(sql->source_size + uses->count * WRITTEN_MOST + 1);
    sql->edits = dbal__array(uses->count, sizeof *sql->edits);
    if (text == NULL || sql->edits == NULL) {
        dbal__free(text);
        return false;
    }
    sql->edit_count = uses->count;
    sql->size = write_all(text, style, sql, uses);
    sql->text = text;
    return true;
}

/* The last edit at or before this byte of the text; NULL when it lies before the first. */
static const dbal__sql_edit *
edit_before(const dbal__sql *sql, size_t at)
{
    size_t low = 0, high = sql->edit_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sql->edits[middle].text <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &sql->edits[low - 1] : NULL;
}

int
dbal__sql_position(const dbal__sql *sql, const dbal_driver *driver, int position)
{
    (void)driver;
    if (position <= 0)
        return 0;
    size_t at = (size_t)position - 1;
    if (at > sql->size)
        at = sql->size;
    const dbal__sql_edit *edit = edit_before(sql, at);
    if (edit != NULL)
        at = at < edit->text_end ? edit->source : edit->source_end + (at - edit->text_end);
    return (int)at + 1;
}
